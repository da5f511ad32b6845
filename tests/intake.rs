//! A mail becomes a ticket exactly once, whatever fails on the way.

mod faults;
mod instances;
mod letters;
mod limits;
mod sweep;
mod threads;

use std::sync::Arc;

use helpdesk::{
    access::Role,
    mail::sender::Trust,
    ports::{NewDocument, Scan, Slot, Versions, Write},
};
use serde_json::{Value, json};

use crate::support::{
    faulty::{Plan, faulty},
    world::{HELP, SUPPORT, World, mail, queue},
};

const ANN: &str = "Ann <ann@adventure-works.example>";

fn question() -> Vec<u8> {
    mail(ANN, "q1@adventure-works.example", "The printer is on fire", "", "Please help soon.")
}

fn answer(to: &str, id: &str) -> Vec<u8> {
    mail(ANN, id, "Re: The printer is on fire", &format!("In-Reply-To: <{to}>\r\nReferences: <{to}>\r\n"), "It still burns.")
}

#[tokio::test]
async fn a_mail_becomes_a_sealed_ticket_that_its_agent_reads() {
    let world = World::new().await;
    assert_eq!(world.mail(HELP, "a.eml", &question()).await, (200, "opened ticket 1".to_owned()));

    let tickets = world.tickets("contoso").await;
    assert_eq!(tickets.len(), 1);
    assert_eq!((&tickets[0]["subject"], &tickets[0]["status"]), (&Value::from("The printer is on fire"), &Value::from("new")));
    assert_eq!(tickets[0]["requester"]["address"], "ann@adventure-works.example");
    let comments = world.comments("contoso", &tickets[0]).await;
    assert_eq!(comments.len(), 1);
    assert_eq!(comments[0]["text"].as_str().unwrap().trim(), "Please help soon.");

    // The intake blob is gone, and nothing that was kept can be read without the keys.
    assert_eq!(world.ports.blobs.size("mail-intake", "a.eml").await.unwrap(), None);
    let changes = world.ports.documents.changed_since("t:contoso", None, 1000).await.unwrap();
    assert!(changes.documents.len() >= 6);
    for document in &changes.documents {
        for word in ["printer", "ann@", "adventure", "help soon"] {
            assert!(!document.body.windows(word.len()).any(|part| part == word.as_bytes()), "{}", document.id);
            assert!(!document.id.contains(word) && !document.keys.iter().flatten().any(|key| key.contains(word)));
        }
    }
    for name in world.ports.blobs.list("mail", "", None, 100).await.unwrap() {
        let sealed = world.ports.blobs.get("mail", &name, None).await.unwrap().unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"printer"), "{name}");
    }
    // The original comes back byte for byte.
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}/comments/{}/mail", tickets[0]["id"].as_str().unwrap(), comments[0]["id"].as_str().unwrap());
    let original = world.http("GET", &path, Some(&token), b"").await;
    assert_eq!((original.status, original.body.as_ref()), (200, question().as_slice()));
}

#[tokio::test]
async fn every_message_delivered_twice_makes_one_comment_each() {
    deliver_twice(&World::new().await).await;
}

#[cfg(feature = "azure")]
#[tokio::test]
async fn every_message_delivered_twice_makes_one_comment_each_in_cosmos() {
    deliver_twice(&World::on(crate::ports_contract::cosmos::documents).await).await;
}

