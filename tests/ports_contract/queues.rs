//! What `Queues` promises.

use std::{collections::BTreeSet, time::Duration};

use helpdesk::ports::{Fault, MESSAGE_BYTES_MAX, encode_text};

use super::worlds::World;

const Q: &str = "mail-intake";
const NOW: Duration = Duration::ZERO;

pub async fn a_message_is_leased_as_it_was_sent(world: &World) {
    let queues = world.queues();
    queues.send(Q, "dGV4dA== <&> ä", NOW).await.unwrap();
    let sent_at = world.now();
    world.pass(Duration::from_secs(1)).await;
    let leases = queues.lease(Q, 16, world.span()).await.unwrap();
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].text.as_str(), leases[0].dequeue_count), ("dGV4dA== <&> ä", 1));
    assert!(world.is(leases[0].inserted_at, sent_at) && world.is(leases[0].visible_at, world.now() + world.span()), "{leases:?}");
    assert_eq!(queues.depth(Q).await, Ok(1), "a leased message is still there");
}

pub async fn a_leased_message_is_hidden_and_comes_back(world: &World) {
    let queues = world.queues();
    queues.send(Q, "a", NOW).await.unwrap();
    let first = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    let left = world.pass_most(world.span()).await;
    assert!(queues.lease(Q, 1, world.span()).await.unwrap().is_empty());
    world.pass(left).await;
    let second = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    assert_eq!((second.id.as_str(), second.dequeue_count), (first.id.as_str(), 2));
    assert_ne!(second.pop_receipt, first.pop_receipt);
}

pub async fn a_delayed_message_waits(world: &World) {
    let queues = world.queues();
    queues.send(Q, "later", world.span()).await.unwrap();
    assert!(queues.lease(Q, 1, world.span()).await.unwrap().is_empty());
    assert_eq!(queues.depth(Q).await, Ok(1));
    world.pass(world.span()).await;
    assert_eq!(queues.lease(Q, 1, world.span()).await.unwrap()[0].text, "later");
}

pub async fn a_deleted_message_never_comes_back(world: &World) {
    let queues = world.queues();
    queues.send(Q, "a", NOW).await.unwrap();
    let lease = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    assert_eq!(queues.delete(Q, &lease).await, Ok(true));
    assert_eq!(queues.delete(Q, &lease).await, Ok(false), "it is gone");
    world.pass(world.span()).await;
    assert!(queues.lease(Q, 1, world.span()).await.unwrap().is_empty());
    assert_eq!(queues.depth(Q).await, Ok(0));
}

pub async fn a_lost_lease_does_not_settle(world: &World) {
    let queues = world.queues();
    queues.send(Q, "a", NOW).await.unwrap();
    let lost = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    world.pass(world.span()).await;
    let held = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    assert_eq!(queues.delete(Q, &lost).await, Ok(false));
    assert!(queues.extend(Q, &lost, world.span()).await.unwrap().is_none());
    assert_eq!(queues.depth(Q).await, Ok(1));
    assert_eq!(queues.delete("another-queue", &held).await, Ok(false));
    assert_eq!(queues.delete(Q, &held).await, Ok(true));
}

pub async fn an_extended_lease_is_hidden_longer(world: &World) {
    let queues = world.queues();
    queues.send(Q, "a", NOW).await.unwrap();
    let first = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    world.pass(world.span() * 3 / 4).await;
    let second = queues.extend(Q, &first, world.span()).await.unwrap().unwrap();
    assert!(world.is(second.visible_at, world.now() + world.span()), "{second:?}");
    assert_eq!((second.dequeue_count, &second.text), (1, &first.text));
    world.pass(world.span() / 2).await;
    assert!(queues.lease(Q, 1, world.span()).await.unwrap().is_empty());
    assert_eq!(queues.delete(Q, &first).await, Ok(false), "an extension changes the receipt");
    assert_eq!(queues.delete(Q, &second).await, Ok(true));
}

pub async fn an_extension_of_zero_gives_the_message_back(world: &World) {
    let queues = world.queues();
    queues.send(Q, "a", NOW).await.unwrap();
    let first = queues.lease(Q, 1, world.span()).await.unwrap().remove(0);
    queues.extend(Q, &first, NOW).await.unwrap().unwrap();
    assert_eq!(queues.lease(Q, 1, world.span()).await.unwrap()[0].dequeue_count, 2);
}

pub async fn a_lease_takes_no_more_than_it_asked_for(world: &World) {
    let queues = world.queues();
    for at in 0..40 {
        queues.send(Q, &at.to_string(), NOW).await.unwrap();
    }
    assert!(queues.lease(Q, 0, world.span()).await.unwrap().is_empty());
    assert_eq!(queues.lease(Q, 5, world.span()).await.unwrap().len(), 5);
    assert_eq!(queues.lease(Q, 100, world.span()).await.unwrap().len(), 32);
    assert_eq!(queues.lease(Q, 100, world.span()).await.unwrap().len(), 3);
    assert_eq!(queues.depth(Q).await, Ok(40));
}

pub async fn no_message_is_leased_twice_at_once(world: &World) {
    let lease = |_| {
        let queues = world.queues();
        async move { queues.lease(Q, 7, world.span()).await.unwrap() }
    };
    let send = |at: usize| {
        let queues = world.queues();
        async move { queues.send(Q, &at.to_string(), NOW).await.unwrap() }
    };
    futures::future::join_all((0..50).map(send)).await;
    let leases: Vec<_> = futures::future::join_all((0..10).map(lease)).await.into_iter().flatten().collect();
    assert_eq!(leases.len(), 50);
    assert_eq!(leases.iter().map(|lease| &lease.text).collect::<BTreeSet<_>>().len(), 50);
}

pub async fn queues_never_see_each_other(world: &World) {
    let queues = world.queues();
    queues.send(Q, "a", NOW).await.unwrap();
    assert!(queues.lease("mail-intake-poison", 1, world.span()).await.unwrap().is_empty());
    assert_eq!(queues.depth("mail-intake-poison").await, Ok(0));
}

pub async fn a_message_over_the_limit_is_refused(world: &World) {
    let queues = world.queues();
    let largest = encode_text(&vec![0; MESSAGE_BYTES_MAX]).unwrap();
    queues.send(Q, &largest, NOW).await.unwrap();
    assert_eq!(queues.lease(Q, 1, world.span()).await.unwrap()[0].text, largest);
    assert!(matches!(queues.send(Q, &format!("{largest}A"), NOW).await, Err(Fault::Corrupt(_))));
    assert!(matches!(queues.send("No Queue", "a", NOW).await, Err(Fault::Corrupt(_))));
}
