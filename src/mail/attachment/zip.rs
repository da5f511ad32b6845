//! A look into a zip file's list of contents (APPNOTE 4.3.12), which stands at its end. Nothing is unpacked.

use super::held::{Held, by_name};

/// Entries that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Bytes of the record at the end, and of the comment in it.
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
/// Bytes of an entry before its name.
const ENTRY_BYTES: usize = 46;
/// Bytes at the end of a name that are looked at; those of hostile archives lie over each other.
const NAME_BYTES_MAX: usize = 128;
/// Bytes of the header before each file.
const FILE_BYTES: usize = 30;

/// Why this archive is held, if it is.
pub(super) fn held(bytes: &[u8]) -> Option<Held> {
    let mut listed = entries(bytes).peekable();
    if listed.peek().is_some() { held_entry(listed) } else { held_entry(files(bytes)) }
}

/// Whether a list of contents stands at its end, whatever its beginning looks like.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    list_start(bytes).is_some()
}

fn held_entry<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Option<Held> {
    let mut encrypted = false;
    let mut dangerous = None;
    for entry in entries {
        match entry.held() {
            Some(Held::Macros) => return Some(Held::Macros),
            Some(Held::EncryptedArchive) => encrypted = true,
            Some(why) => dangerous = Some(why),
            None => {}
        }
    }
    if encrypted { Some(Held::EncryptedArchive) } else { dangerous }
}

struct Entry<'a> {
    name: &'a [u8],
    is_encrypted: bool,
}

impl Entry<'_> {
    fn held(&self) -> Option<Held> {
        let path = String::from_utf8_lossy(&self.name[self.name.len().saturating_sub(NAME_BYTES_MAX)..]).to_lowercase();
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
        if file == "vbaproject.bin"
            || self.name.first_chunk().is_some_and(|start: &[u8; 6]| start.eq_ignore_ascii_case(b"basic/")) && file.ends_with(".xml")
        {
            return Some(Held::Macros);
        }
        if file == "appxmanifest.xml" || file == "androidmanifest.xml" {
            return Some(Held::Installer);
        }
        if by_name(file).is_some() {
            return Some(Held::DangerousArchive);
        }
        self.is_encrypted.then_some(Held::EncryptedArchive)
    }
}

/// What the list of contents names, as far as it can be followed.
fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut at = list_start(bytes);
    std::iter::from_fn(move || {
        let start = at?;
        let entry = bytes.get(start..)?.strip_prefix(b"PK\x01\x02").filter(|_| bytes.len() - start >= ENTRY_BYTES)?;
        let number = |offset: usize| usize::from(u16::from_le_bytes([entry[offset - 4], entry[offset - 3]]));
        let (flags, name_bytes) = (number(8), number(28));
        let name = bytes.get(start + ENTRY_BYTES..start + ENTRY_BYTES + name_bytes)?;
        at = Some(start + ENTRY_BYTES + name_bytes + number(30) + number(32));
        Some(Entry { name, is_encrypted: flags & 1 != 0 })
    })
    .take(ENTRIES_MAX)
}

