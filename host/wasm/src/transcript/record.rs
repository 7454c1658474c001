//! Writes down what a render asks of its tree and its cluster, and what they answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_api::{Entry as TreeEntry, EntryKind, SourceTree, TreeError, TreePath};

use super::{
    Answer, Content, Entry, FORMAT, Given, Line, Lookedup, LookupFailure, Outcome, Recording,
    Transcript, Tree,
};
use crate::conceal::SECRET_INPUT;
use crate::error::RenderError;
use crate::host::{HOST_ABI, Lookup, LookupAnswer, LookupError, LookupQuery, log};
use crate::plugin::Plugin;
use crate::request::{RenderRequest, Rendered};

/// Shortest secret that is masked: shorter ones are part of ordinary words.
const SECRET_BYTES: usize = 4;

impl Plugin {
    /// Renders as [`render`](Self::render) does, and writes down what was asked and answered.
    ///
    /// Costs a copy of every file that is read.
    pub async fn render_recorded(
        &self,
        request: RenderRequest,
        recording: &Recording,
    ) -> (Result<Rendered, RenderError>, Transcript) {
        let pages = Arc::new(Pages {
            tree: request.tree.clone(),
            lookup: request.lookup.clone(),
            written: Mutex::new(Written {
                left: recording.content_bytes,
                ..Written::default()
            }),
        });
        let given = given(self, &request, recording);
        let secrets = secrets(&request, recording);
        let watched = RenderRequest {
            tree: pages.clone(),
            lookup: request
                .lookup
                .is_some()
                .then(|| pages.clone() as Arc<dyn Lookup>),
            ..request
        };
        let result = self.render_logged(watched, Some(pages.clone())).await;
        let mask = |text: &str| mask(text, &secrets);
        let written = std::mem::take(&mut *pages.lock());
        let line = |line: Line| Line {
            text: mask(&line.text),
            ..line
        };
        let transcript = Transcript {
            format: FORMAT,
            host_version: crate::inspect::HOST_VERSION.to_owned(),
            host_abi: HOST_ABI,
            plugin: self.id().clone(),
            digest: self.digest(),
            request: given,
            tree: written.tree,
            lookups: written.lookups,
            read_set: result
                .as_ref()
                .map(|r| r.read_set.clone())
                .unwrap_or_default(),
            log: written.log.into_iter().map(line).collect(),
            outcome: Outcome::of(&result, &mask),
        };
        (result, transcript)
    }
}

fn given(plugin: &Plugin, request: &RenderRequest, recording: &Recording) -> Given {
    let input = |(name, bytes): &(String, Vec<u8>)| {
        let content = match is_secret(request, recording, name) {
            true => Content::left_out(bytes),
            false => Content::of(bytes),
        };
        (name.clone(), content)
    };
    let config = match recording.secret_config {
        true => Content::left_out(request.config.as_bytes()),
        false => Content::of(request.config.as_bytes()),
    };
    Given {
        path: request.path.clone(),
        config,
        inputs: request.inputs.iter().map(input).collect(),
        target: request.target.clone(),
        attributes: request.attributes.clone(),
        limits: request.limits.clone(),
        files: request.files.patterns(),
        lookup: request.lookup.is_some(),
        wall_clock: request.wall_clock,
        key: request.key(plugin),
    }
}

/// Tells whether an input is secret: by the recording, or by the request itself.
fn is_secret(request: &RenderRequest, recording: &Recording, name: &String) -> bool {
    let named = |(key, value): &(String, String)| key == SECRET_INPUT && value == name;
    recording.secret_inputs.contains(name) || request.attributes.iter().any(named)
}

/// Collects what must not be told: values that are named secret, and each word of secret inputs
/// that is long enough to be one.
fn secrets(request: &RenderRequest, recording: &Recording) -> Vec<String> {
    let secret = |(name, _): &&(String, Vec<u8>)| is_secret(request, recording, name);
    let inputs = request.inputs.iter().filter(secret);
    let mut contents: Vec<&[u8]> = inputs.map(|(_, bytes)| bytes.as_slice()).collect();
    if recording.secret_config {
        contents.push(request.config.as_bytes());
    }
    let mut secrets: Vec<String> = Vec::new();
    for content in contents {
        let text = String::from_utf8_lossy(content);
        let edges =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '{' | '}' | '[' | ']');
        secrets.extend(text.split(edges).map(str::to_owned));
        secrets.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    let values = recording.secrets.iter();
    secrets.extend(values.map(|value| String::from_utf8_lossy(value).into_owned()));
    secrets.retain(|secret| secret.len() >= SECRET_BYTES && !secret.ends_with(':'));
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

/// Takes secrets out of a text, the longest first.
fn mask(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), "***");
        }
    }
    text
}

