//! What became of a mail, for each who gets it: a document of its own, so that it is still known when the row that delivers it is gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Error;
use crate::{
    ids::{Kind, RecordId, TenantId, partition},
    keys::TenantKeys,
    ports::{Document, Etag, Ports, Scan, Slot, Write},
};

/// Documents of a page of them, and pages that are read at once: the deliveries of a hundred comments to their most recipients, and more.
const PAGE: usize = 500;
const PAGES_MAX: usize = 10;

/// How the delivery to one recipient went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub to: String,
    pub state: State,
    /// What a server said last: an enhanced status code (RFC 3463), or else the code of its reply (RFC 5321).
    pub status: Option<String>,
    /// How often we tried.
    pub tries: u32,
    /// Since when it is so.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not tried yet.
    Waiting,
    /// The next server has it. Whether it arrives, only a bounce tells.
    Sent,
    /// It does not arrive.
    Failed,
    /// It is tried again.
    Delayed,
    /// Sent again because nobody knows whether the first time succeeded.
    PossiblyDuplicate,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Sent => "sent",
            State::Failed => "failed",
            State::Delayed => "delayed",
            State::PossiblyDuplicate => "possibly_duplicate",
        }
    }
}

/// A delivery as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub delivery: Delivery,
    id: String,
    etag: Etag,
}

impl Stored {
    /// The write of what became of it.
    pub fn rewritten(self, keys: &TenantKeys, tenant: &TenantId, delivery: &Delivery) -> Result<Write, Error> {
        let document = keys.seal_document(&partition(tenant, Kind::Delivery), self.id, Kind::Delivery, Default::default(), None, delivery)?;
        Ok(Write::Replace { document, etag: self.etag })
    }
}

/// The id of the delivery of a row's mail. `about` is its caller's: ASCII, and no personal data.
pub(super) fn id(about: &str, record: RecordId) -> String {
    format!("{}{record}", prefix(about))
}

/// The write of a delivery that has not begun.
pub(super) fn waiting(keys: &TenantKeys, tenant: &TenantId, id: String, to: &str, at: OffsetDateTime) -> Result<Write, Error> {
    let body = Delivery { to: to.to_owned(), state: State::Waiting, status: None, tries: 0, at };
    Ok(Write::Create(keys.seal_document(&partition(tenant, Kind::Delivery), id, Kind::Delivery, Default::default(), None, &body)?))
}

/// One delivery by its id.
pub(super) async fn get(ports: &Ports, keys: &TenantKeys, tenant: &TenantId, id: &str) -> Result<Option<Stored>, Error> {
    let found = ports.documents.get(&partition(tenant, Kind::Delivery), id).await?;
    found.map(|document| stored(keys, document)).transpose()
}

/// The deliveries of all mails about something from `first` to `last`, by what they are about.
pub async fn between(ports: &Ports, keys: &TenantKeys, tenant: &TenantId, first: &str, last: &str) -> Result<BTreeMap<String, Vec<Stored>>, Error> {
    let place = partition(tenant, Kind::Delivery);
    let mut scan = Scan::prefix(&place, Slot::Id, &prefix(last), PAGE);
    scan.range.start = prefix(first);
    let mut deliveries: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for _ in 0..PAGES_MAX {
        let found = ports.documents.scan(&scan).await?;
        let next = found.last().filter(|_| found.len() == PAGE).map(|document| format!("{}\0", document.id));
        for document in found {
            let about = document.id.strip_prefix("delivery:").and_then(|rest| rest.rsplit_once(':')).map(|(about, _)| about.to_owned());
            deliveries.entry(about.unwrap_or_default()).or_default().push(stored(keys, document)?);
        }
        let Some(next) = next else { break };
        scan.range.start = next;
    }
    Ok(deliveries)
}

fn stored(keys: &TenantKeys, document: Document) -> Result<Stored, Error> {
    Ok(Stored { delivery: keys.open_document(&document)?, id: document.id, etag: document.etag })
}

fn prefix(about: &str) -> String {
    format!("delivery:{about}:")
}
