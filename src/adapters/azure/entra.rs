//! Entra ID as the issuer of access tokens: its v2.0 endpoint for all directories, and the keys that it publishes.
//!
//! The keys are fetched when they are first needed and kept in memory. A key that is not among them is looked for again, but not more often than every
//! [`ASKED_AGAIN`]: whoever sends tokens with invented names of keys makes nobody ask Entra. While Entra cannot be reached, the keys that are known go on.
//! What is NOT promised: that a key which Entra withdraws is refused at once. It is accepted for at most [`KEPT`], and as long as Entra cannot be reached.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use azure_core::http::{HttpClient, Method, Request, Url, new_http_client};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use crate::ports::{Clock, Fault, Identity, IssuerKey, KeyAlgorithm};

/// As `iss` stands in tokens of the v2.0 endpoint in Azure's public cloud.
const ISSUER: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
/// Where the keys for all directories are.
const KEYS_URL: &str = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
/// How long keys are used before they are fetched again.
pub const KEPT: Duration = Duration::hours(24);
/// How long a fetch, good or bad, stands before another is tried.
pub const ASKED_AGAIN: Duration = Duration::minutes(5);
/// The same after one that failed, for a key that is not known: whoever has it cannot be let in.
const ASKED_AGAIN_FOR_UNKNOWN: Duration = Duration::seconds(10);
/// How long Entra may take.
const WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(10);
/// Bytes and keys of an answer. Entra's has about ten keys in 15 KB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
const KEYS_MAX: usize = 100;

/// Entra ID, for tokens of one application.
pub struct Entra {
    client: Arc<dyn HttpClient>,
    /// The application's id: what its tokens name as `aud`.
    audience: String,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// Held by the one who asks.
    asking: Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Vec<IssuerKey>,
    /// When they came.
    fetched: Option<OffsetDateTime>,
    /// When they were last asked for, to the end.
    asked: Option<OffsetDateTime>,
    /// What went wrong then.
    failed: Option<Fault>,
}

impl Entra {
    pub fn new(audience: String, clock: Arc<dyn Clock>) -> Entra {
        Entra::with(new_http_client(None), audience, clock)
    }

    /// With another client.
    pub fn with(client: Arc<dyn HttpClient>, audience: String, clock: Arc<dyn Clock>) -> Entra {
        Entra { client, audience, clock, known: RwLock::default(), asking: Mutex::default() }
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    async fn fetch(&self) -> Result<Vec<IssuerKey>, Fault> {
        let url = Url::parse(KEYS_URL).map_err(|_| Fault::Corrupt("the address of Entra's keys is none".to_owned()))?;
        let request = Request::new(url, Method::Get);
        let asked = async { self.client.execute_request(&request).await?.try_into_raw_response().await };
        let answer = match tokio::time::timeout(WAIT_MAX, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Fault::Unavailable(format!("Entra's keys: {}", error.kind()))),
            Err(_) => return Err(Fault::Unavailable("Entra's keys: no answer in time".to_owned())),
        };
        if !answer.status().is_success() {
            return Err(Fault::Unavailable(format!("Entra's keys: status {}", u16::from(answer.status()))));
        }
        read(answer.body().as_ref())
    }
}

#[async_trait]
impl Identity for Entra {
    fn issuer(&self) -> &str {
        ISSUER
    }

    fn audience(&self) -> &str {
        &self.audience
    }

    async fn key(&self, kid: &str) -> Result<Option<IssuerKey>, Fault> {
        let known = self.known();
        if let Some(answer) = known.answer(kid, self.clock.now()) {
            return answer;
        }
        // Whoever comes while the keys are fetched and needs a new one waits for them, and does not fetch them too; whose key is known goes on with it.
        let _asking = match (self.asking.try_lock(), known.find(kid)) {
            (Ok(asking), _) => asking,
            (Err(_), Some(key)) => return Ok(Some(key)),
            (Err(_), None) => self.asking.lock().await,
        };
        let known = self.known();
        if let Some(answer) = known.answer(kid, self.clock.now()) {
            return answer;
        }
        let fetched = self.fetch().await;
        let asked = Some(self.clock.now());
        let known = match fetched {
            Ok(keys) => Known { keys, fetched: asked, asked, failed: None },
            Err(fault) => Known { asked, failed: Some(fault), ..known },
        };
        self.remember(known.clone());
        known.say(kid)
    }
}

impl Known {
    fn find(&self, kid: &str) -> Option<IssuerKey> {
        self.keys.iter().find(|key| key.kid == kid).cloned()
    }

    /// What can be said without asking Entra.
    fn answer(&self, kid: &str, now: OffsetDateTime) -> Option<Result<Option<IssuerKey>, Fault>> {
        let within = |since: Option<OffsetDateTime>, span: Duration| since.is_some_and(|since| now < since + span);
        let is_unknown = self.find(kid).is_none();
        let again = if is_unknown && self.failed.is_some() { ASKED_AGAIN_FOR_UNKNOWN } else { ASKED_AGAIN };
        let is_fresh = !is_unknown && within(self.fetched, KEPT);
        (is_fresh || within(self.asked, again)).then(|| self.say(kid))
    }

    /// What is known of a key. After a failed fetch nobody knows that there is none.
    fn say(&self, kid: &str) -> Result<Option<IssuerKey>, Fault> {
        match (self.find(kid), &self.failed) {
            (None, Some(fault)) => Err(fault.clone()),
            (found, _) => Ok(found),
        }
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// A JSON Web Key (RFC 7517), with the issuer that Entra adds.
#[derive(Deserialize)]
struct Key {
    kid: Option<String>,
    kty: String,
    r#use: Option<String>,
    n: Option<String>,
    e: Option<String>,
    issuer: Option<String>,
}

fn read(answer: &[u8]) -> Result<Vec<IssuerKey>, Fault> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(Fault::Corrupt(format!("Entra's keys have over {ANSWER_BYTES_MAX} bytes")));
    }
    let set: KeySet = serde_json::from_slice(answer).map_err(|_| Fault::Corrupt("Entra's keys are no JSON Web Key Set".to_owned()))?;
    let signs = |key: &Key| key.kty == "RSA" && key.r#use.as_deref().is_none_or(|purpose| purpose == "sig");
    let keys = set.keys.into_iter().filter(signs).filter_map(|key| {
        let public = format!("{}.{}", key.n?, key.e?);
        Some(IssuerKey { kid: key.kid?, algorithm: KeyAlgorithm::Rs256, public, issuer: key.issuer })
    });
    let keys: Vec<IssuerKey> = keys.take(KEYS_MAX).collect();
    // An answer without a key would lock everybody out.
    if keys.is_empty() { Err(Fault::Corrupt("Entra's keys have none that signs".to_owned())) } else { Ok(keys) }
}
