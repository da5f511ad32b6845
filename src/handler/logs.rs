//! Logs: one JSON line an event. Information goes to stdout, warnings and errors to stderr, because the host tells levels apart by the stream.

use std::{io, panic, path::Path};

use tracing::{Level, level_filters::LevelFilter};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// Daily files that are kept: application logs live one week.
const LOG_FILES_MAX: usize = 7;

/// Logs to the two streams of the process, for the Functions host.
pub fn to_streams(level: LevelFilter) {
    let writer = io::stderr.with_max_level(Level::WARN).or_else(io::stdout);
    tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false).with_target(false).with_max_level(level).with_writer(writer).init();
    hook_panics();
}

/// Logs to daily files in a folder, for `helpdesk dev`, whose terminal is a person's.
pub fn to_files(level: LevelFilter, folder: &Path) -> Result<(), tracing_appender::rolling::InitError> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("helpdesk")
        .filename_suffix("jsonl")
        .max_log_files(LOG_FILES_MAX)
        .build(folder)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .with_writer(std::sync::Mutex::new(appender))
        .init();
    hook_panics();
    Ok(())
}

/// A panic's message may hold a piece of a mail: only its place is logged.
fn hook_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        tracing::error!(%place, "panic");
    }));
}
