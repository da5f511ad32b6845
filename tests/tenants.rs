//! Who is a customer, who logs in as one, and what becomes of the mail of one who is not served.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use helpdesk::{
    access::Role,
    config::Config,
    ids::{Kind, TenantId, partition},
    mail::sender::Trust,
    ports::{Blobs, Document, Etag, Fault, NewDocument, Pieces, Ports, Put, Versions, Write},
    tenants::{self, Change, DirectoryId, Error, Mailbox, State, Tenant},
    tickets::{self, held, removal, unprocessed},
    wiring,
};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::{
    intake::take_what_waits,
    support::{
        faulty::{Plan, faulty},
        world::{HELP, SUPPORT, World, config, mail, queue},
    },
};

const DIRECTORY: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

async fn change(world: &World, id: &str, change: Change) -> Result<Tenant, Error> {
    tenants::change(&world.ports, &world.app.keyring, "test", &id.parse().unwrap(), &Versions::Any, &change).await.map(|(tenant, _)| tenant)
}

async fn set_state(world: &World, state: State) {
    change(world, "contoso", Change { state: Some(state), ..Change::default() }).await.unwrap();
}

#[tokio::test]
async fn a_mailbox_with_a_mark_is_given_to_nobody_and_locks_nobody_who_has_one() {
    let world = World::new().await;
    let (ports, keyring, marked) = (&world.ports, &world.app.keyring, Mailbox::parse("help+x@contoso.example").unwrap());
    let eve = Tenant::new("eve".parse().unwrap(), "Eve", vec![marked.clone()]);
    assert!(matches!(tenants::add(ports, keyring, "test", &eve, &Trust::Nobody).await, Err(Error::Marked)));
    let fabrikam = "fabrikam".parse().unwrap();
    let added = tenants::add_mailbox(ports, keyring, "test", &fabrikam, &marked, None, &Versions::Any).await;
    assert!(matches!(added, Err(Error::Marked)));
    // Who got one before keeps it, and is changed and removed like anybody.
    let (mut tenant, etag) = tenants::get(ports.documents.as_ref(), keyring, &fabrikam).await.unwrap().unwrap();
    tenant.mailboxes.push(marked);
    let (system, place) = (TenantId::system(), partition(&TenantId::system(), Kind::Tenant));
    let stored = ports.documents.get(&place, "tenant:fabrikam").await.unwrap().unwrap();
    let keys = keyring.keys(&system).await.unwrap();
    let document = keys.seal_document(&place, stored.id, Kind::Tenant, stored.keys, None, &tenant).unwrap();
    ports.documents.commit(&place, vec![Write::Replace { document, etag }]).await.unwrap();
    let suspended = change(&world, "fabrikam", Change { state: Some(State::Suspended), ..Change::default() }).await.unwrap();
    assert_eq!((suspended.state, suspended.mailboxes.len()), (State::Suspended, 2));
}

#[tokio::test]
async fn mail_of_a_tenant_that_is_not_served_is_held_and_goes_on_when_he_is() {
    let world = World::new().await;
    let contoso: TenantId = "contoso".parse().unwrap();
    let agent = world.token("contoso", Role::Agent, None);
    for (at, (state, reason)) in [(State::Suspended, "tenant_suspended"), (State::Restoring, "tenant_restoring")].into_iter().enumerate() {
        set_state(&world, state).await;
        let raw = mail("ann@a.example", &format!("{at}@a.example"), &format!("Question {at}"), "", "Words.");
        let (status, answer) = world.mail(HELP, &format!("{at}.eml"), &raw).await;
        assert!(status == 200 && answer.ends_with(reason), "{answer}");
        let refused = world.http("GET", "/api/tickets", Some(&agent), b"").await;
        assert_eq!(refused.status, 403);
        let problem: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(problem["type"], "urn:helpdesk:problem:tenant-not-served");
        world.clock.advance(time::Duration::SECOND);
    }
    // Nobody else is touched.
    world.mail(SUPPORT, "b.eml", &mail("bob@b.example", "b@b.example", "Another", "", "Words.")).await;
    assert_eq!(world.tickets("fabrikam").await.len(), 1);
    // Let go too early, it is held again, in the same record.
    assert_eq!(held::release(&world.app.desk, &contoso).await.unwrap(), 2);
    take_what_waits(&world).await;
    let held = world.unprocessed("contoso").await;
    assert_eq!(held.iter().map(|record| record.state).collect::<Vec<_>>(), [unprocessed::State::Waiting; 2]);

    set_state(&world, State::Active).await;
    assert_eq!(held::release(&world.app.desk, &contoso).await.unwrap(), 2);
    take_what_waits(&world).await;
    let mut subjects: Vec<String> = world.tickets("contoso").await.iter().map(|ticket| ticket["subject"].as_str().unwrap().to_owned()).collect();
    subjects.sort();
    assert_eq!(subjects, ["Question 0", "Question 1"]);
    assert!(world.unprocessed("contoso").await.iter().all(|record| record.state == unprocessed::State::Processed));
    // There is nothing more to let go.
    assert_eq!(held::release(&world.app.desk, &contoso).await.unwrap(), 0);
}

