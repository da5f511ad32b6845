//! Why files are held, and the names that are enough for it.

use crate::mail::line::is_direction_mark;

/// Why a file is held: it stays in the original mail, and is not handed out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
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
            assert_eq!(by_name(name), expected, "{name}");
        }
    }
}
