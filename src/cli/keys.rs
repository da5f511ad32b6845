//! `helpdesk keys`: the wrapping key in the vault, and what it wraps.

use std::process::ExitCode;

use anyhow::Result;

use super::{Data, complain, counted, say};
use crate::config::Config;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  helpdesk keys rotate\n  helpdesk keys rewrap")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make in the vault what must exist and does not; a second run changes nothing
    #[command(after_help = "Example:\n  helpdesk keys init")]
    Init {
        #[command(flatten)]
        data: Data,
    },
    /// Make a new version of the wrapping key; new keys are wrapped with it, old ones still open
    #[command(
        after_help = "Example:\n  helpdesk keys rotate\n  helpdesk keys rewrap\n\nIn Azure the vault also does it by itself once a year, by its rotation policy."
    )]
    Rotate {
        #[command(flatten)]
        data: Data,
    },
    /// Move what older versions of the wrapping key wrapped to the newest
    #[command(
        after_help = "Example:\n  helpdesk keys rewrap\n\nAfterwards nothing that is kept needs an older version, but the backups of the keyrings do for as long as they are kept. Broken off, run it again. It ends with 1 and names the keyrings that hold a key which does not open."
    )]
    Rewrap {
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    match arguments.command {
        Command::Init { data } => {
            let made = data.visit(config).await?.app.keyring.make_wrapping_key().await?;
            say(if made { "made the wrapping key" } else { "the wrapping key is there" })?;
        }
        Command::Rotate { data } => {
            say(&format!("the newest version is now {}", data.visit(config).await?.app.keyring.rotate_wrapping_key().await?))?
        }
        Command::Rewrap { data } => {
            let app = data.visit(config).await?.app;
            let done = app.keyring.rewrap(|so_far| complain(&format!("{} looked at", counted(so_far.keyrings, "keyring")))).await?;
            say(&format!("{} moved to the newest version, in {}", counted(done.moved, "key"), counted(done.keyrings, "keyring")))?;
            if !done.closed.is_empty() {
                complain(&format!("these hold a key that does not open, and stay as they are: {}", done.closed.join(", ")));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
