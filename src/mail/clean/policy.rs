//! What may stay of a stranger's HTML: elements and attributes by an allow-list, and how each element behaves when it is parsed.

use std::{collections::HashSet, sync::LazyLock};

use ammonia::{Builder, UrlRelative};

use super::value::Rule;

/// How an element is parsed (HTML standard, section 13.2.6), as far as it matters to what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its tags change nothing in the middle of a page.
    Page,
    /// It has no content.
    Void,
    /// Void, and ends a paragraph.
    Rule,
    /// Its content is no markup, and no text for people.
    RawText,
    /// It ends a paragraph.
    Block,
    Paragraph,
    Heading,
    Preformatted,
    ListItem,
    Definition,
    /// Where it is closed in the wrong order, parsers open it again.
    Formatting,
    Table,
    Caption,
    Columns,
    Column,
    TableBody,
    Row,
    Cell,
    Ordinary,
    /// Rare in mails and with rules of its own: left to the full parser.
    Unusual,
}

pub(super) struct Element {
    pub name: &'static str,
    pub kind: Kind,
    /// Else its tags go and its content stays.
    pub kept: bool,
    /// Beside those of every element, in the order in which they are written.
    pub attributes: &'static [(&'static str, Rule)],
}

/// Attributes of every element that is kept.
pub(super) const EVERYWHERE: [(&str, Rule); 4] = [("align", Rule::Word), ("dir", Rule::Direction), ("lang", Rule::Language), ("style", Rule::Style)];

/// What every element is whose name is not in the list.
pub(super) static UNKNOWN: Element = plain("", Kind::Ordinary, false);

const fn plain(name: &'static str, kind: Kind, kept: bool) -> Element {
    Element { name, kind, kept, attributes: &[] }
}

