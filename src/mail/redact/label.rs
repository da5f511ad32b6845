//! What the words before a number say that it is. The last of them decides, unless it is an order's or a telephone's number by which somebody says
//! what the card is for: `card number for this order: ...`.

mod words;

use super::{
    letters::is_star,
    number::{DIGITS, LEFT_OVER, STARS},
};
use words::{ACCOUNTS, CARD_ENDINGS, CARD_LETTERS, CARDS, FILLERS, GOODS, NEVER, NUMBER_ENDINGS, NUMBER_WORDS, ORDERS, PAYING, PHONES};

/// What a number is, by the words before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Label {
    /// They do not say, or say that it is a card.
    #[default]
    None,
    /// Never a card.
    Other,
    /// Of a telephone.
    Phone,
    /// Of a link that dials it.
    Link,
    /// Of something that is numbered in one group.
    InOne,
}

/// Words between a label and its number: `order number is`.
const FILLERS_MAX: usize = 3;
/// Words from `number` to what it is of: `número de la tarjeta`.
const NUMBER_OF_MAX: usize = 3;
/// Bytes of words that stand for themselves alone, in ASCII and elsewhere.
const SHORT_BYTES: usize = 4;
const SHORT_BYTES_ELSEWHERE: usize = 9;

/// What the words at the end of this text call the number after it.
pub(super) fn of(tail: &str) -> Label {
    let is_telling = |word: &Word<'_>| !is_number_word(&word.lower) && !FILLERS.contains(&word.lower.as_str());
    let Some((place, word)) = words(tail).take(FILLERS_MAX + 1).enumerate().find(|(_, word)| is_telling(word)) else { return Label::None };
    if word.lower.bytes().all(|byte| byte.is_ascii_digit()) {
        return Label::None;
    }
    let label = match word.lower.as_str() {
        lower if begins(lower, &NEVER) => Label::Other,
        lower if begins(lower, &GOODS) => return Label::InOne,
        lower if begins(lower, &PHONES) => Label::Phone,
        lower if begins(lower, &ORDERS) || is_account(lower) && is_account_number(tail, place) => Label::InOne,
        "s" | "p" if is_abbreviated(tail, place) => Label::InOne,
        _ => return Label::None,
    };
    if is_card_for(&words(tail).collect::<Vec<_>>(), place, label == Label::Other) { Label::None } else { label }
}

fn is_account(lower: &str) -> bool {
    ACCOUNTS.contains(&without_number(lower))
}

/// Whether the account at this place is called by its number. Without that, people mean what pays.
fn is_account_number(tail: &str, place: usize) -> bool {
    tail.trim_end().ends_with('#') || is_numbered_at(&words(tail).take(place + 1 + NUMBER_OF_MAX).collect::<Vec<_>>(), place)
}

/// Whether the word at this place, or one beside it, says that it is a number.
fn is_numbered_at(words: &[Word<'_>], at: usize) -> bool {
    let before = words.iter().skip(at + 1).take(NUMBER_OF_MAX);
    let after = at.checked_sub(1).map(|after| &words[after]);
    is_numbered_name(&words[at].lower) || after.into_iter().chain(before).any(|word| is_number_word(&word.lower))
}

/// `S/N` and `P/N`: the `N` is the word after this one.
fn is_abbreviated(tail: &str, place: usize) -> bool {
    let after = place.checked_sub(1).and_then(|after| words(tail).nth(after));
    after.is_some_and(|after| after.lower == "n" && after.before == "/")
}

/// Whether the word at the end, or the one before `number`, is a card's name.
pub(super) fn names_card_at_end(tail: &str) -> bool {
    words(tail).take(2).find(|word| !is_number_word(&word.lower)).is_some_and(|word| {
        let name = without_number(&word.lower);
        names_card(&word) || CARD_LETTERS.contains(&name)
    })
}

/// Whether the sentence is of a card up to the label at this place: then the label says what the card is for. `Order number` is clearer, and gives
/// way to a card's number alone, and so does what is never a card's. A card's number is an account's too.
fn is_card_for(words: &[Word<'_>], label: usize, is_never: bool) -> bool {
    let is_numbered = |at: usize| is_numbered_at(words, at);
    let is_account = is_account(&words[label].lower);
    let is_clear = is_never || is_numbered(label) && !is_account;
    for (at, word) in words.iter().enumerate().skip(label) {
        let is_card = names_card(word) || is_capital_abbreviation(word) || is_account && begins(&word.lower, &PAYING);
        if is_card && (!is_clear || is_numbered(at)) {
            return true;
        }
        if word.is_long_number() || word.begins_sentence() || is_clear && word.before.contains([',', '、', '，']) {
            return false;
        }
    }
    false
}

/// A word, and what parts it from the one before.
struct Word<'a> {
    before: &'a str,
    text: &'a str,
    lower: String,
}

impl Word<'_> {
    /// As long as a card's number, or what is left of one, and not a date: what stands before has its number already.
    fn is_long_number(&self) -> bool {
        let has_length = self.text.len() == LEFT_OVER && !self.before.contains('/') || self.text.len() >= *DIGITS.start();
        let stars = self.before.chars().filter(|letter| is_star(*letter)).count();
        has_length && self.text.bytes().all(|byte| byte.is_ascii_digit()) || stars >= *STARS.start()
    }

    /// Also where a line or a cell begins. After an abbreviation a sentence goes on in small letters, as it does in a line that was wrapped.
    fn begins_sentence(&self) -> bool {
        let is_capital = !self.text.starts_with(char::is_lowercase);
        self.before.contains(['!', '?', ';', '。', '！', '？', '；']) || is_capital && self.before.contains(['.', '\n', '\t', '|'])
    }
}

