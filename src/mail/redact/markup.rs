//! What people see of HTML or XML, and what stands hidden in it: letters on their way to the finders, without tags and with entities resolved.

use std::ops::Range;

use super::{
    finder::Sink,
    link,
    number::DIGITS,
    tag::{LINK, NAME_LETTERS_MAX, RAW_TEXT, WORDS, count, ordinary_tag},
    tally::Tally,
};

/// Letters of an entity, with its sign and semicolon.
const ENTITY_LETTERS_MAX: usize = 12;

/// Elements that begin a line of their own.
const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "li",
    "ol",
    "option",
    "p",
    "pre",
    "table",
    "title",
    "tr",
    "ul",
];
/// Elements that stand beside each other on a line.
const CELLS: [&str; 2] = ["td", "th"];
/// Attributes of XML whose values are none.
const NO_WORDS: [&str; 4] = ["id", "href", "src", "ref"];

/// Entities that may stand between the digits of a card.
const ENTITIES: [(&str, char); 18] = [
    ("amp", '&'),
    ("dash", '-'),
    ("emsp", ' '),
    ("ensp", ' '),
    ("gt", '>'),
    ("hyphen", '-'),
    ("lt", '<'),
    ("mdash", '-'),
    ("middot", '.'),
    ("minus", '-'),
    ("nbsp", ' '),
    ("ndash", '-'),
    ("period", '.'),
    ("quot", '"'),
    ("shy", '\u{ad}'),
    ("thinsp", ' '),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// After `<`.
    Open,
    /// After `<!` and what follows it.
    Declaration {
        dashes: u8,
    },
    /// With how many dashes of its end were seen.
    Comment {
        dashes: u8,
    },
    TagName,
    InTag,
    AttributeName,
    AfterAttributeName,
    BeforeValue,
    /// In quotes, or up to a blank.
    Value {
        quote: Option<char>,
    },
}

/// What a link begins with, up to its colon.
#[derive(Debug)]
enum Scheme {
    Unknown(String),
    /// Of a link that is read as words.
    Words,
    /// A web address, or none at all.
    Other,
}

/// Reads markup letter by letter.
pub(super) struct Markup<S> {
    state: State,
    is_xml: bool,
    /// Of the tag that is being read, lower-case, with its slash.
    element: String,
    attribute: String,
    /// Of a link, as far as it was read.
    scheme: Scheme,
    /// The element whose content is no markup.
    raw_text: Option<&'static str>,
    entity: Vec<(char, Range<usize>)>,
    blank_before: bool,
    block_before: bool,
    shown: S,
    hidden: S,
}

impl<S: Sink> Markup<S> {
    pub(super) fn new(is_xml: bool) -> Self {
        Markup {
            state: State::Text,
            is_xml,
            element: String::new(),
            attribute: String::new(),
            scheme: Scheme::Unknown(String::new()),
            raw_text: None,
            entity: Vec::new(),
            blank_before: false,
            block_before: false,
            shown: S::default(),
            hidden: S::default(),
        }
    }

    pub(super) fn push(&mut self, letter: char, at: Range<usize>) {
        let in_words = self.state == State::Text && self.raw_text.is_none() || matches!(self.state, State::Value { .. });
        if !self.entity.is_empty() {
            let goes_on = letter.is_ascii_alphanumeric() || letter == '#' && self.entity.len() == 1;
            if goes_on && self.entity.len() < ENTITY_LETTERS_MAX {
                return self.entity.push((letter, at));
            }
            let resolved = self.resolve(letter == ';', &at);
            if resolved && letter == ';' {
                return;
            }
        }
        if in_words && letter == '&' {
            return self.entity.push((letter, at));
        }
        self.step(letter, at);
    }

    /// What is shown, and what is hidden.
    pub(super) fn finish(mut self) -> (S, S) {
        self.resolve(false, &(0..0));
        (self.shown, self.hidden)
    }

