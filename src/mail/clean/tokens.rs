//! HTML as a row of tags and texts, cut where the HTML standard's tokenizer cuts it (section 13.2.5); comments and declarations are passed over.
//!
//! Linear whatever comes in: no byte is looked for twice over.

/// A piece of HTML, as it was written: nothing is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mail) enum Token<'a> {
    Text(&'a str),
    Start(Tag<'a>),
    /// The name alone; end tags have no attributes that count.
    End(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mail) struct Tag<'a> {
    pub name: &'a str,
    /// From the name to the closing `>`.
    rest: &'a str,
}

impl<'a> Tag<'a> {
    pub fn is_bare(&self) -> bool {
        self.rest == ">"
    }

    /// Names as they were written, and values without their quotes.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.rest;
        std::iter::from_fn(move || match next_attribute(rest) {
            Next::Attribute { name, value, after } => {
                rest = after;
                Some((name, value))
            }
            Next::Close(_) | Next::Unclosed => None,
        })
    }
}

/// Tags that are remembered.
const REMEMBERED_MAX: usize = 64;

/// What was made of the last tags: mails write the same ones over and over.
pub(in crate::mail) struct Remembered<'a, T> {
    made: Vec<(Tag<'a>, T)>,
    /// The place of the oldest, which goes next.
    oldest: usize,
}

impl<'a, T> Remembered<'a, T> {
    pub fn new() -> Self {
        Remembered { made: Vec::new(), oldest: 0 }
    }

    /// What was made of a tag that was written in the same letters.
    pub fn of(&self, tag: &Tag<'a>) -> Option<&T> {
        self.made.iter().find(|(known, _)| known.rest == tag.rest && known.name == tag.name).map(|(_, made)| made)
    }

    pub fn add(&mut self, tag: Tag<'a>, made: T) {
        if self.made.len() < REMEMBERED_MAX {
            self.made.push((tag, made));
        } else {
            self.made[self.oldest] = (tag, made);
            self.oldest = (self.oldest + 1) % REMEMBERED_MAX;
        }
    }
}

pub(in crate::mail) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub fn new(html: &'a str) -> Self {
        Tokens { rest: html }
    }

    /// Passes over the content of an element in which tags mean nothing, and over its end tag. Answers the content.
    pub fn raw_text(&mut self, name: &str) -> &'a str {
        let content = self.rest;
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&content.as_bytes()[from..], b"</") {
            let end = from + at;
            let named = &content[end + 2..];
            from = end + 2;
            let is_end = named.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
            if is_end && named.as_bytes().get(name.len()).is_some_and(|byte| ends_name(*byte)) {
                self.rest = after_tag(&named[name.len()..]).map_or("", |(_, after)| after);
                return &content[..end];
            }
        }
        self.rest = "";
        content
    }

    /// Up to the first `>`, or to the end.
    fn skip_declaration(&mut self) {
        self.rest = memchr::memchr(b'>', self.rest.as_bytes()).map_or("", |at| &self.rest[at + 1..]);
    }

    /// The rest begins with `<!--`.
    fn skip_comment(&mut self) {
        let comment = &self.rest[4..];
        if let Some(after) = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")) {
            self.rest = after;
            return;
        }
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&comment.as_bytes()[from..], b"--") {
            let after = &comment[from + at + 2..];
            if let Some(after) = after.strip_prefix('>').or_else(|| after.strip_prefix("!>")) {
                self.rest = after;
                return;
            }
            from += at + 1;
        }
        self.rest = "";
    }

    /// The rest begins with a tag's name. A tag without its end is dropped, as the standard says.
    fn tag(&mut self, name_at: usize) -> Option<Tag<'a>> {
        let named = &self.rest[name_at..];
        let name_bytes = named.bytes().position(ends_name).unwrap_or(named.len());
        let (name, behind) = named.split_at(name_bytes);
        let Some((rest, after)) = after_tag(behind) else {
            self.rest = "";
            return None;
        };
        self.rest = after;
        Some(Tag { name, rest })
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let mut bytes = self.rest.bytes();
            match (bytes.next()?, bytes.next(), bytes.next()) {
                (b'<', Some(letter), _) if letter.is_ascii_alphabetic() => match self.tag(1) {
                    Some(tag) => return Some(Token::Start(tag)),
                    None => continue,
                },
                (b'<', Some(b'/'), Some(letter)) if letter.is_ascii_alphabetic() => match self.tag(2) {
                    Some(tag) => return Some(Token::End(tag.name)),
                    None => continue,
                },
                (b'<', Some(b'!'), _) if self.rest[2..].starts_with("--") => self.skip_comment(),
                (b'<', Some(b'!' | b'?'), _) | (b'<', Some(b'/'), Some(_)) => self.skip_declaration(),
                (first, ..) => {
                    let from = usize::from(first == b'<');
                    let end = memchr::memchr(b'<', &self.rest.as_bytes()[from..]).map_or(self.rest.len(), |at| from + at);
                    let (text, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    return Some(Token::Text(text));
                }
            }
        }
    }
}

