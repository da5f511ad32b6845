//! The embedded store: one SQLite file for documents, queues and blobs.
//!
//! One thread writes. It takes whatever is waiting, runs the jobs in one transaction, commits once and then answers all (a group commit): a flush to
//! the disk is what a write costs, and many share it. A job looks before it writes, so that one that fails has written nothing; there are no savepoints,
//! which would copy every page that a job touches.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Instant,
};

use rusqlite::{Connection, ErrorCode};
use time::{Duration, OffsetDateTime};
use tokio::{
    runtime::Runtime,
    sync::{Semaphore, mpsc, oneshot},
};

use super::{OpenError, files, schema, vanishing::Vanishing};
use crate::ports::{Clock, Fault};

/// Jobs in one transaction.
const GROUP_JOBS_MAX: usize = 256;
/// Jobs that wait for the writer; more wait for a place.
const JOBS_WAITING_MAX: usize = 1024;
/// Reads at the same time, each with a connection of its own.
const READERS_MAX: usize = 4;
/// Between two sweeps. Nothing runs while nothing is written: what has expired reads as absent without it.
const SWEEP_EVERY: Duration = Duration::HOUR;

/// The log is cut when nothing was changed for so long, and under load at the latest after the second: until then it may hold a mail
/// that is sealed or deleted by now.
const CUT_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
const CUT_AT_LATEST: std::time::Duration = std::time::Duration::from_secs(60);
/// Tries to cut it at the end, while another process may be reading it.
const LAST_CUTS_MAX: usize = 10;

/// Documents, queues and blobs in one folder, shared by everything in the process.
pub struct Store {
    // The order matters when the store is dropped: no more readers, no more jobs, then the writer commits what waits, cuts the log and ends.
    readers: Arc<Readers>,
    jobs: mpsc::Sender<Job>,
    _writer: WriterThread,
    pub(super) folder: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vanishing: Arc<Vanishing>,
}

/// When a job's effect must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    /// Before it is answered.
    Now,
    /// With the next job that says `Now`; a power cut before may undo it, a killed process does not.
    Soon,
}

impl Store {
    /// The name of the file in its folder.
    pub const FILE: &str = "helpdesk.sqlite";

    /// Opens the store of a folder, creating both if need be. Several processes may: see `HostLock` for the one that serves.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
        files::create_folder(folder).map_err(OpenError::file(folder))?;
        let file = folder.join(Store::FILE);
        // Before SQLite opens it: its log beside it gets the same rights.
        files::claim(&file).map_err(OpenError::file(&file))?;
        let connection = schema::open_writer(&file)?;
        let (jobs, waiting) = mpsc::channel(JOBS_WAITING_MAX);
        let next_sweep = clock.now();
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::file(&file))?;
        let writer = Writer {
            connection,
            clock: clock.clone(),
            folder: folder.to_owned(),
            durable: Durable::Now,
            orphans: Vec::new(),
            next_sweep,
            timer,
            // A process that was killed leaves its log.
            uncut: Some(Uncut::now()),
            others: None,
        };
        let thread =
            std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer.run(waiting)).map_err(OpenError::file(&file))?;
        let readers = Arc::new(Readers { file, idle: Mutex::default(), permits: Arc::new(Semaphore::new(READERS_MAX)) });
        Ok(Store { jobs, readers, _writer: WriterThread(Some(thread)), folder: folder.to_owned(), clock, vanishing: Arc::default() })
    }

    /// Runs a job in the writer's next transaction and answers when that is committed.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durable: Durable,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.submit(durable, work, move |result| {
            // A caller that has gone away does not take its write back.
            let _ = reply.send(result);
        })
        .await?;
        answer.await.map_err(|_| Fault::Unavailable("the embedded store could not run a write".to_owned()))?
    }

    /// Hands a job to the writer and does not wait; `settle` is called after its transaction, in the order of the jobs.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        durable: Durable,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
        settle: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let run: Run = Box::new(move |writing| {
            let result = work(writing);
            let done = result.is_ok();
            // A job may have failed because of what another one wrote before it: if that was not committed, neither answer stands.
            (done, Box::new(move |committed: Result<(), Fault>| settle(committed.and(result))))
        });
        self.jobs.send(Job { durable, run }).await.map_err(|_| Fault::Unavailable("the embedded store has been closed".to_owned()))
    }

    /// Looks up a row, or a few, or counts some thousand, in place, seeing every answered write: handing so little to another thread takes longer. A blob
    /// has 256 KiB at most.
    /// Readers do not wait for the writer, and what is looked up was mostly written a moment ago and lies in memory.
    pub(super) fn look_up<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let connection = self.readers.take()?;
        let result = work(&connection);
        self.readers.give_back(connection);
        result
    }

    /// Runs a query that sees every answered write.
    pub(super) async fn read<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
        let interrupted = |_| Fault::Unavailable("a read of the embedded store was interrupted".to_owned());
        let permit = self.readers.permits.clone().acquire_owned().await.map_err(|_| interrupted(()))?;
        let readers = self.readers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = readers.take()?;
            let result = work(&connection);
            readers.give_back(connection);
            result
        });
        reading.await.map_err(|_| interrupted(()))?
    }
}