async fn deliver_twice(world: &World) {
    let first = world.leave(HELP, "a.eml", &question()).await;
    let second = world.leave(HELP, "b.eml", &answer("q1@adventure-works.example", "q2@adventure-works.example")).await;
    for message in [&first, &second, &first, &second] {
        let (status, note) = queue(&world.app, "IntakeMail", message).await;
        assert_eq!(status, 200, "{note}");
    }
    let tickets = world.tickets("contoso").await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(world.comments("contoso", &tickets[0]).await.len(), 2);
    assert!(world.unprocessed("contoso").await.is_empty());
    // The same mail fed again under another name is the same mail.
    assert_eq!(world.mail(HELP, "again.eml", &question()).await, (200, "seen before, in ticket 1".to_owned()));
    assert_eq!(world.ports.blobs.list("mail-intake", "", None, 10).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn one_message_delivered_to_many_at_once_makes_one_ticket() {
    let world = World::new().await;
    let message = world.leave(HELP, "a.eml", &question()).await;
    let apps: Vec<_> = (0..8).map(|_| world.another()).collect();
    let done = futures::future::join_all(apps.iter().map(|app| queue(app, "IntakeMail", &message))).await;
    assert!(done.iter().all(|(status, _)| *status == 200 || *status == 500), "{done:?}");
    assert_eq!(done.iter().filter(|(_, note)| note.starts_with("opened")).count(), 1, "{done:?}");
    assert_eq!(world.tickets("contoso").await.len(), 1);
    assert!(world.unprocessed("contoso").await.is_empty(), "{done:?}");
}

#[tokio::test]
async fn a_port_that_fails_at_any_call_loses_and_doubles_nothing() {
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let world = World::with(|ports| faulty(&ports, &plan)).await;
            let first = world.leave(HELP, "a.eml", &question()).await;
            let second = world.leave(HELP, "b.eml", &answer("q1@adventure-works.example", "q2@adventure-works.example")).await;
            let unknown = world.leave("nobody@contoso.example", "c.eml", &question()).await;
            let garbage = world.leave(HELP, "d.eml", b"\0\x01\x02").await;
            world.leases().await;
            plan.fail_at(call, after);
            let mut failed = 0;
            // Each message comes until it is answered, as the queue would bring it.
            for message in [&first, &second, &unknown, &garbage] {
                let mut tries = 0;
                while queue(&world.app, "IntakeMail", message).await.0 != 200 {
                    (failed, tries) = (failed + 1, tries + 1);
                    assert!(tries < 3, "call {call} failed once and the message does not get through");
                }
            }
            let planned = plan.calls();
            plan.fail_at(0, false);
            let tickets = world.tickets("contoso").await;
            assert_eq!(tickets.len(), 1, "call {call}, after: {after}");
            assert_eq!(world.comments("contoso", &tickets[0]).await.len(), 2, "call {call}, after: {after}");
            assert_eq!(world.unprocessed("sys").await.len(), 1, "call {call}, after: {after}");
            assert_eq!(world.unprocessed("contoso").await.len(), 1, "call {call}, after: {after}");
            assert_eq!(world.ports.blobs.list("mail-intake", "", None, 10).await.unwrap(), Vec::<String>::new(), "call {call}, after: {after}");
            if call > planned {
                assert!(call > 40, "only {planned} calls were tried");
                break;
            }
            assert_eq!(failed, 1, "call {call}, after: {after}: a failing port was not noticed");
        }
    }
}

#[tokio::test]
async fn two_processes_racing_on_one_tenant_share_no_number_and_lose_no_mail() {
    race(&World::new().await).await;
}

#[cfg(feature = "azure")]
#[tokio::test]
async fn two_processes_racing_on_one_tenant_in_cosmos_share_no_number_and_lose_no_mail() {
    race(&World::on(crate::ports_contract::cosmos::documents).await).await;
}

async fn race(world: &World) {
    const MAILS: usize = 60;
    let (one, two) = (world.app.clone(), world.another());
    let mut messages = Vec::new();
    for n in 0..MAILS {
        // Every third mail answers the first one of its group.
        let id = format!("m{n}@northwind.example");
        let raw = if n % 3 == 0 {
            mail(ANN, &id, &format!("Question {n}"), "", "Hello")
        } else {
            answer(&format!("m{}@northwind.example", n - n % 3), &id)
        };
        messages.push(world.leave(HELP, &format!("{n}.eml"), &raw).await);
    }
    let work = messages.iter().enumerate().map(|(n, message)| {
        let (mine, other) = if n % 2 == 0 { (&one, &two) } else { (&two, &one) };
        async move {
            for app in [mine, other, mine, other, mine, other, mine, other] {
                if queue(app, "IntakeMail", message).await.0 == 200 {
                    return true;
                }
            }
            false
        }
    });
    let done = futures::future::join_all(work).await;
    assert!(done.iter().all(|done| *done));
    let tickets = world.tickets("contoso").await;
    let mut numbers: Vec<u64> = tickets.iter().map(|ticket| ticket["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((tickets.len(), numbers.len()), (MAILS / 3, MAILS / 3));
    for ticket in &tickets {
        assert_eq!(ticket["comments"], 3);
        assert_eq!(world.comments("contoso", ticket).await.len(), 3);
    }
}

#[tokio::test]
async fn a_reply_that_overtakes_its_original_shares_its_ticket() {
    let world = World::new().await;
    let late = world.mail(HELP, "b.eml", &answer("q1@adventure-works.example", "q2@adventure-works.example")).await;
    assert_eq!(late, (200, "opened ticket 1".to_owned()));
    let (status, note) = world.mail(HELP, "a.eml", &question()).await;
    assert_eq!((status, note.as_str()), (200, "comment on ticket 1: a mail that refers to it came earlier"));
}

#[tokio::test]
async fn the_same_message_id_in_two_tenants_is_two_tickets() {
    let world = World::new().await;
    world.mail(HELP, "a.eml", &question()).await;
    assert_eq!(world.mail(SUPPORT, "b.eml", &question()).await, (200, "opened ticket 1".to_owned()));
    assert_eq!((world.tickets("contoso").await.len(), world.tickets("fabrikam").await.len()), (1, 1));
}

#[tokio::test]
async fn an_answer_to_our_own_mail_joins_by_its_signature_and_only_by_it() {
    let world = World::new().await;
    world.mail(HELP, "a.eml", &question()).await;
    let ticket = world.tickets("contoso").await[0].clone();
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
    let made = world.http("POST", &path, Some(&token), br#"{"text":"Use the extinguisher.","public":true}"#).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    assert_eq!(queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await.1, "1 sent, 0 delayed, 0 given up");
    let sent = world.sent.mails.lock().unwrap().clone();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].from.as_str(), sent[0].to.as_slice()), (HELP, &["ann@adventure-works.example".to_owned()][..]));
    let ours = helpdesk::mail::parse::parse(&sent[0].raw, &helpdesk::mail::sender::Trust::Nobody).unwrap();
    let id = ours.message_id.unwrap();
    assert_eq!((ours.subject.as_str(), ours.in_reply_to), ("Re: The printer is on fire [#1]", vec!["q1@adventure-works.example".to_owned()]));

    let (_, note) = world.mail(HELP, "b.eml", &answer(&id, "q3@adventure-works.example")).await;
    assert_eq!(note, "comment on ticket 1: it answers our own mail");
    // A guessed signature, and one of another tenant, prove nothing.
    let (head, domain) = id.split_once('@').unwrap();
    let forged = format!("{}0@{domain}", &head[..head.len() - 1]);
    let other = if forged == id { format!("{}1@{domain}", &head[..head.len() - 1]) } else { forged };
    let (_, note) = world.mail(HELP, "c.eml", &answer(&other, "q4@adventure-works.example")).await;
    assert!(note.starts_with("opened ticket"), "{note}");
    let (_, note) = world.mail(SUPPORT, "d.eml", &answer(&id, "q5@adventure-works.example")).await;
    assert!(note.starts_with("opened ticket"), "{note}");
}

