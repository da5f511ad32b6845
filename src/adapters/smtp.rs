//! Mail out by SMTP.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    address::Envelope,
    transport::smtp::{AsyncSmtpTransportBuilder, Error, authentication::Credentials},
};
use tokio::{sync::Mutex, time::timeout};
use zeroize::Zeroizing;

use crate::ports::{Fault, Mailer, OutgoingMail, Undelivered, Vault};

/// How long one mail may take, from the connection to the server's last word.
const SEND_MAX: Duration = Duration::from_secs(30);
/// How long a server that said "not now" is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// What a server answers to a login that it does not accept, or that it misses (RFC 4954 section 6): none is a word about the mail.
const LOGIN_REFUSED: [u16; 5] = [530, 532, 534, 535, 538];

/// The URL of an SMTP server is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the SMTP server is not given as smtp://host:port or smtps://user:password@host:port (percent-encoded)")]
pub struct NotAnSmtpUrl;

/// Hands mail to one server, which relays it.
pub struct SmtpMailer {
    builder: AsyncSmtpTransportBuilder,
    login: Option<Login>,
    send_max: Duration,
}

/// Who we are to the server; the password lies in the vault.
struct Login {
    user: String,
    vault: Arc<dyn Vault>,
    /// As it was last read.
    password: Mutex<Option<Zeroizing<String>>>,
}

impl SmtpMailer {
    /// The secret of the vault that [`SmtpMailer::with_login`] takes as password.
    pub const PASSWORD: &str = "smtp-password";

    /// `smtp://host:port` speaks plain text unless `?tls=required` stands behind it; `smtps://user:password@host:port` speaks TLS from the start.
    /// Connects to nothing yet.
    pub fn new(url: &str) -> Result<SmtpMailer, NotAnSmtpUrl> {
        SmtpMailer::within(url, SEND_MAX)
    }

    /// Logs in with the password that the vault holds; it is read with the first mail, and again when the server refuses it.
    pub fn with_login(url: &str, user: &str, vault: Arc<dyn Vault>) -> Result<SmtpMailer, NotAnSmtpUrl> {
        let login = Some(Login { user: user.to_owned(), vault, password: Mutex::default() });
        Ok(SmtpMailer { login, ..SmtpMailer::new(url)? })
    }

    fn within(url: &str, send_max: Duration) -> Result<SmtpMailer, NotAnSmtpUrl> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| NotAnSmtpUrl)?;
        Ok(SmtpMailer { builder: builder.timeout(Some(send_max)), login: None, send_max })
    }

    async fn hand_on(&self, builder: AsyncSmtpTransportBuilder, envelope: &Envelope, raw: &[u8]) -> Result<(), Refused> {
        // The transport's own timeout ends with the connecting: a server that accepts and stays silent would be waited for for ever.
        match timeout(self.send_max, builder.build::<Tokio1Executor>().send_raw(envelope, raw)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let why = Undelivered { fault: fault(&error), status: status(&error) };
                Err(if is_login_refused(&error) { Refused::Login(why) } else { Refused::Mail(why) })
            }
            Err(_) => Err(Refused::Mail(too_slow().into())),
        }
    }
}

/// What was not taken.
enum Refused {
    Login(Undelivered),
    Mail(Undelivered),
}

impl From<Refused> for Undelivered {
    fn from(refused: Refused) -> Undelivered {
        match refused {
            Refused::Login(why) | Refused::Mail(why) => why,
        }
    }
}

impl Login {
    /// As it was last read.
    async fn password(&self) -> Result<Zeroizing<String>, Fault> {
        let mut known = self.password.lock().await;
        match known.as_ref() {
            Some(password) => Ok(password.clone()),
            None => Ok(known.insert(self.read().await?).clone()),
        }
    }

    /// Another one than the server has refused, if there is one by now.
    async fn password_after(&self, refused: &Zeroizing<String>) -> Result<Option<Zeroizing<String>>, Fault> {
        let mut known = self.password.lock().await;
        if known.as_ref() == Some(refused) {
            *known = Some(self.read().await?);
        }
        Ok(known.clone().filter(|password| password != refused))
    }

    async fn read(&self) -> Result<Zeroizing<String>, Fault> {
        let secret = match self.vault.secret(SmtpMailer::PASSWORD, None).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                return Err(Fault::Unavailable(format!("the vault holds no secret {}, the password of the SMTP server", SmtpMailer::PASSWORD)));
            }
            // Whatever is wrong with the password is no word about the mail.
            Err(Fault::Corrupt(words)) => return Err(Fault::Unavailable(words)),
            Err(fault) => return Err(fault),
        };
        let text = std::str::from_utf8(&secret.value).map_err(|_| Fault::Unavailable("the password of the SMTP server is no text".to_owned()))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn credentials(&self, password: &Zeroizing<String>) -> Credentials {
        Credentials::new(self.user.clone(), password.to_string())
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        let (envelope, builder) = (envelope(mail)?, self.builder.clone());
        let Some(login) = &self.login else { return Ok(self.hand_on(builder, &envelope, &mail.raw).await?) };
        let first = login.password().await?;
        let why = match self.hand_on(builder.clone().credentials(login.credentials(&first)), &envelope, &mail.raw).await {
            Err(Refused::Login(why)) => why,
            done => return Ok(done?),
        };
        match login.password_after(&first).await? {
            Some(second) => Ok(self.hand_on(builder.credentials(login.credentials(&second)), &envelope, &mail.raw).await?),
            None => Err(why),
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
    if is_login_refused(error) {
        Fault::Unavailable(format!("the SMTP server refused our login{status}"))
    } else if error.is_permanent() {
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

fn is_login_refused(error: &Error) -> bool {
    error.status().is_some_and(|code| LOGIN_REFUSED.contains(&u16::from(code)))
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
