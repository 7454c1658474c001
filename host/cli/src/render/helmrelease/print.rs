//! What is printed of a rendered release: its CRDs by their policy, the manifest that Helm stores,
//! and the hooks that the controller would run.

use std::collections::BTreeMap;

use bulkhead_api::helmrelease::{CrdsPolicy, HelmRelease};
use bulkhead_apply::release::{Event, Hook, Source, Strategy, set_metadata};
use bulkhead_apply::yaml;
use bulkhead_controllers::helmrelease::ContentError;
use serde_json::json;

use crate::args::HelmReleaseArguments;
use crate::release::{Failure, Rendered};

/// A printed document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    release: String,
    path: String,
    part: &'static str,
    text: String,
}

/// Returns what there is to print of a release, in the order in which it is applied, hooks last.
pub(super) fn documents(
    object: &HelmRelease,
    rendered: Rendered,
    arguments: &HelmReleaseArguments,
) -> Result<Vec<Document>, Failure> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let release = format!("{}/{name}", object.own_namespace());
    let one = |part, path: &str, text: &str| Document {
        release: release.clone(),
        path: path.to_owned(),
        part,
        text: text.to_owned(),
    };
    let Rendered {
        content,
        is_upgrade,
        ..
    } = rendered;
    let spec = &object.spec;
    let (policy, no_hooks) = match is_upgrade {
        true => (spec.upgrade().crds(), spec.upgrade().disable_hooks),
        false => (spec.install().crds(), spec.install().disable_hooks),
    };
    let mut all = Vec::new();
    if policy != CrdsPolicy::Skip && !arguments.skip_crds {
        let crds = content.crds.iter();
        let crds = crds.map(|crd| Source::new(crd.path.as_str(), crd.text.as_str()));
        let labelled = set_metadata(
            crds.collect(),
            Strategy::Combined,
            &content.crd_labels,
            &BTreeMap::new(),
        );
        let crds = labelled.map_err(ContentError::from)?;
        all.extend(crds.iter().map(|crd| one("crd", &crd.path, &crd.text)));
    }
    let manifests = manifests(&content.manifest);
    all.extend(manifests.map(|(path, text)| one("manifest", path, text)));
    if !no_hooks && !arguments.no_hooks {
        let runs = |hook: &&Hook| spec.test().enable || !is_test(hook);
        let hooks = content.hooks.iter().filter(runs);
        all.extend(hooks.map(|hook| one("hook", &hook.path, &hook.manifest)));
    }
    Ok(all)
}

/// Tells whether a hook is for tests alone.
fn is_test(hook: &Hook) -> bool {
    hook.is_for(Event::TEST) && hook.events.len() == 1
}

/// Takes the manifest apart as it was put together: a template and a document each.
fn manifests(manifest: &str) -> impl Iterator<Item = (&str, &str)> {
    const MARK: &str = "---\n# Source: ";
    let inner = manifest.strip_prefix(MARK).unwrap_or_default();
    let parts = inner.split("\n---\n# Source: ");
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('\n').unwrap_or((part, "")))
}

/// Writes a stream, as `helm template` does.
pub(super) fn text(documents: &[Document]) -> String {
    let mut text = String::new();
    for document in documents {
        text.push_str("---\n# Source: ");
        text.push_str(&document.path);
        text.push('\n');
        text.push_str(&document.text);
        if !document.text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// Writes one JSON object a line, with the release and the template that it comes from.
pub(super) fn json(documents: &[Document]) -> anyhow::Result<String> {
    let mut text = String::new();
    for document in documents {
        for read in yaml::read(&document.text)? {
            let line = json!({
                "release": document.release,
                "part": document.part,
                "path": document.path,
                "object": read.value,
            });
            text.push_str(&format!("{line}\n"));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_taken_apart_and_put_together_again() {
        let manifest =
            "---\n# Source: c/a.yaml\na: 1\n---\n# Source: c/b.yaml\nb: |\n  # Source: x\n";
        let parts: Vec<_> = manifests(manifest).collect();
        assert_eq!(
            parts,
            [("c/a.yaml", "a: 1"), ("c/b.yaml", "b: |\n  # Source: x\n")]
        );
        assert_eq!(manifests("").count(), 0);
        let documents: Vec<Document> = parts
            .iter()
            .map(|(path, text)| Document {
                release: "ns/a".to_owned(),
                path: (*path).to_owned(),
                part: "manifest",
                text: (*text).to_owned(),
            })
            .collect();
        assert_eq!(text(&documents), manifest);
    }
}
