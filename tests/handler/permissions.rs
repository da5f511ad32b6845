//! Every route, every role, the own tenant and another, one's own ticket and another's: against the permission table.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use helpdesk::{
    access::{Action, Role, roles},
    functions::{ALL, Access, Method, Trigger},
    ports::{Clock, Ports, Versions},
    tenants::{SETTINGS_BYTES_MAX, State},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::world::{HELP, SUPPORT, World, mail};

const ANN: &str = "ann@adventure-works.example";
const BOB: &str = "bob@northwind.example";

/// A ticket of Ann's in contoso, and one of hers in fabrikam, each with a comment, an attachment and a mail.
async fn world() -> (World, [Value; 2]) {
    let world = World::new().await;
    let mut tickets = Vec::new();
    for (tenant, mailbox) in [("contoso", HELP), ("fabrikam", SUPPORT)] {
        let raw = mail(ANN, "q@a.example", "A question", "Content-Disposition: attachment; filename=\"plan.txt\"\r\n", "Words.");
        assert_eq!(world.mail(mailbox, &format!("{tenant}.eml"), &raw).await.0, 200);
        let ticket = world.tickets(tenant).await.remove(0);
        let comment = world.comments(tenant, &ticket).await.remove(0);
        world.mail(mailbox, &format!("{tenant}-garbage.eml"), b"\x00\x01").await;
        let record = world.unprocessed(tenant).await.remove(0).id;
        tickets.push(json!({ "id": ticket["id"], "comment": comment["id"], "record": record }));
    }
    (world, tickets.try_into().unwrap())
}

fn path(route: &str, ticket: &Value) -> String {
    let text = |name: &str| ticket[name].as_str().unwrap();
    let route = route
        .replace("{id}", text("id"))
        .replace("{comment}", text("comment"))
        .replace("{record}", text("record"))
        .replace("{other}", text("id"))
        .replace("{number}", "1")
        .replace("{tenant}", "contoso");
    assert!(!route.contains('{'), "this test has no value for a parameter of {route}");
    format!("/{route}")
}

#[tokio::test]
async fn every_route_answers_each_caller_as_the_permission_table_says() {
    let (world, [own, foreign]) = world().await;
    let mut asked = 0;
    for function in ALL {
        let Trigger::Http { method, route, access } = &function.trigger else { continue };
        let Access::Callers(action, _) = access else { continue };
        let body: &[u8] = if *method == Method::Get { b"" } else { b"{\"text\": \"Words.\"}" };
        let of_a_ticket = route.contains("{id}") || route.contains("{record}");
        for role in Role::ALL {
            // Who calls, from where, and whether the ticket in the path is one that he may see.
            let callers = [
                ("contoso", Some(ANN), &own, true),
                ("contoso", Some(BOB), &own, role != Role::Requester),
                ("contoso", None, &own, role != Role::Requester),
                ("contoso", Some(ANN), &foreign, false),
                ("fabrikam", Some(ANN), &own, false),
                ("vendor", Some(ANN), &own, false),
            ];
            for (tenant, address, ticket, sees) in callers {
                let token = world.token(tenant, role, address);
                let answer = world.http(method.as_str(), &path(route, ticket), Some(&token), body).await;
                let may = roles::may(role, *action) && (!role.is_of_the_vendor() || tenant == "vendor");
                let expected: &[u16] = match (may, tenant) {
                    (false, _) => &[403],
                    // Nobody's directory but the vendor's, who is no customer here.
                    (true, "vendor") if !role.is_of_the_vendor() => &[401],
                    (true, _) if of_a_ticket && !sees => &[404],
                    (true, _) if *action == Action::PushMail => &[415],
                    (true, _) if matches!(action, Action::CreateTickets | Action::ChangeTickets | Action::ReadContacts) => &[400],
                    (true, _) if *route == "api/tickets/search" => &[400],
                    // A tenant who is served is not removed, and what was sent is none, nor his settings.
                    (true, _) if *action == Action::ManageTenants => &[400, 409],
                    (true, _) if *action == Action::ChangeSettings => &[400],
                    // No limit holds it.
                    (true, _) if function.name == "ReleaseUnprocessed" => &[409],
                    (true, _) => &[200, 201, 202],
                };
                assert!(
                    expected.contains(&answer.status),
                    "{} {role:?} of {tenant} as {address:?}: {}, not {expected:?}",
                    function.name,
                    answer.status
                );
                asked += 1;
            }
        }
        let nobody = world.http(method.as_str(), &path(route, &own), None, body).await;
        assert_eq!(nobody.status, 401, "{}", function.name);
    }
    assert!(asked > 200, "{asked}");
}

