//! The application's own log, for whoever must tell afterwards what happened.

use std::ops::Range;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Fault;

/// Lines in one answer.
pub const LOG_LINES_MAX: usize = 5_000;

/// One line, as the application wrote it: a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: OffsetDateTime,
    pub text: String,
}

/// Lines are kept for seven days. In Azure they are seen some minutes after they were written, and none is promised: a host that dies takes its last ones
/// with it.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The lines of a span, oldest first, up to `limit` and [`LOG_LINES_MAX`]. Who wants more asks again from the time of the last one, which comes again.
    async fn slice(&self, span: Range<OffsetDateTime>, limit: usize) -> Result<Vec<LogLine>, Fault>;
}
