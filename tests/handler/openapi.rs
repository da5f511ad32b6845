//! The OpenAPI document: whole, and as it was last looked at.

use helpdesk::functions::{ALL, Trigger, openapi};
use serde_json::Value;

use crate::support::world::World;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/handler/openapi.json");

#[tokio::test]
async fn it_is_served_to_everybody_and_says_something_of_every_route() {
    let world = World::new().await;
    let served = world.http("GET", "/api/openapi.json", None, b"").await;
    assert_eq!(served.status, 200);
    let document: Value = serde_json::from_slice(&served.body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes = 0;
    for function in ALL {
        let Trigger::Http { method, route, .. } = &function.trigger else { continue };
        let operation = &document["paths"][format!("/{route}")][method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], function.name);
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "nothing is said of {}: see `about`", function.name);
        let refused = &operation["responses"]["503"]["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"]["enum"];
        assert!(refused.as_array().unwrap().contains(&"urn:helpdesk:problem:unavailable".into()), "{}", function.name);
        assert_eq!(operation["responses"]["503"]["headers"]["Retry-After"]["schema"]["type"], "integer");
        routes += 1;
    }
    let described: usize = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(described, routes);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(to)) => found.push(to),
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = openapi::document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for to in found {
        assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
    }
}

/// A change of the API is seen in the change of this file: `UPDATE=1 cargo test openapi` writes it anew.
#[test]
fn it_is_what_was_last_looked_at() {
    let document = serde_json::to_string_pretty(&openapi::document()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(SNAPSHOT, &document).unwrap();
    }
    assert!(std::fs::read_to_string(SNAPSHOT).unwrap() == document, "the API is another one: look, then UPDATE=1 cargo test openapi");
}
