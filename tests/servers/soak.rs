//! The program itself as in Azure: a managed identity, bearer tokens over TLS, and nothing of its own on the disk.
//!
//! `HELPDESK_SOAK_MAILS=10000 cargo test ... soak -- --ignored --nocapture` shows what a mail costs and that memory does not grow with them.

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use helpdesk::{
    access::Role,
    adapters::azure::{cosmos::CosmosDocuments, services::Services},
    ports::{Fault, Lease, Queues, decode_text, encode_text},
};
use serde_json::json;

use super::smtp::Server;
use crate::{
    ports_contract::{azurite::Azurite, cosmos::CosmosServer},
    support::{
        azure::{Anyone, KeyVaultServer, identity_endpoint, on_azure},
        http::unused_port,
        world::{HELP, World, proven},
    },
};

const MAILS_DEFAULT: usize = 200;
/// Mails that are in the queue at once, and then looked at and forgotten.
const BATCH: usize = 100;
const AT_ONCE: usize = 8;
const VISIBILITY: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);
const BATCH_WITHIN: Duration = Duration::from_secs(300);
/// What the memory may vary by after the first tenth of the mails, in KiB.
const GROWTH_KIB_MAX: u64 = 24 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test --servers runs it"]
async fn the_program_works_as_in_azure_and_does_not_grow() {
    let mails: usize = std::env::var("HELPDESK_SOAK_MAILS").map_or(MAILS_DEFAULT, |number| number.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (azurite, cosmos, smtp) = (Azurite::start(), CosmosServer::start().await, Server::start(folder.path()));
    let vault = format!("https://{}/", Arc::new(KeyVaultServer::default()).start_with_tls(&azurite.certificate, &azurite.key).await);
    let services = Services::with(Arc::new(Anyone), azurite.transport());
    let world = World::over(async |ports, clock| {
        let documents = Arc::new(CosmosDocuments::new(&cosmos.address, &services, clock.clone()).unwrap());
        on_azure(ports, documents, &azurite, &vault, &services).await
    })
    .await;
    world.trusts().await;
    takes_many(&world).await;
    let handler = Handler::start(&[
        ("HELPDESK_COSMOS", &cosmos.address),
        ("HELPDESK_BLOBS", &azurite.blobs),
        ("HELPDESK_BACKUPS", &azurite.blobs),
        ("HELPDESK_QUEUES__queueServiceUri", &azurite.queues),
        ("HELPDESK_VAULT", &vault),
        ("HELPDESK_LOGS", "6d9f3c1e-6a55-4c1b-9b8a-2f1f6c2b9a10"),
        ("HELPDESK_SMTP_URL", &format!("smtp://{}", smtp.address)),
        ("HELPDESK_ENTRA_APPLICATION", "5c0e5e0e-2b0f-4d2c-a5b5-6f0a3a0b7f11"),
        ("HELPDESK_VENDOR_TENANT", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("IDENTITY_ENDPOINT", &identity_endpoint().await),
        ("IDENTITY_HEADER", "a-header"),
        ("SSL_CERT_FILE", azurite.certificate.to_str().unwrap()),
        ("COSMOS_DISABLE_IMDS", "1"),
    ])
    .await;

    let began = Instant::now();
    let (mut memory, mut took, mut charged, mut subjects) = (Vec::new(), Duration::ZERO, 0, BTreeSet::new());
    for first in (0..mails).step_by(BATCH) {
        let (until, before) = (mails.min(first + BATCH), cosmos.charged.load(Ordering::Relaxed));
        futures::stream::iter(first..until).map(|at| feed(&world, at)).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        let fed = Instant::now();
        let queues = world.ports.queues.as_ref();
        while insist(async || queues.depth("mail-intake").await).await > 0 {
            handler.work_off(queues, "mail-intake", "IntakeMail").await;
        }
        // Of each mail one wake-up at once, and one a minute later; all but the first find nothing to do. Left there, they would make Azurite slow.
        while handler.work_off(queues, "outbox", "DeliverOutbox").await > 0 || smtp.received() < until {
            assert!(fed.elapsed() < BATCH_WITHIN, "{} of {until} acknowledgements have arrived", smtp.received());
        }
        took += fed.elapsed();
        charged += cosmos.charged.load(Ordering::Relaxed) - before;
        memory.push(handler.resident_kib());
        let tickets = world.tickets("contoso").await;
        assert_eq!(tickets.len(), until - first, "none lost, none doubled");
        subjects.extend(tickets.iter().map(|ticket| ticket["subject"].as_str().unwrap().to_owned()));
        assert!(world.unprocessed("contoso").await.is_empty());
        cosmos.forget(|item| item["pk"] != "t:contoso" || item["kind"] == "numbers").await;
        if until.is_multiple_of(10 * BATCH) {
            let (a_mail, resident) = (charged as f64 / 1000.0 / until as f64, memory.last().unwrap());
            eprintln!("soak: {until} of {mails} mails after {:.0} s, {a_mail:.1} RU a mail, resident {resident} KiB", began.elapsed().as_secs_f64());
        }
    }
    assert_eq!(subjects.len(), mails, "each is a ticket");
    assert_eq!(smtp.received(), mails, "each is acknowledged, and once");
    let settled = memory[memory.len().div_ceil(10) - 1];
    println!(
        "soak: {mails} mails in {:.1} s, {:.1} s of them worked off and acknowledged: {:.1} a second; {:.1} RU a mail; {} invocations came again; resident {} KiB after a tenth, {} KiB at most, {} KiB at the end",
        began.elapsed().as_secs_f64(),
        took.as_secs_f64(),
        mails as f64 / took.as_secs_f64(),
        charged as f64 / 1000.0 / mails as f64,
        handler.again.load(Ordering::Relaxed),
        settled,
        memory.iter().max().unwrap(),
        memory.last().unwrap(),
    );
    assert!(*memory.last().unwrap() < settled + GROWTH_KIB_MAX, "memory grows with the mails: {memory:?}");
}

/// More to one mailbox within an hour than a tenant takes by itself.
async fn takes_many(world: &World) {
    let admin = world.token("contoso", Role::Admin, None);
    let (status, mut settings) = world.get("/api/settings", &admin).await;
    assert_eq!(status, 200, "{settings}");
    settings["mails_a_mailbox"] = json!(160_000);
    let changed = world.http("PUT", "/api/settings", Some(&admin), settings.to_string().as_bytes()).await;
    assert_eq!(changed.status, 200);
}

async fn feed(world: &World, at: usize) {
    let raw = proven(&format!("u{at}@a.example"), &format!("q{at}@a.example"), &format!("Question {at}"), "", &"Words of a question. ".repeat(90));
    let blob = format!("{at}.eml");
    let message = encode_text(json!({ "v": 1, "mailbox": HELP, "blob": blob }).to_string().as_bytes()).unwrap();
    insist(async || world.ports.blobs.put("mail-intake", &blob, raw.clone().into()).await).await;
    insist(async || world.ports.queues.send("mail-intake", &message, Duration::ZERO).await).await;
}

/// Asks until there is an answer: a server that has nothing to say for half a minute is the test's trouble, not the program's.
async fn insist<T>(ask: impl AsyncFn() -> Result<T, Fault>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(fault) => assert!(began.elapsed() < BATCH_WITHIN, "{fault}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The program as the Functions host starts it; killed when the test is over.
struct Handler {
    process: Child,
    address: String,
    client: reqwest::Client,
    /// Invocations that failed and come again.
    again: AtomicUsize,
}

impl Drop for Handler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Handler {
    async fn start(settings: &[(&str, &str)]) -> Handler {
        let port = unused_port().port().to_string();
        let process = Command::new(env!("CARGO_BIN_EXE_helpdesk"))
            .env_clear()
            .envs(settings.iter().copied())
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let handler = Handler { process, address: format!("http://127.0.0.1:{port}"), client: reqwest::Client::new(), again: AtomicUsize::new(0) };
        let began = Instant::now();
        while handler.client.get(&handler.address).send().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the handler does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        handler
    }

    /// Takes what is visible in a queue to its function, a batch of it; answers how many messages that were.
    async fn work_off(&self, queues: &dyn Queues, queue: &str, function: &str) -> usize {
        let leases = insist(async || queues.lease(queue, 16, VISIBILITY).await).await;
        let work = leases.into_iter().map(async |lease: Lease| {
            if self.invoke(function, &decode_text(&lease.text).unwrap()).await {
                // A lease that has ended by now comes again, and is a mail that was seen.
                insist(async || queues.delete(queue, &lease).await).await;
            }
        });
        futures::stream::iter(work).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.len()
    }

    /// Whether it is done. If not, as when a server took too long, the message comes again when its lease ends.
    async fn invoke(&self, function: &str, message: &str) -> bool {
        let body = json!({ "Data": { "message": serde_json::to_string(message).unwrap() }, "Metadata": {} }).to_string();
        let request = self.client.post(format!("{}/{function}", self.address)).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        let is_done = answer.status() == 200;
        if !is_done {
            self.again.fetch_add(1, Ordering::Relaxed);
        }
        is_done
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
