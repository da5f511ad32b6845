//! Character references of HTML (`&nbsp;`, `&#8217;`, `&eacute`), read as the HTML standard reads them (section 13.2.5.72).

use html5ever::data::{C1_REPLACEMENTS, NAMED_ENTITIES};

/// Bytes of the longest name.
const NAME_BYTES_MAX: usize = 32;

/// The letters that a reference stands for, the second often NUL for none, and its bytes; `None` if the `&` at the start is only an ampersand.
pub(in crate::mail) fn reference(text: &str, in_attribute: bool) -> Option<([char; 2], usize)> {
    let after = text.strip_prefix('&')?;
    if let Some(number) = after.strip_prefix('#') {
        return numeric(number).map(|(letter, bytes)| ([letter, '\0'], bytes + 2));
    }
    named(after, in_attribute).map(|(letters, bytes)| (letters, bytes + 1))
}

fn numeric(text: &str) -> Option<(char, usize)> {
    let (radix, prefix) = if text.starts_with(['x', 'X']) { (16, 1) } else { (10, 0) };
    let digits = &text[prefix..];
    let digits = &digits[..digits.find(|letter: char| !letter.is_digit(radix)).unwrap_or(digits.len())];
    if digits.is_empty() {
        return None;
    }
    let end = prefix + digits.len();
    let bytes = end + usize::from(text[end..].starts_with(';'));
    // What does not fit is no letter either.
    let number = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    let letter = match number {
        0 => None,
        0x80..=0x9f => C1_REPLACEMENTS[number as usize - 0x80].or(char::from_u32(number)),
        number => char::from_u32(number),
    };
    Some((letter.unwrap_or(char::REPLACEMENT_CHARACTER), bytes))
}

/// Nearly all that mails are made of; nothing longer begins with one of them.
const COMMON: [(&str, char); 5] = [("nbsp;", '\u{a0}'), ("amp;", '&'), ("lt;", '<'), ("gt;", '>'), ("quot;", '"')];

/// The longest name that the text begins with.
fn named(text: &str, in_attribute: bool) -> Option<([char; 2], usize)> {
    if let Some((name, letter)) = COMMON.iter().find(|(name, _)| text.starts_with(name)) {
        return Some(([*letter, '\0'], name.len()));
    }
    if in_attribute && is_parameter(text) {
        return None;
    }
    let mut found = None;
    for end in 1..=text.len().min(NAME_BYTES_MAX) {
        // The table knows the beginnings of its names too, as a pair of zeros.
        match text.get(..end).and_then(|name| NAMED_ENTITIES.get(name)) {
            Some((0, _)) => {}
            Some((first, second)) => found = Some(([char::from_u32(*first)?, char::from_u32(*second)?], end)),
            None => break,
        }
    }
    let (letters, bytes) = found?;
    let next = text.as_bytes().get(bytes);
    let is_value = in_attribute && !text[..bytes].ends_with(';') && next.is_some_and(|byte| *byte == b'=' || byte.is_ascii_alphanumeric());
    (!is_value).then_some((letters, bytes))
}

/// Whether this is the next parameter of a web address, `x=1`: names have no equals sign behind them there.
fn is_parameter(text: &str) -> bool {
    let name_bytes = text.bytes().take(NAME_BYTES_MAX).take_while(u8::is_ascii_alphanumeric).count();
    text.as_bytes().get(name_bytes) == Some(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_browsers_read_them() {
        for (text, expected) in [
            ("&amp;x", Some(("&", 5))),
            ("&nbsp", Some(("\u{a0}", 5))),
            ("&notit;", Some(("¬", 4))),
            ("&notin;", Some(("∉", 7))),
            ("&NotEqualTilde;", Some(("≂\u{338}", 15))),
            ("&#8217;s", Some(("’", 7))),
            ("&#x2019", Some(("’", 7))),
            ("&#150;", Some(("–", 6))),
            ("&#0;&#1;", Some(("\u{fffd}", 4))),
            ("&#xD800;", Some(("\u{fffd}", 8))),
            ("&#99999999999999;", Some(("\u{fffd}", 17))),
            ("&#;", None),
            ("&#x;", None),
            ("& ", None),
            ("&unheard;", None),
            ("&", None),
        ] {
            let read = reference(text, false).map(|(letters, bytes)| (letters.iter().filter(|letter| **letter != '\0').collect::<String>(), bytes));
            assert_eq!(read, expected.map(|(letters, bytes)| (letters.to_owned(), bytes)), "{text}");
        }
    }

    #[test]
    fn an_address_with_parameters_is_not_read_as_references() {
        assert_eq!(reference("&copy=1", true), None);
        assert_eq!(reference("&copyright", true), None);
        assert!(reference("&copy;=1", true).is_some() && reference("&copy=1", false).is_some());
    }
}
