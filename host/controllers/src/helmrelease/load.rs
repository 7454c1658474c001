//! Gathers what a release needs: dependencies, the source, values, the chart, plugins.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::duration::go_text;
use bulkhead_api::helmrelease::{ChartReferenceKind, HelmRelease};
use bulkhead_api::meta::{Artifact, Condition};
use bulkhead_api::names::condition::{READY, STALLED};
use bulkhead_api::source::{HelmChart, OCIRepository};
use bulkhead_api::{StatusFields as _, conditions};
use bulkhead_apply::health::Checks;
use bulkhead_apply::release::values_digest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::chart::{self, ARCHIVE_MAX_BYTES, Chart};
use super::content::Parts;
use super::digests;
use super::error::ReleaseError;
use super::options;
use super::plugins::Plugins;
use super::state::Wanted;
use super::values;
use crate::catalogue::User;
use crate::context::Context;
use crate::expressions::{self, ExpressionError};
use crate::index::SourceId;
use crate::queue::Key;
use crate::sources::{ArtifactError, read_artifact};
use crate::status::{self, WriteError};
use crate::watch::key_of;

/// Longest time for loading an archive from another controller.
const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is said of a source that was changed and not reconciled since.
const NOT_RECONCILED: &str = "latest generation of object has not been reconciled";

/// What there is.
pub(super) struct Observed {
    /// What is to be installed.
    pub(super) wanted: Wanted,
    /// What it is made of.
    pub(super) parts: Parts,
}

/// Returns the object, with the finalizer; `None` when there is none to reconcile.
pub(super) async fn object(
    context: &Context,
    key: &Key,
) -> Result<Option<Arc<HelmRelease>>, WriteError> {
    let (client, store) = (context.clients.own(), &context.helm_releases.store);
    match store.get(key) {
        None => {
            if let Some(broken) = store.broken(key) {
                status::write_broken::<HelmRelease>(client, &broken).await?;
            }
            Ok(None)
        }
        Some(object) if object.metadata.deletion_timestamp.is_some() => Ok(Some(object)),
        Some(object) => status::add_finalizer(client, store, &object)
            .await
            .map(Some),
    }
}

/// Refuses what cannot be used, by the name of the field.
pub(super) fn check(object: &HelmRelease) -> Result<(), ReleaseError> {
    let spec = &object.spec;
    options::readiness(spec)?;
    Checks::new(&spec.health_check_exprs)?;
    spec.interval()?;
    spec.timeout()?;
    let unreadable = object.status.unreadable();
    let vital =
        |field: &&String| ["status", "history", "storageNamespace"].contains(&field.as_str());
    match unreadable.iter().find(vital) {
        Some(field) => Err(ReleaseError::Status(field.clone())),
        None => Ok(()),
    }
}

