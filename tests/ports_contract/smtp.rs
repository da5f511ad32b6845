//! The SMTP mailer, against a server of a few lines on loopback.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use helpdesk::{
    adapters::smtp::SmtpMailer,
    ports::{Fault, Mailer, OutgoingMail, Secret, Undelivered, Vault, Wrapped},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use zeroize::Zeroizing;

use crate::support::http::unused_port;

const RAW: &[u8] = b"From: help@contoso.example\r\nSubject: =?utf-8?q?=C3=A4?=\r\n\r\n.leading dot\r\n8-bit \xc3\xa4\r\n";

#[tokio::test]
async fn a_mail_arrives_byte_by_byte_with_its_envelope() {
    let (url, server) = serve("250 2.1.5 fine").await;
    SmtpMailer::new(&url).unwrap().send(&mail()).await.unwrap();
    let heard = server.await.unwrap();
    let text = String::from_utf8_lossy(&heard);
    for line in ["MAIL FROM:<help@contoso.example>", "RCPT TO:<ann@fabrikam.example>", "RCPT TO:<bob@fabrikam.example>"] {
        assert!(text.contains(line), "{text}");
    }
    let stuffed = b"\r\n\r\n..leading dot\r\n8-bit \xc3\xa4\r\n";
    assert!(heard.windows(stuffed.len()).any(|window| window == stuffed), "{text}");
}

