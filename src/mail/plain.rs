//! The words of HTML as lines of text, each with what the markup says of it. One pass over the tags; nesting is counted, never recursed into.

mod element;
mod enriched;
mod stub;

use std::borrow::Cow;

pub use enriched::enriched;
pub use stub::{STUB_BYTES_MAX, is_stub};

use element::{ELEMENTS, Element, HIDDEN, PARAGRAPH_RANK, index_of};

use super::{
    clean::{
        entity::reference,
        tokens::{Remembered, Tag, Token, Tokens},
    },
    limits::STRIPPED_BYTES_MAX,
    reply::html::{Effect, effect},
};

/// Elements open at once whose nesting is followed. What is deeper keeps its words and takes the part of what surrounds it.
const DEPTH_MAX: usize = 256;

/// Quotation marks before a line, however deep it is quoted.
const QUOTE_MARKS_MAX: usize = 8;

/// Bytes of the text of an image that stands for a word.
const IMAGE_WORD_BYTES_MAX: usize = 32;

/// HTML as text.
#[derive(Debug, Default)]
pub struct Page {
    pub(super) lines: Vec<Line>,
}

#[derive(Debug)]
pub(super) struct Line {
    /// Without line ends; quoted lines begin with `> `.
    pub(super) text: String,
    pub(super) part: Part,
}

/// What a line is, as far as markup tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Words,
    /// In a quotation.
    Quoted,
    /// In what is a quotation if an attribution stands above it, and else what its sender set apart.
    SetApart,
    /// In what a mail program puts around a quotation, and not in an answer inside it.
    Around,
    Attribution,
    Signature,
    /// An empty line, below which everything is quoted.
    Cut,
}

impl Page {
    /// At most one empty line in a row, none at the ends.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut blank = false;
        for line in self.lines.iter().filter(|line| line.part != Part::Cut) {
            if line.text.is_empty() {
                blank = true;
                continue;
            }
            if !text.is_empty() {
                text.push_str(if blank { "\n\n" } else { "\n" });
            }
            text.push_str(&line.text);
            blank = false;
        }
        text
    }
}

/// The lines of HTML as it was sent: classes and ids tell the mail program, so it must not have been cleaned. Of HTML that is longer than
/// [`STRIPPED_BYTES_MAX`] the rest is dropped.
pub fn page(html: &str) -> Page {
    let mut writer = Writer::new();
    let mut remembered = Remembered::new();
    let mut tokens = Tokens::new(&html[..html.floor_char_boundary(STRIPPED_BYTES_MAX)]);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(words) => writer.text(words),
            Token::Start(tag) if is_raw_text(&tag) => {
                tokens.raw_text(tag.name);
            }
            Token::Start(tag) => writer.open(&tag, said(&tag, &mut remembered)),
            Token::End(name) => writer.close(name),
        }
    }
    writer.end_line();
    Page { lines: writer.lines }
}

/// Whether the markup of [`page`] would tell anything of what is quoted and what is not; it takes half as long to say.
pub fn is_marked(html: &str) -> bool {
    let mut remembered = Remembered::new();
    let mut tokens = Tokens::new(&html[..html.floor_char_boundary(STRIPPED_BYTES_MAX)]);
    while let Some(token) = tokens.next() {
        match token {
            Token::Start(tag) if is_raw_text(&tag) => {
                tokens.raw_text(tag.name);
            }
            Token::Start(tag) if said(&tag, &mut remembered).effect.is_some() => return true,
            _ => {}
        }
    }
    false
}

/// What the attributes of a tag say of the lines in it.
#[derive(Clone, Copy)]
struct Said {
    effect: Option<Effect>,
    is_tight: bool,
}

fn said<'a>(tag: &Tag<'a>, remembered: &mut Remembered<'a, Said>) -> Said {
    if let Some(said) = remembered.of(tag) {
        return *said;
    }
    let said = Said { effect: effect(tag), is_tight: is_tight(tag) };
    if !tag.is_bare() {
        remembered.add(*tag, said);
    }
    said
}

/// Elements whose content is no markup, and nothing for people.
const RAW_TEXT: [&str; 9] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"];

pub(super) fn is_raw_text(tag: &Tag<'_>) -> bool {
    RAW_TEXT.iter().any(|raw| raw.eq_ignore_ascii_case(tag.name))
}

