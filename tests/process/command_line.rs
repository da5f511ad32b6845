//! Commands, exit codes, and one folder that several processes use.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{Dev, Ended, Handler, Process, drop_mail, get, helpdesk, ran, run, tickets, token, until};
use crate::support::{
    http::{self, Connection},
    world::{HELP, mail},
};

#[test]
fn without_a_word_it_says_what_to_try() {
    let ended = run(helpdesk(&[]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("try `helpdesk dev --sample`"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_wrong_word_suggests_the_right_one() {
    for (wrong, right) in [("devv", "'dev'"), ("tokn", "'token'"), ("tenants", "'tenant'")] {
        let ended = run(helpdesk(&[wrong]));
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("similar") && ended.stderr.contains(right), "{}", ended.stderr);
    }
    let ended = run(helpdesk(&["dev", "--samples"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--sample"), "{}", ended.stderr);
}

#[test]
fn wrong_settings_end_the_start_with_one_line_that_names_all() {
    let mut command = helpdesk(&["dev"]);
    command.env("HELPDESK_LOG", "loud").env("HELPDESK_KEY_CACHE_SECONDS", "long").env("FUNCTIONS_CUSTOMHANDLER_PORT", "0");
    let ended = run(command);
    assert_eq!(ended.code, Some(78));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    for name in ["HELPDESK_LOG", "HELPDESK_KEY_CACHE_SECONDS", "FUNCTIONS_CUSTOMHANDLER_PORT"] {
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
    }
}

#[cfg(feature = "azure")]
#[test]
fn where_entras_tokens_are_wanted_no_other_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &[]).stop();
    ran(data, &["tenant", "add", "contoso", "--name", "Contoso", "--mailbox", HELP]);
    let mut command = helpdesk(&["dev", "--port", "0", "--data"]);
    command.arg(data).env("HELPDESK_ENTRA_APPLICATION", "5c0e5e0e-2b0f-4d2c-a5b5-6f0a3a0b7f11");
    let mut dev = Process::start(&mut command);
    dev.stdout.wait_for("Ready.");
    dev.terminate();
    dev.ended();
    let shown = dev.stdout.end();
    assert!(shown.contains("a token of Entra") && !shown.contains("Bearer"), "{shown}");
}

#[test]
fn a_setting_that_is_none_is_told() {
    let mut command = helpdesk(&["inspect", "/dev/null"]);
    let ended = run({
        command.env("HELPDESK_STMP_URL", "smtp://127.0.0.1");
        command
    });
    assert!(ended.stderr.contains("HELPDESK_STMP_URL is no setting of this version, and is ignored"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("127.0.0.1"));
}

#[test]
fn a_handler_without_a_folder_says_so_in_one_line() {
    let mut command = helpdesk(&[]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", http::unused_port().port().to_string());
    let ended = run(command);
    assert_eq!(ended.code, Some(78));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("HELPDESK_DATA"), "{}", ended.stderr);
}

#[test]
fn a_command_where_no_help_desk_is_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let commands = [
        &["tenant", "list"][..],
        &["unprocessed", "list"],
        &["outbox", "list"],
        &["token", "--tenant", "contoso", "--role", "agent"],
        &["send", "Cargo.toml", "--mailbox", HELP],
    ];
    for arguments in commands {
        for data in [&missing, folder.path()] {
            let ended = run_on(data, arguments);
            assert_eq!(ended.code, Some(1), "{arguments:?}");
            assert!(ended.stderr.contains("there is no help desk in"), "{}", ended.stderr);
            assert!(ended.stderr.contains("start `helpdesk dev` first"), "{}", ended.stderr);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?} made something");
        }
    }
}

#[test]
fn what_the_help_desk_logs_is_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &["--sample"]).stop();
    let shown = run_on(data, &["logs"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let lines: Vec<Value> = shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["span"]["function"] == "IntakeMail"), "{}", shown.stdout);
    assert!(run_on(data, &["logs", "--hours", "0"]).stderr.contains("1..=168"));
}

#[test]
fn a_house_that_is_well_says_so_and_its_keys_are_made_rotated_and_moved() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &["--sample"]).stop();
    let well = run_on(data, &["check", "--json"]);
    assert_eq!(well.code, Some(0), "{}", well.stdout);
    assert!(well.stdout.lines().count() >= 6 && !well.stdout.contains("\"well\":false"), "{}", well.stdout);
    assert_eq!(run_on(data, &["keys", "init"]).stdout, "the wrapping key is there");
    assert!(run_on(data, &["keys", "rewrap"]).stdout.starts_with("0 keys moved"));
    assert!(run_on(data, &["keys", "rotate"]).stdout.starts_with("the newest version is now "));
    let moved = run_on(data, &["keys", "rewrap"]);
    assert!(!moved.stdout.starts_with("0 keys moved") && moved.code == Some(0), "{}{}", moved.stdout, moved.stderr);
    assert!(run_on(data, &["tenant", "list"]).stdout.contains("contoso"), "what was sealed opens");
    fs::remove_file(data.join("vault.json")).unwrap();
    assert_eq!(run_on(data, &["check"]).code, Some(1));
}

