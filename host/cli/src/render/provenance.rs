//! What was rendered from what, as an in-toto statement (v1) that others can sign and check. The
//! same render gives the same bytes, on any machine.

use std::path::Path;

use anyhow::Context as _;
use bulkhead_api::{Digest, SourceTree};
use bulkhead_controllers::delivery::provenance::{self, Parameters, Step};
use bulkhead_wasm::{Manifest, Operation, Plugin, ReadSet, RenderRequest, Rendered};
use serde_json::{Value, json};

/// Type of the statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// Type of the predicate: what it has is written in docs/plugin-authors.md.
const PREDICATE: &str = "https://bulkhead.dev/provenance/render/v1";

/// What a call is made of, kept while the call goes on.
pub(crate) struct Facts {
    tree: std::sync::Arc<dyn SourceTree>,
    path: String,
    config: String,
    inputs: Vec<(String, Vec<u8>)>,
    target: bulkhead_wasm::Target,
}

impl Facts {
    /// Takes from a request what a statement about its result needs.
    pub(crate) fn of(request: &RenderRequest) -> Self {
        Self {
            tree: request.tree.clone(),
            path: request.path.clone(),
            config: request.config.clone(),
            inputs: request.inputs.clone(),
            target: request.target.clone(),
        }
    }

    /// Makes the statement about what a call returned, as one line of JSON. `subject` names the
    /// output, whose digest is that of its documents with `---` between them.
    pub(crate) fn statement(
        &self,
        subject: &str,
        plugin: &Plugin,
        manifest: Option<&Manifest>,
        rendered: &Rendered,
    ) -> Value {
        let step = Step {
            name: plugin.name(),
            component: plugin.digest(),
            config: &self.config,
        };
        let parameters = Parameters {
            path: &self.path,
            inputs: &self.inputs,
            target: &self.target,
            host: None,
        };
        let read_set = provenance::digest_read_set(&rendered.read_set, self.tree.as_ref());
        let output = provenance::output(rendered.documents.iter().map(|d| d.text.as_str()));
        let render = provenance::render(&[step], &parameters, read_set, output);
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|(name, content)| json!({"name": name, "digest": sha256(Digest::of(content))}))
            .collect();
        json!({
            "_type": STATEMENT,
            "subject": [{"name": subject, "digest": sha256(output)}],
            "predicateType": PREDICATE,
            "predicate": {
                "plugin": {
                    "name": plugin.name(),
                    "version": plugin.version(),
                    "world": manifest.map(|manifest| &manifest.world),
                    "digest": sha256(plugin.digest()),
                },
                "path": self.path,
                "config": serde_json::from_str(&self.config).unwrap_or(Value::Null),
                "inputs": inputs,
                "target": {
                    "name": self.target.name,
                    "namespace": self.target.namespace,
                    "kubeVersion": self.target.kube_version,
                    "apiVersions": self.target.api_versions,
                },
                "readSet": {"digest": sha256(read_set), "accesses": accesses(&rendered.read_set)},
                "parameters": render.parameters,
                "render": render.digest,
            },
        })
    }
}

/// Writes a statement to a file.
pub(crate) fn write(path: &Path, statement: &Value) -> anyhow::Result<()> {
    std::fs::write(path, format!("{statement}\n"))
        .with_context(|| format!("failed to write {}", path.display()))
}

fn sha256(digest: Digest) -> Value {
    json!({"sha256": digest.to_string().trim_start_matches("sha256:")})
}

/// Lists what was asked; the answers are in the read set's digest.
fn accesses(read_set: &ReadSet) -> Vec<Value> {
    let access = |access: &bulkhead_wasm::Access| {
        let operation = match access.operation {
            Operation::Read => "read",
            Operation::ReadDir => "read-dir",
            Operation::Glob => "glob",
            Operation::Stat => "stat",
            Operation::WallClock => "wall-clock",
            Operation::Lookup => "lookup",
        };
        json!({"operation": operation, "path": access.path})
    };
    read_set.accesses().iter().map(access).collect()
}
