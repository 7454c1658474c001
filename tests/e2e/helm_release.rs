//! HelmRelease: charts of a web server become releases that Helm's records tell of, on a real API
//! server.

use std::time::Duration;

use anyhow::Result;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::source::{HelmChart, HelmRepository, HelmRepositorySpec};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::artifacts::chart;
use crate::helm_stage;
use crate::manager::world;
use crate::shelf::Shelf;
use crate::space::{Space, condition, is_ready, ready};

const VALUES: &str = "text: one\nbroken: false\n";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n\
                   data:\n  text: {{ .Values.text | quote }}\n  chart: {{ .Chart.Version | quote }}\n";
/// Never ready: nothing runs pods here.
const NEVER: &str = "{{- if .Values.broken }}\napiVersion: apps/v1\nkind: Deployment\n\
                     metadata:\n  name: {{ .Release.Name }}-never\nspec:\n  selector:\n    \
                     matchLabels: {app: never}\n  template:\n    metadata:\n      \
                     labels: {app: never}\n    spec:\n      containers:\n      - name: a\n        \
                     image: example.com/never:1\n{{- end }}\n";

/// A namespace with a HelmRepository `charts` of the chart `web`, in two versions.
pub(crate) async fn stage(prefix: &str) -> Result<(Space, Shelf)> {
    let world = world().await?;
    let space = Space::new(world.cluster, prefix).await?;
    let shelf = Shelf::open().await?;
    let files = [
        ("values.yaml", VALUES),
        ("templates/map.yaml", MAP),
        ("templates/never.yaml", NEVER),
    ];
    let one = chart("web", "1.0.0", &files)?;
    let two = chart("web", "1.1.0", &files)?;
    shelf.put_charts(&[("web", "1.0.0", &one), ("web", "1.1.0", &two)]);
    let spec = HelmRepositorySpec::new(shelf.url(), Duration::from_secs(1));
    let object = HelmRepository::new(&space.namespace, "charts", spec);
    space.create(&object).await?;
    Ok((space, shelf))
}

/// Creates the HelmRelease `web` of version 1.0.0 of the chart, with these fields more.
pub(crate) async fn release(space: &Space, fields: Value) -> Result<()> {
    let mut spec = json!({
        "interval": "1h",
        "chart": { "spec": {
            "chart": "web",
            "version": "1.0.0",
            "interval": "1s",
            "sourceRef": { "kind": "HelmRepository", "name": "charts" },
        }},
    });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let object = json!({
        "metadata": { "name": "web", "namespace": space.namespace },
        "spec": spec,
    });
    let object: HelmRelease = serde_json::from_value(object)?;
    space.create(&object).await.map(drop)
}

/// Waits until `web` is Ready at a version, for its generation.
pub(crate) async fn deployed(space: &Space, version: i64) -> Result<HelmRelease> {
    helm_stage::deployed(space, "web", version).await
}

/// Waits until Ready of `web` has this reason; returns its message.
pub(crate) async fn told(space: &Space, reason: &str) -> Result<(HelmRelease, String)> {
    helm_stage::told(space, "web", reason).await
}

