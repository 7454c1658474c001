//! Releases from Git, from registries and through plugins, under other names and other accounts, on a
//! real API server.

use anyhow::{Context as _, Result};
use bulkhead_api::Digest;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::source::{HelmChart, HelmRepository, OCIRepository};
use bulkhead_testing::git::{HttpServer, Repository};
use bulkhead_testing::registry::RegistryServer;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{ListParams, PostParams};
use serde_json::json;

use crate::any_renderer::Shop;
use crate::artifacts::{self, HELM};
use crate::guests;
use crate::helm_stage::Stage;
use crate::manager::world;
use crate::space::{Space, condition, ready};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n\
                   data:\n  text: {{ .Values.text | quote }}\n";

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kept.realcharts.example.com}
spec:
  group: realcharts.example.com
  scope: Namespaced
  names: {kind: Kept, plural: kept}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
";

async fn stage(prefix: &str) -> Result<Stage> {
    let stage = Stage::new(world().await?.cluster, prefix).await?;
    let files = [("values.yaml", "text: one\n"), ("templates/map.yaml", MAP)];
    stage.chart("web", "1.0.0", &files)?;
    Ok(stage)
}

/// Counts Helm's records of all releases in a namespace.
async fn records(space: &Space) -> Result<usize> {
    let list = ListParams::default().labels("owner=helm");
    Ok(space.api::<Secret>().list(&list).await?.items.len())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn another_target_removes_the_release_first() -> Result<()> {
    let stage = stage("target").await?;
    let other = Space::new(world().await?.cluster, "target-other").await?;
    stage.release("web", "web", json!({})).await?;
    stage.deployed("web", 1).await?;

    let is_named = |name: &'static str| {
        move |found: &HelmRelease| {
            let entry = found.status.history.first();
            entry.is_some_and(|entry| entry.name == name && entry.version == 1)
                && found.metadata.generation == Some(found.status.observed_generation)
        }
    };
    stage
        .change("web", json!({ "releaseName": "renamed" }))
        .await?;
    stage
        .space
        .wait("web", "renamed", is_named("renamed"))
        .await?;
    stage.space.wait_value("renamed", "text", "one").await?;
    stage.space.wait_gone::<ConfigMap>("web").await?;
    assert_eq!(stage.records("web").await?, [""; 0]);
    assert_eq!(stage.records("renamed").await?, ["v1 deployed"]);
    let event = stage
        .space
        .event("web", "UninstallSucceeded", "/web.v1 with chart web@1.0.0");
    event.await?;

    stage
        .change("web", json!({ "storageNamespace": other.namespace }))
        .await?;
    let is_moved = |found: &HelmRelease| {
        found.status.storage_namespace.as_deref() == Some(&*other.namespace)
            && is_named("renamed")(found)
    };
    stage.space.wait("web", "moved", is_moved).await?;
    assert_eq!(
        (records(&stage.space).await?, records(&other).await?),
        (0, 1)
    );
    stage.space.wait_value("renamed", "text", "one").await?;

    let target = json!({ "targetNamespace": other.namespace, "storageNamespace": null });
    stage.change("web", target).await?;
    other.wait_value("renamed", "text", "one").await?;
    stage.space.wait_gone::<ConfigMap>("renamed").await?;
    let is_back = |found: &HelmRelease| {
        found.status.storage_namespace.as_deref() == Some(&*stage.space.namespace)
            && is_named("renamed")(found)
    };
    stage.space.wait("web", "at its target", is_back).await?;
    assert_eq!(
        (records(&stage.space).await?, records(&other).await?),
        (1, 0)
    );

    // Without a name of its own it is called after its target.
    stage.change("web", json!({ "releaseName": null })).await?;
    let name = format!("{}-web", other.namespace);
    other.wait_value(&name, "text", "one").await?;
    other.wait_gone::<ConfigMap>("renamed").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_that_was_deleted_comes_back_under_its_name() -> Result<()> {
    let stage = stage("again").await?;
    // What was written last of what is gone must not stand for what comes: each time at once.
    for _ in 0..8 {
        stage.release("web", "web", json!({})).await?;
        stage.deployed("web", 1).await?;
        stage.space.delete::<HelmRelease>("web").await?;
        stage.space.wait_gone::<HelmRelease>("web").await?;
        assert_eq!(records(&stage.space).await?, 0);
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_definitions_of_a_chart_stay_in_the_inventory_of_a_rollback() -> Result<()> {
    let stage = Stage::new(world().await?.cluster, "definitions").await?;
    let files = [
        ("values.yaml", "more: ''\n"),
        (
            "templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n{{ .Values.more }}\n",
        ),
        ("crds/kept.yaml", DEFINITION),
    ];
    stage.chart("web", "1.0.0", &files)?;
    let fields = json!({
        "upgrade": { "remediation": { "retries": 0, "remediateLastFailure": true } },
    });
    stage.release("web", "web", fields).await?;
    let before = stage.deployed("web", 1).await?;
    let values = json!({ "values": { "more": "nonsense: true" } });
    stage.change("web", values).await?;
    let (after, _) = stage.told("web", "RollbackSucceeded").await?;
    let names = |found: &HelmRelease| {
        let entries = found.status.inventory.iter().flat_map(|all| &all.entries);
        entries.map(|entry| entry.id.clone()).collect::<Vec<_>>()
    };
    let definition = "_kept.realcharts.example.com_apiextensions.k8s.io_CustomResourceDefinition";
    assert!(names(&before).iter().any(|id| id == definition));
    assert_eq!(names(&after), names(&before));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_tag_that_moves_is_an_upgrade() -> Result<()> {
    let space = Space::new(world().await?.cluster, "digest").await?;
    let registry = RegistryServer::start().await?;
    let image = format!("{}/charts/web:1.0.0", registry.host());
    let push = async |text: &str| {
        let values = format!("text: {text}\n");
        let files = [
            ("values.yaml", values.as_str()),
            ("templates/map.yaml", MAP),
        ];
        let packed = artifacts::chart("web", "1.0.0", &files)?;
        artifacts::push(&image, HELM, &packed, json!({})).await
    };
    let first = push("one").await?;
    let url = format!("oci://{}/charts/web", registry.host());
    let repository: OCIRepository = serde_json::from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "interval": "1s", "url": url, "insecure": true, "ref": { "tag": "1.0.0" },
            "layerSelector": { "mediaType": HELM[1], "operation": "copy" },
        },
    }))?;
    space.create(&repository).await?;
    let object: HelmRelease = serde_json::from_value(json!({
        "metadata": { "name": "web", "namespace": space.namespace },
        "spec": { "interval": "1h", "chartRef": { "kind": "OCIRepository", "name": "web" } },
    }))?;
    space.create(&object).await?;
    let check = async |text: &str, version: i64, digest: &str| -> Result<()> {
        space.wait_value("web", "text", text).await?;
        let is_tracked = |found: &HelmRelease| {
            let entry = found.status.history.first();
            entry.is_some_and(|entry| entry.version == version && entry.status == "deployed")
        };
        let found = space.wait("web", "tracked", is_tracked).await?;
        let entry = &found.status.history[0];
        let hex = digest.strip_prefix("sha256:").context("a digest")?;
        assert_eq!(entry.chart_version, format!("1.0.0+{}", &hex[..12]));
        assert_eq!(entry.oci_digest.as_deref(), Some(digest));
        let attempted = &found.status.last_attempted_revision_digest;
        assert_eq!(attempted.as_deref(), Some(digest));
        Ok(())
    };
    check("one", 1, &first.to_string()).await?;
    let second = push("two").await?;
    check("two", 2, &second.to_string()).await?;
    Ok(())
}

