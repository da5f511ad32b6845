//! Every setting, read once from the environment, as Azure's app settings are. A wrong one ends the start with one line that names all faults.

mod settings;

use std::{collections::HashMap, env::VarError, fmt, net::Ipv4Addr, ops::RangeInclusive, path::PathBuf, time::Duration};

use tracing::level_filters::LevelFilter;
use url::Url;

use settings::{
    CLIENT_ID, DATA, ENTRA_APPLICATION, FEDERATED_TOKEN, IDENTITY_ENDPOINT, KEY_CACHE, LOG, LOGS, MAIL_IN_FLIGHT, PORT, SERVICES, SMTP_URL,
    SMTP_USER, VENDOR_TENANT,
};
pub use settings::{SETTINGS, Setting};

use crate::{ids::TenantId, ports::SmtpServer};

/// The exit code of a start with wrong settings (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;
/// How a handler ends when it is told to: the Functions host starts it anew and counts no failure. After 0 it would not, and fail all that comes.
pub const EXIT_RESTART: u8 = 200;

/// Where Azure's services are, each as its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    pub cosmos: String,
    pub blobs: String,
    pub backups: String,
    pub queues: String,
    pub vault: String,
    /// The workspace, by its id.
    pub logs: String,
    pub identity: AzureIdentity,
}

/// Who this process is to Azure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureIdentity {
    /// The identity of the Function App; the one with this client id, if it has several.
    Managed { client_id: Option<String> },
    /// A Kubernetes workload's, as its environment says.
    Workload,
    /// Whoever is logged in with `az` or `azd`.
    Developer,
}

/// What the process was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Set by the Functions host; its presence makes this process a handler.
    pub port: Option<u16>,
    pub data: Option<PathBuf>,
    /// There unless `data` names a folder; `None` too where nothing names a service and no host waits for a handler. An error ends a command that
    /// needs Azure; a handler has ended before.
    pub azure: Option<Result<Azure, WrongSettings>>,
    pub entra_application: Option<String>,
    pub vendor_tenant: String,
    pub smtp_url: Option<Secret<String>>,
    pub smtp_user: Option<String>,
    pub log: LevelFilter,
    pub key_cache: Duration,
    pub mail_in_flight_bytes: u32,
    /// Names that begin as ours do and are none: misspelt, or another version's. They are told, and change nothing.
    pub unknown: Vec<String>,
}

/// A value that never prints.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Secret(value)
    }

    /// The value, for the one place that needs it.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Everything that is wrong with the settings, on one line: the host shows few.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wrong settings: {}", .0.join("; "))]
pub struct WrongSettings(Vec<String>);

impl Config {
    /// Reads the process's environment.
    pub fn from_environment() -> Result<Self, WrongSettings> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let (get, names) = (|name: &str| std::env::var(name), std::env::vars_os());
        let no_text = SETTINGS.iter().filter(|setting| matches!(get(setting.name), Err(VarError::NotUnicode(_))));
        let faults: Vec<String> = no_text.map(|setting| fault(setting, "is no text in UTF-8")).collect();
        if !faults.is_empty() {
            return Err(WrongSettings(faults));
        }
        let config = Self::read(|name| get(name).ok())?;
        Ok(Config { unknown: unknown(names.filter_map(|(name, _)| name.into_string().ok())), ..config })
    }

    /// Reads settings from anywhere. An empty value is an absent one.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, WrongSettings> {
        let mut texts = Texts::read(get);
        let port = texts.port();
        let names_services = SERVICES.iter().any(|setting| texts.has(setting));
        let in_azure = !texts.has(&DATA) && (port.is_some() || names_services);
        if texts.has(&DATA) && port.is_some() && names_services {
            texts.fault(&DATA, "names a folder, and other settings name Azure's services: a handler has one or the other");
        }
        let azure = in_azure.then(|| texts.azure());
        texts.check_directories(in_azure);
        texts.check_smtp();
        let log = texts.log_level();
        let key_cache_seconds = texts.number(&KEY_CACHE, "seconds", 60..=3600);
        let mail_in_flight_bytes = texts.number(&MAIL_IN_FLIGHT, "bytes", 36_700_160..=2_147_483_648);
        // A command may be told a folder by its arguments, which come later; the handler has nothing else.
        if let Some(Err(WrongSettings(wrong))) = &azure
            && (port.is_some() || !texts.faults.is_empty())
        {
            texts.faults.extend_from_slice(wrong);
        }
        if !texts.faults.is_empty() {
            return Err(WrongSettings(texts.faults));
        }
        Ok(Config {
            port,
            azure,
            data: texts.optional(&DATA).map(PathBuf::from),
            entra_application: texts.optional(&ENTRA_APPLICATION).map(|id| id.to_lowercase()),
            vendor_tenant: texts.vendor_tenant(),
            smtp_user: texts.optional(&SMTP_USER),
            smtp_url: texts.optional(&SMTP_URL).map(Secret::new),
            log,
            key_cache: Duration::from_secs(key_cache_seconds.into()),
            mail_in_flight_bytes,
            unknown: Vec::new(),
        })
    }

    /// Where the handler listens: nowhere but on this machine.
    pub fn address(port: u16) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, port)
    }
}

