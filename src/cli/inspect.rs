//! `helpdesk inspect`: what the intake makes of a mail, without taking it in.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use serde::Serialize;

use super::{counted, printable, read, say};
use crate::{
    mail::{Address, Attachment, Bounce, Held, Mail, parse, sender::Trust},
    ports::timestamp,
    tickets::intake::MAIL_BYTES_MAX,
};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  helpdesk inspect question.eml\n  helpdesk inspect --json *.eml | jq .kind\n  helpdesk inspect --trust 'rfc8601 mx.contoso.example' question.eml"
)]
pub(super) struct Arguments {
    /// Mails as files (RFC 5322); `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Whose word on senders counts: nobody, exchange_online, 'rfc8601 ID' or 'rfc8601 ID arc SEALER...'
    #[arg(long, default_value_t = Trust::Nobody)]
    trust: Trust,
    /// One JSON object a line; without it too, where standard output is no terminal
    #[arg(long)]
    json: bool,
}

/// Prints a record for each file, in their order. 1 if a file could not be read from the disk.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let json = arguments.json || !io::stdout().is_terminal();
    let mut all_read = true;
    for file in &arguments.files {
        let read = read(file, MAIL_BYTES_MAX);
        all_read &= read.is_ok();
        let parsed = read.map_err(|error| format!("the file cannot be read: {error}"));
        let parsed = parsed.and_then(|raw| parse::parse(&raw, &arguments.trust).map_err(|why| why.to_string()));
        let record = match &parsed {
            Ok(mail) => Record::of(file, mail),
            Err(why) => Record::unreadable(file, why),
        };
        if json {
            say(&serde_json::to_string(&record)?)?;
        } else {
            say(&record.for_a_person())?;
        }
    }
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is printed of a mail.
#[derive(Default, Serialize)]
struct Record<'a> {
    file: String,
    kind: &'a str,
    from: Option<AddressLine<'a>>,
    written_by: Option<AddressLine<'a>>,
    to: Vec<AddressLine<'a>>,
    cc: Vec<AddressLine<'a>>,
    subject: &'a str,
    message_id: Option<&'a str>,
    in_reply_to: &'a [String],
    references: &'a [String],
    date: Option<String>,
    text: &'a str,
    reply: &'a str,
    forwarded_from: Option<AddressLine<'a>>,
    html: Option<&'a str>,
    attachments: Vec<AttachmentLine<'a>>,
    bounce: Option<BounceLine<'a>>,
    sender: SenderLine,
    redactions: usize,
    warnings: Vec<&'a str>,
}

#[derive(Serialize)]
struct AddressLine<'a> {
    address: &'a str,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct AttachmentLine<'a> {
    name: &'a str,
    r#type: &'a str,
    declared_type: Option<&'a str>,
    bytes: usize,
    inline: bool,
    held: Option<&'a str>,
}

#[derive(Serialize)]
struct BounceLine<'a> {
    recipients: Vec<RecipientLine<'a>>,
    only_addressees: bool,
    reached: &'a [String],
    original_message_id: Option<&'a str>,
}

#[derive(Serialize)]
struct RecipientLine<'a> {
    address: &'a str,
    forwarded_from: Option<&'a str>,
    late: bool,
    status: Option<&'a str>,
    permanent: Option<bool>,
}

#[derive(Default, Serialize)]
struct SenderLine {
    proven: bool,
    by: Option<&'static str>,
}

impl<'a> Record<'a> {
    fn of(file: &Path, mail: &'a Mail) -> Self {
        Record {
            file: file.display().to_string(),
            kind: mail.kind.name(),
            from: mail.from.as_ref().map(AddressLine::of),
            written_by: mail.written_by.as_ref().map(AddressLine::of),
            to: mail.to.iter().map(AddressLine::of).collect(),
            cc: mail.cc.iter().map(AddressLine::of).collect(),
            subject: &mail.subject,
            message_id: mail.message_id.as_deref(),
            in_reply_to: &mail.in_reply_to,
            references: &mail.references,
            date: mail.date.map(timestamp),
            text: &mail.text,
            reply: &mail.reply,
            forwarded_from: mail.forwarded_from.as_ref().map(AddressLine::of),
            html: mail.html.as_deref(),
            attachments: mail.attachments.iter().map(AttachmentLine::of).collect(),
            bounce: mail.bounce.as_ref().map(BounceLine::of),
            sender: SenderLine { proven: mail.is_proven(), by: mail.sender.by.filter(|_| mail.is_proven()) },
            redactions: mail.redactions,
            warnings: mail.warnings.iter().map(|warning| warning.name()).collect(),
        }
    }

