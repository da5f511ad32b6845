//! What is stored when a mail was sent, or was not: once, however often it takes.

use super::{
    Error,
    delivery::{self, Delivery},
    fault,
};
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    ports::{Etag, Fault, NewDocument, Ports, TRYING_IN_THE_QUEUE, Tries, Write},
};

/// Stores how a try went, in the row and in its delivery, which was read with this id before. `None` if somebody else took the row.
pub(super) async fn settle(
    ports: &Ports,
    keys: &TenantKeys,
    tenant: &TenantId,
    row: NewDocument,
    claimed: Etag,
    (id, before): (&str, Option<delivery::Stored>),
    delivery: &Delivery,
) -> Result<Option<Etag>, Error> {
    let place = partition(tenant, Kind::Outbox);
    // Longer than a store is busy, and well within the claim.
    let (mut tries, mut before) = (Tries::within(TRYING_IN_THE_QUEUE), Some(before));
    loop {
        let step = async {
            let before = match before.take() {
                Some(before) => before,
                None => readable(delivery::get(ports, keys, tenant, id).await)?,
            };
            let mut writes = vec![Write::Replace { document: row.clone(), etag: claimed.clone() }];
            // A bounce that is faster than our own note is the newer news.
            if let Some(before) = before.filter(|before| before.delivery.state != delivery::State::Failed) {
                writes.push(before.rewritten(keys, tenant, delivery)?);
            }
            match ports.documents.commit(&place, writes).await {
                Ok(etags) => Ok(Settled::Ends(etags.into_iter().next())),
                Err(Fault::Conflict) => Ok(match ports.documents.get(&place, &row.id).await? {
                    Some(stored) if stored.etag == claimed => Settled::NotYet,
                    // A try of before, whose answer was lost.
                    Some(stored) if stored.body == row.body => Settled::Ends(Some(stored.etag)),
                    _ => Settled::Ends(None),
                }),
                Err(fault) => Err(Error::from(fault)),
            }
        };
        match step.await {
            Ok(Settled::Ends(etag)) => return Ok(etag),
            Ok(Settled::NotYet) => {
                if !tries.again(ports.entropy.as_ref()).await {
                    return Ok(None);
                }
            }
            // What was sent and not settled goes out again.
            Err(error) if may_pass(&error) && tries.again(ports.entropy.as_ref()).await => {}
            Err(error) => return Err(error),
        }
    }
}

/// What came of a try to settle a row.
enum Settled {
    /// It has this version now, or is somebody else's.
    Ends(Option<Etag>),
    /// Somebody wrote to its delivery at the same moment.
    NotYet,
}

fn may_pass(error: &Error) -> bool {
    matches!(fault(error), Some(Fault::Unavailable(_) | Fault::Throttled { .. }))
}

/// A delivery, or none if it does not open: that is no reason to send its mail again.
pub(super) fn readable(delivery: Result<Option<delivery::Stored>, Error>) -> Result<Option<delivery::Stored>, Error> {
    match delivery {
        Err(Error::Keys(error)) => {
            tracing::error!(%error, "a delivery cannot be read and stays as it is");
            Ok(None)
        }
        read => read,
    }
}
