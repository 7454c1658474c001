//! `dependsOn`: who waits, who is woken, who turns in a circle.

use std::time::Duration;

use anyhow::Result;
use bulkhead_api::kustomize::KustomizationSpec;
use bulkhead_api::meta::DependencyReference;
use bulkhead_testing::git::{HttpServer, Repository};
use tokio::time::Instant;

use crate::manager::world;
use crate::space::{Space, condition, config_map};

fn depends_on(spec: &mut KustomizationSpec, names: &[&str]) {
    let reference = |name: &&str| DependencyReference {
        name: (*name).to_owned(),
        ..Default::default()
    };
    spec.depends_on = names.iter().map(reference).collect();
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chain_is_woken_link_by_link() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "chain").await?;
    let files: Vec<(String, String)> = (0..6)
        .map(|number| {
            (
                format!("k{number}/a.yaml"),
                config_map(&format!("m{number}"), "1"),
            )
        })
        .collect();
    let git = Repository::with_files(files.iter().map(|(path, text)| (&**path, &**text)))?;
    let server = HttpServer::start(&git).await?;
    for number in (0..6).rev() {
        let path = Some(if number == 0 {
            "missing".to_owned()
        } else {
            format!("k{number}")
        });
        let before = format!("k{}", number - 1);
        space
            .kustomization(&format!("k{number}"), |spec| {
                spec.path = path;
                if number > 0 {
                    depends_on(spec, &[&before]);
                }
            })
            .await?;
    }
    space.repository("app", server.url()).await?;
    let message = space.fails("k5", "DependencyNotReady").await?;
    assert_eq!(
        message,
        format!("dependency '{}/k4' is not ready", space.namespace)
    );
    space
        .event(
            "k5",
            "DependencyNotReady",
            "Dependencies do not meet ready condition",
        )
        .await?;
    let started = Instant::now();
    let path = serde_json::json!({ "spec": { "path": "k0" } });
    space
        .patch::<bulkhead_api::kustomize::Kustomization>("k0", path)
        .await?;
    space.applied("k5", &git.head()?).await?;
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );

    // A new commit goes down the chain too: each needs the one before at the same revision.
    git.write("k5/a.yaml", config_map("m5", "2"))?;
    space.applied("k5", &git.commit("change the last")?).await?;
    assert_eq!(space.value("m5", "key").await?.as_deref(), Some("2"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_circle_is_told_and_can_be_opened() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "circle").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("one", |spec| depends_on(spec, &["two"]))
        .await?;
    space
        .kustomization("two", |spec| depends_on(spec, &["one"]))
        .await?;
    let message = space.fails("one", "DependencyNotReady").await?;
    let circle = space
        .wait(
            "one",
            "stalled",
            |found: &bulkhead_api::kustomize::Kustomization| {
                condition(&found.status.conditions, "Stalled").is_some()
            },
        )
        .await?;
    let namespace = &space.namespace;
    let stalled = condition(&circle.status.conditions, "Stalled").unwrap();
    assert!(
        stalled.message.contains(&format!(
            "{namespace}/one -> {namespace}/two -> {namespace}/one"
        )),
        "{message} {}",
        stalled.message
    );
    let open = serde_json::json!({ "spec": { "dependsOn": null } });
    space
        .patch::<bulkhead_api::kustomize::Kustomization>("two", open)
        .await?;
    space.applied("two", &git.head()?).await?;
    space.applied("one", &git.head()?).await?;
    Ok(())
}
