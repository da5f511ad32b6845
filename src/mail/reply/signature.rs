//! Signatures at the end of the new words: below the dashes of RFC 3676 or a drawn line.

use super::{
    introduction::is_rule,
    lines::{Line, Mark},
};

/// Lines of a signature below its dashes. What is longer is a part of the mail.
const LINES_MAX: usize = 30;

/// Lines of a visiting card below a drawn line.
const CARD_LINES_MAX: usize = 10;

/// Bytes of a line of a visiting card. What is longer is a sentence.
const CARD_LINE_BYTES_MAX: usize = 80;

/// How many of the kept lines stand above the signature.
pub fn above_signature(kept: &[Line<'_>]) -> usize {
    let earliest = kept.len().saturating_sub(LINES_MAX + 1);
    let begins = |at: usize| match kept[at].mark {
        Mark::Words => is_dashes(kept[at].text) || (is_rule(kept[at].text) && is_card(&kept[at + 1..])),
        _ => false,
    };
    let dashes = (earliest..kept.len()).find(|at| begins(*at));
    // A quotation below the dashes is answered below them.
    dashes.filter(|at| !kept[*at..].iter().any(|line| line.mark == Mark::Quoted)).unwrap_or(kept.len())
}

/// "-- " as RFC 3676, section 4.3 has it, without its blank too, and as word processors turn it.
fn is_dashes(text: &str) -> bool {
    matches!(text.trim(), "--" | "—" | "–" | "―" | "- --" | "—-" | "– –")
}

/// What a virus scanner adds.
const SCANNERS: [&str; 6] = ["avast", "avg.com", "antivirus", "virus-free", "virenfrei", "mailscanner"];

/// Words of a name under a drawn line.
const NAME_WORDS_MAX: usize = 3;

/// A name, a company, numbers and addresses: no sentence.
fn is_card(lines: &[Line<'_>]) -> bool {
    let written: Vec<&str> = lines.iter().filter(|line| line.mark != Mark::Blank).map(|line| line.text.trim()).collect();
    let is_short = |line: &&str| line.len() <= CARD_LINE_BYTES_MAX && !line.ends_with(['.', '?', '!', ',', ';']);
    let reaches =
        |line: &&str| line.contains('@') || line.contains("www.") || line.contains("://") || line.chars().filter(char::is_ascii_digit).count() >= 7;
    let is_name = |line: &&str| line.split(' ').count() <= NAME_WORDS_MAX && !line.starts_with(|letter: char| !letter.is_uppercase());
    let is_scanner = |line: &&str| SCANNERS.iter().any(|scanner| line.to_lowercase().contains(scanner));
    match written.len() {
        0 => false,
        1..=4 if written.iter().any(is_scanner) => true,
        1 | 2 if written.iter().all(is_short) && written.iter().all(is_name) => true,
        lines if (2..=CARD_LINES_MAX).contains(&lines) => {
            written.iter().all(is_short) && written.iter().any(reaches) && !written[0].contains([':', '@'])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::lines::of_text, *};

    fn above(text: &str) -> usize {
        above_signature(&of_text(text))
    }

    #[test]
    fn a_signature_is_below_two_dashes_and_not_too_long() {
        assert_eq!(above("words\n-- \nAnn\nLee Ltd"), 1);
        assert_eq!(above("words\n--\nAnn\n--\nmore"), 1);
        assert_eq!(above("words\n—\nAnn"), 1);
        assert_eq!(above(&format!("words\n-- \n{}", "line\n".repeat(40))), 42);
        assert_eq!(above("words\n-- \n> quoted\nanswer"), 4);
    }

    #[test]
    fn a_drawn_line_begins_a_visiting_card_and_no_sentence() {
        assert_eq!(above("words\n_______\nAnn Lee\nSales\n+49 30 1234567"), 1);
        assert_eq!(above("words\n-----\nPlease call me at 030 1234567 today."), 3);
        assert_eq!(above("one\n-----\ntwo\nthree"), 4);
        assert_eq!(above("one\n---\nAnn Lee"), 1);
        assert_eq!(above("one\n---\nThis email has been checked for viruses by Avast antivirus software.\nhttps://a.example"), 1);
    }
}
