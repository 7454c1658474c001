//! Reads blobs: counted and digested while they come, refused at the first byte too many.

use bulkhead_api::Digest;
use bytes::{Bytes, BytesMut};
use reqwest::Response;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Registry;
use super::send::{Call, broken};
use crate::oci::manifest::Descriptor;
use crate::oci::{OciError, Repository};

/// A blob on its way. Its last chunk has come only when [`chunk`](Self::chunk) gives `None`: until
/// then neither size nor digest are known to be right.
pub struct Blob {
    registry: Registry,
    response: Response,
    place: String,
    what: String,
    expected: Descriptor,
    hasher: Sha256,
    seen: u64,
    deadline: Instant,
}

impl Registry {
    /// Starts to read a blob of any size; `what` is what errors call it.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::SizeMismatch`] when the registry announces another size.
    pub async fn open_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        what: &str,
    ) -> Result<Blob, OciError> {
        let place = repository.to_string();
        let deadline = Instant::now() + self.0.config.timeout;
        let url = self.url(repository, &format!("blobs/{}", descriptor.digest))?;
        let call = Call::get(&place, repository, url);
        let response = self.within(&place, self.send(&call)).await?;
        let blob = Blob {
            registry: self.clone(),
            place,
            what: what.to_owned(),
            expected: descriptor.clone(),
            hasher: Sha256::new(),
            seen: 0,
            deadline,
            response,
        };
        match blob.response.content_length() {
            Some(length) if length != descriptor.size => Err(blob.wrong_size(length.to_string())),
            _ => Ok(blob),
        }
    }

    /// Reads a blob into memory; `limit` names the field of the limits that allows `allowed` bytes.
    ///
    /// # Errors
    /// [`OciError`]; a descriptor past the limit is refused before anything is asked for.
    pub(crate) async fn pull_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        what: &str,
        (limit, allowed): (&'static str, u64),
    ) -> Result<Bytes, OciError> {
        let place = repository.to_string();
        if descriptor.size > allowed {
            return Err(OciError::limit(&place, what, limit, allowed));
        }
        let whole = async {
            let mut tried = 0;
            loop {
                match self.pull_once(repository, descriptor, what).await {
                    // The connection broke on the way: once more from the start.
                    Err(OciError::Unreachable { .. }) if tried < self.limits().retries => {
                        tried += 1
                    }
                    outcome => return outcome,
                }
            }
        };
        self.within(&place, whole).await
    }

    async fn pull_once(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        what: &str,
    ) -> Result<Bytes, OciError> {
        let mut blob = self.open_blob(repository, descriptor, what).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = blob.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

impl Blob {
    /// Returns the next bytes; `None` when all have come, and size and digest are right.
    ///
    /// # Errors
    /// [`OciError`]; what came before must be thrown away.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OciError> {
        let next = tokio::time::timeout_at(self.deadline, self.response.chunk()).await;
        let next = next.map_err(|_| OciError::Timeout {
            place: self.place.clone(),
            after: self.registry.0.config.timeout,
        })?;
        match next.map_err(|error| broken(&self.place, &self.registry, error))? {
            Some(chunk) => {
                self.seen += chunk.len() as u64;
                if self.seen > self.expected.size {
                    return Err(self.wrong_size(format!("more than {}", self.expected.size)));
                }
                self.hasher.update(&chunk);
                Ok(Some(chunk))
            }
            None if self.seen != self.expected.size => Err(self.wrong_size(self.seen.to_string())),
            None => self.check_digest().map(|()| None),
        }
    }

    fn check_digest(&self) -> Result<(), OciError> {
        let found = Digest::from_bytes(self.hasher.clone().finalize().into());
        if found == self.expected.digest {
            return Ok(());
        }
        Err(OciError::DigestMismatch {
            place: self.place.clone(),
            what: self.what.clone(),
            found,
            expected: self.expected.digest,
        })
    }

    fn wrong_size(&self, found: String) -> OciError {
        OciError::SizeMismatch {
            place: self.place.clone(),
            what: self.what.clone(),
            found,
            expected: self.expected.size,
        }
    }
}
