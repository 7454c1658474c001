//! The road from a tree to objects, which the cluster and `bulkhead sync` share.
//!
//! A spec, a tree and variables go in; parsed objects come out, with a digest of what was rendered.
//! Nothing after this knows which renderer it was. A delivery whose read set still holds is not
//! rendered again: the same objects come out, marked as reused.

pub mod config;
pub mod expand;
mod pattern;
pub mod substitute;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_api::kustomize::KustomizationSpec;
use bulkhead_api::{Advice, Digest, PathError, Retry, SourceTree, TreePath, reason};
use bulkhead_apply::Object;
use bulkhead_apply::parse::{self, ParseError, Text};
use bulkhead_wasm::{Diagnostic, Limits, Plugin, ReadSet, RenderError, RenderRequest, Target};

use substitute::{SubstituteError, Substitution};

/// What to deliver.
#[derive(Clone)]
pub struct Request {
    /// Namespace of the Kustomization.
    pub namespace: String,
    /// Name of the Kustomization.
    pub name: String,
    /// Directory to render, as the spec writes it; the root when absent.
    pub path: Option<String>,
    /// What the renderer is told: see [`config`].
    pub config: String,
    /// The source.
    pub tree: Arc<dyn SourceTree>,
    /// Its revision, as text.
    pub revision: String,
    /// Seconds since 1970 at which that revision was made.
    pub revision_time: u64,
    /// Variables to put in.
    pub substitution: Substitution,
}

impl Request {
    /// Makes the request of a Kustomization whose variables were read already.
    pub fn of_kustomization(
        (namespace, name): (&str, &str),
        spec: &KustomizationSpec,
        (tree, revision, revision_time): (Arc<dyn SourceTree>, &str, u64),
        substitution: Substitution,
    ) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            path: spec.path.clone(),
            config: config::of_kustomization(spec),
            tree,
            revision: revision.to_owned(),
            revision_time,
            substitution,
        }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The objects, in the renderer's order.
    pub objects: Arc<Vec<Object>>,
    /// Digest of the rendered text, variables put in: equal digests, equal objects.
    pub digest: Digest,
    /// Remarks of the renderer.
    pub diagnostics: Arc<Vec<Diagnostic>>,
    /// Nothing was rendered: all that the last render read answers as before.
    pub reused: bool,
}

/// Why nothing came out.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The path of the spec leads out of the source.
    #[error("`spec.path` is wrong")]
    Path(#[source] PathError),
    /// The path of the spec is not there.
    #[error("kustomization path not found: `{path}` does not exist in {revision}")]
    PathNotFound {
        /// The path.
        path: TreePath,
        /// The revision.
        revision: String,
    },
    /// The renderer refused, failed, or was stopped.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// What it returned is no set of objects.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Variables could not be put in.
    #[error(transparent)]
    Substitute(#[from] SubstituteError),
}

impl DeliveryError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Path(_) => Advice::new(reason::INVALID_PATH, Retry::OnChange)
                .hint("name a directory inside the source in `spec.path`"),
            Self::PathNotFound { .. } => Advice::new(reason::ARTIFACT_FAILED, Retry::Backoff)
                .hint("correct `spec.path`, or commit the directory"),
            Self::Render(error) => error.advice(),
            Self::Parse(error) => error.advice(),
            Self::Substitute(SubstituteError::Name(_)) => {
                Advice::new(reason::BUILD_FAILED, Retry::OnChange)
                    .hint("rename the key in `spec.postBuild` or in what it reads from")
            }
            Self::Substitute(SubstituteError::Expression { .. }) => {
                Advice::new(reason::BUILD_FAILED, Retry::Backoff).hint(
                    "set the variable in `spec.postBuild`, give it a default (`${name:-value}`), \
                     or write `$${name}` for a literal",
                )
            }
        }
    }
}

/// A renderer with the results that may still hold.
pub struct Renderer {
    plugin: Plugin,
    limits: Limits,
    target: TargetFacts,
    results: Mutex<HashMap<(String, String), Arc<Rendering>>>,
    renders: AtomicU64,
    reuses: AtomicU64,
}

/// What renderers are told about where objects go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// Version of the cluster: `v1.36.0`.
    pub kube_version: String,
    /// Groups, versions and kinds that it serves.
    pub api_versions: Vec<String>,
}

/// One render that happened.
struct Rendering {
    /// Digest of everything but the tree that it depends on.
    key: Digest,
    read_set: ReadSet,
    substitution: Substitution,
    delivered: Delivered,
}

/// How often guests ran, and how often they did not have to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Renders.
    pub renders: u64,
    /// Results that still held.
    pub reuses: u64,
}

impl Renderer {
    /// Makes a renderer without results.
    pub fn new(plugin: Plugin, limits: Limits, target: TargetFacts) -> Self {
        Self {
            plugin,
            limits,
            target,
            results: Mutex::default(),
            renders: AtomicU64::new(0),
            reuses: AtomicU64::new(0),
        }
    }

    /// Returns how often guests ran.
    pub fn counts(&self) -> Counts {
        Counts {
            renders: self.renders.load(Ordering::Relaxed),
            reuses: self.reuses.load(Ordering::Relaxed),
        }
    }

