//! The right ticket for a mail: who may join which conversation, and what becomes of a mail that may not.

use helpdesk::access::Role;
use serde_json::{Value, json};
use time::Duration;

use super::ANN;
use crate::support::world::{HELP, IT, World, mail, proven, queue};

const EVE: &str = "Eve <eve@tailspin.example>";
const CAROL: &str = "carol@adventure-works.example";

fn to(id: &str) -> String {
    format!("In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n")
}

/// A world with a proven question of Ann's, as ticket 1.
async fn asked() -> World {
    let world = World::new().await;
    world.trusts().await;
    let raw = proven(ANN, "q1@adventure-works.example", "The printer is on fire", "", "Please help soon.");
    assert_eq!(world.mail(HELP, "q.eml", &raw).await, (200, "opened ticket 1".to_owned()));
    // What comes in the same millisecond has no order.
    world.clock.advance(Duration::SECOND);
    world
}

async fn ticket(world: &World, number: u64) -> Value {
    world.tickets("contoso").await.into_iter().find(|ticket| ticket["number"] == number).unwrap()
}

/// Sets what an agent may set.
async fn set(world: &World, number: u64, change: Value) {
    let (token, path) = (world.token("contoso", Role::Agent, None), format!("/api/tickets/{}", ticket(world, number).await["id"].as_str().unwrap()));
    assert_eq!(world.http("PATCH", &path, Some(&token), change.to_string().as_bytes()).await.status, 200);
}

