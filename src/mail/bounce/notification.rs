//! Reports of sending services as JSON, which they also send by mail: Amazon SES's through SNS.

use serde_json::Value;

use super::{List, TEXT_BYTES_MAX, status};
use crate::mail::{MailKind, Recipient};

/// What a service says of a mail of ours.
pub struct Notified {
    pub kind: MailKind,
    pub recipients: Vec<Recipient>,
    pub original_message_id: Option<String>,
}

/// Nothing unless the text begins with such a report; what follows it (how to unsubscribe) is left alone.
pub fn read(text: &str) -> Option<Notified> {
    let text = text.trim_start();
    if !text.starts_with('{') || text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let whole = values.next()?.ok()?;
    // Some subscriptions put the report, as text, into a member of another object.
    let inner = whole.get("Message").and_then(Value::as_str).and_then(|inner| serde_json::from_str::<Value>(inner).ok());
    let report = inner.as_ref().unwrap_or(&whole);
    let kind = match report.get("notificationType").or_else(|| report.get("eventType"))?.as_str()? {
        "Bounce" => MailKind::Bounce,
        "Complaint" => MailKind::Complaint,
        "DeliveryDelay" => MailKind::Delayed,
        _ => MailKind::Automatic,
    };
    Some(Notified { kind, recipients: recipients(report, kind), original_message_id: original_message_id(report) })
}

fn recipients(report: &Value, kind: MailKind) -> Vec<Recipient> {
    let (section, members) = match kind {
        MailKind::Bounce => ("bounce", "bouncedRecipients"),
        MailKind::Delayed => ("deliveryDelay", "delayedRecipients"),
        _ => ("complaint", "complainedRecipients"),
    };
    let Some(section) = report.get(section) else { return Vec::new() };
    let transient = section.get("bounceType").and_then(Value::as_str).map(|written| written == "Transient");
    let mut list = List::default();
    for entry in section.get(members).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(address) = super::address::first(text("emailAddress")) else { continue };
        let status = status::enhanced(text("status")).or_else(|| status::of_text(text("diagnosticCode")));
        let permanent = status.as_deref().and_then(status::is_permanent).or_else(|| transient.map(|transient| !transient));
        let permanent = permanent.filter(|_| kind != MailKind::Complaint);
        list.add(Recipient { address, late: kind == MailKind::Delayed, status, permanent, ..Recipient::default() });
    }
    list.recipients
}

/// The Message-ID of the mail's own header; the service's number of it is another.
fn original_message_id(report: &Value) -> Option<String> {
    let mail = report.get("mail")?;
    let of_header = mail.get("headers").and_then(Value::as_array).into_iter().flatten().find_map(|header| {
        let name = header.get("name")?.as_str()?;
        header.get("value")?.as_str().filter(|_| name.eq_ignore_ascii_case("message-id"))
    });
    let id = of_header.or_else(|| mail.get("commonHeaders")?.get("messageId")?.as_str())?;
    Some(id.trim().trim_matches(['<', '>']).to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounce_in_json_names_its_recipients_and_the_mails_own_id() {
        let text = r#"{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":"B@a.example","status":"5.1.1"}]},
            "mail":{"messageId":"0000","headers":[{"name":"Message-ID","value":"<one@a.example>"}]}}

            -- If you wish to stop"#;
        let notified = read(text).unwrap();
        assert_eq!((notified.kind, notified.original_message_id.as_deref()), (MailKind::Bounce, Some("one@a.example")));
        let recipient = &notified.recipients[0];
        assert_eq!((recipient.address.as_str(), recipient.status.as_deref(), recipient.permanent), ("b@a.example", Some("5.1.1"), Some(true)));
    }

    #[test]
    fn other_json_is_no_report() {
        for text in ["{", "{}", r#"{"notificationType":1}"#, "words", &"[".repeat(1_000)] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
