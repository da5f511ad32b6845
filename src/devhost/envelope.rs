//! The body of a queue or timer call: `{"Data":{..},"Metadata":{..}}`, byte for byte as the Functions host writes it.
//!
//! The members of a JSON message are merged over the host's own metadata, which is why no handler should trust `Metadata`.
//! Not imitated: retry policies, `dataType` binary, and messages that only Newtonsoft takes for JSON (see `newtonsoft`).

use std::collections::HashMap;

use time::OffsetDateTime;

use super::newtonsoft::{Member, Members, instant, instant_in_seconds, member, mended, quoted};

/// The binding of every queue function.
const QUEUE_BINDING: &str = "message";
/// The binding of every timer function.
const TIMER_BINDING: &str = "timer";
/// What a message that never expires has for its expiry, and a timer that never ran for its last run.
const NEVER_EXPIRES: &str = "9999-12-31T23:59:59+00:00";
const NEVER_RAN: &str = "0001-01-01T00:00:00";

/// What the host says of every call.
pub struct System<'a> {
    pub function: &'a str,
    pub now: OffsetDateTime,
    pub random_guid: &'a str,
}

/// A queue message in the reader's hands.
pub struct Message<'a> {
    /// Decoded from base64.
    pub text: &'a str,
    pub id: &'a str,
    pub pop_receipt: &'a str,
    pub dequeue_count: u32,
    pub inserted_at: OffsetDateTime,
    /// `None` for ever.
    pub expires_at: Option<OffsetDateTime>,
    pub visible_at: OffsetDateTime,
}

/// What is known of a timer's past and future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// When the last run began; `None` before the first.
    pub last: Option<OffsetDateTime>,
    /// The run that is due next; in a call, the one that is being made.
    pub next: OffsetDateTime,
    /// `None` while the status was not yet kept.
    pub updated: Option<OffsetDateTime>,
}

pub fn queue_call(message: &Message<'_>, system: &System<'_>) -> String {
    let mut metadata = vec![
        ("DequeueCount".to_owned(), quoted(&message.dequeue_count.to_string())),
        ("ExpirationTime".to_owned(), quoted(&message.expires_at.map_or(NEVER_EXPIRES.to_owned(), instant_in_seconds))),
        ("Id".to_owned(), quoted(&quoted(message.id))),
        ("InsertionTime".to_owned(), quoted(&instant_in_seconds(message.inserted_at))),
        ("NextVisibleTime".to_owned(), quoted(&instant_in_seconds(message.visible_at))),
        ("PopReceipt".to_owned(), quoted(&quoted(message.pop_receipt))),
        ("sys".to_owned(), system_json(system)),
    ];
    merge(&mut metadata, message.text);
    let metadata: Vec<String> = metadata.into_iter().map(|(name, json)| format!("{}:{json}", quoted(&name))).collect();
    format!("{{\"Data\":{{\"{QUEUE_BINDING}\":{}}},\"Metadata\":{{{}}}}}", quoted(&quoted(message.text)), metadata.join(","))
}

/// `status` is `None` for schedules of more than one run a minute, which the host does not monitor.
pub fn timer_call(status: Option<&Status>, past_due: bool, system: &System<'_>) -> String {
    let status = status.map_or("null".to_owned(), status_json);
    let timer = format!("{{\"Schedule\":{{\"AdjustForDST\":true}},\"ScheduleStatus\":{status},\"IsPastDue\":{past_due}}}");
    format!("{{\"Data\":{{\"{TIMER_BINDING}\":{timer}}},\"Metadata\":{{\"sys\":{}}}}}", system_json(system))
}

/// A timer's status as it travels, and as it is kept.
pub fn status_json(status: &Status) -> String {
    let time = |at: Option<OffsetDateTime>| at.map_or(NEVER_RAN.to_owned(), |at| instant(at, "+00:00"));
    format!("{{\"Last\":\"{}\",\"Next\":\"{}\",\"LastUpdated\":\"{}\"}}", time(status.last), time(Some(status.next)), time(status.updated))
}

fn system_json(system: &System<'_>) -> String {
    let (name, now, guid) = (quoted(system.function), instant(system.now, "Z"), quoted(system.random_guid));
    format!("{{\"MethodName\":{name},\"UtcNow\":\"{now}\",\"RandGuid\":{guid}}}")
}

/// Lays the members of a JSON object over the metadata: a name that is there, in whatever case, keeps its place and its spelling.
fn merge(metadata: &mut Vec<(String, String)>, message: &str) {
    let trimmed = message.trim();
    if !trimmed.starts_with('{') || !trimmed.ends_with('}') {
        return;
    }
    let Some(mended) = mended(trimmed) else { return };
    let Ok(Members(members)) = serde_json::from_str(&mended) else { return };
    let Some(members) = members.into_iter().map(|(name, raw)| Some((name, member(raw)?))).collect::<Option<Vec<_>>>() else { return };
    let mut places: HashMap<String, usize> = metadata.iter().enumerate().map(|(place, (name, _))| (name.to_lowercase(), place)).collect();
    for (name, value) in members {
        let json = match value {
            Member::Ignored => continue,
            Member::Text(text) => quoted(&quoted(&text)),
            Member::Object(json) => json,
        };
        // The host drops what it takes for its own copy of the trigger.
        if name.to_ascii_lowercase().ends_with("trigger") {
            continue;
        }
        match places.get(&name.to_lowercase()) {
            Some(&place) => metadata[place].1 = json,
            None => {
                places.insert(name.to_lowercase(), metadata.len());
                metadata.push((name, json));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_ends_in_trigger_is_dropped() {
        let mut metadata = vec![("sys".to_owned(), "{}".to_owned())];
        merge(&mut metadata, r#" {"QueueTrigger":"x","SYS":1,"other":false} "#);
        assert_eq!(metadata, [("sys".to_owned(), r#""\"1\"""#.to_owned()), ("other".to_owned(), r#""\"False\"""#.to_owned())]);
    }
}
