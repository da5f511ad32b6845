//! Logs: one JSON line an event. Information goes to stdout, warnings and errors to stderr, because the host tells levels apart by the stream.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    panic,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Level, Metadata, Subscriber, callsite::Identifier, level_filters::LevelFilter};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    Layer,
    filter::{Targets, dynamic_filter_fn},
    fmt::{self, MakeWriter, writer::MakeWriterExt},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Daily files that are kept: application logs live one week.
const LOG_FILES_MAX: usize = 7;
/// The field of an event that says what became of a mail.
const NOTE: &str = "note";
/// How long a person is not told again what the same place in the code told him.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Logs to the two streams of the process, for the Functions host.
pub fn to_streams(level: LevelFilter) {
    tracing_subscriber::registry().with(lines(level, io::stderr.with_max_level(Level::WARN).or_else(io::stdout))).init();
    hook_panics();
}

/// Logs to daily files in a folder, for `helpdesk dev`, whose terminal is a person's: he is told of warnings and errors, also when the disk is full.
pub fn to_files(level: LevelFilter, folder: &Path) -> Result<(), tracing_appender::rolling::InitError> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("helpdesk")
        .filename_suffix("jsonl")
        .max_log_files(LOG_FILES_MAX)
        .build(folder)?;
    let told = Told::default();
    let to_person = fmt::layer().compact().without_time().with_target(false).with_ansi(false).with_writer(io::stderr);
    let to_person = to_person.with_filter(dynamic_filter_fn(move |event, _| told.is_news(event)).with_max_level_hint(LevelFilter::INFO));
    tracing_subscriber::registry().with(lines(level, Mutex::new(Whole::to(appender, ends_torn(folder))))).with(to_person).init();
    hook_panics();
    Ok(())
}

/// Our own events alone: libraries write addresses of requests and texts of errors into theirs, which may name a blob or hold what was sent.
fn lines<S, W>(level: LevelFilter, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_target(false).with_writer(writer);
    lines.with_filter(Targets::new().with_target("helpdesk", level))
}

/// Begins a line of its own after one that was not written to its end, as on a full disk.
struct Whole<W> {
    to: W,
    is_torn: bool,
}

impl<W> Whole<W> {
    fn to(to: W, is_torn: bool) -> Self {
        Whole { to, is_torn }
    }
}

impl<W: Write> Write for Whole<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    /// A whole line, as tracing-subscriber writes each.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let end = if self.is_torn { b"\n".as_slice() } else { b"" };
        let written = self.to.write_all(end).and_then(|()| self.to.write_all(line));
        self.is_torn = written.is_err();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether a process before this one left a line that was not written to its end. What cannot be read ends well.
fn ends_torn(folder: &Path) -> bool {
    let ends_well = |path: &Path| {
        let mut file = File::open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        io::Result::Ok(last == [b'\n'])
    };
    let logs = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    logs.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).any(|path| !ends_well(&path).unwrap_or(true))
}

/// When a person was last told of something, by the places in the code that told him.
#[derive(Default)]
struct Told(Mutex<HashMap<Identifier, Instant>>);

impl Told {
    /// Whether he is to be told of an event, or of the span that it is in. What became of mails `helpdesk dev` tells him by itself.
    fn is_news(&self, event: &Metadata<'_>) -> bool {
        let is_ours = event.target().split("::").next() == Some("helpdesk");
        if event.is_span() || !is_ours || *event.level() > Level::WARN || event.fields().field(NOTE).is_some() {
            return is_ours && event.is_span();
        }
        let (now, mut told) = (Instant::now(), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let before = told.get(&event.callsite()).copied();
        let is_news = before.is_none_or(|before| now - before >= TOLD_AGAIN_AFTER);
        if is_news {
            told.insert(event.callsite(), now);
        }
        is_news
    }
}

/// A panic's message may hold a piece of a mail: only its place is logged.
fn hook_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        tracing::error!(%place, "panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = bytes.len().min(self.1 - self.0.len());
            self.0.extend_from_slice(&bytes[..room]);
            if room == 0 && !bytes.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_process_before_left_torn_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!ends_torn(folder.path()));
        for (log, is_torn) in [("", false), ("{}\n", false), ("{}\n{\"a", true)] {
            fs::write(folder.path().join("helpdesk.2026-11-23.jsonl"), log).unwrap();
            assert_eq!(ends_torn(folder.path()), is_torn, "{log:?}");
        }
    }

    #[test]
    fn a_line_after_a_torn_one_stands_alone() {
        let mut log = Whole::to(Disk(Vec::new(), 12), false);
        log.write_all(b"first\n").unwrap();
        for _ in 0..2 {
            assert!(log.write_all(b"this is torn\n").is_err());
        }
        log.to.1 = 100;
        log.write_all(b"third\n").unwrap();
        log.write_all(b"fourth\n").unwrap();
        assert_eq!(String::from_utf8(log.to.0).unwrap(), "first\nthis i\nthird\nfourth\n");
    }
}
