//! The HelmChart of a release that has a template of one: made by server-side apply, deleted when
//! there is no template any more.
//!
//! # Source
//! `HelmChartTemplate` of helm-controller 1.6.

use std::collections::BTreeMap;

use bulkhead_api::duration::go_text;
use bulkhead_api::event::Severity;
use bulkhead_api::helmrelease::{ChartTemplate, HelmRelease};
use bulkhead_api::names::{label, manager};
use bulkhead_api::reason::helm as reason;
use bulkhead_api::source::HelmChart;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::error::ReleaseError;
use crate::client::is_not_found;
use crate::context::Context;
use crate::queue::Key;
use crate::report::Report;

/// How the annotations by which people ask for a reconciliation begin.
const REQUESTS: &str = "reconcile.fluxcd.io/";

/// Returns the HelmChart that the object wants, as it is applied; `None` without a template.
pub(super) fn wanted(object: &HelmRelease) -> Option<Value> {
    let ChartTemplate { metadata, spec } = object.spec.chart.as_ref()?;
    let (namespace, name) = object.chart_name()?;
    let metadata = metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels;
    let own = object.metadata.name.clone().unwrap_or_default();
    labels.extend([
        (label::HELM_RELEASE_NAME.to_owned(), own),
        (
            label::HELM_RELEASE_NAMESPACE.to_owned(),
            object.own_namespace().to_owned(),
        ),
    ]);
    let interval = spec.interval.as_ref().unwrap_or(&object.spec.interval);
    // As Go writes it, so that neither engine changes what the other applied.
    let interval = interval
        .get()
        .map_or(json!(interval), |one| json!(go_text(one)));
    let mut wanted = json!({
        "apiVersion": format!("{}/{}", HelmChart::GROUP, HelmChart::VERSION),
        "kind": HelmChart::KIND,
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
        "spec": {
            "chart": spec.chart,
            "sourceRef": { "kind": spec.source_ref.kind, "name": spec.source_ref.name },
            "interval": interval,
        },
    });
    if !metadata.annotations.is_empty() {
        wanted["metadata"]["annotations"] = json!(metadata.annotations);
    }
    let fields = &mut wanted["spec"];
    if let Some(version) = &spec.version {
        fields["version"] = json!(version);
    }
    if let Some(strategy) = &spec.reconcile_strategy {
        fields["reconcileStrategy"] = json!(strategy);
    }
    if !spec.values_files.is_empty() {
        fields["valuesFiles"] = json!(spec.values_files);
    }
    if spec.ignore_missing_values_files {
        fields["ignoreMissingValuesFiles"] = json!(true);
    }
    if let Some(verify) = &spec.verify {
        fields["verify"] = json!(verify);
    }
    Some(wanted)
}

/// Returns the HelmChart that the object's template makes; `None` without one.
pub fn chart_of(object: &HelmRelease) -> Option<HelmChart> {
    serde_json::from_value(wanted(object)?).ok()
}

/// Tells whether `found` has what `wanted` says and nothing more: applying it would change nothing.
fn is_in_sync(wanted: &Value, found: &HelmChart) -> bool {
    let Ok(spec) = serde_json::to_value(&found.spec) else {
        return false;
    };
    // Neither less nor more: what is no longer wanted goes by an apply, which leaves alone what others
    // have set. Requests are no part of the template.
    let is_request = |key: &str| key.starts_with(REQUESTS);
    let has = |map: Option<&BTreeMap<String, String>>, field: &str| {
        let wanted = wanted["metadata"][field].as_object();
        let wanted = wanted.into_iter().flatten();
        let wanted: BTreeMap<&str, &str> = wanted
            .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
            .collect();
        let found = map.into_iter().flatten();
        let found = found.map(|(key, value)| (key.as_str(), value.as_str()));
        found
            .filter(|(key, _)| !is_request(key))
            .eq(wanted.into_iter().filter(|(key, _)| !is_request(key)))
    };
    let is_default = |field: &str, value: &Value| {
        matches!(
            (field, value.as_str()),
            ("version", Some("*")) | ("reconcileStrategy", Some("ChartVersion"))
        )
    };
    let (Some(wanted_spec), Some(found_spec)) = (wanted["spec"].as_object(), spec.as_object())
    else {
        return false;
    };
    let same = |(field, value): (&String, &Value)| match wanted_spec.get(field) {
        Some(wanted) => wanted == value,
        None => is_default(field, value),
    };
    found_spec.iter().all(same)
        && wanted_spec
            .keys()
            .all(|field| found_spec.contains_key(field))
        && has(found.metadata.labels.as_ref(), "labels")
        && has(found.metadata.annotations.as_ref(), "annotations")
}

/// What became of the HelmChart of an object.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Namespace and name of the HelmChart that there is now: the new `status.helmChart`.
    pub(super) chart: Option<String>,
    /// Its generation, where it was applied just now.
    pub(super) generation: Option<i64>,
    /// What is told of it.
    pub(super) reports: Vec<Report>,
}

