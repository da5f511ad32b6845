//! The rules of the house, read from the source itself: who may import whom, who may name what, how long a file may be.
//!
//! To change a rule, change its row: the rooms in [`ROOMS`], the names with an owner in [`OWNED`], all else in [`RULES`]. Each rule carries
//! an example that it must refuse and one that it must accept. Code under `#[cfg(test)]` is not bound by them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each room under `src/`, from the street to the ground, and the rooms that it may name. A room names only rooms below it in this list.
const ROOMS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &["cli", "config"]),
    ("cli", &["devhost", "wiring", "handler", "config", "functions", "access", "tickets", "outbox", "tenants", "mail", "ids", "ports"]),
    ("devhost", &["functions", "ports"]),
    ("wiring", &["adapters", "config", "functions", "access", "tickets", "outbox", "tenants", "keys", "ids", "ports"]),
    ("adapters", &["ports"]),
    ("handler", &["functions", "access", "ports"]),
    ("config", &["ids", "ports"]),
    ("functions", &["access", "tickets", "outbox", "tenants", "keys", "ids", "ports"]),
    ("access", &["tenants", "keys", "ids", "ports"]),
    ("tickets", &["outbox", "audit", "tenants", "keys", "mail", "ids", "ports"]),
    ("outbox", &["audit", "keys", "mail", "ids", "ports"]),
    ("tenants", &["audit", "keys", "mail", "ids", "ports"]),
    ("audit", &["keys", "ids", "ports"]),
    ("keys", &["ids", "ports"]),
    ("mail", &[]),
    ("ids", &[]),
    ("ports", &[]),
];

/// Names that have an owner: the words, in path order, the only places under `src/` that may write them, and why.
const OWNED: &[(&[&str], &[&str], &str)] = &[
    // The embedded vault wraps keys itself, as Key Vault does behind its door.
    (&["aes_gcm"], &["keys/", "backups/", "adapters/embedded/vault.rs"], "one place seals"),
    (&["rusqlite"], &["adapters/"], "the world is behind the ports"),
    (&["lettre"], &["adapters/"], "the world is behind the ports"),
    (&["azure_core"], &["adapters/"], "the world is behind the ports"),
    (&["azure_data_cosmos"], &["adapters/"], "the world is behind the ports"),
    (&["azure_identity"], &["adapters/"], "the world is behind the ports"),
    (&["azure_security_keyvault_keys"], &["adapters/"], "the world is behind the ports"),
    (&["azure_security_keyvault_secrets"], &["adapters/"], "the world is behind the ports"),
    (&["azure_storage_blob"], &["adapters/"], "the world is behind the ports"),
    (&["azure_storage_queue"], &["adapters/"], "the world is behind the ports"),
    (&["getrandom"], &["adapters/"], "randomness comes from `ports::Entropy`"),
    (&["mail_parser"], &["mail/"], "one place reads mail"),
    (&["anyhow"], &["main.rs", "cli/", "wiring.rs"], "a room's errors are in its own words"),
    (&["env", "var"], &["config.rs"], "settings are read once"),
    (&["env", "var_os"], &["config.rs"], "settings are read once"),
    (&["env", "vars"], &["config.rs"], "settings are read once"),
    (&["env", "vars_os"], &["config.rs"], "settings are read once"),
    (&["SystemTime", "now"], &["adapters/embedded/system.rs"], "time comes from `ports::Clock`"),
    (&["OffsetDateTime", "now_utc"], &["adapters/embedded/system.rs"], "time comes from `ports::Clock`"),
    (&["OffsetDateTime", "now_local"], &[], "the house knows no time but UTC"),
    (&["UtcDateTime", "now"], &["adapters/embedded/system.rs"], "time comes from `ports::Clock`"),
];

/// What may stand at the top of the repository, beside what `.gitignore` names.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".deny.toml",
    ".git",
    ".gitattributes",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "benches",
    "functions",
    "host.json",
    "infra",
    "local.settings.sample.json",
    "scripts",
    "src",
    "tests",
];

/// Lines of a file under `src/`.
const FILE_LINES_MAX: usize = 500;

/// The first line of a file that only holds a place.
const PLACEHOLDER: &str = "//! To be written.";

