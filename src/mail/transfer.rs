//! Transfer encodings undone (RFC 2045, section 6), as they are declared, misspelt, or broken; and uuencoded files in texts.

use std::borrow::Cow;

use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};

use super::{line::line_end, sent::Sent};

/// Of so many bytes in a line of base64 one may be something else.
const STRAYS_RATIO: usize = 8;

/// Letters of a line of base64 that no words have without a blank.
const WHOLE_LINE_BYTES_MIN: usize = 56;

/// Bytes at the end of base64 in which words are looked for.
const WORDS_BEHIND_BYTES_MAX: usize = 64 * 1024;

/// Letters of the name of an encoding that are looked at.
const NAME_LETTERS_MAX: usize = 20;

/// Files that are taken out of one text.
const UUENCODED_FILES_MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Base64,
    QuotedPrintable,
    Uuencode,
}

impl Encoding {
    /// By its name, which programs misspell.
    pub(super) fn named(written: &str) -> Self {
        let mut letters = String::with_capacity(NAME_LETTERS_MAX);
        letters.extend(written.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).take(NAME_LETTERS_MAX));
        match letters.as_str() {
            "base64" | "b64" | "base" | "64" | "b" | "xbase64" => Encoding::Base64,
            "q" | "qp" => Encoding::QuotedPrintable,
            "uu" | "uue" | "xuu" | "xuue" | "uuencode" | "xuuencode" | "uuencoded" => Encoding::Uuencode,
            letters if letters.starts_with("quoted") => Encoding::QuotedPrintable,
            letters if letters.starts_with("base64") => Encoding::Base64,
            _ => Encoding::Identity,
        }
    }
}

/// The bytes as the sender had them. What cannot be decoded stays as it came.
pub(super) fn decode(encoded: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Identity => Cow::Borrowed(encoded),
        Encoding::Base64 => match behind_base64(encoded) {
            Some(at) => base64(&encoded[..at]),
            None => base64(encoded),
        },
        Encoding::QuotedPrintable if memchr::memchr(b'=', encoded).is_none() && !encoded.ends_with(b" ") => Cow::Borrowed(encoded),
        Encoding::QuotedPrintable => {
            let decoded = quoted_printable(encoded).or_else(|| quoted_printable_decode(encoded));
            Cow::Owned(decoded.unwrap_or_else(|| quoted_printable_with_strays(encoded)))
        }
        Encoding::Uuencode => match next_uuencoded(encoded, 0) {
            Some(file) => Cow::Owned(file.bytes),
            None => Cow::Borrowed(encoded),
        },
    }
}

/// Words that stand unencoded behind base64, as gateways and mailing lists append them.
pub(super) fn words_behind(encoded: &[u8], encoding: Encoding) -> Option<&[u8]> {
    let at = Some(encoded).filter(|_| encoding == Encoding::Base64).and_then(behind_base64)?;
    Some(encoded[at..].trim_ascii_end())
}

fn base64(encoded: &[u8]) -> Cow<'_, [u8]> {
    base64_decode(encoded).map_or_else(|| base64_with_strays(encoded), Cow::Owned)
}

/// Where words stand behind base64, if they do: from the first line that is none. What is no base64 at all has no end of it.
fn behind_base64(encoded: &[u8]) -> Option<usize> {
    let mut at = end_of_whole_lines(encoded)?;
    let has_whole_line = at > 0;
    let (mut digits, mut ends, mut gap) = (has_whole_line, false, false);
    for line in encoded[at..].split_inclusive(|byte| *byte == b'\n') {
        let content = line.trim_ascii();
        let strays = content.iter().filter(|byte| !is_digit(byte)).count();
        let is_broken = strays * STRAYS_RATIO > content.len() || content.contains(&b' ');
        // Behind the end or an empty line, nothing but base64 goes on.
        let is_none = if ends || gap { strays > 0 || !content.len().is_multiple_of(4) } else { is_broken };
        if digits && is_none && !content.is_empty() {
            return (has_whole_line || is_surely_base64(&encoded[..at])).then_some(at);
        }
        digits |= !content.is_empty() && !is_broken;
        ends |= content.ends_with(b"=");
        gap |= digits && content.is_empty();
        at += line.len();
    }
    None
}

