//! `helpdesk logs`: what the application has written of itself.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{Data, say};
use crate::{config::Config, ports::LOG_LINES_MAX};

/// Log lines are kept for a week.
const HOURS_MAX: i64 = 24 * 7;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  helpdesk logs --hours 2 | grep '\"level\":\"ERROR\"'\n\nEach line is a JSON object. In Azure the newest lines are some minutes old."
)]
pub(super) struct Arguments {
    /// Hours to look back
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=HOURS_MAX))]
    hours: i64,
    #[command(flatten)]
    data: Data,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    let house = arguments.data.visit(config).await?;
    let ports = &house.app.ports;
    let end = ports.clock.now();
    let mut start = end - time::Duration::hours(arguments.hours);
    // The lines of a page's last instant come again with the next page.
    let mut shown: Vec<String> = Vec::new();
    loop {
        let lines = ports.logs.slice(start..end, LOG_LINES_MAX).await?;
        let Some(last) = lines.last().map(|line| line.at) else { break };
        for line in lines.iter().filter(|line| !shown.contains(&line.text)) {
            say(&super::printable(&line.text))?;
        }
        if lines.len() < LOG_LINES_MAX {
            break;
        }
        // The services know whole milliseconds.
        let next = last - time::Duration::nanoseconds(i64::from(last.nanosecond() % 1_000_000));
        if next <= start {
            bail!("one instant has over {LOG_LINES_MAX} lines: the rest of it and what follows cannot be shown");
        }
        shown = lines.into_iter().filter(|line| line.at >= next).map(|line| line.text).collect();
        start = next;
    }
    Ok(ExitCode::SUCCESS)
}
