//! The one way in which cleaned HTML is written: allowed attributes in the order of the list, values in double quotes, everything escaped alike.

use std::{borrow::Cow, ops::Range};

use super::{
    entity,
    policy::{EVERYWHERE, Element, KNOWN_ATTRIBUTES_MAX},
    style,
    tokens::{Remembered, Tag},
    value::{self, Rule},
};

/// Attributes of a tag that are looked at. What comes behind them is dropped.
const ATTRIBUTES_MAX: usize = 64;

/// What every link gets: the page behind it learns nothing of ours.
const LINK_RELATION: &str = " rel=\"noopener noreferrer nofollow\"";

/// A byte order mark at the very beginning is taken for one by the next reader, and lost.
const BYTE_ORDER_MARK: char = '\u{feff}';

pub(super) struct Writer<'a> {
    html: String,
    remote_images: usize,
    remembered: Remembered<'a, Attributes>,
    /// Where a line end would be lost by the next reader: behind this `<pre>`.
    pre_at: Option<usize>,
}

/// The attributes of a tag as they were written.
struct Attributes {
    place: Range<usize>,
    remote_images: usize,
}

impl<'a> Writer<'a> {
    pub fn new(capacity: usize) -> Self {
        Writer { html: String::with_capacity(capacity), remote_images: 0, remembered: Remembered::new(), pre_at: None }
    }

    pub fn finish(self) -> (String, usize) {
        (self.html, self.remote_images)
    }

    pub fn bare(&mut self, element: &Element) {
        self.html.extend(["<", element.name, ">"]);
    }

    pub fn end(&mut self, element: &Element) {
        self.html.extend(["</", element.name, ">"]);
    }

    pub fn start(&mut self, element: &Element, tag: &Tag<'a>) {
        self.html.extend(["<", element.name]);
        if !tag.is_bare() {
            self.attributes(element, tag);
        }
        if element.name == "a" {
            self.html.push_str(LINK_RELATION);
        }
        self.html.push('>');
        if element.name == "pre" {
            self.pre_at = Some(self.html.len());
        }
    }

    fn attributes(&mut self, element: &Element, tag: &Tag<'a>) {
        if let Some(known) = self.remembered.of(tag) {
            self.html.extend_from_within(known.place.clone());
            self.remote_images += known.remote_images;
            return;
        }
        let (start, images_before) = (self.html.len(), self.remote_images);
        self.new_attributes(element, tag);
        self.remembered.add(*tag, Attributes { place: start..self.html.len(), remote_images: self.remote_images - images_before });
    }

    fn new_attributes(&mut self, element: &Element, tag: &Tag<'_>) {
        let known = || element.attributes.iter().chain(&EVERYWHERE);
        let mut values = [None; KNOWN_ATTRIBUTES_MAX];
        let mut in_background = false;
        for (name, value) in tag.attributes().take(ATTRIBUTES_MAX) {
            in_background |= name.eq_ignore_ascii_case("background") && value::remote_address(&decoded(value, true)).is_some();
            if let Some(place) = known().position(|(known, _)| known.eq_ignore_ascii_case(name)) {
                // The first of two alike counts.
                values[place].get_or_insert(value);
            }
        }
        let grows = element.attributes.iter().any(|(name, _)| *name == "height");
        let mut not_loaded = None;
        for ((name, rule), value) in known().zip(values) {
            let Some(value) = value else { continue };
            let value = decoded(value, true);
            let allowed = match rule {
                Rule::Style => style::allowed(&value, grows).map(Cow::Owned),
                _ => value::allowed(*rule, &value),
            };
            match allowed {
                // A title would stand twice.
                Some(_) if *name == "title" && not_loaded.is_some() => {}
                Some(value) => self.attribute(name, &value),
                None if *rule == Rule::Image => {
                    not_loaded = value::remote_address(&value);
                    if let Some(address) = &not_loaded {
                        self.attribute("title", &format!("not loaded: {address}"));
                    }
                }
                None => {}
            }
        }
        self.remote_images += usize::from(not_loaded.is_some()) + usize::from(in_background);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.html.extend([" ", name, "=\""]);
        escape_value(&mut self.html, value);
        self.html.push('"');
    }

    /// Text as it was written in HTML.
    pub fn text(&mut self, text: &str) {
        let text = decoded(text, false);
        let mut text = text.as_ref();
        if self.html.is_empty() {
            text = text.trim_start_matches(BYTE_ORDER_MARK);
        }
        if self.pre_at == Some(self.html.len()) {
            text = text.trim_start_matches('\n');
        }
        escape(&mut self.html, text);
    }
}

/// What HTML text means: references read, and line ends made one.
fn decoded(text: &str, in_attribute: bool) -> Cow<'_, str> {
    let odd = |text: &str| memchr::memchr2(b'&', b'\r', text.as_bytes());
    let Some(first) = odd(text) else { return Cow::Borrowed(text) };
    let (before, mut rest) = text.split_at(first);
    let mut decoded = String::with_capacity(text.len());
    decoded.push_str(before);
    while let Some(&byte) = rest.as_bytes().first() {
        let bytes = match byte {
            b'&' => match entity::reference(rest, in_attribute) {
                Some((letters, bytes)) => {
                    // A written-out carriage return would be a line end to the next reader.
                    decoded.extend(letters.into_iter().filter(|letter| *letter != '\0').map(|letter| if letter == '\r' { '\n' } else { letter }));
                    bytes
                }
                None => {
                    decoded.push('&');
                    1
                }
            },
            b'\r' => {
                if !rest[1..].starts_with('\n') {
                    decoded.push('\n');
                }
                1
            }
            _ => 1,
        };
        let plain = odd(&rest[bytes..]).map_or(rest.len(), |at| bytes + at);
        decoded.push_str(&rest[bytes..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(decoded)
}

/// Text that no reader takes for anything else, in an element.
pub(super) fn escape(html: &mut String, text: &str) {
    escape_all(html, text, false);
}

/// The same between double quotes.
fn escape_value(html: &mut String, value: &str) {
    escape_all(html, value, true);
}

fn escape_all(html: &mut String, text: &str, quotes: bool) {
    // Most texts are written as they are, and are looked at many bytes at a time.
    let bytes = text.as_bytes();
    if memchr::memchr3(b'&', b'<', b'>', bytes).is_none() && memchr::memchr2(b'"', 0xc2, bytes).is_none() {
        return html.push_str(text);
    }
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let (escaped, bytes) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' if quotes => ("&quot;", 1),
            0xc2 if text[at..].starts_with('\u{a0}') => ("&nbsp;", 2),
            _ => continue,
        };
        html.push_str(&text[copied..at]);
        html.push_str(escaped);
        copied = at + bytes;
    }
    html.push_str(&text[copied..]);
}
