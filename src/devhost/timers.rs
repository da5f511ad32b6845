//! Timer triggers as the Functions host runs them: one chain of runs that never overlap, and a kept status that shows after a restart what was missed.
//!
//! A failed run is logged and not repeated. Several occurrences that were missed become one run. `runOnStartup` is not imitated.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::watch, time::sleep};
use tracing::warn;

use super::{
    envelope::{Status, status_json},
    invoke::Invoker,
    schedule::{NotASchedule, Schedule},
};

/// The clock is asked at least this often, so that a laptop that slept runs soon after it wakes.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);
/// A run that lies further ahead than this was made when the clock was wrong, or is wrong now.
const AHEAD_MAX: time::Duration = time::Duration::minutes(1);
/// The folder of the kept statuses.
const FOLDER: &str = "timers";
/// Bytes of a kept status.
const STATUS_BYTES_MAX: u64 = 4096;

/// The chain of runs of one timer function.
pub struct Timer {
    function: &'static str,
    schedule: Schedule,
    invoker: Invoker,
    kept: Kept,
    status: Option<Status>,
    /// When the next run was last counted.
    counted_at: Option<OffsetDateTime>,
}

impl Timer {
    /// `state` is the folder that outlives the process.
    pub fn new(function: &'static str, schedule: &str, invoker: Invoker, state: &Path) -> Result<Self, NotASchedule> {
        Ok(Timer { function, schedule: Schedule::parse(schedule)?, invoker, kept: Kept::new(state, function), status: None, counted_at: None })
    }

    /// Learns what is due, from the kept status or from now on; makes up for a run that was missed and answers whether there was one.
    pub async fn start(&mut self) -> bool {
        let now = self.invoker.clock().now();
        let Some(next) = self.schedule.next_after(now) else { return false };
        self.counted_at = Some(now);
        let fresh = Status { last: None, next, updated: None };
        if self.is_unmonitored(now) {
            self.status = Some(fresh);
            return false;
        }
        let Some(kept) = self.kept.read() else {
            self.status = Some(fresh);
            self.kept.write(&Status { updated: Some(now), ..fresh });
            return false;
        };
        let counted_from = kept.last.or(kept.updated).unwrap_or(now);
        if self.schedule.next_after(counted_from) == Some(kept.next) && counted_from <= now + AHEAD_MAX {
            self.status = Some(kept);
        } else {
            // The schedule was changed, or the clock was put back: what was missed before is not made up for.
            let changed = Status { last: None, next, updated: Some(now) };
            self.status = Some(changed);
            self.kept.write(&changed);
        }
        let missed = self.status.is_some_and(|status| now > status.next);
        if missed {
            self.fire(now, true).await;
        }
        missed
    }

    /// When the next run is due; `None` before [`Timer::start`].
    pub fn next(&self) -> Option<OffsetDateTime> {
        self.status.map(|status| status.next)
    }

    /// Makes the run that is due, to its end; false if none is.
    pub async fn run_if_due(&mut self) -> bool {
        let now = self.invoker.clock().now();
        if self.counted_at.is_some_and(|counted| counted > now + AHEAD_MAX) {
            // The clock was put back: the next run is counted from now, not from a time that comes again.
            self.counted_at = Some(now);
            self.status = self.schedule.next_after(now).map(|next| Status { last: None, next, updated: Some(now) });
        }
        let due = self.next().is_some_and(|next| now >= next);
        if due {
            self.fire(now, false).await;
        }
        due
    }

    /// Runs on schedule until told to stop; a run that has begun is finished.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        self.start().await;
        while !*stop.borrow_and_update() {
            let Some(next) = self.next() else { return };
            let wait = Duration::try_from(next - self.invoker.clock().now()).unwrap_or(Duration::ZERO).min(LOOK_EVERY_MAX);
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = sleep(wait) => {
                    self.run_if_due().await;
                }
            }
        }
    }

    /// The occurrence after the START of this run is armed when it has ended; if it has passed by then, it runs at once.
    async fn fire(&mut self, now: OffsetDateTime, past_due: bool) {
        let unmonitored = self.is_unmonitored(now);
        let shown = if unmonitored { None } else { self.status };
        self.invoker.tick(self.function, shown.as_ref(), past_due).await;
        self.counted_at = Some(now);
        self.status = self.schedule.next_after(now).map(|next| Status { last: Some(now), next, updated: Some(now) });
        if let Some(status) = self.status.filter(|_| !unmonitored) {
            self.kept.write(&status);
        }
    }

    fn is_unmonitored(&self, now: OffsetDateTime) -> bool {
        self.schedule.fires_within_a_minute(now)
    }
}

/// Calls a timer function outside its schedule, as an administrator may; the schedule goes on as if nothing had been.
pub async fn tick_now(function: &'static str, invoker: &Invoker, state: &Path) {
    let status = Kept::new(state, function).read();
    invoker.tick(function, status.as_ref(), false).await;
}

/// The status of a timer in a file.
struct Kept {
    function: &'static str,
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeptStatus {
    last: String,
    next: String,
    last_updated: String,
}

impl Kept {
    fn new(state: &Path, function: &'static str) -> Self {
        Kept { function, path: state.join(FOLDER).join(format!("{function}.json")) }
    }

    /// What cannot be read counts as never kept: the timer begins anew.
    fn read(&self) -> Option<Status> {
        let metadata = fs::metadata(&self.path).ok()?;
        let text = if metadata.len() <= STATUS_BYTES_MAX { fs::read_to_string(&self.path).ok() } else { None };
        let status = text.and_then(|text| {
            let kept: KeptStatus = serde_json::from_str(&text).ok()?;
            let instant = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
            Some(Status { last: instant(&kept.last), next: instant(&kept.next)?, updated: instant(&kept.last_updated) })
        });
        if status.is_none() {
            warn!(function = self.function, "the kept status of a timer cannot be read; it begins anew");
        }
        status
    }

    fn write(&self, status: &Status) {
        if let Err(error) = self.replace(&status_json(status)) {
            warn!(function = self.function, kind = %error.kind(), "the status of a timer cannot be kept; after a restart a missed run is not seen");
        }
    }

    /// Whole or not at all, also when the process is killed.
    fn replace(&self, text: &str) -> io::Result<()> {
        let beside = self.path.with_extension("tmp");
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }
}
