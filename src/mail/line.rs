//! Lines of text: found, made of several, cut, and shown as they are read. Unicode has letters that are seen only by what they do to others (Unicode
//! Standard Annex #9).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

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
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}')
}

/// Letters that are seen only by what they do to the one before: joiners, separators, selectors of variants, tags. Persian, Mongolian, Indic scripts and
/// emoji need them inside of words.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether anything of a text is seen.
pub fn shows(text: &str) -> bool {
    // The blank of Braille is no white space.
    let is_blank = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '\u{2800}';
    text.chars().any(|letter| !is_blank(letter) && !is_invisible(letter) && !is_direction_mark(letter) && !is_joiner(letter))
}

/// Whether a text that somebody gives stands on one line and shows as it is read.
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') || is_override(letter))
}

/// A line that somebody gives, as it may be kept: without the marks that come along with what is pasted, and what stands around it.
pub fn given(text: &str) -> Option<String> {
    let line = without_overrides(text.to_owned()).trim().to_owned();
    (shows(&line) && is_one_line(&line)).then_some(line)
}

/// The same for a name that others are compared with: two that differ in nothing that is seen, or in how a letter is put together (NFC), are one. Letters of
/// different scripts that look alike stay different.
pub fn name(text: &str) -> Option<String> {
    let mut seen = String::new();
    for letter in given(text)?.chars() {
        // After ASCII, a blank and itself a joiner joins nothing.
        let joins_nothing = |letter| seen.chars().next_back().is_none_or(|last| last.is_ascii() || last.is_whitespace() || last == letter);
        let is_unseen = is_invisible(letter) || is_direction_mark(letter) || is_joiner(letter) && joins_nothing(letter);
        if !is_unseen {
            seen.push(letter);
        }
    }
    let words: Vec<&str> = seen.split_whitespace().collect();
    Some(words.join(" ").nfc().collect())
}

/// A text of several lines that somebody gives, as it may be kept, if anything of it is seen: without what stands around it, and without control characters
/// but tabs and line feeds. They come along with what is pasted, and with what machines write, and do in a mail or on a terminal what nobody reads.
pub fn text(text: &str) -> Option<String> {
    let plain: String = text.replace("\r\n", "\n").chars().filter_map(shown).collect();
    shows(&plain).then(|| plain.trim().to_owned())
}

fn shown(letter: char) -> Option<char> {
    match letter {
        '\r' | '\u{b}' | '\u{c}' | '\u{85}' => Some('\n'),
        '\n' | '\t' => Some(letter),
        _ => (!letter.is_control()).then_some(letter),
    }
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
        for nothing in ["", " ", "\u{200b}", "\u{200e} \u{200f}", "\u{202e}", "\u{3164}", "\u{200c}\u{200d}", "\u{2800}", "\u{fe0f}", "\u{e0041}"] {
            assert_eq!((given(nothing), name(nothing), text(nothing)), (None, None, None), "{nothing:?}");
        }
        assert_eq!(given("a\nb"), None);
        assert_eq!(without_overrides("Invoice \u{202e}fdp.exe".to_owned()), "Invoice fdp.exe");
    }

    #[test]
    fn names_that_look_alike_are_one_and_joiners_stay_in_the_words_that_need_them() {
        for (other, one) in [
            ("v\u{200b}pn", "vpn"),
            ("v\u{200c}p\u{fe0f}n\u{200d}", "vpn"),
            ("\u{200e}vpn \u{ad}", "vpn"),
            ("a \u{200b}\u{a0} b", "a b"),
            ("Ko\u{308}\u{34f}ln", "K\u{f6}ln"),
            ("o\u{34f}\u{308}", "\u{f6}"),
            ("\u{2764}\u{fe0f}\u{fe0f}", "\u{2764}\u{fe0f}"),
        ] {
            assert_eq!(name(other).as_deref(), Some(one), "{other:?}");
        }
        for word in [
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}",
        ] {
            assert_eq!((name(word).as_deref(), given(word).as_deref()), (Some(word), Some(word)), "{word:?}");
        }
    }

    #[test]
    fn a_text_has_lines_and_no_other_control_characters() {
        assert_eq!(text("\r\n a\r\nb\rc\u{b}d\te\0\u{1b}[31m\u{9b}f\n").as_deref(), Some("a\nb\nc\nd\te[31mf"));
        for nothing in ["\0", "\u{1b}", "\r\n\t", "\u{ad}\n\u{200b}"] {
            assert_eq!(text(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in ["", "\n", "a", "a\n", "a\r\n\r\nb\r", "\ra\r\r\n\n b"] {
            assert_eq!(lines(text).collect::<Vec<_>>(), text.lines().collect::<Vec<_>>(), "{text:?}");
        }
    }
}
