//! Reads the signatures of a manifest: bundles that refer to it, and the older tag beside it.

use std::collections::BTreeMap;

use bulkhead_api::Digest;
use bytes::Bytes;

use crate::oci::manifest::{Document, Manifest};
use crate::oci::{OciError, Registry, Resolved};

/// Type of bundles, with a version after it.
const BUNDLE_FAMILY: &str = "application/vnd.dev.sigstore.bundle";
/// Type of bundles as they are written today.
pub(in crate::oci) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Type of the older format's payload.
pub(in crate::oci) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// A signature as it is stored; nothing about it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// The older format: a payload, and all else in annotations.
    Legacy {
        /// What was signed.
        payload: Bytes,
        /// Signature, certificate, log entry.
        annotations: BTreeMap<String, String>,
    },
    /// A Sigstore bundle in JSON.
    Bundle(Bytes),
}

/// Returns the tag under which the older format keeps the signatures of a manifest.
pub(in crate::oci) fn signature_tag(digest: Digest) -> String {
    format!("sha256-{}.sig", digest.to_hex())
}

/// Tells whether a type is one of a bundle.
pub(in crate::oci) fn is_bundle(media_type: &str) -> bool {
    media_type.starts_with(BUNDLE_FAMILY)
}

/// Reads all signatures, at most `limits.signatures`. What cannot be read does not hide the rest:
/// the first failure comes beside what was found.
pub async fn collect(
    registry: &Registry,
    resolved: &Resolved,
) -> (Vec<Signature>, Option<OciError>) {
    let mut found = Vec::new();
    let bundles = bundles(registry, resolved, &mut found).await;
    let legacy = legacy(registry, resolved, &mut found).await;
    (found, bundles.err().or(legacy.err()))
}

async fn bundles(
    registry: &Registry,
    resolved: &Resolved,
    found: &mut Vec<Signature>,
) -> Result<(), OciError> {
    let repository = resolved.reference.name();
    let listed = registry
        .referrers(repository, resolved.digest, None)
        .await?;
    let listed = listed
        .iter()
        .filter(|d| d.artifact_type.as_deref().is_some_and(is_bundle));
    for descriptor in listed {
        let manifest = registry
            .pull_manifest(repository, descriptor.digest)
            .await?;
        let Document::Manifest(manifest) = manifest.document()? else {
            continue;
        };
        for layer in manifest
            .layers
            .iter()
            .filter(|layer| is_bundle(&layer.media_type))
        {
            room(registry, resolved, found)?;
            let allowed = ("signature_bytes", registry.limits().signature_bytes);
            let bytes = registry
                .pull_blob(repository, layer, "a signature", allowed)
                .await?;
            found.push(Signature::Bundle(bytes));
        }
    }
    Ok(())
}

async fn legacy(
    registry: &Registry,
    resolved: &Resolved,
    found: &mut Vec<Signature>,
) -> Result<(), OciError> {
    let repository = resolved.reference.name();
    let reference = repository.tagged(&signature_tag(resolved.digest))?;
    let manifest: Manifest = match registry.resolve(&reference).await {
        Err(OciError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
        Ok(resolved) => match resolved.document()? {
            Document::Manifest(manifest) => manifest,
            Document::Index(_) => return Ok(()),
        },
    };
    for layer in manifest
        .layers
        .iter()
        .filter(|layer| layer.media_type == SIMPLE_SIGNING)
    {
        room(registry, resolved, found)?;
        let allowed = ("signature_bytes", registry.limits().signature_bytes);
        let payload = registry
            .pull_blob(repository, layer, "a signature", allowed)
            .await?;
        found.push(Signature::Legacy {
            payload,
            annotations: layer.annotations.clone(),
        });
    }
    Ok(())
}

fn room(registry: &Registry, resolved: &Resolved, found: &[Signature]) -> Result<(), OciError> {
    let allowed = registry.limits().signatures;
    if found.len() < allowed {
        return Ok(());
    }
    let place = resolved.pinned().to_string();
    Err(OciError::limit(
        &place,
        "the number of signatures",
        "signatures",
        allowed as u64,
    ))
}
