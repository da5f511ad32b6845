//! How much mail comes from one sender, to one mailbox, into one conversation. Counted from what is stored, so that all instances count together; two
//! mails at the same moment may both be the last one.

use time::Duration;

use super::{Author, Comment, Desk, Error, Ticket, arrival::Arrival, unprocessed::Reason};
use crate::{
    ids::{Kind, partition},
    ports::{Order, Scan, Slot, first_ulid, timestamp},
};

/// The time that a limit is of.
pub const WINDOW: Duration = Duration::HOUR;
/// Mails of one sender that are acknowledged in a [`WINDOW`]: whoever writes on is a machine, or knows.
pub const ACKNOWLEDGED_MAX: usize = 5;
/// Of a mailbox's mails some are counted, for all of them: one in sixteen, and of a limit of many one in 256, so that a busy mailbox costs a mail no more to
/// count than a quiet one. By the first hexadecimal digits of what names a mail's content: as many zeros, up to two.
const FEW: Sample = Sample { of: 16, zeros: 1 };
const FEWER: Sample = Sample { of: 256, zeros: 2 };
/// From which limit on fewer are counted.
const MANY: u32 = 1_024;

/// Which mails are counted for all.
struct Sample {
    of: u32,
    zeros: usize,
}

/// Comments that are looked at for a loop, in limits of one sender.
const LOOKED_AT: usize = 5;

/// The clear keys by which a mail is counted.
pub(super) struct Keys {
    pub sender: String,
    /// Of the mails that are counted for their mailbox.
    pub mailbox: Option<String>,
}

pub(super) fn keys(arrival: &Arrival<'_>) -> Keys {
    let Arrival { content, now, .. } = arrival;
    let at = timestamp(*now);
    let zeros = content.bytes().take(FEWER.zeros).take_while(|digit| *digit == b'0').count();
    Keys {
        sender: format!("{}+{at}+{content}", sender_key(arrival)),
        mailbox: (zeros > 0).then(|| format!("{}+{zeros}+{at}+{content}", mailbox_key(arrival))),
    }
}

/// What a mail's sender and mailbox have had of late.
pub(super) struct Counted {
    pub of_the_sender: usize,
    /// The limit that is reached, if one is.
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
        desk.ports.documents.count(&scan).await
    };
    let sample = if settings.mails_a_mailbox < MANY { FEW } else { FEWER };
    let samples = settings.mails_a_mailbox.div_ceil(sample.of);
    let sampled = (sample.zeros..=FEWER.zeros).map(|zeros| counted(Slot::K3, format!("{}+{zeros}", mailbox_key(arrival)), samples));
    let (of_the_sender, to_the_mailbox) =
        futures::try_join!(counted(Slot::K2, sender_key(arrival), settings.mails_a_sender), futures::future::try_join_all(sampled))?;
    let to_the_mailbox: usize = to_the_mailbox.into_iter().sum();
    let over = if of_the_sender >= settings.mails_a_sender as usize {
        Some(Reason::SenderLimit)
    } else {
        (to_the_mailbox >= samples as usize).then_some(Reason::MailboxLimit)
    };
    Ok(Counted { of_the_sender, over })
}

/// Whether the sender has said so much in this conversation of late that two machines seem to answer each other.
pub(super) async fn is_a_loop(desk: &Desk, arrival: &Arrival<'_>, ticket: &Ticket) -> Result<bool, Error> {
    let limit = arrival.tenant.settings.mails_a_conversation as usize;
    let most = limit.saturating_mul(LOOKED_AT);
    // Most conversations have not that many comments at all.
    if (ticket.comments as usize) < limit {
        return Ok(false);
    }
    let place = partition(&arrival.tenant.id, Kind::Comment);
    let mut scan = Scan::prefix(&place, Slot::Id, &format!("comment:{}:", ticket.id), most);
    scan.order = Order::Descending;
    scan.range.start = format!("comment:{}:{}", ticket.id, first_ulid(arrival.now - WINDOW));
    let found = desk.ports.documents.scan(&scan).await?;
    if found.len() < limit {
        return Ok(false);
    }
    let sender = arrival.sender_address();
    let mut said = 0;
    for document in &found {
        let comment: Comment = arrival.keys.open_document(document)?;
        let is_his = matches!(&comment.author, Author::Sender(party) if party.address == sender);
        // What nobody vouches for may be anybody's, and stops him only whom nobody vouches for either.
        let is_proven = comment.mail.as_ref().is_some_and(|mail| mail.proven_by.is_some());
        said += usize::from(is_his && (is_proven || !arrival.is_proven()));
    }
    // Several machines together say more than all of them are let.
    Ok(said >= limit || found.len() >= most)
}

/// Whoever handed it in: a form, or a group, may name another author each time.
fn sender_key(arrival: &Arrival<'_>) -> String {
    let sender = arrival.mail.from.as_ref().map_or("", |from| from.address.as_str());
    format!("from:{}", arrival.keys.index("sender-rate", &[arrival.mailbox.as_str().as_bytes(), sender.as_bytes(), kind(arrival)]))
}

fn mailbox_key(arrival: &Arrival<'_>) -> String {
    format!("to:{}", arrival.keys.index("mailbox-rate", &[arrival.mailbox.as_str().as_bytes(), kind(arrival)]))
}

/// Mail that nobody vouches for is counted apart, so that nobody uses up what another may send by writing in his name.
fn kind(arrival: &Arrival<'_>) -> &'static [u8] {
    if arrival.mail.sender.by.is_some() { b"proven" } else { b"unproven" }
}
