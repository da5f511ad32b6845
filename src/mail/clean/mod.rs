//! HTML of strangers, made safe to show: nothing that runs, submits or loads from afar, and nothing that lies over something else.
//!
//! All of it is written by one writer from one allow-list. Ordinary HTML takes one pass; what a parser would rearrange goes through the full parser first
//! and then through the same pass. What has been written stays the same when it is cleaned again.

mod cost;
pub(super) mod entity;
mod policy;
mod style;
pub(super) mod tokens;
mod tree;
mod value;
mod write;

use std::borrow::Cow;

use super::plain;
use tree::Unfit;

/// Bytes of HTML that are cleaned as HTML. What is longer is shown as text.
pub const HTML_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of HTML whose text is shown instead. The rest is dropped; the mail itself has it.
pub const STRIPPED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Passes of the full parser until its HTML needs no rearranging. HTML that still does is shown as text: it was made to confuse.
pub const PASSES_MAX: usize = 4;

/// Elements that the full parser may make, those included that it makes of its own accord. Newsletters have a few
/// thousand; each takes some 400 bytes until the mail is read.
pub const ELEMENTS_MAX: usize = 25_000;

/// How often the full parser may look at an open element, for each byte of HTML; ordinary HTML stays under ten.
pub const LOOKS_PER_BYTE_MAX: usize = 40;

/// HTML that is safe inside a sandboxed page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    pub html: String,
    /// Images elsewhere, which nobody loads; the address of each is its title.
    pub remote_images: usize,
    /// It was too large or too tangled: these are its words.
    pub as_text: bool,
}

pub fn clean(html: &str) -> Cleaned {
    // A NUL has no meaning in HTML, and each parser another opinion of it.
    let html = if html.contains('\0') { Cow::Owned(html.replace('\0', "")) } else { Cow::Borrowed(html) };
    let cleaned = match in_one_pass(&html) {
        Err(Unfit::Irregular) => by_full_parser(&html),
        cleaned => cleaned,
    };
    cleaned.unwrap_or_else(|_| Cleaned { html: text_only(&html), remote_images: 0, as_text: true })
}

/// The words alone, as HTML that stays as it is too.
pub fn text_only(html: &str) -> String {
    let words = plain::page(html).text();
    let mut shown = format!("<pre>{}</pre>", escape(&words));
    let mut most = HTML_BYTES_MAX;
    // Escaping makes six bytes of one at most, so three turns are enough.
    while shown.len() > HTML_BYTES_MAX {
        shown = format!("<pre>{}</pre>", escape(&words[..words.floor_char_boundary(most)]));
        most /= 2;
    }
    // There is nothing in it that could be irregular.
    tree::clean(&shown).unwrap_or_default().0
}

/// Text as HTML that shows it.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    write::escape(&mut html, text);
    html
}

fn in_one_pass(html: &str) -> Result<Cleaned, Unfit> {
    if html.len() > HTML_BYTES_MAX {
        return Err(Unfit::TooLarge);
    }
    tree::clean(html).map(|(html, remote_images)| Cleaned { html, remote_images, as_text: false })
}

fn by_full_parser(html: &str) -> Result<Cleaned, Unfit> {
    let mut html = Cow::Borrowed(html);
    for _ in 0..PASSES_MAX {
        if !cost::is_modest(&html, ELEMENTS_MAX, LOOKS_PER_BYTE_MAX * html.len()) {
            return Err(Unfit::TooLarge);
        }
        html = Cow::Owned(policy::FULL_PARSER.clean(&html).to_string());
        match in_one_pass(&html) {
            Err(Unfit::Irregular) => {}
            cleaned => return cleaned,
        }
    }
    Err(Unfit::Irregular)
}

#[cfg(test)]
mod tests;
