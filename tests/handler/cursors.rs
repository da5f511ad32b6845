//! Lists that go on: whole, and only for whom and what they were begun.

use helpdesk::access::Role;
use serde_json::Value;

use crate::support::world::{HELP, World, mail};

const ANN: &str = "ann@adventure-works.example";
const TICKETS: usize = 5;

/// Tickets of one requester, all of the same instant.
async fn world() -> World {
    let world = World::new().await;
    for at in 0..TICKETS {
        let raw = mail(ANN, &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), &raw).await.0, 200);
    }
    world
}

async fn next(world: &World, query: &str, token: &str) -> String {
    let (status, page) = world.get(&format!("/api/tickets?limit=2{query}"), token).await;
    assert_eq!(status, 200, "{page}");
    page["next"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_list_is_whole_whatever_its_pages() {
    let world = world().await;
    let agent = world.token("contoso", Role::Agent, None);
    let ann = world.token("contoso", Role::Requester, Some(ANN));
    for (token, filter) in [(&agent, ""), (&agent, "&status=new"), (&ann, "")] {
        for limit in 1..=TICKETS + 1 {
            let (mut numbers, mut cursor) = (Vec::new(), String::new());
            for _ in 0..=TICKETS {
                let (status, page) = world.get(&format!("/api/tickets?limit={limit}{filter}{cursor}"), token).await;
                assert_eq!(status, 200, "{page}");
                numbers.extend(page["tickets"].as_array().unwrap().iter().map(|ticket| ticket["number"].as_u64().unwrap()));
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            numbers.sort_unstable();
            assert_eq!(numbers, [1, 2, 3, 4, 5], "limit {limit}{filter}");
        }
    }
}

#[tokio::test]
async fn a_cursor_goes_on_for_its_caller_and_its_list_alone() {
    let world = world().await;
    let agent = world.token("contoso", Role::Agent, None);
    let cursor = next(&world, "", &agent).await;
    assert_eq!(world.get(&format!("/api/tickets?limit=2&cursor={cursor}"), &agent).await.0, 200);
    let ann = world.token("contoso", Role::Requester, Some(ANN));
    let bob = world.token("contoso", Role::Requester, Some("bob@northwind.example"));
    let anns = next(&world, "", &ann).await;
    let filtered = next(&world, "&status=new", &agent).await;
    let changed = format!("{}{}", if cursor.starts_with('A') { 'B' } else { 'A' }, &cursor[1..]);
    for (why, query, token) in [
        ("another role", format!("?cursor={cursor}"), ann.clone()),
        ("another tenant", format!("?cursor={cursor}"), world.token("fabrikam", Role::Agent, None)),
        ("another filter", format!("?status=new&cursor={cursor}"), agent.clone()),
        ("no filter", format!("?cursor={filtered}"), agent.clone()),
        ("another requester", format!("?cursor={anns}"), bob),
        ("changed", format!("?cursor={changed}"), agent.clone()),
        ("cut", format!("?cursor={}", &cursor[..cursor.len() - 1]), agent.clone()),
        ("empty", "?cursor=".to_owned(), agent.clone()),
        ("nonsense", "?cursor=%00%ff".to_owned(), agent.clone()),
        ("endless", format!("?cursor={}", "A".repeat(5_000)), agent.clone()),
    ] {
        let (status, body) = world.get(&format!("/api/tickets{query}"), &token).await;
        assert_eq!((status, &body["type"]), (400, &Value::from("urn:helpdesk:problem:bad-cursor")), "{why}");
    }
}

#[tokio::test]
async fn a_cursor_is_over_after_a_day() {
    let world = world().await;
    let cursor = next(&world, "", &world.token("contoso", Role::Agent, None)).await;
    for (hours, status) in [(23, 200), (1, 400)] {
        world.clock.advance(time::Duration::hours(hours));
        let token = world.token("contoso", Role::Agent, None);
        assert_eq!(world.get(&format!("/api/tickets?cursor={cursor}"), &token).await.0, status);
    }
}

#[tokio::test]
async fn wrong_parameters_are_problems() {
    let world = world().await;
    let agent = world.token("contoso", Role::Agent, None);
    for (query, slug) in [
        ("limit=0", "bad-limit"),
        ("limit=101", "bad-limit"),
        ("limit=-1", "bad-limit"),
        ("limit=two", "bad-limit"),
        ("limit=", "bad-limit"),
        ("limit=1,2", "bad-limit"),
        ("limit=99999999999999999999", "bad-limit"),
        ("status=open", "bad-status"),
        ("status=", "bad-status"),
        ("status=new,open", "bad-status"),
        ("status=New", "bad-status"),
    ] {
        let answer = world.http("GET", &format!("/api/tickets?{query}"), Some(&agent), b"").await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.headers.contains(&("content-type", "application/problem+json".to_owned())), "{query}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["type"], format!("urn:helpdesk:problem:{slug}"), "{query}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{query}: says what to do");
    }
}
