//! A process that is killed loses nothing that it acknowledged.

use std::{
    io::{BufRead, BufReader, Read, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use helpdesk::{
    adapters::embedded::{HostLock, Store, SystemClock},
    ports::{Blobs, Documents, NewDocument, Queues, Write},
};

const P: &str = "t:contoso";
const ROUNDS: usize = 4;
/// Acknowledgements that a round waits for before it kills, one more each round.
const ACKNOWLEDGED_MIN: usize = 20;
const WRITERS: usize = 8;

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(run_and_kill(folder.path(), round));
        // The kernel has let go of the lock.
        let _lock = HostLock::acquire(folder.path()).unwrap();
        let store = Store::open(folder.path(), Arc::new(SystemClock)).unwrap();
        for id in &acknowledged {
            let document = Documents::get(&store, P, id).await.unwrap().expect(id);
            assert_eq!(document.body, id.as_bytes());
            assert!(Documents::get(&store, P, &format!("{id}-twin")).await.unwrap().is_some(), "{id} was committed by half");
            let blob = Blobs::get(&store, "evidence", id, None).await.unwrap().expect(id);
            assert_eq!(blob.len(), blob_bytes(id), "{id}");
        }
        // A blob that a killed put leaves is whole too.
        for name in store.list("evidence", "", None, 100_000).await.unwrap() {
            assert_eq!(Blobs::get(&store, "evidence", &name, None).await.unwrap().unwrap().len(), blob_bytes(&name), "{name}");
        }
        assert!(store.depth("mail-intake").await.unwrap() >= acknowledged.len() as u64);
    }
    assert!(acknowledged.len() >= ROUNDS * ACKNOWLEDGED_MIN);
}

/// The process that is killed: this test binary once more, told its folder and round on standard input. Run by itself it is told nothing and ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a_killed_process_loses_nothing_that_it_acknowledged"]
async fn writes_until_it_is_killed() {
    let mut told = String::new();
    std::io::stdin().read_to_string(&mut told).unwrap();
    let Some((folder, round)) = told.split_once('\n') else { return };
    let _lock = HostLock::acquire(Path::new(folder)).unwrap();
    let store = Arc::new(Store::open(Path::new(folder), Arc::new(SystemClock)).unwrap());
    let writer = |writer: usize| {
        let (store, round) = (store.clone(), round.to_owned());
        tokio::spawn(async move {
            for at in 0.. {
                let id = format!("{round}-{writer}-{at}");
                store.put("evidence", &id, Bytes::from(vec![1; blob_bytes(&id)])).await.unwrap();
                store.send("mail-intake", &id, std::time::Duration::ZERO).await.unwrap();
                store.commit(P, vec![create(&id, &id), create(&format!("{id}-twin"), "")]).await.unwrap();
                // One write of a whole line, past the test harness that captures what is printed.
                std::io::stdout().write_all(format!("ack {id}\n").as_bytes()).unwrap();
            }
        })
    };
    futures::future::join_all((0..WRITERS).map(writer)).await;
}

fn run_and_kill(folder: &Path, round: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "ports_contract::crash::writes_until_it_is_killed", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{}\n{round}", folder.display()).as_bytes()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged: Vec<String> = lines.by_ref().filter_map(id).take(ACKNOWLEDGED_MIN + round).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died counts as well.
    acknowledged.extend(lines.filter_map(id));
    acknowledged
}

fn id(line: String) -> Option<String> {
    // The harness writes "test ... " without an end of line before the first.
    line.split_once("ack ").map(|(_, id)| id.to_owned())
}

/// Some are rows, some are files.
fn blob_bytes(id: &str) -> usize {
    if id.ends_with('7') { 300_000 } else { 2_000 }
}

fn create(id: &str, body: &str) -> Write {
    Write::Create(NewDocument { id: id.to_owned(), kind: "thing".to_owned(), keys: [None, None, None, None], expires_at: None, body: body.into() })
}
