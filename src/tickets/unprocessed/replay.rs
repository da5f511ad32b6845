//! An unprocessed mail goes through the intake again, because its cause was mended, its wait is over, or somebody looked at it.

use bytes::Bytes;
use tokio::sync::SemaphorePermit;

use super::{
    INTAKE_CONTAINER, INTAKE_QUEUE, event, get, is_of, message,
    record::{IntakeBlob, LET_GO_PREFIX, REPLAY_PREFIX, Raw, State, replay_of, replayed_name},
    write,
};
use crate::{
    audit,
    ids::{Kind, RecordId, TenantId, partition},
    ports::{Fault, encode_text},
    tickets::{
        Desk, Error, MEMORY_FOR_A_SEALED_BYTE,
        contract::{self, Request},
        store,
    },
};

/// Sends a mail through the intake again: what we sealed under a name that tells of the record, what lies in the intake by a message that
/// does, anything else by its own message.
///
/// Killed in between, it has done nothing or has sent the mail without saying so; sent twice, the mail still becomes one ticket.
pub async fn replay(desk: &Desk, owner: &TenantId, id: RecordId, actor: &str) -> Result<(), Error> {
    send_again(desk, owner, id, REPLAY_PREFIX, actor).await
}

/// The same for a mail that a limit holds, which then does not hold it: somebody looked at it.
pub async fn let_go(desk: &Desk, owner: &TenantId, id: RecordId, actor: &str) -> Result<(), Error> {
    let (record, _) = get(desk, owner, id).await?.ok_or(Error::NotFound)?;
    if !record.reason.is_a_limit() {
        return Err(Error::NotHeld);
    }
    send_again(desk, owner, id, LET_GO_PREFIX, actor).await
}

async fn send_again(desk: &Desk, owner: &TenantId, id: RecordId, prefix: &str, actor: &str) -> Result<(), Error> {
    let (mut record, etag) = get(desk, owner, id).await?.ok_or(Error::NotFound)?;
    let again = match (&record.raw, &record.mailbox) {
        (Raw::Sealed { blob: kept, bytes: size, .. }, Some(mailbox)) => {
            let (bytes, _in_flight) = sealed(desk, owner, kept, *size).await?;
            let blob = replayed_name(prefix, id);
            desk.ports.blobs.put(INTAKE_CONTAINER, &blob, bytes).await?;
            contract::message(mailbox, &blob)
        }
        (Raw::Intake { blob, .. }, Some(mailbox)) => contract::again(mailbox, blob, id),
        _ => message(desk, owner, &record).await?,
    };
    // Sent before it is marked: a record that says so was sent.
    desk.ports.queues.send(INTAKE_QUEUE, &encode_text(again.as_bytes())?, std::time::Duration::ZERO).await?;
    record.state = State::Replayed;
    record.replays += 1;
    let keys = desk.keyring.keys(owner).await?;
    let place = partition(owner, Kind::Unprocessed);
    let replayed = || event(desk, &keys, owner, actor, audit::Action::MailReplayed, id);
    match desk.ports.documents.commit(&place, vec![write(&keys, owner, &record, Some(etag))?, replayed()?]).await {
        // What the intake, or somebody else, made of the record meanwhile is not overwritten. The mail was sent all the same.
        Err(Fault::Conflict) => desk.ports.documents.commit(&place, vec![replayed()?]).await?,
        marked => marked?,
    };
    Ok(())
}

/// A sealed mail on its way into the intake, in the room that mails have: no reader of files keeps it waiting.
async fn sealed<'a>(desk: &'a Desk, owner: &TenantId, blob: &str, size: u64) -> Result<(Bytes, SemaphorePermit<'a>), Error> {
    let room = desk.room_for(size.saturating_mul(MEMORY_FOR_A_SEALED_BYTE).max(1)).await?;
    let keys = desk.keyring.keys(owner).await?;
    Ok((Bytes::from_owner(store::open_blob(desk.ports.blobs.as_ref(), &keys, blob).await?), room))
}

/// Whether a person let this mail go, so that no limit holds it: its name says so, and a record of the same mail.
pub(in crate::tickets) async fn is_let_go(desk: &Desk, tenant: &TenantId, request: &Request, raw: &Bytes) -> Result<bool, Error> {
    let Some(id) = replay_of(&request.blob).filter(|_| request.blob.starts_with(LET_GO_PREFIX)) else { return Ok(false) };
    for owner in [tenant, &TenantId::system()] {
        let keys = desk.keyring.keys(owner).await?;
        let found = get(desk, owner, id).await?;
        if found.is_some_and(|(record, _)| is_of(&record, &keys, owner, request, IntakeBlob::Read(raw))) {
            return Ok(true);
        }
    }
    Ok(false)
}
