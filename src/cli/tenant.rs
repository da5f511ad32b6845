//! `helpdesk tenant`: who is a customer, and which mailboxes are his.

use std::process::ExitCode;

use anyhow::Result;

use super::{Data, print_list, say};
use crate::{
    config::Config,
    ids::TenantId,
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
        #[command(flatten)]
        data: Data,
    },
    /// Give a tenant one more mailbox
    #[command(
        after_help = "Example:\n  helpdesk tenant mailbox northwind it@northwind.example\n\nMail that came there before: `helpdesk unprocessed replay`."
    )]
    Mailbox {
        id: TenantId,
        /// An address whose mail becomes tickets
        address: String,
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
        Command::Add { id, name, mailboxes, data } => {
            let mailboxes = mailboxes.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?;
            let app = data.visit(config).await?.app;
            tenants::add(app.ports.documents.as_ref(), &app.keyring, &Tenant { id: id.clone(), name, mailboxes }).await?;
            say(&format!("added {id}"))?;
        }
        Command::Mailbox { id, address, data } => {
            let mailbox = Mailbox::parse(&address)?;
            let app = data.visit(config).await?.app;
            tenants::add_mailbox(app.ports.documents.as_ref(), &app.keyring, &id, &mailbox).await?;
            say(&format!("{id} has {}", mailbox.as_str()))?;
        }
        Command::List { json, data } => {
            let app = data.visit(config).await?.app;
            let found = tenants::list(app.ports.documents.as_ref(), &app.keyring).await?;
            let line = |tenant: &Tenant| {
                let mailboxes: Vec<&str> = tenant.mailboxes.iter().map(Mailbox::as_str).collect();
                format!("{:<20} {:<30} {}", tenant.id, tenant.name, mailboxes.join(", "))
            };
            print_list(&found, json, line, "no tenants: `helpdesk tenant add` adds one")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
