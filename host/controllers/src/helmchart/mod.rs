//! HelmChart: finds a chart in a repository, or packs one from the files of a Git repository, and
//! stores it with the version, values and dependencies that it is to have.

mod act;
mod charts;
mod decide;
mod error;
mod load;
mod once;
mod repositories;
mod said;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::meta::requested_at;
use bulkhead_api::source::{
    ChartSourceKind, GitRepository, HelmChart, HelmChartStatus, HelmRepository,
};

use crate::clock;
use crate::context::Context;
use crate::index::SourceId;
use crate::queue::{Again, Class, Key};
use crate::sources::{self, Outcome, report};
use crate::status::WriteError;
use crate::watch::key_of;

pub use error::ChartError;
pub use once::{Origin, build};
pub use shelf::Shelf;

/// Reconciles the object `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(
    context: Arc<Context>,
    key: Key,
    _class: Class,
) -> Result<Again, WriteError> {
    let Some(object) = sources::object::<HelmChart>(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&object, &key, &context).await;
    let source_revision = observed.source_revision();
    let decision = decide::decide(&object, &observed);
    let (outcome, made) = act::run(&object, &key, decision, &observed, &context).await;
    if let Some(left) = silent_for(&object, &key, &outcome, &context) {
        return Ok(Again::After(left, Class::Dependency));
    }
    let observe = |status: &mut HelmChartStatus| note(&object, made, status);
    let mut next = sources::next(&*object, &outcome, &context.archives, clock::now(), observe);
    if source_revision.is_some() {
        next.observed_source_artifact_revision = source_revision;
    }
    let written = report::publish(&context, &key, &object, next, &outcome).await?;
    Ok(report::again(&context, &key, &*written, &outcome))
}

/// Returns how long nothing is said yet of a source that has no artifact. Who asked is told at once.
fn silent_for(
    object: &HelmChart,
    key: &Key,
    outcome: &Outcome<ChartError>,
    context: &Context,
) -> Option<Duration> {
    let silence = &context.helm_charts.silence;
    let waits = matches!(outcome.result, Err(ChartError::NoArtifact { .. }))
        && requested_at(&object.metadata) == object.status.last_handled_reconcile_at.as_deref();
    if !waits {
        silence.over(key);
        return None;
    }
    silence.left(key)
}

/// What a new artifact was made of.
#[derive(Debug, Default)]
struct Made {
    name: String,
    values_files: Vec<String>,
}

/// Notes what a new artifact was made of.
fn note(object: &HelmChart, made: Made, status: &mut HelmChartStatus) {
    status.observed_chart_name = Some(made.name);
    status.observed_values_files = match object.spec.ignore_missing_values_files {
        true => made.values_files,
        false => Vec::new(),
    };
}

/// Names the source of a chart; `None` for one of a kind that is not supported.
pub(crate) fn source_id(object: &HelmChart) -> Option<SourceId> {
    let own = key_of(object);
    let key = Key::new(&own.namespace, &object.spec.source_ref.name);
    match object.spec.source_ref.kind {
        ChartSourceKind::HelmRepository => Some(SourceId::new::<HelmRepository>(key)),
        ChartSourceKind::GitRepository => Some(SourceId::new::<GitRepository>(key)),
        ChartSourceKind::Bucket | ChartSourceKind::Other(_) => None,
    }
}
