//! What is published is what is pulled, and what is no plugin is refused by name.

use bulkhead_api::Digest;
use bulkhead_source::oci::manifest::{Descriptor, Index, Manifest, Platform};
use bulkhead_source::oci::{Limits, OciError, PluginArtifact, Registry, RegistryConfig, media};
use bulkhead_testing::registry::RegistryServer;
use bytes::Bytes;

use super::{COMPONENT, artifact, client, reference, repository, server, settings, told};

#[tokio::test]
async fn a_plugin_makes_the_way_there_and_back() {
    let server = server().await;
    let registry = client(&server);
    let tag = reference(&server, "team/plugin:v1");
    let digest = registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    assert_eq!(
        digest,
        artifact("one").digest(),
        "the digest is known before"
    );
    let resolved = registry.resolve(&tag).await.unwrap();
    assert_eq!(resolved.digest, digest);
    assert_eq!(resolved.pinned().to_string(), format!("{tag}@{digest}"));
    let image = registry.pull_plugin(&resolved).await.unwrap();
    assert_eq!(image.wasm, artifact("one").wasm);
    assert_eq!(image.wasm_digest, Digest::of(&image.wasm));
    assert_eq!(image.annotations["org.opencontainers.image.title"], "test");
    let config = image.config.unwrap();
    assert_eq!((config.os.as_str(), config.created), ("wasip2", None));
    assert_eq!(
        config.component.unwrap().imports,
        ["bulkhead:base/tree@0.1.0"]
    );
    assert_eq!(registry.tags(tag.name()).await.unwrap(), ["v1"]);
}

#[tokio::test]
async fn publishing_again_sends_no_blob() {
    let server = server().await;
    let registry = client(&server);
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    server.take_requests();
    let again = reference(&server, "team/plugin:v2");
    registry
        .push_plugin(&again, &artifact("one"))
        .await
        .unwrap();
    let sent: Vec<String> = server
        .take_requests()
        .into_iter()
        .map(|r| r.method)
        .collect();
    assert_eq!(sent, ["HEAD", "HEAD", "PUT"]);
}

#[tokio::test]
async fn a_moved_tag_changes_nothing_after_it_was_resolved() {
    let server = server().await;
    let registry = client(&server);
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("old")).await.unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    let moved = registry.push_plugin(&tag, &artifact("new")).await.unwrap();
    server.take_requests();
    let image = registry.pull_plugin(&resolved).await.unwrap();
    assert_eq!(image.wasm, artifact("old").wasm);
    registry.authorise(&resolved).await.unwrap();
    let asked = server.take_requests();
    assert!(
        asked.iter().all(|r| !r.target.contains("/manifests/v1")),
        "{asked:?}"
    );
    assert_eq!(registry.resolve(&tag).await.unwrap().digest, moved);
}

#[tokio::test]
async fn a_digest_is_pulled_without_its_tag() {
    let server = server().await;
    let registry = client(&server);
    let name = repository(&server, "team/plugin");
    let untagged = reference(&server, "team/plugin").with_digest(artifact("x").digest());
    let digest = registry
        .push_plugin(&untagged, &artifact("x"))
        .await
        .unwrap();
    let resolved = registry.resolve(&name.pinned(digest)).await.unwrap();
    assert_eq!(
        registry.pull_plugin(&resolved).await.unwrap().wasm,
        artifact("x").wasm
    );
    let other = reference(&server, "team/plugin").with_digest(Digest::of(b"other"));
    assert!(matches!(
        registry.push_plugin(&other, &artifact("x")).await,
        Err(OciError::DigestMismatch { .. })
    ));
    let error = registry.resolve(&other).await;
    assert!(matches!(error, Err(OciError::NotFound { .. })), "{error:?}");
    assert!(told(error).contains("MANIFEST_UNKNOWN"));
}

/// Publishes a manifest and returns what pulling it as a plugin gives.
async fn pull(
    server: &RegistryServer,
    manifest: &Manifest,
    blobs: &[&[u8]],
) -> Result<Bytes, OciError> {
    let registry = client(server);
    let tag = reference(server, "team/other:v1");
    for blob in blobs {
        registry
            .push_blob(tag.name(), Bytes::copy_from_slice(blob))
            .await?;
    }
    registry
        .push_manifest(&tag, media::MANIFEST, manifest.to_bytes().into())
        .await?;
    let resolved = registry.resolve(&tag).await?;
    Ok(registry.pull_plugin(&resolved).await?.wasm)
}

