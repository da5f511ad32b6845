//! The shapes and limits that the ports promise, checked in one place so that no store takes what another refuses.
//! Texts of these faults name the rule and never the value: an id that broke it may be anything.

use std::collections::HashSet;

use crate::ports::{BODY_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_WRITES_MAX, Fault, NewDocument, Write};

/// Bytes of a partition, an id, a kind or a key: Cosmos DB takes 255 for an id.
const NAME_BYTES_MAX: usize = 250;
/// Bytes of a blob's name.
const BLOB_NAME_BYTES_MAX: usize = 500;
/// Letters of a container or queue, as Azure Storage has it.
const CONTAINER_BYTES: std::ops::RangeInclusive<usize> = 3..=63;
/// Bytes of a queue message's text, as Azure Storage has it.
const MESSAGE_TEXT_BYTES_MAX: usize = 64 * 1024;

/// A commit is within the limits that `Documents::commit` states.
pub(super) fn check_commit(partition: &str, writes: &[Write]) -> Result<(), Fault> {
    check_name("partition", partition)?;
    if writes.is_empty() || writes.len() > COMMIT_WRITES_MAX {
        return Err(Fault::Corrupt(format!("a commit has {} writes, not 1 to {COMMIT_WRITES_MAX}", writes.len())));
    }
    let mut ids = HashSet::with_capacity(writes.len());
    let mut body_bytes = 0;
    for write in writes {
        let id = match write {
            Write::Create(document) | Write::Replace { document, .. } => {
                check_document(document)?;
                body_bytes += document.body.len();
                &document.id
            }
            Write::Delete { id, .. } | Write::Purge { id, .. } => id,
        };
        check_name("id", id)?;
        if !ids.insert(id) {
            return Err(Fault::Corrupt("a commit writes one id twice".to_owned()));
        }
    }
    if body_bytes > COMMIT_BYTES_MAX {
        return Err(Fault::Corrupt(format!("a commit has {body_bytes} bytes of bodies, over the limit of {COMMIT_BYTES_MAX}")));
    }
    Ok(())
}

fn check_document(document: &NewDocument) -> Result<(), Fault> {
    check_name("kind", &document.kind)?;
    for key in document.keys.iter().flatten() {
        check_name("key", key)?;
    }
    if document.body.len() > BODY_BYTES_MAX {
        return Err(Fault::Corrupt(format!("a body has {} bytes, over the limit of {BODY_BYTES_MAX}", document.body.len())));
    }
    Ok(())
}

/// A partition, id, kind or key is ASCII without `/ ? # \` and control characters, 1 to 250 bytes.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Fault> {
    let printable = name.bytes().all(|byte| (b' '..0x7f).contains(&byte) && !matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !printable {
        return Err(Fault::Corrupt(format!("a document's {what} is not 1 to {NAME_BYTES_MAX} bytes of printable ASCII without / ? # \\")));
    }
    Ok(())
}

/// A blob's name has segments of `[a-zA-Z0-9._-]`, none of them `.` or `..`.
pub(super) fn check_blob_name(container: &str, name: &str) -> Result<(), Fault> {
    check_container(container)?;
    let segment = |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_blob_byte);
    if name.len() > BLOB_NAME_BYTES_MAX || !name.split('/').all(segment) {
        return Err(Fault::Corrupt(format!("a blob's name is not at most {BLOB_NAME_BYTES_MAX} bytes of segments of a-z A-Z 0-9 . _ - joined by /")));
    }
    Ok(())
}

/// A container or queue is known by 3 to 63 of `a-z 0-9 -`.
pub(super) fn check_container(name: &str) -> Result<(), Fault> {
    let shape = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !CONTAINER_BYTES.contains(&name.len()) || !shape {
        return Err(Fault::Corrupt("a container's or queue's name is not 3 to 63 of a-z, 0-9 and -".to_owned()));
    }
    Ok(())
}

/// A message fits into a storage queue.
pub(super) fn check_message(text: &str) -> Result<(), Fault> {
    if text.len() > MESSAGE_TEXT_BYTES_MAX {
        return Err(Fault::Corrupt(format!("a queue message has {} bytes of text, over the limit of {MESSAGE_TEXT_BYTES_MAX}", text.len())));
    }
    Ok(())
}

fn is_blob_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}
