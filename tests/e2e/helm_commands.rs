//! What upstream's `flux` command reads and writes of releases: its requests are annotations, and it
//! waits for fields of the status. Each test does what the commands of its name do.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::source::{HelmChart, HelmRepository};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{WatchEvent, WatchParams};
use serde_json::{Value, json};

use crate::helm_stage::Stage;
use crate::manager::world;
use crate::space::{condition, is_ready, ready};

/// The second object cannot be applied while `port` is too large.
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n\
                   data:\n  text: {{ .Values.text | quote }}\n---\napiVersion: v1\nkind: Service\n\
                   metadata:\n  name: {{ .Release.Name }}\nspec:\n  ports:\n  - port: \
                   {{ .Values.port }}\n";

async fn stage(prefix: &str) -> Result<Stage> {
    let stage = Stage::new(world().await?.cluster, prefix).await?;
    let files = [
        ("values.yaml", "text: one\nport: 80\n"),
        ("templates/all.yaml", MAP),
    ];
    stage.chart("web", "1.0.0", &files)?;
    Ok(stage)
}

/// Annotates the release as `flux reconcile hr` does, with the annotations of its flags.
async fn request(stage: &Stage, at: &str, more: Value) -> Result<HelmRelease> {
    let mut annotations = json!({ "reconcile.fluxcd.io/requestedAt": at });
    crate::helm_stage::merge(&mut annotations, more);
    let patch = json!({ "metadata": { "annotations": annotations } });
    stage.space.patch::<HelmRelease>("web", patch).await?;
    stage.handled("web", at).await
}

fn force(at: &str) -> Value {
    json!({ "reconcile.fluxcd.io/forceAt": at })
}

fn reset(at: &str) -> Value {
    json!({ "reconcile.fluxcd.io/resetAt": at })
}

