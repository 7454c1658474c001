//! What a call is given and what it returns, in the words of `wit/`.

use std::sync::Arc;

use bulkhead_api::{Digest, SourceTree};
use serde::{Deserialize, Serialize};

pub use crate::bindings::notifier::exports::bulkhead::notifier::notify::{
    Event, Header, Hmac, Outcome, Part, Request, Response, Signing, Step,
};
pub use crate::bindings::renderer::bulkhead::base::types::{
    Diagnostic, Location, ObjectRef, Severity,
};
pub use crate::bindings::renderer::bulkhead::renderer::types::{Document, Target};
use crate::host::{HOST_ABI, Lookup};
use crate::limits::{Limits, Usage};
use crate::manifest::FileRules;
use crate::plugin::Plugin;
use crate::read_set::ReadSet;

/// What to render.
#[derive(Clone)]
pub struct RenderRequest {
    /// The files.
    pub tree: Arc<dyn SourceTree>,
    /// The directory, or file, to start from.
    pub path: String,
    /// The configuration that the user gave, as one JSON object.
    pub config: String,
    /// Files that are not in the source, by name.
    pub inputs: Vec<(String, Vec<u8>)>,
    /// Where the objects are going.
    pub target: Target,
    /// Further facts. All are part of [`key`](Self::key): what changes with every revision, as
    /// `source.revision` does, belongs here only for a plugin that asks for it.
    pub attributes: Vec<(String, String)>,
    /// What the call may take.
    pub limits: Limits,
    /// Which files of the tree the plugin may read: [`Effective::files`](crate::Effective::files).
    pub files: FileRules,
    /// Answers questions about the cluster; `None` unless the user granted it.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Time of the source's revision, seconds since 1970. Part of the read set when it is read.
    pub wall_clock: u64,
}

impl RenderRequest {
    /// Asks to render `path` of `tree`, with defaults for the rest.
    pub fn new(tree: Arc<dyn SourceTree>, path: impl Into<String>) -> Self {
        Self {
            tree,
            path: path.into(),
            config: "{}".to_owned(),
            inputs: Vec::new(),
            target: no_target(),
            attributes: Vec::new(),
            limits: Limits::renderer(),
            files: FileRules::default(),
            lookup: None,
            wall_clock: 0,
        }
    }

    /// Digests all that a render by `plugin` depends on beside its read set: with equal keys and a
    /// read set that still holds, the output is equal.
    pub fn key(&self, plugin: &Plugin) -> Digest {
        let mut key = Key::new("render", plugin, &self.limits);
        key.text(&self.path)
            .text(&self.config)
            .target(&self.target)
            .pairs(&self.attributes);
        key.number(self.inputs.len() as u64);
        for (name, content) in &self.inputs {
            key.text(name).bytes(content);
        }
        key.number(u64::from(self.lookup.is_some()));
        key.text(&self.files.text());
        key.digest()
    }
}

/// What to change.
#[derive(Clone, Debug)]
pub struct TransformRequest {
    /// One document an object.
    pub documents: Vec<Document>,
    /// The configuration that the user gave, as one JSON object.
    pub config: String,
    /// Where the objects are going.
    pub target: Target,
    /// Further facts; see [`RenderRequest::attributes`].
    pub attributes: Vec<(String, String)>,
    /// What the call may take.
    pub limits: Limits,
    /// Time of the source's revision, seconds since 1970.
    pub wall_clock: u64,
}

impl TransformRequest {
    /// Asks to change `documents`, with defaults for the rest.
    pub fn new(documents: Vec<Document>) -> Self {
        Self {
            documents,
            config: "{}".to_owned(),
            target: no_target(),
            attributes: Vec::new(),
            limits: Limits::renderer(),
            wall_clock: 0,
        }
    }

    /// Digests all that the output depends on, but the wall clock.
    pub fn key(&self, plugin: &Plugin) -> Digest {
        let mut key = Key::new("transform", plugin, &self.limits);
        key.text(&self.config)
            .target(&self.target)
            .pairs(&self.attributes);
        key.number(self.documents.len() as u64);
        for document in &self.documents {
            key.text(&document.text);
            if let Some(Location { path, line, column }) = &document.origin {
                key.text(path).text(&format!("{line:?} {column:?}"));
            }
        }
        key.digest()
    }
}

