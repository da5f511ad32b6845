//! What `Vault` promises.

use helpdesk::ports::{Fault, Wrapped};

use super::worlds::World;

pub async fn what_was_wrapped_opens(world: &World) {
    for bytes in [0, 1, 32, 190] {
        let wrapped = world.vault().wrap("tenants", &vec![7; bytes]).await.unwrap();
        assert_eq!(*world.vault().unwrap("tenants", &wrapped).await.unwrap(), vec![7; bytes]);
    }
}

pub async fn a_changed_or_foreign_wrapping_is_refused(world: &World) {
    let vault = world.vault();
    let wrapped = vault.wrap("tenants", b"a data key of a tenant").await.unwrap();
    let other = vault.wrap("backups", b"another key").await.unwrap();
    assert!(matches!(vault.unwrap("backups", &wrapped).await, Err(Fault::Corrupt(_))));
    assert!(matches!(vault.unwrap("unheard-of", &wrapped).await, Err(Fault::Corrupt(_))));
    assert!(matches!(vault.unwrap("tenants", &Wrapped { version: other.version, ..wrapped.clone() }).await, Err(Fault::Corrupt(_))));
    assert!(matches!(vault.unwrap("tenants", &Wrapped { bytes: vec![], ..wrapped.clone() }).await, Err(Fault::Corrupt(_))));
    for at in 0..wrapped.bytes.len() {
        let mut changed = wrapped.clone();
        changed.bytes[at] ^= 1;
        assert!(matches!(vault.unwrap("tenants", &changed).await, Err(Fault::Corrupt(_))), "byte {at}");
    }
}

pub async fn no_wrapping_is_like_another(world: &World) {
    let (first, second) = (world.vault().wrap("tenants", b"key").await.unwrap(), world.vault().wrap("tenants", b"key").await.unwrap());
    assert_eq!(first.version, second.version);
    assert_ne!(first.bytes, second.bytes);
}

pub async fn too_many_bytes_are_refused(world: &World) {
    assert!(matches!(world.vault().wrap("tenants", &[0; 191]).await, Err(Fault::Corrupt(_))));
}

pub async fn an_unknown_secret_is_absent(world: &World) {
    assert!(world.vault().secret("unheard-of", None).await.unwrap().is_none());
    assert!(world.vault().secret("token-issuer", Some("unheard-of")).await.unwrap().is_none());
}

pub async fn a_secret_is_read_by_its_version(world: &World) {
    let newest = world.vault().secret("token-issuer", None).await.unwrap().unwrap();
    let same = world.vault().secret("token-issuer", Some(&newest.version)).await.unwrap().unwrap();
    assert_eq!(newest.value, same.value);
    assert_eq!(newest.value.len(), 32);
}

pub async fn a_rotated_key_wraps_anew_and_opens_what_it_wrapped_before(world: &World) {
    let vault = world.vault();
    let old = vault.wrap("tenants", b"old").await.unwrap();
    let version = vault.rotate("tenants").await.unwrap();
    let new = vault.wrap("tenants", b"new").await.unwrap();
    assert_eq!(new.version, version);
    assert_ne!(new.version, old.version);
    assert_eq!(**vault.unwrap("tenants", &old).await.unwrap(), *b"old");
    assert_eq!(**vault.unwrap("tenants", &new).await.unwrap(), *b"new");
}

pub async fn a_key_is_made_once(world: &World) {
    let vault = world.vault();
    assert_eq!(vault.make_key("another").await, Ok(true));
    let wrapped = vault.wrap("another", b"key").await.unwrap();
    assert_eq!(vault.make_key("another").await, Ok(false));
    assert_eq!(vault.wrap("another", b"key").await.unwrap().version, wrapped.version);
}
