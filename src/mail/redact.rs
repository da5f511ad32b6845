//! Payment card numbers, cut where they are read: 13 to 19 digits that pass the Luhn check in the ranges that card networks issue.
//!
//! A number that is part of an address, an identifier or a longer run of digits stays. A number inside base64 or across a tag is not seen.

use std::borrow::Cow;

/// Digits of a card number (ISO/IEC 7812).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Digit groups looked at together; what is longer is searched group by group.
const GROUPS_MAX: usize = 19;

/// How far back a word is searched for the marks of a web address or an identifier.
const WORD_BYTES_MAX: usize = 2_048;

/// How people group the digits of a card that stands beside other numbers.
const GROUPINGS: [&[usize]; 5] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 1]];

/// What may stand between two groups in text and HTML.
const TEXT_SEPARATORS: [&[u8]; 7] = [b" ", b"-", b".", "\u{a0}".as_bytes(), "\u{202f}".as_bytes(), b"&nbsp;", b"&#160;"];

/// What may stand between two groups in a mail's bytes: the above, Latin-1 and quoted-printable.
const RAW_SEPARATORS: [&[u8]; 9] = [b"=C2=A0", b"=A0", b"=20", b" ", b"-", b".", "\u{a0}".as_bytes(), b"\xa0", b"&nbsp;"];

/// The text with each card number replaced by `•••• 1234`, its last four digits, and how many there were.
pub fn redact_text(text: &str) -> (String, usize) {
    let (redacted, count) = redact(text.as_bytes(), &TEXT_SEPARATORS, "•••• ".as_bytes());
    // Only whole ASCII runs were replaced, so this is UTF-8 still.
    let redacted = String::from_utf8(redacted.into_owned()).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    (redacted, count)
}

/// The mail with the same numbers replaced by `**** 1234` where they stand literally, or `None` if there were none.
pub fn redact_raw(raw: &[u8]) -> Option<Vec<u8>> {
    match redact(raw, &RAW_SEPARATORS, b"**** ") {
        (_, 0) => None,
        (redacted, _) => Some(redacted.into_owned()),
    }
}

fn redact<'a>(bytes: &'a [u8], separators: &[&[u8]], stars: &[u8]) -> (Cow<'a, [u8]>, usize) {
    let mut redacted = Vec::new();
    let (mut copied, mut at, mut count) = (0, 0, 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let groups = groups_at(bytes, at, separators);
        let end = groups.last().map_or(at + 1, |group| group.end);
        match card_in(bytes, &groups) {
            Some(card) => {
                let digits = digits_of(bytes, card);
                redacted.extend_from_slice(&bytes[copied..card[0].start]);
                redacted.extend_from_slice(stars);
                redacted.extend(digits[digits.len() - 4..].iter().map(|digit| digit + b'0'));
                at = card[card.len() - 1].end;
                copied = at;
                count += 1;
            }
            // A list cut at GROUPS_MAX goes on from its middle, so that no card is lost at the cut.
            None if groups.len() == GROUPS_MAX => at = groups[GROUPS_MAX / 2].start,
            None => at = end,
        }
    }
    if count == 0 {
        return (Cow::Borrowed(bytes), 0);
    }
    redacted.extend_from_slice(&bytes[copied..]);
    (Cow::Owned(redacted), count)
}

type Group = std::ops::Range<usize>;

/// Runs of digits with one separator between them, from a digit on.
fn groups_at(bytes: &[u8], start: usize, separators: &[&[u8]]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut at = start;
    while groups.len() < GROUPS_MAX {
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        groups.push(at..end);
        let separator = separators.iter().find(|separator| bytes[end..].starts_with(separator));
        match separator.map(|separator| end + separator.len()) {
            Some(next) if bytes.get(next).is_some_and(u8::is_ascii_digit) => at = next,
            _ => break,
        }
    }
    groups
}

/// All groups together, or the first of them that are grouped as cards are.
fn card_in<'a>(bytes: &[u8], groups: &'a [Group]) -> Option<&'a [Group]> {
    // Base64 is full of digits, and hardly any of them are so many.
    if groups.iter().map(Group::len).sum::<usize>() < *CARD_DIGITS.start() {
        return None;
    }
    if is_card(bytes, groups) {
        return Some(groups);
    }
    (0..groups.len()).find_map(|first| {
        let rest = &groups[first..];
        let grouped =
            GROUPINGS.iter().filter(|sizes| sizes.len() <= rest.len() && rest.iter().zip(**sizes).all(|(group, size)| group.len() == *size));
        grouped.map(|sizes| &rest[..sizes.len()]).chain(std::iter::once(&rest[..1])).find(|card| is_card(bytes, card))
    })
}

fn is_card(bytes: &[u8], groups: &[Group]) -> bool {
    if !CARD_DIGITS.contains(&groups.iter().map(Group::len).sum()) {
        return false;
    }
    let digits = digits_of(bytes, groups);
    luhn(&digits) && is_issued(&digits) && !is_article_number(&digits) && stands_alone(bytes, groups)
}

fn digits_of(bytes: &[u8], groups: &[Group]) -> Vec<u8> {
    groups.iter().flat_map(|group| &bytes[group.clone()]).map(|byte| byte - b'0').collect()
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits.iter().rev().enumerate().map(|(place, digit)| u32::from(if place % 2 == 1 { doubled(*digit) } else { *digit })).sum();
    sum.is_multiple_of(10)
}

