//! Signatures with keys: those of the real cosign, our own, and those that must not count.
//!
//! `tests/cosign` holds what cosign 3.1.3 made for the manifest of [`signed_artifact`]; its README
//! tells how.

use bulkhead_source::Secret;
use bulkhead_source::oci::manifest::{Descriptor, Manifest};
use bulkhead_source::oci::sign::{Format, SigningKey};
use bulkhead_source::oci::verify::{
    Admitted, Mode, Policy, PublicKey, Rejection, Signature, Signer, Trust, VerifyError, admit,
    check, collect, verify,
};
use bulkhead_source::oci::{OciError, PluginArtifact, Resolved};
use bulkhead_testing::registry::{Fault, RegistryOptions, RegistryServer};
use bytes::Bytes;

use super::{COMPONENT, client, reference, server, server_with};

const KEY: &[u8] = include_bytes!("../../cosign/p256.key");
const SIGNED: &str = "sha256:ce19f6a0131f6b2e37b38d463f39f510294bc37be5c087da7df482957a26f5a7";

macro_rules! fixtures {
    ($($name:literal),+) => {
        [$((
            $name,
            &include_bytes!(concat!("../../cosign/", $name, ".pub"))[..],
            &include_bytes!(concat!("../../cosign/", $name, ".bundle.json"))[..],
            &include_bytes!(concat!("../../cosign/", $name, ".payload.json"))[..],
            include_str!(concat!("../../cosign/", $name, ".sig")),
        )),+]
    };
}

/// What was signed with the real cosign.
fn signed_artifact() -> PluginArtifact {
    PluginArtifact {
        wasm: Bytes::from_static(COMPONENT),
        ..PluginArtifact::default()
    }
}

fn keys(pem: &[u8]) -> Policy {
    Policy {
        trust: Trust::Keys {
            keys: PublicKey::all_from_pem(pem).unwrap(),
            root: None,
        },
        mode: Mode::Enforce,
    }
}

fn own_key() -> SigningKey {
    SigningKey::from_pem(KEY, Some(&Secret::new("test"))).unwrap()
}

fn own_policy() -> Policy {
    keys(include_bytes!("../../cosign/p256.pub"))
}

async fn published(server: &RegistryServer, artifact: &PluginArtifact) -> Resolved {
    let registry = client(server);
    let tag = reference(server, "team/plugin:v1");
    registry.push_plugin(&tag, artifact).await.unwrap();
    registry.resolve(&tag).await.unwrap()
}

