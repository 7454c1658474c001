//! From the names of plugins in a specification to plugins that run. Pure.

use bulkhead_api::delivery::{DeliverySpec, PluginReference, PluginScope};
use bulkhead_api::{Advice, SpecError};
use bulkhead_wasm::{ConfigError, PluginKind};
use serde_json::{Map, Value};

use crate::catalogue::{Catalogue, CatalogueError, Scope};
use crate::delivery::{Stage, config};

/// The plugins of a specification, with what they are told.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// What renders.
    pub renderer: Stage,
    /// What changes the objects then.
    pub transformers: Vec<Stage>,
}

/// Why a specification cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginsError {
    /// A name gives no plugin; whoever uses it is woken when that changes.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A plugin is looked for where none can be.
    #[error(transparent)]
    Kind(#[from] SpecError),
    /// A plugin does not take what it is told.
    #[error("`{field}` is not what plugin `{plugin}` takes")]
    Config {
        /// The field.
        field: String,
        /// The plugin.
        plugin: String,
        /// Which of its fields are wrong.
        #[source]
        source: ConfigError,
    },
    /// The renderer's manifest does not ask for an input.
    #[error("plugin `{plugin}` takes no input `{input}`")]
    Input {
        /// The plugin.
        plugin: String,
        /// The input.
        input: String,
        /// The inputs that it takes.
        known: Vec<String>,
    },
}

impl PluginsError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Catalogue(error) => error.advice(),
            Self::Kind(error) => error.advice(),
            Self::Config { field, source, .. } => {
                let advice = source.advice();
                let retry = bulkhead_api::Retry::OnChange;
                let hint = advice.hint.unwrap_or_default();
                Advice::new(bulkhead_api::reason::VALIDATION_FAILED, retry)
                    .hint(format!("correct `{field}`; {hint}"))
            }
            Self::Input { known, .. } => {
                let retry = bulkhead_api::Retry::OnChange;
                let advice = Advice::new(bulkhead_api::reason::VALIDATION_FAILED, retry);
                match known.as_slice() {
                    [] => advice.hint("remove it from `spec.inputs`"),
                    known => advice.hint(format!("it takes `{}`", known.join("`, `"))),
                }
            }
        }
    }
}

/// Names the plugins that a specification uses.
pub fn names(spec: &DeliverySpec) -> impl Iterator<Item = String> + '_ {
    let transformers = spec.transformers.iter().map(|one| &one.plugin);
    let all = std::iter::once(&spec.plugin).chain(transformers);
    all.map(|reference| reference.name.clone())
}

/// Finds the plugins of a specification in `namespace`, and checks what they are told.
///
/// # Errors
/// [`PluginsError`] names the field.
pub fn resolve(
    catalogue: &Catalogue,
    namespace: &str,
    spec: &DeliverySpec,
) -> Result<Chosen, PluginsError> {
    let find = |place: String, reference: &PluginReference, config: &_, kind| {
        stage(catalogue, namespace, (place, reference, config), kind)
    };
    let renderer = find(
        "spec".to_owned(),
        &spec.plugin,
        &spec.config,
        PluginKind::Renderer,
    )?;
    for input in &spec.inputs {
        let known = renderer.plugin.permissions.inputs.as_ref();
        if known.is_some_and(|known| !known.contains(&input.name)) {
            return Err(PluginsError::Input {
                plugin: spec.plugin.name.clone(),
                input: input.name.clone(),
                known: known.into_iter().flatten().cloned().collect(),
            });
        }
    }
    let transformers = spec.transformers.iter().enumerate();
    let transformers = transformers.map(|(index, one)| {
        let place = format!("spec.transformers[{index}]");
        find(place, &one.plugin, &one.config, PluginKind::Transformer)
    });
    Ok(Chosen {
        transformers: transformers.collect::<Result<_, _>>()?,
        renderer,
    })
}

/// Finds one plugin in `namespace`, and checks what it is told.
///
/// # Errors
/// [`PluginsError`] names the place.
pub fn stage(
    catalogue: &Catalogue,
    namespace: &str,
    (place, reference, told): (String, &PluginReference, &Map<String, Value>),
    kind: PluginKind,
) -> Result<Stage, PluginsError> {
    let name = &reference.name;
    let plugin = match &reference.kind {
        None => catalogue.find(namespace, name, kind)?,
        Some(PluginScope::Plugin) => {
            let scopes = [Scope::Namespace(namespace.to_owned())];
            catalogue.find_among(&scopes, namespace, name, kind)?
        }
        Some(PluginScope::ClusterPlugin) => {
            catalogue.find_among(&[Scope::Cluster], namespace, name, kind)?
        }
        Some(PluginScope::Other(value)) => {
            let field = "spec.plugin.kind";
            return Err(SpecError::unknown(field, value, PluginScope::KNOWN).into());
        }
    };
    let config = config::canonical(told);
    if let Some(manifest) = &plugin.manifest {
        let checked = manifest.check_config(&config);
        checked.map_err(|source| PluginsError::Config {
            field: format!("{place}.config"),
            plugin: name.clone(),
            source,
        })?;
    }
    Ok(Stage { plugin, config })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use bulkhead_api::delivery::Transformer;
    use bulkhead_api::kustomize::{SourceKind, SourceReference};

    use super::*;
    use crate::catalogue::Entry;

    fn spec(kind: Option<PluginScope>) -> DeliverySpec {
        let source = SourceReference::new(SourceKind::GitRepository, "app");
        let plugin = PluginReference {
            name: "cue".into(),
            kind,
        };
        DeliverySpec::new(source, plugin, Duration::from_secs(60), true)
    }

    /// A catalogue in which the cluster's `cue` is being pulled.
    fn catalogue() -> Catalogue {
        let catalogue = Catalogue::new([], |_| {});
        let entry = Entry::NotReady {
            reason: "Fetching".into(),
            message: "pulling".into(),
        };
        catalogue.put(&Scope::Cluster, "cue", entry);
        catalogue
    }

    fn refused(spec: &DeliverySpec) -> (String, &'static str) {
        let error = resolve(&catalogue(), "apps", spec).unwrap_err();
        (bulkhead_api::chain(&error), error.advice().reason)
    }

    #[test]
    fn a_name_is_looked_for_where_its_kind_says() {
        let not_ready = "ClusterPlugin `cue` is not ready: pulling".to_owned();
        assert_eq!(refused(&spec(None)), (not_ready.clone(), "PluginNotReady"));
        let cluster = spec(Some(PluginScope::ClusterPlugin));
        assert_eq!(refused(&cluster), (not_ready, "PluginNotReady"));
        assert_eq!(
            refused(&spec(Some(PluginScope::Plugin))).1,
            "PluginNotFound"
        );
        let (text, reason) = refused(&spec(Some("Ark".into())));
        assert!(text.starts_with("`spec.plugin.kind` is `Ark`"), "{text}");
        assert_eq!(reason, "ValidationFailed");
    }

    #[test]
    fn all_names_are_used() {
        let mut spec = spec(None);
        let transformer = |name: &str| Transformer {
            plugin: PluginReference::new(name),
            config: Map::new(),
        };
        spec.transformers = vec![transformer("labels"), transformer("images")];
        let names: Vec<_> = names(&spec).collect();
        assert_eq!(names, ["cue", "labels", "images"]);
    }
}
