//! From a registry into a layout, and from a layout into a registry.

use bytes::Bytes;

use super::{Layout, NAME, TAG};
use crate::oci::manifest::{Descriptor, Document, Manifest};
use crate::oci::verify::{is_bundle, signature_tag};
use crate::oci::{OciError, Reference, Registry, Repository, Resolved, media};

impl Layout {
    /// Adds an artifact of a registry, with its signatures in both formats.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::Index`] for an index, whose parts are not followed.
    pub async fn pull(&mut self, registry: &Registry, resolved: &Resolved) -> Result<(), OciError> {
        let name = resolved.reference.name();
        let manifest = crate::oci::plugin::manifest_of(resolved)?;
        self.pull_parts(registry, name, &manifest).await?;
        let shown = match resolved.reference.tag() {
            Some(tag) => format!("{name}:{tag}"),
            None => resolved.pinned().to_string(),
        };
        self.add(
            &resolved.media_type,
            &resolved.manifest,
            resolved.reference.tag(),
            Some(shown),
        );
        for referrer in registry.referrers(name, resolved.digest, None).await? {
            if referrer.artifact_type.as_deref().is_some_and(is_bundle) {
                let found = registry.pull_manifest(name, referrer.digest).await?;
                self.pull_signature(registry, &found, None).await?;
            }
        }
        let tag = signature_tag(resolved.digest);
        match registry.resolve(&name.tagged(&tag)?).await {
            Err(OciError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(found) => self.pull_signature(registry, &found, Some(&tag)).await,
        }
    }

    async fn pull_signature(
        &mut self,
        registry: &Registry,
        found: &Resolved,
        tag: Option<&str>,
    ) -> Result<(), OciError> {
        if let Document::Manifest(manifest) = found.document()? {
            self.pull_parts(registry, found.reference.name(), &manifest)
                .await?;
            self.add(&found.media_type, &found.manifest, tag, None);
        }
        Ok(())
    }

    #[allow(clippy::map_entry, reason = "an entry cannot be held while waiting")]
    async fn pull_parts(
        &mut self,
        registry: &Registry,
        name: &Repository,
        manifest: &Manifest,
    ) -> Result<(), OciError> {
        let allowed = ("blob_bytes", registry.limits().blob_bytes);
        for descriptor in std::iter::once(&manifest.config).chain(&manifest.layers) {
            if !self.blobs.contains_key(&descriptor.digest) {
                let blob = registry
                    .pull_blob(name, descriptor, "a blob", allowed)
                    .await?;
                self.blobs.insert(descriptor.digest, blob);
            }
        }
        Ok(())
    }

    /// Publishes all artifacts and signatures in one repository of a registry; digests stay, and
    /// with them the signatures. Returns the artifacts.
    ///
    /// # Errors
    /// [`OciError`].
    pub async fn push(
        &self,
        registry: &Registry,
        to: &Repository,
    ) -> Result<Vec<Reference>, OciError> {
        let mut published = Vec::new();
        // Artifacts before what refers to them.
        let (named, others): (Vec<_>, Vec<_>) = self
            .index
            .iter()
            .partition(|d| d.annotations.contains_key(NAME));
        for descriptor in named.into_iter().chain(others) {
            let Document::Manifest(manifest) = self.document(descriptor)? else {
                continue;
            };
            self.push_parts(registry, to, &manifest).await?;
            let tag = descriptor.annotations.get(TAG);
            let reference = match tag {
                Some(tag) => to.tagged(tag)?,
                None => to.pinned(descriptor.digest),
            };
            let bytes = self.blob(&to.to_string(), descriptor)?;
            registry
                .push_manifest(&reference, &descriptor.media_type, bytes.clone())
                .await?;
            if manifest.subject.is_some() {
                registry.list_referrer(to, &manifest, &bytes).await?;
            }
            if descriptor.annotations.contains_key(NAME) {
                published.push(reference.with_digest(descriptor.digest));
            }
        }
        Ok(published)
    }

    async fn push_parts(
        &self,
        registry: &Registry,
        to: &Repository,
        manifest: &Manifest,
    ) -> Result<(), OciError> {
        let place = to.to_string();
        for descriptor in std::iter::once(&manifest.config).chain(&manifest.layers) {
            registry
                .push_blob(to, self.blob(&place, descriptor)?)
                .await?;
        }
        Ok(())
    }
}

impl Registry {
    /// Makes a manifest found by its subject, where the registry does not do so by itself.
    async fn list_referrer(
        &self,
        to: &Repository,
        manifest: &Manifest,
        bytes: &Bytes,
    ) -> Result<(), OciError> {
        let Some(subject) = &manifest.subject else {
            return Ok(());
        };
        let digest = bulkhead_api::Digest::of(bytes);
        let listed = self.referrers(to, subject.digest, None).await?;
        if listed.iter().any(|other| other.digest == digest) {
            return Ok(());
        }
        let mut descriptor = Descriptor::of(media::MANIFEST, bytes);
        descriptor.artifact_type = Some(manifest.kind().to_owned());
        descriptor.annotations = manifest.annotations.clone();
        self.list_by_tag(to, subject.digest, descriptor).await
    }
}