#[test]
fn a_folder_and_azure_exclude_each_other_in_a_handler() {
    let mut command = helpdesk(&[]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", http::unused_port().port().to_string());
    command.env("HELPDESK_DATA", "folder").env("HELPDESK_BLOBS", "https://data.blob.core.windows.net/");
    let ended = run(command);
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.contains("one or the other") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
}

#[test]
fn a_folder_that_a_command_is_told_goes_before_half_of_azures_settings() {
    let folder = tempfile::tempdir().unwrap();
    Dev::start(folder.path(), &[]).stop();
    let list = |arguments: &[&str]| {
        let mut command = helpdesk(arguments);
        command.env("HELPDESK_COSMOS", "https://x.documents.azure.com/");
        run(command)
    };
    let data = folder.path().to_str().unwrap();
    assert_eq!(list(&["tenant", "list", "--data", data]).code, Some(0));
    let ended = list(&["tenant", "list"]);
    assert!(ended.code == Some(78) && ended.stderr.contains("HELPDESK_BLOBS"), "{}", ended.stderr);
}

#[test]
fn an_argument_that_is_none_of_its_kind_is_a_wrong_word() {
    for arguments in [
        &["send", "Cargo.toml", "--mailbox", "nope"][..],
        &["tenant", "add", "ab", "--name", "A", "--mailbox", "nope"],
        &["tenant", "add", "ab", "--name", "", "--mailbox", HELP],
        &["tenant", "add", "ab", "--name", "two\nlines", "--mailbox", HELP],
        &["tenant", "change", "contoso", "--name", &"a".repeat(1000)],
        &["tenant", "mailbox", "contoso", "nope"],
        &["tenant", "change", "contoso", "--entra-tenant", "nope"],
        &["unprocessed", "show", "01JD7Z3M9QK4T5V6W7X8Y9Z0AB", "--raw", "--json"],
    ] {
        assert_eq!(run(helpdesk(arguments)).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn the_help_says_what_an_argument_is() {
    let help = |arguments: &[&str]| run(helpdesk(&[arguments, &["--help"]].concat())).stdout;
    for command in ["show", "change", "mailbox", "settings", "remove"] {
        assert!(help(&["tenant", command]).contains("The tenant, as `helpdesk tenant list` names it"), "{command}");
    }
    for command in ["show", "replay", "release"] {
        assert!(help(&["unprocessed", command]).contains("as `helpdesk unprocessed list` names"), "{command}");
    }
    for command in ["retry", "drop"] {
        assert!(help(&["outbox", command]).contains("as `helpdesk outbox list` names"), "{command}");
    }
    for command in ["dev", "send", "token"] {
        let help = help(&[command]);
        assert!(help.contains("[default: HELPDESK_DATA, else ./.helpdesk]") && !help.contains("Azure"), "{help}");
    }
    let roles = "[possible values: requester, agent, admin, feeder, operator, privacy-officer]";
    assert!(help(&["token"]).contains(roles), "{}", help(&["token"]));
    assert!(help(&["check"]).contains("else what settings name in Azure, else ./.helpdesk"));
}

#[test]
fn a_lost_key_file_is_named_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &[]).stop();
    fs::remove_file(data.join("vault.json")).unwrap();
    for arguments in [&["dev", "--port", "0"][..], &["tenant", "list"], &["send", "Cargo.toml", "--mailbox", HELP]] {
        let ended = run_on(data, arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        assert!(ended.stderr.contains("vault.json is lost: restore it from a backup"), "{}", ended.stderr);
        assert!(!data.join("vault.json").exists(), "{arguments:?} made new keys");
    }
}

#[test]
fn sent_mails_wait_side_by_side_for_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &[]).stop();
    for (files, said) in [(&["Cargo.toml", "Cargo.toml", "Cargo.toml"][..], "3 mails left for"), (&["Cargo.toml"], "1 mail left for")] {
        let sent = ran(data, &[&["send", "--mailbox", HELP], files].concat());
        assert!(sent.starts_with(said), "{sent}");
    }
    let inbox = data.join("inbox").join(HELP);
    let waiting: Vec<_> = fs::read_dir(&inbox).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(waiting.len(), 4);
    assert!(waiting.iter().all(|mail| mail.extension().unwrap() == "eml" && mode(mail) == 0o600));
    assert_eq!((mode(&inbox), mode(&data.join("inbox"))), (0o700, 0o700));
}

#[test]
fn mail_where_nobody_looks_is_told_of() {
    for misplaced in [".help@contoso.example/", "help@contoso.example/folder.eml/"] {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path().join("inbox");
        // Somebody's own.
        fs::create_dir_all(inbox.join(".cache")).unwrap();
        let dev = Dev::start(folder.path(), &[]);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(dev.process.stderr.so_far(), Vec::<String>::new());
        fs::create_dir_all(inbox.join(misplaced)).unwrap();
        let told = dev.process.stderr.wait_for("are not taken in");
        assert!(told.contains("files=1") && !told.contains("contoso"), "{told}");
        dev.stop();
    }
    let folder = tempfile::tempdir().unwrap();
    Dev::start(folder.path(), &[]).stop();
    let mut send = helpdesk(&["send", "Cargo.toml", "--mailbox", ".help@contoso.example", "--data"]);
    send.arg(folder.path());
    let sent = run(send);
    assert!(sent.code != Some(0) && sent.stderr.contains("no dot at its beginning"), "{}", sent.stderr);
}

#[cfg(unix)]
#[test]
fn mail_behind_a_link_or_for_what_is_no_text_is_told_of() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inbox = folder.path().join("inbox");
    let no_text = inbox.join(std::ffi::OsStr::from_bytes(b"h\xe4lp@contoso.example"));
    fs::create_dir_all(&no_text).unwrap();
    let dev = Dev::start(folder.path(), &[]);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(dev.process.stderr.so_far(), Vec::<String>::new());
    fs::write(no_text.join("one.eml"), "x").unwrap();
    symlink(elsewhere.path(), inbox.join(HELP)).unwrap();
    let told = dev.process.stderr.wait_for("are not taken in");
    assert!(told.contains("files=2") && !told.contains("contoso"), "{told}");
    dev.stop();
}

