//! Records of unprocessed mail that nobody needs any more, and what was sealed for them.

use helpdesk::{
    ids::TenantId,
    mail::sender::Trust,
    ports::{NewDocument, Versions, Write},
    tenants::{self, Change, Mailbox, State, Tenant},
    tickets::{removal, unprocessed},
};
use time::Duration;

use super::take_what_waits;
use crate::support::world::{HELP, World, mail, tick};

const ANN: &str = "ann@adventure-works.example";
const SALES: &str = "sales@contoso.example";

async fn sealed(world: &World) -> Vec<String> {
    let blobs = world.ports.blobs.list("mail", "", None, 100).await.unwrap();
    blobs.into_iter().filter(|blob| blob.ends_with("/unprocessed")).collect()
}

async fn set_state(world: &World, tenant: &TenantId, state: State) {
    let change = Change { state: Some(state), ..Change::default() };
    tenants::change(&world.ports, &world.app.keyring, "test", tenant, &Versions::Any, &change).await.unwrap();
}

#[tokio::test]
async fn a_record_whose_mail_is_in_a_ticket_goes_after_ninety_days_with_its_copy() {
    let world = World::new().await;
    let contoso = "contoso".parse().unwrap();
    set_state(&world, &contoso, State::Suspended).await;
    world.mail(HELP, "a.eml", &mail(ANN, "a@a.example", "A question", "", "Words.")).await;
    set_state(&world, &contoso, State::Active).await;
    world.clock.advance(Duration::SECOND);
    world.mail(HELP, "waits.eml", b"\x00\x01").await;
    let record = world.unprocessed("contoso").await[0].id;
    unprocessed::replay::replay(&world.app.desk, &contoso, record, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!((world.unprocessed("contoso").await.len(), sealed(&world).await.len()), (2, 2));
    world.clock.advance(Duration::days(90) - Duration::MINUTE);
    assert!(tick(&world.app, "SweepUnprocessed").await.1.starts_with("0 records"));
    world.clock.advance(Duration::minutes(2));
    assert!(tick(&world.app, "SweepUnprocessed").await.1.starts_with("1 records"));
    let left = world.unprocessed("contoso").await;
    assert_eq!((left.len(), left[0].reason.name(), sealed(&world).await.len()), (1, "unreadable", 1), "what waits stays");
    assert_eq!(world.tickets("contoso").await.len(), 1);
}

#[tokio::test]
async fn a_copy_that_another_record_needs_stays_with_it() {
    let world = World::new().await;
    let contoso = "contoso".parse().unwrap();
    let raw = mail(ANN, "a@a.example", "A question", "", "Words.");
    set_state(&world, &contoso, State::Suspended).await;
    // The same mail under two names.
    for name in ["a.eml", "b.eml"] {
        world.mail(HELP, name, &raw).await;
    }
    let records = world.unprocessed("contoso").await;
    assert_eq!((records.len(), sealed(&world).await.len()), (2, 1));
    set_state(&world, &contoso, State::Active).await;
    unprocessed::replay::replay(&world.app.desk, &contoso, records[0].id, "test").await.unwrap();
    take_what_waits(&world).await;
    world.clock.advance(Duration::days(91));
    assert!(tick(&world.app, "SweepUnprocessed").await.1.starts_with("1 records"));
    assert!(unprocessed::raw(&world.app.desk, &contoso, &records[1]).await.unwrap().is_some());
    unprocessed::replay::replay(&world.app.desk, &contoso, records[1].id, "test").await.unwrap();
    take_what_waits(&world).await;
    assert!(tick(&world.app, "SweepUnprocessed").await.1.starts_with("1 records"));
    assert_eq!((world.unprocessed("contoso").await.len(), sealed(&world).await.len()), (0, 0));
}

#[tokio::test]
async fn nobodys_mail_goes_with_the_tenant_who_got_its_mailbox() {
    let world = World::new().await;
    let sales: TenantId = "sales".parse().unwrap();
    for (mailbox, name) in [(SALES, "a.eml"), ("sales+x@contoso.example", "b.eml"), ("other@contoso.example", "c.eml")] {
        world.mail(mailbox, name, &mail(ANN, name, "Before you came", "", "Words.")).await;
        world.clock.advance(Duration::SECOND);
    }
    let tenant = Tenant::new(sales.clone(), "Sales", vec![Mailbox::parse(SALES).unwrap()]);
    tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
    let first = world.unprocessed("sys").await.remove(0).id;
    unprocessed::replay::replay(&world.app.desk, &TenantId::system(), first, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!((world.tickets("sales").await.len(), sealed(&world).await.len()), (1, 3));
    set_state(&world, &sales, State::Suspended).await;
    assert!(removal::remove(&world.app.desk, "test", &sales, &Versions::Any).await.unwrap().done);
    let left = world.unprocessed("sys").await;
    assert_eq!((left.len(), left[0].mailbox.as_deref(), sealed(&world).await.len()), (1, Some("other@contoso.example"), 1));
}

#[tokio::test]
async fn a_record_that_does_not_open_goes_with_its_copy_too() {
    let world = World::new().await;
    let contoso: TenantId = "contoso".parse().unwrap();
    set_state(&world, &contoso, State::Suspended).await;
    world.mail(HELP, "a.eml", &mail(ANN, "a@a.example", "A question", "", "Words.")).await;
    set_state(&world, &contoso, State::Active).await;
    let record = world.unprocessed("contoso").await[0].id;
    unprocessed::replay::replay(&world.app.desk, &contoso, record, "test").await.unwrap();
    take_what_waits(&world).await;
    let documents = &world.ports.documents;
    let found = documents.get("t:contoso", &format!("unprocessed:{record}")).await.unwrap().unwrap();
    let broken = NewDocument { id: found.id, kind: found.kind, keys: found.keys, expires_at: None, body: b"{}".to_vec() };
    documents.commit("t:contoso", vec![Write::Replace { document: broken, etag: found.etag }]).await.unwrap();
    world.clock.advance(Duration::days(91));
    assert!(tick(&world.app, "SweepUnprocessed").await.1.starts_with("1 records"));
    assert_eq!((world.unprocessed("contoso").await.len(), sealed(&world).await.len()), (0, 0));
}
