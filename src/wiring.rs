//! The ONLY file that names adapters: which parts stand behind the ports.

mod checks;

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use time::Duration;

use crate::{
    access::Role,
    adapters::{
        embedded::{Claims, FileVault, FolderMailer, HostLock, LocalIssuer, LogFiles, OpenError, Store, SystemClock, SystemEntropy},
        smtp::SmtpMailer,
    },
    config::{Azure, Config},
    functions::App,
    ids::TenantId,
    keys::Keyring,
    ports::{Blobs, Clock, Entropy, Identity, Mailer, Ports, Vault},
    tickets::Desk,
};

pub use crate::adapters::embedded::unique_name;

pub use checks::Check;

/// What a process wants of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To serve it; one process at a time.
    Host,
    /// To look or change something beside the one that serves.
    Visit,
}

/// The house, and what keeps others from serving it.
pub struct House {
    pub app: Arc<App>,
    /// The account of the backups; the embedded parts have none yet.
    pub backups: Option<Arc<dyn Blobs>>,
    /// It stands in a folder.
    pub is_embedded: bool,
    _lock: Option<HostLock>,
}

/// The house that the settings describe.
pub async fn house(config: &Config, purpose: Purpose) -> Result<House> {
    match (&config.data, &config.azure) {
        (Some(folder), _) => embedded(config, folder, purpose).await,
        (None, Some(services)) => azure(config, services.as_ref().map_err(Clone::clone)?),
        (None, None) => bail!("HELPDESK_DATA names no folder, and nothing names Azure's services"),
    }
}

/// Calls nobody yet: each client connects when it is first needed, or looked at by [`House::checks`].
#[cfg(feature = "azure")]
fn azure(config: &Config, azure: &Azure) -> Result<House> {
    use crate::adapters::azure::{
        blob::AzureBlobs, cosmos::CosmosDocuments, entra::Entra, key_vault::KeyVault, log_analytics::LogAnalytics, queue::AzureQueues,
        services::Services,
    };
    use crate::config::AzureIdentity;

    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let services = match azure.identity.clone() {
        AzureIdentity::Managed { client_id } => Services::of_managed_identity(client_id),
        AzureIdentity::Workload => Services::of_workload(),
        AzureIdentity::Developer => Services::of_developer(),
    }?;
    let vault: Arc<dyn Vault> = Arc::new(KeyVault::new(&azure.vault, &services)?);
    let application = config.entra_application.as_deref().context("HELPDESK_ENTRA_APPLICATION is missing")?;
    let ports = Ports {
        documents: Arc::new(CosmosDocuments::new(&azure.cosmos, &services, clock.clone())?),
        blobs: Arc::new(AzureBlobs::new(&azure.blobs, &services)?),
        queues: Arc::new(AzureQueues::new(&azure.queues, &services)?),
        logs: Arc::new(LogAnalytics::new(&azure.logs, &services)?),
        mailer: smtp(config, vault.clone())?.context("HELPDESK_SMTP_URL is missing")?,
        vault,
        identity: Arc::new(Entra::with(services.transport(), application.to_owned(), clock.clone())),
        clock,
        entropy,
    };
    let backups = Some(Arc::new(AzureBlobs::new(&azure.backups, &services)?) as Arc<dyn Blobs>);
    Ok(House { app: app(ports, config), backups, is_embedded: false, _lock: None })
}

#[cfg(not(feature = "azure"))]
fn azure(_config: &Config, _azure: &Azure) -> Result<House> {
    bail!("the settings name Azure's services, and this build knows none: build it with `--features azure`")
}

fn smtp(config: &Config, vault: Arc<dyn Vault>) -> Result<Option<Arc<dyn Mailer>>> {
    let Some(url) = &config.smtp_url else { return Ok(None) };
    let mailer = match &config.smtp_user {
        Some(user) => SmtpMailer::with_login(url.reveal(), user, vault),
        None => SmtpMailer::new(url.reveal()),
    };
    Ok(Some(Arc::new(mailer.context("HELPDESK_SMTP_URL")?)))
}

