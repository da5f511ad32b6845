//! The vault in Azure Key Vault: RSA keys that wrap and never leave it, and secrets, both with versions.
//!
//! What is NOT promised: that an old version opens for ever. It does until somebody disables or deletes it; `helpdesk keys rewrap` moves what it holds.

use async_trait::async_trait;
use azure_security_keyvault_keys::{
    KeyClient, KeyClientOptions, ResourceExt,
    models::{CreateKeyParameters, EncryptionAlgorithm, KeyOperation, KeyOperationParameters, KeyType},
};
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient, SecretClientOptions, models::SecretClientGetSecretOptions};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::services::{Failed, NotConfigured, Services, address, call, is_loopback};
use crate::ports::{Fault, Secret, Vault, WRAPPED_BYTES_MAX, Wrapped};

const SERVICE: &str = "Key Vault";
/// Bits of a wrapping key that we make, as `infra/modules/vault.bicep` has it. That it is made in hardware, and rotated every year, is the template's doing
/// alone.
const KEY_BITS: i32 = 3072;
/// The content type of a secret whose bytes are no text.
const BASE64: &str = "base64";
/// Letters of a key's or secret's name, and of a version.
const NAME_BYTES_MAX: usize = 127;

/// One key vault.
pub struct KeyVault {
    keys: KeyClient,
    secrets: SecretClient,
}

impl KeyVault {
    /// `endpoint` is the vault's, `https://NAME.vault.azure.net/`. Connects to nothing yet.
    pub fn new(endpoint: &str, services: &Services) -> Result<KeyVault, NotConfigured> {
        // A stand-in on this machine cannot have a name of Key Vault's; anything else must.
        let verify_challenge_resource = Some(!is_loopback(&address(SERVICE, endpoint)?));
        let options = KeyClientOptions { client_options: services.options(), verify_challenge_resource, ..KeyClientOptions::default() };
        let keys = KeyClient::new(endpoint, services.credential.clone(), Some(options)).map_err(|_| NotConfigured::Client(SERVICE))?;
        let options = SecretClientOptions { client_options: services.options(), verify_challenge_resource, ..SecretClientOptions::default() };
        let secrets = SecretClient::new(endpoint, services.credential.clone(), Some(options)).map_err(|_| NotConfigured::Client(SERVICE))?;
        Ok(KeyVault { keys, secrets })
    }
}

#[async_trait]
impl Vault for KeyVault {
    async fn wrap(&self, key: &str, plaintext: &[u8]) -> Result<Wrapped, Fault> {
        check_name(key)?;
        if plaintext.len() > WRAPPED_BYTES_MAX {
            return Err(Fault::Corrupt(format!("{} bytes are too many to be wrapped, at most {WRAPPED_BYTES_MAX}", plaintext.len())));
        }
        let wrapped = call(SERVICE, async { self.keys.wrap_key(key, operation(plaintext)?, None).await?.into_model() }).await;
        let wrapped = wrapped.map_err(|failed| match failed {
            failed if is_absent(&failed) => Fault::Unavailable(format!("{SERVICE} has no wrapping key {key}: run `helpdesk keys init`")),
            failed => failed.fault,
        })?;
        let version = wrapped.resource_id().ok().and_then(|id| id.version);
        match (version, wrapped.result) {
            (Some(version), Some(bytes)) => Ok(Wrapped { version, bytes }),
            _ => Err(unreadable()),
        }
    }

    async fn unwrap(&self, key: &str, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let refused = || Fault::Corrupt("a wrapped key was made by another wrapping key or has been changed".to_owned());
        check_name(key)?;
        // An empty version would be the newest.
        check_name(&wrapped.version).map_err(|_| refused())?;
        let opened = async { self.keys.unwrap_key(key, &wrapped.version, operation(&wrapped.bytes)?, None).await?.into_model() };
        match call(SERVICE, opened).await {
            Ok(opened) => opened.result.map(Zeroizing::new).ok_or_else(unreadable),
            Err(failed) if is_absent(&failed) || matches!(failed.fault, Fault::Corrupt(_)) => Err(refused()),
            Err(failed) => Err(failed.fault),
        }
    }

    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault> {
        check_name(name)?;
        if version.is_some_and(|version| check_name(version).is_err()) {
            return Ok(None);
        }
        let options = SecretClientGetSecretOptions { secret_version: version.map(str::to_owned), ..SecretClientGetSecretOptions::default() };
        let secret = match call(SERVICE, async { self.secrets.get_secret(name, Some(options)).await?.into_model() }).await {
            Ok(secret) => secret,
            Err(failed) if is_absent(&failed) => return Ok(None),
            Err(failed) => return Err(failed.fault),
        };
        let version = secret.resource_id().ok().and_then(|id| id.version).ok_or_else(unreadable)?;
        let text = Zeroizing::new(secret.value.ok_or_else(unreadable)?);
        let value = if secret.content_type.as_deref() == Some(BASE64) {
            STANDARD.decode(text.as_bytes()).map_err(|_| Fault::Corrupt("a secret that should be base64 is not".to_owned()))?
        } else {
            text.as_bytes().to_vec()
        };
        Ok(Some(Secret { version, value: Zeroizing::new(value) }))
    }

    async fn make_key(&self, key: &str) -> Result<bool, Fault> {
        check_name(key)?;
        match call(SERVICE, self.keys.get_key(key, None)).await {
            Ok(_) => return Ok(false),
            Err(failed) if is_absent(&failed) => {}
            Err(failed) => return Err(failed.fault),
        }
        let parameters = CreateKeyParameters {
            kty: Some(KeyType::Rsa),
            key_size: Some(KEY_BITS),
            key_ops: Some(vec![KeyOperation::WrapKey, KeyOperation::UnwrapKey]),
            ..CreateKeyParameters::default()
        };
        // Two who make it at once make two versions; what either wrapped opens.
        call(SERVICE, async { self.keys.create_key(key, parameters.try_into()?, None).await }).await.map_err(|failed| failed.fault)?;
        Ok(true)
    }

    async fn rotate(&self, key: &str) -> Result<String, Fault> {
        check_name(key)?;
        let made = call(SERVICE, async { self.keys.rotate_key(key, None).await?.into_model() }).await.map_err(|failed| failed.fault)?;
        made.resource_id().ok().and_then(|id| id.version).ok_or_else(unreadable)
    }
}

type Operation = azure_core::http::RequestContent<KeyOperationParameters>;

fn operation(value: &[u8]) -> azure_core::Result<Operation> {
    let algorithm = Some(EncryptionAlgorithm::RsaOaep256);
    KeyOperationParameters { algorithm, value: Some(value.to_vec()), ..KeyOperationParameters::default() }.try_into()
}

/// Names and versions go into an address: letters, digits and dashes, as Key Vault has it.
fn check_name(name: &str) -> Result<(), Fault> {
    let shape = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !shape {
        return Err(Fault::Corrupt(format!("a key's or secret's name is not 1 to {NAME_BYTES_MAX} letters, digits and dashes")));
    }
    Ok(())
}

fn is_absent(failed: &Failed) -> bool {
    failed.status.is_some_and(|status| u16::from(status) == 404)
}

fn unreadable() -> Fault {
    Fault::Unavailable(format!("{SERVICE} gave an answer that cannot be read"))
}
