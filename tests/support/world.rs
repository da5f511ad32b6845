//! A whole house on an embedded store in a folder of its own, called through `dispatch` as the host would.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use helpdesk::{
    access::Role,
    adapters::embedded::{Claims, FileVault, LocalIssuer, LogFiles, Store},
    config::Config,
    functions::{App, HttpAnswer},
    handler::{WireRequest, dispatch},
    ids::{Kind, TenantId, partition},
    mail::sender::Trust,
    ports::{Mailer, OutgoingMail, Ports, Scan, Slot, Undelivered, Vault, Versions},
    tenants::{self, Mailbox, Settings, Tenant},
    wiring,
};
use serde_json::{Value, json};

use super::{TestClock, TestEntropy};

pub const HELP: &str = "help@contoso.example";
/// Contoso's second mailbox, see [`World::trusts`].
pub const IT: &str = "it@contoso.example";
pub const SUPPORT: &str = "support@fabrikam.example";

pub struct World {
    pub app: Arc<App>,
    pub ports: Ports,
    pub clock: Arc<TestClock>,
    pub sent: Arc<Outbound>,
    issuer: LocalIssuer,
    _folder: tempfile::TempDir,
}

/// What left the house.
#[derive(Default)]
pub struct Outbound {
    pub mails: Mutex<Vec<OutgoingMail>>,
}

#[async_trait]
impl Mailer for Outbound {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        self.mails.lock().unwrap().push(mail.clone());
        Ok(())
    }
}

impl World {
    /// Two tenants, contoso and fabrikam, with a mailbox each.
    pub async fn new() -> World {
        World::with(|ports| ports).await
    }

    /// The same, its app on changed ports; the tenants are made on the unchanged ones.
    pub async fn with(change: impl FnOnce(Ports) -> Ports) -> World {
        World::built(async |ports, _: &Arc<TestClock>| ports, change).await
    }

    /// The same, its documents in another store.
    #[cfg(feature = "azure")]
    pub async fn on(documents: impl AsyncFnOnce(&Arc<TestClock>) -> Arc<dyn helpdesk::ports::Documents>) -> World {
        World::over(async |ports, clock: &Arc<TestClock>| Ports { documents: documents(clock).await, ..ports }).await
    }

    /// The same on other ports.
    #[cfg(feature = "azure")]
    pub async fn over(ground: impl AsyncFnOnce(Ports, &Arc<TestClock>) -> Ports) -> World {
        World::built(ground, |ports| ports).await
    }

    async fn built(ground: impl AsyncFnOnce(Ports, &Arc<TestClock>) -> Ports, change: impl FnOnce(Ports) -> Ports) -> World {
        let folder = tempfile::tempdir().unwrap();
        let (ports, clock, sent, issuer) = embedded(folder.path()).await;
        let ports = ground(ports, &clock).await;
        let plain = wiring::app(ports.clone(), &config());
        for (id, mailbox) in [("contoso", HELP), ("fabrikam", SUPPORT)] {
            let tenant = Tenant::new(id.parse().unwrap(), id, vec![Mailbox::parse(mailbox).unwrap()]);
            // Tests send as much as they like; those of the limits set them.
            let settings = Settings { mails_a_sender: 10_000, mails_a_conversation: 10_000, ..Settings::default() };
            let tenant = Tenant { settings, ..tenant };
            tenants::add(&ports, &plain.keyring, "test", &tenant, &Trust::Nobody).await.unwrap();
        }
        let app = wiring::app(change(ports.clone()), &config());
        World { app, ports, clock, sent, issuer, _folder: folder }
    }

    /// Changes what contoso has set.
    pub async fn set(&self, change: impl FnOnce(&mut Settings)) {
        let (documents, contoso) = (self.ports.documents.as_ref(), "contoso".parse().unwrap());
        let mut settings = tenants::get(documents, &self.app.keyring, &contoso).await.unwrap().unwrap().0.settings;
        change(&mut settings);
        let change = tenants::Change { settings: Some(settings), ..tenants::Change::default() };
        tenants::change(&self.ports, &self.app.keyring, "test", &contoso, &Versions::Any, &change).await.unwrap();
    }

