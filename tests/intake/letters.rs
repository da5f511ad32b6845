//! What the desk says by itself, and what other servers say of its mails.

use helpdesk::{
    access::Role,
    mail::{Mail, MailKind, parse::parse, sender::Trust},
    tenants::Language,
};
use serde_json::{Value, json};
use time::Duration;

use super::ANN;
use crate::support::world::{HELP, IT, World, mail, proven, queue};

const BOB: &str = "bob@northwind.example";

async fn world() -> World {
    let world = World::new().await;
    world.trusts().await;
    world
}

/// Sends what waits, and empties what has left.
async fn sent(world: &World) -> Vec<(String, Vec<u8>, Mail)> {
    queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
    let mails = std::mem::take(&mut *world.sent.mails.lock().unwrap());
    mails.into_iter().map(|mail| (mail.to.concat(), mail.raw.clone(), parse(&mail.raw, &Trust::Nobody).unwrap())).collect()
}

fn question(id: &str, more: &str) -> Vec<u8> {
    proven(ANN, id, "The printer is on fire", more, "Please help soon.")
}

#[tokio::test]
async fn a_proven_sender_is_told_the_number_of_his_ticket_once() {
    let world = world().await;
    let message = world.leave(HELP, "q.eml", &question("q1@a.example", "")).await;
    for note in ["opened ticket 1", "seen before, in ticket 1"] {
        assert_eq!(queue(&world.app, "IntakeMail", &message).await.1, note);
    }
    let mut acknowledged = sent(&world).await;
    assert_eq!(acknowledged.len(), 1);
    let (to, raw, told) = acknowledged.remove(0);
    assert!(ANN.contains(&to), "{to}");
    assert_eq!((told.subject.as_str(), told.kind), ("Re: The printer is on fire [#1]", MailKind::AutoReply));
    assert_eq!((&told.in_reply_to[0], &told.references), (&"q1@a.example".to_owned(), &vec!["q1@a.example".to_owned()]));
    assert!(told.text.contains("number is 1: “The printer is on fire”") && told.text.trim_end().ends_with("contoso"), "{}", told.text);
    assert!(!told.text.contains("Please help"), "nobody's words are repeated");
    let head = String::from_utf8(raw).unwrap();
    for line in ["Auto-Submitted: auto-replied\r\n", "X-Auto-Response-Suppress: All\r\n"] {
        assert!(head.contains(line), "{head}");
    }
    // It stands with the comment that it answers, and an answer to it comes to the ticket.
    let ticket = world.tickets("contoso").await.remove(0);
    let comments = world.comments("contoso", &ticket).await;
    assert_eq!((comments.len(), &comments[0]["deliveries"][0]["state"]), (1, &json!("sent")));
    let again = format!("In-Reply-To: <{}>\r\n", told.message_id.unwrap());
    let note = world.mail(HELP, "r.eml", &mail("x@y.example", "r@y.example", "Thanks", &again, "More.")).await.1;
    assert_eq!(note, "comment on ticket 1: it answers our own mail");
    assert!(sent(&world).await.is_empty(), "only what opens a ticket is acknowledged");
}

#[tokio::test]
async fn nobody_is_told_anything_who_may_not_have_written() {
    let world = world().await;
    let ours = proven(&format!("Loop <{IT}>"), "o@contoso.example", "Ours", "", "Words.");
    let mails = [
        mail(ANN, "a@a.example", "Not proven", "", "Words."),
        ours,
        question("b@a.example", "Auto-Submitted: auto-generated\r\n"),
        question("c@a.example", "List-Id: <news.a.example>\r\nPrecedence: list\r\n"),
    ];
    for (at, raw) in mails.iter().enumerate() {
        assert!(world.mail(HELP, &format!("{at}.eml"), raw).await.1.starts_with("opened ticket"), "{at}");
        assert!(sent(&world).await.is_empty(), "{at}");
    }
    world.set(|settings| settings.acknowledge = false).await;
    assert!(world.mail(HELP, "d.eml", &question("d@a.example", "")).await.1.starts_with("opened ticket"));
    assert!(sent(&world).await.is_empty());
    // As a proof that it would have been told.
    world.set(|settings| settings.acknowledge = true).await;
    world.mail(HELP, "e.eml", &question("e@a.example", "")).await;
    assert_eq!(sent(&world).await.len(), 1);
}

