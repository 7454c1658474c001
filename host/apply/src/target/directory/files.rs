//! Files of a directory: stable, safe names, atomic writes, inventories.

use std::io::{self, ErrorKind, Read, Write};

use bulkhead_api::ObjectId;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::scope;
use crate::inventory::Inventory;
use crate::metadata::{Owner, Scope};

/// The folder of inventories and of files that are being written.
const OWN_DIR: &str = ".bulkhead";
/// The longest part of a path before it is shortened: file systems take 255 bytes.
const MAX_PART_BYTES: usize = 200;
/// The largest file that is read: ten times what an object may have.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The inventory of a delivery, as it is in its file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    id: String,
    v: String,
}

/// A directory.
#[derive(Debug)]
pub(super) struct Files {
    dir: Dir,
}

impl Files {
    pub(super) fn new(dir: Dir) -> Self {
        Self { dir }
    }

    /// Reads a text; `None` where there is no file. What is no UTF-8 reads as something broken.
    pub(super) fn read(&self, path: &str) -> io::Result<Option<String>> {
        let file = match self.dir.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Writes a file beside its place and renames it: whoever reads sees the old or the new one.
    pub(super) fn write(&self, path: &str, bytes: &[u8], is_private: bool) -> io::Result<()> {
        self.dir.create_dir_all(OWN_DIR)?;
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.dir.create_dir_all(parent)?;
        }
        let temporary = format!("{OWN_DIR}/writing-{}", short_hash(path));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options.mode(if is_private { 0o600 } else { 0o644 });
        // One that a crash left may have other rights.
        match self.dir.remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.dir.open_with(&temporary, &options)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        self.dir.rename(&temporary, &self.dir, path)
    }

    /// Removes a file, and the folders that it leaves empty.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        match self.dir.remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut path = path;
        while let Some((parent, _)) = path.rsplit_once('/') {
            // Fails, as it should, when something is left in it.
            if self.dir.remove_dir(parent).is_err() {
                break;
            }
            path = parent;
        }
        Ok(())
    }

    pub(super) fn inventory(&self, owner: &Owner) -> io::Result<Inventory> {
        let Some(text) = self.read(&inventory_path(owner))? else {
            return Ok(Inventory::new());
        };
        let broken = |error: String| io::Error::new(ErrorKind::InvalidData, error);
        let stored: Stored =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        let entries = stored
            .entries
            .iter()
            .map(|entry| (entry.id.as_str(), entry.v.as_str()));
        Inventory::from_entries(entries).map_err(|error| broken(error.to_string()))
    }

    pub(super) fn write_inventory(&self, owner: &Owner, inventory: &Inventory) -> io::Result<()> {
        let entries = inventory
            .to_entries()
            .into_iter()
            .map(|(id, v)| Entry { id, v });
        let stored = Stored {
            entries: entries.collect(),
        };
        let mut text = serde_json::to_string_pretty(&stored).map_err(io::Error::other)?;
        text.push('\n');
        self.write(&inventory_path(owner), text.as_bytes(), false)
    }
}

/// Returns where the inventory of a delivery is.
pub(super) fn inventory_path(owner: &Owner) -> String {
    let kind = owner.group.split('.').next().unwrap_or_default();
    format!(
        "{OWN_DIR}/{}/{}/{}.json",
        part(kind),
        part(&owner.namespace),
        part(&owner.name)
    )
}

/// Returns where an object is: `dev/deployment.apps/web.yaml`.
pub(super) fn path(id: &ObjectId) -> String {
    let ObjectId {
        namespace,
        name,
        group,
        kind,
    } = id;
    let folder = match namespace.as_str() {
        "" if scope::of(id) == Scope::Namespaced => "_no-namespace".to_owned(),
        "" => "_cluster".to_owned(),
        namespace => part(namespace),
    };
    let kind = kind.to_ascii_lowercase();
    let kind = if group.is_empty() {
        kind
    } else {
        format!("{kind}.{group}")
    };
    format!("{folder}/{}/{}.yaml", part(&kind), part(name))
}

/// Makes a part of a path that is safe everywhere; plain names stay as they are.
fn part(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        let is_inner = matches!(byte, b'.' | b'_') && index > 0;
        if byte.is_ascii_alphanumeric() || byte == b'-' || is_inner {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    if safe.len() > MAX_PART_BYTES {
        let hash = short_hash(text);
        safe.truncate(MAX_PART_BYTES - hash.len() - 1);
        safe.push('~');
        safe.push_str(&hash);
    }
    safe
}

fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_readable_and_safe() {
        let cases = [
            ("dev_web_apps_Deployment", "dev/deployment.apps/web.yaml"),
            ("dev_web__Service", "dev/service/web.yaml"),
            ("_dev__Namespace", "_cluster/namespace/dev.yaml"),
            ("_web__Service", "_no-namespace/service/web.yaml"),
            (
                "_system__node_rbac.authorization.k8s.io_ClusterRole",
                "_cluster/clusterrole.rbac.authorization.k8s.io/system%3Anode.yaml",
            ),
        ];
        for (id, expected) in cases {
            assert_eq!(path(&id.parse().expect(id)), expected);
        }
        let odd = ObjectId::new("..", ".hidden/../x\u{e4}", "", "A");
        assert_eq!(path(&odd), "%2E./a/%2Ehidden%2F..%2Fx%C3%A4.yaml");
        let long = |end: &str| part(&format!("{}{end}", "a".repeat(MAX_PART_BYTES)));
        assert_eq!(long("").len(), MAX_PART_BYTES);
        assert_eq!(long("b").len(), MAX_PART_BYTES);
        assert_ne!(long("b"), long("c"));
    }
}
