//! No word of a mail leaves what is sealed: not in a log line, a file name or the bytes of the store, when everything was taken in.
//!
//! Not looked at, because they are for the person at the terminal: what `helpdesk dev` prints, the inbox before a mail is taken, mail out as files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use helpdesk::{
    adapters::embedded::{Store, SystemClock},
    cli::sample,
    devhost::wire::envelope_request,
    mail::{Mail, parse::parse, sender::Trust},
    ports::Blobs,
};
use serde_json::{Value, json};

use super::{Dev, Handler, count, drop_mail, ran, tickets, token, until};
use crate::support::{
    http,
    world::{HELP, mail},
};

/// Letters of a word that counts.
const LETTERS_MIN: usize = 5;
/// A word of so many bytes stands in random bytes by chance about never; a shorter one is looked for in runs of text only.
const LONG_BYTES_MIN: usize = 8;
const RUN_BYTES_MIN: usize = 24;
/// Words of an agent's answer and of garbage, besides the samples'.
const ANSWER: &str = "Zwiebelkuchen servieren wir Donnerstags";
const GARBAGE: &str = "Quittenmarmelade\u{0}\u{1}";

/// Words of the samples that the product says itself, whoever writes to it, and where.
const OWN_WORDS: &[&str] = &[
    "answer",    // "answered", the log line of an HTTP call
    "automatic", // the reason of a record: a machine's mail
    "helpdesk",  // the product's name, and that of its files
    "message",   // the field of a log line's text
    "return",    // `ReturnValue` of every answer to the host
    "unknown",   // the reasons `unknown_mailbox` and `unknown_version`
];
/// And what stands in the store beside what is sealed.
const STORE_WORDS: &[&str] = &[
    "contact",  // begins the id of a contact, and is its kind
    "contoso",  // a tenant's id, chosen by the operator: the name of his partition
    "delivery", // begins the id of what became of a mail, and is its kind
    "fabrikam", // the other one's
    "number",   // begins the index key of a ticket's number
];

fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() >= LETTERS_MIN).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Everything in a mail that could tell something of a person, as it stands there.
fn texts(mail: &Mail) -> Vec<String> {
    let people = mail.from.iter().flat_map(|from| [Some(from.address.clone()), from.name.clone()]).flatten();
    let mut texts: Vec<String> = people.collect();
    texts.extend([mail.subject.clone(), mail.text.clone()]);
    texts.extend(mail.html.clone());
    texts.extend(mail.attachments.iter().map(|attachment| attachment.name.clone()));
    texts
}

/// The words of all samples, of the answer and of the garbage, without the product's own.
fn words() -> BTreeSet<String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    for sample in sample::ALL {
        words.extend(words_of(sample.mailbox));
        match parse(sample.raw, &Trust::Nobody) {
            Ok(mail) => texts(&mail).iter().for_each(|text| words.extend(words_of(text))),
            Err(_) => words.extend(words_of(&String::from_utf8_lossy(sample.raw))),
        }
    }
    words.extend(words_of(ANSWER).chain(words_of(GARBAGE)));
    words.retain(|word| !OWN_WORDS.contains(&word.to_lowercase().as_str()));
    assert!(words.len() > 200 && words.contains("Zwiebelkuchen"), "{}", words.len());
    words
}

/// Whole addresses, also as they stand in a base64 text.
fn addresses() -> Vec<Vec<u8>> {
    let mut addresses: BTreeSet<String> = sample::ALL.iter().map(|sample| sample.mailbox.to_owned()).collect();
    addresses.extend(sample::ALL.iter().filter_map(|sample| Some(parse(sample.raw, &Trust::Nobody).ok()?.from?.address)));
    let in_base64 = |address: &String| -> Vec<Vec<u8>> {
        // Where the three places in a group of four begin; the letters at both ends mix with the neighbors.
        (0..3)
            .map(|at| STANDARD.encode([&b"   "[..at], address.as_bytes()].concat()))
            .map(|text| text.as_bytes()[4..text.len() - 4].to_vec())
            .collect()
    };
    addresses.iter().flat_map(|address| [vec![address.clone().into_bytes()], in_base64(address)].concat()).collect()
}

