//! CEL: health by `healthCheckExprs`, dependencies by `readyExpr`, on a real API server.

use anyhow::Result;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::{CustomHealthCheck, Kustomization};
use bulkhead_api::meta::DependencyReference;
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::helm_release::{deployed, release, stage, told};
use crate::manager::world;
use crate::space::{Space, condition, config_map};

/// A ConfigMap is as wanted when somebody says so.
fn checks() -> Value {
    json!([{
        "apiVersion": "v1", "kind": "ConfigMap",
        "inProgress": "!has(data.done)",
        "failed": "data.done == 'no'",
        "current": "data.done == 'yes'",
    }])
}

fn done(answer: &str) -> Value {
    json!({ "data": { "done": answer } })
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_waits_for_what_its_expressions_say() -> Result<()> {
    let (space, _shelf) = stage("health").await?;
    let fields = json!({ "healthCheckExprs": checks(), "timeout": "25s" });
    release(&space, fields).await?;
    space.wait_value("web", "text", "one").await?;
    let is_waiting = |found: &HelmRelease| {
        condition(&found.status.conditions, "Ready").is_some_and(|one| one.status == "Unknown")
    };
    space.wait("web", "waiting", is_waiting).await?;
    space.patch::<ConfigMap>("web", done("yes")).await?;
    deployed(&space, 1).await?;
    space.patch::<ConfigMap>("web", done("no")).await?;
    let patch = json!({ "spec": { "values": { "text": "two" } } });
    space.patch::<HelmRelease>("web", patch).await?;
    let (_, message) = told(&space, "UpgradeFailed").await?;
    let part = format!("ConfigMap/{}/web status: 'Failed'", space.namespace);
    assert!(message.contains(&part), "{message}");
    let broken = json!({ "spec": { "healthCheckExprs": [
        { "apiVersion": "v1", "kind": "ConfigMap", "current": "data." } ] } });
    space.patch::<HelmRelease>("web", broken).await?;
    let (found, message) = told(&space, "InvalidCELExpression").await?;
    let start = "Reconciliation failed terminally due to configuration error: failed to create custom \
                 status evaluator for healthchecks[0]: failed to parse the expression Current: ";
    assert!(message.starts_with(start), "{message}");
    assert!(condition(&found.status.conditions, "Stalled").is_some());
    let event = space.event("web", "InvalidCELExpression", "").await?;
    let told = event.message.unwrap();
    assert!(told.starts_with("failed to create custom status"), "{told}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_waits_until_its_dependency_is_as_the_expression_says() -> Result<()> {
    let (space, _shelf) = stage("ready-expr").await?;
    let first: HelmRelease = serde_json::from_value(json!({
        "metadata": { "name": "first" },
        "spec": { "interval": "1h", "suspend": true,
            "chartRef": { "kind": "HelmChart", "name": "none" } },
    }))?;
    space.create(&first).await?;
    let depends = |text: &str| json!({ "dependsOn": [{ "name": "first", "readyExpr": text }] });
    release(&space, depends("dep.ready")).await?;
    let (_, message) = told(&space, "InvalidCELExpression").await?;
    let text = "Reconciliation failed terminally due to configuration error: terminal error: \
                failed to evaluate dependency first: CEL expression output type mismatch: \
                expected bool, got dyn";
    assert_eq!(message, text);
    let good = depends("dep.spec.maxHistory == 9 && self.metadata.name == 'web'");
    space
        .patch::<HelmRelease>("web", json!({ "spec": good }))
        .await?;
    let text = format!(
        "dependency '{}/first' is not ready according to readyExpr eval",
        space.namespace
    );
    // Ten when absent, the expression comes to an error or to no: both wait.
    let (_, message) = told(&space, "DependencyNotReady").await?;
    assert!(
        message == text || message.contains("no such key: maxHistory"),
        "{message}"
    );
    let patch = json!({ "spec": { "maxHistory": 9 } });
    space.patch::<HelmRelease>("first", patch).await?;
    deployed(&space, 1).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_kustomization_takes_expressions_too() -> Result<()> {
    let space = Space::new(world().await?.cluster, "expressions").await?;
    let git = Repository::with_files([("a/a.yaml", &*config_map("one", "1"))])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let checks: Vec<CustomHealthCheck> = serde_json::from_value(checks())?;
    let mut wrong = checks.clone();
    wrong[0].current = "data. ==".into();
    space
        .kustomization("base", |spec| {
            spec.path = Some("a".into());
            spec.wait = true;
            spec.health_check_exprs = wrong;
        })
        .await?;
    let message = space.fails("base", "InvalidCELExpression").await?;
    assert!(
        message.contains("ERROR: <input>:1:7: Syntax error: "),
        "{message}"
    );
    space
        .kustomization("apps", |spec| {
            spec.path = Some("a".into());
            spec.depends_on = vec![DependencyReference {
                name: "base".into(),
                ready_expr: Some(
                    "dep.status.conditions.filter(c, c.type == 'Ready').all(c, c.status == 'True')"
                        .into(),
                ),
                ..Default::default()
            }];
            spec.prune = false;
        })
        .await?;
    let message = space.fails("apps", "DependencyNotReady").await?;
    let text = format!(
        "dependency '{}/base' is not ready according to readyExpr eval",
        space.namespace
    );
    assert_eq!(message, text);
    let patch = json!({ "spec": { "healthCheckExprs": checks } });
    space.patch::<Kustomization>("base", patch).await?;
    space.wait_value("one", "key", "1").await?;
    let is_waiting = |found: &Kustomization| {
        condition(&found.status.conditions, "Healthy").is_some_and(|one| one.status == "Unknown")
    };
    space.wait("base", "waiting", is_waiting).await?;
    space.patch::<ConfigMap>("one", done("yes")).await?;
    space.applied("base", &git.head()?).await?;
    space.applied("apps", &git.head()?).await?;
    Ok(())
}
