//! Lists of tickets: narrowed, in an order, page by page.
//!
//! The store keeps tickets in order of their last change (of each status, assignee and requester), of their creation, and of their due date. A list walks
//! through the narrowest of these and leaves out what the other filters refuse. So that a request ends in time, it looks at [`LOOKED_AT_MAX`] tickets
//! at most; a page may then be short, or empty, and still have a next one. A ticket that is changed while somebody turns the pages may stand on none of
//! them, or on two.

use std::{collections::BTreeMap, ops::Range};

use time::{Duration, OffsetDateTime};

use super::{
    Assignee, Desk, Error, Priority, Status, Ticket,
    due::{self, Due},
    opened::Opened,
    store::{self, LIST_MAX},
};
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    ports::{Document, Order, Scan, Slot, first_ulid, timestamp},
};

/// Tickets that one request looks at; twice as many where a requester's own are more than this, and asked for in the order of creation.
pub const LOOKED_AT_MAX: usize = 1_000;
/// Tickets that are read at once.
const BATCH: usize = 100;

/// How a list is narrowed: by all that is named.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One of them; empty, any.
    pub status: Vec<Status>,
    pub assignee: Option<Whose>,
    /// The requester's address, lower-case.
    pub requester: Option<String>,
    pub priority: Option<Priority>,
    pub category: Option<String>,
    /// Lower-case.
    pub tag: Option<String>,
    pub number: Option<u64>,
    pub created: Span,
    pub updated: Span,
    /// The requester himself asks: a change is one that he sees.
    pub is_requesters: bool,
}

/// Whose tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Assigned(Assignee),
    Nobodys,
}

/// From an instant, to one that is not in it any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By their last change; those of one requester by the last one that he sees.
    #[default]
    Updated,
    /// By the instant at which they were opened.
    Created,
    /// By their due date; only those that have one.
    Due,
}

/// A page, and where the next one begins.
pub struct Page {
    pub tickets: Vec<Ticket>,
    pub next: Option<String>,
}

/// A page of tickets. `after` is what an earlier page of the same list gave.
pub async fn page(
    desk: &Desk,
    tenant: &TenantId,
    filter: &Filter,
    sort: Sort,
    order: Order,
    after: Option<String>,
    limit: usize,
) -> Result<Page, Error> {
    let keys = desk.keyring.keys(tenant).await?;
    if let Some(number) = filter.number {
        let found = match store::numbered(desk, &keys, tenant, number).await? {
            Some(id) => store::ticket(desk, &keys, tenant, id).await?.map(|(ticket, _)| ticket),
            None => None,
        };
        let takes = |ticket: &Ticket| filter.takes(ticket) && (sort != Sort::Due || ticket.due_at.is_some());
        return Ok(Page { tickets: found.into_iter().filter(takes).collect(), next: None });
    }
    let limit = limit.clamp(1, LIST_MAX);
    if sort == Sort::Created
        && filter.requester.is_some()
        && let Some(page) = created_of_one(desk, &keys, tenant, filter, order, after.as_deref(), limit).await?
    {
        return Ok(page);
    }
    let walks = walks(&keys, filter, sort);
    let is_first_page = after.is_none();
    let (mut tickets, mut after, mut looked_at, mut opened) = (Vec::new(), after, 0, Opened::default());
    loop {
        let found = batch(desk, tenant, &walks, order, after.as_deref()).await?;
        let is_last = found.len() < BATCH;
        for (place, document) in found {
            (looked_at, after) = (looked_at + 1, Some(place));
            let ticket = opened.one(ticket(desk, &keys, tenant, &document).await)?.flatten();
            tickets.extend(ticket.filter(|ticket| filter.takes(ticket)));
            if tickets.len() == limit || looked_at >= LOOKED_AT_MAX {
                opened.check(is_first_page)?;
                return Ok(Page { tickets, next: after });
            }
        }
        if is_last {
            opened.check(is_first_page)?;
            return Ok(Page { tickets, next: None });
        }
    }
}

/// The same of one requester in the order of creation, if he has so few tickets that they can all be looked at: what others have is not walked through,
/// and leaves no trace in his pages.
async fn created_of_one(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    filter: &Filter,
    order: Order,
    after: Option<&str>,
    limit: usize,
) -> Result<Option<Page>, Error> {
    let walks = walks(keys, filter, Sort::Updated);
    // One that is changed meanwhile is met twice.
    let (mut by_id, mut opened, mut looked_at, mut at) = (BTreeMap::new(), Opened::default(), 0, None);
    loop {
        let found = batch(desk, tenant, &walks, Order::Ascending, at.as_deref()).await?;
        let is_last = found.len() < BATCH;
        looked_at += found.len();
        for (place, document) in found {
            at = Some(place);
            if let Some(ticket) = opened.one(ticket(desk, keys, tenant, &document).await)?.flatten() {
                by_id.insert(ticket.id.to_string(), ticket);
            }
        }
        if is_last {
            break;
        }
        if looked_at >= LOOKED_AT_MAX {
            return Ok(None);
        }
    }
    // Each page looks at all.
    opened.check(true)?;
    let mut all: Vec<(String, Ticket)> = by_id.into_iter().filter(|(_, ticket)| filter.takes(ticket)).collect();
    if order == Order::Descending {
        all.reverse();
    }
    let is_behind = |id: &str| after.is_none_or(|after| if order == Order::Ascending { id > after } else { id < after });
    all.retain(|(id, _)| is_behind(id));
    let next = (all.len() > limit).then(|| all[limit - 1].0.clone());
    Ok(Some(Page { tickets: all.into_iter().take(limit).map(|(_, ticket)| ticket).collect(), next }))
}

