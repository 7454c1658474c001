//! Reads manifests, tags and lists of referrers.

use std::collections::BTreeSet;

use bulkhead_api::Digest;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue, LINK};
use serde::Deserialize;
use url::Url;

use super::answer::{self, content_type};
use super::send::Call;
use super::{Registry, Resolved};
use crate::http::header;
use crate::oci::manifest::{Descriptor, Document};
use crate::oci::{OciError, Reference, Repository, manifest, media};

const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// Tags asked for at once.
const PAGE: &str = "1000";

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// Looks a reference up with one read of its manifest.
    ///
    /// # Guarantees
    /// The manifest's bytes have the digest that is returned, which is the reference's own if it has
    /// one. Nothing asks for the tag again.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::MediaType`] when what stands there is neither manifest nor index.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, OciError> {
        self.within(&reference.to_string(), self.fetch_manifest(reference))
            .await
    }

    /// Asks for the digest of what a reference names, as cheaply as the registry can tell it: many
    /// count such a question less than a read, or not at all.
    ///
    /// The digest is the registry's word; what is read by it is checked.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub async fn digest_of(&self, reference: &Reference) -> Result<Digest, OciError> {
        let place = reference.to_string();
        let mut call = self.manifest_call(reference)?;
        call.method = Method::HEAD;
        match self.within(&place, self.send(&call)).await {
            Ok(response) => {
                let claimed = header(&response, &CONTENT_DIGEST);
                if let Some(digest) = claimed.and_then(|text| text.parse().ok()) {
                    return Ok(digest);
                }
            }
            // Some registries answer HEAD with a refusal without a reason: GET tells it.
            Err(
                OciError::Status { .. } | OciError::Forbidden { .. } | OciError::NotFound { .. },
            ) => {}
            Err(error) => return Err(error),
        }
        Ok(self.resolve(reference).await?.digest)
    }

    /// Asks whether the logins of this client may read what has been resolved, perhaps by another.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); nothing is downloaded.
    pub async fn authorise(&self, resolved: &Resolved) -> Result<(), OciError> {
        let reference = resolved.pinned();
        let place = reference.to_string();
        let mut call = self.manifest_call(&reference)?;
        call.method = Method::HEAD;
        match self.within(&place, self.send(&call)).await {
            Ok(_) => Ok(()),
            // Some registries answer HEAD with a refusal without a reason: GET tells it.
            Err(
                OciError::Status { .. } | OciError::Forbidden { .. } | OciError::NotFound { .. },
            ) => self.resolve(&reference).await.map(|_| ()),
            Err(error) => Err(error),
        }
    }

    /// Reads a manifest by its digest.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub async fn pull_manifest(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Resolved, OciError> {
        self.resolve(&repository.pinned(digest)).await
    }

    /// Lists the tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::Limit`] past `limits.tags`.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, OciError> {
        let place = repository.to_string();
        let url = self.url(repository, &format!("tags/list?n={PAGE}"))?;
        let mut tags = Vec::new();
        let read = self.pages(repository, url, |body| {
            let page: Tags = serde_json::from_slice(body)
                .map_err(|_| OciError::protocol(&place, "it is not a list of tags"))?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > self.limits().tags {
                let allowed = self.limits().tags as u64;
                return Err(OciError::limit(&place, "the list of tags", "tags", allowed));
            }
            Ok(())
        });
        self.within(&place, read).await?;
        Ok(tags)
    }

    /// Lists what refers to a manifest, of one kind if one is named: by the registry's list, or by
    /// the tag that stands in for it where a registry has none.
    ///
    /// # Errors
    /// [`OciError`]; an empty list is none.
    pub async fn referrers(
        &self,
        repository: &Repository,
        digest: Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        let work = async {
            let mut found = match self.referrers_by_list(repository, digest, kind).await {
                Err(
                    OciError::NotFound { .. }
                    | OciError::Status {
                        status: 400 | 405 | 406,
                        ..
                    },
                ) => self.referrers_by_tag(repository, digest).await?,
                other => other?,
            };
            found.retain(|descriptor| {
                kind.is_none_or(|kind| descriptor.artifact_type.as_deref() == Some(kind))
            });
            Ok(found)
        };
        self.within(&repository.to_string(), work).await
    }

    async fn referrers_by_list(
        &self,
        repository: &Repository,
        digest: Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        let mut url = self.url(repository, &format!("referrers/{digest}"))?;
        if let Some(kind) = kind {
            url.query_pairs_mut().append_pair("artifactType", kind);
        }
        let place = repository.pinned(digest).to_string();
        let mut found = Vec::new();
        self.pages(repository, url, |body| {
            match manifest::parse(media::INDEX, body) {
                Ok(Document::Index(index)) => found.extend(index.manifests),
                _ => return Err(OciError::protocol(&place, "it is not a list of referrers")),
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Reads the index that stands in for the list of referrers.
    pub(super) async fn referrers_by_tag(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Vec<Descriptor>, OciError> {
        let reference = repository.tagged(&referrers_tag(digest))?;
        match self.fetch_manifest(&reference).await {
            Err(OciError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(resolved) => match resolved.document()? {
                Document::Index(index) => Ok(index.manifests),
                Document::Manifest(_) => Ok(Vec::new()),
            },
        }
    }

    /// Reads page after page; each is at most `limits.page_bytes`, all of them come from the
    /// registry itself, and none comes twice.
    async fn pages(
        &self,
        repository: &Repository,
        first: Url,
        mut page: impl FnMut(&[u8]) -> Result<(), OciError>,
    ) -> Result<(), OciError> {
        let place = repository.to_string();
        let origin = first.origin();
        let mut seen = BTreeSet::new();
        let mut next = Some(first);
        while let Some(url) = next.take() {
            let call = Call::get(&place, repository, url.clone());
            let response = self.send(&call).await?;
            if content_type(&response) == "text/html" {
                return Err(not_registry(&place, &response));
            }
            let link = header(&response, &LINK).and_then(next_link);
            let link = link.and_then(|link| url.join(&link).ok());
            let limit = self.limits().page_bytes;
            let body =
                answer::read(self, &place, "one page", response, "page_bytes", limit).await?;
            page(&body)?;
            seen.insert(url);
            next = link.filter(|link| link.origin() == origin && !seen.contains(link));
        }
        Ok(())
    }

    fn manifest_call(&self, reference: &Reference) -> Result<Call, OciError> {
        let url = self.url(
            reference.name(),
            &format!("manifests/{}", reference.wanted()),
        )?;
        let mut call = Call::get(&reference.to_string(), reference.name(), url);
        call.headers
            .insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        Ok(call)
    }

    pub(super) async fn fetch_manifest(&self, reference: &Reference) -> Result<Resolved, OciError> {
        let place = reference.to_string();
        let response = self.send(&self.manifest_call(reference)?).await?;
        let media_type = content_type(&response);
        let claimed =
            header(&response, &CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok());
        if media_type == "text/html" {
            return Err(not_registry(&place, &response));
        }
        if !media::is_manifest(&media_type) && !media::is_index(&media_type) {
            return Err(OciError::MediaType {
                place,
                found: crate::error::clean(&media_type),
                expected: "a manifest of schema 2",
            });
        }
        let limit = self.limits().manifest_bytes;
        let manifest = answer::read(
            self,
            &place,
            "the manifest",
            response,
            "manifest_bytes",
            limit,
        )
        .await?;
        checked(reference, &place, media_type, manifest, claimed)
    }
}

fn checked(
    reference: &Reference,
    place: &str,
    media_type: String,
    manifest: Bytes,
    claimed: Option<Digest>,
) -> Result<Resolved, OciError> {
    let digest = Digest::of(&manifest);
    if let Some(expected) = reference.digest().or(claimed)
        && expected != digest
    {
        return Err(OciError::DigestMismatch {
            place: place.to_owned(),
            what: "the manifest".to_owned(),
            found: digest,
            expected,
        });
    }
    let resolved = Resolved {
        reference: reference.clone(),
        digest,
        media_type,
        manifest,
    };
    resolved.document()?;
    Ok(resolved)
}

/// Returns the tag under which an index stands in for a list of referrers.
pub(in crate::oci) fn referrers_tag(digest: Digest) -> String {
    format!("sha256-{}", digest.to_hex())
}

fn not_registry(place: &str, response: &reqwest::Response) -> OciError {
    OciError::NotRegistry {
        place: place.to_owned(),
        content_type: content_type(response),
    }
}

/// Returns the address of the next page in a `Link` header.
fn next_link(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = rest
            .split(';')
            .any(|p| matches!(p.trim(), r#"rel="next""# | "rel=next"));
        is_next.then(|| address.to_owned())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_next_page() {
        assert_eq!(
            next_link(r#"</v2/x/tags/list?last=a&n=1>; rel="next""#).as_deref(),
            Some("/v2/x/tags/list?last=a&n=1")
        );
        assert_eq!(
            next_link(r#"<a>; rel="prev", <b>; rel=next"#).as_deref(),
            Some("b")
        );
        assert_eq!(next_link("<a>"), None);
        assert_eq!(next_link("nonsense"), None);
    }
}
