//! Tags that nobody could read in two ways, passed over as a whole.

/// Letters of a name of an element or attribute that are looked at.
pub(super) const NAME_LETTERS_MAX: usize = 16;
/// Elements whose content is no markup.
pub(super) const RAW_TEXT: [&str; 2] = ["script", "style"];
/// Attributes of HTML whose values are words.
pub(super) const WORDS: [&str; 8] = ["alt", "aria-label", "content", "label", "placeholder", "summary", "title", "value"];
/// The attribute whose value is a link.
pub(super) const LINK: &str = "href";

/// A tag, and what a card may stand in.
pub(super) struct OrdinaryTag<'a> {
    pub(super) whole: &'a [u8],
    pub(super) element: &'a [u8],
    /// An attribute of HTML whose value is words.
    pub(super) has_words: bool,
    /// A link that may be read as words.
    pub(super) has_link: bool,
}

/// The tag that begins here, if nobody could read it otherwise and its element has markup in it: a name, attributes with or without a value.
pub(super) fn ordinary_tag(ahead: &[u8]) -> Option<OrdinaryTag<'_>> {
    let is_bare = |byte: &u8| byte.is_ascii_graphic() && !b"\"'<=>`/".contains(byte);
    let mut at = match ahead {
        [b'<', b'/', first, ..] if first.is_ascii_alphabetic() => 2,
        [b'<', first, ..] if first.is_ascii_alphabetic() => 1,
        _ => return None,
    };
    let element = &ahead[at..at + count(&ahead[at..], is_name)];
    if element.len() > NAME_LETTERS_MAX || RAW_TEXT.iter().any(|raw| element.eq_ignore_ascii_case(raw.as_bytes())) {
        return None;
    }
    at += element.len();
    let (mut has_words, mut has_link) = (false, false);
    loop {
        let blanks = count(&ahead[at..], u8::is_ascii_whitespace);
        at += blanks;
        match ahead.get(at..)? {
            [b'>', ..] => return Some(OrdinaryTag { whole: &ahead[..=at], element, has_words, has_link }),
            [b'/', b'>', ..] => return Some(OrdinaryTag { whole: &ahead[..at + 2], element, has_words, has_link }),
            [first, ..] if first.is_ascii_alphabetic() && blanks > 0 => {
                let name = &ahead[at..at + count(&ahead[at..], is_name)];
                has_words |= WORDS.iter().any(|words| name.eq_ignore_ascii_case(words.as_bytes()));
                at += name.len();
                has_link |= name.eq_ignore_ascii_case(LINK.as_bytes()) && !is_web_address(&ahead[at..]);
            }
            _ => return None,
        }
        if ahead.get(at) != Some(&b'=') {
            continue;
        }
        at += 1;
        at += match ahead.get(at)? {
            quote @ (b'"' | b'\'') => memchr::memchr(*quote, &ahead[at + 1..])? + 2,
            _ => count(&ahead[at..], is_bare),
        };
    }
}

/// Whether the value of the attribute that ends here begins as most links do.
fn is_web_address(ahead: &[u8]) -> bool {
    [&b"=\"http"[..], b"='http", b"=http"].iter().any(|start| ahead.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)))
}

/// Whether the byte is one of ordinary names.
fn is_name(byte: &u8) -> bool {
    /// An answer for each byte; asked so often that it is looked up.
    const ANSWERS: [bool; 256] = {
        let mut answers = [false; 256];
        let mut byte = 0_u8;
        while byte.is_ascii() {
            answers[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_' | b'.');
            byte += 1;
        }
        answers
    };
    ANSWERS[usize::from(*byte)]
}

/// How many bytes at the beginning are such.
pub(super) fn count(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is(byte)).unwrap_or(bytes.len())
}
