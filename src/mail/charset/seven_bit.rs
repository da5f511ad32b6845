//! Encodings that write other scripts in seven bits: ISO-2022 for Japanese, Korean and Chinese, HZ and UTF-7.
//!
//! Browsers dropped most of them for safety; mails of two decades are written in them. The escapes are turned into the eight-bit form of the same
//! character sets (EUC), which a library decodes. More is understood than the standards allow: each line begins in ASCII again, and what is written in
//! eight bits although the label says seven is read as Shift_JIS or EUC-JP.

use encoding_rs::{EUC_JP, EUC_KR, Encoding, GBK};

const ESCAPE: u8 = 0x1b;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;

/// Escapes and the set that they select.
const ESCAPES: [(&[u8], Set); 16] = [
    (b"$@", Set::Double),
    (b"$B", Set::Double),
    (b"$A", Set::Chinese),
    (b"$(@", Set::Double),
    (b"$(B", Set::Double),
    (b"$(C", Set::Korean),
    (b"$(D", Set::Supplement),
    (b"$(O", Set::Double),
    (b"$(Q", Set::Double),
    (b"$)C", Set::ShiftedKorean),
    (b"$)A", Set::ShiftedChinese),
    (b"(B", Set::Ascii),
    (b"(J", Set::Ascii),
    (b"(H", Set::Ascii),
    (b"(I", Set::Katakana),
    (b"&@", Set::Kept),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Ascii,
    /// JIS X 0208 and its successor, two bytes a letter.
    Double,
    /// JIS X 0212.
    Supplement,
    /// Half-width katakana (JIS X 0201).
    Katakana,
    Korean,
    Chinese,
    /// Announced; shift-out begins it.
    ShiftedKorean,
    ShiftedChinese,
    /// An escape that changes nothing.
    Kept,
}

/// The text, if it is of one of these encodings by its label or by its escapes.
pub(super) fn decode(bytes: &[u8], label: &str) -> Option<String> {
    if memchr::memchr(ESCAPE, bytes).is_some() && has_iso_2022_escape(bytes) {
        return Some(iso_2022(bytes));
    }
    match label {
        "utf-7" | "unicode-1-1-utf-7" | "unicode-2-0-utf-7" | "csunicode11utf7" | "csutf7" => Some(utf_7(bytes)),
        "hz-gb-2312" | "hz" | "hz-gb2312" => Some(hz(bytes)),
        "iso-2022-jp" | "csiso2022jp" | "iso-2022-jp-1" | "iso-2022-jp-2" | "iso-2022-jp-3" | "iso-2022-jp-2004" | "iso-2022-jp-ms" | "cp50220"
        | "cp50221" | "cp50222" | "jis" => (!bytes.is_ascii()).then(|| super::guessed(bytes, Some(b"jp")).into_owned()),
        _ if label.starts_with("iso-2022-jp") => (!bytes.is_ascii()).then(|| super::guessed(bytes, Some(b"jp")).into_owned()),
        _ if label.starts_with("iso-2022-kr") => (!bytes.is_ascii()).then(|| super::guessed(bytes, Some(b"kr")).into_owned()),
        _ => None,
    }
}

fn has_iso_2022_escape(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four[0] == ESCAPE && escape(&four[1..]).is_some_and(|(_, set)| !matches!(set, Set::Ascii | Set::Kept)))
        || bytes.ends_with(b"\x1b$B")
}

fn escape(after: &[u8]) -> Option<(usize, Set)> {
    ESCAPES.iter().find(|(letters, _)| after.starts_with(letters)).map(|(letters, set)| (letters.len(), *set))
}

