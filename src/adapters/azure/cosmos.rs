//! Documents in Cosmos DB: one container with partition key `/pk`, its own index on `pk`, `id` and `k1` to `k4`, and TTL switched on without a default.
//!
//! What is NOT promised: with several regions, a read in one that is not the region of writes may miss what was just written there (reads ask for
//! the latest committed version of their region). The account must have one write region; [`client_builder`] keeps reads in it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::http::Etag as HttpEtag;
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, ContainerClient, CosmosClient, CosmosClientBuilder, CosmosError, FeedScope, Query, RoutingStrategy,
    TransactionalBatch,
    feed::ContinuationToken,
    models::{ChangeFeedItem, TransactionalBatchOperationResult},
    options::{
        AvailabilityStrategy, BatchDeleteOptions, BatchOptions, BatchReplaceOptions, ChangeFeedOptions, ChangeFeedStartFrom,
        EndToEndOperationLatencyPolicy, ItemReadOptions, MaxItemCountHint, OperationOptions, OperationOptionsBuilder, PartitionFailoverOptions,
        Precondition, QueryOptions, ReadConsistencyStrategy,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::{sync::OnceCell, time::timeout};

use super::services::{NotConfigured, Services, address};
use crate::{
    adapters::limits,
    ports::{Changes, Clock, DUE, Document, Documents, Etag, Fault, NewDocument, Order, Scan, Slot, Watermark, Write, due_end},
};

/// The database and the container, as the infrastructure makes them.
const DATABASE: &str = "helpdesk";
const CONTAINER: &str = "documents";
/// How long one operation may take with all its tries, and how long the first look at the account and the container.
const OPERATION_MAX: Duration = Duration::from_secs(10);
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// How long a deletion can be seen by `changed_since`.
const TOMBSTONE_KEPT_SECONDS: i64 = 14 * 24 * 60 * 60;
/// Sendings of one commit: the second follows when a create met what has expired or was deleted, the third when another one did in between.
const COMMIT_TRIES_MAX: usize = 3;
/// Items in one page of a query or of the change feed.
const PAGE_ITEMS_MAX: usize = 1000;
/// Pages of the change feed in one call.
const CHANGE_PAGES_MAX: usize = 32;
/// Empty pages in a row that mean that nothing more has changed. After a split of the partition the first may be of the old one.
const EMPTY_PAGES_MAX: usize = 2;
/// What to wait when the service is busy and does not say how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// Leaves out deletions, and what has expired and is still there: TTL removes within seconds, not at the instant.
const LIVE: &str = "NOT IS_DEFINED(c.deleted) AND (NOT IS_DEFINED(c.expires) OR c.expires > @now)";

/// A client that reads from the region of writes alone: one that is slow, or was out of reach a moment ago, is not answered for by another region, which may
/// not know yet what was written. It fails instead, and is asked again.
pub fn client_builder() -> Result<CosmosClientBuilder, Fault> {
    let options = OperationOptionsBuilder::new()
        .with_end_to_end_latency_policy(EndToEndOperationLatencyPolicy::new(OPERATION_MAX))
        .with_availability_strategy(AvailabilityStrategy::Disabled)
        .with_max_failover_retry_count(0)
        .with_endpoint_unavailability_ttl(Duration::ZERO)
        .build();
    let partitions = PartitionFailoverOptions::builder().with_circuit_breaker_enabled(false).build().map_err(fault)?;
    Ok(CosmosClient::builder().with_default_operation_options(options).with_partition_failover_options(partitions))
}

/// The documents of one container.
pub struct CosmosDocuments {
    account: Option<AccountReference>,
    container: OnceCell<ContainerClient>,
    clock: Arc<dyn Clock>,
}

impl CosmosDocuments {
    /// In an account, `https://ACCOUNT.documents.azure.com/`. Connects to nothing yet: the first call asks for the shape of the account and the
    /// container, and the next one does if that fails.
    pub fn new(endpoint: &str, services: &Services, clock: Arc<dyn Clock>) -> Result<CosmosDocuments, NotConfigured> {
        let endpoint = AccountEndpoint::from(address("Cosmos DB", endpoint)?);
        let account = Some(AccountReference::with_credential(endpoint, services.credential.clone()));
        Ok(CosmosDocuments { account, container: OnceCell::new(), clock })
    }

    /// In the database `helpdesk` of a client that is ready.
    pub async fn of(client: &CosmosClient, clock: Arc<dyn Clock>) -> Result<CosmosDocuments, Fault> {
        let container = client.database_client(DATABASE).container_client(CONTAINER, None).await.map_err(fault)?;
        Ok(CosmosDocuments { account: None, container: OnceCell::new_with(Some(container)), clock })
    }

    async fn container(&self) -> Result<&ContainerClient, Fault> {
        let connect = async || {
            let account = self.account.clone().ok_or_else(|| Fault::Unavailable("Cosmos DB has no account".to_owned()))?;
            // The account's own order of regions: the region of writes comes first.
            let client = client_builder()?.build(account, RoutingStrategy::PreferredRegions(Vec::new())).await.map_err(fault)?;
            client.database_client(DATABASE).container_client(CONTAINER, None).await.map_err(fault)
        };
        let late = |_| Fault::Unavailable(format!("Cosmos DB could not be connected to within {} s", CONNECT_MAX.as_secs()));
        // Around the waiting too: who comes while another one connects waits no longer than he.
        timeout(CONNECT_MAX, self.container.get_or_try_init(connect)).await.map_err(late)?
    }

    fn now(&self) -> i64 {
        self.clock.now().unix_timestamp()
    }

    async fn query(&self, query: Query, scope: FeedScope, limit: usize) -> Result<Vec<Document>, Fault> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let options = QueryOptions::default().with_operation_options(latest()).with_max_item_count(page_size(limit));
        let items = self.container().await?.query_items::<Item>(query, scope, Some(options)).await.map_err(fault)?;
        items.take(limit).map(|item| item.map_err(fault)?.document()).try_collect().await
    }

    /// A query over the range of a scan.
    fn of_scan(&self, sql: String, scan: &Scan<'_>) -> Result<Query, Fault> {
        Query::from(sql)
            .with_parameter("@start", &scan.range.start)
            .and_then(|query| query.with_parameter("@end", &scan.range.end))
            .and_then(|query| query.with_parameter("@now", self.now()))
            .map_err(fault)
    }

    /// Etags of those ids whose items are there though no reader sees them; `None` if any of the ids is a document that is alive.
    async fn remains(&self, partition: &str, ids: Vec<&str>) -> Result<Option<Vec<(String, String)>>, Fault> {
        let sql = "SELECT c.id, c.expires, c.deleted, c._etag FROM c WHERE ARRAY_CONTAINS(@ids, c.id)";
        let query = Query::from(sql).with_parameter("@ids", ids).map_err(fault)?;
        let options = QueryOptions::default().with_operation_options(latest());
        let found =
            self.container().await?.query_items::<Remains>(query, FeedScope::partition(partition.to_owned()), Some(options)).await.map_err(fault)?;
        let found: Vec<Remains> = found.try_collect().await.map_err(fault)?;
        let now = self.now();
        let alive = found.iter().any(|item| item.deleted.is_none() && item.expires.is_none_or(|at| at > now));
        Ok((!alive).then(|| found.into_iter().map(|item| (item.id, item.etag)).collect()))
    }

    /// Sends the writes as one batch; creates of an id in `remains` take its place.
    async fn send(&self, partition: &str, writes: &[Write], remains: &[(String, String)]) -> Result<Vec<TransactionalBatchOperationResult>, Fault> {
        let (mut batch, now) = (TransactionalBatch::new(partition.to_owned()), self.now());
        for write in writes {
            batch = match write {
                Write::Create(document) => match remains.iter().find(|(id, _)| *id == document.id) {
                    None => batch.create_item(Item::new(partition, document, now)),
                    Some((id, etag)) => batch.replace_item(id.clone(), Item::new(partition, document, now), if_match(etag)),
                },
                Write::Replace { document, etag } => batch.replace_item(document.id.clone(), Item::new(partition, document, now), if_match(&etag.0)),
                Write::Delete { id, etag } => batch.replace_item(id.clone(), Item::tombstone(partition, id, now), if_match(&etag.0)),
                Write::Purge { id, etag } => {
                    Ok(batch.delete_item(id.clone(), Some(BatchDeleteOptions::default().with_precondition(unchanged(&etag.0)))))
                }
            }
            .map_err(fault)?;
        }
        // A batch that fails as a whole is an answer like any other; its results say which write it was.
        let response = self.container().await?.execute_transactional_batch(batch, Some(BatchOptions::default())).await.map_err(fault)?;
        Ok(response.into_model().map_err(fault)?.results().to_vec())
    }
}

