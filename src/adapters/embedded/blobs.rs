//! Blobs in the embedded store: small ones as rows, large ones as files that a row names.
//!
//! The row is what makes a blob exist. A file is written, flushed and renamed to a name of its own before its row is written, and removed after its row is
//! gone, so that a crash at any line leaves a file too many at worst; the sweep takes those away, when the next process opens the store at the latest. It
//! knows them by the lock that whoever puts a file holds until its row is committed.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    files,
    store::{Durable, Store, Writing, fault},
    system::unique_name,
    vanishing::Going,
};
use crate::{
    adapters::{blocks::Blocks, limits},
    ports::{Blobs, Fault, Pieces, Put},
};

/// Bytes of a blob that is kept as a row.
const ROW_BYTES_MAX: usize = 256 * 1024;
/// Bytes that go into a file in one write. More than a row's: a blob of less than one block is known whole.
const BLOCK_BYTES: usize = 4 * ROW_BYTES_MAX;
/// Looks at a blob whose file goes away while it is read.
const LOOKS_MAX: usize = 3;

#[async_trait]
impl Blobs for Store {
    async fn put(&self, container: &str, name: &str, bytes: Bytes) -> Result<Put, Fault> {
        limits::check_blob_name(container, name)?;
        if bytes.len() <= ROW_BYTES_MAX {
            let (container, name) = (container.to_owned(), name.to_owned());
            // It reaches the disk with the commit or the message that names it (decision 0004).
            return self.write(Durable::Soon, move |writing| insert(writing, &container, &name, bytes.len() as u64, None, Some(&bytes))).await;
        }
        self.put_file(container, name, bytes, Blocks::new(stream::empty().boxed(), BLOCK_BYTES)).await
    }

    async fn put_pieces(&self, container: &str, name: &str, pieces: Pieces<'_>) -> Result<Put, Fault> {
        limits::check_blob_name(container, name)?;
        let mut blocks = Blocks::new(pieces, BLOCK_BYTES);
        let first = blocks.next().await?.unwrap_or_default();
        if first.len() <= ROW_BYTES_MAX { self.put(container, name, first).await } else { self.put_file(container, name, first, blocks).await }
    }

