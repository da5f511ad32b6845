//! What stands before a number: words that say what it is, an account number that goes on in it, what was left of a card.

use std::collections::VecDeque;

use super::{
    letters::{Class, class, is_star},
    number::{self, LEFT_OVER},
    run::Beginning,
};

/// Letters that are remembered.
const BEHIND_MAX: usize = 96;
/// Words between a label and its number: `order number is`.
const FILLERS_MAX: usize = 3;
/// Letters and digits of an account number (ISO 13616).
const IBAN_LETTERS_MAX: usize = 34;
/// Bytes of words that stand for themselves alone, in ASCII and elsewhere.
const SHORT_BYTES: usize = 4;
const SHORT_BYTES_ELSEWHERE: usize = 9;
/// Stars of a card that was cut: its digits but four.
const STARS: std::ops::RangeInclusive<usize> = 9..=15;

/// Words that say nothing of what a number is of.
const FILLERS: [&str; 22] = [
    "no",
    "nr",
    "num",
    "number",
    "numbers",
    "nummer",
    "numero",
    "número",
    "numéro",
    "n",
    "nº",
    "is",
    "ist",
    "est",
    "es",
    "code",
    "the",
    "was",
    "1",
    "2",
    "№",
    "номер",
];

/// Beginnings of words for numbers that are never a card's, in whatever groups they are written. Words of up to four letters are whole.
const NEVER: [&str; 50] = [
    "imei",
    "imeisv",
    "meid",
    "esn",
    "iccid",
    "eid",
    "imsi",
    "isbn",
    "issn",
    "ean",
    "gtin",
    "upc",
    "barcode",
    "sscc",
    "siret",
    "siren",
    "vat",
    "ustid",
    "tracking",
    "track",
    "trackingnummer",
    "awb",
    "waybill",
    "parcel",
    "shipment",
    "consignment",
    "sendung",
    "paket",
    "colis",
    "suivi",
    "seguimiento",
    "rastreo",
    "rastreamento",
    "spedizione",
    "przesyłk",
    "отправлен",
    "трек",
    "追跡",
    "運單",
    "运单",
    "快递",
    "tel",
    "telefon",
    "telephone",
    "téléphone",
    "teléfono",
    "phone",
    "fax",
    "mobil",
    "電話",
];

/// The same for numbers that are a card's only if they are grouped as a card.
const IN_ONE: [&str; 50] = [
    "order",
    "orders",
    "po",
    "invoice",
    "inv",
    "receipt",
    "ticket",
    "case",
    "ref",
    "reference",
    "id",
    "uid",
    "serial",
    "sn",
    "sku",
    "item",
    "part",
    "customer",
    "booking",
    "reservation",
    "bestell",
    "auftrag",
    "rechnung",
    "seriennummer",
    "kundennummer",
    "vorgang",
    "commande",
    "facture",
    "référence",
    "client",
    "pedido",
    "factura",
    "referencia",
    "ordine",
    "fattura",
    "fatura",
    "encomenda",
    "bestelling",
    "factuur",
    "zamówieni",
    "faktur",
    "заказ",
    "счёт",
    "счет",
    "注文",
    "請求",
    "订单",
    "訂單",
    "发票",
    "주문",
];

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

    /// What is known of a run of digits that begins here. Costly, and so asked only where a card may be.
    pub(super) fn beginning(&self) -> Beginning {
        let (before, further) = (self.back(0), self.back(1));
        let joined = match before {
            Some('_' | '@' | '%') => true,
            // A card's name may be joined to its number; anything else so joined is an identifier.
            Some('-' | '/') => further.is_some_and(|letter| letter.is_ascii_alphanumeric()) && !self.names_card(),
            Some(letter) => is_joining(letter),
            None => false,
        };
        let tail: String = self.letters.iter().collect();
        let (never, in_one) = labels(&tail);
        Beginning {
            joined,
            plus: before == Some('+'),
            in_address: self.in_address,
            left_over: if self.follows_stars() { LEFT_OVER } else { 0 },
            country: country(&tail),
            in_iban: is_in_iban(&tail),
            named_otherwise: never,
            named_otherwise_if_solid: in_one,
        }
    }

    fn back(&self, distance: usize) -> Option<char> {
        self.letters.iter().rev().nth(distance).copied()
    }

    fn names_card(&self) -> bool {
        let word: String = self.letters.iter().rev().skip(1).take_while(|letter| letter.is_alphabetic()).collect();
        let word: String = word.chars().rev().collect::<String>().to_lowercase();
        ["card", "karte", "carte", "carta", "tarjeta", "visa", "mastercard", "amex", "pan", "cc"].iter().any(|name| word.ends_with(name))
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

/// Whether the last word names a number that is no card's: in any groups, in one.
fn labels(tail: &str) -> (bool, bool) {
    let words = tail.rsplit(|letter: char| !letter.is_alphanumeric() && letter != 'º' && letter != '№').filter(|word| !word.is_empty());
    for word in words.take(FILLERS_MAX + 1) {
        let lower = word.to_lowercase();
        if FILLERS.contains(&lower.as_str()) {
            continue;
        }
        let named = |names: &[&str]| {
            names.iter().any(|name| match (name.is_ascii(), name.len()) {
                (true, 0..=SHORT_BYTES) => lower == *name,
                // Chinese, Japanese and Korean do not part words.
                (false, 0..=SHORT_BYTES_ELSEWHERE) => lower.contains(name),
                _ => lower.starts_with(name),
            })
        };
        if lower.bytes().all(|byte| byte.is_ascii_digit()) {
            return (false, false);
        }
        return (named(&NEVER), named(&IN_ONE));
    }
    (false, false)
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