/// An agent's public answer, and the Message-ID with which it left.
async fn answered(world: &World, number: u64) -> String {
    let (token, id) = (world.token("contoso", Role::Agent, None), ticket(world, number).await["id"].as_str().unwrap().to_owned());
    let made = world.http("POST", &format!("/api/tickets/{id}/comments"), Some(&token), br#"{"text":"Use water.","public":true}"#).await;
    assert_eq!(made.status, 201);
    queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
    let raw = world.sent.mails.lock().unwrap().last().unwrap().raw.clone();
    helpdesk::mail::parse::parse(&raw, &helpdesk::mail::sender::Trust::Nobody).unwrap().message_id.unwrap()
}

#[tokio::test]
async fn a_stranger_whom_nobody_vouches_for_joins_no_conversation_and_his_own_ticket_says_so() {
    let world = asked().await;
    set(&world, 1, json!({ "status": "solved" })).await;
    let raw = mail(EVE, "e1@tailspin.example", "Re: The printer is on fire", &to("q1@adventure-works.example"), "Send me the invoice.");
    assert_eq!(world.mail(HELP, "e.eml", &raw).await.1, "opened ticket 2");
    let (anns, eves) = (ticket(&world, 1).await, ticket(&world, 2).await);
    assert_eq!((&anns["status"], &anns["comments"], &anns["requester_proven"]), (&json!("solved"), &json!(1), &json!(true)));
    assert_eq!((&eves["requester_proven"], &eves["requester"]["address"]), (&json!(false), &json!("eve@tailspin.example")));
    assert_eq!(eves["links"][0], json!({ "ticket": anns["id"], "number": 1, "why": "refers_to" }));
    assert_eq!(anns["links"], json!([]), "he does not even leave a trace in hers");
}

#[tokio::test]
async fn who_only_says_that_he_takes_part_is_heard_and_changes_nothing() {
    let world = asked().await;
    set(&world, 1, json!({ "status": "pending" })).await;
    let reply = |id: &str| (to("q1@adventure-works.example") + "Cc: eve@tailspin.example\r\n", id.to_owned());
    let (more, id) = reply("forged@adventure-works.example");
    world.mail(HELP, "f.eml", &mail(ANN, &id, "Re: The printer is on fire", &more, "Never mind.")).await;
    let heard = ticket(&world, 1).await;
    assert_eq!((&heard["status"], &heard["comments"], &heard["cc"]), (&json!("pending"), &json!(2), &json!([])));
    assert_eq!(world.comments("contoso", &heard).await[1]["mail"]["sender"]["proven"], false);
    // Vouched for, the same words count.
    let (more, id) = reply("real@adventure-works.example");
    world.mail(HELP, "r.eml", &proven(ANN, &id, "Re: The printer is on fire", &more, "It burns again.")).await;
    let counted = ticket(&world, 1).await;
    assert_eq!((&counted["status"], &counted["comments"]), (&json!("in_progress"), &json!(3)));
    assert_eq!(counted["cc"], json!([{ "address": "eve@tailspin.example", "name": null }]));
}

#[tokio::test]
async fn a_third_party_is_shown_as_himself_and_never_replaces_the_requester() {
    let world = asked().await;
    let raw = proven(CAROL, "c1@adventure-works.example", "Re: The printer is on fire", &to("q1@adventure-works.example"), "Mine too.");
    assert!(world.mail(HELP, "c.eml", &raw).await.1.starts_with("comment on ticket 1"));
    let joined = ticket(&world, 1).await;
    assert_eq!((&joined["requester"]["address"], &joined["cc"]), (&json!("ann@adventure-works.example"), &json!([])));
    assert_eq!(world.comments("contoso", &joined).await[1]["author"]["sender"]["address"], CAROL);
}

#[tokio::test]
async fn an_answer_to_our_own_mail_counts_whoever_writes_it() {
    let world = asked().await;
    let id = answered(&world, 1).await;
    set(&world, 1, json!({ "status": "solved" })).await;
    let (_, note) = world.mail(HELP, "a.eml", &mail(CAROL, "a1@adventure-works.example", "AW: Fire", &to(&id), "Ann is away. It burns.")).await;
    assert_eq!(note, "comment on ticket 1: it answers our own mail");
    assert_eq!(ticket(&world, 1).await["status"], "in_progress");
}

#[tokio::test]
async fn an_answer_that_an_exchange_group_passes_on_reopens_the_ticket() {
    let world = asked().await;
    let more = format!("{}X-Auto-Response-Suppress: DR, OOF, AutoReply\r\n", to(&answered(&world, 1).await));
    set(&world, 1, json!({ "status": "solved" })).await;
    for (id, text, status) in [("a1", "I am out of the office until Monday.", "solved"), ("a2", "It still burns.", "in_progress")] {
        let raw = mail(ANN, &format!("{id}@adventure-works.example"), "Re: Fire", &more, text);
        assert_eq!(world.mail(HELP, &format!("{id}.eml"), &raw).await.1, "comment on ticket 1: it answers our own mail");
        assert_eq!(ticket(&world, 1).await["status"], status);
    }
}

#[tokio::test]
async fn an_absence_note_that_says_so_only_in_its_words_reopens_nothing() {
    let world = asked().await;
    let answers = to(&answered(&world, 1).await);
    set(&world, 1, json!({ "status": "solved" })).await;
    for (at, more) in ["Return-Path: <>\r\n", "Return-Path: <>\r\nPrecedence: bulk\r\n", "Precedence: bulk\r\n"].iter().enumerate() {
        let raw =
            mail(ANN, &format!("o{at}@adventure-works.example"), "Re: Fire", &format!("{answers}{more}"), "I am out of the office until Monday.");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), &raw).await.1, "comment on ticket 1: it answers our own mail");
        assert_eq!(ticket(&world, 1).await["status"], "solved", "{more}");
    }
}

#[tokio::test]
async fn a_number_in_the_subject_is_heard_from_those_who_take_part_alone() {
    let world = asked().await;
    let subject = "The printer [#1]";
    for (raw, note) in [
        (proven(ANN, "n1@adventure-works.example", subject, "", "More."), "comment on ticket 1: its subject names the number"),
        (mail(ANN, "n2@adventure-works.example", subject, "", "More."), "opened ticket 2"),
        (proven(CAROL, "n3@adventure-works.example", subject, "", "More."), "opened ticket 3"),
        (proven(ANN, "n4@adventure-works.example", "The printer [#99]", "", "More."), "opened ticket 4"),
    ] {
        world.clock.advance(Duration::SECOND);
        assert_eq!(world.mail(HELP, &format!("{}.eml", note.len()), &raw).await.1, note);
    }
}

