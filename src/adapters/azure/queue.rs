//! Queues in Azure Queue Storage, base64 as the Functions host reads it.
//!
//! A queue that is missing is made, as in [`super::blob`]. `lease`, `extend` and `delete` are the Functions host's work in Azure.

use std::time::Duration;

use async_trait::async_trait;
use azure_core::time::parse_rfc7231;
use azure_storage_queue::{
    QueueClient, QueueServiceClient, QueueServiceClientOptions,
    models::{
        QueueClientGetPropertiesResultHeaders, QueueClientReceiveMessagesOptions, QueueClientSendMessageOptions, QueueMessage, ReceivedMessage,
    },
};

use super::services::{Failed, NotConfigured, Services, address, call};
use crate::{
    adapters::limits,
    ports::{Fault, Lease, Queues},
};

const SERVICE: &str = "Queue Storage";
/// A message that never expires.
const NO_EXPIRY: i32 = -1;
/// Messages that the service gives at once.
const LEASES_MAX: usize = 32;
/// Tries of a send: the second when its queue had to be made.
const SEND_TRIES_MAX: usize = 2;

/// The queues of one storage account.
pub struct AzureQueues {
    service: QueueServiceClient,
}

impl AzureQueues {
    /// `endpoint` is the account's, `https://ACCOUNT.queue.core.windows.net/`. Connects to nothing yet.
    pub fn new(endpoint: &str, services: &Services) -> Result<AzureQueues, NotConfigured> {
        let options = QueueServiceClientOptions { client_options: services.options(), ..QueueServiceClientOptions::default() };
        let service = QueueServiceClient::new(address(SERVICE, endpoint)?, Some(services.credential.clone()), Some(options))
            .map_err(|_| NotConfigured::Client(SERVICE))?;
        Ok(AzureQueues { service })
    }

    fn queue(&self, name: &str) -> Result<QueueClient, Fault> {
        limits::check_container(name)?;
        self.service.queue_client(name).map_err(|_| Fault::Corrupt("a queue's name does not fit into its address".to_owned()))
    }
}

#[async_trait]
impl Queues for AzureQueues {
    async fn send(&self, queue: &str, text: &str, delay: Duration) -> Result<(), Fault> {
        limits::check_message(text)?;
        let queue = self.queue(queue)?;
        for _ in 0..SEND_TRIES_MAX {
            let message = QueueMessage { message_text: Some(text.to_owned()) };
            let options = QueueClientSendMessageOptions {
                message_time_to_live: Some(NO_EXPIRY),
                visibility_timeout: Some(seconds(delay)),
                ..QueueClientSendMessageOptions::default()
            };
            match call(SERVICE, async { queue.send_message(message.try_into()?, Some(options)).await }).await {
                Ok(_) => return Ok(()),
                Err(failed) if is_queue_missing(&failed) => make(&queue).await?,
                Err(failed) => return Err(failed.fault),
            }
        }
        Err(Fault::Unavailable(format!("{SERVICE} does not keep a queue that it made")))
    }

    async fn lease(&self, queue: &str, max: usize, visibility: Duration) -> Result<Vec<Lease>, Fault> {
        let queue = self.queue(queue)?;
        if max == 0 {
            return Ok(Vec::new());
        }
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: i32::try_from(max.min(LEASES_MAX)).ok(),
            visibility_timeout: Some(seconds(visibility).max(1)),
            ..QueueClientReceiveMessagesOptions::default()
        };
        match call(SERVICE, async { queue.receive_messages(Some(options)).await?.into_model() }).await {
            Ok(received) => received.items.unwrap_or_default().into_iter().map(lease).collect(),
            Err(failed) if is_queue_missing(&failed) => make(&queue).await.map(|()| Vec::new()),
            Err(failed) => Err(failed.fault),
        }
    }

    async fn extend(&self, queue: &str, lease: &Lease, visibility: Duration) -> Result<Option<Lease>, Fault> {
        let queue = self.queue(queue)?;
        let extended = async {
            let answer = queue.update_message(&lease.id, &lease.pop_receipt, seconds(visibility), None).await?;
            let header = |name: &'static str| answer.headers().get_optional_string(&name.into());
            Ok((header("x-ms-popreceipt"), header("x-ms-time-next-visible").and_then(|at| parse_rfc7231(&at).ok())))
        };
        match call(SERVICE, extended).await {
            Ok((Some(pop_receipt), Some(visible_at))) => Ok(Some(Lease { pop_receipt, visible_at, ..lease.clone() })),
            Ok(_) => Err(unreadable()),
            Err(failed) if is_lost(&failed) => Ok(None),
            Err(failed) => Err(failed.fault),
        }
    }

    async fn delete(&self, queue: &str, lease: &Lease) -> Result<bool, Fault> {
        let queue = self.queue(queue)?;
        match call(SERVICE, queue.delete_message(&lease.id, &lease.pop_receipt, None)).await {
            Ok(_) => Ok(true),
            Err(failed) if is_lost(&failed) => Ok(false),
            Err(failed) => Err(failed.fault),
        }
    }

    async fn depth(&self, queue: &str) -> Result<u64, Fault> {
        let queue = self.queue(queue)?;
        match call(SERVICE, async { queue.get_properties(None).await?.approximate_messages_count() }).await {
            Ok(count) => Ok(count.unwrap_or_default().unsigned_abs()),
            // The account may be another one than was meant.
            Err(failed) if is_queue_missing(&failed) => make(&queue).await.map(|()| 0),
            Err(failed) => Err(failed.fault),
        }
    }
}

async fn make(queue: &QueueClient) -> Result<(), Fault> {
    match call(SERVICE, queue.create(None)).await {
        Ok(_) => Ok(()),
        Err(failed) if failed.is(409, "QueueAlreadyExists") => Ok(()),
        Err(failed) => Err(failed.fault),
    }
}

fn lease(message: ReceivedMessage) -> Result<Lease, Fault> {
    Ok(Lease {
        id: message.message_id.ok_or_else(unreadable)?,
        pop_receipt: message.pop_receipt.ok_or_else(unreadable)?,
        text: message.message_text.unwrap_or_default(),
        dequeue_count: message.dequeue_count.and_then(|count| u32::try_from(count).ok()).ok_or_else(unreadable)?,
        inserted_at: message.insertion_time.ok_or_else(unreadable)?,
        visible_at: message.time_next_visible.ok_or_else(unreadable)?,
    })
}

fn unreadable() -> Fault {
    Fault::Unavailable(format!("{SERVICE} gave an answer that cannot be read"))
}

/// Whole seconds, up: the service knows no shorter ones.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).unwrap_or(i32::MAX)
}

fn is_queue_missing(failed: &Failed) -> bool {
    failed.is(404, "QueueNotFound")
}

/// Another reader has it, or it is gone.
fn is_lost(failed: &Failed) -> bool {
    failed.is(404, "MessageNotFound") || failed.is(400, "PopReceiptMismatch") || is_queue_missing(failed)
}
