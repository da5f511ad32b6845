//! Values of attributes, each by its rule: what does not keep it goes. No value can load, run or lay itself over something else.

use std::borrow::Cow;

use super::style;

/// Letters of a color, a word, a size.
const SHORT_BYTES_MAX: usize = 32;
/// Bytes of a web address. Browsers and servers take hardly more.
const LINK_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a remote image's address that is shown in its place.
const SHOWN_ADDRESS_BYTES_MAX: usize = 500;
/// Digits of a count: no table needs more columns, and what counts on from the end of the integers overflows.
const COUNT_DIGITS_MAX: usize = 3;
const SIZE_DIGITS_MAX: usize = 4;

/// Schemes with a host that a link may lead to, with all that must follow.
const WEB: [&str; 2] = ["http://", "https://"];
const OTHER_LINKS: [&str; 2] = ["mailto:", "tel:"];

/// What an attribute's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Text,
    Link,
    /// A part of the same mail (RFC 2392).
    Image,
    Color,
    /// Pixels or percent.
    Size,
    Count,
    Word,
    Direction,
    Language,
    Face,
    FontSize,
    Style,
}

/// The value as it is written, not yet escaped; `None` if it must not be.
pub(super) fn allowed(rule: Rule, value: &str) -> Option<Cow<'_, str>> {
    let value = if rule == Rule::Text { value } else { value.trim_matches(is_trimmed) };
    match rule {
        // It depends on the element.
        Rule::Style => None,
        Rule::Text => Some(without_controls(value)),
        Rule::Link => link(value),
        Rule::Image => content_id(value).map(|id| Cow::Owned(format!("cid:{id}"))),
        _ => is_short(rule, value).then_some(Cow::Borrowed(value)),
    }
}

fn is_short(rule: Rule, value: &str) -> bool {
    let is_all = |allowed: fn(char) -> bool| value.len() <= SHORT_BYTES_MAX && value.chars().all(allowed);
    match rule {
        Rule::Color => !value.is_empty() && (is_all(|letter| letter.is_ascii_alphabetic()) || style::is_hex_color(value)),
        Rule::Size => {
            let number = value.strip_suffix('%').or_else(|| value.strip_suffix("px")).unwrap_or(value);
            is_digits(number, SIZE_DIGITS_MAX)
        }
        Rule::Count => is_digits(value, COUNT_DIGITS_MAX),
        Rule::Word => is_all(|letter| letter.is_ascii_alphanumeric() || letter == '-'),
        Rule::Direction => ["ltr", "rtl", "auto"].iter().any(|known| known.eq_ignore_ascii_case(value)),
        Rule::Language => is_all(|letter| letter.is_ascii_alphanumeric() || letter == '-'),
        Rule::Face => value.chars().all(style::is_font_letter),
        Rule::FontSize => is_digits(value.strip_prefix(['+', '-']).unwrap_or(value), COUNT_DIGITS_MAX),
        Rule::Text | Rule::Link | Rule::Image | Rule::Style => false,
    }
}

fn is_digits(value: &str, most: usize) -> bool {
    (1..=most).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// A web address with its host, a mail address or a phone number. Relative addresses have no meaning in a mail.
fn link(value: &str) -> Option<Cow<'_, str>> {
    let value = without_breaks(value);
    let known = WEB.iter().chain(&OTHER_LINKS).find(|scheme| starts_with(&value, scheme))?;
    let goes_somewhere = value[known.len()..].starts_with(|letter: char| !matches!(letter, '/' | '\\' | '?' | '#'));
    (goes_somewhere && value.len() <= LINK_BYTES_MAX && !value.contains(is_hidden)).then_some(value)
}

/// The id of a part that an image shows.
fn content_id(value: &str) -> Option<&str> {
    let id = value.get(4..).filter(|_| starts_with(value, "cid:"))?;
    let is_plain = |letter: char| !letter.is_whitespace() && !is_hidden(letter) && !matches!(letter, '<' | '>' | '"' | '\'' | '`' | '\\');
    (!id.is_empty() && id.len() <= crate::mail::limits::MESSAGE_ID_BYTES_MAX && id.chars().all(is_plain)).then_some(id)
}

