//! The objects of one repository on disk: a bare object store that only this crate writes.
//!
//! An [`Objects`] is one generation of a repository's folder. Trees hold it; when it is condemned
//! (too large, or damaged) its folder goes away with its last holder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use gix::ObjectId;
use gix::objs::{Find as _, FindHeader as _, Kind};

use crate::FetchError;

/// One generation of a repository's objects.
pub(crate) struct Objects {
    path: PathBuf,
    store: Arc<gix::odb::Store>,
    flags: Arc<Flags>,
    /// Readers at rest: each knows where the packs are, which costs more than a small read.
    readers: Mutex<Vec<Reader>>,
}

#[derive(Default)]
struct Flags {
    is_damaged: AtomicBool,
    is_condemned: AtomicBool,
}

impl Objects {
    /// Opens the generation in `path`, made if it does not exist.
    pub(crate) fn open(path: PathBuf, object_bytes: u64) -> Result<Self, FetchError> {
        let objects = path.join("objects");
        std::fs::create_dir_all(objects.join("pack"))
            .map_err(|error| FetchError::store("create", &objects, error))?;
        let options = gix::odb::store::init::Options {
            slots: gix::odb::store::init::Slots::Given(MOST_PACKS as u16 * 4),
            use_multi_pack_index: false,
            alloc_limit_bytes: usize::try_from(object_bytes).ok(),
            ..Default::default()
        };
        let store = gix::odb::Store::at_opts(
            objects.clone(),
            gix::hash::Kind::Sha1,
            &mut std::iter::empty(),
            options,
        )
        .map_err(|error| FetchError::store("read", &objects, error))?;
        Ok(Self {
            path,
            store: Arc::new(store),
            flags: Arc::default(),
            readers: Mutex::default(),
        })
    }

    /// Returns the folder of this generation.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder that packs go to.
    pub(crate) fn pack_folder(&self) -> PathBuf {
        self.path.join("objects").join("pack")
    }

    /// Returns a view to read objects with; cheap.
    pub(crate) fn reader(&self) -> Reader {
        Reader {
            handle: self.store.to_handle_arc(),
            path: self.path.clone(),
            flags: self.flags.clone(),
        }
    }

    /// Reads a blob; any number of threads may.
    pub(crate) fn blob(&self, id: ObjectId) -> Result<Vec<u8>, FetchError> {
        const MOST_AT_REST: usize = 16;
        let rest = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = rest().pop();
        let reader = reader.unwrap_or_else(|| self.reader());
        let result = reader.blob(id);
        let mut readers = rest();
        if readers.len() < MOST_AT_REST {
            readers.push(reader);
        }
        result
    }

    /// Tells whether an object was missing or did not have its hash.
    pub(crate) fn is_damaged(&self) -> bool {
        self.flags.is_damaged.load(Ordering::Relaxed)
    }

    /// Lets the folder go away with the last holder.
    pub(crate) fn condemn(&self) {
        self.flags.is_condemned.store(true, Ordering::Relaxed);
    }

    /// Adds up what the packs and loose objects take on disk; counts the packs.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        add_up(&self.path.join("objects"), &mut usage);
        usage
    }
}

/// Packs of one generation before it is started anew: each fetch adds one.
pub(crate) const MOST_PACKS: usize = 50;

/// What a generation takes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: u64,
    pub(crate) packs: usize,
}

fn add_up(folder: &Path, usage: &mut Usage) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() {
            add_up(&entry.path(), usage);
        } else {
            usage.bytes += metadata.len();
            usage.packs += usize::from(
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "pack"),
            );
        }
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        if !self.flags.is_condemned.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = remove_folder(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "failed to remove old objects");
        }
    }
}

pub(crate) fn remove_folder(path: &Path) -> std::io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    match Dir::open_ambient_dir(parent, ambient_authority())?.remove_dir_all(name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Reads objects, each checked against its hash; for one thread.
pub(crate) struct Reader {
    handle: gix::odb::store::Handle<Arc<gix::odb::Store>>,
    path: PathBuf,
    flags: Arc<Flags>,
}

impl Reader {
    pub(crate) fn commit(&self, id: ObjectId) -> Result<Commit, FetchError> {
        let data = self.read(id, Kind::Commit)?;
        let wrong = || self.damaged(id, "is not a commit that Git would accept");
        let commit = gix::objs::CommitRef::from_bytes(&data, id.kind()).map_err(|_| wrong())?;
        let seconds = commit.committer().map_err(|_| wrong())?.seconds();
        let message = short(&String::from_utf8_lossy(commit.message));
        Ok(Commit {
            tree: commit.tree(),
            seconds,
            message,
        })
    }

    pub(crate) fn tree(&self, id: ObjectId) -> Result<Vec<u8>, FetchError> {
        self.read(id, Kind::Tree)
    }

    pub(crate) fn blob(&self, id: ObjectId) -> Result<Vec<u8>, FetchError> {
        self.read(id, Kind::Blob)
    }

    /// Returns the size of a blob without reading it.
    pub(crate) fn size(&self, id: ObjectId) -> Result<u64, FetchError> {
        match self.handle.try_header(&id) {
            Ok(Some(header)) if header.kind == Kind::Blob => Ok(header.size),
            Ok(Some(_)) => Err(self.damaged(id, "is not a blob")),
            Ok(None) => Err(self.damaged(id, "is missing")),
            Err(error) => Err(self.damaged(id, error)),
        }
    }

    /// Returns the kind of an object, `None` if it is not there.
    pub(crate) fn kind(&self, id: ObjectId) -> Option<Kind> {
        self.handle
            .try_header(&id)
            .ok()
            .flatten()
            .map(|header| header.kind)
    }

    /// Returns the store, to find the bases of a thin pack.
    pub(crate) fn handle(&self) -> &gix::odb::store::Handle<Arc<gix::odb::Store>> {
        &self.handle
    }

    /// Notes that the store is damaged, and says so.
    pub(crate) fn damaged(&self, id: ObjectId, problem: impl ToString) -> FetchError {
        self.flags.is_damaged.store(true, Ordering::Relaxed);
        FetchError::store("read", self.path.join(id.to_string()), problem.to_string())
    }

    fn read(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, FetchError> {
        let mut buffer = Vec::new();
        match self.handle.try_find(&id, &mut buffer) {
            Ok(Some(data)) if data.kind != kind => {
                return Err(self.damaged(id, format!("is not a {kind}")));
            }
            Ok(Some(data)) => {
                data.verify_checksum(&id)
                    .map_err(|error| self.damaged(id, error))?;
            }
            Ok(None) => return Err(self.damaged(id, "is missing")),
            Err(error) => return Err(self.damaged(id, error)),
        }
        Ok(buffer)
    }
}

/// What is needed of a commit.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) tree: ObjectId,
    /// When it was committed, since 1970.
    pub(crate) seconds: i64,
    /// Start of its first line.
    pub(crate) message: String,
}

fn short(message: &str) -> String {
    const LONGEST: usize = 50;
    let line = message.lines().next().unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

pub(crate) fn remove_file(path: &Path) -> std::io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    Dir::open_ambient_dir(parent, ambient_authority())?.remove_file(name)
}
