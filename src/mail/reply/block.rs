//! The header of a quoted or forwarded mail, as mail programs write it into the text: From, Sent, To, Subject in the language of the writer.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    attribution::{has_address, is_dated, plain},
    lines::Line,
    phrases::{LABELS, Label},
};

/// Lines of such a header, with its long lists of recipients.
const LINES_MAX: usize = 30;

/// Lines over which one of its values goes on.
const CONTINUATIONS_MAX: usize = 6;

/// Bytes before the colon of a label.
const LABEL_BYTES_MAX: usize = 48;

/// Colons of a line that are looked at for labels.
const COLONS_MAX: usize = 8;

#[derive(Debug, Default)]
pub struct Block {
    /// One past its last line.
    pub end: usize,
    /// What stands at From.
    pub from: Option<String>,
}

/// The header that begins with this line; if there is none, the line before which none begins.
pub fn block(lines: &[Line<'_>], start: usize) -> Result<Block, usize> {
    if first_label(lines[start].text).is_none() {
        return Err(start + 1);
    }
    let mut found = Block { end: start, from: None };
    let mut seen: Vec<Label> = Vec::new();
    // The line above may be the one in a language that we do not speak.
    let mut foreign = start.checked_sub(1).is_some_and(|above| has_value(lines[above].text));
    let (mut dated, mut addressed, mut continued, mut blank) = (false, false, 0, false);
    for (at, line) in lines.iter().enumerate().skip(start).take(LINES_MAX) {
        if line.is_empty() {
            if blank {
                break;
            }
            blank = true;
            continue;
        }
        let labels = labels(line.text);
        if labels.is_empty() {
            continued += 1;
            if blank || continued > CONTINUATIONS_MAX {
                break;
            }
            foreign |= has_value(line.text);
            addressed |= lists_address(line.text);
            continue;
        }
        if blank && labels.iter().all(|(label, _)| seen.contains(label)) {
            break;
        }
        for (label, value) in labels {
            dated |= label == Label::Date && value.chars().any(char::is_numeric);
            addressed |= has_address(&value);
            if label == Label::From && found.from.is_none() {
                found.from = Some(with_next(&value, lines.get(at + 1)));
            }
            seen.push(label);
        }
        (found.end, continued, blank) = (at + 1, 0, false);
    }
    let has = |label: Label| seen.contains(&label);
    // "From" and "until" are one word in many languages, and nobody's name is a date.
    let from = found.from.as_ref().filter(|from| !is_dated(from) || has_address(from)).is_some();
    // A letter has a date, an addressee and a subject: a header without its sender is one whose label is not known.
    let named = from || (has(Label::To) && !has(Label::From) && foreign);
    let whole = dated && named && (addressed || has(Label::Subject));
    let undated = from && has(Label::To) && has(Label::Subject);
    // What begins below has fewer labels.
    if whole || undated { Ok(found) } else { Err(found.end.max(start + 1)) }
}

/// The sender, from a line of a header that need not be whole.
pub fn sender_near(lines: &[Line<'_>], start: usize) -> Option<String> {
    for (at, line) in lines.iter().enumerate().skip(start).take(LINES_MAX) {
        let text = line.text.trim_start_matches(['>', ' ']);
        if let Some((_, value)) = labels(text).into_iter().find(|(label, _)| *label == Label::From) {
            return Some(with_next(&value, lines.get(at + 1)));
        }
    }
    None
}

/// An address may stand on the line after the name.
fn with_next(value: &str, next: Option<&Line<'_>>) -> String {
    match next.map(|line| line.text.trim_start_matches(['>', ' '])) {
        Some(next) if !has_address(value) && has_address(next) && first_label(next).is_none() => format!("{value} {next}"),
        _ => value.to_owned(),
    }
}

/// Whether the line may be the first of a header in a language that we do not speak.
pub fn looks_labelled(line: &str) -> bool {
    split_label(&plain(line)).is_some()
}

/// Whether a line that goes on with a list of recipients has an address: it is the first word, or does not stand behind another as in a sentence.
fn lists_address(line: &str) -> bool {
    let line = line.trim_start();
    let before = line.find('@').and_then(|at| line[..at].rsplit_once(|letter: char| letter.is_whitespace()));
    has_address(line) && before.is_none_or(|(words, local)| local.starts_with(['<', '[', '(']) || words.ends_with([';', ',']))
}

fn has_value(line: &str) -> bool {
    split_label(&plain(line)).is_some_and(|(_, value)| !value.trim().is_empty())
}

fn first_label(line: &str) -> Option<Label> {
    // Most lines have no colon near their beginning.
    let near = &line[..line.floor_char_boundary(LABEL_BYTES_MAX)];
    near.contains([':', '：']).then(|| plain(line)).and_then(|line| split_label(&line).and_then(|(name, _)| label(name)))
}

/// The labels of a line and their values: a header may be written into a single line.
fn labels(line: &str) -> Vec<(Label, String)> {
    let Some(first) = first_label(line) else { return Vec::new() };
    let line = plain(line);
    let Some((_, mut value)) = split_label(&line) else { return Vec::new() };
    let mut found = Vec::new();
    let mut current = first;
    let mut from = 0;
    for _ in 0..COLONS_MAX {
        let Some(colon) = value[from..].find(": ").map(|at| from + at) else { break };
        let word = value[..colon].rfind(' ').map_or(0, |at| at + 1);
        match label(value[word..colon].trim_matches('*')) {
            Some(next) if word > 0 && next != current => {
                found.push((current, value[..word].trim().to_owned()));
                (current, value, from) = (next, &value[colon + 2..], 0);
            }
            _ => from = colon + 2,
        }
    }
    found.push((current, value.trim_matches([' ', '*']).to_owned()));
    found
}

fn split_label(line: &str) -> Option<(&str, &str)> {
    let near = &line[..line.floor_char_boundary(LABEL_BYTES_MAX)];
    let at = near.find([':', '：'])?;
    let colon = near[at..].chars().next().map_or(0, char::len_utf8);
    let name = line[..at].trim_matches([' ', '*', '_', '>', '[', '<']);
    (!name.is_empty()).then_some((name, &line[at + colon..]))
}

fn label(name: &str) -> Option<Label> {
    let name = name.to_lowercase();
    // Chinese labels of two letters are drawn apart to the width of longer ones.
    let joined = || (name.contains(' ') && !name.is_ascii()).then(|| BY_NAME.get(name.replace(' ', "").as_str())).flatten();
    BY_NAME.get(name.as_str()).or_else(joined).copied()
}

static BY_NAME: LazyLock<HashMap<&'static str, Label>> = LazyLock::new(|| {
    // What means one thing in one language and another in the next is what it is in the first list.
    let names = LABELS.iter().rev().flat_map(|(label, names)| names.iter().map(|name| (*name, *label)));
    names.collect()
});

