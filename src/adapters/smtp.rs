//! Mail out by SMTP.

mod server;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lettre::{
    Address,
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Rcpt},
        extension::{Extension, MailBodyParameter, MailParameter, ServerInfo},
    },
};
use tokio::{sync::Mutex, time::timeout};
use zeroize::Zeroizing;

use crate::ports::{Fault, Mailer, OutgoingMail, Undelivered, Vault};

pub use server::NotAnSmtpUrl;
use server::{NotConnected, Server};

/// How long a server may take until it lets us in, and then for a mail, to its last word. RFC 5321 (section 4.5.3.2.6) gives that word alone ten minutes, because
/// whoever does not wait for it sends the mail again; a function has five for all it does.
const CONNECT_MAX: Duration = Duration::from_secs(30);
const SEND_MAX: Duration = Duration::from_secs(150);
/// How long a server that said "not now" is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long a server has to answer our goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// What a server answers to a login that it does not accept, or that it misses (RFC 4954 section 6): none is a word about the mail.
const LOGIN_REFUSED: [u16; 5] = [530, 532, 534, 535, 538];

/// What a server without SMTPUTF8 says of an address with letters beyond ASCII (RFC 6531 section 3.5).
const NO_SMTPUTF8: &str = "5.6.7";

/// Hands mail to one server, which relays it; each mail over a connection of its own.
pub struct SmtpMailer {
    server: Server,
    login: Option<Login>,
    connect_max: Duration,
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
        SmtpMailer::within(url, CONNECT_MAX, SEND_MAX)
    }

    /// Logs in with the password that the vault holds; it is read with the first mail, and again when the server refuses it.
    pub fn with_login(url: &str, user: &str, vault: Arc<dyn Vault>) -> Result<SmtpMailer, NotAnSmtpUrl> {
        let login = Some(Login { user: user.to_owned(), vault, password: Mutex::default() });
        Ok(SmtpMailer { login, ..SmtpMailer::new(url)? })
    }

    fn within(url: &str, connect_max: Duration, send_max: Duration) -> Result<SmtpMailer, NotAnSmtpUrl> {
        Ok(SmtpMailer { server: Server::parse(url)?, login: None, connect_max, send_max })
    }

    async fn hand_on(&self, credentials: Option<&Credentials>, envelope: &Envelope, raw: &[u8]) -> Result<(), Refused> {
        // The library's own limit ends with the connecting: a server that accepts and stays silent would be waited for for ever.
        let mut connection = match timeout(self.connect_max, self.connect(credentials)).await {
            Ok(connected) => connected?,
            Err(_) => return Err(Refused::Mail(too_slow("let us in", self.connect_max).into())),
        };
        let mut stage = Stage::Sender;
        match timeout(self.send_max, converse(&mut connection, envelope, raw, &mut stage)).await {
            Ok(Ok(())) => {
                say_goodbye(connection);
                Ok(())
            }
            Ok(Err(NotTaken::Unfit(why))) => {
                say_goodbye(connection);
                Err(Refused::Mail(why))
            }
            Ok(Err(NotTaken::Smtp(error))) => {
                // Whoever broke off is not listening.
                if error.status().is_some() {
                    say_goodbye(connection);
                }
                Err(refused(&error, stage))
            }
            // The answer that did not come may have been a yes.
            Err(_) => Err(Refused::Mail(Undelivered { perhaps_taken: stage == Stage::Content, ..too_slow("take a mail", self.send_max).into() })),
        }
    }

    /// A server that greets us and lets us in. What it says until then is no word about a mail.
    async fn connect(&self, credentials: Option<&Credentials>) -> Result<AsyncSmtpConnection, Refused> {
        let turned_away = |error: Error| refused(&error, Stage::Welcome);
        let mut connection = self.server.connect(self.connect_max).await.map_err(|error| match error {
            NotConnected::Unreachable => Refused::Mail(unreachable().into()),
            NotConnected::Smtp(error) => turned_away(error),
        })?;
        if let Some(credentials) = credentials.or(self.server.credentials()) {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(turned_away)?;
        }
        Ok(connection)
    }
}

/// A mail up to the server's last word on it. The library's own way says goodbye after a refusal and waits for the answer to that, for ever.
async fn converse(connection: &mut AsyncSmtpConnection, envelope: &Envelope, raw: &[u8], stage: &mut Stage) -> Result<(), NotTaken> {
    let parameters = parameters(connection.server_info(), envelope, raw)?;
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    *stage = Stage::Recipient;
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
    }
    connection.command(Data).await?;
    *stage = Stage::Content;
    connection.message(raw).await?;
    Ok(())
}

