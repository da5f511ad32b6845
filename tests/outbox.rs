//! Mail out, row by row: sent once, tried again, given up, sent again in doubt; and no row's trouble is another's.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use helpdesk::{
    access::Role,
    functions::App,
    ids::{Kind, RecordId, TenantId, partition},
    outbox::{
        self, Delivered, Leaving, delivery,
        given_up::{self, GivenUp},
    },
    ports::{Document, Fault, Mailer, NewDocument, OutgoingMail, Ports, Scan, Slot, Undelivered, Versions, Write, decode_text},
    tenants::{self, Change, State},
};
use serde_json::{Value, json};
use time::Duration;
use ulid::Ulid;

use crate::support::{
    TestClock,
    faulty::{Plan, faulty},
    world::{HELP, World, mail, queue, tick},
};

const ANN: &str = "ann@adventure-works.example";
const BOB: &str = "bob@northwind.example";
/// What the mails of these tests are about.
const ABOUT: &str = "a-ticket:a-comment";
/// More than a row keeps itself.
const LONG: usize = 20 * 1024;

/// What the mail server does with the next mail; without a step it takes it.
enum Step {
    Fails(Fault),
    /// With this status.
    Refuses(Fault, &'static str),
    /// Takes it and never says so.
    TakesAndHangs,
    /// Takes it, and its answer is lost.
    TakesAndBreaks,
    /// Is silent so long, by the world's clock, and fails.
    FailsAfter(Duration),
}

#[derive(Default)]
struct Server {
    steps: Mutex<VecDeque<Step>>,
    clock: Mutex<Option<Arc<TestClock>>>,
}

struct Scripted {
    server: Arc<Server>,
    inner: Arc<dyn Mailer>,
}

#[async_trait]
impl Mailer for Scripted {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        // Bound to a name, so that the lock is not held while sending.
        let step = self.server.steps.lock().unwrap().pop_front();
        match step {
            None => self.inner.send(mail).await,
            Some(Step::Fails(fault)) => Err(fault.into()),
            Some(Step::Refuses(fault, status)) => Err(Undelivered { status: Some(status.to_owned()), ..fault.into() }),
            Some(Step::TakesAndHangs) => {
                self.inner.send(mail).await?;
                std::future::pending().await
            }
            Some(Step::TakesAndBreaks) => {
                self.inner.send(mail).await?;
                Err(Undelivered { perhaps_taken: true, ..silent().into() })
            }
            Some(Step::FailsAfter(silence)) => {
                self.server.clock.lock().unwrap().as_ref().unwrap().advance(silence);
                Err(silent().into())
            }
        }
    }
}

struct Desk {
    world: World,
    server: Arc<Server>,
    tenant: TenantId,
}

impl Desk {
    async fn new() -> Desk {
        let server = Arc::new(Server::default());
        let own = server.clone();
        let world = World::with(move |ports| Ports { mailer: Arc::new(Scripted { server: own, inner: ports.mailer.clone() }), ..ports }).await;
        *server.clock.lock().unwrap() = Some(world.clock.clone());
        Desk { world, server, tenant: "contoso".parse().unwrap() }
    }

    fn will(&self, steps: impl IntoIterator<Item = Step>) {
        self.server.steps.lock().unwrap().extend(steps);
    }

    /// A mail in the outbox as a change leaves it there, of this many bytes at least.
    async fn leave(&self, tenant: &str, bytes: usize) -> RecordId {
        self.leave_to(tenant, bytes, &[ANN]).await
    }

    /// The same, to several.
    async fn leave_to(&self, tenant: &str, bytes: usize, to: &[&str]) -> RecordId {
        let tenant: TenantId = tenant.parse().unwrap();
        let now = self.world.ports.clock.now();
        let mut random = [0; 16];
        self.world.ports.entropy.fill(&mut random);
        let id = RecordId::new(Ulid::from_parts((now.unix_timestamp_nanos() / 1_000_000) as u64, u128::from_be_bytes(random)));
        let raw = format!("Message-ID: <{id}@contoso.example>\r\n\r\n{}\r\n", "x".repeat(bytes)).into_bytes();
        let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
        let mail = Leaving { record: id, about: ABOUT, from: HELP, to: &to, raw: &raw };
        let keys = self.world.app.keyring.keys(&tenant).await.unwrap();
        let rows = outbox::rows(&self.world.ports, &keys, &tenant, &mail, now).await.unwrap();
        self.world.ports.documents.commit(&partition(&tenant, Kind::Outbox), rows).await.unwrap();
        id
    }

    async fn deliver(&self) -> Delivered {
        deliver(&self.world.app, &self.tenant).await
    }

    async fn after(&self, time: Duration) -> Delivered {
        self.world.clock.advance(time);
        self.deliver().await
    }

    /// The Message-IDs of what left the house.
    fn sent(&self) -> Vec<String> {
        message_ids(&self.world)
    }

    async fn stored(&self, id: RecordId) -> Document {
        let found = self.world.ports.documents.get(&partition(&self.tenant, Kind::Outbox), &format!("outbox:{id}")).await.unwrap();
        found.unwrap()
    }

    /// State, tries and doubt of a row.
    async fn row(&self, id: RecordId) -> (String, u64, bool) {
        let row: Value = self.world.app.keyring.keys(&self.tenant).await.unwrap().open_document(&self.stored(id).await).unwrap();
        (row["state"].as_str().unwrap().to_owned(), row["tries"].as_u64().unwrap(), row["possibly_duplicate"].as_bool().unwrap())
    }