/// Where the list begins: right before the record at the end, wherever the archive was put, or where that record says. A comment may hold what looks
/// like such a record and leads nowhere.
fn list_start(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(COMMENT_BYTES_MAX);
    let is_list = |at: &usize| bytes.get(*at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02"));
    // By its rarest letter: whole marks are not found from the end as quickly.
    let marks = memchr::memrchr_iter(b'\x05', &bytes[first..]).filter_map(|at| (first + at).checked_sub(2));
    let mut ends = marks.filter(|at| *at >= first && *at <= last && bytes[*at..].starts_with(b"PK\x05\x06"));
    ends.find_map(|end| {
        let number = |offset: usize| {
            let four = bytes[end + offset..].first_chunk().copied().map(u32::from_le_bytes)?;
            usize::try_from(four).ok()
        };
        let before = || end.checked_sub(number(12)?).filter(is_list);
        before().or_else(|| number(16).filter(is_list))
    })
}

/// Without a list, the files by the headers before them.
fn files(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    memchr::memmem::find_iter(bytes, b"PK\x03\x04").filter_map(|at| file(&bytes[at..])).take(ENTRIES_MAX)
}

fn file(bytes: &[u8]) -> Option<Entry<'_>> {
    let file = bytes.strip_prefix(b"PK\x03\x04").filter(|_| bytes.len() >= FILE_BYTES)?;
    let number = |offset: usize| usize::from(u16::from_le_bytes([file[offset - 4], file[offset - 3]]));
    Some(Entry { name: bytes.get(FILE_BYTES..FILE_BYTES + number(26))?, is_encrypted: number(6) & 1 != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of empty files, encrypted or not.
    fn archive(names: &[&str], flags: u8) -> Vec<u8> {
        let (mut files, mut list) = (Vec::new(), Vec::new());
        for name in names {
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            files.extend([b"PK\x03\x04\x14\0".as_slice(), &[flags, 0], &[0; 18], &length, &[0; 2], name.as_bytes()].concat());
            list.extend([b"PK\x01\x02\x14\0\x14\0".as_slice(), &[flags, 0], &[0; 18], &length, &[0; 16], name.as_bytes()].concat());
        }
        let (list_bytes, offset) = (u32::try_from(list.len()).unwrap().to_le_bytes(), u32::try_from(files.len()).unwrap().to_le_bytes());
        [files, list, b"PK\x05\x06\0\0\0\0\0\0\0\0".to_vec(), list_bytes.to_vec(), offset.to_vec(), vec![0; 2]].concat()
    }

    #[test]
    fn an_archive_is_held_for_what_its_list_names() {
        for (names, flags, expected) in [
            (["a.txt", "b/c.pdf"].as_slice(), 0, None),
            (&["a.txt", "b/invoice.pdf.exe"], 0, Some(Held::DangerousArchive)),
            (&["a.txt"], 1, Some(Held::EncryptedArchive)),
            (&["[Content_Types].xml", "word/vbaProject.bin"], 0, Some(Held::Macros)),
            (&["content.xml", "Basic/Standard/Module1.xml"], 0, Some(Held::Macros)),
            (&["META-INF/MANIFEST.MF", "a/B.class"], 0, Some(Held::DangerousArchive)),
        ] {
            assert_eq!(held(&archive(names, flags)), expected, "{names:?}");
        }
        let shifted = [b"something before".to_vec(), archive(&["a.exe"], 0)].concat();
        assert_eq!(entries(&shifted).count(), 1);
        assert!(is_archive(&shifted));
    }

    #[test]
    fn no_file_hides_behind_another_archive_a_comment_or_a_list_that_leads_nowhere() {
        let (harmless, harmful) = (archive(&["a.txt"], 0), archive(&["a.txt", "b.exe"], 0));
        let same_length = archive(&["a.exe"], 0);
        let overlapping = [b"PK\x03\x04".as_slice(), &[0; 22], &[0xff, 0xff, 0, 0]].concat().repeat(20_000);
        assert_eq!(held(&overlapping), None);
        for hiding in [
            [harmless, same_length].concat(),
            [harmful.clone(), b"PK\x05\x06".to_vec(), vec![0; END_BYTES]].concat(),
            [harmful.clone(), vec![b'x'; COMMENT_BYTES_MAX]].concat(),
            harmful[..harmful.len() - END_BYTES].to_vec(),
        ] {
            assert_eq!(held(&hiding), Some(Held::DangerousArchive));
        }
    }

    #[test]
    fn a_broken_archive_is_looked_at_as_far_as_it_goes() {
        let whole = archive(&["a.exe", "b.txt"], 0);
        for end in 0..whole.len() {
            held(&whole[..end]);
        }
        assert_eq!(held(&whole[..60]), Some(Held::DangerousArchive));
        assert_eq!(held(&[b"PK\x05\x06".as_slice(), &[0xff; 18]].concat()), None);
    }
}
