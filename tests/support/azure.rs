//! What stands for Azure in tests: a token that nobody checks, a way to servers on this machine, and a Key Vault that speaks the real one's protocol.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey};
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, StatusCode, Url, headers::Headers, new_http_client},
    time::{Duration, OffsetDateTime},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use helpdesk::{
    adapters::azure::{blob::AzureBlobs, key_vault::KeyVault, queue::AzureQueues, services::Services},
    keys::WRAPPING_KEY,
    ports::{Documents, Ports, Vault},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};
use warp::{
    Filter,
    http::{HeaderMap, Method, Response},
    hyper::body::Bytes,
    path::FullPath,
};

use crate::ports_contract::azurite::Azurite;

/// A vault of Azure's by its name; [`Loopback`] knows the way.
pub const VAULT: &str = "https://helpdesk.vault.azure.net/";
/// What Key Vault's clients must hear before they show a token.
const CHALLENGE: &str = r#"Bearer authorization="https://login.microsoftonline.com/directory", resource="https://vault.azure.net""#;

/// Anybody, with a token of the right shape.
#[derive(Debug)]
pub struct Anyone;

#[async_trait]
impl TokenCredential for Anyone {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(token("https://storage.azure.com"), OffsetDateTime::now_utc() + Duration::hours(1)))
    }
}

/// An unsigned token for a service, as Azurite reads it.
pub fn token(audience: &str) -> String {
    let claims = json!({
        "aud": audience, "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 4_000_000_000_u64,
        "oid": "11111111-1111-1111-1111-111111111111", "tid": "22222222-2222-2222-2222-222222222222",
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(json!({ "alg": "none", "typ": "JWT" })), part(claims))
}

/// What Azure gives a Function App that has a managed identity: tokens for the asking. Answers its address.
pub async fn identity_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = warp::path!("token").and(warp::header::<String>("x-identity-header")).and(warp::query::<BTreeMap<String, String>>());
    let routes = asked.map(|_, query: BTreeMap<String, String>| {
        let resource = &query["resource"];
        said(200, &json!({ "access_token": token(resource), "expires_on": "4000000000", "resource": resource, "token_type": "Bearer" }))
    });
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    address
}

/// These ports, but blobs, queues and vault on the adapters of Azure; the wrapping key is made.
pub async fn on_azure(ports: Ports, documents: Arc<dyn Documents>, server: &Azurite, vault: &str, services: &Services) -> Ports {
    let vault = KeyVault::new(vault, services).unwrap();
    assert_eq!(vault.make_key(WRAPPING_KEY).await, Ok(true));
    Ports {
        documents,
        blobs: Arc::new(AzureBlobs::new(&server.blobs, services).unwrap()),
        queues: Arc::new(AzureQueues::new(&server.queues, services).unwrap()),
        vault: Arc::new(vault),
        ..ports
    }
}

/// Sends what is meant for Key Vault and for Log Analytics to a plain server on this machine: the client sees the real name, and checks it.
#[derive(Debug)]
pub struct Loopback {
    server: SocketAddr,
    inner: Arc<dyn HttpClient>,
}

impl Loopback {
    pub fn to(server: SocketAddr) -> Arc<dyn HttpClient> {
        Loopback::over(server, new_http_client(None))
    }

    pub fn over(server: SocketAddr, inner: Arc<dyn HttpClient>) -> Arc<dyn HttpClient> {
        Arc::new(Loopback { server, inner })
    }
}

#[async_trait]
impl HttpClient for Loopback {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        if request.url().host_str().is_some_and(|host| host.ends_with(".vault.azure.net") || host == "api.loganalytics.azure.com") {
            let path_and_query = request.url()[url::Position::BeforePath..].to_owned();
            *request.url_mut() = Url::parse(&format!("http://{}{path_and_query}", self.server)).unwrap();
        }
        self.inner.execute_request(&request).await
    }
}

/// A network on a bad day, by count: some requests are refused, of some the answer is lost, and the vault can be away.
#[derive(Debug)]
pub struct Storm {
    inner: Arc<dyn HttpClient>,
    requests: AtomicUsize,
    pub blows: AtomicBool,
    pub vault_away: AtomicBool,
}

