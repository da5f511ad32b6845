//! Documents in the embedded store.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use super::store::{Durable, Store, Writing, fault};
use crate::{
    adapters::limits,
    ports::{Changes, DUE, Document, Documents, Etag, Fault, NewDocument, Order, Scan, Slot, Watermark, Write, due_end},
};

/// Documents that are scanned in place. Their bodies are mostly some hundred bytes; were all as large as may be, 16 KiB, they would be 4 MiB.
const SCANNED_HERE_MAX: usize = 256;
/// Documents that are counted in place, by an index alone.
const COUNTED_HERE_MAX: usize = 4096;
const COLUMNS: &str = "partition, id, kind, k1, k2, k3, k4, expires_at, body, seq, deleted_at";
/// What can be seen at the instant `?1`.
const LIVE: &str = "deleted_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)";
const UNEXPIRED: &str = "(expires_at IS NULL OR expires_at > ?1)";

#[async_trait]
impl Documents for Store {
    async fn get(&self, partition: &str, id: &str) -> Result<Option<Document>, Fault> {
        limits::check_name("id", id)?;
        let now = self.clock.now().unix_timestamp();
        self.look_up(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM documents WHERE {LIVE} AND partition = ?2 AND id = ?3");
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            let stored = statement.query_row(params![now, partition, id], stored).optional().map_err(fault)?;
            stored.map(Stored::document).transpose()
        })
    }

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Document>, Fault> {
        let sql = scan_sql(scan.slot, scan.order);
        let (partition, range, limit) = (scan.partition.to_owned(), scan.range.clone(), rows(scan.limit));
        let now = self.clock.now().unix_timestamp();
        let find = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            let found = statement.query_map(params![now, partition, range.start, range.end, limit], stored).map_err(fault)?;
            found.map(|row| row.map_err(fault)?.document()).collect()
        };
        if scan.limit <= SCANNED_HERE_MAX { self.look_up(find) } else { self.read(find).await }
    }

    async fn count(&self, scan: &Scan<'_>) -> Result<usize, Fault> {
        let slot = scan.slot.name();
        // A deleted document has no keys; when one expires the index of a key says. So no row is read.
        let (live, here_max) = if scan.slot == Slot::Id { (LIVE, SCANNED_HERE_MAX) } else { (UNEXPIRED, COUNTED_HERE_MAX) };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM documents INDEXED BY documents_by_{slot} WHERE {live} AND partition = ?2 AND {slot} >= ?3 AND {slot} < ?4 LIMIT ?5)"
        );
        let (partition, range, limit) = (scan.partition.to_owned(), scan.range.clone(), rows(scan.limit));
        let now = self.clock.now().unix_timestamp();
        let find = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            let found: i64 = statement.query_row(params![now, partition, range.start, range.end, limit], |row| row.get(0)).map_err(fault)?;
            Ok(usize::try_from(found).unwrap_or_default())
        };
        if scan.limit <= here_max { self.look_up(find) } else { self.read(find).await }
    }

    async fn commit(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Etag>, Fault> {
        limits::check_commit(partition, &writes)?;
        let partition = partition.to_owned();
        self.write(Durable::Now, move |writing| {
            // The first needs no look: if it meets a conflict, nothing was written before it.
            for write in &writes[1..] {
                look(writing, &partition, write)?;
            }
            writes.iter().map(|write| write_one(writing, &partition, write)).collect()
        })
        .await
    }

    async fn changed_since(&self, partition: &str, watermark: Option<&Watermark>, limit: usize) -> Result<Changes, Fault> {
        let since: i64 = match watermark {
            Some(Watermark(text)) => text.parse().map_err(|_| Fault::Corrupt("a watermark is not of the embedded store".to_owned()))?,
            None => 0,
        };
        // With none there would be no end to be reached.
        let limit = limit.max(1);
        let (partition, now) = (partition.to_owned(), self.clock.now());
        self.read(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM documents INDEXED BY documents_by_change WHERE partition = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            let found: Vec<Stored> =
                statement.query_map(params![partition, since, rows(limit)], stored).map_err(fault)?.collect::<Result<_, _>>().map_err(fault)?;
            changes(found, since, limit, now)
        })
        .await
    }

    async fn due(&self, after: Option<&str>, before: OffsetDateTime, limit: usize) -> Result<Vec<Document>, Fault> {
        let now = self.clock.now().unix_timestamp();
        let after = after.unwrap_or(DUE).to_owned();
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM documents INDEXED BY documents_by_due WHERE {LIVE} AND substr(k1, 1, 4) = 'due:' AND k1 > ?2 AND k1 < ?3 ORDER BY k1 LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            let found = statement.query_map(params![now, after, due_end(before), rows(limit)], stored).map_err(fault)?;
            found.map(|row| row.map_err(fault)?.document()).collect()
        })
        .await
    }
}