    fn unreadable(file: &Path, why: &'a str) -> Self {
        Record { file: file.display().to_string(), kind: "unreadable", warnings: vec![why], ..Record::default() }
    }

    /// Labelled lines, and the new words below them.
    fn for_a_person(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.file, self.kind)];
        let mut line = |label: &str, value: String| {
            if !value.is_empty() {
                lines.push(format!("  {label:<12} {value}"));
            }
        };
        line("from", self.from.as_ref().map(AddressLine::for_a_person).unwrap_or_default());
        line("written by", self.written_by.as_ref().map(AddressLine::for_a_person).unwrap_or_default());
        line("sender", self.sender.by.map_or_else(|| "not proven".to_owned(), |by| format!("proven by {by}")));
        line("to", for_people(&self.to));
        line("cc", for_people(&self.cc));
        line("forwards", self.forwarded_from.as_ref().map(AddressLine::for_a_person).unwrap_or_default());
        line("subject", self.subject.to_owned());
        line("date", self.date.clone().unwrap_or_default());
        line("message id", self.message_id.unwrap_or_default().to_owned());
        line("answers", self.in_reply_to.join(" "));
        for attachment in &self.attachments {
            let inline = if attachment.inline { ", shown in the text" } else { "" };
            let held = attachment.held.map(|why| format!(", held: {why}")).unwrap_or_default();
            line("attachment", format!("{} ({}, {}{inline}{held})", attachment.name, attachment.r#type, counted(attachment.bytes, "byte")));
        }
        if let Some(bounce) = &self.bounce {
            for recipient in &bounce.recipients {
                let lasting = recipient.permanent.map_or("", |permanent| if permanent { ", for good" } else { ", for now" });
                line("not reached", format!("{} {}{lasting}", recipient.address, recipient.status.unwrap_or_default()));
            }
            line("original", bounce.original_message_id.unwrap_or_default().to_owned());
        }
        line("cards cut", if self.redactions > 0 { self.redactions.to_string() } else { String::new() });
        line("warnings", self.warnings.join(", "));
        let words = self.reply.lines().map(|line| format!("  | {line}"));
        lines.into_iter().chain(words).map(|line| printable(&line)).collect::<Vec<_>>().join("\n")
    }
}

impl<'a> AddressLine<'a> {
    fn of(address: &'a Address) -> Self {
        AddressLine { address: &address.address, name: address.name.as_deref() }
    }

    fn for_a_person(&self) -> String {
        self.name.map_or_else(|| self.address.to_owned(), |name| format!("{name} <{}>", self.address))
    }
}

fn for_people(addresses: &[AddressLine<'_>]) -> String {
    addresses.iter().map(AddressLine::for_a_person).collect::<Vec<_>>().join(", ")
}

impl<'a> AttachmentLine<'a> {
    fn of(attachment: &'a Attachment) -> Self {
        AttachmentLine {
            name: &attachment.name,
            r#type: &attachment.media_type,
            declared_type: attachment.declared_type.as_deref(),
            bytes: attachment.bytes.len(),
            inline: attachment.inline,
            held: attachment.held.map(Held::name),
        }
    }
}

impl<'a> BounceLine<'a> {
    fn of(bounce: &'a Bounce) -> Self {
        let recipients = bounce.recipients.iter().map(|recipient| RecipientLine {
            address: &recipient.address,
            forwarded_from: recipient.forwarded_from.as_deref(),
            late: recipient.late,
            status: recipient.status.as_deref(),
            permanent: recipient.permanent,
        });
        BounceLine {
            recipients: recipients.collect(),
            only_addressees: bounce.only_addressees,
            reached: &bounce.reached,
            original_message_id: bounce.original_message_id.as_deref(),
        }
    }
}
