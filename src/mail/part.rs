//! A mail's parts, and what each holds: its bytes, its letters, its name; and which parts are the mail's own words (RFC 8621, section 4.1.4).

use std::borrow::Cow;

use super::{
    Unreadable, charset,
    limits::{MAIL_BYTES_MAX, MESSAGE_ID_BYTES_MAX},
    mime,
    sent::Sent,
    transfer::{self, Encoding},
    wire,
};

pub(super) use mime::Part;

/// Headers of which a mail has at least one.
const HEADERS_OF_A_MAIL: [&str; 8] = ["from", "sender", "return-path", "subject", "date", "to", "message-id", "received"];

/// Bytes of a page in which it names its charset.
const META_BYTES_MAX: usize = 1024;

/// Kinds of text that are data: they come as files, be they called so or not.
const TEXT_FILES: [&str; 16] = [
    "calendar",
    "x-vcalendar",
    "vcard",
    "x-vcard",
    "directory",
    "csv",
    "tab-separated-values",
    "xml",
    "css",
    "javascript",
    "rtf",
    "x-shellscript",
    "rfc822",
    "rfc822-header",
    "rfc822-headers",
    "x-moz-deleted",
];

/// Kinds of text that programs write beside the same words in a better form.
const RENDERINGS: [&str; 7] = ["enriched", "richtext", "x-amp-html", "x-watch-html", "watch-html", "markdown", "x-markdown"];

/// Hands on a mail's bytes as the readers want them, and its parts.
pub(super) fn with_parts<T>(raw: &[u8], read: impl FnOnce(&[u8], &[Part<'_>]) -> T) -> Result<T, Unreadable> {
    if raw.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    if raw.len() > MAIL_BYTES_MAX {
        return Err(Unreadable::TooLarge { bytes: raw.len(), limit: MAIL_BYTES_MAX });
    }
    let bytes = wire::repair(raw);
    let mut parts = mime::read(&bytes)?;
    if !HEADERS_OF_A_MAIL.iter().any(|name| parts[0].header.has(name)) {
        return Err(Unreadable::NoHeaders);
    }
    // The charset that the mail names first is what its raw 8-bit headers are probably written in.
    let label = parts.iter().find_map(Part::label);
    for part in &mut parts {
        part.header.set_label(label.as_deref());
    }
    if matches!(bytes, Cow::Owned(_)) {
        // A server may have read other lines than those that were made here.
        parts[0].header.doubt();
    }
    Ok(read(&bytes, &parts))
}

impl Part<'_> {
    /// As the sender had them: without transfer encoding, in his charset.
    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        transfer::decode(self.encoded, self.encoding())
    }

    fn encoding(&self) -> Encoding {
        Encoding::named(&self.header.text("content-transfer-encoding"))
    }

    /// The letters, with LF alone as line end.
    pub(super) fn text(&self) -> String {
        let parameters = self.header.parameters("content-type");
        let get = |name: &str| parameters.as_ref().and_then(|parameters| parameters.get(name));
        let bytes = self.bytes();
        let label = get("charset").or_else(|| (self.media_type == "text/html").then(|| label_in_html(&bytes)).flatten());
        let mut text = charset::decode(&bytes, label.as_deref());
        if let Some(behind) = transfer::words_behind(self.encoded, self.encoding()) {
            let parting = if self.media_type == "text/html" { "<br>" } else { "\n\n" };
            text = Cow::Owned([text.trim_end(), parting, &String::from_utf8_lossy(behind)].concat());
        }
        let text = without_carriage_returns(text).into_owned();
        match get("format") {
            Some(format) if format.eq_ignore_ascii_case("flowed") && self.media_type == "text/plain" => {
                unflowed(&text, get("delsp").is_some_and(|delsp| delsp.eq_ignore_ascii_case("yes")))
            }
            _ => text,
        }
    }

    /// The charset that it declares.
    pub(super) fn label(&self) -> Option<String> {
        self.header.parameters("content-type").and_then(|parameters| parameters.get("charset"))
    }

    /// The name of the file: what Content-Disposition says, else what Content-Type says.
    pub(super) fn name(&self) -> Option<String> {
        let of = |header: &str, name: &str| self.header.parameters(header).and_then(|parameters| parameters.get(name));
        [("content-disposition", "filename"), ("content-type", "name"), ("content-disposition", "name"), ("content-type", "filename")]
            .into_iter()
            .find_map(|(header, name)| of(header, name))
    }

    /// Without angle brackets.
    pub(super) fn content_id(&self) -> Option<String> {
        let written = self.header.text("content-id");
        let id = written.trim_matches(['<', '>', ' ']);
        (!id.is_empty() && id.len() <= MESSAGE_ID_BYTES_MAX).then(|| id.to_owned())
    }

    /// As a file that came with the mail. A mail inside the mail is named by its subject.
    pub(super) fn sent(&self) -> Sent {
        let bytes = self.bytes().into_owned();
        let is_mail = matches!(self.media_type.as_str(), "message/rfc822" | "message/global" | "message/news");
        let location = self.header.text("content-location");
        Sent {
            name: self.name().or_else(|| is_mail.then(|| name_of_mail(&bytes))),
            media_type: self.media_type.clone(),
            content_id: self.content_id(),
            content_location: Some(location).filter(|location| !location.is_empty()),
            bytes,
        }
    }

    pub(super) fn is_multipart(&self) -> bool {
        !self.children.is_empty()
    }

    /// A multipart without parts is a text.
    fn is_words(&self) -> bool {
        matches!(self.media_type.as_str(), "text/html" | "text/plain") || self.media_type.starts_with("multipart/")
    }

    /// Words in a form of their own, as far as nothing says that they are a file. RFC 2046, section 4.1.4: a text of a kind that nobody knows is plain.
    fn is_other_words(&self) -> bool {
        let kind = self.media_type.strip_prefix("text/");
        kind.is_some_and(|kind| !TEXT_FILES.contains(&kind)) && !self.is_words() && !self.is_detached() && self.name().is_none()
    }

    pub(super) fn is_calendar(&self) -> bool {
        matches!(self.media_type.as_str(), "text/calendar" | "application/ics")
    }

    /// Sent as a file.
    fn is_detached(&self) -> bool {
        self.header.parameters("content-disposition").is_some_and(|disposition| disposition.value == "attachment")
    }
}

