//! The compiled cache: native code on disk, in a folder that only this user can write to.
//!
//! Loading an entry runs it, so an entry is authenticated before: HMAC-SHA256 over its name and
//! body with a key that is made in the folder at first use. An entry that does not verify is
//! removed and compiled again. Code compiled elsewhere is never taken.

use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};

use bulkhead_api::Digest;
use cap_std::fs::{Dir, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmtime::Engine;

/// Entries that are kept; the oldest go first.
const ENTRIES: usize = 64;

const MAC_BYTES: usize = 32;
const KEY_FILE: &str = "key";

/// A folder of compiled components.
pub(crate) struct Cache {
    dir: Dir,
    key: [u8; MAC_BYTES],
    engine: String,
}

impl Cache {
    /// Opens the cache in `dir`; makes the key at first use.
    ///
    /// # Errors
    /// When the folder belongs to, or can be written by, another user.
    pub(crate) fn open(dir: Dir, engine: &Engine) -> io::Result<Self> {
        private(&dir)?;
        let key = key(&dir)?;
        Ok(Self {
            dir,
            key,
            engine: fingerprint(engine),
        })
    }

    /// Returns the same folder for another engine, whose code has other names.
    pub(crate) fn of_engine(&self, engine: &Engine) -> io::Result<Self> {
        Ok(Self {
            dir: self.dir.try_clone()?,
            key: self.key,
            engine: fingerprint(engine),
        })
    }

    /// Returns the compiled form of a component, verified.
    pub(crate) fn get(&self, component: Digest) -> Option<Vec<u8>> {
        let name = self.name(component);
        let mut entry = match self.dir.read(&name) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%name, %error, "failed to read a compiled plugin; compiling again");
                return None;
            }
        };
        if self.verifies(&name, &entry) {
            entry.drain(..MAC_BYTES);
            return Some(entry);
        }
        tracing::warn!(%name, "a compiled plugin was changed on disk; compiling again");
        self.forget(component);
        None
    }

    /// Keeps the compiled form of a component. A cache that cannot be written to costs time, no
    /// more: the failure is logged.
    pub(crate) fn put(&self, component: Digest, artifact: &[u8]) {
        let name = self.name(component);
        let kept = self.write(&name, artifact).and_then(|()| self.prune(&name));
        if let Err(error) = kept {
            tracing::warn!(%name, %error, "failed to keep a compiled plugin");
        }
    }

    /// Removes an entry.
    pub(crate) fn forget(&self, component: Digest) {
        let _ = self.dir.remove_file(self.name(component)); // it may be gone
    }

    fn name(&self, component: Digest) -> String {
        format!("{}-{}.cwasm", self.engine, component.to_hex())
    }

    fn mac(&self, name: &str, artifact: &[u8]) -> Hmac<Sha256> {
        let mut block = [0; 64]; // HMAC fills its key up with zeros to a block of the hash
        block[..MAC_BYTES].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(artifact);
        mac
    }

    fn verifies(&self, name: &str, entry: &[u8]) -> bool {
        let Some((mac, artifact)) = entry.split_at_checked(MAC_BYTES) else {
            return false;
        };
        self.mac(name, artifact).verify_slice(mac).is_ok()
    }

    fn write(&self, name: &str, artifact: &[u8]) -> io::Result<()> {
        let mac = self.mac(name, artifact).finalize().into_bytes();
        let temporary = temporary(&self.dir, &[&mac, artifact])?;
        self.dir
            .rename(&temporary, &self.dir, name)
            .inspect_err(|_| {
                let _ = self.dir.remove_file(&temporary); // the rename's error is the one to tell
            })
    }

    /// Removes the oldest entries beyond [`ENTRIES`], never `name`.
    fn prune(&self, name: &str) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file != name && file != KEY_FILE {
                entries.push((entry.metadata()?.modified()?, file));
            }
        }
        entries.sort();
        let excess = (entries.len() + 1).saturating_sub(ENTRIES);
        for (_, file) in entries.into_iter().take(excess) {
            self.dir.remove_file(file)?;
        }
        Ok(())
    }
}

