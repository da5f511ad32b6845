//! The part of a report that is made for machines: a group of fields for each recipient (RFC 3464, section 2.1; RFC 6533 for UTF-8 addresses).
//!
//! Mail systems leave blank lines inside groups and none between them, so a field that comes again begins the next group as well.

use super::{RECIPIENTS_MAX, address, status};
use crate::mail::line;

/// Bytes of a status part, or of a text with fields in it, that are read.
pub const FIELDS_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one field with its continuation lines. The rest is dropped.
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// The fields that are read, all others end a field before them.
const NAMES: [&str; 7] =
    ["original-recipient", "final-recipient", "x-actual-recipient", "action", "status", "diagnostic-code", "x-supplementary-info"];

/// What became of a mail to one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Failed,
    Delayed,
    /// Delivered, relayed or expanded: good news.
    Done,
}

/// What a report says of one recipient.
#[derive(Debug, Default)]
pub struct Group {
    /// The address that the sender of the reported mail wrote.
    pub original: Option<String>,
    /// The address at which it ended, perhaps after forwarding.
    pub last: Option<String>,
    pub action: Option<Action>,
    /// An enhanced status code.
    pub status: Option<String>,
    pub diagnostic: String,
}

impl Group {
    pub fn names_an_address(&self) -> bool {
        self.original.is_some() || self.last.is_some()
    }

    fn has(&self, name: &str) -> bool {
        match name {
            "original-recipient" => self.original.is_some(),
            "final-recipient" => self.last.is_some(),
            "action" => self.action.is_some(),
            "status" => self.status.is_some(),
            _ => false,
        }
    }

    fn is_whole(&self) -> bool {
        self.names_an_address() && (self.action.is_some() || self.status.is_some())
    }

    fn is_empty(&self) -> bool {
        !self.names_an_address() && self.action.is_none() && self.status.is_none()
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "original-recipient" => self.original = recipient(value),
            "final-recipient" => self.last = recipient(value),
            "x-actual-recipient" if self.last.is_none() => self.last = recipient(value),
            "action" => self.action = action(value),
            "status" => self.status = status::enhanced(value),
            "diagnostic-code" | "x-supplementary-info" if self.diagnostic.is_empty() => self.diagnostic = value.to_owned(),
            _ => {}
        }
    }
}

