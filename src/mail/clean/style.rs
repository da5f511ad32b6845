//! The `style` attribute, declaration by declaration: properties of an allow-list, with values that can neither load nor overlay.
//!
//! Safe by its letters: an escape, a comment, or a function that is not a color's ends the declaration, and so there is no way to write an address.

/// Bytes of a `style` attribute that are read. The rest is dropped.
const STYLE_BYTES_MAX: usize = 4 * 1024;
/// Digits before the point of a length: nothing on a page is longer.
const LENGTH_DIGITS_MAX: usize = 4;
const FRACTION_DIGITS_MAX: usize = 6;
/// Bytes of a word of a value.
const WORD_BYTES_MAX: usize = 40;

const COLOR_FUNCTIONS: [&str; 4] = ["rgb", "rgba", "hsl", "hsla"];
const UNITS: [&str; 12] = ["", "%", "px", "pt", "em", "rem", "ex", "ch", "cm", "mm", "in", "pc"];

/// Bytes of the longest name of a property.
const PROPERTY_BYTES_MAX: usize = 24;

/// Nothing here moves a box away from its place. Sorted.
#[rustfmt::skip]
const PROPERTIES: [&str; 58] = [
    "background", "background-color", "border", "border-bottom", "border-collapse", "border-color",
    "border-left", "border-radius", "border-right", "border-spacing", "border-style", "border-top",
    "border-width", "caption-side", "clear", "color", "direction", "display",
    "empty-cells", "float", "font", "font-family", "font-size", "font-style",
    "font-variant", "font-weight", "height", "letter-spacing", "line-height", "list-style-type",
    "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
    "min-height", "min-width", "overflow-wrap", "padding", "padding-bottom", "padding-left", "padding-right",
    "padding-top", "table-layout", "text-align", "text-decoration", "text-decoration-color", "text-decoration-line",
    "text-decoration-style", "text-indent", "text-transform", "vertical-align", "white-space", "width",
    "word-break", "word-spacing", "word-wrap",
];

/// What `display` may be: not `none`, because a mail must show to its reader what it shows to machines.
const DISPLAYS: [&str; 9] = ["block", "inline", "inline-block", "inline-table", "list-item", "table", "table-cell", "table-row", "table-row-group"];

/// The declarations that may stay; `None` if there are none. Pictures and tables grow with what is in them. All else gets its height as its least,
/// lest its words flow out of it and over what follows the mail.
pub(super) fn allowed(style: &str, grows: bool) -> Option<String> {
    let style = &style[..style.floor_char_boundary(STYLE_BYTES_MAX)];
    let mut kept = String::with_capacity(style.len());
    for declaration in style.split(';') {
        let Some(colon) = memchr::memchr(b':', declaration.as_bytes()) else { continue };
        let (property, value) = (&declaration[..colon], declaration[colon + 1..].trim_ascii());
        let value = value.strip_suffix("!important").map_or(value, str::trim_ascii_end);
        if let Some(property) = known(property.trim_ascii())
            && is_harmless(property, value)
        {
            let property = if property == "height" && !grows { "min-height" } else { property };
            let separator = if kept.is_empty() { "" } else { ";" };
            kept.extend([separator, property, ":", value]);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

fn known(property: &str) -> Option<&'static str> {
    let mut lower = [0; PROPERTY_BYTES_MAX];
    let lower = lower.get_mut(..property.len())?;
    lower.copy_from_slice(property.as_bytes());
    lower.make_ascii_lowercase();
    let found = PROPERTIES.binary_search_by(|known| known.as_bytes().cmp(lower));
    found.ok().map(|at| PROPERTIES[at])
}

/// Letters of a font's name, in whatever language; quotes are single ones.
pub(super) fn is_font_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, ' ' | ',' | '-' | '_' | '.' | '\'')
}

fn is_harmless(property: &str, value: &str) -> bool {
    let words = || value.split([' ', '\t', '\n', '\r', '\x0c', ',', '/']).filter(|word| !word.is_empty());
    match property {
        _ if value.is_empty() => false,
        "font-family" => value.chars().all(is_font_letter) && quotes_close(value),
        "font" => quotes_close(value) && words().all(|word| is_number(word) || word.chars().all(is_font_letter)),
        "display" => DISPLAYS.iter().any(|known| known.eq_ignore_ascii_case(value)),
        _ => is_plain_value(value),
    }
}

fn quotes_close(value: &str) -> bool {
    value.bytes().filter(|byte| *byte == b'\'').count().is_multiple_of(2)
}

