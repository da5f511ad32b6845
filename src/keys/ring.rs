//! The keyring of a tenant: made on first use, cached unwrapped for a bounded time, rotated when its data key is worn or old, gone for good with him.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    Error, Place, WRAPPING_KEY,
    seal::{self, derive},
};
use crate::{
    ids::{Kind, TenantId, partition},
    ports::{Clock, Document, Documents, Entropy, Fault, NewDocument, Ports, Tries, Vault, Wrapped, Write},
};

/// Seals under one data key, over all processes: far below the 2^32 that random nonces allow (NIST SP 800-38D section 8.3).
const SEALS_MAX: u64 = 1 << 31;
/// The same while the next key is not known to everybody yet; still below that limit.
const SEALS_WAITING_MAX: u64 = SEALS_MAX + (1 << 30);
/// Seals that a process leases at a time; what it does not use is lost, which only brings the rotation nearer.
const SEALS_LEASED: u64 = 1 << 16;
/// With fewer left, the next look at the keys leases more. A process begins with as many that nobody counts, so that whoever only reads writes no keyring;
/// between [`SEALS_WAITING_MAX`] and the limit there is room for those of 2^18 processes.
const SEALS_LOW: u64 = 1 << 12;
/// How long a process goes on with the seals that it has left, after it asked for more in vain.
const LEASED_AGAIN_AFTER: time::Duration = time::Duration::seconds(10);
/// A data key older than this is followed by a new one.
const DATA_KEY_AGE_MAX: time::Duration = time::Duration::days(365);
/// A new data key seals only after this long. Until then it is in the keyring for all to know: nobody keeps keys in memory for more than an hour, so
/// that whoever is to open what it sealed has it.
const DATA_KEY_KNOWN_AFTER: time::Duration = time::Duration::hours(2);
/// Tenants whose keys are cached at once; beyond it the cache starts anew.
const TENANTS_CACHED_MAX: usize = 10_000;
/// How long somebody tries to store a keyring against others who store it too.
const STORING_MAX: Duration = Duration::from_secs(5);
/// Bytes of most documents before they are sealed; longer ones take more.
const DOCUMENT_BYTES: usize = 1024;
/// Bytes of a signature's mac that are kept.
const SIGNATURE_BYTES: usize = 16;
/// Hexadecimal digits of a short signature: 64 bits.
pub const SHORT_SIGNATURE_DIGITS: usize = 16;

/// The keyrings of all tenants.
pub struct Keyring {
    pub(super) documents: Arc<dyn Documents>,
    pub(super) vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cache_for: Duration,
    cache: Mutex<HashMap<TenantId, Arc<Slot>>>,
}

/// What this process knows of a tenant.
#[derive(Default)]
struct Slot {
    /// How often somebody waited in vain for the store or the vault.
    failures: AtomicU64,
    known: tokio::sync::Mutex<Known>,
}

#[derive(Default)]
struct Known {
    cached: Option<Cached>,
    /// The seals that it has left, and under which data key. They outlive the keys.
    left: Option<(u32, Arc<AtomicU64>)>,
    /// When more of them were last asked for in vain.
    refused_at: Option<OffsetDateTime>,
}

struct Cached {
    keys: Arc<TenantKeys>,
    until: OffsetDateTime,
}

/// A tenant's keys, unwrapped; wiped when the last holder lets go.
pub struct TenantKeys {
    opened: Arc<Opened>,
    current: u32,
    /// Shared with the keys that these follow, if they seal under the same data key.
    seals_left: Arc<AtomicU64>,
    entropy: Arc<dyn Entropy>,
}

struct Opened {
    /// The keys as they are wrapped.
    of: Vec<RingKey>,
    data: BTreeMap<u32, PurposeKeys>,
    index: Zeroizing<[u8; 32]>,
    signing: BTreeMap<u32, Zeroizing<[u8; 32]>>,
}

