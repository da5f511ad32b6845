//! What is deployed, `target/package.zip`: opened, and started as the Functions host starts it. Ignored by default: `scripts/package --check` makes
//! it and runs this.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use helpdesk::functions::ALL;
use object::{
    Endianness,
    elf::{DT_NEEDED, EM_X86_64, ET_DYN, PT_INTERP},
    read::elf::{ElfFile64, FileHeader, ProgramHeader},
};
use serde_json::Value;
use tempfile::TempDir;
use zip::{System, ZipArchive};

use super::{Process, run};
use crate::support::http;

const HANDLER: &str = "helpdesk";
/// The newest glibc that the handler may need; what `scripts/package` links it for.
const GLIBC_MAX: [u32; 2] = [2, 28];
/// Each is a part of glibc. What else the handler is made of, it brings.
const LIBRARIES: &[&str] = &["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "ld-linux-x86-64.so.2"];
/// How often and how long the host asks whether the handler is there (`initializationTimeout`).
const PING: Duration = Duration::from_millis(25);
const START_MAX: Duration = Duration::from_secs(30);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn opened() -> ZipArchive<File> {
    let path = root().join("target/package.zip");
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}: run `scripts/package` first", path.display()));
    ZipArchive::new(file).unwrap()
}

fn content(archive: &mut ZipArchive<File>, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// The folder that the host has of the zip.
fn deployed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    opened().extract(folder.path()).unwrap();
    folder
}

/// The handler with the environment that the host gives it: the app's settings, here those of the sample, and its own.
fn hosted(deployed: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(deployed.join(HANDLER));
    as_hosted(&mut command, deployed, address);
    command
}

fn as_hosted(command: &mut Command, deployed: &Path, address: SocketAddr) {
    command.current_dir(deployed).stdin(Stdio::null());
    for setting in helpdesk::config::SETTINGS {
        command.env_remove(setting.name);
    }
    let sample: Value = serde_json::from_slice(&fs::read(root().join("local.settings.sample.json")).unwrap()).unwrap();
    for (name, value) in sample["Values"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    let (port, id) = (address.port().to_string(), "0f3c1a52-6f5b-4a86-9a63-5b0f1f2f7c11");
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", &port).env("FUNCTIONS_HTTPWORKER_PORT", &port);
    command.env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", id).env("FUNCTIONS_HTTPWORKER_ID", id).env("FUNCTIONS_APP_ROOT_PATH", deployed);
}

#[test]
#[ignore = "`scripts/package --check` makes the zip first"]
fn the_zip_holds_what_the_host_reads_and_nothing_else() {
    let mut archive = opened();
    let mut expected = BTreeSet::from([HANDLER.to_owned(), "host.json".to_owned()]);
    expected.extend(ALL.iter().map(|function| format!("{}/function.json", function.name)));
    let names: Vec<String> = (0..archive.len()).map(|at| archive.by_index(at).unwrap().name().unwrap().into_owned()).collect();
    assert_eq!(names, expected.into_iter().collect::<Vec<_>>(), "each once, in order");
    for name in names {
        let entry = archive.by_name(&name).unwrap();
        // Without the bit the host cannot start its handler; without the type, or made by another system, an unpacker may drop the bit.
        let mode = if name == HANDLER { 0o100_755 } else { 0o100_644 };
        assert_eq!((entry.system(), entry.external_attributes() >> 16), (System::Unix, mode), "{name}: {:o}", entry.external_attributes() >> 16);
        drop(entry);
        let own = match name.as_str() {
            HANDLER => continue,
            "host.json" => PathBuf::from("host.json"),
            function => Path::new("functions").join(function),
        };
        assert!(content(&mut archive, &name) == fs::read(root().join(&own)).unwrap(), "{name} is not what {} is in this source", own.display());
    }
}

#[test]
#[ignore = "`scripts/package --check` makes the zip first"]
fn the_handler_runs_on_any_linux_that_azure_has() {
    let bytes = content(&mut opened(), HANDLER);
    let bytes = bytes.as_slice();
    let file = ElfFile64::<Endianness>::parse(bytes).unwrap();
    let (endian, header, sections) = (file.endian(), file.elf_header(), file.elf_section_table());
    assert_eq!((header.e_machine(endian), header.e_type(endian)), (EM_X86_64, ET_DYN));
    let loader = file.elf_program_headers().iter().find(|part| part.p_type(endian) == PT_INTERP).unwrap().interpreter(endian, bytes).unwrap();
    assert_eq!(loader.map(String::from_utf8_lossy).as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));

    let dynamic = file.elf_dynamic_table().unwrap();
    for library in dynamic.iter().filter(|entry| entry.tag == DT_NEEDED) {
        let library = String::from_utf8_lossy(dynamic.string(library).unwrap());
        assert!(LIBRARIES.contains(&library.as_ref()), "{library} may not be there");
    }
    let (mut needs, strings) = sections.gnu_verneed(endian, bytes).unwrap().unwrap();
    let strings = sections.strings(endian, bytes, strings).unwrap();
    let mut newest = [0, 0];
    while let Some((_, mut versions)) = needs.next().unwrap() {
        while let Some(version) = versions.next().unwrap() {
            let name = String::from_utf8_lossy(version.name(endian, strings).unwrap());
            let numbers = name.strip_prefix("GLIBC_").unwrap_or_else(|| panic!("{name} is no version of glibc"));
            let numbers: Vec<u32> = numbers.split('.').map(|number| number.parse().unwrap()).collect();
            assert!(numbers[..2] <= GLIBC_MAX[..], "{name} is newer than what Azure's images and older systems have");
            newest = newest.max([numbers[0], numbers[1]]);
        }
    }
    assert_eq!(newest[0], 2, "no version was found");

    let names: Vec<_> = sections.iter().map(|section| String::from_utf8_lossy(sections.section_name(endian, section).unwrap())).collect();
    let stray = |name: &str| name.starts_with(".debug") || name.starts_with(".zdebug") || name == ".symtab";
    assert!(!names.iter().any(|name| stray(name)), "not stripped: {names:?}");
    // A panic is caught only where the stack can be unwound.
    for table in [".eh_frame", ".eh_frame_hdr", ".gcc_except_table"] {
        assert!(names.iter().any(|name| name == table), "no {table}: {names:?}");
    }
}

