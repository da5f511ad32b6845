//! One file a command: arguments, one call, print.

mod dev;
mod handler;
pub mod sample;
mod send;
mod tenant;
mod token;
mod unprocessed;

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

use crate::{
    config::Config,
    wiring::{self, House, Purpose},
};

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
    /// Make an access token for the API of `helpdesk dev`
    Token(token::Arguments),
    /// Add and list tenants
    Tenant(tenant::Arguments),
    /// Look at mail that did not become a ticket, and try it again
    Unprocessed(unprocessed::Arguments),
}

/// Where the embedded parts live.
#[derive(clap::Args)]
struct Data {
    /// Folder of the embedded parts [default: HELPDESK_DATA, or ./.helpdesk]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Data {
    fn folder(&self, config: &Config) -> PathBuf {
        self.data.clone().or_else(|| config.data.clone()).unwrap_or_else(|| PathBuf::from(".helpdesk"))
    }

    /// The house in an existing folder, beside whoever serves it.
    async fn visit(&self, mut config: Config) -> Result<House> {
        let folder = self.folder(&config);
        if !folder.exists() {
            anyhow::bail!("there is no folder {}: start `helpdesk dev` first, or name its folder with --data", folder.display());
        }
        config.data = Some(folder);
        wiring::house(&config, Purpose::Visit).await
    }
}

/// Runs the command that the arguments name. 0 is success, 1 a failure, 2 wrong arguments, 78 wrong settings.
pub fn run(config: Config) -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("helpdesk: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async move {
        match cli.command {
            None => match config.port {
                Some(port) => handler::run(config, port).await,
                None => Ok(nothing_to_do()),
            },
            Some(Command::Dev(arguments)) => dev::run(arguments, config).await,
            Some(Command::Send(arguments)) => send::run(&arguments, &config),
            Some(Command::Token(arguments)) => token::run(arguments, config).await,
            Some(Command::Tenant(arguments)) => tenant::run(arguments, config).await,
            Some(Command::Unprocessed(arguments)) => unprocessed::run(arguments, config).await,
        }
    });
    // Not waiting for threads that still read or write: what counts is committed.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| {
        eprintln!("helpdesk: {error:#}");
        ExitCode::FAILURE
    })
}

fn nothing_to_do() -> ExitCode {
    eprintln!("helpdesk: nothing to do: try `helpdesk dev --sample`\n");
    eprintln!("{}", Cli::command().render_help());
    ExitCode::from(2)
}

/// Prints a list: as JSON, one line an entry, or as lines for a person.
fn print_list<T: Serialize>(entries: &[T], json: bool, line: impl Fn(&T) -> String, none: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if !json && entries.is_empty() {
        writeln!(out, "{none}")?;
    }
    for entry in entries {
        if json {
            writeln!(out, "{}", serde_json::to_string(entry)?)?;
        } else {
            writeln!(out, "{}", printable(&line(entry)))?;
        }
    }
    Ok(())
}

/// A stranger's text, without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