/// Lets `account` do with these resources whatever it wants.
async fn allow(space: &Space, account: &str, name: &str, resources: &[&str]) -> Result<()> {
    let role: Role = serde_json::from_value(json!({
        "metadata": { "name": name },
        "rules": [{ "apiGroups": [""], "resources": resources, "verbs": ["*"] }],
    }))?;
    space.create(&role).await?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": space.namespace }],
    }))?;
    space.create(&binding).await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_account_sees_and_does_what_it_may() -> Result<()> {
    let stage = stage("account").await?;
    let space = &stage.space;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  \
               uid: {{ (lookup \"v1\" \"ServiceAccount\" .Release.Namespace \"tenant\").metadata.uid \
               | quote }}\n";
    stage.chart("looks", "1.0.0", &[("templates/map.yaml", map)])?;
    let account: ServiceAccount =
        serde_json::from_value(json!({ "metadata": { "name": "tenant" } }))?;
    let account = space.create(&account).await?;
    let fields = json!({
        "serviceAccountName": "tenant",
        "install": { "strategy": { "name": "RetryOnFailure", "retryInterval": "1s" } },
    });
    // It may not even read the records.
    stage.release("looks", "looks", fields).await?;
    let (_, told) = stage.told("looks", "StateError").await?;
    let user = format!("system:serviceaccount:{}:tenant", space.namespace);
    assert!(told.contains("forbidden") && told.contains(&user), "{told}");
    allow(space, "tenant", "release", &["secrets", "configmaps"]).await?;
    space.request::<HelmRelease>("looks", "now").await?;
    // What a chart looks up is looked up as the account, too.
    let (_, told) = stage.told("looks", "InstallFailed").await?;
    assert!(
        told.contains("serviceaccounts") && told.contains("forbidden"),
        "{told}"
    );
    allow(space, "tenant", "look", &["serviceaccounts"]).await?;
    stage.deployed("looks", 1).await?;
    let uid = account.metadata.uid.context("a uid")?;
    space.wait_value("looks", "uid", &uid).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn transformers_come_after_post_renderers() -> Result<()> {
    let stage = stage("transformed").await?;
    let shop = Shop::open().await?;
    shop.install(&stage.space, "team", &guests::labels())
        .await?;
    let object = json!({
        "metadata": {
            "name": "web", "namespace": stage.space.namespace,
            "annotations": { "bulkhead.dev/transformers": "team" },
        },
        "spec": {
            "interval": "1h",
            "chart": { "spec": {
                "chart": "web", "sourceRef": { "kind": "HelmRepository", "name": "charts" },
            } },
            "commonMetadata": { "labels": { "common": "yes" } },
        },
    });
    let object: HelmRelease = serde_json::from_value(object)?;
    stage
        .space
        .api()
        .create(&PostParams::default(), &object)
        .await?;
    stage.deployed("web", 1).await?;
    let map = stage.space.wait_value("web", "text", "one").await?;
    let labels = map.metadata.labels.context("labels")?;
    assert_eq!((&*labels["team"], &*labels["common"]), ("web", "yes"));
    assert_eq!(labels["helm.toolkit.fluxcd.io/name"], "web");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chart_of_a_git_repository_follows_as_its_strategy_says() -> Result<()> {
    let space = Space::new(world().await?.cluster, "strategy").await?;
    let git = Repository::with_files([
        (
            "web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        ),
        ("web/values.yaml", "text: none\n"),
        ("web/production.yaml", "text: one\n"),
        ("web/templates/map.yaml", MAP),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let release = async |name: &str, strategy: &str| -> Result<()> {
        let object: HelmRelease = serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": space.namespace },
            "spec": { "interval": "1h", "chart": { "spec": {
                "chart": "./web", "interval": "1s", "reconcileStrategy": strategy,
                "valuesFiles": ["web/values.yaml", "web/production.yaml"],
                "sourceRef": { "kind": "GitRepository", "name": "app" },
            } } },
        }))?;
        space.create(&object).await.map(drop)
    };
    release("version", "ChartVersion").await?;
    release("revision", "Revision").await?;
    let at = |wanted: String, versions: i64| {
        move |found: &HelmRelease| {
            let entry = found.status.history.first();
            entry.is_some_and(|entry| {
                entry.chart_version == wanted
                    && entry.version == versions
                    && entry.status == "deployed"
            })
        }
    };
    let short = |commit: &str| commit.chars().take(12).collect::<String>();
    // A chart with values files is told apart by its generation.
    space
        .wait("version", "made", at("1.0.0+1".into(), 1))
        .await?;
    let revision = format!("1.0.0+{}.1", short(&git.head()?));
    space.wait("revision", "made", at(revision, 1)).await?;
    space.wait_value("version", "text", "one").await?;
    space.wait_value("revision", "text", "one").await?;

    git.write("web/production.yaml", "text: two\n")?;
    let commit = git.commit("another text")?;
    let revision = format!("1.0.0+{}.1", short(&commit));
    space.wait("revision", "upgraded", at(revision, 2)).await?;
    space.wait_value("revision", "text", "two").await?;
    space.request::<HelmRelease>("version", "now").await?;
    let is_handled =
        |found: &HelmRelease| found.status.last_handled_reconcile_at.as_deref() == Some("now");
    let found = space.wait("version", "handled", is_handled).await?;
    assert_eq!(
        found.status.history[0].version, 1,
        "the chart's version is the same"
    );
    assert_eq!(
        space.value("version", "text").await?.as_deref(),
        Some("one")
    );
    let chart = "apiVersion: v2\nname: web\nversion: 1.1.0\n";
    git.write("web/Chart.yaml", chart)?;
    git.commit("another version")?;
    space
        .wait("version", "upgraded", at("1.1.0+1".into(), 2))
        .await?;
    space.wait_value("version", "text", "two").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn only_a_chart_that_is_signed_is_installed() -> Result<()> {
    let space = Space::new(world().await?.cluster, "signed").await?;
    let registry = RegistryServer::start().await?;
    let files = [("values.yaml", "text: one\n"), ("templates/map.yaml", MAP)];
    let packed = artifacts::chart("web", "1.0.0", &files)?;
    let repository = format!("{}/charts/web", registry.host());
    let digest = artifacts::push(&format!("{repository}:1.0.0"), HELM, &packed, json!({})).await?;
    let charts: HelmRepository = serde_json::from_value(json!({
        "metadata": { "name": "charts" },
        "spec": {
            "type": "oci", "insecure": true, "interval": "1h",
            "url": format!("oci://{}/charts", registry.host()),
        },
    }))?;
    space.create(&charts).await?;
    let object: HelmRelease = serde_json::from_value(json!({
        "metadata": { "name": "web", "namespace": space.namespace },
        "spec": { "interval": "1h", "chart": { "spec": {
            "chart": "web", "version": "1.0.0", "interval": "1s",
            "sourceRef": { "kind": "HelmRepository", "name": "charts" },
            "verify": { "provider": "cosign", "secretRef": { "name": "keys" } },
        } } },
    }))?;
    // Another's signature first: the key does not fit.
    let other = artifacts::sign(&repository, &Digest::of(b"another")).await?;
    space.secret("keys", &[("cosign.pub", &other)]).await?;
    space.create(&object).await?;
    let is_refused = |found: &HelmRelease| {
        let ready = ready(&found.status.conditions);
        ready.is_some_and(|ready| ready.message.contains("chart verification error: "))
    };
    let found = space.wait("web", "refused", is_refused).await?;
    assert!(found.status.history.is_empty());
    assert_eq!(records(&space).await?, 0);
    let key = artifacts::sign(&repository, &digest).await?;
    let patch = json!({ "stringData": { "cosign.pub": key } });
    space.patch::<Secret>("keys", patch).await?;
    let chart = format!("{}-web", space.namespace);
    space.request::<HelmChart>(&chart, "signed").await?;
    space.wait_value("web", "text", "one").await?;
    let verified = space.api::<HelmChart>().get(&chart).await?;
    let verified = condition(&verified.status.conditions, "SourceVerified").context("verified")?;
    assert_eq!(
        (&*verified.status, &*verified.reason),
        ("True", "Succeeded")
    );
    Ok(())
}
