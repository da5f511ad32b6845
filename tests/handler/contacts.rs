//! Which contact a requester is.

use std::collections::BTreeMap;

use helpdesk::{access::Role, ids::TenantId, tickets::contacts};
use serde_json::json;

use crate::support::world::{HELP, World, mail};

const ANN: &str = "ann@adventure-works.example";
const BOB: &str = "bob@northwind.example";

async fn seen(world: &World, subject: &str, address: Option<&str>) -> usize {
    let token = world.token_of("contoso", Role::Requester, subject, address);
    world.get("/api/tickets", &token).await.1["tickets"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_requester_is_linked_once_and_keeps_his_address_whatever_he_is_called_later() {
    let world = World::new().await;
    for (at, sender) in [ANN, BOB].into_iter().enumerate() {
        world.mail(HELP, &format!("{at}.eml"), &mail(sender, &format!("q{at}@a.example"), "A question", "", "Words.")).await;
    }
    assert_eq!(seen(&world, "oid-ann", None).await, 0, "his directory vouches for no address");
    assert_eq!(seen(&world, "oid-ann", Some(ANN)).await, 1);
    // Renamed, or without a name, she is who she was; and gets nothing of whoever had the name.
    assert_eq!(seen(&world, "oid-ann", Some(BOB)).await, 1);
    assert_eq!(seen(&world, "oid-ann", None).await, 1);
    assert_eq!(seen(&world, "oid-bob", Some(BOB)).await, 1);
    // Whoever gets her old address in the directory is not her.
    assert_eq!(seen(&world, "oid-new", Some(ANN)).await, 0);
}

#[tokio::test]
async fn a_name_that_is_no_address_is_nobodys() {
    let (world, contoso) = (World::new().await, "contoso".parse::<TenantId>().unwrap());
    // In lower case the last would be Kate's.
    for name in ["", "x", "<ann@a.example>", "ann@a.example\r\nBcc: eve@a.example", "'ann@a.example", "\u{212a}ate@northwind.example"] {
        assert_eq!(contacts::address_of(&world.app.desk, &contoso, "oid", Some(name)).await.unwrap(), None, "{name:?}");
    }
    let international = contacts::address_of(&world.app.desk, &contoso, "oid", Some("ann@b\u{fc}cher.example")).await.unwrap();
    assert_eq!(international.as_deref(), Some("ann@xn--bcher-kva.example"), "as it stands in what is kept of mail");
}

#[tokio::test]
async fn two_who_claim_one_address_at_once_do_not_both_get_it() {
    let world = World::new().await;
    world.mail(HELP, "q.eml", &mail(ANN, "q@a.example", "A question", "", "Words.")).await;
    let contoso: TenantId = "contoso".parse().unwrap();
    let subjects: Vec<String> = (0..6).map(|at| format!("oid-{at}")).collect();
    let claims = subjects.iter().map(|subject| contacts::address_of(&world.app.desk, &contoso, subject, Some(ANN)));
    let linked = futures::future::try_join_all(claims).await.unwrap();
    assert_eq!(linked.iter().flatten().count(), 1);
    // And each of them is told the same again.
    for (subject, first) in subjects.iter().zip(&linked) {
        assert_eq!(contacts::address_of(&world.app.desk, &contoso, subject, Some(ANN)).await.unwrap(), *first);
    }
}

#[tokio::test]
async fn an_agent_finds_a_contact_by_his_address_and_by_nothing_else() {
    let world = World::new().await;
    world.mail(HELP, "q.eml", &mail(&format!("Ann <{ANN}>"), "q@a.example", "A question", "", "Words.")).await;
    let agent = world.token("contoso", Role::Agent, None);
    let search = async |token: &str, address: &str| {
        let answer = world.http("POST", "/api/contacts/search", Some(token), json!({ "address": address }).to_string().as_bytes()).await;
        (answer.status, serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(&answer.body).unwrap())
    };
    let (status, found) = search(&agent, " ANN@adventure-works.example").await;
    assert_eq!((status, &found["name"], &found["has_logged_in"]), (200, &json!("Ann"), &json!(false)));
    seen(&world, "oid-ann", Some(ANN)).await;
    assert_eq!(search(&agent, ANN).await.1["has_logged_in"], json!(true));
    assert_eq!(search(&agent, BOB).await.0, 404);
    assert_eq!(search(&world.token("fabrikam", Role::Agent, None), ANN).await.0, 404);
}
