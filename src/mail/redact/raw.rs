//! A mail as it came, cut part by part: headers, texts, and mails inside it. Bytes change in place, so that all else stays as it is.

use std::{borrow::Cow, ops::Range};

use super::{Reading, Sheet, header, transfer::Transfer};
use crate::mail::{
    mime::Part,
    part::with_parts,
    transfer::{self, Encoding},
};

/// Mails inside mails that are read as such; a deeper one is cut where the digits stand literally.
const NESTED_MAX: usize = 4;

/// Types beside `text/*` that are text.
const TEXT_TYPES: [&str; 11] = [
    "application/calendar",
    "application/csv",
    "application/ics",
    "application/javascript",
    "application/json",
    "application/ndjson",
    "application/sql",
    "application/x-csv",
    "application/x-ndjson",
    "application/x-yaml",
    "application/yaml",
];
/// Types that say nothing of a file whose name does, and the ends of names of text.
const VAGUE_TYPES: [&str; 4] = ["application/octet-stream", "application/vnd.ms-excel", "application/x-msexcel", "application/unknown"];
const TEXT_NAMES: [&str; 14] = [".txt", ".csv", ".tsv", ".json", ".ics", ".vcf", ".log", ".md", ".sql", ".yaml", ".yml", ".ini", ".text", ".tab"];
const MARKUP_NAMES: [&str; 2] = [".html", ".htm"];

/// What the bytes of a part are.
enum Content {
    Words(Reading),
    Headers,
    Mail,
    /// Pictures, archives, encrypted parts: not looked into.
    Opaque,
}

/// Cuts a mail that was read into these parts.
pub(super) fn cut<'a>(mail: &'a [u8], parts: &[Part<'_>], depth: usize) -> Sheet<'a> {
    let mut sheet = Sheet::new(mail);
    let mut covered: Vec<Range<usize>> = Vec::new();
    for part in parts {
        header::cut(part.head.clone(), &mut sheet);
        covered.push(part.head.clone());
        // Of a multipart the body is only what stands before its first part.
        if !part.is_multipart() {
            covered.push(part.body.clone());
            cut_body(part, &mut sheet, depth);
        }
    }
    between(&mut covered, mail.len()).into_iter().for_each(|gap| cut_lines(gap, &mut sheet));
    sheet
}

/// What no part covers: what stands before the first part, after the last, and the boundaries.
fn between(covered: &mut [Range<usize>], end: usize) -> Vec<Range<usize>> {
    covered.sort_by_key(|range| range.start);
    let mut gaps = Vec::new();
    let mut at = 0;
    for range in covered.iter() {
        if range.start > at {
            gaps.push(at..range.start);
        }
        at = at.max(range.end);
    }
    if at < end {
        gaps.push(at..end);
    }
    gaps
}

/// Words for people without MIME, but no boundary, which must stay what it is.
fn cut_lines(gap: Range<usize>, sheet: &mut Sheet<'_>) {
    let original = sheet.original;
    let mut from = gap.start;
    let mut at = gap.start;
    for line in original[gap.clone()].split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"--") {
            sheet.cut_text(from..at, Transfer::Plain, None, Reading::Text);
            from = at + line.len();
        }
        at += line.len();
    }
    sheet.cut_text(from..gap.end, Transfer::Plain, None, Reading::Text);
}

fn cut_body(part: &Part<'_>, sheet: &mut Sheet<'_>, depth: usize) {
    let declared = Encoding::named(&part.header.text("content-transfer-encoding"));
    let written = match declared {
        Encoding::Identity => Transfer::Plain,
        Encoding::QuotedPrintable => Transfer::QuotedPrintable,
        Encoding::Base64 => Transfer::Base64,
        Encoding::Uuencode => return,
    };
    let body = part.body.clone();
    match content(part) {
        Content::Words(reading) => {
            let label = part.label();
            // What is not in the encoding that it declares is shown as it stands.
            let broken = declared == Encoding::Base64 && matches!(transfer::decode(part.encoded, declared), Cow::Borrowed(_));
            sheet.cut_text(body, if broken { Transfer::Plain } else { written }, label.as_deref(), reading);
        }
        Content::Headers => sheet.cut_nested(body, written, |bytes| {
            let mut inner = Sheet::new(bytes);
            header::cut(0..bytes.len(), &mut inner);
            inner
        }),
        Content::Mail => sheet.cut_nested(body, written, |bytes| nested(bytes, depth + 1)),
        Content::Opaque => {}
    }
}

