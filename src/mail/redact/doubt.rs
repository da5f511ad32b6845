//! What follows a card number that the words before it call something else: `order 4111... exp 12/27 cvv 123`.

use super::{
    found::Found,
    label::{self, Label},
    letters::is_star,
    number::STARS,
};

/// Letters after a number that are looked at.
const LETTERS_MAX: usize = 64;
/// Words before a date that may say that a card ends then.
const WORDS_BEFORE_DATE_MAX: usize = 3;
/// Words from a code's name to the code, and its digits.
const WORDS_BEFORE_CODE_MAX: usize = 2;
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 3..=4;
/// Words from `is` to the card that a number is of: `is the number of my card`.
const WORDS_BEFORE_CARD_MAX: usize = 4;
/// Years in which cards end, so far that most days of a month are none of them.
const YEARS: std::ops::RangeInclusive<u32> = 20..=49;

/// A number that is a card's or not, and what came after it.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    number: Found,
    label: Label,
    after: String,
    letters: usize,
    stars: usize,
}

impl Doubt {
    pub(super) fn new(number: Found, label: Label, after: &str) -> Self {
        let mut doubt = Doubt { number, label, ..Doubt::default() };
        for letter in after.chars() {
            doubt.push(letter);
        }
        doubt
    }

    /// There is no such number.
    pub(super) fn is_settled(&self) -> bool {
        self.number.cards == 0
    }

    /// Takes in what follows. Whether that is enough to settle it; after what is left of another card nothing is this one's.
    pub(super) fn push(&mut self, letter: char) -> bool {
        if self.is_settled() {
            return false;
        }
        self.letters += 1;
        self.stars += usize::from(is_star(letter));
        let is_over = self.letters > LETTERS_MAX || self.stars >= *STARS.start();
        if !is_over {
            self.after.push(letter);
        }
        is_over
    }

    /// What is to be cut of it.
    pub(super) fn settle(self) -> Found {
        if !self.is_settled() && is_card(&self.after, self.label) { self.number } else { Found::default() }
    }
}

/// Whether a card is told by what follows its number.
fn is_card(after: &str, label: Label) -> bool {
    let words = words(after);
    has_code(&words) || has_end(&words, label) || is_called_card(&words)
}

/// Letters or digits in a row, and what parts them from those before.
struct Word<'a> {
    before: &'a str,
    lower: String,
}

impl Word<'_> {
    fn is_number(&self) -> bool {
        self.lower.starts_with(|letter: char| letter.is_ascii_digit())
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut rest = text;
    let mut words = Vec::new();
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let (before, word) = rest.split_at(start);
        let is_digit = word.starts_with(|letter: char| letter.is_ascii_digit());
        let end = word.find(|letter: char| !letter.is_alphanumeric() || letter.is_ascii_digit() != is_digit).unwrap_or(word.len());
        words.push(Word { before, lower: word[..end].to_lowercase() });
        rest = &word[end..];
    }
    words
}

