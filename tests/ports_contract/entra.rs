//! Entra's keys and tokens, its endpoint played by a client that counts.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::KeyPair as _,
};
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode, headers::Headers};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use helpdesk::{
    access::{Error, Proven, Role, token},
    adapters::azure::entra::{ASKED_AGAIN, Entra, KEPT},
    ports::{Clock, Fault, Identity},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use time::Duration;

use crate::support::TestClock;

const APPLICATION: &str = "5b8f0d1c-0000-4000-8000-000000000001";
const CONTOSO: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const FABRIKAM: &str = "1f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f1";
/// Bytes of PKCS #8 before the RSA key of 2048 bits in it.
const PKCS8_PREFIX_BYTES: usize = 26;

/// Answers with a key set, or not at all.
#[derive(Debug, Default)]
struct Endpoint {
    keys: Mutex<Option<Value>>,
    asked: AtomicUsize,
}

impl Endpoint {
    fn set(&self, keys: Option<Value>) {
        *self.keys.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl HttpClient for Endpoint {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        assert_eq!(request.url().as_str(), "https://login.microsoftonline.com/common/discovery/v2.0/keys");
        self.asked.fetch_add(1, Ordering::SeqCst);
        // Others come meanwhile.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let keys = self.keys.lock().unwrap().clone();
        Ok(match keys {
            Some(keys) => AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), json!({ "keys": keys }).to_string()),
            None => AsyncRawResponse::from_bytes(StatusCode::ServiceUnavailable, Headers::new(), Vec::new()),
        })
    }
}

struct Signer {
    kid: &'static str,
    der: Vec<u8>,
    jwk: Value,
}

impl Signer {
    fn new(kid: &'static str, issuer: &str) -> Signer {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let jwk = json!({
            "kty": "RSA", "use": "sig", "kid": kid, "issuer": issuer,
            "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e),
        });
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Signer { kid, der: pkcs8.as_ref()[PKCS8_PREFIX_BYTES..].to_vec(), jwk }
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_under(Header::new(Algorithm::RS256), claims)
    }

    fn sign_under(&self, header: Header, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..header };
        format!("Bearer {}", encode(&header, claims, &EncodingKey::from_rsa_der(&self.der)).unwrap())
    }
}

fn issuer_of(directory: &str) -> String {
    format!("https://login.microsoftonline.com/{directory}/v2.0")
}

struct Desk {
    endpoint: Arc<Endpoint>,
    clock: Arc<TestClock>,
    entra: Entra,
}

fn desk() -> Desk {
    let (endpoint, clock) = (Arc::new(Endpoint::default()), Arc::new(TestClock::new()));
    let entra = Entra::with(endpoint.clone(), APPLICATION.to_owned(), clock.clone());
    Desk { endpoint, clock, entra }
}

impl Desk {
    fn claims(&self) -> Value {
        let now = self.clock.now().unix_timestamp();
        json!({
            "iss": issuer_of(CONTOSO), "tid": CONTOSO, "aud": APPLICATION, "sub": "pairwise", "oid": "ann", "ver": "2.0", "azp": "client",
            "roles": ["requester", "Other.Role"], "upn": "Ann@Contoso.example", "email": "admin@fabrikam.example",
            "iat": now, "nbf": now, "exp": now + 3600,
        })
    }

    async fn verify(&self, token: &str) -> Result<Proven, Error> {
        token::verify(&self.entra, Some(token), self.clock.now()).await
    }
}

#[tokio::test]
async fn a_token_of_entra_says_who_somebody_is_in_his_directory() {
    let desk = desk();
    let signer = Signer::new("one", "https://login.microsoftonline.com/{tenantid}/v2.0");
    let of_fabrikam = Signer::new("two", &issuer_of(FABRIKAM));
    let encrypts = json!({ "kty": "RSA", "use": "enc", "kid": "three", "n": "AQAB", "e": "AQAB" });
    desk.endpoint.set(Some(json!([signer.jwk, of_fabrikam.jwk, encrypts, { "kty": "EC", "kid": "four" }])));

    let proven = desk.verify(&signer.sign(&desk.claims())).await.unwrap();
    assert_eq!((proven.directory.as_str(), proven.subject.as_str(), proven.roles.as_slice()), (CONTOSO, "ann", &[Role::Requester][..]));
    assert_eq!(proven.address.as_deref(), Some("ann@contoso.example"), "never the claim `email`");

    let changed = |name: &str, value: Value| {
        let mut claims = desk.claims();
        claims[name] = value;
        claims
    };
    for guest in [changed("acct", json!(1)), changed("upn", json!("ann_a.example#EXT#@contoso.onmicrosoft.example")), changed("upn", Value::Null)] {
        assert_eq!(desk.verify(&signer.sign(&guest)).await.unwrap().address, None, "{guest}");
    }
    let critical = Header { crit: Some(vec!["urn:example:unheard".to_owned()]), ..Header::new(Algorithm::RS256) };
    assert!(matches!(desk.verify(&signer.sign_under(critical, &desk.claims())).await, Err(Error::BadToken(_))));
    let hour = 3600 + 61;
    for wrong in [
        changed("iss", json!(issuer_of(FABRIKAM))),
        changed("tid", json!(FABRIKAM)),
        changed("iss", json!("https://sts.windows.net/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/")),
        changed("iss", json!("https://login.microsoftonline.com/{tenantid}/v2.0")),
        changed("aud", json!("api://another")),
        changed("exp", json!(desk.clock.now().unix_timestamp() - 61)),
        changed("nbf", json!(desk.clock.now().unix_timestamp() + hour)),
        changed("sub", Value::Null),
        // An ID token, which says who somebody is and lets him do nothing.
        changed("azp", Value::Null),
    ] {
        assert!(matches!(desk.verify(&signer.sign(&wrong)).await, Err(Error::BadToken(_))), "{wrong}");
    }
    // A key of one directory signs for no other.
    assert!(desk.verify(&of_fabrikam.sign(&desk.claims())).await.is_err());
    let mut own = changed("iss", json!(issuer_of(FABRIKAM)));
    own["tid"] = json!(FABRIKAM);
    assert_eq!(desk.verify(&of_fabrikam.sign(&own)).await.unwrap().directory, FABRIKAM);
    assert!(desk.entra.key("three").await.unwrap().is_none() && desk.entra.key("four").await.unwrap().is_none());
}

