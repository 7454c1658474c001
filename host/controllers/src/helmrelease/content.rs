//! From a chart and values to what a release is made of: the guest renders, then post-renderers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_api::helmrelease::{HelmRelease, KustomizePostRenderer, PostRenderStrategy};
use bulkhead_api::names::label;
use bulkhead_apply::release::{
    Chart as StoredChart, Content, Crd, Reused, Sorted, Source, Strategy, origin_labels,
    post_render, set_metadata, shorten_name, sort,
};
use bulkhead_wasm::{
    Document, Lookup, MemoryTree, RenderRequest, Rendered, Target, TransformRequest,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chart::{ARCHIVE, Chart};
use super::error::ContentError;
use super::plugins::Plugins;
use super::values::Values;

/// Name of the input with the values.
const VALUES: &str = "values.yaml";
/// Name of the input with what takes the place of the chart's own values.
const DEFAULTS: &str = "default-values.yaml";
/// Name of the attribute that names an input which holds a secret.
const SECRET_INPUT: &str = "input.secret";
/// Name of the file with the objects that kustomize patches.
const OBJECTS: &str = "objects.yaml";

/// What a release is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The chart.
    pub chart: Arc<Chart>,
    /// The values.
    pub values: Values,
    /// The plugins.
    pub plugins: Plugins,
    /// Digest of the OCI artifact that the chart is; empty for others.
    pub oci_digest: String,
}

/// What a render is for.
pub struct For<'a> {
    /// The release.
    pub object: &'a HelmRelease,
    /// What it is made of.
    pub parts: &'a Parts,
    /// Whether there is a version before.
    pub is_upgrade: bool,
    /// What is kept of the values of the version before, where the spec asks for that.
    pub reused: Option<Reused>,
    /// Number of the new version.
    pub version: i64,
    /// Version of Kubernetes that is told; empty for what Helm tells without a cluster.
    pub kube_version: String,
    /// What the cluster serves.
    pub api_versions: Vec<String>,
    /// Answers `lookup`; without it every answer is empty.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// The time that templates are told.
    pub now: jiff::Timestamp,
}

/// Renders, and post-renders.
///
/// # Errors
/// [`ContentError`].
pub async fn content(wanted: For<'_>) -> Result<Content, ContentError> {
    let For { object, parts, .. } = &wanted;
    let rendered = parts.plugins.helm.plugin.render(wanted.request()).await?;
    let documents = rendered.documents.iter().map(|document| {
        let path = document.origin.as_ref().map_or("", |at| at.path.as_str());
        Source::new(path, document.text.as_str())
    });
    let sources = wanted.post_render(documents.collect()).await?;
    let Sorted {
        manifest,
        hooks,
        skipped,
    } = sort(&sources)?;
    for path in skipped {
        tracing::info!(path, "skipped a hook of an unknown event");
    }
    let name = object.metadata.name.as_deref().unwrap_or_default();
    Ok(Content {
        chart: Some(
            StoredChart::from_json(attribute(&rendered, "helm.chart")?)
                .map_err(ContentError::Output)?,
        ),
        config: wanted.config().clone(),
        manifest,
        hooks,
        notes: attribute(&rendered, "render.notes").unwrap_or_default(),
        crds: crds(&attribute(&rendered, "helm.crds")?)?,
        labels: record_labels(object),
        oci_digest: parts.oci_digest.clone(),
        crd_labels: origin_labels(name, object.own_namespace()),
    })
}

/// Returns the labels of the record, by which a process that was killed finds its own again. An object
/// from a file has no UID.
fn record_labels(object: &HelmRelease) -> BTreeMap<String, String> {
    let uid = object.metadata.uid.clone().into_iter();
    uid.map(|uid| (label::HELM_RELEASE_UID.to_owned(), uid))
        .collect()
}

fn attribute(rendered: &Rendered, name: &'static str) -> Result<String, ContentError> {
    let mut all = rendered.attributes.iter();
    all.find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
        .ok_or(ContentError::Lacks(name))
}

fn crds(json: &str) -> Result<Vec<Crd>, ContentError> {
    #[derive(Deserialize)]
    struct File {
        path: String,
        text: String,
    }
    let files: Vec<File> = serde_json::from_str(json).map_err(ContentError::Output)?;
    let files = files.into_iter();
    Ok(files
        .map(|File { path, text }| Crd { path, text })
        .collect())
}