/// `CVV 123`, wherever it stands.
fn has_code(words: &[Word<'_>]) -> bool {
    let is_code = |word: &Word<'_>| word.is_number() && CODE_DIGITS.contains(&word.lower.len());
    let named = words.iter().enumerate().filter(|(_, word)| CODES.contains(&word.lower.as_str()));
    named.into_iter().any(|(at, _)| words[at + 1..].iter().take(WORDS_BEFORE_CODE_MAX + 1).any(is_code))
}

/// `exp. 12/27`, or that date alone on the same line, unless the number is never a card's.
fn has_end(words: &[Word<'_>], label: Label) -> bool {
    let Some(date) = words.iter().take(WORDS_BEFORE_DATE_MAX + 1).position(Word::is_number) else { return false };
    let stands_behind = words[0].before.chars().all(|letter| matches!(letter, ' ' | '\t' | ',' | ';' | ':' | '(' | '|' | '/' | '-'));
    let is_told = if date == 0 { label != Label::Other && stands_behind } else { words[..date].iter().any(|word| label::begins(&word.lower, &ENDS)) };
    is_told && is_month_of_year(&words[date..])
}

fn is_month_of_year(words: &[Word<'_>]) -> bool {
    let [month, year, rest @ ..] = words else { return false };
    let number = |word: &Word<'_>| word.lower.parse::<u32>().unwrap_or_default();
    let is_year = match year.lower.len() {
        2 => YEARS.contains(&number(year)),
        4 => YEARS.contains(&number(year).saturating_sub(2_000)),
        _ => false,
    };
    let goes_on = rest.first().is_some_and(|next| matches!(next.before, "/" | "-" | "." | ":") && next.is_number());
    (1..=12).contains(&number(month)) && month.lower.len() <= 2 && is_year && matches!(year.before.trim(), "/" | "-") && !goes_on
}

/// `is my card`, `is the number of my card`; not `is paid with my card`.
fn is_called_card(words: &[Word<'_>]) -> bool {
    let [is, rest @ ..] = words else { return false };
    let is_sentence = is.before.chars().all(|letter| !matches!(letter, '.' | '!' | '?' | '\n'));
    if !is_sentence || !IS.contains(&is.lower.as_str()) {
        return false;
    }
    let Some(card) = rest.iter().take(WORDS_BEFORE_CARD_MAX + 1).position(|word| label::is_card_name(&word.lower)) else { return false };
    let is_mine = card > 0 && MINE.contains(&rest[0].lower.as_str());
    is_mine || label::is_numbered_name(&rest[card].lower) || rest.iter().take(card + 2).any(|word| label::is_number_word(&word.lower))
}

/// Names of the digits on the back of a card.
const CODES: [&str; 8] = ["cvv", "cvc", "cvn", "csc", "prüfziffer", "kartenprüfnummer", "prüfnummer", "cryptogramme"];

/// Beginnings of words for the end of a card's time. Words of up to four letters are whole.
const ENDS: [&str; 15] =
    ["exp", "expir", "valid", "gültig", "ablauf", "verfall", "válid", "caduc", "venci", "scad", "scaden", "verval", "geldig", "ważn", "gyldig"];

const IS: [&str; 9] = ["is", "ist", "est", "es", "è", "é", "jest", "är", "er"];

const MINE: [&str; 18] =
    ["my", "our", "meine", "unsere", "ma", "notre", "mi", "nuestra", "mia", "nostra", "minha", "nossa", "mijn", "onze", "moja", "mitt", "mit", "vår"];

#[cfg(test)]
mod tests {
    use crate::mail::redact::redact_text;

    #[test]
    fn what_follows_may_tell_a_card_whatever_stands_before_it() {
        for (before, after) in [
            ("Order ", " 12/27 123"),
            ("Order ", ", 12/27"),
            ("Order ", " (12/2027)"),
            ("Reference ", " exp 12/27 cvv 123"),
            ("Reference ", "\nExp. date: 12-27\nCode: 123"),
            ("Auftrag ", ", gültig bis 04/29"),
            ("Order ", ", Ann Lee, CVV: 123"),
            ("Order ", " CVV2 123"),
            ("phone ", " exp 1/30"),
            ("tracking ", " exp 1/30"),
            ("ticket ", " is my card number"),
            ("ticket ", " is my company credit card"),
            ("Ticket ", " ist die Nummer meiner Karte"),
            ("commande ", " est le numéro de ma carte"),
        ] {
            let text = format!("{before}4111111111111111{after}");
            let expected = format!("{before}************1111{after}");
            assert_eq!(redact_text(&text), (expected.clone(), 1));
            assert_eq!(redact_text(&expected).1, 0);
        }
    }

    #[test]
    fn what_follows_an_order_does_not_make_a_card_of_it() {
        for text in [
            "Order 4111111111111111 is paid with my card",
            "Order 4111111111111111 is paid by card",
            "Order 4111111111111111 was charged to my card",
            "Order 4111111111111111. My card number is wrong",
            "Order 4111111111111111 12/27/2026",
            "Order 4111111111111111 12/11",
            "Order 4111111111111111\n12/27 two more",
            "Order 4111111111111111 13/27",
            "Order 4111111111111111 expected 12/27",
            "Order 4111111111111111 asks me for a CVV, why?",
            "tracking 4111111111111111 12/27",
        ] {
            assert_eq!(redact_text(text), (text.to_owned(), 0));
        }
        let text = "Order 4111111111111111, card 5555555555554444 exp 12/27 cvv 123";
        assert_eq!(redact_text(text), (text.replace("555555555555", "************"), 1));
        assert_eq!(redact_text(&redact_text(text).0).1, 0);
    }
}