/// As on a full disk: files end after so many bytes.
#[cfg(unix)]
const FULL_AT: usize = 400 * 1024;

#[cfg(unix)]
fn on_a_full_disk(arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 800; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_helpdesk")]).args(arguments);
    command
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_where_one_looks() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let dev = Dev::start(data, &[]);
    ran(data, &["tenant", "add", "contoso", "--name", "Contoso", "--mailbox", HELP]);
    assert!(ran(data, &["check"]).contains("ok    room on the disk"));
    drop_mail(data, HELP, "before", &mail("ann@a.example", "b@a.example", "Before", "", "Words."));
    dev.process.stdout.wait_for("opened ticket 1");
    // What became of mails is told, and nothing else, while all is well.
    assert_eq!(dev.process.stderr.so_far(), Vec::<String>::new());
    dev.stop();

    let checked = run({
        let mut command = on_a_full_disk(&["check", "--data"]);
        command.arg(data);
        command
    });
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(checked.stdout.contains("FAULT room on the disk: the service is unavailable"), "{}", checked.stdout);

    let mut command = on_a_full_disk(&["dev", "--port", "0", "--data"]);
    let dev = Process::start(command.arg(data));
    dev.stdout.wait_for("Ready.");
    let large = mail("ann@a.example", "l@a.example", "Large", "", &"Words.\r\n".repeat(100_000));
    drop_mail(data, HELP, "large", &large);
    let told = dev.stderr.wait_for("a mail of the inbox was not taken in");
    assert!(told.contains("WARN") && told.contains("could not be written"), "{told}");
    // It is tried again and again, and told once a minute.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(dev.stderr.so_far().len(), 1, "{:?}", dev.stderr.so_far());
    dev.kill();

    // With room again nothing is lost.
    let dev = Dev::start(data, &[]);
    dev.process.stdout.wait_for("opened ticket 2");
    dev.stop();
}

