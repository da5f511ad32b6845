//! What the embedded parts promise beyond the ports.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use futures::{StreamExt, channel::mpsc, stream};
use helpdesk::{
    adapters::embedded::{Claims, FileVault, FolderMailer, HostLock, LocalIssuer, OpenError, Store, SystemEntropy},
    ports::{Blobs, Clock, Documents, Fault, Identity, KeyAlgorithm, Mailer, NewDocument, OutgoingMail, Put, Queues, Scan, Slot, Vault, Write},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::support::{TestClock, TestEntropy};

const P: &str = "t:contoso";

#[tokio::test]
async fn a_second_host_of_a_folder_is_told_so() {
    let folder = TempDir::new().unwrap();
    let lock = HostLock::acquire(folder.path()).unwrap();
    let error = HostLock::acquire(folder.path()).unwrap_err().to_string();
    assert!(error.contains("another helpdesk serves the folder") && error.contains(&folder.path().display().to_string()), "{error}");
    // Commands work beside the host.
    let store = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    store.commit(P, vec![create("a")]).await.unwrap();
    drop(lock);
    HostLock::acquire(folder.path()).unwrap();
}

#[tokio::test]
async fn a_clock_that_was_put_back_hides_no_message_from_the_next_host() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(TestClock::new()));
    let store = Store::open(folder.path(), clock.clone()).unwrap();
    for (text, delay) in [("leased", 0), ("at once", 0), ("in a minute", 60)] {
        store.send("outbox", text, std::time::Duration::from_secs(delay)).await.unwrap();
        if text == "leased" {
            store.lease("outbox", 1, std::time::Duration::from_secs(600)).await.unwrap();
        }
    }
    clock.advance(-Duration::hours(5));
    let seen = async || {
        let mut texts: Vec<String> =
            store.lease("outbox", 32, std::time::Duration::ZERO).await.unwrap().into_iter().map(|lease| lease.text).collect();
        texts.sort();
        texts
    };
    assert!(seen().await.is_empty(), "it waits for the clock");
    store.end_leases().await.unwrap();
    assert_eq!(seen().await, ["at once", "leased"]);
    clock.advance(Duration::minutes(1));
    assert_eq!(seen().await, ["at once", "in a minute", "leased"]);
}

#[tokio::test]
async fn what_a_killed_mailer_left_half_written_goes_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    FolderMailer::delete_half_written(folder.path());
    let outbox = folder.path().join("outbox");
    fs::create_dir(&outbox).unwrap();
    for name in ["01JD7Z3M9QK4T5V6W7X8Y9Z0AB.tmp", "01JD7Z3M9QK4T5V6W7X8Y9Z0AB.eml", "my own.tmp"] {
        fs::write(outbox.join(name), "a mail in clear").unwrap();
    }
    FolderMailer::delete_half_written(folder.path());
    let mut left: Vec<_> = fs::read_dir(&outbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["01JD7Z3M9QK4T5V6W7X8Y9Z0AB.eml", "my own.tmp"]);
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(TestClock::new()));
    let data = folder.path().join("new/data");
    let large = Bytes::from(vec![5; 1_000_000]);
    let (etags, changes) = {
        let store = Store::open(&data, clock.clone()).unwrap();
        store.put("evidence", "small", Bytes::from_static(b"small")).await.unwrap();
        store.put("evidence", "large", large.clone()).await.unwrap();
        store.put("evidence", "deleted", large.clone()).await.unwrap();
        store.send("mail-intake", "message", std::time::Duration::ZERO).await.unwrap();
        let etags = store.commit(P, vec![create("a"), create("b")]).await.unwrap();
        let changes = store.changed_since(P, None, 10).await.unwrap();
        // Answered at once, committed when the store is closed.
        Blobs::delete(&store, "evidence", "deleted").await.unwrap();
        (etags, changes)
    };
    let store = Store::open(&data, clock).unwrap();
    assert_eq!(Documents::get(&store, P, "b").await.unwrap().unwrap().etag, etags[1]);
    assert_eq!(Blobs::get(&store, "evidence", "small", None).await, Ok(Some(Bytes::from_static(b"small"))));
    assert!(Blobs::get(&store, "evidence", "large", None).await == Ok(Some(large)));
    assert_eq!(store.list("evidence", "", None, 10).await.unwrap(), ["large", "small"]);
    assert_eq!(store.lease("mail-intake", 1, std::time::Duration::ZERO).await.unwrap()[0].text, "message");
    let since = store.changed_since(P, Some(&changes.watermark), 10).await.unwrap();
    assert!(since.documents.is_empty(), "history goes on where it was");
    store.commit(P, vec![create("c")]).await.unwrap();
    assert_eq!(store.changed_since(P, Some(&changes.watermark), 10).await.unwrap().documents[0].id, "c");
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(files(&data.join("blobs/evidence")), 1, "the deleted blob's file is gone");
}

