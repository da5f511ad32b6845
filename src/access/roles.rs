//! The one permission table.

use serde::{Deserialize, Serialize};

/// What a caller is in his tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks for help; sees his own tickets.
    Requester,
    /// Helps; sees all tickets of the tenant.
    Agent,
}

impl Role {
    /// As it stands in a token's `roles`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Requester => "requester",
            Role::Agent => "agent",
        }
    }
}

/// What a function does, as far as permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read tickets, public comments and attachments; a requester only of his own tickets.
    ReadTickets,
    /// Read mails as they came, headers and all.
    ReadOriginalMail,
    /// Write a comment that the requester sees.
    Comment,
}

/// Whether a role may do this at all. Whose tickets it may see is decided where the ticket is known.
pub fn may(role: Role, action: Action) -> bool {
    matches!((role, action), (Role::Agent, Action::ReadTickets | Action::ReadOriginalMail | Action::Comment) | (Role::Requester, Action::ReadTickets))
}
