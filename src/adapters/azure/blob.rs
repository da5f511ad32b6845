//! Blobs in Azure Blob Storage: one account, a container for each of the port's.
//!
//! A container that is missing is made: the infrastructure has made those of an account in Azure, and an emulator starts empty.
//! What is NOT promised: that the application may delete. On the account of the backups it has no right to.

use std::{future::Future, ops::Range};

use async_trait::async_trait;
use azure_core::{Uuid, http::Body};
use azure_storage_blob::{
    BlobClient, BlobServiceClient, BlobServiceClientOptions,
    models::{
        BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders, BlobClientUploadOptions, BlobContainerClientListBlobsOptions,
        BlockBlobClientCommitBlockListOptions, BlockLookupList,
    },
};
use bytes::Bytes;
use futures::TryStreamExt;

use super::services::{Failed, NotConfigured, Services, address, call, transfer};
use crate::{
    adapters::{blocks::Blocks, limits},
    ports::{BLOB_BYTES_MAX, Blobs, Fault, Pieces, Put},
};

const SERVICE: &str = "Blob Storage";
/// Names in one answer of the service.
const PAGE_NAMES_MAX: i32 = 5000;
/// Bytes that go to the service in one request.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// The blobs of one storage account.
pub struct AzureBlobs {
    service: BlobServiceClient,
}

impl AzureBlobs {
    /// `endpoint` is the account's, `https://ACCOUNT.blob.core.windows.net/`. Connects to nothing yet.
    pub fn new(endpoint: &str, services: &Services) -> Result<AzureBlobs, NotConfigured> {
        let options = BlobServiceClientOptions { client_options: services.options(), ..BlobServiceClientOptions::default() };
        let service = BlobServiceClient::new(address(SERVICE, endpoint)?, Some(services.credential.clone()), Some(options))
            .map_err(|_| NotConfigured::Client(SERVICE))?;
        Ok(AzureBlobs { service })
    }

    fn blob(&self, container: &str, name: &str) -> Result<BlobClient, Fault> {
        limits::check_blob_name(container, name)?;
        Ok(self.service.blob_client(container, name))
    }

    async fn make(&self, container: &str) -> Result<(), Fault> {
        match call(SERVICE, self.service.blob_container_client(container).create(None)).await {
            Ok(_) => Ok(()),
            Err(failed) if failed.is(409, "ContainerAlreadyExists") => Ok(()),
            Err(failed) => Err(failed.fault),
        }
    }

    /// Asks, and once more if the container had to be made for it.
    async fn in_container<T, F: Future<Output = Result<T, Failed>>>(&self, container: &str, ask: impl Fn() -> F) -> Result<T, Failed> {
        match ask().await {
            Err(failed) if is_container_missing(&failed) => match self.make(container).await {
                Ok(()) => ask().await,
                Err(fault) => Err(Failed { fault, ..failed }),
            },
            answered => answered,
        }
    }

    /// What a write that must not replace came to.
    async fn created(&self, container: &str, name: &str, written: Result<(), Failed>) -> Result<Put, Fault> {
        match written {
            Ok(()) => Ok(Put::Created),
            Err(failed) if failed.is(409, "BlobAlreadyExists") || failed.is(412, "ConditionNotMet") => Ok(Put::Existed),
            Err(failed) if is_perhaps_there(&failed) && self.size(container, name).await?.is_some() => Ok(Put::Existed),
            Err(failed) => Err(again(failed.fault)),
        }
    }

    /// Whether the answer was that there is no such blob. That there is no such container is none, unless one can be made: the account may be another
    /// one than was meant, and what is in ours must not count as lost.
    async fn absent(&self, container: &str, failed: Failed) -> Result<(), Fault> {
        match failed.fault {
            _ if failed.is(404, "BlobNotFound") => Ok(()),
            _ if is_container_missing(&failed) => self.make(container).await,
            fault => Err(again(fault)),
        }
    }
}

#[async_trait]
impl Blobs for AzureBlobs {
    async fn put(&self, container: &str, name: &str, bytes: Bytes) -> Result<Put, Fault> {
        let blob = self.blob(container, name)?;
        // In one request up to a block's size; beyond, in blocks that are none of the blob's until their list is committed.
        let upload = || transfer(SERVICE, blob.upload(Body::from(bytes.clone()).into(), Some(BlobClientUploadOptions::default().if_not_exists())));
        let uploaded = self.in_container(container, upload).await;
        self.created(container, name, uploaded.map(drop)).await
    }

