//! Mail that leaves, by way of a server: what it refuses is seen and sent again at the command line; and kill -9 in a loop while mails arrive, are
//! acknowledged and answered.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use helpdesk::ports::Entropy;
use serde_json::{Value, json};

use super::{Dev, Process, count, drop_mail, helpdesk, ran, run, tickets, token, until};
use crate::{
    servers::smtp::Server,
    support::{
        TestEntropy, http,
        world::{HELP, proven},
    },
};

const MAILS: usize = 60;
const KILLS: usize = 10;
const SEED: u64 = 17;

/// `helpdesk dev` whose mail goes to the server.
fn start(data: &std::path::Path, server: SocketAddr) -> Dev {
    let mut command = helpdesk(&["dev", "--port", "0", "--data"]);
    command.arg(data).env("HELPDESK_SMTP_URL", format!("smtp://{server}"));
    let process = Process::start(&mut command);
    let line = process.stdout.wait_for("  API ");
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    Dev { process, address }
}

/// A server that knows no recipient until it is told to.
fn picky() -> (SocketAddr, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, knows_all) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let known = knows_all.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut in_data) = (String::new(), false);
            stream.get_mut().write_all(b"220 ready\r\n").unwrap();
            while stream.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                in_data = in_data && line != ".\r\n";
                let answer = match line.trim_end() {
                    _ if in_data => "",
                    line if line.starts_with("EHLO") => "250-test\r\n250 8BITMIME",
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    line if line.starts_with("RCPT") && !known.load(Ordering::SeqCst) => "550 5.1.1 unknown",
                    _ => "250 fine",
                };
                line.clear();
                if !answer.is_empty() && stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (address, knows_all)
}

