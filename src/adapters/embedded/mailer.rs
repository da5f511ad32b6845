//! Mail out as files, for a person to look at: nothing leaves the machine.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{OpenError, files};
use crate::ports::{Clock, Entropy, Fault, Mailer, OutgoingMail, Undelivered, new_ulid};

/// Writes each mail to `outbox/<ulid>.eml`. The envelope is not kept; the names hold no address.
pub struct FolderMailer {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl FolderMailer {
    /// Opens `outbox` in the data folder, creating it if need be.
    pub fn open(data: &std::path::Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<FolderMailer, OpenError> {
        let folder = data.join("outbox");
        files::create_folder(&folder).map_err(OpenError::file(&folder))?;
        Ok(FolderMailer { folder, clock, entropy })
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<(), Undelivered> {
        let name = new_ulid(self.entropy.as_ref(), self.clock.now());
        let (file, temporary) = (self.folder.join(format!("{name}.eml")), self.folder.join(format!("{name}.tmp")));
        let (raw, folder) = (mail.raw.clone(), self.folder.clone());
        // Somebody may have cleared it away.
        let write = move || files::create_folder(&folder).and_then(|()| files::replace(&file, &temporary, &raw));
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|_| Fault::Unavailable("writing a mail to the outbox folder was interrupted".to_owned()))?
            .map_err(|error| files::fault("a mail could not be written to the outbox folder")(error).into())
    }
}