impl For<'_> {
    fn target(&self) -> Target {
        Target {
            name: shorten_name(&self.object.release_name()),
            namespace: self.object.release_namespace().to_owned(),
            kube_version: self.kube_version.clone(),
            api_versions: self.api_versions.clone(),
        }
    }

    /// The values that the release stores.
    fn config(&self) -> &Map<String, Value> {
        match &self.reused {
            Some(reused) => &reused.config,
            None => &self.parts.values.merged,
        }
    }

    fn request(&self) -> RenderRequest {
        let parts = self.parts;
        let spec = &self.object.spec;
        let target = self.target();
        let skip_schema = match self.is_upgrade {
            true => spec.upgrade().disable_schema_validation,
            false => spec.install().disable_schema_validation,
        };
        let mut config = json!({
            "releaseName": target.name,
            "releaseNamespace": target.namespace,
            "isUpgrade": self.is_upgrade,
            "revision": self.version,
            "valuesInputs": [VALUES],
            "skipSchemaValidation": skip_schema,
            "release": true,
        });
        let mut inputs = vec![(VALUES.to_owned(), json!(self.config()).to_string())];
        if let Some(reused) = &self.reused {
            config["defaultValues"] = json!(DEFAULTS);
            inputs.push((DEFAULTS.to_owned(), json!(reused.defaults).to_string()));
        }
        let mut request = RenderRequest::new(parts.chart.tree.clone(), ARCHIVE);
        request.config = config.to_string();
        // What the version before was made of may come from a Secret that is no longer named.
        if parts.values.has_secrets || self.reused.is_some() {
            let names = inputs.iter().map(|(name, _)| name.clone());
            let secrets = names.map(|name| (SECRET_INPUT.to_owned(), name));
            request.attributes.extend(secrets);
        }
        let bytes = |(name, text): (String, String)| (name, text.into_bytes());
        request.inputs = inputs.into_iter().map(bytes).collect();
        request.target = target;
        request.limits = parts.plugins.helm.limits.clone();
        request.lookup = self.lookup.clone();
        request.wall_clock = u64::try_from(self.now.as_second()).unwrap_or_default();
        request
    }

    /// Runs what the spec names over the objects, then the common metadata, then the labels by which
    /// a release's objects are known.
    async fn post_render(&self, sources: Vec<Source>) -> Result<Vec<Source>, ContentError> {
        let object = self.object;
        let strategy = match object.spec.post_render_strategy() {
            PostRenderStrategy::NoHooks => Strategy::NoHooks,
            PostRenderStrategy::Separate => Strategy::Separate,
            _ => Strategy::Combined,
        };
        let steps = object.spec.post_renderers.iter().flatten();
        let steps: Vec<_> = steps.filter_map(|one| one.kustomize.as_ref()).collect();
        let transformers = &self.parts.plugins.transformers;
        let mut sources = sources;
        if !steps.is_empty() || !transformers.is_empty() {
            let steps = &steps;
            let rendered = post_render(sources, strategy, |text| self.steps(text, steps)).await;
            sources =
                rendered.map_err(|error| ContentError::PostRender(bulkhead_api::chain(&error)))?;
        }
        if let Some(common) = &object.spec.common_metadata {
            sources = set_metadata(sources, strategy, &common.labels, &common.annotations)?;
        }
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let labels = origin_labels(name, object.own_namespace());
        Ok(set_metadata(sources, strategy, &labels, &BTreeMap::new())?)
    }

    async fn steps(
        &self,
        text: String,
        steps: &[&KustomizePostRenderer],
    ) -> Result<String, ContentError> {
        let mut text = text;
        for step in steps {
            let kustomize = &self.parts.plugins.kustomize;
            let mut request = RenderRequest::new(Arc::new(patching(text, step)), "");
            request.target = self.target();
            request.limits = kustomize.limits.clone();
            text = joined(&kustomize.plugin.render(request).await?.documents);
        }
        for stage in &self.parts.plugins.transformers {
            let request = TransformRequest {
                config: stage.config.clone(),
                target: self.target(),
                limits: stage.plugin.limits.clone(),
                ..TransformRequest::new(apart(&text)?)
            };
            text = joined(&stage.plugin.plugin.transform(request).await?.documents);
        }
        Ok(text)
    }
}

/// Makes the folder in which kustomize patches.
fn patching(text: String, step: &KustomizePostRenderer) -> MemoryTree {
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [OBJECTS],
        "patches": step.patches,
        "images": step.images,
    });
    let files = [
        (OBJECTS, text),
        ("kustomization.yaml", kustomization.to_string()),
    ];
    // The names are good.
    MemoryTree::from_files(files).unwrap_or_default()
}

fn joined(documents: &[Document]) -> String {
    let texts: Vec<&str> = documents
        .iter()
        .map(|document| document.text.trim_end())
        .collect();
    texts.join("\n---\n") + "\n"
}

/// Takes a stream apart into documents: transformers are given JSON, a document an object.
fn apart(text: &str) -> Result<Vec<Document>, ContentError> {
    let documents = bulkhead_api::yaml::read(text).map_err(ContentError::Documents)?;
    let objects = documents.into_iter().map(|document| document.value);
    let objects = objects.filter(|object| !object.is_null());
    Ok(objects
        .map(|object| Document {
            text: object.to_string(),
            origin: None,
        })
        .collect())
}
