//! What stands before a number: what is joined to it, an account number that goes on in it, what was left of a card.

use std::collections::VecDeque;

use super::{
    label::{self, Label},
    letters::{Class, class, is_star},
    number::{self, LEFT_OVER, STARS},
    run::{Beginning, EMPHASIS_MAX},
};

/// Letters that are remembered.
const BEHIND_MAX: usize = 96;
/// Letters and digits of an account number (ISO 13616).
const IBAN_LETTERS_MAX: usize = 34;

/// The letters before the present one.
#[derive(Debug, Default)]
pub(super) struct Behind {
    letters: VecDeque<char>,
    /// In the present word there is `://`, or it began with `www.`.
    in_address: bool,
}

impl Behind {
    pub(super) fn push(&mut self, letter: char) {
        if self.letters.len() == BEHIND_MAX {
            self.letters.pop_front();
        }
        self.letters.push_back(letter);
        if ends_word(letter) {
            self.in_address = false;
        } else if matches!(letter, '/' | '.') {
            self.in_address |= self.ends_with("://") || self.ends_with("www.");
        }
    }

    pub(super) fn forget(&mut self) {
        self.letters.clear();
        self.in_address = false;
    }

    fn ends_with(&self, end: &str) -> bool {
        end.chars().rev().zip(self.letters.iter().rev()).filter(|(one, other)| other.eq_ignore_ascii_case(one)).count() == end.chars().count()
    }

    /// What is known of a run of digits that begins here and that this letter follows. Costly, and so asked only where a card may be.
    pub(super) fn beginning(&self, next: Option<char>) -> Beginning {
        let (before, further) = (self.back(0), self.back(1));
        let tail: String = self.letters.iter().collect();
        // The magnetic stripe of a card as readers type it (ISO/IEC 7813): no other number is written so.
        let in_track = next == Some('^') || before == Some(';') && next == Some('=');
        let joined = match before {
            Some('@' | '%') => true,
            Some('_') => self.is_underscored(),
            Some('-' | '/') => further.is_some_and(|letter| letter.is_ascii_alphanumeric()),
            Some(letter) => is_joining(letter),
            None => false,
        };
        Beginning {
            is_known: true,
            // A card's name may be joined to its number; anything else so joined is an identifier.
            joined: joined && (before == Some('%') || !in_track) && (matches!(before, Some('@' | '%')) || !label::names_card_at_end(&tail)),
            plus: before == Some('+'),
            in_address: self.in_address,
            left_over: if self.follows_stars() { LEFT_OVER } else { 0 },
            account: account(&tail),
            label: match () {
                () if in_track => Label::None,
                () if self.is_dialed() => Label::Link,
                () => label::of(&tail),
            },
        }
    }

    /// The parts of a name in a program are joined so. Around a word it is emphasis, and many make a line to fill in.
    fn is_underscored(&self) -> bool {
        let marks = self.letters.iter().rev().take_while(|letter| **letter == '_').count();
        marks <= EMPHASIS_MAX && self.back(marks).is_some_and(char::is_alphanumeric)
    }

    /// After `tel:`, without a blank and in small letters (RFC 3966): programs write such links for whatever looks like a telephone number to them.
    fn is_dialed(&self) -> bool {
        self.letters.iter().rev().copied().take(4).eq(":let".chars()) && !self.back(4).is_some_and(char::is_alphanumeric)
    }

    fn back(&self, distance: usize) -> Option<char> {
        self.letters.iter().rev().nth(distance).copied()
    }

    /// As many stars as a card loses, with what may stand between its groups, or more where each group has marks of emphasis of its own.
    fn follows_stars(&self) -> bool {
        let gap = |letter: char| class(letter) != Class::Other || matches!(letter, '>' | '|' | '_');
        let not_digit = |letter: &&char| !matches!(class(**letter), Class::Digit(_));
        let stretch = || self.letters.iter().rev().take_while(not_digit).take_while(|letter| is_star(**letter) || gap(**letter));
        let stars = stretch().filter(|letter| is_star(**letter)).count();
        let is_emphasized = || self.back(0).is_some_and(is_star) && stretch().skip_while(|letter| is_star(**letter)).any(|letter| is_star(*letter));
        // No card is broken where it is written in one: such stars are an ornament above it.
        let is_ornament = || {
            let above = || stretch().skip_while(|letter| !is_star(**letter));
            let has_break = stretch().take_while(|letter| !is_star(**letter)).any(|letter| class(*letter) == Class::Break);
            has_break && above().take_while(|letter| is_star(**letter)).count() == stars
        };
        STARS.contains(&stars) && !is_ornament() || stars > *STARS.end() && is_emphasized()
    }
}

/// What ends a word for the marks of a web address or an identifier.
pub(super) fn ends_word(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '|')
}

/// Letters of scripts that part words by blanks. Chinese and Japanese write a number amid the words.
pub(super) fn is_joining(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter < '\u{590}' && letter.is_alphabetic()
}

/// The beginning of an account number in the words at the end: `DE` of `DE89 3704...`, with a blank after it or without, or `GB29 NWBK`.
fn account(tail: &str) -> Option<String> {
    let mut beginning = String::new();
    for word in tail.trim_end_matches(' ').rsplit(' ') {
        let last = word.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        let is_plain = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        // No bank is called as a card is.
        if !is_plain || beginning.len() + last.len() > IBAN_LETTERS_MAX || label::names_card_at_end(last) {
            return None;
        }
        beginning.insert_str(0, last);
        let begins =
            last.len() == 2 && beginning.len() == 2 || last.len() >= 4 && beginning.len() > 4 && last.as_bytes()[2..4].iter().all(u8::is_ascii_digit);
        if begins && number::is_iban_country(&last[..2]) {
            return Some(beginning);
        }
        if last.len() < word.len() {
            return None;
        }
    }
    None
}