fn version(found: &HelmRelease) -> i64 {
    found.status.history[0].version
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn reconcile_force_and_reset() -> Result<()> {
    let stage = stage("command").await?;
    stage.release("web", "web", json!({})).await?;
    stage.deployed("web", 1).await?;

    // Handled in the write with the final conditions, not before: the command looks no further.
    let watch = WatchParams::default().fields("metadata.name=web");
    let from = stage.space.api::<HelmRelease>().get("web").await?;
    let from = from.metadata.resource_version.context("no version")?;
    request(&stage, "t1", force("t1")).await?;
    let seen = stage.space.api::<HelmRelease>();
    let seen = seen.watch(&watch, &from).await?;
    let handled = seen.try_filter_map(|event| async move {
        let WatchEvent::Modified(found) = event else {
            return Ok(None);
        };
        let at = found.status.last_handled_reconcile_at.as_deref();
        Ok((at == Some("t1")).then_some(found))
    });
    let first = std::pin::pin!(handled).try_next().await?;
    let first = &first.context("the watch ended")?;
    assert!(is_ready(&first.status.conditions), "{first:?}");
    assert_eq!(condition(&first.status.conditions, "Reconciling"), None);
    let own = ready(&first.status.conditions).unwrap().observed_generation;
    assert_eq!(own, first.metadata.generation);
    assert_eq!(first.status.last_handled_force_at.as_deref(), Some("t1"));
    assert_eq!(version(first), 2, "forced");

    // Without the flags, and with values that were handled, nothing is made.
    let found = request(&stage, "t2", json!({})).await?;
    assert_eq!(version(&found), 2);
    let found = request(&stage, "t3", force("other")).await?;
    assert_eq!(version(&found), 2, "a force of another request");
    let force_at = found.status.last_handled_force_at.as_deref();
    assert_eq!(force_at, Some("other"), "recorded all the same");

    // Out of retries: what is asked for is handled, and the command is told why it ends.
    stage
        .change("web", json!({ "values": { "port": 99_999 } }))
        .await?;
    let is_stalled = |found: &HelmRelease| {
        let stalled = condition(&found.status.conditions, "Stalled");
        stalled.is_some_and(|one| one.reason == "RetriesExceeded")
            && found.metadata.generation == Some(found.status.observed_generation)
    };
    stage.space.wait("web", "stalled", is_stalled).await?;
    let found = request(&stage, "t4", json!({})).await?;
    assert!(is_stalled(&found));
    assert_eq!(version(&found), 3);
    let stalled = condition(&found.status.conditions, "Stalled").unwrap();
    assert_eq!(stalled.message, "Failed to upgrade after 1 attempt(s)");
    let (_, told) = stage.told("web", "UpgradeFailed").await?;
    let start = format!(
        "Helm upgrade failed for release {}/web",
        stage.space.namespace
    );
    assert!(told.starts_with(&start), "{told}");
    let found = request(&stage, "t5", reset("t5")).await?;
    assert_eq!(version(&found), 4, "tried once more");
    assert_eq!(found.status.last_handled_reset_at.as_deref(), Some("t5"));
    assert_eq!(found.status.upgrade_failures, 1, "counted anew");
    assert!(is_stalled(&found));
    let found = request(&stage, "t6", force("t6")).await?;
    assert_eq!(version(&found), 5);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn reconcile_with_source() -> Result<()> {
    let stage = stage("source").await?;
    stage.release("web", "web", json!({})).await?;
    stage.deployed("web", 1).await?;
    // The command knows the names of the objects between by itself, and waits for one after another.
    let name = format!("{}-web", stage.space.namespace);
    let files = [
        ("values.yaml", "text: two\nport: 80\n"),
        ("templates/all.yaml", MAP),
    ];
    stage.chart("web", "1.1.0", &files)?;
    stage
        .space
        .request::<HelmRepository>("charts", "s1")
        .await?;
    let is_fetched =
        |found: &HelmRepository| found.status.last_handled_reconcile_at.as_deref() == Some("s1");
    let found = stage.space.wait("charts", "fetched", is_fetched).await?;
    assert!(is_ready(&found.status.conditions));
    assert!(found.status.artifact.is_some());
    stage.space.request::<HelmChart>(&name, "s2").await?;
    let is_pulled =
        |found: &HelmChart| found.status.last_handled_reconcile_at.as_deref() == Some("s2");
    let found = stage.space.wait(&name, "pulled", is_pulled).await?;
    assert!(is_ready(&found.status.conditions));
    assert_eq!(found.status.artifact.unwrap().revision, "1.1.0");
    let found = request(&stage, "s3", json!({})).await?;
    assert!(is_ready(&found.status.conditions));
    assert_eq!(found.status.history[0].chart_version, "1.1.0");
    stage.space.wait_value("web", "text", "two").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn get_tree_trace_events_and_debug() -> Result<()> {
    let stage = stage("shown").await?;
    let namespace = stage.space.namespace.clone();
    let from =
        json!([{ "kind": "ConfigMap", "name": "more", "targetPath": "text", "valuesKey": "text" }]);
    let more = json!({ "metadata": { "name": "more" }, "data": { "text": "from a map" } });
    let more: ConfigMap = serde_json::from_value(more)?;
    stage.space.create(&more).await?;
    let values = json!({ "valuesFrom": from, "values": { "port": 8080 } });
    stage.release("web", "web", values).await?;
    let found = stage.deployed("web", 1).await?;

    // get: the revision is that of the newest version, the message that of Ready.
    let entry = serde_json::to_value(&found.status.history[0])?;
    let fields = [
        "apiVersion",
        "digest",
        "name",
        "namespace",
        "version",
        "status",
        "action",
    ];
    let fields = fields.map(|field| (field, !entry[field].is_null()));
    assert_eq!(
        fields.map(|(_, is_there)| is_there),
        [true; 7],
        "{fields:?}"
    );
    let of = |field: &str| entry[field].as_str().unwrap_or_default();
    assert_eq!(of("chartName"), "web");
    assert_eq!(of("chartVersion"), "1.0.0");
    assert_eq!((of("action"), of("status")), ("install", "deployed"));
    assert_eq!((of("name"), of("namespace")), ("web", &*namespace));
    assert_eq!(of("firstDeployed"), of("lastDeployed"));
    for digest in ["digest", "configDigest"] {
        let hex = of(digest).strip_prefix("sha256:").unwrap_or_default();
        assert_eq!(hex.len(), 64, "{digest}");
    }

    // tree: the manifest is read from Helm's record of `history[0]`.
    let storage = found.status.storage_namespace.as_deref();
    assert_eq!(storage, Some(&*namespace));
    let key = format!("sh.helm.release.v1.{}.v{}", of("name"), entry["version"]);
    let release = stored(&stage.space.api::<Secret>().get(&key).await?)?;
    let manifest = release["manifest"].as_str().unwrap_or_default();
    assert!(manifest.contains("kind: ConfigMap") && manifest.contains("kind: Service"));
    let inventory = found.status.inventory.as_ref().unwrap();
    let ids: Vec<&str> = inventory
        .entries
        .iter()
        .map(|one| one.id.as_str())
        .collect();
    let (map, service) = (
        format!("{namespace}_web__ConfigMap"),
        format!("{namespace}_web__Service"),
    );
    assert_eq!(ids, [map, service]);

    // trace: from the labels of an object to the release, its HelmChart and its source.
    let map = stage.space.api::<ConfigMap>().get("web").await?;
    let labels = map.metadata.labels.unwrap();
    assert_eq!(labels["helm.toolkit.fluxcd.io/name"], "web");
    assert_eq!(labels["helm.toolkit.fluxcd.io/namespace"], namespace);
    let place = found.status.helm_chart.unwrap();
    let (in_namespace, name) = place.split_once('/').unwrap();
    assert_eq!(in_namespace, namespace);
    let made = stage.space.api::<HelmChart>().get(name).await?;
    assert_eq!(made.spec.source_ref.name, "charts");
    assert_eq!(made.status.artifact.unwrap().revision, "1.0.0");

    // events: of the release, by kind and name.
    let event = stage
        .space
        .event("web", "InstallSucceeded", "web@1.0.0")
        .await?;
    assert_eq!(event.involved_object.kind.as_deref(), Some("HelmRelease"));
    assert_eq!(event.type_.as_deref(), Some("Normal"));
    let source = event.source.and_then(|source| source.component);
    assert_eq!(source.as_deref(), Some("helm-controller"));

    // debug --show-values: what the command merges by itself is what was installed.
    let config = json!({ "port": 8080, "text": "from a map" });
    assert_eq!(release["config"], config);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn suspend_resume_and_delete() -> Result<()> {
    let stage = stage("paused").await?;
    stage
        .release("web", "web", json!({ "suspend": true }))
        .await?;
    let is_seen = |found: &HelmRelease| found.status.observed_generation >= 1;
    let found = stage.space.wait("web", "seen", is_seen).await?;
    assert!(found.status.history.is_empty(), "it is suspended");
    stage.change("web", json!({ "suspend": null })).await?;
    // The command waits for the generation in the condition, too.
    let found = stage.deployed("web", 1).await?;
    let own = ready(&found.status.conditions).unwrap().observed_generation;
    assert_eq!(own, found.metadata.generation);
    stage.space.delete::<HelmRelease>("web").await?;
    stage.space.wait_gone::<HelmRelease>("web").await?;
    stage.space.wait_gone::<ConfigMap>("web").await?;
    assert_eq!(stage.records("web").await?, [""; 0]);
    let event = stage
        .space
        .event("web", "UninstallSucceeded", "web.v1 with chart web@1.0.0");
    event.await?;
    Ok(())
}

/// Reads a record as Helm does: base64, gzip, JSON.
fn stored(secret: &Secret) -> Result<Value> {
    let data = secret.data.as_ref().context("no data")?;
    let packed = base64::engine::general_purpose::STANDARD.decode(&data["release"].0)?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}
