//! Names of things: parsed once at the border, and the one place that knows which partition holds what.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Bytes of a tenant id.
const TENANT_ID_BYTES_MAX: usize = 40;

/// A text is not an identifier of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct NotAnId(&'static str);

/// A customer of the help desk: 2 to 40 of `a-z 0-9 -`, beginning with a letter or digit. `sys` is reserved for the house itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub struct TenantId(String);

impl TenantId {
    /// The owner of what belongs to no customer: the tenant list, mail for unknown mailboxes.
    pub fn system() -> Self {
        TenantId("sys".to_owned())
    }

    pub fn is_system(&self) -> bool {
        self.0 == "sys"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let shape = (2..=TENANT_ID_BYTES_MAX).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if shape && text != "sys" { Ok(TenantId(text.to_owned())) } else { Err(NotAnId("tenant id (2 to 40 of a-z, 0-9 and -)")) }
    }
}

impl TryFrom<String> for TenantId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        if text == "sys" { Ok(TenantId::system()) } else { text.parse() }
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> String {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

macro_rules! ulid_newtype {
    ($name:ident, $what:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String", inline)]
        pub struct $name(Ulid);

        impl $name {
            pub fn new(ulid: Ulid) -> Self {
                $name(ulid)
            }

            pub fn ulid(self) -> Ulid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                // Only the canonical spelling, so that one thing has one name.
                let ulid = Ulid::from_string(text).map_err(|_| NotAnId($what))?;
                if ulid.to_string() == text { Ok($name(ulid)) } else { Err(NotAnId($what)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

ulid_newtype!(TicketId, "ticket id", "A ticket of a tenant.");
ulid_newtype!(CommentId, "comment id", "A comment on a ticket.");
ulid_newtype!(RecordId, "record id", "A record that stands for itself: unprocessed mail, an outbox row, an audit event.");

/// The kinds of documents, by the name that stands in `Document::kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tenant,
    Mailbox,
    Ticket,
    Comment,
    MailRef,
    Contact,
    Usage,
    Outbox,
    Unprocessed,
    Keyring,
    NumberBlock,
    AuditEvent,
    Delivery,
    History,
    Idempotency,
    Upload,
    TicketDue,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tenant => "tenant",
            Kind::Mailbox => "mailbox",
            Kind::Ticket => "ticket",
            Kind::Comment => "comment",
            Kind::MailRef => "mail",
            Kind::Contact => "contact",
            Kind::Usage => "usage",
            Kind::Outbox => "outbox",
            Kind::Unprocessed => "unprocessed",
            Kind::Keyring => "keyring",
            Kind::NumberBlock => "numbers",
            Kind::AuditEvent => "audit",
            Kind::Delivery => "delivery",
            Kind::History => "history",
            Kind::Idempotency => "idempotency",
            Kind::Upload => "upload",
            Kind::TicketDue => "ticket-due",
        }
    }
}

/// The partition that holds a tenant's documents of a kind. Nothing else in the house builds a partition.
pub fn partition(tenant: &TenantId, kind: Kind) -> String {
    match kind {
        Kind::Tenant | Kind::Mailbox => "sys:tenants".to_owned(),
        Kind::Keyring => "sys:keys".to_owned(),
        // What happened to nobody's mail stands beside it: a commit is of one partition.
        Kind::Unprocessed | Kind::MailRef | Kind::AuditEvent if tenant.is_system() => "sys:mail".to_owned(),
        _ => format!("t:{tenant}"),
    }
}

/// The tenant whose own partition this is, if it is a tenant's.
pub fn tenant_of(partition: &str) -> Option<TenantId> {
    partition.strip_prefix("t:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_is_lower_case_and_never_the_house() {
        assert!("contoso-2".parse::<TenantId>().is_ok());
        for wrong in ["", "a", "sys", "Contoso", "-a", "a/b", "a b", "ä-b", &"a".repeat(41)] {
            assert!(wrong.parse::<TenantId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_ticket_has_one_name() {
        assert!("01JD7Z3M9QK4T5V6W7X8Y9Z0AB".parse::<TicketId>().is_ok());
        assert!("01jd7z3m9qk4t5v6w7x8y9z0ab".parse::<TicketId>().is_err());
        assert!("01JD7Z3M9QK4T5V6W7X8Y9Z0A".parse::<TicketId>().is_err());
    }

    #[test]
    fn no_two_tenants_share_a_partition() {
        let (a, b): (TenantId, TenantId) = ("contoso".parse().unwrap(), "fabrikam".parse().unwrap());
        for kind in [Kind::Ticket, Kind::Comment, Kind::MailRef, Kind::Outbox, Kind::Unprocessed, Kind::AuditEvent] {
            assert_ne!(partition(&a, kind), partition(&b, kind));
            assert!(partition(&a, kind).starts_with("t:"));
        }
    }
}
