//! Any bytes as HTML: what comes out is judged by a parser and by a cleaner that are not ours.

#![no_main]

use std::{borrow::Cow, cell::RefCell, collections::HashSet, rc::Rc};

use ammonia::{Builder, UrlRelative};
use helpdesk::mail::clean::{HTML_BYTES_MAX, clean};
use html5ever::{
    Attribute, ExpandedName, ParseOpts, QualName,
    interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
    local_name, ns, parse_fragment,
    tendril::{StrTendril, TendrilSink},
};
use libfuzzer_sys::fuzz_target;

#[rustfmt::skip]
const REFUSED_ELEMENTS: [&str; 28] = [
    "applet", "area", "audio", "base", "bdo", "button", "embed", "form", "frame", "frameset", "iframe", "input", "link", "map", "marquee", "math",
    "meta", "noscript", "object", "option", "plaintext", "script", "select", "style", "svg", "template", "textarea", "video",
];

const REFUSED_ATTRIBUTES: [&str; 13] =
    ["action", "background", "class", "formaction", "id", "name", "ping", "poster", "srcdoc", "srcset", "target", "usemap", "xlink:href"];

fuzz_target!(|bytes: &[u8]| {
    let html = String::from_utf8_lossy(bytes);
    let cleaned = clean(&html);
    assert!(cleaned.html.len() <= 64 * html.len() + HTML_BYTES_MAX, "{} bytes became {}", html.len(), cleaned.html.len());
    let again = clean(&cleaned.html);
    assert!(again.html == cleaned.html && again.remote_images == 0 && !again.as_text, "{:?} became {:?}", cleaned.html, again.html);
    let elements = Elements::default();
    let made = elements.0.clone();
    let context = QualName::new(None, ns!(html), local_name!("div"));
    parse_fragment(elements, ParseOpts::default(), context, Vec::new(), false).one(StrTendril::from_slice(&cleaned.html));
    let made = made.borrow();
    made.iter().skip(2).for_each(|(name, attributes)| is_refused_nowhere(name, attributes));
    is_read_as_written(&cleaned.html, &made);
});

fn is_refused_nowhere(name: &QualName, attributes: &[Attribute]) {
    assert!(name.ns == ns!(html) && !REFUSED_ELEMENTS.contains(&&*name.local), "{name:?}");
    for attribute in attributes {
        let (known, value) = (&*attribute.name.local, attribute.value.to_ascii_lowercase());
        assert!(!known.starts_with("on") && !REFUSED_ATTRIBUTES.contains(&known), "{known}");
        let is_harmless = match known {
            "href" => ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| value.starts_with(scheme)),
            "src" => value.starts_with("cid:") && &*name.local == "img",
            "style" => !["url", "\\", "/*", "@", "expression", "position", "var(", "calc", "<"].iter().any(|word| value.contains(word)),
            _ => true,
        };
        assert!(is_harmless, "{known}={value:?}");
    }
}

/// A parser finds nothing to rearrange: with everything allowed, the full parser writes what it has read.
fn is_read_as_written(html: &str, made: &[(QualName, Vec<Attribute>)]) {
    let names: HashSet<&str> = made.iter().skip(2).map(|(name, _)| &*name.local).collect();
    let attributes: HashSet<&str> = made.iter().flat_map(|(_, attributes)| attributes).map(|attribute| &*attribute.name.local).collect();
    // That other cleaner has an opinion on addresses, which is not in question here.
    let html = html.replace(" href=\"", " hrex=\"").replace(" src=\"", " srx=\"");
    let mut builder = Builder::empty();
    builder.tags(names).clean_content_tags(HashSet::new()).tag_attributes(Default::default()).link_rel(None).url_relative(UrlRelative::PassThrough);
    builder.generic_attributes(attributes.into_iter().chain(["hrex", "srx"]).collect());
    // A double quote in a text needs no escape; ours writes texts and values alike.
    let without_quotes = |html: &str| html.replace("&quot;", "'").replace('"', "'");
    assert_eq!(without_quotes(&builder.clean(&html).to_string()), without_quotes(&html));
}

type Made = Rc<RefCell<Vec<(QualName, Vec<Attribute>)>>>;

/// Keeps the elements that a parser makes, in their order; the first two stand around all others.
#[derive(Default)]
struct Elements(Made);

fn no_element() -> Rc<QualName> {
    Rc::new(QualName::new(None, ns!(), local_name!("")))
}

impl TreeSink for Elements {
    type Handle = Rc<QualName>;
    type Output = ();
    type ElemName<'a> = ExpandedName<'a>;

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Rc<QualName> {
        self.0.borrow_mut().push((name.clone(), attributes));
        Rc::new(name)
    }
    fn elem_name<'a>(&'a self, target: &'a Rc<QualName>) -> ExpandedName<'a> {
        target.expanded()
    }
    fn same_node(&self, one: &Rc<QualName>, other: &Rc<QualName>) -> bool {
        Rc::ptr_eq(one, other)
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