/// The charset that a page names itself: `<meta charset=...>` or `<meta http-equiv=... content="text/html; charset=...">`.
fn label_in_html(bytes: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(META_BYTES_MAX)]).to_ascii_lowercase();
    let meta = start.split("<meta").skip(1).find_map(|meta| meta.split('>').next()?.split_once("charset="))?;
    let label = meta.1.trim_start_matches(['"', '\'', ' ']).split(['"', '\'', ' ', ';', '/']).next()?;
    (!label.is_empty()).then(|| label.to_owned())
}

/// The subject of a mail inside the mail, as a name for it.
fn name_of_mail(bytes: &[u8]) -> String {
    let subject = mime::header(bytes).map(|header| header.text("subject")).unwrap_or_default().replace(['/', '\\'], "_");
    format!("{}.eml", if subject.is_empty() { "message" } else { &subject })
}

/// Which parts are words, and which are not. Each is a number in the list of parts.
#[derive(Default)]
pub(super) struct Bodies {
    pub(super) text: Vec<usize>,
    pub(super) html: Vec<usize>,
    pub(super) attachments: Vec<usize>,
}

impl Bodies {
    pub(super) fn of(parts: &[Part<'_>]) -> Self {
        let mut bodies = Bodies::default();
        bodies.add(parts, &[0], Around { kind: "mixed", in_alternative: false, takes_text: true, takes_html: true });
        bodies.read_other_words(parts);
        bodies
    }

    /// Where there are no words in a form that is known, the first in another are the mail's.
    fn read_other_words(&mut self, parts: &[Part<'_>]) {
        let has_words = !self.text.is_empty() || !self.html.is_empty();
        let is_in_alternative = |number: usize| ancestors(parts, number).any(|around| around.media_type == "multipart/alternative");
        let is_other = |number: &usize| parts[*number].is_other_words();
        let first = self.attachments.iter().copied().find(|number| !has_words && is_other(number));
        self.text.extend(first);
        self.html.extend(first);
        // Beside other words a known form is one more rendering of the same, which no file is made of.
        let is_rendering = |number: &usize| parts[*number].media_type.strip_prefix("text/").is_some_and(|kind| RENDERINGS.contains(&kind));
        let is_dropped = |number: &usize| is_other(number) && is_rendering(number) && is_in_alternative(*number);
        self.attachments.retain(|number| Some(*number) != first && !is_dropped(number));
    }

    /// The calendar that speaks for the mail: a rendering of its words, or all that there is. One that somebody attaches does not, nor one that merely
    /// stands beside his words, unless a program says with it what it is for (RFC 6047, section 2.4): some attach it.
    pub(super) fn calendar<'a, 'b>(&self, parts: &'a [Part<'b>]) -> Option<&'a Part<'b>> {
        let has_words = !self.text.is_empty() || !self.html.is_empty();
        let speaks = |number: usize| {
            let part = &parts[number];
            let has_method = || part.header.parameters("content-type").is_some_and(|parameters| parameters.get("method").is_some());
            let is_rendering = || !part.is_detached() && ancestors(parts, number).any(|around| around.media_type == "multipart/alternative");
            part.is_calendar() && (!has_words || has_method() || is_rendering())
        };
        self.attachments.iter().copied().find(|number| speaks(*number)).map(|number| &parts[number])
    }

    /// Recursion ends at `DEPTH_MAX`, which the reader of the parts keeps.
    fn add(&mut self, parts: &[Part<'_>], numbers: &[usize], mut around: Around<'_>) {
        let (texts, htmls) = (self.text.len(), self.html.len());
        let root = if around.kind == "related" { root(parts, numbers) } else { 0 };
        for (place, &number) in numbers.iter().enumerate() {
            let part = &parts[number];
            if part.is_multipart() {
                let kind = part.media_type.strip_prefix("multipart/").unwrap_or("mixed");
                self.add(parts, &part.children, Around { kind, in_alternative: around.in_alternative || kind == "alternative", ..around });
            } else {
                // A rendering of the words stays one whatever it is called, if it is the first.
                let is_new = if part.media_type == "text/html" { self.html.len() == htmls } else { self.text.len() == texts };
                let is_meant = place == root || (around.kind == "alternative" && is_new);
                self.add_leaf(part, number, is_meant, &mut around);
            }
        }
        if around.kind == "alternative" && around.takes_text && around.takes_html {
            // One of the two alone stands for both.
            if self.text.len() == texts {
                self.text.extend_from_slice(&self.html[htmls..]);
            } else if self.html.len() == htmls {
                self.html.extend_from_slice(&self.text[texts..]);
            }
        }
    }

    fn add_leaf(&mut self, part: &Part<'_>, number: usize, is_meant: bool, around: &mut Around<'_>) {
        let is_html = part.media_type == "text/html";
        let is_body = is_meant || (around.kind != "related" && part.name().is_none());
        if !part.is_words() || part.is_detached() || !is_body {
            self.attachments.push(number);
            return;
        }
        if around.kind == "alternative" {
            if is_html { &mut self.html } else { &mut self.text }.push(number);
            return;
        }
        // Beside the other rendering of the same words, all that follows here belongs to this one.
        if around.in_alternative && around.takes_text && around.takes_html {
            around.takes_text = !is_html;
            around.takes_html = is_html;
        }
        if around.takes_text {
            self.text.push(number);
        }
        if around.takes_html {
            self.html.push(number);
        }
    }
}

/// The multiparts around a part, from the inside out.
fn ancestors<'a, 'b>(parts: &'a [Part<'b>], number: usize) -> impl Iterator<Item = &'a Part<'b>> {
    std::iter::successors(parts[number].parent, |around| parts[*around].parent).map(|around| &parts[around])
}

/// The place of what a `multipart/related` is about: the part that its `start` names, else the first (RFC 2387). Programs that put an image first
/// and name none mean the page.
fn root(parts: &[Part<'_>], numbers: &[usize]) -> usize {
    let around = numbers.first().and_then(|first| parts[*first].parent).map(|number| &parts[number]);
    let start = around.and_then(|around| around.header.parameters("content-type")?.get("start"));
    let start = start.as_deref().map(|id| id.trim().trim_start_matches('<').trim_end_matches('>'));
    let place = |is_root: &dyn Fn(&Part<'_>) -> bool| {
        numbers.iter().position(|number| {
            let part = &parts[*number];
            is_root(part) && part.is_words() && !part.is_detached()
        })
    };
    place(&|part| start.is_some() && part.content_id().as_deref() == start).or_else(|| place(&|_| true)).unwrap_or(0)
}

/// What surrounds a list of parts.
#[derive(Clone, Copy)]
struct Around<'a> {
    /// The subtype of the multipart.
    kind: &'a str,
    in_alternative: bool,
    takes_text: bool,
    takes_html: bool,
}

/// With LF alone as line end.
pub(super) fn without_carriage_returns(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut rest = text.as_ref();
    let mut lines = String::new();
    while let Some(at) = memchr::memchr(b'\r', rest.as_bytes()) {
        lines.reserve(rest.len());
        lines.push_str(&rest[..at]);
        lines.push('\n');
        let after = &rest[at + 1..];
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    if lines.is_empty() {
        return text;
    }
    lines.push_str(rest);
    Cow::Owned(lines)
}

/// RFC 3676: a line that ends with a blank goes on in the next one of the same quote depth; a blank at its start was put there for safety.
fn unflowed(text: &str, deletes_blank: bool) -> String {
    let mut whole = String::with_capacity(text.len());
    // The quote depth of a line that is not finished.
    let mut unfinished = None;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature_mark = content == "-- ";
        let is_soft = content.ends_with(' ') && !is_signature_mark;
        if unfinished != Some(depth) || is_signature_mark {
            if unfinished.is_some() {
                whole.push('\n');
            }
            whole.extend(std::iter::repeat_n('>', depth));
            if depth > 0 && !content.is_empty() {
                whole.push(' ');
            }
        }
        whole.push_str(if is_soft && deletes_blank { &content[..content.len() - 1] } else { content });
        unfinished = is_soft.then_some(depth);
        if !is_soft {
            whole.push('\n');
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The media types of the parts that are text, HTML and attachments.
    fn bodies(tree: &str) -> [Vec<String>; 3] {
        let mail = format!("Subject: x\n{tree}");
        let parts = mime::read(mail.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        let bodies = Bodies::of(&parts);
        [bodies.text, bodies.html, bodies.attachments].map(|numbers| numbers.into_iter().map(|number| parts[number].media_type.clone()).collect())
    }

    /// A multipart of these parts, to be put after a header.
    fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
        let parts: String = parts.iter().map(|part| format!("--{boundary}\n{part}\n")).collect();
        format!("Content-Type: multipart/{kind}; boundary={boundary}\n\n{parts}--{boundary}--\n")
    }

    const PLAIN: &str = "Content-Type: text/plain\n\nwords\n";
    const HTML: &str = "Content-Type: text/html\n\n<p>words\n";
    const IMAGE: &str = "Content-Type: image/png\n\nx\n";
    const CALENDAR: &str = "Content-Type: text/calendar\n\nx\n";
    const LOG: &str = "Content-Type: text/x-log\n\nx\n";
    const ENRICHED: &str = "Content-Type: text/enriched\n\nwords\n";

    #[test]
    fn words_are_told_from_attachments_in_every_shape() {
        let related = multipart("related", "r", &[HTML, IMAGE]);
        let both = multipart("alternative", "b", &[PLAIN, &related]);
        let attached = "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nx\n";
        let named = "Content-Type: text/plain; name=a.txt\n\nx\n";
        let named_page = "Content-Type: text/html; name=mail.html\n\n<p>words\n";
        let with_id = format!("Content-ID: <r@x>\n{HTML}");
        for (tree, [text, html, attachments]) in [
            (PLAIN.to_owned(), [vec!["text/plain"], vec!["text/plain"], vec![]]),
            (attached.to_owned(), [vec![], vec![], vec!["text/plain"]]),
            (multipart("alternative", "a", &[PLAIN, HTML]), [vec!["text/plain"], vec!["text/html"], vec![]]),
            (multipart("alternative", "a", &[HTML]), [vec!["text/html"], vec!["text/html"], vec![]]),
            (multipart("alternative", "a", &[CALENDAR]), [vec![], vec![], vec!["text/calendar"]]),
            (multipart("alternative", "a", &[PLAIN, CALENDAR]), [vec!["text/plain"], vec!["text/plain"], vec!["text/calendar"]]),
            (multipart("mixed", "a", &[&both, IMAGE]), [vec!["text/plain"], vec!["text/html"], vec!["image/png", "image/png"]]),
            (multipart("mixed", "a", &[PLAIN, IMAGE, PLAIN]), [vec!["text/plain"; 2], vec!["text/plain"; 2], vec!["image/png"]]),
            (multipart("mixed", "a", &[PLAIN, named]), [vec!["text/plain"], vec!["text/plain"], vec!["text/plain"]]),
            (
                multipart("alternative", "a", &[PLAIN, &multipart("mixed", "m", &[HTML, IMAGE, PLAIN])]),
                [vec!["text/plain"], vec!["text/html", "text/plain"], vec!["image/png"]],
            ),
            (multipart("related", "a", &[HTML, PLAIN]), [vec!["text/html"], vec!["text/html"], vec!["text/plain"]]),
            (multipart("related", "a", &[IMAGE, HTML]), [vec!["text/html"], vec!["text/html"], vec!["image/png"]]),
            (multipart("related", "a", &[IMAGE, &both, HTML]), [vec!["text/plain"], vec!["text/html"], vec!["image/png", "image/png", "text/html"]]),
            (multipart("related; start=\"<r@x>\"", "a", &[PLAIN, &with_id]), [vec!["text/html"], vec!["text/html"], vec!["text/plain"]]),
            (multipart("related; start=\"<other>\"", "a", &[PLAIN, &with_id]), [vec!["text/plain"], vec!["text/plain"], vec!["text/html"]]),
            (multipart("related", "a", &[IMAGE, attached, HTML]), [vec!["text/html"], vec!["text/html"], vec!["image/png", "text/plain"]]),
            (multipart("related", "a", &[IMAGE, named]), [vec!["text/plain"], vec!["text/plain"], vec!["image/png"]]),
            (multipart("alternative", "a", &[PLAIN, HTML, named]), [vec!["text/plain"], vec!["text/html"], vec!["text/plain"]]),
            (multipart("alternative", "a", &[PLAIN, named_page]), [vec!["text/plain"], vec!["text/html"], vec![]]),
            (ENRICHED.to_owned(), [vec!["text/enriched"], vec!["text/enriched"], vec![]]),
            (multipart("mixed", "a", &[ENRICHED, IMAGE]), [vec!["text/enriched"], vec!["text/enriched"], vec!["image/png"]]),
            (multipart("mixed", "a", &[PLAIN, ENRICHED]), [vec!["text/plain"], vec!["text/plain"], vec!["text/enriched"]]),
            (multipart("alternative", "a", &[PLAIN, ENRICHED, HTML]), [vec!["text/plain"], vec!["text/html"], vec![]]),
            (multipart("alternative", "a", &[PLAIN, LOG]), [vec!["text/plain"], vec!["text/plain"], vec!["text/x-log"]]),
            ("Content-Type: text/csv\n\na,b\n".to_owned(), [vec![], vec![], vec!["text/csv"]]),
        ] {
            assert_eq!(bodies(&tree), [text, html, attachments].map(|types| types.into_iter().map(str::to_owned).collect::<Vec<_>>()), "{tree}");
        }
    }

    #[test]
    fn a_calendar_speaks_for_the_mail_as_a_rendering_of_its_words_or_alone() {
        let attached = "Content-Type: text/calendar; name=a.ics\nContent-Disposition: attachment\n\nx\n";
        let answer = "Content-Type: text/calendar; method=REPLY; name=event.ics\nContent-Disposition: attachment\n\nx\n";
        let with_method = "Content-Type: text/calendar; method=REPLY\n\nx\n";
        let both = multipart("alternative", "b", &[PLAIN, CALENDAR]);
        for (tree, expected) in [
            (CALENDAR.to_owned(), true),
            (multipart("alternative", "a", &[PLAIN, HTML, CALENDAR]), true),
            (multipart("mixed", "a", &[&both, attached]), true),
            (multipart("mixed", "a", &[PLAIN, with_method]), true),
            (multipart("mixed", "a", &[attached]), true),
            (multipart("mixed", "a", &[&multipart("alternative", "b", &[PLAIN, HTML]), answer]), true),
            (multipart("mixed", "a", &[PLAIN, CALENDAR]), false),
            (multipart("mixed", "a", &[PLAIN, attached]), false),
        ] {
            let mail = format!("Subject: x\n{tree}");
            let parts = mime::read(mail.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(Bodies::of(&parts).calendar(&parts).is_some(), expected, "{tree}");
        }
    }

    #[test]
    fn a_name_longer_than_a_line_does_not_end_a_header() {
        let image = format!("Content-Type: image/png\nX-{}: 1\n\nx\n", "y".repeat(1_100));
        let mail = format!("Subject: x\n{}", multipart("mixed", "a", &[PLAIN, &image]));
        let parts = mime::read(mail.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(parts[2].sent().bytes, b"x\n");
    }

    #[test]
    fn a_page_names_its_charset() {
        for (page, expected) in [
            ("<META charset='koi8-r'>", Some("koi8-r")),
            ("<meta http-equiv=Content-Type content=\"text/html; charset=windows-1251\">", Some("windows-1251")),
            ("<meta name=x><p>charset=utf-8", None),
        ] {
            assert_eq!(label_in_html(page.as_bytes()).as_deref(), expected, "{page}");
        }
    }

    #[test]
    fn flowed_lines_are_joined_within_their_quote() {
        assert_eq!(
            unflowed("one \ntwo\n\n> a \n> b\n>> c \n> d\n  indented\n-- \nAnn\n", false),
            "one two\n\n> a b\n>> c \n> d\n indented\n-- \nAnn\n"
        );
        assert_eq!(unflowed("日本 \n語\n", true), "日本語\n");
        assert_eq!(unflowed("ends soft ", false), "ends soft ");
    }
}
