//! HTML of strangers, made safe to show: an allow-list run to a fixpoint, nothing that runs, submits or loads from afar.

use std::{borrow::Cow, sync::LazyLock};

use ammonia::{Builder, UrlRelative};

use super::plain;

/// Bytes of HTML that are cleaned as HTML. What is longer is shown as text.
pub const HTML_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of HTML whose text is shown instead. The rest is dropped; the mail itself has it.
pub const STRIPPED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Passes until a further one changes nothing. HTML that still changes is shown as text: it was made to confuse.
pub const PASSES_MAX: usize = 4;

/// Formatting elements that may be open at once, times the tags they could be repeated for: a parser that follows the HTML standard reopens every
/// open one in each new block, so this bounds what a crafted mail may grow to.
pub const REOPENED_MAX: usize = 1_000_000;

/// Elements open at once; the same bound that browsers have.
pub const DEPTH_MAX: usize = 512;

const LINK_SCHEMES: [&str; 5] = ["http", "https", "mailto", "tel", "cid"];

/// Elements whose whole content goes, because it is no text for people.
const DROPPED_WITH_CONTENT: [&str; 14] =
    ["script", "style", "title", "head", "template", "noscript", "iframe", "object", "noembed", "noframes", "svg", "math", "select", "textarea"];

/// Safe inside a sandboxed page. Images load from `cid:` alone; a remote one keeps its address as its title.
pub fn clean(html: &str) -> String {
    if html.len() > HTML_BYTES_MAX || !plain::is_modest(html, DEPTH_MAX, REOPENED_MAX) {
        return text_only(html);
    }
    let first = WITH_REMOTE_IMAGES.clean(html).to_string();
    let mut cleaned = name_remote_images(&first);
    for _ in 0..PASSES_MAX {
        let again = STRICT.clean(&cleaned).to_string();
        if again == cleaned {
            return cleaned;
        }
        cleaned = again;
    }
    text_only(html)
}

/// The words alone, as HTML.
pub fn text_only(html: &str) -> String {
    format!("<pre>{}</pre>", escape(&plain::strip_tags(&html[..html.floor_char_boundary(STRIPPED_BYTES_MAX)])))
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

static STRICT: LazyLock<Builder<'static>> = LazyLock::new(|| builder(|source| source.starts_with("cid:")));

/// The first pass leaves remote image addresses in place so that they can be named; it is never the last.
static WITH_REMOTE_IMAGES: LazyLock<Builder<'static>> = LazyLock::new(|| builder(|_| true));

fn builder(is_image_source: impl Fn(&str) -> bool + Send + Sync + 'static) -> Builder<'static> {
    let mut builder = Builder::default();
    builder
        .rm_tags(["area", "map"])
        .add_tags(["font"])
        // A list that begins near the end of the integers overflows whoever counts on.
        .rm_tag_attributes("ol", ["start"])
        .add_tag_attributes("font", ["color", "face", "size"])
        .add_tag_attributes("table", ["border", "cellpadding", "cellspacing", "width"])
        .add_tag_attributes("td", ["valign", "width"])
        .rm_tags(DROPPED_WITH_CONTENT)
        .add_clean_content_tags(DROPPED_WITH_CONTENT)
        .url_schemes(LINK_SCHEMES.into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .attribute_filter(move |element, attribute, value| filter(element, attribute, value, &is_image_source));
    builder
}

fn filter<'u>(element: &str, attribute: &str, value: &'u str, is_image_source: &impl Fn(&str) -> bool) -> Option<Cow<'u, str>> {
    let allowed = match (element, attribute) {
        ("img", "src") => is_image_source(value),
        (_, "href") => !value.trim_start().get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("cid:")),
        // Addresses that nobody sees and nothing needs.
        (_, "cite") => false,
        _ => true,
    };
    allowed.then_some(Cow::Borrowed(value))
}

/// In the sanitizer's own output, where attributes are always double-quoted: `src="https://..."` of an image becomes its title.
fn name_remote_images(html: &str) -> String {
    let mut named = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find("<img ") {
        let (before, tag) = rest.split_at(at);
        let end = tag_end(tag);
        named.push_str(before);
        named.push_str(&name_remote_image(&tag[..end]));
        rest = &tag[end..];
    }
    named.push_str(rest);
    named
}

