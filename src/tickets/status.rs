//! How far a ticket is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    New,
    InProgress,
    Pending,
    Solved,
}

impl Status {
    pub const ALL: [Status; 4] = [Status::New, Status::InProgress, Status::Pending, Status::Solved];

    /// Whether the desk has to do something; else the ticket rests, until its requester says more.
    pub fn is_open(self) -> bool {
        match self {
            Status::New | Status::InProgress => true,
            Status::Pending | Status::Solved => false,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::InProgress => "in_progress",
            Status::Pending => "pending",
            Status::Solved => "solved",
        }
    }
}
