//! The real binary, in folders of its own: what a person or the Functions host sees of it, also when it is killed.

mod command_line;
mod kills;
mod mail_out;
mod outage;
mod outbox;
mod package;
mod privacy;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::support::http;

/// How long anything that a process does may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary without the settings of whoever runs the tests.
fn helpdesk(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_helpdesk"));
    command.args(arguments).stdin(Stdio::null());
    for setting in helpdesk::config::SETTINGS {
        command.env_remove(setting.name);
    }
    command
}

/// A command that ended by itself.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command to its end.
fn run(mut command: Command) -> Ended {
    let mut process = Process::start(&mut command);
    let status = process.ended();
    Ended { code: status.code(), stdout: process.stdout.end(), stderr: process.stderr.end() }
}

/// Runs a command on a data folder; it must succeed. Answers what it printed.
fn ran(data: &Path, arguments: &[&str]) -> String {
    let mut command = helpdesk(arguments);
    command.arg("--data").arg(data);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

/// A process that is killed when the test is over, however it ends.
struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        Process { child, stdout, stderr }
    }

    /// Waits for its end.
    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// As the kernel does it: at once, wherever it is.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

/// What a process wrote so far.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(from: impl Read + Send + 'static) -> Lines {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let own = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                own.lock().unwrap().push(line);
            }
        });
        Lines { lines, reader: Some(reader) }
    }

    fn so_far(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The first line with these words, waited for.
    fn wait_for(&self, words: &str) -> String {
        let mut found = None;
        until(words, || {
            found = self.so_far().into_iter().find(|line| line.contains(words));
            found.is_some()
        });
        found.unwrap()
    }

    /// Everything, after the process has ended.
    fn end(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.so_far().join("\n")
    }
}

/// Waits, within bounds.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `helpdesk dev` on a port that the system chooses.
struct Dev {
    process: Process,
    address: SocketAddr,
}

impl Dev {
    fn start(data: &Path, more: &[&str]) -> Dev {
        let dev = Dev::start_without_waiting(data, more);
        let line = dev.stdout.wait_for("  API ");
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        dev.stdout.wait_for("Ready.");
        Dev { process: dev, address }
    }

    fn start_without_waiting(data: &Path, more: &[&str]) -> Process {
        let mut command = helpdesk(&["dev", "--port", "0", "--data"]);
        command.arg(data).args(more);
        Process::start(&mut command)
    }

    /// Ends it as Ctrl-C does, and answers what it printed.
    fn stop(mut self) -> String {
        self.process.terminate();
        assert_eq!(self.process.ended().code(), Some(0), "{}", self.process.stderr.end());
        self.process.stdout.end()
    }
}

/// The binary as the Functions host starts it.
struct Handler {
    process: Process,
    address: SocketAddr,
}

impl Handler {
    async fn start(data: &Path) -> Handler {
        let address = http::unused_port();
        let mut command = helpdesk(&[]);
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string()).env("HELPDESK_DATA", data);
        let process = Process::start(&mut command);
        process.stdout.wait_for("\"ready\"");
        Handler { process, address }
    }
}

fn token(data: &Path, tenant: &str, role: &str) -> String {
    ran(data, &["token", "--tenant", tenant, "--role", role]).trim().to_owned()
}

/// All tickets of the token's tenant, page by page.
async fn tickets(address: SocketAddr, token: &str) -> Vec<serde_json::Value> {
    let (mut all, mut query) = (Vec::new(), String::new());
    loop {
        let page = get(address, &format!("/api/tickets{query}"), token).await;
        all.extend(page["tickets"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => query = format!("?cursor={next}"),
            None => return all,
        }
    }
}

async fn get(address: SocketAddr, path: &str, token: &str) -> serde_json::Value {
    let answer = http::request(address, "GET", path, &[&format!("Authorization: Bearer {token}")], b"").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.json());
    answer.json()
}

/// Puts a mail into the inbox as a mail program would: whole, by a rename.
fn drop_mail(data: &Path, mailbox: &str, name: &str, raw: &[u8]) {
    let folder = data.join("inbox").join(mailbox);
    std::fs::create_dir_all(&folder).unwrap();
    let hidden = folder.join(format!(".{name}"));
    std::fs::File::create(&hidden).unwrap().write_all(raw).unwrap();
    std::fs::rename(hidden, folder.join(format!("{name}.eml"))).unwrap();
}

/// The embedded store's file, read beside whoever serves it.
fn count(data: &Path, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open_with_flags(data.join("helpdesk.sqlite"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}
