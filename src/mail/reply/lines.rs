//! The lines of a mail, each with what it is by itself: quoted by its mark, code by its fence, or what the markup of its HTML says.

use super::super::{
    line,
    plain::{Page, Part},
};

#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub text: &'a str,
    pub mark: Mark,
}

impl Line<'_> {
    /// Without a word: an empty line, or the marks of a quoted one alone.
    pub fn is_empty(&self) -> bool {
        self.mark == Mark::Blank || (self.mark.is_quoted() && unquoted(self.text).is_empty())
    }

    /// What the line is if the markup around it says nothing.
    pub fn as_words(self) -> Self {
        Line { mark: mark(self.text, Mark::Words), ..self }
    }
}

/// Without the marks of quoted lines.
pub fn unquoted(text: &str) -> &str {
    text.trim_start_matches(|letter: char| letter == '>' || letter.is_whitespace())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Blank,
    Words,
    /// Between fences of three backticks: nothing in it is looked at.
    Code,
    Quoted,
    /// The same if an attribution stands above it; else its sender set it apart.
    SetApart,
    /// In what a mail program puts around a quotation.
    Around,
    /// Marked as the line that says whose quotation follows.
    Attribution,
    /// Marked as a signature.
    Signature,
    /// Below it everything is quoted.
    Cut,
}

impl Mark {
    pub fn is_quoted(self) -> bool {
        matches!(self, Mark::Quoted | Mark::SetApart | Mark::Around)
    }

    /// What the sender may have written himself.
    pub fn is_own(self) -> bool {
        matches!(self, Mark::Words | Mark::Code)
    }
}

const FENCE: &str = "```";

pub fn of_text(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = line::lines(text).map(|text| Line { text, mark: mark(text, Mark::Words) }).collect();
    fence(&mut lines);
    sign(&mut lines);
    lines
}

pub fn of_page(page: &Page) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = page.lines.iter().map(|line| Line { text: &line.text, mark: mark(&line.text, of_part(line.part)) }).collect();
    fence(&mut lines);
    lines
}

/// Whether the markup tells anything of what is quoted and what is not.
pub fn is_marked(page: &Page) -> bool {
    page.lines.iter().any(|line| line.part != Part::Words)
}

fn of_part(part: Part) -> Mark {
    match part {
        Part::Words => Mark::Words,
        Part::Quoted => Mark::Quoted,
        Part::SetApart => Mark::SetApart,
        Part::Around => Mark::Around,
        Part::Attribution => Mark::Attribution,
        Part::Signature => Mark::Signature,
        Part::Cut => Mark::Cut,
    }
}

fn mark(text: &str, part: Mark) -> Mark {
    let trimmed = text.trim_start();
    match part {
        Mark::Cut => Mark::Cut,
        _ if trimmed.is_empty() => Mark::Blank,
        Mark::Words if trimmed.starts_with('>') => Mark::Quoted,
        part => part,
    }
}

/// What stands between two fences is code; a fence without its second one is not.
fn fence(lines: &mut [Line<'_>]) {
    let mut opened = None;
    for at in 0..lines.len() {
        let is_fence = lines[at].mark == Mark::Words && lines[at].text.trim_start().starts_with(FENCE);
        match (is_fence, opened) {
            (true, None) => opened = Some(at),
            (true, Some(start)) => {
                for line in &mut lines[start..=at] {
                    line.mark = Mark::Code;
                }
                opened = None;
            }
            (false, _) => {}
        }
    }
}

/// What OpenPGP puts around a signed text (RFC 9580, section 7), and before those of its lines that begin with a dash.
fn sign(lines: &mut [Line<'_>]) {
    let (mut head, mut signed, mut tail) = (false, false, false);
    for line in lines.iter_mut().filter(|line| matches!(line.mark, Mark::Words)) {
        let text = line.text.trim_end();
        head = text == "-----BEGIN PGP SIGNED MESSAGE-----" || (head && text.starts_with("Hash:"));
        tail |= text == "-----BEGIN PGP SIGNATURE-----";
        signed = (signed || head) && !tail;
        line.text = line.text.strip_prefix("- ").filter(|_| signed).unwrap_or(line.text);
        if head || tail {
            line.mark = Mark::Signature;
        }
        tail &= text != "-----END PGP SIGNATURE-----";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(text: &str) -> Vec<Mark> {
        of_text(text).iter().map(|line| line.mark).collect()
    }

    #[test]
    fn what_signs_a_text_is_none_of_its_words() {
        let armor = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----";
        let signed = &format!("- one\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nwords\n- - two\n- -- \n{armor}\n- more");
        let own: Vec<&str> = of_text(signed).iter().filter(|line| line.mark == Mark::Words).map(|line| line.text).collect();
        assert_eq!(own, ["- one", "words", "- two", "-- ", "- more"]);
    }

    #[test]
    fn lines_are_quoted_by_their_mark_and_code_by_two_fences() {
        assert_eq!(marks("a\n \n> b\n  >> c"), [Mark::Words, Mark::Blank, Mark::Quoted, Mark::Quoted]);
        assert_eq!(marks("```\n> b\n\n```\n> c"), [Mark::Code, Mark::Code, Mark::Code, Mark::Code, Mark::Quoted]);
        assert_eq!(marks("```\n> b"), [Mark::Words, Mark::Quoted]);
    }
}
