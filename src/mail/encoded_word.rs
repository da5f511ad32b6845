//! Words of a header that are written in other letters (RFC 2047): `=?utf-8?Q?Gr=C3=BC=C3=9Fe?=`. Mail programs break every rule of it, so all that can
//! be understood is: blanks inside, a missing end, letters split between two words, words that touch, words encoded twice.

use mail_parser::decoders::base64::base64_decode;

use super::{charset, transfer::hexadecimal};

/// How often a word may itself be the encoding of encoded words.
const ROUNDS_MAX: usize = 2;

/// Bytes of a word. RFC 2047 wants 75; some programs write the whole subject as one.
const WORD_BYTES_MAX: usize = 8 * 1024;

/// Bytes of the name of a charset, with a language.
const LABEL_BYTES_MAX: usize = 60;

/// The text of a header value: encoded words decoded, raw 8-bit letters read as `label` says.
pub(super) fn text(value: &[u8], label: Option<&str>) -> String {
    let mut text = decode(value, label);
    for _ in 1..ROUNDS_MAX {
        // Encoded twice: what remains is words and nothing else.
        if !(text.starts_with("=?") && text.ends_with("?=")) {
            break;
        }
        text = decode(text.as_bytes(), label);
    }
    text
}

/// Bytes of the encoded word at the start, if there is one.
pub(super) fn word_bytes(value: &[u8]) -> Option<usize> {
    Word::at(value).map(|word| word.end)
}

fn decode(value: &[u8], label: Option<&str>) -> String {
    let mut text = String::with_capacity(value.len());
    let mut run = Run::default();
    let (mut at, mut plain_from) = (0, 0);
    while let Some(offset) = find(&value[at..], b"=?") {
        let start = at + offset;
        let Some(word) = Word::at(&value[start..]) else {
            at = start + 2;
            continue;
        };
        let between = &value[plain_from..start];
        // Blanks between two encoded words are no part of the text.
        if !between.iter().all(u8::is_ascii_whitespace) {
            run.flush(&mut text);
            text.push_str(&charset::decode(between, label));
        } else if run.words.is_empty() {
            text.push_str(&charset::decode(between, label));
        }
        at = start + word.end;
        plain_from = at;
        if !run.continues(&word) {
            run.flush(&mut text);
        }
        run.words.push(word);
    }
    run.flush(&mut text);
    text.push_str(&charset::decode(&value[plain_from..], label));
    text
}

/// A word at the beginning of a value.
pub(super) struct Word<'a> {
    pub(super) label: &'a str,
    pub(super) is_base64: bool,
    /// Where its payload begins.
    pub(super) start: usize,
    pub(super) payload: &'a [u8],
    /// Bytes of the whole word.
    pub(super) end: usize,
}

impl<'a> Word<'a> {
    pub(super) fn at(value: &'a [u8]) -> Option<Self> {
        let value = &value[..value.len().min(WORD_BYTES_MAX)];
        let Beginning { label, is_base64, bytes } = Beginning::at(value)?;
        let payload = &value[bytes..];
        let (payload_bytes, mark_bytes) = payload_end(payload, is_base64);
        Some(Word { label, is_base64, start: bytes, payload: &payload[..payload_bytes], end: bytes + payload_bytes + mark_bytes })
    }

    fn bytes(&self) -> Vec<u8> {
        if self.is_base64 { base64(self.payload.iter()) } else { quoted(self.payload) }
    }

    /// Whether its base64 ends in the middle of a group of four.
    fn is_cut(&self) -> bool {
        self.is_base64 && !self.payload.contains(&b'=') && self.payload.iter().filter(|byte| is_base64_digit(byte)).count() % 4 != 0
    }
}

/// What makes a word one, up to its payload: `=?utf-8?Q?`. Where a word ends because a next one begins, the next one is found there, and so no byte
/// is looked at for more than two words.
struct Beginning<'a> {
    label: &'a str,
    is_base64: bool,
    bytes: usize,
}

