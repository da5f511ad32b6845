//! Bytes to letters when the label is missing, wrong or unknown.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;

mod seven_bit;

/// Bytes from which an encoding is guessed: more do not change the guess.
const GUESSED_BYTES_MAX: usize = 16 * 1024;

/// Letters beyond ASCII from which valid UTF-8 is no accident in a text that is labeled as something else.
const UTF8_LETTERS_MIN: usize = 3;

/// Good letters for each broken one from which a label is believed.
const BROKEN_LETTERS_RATIO: usize = 8;

/// Labels that no standard knows and mail programs write, and what they mean by them.
const ALIASES: [(&str, &str); 22] = [
    ("949", "euc-kr"),
    ("ansi", "windows-1252"),
    ("ansi_x3.110-1983", "windows-1252"),
    ("cp-850", "cp850"),
    ("cp10000", "macintosh"),
    ("cp1251cp", "windows-1251"),
    ("cp20127", "us-ascii"),
    ("cp874", "windows-874"),
    ("cp932", "shift_jis"),
    ("cp936", "gb18030"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("koi8_r", "koi8-r"),
    ("ks_c_5601", "euc-kr"),
    ("latin-1", "windows-1252"),
    ("ms936", "gb18030"),
    ("ms949", "euc-kr"),
    ("ms950", "big5"),
    ("uhc", "euc-kr"),
    ("utf8mb4", "utf-8"),
    ("windows-936", "gb18030"),
    ("windows-949", "euc-kr"),
];

/// Never fails: what no encoding explains becomes replacement characters.
pub fn decode<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let label = label.map(normalized).unwrap_or_default();
    if let Some(text) = seven_bit::decode(bytes, &label) {
        return Cow::Owned(text);
    }
    if bytes.is_ascii() && !label.starts_with("utf-16") && !label.starts_with("utf-32") {
        return utf8(bytes);
    }
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark_bytes..]).0;
    }
    let utf8 = std::str::from_utf8(bytes).ok();
    let named = Encoding::for_label(label.as_bytes());
    match (named, utf8) {
        (Some(encoding), Some(text)) if is_rather_utf8(encoding, text) => Cow::Borrowed(text),
        (None, Some(text)) if charset_decoder(label.as_bytes()).is_none() => Cow::Borrowed(text),
        (Some(encoding), _) if encoding == UTF_8 => not_utf8_after_all(bytes),
        (Some(encoding), _) if encoding == WINDOWS_1252 && is_hardly_latin(bytes) => guessed(bytes, None),
        (Some(encoding), _) => match encoding.decode_without_bom_handling(bytes) {
            (_, true) => wrongly_labeled(bytes, utf8, encoding),
            (text, false) => text,
        },
        // A few old code pages that browsers do not know.
        (None, _) => match charset_decoder(label.as_bytes()).filter(|_| !label.is_empty()) {
            Some(decoder) => Cow::Owned(decoder(bytes)),
            None => guessed(bytes, None),
        },
    }
}

/// What is no UTF-8 becomes replacement characters. Quick where there is nothing to replace.
pub fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Whether the bytes are what the label says, to the last one.
pub fn explains(bytes: &[u8], label: &str) -> bool {
    let label = normalized(label);
    let encoding = Encoding::for_label(label.as_bytes());
    encoding.is_none_or(|encoding| !encoding.decode_without_bom_handling(bytes).1)
}

/// Whether there is a charset of this name.
pub fn is_known(label: &str) -> bool {
    let label = normalized(label);
    Encoding::for_label(label.as_bytes()).is_some() || charset_decoder(label.as_bytes()).is_some()
}

/// One spelling for each label: lower case, without quotes, blanks, a language (RFC 2231) and what Java and Windows put before it.
fn normalized(label: &str) -> Cow<'_, str> {
    let bare = label.split_once('*').map_or(label, |(bare, _)| bare);
    let bare = bare.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | ';' | '='));
    let mut bare = Cow::Borrowed(bare);
    if bare.bytes().any(|letter| letter.is_ascii_uppercase()) {
        bare.to_mut().make_ascii_lowercase();
    }
    if bare.strip_prefix("x-").is_some_and(|rest| Encoding::for_label(rest.as_bytes()).is_some()) {
        bare.to_mut().drain(.."x-".len());
    }
    ALIASES.iter().find(|(alias, _)| *alias == bare).map_or(bare, |(_, meant)| Cow::Borrowed(*meant))
}

/// Whether this, which is valid UTF-8, is UTF-8 whatever its label says. In encodings of several bytes a letter that can be an accident.
fn is_rather_utf8(labeled: &'static Encoding, text: &str) -> bool {
    labeled == UTF_8
        || labeled.is_single_byte()
        || (labeled.is_ascii_compatible() && text.chars().filter(|letter| !letter.is_ascii()).take(UTF8_LETTERS_MIN).count() == UTF8_LETTERS_MIN)
}

