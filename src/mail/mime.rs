//! A mail's parts (RFC 2046): one pass over its lines, with the boundaries of the open multiparts on a stack.
//!
//! A mail inside the mail is a part as any other and is not looked into. Boundaries that are missing, never closed or others than declared are borne.
//! The MIME parser that most programs use descends into what a stranger nests and takes a boundary for found where another merely begins with it.

use std::ops::Range;

use super::{
    Unreadable,
    header::{Header, field_name, is_continuation, is_field},
    limits::{DEPTH_MAX, HEADER_BYTES_MAX, PARTS_MAX},
    line::line_end,
};

/// Bytes after a line that is no field in which a field must follow, lest the body has begun without a blank line.
const STRAY_BYTES_MAX: usize = 4 * 1024;

/// Bytes at the start of a multipart in which its boundary is sought if it is not as declared.
const PREAMBLE_BYTES_MAX: usize = 4 * 1024;

/// Fields that are in a header and rarely at the start of a line of a text.
const KNOWN_FIELDS: [&str; 14] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "received",
    "return-path",
    "reply-to",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
];

/// How the names of fields about a part begin.
const CONTENT: &str = "content-";

/// Fields of which several in the header of a part say that it is a mail.
const FIELDS_OF_A_MAIL: [&str; 7] = ["from", "to", "subject", "date", "message-id", "received", "return-path"];
const FIELDS_OF_A_MAIL_MIN: usize = 3;

/// A mail, or a part of it.
pub(super) struct Part<'a> {
    pub(super) header: Header<'a>,
    /// Where its header stands in the mail.
    pub(super) head: Range<usize>,
    /// Where its body stands in the mail.
    pub(super) body: Range<usize>,
    /// The body as it stands there, with its transfer encoding.
    pub(super) encoded: &'a [u8],
    /// In lower case, without parameters.
    pub(super) media_type: String,
    pub(super) parent: Option<usize>,
    /// The parts of a multipart in their order; empty for all others.
    pub(super) children: Vec<usize>,
}

/// The mail and all its parts, each before the parts it holds.
pub(super) fn read(mail: &[u8]) -> Result<Vec<Part<'_>>, Unreadable> {
    let mut reader = Reader { mail, parts: Vec::new(), open: Vec::new(), leaf: None, header_bytes: 0 };
    let mut at = reader.begin_part(0)?;
    while !reader.open.is_empty() && at < mail.len() {
        let end = line_end(mail, at);
        let line = &mail[at..end];
        match matches!(line[0], b'-' | b' ' | b'\t').then(|| reader.boundary(line)).flatten() {
            Some((depth, closes)) => {
                reader.end_leaf(at);
                // The mail's own multipart stays open: parts that follow its end belong to it still.
                reader.open.truncate(if closes { depth.max(1) } else { depth + 1 });
                at = if closes { end } else { reader.begin_part(end)? };
            }
            None => at = end,
        }
    }
    reader.end_leaf(mail.len());
    Ok(reader.parts)
}

/// The header at the start of a mail whose parts are not asked for.
pub(super) fn header(mail: &[u8]) -> Option<Header<'_>> {
    let reader = Reader { mail, parts: Vec::new(), open: Vec::new(), leaf: None, header_bytes: 0 };
    Header::read(&mail[reader.header_at(0).0], None).ok()
}

struct Reader<'a> {
    mail: &'a [u8],
    parts: Vec<Part<'a>>,
    open: Vec<OpenMultipart>,
    /// The part whose body is being passed, and where that began.
    leaf: Option<(usize, usize)>,
    header_bytes: usize,
}

struct OpenMultipart {
    part: usize,
    boundary: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Reads a header, and returns where the body after it begins.
    fn begin_part(&mut self, start: usize) -> Result<usize, Unreadable> {
        if self.parts.len() == PARTS_MAX {
            return Err(Unreadable::TooManyParts { limit: PARTS_MAX });
        }
        let (mut head, body) = self.header_at(start);
        self.header_bytes += head.len();
        if self.header_bytes > HEADER_BYTES_MAX {
            return Err(Unreadable::HeaderTooLong { limit: HEADER_BYTES_MAX });
        }
        let mut header = Header::read(&self.mail[head.clone()], None)?;
        let number = self.parts.len();
        let parent = self.open.last().map(|multipart| multipart.part);
        let mut media_type = header.media_type();
        let mut body = body;
        if parent.is_some() && FIELDS_OF_A_MAIL.iter().filter(|name| header.has(name)).count() >= FIELDS_OF_A_MAIL_MIN {
            // A mail that is returned without a word before it.
            (header, head, media_type, body) = (Header::read(&[], None)?, start..start, "message/rfc822".to_owned(), start);
        }
        if let Some(parent) = parent {
            self.parts[parent].children.push(number);
            if self.parts[parent].media_type == "multipart/digest" && !header.has("content-type") {
                media_type = "message/rfc822".to_owned();
            }
        }
        let boundary = media_type.starts_with("multipart/").then(|| self.boundary_of(&header, body)).flatten();
        self.parts.push(Part { header, head, body: body..body, encoded: &[], media_type, parent, children: Vec::new() });
        // Until a part of it is found, a multipart is a text.
        self.leaf = Some((number, body));
        if let Some(boundary) = boundary {
            if self.open.len() == DEPTH_MAX {
                return Err(Unreadable::TooDeep { limit: DEPTH_MAX });
            }
            self.open.push(OpenMultipart { part: number, boundary });
        }
        Ok(body)
    }