struct Open {
    /// In [`ELEMENTS`].
    index: usize,
    rank: u8,
    effect: Option<Effect>,
    /// Of an ordered list, the number of its next item.
    item: Option<u32>,
}

/// How many open elements have an effect, and what follows from it.
#[derive(Default)]
struct Depths {
    quote: usize,
    set_apart: usize,
    around: usize,
    attribution: usize,
    signature: usize,
    pre: usize,
    hidden: usize,
    lists: usize,
}

struct Writer {
    lines: Vec<Line>,
    line: String,
    /// What the line became when its first word was written.
    part: Option<Part>,
    /// A blank is due before the next word.
    blank: bool,
    /// An empty line is due before the next line.
    spaced: bool,
    /// The mark of a list item whose first word is still to come.
    bullet: Option<String>,
    open: Vec<Open>,
    /// How many of each of [`ELEMENTS`] are open.
    open_of: [usize; ELEMENTS.len()],
    depths: Depths,
    /// A quotation ended inside what surrounds it: from here on somebody answers.
    answered: bool,
}

impl Writer {
    fn new() -> Self {
        Writer {
            lines: Vec::new(),
            line: String::new(),
            part: None,
            blank: false,
            spaced: false,
            bullet: None,
            open: Vec::new(),
            open_of: [0; ELEMENTS.len()],
            depths: Depths::default(),
            answered: false,
        }
    }

    fn text(&mut self, words: &str) {
        if self.depths.hidden > 0 {
            return;
        }
        let mut text = Cow::Borrowed(words);
        if memchr::memchr(b'&', words.as_bytes()).is_some() {
            let mut unescaped = String::with_capacity(words.len());
            unescape(words, &mut unescaped);
            text = Cow::Owned(unescaped);
        }
        if self.depths.pre > 0 {
            for (index, line) in text.split('\n').enumerate() {
                if index > 0 {
                    self.end_line();
                }
                self.word(line.trim_end_matches('\r'));
            }
            return;
        }
        let is_blank = |letter: char| letter.is_ascii_whitespace();
        self.blank |= text.starts_with(is_blank);
        for (index, word) in text.split_ascii_whitespace().enumerate() {
            self.blank |= index > 0;
            self.word(word);
        }
        self.blank |= text.ends_with(is_blank);
    }