#[tokio::test]
async fn a_person_whose_mail_wants_no_automatic_answer_gets_none() {
    let world = world().await;
    let mails = [
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply\r\n", 0),
        ("X-Auto-Response-Suppress: DR, RN, NRN\r\n", 1),
        ("Return-Path: <>\r\n", 0),
        ("Return-Path: <ann@adventure-works.example>\r\n", 1),
    ];
    for (at, (more, told)) in mails.into_iter().enumerate() {
        let raw = question(&format!("{at}@a.example"), more);
        assert_eq!(parse(&raw, &Trust::Nobody).unwrap().kind, MailKind::Person, "{more}");
        assert!(world.mail(HELP, &format!("{at}.eml"), &raw).await.1.starts_with("opened ticket"), "{more}");
        assert_eq!(sent(&world).await.len(), told, "{more}");
    }
}

#[tokio::test]
async fn who_writes_through_a_form_is_the_requester_and_gets_what_agents_answer() {
    let world = world().await;
    for (at, address) in [(1, "bob@fabrikam.example"), (2, "carol@woodgrove.example")] {
        let raw = proven("noreply@northwind.example", &format!("form-{at}"), "Message", &format!("Reply-To: {address}\r\n"), "It is broken.");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), &raw).await.1, format!("opened ticket {at}"));
        world.clock.advance(Duration::SECOND);
    }
    assert!(sent(&world).await.is_empty(), "nobody proved that they wrote");
    let tickets = world.tickets("contoso").await;
    let bobs = tickets.iter().find(|ticket| ticket["number"] == 1).unwrap();
    assert_eq!((&bobs["requester"]["address"], &bobs["requester_proven"]), (&json!("bob@fabrikam.example"), &json!(false)));
    let mail = &world.comments("contoso", bobs).await[0]["mail"];
    assert_eq!((&mail["passed_on_by"]["address"], &mail["sender"]), (&json!("noreply@northwind.example"), &json!({ "proven": false, "by": null })));
    let (agent, path) = (world.token("contoso", Role::Agent, None), format!("/api/tickets/{}/comments", bobs["id"].as_str().unwrap()));
    assert_eq!(world.http("POST", &path, Some(&agent), br#"{"text":"We come.","public":true}"#).await.status, 201);
    assert_eq!(sent(&world).await.into_iter().map(|(to, ..)| to).collect::<Vec<_>>(), ["bob@fabrikam.example"]);
}

#[tokio::test]
async fn a_form_that_names_the_desk_speaks_for_itself_and_all_that_it_sends_counts_as_its_own() {
    let world = world().await;
    world.set(|settings| settings.mails_a_sender = 3).await;
    let form = |at: usize, reply_to: &str| proven("noreply@a.example", &format!("f{at}"), "Form", &format!("Reply-To: {reply_to}\r\n"), "Words.");
    assert_eq!(world.mail(HELP, "0.eml", &form(0, IT)).await.1, "opened ticket 1");
    let ticket = world.tickets("contoso").await.remove(0);
    assert_eq!((&ticket["requester"]["address"], &ticket["requester_proven"]), (&json!("noreply@a.example"), &json!(true)));
    assert_eq!(world.comments("contoso", &ticket).await[0]["mail"]["passed_on_by"], Value::Null);
    for at in 1..3 {
        assert!(world.mail(HELP, &format!("{at}.eml"), &form(at, &format!("p{at}@b.example"))).await.1.starts_with("opened"), "{at}");
    }
    assert!(world.mail(HELP, "3.eml", &form(3, "p3@b.example")).await.1.ends_with("sender_limit"));
}

#[tokio::test]
async fn a_proven_sender_says_where_else_answers_are_to_go() {
    let world = world().await;
    let elsewhere = "Reply-To: Office <office@adventure-works.example>\r\n";
    world.mail(HELP, "q.eml", &question("q1@a.example", elsewhere)).await;
    // A machine answers the one who wrote, and nobody whom he names.
    let to: Vec<String> = sent(&world).await.into_iter().map(|(to, ..)| to).collect();
    assert!(to.len() == 1 && ANN.contains(&to[0]), "{to:?}");
    let ticket = world.tickets("contoso").await.remove(0);
    assert_eq!(
        (&ticket["requester"]["address"], &ticket["cc"][0]["address"]),
        (&json!("ann@adventure-works.example"), &json!("office@adventure-works.example"))
    );
    // Whoever is not proven names others as he likes.
    world.mail(HELP, "u.eml", &mail("eve@a.example", "u@a.example", "Help", elsewhere, "Words.")).await;
    let unproven = world.tickets("contoso").await.into_iter().find(|ticket| ticket["number"] == 2).unwrap();
    assert_eq!((&unproven["requester"]["address"], &unproven["cc"]), (&json!("eve@a.example"), &json!([])));
}

#[tokio::test]
async fn a_list_and_those_who_run_it_are_told_nothing() {
    let world = world().await;
    let posted =
        "In-Reply-To: <before@a.example>\r\nList-Id: <users.lists.example>\r\nList-Post: <mailto:users@lists.example>\r\nPrecedence: list\r\n";
    let mails = [
        (proven("Bob via Users <users@lists.example>", "0@a.example", "The scanner", posted, "Words."), 0),
        (proven("owner-users@lists.example", "1@a.example", "The scanner", "", "Words."), 0),
        (proven("users-request@lists.example", "2@a.example", "The scanner", "", "Words."), 0),
        (proven("postmaster@lists.example", "3@a.example", "The scanner", "", "Words."), 0),
        // Through a list, but in his own name.
        (proven(ANN, "4@a.example", "The scanner", &posted.replace("before", "other"), "Words."), 1),
    ];
    for (at, (raw, told)) in mails.iter().enumerate() {
        assert_eq!(parse(raw, &Trust::Nobody).unwrap().kind, MailKind::Person, "{at}");
        assert!(world.mail(HELP, &format!("{at}.eml"), raw).await.1.starts_with("opened ticket"), "{at}");
        assert_eq!(sent(&world).await.len(), *told, "{at}");
    }
}

#[tokio::test]
async fn the_desk_speaks_its_tenants_language_or_in_his_own_words() {
    let world = world().await;
    for (at, (language, words)) in [
        (Language::De, "„The printer is on fire“"),
        (Language::Fr, "«\u{a0}The printer is on fire\u{a0}»"),
        (Language::Es, "Gracias"),
        (Language::It, "«The printer is on fire»"),
        (Language::Nl, "Bedankt"),
    ]
    .into_iter()
    .enumerate()
    {
        world.set(|settings| settings.language = language).await;
        world.mail(HELP, &format!("{at}.eml"), &question(&format!("{at}@a.example"), "")).await;
        let told = sent(&world).await.remove(0).2;
        assert!(told.text.contains(words), "{}", told.text);
    }
    world
        .set(|settings| {
            let own = json!([{ "purpose": "acknowledgement", "language": "nl", "subject": "Ontvangen: {subject}", "text": "Nr. {number}, {agent}" }]);
            settings.templates = serde_json::from_value(own).unwrap();
        })
        .await;
    // Within an hour she is not told any more.
    world.clock.advance(time::Duration::minutes(61));
    world.mail(HELP, "own.eml", &question("own@a.example", "")).await;
    let told = sent(&world).await.remove(0).2;
    assert_eq!((told.subject.as_str(), told.text.trim()), ("Ontvangen: The printer is on fire [#6]", "Nr. 6, contoso"));
}

/// A report in the form of RFC 3464; `of_one` are the fields of each recipient.
fn report(original: &str, of_each: &[String], subject: &str) -> Vec<u8> {
    let fields: String = of_each.iter().map(|fields| format!("\r\n{fields}")).collect();
    format!(
        "From: MAILER-DAEMON@mx.northwind.example\r\nTo: {HELP}\r\nSubject: {subject}\r\nMessage-ID: <dsn-{}@mx.northwind.example>\r\n\
         Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nYour mail was not delivered.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.northwind.example\r\n{fields}\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{original}>\r\nFrom: {HELP}\r\nSubject: Re: The printer\r\n--b--\r\n",
        of_each.concat().len()
    )
    .into_bytes()
}

fn of(recipient: &str, action: &str, status: &str) -> String {
    format!("Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n")
}

/// An answer to Ann, and to Bob in copy if he is; its Message-ID.
async fn answered(world: &World, with_bob: bool) -> String {
    world.mail(HELP, "q.eml", &mail(ANN, "q1@a.example", "The printer is on fire", "", "Please help soon.")).await;
    world.clock.advance(Duration::SECOND);
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}", world.tickets("contoso").await[0]["id"].as_str().unwrap());
    let cc = if with_bob { json!({ "cc": [{ "address": BOB }] }) } else { json!({ "cc": [] }) };
    assert_eq!(world.http("PATCH", &path, Some(&token), cc.to_string().as_bytes()).await.status, 200);
    assert_eq!(world.http("POST", &format!("{path}/comments"), Some(&token), br#"{"text":"Use water.","public":true}"#).await.status, 201);
    world.clock.advance(Duration::SECOND);
    sent(world).await.remove(0).2.message_id.unwrap()
}

/// States and statuses of the answer's deliveries.
async fn deliveries(world: &World) -> Vec<(String, Value)> {
    let comments = world.comments("contoso", &world.tickets("contoso").await[0]).await;
    let all = comments[1]["deliveries"].as_array().unwrap().clone();
    all.iter().map(|one| (one["state"].as_str().unwrap().to_owned(), one["status"].clone())).collect()
}

fn state(state: &str, status: Option<&str>) -> (String, Value) {
    (state.to_owned(), json!(status))
}

#[tokio::test]
async fn a_bounce_marks_those_whom_it_names_if_they_got_the_mail() {
    let world = world().await;
    let original = answered(&world, true).await;
    assert_eq!(deliveries(&world).await, [state("sent", None), state("sent", None)]);
    // One who got nothing is named: nothing happens to the others.
    let stranger = report(&original, &[of("carol@northwind.example", "failed", "5.1.1")], "Undelivered");
    assert_eq!(world.mail(HELP, "0.eml", &stranger).await.1, "comment on ticket 1: it answers our own mail");
    assert_eq!(deliveries(&world).await, [state("sent", None), state("sent", None)]);
    let late = report(&original, &[of(BOB, "delayed", "4.4.1")], "Delayed");
    world.mail(HELP, "1.eml", &late).await;
    assert_eq!(deliveries(&world).await, [state("sent", None), state("delayed", Some("4.4.1"))]);
    let failed = report(&original, &[of(BOB, "failed", "5.1.1"), of("eve@tailspin.example", "failed", "5.1.1")], "Undelivered");
    let message = world.leave(HELP, "2.eml", &failed).await;
    for _ in 0..2 {
        assert_eq!(queue(&world.app, "IntakeMail", &message).await.0, 200);
    }
    assert_eq!(deliveries(&world).await, [state("sent", None), state("failed", Some("5.1.1"))]);
    // What failed does not become late, and no report opens or changes a ticket.
    let later = report(&original, &[of(BOB, "delayed", "4.4.7")], "Delayed");
    world.mail(HELP, "3.eml", &later).await;
    assert_eq!(deliveries(&world).await[1], state("failed", Some("5.1.1")));
    let tickets = world.tickets("contoso").await;
    assert_eq!((tickets.len(), &tickets[0]["status"]), (1, &json!("in_progress")));
}

#[tokio::test]
async fn a_report_marks_each_as_it_says_of_him() {
    let world = world().await;
    let original = answered(&world, true).await;
    let both = report(&original, &[of("ann@adventure-works.example", "failed", "5.1.1"), of(BOB, "delayed", "4.4.1")], "Returned mail");
    world.mail(HELP, "1.eml", &both).await;
    assert_eq!(deliveries(&world).await, [state("failed", Some("5.1.1")), state("delayed", Some("4.4.1"))]);
    // Given up after days: it does not come, though what kept it from coming would have passed.
    let expired = report(&original, &[of(BOB, "failed", "4.4.7")], "Undelivered");
    world.mail(HELP, "2.eml", &expired).await;
    assert_eq!(deliveries(&world).await[1], state("failed", Some("4.4.7")));
}

#[tokio::test]
async fn a_copy_that_was_passed_on_to_another_recipient_is_not_his() {
    let ann_to_bob = format!("Original-Recipient: rfc822; ann@adventure-works.example\r\n{}", of(BOB, "failed", "5.2.2"));
    let carol_to_bob = format!("Original-Recipient: rfc822; carol@northwind.example\r\n{}", of(BOB, "failed", "5.2.2"));
    let (sent, late, failed) = (state("sent", None), state("delayed", Some("4.4.1")), state("failed", Some("5.2.2")));
    for (of_each, expected) in [
        (vec![ann_to_bob.clone()], [failed.clone(), sent.clone()]),
        (vec![ann_to_bob, of(BOB, "delayed", "4.4.1")], [failed.clone(), late]),
        // Nobody wrote to Carol: only the address where it ended can be meant.
        (vec![carol_to_bob], [sent, failed]),
    ] {
        let world = world().await;
        let original = answered(&world, true).await;
        world.mail(HELP, "1.eml", &report(&original, &of_each, "Undelivered")).await;
        assert_eq!(deliveries(&world).await, expected, "{of_each:?}");
    }
}

#[tokio::test]
async fn a_bounce_that_names_nobody_is_the_only_recipients() {
    for (with_bob, expected) in [(false, vec![state("failed", None)]), (true, vec![state("sent", None), state("sent", None)])] {
        let world = world().await;
        let original = answered(&world, with_bob).await;
        // A text that says no more than that it failed.
        let raw = format!(
            "From: MAILER-DAEMON@mx.northwind.example\r\nTo: {HELP}\r\nSubject: Undelivered Mail Returned to Sender\r\nMessage-ID: <n@mx.northwind.example>\r\n\
             Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <{original}>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
        );
        let read = parse(raw.as_bytes(), &Trust::Nobody).unwrap();
        assert_eq!((read.kind, read.bounce.map(|bounce| bounce.recipients.len())), (MailKind::Bounce, Some(0)));
        assert_eq!(world.mail(HELP, "n.eml", raw.as_bytes()).await.1, "comment on ticket 1: it answers our own mail");
        assert_eq!(deliveries(&world).await, expected);
    }
}

#[tokio::test]
async fn a_bounce_that_only_gives_our_mail_back_blames_none_of_several() {
    let failed = || state("failed", Some("5.2.2"));
    for (with_bob, expected) in [(false, vec![failed()]), (true, vec![state("sent", None), state("sent", None)])] {
        let world = world().await;
        let original = answered(&world, with_bob).await;
        // Each copy is addressed to Ann, also the one that Bob got.
        let raw = format!(
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.northwind.example\r\nTo: {HELP}\r\nSubject: Undelivered mail\r\nMessage-ID: <g@mx.northwind.example>\r\n\
             Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nYour message was rejected because the mailbox is full.\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{original}>\r\nFrom: {HELP}\r\nTo: {ANN}\r\nCc: {BOB}\r\nSubject: x\r\n\r\nUse water.\r\n--b--\r\n"
        );
        assert_eq!(parse(raw.as_bytes(), &Trust::Nobody).unwrap().kind, MailKind::Bounce);
        assert_eq!(world.mail(HELP, "g.eml", raw.as_bytes()).await.1, "comment on ticket 1: it answers our own mail");
        assert_eq!(deliveries(&world).await, expected);
    }
}

#[tokio::test]
async fn a_bounce_that_names_others_alone_is_of_the_one_who_got_the_mail() {
    let world = world().await;
    let original = answered(&world, false).await;
    let raw = report(&original, &[of("service@mx.northwind.example", "failed", "5.1.1")], "Undelivered");
    assert_eq!(world.mail(HELP, "h.eml", &raw).await.1, "comment on ticket 1: it answers our own mail");
    assert_eq!(deliveries(&world).await, [state("failed", Some("5.1.1"))]);
}

#[tokio::test]
async fn a_list_that_the_mail_came_to_has_not_failed_with_one_of_its_members() {
    let world = world().await;
    let original = answered(&world, false).await;
    let members = [of(ANN, "expanded", "2.1.5"), of("bob@northwind.example", "failed", "5.1.1")];
    let raw = report(&original, &members, "Undelivered");
    assert_eq!(world.mail(HELP, "i.eml", &raw).await.1, "comment on ticket 1: it answers our own mail");
    assert_eq!(deliveries(&world).await, [state("sent", None)]);
}

#[tokio::test]
async fn a_bounce_with_an_id_that_we_did_not_make_marks_nobody() {
    let world = world().await;
    let original = answered(&world, false).await;
    let (before, domain) = original.split_once('@').unwrap();
    let forged = format!("{}0@{domain}", &before[..before.len() - 1]);
    let forged = if forged == original { forged.replace("0@", "1@") } else { forged };
    let raw = report(&forged, &[of("ann@adventure-works.example", "failed", "5.1.1")], "Undelivered");
    assert!(world.mail(HELP, "f.eml", &raw).await.1.contains("unprocessed"));
    assert_eq!(deliveries(&world).await, [state("sent", None)]);
}

#[tokio::test]
async fn a_port_that_fails_at_any_call_makes_no_second_acknowledgement() {
    use crate::support::faulty::{Plan, faulty};
    use std::sync::Arc;
    for after in [false, true] {
        for call in 1.. {
            let plan = Arc::new(Plan::default());
            let world = World::with(|ports| faulty(&ports, &plan)).await;
            world.trusts().await;
            let message = world.leave(HELP, "q.eml", &question("q1@a.example", "")).await;
            plan.fail_at(call, after);
            let mut tries = 0;
            while queue(&world.app, "IntakeMail", &message).await.0 != 200 {
                tries += 1;
                assert!(tries < 3, "call {call}, after: {after}");
            }
            let planned = plan.calls();
            plan.fail_at(0, false);
            assert_eq!((world.tickets("contoso").await.len(), sent(&world).await.len()), (1, 1), "call {call}, after: {after}");
            // Killed between the commit and the wake-up, it left one before the commit.
            assert!(world.ports.queues.depth("outbox").await.unwrap() >= 1);
            if call > planned {
                assert!(call > 12, "only {planned} calls were tried");
                break;
            }
        }
    }
}
