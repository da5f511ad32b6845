//! Which digits can be a payment card's: length, check digit, issuer, and what else carries the same check digit.

/// Digits of a card number (ISO/IEC 7812).
pub(super) const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Digits that are left of a card that was cut.
pub(super) const LEFT_OVER: usize = 4;

/// Stars of a card that was cut.
pub(super) const STARS: std::ops::RangeInclusive<usize> = *DIGITS.start() - LEFT_OVER..=*DIGITS.end() - LEFT_OVER;

/// IBANs by country: letters and digits of one, with the country and its two check digits (ISO 13616).
const IBANS: [(&str, usize); 72] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("XK", 20),
];

/// By length, check digit and issuer.
pub(super) fn is_card(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len()) && luhn(digits) && is_issued(digits) && !is_article_number(digits)
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
        // Diners Club: of fifteen digits are other things, such as the serial numbers of mobile phones.
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => length == 14 || (16..=19).contains(&length),
        // JCB, and in its range RuPay and LankaPay
        352_800..=358_999 => (16..=19).contains(&length),
        // Discover, UnionPay
        601_100..=601_199 | 620_000..=629_999 | 644_000..=659_999 | 810_000..=817_199 => (16..=19).contains(&length),
        // RuPay, Hipercard, Elo, Troy, Uzcard, Humo
        606_282 | 606_900..=608_499 | 817_200..=819_999 | 636_297 | 636_368 | 979_200..=979_299 | 860_000..=860_099 | 986_000..=986_099 => {
            length == 16
        }
        // Mir, Borica and PayPak
        220_000..=220_599 => (16..=19).contains(&length),
        // Maestro where it has its own ranges
        501_800..=501_899 | 502_000..=502_099 | 503_800..=503_899 | 589_300..=589_399 | 630_400..=630_499 | 675_900..=675_999 | 676_100..=676_399 => {
            DIGITS.contains(&length)
        }
        // Maestro and national schemes: Verve, RuPay, Elo, Bancontact, girocard
        500_000..=509_999 | 560_000..=589_999 | 639_000..=639_099 | 670_000..=679_999 => (16..=19).contains(&length),
        _ => false,
    }
}

/// An EAN-13 begins with 4 in Germany, Japan and elsewhere, and one in ten passes the Luhn check; cards of 13 digits are hardly issued any more.
fn is_article_number(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().enumerate().map(|(place, digit)| u32::from(*digit) * if place % 2 == 1 { 3 } else { 1 }).sum();
    digits.len() == 13 && sum.is_multiple_of(10)
}

/// How many of the digits belong to the IBAN that begins with what stands before them: its country's capitals, or those and more. None where they are too
/// few, so that the check cannot be made.
pub(super) fn iban_digits(before: &str, digits: &[u8]) -> Option<usize> {
    let length = IBANS.iter().find(|(country, _)| before.starts_with(country)).map_or(0, |(_, length)| *length);
    let Some(missing) = length.checked_sub(before.len()) else { return Some(0) };
    let digits = digits.get(..missing)?;
    let whole: Vec<u32> = before.chars().filter_map(|letter| letter.to_digit(36)).chain(digits.iter().copied().map(u32::from)).collect();
    // The country and the check digits stand at the end, and letters count as 10 to 35 (ISO 7064, MOD 97-10).
    let moved = whole.iter().cycle().skip(4).take(whole.len());
    let rest = moved.fold(0, |rest, value| (rest * if *value > 9 { 100 } else { 10 } + value) % 97);
    Some(if rest == 1 { missing } else { 0 })
}

pub(super) fn is_iban_country(country: &str) -> bool {
    IBANS.iter().any(|(known, _)| *known == country)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
    }

    #[test]
    fn numbers_that_networks_publish_for_tests_are_cards() {
        for card in [
            "4111111111111111",
            "4222222222222",
            "4000000000000000006",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "371449635398431",
            "30569309025904",
            "36227206271667",
            "3530111333300000",
            "6011111111111117",
            "6011000990139424",
            "6200000000000005",
            "6759649826438453",
            "2200000000000004",
            "9792030000000000",
        ] {
            assert!(is_card(&digits(card)), "{card}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for other in [
            "4111111111111112",
            "490154203237518",
            "356938035643809",
            "4006381333931",
            "9780306406157",
            "1000200030004000",
            "8944500102198304826",
            "9999999999999995",
            "34111111111111",
            "411111111111111",
        ] {
            assert!(!is_card(&digits(other)), "{other}");
        }
    }

    #[test]
    fn an_iban_is_known_by_its_check_digits() {
        assert_eq!(iban_digits("DE", &digits("89 3704 0044 0532 0130 00")), Some(20));
        assert_eq!(iban_digits("DE", &digits("89 3704 0044 0532 0130 00 4111")), Some(20));
        assert_eq!(iban_digits("DE", &digits("88 3704 0044 0532 0130 00")), Some(0));
        assert_eq!(iban_digits("GB29NWBK", &digits("6016 1331 9268 19")), Some(14));
        assert_eq!(iban_digits("GB29NWBK", &digits("6016 1331 9268 18")), Some(0));
        assert_eq!(iban_digits("FR", &digits("14 2004 1010 0505 0001 3")), None);
        assert_eq!(iban_digits("QQ", &digits("89 3704 0044 0532 0130 00")), Some(0));
    }
}