#[cfg(test)]
mod tests {
    use super::{super::lines::of_text, *};

    fn is_header(text: &str) -> bool {
        block(&of_text(text), 0).is_ok()
    }

    #[test]
    fn a_header_names_its_sender_and_what_people_write_in_its_place_is_none() {
        for header in [
            "From: Ann Lee\nTo: Bob\nSubject: Help",
            "From: 2026-01@a.example\nTo: Bob\nSubject: Help",
            "De: 1&1 Service\nPara: Bob\nAsunto: Ayuda",
            "Date: 5 May 2026\nFrom: Ann Lee [mailto:\nann@a.example]",
            "Sent: 5 May 2026\nTo: Bob Stone;\nAnn Lee <ann@a.example>\nUnheard: Ann",
            "Sent: 5 May 2026\nUnheard: Ann\nTo: Bob\nSubject: Help",
        ] {
            assert!(is_header(header), "{header}");
        }
        assert!(block(&of_text("Unheard: Ann\nSent: 5 May 2026\nTo: Bob\nSubject: Help"), 1).is_ok());
        assert!(block(&of_text("This is it:\nDate: 5 May 2026\nTo: Bob\nSubject: Help"), 1).is_err());
        for form in [
            "From: Main Street 5\nTo: Side Street 7\nDate: 5 May 2026\nYou can reach me at ann@a.example.",
            "From: Main Street 5\nDate: 5 May 2026\nTo: Side Street 7\nYou can reach me at ann@a.example.",
            "Od: 01.05.2026\nDo: 05.05.2026\nTemat: urlop",
            "Od: 8:00\nDo: 16:00\nData: 5.5.2026\nTemat: urlop",
            "Date: 5 May 2026\nTo: Contoso\nRe: Contract 1234",
            "Datum: 5. Mai 2026\nAn: Contoso\nBetreff: Vertrag 1234",
            "Date: 5 May 2026\nFrom: Ann Lee\nRe: Contract 1234",
        ] {
            assert!(!is_header(form), "{form}");
        }
    }
}
