//! ExternalArtifact: what another controller makes is applied and installed, if it is what the status
//! says.

use anyhow::Result;
use bulkhead_api::Digest;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::{Kustomization, SourceKind, SourceReference};
use bulkhead_api::source::{ExternalArtifact, ExternalArtifactSpec};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::artifacts::{chart, packed};
use crate::manager::world;
use crate::shelf::Shelf;
use crate::space::{Space, config_map, is_ready, ready};

/// Does what the controller of an ExternalArtifact does: puts the archive in, and tells of it.
async fn tell(
    space: &Space,
    shelf: &Shelf,
    name: &str,
    (revision, archive): (&str, &[u8]),
    digest: Option<&str>,
) -> Result<()> {
    let path = format!(
        "externalartifact/{}/{name}/{revision}.tar.gz",
        space.namespace
    );
    shelf.put(&path, archive);
    let digest = digest.map_or_else(|| Digest::of(archive).to_string(), str::to_owned);
    let status = json!({ "status": { "artifact": {
        "digest": digest, "lastUpdateTime": "2026-01-01T00:00:00Z", "path": path,
        "revision": revision, "url": format!("{}/{path}", shelf.url()),
    } } });
    let api: Api<ExternalArtifact> = space.api();
    let parameters = PatchParams::default();
    api.patch_status(name, &parameters, &Patch::Merge(&status))
        .await?;
    Ok(())
}

/// Waits until the Kustomization says, with the reason ArtifactFailed, what has this part.
async fn fails(space: &Space, part: &str) -> Result<String> {
    let message = |found: &Kustomization| {
        let ready = ready(&found.status.conditions)?;
        let is_it = ready.reason == "ArtifactFailed" && ready.message.contains(part);
        is_it.then(|| ready.message.clone())
    };
    let found = space
        .wait("apps", part, |found| message(found).is_some())
        .await?;
    Ok(message(&found).unwrap_or_default())
}

async fn create(space: &Space, name: &str) -> Result<()> {
    let object = ExternalArtifact::new(&space.namespace, name, ExternalArtifactSpec::default());
    space.create(&object).await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_kustomization_applies_what_another_controller_made() -> Result<()> {
    let space = Space::new(world().await?.cluster, "external").await?;
    let shelf = Shelf::open().await?;
    let archive = |value: &str| packed(&[("apps/a.yaml", &*config_map("a", value))]);
    space
        .kustomization("apps", |spec| {
            spec.source_ref = SourceReference::new(SourceKind::ExternalArtifact, "made");
            spec.path = Some("./apps".to_owned());
        })
        .await?;
    fails(&space, "Source 'ExternalArtifact/made' not found").await?;
    create(&space, "made").await?;
    space.request::<Kustomization>("apps", "look").await?;
    fails(&space, "Source artifact not found, retrying in ").await?;

    let first = archive("1")?;
    tell(&space, &shelf, "made", ("latest@sha256:1", &first), None).await?;
    space.wait_value("a", "key", "1").await?;
    let applied = |revision: &'static str| {
        move |found: &Kustomization| {
            is_ready(&found.status.conditions)
                && found.status.last_applied_revision.as_deref() == Some(revision)
        }
    };
    let ready = applied("latest@sha256:1");
    space
        .wait::<Kustomization>("apps", "applied", ready)
        .await?;
    // Other bytes than the status names are never applied.
    let second = archive("2")?;
    let foreign = Digest::of(b"something else").to_string();
    let news = ("latest@sha256:2", second.as_slice());
    tell(&space, &shelf, "made", news, Some(&foreign)).await?;
    let told = fails(&space, &foreign).await?;
    assert!(told.contains(&Digest::of(&second).to_string()), "{told}");
    assert_eq!(space.value("a", "key").await?.as_deref(), Some("1"));
    tell(&space, &shelf, "made", news, None).await?;
    space.wait_value("a", "key", "2").await?;
    // What is no archive is told as that.
    tell(
        &space,
        &shelf,
        "made",
        ("latest@sha256:3", b"no archive"),
        None,
    )
    .await?;
    fails(&space, "failed to unpack artifact").await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_installs_a_chart_that_another_controller_made() -> Result<()> {
    let space = Space::new(world().await?.cluster, "external-chart").await?;
    let shelf = Shelf::open().await?;
    let packed = |version: &str| {
        let map = config_map("web", version);
        chart("web", version, &[("templates/map.yaml", &*map)])
    };
    let object = json!({
        "interval": "1h",
        "chartRef": { "kind": "ExternalArtifact", "name": "web" },
    });
    let object = HelmRelease::new(
        &space.namespace,
        "web",
        serde_json::from_value::<_>(object)?,
    );
    space.create(&object).await?;
    create(&space, "web").await?;
    tell(&space, &shelf, "web", ("1.0.0", &packed("1.0.0")?), None).await?;
    let deployed = |version: &'static str| {
        move |found: &HelmRelease| {
            let newest = found.status.history.first();
            is_ready(&found.status.conditions)
                && newest.is_some_and(|newest| newest.chart_version == version)
        }
    };
    let found = space.wait("web", "1.0.0", deployed("1.0.0")).await?;
    assert_eq!(
        found.status.last_attempted_revision.as_deref(),
        Some("1.0.0")
    );
    tell(&space, &shelf, "web", ("1.1.0", &packed("1.1.0")?), None).await?;
    space.wait("web", "1.1.0", deployed("1.1.0")).await?;
    space.wait_value("web", "key", "1.1.0").await?;
    Ok(())
}