    /// Who gets the mails, how each delivery goes, its status and tries, in the order of their records.
    async fn deliveries(&self) -> Vec<(String, &'static str, Option<String>, u32)> {
        let keys = self.world.app.keyring.keys(&self.tenant).await.unwrap();
        let found = delivery::between(&self.world.ports, &keys, &self.tenant, ABOUT, ABOUT).await.unwrap();
        let deliveries = found.into_values().flatten().map(|stored| stored.delivery);
        deliveries.map(|delivery| (delivery.to, delivery.state.name(), delivery.status, delivery.tries)).collect()
    }

    async fn becomes(&self, state: State) {
        let change = Change { state: Some(state), ..Change::default() };
        tenants::change(&self.world.ports, &self.world.app.keyring, "test", &self.tenant, &Versions::Any, &change).await.unwrap();
    }

    /// Makes a row one that does not open.
    async fn garble(&self, id: RecordId) -> Vec<u8> {
        let stored = self.stored(id).await;
        let mut body = stored.body;
        *body.last_mut().unwrap() ^= 1;
        let document = NewDocument { id: stored.id, kind: stored.kind, keys: stored.keys, expires_at: None, body: body.clone() };
        let write = Write::Replace { document, etag: stored.etag };
        self.world.ports.documents.commit(&stored.partition, vec![write]).await.unwrap();
        body
    }

    async fn blobs(&self) -> usize {
        self.world.ports.blobs.list("outbox", "", None, 10).await.unwrap().len()
    }

    async fn given_up(&self) -> Vec<String> {
        let place = partition(&self.tenant, Kind::Outbox);
        let scan = Scan::prefix(&place, Slot::K2, outbox::given_up::GIVEN_UP, 10);
        self.world.ports.documents.scan(&scan).await.unwrap().into_iter().map(|document| document.id).collect()
    }
}

async fn deliver(app: &App, tenant: &TenantId) -> Delivered {
    outbox::deliver(&app.ports, &app.keyring, tenant).await.unwrap()
}

fn message_ids(world: &World) -> Vec<String> {
    let id = |mail: &OutgoingMail| String::from_utf8_lossy(&mail.raw).lines().next().unwrap().to_owned();
    world.sent.mails.lock().unwrap().iter().map(id).collect()
}

fn message_id(id: RecordId) -> String {
    format!("Message-ID: <{id}@contoso.example>")
}

fn silent() -> Fault {
    Fault::Unavailable("the mail server does not answer".to_owned())
}

const NOTHING: Delivered = Delivered { sent: 0, delayed: 0, given_up: 0, failed: 0 };
const SENT: Delivered = Delivered { sent: 1, ..NOTHING };
const DELAYED: Delivered = Delivered { delayed: 1, ..NOTHING };
const GIVEN_UP: Delivered = Delivered { given_up: 1, ..NOTHING };

#[tokio::test]
async fn a_mail_is_sent_once_and_its_row_kept_for_a_week_without_it() {
    let desk = Desk::new().await;
    let (short, long) = (desk.leave("contoso", 10).await, desk.leave("contoso", LONG).await);
    let blobs = || desk.world.ports.blobs.list("outbox", "", None, 10);
    assert_eq!(blobs().await.unwrap().len(), 1);
    assert_eq!(desk.deliver().await, Delivered { sent: 2, ..NOTHING });
    assert_eq!(blobs().await.unwrap(), Vec::<String>::new());
    assert_eq!(desk.sent().into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([message_id(short), message_id(long)]));
    assert_eq!(desk.row(long).await, ("sent".to_owned(), 1, false));
    assert_eq!(desk.after(Duration::days(6)).await, NOTHING);
    assert_eq!(desk.stored(short).await.keys, [None, None, None, None]);
    desk.world.clock.advance(Duration::days(2));
    assert_eq!(desk.world.ports.documents.get(&partition(&desk.tenant, Kind::Outbox), &format!("outbox:{short}")).await.unwrap(), None);
    assert_eq!(desk.sent().len(), 2);
}

fn delivered(to: &str, state: &'static str, status: Option<&str>, tries: u32) -> (String, &'static str, Option<String>, u32) {
    (to.to_owned(), state, status.map(str::to_owned), tries)
}

#[tokio::test]
async fn what_is_refused_for_one_recipient_goes_to_the_others() {
    let desk = Desk::new().await;
    let id = desk.leave_to("contoso", LONG, &[ANN, BOB, "carol@northwind.example"]).await;
    let states = async || desk.deliveries().await.into_iter().map(|(_, state, ..)| state).collect::<Vec<_>>();
    assert_eq!(states().await, ["waiting", "waiting", "waiting"]);
    let refused = Fault::Corrupt("refused for good".to_owned());
    desk.will([Step::Refuses(refused, "5.1.1"), Step::Refuses(Fault::Throttled { after: std::time::Duration::from_secs(60) }, "451")]);
    assert_eq!(desk.deliver().await, Delivered { sent: 1, delayed: 1, given_up: 1, ..NOTHING });
    let expected = [
        delivered(ANN, "failed", Some("5.1.1"), 1),
        delivered(BOB, "delayed", Some("451"), 1),
        delivered("carol@northwind.example", "sent", None, 1),
    ];
    assert_eq!(desk.deliveries().await, expected);
    assert_eq!(desk.after(Duration::minutes(1)).await, SENT);
    assert_eq!(states().await, ["failed", "sent", "sent"]);
    // The same mail to both, each by himself.
    let mails = desk.world.sent.mails.lock().unwrap().clone();
    let to: Vec<&str> = mails.iter().flat_map(|mail| &mail.to).map(String::as_str).collect();
    assert_eq!((to, &mails[0].raw), (vec!["carol@northwind.example", BOB], &mails[1].raw));
    assert_eq!(desk.given_up().await, [format!("outbox:{id}")]);
    let blobs = desk.world.ports.blobs.list("outbox", "", None, 10).await.unwrap();
    assert!(blobs.len() == 1 && blobs[0].starts_with(&format!("contoso/{id}-")), "it is kept for the one who did not get it: {blobs:?}");
}

