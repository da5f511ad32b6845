//! What a header says: who wrote the mail, to whom, when, which mail it answers; and what a part of it is. Read from the bytes as they came.

use std::{
    cell::OnceCell,
    ops::{Deref, Range},
};

use time::OffsetDateTime;

use super::{
    Address, Unreadable, address, charset, date, encoded_word,
    limits::{HEADER_FIELDS_MAX, MESSAGE_ID_BYTES_MAX, REFERENCES_MAX},
    line::{in_one_line, line_end, one_line, own_line},
    parameters::Parameters,
};

/// Bytes of the name of a header: more than a whole line may have (998, RFC 5322 section 2.1.1).
const NAME_BYTES_MAX: usize = 2_000;

/// Bytes of a field and of its name, as they usually are.
const FIELD_BYTES: usize = 64;
const NAME_BYTES: usize = 12;

/// A header's name in lower case, and its value on one line.
pub type HeaderLine<'a> = (&'a str, Line<'a>);
/// Headers of the whole mail in their order.
pub type Headers<'a> = [HeaderLine<'a>];

/// The fields of a header, of a mail or of a part of it.
pub(super) struct Header<'a> {
    block: &'a [u8],
    /// Of all fields one behind the other, lower-case.
    names: String,
    fields: Vec<Field>,
    /// Where the first line begins that not every program reads alike.
    doubtful_from: usize,
    /// The charset in which its raw 8-bit letters probably are.
    label: Option<&'a str>,
    /// Read when they are first asked for, which is often.
    content_type: OnceCell<Option<Parameters<'a>>>,
    content_disposition: OnceCell<Option<Parameters<'a>>>,
}

/// The value of a field on one line, which is made of it when it is first asked for: of most fields nobody asks.
#[derive(Debug)]
pub struct Line<'a> {
    written: &'a [u8],
    label: Option<&'a str>,
    text: OnceCell<String>,
}

impl From<String> for Line<'_> {
    fn from(text: String) -> Self {
        Line { written: b"", label: None, text: OnceCell::from(text) }
    }
}

impl Deref for Line<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text.get_or_init(|| in_one_line(charset::decode(self.written, self.label)).into_owned())
    }
}

struct Field {
    /// Its place among the names.
    name: Range<usize>,
    /// The bytes of the value in the block, folded as they came.
    value: Range<usize>,
}

