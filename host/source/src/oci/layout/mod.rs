//! Artifacts and their signatures as files, for places without a registry: an OCI image layout, as
//! a folder or as a tar.
//!
//! In: what was resolved in a registry. Out: files that `skopeo`, `oras` and `crane` read too, the
//! same bytes for the same artifacts; and the way back into another registry. Every blob that is
//! read has been checked against its name.

mod files;
mod transfer;

use std::collections::BTreeMap;

use bulkhead_api::Digest;
use bytes::Bytes;

use super::manifest::{self, Descriptor, Document, Index, Manifest};
use super::plugin::{layer_of, read_image};
use super::verify::{SIMPLE_SIGNING, Signature, is_bundle, signature_tag};
use super::{Limits, OciError, PluginImage, Reference, Resolved, media};

/// The tag of a manifest, as the layout's specification names it.
const TAG: &str = "org.opencontainers.image.ref.name";
/// The whole reference of a manifest, as containerd names it.
const NAME: &str = "io.containerd.image.name";

/// Artifacts with all that belongs to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    index: Vec<Descriptor>,
    blobs: BTreeMap<Digest, Bytes>,
}

impl Layout {
    /// Lists the artifacts, without their signatures.
    pub fn references(&self) -> Vec<Reference> {
        let named = self
            .index
            .iter()
            .filter_map(|d| Some((d, d.annotations.get(NAME)?)));
        named
            .filter_map(|(d, name)| Some(Reference::parse(name).ok()?.with_digest(d.digest)))
            .collect()
    }

    /// Finds an artifact by its digest, else by its repository and tag, as a registry would.
    ///
    /// # Errors
    /// [`OciError::NotFound`].
    pub fn resolve(&self, reference: &Reference) -> Result<Resolved, OciError> {
        let place = reference.to_string();
        let is_meant = |descriptor: &&Descriptor| match reference.digest() {
            Some(digest) => descriptor.digest == digest,
            None => {
                let named = descriptor
                    .annotations
                    .get(NAME)
                    .and_then(|name| Reference::parse(name).ok());
                named.is_some_and(|named| {
                    named.name() == reference.name()
                        && named.tag().unwrap_or("latest") == reference.tag().unwrap_or("latest")
                })
            }
        };
        let missing = || OciError::NotFound {
            place: place.clone(),
            answer: "the image layout does not have it".to_owned(),
        };
        let descriptor = self.index.iter().find(is_meant).ok_or_else(missing)?;
        Ok(Resolved {
            reference: reference.clone(),
            digest: descriptor.digest,
            media_type: descriptor.media_type.clone(),
            manifest: self.blob(&place, descriptor)?,
        })
    }

    /// Returns a plugin of this layout; the same is refused as from a registry.
    ///
    /// # Errors
    /// As [`Registry::pull_plugin`](super::Registry::pull_plugin).
    pub fn plugin(&self, resolved: &Resolved, limits: &Limits) -> Result<PluginImage, OciError> {
        let (manifest, layer) = layer_of(resolved, limits)?;
        let place = resolved.pinned().to_string();
        let config = match manifest.config.media_type.as_str() {
            media::WASM_CONFIG => Some(self.blob(&place, &manifest.config)?),
            _ => None,
        };
        read_image(&place, manifest, &layer, config, self.blob(&place, &layer)?)
    }

    /// Returns the signatures of an artifact, to be verified with
    /// [`verify::check`](super::verify::check).
    ///
    /// # Errors
    /// [`OciError::Layout`] when a part is missing.
    pub fn signatures(&self, resolved: &Resolved) -> Result<Vec<Signature>, OciError> {
        let place = resolved.pinned().to_string();
        let mut found = Vec::new();
        for manifest in self.manifests()? {
            if manifest
                .subject
                .as_ref()
                .is_some_and(|subject| subject.digest == resolved.digest)
            {
                for layer in manifest
                    .layers
                    .iter()
                    .filter(|layer| is_bundle(&layer.media_type))
                {
                    found.push(Signature::Bundle(self.blob(&place, layer)?));
                }
            }
        }
        let tag = signature_tag(resolved.digest);
        let beside = self
            .index
            .iter()
            .filter(|d| d.annotations.get(TAG) == Some(&tag));
        for descriptor in beside {
            let Ok(Document::Manifest(manifest)) = self.document(descriptor) else {
                continue;
            };
            for layer in manifest
                .layers
                .iter()
                .filter(|layer| layer.media_type == SIMPLE_SIGNING)
            {
                found.push(Signature::Legacy {
                    payload: self.blob(&place, layer)?,
                    annotations: layer.annotations.clone(),
                });
            }
        }
        Ok(found)
    }

    fn manifests(&self) -> Result<Vec<Manifest>, OciError> {
        let mut found = Vec::new();
        for descriptor in &self.index {
            if let Document::Manifest(manifest) = self.document(descriptor)? {
                found.push(manifest);
            }
        }
        Ok(found)
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Document, OciError> {
        let place = descriptor.digest.to_string();
        let bytes = self.blob(&place, descriptor)?;
        manifest::parse(&descriptor.media_type, &bytes)
            .map_err(|problem| OciError::manifest(&place, problem))
    }

    fn blob(&self, place: &str, descriptor: &Descriptor) -> Result<Bytes, OciError> {
        let blob = self
            .blobs
            .get(&descriptor.digest)
            .ok_or_else(|| OciError::Layout {
                action: "read",
                problem: format!("{} of {place} is missing", descriptor.digest),
            })?;
        if blob.len() as u64 != descriptor.size {
            return Err(OciError::SizeMismatch {
                place: place.to_owned(),
                what: descriptor.digest.to_string(),
                found: blob.len().to_string(),
                expected: descriptor.size,
            });
        }
        Ok(blob.clone())
    }

    /// Adds a manifest under these names, once.
    fn add(&mut self, media_type: &str, bytes: &Bytes, tag: Option<&str>, name: Option<String>) {
        let mut descriptor = Descriptor::of(media_type, bytes);
        let tag = tag.map(|tag| (TAG.to_owned(), tag.to_owned()));
        descriptor.annotations = tag
            .into_iter()
            .chain(name.map(|name| (NAME.to_owned(), name)))
            .collect();
        self.blobs.insert(descriptor.digest, bytes.clone());
        if !self.index.contains(&descriptor) {
            self.index.push(descriptor);
        }
    }

    fn index(&self) -> Index {
        Index::new(self.index.clone())
    }
}
