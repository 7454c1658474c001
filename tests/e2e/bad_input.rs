//! What is wrong costs its own object a condition, and nothing else.

use std::time::Duration;

use anyhow::Result;
use bulkhead_api::GoDuration;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::source::GitRepository;
use bulkhead_testing::git::{HttpServer, Repository};
use serde_json::json;

use crate::manager::world;
use crate::space::{Space, condition, config_map};

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn renders_that_fail_say_where_and_keep_what_was_applied() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "bad").await?;
    let large = format!("data: {{key: {}}}\n", "x".repeat(1_600_000));
    let git = Repository::with_files([
        ("good/a.yaml", config_map("a", "1").as_str()),
        (
            "broken/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: [a\n",
        ),
        ("cyclic/one/kustomization.yaml", "resources: [../two]\n"),
        ("cyclic/two/kustomization.yaml", "resources: [../one]\n"),
        ("outside/kustomization.yaml", "resources: [../../etc]\n"),
        ("missing/kustomization.yaml", "resources: [nothing.yaml]\n"),
        ("twice/kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
        ("twice/a.yaml", config_map("a", "1").as_str()),
        ("twice/b.yaml", config_map("a", "2").as_str()),
        ("nameless/kustomization.yaml", "resources: [a.yaml]\n"),
        (
            "nameless/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
        ),
        ("kindless/kustomization.yaml", "resources: [a.yaml]\n"),
        ("kindless/a.yaml", "apiVersion: v1\nmetadata: {name: a}\n"),
        (
            "large/a.yaml",
            &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: l}}\n{large}"),
        ),
        (
            "unknown/a.yaml",
            "apiVersion: none.example.com/v1\nkind: None\nmetadata: {name: a}\n",
        ),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let cases = [
        ("broken", "BuildFailed", "broken/a.yaml"),
        ("cyclic/one", "BuildFailed", "cycl"),
        ("outside", "BuildFailed", "etc"),
        ("missing", "BuildFailed", "nothing.yaml"),
        ("twice", "BuildFailed", "ConfigMap"),
        ("nameless", "BuildFailed", "name"),
        ("kindless", "BuildFailed", "kind"),
        ("large", "BuildFailed", "an object may have 1572864"),
        ("unknown", "ReconciliationFailed", "None"),
        ("nowhere", "ArtifactFailed", "nowhere"),
        ("../..", "InvalidPath", ".."),
    ];
    for (number, (path, ..)) in cases.iter().enumerate() {
        space
            .kustomization(&format!("k{number}"), |spec| {
                spec.path = Some((*path).into())
            })
            .await?;
    }
    space
        .kustomization("good", |spec| spec.path = Some("good".into()))
        .await?;
    space.applied("good", &git.head()?).await?;
    for (number, (path, reason, part)) in cases.iter().enumerate() {
        let message = space.fails(&format!("k{number}"), reason).await?;
        assert!(message.contains(part), "{path}: {message}");
    }

    // What was applied stays when the source becomes wrong.
    git.write("good/a.yaml", "{")?;
    space.fetched("app", &git.commit("break it")?).await?;
    space.fails("good", "BuildFailed").await?;
    assert_eq!(space.value("a", "key").await?.as_deref(), Some("1"));
    git.git(["revert", "--no-edit", "HEAD"])?;
    space.applied("good", &git.head()?).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn sources_that_cannot_be_had_say_why() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "badsource").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space
        .repository_with("branch", server.url(), |spec| {
            if let Some(reference) = &mut spec.reference {
                reference.branch = Some("nothing".into());
            }
        })
        .await?;
    space.repository("closed", "http://127.0.0.1:1/x").await?;
    space
        .repository("where", &format!("{}/nothing.git", server.base()))
        .await?;
    let message = space.fetch_fails("branch", "GitOperationFailed").await?;
    assert!(
        message.contains("nothing") && message.contains("main"),
        "{message}"
    );
    space.fetch_fails("closed", "GitOperationFailed").await?;
    space.fetch_fails("where", "GitOperationFailed").await?;
    let empty = Repository::new()?;
    let server = HttpServer::start(&empty).await?;
    space.repository("empty", server.url()).await?;
    let message = space.fetch_fails("empty", "GitOperationFailed").await?;
    assert!(
        message.contains("failed to checkout and determine revision"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn one_object_that_no_clock_can_hold_stops_no_other() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "interval").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    let never = GoDuration::new("99999999999h");
    space
        .repository_with("never", server.url(), |spec| spec.interval = never.clone())
        .await?;
    space
        .kustomization("never", |spec| spec.interval = never)
        .await?;
    space.repository("app", server.url()).await?;
    space.kustomization("a", |_| ()).await?;
    space.applied("a", &git.head()?).await?;
    let message = space.fails("never", "ValidationFailed").await?;
    assert!(message.contains("spec.interval"), "{message}");
    space.fetch_fails("never", "ValidationFailed").await?;
    let found = space
        .wait("never", "stalled", |found: &Kustomization| {
            condition(&found.status.conditions, "Stalled").is_some()
        })
        .await?;
    assert_eq!(found.status.observed_generation, 1);
    // It is mended by a change of its own.
    let minute = json!({ "spec": { "interval": "1m" } });
    space
        .patch::<Kustomization>("never", minute.clone())
        .await?;
    space.applied("never", &git.head()?).await?;
    space.patch::<GitRepository>("never", minute).await?;
    space.fetched("never", &git.head()?).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_account_without_rights_changes_nothing() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "account").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("a", |spec| {
            spec.service_account_name = Some("nobody".into());
            spec.retry_interval = Some(Duration::from_secs(3600).into());
        })
        .await?;
    space
        .kustomization("blank", |spec| {
            spec.service_account_name = Some("  ".into())
        })
        .await?;
    let message = space.fails("a", "ReconciliationFailed").await?;
    let account = format!("system:serviceaccount:{}:nobody", space.namespace);
    assert!(message.contains(&account), "{message}");
    let message = space.fails("blank", "ReconciliationFailed").await?;
    assert!(message.contains("blank"), "{message}");
    assert!(space.value("a", "key").await?.is_none());
    Ok(())
}
