//! One program that measures everything; each module is a subject, and its name is a word for the command line: `cargo bench -- intake`.

mod intake;
mod mail;
mod memory;
mod parts;
mod process;
mod route;
mod support;

/// In this order: what counts milliseconds comes before what heats the machine.
const SUBJECTS: [(&str, fn()); 6] = [
    ("process", process::measure),
    ("route", route::measure),
    ("intake", intake::measure),
    ("mail", mail::measure),
    ("memory", memory::measure),
    ("parts", parts::measure),
];

fn main() {
    // Cargo itself adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for word in &wanted {
        assert!(SUBJECTS.iter().any(|(name, _)| name == word), "`{word}` is none of {:?}", SUBJECTS.map(|(name, _)| name));
    }
    for (name, measure) in SUBJECTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measure();
            println!();
        }
    }
}
