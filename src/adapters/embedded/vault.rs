//! A key file as vault: `vault.json`, for its owner alone. It stands in for Key Vault, whose keys never leave it; these lie beside the data,
//! so whoever can read the folder can open everything in it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{OpenError, files, issuer::TOKEN_ISSUER_SECRET};
use crate::ports::{Entropy, Fault, Secret, Vault, WRAPPED_BYTES_MAX, Wrapped};

/// The format of the key file.
const FORMAT: u32 = 1;
/// Bytes of a wrapping key and of a made secret.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, which stands before the ciphertext.
const NONCE_BYTES: usize = 12;

/// Wrapping keys and secrets in a file, re-read when another process has added to it.
pub struct FileVault {
    folder: PathBuf,
    entropy: Arc<dyn Entropy>,
    held: Mutex<KeyFile>,
}

impl FileVault {
    /// The name of the file in its folder.
    pub const FILE: &str = "vault.json";

    /// Opens the key file of a folder; a first start makes it, with the secret of the local token issuer. Two first starts make one.
    pub fn open(folder: &Path, entropy: Arc<dyn Entropy>) -> Result<FileVault, OpenError> {
        files::create_folder(folder).map_err(OpenError::file(folder))?;
        let vault = FileVault { folder: folder.to_owned(), entropy, held: Mutex::default() };
        let held = match read(&vault.file())? {
            Some(held) => held,
            None => vault.change(|vault, file| vault.add_once(&mut file.secrets, TOKEN_ISSUER_SECRET))?,
        };
        *vault.held() = held;
        Ok(vault)
    }

    fn file(&self) -> PathBuf {
        self.folder.join(FileVault::FILE)
    }

    fn held(&self) -> MutexGuard<'_, KeyFile> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the file as it is on the disk, one process at a time.
    fn change(&self, edit: impl FnOnce(&FileVault, &mut KeyFile)) -> Result<KeyFile, OpenError> {
        let file = self.file();
        let lock_file = self.folder.join("vault.lock");
        let lock = files::open_lock(&lock_file).map_err(OpenError::file(&lock_file))?;
        lock.lock().map_err(OpenError::file(&lock_file))?;
        let mut content = match read(&file)? {
            Some(content) => content,
            None if self.held().secrets.is_empty() => KeyFile::default(),
            // It went away while this process had it: a new one would hide that its keys are gone.
            None => return Err(OpenError::KeysLost(file)),
        };
        edit(self, &mut content);
        let json = Zeroizing::new(serde_json::to_vec_pretty(&content).map_err(|error| OpenError::File { file: file.clone(), cause: error.into() })?);
        let temporary = self.folder.join("vault.tmp");
        // Left by a process that was killed while it held the lock.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OpenError::File { file: temporary, cause: error }),
            _ => {}
        }
        files::replace(&file, &temporary, &json).map_err(OpenError::file(&file))?;
        Ok(content)
    }

    fn add_once(&self, entries: &mut Entries, name: &str) {
        entries.entry(name.to_owned()).or_insert_with(|| vec![self.make()]);
    }

    fn make(&self) -> Entry {
        let (mut version, mut value) = ([0; 8], Zeroizing::new([0; KEY_BYTES]));
        self.entropy.fill(&mut version);
        self.entropy.fill(&mut *value);
        Entry { version: format!("{:016x}", u64::from_be_bytes(version)), value: STANDARD.encode(*value) }
    }

    /// Takes what `pick` finds in memory, else in the file as another process left it.
    fn find<T>(&self, pick: impl Fn(&KeyFile) -> Option<T>) -> Result<Option<T>, Fault> {
        if let Some(found) = pick(&self.held()) {
            return Ok(Some(found));
        }
        let Some(file) = read(&self.file()).map_err(unavailable)? else { return Ok(None) };
        let found = pick(&file);
        *self.held() = file;
        Ok(found)
    }
}