fn rejection(error: VerifyError) -> Rejection {
    match error {
        VerifyError::Rejected { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

fn legacy(payload: &[u8], signature: &str) -> Signature {
    let annotation = "dev.cosignproject.cosign/signature".to_owned();
    Signature::Legacy {
        payload: Bytes::copy_from_slice(payload),
        annotations: [(annotation, signature.to_owned())].into(),
    }
}

#[tokio::test]
async fn signatures_of_the_real_cosign_count() {
    let server = server().await;
    let resolved = published(&server, &signed_artifact()).await;
    assert_eq!(resolved.digest.to_string(), SIGNED);
    let all = fixtures!("p256", "p384", "rsa", "ed25519");
    for (name, public, bundle, payload, signature) in all {
        let signer = Signer::Key(PublicKey::from_pem(public).unwrap().digest());
        for found in [
            Signature::Bundle(Bytes::from_static(bundle)),
            legacy(payload, signature),
        ] {
            let verified = check(&resolved, std::slice::from_ref(&found), &keys(public)).unwrap();
            assert_eq!(verified.identity, signer, "{name}");
            for (other, key, ..) in all.iter().filter(|(other, ..)| *other != name) {
                let error = check(&resolved, std::slice::from_ref(&found), &keys(key)).unwrap_err();
                assert_eq!(rejection(error), Rejection::OtherKey, "{name} by {other}");
            }
        }
    }
}

#[tokio::test]
async fn a_tampered_signature_does_not_count() {
    let server = server().await;
    let resolved = published(&server, &signed_artifact()).await;
    let [(_, public, bundle, payload, signature)] = fixtures!("p256");
    let text = String::from_utf8(payload.to_vec()).unwrap();
    let changed = text.replace("team/plugin", "team/other!");
    let error = check(
        &resolved,
        &[legacy(changed.as_bytes(), signature)],
        &keys(public),
    )
    .unwrap_err();
    assert_eq!(rejection(error), Rejection::OtherKey);
    let other = text.replace(&SIGNED[7..17], "0000000000");
    let error = check(
        &resolved,
        &[legacy(other.as_bytes(), signature)],
        &keys(public),
    )
    .unwrap_err();
    assert!(matches!(rejection(error), Rejection::OtherDigest { .. }));
    let error = check(&resolved, &[legacy(b"{}", signature)], &keys(public)).unwrap_err();
    assert!(matches!(rejection(error), Rejection::Malformed(_)));
    let error = check(&resolved, &[legacy(payload, "*")], &keys(public)).unwrap_err();
    assert!(matches!(rejection(error), Rejection::Malformed(_)));
    let bundle = String::from_utf8(bundle.to_vec()).unwrap();
    let retyped = bundle.replace("application/vnd.in-toto+json", "application/json");
    let error = check(
        &resolved,
        &[Signature::Bundle(retyped.into())],
        &keys(public),
    )
    .unwrap_err();
    assert!(matches!(rejection(error), Rejection::Unsupported(_)));
}

#[tokio::test]
async fn a_signature_of_another_version_does_not_count() {
    let server = server().await;
    let old = published(&server, &signed_artifact()).await;
    let registry = client(&server);
    registry
        .sign(&old, &own_key(), Format::Bundle)
        .await
        .unwrap();
    registry
        .sign(&old, &own_key(), Format::Legacy)
        .await
        .unwrap();
    let (signatures, failure) = collect(&registry, &old).await;
    assert_eq!((signatures.len(), failure.is_none()), (2, true));
    let new = published(&server, &super::artifact("new")).await;
    assert!(matches!(
        verify(&registry, &new, &own_policy()).await,
        Err(VerifyError::Unsigned { .. })
    ));
    let error = check(&new, &signatures, &own_policy()).unwrap_err();
    assert_eq!(
        rejection(error),
        Rejection::OtherDigest {
            found: SIGNED.to_owned()
        }
    );
}

#[tokio::test]
async fn own_signatures_count_in_both_formats_with_and_without_a_list_of_referrers() {
    for lists_referrers in [false, true] {
        let server = server_with(RegistryOptions {
            lists_referrers,
            ..RegistryOptions::default()
        })
        .await;
        let registry = client(&server);
        let resolved = published(&server, &super::artifact("own")).await;
        for format in [Format::Bundle, Format::Legacy] {
            let before = verify(&registry, &resolved, &own_policy()).await;
            assert_eq!(before.is_err(), format == Format::Bundle, "{before:?}");
            registry.sign(&resolved, &own_key(), format).await.unwrap();
            let (signatures, _) = collect(&registry, &resolved).await;
            let last = signatures.last().cloned().unwrap();
            assert_eq!(
                matches!(last, Signature::Bundle(_)),
                format == Format::Bundle
            );
            check(&resolved, &[last], &own_policy()).unwrap();
        }
        // A second signature joins the first.
        registry
            .sign(&resolved, &own_key(), Format::Legacy)
            .await
            .unwrap();
        assert_eq!(collect(&registry, &resolved).await.0.len(), 3);
        let tags = registry.tags(resolved.reference.name()).await.unwrap();
        assert_eq!(tags.len(), if lists_referrers { 2 } else { 3 }, "{tags:?}");
    }
}

#[tokio::test]
async fn an_attestation_is_no_signature() {
    let server = server().await;
    let registry = client(&server);
    let resolved = published(&server, &signed_artifact()).await;
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{{}}}}"#,
        &SIGNED[7..]
    );
    let payload = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, statement);
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let bundle = format!(
        r#"{{"mediaType":"{kind}","verificationMaterial":{{}},"dsseEnvelope":{{"payload":"{payload}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"AAAA"}}]}}}}"#
    );
    let mut manifest = Manifest::new(
        Descriptor::of("application/vnd.oci.empty.v1+json", b"{}"),
        vec![Descriptor::of(kind, bundle.as_bytes())],
    );
    manifest.artifact_type = Some(kind.to_owned());
    manifest.subject = Some(Descriptor::of(&resolved.media_type, &resolved.manifest));
    let name = resolved.reference.name();
    registry.push_blob(name, bundle.into()).await.unwrap();
    registry
        .push_blob(name, Bytes::from_static(b"{}"))
        .await
        .unwrap();
    registry.push_referrer(name, &manifest).await.unwrap();
    let error = verify(&registry, &resolved, &own_policy())
        .await
        .unwrap_err();
    assert_eq!(
        rejection(error),
        Rejection::Unsupported(
            "it is an attestation of `https://slsa.dev/provenance/v1`".to_owned()
        )
    );
}

