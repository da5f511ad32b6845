//! Status codes in the words of mail systems: enhanced ones (RFC 3463), replies of SMTP (RFC 5321), and what well-known phrases imply.

use std::sync::LazyLock;

use super::words::{PHRASES, TEMPORARY, normalized};
use crate::mail::phrase_set::PhraseSet;

static PHRASE_SET: LazyLock<PhraseSet> = LazyLock::new(|| PhraseSet::of(PHRASES.iter().map(|(phrase, _)| *phrase)));

/// Whether trying again is in vain, by the class of an enhanced status code.
pub fn is_permanent(status: &str) -> Option<bool> {
    match status.as_bytes().first() {
        Some(b'5') => Some(true),
        Some(b'4') => Some(false),
        _ => None,
    }
}

/// A code that says no more than its class.
pub fn is_vague(status: &str) -> bool {
    status.ends_with(".0.0") || status == "5.5.0"
}

/// The best that a text says of its failure: an enhanced code; else the reply code with what the words add to it; else what the words imply.
pub fn of_text(text: &str) -> Option<String> {
    let enhanced = enhanced(text);
    if let Some(status) = enhanced.as_ref().filter(|status| !is_vague(status)) {
        return Some(status.clone());
    }
    let words = normalized(text);
    let class = enhanced.as_ref().and_then(|status| status.chars().next()).or_else(|| reply_class(text));
    let class = class.or_else(|| TEMPORARY.iter().any(|word| words.contains(word)).then_some('4'));
    match (class, of_words(&words)) {
        (Some(class), Some(words)) => Some(format!("{class}{}", &words[1..])),
        (Some(class), None) => Some(enhanced.unwrap_or_else(|| format!("{class}.0.0"))),
        (None, words) => words.map(str::to_owned),
    }
}

/// What well-known phrases imply.
fn of_words(text: &str) -> Option<&'static str> {
    PHRASE_SET.first_in(text).map(|place| PHRASES[place].1)
}

/// The first enhanced status code of a failure in a text, `5.1.1`. IP addresses and version numbers are none.
pub fn enhanced(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut begins = memchr::memchr2_iter(b'4', b'5', bytes).filter(|at| *at == 0 || !is_part_of_number(bytes[at - 1]));
    begins.find_map(|at| enhanced_at(&bytes[at..]))
}

fn enhanced_at(bytes: &[u8]) -> Option<String> {
    let mut parts = [usize::from(bytes[0] - b'0'), 0, 0];
    let mut at = 1;
    for part in &mut parts[1..] {
        if bytes.get(at) != Some(&b'.') {
            return None;
        }
        let digits = bytes[at + 1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 3 {
            return None;
        }
        *part = bytes[at + 1..at + 1 + digits].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        at += 1 + digits;
    }
    // One more number makes it an IP address or a version; a full stop ends a sentence.
    let goes_on = match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'.'), Some(next)) => next.is_ascii_alphanumeric(),
        (Some(next), _) => next.is_ascii_alphanumeric() || matches!(next, b'/' | b'@'),
        _ => false,
    };
    // No subject of a code is above 7 (RFC 3463, section 3).
    (!goes_on && parts[1] <= 7).then(|| format!("{}.{}.{}", parts[0], parts[1], parts[2]))
}

fn is_part_of_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'@' | b'_')
}

/// The class of the first SMTP reply of a failure in a text, `5` for `550`.
pub fn reply_class(text: &str) -> Option<char> {
    text.lines().find_map(reply_class_of_line)
}

fn reply_class_of_line(line: &str) -> Option<char> {
    let bytes = line.as_bytes();
    memchr::memchr2_iter(b'4', b'5', bytes).take_while(|at| at + 2 < bytes.len()).find_map(|at| {
        let code = &bytes[at..at + 3];
        // The second digit of a reply is 0 to 5 (RFC 5321, section 4.2.1).
        let is_code = matches!(code[1], b'0'..=b'5') && code[2].is_ascii_digit();
        let starts = match (at.checked_sub(2).map(|two| bytes[two]), at.checked_sub(1).map(|one| bytes[one])) {
            (_, None) => true,
            // `12:450` is a time; `said:450` is none.
            (Some(before), Some(b':')) => !before.is_ascii_digit(),
            (_, Some(one)) => !is_part_of_number(one) && !matches!(one, b'-' | b'+' | b'=' | b',' | b'$' | b'%'),
        };
        let ends = match (bytes.get(at + 3), bytes.get(at + 4)) {
            (None, _) => true,
            // `550-5.1.1` goes on; 550.25 and 550:1 are numbers and times.
            (Some(b'-' | b'.' | b':' | b','), Some(next)) => !next.is_ascii_digit() || (bytes[at + 3] == b'-' && matches!(next, b'4' | b'5')),
            (Some(next), _) => !is_part_of_number(*next) && *next != b'%',
        };
        (is_code && starts && ends && !counts_something(&line[at + 3..])).then_some(char::from(code[0]))
    })
}

/// `500 KB`, `450 messages`: an amount, no reply.
fn counts_something(rest: &str) -> bool {
    const UNITS: [&str; 13] =
        ["days", "times", "attempts", "kb", "mb", "gb", "bytes", "kbytes", "messages", "hours", "seconds", "minutes", "recipients"];
    let word = rest.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_told_from_ip_addresses_and_versions() {
        for (text, expected) in [
            ("host said: 550 5.1.1 <a@b>", Some("5.1.1")),
            ("try later [#4.1.9].", Some("4.1.9")),
            ("550-5.7.26 unauthenticated", Some("5.7.26")),
            ("given up (#5.4.6)", Some("5.4.6")),
            ("from 5.1.1.7 with 4.92 and 5.5.1960.3 at v5.1.1", None),
            ("2.0.0 accepted, then 5.2.2", Some("5.2.2")),
            ("x/5.1.1 and 5.9.1", None),
        ] {
            assert_eq!(enhanced(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn replies_are_told_from_amounts_dates_and_ports() {
        for (text, expected) in [
            ("554 delivery error", Some('5')),
            ("said: 450-4.2.0 busy", Some('4')),
            ("limit of 500 KB on port 587", None),
            ("Thu, 29 Apr 2010 23:45:10 -0500", None),
            ("host 192.0.2.450 id 550x $550 12:450", None),
            ("(550)", Some('5')),
            ("550", Some('5')),
        ] {
            assert_eq!(reply_class(text), expected, "{text}");
        }
    }

    #[test]
    fn words_make_a_vague_code_exact_and_stand_in_for_a_missing_one() {
        for (text, expected) in [
            ("550 5.0.0 Mailbox is full", Some("5.2.2")),
            ("450 mailbox full", Some("4.2.2")),
            ("Benutzer unbekannt", Some("5.1.1")),
            ("550 no thanks", Some("5.0.0")),
            ("no thanks", None),
            ("a temporary failure: timed out", Some("4.4.1")),
            ("ResponseCode 421, , no", Some("4.0.0")),
            ("550 5.7.1 user unknown", Some("5.7.1")),
        ] {
            assert_eq!(of_text(text).as_deref(), expected, "{text}");
        }
    }
}
