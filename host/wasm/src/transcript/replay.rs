//! Runs a plugin with a transcript in place of a tree and a cluster.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_api::{Advice, Digest, Entry as TreeEntry, EntryKind, Retry};
use bulkhead_api::{SourceTree, TreeError, TreePath};

use super::{Answer, Content, Entry, Lookedup, LookupFailure, Outcome, Transcript, Tree};
use crate::error::RenderError;
use crate::host::{HOST_ABI, Lookup, LookupAnswer, LookupError, LookupQuery};
use crate::manifest::FileRules;
use crate::plugin::Plugin;
use crate::request::{RenderRequest, Rendered};

/// What a replay came to.
#[derive(Debug)]
pub struct Replayed {
    /// How it ended here.
    pub result: Result<Rendered, RenderError>,
    /// Whether that is how it ended there, to the byte.
    pub equal: bool,
    /// What differs, for a person; empty when nothing does.
    pub differences: Vec<String>,
}

/// Why a transcript cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It was left out of the transcript, and not given again.
    #[error("{0} was left out of the transcript")]
    Lacking(String),
    /// What was given again is something else.
    #[error("{what} is not what the render was given: its digest is {found}, and was {expected}")]
    Other {
        /// What was given.
        what: String,
        /// Its digest.
        found: Digest,
        /// The digest of what the render was given.
        expected: Digest,
    },
    /// A content is no base64, or no text where it has to be.
    #[error("the content of {0} cannot be read")]
    Content(String),
}

impl ReplayError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new("TranscriptIncomplete", Retry::OnChange);
        match self {
            Self::Lacking(_) => {
                advice.hint("give it again: what is secret, or very large, is not kept")
            }
            Self::Other { .. } => advice.hint("give what the render was given, to the byte"),
            Self::Content(_) => advice.hint("is the transcript as it was written?"),
        }
    }
}

/// Runs `plugin` with what `transcript` says it was given. `again` holds what was left out, by the
/// input's name, the file's path, the object's query, or `""` for the configuration.
///
/// # Errors
/// [`ReplayError`] when something that was left out is lacking; that the render fails, as it did
/// there, is no error.
pub async fn replay(
    plugin: &Plugin,
    transcript: &Transcript,
    again: &HashMap<String, Vec<u8>>,
) -> Result<Replayed, ReplayError> {
    let given = &transcript.request;
    let config = content("the configuration".to_owned(), "", &given.config, again)?;
    let config =
        String::from_utf8(config).map_err(|_| ReplayError::Content("the configuration".into()))?;
    let mut inputs = Vec::with_capacity(given.inputs.len());
    for (name, kept) in &given.inputs {
        let bytes = content(format!("input `{name}`"), name, kept, again)?;
        inputs.push((name.clone(), bytes));
    }
    let pages = Arc::new(Pages {
        tree: transcript.tree.clone(),
        contents: contents(&transcript.tree, again)?,
        lookups: lookups(&transcript.lookups, again)?,
        next: AtomicUsize::new(0),
        strayed: Mutex::default(),
    });
    let request = RenderRequest {
        config,
        inputs,
        target: given.target.clone(),
        attributes: given.attributes.clone(),
        limits: given.limits.clone(),
        files: FileRules::of(&given.files),
        lookup: given.lookup.then(|| pages.clone() as Arc<dyn Lookup>),
        wall_clock: given.wall_clock,
        ..RenderRequest::new(pages.clone(), given.path.clone())
    };
    let same_key = request.key(plugin) == given.key;
    let result = plugin.render(request).await;
    let outcome = Outcome::of(&result, &str::to_owned);
    let mut differences = about(plugin, transcript, same_key);
    differences.append(&mut pages.strayed.lock().unwrap_or_else(PoisonError::into_inner));
    let equal = outcome.equals(&transcript.outcome);
    if !equal {
        differences.push(differing(&transcript.outcome, &outcome));
    }
    Ok(Replayed {
        result,
        equal,
        differences,
    })
}

/// Tells what is not as it was, and may be why the outcome differs.
fn about(plugin: &Plugin, transcript: &Transcript, same_key: bool) -> Vec<String> {
    let mut differences = Vec::new();
    if plugin.digest() != transcript.digest {
        let (now, then) = (plugin.digest(), transcript.digest);
        differences.push(format!(
            "another plugin: its digest is {now}, and was {then}"
        ));
    } else if transcript.host_abi != HOST_ABI {
        let then = &transcript.host_version;
        differences.push(format!("another host: the render was by Bulkhead {then}"));
    } else if !same_key {
        differences.push("the request is not the one of the transcript".to_owned());
    }
    differences
}

fn differing(then: &Outcome, now: &Outcome) -> String {
    let told = |outcome: &Outcome| match outcome {
        Outcome::Rendered { digest, documents } => {
            format!("rendered {documents} documents ({digest})")
        }
        Outcome::Refused { diagnostics, .. } => match diagnostics.first() {
            Some(first) => format!("refused: {}", first.message),
            None => "refused".to_owned(),
        },
        Outcome::Failed {
            reason, message, ..
        } => format!("failed with {reason}: {message}"),
    };
    format!("it {}, and had {}", told(now), told(then))
}

