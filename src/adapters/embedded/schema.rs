//! The tables of the embedded store, and the sweep that takes away what nobody can see any more.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig, params};
use time::{Duration, OffsetDateTime};

use super::{OpenError, files};

/// The format of the file, and of what the rooms seal in its bodies, in SQLite's `user_version`. Nothing of formats 1 to 3 was released.
const SCHEMA_VERSION: u32 = 4;
/// Bytes of a page of a new file. A mail's sealed parts take several of 4 KiB, SQLite's default, each with its own way through the log.
const PAGE_BYTES: u32 = 8192;
/// Memory for the pages that the writer works on: a group with more of them would write some to the log twice. Used only when needed.
const WRITER_CACHE_KIB: u32 = 16 * 1024;
/// How long a process waits for another one's transaction.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(10);
/// How long cutting the log waits for readers; the writer stands still meanwhile.
const CUT_WAIT: std::time::Duration = std::time::Duration::from_millis(50);
/// Pages of the log (32 MiB) before they are moved into the main file; a thousand pages, SQLite's default, would stall the writer every few groups.
const CHECKPOINT_PAGES: u32 = 4_000;
/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 64;
/// How long a deletion can be seen by `changed_since`.
const TOMBSTONE_KEPT: Duration = Duration::days(14);
/// Documents that one sweep removes; the rest waits for the next.
const SWEEP_DOCUMENTS_MAX: i64 = 10_000;

/// A document's `seq` is its etag and its place in history at once: each write takes the next number of `sequence`, which never goes back.
/// A deleted document stays as a row without keys and body until the sweep.
const SCHEMA: &str = "
CREATE TABLE sequence (next INTEGER NOT NULL) STRICT;
INSERT INTO sequence (next) VALUES (1);

CREATE TABLE documents (
    seq INTEGER PRIMARY KEY,
    partition TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    k1 TEXT, k2 TEXT, k3 TEXT, k4 TEXT,
    expires_at INTEGER,
    deleted_at INTEGER,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX documents_by_id ON documents (partition, id);
-- The row's seq is the last column of every index. With the expiry beside a key, documents are counted without a look at their rows.
CREATE INDEX documents_by_change ON documents (partition);
CREATE INDEX documents_by_k1 ON documents (partition, k1, expires_at) WHERE k1 IS NOT NULL;
CREATE INDEX documents_by_k2 ON documents (partition, k2, expires_at) WHERE k2 IS NOT NULL;
CREATE INDEX documents_by_k3 ON documents (partition, k3, expires_at) WHERE k3 IS NOT NULL;
CREATE INDEX documents_by_k4 ON documents (partition, k4, expires_at) WHERE k4 IS NOT NULL;
-- Not a range of k1: SQLite would then walk over what is due later as well.
CREATE INDEX documents_by_due ON documents (k1) WHERE substr(k1, 1, 4) = 'due:';
CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX documents_by_deletion ON documents (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    visible_at INTEGER NOT NULL,
    inserted_at INTEGER NOT NULL,
    dequeue_count INTEGER NOT NULL DEFAULT 0,
    receipt INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_visibility ON messages (queue, visible_at);

-- Either the bytes are here or in a file of that name.
CREATE TABLE blobs (
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    file TEXT,
    bytes BLOB
) STRICT;
CREATE UNIQUE INDEX blobs_by_name ON blobs (container, name);
CREATE INDEX blobs_by_file ON blobs (file) WHERE file IS NOT NULL;
";

/// Opens the connection that writes, making the file and its tables if need be.
pub(super) fn open_writer(file: &Path) -> Result<Connection, OpenError> {
    let database = |cause| OpenError::Database { file: file.to_owned(), cause };
    let mut connection = Connection::open(file).map_err(database)?;
    prepare(&connection).map_err(database)?;
    // Mails wait here as they came until they are sealed: what is deleted is overwritten, and no temporary file of SQLite's holds it.
    connection
        .execute_batch(&format!(
            "PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
             PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{WRITER_CACHE_KIB}"
        ))
        .map_err(database)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(database)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(database)?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::Newer { file: file.to_owned(), found, known: SCHEMA_VERSION });
    }
    if (1..SCHEMA_VERSION).contains(&found) {
        return Err(OpenError::Older { file: file.to_owned(), found, known: SCHEMA_VERSION });
    }
    if found == 0 {
        transaction.execute_batch(SCHEMA).map_err(database)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(database)?;
    }
    transaction.commit().map_err(database)?;
    Ok(connection)
}

/// Opens a connection that only reads. The writer's must be open: it makes the file.
pub(super) fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    // Else SQLite plans a statement anew for each value that is looked for.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

/// Moves the log into the main file and cuts it to nothing; false if somebody is reading it. What was deleted then stands in no file of the store.
/// Not promised: that the disk forgets. A large blob's file is removed, not overwritten, and a copy-on-write file system, a flash disk, swap or a
/// backup may keep old blocks.
pub(super) fn cut_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(CUT_WAIT)?;
    let busy: rusqlite::Result<i64> = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(BUSY_WAIT)?;
    Ok(busy? == 0)
}

/// Removes documents that have expired and deletions that are no longer told.
pub(super) fn sweep(connection: &Connection, now: OffsetDateTime) -> rusqlite::Result<usize> {
    let expired = connection.execute(
        "DELETE FROM documents WHERE seq IN (SELECT seq FROM documents WHERE expires_at <= ?1 LIMIT ?2)",
        params![now.unix_timestamp(), SWEEP_DOCUMENTS_MAX],
    )?;
    let forgotten = connection.execute(
        "DELETE FROM documents WHERE seq IN (SELECT seq FROM documents WHERE deleted_at <= ?1 LIMIT ?2)",
        params![(now - TOMBSTONE_KEPT).unix_timestamp(), SWEEP_DOCUMENTS_MAX],
    )?;
    Ok(expired + forgotten)
}

/// Changes something, so that a commit has something to flush: what is overwritten with the same bytes SQLite leaves out. Numbers have gaps anyway.
pub(super) fn touch(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE sequence SET next = next + 1")?.execute([]).map(drop)
}

/// Files that no row names, by what their rows would call them.
pub(super) fn unnamed_files(connection: &Connection, folder: &Path) -> Vec<(String, PathBuf)> {
    let mut unnamed = Vec::new();
    // A folder that cannot be listed now can be in an hour; nothing depends on it.
    for container in fs::read_dir(folder.join("blobs")).into_iter().flatten().flatten() {
        for entry in fs::read_dir(container.path()).into_iter().flatten().flatten() {
            let name = format!("{}/{}", container.file_name().to_string_lossy(), entry.file_name().to_string_lossy());
            if is_named(connection, &name) == Ok(false) {
                unnamed.push((name, entry.path()));
            }
        }
    }
    unnamed
}

/// Removes those of them that nobody is putting: they may hold a mail in clear.
pub(super) fn sweep_files(connection: &Connection, unnamed: &[(String, PathBuf)]) {
    for (name, file) in unnamed {
        // It may have been named until nobody held it.
        files::unless_held(file, || {
            if is_named(connection, name) == Ok(false) {
                files::remove(file);
            }
        });
    }
}

fn is_named(connection: &Connection, file: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM blobs WHERE file = ?1")?.exists([file])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touch_is_written_to_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("helpdesk.sqlite")).unwrap();
        let logged = || fs::metadata(folder.path().join("helpdesk.sqlite-wal")).unwrap().len();
        for _ in 0..2 {
            let before = logged();
            touch(&connection).unwrap();
            assert!(logged() > before);
        }
    }
}
