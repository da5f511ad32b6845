//! One host a folder: two would lease each other's queue messages and run every timer twice.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::{OpenError, files};

/// Held by the host of a folder while it lives; the kernel lets go of it even after a kill -9.
/// Commands that only read or add take no lock: SQLite's own keeps their writes apart.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

impl HostLock {
    /// Takes the lock of a folder, creating the folder if need be. [`OpenError::Served`] if another process has it.
    pub fn acquire(folder: &Path) -> Result<HostLock, OpenError> {
        files::create_folder(folder).map_err(OpenError::file(folder))?;
        let path = folder.join("helpdesk.lock");
        let file = files::open_lock(&path).map_err(OpenError::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(HostLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Served(folder.to_owned())),
            Err(TryLockError::Error(cause)) => Err(OpenError::File { file: path, cause }),
        }
    }
}
