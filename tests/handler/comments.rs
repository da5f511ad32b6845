//! What is said over HTTP, who gets it by mail, and that it is said once.

use std::sync::Arc;

use helpdesk::{
    access::Role,
    mail::{Mail, parse::parse, sender::Trust},
    ports::Versions,
    tenants::{self, Mailbox},
};
use serde_json::{Value, json};
use time::Duration;

use crate::support::{
    faulty::{Plan, faulty},
    world::{HELP, World, mail, proven, queue},
};

pub const ANN: &str = "ann@adventure-works.example";
pub const BOB: &str = "bob@northwind.example";

/// A desk with a question of Ann's, as ticket 1.
pub struct Desk {
    pub world: World,
    pub agent: String,
    pub ticket: Value,
}

impl Desk {
    pub async fn new() -> Desk {
        Desk::on(World::new().await).await
    }

    pub async fn on(world: World) -> Desk {
        let raw = mail(&format!("Ann <{ANN}>"), "q1@a.example", "A question", "", "Words.");
        assert_eq!(world.mail(HELP, "q.eml", &raw).await.0, 200);
        let agent = world.token("contoso", Role::Agent, None);
        let ticket = world.tickets("contoso").await.remove(0);
        // What comes in the same millisecond has no order.
        world.clock.advance(Duration::SECOND);
        Desk { world, agent, ticket }
    }

    pub fn path(&self) -> String {
        format!("/api/tickets/{}", self.ticket["id"].as_str().unwrap())
    }

