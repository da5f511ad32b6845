//! Mail out by SMTP.

use std::time::Duration;

use async_trait::async_trait;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor, address::Envelope, transport::smtp::Error};
use tokio::time::timeout;

use crate::ports::{Fault, Mailer, OutgoingMail, Undelivered};

/// How long one mail may take, from the connection to the server's last word.
const SEND_MAX: Duration = Duration::from_secs(30);
/// How long a server that said "not now" is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The URL of an SMTP server is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the SMTP server is not given as smtp://host:port or smtps://user:password@host:port (percent-encoded)")]
pub struct NotAnSmtpUrl;

/// Hands mail to one server, which relays it.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    send_max: Duration,
}

impl SmtpMailer {
    /// `smtp://host:port` speaks plain text unless `?tls=required` stands behind it; `smtps://user:password@host:port` speaks TLS from the start.
    /// Connects to nothing yet.
    pub fn new(url: &str) -> Result<SmtpMailer, NotAnSmtpUrl> {
        SmtpMailer::within(url, SEND_MAX)
    }

    fn within(url: &str, send_max: Duration) -> Result<SmtpMailer, NotAnSmtpUrl> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| NotAnSmtpUrl)?;
        Ok(SmtpMailer { transport: builder.timeout(Some(send_max)).build(), send_max })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        let envelope = envelope(mail)?;
        // The transport's own timeout ends with the connecting: a server that accepts and stays silent would be waited for for ever.
        match timeout(self.send_max, self.transport.send_raw(&envelope, &mail.raw)).await {
            Ok(answered) => answered.map(|_| ()).map_err(|error| Undelivered { fault: fault(&error), status: status(&error) }),
            Err(_) => Err(too_slow().into()),
        }
    }
}

/// An empty sender is the null sender of automatic mail.
fn envelope(mail: &OutgoingMail) -> Result<Envelope, Fault> {
    let wrong = |_| Fault::Corrupt("an address of a mail's envelope is not one".to_owned());
    let from = if mail.from.is_empty() { None } else { Some(mail.from.parse::<Address>().map_err(wrong)?) };
    let to = mail.to.iter().map(|to| to.parse::<Address>().map_err(wrong)).collect::<Result<_, _>>()?;
    Envelope::new(from, to).map_err(|_| Fault::Corrupt("a mail's envelope has no recipient".to_owned()))
}

fn too_slow() -> Fault {
    Fault::Unavailable(format!("the SMTP server did not take a mail within {} s", SEND_MAX.as_secs()))
}

/// Servers quote addresses in their answers, so the text is made of codes alone.
fn fault(error: &Error) -> Fault {
    let status = error.status().map(|code| format!(" with {code}")).unwrap_or_default();
    if error.is_permanent() {
        Fault::Corrupt(format!("the SMTP server refused a mail for good{status}"))
    } else if error.is_transient() {
        Fault::Throttled { after: RETRY_AFTER }
    } else if error.is_timeout() {
        too_slow()
    } else if error.is_tls() {
        Fault::Unavailable("the SMTP server's TLS was not accepted".to_owned())
    } else {
        Fault::Unavailable("the SMTP server could not be reached or broke off".to_owned())
    }
}

/// The enhanced status code that the server's answer begins with, or else the code of its reply.
fn status(error: &Error) -> Option<String> {
    let code = error.status()?;
    let words = std::error::Error::source(error).map(|words| words.to_string()).unwrap_or_default();
    let first = words.split_whitespace().next().unwrap_or_default();
    Some(if is_enhanced(first) { first.to_owned() } else { code.to_string() })
}

/// `5.1.1`: a class, a subject and a detail (RFC 3463 section 2).
fn is_enhanced(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], ["2" | "4" | "5", _, _]) && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_accepts_and_stays_silent_is_given_up() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", server.local_addr().unwrap());
        let mailer = SmtpMailer::within(&url, Duration::from_millis(200)).unwrap();
        let mail = OutgoingMail { from: String::new(), to: vec!["ann@fabrikam.example".to_owned()], raw: b"\r\n".to_vec() };
        let (sent, accepted) = timeout(Duration::from_secs(10), futures::future::join(mailer.send(&mail), server.accept())).await.unwrap();
        assert!(matches!(sent, Err(Undelivered { fault: Fault::Unavailable(_), status: None })), "{sent:?}");
        drop(accepted);
    }
}
