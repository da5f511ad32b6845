//! Mails of the desk: an agent's answer, and the acknowledgement that a mail became a ticket.

use time::OffsetDateTime;

use super::{
    Desk, Error, Party, Ticket, address, deliveries,
    signatures::Signature,
    thread::{self, number_in},
};
use crate::{
    ids::{CommentId, RecordId},
    keys::TenantKeys,
    mail::{
        Address, LOOP_HEADER,
        compose::{Draft, Enclosure, SUBJECT_CHARS_MAX, compose, compose_beyond_ascii},
        reply::is_an_answer,
    },
    outbox,
    ports::Write,
    tenants::{self, Language, Purpose, Tenant},
};

/// Where the records of the second mail of a comment begin, however many recipients the first one has.
const BEYOND_ASCII_FROM: usize = 1 << 16;
/// Stands in the text for a subject that is empty.
const NO_SUBJECT: &str = "…";

/// A mail about a comment.
pub(super) struct Letter<'a> {
    /// Before the comment: the mail refers to the newest one of the conversation.
    pub(super) ticket: &'a Ticket,
    pub(super) comment: CommentId,
    pub(super) purpose: Purpose,
    pub(super) to: Vec<&'a Party>,
    /// What the agent says.
    pub(super) text: &'a str,
    pub(super) signature: &'a Signature,
    pub(super) attachments: Vec<Enclosure>,
    pub(super) at: OffsetDateTime,
}

/// What makes an acknowledgement leave, for the commit in which a mail becomes a ticket: nothing, if the desk sends none, or if it would reach somebody
/// who perhaps did not write: only a proven sender is answered by a machine. The same comment has the same Message-ID.
pub(super) async fn acknowledgement(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &Tenant,
    ticket: &Ticket,
    comment: CommentId,
    now: OffsetDateTime,
) -> Result<Vec<Write>, Error> {
    let to: Vec<&Party> = recipients(tenant, ticket).into_iter().filter(|party| **party == ticket.requester).collect();
    if !tenant.settings.acknowledge || !ticket.requester_proven || to.is_empty() {
        return Ok(Vec::new());
    }
    let (purpose, signature) = (Purpose::Acknowledgement, &Signature::default());
    post(desk, keys, tenant, Letter { ticket, comment, purpose, to, text: "", signature, attachments: Vec::new(), at: now }).await
}

/// Who gets what is answered: the requester and who is in copy, each once, but no mailbox of the tenant's own, which would open a ticket with it.
pub(super) fn recipients<'a>(tenant: &Tenant, ticket: &'a Ticket) -> Vec<&'a Party> {
    let mut recipients: Vec<&Party> = Vec::new();
    for party in ticket.parties() {
        let Some(address) = &party.address else { continue };
        if !tenant.has_mailbox(address) && recipients.iter().all(|other| other.address != party.address) {
            recipients.push(party);
        }
    }
    recipients
}

/// The writes that make a letter leave, and the wake-up that is sent before their commit.
pub(super) async fn post(desk: &Desk, keys: &TenantKeys, tenant: &Tenant, letter: Letter<'_>) -> Result<Vec<Write>, Error> {
    let to: Vec<String> = letter.to.iter().filter_map(|party| party.address.clone()).collect();
    if to.is_empty() {
        return Ok(Vec::new());
    }
    let (ticket, comment, at) = (letter.ticket, letter.comment, letter.at);
    let draft = draft(keys, tenant, letter);
    let (about, from) = (deliveries::about(ticket.id, comment), ticket.mailbox.as_str());
    let (plain, beyond_ascii): (Vec<String>, Vec<String>) = to.into_iter().partition(|to| to.is_ascii() && from.is_ascii());
    let mut writes = Vec::new();
    // The same mail under two headers, each with records of its own.
    for (is_plain, first, to) in [(true, 0, &plain), (false, BEYOND_ASCII_FROM, &beyond_ascii)] {
        if to.is_empty() {
            continue;
        }
        let raw = if is_plain { compose(&draft) } else { compose_beyond_ascii(&draft) };
        let record = outbox::record_at(RecordId::new(comment.ulid()), first);
        let mail = outbox::Leaving { record, about: &about, from, to, raw: &raw };
        writes.extend(outbox::rows(&desk.ports, keys, &tenant.id, &mail, at).await?);
    }
    outbox::announce(&desk.ports, &tenant.id).await?;
    Ok(writes)
}

