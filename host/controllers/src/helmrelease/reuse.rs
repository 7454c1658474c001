//! Values that an upgrade keeps of the version before: `spec.upgrade.preserveValues`.
//!
//! A release whose stored values are those that an upgrade would store is in sync. Upstream compares
//! them with the values of the object alone, and upgrades for ever where the two differ.

use bulkhead_apply::release::{Helm, Reused, Status, reuse, reused_config, values_digest};

use super::act::Act;
use super::error::ReleaseError;
use super::load::Observed;
use super::state::Stored;

impl Act {
    /// Returns what an upgrade is made with, where it keeps values and there is a version before.
    pub(super) async fn reused(
        &self,
        helm: &Helm,
        name: &str,
        observed: &Observed,
    ) -> Result<Option<Reused>, ReleaseError> {
        if !self.object.spec.upgrade().preserve_values {
            return Ok(None);
        }
        let current = helm.current(name).await.map_err(ReleaseError::from)?;
        let reused = current.map(|current| reuse(observed.parts.values.merged.clone(), &current));
        reused.transpose().map_err(ReleaseError::Reuse)
    }

    /// Returns the digest of the values that an upgrade would store, where it keeps values that are not
    /// those of the object.
    pub(super) async fn reused_digest(
        &self,
        stored: Option<&Stored>,
        observed: &Observed,
    ) -> Result<Option<String>, ReleaseError> {
        let Some(Stored { snapshot }) = stored else {
            return Ok(None);
        };
        let differs = snapshot.config_digest != observed.wanted.config_digest;
        let keeps = self.object.spec.upgrade().preserve_values;
        if !keeps || !differs || snapshot.status != Status::Deployed {
            return Ok(None);
        }
        let storage = self.storage().await?;
        let release = storage.get(&snapshot.name, snapshot.version).await;
        let release = release.map_err(ReleaseError::from)?;
        Ok(release.map(|release| {
            let config = reused_config(observed.parts.values.merged.clone(), &release.config);
            values_digest(&config).to_string()
        }))
    }
}
