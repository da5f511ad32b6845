//! Which ticket a mail belongs to. Pure: look-ups come in, a verdict on each candidate goes out.
//!
//! Our own Message-IDs are `TICKET.COMMENT.KEY.SIGNATURE@domain`; the signature proves that we sent it in this tenant, so nobody can name a ticket by guessing.

use time::{Duration, OffsetDateTime};

use super::{Ticket, Why};
use crate::{
    ids::{CommentId, TicketId},
    keys::TenantKeys,
    mail::Mail,
    tenants::Mailbox,
};

/// Message ids of one mail that are looked up, the nearest first: its In-Reply-To, then its References from the newest.
pub const LOOKUPS_MAX: usize = 20;
/// Tickets that are looked at for one mail.
const CANDIDATES_MAX: usize = 5;
const SIGNED: &str = "message-id";

/// Why a mail joins a ticket, from the strongest proof to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It answers a mail that we sent and signed, or reports on one.
    OurOwnMessage,
    /// It refers to a mail that is in the ticket.
    Reference,
    /// It refers to a mail that another one in the ticket refers to, and that never came.
    SharedReference,
    /// A mail that refers to it came earlier.
    Awaited,
    /// Another mail with its Message-ID is in the ticket.
    SameMessageId,
    /// Its subject names the ticket's number.
    Number,
}

/// What the look-ups found.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The ticket of our own message that it answers.
    pub own: Option<TicketId>,
    /// Tickets of the mails that it refers to, nearest first, and whether the mail itself is there.
    pub referenced: Vec<(TicketId, bool)>,
    /// The ticket of a mail that refers to it.
    pub awaited: Option<TicketId>,
    /// The ticket of another mail with its Message-ID, and whether that one says the same: it came by another way.
    pub same_id: Option<TicketId>,
    pub says_the_same: bool,
    /// The ticket whose number its subject names.
    pub numbered: Option<TicketId>,
}

/// What of a mail counts for where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub address: Option<&'a str>,
    /// Whether somebody whom the mailbox trusts vouches for the address.
    pub proven: bool,
    /// Whether a person speaks, for himself or to a list.
    pub is_person: bool,
    pub mailbox: &'a Mailbox,
    pub now: OffsetDateTime,
    /// A ticket that was solved longer ago is not opened again.
    pub reopen: Duration,
}

/// What a candidate is to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The mail belongs into it. Unless it `counts` it is heard and changes nothing: nobody vouches for its sender.
    Joins { counts: bool },
    /// The mail opens a ticket of its own that is linked with this one; the link says what this one is to that.
    Opens(Why),
    /// They have nothing to do with each other.
    Passes,
}

impl Known {
    /// The tickets that the mail may belong to, each once, by its strongest reason.
    pub fn candidates(&self) -> Vec<(TicketId, Because)> {
        let named = self.own.map(|ticket| (ticket, Because::OurOwnMessage)).into_iter();
        let because = |is_there| if is_there { Because::Reference } else { Because::SharedReference };
        let referenced = self.referenced.iter().map(|(ticket, is_there)| (*ticket, because(*is_there)));
        let others = [(self.awaited, Because::Awaited), (self.same_id, Because::SameMessageId), (self.numbered, Because::Number)];
        let others = others.into_iter().filter_map(|(ticket, because)| Some((ticket?, because)));
        let mut candidates: Vec<(TicketId, Because)> = Vec::new();
        for (ticket, because) in named.chain(referenced).chain(others) {
            if candidates.len() < CANDIDATES_MAX && candidates.iter().all(|(known, _)| *known != ticket) {
                candidates.push((ticket, because));
            }
        }
        candidates
    }
}

