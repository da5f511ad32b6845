//! A mail from its queue message to the durable commit, beside bare group-committed SQLite inserts: of its bytes as they came, and of what it becomes.
//!
//! All three get the same mails in turn, on the same disk, from the same number of tasks. Feeding the mails in is not measured.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::support::{
    Figures,
    bare::{self, Bare, Rows},
    folder, house, leave, mails, milliseconds,
};
use bytes::Bytes;
use helpdesk::{
    ids::{Kind, partition},
    ports::Document,
    tickets::intake::{self, Outcome},
    wiring::{House, Purpose},
};

/// The first round of each is not counted.
const ROUNDS: usize = 6;
/// One; a batch of the queue; as many as the host keeps running (`queues` of host.json); and more than it ever does.
const IN_FLIGHT: [usize; 4] = [1, 16, 24, 64];
/// Bytes of mail in one round, in as many mails as fit between the two limits.
const ROUND_BYTES: usize = 8_000_000;
const ROUND_MAILS: std::ops::RangeInclusive<usize> = 128..=1024;
/// So many that a round of the intake moves the log into the main file two or three times, not once or never.
const ROUND_MAILS_ALONE: usize = 512;
/// Mails whose documents are counted.
const KEPT_MAILS: usize = 200;
/// Of a partition of Cosmos DB.
const PARTITION_BYTES: f64 = 20e9;
/// Bytes of an item in Cosmos DB besides ids, keys and body: the names of its members, the expiry, and what the service adds (`_rid`, `_self`, `_etag`, ...).
const ITEM_BYTES: usize = 300;
/// By the house from which the rows are taken that a mail becomes.
const TAKEN_IN_AT_ONCE: usize = 16;

pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("intake: mails per second, {} rounds each, one tenant, every mail opens a ticket; median (least to most)", ROUNDS - 1);
    println!(
        "{:<22} {:>9}  {:<24} {:<26} {:<20} {:<24} {:<20} intake's milliseconds a mail",
        "mail", "in flight", "intake", "bare, as it came", "intake / bare", "bare, what it becomes", "intake / bare"
    );
    for (bytes, name) in mails::SIZES {
        for in_flight in IN_FLIGHT {
            let cell = runtime.block_on(cell(bytes, in_flight));
            println!(
                "{name:<22} {in_flight:>9}  {:<24.0} {:<26.0} {:<20.2} {:<24.0} {:<20.2} {:.1}",
                cell.intake, cell.came, cell.beside_came, cell.becomes, cell.beside_becomes, cell.latency
            );
        }
    }
    println!();
    println!("intake: what a mail leaves, each of {KEPT_MAILS} that opened a ticket");
    println!("{:<22} {:>9}  {:>16}  {:>20}  {:>12}  {:>12}", "mail", "documents", "bytes in Cosmos", "mails in 20 GB", "blobs", "their bytes");
    for (bytes, name) in mails::SIZES {
        let kept = runtime.block_on(kept(bytes));
        let ceiling = PARTITION_BYTES / kept.item_bytes;
        println!("{name:<22} {:>9.2}  {:>16.0}  {ceiling:>20.0}  {:>12.1}  {:>12.0}", kept.documents, kept.item_bytes, kept.blobs, kept.blob_bytes);
    }
}

/// What one mail leaves behind for good, its tenant's leased numbers included.
struct Kept {
    documents: f64,
    /// Of its documents, as Cosmos DB keeps them.
    item_bytes: f64,
    blobs: f64,
    blob_bytes: f64,
}

async fn kept(bytes: usize) -> Kept {
    let folder = folder();
    let house = Arc::new(house(folder.path(), Purpose::Host).await);
    let mails: Vec<Bytes> = (0..KEPT_MAILS).map(|at| mails::mail(bytes, at).into()).collect();
    let messages = feed(&house, &mails, 0).await;
    take_in_all(house.clone(), messages, 1).await;
    let ports = &house.app.ports;
    let tenant = "contoso".parse().expect("it is a tenant id");
    let documents =
        ports.documents.changed_since(&partition(&tenant, Kind::Ticket), None, KEPT_MAILS * 100).await.expect("the store answers").documents;
    let blobs = ports.blobs.list("mail", "", None, KEPT_MAILS * 100).await.expect("the store answers");
    let mut blob_bytes = 0;
    for blob in &blobs {
        blob_bytes += ports.blobs.size("mail", blob).await.expect("the store answers").unwrap_or_default();
    }
    let a_mail = |all: usize| all as f64 / KEPT_MAILS as f64;
    Kept {
        documents: a_mail(documents.len()),
        item_bytes: a_mail(documents.iter().map(item_bytes).sum()),
        blobs: a_mail(blobs.len()),
        blob_bytes: blob_bytes as f64 / KEPT_MAILS as f64,
    }
}

