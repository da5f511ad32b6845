//! Reports on earlier mails: deliveries that failed or are late, complaints, receipts. In a form made for machines (RFC 3464, RFC 5965, RFC 8098) or
//! in the words of the many mail systems that have a form of their own.

use std::sync::LazyLock;

use super::{
    Seen,
    failure::is_failure,
    has_null_return_path, is_answer,
    subject::{begins_as_an_absence, is_answer_or_forwarded},
    token, value,
    words::{DELAY_WORDS, FAILURE_WORDS, FINAL_WORDS, SYSTEM_OPENINGS},
};
use crate::mail::{
    Address, MailKind,
    bounce::{self, Action, TEXT_BYTES_MAX, normalized},
    header::Headers,
    line::{cut_bytes, lines},
    phrase_set::PhraseSet,
    sender::UNREAD_ACCOUNTS,
};

static FAILURE: LazyLock<PhraseSet> = LazyLock::new(|| PhraseSet::of(FAILURE_WORDS.iter().copied()));
static DELAY: LazyLock<PhraseSet> = LazyLock::new(|| PhraseSet::of(DELAY_WORDS.iter().copied()));
static FINAL: LazyLock<PhraseSet> = LazyLock::new(|| PhraseSet::of(FINAL_WORDS.iter().copied()));

/// Bytes of a report's text in which it must say what it is. Persons quote reports below their own words.
const OPENING_BYTES_MAX: usize = 4 * 1024;

/// Local parts that only mail systems use.
const MAIL_SYSTEMS: [&str; 13] = [
    "mailer-daemon",
    "mail-daemon",
    "maildaemon",
    "mailerdaemon",
    "mailer_daemon",
    "mailer.daemon",
    "mdaemon",
    "mta-daemon",
    "mail.delivery.system",
    "mail-delivery-system",
    "mail.delivery.subsystem",
    "maildeliverysystem",
    "mail-delivery-subsystem",
];

/// How the subject of a complaint begins where the mail in question is all that comes with it; the address of a server follows.
const COMPLAINT_SUBJECT: &str = "complaint about message from";

/// How Exchange begins the local part of the address that its reports are from.
const EXCHANGE_LOCAL_PART: &str = "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e";

/// Beginnings of local parts and names, in lower case, behind which a mail system may stand, or its administrator, or a post office.
const OFFICES: [&str; 19] = [
    "postmaster",
    "post_master",
    "post-master",
    "sysadmin",
    "mailadmin",
    "system administrator",
    "systemadministrator",
    "systemadministrateur",
    "administrateur système",
    "mail administrator",
    "mail system",
    "microsoft outlook",
    "microsoft exchange",
    "mail router",
    "mail deliver",
    "mailer-daemon",
    "mailer daemon",
    "internet mail delivery",
    "bounce",
];

/// Headers that only reports and mail filters write, with the words in their values that tell.
const REPORT_HEADERS: [(&str, &str); 7] = [
    ("x-failed-recipients", "@"),
    ("x-ms-exchange-message-is-ndr", ""),
    ("x-content-filter-notification", ""),
    ("x-mailer", "smtp32"),
    ("x-mailer", "m-filter"),
    ("x-mailer", "surfcontrol"),
    ("x-mailer", "mailmarshal"),
];

/// How surely a mail system speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    MailSystem,
    /// Its administrator perhaps.
    Office,
    Somebody,
}