#[tokio::test]
async fn an_answer_to_what_was_solved_long_ago_opens_a_ticket_that_goes_on_with_it() {
    let world = asked().await;
    let id = answered(&world, 1).await;
    set(&world, 1, json!({ "status": "solved" })).await;
    world.clock.advance(Duration::days(13));
    let reply = |number: u32| mail(ANN, &format!("r{number}@adventure-works.example"), "Re: Fire", &to(&id), "It burns again.");
    assert!(world.mail(HELP, "1.eml", &reply(1)).await.1.starts_with("comment on ticket 1"));
    set(&world, 1, json!({ "status": "solved" })).await;
    world.clock.advance(Duration::days(15));
    assert_eq!(world.mail(HELP, "2.eml", &reply(2)).await.1, "opened ticket 2");
    let (old, new) = (ticket(&world, 1).await, ticket(&world, 2).await);
    assert_eq!((&old["status"], &old["links"][0]["why"], &new["links"][0]["why"]), (&json!("solved"), &json!("continued_by"), &json!("continues")));
    // A tenant may set another time.
    world.set(|settings| settings.reopen_days = 365).await;
    assert!(world.mail(HELP, "3.eml", &reply(3)).await.1.starts_with("comment on ticket 1"));
}

#[tokio::test]
async fn one_mail_to_two_mailboxes_is_a_ticket_in_each_and_answers_find_their_own() {
    let world = World::new().await;
    world.trusts().await;
    let raw = proven(ANN, "both@adventure-works.example", "For both", &format!("Cc: {IT}\r\n"), "Words.");
    assert_eq!(world.mail(HELP, "1.eml", &raw).await.1, "opened ticket 1");
    assert_eq!(world.mail(IT, "2.eml", &raw).await.1, "opened ticket 2");
    let (one, two) = (ticket(&world, 1).await, ticket(&world, 2).await);
    assert_eq!((&one["links"][0]["why"], &two["links"][0]["why"]), (&json!("same_mail"), &json!("same_mail")));
    assert_eq!((&one["mailbox"], &two["mailbox"], &one["cc"]), (&json!(HELP), &json!(IT), &json!([])));
    // Delivered again, each is the one that it was.
    assert_eq!(world.mail(IT, "3.eml", &raw).await.1, "seen before, in ticket 2");
    assert_eq!(world.mail(HELP, "4.eml", &raw).await.1, "seen before, in ticket 1");
    for (mailbox, number) in [(IT, 2), (HELP, 1)] {
        let id = format!("re{number}@adventure-works.example");
        let reply = proven(ANN, &id, "Re: For both", &to("both@adventure-works.example"), "More.");
        assert!(world.mail(mailbox, &format!("re{number}.eml"), &reply).await.1.starts_with(&format!("comment on ticket {number}")));
    }
}

#[tokio::test]
async fn a_mail_that_comes_by_two_ways_is_one_comment() {
    let world = World::new().await;
    world.trusts().await;
    let by_a_list = |raw: &[u8]| [b"Received: from list.example by mx.contoso.example; Mon, 23 Nov 2026 09:00:01 +0000\r\n", raw].concat();
    let raw = proven(ANN, "one@adventure-works.example", "Fire", "", "Words.");
    assert_eq!(world.mail(HELP, "1.eml", &raw).await.1, "opened ticket 1");
    assert_eq!(world.mail(HELP, "2.eml", &by_a_list(&raw)).await.1, "seen before, in ticket 1");
    let answer = proven(ANN, "two@adventure-works.example", "Re: Fire", &to("one@adventure-works.example"), "More.");
    assert!(world.mail(HELP, "3.eml", &answer).await.1.starts_with("comment on ticket 1"));
    for (mailbox, blob) in [(HELP, "4.eml"), (IT, "5.eml"), (IT, "5.eml")] {
        assert_eq!(world.mail(mailbox, blob, &by_a_list(&answer)).await.1, "seen before, in ticket 1", "{mailbox}");
    }
    assert_eq!(world.comments("contoso", &ticket(&world, 1).await).await.len(), 2);
    // Other words under its id are another mail, and so are the same of somebody who is not proven.
    let other = proven(ANN, "two@adventure-works.example", "Re: Fire", &to("one@adventure-works.example"), "More!");
    assert!(world.mail(HELP, "6.eml", &other).await.1.starts_with("comment on ticket 1"));
    let unproven = mail(ANN, "two@adventure-works.example", "Re: Fire", &to("one@adventure-works.example"), "More.");
    assert!(world.mail(HELP, "7.eml", &unproven).await.1.starts_with("comment on ticket 1"));
    let comments = world.comments("contoso", &ticket(&world, 1).await).await;
    assert_eq!(comments.iter().filter(|comment| comment["mail"]["message_id_reused"] == true).count(), 2);
    assert_eq!(comments.len(), 4);
    // A machine that knows no time says the same again and means it.
    let scan = |raw: &[u8]| String::from_utf8_lossy(raw).replace("23 Nov 2026", "1 Jan 1970").into_bytes();
    let toner = proven("scan@adventure-works.example", "const@scanner.example", "Toner low", "", "Toner low.");
    assert!(world.mail(HELP, "8.eml", &scan(&toner)).await.1.starts_with("opened"));
    assert!(world.mail(HELP, "9.eml", &scan(&by_a_list(&toner))).await.1.starts_with("comment on"));
    // A copy that only a machine would write does not swallow the person's.
    let away = proven(ANN, "away@adventure-works.example", "Re: Fire", &to("one@adventure-works.example"), "I am out of the office, but it burns.");
    let by_a_group = [b"X-Auto-Response-Suppress: All\r\n", away.as_slice()].concat();
    assert!(world.mail(HELP, "10.eml", &by_a_group).await.1.starts_with("comment on"));
    assert!(world.mail(HELP, "11.eml", &away).await.1.starts_with("comment on"));
}

