//! How few requests it takes, by the API server's own audit log.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use bulkhead_testing::cluster::Cluster;
use bulkhead_testing::git::{HttpServer, Repository};

use crate::manager::{http_get, world};
use crate::space::{Space, config_map};

const APPS: usize = 20;

/// Counts the manager's requests for objects of `namespace`, by verb and resource; `apply` is told
/// from `patch`.
fn requests(cluster: &Cluster, namespace: &str) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for event in cluster.audit()? {
        let Some(object) = &event.object_ref else {
            continue;
        };
        if object.namespace != namespace || !event.user_agent.starts_with("bulkhead/") {
            continue;
        }
        let verb = match event.verb.as_str() {
            "patch" if event.uri.contains("dryRun") => "dry-run",
            "patch" if event.uri.contains("force=true") => "apply",
            verb => verb,
        };
        let slash = if object.subresource.is_empty() {
            ""
        } else {
            "/"
        };
        *counts
            .entry(format!(
                "{verb} {}{slash}{}",
                object.resource, object.subresource
            ))
            .or_default() += 1;
    }
    Ok(counts)
}

fn difference(
    after: &BTreeMap<String, usize>,
    before: &BTreeMap<String, usize>,
) -> BTreeMap<String, usize> {
    let left = |(name, count): (&String, &usize)| {
        let left = count - before.get(name).copied().unwrap_or_default();
        (left > 0).then(|| (name.clone(), left))
    };
    after.iter().filter_map(left).collect()
}

fn renders(port: u16) -> Result<u64> {
    let text = http_get(port, "/metrics")?;
    let start = "bulkhead_renders_total{plugin=\"kustomize\",result=\"run\"}";
    let line = text.lines().find(|line| line.starts_with(start));
    Ok(line
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_default())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_commit_costs_what_it_changes_and_idling_costs_nothing() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "gate").await?;
    let mut files = Vec::new();
    for app in 0..APPS {
        for map in 0..3 {
            let text = config_map(&format!("a{app}-{map}"), "1");
            files.push((format!("apps/{app}/{map}.yaml"), text));
        }
    }
    let git = Repository::with_files(files.iter().map(|(path, text)| (&**path, &**text)))?;
    let server = HttpServer::start(&git).await?;
    for app in 0..APPS {
        space
            .kustomization(&format!("a{app}"), |spec| {
                spec.path = Some(format!("apps/{app}"));
                spec.interval = Duration::from_secs(2).into();
            })
            .await?;
    }
    space.repository("app", server.url()).await?;
    for app in 0..APPS {
        space.applied(&format!("a{app}"), &git.head()?).await?;
    }
    // The watches of drift come after the first apply; one interval later everything is quiet.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let first = requests(world.cluster, &space.namespace)?;
    assert_eq!(
        first.get("apply configmaps"),
        Some(&(3 * APPS)),
        "{first:#?}"
    );
    assert_eq!(first.get("get configmaps"), None, "{first:#?}");

    // Three intervals without a change: nothing is asked, nothing is written.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let idle = requests(world.cluster, &space.namespace)?;
    assert_eq!(difference(&idle, &first), BTreeMap::new());

    let rendered = renders(world.manager.metrics)?;
    git.write("apps/7/1.yaml", config_map("a7-1", "2"))?;
    let commit = git.commit("change one of three of one of twenty")?;
    for app in 0..APPS {
        space.applied(&format!("a{app}"), &commit).await?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let changed = difference(&requests(world.cluster, &space.namespace)?, &idle);
    let expected = BTreeMap::from(
        [
            ("apply configmaps", 1),
            ("patch kustomizations/status", APPS),
            ("patch gitrepositories/status", 1),
            ("create events", 2),
        ]
        .map(|(name, count)| (name.to_owned(), count)),
    );
    assert_eq!(changed, expected);
    // Other tests render too; a commit that touches one of twenty must not render the others.
    assert!(renders(world.manager.metrics)? - rendered < APPS as u64);
    Ok(())
}
