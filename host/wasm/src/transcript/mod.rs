//! A transcript: all that one render was given, asked and answered, in one file.
//!
//! [`Plugin::render_recorded`](crate::Plugin::render_recorded) writes it down, [`replay`] runs a
//! plugin with it in place of a tree and tells whether the outcome is the same to the byte. What is
//! secret is left out: its digest stands for it, and known values are masked in what the plugin
//! wrote. A transcript is read from outside: it is bounded, and every field is checked.

mod content;
mod record;
mod replay;

use std::collections::BTreeMap;

use bulkhead_api::{Advice, Digest, Retry};
use serde::{Deserialize, Serialize};

pub use content::Content;
pub use replay::{ReplayError, Replayed, replay};

use crate::error::RenderError;
use crate::limits::Limits;
use crate::names::PluginId;
use crate::read_set::ReadSet;
use crate::request::{Diagnostic, Rendered, Target};

/// Version of the format.
const FORMAT: u32 = 1;

/// Longest transcript that is read.
pub const TRANSCRIPT_BYTES: usize = 64 << 20;

/// How a call is written down.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Names of inputs that are secret: their content is left out.
    pub secret_inputs: Vec<String>,
    /// Values that are secret wherever they come from: masked in what the plugin wrote.
    pub secrets: Vec<Vec<u8>>,
    /// Whether the configuration is secret, and left out.
    pub secret_config: bool,
    /// Sum of the contents that are kept; beyond, their digests alone are.
    pub content_bytes: u64,
}

impl Default for Recording {
    /// Nothing is secret; 8 MiB of contents.
    fn default() -> Self {
        Self {
            secret_inputs: Vec::new(),
            secrets: Vec::new(),
            secret_config: false,
            content_bytes: 8 << 20,
        }
    }
}

/// One render, written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transcript {
    format: u32,
    /// Version of the host that ran it.
    pub host_version: String,
    /// Version of what the host offered to the plugin.
    pub host_abi: u32,
    /// The plugin.
    pub plugin: PluginId,
    /// The digest of its component.
    pub digest: Digest,
    /// What it was given.
    pub request: Given,
    /// What the tree answered, by what was asked.
    pub tree: Tree,
    /// What the cluster answered, in the order of the questions.
    pub lookups: Vec<Lookedup>,
    /// What it depends on, as the render recorded it; empty after a failure.
    pub read_set: ReadSet,
    /// What the plugin wrote, bounded by the limits of its log.
    pub log: Vec<Line>,
    /// How it ended.
    pub outcome: Outcome,
}

/// The request, without what is secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Given {
    /// The directory, or file, to start from.
    pub path: String,
    /// The configuration.
    pub config: Content,
    /// Files that are not in the source, by name.
    pub inputs: Vec<(String, Content)>,
    /// Where the objects were going.
    pub target: Target,
    /// Further facts.
    pub attributes: Vec<(String, String)>,
    /// What the call could take.
    pub limits: Limits,
    /// Patterns of the files that it could read: of its manifest and of its grants.
    pub files: Vec<Vec<String>>,
    /// Whether it could ask the cluster.
    pub lookup: bool,
    /// Time of the source's revision, seconds since 1970.
    pub wall_clock: u64,
    /// The request's key, of which the plugin's randomness is made.
    pub key: Digest,
}

/// Answers of a tree, by path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tree {
    /// Answers to `stat`.
    pub stat: BTreeMap<String, Answer<Entry>>,
    /// Answers to `read-dir`.
    pub read_dir: BTreeMap<String, Answer<Vec<Entry>>>,
    /// Answers to `read`.
    pub read: BTreeMap<String, Answer<Content>>,
}

/// An answer of a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer<T> {
    /// It is there.
    Found(T),
    /// Nothing is there.
    NotFound,
    /// It is a directory.
    NotAFile,
    /// It is a file.
    NotADirectory,
    /// It is a symbolic link that leads nowhere.
    Link,
    /// It is larger than the source keeps: its size, and the limit.
    TooLarge(u64, u64),
    /// The store failed.
    Failed(String),
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Path from the root of the tree.
    pub path: String,
    /// Whether it is a directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directory: bool,
    /// Size in bytes.
    #[serde(default)]
    pub size_bytes: u64,
    /// The tree's own digest of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
}

/// A question to the cluster, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lookedup {
    /// `apiVersion|kind|namespace|name`.
    pub query: String,
    /// The object as JSON, `None` where there was none; else why there is no answer.
    pub answer: Result<Option<Content>, LookupFailure>,
}

/// Why a question had no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupFailure {
    /// The tenant's identity may not read it.
    Forbidden(String),
    /// The API server could not be reached or failed.
    Unavailable(String),
    /// Anything else.
    Other(String),
}

/// A line that the plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The line, cleaned, known secrets masked.
    pub text: String,
}

