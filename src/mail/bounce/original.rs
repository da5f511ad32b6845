//! The mail that a report is about: attached whole or by its header, or quoted in the text.

use std::{borrow::Cow, sync::LazyLock};

use super::{address, fields};
use crate::mail::{Attachment, charset, limits::MESSAGE_ID_BYTES_MAX, line, part::without_carriage_returns, phrase_set::PhraseSet, seen::Seen};

/// Bytes of an attached mail's header that are read.
const HEADER_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a value with its continuation lines. The rest is dropped.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// Parts that hold the mail or its header.
const MEDIA_TYPES: [&str; 8] = [
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
    "message/rfc822-headers",
    "text/rfc822-header",
    "text/rfc822",
    "message/partial",
];

/// Lines that announce the mail in a text, in lower case. Mail systems set them off with dashes and the like.
const ANNOUNCEMENTS: [&str; 37] = [
    "original message",
    "original mail",
    "original headers",
    "copy of the message",
    "copy of your message",
    "copy of the original",
    "copy of the headers",
    "unsent message",
    "undelivered message follows",
    "message text follows",
    "message header follows",
    "message headers follow",
    "header of the message",
    "headers of the message",
    "header of the original",
    "headers of the original",
    "contents of the original",
    "returned message",
    "returned mail follows",
    "received message",
    "message returned to sender",
    "text of your message",
    "first part of the message",
    "mensaje original",
    "copia del mensaje",
    "copie du message",
    "message d'origine",
    "en-têtes du message",
    "messaggio originale",
    "mensagem original",
    "kopie der nachricht",
    "ursprüngliche nachricht",
    "ursprüngliche nachrichtenkopfzeilen",
    "oorspronkelijk bericht",
    "исходное сообщение",
    "元のメッセージ",
    "原始邮件",
];

static ANNOUNCEMENT_SET: LazyLock<PhraseSet> = LazyLock::new(|| PhraseSet::of(ANNOUNCEMENTS));

/// Characters beside the words of an announcement.
const ORNAMENTS: [char; 12] = ['-', '=', '_', '*', '|', '.', ':', '~', '#', ' ', '+', '>'];

/// Longer lines are prose.
const ANNOUNCEMENT_CHARS_MAX: usize = 90;

/// Headers that a summary for people never shows.
const TECHNICAL: [&str; 8] =
    ["received:", "return-path:", "mime-version:", "dkim-signature:", "x-originating-ip:", "x-mailer:", "authentication-results:", "arc-seal:"];

/// The parts of a report that hold its original.
pub fn parts<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Attachment> {
    seen.attachments.iter().filter(|attachment| MEDIA_TYPES.contains(&attachment.media_type.as_str()))
}

/// A mail system's text apart from the original that it quotes.
pub fn split(text: &str) -> (&str, &str) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        // Nothing but the original comes first where nothing is said before it.
        if start > 0 && (is_announcement(line) || is_technical(line)) {
            return text.split_at(start);
        }
        start += line.len();
    }
    (text, "")
}

fn is_announcement(line: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.len() > 4 * ANNOUNCEMENT_CHARS_MAX || line.chars().count() > ANNOUNCEMENT_CHARS_MAX {
        return false;
    }
    let lower = line.to_lowercase();
    let words = lower.trim_matches(ORNAMENTS);
    let Some(announcement) = ANNOUNCEMENT_SET.first_in(words).map(|place| ANNOUNCEMENTS[place]) else { return false };
    let is_ruled = line.chars().take(2).all(|letter| ORNAMENTS.contains(&letter) && letter != ' ');
    let is_whole = words.ends_with(announcement) || ["follows", "follow", "following", "below"].iter().any(|end| words.ends_with(end));
    is_ruled || line.ends_with([':', '-', '：']) || is_whole
}

fn is_technical(line: &str) -> bool {
    let line = unquoted(line);
    line.contains(':') && TECHNICAL.iter().any(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// Its Message-ID, without brackets.
pub fn message_id(seen: &Seen<'_>) -> Option<String> {
    let own = header_values(seen, "message-id").find_map(id);
    let is_other = |found: &String| own.as_ref() != Some(found);
    let attached = parts(seen).find_map(|part| message_id_in(&header_block(&part.bytes)));
    let found = attached.or_else(|| {
        let texts = seen.attachments.iter().filter(|part| part.media_type.starts_with("message/") || part.media_type.starts_with("text/"));
        texts.filter_map(|part| message_id_in(&text_of(&part.bytes))).find(is_other)
    });
    let found = found.or_else(|| message_id_in(seen.text).filter(is_other));
    // A mail system refers to nothing but the mail that it reports on.
    found.or_else(|| header_values(seen, "in-reply-to").find_map(id)).or_else(|| header_values(seen, "references").filter_map(last_id).last())
}

fn header_values<'a>(seen: &Seen<'a>, name: &'a str) -> impl Iterator<Item = &'a str> {
    seen.headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| &**value)
}

/// Its recipients, where the report itself names none.
pub fn recipients(seen: &Seen<'_>) -> Vec<String> {
    for part in parts(seen) {
        let block = header_block(&part.bytes);
        for name in ["x-hmxmroriginalrecipient", "to", "x-apparently-to", "apparently-to", "delivered-to"] {
            let found: Vec<String> = field(&block, name).iter().flat_map(|value| address::all(value)).map(|found| found.address).collect();
            if !found.is_empty() {
                return found;
            }
        }
    }
    let (_, quoted) = split(seen.text);
    let quoted = if quoted.is_empty() { seen.text } else { quoted };
    field(quoted, "to").iter().flat_map(|value| address::all(value)).map(|found| found.address).collect()
}

/// Whether the attached original has a header of this name.
pub fn has_header(part: &Attachment, name: &str) -> bool {
    field(&header_block(&part.bytes), name).is_some()
}

/// The header of an attached mail, up to its first blank line behind a header; blank lines and continuation lines before it are passed over.
fn header_block(bytes: &[u8]) -> String {
    let text = charset::utf8(&bytes[..bytes.len().min(HEADER_BYTES_MAX)]);
    let mut block = String::with_capacity(text.len().min(8 * 1024));
    let mut begun = false;
    // A carriage return alone ends a line too.
    for line in line::lines(&text).flat_map(|line| line.split('\r')) {
        if line.trim().is_empty() {
            if begun {
                break;
            }
            continue;
        }
        begun = begun || line.contains(':') && !line.starts_with([' ', '\t']);
        block.push_str(line);
        block.push('\n');
    }
    block
}

fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    without_carriage_returns(charset::utf8(&bytes[..bytes.len().min(HEADER_BYTES_MAX)]))
}

