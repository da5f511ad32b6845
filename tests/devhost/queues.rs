//! What becomes of a message.

use std::{sync::atomic::Ordering, time::Duration};

use helpdesk::{
    devhost::{
        Invocation,
        queues::{BATCH_MESSAGES, LEASE, Listener, MAX_DEQUEUE_COUNT, VISIBILITY_TIMEOUT, Wakes},
    },
    ports::{Queues, encode_text},
};
use tokio::sync::{mpsc::UnboundedReceiver, watch};

use super::fakes::{Handler, World, until};

const QUEUE: &str = "mail-intake";
const POISON: &str = "mail-intake-poison";
const SECOND: Duration = Duration::from_secs(1);

struct Desk {
    world: World,
    handler: Handler,
    listener: Listener,
    seen: UnboundedReceiver<Invocation>,
}

async fn desk(queue: &'static str) -> Desk {
    let world = World::new();
    let handler = Handler::start().await;
    let (invoker, seen) = world.invoker(&handler);
    let listener = Listener::new("IntakeMail", queue, &world.ports, invoker, Wakes::of(&[]));
    Desk { world, handler, listener, seen }
}

impl Desk {
    async fn send(&self, queue: &str, text: &str) {
        self.world.queues.send(queue, &encode_text(text.as_bytes()).unwrap(), Duration::ZERO).await.unwrap();
    }

    fn depth(&self, queue: &str) -> usize {
        self.world.queues.texts(queue).len()
    }
}