/// Behind the last line that is as long as only those of base64 are without a blank, for the words of a gateway stand behind it. In a short text without
/// such lines they may stand anywhere.
fn end_of_whole_lines(encoded: &[u8]) -> Option<usize> {
    let mut end = encoded.len();
    while end > 0 && encoded.len() - end < WORDS_BEHIND_BYTES_MAX {
        let start = memchr::memrchr(b'\n', &encoded[..end - 1]).map_or(0, |at| at + 1);
        let line = encoded[start..end].trim_ascii();
        if line.len() >= WHOLE_LINE_BYTES_MIN && line.iter().all(is_digit) {
            return Some(end);
        }
        end = start;
    }
    (end == 0).then_some(0)
}

/// A few letters without padding may be words as well; then what they would hold is no text.
fn is_surely_base64(encoded: &[u8]) -> bool {
    let digits: Vec<u8> = encoded.iter().copied().filter(is_digit).collect();
    let is_text =
        |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(|letter: char| letter.is_control() && !letter.is_whitespace()));
    digits.ends_with(b"=") || (digits.len().is_multiple_of(4) && base64_decode(&digits).is_some_and(|bytes| is_text(&bytes)))
}

fn is_digit(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Base64 among which other bytes stand; a text that only says it were base64 stays.
fn base64_with_strays(encoded: &[u8]) -> Cow<'_, [u8]> {
    let (mut digits, mut others) = (Vec::with_capacity(encoded.len()), 0);
    for line in encoded.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let strays = line.iter().filter(|byte| !is_digit(byte)).count();
        if strays * STRAYS_RATIO > line.len() {
            others += line.len();
            continue;
        }
        digits.extend(line.iter().filter(|byte| is_digit(byte)));
    }
    if others > digits.len() {
        return Cow::Borrowed(encoded);
    }
    base64_decode(&digits).map_or(Cow::Borrowed(encoded), Cow::Owned)
}