    async fn put_pieces(&self, container: &str, name: &str, pieces: Pieces<'_>) -> Result<Put, Fault> {
        let blob = self.blob(container, name)?.block_blob_client();
        let mut blocks = Blocks::new(pieces, BLOCK_BYTES);
        let first = blocks.next().await?.unwrap_or_default();
        if first.len() < BLOCK_BYTES {
            return self.put(container, name, first).await;
        }
        if self.size(container, name).await?.is_some() {
            return Ok(Put::Existed);
        }
        let (mut block, mut staged) = (Some(first), Vec::new());
        while let Some(bytes) = block {
            // A name of its own: who writes the same blob at this moment must not have his blocks taken for ours.
            let id = Uuid::new_v4();
            let stage = || transfer(SERVICE, blob.stage_block(id.as_bytes(), bytes.len() as u64, Body::from(bytes.clone()).into(), None));
            if let Err(failed) = self.in_container(container, stage).await {
                return self.created(container, name, Err(failed)).await;
            }
            staged.push(id.as_bytes().to_vec());
            block = blocks.next().await?;
        }
        // Blocks that nobody commits go away after a week, with nothing seen of them.
        let list = BlockLookupList { latest: Some(staged), ..BlockLookupList::default() };
        let options = BlockBlobClientCommitBlockListOptions { if_none_match: Some("*".into()), ..BlockBlobClientCommitBlockListOptions::default() };
        let committed = transfer(SERVICE, async { blob.commit_block_list(list.try_into()?, Some(options)).await }).await;
        self.created(container, name, committed.map(drop)).await
    }

    async fn get(&self, container: &str, name: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, Fault> {
        let blob = self.blob(container, name)?;
        let range = range.map(|range| range.start..range.end.min(BLOB_BYTES_MAX));
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(self.size(container, name).await?.map(|_| Bytes::new()));
        }
        let options = BlobClientDownloadOptions { range: range.map(Into::into), ..BlobClientDownloadOptions::default() };
        match transfer(SERVICE, async { blob.download(Some(options)).await?.body.collect().await }).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(failed) if failed.is(416, "InvalidRange") => Ok(Some(Bytes::new())),
            Err(failed) => self.absent(container, failed).await.map(|()| None),
        }
    }

    async fn size(&self, container: &str, name: &str) -> Result<Option<u64>, Fault> {
        let blob = self.blob(container, name)?;
        match call(SERVICE, async { blob.get_properties(None).await?.content_length() }).await {
            Ok(size) => size.map(Some).ok_or_else(|| Fault::Unavailable(format!("{SERVICE} does not tell the size of a blob"))),
            Err(failed) => self.absent(container, failed).await.map(|()| None),
        }
    }

    async fn list(&self, container: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        limits::check_container(container)?;
        let after = after.filter(|after| *after >= prefix);
        if limit == 0 {
            return Ok(Vec::new());
        }
        // The service begins at the name itself; one that does not know how to begins at the first. Neither is taken for more than it is.
        let wanted = limit.saturating_add(usize::from(after.is_some()));
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            maxresults: Some(i32::try_from(wanted).unwrap_or(PAGE_NAMES_MAX).min(PAGE_NAMES_MAX)),
            start_from: after.map(str::to_owned),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let listed = async {
            let mut blobs = self.service.blob_container_client(container).list_blobs(Some(options))?;
            let mut names = Vec::new();
            while names.len() < limit {
                let Some(blob) = blobs.try_next().await? else { break };
                let name = blob.name.unwrap_or_default();
                if name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after) {
                    names.push(name);
                }
            }
            Ok(names)
        };
        match transfer(SERVICE, listed).await {
            Ok(names) => Ok(names),
            Err(failed) => self.absent(container, failed).await.map(|()| Vec::new()),
        }
    }

    async fn delete(&self, container: &str, name: &str) -> Result<(), Fault> {
        match call(SERVICE, self.blob(container, name)?.delete(None)).await {
            Ok(_) => Ok(()),
            Err(failed) => self.absent(container, failed).await,
        }
    }
}

/// A refusal is no fault of what was sent: names were looked at before, and bytes are bytes.
fn again(fault: Fault) -> Fault {
    match fault {
        Fault::Corrupt(words) => Fault::Unavailable(words),
        fault => fault,
    }
}

/// Somebody else's commit has swept our blocks away; or who may only add is refused what is there, as may be what he added himself when the answer was
/// lost; or it is immutable by now.
fn is_perhaps_there(failed: &Failed) -> bool {
    failed.is(400, "InvalidBlockList") || failed.is(403, "UnauthorizedBlobOverwrite") || failed.is(409, "BlobImmutableDueToPolicy")
}

fn is_container_missing(failed: &Failed) -> bool {
    failed.is(404, "ContainerNotFound")
}