#[tokio::test]
async fn an_operator_counts_only_in_the_vendors_directory() {
    let world = World::new().await;
    for (tenant, status) in [("vendor", 200), ("contoso", 403), ("northwind", 403)] {
        let token = world.token(tenant, Role::Operator, None);
        assert_eq!(world.http("GET", "/api/operator/tenants", Some(&token), b"").await.status, status, "{tenant}");
    }
}

#[tokio::test]
async fn an_operator_adds_changes_and_suspends_tenants() {
    let world = World::new().await;
    let operator = world.token("vendor", Role::Operator, None);
    let call = async |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = world.http(method, path, Some(&operator), &body).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap(), answer.headers)
    };
    let northwind = json!({
        "id": "northwind", "name": "Northwind", "region": "swedencentral", "entra_tenant": "0F1E2D3C-4b5a-6978-8796-a5b4c3d2e1f0",
        "mailboxes": [{ "address": "Help@northwind.example", "trust": "exchange_online" }, { "address": "it@northwind.example" }]
    });
    let (status, added, _) = call("POST", "/api/operator/tenants", northwind.clone()).await;
    assert_eq!(status, 201, "{added}");
    assert_eq!((&added["state"], &added["entra_tenant"]), (&json!("active"), &json!("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")));
    assert_eq!(added["mailboxes"][0], json!({ "address": "help@northwind.example", "trust": "exchange_online" }));
    assert_eq!(added["mailboxes"][1]["trust"], "nobody");
    assert_eq!(call("POST", "/api/operator/tenants", northwind).await.0, 409);

    // Its people log in by their directory.
    let agent = world.token("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", Role::Agent, None);
    assert_eq!(world.http("GET", "/api/tickets", Some(&agent), b"").await.status, 200);

    let path = "/api/operator/tenants/northwind";
    let (_, _, headers) = call("GET", path, Value::Null).await;
    let etag = headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone();
    let (status, changed, _) = call("PATCH", path, json!({ "state": "suspended" })).await;
    assert_eq!((status, &changed["state"], &changed["name"]), (200, &json!("suspended"), &json!("Northwind")));
    assert_eq!(world.http("GET", "/api/tickets", Some(&agent), b"").await.status, 403);
    let late = world.http_with("PATCH", path, Some(&operator), &[("if-match", &etag)], br#"{"name": "Late"}"#).await;
    assert_eq!(late.status, 412);

    let house = json!({ "id": "sys", "name": "x", "mailboxes": [] });
    assert_eq!(call("POST", "/api/operator/tenants", house).await.0, 400, "the house is nobody's tenant");
    let known = json!({ "address": "help@northwind.example" });
    assert_eq!(call("POST", &format!("{path}/mailboxes"), known).await.1["mailboxes"][0]["trust"], "exchange_online", "it stays");
    for (body, status) in [
        (json!({ "state": "gone" }), 400),
        (json!({ "region": "eastus" }), 400),
        (json!({ "id": "other" }), 400),
        (json!({ "name": "" }), 400),
        (json!({ "name": null }), 400),
        (json!({ "region": null }), 400),
        (json!({ "state": null }), 400),
        (json!({ "settings": null }), 400),
        (json!({ "entra_tenant": null }), 200),
    ] {
        assert_eq!(call("PATCH", path, body.clone()).await.0, status, "{body}");
    }
    assert_eq!(world.http("GET", "/api/tickets", Some(&agent), b"").await.status, 401, "the directory is nobody's any more");
    // What an admin may set, an operator may.
    for (padding, status) in [(SETTINGS_BYTES_MAX, 200), (SETTINGS_BYTES_MAX + 64 * 1024, 413)] {
        let settings = format!("{{\"settings\": {{{}}}}}", " ".repeat(padding));
        assert_eq!(world.http("PATCH", path, Some(&operator), settings.as_bytes()).await.status, status, "{padding}");
    }
    let more = json!({ "address": "sales@northwind.example" });
    assert_eq!(call("POST", &format!("{path}/mailboxes"), more).await.1["mailboxes"].as_array().unwrap().len(), 3);
    let taken = json!({ "address": HELP });
    assert_eq!(call("POST", &format!("{path}/mailboxes"), taken).await.0, 409);
    let (_, listed, _) = call("GET", "/api/operator/tenants", Value::Null).await;
    let ids: Vec<&str> = listed["tenants"].as_array().unwrap().iter().map(|tenant| tenant["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["contoso", "fabrikam", "northwind"]);
    assert_eq!(call("GET", "/api/operator/tenants/nobody", Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_agent_sees_what_did_not_become_a_ticket_and_replays_it() {
    let world = World::new().await;
    let agent = world.token("contoso", Role::Agent, None);
    for at in 0..3 {
        assert!(world.mail(HELP, &format!("{at}.eml"), &[0, at]).await.1.ends_with("unreadable"));
        world.clock.advance(time::Duration::SECOND);
    }
    let (mut all, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (status, page) = world.get(&format!("/api/unprocessed{query}"), &agent).await;
        assert_eq!(status, 200, "{page}");
        all.extend(page["unprocessed"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(all.len(), 3);
    let path = format!("/api/unprocessed/{}", all[1]["id"].as_str().unwrap());
    let (_, record) = world.get(&path, &agent).await;
    assert_eq!((&record["reason"], &record["state"], &record["bytes"]), (&json!("unreadable"), &json!("waiting"), &json!(2)));
    let raw = world.http("GET", &format!("{path}/mail"), Some(&agent), b"").await;
    assert_eq!((raw.status, raw.body.as_ref()), (200, &[0_u8, 1][..]));
    let again = world.http("POST", &format!("{path}/replay"), Some(&agent), b"").await;
    assert_eq!(again.status, 202);
    let body: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!((&body["state"], &body["replays"]), (&json!("replayed"), &json!(1)));
    crate::intake::take_what_waits(&world).await;
    assert_eq!(world.get(&path, &agent).await.1["state"], "waiting", "it is still no mail");
    // Nothing holds it: letting it go would promise what does not come.
    let let_go = world.http("POST", &format!("{path}/release"), Some(&agent), b"").await;
    let problem: Value = serde_json::from_slice(&let_go.body).unwrap();
    assert_eq!((let_go.status, &problem["type"]), (409, &json!("urn:helpdesk:problem:not-held")));
    assert_eq!(world.get(&path, &agent).await.1["replays"], 1);
    assert_eq!(world.get("/api/unprocessed/nonsense", &agent).await.0, 404);
}

#[tokio::test]
async fn a_machine_pushes_mail_to_the_mailboxes_of_its_tenant() {
    let world = World::new().await;
    let feeder = world.token("contoso", Role::Feeder, None);
    let raw = mail(ANN, "pushed@a.example", "Pushed", "", "8-bit: \u{e4}");
    let push = async |mailbox: &str, media_type: &str, raw: &[u8]| {
        let headers = [("content-type", media_type), ("helpdesk-mailbox", mailbox)];
        world.http_with("POST", "/api/mail", Some(&feeder), &headers, raw).await.status
    };
    // Twice, as after an answer that was lost; and again when it is a ticket already.
    for _ in 0..2 {
        assert_eq!(push("Help@Contoso.example", "message/rfc822; charset=binary", &raw).await, 202);
    }
    crate::intake::take_what_waits(&world).await;
    assert_eq!(push(HELP, "message/rfc822", &raw).await, 202);
    crate::intake::take_what_waits(&world).await;
    let tickets = world.tickets("contoso").await;
    assert_eq!((tickets.len(), &tickets[0]["subject"]), (1, &json!("Pushed")));
    // The Functions host forwards no type of an empty body.
    let empty = world.http_with("POST", "/api/mail", Some(&feeder), &[("helpdesk-mailbox", HELP)], b"").await;
    let problem: Value = serde_json::from_slice(&empty.body).unwrap();
    assert_eq!((empty.status, &problem["type"]), (400, &json!("urn:helpdesk:problem:empty-mail")));
    for (mailbox, media_type, raw, status) in [
        ("help+x1@contoso.example", "message/rfc822", raw.as_slice(), 202),
        (SUPPORT, "message/rfc822", &raw, 404),
        ("support+x1@fabrikam.example", "message/rfc822", &raw, 404),
        ("nobody@contoso.example", "message/rfc822", &raw, 404),
        ("help", "message/rfc822", &raw, 400),
        (HELP, "message/rfc822", b"", 400),
        (HELP, "application/json", &raw, 415),
    ] {
        assert_eq!(push(mailbox, media_type, raw).await, status, "{mailbox} {media_type}");
    }
    // One that was packed would end as unreadable.
    let headers = [("content-type", "message/rfc822"), ("helpdesk-mailbox", HELP)];
    let packed = world.http_with("POST", "/api/mail", Some(&feeder), &headers, b"\x1f\x8b\x08\x00").await;
    assert_eq!(packed.status, 415);
    assert!(packed.headers.contains(&("accept-encoding", "identity".to_owned())), "{:?}", packed.headers);
    // What is no mail is taken too, and kept with its reason.
    assert_eq!(push(HELP, "message/rfc822", b"\x00\x01").await, 202);
    crate::intake::take_what_waits(&world).await;
    assert_eq!(world.unprocessed("contoso").await.len(), 1);
}

#[tokio::test]
async fn pushed_mail_of_a_tenant_that_is_suspended_is_taken_and_held() {
    let world = World::new().await;
    let (operator, feeder) = (world.token("vendor", Role::Operator, None), world.token("contoso", Role::Feeder, None));
    assert_eq!(world.http("PATCH", "/api/operator/tenants/contoso", Some(&operator), br#"{"state":"suspended"}"#).await.status, 200);
    let headers = [("content-type", "message/rfc822"), ("helpdesk-mailbox", HELP)];
    assert_eq!(world.http_with("POST", "/api/mail", Some(&feeder), &headers, &mail(ANN, "a@a.example", "Held", "", "Words.")).await.status, 202);
    crate::intake::take_what_waits(&world).await;
    assert_eq!(world.unprocessed("contoso").await[0].reason.name(), "tenant_suspended");
}

/// A clock that is a minute further whenever it is asked.
struct Hurried(Arc<dyn Clock>, Arc<AtomicI64>);

impl Clock for Hurried {
    fn now(&self) -> OffsetDateTime {
        self.0.now() + Duration::minutes(self.1.fetch_add(1, Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_tenant_whose_mail_takes_long_leaves_the_others_their_turn() {
    let minutes = Arc::new(AtomicI64::new(0));
    let world = World::with(|ports| Ports { clock: Arc::new(Hurried(ports.clock.clone(), minutes.clone())), ..ports }).await;
    for (tenant, mailbox) in [("contoso", HELP), ("fabrikam", SUPPORT)] {
        let id = tenant.parse().unwrap();
        for (state, blob) in [(State::Suspended, "held.eml"), (State::Active, "")] {
            let change = helpdesk::tenants::Change { state: Some(state), ..Default::default() };
            helpdesk::tenants::change(&world.ports, &world.app.keyring, "test", &id, &Versions::Any, &change).await.unwrap();
            if !blob.is_empty() {
                assert!(world.mail(mailbox, blob, &mail(ANN, "a@a.example", "Held", "", "Words.")).await.1.ends_with("tenant_suspended"));
            }
        }
    }
    // A run has time for one of them.
    assert!(crate::support::world::tick(&world.app, "ReleaseHeld").await.1.starts_with("1 held"));
    for _ in 0..20 {
        crate::support::world::tick(&world.app, "ReleaseHeld").await;
    }
    minutes.store(0, Ordering::SeqCst);
    crate::intake::take_what_waits(&world).await;
    for tenant in ["contoso", "fabrikam"] {
        assert_eq!(world.tickets(tenant).await.len(), 1, "{tenant}");
    }
}

#[tokio::test]
async fn held_mail_goes_on_when_the_tenant_is_active_again_even_if_nobody_was_there_to_let_it_go() {
    let world = World::new().await;
    let operator = world.token("vendor", Role::Operator, None);
    let set = async |state: &str| {
        let body = json!({ "state": state }).to_string();
        assert_eq!(world.http("PATCH", "/api/operator/tenants/contoso", Some(&operator), body.as_bytes()).await.status, 200);
    };
    set("suspended").await;
    assert!(world.mail(HELP, "a.eml", &mail(ANN, "a@a.example", "Held", "", "Words.")).await.1.ends_with("tenant_suspended"));
    assert!(crate::support::world::tick(&world.app, "ReleaseHeld").await.1.starts_with("0 held"), "the tenant is suspended");
    set("active").await;
    crate::intake::take_what_waits(&world).await;
    assert_eq!(world.tickets("contoso").await.len(), 1);
    assert!(crate::support::world::tick(&world.app, "ReleaseHeld").await.1.starts_with("0 held"));

    // The change was made, and then the process died.
    set("restoring").await;
    assert!(world.mail(HELP, "b.eml", &mail(ANN, "b@a.example", "Held", "", "Words.")).await.1.ends_with("tenant_restoring"));
    let change = helpdesk::tenants::Change { state: Some(helpdesk::tenants::State::Active), ..Default::default() };
    helpdesk::tenants::change(&world.ports, &world.app.keyring, "test", &"contoso".parse().unwrap(), &Versions::Any, &change).await.unwrap();
    assert!(crate::support::world::tick(&world.app, "ReleaseHeld").await.1.starts_with("1 held"));
    crate::intake::take_what_waits(&world).await;
    assert_eq!(world.tickets("contoso").await.len(), 2);
}

#[tokio::test]
async fn what_no_tenant_and_no_desk_can_be_is_refused() {
    let world = World::new().await;
    let (operator, admin) = (world.token("vendor", Role::Operator, None), world.token("contoso", Role::Admin, None));
    let add = async |more: Value| {
        let mut body = json!({ "id": "northwind", "name": "Northwind", "mailboxes": [] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.http("POST", "/api/operator/tenants", Some(&operator), body.to_string().as_bytes()).await.status
    };
    // Whose token names that one is looked for by his directory.
    assert_eq!(add(json!({ "id": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0" })).await, 400);
    assert_eq!(add(json!({ "name": "\u{200b}" })).await, 400);
    let mailbox = |trust: &str| json!({ "address": "help@northwind.example", "trust": trust });
    assert_eq!(add(json!({ "mailboxes": [mailbox("exchange_online"), mailbox("nobody")] })).await, 400);
    assert_eq!(add(json!({ "mailboxes": [mailbox("exchange_online"), mailbox("exchange_online")] })).await, 201);
    for field in [
        json!({ "name": " ", "kind": "text" }),
        json!({ "name": "\u{200b}", "kind": "text" }),
        json!({ "name": "Site", "kind": "choice", "choices": ["Bonn", "Bonn"] }),
        json!({ "name": "Site", "kind": "choice", "choices": [" "] }),
        json!({ "name": "Site", "kind": "choice", "choices": ["4111 1111 1111 1111"] }),
    ] {
        let settings = json!({ "fields": [field] }).to_string();
        assert_eq!(world.http("PUT", "/api/settings", Some(&admin), settings.as_bytes()).await.status, 400, "{settings}");
    }
}
