//! Changes that agents make to a ticket: whose it is, how far, how urgent, and under what it is found again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    CC_MAX, Desk, Error, Party, Status, Ticket, Viewer, due,
    fields::{self, FieldChanges},
    history, links, store,
};
use crate::{
    audit,
    ids::{Kind, TenantId, TicketId, partition},
    keys::TenantKeys,
    mail::{limits::SUBJECT_CHARS_MAX, line, redact::redact_text},
    ports::{Etag, TRYING_FOR_A_CALLER, Tries, Versions, first_version},
    tenants::{self, Settings, Tenant},
};

/// Tags of a ticket, and characters of one, of a category, and of the name of a person or group.
pub const TAGS_MAX: usize = 20;
pub const NAME_CHARACTERS_MAX: usize = 100;

/// How urgent a ticket is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

/// Who works on a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Assignee {
    /// By the subject of his tokens.
    Person(String),
    /// By its name.
    Group(String),
}

/// What is changed of a ticket; what is absent stays. `Some(None)` takes it away.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub status: Option<Status>,
    pub priority: Option<Priority>,
    pub assignee: Option<Option<Assignee>>,
    pub category: Option<Option<String>>,
    /// All of them.
    pub tags: Option<Vec<String>>,
    pub due_at: Option<Option<OffsetDateTime>>,
    pub subject: Option<String>,
    /// All of them.
    pub cc: Option<Vec<Party>>,
    pub fields: FieldChanges,
}

/// Changes a ticket, whoever changes it at the same moment, if it is of the versions that the caller means. One that is as he wants it already is left so,
/// whatever its version (RFC 9110 section 13.1.1): a change whose answer was lost may be sent again.
pub async fn change_ticket(
    desk: &Desk,
    tenant: &TenantId,
    id: TicketId,
    meant: &Versions,
    change: &Change,
    actor: &str,
) -> Result<(Ticket, Etag), Error> {
    let change = checked(change)?;
    let keys = desk.keyring.keys(tenant).await?;
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        match change_once(desk, &keys, tenant, id, meant, &change, actor).await {
            Err(error) if error.is_conflict() && tries.again(desk.ports.entropy.as_ref()).await => {}
            done => return done,
        }
    }
}

async fn change_once(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    id: TicketId,
    meant: &Versions,
    change: &Change,
    actor: &str,
) -> Result<(Ticket, Etag), Error> {
    let (before, etag) = store::ticket(desk, keys, tenant, id).await?.ok_or(Error::NotFound)?;
    let now = desk.ports.clock.now();
    let (served, _) = tenants::get(desk.ports.documents.as_ref(), &desk.keyring, tenant).await?.ok_or(Error::NotFound)?;
    let mut ticket = changed(before.clone(), change, now, &served.settings)?;
    if ticket == before {
        return Ok((before, etag));
    }
    is_no_mailbox_of(&served, change.cc.as_deref().unwrap_or_default())?;
    if !meant.take(&etag) {
        return Err(Error::Changed);
    }
    links::is_not_merged(desk, keys, tenant, Viewer::Agent, &before).await?;
    ticket.changed_from(&before, now);
    let event = audit::Event::new(now, actor, audit::Action::TicketChanged, id);
    let mut writes = vec![store::ticket_write(keys, tenant, &ticket, Some(etag))?, audit::record(keys, tenant, desk.ports.entropy.as_ref(), &event)?];
    writes.extend(history::write(desk, keys, tenant, &before, &ticket, actor, now)?);
    writes.extend(due::write(desk, keys, tenant, &before, &ticket).await?);
    let etags = desk.ports.documents.commit(&partition(tenant, Kind::Ticket), writes).await?;
    Ok((ticket, first_version(etags)?))
}