/// Makes the HelmChart, or deletes the one that is not wanted any more.
pub(super) async fn reconcile(
    object: &HelmRelease,
    context: &Context,
) -> Result<Made, ReleaseError> {
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    let wanted = wanted(object).filter(|_| !is_deleted);
    let place = object.chart_name().filter(|_| wanted.is_some());
    let now = place
        .as_ref()
        .map(|(namespace, name)| format!("{namespace}/{name}"));
    let mut made = Made::default();
    if let Some((namespace, name)) = object.status.helm_chart()
        && object.status.helm_chart != now
    {
        delete(object, context, (namespace, name), &mut made).await?;
    }
    let (Some(wanted), Some((namespace, name))) = (wanted, place) else {
        return Ok(made);
    };
    super::load::allow(object, context, HelmChart::KIND, &namespace, &name)?;
    let key = Key::new(&namespace, &name);
    let found = context.helm_charts.store.get(&key);
    if !found
        .as_ref()
        .is_some_and(|found| is_in_sync(&wanted, found))
    {
        let api: Api<HelmChart> = Api::namespaced(context.clients.own().clone(), &namespace);
        let parameters = PatchParams::apply(manager::HELM).force();
        let applied = api
            .patch_metadata(&name, &parameters, &Patch::Apply(&wanted))
            .await;
        let applied = applied.map_err(ReleaseError::from)?.metadata;
        made.generation = applied.generation;
        made.chart = now;
        let before = found.as_ref().map(|found| &found.metadata.resource_version);
        if before == Some(&applied.resource_version) {
            return Ok(made);
        }
        let kind = wanted["spec"]["sourceRef"]["kind"]
            .as_str()
            .unwrap_or_default();
        let source = wanted["spec"]["sourceRef"]["name"]
            .as_str()
            .unwrap_or_default();
        let (word, why) = match found {
            None => ("Created", reason::HELM_CHART_CREATED),
            Some(_) => ("Configured", reason::HELM_CHART_CONFIGURED),
        };
        let text = format!(
            "{word} HelmChart/{namespace}/{name} with SourceRef '{kind}/{namespace}/{source}'"
        );
        tracing::info!("{text}");
        made.reports.push(trace(why, text));
        return Ok(made);
    }
    made.chart = now;
    Ok(made)
}

/// Reports a detail.
fn trace(reason: &str, text: String) -> Report {
    Report {
        severity: Severity::Trace,
        ..Report::info(reason, text)
    }
}

async fn delete(
    object: &HelmRelease,
    context: &Context,
    (namespace, name): (&str, &str),
    made: &mut Made,
) -> Result<(), ReleaseError> {
    super::load::allow(object, context, HelmChart::KIND, namespace, name)?;
    let api: Api<HelmChart> = Api::namespaced(context.clients.own().clone(), namespace);
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => {
            let text = format!("deleted HelmChart '{namespace}/{name}'");
            made.reports.push(trace(reason::HELM_CHART_DELETED, text));
            Ok(())
        }
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn release() -> HelmRelease {
        let object = json!({
            "metadata": { "name": "web", "namespace": "apps" },
            "spec": {
                "interval": "10m",
                "chart": {
                    "metadata": { "labels": { "team": "x" } },
                    "spec": {
                        "chart": "podinfo",
                        "version": "6.x",
                        "sourceRef": { "kind": "HelmRepository", "name": "podinfo", "namespace": "sources" },
                    },
                },
            },
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_template_becomes_a_chart_beside_its_source() {
        let wanted = wanted(&release()).unwrap();
        assert_eq!(
            wanted["metadata"],
            json!({
                "name": "apps-web",
                "namespace": "sources",
                "labels": {
                    "helm.toolkit.fluxcd.io/name": "web",
                    "helm.toolkit.fluxcd.io/namespace": "apps",
                    "team": "x",
                },
            })
        );
        assert_eq!(wanted["spec"]["interval"], "10m0s", "as Flux writes it");
        assert_eq!(
            wanted["spec"]["sourceRef"],
            json!({ "kind": "HelmRepository", "name": "podinfo" })
        );
    }

    #[test]
    fn a_chart_that_has_all_is_not_applied_again() {
        let wanted = wanted(&release()).unwrap();
        let mut found = wanted.clone();
        found["spec"]["reconcileStrategy"] = "ChartVersion".into();
        let of = |found: &Value| serde_json::from_value::<HelmChart>(found.clone()).unwrap();
        assert!(is_in_sync(&wanted, &of(&found)));
        found["spec"]["version"] = "*".into();
        assert!(
            !is_in_sync(&wanted, &of(&found)),
            "a default that is not wanted"
        );
        let mut found = wanted.clone();
        found["spec"]["valuesFiles"] = json!(["a.yaml"]);
        assert!(
            !is_in_sync(&wanted, &of(&found)),
            "a field that is no longer wanted"
        );
        let mut found = wanted.clone();
        found["spec"]["version"] = "5.x".into();
        assert!(!is_in_sync(&wanted, &of(&found)));
        let mut found = wanted.clone();
        found["metadata"]["labels"] = json!({});
        assert!(!is_in_sync(&wanted, &of(&found)));
        let mut found = wanted.clone();
        found["metadata"]["labels"]["gone"] = "x".into();
        assert!(
            !is_in_sync(&wanted, &of(&found)),
            "a label that is no longer wanted"
        );
        let mut found = wanted.clone();
        found["metadata"]["annotations"] = json!({ "reconcile.fluxcd.io/requestedAt": "now" });
        assert!(is_in_sync(&wanted, &of(&found)), "a request");
    }
}