    /// Passes on what an entity means, or its letters. `end` is where a semicolon stands.
    fn resolve(&mut self, closed: bool, end: &Range<usize>) -> bool {
        let entity = std::mem::take(&mut self.entity);
        let Some((_, first)) = entity.first() else { return false };
        let name: String = entity.iter().skip(1).map(|(letter, _)| *letter).collect();
        let meaning = match name.strip_prefix('#') {
            Some(code) => match code.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok().and_then(char::from_u32),
                None => code.parse().ok().and_then(char::from_u32),
            },
            None => ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter),
        };
        match meaning {
            Some(letter) => {
                let end = if closed { end.end } else { entity.last().map_or(first.end, |(_, at)| at.end) };
                self.emit(letter, first.start..end);
            }
            None => entity.into_iter().for_each(|(letter, at)| self.emit(letter, at)),
        }
        meaning.is_some()
    }

    /// A letter of a text or a value.
    fn emit(&mut self, letter: char, at: Range<usize>) {
        if matches!(self.state, State::Value { .. }) {
            if self.is_words() {
                self.hidden.push(letter, at);
            } else if self.attribute == LINK {
                self.emit_link(letter, at);
            }
        } else {
            self.show(letter, at);
        }
    }

    fn emit_link(&mut self, letter: char, at: Range<usize>) {
        match &mut self.scheme {
            Scheme::Words => self.hidden.push(letter, at),
            Scheme::Unknown(seen) if letter.is_ascii_alphabetic() => push_name(seen, letter),
            // Blanks may stand before it.
            Scheme::Unknown(seen) if seen.is_empty() && letter.is_ascii_whitespace() => {}
            Scheme::Unknown(seen) if letter == ':' && link::is_scheme(seen) => {
                seen.chars().for_each(|letter| self.hidden.push(letter, 0..0));
                self.hidden.push(letter, at);
                self.scheme = Scheme::Words;
            }
            _ => self.scheme = Scheme::Other,
        }
    }

    /// Blanks run together, as they do on a page.
    fn show(&mut self, letter: char, at: Range<usize>) {
        let blank = letter.is_ascii_whitespace();
        if !(blank && self.blank_before) {
            self.shown.push(letter, at);
        }
        self.blank_before = blank;
        self.block_before &= blank;
    }

    fn is_words(&self) -> bool {
        let name = self.attribute.as_str();
        if self.is_xml { !NO_WORDS.contains(&name) && !name.starts_with("xmlns") } else { WORDS.contains(&name) }
    }

    fn step(&mut self, letter: char, at: Range<usize>) {
        match self.state {
            State::Text if letter == '<' => self.state = State::Open,
            State::Text if self.raw_text.is_some() => self.hidden.push(letter, at),
            State::Text => self.show(letter, at),
            State::Open => self.open(letter, at),
            State::Declaration { dashes } => self.declaration(letter, dashes),
            State::Comment { dashes } => {
                if letter == '>' && dashes >= 2 {
                    self.hidden.end_text();
                    self.state = State::Text;
                } else {
                    self.hidden.push(letter, at);
                    self.state = State::Comment { dashes: if letter == '-' { dashes.saturating_add(1) } else { 0 } };
                }
            }
            State::TagName if letter.is_ascii_whitespace() => self.state = State::InTag,
            State::TagName if letter == '>' => self.close(),
            State::TagName => push_name(&mut self.element, letter),
            State::Value { quote } => {
                let ends = quote.map_or(letter.is_ascii_whitespace() || letter == '>', |quote| quote == letter);
                if !ends {
                    return self.emit(letter, at);
                }
                self.hidden.end_text();
                self.state = State::InTag;
                if letter == '>' && quote.is_none() {
                    self.close();
                }
            }
            _ if letter == '>' => self.close(),
            State::BeforeValue if !letter.is_ascii_whitespace() => {
                let quote = Some(letter).filter(|letter| matches!(letter, '"' | '\''));
                self.state = State::Value { quote };
                if quote.is_none() {
                    self.emit(letter, at);
                }
            }
            State::BeforeValue => {}
            State::AttributeName | State::AfterAttributeName if letter == '=' => self.state = State::BeforeValue,
            State::AttributeName if letter.is_ascii_whitespace() => self.state = State::AfterAttributeName,
            State::AttributeName => push_name(&mut self.attribute, letter),
            State::InTag | State::AfterAttributeName => {
                if !letter.is_ascii_whitespace() && letter != '/' {
                    self.attribute.clear();
                    self.scheme = Scheme::Unknown(String::new());
                    push_name(&mut self.attribute, letter);
                    self.state = State::AttributeName;
                }
            }
        }
    }

    /// After a `<`: a tag, a comment, or only a sign.
    fn open(&mut self, letter: char, at: Range<usize>) {
        let tag = letter == '/' || letter.is_ascii_alphabetic() && self.raw_text.is_none();
        self.state = match letter {
            '!' | '?' if self.raw_text.is_none() => State::Declaration { dashes: 0 },
            _ if tag => {
                self.element.clear();
                push_name(&mut self.element, letter);
                State::TagName
            }
            _ => {
                self.state = State::Text;
                let sign = at.start..at.start;
                self.step_text('<', sign);
                return self.push(letter, at);
            }
        };
    }

    fn step_text(&mut self, letter: char, at: Range<usize>) {
        if self.raw_text.is_some() { self.hidden.push(letter, at) } else { self.show(letter, at) }
    }

    fn declaration(&mut self, letter: char, dashes: u8) {
        self.state = match letter {
            '-' if dashes == 1 => State::Comment { dashes: 0 },
            '-' => State::Declaration { dashes: dashes + 1 },
            '>' => State::Text,
            // Of `<![CDATA[` the content is text; what else is bracketed is no text and soon over.
            '[' => {
                self.shown.end_word();
                State::Text
            }
            _ => State::Declaration { dashes: 0 },
        };
    }

    /// After a tag.
    fn close(&mut self) {
        self.state = State::Text;
        let closing = self.element.strip_prefix('/');
        let name = closing.unwrap_or(&self.element).trim_end_matches('/');
        if let Some(raw_text) = self.raw_text {
            if closing.is_some() && name == raw_text {
                self.raw_text = None;
                self.hidden.end_text();
            }
            return;
        }
        if closing.is_none() {
            self.raw_text = RAW_TEXT.into_iter().find(|known| *known == name);
        }
        if self.is_xml || BLOCKS.contains(&name) {
            // Whatever blanks stand before it.
            self.blank_before &= self.block_before;
            self.show('\n', 0..0);
            self.block_before = true;
        } else if CELLS.contains(&name) {
            // A form has a cell for each group, and as text a row is one line.
            self.show(' ', 0..0);
        } else {
            self.shown.end_word();
        }
    }
}

