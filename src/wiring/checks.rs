//! Whether each part of the house answers, for whoever starts it or has to know.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use time::Duration;

use super::House;
use crate::{
    ids::{Kind, TenantId, partition},
    keys::WRAPPING_KEY,
    outbox::{self, given_up},
    ports::Fault,
    tenants,
    tickets::unprocessed::{INTAKE_CONTAINER, INTAKE_POISON_QUEUE, INTAKE_QUEUE},
};

/// What a check asks for: it is nowhere.
const CHECK_NAME: &str = "no-such-thing";
const BACKUPS_CHECKED: &str = "daily";

/// Tenants whose mail is counted at the same time.
const COUNTED_AT_ONCE: usize = 16;

/// Bytes of a trial: as many as a mail of the usual size, and more than a row holds.
const TRIAL_BYTES: usize = 512 * 1024;

/// A part of the house that was asked, and what was found.
#[derive(Debug, Serialize)]
pub struct Check {
    pub part: &'static str,
    pub well: bool,
    /// What is known of it; never data.
    pub found: String,
}

impl House {
    /// Asks each part once, all at the same time. Nothing is changed, but that a deletion is tried where none may succeed, of a blob that is not there, and
    /// that embedded parts write something and delete it.
    pub async fn checks(&self) -> Vec<Check> {
        let ports = &self.app.ports;
        let place = partition(&TenantId::system(), Kind::Tenant);
        let documents = async { ports.documents.get(&place, CHECK_NAME).await.map(|_| "read") };
        let blobs = async { ports.blobs.size(INTAKE_CONTAINER, CHECK_NAME).await.map(|_| "read") };
        let depth = async |queue: &'static str| ports.queues.depth(queue).await;
        let queues = async { futures::try_join!(depth(INTAKE_QUEUE), depth(outbox::QUEUE)) };
        let vault = async { ports.vault.wrap(WRAPPING_KEY, CHECK_NAME.as_bytes()).await.map(|_| "wraps") };
        let identity = async { ports.identity.key(CHECK_NAME).await.map(|_| "read") };
        let now = ports.clock.now();
        let logs = async { ports.logs.slice(now - Duration::minutes(1)..now, 1).await.map(|_| "read") };
        let stuck = async { futures::try_join!(depth(INTAKE_POISON_QUEUE), depth(outbox::POISON_QUEUE)) };
        let (documents, blobs, queues, vault, identity, logs, stuck) = futures::join!(documents, blobs, queues, vault, identity, logs, stuck);
        let mut checks = vec![
            Check::new("documents", documents),
            Check::new("blobs", blobs),
            Check::queues(queues),
            Check::new("vault", vault),
            Check::new("keys of token issuers", identity),
            Check::new("log", logs),
            Check::stuck(stuck),
        ];
        if self.is_embedded {
            checks.push(Check::new("room on the disk", self.has_room().await));
        }
        if let Some(backups) = &self.backups {
            checks.push(Check::new("backups", backups.size(BACKUPS_CHECKED, CHECK_NAME).await.map(|_| "read")));
            // Whoever may not delete hears that, and not that there is nothing.
            let (well, found) = match backups.delete(BACKUPS_CHECKED, CHECK_NAME).await {
                Ok(()) => (false, "who asks may delete them: the application's identity must not".to_owned()),
                Err(Fault::Unavailable(words)) if words.contains("denied access") => (true, "not by who asks".to_owned()),
                Err(fault) => (false, format!("could not be found out: {fault}")),
            };
            checks.push(Check { part: "deletion of backups", well, found });
        }
        checks
    }

    /// How much mail out was given up and can still be sent again. Everyday trouble, so it is no fault; and it walks through all tenants, so it is no part of
    /// what every start asks.
    pub async fn given_up(&self) -> Check {
        let (well, found) = match self.count_given_up().await {
            Ok(0) => (true, "none".to_owned()),
            Ok(mails) => (true, format!("{mails}: `helpdesk outbox list` shows each")),
            Err(error) => (false, error.to_string()),
        };
        Check { part: "mail out that was given up", well, found }
    }