/// A rule over one file, and the proof that it can fail: (path below `src/`, text).
struct Rule {
    name: &'static str,
    check: fn(&Source) -> Vec<Fault>,
    refuses: &'static [(&'static str, &'static str)],
    accepts: &'static [(&'static str, &'static str)],
}

const RULES: &[Rule] = &[
    Rule {
        name: "imports run strictly downward",
        check: imports_run_downward,
        refuses: &[
            ("ports/clock.rs", "use crate::ids::TenantId;"),
            ("ports/mod.rs", "use super::ids::TenantId;"),
            ("mail/parse.rs", "fn f() { crate::ports::timestamp(now) }"),
            ("tickets/intake.rs", "use crate::{ids::{TicketId, TenantId}, adapters::embedded};"),
            ("tickets/intake.rs", "use crate::{keys::{self, Ring}, functions};"),
            ("tickets/intake.rs", "use super::super::functions::App;"),
            ("tickets/mod.rs", "use super::{mail, handler::dispatch};"),
            ("tickets/mod.rs", "mod inner { use super::super::handler::dispatch; }"),
            ("cli/dev.rs", "use crate::adapters::embedded;"),
            ("cli/mod.rs", "use helpdesk::adapters::embedded;"),
            ("cli/mod.rs", "use ::helpdesk::adapters::embedded;"),
            ("devhost/http.rs", "use crate::handler;"),
            ("keys/ring.rs", "use crate as house;"),
            ("keys/ring.rs", "use crate::*;"),
            ("keys/ring.rs", "use crate::{self as house};"),
            ("keys/ring.rs", "macro_rules! m { () => { $crate::functions::ALL } }"),
            ("unheard_of.rs", "use crate::ids;"),
        ],
        accepts: &[
            ("ports/clock.rs", "use super::Fault; use crate::ports::Clock; pub(crate) fn f() {}"),
            (
                "tickets/intake.rs",
                "use crate::{ids::{TicketId, TenantId}, mail::{self, Mail}}; use super::thread; fn f() -> super::super::ids::TicketId {}",
            ),
            ("tickets/mod.rs", "mod inner { use super::Ticket; use super::super::keys; }"),
            ("mail/mod.rs", "// use crate::ports;\nconst S: &str = \"use crate::ports\"; #[cfg(test)] mod tests { use crate::ports; }"),
            ("wiring.rs", "use crate::adapters::embedded;"),
            ("main.rs", "use helpdesk::{cli, config};"),
        ],
    },
    Rule {
        name: "what has an owner is named by its owner alone",
        check: owned_names_stay_home,
        refuses: &[
            ("tickets/mod.rs", "use aes_gcm::Aes256Gcm;"),
            ("cli/mod.rs", "let port = std::env::var(\"PORT\");"),
            ("cli/mod.rs", "use std::env::{self, var_os};"),
            ("main.rs", "use std::env::vars;"),
            ("cli/mod.rs", "#[arg(long, env = \"HELPDESK_DATA\")] data: PathBuf"),
            ("adapters/embedded/sqlite.rs", "let now = OffsetDateTime::now_utc();"),
            ("adapters/embedded/system.rs", "let now = OffsetDateTime::now_local();"),
            ("handler/mod.rs", "let now = std::time::SystemTime::now();"),
            ("tickets/mod.rs", "fn f() -> anyhow::Result<()>"),
        ],
        accepts: &[
            ("keys/seal.rs", "use aes_gcm::Aes256Gcm;"),
            ("config.rs", "let port = std::env::var(\"PORT\");"),
            ("cli/mod.rs", "let words = std::env::args(); let version = env!(\"CARGO_PKG_VERSION\");"),
            ("adapters/embedded/system.rs", "let now = OffsetDateTime::now_utc();"),
            ("handler/mod.rs", "let began = std::time::Instant::now();"),
        ],
    },
    Rule {
        name: "only `ids.rs` builds partitions",
        check: partitions_come_from_ids,
        refuses: &[
            ("tickets/mod.rs", "let partition = format!(\"t:{tenant}\");"),
            ("adapters/embedded/sqlite.rs", "if partition == \"sys:keys\" {}"),
            ("keys/ring.rs", "const P: &str = r#\"sys:keys\"#;"),
        ],
        accepts: &[
            ("ids.rs", "format!(\"t:{tenant}\")"),
            ("tickets/mod.rs", "// \"t:x\"\nconst A: &str = \"at: t:\"; #[cfg(test)] mod tests { const P: &str = \"t:contoso\"; }"),
        ],
    },
    Rule {
        name: "an unwrap says why it is safe",
        check: unwraps_are_explained,
        refuses: &[
            ("mail/parse.rs", "let a = b.unwrap();"),
            ("mail/parse.rs", "let a = b\n    .expect(\"b\");"),
            ("mail/parse.rs", "// Unwrap safety: one.\nlet a = b.unwrap();\nlet c = d.unwrap();"),
            ("mail/parse.rs", "let s = \"// Unwrap safety: not a comment\"; b.unwrap();"),
        ],
        accepts: &[
            ("mail/parse.rs", "// Unwrap safety: b is four bytes long,\n// as the slice above shows.\nlet a = b.unwrap();"),
            ("mail/parse.rs", "let a = b.unwrap(); // Unwrap safety: never empty."),
            (
                "mail/parse.rs",
                "let a = b.unwrap_or_default(); vault.unwrap(key, &wrapped); #[expect(dead_code, reason = \"r\")] fn f() {} #[cfg(test)] mod tests { fn f() { b.unwrap() } }",
            ),
        ],
    },
    Rule {
        name: "no `unsafe`, no `#[allow]`",
        check: nothing_is_waved_through,
        refuses: &[
            ("mail/parse.rs", "fn f() { unsafe { g() } }"),
            ("mail/parse.rs", "#[allow(dead_code)] fn f() {}"),
            ("mail/parse.rs", "#![allow(dead_code)]"),
            ("mail/parse.rs", "#[cfg_attr(test, allow(dead_code))] fn f() {}"),
        ],
        accepts: &[("mail/parse.rs", "// unsafe\n#[expect(dead_code, reason = \"used by the next issue\")] fn f() { may.allow(role); }")],
    },
    Rule {
        name: "a file opens with what it is",
        check: opens_with_what_it_is,
        refuses: &[("mail/parse.rs", "use std::fs;\n//! Late."), ("mail/parse.rs", "// Not a module's words.\n"), ("mail/parse.rs", "")],
        accepts: &[("mail/parse.rs", "//! MIME to meaning.\n")],
    },
];