fn scan_sql(slot: Slot, order: Order) -> String {
    let slot = slot.name();
    let order = match order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    format!(
        "SELECT {COLUMNS} FROM documents INDEXED BY documents_by_{slot} WHERE {LIVE} AND partition = ?2 AND {slot} >= ?3 AND {slot} < ?4 ORDER BY {slot} {order} LIMIT ?5"
    )
}

/// Finds the conflicts of a write before there is anything to be undone.
fn look(writing: &Writing<'_>, partition: &str, write: &Write) -> Result<(), Fault> {
    let (id, expected) = match write {
        Write::Create(document) => (&document.id, None),
        Write::Replace { document, etag } => (&document.id, Some(etag)),
        Write::Delete { id, etag } | Write::Purge { id, etag } => (id, Some(etag)),
    };
    let sql = format!("SELECT seq FROM documents WHERE {LIVE} AND partition = ?2 AND id = ?3");
    let mut statement = writing.connection.prepare_cached(&sql).map_err(fault)?;
    let live: Option<i64> = statement.query_row(params![writing.now.unix_timestamp(), partition, id], |row| row.get(0)).optional().map_err(fault)?;
    if live == expected.and_then(version) && expected.is_some() == live.is_some() { Ok(()) } else { Err(Fault::Conflict) }
}

fn write_one(writing: &mut Writing<'_>, partition: &str, write: &Write) -> Result<Etag, Fault> {
    let (written, etag) = match write {
        Write::Create(document) => create(writing, partition, document)?,
        Write::Replace { document, etag } => replace(writing, partition, document, etag)?,
        Write::Delete { id, etag } => (delete(writing, partition, id, etag)?, etag.clone()),
        Write::Purge { id, etag } => (purge(writing, partition, id, etag)?, etag.clone()),
    };
    if written { Ok(etag) } else { Err(Fault::Conflict) }
}

/// Inserts, or takes the place of a document that has expired or was deleted.
fn create(writing: &mut Writing<'_>, partition: &str, document: &NewDocument) -> Result<(bool, Etag), Fault> {
    let (seq, now, [k1, k2, k3, k4]) = (writing.next(), writing.now.unix_timestamp(), &document.keys);
    let sql = "INSERT INTO documents (seq, partition, id, kind, k1, k2, k3, k4, expires_at, body) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (partition, id) DO UPDATE SET seq = excluded.seq, kind = excluded.kind, k1 = excluded.k1, k2 = excluded.k2, k3 = excluded.k3,
            k4 = excluded.k4, expires_at = excluded.expires_at, body = excluded.body, deleted_at = NULL
        WHERE deleted_at IS NOT NULL OR expires_at <= ?1";
    let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
    let values = params![now, seq, partition, document.id, document.kind, k1, k2, k3, k4, expiry(document), document.body];
    Ok((statement.execute(values).map_err(fault)? == 1, Etag(seq.to_string())))
}

fn replace(writing: &mut Writing<'_>, partition: &str, document: &NewDocument, etag: &Etag) -> Result<(bool, Etag), Fault> {
    let (seq, now, [k1, k2, k3, k4]) = (writing.next(), writing.now.unix_timestamp(), &document.keys);
    let sql = format!(
        "UPDATE documents SET seq = ?2, kind = ?3, k1 = ?4, k2 = ?5, k3 = ?6, k4 = ?7, expires_at = ?8, body = ?9
        WHERE {LIVE} AND partition = ?10 AND id = ?11 AND seq = ?12"
    );
    let mut statement = writing.connection.prepare_cached(&sql).map_err(fault)?;
    let values = params![now, seq, document.kind, k1, k2, k3, k4, expiry(document), document.body, partition, document.id, version(etag)];
    Ok((statement.execute(values).map_err(fault)? == 1, Etag(seq.to_string())))
}

