//! Rendered documents to what a release stores: one text of manifests in the order of installation,
//! and hooks.
//!
//! In: documents, each with the template that it comes from, as the Helm guest returns them or a
//! post-renderer leaves them. Out: the text that `helm get manifest` prints, and [`Hook`]s.
//!
//! # Source
//! `SortManifests` and `InstallOrder` of Helm 4.3, `pkg/release/v1/util`.

use bulkhead_api::{Advice, Retry};
use serde_json::Value;

use super::kinds;
use super::model::Hook;
use crate::yaml::{self, YamlError};

/// A rendered text with one or more documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The template: `chart/templates/job.yaml`.
    pub path: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// Names a text's template.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }
}

/// Why rendered texts are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Broken YAML.
    #[error("YAML parse error on {path}")]
    Yaml {
        /// The template.
        path: String,
        /// Where in the document, and why.
        #[source]
        source: YamlError,
    },
    /// A field of the wrong type.
    #[error("a manifest of {path} has a `{field}` that is no {wanted}")]
    Type {
        /// The template.
        path: String,
        /// The field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Two objects are the same.
    #[error(
        "error while running post render on {group}: may not add resource with an already registered id: {id}"
    )]
    Twice {
        /// `files`, `hooks` or `manifests`.
        group: &'static str,
        /// Kind, version, group, name and namespace.
        id: String,
    },
}

impl ManifestError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        Advice::new("InstallFailed", Retry::OnChange)
            .hint("`bulkhead render helm` shows what the chart renders to")
    }
}

/// Manifests and hooks, in the order of installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// The text of all manifests: `release.manifest`.
    pub manifest: String,
    /// The hooks.
    pub hooks: Vec<Hook>,
    /// Templates with a hook of an unknown event: it was skipped, as Helm does.
    pub skipped: Vec<String>,
}

/// Names of the annotations that make a hook.
const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETE: &str = "helm.sh/hook-delete-policy";
const OUTPUT: &str = "helm.sh/hook-output-log-policy";

const EVENTS: [&str; 9] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// Splits texts into documents, tells hooks from the rest, and sorts both.
///
/// Texts of partials (`_helpers.tpl`) and empty ones are left out. The order of `sources` with one
/// path is kept; paths are sorted.
///
/// # Errors
/// The first document that is no YAML, or whose kind, name or annotations have the wrong type.
pub fn sort(sources: &[Source]) -> Result<Sorted, ManifestError> {
    let mut sources: Vec<&Source> = sources.iter().collect();
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let mut sorted = Sorted::default();
    let mut manifests = Vec::new();
    for Source { path, text } in sources {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with('_') || text.trim().is_empty() {
            continue;
        }
        for document in split(text) {
            let head = Head::read(path, document)?;
            match head.hook(path, document) {
                Some(Ok(hook)) => sorted.hooks.push(hook),
                Some(Err(())) => sorted.skipped.push(path.clone()),
                None => manifests.push((head.kind, path, document)),
            }
        }
    }
    manifests.sort_by(|one, other| kinds::install_order(&one.0, &other.0));
    sorted
        .hooks
        .sort_by(|one, other| kinds::install_order(&one.kind, &other.kind));
    for (_, path, document) in manifests {
        sorted
            .manifest
            .push_str(&format!("---\n# Source: {path}\n{document}\n"));
    }
    Ok(sorted)
}

/// Splits a text where lines begin with `---`; what follows it on the line stays.
pub(super) fn split(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            found.push(&text[start..at]);
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            start = at + 3 + blanks;
        }
        at += line.len();
    }
    found.push(&text[start..]);
    let documents = found.into_iter().map(str::trim_start);
    documents.filter(|document| !document.is_empty()).collect()
}

/// What is read of a manifest.
struct Head {
    kind: String,
    name: String,
    annotations: Vec<(String, String)>,
}