    /// Lets the mailbox of contoso believe [`proven`] senders, and gives contoso a second one that does.
    pub async fn trusts(&self) {
        let trust: Trust = "rfc8601 mx.contoso.example".parse().unwrap();
        for mailbox in [HELP, IT] {
            let mailbox = Mailbox::parse(mailbox).unwrap();
            tenants::add_mailbox(&self.ports, &self.app.keyring, "test", &"contoso".parse().unwrap(), &mailbox, Some(&trust), &Versions::Any)
                .await
                .unwrap();
        }
    }

    /// Has the process lease seals, which it otherwise does in the middle of something, and does without where that fails.
    pub async fn leases(&self) {
        for tenant in [TenantId::system(), "contoso".parse().unwrap()] {
            let keys = self.app.keyring.keys(&tenant).await.unwrap();
            keys.seal(&helpdesk::keys::Place { partition: "p", id: "i", kind: "k" }, b"").unwrap();
            self.app.keyring.keys(&tenant).await.unwrap();
        }
    }

    /// A second process on the same store.
    pub fn another(&self) -> Arc<App> {
        wiring::app(self.ports.clone(), &config())
    }

    /// What a feeder does: the blob, and the message that tells of it.
    pub async fn leave(&self, mailbox: &str, blob: &str, raw: &[u8]) -> String {
        self.ports.blobs.put("mail-intake", blob, Bytes::copy_from_slice(raw)).await.unwrap();
        json!({ "v": 1, "mailbox": mailbox, "blob": blob }).to_string()
    }

    /// Leaves a mail and takes it in.
    pub async fn mail(&self, mailbox: &str, blob: &str, raw: &[u8]) -> (u16, String) {
        let message = self.leave(mailbox, blob, raw).await;
        queue(&self.app, "IntakeMail", &message).await
    }

    pub fn token(&self, tenant: &str, role: Role, address: Option<&str>) -> String {
        self.token_until(tenant, role, address, 3600)
    }

    /// Valid for so many seconds from the world's now.
    pub fn token_until(&self, tenant: &str, role: Role, address: Option<&str>, seconds: i64) -> String {
        // Who has an address is somebody of his own.
        let subject = address.map_or_else(|| format!("test-{}", role.name()), |address| format!("test-{}-{address}", role.name()));
        self.minted(tenant, role, &subject, address, seconds)
    }

    pub fn token_of(&self, tenant: &str, role: Role, subject: &str, address: Option<&str>) -> String {
        self.minted(tenant, role, subject, address, 3600)
    }