/// What was put in clear and deleted again.
const MARK: &[u8] = b"a mail in clear, that was sealed and deleted";

/// Puts a mail and deletes it, as the intake does, and looks something up meanwhile.
async fn a_mail_comes_and_goes(store: &Store, name: &str) {
    store.put("mail-intake", name, MARK.into()).await.unwrap();
    store.commit(P, vec![create(name)]).await.unwrap();
    assert!(Documents::get(store, P, name).await.unwrap().is_some());
    store.scan(&Scan::prefix(P, Slot::Id, "", 10)).await.unwrap();
    Blobs::delete(store, "mail-intake", name).await.unwrap();
}

fn is_anywhere(folder: &Path, mark: &[u8]) -> bool {
    let has = |name: &str| fs::read(folder.join(name)).is_ok_and(|bytes| bytes.windows(mark.len()).any(|window| window == mark));
    ["helpdesk.sqlite", "helpdesk.sqlite-wal"].into_iter().any(has)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_leaves_nothing_of_what_it_deleted() {
    let folder = TempDir::new().unwrap();
    for at in 0..20 {
        let store = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
        a_mail_comes_and_goes(&store, &format!("{at}.eml")).await;
        drop(store);
        assert!(!is_anywhere(folder.path(), MARK), "end {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_deletes_is_gone_beside_a_host_that_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let host = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    let visitor = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    a_mail_comes_and_goes(&visitor, "a.eml").await;
    drop(visitor);
    assert!(!is_anywhere(folder.path(), MARK));
    // One that is killed cuts nothing: the host does, though it only asks for messages.
    let killed = rusqlite::Connection::open(folder.path().join(Store::FILE)).unwrap();
    killed.execute("INSERT INTO messages (queue, visible_at, inserted_at, text) VALUES ('other', 0, 0, CAST(?1 AS TEXT))", [MARK]).unwrap();
    killed.execute_batch("PRAGMA secure_delete = ON; DELETE FROM messages").unwrap();
    assert!(is_anywhere(folder.path(), MARK));
    for _ in 0..100 {
        if is_anywhere(folder.path(), MARK) {
            assert!(host.lease("outbox", 1, std::time::Duration::ZERO).await.unwrap().is_empty());
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    assert!(!is_anywhere(folder.path(), MARK), "ten seconds later it is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_undoes_only_itself_in_a_group() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(Store::open(folder.path(), Arc::new(TestClock::new())).unwrap());
    store.commit(P, vec![create("taken")]).await.unwrap();
    // All are waiting while the first is written, so many share a transaction.
    let commit = |at: usize| {
        let store = store.clone();
        let writes = if at.is_multiple_of(3) { vec![create(&format!("lost{at}")), create("taken")] } else { vec![create(&format!("kept{at}"))] };
        tokio::spawn(async move { store.commit(P, writes).await })
    };
    let results = futures::future::join_all((0..300).map(commit)).await;
    for (at, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap().is_ok(), at % 3 != 0, "{at}");
    }
    assert_eq!(store.scan(&Scan::prefix(P, Slot::Id, "kept", 1000)).await.unwrap().len(), 200);
    assert!(store.scan(&Scan::prefix(P, Slot::Id, "lost", 1000)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_one_history() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(TestClock::new()));
    // Two stores on one folder are to SQLite what two processes are.
    let stores = [Arc::new(Store::open(folder.path(), clock.clone()).unwrap()), Arc::new(Store::open(folder.path(), clock).unwrap())];
    let commit = |at: usize| {
        let store = stores[at % 2].clone();
        tokio::spawn(async move { store.commit(P, vec![create(&format!("m{at}"))]).await.unwrap().remove(0).0 })
    };
    let mut etags: Vec<String> = futures::future::join_all((0..100).map(commit)).await.into_iter().map(Result::unwrap).collect();
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 100);
    let results = [stores[0].commit(P, vec![create("one")]).await, stores[1].commit(P, vec![create("one")]).await];
    assert!(results[0].is_ok());
    assert_eq!(results[1], Err(Fault::Conflict));
}

#[tokio::test]
async fn a_torn_file_is_no_blob_and_is_swept_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let open = || Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    let store = open();
    store.put("evidence", "whole", Bytes::from(vec![1; 300_000])).await.unwrap();
    // What a process leaves that is killed while it writes, and before it says that it has written.
    let torn =
        ["00000000000000000000000000000000.new", "00000000000000000000000000000000"].map(|name| folder.path().join("blobs/evidence").join(name));
    torn.iter().for_each(|file| fs::write(file, b"half of it").unwrap());
    assert_eq!(store.list("evidence", "", None, 10).await.unwrap(), ["whole"]);
    assert_eq!(Blobs::get(&store, "evidence", "00000000000000000000000000000000", None).await, Ok(None));
    drop(store);
    let store = open();
    assert_eq!(store.put("evidence", "next", Bytes::from_static(b"after the sweep")).await, Ok(Put::Created));
    assert!(torn.iter().all(|file| !file.exists()));
    assert_eq!(Blobs::size(&store, "evidence", "whole").await, Ok(Some(300_000)));
    assert!(Blobs::get(&store, "evidence", "whole", None).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_is_being_put_is_left_alone_and_goes_with_its_putter() {
    let folder = TempDir::new().unwrap();
    let open = || Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    let store = Arc::new(open());
    let blobs = folder.path().join("blobs/evidence");
    let (more, pieces) = mpsc::unbounded::<Result<Bytes, Fault>>();
    let putting = tokio::spawn({
        let store = store.clone();
        async move { store.put_pieces("evidence", "slow", pieces.boxed()).await }
    });
    more.unbounded_send(Ok(Bytes::from(vec![1; 2 << 20]))).unwrap();
    while !blobs.exists() || files(&blobs) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // Another process opens the store, sweeps, and has done so when its first write is answered.
    let other = open();
    other.put("evidence", "small", Bytes::from_static(b"after the sweep")).await.unwrap();
    assert_eq!((files(&blobs), whole_files(&blobs)), (1, 0), "it is on its way, and has no name yet");
    more.unbounded_send(Ok(Bytes::from(vec![2; 2 << 20]))).unwrap();
    drop(more);
    assert_eq!(putting.await.unwrap(), Ok(Put::Created));
    assert_eq!((files(&blobs), whole_files(&blobs)), (1, 1));
    assert_eq!(Blobs::get(&*store, "evidence", "slow", None).await.unwrap().unwrap().len(), 4 << 20);
}

#[tokio::test]
async fn a_put_that_nobody_waits_for_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    let blobs = folder.path().join("blobs/evidence");
    let first = stream::iter([Ok(Bytes::from(vec![1; 2 << 20]))]);
    let putting =
        tokio::time::timeout(std::time::Duration::from_millis(300), store.put_pieces("evidence", "slow", first.chain(stream::pending()).boxed()));
    assert!(putting.await.is_err());
    assert_eq!(files(&blobs), 0);
}

#[tokio::test]
async fn a_lost_file_is_told_and_not_taken_for_an_absent_blob() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
    store.put("evidence", "a", Bytes::from(vec![1; 300_000])).await.unwrap();
    for file in fs::read_dir(folder.path().join("blobs/evidence")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert!(matches!(Blobs::get(&store, "evidence", "a", None).await, Err(Fault::Corrupt(_))));
}

#[tokio::test]
async fn the_sweep_removes_what_nobody_sees() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(TestClock::new()));
    let store = Store::open(folder.path(), clock.clone()).unwrap();
    let expiring = NewDocument { expires_at: Some(clock.now() + Duration::minutes(5)), ..new("expiring") };
    let etags = store.commit(P, vec![Write::Create(expiring), create("deleted"), create("kept")]).await.unwrap();
    store.commit(P, vec![Write::Delete { id: "deleted".to_owned(), etag: etags[1].clone() }]).await.unwrap();
    let rows = || {
        let connection = rusqlite::Connection::open(folder.path().join("helpdesk.sqlite")).unwrap();
        connection.query_row("SELECT count(*) FROM documents", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(rows(), 3);
    // The sweep follows the first write after an hour, and the one after that has seen it end.
    for (passes, left) in [(Duration::hours(2), 4), (Duration::days(14), 5)] {
        clock.advance(passes);
        for round in 0..2 {
            store.commit(P, vec![create(&format!("{left}-{round}"))]).await.unwrap();
        }
        let swept = store.changed_since(P, None, 100).await.unwrap();
        assert_eq!(swept.documents.len() + swept.deleted.len(), rows() as usize);
        assert_eq!(rows(), left, "after {passes}");
    }
}

#[tokio::test]
async fn a_store_of_another_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(Store::open(folder.path(), Arc::new(TestClock::new())).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("helpdesk.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 5).unwrap();
    assert!(matches!(Store::open(folder.path(), Arc::new(TestClock::new())), Err(OpenError::Newer { found: 5, known: 4, .. })));
    connection.pragma_update(None, "user_version", 3).unwrap();
    assert!(matches!(Store::open(folder.path(), Arc::new(TestClock::new())), Err(OpenError::Older { found: 3, known: 4, .. })));
}

#[tokio::test]
async fn the_store_is_taken_from_all_but_its_owner() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("helpdesk.sqlite");
    for _ in 0..2 {
        let store = Store::open(folder.path(), Arc::new(TestClock::new())).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        drop(store);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[tokio::test]
async fn a_key_file_that_vanishes_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let vault = vault(folder.path());
    vault.wrap("tenants", b"key").await.unwrap();
    fs::remove_file(folder.path().join("vault.json")).unwrap();
    assert!(matches!(vault.wrap("another", b"key").await, Err(Fault::Unavailable(_))));
    assert!(matches!(vault.rotate("tenants").await, Err(Fault::Unavailable(_))));
    assert!(!folder.path().join("vault.json").exists());
}

#[tokio::test]
async fn the_key_file_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    vault(folder.path()).wrap("tenants", b"key").await.unwrap();
    let file = folder.path().join("vault.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let error = FileVault::open(folder.path(), Arc::new(SystemEntropy)).err().unwrap();
        assert!(matches!(error, OpenError::Exposed(_)) && error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, b"{").unwrap();
    assert!(matches!(FileVault::open(folder.path(), Arc::new(SystemEntropy)), Err(OpenError::NotAKeyFile(_))));
}

#[tokio::test]
async fn a_rotated_key_opens_what_it_wrapped_before() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (vault(folder.path()), vault(folder.path()));
    let old = one.wrap("tenants", b"old").await.unwrap();
    let version = one.rotate("tenants").await.unwrap();
    let new = one.wrap("tenants", b"new").await.unwrap();
    assert_eq!(new.version, version);
    assert_ne!(new.version, old.version);
    // Also in a process that has read the file before, and in one that starts now.
    for vault in [&one, &other, &vault(folder.path())] {
        assert_eq!(**vault.unwrap("tenants", &old).await.unwrap(), *b"old");
        assert_eq!(**vault.unwrap("tenants", &new).await.unwrap(), *b"new");
    }
}

#[test]
fn many_first_starts_make_one_key_file() {
    let folder = TempDir::new().unwrap();
    let start = |_| {
        let folder = folder.path().to_owned();
        std::thread::spawn(move || {
            let vault = vault(&folder);
            futures::executor::block_on(async {
                let wrapped = vault.wrap("tenants", b"key").await.unwrap();
                (vault.secret(LocalIssuer::SECRET, None).await.unwrap().unwrap().value, wrapped)
            })
        })
    };
    let threads: Vec<_> = (0..8).map(start).collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let vault = vault(folder.path());
    for (secret, wrapped) in &results {
        assert_eq!(*secret, results[0].0);
        assert_eq!(wrapped.version, results[0].1.version);
        assert_eq!(**futures::executor::block_on(vault.unwrap("tenants", wrapped)).unwrap(), *b"key");
    }
}

#[tokio::test]
async fn a_minted_token_verifies_with_the_published_key() {
    let folder = TempDir::new().unwrap();
    let secret = vault(folder.path()).secret(LocalIssuer::SECRET, None).await.unwrap().unwrap();
    let issuer = LocalIssuer::new(&secret).unwrap();
    let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
    let claims = Claims {
        iss: issuer.issuer().to_owned(),
        aud: "helpdesk".to_owned(),
        sub: "someone".to_owned(),
        tid: "contoso".to_owned(),
        roles: vec!["agent".to_owned()],
        upn: None,
        iat: now,
        nbf: now,
        exp: now + 600,
    };
    let token = issuer.mint(&claims).unwrap();
    let key = issuer.key(&secret.version).await.unwrap().unwrap();
    assert_eq!(issuer.key("another").await.unwrap(), None);
    assert_eq!((key.kid.as_str(), key.algorithm), (secret.version.as_str(), KeyAlgorithm::EdDsa));
    assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid, Some(key.kid.clone()));
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["helpdesk"]);
    validation.set_issuer(&["urn:helpdesk:local"]);
    let read = decode::<serde_json::Value>(&token, &DecodingKey::from_ed_components(&key.public).unwrap(), &validation).unwrap().claims;
    assert_eq!(read, serde_json::to_value(&claims).unwrap());
    assert!(read.get("upn").is_none());
}

#[tokio::test]
async fn a_mail_out_is_a_file_without_an_address_in_its_name() {
    let folder = TempDir::new().unwrap();
    let mailer = FolderMailer::open(folder.path(), Arc::new(TestClock::new()), Arc::new(TestEntropy::new(3))).unwrap();
    let raw = b"From: help@contoso.example\r\n\r\nHello\r\n".to_vec();
    let mail = OutgoingMail { from: "help@contoso.example".to_owned(), to: vec!["ann@fabrikam.example".to_owned()], raw: raw.clone() };
    mailer.send(&mail).await.unwrap();
    // Somebody cleared it away.
    fs::remove_dir_all(folder.path().join("outbox")).unwrap();
    mailer.send(&mail).await.unwrap();
    mailer.send(&mail).await.unwrap();
    assert_eq!(files(&folder.path().join("outbox")), 2);
    for file in fs::read_dir(folder.path().join("outbox")).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(fs::read(&path).unwrap(), raw);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.len() == 30 && name.ends_with(".eml") && name[..26].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
    }
}

#[test]
fn every_file_of_the_folder_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let _lock = HostLock::acquire(&data).unwrap();
    vault(&data);
    File::open(data.join("helpdesk.lock")).unwrap();
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

fn vault(folder: &Path) -> FileVault {
    FileVault::open(folder, Arc::new(SystemEntropy)).unwrap()
}

fn new(id: &str) -> NewDocument {
    NewDocument { id: id.to_owned(), kind: "thing".to_owned(), keys: [None, None, None, None], expires_at: None, body: b"body".to_vec() }
}

fn create(id: &str) -> Write {
    Write::Create(new(id))
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Without those that are still written.
fn whole_files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().extension().is_none()).count()
}