    /// Letters without a break; blanks among them are the sender's own.
    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        if self.part.is_none() {
            self.begin_line();
        } else if self.blank && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
        self.blank = false;
        if word.bytes().fold(true, |plain, byte| plain & (byte != 0) & byte.is_ascii()) {
            self.line.push_str(word);
            return;
        }
        // Blanks that do not break are for the eye alone, and zero-width ones for nobody.
        self.line.extend(word.chars().filter(|letter| !matches!(letter, '\u{200b}' | '\u{feff}' | '\u{ad}' | '\0')).map(|letter| match letter {
            '\u{a0}' | '\u{202f}' => ' ',
            letter => letter,
        }));
    }

    fn begin_line(&mut self) {
        let part = self.part_here();
        if std::mem::take(&mut self.spaced) && self.lines.last().is_some_and(|line| !line.text.is_empty()) {
            self.lines.push(Line { text: String::new(), part });
        }
        self.part = Some(part);
        for _ in 0..self.depths.quote.min(QUOTE_MARKS_MAX) {
            self.line.push_str("> ");
        }
        if let Some(bullet) = self.bullet.take() {
            self.line.push_str(&bullet);
        }
    }

    fn part_here(&self) -> Part {
        let Depths { quote, set_apart, around, attribution, signature, .. } = self.depths;
        match () {
            () if quote > 0 && quote == set_apart && around == 0 => Part::SetApart,
            () if quote > 0 => Part::Quoted,
            () if attribution > 0 => Part::Attribution,
            () if around > 0 && !self.answered => Part::Around,
            () if signature > 0 => Part::Signature,
            () => Part::Words,
        }
    }

    /// Ends a line, be it empty.
    fn end_line(&mut self) {
        let part = self.part.take().unwrap_or_else(|| self.part_here());
        let text = std::mem::take(&mut self.line);
        let text = text.trim_end();
        // Marks alone, without a word, are an empty line.
        let text = if text.trim_start_matches(['>', ' ']).is_empty() && self.depths.quote > 0 { "" } else { text };
        self.lines.push(Line { text: text.to_owned(), part });
        self.blank = false;
    }

    /// Ends a line that has words.
    fn break_line(&mut self) {
        self.blank = false;
        if self.part.is_some() {
            self.end_line();
        }
    }

    fn open(&mut self, tag: &Tag<'_>, said: Said) {
        let Said { effect, is_tight } = said;
        let index = index_of(tag.name);
        let (name, block, spaced) = index.map_or(("", false, false), |index| (ELEMENTS[index].name, ELEMENTS[index].block, ELEMENTS[index].spaced));
        match name {
            "br" => return self.end_line(),
            "img" => return self.image(tag),
            "td" | "th" => self.blank = true,
            _ => {}
        }
        if block {
            self.break_line();
            self.spaced |= spaced && !is_tight;
        }
        if effect == Some(Effect::Cut) && self.depths.quote == 0 {
            self.break_line();
            self.lines.push(Line { text: String::new(), part: Part::Cut });
        }
        if name == "li" {
            self.item();
        }
        let Some((index, rank)) = index.and_then(|index| ELEMENTS[index].rank.map(|rank| (index, rank))) else { return };
        // A block ends the paragraph before it.
        if rank > 0 && self.open.last().is_some_and(|open| open.rank == PARAGRAPH_RANK) {
            self.pop();
        }
        if self.open.len() < DEPTH_MAX {
            self.open.push(Open { index, rank, effect, item: (name == "ol").then_some(1) });
            self.count(index, effect, true);
        }
    }

    fn close(&mut self, name: &str) {
        let Some(index) = index_of(name) else { return };
        let Element { name, rank, block, spaced } = ELEMENTS[index];
        if block {
            self.break_line();
            // Whether a paragraph has a gap, its start tag said.
            self.spaced |= spaced && name != "p";
        }
        let Some(rank) = rank.filter(|_| self.open_of[index] > 0) else { return };
        let closed = self.open.iter().rev().take_while(|open| open.rank <= rank).position(|open| open.index == index);
        for _ in 0..closed.map_or(0, |above| above + 1) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(open) = self.open.pop() else { return };
        self.count(open.index, open.effect, false);
        if open.effect.is_some_and(|effect| effect != Effect::Signature) {
            self.break_line();
        }
        if matches!(open.effect, Some(Effect::Quote | Effect::SetApart)) && self.depths.quote == 0 {
            self.answered = self.depths.around > 0;
        }
        self.answered &= self.depths.around > 0;
    }

    fn count(&mut self, index: usize, effect: Option<Effect>, opens: bool) {
        let count = |depth: &mut usize| *depth = if opens { *depth + 1 } else { depth.saturating_sub(1) };
        count(&mut self.open_of[index]);
        match effect {
            Some(Effect::Quote) => count(&mut self.depths.quote),
            Some(Effect::SetApart) => {
                count(&mut self.depths.quote);
                count(&mut self.depths.set_apart);
            }
            Some(Effect::Around) => count(&mut self.depths.around),
            Some(Effect::Attribution) => count(&mut self.depths.attribution),
            Some(Effect::Signature) => count(&mut self.depths.signature),
            Some(Effect::Cut) | None => {}
        }
        match ELEMENTS[index].name {
            "pre" => count(&mut self.depths.pre),
            "ul" | "ol" => count(&mut self.depths.lists),
            name if HIDDEN.contains(&name) => count(&mut self.depths.hidden),
            _ => {}
        }
    }

    fn item(&mut self) {
        let list = self.open.iter_mut().rev().find(|open| matches!(ELEMENTS[open.index].name, "ol" | "ul"));
        let mark = match list.and_then(|list| list.item.as_mut()) {
            Some(number) => {
                *number = number.saturating_add(1);
                format!("{}. ", *number - 1)
            }
            None => "- ".to_owned(),
        };
        self.bullet = Some(format!("{}{mark}", "  ".repeat(self.depths.lists.saturating_sub(1).min(QUOTE_MARKS_MAX))));
    }

    /// Pictures that stand for a letter, as those of faces do, are words.
    fn image(&mut self, tag: &Tag<'_>) {
        let Some((_, instead)) = tag.attributes().find(|(name, _)| name.eq_ignore_ascii_case("alt")) else { return };
        let is_letter = instead.len() <= IMAGE_WORD_BYTES_MAX && !instead.bytes().any(|byte| byte.is_ascii_alphanumeric());
        if is_letter && !instead.is_ascii() {
            self.text(instead);
        }
    }
}

