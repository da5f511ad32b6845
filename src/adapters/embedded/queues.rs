//! Queues in the embedded store, with the semantics of Azure Storage queues.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;
use time::OffsetDateTime;

use super::store::{Durable, Store, Writing, fault};
use crate::{
    adapters::limits,
    ports::{Fault, Lease, Queues},
};

/// Messages in one lease, as Azure Storage has it.
const LEASE_MESSAGES_MAX: usize = 32;

/// A lease, an extension or a removal that a power cut undoes only makes a message come again, which may happen at any time:
/// those jobs are durable soon, a send is durable now.
#[async_trait]
impl Queues for Store {
    async fn send(&self, queue: &str, text: &str, delay: Duration) -> Result<(), Fault> {
        limits::check_container(queue)?;
        limits::check_message(text)?;
        let (queue, text) = (queue.to_owned(), text.to_owned());
        self.write(Durable::Now, move |writing| {
            let (id, now) = (writing.next(), milliseconds(writing.now));
            let sql = "INSERT INTO messages (id, queue, visible_at, inserted_at, text) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
            statement.execute(params![id, queue, milliseconds(writing.now + delay), now, text]).map_err(fault)?;
            Ok(())
        })
        .await
    }

    async fn lease(&self, queue: &str, max: usize, visibility: Duration) -> Result<Vec<Lease>, Fault> {
        limits::check_container(queue)?;
        let (queue, max) = (queue.to_owned(), max.min(LEASE_MESSAGES_MAX) as i64);
        self.write(Durable::Soon, move |writing| {
            let sql = "SELECT id FROM messages WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3";
            let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
            let found = statement.query_map(params![queue, milliseconds(writing.now), max], |row| row.get(0)).map_err(fault)?;
            let ids: Vec<i64> = found.collect::<Result<_, _>>().map_err(fault)?;
            ids.into_iter().map(|id| lease_one(writing, id, visibility)).collect()
        })
        .await
    }

    async fn extend(&self, queue: &str, lease: &Lease, visibility: Duration) -> Result<Option<Lease>, Fault> {
        let (queue, mut lease) = (queue.to_owned(), lease.clone());
        self.write(Durable::Soon, move |writing| {
            let (receipt, visible_at) = (writing.next(), writing.now + visibility);
            let sql = "UPDATE messages SET visible_at = ?1, receipt = ?2 WHERE queue = ?3 AND id = ?4 AND receipt = ?5";
            let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
            let values = params![milliseconds(visible_at), receipt, queue, number(&lease.id), number(&lease.pop_receipt)];
            if statement.execute(values).map_err(fault)? == 0 {
                return Ok(None);
            }
            lease.pop_receipt = receipt.to_string();
            lease.visible_at = instant(milliseconds(visible_at))?;
            Ok(Some(lease))
        })
        .await
    }

    async fn delete(&self, queue: &str, lease: &Lease) -> Result<bool, Fault> {
        let (queue, id, receipt) = (queue.to_owned(), number(&lease.id), number(&lease.pop_receipt));
        self.write(Durable::Soon, move |writing| {
            let sql = "DELETE FROM messages WHERE queue = ?1 AND id = ?2 AND receipt = ?3";
            let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
            Ok(statement.execute(params![queue, id, receipt]).map_err(fault)? == 1)
        })
        .await
    }

    async fn depth(&self, queue: &str) -> Result<u64, Fault> {
        limits::check_container(queue)?;
        let queue = queue.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM messages WHERE queue = ?1").map_err(fault)?;
            let count: i64 = statement.query_row([queue], |row| row.get(0)).map_err(fault)?;
            Ok(count.unsigned_abs())
        })
        .await
    }
}

impl Store {
    /// Makes every message visible that was ever leased. For a host that has just taken the folder over: whoever held a lease is dead, and its mails need
    /// not wait ten minutes. A message that paused after a failure comes early, which may happen at any time.
    ///
    /// What was sent at a time that is still to come was sent before the clock was put back: it waits for its own delay from now on, not until the clock is
    /// there again.
    pub async fn end_leases(&self) -> Result<(), Fault> {
        self.write(Durable::Soon, move |writing| {
            let sql = "UPDATE messages SET visible_at = ?1 + iif(receipt <> 0, 0, visible_at - inserted_at), inserted_at = min(inserted_at, ?1), receipt = 0
                WHERE receipt <> 0 OR inserted_at > ?1";
            writing.connection.execute(sql, params![milliseconds(writing.now)]).map_err(fault)?;
            Ok(())
        })
        .await
    }
}

fn lease_one(writing: &mut Writing<'_>, id: i64, visibility: Duration) -> Result<Lease, Fault> {
    let (receipt, visible_at) = (writing.next(), milliseconds(writing.now + visibility));
    let sql = "UPDATE messages SET visible_at = ?1, receipt = ?2, dequeue_count = dequeue_count + 1 WHERE id = ?3 RETURNING dequeue_count, inserted_at, text";
    let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
    let (dequeue_count, inserted_at, text) =
        statement.query_row(params![visible_at, receipt, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(fault)?;
    Ok(Lease {
        id: id.to_string(),
        pop_receipt: receipt.to_string(),
        text,
        dequeue_count,
        inserted_at: instant(inserted_at)?,
        visible_at: instant(visible_at)?,
    })
}

/// What is no number of ours names no message.
fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn instant(milliseconds: i64) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .map_err(|_| Fault::Corrupt("the embedded store holds an instant beyond the calendar".to_owned()))
}
