//! What failed renders were given, asked and answered, kept in the storage folder for
//! `bulkhead plugin replay`: the last few of each object.
//!
//! A guest is deterministic: a render that failed is run once more to write it down, and those that
//! succeed pay nothing. The same failure of the same commit is written once.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_api::{Advice, Digest};
use bulkhead_wasm::{Recording, RenderError, RenderRequest, Transcript};
use cap_std::fs::Dir;

use super::Request;

/// Transcripts that are kept of one object; the oldest go first.
pub const KEPT: usize = 3;

/// Objects of which it is remembered what was written last.
const REMEMBERED: usize = 1000;

/// A failed render, and where it is written down.
#[derive(Debug)]
pub struct Failure {
    /// How it failed.
    pub error: Box<RenderError>,
    /// The file; none where it was not written.
    pub transcript: Option<PathBuf>,
    /// Image of the plugin; none for what is built in.
    pub image: Option<String>,
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        Self {
            error: Box::new(error),
            transcript: None,
            image: None,
        }
    }
}

/// As the error itself says it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl Failure {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = self.error.advice();
        let Some(path) = &self.transcript else {
            return advice;
        };
        let plugin = self.image.as_ref();
        let plugin = plugin.map_or(String::new(), |image| format!(" --plugin {image}"));
        let replay = format!(
            "`bulkhead plugin replay {}{plugin}` repeats it",
            path.display()
        );
        let hint = match &advice.hint {
            Some(hint) => format!("{hint}; {replay}"),
            None => replay,
        };
        advice.hint(hint)
    }
}

/// The folder of transcripts.
#[derive(Clone)]
pub struct Transcripts {
    dir: Arc<Dir>,
    path: PathBuf,
    known: Arc<Mutex<HashMap<String, (Digest, PathBuf)>>>,
}

impl Transcripts {
    /// Keeps them in `dir`, which people know as `path`.
    pub fn new(dir: Dir, path: PathBuf) -> Self {
        Self {
            dir: Arc::new(dir),
            path,
            known: Arc::default(),
        }
    }

    /// Runs a failed render again, writes it down, and says where. Without effect on what failed:
    /// what cannot be written is logged.
    pub(super) async fn write(
        &self,
        request: &Request,
        call: RenderRequest,
        error: RenderError,
    ) -> Failure {
        let transcript = self.recorded(request, call, &error).await;
        Failure {
            error: Box::new(error),
            transcript,
            image: request.renderer.plugin.image.clone(),
        }
    }

    async fn recorded(
        &self,
        request: &Request,
        call: RenderRequest,
        error: &RenderError,
    ) -> Option<PathBuf> {
        // It would take as long again.
        if error.advice().reason == bulkhead_api::reason::own::PLUGIN_TIMED_OUT {
            return None;
        }
        let plugin = &request.renderer.plugin.plugin;
        let folder = folder(request);
        let what = [
            call.key(plugin).to_string(),
            request.source.revision.clone(),
            bulkhead_api::chain(error),
        ];
        let what = Digest::of_parts(what.iter().map(String::as_bytes));
        if let Some((known, path)) = self.lock().get(&folder)
            && *known == what
        {
            return Some(path.clone());
        }
        let recording = Recording {
            secret_inputs: request.secret_inputs.clone(),
            ..Recording::default()
        };
        let (result, transcript) = plugin.render_recorded(call, &recording).await;
        // What is fetched for the default plugins is not fetched here: that may end otherwise.
        match result {
            Err(again) if bulkhead_api::chain(&again) == bulkhead_api::chain(error) => {}
            _ => return None,
        }
        match self.keep(&folder, &transcript) {
            Ok(path) => {
                let mut known = self.lock();
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(folder, (what, path.clone()));
                Some(path)
            }
            Err(error) => {
                tracing::info!(%error, "failed to keep the transcript of a render");
                None
            }
        }
    }

    fn keep(&self, folder: &str, transcript: &Transcript) -> io::Result<PathBuf> {
        let bytes = transcript.write();
        let name = format!("{}.json", Digest::of(&bytes).short());
        self.dir.create_dir_all(folder)?;
        let dir = self.dir.open_dir(folder)?;
        dir.write(&name, bytes)?;
        let mut all = Vec::new();
        for entry in dir.entries()? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file != name {
                all.push((entry.metadata()?.modified()?, file));
            }
        }
        all.sort();
        let excess = (all.len() + 1).saturating_sub(KEPT);
        for (_, file) in all.into_iter().take(excess) {
            dir.remove_file(file)?;
        }
        Ok(self.path.join(folder).join(name))
    }

    /// Removes the transcripts of an object that is gone.
    pub(super) fn forget(&self, kind: &str, namespace: &str, name: &str) {
        let folder = format!("{kind}/{namespace}/{name}");
        self.lock().remove(&folder);
        let _ = self.dir.remove_dir_all(folder); // there may be none
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Digest, PathBuf)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names of Kubernetes have no `/` and are not `..`: they are good names of folders.
fn folder(request: &Request) -> String {
    let Request {
        kind,
        namespace,
        name,
        ..
    } = request;
    format!("{kind}/{namespace}/{name}")
}
