//! Letters out of bytes, each with the place where it stands, in the charsets that can write a digit in more than one way.

use std::ops::Range;

/// The first digit of each row of ten in Unicode (general category Nd), in their order.
const ZEROS: [u32; 71] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0,
    0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0,
    0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e950,
    0x1fbf0,
];

/// Bytes at the start of a text by which UTF-16 is told from its twin.
const PROBE_BYTES: usize = 256;

/// A letter of a script without digits, for those whose value does not matter.
const SOME_LETTER: char = '\u{6f22}';

/// What stands for a digit that was cut, one for each length of a digit in UTF-8.
const STARS: [char; 4] = ['*', '\u{d7}', '\u{ff0a}', '\u{1f7b6}'];

/// What a letter means to a card number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Digit(u8),
    Blank,
    Tab,
    Break,
    Dash,
    Dot,
    /// Not seen by people.
    Nothing,
    Other,
}

pub(super) fn class(letter: char) -> Class {
    match letter {
        '0'..='9' => Class::Digit(letter as u8 - b'0'),
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Class::Blank,
        '\t' => Class::Tab,
        '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Class::Break,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => Class::Dash,
        '.' | '\u{b7}' | '\u{2024}' | '\u{2027}' | '\u{30fb}' | '\u{ff0e}' => Class::Dot,
        '\r'
        | '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fe0e}'
        | '\u{fe0f}'
        | '\u{20e3}' => Class::Nothing,
        _ if letter.is_ascii() => Class::Other,
        _ => {
            let code = u32::from(letter);
            let row = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1).map_or(0, |row| ZEROS[row]);
            if code - row < 10 { Class::Digit((code - row) as u8) } else { Class::Other }
        }
    }
}

pub(super) fn is_star(letter: char) -> bool {
    STARS.contains(&letter) || letter == '•'
}

/// How bytes make letters, as far as digits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8; what is not valid in it is taken for Windows-1252, of which only blanks and dashes matter.
    Bytes,
    Utf16 {
        big_endian: bool,
    },
    ShiftJis,
    /// EUC-JP, EUC-KR and the GB family: wide digits in one row.
    Euc {
        wide_star: [u8; 2],
        four_bytes: bool,
    },
    Big5,
    /// Shifted by escape sequences.
    Iso2022,
}

impl Charset {
    pub(super) fn of(label: Option<&str>, bytes: &[u8]) -> Charset {
        let label = label.unwrap_or_default().trim().to_ascii_lowercase();
        let named = |starts: &[&str]| starts.iter().any(|start| label.starts_with(start));
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || named(&["utf-16", "utf16", "ucs-2", "iso-10646-ucs-2"]) {
            Charset::Utf16 { big_endian: is_big_endian(&label, bytes) }
        } else if memchr::memchr_iter(b'\x1b', bytes).any(|at| bytes.get(at + 1) == Some(&b'$')) {
            Charset::Iso2022
        } else if named(&["shift", "sjis", "x-sjis", "windows-31j", "cp932", "ms_kanji"]) {
            Charset::ShiftJis
        } else if named(&["euc-jp", "x-euc-jp"]) {
            Charset::Euc { wide_star: [0xa1, 0xf6], four_bytes: false }
        } else if named(&["euc-kr", "ks_c", "ksc"]) {
            Charset::Euc { wide_star: [0xa3, 0xaa], four_bytes: false }
        } else if named(&["gb", "x-gbk", "cp936"]) {
            Charset::Euc { wide_star: [0xa3, 0xaa], four_bytes: true }
        } else if named(&["big5", "cp950"]) {
            Charset::Big5
        } else {
            Charset::Bytes
        }
    }

    /// Puts a star of the same length where a digit stands: this keeps every other byte of a mail in its place.
    pub(super) fn star(self, digit: &mut [u8]) {
        match (self, digit.len()) {
            (Charset::Utf16 { big_endian }, _) => {
                for unit in digit.chunks_mut(2) {
                    unit.copy_from_slice(if big_endian { b"\0*" } else { b"*\0" });
                }
            }
            (Charset::Iso2022, 2) => digit.copy_from_slice(b"\x21\x76"),
            (Charset::ShiftJis, 2) => digit.copy_from_slice(b"\x81\x96"),
            (Charset::Euc { wide_star, .. }, 2) => digit.copy_from_slice(&wide_star),
            (Charset::Big5, 2) => digit.copy_from_slice(b"\xa1\xaf"),
            (_, length) if digit[0] == b'&' && length > 3 => star_entity(digit),
            (_, _) if digit[0] == b'%' => digit.chunks_mut(3).for_each(|escape| escape.copy_from_slice(&b"%2A"[..escape.len()])),
            (_, length) => match STARS.iter().find(|star| star.len_utf8() == length) {
                Some(star) => drop(star.encode_utf8(digit)),
                None => digit.fill(b'*'),
            },
        }
    }
}

