//! Which ticket a mail belongs to. Pure: look-ups come in, a decision goes out.
//!
//! Our own Message-IDs are `TICKET.COMMENT.KEY.SIGNATURE@domain`; the signature proves that we sent it in this tenant, so nobody can name a ticket by guessing.

use crate::{
    ids::{CommentId, TicketId},
    keys::TenantKeys,
    mail::Mail,
};

/// Message ids of one mail that are looked up, the nearest first: its In-Reply-To, then its References from the newest.
pub const LOOKUPS_MAX: usize = 20;
const SIGNED: &str = "message-id";

/// Why a mail joins a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It answers a mail that we sent and signed.
    OurOwnMessage,
    /// It refers to a mail that is in the ticket.
    Reference,
    /// A mail that refers to it came earlier.
    Awaited,
    /// Another mail with its Message-ID is in the ticket.
    SameMessageId,
}

/// What the look-ups found.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The ticket of our own message that it answers.
    pub own: Option<TicketId>,
    /// Tickets of the mails that it refers to, nearest first.
    pub referenced: Vec<TicketId>,
    /// The ticket that its own Message-ID stands in, and whether a mail with that id has come already.
    pub itself: Option<(TicketId, bool)>,
}

/// Where a mail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Join { ticket: TicketId, because: Because },
    Open,
}

/// The decision, from the strongest proof to the weakest.
pub fn decide(known: &Known) -> Decision {
    if let Some(ticket) = known.own {
        return Decision::Join { ticket, because: Because::OurOwnMessage };
    }
    if let Some(ticket) = known.referenced.first() {
        return Decision::Join { ticket: *ticket, because: Because::Reference };
    }
    match known.itself {
        Some((ticket, false)) => Decision::Join { ticket, because: Because::Awaited },
        Some((ticket, true)) => Decision::Join { ticket, because: Because::SameMessageId },
        None => Decision::Open,
    }
}

/// The message ids that a mail refers to, nearest first, each once.
pub fn references(mail: &Mail) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for id in mail.in_reply_to.iter().chain(mail.references.iter().rev()).map(String::as_str) {
        if ids.len() < LOOKUPS_MAX && !ids.contains(&id) && Some(id) != mail.message_id.as_deref() {
            ids.push(id);
        }
    }
    ids
}

/// The Message-ID, without angle brackets, of a mail that carries a comment.
pub fn own_message_id(keys: &TenantKeys, ticket: TicketId, comment: CommentId, domain: &str) -> String {
    let (number, signature) = keys.sign(SIGNED, &[ticket.to_string().as_bytes(), comment.to_string().as_bytes()]);
    format!("{ticket}.{comment}.{number}.{signature}@{domain}")
}

/// The ticket that one of our own message ids names, if we made it. Case is ignored: some mail systems do not keep it.
pub fn own_ticket(keys: &TenantKeys, message_id: &str) -> Option<TicketId> {
    let (local, _) = message_id.split_once('@')?;
    let mut parts = local.split('.');
    let ticket: TicketId = parts.next()?.to_ascii_uppercase().parse().ok()?;
    let comment: CommentId = parts.next()?.to_ascii_uppercase().parse().ok()?;
    let number: u32 = parts.next()?.parse().ok()?;
    let signature = parts.next()?.to_ascii_lowercase();
    let signed = keys.verify(SIGNED, &[ticket.to_string().as_bytes(), comment.to_string().as_bytes()], number, &signature);
    (signed && parts.next().is_none()).then_some(ticket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulid::Ulid;

    fn ticket(n: u128) -> TicketId {
        TicketId::new(Ulid::from_parts(0, n))
    }

    #[test]
    fn a_signed_id_beats_a_reference_beats_the_mails_own_id() {
        let mut known = Known { own: Some(ticket(1)), referenced: vec![ticket(2), ticket(3)], itself: Some((ticket(4), false)) };
        assert_eq!(decide(&known), Decision::Join { ticket: ticket(1), because: Because::OurOwnMessage });
        known.own = None;
        assert_eq!(decide(&known), Decision::Join { ticket: ticket(2), because: Because::Reference });
        known.referenced.clear();
        assert_eq!(decide(&known), Decision::Join { ticket: ticket(4), because: Because::Awaited });
        known.itself = Some((ticket(4), true));
        assert_eq!(decide(&known), Decision::Join { ticket: ticket(4), because: Because::SameMessageId });
        known.itself = None;
        assert_eq!(decide(&known), Decision::Open);
    }
}