/// The address of an image elsewhere, cut to what can be shown; `None` for what would not be loaded from afar.
pub(super) fn remote_address(value: &str) -> Option<String> {
    let value = without_breaks(value.trim_matches(is_trimmed));
    let is_remote = WEB.iter().any(|scheme| starts_with(&value, scheme)) || value.starts_with("//");
    is_remote.then(|| without_controls(&value[..value.floor_char_boundary(SHOWN_ADDRESS_BYTES_MAX)]).into_owned())
}

fn starts_with(value: &str, scheme: &str) -> bool {
    value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// What a browser passes over around an address.
fn is_trimmed(letter: char) -> bool {
    letter <= ' '
}

/// Mail programs break long addresses over lines; browsers pass over the breaks, and so `java&#10;script:` is one word to them.
fn without_breaks(value: &str) -> Cow<'_, str> {
    match value.contains(['\t', '\n', '\r']) {
        true => Cow::Owned(value.replace(['\t', '\n', '\r'], "")),
        false => Cow::Borrowed(value),
    }
}

/// What is not seen, and makes something else seem to stand there.
fn is_hidden(letter: char) -> bool {
    letter.is_control() || crate::mail::line::is_direction_mark(letter)
}

fn without_controls(value: &str) -> Cow<'_, str> {
    match value.contains(is_hidden) {
        true => Cow::Owned(value.chars().filter(|letter| !is_hidden(*letter)).collect()),
        false => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_web_to_mail_and_to_phones() {
        for (value, expected) in [
            ("https://a.example/?b=c", "https://a.example/?b=c"),
            (" HTTP://a.example/\n", "HTTP://a.example/"),
            ("https://a.exam\r\n\tple/x", "https://a.example/x"),
            ("mailto:ann@a.example?subject=x", "mailto:ann@a.example?subject=x"),
            ("tel:+49123", "tel:+49123"),
        ] {
            assert_eq!(allowed(Rule::Link, value).as_deref(), Some(expected), "{value:?}");
        }
        for value in [
            "javascript:x",
            "java\nscript:x",
            "\u{1}javascript:x",
            "vbscript:x",
            "data:text/html,x",
            "cid:x",
            "file:///etc/passwd",
            "//a.example/",
            "/relative",
            "#here",
            "http:relative",
            "http:///a.example",
            "http://\\a.example",
            "https://",
            "ftp://a.example/",
            "https://a.example/\u{202e}gpj.exe",
            "https\u{0}://a.example",
            "",
        ] {
            assert_eq!(allowed(Rule::Link, value), None, "{value:?}");
        }
    }

    #[test]
    fn images_are_parts_of_the_mail() {
        assert_eq!(allowed(Rule::Image, " CID:logo@a.example ").as_deref(), Some("cid:logo@a.example"));
        for value in ["cid:", "cid:a b", "cid:a\">", "https://a.example/x.png", "data:image/png;base64,x", "cid", "c\nid:x"] {
            assert_eq!(allowed(Rule::Image, value), None, "{value:?}");
        }
        assert_eq!(remote_address(" //a.example/x\u{202e} ").as_deref(), Some("//a.example/x"));
        assert_eq!(remote_address("data:image/png;base64,x"), None);
        assert_eq!(remote_address(&format!("https://a.example/{}", "ü".repeat(600))).map(|shown| shown.len()), Some(SHOWN_ADDRESS_BYTES_MAX));
    }

    #[test]
    fn short_values_keep_their_rule() {
        for (rule, value) in [
            (Rule::Color, "#B5C4DF"),
            (Rule::Color, "white"),
            (Rule::Size, "100%"),
            (Rule::Size, "600"),
            (Rule::Size, "20px"),
            (Rule::Count, "3"),
            (Rule::Word, "center"),
            (Rule::Word, ""),
            (Rule::Language, "de-DE"),
            (Rule::Face, "Calibri, 'Segoe UI', ＭＳ Ｐゴシック"),
            (Rule::FontSize, "+1"),
        ] {
            assert_eq!(allowed(rule, value).as_deref(), Some(value));
        }
        for (rule, value) in [
            (Rule::Color, "url(x)"),
            (Rule::Color, "#12"),
            (Rule::Size, "99999"),
            (Rule::Size, "-1"),
            (Rule::Count, "9223372036854775807"),
            (Rule::Word, "a b"),
            (Rule::Direction, "up"),
            (Rule::Face, "x;y"),
            (Rule::FontSize, "1e9"),
        ] {
            assert_eq!(allowed(rule, value), None, "{value}");
        }
    }
}
