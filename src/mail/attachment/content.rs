//! What a file is, by its first bytes.

use infer::{MatcherType, Type};

use super::ole;

/// Bytes of a file that are looked at.
const LOOKED_AT_BYTES_MAX: usize = 64 * 1024;

/// Types that many formats share: they say less than what the sender declares.
const CONTAINERS: [&str; 7] =
    ["application/gzip", "application/octet-stream", "application/x-x509-ca-cert", "application/zip", "text/html", "text/x-shellscript", "text/xml"];

/// Declared types that say nothing.
const UNKNOWN: [&str; 4] = ["application/octet-stream", "application/x-octet-stream", "application/unknown", "application/binary"];

/// Kinds of content that are nothing else by accident.
pub(super) fn kind(bytes: &[u8]) -> Option<Type> {
    let start = &bytes[..bytes.len().min(LOOKED_AT_BYTES_MAX)];
    infer::get(start).filter(|kind| match kind.extension() {
        "exe" | "dll" => is_program(bytes),
        // It may stand anywhere near the start, and so may the one that another file contains.
        "pdf" => start.trim_ascii_start().starts_with(b"%PDF-"),
        // Keys and mails in the armor of PGP begin with dashes as well.
        "pem" => start.starts_with(b"-----BEGIN CERTIFICATE"),
        _ => true,
    })
}

/// The media type and extension by content, where they are certain and say more than what is declared, or contradict it.
pub(super) fn media_type(bytes: &[u8], declared: &str) -> Option<(&'static str, &'static str)> {
    // Mails and reports are texts that begin with anything.
    if declared.starts_with("message/") || declared.starts_with("multipart/") {
        return None;
    }
    let is_unknown = UNKNOWN.contains(&declared);
    let has_marks = ["image/", "audio/", "video/"].iter().any(|start| declared.starts_with(start)) || declared == "application/pdf";
    if bytes.starts_with(ole::MARK) {
        return (is_unknown || has_marks || declared.starts_with("text/")).then(|| ole::media_type(bytes)).flatten();
    }
    let kind = kind(bytes)?;
    let found = (kind.mime_type(), kind.extension());
    if CONTAINERS.contains(&kind.mime_type()) {
        // A text may be marked up, and many formats are zip files. An image is neither.
        let is_drawing = declared.contains("xml") || declared.contains("svg");
        return (is_unknown || (has_marks && !is_drawing)).then_some(found);
    }
    let same_family = |start: &str| declared.starts_with(start) && kind.mime_type().starts_with(start);
    let is_alias = (same_family("audio/") || same_family("video/") || same_family("font/")) && !is_unknown
        || matches!(kind.matcher_type(), MatcherType::Doc | MatcherType::Book)
            && declared.starts_with("application/")
            && !is_unknown
            && declared != "application/pdf"
        || declared.contains("pgp") && kind.matcher_type() != MatcherType::App;
    (!is_alias).then_some(found)
}

/// `MZ` begins a program of DOS or Windows, and words: a program has the rest of its header too.
fn is_program(bytes: &[u8]) -> bool {
    let Some(offset) = bytes.get(0x3c..0x40).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes) else { return false };
    let newer = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..offset.checked_add(2)?));
    newer.is_some_and(|two| matches!(two, b"PE" | b"NE" | b"LE" | b"LX")) || bytes[..0x40].contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn content_wins_where_it_is_certain() {
        let program = [b"MZ\x90\0".as_slice(), &[0; 0x38], &0x40_u32.to_le_bytes(), b"PE\0\0"].concat();
        let table = [ole::MARK, &[0; 504], &ole::tests::entry("Workbook")].concat();
        let cases: [(&[u8], &str, Option<&str>); 20] = [
            (b"-----BEGIN CERTIFICATE-----\nx", "application/octet-stream", Some("application/x-x509-ca-cert")),
            (b"-----BEGIN PGP MESSAGE-----\nx", "application/octet-stream", None),
            (PNG, "application/octet-stream", Some("image/png")),
            (PNG, "image/jpeg", Some("image/png")),
            (b"%PDF-1.7\n", "application/octet-stream", Some("application/pdf")),
            (&program, "application/pdf", Some("application/vnd.microsoft.portable-executable")),
            (b"MZ is no program but the start of a sentence, which goes on for a while.", "text/plain", None),
            (b"PK\x03\x04\x14\0\0\0", "application/vnd.oasis.opendocument.text", None),
            (b"PK\x03\x04\x14\0\0\0", "image/png", Some("application/zip")),
            (b"PK\x03\x04\x14\0\0\0", "application/octet-stream", Some("application/zip")),
            (b"<html><p>x", "text/plain", None),
            (b"<?xml version=\"1.0\"?><svg/>", "image/svg+xml", None),
            (PNG, "message/rfc822", None),
            (b"words", "image/png", None),
            (&table, "application/octet-stream", Some("application/vnd.ms-excel")),
            (&table, "image/png", Some("application/vnd.ms-excel")),
            (&table, "text/plain", Some("application/vnd.ms-excel")),
            (&table, "application/msword", None),
            (&table[..512], "application/octet-stream", None),
            (&table[..512], "application/vnd.ms-project", None),
        ];
        for (bytes, declared, expected) in cases {
            assert_eq!(media_type(bytes, declared).map(|(media_type, _)| media_type), expected, "{declared} {bytes:?}");
        }
    }
}
