//! THE place where errors become answers: a [`Problem`] (RFC 9457) for callers, a [`Verdict`] for the host.
//! Every match on a room's error is exhaustive. Answers of 500 and above never show detail.

use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::HttpAnswer;
use crate::{access, keys, outbox, ports::Fault, tenants, tickets};

/// What a queue or timer function says to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The work is done; the note, free of personal data, travels to the host's log.
    Done(String),
    /// It cannot be done, ever; it is kept as an `unprocessed` record and the note says which.
    Reject(String),
    /// Not now: the host is answered 500 and calls again.
    Retry(String),
}

/// What the type of a problem begins with; its name follows.
pub const PROBLEM_TYPE: &str = "urn:helpdesk:problem:";

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    /// The last part of the problem's type.
    pub slug: &'static str,
    pub title: &'static str,
    /// What happened here and what to do. Shown below 500 only.
    pub detail: String,
    /// What it says besides in headers.
    pub headers: Vec<(&'static str, String)>,
}

/// RFC 9457.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// `urn:helpdesk:problem:` and the name of the problem.
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// The invocation, to be quoted when asking for help.
    instance: &'a str,
}

impl Problem {
    pub fn new(status: u16, slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Problem { status, slug, title, detail: detail.into(), headers: Vec::new() }
    }

    /// The same with a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with the time after which to come again, in whole seconds (RFC 9110 section 10.2.3).
    pub fn after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with("retry-after", seconds.max(1).to_string())
    }

    /// The RFC 9457 document. `invocation` becomes its `instance`.
    pub fn into_answer(self, invocation: &str) -> HttpAnswer {
        let body = ProblemBody {
            r#type: format!("{PROBLEM_TYPE}{}", self.slug),
            title: self.title,
            status: self.status,
            detail: (self.status < 500 && !self.detail.is_empty()).then_some(self.detail.as_str()),
            instance: &format!("urn:helpdesk:invocation:{invocation}"),
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut headers = vec![("content-type", "application/problem+json".to_owned()), ("cache-control", "no-store".to_owned())];
        if self.status == 401 {
            headers.push(("www-authenticate", "Bearer".to_owned()));
        }
        headers.extend(self.headers);
        HttpAnswer { status: self.status, headers, body: Bytes::from(bytes) }
    }
}

/// A port's failure as a caller sees it.
pub fn fault(fault: &Fault) -> Problem {
    match fault {
        Fault::Conflict => {
            Problem::new(409, "conflict", "Somebody else changed this", "It was changed at the same moment: read it again and repeat.")
        }
        Fault::Throttled { after } => Problem::new(503, "busy", "The service is busy", fault.to_string()).after(*after),
        Fault::Unavailable(_) => Problem::new(503, "unavailable", "A part of the service is unavailable", fault.to_string()),
        Fault::Corrupt(_) => Problem::new(500, "internal", "Something went wrong here", fault.to_string()),
    }
}

/// It is none of the versions that the caller named.
fn changed() -> Problem {
    Problem::new(412, "changed", "Somebody changed this", "It is no longer as you read it: read it again and repeat.")
}

impl From<keys::Error> for Problem {
    fn from(error: keys::Error) -> Self {
        match error {
            keys::Error::Fault(inner) => fault(&inner),
            keys::Error::Gone => Problem::new(404, "not-found", "It does not exist", error.to_string()),
            keys::Error::SealsUsedUp => Problem::new(503, "busy", "The service is busy", error.to_string()),
            keys::Error::DoesNotOpen { .. } | keys::Error::UnknownShape { .. } => {
                Problem::new(500, "internal", "Something went wrong here", error.to_string())
            }
        }
    }
}

impl From<tenants::Error> for Problem {
    fn from(error: tenants::Error) -> Self {
        match error {
            tenants::Error::Keys(inner) => inner.into(),
            tenants::Error::Fault(inner) => fault(&inner),
            tenants::Error::NotAMailbox
            | tenants::Error::Marked
            | tenants::Error::TooManyMailboxes
            | tenants::Error::BadName
            | tenants::Error::Reserved
            | tenants::Error::IdOfADirectory
            | tenants::Error::NotARegion
            | tenants::Error::NotADirectory
            | tenants::Error::NotAState
            | tenants::Error::BadSettings(_) => Problem::new(400, "bad-tenant", "The tenant cannot be like that", error.to_string()),
            tenants::Error::Changed => changed(),
            tenants::Error::NotFound => Problem::new(404, "not-found", "It does not exist", error.to_string()),
            tenants::Error::StillServed => Problem::new(409, "tenant-served", "The tenant is served", error.to_string()),
            tenants::Error::Exists | tenants::Error::IdUsed | tenants::Error::DirectoryTaken => {
                Problem::new(409, "tenant-exists", "The tenant exists", error.to_string())
            }
        }
    }
}

