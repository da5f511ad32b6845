//! The command line. With `FUNCTIONS_CUSTOMHANDLER_PORT` and no word it is the handler of the Functions host.

use std::process::ExitCode;

use helpdesk::{cli, config::Config};

fn main() -> ExitCode {
    match Config::from_environment() {
        Ok(config) => cli::run(config),
        Err(wrong) => {
            eprintln!("helpdesk: {wrong}");
            ExitCode::from(helpdesk::config::EXIT_CONFIG)
        }
    }
}
