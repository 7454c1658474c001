//! OCIRepository: from a real registry to an artifact, on a real API server.

use std::time::Duration;

use anyhow::Result;
use bulkhead_api::Digest;
use bulkhead_api::kustomize::{SourceKind, SourceReference};
use bulkhead_api::meta::LocalObjectReference;
use bulkhead_api::source::{
    OCIRepository, OciLayerOperation, OciLayerSelector, OciRepositoryRef, OciRepositorySpec,
    OciVerification,
};
use bulkhead_testing::registry::{Access, PASSWORD, RegistryOptions, RegistryServer, USER};
use serde_json::json;

use crate::artifacts::{self, FLUX, HELM};
use crate::manager::world;
use crate::space::{Space, condition, config_map, is_ready, ready};

/// Creates an OCIRepository, looked at every second.
async fn repository(
    space: &Space,
    name: &str,
    url: &str,
    change: impl FnOnce(&mut OciRepositorySpec),
) -> Result<()> {
    let mut spec = OciRepositorySpec::new(url, Duration::from_secs(1));
    spec.insecure = true;
    change(&mut spec);
    let object = OCIRepository::new(&space.namespace, name, spec);
    space.create(&object).await.map(drop)
}

/// Waits until the object is Ready at a revision.
async fn pulled(space: &Space, name: &str, revision: &str) -> Result<OCIRepository> {
    let is_so = |found: &OCIRepository| {
        let artifact = found.status.artifact.as_ref();
        is_ready(&found.status.conditions)
            && artifact.is_some_and(|artifact| artifact.revision == revision)
    };
    space.wait(name, revision, is_so).await
}

/// Waits until Ready is False for a reason; returns its message.
async fn fails(space: &Space, name: &str, reason: &str) -> Result<(OCIRepository, String)> {
    let is_so = |found: &OCIRepository| {
        ready(&found.status.conditions)
            .is_some_and(|ready| ready.status == "False" && ready.reason == reason)
    };
    let found = space.wait(name, reason, is_so).await?;
    let message = ready(&found.status.conditions).unwrap().message.clone();
    Ok((found, message))
}

fn tag(tag: &str) -> Option<OciRepositoryRef> {
    Some(OciRepositoryRef {
        tag: Some(tag.to_owned()),
        ..OciRepositoryRef::default()
    })
}