/// Ranges of ISO/IEC 7812 issuers, by the first six digits, with the lengths that are in use.
fn is_issued(digits: &[u8]) -> bool {
    let first_six = digits[..6].iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let length = digits.len();
    match first_six {
        // Visa
        400_000..=499_999 => matches!(length, 13 | 16 | 19),
        // Mastercard
        222_100..=272_099 | 510_000..=559_999 => length == 16,
        // American Express
        340_000..=349_999 | 370_000..=379_999 => length == 15,
        // Diners Club
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => (14..=19).contains(&length),
        // JCB
        352_800..=358_999 => (16..=19).contains(&length),
        // Discover, UnionPay, RuPay
        601_100..=601_199 | 620_000..=629_999 | 644_000..=659_999 | 810_000..=817_199 | 508_500..=508_999 => (16..=19).contains(&length),
        // Mir
        220_000..=220_499 => (16..=19).contains(&length),
        // Maestro
        500_000..=508_499 | 560_000..=589_999 | 630_400..=630_499 | 675_900..=676_399 => CARD_DIGITS.contains(&length),
        _ => false,
    }
}

/// An EAN-13 begins with 4 in Germany, Japan and elsewhere, and one in ten passes the Luhn check; cards of 13 digits are hardly issued any more.
fn is_article_number(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().enumerate().map(|(place, digit)| u32::from(*digit) * if place % 2 == 1 { 3 } else { 1 }).sum();
    digits.len() == 13 && sum.is_multiple_of(10)
}

/// Not inside a longer word, a phone number, a web address or an identifier.
fn stands_alone(bytes: &[u8], groups: &[Group]) -> bool {
    let (start, end) = (groups[0].start, groups[groups.len() - 1].end);
    let before = |distance: usize| start.checked_sub(distance).map(|at| bytes[at]);
    let joined_before = match before(1) {
        Some(b'_' | b'+' | b'@' | b'%') => true,
        Some(b'-' | b'/') => before(2).is_some_and(|byte| byte.is_ascii_alphanumeric()),
        Some(byte) => byte.is_ascii_alphanumeric(),
        None => false,
    };
    let joined_after = match bytes.get(end) {
        Some(b'_' | b'@') => true,
        Some(b'-') => bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic),
        Some(byte) => byte.is_ascii_alphanumeric(),
        None => false,
    };
    !joined_before && !joined_after && !is_in_address(bytes, start, end)
}

/// The word around the number names a web address or an identifier with an `@`.
fn is_in_address(bytes: &[u8], start: usize, end: usize) -> bool {
    let ends_word = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'(' | b')');
    let from = start.saturating_sub(WORD_BYTES_MAX);
    let word_start = bytes[from..start].iter().rposition(ends_word).map_or(from, |at| from + at + 1);
    let to = bytes.len().min(end + WORD_BYTES_MAX);
    let word_end = bytes[end..to].iter().position(ends_word).map_or(to, |at| end + at);
    let before = &bytes[word_start..start];
    before.windows(3).any(|three| three == b"://")
        || before.windows(4).any(|four| four.eq_ignore_ascii_case(b"www."))
        || bytes[end..word_end].contains(&b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_cut_however_it_is_grouped() {
        for (text, expected) in [
            ("4111 1111 1111 1111", "•••• 1111"),
            ("card 4111-1111-1111-1111, exp 12/30", "card •••• 1111, exp 12/30"),
            ("4111.1111.1111.1111.", "•••• 1111."),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "•••• 1111"),
            ("<td>4111&nbsp;1111&nbsp;1111&nbsp;1111</td>", "<td>•••• 1111</td>"),
            ("no.:5555555555554444", "no.:•••• 4444"),
            ("amex 3782 822463 10005!", "amex •••• 0005!"),
            ("カード番号6011111111111117です", "カード番号•••• 1117です"),
            ("2 4111 1111 1111 1111 123", "2 •••• 1111 123"),
            ("4111111111111111 and 5555 5555 5555 4444", "•••• 1111 and •••• 4444"),
            ("4111111111111111/12/30", "•••• 1111/12/30"),
        ] {
            let (redacted, count) = redact_text(text);
            assert_eq!(redacted, expected);
            assert_eq!(count, expected.matches("••••").count(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_card_number_stays() {
        for text in [
            "4111 1111 1111 1112",
            "1234 5678 9012 3452",
            "order A4111111111111111",
            "INV-4111111111111111",
            "41111111111111110000000",
            "https://shop.example/p/4111111111111111?x",
            "href=\"https://a.example/4111-1111-1111-1111\"",
            "4111111111111111@mail.example",
            "<4111111111111111.77@mail.example>",
            "+4111111111111111",
            "4111  1111  1111  1111",
            "4006381333931",
            "9999999999999995",
            "4111_1111_1111_1111",
        ] {
            assert_eq!(redact_text(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn the_raw_mail_is_cut_where_the_number_stands_literally() {
        let raw = b"Subject: 4111 1111 1111 1111\r\n\r\n4111=C2=A01111=A01111=201111 \xfc 5555\xa05555\xa05555\xa04444\r\n";
        assert_eq!(redact_raw(raw).unwrap(), b"Subject: **** 1111\r\n\r\n**** 1111 \xfc **** 4444\r\n");
        assert_eq!(redact_raw(b"Subject: nothing\r\n\r\n4111 1111 1111 1112"), None);
    }

    #[test]
    fn a_card_in_a_long_list_of_numbers_is_found() {
        let text = format!("{}4111 1111 1111 1111{}", "10 ".repeat(40), " 20".repeat(40));
        assert_eq!(redact_text(&text).1, 1);
    }
}
