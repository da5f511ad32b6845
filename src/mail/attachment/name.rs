//! Names of attachments: what a sender wrote, made safe as a file name, or a name of our own.

use std::collections::HashSet;

use crate::mail::line::{is_direction_mark, is_invisible};

/// Bytes of a name. File systems take 255; the rest is left to who stores it.
pub const NAME_BYTES_MAX: usize = 200;

/// An extension longer than this is part of the name, not worth keeping when it is cut.
const EXTENSION_BYTES_MAX: usize = 16;

/// Extensions of the types that commonly come without a name.
const EXTENSIONS: [(&str, &str); 16] = [
    ("application/ms-tnef", "dat"),
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("message/delivery-status", "txt"),
    ("message/disposition-notification", "txt"),
    ("message/feedback-report", "txt"),
    ("message/global", "eml"),
    ("message/rfc822", "eml"),
    ("text/calendar", "ics"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/rfc822-headers", "txt"),
];

/// Names that Windows keeps for devices, whatever extension follows.
const DEVICES: [&str; 8] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$", "config$"];

/// The sender's name if anything of it is left, else `attachment-<number>` with the extension of its content or type.
pub(super) fn name(declared: Option<&str>, media_type: &str, by_content: Option<&'static str>, number: usize) -> String {
    declared.and_then(safe_name).unwrap_or_else(|| {
        let by_type = EXTENSIONS.iter().find(|(known, _)| *known == media_type).map(|(_, extension)| *extension);
        format!("attachment-{number}.{}", by_content.or(by_type).unwrap_or("bin"))
    })
}

/// The name, or the name with a number, so that none in a mail is another's, not even on a disk that ignores case.
pub(super) fn distinct(name: String, taken: &mut HashSet<String>) -> String {
    if taken.insert(name.to_lowercase()) {
        return name;
    }
    let (stem, extension) = name.rfind('.').filter(|dot| *dot > 0).map_or((name.as_str(), ""), |dot| name.split_at(dot));
    // One of as many numbers as names are taken is free.
    (2..=taken.len() + 2)
        .map(|number| {
            let suffix = format!(" ({number}){extension}");
            format!("{}{suffix}", &stem[..stem.floor_char_boundary(NAME_BYTES_MAX.saturating_sub(suffix.len()))])
        })
        .find(|candidate| taken.insert(candidate.to_lowercase()))
        .unwrap_or(name)
}

/// No path, no control or direction characters, nothing a file system refuses, at most `NAME_BYTES_MAX` bytes with the extension kept.
pub(super) fn safe_name(declared: &str) -> Option<String> {
    let last = declared.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let letters = last.chars().filter(|letter| !letter.is_control() && !is_direction_mark(*letter) && !is_invisible(*letter));
    let clean: String = letters.map(|letter| if r#"<>:"|?*"#.contains(letter) { '_' } else { letter }).collect();
    let trimmed = clean.trim_matches(|letter: char| letter == '.' || letter.is_whitespace());
    (!trimmed.is_empty()).then(|| cut(&if is_device(trimmed) { format!("_{trimmed}") } else { trimmed.to_owned() }))
}

/// `con`, `COM1.txt`: opening such a file on Windows opens a device.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    DEVICES.contains(&stem.as_str()) || port.is_some_and(|number| matches!(number.chars().collect::<Vec<_>>()[..], ['0'..='9' | '¹' | '²' | '³']))
}

fn cut(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    let extension = if extension.len() <= EXTENSION_BYTES_MAX { extension } else { "" };
    let stem_end = name.floor_char_boundary(NAME_BYTES_MAX - extension.len());
    format!("{}{extension}", &name[..stem_end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_path_no_control_and_no_direction_characters() {
        for (declared, expected) in [
            ("../../etc/passwd", Some("passwd")),
            (r"C:\Users\x\report.pdf", Some("report.pdf")),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe")),
            ("a\r\nb\0.txt", Some("ab.txt")),
            ("what?.txt", Some("what_.txt")),
            (" .hidden. ", Some("hidden")),
            ("CON", Some("_CON")),
            ("com1.txt", Some("_com1.txt")),
            ("common.txt", Some("common.txt")),
            ("a\u{200b}b.txt...", Some("ab.txt")),
            ("folder/", Some("folder")),
            ("..", None),
            ("", None),
            ("日本語.pdf", Some("日本語.pdf")),
        ] {
            assert_eq!(safe_name(declared).as_deref(), expected, "{declared:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_letters_and_keeps_its_extension() {
        let name = safe_name(&format!("{}.pdf", "ü".repeat(300))).unwrap();
        assert!(name.len() <= NAME_BYTES_MAX && name.ends_with("ü.pdf"), "{name}");
    }

    #[test]
    fn a_part_without_a_name_is_named_by_its_content_or_its_type() {
        assert_eq!(name(None, "image/png", None, 2), "attachment-2.png");
        assert_eq!(name(None, "application/octet-stream", Some("pdf"), 2), "attachment-2.pdf");
        assert_eq!(name(Some("/"), "application/x-unheard", None, 1), "attachment-1.bin");
    }

    #[test]
    fn no_two_names_in_a_mail_are_the_same() {
        let mut taken = HashSet::new();
        let names = ["a.pdf", "A.pdf", "a (2).pdf", "a.pdf", "b", "b"].map(|name| distinct(name.to_owned(), &mut taken));
        assert_eq!(names, ["a.pdf", "A (2).pdf", "a (2) (2).pdf", "a (3).pdf", "b", "b (2)"]);
    }
}