#[cfg(unix)]
#[test]
fn samples_that_a_full_disk_does_not_take_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &[]).stop();
    add_two_tenants(data);
    let mut command = on_a_full_disk(&["dev", "--port", "0", "--sample", "--data"]);
    let mut dev = Process::start(command.arg(data));
    dev.stdout.wait_for("Ready.");
    assert!(dev.stdout.wait_for("was not taken in: ").contains(".eml"));
    assert!(dev.stdout.wait_for("sample mails:").contains(" not taken in"));
    dev.terminate();
    assert_eq!(dev.ended().code(), Some(0), "{}", dev.stderr.end());
    assert!(dev.stdout.end().ends_with("Stopping."));
}

#[cfg(unix)]
#[tokio::test]
async fn what_cannot_be_shown_ends_no_call_in_mid_work() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, said) = (folder.path(), elsewhere.path().join("said"));
    let mut command = on_a_full_disk(&["dev", "--port", "0", "--data"]);
    command.arg(data).stdout(fs::File::options().append(true).create(true).open(&said).unwrap()).stderr(Stdio::piped());
    let dev = command.spawn().unwrap();
    until("the greeting", || fs::read_to_string(&said).unwrap().contains("Ready."));
    let words = fs::read_to_string(&said).unwrap();
    let address = words.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    // There is no room for what became of a mail.
    fs::File::options().append(true).open(&said).unwrap().write_all(&vec![b'\n'; FULL_AT - words.len() - 50]).unwrap();
    drop_mail(data, HELP, "one", &mail("ann@a.example", "q@a.example", "Hello", "", "Words."));
    let mut running = Connection::open(address).await;
    running.stream.write_all(b"POST /api/tickets HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
    until("the end of the room", || fs::metadata(&said).unwrap().len() == FULL_AT as u64);
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.stream.write_all(b"cd").await.unwrap();
    assert_eq!(running.answer().await.unwrap().status, 401);
    let ended = dev.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(1) && told.contains("standard output cannot be written to"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_mail_that_cannot_be_written_leaves_no_part_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    Dev::start(data, &[]).stop();
    let mail = data.join("large.eml");
    std::fs::write(&mail, [b"From: ann@a.example\r\n\r\n".as_slice(), &[b'x'; 1_000_000]].concat()).unwrap();
    let sent = on_a_full_disk(&["send"]).arg(&mail).args(["--mailbox", HELP, "--data"]).arg(data).output().unwrap();
    let said = String::from_utf8(sent.stderr).unwrap();
    assert!(sent.status.code() == Some(1) && said.contains("cannot be written to"), "{said}");
    assert_eq!(std::fs::read_dir(data.join("inbox").join(HELP)).unwrap().count(), 0, "nothing of it is left");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut command = helpdesk(&["dev", "--port", "0", "--sample", "--data"]);
    let mut dev = command.arg(data).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(dev.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("helpdesk dev"), "{first}");
    // It shows each sample before it takes in the next.
    until("the samples", || ran(data, &["unprocessed", "list", "--json"]).lines().count() == 4);
    assert_eq!(dev.try_wait().unwrap(), None, "it goes on");
    dev.kill().unwrap();
    dev.wait().unwrap();

    for arguments in [&["tenant", "list"][..], &["unprocessed", "list", "--json"], &["token", "--tenant", "contoso", "--role", "agent"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = helpdesk(arguments).arg("--data").arg(data).stdout(writer).output().unwrap();
        assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap()), (Some(0), String::new()), "{arguments:?}");
    }
}

