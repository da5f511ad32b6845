//! Addresses of a desk that name a ticket, for programs that keep no Message-ID: `help+TOKEN@contoso.example` (RFC 5233).
//!
//! The token is the ticket's id, the beginning of a signature and the number of its key, in lower case because local parts are not always kept as they
//! are. Nobody else makes one, but whoever has seen it may write to it: it proves where a mail belongs, not who sent it.

use crate::{
    ids::TicketId,
    keys::{SHORT_SIGNATURE_DIGITS, TenantKeys},
    tenants::Mailbox,
};

/// Bytes of a local part (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Letters of a ticket's id.
const TICKET_LETTERS: usize = 26;
const SIGNED: &str = "plus-address";

/// The address of a mailbox that names a ticket; none if the mailbox's own is too long for it.
pub fn plus_address(keys: &TenantKeys, mailbox: &Mailbox, ticket: TicketId) -> Option<String> {
    let ticket = ticket.to_string();
    let (number, signature) = keys.sign(SIGNED, &[ticket.as_bytes()]);
    let local = format!("{}+{}{}{number}", mailbox.local(), ticket.to_ascii_lowercase(), &signature[..SHORT_SIGNATURE_DIGITS]);
    (local.len() <= LOCAL_BYTES_MAX).then(|| format!("{local}@{}", mailbox.domain()))
}

/// The ticket that an address names, if [`plus_address`] made it, for whichever mailbox. Case is ignored.
pub fn ticket_of(keys: &TenantKeys, address: &str) -> Option<TicketId> {
    let (local, _) = address.rsplit_once('@')?;
    let (_, token) = local.split_once('+')?;
    let token = token.to_ascii_lowercase();
    let (ticket, rest) = token.split_at_checked(TICKET_LETTERS)?;
    let (signature, number) = rest.split_at_checked(SHORT_SIGNATURE_DIGITS)?;
    let ticket: TicketId = ticket.to_ascii_uppercase().parse().ok()?;
    let number: u32 = number.parse().ok()?;
    keys.verify_short(SIGNED, &[ticket.to_string().as_bytes()], number, signature).then_some(ticket)
}