struct PurposeKeys {
    document: Zeroizing<[u8; 32]>,
    blob: Zeroizing<[u8; 32]>,
    token: Zeroizing<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RingBody {
    /// None if the tenant was removed.
    pub(super) keys: Vec<RingKey>,
    /// Seals leased under the data key that seals.
    seals_leased: u64,
    /// Its number; that of the newest one in keyrings of before.
    #[serde(default)]
    sealing: Option<u32>,
}

#[derive(Serialize, Deserialize, Clone, PartialEq)]
pub(super) struct RingKey {
    purpose: Purpose,
    number: u32,
    pub(super) vault_version: String,
    pub(super) wrapped: String,
    created_at: i64,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    Data,
    Index,
    Signing,
}

impl Keyring {
    pub fn new(ports: &Ports, cache_for: Duration) -> Self {
        Keyring {
            documents: ports.documents.clone(),
            vault: ports.vault.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            cache_for,
            cache: Mutex::default(),
        }
    }

    /// The tenant's keys, made if he has none yet. They have seals to spare, unless the store or the vault is away: then there are as many as are left.
    pub async fn keys(&self, tenant: &TenantId) -> Result<Arc<TenantKeys>, Error> {
        let slot = self.slot(tenant);
        let failures = slot.failures.load(Ordering::Relaxed);
        // Held while loading, so that a tenant's keys are asked for once however many wait for them.
        let mut known = slot.known.lock().await;
        let now = self.clock.now();
        let cached = known.cached.as_ref().filter(|cached| now < cached.until).map(|cached| cached.keys.clone());
        let usable = cached.as_ref().filter(|keys| keys.seals_left.load(Ordering::Relaxed) > 0).cloned();
        let is_refused = known.refused_at.is_some_and(|at| (time::Duration::ZERO..LEASED_AGAIN_AFTER).contains(&(now - at)));
        if let Some(keys) = usable.as_ref().filter(|keys| is_refused || keys.seals_left.load(Ordering::Relaxed) >= SEALS_LOW) {
            return Ok(keys.clone());
        }
        if slot.failures.load(Ordering::Relaxed) != failures {
            // Who waited with somebody who waited in vain does not wait as long again.
            return usable.ok_or_else(|| Fault::Unavailable("the keys that somebody else asked for did not come".to_owned()).into());
        }
        let keys = match self.load(tenant, now, known.left.clone(), cached.as_ref()).await {
            Ok(keys) => keys,
            Err(error) if is_away(&error) => {
                slot.failures.fetch_add(1, Ordering::Relaxed);
                known.refused_at = Some(self.clock.now());
                return usable.ok_or(error);
            }
            Err(error) => return Err(error),
        };
        known.refused_at = None;
        known.left = Some((keys.current, keys.seals_left.clone()));
        if cached.is_none_or(|cached| !Arc::ptr_eq(&cached, &keys)) {
            known.cached = Some(Cached { keys: keys.clone(), until: now + self.cache_for });
            self.let_go_later(&slot, &keys);
        }
        Ok(keys)
    }

    /// Nobody may ask for these keys again: they go when their time is over, whoever is still at work with them aside.
    fn let_go_later(&self, slot: &Arc<Slot>, keys: &Arc<TenantKeys>) {
        let (slot, keys, cache_for) = (Arc::downgrade(slot), Arc::downgrade(keys), self.cache_for);
        tokio::spawn(async move {
            tokio::time::sleep(cache_for).await;
            if let Some(slot) = slot.upgrade() {
                let mut known = slot.known.lock().await;
                // Others may have taken their place.
                known.cached = known.cached.take().filter(|cached| !std::ptr::eq(Arc::as_ptr(&cached.keys), keys.as_ptr()));
            }
        });
    }

    /// Whether the tenant was removed.
    pub async fn is_gone(&self, tenant: &TenantId) -> Result<bool, Error> {
        Ok(self.stored(tenant).await?.is_some_and(|document| is_empty(&document)))
    }

    /// Whether the tenant has keys, whether they open or not, or had some.
    pub async fn is_known(&self, tenant: &TenantId) -> Result<bool, Error> {
        Ok(self.stored(tenant).await?.is_some())
    }

    /// Deletes a tenant's keys: what they sealed cannot be read any more, wherever it is, and there will never be others for him, had he any or not.
    /// Another process may have them for as long as it keeps keys in memory; a backup of the keyrings, for as long as it is kept.
    pub async fn forget(&self, tenant: &TenantId) -> Result<(), Error> {
        let document = ring_document(tenant, &RingBody { keys: Vec::new(), seals_leased: 0, sealing: None })?;
        let stored = self.stored(tenant).await?;
        if !stored.as_ref().is_some_and(is_empty) {
            let write = Write::put(document, stored.map(|stored| stored.etag));
            self.documents.commit(&partition(tenant, Kind::Keyring), vec![write]).await?;
        }
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
        Ok(())
    }

