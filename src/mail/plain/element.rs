//! The elements of HTML that shape the lines of a page.

/// What an element does to the lines of a page.
pub(super) struct Element {
    pub(super) name: &'static str,
    /// Elements whose nesting matters, from those that hold words to those that hold everything: an end tag closes nothing of a higher rank.
    pub(super) rank: Option<u8>,
    /// It begins and ends a line.
    pub(super) block: bool,
    /// An empty line stands before and after it.
    pub(super) spaced: bool,
}

pub(super) const PARAGRAPH_RANK: u8 = 1;

const fn element(name: &'static str, rank: Option<u8>, block: bool, spaced: bool) -> Element {
    Element { name, rank, block, spaced }
}

pub(super) const ELEMENTS: [Element; 52] = [
    element("p", Some(PARAGRAPH_RANK), true, true),
    element("span", Some(0), false, false),
    element("div", Some(2), true, false),
    element("br", None, false, false),
    element("b", Some(0), false, false),
    element("font", Some(0), false, false),
    element("a", Some(0), false, false),
    element("td", Some(3), false, false),
    element("tr", None, true, false),
    element("table", Some(3), true, false),
    element("th", Some(3), false, false),
    element("img", None, false, false),
    element("i", Some(0), false, false),
    element("strong", Some(0), false, false),
    element("em", Some(0), false, false),
    element("li", None, true, false),
    element("ul", Some(2), true, true),
    element("ol", Some(2), true, true),
    element("blockquote", Some(2), true, true),
    element("pre", Some(2), true, false),
    element("hr", None, true, false),
    element("h1", None, true, true),
    element("h2", None, true, true),
    element("h3", None, true, true),
    element("h4", None, true, true),
    element("h5", None, true, true),
    element("h6", None, true, true),
    element("section", Some(2), true, false),
    element("article", Some(2), true, false),
    element("center", Some(2), true, false),
    element("quote", Some(2), true, false),
    element("main", Some(2), true, false),
    element("aside", Some(2), true, false),
    element("header", Some(2), true, false),
    element("footer", Some(2), true, false),
    element("form", Some(2), true, false),
    element("fieldset", Some(2), true, false),
    element("address", Some(2), true, false),
    element("dl", Some(2), true, true),
    element("dt", None, true, false),
    element("dd", None, true, false),
    element("body", None, true, false),
    element("caption", None, true, false),
    element("figure", Some(2), true, false),
    element("figcaption", None, true, false),
    element("details", Some(2), true, false),
    element("summary", None, true, false),
    element("svg", Some(2), false, false),
    element("math", Some(2), false, false),
    element("xml", Some(2), false, false),
    element("template", Some(2), false, false),
    element("select", Some(2), false, false),
];

pub(super) const HIDDEN: [&str; 5] = ["svg", "math", "xml", "template", "select"];

pub(super) fn index_of(name: &str) -> Option<usize> {
    ELEMENTS.iter().position(|known| known.name.eq_ignore_ascii_case(name))
}
