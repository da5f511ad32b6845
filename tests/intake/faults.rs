//! Each port failing at each call, before it took effect and after, in the stories around the intake: putting aside, replaying, sending.

use std::{collections::BTreeMap, sync::Arc};

use helpdesk::{
    mail::{parse::parse, sender::Trust},
    tickets::unprocessed::{self, State},
};

use super::question;
use crate::support::{
    faulty::{Plan, faulty},
    world::{HELP, World, proven, queue},
};

/// The call that fails, one-based from where the story says so, and whether it takes effect.
#[derive(Debug, Clone, Copy)]
struct Failing {
    call: usize,
    after: bool,
}

/// Runs a story with every call of every port failing once; the story says how many calls it made.
async fn at_each_call(least: usize, story: impl AsyncFn(World, Arc<Plan>, Failing) -> usize) {
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let world = World::with(|ports| faulty(&ports, &plan)).await;
            world.trusts().await;
            let calls = story(world, plan, Failing { call, after }).await;
            if call > calls {
                assert!(call > least, "only {calls} calls were tried");
                break;
            }
        }
    }
}

/// Until it is done, as the queue brings a message again.
async fn until_done(world: &World, function: &str, message: &str, when: Failing) {
    let mut tries = 0;
    while queue(&world.app, function, message).await.0 != 200 {
        tries += 1;
        assert!(tries < 3, "{function}, {when:?}");
    }
}

#[tokio::test]
async fn what_was_put_aside_becomes_one_record_and_replayed_one_ticket() {
    at_each_call(25, async |world, plan, when| {
        let message = world.leave(HELP, "a.eml", &question()).await;
        plan.fail_at(when.call, when.after);
        until_done(&world, "MailIntakePoison", &message, when).await;
        let tenant = "contoso".parse().unwrap();
        let records = match unprocessed::list(&world.app.desk, &tenant, None).await {
            Ok(page) => page.records,
            Err(_) => unprocessed::list(&world.app.desk, &tenant, None).await.unwrap().records,
        };
        assert_eq!((records.len(), records[0].reason.name()), (1, "kept_failing"), "{when:?}");
        let mut tries = 0;
        while let Err(error) = unprocessed::replay::replay(&world.app.desk, &tenant, records[0].id, "jo").await {
            tries += 1;
            assert!(tries < 3, "{when:?}: {error}");
        }
        for lease in world.ports.queues.lease("mail-intake", 16, std::time::Duration::from_secs(600)).await.unwrap_or_default() {
            until_done(&world, "IntakeMail", &helpdesk::ports::decode_text(&lease.text).unwrap(), when).await;
        }
        let calls = plan.calls();
        plan.fail_at(0, false);
        // Whoever's lease failed comes later.
        world.clock.advance(time::Duration::minutes(11));
        super::take_what_waits(&world).await;
        let tickets = world.tickets("contoso").await;
        assert_eq!(tickets.len(), 1, "{when:?}");
        let records = world.unprocessed("contoso").await;
        let number = tickets[0]["number"].as_u64();
        assert_eq!((records.len(), records[0].state, records[0].ticket), (1, State::Processed, number), "{when:?}");
        assert!(world.ports.blobs.list("mail-intake", "", None, 10).await.unwrap().is_empty(), "{when:?}");
        calls
    })
    .await;
}

#[tokio::test]
async fn a_letter_leaves_and_goes_twice_only_where_nobody_could_know() {
    at_each_call(8, async |world, plan, when| {
        let raw = proven("u@a.example", "q@a.example", "A question", "", "Words.");
        let message = world.leave(HELP, "a.eml", &raw).await;
        until_done(&world, "IntakeMail", &message, when).await;
        plan.fail_at(when.call, when.after);
        let mut calls = 0;
        for _ in 0..4 {
            // What is late is due again.
            let (status, _) = queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
            calls = calls.max(plan.calls());
            world.clock.advance(time::Duration::minutes(6));
            if status == 200 && !sent(&world).is_empty() && plan.calls() >= when.call {
                break;
            }
        }
        plan.fail_at(0, false);
        queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
        let sent = sent(&world);
        assert_eq!(sent.len(), 1, "{when:?}");
        let times = *sent.values().next().unwrap();
        let ticket = world.tickets("contoso").await.remove(0);
        let state = world.comments("contoso", &ticket).await[0]["deliveries"][0]["state"].clone();
        assert!(times == 1 || times == 2 && state == "possibly_duplicate", "{when:?}: {times} times, {state}");
        assert!(state == "sent" || state == "possibly_duplicate", "{when:?}: {state}");
        calls
    })
    .await;
}

/// How often each mail left.
fn sent(world: &World) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    for mail in world.sent.mails.lock().unwrap().iter() {
        *sent.entry(parse(&mail.raw, &Trust::Nobody).unwrap().message_id.unwrap()).or_default() += 1;
    }
    sent
}
