//! The function table against what is deployed: `functions/<Name>/function.json`, `host.json`, the settings sample and the README's tables.
//!
//! `UPDATE=1 cargo test deployment` writes what the table says and removes what it no longer names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use helpdesk::{
    access::{Action, Role, roles},
    config::{SETTINGS, Setting},
    devhost::{FUNCTION_TIMEOUT, queues},
    functions::{ALL, Access, Function, Method, Trigger},
};
use serde::Serialize;
use serde_json::json;

/// The name of each binding; the handler reads messages and ticks by it.
const HTTP_BINDING: &str = "request";
const ANSWER_BINDING: &str = "response";
const QUEUE_BINDING: &str = "message";
const TIMER_BINDING: &str = "timer";

/// The setting that says where the queues are.
const QUEUE_CONNECTION: &str = "HELPDESK_QUEUES";

/// Queues whose work is found again by a timer, so that nothing needs their poison queue: (queue, timer function).
const SWEPT_QUEUES: &[(&str, &str)] = &[("outbox", "SweepOutbox")];

/// Settings that the host reads, not we: (name, value in the sample, what).
const HOST_SETTINGS: &[(&str, &str, &str)] = &[
    ("FUNCTIONS_WORKER_RUNTIME", "custom", "tells the Functions host that we are a custom handler"),
    ("AzureWebJobsStorage", "UseDevelopmentStorage=true", "the storage account in which the Functions host keeps its own state"),
    (
        QUEUE_CONNECTION,
        "UseDevelopmentStorage=true",
        "the storage account of the queues; in Azure `HELPDESK_QUEUES__queueServiceUri` and an identity",
    ),
];

/// Settings whose value in the sample is not the default.
const SAMPLE_VALUES: &[(&str, &str)] = &[("HELPDESK_DATA", ".helpdesk")];

/// The embedded host may not import the rooms whose contract it feeds.
#[test]
fn the_embedded_host_feeds_the_intake_as_its_contract_says() {
    use helpdesk::{
        devhost::inbox,
        tickets::{intake, unprocessed},
    };
    // What is too large for a mail reaches the intake, which records it.
    const { assert!(inbox::FILE_BYTES_MAX > intake::MAIL_BYTES_MAX) };
    assert_eq!((inbox::CONTAINER, inbox::QUEUE), (unprocessed::INTAKE_CONTAINER, unprocessed::INTAKE_QUEUE));
    let listened_to = |function: &Function| matches!(function.trigger, Trigger::Queue { queue, .. } if queue == unprocessed::INTAKE_QUEUE);
    assert!(ALL.iter().any(listened_to));
}

#[test]
fn what_is_deployed_is_what_the_table_says() {
    let expected = rendered();
    if std::env::var_os("UPDATE").is_some() {
        update(&expected);
    }
    let mut drift = Vec::new();
    for (path, text) in &expected {
        // A checkout may have turned line ends.
        let on_disk = fs::read_to_string(root().join(path)).unwrap_or_default().replace("\r\n", "\n");
        if on_disk != *text {
            drift.push(format!("{} differs from the table", path.display()));
        }
    }
    drift.extend(orphans(&expected).iter().map(|path| format!("{} belongs to no row", path.display())));
    assert!(drift.is_empty(), "run `UPDATE=1 cargo test deployment` and read what it changes:\n{}", drift.join("\n"));
}

#[test]
fn the_host_accepts_the_table() {
    assert_eq!(faults(ALL), Vec::<String>::new());
}