/// Has what was posted sent at once, after its commit. It stands whatever the mail server does, and whatever happens here.
pub(super) async fn wake(desk: &Desk, tenant: &Tenant) {
    if let Err(error) = outbox::wake(&desk.ports, &tenant.id).await {
        tracing::warn!(%error, "a mail is not sent at once but by the wake-up that was announced");
    }
}

fn draft(keys: &TenantKeys, tenant: &Tenant, letter: Letter<'_>) -> Draft {
    let Letter { ticket, comment, purpose, ref to, .. } = letter;
    let (subject, text) = words(tenant, &letter);
    let mailbox = &ticket.mailbox;
    let addresses = |of_requester: bool| {
        let chosen = to.iter().filter(move |party| (***party == ticket.requester) == of_requester);
        chosen.filter_map(|party| Some(Address { address: party.address.clone()?, name: party.name.clone() })).collect::<Vec<_>>()
    };
    let (mut first, mut copies) = (addresses(true), addresses(false));
    if first.is_empty() {
        std::mem::swap(&mut first, &mut copies);
    }
    let mut references: Vec<String> = ticket.first_message_id.iter().chain(&ticket.last_message_id).cloned().collect();
    references.dedup();
    let mut headers = vec![(LOOP_HEADER, thread::loop_mark(keys, mailbox))];
    if purpose == Purpose::Acknowledgement {
        // RFC 3834, and what Exchange looks at. It comes from the mailbox and not from nobody, as RFC 3834 would have it: services that relay mail
        // refuse that, and what bounces tells that the address is none.
        headers.extend([("Auto-Submitted", "auto-replied".to_owned()), ("X-Auto-Response-Suppress", "All".to_owned())]);
    }
    let plus = tenant.settings.plus_addresses.then(|| address::plus_address(keys, mailbox, ticket.id)).flatten();
    Draft {
        from: Address { address: mailbox.as_str().to_owned(), name: None },
        to: first,
        cc: copies,
        reply_to: plus.map(|address| Address { address, name: None }),
        subject,
        text,
        attachments: letter.attachments,
        message_id: thread::own_message_id(keys, ticket.id, comment, mailbox.domain()),
        in_reply_to: ticket.last_message_id.clone(),
        references,
        date: letter.at,
        headers,
    }
}

/// Subject and text, in the tenant's words or in ours.
fn words(tenant: &Tenant, letter: &Letter<'_>) -> (String, String) {
    let (ticket, settings) = (letter.ticket, &tenant.settings);
    let own = settings.templates.iter().find(|own| (own.purpose, own.language) == (letter.purpose, settings.language));
    let (subject, text) = own.map_or_else(|| built_in(letter.purpose, settings.language), |own| (&own.subject, &own.text));
    let number = ticket.number.to_string();
    let agent = letter.signature.name.as_deref().unwrap_or(&tenant.name);
    let signature = letter.signature.block();
    let value = |name: &str, empty| match name {
        "number" => number.as_str(),
        "subject" if ticket.subject.is_empty() => empty,
        "subject" => &ticket.subject,
        "text" => letter.text,
        "agent" => agent,
        "signature" => &signature,
        _ => "",
    };
    let subject = subject_line(&tenants::filled(subject, |name| value(name, "")), ticket.number);
    (subject, tenants::filled(text, |name| value(name, NO_SUBJECT)).trim_end().to_owned())
}