    async fn count_given_up(&self) -> Result<usize, tenants::Error> {
        let (ports, keyring) = (&self.app.ports, &self.app.keyring);
        // A check makes no keys.
        if !keyring.is_known(&TenantId::system()).await? {
            return Ok(0);
        }
        let tenants = stream::iter(tenants::list(ports.documents.as_ref(), keyring).await?);
        let counts = tenants.map(async |tenant| given_up::count(ports, &tenant.id).await).buffer_unordered(COUNTED_AT_ONCE);
        Ok(counts.try_fold(0, async |sum, count| Ok(sum + count)).await?)
    }

    /// A disk that is full answers all but writes. What a trial that was killed left is deleted first.
    async fn has_room(&self) -> Result<&'static str, Fault> {
        let blobs = &self.app.ports.blobs;
        blobs.delete(INTAKE_CONTAINER, CHECK_NAME).await?;
        blobs.put(INTAKE_CONTAINER, CHECK_NAME, Bytes::from_static(&[0; TRIAL_BYTES])).await?;
        blobs.delete(INTAKE_CONTAINER, CHECK_NAME).await?;
        Ok("takes what is written")
    }
}

impl Check {
    fn queues(waiting: Result<(u64, u64), Fault>) -> Check {
        let found = waiting.map(|(mails, wakes)| format!("read; {mails} messages in {INTAKE_QUEUE}, {wakes} in {}", outbox::QUEUE));
        Check { part: "queues", well: found.is_ok(), found: found.unwrap_or_else(|fault| fault.to_string()) }
    }

    /// What the Functions host put aside of the intake is taken out at once and kept as a record; what cannot even be decoded stays. Of the outbox nothing is
    /// taken out, and nothing is lost: the sweep delivers what the messages stood for.
    fn stuck(found: Result<(u64, u64), Fault>) -> Check {
        let (well, found) = match found {
            Ok((0, 0)) => (true, "empty".to_owned()),
            Ok((intake, deliveries)) => {
                let of_intake = format!(
                    "{intake} messages in {INTAKE_POISON_QUEUE}: if they stay, they are no base64, and the queue drops them after seven days"
                );
                let of_outbox =
                    format!("{deliveries} in {}: wake-ups of the outbox that failed each time, which the sweep repeats", outbox::POISON_QUEUE);
                let told = [(intake, of_intake), (deliveries, of_outbox)].into_iter().filter(|(messages, _)| *messages > 0);
                (intake == 0, told.map(|(_, words)| words).collect::<Vec<_>>().join("; "))
            }
            Err(fault) => (false, fault.to_string()),
        };
        Check { part: "what was put aside", well, found }
    }

    fn new(part: &'static str, found: Result<&'static str, Fault>) -> Check {
        let well = found.is_ok();
        Check { part, well, found: found.map_or_else(|fault| fault.to_string(), str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_aside_is_counted_in_both_queues() {
        for (found, well, words) in [
            ((0, 0), true, &["empty"][..]),
            ((2, 0), false, &["2 messages in mail-intake-poison"]),
            ((0, 3), true, &["3 in outbox-poison"]),
            ((2, 3), false, &["2 messages in mail-intake-poison", "; 3 in outbox-poison"]),
        ] {
            let check = Check::stuck(Ok(found));
            assert_eq!(check.well, well, "{found:?}");
            assert!(words.iter().all(|word| check.found.contains(word)), "{}", check.found);
        }
        let fault = Fault::Unavailable("away".to_owned());
        assert!(!Check::stuck(Err(fault.clone())).well && !Check::queues(Err(fault)).well);
        assert_eq!(Check::queues(Ok((4, 1))).found, "read; 4 messages in mail-intake, 1 in outbox");
    }
}