#[test]
fn a_table_that_the_host_refuses_is_refused_here() {
    fn http(method: Method, route: &'static str) -> Trigger {
        Trigger::Http { method, route, access: Access::Everyone(|_, _| Box::pin(async { unreachable!() })) }
    }
    fn queue(queue: &'static str) -> Trigger {
        Trigger::Queue { queue, run: |_, _| Box::pin(async { unreachable!() }) }
    }
    fn timer(schedule: &'static str) -> Trigger {
        Trigger::Timer { schedule, run: |_, _| Box::pin(async { unreachable!() }) }
    }
    let bad: Vec<(Vec<(&'static str, Trigger)>, &str)> = vec![
        (vec![("2Fast", timer("0 */5 * * * *"))], "function name"),
        (vec![("Host", timer("0 */5 * * * *"))], "function name"),
        (vec![("Sweep", timer("0 */5 * * * *")), ("sweep", timer("0 */5 * * * *"))], "twice"),
        (vec![("Sweep", timer("*/5 * * * *"))], "six fields"),
        (vec![("Show", http(Method::Get, "/api/show"))], "slash"),
        (vec![("Show", http(Method::Get, "api/show/"))], "slash"),
        (vec![("Show", http(Method::Get, "Show"))], "one segment"),
        (vec![("Show", http(Method::Get, "admin/show"))], "the host's own"),
        (vec![("Show", http(Method::Get, "api/{not_a_name}"))], "segment"),
        (vec![("Show", http(Method::Get, "api/{id}/{id}"))], "twice"),
        (vec![("A", http(Method::Get, "api/{id}")), ("B", http(Method::Get, "api/{number}"))], "same requests"),
        (vec![("Mail", queue("mail_intake")), ("MailPoison", queue("mail_intake-poison"))], "queue name"),
        (vec![("Mail", queue("mail--intake")), ("MailPoison", queue("mail--intake-poison"))], "queue name"),
        (vec![("Mail", queue("mail-intake"))], "poison"),
        (vec![("Outbox", queue("outbox"))], "poison"),
        (vec![("Mail", queue("mail")), ("Too", queue("mail")), ("MailPoison", queue("mail-poison"))], "two functions"),
        (vec![("MailPoison", queue("mail-poison"))], "never filled"),
    ];
    for (rows, expected) in bad {
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        let table: Vec<Function> = rows.into_iter().map(|(name, trigger)| Function { name, trigger }).collect();
        let found = faults(&table);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{names:?} should be refused for `{expected}`, not {found:?}");
    }
    let good = [
        ("List", http(Method::Get, "api/tickets")),
        ("Show", http(Method::Get, "api/tickets/{id}")),
        ("Add", http(Method::Post, "api/tickets")),
        ("DeliverOutbox", queue("outbox")),
        ("SweepOutbox", timer("0 */5 * * * *")),
    ];
    assert_eq!(faults(&good.map(|(name, trigger)| Function { name, trigger })), Vec::<String>::new());
}

#[test]
fn each_setting_is_named_once_and_says_what_it_does() {
    let mut names = BTreeSet::new();
    for setting in SETTINGS {
        assert!(names.insert(setting.name), "{} stands twice in SETTINGS", setting.name);
        assert!(!setting.what.is_empty() && !setting.what.contains('|') && !setting.what.contains('\n'), "{}: one line of words", setting.name);
        assert!(["HELPDESK_", "FUNCTIONS_", "AZURE_", "IDENTITY_"].iter().any(|prefix| setting.name.starts_with(prefix)), "{}", setting.name);
    }
}

#[test]
fn the_readme_names_no_setting_that_does_not_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let words = readme.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    for word in words.filter(|word| word.starts_with("HELPDESK_")) {
        let known = SETTINGS.iter().any(|setting| setting.name == word) || word.trim_end_matches('_') == QUEUE_CONNECTION;
        assert!(known, "the README speaks of {word}, which nothing reads");
    }
}

/// Settings that Azure's platform sets, or that choose another house.
const NOT_IN_BICEP: &[&str] = &["FUNCTIONS_CUSTOMHANDLER_PORT", "HELPDESK_DATA", "IDENTITY_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE"];

/// Settings in Azure that the Functions host or a library reads, not we.
const BICEP_ALONE: &[&str] = &[
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "HELPDESK_QUEUES__credential",
    "HELPDESK_QUEUES__clientId",
    "COSMOS_DISABLE_IMDS",
    "AZURE_COSMOS_HEDGING_ENABLED",
];

