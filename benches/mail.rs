//! Mails read: the full record beside a bare parse of the same bytes, and the worst that each kind of hostile mail can do.
//!
//! `HELPDESK_BENCH_MAILS` may name a folder of other mails, which are measured too. Both sides run in one thread and in turns, mail by mail.

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::support::{Figures, hostile, milliseconds};
use helpdesk::mail::{limits::MAIL_BYTES_MAX, parse::parse, sender::Trust};
use mail_parser::{MessageParser, PartType};

/// The first round of each is not counted.
const ROUNDS: usize = 6;
/// Readings of a mail in a round, so that the clock's grain does not matter: until so much time has passed.
const MAIL_TIME: Duration = Duration::from_micros(300);
const READINGS_MAX: usize = 100;
/// Bytes of each hostile mail.
const HOSTILE_BYTES: usize = 1_000_000;
const HOSTILE_ROUNDS: usize = 3;

pub fn measure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("mail: parse to the full record beside mail-parser alone, {} rounds; median (least to most)", ROUNDS - 1);
    println!(
        "{:<14} {:<12} {:>6} {:>9}  {:<26} {:<24} bare / full",
        "mails", "kind", "mails", "KB", "full record, MB a second", "bare parse, MB a second"
    );
    let own: Vec<PathBuf> = [root.join("tests/mails"), root.join("src/cli/sample")].iter().flat_map(|folder| mails_below(folder)).collect();
    table("the project's", &own);
    if let Some(folder) = env::var_os("HELPDESK_BENCH_MAILS") {
        table("of the folder", &mails_below(Path::new(&folder)));
    }
    println!();
    worst_cases();
}

/// What a mail is for a reader, by what its bare parse holds.
fn kind_of(raw: &[u8]) -> Option<&'static str> {
    let message = MessageParser::default().parse(raw)?;
    let has_html = message.html_body.iter().filter_map(|id| message.parts.get(*id as usize)).any(|part| matches!(part.body, PartType::Html(_)));
    Some(if !message.attachments.is_empty() {
        "attachments"
    } else if has_html {
        "HTML"
    } else {
        "plain"
    })
}

fn table(name: &str, files: &[PathBuf]) {
    let mut kinds: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for file in files {
        let raw = fs::read(file).expect("the mail can be read");
        // What cannot be read costs next to nothing on either side.
        let Some(kind) = kind_of(&raw).filter(|_| raw.len() <= MAIL_BYTES_MAX && parse(&raw, &Trust::Nobody).is_ok()) else { continue };
        kinds.entry("all").or_default().push(raw.clone());
        kinds.entry(kind).or_default().push(raw);
    }
    for (kind, mails) in kinds {
        let bytes: usize = mails.iter().map(Vec::len).sum();
        let rounds: Vec<(Duration, Duration)> = (0..ROUNDS).map(|_| round(&mails)).skip(1).collect();
        let speed = |took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
        let full = Figures::of(rounds.iter().map(|(full, _)| speed(*full)));
        let bare = Figures::of(rounds.iter().map(|(_, bare)| speed(*bare)));
        let ratio = Figures::of(rounds.iter().map(|(full, bare)| bare.as_secs_f64() / full.as_secs_f64()));
        println!("{name:<14} {kind:<12} {:>6} {:>9}  {full:<26.0} {bare:<24.0} {ratio:.2}", mails.len(), bytes / 1000);
    }
}

/// Both sides of every mail, in turns.
fn round(mails: &[Vec<u8>]) -> (Duration, Duration) {
    let (mut full, mut bare) = (Duration::ZERO, Duration::ZERO);
    for raw in mails {
        full += one(|| drop(black_box(parse(black_box(raw), &Trust::Nobody))));
        bare += one(|| drop(black_box(MessageParser::default().parse(black_box(raw)))));
    }
    (full, bare)
}

/// The mean time of one reading.
fn one(read: impl Fn()) -> Duration {
    let began = Instant::now();
    let mut readings = 0;
    while readings < READINGS_MAX && (readings == 0 || began.elapsed() < MAIL_TIME) {
        read();
        readings += 1;
    }
    began.elapsed() / u32::try_from(readings).unwrap_or(u32::MAX)
}

fn worst_cases() {
    let ordinary = hostile::ordinary(HOSTILE_BYTES);
    let usual = slowest(&ordinary);
    println!(
        "mail: the worst, {} KB each, the least of {HOSTILE_ROUNDS} rounds; an ordinary mail of text and HTML takes {:.1} ms",
        HOSTILE_BYTES / 1000,
        milliseconds(usual)
    );
    println!("{:<58} {:>18} {:>18}", "a mail of", "ms a megabyte", "beside ordinary");
    for (name, make) in hostile::ALL {
        let raw = make(HOSTILE_BYTES);
        let a_megabyte = milliseconds(slowest(&raw)) * 1e6 / raw.len() as f64;
        println!("{name:<58} {a_megabyte:>18.1} {:>18.1}", a_megabyte / (milliseconds(usual) * 1e6 / ordinary.len() as f64));
    }
}

fn slowest(raw: &[u8]) -> Duration {
    let once = || {
        let began = Instant::now();
        let _ = black_box(parse(black_box(raw), &Trust::Nobody));
        began.elapsed()
    };
    (0..HOSTILE_ROUNDS).map(|_| once()).min().unwrap_or_default()
}

fn mails_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(mails_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "eml" || extension == "msg" || extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}