#[test]
fn what_was_given_up_is_listed_sent_again_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (data, (server, knows_all)) = (folder.path(), picky());
    let dev = start(data, server);
    ran(data, &["tenant", "add", "contoso", "--name", "Contoso", "--mailbox", HELP, "--trust", "rfc8601 mx.contoso.example"]);
    ran(data, &["tenant", "add", "fabrikam", "--name", "Fabrikam", "--mailbox", "help@fabrikam.example"]);
    assert_eq!(ran(data, &["outbox", "list"]), "no mail was given up");
    assert!(ran(data, &["check"]).contains("ok    mail out that was given up: none"));
    for name in ["ann", "bob"] {
        drop_mail(data, HELP, name, &proven(&format!("{name}@a.example"), &format!("{name}@a.example"), "Question", "", "Words."));
    }
    let mut listed: Vec<Value> = Vec::new();
    until("both acknowledgements to be refused", || {
        listed = ran(data, &["outbox", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        listed.len() == 2
    });
    listed.sort_by_key(|mail| mail["to"].to_string());
    for (mail, to) in listed.iter().zip(["ann@a.example", "bob@a.example"]) {
        assert_eq!((&mail["tenant"], &mail["to"], &mail["tries"], &mail["status"]), (&json!("contoso"), &json!(to), &json!(1), &json!("5.1.1")));
    }
    assert!(ran(data, &["check"]).contains("ok    mail out that was given up: 2: `helpdesk outbox list` shows each"));
    assert_eq!(ran(data, &["outbox", "list", "--tenant", "contoso"]).lines().count(), 2);
    assert_eq!(ran(data, &["outbox", "list", "--tenant", "fabrikam"]), "no mail was given up");

    let (ann, bob) = (listed[0]["id"].as_str().unwrap(), listed[1]["id"].as_str().unwrap());
    knows_all.store(true, Ordering::SeqCst);
    // One that is none keeps no other from it.
    let mut command = helpdesk(&["outbox", "retry", "01JD7Z3M9QK4T5V6W7X8Y9Z0AB", ann, "--data"]);
    command.arg(data);
    let again = run(command);
    assert_eq!((again.code, again.stdout.trim()), (Some(1), format!("{ann} is sent again").as_str()));
    assert!(again.stderr.contains("no mail 01JD7Z3M9QK4T5V6W7X8Y9Z0AB was given up"), "{}", again.stderr);
    assert_eq!(ran(data, &["outbox", "drop", bob]), format!("{bob} is deleted"));
    let rows = |which: &str| count(data, &format!("SELECT count(*) FROM documents WHERE kind = 'outbox' AND deleted_at IS NULL {which}"));
    until("the mail to be sent", || rows("AND k1 IS NULL") == 1);
    assert_eq!(rows(""), 1);
    assert_eq!(ran(data, &["outbox", "list"]), "no mail was given up");
    dev.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs aiosmtpd: scripts/test --servers"]
async fn killing_in_a_loop_loses_no_mail_that_leaves_and_doubles_no_comment() {
    let (folder, mails) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, server) = (folder.path(), Server::start(mails.path()));
    start(data, server.address).stop();
    ran(data, &["tenant", "add", "contoso", "--name", "Contoso", "--mailbox", HELP, "--trust", "rfc8601 mx.contoso.example"]);
    let agent = token(data, "contoso", "agent");
    let entropy = TestEntropy::new(SEED);
    let mut answered = BTreeSet::new();
    for kill in 0..KILLS {
        let dev = start(data, server.address);
        for at in kill * MAILS / KILLS..(kill + 1) * MAILS / KILLS {
            let raw = proven(&format!("u{at}@a.example"), &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
            drop_mail(data, HELP, &format!("mail-{at}"), &raw);
        }
        answer(&dev, &agent, &mut answered).await;
        let mut random = [0; 2];
        entropy.fill(&mut random);
        tokio::time::sleep(Duration::from_millis(u64::from(u16::from_le_bytes(random)) % 1_500)).await;
        dev.process.kill();
    }
    // Undisturbed it makes up for all.
    let dev = start(data, server.address);
    until("all to be tickets", || count(data, "SELECT count(*) FROM messages WHERE queue = 'mail-intake'") == 0 && inbox_is_empty(data));
    answer(&dev, &agent, &mut answered).await;
    // What was being sent when its sender died is claimed for five minutes: it is not lost, and this test does not wait for it.
    let sql = "SELECT count(*) FROM documents WHERE kind = 'outbox' AND k1 IS NOT NULL";
    let mut left = i64::MAX;
    for _ in 0..100 {
        left = count(data, sql);
        if left <= KILLS as i64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let all = tickets(dev.address, &agent).await;
    assert_eq!((all.len(), answered.len()), (MAILS, MAILS));
    for ticket in &all {
        assert_eq!(ticket["comments"], 2, "the question and the answer, each once");
    }
    let got = server.got();
    // An acknowledgement and an answer for each.
    let missing = 2 * MAILS - got.len();
    assert!(missing as i64 <= left && left <= KILLS as i64, "{missing} mails are missing, {left} are still to be sent");
    let again: usize = got.values().map(|times| times - 1).sum();
    assert!(again <= KILLS, "{again} mails came again");
    dev.stop();
}

/// Answers every ticket that has none yet, once, however often it is asked.
async fn answer(dev: &Dev, agent: &str, answered: &mut BTreeSet<String>) {
    let body = json!({ "text": "An answer.", "public": true }).to_string();
    for ticket in tickets(dev.address, agent).await {
        let id = ticket["id"].as_str().unwrap();
        let (authorization, key) = (format!("Authorization: Bearer {agent}"), format!("Idempotency-Key: answer-{id}"));
        let made = http::request(dev.address, "POST", &format!("/api/tickets/{id}/comments"), &[&authorization, &key], body.as_bytes()).await;
        assert_eq!(made.status, 201);
        answered.insert(id.to_owned());
    }
}

fn inbox_is_empty(data: &std::path::Path) -> bool {
    std::fs::read_dir(data.join("inbox").join(HELP)).is_ok_and(|mut files| files.next().is_none())
}
