//! `helpdesk tenant`: who is a customer, and which mailboxes are his.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::{Data, print_list, say};
use crate::{
    config::Config,
    functions::App,
    ids::TenantId,
    mail::sender::Trust,
    tenants::{self, Mailbox, Tenant},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Add a tenant and its mailboxes
    #[command(after_help = "Example:\n  helpdesk tenant add northwind --name \"Northwind\" --mailbox help@northwind.example")]
    Add {
        /// 2 to 40 of a-z, 0-9 and -
        id: TenantId,
        /// The name that people see
        #[arg(long)]
        name: String,
        /// An address whose mail becomes tickets; may be given several times
        #[arg(long = "mailbox", required = true)]
        mailboxes: Vec<String>,
        /// Whose word on senders counts in these: nobody, exchange_online, 'rfc8601 ID' or 'rfc8601 ID arc SEALER...'
        #[arg(long, default_value_t = Trust::Nobody)]
        trust: Trust,
        #[command(flatten)]
        data: Data,
    },
    /// Give a tenant one more mailbox, or change whom one trusts
    #[command(
        after_help = "Example:\n  helpdesk tenant mailbox northwind it@northwind.example --trust 'rfc8601 mx.northwind.example'\n\nMail that came there before: `helpdesk unprocessed replay`."
    )]
    Mailbox {
        id: TenantId,
        /// An address whose mail becomes tickets
        address: String,
        /// Whose word on senders counts in it, as for `tenant add`
        #[arg(long)]
        trust: Option<Trust>,
        #[command(flatten)]
        data: Data,
    },
    /// List the tenants
    #[command(after_help = "Example:\n  helpdesk tenant list --json")]
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    match arguments.command {
        Command::Add { id, name, mailboxes, trust, data } => {
            let mailboxes = mailboxes.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?;
            let app = data.visit(config).await?.app;
            tenants::add(app.ports.documents.as_ref(), &app.keyring, &Tenant { id: id.clone(), name, mailboxes }, &trust).await?;
            say(&format!("added {id}"))?;
        }
        Command::Mailbox { id, address, trust, data } => {
            let mailbox = Mailbox::parse(&address)?;
            let app = data.visit(config).await?.app;
            tenants::add_mailbox(app.ports.documents.as_ref(), &app.keyring, &id, &mailbox, trust.as_ref()).await?;
            say(&format!("{id} has {}", mailbox.as_str()))?;
        }
        Command::List { json, data } => {
            let app = data.visit(config).await?.app;
            let mut found = Vec::new();
            for tenant in tenants::list(app.ports.documents.as_ref(), &app.keyring).await? {
                found.push(Listed::of(&app, tenant).await?);
            }
            print_list(&found, json, Listed::for_a_person, "no tenants: `helpdesk tenant add` adds one")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A tenant as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    tenant: Tenant,
    /// Whose word on senders counts, for each mailbox in turn.
    trust: Vec<Trust>,
}

impl Listed {
    async fn of(app: &App, tenant: Tenant) -> Result<Listed> {
        let mut trust = Vec::new();
        for mailbox in &tenant.mailboxes {
            let owner = tenants::of_mailbox(app.ports.documents.as_ref(), &app.keyring, mailbox).await?;
            trust.push(owner.map(|owner| owner.trust).unwrap_or_default());
        }
        Ok(Listed { tenant, trust })
    }

    fn for_a_person(&self) -> String {
        let mailboxes = self.tenant.mailboxes.iter().zip(&self.trust).map(|(mailbox, trust)| match trust {
            Trust::Nobody => mailbox.as_str().to_owned(),
            trust => format!("{} (trusts {trust})", mailbox.as_str()),
        });
        format!("{:<20} {:<30} {}", self.tenant.id, self.tenant.name, mailboxes.collect::<Vec<_>>().join(", "))
    }
}
