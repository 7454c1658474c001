//! Does what was decided about an OCIRepository: asks the registry, checks signatures, stores the
//! layer, keeps its files for those who render them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use bulkhead_api::Digest;
use bulkhead_api::meta::Artifact;
use bulkhead_api::reason;
use bulkhead_api::source::OCIRepository;
use bulkhead_source::FileTree;
use bulkhead_source::oci::manifest::Descriptor;
use bulkhead_source::oci::verify::verify;
use bulkhead_source::oci::{Reference, Registry, choose_layer, choose_tag};
use tokio::time::Instant;

use super::decide::{Decision, Operation, Request, Trusted, Wanted};
use super::error::PullError;
use super::load::Observed;
use crate::archives::{Archives, Scratch};
use crate::context::Context;
use crate::index::SourceId;
use crate::queue::Key;
use crate::sources::files;
use crate::sources::{
    Done, Good, Label, Newer, Outcome, Signature, StoreError, blocking, put, remove_artifacts,
};

/// Largest layer that is taken, as it is in the registry: 512 MiB.
const LAYER_BYTES: u64 = 512 * 1024 * 1024;

/// Annotation that says where an artifact comes from.
const ORIGIN: &str = "org.opencontainers.image.source";

/// Does it.
pub(super) async fn run(
    object: &OCIRepository,
    key: &Key,
    decision: Decision,
    seen: Observed,
    context: &Arc<Context>,
) -> Outcome<PullError> {
    let started = Instant::now();
    let mut newer = None;
    let result = match decision {
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(error),
        Decision::Finalize => finalize(key, context).await,
        Decision::Pull(request) => {
            let pull = Pull {
                object,
                request: &request,
                archives: &context.archives,
            };
            pull.run(key, &mut newer).await
        }
    };
    let current = object.status.artifact.as_ref();
    let artifact = match &result {
        Ok(Done::Finalized) => None,
        Ok(Done::Stored(artifact, _)) => Some(&**artifact),
        // The files of what is there are rendered also while nothing newer can be had.
        Ok(Done::Suspended) => current,
        Ok(Done::Kept(_)) | Err(_) => current.filter(|_| seen.has_artifact),
    };
    if let Some(artifact) = artifact {
        load_files(artifact, key, context).await;
    }
    Outcome {
        result,
        has_artifact: seen.has_artifact,
        newer,
        took: started.elapsed(),
    }
}

async fn finalize(key: &Key, context: &Arc<Context>) -> Result<Done, PullError> {
    let id = SourceId::new::<OCIRepository>(key.clone());
    context.trees.remove(&id);
    remove_artifacts::<OCIRepository>(context, key)
        .await
        .map_err(StoreError::Collect)?;
    Ok(Done::Finalized)
}

/// How an artifact is pulled.
pub(super) struct Pull<'a> {
    pub(super) object: &'a OCIRepository,
    pub(super) request: &'a Request,
    pub(super) archives: &'a Archives,
}

