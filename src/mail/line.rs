//! Text on one line that shows as it is read. Unicode has letters that are seen only by what they do to others (Unicode Standard Annex #9).

/// Letters that change the direction in which text is shown, so that `exe.fdp` could be read as a PDF.
pub fn is_direction_mark(letter: char) -> bool {
    is_override(letter) || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

/// Those of them that reach over what follows. The others stand between letters of two directions, as people write them.
fn is_override(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text that somebody gives stands on one line and shows as it is read.
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') || is_override(letter))
}

/// A line of a mail without what would show it, and what stands beside it, otherwise than it is read.
pub(super) fn without_overrides(line: String) -> String {
    if line.contains(is_override) { line.replace(is_override, "") } else { line }
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
        assert_eq!(without_overrides("Invoice \u{202e}fdp.exe".to_owned()), "Invoice fdp.exe");
    }
}