/// What a job works with.
pub(super) struct Writing<'a> {
    pub(super) connection: &'a Connection,
    /// One instant for the whole group.
    pub(super) now: OffsetDateTime,
    next: i64,
    /// Files to be removed once the transaction is durable.
    pub(super) orphans: Vec<PathBuf>,
}

impl Writing<'_> {
    /// The next number of the store's history; rolled back jobs leave gaps.
    pub(super) fn next(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }
}

/// What SQLite's refusal means to a port. Its text could quote values; the code cannot.
pub(super) fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Corrupt("the embedded store's file is damaged".to_owned()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Unavailable("another process holds the embedded store".to_owned()),
        Some(ErrorCode::ReadOnly) => Fault::Unavailable("the embedded store's folder may not be written to".to_owned()),
        Some(ErrorCode::DiskFull) => Fault::Unavailable("no space is left for the embedded store".to_owned()),
        Some(code) => Fault::Unavailable(format!("the embedded store refused: {code:?}")),
        None => Fault::Corrupt("the embedded store holds a value of another type".to_owned()),
    }
}

type Settle = Box<dyn FnOnce(Result<(), Fault>) + Send>;
/// Says whether the job was done, and how the caller hears of the commit.
type Run = Box<dyn FnOnce(&mut Writing<'_>) -> (bool, Settle) + Send>;

struct Job {
    durable: Durable,
    run: Run,
}

/// The one that writes; lives on a thread of its own.
struct Writer {
    connection: Connection,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    /// How the connection commits at present.
    durable: Durable,
    /// Files whose rows are gone, perhaps not yet for good.
    orphans: Vec<PathBuf>,
    next_sweep: OffsetDateTime,
    /// For the waits of this thread alone.
    timer: Runtime,
    uncut: Option<Uncut>,
    /// The version of what other processes wrote, as it was when it was last looked at.
    others: Option<i64>,
}

/// Since when the log has something in it, and since when nothing was added.
#[derive(Clone, Copy)]
struct Uncut {
    since: Instant,
    changed: Instant,
}

impl Uncut {
    fn now() -> Uncut {
        let now = Instant::now();
        Uncut { since: now, changed: now }
    }

    fn due(self) -> Instant {
        (self.changed + CUT_AFTER).min(self.since + CUT_AT_LATEST)
    }
}

impl Writer {
    fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_JOBS_MAX);
        self.sweep();
        while self.next_group(&mut waiting, &mut group) {
            let before = self.connection.total_changes();
            self.commit_group(&mut group);
            if self.clock.now() >= self.next_sweep {
                self.sweep();
            }
            if self.connection.total_changes() != before || self.others_wrote() {
                let now = Instant::now();
                self.uncut = Some(Uncut { since: self.uncut.map_or(now, |uncut| uncut.since), changed: now });
            }
        }
        if !self.orphans.is_empty() {
            self.commit_group(&mut group);
        }
        if self.others_wrote() {
            self.uncut = Some(Uncut::now());
        }
        for _ in 0..LAST_CUTS_MAX {
            if self.uncut.is_some() {
                self.cut_log();
            }
        }
        if self.uncut.is_some() {
            tracing::warn!("somebody reads the log of the embedded store, which is left to the next start: what was deleted may still stand in it");
        }
    }

    /// Whether another process wrote since this was last asked: it may have ended, or died, before it cut the log.
    fn others_wrote(&mut self) -> bool {
        let version = self.connection.prepare_cached("PRAGMA data_version").and_then(|mut asked| asked.query_row([], |row| row.get(0))).ok();
        std::mem::replace(&mut self.others, version) != version
    }

    /// Waits for jobs, and cuts the log when it is time; false when there will be no more.
    fn next_group(&mut self, waiting: &mut mpsc::Receiver<Job>, group: &mut Vec<Job>) -> bool {
        while let Some(uncut) = self.uncut {
            let wait = uncut.due().saturating_duration_since(Instant::now());
            if wait.is_zero() {
                self.cut_log();
                continue;
            }
            // The wait begins within the runtime, which has the time.
            let received = self.timer.block_on(async { tokio::time::timeout(wait, waiting.recv_many(group, GROUP_JOBS_MAX)).await });
            if let Ok(jobs) = received {
                return jobs > 0;
            }
        }
        waiting.blocking_recv_many(group, GROUP_JOBS_MAX) > 0
    }

    fn cut_log(&mut self) {
        // Somebody reads it: again after the next pause.
        self.uncut = match schema::cut_log(&self.connection).map_err(fault) {
            Ok(true) => None,
            Ok(false) => Some(Uncut::now()),
            Err(error) => {
                tracing::warn!(%error, "the log of the embedded store could not be cut; it is tried again");
                Some(Uncut::now())
            }
        };
    }

    /// Commits all jobs of a group and answers them.
    fn commit_group(&mut self, group: &mut Vec<Job>) {
        let mut settles = Vec::with_capacity(group.len());
        let committed = self.try_commit(group, &mut settles).map_err(fault);
        if committed.is_err() && !self.connection.is_autocommit() {
            // If even this fails, the next BEGIN does, and says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        group.clear();
        for settle in settles {
            settle(committed.clone());
        }
    }

    fn try_commit(&mut self, group: &mut Vec<Job>, settles: &mut Vec<Settle>) -> rusqlite::Result<()> {
        // Files wait for a flush after the one that only soon would be durable.
        let flush = !self.orphans.is_empty() || group.iter().any(|job| job.durable == Durable::Now);
        self.set_durable(if flush { Durable::Now } else { Durable::Soon })?;
        let execute = |sql: &str| self.connection.prepare_cached(sql)?.execute([]).map(|_| ());
        execute("BEGIN IMMEDIATE")?;
        // Another process may have written since.
        let first: i64 = self.connection.prepare_cached("SELECT next FROM sequence")?.query_row([], |row| row.get(0))?;
        let mut writing = Writing { connection: &self.connection, now: self.clock.now(), next: first, orphans: Vec::new() };
        for job in group.drain(..) {
            let before = self.connection.total_changes();
            // The caller of a job that panics hears that it could not run; the thread must live for the others.
            let done = match catch_unwind(AssertUnwindSafe(|| (job.run)(&mut writing))) {
                Ok((done, settle)) => {
                    settles.push(settle);
                    done
                }
                Err(_) => false,
            };
            // It broke off in the middle, as when the disk is full: no part of it may stay, so nothing of the group does.
            if !done && self.connection.total_changes() != before {
                return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT), None));
            }
        }
        let (next, is_changed) = (writing.next, writing.next != first);
        // Without a change there is nothing to flush.
        if is_changed {
            self.connection.prepare_cached("UPDATE sequence SET next = ?1")?.execute([next])?;
        } else if !self.orphans.is_empty() {
            schema::touch(&self.connection)?;
        }
        let mut orphans = std::mem::take(&mut writing.orphans);
        execute("COMMIT")?;
        self.orphans.append(&mut orphans);
        if flush {
            self.orphans.drain(..).for_each(|file| files::remove(&file));
        }
        Ok(())
    }

    /// In WAL mode NORMAL leaves the flush to the next commit that is FULL; both are atomic.
    fn set_durable(&mut self, durable: Durable) -> rusqlite::Result<()> {
        if self.durable != durable {
            self.connection.pragma_update(None, "synchronous", if durable == Durable::Now { "FULL" } else { "NORMAL" })?;
            self.durable = durable;
        }
        Ok(())
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        self.next_sweep = now + SWEEP_EVERY;
        if let Err(error) = schema::sweep(&self.connection, now).map_err(fault) {
            tracing::warn!(%error, "expired documents could not be swept from the embedded store; the next hour tries again");
        }
        let unnamed = schema::unnamed_files(&self.connection, &self.folder);
        if !unnamed.is_empty() && self.flush().is_ok() {
            schema::sweep_files(&self.connection, &unnamed);
        }
    }

    /// Makes all that was committed durable, also by other processes: one flush of the log takes along what was written before. That a row is gone must
    /// be on the disk before its file goes.
    fn flush(&mut self) -> rusqlite::Result<()> {
        self.set_durable(Durable::Now)?;
        schema::touch(&self.connection)
    }
}