fn name_remote_image(tag: &str) -> String {
    let Some((before, after)) = tag.split_once(" src=\"") else { return tag.to_owned() };
    let Some((source, after)) = after.split_once('"') else { return tag.to_owned() };
    if source.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("cid:")) {
        // Canonical, so that the strict pass finds it by its first letters.
        return format!("{before} src=\"cid:{}\"{after}", &source[4..]);
    }
    // The first of two titles counts.
    format!("<img title=\"not loaded: {source}\"{}{after}", before.strip_prefix("<img").unwrap_or_default())
}

/// One past the `>` that is not inside quotes.
fn tag_end(tag: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in tag.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at + 1,
            _ => {}
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_runs_submits_or_loads_is_left() {
        for dangerous in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\" java\nscript:alert(1)\">x</a>",
            "<a href=\"data:text/html,x\">x</a>",
            "<form action=https://a.example><input name=p><button>go</button></form>",
            "<iframe src=https://a.example></iframe>",
            "<link rel=stylesheet href=https://a.example/x.css>",
            "<style>@import 'https://a.example/x.css'</style>",
            "<div style=\"background:url(https://a.example/x.png)\">x</div>",
            "<table background=https://a.example/x.png><tr><td>x</table>",
            "<svg><script>alert(1)</script></svg>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<meta http-equiv=refresh content='0;url=https://a.example'>",
            "<base href=https://a.example>",
            "<video src=https://a.example/x></video><img srcset='https://a.example/x 2x'>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        ] {
            let cleaned = clean(dangerous).to_ascii_lowercase();
            for word in [
                "script",
                "onerror",
                "<form",
                "<input",
                "<iframe",
                "<link",
                "style",
                "url(",
                "src=",
                "srcset",
                "<meta",
                "<base",
                "background",
                "data:",
            ] {
                assert!(!cleaned.contains(word), "{dangerous} became {cleaned}");
            }
        }
    }

    #[test]
    fn a_remote_image_is_named_and_an_inline_image_stays() {
        assert_eq!(
            clean("<img alt=\"a\" title='old' src=\"https://a.example/p.png?a=1&b=2\">"),
            "<img title=\"not loaded: https://a.example/p.png?a=1&amp;b=2\" alt=\"a\">"
        );
        assert_eq!(clean("<img src=\"CID:logo@a\" width=\"10\">"), "<img src=\"cid:logo@a\" width=\"10\">");
        assert_eq!(clean("<img alt='a > <img src=\"https://b.example\"' src='https://a.example/'>").matches("src=\"").count(), 0);
    }

    #[test]
    fn a_link_keeps_its_address_and_tells_nobody_where_it_came_from() {
        assert_eq!(clean("<a href=\"https://a.example/\">x</a>"), "<a href=\"https://a.example/\" rel=\"noopener noreferrer nofollow\">x</a>");
        for refused in ["/relative", "//host.example/", "cid:x", "ftp://a.example/", "file:///etc/passwd"] {
            assert!(!clean(&format!("<a href=\"{refused}\">x</a>")).contains("href"), "{refused}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_shown_as_text() {
        for excessive in [
            "<b>x</b>".repeat(HTML_BYTES_MAX),
            "<div>x".repeat(DEPTH_MAX + 1),
            (0..500).map(|n| format!("<b a={n}>")).collect::<String>() + &"<p>x".repeat(5_000),
        ] {
            let cleaned = clean(&excessive);
            assert!(cleaned.starts_with("<pre>") && cleaned.ends_with("x</pre>"), "{}", &cleaned[..40]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_clean_stays_as_it_is(html in "(<[a-z!/]{0,8}( [a-z]{1,6}=[\"'a-z:/<>]{0,12})?>?|[a-z &;<>\"-]{0,6}){0,24}") {
            let cleaned = clean(&html);
            prop_assert_eq!(clean(&cleaned), cleaned);
        }
    }
}