#[tokio::test]
async fn a_held_mail_whose_bytes_are_gone_keeps_no_other_waiting() {
    let world = World::new().await;
    set_state(&world, State::Suspended).await;
    for at in 0..2 {
        world.mail(HELP, &format!("{at}.eml"), &mail("ann@a.example", &format!("{at}@a.example"), &format!("Question {at}"), "", "Words.")).await;
        world.clock.advance(time::Duration::SECOND);
    }
    let unprocessed::Raw::Sealed { blob, .. } = world.unprocessed("contoso").await[0].raw.clone() else { panic!("it is sealed") };
    world.ports.blobs.delete("mail", &blob).await.unwrap();
    set_state(&world, State::Active).await;
    assert_eq!(held::release(&world.app.desk, &"contoso".parse().unwrap()).await.unwrap(), 1);
    take_what_waits(&world).await;
    assert_eq!(world.tickets("contoso").await.len(), 1);
    // It is no longer looked at by who lets mail go, and still there for people.
    let reasons: Vec<&str> = world
        .unprocessed("contoso")
        .await
        .iter()
        .filter(|record| record.state == unprocessed::State::Waiting)
        .map(|record| record.reason.name())
        .collect();
    assert_eq!(reasons, ["blob_missing"]);
}

#[tokio::test]
async fn a_held_mail_arrives_once_whatever_call_fails_while_it_is_let_go() {
    let contoso: TenantId = "contoso".parse().unwrap();
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let world = World::with(|ports| faulty(&ports, &plan)).await;
            set_state(&world, State::Suspended).await;
            world.mail(HELP, "a.eml", &mail("ann@a.example", "a@a.example", "Held", "", "Words.")).await;
            set_state(&world, State::Active).await;
            plan.fail_at(call, after);
            let first = held::release(&world.app.desk, &contoso).await;
            if plan.calls() < call {
                assert!(call > 5, "{call} calls are too few to let a mail go");
                break;
            }
            plan.fail_at(0, false);
            // The next time, as the timer would.
            let again = held::release(&world.app.desk, &contoso).await.unwrap();
            assert!(first.is_err() || first.is_ok_and(|released| released + again == 1), "call {call}");
            take_what_waits(&world).await;
            assert_eq!(world.tickets("contoso").await.len(), 1, "call {call}, after {after}");
            assert_eq!(world.tickets("contoso").await[0]["comments"], 1, "call {call}, after {after}");
        }
    }
}

#[tokio::test]
async fn a_held_mail_with_a_card_number_is_one_ticket_though_it_comes_again() {
    let world = World::new().await;
    set_state(&world, State::Suspended).await;
    let raw = b"From: ann@a.example\r\nSubject: Payment\r\n\r\nMy card is 4111 1111 1111 1111.\r\n";
    world.mail(HELP, "a.eml", raw).await;
    set_state(&world, State::Active).await;
    assert_eq!(held::release(&world.app.desk, &"contoso".parse().unwrap()).await.unwrap(), 1);
    take_what_waits(&world).await;
    // The feeder never heard that it was taken.
    world.mail(HELP, "again.eml", raw).await;
    assert_eq!(world.tickets("contoso").await.len(), 1);
}

#[tokio::test]
async fn what_a_tenant_keeps_for_other_reasons_is_not_let_go() {
    let world = World::new().await;
    world.mail(HELP, "garbage.eml", b"\x00\x01").await;
    assert_eq!(held::release(&world.app.desk, &"contoso".parse().unwrap()).await.unwrap(), 0);
    assert_eq!(world.unprocessed("contoso").await[0].state, unprocessed::State::Waiting);
}