/// Whether a mail belongs to a ticket that it may belong to.
///
/// A mail that answers ours has it from us or from somebody who has. Anything else can be written by whoever saw a message id or a number, so that
/// from there on it counts who writes: an address that nobody vouches for neither joins a conversation that it takes no part in, nor changes one.
pub fn judge(ticket: &Ticket, because: Because, mail: &Facts<'_>) -> Verdict {
    let takes_part = mail.address.is_some_and(|address| ticket.takes_part(address));
    // Nobody is not the same sender as nobody.
    let is_requester = mail.address.is_some() && mail.address == ticket.requester.address.as_deref();
    let belongs = match because {
        Because::OurOwnMessage => true,
        Because::Reference => mail.proven || takes_part,
        // Whoever refers to a mail that is not there says nothing of whose conversation that is: all may have had it.
        Because::SharedReference | Because::Awaited => takes_part,
        // Scanners and forms send all their mails with one Message-ID: only the same sender's is the same conversation.
        Because::SameMessageId => is_requester,
        Because::Number => mail.proven && takes_part,
    };
    if !belongs {
        return match because {
            Because::Reference | Because::SharedReference => Verdict::Opens(Why::RefersTo),
            Because::Awaited => Verdict::Opens(Why::ReferredToBy),
            Because::OurOwnMessage | Because::SameMessageId | Because::Number => Verdict::Passes,
        };
    }
    if because == Because::SameMessageId && ticket.mailbox != *mail.mailbox {
        return Verdict::Opens(Why::SameMail);
    }
    if mail.is_person && ticket.solved_at.is_some_and(|solved| mail.now - solved > mail.reopen) {
        return Verdict::Opens(Why::Continues);
    }
    Verdict::Joins { counts: because == Because::OurOwnMessage || mail.proven }
}

/// The message ids that a mail refers to, nearest first, each once. A report on a mail refers to that mail before all.
pub fn references(mail: &Mail) -> Vec<&str> {
    let reported = mail.bounce.as_ref().and_then(|bounce| bounce.original_message_id.as_ref());
    let mut ids: Vec<&str> = Vec::new();
    for id in reported.into_iter().chain(&mail.in_reply_to).chain(mail.references.iter().rev()).map(String::as_str) {
        if ids.len() < LOOKUPS_MAX && !ids.contains(&id) && Some(id) != mail.message_id.as_deref() {
            ids.push(id);
        }
    }
    ids
}

/// The number in the last `[#NUMBER]` of a subject, as our answers have it.
pub fn number_in(subject: &str) -> Option<u64> {
    subject.rmatch_indices("[#").find_map(|(at, mark)| {
        let (number, _) = subject[at + mark.len()..].split_once(']')?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()
    })
}

/// What we mark mail from a mailbox with, in the header [`LOOP_HEADER`](crate::mail::LOOP_HEADER), to know it when it comes back.
pub fn loop_mark(keys: &TenantKeys, mailbox: &Mailbox) -> String {
    keys.index("loop", &[mailbox.as_str().as_bytes()])
}

/// The Message-ID, without angle brackets, of a mail that carries a comment.
pub fn own_message_id(keys: &TenantKeys, ticket: TicketId, comment: CommentId, domain: &str) -> String {
    let (number, signature) = keys.sign(SIGNED, &[ticket.to_string().as_bytes(), comment.to_string().as_bytes()]);
    format!("{ticket}.{comment}.{number}.{signature}@{domain}")
}

/// The ticket that one of our own message ids names, if we made it.
pub fn own_ticket(keys: &TenantKeys, message_id: &str) -> Option<TicketId> {
    Some(own_comment(keys, message_id)?.0)
}