impl<'a> Beginning<'a> {
    fn at(value: &'a [u8]) -> Option<Self> {
        let inside = value.strip_prefix(b"=?")?;
        let label_bytes = inside.iter().take(LABEL_BYTES_MAX).position(|byte| *byte == b'?')?;
        let label = std::str::from_utf8(&inside[..label_bytes]).ok()?.trim();
        if label.is_empty()
            || !label.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'=' | b'<' | b'>' | b'"' | b'(' | b')' | b',' | b';'))
        {
            return None;
        }
        let is_base64 = match inside.get(label_bytes + 1)?.to_ascii_uppercase() {
            b'B' => true,
            b'Q' => false,
            _ => return None,
        };
        (inside.get(label_bytes + 2) == Some(&b'?')).then_some(Beginning { label, is_base64, bytes: "=?".len() + label_bytes + "?Q?".len() })
    }
}

/// Where the payload ends, and how long the mark is that ends it. It may be missing: then a next word, a blank or the end of the value ends it.
fn payload_end(payload: &[u8], is_base64: bool) -> (usize, usize) {
    let next_word = memchr::memchr_iter(b'=', payload).find(|at| Beginning::at(&payload[*at..]).is_some()).unwrap_or(payload.len());
    let mut at = 0;
    while let Some(mark) = find(&payload[at..next_word], b"?=").map(|offset| at + offset) {
        // A bare question mark before an encoded byte is none.
        let is_byte = !is_base64 && payload.get(mark + 2..mark + 4).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if is_byte && find(&payload[mark + 2..next_word], b"?=").is_some() {
            at = mark + 2;
            continue;
        }
        return (mark, 2);
    }
    let unended = &payload[..next_word];
    let end = if is_base64 {
        unended.iter().position(|byte| !is_base64_digit(byte) && *byte != b'=').unwrap_or(next_word)
    } else {
        unended.iter().position(|byte| matches!(byte, b'<' | b'"' | b'\r' | b'\n')).unwrap_or(next_word)
    };
    let blanks = unended[..end].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    // Half of a mark: the question mark without its equals sign.
    let mark = usize::from(unended[..end - blanks].ends_with(b"?"));
    let mark_after = usize::from(mark == 0 && unended[end..].starts_with(b"?"));
    (end - blanks - mark, mark + mark_after)
}

/// Words that follow each other in one charset: a letter may begin in one and end in the next.
#[derive(Default)]
struct Run<'a> {
    words: Vec<Word<'a>>,
}

impl<'a> Run<'a> {
    fn continues(&self, word: &Word<'_>) -> bool {
        self.words.last().is_none_or(|last| last.label.eq_ignore_ascii_case(word.label))
    }

    fn flush(&mut self, text: &mut String) {
        let words = std::mem::take(&mut self.words);
        let Some(label) = words.first().map(|word| word.label) else { return };
        let bytes: Vec<u8> = words.iter().flat_map(Word::bytes).collect();
        let is_split = words.len() > 1 && words.iter().all(|word| word.is_base64) && words[..words.len() - 1].iter().any(Word::is_cut);
        if is_split && !charset::explains(&bytes, label) {
            // One base64 text that was cut anywhere.
            let bytes = base64(words.iter().flat_map(|word| word.payload.iter()));
            text.push_str(&charset::decode(&bytes, Some(label)));
        } else {
            text.push_str(&charset::decode(&bytes, Some(label)));
        }
    }
}

fn is_base64_digit(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn base64<'a>(payload: impl Iterator<Item = &'a u8>) -> Vec<u8> {
    let digits: Vec<u8> = payload.filter(|byte| is_base64_digit(byte) || **byte == b'=').copied().collect();
    base64_decode(&digits).unwrap_or_default()
}

fn quoted(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len());
    let mut at = 0;
    while at < payload.len() {
        let value = payload.get(at + 1..at + 3).filter(|_| payload[at] == b'=').and_then(hexadecimal);
        match (value, payload[at]) {
            (Some(value), _) => {
                bytes.push(value);
                at += 2;
            }
            (None, b'_') => bytes.push(b' '),
            // A word that was folded as if it were text.
            (None, b'\r' | b'\n') => {
                at += payload[at + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            }
            (None, byte) => bytes.push(byte),
        }
        at += 1;
    }
    bytes
}

