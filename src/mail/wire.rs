//! A mail's bytes, made fit for the MIME parser: line ends repaired, messages inside the mail kept opaque, huge parameter lists set aside.
//!
//! The parser builds and frees a message inside a message by recursion, so a crafted mail could exhaust the stack, and it merges the parameters of a
//! header in quadratic time. What it must not see is masked byte for byte: offsets into the masked bytes are offsets into the mail.

use std::borrow::Cow;

use super::Unreadable;

/// Multiparts a mail may declare; real mails stay under thirty.
pub const BOUNDARIES_MAX: usize = 200;

/// Bytes of a Content-Type or Content-Disposition header; a longer one is read as a header of no meaning.
pub const PARAMETER_HEADER_BYTES_MAX: usize = 4 * 1024;

/// Blank lines after a dash, of which each could end the header of a part. The parser would make a part of every one.
pub const PART_STARTS_MAX: usize = 50_000;

/// Lines with a colon between a dash and a blank line, of which each could be a header of a part. A text with so many is not likely.
pub const PART_HEADERS_MAX: usize = 300_000;

/// Stands for the last byte of a masked word. A mail that holds it by itself loses it: it is a control character.
const MASK: char = '\u{1}';

/// The media subtypes whose parts the parser would descend into.
const NESTED_SUBTYPES: [&[u8]; 3] = [b"rfc822", b"global", b"digest"];

const PARAMETER_HEADERS: [&[u8]; 2] = [b"content-type:", b"content-disposition:"];

/// Turns lone CRs into line ends where the header uses them; bodies of ordinary mails are left as they came.
pub fn repair_line_ends(raw: &[u8]) -> Cow<'_, [u8]> {
    let header_end = raw.windows(2).position(|pair| pair == b"\n\n").or_else(|| raw.windows(4).position(|four| four == b"\r\n\r\n"));
    let header = &raw[..header_end.unwrap_or(raw.len())];
    let lone = header.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    if !lone {
        return Cow::Borrowed(raw);
    }
    let mut repaired = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'\r' {
            // A run of CRs before an LF is one line end; without the LF each CR is one.
            let run = raw[at..].iter().take_while(|byte| **byte == b'\r').count();
            if raw.get(at + run) == Some(&b'\n') {
                repaired.push(b'\n');
                at += run + 1;
            } else {
                repaired.resize(repaired.len() + run, b'\n');
                at += run;
            }
        } else {
            repaired.push(raw[at]);
            at += 1;
        }
    }
    Cow::Owned(repaired)
}

/// The same number of bytes, without what the parser must not see. `unmask` undoes it in texts.
pub fn mask(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Unreadable> {
    let mut masked = Cow::Borrowed(bytes);
    let mut boundaries = 0;
    let mut starts = PartStarts { in_header: true, ..PartStarts::default() };
    let mut line_start = 0;
    let mut parameter_header = parameter_header_at(bytes);
    let mut colon_seen = false;
    let mut before = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        starts.see(byte);
        if byte == b'\n' && !matches!(bytes.get(at + 1), Some(b' ' | b'\t')) {
            set_aside(&mut masked, parameter_header, at - line_start);
            line_start = at + 1;
            parameter_header = parameter_header_at(&bytes[line_start..]).map(|offset| line_start + offset);
            colon_seen = false;
            before = 0;
            continue;
        }
        // Base64 has no colon, so attachments are never touched.
        colon_seen |= byte == b':';
        if !colon_seen {
            continue;
        }
        let lower = byte.to_ascii_lowercase();
        if matches!(lower, b'r' | b'g' | b'd') && matches!(before, b'/' | b')') {
            if let Some(word) = NESTED_SUBTYPES.iter().find(|word| starts_with(&bytes[at..], word)) {
                masked.to_mut()[at + word.len() - 1] = MASK as u8;
            }
        } else if lower == b'b' && starts_with(&bytes[at..], b"boundary") {
            boundaries += 1;
        }
        // What the parser skips inside a media type.
        if !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\\') {
            before = byte;
        }
    }
    set_aside(&mut masked, parameter_header, bytes.len() - line_start);
    let over = [(boundaries, BOUNDARIES_MAX), (starts.count, PART_STARTS_MAX), (starts.headers, PART_HEADERS_MAX)];
    match over.into_iter().find(|(count, limit)| count > limit) {
        Some((_, limit)) => Err(Unreadable::TooManyParts { limit }),
        None => Ok(masked),
    }
}

/// An upper bound of the parts and part headers that the parser could find: each part needs the two dashes of a boundary and a blank line after it.
#[derive(Default)]
struct PartStarts {
    count: usize,
    headers: usize,
    dash_seen: bool,
    in_header: bool,
    line_has_letters: bool,
    line_has_colon: bool,
}