#[test]
fn every_source_file_keeps_the_rules() {
    let sources = sources();
    assert!(sources.len() >= ROOMS.len(), "the source is not where this test looks for it");
    let mut found = Vec::new();
    for source in &sources {
        for rule in RULES {
            found.extend((rule.check)(source).into_iter().map(|fault| format!("src/{}:{}: {} ({})", source.path, fault.line, fault.text, rule.name)));
        }
        found.extend(too_long(source).into_iter().map(|fault| format!("src/{}: {}", source.path, fault.text)));
    }
    assert!(found.is_empty(), "{} broken rules:\n{}", found.len(), found.join("\n"));
}

#[test]
fn each_rule_refuses_and_accepts_its_examples() {
    for rule in RULES {
        for (path, text) in rule.refuses {
            assert!(!(rule.check)(&Source::read(path, text)).is_empty(), "the rule \"{}\" lets pass, in {path}:\n{text}", rule.name);
        }
        for (path, text) in rule.accepts {
            let faults = (rule.check)(&Source::read(path, text));
            assert!(faults.is_empty(), "the rule \"{}\" refuses, in {path}:\n{text}\n{faults:?}", rule.name);
        }
    }
    let lines = |count: usize| Source::read("mail/parse.rs", &"\n".repeat(count));
    assert!(too_long(&lines(FILE_LINES_MAX)).is_empty());
    assert_eq!(too_long(&lines(FILE_LINES_MAX + 1)).len(), 1);
}