impl Storm {
    pub fn over(inner: Arc<dyn HttpClient>) -> Arc<Storm> {
        Arc::new(Storm { inner, requests: AtomicUsize::new(0), blows: AtomicBool::new(false), vault_away: AtomicBool::new(false) })
    }
}

#[async_trait]
impl HttpClient for Storm {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let lost = || Err(azure_core::Error::with_message(ErrorKind::Io, "the connection timed out"));
        let is_for_the_vault = request.url().host_str().is_some_and(|host| host.ends_with(".vault.azure.net"));
        if is_for_the_vault && self.vault_away.load(Ordering::SeqCst) {
            return lost();
        }
        if !self.blows.load(Ordering::SeqCst) {
            return self.inner.execute_request(request).await;
        }
        let count = self.requests.fetch_add(1, Ordering::SeqCst);
        if count % 11 == 3 {
            let headers = Headers::from(std::collections::HashMap::from([("x-ms-error-code".into(), "ServerBusy".into())]));
            let status = if count.is_multiple_of(2) { StatusCode::ServiceUnavailable } else { StatusCode::TooManyRequests };
            return Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::new()));
        }
        if count % 13 == 5 {
            return lost();
        }
        let answer = self.inner.execute_request(request).await;
        // It has taken effect, and nobody knows.
        if count % 17 == 7 { lost() } else { answer }
    }
}

struct KeptSecret {
    version: String,
    value: String,
    content_type: Option<&'static str>,
}

/// Keys and secrets by name, the newest version last.
#[derive(Default)]
pub struct KeyVaultServer {
    keys: Mutex<BTreeMap<String, Vec<(String, PrivateDecryptingKey)>>>,
    secrets: Mutex<BTreeMap<String, Vec<KeptSecret>>>,
    versions: AtomicUsize,
}

impl KeyVaultServer {
    /// Listens on this machine for as long as the runtime lives.
    pub async fn start(self: &Arc<KeyVaultServer>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(warp::serve(self.routes()).incoming(listener).run());
        address
    }