impl Head {
    fn read(path: &str, document: &str) -> Result<Self, ManifestError> {
        let read = yaml::read(document).map_err(|source| ManifestError::Yaml {
            path: path.to_owned(),
            source,
        })?;
        let value = read.into_iter().next().map_or(Value::Null, |one| one.value);
        let wrong = |field, wanted| ManifestError::Type {
            path: path.to_owned(),
            field,
            wanted,
        };
        if !matches!(value, Value::Object(_) | Value::Null) {
            return Err(wrong("document", "mapping"));
        }
        let text = |value: Option<&Value>, field| match value {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Object(_) | Value::Array(_)) => Err(wrong(field, "text")),
            Some(other) => Ok(other.to_string()),
        };
        let metadata = value.get("metadata");
        if metadata.is_some_and(|metadata| !matches!(metadata, Value::Object(_) | Value::Null)) {
            return Err(wrong("metadata", "mapping"));
        }
        let annotations = match metadata.and_then(|metadata| metadata.get("annotations")) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(entries)) => {
                let entries = entries.iter().map(|(key, value)| {
                    Ok((key.clone(), text(Some(value), "metadata.annotations")?))
                });
                entries.collect::<Result<_, ManifestError>>()?
            }
            Some(_) => return Err(wrong("metadata.annotations", "mapping")),
        };
        Ok(Self {
            kind: text(value.get("kind"), "kind")?,
            name: text(
                metadata.and_then(|metadata| metadata.get("name")),
                "metadata.name",
            )?,
            annotations,
        })
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        let found = self.annotations.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Reads what makes it a hook; an error stands for an event that there is not.
    fn hook(&self, path: &str, document: &str) -> Option<Result<Hook, ()>> {
        let events = words(self.annotation(HOOK)?).map(|event| match event.as_str() {
            "test-success" => Ok("test".to_owned()),
            known if EVENTS.contains(&known) => Ok(event),
            _ => Err(()),
        });
        let policies = |key| self.annotation(key).map(|text| words(text).collect());
        Some(events.collect::<Result<Vec<_>, ()>>().map(|events| {
            Hook {
                name: self.name.clone(),
                kind: self.kind.clone(),
                path: path.to_owned(),
                manifest: document.to_owned(),
                events,
                weight: self
                    .annotation(WEIGHT)
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0),
                delete_policies: policies(DELETE).unwrap_or_default(),
                output_log_policies: policies(OUTPUT).unwrap_or_default(),
                ..Hook::default()
            }
        }))
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(',').map(|word| word.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, annotations: &str) -> String {
        format!("kind: {kind}\nmetadata:\n  name: {name}\n  annotations: {{{annotations}}}\n")
    }

    #[test]
    fn manifests_are_in_the_order_of_installation() {
        let sources = [
            Source::new("c/templates/b.yaml", object("Zebra", "z", "")),
            Source::new("c/templates/b.yaml", object("Deployment", "d", "")),
            Source::new("c/templates/a.yaml", object("Ant", "a", "")),
            Source::new(
                "c/templates/c.yaml",
                format!(
                    "---\n# one\n{}---  \n{}---\n",
                    object("Secret", "s", ""),
                    object("ServiceAccount", "x", "")
                ),
            ),
            Source::new("c/templates/_helpers.tpl", "not: [yaml"),
            Source::new("c/templates/empty.yaml", " \n"),
        ];
        let sorted = sort(&sources).expect("valid");
        let kinds: Vec<&str> = sorted
            .manifest
            .lines()
            .filter_map(|line| line.strip_prefix("kind: "))
            .collect();
        assert_eq!(
            kinds,
            ["ServiceAccount", "Secret", "Deployment", "Ant", "Zebra"]
        );
        assert!(
            sorted
                .manifest
                .contains("---\n# Source: c/templates/c.yaml\n# one\nkind: Secret")
        );
    }

    #[test]
    fn annotations_make_hooks() {
        let annotations = "helm.sh/hook: \"post-install, TEST-success\", helm.sh/hook-weight: \"-5\", \
                           helm.sh/hook-delete-policy: \"hook-succeeded,Before-Hook-Creation\"";
        let sources = [
            Source::new("c/templates/job.yaml", object("Job", "j", annotations)),
            Source::new(
                "c/templates/odd.yaml",
                object("Job", "k", "helm.sh/hook: crd-install"),
            ),
        ];
        let sorted = sort(&sources).expect("valid");
        assert_eq!(sorted.manifest, "");
        assert_eq!(sorted.skipped, ["c/templates/odd.yaml"]);
        let hook = &sorted.hooks[0];
        assert_eq!(
            (hook.name.as_str(), hook.kind.as_str(), hook.weight),
            ("j", "Job", -5)
        );
        assert_eq!(hook.events, ["post-install", "test"]);
        assert_eq!(
            hook.delete_policies,
            ["hook-succeeded", "before-hook-creation"]
        );
    }

    #[test]
    fn mistakes_name_the_template() {
        let error = |text: &str| {
            let error = sort(&[Source::new("c/templates/a.yaml", text)]).expect_err(text);
            bulkhead_api::chain(&error)
        };
        assert!(error("a: [").starts_with("YAML parse error on c/templates/a.yaml: line 1"));
        assert_eq!(
            error("metadata: {name: [a]}"),
            "a manifest of c/templates/a.yaml has a `metadata.name` that is no text"
        );
    }
}
