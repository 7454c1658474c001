//! `kill -9` in the middle of an apply, and what a restart makes of it.

use std::time::Duration;

use anyhow::{Context, Result};
use bulkhead_api::kustomize::Kustomization;
use bulkhead_testing::cluster::Cluster;
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;

use crate::manager::{Manager, install_definitions};
use crate::space::{Space, config_map};

const OBJECTS: usize = 150;

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn nothing_is_orphaned_and_nothing_lost() -> Result<()> {
    let cluster = Cluster::start().await?;
    install_definitions(&cluster).await?;
    let folder = tempfile::tempdir()?;
    let space = Space::new(&cluster, "crash").await?;
    let files: Vec<(String, String)> = (0..OBJECTS)
        .map(|number| {
            (
                format!("app/{number}.yaml"),
                config_map(&format!("m{number}"), "1"),
            )
        })
        .collect();
    let git = Repository::with_files(files.iter().map(|(path, text)| (&**path, &**text)))?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("app", |spec| spec.path = Some("app".into()))
        .await?;

    // Killed with part of the objects there: more each time.
    for part in [1, OBJECTS / 3, 2 * OBJECTS / 3] {
        let manager = Manager::start(&cluster, folder.path()).await?;
        while owned(&space).await? < part {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        manager.kill()?;
        let there = owned(&space).await?;
        let recorded = recorded(&space).await?;
        assert!(
            recorded >= there,
            "{there} objects, {recorded} in the inventory"
        );
    }

    // The commit that made half of them is gone when it comes back.
    for number in 0..OBJECTS / 2 {
        git.remove(&format!("app/{number}.yaml"))?;
    }
    let commit = git.commit("remove half")?;
    let _manager = Manager::start(&cluster, folder.path()).await?;
    space.applied("app", &commit).await?;
    assert_eq!(owned(&space).await?, OBJECTS - OBJECTS / 2);
    assert_eq!(recorded(&space).await?, OBJECTS - OBJECTS / 2);
    assert!(space.value("m0", "key").await?.is_none());
    assert!(
        space
            .value(&format!("m{}", OBJECTS - 1), "key")
            .await?
            .is_some()
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn of_two_processes_one_writes_and_the_other_takes_over() -> Result<()> {
    let cluster = Cluster::start().await?;
    install_definitions(&cluster).await?;
    let folder = tempfile::tempdir()?;
    let own = Space {
        client: cluster.client()?,
        namespace: "flux-system".to_owned(),
    };
    let mut namespace = k8s_openapi::api::core::v1::Namespace::default();
    namespace.metadata.name = Some(own.namespace.clone());
    kube::Api::all(own.client.clone())
        .create(&Default::default(), &namespace)
        .await?;
    let space = Space::new(&cluster, "replicas").await?;
    let git = Repository::with_files([("app/a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    let first = Manager::start_replica(&cluster, folder.path(), "first").await?;
    let lease = "bulkhead-leader-election";
    let is_held = |found: &k8s_openapi::api::coordination::v1::Lease| {
        let holder = found
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.as_deref());
        holder.is_some_and(|holder| !holder.is_empty())
    };
    own.wait(lease, "held", is_held).await?;
    let second = Manager::start_replica(&cluster, folder.path(), "second").await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("app", |spec| spec.path = Some("app".into()))
        .await?;
    space.applied("app", &git.head()?).await?;
    assert!(first.log().contains("stored artifact"));
    assert!(
        !second.log().contains("stored artifact"),
        "the second writes too"
    );

    first.stop()?;
    git.write("app/a.yaml", config_map("a", "2"))?;
    space.applied("app", &git.commit("change a")?).await?;
    assert_eq!(space.value("a", "key").await?.as_deref(), Some("2"));
    second.stop()?;
    Ok(())
}

/// Counts the objects that carry the owner label.
async fn owned(space: &Space) -> Result<usize> {
    let labels = ListParams::default().labels("kustomize.toolkit.fluxcd.io/name=app");
    Ok(space
        .api::<ConfigMap>()
        .list_metadata(&labels)
        .await?
        .items
        .len())
}

/// Counts the entries of the inventory.
async fn recorded(space: &Space) -> Result<usize> {
    let found = space
        .api::<Kustomization>()
        .get_opt("app")
        .await?
        .context("no Kustomization")?;
    Ok(found
        .status
        .inventory
        .map_or(0, |inventory| inventory.entries.len()))
}
