//! The story of a mail: from a queue message to a comment on a ticket, exactly once, or to a record that says why not.
//!
//! One load, one decision, one commit. Blobs before it are named by the mail's content, so that a second try finds them; the intake blob is deleted after it.

use std::time::Duration;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Desk, Error, INTAKE, Ticket, Why,
    arrival::{self, Arrival, Parts, comment, continued, opened, opens_ticket, writes},
    aside::{READ_TIME_MAX, cut, within},
    contacts,
    contract::{self, Request},
    deliveries, history,
    incoming::{self, Incoming},
    letters, links, new_ulid, rates,
    refs::{self, Loaded},
    store,
    thread::{self, Because, Known, Verdict},
    unprocessed::{self, Delivery, INTAKE_CONTAINER, INTAKE_QUEUE, IntakeBlob, Keep, Reason},
};
use crate::{
    ids::{CommentId, Kind, RecordId, TenantId, partition},
    mail::{self, MailKind},
    ports::{Etag, Fault, TRYING_IN_THE_QUEUE, Tries, Write, encode_text},
    tenants::{self, Mailbox, Owner, State, Tenant, Trust},
};

/// Bytes of a raw mail.
pub const MAIL_BYTES_MAX: u64 = mail::limits::MAIL_BYTES_MAX as u64;
/// A mail over this many bytes is parsed away from the threads that serve requests.
const PARSED_HERE_BYTES_MAX: usize = 128 * 1024;

/// What became of a mail. Ticket numbers and reasons only: it is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Opened {
        number: u64,
    },
    Joined {
        number: u64,
        because: Because,
    },
    /// It was dealt with before.
    Seen {
        number: u64,
    },
    /// Kept as a record; `first` unless this delivery was kept before.
    Unprocessed {
        record: RecordId,
        reason: Reason,
        first: bool,
    },
}

/// Takes in the mail that a queue message tells of.
pub async fn take_in(desk: &Desk, message: &str) -> Result<Outcome, Error> {
    let mut request = match contract::read(message) {
        Ok(request) => request,
        Err((reason, detail)) => return refuse(desk, &TenantId::system(), reason, detail, message, None, IntakeBlob::Missing).await,
    };
    let (found, _room) = incoming::look(desk, &request.blob).await?;
    // Looked up when there is room: who waits for it may be removed meanwhile.
    let served = served(desk, &mut request).await?;
    let system = TenantId::system();
    let tenant = served.as_ref().map_or(&system, |served| &served.tenant.id);
    let Some(found) = found else { return without_blob(desk, tenant, &request, message).await };
    let size = found.size();
    if size > MAIL_BYTES_MAX {
        let detail = format!("the mail has {size} bytes, over the limit of {MAIL_BYTES_MAX}; it stays in the intake container");
        return refuse(desk, tenant, Reason::Unreadable, detail, message, Some(&request), IntakeBlob::Unread(size)).await;
    }
    let Some(raw) = found.raw(desk, &request.blob).await? else {
        return without_blob(desk, tenant, &request, message).await;
    };
    let Some(served) = &served else {
        let detail = "no tenant has this mailbox: give it to one with `helpdesk tenant mailbox`, then replay".to_owned();
        return refuse(desk, tenant, Reason::UnknownMailbox, detail, message, Some(&request), IntakeBlob::Read(&raw)).await;
    };
    let state = served.tenant.state;
    let held = match state {
        State::Active => None,
        State::Suspended => Some(Reason::TenantSuspended),
        State::Restoring => Some(Reason::TenantRestoring),
    };
    if let Some(reason) = held {
        let detail = format!("the tenant is {}; the mail is held until he is served again", state.name());
        return refuse(desk, tenant, reason, detail, message, Some(&request), IntakeBlob::Read(&raw)).await;
    }
    let outcome = take_in_mail(desk, served, &request, message, &raw).await?;
    if let Outcome::Opened { number } | Outcome::Joined { number, .. } | Outcome::Seen { number } = outcome {
        unprocessed::processed(desk, tenant, &request, IntakeBlob::Read(&raw), number).await?;
        desk.ports.blobs.delete(INTAKE_CONTAINER, &request.blob).await?;
    }
    Ok(outcome)
}