#[async_trait]
impl Documents for CosmosDocuments {
    async fn get(&self, partition: &str, id: &str) -> Result<Option<Document>, Fault> {
        limits::check_name("id", id)?;
        let options = ItemReadOptions::default().with_operation_options(latest());
        let item: Item = match self.container().await?.read_item(partition.to_owned(), id, Some(options)).await {
            Ok(response) => response.into_model().map_err(fault)?,
            Err(error) if error.status().is_not_found() => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        if item.is_live(self.now()) { item.document().map(Some) } else { Ok(None) }
    }

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Document>, Fault> {
        let order = match scan.order {
            Order::Ascending => "ASC",
            Order::Descending => "DESC",
        };
        let sql = format!("SELECT * FROM c WHERE {} ORDER BY c.{} {order}", within(scan.slot), scan.slot.name());
        self.query(self.of_scan(sql, scan)?, FeedScope::partition(scan.partition.to_owned()), scan.limit).await
    }

    async fn count(&self, scan: &Scan<'_>) -> Result<usize, Fault> {
        if scan.limit == 0 {
            return Ok(0);
        }
        // Not COUNT, which has no limit: it would go over all that is there.
        let query = self.of_scan(format!("SELECT VALUE 1 FROM c WHERE {}", within(scan.slot)), scan)?;
        let options = QueryOptions::default().with_operation_options(latest()).with_max_item_count(page_size(scan.limit));
        let ones = self.container().await?.query_items::<u8>(query, FeedScope::partition(scan.partition.to_owned()), Some(options));
        ones.await.map_err(fault)?.take(scan.limit).try_fold(0, async |count, _| Ok(count + 1)).await.map_err(fault)
    }

    async fn commit(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Etag>, Fault> {
        limits::check_commit(partition, &writes)?;
        let created: Vec<&str> = writes.iter().filter_map(created_id).collect();
        let mut remains = Vec::new();
        for _ in 0..COMMIT_TRIES_MAX {
            let results = self.send(partition, &writes, &remains).await?;
            let Some(culprit) = culprit(&results, writes.len())? else { return etags(&writes, &results) };
            match culprit.status_code() {
                // A create met an item. The common case, that nothing is in the way, pays for no read before it.
                409 => match self.remains(partition, created.clone()).await? {
                    Some(found) => remains = found,
                    None => return Err(Fault::Conflict),
                },
                404 | 412 => return Err(Fault::Conflict),
                429 | 449 => return Err(Fault::Throttled { after: culprit.retry_after().unwrap_or(RETRY_AFTER_DEFAULT) }),
                status @ (400 | 413) => return Err(Fault::Corrupt(format!("Cosmos DB refused a write with {status}"))),
                status => return Err(Fault::Unavailable(format!("Cosmos DB answered a write with {status}"))),
            }
        }
        Err(Fault::Conflict)
    }

    async fn changed_since(&self, partition: &str, watermark: Option<&Watermark>, limit: usize) -> Result<Changes, Fault> {
        let mut options = ChangeFeedOptions::default().with_operation_options(latest()).with_max_item_count(page_size(limit));
        if let Some(Watermark(token)) = watermark {
            options = options.with_continuation_token(ContinuationToken::from_string(token.clone()));
        }
        let scope = FeedScope::partition(partition.to_owned());
        let mut pages =
            self.container().await?.query_change_feed::<Item>(scope, ChangeFeedStartFrom::Beginning, Some(options)).await.map_err(fault)?;
        let mut changes = Changes { documents: Vec::new(), deleted: Vec::new(), watermark: Watermark(String::new()), caught_up: false };
        let (mut empty_pages, now) = (0, self.now());
        for _ in 0..CHANGE_PAGES_MAX {
            // The feed never ends; an empty page says that there is nothing more at present.
            let Some(page) = pages.try_next().await.map_err(fault)? else { break };
            empty_pages = if page.items().is_empty() { empty_pages + 1 } else { 0 };
            for item in page.into_items() {
                add_change(&mut changes, item, now)?;
            }
            changes.caught_up = empty_pages == EMPTY_PAGES_MAX;
            if changes.caught_up || changes.documents.len() + changes.deleted.len() >= limit.max(1) {
                break;
            }
        }
        changes.watermark = Watermark(pages.to_continuation_token().map_err(fault)?.as_str().to_owned());
        Ok(changes)
    }

    async fn due(&self, after: Option<&str>, before: OffsetDateTime, limit: usize) -> Result<Vec<Document>, Fault> {
        let sql = format!("SELECT * FROM c WHERE c.k1 > @after AND c.k1 < @end AND {LIVE} ORDER BY c.k1 ASC");
        let query = Query::from(sql)
            .with_parameter("@after", after.unwrap_or(DUE))
            .and_then(|query| query.with_parameter("@end", due_end(before)))
            .and_then(|query| query.with_parameter("@now", self.now()))
            .map_err(fault)?;
        self.query(query, FeedScope::full_container(), limit).await
    }
}

/// What is in the range of a scan.
fn within(slot: Slot) -> String {
    let slot = slot.name();
    format!("c.{slot} >= @start AND c.{slot} < @end AND {LIVE}")
}

/// A document or a tombstone as Cosmos DB keeps it. Its index policy names `k1` to `k4` and leaves out the rest.
#[derive(Clone, Serialize, Deserialize)]
struct Item {
    id: String,
    pk: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    k1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k4: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// Seconds from this write on; the service counts them from its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
    /// Base64; none in a tombstone.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// When it was deleted, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<i64>,
    #[serde(rename = "_etag", skip_serializing, default)]
    etag: String,
}

/// What stands in the way of a create.
#[derive(Deserialize)]
struct Remains {
    id: String,
    expires: Option<i64>,
    deleted: Option<i64>,
    #[serde(rename = "_etag")]
    etag: String,
}

impl Item {
    fn new(partition: &str, document: &NewDocument, now: i64) -> Item {
        let [k1, k2, k3, k4] = document.keys.clone();
        let expires = document.expires_at.map(OffsetDateTime::unix_timestamp);
        Item {
            id: document.id.clone(),
            pk: partition.to_owned(),
            kind: document.kind.clone(),
            k1,
            k2,
            k3,
            k4,
            expires,
            // Zero is refused; what has expired already goes in a second.
            ttl: expires.map(|at| at.saturating_sub(now).clamp(1, i64::from(i32::MAX))),
            body: Some(STANDARD.encode(&document.body)),
            deleted: None,
            etag: String::new(),
        }
    }

    fn tombstone(partition: &str, id: &str, now: i64) -> Item {
        let (ttl, deleted, kind) = (Some(TOMBSTONE_KEPT_SECONDS), Some(now), "deleted".to_owned());
        let (id, pk, etag) = (id.to_owned(), partition.to_owned(), String::new());
        Item { id, pk, kind, k1: None, k2: None, k3: None, k4: None, expires: None, ttl, body: None, deleted, etag }
    }

    fn is_live(&self, now: i64) -> bool {
        self.deleted.is_none() && self.expires.is_none_or(|at| at > now)
    }

    fn document(self) -> Result<Document, Fault> {
        let body = STANDARD.decode(self.body.unwrap_or_default()).map_err(|_| Fault::Corrupt("a document's body is not base64".to_owned()))?;
        Ok(Document {
            partition: self.pk,
            id: self.id,
            kind: self.kind,
            keys: [self.k1, self.k2, self.k3, self.k4],
            expires_at: self.expires.map(instant).transpose()?,
            body,
            etag: Etag(self.etag),
        })
    }
}

fn add_change(changes: &mut Changes, change: ChangeFeedItem<Item>, now: i64) -> Result<(), Fault> {
    let Some(item) = change.current().cloned() else { return Ok(()) };
    match item.deleted {
        Some(at) => changes.deleted.push((item.id, instant(at)?)),
        None if item.is_live(now) => changes.documents.push(item.document()?),
        None => {}
    }
    Ok(())
}

/// The first write that failed by itself; those with 424 only fell with it.
fn culprit(results: &[TransactionalBatchOperationResult], writes: usize) -> Result<Option<&TransactionalBatchOperationResult>, Fault> {
    if results.len() != writes {
        return Err(Fault::Unavailable(format!("Cosmos DB answered {} results to {writes} writes", results.len())));
    }
    let failed = || results.iter().filter(|result| !result.is_success());
    Ok(failed().find(|result| result.status_code() != 424).or_else(|| failed().next()))
}

fn etags(writes: &[Write], results: &[TransactionalBatchOperationResult]) -> Result<Vec<Etag>, Fault> {
    let of_result = |(write, result): (&Write, &TransactionalBatchOperationResult)| match (write, result.etag()) {
        (Write::Delete { etag, .. } | Write::Purge { etag, .. }, _) => Ok(etag.clone()),
        (_, Some(etag)) => Ok(Etag(etag.to_owned())),
        // The write is durable; a caller that runs again finds that out.
        (_, None) => Err(Fault::Unavailable("Cosmos DB answered a write without its etag".to_owned())),
    };
    writes.iter().zip(results).map(of_result).collect()
}

fn created_id(write: &Write) -> Option<&str> {
    match write {
        Write::Create(document) => Some(&document.id),
        Write::Replace { .. } | Write::Delete { .. } | Write::Purge { .. } => None,
    }
}

fn if_match(etag: &str) -> Option<BatchReplaceOptions> {
    Some(BatchReplaceOptions::default().with_precondition(unchanged(etag)))
}

fn unchanged(etag: &str) -> Precondition {
    Precondition::IfMatch(HttpEtag::from(etag.to_owned()))
}

/// A read of the latest committed version: session tokens do not span the instances of the application.
fn latest() -> OperationOptions {
    OperationOptionsBuilder::new().with_read_consistency_strategy(ReadConsistencyStrategy::LatestCommitted).build()
}

fn page_size(limit: usize) -> MaxItemCountHint {
    let items = u32::try_from(limit.clamp(1, PAGE_ITEMS_MAX)).ok().and_then(NonZeroU32::new);
    items.map_or(MaxItemCountHint::ServerDecides, MaxItemCountHint::Limit)
}

/// The error's own text may quote the request and its address, so only codes are told.
fn fault(error: CosmosError) -> Fault {
    let status = error.status();
    let code = u16::from(status.status_code());
    let activity = error.diagnostics().map(|diagnostics| format!(", activity {}", diagnostics.activity_id())).unwrap_or_default();
    let name = format!("{}{activity}", status.name().unwrap_or("no name"));
    match code {
        409 | 412 => Fault::Conflict,
        429 => {
            let after = error.response().and_then(|response| response.headers().retry_after_ms).map(Duration::from_millis);
            Fault::Throttled { after: after.unwrap_or(RETRY_AFTER_DEFAULT) }
        }
        400 | 413 => Fault::Corrupt(format!("Cosmos DB refused a request with {code} ({name})")),
        401 | 403 => Fault::Unavailable(format!("Cosmos DB denied access with {code} ({name}): check the role assignment and the firewall")),
        404 => Fault::Unavailable("Cosmos DB does not know the database or the container: check their names".to_owned()),
        _ => Fault::Unavailable(format!("Cosmos DB failed with {code} ({name})")),
    }
}

fn instant(seconds: i64) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Fault::Corrupt("an item holds an instant beyond the calendar".to_owned()))
}
