//! Lists of tickets: every filter, every order, every page.

use helpdesk::{
    access::Role,
    ports::{Entropy, NewDocument, Scan, Slot, Write},
    tickets::list::LOOKED_AT_MAX,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::{TestEntropy, world::World};

const TICKETS: usize = 60;
const QUESTIONS: usize = 150;
const SEED: u64 = 5;
const PEOPLE: [&str; 3] = ["ann@a.example", "bob@b.example", "carol@c.example"];

/// Chooses at random, and always the same.
struct Dice(TestEntropy);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_be_bytes(bytes) as usize % bound
    }

    fn of<T: Clone>(&self, some: &[T]) -> T {
        some[self.below(some.len())].clone()
    }
}

/// Tickets of all kinds, opened and changed over some hours, several in the same instant.
async fn world(dice: &Dice) -> World {
    let world = World::new().await;
    let agent = world.token_until("contoso", Role::Agent, None, 1_000_000);
    let mut paths = Vec::new();
    for at in 0..TICKETS {
        let mut set = json!({ "priority": dice.of(&["low", "normal", "high", "urgent"]) });
        if dice.below(2) == 0 {
            set["assignee"] = dice.of(&[json!({ "person": "p1" }), json!({ "group": "p1" }), json!({ "group": "g2" })]);
        }
        if dice.below(2) == 0 {
            set["category"] = dice.of(&["Hardware", "Software"]).into();
            set["tags"] = dice.of(&[json!(["vpn"]), json!(["vpn", "köln"]), json!(["köln"])]);
        }
        if dice.below(3) > 0 {
            set["due_at"] = (world.ports.clock.now() + Duration::hours(dice.below(20) as i64)).format(&Rfc3339).unwrap().into();
        }
        let body = json!({ "subject": format!("T{at}"), "text": "Words.", "requester": { "address": dice.of(&PEOPLE) }, "set": set });
        let made = world.http("POST", "/api/tickets", Some(&agent), body.to_string().as_bytes()).await;
        assert_eq!(made.status, 201);
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        paths.push(format!("/api/tickets/{}", made["id"].as_str().unwrap()));
        if dice.below(3) == 0 {
            world.clock.advance(Duration::minutes(dice.below(30) as i64));
        }
        let change = match dice.below(3) {
            0 => json!({ "status": dice.of(&["in_progress", "pending", "solved"]) }),
            1 => json!({ "due_at": null }),
            _ => json!({ "due_at": "2026-11-24T12:00:00Z" }),
        };
        let path = dice.of(&paths);
        assert_eq!(world.http("PATCH", &path, Some(&agent), change.to_string().as_bytes()).await.status, 200);
    }
    world
}

