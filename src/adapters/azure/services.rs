//! What all clients of Azure's services share: who we are, one transport, and how long a call may take.

use std::{future::Future, sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, StatusCode, Transport, Url, new_http_client},
};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use tokio::time::timeout;

use crate::ports::Fault;

/// Tries of one call after the first, and how long all of them may take: the Functions host tries again itself.
const RETRIES_MAX: u32 = 3;
const RETRY_MAX: time::Duration = time::Duration::seconds(10);
/// How long one call may take with all its tries, whatever hangs.
const CALL_MAX: Duration = Duration::from_secs(12);
/// The same for one that carries much: a blob of 35 MiB at a megabyte and a half a second.
const TRANSFER_MAX: Duration = Duration::from_secs(30);
/// What to wait when a service is busy and does not say how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// Letters of a service's error code and of its request id that are told.
const TOLD_BYTES_MAX: usize = 64;

/// The address of a service is not one, or the identity cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NotConfigured {
    #[error("{0} is not the address of a service, https://...")]
    Address(&'static str),
    #[error("there is no identity to call Azure with: {0}")]
    Identity(String),
    #[error("a client of {0} cannot be made")]
    Client(&'static str),
}

/// What a client is made with.
#[derive(Clone)]
pub struct Services {
    pub(super) credential: Arc<dyn TokenCredential>,
    transport: Arc<dyn HttpClient>,
}

impl Services {
    /// As the Function App's own identity; the one with this client id, if it has several. Calls nobody yet: the first token is asked for with the
    /// first call.
    pub fn of_managed_identity(client_id: Option<String>) -> Result<Services, NotConfigured> {
        let (transport, user_assigned_id) = (new_http_client(None), client_id.map(UserAssignedId::ClientId));
        let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options: options(&transport) };
        Ok(Services::with(ManagedIdentityCredential::new(Some(options)).map_err(no_identity)?, transport))
    }

    /// As a Kubernetes workload, as its environment says.
    pub fn of_workload() -> Result<Services, NotConfigured> {
        let transport = new_http_client(None);
        let credential_options = ClientAssertionCredentialOptions { client_options: options(&transport) };
        let options = WorkloadIdentityCredentialOptions { credential_options, ..WorkloadIdentityCredentialOptions::default() };
        Ok(Services::with(WorkloadIdentityCredential::new(Some(options)).map_err(no_identity)?, transport))
    }

    /// As whoever is logged in with `az` or `azd`.
    pub fn of_developer() -> Result<Services, NotConfigured> {
        Ok(Services::with(DeveloperToolsCredential::new(None).map_err(no_identity)?, new_http_client(None)))
    }

    /// With another credential and another way to the services.
    pub fn with(credential: Arc<dyn TokenCredential>, transport: Arc<dyn HttpClient>) -> Services {
        Services { credential, transport }
    }

    /// The way to the services, for who asks without a credential.
    pub fn transport(&self) -> Arc<dyn HttpClient> {
        self.transport.clone()
    }

    pub(super) fn options(&self) -> ClientOptions {
        options(&self.transport)
    }
}

fn options(transport: &Arc<dyn HttpClient>) -> ClientOptions {
    let retry = ExponentialRetryOptions { max_retries: RETRIES_MAX, max_total_elapsed: RETRY_MAX, ..ExponentialRetryOptions::default() };
    let transport = Some(Transport::new(transport.clone()));
    ClientOptions { retry: RetryOptions::exponential(retry), transport, ..ClientOptions::default() }
}

/// The address that a setting gives.
pub(super) fn address(what: &'static str, text: &str) -> Result<Url, NotConfigured> {
    // The clients put names behind it with a slash of their own.
    Url::parse(text.trim_end_matches('/')).ok().filter(Url::has_host).ok_or(NotConfigured::Address(what))
}

/// The machine itself, where only a test's stand-in listens.
pub(super) fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

fn no_identity(error: azure_core::Error) -> NotConfigured {
    NotConfigured::Identity(error.kind().to_string())
}

/// A call that failed: what the service said, as far as a story can use it.
pub(super) struct Failed {
    pub status: Option<StatusCode>,
    /// The service's own word for it, `BlobAlreadyExists`.
    pub code: String,
    pub fault: Fault,
}

impl Failed {
    pub fn is(&self, status: u16, code: &str) -> bool {
        self.status.is_some_and(|known| u16::from(known) == status) && self.code == code
    }
}

/// Makes a call of a service, within the time that it may take.
pub(super) async fn call<T>(service: &'static str, asked: impl Future<Output = azure_core::Result<T>>) -> Result<T, Failed> {
    within(CALL_MAX, service, asked).await
}

/// Makes a call that carries much.
pub(super) async fn transfer<T>(service: &'static str, asked: impl Future<Output = azure_core::Result<T>>) -> Result<T, Failed> {
    within(TRANSFER_MAX, service, asked).await
}

async fn within<T>(limit: Duration, service: &'static str, asked: impl Future<Output = azure_core::Result<T>>) -> Result<T, Failed> {
    match timeout(limit, asked).await {
        Ok(answered) => answered.map_err(|error| failed(service, &error)),
        Err(_) => {
            let fault = Fault::Unavailable(format!("{service} did not answer within {} s", limit.as_secs()));
            Err(Failed { status: None, code: String::new(), fault })
        }
    }
}

/// The error's own text may quote the request and its address, so only codes and the service's request id are told.
fn failed(service: &'static str, error: &azure_core::Error) -> Failed {
    let ErrorKind::HttpResponse { status, error_code, raw_response } = error.kind() else {
        let fault = match error.kind() {
            ErrorKind::Credential => Fault::Unavailable(format!("{service}: no token could be had for it: check the identity")),
            ErrorKind::DataConversion => Fault::Unavailable(format!("{service} gave an answer that cannot be read")),
            _ => Fault::Unavailable(format!("{service} could not be reached")),
        };
        return Failed { status: None, code: String::new(), fault };
    };
    let header = |name: &'static str| raw_response.as_ref().and_then(|response| response.headers().get_optional_string(&name.into()));
    let code = told(&error_code.clone().or_else(|| header("x-ms-error-code")).unwrap_or_default());
    let number = u16::from(*status);
    let named = if code.is_empty() { number.to_string() } else { format!("{number} {code}") };
    let request = header("x-ms-request-id").map(|id| format!(", request {}", told(&id))).unwrap_or_default();
    let fault = match number {
        409 | 412 => Fault::Conflict,
        429 | 503 => Fault::Throttled { after: retry_after(header("x-ms-retry-after-ms"), header("retry-after")) },
        400 | 411 | 413 | 416 => Fault::Corrupt(format!("{service} refused a request with {named}{request}")),
        401 | 403 => Fault::Unavailable(format!("{service} denied access with {named}{request}: check the role assignment and the firewall")),
        404 => Fault::Unavailable(format!("{service} does not have it, {named}{request}: check the name")),
        _ => Fault::Unavailable(format!("{service} failed with {named}{request}")),
    };
    Failed { status: Some(*status), code, fault }
}

fn retry_after(milliseconds: Option<String>, seconds: Option<String>) -> Duration {
    let number = |text: Option<String>| text.and_then(|text| text.trim().parse::<u32>().ok()).map(u64::from);
    number(milliseconds).map(Duration::from_millis).or_else(|| number(seconds).map(Duration::from_secs)).unwrap_or(RETRY_AFTER_DEFAULT)
}

/// Letters, digits and dashes of what a service said: it goes into logs.
fn told(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(TOLD_BYTES_MAX).collect()
}