fn run_on(data: &Path, arguments: &[&str]) -> Ended {
    let mut command = helpdesk(arguments);
    command.arg("--data").arg(data);
    run(command)
}

/// Who may do what with a file.
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_handler_serves_drains_and_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut handler = Handler::start(folder.path()).await;
    let ping = http::request(handler.address, "GET", "/", &[], b"").await;
    assert_eq!(ping.status, 200);
    for name in ["vault.json", "helpdesk.sqlite", "helpdesk.sqlite-wal"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name} is for its owner alone");
    }

    // A second host on the same folder is refused and changes nothing.
    let mut command = helpdesk(&["dev", "--port", "0", "--data"]);
    command.arg(folder.path());
    let mut other = helpdesk(&[]);
    other.env("FUNCTIONS_CUSTOMHANDLER_PORT", http::unused_port().port().to_string()).env("HELPDESK_DATA", folder.path());
    for second in [command, other] {
        let ended = run(second);
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains("another helpdesk serves the folder"), "{}", ended.stderr);
    }

    // A request whose body is still coming when SIGTERM arrives is answered.
    let mut running = Connection::open(handler.address).await;
    running.stream.write_all(b"POST /api/health HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    handler.process.terminate();
    handler.process.stdout.wait_for("stopping");
    running.stream.write_all(b"cd").await.unwrap();
    assert_eq!(running.answer().await.unwrap().status, 404);
    assert_eq!(handler.process.ended().code(), Some(200), "the host starts it anew");

    let handler = Handler::start(folder.path()).await;
    handler.process.kill();
    let handler = Handler::start(folder.path()).await;
    assert_eq!(http::request(handler.address, "GET", "/api/health", &[], b"").await.json()["status"], "ok");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = helpdesk(&["dev", "--port", &port, "--data"]);
    command.arg(folder.path());
    let ended = run(command);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&format!("port {port} is in use")) && ended.stderr.contains("--port"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test]
async fn the_samples_become_tickets_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let shown = Dev::start(data, &["--sample"]).stop();
    let summary = |shown: &str| shown.lines().find(|line| line.contains("sample mails:")).unwrap().to_owned();
    assert!(summary(&shown).starts_with("20 sample mails: 20 new (16 in tickets, 4 kept as unprocessed)"), "{shown}");
    assert!(shown.contains("curl -s -H 'Authorization: Bearer "), "{shown}");
    let kept = ran(data, &["unprocessed", "list"]);
    assert!(kept.lines().count() == 4 && kept.lines().is_sorted(), "oldest first: {kept}");
    assert_eq!((mode(&data.join("inbox").join(HELP)), mode(&data.join("logs"))), (0o700, 0o700));
    let dev = Dev::start(data, &["--sample"]);
    let agent = token(data, "contoso", "agent");
    let before = tickets(dev.address, &agent).await.len();
    assert!(before >= 6, "{before}");
    let shown = dev.stop();
    assert!(summary(&shown).starts_with("20 sample mails: 0 new"), "{shown}");
    assert!(summary(&shown).contains("20 seen before"), "{shown}");
}

