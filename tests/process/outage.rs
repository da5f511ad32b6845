//! The vault is down for a quarter of an hour while mails arrive: all of them become tickets.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use helpdesk::{
    devhost::{
        Invoker,
        queues::{Listener, MAX_DEQUEUE_COUNT, VISIBILITY_TIMEOUT, Wakes},
    },
    functions::ALL,
    handler,
    ports::encode_text,
};
use tokio::{net::TcpListener, sync::watch};

use crate::support::{
    faulty::{Plan, faulty},
    world::{HELP, World, mail},
};

const MAILS: usize = 30;
const OUTAGE: Duration = Duration::from_secs(15 * 60);
/// Rounds of two minutes until everything must be done.
const ROUNDS_MAX: u32 = 20;

#[tokio::test]
async fn a_vault_that_is_down_for_a_quarter_of_an_hour_loses_no_mail() {
    let plan = Arc::new(Plan::default());
    let world = World::with(|ports| faulty(&ports, &plan)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_ready, readiness) = watch::channel(Some(world.app.clone()));
    tokio::spawn(handler::serve(listener, readiness, std::future::pending()));
    let (observer, mut invocations) = tokio::sync::mpsc::unbounded_channel();
    let invoker = Invoker::new(address, &world.ports, Some(observer));
    let intake = Listener::new("IntakeMail", "mail-intake", &world.ports, invoker.clone(), Wakes::of(ALL));
    let poison = Listener::new("MailIntakePoison", "mail-intake-poison", &world.ports, invoker, Wakes::of(ALL));
    let settle = async || while intake.poll_once().await + poison.poll_once().await > 0 {};

    // One mail before, so that the keys are cached; then the cache runs out, or the outage would not be noticed.
    feed(&world, 0).await;
    settle().await;
    assert!(invocations.try_recv().unwrap().succeeded);
    world.clock.advance(time::Duration::minutes(11));
    plan.vault_down.store(true, Ordering::SeqCst);

    let (mut down_for, mut fed, mut rounds) = (Duration::ZERO, 1, 0);
    while world.ports.queues.depth("mail-intake").await.unwrap() > 0 || fed <= MAILS {
        assert!(rounds < ROUNDS_MAX, "{} mails still wait", world.ports.queues.depth("mail-intake").await.unwrap());
        // They arrive all the time, most of them at once.
        for _ in 0..if rounds == 0 { 20 } else { 2 } {
            if fed <= MAILS {
                feed(&world, fed).await;
                fed += 1;
            }
        }
        settle().await;
        world.clock.advance(time::Duration::try_from(VISIBILITY_TIMEOUT).unwrap());
        (down_for, rounds) = (down_for + VISIBILITY_TIMEOUT, rounds + 1);
        if down_for >= OUTAGE {
            plan.vault_down.store(false, Ordering::SeqCst);
        }
    }

    let (mut failed, mut tries) = (0, 0);
    while let Ok(invocation) = invocations.try_recv() {
        assert_eq!(invocation.function, "IntakeMail", "nothing reaches the poison queue");
        failed += usize::from(!invocation.succeeded);
        tries = tries.max(invocation.dequeue_count);
    }
    assert!(failed >= 100, "the outage was noticed only {failed} times");
    assert!((8..=MAX_DEQUEUE_COUNT).contains(&tries), "{tries}");
    let tickets = world.tickets("contoso").await;
    assert_eq!(tickets.len(), 1 + MAILS);
    let mut subjects: Vec<&str> = tickets.iter().map(|ticket| ticket["subject"].as_str().unwrap()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(subjects.len(), 1 + MAILS, "one was doubled");
    assert!(tickets.iter().all(|ticket| ticket["comments"] == 1));
    assert!(world.unprocessed("contoso").await.is_empty() && world.unprocessed("sys").await.is_empty());
    assert_eq!(world.ports.queues.depth("mail-intake-poison").await.unwrap(), 0);
    assert_eq!(world.ports.blobs.list("mail-intake", "", None, 100).await.unwrap(), Vec::<String>::new());
}

async fn feed(world: &World, at: usize) {
    let raw = mail("ann@adventure-works.example", &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
    let message = world.leave(HELP, &format!("{at}.eml"), &raw).await;
    world.ports.queues.send("mail-intake", &encode_text(message.as_bytes()).unwrap(), Duration::ZERO).await.unwrap();
}
