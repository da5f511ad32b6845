//! Any bytes as a mail, for every trust that a mailbox can have.

#![no_main]

mod mail;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| mail::check(raw));
