//! The Key Vault adapter on a stand-in that speaks the challenge protocol and wraps as RSA-OAEP-256 does.

use std::sync::Arc;

use helpdesk::{
    adapters::azure::{key_vault::KeyVault, services::Services},
    ports::{Fault, Vault},
};

use super::worlds::World;
use crate::support::azure::{Anyone, KeyVaultServer, Loopback, VAULT};

/// With the wrapping keys and the secret that the contract speaks of.
pub async fn key_vault() -> World {
    let (_, vault) = started().await;
    for key in ["tenants", "backups"] {
        assert_eq!(vault.make_key(key).await, Ok(true));
    }
    World { vault: Some(Arc::new(vault)), ..World::default() }
}

async fn started() -> (Arc<KeyVaultServer>, KeyVault) {
    let server = Arc::new(KeyVaultServer::default());
    server.keep("token-issuer", &[7; 32]);
    let services = Services::with(Arc::new(Anyone), Loopback::to(server.start().await));
    (server, KeyVault::new(VAULT, &services).unwrap())
}

#[tokio::test]
async fn without_a_wrapping_key_the_fault_says_what_to_do() {
    let (_server, vault) = started().await;
    let fault = vault.wrap("tenants", b"key").await.unwrap_err();
    assert!(matches!(&fault, Fault::Unavailable(words) if words.contains("helpdesk keys init")), "{fault}");
}

#[tokio::test]
async fn a_secret_of_text_comes_as_it_is_and_the_newest_one_first() {
    let (server, vault) = started().await;
    server.keep_text("smtp-password", "first");
    let first = vault.secret("smtp-password", None).await.unwrap().unwrap();
    server.keep_text("smtp-password", "second");
    assert_eq!(*vault.secret("smtp-password", None).await.unwrap().unwrap().value, b"second");
    assert_eq!(*vault.secret("smtp-password", Some(&first.version)).await.unwrap().unwrap().value, b"first");
}

#[tokio::test]
async fn names_that_would_change_the_address_are_refused() {
    let (_server, vault) = started().await;
    for wrong in ["", "a/b", "a?b", "..", "ä", &"a".repeat(128)] {
        assert!(matches!(vault.wrap(wrong, b"key").await, Err(Fault::Corrupt(_))), "{wrong}");
        assert!(matches!(vault.secret(wrong, None).await, Err(Fault::Corrupt(_))), "{wrong}");
        assert!(vault.secret("token-issuer", Some(wrong)).await.unwrap().is_none(), "{wrong}");
    }
}
