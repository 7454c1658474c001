//! Post-rendering: what comes between the chart's output and the release.
//!
//! In: rendered texts by template. Out: the same, changed, still by template, so that hooks and the
//! order of installation are read from what is really applied. Labels and annotations that all
//! objects get are set here; anything else is handed to a function of the caller's.
//!
//! # Source
//! `annotateAndMerge` and `splitAndDeannotate` of Helm 4.3; `internal/postrender` of helm-controller.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;

use serde_json::{Map, Value};

use super::manifest::{self, ManifestError, Source};
use crate::parse::{MAX_LIST_DEPTH, list_items};
use crate::yaml;

/// Carries the template's path through a post-renderer.
const FILE: &str = "postrenderer.helm.sh/postrender-filename";

/// Which objects a post-renderer sees: `spec.postRenderStrategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Hooks and the rest together: Flux's default since 2.9.
    #[default]
    Combined,
    /// Hooks and the rest one after the other: an object may be in both.
    Separate,
    /// The rest alone: what Helm 3 did.
    NoHooks,
}

/// Why post-rendering came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PostRenderError<E: std::error::Error + 'static> {
    /// What went in, or came out, is no YAML.
    #[error("error while parsing post rendered output")]
    Manifest(#[from] ManifestError),
    /// The function failed.
    #[error("error while running post render on {group}")]
    Run {
        /// `files`, `hooks` or `manifests`.
        group: &'static str,
        /// Why.
        #[source]
        source: E,
    },
}

/// Runs `render` over the objects that the strategy shows it: YAML in, YAML out.
///
/// # Errors
/// Broken YAML on either side, and what `render` says.
pub async fn post_render<F, R, E>(
    sources: Vec<Source>,
    strategy: Strategy,
    render: F,
) -> Result<Vec<Source>, PostRenderError<E>>
where
    F: Fn(String) -> R,
    R: Future<Output = Result<String, E>>,
    E: std::error::Error + 'static,
{
    let groups = group(sources, strategy)?;
    let mut found = Vec::new();
    for Group {
        name,
        sources,
        is_shown,
    } in groups
    {
        if !is_shown || sources.is_empty() {
            found.extend(sources);
            continue;
        }
        let merged = merge(&sources)?;
        let rendered = render(merged).await;
        let rendered = rendered.map_err(|source| PostRenderError::Run {
            group: name,
            source,
        })?;
        found.extend(unmerge(&rendered, name)?);
    }
    Ok(found)
}

