//! What a mail means, one rule a mail: `tests/mails/<subject>/<what it shows>.eml`, and beside it, as `.json`, what `helpdesk inspect` must print of it.
//!
//! Only what the `.json` names is compared; a list is compared whole. `arguments` in it go to the command. A string that begins with `~` must be contained.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value};

#[test]
fn every_mail_is_read_as_the_record_beside_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mails");
    let mails: Vec<PathBuf> = subfolders(&folder).iter().flat_map(|subject| files(subject, "eml")).collect();
    assert!(!mails.is_empty(), "no mail was found");
    let mut wrong = Vec::new();
    for mail in &mails {
        let text = fs::read_to_string(mail.with_extension("json")).unwrap_or_else(|_| panic!("{} has no record beside it", mail.display()));
        let mut expected: Map<String, Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("beside {}: {error}", mail.display()));
        assert!(!expected.is_empty(), "{} says nothing", mail.display());
        let arguments = expected.remove("arguments").unwrap_or_default();
        let printed = inspect(mail, arguments.as_array().map_or(&[], Vec::as_slice));
        for (member, value) in &expected {
            let found = printed.get(member).unwrap_or_else(|| panic!("{member} is no member of a record"));
            if !is_met(value, found) {
                wrong.push(format!("{}\n    {member} is   {found}\n    and not {value}", mail.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let records = subfolders(&folder).iter().flat_map(|subject| files(subject, "json")).count();
    assert_eq!(records, mails.len(), "a record without its mail");
}

fn inspect(mail: &Path, arguments: &[Value]) -> Map<String, Value> {
    let arguments = arguments.iter().map(|argument| argument.as_str().expect("an argument is a string"));
    let output = Command::new(env!("CARGO_BIN_EXE_helpdesk")).arg("inspect").args(arguments).arg(mail).output().expect("the command starts");
    assert!(output.status.success(), "{}: {}", mail.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn is_met(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(member, value)| found.get(member).is_some_and(|found| is_met(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| is_met(expected, found))
        }
        (Value::String(expected), Value::String(found)) => match expected.strip_prefix('~') {
            Some(part) => found.contains(part),
            None => expected == found,
        },
        _ => expected == found,
    }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|path| path.is_dir()).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).expect("the folder can be read").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}