/// Takes a mail that a machine of the tenant pushes: it lies in the intake, and is told of, when this returns. Pushed twice it becomes one ticket,
/// because its blob is named by what it is.
pub async fn accept(desk: &Desk, tenant: &TenantId, mailbox: &Mailbox, raw: Bytes) -> Result<(), Error> {
    if owner(desk, mailbox.as_str()).await?.is_none_or(|(_, owner)| owner.tenant != *tenant) {
        return Err(Error::NotFound);
    }
    let keys = desk.keyring.keys(tenant).await?;
    let blob = format!("{}{}.eml", pushed_prefix(tenant), keys.index("mail-pushed", &[mailbox.as_str().as_bytes(), &raw]));
    desk.ports.blobs.put(INTAKE_CONTAINER, &blob, raw).await?;
    let message = contract::message(mailbox.as_str(), &blob);
    desk.ports.queues.send(INTAKE_QUEUE, &encode_text(message.as_bytes())?, Duration::ZERO).await?;
    Ok(())
}

/// Where a tenant's pushed mails lie in the intake.
pub(super) fn pushed_prefix(tenant: &TenantId) -> String {
    format!("{}{tenant}/", contract::PUSHED_PREFIX)
}

/// What the host gave up on: kept as a record, with the mail if it is there.
pub async fn take_in_poison(desk: &Desk, message: &str) -> Result<Outcome, Error> {
    let mut request = contract::read(message).ok();
    let (looked, _room) = match &request {
        Some(request) => incoming::look(desk, &request.blob).await.map(|(found, room)| (found, Some(room)))?,
        None => (None, None),
    };
    let size = looked.as_ref().map(Incoming::size);
    let served = match &mut request {
        Some(request) => served(desk, request).await?,
        None => None,
    };
    let tenant = served.as_ref().map_or_else(TenantId::system, |served| served.tenant.id.clone());
    let raw = match (&request, looked) {
        (Some(request), Some(looked)) if looked.size() <= MAIL_BYTES_MAX => looked.raw(desk, &request.blob).await?,
        _ => None,
    };
    let found = match (&raw, size) {
        (Some(raw), _) => IntakeBlob::Read(raw),
        (None, Some(size)) if size > MAIL_BYTES_MAX => IntakeBlob::Unread(size),
        // One that could be read is gone by now.
        _ => IntakeBlob::Missing,
    };
    // The tries may have failed after the commit. Or the blob's name was used again: then this is another mail.
    if let Some(request) = &request
        && let Some(Delivery::Ticket { number, content }) = delivered(desk, &tenant, request, message).await?
        && is_the_mail(desk, served.as_ref(), found, content.as_ref()).await?
    {
        unprocessed::processed(desk, &tenant, request, found, number).await?;
        desk.ports.blobs.delete(INTAKE_CONTAINER, &request.blob).await?;
        return Ok(Outcome::Seen { number });
    }
    let detail = "taking it in failed every time; the log of the invocations says why".to_owned();
    refuse(desk, &tenant, Reason::KeptFailing, detail, message, request.as_ref(), found).await
}

/// Whether these bytes, if there are any, are the mail that a ticket has under this name.
async fn is_the_mail(desk: &Desk, served: Option<&Served>, found: IntakeBlob<'_>, content: Option<&String>) -> Result<bool, Error> {
    let raw = match found {
        IntakeBlob::Missing => return Ok(true),
        // None so large was ever in a ticket.
        IntakeBlob::Unread(_) => return Ok(false),
        IntakeBlob::Read(raw) => raw,
    };
    let (Some(served), Some(cut)) = (served, cut(raw).await) else { return Ok(false) };
    let keys = desk.keyring.keys(&served.tenant.id).await?;
    Ok(content == Some(&refs::content(&keys, &served.mailbox, &cut.bytes)))
}

