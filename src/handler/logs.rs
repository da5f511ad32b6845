//! Logs: one JSON line an event. Information goes to stdout, warnings and errors to stderr, because the host tells levels apart by the stream.

use std::{io, panic, path::Path, sync::Mutex};

use tracing::{Level, level_filters::LevelFilter};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{self, MakeWriter, writer::MakeWriterExt},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Daily files that are kept: application logs live one week.
const LOG_FILES_MAX: usize = 7;

/// Logs to the two streams of the process, for the Functions host.
pub fn to_streams(level: LevelFilter) {
    start(level, io::stderr.with_max_level(Level::WARN).or_else(io::stdout));
}

/// Logs to daily files in a folder, for `helpdesk dev`, whose terminal is a person's.
pub fn to_files(level: LevelFilter, folder: &Path) -> Result<(), tracing_appender::rolling::InitError> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("helpdesk")
        .filename_suffix("jsonl")
        .max_log_files(LOG_FILES_MAX)
        .build(folder)?;
    start(level, Mutex::new(appender));
    Ok(())
}

/// Our own events alone: libraries write addresses of requests and texts of errors into theirs, which may name a blob or hold what was sent.
fn start<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(level: LevelFilter, writer: W) {
    let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_target(false).with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(Targets::new().with_target("helpdesk", level))).init();
    hook_panics();
}

/// A panic's message may hold a piece of a mail: only its place is logged.
fn hook_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        tracing::error!(%place, "panic");
    }));
}
