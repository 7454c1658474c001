//! What a comparison with Flux's controllers, on servers of their own, has taught: status, records and
//! events as helm-controller 1.6 and source-controller 1.9 leave them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bulkhead_api::helmrelease::{HelmRelease, ReleaseAction};
use bulkhead_api::source::{HelmChart, HelmRepository, OCIRepository};
use bulkhead_testing::registry::RegistryServer;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use crate::artifacts::{self, HELM};
use crate::helm_stage::Stage;
use crate::manager::world;
use crate::space::{SOON, condition, ready};

const VALUES: &str = "text: one\nport: 80\n";
const OBJECTS: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  \
                       ports:\n  - port: {{ .Values.port }}\n---\napiVersion: v1\nkind: ConfigMap\n\
                       metadata:\n  name: {{ .Release.Name }}\ndata:\n  \
                       text: {{ .Values.text | quote }}\n";
const TESTS: &str = "{{- range list \"a\" \"b\" }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  \
                     name: {{ $.Release.Name }}-{{ . }}\n  annotations: {helm.sh/hook: test}\n\
                     {{- end }}\n";

async fn stage(prefix: &str) -> Result<Stage> {
    let stage = Stage::new(world().await?.cluster, prefix).await?;
    let files = [("values.yaml", VALUES), ("templates/all.yaml", OBJECTS)];
    stage.chart("web", "1.0.0", &files)?;
    Ok(stage)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn history_and_records_are_as_helm_leaves_them() -> Result<()> {
    let stage = stage("history").await?;
    let bad = json!({ "values": { "port": 99_999 } });
    stage.release("first", "web", bad.clone()).await?;
    let rollback =
        json!({ "upgrade": { "remediation": { "retries": 0, "remediateLastFailure": true } } });
    stage.release("back", "web", rollback).await?;
    stage.told("first", "InstallFailed").await?;
    stage
        .change("first", json!({ "values": { "port": 81 } }))
        .await?;
    let found = stage.deployed("first", 2).await?;
    // An upgrade supersedes the failed version that it starts from where none is deployed.
    assert_eq!(
        stage.records("first").await?,
        ["v1 superseded", "v2 deployed"]
    );
    let actions = |found: &HelmRelease| -> Vec<Option<ReleaseAction>> {
        let entries = found.status.history.iter();
        entries.map(|entry| entry.action.clone()).collect()
    };
    assert_eq!(actions(&found), [Some(ReleaseAction::Upgrade), None]);

    stage.deployed("back", 1).await?;
    stage.change("back", bad).await?;
    let (found, _) = stage.told("back", "RollbackSucceeded").await?;
    let expected = [
        Some(ReleaseAction::Rollback),
        Some(ReleaseAction::Upgrade),
        Some(ReleaseAction::Rollback),
    ];
    assert_eq!(actions(&found), expected);
    let secrets = stage.space.api::<Secret>();
    let record = secrets.get("sh.helm.release.v1.first.v2").await?;
    let managers = record.metadata.managed_fields.context("managers")?;
    let managers: Vec<_> = managers.iter().map(|one| one.manager.as_deref()).collect();
    assert_eq!(managers, [Some("helm-controller")]);
    let ids = found.status.inventory.context("an inventory")?.entries;
    let ids: Vec<&str> = ids.iter().map(|entry| &*entry.id).collect();
    let of = |kind: &str| format!("{}_back__{kind}", stage.space.namespace);
    assert_eq!(ids, [of("ConfigMap"), of("Service")], "as in the manifest");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chart_that_was_just_changed_is_waited_for() -> Result<()> {
    let stage = stage("template").await?;
    let metadata = json!({ "labels": { "team": "x" }, "annotations": { "note": "y" } });
    stage
        .release("web", "web", json!({ "chart": { "metadata": metadata } }))
        .await?;
    stage.deployed("web", 1).await?;
    let name = format!("{}-web", stage.space.namespace);
    stage
        .change("web", json!({ "chart": { "metadata": null } }))
        .await?;
    let has_none = |found: &HelmChart| {
        let labels = found.metadata.labels.as_ref();
        !labels.is_some_and(|labels| labels.contains_key("team"))
            && found.metadata.annotations.is_none()
    };
    let chart = stage
        .space
        .wait(&name, "without what is not wanted", has_none)
        .await?;
    assert_eq!(chart.spec.interval.as_str(), "1s");
    let spec = json!({ "chart": { "spec": { "version": "9.x" } } });
    stage.change("web", spec).await?;
    // Not Ready with the artifact of the version before.
    let (found, message) = stage.told("web", "SourceNotReady").await?;
    ensure!(message.contains("is not ready: "), "{message}");
    let all = &found.status.conditions;
    let reconciling = condition(all, "Reconciling").context("Reconciling")?;
    assert_eq!(
        (&*reconciling.reason, &*reconciling.message),
        ("Progressing", "Fulfilling prerequisites")
    );
    let at = ready(all).context("Ready")?.last_transition_time.clone();
    stage.space.request::<HelmRelease>("web", "again").await?;
    let found = stage.handled("web", "again").await?;
    let ready = ready(&found.status.conditions).context("Ready")?;
    ensure!(
        ready.message != message || ready.last_transition_time == at,
        "a state that stays is no transition"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn tests_that_a_filter_leaves_out_are_not_waited_for() -> Result<()> {
    let stage = stage("filters").await?;
    let files = [("values.yaml", VALUES), ("templates/tests.yaml", TESTS)];
    stage.chart("tested", "1.0.0", &files)?;
    let filters = json!([{ "name": "tested-b", "exclude": true }]);
    let fields = json!({ "test": { "enable": true, "filters": filters } });
    stage.release("tested", "tested", fields).await?;
    let found = stage.deployed("tested", 1).await?;
    let text = format!(
        "Helm test succeeded for release {}/tested.v1 with chart tested@1.0.0: 2 test hooks \
         completed successfully",
        stage.space.namespace
    );
    let event = stage.space.event("tested", "TestSucceeded", &text).await?;
    let tests = found.status.history[0]
        .test_hooks
        .clone()
        .context("tests")?;
    assert_eq!(tests["tested-a"].phase.as_deref(), Some("Succeeded"));
    assert_eq!(tests["tested-b"].phase, None);
    stage
        .space
        .request::<HelmRelease>("tested", "again")
        .await?;
    let found = stage.handled("tested", "again").await?;
    assert_eq!(condition(&found.status.conditions, "Reconciling"), None);
    let again = stage.space.event("tested", "TestSucceeded", &text).await?;
    assert_eq!(again.count, event.count, "run once");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_correction_that_is_refused_is_told() -> Result<()> {
    let stage = stage("refused").await?;
    let space = &stage.space;
    let mode = json!({ "driftDetection": { "mode": "enabled" } });
    stage.release("web", "web", mode).await?;
    stage.deployed("web", 1).await?;
    let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "probe" } }))?;
    space.create(&map).await?;
    let changed = json!({ "data": { "text": "somebody's" } });
    space.patch::<ConfigMap>("web", changed).await?;
    space.delete::<Service>("web").await?;
    let policy = Policy::make(&stage).await?;
    space.request::<HelmRelease>("web", "now").await?;
    let text = format!(
        "Failed to partially correct cluster state of release {namespace}/web.v1:\n\
         ConfigMap/{namespace}/web patch failure",
        namespace = space.namespace
    );
    let event = space.event("web", "DriftCorrectionFailed", &text).await?;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    let told = event.message.context("a message")?;
    let right = format!(
        "\n\nSuccessful corrections:\nService/{}/web created",
        space.namespace
    );
    ensure!(told.ends_with(&right), "{told}");
    let is_unknown = |found: &HelmRelease| {
        let ready = ready(&found.status.conditions);
        ready
            .is_some_and(|one| one.status == "Unknown" && one.message == "correcting cluster drift")
    };
    space
        .wait("web", "not known to be right", is_unknown)
        .await?;
    policy.end().await?;
    space.wait_value("web", "text", "one").await?;
    stage.deployed("web", 1).await?;
    Ok(())
}

/// A policy that keeps ConfigMaps of a namespace as they are.
struct Policy {
    name: String,
    client: kube::Client,
}

impl Policy {
    /// Makes it, and waits until it works: the API server reads it some time later.
    async fn make(stage: &Stage) -> Result<Self> {
        let (space, name) = (&stage.space, stage.space.namespace.clone());
        let client = space.client.clone();
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "matchConstraints": {
                    "namespaceSelector": {
                        "matchLabels": { "kubernetes.io/metadata.name": name },
                    },
                    "resourceRules": [{
                        "apiGroups": [""], "apiVersions": ["v1"],
                        "operations": ["UPDATE"], "resources": ["configmaps"],
                    }],
                },
                "validations": [{ "expression": "request.dryRun", "message": "not today" }],
            },
        }))?;
        let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": { "policyName": name, "validationActions": ["Deny"] },
        }))?;
        let parameters = PostParams::default();
        Api::all(client.clone())
            .create(&parameters, &policy)
            .await?;
        Api::all(client.clone())
            .create(&parameters, &binding)
            .await?;
        let deadline = tokio::time::Instant::now() + SOON;
        for number in 0.. {
            let change = json!({ "data": { "number": number.to_string() } });
            if space.patch::<ConfigMap>("probe", change).await.is_err() {
                break;
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "the policy does not work"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { name, client })
    }

    async fn end(self) -> Result<()> {
        let (name, parameters) = (&self.name, DeleteParams::default());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        bindings.delete(name, &parameters).await?;
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(self.client);
        policies.delete(name, &parameters).await?;
        Ok(())
    }
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn events_tell_of_charts_that_are_none() -> Result<()> {
    let stage = stage("none").await?;
    let space = &stage.space;
    // CRDs that are no YAML: nothing applies them, but they are part of the inventory.
    let files = [
        ("templates/all.yaml", ""),
        ("crds/a.yaml", "not: [an object\n"),
    ];
    stage.chart("odd", "1.0.0", &files)?;
    let fields = json!({ "install": { "crds": "Skip" } });
    stage.release("odd", "odd", fields).await?;
    stage.deployed("odd", 1).await?;
    let text = format!("failed to build inventory for {}/odd: ", space.namespace);
    let event = space.event("odd", "InventoryBuildFailed", &text).await?;
    assert_eq!(event.type_.as_deref(), Some("Warning"));

    let registry = RegistryServer::start().await?;
    let image = format!("{}/charts/web:1.0.0", registry.host());
    artifacts::push(&image, HELM, b"no archive", json!({})).await?;
    let repository: OCIRepository = serde_json::from_value(json!({
        "metadata": { "name": "text" },
        "spec": {
            "interval": "1h", "url": format!("oci://{}/charts/web", registry.host()),
            "insecure": true, "ref": { "tag": "1.0.0" },
            "layerSelector": { "mediaType": HELM[1], "operation": "copy" },
        },
    }))?;
    space.create(&repository).await?;
    let reference = json!({ "kind": "OCIRepository", "name": "text" });
    let fields = json!({ "chart": null, "chartRef": reference });
    stage.release("text", "web", fields).await?;
    let (_, message) = stage.told("text", "ArtifactFailed").await?;
    ensure!(message.starts_with("Could not load chart: "), "{message}");
    let event = space.event("text", "ArtifactFailed", "").await?;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_repository_of_a_registry_has_no_status() -> Result<()> {
    let stage = stage("static").await?;
    let repository: HelmRepository = serde_json::from_value(json!({
        "metadata": { "name": "registry" },
        "spec": { "interval": "1h", "type": "oci", "url": "oci://registry.invalid/charts" },
    }))?;
    stage.space.create(&repository).await?;
    // The definition starts with -1, which whoever compares generations would wait for.
    let is_settled = |found: &HelmRepository| found.status.observed_generation == 0;
    stage
        .space
        .wait("registry", "without a status", is_settled)
        .await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn values_that_ask_for_it_start_their_releases() -> Result<()> {
    let stage = stage("watched").await?;
    let labels = json!({ "reconcile.fluxcd.io/watch": "Enabled" });
    let map: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": "values", "labels": labels },
        "data": { "values.yaml": "text: first" },
    }))?;
    stage.space.create(&map).await?;
    let values = json!([{ "kind": "ConfigMap", "name": "values" }]);
    stage
        .release("web", "web", json!({ "valuesFrom": values }))
        .await?;
    stage.space.wait_value("web", "text", "first").await?;
    stage.deployed("web", 1).await?;
    let changed = json!({ "data": { "values.yaml": "text: second" } });
    stage.space.patch::<ConfigMap>("values", changed).await?;
    stage.space.wait_value("web", "text", "second").await?;
    stage.deployed("web", 2).await?;
    Ok(())
}