    async fn stored(&self, tenant: &TenantId) -> Result<Option<Document>, Error> {
        Ok(self.documents.get(&partition(tenant, Kind::Keyring), tenant.as_str()).await?)
    }

    fn slot(&self, tenant: &TenantId) -> Arc<Slot> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= TENANTS_CACHED_MAX && !cache.contains_key(tenant) {
            cache.clear();
        }
        cache.entry(tenant.clone()).or_default().clone()
    }

    /// `left` is what this process may still seal, and under which data key; `cached` are keys that it has in memory. The keyring is written only if that is
    /// not enough, or if it lacks a key, and keys are unwrapped that nobody has.
    async fn load(
        &self,
        tenant: &TenantId,
        now: OffsetDateTime,
        left: Option<(u32, Arc<AtomicU64>)>,
        cached: Option<&Arc<TenantKeys>>,
    ) -> Result<Arc<TenantKeys>, Error> {
        let (partition, mut tries) = (partition(tenant, Kind::Keyring), Tries::within(STORING_MAX));
        let mut known = cached.map(|keys| keys.opened.clone());
        loop {
            let (mut ring, etag) = match self.stored(tenant).await? {
                Some(document) if is_empty(&document) => return Err(Error::Gone),
                Some(document) => (ring_in(&document)?, Some(document.etag)),
                None => (RingBody { keys: self.first_keys(now).await?, seals_leased: 0, sealing: None }, None),
            };
            let (Some(newest), Some(sealing)) = (ring.data_keys().map(|key| key.number).max(), ring.sealing_key(now).cloned()) else {
                return Err(lacks_a_key());
            };
            let of_this_key = left.as_ref().filter(|(number, _)| *number == sealing.number).map(|(_, left)| left.clone());
            let left = of_this_key.unwrap_or_else(|| Arc::new(AtomicU64::new(SEALS_LOW)));
            let is_known_to_seal = etag.is_some() && ring.sealing == Some(sealing.number);
            if ring.sealing.unwrap_or(newest) != sealing.number {
                ring.seals_leased = 0;
            }
            ring.sealing = Some(sealing.number);
            let is_worn = newest == sealing.number && ring.is_worn(&sealing, now);
            if is_worn {
                ring.keys.push(self.new_key(Purpose::Data, newest + 1, now).await?);
            }
            // Before the commit: keys that do not open lease no seals. Of those who store it at once each opens them once.
            let opened = match known.take().filter(|opened| opened.of == ring.keys) {
                Some(opened) => opened,
                None => Arc::new(self.unwrap(&ring.keys).await?),
            };
            if !opened.data.contains_key(&sealing.number) {
                return Err(lacks_a_key());
            }
            if is_worn || !is_known_to_seal || left.load(Ordering::Relaxed) < SEALS_LOW {
                ring.seals_leased += SEALS_LEASED;
                match self.documents.commit(&partition, vec![Write::put(ring_document(tenant, &ring)?, etag)]).await {
                    Ok(_) => drop(left.fetch_add(SEALS_LEASED, Ordering::Relaxed)),
                    Err(Fault::Conflict) if tries.again(self.entropy.as_ref()).await => {
                        known = Some(opened);
                        continue;
                    }
                    Err(Fault::Conflict) => return Err(Fault::Unavailable("a keyring is stored by too many at once".to_owned()).into()),
                    Err(fault) => return Err(fault.into()),
                }
            }
            let is_cached = |keys: &&Arc<TenantKeys>| keys.current == sealing.number && Arc::ptr_eq(&keys.opened, &opened);
            return Ok(match cached.filter(is_cached) {
                Some(keys) => keys.clone(),
                None => Arc::new(TenantKeys { opened, current: sealing.number, seals_left: left, entropy: self.entropy.clone() }),
            });
        }
    }

    async fn first_keys(&self, now: OffsetDateTime) -> Result<Vec<RingKey>, Error> {
        Ok(vec![
            self.new_key(Purpose::Data, 1, now).await?,
            self.new_key(Purpose::Index, 1, now).await?,
            self.new_key(Purpose::Signing, 1, now).await?,
        ])
    }