    /// The open multipart, by its depth, whose boundary this line is, and whether the line closes it.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        // Some indent all that they send.
        let line = line.trim_ascii().strip_prefix(b"--")?;
        let depths = || self.open.iter().enumerate().rev();
        let after = |multipart: &OpenMultipart| line.strip_prefix(multipart.boundary.as_slice());
        let exact = depths().find_map(|(depth, multipart)| match after(multipart)? {
            b"" => Some((depth, false)),
            b"--" => Some((depth, true)),
            _ => None,
        });
        // With something after it, which only a closing one may have.
        exact.or_else(|| depths().find_map(|(depth, multipart)| after(multipart)?.starts_with(b"--").then_some((depth, true))))
    }

    fn end_leaf(&mut self, end: usize) {
        let Some((number, start)) = self.leaf.take() else { return };
        let encoded = &self.mail[start.min(end)..end];
        // The line end before a boundary belongs to it.
        let encoded = if end < self.mail.len() {
            encoded.strip_suffix(b"\n").map_or(encoded, |rest| rest.strip_suffix(b"\r").unwrap_or(rest))
        } else {
            encoded
        };
        self.parts[number].encoded = encoded;
        self.parts[number].body = start.min(end)..start.min(end) + encoded.len();
    }

    /// The header that begins here, and where its body begins: after a blank line, or where lines cannot be of a header.
    fn header_at(&self, start: usize) -> (Range<usize>, usize) {
        let mut at = start;
        let mut before: &[u8] = b"";
        while at < self.mail.len() && at - start <= HEADER_BYTES_MAX {
            let end = line_end(self.mail, at);
            let line = &self.mail[at..end];
            if line.trim_ascii().is_empty() && !self.is_blank_fold(line, end) {
                return (start..at, end);
            }
            let goes_on = || at > start && is_continuation(before, line, None);
            if !is_field(line) && !goes_on() {
                if line.starts_with(b"--") && self.boundary(line).is_some() {
                    return (start..at, at);
                }
                match self.next_field(end) {
                    Some(field) => {
                        at = field;
                        continue;
                    }
                    None => return (start..at, at),
                }
            }
            before = line;
            at = end;
        }
        (start..at, at)
    }

    /// Whether a line of blanks stands among the fields of a header, which is no longer allowed but was.
    fn is_blank_fold(&self, line: &[u8], end: usize) -> bool {
        let next = &self.mail[end..line_end(self.mail, end)];
        matches!(line.first(), Some(b' ' | b'\t')) && field_name(next).is_some_and(|(name, _)| is_known(name))
    }

    /// The next field of a header that goes on after a stray line.
    fn next_field(&self, start: usize) -> Option<usize> {
        let mut at = start;
        while at < self.mail.len() && at - start <= STRAY_BYTES_MAX {
            let end = line_end(self.mail, at);
            let line = &self.mail[at..end];
            if line.trim_ascii().is_empty() || line.starts_with(b"--") {
                return None;
            }
            if field_name(line).is_some_and(|(name, _)| is_known(name)) {
                return Some(at);
            }
            at = end;
        }
        None
    }

    /// The boundary that a multipart declares; or, where parts begin with another one or none is declared, that other one.
    fn boundary_of(&self, header: &Header<'_>, body: usize) -> Option<Vec<u8>> {
        let declared = header.parameters("content-type").and_then(|parameters| parameters.raw("boundary")).filter(|boundary| !boundary.is_empty());
        let found = self.boundary_in(body, declared.as_deref());
        found.or(declared)
    }

    /// The first line in a preamble that looks like a boundary because a part's header follows it.
    fn boundary_in(&self, body: usize, declared: Option<&[u8]>) -> Option<Vec<u8>> {
        let mut at = body;
        while at < self.mail.len() && at - body <= PREAMBLE_BYTES_MAX {
            let end = line_end(self.mail, at);
            let written = self.mail[at..end].strip_prefix(b"--").map(<[u8]>::trim_ascii_end);
            at = end;
            let Some(written) = written.filter(|written| !written.is_empty()) else { continue };
            if declared == Some(written) || self.open.iter().any(|multipart| multipart.boundary == written) {
                return None;
            }
            let next = &self.mail[end..line_end(self.mail, end)];
            if field_name(next).is_some_and(|(name, _)| name.get(..CONTENT.len()).is_some_and(|start| start.eq_ignore_ascii_case(CONTENT)))
                && declared.is_none_or(|declared| !written.starts_with(declared))
            {
                return Some(written.to_vec());
            }
        }
        None
    }
}