/// How a render ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// It has output.
    Rendered {
        /// Digest of the documents, diagnostics and attributes.
        digest: Digest,
        /// How many documents there are.
        documents: u64,
    },
    /// The plugin refused its input.
    Refused {
        /// Digest of the diagnostics before secrets were masked.
        digest: Digest,
        /// What is wrong, known secrets masked.
        diagnostics: Vec<Diagnostic>,
    },
    /// It failed, or was stopped.
    Failed {
        /// The reason: `PluginTrapped`.
        reason: String,
        /// Digest of the message before secrets were masked; `None` where the message may differ
        /// from run to run, as that of a deadline.
        digest: Option<Digest>,
        /// The message, known secrets masked.
        message: String,
    },
}

/// Why a transcript cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// It is longer than transcripts are.
    #[error("the transcript has {bytes} bytes, at most {TRANSCRIPT_BYTES} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is none.
    #[error("the transcript is not valid: {0}")]
    Invalid(String),
    /// It was written by another version.
    #[error("the transcript has format {0}, this program reads format {FORMAT}")]
    Format(u64),
}

impl TranscriptError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new("TranscriptInvalid", Retry::OnChange);
        match self {
            Self::TooLarge { .. } | Self::Invalid(_) => {
                advice.hint("is it the whole file, as a failed render left it?")
            }
            Self::Format(_) => advice.hint("replay it with the version that wrote it"),
        }
    }
}

impl Transcript {
    /// Writes it down as JSON.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`write`](Self::write) wrote, here or elsewhere.
    ///
    /// # Errors
    /// See [`TranscriptError`].
    pub fn read(bytes: &[u8]) -> Result<Self, TranscriptError> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        if bytes.len() > TRANSCRIPT_BYTES {
            return Err(TranscriptError::TooLarge { bytes: bytes.len() });
        }
        let invalid = |error: serde_json::Error| {
            TranscriptError::Invalid(crate::host::log::clean(&error.to_string()))
        };
        let version: Version = serde_json::from_slice(bytes).map_err(invalid)?;
        if version.format != u64::from(FORMAT) {
            return Err(TranscriptError::Format(version.format));
        }
        serde_json::from_slice(bytes).map_err(invalid)
    }

    /// Returns what was left out, for a person: ``input `values.yaml` ``. A transcript that left
    /// out something can be replayed when that is given again.
    pub fn left_out(&self) -> Vec<String> {
        let inputs = self.request.inputs.iter();
        let mut names: Vec<String> = inputs
            .filter(|(_, content)| content.is_left_out())
            .map(|(name, _)| format!("input `{name}`"))
            .collect();
        if self.request.config.is_left_out() {
            names.insert(0, "the configuration".to_owned());
        }
        names.extend(
            self.tree
                .read
                .iter()
                .filter_map(|(path, answer)| match answer {
                    Answer::Found(content) if content.is_left_out() => {
                        Some(format!("file `{path}`"))
                    }
                    _ => None,
                }),
        );
        names.extend(
            self.lookups
                .iter()
                .filter_map(|lookup| match &lookup.answer {
                    Ok(Some(content)) if content.is_left_out() => {
                        Some(format!("object `{}`", lookup.query))
                    }
                    _ => None,
                }),
        );
        names
    }
}

impl Rendered {
    /// Digests what was rendered: documents with their origins, remarks and further facts. Equal
    /// digests, equal output.
    pub fn output_digest(&self) -> Digest {
        let parts = serde_json::json!([self.documents, self.diagnostics, self.attributes]);
        Digest::of(parts.to_string())
    }
}

impl Outcome {
    /// Writes down how a render ended; `mask` takes secrets out of a text.
    fn of(result: &Result<Rendered, RenderError>, mask: &dyn Fn(&str) -> String) -> Self {
        match result {
            Ok(rendered) => Self::Rendered {
                digest: rendered.output_digest(),
                documents: rendered.documents.len() as u64,
            },
            Err(RenderError::Refused(refusal)) => Self::Refused {
                digest: Digest::of(serde_json::json!(refusal.diagnostics).to_string()),
                diagnostics: masked(&refusal.diagnostics, mask),
            },
            Err(error) => {
                let message = bulkhead_api::chain(error);
                let reason = error.advice().reason;
                let varies = matches!(
                    reason,
                    "PluginTimedOut" | "PluginHostFailed" | "ArtifactFailed"
                );
                Self::Failed {
                    reason: reason.to_owned(),
                    digest: (!varies).then(|| Digest::of(&message)),
                    message: mask(&message),
                }
            }
        }
    }

    /// Tells whether another run ended alike, to the byte where that can be told.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rendered { digest: a, .. }, Self::Rendered { digest: b, .. })
            | (Self::Refused { digest: a, .. }, Self::Refused { digest: b, .. }) => a == b,
            (
                Self::Failed {
                    reason: a,
                    digest: one,
                    ..
                },
                Self::Failed {
                    reason: b,
                    digest: other,
                    ..
                },
            ) => a == b && one == other,
            _ => false,
        }
    }
}

fn masked(diagnostics: &[Diagnostic], mask: &dyn Fn(&str) -> String) -> Vec<Diagnostic> {
    let mut diagnostics = diagnostics.to_vec();
    for diagnostic in &mut diagnostics {
        diagnostic.message = mask(&diagnostic.message);
        diagnostic.help = diagnostic.help.as_deref().map(mask);
    }
    diagnostics
}