    /// The same over TLS, for a program that cannot be told another way.
    pub async fn start_with_tls(self: &Arc<KeyVaultServer>, certificate: &Path, key: &Path) -> SocketAddr {
        let certificates = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, PrivateKeyDer::from_pem_file(key).unwrap());
        let (acceptor, service) = (TlsAcceptor::from(Arc::new(config.unwrap())), warp::service(self.routes()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(service.clone()));
                tokio::spawn(async move {
                    let Ok(connection) = acceptor.accept(connection).await else { return };
                    // That the other side went away is no matter here.
                    let _ = warp::hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        address
    }

    fn routes(self: &Arc<KeyVaultServer>) -> impl Filter<Extract = (Response<Vec<u8>>,), Error = Infallible> + Clone + use<> {
        let vault = self.clone();
        let request = warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).and(warp::body::bytes());
        let answer = move |method: Method, path: FullPath, headers: HeaderMap, body: Bytes| vault.answer(&method, path.as_str(), &headers, &body);
        request.map(answer).or_else(|_| async { Ok((refusal(400, "BadParameter"),)) })
    }

    pub fn keep(&self, name: &str, value: &[u8]) {
        self.keep_as(name, STANDARD.encode(value), Some("base64"));
    }

    pub fn keep_text(&self, name: &str, value: &str) {
        self.keep_as(name, value.to_owned(), None);
    }

    fn keep_as(&self, name: &str, value: String, content_type: Option<&'static str>) {
        let secret = KeptSecret { version: self.version(), value, content_type };
        self.secrets.lock().unwrap().entry(name.to_owned()).or_default().push(secret);
    }

    /// No version is like another, of whatever name.
    fn version(&self) -> String {
        format!("{:032x}", self.versions.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Response<Vec<u8>> {
        if !headers.get("authorization").is_some_and(|value| value.to_str().unwrap().starts_with("Bearer ")) {
            let mut answer = refusal(401, "Unauthorized");
            answer.headers_mut().insert("www-authenticate", CHALLENGE.parse().unwrap());
            return answer;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), path.as_slice()) {
            ("GET", ["keys", name, wanted]) => self.with_key(name, wanted, |version, _| shown(name, version)),
            ("POST", ["keys", name, "create" | "rotate"]) => self.make(name),
            ("POST", ["keys", name, wanted, "wrapkey"]) => self.with_key(name, wanted, |version, key| operated(name, version, wrap(key, &body))),
            ("POST", ["keys", name, wanted, "unwrapkey"]) => self.with_key(name, wanted, |version, key| operated(name, version, unwrap(key, &body))),
            ("GET", ["secrets", name, wanted]) => self.secret(name, wanted),
            _ => refusal(400, "BadParameter"),
        }
    }

    fn make(&self, name: &str) -> Response<Vec<u8>> {
        let mut keys = self.keys.lock().unwrap();
        let versions = keys.entry(name.to_owned()).or_default();
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let version = self.version();
        versions.push((version.clone(), key));
        shown(name, &version)
    }

    /// An empty version is the newest.
    fn with_key(&self, name: &str, wanted: &str, run: impl FnOnce(&str, &PrivateDecryptingKey) -> Response<Vec<u8>>) -> Response<Vec<u8>> {
        let keys = self.keys.lock().unwrap();
        let found = keys.get(name).and_then(|versions| versions.iter().rfind(|(version, _)| wanted.is_empty() || wanted == version));
        found.map_or_else(|| refusal(404, "KeyNotFound"), |(version, key)| run(version, key))
    }

    fn secret(&self, name: &str, wanted: &str) -> Response<Vec<u8>> {
        let secrets = self.secrets.lock().unwrap();
        let found = secrets.get(name).and_then(|versions| versions.iter().rfind(|secret| wanted.is_empty() || wanted == secret.version));
        let Some(KeptSecret { version, value, content_type }) = found else { return refusal(404, "SecretNotFound") };
        let id = format!("{VAULT}secrets/{name}/{version}");
        said(200, &json!({ "id": id, "value": value, "contentType": content_type, "attributes": { "enabled": true } }))
    }
}

fn shown(name: &str, version: &str) -> Response<Vec<u8>> {
    let key = json!({ "kid": format!("{VAULT}keys/{name}/{version}"), "kty": "RSA", "key_ops": ["wrapKey", "unwrapKey"], "n": "AQAB", "e": "AQAB" });
    said(200, &json!({ "key": key, "attributes": { "enabled": true } }))
}

fn operated(name: &str, version: &str, result: Option<Vec<u8>>) -> Response<Vec<u8>> {
    let Some(result) = result else { return refusal(400, "BadParameter") };
    said(200, &json!({ "kid": format!("{VAULT}keys/{name}/{version}"), "value": URL_SAFE_NO_PAD.encode(result) }))
}

fn value(body: &Value) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(body["value"].as_str()?).ok().filter(|_| body["alg"] == "RSA-OAEP-256")
}

fn wrap(key: &PrivateDecryptingKey, body: &Value) -> Option<Vec<u8>> {
    let plaintext = value(body)?;
    let public = OaepPublicEncryptingKey::new(key.public_key()).ok()?;
    let mut wrapped = vec![0; public.ciphertext_size()];
    Some(public.encrypt(&OAEP_SHA256_MGF1SHA256, &plaintext, &mut wrapped, None).ok()?.to_vec())
}

fn unwrap(key: &PrivateDecryptingKey, body: &Value) -> Option<Vec<u8>> {
    let (wrapped, key) = (value(body)?, OaepPrivateDecryptingKey::new(key.clone()).ok()?);
    let mut opened = vec![0; key.min_output_size()];
    Some(key.decrypt(&OAEP_SHA256_MGF1SHA256, &wrapped, &mut opened, None).ok()?.to_vec())
}

fn refusal(status: u16, code: &str) -> Response<Vec<u8>> {
    said(status, &json!({ "error": { "code": code, "message": code } }))
}

fn said(status: u16, body: &Value) -> Response<Vec<u8>> {
    let answer = Response::builder().status(status).header("content-type", "application/json").header("x-ms-request-id", "a-request");
    answer.body(body.to_string().into_bytes()).unwrap()
}
