//! A Kustomization as the Delivery that it stands for, and a Delivery's status as a Kustomization's.
//!
//! A Kustomization is rendered by kustomize, told what its spec says; or by the plugin that its
//! annotation `bulkhead.dev/renderer` names, told what `bulkhead.dev/config` says. Pure.

use bulkhead_api::delivery::{
    DeliverySpec, DeliveryStatus, Dependency, DependencyKind, PluginReference, Transformer,
};
use bulkhead_api::kustomize::{Kustomization, KustomizationSpec, KustomizationStatus};
use bulkhead_api::names::annotation;
use bulkhead_api::{Advice, Retry, reason};
use bulkhead_apply::yaml::{self, YamlError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use crate::delivery::config;

/// Name of the plugin that renders Kustomizations.
pub const KUSTOMIZE: &str = "kustomize";

/// Transformers that a Kustomization may name; a Delivery has the same limit in its schema.
pub const TRANSFORMERS_MAX: usize = 16;

/// Why a Kustomization cannot be understood as a Delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaceError {
    /// A feature that is not there yet.
    #[error("`{0}` is not supported yet")]
    Unsupported(&'static str),
    /// An annotation holds no object.
    #[error("failed to read annotation `{annotation}`")]
    Config {
        /// The annotation.
        annotation: String,
        /// Why.
        #[source]
        source: ConfigError,
    },
    /// An annotation that has no effect, since it belongs to one that is not there.
    #[error("annotation `{annotation}` has no effect without `{needs}`")]
    Useless {
        /// The annotation.
        annotation: String,
        /// What it needs: an annotation, or a name in one.
        needs: String,
    },
    /// A name in a list of transformers is empty, or there twice.
    #[error("annotation `{key}` names `{0}`, which is empty or there twice", key = annotation::TRANSFORMERS)]
    Transformers(String),
    /// There are too many transformers.
    #[error("annotation `{key}` names {0} plugins, at most {TRANSFORMERS_MAX} are run", key = annotation::TRANSFORMERS)]
    TooMany(usize),
    /// The spec asks kustomize for something, and kustomize is not the renderer.
    #[error("`{field}` is for kustomize, and annotation `{key}` names `{renderer}`", key = annotation::RENDERER)]
    KustomizeOnly {
        /// The field.
        field: &'static str,
        /// The renderer.
        renderer: String,
    },
}

/// Why a text is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is neither YAML nor JSON.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It is something else than one object.
    #[error("it is not one object")]
    NotAnObject,
}

impl FaceError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let wrong = Advice::new(reason::VALIDATION_FAILED, Retry::OnChange);
        match self {
            Self::Unsupported(field) => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint(format!("remove `{field}`")),
            Self::Config { .. } => wrong.hint("write one YAML or JSON object, as in `replicas: 2`"),
            Self::Useless { annotation, needs } => {
                wrong.hint(format!("add `{needs}`, or remove `{annotation}`"))
            }
            Self::Transformers(_) => wrong.hint("write names joined by commas: `labels,images`"),
            Self::TooMany(_) => wrong.hint("use fewer, or one that does the work of several"),
            Self::KustomizeOnly { field, .. } => wrong.hint(format!(
                "remove `{field}`, or tell the renderer in `{}`",
                annotation::CONFIG
            )),
        }
    }
}

/// Reads a Kustomization as a Delivery. With an error, the spec is good for all but rendering.
pub fn of_kustomization(object: &Kustomization) -> (DeliverySpec, Option<FaceError>) {
    let mut spec = applying(&object.spec);
    let problem = rendering(object, &mut spec).err();
    (spec, problem)
}