    /// Forgets the result of a delivery that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.results
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
    }

    /// Delivers: reuses the last result where it still holds, renders where not.
    ///
    /// # Errors
    /// See [`DeliveryError`]; nothing is remembered of a failure.
    pub async fn deliver(&self, request: &Request) -> Result<Delivered, DeliveryError> {
        let path = directory(request)?;
        let call = self.call(request, &path);
        let key = call.key(&self.plugin);
        let name = (request.namespace.clone(), request.name.clone());
        let last = self.lock().get(&name).cloned();
        if let Some(last) = last
            && last.key == key
            && last.substitution == request.substitution
            && last
                .read_set
                .still_holds_at(request.tree.as_ref(), request.revision_time)
        {
            self.reuses.fetch_add(1, Ordering::Relaxed);
            return Ok(Delivered {
                reused: true,
                ..last.delivered.clone()
            });
        }
        self.renders.fetch_add(1, Ordering::Relaxed);
        let rendered = self.plugin.render(call).await?;
        let cacheable = rendered.is_cacheable();
        let texts: Vec<Text<'_>> = rendered.documents.iter().map(text_of).collect();
        let (objects, digest) = finish(&texts, &request.substitution)?;
        let delivered = Delivered {
            objects: Arc::new(objects),
            digest,
            diagnostics: Arc::new(rendered.diagnostics),
            reused: false,
        };
        if !cacheable {
            self.lock().remove(&name);
            return Ok(delivered);
        }
        let rendering = Rendering {
            key,
            read_set: rendered.read_set,
            substitution: request.substitution.clone(),
            delivered: delivered.clone(),
        };
        self.lock().insert(name, Arc::new(rendering));
        Ok(delivered)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Arc<Rendering>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision is not among the attributes: a guest that could see it would have to be run
    /// again for every commit.
    fn call(&self, request: &Request, path: &TreePath) -> RenderRequest {
        RenderRequest {
            tree: request.tree.clone(),
            path: path.to_string(),
            config: request.config.clone(),
            inputs: Vec::new(),
            target: Target {
                name: request.name.clone(),
                namespace: request.namespace.clone(),
                kube_version: self.target.kube_version.clone(),
                api_versions: self.target.api_versions.clone(),
            },
            attributes: Vec::new(),
            limits: self.limits.clone(),
            lookup: None,
            wall_clock: request.revision_time,
        }
    }
}

/// Returns the directory that the spec names, if it is there. Flux takes absolute paths as relative
/// to the source.
fn directory(request: &Request) -> Result<TreePath, DeliveryError> {
    let path = request.path.as_deref().unwrap_or_default();
    let path = TreePath::parse(path.trim_start_matches('/')).map_err(DeliveryError::Path)?;
    match request.tree.stat(&path) {
        Ok(_) => Ok(path),
        Err(_) => {
            let revision = request.revision.clone();
            Err(DeliveryError::PathNotFound { path, revision })
        }
    }
}

fn text_of(document: &bulkhead_wasm::Document) -> Text<'_> {
    let origin = document.origin.as_ref();
    Text {
        text: &document.text,
        path: origin.map_or("", |origin| &origin.path),
        line: origin.and_then(|origin| origin.line).unwrap_or(0) as usize,
    }
}

/// Puts variables in, parses, and digests what was parsed.
fn finish(
    texts: &[Text<'_>],
    substitution: &Substitution,
) -> Result<(Vec<Object>, Digest), DeliveryError> {
    let limits = parse::Limits::default();
    let digest_of = |texts: &[Text<'_>]| {
        let parts: Vec<&[u8]> = texts.iter().map(|text| text.text.as_bytes()).collect();
        Digest::of(parts.join(b"---\n".as_slice()))
    };
    if !substitution.is_active() {
        return Ok((
            parse::objects(texts.iter().copied(), &limits)?,
            digest_of(texts),
        ));
    }
    substitute::check(&substitution.variables)?;
    let mut changed = Vec::with_capacity(texts.len());
    for text in texts {
        for single in documents(text.text) {
            let single = Text {
                text: single,
                ..*text
            };
            let objects = parse::objects([single], &limits)?;
            let replaced = match objects.as_slice() {
                [object] => substitute::substitute(single.text, object, substitution)?,
                // A List: its objects are one document.
                [object, ..] => substitute::substitute(single.text, object, substitution)?,
                [] => None,
            };
            changed.push((replaced.unwrap_or_else(|| single.text.to_owned()), text));
        }
    }
    let texts: Vec<Text<'_>> = changed
        .iter()
        .map(|(text, place)| Text { text, ..**place })
        .collect();
    Ok((
        parse::objects(texts.iter().copied(), &limits)?,
        digest_of(&texts),
    ))
}

/// Splits a text at the lines that separate documents.
fn documents(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_marker = line.trim_end() == "---" || line.starts_with("--- ");
        if is_marker && at > start {
            documents.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    documents.push(&text[start..]);
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_its_documents() {
        assert_eq!(documents("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
        assert_eq!(documents("---\na: |\n  --- x\n"), ["---\na: |\n  --- x\n"]);
    }
}