fn no_target() -> Target {
    Target {
        name: String::new(),
        namespace: String::new(),
        kube_version: String::new(),
        api_versions: Vec::new(),
    }
}

/// What a renderer or transformer returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// YAML or JSON texts, each of one or several objects; not parsed here.
    pub documents: Vec<Document>,
    /// Remarks for the user.
    pub diagnostics: Vec<Diagnostic>,
    /// Further facts.
    pub attributes: Vec<(String, String)>,
    /// What the output depends on beside the request.
    pub read_set: ReadSet,
    /// What the call took.
    pub usage: Usage,
    /// Whether an answer depended on a cluster that failed: not to be kept.
    pub transient: bool,
}

impl Rendered {
    /// Tells whether the output may be used again while [`ReadSet::still_holds`]. Output that
    /// depends on look-ups is repeated when the cluster may have changed.
    pub fn is_cacheable(&self) -> bool {
        !self.transient && !self.read_set.has_lookups()
    }
}

/// Events to deliver.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// One event, or several that belong together.
    pub events: Vec<Event>,
    /// The Provider's settings without its secrets, as one JSON object.
    pub config: String,
    /// What the last `done` kept.
    pub state: Vec<u8>,
    /// What the call may take.
    pub limits: Limits,
    /// What the guest's wall clock shows, seconds since 1970.
    pub wall_clock: u64,
}

impl StartRequest {
    pub(crate) fn key(&self, plugin: &Plugin) -> Digest {
        let mut key = Key::new("start", plugin, &self.limits);
        key.text(&self.config).bytes(&self.state);
        for event in &self.events {
            key.text(&event.id);
        }
        key.digest()
    }
}

/// Responses to the requests of the last step.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    /// One a request, in the order in which they were sent.
    pub responses: Vec<Response>,
    /// The same as in `start`.
    pub config: String,
    /// What the last step kept.
    pub state: Vec<u8>,
    /// What the call may take.
    pub limits: Limits,
    /// What the guest's wall clock shows, seconds since 1970.
    pub wall_clock: u64,
}

impl ResumeRequest {
    pub(crate) fn key(&self, plugin: &Plugin) -> Digest {
        let mut key = Key::new("resume", plugin, &self.limits);
        key.text(&self.config).bytes(&self.state);
        for response in &self.responses {
            key.number(u64::from(response.id))
                .number(u64::from(response.status));
            key.bytes(&response.body);
        }
        key.digest()
    }
}

/// Collects the parts of a cache key.
struct Key {
    parts: Vec<Vec<u8>>,
}

impl Key {
    fn new(call: &str, plugin: &Plugin, limits: &Limits) -> Self {
        let mut key = Self { parts: Vec::new() };
        key.text(call)
            .number(u64::from(HOST_ABI))
            .bytes(plugin.digest().as_bytes());
        // What is cut, and how long it may take, changes no output.
        let Limits {
            deadline: _,
            log_bytes: _,
            stdio_bytes: _,
            fuel,
            ..
        } = limits;
        let numbers = [
            limits.memory_bytes,
            limits.output_bytes,
            limits.documents,
            limits.document_bytes,
            limits.file_bytes,
            limits.read_bytes,
            limits.accesses,
            limits.entries,
            limits.tree_handles,
            limits.lookups,
            limits.lookup_bytes,
            limits.instances,
            limits.memories,
            limits.tables,
            limits.table_elements,
            fuel.unwrap_or(u64::MAX),
        ];
        for number in numbers {
            key.number(number);
        }
        key
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.parts.push(bytes.to_vec());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn pairs(&mut self, pairs: &[(String, String)]) -> &mut Self {
        self.number(pairs.len() as u64);
        for (name, value) in pairs {
            self.text(name).text(value);
        }
        self
    }

    fn target(&mut self, target: &Target) -> &mut Self {
        let Target {
            name,
            namespace,
            kube_version,
            api_versions,
        } = target;
        self.text(name)
            .text(namespace)
            .text(kube_version)
            .number(api_versions.len() as u64);
        for version in api_versions {
            self.text(version);
        }
        self
    }

    fn digest(&self) -> Digest {
        Digest::of_parts(self.parts.iter().map(Vec::as_slice))
    }
}