/// `&#52;` to `&#42;`, filled up with zeros.
fn star_entity(entity: &mut [u8]) {
    let hexadecimal = matches!(entity[2], b'x' | b'X');
    let start = if hexadecimal { 3 } else { 2 };
    let end = entity.len() - usize::from(entity.ends_with(b";"));
    if end < start + 2 {
        return entity.fill(b'*');
    }
    entity[start..end].fill(b'0');
    entity[end - 2..end].copy_from_slice(if hexadecimal { b"2a" } else { b"42" });
}

fn is_big_endian(label: &str, bytes: &[u8]) -> bool {
    if label.ends_with("be") || bytes.starts_with(b"\xfe\xff") {
        return true;
    }
    if label.ends_with("le") || bytes.starts_with(b"\xff\xfe") {
        return false;
    }
    // Most text has its zeros in the high bytes.
    let zeros = |odd: usize| bytes.iter().take(PROBE_BYTES).skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    zeros(0) > zeros(1)
}

/// The letters of a text and where they stand.
pub(super) struct Letters<'a> {
    bytes: &'a [u8],
    at: usize,
    charset: Charset,
    /// Inside a shifted stretch of ISO-2022.
    shifted: bool,
}

impl<'a> Letters<'a> {
    pub(super) fn new(bytes: &'a [u8], charset: Charset) -> Self {
        Letters { bytes, at: 0, charset, shifted: false }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Passes over whole letters.
    pub(super) fn skip_bytes(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next letter and its length; no letter for what only steers.
    fn read(&mut self) -> (Option<char>, usize) {
        let rest = &self.bytes[self.at..];
        let two = |index: usize| rest.get(index).copied().unwrap_or_default();
        match (self.charset, rest[0]) {
            (Charset::Utf16 { big_endian }, _) => utf16(rest, big_endian),
            (Charset::Iso2022, 0x1b) => self.shift(),
            (Charset::Iso2022, first @ 0x21..=0x7e) if self.shifted && rest.len() > 1 => (Some(wide(first, two(1), 0x23, 0x30, 0x21)), 2),
            (_, first) if first < 0x80 => {
                // A line of ISO-2022 ends in ASCII.
                self.shifted &= first != b'\n';
                (Some(char::from(first)), 1)
            }
            (Charset::ShiftJis, 0xa1..=0xdf) => (Some(SOME_LETTER), 1),
            (Charset::ShiftJis, first) if rest.len() > 1 => (Some(wide(first, two(1), 0x82, 0x4f, 0x81)), 2),
            (Charset::Euc { four_bytes: true, .. }, _) if rest.len() > 3 && two(1).is_ascii_digit() => (Some(SOME_LETTER), 4),
            (Charset::Euc { .. }, first) if rest.len() > 1 => (Some(wide(first, two(1), 0xa3, 0xb0, 0xa1)), 2),
            (Charset::Big5, first) if rest.len() > 1 => (Some(wide(first, two(1), 0xa2, 0xaf, 0xa1)), 2),
            _ => utf8(rest),
        }
    }

    fn shift(&mut self) -> (Option<char>, usize) {
        let rest = &self.bytes[self.at + 1..];
        self.shifted = rest.first() == Some(&b'$');
        let length = match rest {
            [b'$', b'(' | b')', ..] => 4,
            [b'(' | b'$', _, ..] => 3,
            _ => 1,
        };
        (None, length.min(rest.len() + 1))
    }
}

impl Iterator for Letters<'_> {
    type Item = (char, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.bytes.len() {
            let (letter, length) = self.read();
            let start = self.at;
            self.at += length;
            if let Some(letter) = letter {
                return Some((letter, start..self.at));
            }
        }
        None
    }
}

/// A letter of two bytes: a wide digit, a wide blank, a wide dash, or any other.
fn wide(first: u8, second: u8, digits_row: u8, zero: u8, signs_row: u8) -> char {
    let digit = second.wrapping_sub(zero);
    match (first, second) {
        _ if first == digits_row && digit < 10 => char::from_u32(0xff10 + u32::from(digit)).unwrap_or(SOME_LETTER),
        _ if first == signs_row => match (signs_row, second) {
            (0x21, 0x21) | (0x81, 0x40) | (0xa1, 0xa1 | 0x40) => ' ',
            (0x21, 0x3e | 0x5d) | (0x81, 0x5d | 0x7c) | (0xa1, 0xbe | 0xdd) => '-',
            (0x21, 0x76) | (0x81, 0x96) | (0xa1, 0xf6 | 0xaf) => '*',
            _ => SOME_LETTER,
        },
        (0xa3, 0xaa) => '*',
        (0xa3, 0xad) => '-',
        _ => SOME_LETTER,
    }
}

fn utf16(rest: &[u8], big_endian: bool) -> (Option<char>, usize) {
    let unit = |at: usize| rest.get(at..at + 2).map(|two| if big_endian { [two[0], two[1]] } else { [two[1], two[0]] }).map(u16::from_be_bytes);
    let Some(first) = unit(0) else { return (Some(char::REPLACEMENT_CHARACTER), 1) };
    let pair = [first, unit(2).unwrap_or_default()];
    match char::decode_utf16(pair).next() {
        Some(Ok(letter)) => (Some(letter), letter.len_utf16() * 2),
        _ => (Some(char::REPLACEMENT_CHARACTER), 2),
    }
}

fn utf8(rest: &[u8]) -> (Option<char>, usize) {
    let length = match rest[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let valid = rest.get(..length).and_then(|letter| std::str::from_utf8(letter).ok()).and_then(|letter| letter.chars().next());
    match (valid, rest[0]) {
        (Some(letter), _) => (Some(letter), length),
        (None, 0x96 | 0x97) => (Some('\u{2013}'), 1),
        (None, byte) => (Some(char::from(byte)), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], charset: Charset) -> String {
        Letters::new(bytes, charset).map(|(letter, _)| letter).collect()
    }

    #[test]
    fn digits_of_every_charset_are_read_and_starred_at_their_length() {
        for (label, wide_four, expected) in [
            ("utf-8", "４".as_bytes(), "＊".as_bytes()),
            ("utf-8", "٤".as_bytes(), "×".as_bytes()),
            ("utf-16le", b"4\0", b"*\0"),
            ("utf-16be", b"\0\x34", b"\0*"),
            ("shift_jis", b"\x82\x53", b"\x81\x96"),
            ("euc-jp", b"\xa3\xb4", b"\xa1\xf6"),
            ("gb2312", b"\xa3\xb4", b"\xa3\xaa"),
            ("euc-kr", b"\xa3\xb4", b"\xa3\xaa"),
            ("big5", b"\xa2\xb3", b"\xa1\xaf"),
        ] {
            let charset = Charset::of(Some(label), wide_four);
            let letters: Vec<_> = Letters::new(wide_four, charset).collect();
            assert_eq!(letters.len(), 1, "{label}");
            assert_eq!((class(letters[0].0), letters[0].1.clone()), (Class::Digit(4), 0..wide_four.len()), "{label}");
            let mut starred = wide_four.to_vec();
            charset.star(&mut starred);
            assert_eq!(starred, expected, "{label}");
            assert!(read(&starred, charset).chars().all(is_star), "{label}");
        }
    }

    #[test]
    fn iso_2022_is_shifted_back_at_its_escape_and_at_the_line_end() {
        let text = b"a\x1b$B#4\x1b(B5\x1b$B#4\n6";
        assert_eq!(read(text, Charset::of(None, text)), "a４5４\n6");
    }

    #[test]
    fn an_entity_keeps_its_form() {
        for (entity, expected) in [("&#52;", "&#42;"), ("&#0052", "&#0042"), ("&#x34;", "&#x2a;"), ("&#X034;", "&#X02a;")] {
            let mut starred = entity.as_bytes().to_vec();
            Charset::Bytes.star(&mut starred);
            assert_eq!(starred, expected.as_bytes());
        }
    }

    #[test]
    fn no_bytes_end_the_reading_early() {
        for charset in ["utf-8", "utf-16", "shift_jis", "euc-jp", "gb18030", "big5"] {
            for bytes in [&b"\xff"[..], b"\x1b", b"\x1b$", b"\xa3", b"\xf0\x9f", b"a\x82", b"\x81\x30"] {
                let charset = Charset::of(Some(charset), bytes);
                assert_eq!(Letters::new(bytes, charset).last().map_or(bytes.len(), |(_, at)| at.end), bytes.len());
            }
        }
    }
}