/// Somebody does not want our mail (RFC 5965), or a mail program unsubscribes him.
pub fn complaint(seen: &Seen<'_>) -> Option<MailKind> {
    let content_type = content_type(seen.headers);
    let has = |media_type: &str| seen.attachments.iter().any(|attachment| attachment.media_type == media_type);
    let is_report = content_type.starts_with("multipart/report");
    let in_form = (is_report && content_type.contains("feedback-report")) || (has("message/feedback-report") && (is_report || !is_forwarded(seen)));
    // Some providers send the mail alone, with the recipient in a header of theirs or the server's address in the subject.
    let subject = seen.subject.trim().to_ascii_lowercase();
    let names_a_server =
        subject.strip_prefix(COMPLAINT_SUBJECT).is_some_and(|rest| rest.trim_start().starts_with(|letter: char| letter.is_ascii_digit()));
    let gives_back = |part| names_a_server || bounce::has_header(part, "x-hmxmroriginalrecipient");
    let alone = || bounce::original_parts(seen).any(gives_back) && !is_forwarded(seen);
    let in_text = || {
        let text = cut_bytes(seen.text, OPENING_BYTES_MAX);
        let has = |name: &str| lines(text).any(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        has("feedback-type:") && has("user-agent:") && !is_forwarded(seen)
    };
    let found = in_form || alone() || in_text() || bounce::is_unsubscription(seen) || bounce::notified_kind(seen) == Some(MailKind::Complaint);
    found.then_some(MailKind::Complaint)
}

/// A receipt for reading or deleting (RFC 8098): an answer that nobody wrote. A mail that a filter refused comes in this form as well.
pub fn receipt(seen: &Seen<'_>) -> Option<MailKind> {
    let content_type = content_type(seen.headers);
    let part = seen.attachments.iter().any(|attachment| attachment.media_type == "message/disposition-notification");
    let is_report = content_type.starts_with("multipart/report") && (part || content_type.contains("disposition-notification"));
    if !is_report || bounce::status_part(seen).is_some() {
        return None;
    }
    let opening = normalized(cut_bytes(seen.text, OPENING_BYTES_MAX));
    let refused = opening.contains("automatically rejected") || opening.contains("could not be delivered");
    Some(if refused { MailKind::Bounce } else { MailKind::AutoReply })
}

/// A delivery that failed or is late.
pub fn delivery(seen: &Seen<'_>) -> Option<MailKind> {
    if let Some(kind) = bounce::notified_kind(seen) {
        return Some(kind);
    }
    let content_type = content_type(seen.headers);
    let is_report = content_type.starts_with("multipart/report");
    let has_status = bounce::status_part(seen).is_some();
    let speaker = speaker(seen);
    // A person may forward a report; then it is no report of his own.
    let by_office = has_status && (speaker == Speaker::Office || has_report_header(seen.headers)) && !is_forwarded(seen);
    if !(is_report || by_office || speaker == Speaker::MailSystem) {
        return in_own_words(seen, speaker);
    }
    if !has_status && content_type.contains("report-type=") && !content_type.contains("delivery-status") {
        // On the transport of mails (RFC 8460) and the like.
        return Some(MailKind::Automatic);
    }
    let groups = bounce::groups(seen);
    by_actions(groups.iter().filter_map(|group| group.action)).or_else(|| {
        let said = said(seen);
        (is_report || has_status || said.fails || !begins_as_an_absence(seen.subject)).then(|| said.kind())
    })
}

/// A report without any form: who speaks, the subject and the first words must agree.
fn in_own_words(seen: &Seen<'_>, speaker: Speaker) -> Option<MailKind> {
    let fails_in_subject = is_failure(seen.subject);
    if speaker == Speaker::Somebody && !fails_in_subject {
        return None;
    }
    let said = said(seen);
    let by_machine = is_list_manager(seen) || has_null_return_path(seen.headers) || has_report_header(seen.headers);
    let generated = token(seen.headers, "auto-submitted").starts_with("auto-");
    let gives_back = || bounce::original_parts(seen).next().is_some() || !bounce::split_original(cut_bytes(seen.text, TEXT_BYTES_MAX)).1.is_empty();
    let is_delivery = match speaker {
        Speaker::MailSystem => said.fails || fails_in_subject,
        // Its administrator, too, may write of mails that do not arrive.
        Speaker::Office if fails_in_subject => {
            by_machine || (generated && !is_unread(seen)) || ((said.fails || said.is_late) && (said.begins_as_a_system || gives_back()))
        }
        Speaker::Office => said.fails && !is_forwarded(seen) && (by_machine || ((generated || is_unread(seen)) && gives_back())),
        Speaker::Somebody if by_machine => said.fails || said.is_late || value(seen.headers, "x-failed-recipients").is_some(),
        // Shops, too, report on deliveries.
        Speaker::Somebody if generated => said.fails && (said.begins_as_a_system || gives_back()),
        // Without another sign its first words must be those of a mail system: who passes a report on has words of his own before it.
        Speaker::Somebody => said.begins_as_a_system && said.fails && !is_forwarded(seen) && gives_back(),
    };
    is_delivery.then(|| said.kind())
}

fn by_actions(actions: impl Iterator<Item = Action>) -> Option<MailKind> {
    let weight = |action: &Action| match action {
        Action::Failed => 2,
        Action::Delayed => 1,
        Action::Done => 0,
    };
    actions.max_by_key(weight).map(|worst| match worst {
        Action::Failed => MailKind::Bounce,
        Action::Delayed => MailKind::Delayed,
        // As a receipt.
        Action::Done => MailKind::AutoReply,
    })
}

/// What subject and text say of a delivery.
struct Said {
    begins_as_a_system: bool,
    fails: bool,
    is_late: bool,
}

impl Said {
    fn kind(&self) -> MailKind {
        if self.is_late { MailKind::Delayed } else { MailKind::Bounce }
    }
}

fn said(seen: &Seen<'_>) -> Said {
    let subject = normalized(seen.subject);
    let (report, _) = bounce::split_original(cut_bytes(seen.text, TEXT_BYTES_MAX));
    let opening = normalized(cut_bytes(report, OPENING_BYTES_MAX));
    let has = |words: &PhraseSet| words.is_in(&subject) || words.is_in(&opening);
    Said {
        begins_as_a_system: SYSTEM_OPENINGS.iter().any(|start| opening.trim_start_matches(['-', '=', '*', ' ']).starts_with(start)),
        fails: FAILURE.is_in(&opening),
        is_late: has(&DELAY) && !has(&FINAL),
    }
}

fn speaker(seen: &Seen<'_>) -> Speaker {
    let written = value(seen.headers, "from").unwrap_or_default().to_lowercase();
    // From and Return-Path name nobody: no person's mail program sends that.
    if written.contains("<>") && has_null_return_path(seen.headers) {
        return Speaker::MailSystem;
    }
    let Some(Address { address, name }) = seen.from else { return Speaker::Somebody };
    let local = address.split('@').next().unwrap_or_default();
    let name = name.as_deref().unwrap_or_default().to_lowercase();
    // The name may stand in a comment: `a@b.example (Mail Delivery System)`.
    let comment = written.split_once('(').map_or("", |(_, comment)| comment);
    let is_named = |known: &&str| name.starts_with(*known) || comment.starts_with(*known);
    if MAIL_SYSTEMS.contains(&local) || local.starts_with(EXCHANGE_LOCAL_PART) {
        return Speaker::MailSystem;
    }
    let is_office = OFFICES.iter().any(|known| local.starts_with(known) || is_named(known));
    if is_office || is_unread(seen) || is_list_manager(seen) { Speaker::Office } else { Speaker::Somebody }
}

/// An account that nobody reads.
fn is_unread(seen: &Seen<'_>) -> bool {
    seen.from.is_some_and(|from| UNREAD_ACCOUNTS.contains(&from.address.split('@').next().unwrap_or_default()))
}

/// The program that manages a list; the mails of people on the list bear its header as well, and their own sender.
fn is_list_manager(seen: &Seen<'_>) -> bool {
    let local = seen.from.and_then(|from| from.address.split('@').next()).unwrap_or_default();
    let manages = ["-admin", "-ctl", "-request", "-bounces", "-owner"].iter().any(|end| local.ends_with(end)) || local.starts_with("owner-");
    manages && ["x-mlserver", "x-ml-name", "x-mailman-version", "list-id"].iter().any(|name| value(seen.headers, name).is_some())
}

fn has_report_header(headers: &Headers<'_>) -> bool {
    REPORT_HEADERS.iter().any(|(name, word)| value(headers, name).is_some_and(|value| value.to_ascii_lowercase().contains(word)))
}

/// Somebody passes a mail on, or answers one.
fn is_forwarded(seen: &Seen<'_>) -> bool {
    is_answer_or_forwarded(seen.subject) || is_answer(seen.headers)
}

fn content_type(headers: &Headers<'_>) -> String {
    value(headers, "content-type").unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    const REPORT: (&str, &str) = ("content-type", "multipart/report; report-type=delivery-status");

    #[test]
    fn a_report_says_what_it_reports() {
        for (action, expected) in [("failed", MailKind::Bounce), ("delayed", MailKind::Delayed), ("delivered", MailKind::AutoReply)] {
            let status =
                format!("Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@a.example\r\nAction: {action}\r\nStatus: 4.4.7\r\n");
            assert_eq!(of(&[REPORT], "x", "postmaster@a.example", "", &[("message/delivery-status", &status)]), expected);
        }
        let complaint = [("content-type", "Multipart/Report; report-type=\"feedback-report\"")];
        assert_eq!(of(&complaint, "x", "fbl@a.example", "", &[]), MailKind::Complaint);
        let receipt = [("content-type", "multipart/report; report-type=disposition-notification")];
        assert_eq!(of(&receipt, "Read: x", "ann@a.example", "", &[("message/disposition-notification", "")]), MailKind::AutoReply);
    }

    #[test]
    fn words_tell_failed_from_late_where_no_field_does() {
        let daemon = "mailer-daemon@a.example";
        for (subject, text, expected) in [
            ("failure notice", "", MailKind::Bounce),
            ("Delivery Status Notification (Delay)", "", MailKind::Delayed),
            ("Warning: could not send message for past 4 hours", "Will keep trying", MailKind::Delayed),
            ("Returned mail: delayed", "I have given up", MailKind::Bounce),
            ("Remise différée : x", "", MailKind::Delayed),
        ] {
            assert_eq!(of(&[], subject, daemon, text, &[]), expected, "{subject}");
        }
    }

    #[test]
    fn administrators_accounts_report_in_the_words_of_their_system() {
        for (subject, text) in [
            ("Unzustellbar: x", "Ihre Nachricht\n\n  An: b@b.example\n\nkonnte folgende(n) Empfänger nicht erreichen:\n\nb@b.example"),
            ("DELIVERY FAILURE: x", "Your message\n\n  Subject: x\n\nwas not delivered to:\n\n  b@b.example"),
            ("系统退信", "抱歉，您的邮件被退回来了\n收件人：b@b.example"),
        ] {
            assert_eq!(of(&[], subject, "postmaster@a.example", text, &[]), MailKind::Bounce, "{subject}");
        }
    }

    #[test]
    fn people_who_write_about_bounces_stay_people() {
        let quoted = "What does this mean?\n\n> This is the mail system at host a.example.\n> <b@a.example>: 550 5.1.1 User unknown\n> Message-ID: <1@a.example>";
        for (subject, from) in [
            ("Undelivered Mail Returned to Sender", "ann@a.example"),
            ("Fwd: Undelivered Mail Returned to Sender", "ann@a.example"),
            ("AW: Unzustellbar: x", "postmaster@a.example"),
            ("Mails of our users do not arrive", "postmaster@a.example"),
        ] {
            assert_eq!(of(&[("return-path", "<ann@a.example>")], subject, from, quoted, &[]), MailKind::Person, "{subject}");
        }
        let forwarded =
            [("message/delivery-status", "Final-Recipient: rfc822; b@a.example\nAction: failed\n"), ("message/rfc822", "To: b@a.example\n")];
        assert_eq!(of(&[("content-type", "multipart/mixed")], "Fwd: Undelivered", "ann@a.example", "See below", &forwarded), MailKind::Person);
    }

    #[test]
    fn a_mail_system_without_a_name_is_known_by_more_than_one_sign() {
        let text = "This message was created automatically by mail delivery software.\nIt could not be delivered to:\n<b@a.example>\n--- original message ---\nTo: b@a.example";
        assert_eq!(of(&[("return-path", "<>")], "Undeliverable mail", "robot@a.example", text, &[]), MailKind::Bounce);
        assert_eq!(of(&[], "Undeliverable mail", "robot@a.example", text, &[]), MailKind::Bounce);
        assert_eq!(of(&[], "Hello", "robot@a.example", text, &[]), MailKind::Person);
        assert_eq!(of(&[("x-failed-recipients", "b@a.example"), ("return-path", "<>")], "Mail failure", "x@a.example", "", &[]), MailKind::Bounce);
    }
}