#[tokio::test]
async fn whom_there_is_no_room_for_in_copy_is_told() {
    let world = World::new().await;
    world.trusts().await;
    let copies = |count: usize| (0..count).map(|at| format!("c{at}@adventure-works.example")).collect::<Vec<_>>().join(", ");
    for (number, count, told) in [(1, 20, false), (2, 21, true)] {
        let raw = proven(ANN, &format!("{count}@adventure-works.example"), "Fire", &format!("Cc: {}\r\n", copies(count)), "Words.");
        world.mail(HELP, &format!("{count}.eml"), &raw).await;
        let ticket = ticket(&world, number).await;
        assert_eq!(ticket["cc"].as_array().unwrap().len(), 20);
        let warnings = world.comments("contoso", &ticket).await[0]["mail"]["warnings"].clone();
        assert_eq!(warnings.as_array().unwrap().contains(&"copies_left_out".into()), told, "{warnings}");
    }
    // Whoever is in copy already needs no room, and who is not proven puts nobody in copy.
    let answer = |by: fn(&str, &str, &str, &str, &str) -> Vec<u8>, id: &str, count| {
        by(ANN, id, "Re: Fire", &(to("20@adventure-works.example") + &format!("Cc: {}\r\n", copies(count))), "More.")
    };
    world.mail(HELP, "r1.eml", &answer(proven, "r1@adventure-works.example", 20)).await;
    world.mail(HELP, "r2.eml", &answer(mail, "r2@adventure-works.example", 21)).await;
    world.mail(HELP, "r3.eml", &answer(proven, "r3@adventure-works.example", 21)).await;
    let comments = world.comments("contoso", &ticket(&world, 1).await).await;
    let told: Vec<bool> =
        comments.iter().map(|comment| comment["mail"]["warnings"].as_array().unwrap().contains(&"copies_left_out".into())).collect();
    assert_eq!((told.len(), told.iter().filter(|told| **told).count()), (4, 1));
}

#[tokio::test]
async fn a_name_alone_lets_no_mail_go() {
    let world = asked().await;
    world.set(|settings| settings.mails_a_sender = 2).await;
    let says = |number: u32| proven(ANN, &format!("s{number}@adventure-works.example"), "Question", "", "Words.");
    assert!(world.mail(HELP, "0.eml", &says(0)).await.1.starts_with("opened"));
    assert!(world.mail(HELP, "1.eml", &says(1)).await.1.ends_with("sender_limit"));
    let held = world.unprocessed("contoso").await[0].id.to_string();
    // Of no record, and of one, for another mail.
    for (number, record) in [(2, "01JD7Z3M9QK4T5V6W7X8Y9Z0AB"), (3, &held)] {
        let (_, note) = world.mail(HELP, &format!("let-go/{record}.eml"), &says(number)).await;
        assert!(note.ends_with("sender_limit"), "{note}");
    }
    assert_eq!(world.unprocessed("contoso").await.len(), 3);
}

#[tokio::test]
async fn a_copy_that_comes_after_its_ticket_was_solved_for_long_opens_none() {
    let world = asked().await;
    set(&world, 1, json!({ "status": "solved" })).await;
    world.clock.advance(Duration::days(6));
    world.set(|settings| settings.reopen_days = 0).await;
    let copy = proven(ANN, "q1@adventure-works.example", "The printer is on fire", "X-Way: another\r\n", "Please help soon.");
    assert_eq!(world.mail(HELP, "copy.eml", &copy).await.1, "seen before, in ticket 1");
}

