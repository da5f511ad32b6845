//! `helpdesk outbox`: mail out that was given up.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;

use super::{COMMAND_LINE, Data, each, named_or_all, print_list};
use crate::{
    config::Config,
    functions::App,
    ids::{RecordId, TenantId},
    outbox::given_up::{self, GivenUp},
};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  helpdesk outbox list\n  helpdesk outbox retry 01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the mails that were given up in the last 30 days, oldest first, each with its recipient
    #[command(after_help = "Example:\n  helpdesk outbox list --tenant contoso")]
    List {
        /// Only this tenant's; without it, all
        #[arg(long)]
        tenant: Option<TenantId>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Send mails again, with as many tries as a new one has
    #[command(after_help = "Example:\n  helpdesk outbox retry 01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]
    Retry {
        /// The mails, as `helpdesk outbox list` names them
        #[arg(required = true)]
        ids: Vec<RecordId>,
        #[command(flatten)]
        data: Data,
    },
    /// Delete mails before their time; their comments stay
    #[command(after_help = "Example:\n  helpdesk outbox drop 01JD7Z3M9QK4T5V6W7X8Y9Z0AB")]
    Drop {
        /// The mails, as `helpdesk outbox list` names them
        #[arg(required = true)]
        ids: Vec<RecordId>,
        #[command(flatten)]
        data: Data,
    },
}

/// A mail and whose it is.
#[derive(Serialize)]
struct Entry {
    tenant: TenantId,
    #[serde(flatten)]
    mail: GivenUp,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    match arguments.command {
        Command::List { tenant, json, data } => {
            let app = data.visit(config).await?.app;
            let mut entries = Vec::new();
            for tenant in named_or_all(&app, tenant).await? {
                let mails = given_up::list(&app.ports, &app.keyring, &tenant).await?;
                entries.extend(mails.into_iter().map(|mail| Entry { tenant: tenant.clone(), mail }));
            }
            entries.sort_by(|one, other| (&one.mail.at, one.mail.id).cmp(&(&other.mail.at, other.mail.id)));
            print_list(&entries, json, line, "no mail was given up")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Retry { ids, data } => {
            let app = data.visit(config).await?.app;
            each(&ids, "is sent again", async |id| {
                let is_done = given_up::retry(&app.ports, &app.keyring, &find(&app, id).await?, id, COMMAND_LINE).await?;
                if is_done { Ok(()) } else { bail!("somebody else was faster") }
            })
            .await
        }
        Command::Drop { ids, data } => {
            let app = data.visit(config).await?.app;
            each(&ids, "is deleted", async |id| {
                let is_done = given_up::drop_mail(&app.ports, &app.keyring, &find(&app, id).await?, id, COMMAND_LINE).await?;
                if is_done { Ok(()) } else { bail!("somebody else was faster") }
            })
            .await
        }
    }
}

fn line(entry: &Entry) -> String {
    let Entry { tenant, mail } = entry;
    let (to, status) = (mail.to.as_deref().unwrap_or("(cannot be read)"), mail.status.as_deref().unwrap_or("-"));
    let tries = mail.tries.map_or_else(|| "-".to_owned(), |tries| format!("tried {tries}"));
    format!("{}  {}  {tenant:<12} {status:<8} {tries:<9} {to}", mail.id, mail.at)
}

/// Whose mail it is.
async fn find(app: &App, id: RecordId) -> Result<TenantId> {
    for owner in named_or_all(app, None).await? {
        if given_up::is_there(&app.ports, &owner, id).await? {
            return Ok(owner);
        }
    }
    bail!("no mail {id} was given up: `helpdesk outbox list` shows all")
}