fn ends_name(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b'/' | b'>')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// What stands up to the `>` of a tag, and what stands after it.
fn after_tag(rest: &str) -> Option<(&str, &str)> {
    let mut from = rest;
    loop {
        match next_attribute(from) {
            Next::Attribute { after, .. } => from = after,
            Next::Close(after) => return Some(rest.split_at(rest.len() - after.len())),
            Next::Unclosed => return None,
        }
    }
}

enum Next<'a> {
    Attribute { name: &'a str, value: &'a str, after: &'a str },
    Close(&'a str),
    Unclosed,
}

fn next_attribute(rest: &str) -> Next<'_> {
    let bytes = rest.as_bytes();
    let Some(start) = bytes.iter().position(|byte| !is_space(*byte) && *byte != b'/') else { return Next::Unclosed };
    if bytes[start] == b'>' {
        return Next::Close(&rest[start + 1..]);
    }
    // An equals sign where a name should begin is part of the name.
    let name_end = end_of(bytes, start + 1, |byte| ends_name(byte) || byte == b'=');
    let equals = end_of(bytes, name_end, |byte| !is_space(byte));
    let name = &rest[start..name_end];
    if bytes.get(equals) != Some(&b'=') {
        return Next::Attribute { name, value: "", after: &rest[name_end..] };
    }
    let value_at = end_of(bytes, equals + 1, |byte| !is_space(byte));
    match bytes.get(value_at) {
        None => Next::Unclosed,
        Some(quote @ (b'"' | b'\'')) => {
            let value = &rest[value_at + 1..];
            match memchr::memchr(*quote, value.as_bytes()) {
                Some(end) => Next::Attribute { name, value: &value[..end], after: &value[end + 1..] },
                None => Next::Unclosed,
            }
        }
        Some(_) => {
            let value_end = end_of(bytes, value_at, |byte| is_space(byte) || byte == b'>');
            Next::Attribute { name, value: &rest[value_at..value_end], after: &rest[value_end..] }
        }
    }
}

fn end_of(bytes: &[u8], from: usize, ends: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).and_then(|rest| rest.iter().position(|byte| ends(*byte))).map_or(bytes.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(html: &str) -> Vec<String> {
        let shown = |token| match token {
            Token::Text(text) => format!("{text:?}"),
            Token::Start(tag) => {
                format!("<{}{}>", tag.name, tag.attributes().map(|(name, value)| format!(" {name}={value:?}")).collect::<String>())
            }
            Token::End(name) => format!("</{name}>"),
        };
        Tokens::new(html).map(shown).collect()
    }

    #[test]
    fn tags_end_where_browsers_end_them() {
        for (html, expected) in [
            ("a<b>c</b >d", &["\"a\"", "<b>", "\"c\"", "</b>", "\"d\""] as &[_]),
            ("<a href=x/y title='>' b = \"<c>\"/>z", &["<a href=\"x/y\" title=\">\" b=\"<c>\">", "\"z\""]),
            ("<p a=b'c d>e", &["<p a=\"b'c\" d=\"\">", "\"e\""]),
            ("<p =a=b>c<p a==b><p a=>", &["<p =a=\"b\">", "\"c\"", "<p a=\"=b\">", "<p a=\"\">"]),
            ("1 < 2 </ 3> 4 <5", &["\"1 \"", "\"< 2 \"", "\" 4 \"", "\"<5\""]),
            ("a<b c='d", &["\"a\""]),
            ("a<", &["\"a\"", "\"<\""]),
            ("</>x</", &["\"x\"", "\"</\""]),
        ] {
            assert_eq!(written(html), expected, "{html}");
        }
    }

    #[test]
    fn comments_end_where_browsers_end_them() {
        for html in
            ["<!-->x", "<!--->x", "<!---->x", "<!--a--!>x", "<!-- - -- > <b> -->x", "<!----!>x", "<!doctype html>x", "<![if !mso]>x", "<?xml?>x"]
        {
            assert_eq!(written(html), ["\"x\""], "{html}");
        }
        assert!(written("<!-- x -- >").is_empty());
        assert!(written("<!---!>x").is_empty());
    }

    #[test]
    fn raw_text_ends_at_its_own_end_tag_alone() {
        for (html, content, after) in
            [("a{}</STYLE a='>'>x", "a{}", &["\"x\""] as &[_]), ("</styles></b></style/>x", "</styles></b>", &["\"x\""]), ("no end", "no end", &[])]
        {
            let mut tokens = Tokens::new(html);
            assert_eq!(tokens.raw_text("style"), content);
            assert_eq!(tokens.map(|token| format!("{token:?}")).count(), after.len(), "{html}");
        }
    }
}
