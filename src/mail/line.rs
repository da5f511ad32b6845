//! Lines of text: found, made of several, cut, and shown as they are read. Unicode has letters that are seen only by what they do to others (Unicode
//! Standard Annex #9).

use std::borrow::Cow;

/// Letters that change the direction in which text is shown, so that `exe.fdp` could be read as a PDF.
pub fn is_direction_mark(letter: char) -> bool {
    is_override(letter) || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

/// Those of them that reach over what follows. The others stand between letters of two directions, as people write them.
fn is_override(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Letters without width, which make two names look alike.
pub fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{2028}' | '\u{2029}')
}

/// Whether a text that somebody gives stands on one line and shows as it is read.
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') || is_override(letter))
}

/// A line that somebody gives, as it may be kept: without the marks that come along with what is pasted, and what stands around it.
pub fn given(text: &str) -> Option<String> {
    let line = without_overrides(text.to_owned()).trim().to_owned();
    let shows = line.chars().any(|letter| !is_invisible(letter) && !is_direction_mark(letter) && !letter.is_whitespace());
    (shows && is_one_line(&line)).then_some(line)
}

/// A line without what would show it, and what stands beside it, otherwise than it is read.
pub(super) fn without_overrides(line: String) -> String {
    if line.contains(is_override) { line.replace(is_override, "") } else { line }
}

/// Without line ends and control characters, blanks run together.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if is_in_one_line(text) {
        return Cow::Borrowed(text);
    }
    let ends_word = |letter: char| letter.is_control() || letter.is_whitespace();
    let mut line = String::with_capacity(text.len());
    // Most of what is folded is plain between its line ends.
    let mut add = |words: &str| {
        if !words.is_empty() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(words);
        }
    };
    for folded in text.split('\n').map(|folded| folded.trim_matches(ends_word)) {
        if is_in_one_line(folded) {
            add(folded);
        } else {
            folded.split(ends_word).for_each(&mut add);
        }
    }
    Cow::Owned(line)
}

/// The same for a text that is given away.
pub(super) fn own_line(text: String) -> String {
    let line = match one_line(&text) {
        Cow::Borrowed(line) if line.len() == text.len() => None,
        line => Some(line.into_owned()),
    };
    line.unwrap_or(text)
}

/// The same for either.
pub(super) fn in_one_line(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => one_line(text),
        Cow::Owned(text) => Cow::Owned(own_line(text)),
    }
}

pub(super) fn cut_chars(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
        None => Cow::Borrowed(text),
    }
}

pub(super) fn cut_bytes(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Words of ASCII with one blank between them.
fn is_in_one_line(text: &str) -> bool {
    let bytes = text.as_bytes();
    // To the end in any case: so many bytes are looked at together.
    let is_plain = bytes.iter().fold(true, |plain, byte| plain & (b' '..=b'~').contains(byte));
    is_plain && !bytes.iter().zip(bytes.iter().skip(1)).fold(false, |any, (one, next)| any | ((*one == b' ') & (*next == b' ')))
}

/// Where the line that begins here ends, with its line end.
pub(super) fn line_end(bytes: &[u8], start: usize) -> usize {
    memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1)
}

/// As `str::lines`, but many bytes at a time.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (line, after) = rest.split_at(line_end(rest.as_bytes(), 0));
        rest = after;
        (!line.is_empty()).then(|| line.strip_suffix('\n').map_or(line, |text| text.strip_suffix('\r').unwrap_or(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_what_shows_on_one_and_as_it_is_read() {
        for line in ["", "Ünïcode und 日本語", "שלום\u{200f}!", "a\u{a0}b"] {
            assert!(is_one_line(line), "{line:?}");
            assert_eq!(without_overrides(line.to_owned()), line);
        }
        for not in ["a\nb", "a\rb", "a\tb", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", "a\u{202e}b", "a\u{2066}b\u{2069}", "\0"] {
            assert!(!is_one_line(not), "{not:?}");
        }
        assert_eq!(given(" \u{202a}A call\u{202c} ").as_deref(), Some("A call"));
        for nothing in ["", " ", "\u{200b}", "\u{200e} \u{200f}", "\u{202e}", "\u{3164}", "a\nb"] {
            assert_eq!(given(nothing), None, "{nothing:?}");
        }
        assert_eq!(without_overrides("Invoice \u{202e}fdp.exe".to_owned()), "Invoice fdp.exe");
    }

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in ["", "\n", "a", "a\n", "a\r\n\r\nb\r", "\ra\r\r\n\n b"] {
            assert_eq!(lines(text).collect::<Vec<_>>(), text.lines().collect::<Vec<_>>(), "{text:?}");
        }
    }
}