fn is_known(field: &str) -> bool {
    KNOWN_FIELDS.iter().any(|known| field.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The media types and bodies of all parts that are no multiparts.
    fn leaves(mail: &str) -> Vec<(String, String)> {
        let parts = read(mail.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        let leaves = parts.iter().filter(|part| part.children.is_empty());
        leaves.map(|part| (part.media_type.clone(), String::from_utf8_lossy(part.encoded).into_owned())).collect()
    }

    fn bodies(mail: &str) -> Vec<String> {
        leaves(mail).into_iter().map(|(_, body)| body).collect()
    }

    const MIXED: &str = "Subject: x\nContent-Type: multipart/mixed; boundary=\"a\"\n\n";

    #[test]
    fn parts_are_what_stands_between_boundaries() {
        assert_eq!(bodies("Subject: x\n\none\ntwo\n"), ["one\ntwo\n"]);
        assert_eq!(bodies(&format!("{MIXED}preamble\n--a\n\none\n--a\r\n\r\ntwo\r\n\r\n--a-- \nepilogue")), ["one", "two\r\n"]);
    }

    #[test]
    fn a_boundary_is_a_whole_line_and_no_beginning_of_another() {
        let nested = "--a\nContent-Type: multipart/alternative; boundary=ab\n\n--ab\n\none --a\n--ab\n\n--ax\n--ab--\n--a\n\nthree\n--a--\n";
        assert_eq!(bodies(&format!("{MIXED}{nested}")), ["one --a", "--ax", "three"]);
    }

    #[test]
    fn missing_and_wrong_boundaries_are_borne() {
        assert_eq!(bodies(&format!("{MIXED}--a\n\none\n--a\n\ntwo")), ["one", "two"], "never closed");
        assert_eq!(bodies(&format!("{MIXED}--a\n\none\n--a--\n--a\n\ntwo\n--a--\n")), ["one", "two"], "closed too early");
        assert_eq!(bodies(&format!("{MIXED}--b\nContent-Type: text/plain\n\none\n--b--\n")), ["one"], "another than declared");
        assert_eq!(bodies("Subject: x\nContent-Type: multipart/mixed\n\n--b\nContent-Type: text/plain\n\none\n--b--\n"), ["one"], "none declared");
        assert_eq!(bodies(&format!("{MIXED}no part at all\n")), ["no part at all\n"]);
        assert_eq!(
            bodies(&format!("{MIXED}--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--a\n\ntwo\n--a--\n")),
            ["one", "two"],
            "the inner one never closed"
        );
    }

    #[test]
    fn a_mail_that_nothing_declares_is_a_mail() {
        let returned = format!("{MIXED}--a\n\nreturned\n --a\nFrom: b@a.example\nMessage-ID: <x@a.example>\nSubject: y\n\nwords\n--a--\n");
        let mail = "From: b@a.example\nMessage-ID: <x@a.example>\nSubject: y\n\nwords";
        assert_eq!(leaves(&returned), [("text/plain".to_owned(), "returned".to_owned()), ("message/rfc822".to_owned(), mail.to_owned())]);
    }

    #[test]
    fn a_header_ends_where_lines_cannot_be_of_it() {
        assert_eq!(bodies("Subject: x\nFrom: a@a.example\nDear all,\nwords: many\n"), ["Dear all,\nwords: many\n"]);
        assert_eq!(bodies("Subject: x\nstray line\nFrom: a@a.example\n\nwords\n"), ["words\n"]);
        assert_eq!(bodies("Subject: x\n \t\nFrom: a@a.example\n \nwords\n"), ["words\n"]);
        assert_eq!(bodies(&format!("{MIXED}--a\nContent-Type: text/plain\n--a\n\ntwo\n--a--\n")), ["", "two"]);
        let unindented = format!("{MIXED}--a\nContent-Type: text/html;\nname=\"x:y.html\"\nContent-Transfer-Encoding: 7bit\n\none\n--a--\n");
        assert_eq!(leaves(&unindented), [("text/html".to_owned(), "one".to_owned())]);
    }

    #[test]
    fn too_much_of_anything_is_refused() {
        let parts = format!("{MIXED}{}--a--\n", "--a\n\nwords\n".repeat(PARTS_MAX));
        assert_eq!(read(parts.as_bytes()).err(), Some(Unreadable::TooManyParts { limit: PARTS_MAX }));
        let deep: String = (0..=DEPTH_MAX).map(|depth| format!("--{depth}\nContent-Type: multipart/mixed; boundary={}\n\n", depth + 1)).collect();
        let deep = format!("Content-Type: multipart/mixed; boundary=0\n\n{deep}");
        assert_eq!(read(deep.as_bytes()).err(), Some(Unreadable::TooDeep { limit: DEPTH_MAX }));
        let header = format!("Subject: x\nX: {}\n\nwords", "y".repeat(HEADER_BYTES_MAX));
        assert_eq!(read(header.as_bytes()).err(), Some(Unreadable::HeaderTooLong { limit: HEADER_BYTES_MAX }));
    }
}
