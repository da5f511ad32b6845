//! The settings, as the README's table and `local.settings.sample.json` list them.

/// A setting, as the README's table and `local.settings.sample.json` list it.
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub what: &'static str,
}

pub(super) const PORT: Setting =
    Setting { name: "FUNCTIONS_CUSTOMHANDLER_PORT", default: "", what: "Port of the handler on 127.0.0.1; set by the Functions host" };
pub(super) const DATA: Setting =
    Setting { name: "HELPDESK_DATA", default: "", what: "Folder of the embedded parts; they are used instead of Azure's" };
pub(super) const COSMOS: Setting = Setting {
    name: "HELPDESK_COSMOS",
    default: "",
    what: "Azure: address of the Cosmos DB account, `https://ACCOUNT.documents.azure.com/`; its database is `helpdesk`, the container `documents`",
};
pub(super) const BLOBS: Setting =
    Setting { name: "HELPDESK_BLOBS", default: "", what: "Azure: address of the data account's blobs, `https://ACCOUNT.blob.core.windows.net/`" };
pub(super) const BACKUPS: Setting =
    Setting { name: "HELPDESK_BACKUPS", default: "", what: "Azure: the same of the account for backups, in which the application cannot delete" };
pub(super) const QUEUES: Setting = Setting {
    name: "HELPDESK_QUEUES__queueServiceUri",
    default: "",
    what: "Azure: address of the data account's queues, `https://ACCOUNT.queue.core.windows.net/`; the Functions host reads it too",
};
pub(super) const VAULT: Setting =
    Setting { name: "HELPDESK_VAULT", default: "", what: "Azure: address of the Key Vault, `https://NAME.vault.azure.net/`" };
pub(super) const LOGS: Setting = Setting {
    name: "HELPDESK_LOGS",
    default: "",
    what: "Azure: customer id of the Log Analytics workspace that holds the application's log, a UUID",
};
pub(super) const CLIENT_ID: Setting =
    Setting { name: "AZURE_CLIENT_ID", default: "", what: "Azure: client id of the user-assigned identity that calls the services" };
pub(super) const IDENTITY_ENDPOINT: Setting =
    Setting { name: "IDENTITY_ENDPOINT", default: "", what: "Set by Azure where there is a managed identity, which is then used" };
pub(super) const FEDERATED_TOKEN: Setting =
    Setting { name: "AZURE_FEDERATED_TOKEN_FILE", default: "", what: "Set by Kubernetes where there is a workload identity, which is then used" };
pub(super) const SMTP_USER: Setting = Setting {
    name: "HELPDESK_SMTP_USER",
    default: "",
    what: "Name to log in with at the SMTP server; the password is the vault's secret `smtp-password`",
};
pub(super) const SMTP_URL: Setting = Setting {
    name: "HELPDESK_SMTP_URL",
    default: "",
    what: "Mail out goes to this server, `smtp://HOST:PORT` (with TLS when `?tls=required` follows) or `smtps://USER:PASSWORD@HOST:PORT`; without it, to files in DATA/outbox",
};
pub(super) const LOG: Setting =
    Setting { name: "HELPDESK_LOG", default: "info", what: "Least level that is logged: error, warn, info, debug or trace" };
pub(super) const KEY_CACHE: Setting =
    Setting { name: "HELPDESK_KEY_CACHE_SECONDS", default: "600", what: "How long a tenant's unwrapped keys stay in memory, 60 to 3600" };
pub(super) const MAIL_IN_FLIGHT: Setting = Setting {
    name: "HELPDESK_MAIL_IN_FLIGHT_BYTES",
    default: "134217728",
    what: "Memory for mails in work, counted as four times their size, and twice as much for files over HTTP; more waits. At least 36700160",
};

pub(super) const ENTRA_APPLICATION: Setting = Setting {
    name: "HELPDESK_ENTRA_APPLICATION",
    default: "",
    what: "Application id in Entra ID: its access tokens (v2.0) are accepted, and no others; without it, the local issuer's. Needs the `azure` feature",
};
pub(super) const VENDOR_TENANT: Setting = Setting {
    name: "HELPDESK_VENDOR_TENANT",
    default: "vendor",
    what: "The vendor's own Entra tenant, as it stands in a token's `tid`: only its people are operators. `vendor` is for the local issuer",
};

/// All settings in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    PORT,
    DATA,
    COSMOS,
    BLOBS,
    BACKUPS,
    QUEUES,
    VAULT,
    LOGS,
    CLIENT_ID,
    IDENTITY_ENDPOINT,
    FEDERATED_TOKEN,
    ENTRA_APPLICATION,
    VENDOR_TENANT,
    SMTP_URL,
    SMTP_USER,
    LOG,
    KEY_CACHE,
    MAIL_IN_FLIGHT,
];

/// Those that name Azure's services, in the order of [`Azure`](super::Azure).
pub(super) const SERVICES: [&Setting; 5] = [&COSMOS, &BLOBS, &BACKUPS, &QUEUES, &VAULT];