#[test]
fn the_table_of_rooms_runs_downward_and_is_complete() {
    for (index, (room, names)) in ROOMS.iter().enumerate() {
        for name in *names {
            let below = ROOMS[index + 1..].iter().any(|(other, _)| other == name);
            assert!(below, "`{room}` may name `{name}`, which is not below it");
        }
    }
    let mut on_disk: Vec<String> = sources().iter().map(|source| source.room.clone()).collect();
    on_disk.sort();
    on_disk.dedup();
    let mut in_table: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    in_table.sort_unstable();
    assert_eq!(on_disk, in_table, "left: rooms under src/; right: rows of ROOMS");
}

#[test]
fn nothing_unknown_stands_at_the_top() {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let entries: Vec<String> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(strangers(&entries, &ignored), Vec::<&str>::new());
    assert_eq!(strangers(&["src".into(), "docs".into(), "a.profraw".into(), "target".into()], &ignored), ["docs"]);
}

#[test]
fn nothing_is_left_to_be_written() {
    let mut left: Vec<String> = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in files_below(&root().join(folder), "rs") {
            if fs::read_to_string(&path).unwrap().starts_with(PLACEHOLDER) {
                left.push(path.strip_prefix(root()).unwrap().display().to_string());
            }
        }
    }
    assert!(left.is_empty(), "these files only hold a place: {left:?}");
}

fn imports_run_downward(source: &Source) -> Vec<Fault> {
    let Some((_, may)) = ROOMS.iter().find(|(room, _)| *room == source.room) else {
        return vec![Fault { line: 1, text: format!("the room `{}` has no row in ROOMS", source.room) }];
    };
    let mut faults = Vec::new();
    for (line, room) in BTreeSet::from_iter(source.rooms_named()) {
        if room != source.room && !may.contains(&room.as_str()) {
            faults.push(Fault { line, text: format!("`{}` may not name `{room}`", source.room) });
        }
    }
    faults
}

fn owned_names_stay_home(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (words, owners, why) in OWNED {
        if owners.iter().any(|owner| source.path == *owner || (owner.ends_with('/') && source.path.starts_with(owner))) {
            continue;
        }
        let name = words.join("::");
        if let [single] = words {
            let uses = source.tokens.iter().filter(|token| token.is_word(single));
            faults.extend(uses.map(|token| Fault { line: token.line, text: format!("`{name}` does not belong here: {why}") }));
        } else {
            let uses = source.paths_after(words[0]).into_iter().filter(|(_, rest)| rest.first().is_some_and(|word| word == words[1] || word == "*"));
            faults.extend(uses.map(|(line, _)| Fault { line, text: format!("`{name}` does not belong here: {why}") }));
        }
    }
    // clap reads the environment for an argument that says so.
    for window in source.tokens.windows(3) {
        if window[0].is_word("env") && window[1].is_mark("=") && window[2].kind == TokenKind::Text && source.path != "config.rs" {
            faults.push(Fault { line: window[0].line, text: "an argument reads the environment: settings are read once, in `config`".to_owned() });
        }
    }
    faults
}

fn partitions_come_from_ids(source: &Source) -> Vec<Fault> {
    let own = source.path == "ids.rs";
    let literals = source.tokens.iter().filter(|token| token.kind == TokenKind::Text && !own);
    let partitions = literals.filter(|token| token.text.starts_with("t:") || token.text.starts_with("sys:"));
    partitions.map(|token| Fault { line: token.line, text: "a partition is built here: ask `ids::partition`".to_owned() }).collect()
}

fn unwraps_are_explained(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for window in source.tokens.windows(4) {
        // A vault's `unwrap(key, wrapped)` opens a key and cannot panic.
        let unwrap = window[1].is_word("unwrap") && window[3].is_mark(")");
        let panics = window[0].is_mark(".") && (unwrap || window[1].is_word("expect")) && window[2].is_mark("(");
        if panics && !source.explained(window[1].line) {
            faults.push(Fault { line: window[1].line, text: format!("`{}` without `// Unwrap safety:`", window[1].text) });
        }
    }
    faults
}