fn nested(bytes: &[u8], depth: usize) -> Sheet<'_> {
    let by_parts = |read: &[u8], parts: &[Part<'_>]| {
        let cut = cut(read, parts, depth);
        Sheet { original: bytes, after: cut.after.map(|after| carry_back(bytes, read, &after)), cards: cut.cards }
    };
    let structured = if depth <= NESTED_MAX { with_parts(bytes, by_parts).ok() } else { None };
    structured.unwrap_or_else(|| flat(bytes))
}

/// A mail, or what should be one.
pub(super) fn cut_any(bytes: &[u8]) -> Sheet<'_> {
    nested(bytes, 0)
}

/// Without its structure: where the digits stand literally, in quoted-printable, or in markup.
fn flat(bytes: &[u8]) -> Sheet<'_> {
    let mut sheet = Sheet::new(bytes);
    for (transfer, reading) in [
        (Transfer::Plain, Reading::Text),
        (Transfer::QuotedPrintable, Reading::Text),
        (Transfer::Plain, Reading::Html),
        (Transfer::QuotedPrintable, Reading::Html),
    ] {
        sheet.cut_text(0..bytes.len(), transfer, None, reading);
    }
    sheet
}

/// What was changed in a mail as it was read, in the mail as it came. Reading leaves out lines before the header and changes line ends, nothing else:
/// from the end on, all bytes but those of line ends are the same.
pub(super) fn carry_back(raw: &[u8], read: &[u8], cut: &[u8]) -> Vec<u8> {
    let no_line_end = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let mut carried = raw.to_vec();
    let places = carried.iter_mut().rev().filter(|byte| no_line_end(byte));
    let cut = read.iter().zip(cut).rev().filter(|(before, _)| no_line_end(before));
    places.zip(cut).for_each(|(place, (_, now))| *place = *now);
    carried
}