fn find(bytes: &[u8], two: &[u8; 2]) -> Option<usize> {
    memchr::memchr_iter(two[0], bytes).find(|at| bytes.get(at + 1) == Some(&two[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::limits::HEADER_BYTES_MAX;

    #[test]
    fn words_are_decoded_as_the_standard_says_and_as_programs_write_them() {
        for (value, expected) in [
            ("plain = ?text?", "plain = ?text?"),
            ("=?utf-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
            ("=?UTF-8*de?q?Gr=c3=bc=c3=9fe?= und =?iso-8859-1?B?S/ZsbiA=?=", "Grüße und Köln "),
            // Blanks between words vanish; between a word and text they stay.
            ("=?utf-8?Q?a?= \t =?utf-8?Q?b?= c", "ab c"),
            // A letter that is split between two words.
            ("=?utf-8?Q?K=C3?= =?utf-8?Q?=B6ln?=", "Köln"),
            ("=?utf-8?B?S8M=?= =?UTF-8?B?tmxu?=", "Köln"),
            ("=?utf-8?B?S8O?= =?utf-8?B?2bG4=?=", "Köln"),
            // Blanks and question marks inside.
            ("=?utf-8?Q?really? yes, =C3=B6 ?=", "really? yes, ö "),
            ("=?utf-8?Q?what?=20now=3F?=", "what? now?"),
            ("=?utf-8?B?S8O2 bG4=?=", "Köln"),
            ("=?utf-8?Q?K=C3=B6\r\n ln?=", "Köln"),
            // Touching, raw text around, unknown charset, no end.
            ("Re:=?utf-8?Q?=C3=B6?=x=?utf-8?Q?=C3=A4?=", "Re:öxä"),
            ("\"=?utf-8?Q?K=C3=B6ln?=\"", "\"Köln\""),
            ("=?x-unheard?Q?K=C3=B6ln?=", "Köln"),
            ("=?utf-8?Q?K=C3=B6ln", "Köln"),
            ("=?utf-8?B?S8O2bG4?", "Köln"),
            ("=?utf-8?Q?K=C3=B6ln? =?utf-8?Q?_x?=", "Köln x"),
            // One that begins ends the one before, whatever its charset is called; what begins none does not.
            ("=?utf-8?Q?x =?-?Q?y?=", "xy"),
            ("=?utf-8?Q?a=?b?=", "a=?b"),
            ("=?utf-8?Q?1=+5=-a?=", "1=+5=-a"),
            // Encoded twice.
            ("=?utf-8?Q?=3D=3Futf-8=3FQ=3FK=3DC3=3DB6ln=3F=3D?=", "Köln"),
            ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
            ("=?", "=?"),
            ("=??Q?a?=", "=??Q?a?="),
        ] {
            assert_eq!(text(value.as_bytes(), None), expected, "{value}");
        }
        assert_eq!(text(b"Gr\xfc\xdfe =?utf-8?Q?K=C3=B6ln?=", Some("iso-8859-1")), "Grüße Köln");
        assert_eq!(text(b"=?ISO-2022-JP?B?g2OBW4OL?=", None), "ツール");
    }

    #[test]
    fn many_broken_words_take_no_longer_than_their_length() {
        let value = "=?utf-8?Q?a".repeat(20_000);
        assert!(text(value.as_bytes(), None).starts_with("aaa"));
        let value = "=?utf-8?Q?x?=41".repeat(20_000);
        assert!(text(value.as_bytes(), None).starts_with('x'));
    }

    /// Minutes, if each that may begin a word were looked through to the end.
    #[test]
    fn what_may_begin_a_word_a_megabyte_long_is_read() {
        for hostile in ["=?-?b?!", "=?-?q?!", "=?_?B?=?", "=?a?q", "=?", "=?a?="] {
            let value = hostile.repeat(HEADER_BYTES_MAX / hostile.len());
            assert!(text(value.as_bytes(), None).len() <= value.len());
            let (mut rest, mut words) = (value.as_bytes(), 0);
            while let Some(at) = find(rest, b"=?") {
                let word = word_bytes(&rest[at..]);
                assert!(word.is_none_or(|bytes| bytes <= WORD_BYTES_MAX), "{hostile}");
                (rest, words) = (&rest[at + word.unwrap_or(2)..], words + 1);
            }
            assert!(words > HEADER_BYTES_MAX / WORD_BYTES_MAX, "{hostile}");
        }
    }

    #[test]
    fn a_word_longer_than_any_is_cut() {
        let value = format!("=?utf-8?Q?{}?= b", "a".repeat(2 * WORD_BYTES_MAX));
        assert_eq!(word_bytes(value.as_bytes()), Some(WORD_BYTES_MAX));
    }
}