fn nothing_is_waved_through(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut attribute_depth = 0usize;
    for (index, token) in source.tokens.iter().enumerate() {
        let opens = token.is_mark("[")
            && index > 0
            && (source.tokens[index - 1].is_mark("#")
                || (index > 1 && source.tokens[index - 1].is_mark("!") && source.tokens[index - 2].is_mark("#")));
        if opens || (attribute_depth > 0 && token.is_mark("[")) {
            attribute_depth += 1;
        } else if attribute_depth > 0 && token.is_mark("]") {
            attribute_depth -= 1;
        } else if attribute_depth > 0 && token.is_word("allow") {
            faults.push(Fault { line: token.line, text: "`allow`: use `#[expect(.., reason = \"..\")]`".to_owned() });
        } else if token.is_word("unsafe") {
            faults.push(Fault { line: token.line, text: "`unsafe`".to_owned() });
        }
    }
    faults
}

fn opens_with_what_it_is(source: &Source) -> Vec<Fault> {
    let missing = !source.opening.starts_with("//! ");
    missing.then(|| Fault { line: 1, text: "the first line is not `//! ...`".to_owned() }).into_iter().collect()
}

fn too_long(source: &Source) -> Vec<Fault> {
    let long = source.lines > FILE_LINES_MAX;
    long.then(|| Fault { line: source.lines, text: format!("{} lines, over the limit of {FILE_LINES_MAX}", source.lines) }).into_iter().collect()
}

/// The entries that neither [`TOP`] nor `.gitignore` knows.
fn strangers<'a>(entries: &'a [String], ignored: &str) -> Vec<&'a str> {
    let matches = |pattern: &str, entry: &str| match pattern.strip_prefix('*') {
        Some(end) => entry.ends_with(end),
        None => entry == pattern.trim_matches('/'),
    };
    let known = |entry: &str| TOP.contains(&entry) || ignored.lines().any(|pattern| !pattern.is_empty() && matches(pattern.trim(), entry));
    entries.iter().map(String::as_str).filter(|entry| !known(entry)).collect()
}

#[derive(Debug)]
struct Fault {
    line: usize,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    /// An identifier, a keyword or a number.
    Word,
    /// A string's content.
    Text,
    /// One character of anything else, or `::`.
    Mark,
}

#[derive(Debug, Clone)]
struct Token {
    kind: TokenKind,
    text: String,
    line: usize,
}

impl Token {
    fn is_word(&self, text: &str) -> bool {
        self.kind == TokenKind::Word && self.text == text
    }

    fn is_mark(&self, text: &str) -> bool {
        self.kind == TokenKind::Mark && self.text == text
    }
}

/// A file as the rules see it: tokens without comments and tests.
struct Source {
    /// Below `src/`, with `/`.
    path: String,
    room: String,
    opening: String,
    lines: usize,
    tokens: Vec<Token>,
    /// (line, text) of each `//` comment.
    comments: Vec<(usize, String)>,
}

impl Source {
    fn read(path: &str, text: &str) -> Source {
        let (tokens, comments) = Lexer::run(text);
        let room = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let opening = text.lines().next().unwrap_or_default().to_owned();
        Source { path: path.to_owned(), room, opening, lines: text.lines().count(), tokens: without_tests(tokens), comments }
    }

    /// Whether a comment on this line, or right above it, says why an unwrap is safe.
    fn explained(&self, line: usize) -> bool {
        let comment = |at: usize| self.comments.iter().find(|(line, _)| *line == at).map(|(_, text)| text.as_str());
        let says_why = |text: &str| text.trim_start_matches('/').trim_start().starts_with("Unwrap safety: ");
        if comment(line).is_some_and(says_why) {
            return true;
        }
        let above = (1..line).rev().take_while(|at| !self.tokens.iter().any(|token| token.line == *at)).map_while(comment);
        above.into_iter().any(says_why)
    }