fn applying(spec: &KustomizationSpec) -> DeliverySpec {
    let dependency = |one: &bulkhead_api::meta::DependencyReference| Dependency {
        kind: Some(DependencyKind::Kustomization),
        name: one.name.clone(),
        namespace: one.namespace.clone(),
        ready_expr: one.ready_expr.clone(),
    };
    DeliverySpec {
        source_ref: spec.source_ref.clone(),
        path: spec.path.clone(),
        plugin: PluginReference::new(KUSTOMIZE),
        config: Map::new(),
        inputs: Vec::new(),
        transformers: Vec::new(),
        interval: spec.interval.clone(),
        retry_interval: spec.retry_interval.clone(),
        timeout: spec.timeout.clone(),
        suspend: spec.suspend,
        prune: spec.prune,
        deletion_policy: spec.deletion_policy.clone(),
        wait: spec.wait,
        health_checks: spec.health_checks.clone(),
        health_check_exprs: spec.health_check_exprs.clone(),
        depends_on: spec.depends_on.iter().map(dependency).collect(),
        force: spec.force,
        ignore: spec.ignore.clone(),
        kube_config: spec.kube_config.clone(),
        service_account_name: spec.service_account_name.clone(),
        target_namespace: spec.target_namespace.clone(),
        common_metadata: spec.common_metadata.clone(),
        post_build: spec.post_build.clone(),
    }
}

fn rendering(object: &Kustomization, to: &mut DeliverySpec) -> Result<(), FaceError> {
    let spec = &object.spec;
    if spec.decryption.is_some() {
        return Err(FaceError::Unsupported("spec.decryption"));
    }
    let annotated = |name: &str| {
        let all = object.metadata.annotations.as_ref()?;
        all.get(name).map(String::as_str)
    };
    match annotated(annotation::RENDERER).map(str::trim) {
        Some(renderer) if !renderer.is_empty() => {
            if let Some(field) = for_kustomize(spec) {
                let renderer = renderer.to_owned();
                return Err(FaceError::KustomizeOnly { field, renderer });
            }
            to.plugin = PluginReference::new(renderer);
            to.config = object_in(annotation::CONFIG, annotated(annotation::CONFIG))?;
        }
        _ if annotated(annotation::CONFIG).is_some() => {
            return Err(FaceError::Useless {
                annotation: annotation::CONFIG.to_owned(),
                needs: annotation::RENDERER.to_owned(),
            });
        }
        _ => to.config = config::of_kustomization(spec),
    }
    to.transformers = transformers(annotated(annotation::TRANSFORMERS), annotated)?;
    let prefix = format!("{}.", annotation::CONFIG);
    let names = object
        .metadata
        .annotations
        .iter()
        .flat_map(|all| all.keys());
    let useless = names
        .filter_map(|name| name.strip_prefix(&prefix))
        .find(|name| {
            let is_it = |one: &Transformer| one.plugin.name == **name;
            !to.transformers.iter().any(is_it)
        });
    match useless {
        None => Ok(()),
        Some(name) => Err(FaceError::Useless {
            annotation: format!("{prefix}{name}"),
            needs: format!("{}: {name}", annotation::TRANSFORMERS),
        }),
    }
}

/// Returns the first field that only kustomize can do.
fn for_kustomize(spec: &KustomizationSpec) -> Option<&'static str> {
    let fields = [
        (!spec.patches.is_empty(), "spec.patches"),
        (!spec.images.is_empty(), "spec.images"),
        (!spec.components.is_empty(), "spec.components"),
        (spec.name_prefix.is_some(), "spec.namePrefix"),
        (spec.name_suffix.is_some(), "spec.nameSuffix"),
        (!spec.build_metadata.is_empty(), "spec.buildMetadata"),
    ];
    fields
        .into_iter()
        .find_map(|(used, field)| used.then_some(field))
}

/// Reads which transformers the annotations of an object name, and what each is told.
///
/// # Errors
/// [`FaceError`] names the annotation.
pub fn transformers_of(metadata: &ObjectMeta) -> Result<Vec<Transformer>, FaceError> {
    let annotated = |name: &str| {
        let all = metadata.annotations.as_ref()?;
        all.get(name).map(String::as_str)
    };
    transformers(annotated(annotation::TRANSFORMERS), annotated)
}

