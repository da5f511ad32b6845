//! kill -9 in a loop while mails arrive, are acknowledged and answered, with a real server for the mail that leaves.

use std::{collections::BTreeSet, time::Duration};

use helpdesk::ports::Entropy;
use serde_json::json;

use super::{Dev, Process, count, drop_mail, helpdesk, ran, tickets, token, until};
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
fn start(data: &std::path::Path, server: &Server) -> Dev {
    let mut command = helpdesk(&["dev", "--port", "0", "--data"]);
    command.arg(data).env("HELPDESK_SMTP_URL", format!("smtp://{}", server.address));
    let process = Process::start(&mut command);
    let line = process.stdout.wait_for("  API ");
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    Dev { process, address }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs aiosmtpd: scripts/test --servers"]
async fn killing_in_a_loop_loses_no_mail_that_leaves_and_doubles_no_comment() {
    let (folder, mails) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, server) = (folder.path(), Server::start(mails.path()));
    start(data, &server).stop();
    ran(data, &["tenant", "add", "contoso", "--name", "Contoso", "--mailbox", HELP, "--trust", "rfc8601 mx.contoso.example"]);
    let agent = token(data, "contoso", "agent");
    let entropy = TestEntropy::new(SEED);
    let mut answered = BTreeSet::new();
    for kill in 0..KILLS {
        let dev = start(data, &server);
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
    let dev = start(data, &server);
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