/// Of these names those that could be meant for us and that nobody reads. The Functions host reads more about the queues.
fn unknown(names: impl Iterator<Item = String>) -> Vec<String> {
    let is_unknown = |name: &String| {
        name.starts_with("HELPDESK_") && !name.starts_with("HELPDESK_QUEUES") && SETTINGS.iter().all(|setting| setting.name != name.as_str())
    };
    let mut unknown: Vec<String> = names.filter(is_unknown).collect();
    unknown.sort();
    unknown
}

/// What the settings say, and what is wrong with them.
struct Texts {
    by_name: HashMap<&'static str, String>,
    faults: Vec<String>,
}

impl Texts {
    fn read(get: impl Fn(&str) -> Option<String>) -> Texts {
        let text = |setting: &Setting| get(setting.name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let text_or_default = |setting: &'static Setting| (setting.name, text(setting).unwrap_or_else(|| setting.default.to_owned()));
        Texts { by_name: SETTINGS.iter().map(text_or_default).collect(), faults: Vec::new() }
    }

    fn text(&self, setting: &Setting) -> &str {
        self.by_name.get(setting.name).map_or("", String::as_str)
    }

    fn has(&self, setting: &Setting) -> bool {
        !self.text(setting).is_empty()
    }

    fn optional(&self, setting: &Setting) -> Option<String> {
        Some(self.text(setting).to_owned()).filter(|text| !text.is_empty())
    }

    fn fault(&mut self, setting: &Setting, why: &str) {
        self.faults.push(fault(setting, why));
    }

    fn port(&mut self) -> Option<u16> {
        let text = self.text(&PORT);
        let port = text.parse().ok().filter(|port| *port > 0);
        if port.is_none() && !text.is_empty() {
            self.fault(&PORT, "is no port number (1 to 65535)");
        }
        port
    }

    /// 0 is no number of any setting, and stands for a fault.
    fn number(&mut self, setting: &Setting, unit: &str, range: RangeInclusive<u32>) -> u32 {
        let number = self.text(setting).parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(setting, &format!("is no number of {unit} from {} to {}", range.start(), range.end()));
        }
        number.unwrap_or_default()
    }

    fn log_level(&mut self) -> LevelFilter {
        match self.text(&LOG) {
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => {
                self.fault(&LOG, "is none of error, warn, info, debug, trace");
                LevelFilter::INFO
            }
        }
    }

    fn vendor_tenant(&self) -> String {
        self.text(&VENDOR_TENANT).to_lowercase()
    }

    fn identity(&self) -> AzureIdentity {
        // Without its endpoint a managed identity would be looked for at an address of the network.
        if self.has(&IDENTITY_ENDPOINT) {
            AzureIdentity::Managed { client_id: self.optional(&CLIENT_ID) }
        } else if self.has(&FEDERATED_TOKEN) {
            AzureIdentity::Workload
        } else {
            AzureIdentity::Developer
        }
    }

