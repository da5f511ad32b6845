//! Tickets that are opened over HTTP.

use futures::future::join_all;
use helpdesk::{
    access::Role,
    ports::{Scan, Slot, Versions},
    tenants::{self, Mailbox},
};
use serde_json::{Value, json};

use crate::support::world::{HELP, World, mail};

const ANN: &str = "ann@adventure-works.example";

async fn create(world: &World, token: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
    let headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    let answer = world.http_with("POST", "/api/tickets", Some(token), &headers, body.to_string().as_bytes()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn a_requester_opens_a_ticket_for_himself_and_an_agent_for_anybody() {
    let world = World::new().await;
    let (ann, agent) = (world.token("contoso", Role::Requester, Some(ANN)), world.token("contoso", Role::Agent, None));
    let (status, own) = create(&world, &ann, None, &json!({ "subject": "My key", "text": "It is lost. Card 4111 1111 1111 1111." })).await;
    assert_eq!((status, &own["requester"]["address"], &own["requester_proven"]), (201, &json!(ANN), &json!(true)));
    let bob = json!({
        "subject": " \u{202a}A call\u{202c} ", "text": "He called.", "requester": { "address": "Bob@Northwind.example", "name": "Bob" },
        "set": { "priority": "high", "tags": ["phone"], "cc": [{ "address": "carol@northwind.example" }], "due_at": "2026-12-01T10:00:00Z" },
    });
    let (status, made) = create(&world, &agent, None, &bob).await;
    assert_eq!((status, &made["subject"], &made["status"], &made["priority"]), (201, &json!("A call"), &json!("new"), &json!("high")), "{made}");
    assert_eq!((&made["requester"]["address"], &made["cc"][0]["address"]), (&json!("bob@northwind.example"), &json!("carol@northwind.example")));
    assert_eq!(made["times"]["waiting_seconds"], Value::Null, "the desk spoke first");
    let comments = world.comments("contoso", &own).await;
    assert_eq!((&comments[0]["author"]["sender"]["address"], &comments[0]["public"]), (&json!(ANN), &json!(true)));
    assert!(!comments[0]["text"].as_str().unwrap().contains("4111 1111"));
    assert_eq!(world.comments("contoso", &made).await[0]["author"]["agent"], "test-agent");
    // Each sees what is his.
    let (_, seen) = world.get("/api/tickets", &ann).await;
    assert_eq!(seen["tickets"].as_array().unwrap().len(), 1);
    let (_, history) = world.get(&format!("/api/tickets/{}/history", made["id"].as_str().unwrap()), &agent).await;
    let changed: Vec<&str> = history["history"][0]["changes"].as_array().unwrap().iter().map(|change| change["what"].as_str().unwrap()).collect();
    assert_eq!(changed, ["priority", "tags", "due_at", "cc"]);
}

/// Whoever writes to the desk can be named by what the desk says of him.
#[tokio::test]
async fn whoever_a_ticket_names_may_be_named_in_another() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let long = "Ann ".repeat(60);
    for (at, from) in [
        r#""Ann Smith"@a.example"#,
        r#""a\"b\\c"@a.example"#,
        "ann@[127.0.0.1]",
        "a/b@intranet",
        "zoë@bücher.example",
        "Ann \u{202e}Smith <ann@a.example>",
        &format!("{long} <ann@a.example>"),
    ]
    .into_iter()
    .enumerate()
    {
        let raw = mail(from, &format!("odd-{at}@a.example"), "Odd", "", "Words.");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), &raw).await.0, 200);
        let written = world.tickets("contoso").await.remove(0);
        let party = &written["requester"];
        assert!(party["address"].is_string(), "{from}: {written}");
        let body = json!({ "subject": "Odd", "text": "Words.", "requester": party });
        let (status, made) = create(&world, &agent, None, &body).await;
        assert_eq!((status, &made["requester"]), (201, party), "{made}");
        let path = format!("/api/tickets/{}", made["id"].as_str().unwrap());
        let body = json!({ "subject": written["subject"], "cc": [{ "address": "bob@b.example" }, party] }).to_string();
        assert_eq!(world.http("PATCH", &path, Some(&agent), body.as_bytes()).await.status, 200);
        world.clock.advance(time::Duration::SECOND);
    }
}