#[tokio::test]
async fn the_blob_of_a_mail_goes_with_the_last_of_its_recipients() {
    let desk = Desk::new().await;
    desk.leave_to("contoso", LONG, &[ANN, BOB]).await;
    let blobs = async || desk.world.ports.blobs.list("outbox", "", None, 10).await.unwrap().len();
    desk.will([Step::Fails(silent())]);
    assert_eq!((desk.deliver().await, blobs().await), (Delivered { sent: 1, delayed: 1, ..NOTHING }, 1));
    assert_eq!((desk.after(Duration::minutes(1)).await, blobs().await), (SENT, 0));
}

#[tokio::test]
async fn a_second_try_of_a_story_sends_what_it_says_and_not_what_the_first_said() {
    let desk = Desk::new().await;
    let (world, now) = (&desk.world, desk.world.ports.clock.now());
    let (keys, record) = (world.app.keyring.keys(&desk.tenant).await.unwrap(), RecordId::new(Ulid::from_parts(1, 2)));
    let rows = async |to: &str| {
        let raw = format!("Message-ID: <one@contoso.example>\r\nTo: {to}\r\n\r\n{}\r\n", "x".repeat(LONG)).into_bytes();
        let mail = Leaving { record, about: ABOUT, from: HELP, to: &[to.to_owned()], raw: &raw };
        outbox::rows(&world.ports, &keys, &desk.tenant, &mail, now).await.unwrap()
    };
    // The first one met a conflict.
    let _lost = rows(ANN).await;
    world.ports.documents.commit(&partition(&desk.tenant, Kind::Outbox), rows(BOB).await).await.unwrap();
    assert_eq!(desk.deliver().await, SENT);
    let mails = world.sent.mails.lock().unwrap().clone();
    assert_eq!((mails.len(), &mails[0].to[..]), (1, &[BOB.to_owned()][..]));
    assert!(String::from_utf8_lossy(&mails[0].raw).contains(&format!("To: {BOB}\r\n")));
    assert!(world.ports.blobs.list("outbox", "", None, 10).await.unwrap().is_empty(), "nor is the first one kept");
}

#[tokio::test]
async fn what_was_under_way_when_its_tenant_was_removed_goes_after_him() {
    let desk = Desk::new().await;
    desk.leave("contoso", LONG).await;
    desk.world.app.keyring.forget(&desk.tenant).await.unwrap();
    assert_eq!(desk.deliver().await, NOTHING);
    let place = partition(&desk.tenant, Kind::Outbox);
    assert!(desk.world.ports.documents.scan(&Scan::prefix(&place, Slot::K1, "due:", 10)).await.unwrap().is_empty());
    assert!(desk.sent().is_empty());
}

#[tokio::test]
async fn an_address_beyond_ascii_is_in_the_header_of_its_own_mail_alone() {
    const ZOE: &str = "zoë@northwind.example";
    let desk = Desk::new().await;
    let world = &desk.world;
    world.mail(HELP, "a.eml", &mail(ANN, "q1@a.example", "A question", "", "Words.")).await;
    let path = format!("/api/tickets/{}", world.tickets("contoso").await[0]["id"].as_str().unwrap());
    let token = world.token("contoso", Role::Agent, None);
    let cc = json!({ "cc": [{ "address": ZOE, "name": "Zoë" }, { "address": BOB }] }).to_string();
    assert_eq!(world.http("PATCH", &path, Some(&token), cc.as_bytes()).await.status, 200);
    // More than a row holds: each of the two mails has a blob of its own.
    let body = json!({ "text": "An answer. ".repeat(LONG / 10), "public": true }).to_string();
    assert_eq!(world.http("POST", &format!("{path}/comments"), Some(&token), body.as_bytes()).await.status, 201);
    let blobs = async || world.ports.blobs.list("outbox", "", None, 10).await.unwrap().len();
    assert_eq!(blobs().await, 2);
    desk.will([Step::Fails(silent())]);
    assert_eq!(desk.deliver().await, Delivered { sent: 2, delayed: 1, ..NOTHING });
    assert_eq!((desk.after(Duration::minutes(1)).await, blobs().await), (SENT, 0));
    let mails = world.sent.mails.lock().unwrap();
    let header = |to: &str| {
        let mail = mails.iter().find(|mail| mail.to == [to.to_owned()]).unwrap();
        String::from_utf8(mail.raw.clone()).unwrap().split("\r\n\r\n").next().unwrap().replace("\r\n ", " ")
    };
    let line = |to: &str, name: &str| header(to).lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    for to in [ANN, BOB] {
        assert!(header(to).is_ascii());
        assert_eq!(line(to, "Cc:"), format!("Cc: =?utf-8?B?Wm/Dqw==?=:;, <{BOB}>"));
    }
    assert_eq!(line(ZOE, "Cc:"), format!("Cc: =?utf-8?B?Wm/Dqw==?= <{ZOE}>, <{BOB}>"));
    assert_eq!(line(ZOE, "Message-ID:"), line(ANN, "Message-ID:"));
}