fn add_two_tenants(data: &Path) {
    for (id, mailbox) in [("contoso", HELP), ("fabrikam", "support@fabrikam.example")] {
        ran(data, &["tenant", "add", id, "--name", id, "--mailbox", mailbox]);
    }
}

#[tokio::test]
async fn a_tenant_is_printed_as_the_api_shows_him() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let dev = Dev::start(data, &[]);
    add_two_tenants(data);
    let of = |arguments: &[&str]| serde_json::from_str::<Value>(&ran(data, arguments)).unwrap();
    let operator = ran(data, &["token", "--tenant", "vendor", "--role", "operator"]);
    let shown = get(dev.address, "/api/operator/tenants/contoso", &operator).await;
    assert_eq!(of(&["tenant", "show", "contoso", "--json"]), shown);
    let listed = ran(data, &["tenant", "list", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(listed.lines().next().unwrap()).unwrap(), shown);

    ran(data, &["tenant", "change", "fabrikam", "--state", "suspended"]);
    let listed = ran(data, &["tenant", "list"]);
    let columns: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(columns, [["contoso", "contoso", "active", HELP], ["fabrikam", "fabrikam", "suspended", "support@fabrikam.example"]]);

    let mut settings = of(&["tenant", "settings", "contoso"]);
    settings["mails_a_sender"] = json!(7);
    let file = data.join("settings.json");
    fs::write(&file, settings.to_string()).unwrap();
    let mut command = helpdesk(&["tenant", "settings", "contoso", "--from", "-", "--data"]);
    let changed = command.arg(data).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&changed.stdout).unwrap(), settings, "{}", String::from_utf8_lossy(&changed.stderr));
    // As much as over HTTP, and no list in the place of an object: it would put all settings back to their defaults.
    fs::write(&file, format!("{settings}{}", " ".repeat(200_000))).unwrap();
    assert_eq!(of(&["tenant", "settings", "contoso", "--from", file.to_str().unwrap()]), settings);
    fs::write(&file, "[]").unwrap();
    let refused = run_on(data, &["tenant", "settings", "contoso", "--from", file.to_str().unwrap()]);
    assert!(refused.code == Some(1) && refused.stderr.contains("holds no JSON object"), "{}", refused.stderr);
    assert_eq!(of(&["tenant", "settings", "contoso"]), settings);
    dev.stop();
}