    async fn get(&self, container: &str, name: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, Fault> {
        limits::check_blob_name(container, name)?;
        if self.vanishing.has(container, name) {
            return Ok(None);
        }
        for _ in 0..LOOKS_MAX {
            let (file, size) = match self.look_up(|connection| fetch(connection, container, name, range.as_ref()))? {
                None => return Ok(None),
                Some(Content::Row(bytes)) => return Ok(Some(Bytes::from(bytes))),
                Some(Content::File(file, size)) => (self.folder.join("blobs").join(file), size),
            };
            let part = range.clone();
            let read = tokio::task::spawn_blocking(move || read_file(&file, size, part.as_ref()));
            match read.await.map_err(|_| Fault::Unavailable("reading a blob was interrupted".to_owned()))? {
                Ok(bytes) => return Ok(Some(Bytes::from(bytes))),
                // Deleted since; a row that is still there when we look again has lost its file.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(files::fault("a blob's file could not be read")(error)),
            }
        }
        Err(Fault::Corrupt("the file of a blob is missing".to_owned()))
    }

    async fn size(&self, container: &str, name: &str) -> Result<Option<u64>, Fault> {
        limits::check_blob_name(container, name)?;
        if self.vanishing.has(container, name) {
            return Ok(None);
        }
        self.look_up(|connection| {
            let mut statement = connection.prepare_cached("SELECT size FROM blobs WHERE container = ?1 AND name = ?2").map_err(fault)?;
            let size: Option<i64> = statement.query_row([container, name], |row| row.get(0)).optional().map_err(fault)?;
            Ok(size.map(i64::unsigned_abs))
        })
    }

    async fn list(&self, container: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        limits::check_container(container)?;
        let vanishing = self.vanishing.names(container);
        // Names are printable ASCII: a control character sorts before what goes on, DEL after it.
        let start = after.filter(|after| *after >= prefix).map_or(prefix.to_owned(), |after| format!("{after}\u{1}"));
        let (container, end) = (container.to_owned(), format!("{prefix}\u{7f}"));
        self.read(move |connection| {
            let sql = "SELECT name FROM blobs WHERE container = ?1 AND name >= ?2 AND name < ?3 ORDER BY name LIMIT ?4";
            let mut statement = connection.prepare_cached(sql).map_err(fault)?;
            let rows = i64::try_from(limit.saturating_add(vanishing.len())).unwrap_or(i64::MAX);
            let found = statement.query_map(params![container, start, end, rows], |row| row.get(0)).map_err(fault)?;
            let mut names: Vec<String> = found.collect::<Result<_, _>>().map_err(fault)?;
            names.retain(|name| !vanishing.contains(name));
            names.truncate(limit);
            Ok(names)
        })
        .await
    }

    async fn delete(&self, container: &str, name: &str) -> Result<(), Fault> {
        limits::check_blob_name(container, name)?;
        let (container, name) = (container.to_owned(), name.to_owned());
        let going = Going::new(self.vanishing.clone(), &container, &name);
        let folder = self.folder.join("blobs");
        let work = move |writing: &mut Writing<'_>| remove(writing, &container, &name, &folder);
        let settle = move |result: Result<(), Fault>| {
            drop(going);
            if let Err(error) = result {
                tracing::warn!(%error, "a blob that was to be deleted is still there; deleting it again does no harm");
            }
        };
        self.submit(Durable::Soon, work, settle).await
    }
}

impl Store {
    async fn put_file(&self, container: &str, name: &str, first: Bytes, rest: Blocks<'_>) -> Result<Put, Fault> {
        if self.size(container, name).await?.is_some() {
            return Ok(Put::Existed);
        }
        let file = format!("{container}/{}", unique_name());
        let path = self.folder.join("blobs").join(&file);
        let (size, held) = write_file(&path, first, rest).await?;
        let (container, name) = (container.to_owned(), name.to_owned());
        // The file is held until the row is committed, also if nobody waits for that any more.
        let row = move |writing: &mut Writing<'_>| Ok((insert(writing, &container, &name, size, Some(&file), None)?, held));
        let (put, _held) = self.write(Durable::Now, row).await?;
        // After a fault of the row's commit it may be there for all that.
        if put == Put::Existed {
            files::remove(&path);
        }
        Ok(put)
    }
}

enum Content {
    Row(Vec<u8>),
    /// A file below `blobs` and its size.
    File(String, u64),
}

fn insert(writing: &Writing<'_>, container: &str, name: &str, size: u64, file: Option<&str>, bytes: Option<&[u8]>) -> Result<Put, Fault> {
    let sql = "INSERT INTO blobs (container, name, size, file, bytes) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let mut statement = writing.connection.prepare_cached(sql).map_err(fault)?;
    let inserted = statement.execute(params![container, name, size as i64, file, bytes]).map_err(fault)?;
    Ok(if inserted == 1 { Put::Created } else { Put::Existed })
}

fn remove(writing: &mut Writing<'_>, container: &str, name: &str, folder: &Path) -> Result<(), Fault> {
    let mut statement = writing.connection.prepare_cached("DELETE FROM blobs WHERE container = ?1 AND name = ?2 RETURNING file").map_err(fault)?;
    let file: Option<Option<String>> = statement.query_row([container, name], |row| row.get(0)).optional().map_err(fault)?;
    writing.orphans.extend(file.flatten().map(|file| folder.join(file)));
    Ok(())
}

fn fetch(connection: &Connection, container: &str, name: &str, range: Option<&Range<u64>>) -> Result<Option<Content>, Fault> {
    // substr counts from one and takes what exists.
    let sql = "SELECT file, size, substr(bytes, ?3, ?4) FROM blobs WHERE container = ?1 AND name = ?2";
    let (start, length) = range.map_or((0, ROW_BYTES_MAX as u64), |range| (range.start, range.end.saturating_sub(range.start)));
    let (first, length) = (i64::try_from(start.saturating_add(1)).unwrap_or(i64::MAX), i64::try_from(length).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let content = statement.query_row(params![container, name, first, length], |row| {
        Ok(match row.get::<_, Option<String>>(0)? {
            Some(file) => Content::File(file, row.get::<_, i64>(1)?.unsigned_abs()),
            // SQLite's substr makes NULL of no bytes.
            None => Content::Row(row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default()),
        })
    });
    content.optional().map_err(fault)
}

/// A file that is being written; removed if that is given up, by a fault or because nobody waits.
struct Unfinished<'a> {
    new: &'a Path,
    whole: &'a Path,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // In this order: once the new one is gone it can no longer become the whole one.
        files::remove(self.new);
        files::remove(self.whole);
    }
}

/// Writes a file, durably, that has its name only when it is whole, and answers its size, and the file, which is held.
async fn write_file(path: &Path, first: Bytes, mut rest: Blocks<'_>) -> Result<(u64, File), Fault> {
    let new = path.with_extension("new");
    let unfinished = Unfinished { new: &new, whole: path };
    let (mut size, mut block, created) = (0, Some(first), new.clone());
    let mut file = blocking(move || create_file(&created)).await?;
    while let Some(bytes) = block {
        size += bytes.len() as u64;
        file = blocking(move || file.write_all(&bytes).map(|()| file)).await?;
        block = rest.next().await?;
    }
    let (written, whole) = (new.clone(), path.to_owned());
    let finish = move || {
        file.sync_all()?;
        fs::rename(written, &whole)?;
        // And the names that lead to it: whoever made the folder may not have come to that yet.
        whole.ancestors().skip(1).take(3).try_for_each(files::sync_folder)?;
        Ok(file)
    };
    let file = blocking(finish).await?;
    std::mem::forget(unfinished);
    Ok((size, file))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Fault::Unavailable("writing a blob was interrupted".to_owned()))?;
    done.map_err(files::fault("a blob's file could not be written"))
}

fn create_file(path: &Path) -> io::Result<File> {
    let Some(folder) = path.parent() else { return Err(ErrorKind::InvalidInput.into()) };
    files::create_folder(folder)?;
    files::create_held(path)
}

fn read_file(path: &Path, size: u64, range: Option<&Range<u64>>) -> io::Result<Vec<u8>> {
    let range = range.cloned().unwrap_or(0..size);
    let (start, end) = (range.start.min(size), range.end.min(size));
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).map_err(|_| ErrorKind::FileTooLarge)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
