//! The release binary as a process: from its start to the first 200 and its memory when idle, beside Node and Python; and mails through `helpdesk dev`.

use std::{
    cell::Cell,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Figures, folder,
    http::{Client, free_port},
    leave, mails, milliseconds,
};
use bytes::Bytes;
use helpdesk::{
    ids::{Kind, partition},
    ports::{Scan, Slot, encode_text},
    wiring::{House, Purpose},
};

/// Starts of each program; the first is not counted, because it reads the program from the disk.
const STARTS: usize = 21;
/// A program that has said nothing for this long is called idle.
const IDLE_AFTER: Duration = Duration::from_millis(1500);
/// Processes whose memory is looked at.
const IDLE_ROUNDS: usize = 3;
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Between two tries to reach a program that starts.
const TRY_EVERY: Duration = Duration::from_micros(100);

pub const HELPDESK: &str = env!("CARGO_BIN_EXE_helpdesk");
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

pub const QUEUE: &str = "mail-intake";
const DEV_ROUNDS: usize = 4;
const DEV_MAILS: usize = 1_000;
const DEV_MAIL_BYTES: [(usize, &str); 2] = [mails::SIZES[0], mails::SIZES[1]];
/// Between two looks into the queue.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const DEV_WITHIN: Duration = Duration::from_secs(120);

pub fn measure() {
    starts();
    println!();
    through_dev();
}

/// A program that listens on `FUNCTIONS_CUSTOMHANDLER_PORT`.
struct Program {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
}

/// Ends with the benchmark, whatever happens to it.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn starts() {
    let (data, fresh, made) = (folder(), folder(), Cell::new(0));
    let new_folder = move || {
        made.set(made.get() + 1);
        handler(&fresh.path().join(made.get().to_string()))
    };
    let mut programs = vec![
        Program { name: "helpdesk, new folder", command: Box::new(new_folder) },
        Program { name: "helpdesk, folder in use", command: Box::new(move || handler(data.path())) },
    ];
    for (name, interpreter, script) in [("node", "node", "handler.js"), ("python", "python3", "handler.py")] {
        let Some(program) = program_of(interpreter) else {
            println!("process: {interpreter} is not installed: not measured");
            continue;
        };
        let script = format!("{PEERS}/{script}");
        let command = move || {
            let mut command = bare(&program);
            command.arg(&script);
            command
        };
        programs.push(Program { name, command: Box::new(command) });
    }
    println!("process: {} starts each, in turn; median (least to most)", STARTS - 1);
    println!("{:<26} {:>34} {:>26} {:>26}", "program", "milliseconds to the first 200", "idle VmRSS, MiB", "of it not of files, MiB");
    let mut took: Vec<Vec<f64>> = programs.iter().map(|_| Vec::new()).collect();
    for start in 0..STARTS {
        for (program, took) in programs.iter().zip(&mut took) {
            let (running, first) = start_one(program);
            drop(running);
            if start > 0 {
                took.push(milliseconds(first));
            }
        }
    }
    for (program, took) in programs.iter().zip(took) {
        let (mut all, mut own) = (Vec::new(), Vec::new());
        for _ in 0..IDLE_ROUNDS {
            let (running, _) = start_one(program);
            thread::sleep(IDLE_AFTER);
            all.push(memory(running.0.id(), "VmRSS"));
            own.push(memory(running.0.id(), "RssAnon"));
        }
        println!("{:<26} {:>34.1} {:>26.1} {:>26.1}", program.name, Figures::of(took), Figures::of(all), Figures::of(own));
    }
}

fn handler(data: &Path) -> Command {
    let mut command = bare(HELPDESK);
    command.env("HELPDESK_DATA", data);
    command
}

/// A program with nothing of our own environment: a search path for libraries, or a variable that makes Node read certificates, costs milliseconds.
fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command
}

/// The interpreter itself, so that no wrapper of a version manager is measured; `None` if it is not there.
fn program_of(interpreter: &str) -> Option<String> {
    let ask: &[&str] = if interpreter == "node" { &["-p", "process.execPath"] } else { &["-c", "import sys; print(sys.executable)"] };
    let output = Command::new(interpreter).args(ask).stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Starts it on a free port and waits for `GET /` to answer 200.
fn start_one(program: &Program) -> (Running, Duration) {
    let port = free_port();
    let mut command = (program.command)();
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let running = Running(command.spawn().expect("the program starts"));
    until_answered(program.name, port, "/", started);
    (running, started.elapsed())
}

pub fn until_answered(name: &str, port: u16, path: &str, started: Instant) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while started.elapsed() < READY_WITHIN {
        if let Ok((200, _)) =
            Client::connect(address).as_mut().map_err(|error| error.kind()).and_then(|client| client.get(path).map_err(|error| error.kind()))
        {
            return;
        }
        thread::sleep(TRY_EVERY);
    }
    panic!("{name} did not answer GET {path} within {READY_WITHIN:?}");
}

/// A line of `/proc/<pid>/status`, in MiB.
pub fn memory(process: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux tells of processes");
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')?.split_whitespace().next()?.parse::<f64>().ok());
    value.expect("the kernel tells of memory") / 1024.0
}

/// Mails that wait in the queue when `helpdesk dev` starts, until each is a ticket and its message is gone.
fn through_dev() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!(
        "helpdesk dev: {DEV_MAILS} mails wait in the queue, from its first answer until none is left, {} rounds; median (least to most)",
        DEV_ROUNDS - 1
    );
    println!("{:<22} {:>26} {:>34}", "mail", "mails per second", "milliseconds from start to answer");
    for (bytes, name) in DEV_MAIL_BYTES {
        let rounds: Vec<(f64, f64)> = (0..DEV_ROUNDS).map(|round| runtime.block_on(dev_round(bytes, round))).skip(1).collect();
        println!("{name:<22} {:>26.0} {:>34.1}", Figures::of(rounds.iter().map(|round| round.0)), Figures::of(rounds.iter().map(|round| round.1)));
    }
}

async fn dev_round(bytes: usize, round: usize) -> (f64, f64) {
    let data = folder();
    let house = crate::support::house(data.path(), Purpose::Visit).await;
    let queues = house.app.ports.queues.clone();
    for at in 0..DEV_MAILS {
        let message = leave(&house, format!("bench/{at}.eml"), Bytes::from(mails::mail(bytes, round * DEV_MAILS + at))).await;
        let text = encode_text(message.as_bytes()).expect("the message is short");
        queues.send(QUEUE, &text, Duration::ZERO).await.expect("the store takes a message");
    }
    let port = free_port();
    let mut command = Command::new(HELPDESK);
    command.args(["dev", "--port", &port.to_string(), "--data"]).arg(data.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let _running = Running(command.spawn().expect("the program starts"));
    until_answered("helpdesk dev", port, "/api/health", started);
    let answered = Instant::now();
    let first = milliseconds(answered - started);
    while queues.depth(QUEUE).await.expect("the store tells") > 0 {
        assert!(answered.elapsed() < DEV_WITHIN, "mails were left after {DEV_WITHIN:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let rate = DEV_MAILS as f64 / answered.elapsed().as_secs_f64();
    assert_eq!(tickets(&house).await, DEV_MAILS, "each mail is a ticket");
    (rate, first)
}

async fn tickets(house: &House) -> usize {
    let place = partition(&"contoso".parse().expect("it is a tenant id"), Kind::Ticket);
    let scan = Scan::prefix(&place, Slot::K4, "number:", 2 * DEV_MAILS);
    house.app.ports.documents.scan(&scan).await.expect("the store can be read").len()
}