/// What is asked of the server for this mail, if it offers that (RFC 6531 and 6152).
fn parameters(server: &ServerInfo, envelope: &Envelope, raw: &[u8]) -> Result<Vec<MailParameter>, Undelivered> {
    let mut parameters = Vec::new();
    if !is_ascii(envelope) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            let fault = Fault::Corrupt("the SMTP server takes no address with letters beyond ASCII".to_owned());
            return Err(Undelivered { status: Some(NO_SMTPUTF8.to_owned()), ..fault.into() });
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !raw.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err(Fault::Unavailable("the SMTP server takes no mail with letters beyond ASCII".to_owned()).into());
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

/// Nobody waits for the answer: the server's word on the mail is known.
fn say_goodbye(mut connection: AsyncSmtpConnection) {
    tokio::spawn(async move { timeout(GOODBYE_MAX, connection.abort()).await });
}

fn too_slow(what: &str, limit: Duration) -> Fault {
    Fault::Unavailable(format!("the SMTP server did not {what} within {limit:?}"))
}

/// How far a conversation with the server is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Up to the login: nothing is said of a mail.
    Welcome,
    /// What is refused here is refused to us, as when a day's number of mails is reached, and not for the recipient.
    Sender,
    Recipient,
    /// From its first byte on the server may have it.
    Content,
}

/// Why a conversation about a mail ended.
enum NotTaken {
    /// Before it began: the server does not offer what the mail needs.
    Unfit(Undelivered),
    Smtp(Error),
}

impl From<Undelivered> for NotTaken {
    fn from(why: Undelivered) -> NotTaken {
        NotTaken::Unfit(why)
    }
}

impl From<Error> for NotTaken {
    fn from(error: Error) -> NotTaken {
        NotTaken::Smtp(error)
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
        let envelope = envelope(mail)?;
        let Some(login) = &self.login else { return Ok(self.hand_on(None, &envelope, &mail.raw).await?) };
        let first = login.password().await?;
        let why = match self.hand_on(Some(&login.credentials(&first)), &envelope, &mail.raw).await {
            Err(Refused::Login(why)) => why,
            done => return Ok(done?),
        };
        match login.password_after(&first).await? {
            Some(second) => Ok(self.hand_on(Some(&login.credentials(&second)), &envelope, &mail.raw).await?),
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

fn is_ascii(envelope: &Envelope) -> bool {
    envelope.from().into_iter().chain(envelope.to()).all(|address| AsRef::<str>::as_ref(address).is_ascii())
}

fn unreachable() -> Fault {
    Fault::Unavailable("the SMTP server could not be reached or broke off".to_owned())
}

/// What an error means at this stage. Servers quote addresses in their answers, so the text is made of codes alone.
fn refused(error: &Error, stage: Stage) -> Refused {
    let code = error.status().map(|code| format!(" with {code}")).unwrap_or_default();
    if is_login_refused(error) {
        let fault = Fault::Unavailable(format!("the SMTP server refused our login{code}"));
        return Refused::Login(Undelivered { status: status(error), ..fault.into() });
    }
    let fault = if error.is_permanent() {
        match stage {
            Stage::Welcome => Fault::Unavailable(format!("the SMTP server turned us away{code}")),
            Stage::Sender => Fault::Unavailable(format!("the SMTP server takes no mail from our address{code}")),
            Stage::Recipient | Stage::Content => Fault::Corrupt(format!("the SMTP server refused a mail for good{code}")),
        }
    } else if error.is_transient() {
        Fault::Throttled { after: RETRY_AFTER }
    } else if error.is_tls() {
        Fault::Unavailable("the SMTP server's TLS was not accepted".to_owned())
    } else {
        unreachable()
    };
    let perhaps_taken = stage == Stage::Content && error.status().is_none();
    Refused::Mail(Undelivered { fault, status: status(error), perhaps_taken })
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
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_server_that_accepts_and_stays_silent_is_given_up() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", server.local_addr().unwrap());
        let mailer = SmtpMailer::within(&url, Duration::from_millis(200), SEND_MAX).unwrap();
        let mail = OutgoingMail { from: String::new(), to: vec!["ann@fabrikam.example".to_owned()], raw: b"\r\n".to_vec() };
        let (sent, accepted) = timeout(Duration::from_secs(10), futures::future::join(mailer.send(&mail), server.accept())).await.unwrap();
        assert!(matches!(sent, Err(Undelivered { fault: Fault::Unavailable(_), status: None, perhaps_taken: false })), "{sent:?}");
        drop(accepted);
    }

    #[tokio::test]
    async fn a_server_that_looks_into_a_mail_before_it_takes_it_is_waited_for() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", server.local_addr().unwrap());
        let welcome = Duration::from_secs(2);
        let mailer = SmtpMailer::within(&url, welcome, SEND_MAX).unwrap();
        let mail = OutgoingMail { from: String::new(), to: vec!["ann@fabrikam.example".to_owned()], raw: b"Subject: x\r\n\r\nx\r\n".to_vec() };
        let serve = async {
            let (stream, _) = server.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 ready\r\n").await.unwrap();
            while let Some(line) = lines.next_line().await.unwrap() {
                let answer: &[u8] = match line.as_str() {
                    "DATA" => b"354 go on\r\n",
                    "." => {
                        tokio::time::sleep(welcome + Duration::from_millis(200)).await;
                        write.write_all(b"250 taken\r\n").await.unwrap();
                        return;
                    }
                    command if command.contains(' ') && command.len() > 4 && command.as_bytes()[..4].iter().all(u8::is_ascii_uppercase) => {
                        b"250 yes\r\n"
                    }
                    _ => continue,
                };
                write.write_all(answer).await.unwrap();
            }
        };
        let (sent, ()) = timeout(Duration::from_secs(30), futures::future::join(mailer.send(&mail), serve)).await.unwrap();
        assert_eq!(sent, Ok(()));
    }
}