async fn refuse(
    desk: &Desk,
    owner: &TenantId,
    reason: Reason,
    detail: String,
    message: &str,
    request: Option<&Request>,
    found: IntakeBlob<'_>,
) -> Result<Outcome, Error> {
    let kept = unprocessed::keep(desk, Keep { owner, reason, detail, message, request, found }).await?;
    Ok(Outcome::Unprocessed { record: kept.record, reason: kept.reason, first: kept.first })
}

/// No blob: either this delivery was dealt with before, or there never was one.
async fn without_blob(desk: &Desk, owner: &TenantId, request: &Request, message: &str) -> Result<Outcome, Error> {
    if let Some(Delivery::Ticket { number, .. }) = delivered(desk, owner, request, message).await? {
        unprocessed::processed(desk, owner, request, IntakeBlob::Missing, number).await?;
        return Ok(Outcome::Seen { number });
    }
    let detail = "the blob that the message names is not in the container `mail-intake`".to_owned();
    refuse(desk, owner, Reason::BlobMissing, detail, message, Some(request), IntakeBlob::Missing).await
}

/// What this delivery became, if it was dealt with before.
async fn delivered(desk: &Desk, owner: &TenantId, request: &Request, message: &str) -> Result<Option<Delivery>, Error> {
    let keys = desk.keyring.keys(owner).await?;
    let name = unprocessed::delivery_name(&keys, request.delivered_to(), &request.blob, message);
    Ok(unprocessed::delivered(desk, &keys, owner, &name).await?.map(|(delivery, _)| delivery))
}

/// Whose mail for an address is.
struct Served {
    mailbox: Mailbox,
    trust: Trust,
    tenant: Tenant,
}

/// Whose mail for the address of a message is, if anybody's; noted there. Who was removed has none.
async fn served(desk: &Desk, request: &mut Request) -> Result<Option<Served>, Error> {
    let (documents, keyring) = (desk.ports.documents.as_ref(), desk.keyring.as_ref());
    let Some((mailbox, owner)) = owner(desk, &request.mailbox).await? else { return Ok(None) };
    request.of = Some(mailbox.clone());
    let tenant = tenants::get(documents, keyring, &owner.tenant).await?;
    Ok(tenant.map(|(tenant, _)| Served { mailbox, trust: owner.trust, tenant }))
}

/// Whose a mailbox is; an address may have a mark behind its local part.
async fn owner(desk: &Desk, address: &str) -> Result<Option<(Mailbox, Owner)>, Error> {
    for address in [address.to_owned(), tenants::without_mark(address)] {
        let Ok(mailbox) = Mailbox::parse(&address) else { continue };
        if let Some(owner) = tenants::of_mailbox(desk.ports.documents.as_ref(), &desk.keyring, &mailbox).await? {
            return Ok(Some((mailbox, owner)));
        }
    }
    Ok(None)
}