#[tokio::test]
async fn a_key_makes_one_ticket_however_often_it_is_asked() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let body = json!({ "subject": "Once", "text": "Words.", "requester": { "address": ANN } });
    let asked = futures::future::join_all((0..6).map(|_| create(&world, &agent, Some("k-1"), &body))).await;
    for (status, made) in &asked {
        assert_eq!((*status, &made["id"]), (201, &asked[0].1["id"]));
    }
    assert_eq!(world.tickets("contoso").await.len(), 1);
    assert_eq!(world.comments("contoso", &asked[0].1).await.len(), 1);
    // Also when the same words would be refused by now: the desk has two mailboxes, and these name none.
    let sales = Mailbox::parse("sales@contoso.example").unwrap();
    tenants::add_mailbox(&world.ports, &world.app.keyring, "test", &"contoso".parse().unwrap(), &sales, None, &Versions::Any).await.unwrap();
    assert_eq!(create(&world, &agent, Some("k-1"), &body).await.1["id"], asked[0].1["id"]);
    assert_eq!(create(&world, &agent, Some("k-2"), &body).await.0, 400);
    let other = json!({ "subject": "Other", "text": "Words.", "requester": { "address": ANN }, "mailbox": HELP });
    assert_eq!(create(&world, &agent, Some("k-1"), &other).await.0, 422);
    // Another caller's key is another, and so is another's tenant.
    let ann = world.token("contoso", Role::Requester, Some(ANN));
    assert_eq!(create(&world, &ann, Some("k-1"), &json!({ "subject": "Mine", "text": "Words.", "mailbox": HELP })).await.0, 201);
    world.clock.advance(time::Duration::hours(25));
    let agent = world.token("contoso", Role::Agent, None);
    assert_eq!(create(&world, &agent, Some("k-1"), &other).await.0, 201, "it is forgotten after a day");
    for wrong in ["", "two words", &"k".repeat(201)] {
        assert_eq!(create(&world, &agent, Some(wrong), &other).await.0, 400, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_port_that_fails_at_any_call_makes_no_second_ticket_of_a_key() {
    use crate::support::faulty::{Plan, faulty};
    use std::sync::Arc;
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let world = World::with(|ports| faulty(&ports, &plan)).await;
            let ann = world.token("contoso", Role::Requester, Some(ANN));
            let body = json!({ "subject": "Once", "text": "x".repeat(20_000) });
            plan.fail_at(call, after);
            let mut tries = 0;
            while create(&world, &ann, Some("k"), &body).await.0 != 201 {
                tries += 1;
                assert!(tries < 3, "call {call}, after: {after}");
            }
            let planned = plan.calls();
            plan.fail_at(0, false);
            assert_eq!(world.tickets("contoso").await.len(), 1, "call {call}, after: {after}");
            assert_eq!(world.tickets("contoso").await[0]["comments"], 1);
            if call > planned {
                assert!(call > 8, "only {planned} calls were tried");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_commit_that_meets_itself_has_opened_the_ticket() {
    use crate::support::faulty::{Plan, faulty};
    let plan = std::sync::Arc::new(Plan::default());
    let world = World::with(|ports| faulty(&ports, &plan)).await;
    let ann = world.token("contoso", Role::Requester, Some(ANN));
    // The first commit takes the numbers that the ticket's is one of.
    plan.send_commits_twice(2);
    let (status, ticket) = create(&world, &ann, None, &json!({ "subject": "Once", "text": "Words." })).await;
    assert_eq!(status, 201, "{ticket}");
    let tickets = world.tickets("contoso").await;
    assert_eq!((tickets.len(), &tickets[0]["id"]), (1, &ticket["id"]));
}

#[tokio::test]
async fn what_cannot_be_a_ticket_is_refused_with_a_reason() {
    let world = World::new().await;
    let (ann, agent) = (world.token("contoso", Role::Requester, Some(ANN)), world.token("contoso", Role::Agent, None));
    let with = |member: &str, value: Value| {
        let mut body = json!({ "subject": "S", "text": "Words.", "requester": { "address": ANN } });
        body[member] = value;
        body
    };
    for (body, status, slug) in [
        (with("subject", json!(" ")), 400, "bad-ticket"),
        (with("subject", json!("two\nlines")), 400, "bad-ticket"),
        (with("subject", json!("two\u{2028}lines")), 400, "bad-ticket"),
        (with("subject", json!("s".repeat(999))), 400, "bad-ticket"),
        (with("text", json!("")), 400, "bad-ticket"),
        (with("text", json!("t".repeat(50_001))), 400, "bad-ticket"),
        (with("requester", json!({ "address": "nobody" })), 400, "bad-ticket"),
        (with("requester", json!({ "address": "Help+x@contoso.example" })), 400, "bad-ticket"),
        (with("requester", json!({ "address": "a@b@adventure-works.example" })), 400, "bad-ticket"),
        (with("requester", json!({ "address": "ann smith@adventure-works.example" })), 400, "bad-ticket"),
        (with("requester", json!({ "address": "ann@[127.0.0.1" })), 400, "bad-ticket"),
        (with("requester", Value::Null), 400, "bad-ticket"),
        (with("requester", json!({ "address": ANN, "name": "a\u{7}" })), 400, "bad-ticket"),
        (with("mailbox", json!("support@fabrikam.example")), 400, "bad-ticket"),
        (with("set", json!({ "cc": vec![json!({ "address": ANN }); 21] })), 400, "bad-ticket"),
        (with("set", json!({ "cc": [{ "address": "help+x@contoso.example" }] })), 400, "bad-ticket"),
        (with("set", json!({ "fields": { "Asset": "x" } })), 400, "bad-field"),
        (with("set", json!({ "priority": "mild" })), 400, "bad-json"),
        (with("colour", json!("red")), 400, "bad-json"),
    ] {
        let (answered, problem) = create(&world, &agent, None, &body).await;
        assert_eq!((answered, &problem["type"]), (status, &json!(format!("urn:helpdesk:problem:{slug}"))), "{body} {problem}");
    }
    // What is wrong is told, and what was sent is not repeated.
    for (body, told) in [
        (with("colour", json!("red")), ": a member that it does not have, expected one of `subject`, "),
        (with("set", json!({ "priority": "mild, expected" })), ": a value that it does not take, expected one of `low`, `normal`, "),
        (with("set", json!({ "cc": ["mild"] })), ": a value that it does not take, expected an object."),
        (json!({ "subject": "S" }), ": missing field `text`."),
    ] {
        let (_, problem) = create(&world, &agent, None, &body).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(told) && !detail.contains("mild") && !detail.contains("colour"), "{detail}");
    }
    let admin = world.token("contoso", Role::Admin, None);
    let answer = world.http("PUT", "/api/settings", Some(&admin), br#"{"reopen_days":-1}"#).await;
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(problem["detail"].as_str().unwrap().ends_with(": a value that it does not take, expected a whole number from 0."), "{problem}");
    let (_, problem) = create(&world, &agent, None, &json!({ "subject": "S", "text": "Words." })).await;
    assert!(problem["detail"].as_str().unwrap().contains("name the `requester`"), "{problem}");
    // A requester is himself, and sets nothing.
    assert_eq!(create(&world, &ann, None, &with("subject", json!("For Bob"))).await.0, 403);
    let nobody = world.token("contoso", Role::Requester, None);
    // The subject of the test's requesters is one: this one is known by now.
    assert_eq!(create(&world, &nobody, None, &json!({ "subject": "S", "text": "Words." })).await.0, 403);
    assert!(world.tickets("contoso").await.is_empty());
    assert!(world.ports.documents.scan(&Scan::prefix("t:contoso", Slot::Id, "comment:", 10)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_refused_takes_no_number_and_leaves_no_words() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let body = |set: Value| json!({ "subject": "S", "text": "words ".repeat(4000), "requester": { "address": ANN }, "set": set });
    assert_eq!(create(&world, &agent, None, &body(json!({ "fields": { "nosuch": 1 } }))).await.0, 400);
    assert_eq!(create(&world, &agent, None, &body(json!({ "tags": ["x".repeat(101)] }))).await.0, 400);
    assert!(world.ports.blobs.list("mail", "contoso/", None, 10).await.unwrap().is_empty());
    assert_eq!(create(&world, &agent, None, &body(json!({}))).await.1["number"], 1);
    assert_eq!(world.ports.blobs.list("mail", "contoso/", None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_desks_own_fields_hold_what_their_rules_allow() {
    let world = World::new().await;
    world
        .set(|settings| {
            let rules = json!([
                { "name": "Asset", "kind": "text" }, { "name": "Seats", "kind": "number" }, { "name": "Bought", "kind": "date" },
                { "name": "Site", "kind": "choice", "choices": ["Köln", "Bonn"] },
            ]);
            settings.fields = serde_json::from_value(rules).unwrap();
        })
        .await;
    let agent = world.token("contoso", Role::Agent, None);
    let fields = json!({ "Asset": "PC 12, card 4111111111111111", "Seats": 3.5, "Bought": "2026-02-28", "Site": "Bonn" });
    let body = json!({ "subject": "S", "text": "Words.", "requester": { "address": ANN }, "set": { "fields": fields } });
    let (status, made) = create(&world, &agent, None, &body).await;
    assert_eq!((status, &made["fields"]["Seats"], &made["fields"]["Site"]), (201, &json!(3.5), &json!("Bonn")));
    assert!(!made["fields"]["Asset"].as_str().unwrap().contains("41111111"));
    let path = format!("/api/tickets/{}", made["id"].as_str().unwrap());
    let patch = async |fields: Value| {
        let answer = world.http("PATCH", &path, Some(&agent), json!({ "fields": fields }).to_string().as_bytes()).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    for wrong in [
        json!({ "Seats": "three" }),
        json!({ "Bought": "2026-02-30" }),
        json!({ "Bought": "2026-W12-1" }),
        json!({ "Site": "Mars" }),
        json!({ "Colour": "red" }),
        json!({ "Asset": 7 }),
    ] {
        assert_eq!(patch(wrong.clone()).await.0, 400, "{wrong}");
    }
    // A field whose rule is gone is still read, can be taken away, and not set.
    world.set(|settings| settings.fields.retain(|rule| rule.name != "Site")).await;
    assert_eq!(patch(json!({ "Site": "Köln" })).await.0, 400);
    let (status, changed) = patch(json!({ "Site": null, "Seats": 4 })).await;
    assert_eq!((status, &changed["fields"]["Site"], &changed["fields"]["Seats"]), (200, &Value::Null, &json!(4)));
}

/// Rules of text fields with a name that begins so.
fn texts(name: &str) -> Value {
    (0..30).map(|at| json!({ "name": format!("{name}{at}"), "kind": "text" })).collect()
}

#[tokio::test]
async fn fields_do_not_pile_up_until_a_ticket_cannot_be_changed() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let (_, made) = create(&world, &agent, None, &json!({ "subject": "S", "text": "Words.", "requester": { "address": ANN } })).await;
    let path = format!("/api/tickets/{}", made["id"].as_str().unwrap());
    let patch = async |fields: Value| {
        let answer = world.http("PATCH", &path, Some(&agent), json!({ "fields": fields }).to_string().as_bytes()).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let full = |name: &str| (0..30).map(|at| (format!("{name}{at}"), json!("x".repeat(1_000)))).collect::<serde_json::Map<_, _>>();
    for name in ["a", "b"] {
        world.set(|settings| settings.fields = serde_json::from_value(texts(name)).unwrap()).await;
        assert_eq!(patch(full(name).into()).await.0, 200);
        world.clock.advance(time::Duration::SECOND);
    }
    world.set(|settings| settings.fields = serde_json::from_value(texts("c")).unwrap()).await;
    let (status, problem) = patch(json!({ "c0": "one too many" })).await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:helpdesk:problem:bad-field")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("at most 60 fields"), "{problem}");
    // What has no rule any more makes room.
    let (status, changed) = patch(json!({ "a0": null, "c0": "x" })).await;
    assert_eq!((status, changed["fields"].as_object().unwrap().len()), (200, 60));
    // The history tells of those alone that were changed.
    let (_, history) = world.get(&format!("{path}/history"), &agent).await;
    let last = &history["history"].as_array().unwrap().last().unwrap()["changes"];
    assert_eq!(*last, json!([{ "what": "fields", "from": { "a0": "x".repeat(1_000) }, "to": { "c0": "x" } }]));
}

#[tokio::test]
async fn card_numbers_are_cut_in_all_that_names_a_ticket_and_are_no_number() {
    let world = World::new().await;
    world.set(|settings| settings.fields = serde_json::from_value(json!([{ "name": "Seats", "kind": "number" }])).unwrap()).await;
    let agent = world.token("contoso", Role::Agent, None);
    const CARD: &str = "4111 1111 1111 1111";
    let set = json!({ "tags": [CARD], "category": CARD, "assignee": { "group": CARD } });
    let body = json!({ "subject": CARD, "text": CARD, "requester": { "address": ANN, "name": CARD }, "set": set });
    let (status, made) = create(&world, &agent, None, &body).await;
    assert_eq!((status, &made["tags"]), (201, &json!(["**** **** **** 1111"])), "{made}");
    let path = format!("/api/tickets/{}", made["id"].as_str().unwrap());
    let (_, history) = world.get(&format!("{path}/history"), &agent).await;
    assert!(!format!("{made}{history}").contains("4111"), "{made} {history}");
    // It is found by what was sent.
    let (_, found) = world.get("/api/tickets?tag=4111%201111%201111%201111&category=4111%201111%201111%201111", &agent).await;
    assert_eq!(found["tickets"].as_array().unwrap().len(), 1);
    for number in ["4111111111111111", "4111111111111111.0", "-4111111111111111"] {
        let change = format!("{{\"fields\":{{\"Seats\":{number}}}}}");
        let answer = world.http("PATCH", &path, Some(&agent), change.as_bytes()).await;
        assert_eq!(answer.status, 400, "{number}");
    }
    // A person stays as he stands in his tokens.
    let change = json!({ "assignee": { "person": "4111111111111111" } }).to_string();
    assert_eq!(world.http("PATCH", &path, Some(&agent), change.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn what_is_as_long_as_it_may_be_fits_however_json_writes_it() {
    let world = World::new().await;
    world.set(|settings| settings.fields = serde_json::from_value(texts("a")).unwrap()).await;
    let agent = world.token("contoso", Role::Agent, None);
    let written = |count: usize| "\\ud83d\\ude00".repeat(count);
    let cc: Vec<String> = (0..20).map(|at| format!("{{\"address\":\"a{at}@a.example\",\"name\":\"{}\"}}", written(200))).collect();
    let tags: Vec<String> = (0..20).map(|at| format!("\"{}{at:02}\"", written(98))).collect();
    let fields: Vec<String> = (0..30).map(|at| format!("\"a{at}\":\"{}\"", written(1_000))).collect();
    let change =
        format!("{{\"subject\":\"{}\",\"cc\":[{}],\"tags\":[{}],\"fields\":{{{}}}}}", written(998), cc.join(","), tags.join(","), fields.join(","));
    let new =
        format!("{{\"subject\":\"{}\",\"text\":\"{}\",\"requester\":{{\"address\":\"{ANN}\"}},\"set\":{change}}}", written(998), written(50_000));
    let answer = world.http("POST", "/api/tickets", Some(&agent), new.as_bytes()).await;
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 201, "{made:.500}");
    let path = format!("/api/tickets/{}", made["id"].as_str().unwrap());
    assert_eq!(world.http("PATCH", &path, Some(&agent), change.as_bytes()).await.status, 200);
    let comment = format!("{{\"text\":\"{}\"}}", written(50_000));
    assert_eq!(world.http("POST", &format!("{path}/comments"), Some(&agent), comment.as_bytes()).await.status, 201);
}

#[tokio::test]
async fn what_shows_nothing_is_nothing_and_names_that_look_alike_are_one() {
    let world = World::new().await;
    world.set(|settings| settings.fields = serde_json::from_value(texts("a")).unwrap()).await;
    let agent = world.token("contoso", Role::Agent, None);
    let body = |subject: &str, text: &str| json!({ "subject": subject, "text": text, "requester": { "address": ANN } });
    let (_, made) = create(&world, &agent, None, &body("S", "a\r\nb\u{0}\u{1b}\tc")).await;
    assert_eq!(world.comments("contoso", &made).await[0]["text"], "a\nb\tc");
    let path = format!("/api/tickets/{}", made["id"].as_str().unwrap());
    let call = async |method: &str, path: &str, body: Value| {
        let answer = world.http(method, path, Some(&agent), body.to_string().as_bytes()).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    for nothing in
        ["\u{200b}", "\u{ad}", "\u{3164}", "\u{0}", "\u{1b}", "\u{200c}\u{200d}", "\u{34f}", "\u{180e}", "\u{2800}", "\u{fe0f}", "\u{e0041}"]
    {
        assert_eq!(create(&world, &agent, None, &body("S", nothing)).await.0, 400, "{nothing:?}");
        assert_eq!(create(&world, &agent, None, &body(nothing, "Words.")).await.0, 400, "{nothing:?}");
        assert_eq!(call("POST", &format!("{path}/comments"), json!({ "text": nothing, "public": true })).await.0, 400, "{nothing:?}");
        for change in
            [json!({ "subject": nothing }), json!({ "tags": [nothing] }), json!({ "category": nothing }), json!({ "assignee": { "group": nothing } })]
        {
            assert_eq!(call("PATCH", &path, change).await.0, 400, "{nothing:?}");
        }
    }
    let persian = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}";
    let change =
        json!({ "subject": persian, "tags": ["K\u{f6}ln", "Ko\u{308}ln", "k\u{200b}\u{f6}ln", persian], "fields": { "a0": "one\r\ntwo\u{1b}" } });
    let (status, changed) = call("PATCH", &path, change).await;
    assert_eq!((status, &changed["subject"], &changed["tags"]), (200, &json!(persian), &json!(["k\u{f6}ln", persian])));
    assert_eq!(changed["fields"]["a0"], "one\ntwo");
    // Lower case may be longer than what was written.
    assert_eq!(call("PATCH", &path, json!({ "tags": ["\u{130}".repeat(100)] })).await.0, 400);
    assert_eq!(call("PATCH", &path, json!({ "tags": ["\u{130}".repeat(50)] })).await.0, 200);
}

#[tokio::test]
async fn a_field_that_stands_twice_is_refused_as_every_other_member_is() {
    let world = World::new().await;
    world.set(|settings| settings.fields = serde_json::from_value(texts("a")).unwrap()).await;
    let agent = world.token("contoso", Role::Agent, None);
    let body = format!(r#"{{"subject":"S","text":"Words.","requester":{{"address":"{ANN}"}},"set":{{"fields":{{"a0":"x","a0":"secret"}}}}}}"#);
    let answer = world.http("POST", "/api/tickets", Some(&agent), body.as_bytes()).await;
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(answer.status == 400 && detail.contains(": a member that stands twice.") && !detail.contains("a0"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_comes_several_times_at_once_leaves_its_words_once() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let text = "words ".repeat(4_000);
    let body = json!({ "subject": "S", "text": text, "requester": { "address": ANN } });
    let blobs = async || world.ports.blobs.list("mail", "contoso/", None, 100).await.unwrap().len();
    let made = join_all((0..8).map(|_| create(&world, &agent, Some("k"), &body))).await;
    assert!(made.iter().all(|(status, ticket)| *status == 201 && ticket["id"] == made[0].1["id"]), "{made:?}");
    assert_eq!((world.tickets("contoso").await.len(), blobs().await), (1, 1));
    let path = format!("/api/tickets/{}/comments", made[0].1["id"].as_str().unwrap());
    let body = json!({ "text": text }).to_string();
    let comment = async || world.http_with("POST", &path, Some(&agent), &[("idempotency-key", "c")], body.as_bytes()).await.status;
    assert_eq!(join_all((0..8).map(|_| comment())).await, [201; 8]);
    assert_eq!((world.comments("contoso", &made[0].1).await.len(), blobs().await), (2, 2));
}