impl<'a> Header<'a> {
    /// Lines that are no fields are passed over.
    pub(super) fn read(block: &'a [u8], label: Option<&'a str>) -> Result<Self, Unreadable> {
        let mut fields: Vec<Field> = Vec::with_capacity(block.len() / FIELD_BYTES);
        let mut names = String::with_capacity(block.len() / FIELD_BYTES * NAME_BYTES);
        let mut at = 0;
        // A line that is no field takes its continuation with it.
        let mut continues = false;
        let mut before: &[u8] = b"";
        let mut doubtful_from = block.len();
        while at < block.len() {
            let end = line_end(block, at);
            let line = &block[at..end];
            let field = if is_indented(line) { None } else { field_name(line) };
            if doubtful_from == block.len() && !is_beyond_doubt(line, field) {
                doubtful_from = at;
            }
            if is_continuation(before, line, field) {
                if let Some(last) = fields.last_mut().filter(|_| continues) {
                    last.value.end = end;
                }
            } else if let Some((name, colon)) = field {
                if fields.len() == HEADER_FIELDS_MAX {
                    return Err(Unreadable::TooManyHeaders { limit: HEADER_FIELDS_MAX });
                }
                let name_at = names.len();
                names.push_str(name);
                fields.push(Field { name: name_at..names.len(), value: at + colon + 1..end });
                continues = true;
            } else {
                continues = false;
            }
            before = line;
            at = end;
        }
        names.make_ascii_lowercase();
        Ok(Header { block, names, fields, doubtful_from, label, content_type: OnceCell::new(), content_disposition: OnceCell::new() })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| self.name(field) == name)
    }

    fn name(&self, field: &Field) -> &str {
        &self.names[field.name.clone()]
    }

    /// Every field as a line of text, as it was written, for the rules that only look at words.
    pub(super) fn lines(&self) -> Vec<HeaderLine<'_>> {
        let value = |field: &Field| {
            let written = &self.block[field.value.clone()];
            Line { written, label: self.label_for(written), text: OnceCell::new() }
        };
        self.fields.iter().map(|field| (self.name(field), value(field))).collect()
    }

    /// The fields that no server reads otherwise than we do, each as a line without any decoding: those above the first line that is oddly written.
    /// What only we would take for a field could pass a server unseen.
    pub(super) fn lines_beyond_doubt(&self) -> Vec<HeaderLine<'_>> {
        let sure = self.fields.iter().take_while(|field| field.value.end <= self.doubtful_from);
        let value = |field: &Field| Line::from(in_one_line(charset::utf8(&self.block[field.value.clone()])).into_owned());
        sure.map(|field| (self.name(field), value(field))).collect()
    }

    /// The decoded text of the first field of this name that says something.
    pub(super) fn text(&self, name: &str) -> String {
        let mut texts = self.values(name).map(|value| own_line(encoded_word::text(value, self.label_for(value))));
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The addresses of all fields of this name.
    pub(super) fn addresses(&self, name: &str) -> Vec<Address> {
        self.values(name).flat_map(|value| address::list(value, self.label_for(value))).collect()
    }

    /// From; where it names nobody, who is named elsewhere as the one who sent it.
    pub(super) fn sender(&self) -> Option<Address> {
        ["from", "sender", "reply-to", "return-path", "x-sender", "x-envelope-from", "envelope-from"]
            .iter()
            .find_map(|name| self.addresses(name).into_iter().next())
    }

    /// Message-IDs without brackets, in their order, and whether some in the middle were left out.
    pub(super) fn message_ids(&self, name: &str) -> (Vec<String>, bool) {
        let mut ids: Vec<String> = self.values(name).flat_map(|value| ids_in(&charset::decode(value, self.label_for(value)))).collect();
        let too_many = ids.len() > REFERENCES_MAX;
        if too_many {
            ids.drain(1..ids.len() - (REFERENCES_MAX - 1));
        }
        (ids, too_many)
    }

    pub(super) fn date(&self) -> Option<OffsetDateTime> {
        self.values("date").find_map(|value| date::read(&one_line(&charset::utf8(value))))
    }

    /// Of Content-Type, or of Content-Disposition.
    pub(super) fn parameters(&self, name: &str) -> Option<&Parameters<'a>> {
        let read = || self.values(name).next().map(|value| Parameters::read(value, self.label_for(value)));
        let known = if name == "content-type" { &self.content_type } else { &self.content_disposition };
        known.get_or_init(read).as_ref()
    }

    /// In lower case, without parameters. What is no media type is `application/octet-stream`.
    pub(super) fn media_type(&self) -> String {
        let Some(declared) = self.parameters("content-type").map(|parameters| parameters.value.clone()).filter(|value| !value.is_empty()) else {
            return "text/plain".to_owned();
        };
        media_type(declared)
    }

    /// None of its lines is beyond doubt.
    pub(super) fn doubt(&mut self) {
        self.doubtful_from = 0;
    }

    /// For the raw letters in this header.
    pub(super) fn set_label(&mut self, label: Option<&'a str>) {
        self.label = label;
        if !self.block.is_ascii() {
            (self.content_type, self.content_disposition) = (OnceCell::new(), OnceCell::new());
        }
    }

    pub(super) fn values<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a [u8]> + 'b {
        self.fields.iter().filter(move |field| self.name(field) == name).map(|field| self.block[field.value.clone()].trim_ascii())
    }

    /// The charset of raw letters matters only where there are some.
    fn label_for(&self, value: &[u8]) -> Option<&'a str> {
        self.label.filter(|_| !value.is_ascii())
    }
}

/// What is declared as one, in lower case and without parameters, if it is one (RFC 6838): it goes into headers later.
pub(super) fn media_type(declared: String) -> String {
    let is_special = |byte| matches!(byte, b'"' | b'(' | b')' | b',' | b':'..=b'@' | b'['..=b']');
    let is_token = declared.bytes().all(|byte| byte.is_ascii_graphic() && !is_special(byte));
    match declared.split_once('/') {
        Some((kind, subtype)) if is_token && !kind.is_empty() && !subtype.is_empty() && !subtype.contains('/') => declared,
        // As RFC 822 mail programs wrote it.
        None if declared == "text" => "text/plain".to_owned(),
        _ => "application/octet-stream".to_owned(),
    }
}

/// The name before the colon, as it is written, and where the colon is. Blanks before the colon are forbidden and common.
pub(super) fn field_name(line: &[u8]) -> Option<(&str, usize)> {
    let (name, colon) = name_bytes(line)?;
    Some((std::str::from_utf8(name).ok()?, colon))
}

/// Whether the line begins with a name and a colon.
pub(super) fn is_field(line: &[u8]) -> bool {
    name_bytes(line).is_some()
}

