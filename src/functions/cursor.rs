//! Where a list goes on: our own sealed cursor, for this caller, route and filter, for a day.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Problem;
use crate::{
    access::Caller,
    keys::{Place, TenantKeys},
};

/// How long a cursor goes on.
const VALID: Duration = Duration::hours(24);
/// Characters of a cursor.
const CURSOR_CHARACTERS_MAX: usize = 1_000;

/// Whom a cursor was given to, and for what; it opens for nothing else.
pub struct Scope<'a> {
    pub caller: &'a Caller,
    pub route: &'a str,
    pub filter: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    after: String,
    until: i64,
}

pub fn seal(keys: &TenantKeys, scope: &Scope<'_>, after: &str, now: OffsetDateTime) -> Result<String, Problem> {
    let cursor = Cursor { after: after.to_owned(), until: (now + VALID).unix_timestamp() };
    let bytes = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(URL_SAFE_NO_PAD.encode(keys.seal(&place(&scope.name()), &bytes)?))
}

pub fn open(keys: &TenantKeys, scope: &Scope<'_>, text: &str, now: OffsetDateTime) -> Result<String, Problem> {
    let opened = (text.len() <= CURSOR_CHARACTERS_MAX).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
    let opened = opened.and_then(|sealed| keys.open(&place(&scope.name()), &sealed).ok());
    opened
        .and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok())
        .filter(|cursor| now.unix_timestamp() < cursor.until)
        .map(|cursor| cursor.after)
        .ok_or_else(|| {
            Problem::new(400, "bad-cursor", "The cursor is not valid", "It was made for another list or is over a day old: begin without `cursor`.")
        })
}

impl Scope<'_> {
    fn name(&self) -> String {
        // The address too: it says whose tickets a requester sees, and one subject may have had several.
        let Caller { subject, role, address, .. } = self.caller;
        format!("{}\n{}\n{subject}\n{role:?}\n{}", self.route, self.filter, address.as_deref().unwrap_or_default())
    }
}

fn place(scope: &str) -> Place<'_> {
    Place { partition: "cursor", id: scope, kind: "token" }
}