    async fn new_key(&self, purpose: Purpose, number: u32, now: OffsetDateTime) -> Result<RingKey, Error> {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(key.as_mut_slice());
        let wrapped = self.vault.wrap(WRAPPING_KEY, key.as_slice()).await?;
        Ok(RingKey { purpose, number, vault_version: wrapped.version, wrapped: STANDARD.encode(wrapped.bytes), created_at: now.unix_timestamp() })
    }

    async fn unwrap(&self, keys: &[RingKey]) -> Result<Opened, Error> {
        let (mut data, mut signing, mut index) = (BTreeMap::new(), BTreeMap::new(), None);
        for key in keys {
            let bytes = STANDARD.decode(&key.wrapped).map_err(|_| unknown_shape())?;
            let opened = self.vault.unwrap(WRAPPING_KEY, &Wrapped { version: key.vault_version.clone(), bytes }).await?;
            let opened: Zeroizing<[u8; 32]> =
                Zeroizing::new(opened.as_slice().try_into().map_err(|_| Fault::Corrupt("a key of the keyring does not have 32 bytes".to_owned()))?);
            match key.purpose {
                Purpose::Data => drop(data.insert(key.number, PurposeKeys::new(&opened))),
                Purpose::Signing => drop(signing.insert(key.number, opened)),
                Purpose::Index => index = Some(opened),
            }
        }
        match index {
            Some(index) if !signing.is_empty() => Ok(Opened { of: keys.to_vec(), data, index, signing }),
            _ => Err(lacks_a_key()),
        }
    }
}

impl RingBody {
    fn data_keys(&self) -> impl Iterator<Item = &RingKey> {
        self.keys.iter().filter(|key| key.purpose == Purpose::Data)
    }

    /// The newest data key that everybody knows, or that another process seals with already; the first one, if there is none. One that was dated ahead by
    /// a wrong clock is waited for until the one before has no seals left at all.
    fn sealing_key(&self, now: OffsetDateTime) -> Option<&RingKey> {
        let is_old_enough = |key: &RingKey| now.unix_timestamp() - key.created_at >= DATA_KEY_KNOWN_AFTER.whole_seconds();
        let seals = |key: &RingKey| is_old_enough(key) || self.sealing == Some(key.number) || self.seals_leased >= SEALS_WAITING_MAX;
        self.data_keys().filter(|key| seals(key)).max_by_key(|key| key.number).or_else(|| self.data_keys().min_by_key(|key| key.number))
    }

    fn is_worn(&self, sealing: &RingKey, now: OffsetDateTime) -> bool {
        self.seals_leased + SEALS_LEASED > SEALS_MAX || now.unix_timestamp() - sealing.created_at > DATA_KEY_AGE_MAX.whole_seconds()
    }
}

fn ring_document(tenant: &TenantId, ring: &RingBody) -> Result<NewDocument, Error> {
    Ok(NewDocument {
        id: tenant.to_string(),
        kind: Kind::Keyring.name().to_owned(),
        keys: Default::default(),
        expires_at: None,
        body: serde_json::to_vec(ring).map_err(|_| unknown_shape())?,
    })
}

fn ring_in(document: &Document) -> Result<RingBody, Error> {
    serde_json::from_slice(&document.body).map_err(|_| unknown_shape())
}

/// What is left of the keyring of a tenant who was removed.
fn is_empty(document: &Document) -> bool {
    ring_in(document).is_ok_and(|ring| ring.keys.is_empty())
}

fn unknown_shape() -> Error {
    Error::UnknownShape { kind: Kind::Keyring.name().to_owned() }
}

/// Whether the store or the vault did not answer, or not now.
fn is_away(error: &Error) -> bool {
    matches!(error, Error::Fault(Fault::Unavailable(_) | Fault::Throttled { .. }))
}

fn lacks_a_key() -> Error {
    Fault::Corrupt("a keyring lacks a key".to_owned()).into()
}

impl PurposeKeys {
    fn new(data_key: &[u8; 32]) -> Self {
        PurposeKeys {
            document: derive(data_key, "helpdesk/1/document"),
            blob: derive(data_key, "helpdesk/1/blob"),
            token: derive(data_key, "helpdesk/1/token"),
        }
    }