/// The ticket with what is changed of it. The change is one that was checked.
pub(super) fn changed(mut ticket: Ticket, change: &Change, now: OffsetDateTime, settings: &Settings) -> Result<Ticket, Error> {
    let Change { status, priority, assignee, category, tags, due_at, subject, cc, fields } = change.clone();
    ticket.turn(status.unwrap_or(ticket.status), now, settings);
    ticket.priority = priority.unwrap_or(ticket.priority);
    ticket.assignee = assignee.unwrap_or(ticket.assignee);
    ticket.category = category.unwrap_or(ticket.category);
    ticket.tags = tags.unwrap_or(ticket.tags);
    ticket.due_at = due_at.unwrap_or(ticket.due_at);
    ticket.subject = subject.unwrap_or(ticket.subject);
    if let Some(cc) = cc {
        ticket.cc = Vec::new();
        ticket.copy_to(cc);
    }
    fields::set(&mut ticket, &fields, &settings.fields)?;
    Ok(ticket)
}

/// The change as it may be kept: each tag once, in lower case, in their order.
pub(super) fn checked(change: &Change) -> Result<Change, Error> {
    let mut change = change.clone();
    if let Some(Some(assignee)) = &mut change.assignee {
        *assignee = assignee.kept()?;
    }
    if let Some(Some(category)) = &mut change.category {
        *category = name_of(category)?;
    }
    if let Some(tags) = &mut change.tags {
        let mut kept = Vec::new();
        for tag in tags.iter() {
            let tag = tag_of(tag)?;
            if !kept.contains(&tag) {
                kept.push(tag);
            }
        }
        if kept.len() > TAGS_MAX {
            return Err(Error::BadChange);
        }
        *tags = kept;
    }
    if let Some(subject) = &mut change.subject {
        *subject = subject_of(subject)?;
    }
    if change.cc.as_ref().is_some_and(|cc| cc.len() > CC_MAX) {
        return Err(Error::BadParty);
    }
    Ok(change)
}

/// Fails if one of them is a mailbox of the desk itself: it gets no mail of ours, which would open a ticket with it.
pub(super) fn is_no_mailbox_of(tenant: &Tenant, parties: &[Party]) -> Result<(), Error> {
    if parties.iter().filter_map(|party| party.address.as_deref()).any(|address| tenant.has_mailbox(address)) {
        Err(Error::OwnMailbox)
    } else {
        Ok(())
    }
}

impl Assignee {
    /// It as it may be kept. A person's stays as it stands in his tokens.
    pub fn kept(&self) -> Result<Assignee, Error> {
        Ok(match self {
            Assignee::Person(subject) => Assignee::Person(name_within(NAME_CHARACTERS_MAX, subject).ok_or(Error::BadChange)?),
            Assignee::Group(group) => Assignee::Group(name_of(group)?),
        })
    }
}

/// The name of a group or a category as it may be kept: it is compared with others, and card numbers are cut.
pub fn name_of(text: &str) -> Result<String, Error> {
    let name = line::name(text).filter(|name| name.chars().count() <= NAME_CHARACTERS_MAX).ok_or(Error::BadChange)?;
    Ok(redact_text(&name).0)
}

/// The same of a tag. Lower case may be longer.
pub fn tag_of(text: &str) -> Result<String, Error> {
    name_of(&text.to_lowercase())
}

/// A line of so many characters, if it is one.
pub(super) fn name_within(characters_max: usize, text: &str) -> Option<String> {
    line::given(text).filter(|name| name.chars().count() <= characters_max)
}

/// A subject as it may be kept.
pub(super) fn subject_of(text: &str) -> Result<String, Error> {
    let subject = line::given(text).filter(|subject| subject.chars().count() <= SUBJECT_CHARS_MAX).ok_or(Error::BadTicket)?;
    Ok(redact_text(&subject).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_words_in_lower_case_each_once() {
        let tags = |tags: &[&str]| Change { tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()), ..Change::default() };
        assert_eq!(checked(&tags(&[" VPN ", "vpn", "Köln"])).unwrap().tags.unwrap(), ["vpn", "köln"]);
        let many: Vec<String> = (0..=TAGS_MAX).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (long, longer_in_lower_case) = ("x".repeat(NAME_CHARACTERS_MAX + 1), "\u{130}".repeat(NAME_CHARACTERS_MAX));
        for wrong in [&[""][..], &["a\nb"], &[&long], &[&longer_in_lower_case], &many] {
            assert!(matches!(checked(&tags(wrong)), Err(Error::BadChange)), "{wrong:?}");
        }
    }
}