/// The key file is read and written in place of a call over the network; it takes less than handing the work to another thread.
#[async_trait]
impl Vault for FileVault {
    async fn wrap(&self, key: &str, plaintext: &[u8]) -> Result<Wrapped, Fault> {
        if plaintext.len() > WRAPPED_BYTES_MAX {
            return Err(Fault::Corrupt(format!("{} bytes are too many to be wrapped, at most {WRAPPED_BYTES_MAX}", plaintext.len())));
        }
        let newest = |file: &KeyFile| file.keys.get(key)?.last().cloned();
        // Another process may have made a newer version: wrapping is rare, and reads the file each time.
        if let Some(file) = read(&self.file()).map_err(unavailable)? {
            *self.held() = file;
        }
        let entry = match self.find(newest)? {
            Some(entry) => entry,
            None => {
                let file = self.change(|vault, file| vault.add_once(&mut file.keys, key)).map_err(unavailable)?;
                let made = newest(&file);
                *self.held() = file;
                made.ok_or_else(|| Fault::Unavailable("a wrapping key could not be made".to_owned()))?
            }
        };
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let payload = Payload { msg: plaintext, aad: &associated(key, &entry.version) };
        let sealed = cipher(&entry)?.encrypt(&Nonce::from(nonce), payload).map_err(|_| Fault::Corrupt("the key could not be wrapped".to_owned()))?;
        Ok(Wrapped { version: entry.version.clone(), bytes: [&nonce[..], &sealed].concat() })
    }

    async fn unwrap(&self, key: &str, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let refused = || Fault::Corrupt("a wrapped key was made by another wrapping key or has been changed".to_owned());
        let entry = self.find(|file| file.keys.get(key)?.iter().find(|entry| entry.version == wrapped.version).cloned())?.ok_or_else(refused)?;
        let (nonce, sealed) = wrapped.bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
        let payload = Payload { msg: sealed, aad: &associated(key, &wrapped.version) };
        cipher(&entry)?.decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| refused())
    }

    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault> {
        let wanted = |entry: &&Entry| version.is_none_or(|version| entry.version == version);
        let Some(entry) = self.find(|file| file.secrets.get(name)?.iter().rev().find(wanted).cloned())? else { return Ok(None) };
        Ok(Some(Secret { version: entry.version.clone(), value: value(&entry)? }))
    }

    async fn make_key(&self, key: &str) -> Result<bool, Fault> {
        let known = |file: &KeyFile| file.keys.contains_key(key).then_some(());
        if self.find(known)?.is_some() {
            return Ok(false);
        }
        *self.held() = self.change(|vault, file| vault.add_once(&mut file.keys, key)).map_err(unavailable)?;
        Ok(true)
    }

    async fn rotate(&self, key: &str) -> Result<String, Fault> {
        let file = self.change(|vault, file| file.keys.entry(key.to_owned()).or_default().push(vault.make())).map_err(unavailable)?;
        let version = file.keys.get(key).and_then(|versions| versions.last()).map(|entry| entry.version.clone());
        *self.held() = file;
        version.ok_or_else(|| Fault::Unavailable("a wrapping key could not be made".to_owned()))
    }
}

type Entries = BTreeMap<String, Vec<Entry>>;

/// Newest versions last.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    format: u32,
    keys: Entries,
    secrets: Entries,
}

impl Default for KeyFile {
    fn default() -> Self {
        KeyFile { format: FORMAT, keys: Entries::new(), secrets: Entries::new() }
    }
}

#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Entry {
    version: String,
    /// Base64.
    value: String,
}

/// The key file, `None` if there is none yet.
fn read(file: &Path) -> Result<Option<KeyFile>, OpenError> {
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(OpenError::File { file: file.to_owned(), cause }),
    };
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(OpenError::Exposed(file.to_owned()));
    }
    let json = Zeroizing::new(fs::read(file).map_err(OpenError::file(file))?);
    let content: KeyFile = serde_json::from_slice(&json).map_err(|_| OpenError::NotAKeyFile(file.to_owned()))?;
    if content.format > FORMAT {
        return Err(OpenError::Newer { file: file.to_owned(), found: content.format, known: FORMAT });
    }
    Ok(Some(content))
}

fn value(entry: &Entry) -> Result<Zeroizing<Vec<u8>>, Fault> {
    STANDARD.decode(&entry.value).map(Zeroizing::new).map_err(|_| Fault::Corrupt("the key file holds a value that is not base64".to_owned()))
}

fn cipher(entry: &Entry) -> Result<Aes256Gcm, Fault> {
    Aes256Gcm::new_from_slice(&value(entry)?).map_err(|_| Fault::Corrupt("the key file holds a key of another length".to_owned()))
}

/// Binds a wrapped key to the name and version it was wrapped for; neither holds a NUL.
fn associated(key: &str, version: &str) -> Vec<u8> {
    format!("{key}\0{version}").into_bytes()
}

fn unavailable(error: OpenError) -> Fault {
    match error {
        OpenError::NotAKeyFile(_) | OpenError::Newer { .. } => Fault::Corrupt("the key file is not one that this version can read".to_owned()),
        OpenError::Exposed(_) => Fault::Unavailable("the key file may be read by other users".to_owned()),
        _ => Fault::Unavailable("the key file could not be read or written".to_owned()),
    }
}
