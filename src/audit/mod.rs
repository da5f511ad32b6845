//! What happened, for the record: events are inserted pending in the change's own commit, so that none is lost and none is without its change.
//!
//! The index and the signed tree over them are made by one sequencer, which is not part of this version.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    ids::{Kind, RecordId, TenantId, partition},
    keys::{self, TenantKeys},
    ports::{Entropy, Write, new_ulid},
};

/// The key of events that have no index yet.
const PENDING: &str = "pending";

/// One event. It names things by id and never holds what they say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who: a caller's subject, or the function that worked on its own.
    pub actor: String,
    pub action: Action,
    /// To what: a ticket, comment or record id.
    pub target: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    TicketOpened,
    TicketChanged,
    CommentAdded,
    MailUnprocessed,
    MailReplayed,
    /// Mail out that was given up goes again.
    MailRetried,
    /// It was deleted before its time.
    MailDropped,
    TenantAdded,
    TenantChanged,
    MailboxAdded,
    /// What a tenant had is being deleted.
    TenantRemoved,
}

impl Event {
    pub fn new(at: OffsetDateTime, actor: &str, action: Action, target: impl Display) -> Self {
        Event { at, actor: actor.to_owned(), action, target: target.to_string() }
    }
}

/// The write that records an event, for the commit of the change itself.
pub fn record(keys: &TenantKeys, tenant: &TenantId, entropy: &dyn Entropy, event: &Event) -> Result<Write, keys::Error> {
    beside(keys, &partition(tenant, Kind::AuditEvent), entropy, event)
}

/// The same for a change in a partition that is not the one of its owner's events.
pub fn beside(keys: &TenantKeys, place: &str, entropy: &dyn Entropy, event: &Event) -> Result<Write, keys::Error> {
    let id = RecordId::new(new_ulid(entropy, event.at));
    let pending = [Some(format!("{PENDING}:{id}")), None, None, None];
    Ok(Write::Create(keys.seal_document(place, format!("audit:{id}"), Kind::AuditEvent, pending, None, event)?))
}
