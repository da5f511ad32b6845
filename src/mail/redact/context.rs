//! What stands before a number: what is joined to it, an account number that goes on in it, what was left of a card.

use std::collections::VecDeque;

use super::{
    label::{self, Label},
    letters::{Class, class, is_star},
    number::{self, LEFT_OVER, STARS},
    run::Beginning,
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
            Some('_' | '@' | '%') => true,
            Some('-' | '/') => further.is_some_and(|letter| letter.is_ascii_alphanumeric()),
            Some(letter) => is_joining(letter),
            None => false,
        };
        Beginning {
            // A card's name may be joined to its number; anything else so joined is an identifier.
            joined: joined && !in_track && (matches!(before, Some('@' | '%')) || !label::names_card_at_end(&tail)),
            plus: before == Some('+'),
            in_address: self.in_address,
            left_over: if self.follows_stars() { LEFT_OVER } else { 0 },
            country: country(&tail),
            in_iban: is_in_iban(&tail),
            label: if in_track { Label::None } else { label::of(&tail) },
        }
    }

    fn back(&self, distance: usize) -> Option<char> {
        self.letters.iter().rev().nth(distance).copied()
    }

    /// As many stars as a card loses, with what may stand between its groups.
    fn follows_stars(&self) -> bool {
        let gap = |letter: char| class(letter) != Class::Other || matches!(letter, '>' | '|');
        let not_digit = |letter: &&char| !matches!(class(**letter), Class::Digit(_));
        let stretch = self.letters.iter().rev().take_while(not_digit).take_while(|letter| is_star(**letter) || gap(**letter));
        STARS.contains(&stretch.filter(|letter| is_star(**letter)).count())
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

/// `DE` of `DE89 3704...`, with a blank after it or without.
fn country(tail: &str) -> Option<String> {
    let trimmed = tail.strip_suffix(' ').unwrap_or(tail);
    let word = &trimmed
        [trimmed.rfind(|letter: char| !letter.is_alphanumeric()).map_or(0, |at| at + trimmed[at..].chars().next().map_or(0, char::len_utf8))..];
    number::is_iban_country(word).then(|| word.to_owned())
}

/// The words before are the beginning of an account number with letters in it: `GB29 NWBK`.
fn is_in_iban(tail: &str) -> bool {
    let mut letters = 0;
    for word in tail.rsplit(' ').skip_while(|word| word.is_empty()) {
        let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        letters += word.len();
        if !plain || letters > IBAN_LETTERS_MAX {
            return false;
        }
        let begins = word.len() >= 4 && word.as_bytes()[2..4].iter().all(u8::is_ascii_digit) && number::is_iban_country(&word[..2]);
        if begins {
            return letters > 4;
        }
    }
    false
}