/// Ids that we made: their letters are chance.
fn without_ids(line: &str) -> String {
    let is_id = |word: &str| {
        let ulid = word.len() == 26 && word.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        ulid || word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit())
    };
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| !is_id(word)).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Words in a line or a name, in any case and within longer ones.
fn assert_silent(what: &str, text: &str, words: &BTreeSet<String>) {
    let text = without_ids(text);
    let said: Vec<&String> = words.iter().filter(|word| text.contains(&word.to_lowercase())).collect();
    assert!(said.is_empty(), "{what} says {said:?}: {text:.300}");
}

/// Words in bytes that should be sealed.
fn assert_sealed(what: &Path, bytes: &[u8], words: &BTreeSet<String>) {
    let has = |needle: &[u8]| memchr(bytes, needle);
    let words: BTreeSet<&String> = words.iter().filter(|word| !STORE_WORDS.contains(&word.as_str())).collect();
    let mut found: Vec<String> =
        words.iter().filter(|word| word.len() >= LONG_BYTES_MIN && has(word.as_bytes())).map(|word| (*word).clone()).collect();
    for run in bytes.split(|b| !(b' '..0x7f).contains(b) && !matches!(b, b'\r' | b'\n' | b'\t')).filter(|run| run.len() >= RUN_BYTES_MIN) {
        found.extend(words_of(&String::from_utf8_lossy(run)).filter(|word| words.contains(word)));
    }
    found.extend(addresses().iter().filter(|address| has(address)).map(|address| String::from_utf8_lossy(address).into_owned()));
    found.dedup();
    assert!(found.is_empty(), "{} holds {} words in clear: {:?}", what.display(), found.len(), &found[..found.len().min(20)]);
}

fn memchr(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| b == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

/// Names under the data folder, but for a mailbox's own folder in the inbox, and the bytes of what is kept.
fn assert_folder(data: &Path, words: &BTreeSet<String>) {
    let mut looked_at = 0;
    for path in files(data) {
        let below = path.strip_prefix(data).unwrap();
        if path.parent() != Some(&data.join("inbox")) {
            assert_silent("a file's name", &below.file_name().unwrap().to_string_lossy(), words);
        }
        if path.is_file() && (below.starts_with("blobs") || below.to_string_lossy().starts_with("helpdesk.sqlite")) {
            assert_sealed(below, &fs::read(&path).unwrap(), words);
            looked_at += 1;
        }
    }
    assert!(looked_at >= 2, "the store was not looked at");
}

/// Log lines: JSON with a level; those of an invocation name it.
fn assert_logs(lines: &[String], words: &BTreeSet<String>) -> BTreeSet<String> {
    let mut invocations = BTreeSet::new();
    for line in lines {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line:.200}"));
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
        if let Some(id) = entry["span"]["invocation_id"].as_str() {
            invocations.insert(id.to_owned());
        }
        assert_silent("a log line", line, words);
    }
    invocations
}

/// Waits until the store has nothing more to do, and for what it tidies up when it rests.
async fn rest(data: &Path) {
    until("the queues to be empty", || count(data, "SELECT count(*) FROM messages WHERE queue LIKE 'mail-intake%'") == 0);
    let log = data.join("helpdesk.sqlite-wal");
    until("the store's log to be cut", || fs::metadata(&log).map_or(0, |found| found.len()) == 0);
}

#[tokio::test]
async fn what_dev_takes_in_stays_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let words = words();
    let dev = Dev::start(data, &["--sample"]);
    // A mail that is too long for a row, garbage, a mailbox that is nobody's, an answer that leaves.
    let long = mail("ann@adventure-works.example", "long@a.example", "Zwiebelkuchen", "", &"Quittenmarmelade servieren\r\n".repeat(15_000));
    drop_mail(data, HELP, "long", &long);
    drop_mail(data, HELP, "garbage", GARBAGE.as_bytes());
    drop_mail(data, "nobody@contoso.example", "nobody", &long);
    until("the inbox", || ran(data, &["unprocessed", "list", "--json"]).contains("nobody@"));
    let agent = token(data, "contoso", "agent");
    let found = tickets(dev.address, &agent).await;
    let body = json!({ "text": ANSWER, "public": true }).to_string();
    for ticket in &found {
        let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
        let answer = http::request(dev.address, "POST", &path, &[&format!("Authorization: Bearer {agent}")], body.as_bytes()).await;
        assert_eq!(answer.status, 201);
    }
    rest(data).await;
    assert_folder(data, &words);
    let logs: Vec<String> =
        files(&data.join("logs")).iter().flat_map(|file| fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(assert_logs(&logs, &words).len() > 20);
    // Nor does a clean end leave more.
    dev.stop();
    assert_folder(data, &words);
}