fn content(part: &Part<'_>) -> Content {
    let media_type = part.media_type.as_str();
    let name = part.name().unwrap_or_default().to_lowercase();
    let named = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match media_type {
        "message/rfc822" | "message/global" | "message/news" => Content::Mail,
        "text/rfc822-headers" => Content::Headers,
        "text/html" | "application/xhtml+xml" => Content::Words(Reading::Html),
        "text/xml" | "application/xml" => Content::Words(Reading::Xml),
        _ if media_type.starts_with("message/") => Content::Headers,
        // A multipart without parts is a text.
        _ if media_type.starts_with("text/")
            || media_type.starts_with("multipart/")
            || TEXT_TYPES.contains(&media_type)
            || media_type.ends_with("+json") =>
        {
            Content::Words(Reading::Text)
        }
        _ if media_type.ends_with("+xml") && media_type.starts_with("application/") => Content::Words(Reading::Xml),
        _ if !VAGUE_TYPES.contains(&media_type) => Content::Opaque,
        _ if name.ends_with(".eml") => Content::Mail,
        _ if name.ends_with(".xml") => Content::Words(Reading::Xml),
        _ if named(&MARKUP_NAMES) => Content::Words(Reading::Html),
        _ if named(&TEXT_NAMES) => Content::Words(Reading::Text),
        _ => Content::Opaque,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::redact::redact_raw;

    fn cut(raw: &[u8]) -> Vec<u8> {
        let cut = redact_raw(raw).unwrap();
        assert_eq!((cut.len(), redact_raw(&cut)), (raw.len(), None));
        cut
    }

    #[test]
    fn everything_but_the_digits_stays_where_it_is() {
        let raw = b"Subject: 4111 1111 1111 1111 \xff\r\nX: y\n\r\n4111=C2=A01111=A01111=201111 \xfc\0\r\n";
        assert_eq!(cut(raw), b"Subject: **** **** **** 1111 \xff\r\nX: y\n\r\n4111=C2=A01111=A01111=201111 \xfc\0\r\n");
        assert_eq!(redact_raw(b"Subject: nothing\r\n\r\n4111 1111 1111 1112"), None);
    }

    #[test]
    fn a_boundary_of_digits_and_the_names_of_mails_stay() {
        let raw = "From: a@a.example\r\nMessage-ID: <4111111111111111@a.example>\r\nReferences: <1.4111111111111111>\r\n\
            Content-Type: multipart/mixed; boundary=4111111111111111\r\n\r\n4111111111111111\r\n--4111111111111111\r\n\r\nx\r\n--4111111111111111--\r\n";
        let expected = raw.replacen("\r\n\r\n4111111111111111", "\r\n\r\n************1111", 1);
        assert_eq!(String::from_utf8(cut(raw.as_bytes())).unwrap(), expected);
    }

    #[test]
    fn a_boundary_stays_however_it_is_written() {
        for written in [
            "multipart/mixed; boundary=\"4000000000000002\"",
            "multipart/mixed boundary = 4000000000000002; x=y",
            "multipart/mixed; x=y;boundary*0=\"4000000000000002\"",
            "multipart/mixed; (x) boundary\r\n = \"4000000000000002",
        ] {
            let raw = format!(
                "From: a@a.example\r\nContent-Type: {written}\r\n\r\n--4000000000000002\r\n\r\n4111 1111 1111 1111\r\n--4000000000000002--\r\n"
            );
            let expected = raw.replace("4111 1111 1111", "**** **** ****");
            assert_eq!(String::from_utf8(cut(raw.as_bytes())).unwrap(), expected, "{written}");
        }
        let raw = "From: a@a.example\r\nContent-Type: text/plain; boundary=4000000000000002\r\n\r\nx\r\n";
        assert_eq!(cut(raw.as_bytes()), raw.replace("400000000000", "************").as_bytes());
    }

    #[test]
    fn a_line_end_in_a_header_ends_a_word() {
        let header = "Content-Disposition: attachment; filename=\"card 4111 1111 1111 1111.png\r";
        let raw = format!("From: a@a.example\r\n{header}a@a.example\"\r\nContent-Type: image/png\r\n\r\nx\r\n");
        assert_eq!(cut(raw.as_bytes()), raw.replace("4111 1111 1111 ", "**** **** **** ").as_bytes());
    }

    #[test]
    fn a_mail_with_bare_carriage_returns_keeps_them() {
        let raw = b"From: a@a.example\rSubject: 4111111111111111\r\r\ncard\r\r5555555555554444\r\r\r\n1";
        assert_eq!(cut(raw), b"From: a@a.example\rSubject: ************1111\r\r\ncard\r\r************4444\r\r\r\n1");
    }

    #[test]
    fn what_is_no_mail_is_cut_where_the_digits_stand_literally() {
        for (raw, expected) in [
            ("4111 1111 1111 1111", "**** **** **** 1111"),
            ("card =34111=\r\n1111 11111111", "card =2A***=\r\n**** ****1111"),
            ("<b>4111</b>111111111111", "<b>****</b>********1111"),
        ] {
            assert_eq!(cut(raw.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn mails_in_mails_are_cut_to_any_depth() {
        let mut raw = "Subject: x\r\n\r\n4111 1111 1111 1111\r\n".to_owned();
        for _ in 0..NESTED_MAX + 3 {
            raw = format!("Subject: x\r\nContent-Type: message/rfc822\r\n\r\n{raw}");
        }
        assert!(!cut(raw.as_bytes()).windows(4).any(|four| four == b"4111"));
    }

    #[test]
    fn wide_digits_in_the_charsets_of_east_asia_are_cut() {
        for (charset, digits, stars) in
            [("shift_jis", b"\x82\x53".as_slice(), b"\x81\x96".as_slice()), ("gb18030", b"\xa3\xb4", b"\xa3\xaa"), ("iso-2022-jp", b"#4", b"!v")]
        {
            let (shift, back): (&[u8], &[u8]) = if charset == "iso-2022-jp" { (b"\x1b$B", b"\x1b(B") } else { (b"", b"") };
            let mail = |first: &[u8]| {
                let head = format!("Subject: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n");
                [head.as_bytes(), shift, first, back, b"111 1111 1111 1111\r\n"].concat()
            };
            let after = cut(&mail(digits));
            assert!(after.windows(stars.len()).any(|part| part == stars), "{charset}");
        }
    }
}
