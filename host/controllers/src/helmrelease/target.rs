//! Whether an object still means the same release, and whether what failed before may be tried again.
//! Pure.
//!
//! # Source
//! `ReleaseTargetChanged` and `MustResetFailures` of helm-controller 1.6.

use bulkhead_api::helmrelease::{ChartNameChangeStrategy, HelmRelease, HelmReleaseStatus};
use bulkhead_api::meta::requested_at;
use bulkhead_api::names::annotation;
use bulkhead_apply::release::shorten_name;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::history;
use super::state::Wanted;

/// Says what of the release has another name than the last one, so that the last one must go first.
pub(super) fn change(
    object: &HelmRelease,
    status: &HelmReleaseStatus,
    chart_name: &str,
) -> Option<&'static str> {
    let storage = status.storage_namespace.as_deref()?;
    let latest = history::latest(&status.history)?;
    let keeps = object.spec.upgrade().chart_name_change_strategy
        == Some(ChartNameChangeStrategy::InPlaceUpdate);
    if object.storage_namespace() != storage {
        Some("storage namespace")
    } else if object.release_namespace() != latest.namespace {
        Some("release namespace")
    } else if shorten_name(&object.release_name()) != latest.name {
        Some("release name")
    } else if chart_name != latest.chart_name && !keeps {
        Some("chart name")
    } else {
        None
    }
}

/// Says why the failures that were counted no longer count.
pub(super) fn reset(
    object: &HelmRelease,
    status: &HelmReleaseStatus,
    wanted: &Wanted,
    reset_requested: bool,
) -> Option<&'static str> {
    let revision = status
        .last_attempted_revision
        .as_deref()
        .unwrap_or_default();
    let digest = status.last_attempted_config_digest.as_deref();
    if Some(status.last_attempted_generation) != object.metadata.generation {
        Some("generation differs from last attempt")
    } else if revision != wanted.chart_version {
        Some("chart version differs from last attempt")
    } else if digest.is_some_and(|digest| digest != wanted.config_digest)
        || (digest.is_none() && status.last_attempted_values_checksum.is_some())
    {
        Some("values differ from last attempt")
    } else if reset_requested {
        Some("reset requested through annotation")
    } else {
        None
    }
}

/// A request by annotation that comes with a reconciliation, and counts once.
///
/// Returns whether it is to be handled. `handled` becomes the value even where it is not.
pub(super) fn take_request(
    meta: &ObjectMeta,
    name: &str,
    last_reconciled: Option<&str>,
    handled: &mut Option<String>,
) -> bool {
    let annotations = meta.annotations.as_ref();
    let Some(value) = annotations.and_then(|all| all.get(name)) else {
        return false;
    };
    let is_old = handled.as_deref() == Some(value);
    *handled = Some(value.clone());
    let requested = requested_at(meta);
    !is_old && requested == Some(value) && requested != last_reconciled
}

/// [`take_request`] of an install or upgrade in any case.
pub(super) fn take_force(object: &HelmRelease, status: &mut HelmReleaseStatus) -> bool {
    let last = status.last_handled_reconcile_at.clone();
    let handled = &mut status.last_handled_force_at;
    let name = annotation::FORCE_REQUESTED_AT;
    take_request(&object.metadata, name, last.as_deref(), handled)
}

/// [`take_request`] of forgetting failures.
pub(super) fn take_reset(object: &HelmRelease, status: &mut HelmReleaseStatus) -> bool {
    let last = status.last_handled_reconcile_at.clone();
    let handled = &mut status.last_handled_reset_at;
    let name = annotation::RESET_REQUESTED_AT;
    take_request(&object.metadata, name, last.as_deref(), handled)
}