#[tokio::test]
async fn a_registry_that_fails_while_verifying_is_trusted_with_nothing() {
    let server = server().await;
    let registry = client(&server);
    let resolved = published(&server, &signed_artifact()).await;
    registry
        .sign(&resolved, &own_key(), Format::Legacy)
        .await
        .unwrap();
    verify(&registry, &resolved, &own_policy()).await.unwrap();
    let digest = &SIGNED[7..];
    for part in [
        format!("/manifests/sha256-{digest}.sig"),
        "/blobs/".to_owned(),
    ] {
        server.fail(&part, Fault::RetryAfter(503, 60), None);
        let error = verify(&registry, &resolved, &own_policy())
            .await
            .unwrap_err();
        assert!(
            matches!(
                &error,
                VerifyError::Registry {
                    source: OciError::Unavailable { .. },
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(
            error.retry_after(),
            Some(std::time::Duration::from_secs(60))
        );
        assert_eq!(error.advice().reason, "VerificationError");
        server.heal();
    }
    // One way of storing signatures is out of order, and the other has a good one.
    server.fail("/referrers/", Fault::Page(500), None);
    verify(&registry, &resolved, &own_policy()).await.unwrap();
}

#[tokio::test]
async fn a_warning_policy_admits_and_tells() {
    let server = server().await;
    let registry = client(&server);
    let resolved = published(&server, &signed_artifact()).await;
    let warn = Policy {
        mode: Mode::Warn,
        ..own_policy()
    };
    let admitted = admit(&registry, &resolved, &warn).await.unwrap();
    assert!(matches!(
        admitted,
        Admitted::Warned(VerifyError::Unsigned { .. })
    ));
    assert!(admit(&registry, &resolved, &own_policy()).await.is_err());
    registry
        .sign(&resolved, &own_key(), Format::Bundle)
        .await
        .unwrap();
    let admitted = admit(&registry, &resolved, &own_policy()).await.unwrap();
    assert!(matches!(admitted, Admitted::Signed(_)));
}

#[tokio::test]
async fn more_signatures_than_the_limit_are_not_read() {
    let server = server().await;
    let registry = client(&server);
    let resolved = published(&server, &signed_artifact()).await;
    for _ in 0..3 {
        registry
            .sign(&resolved, &own_key(), Format::Legacy)
            .await
            .unwrap();
    }
    let limited = |signatures| {
        let limits = bulkhead_source::oci::Limits {
            signatures,
            ..Default::default()
        };
        let config = bulkhead_source::oci::RegistryConfig {
            limits,
            ..super::settings(&server)
        };
        bulkhead_source::oci::Registry::new(config).unwrap()
    };
    let (found, failure) = collect(&limited(3), &resolved).await;
    assert_eq!((found.len(), failure.is_none()), (3, true));
    let (found, failure) = collect(&limited(2), &resolved).await;
    assert_eq!(found.len(), 2);
    assert!(matches!(
        failure,
        Some(OciError::Limit {
            limit: "signatures",
            ..
        })
    ));
}
