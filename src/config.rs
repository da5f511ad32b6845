//! Every setting, read once from the environment, as Azure's app settings are. A wrong one ends the start with one line that names all faults.

use std::{fmt, net::Ipv4Addr, path::PathBuf, time::Duration};

use tracing::level_filters::LevelFilter;

/// The exit code of a start with wrong settings (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// A setting, as the README's table and `local.settings.sample.json` list it.
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub what: &'static str,
}

const PORT: Setting =
    Setting { name: "FUNCTIONS_CUSTOMHANDLER_PORT", default: "", what: "Port of the handler on 127.0.0.1; set by the Functions host" };
const DATA: Setting = Setting { name: "HELPDESK_DATA", default: "", what: "Folder of the embedded parts; they are used instead of Azure's" };
const SMTP_URL: Setting = Setting {
    name: "HELPDESK_SMTP_URL",
    default: "",
    what: "Mail out goes to this server, `smtp://HOST:PORT` or `smtps://USER:PASSWORD@HOST:PORT`; without it, to files in DATA/outbox",
};
const LOG: Setting = Setting { name: "HELPDESK_LOG", default: "info", what: "Least level that is logged: error, warn, info, debug or trace" };
const KEY_CACHE: Setting =
    Setting { name: "HELPDESK_KEY_CACHE_SECONDS", default: "600", what: "How long a tenant's unwrapped keys stay in memory, 60 to 3600" };
const MAIL_IN_FLIGHT: Setting = Setting {
    name: "HELPDESK_MAIL_IN_FLIGHT_BYTES",
    default: "134217728",
    what: "Memory for mails in work, counted as four times their size; more waits. At least 36700160",
};

const ENTRA_APPLICATION: Setting = Setting {
    name: "HELPDESK_ENTRA_APPLICATION",
    default: "",
    what: "Application id in Entra ID: its access tokens (v2.0) are accepted, and no others; without it, the local issuer's. Needs the `azure` feature",
};
const VENDOR_TENANT: Setting = Setting {
    name: "HELPDESK_VENDOR_TENANT",
    default: "vendor",
    what: "The vendor's own Entra tenant, as it stands in a token's `tid`: only its people are operators. `vendor` is for the local issuer",
};

/// All settings in the order of the documentation.
pub const SETTINGS: &[Setting] = &[PORT, DATA, ENTRA_APPLICATION, VENDOR_TENANT, SMTP_URL, LOG, KEY_CACHE, MAIL_IN_FLIGHT];

/// What the process was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Set by the Functions host; its presence makes this process a handler.
    pub port: Option<u16>,
    pub data: Option<PathBuf>,
    pub entra_application: Option<String>,
    pub vendor_tenant: String,
    pub smtp_url: Option<Secret<String>>,
    pub log: LevelFilter,
    pub key_cache: Duration,
    pub mail_in_flight_bytes: u32,
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
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("wrong settings: {}", .0.join("; "))]
pub struct WrongSettings(Vec<String>);

impl Config {
    /// Reads the process's environment.
    pub fn from_environment() -> Result<Self, WrongSettings> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings from anywhere. An empty value is an absent one.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, WrongSettings> {
        let mut faults = Vec::new();
        let value = |setting: &Setting| {
            let text = get(setting.name).filter(|text| !text.trim().is_empty()).unwrap_or_else(|| setting.default.to_owned());
            text.trim().to_owned()
        };
        let (port, data, vendor_tenant, smtp_url) = (value(&PORT), value(&DATA), value(&VENDOR_TENANT).to_lowercase(), value(&SMTP_URL));
        let entra_application = value(&ENTRA_APPLICATION);
        let (log, key_cache, mail_in_flight) = (value(&LOG), value(&KEY_CACHE), value(&MAIL_IN_FLIGHT));
        let mut fault = |setting: &Setting, why: &str| faults.push(format!("{} {why}", setting.name));

        let port = match port.as_str() {
            "" => None,
            text => text.parse::<u16>().ok().filter(|port| *port > 0).or_else(|| {
                fault(&PORT, "is no port number (1 to 65535)");
                None
            }),
        };
        if !(smtp_url.is_empty() || smtp_url.starts_with("smtp://") || smtp_url.starts_with("smtps://")) {
            fault(&SMTP_URL, "is no URL that begins with smtp:// or smtps://");
        }
        let log = match log.as_str() {
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => {
                fault(&LOG, "is none of error, warn, info, debug, trace");
                LevelFilter::INFO
            }
        };
        let key_cache = key_cache.parse::<u64>().ok().filter(|seconds| (60..=3600).contains(seconds)).unwrap_or_else(|| {
            fault(&KEY_CACHE, "is no number of seconds from 60 to 3600");
            0
        });
        let mail_in_flight_bytes =
            mail_in_flight.parse::<u32>().ok().filter(|bytes| (36_700_160..=2_147_483_648).contains(bytes)).unwrap_or_else(|| {
                fault(&MAIL_IN_FLIGHT, "is no number of bytes from 36700160 to 2147483648");
                0
            });
        if !faults.is_empty() {
            return Err(WrongSettings(faults));
        }
        Ok(Config {
            port,
            data: (!data.is_empty()).then(|| PathBuf::from(data)),
            entra_application: (!entra_application.is_empty()).then_some(entra_application),
            vendor_tenant,
            smtp_url: (!smtp_url.is_empty()).then(|| Secret::new(smtp_url)),
            log,
            key_cache: Duration::from_secs(key_cache),
            mail_in_flight_bytes,
        })
    }

    /// Where the handler listens: nowhere but on this machine.
    pub fn address(port: u16) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