fn delete(writing: &mut Writing<'_>, partition: &str, id: &str, etag: &Etag) -> Result<bool, Fault> {
    let (seq, now) = (writing.next(), writing.now.unix_timestamp());
    let sql = format!(
        "UPDATE documents SET seq = ?2, k1 = NULL, k2 = NULL, k3 = NULL, k4 = NULL, expires_at = NULL, deleted_at = ?1, body = x''
        WHERE {LIVE} AND partition = ?3 AND id = ?4 AND seq = ?5"
    );
    let mut statement = writing.connection.prepare_cached(&sql).map_err(fault)?;
    Ok(statement.execute(params![now, seq, partition, id, version(etag)]).map_err(fault)? == 1)
}

fn purge(writing: &mut Writing<'_>, partition: &str, id: &str, etag: &Etag) -> Result<bool, Fault> {
    // It takes a number too: a commit that changed something says so.
    let (_, now) = (writing.next(), writing.now.unix_timestamp());
    let sql = format!("DELETE FROM documents WHERE {LIVE} AND partition = ?2 AND id = ?3 AND seq = ?4");
    let mut statement = writing.connection.prepare_cached(&sql).map_err(fault)?;
    Ok(statement.execute(params![now, partition, id, version(etag)]).map_err(fault)? == 1)
}

/// Whole seconds, as the port has it.
fn expiry(document: &NewDocument) -> Option<i64> {
    document.expires_at.map(OffsetDateTime::unix_timestamp)
}

/// No version is `None`: what is no number of ours matches no row.
fn version(etag: &Etag) -> Option<i64> {
    etag.0.parse().ok()
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn changes(found: Vec<Stored>, since: i64, limit: usize, now: OffsetDateTime) -> Result<Changes, Fault> {
    let caught_up = found.len() < limit;
    let last = found.last().map_or(since, |stored| stored.seq);
    let mut changes = Changes { documents: Vec::new(), deleted: Vec::new(), watermark: Watermark(last.to_string()), caught_up };
    for stored in found {
        match stored.deleted_at {
            Some(at) => changes.deleted.push((stored.id, instant(at)?)),
            None if stored.expires_at.is_some_and(|at| at <= now.unix_timestamp()) => {}
            None => changes.documents.push(stored.document()?),
        }
    }
    Ok(changes)
}

/// A row as it is.
struct Stored {
    partition: String,
    id: String,
    kind: String,
    keys: [Option<String>; 4],
    expires_at: Option<i64>,
    body: Vec<u8>,
    seq: i64,
    deleted_at: Option<i64>,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        partition: row.get(0)?,
        id: row.get(1)?,
        kind: row.get(2)?,
        keys: [row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?],
        expires_at: row.get(7)?,
        body: row.get(8)?,
        seq: row.get(9)?,
        deleted_at: row.get(10)?,
    })
}

impl Stored {
    fn document(self) -> Result<Document, Fault> {
        Ok(Document {
            partition: self.partition,
            id: self.id,
            kind: self.kind,
            keys: self.keys,
            expires_at: self.expires_at.map(instant).transpose()?,
            body: self.body,
            etag: Etag(self.seq.to_string()),
        })
    }
}

fn instant(seconds: i64) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Fault::Corrupt("the embedded store holds an instant beyond the calendar".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::StatementStatus;

    use super::*;
    use crate::adapters::embedded::SystemClock;

    #[tokio::test]
    async fn a_scan_is_planned_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Arc::new(SystemClock)).unwrap();
        for slot in [Slot::Id, Slot::K1, Slot::K2, Slot::K3, Slot::K4] {
            for prefix in ["a", "b", "c"] {
                store.scan(&Scan::prefix("p", slot, prefix, 1)).await.unwrap();
            }
            let planned_anew = store.look_up(|connection| {
                let statement = connection.prepare_cached(&scan_sql(slot, Order::Ascending)).map_err(fault)?;
                Ok((statement.get_status(StatementStatus::Run), statement.get_status(StatementStatus::RePrepare)))
            });
            assert_eq!(planned_anew, Ok((3, 0)), "{slot:?}");
        }
    }
}