    /// The rooms that `crate::`, `helpdesk::`, `super::` and `self::` paths lead to.
    fn rooms_named(&self) -> Vec<(usize, String)> {
        let mut own: Vec<String> = self.path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if own.last().is_some_and(|last| last == "mod") || own == ["lib"] || own == ["main"] {
            own.pop();
        }
        let mut named = Vec::new();
        // Modules written inside the file, and the depth of braces that each of them opens.
        let mut inner: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        for (index, token) in self.tokens.iter().enumerate() {
            if token.is_mark("{") {
                depth += 1;
                if index >= 2 && self.tokens[index - 2].is_word("mod") {
                    inner.push((self.tokens[index - 1].text.clone(), depth));
                }
            } else if token.is_mark("}") {
                inner.retain(|(_, opened)| *opened < depth);
                depth -= 1;
            } else if self.begins_path(index) {
                let here = own.iter().cloned().chain(inner.iter().map(|(name, _)| name.clone()));
                let base: Vec<String> = match token.text.as_str() {
                    "crate" | "helpdesk" => Vec::new(),
                    "self" => here.collect(),
                    "super" => here.clone().take(here.count().saturating_sub(1)).collect(),
                    _ => continue,
                };
                // `use crate as house` would hide what follows.
                if self.tokens.get(index + 1).is_some_and(|next| next.is_word("as")) {
                    named.push((token.line, "*".to_owned()));
                }
                for path in self.leaves(index) {
                    named.extend(room_of(base.clone(), &path).map(|room| (token.line, room)));
                }
            }
        }
        named
    }

    /// What follows each `word::`, one list of words for each leaf of a `use` tree.
    fn paths_after(&self, word: &str) -> Vec<(usize, Vec<String>)> {
        let starts = (0..self.tokens.len()).filter(|index| self.tokens[*index].is_word(word));
        starts.flat_map(|index| self.leaves(index).into_iter().map(move |leaf| (self.tokens[index].line, leaf))).collect()
    }

    /// Whether the word here is a path's first.
    fn begins_path(&self, index: usize) -> bool {
        let behind = |back: usize| index.checked_sub(back).map(|at| &self.tokens[at]);
        let continues = behind(1).is_some_and(|token| token.is_mark("::"))
            && behind(2).is_some_and(|token| (token.kind == TokenKind::Word && token.text != "use") || token.is_mark(">"));
        self.tokens[index].kind == TokenKind::Word && !continues
    }

    /// The paths that go on after the word here, none if no `::` follows.
    fn leaves(&self, index: usize) -> Vec<Vec<String>> {
        let mut leaves = Vec::new();
        if self.tokens.get(index + 1).is_some_and(|next| next.is_mark("::")) {
            self.tree(index + 2, &mut Vec::new(), &mut leaves);
        }
        leaves
    }

    /// Reads one branch of a `use` tree and answers the place behind it.
    fn tree(&self, mut index: usize, prefix: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) -> usize {
        let own = prefix.len();
        while let Some(token) = self.tokens.get(index) {
            let goes_on = self.tokens.get(index + 1).is_some_and(|next| next.is_mark("::"));
            if token.kind == TokenKind::Word && goes_on {
                prefix.push(token.text.clone());
                index += 2;
            } else if token.is_mark("{") {
                index += 1;
                while self.tokens.get(index).is_some_and(|token| !token.is_mark("}")) {
                    index = self.tree(index, prefix, leaves);
                    // Over `as name` and the comma.
                    while self.tokens.get(index).is_some_and(|token| !token.is_mark(",") && !token.is_mark("}")) {
                        index += 1;
                    }
                    index += usize::from(self.tokens.get(index).is_some_and(|token| token.is_mark(",")));
                }
                index += 1;
                break;
            } else {
                let last = if token.kind == TokenKind::Word || token.is_mark("*") { token.text.clone() } else { String::new() };
                leaves.push(prefix.iter().cloned().chain([last]).collect());
                index += 1;
                break;
            }
        }
        prefix.truncate(own);
        index
    }
}

/// The room that a path leads to from `base`; the house itself is `*`, of which no room may take hold.
fn room_of(mut base: Vec<String>, path: &[String]) -> Option<String> {
    for word in path {
        match word.as_str() {
            "super" => {
                base.pop();
            }
            "self" if base.is_empty() => return Some("*".to_owned()),
            "self" | "" => {}
            word => base.push(word.to_owned()),
        }
    }
    base.into_iter().next()
}