/// Names an engine: equal names, compatible code.
fn fingerprint(engine: &Engine) -> String {
    struct Collect(Vec<u8>);
    impl Hasher for Collect {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let mut bytes = Collect(Vec::new());
    // Without a compiler wasmtime leaves out what only the compiler is told.
    crate::engine::COMPILER_SETTINGS.hash(&mut bytes);
    std::env::consts::ARCH.hash(&mut bytes);
    engine.precompile_compatibility_hash().hash(&mut bytes);
    Digest::of(bytes.0).short()
}

/// Makes sure that the folder is this user's alone.
fn private(dir: &Dir) -> io::Result<()> {
    let found = dir.dir_metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("the folder belongs to another user"));
    }
    if found.mode() & 0o077 != 0 {
        use cap_std::fs::{Permissions, PermissionsExt as _};
        dir.set_permissions(".", Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Reads the key, or makes it. Of several processes that make it at once, one wins.
fn key(dir: &Dir) -> io::Result<[u8; MAC_BYTES]> {
    for _ in 0..2 {
        match read_key(dir) {
            Ok(key) => return Ok(key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0; MAC_BYTES];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let temporary = temporary(dir, &[&key])?;
        let linked = dir.hard_link(&temporary, dir, KEY_FILE);
        dir.remove_file(&temporary)?;
        match linked {
            Ok(()) => return Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    read_key(dir)
}

fn read_key(dir: &Dir) -> io::Result<[u8; MAC_BYTES]> {
    let mut file = dir.open(KEY_FILE)?;
    let found = file.metadata()?;
    // Who could write to the folder before it was private may have left a key.
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(
            "the key of the compiled cache belongs to another user",
        ));
    }
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "others may read the key of the compiled cache",
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

    fn cache(folder: &tempfile::TempDir) -> Cache {
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        Cache::open(dir, &crate::engine::engine(false).unwrap()).unwrap()
    }

    #[test]
    fn entries_come_back_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of("component");
        assert_eq!(cache(&folder).get(digest), None);
        cache(&folder).put(digest, b"code");
        assert_eq!(cache(&folder).get(digest).unwrap(), b"code");
    }

    #[test]
    fn a_changed_entry_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        let digest = Digest::of("component");
        cache.put(digest, b"code");
        let mut entry = cache.dir.read(cache.name(digest)).unwrap();
        *entry.last_mut().unwrap() ^= 1;
        cache.dir.write(cache.name(digest), entry).unwrap();
        assert_eq!(cache.get(digest), None);
        assert!(!cache.dir.exists(cache.name(digest)));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        let digest = Digest::of("component");
        cache.put(digest, b"code");
        let entry = cache.dir.read(cache.name(digest)).unwrap();
        for bit in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            cache.dir.write(cache.name(digest), flipped).unwrap();
            assert_eq!(cache.get(digest), None, "{bit}");
        }
        cache.dir.write(cache.name(digest), entry).unwrap();
        assert_eq!(cache.get(digest).unwrap(), b"code");
    }

    #[test]
    fn an_entry_of_another_engine_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of("component");
        cache(&folder).put(digest, b"code");
        let dir = cache(&folder).dir;
        let metered = Cache::open(dir, &crate::engine::engine(true).unwrap()).unwrap();
        assert_eq!(metered.get(digest), None);
    }

    /// Needs to give files away, which only root may.
    #[test]
    fn what_belongs_to_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let reopened = || {
            let dir = cap_std::ambient_authority();
            let dir = Dir::open_ambient_dir(folder.path(), dir).unwrap();
            Cache::open(dir, &crate::engine::engine(false).unwrap()).err()
        };
        assert!(reopened().is_none());
        let give = |path: &std::path::Path, user| std::os::unix::fs::chown(path, Some(user), None);
        give(&folder.path().join(KEY_FILE), 65534).unwrap();
        assert!(
            reopened()
                .unwrap()
                .to_string()
                .contains("the key of the compiled cache belongs")
        );
        give(&folder.path().join(KEY_FILE), 0).unwrap();
        give(folder.path(), 65534).unwrap();
        assert!(
            reopened()
                .unwrap()
                .to_string()
                .contains("the folder belongs")
        );
    }

    #[test]
    fn an_entry_under_another_name_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        let (one, other) = (Digest::of("one"), Digest::of("other"));
        cache.put(one, b"code");
        cache
            .dir
            .rename(cache.name(one), &cache.dir, cache.name(other))
            .unwrap();
        assert_eq!(cache.get(other), None);
    }

    #[test]
    fn a_short_entry_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        let digest = Digest::of("component");
        cache.dir.write(cache.name(digest), b"short").unwrap();
        assert_eq!(cache.get(digest), None);
    }

    #[test]
    fn folder_and_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        cache.put(Digest::of("component"), b"code");
        assert_eq!(cache.dir.dir_metadata().unwrap().mode() & 0o777, 0o700);
        for entry in cache.dir.entries().unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use cap_std::fs::{Permissions, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let dir = cache(&folder).dir;
        dir.set_permissions(KEY_FILE, Permissions::from_mode(0o644))
            .unwrap();
        assert!(Cache::open(dir, &crate::engine::engine(false).unwrap()).is_err());
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        for number in 0..=ENTRIES {
            cache.put(Digest::of(number.to_le_bytes()), b"code");
        }
        assert_eq!(cache.dir.entries().unwrap().count(), ENTRIES + 1); // and the key
        assert_eq!(
            cache.get(Digest::of(ENTRIES.to_le_bytes())).unwrap(),
            b"code"
        );
    }
}
