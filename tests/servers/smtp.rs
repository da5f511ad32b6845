//! Mail out to aiosmtpd, while the house dies again and again.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use helpdesk::{
    access::Role,
    adapters::smtp::SmtpMailer,
    functions::App,
    mail::{parse::parse, sender::Trust},
    ports::{Entropy, Ports},
    wiring,
};
use serde_json::{Value, json};

use crate::support::{
    TestEntropy,
    http::unused_port,
    world::{HELP, World, config, proven, queue},
};

const QUESTIONS: usize = 25;
const DEATHS: usize = 25;
const SEED: u64 = 3;
/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that keeps what it gets in a Maildir; it is killed when the test is over.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
    maildir: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub fn start(folder: &Path) -> Server {
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/servers/bin/python");
        let address = unused_port();
        let maildir = folder.join("maildir");
        let arguments =
            ["-m", "aiosmtpd", "-n", "-l", &address.to_string(), "-c", "aiosmtpd.handlers.Mailbox", maildir.to_str().unwrap()].map(str::to_owned);
        let process =
            Command::new(python).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("scripts/test --servers installs it");
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < PATIENCE, "aiosmtpd does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Server { process, address, maildir }
    }

    /// Mails that have come.
    #[cfg(feature = "azure")]
    pub fn received(&self) -> usize {
        std::fs::read_dir(self.maildir.join("new")).map_or(0, |files| files.count())
    }

    /// How often each mail came to each recipient, by Message-ID and envelope.
    pub fn got(&self) -> BTreeMap<(String, String), usize> {
        let mut got = BTreeMap::new();
        for file in std::fs::read_dir(self.maildir.join("new")).unwrap() {
            let raw = std::fs::read(file.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&raw);
            let to = text.lines().find_map(|line| line.strip_prefix("X-RcptTo: ")).unwrap().to_owned();
            let mail = parse(&raw, &Trust::Nobody).unwrap();
            *got.entry((mail.message_id.unwrap(), to)).or_default() += 1;
        }
        got
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs aiosmtpd: scripts/test --servers"]
async fn every_mail_reaches_its_recipient_though_whoever_sends_it_dies_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let world = World::new().await;
    world.trusts().await;
    // Each is a process of its own on the same store.
    let another = || -> Arc<App> {
        let mailer = Arc::new(SmtpMailer::new(&format!("smtp://{}", server.address)).unwrap());
        wiring::app(Ports { mailer, ..world.ports.clone() }, &config())
    };
    for at in 0..QUESTIONS {
        let raw = proven(&format!("u{at}@a.example"), &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), &raw).await.0, 200);
    }
    let token = world.token_until("contoso", Role::Agent, None, 1_000_000);
    for ticket in world.tickets("contoso").await {
        let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
        let body = json!({ "text": "An answer.", "public": true }).to_string();
        assert_eq!(world.http("POST", &path, Some(&token), body.as_bytes()).await.status, 201);
    }
    let entropy = TestEntropy::new(SEED);
    let wake = r#"{"v":1,"tenant":"contoso"}"#;
    for _ in 0..DEATHS {
        let app = another();
        let sending = tokio::spawn(async move { queue(&app, "DeliverOutbox", wake).await });
        let mut random = [0; 1];
        entropy.fill(&mut random);
        tokio::time::sleep(Duration::from_millis(u64::from(random[0]) % 60)).await;
        // As good as killed: nothing of it runs on.
        sending.abort();
        let _ = sending.await;
        // Its claims run out.
        world.clock.advance(time::Duration::minutes(6));
    }
    for _ in 0..20 {
        let (status, note) = queue(&another(), "DeliverOutbox", wake).await;
        assert_eq!(status, 200, "{note}");
        if note.starts_with("0 sent") {
            break;
        }
        world.clock.advance(time::Duration::minutes(6));
    }
    let got = server.got();
    let recipients: BTreeMap<&String, usize> = got.keys().fold(BTreeMap::new(), |mut counts, (_, to)| {
        *counts.entry(to).or_default() += 1;
        counts
    });
    assert_eq!(recipients.len(), QUESTIONS, "every requester got his answer");
    let again: usize = got.values().map(|times| times - 1).sum();
    assert!(again <= DEATHS, "{again} mails came again, and only {DEATHS} processes died");
    let doubled = doubled(&world, &token).await;
    assert!(again <= doubled, "{again} mails came again, {doubled} are marked so");
}

/// Deliveries that are marked as possibly doubled.
async fn doubled(world: &World, token: &str) -> usize {
    let mut count = 0;
    for ticket in world.tickets("contoso").await {
        let (_, page) = world.get(&format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap()), token).await;
        for comment in page["comments"].as_array().unwrap() {
            let deliveries = comment["deliveries"].as_array().cloned().unwrap_or_default();
            count += deliveries.iter().filter(|delivery: &&Value| delivery["state"] == "possibly_duplicate").count();
        }
    }
    count
}
