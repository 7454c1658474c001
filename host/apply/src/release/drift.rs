//! Whether the cluster still has what a release applied, and how it is put back.
//!
//! In: a release as it is stored. Out: a [`Difference`] for each object that is not as it should be:
//! what a dry-run of the apply would change. Nothing is changed before [`Helm::correct`].
//!
//! # Source
//! `internal/action/diff.go` of helm-controller 1.6 and `ssa/jsondiff` of fluxcd/pkg.

use std::fmt;

use bulkhead_api::ObjectId;
use serde_json::{Map, Value, json};

use super::error::ActionError;
use super::helm::Helm;
use super::model::Release;
use super::objects::{Placed, Unknown};
use super::patch::{Operation, compare, leave};
use super::send::Way;
use super::wait::Judge;
use crate::normalize;
use crate::object::Object;
use crate::target::ObjectError;
use crate::target::cluster::api::{self, ApiError, Apply};
use crate::target::cluster::{all, object_error};

/// The label or annotation that takes an object out.
const SWITCH: &str = "helm.toolkit.fluxcd.io/driftDetection";

/// An object that is not as its release applied it. `Display` has Flux's words.
#[derive(Clone, Debug)]
pub struct Difference {
    placed: Placed,
    change: DriftChange,
}

/// What is the matter with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftChange {
    /// It is not there.
    Removed,
    /// It is different; these operations would put it back.
    Changed(Vec<Operation>),
    /// It is not looked at: a label, an annotation or a rule says so.
    Excluded,
}

impl Difference {
    /// Returns the object.
    pub fn id(&self) -> &ObjectId {
        self.placed.id()
    }

    /// Returns what is the matter.
    pub fn change(&self) -> &DriftChange {
        &self.change
    }

    /// Whether it is drift at all: excluded objects are listed, too.
    pub fn is_drift(&self) -> bool {
        self.change != DriftChange::Excluded
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.id().subject())?;
        match &self.change {
            DriftChange::Removed => out.write_str("removed"),
            DriftChange::Excluded => out.write_str("excluded"),
            DriftChange::Changed(operations) => {
                let count = |kind: fn(&Operation) -> bool| {
                    operations
                        .iter()
                        .filter(|operation| kind(operation))
                        .count()
                };
                write!(
                    out,
                    "changed ({} additions, {} changes, {} removals)",
                    count(|operation| matches!(operation, Operation::Add { .. })),
                    count(|operation| matches!(operation, Operation::Replace { .. })),
                    count(|operation| matches!(operation, Operation::Remove { .. })),
                )
            }
        }
    }
}

/// What a look at a release found.
#[derive(Debug, Default)]
pub struct Drift {
    /// The objects that are different or excluded, in the order of the manifest.
    pub differences: Vec<Difference>,
    /// The objects that could not be looked at.
    pub errors: Vec<ObjectError>,
}

impl Drift {
    /// Whether any object is different.
    pub fn is_drift(&self) -> bool {
        self.differences.iter().any(Difference::is_drift)
    }
}

impl Helm {
    /// Compares the objects of a release with what is there. `ignore` returns the JSON pointers that
    /// are left out of the comparison of an object; the empty one leaves out all of it.
    ///
    /// # Errors
    /// A manifest that cannot be read; what is wrong with single objects is in [`Drift::errors`].
    pub async fn drift(
        &self,
        release: &Release,
        ignore: &(dyn Fn(&Object) -> Vec<String> + Send + Sync),
    ) -> Result<Drift, ActionError> {
        let mut objects = self.owned_objects(release, Unknown::Drop).await?;
        for placed in &mut objects {
            normalize::normalize(&mut placed.object);
        }
        let looks = all(objects, |placed| {
            let ignored = ignore(&placed.object);
            async move { (self.look_for_drift(&placed, &ignored).await, placed) }
        });
        let mut drift = Drift::default();
        for (result, placed) in looks.await {
            match result {
                Ok(None) => {}
                Ok(Some(change)) => drift.differences.push(Difference { placed, change }),
                Err(error) => {
                    let error = object_error(&placed.object, "dry-run failed", &error);
                    drift.errors.push(error);
                }
            }
        }
        Ok(drift)
    }

