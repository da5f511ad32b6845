//! Mail out as files, for a person to look at: nothing leaves the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use ulid::Ulid;

use super::{OpenError, files};
use crate::ports::{Clock, Entropy, Fault, Mailer, OutgoingMail, Undelivered, new_ulid};

const FOLDER: &str = "outbox";
/// Ends the name of a mail that is being written.
const WRITING: &str = "tmp";
/// Such mails that a start deletes.
const LEFT_MAX: usize = 10_000;

/// Writes each mail to `outbox/<ulid>.eml`. The envelope is not kept; the names hold no address.
pub struct FolderMailer {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl FolderMailer {
    /// Opens `outbox` in the data folder, creating it if need be.
    pub fn open(data: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<FolderMailer, OpenError> {
        let folder = data.join(FOLDER);
        files::create_folder(&folder).map_err(OpenError::file(&folder))?;
        Ok(FolderMailer { folder, clock, entropy })
    }

    /// Deletes what a killed process left half written, a mail in clear that nobody would look at. For a host that has just taken the folder over: nobody
    /// else writes there.
    pub fn delete_half_written(data: &Path) {
        let Ok(entries) = fs::read_dir(data.join(FOLDER)) else { return };
        let half = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == WRITING));
        half.filter(|path| path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| Ulid::from_string(name).is_ok()))
            .take(LEFT_MAX)
            .for_each(|path| files::remove(&path));
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        let name = new_ulid(self.entropy.as_ref(), self.clock.now());
        let (file, temporary) = (self.folder.join(format!("{name}.eml")), self.folder.join(format!("{name}.{WRITING}")));
        let (raw, folder) = (mail.raw.clone(), self.folder.clone());
        // Somebody may have cleared it away.
        let write = move || files::create_folder(&folder).and_then(|()| files::replace(&file, &temporary, &raw));
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|_| Fault::Unavailable("writing a mail to the outbox folder was interrupted".to_owned()))?
            .map_err(|error| files::fault("a mail could not be written to the outbox folder")(error).into())
    }
}