#[tokio::test]
async fn a_copy_of_what_a_number_brought_into_the_ticket_of_another_mailbox_is_known() {
    let world = asked().await;
    let more = |way: &str| proven(ANN, "m@adventure-works.example", "More [#1]", way, "It burns on.");
    assert!(world.mail(IT, "m.eml", &more("")).await.1.starts_with("comment on ticket 1"));
    assert_eq!(world.mail(IT, "m2.eml", &more("X-Way: another\r\n")).await.1, "seen before, in ticket 1");
    // Also of somebody who is only in copy there.
    set(&world, 1, json!({ "cc": [{ "address": CAROL }] })).await;
    let carols = |way: &str| proven(CAROL, "c@adventure-works.example", "And here [#1]", way, "It burns here too.");
    assert!(world.mail(HELP, "c.eml", &carols("")).await.1.starts_with("comment on ticket 1"));
    assert_eq!(world.mail(IT, "c2.eml", &carols("X-Way: another\r\n")).await.1, "seen before, in ticket 1");
}

#[tokio::test]
async fn nobody_is_not_the_same_sender_as_nobody() {
    let world = asked().await;
    for (at, text) in ["One.", "Two."].into_iter().enumerate() {
        let raw = format!("Subject: Scan\r\nMessage-ID: <const@scanner.example>\r\n\r\n{text}\r\n");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), raw.as_bytes()).await.1, format!("opened ticket {}", at + 2));
    }
}

#[tokio::test]
async fn mail_to_an_address_with_a_mark_is_the_mailboxs() {
    let world = asked().await;
    let raw = proven(ANN, "p@adventure-works.example", "By a mark", "", "Words.");
    assert_eq!(world.mail("help+x1@contoso.example", "p.eml", &raw).await.1, "opened ticket 2");
    assert_eq!(ticket(&world, 2).await["mailbox"], HELP);
    // Delivered again, and given up by the host after its commit.
    let message = json!({ "v": 1, "mailbox": "help+x1@contoso.example", "blob": "p.eml" }).to_string();
    for function in ["IntakeMail", "MailIntakePoison"] {
        assert_eq!(queue(&world.app, function, &message).await.1, "seen before, in ticket 2", "{function}");
    }
    assert!(world.unprocessed("contoso").await.is_empty());
}

#[tokio::test]
async fn a_conversation_of_two_machines_stops_alone_and_goes_on_later() {
    let world = asked().await;
    world.set(|settings| settings.mails_a_conversation = 5).await;
    let says =
        |number: u32| proven(ANN, &format!("m{number}@adventure-works.example"), "Re: Fire", &to("q1@adventure-works.example"), "I am a machine.");
    for number in 0..8 {
        world.clock.advance(Duration::SECOND);
        let (status, note) = world.mail(HELP, &format!("{number}.eml"), &says(number)).await;
        // The question counts as well.
        assert_eq!((status, note.ends_with("loop")), (200, number >= 4), "{number}: {note}");
    }
    // Nobody else is stopped, nor is he elsewhere.
    let carol = proven(CAROL, "c@adventure-works.example", "Re: Fire", &to("q1@adventure-works.example"), "Stop it.");
    assert!(world.mail(HELP, "c.eml", &carol).await.1.starts_with("comment on ticket 1"));
    assert_eq!(world.mail(HELP, "n.eml", &proven(ANN, "new@adventure-works.example", "New", "", "Words.")).await.1, "opened ticket 2");
    let desk = &world.app.desk;
    let contoso = "contoso".parse().unwrap();
    assert_eq!(helpdesk::tickets::held::release(desk, &contoso).await.unwrap(), 0, "it is not over yet");
    world.clock.advance(Duration::minutes(61));
    assert_eq!(helpdesk::tickets::held::release(desk, &contoso).await.unwrap(), 4);
    super::take_what_waits(&world).await;
    assert_eq!(ticket(&world, 1).await["comments"], 10);
    assert_eq!(world.comments("contoso", &ticket(&world, 1).await).await.len(), 10);
}

