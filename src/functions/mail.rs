//! Mail in: `PushMail`, `IntakeMail`, `MailIntakePoison` for what the host gave up on, `ReleaseHeld` for what waited for its tenant, in and out. Mail out: `DeliverOutbox` and `SweepOutbox`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{App, HttpAnswer, HttpRequest, Problem, QueueMessage, Tick, Verdict, answer::json, every_tenant::of_each_tenant, problem};
use crate::{
    access::Caller,
    outbox,
    tenants::{self, Mailbox, State, Tenant},
    tickets::{
        self, held,
        intake::{self, Outcome},
        thread::Because,
    },
};

/// What a file of gzip begins with (RFC 1952). No mail does.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// Names the mailbox that a pushed mail is for.
const MAILBOX_HEADER: &str = "helpdesk-mailbox";

/// A raw mail (RFC 5322) for the mailbox that the header names: an address in a URL would be logged on its way.
pub async fn push(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    // The Functions host forwards no type of a body that is empty.
    if request.body.is_empty() {
        return Err(Problem::new(400, "empty-mail", "The mail is empty", "Send a raw mail, RFC 5322."));
    }
    let media_type = request.headers.get("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case("message/rfc822") {
        return Err(Problem::new(415, "not-a-mail", "The body is no mail", "Send a raw mail as `message/rfc822`."));
    }
    // The Functions host drops `Content-Encoding`, so that its bytes alone tell.
    if request.body.starts_with(GZIP) {
        let problem = Problem::new(415, "not-a-mail", "The body is no mail", "Send a raw mail as it is, without a content coding.");
        return Err(problem.with("accept-encoding", "identity"));
    }
    let bad = |detail: String| Problem::new(400, "bad-mailbox", "The mailbox is missing or none", detail);
    let named = request.headers.get(MAILBOX_HEADER).ok_or_else(|| bad("Name its address in the header `Helpdesk-Mailbox`.".to_owned()))?;
    let mailbox = Mailbox::parse(named).map_err(|error| bad(format!("In the header `Helpdesk-Mailbox`: {error}.")))?;
    intake::accept(&app.desk, &caller.tenant, &mailbox, request.body).await?;
    Ok(json(202, &Accepted { accepted: true }))
}

#[derive(Serialize, JsonSchema)]
pub struct Accepted {
    accepted: bool,
}

pub async fn intake(app: &App, message: QueueMessage) -> Verdict {
    verdict(intake::take_in(&app.desk, &message.text).await)
}

pub async fn poison(app: &App, message: QueueMessage) -> Verdict {
    verdict(intake::take_in_poison(&app.desk, &message.text).await)
}

pub async fn release(app: &App, _tick: Tick) -> Verdict {
    match of_each_tenant(app, |app, tenant| Box::pin(held_mail(app, tenant))).await {
        Ok(released) => Verdict::Done(format!("{released} held mails go on their way")),
        Err(error) => problem::retry(&error),
    }
}

async fn held_mail(app: &App, tenant: Tenant) -> Result<usize, tickets::Error> {
    if tenant.state != State::Active {
        return Ok(0);
    }
    let (came_in, goes_out) = (held::release(&app.desk, &tenant.id).await, outbox::held::release(&app.ports, &tenant.id).await);
    Ok(came_in? + goes_out?)
}

pub async fn deliver(app: &App, message: QueueMessage) -> Verdict {
    let Some(tenant) = outbox::woken_for(&message.text) else {
        // Nothing is lost with it: the sweep finds every row that is due.
        return Verdict::Done("the message is no wake-up of this version and was left to the sweep".to_owned());
    };
    match tenants::get(app.ports.documents.as_ref(), &app.keyring, &tenant).await {
        Ok(Some((known, _))) if known.state != State::Active => {
            return match outbox::held::hold(&app.ports, &tenant).await {
                Ok(held) => Verdict::Done(format!("{held} held until the tenant is active")),
                Err(error) => problem::retry(&error),
            };
        }
        // What came late of one who was removed is deleted there.
        Ok(_) => {}
        Err(error) => return problem::retry(&error),
    }
    match outbox::deliver(&app.ports, &app.keyring, &tenant).await {
        Ok(done) => {
            let note = format!("{} sent, {} delayed, {} given up", done.sent, done.delayed, done.given_up);
            if done.failed == 0 { Verdict::Done(note) } else { Verdict::Retry(format!("{note}, {} not stored", done.failed)) }
        }
        Err(error) => problem::retry(&error),
    }
}

pub async fn sweep(app: &App, _tick: Tick) -> Verdict {
    match outbox::sweep(&app.ports).await {
        Ok(tenants) => Verdict::Done(format!("{tenants} tenants had overdue mail")),
        Err(error) => problem::retry(&error),
    }
}

fn verdict(outcome: Result<Outcome, crate::tickets::Error>) -> Verdict {
    match outcome {
        Ok(Outcome::Opened { number }) => Verdict::Done(format!("opened ticket {number}")),
        Ok(Outcome::Joined { number, because }) => Verdict::Done(format!("comment on ticket {number}: {}", why(because))),
        Ok(Outcome::Seen { number }) => Verdict::Done(format!("seen before, in ticket {number}")),
        Ok(Outcome::Unprocessed { record, reason, first: true }) => Verdict::Reject(format!("unprocessed {record}: {reason}")),
        Ok(Outcome::Unprocessed { record, reason, first: false }) => Verdict::Reject(format!("seen before, unprocessed {record}: {reason}")),
        Err(error) => problem::retry(&error),
    }
}

fn why(because: Because) -> &'static str {
    match because {
        Because::OurOwnMessage => "it answers our own mail",
        Because::Reference => "it refers to a mail of the ticket",
        Because::SharedReference => "it refers to a mail that the ticket refers to",
        Because::Awaited => "a mail that refers to it came earlier",
        Because::SameMessageId => "another mail with its Message-ID is there",
        Because::Number => "its subject names the number",
    }
}
