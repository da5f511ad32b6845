//! The sealed blob of a long mail: what it is called, whose it is, and when it goes.

use crate::{
    ids::{RecordId, TenantId},
    ports::{Fault, Ports, Scan, Slot},
};

/// The container of long mails.
pub const CONTAINER: &str = "outbox";
/// The `k3` of a row whose mail lies in a blob begins with this, and the rest of the blob's name follows: its rows share the blob.
const SHARED: &str = "mail:";
/// Stands between a mail's record and the rest of its blob's name.
const TRY_MARK: char = '-';
/// Blobs of one mail that go with it; a story is tried for ten seconds, the intake's for thirty.
const LOST_TRIES_MAX: usize = 100;

/// The blob of a mail that one try of its story made. A second try may say something else, to others, and has a blob of its own: which of them was stored
/// is known when the mail has left.
pub(super) fn name(tenant: &TenantId, record: RecordId, content: &str) -> String {
    format!("{tenant}/{record}{TRY_MARK}{content}")
}

/// The `k3` of a row whose mail is in the blob of this name.
pub(super) fn shared(blob: &str) -> String {
    format!("{SHARED}{}", blob.rsplit('/').next().unwrap_or(blob))
}

/// The name of the blob of a row whose `k3` is this.
pub(super) fn of(tenant: &TenantId, shared: &str) -> Option<String> {
    Some(format!("{tenant}/{}", shared.strip_prefix(SHARED)?))
}

/// Deletes the blob of a row's mail, unless a row to another recipient still needs it; with it those of tries that met a conflict, which nobody names.
pub(super) async fn delete_unless_shared(ports: &Ports, place: &str, name: &str, row: &str) -> Result<(), Fault> {
    let needed = ports.documents.scan(&Scan::prefix(place, Slot::K3, &shared(name), 2)).await?;
    if needed.iter().any(|other| other.id != row) {
        return Ok(());
    }
    let blobs = match tries_of(name) {
        Some(tries) => ports.blobs.list(CONTAINER, tries, None, LOST_TRIES_MAX).await?,
        None => vec![name.to_owned()],
    };
    for blob in blobs {
        ports.blobs.delete(CONTAINER, &blob).await?;
    }
    Ok(())
}

/// What the names of all blobs of a mail begin with. The tenant's id may have the same mark in it; names of before have none behind it.
fn tries_of(name: &str) -> Option<&str> {
    let record = name.rfind('/')? + 1;
    name[record..].find(TRY_MARK).map(|mark| &name[..=record + mark])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blobs_of_a_mail_are_told_from_all_others() {
        let (tenant, record): (TenantId, RecordId) = ("a-b".parse().unwrap(), "01JD7Z3M9QK4T5V6W7X8Y9Z0AB".parse().unwrap());
        assert_eq!(tries_of(&name(&tenant, record, "00ff")), Some("a-b/01JD7Z3M9QK4T5V6W7X8Y9Z0AB-"));
        assert_eq!(of(&tenant, &shared(&name(&tenant, record, "00ff"))), Some(name(&tenant, record, "00ff")));
        assert_eq!((tries_of("a-b/01JD7Z3M9QK4T5V6W7X8Y9Z0AB"), tries_of("01JD-00ff")), (None, None));
    }
}