/// Refuses references into other namespaces where they are forbidden.
pub(super) fn allow(
    object: &HelmRelease,
    context: &Context,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<(), ReleaseError> {
    match context.settings.no_cross_namespace_refs && namespace != object.own_namespace() {
        true => Err(ReleaseError::AccessDenied(format!(
            "{kind} {namespace}/{name}"
        ))),
        false => Ok(()),
    }
}

/// Names the source of an object, for who tells of its artifacts.
pub fn source_id(object: &HelmRelease) -> Option<SourceId> {
    let spec = &object.spec;
    if let Some(reference) = &spec.chart_ref {
        let namespace = reference
            .namespace
            .as_deref()
            .unwrap_or(object.own_namespace());
        let key = Key::new(namespace, &reference.name);
        return match reference.kind {
            ChartReferenceKind::OciRepository => Some(SourceId::new::<OCIRepository>(key)),
            ChartReferenceKind::HelmChart => Some(SourceId::new::<HelmChart>(key)),
            ChartReferenceKind::ExternalArtifact => Some(SourceId::external(key)),
            ChartReferenceKind::Other(_) => None,
        };
    }
    let (namespace, name) = object.chart_name()?;
    Some(SourceId::new::<HelmChart>(Key::new(&namespace, &name)))
}

/// Reads what the object refers to, in the order of upstream: who is not ready first is told.
/// `generation` is that of the HelmChart that was just applied, if one was.
pub(super) async fn observe(
    object: &HelmRelease,
    context: &Context,
    generation: Option<i64>,
) -> Result<Observed, ReleaseError> {
    dependencies(object, context)?;
    let source = source(object, context, generation)?;
    let values = values::resolve(object, context.clients.own()).await?;
    let chart = load(object, context, &source).await?;
    let user = User::new(HelmRelease::KIND, &key_of(object));
    let plugins = Plugins::find(object, &context.catalogue, Some(&user))?;
    let oci_digest = match &source.is_tracked {
        true => chart::digest_in(&source.artifact.revision).to_owned(),
        false => String::new(),
    };
    Ok(Observed {
        wanted: Wanted {
            chart_name: chart.name.clone(),
            chart_version: chart.version.clone(),
            app_version: chart.app_version.clone(),
            config_digest: values_digest(&values.merged).to_string(),
            oci_digest: oci_digest.clone(),
            post_renderers: digests::post_renderers(&object.spec),
            common_metadata: digests::common_metadata(&object.spec),
        },
        parts: Parts {
            chart,
            values,
            plugins,
            oci_digest,
        },
    })
}

/// Looks for the first dependency that is not ready. Who waits is noted before it is looked at, so
/// that no event in between is lost.
fn dependencies(object: &HelmRelease, context: &Context) -> Result<(), ReleaseError> {
    let own = key_of(object);
    for one in &object.spec.depends_on {
        let namespace = one.namespace.as_deref().unwrap_or(object.own_namespace());
        let key = Key::new(namespace, &one.name);
        context.releases.wait(&own, &key);
        let Some(found) = context.helm_releases.store.get(&key) else {
            let told = format!(
                "unable to get '{key}' dependency: helmreleases.helm.toolkit.fluxcd.io \"{}\" not found",
                one.name
            );
            return Err(ReleaseError::Dependency(told));
        };
        let expression = one.ready_expr.as_deref().filter(|text| !text.is_empty());
        if let Some(text) = expression {
            by_expression(object, &found, &key, text)?;
            continue;
        }
        let is_current = found.metadata.generation == Some(found.status.observed_generation);
        if !is_current || !conditions::is_true(&found.status.conditions, READY) {
            return Err(ReleaseError::Dependency(format!(
                "dependency '{key}' is not ready"
            )));
        }
    }
    Ok(())
}

/// Asks the expression whether a dependency is ready. It takes the place of all else, as in Flux.
fn by_expression(
    object: &HelmRelease,
    found: &HelmRelease,
    key: &Key,
    text: &str,
) -> Result<(), ReleaseError> {
    let value = |object: &HelmRelease| serde_json::to_value(object).unwrap_or_default();
    match expressions::ready(text, &key.name, &value(object), &value(found)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(ReleaseError::Dependency(format!(
            "dependency '{key}' is not ready according to readyExpr eval"
        ))),
        Err(ExpressionError::Invalid(told)) => {
            Err(ReleaseError::Expression(format!("terminal error: {told}")))
        }
        Err(ExpressionError::Failed(told)) => Err(ReleaseError::Dependency(told)),
    }
}

/// The source, with an artifact.
struct Source {
    artifact: Artifact,
    /// Whether the digest of the artifact becomes part of the chart's version.
    is_tracked: bool,
}

fn source(
    object: &HelmRelease,
    context: &Context,
    generation: Option<i64>,
) -> Result<Source, ReleaseError> {
    let (kind, key) = match (&object.spec.chart_ref, object.chart_name()) {
        (Some(reference), _) => {
            let namespace = reference
                .namespace
                .as_deref()
                .unwrap_or(object.own_namespace());
            (reference.kind.clone(), Key::new(namespace, &reference.name))
        }
        (None, Some((namespace, name))) => {
            (ChartReferenceKind::HelmChart, Key::new(&namespace, &name))
        }
        (None, None) => {
            let told = "neither spec.chart nor spec.chartRef is set";
            return Err(ReleaseError::NoSource(told.to_owned()));
        }
    };
    allow(object, context, kind.as_str(), &key.namespace, &key.name)?;
    let told = |problem: &str| {
        ReleaseError::SourceNotReady(format!("{kind} '{key}' is not ready: {problem}"))
    };
    let missing = || {
        let told = format!("{kind}.source.toolkit.fluxcd.io \"{}\" not found", key.name);
        ReleaseError::NoSource(told)
    };
    let is_tracked = kind == ChartReferenceKind::OciRepository;
    let artifact = match kind {
        ChartReferenceKind::HelmChart => {
            let found = context.helm_charts.store.get(&key);
            let Some(found) = found else {
                // The one that was just made is not seen yet.
                return Err(match object.spec.chart_ref {
                    Some(_) => missing(),
                    None => told("does not have an artifact"),
                });
            };
            // Nor is the change that was just made: what is there is of the spec before.
            if found.metadata.generation < generation {
                return Err(told(NOT_RECONCILED));
            }
            let status = &found.status;
            let all = (status.conditions.as_slice(), status.observed_generation);
            ready(&found.metadata, all, &status.artifact).map_err(|problem| told(&problem))?
        }
        ChartReferenceKind::OciRepository => {
            let found = context
                .oci_repositories
                .store
                .get(&key)
                .ok_or_else(missing)?;
            let status = &found.status;
            let all = (status.conditions.as_slice(), status.observed_generation);
            ready(&found.metadata, all, &status.artifact).map_err(|problem| told(&problem))?
        }
        ChartReferenceKind::ExternalArtifact => {
            // Its conditions are another controller's: the artifact alone counts, as in Flux.
            let found = context.external_artifacts.get(&key).ok_or_else(missing)?;
            let artifact = found.status.artifact.clone();
            artifact.ok_or_else(|| told("does not have an artifact"))?
        }
        ChartReferenceKind::Other(_) => {
            return Err(ReleaseError::Unsupported("spec.chartRef.kind"));
        }
    };
    Ok(Source {
        artifact,
        is_tracked,
    })
}

fn ready(
    metadata: &ObjectMeta,
    (all, observed): (&[Condition], i64),
    artifact: &Option<Artifact>,
) -> Result<Artifact, String> {
    let message = |type_: &str, status: &str| {
        let found = conditions::get(all, type_).filter(|one| one.status == status);
        found.map(|one| one.message.clone())
    };
    if metadata.generation != Some(observed) {
        return Err(message(READY, "False").unwrap_or_else(|| NOT_RECONCILED.to_owned()));
    }
    if let Some(text) = message(STALLED, "True") {
        return Err(text);
    }
    let lacks = || "does not have an artifact".to_owned();
    artifact.clone().ok_or_else(lacks)
}

/// Loads the chart, or takes the one that was loaded: releases of one chart share it.
async fn load(
    object: &HelmRelease,
    context: &Context,
    source: &Source,
) -> Result<Arc<Chart>, ReleaseError> {
    let Source {
        artifact,
        is_tracked,
    } = source;
    let key = key_of(object);
    let revision = is_tracked.then(|| artifact.revision.clone());
    let identity = format!(
        "{} {}",
        artifact.digest,
        revision.as_deref().unwrap_or_default()
    );
    if let Some(known) = context.releases.chart(&key, &identity) {
        return Ok(known);
    }
    let read = read_artifact(
        &context.archives,
        artifact,
        ARCHIVE_MAX_BYTES,
        ARCHIVE_TIMEOUT,
    );
    let archive = read.await.map_err(|error| match error {
        ArtifactError::NotFound { .. } | ArtifactError::Mismatch { .. } => {
            ReleaseError::ArtifactGone(go_text(context.settings.requeue_dependency))
        }
        error => ReleaseError::from(error),
    })?;
    let read = tokio::task::spawn_blocking(move || Chart::read(archive, revision.as_deref()));
    let lost = |error: tokio::task::JoinError| {
        ReleaseError::from(chart::ChartError::Lost(error.to_string()))
    };
    let chart = read.await.map_err(lost)?.map_err(ReleaseError::from)?;
    Ok(context.releases.keep(&key, identity, chart))
}
