//! Artifacts with their signatures as files, and back into another registry.

use bulkhead_source::Secret;
use bulkhead_source::oci::layout::Layout;
use bulkhead_source::oci::sign::{Format, SigningKey};
use bulkhead_source::oci::verify::{Mode, Policy, PublicKey, Trust, check, verify};
use bulkhead_source::oci::{Limits, OciError, Resolved};
use bulkhead_testing::registry::RegistryServer;

use super::{artifact, client, reference, repository, server, told};

fn policy() -> Policy {
    let key = PublicKey::from_pem(include_bytes!("../../cosign/p256.pub")).unwrap();
    Policy {
        trust: Trust::Keys {
            keys: vec![key],
            root: None,
        },
        mode: Mode::Enforce,
    }
}

/// Publishes a plugin with signatures in both formats, and saves it.
async fn saved(server: &RegistryServer) -> (Resolved, Layout) {
    let registry = client(server);
    let tag = reference(server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    let key = include_bytes!("../../cosign/p256.key");
    let key = SigningKey::from_pem(key, Some(&Secret::new("test"))).unwrap();
    for format in [Format::Bundle, Format::Legacy] {
        registry.sign(&resolved, &key, format).await.unwrap();
    }
    let mut layout = Layout::default();
    layout.pull(&registry, &resolved).await.unwrap();
    (resolved, layout)
}

#[tokio::test]
async fn a_saved_plugin_is_used_verified_and_published_elsewhere() {
    let server = server().await;
    let (resolved, layout) = saved(&server).await;
    assert_eq!(layout.references(), [resolved.pinned()]);

    let folder = tempfile::tempdir().unwrap();
    let folder =
        cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
    layout.write(&folder).unwrap();
    let limits = Limits::default();
    assert_eq!(Layout::read(&folder, &limits).unwrap(), layout);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    layout.write_tar(&mut one).unwrap();
    layout.write_tar(&mut two).unwrap();
    assert!(one == two, "the same layout has the same bytes");
    let layout = Layout::read_tar(one.as_slice(), &limits).unwrap();

    // Without any registry.
    drop(server);
    let found = layout.resolve(&resolved.reference).unwrap();
    assert_eq!(found, resolved);
    assert_eq!(
        layout.plugin(&found, &limits).unwrap().wasm,
        artifact("one").wasm
    );
    let signatures = layout.signatures(&found).unwrap();
    assert_eq!(signatures.len(), 2);
    for signature in signatures {
        check(&found, &[signature], &policy()).unwrap();
    }

    let other = super::server().await;
    let registry = client(&other);
    let to = repository(&other, "mirror/plugin");
    let published = layout.push(&registry, &to).await.unwrap();
    assert_eq!(
        published,
        [to.tagged("v1").unwrap().with_digest(resolved.digest)]
    );
    let there = registry.resolve(&to.tagged("v1").unwrap()).await.unwrap();
    assert_eq!(there.digest, resolved.digest);
    verify(&registry, &there, &policy()).await.unwrap();
    layout.push(&registry, &to).await.unwrap();
    assert_eq!(
        registry
            .referrers(&to, there.digest, None)
            .await
            .unwrap()
            .len(),
        1,
        "listed once"
    );
}

/// Builds a tar of these files.
fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn damaged_layouts_are_refused() {
    let limits = Limits {
        blob_bytes: 4,
        ..Limits::default()
    };
    let marker: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: (&str, &[u8]) = ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    let hex = |content: &[u8]| {
        format!(
            "blobs/sha256/{}",
            bulkhead_api::Digest::of(content).to_hex()
        )
    };
    let (four, five) = (hex(b"four"), hex(b"five!"));
    let read = |files: &[(&str, &[u8])]| Layout::read_tar(tar_of(files).as_slice(), &limits);
    assert!(read(&[marker, index, (&four, b"four"), ("README", b"long enough")]).is_ok());
    assert!(read(&[("./oci-layout", marker.1), index]).is_ok());
    let error = read(&[marker, index, (&five, b"five!")]);
    assert!(
        matches!(
            error,
            Err(OciError::Limit {
                limit: "blob_bytes",
                ..
            })
        ),
        "{error:?}"
    );
    let error = read(&[marker, index, (&four, b"fore")]);
    assert!(
        matches!(error, Err(OciError::DigestMismatch { .. })),
        "{error:?}"
    );
    assert!(told(read(&[index])).contains("`oci-layout` is missing"));
    assert!(told(read(&[marker])).contains("`index.json` is missing"));
    assert!(
        told(read(&[marker, index, ("blobs/sha256/x", b"x")])).contains("is not named by a digest")
    );
    assert!(told(read(&[marker, ("index.json", b"[]")])).contains("`index.json` cannot be read"));
    assert!(
        told(Layout::read_tar(&b"no tar at all"[..], &limits))
            .contains("failed to read the image layout")
    );
}

#[tokio::test]
async fn a_layout_that_lacks_a_part_is_told() {
    let server = server().await;
    let (resolved, layout) = saved(&server).await;
    let mut whole = Vec::new();
    layout.write_tar(&mut whole).unwrap();
    let missing = artifact("one").wasm;
    let mut archive = tar::Archive::new(whole.as_slice());
    let mut kept = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        if content != missing {
            kept.push((path, content));
        }
    }
    let kept: Vec<(&str, &[u8])> = kept
        .iter()
        .map(|(p, c)| (p.as_str(), c.as_slice()))
        .collect();
    let layout = Layout::read_tar(tar_of(&kept).as_slice(), &Limits::default()).unwrap();
    let found = layout.resolve(&resolved.reference).unwrap();
    assert!(told(layout.plugin(&found, &Limits::default())).contains("is missing"));
    let other = reference(&server, "team/plugin:v2");
    assert!(matches!(
        layout.resolve(&other),
        Err(OciError::NotFound { .. })
    ));
}