#[tokio::test]
#[ignore = "`scripts/package --check` makes the zip first"]
async fn the_host_starts_the_handler_of_the_zip() {
    let folder = deployed();
    let address = http::unused_port();
    let started = Instant::now();
    let handler = Process::start(&mut hosted(folder.path(), address));
    while tokio::net::TcpStream::connect(address).await.is_err() {
        assert!(started.elapsed() < START_MAX, "{:?} {:?}", handler.stdout.so_far(), handler.stderr.so_far());
        tokio::time::sleep(PING).await;
    }
    assert_eq!(http::request(address, "GET", "/", &[], b"").await.status, 200);
    let health = http::request(address, "GET", "/api/health", &[], b"").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &"ok".into()));
    println!("from start to the answer of Health: {} ms", started.elapsed().as_millis());

    // A zip of last week would not say what this source says.
    let described = http::request(address, "GET", "/api/openapi.json", &[], b"").await.json();
    let snapshot: Value = serde_json::from_slice(&fs::read(root().join("tests/handler/openapi.json")).unwrap()).unwrap();
    assert!(described == snapshot, "the zip was made from another source: run `scripts/package`");

    let recorded = fs::read(root().join("tests/wire/requests/queue-mail.http")).unwrap();
    let answer = http::raw(address, &http::sent_to(address, recorded)).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.json());
    assert_eq!(answer.json()["Outputs"], serde_json::json!({}));
    assert!(answer.json()["Logs"].is_array() && answer.json().as_object().unwrap().contains_key("ReturnValue"), "{}", answer.json());
    // The sample's data lie where README.md says, beside the handler.
    assert!(folder.path().join(".helpdesk/helpdesk.sqlite").exists());
    handler.kill();
}

#[test]
#[ignore = "`scripts/package --check` makes the zip first"]
fn a_missing_setting_ends_the_start_with_one_line() {
    let folder = deployed();
    let mut command = hosted(folder.path(), http::unused_port());
    command.env_remove("HELPDESK_DATA");
    let ended = run(command);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("HELPDESK_DATA") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
}

/// Only loopback is there, as in a virtual network without a way out. Needs a kernel that lets us make such a network.
#[test]
#[ignore = "`scripts/package --check` makes the zip first"]
fn the_handler_starts_without_a_network() {
    const ALONE: &[&str] = &["--map-root-user", "--net", "--pid", "--kill-child"];
    const START_AND_ASK: &str = r"
        set -e
        ip link set lo up
        ./helpdesk >/dev/null &
        until (exec 3<>/dev/tcp/127.0.0.1/$FUNCTIONS_CUSTOMHANDLER_PORT) 2>/dev/null; do kill -0 $!; sleep 0.05; done
        exec 3<>/dev/tcp/127.0.0.1/$FUNCTIONS_CUSTOMHANDLER_PORT
        printf 'GET /api/health HTTP/1.1\r\nHost: handler\r\nConnection: close\r\n\r\n' >&3
        cat <&3";
    if !Command::new("unshare").args(ALONE).args(["ip", "link", "set", "lo", "up"]).status().is_ok_and(|status| status.success()) {
        eprintln!("NOT CHECKED: a network of its own cannot be made here");
        return;
    }
    let folder = deployed();
    let mut command = Command::new("unshare");
    command.args(ALONE).args(["bash", "-c", START_AND_ASK]);
    as_hosted(&mut command, folder.path(), http::unused_port());
    let ended = run(command);
    assert!(ended.stdout.starts_with("HTTP/1.1 200 ") && ended.stdout.ends_with('}'), "{:?} {} {}", ended.code, ended.stdout, ended.stderr);
}
