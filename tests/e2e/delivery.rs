//! Kustomization: from a commit to objects, and back.

use anyhow::Result;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use crate::manager::world;
use crate::space::{Space, condition, config_map, ready};

const BASE: &str = "resources: [web.yaml]\n";
const OVERLAY: &str = "resources: [../../base]\nnamePrefix: dev-\nlabels: [{pairs: {env: dev}}]\n";

fn application() -> Result<Repository> {
    Repository::with_files([
        ("base/kustomization.yaml", BASE),
        ("base/web.yaml", config_map("web", "1").as_str()),
        ("overlays/dev/kustomization.yaml", OVERLAY),
        ("plain/one.yaml", config_map("one", "1").as_str()),
        ("plain/two.yaml", config_map("two", "1").as_str()),
    ])
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_commit_becomes_objects_with_the_marks_of_flux() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "apply").await?;
    let git = application()?;
    let server = HttpServer::start(&git).await?;
    space
        .kustomization("dev", |spec| spec.path = Some("./overlays/dev".into()))
        .await?;
    // A source that comes later is waited for.
    space.fails("dev", "ArtifactFailed").await?;
    space.repository("app", server.url()).await?;
    let found = space.applied("dev", &git.head()?).await?;
    let revision = format!("main@sha1:{}", git.head()?);
    let condition = ready(&found.status.conditions).unwrap();
    assert_eq!(condition.reason, "ReconciliationSucceeded");
    assert_eq!(condition.message, format!("Applied revision: {revision}"));
    assert_eq!(
        found.status.conditions.len(),
        1,
        "{:?}",
        found.status.conditions
    );
    assert_eq!(
        found.status.last_attempted_revision.as_deref(),
        Some(&*revision)
    );
    let inventory = found.status.inventory.unwrap();
    assert_eq!(
        inventory.entries[0].id,
        format!("{}_dev-web__ConfigMap", space.namespace)
    );
    assert_eq!(inventory.entries[0].v, "v1");
    let history = &found.status.history;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].last_reconciled_status, "ReconciliationSucceeded");
    assert_eq!(history[0].metadata["revision"], revision);

    let object = space.wait_value("dev-web", "key", "1").await?;
    let labels = object.metadata.labels.unwrap();
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/name"], "dev");
    assert_eq!(
        labels["kustomize.toolkit.fluxcd.io/namespace"],
        space.namespace
    );
    assert_eq!(labels["env"], "dev");
    let managers = object.metadata.managed_fields.unwrap();
    assert_eq!(managers[0].manager.as_deref(), Some("kustomize-controller"));
    assert_eq!(managers[0].operation.as_deref(), Some("Apply"));
    let created = format!("ConfigMap/{}/dev-web created", space.namespace);
    space.event("dev", "Progressing", &created).await?;

    git.write("base/web.yaml", config_map("web", "2"))?;
    let second = git.commit("change web")?;
    space.applied("dev", &second).await?;
    assert_eq!(space.value("dev-web", "key").await?.as_deref(), Some("2"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_revert_prunes_and_without_prune_keeps() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "prune").await?;
    let git = application()?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("plain", |spec| spec.path = Some("plain".into()))
        .await?;
    space.applied("plain", &git.head()?).await?;
    git.write("plain/three.yaml", config_map("three", "1"))?;
    space.applied("plain", &git.commit("add three")?).await?;
    assert!(space.value("three", "key").await?.is_some());
    git.git(["revert", "--no-edit", "HEAD"])?;
    let found = space.applied("plain", &git.head()?).await?;
    space.wait_gone::<ConfigMap>("three").await?;
    assert_eq!(found.status.inventory.unwrap().entries.len(), 2);
    let deleted = format!("ConfigMap/{}/three deleted", space.namespace);
    space.event("plain", "Progressing", &deleted).await?;

    space
        .patch::<Kustomization>("plain", json!({ "spec": { "prune": false } }))
        .await?;
    git.remove("plain/two.yaml")?;
    let found = space.applied("plain", &git.commit("remove two")?).await?;
    assert_eq!(found.status.inventory.unwrap().entries.len(), 1);
    assert!(space.value("two", "key").await?.is_some());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn deletion_takes_its_objects_along_unless_suspended() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "delete").await?;
    let git = application()?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("dev", |spec| spec.path = Some("overlays/dev".into()))
        .await?;
    space
        .kustomization("plain", |spec| spec.path = Some("plain".into()))
        .await?;
    space.applied("dev", &git.head()?).await?;
    space.applied("plain", &git.head()?).await?;
    space.delete::<Kustomization>("dev").await?;
    space.wait_gone::<Kustomization>("dev").await?;
    space.wait_gone::<ConfigMap>("dev-web").await?;
    space
        .patch::<Kustomization>("plain", json!({ "spec": { "suspend": true } }))
        .await?;
    space.delete::<Kustomization>("plain").await?;
    space.wait_gone::<Kustomization>("plain").await?;
    assert!(
        space.value("one", "key").await?.is_some(),
        "a suspended one keeps its objects"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn suspend_and_resume() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "resume").await?;
    let git = application()?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("plain", |spec| spec.path = Some("plain".into()))
        .await?;
    space.applied("plain", &git.head()?).await?;
    space
        .patch::<Kustomization>("plain", json!({ "spec": { "suspend": true } }))
        .await?;
    git.write("plain/one.yaml", config_map("one", "2"))?;
    let second = git.commit("change one")?;
    space.fetched("app", &second).await?;
    space
        .request::<Kustomization>("plain", "while-suspended")
        .await?;
    space
        .wait(
            "plain",
            "told that the request was handled",
            |found: &Kustomization| {
                found.status.last_handled_reconcile_at.as_deref() == Some("while-suspended")
            },
        )
        .await?;
    assert_eq!(space.value("one", "key").await?.as_deref(), Some("1"));
    space
        .patch::<Kustomization>("plain", json!({ "spec": { "suspend": false } }))
        .await?;
    space.applied("plain", &second).await?;
    assert_eq!(space.value("one", "key").await?.as_deref(), Some("2"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_request_is_handled_in_the_final_status_good_or_bad() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "request").await?;
    let git = application()?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("plain", |spec| spec.path = Some("plain".into()))
        .await?;
    space.applied("plain", &git.head()?).await?;
    let handled = async |at: &str| {
        space.request::<Kustomization>("plain", at).await?;
        space
            .wait(
                "plain",
                "told that the request was handled",
                |found: &Kustomization| {
                    found.status.last_handled_reconcile_at.as_deref() == Some(at)
                },
            )
            .await
    };
    let good = handled("one").await?;
    assert_eq!(ready(&good.status.conditions).unwrap().status, "True");
    space
        .event(
            "plain",
            "ReconciliationSucceeded",
            "Reconciliation finished in",
        )
        .await?;
    space
        .patch::<Kustomization>("plain", json!({ "spec": { "path": "nowhere" } }))
        .await?;
    space.fails("plain", "ArtifactFailed").await?;
    let bad = handled("two").await?;
    assert_eq!(ready(&bad.status.conditions).unwrap().status, "False");
    assert_eq!(
        bad.status.observed_generation, 1,
        "not on a failure that is retried"
    );
    assert!(condition(&bad.status.conditions, "Stalled").is_none());
    assert!(
        bad.status.last_applied_revision.is_some(),
        "the last good state is kept"
    );
    assert!(space.value("one", "key").await?.is_some());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn health_is_waited_for_and_told() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "health").await?;
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: job}\nspec:\n  template:\n    \
               spec: {restartPolicy: Never, containers: [{name: a, image: a}]}\n";
    let git = Repository::with_files([
        ("good/one.yaml", config_map("one", "1").as_str()),
        ("slow/job.yaml", job),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let waiting = |path: &str| {
        let path = path.to_owned();
        move |spec: &mut bulkhead_api::kustomize::KustomizationSpec| {
            spec.path = Some(path);
            spec.wait = true;
            spec.timeout = Some(std::time::Duration::from_secs(300).into());
        }
    };
    space.kustomization("good", waiting("good")).await?;
    space.kustomization("slow", waiting("slow")).await?;
    let good = space.applied("good", &git.head()?).await?;
    let healthy = condition(&good.status.conditions, "Healthy").unwrap();
    assert_eq!(
        (healthy.status.as_str(), healthy.reason.as_str()),
        ("True", "Succeeded")
    );
    assert!(
        healthy.message.starts_with("Health check passed in "),
        "{}",
        healthy.message
    );
    let slow = space
        .wait("slow", "checking health", |found: &Kustomization| {
            condition(&found.status.conditions, "Healthy").is_some()
        })
        .await?;
    assert_eq!(ready(&slow.status.conditions).unwrap().status, "Unknown");
    let reconciling = condition(&slow.status.conditions, "Reconciling").unwrap();
    assert!(
        reconciling
            .message
            .starts_with("Running health checks for revision main@sha1:")
    );
    assert_eq!(slow.status.observed_generation, -1);
    // The job gets done, and nobody waits for the timeout.
    let done = json!({ "status": {
        "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z",
        "succeeded": 1, "conditions": [
            { "type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached" },
            { "type": "Complete", "status": "True", "reason": "CompletionsReached" },
        ],
    }});
    let jobs = space.api::<k8s_openapi::api::batch::v1::Job>();
    let parameters = kube::api::PatchParams::default();
    jobs.patch_status("job", &parameters, &kube::api::Patch::Merge(done))
        .await?;
    space.applied("slow", &git.head()?).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn health_that_fails_ends_a_request_and_is_not_forgotten() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "unhealthy").await?;
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: job}\nspec:\n  template:\n    \
               spec: {restartPolicy: Never, containers: [{name: a, image: a}]}\n";
    let git = Repository::with_files([("app/job.yaml", job), ("other/a.txt", "1")])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("job", |spec| {
            spec.path = Some("app".into());
            spec.wait = true;
            spec.timeout = Some(std::time::Duration::from_secs(300).into());
            spec.retry_interval = Some(std::time::Duration::from_secs(3600).into());
        })
        .await?;
    let checking = |found: &Kustomization| {
        condition(&found.status.conditions, "Healthy").is_some_and(|one| one.status == "Unknown")
    };
    space.wait("job", "checking health", checking).await?;
    space
        .request::<Kustomization>("job", "while-waiting")
        .await?;
    let failed = json!({ "status": {
        "startTime": "2026-01-01T00:00:00Z", "failed": 1, "conditions": [
            { "type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded" },
            { "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" },
        ],
    }});
    let jobs = space.api::<k8s_openapi::api::batch::v1::Job>();
    let parameters = kube::api::PatchParams::default();
    jobs.patch_status("job", &parameters, &kube::api::Patch::Merge(failed))
        .await?;
    let message = space.fails("job", "HealthCheckFailed").await?;
    assert!(
        message.starts_with("health check failed after "),
        "{message}"
    );
    assert!(message.contains("Job/"), "{message}");
    space
        .wait(
            "job",
            "told that the request was handled",
            |found: &Kustomization| {
                found.status.last_handled_reconcile_at.as_deref() == Some("while-waiting")
            },
        )
        .await?;
    // A commit that changes nothing of it does not make it healthy.
    git.write("other/a.txt", "2")?;
    let commit = git.commit("change what nobody reads")?;
    let revision = format!("main@sha1:{commit}");
    let found = space
        .wait(
            "job",
            "tried with the new commit",
            |found: &Kustomization| {
                found.status.last_attempted_revision.as_deref() == Some(&revision)
                    && !checking(found)
            },
        )
        .await?;
    assert_eq!(ready(&found.status.conditions).unwrap().status, "False");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn variables_come_from_the_spec_and_from_the_cluster() -> Result<()> {
    use bulkhead_api::kustomize::{PostBuild, SubstituteReference, ValuesKind};
    let world = world().await?;
    let space = Space::new(world.cluster, "variables").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "${one}-${two:-b}").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let from = |name: &str| SubstituteReference {
        kind: ValuesKind::Secret,
        name: name.to_owned(),
        optional: false,
    };
    space
        .kustomization("a", |spec| {
            spec.post_build = Some(PostBuild {
                substitute_from: vec![from("values")],
                ..PostBuild::default()
            });
        })
        .await?;
    let message = space.fails("a", "BuildFailed").await?;
    assert!(message.contains("'Secret/values'"), "{message}");
    space.secret("values", &[("one", "x")]).await?;
    space.applied("a", &git.head()?).await?;
    assert_eq!(space.value("a", "key").await?.as_deref(), Some("x-b"));
    Ok(())
}