    fn of(&self, place: &Place<'_>) -> &[u8; 32] {
        match place.kind {
            "blob" => &self.blob,
            "token" => &self.token,
            _ => &self.document,
        }
    }
}

impl TenantKeys {
    /// Seals bytes for one place.
    pub fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut filled = seal::room(plaintext.len());
        filled.extend_from_slice(plaintext);
        self.seal_filled(place, filled)
    }

    fn seal_filled(&self, place: &Place<'_>, filled: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, Error> {
        let left = self.seals_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_err() {
            return Err(Error::SealsUsedUp);
        }
        let mut nonce = [0; 12];
        self.entropy.fill(&mut nonce);
        let key = self.opened.data.get(&self.current).ok_or(Error::SealsUsedUp)?;
        seal::seal(key.of(place), self.current, nonce, place, filled).ok_or_else(|| Error::DoesNotOpen { kind: place.kind.to_owned() })
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        seal::key_number(sealed)
            .and_then(|number| self.opened.data.get(&number))
            .and_then(|key| seal::open(key.of(place), place, sealed))
            .ok_or_else(|| Error::DoesNotOpen { kind: place.kind.to_owned() })
    }

    /// A document whose body only this tenant's keys open.
    pub fn seal_document<T: Serialize>(
        &self,
        partition: &str,
        id: String,
        kind: Kind,
        keys: [Option<String>; 4],
        expires_at: Option<OffsetDateTime>,
        body: &T,
    ) -> Result<NewDocument, Error> {
        let mut filled = seal::room(DOCUMENT_BYTES);
        serde_json::to_writer(&mut *filled, body).map_err(|_| Error::UnknownShape { kind: kind.name().to_owned() })?;
        let body = self.seal_filled(&Place { partition, id: &id, kind: kind.name() }, filled)?;
        Ok(NewDocument { id, kind: kind.name().to_owned(), keys, expires_at, body })
    }

    /// The body of a document that [`Self::seal_document`] made.
    pub fn open_document<T: DeserializeOwned>(&self, document: &Document) -> Result<T, Error> {
        let plaintext = self.open(&Place { partition: &document.partition, id: &document.id, kind: &document.kind }, &document.body)?;
        serde_json::from_slice(&plaintext).map_err(|_| Error::UnknownShape { kind: document.kind.clone() })
    }

    /// The index key's name for a thing: the same thing has the same name in this tenant only. 40 hex digits.
    pub fn index(&self, what: &str, parts: &[&[u8]]) -> String {
        hex(&mac(&self.opened.index, what, parts)[..20])
    }

    /// A signature of ours and the number of the key that made it. 32 hex digits.
    pub fn sign(&self, what: &str, parts: &[&[u8]]) -> (u32, String) {
        // Unwrap safety: a keyring without a signing key is refused when it is loaded, and the map never shrinks.
        let (number, key) = self.opened.signing.last_key_value().unwrap();
        (*number, hex(&mac(key, what, parts)[..SIGNATURE_BYTES]))
    }

    /// Whether [`Self::sign`] made this, with any key that ever was. Compares in constant time.
    pub fn verify(&self, what: &str, parts: &[&[u8]], number: u32, signature: &str) -> bool {
        self.verify_bytes(what, parts, number, signature, SIGNATURE_BYTES)
    }

    /// Whether what [`Self::sign`] made begins with this, of [`SHORT_SIGNATURE_DIGITS`]: where there is no room for more, and each guess takes a mail
    /// or a call of its own.
    pub fn verify_short(&self, what: &str, parts: &[&[u8]], number: u32, signature: &str) -> bool {
        self.verify_bytes(what, parts, number, signature, SHORT_SIGNATURE_DIGITS / 2)
    }

    fn verify_bytes(&self, what: &str, parts: &[&[u8]], number: u32, signature: &str, bytes: usize) -> bool {
        use subtle::ConstantTimeEq;
        self.opened.signing.get(&number).is_some_and(|key| hex(&mac(key, what, parts)[..bytes]).as_bytes().ct_eq(signature.as_bytes()).into())
    }
}

fn mac(key: &[u8; 32], what: &str, parts: &[&[u8]]) -> [u8; 32] {
    // Unwrap safety: HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in std::iter::once(&what.as_bytes()).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// In lower case.
fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