fn transformers<'a>(
    names: Option<&str>,
    annotated: impl Fn(&str) -> Option<&'a str>,
) -> Result<Vec<Transformer>, FaceError> {
    let Some(names) = names.filter(|names| !names.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let mut transformers: Vec<Transformer> = Vec::new();
    for name in names.split(',').map(str::trim) {
        if name.is_empty() || transformers.iter().any(|one| one.plugin.name == name) {
            return Err(FaceError::Transformers(name.to_owned()));
        }
        let key = format!("{}.{name}", annotation::CONFIG);
        transformers.push(Transformer {
            plugin: PluginReference::new(name),
            config: object_in(&key, annotated(&key))?,
        });
    }
    match transformers.len() {
        many if many > TRANSFORMERS_MAX => Err(FaceError::TooMany(many)),
        _ => Ok(transformers),
    }
}

/// Reads one YAML or JSON object; no text, and an empty one, is an empty object.
fn object_in(annotation: &str, text: Option<&str>) -> Result<Map<String, Value>, FaceError> {
    parse(text.unwrap_or_default()).map_err(|source| FaceError::Config {
        annotation: annotation.to_owned(),
        source,
    })
}

/// Reads a configuration: one YAML or JSON object; an empty text is an empty object.
///
/// # Errors
/// [`ConfigError`].
pub fn parse(text: &str) -> Result<Map<String, Value>, ConfigError> {
    let mut documents = yaml::read(text)?;
    documents.retain(|document| !document.value.is_null());
    let document = documents.pop();
    match document.map(|document| document.value) {
        None => Ok(Map::new()),
        Some(Value::Object(object)) if documents.is_empty() => Ok(object),
        Some(_) => Err(ConfigError::NotAnObject),
    }
}

/// Reads the status of a Kustomization as that of a Delivery.
pub(super) fn status(status: &KustomizationStatus) -> DeliveryStatus {
    let status = status.clone();
    DeliveryStatus {
        last_handled_reconcile_at: status.last_handled_reconcile_at,
        observed_generation: status.observed_generation,
        conditions: status.conditions,
        last_applied_revision: status.last_applied_revision,
        last_applied_origin_revision: status.last_applied_origin_revision,
        last_attempted_revision: status.last_attempted_revision,
        render: None,
        inventory: status.inventory,
        history: status.history,
        unreadable: status.unreadable,
    }
}

/// Returns what the status of a Kustomization has fields for.
pub(super) fn kustomization_status(status: &DeliveryStatus) -> KustomizationStatus {
    let status = status.clone();
    KustomizationStatus {
        last_handled_reconcile_at: status.last_handled_reconcile_at,
        observed_generation: status.observed_generation,
        conditions: status.conditions,
        last_applied_revision: status.last_applied_revision,
        last_applied_origin_revision: status.last_applied_origin_revision,
        last_attempted_revision: status.last_attempted_revision,
        inventory: status.inventory,
        history: status.history,
        unreadable: status.unreadable,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn read(spec: &str, annotations: &[(&str, &str)]) -> Result<DeliverySpec, FaceError> {
        let text = format!(
            r#"{{"metadata":{{"name":"a","namespace":"n"}},"spec":{{"interval":"1m","prune":true,"sourceRef":{{"kind":"GitRepository","name":"a"}}{spec}}}}}"#
        );
        let mut object: Kustomization = serde_json::from_str(&text).unwrap();
        let annotations = annotations
            .iter()
            .map(|(name, value)| (format!("bulkhead.dev/{name}"), (*value).to_owned()));
        object.metadata.annotations = Some(annotations.collect::<BTreeMap<_, _>>());
        let (spec, problem) = of_kustomization(&object);
        problem.map_or(Ok(spec), Err)
    }

    fn refused(spec: &str, annotations: &[(&str, &str)]) -> String {
        let error = read(spec, annotations).unwrap_err();
        assert_eq!(error.advice().retry, Retry::OnChange);
        bulkhead_api::chain(&error)
    }

    #[test]
    fn a_plain_kustomization_is_rendered_by_kustomize() {
        let spec = read(r#","namePrefix":"dev-","dependsOn":[{"name":"b"}]"#, &[]).unwrap();
        assert_eq!(spec.plugin, PluginReference::new("kustomize"));
        assert_eq!(spec.config["overlay"], json!({ "namePrefix": "dev-" }));
        assert_eq!(spec.depends_on[0].kind, Some(DependencyKind::Kustomization));
        assert!(spec.transformers.is_empty());
    }

    #[test]
    fn annotations_name_a_renderer_and_transformers_with_their_configurations() {
        let annotations = [
            ("renderer", "jsonnet"),
            ("config", "replicas: 2\nenv: [dev]\n"),
            ("transformers", "labels, images"),
            ("config.labels", r#"{"team": "web"}"#),
        ];
        let spec = read("", &annotations).unwrap();
        assert_eq!(spec.plugin.name, "jsonnet");
        assert_eq!(json!(spec.config), json!({ "replicas": 2, "env": ["dev"] }));
        assert_eq!(spec.transformers.len(), 2);
        assert_eq!(json!(spec.transformers[0].config), json!({ "team": "web" }));
        assert!(spec.transformers[1].config.is_empty());
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        assert_eq!(
            refused("", &[("config", "a: 1")]),
            "annotation `bulkhead.dev/config` has no effect without `bulkhead.dev/renderer`"
        );
        assert_eq!(
            refused("", &[("transformers", "labels"), ("config.label", "a: 1")]),
            "annotation `bulkhead.dev/config.label` has no effect without \
             `bulkhead.dev/transformers: label`"
        );
        assert_eq!(
            refused(r#","patches":[{"patch":"a"}]"#, &[("renderer", "cue")]),
            "`spec.patches` is for kustomize, and annotation `bulkhead.dev/renderer` names `cue`"
        );
        assert_eq!(
            refused(r#","decryption":{"provider":"sops"}"#, &[]),
            "`spec.decryption` is not supported yet"
        );
    }

    #[test]
    fn configurations_are_one_object() {
        let config = |text: &str| read("", &[("renderer", "cue"), ("config", text)]);
        assert!(config("").unwrap().config.is_empty());
        assert!(config("---\n# nothing\n").unwrap().config.is_empty());
        for wrong in ["[a]", "text", "a: 1\n---\nb: 2\n"] {
            let text = bulkhead_api::chain(&config(wrong).unwrap_err());
            let expected = "failed to read annotation `bulkhead.dev/config`: it is not one object";
            assert_eq!(text, expected, "{wrong}");
        }
        let text = bulkhead_api::chain(&config("a: [").unwrap_err());
        assert!(text.contains("line 1"), "{text}");
    }

    #[test]
    fn transformers_are_named_once_and_at_most_sixteen() {
        let names = |many: usize| {
            let names: Vec<_> = (0..many).map(|number| format!("t{number}")).collect();
            read("", &[("transformers", &names.join(","))])
        };
        assert_eq!(names(TRANSFORMERS_MAX).unwrap().transformers.len(), 16);
        assert_eq!(names(17), Err(FaceError::TooMany(17)));
        assert_eq!(
            refused("", &[("transformers", "a,a")]),
            "annotation `bulkhead.dev/transformers` names `a`, which is empty or there twice"
        );
        assert!(refused("", &[("transformers", "a,")]).contains("names ``"));
    }

    #[test]
    fn a_status_comes_back_but_for_what_only_a_delivery_has() {
        let text =
            r#"{"observedGeneration":3,"lastAppliedRevision":"a","inventory":{"entries":[]}}"#;
        let before: KustomizationStatus = serde_json::from_str(text).unwrap();
        let mut between = status(&before);
        between.render = Some(bulkhead_api::delivery::Render::default());
        assert_eq!(kustomization_status(&between), before);
    }
}
