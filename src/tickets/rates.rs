//! How much mail comes from one sender, to one mailbox, into one conversation. Counted from what is stored, so that all instances count together; two
//! mails at the same moment may both be the last one.

use time::{Duration, OffsetDateTime};
use ulid::Ulid;

use super::{Author, Comment, Desk, Error, Ticket, arrival::Arrival, unprocessed::Reason};
use crate::{
    ids::{Kind, partition},
    ports::{Scan, Slot, timestamp},
};

/// The time that a limit is of.
pub const WINDOW: Duration = Duration::HOUR;
/// Of a mailbox's mails one in so many is counted, for all of them: by the first hexadecimal digit of what names its content.
const SAMPLE: u32 = 16;
const SAMPLED: char = '0';

/// The clear keys by which a mail is counted.
pub(super) struct Keys {
    pub sender: String,
    /// Of the mails that are counted for their mailbox.
    pub mailbox: Option<String>,
}

pub(super) fn keys(arrival: &Arrival<'_>) -> Keys {
    let Arrival { content, now, .. } = arrival;
    let at = timestamp(*now);
    let is_sampled = content.starts_with(SAMPLED);
    Keys {
        sender: format!("{}+{at}+{content}", sender_key(arrival)),
        mailbox: is_sampled.then(|| format!("{}+{at}+{content}", mailbox_key(arrival))),
    }
}

/// What a mail's sender and mailbox have had of late: the limit that is reached, if one is.
pub(super) struct Counted {
    pub over: Option<Reason>,
}

/// Counts, as far as the limits go.
pub(super) async fn count(desk: &Desk, arrival: &Arrival<'_>) -> Result<Counted, Error> {
    let settings = &arrival.tenant.settings;
    let place = partition(&arrival.tenant.id, Kind::MailRef);
    let since = timestamp(arrival.now - WINDOW);
    let counted = async |slot, key: String, limit: u32| {
        let mut scan = Scan::prefix(&place, slot, &format!("{key}+"), limit as usize);
        scan.range.start = format!("{key}+{since}");
        desk.ports.documents.scan(&scan).await.map(|found| found.len())
    };
    let samples = settings.mails_a_mailbox.div_ceil(SAMPLE);
    let (of_the_sender, to_the_mailbox) =
        futures::try_join!(counted(Slot::K2, sender_key(arrival), settings.mails_a_sender), counted(Slot::K3, mailbox_key(arrival), samples))?;
    let over = if of_the_sender >= settings.mails_a_sender as usize {
        Some(Reason::SenderLimit)
    } else {
        (to_the_mailbox >= samples as usize).then_some(Reason::MailboxLimit)
    };
    Ok(Counted { over })
}

/// Whether the sender has said so much in this conversation of late that two machines seem to answer each other.
pub(super) async fn is_a_loop(desk: &Desk, arrival: &Arrival<'_>, ticket: &Ticket) -> Result<bool, Error> {
    let limit = arrival.tenant.settings.mails_a_conversation as usize;
    // Most conversations have not that many comments at all.
    if (ticket.comments as usize) < limit {
        return Ok(false);
    }
    let place = partition(&arrival.tenant.id, Kind::Comment);
    let mut scan = Scan::prefix(&place, Slot::Id, &format!("comment:{}:", ticket.id), limit * 2);
    scan.range.start = format!("comment:{}:{}", ticket.id, first_ulid(arrival.now - WINDOW));
    let found = desk.ports.documents.scan(&scan).await?;
    if found.len() < limit {
        return Ok(false);
    }
    let sender = arrival.sender_address();
    let mut said = 0;
    for document in &found {
        let comment: Comment = arrival.keys.open_document(document)?;
        said += usize::from(matches!(&comment.author, Author::Sender(party) if party.address == sender));
    }
    Ok(said >= limit)
}

/// The first identifier of an instant.
fn first_ulid(at: OffsetDateTime) -> Ulid {
    Ulid::from_parts(u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0), 0)
}

fn sender_key(arrival: &Arrival<'_>) -> String {
    let sender = arrival.sender_address().unwrap_or_default();
    format!("from:{}", arrival.keys.index("sender-rate", &[arrival.mailbox.as_str().as_bytes(), sender.as_bytes()]))
}

fn mailbox_key(arrival: &Arrival<'_>) -> String {
    format!("to:{}", arrival.keys.index("mailbox-rate", &[arrival.mailbox.as_str().as_bytes()]))
}
