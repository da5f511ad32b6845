//! Tickets that belong together: linked by people, or one taken into another.

use super::{Desk, Error, Status, Ticket, Viewer, Why, history, store};
use crate::{
    audit,
    ids::{Kind, TenantId, TicketId, partition},
    keys::TenantKeys,
    ports::{Etag, TRYING_FOR_A_CALLER, Tries, Versions, Write, first_version},
    tenants::{self, Settings},
};

/// Merges that are followed from one ticket. Merging makes no circle, so that only a longer chain ends there.
const MERGES_FOLLOWED_MAX: usize = 200;

/// What becomes of two tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Together {
    /// Each names the other.
    Linked,
    /// Neither names the other any more, whoever linked them. A merge is not undone.
    Apart,
    /// The second takes the first in: it is solved, what comes for it goes there, and who took part in it is in copy there.
    Merged,
}

/// Links two tickets, undoes that, or merges the first into the second, in one commit, if the first is of the versions that the caller means. Said twice it
/// changes nothing more, whatever its version. Answers the first.
pub async fn join(
    desk: &Desk,
    tenant: &TenantId,
    (first, second): (TicketId, TicketId),
    how: Together,
    meant: &Versions,
    actor: &str,
) -> Result<(Ticket, Etag), Error> {
    if first == second {
        return Err(Error::BadLink);
    }
    let keys = desk.keyring.keys(tenant).await?;
    let settings = tenants::settings(desk.ports.documents.as_ref(), &desk.keyring, tenant).await?;
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        let work = Work { desk, keys: &keys, tenant, settings: &settings, meant, actor };
        match join_once(&work, first, second, how).await {
            Err(error) if error.is_conflict() && tries.again(desk.ports.entropy.as_ref()).await => {}
            done => return done,
        }
    }
}

struct Work<'a> {
    desk: &'a Desk,
    keys: &'a TenantKeys,
    tenant: &'a TenantId,
    settings: &'a Settings,
    meant: &'a Versions,
    actor: &'a str,
}

async fn join_once(work: &Work<'_>, first: TicketId, second: TicketId, how: Together) -> Result<(Ticket, Etag), Error> {
    let Work { desk, keys, tenant, .. } = *work;
    let (one, two) = futures::try_join!(store::ticket(desk, keys, tenant, first), store::ticket(desk, keys, tenant, second))?;
    let ((one_before, one_read), (two_before, two_read)) = (one.ok_or(Error::NotFound)?, two.ok_or(Error::NotFound)?);
    let (mut one, mut two) = (one_before.clone(), two_before.clone());
    let now = desk.ports.clock.now();
    match how {
        Together::Linked => {
            one.link(&two, Why::Related);
            two.link(&one, Why::Related);
            if !one.is_linked(&two, Why::Related) || !two.is_linked(&one, Why::Related) {
                return Err(Error::BadLink);
            }
        }
        Together::Apart => {
            one.unlink(&two);
            two.unlink(&one);
            let is_merge = one.merged_into == Some(second) || two.merged_into == Some(first);
            if is_merge && one == one_before && two == two_before {
                return Err(Error::MergeStays);
            }
        }
        Together::Merged => {
            if one.merged_into == Some(second) {
                return Ok((one, one_read));
            }
            // The other may have been merged into this one: no circle.
            if one.merged_into.is_some() || two.merged_into.is_some() {
                return Err(Error::BadLink);
            }
            // What is asked in the one is asked in the other from now on.
            if one.status.is_open() && !two.status.is_open() {
                two.turn(Status::InProgress, now, work.settings);
            }
            // Whose ticket was solved without an answer waits for none.
            if one.status != Status::Solved {
                two.clocks.take_over(&mut one.clocks, two.status, now, work.settings);
            }
            one.merged_into = Some(second);
            one.turn(Status::Solved, now, work.settings);
            two.copy_to(one.parties().cloned().collect::<Vec<_>>());
            if !one.parties().filter_map(|party| party.address.as_deref()).all(|address| two.takes_part(address)) {
                return Err(Error::TooManyParties);
            }
            one.link(&two, Why::MergedInto);
            two.link(&one, Why::Merged);
            // Whoever reads the one that goes on finds the other by nothing else.
            if !two.is_linked(&one, Why::Merged) {
                return Err(Error::BadLink);
            }
        }
    }
    if one == one_before && two == two_before {
        return Ok((one, one_read));
    }
    if !work.meant.take(&one_read) {
        return Err(Error::Changed);
    }
    let mut writes = Vec::new();
    for (before, after, read) in [(&one_before, &mut one, one_read), (&two_before, &mut two, two_read)] {
        writes.extend(rewritten(work, before, after, read)?);
    }
    let etags = desk.ports.documents.commit(&partition(tenant, Kind::Ticket), writes).await?;
    Ok((one, first_version(etags)?))
}

/// The writes of one of the two.
fn rewritten(work: &Work<'_>, before: &Ticket, after: &mut Ticket, read: Etag) -> Result<Vec<Write>, Error> {
    let Work { desk, keys, tenant, actor, .. } = *work;
    let now = desk.ports.clock.now();
    after.changed_from(before, now);
    let event = audit::Event::new(now, actor, audit::Action::TicketChanged, after.id);
    let mut writes = vec![store::ticket_write(keys, tenant, after, Some(read))?, audit::record(keys, tenant, desk.ports.entropy.as_ref(), &event)?];
    writes.extend(history::write(desk, keys, tenant, before, after, actor, now)?);
    Ok(writes)
}

/// The ticket, or the one that took it in, and its version.
pub(super) async fn end_of_merges(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, id: TicketId) -> Result<Option<(Ticket, Etag)>, Error> {
    let mut found = store::ticket(desk, keys, tenant, id).await?;
    for _ in 0..MERGES_FOLLOWED_MAX {
        let Some(into) = found.as_ref().and_then(|(ticket, _)| ticket.merged_into) else { break };
        found = store::ticket(desk, keys, tenant, into).await?;
    }
    Ok(found)
}

/// Fails, and says where to go on, if another ticket took this one in. Who is not to see that one is not told which it is: he is in copy there, by mail.
pub(super) async fn is_not_merged(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, viewer: Viewer<'_>, ticket: &Ticket) -> Result<(), Error> {
    if ticket.merged_into.is_none() {
        return Ok(());
    }
    let end = end_of_merges(desk, keys, tenant, ticket.id).await?.filter(|(end, _)| viewer.sees(end));
    Err(Error::Merged { into: end.map(|(end, _)| end.number) })
}
