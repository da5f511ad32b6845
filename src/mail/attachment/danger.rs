//! Files that can harm whoever opens them, by name and by content. Nothing is unpacked, and no scanner for malware is replaced.

use super::{
    content,
    held::{Held, by_name},
    ole, zip,
};

/// Bytes at the start of a file in which marks of a format are sought.
const MARKS_BYTES_MAX: usize = 4 * 1024;

/// Extensions under which a script is a text to be read.
const READ_AS_TEXT: [&str; 6] = ["txt", "log", "md", "conf", "cfg", "ini"];

/// Why this file is held, if it is. `declared` is its name as the sender wrote it, `name` is what it was made into.
pub(super) fn held(declared: &str, name: &str, bytes: &[u8]) -> Option<Held> {
    if declared.contains(['\u{202d}', '\u{202e}']) {
        return Some(Held::ReversedName);
    }
    by_name(name).or_else(|| by_content(name, bytes))
}

fn by_content(name: &str, bytes: &[u8]) -> Option<Held> {
    let start = &bytes[..bytes.len().min(MARKS_BYTES_MAX)];
    let at = |offset: usize, mark: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    // Programs that unpack pass over what stands before an archive.
    if (at(0, b"PK") || zip::is_archive(bytes))
        && let Some(why) = zip::held(bytes)
    {
        return Some(why);
    }
    if at(0, ole::MARK) {
        return ole::held(bytes);
    }
    if at(0, b"L\0\0\0\x01\x14\x02\0") {
        return Some(Held::Shortcut);
    }
    const APPLICATION: &[u8] = b"<hta:application";
    let is_application = |at: usize| start.get(at..at + APPLICATION.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(APPLICATION));
    if at(0, b"ITSF\x03\0\0\0") || memchr::memchr_iter(b'<', start).any(is_application) {
        return Some(Held::HtmlApplication);
    }
    let ends_with = |mark: &[u8], bytes_before_end: usize| bytes.len().checked_sub(bytes_before_end).is_some_and(|offset| at(offset, mark));
    if at(0x8001, b"CD001")
        || at(0, b"vhdxfile")
        || at(0, b"conectix")
        || at(0, b"MSWIM\0\0\0")
        || ends_with(b"conectix", 512)
        || ends_with(b"koly", 512)
    {
        return Some(Held::DiskImage);
    }
    let extension = name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_lowercase());
    if at(0, b"#!") && !READ_AS_TEXT.contains(&extension.as_str()) {
        return Some(Held::Script);
    }
    match content::kind(bytes)?.extension() {
        "exe" | "dll" | "elf" | "mach" | "class" | "dex" | "dey" | "coff" => Some(Held::Executable),
        "deb" | "rpm" | "crx" | "cab" => Some(Held::Installer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_content_is_held_under_any_name() {
        let program = [b"MZ\x90\0".as_slice(), &[0; 0x38], &0x40_u32.to_le_bytes(), b"PE\0\0"].concat();
        let mut image = vec![0; 0x8001];
        image.extend_from_slice(b"CD001");
        let cases: [(&[u8], Option<Held>); 7] = [
            (&program, Some(Held::Executable)),
            (b"L\0\0\0\x01\x14\x02\0\0\0", Some(Held::Shortcut)),
            (b"<html><HTA:APPLICATION id=x>", Some(Held::HtmlApplication)),
            (b"#!/bin/sh\nrm x\n", Some(Held::Script)),
            (&image, Some(Held::DiskImage)),
            (b"%PDF-1.7", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(held("report.pdf", "report.pdf", bytes), expected, "{:?}", &bytes[..bytes.len().min(8)]);
        }
        assert_eq!(held("run.txt", "run.txt", b"#!/bin/sh\n"), None);
        assert_eq!(held("run.ps1", "run.ps1", b""), Some(Held::Script));
        assert_eq!(held("invoice\u{202e}fdp.exe", "invoicefdp.exe", b""), Some(Held::ReversedName));
        // A program with an archive behind it, which is empty, is a program still.
        let unpacks_itself = [program.as_slice(), b"PK\x01\x02", &[0; 42], b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e", &[0; 9]].concat();
        assert!(zip::is_archive(&unpacks_itself));
        assert_eq!(held("a.bin", "a.bin", &unpacks_itself), Some(Held::Executable));
    }
}