#[tokio::test]
async fn the_layout_before_the_common_one_is_read() {
    let server = server().await;
    for config in [media::LEGACY_WASM_CONFIG, media::EMPTY, media::IMAGE_CONFIG] {
        let layer = Descriptor::of(media::LEGACY_WASM, COMPONENT);
        let manifest = Manifest::new(Descriptor::of(config, b"{}"), vec![layer]);
        let wasm = pull(&server, &manifest, &[b"{}", COMPONENT]).await.unwrap();
        assert_eq!(wasm, COMPONENT, "{config}");
    }
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_before_it_is_downloaded() {
    let server = server().await;
    let config = |kind| Descriptor::of(kind, b"{}");
    let layer = |kind| Descriptor::of(kind, COMPONENT);
    let image = vec![layer("application/vnd.oci.image.layer.v1.tar+gzip")];
    let cases: Vec<(Manifest, &str)> = vec![
        (
            Manifest::new(config(media::IMAGE_CONFIG), image.clone()),
            "is a container image, not a Wasm component",
        ),
        (
            Manifest::new(config(media::DOCKER_IMAGE_CONFIG), image),
            "is a container image, not a Wasm component",
        ),
        (
            Manifest::new(config(media::WASM_CONFIG), vec![]),
            "has 0 layers, and a Wasm component has exactly one",
        ),
        (
            Manifest::new(
                config(media::WASM_CONFIG),
                vec![layer(media::WASM), layer(media::WASM)],
            ),
            "has 2 layers, and a Wasm component has exactly one",
        ),
        (
            Manifest::new(config(media::WASM_CONFIG), vec![layer(media::WASM); 1000]),
            "has 1000 layers, and a Wasm component has exactly one",
        ),
        (
            Manifest::new(
                config(media::WASM_CONFIG),
                vec![layer("application/wasm+gzip")],
            ),
            "is compressed (`application/wasm+gzip`), and is only read uncompressed",
        ),
        (
            Manifest::new(
                config("application/vnd.cncf.helm.config.v1+json"),
                vec![layer("application/vnd.cncf.helm.chart.content.v1.tar")],
            ),
            "is of type `application/vnd.cncf.helm.config.v1+json`, and a Wasm component",
        ),
        (
            Manifest::new(config(media::WASM_CONFIG), vec![layer(media::WASM)]),
            "has a configuration that is wrong: missing field `architecture`",
        ),
    ];
    for (manifest, expected) in cases {
        server.take_requests();
        let error = told(pull(&server, &manifest, &[b"{}", COMPONENT]).await);
        assert!(error.contains(expected), "{error}");
        let component = Digest::of(COMPONENT).to_string();
        let asked = server.take_requests();
        let downloads = asked
            .iter()
            .filter(|r| r.method == "GET" && r.target.contains(&component));
        assert_eq!(downloads.count(), 0, "{error}");
    }
}

#[tokio::test]
async fn an_index_is_told_apart_and_explained() {
    let server = server().await;
    let registry = client(&server);
    let plugin = reference(&server, "team/plugin:v1");
    registry
        .push_plugin(&plugin, &artifact("one"))
        .await
        .unwrap();
    let resolved = registry.resolve(&plugin).await.unwrap();
    let mut entry = Descriptor::of(media::MANIFEST, &resolved.manifest);
    entry.platform = Some(Platform {
        architecture: "amd64".to_owned(),
        os: "linux".to_owned(),
        variant: None,
    });
    let index = Index::new(vec![entry]).to_bytes();
    let tag = reference(&server, "team/plugin:all");
    registry
        .push_manifest(&tag, media::INDEX, index.into())
        .await
        .unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    let error = registry.pull_plugin(&resolved).await;
    assert!(
        matches!(error, Err(OciError::Index { count: 1, .. })),
        "{error:?}"
    );
    assert!(
        told(error).contains("is an index of 1 platforms, not one Wasm component: linux/amd64")
    );
}

#[tokio::test]
async fn a_plugin_at_the_limit_passes_and_one_past_it_is_refused() {
    let server = server().await;
    let exact = artifact("").wasm.len() as u64 + 4;
    let limits = Limits {
        blob_bytes: exact,
        ..Limits::default()
    };
    let registry = Registry::new(RegistryConfig {
        limits,
        ..settings(&server)
    })
    .unwrap();
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("four")).await.unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    assert!(registry.pull_plugin(&resolved).await.is_ok());
    let refused = registry.push_plugin(&tag, &artifact("five!")).await;
    assert!(
        matches!(
            refused,
            Err(OciError::Limit {
                limit: "blob_bytes",
                ..
            })
        ),
        "{refused:?}"
    );
    client(&server)
        .push_plugin(&tag, &artifact("five!"))
        .await
        .unwrap();
    server.take_requests();
    let resolved = registry.resolve(&tag).await.unwrap();
    let refused = registry.pull_plugin(&resolved).await;
    assert!(
        matches!(
            refused,
            Err(OciError::Limit {
                limit: "blob_bytes",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(
        server.take_requests().len(),
        1,
        "only the manifest was read"
    );
}

#[tokio::test]
async fn annotations_and_creation_time_are_published_when_given() {
    let server = server().await;
    let registry = client(&server);
    let tag = reference(&server, "team/wit:0.1.0");
    let package = PluginArtifact {
        created: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        author: Some("team".to_owned()),
        ..artifact("wit")
    };
    let digest = registry.push_plugin(&tag, &package).await.unwrap();
    assert_ne!(digest, artifact("wit").digest());
    let resolved = registry.resolve(&tag).await.unwrap();
    let config = registry
        .pull_plugin(&resolved)
        .await
        .unwrap()
        .config
        .unwrap();
    assert_eq!(config.created.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(config.author.as_deref(), Some("team"));
}
