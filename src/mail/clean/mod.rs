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
    let html = if memchr::memchr(b'\0', html.as_bytes()).is_some() { Cow::Owned(html.replace('\0', "")) } else { Cow::Borrowed(html) };
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::limits::STRIPPED_BYTES_MAX;

    fn html_of(html: &str) -> String {
        clean(html).html
    }

    #[test]
    fn a_remote_image_is_named_and_an_inline_image_stays() {
        let cleaned = clean("<img alt=\"a\" title='old' src=\"https://a.example/p.png?a=1&b=2\">");
        assert_eq!(cleaned.html, "<img alt=\"a\" title=\"not loaded: https://a.example/p.png?a=1&amp;b=2\">");
        assert_eq!(cleaned.remote_images, 1);
        assert_eq!(clean("<img src=\"CID:logo@a\" width=\"10\">").html, "<img src=\"cid:logo@a\" width=\"10\">");
        assert_eq!(clean("<img src=data:image/png;base64,x><td background='//a.example/x.png'>").remote_images, 0);
        assert_eq!(clean("<table background='//a.example/x.png'><tr><td>x</table>").remote_images, 1);
    }

    #[test]
    fn a_link_keeps_its_address_and_tells_nobody_where_it_came_from() {
        assert_eq!(
            html_of("<a href=\"https://a.example/\" target=_top>x</a>"),
            "<a href=\"https://a.example/\" rel=\"noopener noreferrer nofollow\">x</a>"
        );
    }

    #[test]
    fn what_an_honest_mail_needs_stays() {
        for html in [
            "<p style=\"color:#1F497D;margin:0 0 8pt 0\">a<br>b</p>",
            "<table bgcolor=\"#ffffff\" border=\"0\" width=\"100%\"><tbody><tr><td colspan=\"2\" width=\"50\">a</td></tr></tbody></table>",
            "<ul><li>a</li><li>b<ol start=\"3\"><li>c</li></ol></li></ul>",
            "<font color=\"red\" size=\"+1\">a</font>",
            "<pre>a\n  b</pre>",
            "<p>\"Yes\", he said</p>",
            "<blockquote><div>a&nbsp;&lt;b&gt; &amp; c</div></blockquote>",
            "<p dir=\"rtl\" lang=\"he\">שלום</p>",
        ] {
            assert_eq!(html_of(html), html);
        }
    }

    #[test]
    fn ends_that_people_leave_out_are_supplied() {
        for (html, expected) in [
            ("<html><head><title>t</title><style>p{}</style></head><body>a</body></html>", "a"),
            ("<!--[if mso]><b><![endif]--><![if !mso]>a<![endif]>", "a"),
            ("<p>a<p>b<div>c", "<p>a</p><p>b</p><div>c</div>"),
            ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
            ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
            ("<table><tr><td>a<td><b>b<tr><td>c</table>d", "<table><tbody><tr><td>a</td><td><b>b</b></td></tr><tr><td>c</td></tr></tbody></table>d"),
            ("a</p>b</div></span>", "a<p></p>b"),
            ("<p>a<table><td>b", "<p>a</p><table><tbody><tr><td>b</td></tr></tbody></table>"),
            ("<h1>a<h2>b</h1>c", "<h1>a</h1><h2>b</h2>c"),
            ("<o:p>a</o:p><b></br>b</b>", "a<b><br>b</b>"),
            ("<pre>\n\n\na</pre>", "<pre>a</pre>"),
            ("\u{feff}\u{feff}a", "a"),
            ("<p>a\r\nb\rc</p>", "<p>a\nb\nc</p>"),
        ] {
            assert_eq!(html_of(html), expected, "{html}");
            assert!(in_one_pass(html).is_ok(), "{html}");
        }
    }

    #[test]
    fn what_a_parser_rearranges_is_rearranged() {
        for (html, expected) in [
            ("<b><i>a</b>b</i>", "<b><i>a</i></b><i>b</i>"),
            ("<p><b>a</p>b", "<p><b>a</b></p><b>b</b>"),
            ("<table>a<tr><td>b</table>", "a<table><tbody><tr><td>b</td></tr></tbody></table>"),
            ("<svg><p>a</p></svg>b<form>c</form>", "<p>a</p>bc"),
        ] {
            assert_eq!(html_of(html), expected, "{html}");
            assert_eq!(in_one_pass(html), Err(Unfit::Irregular), "{html}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_shown_as_text() {
        for excessive in [
            "<b>x</b>".repeat(HTML_BYTES_MAX),
            "<div>x".repeat(tree::DEPTH_MAX + 1),
            format!("<p>{}</p>{}", (0..500).map(|number| format!("<b a={number}>")).collect::<String>(), "<p>x".repeat(5_000)),
            "<b><p></b>".repeat(60_000) + "x",
            "&amp;\u{a0}\r".repeat(STRIPPED_BYTES_MAX / 8) + "x",
        ] {
            let cleaned = clean(&excessive);
            assert_eq!(clean(&cleaned.html), Cleaned { as_text: false, ..cleaned.clone() });
            assert!(cleaned.as_text && cleaned.html.ends_with("</pre>"), "{}", &cleaned.html[..40]);
        }
    }

    /// What is refused, looked for in what another parser makes of the cleaned HTML.
    fn faults(cleaned: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (namespace, name, attributes) in cost::elements(cleaned) {
            if namespace != "http://www.w3.org/1999/xhtml" || !policy::element(&name).kept {
                faults.push(format!("<{name}> of {namespace}"));
            }
            for (attribute, value) in attributes {
                let value = value.to_ascii_lowercase();
                let is_refused = match attribute.as_str() {
                    "href" => !["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| value.starts_with(scheme)),
                    "src" => name != "img" || !value.starts_with("cid:"),
                    "style" => ["url", "(//", "\\", "/*", "@", "expression", "position", "behavior", "binding", "calc", "var(", "-1"]
                        .iter()
                        .any(|word| value.contains(word)),
                    "rel" => value != "noopener noreferrer nofollow",
                    "title" | "alt" => value.contains('\u{202e}'),
                    "align" | "bgcolor" | "border" | "cellpadding" | "cellspacing" | "clear" | "color" | "colspan" | "dir" | "face" | "height"
                    | "hspace" | "lang" | "noshade" | "nowrap" | "rowspan" | "size" | "span" | "start" | "type" | "valign" | "value" | "vspace"
                    | "width" => value.contains([':', '(', '<', ';']),
                    _ => true,
                };
                if is_refused {
                    faults.push(format!("<{name} {attribute}={value:?}>"));
                }
            }
        }
        faults
    }

    /// Tricks that have broken cleaners, each of one kind.
    const HOSTILE: [&str; 44] = [
        "<script>alert(1)</script>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<img src=x onerror=alert(1)>",
        "<img src=`x`onerror=alert(1)>",
        "<img/src='x'/onerror=alert(1)//",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<svg></p><style><a title=\"</style><img src=x onerror=alert(1)>\">",
        "<svg><foreignObject><iframe srcdoc=x></foreignObject></svg>",
        "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
        "<svg><animate attributeName=href values=javascript:alert(1) /><use href=data:x#y>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
        "<math><annotation-xml encoding=text/html><p><style></math><img src=x onerror=alert(1)>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<template><script>alert(1)</script></template>",
        "<select><template><img src=x onerror=alert(1)></template></select>",
        "<select><option><style></option></select><img src=x onerror=alert(1)></style>",
        "<table><svg><td><style></table><img src=x onerror=alert(1)>",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\">",
        "<textarea><p title=\"</textarea><img src=x onerror=alert(1)>\">",
        "<plaintext><img src=x onerror=alert(1)>",
        "<listing>&lt;img src=x onerror=alert(1)&gt;</listing>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<!--[if IE]><script>alert(1)</script><![endif]--><![if !mso]><base href=//a.example/><![endif]>",
        "<![CDATA[<img src=x onerror=alert(1)>]]>",
        "<?xml-stylesheet href=\"javascript:alert(1)\"?>",
        "<a href=\"&#106;ava&#x73;cript&colon;alert(1)\">x</a><a href=\" java\nscript:x\">x</a><a href=\"\u{1}javascript:x\">x</a>",
        "<a href=\"vbscript:x\">x</a><a href=\"data:text/html,x\" ping=//a.example/ target=_top>x</a><a href=//a.example/>x</a>",
        "<form action=//a.example/><input name=p formaction=javascript:x><button formaction=//a.example/>go</button></form>",
        "<iframe src=//a.example/></iframe><frameset><frame src=//a.example/></frameset><embed src=//a.example/><object data=//a.example/>",
        "<link rel=stylesheet href=//a.example/x.css><meta http-equiv=refresh content='0;url=//a.example/'><base href=//a.example/>",
        "<style>@import '//a.example/x.css';p{background:url(//a.example/)}</style>",
        "<p style=\"background:url(//a.example/x.png);list-style:u\\72 l(x);width:expression(alert(1));behavior:url(x)\">x</p>",
        "<div style=\"position:fixed;top:0;left:0;width:100%;height:100%;margin:-1px;background:white;color:red/*;*/:x\">x</div>",
        "<table background=//a.example/x.png><tr><td background=//a.example/>x</table><body background=//a.example/ onload=x>",
        "<img srcset='//a.example/x 2x' lowsrc=//a.example/ dynsrc=//a.example/ usemap=#x><map name=x><area href=//a.example/></map>",
        "<video src=//a.example/ poster=//a.example/><source src=//a.example/></video><audio src=//a.example/ autoplay><track src=x>",
        "<img name=getElementById id=body src=\"cid:x\\&quot; onerror=x\"><img src=cid:a@b.example><a id=location name=cookie>x</a>",
        "<p title=\"&lt;/p&gt;&lt;script&gt;\" \u{202e}onclick=x>x</p><img alt=\"\u{202e}gpj.exe\"><p x=<b>y>z",
        "<marquee onstart=alert(1)>x</marquee><details ontoggle=x open>y</details><bdo dir=rtl>exe</bdo><keygen autofocus onfocus=x>",
        "<a><table><a><table><a href=javascript:x>y",
        "<p\u{0} style\u{0}=x onclick\u{0}=x>x<\u{0}script>alert(1)</\u{0}script>",
    ];

    #[test]
    fn nothing_hostile_is_left() {
        for hostile in HOSTILE {
            for html in [hostile.to_owned(), format!("<table><tr><td>{hostile}"), format!("<svg><desc>{hostile}"), format!("<select>{hostile}<p>")] {
                let cleaned = html_of(&html);
                assert_eq!(faults(&cleaned), Vec::<String>::new(), "{html} became {cleaned}");
                assert_eq!(html_of(&cleaned), cleaned, "{html}");
            }
        }
    }

    /// Pieces from which hostile and sloppy HTML is made.
    fn fragment() -> impl Strategy<Value = String> {
        let names = "(a|b|i|p|div|span|li|ul|ol|dl|dd|dt|h1|h2|table|tr|td|th|tbody|thead|caption|colgroup|col|pre|br|hr|img|font|nobr|form|select|option|svg|math|mtext|mglyph|template|noscript|style|script|title|textarea|xmp|plaintext|iframe|foreignObject|desc|annotation-xml|button|o:p|meta|base|link|body|html|head|center|blockquote|marquee|object|ruby|rt)";
        let attributes = "( (href|src|style|title|id|onerror|background|srcset|width|align|color)=(\"[a-z:/<>&;#0-9 -]{0,14}\"|'x'|javascript:x|//a\\.example/x|cid:x|https://a\\.example))?";
        prop_oneof![
            6 => prop::string::string_regex(&format!("<{names}{attributes}/?>")).unwrap(),
            4 => prop::string::string_regex(&format!("</{names}>")).unwrap(),
            2 => "[a-z \n\t]{0,5}",
            1 => "(&nbsp;|&lt;|&#[0-9x]{1,4};?|&amp|&not|<|>|\"|'|=|/|\r|\u{feff}|\u{a0}|é)",
            2 => prop::sample::select(&HOSTILE).prop_map(str::to_owned),
            1 => "(<!--|-->|--!>|<!\\[CDATA\\[|\\]\\]>|<!doctype html>|<\\?xml>|</>|<!--\\[if mso\\]>)",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn what_is_clean_stays_as_it_is(pieces in prop::collection::vec(fragment(), 0..24)) {
            let html = pieces.concat();
            let once = html_of(&html);
            let again = clean(&once);
            prop_assert_eq!(&again.html, &once, "{}", html);
            prop_assert_eq!(again.remote_images, 0);
            prop_assert_eq!(faults(&once), Vec::<String>::new(), "{}", html);
        }

        #[test]
        fn one_pass_makes_what_the_full_parser_makes(pieces in prop::collection::vec(fragment(), 0..24)) {
            let html = pieces.concat().replace('\0', "");
            // Names of other languages: the full parser drops them with their content, wherever they stand.
            let is_foreign = ["mtext", "mglyph", "desc", "foreignObject", "annotation-xml", "<mi", "<text", "<animate", "<use"].iter().any(|name| html.contains(name));
            if let Some(cleaned) = in_one_pass(&html).ok().filter(|_| !is_foreign) {
                prop_assert_eq!(by_full_parser(&html).unwrap().html, cleaned.html, "{}", html);
            }
        }
    }
}
