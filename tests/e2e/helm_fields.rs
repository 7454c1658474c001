//! HelmRelease: fields that change how an action goes, on a real API server.

use anyhow::Result;
use bulkhead_api::helmrelease::HelmRelease;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::helm_release::{deployed, records, release, stage};

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_upgrade_keeps_values_and_settles() -> Result<()> {
    let (space, _shelf) = stage("preserve").await?;
    let fields = json!({
        "values": { "text": "kept", "more": { "a": 1, "b": 2 } },
        "upgrade": { "preserveValues": true },
    });
    release(&space, fields).await?;
    deployed(&space, 1).await?;
    // The values are gone from the object, and stay with the release.
    let patch = json!({ "spec": { "values": { "text": null, "more": { "a": 3, "b": null } },
        "chart": { "spec": { "version": "1.1.0" } } } });
    space.patch::<HelmRelease>("web", patch).await?;
    let is_second = |found: &HelmRelease| {
        let entry = found.status.history.first();
        entry.is_some_and(|entry| entry.chart_version == "1.1.0")
            && found.metadata.generation == Some(found.status.observed_generation)
    };
    let found = space.wait("web", "at 1.1.0", is_second).await?;
    let version = found.status.history[0].version;
    let map = space.wait_value("web", "text", "kept").await?;
    assert_eq!(map.data.unwrap()["chart"], "1.1.0");
    // The stored values are not those of the object: nothing is made for that.
    space.request::<HelmRelease>("web", "now").await?;
    let is_handled =
        |found: &HelmRelease| found.status.last_handled_reconcile_at.as_deref() == Some("now");
    space.wait("web", "handled", is_handled).await?;
    deployed(&space, version).await?;
    assert_eq!(records(&space).await?.len() as i64, version);
    // Without it, only what the object says counts.
    let patch = json!({ "spec": { "upgrade": { "preserveValues": false } } });
    space.patch::<HelmRelease>("web", patch).await?;
    deployed(&space, version + 1).await?;
    space.wait_value("web", "text", "one").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn legacy_waits_for_the_newest_replica_set_and_asks_no_expression() -> Result<()> {
    let (space, _shelf) = stage("legacy").await?;
    let fields = json!({
        "values": { "broken": true },
        "timeout": "28s",
        "waitStrategy": { "name": "legacy" },
        "healthCheckExprs": [{ "apiVersion": "v1", "kind": "ConfigMap", "current": "false" }],
    });
    release(&space, fields).await?;
    // The controllers of workloads do not run here: this is what they would do.
    let revision = json!({ "deployment.kubernetes.io/revision": "1" });
    let is_there = |_: &Deployment| true;
    space.wait("web-never", "there", is_there).await?;
    let patch = json!({ "metadata": { "annotations": revision } });
    let made: Deployment = space.patch("web-never", patch).await?;
    let set: ReplicaSet = serde_json::from_value(json!({
        "metadata": { "name": "web-never-1", "labels": { "app": "never" }, "annotations": revision,
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment",
                "name": "web-never", "uid": made.metadata.uid }] },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "never" } },
            "template": { "metadata": { "labels": { "app": "never" } },
                "spec": { "containers": [{ "name": "a", "image": "example.com/never:1" }] } } },
    }))?;
    space.create(&set).await?;
    let is_waiting = |found: &HelmRelease| found.status.history.is_empty();
    space.wait("web", "waiting", is_waiting).await?;
    let observed = |generation: Option<i64>| {
        let status = json!({
            "observedGeneration": generation, "replicas": 1, "readyReplicas": 1,
        });
        Patch::Merge(json!({ "status": status }))
    };
    let (sets, deployments): (Api<ReplicaSet>, Api<Deployment>) = (space.api(), space.api());
    let by = PatchParams::default();
    deployments
        .patch_status("web-never", &by, &observed(made.metadata.generation))
        .await?;
    sets.patch_status("web-never-1", &by, &observed(Some(1)))
        .await?;
    deployed(&space, 1).await?;
    Ok(())
}