#[tokio::test]
async fn commands_work_beside_a_running_dev() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let dev = Dev::start(data, &[]);
    add_two_tenants(data);
    let listed: Vec<Value> = ran(data, &["tenant", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["id"], &listed[0]["mailboxes"]), (&json!("contoso"), &json!([{ "address": HELP, "trust": "nobody" }])));
    // Whom a mailbox trusts is changed by naming it again.
    ran(data, &["tenant", "mailbox", "contoso", HELP, "--trust", "rfc8601 MX.contoso.example"]);
    ran(data, &["tenant", "mailbox", "contoso", HELP]);
    assert!(ran(data, &["tenant", "list"]).contains(&format!("{HELP} (trusts rfc8601 mx.contoso.example)")));
    assert_eq!(run_on(data, &["tenant", "mailbox", "contoso", HELP, "--trust", "everybody"]).code, Some(2));
    assert_eq!(run_on(data, &["tenant", "change", "contoso"]).code, Some(2), "nothing is to be changed");
    for said in ["changed contoso", "contoso is so already"] {
        assert_eq!(ran(data, &["tenant", "change", "contoso", "--name", "Contoso Ltd"]).trim(), said);
    }
    let twice = run_on(data, &["tenant", "add", "contoso", "--name", "x", "--mailbox", "x@contoso.example"]);
    assert_eq!(twice.code, Some(1));
    assert!(twice.stderr.contains("exists already"), "{}", twice.stderr);

    // One mail by the command, one by the folder, one to a mailbox that is nobody's.
    let file = data.join("question.txt");
    fs::write(&file, mail("ann@adventure-works.example", "q1@a.example", "First", "", "Words.")).unwrap();
    ran(data, &["send", file.to_str().unwrap(), "--mailbox", HELP]);
    drop_mail(data, HELP, "second", &mail("bob@northwind.example", "q2@a.example", "Second", "", "Words."));
    drop_mail(data, "later@contoso.example", "third", &mail("bob@northwind.example", "q3@a.example", "Third", "", "Words."));
    let agent = token(data, "contoso", "agent");
    let mut found = Vec::new();
    for _ in 0..500 {
        found = tickets(dev.address, &agent).await;
        if found.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(found.len(), 2);
    let path = format!("/api/tickets/{}", found[0]["id"].as_str().unwrap());
    get(dev.address, &path, &agent).await;
    let other = format!("Authorization: Bearer {}", token(data, "fabrikam", "agent"));
    assert_eq!(http::request(dev.address, "GET", &path, &[&other], b"").await.status, 404);
    assert_eq!(http::request(dev.address, "GET", &path, &[], b"").await.status, 401);

    let mut records = Vec::new();
    until("the third mail", || {
        records = ran(data, &["unprocessed", "list", "--json"]).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
        !records.is_empty()
    });
    assert_eq!((records.len(), &records[0]["reason"], &records[0]["tenant"]), (1, &json!("unknown_mailbox"), &json!("sys")));
    assert_eq!(ran(data, &["unprocessed", "list", "--json", "--tenant", "sys"]), ran(data, &["unprocessed", "list", "--json"]));
    assert_eq!(ran(data, &["unprocessed", "list", "--tenant", "contoso"]), "nothing is unprocessed");
    let id = records[0]["id"].as_str().unwrap();
    assert!(ran(data, &["unprocessed", "show", id]).contains("reason    unknown_mailbox"));
    assert!(ran(data, &["unprocessed", "show", id]).contains("replayed 0 times"));
    assert!(ran(data, &["unprocessed", "show", id, "--raw"]).contains("Subject: Third"));
    // With the mailbox it becomes a ticket.
    ran(data, &["tenant", "mailbox", "fabrikam", "later@contoso.example"]);
    for (tenant, why) in [("contoso", "exists already"), ("nosuch", "no such tenant")] {
        let refused = run_on(data, &["tenant", "mailbox", tenant, "later@contoso.example"]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    // One that is none keeps no other from being replayed.
    let replayed = run_on(data, &["unprocessed", "replay", "01JD7Z3M9QK4T5V6W7X8Y9Z0AB", id]);
    assert_eq!((replayed.code, replayed.stdout.trim()), (Some(1), format!("{id} goes through the intake again").as_str()));
    assert!(replayed.stderr.contains("there is no unprocessed record 01JD7Z3M9QK4T5V6W7X8Y9Z0AB"), "{}", replayed.stderr);
    until("the replay", || ran(data, &["unprocessed", "list", "--json"]).is_empty());
    assert_eq!(tickets(dev.address, &token(data, "fabrikam", "agent")).await.len(), 1);
    let nobody = run_on(data, &["token", "--tenant", "nosuch", "--role", "agent"]);
    assert_eq!(nobody.code, Some(0));
    assert!(nobody.stderr.contains("there is no tenant nosuch"), "{}", nobody.stderr);
    dev.stop();
}
