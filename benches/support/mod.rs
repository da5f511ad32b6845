//! What the benchmarks share: a folder on the disk, a house in it, and figures of several rounds.

pub mod bare;
pub mod hostile;
pub mod http;
pub mod mails;

use std::{fmt, path::Path, time::Duration};

use bytes::Bytes;
use helpdesk::{
    config::Config,
    mail::sender::Trust,
    tenants::{self, Mailbox, Settings, Tenant},
    wiring::{self, House, Purpose},
};
use serde_json::json;
use tempfile::TempDir;

pub const MAILBOX: &str = "help@contoso.example";
const CONTAINER: &str = "mail-intake";

/// The middle one of several rounds, and how far they lie apart.
pub struct Figures {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Figures {
    pub fn of(rounds: impl IntoIterator<Item = f64>) -> Figures {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        assert!(!rounds.is_empty(), "no round was measured");
        rounds.sort_by(f64::total_cmp);
        Figures { median: rounds[rounds.len() / 2], least: rounds[0], most: rounds[rounds.len() - 1] }
    }
}

/// `median (least to most)`, with as many decimals as the format asks for.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let text = format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most);
        // `pad` would take the precision for a length to be cut at.
        let width = f.width().unwrap_or(0);
        if f.align() == Some(fmt::Alignment::Right) { write!(f, "{text:>width$}") } else { write!(f, "{text:<width$}") }
    }
}

pub fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// A folder of its own below the build's, which lies on a disk where a flush is one; the system's temporary folder may lie in memory.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's folder can be written to")
}

/// The house of a folder on the embedded parts, with the machine's clock and randomness, and one tenant in it.
pub async fn house(folder: &Path, purpose: Purpose) -> House {
    let data = folder.display().to_string();
    let config = Config::read(|name| (name == "HELPDESK_DATA").then(|| data.clone())).expect("the settings are right");
    let house = wiring::house(&config, purpose).await.expect("the house opens");
    let mailboxes = vec![Mailbox::parse(MAILBOX).expect("it is an address")];
    let tenant = Tenant::new("contoso".parse().expect("it is a tenant id"), "Contoso", mailboxes);
    // They come faster than a desk takes them by default. What is counted of so many is found as by default, without another thread.
    let settings = Settings { mails_a_mailbox: 60_000, ..Settings::default() };
    let tenant = Tenant { settings, ..tenant };
    match tenants::add(&house.app.ports, &house.app.keyring, "test", &tenant, &Trust::Nobody).await {
        Ok(()) | Err(tenants::Error::Exists) => house,
        Err(error) => panic!("the tenant could not be added: {error}"),
    }
}

/// What a feeder does first: the mail as a blob. Answers the queue message that tells of it.
pub async fn leave(house: &House, name: String, raw: Bytes) -> String {
    house.app.ports.blobs.put(CONTAINER, &name, raw).await.expect("the blob is stored");
    json!({ "v": 1, "mailbox": MAILBOX, "blob": name }).to_string()
}
