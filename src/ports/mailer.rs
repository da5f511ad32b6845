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

#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands the mail on. At least once is all that SMTP gives: an error may come after the other side has taken it.
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Fault>;
}