#[tokio::test]
async fn mail_of_a_tenant_who_is_not_served_is_held_until_he_is() {
    const WAKE_UP: &str = r#"{"v":1,"tenant":"contoso"}"#;
    for state in [State::Suspended, State::Restoring] {
        let desk = Desk::new().await;
        let mut left = BTreeSet::new();
        for _ in 0..60 {
            left.insert(desk.leave("contoso", 10).await);
        }
        desk.becomes(state).await;
        for held in ["50 held", "10 held", "0 held"] {
            let (status, note) = queue(&desk.world.app, "DeliverOutbox", WAKE_UP).await;
            assert!(status == 200 && note.starts_with(held), "{note}");
        }
        desk.world.clock.advance(Duration::days(30));
        assert_eq!(tick(&desk.world.app, "SweepOutbox").await.1, "0 tenants had overdue mail", "it costs nothing while it is held");
        assert!(tick(&desk.world.app, "ReleaseHeld").await.1.starts_with("0 held"));
        for id in &left {
            assert_eq!(desk.row(*id).await, ("waiting".to_owned(), 0, false));
        }
        assert!(desk.sent().is_empty());

        desk.becomes(State::Active).await;
        assert!(tick(&desk.world.app, "ReleaseHeld").await.1.starts_with("60 held"));
        assert_eq!((desk.deliver().await.sent, desk.deliver().await.sent), (50, 10));
        assert!(tick(&desk.world.app, "ReleaseHeld").await.1.starts_with("0 held"));
        assert_eq!((desk.deliver().await, desk.sent().len()), (NOTHING, 60));
    }
}

#[tokio::test]
async fn a_bounce_that_is_faster_than_our_own_note_stays() {
    let desk = Desk::new().await;
    desk.leave("contoso", 10).await;
    desk.will([Step::TakesAndHangs]);
    let mut process = Box::pin(desk.deliver());
    while desk.sent().is_empty() {
        assert!(tokio::time::timeout(std::time::Duration::from_millis(2), &mut process).await.is_err());
    }
    drop(process);
    let keys = desk.world.app.keyring.keys(&desk.tenant).await.unwrap();
    let known = delivery::between(&desk.world.ports, &keys, &desk.tenant, ABOUT, ABOUT).await.unwrap().remove(ABOUT).unwrap().remove(0);
    let bounced = delivery::Delivery { state: delivery::State::Failed, status: Some("5.2.2".to_owned()), ..known.delivery.clone() };
    let write = known.rewritten(&keys, &desk.tenant, &bounced).unwrap();
    desk.world.ports.documents.commit(&partition(&desk.tenant, Kind::Delivery), vec![write]).await.unwrap();
    assert_eq!(desk.after(Duration::minutes(5)).await, SENT);
    assert_eq!(desk.deliveries().await, [delivered(ANN, "failed", Some("5.2.2"), 0)]);
}

#[tokio::test]
async fn a_delivery_that_does_not_open_makes_no_mail_go_out_again() {
    let desk = Desk::new().await;
    desk.leave("contoso", 10).await;
    let place = partition(&desk.tenant, Kind::Delivery);
    let stored = desk.world.ports.documents.scan(&Scan::prefix(&place, Slot::Id, "delivery:", 10)).await.unwrap().remove(0);
    let document = NewDocument { id: stored.id, kind: stored.kind, keys: stored.keys, expires_at: None, body: vec![1; 40] };
    desk.world.ports.documents.commit(&place, vec![Write::Replace { document, etag: stored.etag }]).await.unwrap();
    assert_eq!((desk.deliver().await, desk.after(Duration::days(1)).await, desk.sent().len()), (SENT, NOTHING, 1));
}

#[tokio::test]
async fn an_answer_does_not_wait_for_a_silent_server() {
    let desk = Desk::new().await;
    let world = &desk.world;
    world.mail(HELP, "a.eml", &mail(ANN, "q1@a.example", "A question", "", "Words.")).await;
    let path = format!("/api/tickets/{}/comments", world.tickets("contoso").await[0]["id"].as_str().unwrap());
    let token = world.token("contoso", Role::Agent, None);
    desk.will([Step::TakesAndHangs]);
    let body = json!({ "text": "An answer.", "public": true }).to_string();
    assert_eq!(world.http("POST", &path, Some(&token), body.as_bytes()).await.status, 201);
    assert_eq!(desk.server.steps.lock().unwrap().drain(..).count(), 1, "the server was not asked");
    // One wake-up at once, one in a minute.
    let leases = world.ports.queues.lease("outbox", 10, std::time::Duration::from_secs(600)).await.unwrap();
    assert_eq!((leases.len(), world.ports.queues.depth("outbox").await.unwrap()), (1, 2));
    let message = decode_text(&leases[0].text).unwrap();
    assert_eq!(queue(&world.app, "DeliverOutbox", &message).await, (200, "1 sent, 0 delayed, 0 given up".to_owned()));
    world.clock.advance(Duration::minutes(1));
    assert_eq!(queue(&world.app, "DeliverOutbox", &message).await, (200, "0 sent, 0 delayed, 0 given up".to_owned()));
}