impl Markup<Tally> {
    /// How many bytes ahead leave us where we are; what they mean to the count is done.
    pub(super) fn pass(&mut self, ahead: &[u8]) -> usize {
        let all = ahead.len();
        match self.state {
            _ if !self.entity.is_empty() => 0,
            State::Text if self.raw_text.is_none() => self.pass_shown(ahead),
            State::Text => self.pass_hidden(&ahead[..memchr::memchr(b'<', ahead).unwrap_or(all)]),
            State::Comment { dashes: 0 } => self.pass_hidden(&ahead[..memchr::memchr(b'-', ahead).unwrap_or(all)]),
            State::Declaration { dashes: 0 } => memchr::memchr3(b'-', b'>', b'[', ahead).unwrap_or(all),
            State::Value { quote: Some(quote) } => {
                let quote = if quote == '"' { b'"' } else { b'\'' };
                if self.is_words() {
                    self.pass_hidden(&ahead[..memchr::memchr2(quote, b'&', ahead).unwrap_or(all)])
                } else if self.attribute == LINK && !matches!(self.scheme, Scheme::Other) {
                    0
                } else {
                    memchr::memchr(quote, ahead).unwrap_or(all)
                }
            }
            _ => 0,
        }
    }

    fn pass_hidden(&mut self, words: &[u8]) -> usize {
        self.hidden.text(words);
        words.len()
    }

    /// Words, ordinary references and ordinary tags.
    fn pass_shown(&mut self, ahead: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let rest = &ahead[at..];
            let passed = match rest.first() {
                Some(b'<') if self.hidden.is_empty() => self.pass_tag(rest),
                Some(b'<') | None => 0,
                Some(b'&') => self.pass_reference(rest),
                Some(_) => {
                    let words = memchr::memchr2(b'<', b'&', rest).unwrap_or(rest.len());
                    self.shown.text(&rest[..words]);
                    words
                }
            };
            if passed == 0 {
                return at;
            }
            at += passed;
        }
    }

    /// A reference by a name of letters. One that we do not know is no digit and nothing between digits.
    fn pass_reference(&mut self, ahead: &[u8]) -> usize {
        let name = count(&ahead[1..], u8::is_ascii_alphabetic);
        if name == 0 || ahead.get(1 + name) != Some(&b';') {
            return 0;
        }
        let known = ENTITIES.iter().find(|(known, _)| known.as_bytes() == &ahead[1..=name]);
        self.shown.push(known.map_or('&', |(_, letter)| *letter), 0..0);
        name + 2
    }

    /// An ordinary tag, if it has no words with digits enough for a card.
    fn pass_tag(&mut self, ahead: &[u8]) -> usize {
        let Some(tag) = ordinary_tag(ahead) else { return 0 };
        // A reference may stand for a digit.
        let counts = |byte: &&u8| byte.is_ascii_digit() || **byte == b'&' || !byte.is_ascii();
        if (tag.has_words || tag.has_link || self.is_xml) && tag.whole.iter().filter(counts).count() >= *DIGITS.start() {
            return 0;
        }
        let is = |names: &[&str]| names.iter().any(|name| tag.element.eq_ignore_ascii_case(name.as_bytes()));
        if !self.shown.is_empty() && (self.is_xml || is(&BLOCKS) || is(&CELLS)) {
            self.shown.push('\n', 0..0);
        }
        tag.whole.len()
    }
}

fn push_name(name: &mut String, letter: char) {
    if name.len() < NAME_LETTERS_MAX {
        name.push(letter.to_ascii_lowercase());
    }
}
