//! Too large, too long, too many at once: what an intake does at its limits.

use helpdesk::{
    access::Role,
    config::Config,
    devhost::{inbox::Inbox, queues::Wakes},
    ids::TenantId,
    ports::Fault,
    tenants::{self, Mailbox, Tenant, Trust},
    tickets::{
        Error, store,
        unprocessed::{self, Raw, State},
        uploads::{self, NewUpload},
    },
    wiring,
};
use serde_json::Value;
use tokio::time::{Duration, timeout};

use super::{ANN, answer, question, take_what_waits};
use crate::support::world::{HELP, World, config, mail, queue};

#[tokio::test]
async fn a_mail_of_the_inbox_folder_that_is_too_large_is_kept_and_says_why() {
    let (world, state) = (World::new().await, tempfile::tempdir().unwrap());
    let folder = state.path().join("inbox").join(HELP);
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::File::create(folder.join("large.eml")).unwrap();
    file.set_len(35 * 1024 * 1024 + 1).unwrap();
    let quiet = std::time::SystemTime::from(world.ports.clock.now()) - std::time::Duration::from_secs(60);
    file.set_modified(quiet).unwrap();
    let mut inbox = Inbox::new(state.path(), world.ports.clone(), Wakes::of(&[]));
    assert_eq!((inbox.look().await.unwrap(), inbox.look().await.unwrap()), (0, 1));
    take_what_waits(&world).await;
    let records = world.unprocessed("contoso").await;
    assert_eq!((records.len(), records[0].reason.name()), (1, "unreadable"));
    assert!(records[0].detail.starts_with("the mail has 36700161 bytes, over the limit of 36700160"), "{}", records[0].detail);
    // It lies whole where the record says.
    let Raw::Intake { blob, .. } = &records[0].raw else { panic!("{:?}", records[0].raw) };
    assert_eq!(world.ports.blobs.size("mail-intake", blob).await.unwrap(), Some(36_700_161));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_kept_although_its_name_brought_another() {
    let large = vec![b'x'; 35 * 1024 * 1024 + 1];
    let absent = mail(ANN, "ooo@a.example", "Away", "Auto-Submitted: auto-replied\r\n", "Until Monday.");
    for function in ["IntakeMail", "MailIntakePoison"] {
        for (first, records) in [(question(), 0), (absent.clone(), 1)] {
            let world = World::new().await;
            world.mail(HELP, "a.eml", &first).await;
            assert_eq!(world.unprocessed("contoso").await.len(), records);
            let message = world.leave(HELP, "a.eml", &large).await;
            for _ in 0..3 {
                assert_eq!(queue(&world.app, function, &message).await.0, 200);
                let kept = world.unprocessed("contoso").await;
                assert_eq!(kept.len(), records + 1, "{function}");
                let raw = Raw::Intake { blob: "a.eml".to_owned(), bytes: Some(large.len() as u64) };
                assert_eq!(kept.iter().filter(|record| record.raw == raw).count(), 1, "{function}");
                assert_eq!(world.ports.blobs.size("mail-intake", "a.eml").await.unwrap(), Some(large.len() as u64));
            }
            // Once its bytes are gone, it is in no ticket for all that.
            let too_large = world.unprocessed("contoso").await.into_iter().find(|record| matches!(record.raw, Raw::Intake { .. })).unwrap();
            world.ports.blobs.delete("mail-intake", "a.eml").await.unwrap();
            unprocessed::replay::replay(&world.app.desk, &"contoso".parse().unwrap(), too_large.id, "test").await.unwrap();
            take_what_waits(&world).await;
            let kept = world.unprocessed("contoso").await.into_iter().find(|record| record.id == too_large.id).unwrap();
            assert_ne!(kept.state, State::Processed);
        }
    }
}

#[tokio::test]
async fn nobodys_record_of_a_mail_that_is_too_large_is_closed_when_somebody_owns_it() {
    let world = World::new().await;
    let large = vec![b'x'; 35 * 1024 * 1024 + 1];
    world.mail("sales@contoso.example", "a.eml", &large).await;
    let (house, nobodys) = (TenantId::system(), world.unprocessed("sys").await.remove(0));
    let tenant = Tenant::new("sales".parse().unwrap(), "Sales", vec![Mailbox::parse("sales@contoso.example").unwrap()]);
    tenants::add(&world.ports, &world.app.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
    unprocessed::replay::replay(&world.app.desk, &house, nobodys.id, "test").await.unwrap();
    take_what_waits(&world).await;
    assert_eq!(world.unprocessed("sys").await[0].state, State::Processed);
    let his = world.unprocessed("sales").await;
    assert_eq!((his.len(), &his[0].raw, his[0].state), (1, &nobodys.raw, State::Waiting));
}

#[tokio::test]
async fn a_file_waits_until_those_before_it_are_read() {
    const SIZE: usize = 1_000_000;
    let world = World::new().await;
    // 2.8 MB for files.
    let app = wiring::app(world.ports.clone(), &Config { mail_in_flight_bytes: 1_400_000, ..config() });
    let keys = app.keyring.keys(&"contoso".parse().unwrap()).await.unwrap();
    store::seal_blob(world.ports.blobs.as_ref(), &keys, "contoso/large", &vec![7; SIZE]).await.unwrap();
    let open = || store::open_file(&app.desk, &keys, "contoso/large");
    let read = open().await.unwrap();
    assert!(read.iter().all(|byte| *byte == 7) && read.len() == SIZE);
    // One of 2.8 MB is held, and it would take two, for a moment.
    let mut waits = Box::pin(open());
    assert!(timeout(Duration::from_millis(200), &mut waits).await.is_err());
    let new = || NewUpload { name: Some("a.bin"), media_type: "application/octet-stream", bytes: vec![7; SIZE].into(), subject: "somebody" };
    let contoso = "contoso".parse().unwrap();
    let mut comes = Box::pin(uploads::upload(&app.desk, &contoso, new()));
    assert!(timeout(Duration::from_millis(200), &mut comes).await.is_err());
    // Nobody waits for long.
    assert!(matches!(uploads::upload(&app.desk, &contoso, new()).await, Err(Error::Fault(Fault::Throttled { .. }))));
    drop(read);
    assert_eq!(timeout(Duration::from_secs(60), waits).await.unwrap().unwrap().len(), SIZE);
    assert_eq!(timeout(Duration::from_secs(60), comes).await.unwrap().unwrap().bytes, SIZE as u64);
    // And all of it is given back.
    let all = futures::future::join_all((0..4).map(|_| async { open().await.map(|file| file.len()) })).await;
    assert!(all.into_iter().all(|length| length.unwrap() == SIZE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_answers_to_one_ticket_at_once_all_join_it_at_their_first_delivery() {
    forty_answers(&World::new().await).await;
}

#[cfg(feature = "azure")]
#[tokio::test]
async fn forty_answers_to_one_ticket_in_cosmos_at_once_all_join_it_at_their_first_delivery() {
    forty_answers(&World::on(crate::ports_contract::cosmos::documents).await).await;
}

async fn forty_answers(world: &World) {
    const ANSWERS: usize = 40;
    world.mail(HELP, "q.eml", &question()).await;
    let apps = [world.app.clone(), world.another(), world.another()];
    let mut calls = Vec::new();
    for n in 0..ANSWERS {
        let raw = answer("q1@adventure-works.example", &format!("a{n}@adventure-works.example"));
        let (app, message) = (apps[n % apps.len()].clone(), world.leave(HELP, &format!("{n}.eml"), &raw).await);
        calls.push(tokio::spawn(async move { queue(&app, "IntakeMail", &message).await }));
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), (200, "comment on ticket 1: it refers to a mail of the ticket".to_owned()));
    }
    let tickets = world.tickets("contoso").await;
    assert_eq!((tickets.len(), &tickets[0]["comments"]), (1, &Value::from(ANSWERS + 1)));
    assert_eq!(world.comments("contoso", &tickets[0]).await.len(), ANSWERS + 1);
}

#[tokio::test]
async fn a_body_over_16_kib_lies_in_a_blob_and_its_attachments_are_still_listed() {
    let world = World::new().await;
    let name = "n".repeat(120);
    let mut raw = String::from_utf8(mail(ANN, "many@adventure-works.example", "Many files", "", "")).unwrap();
    raw = raw.replace("Content-Type: text/plain; charset=utf-8\r\n", "Content-Type: multipart/mixed; boundary=b\r\n");
    raw.push_str("--b\r\nContent-Type: text/plain\r\n\r\nAll of them.\r\n");
    for n in 0..200 {
        raw.push_str(&format!("--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"{name}-{n}.png\"\r\n\r\nfile {n}\r\n"));
    }
    raw.push_str("--b--\r\n");
    world.mail(HELP, "a.eml", raw.as_bytes()).await;
    // Short as they come, and six times as long in JSON.
    world.mail(HELP, "b.eml", &mail(ANN, "escaped@adventure-works.example", "Quotes", "", &"\"".repeat(12_000))).await;
    let changes = world.ports.documents.changed_since("t:contoso", None, 1000).await.unwrap();
    for document in &changes.documents {
        assert!(document.body.len() <= 16 * 1024, "{} has {} bytes", document.id, document.body.len());
    }
    let tickets = world.tickets("contoso").await;
    let ticket = tickets.iter().find(|ticket| ticket["subject"] == "Many files").unwrap();
    let comments = world.comments("contoso", ticket).await;
    assert_eq!((comments[0]["text"].as_str().unwrap().trim(), comments[0]["attachments"].as_array().unwrap().len()), ("All of them.", 200));
    let token = world.token("contoso", Role::Agent, None);
    let (ticket, comment) = (ticket["id"].as_str().unwrap(), comments[0]["id"].as_str().unwrap());
    let file = world.http("GET", &format!("/api/tickets/{ticket}/comments/{comment}/attachments/200"), Some(&token), b"").await;
    assert_eq!((file.status, String::from_utf8_lossy(&file.body).trim()), (200, "file 199"));
}

#[tokio::test]
async fn a_long_conversation_is_read_page_by_page() {
    let world = World::new().await;
    world.mail(HELP, "q.eml", &question()).await;
    let long = "word ".repeat(100_000);
    for n in 0..130 {
        let more = "In-Reply-To: <q1@adventure-works.example>\r\n";
        let text = if n < 10 { long.as_str() } else { "Short." };
        world.clock.advance(time::Duration::seconds(1));
        world.mail(HELP, &format!("{n}.eml"), &mail(ANN, &format!("r{n}@adventure-works.example"), "Re", more, text)).await;
    }
    let ticket = world.tickets("contoso").await.remove(0);
    let comments = world.comments("contoso", &ticket).await;
    assert_eq!((comments.len(), &ticket["comments"]), (131, &Value::from(131)));
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
    let (_, first) = world.get(&path, &token).await;
    assert!(first["comments"].as_array().unwrap().len() < 100, "the words of a page are bounded");
    assert_eq!(world.get(&format!("{path}?limit=3"), &token).await.1["comments"].as_array().unwrap().len(), 3);
}
