//! Bytes to letters when the label is missing, wrong or unknown.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// What is read where nothing better is known: the superset of Latin-1 that old mail programs write.
const LAST_RESORT: &str = "windows-1252";

/// Labels of encodings in which several bytes make one letter. By chance their bytes can be valid UTF-8, so the label is believed first.
const MULTI_BYTE: [&str; 13] = ["gb", "big5", "euc", "shift", "sjis", "x-sjis", "iso-2022", "ks_c", "ksc", "utf-16", "utf-7", "hz", "windows-9"];

/// Never fails: what no encoding explains becomes replacement characters.
pub fn decode(bytes: &[u8], label: Option<&str>) -> String {
    let utf8 = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok();
    let label = label.map(|label| label.trim().to_ascii_lowercase()).unwrap_or_default();
    let multi_byte = MULTI_BYTE.iter().any(|start| label.starts_with(start));
    if let Some(text) = utf8
        && !multi_byte
        && !has_iso_2022_jp(bytes)
    {
        return text.to_owned();
    }
    let known = charset_decoder(label.as_bytes()).filter(|_| !label.is_empty());
    if let Some(decoder) = known.filter(|_| multi_byte || !has_iso_2022_jp(bytes)) {
        let text = decoder(bytes);
        return match utf8 {
            Some(utf8) if text.contains(char::REPLACEMENT_CHARACTER) => utf8.to_owned(),
            _ => text,
        };
    }
    let fallback = if has_iso_2022_jp(bytes) { "iso-2022-jp" } else { LAST_RESORT };
    charset_decoder(fallback.as_bytes()).map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |decoder| decoder(bytes))
}

/// A header block in UTF-8, line by line, if it was not: raw 8-bit headers are forbidden and common.
pub fn repair_header(block: &[u8], label: Option<&str>) -> Option<Vec<u8>> {
    if std::str::from_utf8(block).is_ok() && !has_iso_2022_jp(block) {
        return None;
    }
    let mut repaired = Vec::with_capacity(block.len() + block.len() / 4);
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        repaired.extend_from_slice(line_in_utf8(line, label).as_bytes());
    }
    Some(repaired)
}

fn line_in_utf8<'a>(line: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    match std::str::from_utf8(line) {
        Ok(text) if !has_iso_2022_jp(line) => Cow::Borrowed(text),
        _ => Cow::Owned(decode(line, label)),
    }
}

/// The shift into two-byte Japanese, which no other text contains.
fn has_iso_2022_jp(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|three| three == b"\x1b$B" || three == b"\x1b$@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_wrong_or_unknown_label_still_gives_letters() {
        let cases: [(&[u8], Option<&str>, &str); 9] = [
            (b"Gr\xfc\xdfe", None, "Grüße"),
            (b"Gr\xfc\xdfe", Some("utf-8"), "Grüße"),
            ("Grüße".as_bytes(), Some("iso-8859-1"), "Grüße"),
            ("Grüße".as_bytes(), Some("x-unknown"), "Grüße"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), "Привет"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some(" WINDOWS-1251 "), "Привет"),
            (b"\x1b$B%O%m!<\x1b(B", None, "ハロー"),
            (b"\xc4\xe3\xba\xc3", Some("gb2312"), "你好"),
            (b"\xef\xbb\xbfplain", None, "plain"),
        ];
        for (bytes, label, expected) in cases {
            assert_eq!(decode(bytes, label), expected, "{label:?}");
        }
    }

    #[test]
    fn only_the_lines_of_a_header_that_are_not_utf_8_are_decoded() {
        let block = [b"Subject: Gr\xfc\xdfe\r\nFrom: ".as_slice(), "Zoë <z@a.example>\r\n".as_bytes()].concat();
        let repaired = repair_header(&block, None).unwrap();
        assert_eq!(std::str::from_utf8(&repaired).unwrap(), "Subject: Grüße\r\nFrom: Zoë <z@a.example>\r\n");
        assert_eq!(repair_header("Subject: Grüße\r\n".as_bytes(), None), None);
    }
}
