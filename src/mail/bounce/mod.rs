//! What a bounce, a delay or a complaint reports on: which addresses, for good or for now, and which mail of ours.
//!
//! The fields for machines are believed first, then the words of the mail system, then the header of the mail that it gives back. Nothing here
//! proves that a report is honest: anyone can send one.

mod fields;
mod address;
mod text;
mod status;
mod words;
mod original;
mod notification;

pub(super) use fields::{Action, Group};
pub(super) use original::{has_header, parts as original_parts, split as split_original};
pub(super) use words::normalized;

use std::borrow::Cow;

use super::{Bounce, MailKind, Recipient, charset, line::cut_bytes, part::without_carriage_returns, seen::Seen};

/// Recipients of a report that are kept. The rest is dropped.
pub const RECIPIENTS_MAX: usize = 100;

/// Bytes of a report's text that are searched.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Status parts, by which a report is one (RFC 3464, RFC 6533), and how some mail systems misname them.
const STATUS_PARTS: [&str; 4] =
    ["message/delivery-status", "message/global-delivery-status", "message/xdelivery-status", "message/delivery-status-notification"];

/// The report in a mail of this kind; nothing in a mail that reports nothing.
pub fn read(kind: MailKind, seen: &Seen<'_>) -> Option<Bounce> {
    let text = body(seen);
    let seen = &Seen { text: &text, ..*seen };
    let list = match kind {
        MailKind::Bounce | MailKind::Delayed => undelivered(kind, seen),
        MailKind::Complaint => complained(seen),
        MailKind::Person | MailKind::AutoReply | MailKind::Automatic | MailKind::Bulk | MailKind::Calendar => return None,
    };
    let notified = notification::read(seen.text);
    let original_message_id = notified.and_then(|notified| notified.original_message_id).or_else(|| original::message_id(seen));
    Some(Bounce { recipients: list.recipients, only_addressees: list.only_addressees, reached: list.reached, original_message_id })
}

/// The text; where the boundaries of a report are broken so that no part was found, all that came.
pub(super) fn body<'a>(seen: &Seen<'a>) -> Cow<'a, str> {
    let unread = seen.attachments.iter().find(|attachment| attachment.media_type.starts_with("multipart/"));
    match unread {
        Some(part) if seen.text.trim().is_empty() => {
            String::from_utf8_lossy(&part.bytes[..part.bytes.len().min(fields::FIELDS_BYTES_MAX)]).replace("\r\n", "\n").into()
        }
        _ => Cow::Borrowed(seen.text),
    }
}

/// The groups of fields in the status part, or in the text where a mail system lost the part.
pub(super) fn groups(seen: &Seen<'_>) -> Vec<Group> {
    let of_part = status_part(seen).map(|text| fields::groups(&text)).unwrap_or_default();
    if of_part.iter().any(|group| group.names_an_address() || group.action.is_some()) {
        return of_part;
    }
    let mut of_text = fields::groups(cut_bytes(seen.text, fields::FIELDS_BYTES_MAX));
    of_text.retain(|group| group.names_an_address() && (group.action.is_some() || group.status.is_some()));
    if of_text.is_empty() { of_part } else { of_text }
}

/// The text of the status part, if there is one.
pub(super) fn status_part<'a>(seen: &Seen<'a>) -> Option<Cow<'a, str>> {
    let part = seen.attachments.iter().find(|attachment| STATUS_PARTS.contains(&attachment.media_type.as_str()))?;
    let start = &part.bytes[..part.bytes.len().min(fields::FIELDS_BYTES_MAX)];
    Some(without_carriage_returns(charset::utf8(start)))
}

pub(super) fn notified_kind(seen: &Seen<'_>) -> Option<MailKind> {
    notification::read(seen.text).map(|notified| notified.kind)
}

/// Whose mail came late or not at all.
fn undelivered(kind: MailKind, seen: &Seen<'_>) -> List {
    if let Some(notified) = notification::read(seen.text).filter(|notified| !notified.recipients.is_empty()) {
        return List::of(notified.recipients);
    }
    let mut list = List::default();
    let (done, not_done): (Vec<_>, Vec<_>) = groups(seen).into_iter().partition(|group| group.action == Some(Action::Done));
    list.reached = done.into_iter().flat_map(|group| [group.original, group.last]).flatten().take(RECIPIENTS_MAX).collect();
    for group in &not_done {
        let status = status_of(group);
        let permanent = match group.action {
            Some(Action::Delayed) => Some(false),
            Some(Action::Failed | Action::Done) | None => status.as_deref().and_then(status::is_permanent).or_else(|| by_kind(kind)),
        };
        let late = is_late(kind, group.action);
        // Of a forwarded mail both are named: we know the address that we wrote to, and who reads the record knows where it ended.
        for address in [&group.original, &group.last].into_iter().flatten() {
            let forwarded_from = group.original.clone().filter(|original| original != address);
            list.add(Recipient { address: address.clone(), forwarded_from, late, status: status.clone(), permanent });
        }
    }
    if list.recipients.is_empty() {
        by_words(kind, seen, &mut list);
    }
    list
}

/// Whether it is tried again. What was given up is not late, though its last status may be that of a failure that passes.
fn is_late(kind: MailKind, action: Option<Action>) -> bool {
    match action {
        Some(Action::Delayed) => true,
        Some(Action::Failed | Action::Done) => false,
        None => kind == MailKind::Delayed,
    }
}

