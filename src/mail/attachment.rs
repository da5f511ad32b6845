//! Names of attachments: what a sender wrote, made safe as a file name, or a name of our own.

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

/// The sender's name if anything of it is left, else `attachment-<number>` with the extension of its type.
pub fn name(declared: Option<&str>, media_type: &str, number: usize) -> String {
    declared.and_then(safe_name).unwrap_or_else(|| {
        let extension = EXTENSIONS.iter().find(|(known, _)| *known == media_type).map_or("bin", |(_, extension)| extension);
        format!("attachment-{number}.{extension}")
    })
}

/// No path, no control or direction characters, nothing a file system refuses, at most `NAME_BYTES_MAX` bytes with the extension kept.
pub fn safe_name(declared: &str) -> Option<String> {
    let last = declared.rsplit(['/', '\\']).next().unwrap_or_default();
    let letters = last.chars().filter(|letter| !letter.is_control() && !is_direction_mark(*letter));
    let clean: String = letters.map(|letter| if r#"<>:"|?*"#.contains(letter) { '_' } else { letter }).collect();
    let trimmed = clean.trim_matches(|letter: char| letter == '.' || letter.is_whitespace());
    (!trimmed.is_empty()).then(|| cut(trimmed))
}

/// Characters that change the direction in which a name is shown, so that `exe.fdp` could be read as a PDF.
pub fn is_direction_mark(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    fn a_part_without_a_name_is_named_by_its_type() {
        assert_eq!(name(None, "image/png", 2), "attachment-2.png");
        assert_eq!(name(Some("/"), "application/x-unheard", 1), "attachment-1.bin");
    }
}
