//! Several instances on one store: no number, comment or mail of theirs is doubled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use helpdesk::{
    access::Role,
    functions::App,
    handler::{WireRequest, dispatch},
    mail::{parse::parse, sender::Trust},
};
use serde_json::{Value, json};

use crate::support::world::{HELP, World, proven, queue};

const QUESTIONS: usize = 24;
const WAKE: &str = r#"{"v":1,"tenant":"contoso"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_double_nothing() {
    together(&World::new().await, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_instances_double_nothing() {
    together(&World::new().await, 4).await;
}

#[cfg(feature = "azure")]
#[tokio::test]
async fn four_instances_double_nothing_in_cosmos() {
    together(&World::on(crate::ports_contract::cosmos::documents).await, 4).await;
}

/// Every message and every request comes to all instances at once.
async fn together(world: &World, instances: usize) {
    world.trusts().await;
    let apps: Vec<Arc<App>> = (0..instances).map(|_| world.another()).collect();
    let mut messages = Vec::new();
    for at in 0..QUESTIONS {
        let raw = proven(&format!("u{at}@a.example"), &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
        messages.push(world.leave(HELP, &format!("{at}.eml"), &raw).await);
        let more = format!("In-Reply-To: <q{at}@a.example>\r\n");
        let raw = proven(&format!("u{at}@a.example"), &format!("r{at}@a.example"), "Re: Question", &more, "More words.");
        messages.push(world.leave(HELP, &format!("r{at}.eml"), &raw).await);
    }
    let calls = messages.iter().flat_map(|message| apps.iter().map(move |app| until_done(app, "IntakeMail", message)));
    futures::future::join_all(calls).await;

    let tickets = world.tickets("contoso").await;
    let numbers: BTreeSet<u64> = tickets.iter().map(|ticket| ticket["number"].as_u64().unwrap()).collect();
    assert_eq!((tickets.len(), numbers.len()), (QUESTIONS, QUESTIONS));
    assert!(world.unprocessed("contoso").await.is_empty());

    // The agent's program asks all instances at once, because the first one did not answer in time.
    let token = world.token("contoso", Role::Agent, None);
    let asked = tickets.iter().flat_map(|ticket| apps.iter().map(|app| comment(app, &token, ticket["id"].as_str().unwrap())));
    let made = futures::future::join_all(asked).await;
    assert!(made.iter().all(|(status, _)| *status == 201), "{made:?}");
    let ids: BTreeSet<&str> = made.iter().map(|(_, comment)| comment["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), QUESTIONS);
    for ticket in &world.tickets("contoso").await {
        assert_eq!((&ticket["comments"], world.comments("contoso", ticket).await.len()), (&Value::from(3), 3));
    }

    for _ in 0..4 {
        futures::future::join_all(apps.iter().map(|app| until_done(app, "DeliverOutbox", WAKE))).await;
        world.clock.advance(time::Duration::minutes(6));
    }
    let mut sent: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
    for mail in world.sent.mails.lock().unwrap().iter() {
        let id = parse(&mail.raw, &Trust::Nobody).unwrap().message_id.unwrap();
        *sent.entry((id, mail.to.clone())).or_default() += 1;
    }
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    // Each requester got his acknowledgement and his answer.
    assert_eq!(sent.len(), 2 * QUESTIONS);
}

async fn until_done(app: &Arc<App>, function: &str, message: &str) {
    for _ in 0..10 {
        if queue(app, function, message).await.0 == 200 {
            return;
        }
    }
    panic!("{function} never succeeds");
}

async fn comment(app: &Arc<App>, token: &str, ticket: &str) -> (u16, Value) {
    let headers = [("authorization", format!("Bearer {token}")), ("idempotency-key", format!("answer-{ticket}"))];
    let request = WireRequest {
        method: "POST".to_owned(),
        path: format!("/api/tickets/{ticket}/comments"),
        query: String::new(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: json!({ "text": "An answer.", "public": true }).to_string().into_bytes().into(),
        of_host: false,
    };
    let answer = dispatch(app.clone(), request).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}
