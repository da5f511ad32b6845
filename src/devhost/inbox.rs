//! Mail in: each `STATE/inbox/<mailbox>/*.eml` becomes a blob and a message of the queue `mail-intake`, as a mail feeder does in Azure.
//!
//! At least once: the blob is named by its content, the message follows the blob, the file goes last. Exactly once is not promised.
//! A file gets a hidden name while it is taken; a start gives files that a killed process left hidden a name that is looked at again, and deletes those
//! that a killed `helpdesk send` left half written.

use std::{
    collections::{HashMap, HashSet},
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::{fs, io::AsyncReadExt, sync::watch, time::sleep};
use tracing::{info, warn};

use super::queues::Wakes;
use crate::ports::{Fault, MessageTooLarge, Ports, encode_text};

/// Where the mails and their messages go.
pub const CONTAINER: &str = "mail-intake";
pub const QUEUE: &str = "mail-intake";
/// Bytes of a file that is taken in, all of it in memory at once. Above the limit of a mail, whose excess is the intake's to record; no mail system
/// lets so much through, and what is larger is left with the suffix `too-large`.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The folder below the state folder, one folder a mailbox in it.
const FOLDER: &str = "inbox";
const TOO_LARGE_SUFFIX: &str = "too-large";
/// Begins the name of a file that is being taken; 32 hexadecimal digits and the ending follow.
const TAKING: &str = ".taking-";
const ENDING: &str = ".eml";
/// Begins the name of a file that `helpdesk send` is writing; what nobody else has follows. Whoever sends has the whole mail before he begins, so one that
/// nobody has written to for so long is a killed process's, and holds a mail in clear that no look would ever take.
pub const SENDING: &str = ".sending-";
pub const SENDING_MAX: Duration = Duration::from_secs(10 * 60);
/// Between two looks. A file is taken when two of them find it unchanged and it has been quiet.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long nobody wrote to a file that is taken: a writer may pause.
pub const QUIET_FOR: Duration = Duration::from_secs(1);
/// The wait after a store that did not take a mail.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
const FILES_A_LOOK_MAX: usize = 1000;
/// What is looked at in a folder, the inbox itself and each mailbox's. Far above the mails of a look, so that what lies there and is no mail hides none.
pub const ENTRIES_A_FOLDER_MAX: usize = 100_000;

/// Why a mail was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotFed {
    #[error("the file has {0} bytes, over the limit of {FILE_BYTES_MAX}")]
    FileTooLarge(u64),
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
    if mail_bytes > FILE_BYTES_MAX {
        return Err(NotFed::FileTooLarge(mail_bytes));
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

/// What changes when somebody writes to a file or puts another in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    bytes: u64,
    changed_at: Option<OffsetDateTime>,
    inode: u64,
}

impl Shape {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Shape { bytes: metadata.len(), changed_at: metadata.modified().ok().map(OffsetDateTime::from), inode }
    }

    /// Nobody wrote to it for a while. A time of change that lies ahead is a copied one, or another machine's.
    fn is_quiet(&self, now: OffsetDateTime) -> bool {
        self.changed_at.is_none_or(|at| (now - at).unsigned_abs() >= QUIET_FOR)
    }
}

/// The watcher of the inbox folder.
pub struct Inbox {
    folder: PathBuf,
    ports: Ports,
    wakes: Wakes,
    /// Files of the last look.
    seen: HashMap<PathBuf, Shape>,
    /// Files that the store did not take when they were last tried.
    refused: HashSet<PathBuf>,
    /// Files that a warning was given of.
    warned: HashSet<PathBuf>,
    /// Files of the last look that lie where no mail is looked for, and how many a warning was given of.
    misplaced: usize,
    misplaced_told: usize,
    /// A warning was given that a folder has too many entries, and it still has.
    cut_off_told: bool,
}

impl Inbox {
    pub fn new(state: &Path, ports: Ports, wakes: Wakes) -> Self {
        let folder = state.join(FOLDER);
        let (refused, warned) = (HashSet::new(), HashSet::new());
        Inbox { folder, ports, wakes, seen: HashMap::new(), refused, warned, misplaced: 0, misplaced_told: 0, cut_off_told: false }
    }

