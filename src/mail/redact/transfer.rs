//! Transfer encodings, undone, and done again where a byte was changed for another: everything else keeps its place.

use std::borrow::Cow;

/// Blanks between the sign of a soft line end and the line end.
const BLANKS_MAX: usize = 80;

/// How bytes are written in a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    Plain,
    /// RFC 2045, section 6.7.
    QuotedPrintable,
    Base64,
    /// The Q encoding of RFC 2047.
    Word,
    /// The values of RFC 2231.
    Percent,
    /// A line end without a blank after it, which is read as one.
    LineEnd,
}

impl Transfer {
    pub(super) fn decode(self, encoded: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Transfer::Plain => Cow::Borrowed(encoded),
            Transfer::LineEnd => Cow::Borrowed(b" "),
            Transfer::Base64 => {
                let mut decoded = Vec::with_capacity(encoded.len() / 4 * 3);
                let mut at = 0;
                while let Some(quad) = Quad::read(encoded, &mut at) {
                    decoded.extend_from_slice(&quad.bytes()[..quad.length - 1]);
                }
                Cow::Owned(decoded)
            }
            _ => {
                let mut decoded = Vec::with_capacity(encoded.len());
                let mut at = 0;
                while at < encoded.len() {
                    // Most bytes stand for themselves.
                    let plain = self.plain(&encoded[at..]);
                    decoded.extend_from_slice(&encoded[at..at + plain]);
                    at += plain;
                    let (byte, length) = self.step(&encoded[at..]);
                    decoded.extend(byte);
                    at += length;
                }
                Cow::Owned(decoded)
            }
        }
    }

    /// Writes `decoded`, which is as long as before, where it differs.
    pub(super) fn rewrite(self, encoded: &mut [u8], decoded: &[u8]) {
        match self {
            Transfer::Plain => encoded.copy_from_slice(decoded),
            // No digit stands there.
            Transfer::LineEnd => {}
            Transfer::Base64 => {
                let (mut at, mut place) = (0, 0);
                while let Some(quad) = Quad::read(encoded, &mut at) {
                    let count = quad.length - 1;
                    let Some(now) = decoded.get(place..place + count) else { return };
                    if quad.bytes()[..count] != *now {
                        quad.write(encoded, now);
                    }
                    place += count;
                }
            }
            _ => {
                let mut now = decoded.iter();
                let mut at = 0;
                while at < encoded.len() {
                    let (before, length) = self.step(&encoded[at..]);
                    if let Some(before) = before {
                        let Some(now) = now.next() else { return };
                        if before != *now {
                            write_byte(&mut encoded[at..at + length], *now);
                        }
                    }
                    at += length;
                }
            }
        }
    }

    /// How many bytes ahead stand for themselves.
    fn plain(self, rest: &[u8]) -> usize {
        let escape = match self {
            Transfer::Word => memchr::memchr2(b'=', b'_', rest),
            Transfer::Percent => memchr::memchr(b'%', rest),
            _ => memchr::memchr(b'=', rest),
        };
        escape.unwrap_or(rest.len())
    }

    /// The next byte and how it is written; no byte at a line end that the encoding put there.
    fn step(self, rest: &[u8]) -> (Option<u8>, usize) {
        let escape = if self == Transfer::Percent { b'%' } else { b'=' };
        let hexadecimal = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8);
        match rest {
            [b'_', ..] if self == Transfer::Word => (Some(b' '), 1),
            [b'=', after @ ..] if self == Transfer::QuotedPrintable && soft_break(after).is_some() => {
                (None, 1 + soft_break(after).unwrap_or_default())
            }
            [first, ..] if *first == escape => match (hexadecimal(1), hexadecimal(2)) {
                (Some(high), Some(low)) => (Some(high * 16 + low), 3),
                _ => (Some(*first), 1),
            },
            [first, ..] => (Some(*first), 1),
            [] => (None, 0),
        }
    }
}

/// Bytes of a line end that the encoding put there, with the blanks that transport put before it.
fn soft_break(after: &[u8]) -> Option<usize> {
    let blanks = after.iter().take(BLANKS_MAX).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &after[blanks..] {
        [b'\n', ..] => Some(blanks + 1),
        [b'\r', b'\n', ..] => Some(blanks + 2),
        _ => None,
    }
}

/// Into one byte, or into an escape of three.
fn write_byte(written: &mut [u8], byte: u8) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789ABCDEF";
    match written {
        [one] => *one = byte,
        [_, high, low] => (*high, *low) = (HEXADECIMAL[usize::from(byte >> 4)], HEXADECIMAL[usize::from(byte & 15)]),
        _ => {}
    }
}

/// Up to four letters of base64, wherever they stand.
struct Quad {
    places: [usize; 4],
    values: [u8; 4],
    /// At least two: fewer make no byte.
    length: usize,
}

impl Quad {
    fn read(encoded: &[u8], at: &mut usize) -> Option<Quad> {
        let mut quad = Quad { places: [0; 4], values: [0; 4], length: 0 };
        while let Some(byte) = encoded.get(*at) {
            *at += 1;
            if let Some(value) = value(*byte) {
                (quad.places[quad.length], quad.values[quad.length]) = (*at - 1, value);
                quad.length += 1;
                if quad.length == 4 {
                    return Some(quad);
                }
            } else if *byte == b'=' && quad.length > 0 {
                if quad.length > 1 {
                    return Some(quad);
                }
                quad.length = 0;
            }
        }
        (quad.length > 1).then_some(quad)
    }

    fn bytes(&self) -> [u8; 3] {
        let [a, b, c, d] = self.values;
        [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
    }

    fn write(&self, encoded: &mut [u8], bytes: &[u8]) {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let byte = |index: usize| bytes.get(index).copied().unwrap_or_default();
        let values = [byte(0) >> 2, byte(0) << 4 | byte(1) >> 4, byte(1) << 2 | byte(2) >> 6, byte(2)];
        for (place, value) in self.places.iter().zip(values).take(self.length) {
            encoded[*place] = ALPHABET[usize::from(value & 63)];
        }
    }
}

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_written_anew() {
        for (transfer, encoded, decoded, changed, expected) in [
            (Transfer::Plain, "a4b", "a4b", "a*b", "a*b"),
            (Transfer::QuotedPrintable, "=344= \r\n=e4 =zz_", "44\u{e4} =zz_", "**\u{e4} =zz_", "=2A*= \r\n=e4 =zz_"),
            (Transfer::Word, "4_=34", "4 4", "* *", "*_=2A"),
            (Transfer::Percent, "%344%zz", "44%zz", "**%zz", "%2A*%zz"),
            (Transfer::Base64, "NDQ0\r\n NDQ=", "44444", "4*44*", "NCo0\r\n NCo="),
            (Transfer::Base64, "NDQ0ND", "4444", "444*", "NDQ0Kg"),
        ] {
            let bytes = |text: &str| text.chars().map(|letter| letter as u8).collect::<Vec<u8>>();
            assert_eq!(transfer.decode(encoded.as_bytes()).as_ref(), bytes(decoded), "{encoded}");
            let mut written = encoded.as_bytes().to_vec();
            transfer.rewrite(&mut written, &bytes(changed));
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }
}
