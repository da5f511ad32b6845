//! Mail that leaves the house.

use async_trait::async_trait;

use super::Fault;

/// A finished message and its SMTP envelope. Nothing of it may be logged.
#[derive(Clone)]
pub struct OutgoingMail {
    pub from: String,
    pub to: Vec<String>,
    /// RFC 5322, CRLF line ends.
    pub raw: Vec<u8>,
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", match fault {
    Fault::Corrupt(words) => words.clone(),
    fault => fault.to_string(),
})]
pub struct Undelivered {
    /// [`Fault::Corrupt`]: it is refused for good.
    pub fault: Fault,
    /// What the other side answered: an enhanced status code (RFC 3463), or else the code of its reply (RFC 5321). Never its words, which may hold
    /// addresses.
    pub status: Option<String>,
    /// The mail was on its way when the answer failed to come: the other side may have it.
    pub perhaps_taken: bool,
}

impl From<Fault> for Undelivered {
    fn from(fault: Fault) -> Self {
        Undelivered { fault, status: None, perhaps_taken: false }
    }
}

#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands the mail on. At least once is all that SMTP gives: an error may come after the other side has taken it.
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered>;
}
