//! One file a command: arguments, one call, print.

mod check;
mod dev;
mod handler;
mod inspect;
mod keys;
mod logs;
mod outbox;
pub mod sample;
mod send;
mod tenant;
mod token;
mod unprocessed;

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

use crate::{
    config::{Config, EXIT_CONFIG, WrongSettings},
    functions::App,
    ids::{RecordId, TenantId},
    tenants::{self, Mailbox},
    wiring::{self, House, Purpose},
};

/// Who works at the command line, in the audit events.
const COMMAND_LINE: &str = "command-line";

/// The back end of a multi-tenant help desk for Microsoft 365.
///
/// Azure Functions runs it as a custom handler; on a laptop, `helpdesk dev --sample` runs the whole of it.
#[derive(Parser)]
#[command(
    name = "helpdesk",
    version,
    after_help = "Example:\n  helpdesk dev --sample      run everything here, with two demo tenants and their mail"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the help desk on this machine: host, handler and embedded parts
    Dev(dev::Arguments),
    /// Feed mails by hand to the help desk that `helpdesk dev` runs
    Send(send::Arguments),
    /// Show what the intake would make of mails
    Inspect(inspect::Arguments),
    /// Make an access token for the API of `helpdesk dev`
    Token(token::Arguments),
    /// Add, list, change and remove tenants and their mailboxes
    Tenant(tenant::Arguments),
    /// Look at mail that did not become a ticket, and try it again
    Unprocessed(unprocessed::Arguments),
    /// Look at mail out that was given up, and send it again
    Outbox(outbox::Arguments),
    /// Make and rotate the wrapping key, and move what it wraps
    Keys(keys::Arguments),
    /// Show what the application has logged
    Logs(logs::Arguments),
    /// Ask each part of the house whether it is well
    Check(check::Arguments),
}

/// The help of `--data` where Azure is never meant.
const FOLDER: &str = "Folder of the embedded parts [default: HELPDESK_DATA, else ./.helpdesk]";

/// Which house is meant: the embedded parts of a folder, or what the settings name in Azure.
#[derive(clap::Args)]
struct Data {
    /// Folder of the embedded parts [default: HELPDESK_DATA, else what settings name in Azure, else ./.helpdesk]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Data {
    fn folder(&self, config: &Config) -> PathBuf {
        self.data.clone().or_else(|| config.data.clone()).unwrap_or_else(|| PathBuf::from(".helpdesk"))
    }

    /// The house in Azure, or in a folder where one stands, beside whoever serves it.
    async fn visit(&self, config: Config) -> Result<House> {
        if self.data.is_none() && config.azure.is_some() {
            return wiring::house(&config, Purpose::Visit).await;
        }
        self.visit_folder(config).await
    }

    /// The house in a folder where one stands, whatever the settings name in Azure.
    async fn visit_folder(&self, mut config: Config) -> Result<House> {
        let folder = self.folder(&config);
        wiring::stands(&folder)?;
        config.data = Some(folder);
        wiring::house(&config, Purpose::Visit).await
    }
}

/// Runs the command that the arguments name. 0 is success, 1 a failure, 2 wrong arguments, 78 wrong settings.
pub fn run(config: Config) -> ExitCode {
    // The Functions host starts its handler without a word and waits for it: clap's tables of all commands would be a tenth of that wait.
    let command = if config.port.is_some() && std::env::args_os().len() <= 1 { None } else { Cli::parse().command };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async move {
        if command.is_some() {
            config.unknown.iter().for_each(|name| complain(&format!("{name} is no setting of this version, and is ignored")));
        }
        match command {
            None => match config.port {
                Some(port) => handler::run(config, port).await,
                None => Ok(nothing_to_do()),
            },
            Some(Command::Dev(arguments)) => dev::run(arguments, config).await,
            Some(Command::Send(arguments)) => send::run(&arguments, &config),
            Some(Command::Inspect(arguments)) => inspect::run(&arguments),
            Some(Command::Token(arguments)) => token::run(arguments, config).await,
            Some(Command::Tenant(arguments)) => tenant::run(arguments, config).await,
            Some(Command::Unprocessed(arguments)) => unprocessed::run(arguments, config).await,
            Some(Command::Outbox(arguments)) => outbox::run(arguments, config).await,
            Some(Command::Keys(arguments)) => keys::run(arguments, config).await,
            Some(Command::Logs(arguments)) => logs::run(arguments, config).await,
            Some(Command::Check(arguments)) => check::run(arguments, config).await,
        }
    });
    // Not waiting for threads that still read or write: what counts is committed.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        if error.is::<WrongSettings>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
    })
}

fn nothing_to_do() -> ExitCode {
    complain(&format!("nothing to do: try `helpdesk dev --sample`\n\n{}", Cli::command().render_help()));
    ExitCode::from(2)
}

/// What a file holds, or standard input for `-`; of what is over the limit one byte more than that.
fn read(file: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().take(bytes_max + 1).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(file)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Prints a list: as JSON, one line an entry, or as lines for a person.
fn print_list<T: Serialize>(entries: &[T], json: bool, line: impl Fn(&T) -> String, none: &str) -> Result<()> {
    if !json && entries.is_empty() {
        say(none)?;
    }
    for entry in entries {
        say(&if json { serde_json::to_string(entry)? } else { printable(&line(entry)) })?;
    }
    Ok(())
}

/// Does it to each, whatever becomes of the others.
async fn each(ids: &[RecordId], done: &str, work: impl AsyncFn(RecordId) -> Result<()>) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for id in ids {
        match work(*id).await {
            Ok(()) => say(&format!("{id} {done}"))?,
            Err(error) => {
                complain(&format!("{id}: {error:#}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// How many of a thing whose plural ends in `s`.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// The tenant who is named, and must exist, or all of them.
async fn named_or_all(app: &App, tenant: Option<TenantId>) -> Result<Vec<TenantId>> {
    let documents = app.ports.documents.as_ref();
    match tenant {
        Some(tenant) if tenants::get(documents, &app.keyring, &tenant).await?.is_none() => {
            bail!("there is no tenant {tenant}: `helpdesk tenant list` shows all")
        }
        Some(tenant) => Ok(vec![tenant]),
        None => Ok(tenants::list(documents, &app.keyring).await?.into_iter().map(|tenant| tenant.id).collect()),
    }
}

/// Prints a line. `println!` would panic if nobody reads on.
fn say(line: &str) -> Result<()> {
    print(format!("{line}\n").as_bytes())
}

/// Prints bytes. Whoever closed the pipe, as `head` does, has seen enough: that is no failure.
fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output cannot be written to"),
        _ => Ok(()),
    }
}

/// Tells the person what is wrong.
fn complain(words: &str) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "helpdesk: {words}");
}

/// Creates a folder, and those above it, for its owner alone. That it exists is fine.
fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// The folder where `helpdesk dev` looks for the mail of a mailbox.
fn inbox(data: &Path, mailbox: &Mailbox) -> PathBuf {
    data.join("inbox").join(mailbox.as_str())
}

/// A stranger's text, without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