    /// The services, or what is wrong with their settings.
    fn azure(&self) -> Result<Azure, WrongSettings> {
        let mut faults = Vec::new();
        let mut fault = |setting: &Setting, why: &str| faults.push(fault(setting, why));
        for setting in SERVICES {
            if self.has(setting) && !is_address(self.text(setting)) {
                fault(setting, "is no address that begins with https://");
            }
        }
        let wanted = SERVICES.iter().copied().chain([&LOGS, &ENTRA_APPLICATION, &SMTP_URL]);
        let missing: Vec<&str> = wanted.filter(|setting| !self.has(setting)).map(|setting| setting.name).collect();
        if !missing.is_empty() {
            fault(&DATA, &format!("names no folder, and of Azure's services these are missing: {}", missing.join(", ")));
        }
        if self.identity() == AzureIdentity::Developer && self.has(&CLIENT_ID) {
            fault(&CLIENT_ID, "names an identity, and neither IDENTITY_ENDPOINT nor AZURE_FEDERATED_TOKEN_FILE says where its tokens come from");
        }
        if self.has(&LOGS) && !is_uuid(self.text(&LOGS)) {
            fault(&LOGS, "is no UUID");
        }
        if !is_uuid(self.text(&VENDOR_TENANT)) {
            fault(&VENDOR_TENANT, "names no Entra tenant, which is a UUID");
        }
        if !faults.is_empty() {
            return Err(WrongSettings(faults));
        }
        let [cosmos, blobs, backups, queues, vault] = SERVICES.map(|setting| self.text(setting).to_owned());
        Ok(Azure { cosmos, blobs, backups, queues, vault, logs: self.text(&LOGS).to_owned(), identity: self.identity() })
    }

    /// What a token's `aud` and `tid` are compared with. On Azure the vendor's tenant is one of Entra.
    fn check_directories(&mut self, in_azure: bool) {
        if self.has(&ENTRA_APPLICATION) && !is_uuid(self.text(&ENTRA_APPLICATION)) {
            self.fault(&ENTRA_APPLICATION, "is no UUID");
        }
        if !in_azure && self.vendor_tenant().parse::<TenantId>().is_err() {
            self.fault(&VENDOR_TENANT, "is no tenant's id (2 to 40 of a-z, 0-9 and -, as a UUID is)");
        }
    }

    fn check_smtp(&mut self) {
        if !self.has(&SMTP_URL) {
            if self.has(&SMTP_USER) {
                self.fault(&SMTP_USER, "is set, and HELPDESK_SMTP_URL names no server to log in at");
            }
            return;
        }
        let Ok(server) = SmtpServer::parse(self.text(&SMTP_URL)) else {
            return self
                .fault(&SMTP_URL, "is no smtp://HOST:PORT, smtp://HOST:PORT?tls=required or smtps://USER:PASSWORD@HOST:PORT (percent-encoded)");
        };
        let has_login = server.login.is_some();
        if (self.has(&SMTP_USER) || has_login) && !server.is_private() {
            self.fault(&SMTP_URL, "would send a password in clear: begin it with smtps://, or end it in ?tls=required");
        }
        if self.has(&SMTP_USER) && has_login {
            self.fault(&SMTP_USER, "is set, and HELPDESK_SMTP_URL names a user too");
        }
    }
}

fn fault(setting: &Setting, why: &str) -> String {
    format!("{} {why}", setting.name)
}

/// Of a service: TLS, but on this machine.
fn is_address(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let is_private = url.scheme() == "https" || url.scheme() == "http" && is_here(&url);
    url.has_host() && is_plain && is_private
}

