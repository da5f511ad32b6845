//! Whether From is written so that every mail server reads the same author in it as we do.

use crate::mail::{
    address::{comment, in_ascii},
    encoded_word,
};

/// Whether a From names this address, and nobody else, by the letter of RFC 5322 (section 3.4): alone, or in the only angle brackets, behind a name or none.
///
/// Cleaning helps a reader. To a server `'ann@a.example` and `=?utf-8?q?ann?=@a.example` are other mailboxes than `ann@a.example`, and an address in a
/// comment, between quotation marks or in a second pair of brackets is none at all.
pub(super) fn names_alone(from: &[u8], address: &str) -> bool {
    // Letters that are no UTF-8 may stand in a name; in an address they make another.
    let from = String::from_utf8_lossy(from);
    // Beyond ASCII two letters may become one in lower case.
    mailbox(&from).is_some_and(|written| in_ascii(written.trim_ascii().trim_end_matches('.').to_ascii_lowercase()) == address)
}

/// The one mailbox, if there are not several and nothing is left open.
fn mailbox(from: &str) -> Option<String> {
    let (mut outside, mut angle, mut ended, mut rest) = (String::new(), None, false, from);
    while let Some(letter) = rest.chars().next() {
        let (here, after) = (rest, &rest[letter.len_utf8()..]);
        rest = after;
        match letter {
            '(' => {
                rest = comment(after)?.1;
                outside.push(' ');
            }
            // Nothing may follow the mailbox.
            letter if (ended || angle.is_some()) && !letter.is_ascii_whitespace() && !",;".contains(letter) => return None,
            // One word, though some mail programs leave a comma in it. What else of a mailbox's marks is in it, some servers read as such.
            '=' if let Some(word) = encoded_word::word_bytes(here.as_bytes()).and_then(|bytes| here.get(..bytes)) => {
                if word.contains(['<', '>', '"', '@', '(', ')']) {
                    return None;
                }
                outside.push_str(word);
                rest = &here[word.len()..];
            }
            '"' => {
                let inside = until(after, '"')?;
                outside.push_str(&here[..inside.len() + 2]);
                rest = &after[inside.len() + 1..];
            }
            '<' => {
                let inside = until(after, '>')?;
                angle = Some(inside);
                rest = &after[inside.len() + 1..];
            }
            ',' | ';' => ended = true,
            '>' => return None,
            letter => outside.push(letter),
        }
    }
    Some(angle.map_or(outside, str::to_owned))
}

/// What stands before a mark; what is escaped, or between quotation marks where another mark is looked for, is none.
fn until(text: &str, mark: char) -> Option<&str> {
    let (mut escaped, mut quoted) = (false, false);
    let at = text.find(|letter| {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == mark && !quoted {
            return true;
        } else if letter == '"' {
            quoted = !quoted;
        }
        false
    })?;
    Some(&text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_alone_or_in_the_only_brackets() {
        for from in [
            "ann@a.example",
            " Ann@A.example.\r\n",
            "Ann <ann@a.example>",
            "Ann Smith\r\n < ann@a.example >",
            "\"Smith, Ann <x>\" <ann@a.example> (at (home) work)",
            "=?utf-8?q?Smith=2C_Zo=C3=AB?= <ann@a.example>",
            "=?iso-8859-1?q?B=FCrling,_Ann?= <ann@a.example>",
            "(Ann) ann@a.example (Smith),",
            "Team: Ann <ann@a.example>;",
            "O'Brien <ann@a.example>",
        ] {
            assert!(names_alone(from.as_bytes(), "ann@a.example"), "{from}");
        }
        for (from, address) in [
            ("o'brien+x@a.example", "o'brien+x@a.example"),
            ("\"ann smith\"@a.example", "\"ann smith\"@a.example"),
            ("<\"a>\\\"b\"@a.example>", "\"a>\\\"b\"@a.example"),
            ("Zo\u{eb} <zo\u{eb}@B\u{fc}cher.example>", "zo\u{eb}@xn--bcher-kva.example"),
        ] {
            assert!(names_alone(from.as_bytes(), address), "{from}");
        }
        assert!(names_alone(b"J\xf6rg <ann@a.example>", "ann@a.example"), "a name in whatever charset");
    }

    #[test]
    fn what_a_server_may_read_otherwise_does_not_count() {
        for from in [
            "<'ann@a.example>",
            "ann@a.example <'ann@a.example>",
            "=?utf-8?q?ann?=@a.example",
            "=?utf-8?q?ann=40a.example?= <eve>",
            "<a\u{200b}nn@a.example>",
            "<\u{3000}ann@a.example>",
            "<\u{85}ann@a.example>",
            "Ann =?utf-8?q?\"?= <ann@a.example> (\"<eve@a.example>\")",
            "=?utf-8?b?<eve@a.example>?= <ann@a.example>",
            "=?utf-8?b?,eve@a.example,?= <ann@a.example>",
            "=?utf-8?q?(?= <ann@a.example> (x)",
            "eve (ann@a.example)",
            "<eve> (ann@a.example)",
            "\"ann@a.example\"",
            "\"ann@a.example\" <eve>",
            "ann@a.example <eve>",
            "Eve <ann@a.example> <eve@a.example>",
            "<eve@a.example> ann@a.example",
            "ann@a.example,eve",
            "Smith, Ann <ann@a.example>",
            "an(x)n@a.example",
            "an\"n\"@a.example",
            "ann (home) @a.example",
            "<ann@a.example",
            "Ann \"x <ann@a.example>",
            "Ann (x <ann@a.example>",
            "<mailto:ann@a.example>",
            "<@one.example:ann@a.example>",
            "",
        ] {
            assert!(!names_alone(from.as_bytes(), "ann@a.example"), "{from}");
        }
        // The sign of the kelvin in lower case is a k.
        assert!(!names_alone("<\u{212a}im@a.example>".as_bytes(), "kim@a.example"));
    }
}