/// Connections that read.
struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    fn take(&self) -> Result<Connection, Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| schema::open_reader(&self.file).map_err(fault), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// Waits for the writer's last commit when the store is dropped.
struct WriterThread(Option<JoinHandle<()>>);

impl Drop for WriterThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // It catches the panics of its jobs; of any other there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::embedded::SystemClock;

    fn insert(writing: &mut Writing<'_>) -> Result<usize, Fault> {
        let sql = "INSERT INTO messages (queue, visible_at, inserted_at, text) VALUES ('q', 0, 0, 'x')";
        writing.connection.execute(sql, []).map_err(fault)
    }

    #[tokio::test]
    async fn a_job_that_breaks_off_leaves_nothing_and_the_next_one_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Arc::new(SystemClock)).unwrap();
        let rows = || store.look_up(|connection| connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).map_err(fault));
        let failed = store.write(Durable::Now, |writing| insert(writing).and(Err::<(), _>(Fault::Conflict))).await;
        assert!(matches!(failed, Err(Fault::Unavailable(_))), "{failed:?}");
        let panicked = store.write(Durable::Now, |writing| insert(writing).map(|_| assert!(writing.next < 0))).await;
        assert!(matches!(panicked, Err(Fault::Unavailable(_))), "{panicked:?}");
        assert_eq!(rows(), Ok(0));
        assert_eq!(store.write(Durable::Now, insert).await, Ok(1));
        assert_eq!(rows(), Ok(1));
    }

    #[tokio::test]
    async fn a_job_that_fails_before_it_writes_fails_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Arc::new(SystemClock)).unwrap();
        let refused = |_: &mut Writing<'_>| Err::<usize, _>(Fault::Conflict);
        let (first, second, third) =
            tokio::join!(store.write(Durable::Now, insert), store.write(Durable::Now, refused), store.write(Durable::Now, insert));
        assert_eq!((first, second, third), (Ok(1), Err(Fault::Conflict), Ok(1)));
    }
}