#[tokio::test]
async fn a_message_that_succeeds_is_gone() {
    let mut desk = desk(QUEUE).await;
    desk.send(QUEUE, "hello").await;
    assert_eq!(desk.listener.poll_once().await, 1);
    assert_eq!((desk.depth(QUEUE), desk.depth(POISON)), (0, 0));
    let calls = desk.handler.calls();
    assert!(calls[0].starts_with("POST /IntakeMail HTTP/1.1\r\n") && calls[0].contains(r#"{"Data":{"message":"\"hello\""}"#), "{calls:?}");
    let expected = Invocation {
        function: "IntakeMail",
        message: Some("hello".to_owned()),
        succeeded: true,
        logs: vec!["done".to_owned()],
        because: None,
        dequeue_count: 1,
    };
    assert_eq!(desk.seen.try_recv().unwrap(), expected);
}

#[tokio::test]
async fn a_failed_message_waits_two_minutes() {
    let mut desk = desk(QUEUE).await;
    desk.send(QUEUE, "hello").await;
    desk.handler.will_answer(500, r#"{"Outputs":{},"Logs":["the vault is down"],"ReturnValue":null}"#);
    assert_eq!(desk.listener.poll_once().await, 1);
    let seen = desk.seen.try_recv().unwrap();
    assert!(!seen.succeeded && seen.because.unwrap().contains("500"));
    assert_eq!(seen.logs, ["the vault is down"], "whoever watches sees why");
    desk.world.clock.advance(VISIBILITY_TIMEOUT - SECOND);
    assert_eq!(desk.listener.poll_once().await, 0);
    desk.world.clock.advance(SECOND);
    assert_eq!(desk.listener.poll_once().await, 1);
    assert!(desk.handler.calls()[1].contains(r#""DequeueCount":"2""#));
    assert_eq!(desk.depth(QUEUE), 0);
}

#[tokio::test]
async fn an_empty_answer_is_named_a_hang() {
    let mut desk = desk(QUEUE).await;
    desk.send(QUEUE, "hello").await;
    desk.handler.will_answer(200, "null");
    desk.listener.poll_once().await;
    assert!(desk.seen.try_recv().unwrap().because.unwrap().starts_with("hangs until functionTimeout"));
    assert_eq!(desk.depth(QUEUE), 1);
}

#[tokio::test]
async fn the_last_failure_goes_to_the_poison_queue() {
    let desk = desk(QUEUE).await;
    desk.send(QUEUE, "hello").await;
    for attempt in 1..=MAX_DEQUEUE_COUNT {
        desk.handler.will_answer(500, "");
        assert_eq!(desk.depth(POISON), 0, "before attempt {attempt}");
        assert_eq!(desk.listener.poll_once().await, 1, "attempt {attempt}");
        desk.world.clock.advance(VISIBILITY_TIMEOUT);
    }
    assert_eq!(desk.depth(QUEUE), 0);
    assert_eq!(desk.world.queues.texts(POISON), [encode_text(b"hello").unwrap()]);
    assert_eq!(desk.handler.calls().len(), 10);
}

#[tokio::test]
async fn a_message_that_was_killed_too_often_is_put_away_without_a_call() {
    let mut desk = desk(QUEUE).await;
    desk.send(QUEUE, "hello").await;
    for _ in 0..MAX_DEQUEUE_COUNT {
        assert_eq!(desk.world.queues.lease(QUEUE, 1, LEASE).await.unwrap().len(), 1);
        desk.world.clock.advance(LEASE);
    }
    assert_eq!(desk.listener.poll_once().await, 1);
    assert_eq!((desk.depth(QUEUE), desk.depth(POISON), desk.handler.calls().len()), (0, 1, 0));
    let seen = desk.seen.try_recv().unwrap();
    assert_eq!((seen.message.as_deref(), seen.succeeded, seen.dequeue_count), (Some("hello"), false, 11));
}

#[tokio::test]
async fn what_cannot_be_decoded_is_put_away_unread() {
    let mut desk = desk(QUEUE).await;
    desk.world.queues.send(QUEUE, "no base64!", Duration::ZERO).await.unwrap();
    assert_eq!(desk.listener.poll_once().await, 1);
    assert_eq!((desk.depth(QUEUE), desk.handler.calls().len()), (0, 0));
    assert_eq!(desk.world.queues.texts(POISON), ["no base64!"]);
    assert_eq!(desk.seen.try_recv().unwrap().message, None);
}

#[tokio::test]
async fn a_failing_message_of_a_poison_queue_hides_for_its_lease_for_ever() {
    let desk = desk(POISON).await;
    desk.send(POISON, "hello").await;
    for _ in 0..MAX_DEQUEUE_COUNT + 5 {
        desk.handler.will_answer(500, "");
        assert_eq!(desk.listener.poll_once().await, 1);
        desk.world.clock.advance(LEASE - SECOND);
        assert_eq!(desk.listener.poll_once().await, 0);
        desk.world.clock.advance(SECOND);
    }
    assert_eq!((desk.depth(POISON), desk.depth("mail-intake-poison-poison")), (1, 0));
    assert_eq!(desk.handler.calls().len(), 15);
}

#[tokio::test]
async fn a_message_is_lost_at_no_step_of_its_way_to_the_poison_queue() {
    let desk = desk(QUEUE).await;
    desk.world.queues.send(QUEUE, "no base64!", Duration::ZERO).await.unwrap();
    desk.world.queues.refuses_sends.store(true, Ordering::Relaxed);
    desk.listener.poll_once().await;
    assert_eq!((desk.depth(QUEUE), desk.depth(POISON)), (1, 0));
    desk.world.queues.refuses_sends.store(false, Ordering::Relaxed);
    desk.world.queues.refuses_deletes.store(true, Ordering::Relaxed);
    desk.world.clock.advance(LEASE);
    desk.listener.poll_once().await;
    assert_eq!((desk.depth(QUEUE), desk.depth(POISON)), (1, 1));
    desk.world.queues.refuses_deletes.store(false, Ordering::Relaxed);
    desk.world.clock.advance(LEASE);
    desk.listener.poll_once().await;
    assert_eq!((desk.depth(QUEUE), desk.depth(POISON)), (0, 2));
}

#[tokio::test]
async fn a_batch_has_sixteen_messages() {
    let desk = desk(QUEUE).await;
    for count in 0..20 {
        desk.send(QUEUE, &count.to_string()).await;
    }
    assert_eq!(desk.listener.poll_once().await, BATCH_MESSAGES);
    assert_eq!(desk.listener.poll_once().await, 4);
    assert_eq!(desk.depth(QUEUE), 0);
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_function_runs() {
    let Desk { world, handler, listener, .. } = desk(QUEUE).await;
    let listener = listener.renewing_every(Duration::from_millis(20));
    world.queues.send(QUEUE, &encode_text(b"hello").unwrap(), Duration::ZERO).await.unwrap();
    handler.shut();
    let polling = tokio::spawn(async move { listener.poll_once().await });
    until(|| handler.calls().len() == 1).await;
    for _ in 0..3 {
        let before = world.queues.extended.load(Ordering::Relaxed);
        world.clock.advance(LEASE / 2 + SECOND);
        // One renewal may have been under way while the clock moved.
        until(|| world.queues.extended.load(Ordering::Relaxed) >= before + 2).await;
        assert!(world.queues.lease(QUEUE, 1, LEASE).await.unwrap().is_empty());
    }
    handler.open(1);
    assert_eq!(polling.await.unwrap(), 1);
    assert!(world.queues.texts(QUEUE).is_empty());
}

#[tokio::test]
async fn a_lost_lease_does_not_settle() {
    let Desk { world, handler, listener, .. } = desk(QUEUE).await;
    world.queues.send(QUEUE, &encode_text(b"hello").unwrap(), Duration::ZERO).await.unwrap();
    handler.shut();
    let polling = tokio::spawn(async move { listener.poll_once().await });
    until(|| handler.calls().len() == 1).await;
    world.clock.advance(LEASE);
    let other = world.queues.lease(QUEUE, 1, LEASE).await.unwrap();
    handler.open(1);
    assert_eq!(polling.await.unwrap(), 1);
    assert_eq!(world.queues.texts(QUEUE).len(), 1);
    assert!(world.queues.delete(QUEUE, &other[0]).await.unwrap());
}

#[tokio::test]
async fn a_running_listener_takes_the_next_batch_when_half_of_one_is_done() {
    let Desk { world, handler, listener, .. } = desk(QUEUE).await;
    for _ in 0..20 {
        world.queues.send(QUEUE, &encode_text(b"hello").unwrap(), Duration::ZERO).await.unwrap();
    }
    handler.shut();
    let (stopping, stopped) = watch::channel(false);
    let listening = tokio::spawn(async move { listener.run(stopped).await });
    until(|| handler.calls().len() == 16).await;
    handler.open(7);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(handler.calls().len(), 16, "nine are still running");
    handler.open(1);
    until(|| handler.calls().len() == 20).await;
    // Told to stop, it finishes what runs.
    stopping.send(true).unwrap();
    handler.open(12);
    tokio::time::timeout(super::fakes::PATIENCE, listening).await.unwrap().unwrap();
    assert!(world.queues.texts(QUEUE).is_empty());
}