/// Sets labels, then annotations, on all objects that the strategy shows, over those that they have.
///
/// # Errors
/// Broken YAML; an object that is there twice, which Flux refuses by this step, too.
pub fn set_metadata(
    sources: Vec<Source>,
    strategy: Strategy,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Result<Vec<Source>, ManifestError> {
    let mut found = Vec::new();
    for group in group(sources, strategy)? {
        let mut seen = HashSet::new();
        for source in group.sources {
            if !group.is_shown {
                found.push(source);
                continue;
            }
            for mut object in objects(&source)? {
                let id = identity(&object);
                // For kustomize, no namespace is `default`.
                if !seen.insert(id.replace(".[noNs]", ".default")) {
                    let group = group.name;
                    return Err(ManifestError::Twice { group, id });
                }
                set(&mut object, "labels", labels);
                set(&mut object, "annotations", annotations);
                found.push(Source::new(
                    source.path.as_str(),
                    yaml::write(&sorted(object)),
                ));
            }
        }
    }
    Ok(found)
}

/// Returns the labels by which Flux knows the objects of a HelmRelease. They come last of all
/// post-renderers.
pub fn origin_labels(name: &str, namespace: &str) -> BTreeMap<String, String> {
    let key = |field: &str| format!("helm.toolkit.fluxcd.io/{field}");
    BTreeMap::from([
        (key("name"), name.to_owned()),
        (key("namespace"), namespace.to_owned()),
    ])
}

struct Group {
    name: &'static str,
    sources: Vec<Source>,
    is_shown: bool,
}

fn group(sources: Vec<Source>, strategy: Strategy) -> Result<Vec<Group>, ManifestError> {
    if strategy == Strategy::Combined {
        let is_shown = |source: &Source| {
            let name = source.path.rsplit('/').next().unwrap_or_default();
            !name.starts_with('_') && !source.text.trim().is_empty()
        };
        return Ok(vec![Group {
            name: "files",
            sources: sources.into_iter().filter(is_shown).collect(),
            is_shown: true,
        }]);
    }
    let sorted = manifest::sort(&sources)?;
    let hooks = sorted.hooks.into_iter();
    let hooks = hooks.map(|hook| Source::new(hook.path, hook.manifest));
    Ok(vec![
        Group {
            name: "hooks",
            sources: hooks.collect(),
            is_shown: strategy == Strategy::Separate,
        },
        Group {
            name: "manifests",
            sources: unsorted(&sorted.manifest),
            is_shown: true,
        },
    ])
}

/// Takes a manifest apart again, by the comments that name the templates.
fn unsorted(manifest: &str) -> Vec<Source> {
    let documents = manifest::split(manifest).into_iter();
    let sources = documents.map(|document| {
        let (first, rest) = document.split_once('\n').unwrap_or((document, ""));
        let path = first.strip_prefix("# Source: ").unwrap_or_default();
        Source::new(path, rest)
    });
    sources.collect()
}

/// Puts documents together, each with an annotation that names its template.
fn merge(sources: &[Source]) -> Result<String, ManifestError> {
    let mut sources: Vec<&Source> = sources.iter().collect();
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let mut merged = Vec::new();
    for source in sources {
        for mut object in objects(source)? {
            let file = BTreeMap::from([(FILE.to_owned(), source.path.clone())]);
            set(&mut object, "annotations", &file);
            merged.push(yaml::write(&object));
        }
    }
    Ok(merged.join("---\n"))
}

/// Takes documents apart, each back to its template.
fn unmerge(rendered: &str, group: &str) -> Result<Vec<Source>, ManifestError> {
    let rendered = Source::new("the post-rendered output", rendered);
    let mut found = Vec::new();
    for (number, mut object) in objects(&rendered)?.into_iter().enumerate() {
        let file = object.pointer_mut("/metadata/annotations");
        let file = file
            .and_then(Value::as_object_mut)
            .and_then(|annotations| annotations.shift_remove(FILE));
        let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        if object
            .pointer("/metadata/annotations")
            .is_some_and(is_empty)
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.shift_remove("annotations");
        }
        let path = match file {
            Some(Value::String(path)) => path,
            _ if group == "files" => format!("generated-by-postrender-{number}.yaml"),
            _ => format!("generated-by-postrender-{group}-{number}.yaml"),
        };
        found.push(Source::new(path, yaml::write(&object)));
    }
    Ok(found)
}

/// Reads the objects of a text.
fn objects(source: &Source) -> Result<Vec<Value>, ManifestError> {
    let mut found = Vec::new();
    for document in manifest::split(&source.text) {
        let read = yaml::read(document).map_err(|error| ManifestError::Yaml {
            path: source.path.clone(),
            source: error,
        })?;
        for one in read {
            take_apart(one.value, 0, &source.path, &mut found)?;
        }
    }
    Ok(found)
}

/// Takes a List for its items, as kustomize does: each is an object, and may be a hook.
fn take_apart(
    value: Value,
    depth: usize,
    path: &str,
    found: &mut Vec<Value>,
) -> Result<(), ManifestError> {
    let Value::Object(mut body) = value else {
        return Err(ManifestError::Type {
            path: path.to_owned(),
            field: "document",
            wanted: "mapping",
        });
    };
    if depth < MAX_LIST_DEPTH
        && let Some(Value::Array(items)) = list_items(&mut body)
    {
        for item in items {
            take_apart(item, depth + 1, path, found)?;
        }
        return Ok(());
    }
    found.push(Value::Object(body));
    Ok(())
}

/// Returns what an object is told apart from others by, in kustomize's words:
/// `ConfigMap.v1.[noGrp]/a.[noNs]`.
fn identity(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let or = |text: Option<&str>, other: &str| match text {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => other.to_owned(),
    };
    let api_version = text("/apiVersion").unwrap_or_default();
    let (group, version) = match api_version.split_once('/') {
        Some((group, version)) => (Some(group), version),
        None => (None, api_version),
    };
    format!(
        "{}.{}.{}/{}.{}",
        or(text("/kind"), "[noKind]"),
        or(Some(version), "[noVer]"),
        or(group, "[noGrp]"),
        or(text("/metadata/name"), "[noName]"),
        or(text("/metadata/namespace"), "[noNs]"),
    )
}

