//! The CRDs that a chart has below `crds/`: applied before anything else, never deleted.
//!
//! # Source
//! `internal/action/crds.go` of helm-controller 1.6.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_api::chain;

use super::{ActionError, Helm};
use crate::release::model::ApplyMethod;
use crate::release::objects::{Placed, Unknown};
use crate::release::send::{Earlier, Way};
use crate::release::wait::Judge;

/// How long new definitions may take to be established.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A file of a chart's `crds/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crd {
    /// Its path: `chart/charts/sub/crds/thing.yaml`.
    pub path: String,
    /// Its text, with one or more definitions.
    pub text: String,
}

/// What becomes of a chart's CRDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrdPolicy {
    /// They are left alone.
    Skip,
    /// Those that are not there are created.
    #[default]
    Create,
    /// Those that are not there are created, the others brought up to date.
    CreateReplace,
}

impl Helm {
    pub(super) async fn apply_crds(
        &self,
        crds: &[Crd],
        policy: CrdPolicy,
        labels: &BTreeMap<String, String>,
        method: ApplyMethod,
    ) -> Result<(), ActionError> {
        if policy == CrdPolicy::Skip || crds.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for crd in crds {
            let found = self.objects(&crd.text, "", Unknown::Drop).await;
            let found = found.map_err(|error| {
                ActionError::Crds(format!("failed to parse {}: {}", crd.path, chain(&error)))
            })?;
            // Whatever else stands there is no business of a release's.
            let is_crd = |placed: &Placed| {
                placed
                    .object
                    .is("apiextensions.k8s.io", "CustomResourceDefinition")
            };
            wanted.extend(found.into_iter().filter(is_crd));
        }
        if policy == CrdPolicy::Create {
            wanted = self.missing(wanted).await?;
        }
        for placed in &mut wanted {
            for (key, value) in labels {
                placed.object.set_label(key, value);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let none = Earlier::default();
        let way = match (method, policy) {
            (ApplyMethod::ServerSide, _) => Way::Apply,
            (ApplyMethod::ClientSide, CrdPolicy::CreateReplace) => Way::Replace,
            (ApplyMethod::ClientSide, _) => Way::Merge(&none),
        };
        let applied = self.apply(&wanted, way, Judge::Started).await;
        if !applied.errors.is_empty() {
            let errors: Vec<String> = applied.errors.iter().map(ToString::to_string).collect();
            return Err(ActionError::Crds(errors.join("; ")));
        }
        let waited = self
            .wait(&applied.pending, Judge::Started, true, TIMEOUT, None)
            .await;
        self.cluster.discovery().forget().await;
        waited.map_err(|error| ActionError::Crds(error.to_string()))
    }

    async fn missing(&self, wanted: Vec<Placed>) -> Result<Vec<Placed>, ActionError> {
        let mut missing = Vec::new();
        for placed in wanted {
            match self.read_metadata(&placed).await {
                Ok(Some(_)) => {}
                Ok(None) => missing.push(placed),
                Err(error) => {
                    let name = &placed.id().name;
                    return Err(ActionError::Crds(format!("failed to get {name}: {error}")));
                }
            }
        }
        Ok(missing)
    }
}
