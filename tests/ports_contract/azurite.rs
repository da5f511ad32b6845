//! The Blob and Queue adapters on Azurite, with bearer tokens over TLS as in Azure.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use azure_core::http::HttpClient;
use helpdesk::{
    adapters::azure::{blob::AzureBlobs, queue::AzureQueues, services::Services},
    ports::{Blobs, Fault},
};
use tempfile::TempDir;

use super::worlds::World;
use crate::support::azure::Anyone;

/// The account that Azurite has.
const ACCOUNT: &str = "devstoreaccount1";

/// A server of its own, killed when the test is over.
pub struct Azurite {
    process: Child,
    /// With its certificate, for whoever connects.
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub blobs: String,
    pub queues: String,
    _folder: TempDir,
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Azurite {
    pub fn start() -> Azurite {
        let folder = TempDir::new().unwrap();
        let (certificate, key) = certificate(folder.path());
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/target/servers/node_modules/azurite/dist/src/azurite.js");
        let mut process = Command::new("node")
            .args([program, "--blobPort", "0", "--queuePort", "0", "--tablePort", "0", "--disableTelemetry", "--inMemoryPersistence"])
            .args(["--skipApiVersionCheck", "--oauth", "basic", "--cert"])
            .arg(&certificate)
            .arg("--key")
            .arg(&key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/test --servers installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut endpoint = |service: &str| {
            let line = lines.find_map(|line| line.ok().filter(|line| line.contains(service) && line.contains("listen"))).expect("Azurite starts");
            let at = line.find("https://").unwrap_or_else(|| panic!("no address in {line}"));
            format!("{}/{ACCOUNT}/", line[at..].trim_end_matches('/'))
        };
        let (blobs, queues) = (endpoint("Blob service is successfully"), endpoint("Queue service is successfully"));
        // Its pipe is read to the end, or it would stop when it is full.
        std::thread::spawn(move || lines.for_each(drop));
        Azurite { process, certificate, key, blobs, queues, _folder: folder }
    }

    /// A way to it that trusts its certificate and no other.
    pub fn transport(&self) -> Arc<dyn HttpClient> {
        let certificate = reqwest::Certificate::from_pem(&fs::read(&self.certificate).unwrap()).unwrap();
        Arc::new(reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap())
    }
}

/// A certificate for this machine and its key, as PEM files.
pub fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl is there").success());
    (certificate, key)
}

pub async fn azurite() -> World {
    let server = Azurite::start();
    let services = Services::with(Arc::new(Anyone), server.transport());
    World {
        is_real: true,
        blobs: Some(Arc::new(AzureBlobs::new(&server.blobs, &services).unwrap())),
        queues: Some(Arc::new(AzureQueues::new(&server.queues, &services).unwrap())),
        _ground: vec![Box::new(server)],
        ..World::default()
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_given_up_within_seconds() {
    let services = Services::with(Arc::new(Anyone), azure_core::http::new_http_client(None));
    // Nobody listens there.
    let blobs = AzureBlobs::new("https://127.0.0.1:1/account/", &services).unwrap();
    let began = std::time::Instant::now();
    assert!(matches!(blobs.size("evidence", "a").await, Err(Fault::Unavailable(_))));
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