async fn embedded(config: &Config, folder: &Path, purpose: Purpose) -> Result<House> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    keys_are_there(folder)?;
    // Before the store: a folder with a store and no keys is then one that has lost them, not one that is half made.
    let vault = Arc::new(FileVault::open(folder, entropy.clone())?);
    let store = Arc::new(Store::open(folder, clock.clone())?);
    let lock = match purpose {
        Purpose::Host => {
            let lock = HostLock::acquire(folder)?;
            store.end_leases().await?;
            FolderMailer::delete_half_written(folder);
            Some(lock)
        }
        Purpose::Visit => None,
    };
    let issuer: Arc<dyn Identity> = match &config.entra_application {
        Some(application) => entra(application, clock.clone())?,
        None => Arc::new(issuer(vault.as_ref()).await?),
    };
    let mailer = match smtp(config, vault.clone())? {
        Some(mailer) => mailer,
        None => Arc::new(FolderMailer::open(folder, clock.clone(), entropy.clone())?),
    };
    let ports = Ports {
        documents: store.clone(),
        blobs: store.clone(),
        queues: store,
        vault,
        mailer,
        identity: issuer,
        logs: Arc::new(LogFiles::new(folder)),
        clock,
        entropy,
    };
    Ok(House { app: app(ports, config), backups: None, is_embedded: true, _lock: lock })
}

/// Fails unless a help desk was made in this folder: who only visits it makes none.
pub fn stands(folder: &Path) -> Result<()> {
    let file = folder.join(Store::FILE);
    if !file.try_exists().with_context(|| format!("{} cannot be looked at", file.display()))? {
        bail!("there is no help desk in {}: start `helpdesk dev` first, or name its folder with --data", folder.display());
    }
    keys_are_there(folder)
}

/// The store is looked at first: another process that makes the house now makes the keys before it.
fn keys_are_there(folder: &Path) -> Result<()> {
    if folder.join(Store::FILE).exists() && !folder.join(FileVault::FILE).exists() {
        return Err(OpenError::KeysLost(folder.join(FileVault::FILE)).into());
    }
    Ok(())
}

/// The app on any ports.
pub fn app(ports: Ports, config: &Config) -> Arc<App> {
    let keyring = Arc::new(Keyring::new(&ports, config.key_cache));
    let desk = Desk::new(ports.clone(), keyring.clone(), config.mail_in_flight_bytes);
    Arc::new(App { ports, keyring, desk, vendor: config.vendor_tenant.clone() })
}

/// A token of the local issuer for anyone in a tenant. Whoever may read the key file may be anyone.
/// The folder [`stands`].
pub async fn local_token(folder: &Path, tenant: &TenantId, role: Role, address: Option<&str>, valid_for: Duration) -> Result<String> {
    let issuer = issuer(&FileVault::open(folder, Arc::new(SystemEntropy))?).await?;
    let now = SystemClock.now().unix_timestamp();
    // Who has an address is somebody of his own, and no subject shows one.
    let person = address.map(|address| Sha256::digest(address.to_lowercase()).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
    let claims = Claims {
        iss: issuer.issuer().to_owned(),
        aud: LocalIssuer::AUDIENCE.to_owned(),
        sub: person.map_or_else(|| format!("local-{}", role.name()), |person| format!("local-{}-{person}", role.name())),
        tid: tenant.to_string(),
        roles: vec![role.name().to_owned()],
        upn: address.map(str::to_lowercase),
        iat: now,
        nbf: now,
        exp: now + valid_for.whole_seconds(),
    };
    Ok(issuer.mint(&claims)?)
}

#[cfg(feature = "azure")]
fn entra(application: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Identity>> {
    Ok(Arc::new(crate::adapters::azure::entra::Entra::new(application.to_owned(), clock)))
}

#[cfg(not(feature = "azure"))]
fn entra(_application: &str, _clock: Arc<dyn Clock>) -> Result<Arc<dyn Identity>> {
    bail!("HELPDESK_ENTRA_APPLICATION is set, and this build knows no Entra: build it with `--features azure`")
}

async fn issuer(vault: &FileVault) -> Result<LocalIssuer> {
    let secret = vault.secret(LocalIssuer::SECRET, None).await?.context("the key file holds no key for the token issuer")?;
    Ok(LocalIssuer::new(&secret)?)
}
