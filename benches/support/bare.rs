//! SQLite without a help desk around it: rows that are inserted by one thread, which commits whatever waits.

use std::{path::Path, sync::Arc, thread};

use bytes::Bytes;
use helpdesk::adapters::embedded::Store;
use rusqlite::{Connection, OpenFlags, Row, params_from_iter, types::Value};
use tokio::sync::{mpsc, oneshot};

// As in the embedded store.
const CACHE_KIB: u32 = 16 * 1024;
const GROUP_JOBS_MAX: usize = 256;
const JOBS_WAITING_MAX: usize = 1024;

/// The rows of one mail, each with the statement that inserts it.
pub type Mail = Arc<Vec<(&'static str, Vec<Value>)>>;

pub fn as_it_came(raw: &Bytes) -> Mail {
    Arc::new(vec![("INSERT INTO mails (bytes) VALUES (?1)", vec![Value::Blob(raw.to_vec())])])
}

fn database(folder: &Path) -> Connection {
    Connection::open_with_flags(folder.join(Store::FILE), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database opens")
}

/// The tables and indexes of the embedded store in which a mail leaves something.
fn tables(folder: &Path) -> Vec<String> {
    let database = database(folder);
    let sql = "SELECT sql FROM sqlite_schema WHERE tbl_name IN ('documents', 'blobs') AND sql IS NOT NULL ORDER BY type DESC, rowid";
    let mut statement = database.prepare(sql).expect("the statement is right");
    let found = statement.query_map([], |row| row.get(0)).expect("the store answers");
    found.collect::<Result<_, _>>().expect("the store answers")
}

/// As the store writes it: with `OR REPLACE` SQLite would open a savepoint for each row, which copies the pages that it touches.
const INSERT_DOCUMENT: &str =
    "INSERT INTO documents (seq, partition, id, kind, k1, k2, k3, k4, expires_at, deleted_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (partition, id) DO UPDATE SET seq = excluded.seq, kind = excluded.kind, k1 = excluded.k1, k2 = excluded.k2, k3 = excluded.k3,
            k4 = excluded.k4, expires_at = excluded.expires_at, deleted_at = excluded.deleted_at, body = excluded.body";
const INSERT_BLOB: &str = "INSERT INTO blobs (rowid, container, name, size, file, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// How far what a store keeps has been taken out of it.
#[derive(Default)]
pub struct Rows {
    documents: i64,
    blobs: i64,
}

impl Rows {
    /// What has come since, of so many mails: documents in the order of their commits, so those of a mail are together but
    /// for a few, and sealed blobs. Of what was written again in between, as the numbers that are leased, the last version alone.
    pub fn since(&mut self, folder: &Path, mails: usize) -> Vec<Mail> {
        let database = database(folder);
        let take = |sql: &str, columns: usize, from: &mut i64| {
            let mut statement = database.prepare(sql).expect("the statement is right");
            let values = |row: &Row<'_>| (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>();
            let rows: Vec<Vec<Value>> =
                statement.query_map([*from], values).expect("the store answers").collect::<Result<_, _>>().expect("the store answers");
            if let Some(Value::Integer(last)) = rows.last().map(|row| &row[0]) {
                *from = *last;
            }
            rows
        };
        let documents = take(
            "SELECT seq, partition, id, kind, k1, k2, k3, k4, expires_at, deleted_at, body FROM documents WHERE seq > ?1 ORDER BY seq",
            11,
            &mut self.documents,
        );
        let blobs = take(
            "SELECT rowid, container, name, size, file, bytes FROM blobs WHERE rowid > ?1 AND container = 'mail' ORDER BY rowid",
            6,
            &mut self.blobs,
        );
        let share = |rows: &[Vec<Value>], at: usize| rows[at * rows.len() / mails..(at + 1) * rows.len() / mails].to_vec();
        (0..mails)
            .map(|at| {
                let documents = share(&documents, at).into_iter().map(|row| (INSERT_DOCUMENT, row));
                let blobs = share(&blobs, at).into_iter().map(|row| (INSERT_BLOB, row));
                Arc::new(documents.chain(blobs).collect())
            })
            .collect()
    }
}

/// The least that keeps rows durably: one thread that commits whatever waits.
pub struct Bare {
    jobs: mpsc::Sender<(Mail, oneshot::Sender<()>)>,
}

impl Bare {
    /// For mails as they came: one table, with the pages and the cache that SQLite has by itself.
    pub fn of_what_came(folder: &Path) -> Bare {
        Bare::open(folder, "", &["CREATE TABLE mails (id INTEGER PRIMARY KEY, bytes BLOB) STRICT".to_owned()])
    }

    /// For what they become: tables, pages and cache as those of a house, which overwrites what is deleted besides.
    pub fn of_what_becomes(folder: &Path, house: &Path) -> Bare {
        let page_bytes: u32 = database(house).query_row("PRAGMA page_size", [], |row| row.get(0)).expect("the store answers");
        let settings = format!("PRAGMA page_size = {page_bytes}; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY");
        Bare::open(folder, &settings, &tables(house))
    }

    fn open(folder: &Path, settings: &str, tables: &[String]) -> Bare {
        let connection = Connection::open(folder.join("bare.sqlite")).expect("the database opens");
        // The size of pages goes first: once there is a log it cannot change.
        connection.execute_batch(settings).expect("the database takes its settings");
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000")
            .expect("the database takes its settings");
        for table in tables {
            connection.execute_batch(table).expect("the table is made");
        }
        let (jobs, waiting) = mpsc::channel(JOBS_WAITING_MAX);
        thread::spawn(move || Self::commit_what_waits(&connection, waiting));
        Bare { jobs }
    }

    fn commit_what_waits(connection: &Connection, mut waiting: mpsc::Receiver<(Mail, oneshot::Sender<()>)>) {
        let mut group = Vec::with_capacity(GROUP_JOBS_MAX);
        let execute = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        while waiting.blocking_recv_many(&mut group, GROUP_JOBS_MAX) > 0 {
            execute("BEGIN IMMEDIATE").expect("a transaction begins");
            for (mail, _) in &group {
                for (sql, row) in mail.iter() {
                    let mut insert = connection.prepare_cached(sql).expect("the statement is right");
                    insert.execute(params_from_iter(row)).expect("the row is inserted");
                }
            }
            execute("COMMIT").expect("the transaction is committed");
            for (_, reply) in group.drain(..) {
                reply.send(()).expect("the task waits");
            }
        }
    }

    pub async fn insert(&self, mail: Mail) {
        let (reply, answer) = oneshot::channel();
        self.jobs.send((mail, reply)).await.expect("the thread lives");
        answer.await.expect("the thread lives");
    }
}
