//! Files that can harm whoever opens them, by name and by content. Nothing is unpacked, and no scanner for malware is replaced.

use super::{content, is_direction_mark, ole, zip};

/// Bytes at the start of a file in which marks of a format are sought.
const MARKS_BYTES_MAX: usize = 4 * 1024;

/// Why a file is held: it stays in the original mail, and is not handed out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A program.
    Executable,
    /// A text that runs when it is opened.
    Script,
    /// It opens something else, which its name and icon hide.
    Shortcut,
    Installer,
    DiskImage,
    /// A page that runs outside of the browser's bounds.
    HtmlApplication,
    /// An office document with a program in it.
    Macros,
    /// `invoice.pdf.exe`.
    DoubleExtension,
    /// Its name is shown in another order than it is written in.
    ReversedName,
    /// Nobody can look inside.
    EncryptedArchive,
    /// A file in it would be held.
    DangerousArchive,
}

impl Held {
    pub fn name(self) -> &'static str {
        match self {
            Held::Executable => "executable",
            Held::Script => "script",
            Held::Shortcut => "shortcut",
            Held::Installer => "installer",
            Held::DiskImage => "disk_image",
            Held::HtmlApplication => "html_application",
            Held::Macros => "macros",
            Held::DoubleExtension => "double_extension",
            Held::ReversedName => "reversed_name",
            Held::EncryptedArchive => "encrypted_archive",
            Held::DangerousArchive => "dangerous_archive",
        }
    }
}

/// Extensions that are opened by running them.
const EXTENSIONS: [(Held, &[&str]); 7] = [
    (
        Held::Executable,
        &[
            "exe", "com", "scr", "pif", "cpl", "dll", "sys", "drv", "ocx", "xll", "wll", "jar", "class", "dex", "elf", "gadget", "msc", "so",
            "dylib", "app", "fxp", "prg",
        ],
    ),
    (
        Held::Script,
        &[
            "js",
            "jse",
            "vb",
            "vbe",
            "vbs",
            "ws",
            "wsc",
            "wsf",
            "wsh",
            "sct",
            "ps1",
            "ps1xml",
            "ps2",
            "ps2xml",
            "psc1",
            "psc2",
            "psd1",
            "psm1",
            "msh",
            "msh1",
            "msh2",
            "bat",
            "cmd",
            "btm",
            "sh",
            "bash",
            "csh",
            "ksh",
            "zsh",
            "command",
            "py",
            "pyc",
            "pyo",
            "pyw",
            "pyz",
            "pyzw",
            "pl",
            "rb",
            "ahk",
            "au3",
            "a3x",
            "scpt",
            "applescript",
            "workflow",
            "reg",
            "inf",
            "ins",
            "isp",
            "bas",
            "hlp",
            "vbp",
            "vsmacros",
            "plg",
            "osd",
            "terminal",
        ],
    ),
    (
        Held::Shortcut,
        &[
            "lnk",
            "url",
            "website",
            "webloc",
            "inetloc",
            "desktop",
            "scf",
            "library-ms",
            "search-ms",
            "searchconnector-ms",
            "appref-ms",
            "settingcontent-ms",
            "appcontent-ms",
            "shb",
            "shs",
            "xnk",
            "rdp",
            "theme",
            "themepack",
            "printerexport",
            "webpnp",
            "fileloc",
            "udl",
            "wsb",
        ],
    ),
    (
        Held::Installer,
        &[
            "msi",
            "msp",
            "mst",
            "msu",
            "msix",
            "msixbundle",
            "appx",
            "appxbundle",
            "appinstaller",
            "application",
            "diagcab",
            "diagcfg",
            "diagpkg",
            "cab",
            "jnlp",
            "xbap",
            "pkg",
            "mpkg",
            "deb",
            "rpm",
            "apk",
            "aab",
            "xapk",
            "ipa",
            "crx",
            "xpi",
            "vsix",
            "flatpak",
            "snap",
            "run",
            "appimage",
        ],
    ),
    (Held::DiskImage, &["iso", "img", "vhd", "vhdx", "vmdk", "vdi", "qcow2", "dmg", "udf", "toast", "wim", "nrg", "sparseimage"]),
    (Held::HtmlApplication, &["hta", "htc", "chm"]),
    (
        Held::Macros,
        &[
            "docm", "dotm", "xlsm", "xltm", "xlam", "xla", "pptm", "potm", "ppam", "ppa", "ppsm", "sldm", "ade", "adp", "mde", "accde", "accda",
            "mam", "iqy", "slk",
        ],
    ),
];

