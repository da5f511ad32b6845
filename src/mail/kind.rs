//! Who speaks: a person or a machine. Only strong signs count, because a person taken for a machine gets no answer.

use super::{Address, Attachment, MailKind};

/// Headers in which automatic responders name themselves.
const AUTO_REPLY_HEADERS: [&str; 6] =
    ["x-autoreply", "x-auto-reply-from", "x-autorespond", "x-autoresponder", "x-mail-autoreply", "x-autoreply-from"];

/// Beginnings of subjects of absence notes. They decide between two kinds of machine and never make a machine of a person.
const ABSENCE_SUBJECTS: [&str; 9] = [
    "automatic reply",
    "auto reply",
    "auto:",
    "out of office",
    "automatische antwort",
    "abwesenheit",
    "réponse automatique",
    "respuesta automática",
    "自動応答",
];

/// The local parts from which mail systems report on deliveries.
const REPORTING_LOCAL_PARTS: [&str; 3] = ["mailer-daemon", "mail-daemon", "postmaster"];

/// Headers of the whole mail, names in lower case, in their order.
pub type Headers = [(String, String)];

/// What is looked at to tell who speaks.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub headers: &'a Headers,
    pub subject: &'a str,
    pub from: Option<&'a Address>,
    pub text: &'a str,
    /// Mails inside the mail are among them, unread.
    pub attachments: &'a [Attachment],
}

pub fn kind(seen: &Seen<'_>) -> MailKind {
    let Seen { headers, subject, from, attachments, .. } = *seen;
    report(headers, from, attachments)
        .or_else(|| calendar_reply(attachments))
        .or_else(|| undelivered(headers, subject, from))
        .or_else(|| automatic(headers, subject))
        .unwrap_or(MailKind::Person)
}

/// Reports in a form made for machines: RFC 3464, RFC 5965, RFC 8098.
fn report(headers: &Headers, from: Option<&Address>, attachments: &[Attachment]) -> Option<MailKind> {
    let content_type = value(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
    let is_report = content_type.starts_with("multipart/report");
    let part = |media_type: &str| attachments.iter().find(|attachment| attachment.media_type == media_type);
    if is_report && (content_type.contains("feedback-report") || part("message/feedback-report").is_some()) {
        return Some(MailKind::Complaint);
    }
    if is_report && (content_type.contains("disposition-notification") || part("message/disposition-notification").is_some()) {
        return Some(MailKind::Automatic);
    }
    // A person may forward a report; then it is no report of his own.
    let status = part("message/delivery-status").or_else(|| part("message/global-delivery-status"))?;
    if !is_report && !is_reporting_address(from) {
        return None;
    }
    let text = String::from_utf8_lossy(&status.bytes).to_ascii_lowercase();
    let actions: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("action:")).map(|action| action.trim()).collect();
    let has = |action: &str| actions.iter().any(|found| found.starts_with(action));
    Some(if has("failed") {
        MailKind::Bounce
    } else if has("delayed") {
        MailKind::Delayed
    } else {
        MailKind::Automatic
    })
}

/// An answer to an invitation (RFC 5546).
fn calendar_reply(attachments: &[Attachment]) -> Option<MailKind> {
    let calendar = attachments.iter().find(|attachment| attachment.media_type == "text/calendar")?;
    let text = String::from_utf8_lossy(&calendar.bytes);
    text.lines().any(|line| line.trim_end().eq_ignore_ascii_case("METHOD:REPLY")).then_some(MailKind::Calendar)
}

/// A mail system's own mail that is no RFC 3464 report.
fn undelivered(headers: &Headers, subject: &str, from: Option<&Address>) -> Option<MailKind> {
    let null_return_path = value(headers, "return-path").is_some_and(|path| path.trim() == "<>");
    let is_daemon = from.is_some_and(|from| from.address.starts_with("mailer-daemon@") || from.address.starts_with("mail-daemon@"));
    let failed_recipients = value(headers, "x-failed-recipients").is_some();
    if !(is_daemon || (is_reporting_address(from) && null_return_path) || (failed_recipients && null_return_path)) {
        return None;
    }
    let subject = subject.to_lowercase();
    let delayed = ["delayed", "delay)", "(delay", "warning: could not send", "warning: message"].iter().any(|sign| subject.contains(sign));
    Some(if delayed { MailKind::Delayed } else { MailKind::Bounce })
}

fn automatic(headers: &Headers, subject: &str) -> Option<MailKind> {
    let precedence = token(headers, "precedence");
    if token(headers, "auto-submitted") == "auto-replied"
        || matches!(precedence.as_str(), "auto_reply" | "auto-reply")
        || is_auto_reply_header(headers)
    {
        return Some(MailKind::AutoReply);
    }
    let machine = machine_signs(headers);
    if machine && is_absence(subject) {
        return Some(MailKind::AutoReply);
    }
    // A group that forwards to the help desk adds list headers to the mails of people.
    let through_group = value(headers, "x-google-group-id").is_some();
    let listed = value(headers, "list-unsubscribe").is_some() || value(headers, "list-id").is_some() || precedence == "list";
    if !through_group && (listed || matches!(precedence.as_str(), "bulk" | "junk")) {
        return Some(MailKind::Bulk);
    }
    machine.then_some(MailKind::Automatic)
}

