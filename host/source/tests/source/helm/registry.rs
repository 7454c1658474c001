//! Charts in a registry: found by version, pulled, verified, and told from other things.

use bulkhead_source::Secret;
use bulkhead_source::helm::registry::{
    CONFIG, CONTENT, LEGACY_CONTENT, chart_repository, choose, choose_version, pull,
};
use bulkhead_source::helm::{HelmError, Limits};
use bulkhead_source::oci::manifest::{Descriptor, Manifest};
use bulkhead_source::oci::sign::{Format, SigningKey};
use bulkhead_source::oci::verify::{Mode, Policy, PublicKey, Trust, VerifyError, verify};
use bulkhead_source::oci::{OciError, media};
use bulkhead_testing::registry::{Fault, RegistryServer};

use super::{packed, told};
use crate::oci;

/// Pushes a manifest with one layer, over HTTP as any client would.
async fn push(server: &RegistryServer, tag: &str, config: &str, layer: &str, content: &[u8]) {
    let client = oci::client(server);
    let repository = oci::repository(server, "charts/web");
    let mut layer = Descriptor::of(layer, content);
    layer.annotations.insert("a".to_owned(), "b".to_owned());
    let manifest = Manifest::new(Descriptor::of(config, b"{}"), vec![layer]).to_bytes();
    for blob in [content.to_vec(), b"{}".to_vec()] {
        client.push_blob(&repository, blob.into()).await.unwrap();
    }
    let reference = repository.tagged(tag).unwrap();
    client
        .push_manifest(&reference, media::MANIFEST, manifest.into())
        .await
        .unwrap();
}

#[tokio::test]
async fn versions_are_tags_with_another_plus() {
    let server = oci::server().await;
    let kinds = [
        ("1.0.0", CONTENT),
        ("1.1.0_b", CONTENT),
        ("2.0.0-rc.1", LEGACY_CONTENT),
    ];
    for (tag, layer) in kinds {
        push(
            &server,
            tag,
            CONFIG,
            layer,
            &packed("web", &tag.replace('_', "+")),
        )
        .await;
    }
    push(&server, "latest", CONFIG, CONTENT, b"x").await;
    let client = oci::client(&server);
    let base = format!("oci://{}/charts/", server.host());
    let repository = chart_repository(&base, "web").unwrap();
    for (wanted, expected) in [
        ("", "1.1.0+b"),
        ("1.x", "1.1.0+b"),
        ("1.1.0+b", "1.1.0+b"),
        ("1.0.0", "1.0.0"),
        (">1.5-0", "2.0.0-rc.1"),
    ] {
        server.take_requests();
        let version = choose_version(&client, &repository, wanted).await;
        assert_eq!(version.unwrap(), expected);
        // A full version asks nothing, a range for the tags alone.
        let seen = server.take_requests();
        assert_eq!(seen.len(), usize::from(wanted != expected), "{wanted}");
        let chosen = choose(&client, &repository, wanted).await.unwrap();
        assert_eq!(chosen.version, expected, "{wanted}");
        let seen = server.take_requests();
        let listed = seen.iter().any(|seen| seen.target.contains("/tags/list"));
        assert_eq!(listed, wanted != expected, "{wanted}");
        let chart = pull(&client, &chosen.resolved, &Limits::default())
            .await
            .unwrap();
        assert_eq!(chart.content, packed("web", expected));
    }
    let error = choose(&client, &repository, "^3").await.unwrap_err();
    assert_eq!(
        told(&error),
        format!("{repository} has no version that is `^3`: there are 2.0.0-rc.1, 1.1.0+b, 1.0.0")
    );
    let error = choose(&client, &repository, "9.9.9").await.unwrap_err();
    assert!(matches!(
        error,
        HelmError::Registry(OciError::NotFound { .. })
    ));
    let chosen = choose(&client, &repository, "1.0.0").await.unwrap();
    let mut limits = Limits {
        chart_bytes: packed("web", "1.0.0").len() as u64,
        ..Limits::default()
    };
    assert!(pull(&client, &chosen.resolved, &limits).await.is_ok());
    limits.chart_bytes -= 1;
    let error = pull(&client, &chosen.resolved, &limits).await.unwrap_err();
    assert!(told(&error).contains("`chart_bytes`"), "{}", told(&error));
    server.fail("/blobs/", Fault::Flip, None);
    let error = pull(&client, &chosen.resolved, &Limits::default()).await;
    assert!(told(&error.unwrap_err()).contains("has digest"));
}

#[tokio::test]
async fn what_is_no_chart_is_told() {
    let server = oci::server().await;
    push(
        &server,
        "1.0.0",
        "application/vnd.oci.image.config.v1+json",
        CONTENT,
        b"x",
    )
    .await;
    push(&server, "2.0.0", CONFIG, "application/x", b"x").await;
    let client = oci::client(&server);
    let repository = oci::repository(&server, "charts/web");
    for tag in ["1.0.0", "2.0.0"] {
        let chosen = choose(&client, &repository, tag).await.unwrap();
        let error = pull(&client, &chosen.resolved, &Limits::default())
            .await
            .unwrap_err();
        assert!(told(&error).contains("a Helm chart"), "{}", told(&error));
        assert_eq!(error.advice().reason, "OCIArtifactPullFailed");
    }
}

#[tokio::test]
async fn a_chart_is_verified_before_it_is_pulled() {
    let server = oci::server().await;
    push(&server, "1.0.0", CONFIG, CONTENT, &packed("web", "1.0.0")).await;
    push(&server, "1.1.0", CONFIG, CONTENT, &packed("web", "1.1.0")).await;
    let client = oci::client(&server);
    let repository = oci::repository(&server, "charts/web");
    let old = choose(&client, &repository, "1.0.0").await.unwrap();
    let key = include_bytes!("../../cosign/p256.key");
    let key = SigningKey::from_pem(key, Some(&Secret::new("test"))).unwrap();
    for format in [Format::Bundle, Format::Legacy] {
        client.sign(&old.resolved, &key, format).await.unwrap();
    }
    let policy = Policy {
        trust: Trust::Keys {
            keys: PublicKey::all_from_pem(include_bytes!("../../cosign/p256.pub")).unwrap(),
            root: None,
        },
        mode: Mode::Enforce,
    };
    verify(&client, &old.resolved, &policy).await.unwrap();
    let new = choose(&client, &repository, "^1").await.unwrap();
    // The tags of signatures are no versions.
    assert_eq!(new.version, "1.1.0");
    let error = verify(&client, &new.resolved, &policy).await.unwrap_err();
    assert!(matches!(error, VerifyError::Unsigned { .. }), "{error}");
    let error = HelmError::from(error);
    assert!(told(&error).ends_with("is not signed"), "{}", told(&error));
}