fn item_bytes(document: &Document) -> usize {
    let keys: usize = document.keys.iter().flatten().map(String::len).sum();
    ITEM_BYTES + document.partition.len() + document.id.len() + document.kind.len() + keys + document.body.len().div_ceil(3) * 4
}

struct Cell {
    intake: Figures,
    came: Figures,
    beside_came: Figures,
    becomes: Figures,
    beside_becomes: Figures,
    latency: Figures,
}

async fn cell(bytes: usize, in_flight: usize) -> Cell {
    let (ours, twins, first, second) = (folder(), folder(), folder(), folder());
    let twin = Arc::new(house(twins.path(), Purpose::Host).await);
    let house = Arc::new(house(ours.path(), Purpose::Host).await);
    let came = Arc::new(Bare::of_what_came(first.path()));
    let becomes = Arc::new(Bare::of_what_becomes(second.path(), twins.path()));
    let count = if in_flight == 1 { ROUND_MAILS_ALONE } else { (ROUND_BYTES / bytes).clamp(*ROUND_MAILS.start(), *ROUND_MAILS.end()) };
    let mut took: [Vec<Duration>; 3] = Default::default();
    let mut kept = Rows::default();
    for round in 0..ROUNDS {
        let mails: Vec<Bytes> = (0..count).map(|at| mails::mail(bytes, round * count + at).into()).collect();
        let messages = feed(&house, &mails, round).await;
        let told = feed(&twin, &mails, round).await;
        take_in_all(twin.clone(), told, TAKEN_IN_AT_ONCE).await;
        let rows = kept.since(twins.path(), count);
        // The order changes from round to round, so that a disk's moods fall on all.
        for side in (0..3).map(|side| (side + round) % 3) {
            took[side].push(match side {
                0 => take_in_all(house.clone(), messages.clone(), in_flight).await,
                1 => insert_all(came.clone(), mails.iter().map(bare::as_it_came).collect(), in_flight).await,
                _ => insert_all(becomes.clone(), rows.clone(), in_flight).await,
            });
        }
    }
    let rate = |took: &Duration| count as f64 / took.as_secs_f64();
    let [intake, came, becomes] = took.each_ref().map(|took| &took[1..]);
    let beside = |bare: &[Duration]| Figures::of(intake.iter().zip(bare).map(|(ours, bare)| rate(ours) / rate(bare)));
    Cell {
        intake: Figures::of(intake.iter().map(rate)),
        came: Figures::of(came.iter().map(rate)),
        beside_came: beside(came),
        becomes: Figures::of(becomes.iter().map(rate)),
        beside_becomes: beside(becomes),
        latency: Figures::of(intake.iter().map(|took| milliseconds(*took) * in_flight as f64 / count as f64)),
    }
}

async fn feed(house: &House, mails: &[Bytes], round: usize) -> Vec<String> {
    let left = mails.iter().enumerate().map(|(at, raw)| leave(house, format!("bench/{round}-{at}.eml"), raw.clone()));
    let messages = futures::future::join_all(left).await;
    // A message is durable at once, and with it every blob before it: what was fed is not flushed in the measured time.
    house.app.ports.queues.send("bench-fed", "fed", Duration::ZERO).await.expect("the store takes a message");
    messages
}

async fn take_in_all(house: Arc<House>, messages: Vec<String>, in_flight: usize) -> Duration {
    at_once(messages, in_flight, move |message| {
        let house = house.clone();
        async move {
            let outcome = intake::take_in(&house.app.desk, &message).await.expect("the mail is taken in");
            assert!(matches!(outcome, Outcome::Opened { .. }), "{outcome:?}");
        }
    })
    .await
}

async fn insert_all(bare: Arc<Bare>, mails: Vec<bare::Mail>, in_flight: usize) -> Duration {
    at_once(mails, in_flight, move |mail| {
        let bare = bare.clone();
        async move { bare.insert(mail).await }
    })
    .await
}

/// Works on all of them, so many at a time, each in the hands of one of as many tasks.
async fn at_once<T, F>(work: Vec<T>, in_flight: usize, each: impl Fn(T) -> F + Send + Sync + 'static) -> Duration
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let (work, next, each) = (Arc::new(work), Arc::new(AtomicUsize::new(0)), Arc::new(each));
    let started = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let (work, next, each) = (work.clone(), next.clone(), each.clone());
            tokio::spawn(async move {
                while let Some(one) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one.clone()).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    started.elapsed()
}