/// Extensions that people take for harmless, and that stand before another one to deceive.
const TRUSTED_EXTENSIONS: [&str; 24] = [
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "rtf", "txt", "csv", "jpg", "jpeg", "png", "gif", "bmp", "tif", "mp3", "mp4",
    "avi", "htm", "html", "zip",
];

/// Extensions under which a script is a text to be read.
const READ_AS_TEXT: [&str; 6] = ["txt", "log", "md", "conf", "cfg", "ini"];

/// Why this file is held, if it is. `declared` is its name as the sender wrote it, `name` is what it was made into.
pub(super) fn held(declared: &str, name: &str, bytes: &[u8]) -> Option<Held> {
    if declared.contains(['\u{202d}', '\u{202e}']) {
        return Some(Held::ReversedName);
    }
    by_name(name).or_else(|| by_content(name, bytes))
}

/// By its extension alone.
pub(super) fn by_name(name: &str) -> Option<Held> {
    // What Windows ignores at the end of a name, and what nobody sees.
    let clean: String = name.chars().filter(|letter| !is_direction_mark(*letter)).collect();
    let mut pieces =
        clean.trim_end_matches(|letter: char| letter == '.' || letter.is_whitespace()).rsplit('.').map(|piece| piece.trim().to_lowercase());
    let last = pieces.next()?;
    let before = pieces.next()?;
    let (held, _) = EXTENSIONS.iter().find(|(_, extensions)| extensions.contains(&last.as_str()))?;
    // `report.pdf      .exe`
    let is_double = TRUSTED_EXTENSIONS.contains(&before.as_str()) && clean.matches('.').count() > 1;
    Some(if is_double { Held::DoubleExtension } else { *held })
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
    fn dangerous_names_are_held_by_their_reason() {
        for (name, expected) in [
            ("setup.exe", Some(Held::Executable)),
            ("SETUP.EXE. ", Some(Held::Executable)),
            ("invoice.pdf.exe", Some(Held::DoubleExtension)),
            ("invoice.pdf          .js", Some(Held::DoubleExtension)),
            ("run.ps1", Some(Held::Script)),
            ("jquery.min.js", Some(Held::Script)),
            ("Invoice.lnk", Some(Held::Shortcut)),
            ("app.msi", Some(Held::Installer)),
            ("disk.iso", Some(Held::DiskImage)),
            ("page.hta", Some(Held::HtmlApplication)),
            ("sheet.xlsm", Some(Held::Macros)),
            ("report.pdf", None),
            ("archive.tar.gz", None),
            ("exe", None),
            ("a.example.com.pdf", None),
        ] {
            assert_eq!(held(name, name, b""), expected, "{name}");
        }
        assert_eq!(held("invoice\u{202e}fdp.exe", "invoicefdp.exe", b""), Some(Held::ReversedName));
    }

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
        // A program with an archive behind it, which is empty, is a program still.
        let unpacks_itself = [program.as_slice(), b"PK\x01\x02", &[0; 42], b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e", &[0; 9]].concat();
        assert!(zip::is_archive(&unpacks_itself));
        assert_eq!(held("a.bin", "a.bin", &unpacks_itself), Some(Held::Executable));
    }
}