fn is_here(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost"))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_meant_for_us_are_told() {
        let names =
            ["HELPDESK_STMP_URL", "HELPDESK_DATA", "HELPDESK_QUEUES", "HELPDESK_QUEUES__credential", "PATH", "HELPDESK_BOGUS", "AZURE_CLIENT_ID"];
        assert_eq!(unknown(names.into_iter().map(str::to_owned)), ["HELPDESK_BOGUS", "HELPDESK_STMP_URL"]);
    }

    fn read(settings: &[(&str, &str)]) -> Result<Config, WrongSettings> {
        Config::read(|name| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_settings_the_defaults_hold() {
        let config = read(&[]).unwrap();
        assert_eq!((config.port, config.data, config.log), (None, None, LevelFilter::INFO));
        assert_eq!((config.key_cache, config.mail_in_flight_bytes), (Duration::from_secs(600), 134_217_728));
    }

    #[test]
    fn one_line_names_all_faults_and_no_value() {
        let fault = read(&[("HELPDESK_LOG", "loud"), ("HELPDESK_KEY_CACHE_SECONDS", "-1"), ("HELPDESK_SMTP_URL", "user:secret@host")]).unwrap_err();
        let line = fault.to_string();
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains("HELPDESK_LOG") && line.contains("HELPDESK_KEY_CACHE_SECONDS") && line.contains("HELPDESK_SMTP_URL"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }

    #[test]
    fn a_secret_never_prints() {
        let config = read(&[("HELPDESK_SMTP_URL", "smtps://user:hidden@mail.example:465")]).unwrap();
        assert!(!format!("{config:?}").contains("hidden"));
    }

    const AZURE: [(&str, &str); 9] = [
        ("HELPDESK_COSMOS", "https://helpdesk.documents.azure.com/"),
        ("HELPDESK_BLOBS", "https://data.blob.core.windows.net/"),
        ("HELPDESK_BACKUPS", "https://backups.blob.core.windows.net/"),
        ("HELPDESK_QUEUES__queueServiceUri", "https://data.queue.core.windows.net/"),
        ("HELPDESK_VAULT", "https://helpdesk.vault.azure.net/"),
        ("HELPDESK_LOGS", "6d9f3c1e-6a55-4c1b-9b8a-2f1f6c2b9a10"),
        ("HELPDESK_ENTRA_APPLICATION", "5c0e5e0e-2b0f-4d2c-a5b5-6f0a3a0b7f11"),
        ("HELPDESK_VENDOR_TENANT", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("HELPDESK_SMTP_URL", "smtp://smtp.azurecomm.net:587?tls=required"),
    ];

    fn in_azure(settings: &[(&str, &str)]) -> Result<Azure, WrongSettings> {
        read(settings).unwrap().azure.unwrap()
    }

    #[test]
    fn azure_is_chosen_by_its_settings_and_a_folder_goes_before_it() {
        let azure = in_azure(&AZURE).unwrap();
        assert_eq!((azure.cosmos.as_str(), azure.identity), ("https://helpdesk.documents.azure.com/", AzureIdentity::Developer));
        let managed = [&AZURE[..], &[("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token"), ("AZURE_CLIENT_ID", "some-id")]].concat();
        assert_eq!(in_azure(&managed).unwrap().identity, AzureIdentity::Managed { client_id: Some("some-id".to_owned()) });
        assert_eq!(read(&[&AZURE[..], &[("HELPDESK_DATA", "folder")]].concat()).unwrap().azure, None);
        // It would be whoever is logged in.
        let nowhere = in_azure(&[&AZURE[..], &[("AZURE_CLIENT_ID", "some-id")]].concat()).unwrap_err().to_string();
        assert!(nowhere.contains("AZURE_CLIENT_ID names an identity"), "{nowhere}");
    }

    #[test]
    fn what_the_mailer_would_not_understand_ends_the_start() {
        for (url, is_one) in [
            ("smtp://mail.example", true),
            ("smtp://mail.example:587?tls=required", true),
            ("smtps://user:secret@mail.example:465", true),
            ("smtp://mail.example?tls=perhaps", false),
            ("smtps://mail.example?tls=required", false),
            ("http://mail.example", false),
            ("smtps://user@mail.example", false),
            ("smtps://user:%ff@mail.example", false),
            ("smtp://mail.example:99999", false),
            ("smtp://mail.example:0", false),
            ("smtp://", false),
            ("smtp://mail.example/inbox", false),
        ] {
            assert_eq!(read(&[("HELPDESK_DATA", "folder"), ("HELPDESK_SMTP_URL", url)]).is_ok(), is_one, "{url}");
        }
    }

    #[test]
    fn what_would_be_ignored_or_fit_no_token_ends_the_start() {
        for (setting, value, is_taken) in [
            ("HELPDESK_SMTP_USER", "user", false),
            ("HELPDESK_VENDOR_TENANT", "not a tenant !!", false),
            ("HELPDESK_VENDOR_TENANT", "sys", false),
            ("HELPDESK_VENDOR_TENANT", "Our-Own", true),
            ("HELPDESK_VENDOR_TENANT", "0F8FAD5B-D9CB-469F-A165-70867728950E", true),
            ("HELPDESK_ENTRA_APPLICATION", "helpdesk", false),
            ("HELPDESK_ENTRA_APPLICATION", "5C0E5E0E-2b0f-4d2c-a5b5-6f0a3a0b7f11", true),
        ] {
            let read = read(&[("HELPDESK_DATA", "folder"), (setting, value)]);
            assert_eq!(read.is_ok(), is_taken, "{setting} {value}");
            assert!(read.err().is_none_or(|fault| fault.to_string().contains(setting)), "{setting}");
        }
        for (setting, value) in [("HELPDESK_VENDOR_TENANT", "our-own"), ("HELPDESK_ENTRA_APPLICATION", "helpdesk"), ("HELPDESK_LOGS", "logs")] {
            let rest: Vec<_> = AZURE.into_iter().filter(|(name, _)| *name != setting).collect();
            let handler = [&rest[..], &[(setting, value), ("FUNCTIONS_CUSTOMHANDLER_PORT", "7071")]].concat();
            let line = read(&handler).unwrap_err().to_string();
            assert!(line.contains(setting) && line.contains("UUID"), "{line}");
        }
    }

    #[test]
    fn of_azure_all_is_wanted_or_nothing() {
        for (at, (missing, _)) in AZURE.iter().enumerate() {
            let rest = [&AZURE[..at], &AZURE[at + 1..]].concat();
            let line = in_azure(&rest).unwrap_err().to_string();
            assert!(line.contains(missing) && !line.contains("azure.net"), "{missing}: {line}");
            // A handler ends at its start; a command may be told a folder.
            assert_eq!(read(&[&rest[..], &[("FUNCTIONS_CUSTOMHANDLER_PORT", "7071")]].concat()).unwrap_err().to_string(), line);
        }
        // A handler has no folder of its own.
        let line = read(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "7071")]).unwrap_err().to_string();
        assert!(line.contains("HELPDESK_DATA") && AZURE.iter().all(|(name, _)| line.contains(name)), "{line}");
        let both = [&AZURE[..], &[("FUNCTIONS_CUSTOMHANDLER_PORT", "7071"), ("HELPDESK_DATA", "folder")]].concat();
        assert!(read(&both).unwrap_err().to_string().contains("HELPDESK_DATA"), "a handler that would work beside its queues");
        for wrong in
            ["http://helpdesk.documents.azure.com/", "http://127.0.0.1:1@helpdesk.documents.azure.com/", "https://", "https://user:word@host/"]
        {
            let line = in_azure(&[&AZURE[1..], &[("HELPDESK_COSMOS", wrong)]].concat()).unwrap_err().to_string();
            assert!(line.contains("HELPDESK_COSMOS is no address"), "{wrong}");
        }
    }

    #[test]
    fn a_password_goes_over_tls_or_nowhere() {
        for (url, is_taken) in [
            ("smtp://mail.example:587", false),
            ("smtp://mail.example:587?tls=opportunistic", false),
            ("smtp://mail.example:587?tls=required", true),
            ("smtps://mail.example", true),
            ("smtp://127.0.0.1:25", true),
            ("smtp://127.0.0.1:25@mail.example:25", false),
            ("smtp://mail.example:587#?tls=required", false),
            ("smtp://mail.example:587/@127.0.0.1:", false),
            ("smtp://127.0.0.1.mail.example", false),
        ] {
            assert_eq!(read(&[("HELPDESK_SMTP_USER", "user"), ("HELPDESK_SMTP_URL", url)]).is_ok(), is_taken, "{url}");
        }
        assert!(read(&[("HELPDESK_SMTP_URL", "smtp://user:password@mail.example:587")]).is_err());
        assert!(read(&[("HELPDESK_SMTP_URL", "smtp://user:password@mail.example:587?tls=required")]).is_ok());
    }
}