impl From<access::Error> for Problem {
    fn from(error: access::Error) -> Self {
        match error {
            access::Error::NoToken | access::Error::BadToken(_) | access::Error::UnknownTenant => {
                Problem::new(401, "not-authenticated", "You are not logged in", error.to_string())
            }
            access::Error::NotServed(_) => Problem::new(403, "tenant-not-served", "The tenant is not served", error.to_string()),
            access::Error::NotAllowed => Problem::new(403, "not-allowed", "You may not do that", error.to_string()),
            access::Error::Fault(inner) => fault(&inner),
            access::Error::Tenants(inner) => inner.into(),
        }
    }
}

impl From<outbox::Error> for Problem {
    fn from(error: outbox::Error) -> Self {
        match error {
            outbox::Error::Keys(inner) => inner.into(),
            outbox::Error::Fault(inner) => fault(&inner),
            outbox::Error::Undelivered(inner) => fault(&inner.fault),
            outbox::Error::MessageTooLarge(_) => Problem::new(500, "internal", "Something went wrong here", error.to_string()),
        }
    }
}

impl From<tickets::Error> for Problem {
    fn from(error: tickets::Error) -> Self {
        match error {
            tickets::Error::Keys(inner) => inner.into(),
            tickets::Error::Tenants(inner) => inner.into(),
            tickets::Error::Outbox(inner) => inner.into(),
            tickets::Error::Fault(inner) => fault(&inner),
            tickets::Error::Changed => changed(),
            tickets::Error::NotFound => Problem::new(404, "not-found", "It does not exist", "There is no such thing that you may see."),
            tickets::Error::BadSignature => Problem::new(400, "bad-signature", "The signature cannot be like that", error.to_string()),
            tickets::Error::BadUpload => Problem::new(400, "bad-upload", "The file cannot be kept", error.to_string()),
            tickets::Error::TooManyUploads { after } => Problem::new(429, "too-many-uploads", "Too many files wait", error.to_string()).after(after),
            tickets::Error::BadAttachments => Problem::new(400, "bad-attachments", "The attachments cannot be like that", error.to_string()),
            tickets::Error::BadComment => Problem::new(400, "bad-comment", "The comment cannot be like that", error.to_string()),
            tickets::Error::BadTicket
            | tickets::Error::BadParty
            | tickets::Error::NoRequester
            | tickets::Error::OwnMailbox
            | tickets::Error::WhichMailbox => Problem::new(400, "bad-ticket", "The ticket cannot be like that", error.to_string()),
            tickets::Error::BadField(_) => Problem::new(400, "bad-field", "A field cannot be like that", error.to_string()),
            tickets::Error::Merged { .. } => Problem::new(409, "merged", "The ticket was merged", error.to_string()),
            tickets::Error::NotHeld => Problem::new(409, "not-held", "No limit holds the mail", error.to_string()),
            tickets::Error::TooManyParties => Problem::new(409, "too-many-parties", "Too many would be in copy", error.to_string()),
            tickets::Error::BadLink | tickets::Error::MergeStays => {
                Problem::new(400, "bad-link", "The tickets cannot be linked like that", error.to_string())
            }
            tickets::Error::BadChange => Problem::new(400, "bad-change", "The ticket cannot be like that", error.to_string()),
            tickets::Error::KeyUsed => Problem::new(422, "idempotency-key-used", "The key belongs to another request", error.to_string()),
            tickets::Error::BlobMissing | tickets::Error::MessageTooLarge(_) => {
                Problem::new(500, "internal", "Something went wrong here", error.to_string())
            }
        }
    }
}

/// A failed story: the host shall call again. The reason is logged and never holds personal data.
pub fn retry(error: &dyn std::error::Error) -> Verdict {
    Verdict::Retry(error.to_string())
}
