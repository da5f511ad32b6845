//! Mail out as files, for a person to look at: nothing leaves the machine.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use ulid::Ulid;

use super::{OpenError, files};
use crate::ports::{Clock, Entropy, Fault, Mailer, OutgoingMail, Undelivered};

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
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        let milliseconds = u64::try_from(self.clock.now().unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let name = Ulid::from_parts(milliseconds, u128::from_be_bytes(random));
        let (file, temporary) = (self.folder.join(format!("{name}.eml")), self.folder.join(format!("{name}.tmp")));
        let raw = mail.raw.clone();
        tokio::task::spawn_blocking(move || files::replace(&file, &temporary, &raw))
            .await
            .map_err(|_| Fault::Unavailable("writing a mail to the outbox folder was interrupted".to_owned()))?
            .map_err(|error| files::fault("a mail could not be written to the outbox folder")(error).into())
    }
}