/// A tree and a cluster whose answers are written down, each question once.
struct Pages {
    tree: Arc<dyn SourceTree>,
    lookup: Option<Arc<dyn Lookup>>,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    tree: Tree,
    lookups: Vec<Lookedup>,
    log: Vec<Line>,
    /// Bytes of contents that may still be kept.
    left: u64,
}

impl Written {
    fn content(&mut self, bytes: &[u8]) -> Content {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                Content::of(bytes)
            }
            None => Content::left_out(bytes),
        }
    }
}

impl Pages {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(entry: &TreeEntry) -> Entry {
    Entry {
        path: entry.path.as_str().to_owned(),
        directory: entry.kind == EntryKind::Directory,
        size_bytes: entry.size_bytes,
        content: entry.content,
    }
}

fn answer<T, U>(result: &Result<T, TreeError>, found: impl FnOnce(&T) -> U) -> Answer<U> {
    match result {
        Ok(value) => Answer::Found(found(value)),
        Err(TreeError::NotFound(_)) => Answer::NotFound,
        Err(TreeError::NotAFile(_)) => Answer::NotAFile,
        Err(TreeError::NotADirectory(_)) => Answer::NotADirectory,
        Err(TreeError::TooLarge {
            size_bytes,
            limit_bytes,
            ..
        }) => Answer::TooLarge(*size_bytes, *limit_bytes),
        Err(TreeError::Link(_)) => Answer::Link,
        Err(error @ TreeError::Store { .. }) => Answer::Failed(error.to_string()),
    }
}

impl log::Lines for Pages {
    /// The tree's answers stay: a call that begins again gets the same.
    fn begin(&self) {
        let mut written = self.lock();
        written.lookups.clear();
        written.log.clear();
    }

    fn line(&self, level: &'static str, line: &str) {
        self.lock().log.push(Line {
            level: level.to_owned(),
            text: line.to_owned(),
        });
    }
}

impl SourceTree for Pages {
    fn stat(&self, path: &TreePath) -> Result<TreeEntry, TreeError> {
        let result = self.tree.stat(path);
        let answer = answer(&result, entry);
        self.lock()
            .tree
            .stat
            .insert(path.as_str().to_owned(), answer);
        result
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<TreeEntry>, TreeError> {
        let result = self.tree.read_dir(dir);
        let answer = answer(&result, |entries| entries.iter().map(entry).collect());
        self.lock()
            .tree
            .read_dir
            .insert(dir.as_str().to_owned(), answer);
        result
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        let result = self.tree.read(path);
        let mut written = self.lock();
        if !written.tree.read.contains_key(path.as_str()) {
            let answer = answer(&result, |bytes| written.content(bytes));
            written.tree.read.insert(path.as_str().to_owned(), answer);
        }
        result
    }
}

impl Lookup for Pages {
    fn lookup<'a>(&'a self, query: &'a LookupQuery) -> LookupAnswer<'a> {
        Box::pin(async move {
            let Some(lookup) = &self.lookup else {
                return Ok(None);
            };
            let result = lookup.lookup(query).await;
            let mut written = self.lock();
            let answer = match &result {
                // The cluster's secrets are nobody's to carry around.
                Ok(Some(text)) if query.kind.starts_with("Secret") => {
                    Ok(Some(Content::left_out(text.as_bytes())))
                }
                Ok(object) => Ok(object.as_ref().map(|text| written.content(text.as_bytes()))),
                Err(LookupError::Forbidden(text)) => Err(LookupFailure::Forbidden(text.clone())),
                Err(LookupError::Unavailable(text)) => {
                    Err(LookupFailure::Unavailable(text.clone()))
                }
                Err(LookupError::Other(text)) => Err(LookupFailure::Other(text.clone())),
            };
            written.lookups.push(Lookedup {
                query: query.to_string(),
                answer,
            });
            result
        }) as Pin<Box<dyn Future<Output = _> + Send + 'a>>
    }
}