/// The ticket and the comment that one of our own message ids names, if we made it. Case is ignored: some mail systems do not keep it.
pub fn own_comment(keys: &TenantKeys, message_id: &str) -> Option<(TicketId, CommentId)> {
    let (local, _) = message_id.split_once('@')?;
    let mut parts = local.split('.');
    let ticket: TicketId = parts.next()?.to_ascii_uppercase().parse().ok()?;
    let comment: CommentId = parts.next()?.to_ascii_uppercase().parse().ok()?;
    let number: u32 = parts.next()?.parse().ok()?;
    let signature = parts.next()?.to_ascii_lowercase();
    let signed = keys.verify(SIGNED, &[ticket.to_string().as_bytes(), comment.to_string().as_bytes()], number, &signature);
    (signed && parts.next().is_none()).then_some((ticket, comment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tickets::{Party, Status};
    use time::macros::datetime;
    use ulid::Ulid;

    const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);
    const ANN: &str = "ann@a.example";
    const BOB: &str = "bob@b.example";
    const EVE: &str = "eve@e.example";

    fn id(n: u128) -> TicketId {
        TicketId::new(Ulid::from_parts(0, n))
    }

    fn help() -> Mailbox {
        Mailbox::parse("help@contoso.example").unwrap()
    }

    /// Ann's, with Bob in copy.
    fn ticket() -> Ticket {
        let party = |address: &str| Party { address: Some(address.to_owned()), name: None };
        Ticket { cc: vec![party(BOB)], ..Ticket::opened(id(1), 7, "A question".to_owned(), help(), party(ANN), NOW) }
    }

    fn from<'a>(address: &'a str, proven: bool, mailbox: &'a Mailbox) -> Facts<'a> {
        Facts { address: Some(address), proven, is_person: true, mailbox, now: NOW, reopen: Duration::days(14) }
    }

    #[test]
    fn each_ticket_is_a_candidate_once_by_its_strongest_reason() {
        let mut known = Known {
            own: Some(id(1)),
            referenced: vec![(id(2), true), (id(1), true), (id(3), false)],
            awaited: Some(id(4)),
            same_id: Some(id(2)),
            says_the_same: false,
            numbered: Some(id(5)),
        };
        let candidates =
            [(1, Because::OurOwnMessage), (2, Because::Reference), (3, Because::SharedReference), (4, Because::Awaited), (5, Because::Number)];
        assert_eq!(known.candidates(), candidates.map(|(ticket, because)| (id(ticket), because)));
        known.referenced = (10..20).map(|n| (id(n), true)).collect();
        assert_eq!(known.candidates().len(), CANDIDATES_MAX);
        assert!(Known::default().candidates().is_empty());
    }

    #[test]
    fn who_is_not_proven_joins_what_he_takes_part_in_and_changes_nothing() {
        use Because::{Awaited, Number, OurOwnMessage, Reference, SameMessageId, SharedReference};
        let heard = Verdict::Joins { counts: false };
        let counts = Verdict::Joins { counts: true };
        let linked = Verdict::Opens(Why::RefersTo);
        for (because, address, proven, verdict) in [
            (OurOwnMessage, EVE, false, counts),
            (Reference, ANN, true, counts),
            (Reference, ANN, false, heard),
            (Reference, BOB, false, heard),
            (Reference, EVE, true, counts),
            (Reference, EVE, false, linked),
            (SharedReference, BOB, true, counts),
            (SharedReference, ANN, false, heard),
            (SharedReference, EVE, true, linked),
            (Awaited, ANN, true, counts),
            (Awaited, BOB, false, heard),
            (Awaited, EVE, true, Verdict::Opens(Why::ReferredToBy)),
            (SameMessageId, ANN, false, heard),
            (SameMessageId, BOB, true, Verdict::Passes),
            (Number, ANN, true, counts),
            (Number, BOB, true, counts),
            (Number, ANN, false, Verdict::Passes),
            (Number, EVE, true, Verdict::Passes),
        ] {
            assert_eq!(judge(&ticket(), because, &from(address, proven, &help())), verdict, "{because:?} {address} {proven}");
        }
        let elsewhere = Mailbox::parse("it@contoso.example").unwrap();
        assert_eq!(judge(&ticket(), SameMessageId, &from(ANN, false, &elsewhere)), Verdict::Opens(Why::SameMail));
        assert_eq!(judge(&ticket(), SameMessageId, &from(EVE, false, &elsewhere)), Verdict::Passes);
    }

    #[test]
    fn a_person_does_not_open_again_what_was_solved_for_long() {
        let (help, long_ago) = (help(), NOW - Duration::days(15));
        let solved = |at| Ticket { status: Status::Solved, solved_at: Some(at), ..ticket() };
        let ann = from(ANN, true, &help);
        assert_eq!(judge(&solved(long_ago), Because::OurOwnMessage, &ann), Verdict::Opens(Why::Continues));
        assert_eq!(judge(&solved(NOW - Duration::days(13)), Because::OurOwnMessage, &ann), Verdict::Joins { counts: true });
        let machine = Facts { is_person: false, ..ann };
        assert_eq!(judge(&solved(long_ago), Because::OurOwnMessage, &machine), Verdict::Joins { counts: true });
    }

    #[test]
    fn a_subject_names_a_number_in_our_own_way_only() {
        assert_eq!(number_in("Re: Fire [#12]"), Some(12));
        assert_eq!(number_in("[#1] Fwd: Fire [#12] (again)"), Some(12));
        assert_eq!(number_in("[#12] and [#x]"), Some(12));
        for none in ["Fire #12", "12] Fire", "[12]", "[# 12]", "[#]", "[#12", "[#99999999999999999999999]", ""] {
            assert_eq!(number_in(none), None, "{none}");
        }
    }
}
