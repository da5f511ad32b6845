//! Files that are sent before the comment that takes them.

use std::sync::Arc;

use helpdesk::{
    access::Role,
    ports::{Scan, Slot},
};
use serde_json::{Value, json};
use time::Duration;

use super::comments::{ANN, BOB, Desk};
use crate::support::{
    faulty::{Plan, faulty},
    world::{World, tick},
};

/// Sends a file. Answers the status and the body.
pub async fn send(desk: &Desk, token: &str, name: &str, media_type: &str, bytes: &[u8]) -> (u16, Value) {
    let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let headers = [("content-type", media_type), ("helpdesk-file-name", name.as_str())];
    let answer = desk.world.http_with("POST", "/api/uploads", Some(token), &headers, bytes).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn with(attachments: &[&Value]) -> Value {
    json!({ "text": "See the file.", "public": true, "attachments": attachments })
}

/// Uploads that wait in contoso.
async fn waiting(world: &World) -> usize {
    world.ports.documents.scan(&Scan::prefix("t:contoso", Slot::Id, "upload:", 200)).await.unwrap().len()
}

async fn blobs(world: &World) -> usize {
    world.ports.blobs.list("mail", "contoso/upload-", None, 200).await.unwrap().len()
}

#[tokio::test]
async fn a_file_leaves_with_the_comment_that_takes_it_and_no_other_takes_it() {
    let desk = Desk::new().await;
    let png = b"\x89PNG\r\n\x1a\n0000";
    let (status, file) = send(&desk, &desk.agent, "Plan ü, 4111 1111 1111 1111.png", "application/x-what; charset=x", png).await;
    assert_eq!((status, &file["bytes"], &file["media_type"]), (201, &json!(12), &json!("image/png")), "{file}");
    let name = file["name"].as_str().unwrap();
    assert!(name.starts_with("Plan ü") && name.ends_with(".png") && !name.contains("4111 1111"), "{name}");
    let stored = desk.world.ports.documents.scan(&Scan::prefix("t:contoso", Slot::Id, "upload:", 2)).await.unwrap().remove(0);
    assert!(!stored.body.windows(4).any(|four| four == b"Plan"), "it is sealed");
    let blob =
        desk.world.ports.blobs.get("mail", &desk.world.ports.blobs.list("mail", "contoso/upload-", None, 2).await.unwrap()[0], None).await.unwrap();
    assert!(!blob.unwrap().windows(3).any(|three| three == b"PNG"));

    let (status, made) = desk.comment(&desk.agent, None, &with(&[&file["upload"]])).await;
    assert_eq!((status, &made["attachments"][0]["name"], &made["attachments"][0]["bytes"]), (201, &json!(name), &json!(12)), "{made}");
    let sent = desk.sent().await.remove(0).2;
    assert_eq!((sent.attachments[0].name.as_str(), sent.attachments[0].bytes.as_slice(), sent.text.trim()), (name, &png[..], "See the file."));
    assert_eq!((waiting(&desk.world).await, blobs(&desk.world).await), (0, 1));
    // The requester gets it over HTTP as well.
    let ann = desk.world.token("contoso", Role::Requester, Some(ANN));
    let path = format!("{}/comments/{}/attachments/1", desk.path(), made["id"].as_str().unwrap());
    let got = desk.world.http("GET", &path, Some(&ann), b"").await;
    assert_eq!((got.status, got.body.as_ref()), (200, &png[..]));
    // It is the comment's now.
    let (status, problem) = desk.comment(&desk.agent, None, &with(&[&file["upload"]])).await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:helpdesk:problem:bad-attachments")));
    assert_eq!(desk.world.comments("contoso", &desk.ticket).await.len(), 2);
}

#[tokio::test]
async fn an_upload_is_its_senders_alone() {
    let desk = Desk::new().await;
    let other = desk.world.token_of("contoso", Role::Agent, "somebody-else", None);
    let (ann, bob) = (desk.world.token("contoso", Role::Requester, Some(ANN)), desk.world.token("contoso", Role::Requester, Some(BOB)));
    let file = send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.1["upload"].clone();
    assert_eq!(desk.comment(&other, None, &with(&[&file])).await.0, 400);
    assert_eq!(desk.comment(&ann, None, &with(&[&file])).await.0, 400);
    let elsewhere = send(&desk, &desk.world.token("fabrikam", Role::Agent, None), "a.txt", "text/plain", b"Words.").await.1["upload"].clone();
    assert_eq!(desk.comment(&desk.agent, None, &with(&[&elsewhere])).await.0, 400, "the same subject, in another tenant");
    for wrong in [with(&[&file, &file]), with(&[&json!("01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]), json!({ "text": "T", "attachments": ["x"] })] {
        assert_eq!(desk.comment(&desk.agent, None, &wrong).await.0, 400, "{wrong}");
    }
    // A requester's own is his comment's, and goes to nobody by mail.
    let (status, bobs) = send(&desk, &bob, "b.txt", "text/plain", b"Words.").await;
    assert_eq!((status, desk.comment(&ann, None, &with(&[&bobs["upload"]])).await.0), (201, 400));
    let anns = send(&desk, &ann, "c.txt", "text/plain", b"Words.").await.1;
    assert_eq!(desk.comment(&ann, None, &with(&[&anns["upload"]])).await.1["attachments"][0]["name"], "c.txt");
    assert!(desk.sent().await.is_empty());
    assert_eq!(desk.comment(&desk.agent, None, &with(&[&file])).await.0, 201, "after all that it is still there");
}

#[tokio::test]
async fn a_file_that_could_harm_is_held_and_not_sent() {
    let desk = Desk::new().await;
    let held = send(&desk, &desk.agent, "setup.exe", "text/plain", b"MZ harmless").await.1;
    assert_eq!(held["held"], "executable", "{held}");
    let text = send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.1;
    let made = desk.comment(&desk.agent, None, &with(&[&held["upload"], &text["upload"]])).await.1;
    assert_eq!((&made["attachments"][0]["held"], made["attachments"][1].get("held")), (&json!("executable"), None));
    let sent = desk.sent().await.remove(0).2;
    assert_eq!(sent.attachments.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a.txt"]);
    let path = format!("{}/comments/{}/attachments/1", desk.path(), made["id"].as_str().unwrap());
    let got = desk.world.http("GET", &path, Some(&desk.agent), b"").await;
    assert_eq!(got.status, 403);
    assert!(!String::from_utf8_lossy(&got.body).contains("original mail"), "there is none");
}

#[tokio::test]
async fn what_is_too_much_or_nothing_is_refused() {
    let desk = Desk::new().await;
    assert_eq!(send(&desk, &desk.agent, "a.txt", "text/plain", b"").await.1["type"], "urn:helpdesk:problem:bad-upload");
    for name in ["%FF", &"a".repeat(3_001)] {
        let headers = [("content-type", "text/plain"), ("helpdesk-file-name", name)];
        assert_eq!(desk.world.http_with("POST", "/api/uploads", Some(&desk.agent), &headers, b"Words.").await.status, 400);
    }
    let nameless = desk.world.http_with("POST", "/api/uploads", Some(&desk.agent), &[("content-type", "none")], b"Words.").await;
    let nameless: Value = serde_json::from_slice(&nameless.body).unwrap();
    assert_eq!((&nameless["name"], &nameless["media_type"]), (&json!("attachment-1.bin"), &json!("application/octet-stream")));
    // Together they are a mail that no server takes.
    let large = vec![b'x'; 7 * 1024 * 1024];
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push(send(&desk, &desk.agent, "a.bin", "application/octet-stream", &large).await.1["upload"].clone());
    }
    assert_eq!(desk.comment(&desk.agent, None, &with(&files.iter().collect::<Vec<_>>())).await.0, 400);
    assert_eq!(desk.comment(&desk.agent, None, &with(&files.iter().take(2).collect::<Vec<_>>())).await.0, 201);
    let sent = desk.sent().await.remove(0);
    assert_eq!(sent.2.attachments.iter().map(|file| file.bytes.len()).collect::<Vec<_>>(), [large.len(); 2]);
    assert!(desk.world.ports.blobs.list("outbox", "", None, 10).await.unwrap().is_empty(), "it has left");
    // As many as may wait, and one more.
    let mut small = vec![files[2].clone(), nameless["upload"].clone()];
    while small.len() < 100 {
        small.push(send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.1["upload"].clone());
    }
    let more = desk.world.http_with("POST", "/api/uploads", Some(&desk.agent), &[("content-type", "text/plain")], b"Words.").await;
    let after = more.headers.iter().find(|(name, _)| *name == "retry-after").unwrap().1.parse::<u64>().unwrap();
    // The oldest may be removed an hour after its day.
    assert!(more.status == 429 && (24 * 3_600..=25 * 3_600).contains(&after), "{} {after}", more.status);
    assert_eq!(desk.comment(&desk.agent, None, &with(&small[1..22].iter().collect::<Vec<_>>())).await.0, 400, "21");
    assert_eq!(desk.comment(&desk.agent, None, &with(&small[1..21].iter().collect::<Vec<_>>())).await.0, 201, "20");
    assert_eq!(send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.0, 201);
}

#[tokio::test]
async fn a_file_that_was_not_kept_does_not_count_against_its_sender() {
    let plan = Arc::new(Plan::default());
    let desk = Desk::on(World::with(|ports| faulty(&ports, &plan)).await).await;
    assert_eq!(send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.0, 201);
    let calls = {
        plan.fail_at(0, false);
        assert_eq!(send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.0, 201);
        plan.calls()
    };
    let mut failed = 0;
    for call in 1..=calls {
        for after in [false, true] {
            plan.fail_at(call, after);
            failed += usize::from(send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.0 == 503);
            // Only where the answer of the commit itself was lost, or of the one that takes it back failed, one counts for a day.
            let owned = Scan::prefix("t:contoso", Slot::K2, "upload-of:", 200);
            assert!(desk.world.ports.documents.scan(&owned).await.unwrap().len() <= 3, "call {call}, {after}");
        }
    }
    assert!(failed > 2);
}

#[tokio::test]
async fn a_file_whose_bytes_are_gone_is_taken_by_no_comment() {
    let desk = Desk::new().await;
    let file = send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.1["upload"].clone();
    desk.world.ports.blobs.delete("mail", &format!("contoso/upload-{}", file.as_str().unwrap())).await.unwrap();
    for public in [false, true] {
        let body = json!({ "text": "See the file.", "public": public, "attachments": [file] });
        let (status, problem) = desk.comment(&desk.agent, None, &body).await;
        assert_eq!((status, &problem["type"]), (400, &json!("urn:helpdesk:problem:bad-attachments")));
    }
}

#[tokio::test]
async fn what_no_comment_took_in_a_day_is_removed() {
    let desk = Desk::new().await;
    let taken = send(&desk, &desk.agent, "a.txt", "text/plain", b"Words.").await.1["upload"].clone();
    let left = send(&desk, &desk.agent, "b.txt", "text/plain", b"Words.").await.1["upload"].clone();
    assert_eq!(desk.comment(&desk.agent, None, &with(&[&taken])).await.0, 201);
    desk.world.clock.advance(Duration::hours(24));
    let agent = desk.world.token("contoso", Role::Agent, None);
    assert_eq!(desk.comment(&agent, None, &with(&[&left])).await.0, 400, "its day is over");
    assert!(tick(&desk.world.app, "SweepUploads").await.1.starts_with("0 files"), "a comment may still be under way");
    desk.world.clock.advance(Duration::hours(1) + Duration::SECOND);
    // Somebody died after the blob.
    desk.world.ports.blobs.delete("mail", &format!("contoso/upload-{}", left.as_str().unwrap())).await.unwrap();
    assert!(tick(&desk.world.app, "SweepUploads").await.1.starts_with("1 files"));
    assert_eq!((waiting(&desk.world).await, blobs(&desk.world).await), (0, 1), "what a comment took stays");
    assert!(tick(&desk.world.app, "SweepUploads").await.1.starts_with("0 files"));
    let path = format!("{}/comments", desk.path());
    let (_, comments) = desk.call("GET", &path, &desk.world.token("contoso", Role::Agent, None), &[], &Value::Null).await;
    let path = format!("{path}/{}/attachments/1", comments["comments"][1]["id"].as_str().unwrap());
    assert_eq!(desk.world.http("GET", &path, Some(&desk.world.token("contoso", Role::Agent, None)), b"").await.status, 200);
}