fn is_auto_reply_header(headers: &Headers) -> bool {
    let named = AUTO_REPLY_HEADERS.iter().any(|name| value(headers, name).is_some_and(|value| !matches!(value.trim(), "no" | "No" | "NO" | "")));
    named || token(headers, "x-autogenerated") == "reply"
}

/// Generated by a machine, be it as an answer or on its own.
fn machine_signs(headers: &Headers) -> bool {
    let submitted = token(headers, "auto-submitted");
    // `DR`, `RN` and `NRN` are about receipts, and people's mail programs send them.
    let suppressed = value(headers, "x-auto-response-suppress").unwrap_or_default().to_ascii_lowercase();
    let suppresses_all = suppressed.split(',').any(|item| matches!(item.trim(), "all" | "oof" | "autoreply"));
    submitted.starts_with("auto-") || suppresses_all || value(headers, "x-autogenerated").is_some()
}

fn is_absence(subject: &str) -> bool {
    let subject = subject.trim_start().to_lowercase();
    ABSENCE_SUBJECTS.iter().any(|start| subject.starts_with(start))
}

fn is_reporting_address(from: Option<&Address>) -> bool {
    let local_part = from.and_then(|from| from.address.split('@').next()).unwrap_or_default();
    REPORTING_LOCAL_PARTS.contains(&local_part)
}

fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The first word of a header, in lower case, without a comment or parameters.
fn token(headers: &Headers, name: &str) -> String {
    let value = value(headers, name).unwrap_or_default();
    value.split([';', '(', ' ', ',']).find(|word| !word.is_empty()).unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&str, &str)], subject: &str, from: &str, part: Option<(&str, &str)>) -> MailKind {
        let headers: Vec<(String, String)> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let from = Address { address: from.to_owned(), name: None };
        let attachments: Vec<Attachment> = part
            .map(|(media_type, text)| Attachment {
                name: "part".to_owned(),
                media_type: media_type.to_owned(),
                bytes: text.into(),
                inline: false,
                content_id: None,
            })
            .into_iter()
            .collect();
        kind(&Seen { headers: &headers, subject, from: Some(&from), text: "", attachments: &attachments })
    }

    #[test]
    fn weak_signs_do_not_make_a_machine_of_a_person() {
        for headers in [
            [("auto-submitted", "no")],
            [("x-auto-response-suppress", "DR, RN, NRN")],
            [("x-autoreply", "no")],
            [("precedence", "normal")],
            [("return-path", "<>")],
            [("x-google-group-id", "123")],
        ] {
            assert_eq!(of(&headers, "Out of office printer", "ann@a.example", None), MailKind::Person, "{headers:?}");
        }
        assert_eq!(of(&[], "Delayed again", "postmaster@a.example", None), MailKind::Person);
        assert_eq!(of(&[("list-id", "<x>"), ("x-google-group-id", "1"), ("precedence", "list")], "Help", "ann@a.example", None), MailKind::Person);
        let forwarded = Some(("message/delivery-status", "Action: failed\n"));
        assert_eq!(of(&[("content-type", "multipart/mixed")], "Fwd: Undelivered", "ann@a.example", forwarded), MailKind::Person);
        assert_eq!(of(&[], "Meeting", "ann@a.example", Some(("text/calendar", "METHOD:REQUEST\r\n"))), MailKind::Person);
    }

    #[test]
    fn machines_are_told_apart() {
        let robot = "robot@a.example";
        for (headers, subject, expected) in [
            (&[("auto-submitted", "auto-replied (vacation)")] as &[_], "Re: x", MailKind::AutoReply),
            (&[("auto-submitted", "Auto-Generated")], "Job done", MailKind::Automatic),
            (&[("auto-submitted", "auto-generated"), ("x-auto-response-suppress", "All")], "Automatic reply: x", MailKind::AutoReply),
            (&[("x-auto-response-suppress", "DR, OOF, AutoReply")], "Job done", MailKind::Automatic),
            (&[("precedence", "auto_reply")], "x", MailKind::AutoReply),
            (&[("precedence", "bulk")], "x", MailKind::Bulk),
            (&[("list-unsubscribe", "<https://a.example/u>")], "x", MailKind::Bulk),
            (&[("x-autorespond", "yes")], "x", MailKind::AutoReply),
            (&[("x-failed-recipients", "b@a.example"), ("return-path", "<>")], "x", MailKind::Bounce),
        ] {
            assert_eq!(of(headers, subject, robot, None), expected, "{headers:?}");
        }
        assert_eq!(of(&[], "failure notice", "mailer-daemon@a.example", None), MailKind::Bounce);
        assert_eq!(of(&[], "Delivery delayed: x", "mailer-daemon@a.example", None), MailKind::Delayed);
    }

    #[test]
    fn a_report_says_what_it_reports() {
        let report = [("content-type", "multipart/report; report-type=delivery-status")];
        for (action, expected) in [("failed", MailKind::Bounce), ("delayed", MailKind::Delayed), ("delivered", MailKind::Automatic)] {
            let status = format!("Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@a.example\r\nAction: {action}\r\n");
            assert_eq!(of(&report, "x", "postmaster@a.example", Some(("message/delivery-status", &status))), expected);
        }
        let complaint = [("content-type", "Multipart/Report; report-type=\"feedback-report\"")];
        assert_eq!(of(&complaint, "x", "fbl@a.example", None), MailKind::Complaint);
        assert_eq!(of(&[], "Accepted: x", "ann@a.example", Some(("text/calendar", "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n"))), MailKind::Calendar);
    }
}