#[tokio::test]
async fn what_is_no_ticket_is_kept_once_and_says_why() {
    use helpdesk::{ids::TenantId, tickets::unprocessed};
    let world = World::new().await;
    let large = vec![b'x'; 35 * 1024 * 1024 + 1];
    let long = "\"".repeat(20_000);
    let nowhere = format!(r#"{{"v":1,"mailbox":"{}","blob":"a.eml"}}"#, "m".repeat(20_000));
    let cases: [(&str, String, &str); 9] = [
        ("sys", long, "bad_message"),
        ("sys", nowhere, "bad_message"),
        ("sys", "hello".to_owned(), "bad_message"),
        ("sys", "[2]".to_owned(), "bad_message"),
        ("sys", r#"{"v":2,"mailbox":"help@contoso.example","blob":"a.eml"}"#.to_owned(), "unknown_version"),
        ("sys", r#"{"v":1,"mailbox":"help@contoso.example","blob":"../a.eml"}"#.to_owned(), "bad_message"),
        ("contoso", r#"{"v":1,"mailbox":"help@contoso.example","blob":"missing.eml"}"#.to_owned(), "blob_missing"),
        ("contoso", world.leave(HELP, "garbage.bin", &[0, 1, 2]).await, "unreadable"),
        ("contoso", world.leave(HELP, "large.eml", &large).await, "unreadable"),
    ];
    let (mut nobody, mut contoso) = (0, 0);
    for (owner, message, reason) in &cases {
        world.clock.advance(time::Duration::seconds(1));
        for time in ["first", "again"] {
            let (status, note) = queue(&world.app, "IntakeMail", message).await;
            assert_eq!(status, 200, "{note}");
            assert!(note.ends_with(reason) && note.starts_with("seen before") == (time == "again"), "{message}: {note}");
        }
        if *owner == "sys" {
            nobody += 1
        } else {
            contoso += 1
        }
        let records = world.unprocessed(owner).await;
        assert_eq!(records.len(), if *owner == "sys" { nobody } else { contoso });
        assert_eq!(records.last().unwrap().reason.name(), *reason);
        let kept = unprocessed::message(&world.app.desk, &TenantId::try_from((*owner).to_owned()).unwrap(), records.last().unwrap()).await.unwrap();
        assert_eq!(kept, *message);
    }
    let kept = world.ports.documents.changed_since("sys:mail", None, 100).await.unwrap().documents;
    assert!(kept.iter().all(|document| document.body.len() <= 16 * 1024));
    // Too large to be sealed, so it stays; what was sealed is gone from the intake.
    assert_eq!(world.ports.blobs.list("mail-intake", "", None, 10).await.unwrap(), vec!["large.eml".to_owned()]);
    assert!(world.tickets("contoso").await.is_empty());
}

#[tokio::test]
async fn mail_for_an_unknown_mailbox_becomes_a_ticket_when_somebody_owns_it_and_it_is_replayed() {
    use helpdesk::{
        tenants::{self, Mailbox, Tenant},
        tickets::unprocessed::{self, State},
    };
    let world = World::new().await;
    let (status, note) = world.mail("sales@contoso.example", "a.eml", &question()).await;
    assert!(status == 200 && note.ends_with("unknown_mailbox"), "{note}");
    let record = world.unprocessed("sys").await.remove(0);
    assert_eq!(world.events("sys").await, 1);
    let house = helpdesk::ids::TenantId::system();

    // Too early: it comes back to the same record.
    unprocessed::replay::replay(&world.app.desk, &house, record.id, "test").await.unwrap();
    take_what_waits(&world).await;
    let again = world.unprocessed("sys").await;
    assert_eq!((again.len(), again[0].state, again[0].replays), (1, State::Waiting, 1));
    assert_eq!(world.events("sys").await, 2, "it was kept, and replayed");

    let tenant = Tenant::new("sales".parse().unwrap(), "Sales", vec![Mailbox::parse("sales@contoso.example").unwrap()]);
    tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
    unprocessed::replay::replay(&world.app.desk, &house, record.id, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!(world.tickets("sales").await.len(), 1);
    let closed = world.unprocessed("sys").await.remove(0);
    assert_eq!((closed.state, closed.ticket), (State::Processed, Some(1)));
    // Replayed once more, it is still one ticket.
    unprocessed::replay::replay(&world.app.desk, &house, record.id, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!(world.tickets("sales").await.len(), 1);
}

#[tokio::test]
async fn a_mail_that_came_after_its_message_closes_the_record_of_that() {
    use helpdesk::tickets::unprocessed::{self, State};
    let world = World::new().await;
    let early = async |blob: &str| {
        let message = json!({ "v": 1, "mailbox": HELP, "blob": blob }).to_string();
        assert!(queue(&world.app, "IntakeMail", &message).await.1.ends_with("blob_missing"));
        world.unprocessed("contoso").await.pop().unwrap().id
    };
    let contoso = "contoso".parse().unwrap();
    // Its feeder tells of it again; somebody replays it; the host gives up on it, after the commit.
    early("1.eml").await;
    world.mail(HELP, "1.eml", &mail(ANN, "1@a.example", "One", "", "Words.")).await;
    let second = early("2.eml").await;
    world.leave(HELP, "2.eml", &mail(ANN, "2@a.example", "Two", "", "Words.")).await;
    unprocessed::replay::replay(&world.app.desk, &contoso, second, "test").await.unwrap();
    take_what_waits(&world).await;
    // It came by another way before.
    early("3.eml").await;
    world.mail(HELP, "3.eml", &mail(ANN, "1@a.example", "One", "", "Words.")).await;
    assert_eq!(world.tickets("contoso").await.len(), 2);
    let records = world.unprocessed("contoso").await;
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.state == State::Processed), "{records:?}");
    // Records of one millisecond have no other order.
    let mut tickets: Vec<_> = records.iter().map(|record| record.ticket).collect();
    tickets.sort_unstable();
    assert_eq!(tickets, [Some(1), Some(1), Some(2)]);
}

const SALES: &str = "sales@contoso.example";

/// The record of a message to a mailbox that was nobody's and is a tenant's by now, whose mail did not come.
async fn nobodys_record(world: &World) -> helpdesk::tickets::unprocessed::Unprocessed {
    use helpdesk::tenants::{self, Mailbox, Tenant};
    let message = json!({ "v": 1, "mailbox": SALES, "blob": "a.eml" }).to_string();
    assert!(queue(&world.app, "IntakeMail", &message).await.1.ends_with("blob_missing"));
    let tenant = Tenant::new("sales".parse().unwrap(), "Sales", vec![Mailbox::parse(SALES).unwrap()]);
    tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
    world.unprocessed("sys").await.remove(0)
}

#[tokio::test]
async fn nobodys_record_without_a_mail_is_closed_by_a_replay_and_by_nothing_else() {
    use helpdesk::{
        ids::TenantId,
        tickets::unprocessed::{self, State},
    };
    let world = World::new().await;
    let record = nobodys_record(&world).await;
    // Whoever may write into the queue says that another mail is this one.
    world.leave(SALES, "b.eml", &mail(ANN, "b@a.example", "Another", "", "Words.")).await;
    let forged = json!({ "v": 1, "mailbox": SALES, "blob": "b.eml", "record": record.id }).to_string();
    assert_eq!(queue(&world.app, "IntakeMail", &forged).await.1, "opened ticket 1");
    assert_eq!(world.unprocessed("sys").await[0].state, State::Waiting);
    world.leave(SALES, "a.eml", &mail(ANN, "a@a.example", "The one", "", "Words.")).await;
    unprocessed::replay::replay(&world.app.desk, &TenantId::system(), record.id, "test").await.unwrap();
    assert_eq!(world.unprocessed("sys").await[0].state, State::Replayed);
    take_what_waits(&world).await;
    let closed = world.unprocessed("sys").await.remove(0);
    assert_eq!((closed.state, closed.ticket), (State::Processed, Some(2)));
    // Its mail is in a ticket by now, by its feeder's own message.
    unprocessed::replay::replay(&world.app.desk, &TenantId::system(), record.id, "test").await.unwrap();
    take_what_waits(&world).await;
    let closed = world.unprocessed("sys").await.remove(0);
    assert_eq!((closed.state, closed.ticket, closed.replays), (State::Processed, Some(2), 2));
}

#[tokio::test]
async fn nobodys_record_whose_mail_never_comes_is_kept_with_the_tenant_alone() {
    use helpdesk::{
        ids::TenantId,
        tickets::unprocessed::{self, State},
    };
    let world = World::new().await;
    let record = nobodys_record(&world).await.id;
    unprocessed::replay::replay(&world.app.desk, &TenantId::system(), record, "test").await.unwrap();
    take_what_waits(&world).await;
    let (house, his) = (world.unprocessed("sys").await.remove(0), world.unprocessed("sales").await.remove(0));
    assert_eq!((house.state, house.ticket), (State::Processed, None));
    assert_eq!((his.state, his.reason.name()), (State::Waiting, "blob_missing"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_no_mail_out() {
    let world = World::new().await;
    let message = json!({ "v": 1, "mailbox": HELP, "blob": "a.eml" }).to_string();
    assert!(queue(&world.app, "IntakeMail", &message).await.1.ends_with("blob_missing"));
    // As a newer helpdesk may have written it.
    let documents = &world.ports.documents;
    let found = documents.scan(&Scan::prefix("t:contoso", Slot::Id, "unprocessed:", 10)).await.unwrap().remove(0);
    let newer = NewDocument { id: found.id, kind: found.kind, keys: found.keys, expires_at: None, body: b"a newer shape".to_vec() };
    documents.commit("t:contoso", vec![Write::Replace { document: newer, etag: found.etag }]).await.unwrap();
    assert_eq!(world.mail(HELP, "a.eml", &question()).await, (200, "opened ticket 1".to_owned()));
}

#[tokio::test]
async fn a_replay_that_the_host_gave_up_on_after_its_commit_closes_its_record() {
    use helpdesk::{
        ids::TenantId,
        tenants::{self, Mailbox, Tenant},
        tickets::unprocessed::{self, State},
    };
    let plan = Arc::new(Plan::default());
    let world = World::with(|ports| faulty(&ports, &plan)).await;
    world.mail("sales@contoso.example", "a.eml", &mail(ANN, "a@a.example", "Sales", "", "Words.")).await;
    let (house, record) = (TenantId::system(), world.unprocessed("sys").await[0].id);
    let tenant = Tenant::new("sales".parse().unwrap(), "Sales", vec![Mailbox::parse("sales@contoso.example").unwrap()]);
    tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
    unprocessed::replay::replay(&world.app.desk, &house, record, "test").await.unwrap();
    let message = json!({ "v": 1, "mailbox": "sales@contoso.example", "blob": format!("replay/{record}.eml") }).to_string();
    // Each call of it fails once, up to the one after which the ticket is there and the record is not closed.
    for call in 1.. {
        plan.fail_at(call, false);
        let taken = queue(&world.app, "IntakeMail", &message).await;
        plan.fail_at(0, false);
        assert_eq!(taken.0, 500, "no call failed after the commit");
        if world.tickets("sales").await.len() == 1 {
            break;
        }
    }
    assert_eq!(world.unprocessed("sys").await[0].state, State::Replayed);
    assert_eq!(queue(&world.app, "MailIntakePoison", &message).await.0, 200);
    assert_eq!(world.unprocessed("sys").await[0].state, State::Processed);
}

#[tokio::test]
async fn a_blob_that_the_host_gave_up_on_is_kept_although_its_name_brought_another_mail() {
    let world = World::new().await;
    let one = mail(ANN, "1@a.example", "One", "", "Words.");
    for (blob, raw) in [("a.eml", one.clone()), ("b.eml", b"From: ann@a.example\r\n\r\nNo id.".to_vec()), ("c.eml", one)] {
        world.mail(HELP, blob, &raw).await;
        // The tries failed after the commit.
        let message = world.leave(HELP, blob, &raw).await;
        assert!(queue(&world.app, "MailIntakePoison", &message).await.1.starts_with("seen before"), "{blob}");
        assert!(world.unprocessed("contoso").await.is_empty());
    }
    for (at, blob) in ["a.eml", "b.eml", "c.eml"].into_iter().enumerate() {
        let message = world.leave(HELP, blob, &mail(ANN, &format!("new-{at}@a.example"), "Another", "", "Words.")).await;
        assert!(queue(&world.app, "MailIntakePoison", &message).await.1.ends_with("kept_failing"), "{blob}");
        // It was not deleted after all.
        world.leave(HELP, blob, &mail(ANN, &format!("new-{at}@a.example"), "Another", "", "Words.")).await;
        queue(&world.app, "MailIntakePoison", &message).await;
        assert_eq!(world.unprocessed("contoso").await.len(), at + 1);
    }
    assert!(world.ports.blobs.list("mail-intake", "", None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_replay_under_a_name_that_is_just_deleted_waits_again() {
    use helpdesk::tickets::unprocessed::{self, State};
    let world = World::new().await;
    world.mail(HELP, "a.eml", &mail(ANN, "x@a.example", "Away", "Auto-Submitted: auto-replied\r\n", "I am away.")).await;
    let (contoso, record) = ("contoso".parse().unwrap(), world.unprocessed("contoso").await[0].id);
    unprocessed::replay::replay(&world.app.desk, &contoso, record, "test").await.unwrap();
    // The one before came to nothing, and deletes what this one found there.
    world.ports.blobs.delete("mail-intake", &format!("replay/{record}.eml")).await.unwrap();
    take_what_waits(&world).await;
    let kept = world.unprocessed("contoso").await.remove(0);
    assert_eq!((kept.state, kept.reason.name(), kept.replays), (State::Waiting, "automatic", 1));
}

#[tokio::test]
async fn a_record_never_swallows_another_mail() {
    let world = World::new().await;
    // The message came before its blob, then the blob came, then the name was used again.
    let message = format!(r#"{{"v":1,"mailbox":"{HELP}","blob":"x.eml"}}"#);
    assert!(queue(&world.app, "IntakeMail", &message).await.1.ends_with("blob_missing"));
    for (garbage, records) in [(b"\x00\x01", 1), (b"\x02\x03", 2)] {
        world.leave(HELP, "x.eml", garbage).await;
        assert!(queue(&world.app, "IntakeMail", &message).await.1.ends_with("unreadable"));
        let kept = world.unprocessed("contoso").await;
        assert_eq!(kept.len(), records);
        let bytes = helpdesk::tickets::unprocessed::raw(&world.app.desk, &"contoso".parse().unwrap(), kept.last().unwrap()).await.unwrap();
        assert_eq!(bytes.unwrap().as_ref(), garbage);
        world.clock.advance(time::Duration::seconds(1));
    }
    // Under the name of a record's replay too.
    let record = world.unprocessed("contoso").await[0].id;
    world.mail(HELP, &format!("replay/{record}.eml"), &question()).await;
    assert_eq!(world.tickets("contoso").await.len(), 1);
    assert!(world.unprocessed("contoso").await.iter().all(|kept| kept.state == helpdesk::tickets::unprocessed::State::Waiting));
}

#[tokio::test]
async fn what_the_host_gave_up_on_becomes_a_record_that_can_be_replayed() {
    let world = World::new().await;
    let message = world.leave(HELP, "a.eml", &question()).await;
    for _ in 0..2 {
        let (status, note) = queue(&world.app, "MailIntakePoison", &message).await;
        assert!(status == 200 && note.ends_with("kept_failing"), "{note}");
    }
    let records = world.unprocessed("contoso").await;
    assert_eq!(records.len(), 1);
    helpdesk::tickets::unprocessed::replay::replay(&world.app.desk, &"contoso".parse().unwrap(), records[0].id, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!(world.tickets("contoso").await.len(), 1);
}

#[tokio::test]
async fn what_is_a_ticket_never_becomes_a_record_as_well() {
    let world = World::new().await;
    let message = world.leave(HELP, "a.eml", &question()).await;
    queue(&world.app, "IntakeMail", &message).await;
    // The host gave up although the commit had been made.
    assert_eq!(queue(&world.app, "MailIntakePoison", &message).await.1, "seen before, in ticket 1");
    // The same mail under another name, whose message comes twice.
    let second = world.leave(HELP, "b.eml", &question()).await;
    for _ in 0..2 {
        assert_eq!(queue(&world.app, "IntakeMail", &second).await.1, "seen before, in ticket 1");
    }
    assert!(world.unprocessed("contoso").await.is_empty());
}

#[tokio::test]
async fn a_replay_that_comes_to_nothing_twice_keeps_its_reason() {
    let world = World::new().await;
    world.mail(HELP, "a.eml", &[0, 1, 2]).await;
    let record = world.unprocessed("contoso").await.remove(0);
    helpdesk::tickets::unprocessed::replay::replay(&world.app.desk, &"contoso".parse().unwrap(), record.id, "test").await.unwrap();
    take_what_waits(&world).await;
    let again = format!(r#"{{"v":1,"mailbox":"{HELP}","blob":"replay/{}.eml"}}"#, record.id);
    queue(&world.app, "IntakeMail", &again).await;
    let records = world.unprocessed("contoso").await;
    assert_eq!((records.len(), records[0].reason.name()), (1, "unreadable"));
}

#[tokio::test]
async fn strangers_with_one_message_id_do_not_share_a_ticket() {
    let world = World::new().await;
    let from = |sender: &str, text: &str| mail(sender, "const@scanner.example", "Scan", "", text);
    world.mail(HELP, "a.eml", &from("alice@one.example", "Mine.")).await;
    assert_eq!(world.mail(HELP, "b.eml", &from("bob@two.example", "Secret.")).await.1, "opened ticket 2");
    let (_, note) = world.mail(HELP, "c.eml", &from("alice@one.example", "Mine again.")).await;
    assert_eq!(note, "comment on ticket 1: another mail with its Message-ID is there");
    let alice = world.token("contoso", Role::Requester, Some("alice@one.example"));
    assert_eq!(world.get("/api/tickets", &alice).await.1["tickets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nobodys_mail_that_somebody_owns_by_now_is_kept_with_him_alone() {
    use helpdesk::tenants::{self, Mailbox, Tenant};
    let world = World::new().await;
    world.mail("sales@contoso.example", "a.eml", &mail(ANN, "x@a.example", "Away", "Auto-Submitted: auto-replied\r\n", "I am away.")).await;
    let record = world.unprocessed("sys").await.remove(0);
    let tenant = Tenant::new("sales".parse().unwrap(), "Sales", vec![Mailbox::parse("sales@contoso.example").unwrap()]);
    tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
    helpdesk::tickets::unprocessed::replay::replay(&world.app.desk, &helpdesk::ids::TenantId::system(), record.id, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!(world.unprocessed("sys").await[0].state, helpdesk::tickets::unprocessed::State::Processed);
    assert_eq!(world.unprocessed("sales").await.len(), 1);
}

#[tokio::test]
async fn a_machine_that_answers_no_ticket_is_held_and_one_that_does_changes_no_status() {
    let world = World::new().await;
    let away = |id: &str, more: &str| mail(ANN, id, "Out of office", &format!("Auto-Submitted: auto-replied\r\n{more}"), "I am away.");
    let (_, note) = world.mail(HELP, "a.eml", &away("x1@adventure-works.example", "")).await;
    assert!(note.ends_with("automatic"), "{note}");
    world.mail(HELP, "b.eml", &question()).await;
    let (_, note) = world.mail(HELP, "c.eml", &away("x2@adventure-works.example", "In-Reply-To: <q1@adventure-works.example>\r\n")).await;
    assert!(note.starts_with("comment on ticket 1"), "{note}");
    assert_eq!(world.tickets("contoso").await[0]["status"], "new");
}

#[tokio::test]
async fn a_comment_tells_its_new_words_and_whose_mail_was_forwarded() {
    let world = World::new().await;
    world.mail(HELP, "a.eml", &question()).await;
    world.clock.advance(time::Duration::seconds(1));
    let quoting = "It still burns.\r\n\r\nOn Monday, 12 January 2026, Ann wrote:\r\n> Please help soon.";
    let more = "In-Reply-To: <q1@adventure-works.example>\r\n";
    world.mail(HELP, "b.eml", &mail(ANN, "q2@adventure-works.example", "Re: The printer is on fire", more, quoting)).await;
    let forwarded =
        "See below.\r\n\r\n---------- Forwarded message ----------\r\nFrom: Bo <bo@northwind.example>\r\nSubject: Paper\r\n\r\nIt is jammed.";
    world.mail(HELP, "c.eml", &mail(ANN, "q3@adventure-works.example", "Fwd: Paper", "", forwarded)).await;
    let tickets = world.tickets("contoso").await;
    let burning = world.comments("contoso", &tickets[1]).await;
    assert_eq!(burning[0]["reply"], burning[0]["text"]);
    assert_eq!(burning[1]["reply"], "It still burns.");
    assert!(burning[1]["text"].as_str().unwrap().contains("> Please help soon."));
    let jammed = world.comments("contoso", &tickets[0]).await;
    assert_eq!(jammed[0]["mail"]["forwarded_from"]["address"], "bo@northwind.example");
    assert_eq!((&jammed[0]["author"]["sender"]["address"], &jammed[0]["mail"]["warnings"]), (&json!("ann@adventure-works.example"), &json!([])));
}

#[tokio::test]
async fn a_card_number_is_cut_before_anything_is_kept() {
    let world = World::new().await;
    let raw = mail(ANN, "card@adventure-works.example", "Charge 4111 1111 1111 1111", "", "My card is 4111-1111-1111-1111, thanks.");
    world.mail(HELP, "a.eml", &raw).await;
    let tickets = world.tickets("contoso").await;
    let comments = world.comments("contoso", &tickets[0]).await;
    assert!(!tickets[0].to_string().contains("4111") && !comments[0].to_string().contains("4111-1111"));
    assert_eq!(comments[0]["mail"]["altered"], true);
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}/comments/{}/mail", tickets[0]["id"].as_str().unwrap(), comments[0]["id"].as_str().unwrap());
    let original = world.http("GET", &path, Some(&token), b"").await;
    assert!(!String::from_utf8_lossy(&original.body).contains("1111-1111-1111-1111"));
}

/// A number in every place of a mail that is read.
fn cards_everywhere() -> Vec<u8> {
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "card;4111111111111111\r\n");
    format!(
        "From: \"Ann 4111 1111 1111 1111\" <ann@adventure-works.example>\r\nTo: {HELP}\r\nSubject: =?utf-8?B?NDExMSAxMTEx?= =?utf-8?Q?_1111_1111?=\r\n\
         Message-ID: <cards@adventure-works.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>4111</b> =31111 =\r\n1111 1111\r\n\
         --b\r\nContent-Type: text/csv; name=\"4111111111111111.csv\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64}\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: 4111-1111-1111-1111\r\n\r\n4111 1111\r\n1111 1111\r\n--b--\r\n"
    )
    .into_bytes()
}

/// Nothing that can be opened holds a card's digits, in whatever way a mail writes them.
fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for trace in ["4111", "NDExMSAx", "OzQxMTEx", "=31111"] {
        assert!(!text.contains(trace), "{trace} is in {what}: {text}");
    }
}

#[tokio::test]
async fn nothing_that_is_kept_or_sent_holds_a_card_number_wherever_it_stood() {
    use helpdesk::tickets::{store, unprocessed};
    let world = World::new().await;
    let raw = cards_everywhere();
    let (status, note) = world.mail(HELP, "a.eml", &raw).await;
    assert_eq!((status, note.as_str()), (200, "opened ticket 1"));
    // A machine's mail that is held, one that nobody owns, bytes that are no mail, and a message that is none.
    let away = [b"Auto-Submitted: auto-replied\r\n".as_slice(), &raw].concat();
    world.mail(HELP, "b.eml", &String::from_utf8(away).unwrap().replace("<cards@", "<away@").into_bytes()).await;
    world.mail("nobody@contoso.example", "c.eml", &raw).await;
    world.mail(HELP, "d.eml", b"no mail, but 4111 1111 1111 1111").await;
    queue(&world.app, "IntakeMail", "pay with 4111 1111 1111 1111").await;
    let ticket = world.tickets("contoso").await.remove(0);
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
    world.http("POST", &path, Some(&token), br#"{"text":"You wrote 4111 1111 1111 1111.","public":true}"#).await;
    queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;

    assert_clean("the ticket", ticket.to_string().as_bytes());
    for comment in world.comments("contoso", &ticket).await {
        assert_clean("a comment", comment.to_string().as_bytes());
    }
    for mail in world.sent.mails.lock().unwrap().iter() {
        assert_clean("a mail that left", &mail.raw);
    }
    let mut kept = 0;
    for owner in ["contoso", "sys"] {
        let owner_id = helpdesk::ids::TenantId::try_from(owner.to_owned()).unwrap();
        for record in world.unprocessed(owner).await {
            assert_clean("a record", unprocessed::message(&world.app.desk, &owner_id, &record).await.unwrap().as_bytes());
            let bytes = unprocessed::raw(&world.app.desk, &owner_id, &record).await.unwrap().unwrap_or_default();
            assert_clean("a kept mail", &bytes);
            kept += 1;
        }
    }
    assert_eq!(kept, 4);
    let keys = world.app.keyring.keys(&"contoso".parse().unwrap()).await.unwrap();
    let names = world.ports.blobs.list("mail", "contoso/", None, 100).await.unwrap();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        assert_clean(&name, &store::open_blob(world.ports.blobs.as_ref(), &keys, &name).await.unwrap());
    }
}

#[tokio::test]
async fn a_sender_is_proven_as_far_as_the_mailbox_trusts() {
    use helpdesk::tenants::{self, Mailbox};
    let world = World::new().await;
    let results = "Authentication-Results: mx.contoso.example; dmarc=pass header.from=adventure-works.example\r\n";
    let raw = |id: &str| [results.as_bytes(), &mail(ANN, id, "Who am I?", "", "Ann.")].concat();
    world.mail(HELP, "a.eml", &raw("p1@adventure-works.example")).await;
    let (documents, keyring) = (world.ports.documents.as_ref(), &world.app.keyring);
    let (contoso, mailbox) = ("contoso".parse().unwrap(), Mailbox::parse(HELP).unwrap());
    for trust in ["rfc8601 mx.contoso.example", "rfc8601 mx.elsewhere.example"] {
        tenants::add_mailbox(&world.ports, keyring, "test", &contoso, &mailbox, Some(&trust.parse().unwrap()), &Versions::Any).await.unwrap();
        // Without a trust nothing changes.
        tenants::add_mailbox(&world.ports, keyring, "test", &contoso, &mailbox, None, &Versions::Any).await.unwrap();
        assert_eq!(tenants::of_mailbox(documents, keyring, &mailbox).await.unwrap().unwrap().trust.to_string(), trust);
        world.mail(HELP, &format!("{}.eml", trust.len()), &raw(&format!("{}@adventure-works.example", trust.len()))).await;
    }
    let mut senders = Vec::new();
    for ticket in world.tickets("contoso").await {
        senders.push((ticket["number"].as_u64().unwrap(), world.comments("contoso", &ticket).await[0]["mail"]["sender"].clone()));
    }
    senders.sort_by_key(|(number, _)| *number);
    let nobody = serde_json::json!({ "proven": false, "by": null });
    let senders: Vec<Value> = senders.into_iter().map(|(_, sender)| sender).collect();
    assert_eq!(senders, [nobody.clone(), serde_json::json!({ "proven": true, "by": "dmarc" }), nobody]);
}

/// Takes in what waits in the queue, as the host would.
pub async fn take_what_waits(world: &World) {
    for lease in world.ports.queues.lease("mail-intake", 16, std::time::Duration::from_secs(600)).await.unwrap() {
        let message = helpdesk::ports::decode_text(&lease.text).unwrap();
        assert_eq!(queue(&world.app, "IntakeMail", &message).await.0, 200);
        assert!(world.ports.queues.delete("mail-intake", &lease).await.unwrap());
    }
}