#[test]
fn azure_gets_each_setting_that_is_read_and_no_other() {
    let bicep = fs::read_to_string(root().join("infra/modules/app.bicep")).unwrap();
    let settings = bicep.split_once("name: 'appsettings'\n  properties: {\n").unwrap().1.split_once("\n  }\n").unwrap().0;
    let set: BTreeSet<&str> = settings.lines().map(|line| line.trim().split_once(':').unwrap().0).collect();
    let read = SETTINGS.iter().map(|setting| setting.name).filter(|name| !NOT_IN_BICEP.contains(name));
    assert_eq!(set, read.chain(BICEP_ALONE.iter().copied()).collect());
}

/// Every file that the table decides, by its path below the repository.
fn rendered() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for function in ALL {
        files.insert(PathBuf::from("functions").join(function.name).join("function.json"), pretty(&FunctionJson::of(function)));
    }
    files.insert("host.json".into(), pretty(&host()));
    files.insert("local.settings.sample.json".into(), pretty(&sample()));
    let readme = fs::read_to_string(root().join("README.md")).unwrap_or_default().replace("\r\n", "\n");
    let readme = with_section(&readme, "functions", &functions_table());
    files.insert("README.md".into(), with_section(&readme, "settings", &settings_table()));
    files
}

fn update(expected: &BTreeMap<PathBuf, String>) {
    for (path, text) in expected {
        let path = root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if fs::read_to_string(&path).unwrap_or_default() != *text {
            fs::write(&path, text).unwrap();
        }
    }
    for path in orphans(expected) {
        let path = root().join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

/// What stands under `functions/` and belongs to no row; the host would start a folder's function, and take a second file for its script.
fn orphans(expected: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let mut orphans = Vec::new();
    for folder in entries(Path::new("functions")) {
        if !expected.keys().any(|path| path.parent() == Some(folder.as_path())) {
            orphans.push(folder);
        } else {
            orphans.extend(entries(&folder).into_iter().filter(|file| !expected.contains_key(file)));
        }
    }
    orphans
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    entries.map(|entry| folder.join(entry.unwrap().file_name())).collect()
}

/// What the host, the handler or the queues would not take from this table.
fn faults(table: &[Function]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    let mut requests = BTreeMap::new();
    let mut queues = BTreeSet::new();
    for Function { name, trigger } in table {
        let shape = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() <= 128;
        if !shape || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') || name.eq_ignore_ascii_case("host") {
            faults.push(format!("{name}: not a function name that the host accepts"));
        }
        if !names.insert(name.to_ascii_lowercase()) {
            faults.push(format!("{name}: the name stands twice"));
        }
        match trigger {
            Trigger::Http { method, route, .. } => {
                faults.extend(route_faults(route).into_iter().map(|fault| format!("{name}: {fault}")));
                let shape: Vec<String> = route.split('/').map(|part| if part.starts_with('{') { "{}".into() } else { part.to_lowercase() }).collect();
                if let Some(other) = requests.insert((method.as_str(), shape), name) {
                    faults.push(format!("{name} and {other} answer the same requests"));
                }
            }
            Trigger::Queue { queue, .. } => {
                let letters = queue.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                let length = (3..=63 - "-poison".len()).contains(&queue.trim_end_matches("-poison").len());
                if !letters || !length || queue.contains("--") || queue.starts_with('-') || queue.ends_with('-') {
                    faults.push(format!("{name}: `{queue}` is no queue name with room for `-poison`"));
                }
                if !queues.insert(*queue) {
                    faults.push(format!("{name}: two functions read the queue `{queue}`"));
                }
            }
            Trigger::Timer { schedule, .. } => {
                let fields: Vec<&str> = schedule.split(' ').collect();
                if fields.len() != 6
                    || fields.iter().any(|field| field.is_empty() || !field.bytes().all(|b| b.is_ascii_digit() || b"*/,-".contains(&b)))
                {
                    faults.push(format!("{name}: `{schedule}` is not six fields of numbers, `*`, `/`, `,` and `-`"));
                }
            }
        }
    }
    let timers: Vec<&str> = table.iter().filter(|row| matches!(row.trigger, Trigger::Timer { .. })).map(|row| row.name).collect();
    for queue in &queues {
        match queue.strip_suffix("-poison") {
            Some(filled) if !queues.contains(filled) => faults.push(format!("`{queue}` is never filled: nothing reads `{filled}`")),
            Some(_) => {}
            None => {
                let swept = SWEPT_QUEUES.iter().any(|(own, timer)| own == queue && timers.contains(timer));
                if !swept && !queues.contains(format!("{queue}-poison").as_str()) {
                    faults.push(format!("what fails in `{queue}` is lost: neither a row for its poison queue nor a sweep"));
                }
            }
        }
    }
    faults
}

fn route_faults(route: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut params = BTreeSet::new();
    let parts: Vec<&str> = route.split('/').collect();
    if route.starts_with('/') || route.ends_with('/') {
        faults.push("the route begins or ends with a slash".to_owned());
    }
    // `POST /<Name>` is how the host calls a queue function.
    if parts.len() < 2 {
        faults.push("a route of one segment reads like the host's call of a function".to_owned());
    }
    if ["admin", "runtime"].contains(&parts[0]) {
        faults.push("the route lies under a path that is the host's own".to_owned());
    }
    for part in parts {
        let param = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let good = match param {
            Some(name) => name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|b| b.is_ascii_alphanumeric()),
            None => part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'),
        };
        if !good || part.is_empty() {
            faults.push(format!("`{part}` is no segment that every host reads alike"));
        }
        if param.is_some_and(|name| !params.insert(name)) {
            faults.push(format!("`{part}` stands twice in the route"));
        }
    }
    faults
}