fn message_id_in(text: &str) -> Option<String> {
    let standing = field(text, "message-id").as_deref().and_then(id);
    standing.or_else(|| ["x-original-message-id", "original-message-id"].iter().find_map(|name| fields::values(text, name).find_map(id)))
}

/// The first header of this name in a text, unfolded; it may be indented or quoted.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = line::lines(text);
    loop {
        let line = unquoted(lines.next()?);
        let Some(start) = line.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)) else { continue };
        let Some(value) = line[start.len()..].trim_start().strip_prefix(':') else { continue };
        let mut whole = line::cut_bytes(value.trim(), VALUE_BYTES_MAX).to_owned();
        for next in lines.by_ref() {
            let next = next.trim_start_matches(['>', '|']);
            let goes_on = next.starts_with([' ', '\t']) && !is_header_start(next);
            if !goes_on || next.trim().is_empty() || whole.len() + next.len() > VALUE_BYTES_MAX {
                break;
            }
            whole.push(' ');
            whole.push_str(next.trim());
        }
        return Some(whole);
    }
}

/// In an indented header each line begins with a blank; a name and a colon tell a header from a continuation.
fn is_header_start(line: &str) -> bool {
    let name = line.trim_start().split(':').next().unwrap_or_default();
    line.contains(": ") && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn unquoted(line: &str) -> &str {
    line.trim_start_matches([' ', '\t', '>', '|', '\u{a0}'])
}

/// `<a@b>`, or the first word where brackets are missing.
fn id(value: &str) -> Option<String> {
    let bracketed = value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(id, _)| id);
    let id = bracketed.unwrap_or_else(|| value.split([' ', '\t', ';', ',']).next().unwrap_or_default()).trim();
    let fits = !id.is_empty() && id.len() <= MESSAGE_ID_BYTES_MAX && !id.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    (fits && (bracketed.is_some() || id.contains('@'))).then(|| id.to_owned())
}

fn last_id(value: &str) -> Option<String> {
    value.rfind('<').and_then(|at| id(&value[at..])).or_else(|| value.split_whitespace().last().and_then(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_found_folded_indented_quoted_and_without_brackets() {
        for text in [
            "Message-ID: <one@a.example>\nMessage-ID: <two@a.example>",
            "Subject: x\nMessage-Id:\n <one@a.example>\n",
            "> > Message-ID : <one@a.example> (added by a relay)",
            "    From: b@a.example\n    message-id: one@a.example\n",
            "Reporting-MTA: dns; a.example\nX-Original-Message-ID: <one@a.example>",
        ] {
            assert_eq!(message_id_in(text).as_deref(), Some("one@a.example"), "{text}");
        }
        assert_eq!(message_id_in("The message id: none\nMessage-ID:\n\nReply"), None);
    }

    #[test]
    fn the_header_of_an_attached_mail_ends_before_its_body() {
        let block = header_block(b"\r\n\r\n\tby a.example\r\nTo: b@a.example\r\n\r\nMessage-ID: <quoted@a.example>\r\n");
        assert_eq!(field(&block, "to").as_deref(), Some("b@a.example"));
        assert_eq!(message_id_in(&block), None);
    }

    #[test]
    fn an_indented_header_is_unfolded_header_by_header() {
        let text = "  To: b@a.example,\n    c@a.example\n  Subject: x\n";
        assert_eq!(field(text, "to").as_deref(), Some("b@a.example, c@a.example"));
    }

    #[test]
    fn the_words_of_the_mail_system_end_where_the_original_begins() {
        for original in [
            "--- Below this line is a copy of the message.\n\nTo: x\n",
            "   ----- Unsent message follows -----\nx",
            "Received: from a\n",
            "Original message follows.\n",
        ] {
            let text = format!("<b@a.example>:\nYour original message was not delivered\n{original}");
            assert_eq!(split(&text).1, original);
        }
        for prose in ["x\nThe original message was received at noon\nfrom a", "x\n* Your original message was too big.\n"] {
            assert_eq!(split(prose).1, "");
        }
    }
}