const fn kept(name: &'static str, kind: Kind, attributes: &'static [(&'static str, Rule)]) -> Element {
    Element { name, kind, kept: true, attributes }
}

const CELL: &[(&str, Rule)] = &[
    ("bgcolor", Rule::Color),
    ("colspan", Rule::Count),
    ("height", Rule::Size),
    ("nowrap", Rule::Word),
    ("rowspan", Rule::Count),
    ("valign", Rule::Word),
    ("width", Rule::Size),
];
const IMAGE: &[(&str, Rule)] = &[
    ("alt", Rule::Text),
    ("border", Rule::Size),
    ("height", Rule::Size),
    ("hspace", Rule::Size),
    ("src", Rule::Image),
    ("title", Rule::Text),
    ("vspace", Rule::Size),
    ("width", Rule::Size),
];
const TABLE: &[(&str, Rule)] = &[
    ("bgcolor", Rule::Color),
    ("border", Rule::Size),
    ("cellpadding", Rule::Size),
    ("cellspacing", Rule::Size),
    ("height", Rule::Size),
    ("width", Rule::Size),
];
const ROW: &[(&str, Rule)] = &[("bgcolor", Rule::Color), ("height", Rule::Size), ("valign", Rule::Word)];
const COLUMN: &[(&str, Rule)] = &[("span", Rule::Count), ("width", Rule::Size)];

/// Sorted by name.
#[rustfmt::skip]
pub(super) static ELEMENTS: [Element; 125] = [
    kept("a", Kind::Formatting, &[("href", Rule::Link)]),
    kept("abbr", Kind::Ordinary, &[("title", Rule::Text)]),
    kept("acronym", Kind::Ordinary, &[("title", Rule::Text)]),
    kept("address", Kind::Block, &[]),
    plain("applet", Kind::Unusual, false),
    plain("area", Kind::Void, false),
    kept("article", Kind::Block, &[]),
    kept("aside", Kind::Block, &[]),
    kept("b", Kind::Formatting, &[]),
    plain("base", Kind::Void, false),
    plain("basefont", Kind::Void, false),
    kept("bdi", Kind::Ordinary, &[]),
    plain("bgsound", Kind::Void, false),
    kept("big", Kind::Formatting, &[]),
    kept("blockquote", Kind::Block, &[]),
    plain("body", Kind::Page, false),
    kept("br", Kind::Void, &[("clear", Rule::Word)]),
    plain("button", Kind::Unusual, false),
    kept("caption", Kind::Caption, &[]),
    kept("center", Kind::Block, &[]),
    kept("cite", Kind::Ordinary, &[]),
    kept("code", Kind::Formatting, &[]),
    kept("col", Kind::Column, COLUMN),
    kept("colgroup", Kind::Columns, COLUMN),
    kept("dd", Kind::Definition, &[]),
    kept("del", Kind::Ordinary, &[]),
    plain("details", Kind::Unusual, false),
    kept("dfn", Kind::Ordinary, &[]),
    plain("dialog", Kind::Unusual, false),
    plain("dir", Kind::Unusual, false),
    kept("div", Kind::Block, &[]),
    kept("dl", Kind::Block, &[]),
    kept("dt", Kind::Definition, &[]),
    kept("em", Kind::Formatting, &[]),
    plain("embed", Kind::Void, false),
    plain("fieldset", Kind::Unusual, false),
    kept("figcaption", Kind::Block, &[]),
    kept("figure", Kind::Block, &[]),
    kept("font", Kind::Formatting, &[("color", Rule::Color), ("face", Rule::Face), ("size", Rule::FontSize)]),
    kept("footer", Kind::Block, &[]),
    plain("form", Kind::Unusual, false),
    plain("frame", Kind::Unusual, false),
    plain("frameset", Kind::Unusual, false),
    kept("h1", Kind::Heading, &[]),
    kept("h2", Kind::Heading, &[]),
    kept("h3", Kind::Heading, &[]),
    kept("h4", Kind::Heading, &[]),
    kept("h5", Kind::Heading, &[]),
    kept("h6", Kind::Heading, &[]),
    plain("head", Kind::Page, false),
    kept("header", Kind::Block, &[]),
    kept("hgroup", Kind::Block, &[]),
    kept("hr", Kind::Rule, &[("color", Rule::Color), ("noshade", Rule::Word), ("size", Rule::Size), ("width", Rule::Size)]),
    plain("html", Kind::Page, false),
    kept("i", Kind::Formatting, &[]),
    plain("iframe", Kind::RawText, false),
    plain("image", Kind::Unusual, false),
    kept("img", Kind::Void, IMAGE),
    plain("input", Kind::Void, false),
    kept("ins", Kind::Ordinary, &[]),
    kept("kbd", Kind::Ordinary, &[]),
    plain("keygen", Kind::Void, false),
    kept("li", Kind::ListItem, &[("type", Rule::Word), ("value", Rule::Count)]),
    plain("link", Kind::Void, false),
    plain("listing", Kind::Unusual, false),
    kept("main", Kind::Block, &[]),
    kept("mark", Kind::Ordinary, &[]),
    plain("marquee", Kind::Unusual, false),
    plain("math", Kind::Unusual, false),
    plain("menu", Kind::Unusual, false),
    plain("meta", Kind::Void, false),
    kept("nav", Kind::Block, &[]),
    kept("nobr", Kind::Formatting, &[]),
    plain("noembed", Kind::RawText, false),
    plain("noframes", Kind::RawText, false),
    plain("noscript", Kind::RawText, false),
    plain("object", Kind::Unusual, false),
    kept("ol", Kind::Block, &[("start", Rule::Count), ("type", Rule::Word)]),
    plain("optgroup", Kind::Unusual, false),
    plain("option", Kind::Unusual, false),
    kept("p", Kind::Paragraph, &[]),
    plain("param", Kind::Void, false),
    plain("plaintext", Kind::Unusual, false),
    kept("pre", Kind::Preformatted, &[]),
    kept("q", Kind::Ordinary, &[]),
    plain("rb", Kind::Unusual, false),
    plain("rp", Kind::Unusual, false),
    plain("rt", Kind::Unusual, false),
    plain("rtc", Kind::Unusual, false),
    plain("ruby", Kind::Unusual, false),
    kept("s", Kind::Formatting, &[]),
    kept("samp", Kind::Ordinary, &[]),
    plain("script", Kind::RawText, false),
    plain("search", Kind::Unusual, false),
    kept("section", Kind::Block, &[]),
    plain("select", Kind::Unusual, false),
    plain("selectedcontent", Kind::Unusual, false),
    kept("small", Kind::Formatting, &[]),
    plain("source", Kind::Void, false),
    kept("span", Kind::Ordinary, &[]),
    kept("strike", Kind::Formatting, &[]),
    kept("strong", Kind::Formatting, &[]),
    plain("style", Kind::RawText, false),
    kept("sub", Kind::Ordinary, &[]),
    plain("summary", Kind::Unusual, false),
    kept("sup", Kind::Ordinary, &[]),
    plain("svg", Kind::Unusual, false),
    kept("table", Kind::Table, TABLE),
    kept("tbody", Kind::TableBody, ROW),
    kept("td", Kind::Cell, CELL),
    plain("template", Kind::Unusual, false),
    plain("textarea", Kind::RawText, false),
    kept("tfoot", Kind::TableBody, ROW),
    kept("th", Kind::Cell, CELL),
    kept("thead", Kind::TableBody, ROW),
    kept("time", Kind::Ordinary, &[]),
    plain("title", Kind::RawText, false),
    kept("tr", Kind::Row, ROW),
    plain("track", Kind::Void, false),
    kept("tt", Kind::Formatting, &[]),
    kept("u", Kind::Formatting, &[]),
    kept("ul", Kind::Block, &[("type", Rule::Word)]),
    kept("var", Kind::Ordinary, &[]),
    kept("wbr", Kind::Void, &[]),
    plain("xmp", Kind::Unusual, false),
];

/// Attributes that one element may have.
pub(super) const KNOWN_ATTRIBUTES_MAX: usize = {
    let (mut most, mut at) = (0, 0);
    while at < ELEMENTS.len() {
        if ELEMENTS[at].attributes.len() > most {
            most = ELEMENTS[at].attributes.len();
        }
        at += 1;
    }
    most + EVERYWHERE.len()
};

/// Elements whose whole content goes where the full parser cleans: what runs, what submits, and what is another language.
const DROPPED_WITH_CONTENT: [&str; 14] =
    ["iframe", "math", "noembed", "noframes", "noscript", "object", "script", "select", "style", "svg", "template", "textarea", "title", "applet"];

/// The element of a name, in whatever case.
pub(super) fn element(name: &str) -> &'static Element {
    let mut lower = [0; 16];
    let Some(lower) = lower.get_mut(..name.len()) else { return &UNKNOWN };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    // Few begin with the same letter.
    let first = lower.first().map_or(0, |letter| usize::from(letter.wrapping_sub(b'a'))).min(FIRST_LETTERS - 1);
    let alike = &ELEMENTS[BEGINNINGS[first]..BEGINNINGS[first + 1]];
    alike.iter().find(|known| known.name.as_bytes() == lower).unwrap_or(&UNKNOWN)
}

/// The letters of the alphabet, and all else.
const FIRST_LETTERS: usize = 27;

/// Where the elements begin that begin with each letter.
static BEGINNINGS: [usize; FIRST_LETTERS + 1] = {
    let mut beginnings = [ELEMENTS.len(); FIRST_LETTERS + 1];
    let (mut letter, mut at) = (0, 0);
    while letter < FIRST_LETTERS - 1 {
        while at < ELEMENTS.len() && ELEMENTS[at].name.as_bytes()[0] < b'a' + letter as u8 {
            at += 1;
        }
        beginnings[letter] = at;
        letter += 1;
    }
    beginnings
};

/// The full parser, with the same lists. Values are left to [`super::value`], which sees everything after it.
pub(super) static FULL_PARSER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    let kept = || ELEMENTS.iter().filter(|element| element.kept);
    builder
        .tags(kept().map(|element| element.name).collect())
        .clean_content_tags(DROPPED_WITH_CONTENT.into())
        .generic_attributes(EVERYWHERE.iter().map(|(name, _)| *name).collect())
        .tag_attributes(kept().map(|element| (element.name, names_of(element))).collect())
        .url_schemes(["http", "https", "mailto", "tel", "cid"].into())
        .url_relative(UrlRelative::PassThrough)
        .link_rel(None);
    builder
});

fn names_of(element: &Element) -> HashSet<&'static str> {
    element.attributes.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_found_in_any_case() {
        assert!(ELEMENTS.is_sorted_by(|one, other| one.name < other.name));
        assert_eq!((element("TabLe").name, element("o:p").name, element("blockquoteblockquote").name), ("table", "", ""));
        for element in &ELEMENTS {
            assert!(!element.kept || !matches!(element.kind, Kind::Unusual | Kind::RawText | Kind::Page), "{}", element.name);
        }
    }

    #[test]
    fn what_runs_loads_or_submits_is_not_in_the_list() {
        for name in
            ["audio", "button", "embed", "form", "frame", "iframe", "input", "link", "math", "meta", "object", "script", "style", "svg", "video"]
        {
            assert!(!element(name).kept, "{name}");
        }
        let attributes: Vec<&str> = ELEMENTS.iter().flat_map(|element| element.attributes).chain(&EVERYWHERE).map(|(name, _)| *name).collect();
        for name in ["id", "name", "class", "target", "srcset", "background", "poster", "ping", "formaction", "usemap", "onload", "action"] {
            assert!(!attributes.contains(&name), "{name}");
        }
    }
}