fn set(object: &mut Value, field: &str, entries: &BTreeMap<String, String>) {
    if entries.is_empty() {
        return;
    }
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let map = |value: &mut Value| {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
    };
    let metadata = object.entry("metadata").or_insert(Value::Null);
    map(metadata);
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let slot = metadata.entry(field).or_insert(Value::Null);
    map(slot);
    if let Some(slot) = slot.as_object_mut() {
        for (key, value) in entries {
            slot.insert(key.clone(), value.clone().into());
        }
    }
}

/// Sorts keys at every depth, as kustomize writes them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(mut entries) => {
            entries.sort_keys();
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n";
    const HOOK: &str = "kind: Job\nmetadata: {name: j, annotations: {helm.sh/hook: pre-install}}\n";

    fn sources() -> Vec<Source> {
        vec![
            Source::new(
                "c/templates/map.yaml",
                format!("{MAP}---\n# nothing\n---\n{}", MAP.replace(": a", ": b")),
            ),
            Source::new("c/templates/job.yaml", HOOK),
        ]
    }

    #[test]
    fn labels_go_on_all_that_the_strategy_shows() {
        let labels = origin_labels("app", "apps");
        let run = |strategy| {
            let set = set_metadata(sources(), strategy, &labels, &BTreeMap::new()).expect("valid");
            let sorted = manifest::sort(&set).expect("valid");
            let is_labelled = |text: &str| text.contains("helm.toolkit.fluxcd.io/name: app");
            (
                sorted
                    .manifest
                    .matches("helm.toolkit.fluxcd.io/namespace: apps")
                    .count(),
                is_labelled(&sorted.hooks[0].manifest),
            )
        };
        assert_eq!(run(Strategy::Combined), (2, true));
        assert_eq!(run(Strategy::Separate), (2, true));
        assert_eq!(run(Strategy::NoHooks), (2, false));
    }

    #[test]
    fn the_items_of_a_list_are_objects_and_may_be_hooks() {
        let list = format!(
            "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {}\n- {}\n",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: h, annotations: {helm.sh/hook: test}}}",
        );
        let sources = vec![Source::new("c/templates/all.yaml", list)];
        let labels = origin_labels("app", "apps");
        let set = set_metadata(sources, Strategy::Combined, &labels, &BTreeMap::new());
        let sorted = manifest::sort(&set.expect("valid")).expect("valid");
        let count = |text: &str| text.matches("helm.toolkit.fluxcd.io/name: app").count();
        assert_eq!(count(&sorted.manifest), 1);
        assert_eq!(
            (sorted.hooks.len(), count(&sorted.hooks[0].manifest)),
            (1, 1)
        );
        assert!(!sorted.manifest.contains("List"), "{}", sorted.manifest);
    }

    #[test]
    fn an_object_that_is_there_twice_is_refused_as_by_kustomize() {
        let both = |other: &str| {
            let text = format!("{MAP}---\n{other}");
            let sources = vec![Source::new("c/templates/map.yaml", text)];
            let none = BTreeMap::new();
            let set = set_metadata(sources, Strategy::Combined, &none, &none);
            set.map(drop).map_err(|error| error.to_string())
        };
        let told = "error while running post render on files: may not add resource with an already \
                    registered id: ConfigMap.v1.[noGrp]/a.[noNs]";
        assert_eq!(both(MAP), Err(told.to_owned()));
        let default = MAP.replace("name: a", "name: a, namespace: default");
        assert!(both(&default).is_err());
        assert!(both(&MAP.replace("name: a", "name: a, namespace: b")).is_ok());
        assert!(both(&MAP.replace("v1", "v2")).is_ok());
    }

    #[tokio::test]
    async fn a_renderer_sees_objects_and_keeps_their_templates() {
        let render = |text: String| async move {
            assert!(text.contains("postrenderer.helm.sh/postrender-filename"));
            let added = "---\nkind: Secret\nmetadata: {name: new}\n";
            Ok::<_, std::convert::Infallible>(
                text.replace("kind: ConfigMap", "kind: Changed") + added,
            )
        };
        let found = post_render(sources(), Strategy::Combined, render)
            .await
            .expect("renders");
        let paths: Vec<&str> = found.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "c/templates/job.yaml",
                "c/templates/map.yaml",
                "c/templates/map.yaml",
                "generated-by-postrender-3.yaml",
            ]
        );
        assert_eq!(
            found[1].text,
            "kind: Changed\napiVersion: v1\nmetadata:\n  name: a\n"
        );
        assert!(found[0].text.contains("helm.sh/hook: pre-install"));
    }
}
