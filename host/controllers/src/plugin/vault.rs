//! Components on disk, so that what was verified once runs on when the registry is gone.
//!
//! A folder that only this user can use. `<digest>.wasm` is a component, checked against its name
//! when it is read. `<digest>.json` says which component an object runs and what was verified of it:
//! its bytes are authenticated by HMAC-SHA256 with a key that is made in the folder at first use.
//! What does not verify is not there. Nothing is ever taken over from another object: whoever names
//! a private image has to be let in by the registry first.

use std::collections::HashSet;
use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};

use bulkhead_api::Digest;
use cap_std::fs::{Dir, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::catalogue::Scope;

const MAC_BYTES: usize = 32;
const KEY_FILE: &str = "key";

/// Largest record: names and a signer.
const RECORD_BYTES: u64 = 64 * 1024;

/// Which component an object runs, and what was verified of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Identity of the object: one that was deleted and made anew starts anew.
    pub uid: String,
    /// Image by tag and digest.
    pub image: String,
    /// Digest of the image's manifest.
    pub digest: Digest,
    /// Digest of the component.
    pub component: Digest,
    /// Fingerprint of the policy that its signatures were checked against; none if there was none.
    pub policy: Option<Digest>,
    /// Who signed it.
    pub signer: Option<String>,
}

/// The folder. Shared behind an `Arc`; all of it blocks.
pub struct Vault {
    dir: Dir,
    key: [u8; MAC_BYTES],
    /// Held while a component and its record are written: nobody removes the one before the other.
    writing: Mutex<()>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the folder, makes it private, and makes the key at first use.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(dir: Dir) -> io::Result<Self> {
        use cap_std::fs::{Permissions, PermissionsExt as _};
        dir.set_permissions(".", Permissions::from_mode(0o700))?;
        let key = match read_key(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&dir)?,
            other => other?,
        };
        let writing = Mutex::default();
        Ok(Self { dir, key, writing })
    }

    /// Keeps a component for an object, in the place of the one before.
    ///
    /// # Errors
    /// When it cannot be written; the one before is kept then.
    pub fn keep(&self, owner: &Owner, record: &Record, wasm: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let blob = blob_name(record.component);
        if self.blob(record.component).is_err() {
            self.write(&blob, &[wasm])?;
        }
        self.put_record(owner, record)?;
        self.collect()
    }

    /// Changes what is known of the component that an object runs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_record(&self, owner: &Owner, record: &Record) -> io::Result<()> {
        let body = serde_json::to_vec(record).map_err(io::Error::other)?;
        let name = owner.file();
        let mac = self.mac(&name, &body).finalize().into_bytes();
        self.write(&name, &[&mac, &body])
    }

    /// Returns what an object runs, with the component; `None` when nothing is kept, or when it does
    /// not verify.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn get(&self, owner: &Owner) -> io::Result<Option<(Record, Vec<u8>)>> {
        let Some(record) = self.record(&owner.file())? else {
            return Ok(None);
        };
        match self.blob(record.component) {
            Ok(wasm) => Ok(Some((record, wasm))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(component = %record.component, "a stored plugin was changed on disk");
                self.dir.remove_file(blob_name(record.component))?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets what an object runs.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn forget(&self, owner: &Owner) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match self.dir.remove_file(owner.file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.collect()
    }

    /// Removes components that no record names, and what an end in the middle of a write left.
    fn collect(&self) -> io::Result<()> {
        let mut wanted = HashSet::new();
        let mut blobs = Vec::new();
        for entry in self.dir.entries()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".json") {
                wanted.extend(
                    self.record(&name)?
                        .map(|record| blob_name(record.component)),
                );
            } else if name.ends_with(".wasm") {
                blobs.push(name);
            }
        }
        for blob in blobs.into_iter().filter(|blob| !wanted.contains(blob)) {
            self.dir.remove_file(blob)?;
        }
        Ok(())
    }

    fn record(&self, name: &str) -> io::Result<Option<Record>> {
        let bytes = match self.dir.open(name) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(RECORD_BYTES + MAC_BYTES as u64)
                    .read_to_end(&mut bytes)?;
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let verified = bytes.split_at_checked(MAC_BYTES).filter(|(mac, body)| {
            let mac_of_body = self.mac(name, body);
            mac_of_body.verify_slice(mac).is_ok()
        });
        let record = verified.and_then(|(_, body)| serde_json::from_slice(body).ok());
        if record.is_none() {
            tracing::warn!(name, "a record of a stored plugin was changed on disk");
            self.dir.remove_file(name)?;
        }
        Ok(record)
    }

    /// Reads a component; [`io::ErrorKind::InvalidData`] when its bytes are others than its name says.
    fn blob(&self, component: Digest) -> io::Result<Vec<u8>> {
        let wasm = self.dir.read(blob_name(component))?;
        if Digest::of(&wasm) != component {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        Ok(wasm)
    }

    fn mac(&self, name: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut block = [0; 64]; // HMAC fills its key up with zeros to a block of the hash
        block[..MAC_BYTES].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(body);
        mac
    }

    fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = temporary(&self.dir, parts)?;
        let moved = self.dir.rename(&temporary, &self.dir, name);
        moved.inspect_err(|_| {
            let _ = self.dir.remove_file(&temporary); // the rename's error is the one to tell
        })
    }
}