#[tokio::test]
async fn a_mail_is_tried_again_with_growing_pauses_until_it_is_given_up() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", 10).await;
    let began = desk.world.ports.clock.now();
    let minutes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720, 720];
    desk.will((0..=minutes.len()).map(|_| Step::Fails(silent())));
    assert_eq!(desk.deliver().await, DELAYED);
    for (index, pause) in minutes.into_iter().enumerate() {
        let last = index + 1 == minutes.len();
        assert_eq!(desk.after(Duration::minutes(pause) - Duration::SECOND).await, NOTHING, "pause {index}");
        assert_eq!(desk.after(Duration::SECOND).await, if last { GIVEN_UP } else { DELAYED }, "pause {index}");
    }
    assert!(desk.world.ports.clock.now() - began > Duration::days(2));
    assert_eq!(desk.row(id).await, ("given_up".to_owned(), 14, false));
    assert_eq!(desk.deliveries().await, [delivered(ANN, "failed", None, 14)]);
    assert_eq!(desk.given_up().await, [format!("outbox:{id}")]);
    assert_eq!(desk.after(Duration::days(29)).await, NOTHING);
    assert_eq!(desk.given_up().await.len(), 1, "it is kept for whoever sends it again");
    assert!(desk.sent().is_empty());
}

#[tokio::test]
async fn a_mail_that_fails_for_a_while_is_sent_in_the_end() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", LONG).await;
    desk.will([Step::Fails(silent()), Step::Fails(silent())]);
    assert_eq!((desk.deliver().await, desk.after(Duration::minutes(1)).await, desk.after(Duration::minutes(2)).await), (DELAYED, DELAYED, SENT));
    assert_eq!(desk.sent(), [message_id(id)]);
    assert_eq!(desk.row(id).await, ("sent".to_owned(), 3, false));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_at_once() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", 10).await;
    desk.will([Step::Fails(Fault::Corrupt("refused for good with 550".to_owned()))]);
    let (status, note) = queue(&desk.world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
    assert_eq!((status, note.as_str()), (200, "0 sent, 0 delayed, 1 given up"));
    assert_eq!(desk.row(id).await, ("given_up".to_owned(), 1, false));
    let (due, given_up) = (format!("due:2026-12-23T09:00:00.000Z+{id}"), format!("given_up:2026-11-23T09:00:00.000Z+{id}"));
    assert_eq!(desk.stored(id).await.keys, [Some(due), Some(given_up), None, None]);
    assert_eq!(desk.after(Duration::days(1)).await, NOTHING);
}

/// Each recipient was refused for good.
async fn desk_that_gave_up(to: &[&str]) -> (Desk, RecordId) {
    let desk = Desk::new().await;
    let id = desk.leave_to("contoso", LONG, to).await;
    desk.will(to.iter().map(|_| Step::Refuses(Fault::Corrupt("refused for good".to_owned()), "5.1.1")));
    assert_eq!(desk.deliver().await, Delivered { given_up: to.len(), ..NOTHING });
    (desk, id)
}

#[tokio::test]
async fn what_was_given_up_goes_after_a_month_with_its_blob() {
    let (desk, id) = desk_that_gave_up(&[ANN, BOB]).await;
    desk.garble(id).await;
    desk.world.clock.advance(Duration::days(30) - Duration::SECOND);
    assert_eq!((outbox::sweep(&desk.world.ports).await.unwrap(), desk.given_up().await.len(), desk.blobs().await), (0, 2, 1));
    desk.world.clock.advance(Duration::SECOND);
    assert_eq!(outbox::sweep(&desk.world.ports).await.unwrap(), 1);
    assert_eq!(desk.deliver().await, NOTHING);
    assert_eq!((outbox::sweep(&desk.world.ports).await.unwrap(), desk.given_up().await.len(), desk.blobs().await), (0, 0, 0));
    assert!(desk.sent().is_empty());
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_when_somebody_asks_for_it() {
    let (desk, id) = desk_that_gave_up(&[ANN]).await;
    let (ports, keyring) = (&desk.world.ports, &desk.world.app.keyring);
    let listed = given_up::list(ports, keyring, &desk.tenant).await.unwrap();
    let expected =
        GivenUp { id, at: "2026-11-23T09:00:00.000Z".to_owned(), to: Some(ANN.to_owned()), tries: Some(1), status: Some("5.1.1".to_owned()) };
    assert_eq!((listed, given_up::count(ports, &desk.tenant).await.unwrap()), (vec![expected], 1));
    desk.world.clock.advance(Duration::days(7));
    let events = desk.world.events("contoso").await;
    assert!(given_up::retry(ports, keyring, &desk.tenant, id, "test").await.unwrap());
    assert!(!given_up::retry(ports, keyring, &desk.tenant, id, "test").await.unwrap(), "it waits, and is given up no more");
    assert_eq!(desk.world.events("contoso").await, events + 1);
    assert_eq!((desk.row(id).await, desk.given_up().await), (("waiting".to_owned(), 0, false), Vec::new()));
    assert_eq!(desk.deliveries().await, [delivered(ANN, "delayed", Some("5.1.1"), 0)]);
    assert_eq!((desk.deliver().await, desk.sent(), desk.blobs().await), (SENT, vec![message_id(id)], 0));
    assert_eq!(desk.deliveries().await, [delivered(ANN, "sent", None, 1)]);
}

#[tokio::test]
async fn what_may_have_arrived_is_still_in_doubt_when_it_is_sent_again() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", 10).await;
    desk.will([Step::TakesAndBreaks, Step::Fails(Fault::Corrupt("refused for good".to_owned()))]);
    assert_eq!((desk.deliver().await, desk.after(Duration::minutes(1)).await), (DELAYED, GIVEN_UP));
    assert!(given_up::retry(&desk.world.ports, &desk.world.app.keyring, &desk.tenant, id, "test").await.unwrap());
    assert_eq!((desk.deliver().await, desk.deliveries().await), (SENT, vec![delivered(ANN, "possibly_duplicate", None, 1)]));
}