/// With the ticket's number as its last, and one mark of an answer at most, in whatever language it came.
fn subject_line(filled: &str, number: u64) -> String {
    let mut subject = filled.trim();
    while let Some(rest) = subject.strip_prefix("Re:").map(str::trim_start).filter(|rest| is_an_answer(rest)) {
        subject = rest;
    }
    if number_in(subject) == Some(number) && subject.chars().count() <= SUBJECT_CHARS_MAX {
        return subject.to_owned();
    }
    let tag = format!(" [#{number}]");
    let cut: String = subject.chars().take(SUBJECT_CHARS_MAX - tag.len()).collect();
    format!("{cut}{tag}")
}

/// Subject and text of a letter that the tenant has no template for. An answer is the agent's words alone: only he knows their language.
fn built_in(purpose: Purpose, language: Language) -> (&'static str, &'static str) {
    let text = match (purpose, language) {
        (Purpose::Answer, _) => "{text}\n\n{signature}",
        (Purpose::Acknowledgement, Language::En) => {
            "Hello,\n\nThank you for your message. Its number is {number}: “{subject}”.\n\n\
             We will answer as soon as we can. If you want to add something, just answer this mail.\n\nKind regards\n{agent}"
        }
        (Purpose::Acknowledgement, Language::De) => {
            "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Sie hat die Nummer {number}: „{subject}“.\n\n\
             Wir antworten, sobald wir können. Wenn Sie etwas ergänzen möchten, antworten Sie einfach auf diese E-Mail.\n\n\
             Mit freundlichen Grüßen\n{agent}"
        }
        (Purpose::Acknowledgement, Language::Fr) => {
            "Bonjour,\n\nMerci pour votre message. Il porte le numéro {number}\u{a0}: «\u{a0}{subject}\u{a0}».\n\n\
             Nous vous répondrons dès que possible. Pour ajouter quelque chose, répondez simplement à ce courriel.\n\nCordialement\n{agent}"
        }
        (Purpose::Acknowledgement, Language::Es) => {
            "Hola:\n\nGracias por su mensaje. Tiene el número {number}: «{subject}».\n\n\
             Le responderemos lo antes posible. Si desea añadir algo, basta con responder a este correo.\n\nUn cordial saludo\n{agent}"
        }
        (Purpose::Acknowledgement, Language::It) => {
            "Buongiorno,\n\nGrazie per il Suo messaggio. Ha il numero {number}: «{subject}».\n\n\
             Le risponderemo appena possibile. Per aggiungere qualcosa, basta rispondere a questa e-mail.\n\nCordiali saluti\n{agent}"
        }
        (Purpose::Acknowledgement, Language::Nl) => {
            "Goedendag,\n\nBedankt voor uw bericht. Het heeft nummer {number}: “{subject}”.\n\n\
             We antwoorden zo snel mogelijk. Wilt u iets toevoegen, beantwoord dan gewoon deze e-mail.\n\nMet vriendelijke groet\n{agent}"
        }
    };
    ("Re: {subject}", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_says_once_that_it_answers_and_once_what() {
        for (filled, expected) in [
            ("Re: Fire", "Re: Fire [#7]"),
            ("Re: Re: Fire [#7]", "Re: Fire [#7]"),
            ("Re: AW: Fire", "AW: Fire [#7]"),
            ("Re: Fire [#7] (was: [#12])", "Re: Fire [#7] (was: [#12]) [#7]"),
            ("Re: ", "Re: [#7]"),
            ("Re: Fwd: Fire", "Re: Fwd: Fire [#7]"),
        ] {
            assert_eq!(subject_line(filled, 7), expected);
        }
        let long = subject_line(&format!("Re: {}", "ü".repeat(2_000)), 7);
        assert_eq!((long.chars().count(), long.ends_with("ü [#7]")), (SUBJECT_CHARS_MAX, true));
    }

    #[test]
    fn each_language_names_the_number_and_the_subject() {
        for language in Language::ALL {
            let (_, text) = built_in(Purpose::Acknowledgement, language);
            for placeholder in ["{number}", "{subject}", "{agent}"] {
                assert_eq!(text.matches(placeholder).count(), 1, "{text}");
            }
            assert!(!text.contains('"') && !text.contains('\''), "{text}");
        }
    }
}
