//! Keys of tenants: made once, cached for a while, followed by new ones, never mixed up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use helpdesk::{
    ids::{Kind, TenantId},
    keys::{Error, Keyring, Place, Rewrapped, WRAPPING_KEY},
    ports::{Fault, NewDocument, Ports, Scan, Secret, Slot, Vault, Wrapped, Write},
};
use zeroize::Zeroizing;

use crate::support::{
    TestClock,
    faulty::{Plan, faulty},
    world::World,
};

const PLACE: Place<'static> = Place { partition: "p", id: "i", kind: "k" };

fn contoso() -> TenantId {
    "contoso".parse().unwrap()
}

fn keyring(world: &World) -> Keyring {
    Keyring::new(&world.ports, Duration::from_secs(600))
}

#[tokio::test]
async fn two_processes_that_meet_a_new_tenant_make_the_same_keys() {
    let world = World::new().await;
    let tenant: TenantId = "northwind".parse().unwrap();
    let (one, two) = (keyring(&world), keyring(&world));
    let (one, two) = futures::join!(one.keys(&tenant), two.keys(&tenant));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.index("x", &[b"1"]), two.index("x", &[b"1"]));
    assert_eq!(two.open(&PLACE, &one.seal(&PLACE, b"words").unwrap()).unwrap().as_slice(), b"words");
}

