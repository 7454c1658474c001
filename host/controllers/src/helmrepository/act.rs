//! Does what was decided about a HelmRepository: downloads the index, stores it sorted.

use std::io;
use std::sync::Arc;

use bulkhead_api::meta::Artifact;
use bulkhead_api::reason;
use bulkhead_api::source::HelmRepository;
use bulkhead_source::helm::index::{self, StoredIndex};
use bulkhead_source::helm::{HelmError, HttpRepository, Limits, RepositoryConfig, masked};
use tokio::time::Instant;

use super::decide::Decision;
use super::error::IndexError;
use super::load::Observed;
use crate::archives::Scratch;
use crate::context::Context;
use crate::queue::Key;
use crate::sources::{
    Done, Good, Label, Newer, Outcome, Signature, StoreError, blocking, put, remove_artifacts,
};

/// Does it.
pub(super) async fn run(
    object: &HelmRepository,
    key: &Key,
    decision: Decision,
    seen: Observed,
    context: &Arc<Context>,
) -> Outcome<IndexError> {
    let started = Instant::now();
    let mut newer = None;
    let result = match decision {
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(error),
        Decision::Finalize => finalize(key, context).await,
        Decision::Fetch(config) => {
            let fetch = Fetch {
                object,
                key,
                config: &config,
                current: object
                    .status
                    .artifact
                    .as_ref()
                    .filter(|_| seen.has_artifact),
                context,
            };
            fetch.run(&mut newer).await
        }
    };
    Outcome {
        result,
        has_artifact: seen.has_artifact,
        newer,
        took: started.elapsed(),
    }
}

async fn finalize(key: &Key, context: &Arc<Context>) -> Result<Done, IndexError> {
    context.indexes.remove(key);
    remove_artifacts::<HelmRepository>(context, key)
        .await
        .map_err(StoreError::Collect)?;
    Ok(Done::Finalized)
}

struct Fetch<'a> {
    object: &'a HelmRepository,
    key: &'a Key,
    config: &'a RepositoryConfig,
    /// The artifact of the status, if it is in the storage.
    current: Option<&'a Artifact>,
    context: &'a Arc<Context>,
}

impl Fetch<'_> {
    async fn run(&self, newer: &mut Option<Newer>) -> Result<Done, IndexError> {
        let repository = HttpRepository::new(self.config).map_err(|error| match error {
            HelmError::Url { .. } => IndexError::Url(error),
            _ => IndexError::Client(error),
        })?;
        let mut raw = self.scratch()?;
        let fetched = repository.fetch_index(raw.file_mut()).await;
        let fetched = fetched.map_err(IndexError::Fetch)?;
        let revision = fetched.revision.to_string();
        if let Some(current) = self.current.filter(|current| current.revision == revision) {
            return Ok(Done::Kept(self.good(&revision, current.size)));
        }
        *newer = Some(Newer {
            reason: reason::NEW_REVISION,
            message: format!("new index revision '{revision}'"),
        });
        let (stored, scratch) = self.sort(raw).await?;
        let label = Label {
            file: format!("index-{}.yaml", fetched.revision.to_hex()),
            revision: revision.clone(),
            metadata: Default::default(),
        };
        let archives = &self.context.archives;
        let artifact = put::<HelmRepository>(archives, self.key, label, scratch).await?;
        if stored.skipped_count > 0 {
            let first = stored.skipped.join("; ");
            let count = stored.skipped_count;
            tracing::info!(
                count,
                first,
                "left out entries of the index that are not valid"
            );
        }
        let directory = Arc::new(stored.directory);
        self.context
            .indexes
            .put(self.key, &artifact.digest, directory);
        let good = self.good(&revision, artifact.size);
        Ok(Done::Stored(Box::new(artifact), good))
    }

    /// Writes the index as it is stored.
    async fn sort(&self, mut raw: Scratch) -> Result<(StoredIndex, Scratch), IndexError> {
        let (mut spool, mut sorted) = (self.scratch()?, self.scratch()?);
        let work = move || -> io::Result<_> {
            let stored = index::store(
                raw.file_mut(),
                spool.file_mut(),
                &mut sorted,
                &Limits::default(),
            );
            Ok(stored.map(|stored| (stored, sorted)))
        };
        let done = blocking(work).await.map_err(StoreError::Write)?;
        done.map_err(|error| match error {
            HelmError::Store { source, .. } => StoreError::Write(source).into(),
            other => IndexError::Load(other),
        })
    }

    fn scratch(&self) -> Result<Scratch, IndexError> {
        let scratch = self.context.archives.scratch();
        Ok(scratch.map_err(StoreError::Write)?)
    }

    fn good(&self, revision: &str, size_bytes: Option<i64>) -> Good {
        let size = match size_bytes {
            Some(size) => format!("size {}", human(size)),
            None => "unknown size".to_owned(),
        };
        let url = masked(&self.object.spec.url);
        Good {
            reason: reason::SUCCEEDED,
            message: format!("stored artifact: revision '{revision}'"),
            event: (
                reason::NEW_ARTIFACT,
                format!("stored fetched index of {size} from '{url}'"),
            ),
            recovered: reason::SUCCEEDED,
            signature: Signature::NotAsked,
        }
    }
}

/// Writes a size with four digits, as `HumanSize` of docker/go-units does: `1.055MB`.
fn human(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let whole = size.trunc().to_string().len();
    let text = format!("{size:.*}", 4_usize.saturating_sub(whole));
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_flux_writes_them() {
        for (bytes, expected) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1024, "1.024kB"),
            (40_893, "40.89kB"),
            (1_055_400, "1.055MB"),
            (150_000_000, "150MB"),
        ] {
            assert_eq!(human(bytes), expected);
        }
    }
}
