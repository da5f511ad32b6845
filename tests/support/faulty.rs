//! Ports that fail at a chosen call, before or after they did what they were asked.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use helpdesk::ports::{
    Blobs, Changes, Document, Documents, Etag, Fault, Lease, Mailer, OutgoingMail, Pieces, Ports, Put, Queues, Scan, Secret, Undelivered, Vault,
    Watermark, Wrapped, Write,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Which call fails. Calls of all ports are counted together.
#[derive(Default)]
pub struct Plan {
    calls: AtomicUsize,
    /// One-based; 0 is none.
    fails_at: AtomicUsize,
    /// Each call of so many fails, before and after by turns; 0 is none.
    every: AtomicUsize,
    /// The call takes effect and only its answer is lost.
    after: AtomicBool,
    /// So many commits take effect, lose their answer and are sent again by whoever carries them.
    sent_twice: AtomicUsize,
    pub vault_down: AtomicBool,
}

impl Plan {
    pub fn fail_at(&self, call: usize, after: bool) {
        self.calls.store(0, Ordering::SeqCst);
        self.fails_at.store(call, Ordering::SeqCst);
        self.after.store(after, Ordering::SeqCst);
    }

    #[cfg(feature = "azure")]
    pub fn fail_every(&self, calls: usize) {
        self.every.store(calls, Ordering::SeqCst);
    }

    pub fn send_commits_twice(&self, commits: usize) {
        self.sent_twice.store(commits, Ordering::SeqCst);
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn call<T, E: From<Fault>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let now = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let every = self.every.load(Ordering::SeqCst);
        let by_turns = every > 0 && now.is_multiple_of(every);
        let fails = by_turns || now == self.fails_at.load(Ordering::SeqCst);
        let after = if by_turns { (now / every).is_multiple_of(2) } else { self.after.load(Ordering::SeqCst) };
        if fails && !after {
            return Err(Fault::Unavailable("planned, before".to_owned()).into());
        }
        let done = work.await?;
        if fails { Err(Fault::Unavailable("planned, after".to_owned()).into()) } else { Ok(done) }
    }
}

/// The same ports, following a plan.
pub fn faulty(ports: &Ports, plan: &Arc<Plan>) -> Ports {
    Ports {
        documents: Arc::new(Faulty { inner: ports.documents.clone(), plan: plan.clone() }),
        blobs: Arc::new(Faulty { inner: ports.blobs.clone(), plan: plan.clone() }),
        queues: Arc::new(Faulty { inner: ports.queues.clone(), plan: plan.clone() }),
        vault: Arc::new(Faulty { inner: ports.vault.clone(), plan: plan.clone() }),
        mailer: Arc::new(Faulty { inner: ports.mailer.clone(), plan: plan.clone() }),
        ..ports.clone()
    }
}

struct Faulty<P: ?Sized> {
    plan: Arc<Plan>,
    inner: Arc<P>,
}

#[async_trait]
impl Documents for Faulty<dyn Documents> {
    async fn get(&self, partition: &str, id: &str) -> Result<Option<Document>, Fault> {
        self.plan.call(self.inner.get(partition, id)).await
    }
    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Document>, Fault> {
        self.plan.call(self.inner.scan(scan)).await
    }
    async fn count(&self, scan: &Scan<'_>) -> Result<usize, Fault> {
        self.plan.call(self.inner.count(scan)).await
    }
    async fn commit(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Etag>, Fault> {
        let again = self.plan.sent_twice.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if again {
            self.inner.commit(partition, writes.clone()).await?;
        }
        self.plan.call(self.inner.commit(partition, writes)).await
    }
    async fn changed_since(&self, partition: &str, watermark: Option<&Watermark>, limit: usize) -> Result<Changes, Fault> {
        self.plan.call(self.inner.changed_since(partition, watermark, limit)).await
    }
    async fn due(&self, after: Option<&str>, before: OffsetDateTime, limit: usize) -> Result<Vec<Document>, Fault> {
        self.plan.call(self.inner.due(after, before, limit)).await
    }
}

#[async_trait]
impl Blobs for Faulty<dyn Blobs> {
    async fn put(&self, container: &str, name: &str, bytes: Bytes) -> Result<Put, Fault> {
        self.plan.call(self.inner.put(container, name, bytes)).await
    }
    async fn put_pieces(&self, container: &str, name: &str, pieces: Pieces<'_>) -> Result<Put, Fault> {
        self.plan.call(self.inner.put_pieces(container, name, pieces)).await
    }
    async fn get(&self, container: &str, name: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, Fault> {
        self.plan.call(self.inner.get(container, name, range)).await
    }
    async fn size(&self, container: &str, name: &str) -> Result<Option<u64>, Fault> {
        self.plan.call(self.inner.size(container, name)).await
    }
    async fn list(&self, container: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        self.plan.call(self.inner.list(container, prefix, after, limit)).await
    }
    async fn delete(&self, container: &str, name: &str) -> Result<(), Fault> {
        self.plan.call(self.inner.delete(container, name)).await
    }
}

#[async_trait]
impl Queues for Faulty<dyn Queues> {
    async fn send(&self, queue: &str, text: &str, delay: Duration) -> Result<(), Fault> {
        self.plan.call(self.inner.send(queue, text, delay)).await
    }
    async fn lease(&self, queue: &str, max: usize, visibility: Duration) -> Result<Vec<Lease>, Fault> {
        self.plan.call(self.inner.lease(queue, max, visibility)).await
    }
    async fn extend(&self, queue: &str, lease: &Lease, visibility: Duration) -> Result<Option<Lease>, Fault> {
        self.plan.call(self.inner.extend(queue, lease, visibility)).await
    }
    async fn delete(&self, queue: &str, lease: &Lease) -> Result<bool, Fault> {
        self.plan.call(self.inner.delete(queue, lease)).await
    }
    async fn depth(&self, queue: &str) -> Result<u64, Fault> {
        self.plan.call(self.inner.depth(queue)).await
    }
}

#[async_trait]
impl Vault for Faulty<dyn Vault> {
    async fn wrap(&self, key: &str, plaintext: &[u8]) -> Result<Wrapped, Fault> {
        self.up()?;
        self.plan.call(self.inner.wrap(key, plaintext)).await
    }
    async fn unwrap(&self, key: &str, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.up()?;
        self.plan.call(self.inner.unwrap(key, wrapped)).await
    }
    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault> {
        self.up()?;
        self.plan.call(self.inner.secret(name, version)).await
    }
    async fn make_key(&self, key: &str) -> Result<bool, Fault> {
        self.up()?;
        self.plan.call(self.inner.make_key(key)).await
    }
    async fn rotate(&self, key: &str) -> Result<String, Fault> {
        self.up()?;
        self.plan.call(self.inner.rotate(key)).await
    }
}

impl Faulty<dyn Vault> {
    fn up(&self) -> Result<(), Fault> {
        if self.plan.vault_down.load(Ordering::SeqCst) { Err(Fault::Unavailable("the vault is down".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Mailer for Faulty<dyn Mailer> {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        let sent = AtomicBool::new(false);
        let taken = async {
            self.inner.send(mail).await?;
            sent.store(true, Ordering::SeqCst);
            Ok(())
        };
        let done: Result<(), Undelivered> = self.plan.call(taken).await;
        done.map_err(|why| Undelivered { perhaps_taken: sent.load(Ordering::SeqCst), ..why })
    }
}
