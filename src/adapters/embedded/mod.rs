//! Everything that `helpdesk dev` needs in one folder: documents, queues and blobs, a key file, mail out as files, a token issuer.
//!
//! One SQLite file holds what must change together. The folder belongs to its user: 0700, the files 0600.

mod blobs;
mod documents;
mod files;
mod issuer;
mod lock;
mod log_files;
mod mailer;
mod queues;
mod schema;
mod store;
mod system;
mod vanishing;
mod vault;

use std::{io, path::PathBuf};

pub use issuer::{Claims, LocalIssuer};
pub use lock::HostLock;
pub use log_files::LogFiles;
pub use mailer::FolderMailer;
pub use store::Store;
pub use system::{SystemClock, SystemEntropy, unique_name};
pub use vault::FileVault;

/// Why the folder of the embedded parts could not be opened. Read by the person who started the program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another helpdesk serves the folder {0}: stop it, or name another folder")]
    Served(PathBuf),
    #[error("{file} could not be opened: {cause}; check that the folder exists, is yours and has space")]
    File { file: PathBuf, cause: io::Error },
    #[error("{file} could not be opened as a database: {cause}")]
    Database { file: PathBuf, cause: rusqlite::Error },
    #[error("{file} was written by a newer helpdesk (format {found}, this one knows up to {known}): use that one")]
    Newer { file: PathBuf, found: u32, known: u32 },
    #[error(
        "{file} was written by a helpdesk before the first release (format {found}, this one knows {known}): start with a new folder, or keep this one \
         for the version that made it"
    )]
    Older { file: PathBuf, found: u32, known: u32 },
    #[error("{0} is lost: restore it from a backup; without its keys nothing stored beside it can be opened")]
    KeysLost(PathBuf),
    #[error("{0} holds keys and may be read by other users: run `chmod 600` on it, and replace its keys if others had access")]
    Exposed(PathBuf),
    #[error("{0} is not a key file: restore it from a backup; without its keys nothing stored here can be opened")]
    NotAKeyFile(PathBuf),
}

impl OpenError {
    fn file(file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OpenError {
        let file = file.into();
        move |cause| OpenError::File { file, cause }
    }
}
