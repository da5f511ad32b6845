//! Mail in: each `STATE/inbox/<mailbox>/*.eml` becomes a blob and a message of the queue `mail-intake`, as a mail feeder does in Azure.
//!
//! At least once: the blob is named by its content, the message follows the blob, the file goes last. Exactly once is not promised.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{fs, io::AsyncReadExt, sync::watch, time::sleep};
use tracing::{info, warn};

use super::queues::Wakes;
use crate::ports::{Fault, MessageTooLarge, Ports, encode_text};

/// Where the mails and their messages go.
pub const CONTAINER: &str = "mail-intake";
pub const QUEUE: &str = "mail-intake";
/// Bytes of a mail; what is larger is left with the suffix `too-large`.
pub const MAIL_BYTES_MAX: u64 = 35 * 1024 * 1024;
/// The folder below the state folder, one folder a mailbox in it.
const FOLDER: &str = "inbox";
const TOO_LARGE_SUFFIX: &str = "too-large";
/// Between two looks. A file is taken when two of them find it unchanged.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// The wait after a store that did not take a mail.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Folders that are looked at.
pub const MAILBOXES_MAX: usize = 1000;
const FILES_A_LOOK_MAX: usize = 1000;

/// Why a mail was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotFed {
    #[error("the mail has {0} bytes, over the limit of {MAIL_BYTES_MAX}")]
    MailTooLarge(u64),
    #[error("the mailbox's name is too long: {0}")]
    MailboxTooLong(#[from] MessageTooLarge),
    #[error("the mail could not be stored: {0}")]
    Store(#[from] Fault),
}

/// The queue contract's message.
#[derive(Serialize)]
struct Intake<'a> {
    v: u8,
    mailbox: &'a str,
    blob: &'a str,
}

/// Stores a raw mail and sends its message; answers the blob's name, which is the same for the same mail to the same mailbox.
pub async fn feed(ports: &Ports, mailbox: &str, mail: Bytes) -> Result<String, NotFed> {
    let mail_bytes = u64::try_from(mail.len()).unwrap_or(u64::MAX);
    if mail_bytes > MAIL_BYTES_MAX {
        return Err(NotFed::MailTooLarge(mail_bytes));
    }
    let digest = Sha256::new().chain_update(mailbox).chain_update([0]).chain_update(&mail).finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let blob = format!("inbox/{hex}.eml");
    // Unwrap safety: a struct of two texts and a number is always JSON.
    let message = serde_json::to_vec(&Intake { v: 1, mailbox, blob: &blob }).expect("texts and numbers are JSON");
    let text = encode_text(&message)?;
    ports.blobs.put(CONTAINER, &blob, mail).await?;
    ports.queues.send(QUEUE, &text, Duration::ZERO).await?;
    Ok(blob)
}

/// A size and a time of change: if both stay, nobody is writing.
type Shape = (u64, Option<SystemTime>);

/// The watcher of the inbox folder.
pub struct Inbox {
    folder: PathBuf,
    ports: Ports,
    wakes: Wakes,
    /// Files of the last look.
    seen: HashMap<PathBuf, Shape>,
    /// Files that were fed but could not be deleted.
    fed: HashMap<PathBuf, Shape>,
    /// Files that a warning was given of.
    warned: HashSet<PathBuf>,
}

impl Inbox {
    pub fn new(state: &Path, ports: Ports, wakes: Wakes) -> Self {
        Inbox { folder: state.join(FOLDER), ports, wakes, seen: HashMap::new(), fed: HashMap::new(), warned: HashSet::new() }
    }

    /// Looks once and takes in what is complete; answers how many mails that were.
    pub async fn look(&mut self) -> Result<usize, NotFed> {
        let files = files(&self.folder).await;
        let now: HashMap<PathBuf, Shape> = files.iter().map(|file| (file.path.clone(), file.shape)).collect();
        let before = std::mem::replace(&mut self.seen, now);
        self.fed.retain(|path, _| self.seen.contains_key(path));
        self.warned.retain(|path| self.seen.contains_key(path));
        let mut taken = 0;
        for file in files {
            let complete = before.get(&file.path) == Some(&file.shape) && self.fed.get(&file.path) != Some(&file.shape);
            if complete && self.take(file).await? {
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Looks every 300 ms until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow_and_update() {
            let pause = match self.look().await {
                Ok(_) => LOOK_EVERY,
                Err(error) => {
                    warn!(%error, "a mail of the inbox was not taken in; it stays and is tried again");
                    AGAIN_AFTER
                }
            };
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = sleep(pause) => {}
            }
        }
    }

    /// False if the file was left where it is.
    async fn take(&mut self, file: File) -> Result<bool, NotFed> {
        if file.shape.0 > MAIL_BYTES_MAX {
            warn!(mail_bytes = file.shape.0, "a mail of the inbox is too large; it is left with the ending .{TOO_LARGE_SUFFIX}");
            let mut aside = file.path.clone().into_os_string();
            aside.push(format!(".{TOO_LARGE_SUFFIX}"));
            if let Err(error) = fs::rename(&file.path, aside).await {
                self.warn_once(&file.path, &error, "cannot be renamed");
            }
            return Ok(false);
        }
        let mail = match read(&file.path).await {
            Ok(mail) if u64::try_from(mail.len()) == Ok(file.shape.0) => mail,
            // It grew while it was read: the next look sees.
            Ok(_) => return Ok(false),
            Err(error) => {
                self.warn_once(&file.path, &error, "cannot be read");
                return Ok(false);
            }
        };
        let blob = feed(&self.ports, &file.mailbox, Bytes::from(mail)).await?;
        self.wakes.knock(QUEUE);
        info!(blob, "a mail of the inbox was taken in");
        if let Err(error) = fs::remove_file(&file.path).await {
            self.warn_once(&file.path, &error, "was taken in but cannot be deleted; it is taken in again after a restart");
            self.fed.insert(file.path, file.shape);
        }
        Ok(true)
    }

    /// Without the file's name: it may hold personal data, and so does its folder's.
    fn warn_once(&mut self, path: &Path, error: &io::Error, what: &str) {
        if self.warned.insert(path.to_owned()) {
            warn!(kind = %error.kind(), "a mail of the inbox {what}");
        }
    }
}

struct File {
    path: PathBuf,
    mailbox: String,
    shape: Shape,
}

/// The mails that lie there; a folder that cannot be read is as good as empty.
async fn files(folder: &Path) -> Vec<File> {
    let mut files = Vec::new();
    let Ok(mut mailboxes) = fs::read_dir(folder).await else { return files };
    for _ in 0..MAILBOXES_MAX {
        let Ok(Some(entry)) = mailboxes.next_entry().await else { break };
        let Ok(mailbox) = entry.file_name().into_string() else { continue };
        if mailbox.starts_with('.') {
            continue;
        }
        let Ok(mut mails) = fs::read_dir(entry.path()).await else { continue };
        while files.len() < FILES_A_LOOK_MAX {
            let Ok(Some(entry)) = mails.next_entry().await else { break };
            let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
            // Links are not followed.
            let Ok(metadata) = entry.metadata().await else { continue };
            if metadata.is_file() && name.ends_with(".eml") && !name.starts_with('.') {
                files.push(File { path: entry.path(), mailbox: mailbox.clone(), shape: (metadata.len(), metadata.modified().ok()) });
            }
        }
    }
    files
}

async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    // One more than is allowed, so that what grew is seen.
    fs::File::open(path).await?.take(MAIL_BYTES_MAX + 1).read_to_end(&mut mail).await?;
    Ok(mail)
}
