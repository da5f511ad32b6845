//! Whether a mail's sender is who he says: what a mail server that we trust wrote into the header.

use super::{Address, Proof, kind::Headers};

/// Whose word on senders counts, in one mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's: every sender is unproven.
    #[default]
    Nobody,
}

/// What the trusted server says of the sender.
pub fn proof(headers: &Headers, from: Option<&Address>, trust: &Trust) -> Proof {
    let _ = (headers, from);
    match trust {
        Trust::Nobody => Proof::default(),
    }
}