/// The status field; where it says no more than its class, what the other server said.
fn status_of(group: &Group) -> Option<String> {
    let said = || status::of_text(&group.diagnostic);
    match &group.status {
        Some(status) if status::is_vague(status) => said().filter(|said| said.as_bytes()[0] == status.as_bytes()[0]).or_else(|| Some(status.clone())),
        Some(status) => Some(status.clone()),
        None => said(),
    }
}

/// From what a mail system writes for people, and last from the header of the mail itself.
fn by_words(kind: MailKind, seen: &Seen<'_>, list: &mut List) {
    let (report, _) = original::split(cut_bytes(seen.text, TEXT_BYTES_MAX));
    let whole = status::of_text(report).or_else(|| groups(seen).iter().find_map(status_of));
    let failed = seen.headers.iter().filter(|(name, _)| *name == "x-failed-recipients").flat_map(|(_, value)| address::all(value));
    let failed: Vec<String> = failed.map(|found| found.address).collect();
    let mentions = text::mentions(report, &others(seen));
    let said_of = |address: &str| mentions.iter().find(|mention| mention.address == address).and_then(|mention| status::of_text(mention.about));
    let worded = mentions.iter().filter(|mention| match mention.place {
        text::Place::Listed => true,
        // Where a header names them, prose adds nothing to it.
        text::Place::Prose => failed.is_empty(),
        text::Place::Addressee => false,
    });
    let address = |mention: &text::Mention<'_>| mention.address.clone();
    let mut named: Vec<String> = failed.iter().cloned().chain(worded.map(address)).collect();
    list.only_addressees = named.is_empty();
    if list.only_addressees {
        named = if mentions.is_empty() { original::recipients(seen) } else { mentions.iter().map(address).collect() };
    }
    for address in named {
        let mut status = said_of(&address).or_else(|| whole.clone());
        if kind == MailKind::Delayed {
            // Words imply the code of a failure.
            status = status.map(|status| format!("4{}", &status[1..]));
        }
        let permanent = status.as_deref().and_then(status::is_permanent).or_else(|| by_kind(kind));
        list.add(Recipient { address, late: is_late(kind, None), status, permanent, ..Recipient::default() });
    }
}

/// Addresses in a report that are no recipients of ours: its own sender and receiver.
fn others(seen: &Seen<'_>) -> Vec<String> {
    const NAMES: [&str; 5] = ["to", "delivered-to", "x-original-to", "envelope-to", "from"];
    let headers = seen.headers.iter().filter(|(name, _)| NAMES.contains(name));
    headers.flat_map(|(_, value)| address::all(cut_bytes(value, TEXT_BYTES_MAX))).map(|found| found.address).take(RECIPIENTS_MAX).collect()
}

fn by_kind(kind: MailKind) -> Option<bool> {
    match kind {
        MailKind::Bounce => Some(true),
        MailKind::Delayed => Some(false),
        MailKind::Person | MailKind::AutoReply | MailKind::Automatic | MailKind::Bulk | MailKind::Complaint | MailKind::Calendar => None,
    }
}

/// Who wants no more mail (RFC 5965, section 3.2): the report names him, or he writes himself, or the mail was to him.
fn complained(seen: &Seen<'_>) -> List {
    if let Some(notified) = notification::read(seen.text).filter(|notified| !notified.recipients.is_empty()) {
        return List::of(notified.recipients);
    }
    if let Some(from) = seen.from.filter(|_| is_unsubscription(seen)) {
        return List::of(vec![Recipient { address: from.address.clone(), ..Recipient::default() }]);
    }
    let part = seen.attachments.iter().find(|attachment| attachment.media_type == "message/feedback-report");
    let report = part.map(|part| String::from_utf8_lossy(&part.bytes[..part.bytes.len().min(fields::FIELDS_BYTES_MAX)]));
    let report = report.unwrap_or_else(|| Cow::Borrowed(cut_bytes(seen.text, TEXT_BYTES_MAX)));
    let mut list = List::default();
    for name in ["original-rcpt-to", "removal-recipient", "x-hmxmroriginalrecipient"] {
        for address in fields::values(&report, name).filter_map(fields::recipient) {
            list.add(Recipient { address, ..Recipient::default() });
        }
    }
    if list.recipients.is_empty() {
        list.only_addressees = true;
        for address in original::recipients(seen) {
            list.add(Recipient { address, ..Recipient::default() });
        }
    }
    list
}

/// A mail program asks, at the click of its user, that no more is sent to him.
pub(super) fn is_unsubscription(seen: &Seen<'_>) -> bool {
    let by_apple = seen.headers.iter().any(|(name, value)| *name == "x-apple-unsubscribe" && value.trim().eq_ignore_ascii_case("true"));
    let by_gmail = seen.subject.trim().eq_ignore_ascii_case("unsubscribe")
        && normalized(cut_bytes(seen.text, 1024)).starts_with("this message was automatically generated by gmail");
    by_apple || by_gmail
}

/// Recipients in order, each address once for itself and once for each from which mail was passed on to it.
#[derive(Default)]
struct List {
    recipients: Vec<Recipient>,
    only_addressees: bool,
    reached: Vec<String>,
}

impl List {
    fn of(recipients: Vec<Recipient>) -> Self {
        List { recipients, ..List::default() }
    }

    fn add(&mut self, recipient: Recipient) {
        let is_same = |known: &Recipient| (&known.address, &known.forwarded_from) == (&recipient.address, &recipient.forwarded_from);
        match self.recipients.iter().position(is_same) {
            // Of the several to whom an address led, one failed.
            Some(at) if self.recipients[at].late && !recipient.late => self.recipients[at] = recipient,
            None if self.recipients.len() < RECIPIENTS_MAX => self.recipients.push(recipient),
            Some(_) | None => {}
        }
    }
}