/// All tickets that a search finds, page by page.
async fn found(world: &World, token: &str, search: &Value) -> Vec<String> {
    let (mut all, mut search) = (Vec::new(), search.clone());
    for _ in 0..=2 * TICKETS {
        let answer = world.http("POST", "/api/tickets/search", Some(token), search.to_string().as_bytes()).await;
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{page}");
        let limit = search["limit"].as_u64().unwrap_or(100);
        assert!(page["tickets"].as_array().unwrap().len() as u64 <= limit);
        all.extend(page["tickets"].as_array().unwrap().iter().map(|ticket| ticket["subject"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => search["cursor"] = next.into(),
            None => return all,
        }
    }
    panic!("the list has no end: {search}");
}

fn instant(value: &Value) -> Option<OffsetDateTime> {
    value.as_str().map(|text| OffsetDateTime::parse(text, &Rfc3339).unwrap())
}

/// Within the same millisecond.
fn a_little_after(value: &Value) -> Value {
    (instant(value).unwrap() + Duration::microseconds(900)).format(&Rfc3339).unwrap().into()
}

/// What the search means, said plainly.
fn takes(search: &Value, ticket: &Value) -> bool {
    let within = |from: &str, to: &str, at: &Value| {
        let at = instant(at).unwrap();
        instant(&search[from]).is_none_or(|from| from <= at) && instant(&search[to]).is_none_or(|to| at < to)
    };
    let is = |name: &str| search[name].is_null() || search[name] == ticket[name];
    let assignee = match search["assignee"].as_str() {
        None => true,
        Some("none") => ticket["assignee"].is_null(),
        Some(text) => {
            let (kind, name) = text.split_once(':').unwrap();
            ticket["assignee"] == json!({ kind: name })
        }
    };
    search["status"].as_array().is_none_or(|some| some.is_empty() || some.contains(&ticket["status"]))
        && assignee
        && (search["requester"].is_null() || search["requester"] == ticket["requester"]["address"])
        && is("priority")
        && is("category")
        && is("number")
        && (search["tag"].is_null() || ticket["tags"].as_array().unwrap().contains(&search["tag"]))
        && within("created_from", "created_to", &ticket["created_at"])
        && within("updated_from", "updated_to", &ticket["updated_at"])
        && (search["sort"] != "due" || !ticket["due_at"].is_null())
}

#[tokio::test]
async fn every_search_finds_what_it_means_each_once_in_its_order() {
    let dice = Dice(TestEntropy::new(SEED));
    let world = world(&dice).await;
    let agent = world.token("contoso", Role::Agent, None);
    let all = world.tickets("contoso").await;
    assert_eq!(all.len(), TICKETS);
    let (mut answers, mut longest) = (0, 0);
    for _ in 0..QUESTIONS {
        let mut search =
            json!({ "limit": dice.of(&[1, 2, 7, 100]), "sort": dice.of(&["updated", "created", "due"]), "order": dice.of(&["asc", "desc"]) });
        let any = dice.of(&all);
        for (name, value) in [
            ("status", dice.of(&[json!(["new"]), json!(["solved", "pending"]), json!([])])),
            ("assignee", dice.of(&["none", "person:p1", "group:p1", "group:g2"]).into()),
            ("requester", dice.of(&PEOPLE).into()),
            ("priority", "high".into()),
            ("category", "Hardware".into()),
            ("tag", dice.of(&["vpn", "köln"]).into()),
            ("number", any["number"].clone()),
            ("created_from", any["created_at"].clone()),
            ("created_to", dice.of(&[any["created_at"].clone(), a_little_after(&any["created_at"])])),
            ("updated_from", dice.of(&[any["updated_at"].clone(), a_little_after(&any["updated_at"])])),
            ("updated_to", dice.of(&[any["updated_at"].clone(), a_little_after(&any["updated_at"])])),
        ] {
            if dice.below(5) == 0 {
                search[name] = value;
            }
        }
        let found = found(&world, &agent, &search).await;
        let expected: Vec<&Value> = all.iter().filter(|ticket| takes(&search, ticket)).collect();
        let (mut one, mut other) = (found.clone(), expected.iter().map(|ticket| ticket["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
        one.sort();
        other.sort();
        assert_eq!(one, other, "{search}");
        let member = match (search["sort"].as_str().unwrap(), search["requester"].is_null()) {
            ("updated", false) => "public_updated_at".to_owned(),
            (sort, _) => format!("{sort}_at"),
        };
        let order: Vec<Option<OffsetDateTime>> =
            found.iter().map(|subject| instant(&all.iter().find(|ticket| ticket["subject"] == **subject).unwrap()[&member])).collect();
        // Tickets are created in milliseconds, in which their ids have no order.
        let is_sorted = if search["order"] == "asc" { order.is_sorted() } else { order.iter().rev().is_sorted() };
        assert!(is_sorted, "{search}: {order:?}");
        (answers, longest) = (answers + found.len(), longest.max(found.len()));
    }
    assert!(answers > QUESTIONS && longest > 20, "{answers} answers, {longest} at most: these questions ask for nothing");
}

#[tokio::test]
async fn a_requester_finds_his_own_and_asks_for_nobody_elses() {
    let dice = Dice(TestEntropy::new(SEED));
    let world = world(&dice).await;
    let ann = world.token("contoso", Role::Requester, Some(PEOPLE[0]));
    let all = found(&world, &ann, &json!({})).await;
    assert!(!all.is_empty() && all.len() < TICKETS);
    assert_eq!(found(&world, &ann, &json!({ "requester": PEOPLE[0].to_uppercase() })).await.len(), all.len());
    let others = json!({ "requester": PEOPLE[1] }).to_string();
    assert_eq!(world.http("POST", "/api/tickets/search", Some(&ann), others.as_bytes()).await.status, 400);
    let (_, by_get) = world.get("/api/tickets?status=new,in_progress,pending,solved&sort=created&order=asc", &ann).await;
    assert_eq!(by_get["tickets"].as_array().unwrap().len(), all.len());
    assert!(by_get["tickets"].as_array().unwrap().iter().all(|ticket| ticket["requester"]["address"] == PEOPLE[0]));
    let foreign = world.token("fabrikam", Role::Agent, None);
    assert!(found(&world, &foreign, &json!({ "requester": PEOPLE[0] })).await.is_empty());
}

#[tokio::test]
async fn a_requesters_pages_tell_nothing_of_what_others_have() {
    let world = World::new().await;
    let (agent, ann) = (world.token("contoso", Role::Agent, None), world.token("contoso", Role::Requester, Some(PEOPLE[0])));
    let open = async |address: &str| {
        let body = json!({ "subject": "S", "text": "Words.", "requester": { "address": address } });
        assert_eq!(world.http("POST", "/api/tickets", Some(&agent), body.to_string().as_bytes()).await.status, 201);
        world.clock.advance(Duration::milliseconds(2));
    };
    open(PEOPLE[0]).await;
    // More than a request looks at.
    for _ in 0..=LOOKED_AT_MAX {
        open(PEOPLE[1]).await;
    }
    open(PEOPLE[0]).await;
    for sort in ["created", "updated"] {
        for order in ["asc", "desc"] {
            let (_, page) = world.get(&format!("/api/tickets?sort={sort}&order={order}"), &ann).await;
            assert_eq!((page["tickets"].as_array().unwrap().len(), &page["next"]), (2, &Value::Null), "{sort} {order}");
        }
    }
}

#[tokio::test]
async fn a_ticket_that_does_not_open_keeps_no_other_from_being_listed() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    for subject in ["one", "two"] {
        let body = json!({ "subject": subject, "text": "Words.", "requester": { "address": PEOPLE[0] } });
        assert_eq!(world.http("POST", "/api/tickets", Some(&agent), body.to_string().as_bytes()).await.status, 201);
        world.mail("help@contoso.example", &format!("{subject}.eml"), b"\0").await;
    }
    let damage = async |prefix: &str, at: usize| {
        let document = world.ports.documents.scan(&Scan::prefix("t:contoso", Slot::Id, prefix, 10)).await.unwrap().remove(at);
        let broken = NewDocument { id: document.id, kind: document.kind, keys: document.keys, expires_at: None, body: b"damaged".to_vec() };
        world.ports.documents.commit("t:contoso", vec![Write::Replace { document: broken, etag: document.etag }]).await.unwrap();
    };
    let listed = async |path: &str| world.get(path, &agent).await;
    for (prefix, path, member) in [("ticket:", "/api/tickets", "tickets"), ("unprocessed:", "/api/unprocessed", "unprocessed")] {
        damage(prefix, 0).await;
        let (status, page) = listed(path).await;
        assert_eq!((status, page[member].as_array().map(Vec::len)), (200, Some(1)), "{page}");
        // The next page is behind it.
        let (status, page) = listed(&format!("{path}?limit=1")).await;
        assert_eq!(status, 200, "{page}");
        // If none opens it is the key.
        damage(prefix, 1).await;
        assert_eq!(listed(path).await.0, 500);
    }
}

#[tokio::test]
async fn a_domain_is_looked_for_however_it_is_written() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let body = json!({ "subject": "S", "text": "Words.", "requester": { "address": "zoë@Bücher.example" } });
    assert_eq!(world.http("POST", "/api/tickets", Some(&agent), body.to_string().as_bytes()).await.status, 201);
    for written in ["Zoë@bücher.example", "zoë@xn--bcher-kva.example"] {
        assert_eq!(found(&world, &agent, &json!({ "requester": written })).await.len(), 1, "{written}");
        let contact = world.http("POST", "/api/contacts/search", Some(&agent), json!({ "address": written }).to_string().as_bytes()).await;
        assert_eq!(contact.status, 200, "{written}");
    }
}

#[tokio::test]
async fn a_name_is_looked_for_as_it_was_kept() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    let set = json!({ "category": " Printers ", "tags": [" VPN "], "assignee": { "group": " desk " } });
    let body = json!({ "subject": "S", "text": "Words.", "requester": { "address": PEOPLE[0] }, "set": set });
    assert_eq!(world.http("POST", "/api/tickets", Some(&agent), body.to_string().as_bytes()).await.status, 201);
    for query in ["category=%20Printers", "tag=%20VPN%20", "assignee=group:%20desk"] {
        let (status, page) = world.get(&format!("/api/tickets?{query}"), &agent).await;
        assert_eq!((status, page["tickets"].as_array().map(Vec::len)), (200, Some(1)), "{query}");
    }
}

#[tokio::test]
async fn a_query_parameter_that_no_list_knows_is_refused_with_those_that_it_knows() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    for (query, words) in [
        ("asignee=none", "these alone: status, assignee,"),
        ("code=x&status=new", "these alone: status, assignee,"),
        (&format!("{}x", "status=new&".repeat(300)), "these alone: status, assignee,"),
    ] {
        let (status, problem) = world.get(&format!("/api/tickets?{query}"), &agent).await;
        assert_eq!((status, &problem["type"]), (400, &json!("urn:helpdesk:problem:bad-query")), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    assert_eq!(world.get("/api/settings?x=1", &agent).await.1["detail"], "Of query parameters this route knows none.");
    assert_eq!(world.http("GET", "/api/tickets?x=1", None, b"").await.status, 401, "a stranger is told nothing");
    // Whoever looks whether the process answers may add what he likes.
    assert_eq!(world.http("GET", "/api/health?t=1", None, b"").await.status, 200);
}

#[tokio::test]
async fn a_question_that_means_nothing_is_refused() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    for wrong in [
        "status=open",
        "assignee=ann",
        "assignee=person:",
        "category=",
        "tag=%20",
        "priority=mild",
        "number=x",
        "created_from=yesterday",
        "sort=name",
        "order=up",
        "limit=0",
        "limit=101",
        "cursor=x",
    ] {
        assert_eq!(world.get(&format!("/api/tickets?{wrong}"), &agent).await.0, 400, "{wrong}");
    }
    for wrong in [json!({ "status": "new" }), json!({ "sort": "name" }), json!({ "limit": 0 }), json!({ "colour": "red" }), json!([])] {
        assert_eq!(world.http("POST", "/api/tickets/search", Some(&agent), wrong.to_string().as_bytes()).await.status, 400, "{wrong}");
    }
}