    fn minted(&self, tenant: &str, role: Role, subject: &str, address: Option<&str>, seconds: i64) -> String {
        let now = self.ports.clock.now().unix_timestamp();
        let claims = Claims {
            iss: "urn:helpdesk:local".to_owned(),
            aud: "helpdesk".to_owned(),
            sub: subject.to_owned(),
            tid: tenant.to_owned(),
            roles: vec![role.name().to_owned()],
            upn: address.map(str::to_owned),
            iat: now,
            nbf: now,
            exp: now + seconds,
        };
        self.issuer.mint(&claims).unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let answer = self.http("GET", path, Some(token), b"").await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    pub async fn http(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> HttpAnswer {
        self.http_with(method, path, token, &[], body).await
    }

    pub async fn http_with(&self, method: &str, path: &str, token: Option<&str>, more: &[(&str, &str)], body: &[u8]) -> HttpAnswer {
        let mut headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        if let Some(token) = token {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = WireRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::copy_from_slice(body),
            of_host: false,
        };
        dispatch(self.app.clone(), request).await
    }

    /// All tickets of a tenant as its agent lists them, page by page.
    pub async fn tickets(&self, tenant: &str) -> Vec<Value> {
        let token = self.token(tenant, Role::Agent, None);
        let (mut all, mut query) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.get(&format!("/api/tickets{query}"), &token).await;
            assert_eq!(status, 200, "{page}");
            all.extend(page["tickets"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => query = format!("?cursor={next}"),
                None => return all,
            }
        }
    }

    /// All comments of a ticket as its agent reads them, page by page.
    pub async fn comments(&self, tenant: &str, ticket: &Value) -> Vec<Value> {
        let token = self.token(tenant, Role::Agent, None);
        let (mut all, mut query) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.get(&format!("/api/tickets/{}/comments{query}", ticket["id"].as_str().unwrap()), &token).await;
            assert_eq!(status, 200, "{page}");
            all.extend(page["comments"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => query = format!("?cursor={next}"),
                None => return all,
            }
        }
    }

    /// Records of what did not become a ticket, waiting ones first to last; `sys` for what is nobody's.
    pub async fn unprocessed(&self, owner: &str) -> Vec<helpdesk::tickets::unprocessed::Unprocessed> {
        let owner = TenantId::try_from(owner.to_owned()).unwrap();
        helpdesk::tickets::unprocessed::list(&self.app.desk, &owner, None).await.unwrap().records
    }

    /// How many events are pending beside an owner's mail.
    pub async fn events(&self, owner: &str) -> usize {
        let place = partition(&TenantId::try_from(owner.to_owned()).unwrap(), Kind::AuditEvent);
        self.ports.documents.scan(&Scan::prefix(&place, Slot::K1, "pending:", 100)).await.unwrap().len()
    }
}

/// An invocation of a queue function, as the host words it. Answers the status and the note.
pub async fn queue(app: &Arc<App>, function: &str, message: &str) -> (u16, String) {
    invoke(app, function, json!({ "message": serde_json::to_string(message).unwrap() })).await
}

/// A timer's call, as the host makes it.
pub async fn tick(app: &Arc<App>, function: &str) -> (u16, String) {
    invoke(app, function, json!({ "timer": { "Schedule": { "AdjustForDST": true }, "ScheduleStatus": null, "IsPastDue": false } })).await
}

async fn invoke(app: &Arc<App>, function: &str, data: Value) -> (u16, String) {
    let body = json!({ "Data": data, "Metadata": {} });
    let request = WireRequest {
        method: "POST".to_owned(),
        path: format!("/{function}"),
        query: String::new(),
        headers: BTreeMap::new(),
        body: Bytes::from(body.to_string()),
        of_host: true,
    };
    let answer = dispatch(app.clone(), request).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status, body["Logs"][0].as_str().unwrap_or_default().to_owned())
}

/// An ordinary mail; `more` are further header lines, each with its CRLF.
pub fn mail(from: &str, message_id: &str, subject: &str, more: &str, text: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: {HELP}\r\nSubject: {subject}\r\nMessage-ID: <{message_id}>\r\nDate: Mon, 23 Nov 2026 08:59:00 +0000\r\n{more}\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
    .into_bytes()
}

/// The same from a sender whom a server that contoso trusts vouches for.
pub fn proven(from: &str, message_id: &str, subject: &str, more: &str, text: &str) -> Vec<u8> {
    let domain = from.trim_end_matches('>').rsplit_once('@').unwrap().1;
    let results = format!("Authentication-Results: mx.contoso.example; dmarc=pass header.from={domain}\r\n");
    [results.as_bytes(), &mail(from, message_id, subject, more, text)].concat()
}

pub fn config() -> Config {
    Config::read(|_| None).unwrap()
}

async fn embedded(folder: &Path) -> (Ports, Arc<TestClock>, Arc<Outbound>, LocalIssuer) {
    let (clock, entropy) = (Arc::new(TestClock::new()), Arc::new(TestEntropy::new(7)));
    let store = Arc::new(Store::open(folder, clock.clone()).unwrap());
    let vault = Arc::new(FileVault::open(folder, entropy.clone()).unwrap());
    let secret = vault.secret(LocalIssuer::SECRET, None).await.unwrap().unwrap();
    let sent = Arc::new(Outbound::default());
    let ports = Ports {
        documents: store.clone(),
        blobs: store.clone(),
        queues: store,
        identity: Arc::new(LocalIssuer::new(&secret).unwrap()),
        vault,
        logs: Arc::new(LogFiles::new(folder)),
        mailer: sent.clone(),
        clock: clock.clone(),
        entropy,
    };
    (ports, clock, sent, LocalIssuer::new(&secret).unwrap())
}