#[derive(Serialize)]
struct FunctionJson {
    bindings: Vec<Binding>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type")]
enum Binding {
    HttpTrigger { direction: &'static str, name: &'static str, auth_level: &'static str, methods: Vec<String>, route: &'static str },
    Http { direction: &'static str, name: &'static str },
    QueueTrigger { direction: &'static str, name: &'static str, queue_name: &'static str, connection: &'static str },
    TimerTrigger { direction: &'static str, name: &'static str, schedule: &'static str },
}

impl FunctionJson {
    fn of(function: &Function) -> Self {
        let bindings = match &function.trigger {
            // We know our callers by their tokens; the host's keys would be a second, weaker door.
            Trigger::Http { method, route, .. } => vec![
                Binding::HttpTrigger {
                    direction: "in",
                    name: HTTP_BINDING,
                    auth_level: "anonymous",
                    methods: vec![method.as_str().to_ascii_lowercase()],
                    route,
                },
                Binding::Http { direction: "out", name: ANSWER_BINDING },
            ],
            Trigger::Queue { queue, .. } => {
                vec![Binding::QueueTrigger { direction: "in", name: QUEUE_BINDING, queue_name: queue, connection: QUEUE_CONNECTION }]
            }
            Trigger::Timer { schedule, .. } => vec![Binding::TimerTrigger { direction: "in", name: TIMER_BINDING, schedule }],
        };
        FunctionJson { bindings }
    }
}

/// `hh:mm:ss`, as host.json writes a time span.
fn span(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The host's settings. Ten tries two minutes apart outlive a short outage of the vault or the store.
fn host() -> serde_json::Value {
    json!({
        "version": "2.0",
        "extensionBundle": { "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)" },
        "customHandler": {
            "description": { "defaultExecutablePath": "helpdesk" },
            "enableForwardingHttpRequest": true,
        },
        "extensions": {
            "http": { "routePrefix": "" },
            "queues": {
                "batchSize": queues::BATCH_MESSAGES,
                "newBatchThreshold": queues::NEW_BATCH_THRESHOLD,
                "maxDequeueCount": queues::MAX_DEQUEUE_COUNT,
                "visibilityTimeout": span(queues::VISIBILITY_TIMEOUT),
                "messageEncoding": "base64",
                // An answer to a customer waits for the next look, which by default may be a minute away.
                "maxPollingInterval": "00:00:02",
            },
        },
        "functionTimeout": span(FUNCTION_TIMEOUT),
        "logging": {
            "logLevel": { "default": "Information", "Azure.Core": "Warning" },
            "applicationInsights": { "samplingSettings": { "isEnabled": true, "excludedTypes": "Exception;Request;Trace" } },
        },
    })
}

fn sample() -> serde_json::Value {
    let mut values: BTreeMap<&str, &str> = HOST_SETTINGS.iter().map(|(name, value, _)| (*name, *value)).collect();
    // The host itself sets what is not ours by name.
    // A child of the queues' connection would hide the connection itself from the Functions host.
    let shown = |setting: &&Setting| setting.name.starts_with("HELPDESK_") && !setting.name.contains("__");
    for setting in SETTINGS.iter().filter(shown) {
        let value = SAMPLE_VALUES.iter().find(|(name, _)| *name == setting.name).map_or(setting.default, |(_, value)| value);
        values.entry(setting.name).or_insert(value);
    }
    json!({ "IsEncrypted": false, "Values": values })
}

fn settings_table() -> String {
    let mut table = "| setting | default | what it does |\n| --- | --- | --- |\n".to_owned();
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { "none".to_owned() } else { format!("`{}`", setting.default) };
        writeln!(table, "| `{}` | {default} | {} |", setting.name, setting.what).unwrap();
    }
    for (name, value, what) in HOST_SETTINGS.iter().filter(|(name, ..)| !SETTINGS.iter().any(|setting| setting.name == *name)) {
        let default = if *value == "custom" { "`custom`, always" } else { "none" };
        writeln!(table, "| `{name}` | {default} | {what} |").unwrap();
    }
    table
}

fn functions_table() -> String {
    let mut table = "| function | runs on | who may call it |\n| --- | --- | --- |\n".to_owned();
    for Function { name, trigger } in ALL {
        let (on, who) = match trigger {
            Trigger::Http { method, route, access: Access::Everyone(_) } => (format!("`{} /{route}`", method.as_str()), "everyone".to_owned()),
            Trigger::Http { method, route, access: Access::Callers(action, _) } => (format!("`{} /{route}`", method.as_str()), who_may(*action)),
            Trigger::Queue { queue, .. } => (format!("queue `{queue}`"), "the host".to_owned()),
            Trigger::Timer { schedule, .. } => (format!("timer `{schedule}`"), "the host".to_owned()),
        };
        writeln!(table, "| `{name}` | {on} | {who} |").unwrap();
    }
    table
}

/// The roles that the permission table lets do this, in words.
fn who_may(action: Action) -> String {
    let words = |role: Role| match role {
        Role::Admin => "an admin of the tenant",
        Role::Operator => "an operator of the vendor",
        Role::PrivacyOfficer => "the privacy officer of the vendor",
        Role::Feeder => "a feeder of the tenant",
        Role::Agent => "an agent of the tenant",
        Role::Requester => "a requester, of his own tickets",
    };
    let roles = Role::ALL.into_iter().filter(|role| roles::may(*role, action));
    roles.map(words).collect::<Vec<_>>().join("; ")
}

/// The text with what stands between the section's two marks replaced.
fn with_section(text: &str, section: &str, content: &str) -> String {
    let (opening, closing) = (format!("<!-- {section}: from the code -->\n"), format!("<!-- end of {section} -->\n"));
    let (before, rest) = text.split_once(&opening).unwrap_or_else(|| panic!("the README has no mark `{}`", opening.trim()));
    let (_, after) = rest.split_once(&closing).unwrap_or_else(|| panic!("the README has no mark `{}`", closing.trim()));
    format!("{before}{opening}{content}{closing}{after}")
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