/// What the library makes of quoted-printable, run by run instead of byte by byte; nothing where an equals sign is followed by anything but two digits
/// or a line end.
fn quoted_printable(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut line_end: &[u8] = b"\n";
    // Blanks from here on were not encoded, and go if a line ends behind them.
    let mut blanks_from = 0;
    let mut rest = encoded;
    while !rest.is_empty() {
        let run = memchr::memchr3(b'=', b'\r', b'\n', rest).unwrap_or(rest.len());
        bytes.extend_from_slice(&rest[..run]);
        rest = match &rest[run..] {
            [b'=', b'\n', after @ ..] => after,
            [b'=', b'\r', b'\n', after @ ..] => {
                line_end = b"\r\n";
                after
            }
            [b'=', high, low, after @ ..] => {
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            [b'\n', after @ ..] => {
                let blanks = bytes[blanks_from..].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
                bytes.truncate(bytes.len() - blanks);
                bytes.extend_from_slice(line_end);
                after
            }
            [b'\r', after @ ..] => {
                // One is enough to say how lines end from here on.
                line_end = b"\r\n";
                rest = after;
                continue;
            }
            [] => break,
            _ => return None,
        };
        blanks_from = bytes.len();
    }
    Some(bytes)
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn hexadecimal(two: &[u8]) -> Option<u8> {
    let [high, low] = two else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Quoted-printable in which equals signs stand for themselves.
fn quoted_printable_with_strays(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len());
    for line in encoded.split_inclusive(|byte| *byte == b'\n') {
        let ended = line.ends_with(b"\n");
        let mut rest = line.trim_ascii_end();
        let soft = ended && rest.ends_with(b"=");
        rest = if soft { &rest[..rest.len() - 1] } else { rest };
        let mut at = 0;
        while at < rest.len() {
            match rest.get(at + 1..at + 3).filter(|_| rest[at] == b'=').and_then(hexadecimal) {
                Some(byte) => {
                    bytes.push(byte);
                    at += 3;
                }
                None => {
                    bytes.push(rest[at]);
                    at += 1;
                }
            }
        }
        if ended && !soft {
            bytes.extend_from_slice(if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" });
        }
    }
    bytes
}

/// The text without the files that are written into it, which are added to `sent`.
pub(super) fn without_uuencoded(text: String, sent: &mut Vec<Sent>) -> String {
    if !(text.starts_with("begin ") || text.contains("\nbegin ")) {
        return text;
    }
    let (mut rest, mut at) = (String::new(), 0);
    for _ in 0..UUENCODED_FILES_MAX {
        let Some(file) = next_uuencoded(text.as_bytes(), at) else { break };
        rest.push_str(&text[at..file.start]);
        at = file.end;
        let name = Some(String::from_utf8_lossy(&file.name).into_owned());
        sent.push(Sent { name, media_type: "application/octet-stream".to_owned(), bytes: file.bytes, ..Sent::default() });
    }
    rest.push_str(&text[at..]);
    rest
}

/// A file in a text: `begin 644 name`, lines of uuencoding, `end`.
struct Uuencoded {
    name: Vec<u8>,
    bytes: Vec<u8>,
    /// Where it stands in the text.
    start: usize,
    end: usize,
}

/// The next file at or after `from`.
fn next_uuencoded(text: &[u8], from: usize) -> Option<Uuencoded> {
    let mut at = from;
    while at < text.len() {
        let end = line_end(text, at);
        if let Some(name) = begin_line(text[at..end].trim_ascii_end())
            && let Some((bytes, after)) = uuencoded_lines(text, end)
        {
            return Some(Uuencoded { name: name.to_vec(), bytes, start: at, end: after });
        }
        at = end;
    }
    None
}

/// The file's name in `begin 644 name`.
fn begin_line(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"begin ")?;
    let digits = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let name = rest.get(digits..)?.strip_prefix(b" ")?.trim_ascii();
    (matches!(digits, 3 | 4) && !name.is_empty()).then_some(name)
}

/// The decoded lines and where they end; nothing if a line is none, because then this is a text about uuencoding.
fn uuencoded_lines(text: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    let mut at = start;
    while at < text.len() {
        let end = line_end(text, at);
        let line = text[at..end].trim_ascii_end();
        at = end;
        if line == b"end" {
            return Some((bytes, at));
        }
        let Some((length, letters)) = line.split_first() else { continue };
        let length = usize::from(length.wrapping_sub(b' ') & 0x3f);
        let is_line = letters.iter().all(|letter| matches!(letter, b' '..=b'`')) && letters.len() <= length.div_ceil(3) * 4 + 2;
        if !is_line {
            return None;
        }
        let line_start = bytes.len();
        for group in letters.chunks(4) {
            let mut four = [0_u8; 4];
            for (value, letter) in four.iter_mut().zip(group) {
                *value = letter.wrapping_sub(b' ') & 0x3f;
            }
            bytes.extend_from_slice(&[four[0] << 2 | four[1] >> 4, four[1] << 4 | four[2] >> 2, four[2] << 6 | four[3]]);
        }
        // Blanks at the end of the line stand for zeros and are often lost.
        bytes.resize(line_start + length, 0);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_known_by_their_misspelt_names() {
        for (written, expected) in [
            ("BASE64", Encoding::Base64),
            ("base-64", Encoding::Base64),
            ("\"base64\";", Encoding::Base64),
            ("Quoted_Printable", Encoding::QuotedPrintable),
            ("quoted-printible", Encoding::QuotedPrintable),
            ("x-uuencode", Encoding::Uuencode),
            ("8bit", Encoding::Identity),
            ("utf-8", Encoding::Identity),
        ] {
            assert_eq!(Encoding::named(written), expected, "{written}");
        }
    }

    #[test]
    fn broken_base64_gives_what_it_holds() {
        for (encoded, expected) in [
            ("d29y\r\nZHM=\r\n", "words"),
            ("d29yZHMgYW5k!\nIG1vcmUgd2*9yZHM=\n", "words and more words"),
            ("d29yZHM=\n\n__________\nSent by a list\n", "words"),
            ("d29yZHM=d29yZHM=", "wordswords"),
            ("d29yZHM", "words"),
            ("d29yZHMgYW5k\n\nList mailing list\nhttps://lists.example/x\n", "words and"),
            ("d29yZHMgYW5k\n-- \nDisclaimer\n", "words and"),
            ("d29yZHMgYW5k\n\nIG1vcmU=\n", "words and more"),
            ("Hello\n\nThese are words, not base64.\n", "Hello\n\nThese are words, not base64.\n"),
            ("Dear Ann\nThese are words.\n", "Dear Ann\nThese are words.\n"),
            ("Hi\nwords follow,\nand more of them\n", "Hi\nwords follow,\nand more of them\n"),
            ("These are words, not base64.\n", "These are words, not base64.\n"),
        ] {
            assert_eq!(decode(encoded.as_bytes(), Encoding::Base64).as_ref(), expected.as_bytes(), "{encoded}");
        }
    }

    #[test]
    fn words_behind_base64_are_found() {
        let long = "d29yZHMg".repeat(9);
        for (encoded, expected) in [
            ("d29yZHM=\r\n\r\n--\r\nSent by a list\r\n".to_owned(), Some("--\r\nSent by a list")),
            (format!("{long}\n{long}\nd29yZHM\nA short footer\n"), Some("A short footer")),
            (format!("{long}\nThis is scanned.\n{long}\nd29yZHM=\n"), None),
            ("d29yZHM=\n\n".to_owned(), None),
            ("d29yZHM=d29yZHM=\nd29y".to_owned(), None),
            ("These are words, not base64.\n".to_owned(), None),
        ] {
            assert_eq!(words_behind(encoded.as_bytes(), Encoding::Base64), expected.map(str::as_bytes), "{encoded}");
        }
        assert_eq!(words_behind(b"d29yZHM=\n\nA footer", Encoding::Identity), None);
    }

    #[test]
    fn broken_quoted_printable_gives_what_it_holds() {
        for (encoded, expected) in [("K=C3=B6ln =\r\nam Rhein \r\n", "Köln am Rhein\r\n"), ("a=b&c==d K=c3=b6ln=\n!", "a=b&c==d Köln!")] {
            assert_eq!(String::from_utf8_lossy(&decode(encoded.as_bytes(), Encoding::QuotedPrintable)), expected, "{encoded}");
        }
    }

    #[test]
    fn quoted_printable_is_read_as_the_library_reads_it() {
        let usual = ["a =20 \n b=3D\r\n", "=C3=bc \t \r\n\x0c\n", "soft \t=\n \t\nlast ", "a \r b\n=\r\nc\n", "a\r=41 \n\n=20\n"];
        for encoded in usual {
            assert_eq!(quoted_printable(encoded.as_bytes()), quoted_printable_decode(encoded.as_bytes()), "{encoded}");
        }
        for odd in ["=", "a=4", "= \nb", "=4\n1", "=\rb", "a=b&c"] {
            assert_eq!(quoted_printable(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn uuencoded_files_are_found_and_texts_about_them_are_not() {
        let text = b"see below\nbegin 644 a b.txt\n%=V]R9',\n`\nend\nbye";
        let file = next_uuencoded(text, 0).unwrap();
        assert_eq!((file.name.as_slice(), file.bytes.as_slice(), &text[file.end..]), (b"a b.txt".as_slice(), b"words".as_slice(), b"bye".as_slice()));
        for plain in ["begin 644 x\nthe work, friends\nend", "begin 12 x\n`\nend", "begin 644 x\n%=V]R9',\n"] {
            assert!(next_uuencoded(plain.as_bytes(), 0).is_none(), "{plain}");
        }
    }
}
