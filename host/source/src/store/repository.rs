//! One repository of the store: which generation of objects it has, and which commits are complete.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use gix::ObjectId;
use serde::{Deserialize, Serialize};

use super::Objects;
use super::objects::{MOST_PACKS, remove_folder};
use crate::{FetchError, Limits};

/// Commits that are kept to build on: the last two.
const KEPT_COMMITS: usize = 2;
const STATE_FILE: &str = "state.json";

/// A repository's folder, used by one fetch at a time.
pub(crate) struct Repository {
    path: PathBuf,
    dir: Dir,
    state: State,
    objects: Option<Arc<Objects>>,
}

/// What `state.json` holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Number in the name of the current generation's folder.
    generation: u64,
    /// Commits that are complete in it, newest first.
    commits: Vec<String>,
    /// Bytes on disk after its first commit.
    #[serde(default)]
    first_bytes: u64,
}

impl Repository {
    /// Opens the folder `path`; what an earlier process left behind is removed.
    pub(crate) fn open(path: PathBuf) -> Result<Self, FetchError> {
        std::fs::create_dir_all(&path)
            .map_err(|error| FetchError::store("create", &path, error))?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority())
            .map_err(|error| FetchError::store("read", &path, error))?;
        // A state that cannot be read is as none: the repository is fetched anew.
        let state: State = dir
            .read(STATE_FILE)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let repository = Self {
            path,
            dir,
            state,
            objects: None,
        };
        repository.remove_leftovers();
        Ok(repository)
    }

    /// Returns the current generation.
    pub(crate) fn objects(&mut self, limits: &Limits) -> Result<Arc<Objects>, FetchError> {
        if let Some(objects) = &self.objects {
            return Ok(objects.clone());
        }
        let folder = self.path.join(folder_of(self.state.generation));
        if !folder.is_dir() {
            self.state.commits.clear();
        }
        let objects = Arc::new(Objects::open(folder, limits.object_bytes)?);
        self.objects = Some(objects.clone());
        Ok(objects)
    }

    /// Tells whether a tree is held that reads from here.
    pub(crate) fn is_held(&self) -> bool {
        self.objects
            .as_ref()
            .is_some_and(|objects| Arc::strong_count(objects) > 1)
    }

    /// Tells whether `commit` was fetched completely into the current generation.
    pub(crate) fn has(&self, commit: ObjectId) -> bool {
        let is_damaged = self
            .objects
            .as_ref()
            .is_some_and(|objects| objects.is_damaged());
        !is_damaged && self.state.commits.contains(&commit.to_string())
    }

    /// Returns the commits that a fetch can build on.
    pub(crate) fn commits(&self) -> Vec<ObjectId> {
        self.state
            .commits
            .iter()
            .filter_map(|text| ObjectId::from_hex(text.as_bytes()).ok())
            .collect()
    }

    /// Notes that `commit` is complete, and forgets all but the newest.
    pub(crate) fn record(&mut self, commit: ObjectId) -> Result<(), FetchError> {
        let text = commit.to_string();
        self.state.commits.retain(|other| *other != text);
        self.state.commits.insert(0, text);
        self.state.commits.truncate(KEPT_COMMITS);
        if self.state.commits.len() == 1 {
            self.state.first_bytes = self
                .objects
                .as_ref()
                .map_or(0, |objects| objects.usage().bytes);
        }
        self.write_shallow()?;
        self.write_state()
    }

    /// Starts a new generation; the old one goes away when no tree needs it.
    pub(crate) fn renew(&mut self) -> Result<(), FetchError> {
        if let Some(objects) = self.objects.take() {
            objects.condemn();
        }
        self.state.generation += 1;
        self.state.commits.clear();
        let folder = self.path.join(folder_of(self.state.generation));
        remove_folder(&folder).map_err(|error| FetchError::store("remove", &folder, error))?;
        self.write_state()
    }

    /// Starts a new generation if the current one is damaged or has grown too large; called before
    /// something is added.
    pub(crate) fn renew_if_needed(&mut self, limits: &Limits) -> Result<(), FetchError> {
        let objects = self.objects(limits)?;
        let usage = objects.usage();
        // A repository that is large by itself may double.
        let allowed = limits
            .store_bytes
            .max(self.state.first_bytes.saturating_mul(2));
        let is_large = usage.bytes > allowed;
        if objects.is_damaged() || is_large || usage.packs >= MOST_PACKS {
            self.renew()?;
        }
        Ok(())
    }

    /// Returns the file that names the commits whose parents are not here.
    pub(crate) fn shallow_file(&self) -> PathBuf {
        self.path
            .join(folder_of(self.state.generation))
            .join("shallow")
    }

    /// Forgets the boundary of commits that are not built on any more.
    fn write_shallow(&self) -> Result<(), FetchError> {
        let name = Path::new(&folder_of(self.state.generation)).join("shallow");
        let Ok(text) = self.dir.read_to_string(&name) else {
            return Ok(());
        };
        let kept: String = text
            .lines()
            .filter(|line| self.state.commits.iter().any(|commit| commit == line))
            .map(|line| format!("{line}\n"))
            .collect();
        let result = if kept.is_empty() {
            self.dir.remove_file(&name)
        } else {
            self.dir.write(&name, kept)
        };
        result.map_err(|error| FetchError::store("write", self.path.join(name), error))
    }

    fn write_state(&self) -> Result<(), FetchError> {
        let problem =
            |error: std::io::Error| FetchError::store("write", self.path.join(STATE_FILE), error);
        let text = serde_json::to_vec(&self.state).map_err(|error| problem(error.into()))?;
        let draft = "state.json.new";
        self.dir.write(draft, text).map_err(problem)?;
        self.dir
            .rename(draft, &self.dir, STATE_FILE)
            .map_err(problem)
    }

    fn remove_leftovers(&self) {
        let current = folder_of(self.state.generation);
        let Ok(entries) = self.dir.entries() else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name != STATE_FILE && name != current.as_str() {
                let _ = remove_folder(&self.path.join(&name));
            }
        }
    }
}

fn folder_of(generation: u64) -> String {
    format!("generation-{generation}")
}