/// Labeled as UTF-8 and not valid: a few bytes of it are broken, or the label is. A letter of several bytes that is valid is hardly an accident.
fn not_utf8_after_all(bytes: &[u8]) -> Cow<'_, str> {
    let (mut letters, mut broken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if letters >= broken { String::from_utf8_lossy(bytes) } else { guessed(bytes, None) }
}

/// The label does not explain every byte: a few of them are broken, or there is an encoding that explains all.
fn wrongly_labeled<'a>(bytes: &'a [u8], utf8: Option<&'a str>, labeled: &'static Encoding) -> Cow<'a, str> {
    if let Some(text) = utf8 {
        return Cow::Borrowed(text);
    }
    let as_labeled = labeled.decode_without_bom_handling(bytes).0;
    let broken = as_labeled.chars().filter(|letter| *letter == char::REPLACEMENT_CHARACTER).count();
    let letters = as_labeled.chars().filter(|letter| !letter.is_ascii()).count() - broken;
    if letters > broken * BROKEN_LETTERS_RATIO {
        return as_labeled;
    }
    match guess(bytes, None).decode_without_bom_handling(bytes) {
        (text, false) => text,
        _ => as_labeled,
    }
}

/// Labeled as Latin, which programs do without looking, but full of what are control characters there.
fn is_hardly_latin(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    let control = bytes.iter().filter(|byte| matches!(byte, 0x80..=0x9f)).count();
    // One Euro sign, dash or quotation mark is common.
    control > 1 && control * 3 > high
}

fn guessed<'a>(bytes: &'a [u8], domain: Option<&[u8]>) -> Cow<'a, str> {
    guess(bytes, domain).decode_without_bom_handling(bytes).0
}

/// What browsers would take it for. `domain` is a hint: the top-level domain where such texts come from.
fn guess(bytes: &[u8], domain: Option<&[u8]>) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let first = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
    detector.feed(&bytes[first..(first + GUESSED_BYTES_MAX).min(bytes.len())], true);
    detector.guess(domain, Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_wrong_or_unknown_label_still_gives_letters() {
        let cases: [(&[u8], Option<&str>, &str); 18] = [
            (b"Gr\xfc\xdfe", None, "Grüße"),
            (b"Gr\xfc\xdfe", Some("utf-8"), "Grüße"),
            (b"Gr\xfc\xdfe", Some("us-ascii"), "Grüße"),
            ("Grüße".as_bytes(), Some("iso-8859-1"), "Grüße"),
            ("Grüße".as_bytes(), Some("x-unknown"), "Grüße"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), "Привет"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some(" WINDOWS-1251 "), "Привет"),
            (b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("\"koi8-r\""), "Привет"),
            (b"\xc4\xe3\xba\xc3", Some("gb2312"), "你好"),
            (b"\xc4\xe3\xba\xc3", Some("x-gbk"), "你好"),
            ("你好，世界".as_bytes(), Some("gb2312"), "你好，世界"),
            (b"\xbe\xc8\xb3\xe7", Some("ks_c_5601-1987"), "안녕"),
            (b"\xbe\xc8\xb3\xe7", Some("cp949"), "안녕"),
            (b"\x83n\x83\x8d\x81[", Some("cp932"), "ハロー"),
            (b"\x83n\x83\x8d\x81[\x8b\xa4", Some("iso-8859-1"), "ハロー共"),
            (b"Gr\x81\xe1e", Some("cp850"), "Grüße"),
            (b"\xef\xbb\xbfplain", None, "plain"),
            ("Grüße, Zoë, naïve\u{fffd}".as_bytes(), Some("utf-8"), "Grüße, Zoë, naïve\u{fffd}"),
        ];
        for (bytes, label, expected) in cases {
            assert_eq!(decode(bytes, label), expected, "{label:?}");
        }
    }

    #[test]
    fn japanese_without_a_label_is_told_apart() {
        let text = "お問い合わせの件について、ご連絡いたします。";
        for encoding in [encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP] {
            let (bytes, _, _) = encoding.encode(text);
            assert_eq!(decode(&bytes, None), text, "{}", encoding.name());
            assert_eq!(decode(&bytes, Some("iso-2022-jp")), text, "{}", encoding.name());
        }
    }

    #[test]
    fn one_broken_letter_does_not_make_another_encoding_of_utf_8() {
        let mut bytes = "Grüße aus Köln, schöne Tage".as_bytes().to_vec();
        bytes.push(0xc3);
        assert_eq!(decode(&bytes, Some("utf-8")), "Grüße aus Köln, schöne Tage\u{fffd}");
        assert_eq!(decode(b"Caf\xc3\xa9 \xff", Some("utf-8")), "Café \u{fffd}");
        assert_eq!(decode(b"\xe6\x97\xa5\xe6\x9c", Some("utf-8")), "日\u{fffd}");
    }
}