#[tokio::test]
async fn what_was_given_up_is_dropped_and_nothing_else_is() {
    let (desk, first) = desk_that_gave_up(&[ANN, BOB]).await;
    let (ports, keyring) = (&desk.world.ports, &desk.world.app.keyring);
    let waiting = desk.leave("contoso", 10).await;
    assert!(!given_up::drop_mail(ports, keyring, &desk.tenant, waiting, "test").await.unwrap());
    for (blobs, id) in [(1, first), (0, outbox::record_at(first, 1))] {
        assert!(given_up::drop_mail(ports, keyring, &desk.tenant, id, "test").await.unwrap());
        assert_eq!(desk.blobs().await, blobs);
    }
    assert_eq!((desk.given_up().await.len(), desk.deliver().await), (0, SENT));
    assert_eq!(desk.deliveries().await.iter().filter(|delivery| delivery.1 == "failed").count(), 2);
}

#[tokio::test]
async fn a_mail_that_is_dropped_and_sent_again_at_once_is_one_or_the_other() {
    for round in 0..10 {
        let (desk, id) = desk_that_gave_up(&[ANN]).await;
        let (ports, keyring) = (&desk.world.ports, &desk.world.app.keyring);
        let retry = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            given_up::retry(ports, keyring, &desk.tenant, id, "test").await
        };
        let (dropped, again) = tokio::join!(given_up::drop_mail(ports, keyring, &desk.tenant, id, "test"), retry);
        let is_again = matches!(again, Ok(true));
        assert_ne!(matches!(dropped, Ok(true)), is_again, "round {round}: {dropped:?} {again:?}");
        assert_eq!(desk.deliver().await, if is_again { SENT } else { NOTHING }, "round {round}");
        assert_eq!(desk.blobs().await, 0);
    }
}

#[tokio::test]
async fn a_drop_that_is_cut_off_anywhere_is_finished_by_the_next_delivery() {
    let (desk, id) = desk_that_gave_up(&[ANN]).await;
    let plan = Arc::new(Plan::default());
    for call in 1.. {
        plan.fail_at(call, true);
        let ports = faulty(&desk.world.ports, &plan);
        let dropped = given_up::drop_mail(&ports, &desk.world.app.keyring, &desk.tenant, id, "test").await;
        plan.fail_at(0, false);
        if desk.given_up().await.is_empty() {
            assert!(dropped.is_err(), "the claim was made, and its answer was lost");
            break;
        }
    }
    assert!(!given_up::retry(&desk.world.ports, &desk.world.app.keyring, &desk.tenant, id, "test").await.unwrap(), "nobody sends it any more");
    assert_eq!((desk.deliver().await, desk.blobs().await), (NOTHING, 0));
    assert_eq!(desk.world.ports.documents.get("t:contoso", &format!("outbox:{id}")).await.unwrap(), None);
}

#[tokio::test]
async fn many_that_end_keep_no_new_mail_waiting() {
    let to: Vec<String> = (0..60).map(|at| format!("p{at}@a.example")).collect();
    let (desk, _) = desk_that_gave_up(&to.iter().map(String::as_str).collect::<Vec<_>>()[..45]).await;
    let later = desk.leave_to("contoso", 10, &to.iter().map(String::as_str).collect::<Vec<_>>()[45..]).await;
    desk.will((45..60).map(|_| Step::Refuses(Fault::Corrupt("refused for good".to_owned()), "5.1.1")));
    assert_eq!(desk.deliver().await, Delivered { given_up: 15, ..NOTHING });
    assert_ne!(later.to_string(), "");
    desk.world.clock.advance(Duration::days(31));
    desk.leave("contoso", 10).await;
    let wakes = async || {
        let leased = desk.world.ports.queues.lease("outbox", 32, std::time::Duration::ZERO).await.unwrap();
        leased.len()
    };
    let before = wakes().await;
    assert_eq!(desk.deliver().await, NOTHING, "the first fifty end");
    assert_eq!(wakes().await, before + 1, "and it is woken for the rest");
    assert_eq!(desk.deliver().await, SENT);
}

#[tokio::test]
async fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    let desk = Desk::new().await;
    desk.leave("contoso", 10).await;
    desk.will([Step::Fails(Fault::Throttled { after: std::time::Duration::from_secs(1800) })]);
    assert_eq!(desk.deliver().await, DELAYED);
    assert_eq!(desk.after(Duration::minutes(29)).await, NOTHING);
    assert_eq!(desk.after(Duration::minutes(1)).await, SENT);
}

