//! Mails as people write them, of about the wanted size, no two of them alike.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes of a line of base64 (RFC 2045).
const BASE64_LINE: usize = 76;
const WORDS: [&str; 24] = [
    "the",
    "printer",
    "on",
    "our",
    "second",
    "floor",
    "prints",
    "only",
    "half",
    "of",
    "a",
    "page",
    "since",
    "yesterday",
    "morning",
    "and",
    "we",
    "have",
    "tried",
    "another",
    "cable",
    "without",
    "any",
    "change",
];

/// The sizes that are measured, each with what a mail of that size usually is.
pub const SIZES: [(usize, &str); 3] = [(2_000, "2 KB, plain text"), (20_000, "20 KB, text and HTML"), (100_000, "100 KB, with a PDF")];

/// A mail of about `bytes` bytes. Another number makes another mail from another sender.
pub fn mail(bytes: usize, number: usize) -> Vec<u8> {
    let mut mail = format!(
        "Return-Path: <user{number}@customer.example>\r\nReceived: from mx.customer.example (mx.customer.example [192.0.2.7])\r\n\tby mail.contoso.example with ESMTPS id {number};\r\n\
         \tMon, 23 Nov 2026 08:59:01 +0000\r\nFrom: Customer {number} <user{number}@customer.example>\r\nTo: help@contoso.example\r\n\
         Subject: Printer on the second floor, case {number}\r\nMessage-ID: <{number}.{bytes}@customer.example>\r\nDate: Mon, 23 Nov 2026 08:59:00 +0000\r\nMIME-Version: 1.0\r\n"
    );
    let body = if bytes < 10_000 {
        format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}", text(bytes - mail.len() - 50, number))
    } else if bytes < 50_000 {
        alternative(bytes - mail.len() - 450, number)
    } else {
        format!(
            "Content-Type: multipart/mixed; boundary=mixed\r\n\r\n--mixed\r\n{}\r\n--mixed\r\nContent-Type: application/pdf; name=\"case-{number}.pdf\"\r\n\
             Content-Disposition: attachment; filename=\"case-{number}.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--mixed--\r\n",
            alternative(12_000, number),
            base64(bytes - mail.len() - 12_800, number)
        )
    };
    mail.push_str(&body);
    mail.into_bytes()
}

/// A mail of text and HTML, of whatever size.
pub fn alternative_mail(bytes: usize, number: usize) -> Vec<u8> {
    let head =
        format!("From: Customer {number} <user{number}@customer.example>\r\nTo: help@contoso.example\r\nSubject: Printer\r\nMIME-Version: 1.0\r\n");
    let body = alternative(bytes - head.len() - 450, number);
    (head + &body).into_bytes()
}

/// Text and HTML of the same words, as Outlook and the web mailers send it.
fn alternative(bytes: usize, number: usize) -> String {
    let text = text(bytes / 4, number);
    let mut html = String::new();
    for line in text.lines() {
        write!(html, "<p class=\"MsoNormal\"><span lang=\"EN-US\" style=\"font-size:11.0pt;font-family:Calibri\">{line}<o:p></o:p></span></p>\r\n")
            .expect("writing to a string does not fail");
    }
    html.truncate(html.len().min(bytes - text.len()));
    format!(
        "Content-Type: multipart/alternative; boundary=both\r\n\r\n--both\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--both\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n{html}</body></html>\r\n--both--\r\n"
    )
}

fn text(bytes: usize, number: usize) -> String {
    let mut text = format!("Hello, this is case {number}.\r\n");
    let mut at = number;
    while text.len() < bytes {
        for _ in 0..12 {
            text.push_str(WORDS[at % WORDS.len()]);
            text.push(' ');
            at = at.wrapping_mul(31).wrapping_add(7);
        }
        text.push_str("\r\n");
    }
    text.truncate(bytes);
    text
}

/// Bytes that do not compress, as a PDF's, in lines of base64.
fn base64(bytes: usize, number: usize) -> String {
    let mut state = number as u64 + 1;
    let binary: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(bytes * 73 / 100)
    .collect();
    let encoded = STANDARD.encode(binary);
    encoded.as_bytes().chunks(BASE64_LINE).flat_map(|line| [line, b"\r\n"]).flatten().map(|byte| char::from(*byte)).collect()
}
