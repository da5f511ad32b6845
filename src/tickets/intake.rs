//! The story of a mail: from a queue message to a comment on a ticket, exactly once, or to a record that says why not.
//!
//! One load, one decision, one commit. Blobs before it are named by the mail's content, so that a second try finds them; the intake blob is deleted after it.

use std::time::Duration;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Desk, Error,
    arrival::{Arrival, Loaded, Parts, continued, look_up, opened, opens_ticket, store_parts, writes},
    contract::{self, Request},
    store,
    thread::{self, Because, Decision},
    tries::{TRYING_IN_THE_QUEUE, Tries},
    unprocessed::{self, Delivery, INTAKE_CONTAINER, INTAKE_QUEUE, Keep, Reason},
};
use crate::{
    ids::{Kind, RecordId, TenantId, partition},
    mail,
    ports::{Fault, encode_text},
    tenants::{self, Mailbox, Owner, State},
};

/// Bytes of a raw mail.
pub const MAIL_BYTES_MAX: u64 = mail::limits::MAIL_BYTES_MAX as u64;
/// Where pushed mails lie in the intake.
const PUSHED_PREFIX: &str = "pushed/";
/// Bytes of memory that a byte of raw mail takes at most times: itself, cut, parsed, sealed.
const MEMORY_FOR_A_RAW_BYTE: u64 = 4;
/// A mail over this many bytes is parsed away from the threads that serve requests.
const PARSED_HERE_BYTES_MAX: usize = 64 * 1024;
/// How long a mail is read before it is given up. The slowest that is known takes a tenth of it; the thread ends by the limits of reading.
const READ_TIME_MAX: Duration = Duration::from_secs(30);

/// What became of a mail. Ticket numbers and reasons only: it is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Opened {
        number: u64,
    },
    Joined {
        number: u64,
        because: Because,
    },
    /// It was dealt with before.
    Seen {
        number: u64,
    },
    /// Kept as a record; `first` unless this delivery was kept before.
    Unprocessed {
        record: RecordId,
        reason: Reason,
        first: bool,
    },
}

/// Takes in the mail that a queue message tells of.
pub async fn take_in(desk: &Desk, message: &str) -> Result<Outcome, Error> {
    let request = match contract::read(message) {
        Ok(request) => request,
        Err((reason, detail)) => return refuse(desk, &TenantId::system(), reason, detail, message, None, None).await,
    };
    let documents = desk.ports.documents.as_ref();
    let owner = match Mailbox::parse(&request.mailbox) {
        Ok(mailbox) => tenants::of_mailbox(documents, &desk.keyring, &mailbox).await?.map(|owner| (mailbox, owner)),
        Err(_) => None,
    };
    let system = TenantId::system();
    let tenant = owner.as_ref().map_or(&system, |(_, owner)| &owner.tenant);
    let size = desk.ports.blobs.size(INTAKE_CONTAINER, &request.blob).await?;
    let Some(size) = size else { return without_blob(desk, tenant, &request, message).await };
    if size > MAIL_BYTES_MAX {
        let detail = format!("the mail has {size} bytes, over the limit of {MAIL_BYTES_MAX}; it stays in the intake container");
        return refuse(desk, tenant, Reason::Unreadable, detail, message, Some(&request), None).await;
    }
    // Held until the mail is dealt with, so that memory does not grow with the queue.
    let weight = size.saturating_mul(MEMORY_FOR_A_RAW_BYTE);
    let permits = u32::try_from(weight).unwrap_or(u32::MAX).clamp(1, desk.mail_in_flight_bytes);
    let _in_flight = desk.mail_in_flight.acquire_many(permits).await.map_err(|_| Fault::Unavailable("the intake is closing".to_owned()))?;
    let Some(raw) = desk.ports.blobs.get(INTAKE_CONTAINER, &request.blob, None).await? else {
        return without_blob(desk, tenant, &request, message).await;
    };
    let served = match &owner {
        Some((_, owner)) => tenants::get(documents, &desk.keyring, &owner.tenant).await?.map(|(tenant, _)| tenant.state),
        None => None,
    };
    let (Some((mailbox, owner)), Some(state)) = (&owner, served) else {
        let detail = "no tenant has this mailbox: give it to one with `helpdesk tenant mailbox`, then replay".to_owned();
        return refuse(desk, tenant, Reason::UnknownMailbox, detail, message, Some(&request), Some(&raw)).await;
    };
    let held = match state {
        State::Active => None,
        State::Suspended => Some(Reason::TenantSuspended),
        State::Restoring => Some(Reason::TenantRestoring),
    };
    if let Some(reason) = held {
        let detail = format!("the tenant is {}; the mail is held until he is served again", state.name());
        return refuse(desk, tenant, reason, detail, message, Some(&request), Some(&raw)).await;
    }
    let outcome = take_in_mail(desk, owner, mailbox, &request, message, &raw).await?;
    if !matches!(outcome, Outcome::Unprocessed { .. }) {
        unprocessed::processed(desk, tenant, &request.mailbox, &request.blob, &raw).await?;
        desk.ports.blobs.delete(INTAKE_CONTAINER, &request.blob).await?;
    }
    Ok(outcome)
}

