//! Signs what was resolved, so that cosign accepts it.
//!
//! In: a private key and a resolved reference. Out: a signature beside it in the registry, as a
//! bundle that refers to it, or in the older format under a tag. Nothing is told to a transparency
//! log: `cosign verify --key` needs `--insecure-ignore-tlog`, and `--private-infrastructure`
//! setups have no log.

mod key;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::Digest;
use bytes::Bytes;
use serde_json::json;

use super::manifest::{Descriptor, Document, Manifest};
use super::verify::{
    BUNDLE, IN_TOTO, PREDICATE, SIGNATURE, SIMPLE_SIGNING, envelope_message, signature_tag,
};
use super::{OciError, Registry, Resolved, media};

pub use key::{SigningError, SigningKey};

/// How a signature is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A Sigstore bundle that refers to the manifest: cosign 3, and 2.6 when told to.
    #[default]
    Bundle,
    /// A payload under the tag `sha256-<digest>.sig`: every cosign, and Flux.
    Legacy,
}

/// Says why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key has failed.
    #[error("failed to sign")]
    Key(#[from] SigningError),
    /// The registry has failed.
    #[error(transparent)]
    Registry(#[from] OciError),
}

impl Registry {
    /// Signs what was resolved, and stores the signature beside it.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(
        &self,
        resolved: &Resolved,
        key: &SigningKey,
        format: Format,
    ) -> Result<Digest, SignError> {
        match format {
            Format::Bundle => {
                let bundle = Bytes::from(bundle(resolved.digest, key)?);
                let manifest = bundle_manifest(resolved, &bundle);
                let name = resolved.reference.name();
                self.push_blob(name, bundle).await?;
                self.push_blob(name, Bytes::from_static(b"{}")).await?;
                Ok(self.push_referrer(name, &manifest).await?)
            }
            Format::Legacy => self.sign_legacy(resolved, key).await,
        }
    }

    async fn sign_legacy(
        &self,
        resolved: &Resolved,
        key: &SigningKey,
    ) -> Result<Digest, SignError> {
        let name = resolved.reference.name();
        let payload = payload(&name.to_string(), resolved.digest);
        let signature = STANDARD.encode(key.sign(&payload)?);
        let mut layer = Descriptor::of(SIMPLE_SIGNING, &payload);
        layer.annotations = BTreeMap::from([(SIGNATURE.to_owned(), signature)]);
        let tag = name
            .tagged(&signature_tag(resolved.digest))
            .map_err(OciError::from)?;
        let mut layers = match self.resolve(&tag).await {
            Err(OciError::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
            Ok(there) => match there.document()? {
                Document::Manifest(manifest) => manifest.layers,
                Document::Index(_) => Vec::new(),
            },
        };
        layers.push(layer);
        let config = image_config(&layers);
        let manifest = Manifest::new(Descriptor::of(media::IMAGE_CONFIG, &config), layers);
        self.push_blob(name, payload.into()).await?;
        self.push_blob(name, config.into()).await?;
        let content = manifest.to_bytes().into();
        Ok(self.push_manifest(&tag, media::MANIFEST, content).await?)
    }
}

/// Returns the bundle: an envelope with a statement about the digest.
fn bundle(digest: Digest, key: &SigningKey) -> Result<Vec<u8>, SigningError> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": digest.to_hex() }, "annotations": {} }],
        "predicateType": PREDICATE,
        "predicate": {},
    });
    let payload = statement.to_string().into_bytes();
    let signature = key.sign(&envelope_message(IN_TOTO, &payload))?;
    let bundle = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": { "publicKey": { "hint": key.public().hint() } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": IN_TOTO,
            "signatures": [{ "sig": STANDARD.encode(signature) }],
        },
    });
    Ok(bundle.to_string().into_bytes())
}

fn bundle_manifest(resolved: &Resolved, bundle: &[u8]) -> Manifest {
    let layer = Descriptor::of(BUNDLE, bundle);
    let mut manifest = Manifest::new(Descriptor::of(media::EMPTY, b"{}"), vec![layer]);
    manifest.artifact_type = Some(BUNDLE.to_owned());
    manifest.subject = Some(Descriptor::of(&resolved.media_type, &resolved.manifest));
    manifest.annotations = BTreeMap::from([
        (
            "dev.sigstore.bundle.content".to_owned(),
            "dsse-envelope".to_owned(),
        ),
        (
            "dev.sigstore.bundle.predicateType".to_owned(),
            PREDICATE.to_owned(),
        ),
    ]);
    manifest
}

/// Returns what the older format signs.
fn payload(repository: &str, digest: Digest) -> Vec<u8> {
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": repository },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    payload.to_string().into_bytes()
}

/// Returns the configuration that makes the older format an image, for registries that ask for one.
fn image_config(layers: &[Descriptor]) -> Vec<u8> {
    let digests: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
    let config = json!({
        "architecture": "",
        "created": "0001-01-01T00:00:00Z",
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": digests },
        "config": {},
    });
    config.to_string().into_bytes()
}
