//! Writes blobs and manifests.

use bulkhead_api::Digest;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};

use super::read::referrers_tag;
use super::send::{Access, Call};
use super::{Registry, Repository};
use crate::http::header;
use crate::oci::manifest::{Descriptor, Index, Manifest};
use crate::oci::{OciError, Reference, media};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

impl Registry {
    /// Writes a blob, unless it is there.
    ///
    /// # Errors
    /// [`OciError`].
    pub async fn push_blob(
        &self,
        repository: &Repository,
        content: Bytes,
    ) -> Result<Digest, OciError> {
        let place = repository.to_string();
        self.within(&place, self.write_blob(repository, content))
            .await
    }

    /// Writes a manifest or an index under the reference's tag, or under its digest if it has none.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::DigestMismatch`] when the reference has another digest.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &str,
        content: Bytes,
    ) -> Result<Digest, OciError> {
        let place = reference.to_string();
        let work = async {
            self.write_manifest(reference, media_type, content)
                .await
                .map(|(digest, _)| digest)
        };
        self.within(&place, work).await
    }

    /// Writes a manifest that says something about another (its `subject`), and makes it found: by
    /// the registry's list of referrers, or by the tag that stands in for it.
    ///
    /// # Errors
    /// [`OciError`].
    pub async fn push_referrer(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<Digest, OciError> {
        let place = repository.to_string();
        let content = Bytes::from(manifest.to_bytes());
        let work = async {
            let reference = repository.pinned(Digest::of(&content));
            let (digest, is_listed) = self
                .write_manifest(&reference, media::MANIFEST, content.clone())
                .await?;
            if let (false, Some(subject)) = (is_listed, &manifest.subject) {
                let mut descriptor = Descriptor::of(media::MANIFEST, &content);
                descriptor.artifact_type = Some(manifest.kind().to_owned());
                descriptor.annotations = manifest.annotations.clone();
                self.list_by_tag(repository, subject.digest, descriptor)
                    .await?;
            }
            Ok(digest)
        };
        self.within(&place, work).await
    }

    /// Adds a manifest to the index that stands in for the list of referrers.
    pub(in crate::oci) async fn list_by_tag(
        &self,
        repository: &Repository,
        subject: Digest,
        descriptor: Descriptor,
    ) -> Result<(), OciError> {
        let mut listed = self.referrers_by_tag(repository, subject).await?;
        if listed.iter().any(|other| other.digest == descriptor.digest) {
            return Ok(());
        }
        listed.push(descriptor);
        let index = Bytes::from(Index::new(listed).to_bytes());
        let reference = repository.tagged(&referrers_tag(subject))?;
        self.write_manifest(&reference, media::INDEX, index).await?;
        Ok(())
    }

    async fn write_blob(
        &self,
        repository: &Repository,
        content: Bytes,
    ) -> Result<Digest, OciError> {
        let place = repository.to_string();
        let digest = Digest::of(&content);
        let mut call = Call::get(
            &place,
            repository,
            self.url(repository, &format!("blobs/{digest}"))?,
        );
        call.access = Access::Write;
        call.method = Method::HEAD;
        match self.send(&call).await {
            Ok(_) => return Ok(digest),
            Err(OciError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        call.url = self.url(repository, "blobs/uploads/")?;
        call.method = Method::POST;
        let response = self.send(&call).await?;
        let upload = header(&response, &LOCATION)
            .and_then(|text| call.url.join(text).ok())
            .ok_or_else(|| OciError::protocol(&place, "it names no place for an upload"))?;
        if upload.origin() != call.url.origin() {
            return Err(OciError::Redirect {
                place,
                problem: format!(
                    "an upload was sent to {}",
                    upload.origin().ascii_serialization()
                ),
            });
        }
        call.url = upload;
        call.url
            .query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        call.method = Method::PUT;
        call.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        call.body = Some(content);
        self.send(&call).await?;
        Ok(digest)
    }

    /// Writes a manifest; tells whether the registry lists it with its subject by itself.
    async fn write_manifest(
        &self,
        reference: &Reference,
        media_type: &str,
        content: Bytes,
    ) -> Result<(Digest, bool), OciError> {
        let place = reference.to_string();
        let digest = Digest::of(&content);
        if let Some(expected) = reference.digest()
            && expected != digest
        {
            return Err(OciError::DigestMismatch {
                place,
                what: "the manifest to push".to_owned(),
                found: digest,
                expected,
            });
        }
        let name = match reference.tag() {
            Some(tag) => tag.to_owned(),
            None => digest.to_string(),
        };
        let url = self.url(reference.name(), &format!("manifests/{name}"))?;
        let mut call = Call::get(&place, reference.name(), url);
        call.access = Access::Write;
        call.method = Method::PUT;
        let media_type = HeaderValue::from_str(media_type)
            .map_err(|_| OciError::manifest(&place, "has a malformed type"))?;
        call.headers.insert(CONTENT_TYPE, media_type);
        call.body = Some(content);
        let response = self.send(&call).await?;
        Ok((digest, response.headers().contains_key(SUBJECT)))
    }
}