#[tokio::test]
async fn a_directory_belongs_to_one_tenant() {
    let world = World::new().await;
    let (documents, keyring) = (world.ports.documents.as_ref(), &world.app.keyring);
    let directory: DirectoryId = DIRECTORY.parse().unwrap();
    let of_directory = async || tenants::of_directory(documents, keyring, &directory).await.unwrap().map(|tenant| tenant.id.to_string());
    assert_eq!(of_directory().await, None);
    let taken = || Change { entra_tenant: Some(Some(directory.clone())), ..Change::default() };
    assert_eq!(change(&world, "contoso", taken()).await.unwrap().entra_tenant, Some(directory.clone()));
    assert_eq!(of_directory().await.as_deref(), Some("contoso"));
    // His own he may have again; another's nobody may.
    change(&world, "contoso", taken()).await.unwrap();
    assert!(matches!(change(&world, "fabrikam", taken()).await, Err(Error::DirectoryTaken)));
    let northwind = Tenant { entra_tenant: Some(directory.clone()), ..Tenant::new("northwind".parse().unwrap(), "Northwind", Vec::new()) };
    assert!(matches!(tenants::add(&world.ports, keyring, "test", &northwind, &Trust::Nobody).await, Err(Error::DirectoryTaken)));
    change(&world, "contoso", Change { entra_tenant: Some(None), ..Change::default() }).await.unwrap();
    assert_eq!(of_directory().await, None);
}

#[tokio::test]
async fn who_may_write_the_store_does_not_give_himself_a_tenant() {
    let world = World::new().await;
    let (documents, place) = (world.ports.documents.as_ref(), partition(&TenantId::system(), Kind::Tenant));
    let Document { id, kind, body, etag, .. } = documents.get(&place, "tenant:contoso").await.unwrap().unwrap();
    // The clear key of another directory beside contoso's own sealed words.
    let keys = [Some(format!("entra:{DIRECTORY}")), None, None, None];
    documents.commit(&place, vec![Write::Replace { document: NewDocument { id, kind, keys, expires_at: None, body }, etag }]).await.unwrap();
    let admin = world.token(DIRECTORY, Role::Admin, None);
    assert_eq!(world.get("/api/tickets", &admin).await.0, 401);
}