/// The groups in a status part, or in a text that holds what should have been one.
pub fn groups(text: &str) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut group = Group::default();
    let mut field: Option<(&'static str, String)> = None;
    let mut blank_seen = false;
    for line in line::lines(line::cut_bytes(text, FIELDS_BYTES_MAX)) {
        let is_blank = line.trim().is_empty();
        let named = named_field(line);
        if named.is_none() && line.starts_with([' ', '\t']) && !is_blank {
            if let Some((_, value)) = field.as_mut().filter(|(_, value)| value.len() + line.len() < FIELD_BYTES_MAX) {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        if let Some((name, value)) = field.take() {
            group.take(name, &value);
        }
        blank_seen |= is_blank;
        let begins = |name: &str| group.has(name) || (blank_seen && name.ends_with("recipient") && group.is_whole());
        if named.is_some_and(|(name, _)| begins(name)) {
            groups.push(std::mem::take(&mut group));
            if groups.len() == RECIPIENTS_MAX {
                return groups;
            }
        }
        blank_seen &= named.is_none();
        field = named.map(|(name, value)| (name, line::cut_bytes(value, FIELD_BYTES_MAX).to_owned()));
    }
    if let Some((name, value)) = field {
        group.take(name, &value);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// The values of a field of this name, one a line, wherever it stands in the text.
pub fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    line::lines(line::cut_bytes(text, FIELDS_BYTES_MAX)).filter_map(move |line| value_of(line, name)).filter(|value| !value.is_empty())
}

fn named_field(line: &str) -> Option<(&'static str, &str)> {
    let (written, value) = name_and_value(line)?;
    NAMES.iter().find(|name| written.eq_ignore_ascii_case(name)).map(|name| (*name, value.trim()))
}

/// What stands before the first colon, and behind it with its blanks.
fn name_and_value(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches([' ', '\t', '>']);
    let colon = memchr::memchr(b':', line.as_bytes())?;
    Some((line[..colon].trim_end(), &line[colon + 1..]))
}

fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    name_and_value(line).filter(|(written, _)| written.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn action(value: &str) -> Option<Action> {
    let value = value.to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| value.starts_with(word));
    if begins(&["fail", "expired", "reject"]) {
        Some(Action::Failed)
    } else if begins(&["delay", "defer"]) {
        Some(Action::Delayed)
    } else if begins(&["deliver", "relay", "expand"]) {
        Some(Action::Done)
    } else {
        None
    }
}

/// `rfc822; a@b.example`, with or without the type, brackets and a comment.
pub fn recipient(value: &str) -> Option<String> {
    let value = value.split_once(';').map_or(value, |(_, address)| address).trim();
    if value.is_ascii() && !value.contains("\\x{") {
        return address::first(value);
    }
    // Brackets let it hold letters of every script.
    let word = unescape(value.split_whitespace().next().unwrap_or_default());
    address::first(&format!("<{}>", word.trim_matches(['<', '>'])))
}

/// `\x{e9}` and the letter that it stands for (RFC 6533, section 3).
fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut parts = value.split("\\x{");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let letter = part.split_once('}').and_then(|(digits, rest)| {
            let code = u32::from_str_radix(digits, 16).ok()?;
            char::from_u32(code).filter(|letter| !letter.is_control()).map(|letter| (letter, rest))
        });
        match letter {
            Some((letter, rest)) => {
                plain.push(letter);
                plain.push_str(rest);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipient_has_a_group_even_where_blank_lines_are_missing_or_too_many() {
        let tidy = "Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; b@a.example\nAction: failed\nStatus: 5.1.1\n\nFinal-Recipient: rfc822;c@a.example\nAction: delayed\nStatus: 4.4.1\n";
        let tight = tidy.replace("\n\n", "\n");
        let loose = tidy.replace("\nStatus", "\n\nStatus").replace("\nAction", "\n\nAction");
        for text in [tidy, tight.as_str(), loose.as_str()] {
            let groups = groups(text);
            let read: Vec<_> = groups.iter().filter(|group| group.names_an_address()).map(|group| (group.last.as_deref(), group.action)).collect();
            assert_eq!(read, [(Some("b@a.example"), Some(Action::Failed)), (Some("c@a.example"), Some(Action::Delayed))], "{text}");
        }
    }

    #[test]
    fn fields_are_folded_commented_and_in_any_order() {
        let groups =
            groups("action: Failed (given up)\nfinal-recipient : RFC822; <B@A.example> (Bo)\nDiagnostic-Code: smtp; 550\n  5.1.1 no such\n\tuser\n");
        let group = &groups[0];
        assert_eq!((group.last.as_deref(), group.action), (Some("b@a.example"), Some(Action::Failed)));
        assert_eq!(group.diagnostic, "smtp; 550 5.1.1 no such user");
    }

    #[test]
    fn addresses_of_every_type_are_read_and_what_is_no_address_is_none() {
        assert_eq!(recipient("utf-8; j\\x{f6}rg@a.example").as_deref(), Some("jörg@a.example"));
        assert_eq!(recipient("LOCAL;<b@a.example>").as_deref(), Some("b@a.example"));
        assert_eq!(recipient("b@a.example").as_deref(), Some("b@a.example"));
        assert_eq!(recipient("x400; /c=xx/s=b"), None);
        assert_eq!(recipient("rfc822; bob"), None);
        assert_eq!(recipient("utf-8; \\x{110000}"), None);
    }

    #[test]
    fn groups_end_at_their_limit() {
        let many = "Final-Recipient: rfc822; b@a.example\nAction: failed\n\n".repeat(RECIPIENTS_MAX * 2);
        assert_eq!(groups(&many).len(), RECIPIENTS_MAX);
    }
}
