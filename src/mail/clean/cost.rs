//! What the full parser would do with HTML, counted by a parser that builds nothing: a crafted mail can make it open thousands of elements anew for each of
//! its tags, or walk through as many.

use std::{borrow::Cow, cell::Cell, rc::Rc};

use html5ever::{
    Attribute, ExpandedName, ParseOpts, Parser, QualName,
    interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
    local_name, ns, parse_fragment,
    tendril::{StrTendril, TendrilSink},
};

/// Bytes that are parsed between two looks at the counts.
const STEP_BYTES: usize = 2 * 1024;

/// Whether a parser makes no more than so many elements, and looks at no more than so many open ones.
pub(super) fn is_modest(html: &str, elements_max: usize, looks_max: usize) -> bool {
    let (elements, looks) = (Cell::new(0), Cell::new(0));
    let mut parser = parser(Watcher { on_element: |_: &QualName, _: &[Attribute]| count(&elements), on_look: || count(&looks) });
    let mut rest = html;
    while !rest.is_empty() {
        let (step, after) = rest.split_at(rest.floor_char_boundary(STEP_BYTES));
        parser.process(StrTendril::from_slice(step));
        if elements.get() > elements_max || looks.get() > looks_max {
            return false;
        }
        rest = after;
    }
    true
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

/// A parser of what stands in the middle of a page.
fn parser<E: Fn(&QualName, &[Attribute]), L: Fn()>(watcher: Watcher<E, L>) -> Parser<Watcher<E, L>> {
    let context = QualName::new(None, ns!(html), local_name!("div"));
    parse_fragment(watcher, ParseOpts::default(), context, Vec::new(), false)
}

/// What is told of a parser's work, and builds nothing.
struct Watcher<E, L> {
    on_element: E,
    on_look: L,
}

fn no_element() -> Rc<QualName> {
    Rc::new(QualName::new(None, ns!(), local_name!("")))
}

impl<E: Fn(&QualName, &[Attribute]), L: Fn()> TreeSink for Watcher<E, L> {
    type Handle = Rc<QualName>;
    type Output = ();
    type ElemName<'a>
        = ExpandedName<'a>
    where
        Self: 'a;

    fn elem_name<'a>(&'a self, target: &'a Rc<QualName>) -> ExpandedName<'a> {
        (self.on_look)();
        target.expanded()
    }

    fn same_node(&self, one: &Rc<QualName>, other: &Rc<QualName>) -> bool {
        (self.on_look)();
        Rc::ptr_eq(one, other)
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Rc<QualName> {
        (self.on_element)(&name, &attributes);
        Rc::new(name)
    }

    fn get_document(&self) -> Rc<QualName> {
        no_element()
    }

    fn create_comment(&self, _: StrTendril) -> Rc<QualName> {
        no_element()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Rc<QualName> {
        no_element()
    }

    fn get_template_contents(&self, target: &Rc<QualName>) -> Rc<QualName> {
        target.clone()
    }

    fn finish(self) {}
    fn parse_error(&self, _: Cow<'static, str>) {}
    fn append(&self, _: &Rc<QualName>, _: NodeOrText<Rc<QualName>>) {}
    fn append_based_on_parent_node(&self, _: &Rc<QualName>, _: &Rc<QualName>, _: NodeOrText<Rc<QualName>>) {}
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn append_before_sibling(&self, _: &Rc<QualName>, _: NodeOrText<Rc<QualName>>) {}
    fn add_attrs_if_missing(&self, _: &Rc<QualName>, _: Vec<Attribute>) {}
    fn remove_from_parent(&self, _: &Rc<QualName>) {}
    fn reparent_children(&self, _: &Rc<QualName>, _: &Rc<QualName>) {}
}

/// An element for tests: namespace, name, attributes.
#[cfg(test)]
pub(super) type Seen = (String, String, Vec<(String, String)>);

/// Every element that a parser makes of HTML.
#[cfg(test)]
pub(super) fn elements(html: &str) -> Vec<Seen> {
    let made = std::cell::RefCell::new(Vec::new());
    let see = |name: &QualName, attributes: &[Attribute]| {
        let attributes = attributes.iter().map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string())).collect();
        made.borrow_mut().push((name.ns.to_string(), name.local.to_string(), attributes));
    };
    parser(Watcher { on_element: see, on_look: || () }).one(StrTendril::from_slice(html));
    // The first two are what stands around it.
    made.into_inner().split_off(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_that_grows_or_nests_without_bound_is_not_modest() {
        for (case, excessive) in [
            "<div></x>".repeat(20_000),
            "<b><!-- </b> -->".repeat(60_000),
            format!("<p>{}</p>{}", (0..500).map(|number| format!("<b a={number}>")).collect::<String>(), "<p>x".repeat(5_000)),
        ]
        .iter()
        .enumerate()
        {
            assert!(!is_modest(excessive, 50_000, 40 * excessive.len()), "{case}");
        }
        let ordinary = "<table><tr><td><p><b>x</b><br>y<img></td></tr></table>".repeat(1_000);
        assert!(is_modest(&ordinary, 50_000, 40 * ordinary.len()));
    }
}