#[tokio::test]
async fn a_tenant_who_was_added_by_a_commit_whose_answer_was_lost_is_added() {
    let plan = Arc::new(Plan::default());
    let world = World::with(|ports| faulty(&ports, &plan)).await;
    let tenant = Tenant::new("northwind".parse().unwrap(), "Northwind", vec![Mailbox::parse("it@northwind.example").unwrap()]);
    let add = async || tenants::add(&world.app.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await;
    // Its keys are there: the next commit is the tenant's.
    world.app.keyring.keys(&TenantId::system()).await.unwrap();
    plan.send_commits_twice(1);
    add().await.unwrap();
    assert!(matches!(add().await, Err(Error::Exists)));
}

#[tokio::test]
async fn a_change_is_of_the_tenant_that_was_read() {
    let world = World::new().await;
    let (documents, keyring, id) = (world.ports.documents.as_ref(), &world.app.keyring, "contoso".parse().unwrap());
    let (before, read) = tenants::get(documents, keyring, &id).await.unwrap().unwrap();
    let of = |read: &Etag| Versions::OneOf(vec![read.clone()]);
    let change_if = async |meant: Versions, what: Change| tenants::change(&world.ports, keyring, "test", &id, &meant, &what).await;
    let name = |name: &str| Change { name: Some(name.to_owned()), ..Change::default() };
    let (after, now) = change_if(of(&read), name("Contoso Ltd")).await.unwrap();
    assert_eq!(after.clone(), Tenant { name: "Contoso Ltd".to_owned(), ..before });
    assert!(matches!(change_if(of(&read), name("Late")).await, Err(Error::Changed)));
    // Whoever heard no answer asks again: what is so already is no fault.
    assert_eq!(change_if(of(&read), name("Contoso Ltd")).await.unwrap(), (after, now.clone()));
    change_if(of(&now), name("Contoso")).await.unwrap();
    assert!(matches!(change(&world, "contoso", name("")).await, Err(Error::BadName)));
    assert!(matches!(change(&world, "nobody", name("Nobody")).await, Err(Error::NotFound)));
    // Another trust is another version: it is shown under it.
    let (_, read) = tenants::get(documents, keyring, &id).await.unwrap().unwrap();
    let trusts = async |trust: &str, meant: Versions| {
        tenants::add_mailbox(&world.ports, keyring, "test", &id, &Mailbox::parse(HELP).unwrap(), Some(&trust.parse().unwrap()), &meant).await
    };
    trusts("exchange_online", of(&read)).await.unwrap();
    assert!(matches!(trusts("nobody", of(&read)).await, Err(Error::Changed)));
    assert!(matches!(change_if(of(&read), name("Late")).await, Err(Error::Changed)));
    // What belongs to it is still its own.
    let owner = tenants::of_mailbox(documents, keyring, &Mailbox::parse(HELP).unwrap()).await.unwrap().unwrap();
    assert_eq!(owner.tenant, id);
}

#[tokio::test]
async fn a_tenant_who_goes_takes_all_that_is_his_with_him_and_nothing_of_others() {
    let world = World::new().await;
    for (mailbox, at) in [(HELP, 0), (SUPPORT, 1)] {
        let raw = mail("ann@a.example", &format!("{at}@a.example"), "Gone", "", &"Words. ".repeat(4_000));
        world.mail(mailbox, &format!("{at}.eml"), &raw).await;
        world.mail(mailbox, &format!("garbage-{at}.eml"), b"\x00\x01").await;
        world.mail(mailbox, &format!("more-{at}.eml"), b"\x00\x02").await;
        // Too large to be sealed, and named by its record alone.
        world.mail(mailbox, &format!("feeder/large-{at}.eml"), &vec![b'x'; 36_700_161]).await;
    }
    let contoso: TenantId = "contoso".parse().unwrap();
    // Replayed and not taken in; and somebody died before he said that he had replayed it.
    for (at, record) in world.unprocessed("contoso").await.iter().filter(|record| matches!(record.raw, unprocessed::Raw::Sealed { .. })).enumerate() {
        match at {
            0 => unprocessed::replay::replay(&world.app.desk, &contoso, record.id, "test").await.unwrap(),
            _ => drop(world.leave(HELP, &format!("let-go/{}.eml", record.id), b"words").await),
        }
    }
    let remove = async || removal::remove(&world.app.desk, "test", &contoso, &Versions::Any).await;
    for state in [State::Active, State::Restoring] {
        set_state(&world, state).await;
        assert!(matches!(remove().await, Err(tickets::Error::Tenants(Error::StillServed))));
    }
    set_state(&world, State::Suspended).await;
    let other = Versions::OneOf(vec![Etag("0".to_owned())]);
    let refused = removal::remove(&world.app.desk, "test", &contoso, &other).await;
    assert!(matches!(refused, Err(tickets::Error::Tenants(Error::Changed))), "{refused:?}");
    let before = world.ports.documents.changed_since("t:fabrikam", None, 1000).await.unwrap().documents.len();
    let removal = remove().await.unwrap();
    assert!(removal.done && removal.documents > 8 && removal.blobs >= 3, "{removal:?}");
    let left = world.ports.documents.changed_since("t:contoso", None, 1000).await.unwrap();
    assert!(left.documents.is_empty() && left.deleted.is_empty());
    assert_eq!(world.ports.blobs.list("mail", "contoso/", None, 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(world.ports.blobs.list("mail-intake", "", None, 10).await.unwrap(), ["feeder/large-1.eml"]);
    assert!(has_no_keys(&world).await);
    assert_eq!(remove().await.unwrap(), tenants::Removal { done: true, documents: 0, blobs: 0 }, "nothing is left to remove");
    // What is still under way for him, or in the memory of another process, is not to become another's.
    let again = Tenant::new(contoso.clone(), "Another", vec![Mailbox::parse("new@contoso.example").unwrap()]);
    assert!(matches!(tenants::add(&world.ports, &world.app.keyring, "test", &again, &Trust::Nobody).await, Err(Error::IdUsed)));
    // Who asks is nobody, and what comes is nobody's.
    let agent = world.token("contoso", Role::Agent, None);
    assert_eq!(world.http("GET", "/api/tickets", Some(&agent), b"").await.status, 401);
    let late = world.mail(HELP, "late.eml", &mail("ann@a.example", "late@a.example", "Late", "", "Words.")).await;
    assert!(late.1.ends_with("unknown_mailbox"), "{late:?}");
    assert_eq!(world.ports.documents.changed_since("t:fabrikam", None, 1000).await.unwrap().documents.len(), before);
    assert_eq!(world.tickets("fabrikam").await.len(), 1);
    // A wake-up that was under way makes no keys for him.
    assert_eq!(queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await.0, 200);
    assert!(has_no_keys(&world).await);
}

#[tokio::test]
async fn who_never_had_keys_leaves_his_id_to_nobody_either() {
    let world = World::new().await;
    let northwind: TenantId = "northwind".parse().unwrap();
    let tenant = Tenant::new(northwind.clone(), "Northwind", Vec::new());
    let add = async || tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await;
    let remove = async || removal::remove(&world.app.desk, "test", &northwind, &Versions::Any).await;
    assert!(matches!(remove().await, Err(tickets::Error::Tenants(Error::NotFound))), "there never was one");
    add().await.unwrap();
    assert!(matches!(add().await, Err(Error::Exists)));
    change(&world, "northwind", Change { state: Some(State::Suspended), ..Change::default() }).await.unwrap();
    assert!(remove().await.unwrap().done);
    assert!(matches!(add().await, Err(Error::IdUsed)));
    let nothing = tenants::Removal { done: true, documents: 0, blobs: 0 };
    assert_eq!(remove().await.unwrap(), nothing);
    assert!(matches!(change(&world, "northwind", Change::default()).await, Err(Error::NotFound)));
    // Something of his was under way, and came after he was gone.
    world.ports.blobs.put("mail", "northwind/late/raw", Bytes::from_static(b"sealed")).await.unwrap();
    assert_eq!(remove().await.unwrap(), tenants::Removal { blobs: 1, ..nothing });
    assert_eq!(remove().await.unwrap(), nothing);
    // So it is with one of whom nothing but the keyring was restored.
    let adventure: TenantId = "adventure".parse().unwrap();
    world.app.keyring.forget(&adventure).await.unwrap();
    let restored = Tenant::new(adventure, "Adventure", Vec::new());
    assert!(matches!(tenants::add(&world.ports, &world.app.keyring, "test", &restored, &Trust::Nobody).await, Err(Error::IdUsed)));
    // Pages of tenants pass over him.
    let zeta = Tenant::new("zeta".parse().unwrap(), "Zeta", Vec::new());
    tenants::add(&world.ports, &world.app.keyring, "test", &zeta, &Trust::Nobody).await.unwrap();
    let page = async |after, limit| {
        let page = tenants::page(world.ports.documents.as_ref(), &world.app.keyring, after, limit).await.unwrap();
        page.into_iter().map(|tenant| tenant.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(Some("fabrikam"), 1).await, ["zeta"]);
    assert_eq!(page(None, 3).await, ["contoso", "fabrikam", "zeta"]);
    assert_eq!(page(Some("zeta"), 2).await, Vec::<String>::new());
}

async fn has_no_keys(world: &World) -> bool {
    let left = world.ports.documents.get("sys:keys", "contoso").await.unwrap().unwrap();
    let left: serde_json::Value = serde_json::from_slice(&left.body).unwrap();
    left["keys"] == serde_json::json!([])
}

/// Blobs of which one is handed out only when somebody says so.
struct Gated {
    inner: Arc<dyn Blobs>,
    name: &'static str,
    open: Semaphore,
}

#[async_trait]
impl Blobs for Gated {
    async fn put(&self, container: &str, name: &str, bytes: Bytes) -> Result<Put, Fault> {
        self.inner.put(container, name, bytes).await
    }
    async fn put_pieces(&self, container: &str, name: &str, pieces: Pieces<'_>) -> Result<Put, Fault> {
        self.inner.put_pieces(container, name, pieces).await
    }
    async fn get(&self, container: &str, name: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, Fault> {
        if name == self.name {
            self.open.acquire().await.unwrap().forget();
        }
        self.inner.get(container, name, range).await
    }
    async fn size(&self, container: &str, name: &str) -> Result<Option<u64>, Fault> {
        self.inner.size(container, name).await
    }
    async fn list(&self, container: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        self.inner.list(container, prefix, after, limit).await
    }
    async fn delete(&self, container: &str, name: &str) -> Result<(), Fault> {
        self.inner.delete(container, name).await
    }
}

#[tokio::test]
async fn mail_that_waits_for_room_while_its_tenant_goes_is_nobodys() {
    let world = World::new().await;
    let gated = Arc::new(Gated { inner: world.ports.blobs.clone(), name: "first.eml", open: Semaphore::new(0) });
    let ports = Ports { blobs: gated.clone(), ..world.ports.clone() };
    let app = wiring::app(ports, &Config { mail_in_flight_bytes: 100, ..config() });
    let first = world.leave(SUPPORT, "first.eml", &mail("ann@a.example", "first@a.example", "First", "", "Words.")).await;
    let late = world.leave(HELP, "late.eml", &mail("ann@a.example", "late@a.example", "Late", "", "Words.")).await;
    let own = world.leave(HELP, "pushed/contoso/own.eml", &mail("ann@a.example", "own@a.example", "Own", "", "Words.")).await;
    app.keyring.keys(&"contoso".parse().unwrap()).await.unwrap();
    let mut first = Box::pin(queue(&app, "IntakeMail", &first));
    let mut late = Box::pin(queue(&app, "IntakeMail", &late));
    let mut own = Box::pin(queue(&app, "IntakeMail", &own));
    // The first one has all the room there is.
    for waiting in [&mut first, &mut late, &mut own] {
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), waiting).await.is_err());
    }
    set_state(&world, State::Suspended).await;
    let contoso = "contoso".parse().unwrap();
    removal::remove(&app.desk, "test", &contoso, &Versions::Any).await.unwrap();
    gated.open.add_permits(1);
    assert_eq!(first.await.1, "opened ticket 1");
    let (status, note) = late.await;
    assert!(status == 200 && note.ends_with("unknown_mailbox"), "{status} {note}");
    // What lay in his own name went with him.
    let (status, note) = own.await;
    assert!(status == 200 && note.ends_with("blob_missing"), "{status} {note}");
    let records = world.unprocessed("sys").await;
    assert!(records.len() == 2 && records.iter().all(|record| record.mailbox.as_deref() == Some(HELP)), "{records:?}");
    assert!(world.ports.documents.changed_since("t:contoso", None, 10).await.unwrap().documents.is_empty());
    assert!(has_no_keys(&world).await);
}

#[tokio::test]
async fn a_tenant_goes_whose_keys_do_not_open() {
    let world = World::new().await;
    world.mail(HELP, "a.eml", b"\x00\x01").await;
    set_state(&world, State::Suspended).await;
    let document = world.ports.documents.get("sys:keys", "contoso").await.unwrap().unwrap();
    let broken = NewDocument { id: document.id, kind: document.kind, keys: document.keys, expires_at: None, body: b"{}".to_vec() };
    world.ports.documents.commit("sys:keys", vec![Write::Replace { document: broken, etag: document.etag }]).await.unwrap();
    let (app, contoso) = (world.another(), "contoso".parse().unwrap());
    let removal = removal::remove(&app.desk, "test", &contoso, &Versions::Any).await.unwrap();
    assert!(removal.done, "{removal:?}");
    assert!(has_no_keys(&world).await);
}

#[tokio::test]
async fn a_removal_that_is_cut_off_anywhere_is_finished_by_the_next() {
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let world = World::with(|ports| faulty(&ports, &plan)).await;
            world.mail(HELP, "a.eml", &mail("ann@a.example", "a@a.example", "Gone", "", "Words.")).await;
            set_state(&world, State::Suspended).await;
            let contoso: TenantId = "contoso".parse().unwrap();
            let ports = &world.app.ports;
            world.leases().await;
            plan.fail_at(call, after);
            let first = removal::remove(&world.app.desk, "test", &contoso, &Versions::Any).await;
            let planned = plan.calls();
            plan.fail_at(0, false);
            assert!(after || call > planned || first.is_err(), "call {call}");
            // Wherever it broke off: the id is not another's.
            let another = Tenant::new(contoso.clone(), "Another", vec![Mailbox::parse("new@contoso.example").unwrap()]);
            let refused = tenants::add(ports, &world.app.keyring, "test", &another, &Trust::Nobody).await;
            assert!(matches!(refused, Err(Error::Exists | Error::IdUsed)), "call {call}: {refused:?}");
            match removal::remove(&world.app.desk, "test", &contoso, &Versions::Any).await {
                Ok(removal) => assert!(removal.done, "call {call}"),
                Err(error) => panic!("call {call}: {error}"),
            }
            assert!(world.ports.documents.changed_since("t:contoso", None, 10).await.unwrap().documents.is_empty());
            assert!(has_no_keys(&world).await);
            assert!(tenants::list(ports.documents.as_ref(), &world.app.keyring).await.unwrap().iter().all(|tenant| tenant.id != contoso));
            if call > planned {
                assert!(call > 8, "only {planned} calls were tried");
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_admin_changes_how_his_desk_works_and_an_agent_reads_it() {
    let world = World::new().await;
    let (admin, agent) = (world.token("contoso", Role::Admin, None), world.token("contoso", Role::Agent, None));
    let shown = world.http("GET", "/api/settings", Some(&agent), b"").await;
    let etag = shown.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone();
    let mut settings: Value = serde_json::from_slice(&shown.body).unwrap();
    assert_eq!(settings["reopen_days"], 14);
    settings["reopen_days"] = 30.into();
    let body = settings.to_string();
    assert_eq!(world.http("PUT", "/api/settings", Some(&agent), body.as_bytes()).await.status, 403);
    let put =
        async |etag: &str, body: &str| world.http_with("PUT", "/api/settings", Some(&admin), &[("if-match", etag)], body.as_bytes()).await.status;
    assert_eq!(put(&etag, &body).await, 200);
    assert_eq!(put(&etag, &body).await, 200, "it is so already");
    assert_eq!(put(&etag, r#"{"reopen_days": 7}"#).await, 412, "it is another version by now");
    assert_eq!(world.get("/api/settings", &agent).await.1["reopen_days"], 30);
    for wrong in [r#"{"reopen_days": 4000}"#, r#"{"mails_a_sender": 0}"#, r#"{"mails_a_mailbox": 1}"#, r#"{"colour": "red"}"#, "[]"] {
        assert_eq!(put("*", wrong).await, 400, "{wrong}");
    }
    // Another tenant has his own.
    assert_eq!(world.get("/api/settings", &world.token("fabrikam", Role::Admin, None)).await.1["reopen_days"], 14);
}

#[tokio::test]
async fn changes_of_one_tenant_at_once_wait_for_each_other() {
    let world = World::new().await;
    let admin = world.token("contoso", Role::Admin, None);
    let put = async |days: u32| {
        let body = format!(r#"{{"reopen_days": {days}}}"#);
        world.http("PUT", "/api/settings", Some(&admin), body.as_bytes()).await.status
    };
    assert_eq!(futures::future::join_all((1..=24).map(put)).await, [200; 24]);
}

#[tokio::test]
async fn every_change_of_a_tenant_leaves_an_event_that_says_who() {
    use helpdesk::{
        audit::Event,
        ports::{Scan, Slot},
    };
    let world = World::new().await;
    let operator = world.token("vendor", Role::Operator, None);
    let path = "/api/operator/tenants/contoso";
    for (method, path, body) in [
        ("PATCH", path.to_owned(), r#"{"state": "suspended"}"#),
        ("POST", format!("{path}/mailboxes"), r#"{"address": "it@contoso.example"}"#),
        ("DELETE", path.to_owned(), ""),
    ] {
        world.clock.advance(time::Duration::SECOND);
        assert_eq!(world.http(method, &path, Some(&operator), body.as_bytes()).await.status, 200);
    }
    let found = world.ports.documents.scan(&Scan::prefix("sys:tenants", Slot::K1, "pending:", 100)).await.unwrap();
    let keys = world.app.keyring.keys(&TenantId::system()).await.unwrap();
    let events: Vec<Event> = found.iter().map(|document| keys.open_document(document).unwrap()).collect();
    let by_the_operator: Vec<String> = events
        .iter()
        .filter(|event| event.actor == "test-operator" && event.target == "contoso")
        .map(|event| serde_json::to_value(event.action).unwrap().as_str().unwrap().to_owned())
        .collect();
    assert_eq!(by_the_operator, ["tenant_changed", "mailbox_added", "tenant_removed"]);
    assert_eq!(events.len(), 5, "two were added by the test");
}