impl PartStarts {
    fn see(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.headers += usize::from(self.in_header && self.line_has_colon);
                if self.in_header && !self.line_has_letters {
                    self.count += 1;
                    self.in_header = false;
                }
                self.line_has_letters = false;
                self.line_has_colon = false;
                self.dash_seen = false;
            }
            b' ' | b'\t' | b'\r' => {}
            _ => {
                self.in_header |= byte == b'-' && self.dash_seen;
                self.dash_seen = byte == b'-';
                self.line_has_letters = true;
                self.line_has_colon |= byte == b':';
            }
        }
    }
}

/// Puts back the letters that `mask` took.
pub fn unmask(text: &str) -> Cow<'_, str> {
    if !text.contains(MASK) {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len());
    for letter in text.chars() {
        match (letter, whole.chars().next_back()) {
            (MASK, Some('2')) => whole.push('2'),
            (MASK, Some('a')) => whole.push('l'),
            (MASK, Some('A')) => whole.push('L'),
            (MASK, Some('s')) => whole.push('t'),
            (MASK, Some('S')) => whole.push('T'),
            (MASK, _) => {}
            _ => whole.push(letter),
        }
    }
    Cow::Owned(whole)
}

/// Where the name of a header with parameters begins in this line. The parser ignores blanks inside names, so this does too.
fn parameter_header_at(line: &[u8]) -> Option<usize> {
    let skipped = |byte: &u8| byte.is_ascii_whitespace() && *byte != b'\n';
    let first = line.iter().position(|byte| !skipped(byte) && *byte != b':')?;
    let matches = |name: &[u8]| {
        let mut letters = line[first..].iter().filter(|byte| !skipped(byte));
        name.iter().all(|expected| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(expected)))
    };
    PARAMETER_HEADERS.iter().any(|name| matches(name)).then_some(first)
}

fn set_aside(masked: &mut Cow<'_, [u8]>, header_at: Option<usize>, line_bytes: usize) {
    if let Some(at) = header_at.filter(|_| line_bytes > PARAMETER_HEADER_BYTES_MAX) {
        masked.to_mut()[at] = b'x';
    }
}

fn starts_with(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_carriage_returns_become_line_ends_only_where_the_header_has_them() {
        assert_eq!(repair_line_ends(b"From: a\rSubject: b\r\rtext").as_ref(), b"From: a\nSubject: b\n\ntext");
        assert_eq!(repair_line_ends(b"From: a\r\r\nSubject: b\r\r\n\r\r\ntext").as_ref(), b"From: a\nSubject: b\n\ntext");
        assert_eq!(repair_line_ends(b"From: a\r\n\r\nbinary \r stays").as_ref(), b"From: a\r\n\r\nbinary \r stays");
    }

    #[test]
    fn masking_hides_nested_types_keeps_the_length_and_is_undone() {
        for nested in [
            "Content-Type: message/rfc822",
            "content-type:\r\n MESSAGE / GLOBAL; x=y",
            "C:(a)multipart/(b) digest",
            "C: message/\"\\rfc822",
            "see https://a.example/digest",
        ] {
            let masked = mask(nested.as_bytes()).unwrap();
            assert_eq!(masked.len(), nested.len());
            assert_ne!(masked.as_ref(), nested.as_bytes(), "{nested}");
            assert_eq!(unmask(std::str::from_utf8(&masked).unwrap()), nested);
        }
        for plain in ["Content-Type: text/plain", "YWJj/digestYWJj", "a digest: global"] {
            assert_eq!(mask(plain.as_bytes()).unwrap().as_ref(), plain.as_bytes(), "{plain}");
        }
    }

    #[test]
    fn a_huge_parameter_list_is_set_aside_and_too_many_multiparts_are_refused() {
        let huge = format!(" Content - Type: a/b{}\n\nx", ";a*1=b".repeat(PARAMETER_HEADER_BYTES_MAX / 6));
        assert!(mask(huge.as_bytes()).unwrap().starts_with(b" xontent"));
        let many = "Content-Type: multipart/mixed; boundary=a\n".repeat(BOUNDARIES_MAX + 1);
        assert_eq!(mask(many.as_bytes()), Err(Unreadable::TooManyParts { limit: BOUNDARIES_MAX }));
        assert_eq!(mask("--a\n\n".repeat(PART_STARTS_MAX + 1).as_bytes()), Err(Unreadable::TooManyParts { limit: PART_STARTS_MAX }));
        let headers = format!("--a\n{}", "A:\n".repeat(PART_HEADERS_MAX + 1));
        assert_eq!(mask(headers.as_bytes()), Err(Unreadable::TooManyParts { limit: PART_HEADERS_MAX }));
        assert!(mask(format!("A: b\n\n{}", "a:\n".repeat(PART_HEADERS_MAX + 1)).as_bytes()).is_ok());
    }
}