    /// Tidies up after processes that were killed: shows the mails again that one was taking, and deletes what one left that nobody goes on sending. Nobody
    /// else may be taking any.
    pub async fn restore(&self) {
        let found = files(&self.folder, usize::MAX, ENTRIES_A_FOLDER_MAX).await;
        for hidden in found.taking {
            if let Err(error) = fs::rename(&hidden, hidden.with_file_name(without_taking(&hidden))).await {
                warn!(kind = %error.kind(), "a mail of the inbox whose taking was interrupted cannot be renamed; the next start tries again");
            }
        }
        let now = self.ports.clock.now();
        for (half, shape) in found.sending {
            let is_left = shape.changed_at.is_some_and(|at| now - at >= SENDING_MAX);
            if is_left && let Err(error) = fs::remove_file(&half).await {
                warn!(kind = %error.kind(), "a mail whose sending was interrupted cannot be deleted; the next start tries again");
            }
        }
    }

    /// Looks once and takes in what is complete; answers how many mails that were.
    pub async fn look(&mut self) -> Result<usize, NotFed> {
        let mut found = files(&self.folder, FILES_A_LOOK_MAX, ENTRIES_A_FOLDER_MAX).await;
        self.tell_misplaced(found.misplaced);
        self.tell_cut_off(found.cut_off);
        let shapes = found.mails.iter().map(|file| (file.path.clone(), file.shape.clone())).collect();
        let before = std::mem::replace(&mut self.seen, shapes);
        self.warned.retain(|path| self.seen.contains_key(path));
        self.refused.retain(|path| self.seen.contains_key(path));
        // What the store did not take waits behind what it may take: a large mail on a disk that is nearly full.
        found.mails.sort_by_key(|file| self.refused.contains(&file.path));
        let now = self.ports.clock.now();
        let mut taken = 0;
        for file in found.mails {
            let complete = before.get(&file.path) == Some(&file.shape) && file.shape.is_quiet(now);
            if complete && self.take(file).await? {
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Looks every 300 ms until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        self.restore().await;
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
        if file.shape.bytes > FILE_BYTES_MAX {
            warn!(file_bytes = file.shape.bytes, "a file of the inbox is too large to be taken in; it is left with the ending .{TOO_LARGE_SUFFIX}");
            let aside = |ending: String| {
                let mut name = file.path.clone().into_os_string();
                name.push(ending);
                PathBuf::from(name)
            };
            let (plain, other) = (aside(format!(".{TOO_LARGE_SUFFIX}")), aside(format!(".{}.{TOO_LARGE_SUFFIX}", self.random())));
            if let Err(error) = rename_to_free(&file.path, &plain, &other).await {
                self.warn_once(&file.path, &error, "cannot be renamed");
            }
            return Ok(false);
        }
        // Opened before it is renamed: what cannot be read stays as it is.
        let open = match fs::File::open(&file.path).await {
            Ok(open) => open,
            Err(error) => {
                self.warn_once(&file.path, &error, "cannot be read");
                return Ok(false);
            }
        };
        let hidden = self.hidden(&file.path);
        if let Err(error) = fs::rename(&file.path, &hidden).await {
            self.warn_once(&file.path, &error, "cannot be renamed");
            return Ok(false);
        }
        let fed = match read(open, &hidden, &file.shape).await {
            Ok(Some(mail)) => feed(&self.ports, &file.mailbox, Bytes::from(mail)).await.map(Some),
            // Somebody wrote to it: the next looks see.
            Ok(None) => Ok(None),
            Err(error) => {
                self.warn_once(&file.path, &error, "cannot be read");
                Ok(None)
            }
        };
        let Ok(Some(blob)) = fed else {
            let shown = self.put_back(&hidden, &file.path).await;
            if fed.is_err() {
                self.refused.insert(shown);
            }
            return fed.map(|_| false);
        };
        self.wakes.knock(QUEUE);
        info!(blob, "a mail of the inbox was taken in");
        // Somebody went on writing after all: the whole of it is another mail.
        if fs::metadata(&hidden).await.is_ok_and(|metadata| Shape::of(&metadata) != file.shape) {
            self.put_back(&hidden, &file.path).await;
            return Ok(true);
        }
        if let Err(error) = fs::remove_file(&hidden).await {
            self.warn_once(&file.path, &error, "was taken in but cannot be deleted; it is taken in again after a restart");
        }
        Ok(true)
    }

    /// A name beside a file that is nobody else's, so that no rename replaces a mail.
    fn hidden(&self, file: &Path) -> PathBuf {
        file.with_file_name(format!("{TAKING}{}{ENDING}", self.random()))
    }

    /// 32 hexadecimal digits that nobody else has.
    fn random(&self) -> String {
        let mut random = [0; 16];
        self.ports.entropy.fill(&mut random);
        format!("{:032x}", u128::from_be_bytes(random))
    }

    /// Shows a file again, and says where; under another name if its own was taken meanwhile, or if the file system has no links.
    async fn put_back(&mut self, hidden: &Path, shown: &Path) -> PathBuf {
        let other = shown.with_file_name(without_taking(hidden));
        match rename_to_free(hidden, shown, &other).await {
            Ok(true) => return shown.to_owned(),
            Ok(false) => {}
            Err(error) => self.warn_once(shown, &error, "cannot be renamed; it is tried again after a restart"),
        }
        other
    }

    /// One warning for each file that came to lie where nobody looks. Two looks must find it: a writer may be about to rename it.
    fn tell_misplaced(&mut self, misplaced: usize) {
        if misplaced > self.misplaced_told && self.misplaced == misplaced {
            warn!(
                files = misplaced,
                "files of the inbox are not taken in: a mail is a file, ends in .eml and lies in a folder named like the address of its mailbox"
            );
            self.misplaced_told = misplaced;
        }
        self.misplaced_told = self.misplaced_told.min(misplaced);
        self.misplaced = misplaced;
    }

    /// One warning when a folder comes to have more entries than are looked at.
    fn tell_cut_off(&mut self, cut_off: bool) {
        if cut_off && !self.cut_off_told {
            warn!("a folder of the inbox has over {ENTRIES_A_FOLDER_MAX} entries: what lies behind them is not looked at");
        }
        self.cut_off_told = cut_off;
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

/// What lies in the inbox.
#[derive(Default)]
struct Found {
    mails: Vec<File>,
    /// Files that a process is taking, or was when it was killed.
    taking: Vec<PathBuf>,
    /// Files that `helpdesk send` is writing, or was when it was killed.
    sending: Vec<(PathBuf, Shape)>,
    /// How many files no mail can be made of.
    misplaced: usize,
    /// A folder has more entries than were looked at.
    cut_off: bool,
}

/// Up to so many mails, among so many entries of each folder. A folder that cannot be read is as good as empty.
async fn files(folder: &Path, mails_max: usize, entries_max: usize) -> Found {
    let mut found = Found::default();
    let Ok(mut mailboxes) = fs::read_dir(folder).await else { return found };
    let mut entries = 0;
    while let Ok(Some(entry)) = mailboxes.next_entry().await {
        if entries >= entries_max {
            found.cut_off = true;
            break;
        }
        entries += 1;
        look_into(&mut found, &entry, mails_max, entries_max).await;
    }
    found
}

/// One entry of the inbox, which should be a mailbox's folder.
async fn look_into(found: &mut Found, entry: &fs::DirEntry, mails_max: usize, entries_max: usize) {
    let name = entry.file_name();
    let shown = name.to_string_lossy();
    if shown.starts_with('.') {
        // Somebody's own, unless it looks like a mailbox's.
        found.misplaced += usize::from(shown.contains('@'));
        return;
    }
    // Behind a link lie files that are not ours to delete.
    let is_link = entry.file_type().await.is_ok_and(|kind| kind.is_symlink());
    let mails = if is_link { None } else { fs::read_dir(entry.path()).await.ok() };
    let Some(mut mails) = mails else {
        found.misplaced += 1;
        return;
    };
    // What is no text is no address either.
    let mailbox = name.to_str().unwrap_or("");
    let mut entries = 0;
    // What is left when there are mails enough, the next look finds.
    while found.mails.len() < mails_max
        && let Ok(Some(entry)) = mails.next_entry().await
    {
        if entries >= entries_max {
            found.cut_off = true;
            break;
        }
        entries += 1;
        sort(found, mailbox, &entry).await;
    }
}

/// Links are not followed.
async fn sort(found: &mut Found, mailbox: &str, entry: &fs::DirEntry) {
    let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
    let Ok(metadata) = entry.metadata().await else { return };
    if !metadata.is_file() {
        found.misplaced += usize::from(name.ends_with(ENDING));
        return;
    }
    if name.starts_with(TAKING) {
        found.taking.push(entry.path());
    } else if name.starts_with(SENDING) {
        found.sending.push((entry.path(), Shape::of(&metadata)));
    } else if name.starts_with('.') || name.ends_with(TOO_LARGE_SUFFIX) {
        // Somebody is writing it, or it has had its warning.
    } else if name.ends_with(ENDING) && mailbox.contains('@') {
        found.mails.push(File { path: entry.path(), mailbox: mailbox.to_owned(), shape: Shape::of(&metadata) });
    } else {
        found.misplaced += 1;
    }
}

/// The bytes of a file that is still what the look found; `None` if it is not.
async fn read(mut open: fs::File, hidden: &Path, shape: &Shape) -> io::Result<Option<Vec<u8>>> {
    let mut mail = Vec::new();
    // One more than is allowed, so that what grew is seen.
    (&mut open).take(FILE_BYTES_MAX + 1).read_to_end(&mut mail).await?;
    let same = Shape::of(&open.metadata().await?) == *shape && Shape::of(&fs::metadata(hidden).await?) == *shape;
    Ok((same && u64::try_from(mail.len()) == Ok(shape.bytes)).then_some(mail))
}

/// Renames a file so that it replaces none: to the other name, which is nobody else's, if the first is taken or the file system has no links. Says whether it
/// has the first.
async fn rename_to_free(from: &Path, to: &Path, other: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to).await {
        Ok(()) => fs::remove_file(from).await.map(|()| true),
        Err(_) => fs::rename(from, other).await.map(|()| false),
    }
}

/// The name of a file that is no longer being taken.
fn without_taking(hidden: &Path) -> String {
    hidden.file_name().unwrap_or_default().to_string_lossy().trim_start_matches(TAKING).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_mail_hides_none_and_is_counted_whole() {
        let inbox = tempfile::tempdir().unwrap();
        let mailbox = inbox.path().join("help@contoso.example");
        std::fs::create_dir(&mailbox).unwrap();
        for number in 0..1500 {
            std::fs::write(inbox.path().join(format!("{number}.eml")), "x").unwrap();
        }
        std::fs::write(mailbox.join("one.eml"), "x").unwrap();
        let found = files(inbox.path(), FILES_A_LOOK_MAX, ENTRIES_A_FOLDER_MAX).await;
        assert_eq!((found.mails.len(), found.misplaced, found.cut_off), (1, 1500, false));
        assert!(files(inbox.path(), FILES_A_LOOK_MAX, 1500).await.cut_off);
        assert!(!files(inbox.path(), FILES_A_LOOK_MAX, 1501).await.cut_off);
        for number in 0..5 {
            std::fs::write(mailbox.join(format!("{number}.txt")), "x").unwrap();
        }
        let of_one = tempfile::tempdir().unwrap();
        std::fs::rename(&mailbox, of_one.path().join("help@contoso.example")).unwrap();
        assert!(files(of_one.path(), FILES_A_LOOK_MAX, 5).await.cut_off);
        assert!(!files(of_one.path(), FILES_A_LOOK_MAX, 6).await.cut_off);
    }
}
