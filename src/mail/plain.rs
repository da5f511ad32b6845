//! The words of HTML: for mails that have nothing else, and for HTML that is too large or too tangled to show.

use html2text::{config, render::TrivialDecorator};

/// Columns of the text; so wide that a paragraph is rarely broken.
const WIDTH_COLUMNS: usize = 2_000;

/// Blank lines that may follow each other.
const BLANK_LINES_MAX: usize = 1;

/// Elements whose content is no markup.
const RAW_TEXT: [&str; 9] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"];

/// The text of HTML that `clean` has passed.
pub fn text_of(cleaned: &str) -> String {
    let config = config::with_decorator(TrivialDecorator::new()).raw_mode(true).no_link_wrapping().allow_width_overflow();
    let text = config.string_from_read(cleaned.as_bytes(), WIDTH_COLUMNS).unwrap_or_else(|_| strip_tags(cleaned));
    tidy(&text)
}

/// Every tag gone, the commonest entities resolved; linear in the input, whatever it is.
pub fn strip_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    for token in Tokens::new(html) {
        match token {
            Token::Text(words) => text.push_str(words),
            Token::Open("br" | "p" | "div" | "tr" | "li" | "hr") | Token::Close("p" | "div" | "tr" | "table") => text.push('\n'),
            Token::Open(_) | Token::Close(_) | Token::Raw => {}
        }
    }
    let mut plain = text;
    for (entity, letter) in [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        plain = plain.replace(entity, letter);
    }
    tidy(&plain)
}

fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.lines().map(str::trim_end) {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank <= BLANK_LINES_MAX {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    tidied.trim_matches('\n').to_owned()
}

enum Token<'a> {
    Text(&'a str),
    Open(&'a str),
    Close(&'a str),
    /// An element in which tags mean nothing.
    Raw,
}

/// Texts and tag names in order; comments are passed over.
struct Tokens<'a> {
    rest: &'a str,
    /// The raw text element that was just opened.
    raw_text: Option<&'a str>,
}

impl<'a> Tokens<'a> {
    fn new(html: &'a str) -> Self {
        Tokens { rest: html, raw_text: None }
    }

    fn skip_to_after(&mut self, end: &str) {
        self.rest = self.rest.find(end).map_or("", |at| &self.rest[at + end.len()..]);
    }

    /// The tag at the start of the rest, which begins with `<`.
    fn tag(&mut self) -> Token<'a> {
        let inside = &self.rest[1..];
        let closes = inside.starts_with('/');
        let named = inside.strip_prefix('/').unwrap_or(inside);
        let name = name_at(named);
        self.rest = &self.rest[tag_bytes(self.rest)..];
        if closes {
            return Token::Close(name);
        }
        if RAW_TEXT.iter().any(|raw| raw.eq_ignore_ascii_case(name)) {
            self.raw_text = Some(name);
        }
        Token::Open(name)
    }

    /// Everything up to and with the end tag of the element.
    fn skip_raw_text(&mut self, name: &str) {
        while let Some(at) = self.rest.find("</") {
            self.rest = &self.rest[at + 2..];
            if name_at(self.rest).eq_ignore_ascii_case(name) {
                return self.skip_to_after(">");
            }
        }
        self.rest = "";
    }
}

fn name_at(tag: &str) -> &str {
    &tag[..tag.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != ':').unwrap_or(tag.len())]
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw_text.take() {
            self.skip_raw_text(name);
            return Some(Token::Raw);
        }
        loop {
            if self.rest.is_empty() {
                return None;
            }
            if self.rest.starts_with("<!--") {
                self.skip_to_after("-->");
                continue;
            }
            let mut letters = self.rest.chars();
            if letters.next() == Some('<') {
                match letters.next() {
                    Some('!' | '?') => {
                        self.skip_to_after(">");
                        continue;
                    }
                    Some(letter) if letter == '/' || letter.is_ascii_alphabetic() => return Some(self.tag()),
                    _ => {}
                }
            }
            let first = self.rest.chars().next().map_or(0, char::len_utf8);
            let end = self.rest[first..].find('<').map_or(self.rest.len(), |at| first + at);
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Token::Text(text));
        }
    }
}

/// Up to and with the `>` that is not inside the quotes of an attribute's value.
fn tag_bytes(tag: &str) -> usize {
    let mut quote = None;
    let mut before = 0;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_html_keeps_words_and_lines() {
        let html = "<p>Dear  team,</p><p>it <b>fails</b>:<br>error&nbsp;5 &lt;x&gt;</p><ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table>";
        let text = text_of(html);
        for words in ["Dear team,\n\nit fails:\nerror", "5 <x>", "one\n", "two\n"] {
            assert!(text.contains(words), "{words:?} is not in {text:?}");
        }
    }

    #[test]
    fn a_list_that_counts_past_the_integers_is_text() {
        let hostile = "<ol start=9223372036854775807><li>a<li>b</ol><ol start=-9223372036854775808><li>c</ol>";
        assert_eq!(text_of(&crate::mail::clean::clean(hostile).html).split_whitespace().collect::<String>(), "abc");
    }

    #[test]
    fn stripping_leaves_words_alone() {
        let html = "<!-- <b> --><style>p{}</style><p title=\"a>b\">1 < 2 &amp; 3<br>next<script>x</b>";
        assert_eq!(strip_tags(html), "1 < 2 & 3\nnext");
    }
}