#[tokio::test]
async fn keys_that_nobody_asks_for_again_leave_the_memory() {
    const CACHED_FOR: Duration = Duration::from_millis(200);
    let world = World::new().await;
    let ring = Keyring::new(&world.ports, CACHED_FOR);
    let keys = ring.keys(&contoso()).await.unwrap();
    let again = ring.keys(&contoso()).await.unwrap();
    assert!(Arc::ptr_eq(&keys, &again), "they are kept for a while");
    let (kept, sealed) = (Arc::downgrade(&keys), keys.seal(&PLACE, b"words").unwrap());
    let stored = async || world.ports.documents.get("sys:keys", "contoso").await.unwrap().unwrap().etag;
    let before = stored().await;
    drop((keys, again));
    for _ in 0..1000 {
        if kept.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(kept.strong_count(), 0, "ten seconds later they are still there");
    // The vault knows them, and the seals that were leased are still there to be used.
    assert_eq!(ring.keys(&contoso()).await.unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"words");
    assert_eq!(stored().await, before);
}

#[tokio::test]
async fn tenants_share_no_key() {
    let world = World::new().await;
    let ring = keyring(&world);
    let (contoso, fabrikam) = (ring.keys(&contoso()).await.unwrap(), ring.keys(&"fabrikam".parse().unwrap()).await.unwrap());
    let sealed = contoso.seal(&PLACE, b"words").unwrap();
    assert!(matches!(fabrikam.open(&PLACE, &sealed), Err(Error::DoesNotOpen { .. })));
    assert_ne!(contoso.index("x", &[b"1"]), fabrikam.index("x", &[b"1"]));
    let (number, signature) = contoso.sign("x", &[b"1"]);
    assert!(contoso.verify("x", &[b"1"], number, &signature));
    assert!(!fabrikam.verify("x", &[b"1"], number, &signature) && !contoso.verify("x", &[b"2"], number, &signature));
}

#[tokio::test]
async fn after_a_year_a_new_data_key_seals_and_the_old_one_still_opens() {
    let world = World::new().await;
    let ring = keyring(&world);
    let before = ring.keys(&contoso()).await.unwrap();
    let old = before.seal(&PLACE, b"words").unwrap();
    world.clock.advance(time::Duration::days(366));
    // It is there, and seals when all others know it.
    let meanwhile = ring.keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    world.clock.advance(time::Duration::minutes(121));
    let after = ring.keys(&contoso()).await.unwrap();
    let new = after.seal(&PLACE, b"words").unwrap();
    // The number stands behind the format's byte.
    assert_eq!([&old, &meanwhile, &new].map(|sealed| sealed[4]), [1, 1, 2]);
    assert!([&old, &meanwhile, &new].iter().all(|sealed| after.open(&PLACE, sealed).is_ok()));
    // What must be found for ever does not rotate with it.
    assert_eq!(before.index("x", &[b"1"]), after.index("x", &[b"1"]));
    let (number, signature) = before.sign("x", &[b"1"]);
    assert!(after.verify("x", &[b"1"], number, &signature));
    // The next year it is followed by one more, and only by one.
    world.clock.advance(time::Duration::days(366));
    for _ in 0..3 {
        keyring(&world).keys(&contoso()).await.unwrap();
        world.clock.advance(time::Duration::minutes(121));
    }
    assert_eq!(ring.keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap()[4], 3);
    let stored = world.ports.documents.get("sys:keys", "contoso").await.unwrap().unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
    assert_eq!(stored["keys"].as_array().unwrap().iter().filter(|key| key["purpose"] == "data").count(), 3);
}

#[tokio::test]
async fn a_new_data_key_shuts_nobody_out_who_keeps_keys_for_the_longest_time() {
    let world = World::new().await;
    let (minute, hour) = (time::Duration::minutes(1), Duration::from_secs(3600));
    let processes = [Keyring::new(&world.ports, hour), Keyring::new(&world.ports, hour), Keyring::new(&world.ports, Duration::from_secs(60))];
    for process in &processes {
        process.keys(&contoso()).await.unwrap();
    }
    world.clock.advance(time::Duration::days(365) - minute * 10);
    let mut sealed_by = std::collections::BTreeSet::new();
    for at in 0..300 {
        world.clock.advance(minute);
        // Each at times of its own, so that what they know is of different ages.
        for process in processes.iter().enumerate().filter(|(index, _)| at % (index + 1) == 0).map(|(_, process)| process) {
            let sealed = process.keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
            sealed_by.insert(sealed[4]);
            for other in &processes {
                assert!(other.keys(&contoso()).await.unwrap().open(&PLACE, &sealed).is_ok(), "minute {at}");
            }
        }
    }
    assert_eq!(sealed_by.into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn whose_keys_are_gone_never_has_keys_again() {
    let world = World::new().await;
    let (ring, other) = (keyring(&world), keyring(&world));
    let sealed = ring.keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    other.keys(&contoso()).await.unwrap();
    assert!(!ring.is_gone(&contoso()).await.unwrap());
    ring.forget(&contoso()).await.unwrap();
    assert!(matches!(ring.keys(&contoso()).await, Err(Error::Gone)));
    assert!(ring.is_gone(&contoso()).await.unwrap() && ring.is_known(&contoso()).await.unwrap());
    // Who has them in memory has them until his time is over.
    assert!(other.keys(&contoso()).await.unwrap().open(&PLACE, &sealed).is_ok());
    world.clock.advance(time::Duration::seconds(601));
    assert!(matches!(other.keys(&contoso()).await, Err(Error::Gone)));
    ring.forget(&contoso()).await.unwrap();
    ring.rewrap(|_| {}).await.unwrap();
    // Nor has one who never had any.
    let northwind = "northwind".parse().unwrap();
    ring.forget(&northwind).await.unwrap();
    assert!(matches!(ring.keys(&northwind).await, Err(Error::Gone)));
}

/// Changes a keyring as it is stored.
async fn rewrite(world: &World, change: impl FnOnce(&mut serde_json::Value)) {
    let stored = world.ports.documents.get("sys:keys", "contoso").await.unwrap().unwrap();
    let mut ring: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
    change(&mut ring);
    let body = serde_json::to_vec(&ring).unwrap();
    let document = NewDocument { id: stored.id, kind: stored.kind, keys: stored.keys, expires_at: None, body };
    world.ports.documents.commit("sys:keys", vec![Write::Replace { document, etag: stored.etag }]).await.unwrap();
}

#[tokio::test]
async fn a_keyring_of_the_version_before_goes_on_with_the_key_that_everybody_knows() {
    let world = World::new().await;
    keyring(&world).keys(&contoso()).await.unwrap();
    world.clock.advance(time::Duration::days(366));
    let newest = keyring(&world).keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    assert_eq!(newest[4], 1);
    // It did not say which key seals, and would have sealed with the second one already.
    rewrite(&world, |ring| drop(ring.as_object_mut().unwrap().remove("sealing"))).await;
    for (minutes, key) in [(0, 1), (119, 1), (2, 2), (0, 2)] {
        world.clock.advance(time::Duration::minutes(minutes));
        let keys = keyring(&world).keys(&contoso()).await.unwrap();
        assert_eq!(keys.seal(&PLACE, b"words").unwrap()[4], key);
        rewrite(&world, |ring| drop(ring.as_object_mut().unwrap().remove("sealing"))).await;
    }
}

#[tokio::test]
async fn a_process_whose_clock_is_behind_seals_with_what_another_seals_with_and_shuts_nobody_out() {
    let world = World::new().await;
    let sealed_with = async || keyring(&world).keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap()[4];
    sealed_with().await;
    world.clock.advance(time::Duration::days(366));
    assert_eq!(sealed_with().await, 1);
    // Three hours behind: what was just made is no older for anybody.
    world.clock.advance(-time::Duration::hours(3));
    assert_eq!(sealed_with().await, 1);
    world.clock.advance(time::Duration::hours(3));
    assert_eq!(sealed_with().await, 1);
    world.clock.advance(time::Duration::hours(2));
    assert_eq!(sealed_with().await, 2);
    world.clock.advance(-time::Duration::hours(1));
    assert_eq!(sealed_with().await, 2);
}

#[tokio::test]
async fn a_key_that_is_dated_ahead_is_not_waited_for_when_the_one_before_is_used_up() {
    let world = World::new().await;
    keyring(&world).keys(&contoso()).await.unwrap();
    world.clock.advance(time::Duration::days(366));
    keyring(&world).keys(&contoso()).await.unwrap();
    // Made by a process whose clock was years ahead.
    let ahead = world.ports.clock.now().unix_timestamp() + 100_000_000;
    let dated = |ring: &mut serde_json::Value| {
        let keys = ring["keys"].as_array_mut().unwrap();
        keys.iter_mut().filter(|key| key["purpose"] == "data" && key["number"] == 2).for_each(|key| key["created_at"] = ahead.into());
    };
    rewrite(&world, dated).await;
    world.clock.advance(time::Duration::hours(3));
    for (leased, key) in [((1_u64 << 31) + (1 << 29), 1), ((1 << 31) + (1 << 30), 2)] {
        rewrite(&world, |ring| ring["seals_leased"] = leased.into()).await;
        assert_eq!(keyring(&world).keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap()[4], key);
    }
}

#[tokio::test]
async fn a_process_leases_more_seals_before_it_has_none() {
    let world = World::new().await;
    let ring = keyring(&world);
    for _ in 0..70_000 {
        ring.keys(&contoso()).await.unwrap().seal(&PLACE, b"").unwrap();
    }
}

#[tokio::test]
async fn who_only_reads_writes_no_keyring_and_of_many_that_seal_at_once_each_gets_his_lease() {
    let world = World::new().await;
    let sealed = keyring(&world).keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    let leased = async || {
        let stored = world.ports.documents.get("sys:keys", "contoso").await.unwrap().unwrap();
        serde_json::from_slice::<serde_json::Value>(&stored.body).unwrap()["seals_leased"].as_u64().unwrap()
    };
    let before = leased().await;
    let processes: Vec<Keyring> = (0..60).map(|_| keyring(&world)).collect();
    for _ in 0..2 {
        for process in &processes {
            assert_eq!(process.keys(&TENANT).await.unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"words");
        }
    }
    assert_eq!(leased().await, before);
    for process in &processes {
        process.keys(&TENANT).await.unwrap().seal(&PLACE, b"words").unwrap();
    }
    futures::future::try_join_all(processes.iter().map(|process| process.keys(&TENANT))).await.unwrap();
    assert_eq!(leased().await, before + 60 * (1 << 16));
}

#[tokio::test]
async fn who_waited_for_keys_with_somebody_who_waited_in_vain_does_not_wait_once_more() {
    let world = World::new().await;
    let vault = Arc::new(Silent { asked: AtomicUsize::new(0), clock: world.clock.clone(), inner: world.ports.vault.clone() });
    let ring = Keyring::new(&Ports { vault: vault.clone(), ..world.ports.clone() }, Duration::from_secs(600));
    let answers = futures::future::join_all((0..20).map(|_| ring.keys(&TENANT))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Fault(Fault::Unavailable(_))))));
    assert_eq!(vault.asked.load(Ordering::SeqCst), 1);
    // Who comes later tries by himself, also if the clock was put back.
    world.clock.advance(-time::Duration::HOUR);
    assert!(ring.keys(&TENANT).await.is_err());
    assert_eq!(vault.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn who_has_keys_reads_and_seals_on_while_no_more_seals_can_be_had() {
    let world = World::new().await;
    let sealed = keyring(&world).keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    let plan = Arc::new(Plan::default());
    let vault = Arc::new(Counting { inner: world.ports.vault.clone(), unwrapped: AtomicUsize::new(0) });
    let ports = Ports { vault: vault.clone(), ..faulty(&world.ports, &plan) };
    let ring = Keyring::new(&ports, Duration::from_secs(600));
    ring.keys(&TENANT).await.unwrap().seal(&PLACE, b"words").unwrap();
    // It asks for more, does not get them, and asks again later.
    plan.fail_at(1, false);
    for _ in 0..3 {
        let keys = ring.keys(&TENANT).await.unwrap();
        assert_eq!(keys.open(&PLACE, &sealed).unwrap().as_slice(), b"words");
        keys.seal(&PLACE, b"words").unwrap();
    }
    assert_eq!(plan.calls(), 1);
    world.clock.advance(time::Duration::seconds(10));
    for _ in 0..70_000 {
        ring.keys(&TENANT).await.unwrap().seal(&PLACE, b"").unwrap();
    }
    assert_eq!(vault.unwrapped.load(Ordering::SeqCst), 3, "what is in memory is not unwrapped again");
}

/// A vault that is waited for for ten seconds, and does not answer.
struct Silent {
    asked: AtomicUsize,
    clock: Arc<TestClock>,
    inner: Arc<dyn Vault>,
}

impl Silent {
    async fn waited_for<T>(&self) -> Result<T, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // So that the others wait for him.
        tokio::task::yield_now().await;
        self.clock.advance(time::Duration::seconds(10));
        Err(Fault::Unavailable("the vault does not answer".to_owned()))
    }
}

#[async_trait]
impl Vault for Silent {
    async fn make_key(&self, _key: &str) -> Result<bool, Fault> {
        self.waited_for().await
    }

    async fn rotate(&self, _key: &str) -> Result<String, Fault> {
        self.waited_for().await
    }

    async fn wrap(&self, _key: &str, _bytes: &[u8]) -> Result<Wrapped, Fault> {
        self.waited_for().await
    }

    async fn unwrap(&self, _key: &str, _wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.waited_for().await
    }

    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault> {
        self.inner.secret(name, version).await
    }
}

#[tokio::test]
async fn keys_are_unwrapped_once_in_ten_minutes_and_the_ring_is_not_written_for_it() {
    let world = World::new().await;
    let vault = Arc::new(Counting { inner: world.ports.vault.clone(), unwrapped: AtomicUsize::new(0) });
    let mut ports = world.ports.clone();
    ports.vault = vault.clone();
    let ring = Keyring::new(&ports, Duration::from_secs(600));
    let stored = || async { world.ports.documents.get(&helpdesk::ids::partition(&contoso(), Kind::Keyring), "contoso").await.unwrap().unwrap().etag };
    futures::future::try_join_all((0..50).map(|_| ring.keys(&TENANT))).await.unwrap();
    let first = stored().await;
    assert_eq!(vault.unwrapped.load(Ordering::SeqCst), 3);
    world.clock.advance(time::Duration::seconds(599));
    ring.keys(&contoso()).await.unwrap();
    assert_eq!(vault.unwrapped.load(Ordering::SeqCst), 3);
    world.clock.advance(time::Duration::seconds(1));
    ring.keys(&contoso()).await.unwrap();
    assert_eq!(vault.unwrapped.load(Ordering::SeqCst), 6);
    assert_eq!(stored().await, first);
}

static TENANT: std::sync::LazyLock<TenantId> = std::sync::LazyLock::new(contoso);

struct Counting {
    inner: Arc<dyn Vault>,
    unwrapped: AtomicUsize,
}

#[async_trait]
impl Vault for Counting {
    async fn wrap(&self, key: &str, plaintext: &[u8]) -> Result<Wrapped, Fault> {
        self.inner.wrap(key, plaintext).await
    }
    async fn unwrap(&self, key: &str, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.unwrapped.fetch_add(1, Ordering::SeqCst);
        self.inner.unwrap(key, wrapped).await
    }
    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault> {
        self.inner.secret(name, version).await
    }
    async fn make_key(&self, key: &str) -> Result<bool, Fault> {
        self.inner.make_key(key).await
    }
    async fn rotate(&self, key: &str) -> Result<String, Fault> {
        self.inner.rotate(key).await
    }
}

#[tokio::test]
async fn a_rewrapping_that_breaks_off_anywhere_goes_on_when_it_is_called_again() {
    let world = World::new().await;
    let sealed = keyring(&world).keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    let plan = Arc::new(Plan::default());
    let ring = Keyring::new(&faulty(&world.ports, &plan), Duration::from_secs(600));
    for after in [false, true] {
        for call in 1.. {
            world.ports.vault.rotate(WRAPPING_KEY).await.unwrap();
            plan.fail_at(call, after);
            let broke_off = ring.rewrap(|_| {}).await.is_err();
            plan.fail_at(0, false);
            ring.rewrap(|_| {}).await.unwrap();
            assert_eq!(ring.rewrap(|_| {}).await.unwrap().moved, 0, "call {call}");
            assert_eq!(keyring(&world).keys(&contoso()).await.unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"words");
            if !broke_off {
                assert!(call > 10, "it makes more calls than {call}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn rewrapping_moves_all_keys_to_the_newest_version_and_what_was_sealed_still_opens() {
    let world = World::new().await;
    let (ring, vault) = (keyring(&world), world.ports.vault.clone());
    let sealed = ring.keys(&contoso()).await.unwrap().seal(&PLACE, b"words").unwrap();
    // Everything is of the newest version already.
    let keyrings = ring.rewrap(|_| {}).await.unwrap().keyrings;
    assert!(keyrings >= 2, "contoso and fabrikam");
    assert_eq!(ring.rewrap(|_| {}).await.unwrap().moved, 0);
    let version = vault.rotate(WRAPPING_KEY).await.unwrap();
    // Two at once, and one who leases seals meanwhile.
    let (other, third, tenant) = (keyring(&world), keyring(&world), contoso());
    let (one, two, keys) = futures::join!(ring.rewrap(|_| {}), other.rewrap(|_| {}), third.keys(&tenant));
    assert!(one.unwrap().moved + two.unwrap().moved >= 3 * keyrings);
    assert_eq!(keys.unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"words");
    let place = helpdesk::ids::partition(&TenantId::system(), Kind::Keyring);
    for document in world.ports.documents.scan(&Scan::prefix(&place, Slot::Id, "", 100)).await.unwrap() {
        let ring: serde_json::Value = serde_json::from_slice(&document.body).unwrap();
        assert!(ring["keys"].as_array().unwrap().iter().all(|key| key["vault_version"] == version.as_str()), "{}", document.id);
    }
    assert_eq!(keyring(&world).keys(&contoso()).await.unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"words");
    assert_eq!(ring.rewrap(|_| {}).await.unwrap().moved, 0);
}

#[tokio::test]
async fn a_keyring_that_does_not_open_is_named_and_keeps_no_other_from_being_moved() {
    let world = World::new().await;
    let ring = keyring(&world);
    ring.keys(&contoso()).await.unwrap();
    let place = helpdesk::ids::partition(&TenantId::system(), Kind::Keyring);
    let all = world.ports.documents.scan(&Scan::prefix(&place, Slot::Id, "", 100)).await.unwrap();
    let broken = all.iter().find(|document| document.id.contains("contoso")).unwrap().clone();
    let body = String::from_utf8(broken.body).unwrap().replace("\"wrapped\":\"", "\"wrapped\":\"AAAA");
    let document = NewDocument { id: broken.id.clone(), kind: broken.kind, keys: broken.keys, expires_at: None, body: body.into_bytes() };
    world.ports.documents.commit(&place, vec![Write::Replace { document, etag: broken.etag }]).await.unwrap();
    world.ports.vault.rotate(WRAPPING_KEY).await.unwrap();
    let done = ring.rewrap(|_| {}).await.unwrap();
    assert_eq!((done.keyrings, &done.closed), (all.len(), &vec![broken.id]));
    assert!(done.moved >= all.len() - 1, "{done:?}");
    assert_eq!(ring.rewrap(|_| {}).await.unwrap(), Rewrapped { moved: 0, ..done }, "what is moved stays so");
}