/// Appends the text with its character references resolved.
fn unescape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        into.push_str(&rest[..at]);
        rest = &rest[at..];
        let (letters, bytes) = reference(rest, false).unwrap_or((['&', '\0'], 1));
        into.extend(letters.into_iter().filter(|letter| *letter != '\0'));
        rest = &rest[bytes..];
    }
    into.push_str(rest);
}

/// A paragraph that its mail program sets without a gap: a line.
fn is_tight(tag: &Tag<'_>) -> bool {
    let word = |value: &str| value.split_ascii_whitespace().any(|class| class.len() >= 9 && class.as_bytes()[..9].eq_ignore_ascii_case(b"MsoNormal"));
    tag.attributes().any(|(name, value)| {
        (name.eq_ignore_ascii_case("class") && word(value))
            || (name.eq_ignore_ascii_case("style") && (value.contains("margin:0") || value.contains("margin: 0")))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(html: &str) -> String {
        page(html).text()
    }

    #[test]
    fn the_text_of_html_keeps_words_and_lines() {
        let html = "<p>Dear  team,</p><p>it <b>fails</b>:<br>error&nbsp;5 &lt;x&gt;</p><ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table>";
        assert_eq!(text(html), "Dear team,\n\nit fails:\nerror 5 <x>\n\n- one\n- two\n\na b");
    }

    #[test]
    fn blanks_and_lines_are_those_that_a_browser_shows() {
        for (html, expected) in [
            ("<div>one</div>\n<div>two<br></div><div><br></div><div>three</div>", "one\ntwo\n\nthree"),
            ("one\n two<b> three </b>four<i>!</i>", "one two three four!"),
            ("<pre>a\n  b\n\nc</pre>", "a\n  b\n\nc"),
            ("<p class=MsoNormal>one<p class=\"MsoNormal\">two<p style='margin:0cm'>three", "one\ntwo\nthree"),
            ("<ol><li>a<ul><li>b</ul><li><p>c</p></ol>", "1. a\n\n  - b\n\n2. c"),
            ("<blockquote>a<br><br><blockquote>b</blockquote></blockquote>c", "> a\n\n> > b\n\nc"),
            ("<!-- <b> --><style>p{}</style><p title=\"a>b\">1 < 2 &amp; 3<br>next<script>x</b>", "1 < 2 & 3\nnext"),
            ("well <img alt=\"🙂\"> <img alt='logo.png'><img alt=''>done", "well 🙂 done"),
            ("a<svg><title>t</title><text>x</text></svg>b", "ab"),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn tags_that_are_nested_wrongly_lose_no_words() {
        assert_eq!(text("<div><span>a</div>b</span></p></td><td>c</blockquote>d"), "a\nb\nc\n\nd");
        assert_eq!(text(&format!("{}a{}b", "<div>".repeat(100_000), "</div>".repeat(100_000))), "a\nb");
        assert_eq!(text(&"<blockquote>a".repeat(2_000)).matches('a').count(), 2_000);
    }

    proptest! {
        #[test]
        fn where_the_markup_tells_nothing_all_lines_are_words(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "words", "<p>", "</p>", "<div>", "</div>", "<br>", "<blockquote>", "</blockquote>", "<div class=gmail_quote>", "<div id=Signature>",
                "<div class=\"x moz-cite-prefix\">", "<style>", "</style>", "<div id=divRplyFwdMsg>", "<table><tr><td>", "</table>", "<a name=_MailOriginal>",
                "<div style='border-top:solid #E1E1E1 1.0pt'>", "<!-- <blockquote> -->", "<p class=quote>",
            ]), 0..12)
        ) {
            let html = pieces.concat();
            let marked = page(&html).lines.iter().any(|line| line.part != Part::Words);
            prop_assert!(is_marked(&html) || !marked, "{html}");
        }
    }

    #[test]
    fn markup_that_mail_programs_make_of_a_new_mail_tells_nothing() {
        assert!(!is_marked("<style>blockquote { margin: 0 }</style><div class=WordSection1><p class=MsoNormal>Hello</p></div>"));
        assert!(is_marked("<div>Hello</div><blockquote type=cite>Old</blockquote>"));
    }
}