/// Words, numbers and colors alone; of functions only those that are colors written as numbers.
fn is_plain_value(value: &str) -> bool {
    let mut rest = value;
    while let Some(opens) = memchr::memchr(b'(', rest.as_bytes()) {
        let (before, after) = (&rest[..opens], &rest[opens + 1..]);
        let name_at = before.rfind(ends_word).map_or(0, |at| at + 1);
        let is_color = COLOR_FUNCTIONS.iter().any(|known| known.eq_ignore_ascii_case(&before[name_at..]));
        let Some((arguments, behind)) = after.split_once(')').filter(|_| is_color) else { return false };
        if !are_plain_words(&before[..name_at]) || !arguments.split([' ', ',', '/']).all(|word| word.is_empty() || is_number(word)) {
            return false;
        }
        rest = behind;
    }
    are_plain_words(rest)
}

fn are_plain_words(value: &str) -> bool {
    value.split(ends_word).all(is_plain_word)
}

fn ends_word(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0c' | ',')
}

pub(super) fn is_hex_color(value: &str) -> bool {
    let digits = value.strip_prefix('#').unwrap_or_default();
    matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_plain_word(word: &str) -> bool {
    match word.as_bytes() {
        [] => true,
        [b'0'..=b'9' | b'.', ..] => is_number(word),
        [b'#', ..] => is_hex_color(word),
        [b'a'..=b'z' | b'A'..=b'Z', ..] => word.len() <= WORD_BYTES_MAX && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
        _ => false,
    }
}

/// Never below zero: what a negative margin moves lies over something else.
fn is_number(word: &str) -> bool {
    let unit_at = word.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(word.len());
    let (number, unit) = word.split_at(unit_at);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    !number.is_empty()
        && number != "."
        && whole.len() <= LENGTH_DIGITS_MAX
        && fraction.len() <= FRACTION_DIGITS_MAX
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && UNITS.iter().any(|known| known.eq_ignore_ascii_case(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_honest_mails_need_stays() {
        for (style, expected) in [
            ("COLOR: #1F497D; font-size:11.0pt", "color:#1F497D;font-size:11.0pt"),
            ("font-family:'Segoe UI',sans-serif;background:white", "font-family:'Segoe UI',sans-serif;background:white"),
            ("border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in", "border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"),
            ("color: rgb(34, 34, 34) !important", "color:rgb(34, 34, 34)"),
            ("background-color:rgba(0,0,0,.5)", "background-color:rgba(0,0,0,.5)"),
            ("font: bold 12px/1.5 Arial, sans-serif", "font:bold 12px/1.5 Arial, sans-serif"),
            ("margin:0 auto;width:100%;display:block", "margin:0 auto;width:100%;display:block"),
            ("text-align:center;mso-line-height-rule:exactly;", "text-align:center"),
        ] {
            assert_eq!(allowed(style, true).as_deref(), Some(expected), "{style}");
        }
    }

    #[test]
    fn a_height_is_the_least_where_words_could_flow_out() {
        assert_eq!(allowed("height:0;width:9px", false).as_deref(), Some("min-height:0;width:9px"));
        assert_eq!(allowed("height:20px", true).as_deref(), Some("height:20px"));
        assert_eq!(allowed("max-height:0", false), None);
    }

    #[test]
    fn nothing_loads_runs_hides_or_overlays() {
        for style in [
            "background:url(https://a.example/x.png)",
            "background: URL ('https://a.example/x.png')",
            "background:u\\72l(https://a.example/x)",
            "background:ur/**/l(//a.example/x)",
            "background:image-set('https://a.example/x' 1x)",
            "list-style:url(x)",
            "width:expression(alert(1))",
            "behavior:url(x.htc)",
            "-moz-binding:url(x)",
            "position:fixed;top:0;left:0;z-index:9",
            "margin-left:-9999px",
            "margin:calc(0px - 9px)",
            "width:99999px",
            "color:var(--x)",
            "display:none",
            "visibility:hidden",
            "opacity:0",
            "transform:scale(9)",
            "font-family:\"x\"",
            "font-family:'x",
            "color:rgb(url(x))",
            "color:red}*{x:y",
            "@import 'https://a.example/x.css'",
            "content:'x'",
            "color",
            "",
        ] {
            assert_eq!(allowed(style, true), None, "{style}");
        }
    }

    #[test]
    fn every_property_is_found_in_any_case() {
        for property in PROPERTIES {
            assert_eq!(known(&property.to_uppercase()), Some(property));
        }
        assert_eq!((known(""), known("colors"), known(&"c".repeat(100))), (None, None, None));
    }
}
