//! The release binary's memory while the largest mails come, all at once: `helpdesk dev` with 24 of them in its queue, from its start until none is left.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use helpdesk::{
    mail::{clean::HTML_BYTES_MAX, limits::MAIL_BYTES_MAX},
    ports::encode_text,
    wiring::Purpose,
};

use crate::{
    process::{HELPDESK, QUEUE, Running, memory, until_answered},
    support::{folder, house, http::free_port, leave},
};

/// As many as the Functions host keeps running at once.
const MAILS: usize = 24;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const WITHIN: Duration = Duration::from_secs(600);
/// What must not be reached, in MiB.
const LIMIT_MIB: f64 = 512.0;

/// Bytes of HTML that is still cleaned as HTML, and the mail around it.
const HTML_MAIL_BYTES: usize = HTML_BYTES_MAX - 4 * 1024;

/// A mail of so many bytes, each number another one.
type Make = fn(usize, usize) -> Vec<u8>;

/// The most that a mail may have of one thing. HTML takes the most memory where it is just not too large for its parser.
const SHAPES: [(&str, usize, Make); 7] = [
    ("35 MB, one attachment", MAIL_BYTES_MAX, attachment),
    ("35 MB, 400 attachments", MAIL_BYTES_MAX, parts),
    ("35 MB, plain text", MAIL_BYTES_MAX, |bytes, number| body("text/plain", "It is the printer on the second floor again.\r\n", bytes, number)),
    ("35 MB, HTML", MAIL_BYTES_MAX, |bytes, number| {
        body("text/html", "<p style=\"color:red\">It is <b>the printer</b> again.</p>\r\n", bytes, number)
    }),
    ("1 MB, HTML", HTML_MAIL_BYTES, |bytes, number| {
        body("text/html", "<p style=\"color:red\">It is <b>the printer</b> again.</p>\r\n", bytes, number)
    }),
    ("1 MB, HTML out of order", HTML_MAIL_BYTES, |bytes, number| body("text/html", WRONG_ORDER, bytes, number)),
    ("0.4 MB, HTML out of order", HTML_MAIL_BYTES * 2 / 5, |bytes, number| body("text/html", WRONG_ORDER, bytes, number)),
];
const WRONG_ORDER: &str = "<p><b>It is <i>the printer</b> again</i>, and nobody knows why.</p>\r\n";

pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!(
        "memory: {MAILS} mails of {} MB wait in the queue of helpdesk dev; the most that it held until none was left",
        MAIL_BYTES_MAX / 1_000_000
    );
    println!("{:<28} {:>12} {:>30} {:>10}", "mails of", "VmHWM, MiB", "of the start (VmRSS), MiB", "seconds");
    for (name, bytes, make) in SHAPES {
        let held = runtime.block_on(round(bytes, make));
        println!("{name:<28} {:>12.0} {:>30.0} {:>10.1}", held.most, held.start, held.seconds);
        assert!(held.most < LIMIT_MIB, "more than {LIMIT_MIB} MiB");
    }
}

struct Held {
    start: f64,
    most: f64,
    seconds: f64,
}

async fn round(bytes: usize, make: Make) -> Held {
    let data = folder();
    let house = house(data.path(), Purpose::Visit).await;
    let queues = house.app.ports.queues.clone();
    let port = free_port();
    let mut command = Command::new(HELPDESK);
    command.args(["dev", "--port", &port.to_string(), "--data"]).arg(data.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().expect("the program starts"));
    until_answered("helpdesk dev", port, "/api/health", Instant::now());
    let start = memory(running.0.id(), "VmRSS");
    let mut messages = Vec::new();
    for number in 0..MAILS {
        messages.push(leave(&house, format!("bench/{number}.eml"), Bytes::from(make(bytes, number))).await);
    }
    let began = Instant::now();
    for message in messages {
        let text = encode_text(message.as_bytes()).expect("the message is short");
        queues.send(QUEUE, &text, Duration::ZERO).await.expect("the store takes a message");
    }
    while queues.depth(QUEUE).await.expect("the store tells") > 0 {
        assert!(began.elapsed() < WITHIN, "mails were left after {WITHIN:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Held { start, most: memory(running.0.id(), "VmHWM"), seconds: began.elapsed().as_secs_f64() }
}

fn head(number: usize) -> String {
    format!(
        "From: Customer {number} <user{number}@customer.example>\r\nTo: help@contoso.example\r\nSubject: Large, case {number}\r\n\
         Message-ID: <{number}@customer.example>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    )
}

fn filled(mut start: String, piece: &str, end: &str, bytes: usize) -> Vec<u8> {
    let times = (bytes - start.len() - end.len()) / piece.len();
    start.reserve_exact(times * piece.len() + end.len());
    (0..times).for_each(|_| start.push_str(piece));
    start.push_str(end);
    start.into_bytes()
}

fn body(media_type: &str, piece: &str, bytes: usize, number: usize) -> Vec<u8> {
    filled(format!("{}Content-Type: {media_type}; charset=utf-8\r\n\r\n", head(number)), piece, "", bytes)
}

fn attachment(bytes: usize, number: usize) -> Vec<u8> {
    let start = format!(
        "{}Content-Type: multipart/mixed; boundary=mixed\r\n\r\n--mixed\r\n\r\nPlease see the file.\r\n--mixed\r\nContent-Type: application/pdf; name=\"case.pdf\"\r\n\
         Content-Disposition: attachment; filename=\"case.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        head(number)
    );
    filled(start, &line_of_base64(number), "--mixed--\r\n", bytes)
}

fn parts(bytes: usize, number: usize) -> Vec<u8> {
    let name = |part: usize| {
        format!(
            "--mixed\r\nContent-Type: application/octet-stream; name=\"{part}.bin\"\r\nContent-Disposition: attachment; filename=\"{part}.bin\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        )
    };
    let lines = line_of_base64(number).repeat(bytes / 400 / 78 - 5);
    let mut mail = format!("{}Content-Type: multipart/mixed; boundary=mixed\r\n\r\n--mixed\r\n\r\nPlease see the files.\r\n", head(number));
    for part in 0..400 {
        mail.extend([name(part).as_str(), &lines]);
    }
    mail.push_str("--mixed--\r\n");
    mail.into_bytes()
}

fn line_of_base64(number: usize) -> String {
    let bytes: Vec<u8> = (0..57).map(|at| (number * 31 + at * 97) as u8).collect();
    format!("{}\r\n", STANDARD.encode(bytes))
}
