//! Files that are whole or absent, and seen by their owner alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::ports::Fault;

/// Creates a folder, and those above it, for its owner alone. That it exists is fine.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a new file and makes its bytes durable. Its name is durable after [`sync_folder`].
pub(super) fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut open = create_new(file)?;
    open.write_all(bytes)?;
    open.sync_all()
}

/// Creates a file that was not there.
pub(super) fn create_new(file: &Path) -> io::Result<File> {
    private(OpenOptions::new()).write(true).create_new(true).open(file)
}

/// Creates a file that was not there and holds it until it is closed, so that [`unless_held`] leaves it alone. The kernel lets go of it even after a kill -9.
pub(super) fn create_held(file: &Path) -> io::Result<File> {
    loop {
        let open = create_new(file)?;
        open.lock()?;
        // Whoever looked between the two took it for abandoned, and its name is free again.
        if file.try_exists()? {
            return Ok(open);
        }
    }
}

/// Runs `work` while nobody, of any process, can hold the file; not at all if somebody does.
pub(super) fn unless_held(file: &Path, work: impl FnOnce()) {
    let Ok(open) = File::open(file) else { return };
    if open.try_lock().is_ok() {
        work();
    }
}

/// Puts a file in the place of `file`: readers see the old bytes or the new ones. `temporary` is beside it and nobody else's; it does not stay, unless the
/// process is killed.
pub(super) fn replace(file: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = write_new(temporary, bytes).and_then(|()| fs::rename(temporary, file));
    if written.is_err() {
        remove(temporary);
    }
    written?;
    file.parent().map_or(Ok(()), sync_folder)
}

/// Opens a lock file, creating it.
pub(super) fn open_lock(file: &Path) -> io::Result<File> {
    private(OpenOptions::new()).read(true).write(true).create(true).truncate(false).open(file)
}

/// Creates a file for its owner alone if it is not there, and takes it from all others if it is. One that is there is not opened: closing it
/// again would end the locks that this process has on it, and SQLite's with them.
pub(super) fn claim(file: &Path) -> io::Result<()> {
    match create_new(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created.map(drop),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = fs::metadata(file)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o600);
            fs::set_permissions(file, permissions)?;
        }
    }
    Ok(())
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file that nothing names any more. That it cannot be removed undoes nothing of what was done before.
pub(super) fn remove(file: &Path) {
    let _ = fs::remove_file(file);
}

/// What a file operation's failure means to a port. The kind alone: a path may not be logged everywhere.
pub(super) fn fault(what: &'static str) -> impl Fn(io::Error) -> Fault {
    move |error| Fault::Unavailable(format!("{what}: {}", error.kind()))
}

fn private(mut options: OpenOptions) -> OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, temporary) = (folder.path().join("mail.eml"), folder.path().join("mail.tmp"));
        // A folder that is not empty takes no file's name.
        fs::create_dir_all(file.join("inside")).unwrap();
        assert!(replace(&file, &temporary, b"words").is_err());
        assert!(!temporary.exists());
    }
}
