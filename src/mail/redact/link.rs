//! Links to telephones and mailboxes: the words in them are written with percent signs (RFC 3986, section 2.1). Other addresses are read as they stand.

use std::{mem, ops::Range};

/// Letters of a scheme.
const SCHEME_LETTERS_MAX: usize = 6;

/// What programs make of a number that looks like a telephone's to them, and what may bring words along.
const SCHEMES: [&str; 3] = ["mailto", "sms", "tel"];

pub(super) fn is_scheme(word: &str) -> bool {
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Watches a text for such links.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The letters of ASCII in a row by now.
    word: String,
    is_open: bool,
}

impl Links {
    /// Whether this letter is in a link, or ends it.
    pub(super) fn contain(&mut self, letter: char) -> bool {
        let was_open = self.is_open;
        if letter.is_ascii_alphabetic() {
            // One more tells a longer word.
            if self.word.len() <= SCHEME_LETTERS_MAX {
                self.word.push(letter);
            }
            return was_open;
        }
        self.is_open = if was_open { !ends_link(letter) } else { letter == ':' && is_scheme(&self.word) };
        self.word.clear();
        was_open
    }

    pub(super) fn forget(&mut self) {
        *self = Links::default();
    }
}

fn ends_link(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '<' | '>')
}

/// A letter and where it stands.
type Placed = (char, Range<usize>);

/// Undoes percent signs.
#[derive(Debug, Default)]
pub(super) struct Escapes {
    /// A sign and a digit after it.
    held: Vec<Placed>,
    /// Bytes of a letter that is not whole yet, and where it begins.
    bytes: Vec<u8>,
    start: usize,
}

impl Escapes {
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.bytes.is_empty()
    }

    /// What this letter and those that were held make together.
    pub(super) fn push(&mut self, letter: char, at: Range<usize>) -> Vec<Placed> {
        let goes_on = if self.held.is_empty() { letter == '%' } else { letter.is_ascii_hexdigit() };
        if !goes_on {
            let mut letters = self.finish();
            // It may be the sign of another.
            if letter == '%' {
                self.held.push((letter, at))
            } else {
                letters.push((letter, at))
            }
            return letters;
        }
        self.held.push((letter, at));
        if self.held.len() < 3 {
            return Vec::new();
        }
        if self.bytes.is_empty() {
            self.start = self.held[0].1.start;
        }
        let end = self.held[2].1.end;
        self.bytes.push(self.held.iter().filter_map(|(letter, _)| letter.to_digit(16)).fold(0, |byte, digit| byte << 4 | digit as u8));
        match std::str::from_utf8(&self.bytes).map(|letter| letter.chars().next()) {
            Err(error) if error.error_len().is_none() => {
                self.held.clear();
                Vec::new()
            }
            Ok(Some(letter)) => {
                self.held.clear();
                self.bytes.clear();
                vec![(letter, self.start..end)]
            }
            // No UTF-8, and so not written for what it seems: the stripe of a card begins with `%B4`.
            _ => self.finish(),
        }
    }

    /// What was held and goes on no more.
    pub(super) fn finish(&mut self) -> Vec<Placed> {
        self.bytes.clear();
        mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut escapes = Escapes::default();
        let mut letters: Vec<Placed> = text.char_indices().flat_map(|(at, letter)| escapes.push(letter, at..at + letter.len_utf8())).collect();
        letters.extend(escapes.finish());
        letters.into_iter().map(|(letter, _)| letter).collect()
    }

    #[test]
    fn what_is_escaped_is_read_and_anything_else_stays() {
        for (written, meant) in [
            ("4111%201111", "4111 1111"),
            ("4111%C2%A01111%e2%80%911", "4111\u{a0}1111\u{2011}1"),
            ("%34%31", "41"),
            ("%%34%3", "%4%3"),
            ("%zz100% a", "%zz100% a"),
            ("%ff4%C2", "%ff4"),
            ("%B4111", "%B4111"),
        ] {
            assert_eq!(read(written), meant);
        }
    }

    #[test]
    fn a_link_goes_from_its_scheme_to_the_next_blank() {
        let mut links = Links::default();
        let inside: String = "<tel:41%20> hotel:1 MAILTO:a@b?c http://d".chars().filter(|letter| links.contain(*letter)).collect();
        assert_eq!(inside, "41%20>a@b?c ");
    }
}
