//! `helpdesk unprocessed`: mail that did not become a ticket.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::{COMMAND_LINE, Data, counted, each, named_or_all, print, print_list, printable, say};
use crate::{
    config::Config,
    functions::App,
    ids::{RecordId, TenantId},
    ports::timestamp,
    tickets::unprocessed::{self, Raw, State, Unprocessed},
};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  helpdesk unprocessed list\n  helpdesk unprocessed replay 01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the records, oldest first
    #[command(after_help = "Example:\n  helpdesk unprocessed list --tenant contoso")]
    List {
        /// Only this tenant's, or with `sys` those of nobody; without it, all
        #[arg(long, value_parser = |text: &str| TenantId::try_from(text.to_owned()))]
        tenant: Option<TenantId>,
        /// Also those that became tickets by a replay
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Show one record, or the mail itself
    #[command(after_help = "Example:\n  helpdesk unprocessed show 01JD7Z3M9QK4T5V6W7X8Y9Z0AB --raw | less")]
    Show {
        /// The record, as `helpdesk unprocessed list` names it
        id: RecordId,
        /// Write the mail to standard output
        #[arg(long, conflicts_with = "json")]
        raw: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Send mails through the intake again
    #[command(after_help = "Example:\n  helpdesk unprocessed replay 01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]
    Replay {
        /// The records, as `helpdesk unprocessed list` names them
        #[arg(required = true)]
        ids: Vec<RecordId>,
        #[command(flatten)]
        data: Data,
    },
    /// Send mails through the intake again that a limit holds, and would hold again
    #[command(after_help = "Example:\n  helpdesk unprocessed release 01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]
    Release {
        /// The records, as `helpdesk unprocessed list` names them
        #[arg(required = true)]
        ids: Vec<RecordId>,
        #[command(flatten)]
        data: Data,
    },
}

/// A record and whose it is.
#[derive(Serialize)]
struct Entry {
    /// `sys` if nobody's.
    tenant: TenantId,
    #[serde(flatten)]
    record: Unprocessed,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    match arguments.command {
        Command::List { tenant, all, json, data } => {
            let app = data.visit(config).await?.app;
            let owners = match tenant {
                Some(tenant) if tenant.is_system() => vec![tenant],
                Some(tenant) => named_or_all(&app, Some(tenant)).await?,
                None => owners(&app).await?,
            };
            let mut entries = Vec::new();
            for owner in owners {
                let mut after = None;
                loop {
                    let unprocessed::Page { records, next } = unprocessed::list(&app.desk, &owner, after).await?;
                    after = next;
                    let wanted = records.into_iter().filter(|record| all || record.state != State::Processed);
                    entries.extend(wanted.map(|record| Entry { tenant: owner.clone(), record }));
                    if after.is_none() {
                        break;
                    }
                }
            }
            // A record's id begins with its time.
            entries.sort_by_key(|entry| entry.record.id);
            print_list(&entries, json, line, "nothing is unprocessed")?;
        }
        Command::Show { id, raw, json, data } => {
            let app = data.visit(config).await?.app;
            let entry = find(&app, id).await?;
            show(&app, &entry, raw, json).await?;
        }
        Command::Replay { ids, data } => {
            let app = data.visit(config).await?.app;
            return each(&ids, "goes through the intake again", async |id| {
                let entry = find(&app, id).await?;
                Ok(unprocessed::replay::replay(&app.desk, &entry.tenant, id, COMMAND_LINE).await?)
            })
            .await;
        }
        Command::Release { ids, data } => {
            let app = data.visit(config).await?.app;
            return each(&ids, "goes on its way", async |id| {
                let entry = find(&app, id).await?;
                Ok(unprocessed::replay::let_go(&app.desk, &entry.tenant, id, COMMAND_LINE).await?)
            })
            .await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(app: &App, entry: &Entry, raw: bool, json: bool) -> Result<()> {
    let record = &entry.record;
    if raw {
        let bytes = unprocessed::raw(&app.desk, &entry.tenant, record).await?.context("the mail itself is not there")?;
        return print(&bytes);
    }
    if json {
        return say(&serde_json::to_string(entry)?);
    }
    let place = match &record.raw {
        Raw::Nowhere => "not known".to_owned(),
        Raw::Intake { blob, .. } => format!("blob {blob} of the intake container"),
        Raw::Sealed { bytes, altered, .. } => format!("{bytes} bytes, sealed{}", if *altered { ", card numbers cut out" } else { "" }),
    };
    say(&format!("record    {}", record.id))?;
    say(&format!("tenant    {}", if entry.tenant.is_system() { "nobody's" } else { entry.tenant.as_str() }))?;
    say(&format!("mailbox   {}", printable(record.mailbox.as_deref().unwrap_or("-"))))?;
    say(&format!("since     {}", timestamp(record.at)))?;
    say(&format!("reason    {}: {}", record.reason, record.detail))?;
    say(&format!("mail      {place}"))?;
    say(&format!("message   {}", printable(&unprocessed::message(&app.desk, &entry.tenant, record).await?)))?;
    let ticket = record.ticket.map(|number| format!(", in ticket {number}")).unwrap_or_default();
    say(&format!("state     {}{ticket}, replayed {}", state(record.state), counted(record.replays as usize, "time")))
}

fn line(entry: &Entry) -> String {
    let Entry { tenant, record } = entry;
    let owner = if tenant.is_system() { "nobody's" } else { tenant.as_str() };
    format!("{}  {}  {:<12} {:<16} {:<10} {}", record.id, timestamp(record.at), owner, record.reason.name(), state(record.state), record.detail)
}

fn state(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Replayed => "replayed",
        State::Processed => "processed",
    }
}

async fn find(app: &App, id: RecordId) -> Result<Entry> {
    for owner in owners(app).await? {
        if let Some((record, _)) = unprocessed::get(&app.desk, &owner, id).await? {
            return Ok(Entry { tenant: owner, record });
        }
    }
    bail!("there is no unprocessed record {id}: `helpdesk unprocessed list` shows all")
}

/// All tenants, and the house itself for what is nobody's.
async fn owners(app: &App) -> Result<Vec<TenantId>> {
    Ok([TenantId::system()].into_iter().chain(named_or_all(app, None).await?).collect())
}
