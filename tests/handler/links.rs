//! Tickets that belong together.

use helpdesk::{
    access::Role,
    ports::Versions,
    tickets::{LINKS_MAX, MERGED_MAX},
};
use serde_json::{Value, json};

use crate::support::world::{HELP, SUPPORT, World, mail, proven, queue};

const ANN: &str = "ann@adventure-works.example";
const BOB: &str = "bob@northwind.example";

struct Desk {
    world: World,
    agent: String,
}

/// Tickets 1 to 3 in contoso: of Ann, of Bob, of Ann.
async fn desk() -> Desk {
    let world = World::new().await;
    for (at, sender) in [ANN, BOB, ANN].into_iter().enumerate() {
        world.mail(HELP, &format!("{at}.eml"), &mail(sender, &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.")).await;
        world.clock.advance(time::Duration::SECOND);
    }
    let agent = world.token("contoso", Role::Agent, None);
    Desk { world, agent }
}

impl Desk {
    async fn ticket(&self, number: u64) -> Value {
        self.world.tickets("contoso").await.into_iter().find(|ticket| ticket["number"] == number).unwrap()
    }

    async fn id(&self, number: u64) -> String {
        self.ticket(number).await["id"].as_str().unwrap().to_owned()
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let answer = self.world.http(method, path, Some(&self.agent), body.to_string().as_bytes()).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }
}

#[tokio::test]
async fn a_link_stands_in_both_tickets_once_until_it_is_undone() {
    let desk = desk().await;
    let (one, two) = (desk.id(1).await, desk.id(2).await);
    for _ in 0..2 {
        let (status, linked) = desk.call("POST", &format!("/api/tickets/{one}/links"), json!({ "ticket": two })).await;
        assert_eq!((status, &linked["links"]), (200, &json!([{ "ticket": two, "number": 2, "why": "related" }])));
    }
    assert_eq!(desk.ticket(2).await["links"], json!([{ "ticket": one, "number": 1, "why": "related" }]));
    let (_, history) = desk.world.get(&format!("/api/tickets/{two}/history"), &desk.agent).await;
    assert_eq!((history["history"].as_array().unwrap().len(), &history["history"][0]["changes"][0]["what"]), (1, &json!("links")));
    assert_eq!(desk.call("DELETE", &format!("/api/tickets/{two}/links/{one}"), Value::Null).await.0, 200);
    assert_eq!((&desk.ticket(1).await["links"], &desk.ticket(2).await["links"]), (&json!([]), &json!([])));
    // Not with itself, not with another tenant's.
    assert_eq!(desk.call("POST", &format!("/api/tickets/{one}/links"), json!({ "ticket": one })).await.0, 400);
    desk.world.mail(SUPPORT, "f.eml", &mail(ANN, "f@a.example", "Foreign", "", "Words.")).await;
    let foreign = desk.world.tickets("fabrikam").await[0]["id"].clone();
    assert_eq!(desk.call("POST", &format!("/api/tickets/{one}/links"), json!({ "ticket": foreign })).await.0, 404);
}

#[tokio::test]
async fn a_merged_ticket_is_solved_and_what_comes_for_it_goes_into_the_other() {
    let desk = desk().await;
    desk.world.trusts().await;
    let (one, two, three) = (desk.id(1).await, desk.id(2).await, desk.id(3).await);
    let merge = async |from: &str, into: &str| desk.call("POST", &format!("/api/tickets/{from}/merge"), json!({ "into": into })).await;
    let (status, merged) = merge(&one, &two).await;
    assert_eq!((status, &merged["status"], &merged["merged_into"]), (200, &json!("solved"), &json!(two)));
    assert_eq!(merge(&one, &two).await.0, 200, "said twice it changes nothing");
    let target = desk.ticket(2).await;
    assert_eq!(
        (&target["cc"][0]["address"], &target["links"][0]["why"], target["links"].as_array().unwrap().len()),
        (&json!(ANN), &json!("merged"), 1)
    );
    // Its words stay where they are, and a mail for it goes on in the other.
    assert_eq!(desk.world.comments("contoso", &desk.ticket(1).await).await.len(), 1);
    let reply = proven(ANN, "r@adventure-works.example", "Re: Question 0", "In-Reply-To: <q0@a.example>\r\n", "More.");
    assert!(desk.world.mail(HELP, "r.eml", &reply).await.1.starts_with("comment on ticket 2"));
    // Nobody works on it any more.
    let (status, problem) = desk.call("PATCH", &format!("/api/tickets/{one}"), json!({ "status": "new" })).await;
    assert!(status == 409 && problem["detail"].as_str().unwrap().contains("number 2"), "{problem}");
    let comment = json!({ "text": "Too late.", "public": true });
    assert_eq!(desk.call("POST", &format!("/api/tickets/{one}/comments"), comment).await.0, 409);
    // Its requester is not sent to a ticket that is not his, nor told which it is.
    let ann = desk.world.token("contoso", Role::Requester, Some(ANN));
    let refused = async || {
        let body = json!({ "text": "And now?" }).to_string();
        let answer = desk.world.http("POST", &format!("/api/tickets/{one}/comments"), Some(&ann), body.as_bytes()).await;
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        (answer.status, problem["detail"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused().await, (409, "the ticket was merged into another one: answer a mail about it, or open a new one, to go on".to_owned()));
    // No circle, and nothing into what is merged.
    assert_eq!(merge(&two, &one).await.0, 400);
    assert_eq!(merge(&three, &one).await.0, 400);
    assert_eq!(merge(&two, &two).await.0, 400);
    // Two steps lead to the end.
    assert_eq!(merge(&two, &three).await.0, 200);
    assert_eq!(refused().await, (409, "the ticket was merged into number 3: go on there".to_owned()), "that one is hers");
    let reply = proven(ANN, "s@adventure-works.example", "Re: Question 0", "In-Reply-To: <q0@a.example>\r\n", "Even more.");
    assert!(desk.world.mail(HELP, "s.eml", &reply).await.1.starts_with("comment on ticket 3"));
}

#[tokio::test]
async fn a_mail_that_comes_by_two_ways_is_one_in_the_ticket_that_its_own_was_merged_into() {
    let desk = desk().await;
    desk.world.trusts().await;
    let copy = |raw: &[u8]| [b"X-Way: another\r\n", raw].concat();
    let carl = proven("carl@adventure-works.example", "c@adventure-works.example", "Carl", "", "It is down.");
    assert_eq!(desk.world.mail(HELP, "c.eml", &carl).await.1, "opened ticket 4");
    for from in [1, 4] {
        let (from, into) = (desk.id(from).await, desk.id(2).await);
        assert_eq!(desk.call("POST", &format!("/api/tickets/{from}/merge"), json!({ "into": into })).await.0, 200);
    }
    // What opened it, and what came for it since.
    assert_eq!(desk.world.mail(HELP, "c2.eml", &copy(&carl)).await.1, "seen before, in ticket 2");
    let reply = proven(ANN, "r@adventure-works.example", "Re: Question 0", "In-Reply-To: <q0@a.example>\r\n", "More.");
    assert!(desk.world.mail(HELP, "r.eml", &reply).await.1.starts_with("comment on ticket 2"));
    assert_eq!(desk.world.mail(HELP, "r2.eml", &copy(&reply)).await.1, "seen before, in ticket 2");
    assert_eq!((&desk.ticket(2).await["comments"], desk.world.tickets("contoso").await.len()), (&json!(2), 4));
}

#[tokio::test]
async fn who_waits_in_a_ticket_waits_in_the_one_that_takes_it_in() {
    let desk = desk().await;
    let (one, two, three) = (desk.id(1).await, desk.id(2).await, desk.id(3).await);
    let answer = async |id: &str| {
        let body = json!({ "text": "It comes.", "public": true });
        assert_eq!(desk.call("POST", &format!("/api/tickets/{id}/comments"), body).await.0, 201);
    };
    let waiting = async |number| desk.ticket(number).await["times"]["waiting_seconds"].clone();
    let merge = async |from: &str, into: &str| {
        assert_eq!(desk.call("POST", &format!("/api/tickets/{from}/merge"), json!({ "into": into })).await.0, 200);
    };
    answer(&two).await;
    desk.world.clock.advance(time::Duration::seconds(60));
    let waited = waiting(1).await;
    assert_eq!((waiting(2).await, waited.as_u64() >= Some(60)), (Value::Null, true));
    merge(&one, &two).await;
    assert_eq!(waiting(2).await, waited);
    // Nobody asks where all are answered.
    answer(&two).await;
    answer(&three).await;
    assert_eq!(desk.call("PATCH", &format!("/api/tickets/{two}"), json!({ "status": "pending" })).await.0, 200);
    merge(&three, &two).await;
    assert_eq!((waiting(2).await, &desk.ticket(2).await["status"]), (Value::Null, &json!("in_progress")));
    // Nor in one that was solved without an answer.
    desk.world.mail(HELP, "4.eml", &mail(BOB, "q4@a.example", "Question 4", "", "Words.")).await;
    let four = desk.id(4).await;
    assert_eq!(desk.call("PATCH", &format!("/api/tickets/{four}"), json!({ "status": "solved" })).await.0, 200);
    merge(&four, &two).await;
    assert_eq!(waiting(2).await, Value::Null);
}

#[tokio::test]
async fn of_two_who_wait_the_longer_wait_goes_on_and_the_other_ends() {
    for (from, into) in [(1, 2), (2, 1)] {
        // The first was opened a second before the second.
        let desk = desk().await;
        let (source, target) = (desk.id(from).await, desk.id(into).await);
        let times = async |number| desk.ticket(number).await["times"].clone();
        let longest = times(1).await["waiting_seconds"].clone();
        assert!(longest.as_u64() > times(2).await["waiting_seconds"].as_u64());
        assert_eq!(desk.call("POST", &format!("/api/tickets/{source}/merge"), json!({ "into": target })).await.0, 200);
        assert_eq!((&times(into).await["waiting_seconds"], &times(from).await["waiting_seconds"]), (&longest, &Value::Null));
        let answer = json!({ "text": "It comes.", "public": true });
        assert_eq!(desk.call("POST", &format!("/api/tickets/{target}/comments"), answer).await.0, 201);
        assert_eq!((&times(into).await["first_reply_seconds"], &times(into).await["waiting_seconds"]), (&longest, &Value::Null));
    }
}

#[tokio::test]
async fn a_merge_is_not_undone_and_leaves_a_trace_in_the_other_or_is_refused() {
    let desk = desk().await;
    let (one, two, three) = (desk.id(1).await, desk.id(2).await, desk.id(3).await);
    let merge = async |from: &str| desk.call("POST", &format!("/api/tickets/{from}/merge"), json!({ "into": two })).await;
    assert_eq!(desk.call("POST", &format!("/api/tickets/{one}/links"), json!({ "ticket": two })).await.0, 200);
    assert_eq!(merge(&one).await.0, 200);
    assert_eq!(desk.call("DELETE", &format!("/api/tickets/{two}/links/{one}"), Value::Null).await.0, 200, "the link by hand");
    for (first, second) in [(&one, &two), (&two, &one)] {
        let (status, problem) = desk.call("DELETE", &format!("/api/tickets/{first}/links/{second}"), Value::Null).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains("merged"), "{problem}");
    }
    let alert = async || {
        let body = json!({ "subject": "Alert", "text": "Words.", "requester": { "address": BOB } });
        desk.call("POST", "/api/tickets", body).await.1["id"].as_str().unwrap().to_owned()
    };
    for _ in 0..LINKS_MAX {
        assert_eq!(desk.call("POST", &format!("/api/tickets/{two}/links"), json!({ "ticket": alert().await })).await.0, 200);
    }
    for _ in 1..MERGED_MAX {
        assert_eq!(merge(&alert().await).await.0, 200);
    }
    let links = desk.call("GET", &format!("/api/tickets/{two}"), Value::Null).await.1["links"].as_array().unwrap().len();
    assert_eq!(links, LINKS_MAX + MERGED_MAX);
    let (status, problem) = merge(&three).await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:helpdesk:problem:bad-link")));
    assert_eq!(desk.call("GET", &format!("/api/tickets/{three}"), Value::Null).await.1["merged_into"], Value::Null);
}

#[tokio::test]
async fn what_mails_link_takes_no_room_from_people_and_is_undone_by_them() {
    let mut desk = desk().await;
    desk.world.trusts().await;
    let (one, two) = (desk.id(1).await, desk.id(2).await);
    assert_eq!(desk.call("PATCH", &format!("/api/tickets/{one}"), json!({ "status": "solved" })).await.0, 200);
    desk.world.clock.advance(time::Duration::days(15));
    desk.agent = desk.world.token("contoso", Role::Agent, None);
    // Each answer to what was solved long ago is a ticket of its own that is linked with it.
    for at in 0..=LINKS_MAX {
        let more = proven(ANN, &format!("late{at}@adventure-works.example"), "Re: Question 0", "In-Reply-To: <q0@a.example>\r\n", "More.");
        assert!(desk.world.mail(HELP, &format!("late{at}.eml"), &more).await.1.starts_with("opened ticket"));
    }
    let links = async || desk.call("GET", &format!("/api/tickets/{one}"), Value::Null).await.1["links"].as_array().unwrap().clone();
    assert_eq!(links().await.len(), LINKS_MAX);
    assert_eq!(desk.call("POST", &format!("/api/tickets/{one}/links"), json!({ "ticket": two })).await.0, 200);
    // What was linked by mail goes from both, and the history tells it.
    let late = links().await[0].clone();
    assert_eq!(late["why"], "continued_by");
    let other = late["ticket"].as_str().unwrap();
    let (status, left) = desk.call("DELETE", &format!("/api/tickets/{one}/links/{other}"), Value::Null).await;
    assert_eq!((status, left["links"].as_array().unwrap().len()), (200, LINKS_MAX));
    assert_eq!(desk.call("GET", &format!("/api/tickets/{other}"), Value::Null).await.1["links"], json!([]));
    let (_, history) = desk.world.get(&format!("/api/tickets/{other}/history"), &desk.agent).await;
    let last = history["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["actor"], &last["changes"][0]["to"]), (&json!("test-agent"), &json!([])), "{history}");
    // Who is merged says so, however full he is.
    for _ in 1..LINKS_MAX {
        let body = json!({ "subject": "Alert", "text": "Words.", "requester": { "address": BOB }, "mailbox": HELP });
        let alert = desk.call("POST", "/api/tickets", body).await.1["id"].clone();
        assert_eq!(desk.call("POST", &format!("/api/tickets/{one}/links"), json!({ "ticket": alert })).await.0, 200);
    }
    let (status, merged) = desk.call("POST", &format!("/api/tickets/{one}/merge"), json!({ "into": two })).await;
    assert_eq!((status, &merged["links"].as_array().unwrap().last().unwrap()["why"]), (200, &json!("merged_into")));
}

#[tokio::test]
async fn only_the_version_that_was_read_is_merged_or_linked() {
    let desk = desk().await;
    let (one, two) = (desk.id(1).await, desk.id(2).await);
    let call = async |method: &str, path: &str, read: &str, body: Value| {
        let path = format!("/api/tickets/{one}/{path}");
        desk.world.http_with(method, &path, Some(&desk.agent), &[("if-match", read)], body.to_string().as_bytes()).await
    };
    let version = async || {
        let answer = desk.world.http("GET", &format!("/api/tickets/{one}"), Some(&desk.agent), b"").await;
        answer.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone()
    };
    let old = version().await;
    assert_eq!(call("POST", "links", &old, json!({ "ticket": two })).await.status, 200);
    assert_eq!(call("DELETE", &format!("links/{two}"), &old, Value::Null).await.status, 412);
    assert_eq!(call("POST", "merge", &old, json!({ "into": two })).await.status, 412);
    assert_eq!(desk.ticket(1).await["merged_into"], Value::Null);
    assert_eq!(call("POST", "merge", &version().await, json!({ "into": two })).await.status, 200);
    assert_eq!(call("POST", "merge", &old, json!({ "into": two })).await.status, 200, "it is so already");
}

#[tokio::test]
async fn two_merges_at_once_make_no_circle() {
    let desk = desk().await;
    let (one, two) = (desk.id(1).await, desk.id(2).await);
    let other = desk.world.another();
    let there = desk.call("POST", &format!("/api/tickets/{one}/merge"), json!({ "into": two })).await;
    let back = async {
        let contoso = "contoso".parse().unwrap();
        let (two, one) = (two.parse().unwrap(), one.parse().unwrap());
        helpdesk::tickets::links::join(&other.desk, &contoso, (two, one), helpdesk::tickets::links::Together::Merged, &Versions::Any, "test").await
    };
    assert!(back.await.is_err() && there.0 == 200);
    queue(&desk.world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
    let merged = [desk.ticket(1).await["merged_into"].is_string(), desk.ticket(2).await["merged_into"].is_string()];
    assert_eq!(merged, [true, false]);
}