#[tokio::test]
async fn invented_names_of_keys_make_nobody_ask_entra() {
    let desk = desk();
    let (old, new) = (Signer::new("old", "x"), Signer::new("new", "x"));
    desk.endpoint.set(Some(json!([old.jwk])));
    let has = async |kid: &str| desk.entra.key(kid).await.unwrap().is_some();
    assert!(has("old").await);
    for number in 0..100 {
        assert!(!has(&format!("invented-{number}")).await);
    }
    assert_eq!(desk.endpoint.asked(), 1);
    // A new key is found a few minutes later, and its withdrawal within a day.
    desk.endpoint.set(Some(json!([old.jwk, new.jwk])));
    assert!(!has("new").await);
    desk.clock.advance(ASKED_AGAIN);
    assert!(has("new").await);
    assert_eq!(desk.endpoint.asked(), 2);
    desk.endpoint.set(Some(json!([new.jwk])));
    desk.clock.advance(KEPT - Duration::SECOND);
    assert!(has("old").await);
    desk.clock.advance(Duration::SECOND);
    assert!(!has("old").await && has("new").await);
    assert_eq!(desk.endpoint.asked(), 3);
}

#[tokio::test]
async fn known_keys_go_on_while_entra_cannot_be_reached() {
    let desk = desk();
    let signer = Signer::new("one", "x");
    assert!(matches!(desk.entra.key("one").await, Err(Fault::Unavailable(_))));
    assert!(matches!(desk.entra.key("one").await, Err(Fault::Unavailable(_))));
    assert_eq!(desk.endpoint.asked(), 1, "it is not asked again at once");
    // An answer without a key is none.
    desk.endpoint.set(Some(json!([])));
    desk.clock.advance(Duration::seconds(11));
    assert!(desk.entra.key("one").await.is_err());
    desk.endpoint.set(Some(json!([signer.jwk])));
    desk.clock.advance(Duration::seconds(11));
    assert!(desk.entra.key("one").await.unwrap().is_some());
    desk.endpoint.set(None);
    desk.clock.advance(KEPT + Duration::HOUR);
    assert!(desk.entra.key("one").await.unwrap().is_some());
    // Many callers at once are one question.
    desk.clock.advance(ASKED_AGAIN);
    let before = desk.endpoint.asked();
    let all = futures::future::join_all((0..50).map(|_| desk.entra.key("one"))).await;
    assert!(all.into_iter().all(|key| key.unwrap().is_some()));
    assert_eq!(desk.endpoint.asked(), before + 1);
}

#[tokio::test]
async fn whoever_comes_while_the_keys_are_fetched_waits_for_them() {
    let desk = desk();
    let (old, new) = (Signer::new("old", "x"), Signer::new("new", "x"));
    let many = async |kids: &[&str]| {
        let all = futures::future::join_all(kids.iter().cycle().take(50).map(|kid| desk.entra.key(kid))).await;
        all.into_iter().filter(|key| key.as_ref().is_ok_and(Option::is_some)).count()
    };
    // The first callers of a process.
    desk.endpoint.set(Some(json!([old.jwk])));
    assert_eq!((many(&["old"]).await, desk.endpoint.asked()), (50, 1));
    // The first ones with a new key.
    desk.endpoint.set(Some(json!([old.jwk, new.jwk])));
    desk.clock.advance(ASKED_AGAIN);
    assert_eq!((many(&["old", "new"]).await, desk.endpoint.asked()), (50, 2));
}

#[tokio::test]
async fn a_key_that_could_not_be_looked_for_is_not_said_to_be_none() {
    let desk = desk();
    let (old, new) = (Signer::new("old", "x"), Signer::new("new", "x"));
    desk.endpoint.set(Some(json!([old.jwk])));
    assert!(desk.entra.key("old").await.unwrap().is_some());
    desk.clock.advance(ASKED_AGAIN);
    desk.endpoint.set(None);
    for _ in 0..2 {
        assert!(matches!(desk.entra.key("new").await, Err(Fault::Unavailable(_))));
        assert!(desk.entra.key("old").await.unwrap().is_some());
    }
    assert_eq!(desk.endpoint.asked(), 2);
    desk.endpoint.set(Some(json!([old.jwk, new.jwk])));
    desk.clock.advance(Duration::seconds(11));
    assert!(desk.entra.key("new").await.unwrap().is_some());
}
