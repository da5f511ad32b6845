//! Any bytes as a winmail.dat in a mail without words of its own.

#![no_main]

mod mail;

use base64::{Engine, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|winmail: &[u8]| {
    let head = "From: Ann <ann@customer.example>\r\nSubject: x\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    mail::check(format!("{head}{}\r\n", STANDARD.encode(winmail)).as_bytes());
});
