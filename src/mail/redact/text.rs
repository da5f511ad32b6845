//! One text from its first letter to its last: is a look worth it, and if so, what is to be cut.

use super::{
    Reading,
    finder::{Finder, Found},
    letters::{Charset, Class, Letters, class},
    markup::Markup,
    number::DIGITS,
};

/// Bytes of an entity's name that are passed over.
const ENTITY_BYTES_MAX: usize = 10;

/// Whether there are digits enough with little between them. Quick, and never no where there is a card; for bytes whose digits are ASCII's or UTF-8's.
pub(super) fn may_hold_card(bytes: &[u8], is_markup: bool) -> bool {
    let enough = *DIGITS.start();
    // Of what is shown, and of what stands inside a tag.
    let (mut shown, mut inside) = (0, None);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let digits: &mut usize = inside.as_mut().unwrap_or(&mut shown);
        match byte {
            b'0'..=b'9' => *digits += 1,
            b'<' if is_markup => inside = Some(0),
            b'>' if is_markup => inside = None,
            b'&' if is_markup => {
                let name = bytes[at..].iter().take(ENTITY_BYTES_MAX).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
                *digits += usize::from(bytes.get(at) == Some(&b'#'));
                at += name;
            }
            b'a'..=b'z' | b'A'..=b'Z' => *digits = 0,
            _ if byte < 0x80 => {}
            _ => {
                let (letter, place) = Letters::new(&bytes[at - 1..], Charset::Bytes).next().unwrap_or((' ', 0..1));
                at += place.end - 1;
                match class(letter) {
                    Class::Digit(_) => *digits += 1,
                    Class::Other => *digits = 0,
                    _ => {}
                }
            }
        }
        if shown >= enough || inside.is_some_and(|inside| inside >= enough) {
            return true;
        }
    }
    false
}

pub(super) fn find(bytes: &[u8], charset: Charset, reading: Reading) -> Found {
    let is_simple = charset == Charset::Bytes;
    if is_simple && !may_hold_card(bytes, reading.is_markup()) {
        return Found::default();
    }
    let letters = Letters::new(bytes, charset);
    match reading {
        Reading::Html | Reading::Xml => {
            let mut markup = Markup::new(reading == Reading::Xml);
            letters.for_each(|(letter, at)| markup.push(letter, at));
            markup.finish()
        }
        Reading::Text | Reading::Name => {
            let mut finder = if reading == Reading::Name { Finder::of_names() } else { Finder::default() };
            letters.for_each(|(letter, at)| finder.push(letter, at));
            finder.finish()
        }
    }
}
