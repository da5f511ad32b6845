//! A mail out is sent at least once: later when the mailer failed, again when the process died over it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use helpdesk::{
    access::Role,
    devhost::{
        Invoker,
        queues::{Listener, Wakes},
    },
    functions::{ALL, App},
    handler,
    ports::{Changes, Document, Documents, Etag, Fault, Mailer, OutgoingMail, Ports, Scan, Undelivered, Watermark, Write},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::{net::TcpListener, sync::watch};

use crate::support::{
    http,
    world::{HELP, World, mail},
};

const ANN: &str = "ann@adventure-works.example";

/// What fails.
#[derive(Default)]
struct Trouble {
    mailer_down: AtomicBool,
    /// After the next mail that is sent no write succeeds: as good as killed.
    dies_after_sending: AtomicBool,
    dead: AtomicBool,
}

struct Shaky<P: ?Sized> {
    inner: Arc<P>,
    trouble: Arc<Trouble>,
}

#[async_trait]
impl Mailer for Shaky<dyn Mailer> {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        if self.trouble.mailer_down.load(Ordering::SeqCst) {
            return Err(Fault::Unavailable("the mail server does not answer".to_owned()).into());
        }
        self.inner.send(mail).await?;
        self.trouble.dead.store(self.trouble.dies_after_sending.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl Documents for Shaky<dyn Documents> {
    async fn get(&self, partition: &str, id: &str) -> Result<Option<Document>, Fault> {
        self.inner.get(partition, id).await
    }
    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Document>, Fault> {
        self.inner.scan(scan).await
    }
    async fn count(&self, scan: &Scan<'_>) -> Result<usize, Fault> {
        self.inner.count(scan).await
    }
    async fn commit(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Etag>, Fault> {
        if self.trouble.dead.load(Ordering::SeqCst) {
            return Err(Fault::Unavailable("killed".to_owned()));
        }
        self.inner.commit(partition, writes).await
    }
    async fn changed_since(&self, partition: &str, watermark: Option<&Watermark>, limit: usize) -> Result<Changes, Fault> {
        self.inner.changed_since(partition, watermark, limit).await
    }
    async fn due(&self, after: Option<&str>, before: OffsetDateTime, limit: usize) -> Result<Vec<Document>, Fault> {
        self.inner.due(after, before, limit).await
    }
}

/// A ticket of Ann's, and a host with the queue `outbox` and the sweep.
struct Desk {
    world: World,
    trouble: Arc<Trouble>,
    path: String,
}

/// The host around one process.
struct Host {
    outbox: Listener,
    invoker: Invoker,
    _ready: watch::Sender<Option<Arc<App>>>,
}

impl Host {
    async fn of(world: &World, app: Arc<App>) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ready, readiness) = watch::channel(Some(app));
        tokio::spawn(handler::serve(listener, readiness, std::future::pending()));
        let invoker = Invoker::new(address, &world.ports, None);
        Host { outbox: Listener::new("DeliverOutbox", "outbox", &world.ports, invoker.clone(), Wakes::of(ALL)), invoker, _ready: ready }
    }

    fn address(&self) -> std::net::SocketAddr {
        self.invoker.handler()
    }
}

impl Desk {
    async fn new() -> Desk {
        let trouble = Arc::new(Trouble::default());
        let own = trouble.clone();
        let world = World::with(move |ports| Ports {
            mailer: Arc::new(Shaky { inner: ports.mailer.clone(), trouble: own.clone() }),
            documents: Arc::new(Shaky { inner: ports.documents.clone(), trouble: own }),
            ..ports
        })
        .await;
        assert_eq!(world.mail(HELP, "a.eml", &mail(ANN, "q1@a.example", "A question", "", "Words.")).await.0, 200);
        let path = format!("/api/tickets/{}/comments", world.tickets("contoso").await[0]["id"].as_str().unwrap());
        Desk { world, trouble, path }
    }

    async fn answer(&self, host: &Host) {
        let token = format!("Authorization: Bearer {}", self.world.token("contoso", Role::Agent, None));
        let body = json!({ "text": "An answer.", "public": true }).to_string();
        let answer = http::request(host.address(), "POST", &self.path, &[&token], body.as_bytes()).await;
        assert_eq!((answer.status, &answer.json()["text"]), (201, &Value::from("An answer.")));
    }

