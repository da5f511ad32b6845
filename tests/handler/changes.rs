//! Changes that agents make to tickets.

use futures::future::join_all;
use helpdesk::{access::Role, functions::HttpAnswer};
use serde_json::{Value, json};

use crate::support::world::{HELP, World, mail};

struct Desk {
    world: World,
    agent: String,
    path: String,
}

async fn desk() -> Desk {
    let world = World::new().await;
    for at in 0..3 {
        world.mail(HELP, &format!("{at}.eml"), &mail("ann@a.example", &format!("{at}@a.example"), &format!("Question {at}"), "", "Words.")).await;
        world.clock.advance(time::Duration::SECOND);
    }
    let tickets = world.tickets("contoso").await;
    let first = tickets.iter().find(|ticket| ticket["subject"] == "Question 0").unwrap();
    let path = format!("/api/tickets/{}", first["id"].as_str().unwrap());
    let agent = world.token("contoso", Role::Agent, None);
    Desk { world, agent, path }
}

fn etag(answer: &HttpAnswer) -> String {
    answer.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone()
}

impl Desk {
    async fn patch(&self, body: Value) -> (u16, Value) {
        let answer = self.world.http("PATCH", &self.path, Some(&self.agent), body.to_string().as_bytes()).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    async fn version(&self) -> String {
        etag(&self.world.http("GET", &self.path, Some(&self.agent), b"").await)
    }

    async fn patch_if(&self, etag: &str, body: Value) -> HttpAnswer {
        self.world.http_with("PATCH", &self.path, Some(&self.agent), &[("if-match", etag)], body.to_string().as_bytes()).await
    }

    async fn subjects(&self, query: &str) -> Vec<String> {
        let (status, page) = self.world.get(&format!("/api/tickets?{query}"), &self.agent).await;
        assert_eq!(status, 200, "{page}");
        page["tickets"].as_array().unwrap().iter().map(|ticket| ticket["subject"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn an_agent_changes_what_he_names_and_nothing_else() {
    let desk = desk().await;
    let events = desk.world.events("contoso").await;
    let change = json!({
        "status": "pending", "priority": "urgent", "assignee": { "group": "printers" }, "category": " Hardware ",
        "tags": ["VPN", "vpn", "Köln"], "due_at": "2026-12-01T10:00:00Z",
    });
    let (status, changed) = desk.patch(change.clone()).await;
    assert_eq!(status, 200, "{changed}");
    for (member, expected) in [
        ("status", json!("pending")),
        ("priority", json!("urgent")),
        ("assignee", json!({ "group": "printers" })),
        ("category", json!("Hardware")),
        ("tags", json!(["vpn", "köln"])),
        ("due_at", json!("2026-12-01T10:00:00Z")),
        ("subject", json!("Question 0")),
        ("comments", json!(1)),
    ] {
        assert_eq!(changed[member], expected, "{member}");
    }
    assert_eq!(desk.world.get(&desk.path, &desk.agent).await.1, changed);
    let ann = desk.world.token("contoso", Role::Requester, Some("ann@a.example"));
    let seen = desk.world.get(&desk.path, &ann).await.1;
    assert!(seen["status"] == "pending" && ["assignee", "tags", "priority"].iter().all(|member| seen.get(member).is_none()), "{seen}");
    let (_, less) = desk.patch(json!({ "assignee": null, "due_at": null, "category": null, "tags": [] })).await;
    assert_eq!((&less["assignee"], &less["due_at"], &less["category"], &less["tags"]), (&Value::Null, &Value::Null, &Value::Null, &json!([])));
    assert_eq!((&less["status"], &less["priority"]), (&json!("pending"), &json!("urgent")));
    let (_, tagged) = desk.patch(json!({ "tags": ["vpn"], "cc": [{ "address": "eve@a.example" }] })).await;
    assert_eq!((&tagged["tags"], tagged["cc"].as_array().map(Vec::len)), (&json!(["vpn"]), Some(1)));
    let own = json!({ "cc": [{ "address": "eve@a.example" }, { "address": HELP }] });
    assert_eq!(desk.patch(own).await.0, 400, "it would be sent nothing");
    let (_, less) = desk.patch(json!({ "tags": null, "cc": null })).await;
    assert_eq!((&less["tags"], &less["cc"]), (&json!([]), &json!([])));
    // A change that changes nothing is none.
    desk.world.clock.advance(time::Duration::MINUTE);
    assert_eq!(desk.patch(json!({ "status": "pending" })).await.1["updated_at"], less["updated_at"]);
    assert_eq!(desk.world.events("contoso").await, events + 4);
}

#[tokio::test]
async fn tickets_are_found_by_who_works_on_them_and_how_far_they_are() {
    let desk = desk().await;
    assert_eq!(desk.patch(json!({ "assignee": { "person": "bea" }, "status": "in_progress" })).await.0, 200);
    assert_eq!(desk.subjects("assignee=person:bea").await, ["Question 0"]);
    assert_eq!(desk.subjects("status=in_progress").await, ["Question 0"]);
    assert_eq!(desk.subjects("status=new").await, ["Question 2", "Question 1"]);
    assert!(desk.subjects("assignee=group:bea").await.is_empty(), "a group is no person");
    assert_eq!(desk.patch(json!({ "assignee": { "group": "printers" } })).await.0, 200);
    assert!(desk.subjects("assignee=person:bea").await.is_empty());
    assert_eq!(desk.subjects("assignee=group:printers").await, ["Question 0"]);
    for wrong in ["assignee=bea", "assignee=person:"] {
        assert_eq!(desk.world.get(&format!("/api/tickets?{wrong}"), &desk.agent).await.0, 400, "{wrong}");
    }
    assert!(desk.subjects("assignee=group:printers&status=new").await.is_empty());
    assert_eq!(desk.subjects("assignee=none&order=asc").await, ["Question 1", "Question 2"]);
    // What a requester is not shown he cannot ask for.
    let ann = desk.world.token("contoso", Role::Requester, Some("ann@a.example"));
    for beyond in ["created_from=9999-12-31T23:59:59-23:59", "updated_to=0000-01-01T00:00:00%2B23:59"] {
        assert_eq!(desk.world.get(&format!("/api/tickets?{beyond}"), &desk.agent).await.0, 400, "{beyond}");
    }
    assert_eq!(desk.patch(json!({ "due_at": "9999-12-31T23:59:59-23:59" })).await.0, 400);
    for hidden in ["assignee=group:printers", "priority=high", "category=x", "tag=x", "sort=due"] {
        assert_eq!(desk.world.get(&format!("/api/tickets?{hidden}"), &ann).await.0, 400, "{hidden}");
    }
}

#[tokio::test]
async fn a_change_with_a_version_is_of_that_version() {
    let desk = desk().await;
    let read = etag(&desk.world.http("GET", &desk.path, Some(&desk.agent), b"").await);
    let first = desk.patch_if(&read, json!({ "status": "pending" })).await;
    assert_eq!(first.status, 200);
    assert_ne!(etag(&first), read);
    assert_eq!(desk.patch_if(&read, json!({ "status": "solved" })).await.status, 412);
    assert_eq!(desk.patch_if(&etag(&first), json!({ "status": "solved" })).await.status, 200);
    assert_eq!(desk.patch_if("*", json!({ "status": "new" })).await.status, 200);
}

#[tokio::test]
async fn changes_at_the_same_moment_all_happen() {
    let desk = desk().await;
    let many = (0..10).map(|number| desk.patch(json!({ "category": format!("Category {number}") })));
    let all = futures::future::join_all(many).await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_changes_of_one_version_one_happens_and_the_others_are_told() {
    let desk = desk().await;
    for round in 0..5 {
        let read = desk.version().await;
        let many = (0..8).map(|number| desk.patch_if(&read, json!({ "category": format!("Category {round} {number}") })));
        let mut statuses: Vec<u16> = join_all(many).await.into_iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    }
}

#[tokio::test]
async fn a_change_is_for_any_version_or_for_those_that_it_names() {
    let desk = desk().await;
    let old = desk.version().await;
    for among in ["*", "NOW", "\"other\", NOW", "W/\"other\",NOW"] {
        let header = among.replace("NOW", &desk.version().await);
        assert_eq!(desk.patch_if(&header, json!({ "category": among })).await.status, 200, "{header}");
    }
    let now = desk.version().await;
    for header in [&old, "\"other\"", &format!("W/{now}"), now.trim_matches('"'), "", ","] {
        assert_eq!(desk.patch_if(header, json!({ "category": "Late" })).await.status, 412, "{header}");
    }
    // It is so already, as after an answer that was lost.
    assert_eq!(desk.patch_if(&old, json!({ "category": "W/\"other\",NOW" })).await.status, 200);
    // Whoever means any version changes it beside others.
    let many = (0..10).map(|number| desk.patch_if("*", json!({ "category": format!("Any {number}") })));
    assert!(join_all(many).await.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn what_no_ticket_can_be_is_refused_and_changes_nothing() {
    let desk = desk().await;
    let before = desk.world.get(&desk.path, &desk.agent).await.1;
    let tags: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    for wrong in [
        json!({ "status": "closed" }),
        json!({ "number": 1 }),
        json!({ "subject": null }),
        json!({ "status": null }),
        json!({ "priority": null }),
        json!({ "priority": 1 }),
        json!({ "assignee": "bea" }),
        json!({ "assignee": { "person": "" } }),
        json!({ "assignee": { "person": "a", "group": "b" } }),
        json!({ "category": "two\nlines" }),
        json!({ "tags": tags }),
        json!({ "tags": [""] }),
        json!({ "due_at": "tomorrow" }),
        json!([]),
    ] {
        let (status, problem) = desk.patch(wrong.clone()).await;
        assert_eq!(status, 400, "{wrong}: {problem}");
    }
    assert_eq!(desk.world.get(&desk.path, &desk.agent).await.1, before);
}
