//! `helpdesk check`: whether each part of the house answers.

use std::process::ExitCode;

use anyhow::Result;

use super::{Data, print_list};
use crate::config::Config;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  helpdesk check\n\nIn Azure with the settings of the Function App and a login of `az`. Mail out is not tried. Exit code 1 if a part is not well."
)]
pub(super) struct Arguments {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: Data,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    let house = arguments.data.visit(config).await?;
    let mut checks = house.checks().await;
    checks.push(house.given_up().await);
    print_list(&checks, arguments.json, |check| format!("{:5} {}: {}", if check.well { "ok" } else { "FAULT" }, check.part, check.found), "")?;
    Ok(if checks.iter().all(|check| check.well) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