async fn take_in_mail(desk: &Desk, served: &Served, request: &Request, message: &str, raw: &Bytes) -> Result<Outcome, Error> {
    let Served { mailbox, trust, tenant } = served;
    let keys = desk.keyring.keys(&tenant.id).await?;
    let read = {
        let (keys, mailbox, own, trust) = (keys.clone(), mailbox.clone(), tenant.mailboxes.clone(), trust.clone());
        let (bytes, now) = (raw.clone(), desk.ports.clock.now());
        move || {
            // Named by its bytes as they are kept, without card numbers: a record of it that is replayed is the same mail.
            let read = mail::parse::cut_and_parse(&bytes, &trust);
            let content = refs::content(&keys, &mailbox, read.cut.as_deref().unwrap_or(&bytes));
            let mail = read.mail.map(|mail| arrival::not_by_us(mail, &own)).map(|mail| (refs::words(&keys, &mail, now), mail));
            (content, read.cut.map(Zeroizing::new), mail)
        }
    };
    let read = if raw.len() > PARSED_HERE_BYTES_MAX { within(READ_TIME_MAX, read).await? } else { Some(read()) };
    let keep = async |reason, detail| refuse(desk, &tenant.id, reason, detail, message, Some(request), IntakeBlob::Read(raw)).await;
    let Some((content, cut, parsed)) = read else {
        return keep(Reason::Unreadable, format!("reading the mail took longer than {} seconds", READ_TIME_MAX.as_secs())).await;
    };
    let (words, mail) = match parsed {
        Ok(mail) => mail,
        Err(why) => return keep(Reason::Unreadable, why.to_string()).await,
    };
    let let_go = unprocessed::replay::is_let_go(desk, &tenant.id, request, raw).await?;
    let (blob, altered, now) = (&request.blob, cut.is_some(), desk.ports.clock.now());
    let comment = CommentId::new(new_ulid(desk.ports.entropy.as_ref(), now));
    let arrival = Arrival { tenant, keys: &keys, mailbox, blob, let_go, mail, altered, content, words, comment, now };
    let kept: &[u8] = cut.as_ref().map_or(raw, |cut| cut.as_slice());
    let (mut parts, mut number) = (None, None);
    let mut tries = Tries::within(TRYING_IN_THE_QUEUE);
    loop {
        match take_in_once(desk, &arrival, kept, &mut parts, &mut number).await {
            // With none left the queue tries again.
            Err(error) if error.is_conflict() && tries.again(desk.ports.entropy.as_ref()).await => {}
            Ok(Taken::In(outcome)) => return Ok(outcome),
            Ok(Taken::Not(reason)) => return keep(reason, why_not(reason, &arrival)).await,
            // Trying again does not help.
            Err(Error::Fault(Fault::Corrupt(why))) => {
                return keep(Reason::Unreadable, format!("what it would become cannot be stored: {why}")).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What a record says of a mail that could have become a comment.
fn why_not(reason: Reason, arrival: &Arrival<'_>) -> String {
    let settings = &arrival.tenant.settings;
    match reason {
        Reason::SenderLimit => format!("mails of its sender to this mailbox within an hour: {}; it goes on later", settings.mails_a_sender),
        Reason::MailboxLimit => format!("about {} mails came to this mailbox within an hour; it goes on later", settings.mails_a_mailbox),
        Reason::Loop => format!("its sender said {} things in this ticket within an hour; it goes on later", settings.mails_a_conversation),
        Reason::OwnMail => "a mail of ours that came back".to_owned(),
        _ => format!("a mail of kind {} that belongs to no ticket", arrival.mail.kind.name()),
    }
}

/// What came of a try.
enum Taken {
    In(Outcome),
    /// It is to be kept as a record.
    Not(Reason),
}

/// Load, decide, commit.
async fn take_in_once<'a>(
    desk: &Desk,
    arrival: &'a Arrival<'_>,
    raw: &'a [u8],
    parts: &mut Option<Parts<'a>>,
    number: &mut Option<u64>,
) -> Result<Taken, Error> {
    let is_limited = !arrival.let_go;
    let (known, counted) = futures::try_join!(refs::look_up(desk, arrival), rates::count(desk, arrival))?;
    let (known, refs) = match known {
        Loaded::Seen { number, untold } => {
            if let Some(untold) = untold {
                refs::remember(desk, arrival, number, untold).await?;
            }
            return Ok(Taken::In(Outcome::Seen { number }));
        }
        Loaded::Known(found) => *found,
    };
    if arrival.is_our_own() {
        return Ok(Taken::Not(Reason::OwnMail));
    }
    if let (Some(reason), true) = (counted.over, is_limited) {
        return Ok(Taken::Not(reason));
    }
    let place = match find_place(desk, arrival, &known).await? {
        Found::There { number } => {
            refs::remember(desk, arrival, number, refs.untold(arrival)).await?;
            return Ok(Taken::In(Outcome::Seen { number }));
        }
        Found::Goes(place) => place,
    };
    match &place {
        Place::In { ticket, .. } if is_limited && rates::is_a_loop(desk, arrival, ticket).await? => return Ok(Taken::Not(Reason::Loop)),
        Place::New { .. } if !opens_ticket(arrival.mail.kind) => return Ok(Taken::Not(Reason::Automatic)),
        _ => {}
    }
    let parts = match parts {
        Some(parts) => parts,
        None => parts.insert(arrival::parts(arrival, raw)?),
    };
    let acknowledges = counted.of_the_sender < rates::ACKNOWLEDGED_MAX;
    // While the parts go into their blobs, what names them is made ready. It is committed when they are there.
    let preparing = async {
        let (decided, outcome) = decide(desk, arrival, place, number, acknowledges).await?;
        Ok((ready(desk, arrival, decided, parts, &refs).await?, outcome))
    };
    let ((), (Ready { writes, wakes }, outcome)) = futures::try_join!(parts.store(desk, arrival.keys), preparing)?;
    parts.are_stored();
    desk.ports.documents.commit(&partition(&arrival.tenant.id, Kind::Ticket), writes).await?;
    if wakes {
        letters::wake(desk, arrival.tenant).await;
    }
    Ok(Taken::In(outcome))
}

/// Another ticket, its version if it may be changed, and what it is to the new one.
type Other = (Box<Ticket>, Option<Etag>, Why);

enum Found {
    /// The same mail is in this ticket already, by another way.
    There {
        number: u64,
    },
    Goes(Place),
}

/// Where a mail goes.
enum Place {
    In {
        ticket: Box<Ticket>,
        read: Etag,
        because: Because,
        counts: bool,
    },
    /// Into a ticket of its own, linked with one that is what the link says.
    New {
        link: Option<Other>,
    },
}

/// What becomes of a mail.
struct Decided {
    ticket: Ticket,
    /// Whether there was room for all whom the mail copies.
    all_are_copied: bool,
    /// As it was read; none if it is new.
    before: Option<(Box<Ticket>, Etag)>,
    link: Option<Other>,
    /// Whether the sender of a new ticket may be told its number.
    acknowledges: bool,
}

/// Looks at the tickets that a mail may belong to, the strongest reason first, until one takes it.
async fn find_place(desk: &Desk, arrival: &Arrival<'_>, known: &Known) -> Result<Found, Error> {
    let (keys, tenant) = (arrival.keys, &arrival.tenant.id);
    let same = the_same(desk, arrival, known).await?;
    if let Some(Same { mailbox, end }) = &same
        && *mailbox == *arrival.mailbox
    {
        return Ok(Found::There { number: end.number });
    }
    let mut link = None;
    for (id, because) in known.candidates() {
        let Some((ticket, read)) = links::end_of_merges(desk, keys, tenant, id).await? else { continue };
        let is_there = same.as_ref().is_some_and(|same| same.end.id == ticket.id);
        match thread::judge(&ticket, because, &arrival.facts()) {
            Verdict::Joins { .. } | Verdict::Opens(Why::Continues) if is_there => return Ok(Found::There { number: ticket.number }),
            // By its number a mail to one mailbox may be in the ticket of another.
            Verdict::Opens(Why::SameMail) | Verdict::Passes
                if is_there
                    && known.numbered == Some(id)
                    && matches!(thread::judge(&ticket, Because::Number, &arrival.facts()), Verdict::Joins { .. }) =>
            {
                return Ok(Found::There { number: ticket.number });
            }
            Verdict::Joins { counts } => return Ok(Found::Goes(Place::In { ticket: Box::new(ticket), read, because, counts })),
            // A second mailbox's ticket is remembered as such, whatever else it has to do with.
            Verdict::Opens(why) if link.is_none() || why == Why::SameMail => {
                let read = (arrival.is_proven() || because == Because::OurOwnMessage).then_some(read);
                link = Some((Box::new(ticket), read, why));
            }
            Verdict::Opens(_) => {}
            Verdict::Passes => {}
        }
    }
    Ok(Found::Goes(Place::New { link }))
}

/// The same mail, which came by another way.
struct Same {
    /// Of the ticket that it went into.
    mailbox: Mailbox,
    /// That ticket, or the one that took it in.
    end: Ticket,
}

async fn the_same(desk: &Desk, arrival: &Arrival<'_>, known: &Known) -> Result<Option<Same>, Error> {
    let (keys, tenant) = (arrival.keys, &arrival.tenant.id);
    let Some(id) = known.same_id.filter(|_| known.says_the_same) else { return Ok(None) };
    let Some((first, _)) = store::ticket(desk, keys, tenant, id).await? else { return Ok(None) };
    let end = links::end_of_merges(desk, keys, tenant, id).await?;
    Ok(end.map(|(end, _)| Same { mailbox: first.mailbox, end }))
}

/// What becomes of the ticket that the mail goes into. The number that a new one has is kept for another try.
async fn decide(desk: &Desk, arrival: &Arrival<'_>, place: Place, number: &mut Option<u64>, acknowledges: bool) -> Result<(Decided, Outcome), Error> {
    Ok(match place {
        Place::In { ticket: before, read, because, counts } => {
            let (ticket, all_are_copied) = continued(&before, arrival, counts);
            let outcome = Outcome::Joined { number: ticket.number, because };
            (Decided { ticket, all_are_copied, before: Some((before, read)), link: None, acknowledges }, outcome)
        }
        Place::New { link } => {
            let number = match *number {
                Some(number) => number,
                None => *number.insert(desk.numbers.next(desk.ports.documents.as_ref(), arrival.keys, &arrival.tenant.id).await?),
            };
            let (ticket, all_are_copied) = opened(desk, arrival, number);
            (Decided { ticket, all_are_copied, before: None, link, acknowledges }, Outcome::Opened { number })
        }
    })
}

/// What is to be committed, and whether a letter then waits to be sent.
struct Ready {
    writes: Vec<Write>,
    wakes: bool,
}

async fn ready(desk: &Desk, arrival: &Arrival<'_>, decided: Decided, parts: &Parts<'_>, refs: &refs::Refs) -> Result<Ready, Error> {
    let Decided { mut ticket, all_are_copied, before, link, acknowledges } = decided;
    let why = link.as_ref().map(|(.., why)| *why);
    let comment = comment(arrival, ticket.id, parts, refs.message_id_reused(), all_are_copied);
    let mut more = refs.writes(arrival, &ticket, why)?;
    more.extend(refs.closing(desk, arrival, ticket.number).await?);
    if let Some(bounce) = &arrival.mail.bounce
        && let Some(reported) = thread::references(&arrival.mail).into_iter().find_map(|id| thread::own_comment(arrival.keys, id))
    {
        more.extend(deliveries::report(desk, arrival.keys, &arrival.tenant.id, reported, bounce, arrival.mail.kind, arrival.now).await?);
    }
    if let Some((mut other, read, why)) = link {
        ticket.link(&other, why);
        // Whom nobody vouches for changes nothing of others: their tickets do not name his.
        if let Some(read) = read {
            let unlinked = other.clone();
            other.link(&ticket, why.turned());
            more.push(store::ticket_write(arrival.keys, &arrival.tenant.id, &other, Some(read))?);
            more.extend(history::write(desk, arrival.keys, &arrival.tenant.id, &unlinked, &other, INTAKE, arrival.now)?);
        }
    }
    let (keys, tenant, now) = (arrival.keys, &arrival.tenant.id, arrival.now);
    match &before {
        Some((before, _)) => more.extend(history::write(desk, keys, tenant, before, &ticket, INTAKE, now)?),
        None => more.extend(contacts::first_seen(desk, keys, tenant, &ticket.requester, now).await?),
    }
    let acknowledges = acknowledges && !arrival.mail.no_automatic_answer;
    let letter = match (&before, arrival.mail.kind) {
        (None, MailKind::Person) if acknowledges => letters::acknowledgement(desk, keys, arrival.tenant, &ticket, comment.id, now).await?,
        _ => Vec::new(),
    };
    let wakes = !letter.is_empty();
    let mut writes = writes(desk, arrival, &ticket, before.map(|(_, read)| read), &comment)?;
    writes.extend(more.into_iter().chain(letter));
    Ok(Ready { writes, wakes })
}
