//! Blobs of an account in which we may add and not replace, as its refusals tell of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use azure_core::{
    Bytes,
    http::{AsyncRawResponse, HttpClient, Method, Request, StatusCode, headers::Headers},
};
use futures::{StreamExt, stream};
use helpdesk::{
    adapters::azure::{blob::AzureBlobs, services::Services},
    ports::{Blobs, Fault, Put},
};

use crate::support::azure::Anyone;

/// Refuses every blob with this status and code, and has it already or not.
#[derive(Debug)]
struct Refuses {
    status: StatusCode,
    code: &'static str,
    has_it: bool,
    /// Looks after which it has it.
    from_look: usize,
    looks: Arc<AtomicUsize>,
}

#[async_trait]
impl HttpClient for Refuses {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let is_look = request.method() == Method::Head;
        let has_it = self.has_it && is_look && self.looks.fetch_add(1, Ordering::SeqCst) >= self.from_look;
        let (status, header) = match (request.method(), has_it) {
            (Method::Head, true) => (StatusCode::Ok, ("content-length", "5")),
            (Method::Head, false) => (StatusCode::NotFound, ("x-ms-error-code", "BlobNotFound")),
            _ => (self.status, ("x-ms-error-code", self.code)),
        };
        let headers = Headers::from(std::collections::HashMap::from([(header.0.into(), header.1.into())]));
        Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::new()))
    }
}

async fn put(status: StatusCode, code: &'static str, has_it: bool) -> Result<Put, Fault> {
    let services = Services::with(Arc::new(Anyone), Arc::new(Refuses { status, code, has_it, from_look: 0, looks: Arc::default() }));
    let blobs = AzureBlobs::new("https://backups.blob.core.windows.net/", &services).unwrap();
    blobs.put("daily", "2026/manifest", Bytes::from_static(b"words")).await
}

/// The same in pieces: the blob comes to be there after they were begun, if at all.
async fn put_pieces(status: StatusCode, code: &'static str, comes: bool) -> Result<Put, Fault> {
    let looks = Arc::new(AtomicUsize::new(0));
    let refuses = Refuses { status, code, has_it: comes, from_look: 1, looks };
    let blobs = AzureBlobs::new("https://backups.blob.core.windows.net/", &Services::with(Arc::new(Anyone), Arc::new(refuses))).unwrap();
    let pieces = stream::iter([Ok(Bytes::from(vec![1; 5 * 1024 * 1024]))]);
    blobs.put_pieces("daily", "2026/manifest", pieces.boxed()).await
}

#[tokio::test]
async fn what_is_there_and_may_not_be_replaced_is_there() {
    for (status, code) in [(StatusCode::Forbidden, "UnauthorizedBlobOverwrite"), (StatusCode::Conflict, "BlobImmutableDueToPolicy")] {
        assert_eq!(put(status, code, true).await, Ok(Put::Existed), "{code}");
        assert!(put(status, code, false).await.is_err(), "{code}");
        assert_eq!(put_pieces(status, code, true).await, Ok(Put::Existed), "{code}");
        assert!(put_pieces(status, code, false).await.is_err(), "{code}");
    }
}

#[tokio::test]
async fn who_may_not_add_hears_that_whatever_is_there() {
    let refused = put(StatusCode::Forbidden, "AuthorizationPermissionMismatch", true).await;
    assert!(matches!(&refused, Err(Fault::Unavailable(words)) if words.contains("denied access")), "{refused:?}");
}
