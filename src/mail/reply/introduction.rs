//! Where quoted or forwarded mail begins: the lines that a mail program puts above it.

use super::{
    attribution::{self, Certainty, attribution, ends_a_sentence, may_begin, plain, surely_begins},
    block::{block, looks_labelled, sender_near},
    lines::{Line, Mark, unquoted},
    phrases::{FORWARDED, ORIGINAL, REPLY_ABOVE},
};

/// Bytes of a line that names the mail below it.
const SEPARATOR_BYTES_MAX: usize = 200;

/// Letters that draw a line.
const RULE: [char; 12] = ['-', '‐', '_', '=', '*', '~', '#', '—', '–', '─', '━', 'ᐧ'];

/// Letters of the shortest drawn line.
const RULE_CHARS_MIN: usize = 3;

/// Lines above an introduction that may belong to it: a drawn line and blanks.
const LINES_ABOVE_MAX: usize = 4;

/// Lines of an attribution, the blank ones below it and the first quoted one.
const NEAR_LINES_MAX: usize = attribution::LINES_MAX + 4;

/// How GroupWise begins the line that says whose mail follows.
const GROUPWISE: &str = ">>> ";

#[derive(Debug)]
pub struct Introduction {
    pub start: usize,
    /// One past its last line.
    pub end: usize,
    pub kind: Kind,
    /// What stands at From, if it is a mail's header.
    pub from: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// "Ann wrote:"
    Attribution,
    /// The same without a date: it counts if a quotation follows.
    MaybeAttribution,
    /// From, Sent, To, Subject, or a line that says "Original Message".
    Header,
    /// "Forwarded message"
    Forward,
    /// "Please type your reply above this line"
    ReplyAbove,
}

