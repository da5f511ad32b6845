//! `helpdesk tenant`: who is a customer, and which mailboxes are his.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use anyhow::{Context, Result, bail, ensure};
use clap::ArgGroup;

use super::{COMMAND_LINE, Data, counted, create_folder, inbox, print_list, read, say};
use crate::{
    config::Config,
    functions::{App, TenantBody},
    ids::TenantId,
    mail::sender::Trust,
    ports::{Versions, object},
    tenants::{self, Change, DirectoryId, Mailbox, Region, SETTINGS_BYTES_MAX, Settings, State, Tenant},
    tickets::{held, removal},
    wiring::House,
};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  helpdesk tenant list\n  helpdesk tenant show contoso")]
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
        #[arg(long, value_parser = tenants::checked_name)]
        name: String,
        /// An address whose mail becomes tickets; may be given several times
        #[arg(long = "mailbox", required = true, value_parser = Mailbox::parse)]
        mailboxes: Vec<Mailbox>,
        /// Whose word on senders counts in these: nobody, exchange_online, 'rfc8601 ID' or 'rfc8601 ID arc SEALER...'
        #[arg(long, default_value_t = Trust::Nobody)]
        trust: Trust,
        /// The Entra tenant in which its people log in, a UUID
        #[arg(long)]
        entra_tenant: Option<DirectoryId>,
        /// Azure's region of its data, in the European Union
        #[arg(long, default_value = "westeurope")]
        region: Region,
        #[command(flatten)]
        data: Data,
    },
    /// Give a tenant one more mailbox, or change whom one trusts
    #[command(
        after_help = "Example:\n  helpdesk tenant mailbox northwind it@northwind.example --trust 'rfc8601 mx.northwind.example'\n\nMail that came there before: `helpdesk unprocessed replay`."
    )]
    Mailbox {
        /// The tenant, as `helpdesk tenant list` names it
        id: TenantId,
        /// An address whose mail becomes tickets
        #[arg(value_parser = Mailbox::parse)]
        address: Mailbox,
        /// Whose word on senders counts in it, as for `tenant add`
        #[arg(long)]
        trust: Option<Trust>,
        #[command(flatten)]
        data: Data,
    },
    /// Show one tenant
    #[command(after_help = "Example:\n  helpdesk tenant show northwind")]
    Show {
        /// The tenant, as `helpdesk tenant list` names it
        id: TenantId,
        /// As one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Change a tenant; what is not named stays
    #[command(
        after_help = "Example:\n  helpdesk tenant change northwind --state suspended\n\nWhile a tenant is suspended or restoring its callers are refused and its mail is held; when it is active again the held mail goes on by itself.",
        group = ArgGroup::new("change").required(true).multiple(true).args(["name", "entra_tenant", "region", "state"])
    )]
    Change {
        /// The tenant, as `helpdesk tenant list` names it
        id: TenantId,
        /// The name that people see
        #[arg(long, value_parser = tenants::checked_name)]
        name: Option<String>,
        /// The Entra tenant in which its people log in, a UUID; `none` takes it away
        #[arg(long)]
        entra_tenant: Option<Directory>,
        /// Azure's region of its data, in the European Union
        #[arg(long)]
        region: Option<Region>,
        /// active, suspended or restoring
        #[arg(long)]
        state: Option<State>,
        #[command(flatten)]
        data: Data,
    },
    /// Show or change how a tenant's desk works
    #[command(
        after_help = "Example:\n  helpdesk tenant settings contoso > settings.json\n  helpdesk tenant settings contoso --from settings.json\n\nWhat a file leaves out becomes as by default."
    )]
    Settings {
        /// The tenant, as `helpdesk tenant list` names it
        id: TenantId,
        /// A JSON file with all settings; `-` is standard input
        #[arg(long)]
        from: Option<PathBuf>,
        #[command(flatten)]
        data: Data,
    },
    /// Delete a suspended tenant and all that is his
    #[command(
        after_help = "Example:\n  helpdesk tenant change northwind --state suspended\n  helpdesk tenant remove northwind --yes\n\nIt cannot be undone."
    )]
    Remove {
        /// The tenant, as `helpdesk tenant list` names it
        id: TenantId,
        /// Yes, all of it
        #[arg(long)]
        yes: bool,
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

/// A directory of Entra ID, or none.
#[derive(Debug, Clone)]
struct Directory(Option<DirectoryId>);

impl FromStr for Directory {
    type Err = tenants::Error;

    fn from_str(text: &str) -> Result<Self, tenants::Error> {
        Ok(Directory(if text == "none" { None } else { Some(text.parse()?) }))
    }
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    match arguments.command {
        Command::Add { id, name, mailboxes, trust, entra_tenant, region, data } => {
            let folder = data.folder(&config);
            let house = data.visit(config).await?;
            let tenant = Tenant { entra_tenant, region, ..Tenant::new(id.clone(), name, mailboxes) };
            tenants::add(&house.app.ports, &house.app.keyring, COMMAND_LINE, &tenant, &trust).await?;
            make_inboxes(&house, &folder, &tenant.mailboxes)?;
            say(&format!("added {id}"))?;
        }
        Command::Mailbox { id, address: mailbox, trust, data } => {
            let folder = data.folder(&config);
            let house = data.visit(config).await?;
            tenants::add_mailbox(&house.app.ports, &house.app.keyring, COMMAND_LINE, &id, &mailbox, trust.as_ref(), &Versions::Any).await?;
            make_inboxes(&house, &folder, std::slice::from_ref(&mailbox))?;
            say(&format!("{id} has {}", mailbox.as_str()))?;
        }
        Command::Show { id, json, data } => {
            let app = data.visit(config).await?.app;
            let (tenant, _) = tenants::get(app.ports.documents.as_ref(), &app.keyring, &id).await?.ok_or(tenants::Error::NotFound)?;
            let tenant = TenantBody::of(&app, tenant).await?;
            say(&if json { serde_json::to_string(&tenant)? } else { in_full(&tenant) })?;
        }
        Command::Change { id, name, entra_tenant, region, state, data } => {
            let entra_tenant = entra_tenant.map(|Directory(directory)| directory);
            let app = data.visit(config).await?.app;
            change(&app, &id, Change { name, entra_tenant, region, state, settings: None }).await?;
        }
        Command::Settings { id, from, data } => {
            let settings = settings(&data.visit(config).await?.app, &id, from.as_deref()).await?;
            say(&serde_json::to_string_pretty(&settings)?)?;
        }
        Command::Remove { id, yes, data } => {
            if !yes {
                bail!("this deletes {id} and all that is his, for good: say --yes");
            }
            let folder = data.folder(&config);
            let house = data.visit(config).await?;
            remove(&house.app, &id).await?;
            if house.is_embedded {
                // Nothing in a file's name tells whose it is.
                let (inbox, outbox) = (folder.join("inbox"), folder.join("outbox"));
                say(&format!(
                    "files in {} and {} stay: mails that came and were not taken in, and mails that left",
                    inbox.display(),
                    outbox.display()
                ))?;
            }
        }
        Command::List { json, data } => {
            let app = data.visit(config).await?.app;
            let mut found = Vec::new();
            for tenant in tenants::list(app.ports.documents.as_ref(), &app.keyring).await? {
                found.push(TenantBody::of(&app, tenant).await?);
            }
            print_list(&found, json, for_a_person, "no tenants: `helpdesk tenant add` adds one")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where mail may be moved for `helpdesk dev`, which need not be started anew for it.
fn make_inboxes(house: &House, folder: &Path, mailboxes: &[Mailbox]) -> Result<()> {
    if !house.is_embedded {
        return Ok(());
    }
    mailboxes.iter().try_for_each(|mailbox| create_folder(&inbox(folder, mailbox)))
}

async fn change(app: &App, id: &TenantId, change: Change) -> Result<()> {
    let (_, read) = tenants::get(app.ports.documents.as_ref(), &app.keyring, id).await?.ok_or(tenants::Error::NotFound)?;
    let (tenant, now) = tenants::change(&app.ports, &app.keyring, COMMAND_LINE, id, &Versions::Any, &change).await?;
    say(&if now == read { format!("{id} is so already") } else { format!("changed {id}") })?;
    if tenant.state == State::Active {
        match held::release(&app.desk, id).await? {
            0 => {}
            1 => say("1 held mail goes on its way")?,
            released if released >= held::RELEASED_MAX => say(&format!("{released} held mails go on their way, more may follow"))?,
            released => say(&format!("{released} held mails go on their way"))?,
        }
    }
    Ok(())
}

/// The settings, after those of a file have taken their place.
async fn settings(app: &App, id: &TenantId, from: Option<&Path>) -> Result<Settings> {
    let Some(file) = from else {
        return Ok(tenants::get(app.ports.documents.as_ref(), &app.keyring, id).await?.ok_or(tenants::Error::NotFound)?.0.settings);
    };
    let text = read(file, SETTINGS_BYTES_MAX as u64).with_context(|| format!("{} cannot be read", file.display()))?;
    ensure!(text.len() <= SETTINGS_BYTES_MAX, "{} has over {SETTINGS_BYTES_MAX} bytes, the limit of settings", file.display());
    let settings = object(&text).with_context(|| format!("{} holds no JSON object", file.display()))?;
    let settings = settings.with_context(|| format!("{} holds no settings", file.display()))?;
    let change = Change { settings: Some(settings), ..Change::default() };
    Ok(tenants::change(&app.ports, &app.keyring, COMMAND_LINE, id, &Versions::Any, &change).await?.0.settings)
}

async fn remove(app: &App, id: &TenantId) -> Result<()> {
    let (mut documents, mut blobs) = (0, 0);
    loop {
        let removal = removal::remove(&app.desk, COMMAND_LINE, id, &Versions::Any).await?;
        (documents, blobs) = (documents + removal.documents, blobs + removal.blobs);
        let (of_documents, of_blobs) = (counted(documents, "document"), counted(blobs, "blob"));
        if removal.done {
            return say(&format!("removed {id}: {of_documents}, {of_blobs}, and its keys"));
        }
        say(&format!("deleted so far: {of_documents}, {of_blobs}; more follow"))?;
    }
}

fn for_a_person(tenant: &TenantBody) -> String {
    let TenantBody { id, name, state, .. } = tenant;
    format!("{id:<20} {name:<30} {:<9}  {}", state.name(), mailboxes(tenant).join(", "))
}

fn in_full(tenant: &TenantBody) -> String {
    let TenantBody { id, name, entra_tenant, region, state, .. } = tenant;
    let entra_tenant = entra_tenant.as_ref().map_or("none", |directory| directory.as_str());
    let mailboxes = mailboxes(tenant).join("\n              ");
    format!(
        "id            {id}\nname          {name}\nstate         {}\nregion        {}\nentra tenant  {entra_tenant}\nmailboxes     {mailboxes}",
        state.name(),
        region.as_str()
    )
}

fn mailboxes(tenant: &TenantBody) -> Vec<String> {
    let mailboxes = tenant.mailboxes.iter().map(|mailbox| match &mailbox.trust {
        Trust::Nobody => mailbox.address.as_str().to_owned(),
        trust => format!("{} (trusts {trust})", mailbox.address.as_str()),
    });
    mailboxes.collect()
}
