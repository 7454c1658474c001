//! The plugins that are installed for this user: components by digest, and a record that says under
//! which name, from where, signed by whom and with which grants.
//!
//! The record is replaced as a whole, under a lock: two commands at a time do not lose each other's
//! change.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_api::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::output::CliError;

/// Version of the record's form.
const VERSION: u32 = 1;

/// Where installed plugins are.
#[derive(Debug)]
pub(crate) struct Installed {
    folder: PathBuf,
}

/// What is known of one plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// As it was asked for: `ghcr.io/x/y:1`.
    pub(crate) reference: String,
    /// Digest of the manifest in the registry.
    pub(crate) digest: Digest,
    /// Digest of the component.
    pub(crate) component: Digest,
    /// `renderer`, `transformer` or `notifier`.
    pub(crate) kind: String,
    /// Its version.
    pub(crate) version: String,
    /// The world that it was made for.
    pub(crate) world: String,
    /// Who signed it, where that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// What it asks for.
    pub(crate) requests: Value,
    /// What its user grants.
    pub(crate) grants: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    plugins: BTreeMap<String, Entry>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            version: VERSION,
            plugins: BTreeMap::new(),
        }
    }
}

impl Installed {
    /// Opens this user's folder: $BULKHEAD_DATA_DIR, $XDG_DATA_HOME/bulkhead, or
    /// ~/.local/share/bulkhead.
    pub(crate) fn open() -> Result<Self, CliError> {
        let of = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = of("BULKHEAD_DATA_DIR")
            .or_else(|| Some(of("XDG_DATA_HOME")?.join("bulkhead")))
            .or_else(|| Some(of("HOME")?.join(".local/share/bulkhead")));
        match folder {
            Some(folder) => Ok(Self::at(&folder)),
            None => Err(
                CliError::from(anyhow!("no folder for installed plugins is known"))
                    .hint("set HOME or BULKHEAD_DATA_DIR"),
            ),
        }
    }

    /// Opens a folder.
    pub(crate) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.join("plugins"),
        }
    }

    /// Returns all plugins by name.
    pub(crate) fn list(&self) -> anyhow::Result<BTreeMap<String, Entry>> {
        Ok(self.record()?.plugins)
    }

    /// Finds a plugin.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<Option<Entry>> {
        Ok(self.record()?.plugins.remove(name))
    }

    /// Reads a component, and checks that it is the one that was installed.
    pub(crate) fn component(&self, digest: Digest) -> anyhow::Result<Vec<u8>> {
        let path = self.path(digest);
        let bytes =
            std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        if Digest::of(&bytes) != digest {
            return Err(anyhow!(
                "{} was changed since it was installed",
                path.display()
            ));
        }
        Ok(bytes)
    }

    /// Keeps a component under a name; returns what the name stood for before.
    pub(crate) fn put(
        &self,
        name: &str,
        entry: Entry,
        bytes: &[u8],
    ) -> anyhow::Result<Option<Entry>> {
        self.locked(|record| {
            replace(&self.path(entry.component), bytes)?;
            Ok(record.plugins.insert(name.to_owned(), entry))
        })
    }

    /// Forgets a name, and a component that no other name stands for.
    pub(crate) fn remove(&self, name: &str) -> anyhow::Result<Option<Entry>> {
        self.locked(|record| {
            let removed = record.plugins.remove(name);
            if let Some(entry) = &removed {
                let same = |other: &Entry| other.component == entry.component;
                let path = self.path(entry.component);
                if !record.plugins.values().any(same) && path.exists() {
                    std::fs::remove_file(&path)
                        .with_context(|| format!("failed to delete {}", path.display()))?;
                }
            }
            Ok(removed)
        })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string().replace(':', "-");
        self.folder.join("components").join(format!("{name}.wasm"))
    }

    fn record_path(&self) -> PathBuf {
        self.folder.join("installed.json")
    }

    fn record(&self) -> anyhow::Result<Record> {
        let path = self.record_path();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Record::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("failed to read {}", path.display()));
            }
        };
        let record: Record = serde_json::from_str(&text)
            .with_context(|| format!("failed to read {}", path.display()))?;
        if record.version != VERSION {
            let version = record.version;
            return Err(anyhow!(
                "{} was written by another bulkhead (version {version})",
                path.display()
            ));
        }
        Ok(record)
    }

    fn locked<T>(
        &self,
        change: impl FnOnce(&mut Record) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let failed = || format!("failed to open {}", self.folder.display());
        std::fs::create_dir_all(self.folder.join("components")).with_context(failed)?;
        let lock = File::create(self.folder.join("lock")).with_context(failed)?;
        lock.lock().with_context(failed)?;
        let mut record = self.record()?;
        let changed = change(&mut record)?;
        replace(&self.record_path(), &serde_json::to_vec_pretty(&record)?)?;
        Ok(changed)
    }
}

/// Writes a file whole or not at all.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("failed to write {}", path.display());
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&draft, content).with_context(failed)?;
    std::fs::rename(&draft, path).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(component: &[u8]) -> Entry {
        Entry {
            reference: "registry.example/x:1".to_owned(),
            digest: Digest::of("manifest"),
            component: Digest::of(component),
            kind: "renderer".to_owned(),
            version: "0.1.0".to_owned(),
            world: "bulkhead:renderer/renderer@0.1.0".to_owned(),
            signer: None,
            requests: Value::Object(serde_json::Map::new()),
            grants: Value::Object(serde_json::Map::new()),
        }
    }

    #[test]
    fn a_component_stays_until_its_last_name_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let installed = Installed::at(folder.path());
        assert_eq!(installed.list().expect("a list").len(), 0);
        let one = entry(b"one");
        assert_eq!(installed.put("a", one.clone(), b"one").expect("kept"), None);
        installed.put("b", one.clone(), b"one").expect("kept");
        assert_eq!(installed.remove("a").expect("removed"), Some(one.clone()));
        assert_eq!(installed.component(one.component).expect("there"), b"one");
        installed.remove("b").expect("removed");
        assert!(installed.component(one.component).is_err());
        assert_eq!(installed.remove("b").expect("nothing"), None);
    }

    #[test]
    fn a_changed_component_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let installed = Installed::at(folder.path());
        let one = entry(b"one");
        installed.put("a", one.clone(), b"one").expect("kept");
        std::fs::write(installed.path(one.component), b"two").expect("a file");
        let told = installed
            .component(one.component)
            .expect_err("changed")
            .to_string();
        assert!(
            told.contains("was changed since it was installed"),
            "{told}"
        );
    }

    #[test]
    fn commands_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let installed = Installed::at(folder.path());
                std::thread::spawn(move || {
                    installed
                        .put(&format!("p{number}"), entry(b"one"), b"one")
                        .expect("kept")
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(
            Installed::at(folder.path()).list().expect("a list").len(),
            8
        );
    }
}