/// The introduction that begins with this line. No header begins above the line `barren`, as was found before.
pub fn introduction(lines: &[Line<'_>], at: usize, barren: &mut usize) -> Option<Introduction> {
    let line = &lines[at];
    let new = |end, kind, from| Some(Introduction { start: above(lines, at), end, kind, from });
    match line.mark {
        Mark::Blank | Mark::Code | Mark::Signature => None,
        Mark::Quoted | Mark::SetApart | Mark::Around if !begins_run(lines, at) => None,
        Mark::Quoted if line.text.starts_with(GROUPWISE) => named_by_groupwise(lines, at).and_then(|end| new(end, Kind::Attribution, None)),
        Mark::Quoted | Mark::SetApart | Mark::Around => is_forward(line.text.trim_start_matches(['>', ' '])).then(|| Introduction {
            start: at,
            end: at + 1,
            kind: Kind::Forward,
            from: sender_near(lines, at),
        }),
        Mark::Attribution if is_forward(line.text) => new(at + 1, Kind::Forward, sender_near(lines, at)),
        Mark::Attribution => {
            let end = (at..lines.len()).find(|next| lines[*next].mark != Mark::Attribution).unwrap_or(lines.len());
            new(end, Kind::Attribution, None)
        }
        Mark::Cut => {
            let next = next_written(lines, at + 1)?;
            let labelled = looks_labelled(lines[next].text);
            let header = block(lines, next).ok();
            labelled.then(|| Introduction {
                start: at,
                end: header.as_ref().map_or(at + 1, |header| header.end),
                kind: Kind::Header,
                from: header.and_then(|header| header.from),
            })
        }
        Mark::Words if is_rule(line.text) => None,
        Mark::Words => {
            match separator(line.text) {
                Some(Separator::Forward) => return new(at + 1, Kind::Forward, sender_near(lines, at)),
                Some(Separator::ReplyAbove) => return new(at + 1, Kind::ReplyAbove, None),
                Some(Separator::Original) => {
                    let header = next_written(lines, at + 1).and_then(|next| block(lines, next).ok());
                    return new(header.as_ref().map_or(at + 1, |header| header.end), Kind::Header, header.and_then(|header| header.from));
                }
                None => {}
            }
            if at >= *barren {
                match block(lines, at) {
                    Ok(header) => return new(header.end, Kind::Header, header.from),
                    Err(until) => *barren = until,
                }
            }
            let (end, certainty) = attributed(lines, at)?;
            new(end, if certainty == Certainty::Certain { Kind::Attribution } else { Kind::MaybeAttribution }, None)
        }
    }
}

/// The header with which a quoted run begins, with the line above it that names it. It is for mails that pass on alone: in an answer it would end the
/// words, and the answers below the quotation with them.
pub fn quoted_header(lines: &[Line<'_>], at: usize, barren: &mut usize) -> Option<Introduction> {
    if !lines[at].mark.is_quoted() || !begins_run(lines, at) {
        return None;
    }
    let written = |from: usize| (from..lines.len()).find(|next| !lines[*next].is_empty());
    let first = written(at)?;
    let text = unquoted(lines[first].text);
    let is_name = is_rule(text) || separator(text) == Some(Separator::Original);
    let header = if is_name { written(first + 1)? } else { first };
    if header < *barren {
        return None;
    }
    match block(lines, header) {
        Ok(header) => Some(Introduction { start: at, end: header.end, kind: Kind::Header, from: header.from }),
        Err(until) => {
            *barren = until;
            None
        }
    }
}

/// Whether somebody answers within what a mail program puts around a quotation, as he would in plain text: it begins with an attribution, and what the
/// attribution introduces is quoted by its marks. The very next line must be: marks further down are those of an older quotation.
pub fn begins_answers(lines: &[Line<'_>], at: usize) -> bool {
    if lines[at].mark != Mark::Around || !begins_run(lines, at) {
        return false;
    }
    let around = lines[at..].iter().take_while(|line| matches!(line.mark, Mark::Around | Mark::Blank));
    let near: Vec<Line<'_>> = around.take(NEAR_LINES_MAX).map(|line| line.as_words()).collect();
    let introduced = attributed(&near, 0).and_then(|(end, _)| next_written(&near, end));
    introduced.is_some_and(|next| near[next].mark == Mark::Quoted)
}

/// The first line from here on that is not blank.
pub fn next_written(lines: &[Line<'_>], from: usize) -> Option<usize> {
    (from..lines.len()).find(|at| lines[*at].mark != Mark::Blank)
}

/// A line drawn of dashes or the like, without a word.
pub fn is_rule(text: &str) -> bool {
    let text = text.trim();
    text.chars().all(|letter| RULE.contains(&letter) || letter == ' ') && text.chars().filter(|letter| *letter != ' ').count() >= RULE_CHARS_MIN
}

pub fn begins_run(lines: &[Line<'_>], at: usize) -> bool {
    let before = lines[..at].iter().rev().find(|line| line.mark != Mark::Blank);
    before.is_none_or(|before| before.mark != lines[at].mark)
}

/// Where the drawn line above begins, if there is one.
fn above(lines: &[Line<'_>], at: usize) -> usize {
    let within = at.saturating_sub(LINES_ABOVE_MAX)..at;
    // Lotus writes "-----Ann wrote: -----" above the header.
    let is_dashed = |text: &str| text.trim_start().starts_with("--") && text.trim_end().ends_with("--");
    // BlackBerry writes "Original Message" without dashes.
    let is_name = |text: &str| text.len() <= SEPARATOR_BYTES_MAX && ORIGINAL.contains(&text.trim().to_lowercase().as_str());
    let is_part = |text: &str| is_rule(text) || is_dashed(text) || is_name(text);
    let belongs = |line: &Line<'_>| matches!(line.mark, Mark::Blank | Mark::Cut) || (line.mark == Mark::Words && is_part(line.text));
    within.rev().take_while(|above| belongs(&lines[*above])).filter(|above| lines[*above].mark != Mark::Blank).last().unwrap_or(at)
}

/// An attribution over one or several lines: where it ends, and how sure it is.
fn attributed(lines: &[Line<'_>], at: usize) -> Option<(usize, Certainty)> {
    if shares_its_line(lines[at].text) {
        return Some((at + 1, Certainty::Certain));
    }
    let within = &lines[at..lines.len().min(at + attribution::LINES_MAX)];
    let belongs = |line: &Line<'_>| line.mark == Mark::Words && line.text.len() <= attribution::BYTES_MAX;
    let words = within.iter().take_while(|line| belongs(line)).count();
    // A line that is broken within the angles of an address goes on as if it were quoted.
    let goes_on =
        words > 0 && is_open(within[words - 1].text) && within.get(words).is_some_and(|next| next.mark == Mark::Quoted && closes(next.text));
    let words = words + usize::from(goes_on);
    let closing = within[..words].iter().position(|line| closes(line.text))?;
    if closing > 0 && !may_begin(within[0].text) {
        return None;
    }
    let joined = |from: usize, to: usize| within[from..=to].iter().map(|line| line.text.trim()).collect::<Vec<_>>().join(" ");
    let mut fallback = None;
    for last in (closing..words).filter(|last| closes(within[*last].text)) {
        let Some(certainty) = attribution(&joined(0, last)) else { continue };
        if last == 0 && certainty == Certainty::Certain {
            return Some((at + 1, certainty));
        }
        if certainty == Certainty::IfQuoted {
            fallback = fallback.or((last == 0).then_some((at + 1, certainty)));
            continue;
        }
        // Where a later line is the true beginning, the first ones are a sentence of the sender.
        let later = (1..=last).any(|from| {
            let begins = surely_begins(within[from].text) && attribution(&joined(from, last)) == Some(Certainty::Certain);
            begins && (!surely_begins(within[0].text) || ends_a_sentence(within[from - 1].text))
        });
        let sentence = within[..last].iter().any(|line| ends_a_sentence(line.text));
        return if later || sentence { fallback } else { Some((at + last + 1, certainty)) };
    }
    fallback
}

/// Yahoo's programs for telephones write the first words of the quotation behind its attribution, three blanks apart.
fn shares_its_line(line: &str) -> bool {
    let introducing = line.find(":   ").map(|colon| &line[..=colon]);
    introducing.is_some_and(|line| surely_begins(line) && attribution(line) == Some(Certainty::Certain))
}

/// `>>> Ann <ann@a.example> 1/6/2026 10:00 AM >>>`, or `>>> On DATE, in message <ID>, Ann wrote:` over several lines: where it ends.
fn named_by_groupwise(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let first = lines[at].text.strip_prefix(GROUPWISE)?.trim();
    if first.len() > attribution::BYTES_MAX {
        return None;
    }
    if let Some(named) = first.strip_suffix(">>>") {
        return attribution::is_dated(named).then_some(at + 1);
    }
    let more = lines[at + 1..].iter().take(attribution::LINES_MAX - 1).take_while(|line| line.mark == Mark::Words);
    let mut joined = first.to_owned();
    if attribution(&joined) == Some(Certainty::Certain) {
        return Some(at + 1);
    }
    for (index, line) in more.enumerate().take_while(|(_, line)| line.text.len() <= attribution::BYTES_MAX) {
        joined = format!("{joined} {}", line.text.trim());
        if attribution(&joined) == Some(Certainty::Certain) {
            return Some(at + index + 2);
        }
    }
    None
}

fn is_open(line: &str) -> bool {
    line.rfind('<').is_some_and(|open| attribution::has_address(&line[open..]) && !line[open..].contains('>'))
}

/// Whether an attribution may end with this line.
fn closes(line: &str) -> bool {
    let line = line
        .trim_end_matches(|letter: char| letter.is_whitespace() || matches!(letter, '*' | '_' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'));
    line.ends_with([':', '：', '-', '>', ')', ']']) || line.ends_with("écrit") || line.ends_with("写道") || line.ends_with("寫道")
}

/// A line that names what is below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Forward,
    Original,
    ReplyAbove,
}

fn separator(text: &str) -> Option<Separator> {
    let text = text.trim();
    // Most lines have neither.
    let marked = text.starts_with(RULE) || text.starts_with(['<', '[', '>']) || text.ends_with([':', '：', '*']);
    if !marked || text.len() > SEPARATOR_BYTES_MAX {
        return None;
    }
    let text = plain(text);
    let inside = text.trim_start_matches(|letter: char| RULE.contains(&letter) || matches!(letter, ' ' | '>' | '<' | '['));
    let drawn = text.starts_with(RULE);
    let dashed = drawn && text.len() - inside.len() >= 2;
    let end = if dashed { ["--", "__", "‐‐"].iter().find_map(|rule| inside.find(rule)).unwrap_or(inside.len()) } else { inside.len() };
    let words = inside[..end].trim_matches(|letter: char| RULE.contains(&letter) || matches!(letter, ' ' | '>' | ']'));
    let phrase = words.trim_end_matches([':', '：', ' ']).to_lowercase();
    let colon = words.ends_with([':', '：']);
    // "Forwarded by Ann on Monday" stands between dashes.
    let is_forward = |known: &&str| {
        let after = phrase.strip_prefix(known);
        after.is_some_and(|after| if after.is_empty() { dashed || colon } else { dashed && after.starts_with([' ', ':']) })
    };
    match () {
        () if phrase.is_empty() => None,
        () if FORWARDED.iter().any(is_forward) => Some(Separator::Forward),
        () if dashed && ORIGINAL.contains(&phrase.as_str()) => Some(Separator::Original),
        () if drawn && REPLY_ABOVE.iter().any(|known| phrase.contains(known)) => Some(Separator::ReplyAbove),
        () => None,
    }
}

fn is_forward(text: &str) -> bool {
    separator(text) == Some(Separator::Forward)
}