    async fn look_for_drift(
        &self,
        placed: &Placed,
        ignored: &[String],
    ) -> Result<Option<DriftChange>, ApiError> {
        let is_off =
            |value: Option<&str>| value.is_some_and(|value| value.eq_ignore_ascii_case("disabled"));
        let object = &placed.object;
        let is_switched_off = is_off(object.annotation(SWITCH)) || is_off(object.label(SWITCH));
        if is_switched_off || ignored.iter().any(String::is_empty) {
            return Ok(Some(DriftChange::Excluded));
        }
        let Some(live) = self.read(placed).await? else {
            return Ok(Some(DriftChange::Removed));
        };
        let metadata = |field: &str| live["metadata"][field][SWITCH].as_str();
        if is_off(metadata("annotations")) || is_off(metadata("labels")) {
            return Ok(Some(DriftChange::Excluded));
        }
        let Some(resource) = &placed.resource else {
            return Ok(None);
        };
        let apply = Apply {
            manager: &self.manager,
            force: true,
            validation: "Ignore",
            dry_run: true,
        };
        let path = api::path(resource, placed.id());
        let http = self.cluster.http();
        let (_, mut wanted) = http.apply_with(&path, &object.to_bytes(), apply).await?;
        for pointer in ignored {
            leave(&live, &mut wanted, pointer);
        }
        let mut operations = Vec::new();
        compare(&labels(&live), &labels(&wanted), "", &mut operations);
        // Controllers add labels and annotations of their own.
        operations.retain(|operation| !matches!(operation, Operation::Remove { .. }));
        compare(&body(live), &body(wanted), "", &mut operations);
        Ok((!operations.is_empty()).then_some(DriftChange::Changed(operations)))
    }

    /// Puts objects back: creates those that are not there, and changes in the others what was found
    /// different, and nothing else.
    ///
    /// # Errors
    /// The objects that could not be put back; the others were.
    pub async fn correct(&self, drift: &Drift) -> Result<Vec<ObjectId>, Vec<ObjectError>> {
        let mut errors = Vec::new();
        let mut corrected = Vec::new();
        let is_removed = |difference: &&Difference| difference.change == DriftChange::Removed;
        let removed = drift.differences.iter().filter(is_removed);
        let removed: Vec<Placed> = removed
            .map(|difference| difference.placed.clone())
            .collect();
        let applied = self.apply(&removed, Way::Apply, Judge::Started).await;
        let failed: Vec<ObjectId> = applied
            .errors
            .iter()
            .map(|error| (*error.id).clone())
            .collect();
        let created = removed.iter().map(|placed| placed.id().clone());
        corrected.extend(created.filter(|id| !failed.contains(id)));
        errors.extend(applied.errors);
        for difference in &drift.differences {
            let (placed, DriftChange::Changed(operations)) =
                (&difference.placed, &difference.change)
            else {
                continue;
            };
            let Some(resource) = &placed.resource else {
                continue;
            };
            let path = api::path(resource, placed.id());
            let patch = Value::Array(operations.iter().map(Operation::to_value).collect());
            let http = self.cluster.http();
            match http.json_patch(&path, &patch, &self.manager).await {
                Ok(()) => corrected.push(placed.id().clone()),
                Err(error) => errors.push(object_error(&placed.object, "patch failure", &error)),
            }
        }
        if errors.is_empty() {
            Ok(corrected)
        } else {
            Err(errors)
        }
    }
}

/// The part of the metadata that is compared. The name keeps `/metadata` from being added as a whole.
fn labels(object: &Value) -> Value {
    let mut metadata = Map::new();
    for field in ["name", "annotations", "labels"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    json!({ "metadata": metadata })
}

/// All but metadata and status.
fn body(mut object: Value) -> Value {
    if let Some(entries) = object.as_object_mut() {
        entries.shift_remove("metadata");
        entries.shift_remove("status");
    }
    object
}