fn iso_2022(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut run = Vec::new();
    let (mut set, mut shifted, mut encoding) = (Set::Ascii, Set::Ascii, EUC_JP);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        match byte {
            ESCAPE if escape(&bytes[at..]).is_some() => {
                let (letters, selected) = escape(&bytes[at..]).unwrap_or((0, Set::Kept));
                at += letters;
                match selected {
                    Set::Kept => {}
                    Set::ShiftedKorean => shifted = Set::Korean,
                    Set::ShiftedChinese => shifted = Set::Chinese,
                    selected => set = selected,
                }
            }
            SHIFT_OUT if shifted != Set::Ascii => set = shifted,
            SHIFT_IN => set = Set::Ascii,
            b'\n' | b'\r' => {
                set = Set::Ascii;
                run.push(byte);
            }
            0x21..=0x7e if set != Set::Ascii => {
                let needed = encoding_of(set);
                if needed != encoding {
                    flush(&mut run, encoding, &mut text);
                    encoding = needed;
                }
                match set {
                    Set::Katakana => run.extend_from_slice(&[0x8e, byte | 0x80]),
                    Set::Supplement => run.push(0x8f),
                    _ => {}
                }
                // The second byte, unless the letter was cut off.
                if set != Set::Katakana {
                    run.push(byte | 0x80);
                    if let Some(second) = bytes.get(at).filter(|second| matches!(second, 0x21..=0x7e)) {
                        run.push(second | 0x80);
                        at += 1;
                    }
                }
            }
            _ => run.push(byte),
        }
    }
    flush(&mut run, encoding, &mut text);
    text
}

fn encoding_of(set: Set) -> &'static Encoding {
    match set {
        Set::Korean => EUC_KR,
        Set::Chinese => GBK,
        _ => EUC_JP,
    }
}

fn flush(run: &mut Vec<u8>, encoding: &'static Encoding, text: &mut String) {
    text.push_str(&encoding.decode_without_bom_handling(run).0);
    run.clear();
}

/// RFC 1843: `~{` and `~}` around two-byte letters.
fn hz(bytes: &[u8]) -> String {
    let mut euc = Vec::with_capacity(bytes.len());
    let (mut at, mut chinese) = (0, false);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'~', Some(b'{')) => chinese = true,
            (b'~', Some(b'}')) => chinese = false,
            (b'~', Some(b'~')) => euc.push(b'~'),
            (b'~', Some(b'\n')) => {}
            (byte, _) => {
                euc.push(if chinese && byte > b' ' { byte | 0x80 } else { byte });
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    GBK.decode_without_bom_handling(&euc).0.into_owned()
}

/// RFC 2152: base64 of UTF-16 between `+` and `-`. Eight-bit letters in it are what they are in UTF-8.
fn utf_7(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'+' {
            text.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
        let encoded = &bytes[at + 1..at + 1 + digits];
        at += 1 + digits;
        let closed = bytes.get(at) == Some(&b'-');
        at += usize::from(closed);
        match digits {
            0 => text.push(b'+'),
            _ => text.extend_from_slice(utf_16_of_base64(encoded).as_bytes()),
        }
    }
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn utf_16_of_base64(digits: &[u8]) -> String {
    let (mut bits, mut count) = (0_u32, 0);
    let mut units = Vec::with_capacity(digits.len() / 2);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seven_bit_encoding_is_read() {
        let cases: [(&[u8], &str, &str); 12] = [
            (b"\x1b$B%O%m!<\x1b(B", "", "ハロー"),
            (b"\x1b$B%O%m!<\x1b(B!", "utf-8", "ハロー!"),
            (b"\x1b$B%O%m!<", "iso-2022-jp", "ハロー"),
            (b"a \x1b(IJ[0\x1b(B b", "iso-2022-jp", "a ﾊﾛｰ b"),
            (b"\x1b$B-!\x1b(B", "iso-2022-jp", "①"),
            (b"\x1b$(DB.\x1b(B", "iso-2022-jp-1", "昳"),
            (b"\x1b$B%O%m\nplain", "iso-2022-jp", "ハロ\nplain"),
            (b"\x1b$)C\x0e>H3g\x0f hi", "iso-2022-kr", "안녕 hi"),
            (b"~{Dc:C~} hi ~~", "hz-gb-2312", "你好 hi ~"),
            (b"Fr+APY-sche +- Hasen", "utf-7", "Frösche + Hasen"),
            (b"+ZeVnLIqe", "utf-7", "日本語"),
            (b"+", "unicode-1-1-utf-7", "+"),
        ];
        for (bytes, label, expected) in cases {
            assert_eq!(decode(bytes, label).as_deref(), Some(expected), "{label} {bytes:?}");
        }
        assert_eq!(decode(b"\x1b[1mbold\x1b[0m", "us-ascii"), None);
    }
}