/// A part of a slot whose keys begin alike; behind that they are in the order of the list.
struct Walk {
    slot: Slot,
    prefix: String,
    /// Of what stands behind the prefix.
    range: Range<String>,
}

/// Where to walk. Several walks are one list, merged by what stands behind their prefixes.
fn walks(keys: &TenantKeys, filter: &Filter, sort: Sort) -> Vec<Walk> {
    // Keys have milliseconds: the one in which a span ends is looked through too.
    let end = |span: &Span| span.to.map(|to| to.saturating_add(Duration::MILLISECOND));
    let times = |span: &Span| {
        // An instant is followed by the ticket's id, so that it is before all that happened in it.
        span.from.map(timestamp).unwrap_or_default()..end(span).map_or_else(|| LAST.to_owned(), timestamp)
    };
    let walk = |slot, prefix, range| Walk { slot, prefix, range };
    match sort {
        Sort::Due => vec![walk(Slot::K1, due::PREFIX.to_owned(), times(&Span::default()))],
        Sort::Created => {
            let ulid = |at: Option<OffsetDateTime>| at.map(|at| first_ulid(at).to_string());
            let range = ulid(filter.created.from).unwrap_or_default()..ulid(end(&filter.created)).unwrap_or_else(|| LAST.to_owned());
            vec![walk(Slot::Id, "ticket:".to_owned(), range)]
        }
        Sort::Updated => {
            let range = times(&filter.updated);
            match (&filter.requester, &filter.assignee) {
                (Some(requester), _) => {
                    // What he sees is never later than what agents see.
                    let range = if filter.is_requesters { range } else { String::new()..range.end };
                    vec![walk(Slot::K3, format!("{}+", store::requester_key(keys, requester)), range)]
                }
                (None, Some(Whose::Assigned(assignee))) => vec![walk(Slot::K2, format!("{}+", store::assignee_key(keys, assignee)), range)],
                (None, Some(Whose::Nobodys) | None) => {
                    let wanted = Status::ALL.into_iter().filter(|status| filter.status.is_empty() || filter.status.contains(status));
                    wanted.map(|status| walk(Slot::K1, format!("{}+", status.name()), range.clone())).collect()
                }
            }
        }
    }
}

/// Sorts behind every key.
const LAST: &str = "\u{7f}";

/// The next documents of all walks together, each with what stands behind its prefix.
async fn batch(desk: &Desk, tenant: &TenantId, walks: &[Walk], order: Order, after: Option<&str>) -> Result<Vec<(String, Document)>, Error> {
    let place = partition(tenant, Kind::Ticket);
    let mut found: Vec<(String, Document)> = Vec::new();
    // A ticket that is changed between two walks stands in both: the later one is the newer.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for walk in walks {
        let (mut start, mut end) = (walk.range.start.clone(), walk.range.end.clone());
        match (after, order) {
            (Some(after), Order::Ascending) => start = start.max(format!("{after}\0")),
            (Some(after), Order::Descending) => end = end.min(after.to_owned()),
            (None, _) => {}
        }
        if start >= end {
            continue;
        }
        let range = format!("{}{start}", walk.prefix)..format!("{}{end}", walk.prefix);
        let scan = Scan { partition: &place, slot: walk.slot, range, order, limit: BATCH };
        for document in desk.ports.documents.scan(&scan).await? {
            let key = match walk.slot {
                Slot::Id => Some(&document.id),
                Slot::K1 => document.keys[0].as_ref(),
                Slot::K2 => document.keys[1].as_ref(),
                Slot::K3 => document.keys[2].as_ref(),
                Slot::K4 => document.keys[3].as_ref(),
            };
            if let Some(behind) = key.and_then(|key| key.strip_prefix(&walk.prefix)) {
                match seen.get(&document.id) {
                    Some(at) => found[*at] = (behind.to_owned(), document),
                    None => {
                        seen.insert(document.id.clone(), found.len());
                        found.push((behind.to_owned(), document));
                    }
                }
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| if order == Order::Ascending { one.cmp(other) } else { other.cmp(one) });
    found.truncate(BATCH);
    Ok(found)
}

/// The ticket that a document is, or names.
async fn ticket(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, document: &Document) -> Result<Option<Ticket>, Error> {
    if document.kind == Kind::Ticket.name() {
        return Ok(Some(keys.open_document(document)?));
    }
    let due: Due = keys.open_document(document)?;
    Ok(store::ticket(desk, keys, tenant, due.ticket).await?.map(|(ticket, _)| ticket))
}

impl Filter {
    fn takes(&self, ticket: &Ticket) -> bool {
        let Filter { status, assignee, requester, priority, category, tag, number, created, updated, is_requesters } = self;
        let updated_at = if *is_requesters { ticket.public_updated_at } else { ticket.updated_at };
        let is_whose = |whose: &Whose| match whose {
            Whose::Assigned(assignee) => ticket.assignee.as_ref() == Some(assignee),
            Whose::Nobodys => ticket.assignee.is_none(),
        };
        (status.is_empty() || status.contains(&ticket.status))
            && assignee.as_ref().is_none_or(is_whose)
            && requester.as_ref().is_none_or(|address| ticket.requester.address.as_ref() == Some(address))
            && priority.is_none_or(|priority| ticket.priority == priority)
            && category.as_ref().is_none_or(|category| ticket.category.as_ref() == Some(category))
            && tag.as_ref().is_none_or(|tag| ticket.tags.contains(tag))
            && number.is_none_or(|number| ticket.number == number)
            && created.takes(ticket.created_at)
            && updated.takes(updated_at)
    }
}

impl Span {
    fn takes(&self, at: OffsetDateTime) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}