fn content(
    what: String,
    name: &str,
    kept: &Content,
    again: &HashMap<String, Vec<u8>>,
) -> Result<Vec<u8>, ReplayError> {
    let Content::LeftOut(expected) = kept else {
        return kept.bytes().ok_or(ReplayError::Content(what));
    };
    let Some(bytes) = again.get(name) else {
        return Err(ReplayError::Lacking(what));
    };
    let (found, expected) = (Digest::of(bytes), *expected);
    if found != expected {
        return Err(ReplayError::Other {
            what,
            found,
            expected,
        });
    }
    Ok(bytes.clone())
}

fn contents(
    tree: &Tree,
    again: &HashMap<String, Vec<u8>>,
) -> Result<HashMap<String, Vec<u8>>, ReplayError> {
    let mut contents = HashMap::new();
    for (path, answer) in &tree.read {
        if let Answer::Found(kept) = answer {
            let bytes = content(format!("file `{path}`"), path, kept, again)?;
            contents.insert(path.clone(), bytes);
        }
    }
    Ok(contents)
}

fn lookups(
    kept: &[Lookedup],
    again: &HashMap<String, Vec<u8>>,
) -> Result<Vec<Lookedup>, ReplayError> {
    let whole = |lookup: &Lookedup| {
        let mut lookup = lookup.clone();
        if let Ok(Some(kept)) = &mut lookup.answer {
            let what = format!("object `{}`", lookup.query);
            *kept = Content::of(&content(what, &lookup.query, kept, again)?);
        }
        Ok(lookup)
    };
    kept.iter().map(whole).collect()
}

/// A tree and a cluster that know what is in a transcript.
struct Pages {
    tree: Tree,
    contents: HashMap<String, Vec<u8>>,
    lookups: Vec<Lookedup>,
    next: AtomicUsize,
    /// What was asked that the transcript does not answer.
    strayed: Mutex<Vec<String>>,
}

impl Pages {
    fn stray(&self, what: String) -> TreeError {
        let mut strayed = self.strayed.lock().unwrap_or_else(PoisonError::into_inner);
        if strayed.len() < 20 {
            strayed.push(format!(
                "it asked for {what}, which is not in the transcript"
            ));
        }
        TreeError::Store {
            path: TreePath::root(),
            source: format!("{what} is not in the transcript").into(),
        }
    }

    fn answer<T: Clone>(
        &self,
        operation: &str,
        path: &TreePath,
        answer: Option<&Answer<T>>,
    ) -> Result<T, TreeError> {
        let failed = |message: &str| TreeError::Store {
            path: path.clone(),
            source: message.into(),
        };
        match answer {
            None => Err(self.stray(format!("{operation} `{path}`"))),
            Some(Answer::Found(value)) => Ok(value.clone()),
            Some(Answer::NotFound) => Err(TreeError::NotFound(path.clone())),
            Some(Answer::NotAFile) => Err(TreeError::NotAFile(path.clone())),
            Some(Answer::NotADirectory) => Err(TreeError::NotADirectory(path.clone())),
            Some(Answer::TooLarge(size_bytes, limit_bytes)) => Err(TreeError::TooLarge {
                path: path.clone(),
                size_bytes: *size_bytes,
                limit_bytes: *limit_bytes,
            }),
            Some(Answer::Link) => Err(TreeError::Link(path.clone())),
            Some(Answer::Failed(message)) => Err(failed(message)),
        }
    }
}

fn entry(entry: &Entry) -> TreeEntry {
    let kind = match entry.directory {
        true => EntryKind::Directory,
        false => EntryKind::File,
    };
    TreeEntry {
        path: TreePath::parse(&entry.path).unwrap_or_default(),
        kind,
        size_bytes: entry.size_bytes,
        content: entry.content,
    }
}

impl SourceTree for Pages {
    fn stat(&self, path: &TreePath) -> Result<TreeEntry, TreeError> {
        let kept = self.tree.stat.get(path.as_str());
        self.answer("the kind of", path, kept)
            .map(|kept| entry(&kept))
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<TreeEntry>, TreeError> {
        let kept = self.tree.read_dir.get(dir.as_str());
        let entries = self.answer("the directory", dir, kept)?;
        Ok(entries.iter().map(entry).collect())
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        let kept = self.tree.read.get(path.as_str());
        self.answer("the file", path, kept)?;
        let bytes = self.contents.get(path.as_str()).cloned();
        bytes.ok_or_else(|| self.stray(format!("the file `{path}`")))
    }
}

impl Lookup for Pages {
    fn lookup<'a>(&'a self, query: &'a LookupQuery) -> LookupAnswer<'a> {
        let kept = self.lookups.get(self.next.fetch_add(1, Ordering::Relaxed));
        let answer = match kept.filter(|kept| kept.query == query.to_string()) {
            None => {
                let message = self.stray(format!("the object `{query}`")).to_string();
                Err(LookupError::Other(message))
            }
            Some(Lookedup { answer, .. }) => match answer {
                Ok(content) => {
                    let text = |content: &Content| {
                        let bytes = content.bytes().unwrap_or_default();
                        String::from_utf8_lossy(&bytes).into_owned()
                    };
                    Ok(content.as_ref().map(text))
                }
                Err(LookupFailure::Forbidden(text)) => Err(LookupError::Forbidden(text.clone())),
                Err(LookupFailure::Unavailable(text)) => {
                    Err(LookupError::Unavailable(text.clone()))
                }
                Err(LookupFailure::Other(text)) => Err(LookupError::Other(text.clone())),
            },
        };
        Box::pin(std::future::ready(answer))
    }
}
