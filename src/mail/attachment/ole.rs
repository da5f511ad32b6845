//! A look into the directory of an old office document (MS-CFB). Its chains are not followed, so nothing in it can lead in circles.

use super::held::Held;

pub(super) const MARK: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Bytes of an entry of the directory; each begins at a multiple of it.
const ENTRY_BYTES: usize = 128;

/// Names of the storages and streams in which Office keeps programs.
const MACRO_NAMES: [&str; 4] = ["_VBA_PROJECT", "_VBA_PROJECT_CUR", "VBA", "Macros"];

/// Streams that only one kind of document has, with its media type and extension.
const DOCUMENTS: [(&str, (&str, &str)); 7] = [
    ("WordDocument", ("application/msword", "doc")),
    ("Workbook", ("application/vnd.ms-excel", "xls")),
    ("Book", ("application/vnd.ms-excel", "xls")),
    ("PowerPoint Document", ("application/vnd.ms-powerpoint", "ppt")),
    ("VisioDocument", ("application/vnd.visio", "vsd")),
    ("__properties_version1.0", ("application/vnd.ms-outlook", "msg")),
    ("__nameid_version1.0", ("application/vnd.ms-outlook", "msg")),
];

/// The class of Windows Installer's packages, patches and transforms, without its first byte, which tells these apart: 000C108x.
const INSTALLER_CLASS: &[u8] = b"\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";

/// Why this document is held, if it is.
pub(super) fn held(bytes: &[u8]) -> Option<Held> {
    bytes.chunks_exact(ENTRY_BYTES).skip(4).find_map(|entry| {
        let name = name(entry)?;
        if MACRO_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Some(Held::Macros);
        }
        (name == "Root Entry" && &entry[81..96] == INSTALLER_CLASS).then_some(Held::Installer)
    })
}

/// The media type and extension of this document. A message may hold documents, and a text tables: the first that is named decides.
pub(super) fn media_type(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let names = bytes.chunks_exact(ENTRY_BYTES).skip(4).filter_map(name);
    names.filter_map(|name| DOCUMENTS.iter().find(|(known, _)| *known == name)).map(|(_, found)| *found).next()
}

/// The name in an entry: UTF-16 with a closing zero, and its length in bytes behind it.
fn name(entry: &[u8]) -> Option<String> {
    let length = usize::from(u16::from_le_bytes([entry[64], entry[65]]));
    // Storages, streams and the root.
    let is_entry = (4..=64).contains(&length) && length % 2 == 0 && matches!(entry[66], 1 | 2 | 5) && entry[length - 2..length] == [0, 0];
    let units = entry.get(..length.checked_sub(2)?)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    is_entry.then(|| char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn document(names: &[&str], class: &[u8]) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        bytes.resize(512, 0);
        for name in names {
            let mut entry = entry(name);
            entry[80..80 + class.len()].copy_from_slice(class);
            bytes.extend(entry);
        }
        bytes
    }

    pub fn entry(name: &str) -> Vec<u8> {
        let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u16::try_from(entry.len() + 2).unwrap();
        entry.resize(64, 0);
        entry.extend(length.to_le_bytes());
        entry.push(5);
        entry.resize(ENTRY_BYTES, 0);
        entry
    }

    #[test]
    fn a_document_is_what_its_directory_names_first() {
        for (names, expected) in [
            (&["Root Entry", "WordDocument", "Workbook"][..], Some("doc")),
            (&["Root Entry", "Book"], Some("xls")),
            (&["Root Entry", "PowerPoint Document"], Some("ppt")),
            (&["Root Entry", "__nameid_version1.0"], Some("msg")),
            (&["Root Entry", "Contents"], None),
        ] {
            assert_eq!(media_type(&document(names, &[])).map(|(_, extension)| extension), expected, "{names:?}");
        }
    }

    #[test]
    fn a_document_is_held_for_what_its_directory_names() {
        assert_eq!(held(&document(&["Root Entry", "WordDocument"], &[])), None);
        assert_eq!(held(&document(&["Root Entry", "WordDocument", "Macros"], &[])), Some(Held::Macros));
        assert_eq!(held(&document(&["Root Entry"], b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46")), Some(Held::Installer));
        assert_eq!(held(MARK), None);
    }
}
