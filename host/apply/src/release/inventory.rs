//! The objects of a release, for `status.inventory`: those of its manifest and its CRDs, not its hooks.
//!
//! # Source
//! `internal/inventory` of helm-controller 1.6.

use std::collections::HashSet;

use bulkhead_api::ObjectId;

use super::action::Crd;
use super::error::ActionError;
use super::helm::Helm;
use super::model::Release;
use super::objects::Unknown;

impl Helm {
    /// Names the objects of a release, in the order of its manifest, then its chart's CRDs, each once
    /// and with the version that it is written in.
    ///
    /// # Errors
    /// A manifest that is none, or an API server that cannot be asked.
    pub async fn inventory(
        &self,
        release: &Release,
        crds: &[Crd],
    ) -> Result<Vec<(ObjectId, String)>, ActionError> {
        let manifest = self.objects(&release.manifest, &release.namespace, Unknown::Drop);
        let mut objects = manifest.await?;
        for crd in crds {
            objects.extend(self.objects(&crd.text, "", Unknown::Drop).await?);
        }
        let named = objects.iter();
        let named = named.map(|one| (one.id().clone(), one.object.version().to_owned()));
        let mut seen = HashSet::new();
        Ok(named.filter(|(id, _)| seen.insert(id.clone())).collect())
    }
}