fn name_bytes(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = memchr::memchr(b':', &line[..line.len().min(NAME_BYTES_MAX)])?;
    let name = line[..colon].trim_ascii();
    let is_name =
        |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'=' | b',' | b';' | b'@');
    (!name.is_empty() && name.iter().all(is_name)).then_some((name, colon))
}

/// Whether a line, which is this field if it is one, is a field or the rest of one by the letter of RFC 5322 (section 2.2).
fn is_beyond_doubt(line: &[u8], field: Option<(&str, usize)>) -> bool {
    let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
    let goes_on = is_indented(text) && !text.trim_ascii().is_empty();
    let is_field = field.is_some_and(|(name, colon)| name.len() == colon);
    (goes_on || is_field) && memchr::memchr2(b'\r', b'\0', text).is_none()
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Whether a line goes on with the one before it: it is indented, or somebody forgot to indent the parameters after a semicolon.
pub(super) fn is_continuation(before: &[u8], line: &[u8], field: Option<(&str, usize)>) -> bool {
    is_indented(line) || (field.is_none() && before.trim_ascii_end().ends_with(b";"))
}

fn ids_in(written: &str) -> Vec<String> {
    let fits = |id: &String| !id.is_empty() && id.len() <= MESSAGE_ID_BYTES_MAX;
    if written.contains('<') {
        let bracketed = written.split('<').skip(1).map(|rest| match rest.split_once('>') {
            Some((id, _)) => id.split_whitespace().collect::<String>(),
            None => rest.split_whitespace().next().unwrap_or_default().to_owned(),
        });
        return bracketed.filter(fits).collect();
    }
    // Where brackets are missing, several stand in one text, or words that are no id.
    let words: Vec<&str> =
        written.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '>')).filter(|word| !word.is_empty()).collect();
    let alone = words.len() == 1;
    words.into_iter().filter(|word| alone || word.contains('@')).map(str::to_owned).filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(block: &'static str) -> Header<'static> {
        Header::read(block.as_bytes(), None).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn fields_are_found_however_they_are_written() {
        let header = header("SUBJECT : one\r\n two\nno field\n at all\nFrom:\tann@a.example\r\nX-Empty:\r\nSubject: three\r\n");
        assert_eq!(header.text("subject"), "one two");
        assert_eq!(header.sender().map(|from| from.address).as_deref(), Some("ann@a.example"));
        let lines = header.lines();
        assert_eq!(lines.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["subject", "from", "x-empty", "subject"]);
    }

    #[test]
    fn a_line_that_is_oddly_written_casts_doubt_on_all_that_follow() {
        for odd in ["X-Odd : x", "\x0cX-Odd: x", "no field", " ", "X-Odd: a\rX-Hidden: b", "X-Odd: a\0b"] {
            let block = format!("X-One: a;\r\n\tb\r\nX-Two: +ACI-\n{odd}\nX-Three: c\n");
            let header = Header::read(block.as_bytes(), Some("utf-7")).unwrap_or_else(|why| panic!("{why}"));
            let sure = header.lines_beyond_doubt();
            // A line of blanks goes on with the field before it, and puts it in doubt too.
            let expected = if odd == " " { 1 } else { 2 };
            assert_eq!(sure.len(), expected, "{odd:?}");
            assert_eq!((sure[0].0, &*sure[0].1), ("x-one", "a; b"));
        }
        let unindented = header("X-One: a;\nb=c\nX-Two: d\n");
        assert!(unindented.lines_beyond_doubt().is_empty());
    }

    #[test]
    fn of_several_fields_the_first_that_says_something_counts() {
        let header = header("From:\nFrom: nobody\nFrom: Ann <ann@a.example>\nFrom: b@a.example\nSubject: \nSubject: =?utf-8?Q?K=C3=B6ln?=\n");
        assert_eq!(header.sender().map(|from| from.address).as_deref(), Some("ann@a.example"));
        assert_eq!(header.text("subject"), "Köln");
    }

    #[test]
    fn a_media_type_is_a_token_or_unknown() {
        for (written, expected) in [
            ("Text/HTML; charset=x", "text/html"),
            ("text", "text/plain"),
            ("", "text/plain"),
            ("a/b/c", "application/octet-stream"),
            ("a\"/b", "application/octet-stream"),
            ("image/png name=\"x.png\"", "image/png"),
            ("text/plain(a comment)", "text/plain"),
        ] {
            let block = format!("Content-Type: {written}\n");
            assert_eq!(Header::read(block.as_bytes(), None).map(|header| header.media_type()), Ok(expected.to_owned()), "{written}");
        }
    }
}