/// Drops each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let here = &tokens[index..];
        if here.len() < ATTRIBUTE.len() || ATTRIBUTE.iter().zip(here).any(|(text, token)| token.text != *text) {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        // Up to the item's last brace, or to the semicolon of an item without braces.
        let (mut braces, mut others) = (0usize, 0usize);
        index += ATTRIBUTE.len();
        while let Some(token) = tokens.get(index) {
            index += 1;
            match token.text.as_str() {
                _ if token.kind != TokenKind::Mark => {}
                "{" => braces += 1,
                "}" if braces == 1 && others == 0 => break,
                "}" => braces -= 1,
                "(" | "[" => others += 1,
                ")" | "]" => others -= 1,
                ";" if braces == 0 && others == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Rust's tokens, as far as the rules need them.
struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
    comments: Vec<(usize, String)>,
}

impl<'a> Lexer<'a> {
    fn run(text: &'a str) -> (Vec<Token>, Vec<(usize, String)>) {
        let mut lexer = Lexer { rest: text, line: 1, tokens: Vec::new(), comments: Vec::new() };
        while let Some(first) = lexer.rest.chars().next() {
            lexer.step(first);
        }
        (lexer.tokens, lexer.comments)
    }

    fn step(&mut self, first: char) {
        if self.rest.starts_with("//") {
            let comment = self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            self.comments.push((self.line, comment.to_owned()));
        } else if self.rest.starts_with("/*") {
            self.block_comment();
        } else if let Some((prefix, hashes)) = self.raw_string() {
            let end = format!("\"{}", "#".repeat(hashes));
            self.take(prefix);
            let length = self.rest.find(&end).unwrap_or(self.rest.len());
            self.text(length, end.len());
        } else if first == '"' || ["b\"", "c\""].iter().any(|start| self.rest.starts_with(start)) {
            self.take(self.rest.find('"').unwrap_or(0) + 1);
            self.text(end_of_literal(self.rest, '"'), 1);
        } else if first == '\'' {
            self.quote();
        } else if first.is_alphanumeric() || first == '_' {
            let length = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            let word = self.take(length).to_owned();
            self.push(TokenKind::Word, word, self.line);
        } else if self.rest.starts_with("::") {
            self.take(2);
            self.push(TokenKind::Mark, "::".to_owned(), self.line);
        } else {
            self.take(first.len_utf8());
            if !first.is_whitespace() {
                self.push(TokenKind::Mark, first.to_string(), self.line);
            }
        }
    }

    /// Bytes of a raw string's opening and its number of `#`.
    fn raw_string(&self) -> Option<(usize, usize)> {
        let start = ["r", "br", "cr"].into_iter().find_map(|start| self.rest.strip_prefix(start).map(|after| (start.len(), after)))?;
        let hashes = start.1.bytes().take_while(|byte| *byte == b'#').count();
        start.1[hashes..].starts_with('"').then_some((start.0 + hashes + 1, hashes))
    }

    /// A character is one token less, a lifetime too.
    fn quote(&mut self) {
        self.take(1);
        let mut chars = self.rest.chars();
        let is_char = matches!((chars.next(), chars.next()), (Some('\\'), _) | (Some(_), Some('\'')));
        let length = if is_char {
            end_of_literal(self.rest, '\'') + 1
        } else {
            self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len())
        };
        self.take(length.min(self.rest.len()));
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
            } else if let Some(next) = self.rest.chars().next() {
                self.take(next.len_utf8());
            }
            if depth == 0 || self.rest.is_empty() {
                return;
            }
        }
    }

    fn text(&mut self, length: usize, closing: usize) {
        let line = self.line;
        let content = self.take(length).to_owned();
        self.take(closing.min(self.rest.len()));
        self.push(TokenKind::Text, content, line);
    }

    fn push(&mut self, kind: TokenKind, text: String, line: usize) {
        self.tokens.push(Token { kind, text, line });
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

/// Bytes up to the closing quote, which no backslash precedes.
fn end_of_literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return index,
            _ => {}
        }
    }
    text.len()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let named =
        |path: &PathBuf| path.strip_prefix(&src).unwrap().components().map(|part| part.as_os_str().to_str().unwrap().to_owned()).collect::<Vec<_>>();
    files_below(&src, "rs").iter().map(|path| Source::read(&named(path).join("/"), &fs::read_to_string(path).unwrap())).collect()
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