/// From the last to the first.
fn words(tail: &str) -> impl Iterator<Item = Word<'_>> {
    let is_letter = |letter: char| letter.is_alphanumeric() || matches!(letter, 'º' | '№');
    let mut rest = tail;
    std::iter::from_fn(move || {
        let upto = rest.trim_end_matches(|letter| !is_letter(letter));
        let start = upto.trim_end_matches(is_letter).len();
        let text = &upto[start..];
        rest = &upto[..start];
        let before = &rest[rest.trim_end_matches(|letter| !is_letter(letter)).len()..];
        (!text.is_empty()).then(|| Word { before, text, lower: text.to_lowercase() })
    })
}

/// Whether a word is one of these, or begins with one of the longer ones.
pub(super) fn begins(lower: &str, names: &[&str]) -> bool {
    names.iter().any(|name| match (name.is_ascii(), name.len()) {
        (true, 0..=SHORT_BYTES) => lower == *name,
        // Chinese, Japanese and Korean do not part words.
        (false, 0..=SHORT_BYTES_ELSEWHERE) => lower.contains(name),
        _ => lower.starts_with(name),
    })
}

fn names_card(word: &Word<'_>) -> bool {
    is_card_name(&word.lower)
}

/// Whether this word in small letters is a card, or its number.
pub(super) fn is_card_name(lower: &str) -> bool {
    let name = without_number(lower);
    let ends = |ending: &&str| if ending.is_ascii() { name.ends_with(ending) } else { name.contains(ending) };
    CARDS.contains(&name) || CARD_ENDINGS.iter().any(ends)
}

fn is_capital_abbreviation(word: &Word<'_>) -> bool {
    CARD_LETTERS.contains(&word.lower.as_str()) && word.text.chars().all(char::is_uppercase)
}

pub(super) fn is_number_word(lower: &str) -> bool {
    NUMBER_WORDS.contains(&lower)
}

/// Whether it says that it is a number: `kartennummer`.
pub(super) fn is_numbered_name(lower: &str) -> bool {
    without_number(lower) != lower
}

/// `karten` of `kartennummer`.
fn without_number(lower: &str) -> &str {
    NUMBER_ENDINGS.iter().find_map(|ending| lower.strip_suffix(ending)).unwrap_or(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_goods_orders_and_accounts_are_known_in_many_languages() {
        for tail in [
            "Artikelnummer: ",
            "Art.-Nr. ",
            "Article number: ",
            "S/N: ",
            "P/N ",
            "Seriennr.: ",
            "Numéro de série ",
            "Nº de serie: ",
            "Numero di serie ",
            "Nr seryjny ",
            "Bestelnummer: ",
            "Ordrenummer: ",
            "Tilausnumero: ",
            "Číslo objednávky: ",
            "Objednávka č. ",
            "Rendelésszám: ",
            "Sipariş No: ",
            "Sipariş numarası: ",
            "Comanda nr. ",
            "Αριθμός παραγγελίας: ",
            "Laskun numero: ",
            "Asset tag ",
            "Inventarnummer: ",
            "Kontonummer: ",
            "Account no. ",
            "Rekeningnummer ",
            "RMA # ",
            "Zamówienie numer ",
            "I paid by card. Account number: ",
        ] {
            assert_eq!(of(tail), Label::InOne, "{tail}");
        }
    }

    #[test]
    fn a_card_near_a_label_wins() {
        for tail in [
            "card account number ",
            "Kreditkarte, Kontonummer: ",
            "card number for RMA # ",
            "Kortin numero tilaukselle ",
            "Číslo karty objednávky ",
            "Bankkártya száma a rendelés ",
            "Contact: ",
            "my card's ",
            "Please charge my account ",
            "Please charge my account number ",
            "Bitte belasten Sie Kontonummer ",
            "Konto ",
            "n/s ",
        ] {
            assert_eq!(of(tail), Label::None, "{tail}");
        }
        assert!(names_card_at_end("Luottokortin numero: ") && names_card_at_end("Αριθμός κάρτας "));
    }
}
