//! What becomes of each line of a mail: kept, dropped, or gone with the quotation that it belongs to.

use super::{
    attribution::{Certainty, attribution, surely_begins},
    introduction::{Introduction, Kind, begins_answers, begins_run, introduction, is_rule, next_written, quoted_header},
    lines::{Line, Mark, unquoted},
    subject::Way,
};

/// Quoted lines that end a text without anything above them that says whose they are. Fewer may be a command or an arrow.
const UNINTRODUCED_LINES_MIN: usize = 3;

/// Words before which an attribution begins that shares its line with the sender's last words.
const SHARED_LINE_WORDS: [&str; 8] = ["On", "Am", "Le", "El", "Il", "Em", "Op", "Den"];

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Kept,
    /// It only introduces a quotation.
    Dropped,
    /// In a quotation that was introduced.
    Quoted,
}

/// What stands above quotations.
pub struct Found {
    /// The lines from here on are cut.
    pub end: usize,
    /// The lines from here on are a mail that is passed on.
    pub forward: Option<usize>,
    /// The first introduction is a header.
    pub header_first: bool,
    pub from: Option<String>,
}

/// Answers within what a mail program puts around a quotation are told from it by the marks of their lines.
pub fn uncover_answers(lines: &mut [Line<'_>]) {
    for at in 0..lines.len() {
        if begins_answers(lines, at) {
            let around = lines[at..].iter_mut().take_while(|line| matches!(line.mark, Mark::Around | Mark::Blank));
            around.for_each(|line| *line = line.as_words());
        }
    }
}

/// Looks for introductions, and settles what becomes of them and of the quotations below them.
pub fn introductions(lines: &mut [Line<'_>], fates: &mut [Fate], way: Way) -> Found {
    let mut found = Found { end: lines.len(), forward: None, header_first: false, from: None };
    let (mut first, mut at, mut barren) = (true, 0, 0);
    while at < lines.len() {
        let passed_on = first && way == Way::Forward;
        let introduced = introduction(lines, at, &mut barren).or_else(|| passed_on.then(|| quoted_header(lines, at, &mut barren)).flatten());
        let Some(introduced) = introduced else {
            let is_around = lines[at].mark == Mark::Around;
            first &= !is_around;
            at = if is_around { quote(lines, fates, at) } else { at + 1 };
            continue;
        };
        let Introduction { start, end, kind, from } = introduced;
        let quoted = next_written(lines, end).filter(|next| lines[*next].mark.is_quoted());
        // What answers nothing tells what others wrote, and its own words may stand below.
        let tells = kind == Kind::Attribution && quoted.is_none() && lines[at].mark == Mark::Words;
        let passes_on = kind == Kind::Forward || (way == Way::Forward && (kind == Kind::Header || tells));
        if first && matches!(kind, Kind::Header | Kind::Forward) {
            (found.header_first, found.from) = (true, from);
        }
        if passes_on && (first || kind == Kind::Forward) {
            found.forward = Some(start);
            return found;
        }
        match (kind, quoted) {
            (Kind::MaybeAttribution, None) => {
                at += 1;
                continue;
            }
            (Kind::ReplyAbove, _) | (Kind::Header | Kind::Attribution, None) if lines[at].mark != Mark::Attribution => {
                let shared = own_part(lines[at].text, kind);
                if let Some(own) = shared {
                    lines[at].text = own;
                }
                found.end = if shared.is_some() { at + 1 } else { start };
                return found;
            }
            _ => {}
        }
        first = false;
        fates[start..quoted.unwrap_or(end)].fill(Fate::Dropped);
        let own = if lines[at].mark == Mark::Words { own_part(lines[at].text, kind) } else { None };
        if let Some(own) = own {
            lines[at].text = own;
            fates[at] = Fate::Kept;
        }
        at = quoted.map_or(end, |next| quote(lines, fates, next));
    }
    found
}

/// The run of quoted lines that begins here; where it ends.
fn quote(lines: &[Line<'_>], fates: &mut [Fate], start: usize) -> usize {
    let mut at = start;
    while at < lines.len() {
        let belongs = match lines[at].mark {
            Mark::Attribution | Mark::Blank => true,
            mark if mark.is_quoted() => true,
            // A long link breaks out of its quotation.
            _ => is_link(lines[at].text) && lines.get(at + 1).is_some_and(|next| next.mark.is_quoted()),
        };
        if !belongs {
            break;
        }
        fates[at] = Fate::Quoted;
        at += 1;
    }
    at
}

/// Answers between quoted lines keep the lines that they answer; other quotations go.
pub fn quotations(lines: &[Line<'_>], fates: &mut [Fate], way: Way, is_page: bool) {
    let is_own = |at: usize, fates: &[Fate]| lines[at].mark.is_own() && fates[at] == Fate::Kept && !is_rule(lines[at].text);
    let (mut quoted, mut answered, mut inline) = (false, false, false);
    for at in 0..lines.len() {
        if lines[at].mark.is_quoted() || (fates[at] == Fate::Quoted && lines[at].mark != Mark::Blank) {
            inline |= quoted && answered;
            (quoted, answered) = (true, false);
        } else if is_own(at, fates) {
            answered = true;
        }
    }
    let Some(last) = lines.iter().rposition(|line| line.mark.is_quoted()) else { return };
    let last_own = (0..lines.len()).rev().find(|at| is_own(*at, fates));
    // Where nothing is answered, the sender made the quotations that nobody is named for.
    let made = way == Way::Forward;
    if inline {
        // The quotation at the end has no answer.
        let end = last_own.map_or(0, |own| own + 1);
        let mut named = false;
        for (at, (fate, line)) in fates.iter_mut().zip(lines).enumerate() {
            // Apple's programs put the attribution into the quotation.
            named = (named && line.is_empty()) || (line.mark == Mark::Quoted && begins_run(lines, at) && is_attribution(unquoted(line.text)));
            *fate = match *fate {
                Fate::Kept if named && !made && line.mark == Mark::Quoted => Fate::Dropped,
                Fate::Quoted if matches!(line.mark, Mark::Around | Mark::Attribution) => Fate::Dropped,
                Fate::Quoted if at >= end && line.mark.is_quoted() => Fate::Dropped,
                Fate::Quoted => Fate::Kept,
                Fate::Kept if at >= end && line.mark.is_quoted() && !made => Fate::Dropped,
                fate => fate,
            };
        }
        return;
    }
    if made || fates[last] != Fate::Kept || lines[last].mark != Mark::Quoted {
        return;
    }
    // Nothing says whose quotation the last one is. In HTML a mail program made it; but with words on both sides the sender may have set it apart.
    let run = lines[..=last].iter().rev().take_while(|line| matches!(line.mark, Mark::Quoted | Mark::Blank));
    let first = last + 1 - run.count();
    let is_below_own = lines[..first].iter().any(|line| line.mark.is_own());
    let is_last = last_own.is_none_or(|own| own < first);
    if is_below_own && is_last && (is_page || last + 1 - first >= UNINTRODUCED_LINES_MIN) {
        fates[first..=last].fill(Fate::Dropped);
    }
}

/// The words before an attribution on the same line.
fn own_part(line: &str, kind: Kind) -> Option<&str> {
    if kind != Kind::Attribution || surely_begins(line) {
        return None;
    }
    let starts = SHARED_LINE_WORDS.iter().flat_map(|word| line.match_indices(*word));
    let begins = |at: usize| line[..at].ends_with([' ', '-']) && is_attribution(&line[at..]);
    starts
        .map(|(at, _)| at)
        .filter(|at| begins(*at))
        .max()
        .map(|at| line[..at].trim_end_matches([' ', '-']))
        .filter(|own| !own.trim_start_matches(['>', ' ']).is_empty())
}

fn is_attribution(line: &str) -> bool {
    surely_begins(line) && attribution(line) == Some(Certainty::Certain)
}

fn is_link(line: &str) -> bool {
    let link = line.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>' | '(' | ')' | '[' | ']'));
    link.contains("://") && !link.contains(' ')
}
