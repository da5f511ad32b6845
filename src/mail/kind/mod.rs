//! Who speaks: a person or a machine. Only strong signs count, because a person taken for a machine gets no answer.
//!
//! Nothing here proves anything: whoever wants to be taken for a machine can be.

mod report;
mod machine;
mod absence;
mod subject;
mod failure;
mod words;

use super::{Address, MailKind, bounce, header::Headers, seen::Seen, sender};

/// Bytes of a calendar part that are searched for its method.
const CALENDAR_BYTES_MAX: usize = 64 * 1024;

/// Accounts of lists and of mail systems.
const NOBODYS_OWN: [&str; 3] = ["mailer-daemon", "postmaster", "listserv"];
const NOBODYS_ENDINGS: [&str; 4] = ["-request", "-owner", "-bounces", "-relay"];

/// Methods by which somebody answers an invitation or asks about one (RFC 5546). Invitations themselves are written by people.
const CALENDAR_ANSWERS: [&str; 4] = ["reply", "counter", "refresh", "declinecounter"];

pub fn kind(seen: &Seen<'_>) -> MailKind {
    let text = bounce::body(seen);
    let seen = &Seen { text: &text, ..*seen };
    report::complaint(seen)
        .or_else(|| report::receipt(seen))
        .or_else(|| report::delivery(seen))
        .or_else(|| calendar_answer(seen))
        .or_else(|| machine::kind(seen))
        .unwrap_or(MailKind::Person)
}

/// Whether no program may answer the mail, whoever wrote it: it asks for that, it names nobody to answer, or an answer would go to a list or to those who run
/// one (RFC 3834, section 2).
pub fn takes_no_automatic_answer(headers: &Headers<'_>, from: Option<&Address>) -> bool {
    let is_nobodys_own = |from: &Address| {
        let local = from.address.split('@').next().unwrap_or_default();
        local.starts_with("owner-") || NOBODYS_ENDINGS.iter().any(|end| local.ends_with(end)) || NOBODYS_OWN.contains(&local)
    };
    let is_group = || from.is_some_and(|from| sender::is_a_group(headers, from));
    machine::asks_for_silence(headers) || has_null_return_path(headers) || from.is_some_and(is_nobodys_own) || is_group()
}

/// An answer to an invitation.
fn calendar_answer(seen: &Seen<'_>) -> Option<MailKind> {
    let bytes = seen.calendar?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(CALENDAR_BYTES_MAX)]);
    // A comment of the attendee could hold such a line too, behind the method itself.
    let method = text.lines().find_map(calendar_method)?;
    CALENDAR_ANSWERS.contains(&method.as_str()).then_some(MailKind::Calendar)
}

fn calendar_method(line: &str) -> Option<String> {
    let (name, method) = line.split_once(':')?;
    let name = name.split(';').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case("method").then(|| method.trim().to_ascii_lowercase())
}

fn value<'a>(headers: &'a Headers<'_>, name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
}

/// The first word of a header, in lower case, without a comment or parameters.
fn token(headers: &Headers<'_>, name: &str) -> String {
    let value = value(headers, name).unwrap_or_default();
    value.split([';', '(', ' ', ',']).find(|word| !word.is_empty()).unwrap_or_default().trim().to_ascii_lowercase()
}

/// The mail was sent with nobody to return it to, as machines must send what could start a loop (RFC 5321, section 4.5.5).
fn has_null_return_path(headers: &Headers<'_>) -> bool {
    value(headers, "return-path").is_some_and(|path| {
        let path = path.trim().trim_matches(['<', '>', ' ']).to_ascii_lowercase();
        path.is_empty() || path == "mailer-daemon" || path.starts_with("mailer-daemon@")
    })
}

/// A mail that refers to an earlier one.
fn is_answer(headers: &Headers<'_>) -> bool {
    ["in-reply-to", "references"].iter().any(|name| value(headers, name).is_some_and(|value| !value.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{
        Attachment,
        header::{HeaderLine, Line},
    };

    pub(super) fn of(headers: &[(&str, &str)], subject: &str, from: &str, text: &str, parts: &[(&str, &str)]) -> MailKind {
        let headers: Vec<HeaderLine<'_>> = headers.iter().map(|(name, value)| (*name, Line::from((*value).to_owned()))).collect();
        let from = Address { address: from.to_owned(), name: None };
        let part = |(media_type, text): &(&str, &str)| Attachment {
            name: "part".to_owned(),
            media_type: (*media_type).to_owned(),
            bytes: (*text).into(),
            ..Attachment::default()
        };
        let attachments: Vec<Attachment> = parts.iter().map(part).collect();
        let calendar = attachments.iter().find(|part| part.media_type == "text/calendar").map(|part| part.bytes.as_slice());
        kind(&Seen { headers: &headers, subject, from: Some(&from), text, attachments: &attachments, calendar })
    }

    #[test]
    fn answers_to_invitations_are_told_from_invitations_by_their_method() {
        for (method, expected) in [
            ("REPLY", MailKind::Calendar),
            ("counter", MailKind::Calendar),
            ("REFRESH", MailKind::Calendar),
            ("DECLINECOUNTER", MailKind::Calendar),
            ("REQUEST", MailKind::Person),
            ("PUBLISH", MailKind::Person),
            ("CANCEL", MailKind::Person),
        ] {
            let calendar = format!("BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nCOMMENT:x\r\nMETHOD:REPLY\r\n");
            assert_eq!(of(&[], "Accepted: x", "ann@a.example", "", &[("text/calendar", &calendar)]), expected, "{method}");
        }
    }
}