/// Takes a mail that a machine of the tenant pushes: it lies in the intake, and is told of, when this returns. Pushed twice it becomes one ticket,
/// because its blob is named by what it is.
pub async fn accept(desk: &Desk, tenant: &TenantId, mailbox: &Mailbox, raw: Bytes) -> Result<(), Error> {
    let owner = tenants::of_mailbox(desk.ports.documents.as_ref(), &desk.keyring, mailbox).await?;
    if owner.is_none_or(|owner| owner.tenant != *tenant) {
        return Err(Error::NotFound);
    }
    let keys = desk.keyring.keys(tenant).await?;
    let blob = format!("{PUSHED_PREFIX}{tenant}/{}.eml", keys.index("mail-pushed", &[mailbox.as_str().as_bytes(), &raw]));
    desk.ports.blobs.put(INTAKE_CONTAINER, &blob, raw).await?;
    let message = contract::message(mailbox.as_str(), &blob);
    desk.ports.queues.send(INTAKE_QUEUE, &encode_text(message.as_bytes())?, Duration::ZERO).await?;
    Ok(())
}

/// What the host gave up on: kept as a record, with the mail if it is there.
pub async fn take_in_poison(desk: &Desk, message: &str) -> Result<Outcome, Error> {
    let request = contract::read(message).ok();
    let mailbox = request.as_ref().and_then(|request| Mailbox::parse(&request.mailbox).ok());
    let owner = match mailbox {
        Some(mailbox) => tenants::of_mailbox(desk.ports.documents.as_ref(), &desk.keyring, &mailbox).await?,
        None => None,
    };
    let tenant = owner.map_or_else(TenantId::system, |owner| owner.tenant);
    // The tries may have failed after the commit.
    if let Some(request) = &request
        && let Some(Delivery::Ticket { number }) = delivered(desk, &tenant, request, message).await?
    {
        desk.ports.blobs.delete(INTAKE_CONTAINER, &request.blob).await?;
        return Ok(Outcome::Seen { number });
    }
    let raw = match &request {
        Some(request) if desk.ports.blobs.size(INTAKE_CONTAINER, &request.blob).await?.is_some_and(|size| size <= MAIL_BYTES_MAX) => {
            desk.ports.blobs.get(INTAKE_CONTAINER, &request.blob, None).await?
        }
        _ => None,
    };
    let detail = "taking it in failed every time; the log of the invocations says why".to_owned();
    refuse(desk, &tenant, Reason::KeptFailing, detail, message, request.as_ref(), raw.as_ref()).await
}

async fn refuse(
    desk: &Desk,
    owner: &TenantId,
    reason: Reason,
    detail: String,
    message: &str,
    request: Option<&Request>,
    raw: Option<&Bytes>,
) -> Result<Outcome, Error> {
    let (mailbox, blob) = (request.map(|r| r.mailbox.as_str()), request.map(|r| r.blob.as_str()));
    let kept = unprocessed::keep(desk, Keep { owner, reason, detail, message, mailbox, blob, raw }).await?;
    Ok(Outcome::Unprocessed { record: kept.record, reason: kept.reason, first: kept.first })
}

/// No blob: either this delivery was dealt with before, or there never was one.
async fn without_blob(desk: &Desk, owner: &TenantId, request: &Request, message: &str) -> Result<Outcome, Error> {
    if let Some(Delivery::Ticket { number }) = delivered(desk, owner, request, message).await? {
        return Ok(Outcome::Seen { number });
    }
    let detail = "the blob that the message names is not in the container `mail-intake`".to_owned();
    refuse(desk, owner, Reason::BlobMissing, detail, message, Some(request), None).await
}

/// What this delivery became, if it was dealt with before.
async fn delivered(desk: &Desk, owner: &TenantId, request: &Request, message: &str) -> Result<Option<Delivery>, Error> {
    let keys = desk.keyring.keys(owner).await?;
    let name = unprocessed::delivery_name(&keys, &request.mailbox, &request.blob, message);
    Ok(unprocessed::delivered(desk, &keys, owner, &name).await?.map(|(delivery, _)| delivery))
}