    pub async fn call(&self, method: &str, path: &str, token: &str, more: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.world.http_with(method, path, Some(token), more, &body).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    pub async fn comment(&self, token: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        let headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        self.call("POST", &format!("{}/comments", self.path()), token, &headers, body).await
    }

    pub async fn set(&self, change: Value) -> Value {
        let (status, changed) = self.call("PATCH", &self.path(), &self.agent, &[], &change).await;
        assert_eq!(status, 200, "{changed}");
        changed
    }

    /// Sends what waits, and empties what has left: to whom, the bytes, and what they mean.
    pub async fn sent(&self) -> Vec<(String, Vec<u8>, Mail)> {
        // From a process whose ports are well.
        queue(&self.world.another(), "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
        let mails = std::mem::take(&mut *self.world.sent.mails.lock().unwrap());
        let read = |raw: &[u8]| parse(raw, &Trust::Nobody).unwrap();
        mails.into_iter().map(|mail| (mail.to.concat(), mail.raw.clone(), read(&mail.raw))).collect()
    }
}

fn public(text: &str) -> Value {
    json!({ "text": text, "public": true })
}

#[tokio::test]
async fn an_answer_goes_to_the_requester_and_to_who_is_in_copy_each_by_himself() {
    let desk = Desk::new().await;
    // One that became the desk's own would open a ticket with it.
    desk.set(json!({ "cc": [{ "address": BOB, "name": "Bob" }, { "address": "sales+x@contoso.example" }] })).await;
    let (contoso, sales) = ("contoso".parse().unwrap(), Mailbox::parse("sales@contoso.example").unwrap());
    tenants::add_mailbox(&desk.world.ports, &desk.world.app.keyring, "test", &contoso, &sales, None, &Versions::Any).await.unwrap();
    assert_eq!(desk.comment(&desk.agent, None, &public("An answer.")).await.0, 201);
    let sent = desk.sent().await;
    assert_eq!(sent.iter().map(|(to, ..)| to.as_str()).collect::<Vec<_>>(), [ANN, BOB]);
    assert_eq!(sent[0].1, sent[1].1, "the same bytes");
    let first = &sent[0].2;
    let addresses = |list: &[helpdesk::mail::Address]| list.iter().map(|one| one.address.clone()).collect::<Vec<_>>();
    assert_eq!((addresses(&first.to), addresses(&first.cc), &first.reply_to), (vec![ANN.to_owned()], vec![BOB.to_owned()], &None));
    assert_eq!((first.subject.as_str(), first.text.trim()), ("Re: A question [#1]", "An answer."));
    assert_eq!((&first.in_reply_to, &first.references), (&vec!["q1@a.example".to_owned()], &vec!["q1@a.example".to_owned()]));
    assert!(first.loop_mark.is_some());
    let head = String::from_utf8_lossy(&sent[0].1).to_lowercase();
    assert!(!head.contains("auto-submitted") && !head.contains("x-auto-response-suppress"), "a person speaks");

    // The next one refers to the newest and to the first.
    desk.world.clock.advance(Duration::SECOND);
    desk.set(json!({ "subject": "AW: A question [#1]" })).await;
    desk.comment(&desk.agent, None, &public("More.")).await;
    let second = desk.sent().await.remove(0).2;
    let own = first.message_id.clone().unwrap();
    assert_eq!((&second.in_reply_to, &second.references), (&vec![own.clone()], &vec!["q1@a.example".to_owned(), own]));
    assert_eq!(second.subject, "AW: A question [#1]", "neither is said twice");
    assert_ne!(first.message_id, second.message_id);

    // Agents see how it went, requesters do not, and a private comment goes to nobody.
    desk.world.clock.advance(Duration::SECOND);
    assert_eq!(desk.comment(&desk.agent, None, &json!({ "text": "For us." })).await.0, 201);
    assert!(desk.sent().await.is_empty());
    let comments = desk.world.comments("contoso", &desk.ticket).await;
    let states: Vec<(&Value, &Value)> = comments[1]["deliveries"].as_array().unwrap().iter().map(|one| (&one["to"], &one["state"])).collect();
    assert_eq!(states, [(&json!(ANN), &json!("sent")), (&json!(BOB), &json!("sent"))]);
    assert_eq!((&comments[0]["deliveries"], comments[3].get("deliveries")), (&json!([]), None));
    let ann = desk.world.token("contoso", Role::Requester, Some(ANN));
    let (_, seen) = desk.call("GET", &format!("{}/comments", desk.path()), &ann, &[], &Value::Null).await;
    assert_eq!(seen["comments"].as_array().unwrap().len(), 3);
    assert!(!seen.to_string().contains("deliveries") && !seen.to_string().contains(BOB), "{seen}");
}

#[tokio::test]
async fn an_address_that_names_the_ticket_brings_a_mail_without_references_there() {
    let desk = Desk::new().await;
    desk.world.set(|settings| settings.plus_addresses = true).await;
    desk.comment(&desk.agent, None, &public("An answer.")).await;
    let reply_to = desk.sent().await.remove(0).2.reply_to.unwrap().address;
    let (local, _) = reply_to.split_once('@').unwrap();
    assert!(local.starts_with("help+") && local.len() <= 64 && local.to_lowercase() == local, "{reply_to}");
    let to = |address: &str, id: &str| {
        let raw = String::from_utf8(mail("carol@northwind.example", id, "By hand", "", "Words.")).unwrap();
        raw.replace(&format!("To: {HELP}"), &format!("To: {address}")).into_bytes()
    };
    let heard = desk.world.mail(HELP, "c.eml", &to(&reply_to.to_uppercase(), "c@n.example")).await.1;
    assert_eq!(heard, "comment on ticket 1: it answers our own mail");
    // The ticket of another tenant's token is nobody's, and one letter more or less is no token.
    let (before, last) = local.split_at(local.len() - 2);
    let other = if last.starts_with('0') { "1" } else { "0" };
    for (at, forged) in
        [format!("{before}{other}{}", &last[1..]), before.to_owned(), format!("{local}0"), "help+".to_owned(), "help+\u{e4}".to_owned()]
            .iter()
            .enumerate()
    {
        let raw = to(&format!("{forged}@contoso.example"), &format!("f{at}@n.example"));
        assert!(desk.world.mail(HELP, &format!("f{at}.eml"), &raw).await.1.starts_with("opened ticket"), "{forged}");
    }
    let elsewhere = desk.world.mail("support@fabrikam.example", "e.eml", &to(&reply_to, "e@n.example")).await.1;
    assert_eq!(elsewhere, "opened ticket 1");
}

#[tokio::test]
async fn a_requester_comments_on_his_own_ticket_and_opens_it_again() {
    let desk = Desk::new().await;
    desk.set(json!({ "status": "solved", "cc": [{ "address": BOB }] })).await;
    desk.world.clock.advance(Duration::days(60));
    let requester = |address| desk.world.token("contoso", Role::Requester, Some(address));
    let (ann, bob, agent) = (requester(ANN), requester(BOB), desk.world.token("contoso", Role::Agent, None));
    let (status, made) = desk.comment(&ann, None, &json!({ "text": "Not yet. Card 4111 1111 1111 1111." })).await;
    assert_eq!((status, &made["public"], &made["author"]["sender"]["address"]), (201, &json!(true), &json!(ANN)), "{made}");
    assert!(!made["text"].as_str().unwrap().contains("4111 1111"));
    let (_, ticket) = desk.call("GET", &desk.path(), &agent, &[], &Value::Null).await;
    assert_eq!((&ticket["status"], &ticket["comments"], &ticket["solved_at"]), (&json!("in_progress"), &json!(2), &Value::Null));
    assert_eq!(ticket["times"]["waiting_seconds"], 1, "she waits again, as she did for a second before it was solved");
    assert!(desk.sent().await.is_empty());
    let (_, history) = desk.call("GET", &format!("{}/history", desk.path()), &agent, &[], &Value::Null).await;
    assert_eq!(history["history"].as_array().unwrap().last().unwrap()["changes"][0]["to"], "in_progress");
    // What he believes to be private is not shown to everybody.
    assert_eq!(desk.comment(&ann, None, &json!({ "text": "Psst.", "public": false })).await.0, 403);
    assert_eq!(desk.comment(&ann, None, &public("Aloud.")).await.0, 201);
    // Who is in copy reads his mail, and has no ticket here.
    assert_eq!(desk.comment(&bob, None, &json!({ "text": "Me too." })).await.0, 404);
}

#[tokio::test]
async fn what_the_desk_does_for_itself_leaves_no_trace_for_a_requester() {
    let desk = Desk::new().await;
    let agent = desk.world.token("contoso", Role::Agent, None);
    let other = json!({ "subject": "Another", "text": "Words.", "requester": { "address": ANN } });
    assert_eq!(desk.call("POST", "/api/tickets", &agent, &[], &other).await.0, 201);
    assert_eq!(desk.comment(&agent, None, &public("An answer.")).await.0, 201);
    let ann = || desk.world.token("contoso", Role::Requester, Some(ANN));
    // All that she can ask, with what stands around the answers.
    let asked = async || {
        let mut seen = Vec::new();
        let comments = format!("{}/comments?limit=1", desk.path());
        for path in [desk.path(), "/api/tickets".to_owned(), "/api/tickets?sort=updated&order=asc&limit=1".to_owned(), comments] {
            let mut answer = desk.world.http("GET", &path, Some(&ann()), b"").await;
            // Its cursor is sealed anew each time.
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            let next = body.as_object_mut().unwrap().remove("next").map(|next| next.as_str().unwrap().len());
            answer.headers.retain(|(name, _)| *name != "date");
            seen.push((answer.status, answer.headers, body, next));
        }
        seen
    };
    let before = asked().await;
    desk.world.clock.advance(Duration::minutes(10));
    for note in 0..3 {
        assert_eq!(desk.comment(&agent, None, &json!({ "text": format!("Note {note}.") })).await.0, 201);
    }
    desk.set(json!({ "assignee": { "person": "p1" }, "tags": ["vpn"], "priority": "high" })).await;
    assert_eq!(asked().await, before);
    let (_, ticket) = desk.call("GET", &desk.path(), &agent, &[], &Value::Null).await;
    assert_eq!(ticket["comments"], 5, "agents see all of it");
    assert!(ticket["updated_at"].as_str() > ticket["public_updated_at"].as_str(), "{ticket}");
    // What she sees, she is told.
    assert_eq!(desk.comment(&agent, None, &public("Another answer.")).await.0, 201);
    let after = asked().await;
    assert_eq!((&after[0].2["comments"], after[0].2["updated_at"] != before[0].2["updated_at"]), (&json!(3), true));
    assert_eq!(after[1].2["tickets"][0]["comments"], 3, "it is the newest now");
}

/// A page of a requester is as full as any, whatever stands between.
#[tokio::test]
async fn a_requester_turns_pages_past_notes() {
    let desk = Desk::new().await;
    let agent = desk.world.token("contoso", Role::Agent, None);
    for at in 0..7 {
        desk.world.clock.advance(Duration::seconds(1));
        let body = json!({ "text": format!("Words {at}."), "public": at % 3 == 0 });
        assert_eq!(desk.comment(&agent, None, &body).await.0, 201);
    }
    let ann = desk.world.token("contoso", Role::Requester, Some(ANN));
    let (mut path, mut pages) = (format!("{}/comments?limit=2", desk.path()), Vec::new());
    loop {
        let (_, page) = desk.call("GET", &path, &ann, &[], &Value::Null).await;
        pages.push(page["comments"].as_array().unwrap().len());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{}/comments?limit=2&cursor={next}", desk.path());
    }
    assert_eq!(pages, [2, 2, 0], "the question and three answers");
}

#[tokio::test]
async fn a_key_makes_one_comment_and_one_mail_however_often_it_is_asked() {
    let desk = Desk::new().await;
    let asked = futures::future::join_all((0..6).map(|_| {
        let (desk, body) = (&desk, public("Once."));
        async move { desk.comment(&desk.agent, Some("k-1"), &body).await }
    }));
    let asked = asked.await;
    for (status, made) in &asked {
        assert_eq!((*status, &made["id"]), (201, &asked[0].1["id"]), "{made}");
    }
    assert_eq!((desk.sent().await.len(), desk.world.comments("contoso", &desk.ticket).await.len()), (1, 2));
    let (status, problem) = desk.comment(&desk.agent, Some("k-1"), &public("Twice.")).await;
    assert_eq!((status, &problem["type"]), (422, &json!("urn:helpdesk:problem:idempotency-key-used")));
    // The same words in another ticket are another request, and the same key of somebody else another key.
    desk.world.mail(HELP, "q2.eml", &mail(BOB, "q2@b.example", "Another", "", "Words.")).await;
    let other = desk.world.tickets("contoso").await.into_iter().find(|ticket| ticket["number"] == 2).unwrap();
    let path = format!("/api/tickets/{}/comments", other["id"].as_str().unwrap());
    assert_eq!(desk.call("POST", &path, &desk.agent, &[("idempotency-key", "k-1")], &public("Once.")).await.0, 422);
    let ann = desk.world.token("contoso", Role::Requester, Some(ANN));
    assert_eq!(desk.comment(&ann, Some("k-1"), &json!({ "text": "Thanks." })).await.0, 201);
    // It is answered with the same comment when the ticket has gone elsewhere.
    let (status, _) = desk.call("POST", &format!("{}/merge", desk.path()), &desk.agent, &[], &json!({ "into": other["id"] })).await;
    assert_eq!(status, 200);
    assert_eq!(desk.comment(&desk.agent, Some("k-1"), &public("Once.")).await.1["id"], asked[0].1["id"]);
    assert_eq!(desk.comment(&desk.agent, Some("k-2"), &public("Late.")).await.0, 409);
}

#[tokio::test]
async fn a_port_that_fails_at_any_call_makes_no_second_comment_of_a_key() {
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let desk = Desk::on(World::with(|ports| faulty(&ports, &plan)).await).await;
            desk.set(json!({ "cc": [{ "address": BOB }] })).await;
            let file = super::uploads::send(&desk, &desk.agent, "plan.txt", "text/plain", &[b'x'; 30_000]).await.1["upload"].clone();
            let body = json!({ "text": "x".repeat(20_000), "public": true, "attachments": [file] });
            plan.fail_at(call, after);
            let mut tries = 0;
            while desk.comment(&desk.agent, Some("k"), &body).await.0 != 201 {
                tries += 1;
                assert!(tries < 3, "call {call}, after: {after}");
            }
            let planned = plan.calls();
            plan.fail_at(0, false);
            let comments = desk.world.comments("contoso", &desk.ticket).await;
            assert_eq!((comments.len(), comments[1]["attachments"].as_array().unwrap().len()), (2, 1), "call {call}, after: {after}");
            let sent = desk.sent().await;
            assert_eq!(sent.iter().map(|(to, ..)| to.as_str()).collect::<Vec<_>>(), [ANN, BOB], "call {call}, after: {after}");
            assert_eq!(sent[0].2.attachments[0].bytes, [b'x'; 30_000]);
            if call > planned {
                assert!(call > 12, "only {planned} calls were tried");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_commit_that_meets_itself_has_added_the_comment() {
    let plan = Arc::new(Plan::default());
    let desk = Desk::on(World::with(|ports| faulty(&ports, &plan)).await).await;
    plan.send_commits_twice(1);
    let (status, comment) = desk.comment(&desk.agent, None, &public("Once.")).await;
    assert_eq!(status, 201, "{comment}");
    let comments = desk.world.comments("contoso", &desk.ticket).await;
    assert_eq!((comments.len(), &comments[1]["id"]), (2, &comment["id"]));
    assert_eq!(desk.sent().await.len(), 1);
}

#[tokio::test]
async fn an_agents_signature_stands_below_his_answers_alone() {
    let desk = Desk::new().await;
    let (jo, flo) = (desk.world.token_of("contoso", Role::Agent, "jo", None), desk.world.token_of("contoso", Role::Agent, "flo", None));
    let path = "/api/me/signature";
    assert_eq!(desk.call("GET", path, &jo, &[], &Value::Null).await, (200, json!({ "text": "", "name": null })));
    let own = json!({ "text": "Jo Doe\r\nContoso, card 4111 1111 1111 1111\n", "name": " Jo " });
    let kept = json!({ "text": "Jo Doe\nContoso, card **** **** **** 1111", "name": "Jo" });
    assert_eq!(desk.call("PUT", path, &jo, &[], &own).await, (200, kept.clone()));
    assert_eq!(desk.call("GET", path, &jo, &[], &Value::Null).await.1, kept);
    desk.comment(&jo, None, &public("An answer.")).await;
    assert_eq!(desk.sent().await[0].2.text.trim(), "An answer.\n\n-- \nJo Doe\nContoso, card **** **** **** 1111");
    desk.world.clock.advance(Duration::SECOND);
    desk.comment(&flo, None, &public("Another.")).await;
    assert_eq!(desk.sent().await[0].2.text.trim(), "Another.");
    assert_eq!(desk.world.comments("contoso", &desk.ticket).await[1]["text"], "An answer.", "it is no part of what was said");
    for wrong in [
        json!({ "text": "s".repeat(2_001) }),
        json!({ "text": "", "name": "\u{200b}" }),
        json!({ "text": "", "name": "two\nlines" }),
        json!({ "text": "", "name": "n".repeat(101) }),
    ] {
        assert_eq!(desk.call("PUT", path, &jo, &[], &wrong).await.1["type"], "urn:helpdesk:problem:bad-signature", "{wrong}");
    }
    assert_eq!(desk.call("PUT", path, &jo, &[], &json!({ "text": "" })).await.1, json!({ "text": "", "name": null }));
}

#[tokio::test]
async fn a_tenants_own_words_stand_around_an_answer() {
    let desk = Desk::new().await;
    let admin = desk.world.token("contoso", Role::Admin, None);
    let put = async |template: Value| {
        let (_, mut settings) = desk.call("GET", "/api/settings", &admin, &[], &Value::Null).await;
        settings["language"] = json!("de");
        settings["templates"] = json!([template]);
        desk.call("PUT", "/api/settings", &admin, &[], &settings).await
    };
    let own = |subject: &str, text: &str| json!({ "purpose": "answer", "language": "de", "subject": subject, "text": text });
    for wrong in [
        own("{name}", "{text}"),
        own("S", "{text} {name}"),
        own("S", "ohne"),
        own("a\r\nX-Evil: 1", "{text}"),
        own("a\u{2028}X-Evil: 1", "{text}"),
        own("S", &format!("{{text}}{}", "x".repeat(4_000))),
    ] {
        let (status, problem) = put(wrong.clone()).await;
        assert_eq!((status, &problem["type"]), (400, &json!("urn:helpdesk:problem:bad-tenant")), "{wrong} {problem}");
    }
    assert_eq!(put(own("Antwort: {subject}", "Guten Tag,\n\n{text}\n\n{agent}, Nr. {number}\n{signature}")).await.0, 200);
    desk.comment(&desk.agent, None, &public("Bitte {agent} fragen.")).await;
    let sent = desk.sent().await.remove(0).2;
    assert_eq!(sent.subject, "Antwort: A question [#1]");
    assert_eq!(sent.text.trim(), "Guten Tag,\n\nBitte {agent} fragen.\n\ncontoso, Nr. 1", "what is put in is not read again");
}

#[tokio::test]
async fn nothing_that_people_name_becomes_a_header_of_a_mail() {
    for evil in ["\r\n", "\n", "\r", "\u{85}", "\u{2028}", "\0", "\t", "?=\r\n"] {
        let world = World::new().await;
        world.trusts().await;
        let encoded: String = format!("a{evil}X-Evil: 1").bytes().map(|byte| format!("={byte:02X}")).collect();
        let word = format!("=?utf-8?q?{encoded}?=");
        world.mail(HELP, "q.eml", &proven(&format!("{word} <{ANN}>"), "q1@a.example", &word, "", "Words.")).await;
        world
            .set(|settings| {
                settings.plus_addresses = true;
                let own = json!([{ "purpose": "answer", "language": "en", "subject": "{subject} X-Evil: 1", "text": "{text}" }]);
                settings.templates = serde_json::from_value(own).unwrap();
            })
            .await;
        world.clock.advance(Duration::SECOND);
        let (agent, ticket) = (world.token("contoso", Role::Agent, None), world.tickets("contoso").await.remove(0));
        let desk = Desk { world, agent, ticket };
        let signature = json!({ "text": "a\nX-Evil: 1", "name": "X-Evil: 1" });
        assert_eq!(desk.call("PUT", "/api/me/signature", &desk.agent, &[], &signature).await.0, 200);
        let (status, file) = super::uploads::send(&desk, &desk.agent, &format!("a{evil}X-Evil: 1.txt"), "text/plain", b"bytes").await;
        assert_eq!(status, 201);
        let body = json!({ "text": "Words.", "public": true, "attachments": [file["upload"]] });
        assert_eq!(desk.comment(&desk.agent, None, &body).await.0, 201);
        let sent = desk.sent().await;
        assert_eq!(sent.len(), 2, "the acknowledgement, and the answer");
        for (_, raw, mail) in &sent {
            let end = raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let head = String::from_utf8(raw[..end].to_vec()).unwrap();
            assert!(!head.contains("\nX-Evil") && !head.contains("\rX-Evil"), "{head}");
            assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head}");
            assert_eq!(mail.to[0].address, ANN);
        }
        assert!(!String::from_utf8_lossy(&sent[1].1).contains("\r\nX-Evil: 1.txt"), "nor of a part");
        assert_eq!(sent[1].2.attachments.len(), 1);
    }
}
