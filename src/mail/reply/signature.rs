//! Signatures at the end of the new words: below the dashes of RFC 3676 or a drawn line.

use super::{
    introduction::is_rule,
    lines::{Line, Mark},
};

/// Lines of a signature below its dashes. What is longer is a part of the mail.
const LINES_MAX: usize = 30;

/// Lines of a visiting card below a drawn line, or bare dashes.
const CARD_LINES_MAX: usize = 10;

/// Bytes of a line of a visiting card. What is longer is a sentence.
const CARD_LINE_BYTES_MAX: usize = 80;

/// How many of the kept lines stand above the signature.
pub fn above_signature(kept: &[Line<'_>]) -> usize {
    let earliest = kept.len().saturating_sub(LINES_MAX + 1);
    let last_dashes = kept.iter().rposition(|line| line.mark == Mark::Words && is_bare_dashes(line.text));
    let begins = |at: usize| match kept[at].text {
        _ if kept[at].mark != Mark::Words => false,
        DASHES => true,
        text if is_bare_dashes(text) => last_dashes == Some(at) && is_signed(kept, at),
        text if is_rule(text) => is_added(kept, at) || (is_apart(kept, at) && is_card(&kept[at + 1..])),
        _ => false,
    };
    let dashes = (earliest..kept.len()).find(|at| begins(*at));
    // A quotation below the dashes is answered below them.
    dashes.filter(|at| !kept[*at..].iter().any(|line| line.mark == Mark::Quoted)).unwrap_or(kept.len())
}

/// As RFC 3676, section 4.3 has them. Nobody draws a line with a blank at its end.
const DASHES: &str = "-- ";

/// The same without their blank, and as word processors turn them.
fn is_bare_dashes(text: &str) -> bool {
    matches!(text.trim(), "--" | "—" | "–" | "―" | "—-" | "– –")
}

/// Whether the bare dashes here begin a signature. They may as well part what stands above them from what stands below, and then stand in the same
/// distance from both. Whoever asks below them has more to say.
fn is_signed(kept: &[Line<'_>], at: usize) -> bool {
    let below = &kept[at + 1..];
    let written = || below.iter().filter(|line| line.mark != Mark::Blank);
    let leans = is_blank_above(kept, at) && below.first().is_none_or(|next| next.mark != Mark::Blank);
    let is_short = written().count() <= CARD_LINES_MAX && !written().any(|line| line.text.trim_end().ends_with('?'));
    written().next().is_none() || (leans && is_short) || is_card(below)
}

/// Whether the drawn line here parts anything: directly below words it underlines them, and what a colon announces is no signature.
fn is_apart(kept: &[Line<'_>], at: usize) -> bool {
    let above = kept[..at].iter().rfind(|line| line.mark != Mark::Blank);
    is_blank_above(kept, at) && !above.is_some_and(|above| above.text.trim_end().ends_with([':', '：']))
}

fn is_blank_above(kept: &[Line<'_>], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|above| kept[above].mark == Mark::Blank)
}

/// What a virus scanner adds.
const SCANNERS: [&str; 6] = ["avast", "avg.com", "antivirus", "virus-free", "virenfrei", "mailscanner"];

/// Lines that a program adds below a drawn line.
const ADDED_LINES_MAX: usize = 4;

/// Whether a virus scanner or a mailing list added the drawn line and what is below it. Directly below words it names an address, as theirs do.
fn is_added(kept: &[Line<'_>], at: usize) -> bool {
    let written: Vec<String> = kept[at + 1..].iter().filter(|line| line.mark != Mark::Blank).map(|line| line.text.to_lowercase()).collect();
    let is_scanner = |line: &String| SCANNERS.iter().any(|scanner| line.contains(scanner));
    // Mailman draws its line so, and names the list first.
    let is_list = || kept[at].text.starts_with("____") && written[0].contains(" mailing list");
    let few = (1..=ADDED_LINES_MAX).contains(&written.len());
    few && (is_blank_above(kept, at) || written.iter().any(|line| has_any_address(line))) && (written.iter().any(is_scanner) || is_list())
}

/// Words of a name under a drawn line.
const NAME_WORDS_MAX: usize = 3;

/// A name, a company, numbers and addresses: no sentence.
fn is_card(lines: &[Line<'_>]) -> bool {
    let written: Vec<&str> = lines.iter().filter(|line| line.mark != Mark::Blank).map(|line| line.text.trim()).collect();
    let is_short = |line: &&str| line.len() <= CARD_LINE_BYTES_MAX && !line.ends_with(['.', '?', '!', ',', ';']);
    let reaches = |line: &&str| has_any_address(line) || line.chars().filter(char::is_ascii_digit).count() >= 7;
    let is_name = |line: &&str| {
        let capital = line.starts_with(char::is_uppercase);
        capital && line.split(' ').count() <= NAME_WORDS_MAX && !line.contains(char::is_numeric)
    };
    // A name alone says little: it follows at once.
    let is_near = lines.first().is_some_and(|first| first.mark != Mark::Blank);
    match written.len() {
        0 => false,
        1 | 2 if is_near && written.iter().all(is_short) && written.iter().all(is_name) => true,
        lines if (2..=CARD_LINES_MAX).contains(&lines) => {
            written.iter().all(is_short) && written.iter().any(reaches) && !written[0].contains([':', '@'])
        }
        _ => false,
    }
}

fn has_any_address(line: &str) -> bool {
    line.contains('@') || line.contains("www.") || line.contains("://")
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
        assert_eq!(above(&format!("words\n-- \n{}", "line\n".repeat(40))), 42);
        assert_eq!(above("words\n-- \n> quoted\nanswer"), 4);
    }

    #[test]
    fn dashes_without_their_blank_begin_a_signature_where_they_lean_to_it() {
        assert_eq!(above("words\n\n--\nEvery word of mine is my own. So is this one."), 2);
        assert_eq!(above("words\n—\nAnn"), 1);
        assert_eq!(above("words\n--\nAnn Lee\nann@a.example"), 1);
        assert_eq!(above("Hello,\n\n—\n\nIt is broken.\n\n—\nAnn"), 6);
        assert_eq!(above("words\n--\n"), 1);
        let long = format!("words\n\n--\n{}", "line\n".repeat(11));
        for mail in [
            &long,
            "One: no toner.\n--\nTwo: a jam in the second tray.\n--\nThree: the network.",
            "One is broken.\n\n--\n\nTwo is broken.",
            "One is broken.\n\n--\nWhen do you come?",
        ] {
            assert_eq!(above(mail), of_text(mail).len(), "{mail}");
        }
    }

    #[test]
    fn a_drawn_line_begins_a_visiting_card_and_no_sentence() {
        assert_eq!(above("words\n\n_______\nAnn Lee\nSales\n+49 30 1234567"), 2);
        assert_eq!(above("one\n\n---\nAnn Lee"), 2);
        assert_eq!(above("one\n---\nThis email has been checked for viruses by Avast antivirus software.\nhttps://a.example"), 1);
        for list in ["users mailing list\nusers@a.example", "users mailing list -- users@a.example\nTo unsubscribe write to leave@a.example"] {
            assert_eq!(above(&format!("one\n_______________\n{list}")), 1);
        }
        for mail in [
            "words\n\n-----\nPlease call me at 030 1234567 today.",
            "one\n\n-----\ntwo\nthree",
            "one\n\n-----\n\nTwo",
            "The same happens to\n\n-----\nBox 12",
        ] {
            assert_eq!(above(mail), of_text(mail).len(), "{mail}");
        }
    }

    #[test]
    fn a_line_drawn_below_words_or_what_they_announce_is_none_of_a_signature() {
        for mail in [
            "The message is\n--------------\nAccess Denied",
            "What I see\n-----\nMy antivirus blocks the page",
            "Serial numbers\n-----\nSN1234567\nSN1234568",
            "Add these\n=========\nAnn Lee ann@a.example\nBob Ray bob@a.example",
            "Please deliver to:\n\n_____\nAnn Lee\n10115 Berlin\n+49 30 1234567",
        ] {
            assert_eq!(above(mail), of_text(mail).len(), "{mail}");
        }
    }
}