pub(crate) async fn records(space: &Space) -> Result<Vec<String>> {
    let secrets = space.api::<Secret>();
    let list = ListParams::default().labels("owner=helm,name=web");
    let mut found: Vec<String> = secrets
        .list(&list)
        .await?
        .into_iter()
        .map(|secret| {
            let labels = secret.metadata.labels.unwrap_or_default();
            format!("{} {}", secret.metadata.name.unwrap(), labels["status"])
        })
        .collect();
    found.sort();
    Ok(found)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_is_installed_upgraded_and_removed() -> Result<()> {
    let (space, _shelf) = stage("release").await?;
    release(&space, json!({})).await?;
    let found = deployed(&space, 1).await?;
    let name = &space.namespace;
    let text = format!("Helm install succeeded for release {name}/web.v1 with chart web@1.0.0");
    assert_eq!(ready(&found.status.conditions).unwrap().message, text);
    assert_eq!(
        ready(&found.status.conditions).unwrap().reason,
        "InstallSucceeded"
    );
    assert_eq!(condition(&found.status.conditions, "Reconciling"), None);
    space.event("web", "InstallSucceeded", &text).await?;
    let helm_chart = format!("{name}-web");
    let place = format!("{name}/{helm_chart}");
    assert_eq!(found.status.helm_chart.as_deref(), Some(place.as_str()));
    let made = space.api::<HelmChart>().get(&helm_chart).await?;
    assert_eq!(
        made.metadata.labels.unwrap()["helm.toolkit.fluxcd.io/name"],
        "web"
    );
    assert_eq!(
        found.status.last_attempted_revision.as_deref(),
        Some("1.0.0")
    );
    let inventory = found.status.inventory.unwrap();
    assert_eq!(inventory.entries[0].id, format!("{name}_web__ConfigMap"));
    let map = space.wait_value("web", "text", "one").await?;
    let labels = map.metadata.labels.unwrap();
    assert_eq!(labels["helm.toolkit.fluxcd.io/name"], "web");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm");
    assert_eq!(
        records(&space).await?,
        ["sh.helm.release.v1.web.v1 deployed"]
    );

    let chart = json!({ "spec": { "version": "1.1.0" } });
    let patch = json!({ "spec": { "values": { "text": "two" }, "chart": chart } });
    space.patch::<HelmRelease>("web", patch).await?;
    let is_second = |found: &HelmRelease| {
        let entry = found.status.history.first();
        is_ready(&found.status.conditions)
            && entry.is_some_and(|entry| entry.chart_version == "1.1.0")
    };
    let found = space.wait("web", "at 1.1.0", is_second).await?;
    assert_eq!(
        ready(&found.status.conditions).unwrap().reason,
        "UpgradeSucceeded"
    );
    let map = space.wait_value("web", "text", "two").await?;
    assert_eq!(map.data.unwrap()["chart"], "1.1.0");

    // Asked for without a change, nothing is made; forced, a version is.
    let version = found.status.history[0].version;
    space.request::<HelmRelease>("web", "now").await?;
    let is_handled =
        |found: &HelmRelease| found.status.last_handled_reconcile_at.as_deref() == Some("now");
    let found = space.wait("web", "handled", is_handled).await?;
    assert_eq!(found.status.history[0].version, version);
    let annotations = json!({
        "reconcile.fluxcd.io/requestedAt": "later",
        "reconcile.fluxcd.io/forceAt": "later",
    });
    let patch = json!({ "metadata": { "annotations": annotations } });
    space.patch::<HelmRelease>("web", patch).await?;
    let found = deployed(&space, version + 1).await?;
    assert_eq!(found.status.last_handled_force_at.as_deref(), Some("later"));

    space.delete::<HelmRelease>("web").await?;
    space.wait_gone::<HelmRelease>("web").await?;
    space.wait_gone::<ConfigMap>("web").await?;
    space.wait_gone::<HelmChart>(&helm_chart).await?;
    assert_eq!(records(&space).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_failed_upgrade_is_rolled_back() -> Result<()> {
    let (space, _shelf) = stage("rollback").await?;
    let fields = json!({
        "timeout": "2s",
        "upgrade": { "remediation": { "retries": 0, "remediateLastFailure": true } },
    });
    release(&space, fields).await?;
    deployed(&space, 1).await?;
    let patch = json!({ "spec": { "values": { "broken": true, "text": "two" } } });
    space.patch::<HelmRelease>("web", patch).await?;
    let (found, message) = told(&space, "RollbackSucceeded").await?;
    let name = &space.namespace;
    let text =
        format!("Helm rollback to previous release {name}/web.v1 with chart web@1.0.0 succeeded");
    assert_eq!(message, text);
    let failed = format!("Helm upgrade failed for release {name}/web with chart web@1.0.0: ");
    space.event("web", "UpgradeFailed", &failed).await?;
    let is_stalled = |found: &HelmRelease| {
        condition(&found.status.conditions, "Stalled")
            .is_some_and(|one| one.reason == "RetriesExceeded")
    };
    let stalled = space.wait("web", "stalled", is_stalled).await?;
    let told = condition(&stalled.status.conditions, "Stalled").unwrap();
    assert_eq!(told.message, "Failed to upgrade after 1 attempt(s)");
    assert_eq!(stalled.status.upgrade_failures, 1);
    assert_eq!(found.status.history[0].version, 3);
    space.wait_value("web", "text", "one").await?;
    space.wait_gone::<Deployment>("web-never").await?;
    let wanted = [
        "sh.helm.release.v1.web.v1 superseded",
        "sh.helm.release.v1.web.v2 failed",
        "sh.helm.release.v1.web.v3 deployed",
    ];
    assert_eq!(records(&space).await?, wanted);

    // What is wanted then clears it.
    let patch = json!({ "spec": { "values": { "broken": false, "text": "three" } } });
    space.patch::<HelmRelease>("web", patch).await?;
    let found = deployed(&space, 4).await?;
    assert_eq!(condition(&found.status.conditions, "Stalled"), None);
    assert_eq!(found.status.upgrade_failures, 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn values_come_from_maps_and_secrets() -> Result<()> {
    let (space, _shelf) = stage("values").await?;
    let from = json!([
        { "kind": "ConfigMap", "name": "common" },
        { "kind": "Secret", "name": "secret", "valuesKey": "word", "targetPath": "text" },
        { "kind": "Secret", "name": "none", "optional": true },
    ]);
    release(&space, json!({ "valuesFrom": from })).await?;
    let (_, message) = told(&space, "ValuesError").await?;
    let start = format!(
        "could not resolve ConfigMap chart values reference '{}/common' with key 'values.yaml'",
        space.namespace
    );
    assert!(message.starts_with(&start), "{message}");
    space.secret("secret", &[("word", "hidden")]).await?;
    let map: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": "common" },
        "data": { "values.yaml": "text: common\n" },
    }))?;
    space.create(&map).await?;
    deployed(&space, 1).await?;
    space.wait_value("web", "text", "hidden").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_is_taken_over_without_a_new_version() -> Result<()> {
    let (space, _shelf) = stage("adopt").await?;
    release(&space, json!({})).await?;
    let before = deployed(&space, 1).await?;
    // Deleted while suspended, it leaves everything behind, as when engines change.
    let patch = json!({ "spec": { "suspend": true } });
    space.patch::<HelmRelease>("web", patch).await?;
    space.delete::<HelmRelease>("web").await?;
    space.wait_gone::<HelmRelease>("web").await?;
    assert_eq!(
        records(&space).await?,
        ["sh.helm.release.v1.web.v1 deployed"]
    );
    // Metadata has whole seconds: a record of the same second may be the object's own.
    tokio::time::sleep(Duration::from_secs(1)).await;
    release(&space, json!({ "suspend": true })).await?;
    let api: Api<HelmRelease> = space.api();
    let status = json!({ "status": {
        "history": before.status.history,
        "storageNamespace": before.status.storage_namespace,
        "helmChart": before.status.helm_chart,
    }});
    let parameters = PatchParams::default();
    api.patch_status("web", &parameters, &Patch::Merge(status))
        .await?;
    let patch = json!({ "spec": { "suspend": false } });
    space.patch::<HelmRelease>("web", patch).await?;
    space.request::<HelmRelease>("web", "adopted").await?;
    let is_handled = |found: &HelmRelease| {
        found.status.last_handled_reconcile_at.as_deref() == Some("adopted")
            && found.metadata.generation == Some(found.status.observed_generation)
    };
    let found = space.wait("web", "adopted", is_handled).await?;
    assert_eq!(found.status.history, before.status.history);
    assert_eq!(
        records(&space).await?,
        ["sh.helm.release.v1.web.v1 deployed"]
    );
    // Without a history it is not known to be this object's: it is made its own by an upgrade.
    let patch = json!({ "metadata": { "annotations": {
        "reconcile.fluxcd.io/requestedAt": "again" } } });
    let status = json!({ "status": { "history": null } });
    api.patch_status("web", &parameters, &Patch::Merge(status))
        .await?;
    space.patch::<HelmRelease>("web", patch).await?;
    deployed(&space, 2).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn drift_is_told_and_undone() -> Result<()> {
    let (space, _shelf) = stage("drifted").await?;
    release(&space, json!({ "driftDetection": { "mode": "warn" } })).await?;
    deployed(&space, 1).await?;
    let changed = json!({ "data": { "text": "somebody" } });
    space.patch::<ConfigMap>("web", changed).await?;
    space.request::<HelmRelease>("web", "look").await?;
    let is_drifted = |found: &HelmRelease| {
        condition(&found.status.conditions, "Drifted").is_some_and(|one| one.status == "True")
    };
    let found = space.wait("web", "drifted", is_drifted).await?;
    let name = &space.namespace;
    let text = format!(
        "Cluster state of release {name}/web.v1 has drifted from the desired state:\n\
         ConfigMap/{name}/web changed (0 additions, 1 changes, 0 removals)"
    );
    assert_eq!(
        condition(&found.status.conditions, "Drifted")
            .unwrap()
            .message,
        text
    );
    assert!(is_ready(&found.status.conditions), "a warning alone");
    let patch = json!({ "spec": { "driftDetection": { "mode": "enabled" } } });
    space.patch::<HelmRelease>("web", patch).await?;
    space.wait_value("web", "text", "one").await?;
    space
        .event("web", "DriftCorrected", "has been corrected")
        .await?;
    let is_right = |found: &HelmRelease| {
        condition(&found.status.conditions, "Drifted").is_some_and(|one| one.status == "False")
    };
    let found = space.wait("web", "right", is_right).await?;
    assert_eq!(found.status.history[0].version, 1, "no new version");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_is_not_there_is_waited_for() -> Result<()> {
    let (space, _shelf) = stage("waits").await?;
    let fields = json!({
        "dependsOn": [{ "name": "first" }],
        "postRenderers": [{ "kustomize": { "patches": [{
            "target": { "kind": "ConfigMap" },
            "patch": "- op: add\n  path: /data/patched\n  value: \"yes\"\n",
        }] } }],
        "commonMetadata": { "labels": { "team": "x" } },
    });
    release(&space, fields).await?;
    let (_, message) = told(&space, "DependencyNotReady").await?;
    assert!(message.contains("/first' dependency"), "{message}");
    let patch = json!({ "spec": { "dependsOn": null } });
    space.patch::<HelmRelease>("web", patch).await?;
    deployed(&space, 1).await?;
    let map = space.wait_value("web", "patched", "yes").await?;
    assert_eq!(map.metadata.labels.unwrap()["team"], "x");
    let reference = json!({ "kind": "ExternalArtifact", "name": "x" });
    let patch = json!({ "spec": { "chart": null, "chartRef": reference } });
    space.patch::<HelmRelease>("web", patch).await?;
    let (_, message) = told(&space, "ArtifactFailed").await?;
    let text =
        "could not get Source object: ExternalArtifact.source.toolkit.fluxcd.io \"x\" not found";
    assert_eq!(message, text);
    Ok(())
}
