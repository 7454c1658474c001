//! What others change of applied objects.

use std::time::Duration;

use anyhow::Result;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use crate::manager::world;
use crate::space::{Space, config_map};

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_edit_is_seen_at_once_and_put_back_at_the_interval() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "edit").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("a", |spec| spec.interval = Duration::from_secs(2).into())
        .await?;
    space.applied("a", &git.head()?).await?;
    for edit in [
        json!({ "data": { "key": "edited" } }),
        json!({ "data": null }),
    ] {
        space.patch::<ConfigMap>("a", edit).await?;
        space.wait_value("a", "key", "1").await?;
    }
    space
        .event(
            "a",
            "DriftDetected",
            &format!("ConfigMap/{}/a", space.namespace),
        )
        .await?;
    space.delete::<ConfigMap>("a").await?;
    space.wait_value("a", "key", "1").await?;
    // What is nobody's business stays.
    space
        .patch::<ConfigMap>("a", json!({ "data": { "other": "mine" } }))
        .await?;
    space.request::<Kustomization>("a", "now").await?;
    space
        .wait(
            "a",
            "told that the request was handled",
            |found: &Kustomization| {
                found.status.last_handled_reconcile_at.as_deref() == Some("now")
            },
        )
        .await?;
    assert_eq!(space.value("a", "other").await?.as_deref(), Some("mine"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_edit_is_put_back_at_once_where_that_is_asked_for() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "enforce").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space.kustomization("a", |_| ()).await?;
    space.applied("a", &git.head()?).await?;
    let annotation = json!({ "metadata": { "annotations": { "bulkhead.dev/drift": "Enforce" } } });
    space.patch::<Kustomization>("a", annotation).await?;
    space
        .patch::<ConfigMap>("a", json!({ "data": { "key": "edited" } }))
        .await?;
    // Its interval is an hour.
    space.wait_value("a", "key", "1").await?;
    let label = json!({ "metadata": { "labels": { "kustomize.toolkit.fluxcd.io/name": null } } });
    space.patch::<ConfigMap>("a", label).await?;
    space
        .wait("a", "labelled again", |found: &ConfigMap| {
            let labels = found.metadata.labels.as_ref();
            labels.is_some_and(|all| all.contains_key("kustomize.toolkit.fluxcd.io/name"))
        })
        .await?;
    Ok(())
}