fn semver(range: &str, filter: Option<&str>) -> Option<OciRepositoryRef> {
    Some(OciRepositoryRef {
        semver: Some(range.to_owned()),
        semver_filter: filter.map(str::to_owned),
        ..OciRepositoryRef::default()
    })
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_layer_becomes_an_artifact_that_follows_its_tag() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "oci").await?;
    let registry = RegistryServer::start().await?;
    let image = format!("{}/apps/web:stable", registry.host());
    let files = [
        ("a.yaml", config_map("a", "1")),
        ("docs/readme.md", "x".into()),
        ("picture.png", "x".into()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, &**text));
    let annotations = json!({
        "org.opencontainers.image.source": "https://example.com/web",
        "org.opencontainers.image.revision": "main@sha1:1f0c",
    });
    let layer = artifacts::packed(&files)?;
    let first = artifacts::push(&image, FLUX, &layer, annotations).await?;
    let url = format!("oci://{}/apps/web", registry.host());
    repository(&space, "web", &url, |spec| spec.reference = tag("stable")).await?;

    let revision = format!("stable@{first}");
    let found = pulled(&space, "web", &revision).await?;
    let stored = condition(&found.status.conditions, "ArtifactInStorage").unwrap();
    let message = format!("stored artifact for digest '{revision}'");
    assert_eq!(
        (stored.reason.as_str(), &stored.message),
        ("Succeeded", &message)
    );
    assert_eq!(ready(&found.status.conditions).unwrap().message, message);
    let artifact = found.status.artifact.clone().unwrap();
    let folder = format!("ocirepository/{}/web", space.namespace);
    assert_eq!(artifact.path, format!("{folder}/{first}.tar.gz"));
    assert_eq!(artifact.origin_revision(), Some("main@sha1:1f0c"));
    let bytes = artifacts::load(&artifact.url).await?;
    assert_eq!(Digest::of(&bytes).to_string(), artifact.digest);
    assert_eq!(artifact.size, Some(bytes.len() as i64));
    let listed = artifacts::listed(&bytes)?;
    assert_eq!(listed, [".", "a.yaml", "docs", "docs/readme.md"]);
    let latest = found.status.url.clone().unwrap();
    assert!(
        latest.ends_with(&format!("{folder}/latest.tar.gz")),
        "{latest}"
    );
    assert_eq!(artifacts::load(&latest).await?, bytes);
    let event = format!(
        "stored artifact with revision '{revision}' from '{url}', origin source \
         'https://example.com/web', origin revision 'main@sha1:1f0c'"
    );
    space.event("web", "NewArtifact", &event).await?;

    // A digest that stays costs one HEAD a second, and no write.
    let before = pulled(&space, "web", &revision).await?;
    registry.take_requests();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen.extend(registry.take_requests());
    }
    assert!(
        seen.iter().all(|request| request.method == "HEAD"),
        "{seen:?}"
    );
    let after = pulled(&space, "web", &revision).await?;
    assert_eq!(
        before.metadata.resource_version,
        after.metadata.resource_version
    );

    let layer = artifacts::packed(&[("a.yaml", &config_map("a", "2"))])?;
    let second = artifacts::push(&image, FLUX, &layer, json!({})).await?;
    pulled(&space, "web", &format!("stable@{second}")).await?;
    let ignore = json!({ "spec": { "ignore": "*.yaml" } });
    space.patch::<OCIRepository>("web", ignore).await?;
    let emptied = |found: &OCIRepository| found.status.observed_ignore.as_deref() == Some("*.yaml");
    let emptied = space.wait("web", "without files", emptied).await?;
    let bytes = artifacts::load(&emptied.status.artifact.unwrap().url).await?;
    assert_eq!(artifacts::listed(&bytes)?, ["."]);
    space.delete::<OCIRepository>("web").await?;
    space.wait_gone::<OCIRepository>("web").await
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn versions_and_digests_are_chosen_as_flux_does() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "oci-ref").await?;
    let registry = RegistryServer::start().await?;
    let mut digests = Vec::new();
    for version in ["1.0.0", "1.1.0", "1.2.0-rc.1"] {
        let image = format!("{}/apps/web:{version}", registry.host());
        let layer = artifacts::packed(&[("version", version)])?;
        digests.push(artifacts::push(&image, FLUX, &layer, json!({})).await?);
    }
    let chart = artifacts::chart("web", "3.0.0+7", &[("values.yaml", "a: 1\n")])?;
    let image = format!("{}/charts/web:3.0.0_7", registry.host());
    let of_chart = artifacts::push(&image, HELM, &chart, json!({})).await?;
    let url = format!("oci://{}/apps/web", registry.host());
    let range = semver(">=1.0.0", None);
    repository(&space, "range", &url, |spec| spec.reference = range).await?;
    let filter = semver(">=1.0.0-0", Some(".*-rc.*"));
    repository(&space, "filter", &url, |spec| spec.reference = filter).await?;
    let digest = Some(OciRepositoryRef {
        digest: Some(digests[0].to_string()),
        ..semver("2.x", None).unwrap()
    });
    repository(&space, "digest", &url, |spec| spec.reference = digest).await?;
    let charts = format!("oci://{}/charts/web", registry.host());
    repository(&space, "chart", &charts, |spec| {
        spec.reference = semver("3.x", None);
        spec.layer_selector = Some(OciLayerSelector {
            media_type: Some(HELM[1].to_owned()),
            operation: Some(OciLayerOperation::Copy),
        });
    })
    .await?;
    pulled(&space, "range", &format!("1.1.0@{}", digests[1])).await?;
    pulled(&space, "filter", &format!("1.2.0-rc.1@{}", digests[2])).await?;
    pulled(&space, "digest", &digests[0].to_string()).await?;
    let found = pulled(&space, "chart", &format!("3.0.0_7@{of_chart}")).await?;
    let artifact = found.status.artifact.unwrap();
    assert_eq!(artifacts::load(&artifact.url).await?, chart, "as it is");
    assert_eq!(artifact.digest, Digest::of(&chart).to_string());
    assert_eq!(
        found.status.observed_layer_selector,
        found.spec.layer_selector
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_fails_is_told_in_the_words_of_flux() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "oci-fail").await?;
    let registry = RegistryServer::start_with(RegistryOptions {
        access: Access::Basic,
        ..RegistryOptions::default()
    })
    .await?;
    let url = format!("oci://{}/apps/web", registry.host());
    let login = |password: &str| {
        let login = json!({ "username": USER, "password": password });
        json!({ "auths": { registry.host(): login } }).to_string()
    };
    for (name, password) in [("good", PASSWORD), ("wrong", "nonsense")] {
        let data = [(".dockerconfigjson", &*login(password))];
        space.secret(name, &data).await?;
    }
    let with_login = |name: &str| {
        let name = name.to_owned();
        move |spec: &mut OciRepositorySpec| {
            spec.secret_ref = Some(LocalObjectReference { name });
        }
    };
    repository(&space, "wrong", &url, with_login("wrong")).await?;
    repository(&space, "missing", &url, with_login("nothing")).await?;
    repository(&space, "absent", &url, with_login("good")).await?;
    repository(&space, "no-version", &url, |spec| {
        with_login("good")(spec);
        spec.reference = semver("1.x", None);
    })
    .await?;
    repository(&space, "tagged", &format!("{url}:v1"), |_| ()).await?;
    repository(&space, "cloud", &url, |spec| {
        spec.provider = Some("aws".into());
    })
    .await?;
    let (found, message) = fails(&space, "wrong", "OCIArtifactPullFailed").await?;
    let start = "failed to determine artifact digest: ";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains("login"), "{message}");
    let conditions = &found.status.conditions;
    assert_eq!(condition(conditions, "FetchFailed").unwrap().status, "True");
    let retried = condition(conditions, "Reconciling").unwrap();
    assert_eq!(retried.reason, "ProgressingWithRetry");
    assert_eq!(found.status.observed_generation, -1, "it may still work");
    let (_, message) = fails(&space, "missing", "AuthenticationFailed").await?;
    let start = format!(
        "failed to get credential: failed to get secret '{}/nothing': ",
        space.namespace
    );
    assert!(message.starts_with(&start), "{message}");
    let (_, message) = fails(&space, "absent", "OCIArtifactPullFailed").await?;
    let start = "failed to determine artifact digest: ";
    assert!(message.starts_with(start), "{message}");
    let (_, message) = fails(&space, "no-version", "ReadOperationFailed").await?;
    let start = format!("failed to determine the artifact tag for '{url}': ");
    assert!(message.starts_with(&start), "{message}");
    let (found, message) = fails(&space, "tagged", "URLInvalid").await?;
    assert!(
        message.starts_with("URL validation failed for "),
        "{message}"
    );
    assert!(condition(&found.status.conditions, "Stalled").is_some());
    assert_eq!(found.status.observed_generation, 1, "nothing else happens");
    let (_, message) = fails(&space, "cloud", "NotSupported").await?;
    assert!(message.starts_with("`spec.provider` "), "{message}");

    // What was missing comes, and the events tell of it.
    let image = format!("{}/apps/web:v1", registry.host());
    assert!(!world.manager.log().contains("nonsense"), "{image}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_altered_artifact_is_made_anew_and_layers_are_checked() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "oci-heal").await?;
    let registry = RegistryServer::start().await?;
    let image = format!("{}/apps/web:latest", registry.host());
    let layer = artifacts::packed(&[("a.yaml", &config_map("a", "1"))])?;
    let digest = artifacts::push(&image, FLUX, &layer, json!({})).await?;
    let url = format!("oci://{}/apps/web", registry.host());
    repository(&space, "web", &url, |_| ()).await?;
    repository(&space, "typed", &url, |spec| {
        spec.layer_selector = Some(OciLayerSelector {
            media_type: Some("application/none".into()),
            operation: None,
        });
    })
    .await?;
    repository(&space, "unsigned", &url, |spec| {
        spec.verify = Some(OciVerification {
            provider: "cosign".into(),
            secret_ref: Some(LocalObjectReference {
                name: "keys".into(),
            }),
            match_oidc_identity: Vec::new(),
            trusted_root_secret_ref: None,
        });
    })
    .await?;
    let found = pulled(&space, "web", &format!("latest@{digest}")).await?;
    let (_, message) = fails(&space, "typed", "OCIArtifactLayerOperationFailed").await?;
    let start = "failed to find layer with media type 'application/none' in artifact";
    assert!(message.starts_with(start), "{message}");
    let (unsigned, message) = fails(&space, "unsigned", "VerificationError").await?;
    let start = "failed to verify the signature using provider 'cosign': ";
    assert!(message.starts_with(start), "{message}");
    let verified = condition(&unsigned.status.conditions, "SourceVerified").unwrap();
    assert_eq!(verified.status, "False");
    assert_eq!(unsigned.status.artifact, None);

    let artifact = found.status.artifact.unwrap();
    let file = world
        .manager
        .storage()
        .join("artifacts")
        .join(&artifact.path);
    std::fs::write(&file, "something else")?;
    space
        .event(
            "web",
            "ArtifactVerificationFailed",
            "failed to verify integrity",
        )
        .await?;
    let healed = |_: &OCIRepository| std::fs::read(&file).is_ok_and(|bytes| bytes.len() > 20);
    space.wait("web", "healed", healed).await?;
    let bytes = artifacts::load(&artifact.url).await?;
    assert_eq!(Digest::of(&bytes).to_string(), artifact.digest);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_kustomization_applies_what_a_registry_has() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "oci-apply").await?;
    let registry = RegistryServer::start().await?;
    let image = format!("{}/apps/web:latest", registry.host());
    let push = async |value: &str| {
        let layer = artifacts::packed(&[("deploy/a.yaml", &config_map("a", value))])?;
        let annotations = json!({ "org.opencontainers.image.revision": "main@sha1:1f0c" });
        artifacts::push(&image, FLUX, &layer, annotations).await
    };
    push("1").await?;
    space
        .kustomization("web", |spec| {
            spec.source_ref = SourceReference::new(SourceKind::OciRepository, "web");
            spec.path = Some("deploy".into());
        })
        .await?;
    let url = format!("oci://{}/apps/web", registry.host());
    repository(&space, "web", &url, |_| ()).await?;
    space.wait_value("a", "key", "1").await?;
    let second = push("2").await?;
    space.wait_value("a", "key", "2").await?;
    let revision = format!("latest@{second}");
    let applied = |found: &bulkhead_api::kustomize::Kustomization| {
        let status = &found.status;
        is_ready(&status.conditions)
            && status.last_applied_revision.as_deref() == Some(&revision)
            && status.last_applied_origin_revision.as_deref() == Some("main@sha1:1f0c")
    };
    space.wait("web", "applied", applied).await.map(drop)
}