#[tokio::test]
async fn a_refusal_is_told_without_an_address() {
    let refusals = [
        ("550 5.1.1 ann@fabrikam.example is unknown", Fault::Corrupt("the SMTP server refused a mail for good with 550".to_owned()), "5.1.1"),
        ("550 5.1 ann@fabrikam.example is unknown", Fault::Corrupt("the SMTP server refused a mail for good with 550".to_owned()), "550"),
        ("451 4.7.1 ann@fabrikam.example is greylisted", Fault::Throttled { after: Duration::from_secs(60) }, "4.7.1"),
        ("451 ann@fabrikam.example is greylisted", Fault::Throttled { after: Duration::from_secs(60) }, "451"),
    ];
    for (answer, fault, status) in refusals {
        let (url, _server) = serve(answer).await;
        assert_eq!(
            SmtpMailer::new(&url).unwrap().send(&mail()).await,
            Err(Undelivered { fault, status: Some(status.to_owned()), perhaps_taken: false }),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_odd_address_goes_out_as_it_is() {
    let (url, server) = serve("250 fine").await;
    let to = [r#""ann smith"@fabrikam.example"#, r#""a\"b"@fabrikam.example"#, "a/b@fabrikam", "ann@[127.0.0.1]", "ann@[ipv6:2001:db8::1]"]
        .map(str::to_owned)
        .to_vec();
    SmtpMailer::new(&url).unwrap().send(&OutgoingMail { to: to.clone(), ..mail() }).await.unwrap();
    let heard = String::from_utf8(server.await.unwrap()).unwrap();
    for to in to {
        assert!(heard.contains(&format!("RCPT TO:<{to}>\r\n")), "{heard}");
    }
}

#[tokio::test]
async fn an_address_that_the_server_cannot_take_is_no_trouble_of_the_line() {
    let (url, _server) = serve("250 fine").await;
    let sent = SmtpMailer::new(&url).unwrap().send(&OutgoingMail { to: vec!["zoë@fabrikam.example".to_owned()], ..mail() }).await;
    let refused = Err(Undelivered {
        fault: Fault::Corrupt("the SMTP server takes no address with letters beyond ASCII".to_owned()),
        status: Some("5.6.7".to_owned()),
        perhaps_taken: false,
    });
    assert_eq!(sent, refused);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let address = unused_port();
    let result = SmtpMailer::new(&format!("smtp://{address}")).unwrap().send(&mail()).await;
    assert!(matches!(result, Err(Undelivered { fault: Fault::Unavailable(_), status: None, perhaps_taken: false })), "{result:?}");
}

#[tokio::test]
async fn a_server_that_turns_us_away_says_nothing_about_the_mail() {
    for (greeting, fault) in [
        ("554 5.7.1 your network is not welcome", Fault::Unavailable("the SMTP server turned us away with 554".to_owned())),
        ("421 4.3.2 too busy", Fault::Throttled { after: Duration::from_secs(60) }),
    ] {
        let refused = SmtpMailer::new(&serve_until("", Then::Says(greeting)).await).unwrap().send(&mail()).await.unwrap_err();
        assert_eq!((refused.fault, refused.perhaps_taken), (fault, false), "{greeting}");
    }
}

#[tokio::test]
async fn a_mail_whose_answer_does_not_come_was_perhaps_taken() {
    for (line, perhaps_taken) in [(".", true), ("DATA", false), ("RCPT", false), ("MAIL", false), ("EHLO", false)] {
        let lost = SmtpMailer::new(&serve_until(line, Then::Closes).await).unwrap().send(&mail()).await.unwrap_err();
        assert!(matches!(lost.fault, Fault::Unavailable(_)), "{lost:?}");
        assert_eq!((lost.status, lost.perhaps_taken), (None, perhaps_taken), "{line}");
    }
}

#[tokio::test]
async fn a_server_that_will_not_have_our_sender_says_nothing_about_the_recipient() {
    let url = serve_until("MAIL", Then::Says("550 5.4.5 daily quota exceeded")).await;
    let refused = SmtpMailer::new(&url).unwrap().send(&mail()).await.unwrap_err();
    let fault = Fault::Unavailable("the SMTP server takes no mail from our address with 550".to_owned());
    assert_eq!(refused, Undelivered { fault, status: Some("5.4.5".to_owned()), perhaps_taken: false });
}

#[tokio::test]
async fn a_refusal_counts_though_the_server_does_not_answer_our_goodbye() {
    for (at, words) in [("RCPT", "550 5.1.1 unknown"), ("DATA", "554 5.5.1 no valid recipients")] {
        let (answer, status) = (&words[..3], &words[4..9]);
        let mailer = SmtpMailer::new(&serve_with([(at, Then::Says(words)), ("QUIT", Then::IsSilent)]).await).unwrap();
        let sent = tokio::time::timeout(Duration::from_secs(2), mailer.send(&mail())).await.expect("the goodbye is not waited for");
        let fault = Fault::Corrupt(format!("the SMTP server refused a mail for good with {answer}"));
        assert_eq!(sent, Err(Undelivered { fault, status: Some(status.to_owned()), perhaps_taken: false }));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_our_goodbye_has_the_mail_all_the_same() {
    for then in [Then::IsSilent, Then::Closes] {
        let mailer = SmtpMailer::new(&serve_until("QUIT", then).await).unwrap();
        tokio::time::timeout(Duration::from_secs(2), mailer.send(&mail())).await.expect("it is not waited for").unwrap();
    }
}

#[tokio::test]
async fn an_envelope_that_is_none_is_refused() {
    let mailer = SmtpMailer::new("smtp://127.0.0.1:1").unwrap();
    for mail in [OutgoingMail { to: vec![], ..mail() }, OutgoingMail { to: vec!["ann@fabrikam.example\r\nDATA".to_owned()], ..mail() }] {
        assert!(matches!(mailer.send(&mail).await, Err(Undelivered { fault: Fault::Corrupt(text), .. }) if !text.contains('@')));
    }
}

#[test]
fn a_url_that_is_none_is_refused() {
    for wrong in [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example?tls=perhaps",
        "smtps://u:%ff@mail.example",
        "smtp://mail.example#?tls=required",
        "smtp://mail.example:587/@127.0.0.1:",
    ] {
        assert!(SmtpMailer::new(wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn the_password_comes_from_the_vault_and_is_read_again_when_the_server_refuses_it() {
    let (url, logins) = serve_login("second").await;
    let vault = Arc::new(Passwords::default());
    let mailer = SmtpMailer::with_login(&url, "user", vault.clone()).unwrap();
    assert!(matches!(mailer.send(&mail()).await, Err(Undelivered { fault: Fault::Unavailable(_), .. })), "there is no password yet");
    vault.keep("first");
    let refused = mailer.send(&mail()).await.unwrap_err();
    // It says nothing about the mail, which goes again later.
    assert_eq!(refused.fault, Fault::Unavailable("the SMTP server refused our login with 535".to_owned()));
    vault.keep("second");
    for _ in 0..3 {
        mailer.send(&mail()).await.unwrap();
    }
    assert_eq!(*logins.lock().unwrap(), ["first", "first", "second", "second", "second"]);
    assert_eq!(vault.read.load(Ordering::SeqCst), 4, "once when there was none, twice for the wrong one, once when it was refused again");
}

#[tokio::test]
async fn all_who_were_refused_with_the_old_password_go_on_with_the_new_one() {
    let (url, logins) = serve_login("second").await;
    let vault = Arc::new(Passwords::default());
    vault.keep("first");
    let mailer = SmtpMailer::with_login(&url, "user", vault.clone()).unwrap();
    mailer.send(&mail()).await.unwrap_err();
    vault.keep("second");
    // The server asks one after the other; all of them begin with the password that was known.
    let mails = [mail(), mail(), mail(), mail()];
    let sent = futures::future::join_all(mails.iter().map(|mail| mailer.send(mail))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(logins.lock().unwrap().iter().filter(|password| *password == "second").count(), 4);
    assert_eq!(vault.read.load(Ordering::SeqCst), 3, "once for all of them");
}

/// A vault that holds a password and nothing else.
#[derive(Default)]
struct Passwords {
    newest: Mutex<Option<&'static str>>,
    read: AtomicUsize,
}

impl Passwords {
    fn keep(&self, password: &'static str) {
        *self.newest.lock().unwrap() = Some(password);
    }
}

#[async_trait]
impl Vault for Passwords {
    async fn wrap(&self, _key: &str, _plaintext: &[u8]) -> Result<Wrapped, Fault> {
        unreachable!()
    }

    async fn unwrap(&self, _key: &str, _wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        unreachable!()
    }

    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault> {
        assert_eq!((name, version), (SmtpMailer::PASSWORD, None));
        self.read.fetch_add(1, Ordering::SeqCst);
        let found = self.newest.lock().unwrap().map(|password| password.as_bytes().to_vec());
        Ok(found.map(|value| Secret { version: "1".to_owned(), value: Zeroizing::new(value) }))
    }

    async fn make_key(&self, _key: &str) -> Result<bool, Fault> {
        unreachable!()
    }

    async fn rotate(&self, _key: &str) -> Result<String, Fault> {
        unreachable!()
    }
}

/// Takes mail from `user` with this password; tells the passwords that were tried.
async fn serve_login(password: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, tried) = (format!("smtp://{}", listener.local_addr().unwrap()), Arc::new(Mutex::new(Vec::new())));
    let logins = tried.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 ready\r\n").await.unwrap();
            let (mut line, mut in_data) = (Vec::new(), false);
            while stream.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
                let answer = match String::from_utf8_lossy(&line).trim_end() {
                    "." => {
                        in_data = false;
                        "250 taken"
                    }
                    _ if in_data => "",
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    line if line.starts_with("EHLO") => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                    line if line.starts_with("AUTH PLAIN ") => {
                        let words = STANDARD.decode(&line["AUTH PLAIN ".len()..]).unwrap();
                        let shown = String::from_utf8(words).unwrap().strip_prefix("\0user\0").unwrap().to_owned();
                        let is_right = shown == password;
                        logins.lock().unwrap().push(shown);
                        if is_right { "235 welcome" } else { "535 5.7.8 no" }
                    }
                    "QUIT" => "221 bye",
                    _ => "250 fine",
                };
                line.clear();
                if !answer.is_empty() && stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (url, tried)
}

fn mail() -> OutgoingMail {
    let to = ["ann@fabrikam.example", "bob@fabrikam.example"].map(str::to_owned).to_vec();
    OutgoingMail { from: "help@contoso.example".to_owned(), to, raw: RAW.to_vec() }
}

/// Takes one connection, answers each recipient with `answer`, and gives back all that it heard.
async fn serve(answer: &'static str) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut heard, mut in_data) = (Vec::new(), false);
        stream.write_all(b"220 ready\r\n").await.unwrap();
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return heard;
            }
            heard.extend(&line);
            let answer = match line.as_slice() {
                b".\r\n" if in_data => {
                    in_data = false;
                    "250 taken"
                }
                _ if in_data => continue,
                line if line.starts_with(b"EHLO") => "250-test\r\n250 8BITMIME",
                line if line.starts_with(b"RCPT") => answer,
                line if line.starts_with(b"DATA") => {
                    in_data = true;
                    "354 go on"
                }
                line if line.starts_with(b"QUIT") => "221 bye",
                _ => "250 fine",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
    });
    (url, task)
}

/// What a server does when it has heard a certain line.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Says(&'static str),
    Closes,
    IsSilent,
}

/// Takes one mail, but for what it does at the first line that begins so; the empty one is its greeting.
async fn serve_until(at: &'static str, then: Then) -> String {
    serve_with([(at, then)]).await
}

/// The same with several such lines.
async fn serve_with<const LINES: usize>(lines: [(&'static str, Then); LINES]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut line, mut in_data) = (String::new(), false);
        loop {
            let in_text = in_data && line != ".\r\n";
            let is_at = |at: &str| line.starts_with(at) && (!at.is_empty() || line.is_empty());
            let then = lines.iter().find(|(at, _)| !in_text && is_at(at)).map(|(_, then)| *then);
            let answer = match (then, line.trim_end()) {
                _ if in_text => "",
                (Some(Then::Says(words)), _) => words,
                (Some(Then::Closes), _) => return,
                (Some(Then::IsSilent), _) => std::future::pending().await,
                (None, "") => "220 ready",
                (None, line) if line.starts_with("EHLO") => "250-test\r\n250 8BITMIME",
                (None, "DATA") => "354 go on",
                (None, _) => "250 fine",
            };
            in_data = in_text || line == "DATA\r\n";
            if !answer.is_empty() && stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return;
            }
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
        }
    });
    url
}