/// Whose component is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Whose it is.
    pub scope: Scope,
    /// Name of the object.
    pub name: String,
}

impl Owner {
    fn file(&self) -> String {
        let scope = match &self.scope {
            Scope::Namespace(namespace) => format!("namespace/{namespace}"),
            Scope::Cluster => "cluster".to_owned(),
            Scope::BuiltIn => "built-in".to_owned(),
        };
        let digest = Digest::of(format!("{scope}/{}", self.name));
        format!("{}.json", digest.to_hex())
    }
}

fn blob_name(component: Digest) -> String {
    format!("{}.wasm", component.to_hex())
}

fn make_key(dir: &Dir) -> io::Result<[u8; MAC_BYTES]> {
    let mut key = [0; MAC_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let temporary = temporary(dir, &[&key])?;
    dir.rename(&temporary, dir, KEY_FILE)?;
    Ok(key)
}

fn read_key(dir: &Dir) -> io::Result<[u8; MAC_BYTES]> {
    let mut file = dir.open(KEY_FILE)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "others may read the key of the stored plugins",
        ));
    }
    let mut key = [0; MAC_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

/// Writes a file of a new name that only this user can read; returns the name.
fn temporary(dir: &Dir, parts: &[&[u8]]) -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = format!("tmp-{:016x}", u64::from_le_bytes(random));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = dir.open_with(&name, &options)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn open(folder: &tempfile::TempDir) -> Vault {
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        Vault::open(dir).unwrap()
    }

    fn owner(name: &str) -> Owner {
        Owner {
            scope: Scope::Namespace("apps".into()),
            name: name.into(),
        }
    }

    fn record(wasm: &[u8]) -> Record {
        Record {
            uid: "u1".into(),
            image: "registry.example/x:1".into(),
            digest: Digest::of("manifest"),
            component: Digest::of(wasm),
            policy: Some(Digest::of("policy")),
            signer: Some("me".into()),
        }
    }

    fn files(vault: &Vault) -> Vec<String> {
        let entries = vault.dir.entries().unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_kept_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(open(&folder).get(&owner("a")).unwrap(), None);
        let record = record(b"code");
        open(&folder).keep(&owner("a"), &record, b"code").unwrap();
        let kept = open(&folder).get(&owner("a")).unwrap();
        assert_eq!(kept, Some((record, b"code".to_vec())));
        assert_eq!(open(&folder).get(&owner("b")).unwrap(), None);
    }

    #[test]
    fn a_component_that_was_changed_is_not_there_and_can_be_kept_again() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder);
        let record = record(b"code");
        vault.keep(&owner("a"), &record, b"code").unwrap();
        vault
            .dir
            .write(blob_name(record.component), b"evil")
            .unwrap();
        assert_eq!(vault.get(&owner("a")).unwrap(), None);
        vault.keep(&owner("a"), &record, b"code").unwrap();
        assert!(vault.get(&owner("a")).unwrap().is_some());
    }

    #[test]
    fn a_record_that_was_changed_or_moved_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder);
        vault.keep(&owner("a"), &record(b"code"), b"code").unwrap();
        let (from, to) = (owner("a").file(), owner("b").file());
        vault.dir.copy(&from, &vault.dir, &to).unwrap();
        assert_eq!(vault.get(&owner("b")).unwrap(), None, "of another object");
        let mut bytes = vault.dir.read(&from).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        vault.dir.write(&from, bytes).unwrap();
        assert_eq!(vault.get(&owner("a")).unwrap(), None);
    }

    #[test]
    fn components_that_nobody_runs_go() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder);
        vault.keep(&owner("a"), &record(b"one"), b"one").unwrap();
        vault.keep(&owner("b"), &record(b"one"), b"one").unwrap();
        vault.keep(&owner("a"), &record(b"two"), b"two").unwrap();
        let one = blob_name(Digest::of("one"));
        assert!(files(&vault).contains(&one), "b still runs it");
        vault.forget(&owner("b")).unwrap();
        assert!(!files(&vault).contains(&one));
        vault.forget(&owner("b")).unwrap();
        assert!(vault.get(&owner("a")).unwrap().is_some());
    }

    #[test]
    fn folder_and_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder);
        vault.keep(&owner("a"), &record(b"one"), b"one").unwrap();
        assert_eq!(vault.dir.dir_metadata().unwrap().mode() & 0o777, 0o700);
        for entry in vault.dir.entries().unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
    }
}