#[tokio::test]
async fn the_handlers_streams_hold_levels_and_no_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let words = words();
    let mut handler = Handler::start(data).await;
    for (id, mailbox) in [("contoso", HELP), ("fabrikam", "support@fabrikam.example")] {
        ran(data, &["tenant", "add", id, "--name", id, "--mailbox", mailbox]);
    }
    let store = Store::open(data, Arc::new(SystemClock)).unwrap();
    let garbage = (HELP, GARBAGE.as_bytes());
    let mut expected = BTreeSet::new();
    for (at, (mailbox, raw)) in sample::ALL.iter().map(|sample| (sample.mailbox, sample.raw)).chain([garbage]).enumerate() {
        store.put("mail-intake", &format!("{at}.eml"), Bytes::copy_from_slice(raw)).await.unwrap();
        let message = json!({ "v": 1, "mailbox": mailbox, "blob": format!("{at}.eml") }).to_string();
        call(&handler, "IntakeMail", &message, at, &mut expected).await;
    }
    // What is no message of ours, and what the host gave up on.
    for (at, message) in [(100, ANSWER), (101, r#"{"v":2,"mailbox":"d.kaya@woodgrove.example"}"#)] {
        call(&handler, "IntakeMail", message, at, &mut expected).await;
        call(&handler, "MailIntakePoison", message, at + 10, &mut expected).await;
    }
    let agent = token(data, "contoso", "agent");
    let found = tickets(handler.address, &agent).await;
    let path = format!("/api/tickets/{}/comments", found[0]["id"].as_str().unwrap());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [
        format!("Authorization: Bearer {agent}"),
        format!("traceparent: 00-{trace}-00f067aa0ba902b7-01"),
        "X-Azure-Functions-InvocationId: 99999999-51a3-4a44-9c5b-5f1b9f0f8a11".to_owned(),
    ];
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let body = json!({ "text": ANSWER, "public": true }).to_string();
    assert_eq!(http::request(handler.address, "POST", &path, &headers, body.as_bytes()).await.status, 201);
    expected.insert("99999999-51a3-4a44-9c5b-5f1b9f0f8a11".to_owned());
    drop(store);
    rest(data).await;
    assert_folder(data, &words);

    handler.process.terminate();
    assert_eq!(handler.process.ended().code(), Some(200));
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (stdout, stderr) = (lines(handler.process.stdout.end()), lines(handler.process.stderr.end()));
    let mut named = assert_logs(&stdout, &words);
    named.extend(assert_logs(&stderr, &words));
    assert!(expected.is_subset(&named), "{:?}", expected.difference(&named));
    let level = |line: &String| serde_json::from_str::<Value>(line).unwrap()["level"].as_str().unwrap().to_owned();
    assert!(stdout.iter().all(|line| level(line) == "INFO"), "{stdout:?}");
    assert!(!stderr.is_empty() && stderr.iter().all(|line| matches!(level(line).as_str(), "WARN" | "ERROR")), "{stderr:?}");
    // All but the start and the end belong to an invocation.
    let outside: Vec<&String> = stdout.iter().chain(&stderr).filter(|line| !line.contains("invocation_id")).collect();
    assert!(outside.iter().all(|line| line.contains("\"ready\"") || line.contains("stopping")), "{outside:?}");
    assert!(stdout.iter().any(|line| line.contains(trace) && line.contains("AddComment")), "the trace is named");
}

async fn call(handler: &Handler, function: &str, message: &str, at: usize, expected: &mut BTreeSet<String>) {
    let id = format!("{at:08}-51a3-4a44-9c5b-5f1b9f0f8a11");
    let body = json!({ "Data": { "message": serde_json::to_string(message).unwrap() }, "Metadata": {} }).to_string();
    let answer = http::raw(handler.address, &envelope_request(function, handler.address, &id, &body)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    // The notes travel to the host's own log.
    assert_silent("an answer", &answer.json().to_string(), &words());
    expected.insert(id);
}