#[tokio::test]
async fn too_much_of_one_sender_is_held_in_order_and_a_person_may_let_it_go() {
    use helpdesk::tickets::unprocessed::{self, State};
    let world = asked().await;
    world.set(|settings| settings.mails_a_sender = 3).await;
    for number in 0..5 {
        world.clock.advance(Duration::SECOND);
        let raw = proven(ANN, &format!("s{number}@adventure-works.example"), &format!("Question {number}"), "", "Words.");
        let (_, note) = world.mail(HELP, &format!("{number}.eml"), &raw).await;
        assert_eq!(note.ends_with("sender_limit"), number >= 2, "{number}: {note}");
    }
    assert_eq!(world.mail(HELP, "c.eml", &proven(CAROL, "c@adventure-works.example", "Mine", "", "Words.")).await.1, "opened ticket 4");
    let held = world.unprocessed("contoso").await;
    assert_eq!(held.len(), 3);
    let contoso = "contoso".parse().unwrap();
    world.clock.advance(Duration::SECOND);
    unprocessed::replay::let_go(&world.app.desk, &contoso, held[0].id, "test").await.unwrap();
    super::take_what_waits(&world).await;
    // The newest first, by their numbers: what comes in the same millisecond has no other order.
    let subjects = async || {
        let mut tickets = world.tickets("contoso").await;
        tickets.sort_by_key(|ticket| std::cmp::Reverse(ticket["number"].as_u64()));
        tickets.iter().map(|ticket| ticket["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(subjects().await[0], "Question 2");
    // Replayed it is held again, and released when the hour is over.
    unprocessed::replay::replay(&world.app.desk, &contoso, held[1].id, "test").await.unwrap();
    super::take_what_waits(&world).await;
    assert_eq!(world.unprocessed("contoso").await[1].state, State::Waiting);
    world.clock.advance(Duration::minutes(61));
    assert_eq!(helpdesk::tickets::held::release(&world.app.desk, &contoso).await.unwrap(), 2);
    super::take_what_waits(&world).await;
    assert_eq!(subjects().await[..2], ["Question 4".to_owned(), "Question 3".to_owned()]);
    assert!(world.unprocessed("contoso").await.iter().all(|record| record.state == State::Processed));
}

#[tokio::test]
async fn too_much_for_one_mailbox_is_held_whoever_sends_it() {
    let world = World::new().await;
    world.set(|settings| settings.mails_a_mailbox = 64).await;
    let (mut taken, mut held) = (0, 0);
    for number in 0..400 {
        let raw = mail(&format!("u{number}@a.example"), &format!("x{number}@a.example"), "Question", "", "Words.");
        let (status, note) = world.mail(HELP, &format!("{number}.eml"), &raw).await;
        assert_eq!(status, 200);
        if note.ends_with("mailbox_limit") { held += 1 } else { taken += 1 }
    }
    // One in sixteen is counted, so that it is about as many.
    assert!((20..=160).contains(&taken) && held > 0, "{taken} taken, {held} held");
}

#[tokio::test]
async fn our_own_mail_that_comes_back_is_kept_apart() {
    let world = asked().await;
    answered(&world, 1).await;
    let raw = world.sent.mails.lock().unwrap().last().unwrap().raw.clone();
    // A gateway may have dropped the header that marks it.
    let text = String::from_utf8(raw.clone()).unwrap();
    let unmarked: String = text.split_inclusive('\n').filter(|line| !line.to_ascii_lowercase().starts_with("x-helpdesk-loop")).collect();
    assert_ne!(unmarked, text);
    for (name, raw) in [("back.eml", raw), ("unmarked.eml", unmarked.into_bytes())] {
        let (status, note) = world.mail(HELP, name, &raw).await;
        assert!(status == 200 && note.ends_with("own_mail"), "{note}");
    }
    assert_eq!(ticket(&world, 1).await["comments"], 2);
}

#[tokio::test]
async fn a_ticket_tells_how_long_its_requester_waited_in_the_hours_of_the_desk() {
    let world = asked().await;
    // The world begins on a Monday at nine.
    world
        .set(|settings| {
            let hours = json!({ "time_zone": "UTC", "monday": ["09:00-10:00"], "tuesday": ["09:00-17:00"] });
            settings.business_hours = Some(serde_json::from_value(hours).unwrap());
        })
        .await;
    let times = async || ticket(&world, 1).await["times"].clone();
    world.clock.advance(Duration::hours(24) + Duration::minutes(10));
    let waited = times().await["waiting_seconds"].as_i64().unwrap();
    let id = answered(&world, 1).await;
    let first = times().await;
    assert_eq!((first["first_reply_seconds"].as_i64(), &first["waiting_seconds"]), (Some(waited), &Value::Null));
    // The hour of Monday, and what has passed of Tuesday.
    assert_eq!(waited, 3_600 + 10 * 60 + 1);
    world.mail(HELP, "r.eml", &proven(ANN, "again@adventure-works.example", "Re: Fire", &to(&id), "And now?")).await;
    set(&world, 1, json!({ "status": "pending" })).await;
    world.clock.advance(Duration::hours(1));
    set(&world, 1, json!({ "status": "in_progress" })).await;
    world.clock.advance(Duration::minutes(5));
    answered(&world, 1).await;
    assert_eq!(times().await["next_reply_seconds"], 300, "an hour of it was pending");
    set(&world, 1, json!({ "status": "solved" })).await;
    world.clock.advance(Duration::hours(2));
    let solved = times().await;
    assert_eq!(solved["resolution_seconds"], solved["open_seconds"]);
    assert_eq!(solved["open_seconds"].as_i64().unwrap(), waited + 300);
    // A requester is told nothing of it.
    let ann = world.token("contoso", Role::Requester, Some("ann@adventure-works.example"));
    let (_, seen) = world.get(&format!("/api/tickets/{}", ticket(&world, 1).await["id"].as_str().unwrap()), &ann).await;
    assert!(seen["number"] == 1 && seen.get("times").is_none() && seen.get("links").is_none(), "{seen}");
}

#[tokio::test]
async fn a_mail_that_never_came_makes_no_conversation_of_those_who_answer_it() {
    let world = asked().await;
    // An announcement to all, which the desk did not get. Eve answers it and asks the desk; Ann asks something of her own.
    let eve = proven(EVE, "e1@tailspin.example", "Re: New offices", &to("all@contoso.example"), "Where is my desk?");
    assert_eq!(world.mail(HELP, "e.eml", &eve).await.1, "opened ticket 2");
    let ann = proven(ANN, "a1@adventure-works.example", "Re: New offices", &to("all@contoso.example"), "I am expecting.");
    assert_eq!(world.mail(HELP, "a.eml", &ann).await.1, "opened ticket 3");
    assert_eq!(ticket(&world, 3).await["links"][0]["why"], "refers_to");
    // Eve's own next answer is hers.
    let more = proven(EVE, "e2@tailspin.example", "Re: New offices", &to("all@contoso.example"), "And my chair?");
    assert!(world.mail(HELP, "m.eml", &more).await.1.starts_with("comment on ticket 2"));
    // The announcement itself, should it come, is nobody's answer.
    let late = proven("hr@contoso.example", "all@contoso.example", "New offices", "", "We move.");
    assert_eq!(world.mail(HELP, "l.eml", &late).await.1, "opened ticket 4");
    assert_eq!(ticket(&world, 4).await["links"][0]["why"], "referred_to_by");
}

#[tokio::test]
async fn nobody_uses_up_what_another_may_send_by_writing_in_his_name() {
    let world = asked().await;
    world.set(|settings| settings.mails_a_sender = 3).await;
    for number in 0..5 {
        let (_, note) = world.mail(HELP, &format!("f{number}.eml"), &mail(ANN, &format!("f{number}@x.example"), "Forged", "", "Words.")).await;
        assert_eq!(note.ends_with("sender_limit"), number >= 3, "{number}: {note}");
    }
    let own = proven(ANN, "own@adventure-works.example", "My own", "", "Words.");
    assert!(world.mail(HELP, "own.eml", &own).await.1.starts_with("opened ticket"));
}

#[tokio::test]
async fn a_machine_that_writes_on_and_on_is_not_acknowledged_for_ever() {
    let world = asked().await;
    for number in 0..12 {
        world.mail(HELP, &format!("{number}.eml"), &proven(ANN, &format!("n{number}@a.example"), &format!("Alert {number}"), "", "Words.")).await;
    }
    queue(&world.app, "DeliverOutbox", r#"{"v":1,"tenant":"contoso"}"#).await;
    assert_eq!(world.sent.mails.lock().unwrap().len(), 5);
}
