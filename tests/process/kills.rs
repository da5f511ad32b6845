//! kill -9 in a loop while mails arrive: none is lost, none is doubled.

use std::{collections::BTreeMap, time::Duration};

use helpdesk::ports::Entropy;

use super::{Dev, count, drop_mail, ran, tickets, token, until};
use crate::support::{
    TestEntropy,
    world::{HELP, mail},
};

const THREADS: usize = 50;
const MAILS: usize = 120;
const KILLS: usize = 12;
const SEED: u64 = 11;
/// Bytes of a mail that is kept as a file, and which answer is one.
const LARGE_BYTES: usize = 1 << 20;
const LARGE_EVERY: usize = 5;

/// 50 questions, 50 answers to them in any order, 20 that came before.
fn mails() -> Vec<Vec<u8>> {
    let words = |at: usize| if at.is_multiple_of(LARGE_EVERY) { "More words.\r\n".repeat(LARGE_BYTES / 13) } else { "More words.".to_owned() };
    let question = |at: usize| mail("ann@adventure-works.example", &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
    let answer = |at: usize| {
        let references = format!("In-Reply-To: <q{at}@a.example>\r\nReferences: <q{at}@a.example>\r\n");
        mail("ann@adventure-works.example", &format!("r{at}@a.example"), &format!("Re: Question {at}"), &references, &words(at))
    };
    let mut mails: Vec<Vec<u8>> = (0..THREADS).flat_map(|at| [question(at), answer((at + 3) % THREADS)]).collect();
    mails.extend((0..10).flat_map(|at| [question(at * 4), answer(at * 3)]));
    assert_eq!(mails.len(), MAILS);
    mails
}

#[tokio::test]
async fn killing_in_a_loop_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let dev = Dev::start(data, &[]);
    ran(data, &["tenant", "add", "contoso", "--name", "Contoso", "--mailbox", HELP]);
    dev.process.kill();

    let entropy = TestEntropy::new(SEED);
    let mut mails = mails().into_iter().enumerate();
    let mut interrupted = 0;
    for _ in 0..KILLS {
        let dev = Dev::start_without_waiting(data, &[]);
        // Half of the share lies there when the process looks first, half arrives while it works.
        let mut share = mails.by_ref().take(MAILS / KILLS);
        for half in 0..2 {
            for (at, raw) in share.by_ref().take(MAILS / KILLS / 2) {
                drop_mail(data, HELP, &format!("mail-{at}"), &raw);
            }
            let mut random = [0; 2];
            entropy.fill(&mut random);
            let wait = u64::from(u16::from_le_bytes(random)) % if half == 0 { 300 } else { 800 };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        dev.kill();
        let in_the_inbox = std::fs::read_dir(data.join("inbox").join(HELP)).unwrap().count() as i64;
        interrupted += in_the_inbox + count(data, "SELECT count(*) FROM messages WHERE queue = 'mail-intake'");
    }
    assert!(mails.next().is_none(), "all were dropped");
    assert!(interrupted > 0, "no kill met a mail under way");

    let dev = Dev::start(data, &[]);
    until("the inbox and the queues to be empty", || {
        let waiting = std::fs::read_dir(data.join("inbox").join(HELP)).unwrap().count();
        waiting == 0 && count(data, "SELECT count(*) FROM messages WHERE queue LIKE 'mail-intake%'") == 0
    });
    let found = tickets(dev.address, &token(data, "contoso", "agent")).await;
    let mut comments: BTreeMap<String, u64> = BTreeMap::new();
    for ticket in &found {
        let subject = ticket["subject"].as_str().unwrap().trim_start_matches("Re: ").to_owned();
        assert_eq!(comments.insert(subject.clone(), ticket["comments"].as_u64().unwrap()), None, "{subject} has two tickets");
    }
    assert_eq!(comments.len(), THREADS);
    assert!(comments.values().all(|count| *count == 2), "{comments:?}");
    let agent = token(data, "contoso", "agent");
    for ticket in &found {
        let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
        assert_eq!(super::get(dev.address, &path, &agent).await["comments"].as_array().unwrap().len(), 2);
    }
    let mut numbers: Vec<u64> = found.iter().map(|ticket| ticket["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), THREADS, "a number was given twice");
    assert_eq!(ran(data, &["unprocessed", "list", "--all", "--json"]), "");
    assert_eq!(count(data, "SELECT count(*) FROM blobs WHERE container = 'mail-intake'"), 0);
    dev.stop();
    // None of a mail in clear either, which a kill left before it had a name.
    let folders = std::fs::read_dir(data.join("blobs")).unwrap();
    let files: usize = folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum();
    assert!(files > 0, "no mail was large enough");
    assert_eq!(files as i64, count(data, "SELECT count(*) FROM blobs WHERE file IS NOT NULL"));
}