async fn take_in_mail(desk: &Desk, owner: &Owner, mailbox: &Mailbox, request: &Request, message: &str, raw: &Bytes) -> Result<Outcome, Error> {
    let Owner { tenant, trust } = owner;
    let keys = desk.keyring.keys(tenant).await?;
    let read = {
        let (keys, mailbox, trust, bytes) = (keys.clone(), mailbox.clone(), trust.clone(), raw.clone());
        move || {
            // Named by its bytes as they are kept, without card numbers: a record of it that is replayed is the same mail.
            let read = mail::parse::cut_and_parse(&bytes, &trust);
            let content = keys.index("mail-content", &[mailbox.as_str().as_bytes(), read.cut.as_deref().unwrap_or(&bytes)]);
            (content, read.cut.map(Zeroizing::new), read.mail)
        }
    };
    let read = if raw.len() > PARSED_HERE_BYTES_MAX { within(READ_TIME_MAX, read).await? } else { Some(read()) };
    let Some((content, cut, parsed)) = read else {
        let detail = format!("reading the mail took longer than {} seconds", READ_TIME_MAX.as_secs());
        return refuse(desk, tenant, Reason::Unreadable, detail, message, Some(request), Some(raw)).await;
    };
    let mail = match parsed {
        Ok(mail) => mail,
        Err(why) => return refuse(desk, tenant, Reason::Unreadable, why.to_string(), message, Some(request), Some(raw)).await,
    };
    let arrival = Arrival { tenant, keys: &keys, mailbox, blob: &request.blob, mail, altered: cut.is_some(), content, now: desk.ports.clock.now() };
    let kept: &[u8] = cut.as_ref().map_or(raw, |cut| cut.as_slice());
    let (mut parts, mut number) = (None, None);
    let mut tries = Tries::within(TRYING_IN_THE_QUEUE);
    loop {
        match take_in_once(desk, &arrival, kept, &mut parts, &mut number).await {
            // With none left the queue tries again.
            Err(error) if error.is_conflict() && tries.again(desk).await => {}
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => {
                let detail = format!("a mail of kind {} that belongs to no ticket", arrival.mail.kind.name());
                return refuse(desk, tenant, Reason::Automatic, detail, message, Some(request), Some(raw)).await;
            }
            // Trying again does not help.
            Err(Error::Fault(Fault::Corrupt(why))) => {
                let detail = format!("what it would become cannot be stored: {why}");
                return refuse(desk, tenant, Reason::Unreadable, detail, message, Some(request), Some(raw)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The outcome of work on a thread of its own, or `None` if that takes too long.
async fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>, Fault> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.map(Some).map_err(|_| Fault::Unavailable("reading a mail panicked".to_owned())),
        Err(_) => Ok(None),
    }
}

/// Load, decide, commit. `None` if it is a machine's mail without a ticket.
async fn take_in_once(
    desk: &Desk,
    arrival: &Arrival<'_>,
    raw: &[u8],
    parts: &mut Option<Parts>,
    number: &mut Option<u64>,
) -> Result<Option<Outcome>, Error> {
    let opens = opens_ticket(arrival.mail.kind);
    // The parts of a mail that surely becomes a comment are stored while we look.
    let stored = async { if opens && parts.is_none() { store_parts(desk, arrival, raw).await.map(Some) } else { Ok(None) } };
    let (found, known) = futures::try_join!(stored, look_up(desk, arrival))?;
    *parts = parts.take().or(found);
    let (known, refs) = match known {
        Loaded::Seen { number, delivery } => {
            arrival.remember(desk, number, delivery).await?;
            return Ok(Some(Outcome::Seen { number }));
        }
        Loaded::Known(found) => *found,
    };
    let decision = thread::decide(&known);
    let loaded = match decision {
        Decision::Join { ticket, because } => store::ticket(desk, arrival.keys, arrival.tenant, ticket).await?.map(|found| (found, because)),
        Decision::Open => None,
    };
    // Scanners and forms send all their mails with one Message-ID: only the same sender's is the same conversation.
    let loaded = loaded.filter(|((ticket, _), because)| *because != Because::SameMessageId || ticket.requester.address == arrival.sender_address());
    if loaded.is_none() && !opens {
        return Ok(None);
    }
    let stored = match parts.take() {
        Some(stored) => stored,
        None => store_parts(desk, arrival, raw).await?,
    };
    let stored = parts.insert(stored);
    let (ticket, read, outcome) = match loaded {
        Some(((ticket, etag), because)) => {
            let outcome = Outcome::Joined { number: ticket.number, because };
            (continued(ticket, arrival), Some(etag), outcome)
        }
        None => {
            let next = match *number {
                Some(number) => number,
                None => *number.insert(desk.numbers.next(desk.ports.documents.as_ref(), arrival.keys, arrival.tenant).await?),
            };
            (opened(desk, arrival, next), None, Outcome::Opened { number: next })
        }
    };
    let reused = known.itself.is_some_and(|(_, seen)| seen);
    let writes = writes(desk, arrival, &ticket, read, stored, reused, &refs)?;
    desk.ports.documents.commit(&partition(arrival.tenant, Kind::Ticket), writes).await?;
    Ok(Some(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_that_takes_too_long_is_given_up() {
        assert_eq!(within(Duration::from_secs(60), || 1).await, Ok(Some(1)));
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(1), move || wait.recv().is_ok()).await, Ok(None));
        drop(finish);
    }
}
