//! The log as `helpdesk dev` keeps it: a file a day of JSON lines.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use serde::Deserialize;
use time::OffsetDateTime;

use super::files;
use crate::ports::{Fault, LOG_LINES_MAX, LogLine, Logs};

/// Days that a span may reach over: more files than are kept.
const DAYS_MAX: usize = 9;

/// The log files of a folder; that there is none yet is an empty log.
pub struct LogFiles {
    folder: PathBuf,
}

impl LogFiles {
    /// The folder below that of the embedded parts.
    pub const FOLDER: &str = "logs";
    /// What a file's name begins with and ends in; its day stands between, `2026-11-23`.
    pub const PREFIX: &str = "helpdesk";
    pub const SUFFIX: &str = "jsonl";

    pub fn new(data: &Path) -> LogFiles {
        LogFiles { folder: data.join(LogFiles::FOLDER) }
    }
}

#[async_trait]
impl Logs for LogFiles {
    async fn slice(&self, span: Range<OffsetDateTime>, limit: usize) -> Result<Vec<LogLine>, Fault> {
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || read(&folder, &span, limit.min(LOG_LINES_MAX)));
        read.await.map_err(|_| Fault::Unavailable("reading the log was interrupted".to_owned()))?
    }
}

#[derive(Deserialize)]
struct Stamped {
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
}

fn read(folder: &Path, span: &Range<OffsetDateTime>, limit: usize) -> Result<Vec<LogLine>, Fault> {
    let fault = files::fault("the log could not be read");
    let (mut lines, mut day) = (Vec::new(), span.start.date());
    for _ in 0..DAYS_MAX {
        if day > span.end.date() {
            break;
        }
        let file = match File::open(folder.join(format!("{}.{day}.{}", LogFiles::PREFIX, LogFiles::SUFFIX))) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(fault(error)),
        };
        for line in file.map(BufReader::new).into_iter().flat_map(|file| file.split(b'\n')) {
            if lines.len() >= limit {
                return Ok(lines);
            }
            // One that is half written, or was never ours, hides no other.
            let Ok(text) = String::from_utf8(line.map_err(&fault)?) else { continue };
            let Ok(Stamped { timestamp: at }) = serde_json::from_str(&text) else { continue };
            if span.contains(&at) {
                lines.push(LogLine { at, text });
            }
        }
        let Some(next) = day.next_day() else { break };
        day = next;
    }
    Ok(lines)
}
