//! What became of the mails about comments: for each who gets one, as our own servers and the reports of others tell.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Desk, Error};
use crate::{
    ids::{CommentId, TenantId, TicketId},
    keys::TenantKeys,
    mail::{Bounce, MailKind, Recipient},
    outbox::delivery::{self, Delivery, State},
    ports::Write,
};

/// What the mails about a comment are about, for the outbox. The ticket is the one that the comment was made in, whatever it was merged into later.
pub(super) fn about(ticket: TicketId, comment: CommentId) -> String {
    format!("{ticket}:{comment}")
}

/// The deliveries of a ticket's comments from the first of these to the last, by comment.
pub async fn of_comments(
    desk: &Desk,
    tenant: &TenantId,
    ticket: TicketId,
    comments: impl Iterator<Item = CommentId> + Clone,
) -> Result<BTreeMap<CommentId, Vec<Delivery>>, Error> {
    let (Some(first), Some(last)) = (comments.clone().min(), comments.max()) else { return Ok(BTreeMap::new()) };
    let keys = desk.keyring.keys(tenant).await?;
    let found = delivery::between(&desk.ports, &keys, tenant, &about(ticket, first), &about(ticket, last)).await?;
    let of_one = |(about, stored): (String, Vec<delivery::Stored>)| {
        let comment = about.rsplit_once(':')?.1.parse().ok()?;
        Some((comment, stored.into_iter().map(|stored| stored.delivery).collect()))
    };
    Ok(found.into_iter().filter_map(of_one).collect())
}

/// What a report on our mail about a comment changes, for the commit that makes it a comment itself. Who got that mail can be named by it; where it names
/// none of them and one alone got it, it is him, unless it says that it came to him. Of several nobody is meant by such a report: each got the mail under the same header. Each is as
/// late or failed as the report says of him. What has failed for good stays so.
pub(super) async fn report(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    (ticket, comment): (TicketId, CommentId),
    bounce: &Bounce,
    kind: MailKind,
    now: OffsetDateTime,
) -> Result<Vec<Write>, Error> {
    let of_all = match kind {
        MailKind::Bounce => State::Failed,
        MailKind::Delayed => State::Delayed,
        MailKind::Person | MailKind::AutoReply | MailKind::Automatic | MailKind::Bulk | MailKind::Complaint | MailKind::Calendar => {
            return Ok(Vec::new());
        }
    };
    let about = about(ticket, comment);
    let found = delivery::between(&desk.ports, keys, tenant, &about, &about).await?.remove(&about).unwrap_or_default();
    let got_it: Vec<String> = found.iter().map(|stored| stored.delivery.to.clone()).collect();
    // An address that did not get the mail from us is that of somebody who helps, or of one to whom it was passed on.
    let meant = |to: &str| bounce.recipients.iter().find(|recipient| is_meant(recipient, to, &got_it));
    let names_nobody = bounce.only_addressees || got_it.iter().all(|to| meant(to).is_none());
    let is_alone = found.len() == 1;
    let mut writes = Vec::new();
    for stored in found {
        let to = stored.delivery.to.as_str();
        let is_him = if names_nobody { is_alone && !bounce.reached.iter().any(|reached| reached == to) } else { meant(to).is_some() };
        if stored.delivery.state == State::Failed || !is_him {
            continue;
        }
        // Tried again for any of those to whom it was passed on, it is not given up.
        let of_others = || bounce.recipients.iter().find(|recipient| recipient.late).or(bounce.recipients.first());
        let named = meant(to).or_else(of_others);
        let state = named.map_or(of_all, |recipient| if recipient.late { State::Delayed } else { State::Failed });
        let status = named.and_then(|recipient| recipient.status.clone());
        let delivery = Delivery { state, status, at: now, ..stored.delivery.clone() };
        writes.push(stored.rewritten(keys, tenant, &delivery)?);
    }
    Ok(writes)
}

/// Whether a recipient of a report is the one whom we wrote to at this address. What came to him from another who got the mail from us is that one's.
fn is_meant(recipient: &Recipient, to: &str, got_it: &[String]) -> bool {
    recipient.address == to && recipient.forwarded_from.as_ref().is_none_or(|from| !got_it.contains(from))
}
