//! The one permission table.

use serde::{Deserialize, Serialize};

/// What a caller is: in his tenant, or with the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks for help; sees his own tickets.
    Requester,
    /// Helps; sees all tickets of the tenant.
    Agent,
    /// Sets up the tenant; an agent as well.
    Admin,
    /// A machine that pushes mail to the mailboxes of its tenant, and reads nothing.
    Feeder,
    /// Runs the help desk for all tenants, and sees no ticket. Only with the vendor.
    Operator,
    /// Answers for the data of all tenants, and sees no ticket. Only with the vendor.
    PrivacyOfficer,
}

impl Role {
    /// All roles, the one that may do the most of what several may do first.
    pub const ALL: [Role; 6] = [Role::Operator, Role::PrivacyOfficer, Role::Admin, Role::Agent, Role::Feeder, Role::Requester];

    /// As it stands in a token's `roles`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Requester => "requester",
            Role::Agent => "agent",
            Role::Admin => "admin",
            Role::Feeder => "feeder",
            Role::Operator => "operator",
            Role::PrivacyOfficer => "privacy_officer",
        }
    }

    /// Whether it counts only in the token of somebody whom the vendor's own directory knows.
    pub fn is_of_the_vendor(self) -> bool {
        match self {
            Role::Operator | Role::PrivacyOfficer => true,
            Role::Requester | Role::Agent | Role::Admin | Role::Feeder => false,
        }
    }
}

/// What a function does, as far as permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read tickets, public comments and attachments; a requester only of his own tickets.
    ReadTickets,
    /// Open tickets; a requester only for himself.
    CreateTickets,
    /// Change what is set of a ticket, link and merge tickets.
    ChangeTickets,
    /// Read what was changed of a ticket, by whom.
    ReadHistory,
    /// Look for somebody who asks for help.
    ReadContacts,
    /// Read mails as they came, headers and all.
    ReadOriginalMail,
    /// Write a comment, and send files for it; a requester only on his own tickets, and for all to see.
    Comment,
    /// Set what stands below one's own answers.
    SignAnswers,
    /// Read the mail that did not become a ticket, and send it through the intake again.
    ManageUnprocessed,
    /// Push mail to a mailbox of the tenant.
    PushMail,
    /// Read how the tenant's desk works.
    ReadSettings,
    /// Change how the tenant's desk works.
    ChangeSettings,
    /// See which tenants there are.
    ReadTenants,
    /// Add, change and remove tenants.
    ManageTenants,
}

impl Action {
    pub const ALL: [Action; 14] = [
        Action::ReadTickets,
        Action::CreateTickets,
        Action::ChangeTickets,
        Action::ReadHistory,
        Action::ReadContacts,
        Action::ReadOriginalMail,
        Action::Comment,
        Action::SignAnswers,
        Action::ManageUnprocessed,
        Action::PushMail,
        Action::ReadSettings,
        Action::ChangeSettings,
        Action::ReadTenants,
        Action::ManageTenants,
    ];
}

/// Whether a role may do this at all. Whose tickets it may see is decided where the ticket is known.
pub fn may(role: Role, action: Action) -> bool {
    match role {
        Role::Requester => matches!(action, Action::ReadTickets | Action::CreateTickets | Action::Comment),
        Role::Agent => matches!(
            action,
            Action::ReadTickets
                | Action::CreateTickets
                | Action::ChangeTickets
                | Action::ReadHistory
                | Action::ReadContacts
                | Action::ReadOriginalMail
                | Action::Comment
                | Action::SignAnswers
                | Action::ManageUnprocessed
                | Action::ReadSettings
        ),
        Role::Admin => may(Role::Agent, action) || matches!(action, Action::ChangeSettings),
        Role::Feeder => matches!(action, Action::PushMail),
        Role::Operator => matches!(action, Action::ReadTenants | Action::ManageTenants),
        Role::PrivacyOfficer => matches!(action, Action::ReadTenants),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_the_help_desk_reads_nobodys_tickets_and_nobody_else_runs_it() {
        for action in Action::ALL {
            let of_the_house = matches!(action, Action::ReadTenants | Action::ManageTenants);
            for role in Role::ALL {
                assert!(!may(role, action) || role.is_of_the_vendor() == of_the_house, "{role:?} {action:?}");
            }
            assert!(Role::ALL.iter().any(|role| may(*role, action)), "nobody may {action:?}");
        }
    }
}
