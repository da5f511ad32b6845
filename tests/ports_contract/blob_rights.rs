//! Blobs of an account in which we may add and not replace, as its refusals tell of it.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    Bytes,
    http::{AsyncRawResponse, HttpClient, Method, Request, StatusCode, headers::Headers},
};
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
}

#[async_trait]
impl HttpClient for Refuses {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, header) = match (request.method(), self.has_it) {
            (Method::Head, true) => (StatusCode::Ok, ("content-length", "5")),
            (Method::Head, false) => (StatusCode::NotFound, ("x-ms-error-code", "BlobNotFound")),
            _ => (self.status, ("x-ms-error-code", self.code)),
        };
        let headers = Headers::from(std::collections::HashMap::from([(header.0.into(), header.1.into())]));
        Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::new()))
    }
}

async fn put(status: StatusCode, code: &'static str, has_it: bool) -> Result<Put, Fault> {
    let services = Services::with(Arc::new(Anyone), Arc::new(Refuses { status, code, has_it }));
    let blobs = AzureBlobs::new("https://backups.blob.core.windows.net/", &services).unwrap();
    blobs.put("daily", "2026/manifest", Bytes::from_static(b"words")).await
}

#[tokio::test]
async fn what_is_there_and_may_not_be_replaced_is_there() {
    for (status, code) in [(StatusCode::Forbidden, "UnauthorizedBlobOverwrite"), (StatusCode::Conflict, "BlobImmutableDueToPolicy")] {
        assert_eq!(put(status, code, true).await, Ok(Put::Existed), "{code}");
        assert!(put(status, code, false).await.is_err(), "{code}");
    }
}

#[tokio::test]
async fn who_may_not_add_hears_that_whatever_is_there() {
    let refused = put(StatusCode::Forbidden, "AuthorizationPermissionMismatch", true).await;
    assert!(matches!(&refused, Err(Fault::Unavailable(words)) if words.contains("denied access")), "{refused:?}");
}
