//! Where an object came from and what changed it, as annotations that `buildMetadata` asks for.

use bulkhead_yaml::Value as Data;

use crate::error::Outcome;
use crate::load::clean;
use crate::node::Tree;
use crate::remote;
use crate::resmap::ResMap;
use crate::resource::{self, Resource, mark};
use crate::yaml;

/// What upstream's annotations say for the root of a repository: its name for what it has not
/// cloned yet.
const NOT_CLONED: &str = "notCloned";

/// A place, or a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) path: String,
    /// The repository that the path is in, where it is a remote one.
    pub(crate) repository: String,
    pub(crate) reference: String,
    pub(crate) configured_in: String,
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Origin {
    /// A place below this one.
    pub(crate) fn below(&self, path: &str) -> Self {
        let Some(repository) = remote::repository(path) else {
            return Self {
                path: join(&self.path, path),
                ..self.clone()
            };
        };
        // Upstream takes the first directory off an absolute path; of the root only the slash.
        let below = match repository.below.as_str() {
            "" => NOT_CLONED,
            below => below,
        };
        Self {
            path: join("", below),
            repository: repository.clone,
            reference: repository.reference,
            ..self.clone()
        }
    }

    /// A built-in plugin that the kustomization file here configures.
    pub(crate) fn built_in(&self, file: &str, plugin: &str) -> Self {
        Self {
            repository: self.repository.clone(),
            reference: self.reference.clone(),
            configured_in: join(&self.path, file),
            api_version: "builtin".to_owned(),
            kind: plugin.to_owned(),
            ..Self::default()
        }
    }

    /// The annotation's text.
    pub(crate) fn text(&self) -> String {
        let entry = |key: &str, value: Data| (Data::String(key.to_owned()), value);
        let mut out = String::new();
        let places = [
            ("path", &self.path),
            ("repo", &self.repository),
            ("ref", &self.reference),
            ("configuredIn", &self.configured_in),
        ];
        for (key, value) in places {
            if !value.is_empty() {
                out.push_str(&yaml::emit_data(&Data::Mapping(vec![entry(
                    key,
                    Data::String(value.clone()),
                )])));
            }
        }
        let by = [
            ("apiVersion", &self.api_version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
        ];
        let by: Vec<_> = by
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        if !by.is_empty() {
            out.push_str("configuredBy:\n");
        }
        for (key, value) in by {
            out.push_str("  ");
            out.push_str(&yaml::emit_data(&Data::Mapping(vec![entry(
                key,
                Data::String(value.clone()),
            )])));
        }
        if out.is_empty() {
            "{}\n".to_owned()
        } else {
            out
        }
    }

    /// The configuration that an object is, if it says where it came from.
    pub(crate) fn of_configuration(tree: &Tree, configuration: &Resource) -> Option<Self> {
        let node = configuration.node?;
        let place = resource::annotation(tree, node, mark::ORIGIN)?;
        let text = |name| resource::metadata_text(tree, node, name).to_string();
        let [configured_in, repository, reference] = parts(&place, ["path", "repo", "ref"]);
        Some(Self {
            path: String::new(),
            repository,
            reference,
            configured_in,
            api_version: resource::text_of(tree, node, "apiVersion").to_string(),
            kind: resource::text_of(tree, node, "kind").to_string(),
            name: text("name"),
            namespace: text("namespace"),
        })
    }
}

/// Fields of an annotation's text; empty where they are not there.
fn parts<const N: usize>(text: &str, names: [&str; N]) -> [String; N] {
    let mut tree = Tree::default();
    let parsed = yaml::parse_one(&mut tree, text).ok().flatten();
    names.map(|name| {
        let value = parsed.and_then(|id| tree.field(id, name));
        value.map_or_else(String::new, |(_, value)| {
            tree.value(Some(value)).to_string()
        })
    })
}

/// Joins two paths; unlike a loader this may lead out of the first.
fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        clean(path).unwrap_or_else(|| ".".to_owned())
    } else {
        parts.join("/")
    }
}

/// Says of all objects that have no origin yet that they come from here.
pub(crate) fn add(tree: &mut Tree, map: &mut ResMap, origin: &Origin) -> Outcome<()> {
    for resource in &mut map.list {
        let Some(node) = resource.node else { continue };
        if resource::annotation(tree, node, mark::ORIGIN).is_none() {
            resource::put_annotation(tree, node, mark::ORIGIN, &origin.text())?;
            resource.touch();
        }
    }
    Ok(())
}

/// Says of all objects that this has changed them, or made them.
pub(crate) fn add_transformer(tree: &mut Tree, map: &mut ResMap, origin: &Origin) -> Outcome<()> {
    for resource in &mut map.list {
        let Some(node) = resource.node else { continue };
        if resource::annotation(tree, node, mark::ORIGIN).is_none() {
            resource::put_annotation(tree, node, mark::ORIGIN, &origin.text())?;
        } else {
            let before = resource::annotation(tree, node, mark::TRANSFORMATIONS)
                .unwrap_or_else(|| "".into());
            let text = format!("{before}{}", as_item(&origin.text()));
            resource::put_annotation(tree, node, mark::TRANSFORMATIONS, &text)?;
        }
        resource.touch();
    }
    Ok(())
}

/// A mapping's text as an element of a list.
fn as_item(text: &str) -> String {
    let lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| format!("{}{line}\n", if i == 0 { "- " } else { "  " }));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_as_upstream_writes_it() {
        let here = Origin::default().below("overlay").below("../base");
        assert_eq!(here.below("a.yaml").text(), "path: base/a.yaml\n");
        let by = here.built_in("kustomization.yaml", "PrefixTransformer");
        let text = "configuredIn: base/kustomization.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: PrefixTransformer\n";
        assert_eq!(by.text(), text);
        assert!(
            as_item(text).starts_with("- configuredIn: base/kustomization.yaml\n  configuredBy:\n")
        );
    }
}
