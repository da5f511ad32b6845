//! What the desk's own mails say, where a tenant wants them to say it otherwise than we do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mail::line::is_one_line;

/// Characters of the subject and of the text of a template.
const SUBJECT_CHARACTERS_MAX: usize = 200;
const TEXT_CHARACTERS_MAX: usize = 4_000;

/// What a letter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A proven sender is told that his mail became a ticket.
    Acknowledgement,
    /// What an agent says.
    Answer,
}

/// The language that the desk writes in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    #[default]
    En,
    De,
    Fr,
    Es,
    It,
    Nl,
}

/// The words of a letter, with placeholders in braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub purpose: Purpose,
    pub language: Language,
    pub subject: String,
    pub text: String,
}

impl Purpose {
    pub const ALL: [Purpose; 2] = [Purpose::Acknowledgement, Purpose::Answer];

    pub fn name(self) -> &'static str {
        match self {
            Purpose::Acknowledgement => "acknowledgement",
            Purpose::Answer => "answer",
        }
    }

    /// What may stand in braces in the text. An acknowledgement does not repeat the words of a mail: they would reach whomever it names.
    fn placeholders(self) -> &'static [&'static str] {
        match self {
            Purpose::Acknowledgement => &["number", "subject", "agent"],
            Purpose::Answer => &["number", "subject", "text", "agent", "signature"],
        }
    }
}

/// The same for a subject of either.
const IN_A_SUBJECT: &[&str] = &["number", "subject"];

impl Language {
    pub const ALL: [Language; 6] = [Language::En, Language::De, Language::Fr, Language::Es, Language::It, Language::Nl];
}

/// Why templates cannot be kept, if they cannot.
pub(super) fn check(templates: &[Template]) -> Result<(), String> {
    for (at, template) in templates.iter().enumerate() {
        let Template { purpose, language, subject, text } = template;
        if templates[..at].iter().any(|other| (other.purpose, other.language) == (*purpose, *language)) {
            return Err("`templates` has one for each purpose and language at most".to_owned());
        }
        if !(1..=SUBJECT_CHARACTERS_MAX).contains(&subject.chars().count()) || !is_one_line(subject) {
            return Err(format!("the subject of a template is one line of 1 to {SUBJECT_CHARACTERS_MAX} characters"));
        }
        if text.trim().is_empty() || text.chars().count() > TEXT_CHARACTERS_MAX || text.chars().any(|letter| letter.is_control() && letter != '\n') {
            return Err(format!("the text of a template has 1 to {TEXT_CHARACTERS_MAX} characters and no control characters but line ends"));
        }
        for (part, known) in [(subject, IN_A_SUBJECT), (text, purpose.placeholders())] {
            if placeholders(part).any(|name| !known.contains(&name)) {
                return Err(format!("the placeholders of the template `{}` are {{{}}}", purpose.name(), known.join("}, {")));
            }
        }
        if *purpose == Purpose::Answer && !placeholders(text).any(|name| name == "text") {
            return Err("the text of the template `answer` needs {text}: without it nothing is answered".to_owned());
        }
    }
    Ok(())
}

/// The names in braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Placeholder(name) => Some(name),
        Piece::Words(_) => None,
    })
}

/// The text with the value of each placeholder in its place. What stands in a value is not looked at again.
pub fn filled<'a>(text: &str, value: impl Fn(&str) -> &'a str) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        filled.push_str(match piece {
            Piece::Words(words) => words,
            Piece::Placeholder(name) => value(name),
        });
    }
    filled
}

enum Piece<'a> {
    Words(&'a str),
    /// A word of letters in braces.
    Placeholder(&'a str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let after = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        if let Some((name, after)) =
            after.filter(|(name, _)| !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_alphabetic() || letter == b'_'))
        {
            rest = after;
            return Some(Piece::Placeholder(name));
        }
        let first = rest.chars().next()?;
        let end = rest[first.len_utf8()..].find('{').map_or(rest.len(), |at| at + first.len_utf8());
        let (words, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Words(words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(purpose: Purpose, subject: &str, text: &str) -> Template {
        Template { purpose, language: Language::De, subject: subject.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_value_is_put_in_once_and_not_read_again() {
        let value = |name: &str| if name == "text" { "{agent} {text} }{" } else { "A" };
        assert_eq!(filled("{{text}}{agent} {", value), "{{agent} {text} }{}A {");
        assert_eq!(filled("ü{ text }{}{a1}", value), "ü{ text }{}{a1}");
        assert_eq!(filled("", value), "");
    }

    #[test]
    fn a_template_has_placeholders_that_are_known_and_no_control_characters() {
        let letter = |subject: &str, text: &str| check(&[template(Purpose::Answer, subject, text)]);
        assert_eq!(letter("Re: {subject} {number}", "{text}\n{agent}\n{signature} {number} {subject} { } {}"), Ok(()));
        let long = "x".repeat(TEXT_CHARACTERS_MAX);
        for (subject, text) in [
            ("", "{text}"),
            ("two\r\nlines", "{text}"),
            ("{text}", "{text}"),
            ("S", "{text} {name}"),
            ("S", "{Text}"),
            ("S", "no words"),
            ("S", "{text}\u{0}"),
            ("S", "{text}\r\n"),
            ("S", &format!("{{text}}{long}")),
            (&"s".repeat(SUBJECT_CHARACTERS_MAX + 1), "{text}"),
        ] {
            assert!(letter(subject, text).is_err(), "{subject:.20} {text:.20}");
        }
        assert!(check(&[template(Purpose::Acknowledgement, "S", "{text}")]).is_err(), "it repeats nobody's words");
        assert!(check(&[template(Purpose::Acknowledgement, "S", "{number}"), template(Purpose::Answer, "S", "{text}")]).is_ok());
        assert!(check(&vec![template(Purpose::Acknowledgement, "S", "{number}"); 2]).is_err(), "one for each");
    }
}