#[tokio::test]
async fn a_mail_in_doubt_is_sent_again_as_the_same_and_marked() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", 10).await;
    desk.will([Step::TakesAndHangs]);
    let (app, tenant) = (desk.world.app.clone(), desk.tenant.clone());
    let process = tokio::spawn(async move { deliver(&app, &tenant).await });
    while desk.sent().is_empty() {
        assert!(!process.is_finished());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    process.abort();
    assert!(process.await.unwrap_err().is_cancelled());
    assert_eq!(desk.row(id).await, ("sending".to_owned(), 1, false));
    assert_eq!(desk.after(Duration::minutes(4)).await, NOTHING, "while the claim holds it may still be on its way");
    assert_eq!(desk.after(Duration::minutes(1)).await, SENT);
    assert_eq!(desk.sent(), [message_id(id), message_id(id)]);
    assert_eq!(desk.row(id).await, ("sent".to_owned(), 2, true));
    assert_eq!(desk.deliveries().await, [delivered(ANN, "possibly_duplicate", None, 2)]);
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_is_in_doubt_and_one_that_nobody_heard_of_is_not() {
    for (step, sent, doubt) in [(Step::TakesAndBreaks, 2, true), (Step::Fails(silent()), 1, false)] {
        let desk = Desk::new().await;
        let id = desk.leave("contoso", 10).await;
        desk.will([step]);
        assert_eq!(desk.deliver().await, DELAYED);
        assert_eq!(desk.row(id).await, ("waiting".to_owned(), 1, doubt));
        assert_eq!(desk.after(Duration::minutes(1)).await, SENT);
        assert_eq!(desk.sent().len(), sent);
        let state = if doubt { "possibly_duplicate" } else { "sent" };
        assert_eq!(desk.deliveries().await, [delivered(ANN, state, None, 2)]);
    }
}

#[tokio::test]
async fn a_mail_that_may_have_arrived_has_not_failed_because_nobody_could_log_in_later() {
    for (last, state) in [(Fault::Unavailable("login".to_owned()), "possibly_duplicate"), (Fault::Corrupt("no such mailbox".to_owned()), "failed")] {
        let desk = Desk::new().await;
        desk.leave("contoso", 10).await;
        desk.will([Step::TakesAndBreaks]);
        assert_eq!(desk.deliver().await, DELAYED);
        let mut given_up = 0;
        for _ in 0..72 {
            desk.server.steps.lock().unwrap().clear();
            desk.will([Step::Refuses(last.clone(), "5.7.8")]);
            given_up += desk.after(Duration::hours(1)).await.given_up;
        }
        assert_eq!((given_up, desk.deliveries().await[0].1), (1, state));
    }
}

#[tokio::test]
async fn a_mail_whose_senders_keep_dying_is_given_up() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", 10).await;
    for tries in 1..=14 {
        desk.will([Step::TakesAndHangs]);
        let mut process = Box::pin(desk.deliver());
        while desk.sent().len() < tries {
            let ended = tokio::time::timeout(std::time::Duration::from_millis(2), &mut process).await;
            assert!(ended.is_err());
        }
        drop(process);
        desk.world.clock.advance(Duration::minutes(5));
    }
    assert_eq!(desk.deliver().await, GIVEN_UP);
    assert_eq!((desk.sent().len(), desk.row(id).await), (14, ("given_up".to_owned(), 15, true)));
    assert_eq!(desk.deliveries().await, [delivered(ANN, "possibly_duplicate", None, 15)], "nobody said that it failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_deliver_at_once_send_each_mail_once() {
    let desk = Desk::new().await;
    let mut left = BTreeSet::new();
    for _ in 0..20 {
        left.insert(message_id(desk.leave("contoso", 10).await));
    }
    let (other, tenant) = (desk.world.another(), desk.tenant.clone());
    let second = tokio::spawn(async move { deliver(&other, &tenant).await });
    let (first, second) = (desk.deliver().await, second.await.unwrap());
    assert_eq!(first.sent + second.sent, 20);
    assert_eq!(Delivered { sent: 0, ..first }, NOTHING);
    assert_eq!(Delivered { sent: 0, ..second }, NOTHING);
    let sent = desk.sent();
    assert_eq!((sent.len(), sent.into_iter().collect::<BTreeSet<_>>()), (20, left));
}

#[tokio::test]
async fn a_broken_row_stops_no_other_and_is_given_up_in_the_end() {
    let desk = Desk::new().await;
    let (garbled, blobless) = (desk.leave("contoso", 10).await, desk.leave("contoso", LONG).await);
    let body = desk.garble(garbled).await;
    let mail = desk.world.ports.blobs.list("outbox", &format!("contoso/{blobless}-"), None, 2).await.unwrap().remove(0);
    desk.world.ports.blobs.delete("outbox", &mail).await.unwrap();
    desk.world.clock.advance(Duration::SECOND);
    let good = desk.leave("contoso", 10).await;

    assert_eq!(desk.deliver().await, Delivered { sent: 1, delayed: 2, ..NOTHING });
    assert_eq!(desk.sent(), [message_id(good)]);
    assert_eq!(desk.row(blobless).await, ("waiting".to_owned(), 1, false));
    assert_eq!(desk.deliver().await, NOTHING, "they are at the head no more");
    let mut given_up = 0;
    for _ in 0..72 {
        given_up += desk.after(Duration::hours(1)).await.given_up;
    }
    assert_eq!((given_up, desk.given_up().await.len()), (2, 2));
    assert_eq!(desk.stored(garbled).await.body, body, "what does not open is kept as it is");
}

#[tokio::test]
async fn a_row_that_cannot_be_claimed_makes_the_call_come_again() {
    let desk = Desk::new().await;
    let id = desk.leave("contoso", 10).await;
    let plan = Arc::new(Plan::default());
    let app = helpdesk::wiring::app(faulty(&desk.world.ports, &plan), &crate::support::world::config());
    app.keyring.keys(&desk.tenant).await.unwrap();
    app.keyring.keys(&TenantId::system()).await.unwrap();
    // Tenant, scan, delivery, claim.
    for at in [3, 4] {
        plan.fail_at(at, false);
        let (status, note) = queue(&app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
        assert_eq!((status, note.contains("1 not stored")), (500, true), "{note}");
        assert_eq!((desk.sent().len(), plan.calls()), (0, at));
        assert_eq!(desk.row(id).await, ("waiting".to_owned(), 0, false), "it was not sent, and nobody may believe so");
    }
}

#[tokio::test]
async fn what_was_sent_is_not_sent_again_because_that_could_not_be_stored_at_once() {
    for answer_is_lost in [false, true] {
        let desk = Desk::new().await;
        let id = desk.leave("contoso", 10).await;
        let plan = Arc::new(Plan::default());
        let app = helpdesk::wiring::app(faulty(&desk.world.ports, &plan), &crate::support::world::config());
        app.keyring.keys(&desk.tenant).await.unwrap();
        app.keyring.keys(&TenantId::system()).await.unwrap();
        // Tenant, scan, delivery, claim, send, settle.
        plan.fail_at(6, answer_is_lost);
        let (status, note) = queue(&app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
        assert_eq!((status, note.contains("1 sent"), plan.calls() > 6), (200, true, true), "{note}");
        assert_eq!(desk.row(id).await, ("sent".to_owned(), 1, false));
        assert_eq!((desk.after(Duration::minutes(6)).await, desk.sent().len()), (NOTHING, 1));
        assert_eq!(desk.deliveries().await, [delivered(ANN, "sent", None, 1)]);
    }
}

#[tokio::test]
async fn a_silent_server_is_not_asked_again_after_a_minute() {
    let desk = Desk::new().await;
    for _ in 0..10 {
        desk.leave("contoso", 10).await;
    }
    desk.will((0..10).map(|_| Step::FailsAfter(Duration::seconds(30))));
    assert_eq!(desk.deliver().await, Delivered { delayed: 2, ..NOTHING });
    assert_eq!(desk.server.steps.lock().unwrap().drain(..).count(), 8);
    // A pause counts from when its mail failed, not from the beginning of the batch.
    let mut dues: Vec<_> = Vec::new();
    let place = partition(&desk.tenant, Kind::Outbox);
    for document in desk.world.ports.documents.scan(&Scan::prefix(&place, Slot::K1, "due:", 20)).await.unwrap() {
        dues.push(document.keys[0].clone().unwrap()["due:2026-11-23T".len()..].split('+').next().unwrap().to_owned());
    }
    assert_eq!(dues[..8], vec!["09:00:00.000Z"; 8]);
    assert_eq!(dues[8..], ["09:01:30.000Z", "09:02:00.000Z"]);
    assert_eq!(desk.deliver().await.sent, 8);
}

#[tokio::test]
async fn a_claim_lasts_from_its_own_beginning() {
    let desk = Desk::new().await;
    desk.leave("contoso", 10).await;
    desk.world.clock.advance(Duration::SECOND);
    let second = desk.leave("contoso", 10).await;
    desk.will([Step::FailsAfter(Duration::seconds(30)), Step::TakesAndHangs]);
    let mut process = Box::pin(desk.deliver());
    while desk.sent().is_empty() {
        assert!(tokio::time::timeout(std::time::Duration::from_millis(2), &mut process).await.is_err());
    }
    drop(process);
    assert_eq!(desk.stored(second).await.keys[0].as_deref(), Some(format!("due:2026-11-23T09:05:31.000Z+{second}").as_str()));
}

#[tokio::test]
async fn the_sweep_wakes_each_tenant_once() {
    let desk = Desk::new().await;
    for tenant in ["contoso", "fabrikam", "contoso", "fabrikam", "contoso"] {
        desk.leave(tenant, 10).await;
    }
    assert_eq!(outbox::sweep(&desk.world.ports).await.unwrap(), 2);
    let leases = desk.world.ports.queues.lease("outbox", 10, std::time::Duration::from_secs(60)).await.unwrap();
    let mut woken: Vec<_> = leases.iter().map(|lease| outbox::woken_for(&decode_text(&lease.text).unwrap()).unwrap().to_string()).collect();
    woken.sort();
    assert_eq!(woken, ["contoso", "fabrikam"]);
    assert_eq!(outbox::woken_for(r#"[1,"contoso"]"#), None, "a list is no wake-up");
    for tenant in woken {
        deliver(&desk.world.app, &tenant.parse().unwrap()).await;
    }
    assert_eq!((desk.sent().len(), outbox::sweep(&desk.world.ports).await.unwrap()), (5, 0));
}

#[tokio::test]
async fn the_sweep_looks_past_a_tenant_with_more_overdue_mail_than_a_page() {
    let desk = Desk::new().await;
    for _ in 0..450 {
        desk.leave("contoso", 10).await;
    }
    desk.world.clock.advance(Duration::SECOND);
    desk.leave("fabrikam", 10).await;
    assert_eq!(outbox::sweep(&desk.world.ports).await.unwrap(), 2);
    // Until nothing is due: each full batch asks for the next one.
    let mut calls = 0;
    loop {
        let leases = desk.world.ports.queues.lease("outbox", 10, std::time::Duration::from_secs(60)).await.unwrap();
        if leases.is_empty() {
            break;
        }
        for lease in leases {
            let message = decode_text(&lease.text).unwrap();
            assert_eq!(queue(&desk.world.app, "DeliverOutbox", &message).await.0, 200);
            assert!(desk.world.ports.queues.delete("outbox", &lease).await.unwrap());
            calls += 1;
        }
    }
    assert_eq!((desk.sent().len(), calls), (451, 11));
    assert_eq!(outbox::sweep(&desk.world.ports).await.unwrap(), 0);
}