impl Pull<'_> {
    async fn run(&self, key: &Key, newer: &mut Option<Newer>) -> Result<Done, PullError> {
        let request = self.request;
        let registry = self.registry()?;
        let (reference, digest) = self.look_up(&registry).await?;
        let revision = revision(&reference, digest);
        let is_same = self.has_revision(&revision);
        if !is_same {
            *newer = Some(Newer {
                reason: reason::NEW_REVISION,
                message: format!("new revision '{revision}' for '{reference}'"),
            });
        }
        let signature = match &request.trust {
            None => Signature::NotAsked,
            Some(trusted) if is_same && trusted.holds => Signature::Same,
            Some(trusted) => {
                self.verify(&registry, trusted, digest).await?;
                Signature::Checked(format!("verified signature of revision {revision}"))
            }
        };
        if is_same && !request.rebuild {
            return Ok(Done::Kept(self.good(self.current(), &revision, signature)));
        }
        let (scratch, metadata) = self.fetch(&registry, digest).await?;
        let label = Label {
            file: format!("{digest}.tar.gz"),
            revision: revision.clone(),
            metadata,
        };
        let artifact = put::<OCIRepository>(self.archives, key, label, scratch).await?;
        let good = self.good(Some(&artifact), &revision, signature);
        Ok(Done::Stored(Box::new(artifact), good))
    }

    /// Returns a client of the registry.
    pub(super) fn registry(&self) -> Result<Registry, PullError> {
        let registry = Registry::new(self.request.registry.clone());
        registry.map_err(|source| PullError::Client {
            url: self.url(),
            source: Box::new(source),
        })
    }

    /// Returns what the specification means now: with its tag, unless it names a digest.
    pub(super) async fn look_up(
        &self,
        registry: &Registry,
    ) -> Result<(Reference, Digest), PullError> {
        let repository = &self.request.repository;
        let reference = match &self.request.wanted {
            Wanted::Digest(digest) => return Ok((repository.pinned(*digest), *digest)),
            Wanted::Tag(reference) => reference.clone(),
            Wanted::Range { range, filter } => {
                let url = self.url();
                let tags = registry.tags(repository).await;
                let tags = tags.map_err(|source| PullError::Tags {
                    url: url.clone(),
                    source: Box::new(source),
                })?;
                let media_type = self.request.media_type.as_deref();
                let tag = choose_tag(&tags, range, filter.as_deref(), media_type)
                    .map_err(|source| PullError::Tag { url, source })?;
                repository.tagged(&tag).map_err(PullError::Reference)?
            }
        };
        let digest = registry.digest_of(&reference).await;
        let digest = digest.map_err(|error| PullError::Digest(Box::new(error)))?;
        Ok((reference, digest))
    }

    /// Checks the signature.
    pub(super) async fn verify(
        &self,
        registry: &Registry,
        trusted: &Trusted,
        digest: Digest,
    ) -> Result<(), PullError> {
        let provider = || trusted.provider.clone();
        let repository = &self.request.repository;
        let resolved = registry.pull_manifest(repository, digest).await;
        let resolved = resolved.map_err(|source| PullError::Unread {
            provider: provider(),
            source: Box::new(source),
        })?;
        let verified = verify(registry, &resolved, &trusted.policy).await;
        verified.map(|_| ()).map_err(|source| PullError::Signature {
            provider: provider(),
            reference: repository.pinned(digest).to_string(),
            source: Box::new(source),
        })
    }

    /// Pulls the layer, and makes of it what the specification says; with the manifest's annotations.
    pub(super) async fn fetch(
        &self,
        registry: &Registry,
        digest: Digest,
    ) -> Result<(Scratch, BTreeMap<String, String>), PullError> {
        let failed = |source| PullError::Pull {
            url: self.url(),
            source: Box::new(source),
        };
        let repository = &self.request.repository;
        let manifest = registry.artifact(repository, digest).await;
        let manifest = manifest.map_err(failed)?;
        let layer = choose_layer(&manifest, self.request.media_type.as_deref())?;
        let scratch = self.download(registry, layer).await?;
        let scratch = match self.request.operation {
            Operation::Copy => scratch,
            Operation::Extract => self.extract(scratch).await?,
        };
        Ok((scratch, manifest.annotations.clone()))
    }

    async fn download(
        &self,
        registry: &Registry,
        layer: &Descriptor,
    ) -> Result<Scratch, PullError> {
        if layer.size > LAYER_BYTES {
            return Err(PullError::TooLarge {
                found: layer.size,
                allowed: LAYER_BYTES,
            });
        }
        let failed = |source| PullError::Pull {
            url: self.url(),
            source: Box::new(source),
        };
        let repository = &self.request.repository;
        let blob = registry.open_blob(repository, layer, "the layer").await;
        let mut blob = blob.map_err(failed)?;
        let mut scratch = self.archives.scratch().map_err(StoreError::Write)?;
        while let Some(chunk) = blob.chunk().await.map_err(failed)? {
            scratch.write_all(&chunk).map_err(StoreError::Write)?;
        }
        Ok(scratch)
    }

    /// Makes the archive of the contract of the files of a layer.
    async fn extract(&self, mut layer: Scratch) -> Result<Scratch, PullError> {
        let archives = self.archives.clone();
        let ignore = self.object.spec.ignore.clone();
        let work = move || {
            let read = layer.reader()?;
            let files = match FileTree::unpack(std::io::BufReader::new(read), &files::limits()) {
                Ok(files) => files.without_ignored(ignore.as_deref()),
                Err(error) => return Ok(Err(error)),
            };
            let mut scratch = archives.scratch()?;
            files.write_archive(std::io::BufWriter::new(&mut scratch))?;
            Ok(Ok(scratch))
        };
        let extracted = blocking(work).await.map_err(StoreError::Write)?;
        extracted.map_err(|error| PullError::Extract(Box::new(error)))
    }

    fn good(&self, artifact: Option<&Artifact>, revision: &str, signature: Signature) -> Good {
        let url = &self.object.spec.url;
        let mut event = format!("stored artifact with revision '{revision}' from '{url}'");
        let metadata = artifact.map(|artifact| &artifact.metadata);
        let find = |key| metadata.and_then(|metadata| metadata.get(key));
        if let (Some(origin), Some(of)) = (find(ORIGIN), find(Artifact::ORIGIN_REVISION)) {
            event.push_str(&format!(
                ", origin source '{origin}', origin revision '{of}'"
            ));
        }
        Good {
            reason: reason::SUCCEEDED,
            message: format!("stored artifact for digest '{revision}'"),
            event: (reason::NEW_ARTIFACT, event),
            recovered: reason::SUCCEEDED,
            signature,
        }
    }

    fn current(&self) -> Option<&Artifact> {
        self.object.status.artifact.as_ref()
    }

    fn has_revision(&self, revision: &str) -> bool {
        self.current()
            .is_some_and(|artifact| artifact.revision == revision)
    }

    fn url(&self) -> String {
        self.object.spec.url.clone()
    }
}

/// Names what was found: with its tag, unless a digest was asked for.
pub(super) fn revision(reference: &Reference, digest: Digest) -> String {
    match reference.tag() {
        Some(tag) => format!("{tag}@{digest}"),
        None => digest.to_string(),
    }
}

/// Loads the files of the artifact for those who render them; forgets them when nobody does.
async fn load_files(artifact: &Artifact, key: &Key, context: &Arc<Context>) {
    let id = SourceId::new::<OCIRepository>(key.clone());
    if !context.index.sources.any(&id) {
        context.trees.remove(&id);
        return;
    }
    let known = context.trees.get(&id);
    if known.is_some_and(|loaded| loaded.is_of(artifact)) {
        return;
    }
    let (archives, own) = (context.archives.clone(), key.clone());
    let of = artifact.clone();
    let work = move || {
        if !archives.holds(OCIRepository::KIND, &own, &of) {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        let file = std::io::BufReader::new(archives.open(&of)?);
        files::unpack(file, &of).map_err(std::io::Error::other)
    };
    match blocking(work).await {
        Ok(loaded) => {
            context.trees.put(&id, Arc::new(loaded));
            context.wake_consumers_waiting_for(id);
        }
        Err(error) => {
            let error = bulkhead_api::chain(&error);
            tracing::info!(error, "failed to load the files of the artifact");
        }
    }
}