    /// The Message-IDs of what left the house.
    fn sent(&self) -> Vec<String> {
        let mails = self.world.sent.mails.lock().unwrap();
        let id = |mail: &OutgoingMail| {
            assert_eq!((mail.from.as_str(), mail.to.as_slice()), (HELP, [ANN.to_owned()].as_slice()));
            let raw = String::from_utf8(mail.raw.clone()).unwrap();
            raw.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:")).unwrap().to_owned()
        };
        mails.iter().map(id).collect()
    }

    fn pass(&self, time: Duration) {
        self.world.clock.advance(time);
    }
}

#[tokio::test]
async fn a_mail_that_fails_is_sent_by_the_wake_up() {
    let desk = Desk::new().await;
    let host = Host::of(&desk.world, desk.world.app.clone()).await;
    desk.trouble.mailer_down.store(true, Ordering::SeqCst);
    desk.answer(&host).await;
    assert_eq!(host.outbox.poll_once().await, 1, "the delivery is called at once");
    assert!(desk.sent().is_empty());
    // It was announced for a minute later, when it is due again.
    assert_eq!(host.outbox.poll_once().await, 0);
    desk.trouble.mailer_down.store(false, Ordering::SeqCst);
    desk.pass(Duration::minutes(1));
    assert_eq!(host.outbox.poll_once().await, 1);
    assert_eq!(desk.sent().len(), 1);
    desk.pass(Duration::hours(1));
    assert!(host.invoker.tick("SweepOutbox", None, false).await);
    assert_eq!((host.outbox.poll_once().await, desk.sent().len()), (0, 1), "what was sent is not sent again");
}

#[tokio::test]
async fn a_mail_that_keeps_failing_is_sent_by_the_sweep() {
    let desk = Desk::new().await;
    let host = Host::of(&desk.world, desk.world.app.clone()).await;
    desk.trouble.mailer_down.store(true, Ordering::SeqCst);
    desk.answer(&host).await;
    for _ in 0..6 {
        desk.pass(Duration::minutes(5));
        assert!(host.invoker.tick("SweepOutbox", None, false).await);
        host.outbox.poll_once().await;
        assert_eq!(desk.world.ports.queues.depth("outbox").await.unwrap(), 0, "a mail that is put off is no failed call");
    }
    assert!(desk.sent().is_empty());
    desk.trouble.mailer_down.store(false, Ordering::SeqCst);
    desk.pass(Duration::hours(1));
    assert!(host.invoker.tick("SweepOutbox", None, false).await);
    assert_eq!(host.outbox.poll_once().await, 1);
    assert_eq!(desk.sent().len(), 1);
}

#[tokio::test]
async fn a_mail_whose_sender_died_goes_out_again_with_the_same_message_id() {
    let desk = Desk::new().await;
    let host = Host::of(&desk.world, desk.world.app.clone()).await;
    desk.trouble.dies_after_sending.store(true, Ordering::SeqCst);
    desk.answer(&host).await;
    assert_eq!(host.outbox.poll_once().await, 1);
    assert_eq!(desk.sent().len(), 1);
    // The next process, which gets the call again. While the claim holds the mail may still be on its way.
    let host = Host::of(&desk.world, desk.world.another()).await;
    desk.pass(Duration::minutes(2));
    assert_eq!(host.outbox.poll_once().await, 2);
    assert_eq!(desk.sent().len(), 1);
    desk.pass(Duration::minutes(4));
    assert!(host.invoker.tick("SweepOutbox", None, false).await);
    assert_eq!(host.outbox.poll_once().await, 1);
    let sent = desk.sent();
    assert_eq!(sent.len(), 2, "a send in doubt is repeated, never left out");
    assert_eq!(sent[0], sent[1]);
    desk.pass(Duration::hours(1));
    assert!(host.invoker.tick("SweepOutbox", None, false).await);
    assert_eq!((host.outbox.poll_once().await, desk.sent().len()), (0, 2));
}
