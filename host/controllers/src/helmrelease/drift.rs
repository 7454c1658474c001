//! Compares the cluster with the record of a release, and puts it right.

use std::sync::Arc;

use bulkhead_api::conditions::{self, Status};
use bulkhead_api::names::condition::READY;
use bulkhead_api::reason::helm as reason;
use bulkhead_api::{ObjectId, reason as general};
use bulkhead_apply::release::{Difference, Drift, DriftChange};

use super::act::Act;
use super::error::ReleaseError;
use super::record::about;
use super::selector::Rules;
use super::state::State;
use super::{history, message};
use crate::report::Report;

impl Act {
    /// Compares the cluster with the newest record.
    ///
    /// What could not be compared is an error only where nothing else was found, as in Flux.
    pub(super) async fn drifted(&mut self) -> Result<State, ReleaseError> {
        let rules = Rules::read(self.object.spec.drift_ignore())?;
        let helm = self.helm().await?;
        let latest = history::latest(&self.status.history);
        let (name, version) = latest.map_or_else(Default::default, |entry| {
            (entry.name.clone(), entry.version)
        });
        let release = helm.storage().get(&name, version).await;
        let Some(release) = release.map_err(ReleaseError::from)? else {
            return Ok(State::Absent("no release in storage for object"));
        };
        let compared = helm.drift(&release, &|object| rules.paths(object)).await;
        let drift = compared.map_err(|error| ReleaseError::Drift(bulkhead_api::chain(&error)))?;
        let errors: Vec<String> = drift.errors.iter().map(ToString::to_string).collect();
        if !drift.is_drift() {
            self.drift = None;
            return match errors.is_empty() {
                true => Ok(State::InSync),
                false => Err(ReleaseError::Drift(errors.join("; "))),
            };
        }
        if !errors.is_empty() {
            let errors = errors.join("; ");
            tracing::error!(
                errors,
                "diff of release against cluster state completed with error"
            );
        }
        let lines = lines(&drift);
        self.drift = Some(Arc::new(drift));
        Ok(State::Drifted(lines))
    }

    /// Undoes the changes that were found. Ready is unknown from here on until the next look.
    pub(super) async fn correct(&mut self) -> Result<Result<(), String>, ReleaseError> {
        let Some(drift) = self.drift.take() else {
            return Ok(Ok(()));
        };
        let stamp = self.stamp();
        let (all, name) = (&mut self.status.conditions, general::PROGRESSING);
        conditions::set(
            all,
            stamp,
            READY,
            Status::Unknown,
            name,
            message::CORRECTING,
        );
        let helm = self.helm().await?;
        let corrected = helm.correct(&drift).await;
        let entry = history::latest(&self.status.history).cloned();
        let report = match corrected {
            Ok(objects) => {
                let lines: Vec<String> = objects.iter().map(|id| put_right(&drift, id)).collect();
                let text = message::corrected(entry.as_ref(), &lines.join("\n"));
                Report::info(reason::DRIFT_CORRECTED, text)
            }
            Err(errors) => {
                let failed = |one: &&Difference| errors.iter().any(|error| *error.id == *one.id());
                let others = drift.differences.iter().filter(|one| one.is_drift());
                let others = others.filter(|one| !failed(one));
                let lines: Vec<String> = others.map(|one| put_right(&drift, one.id())).collect();
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let (errors, lines) = (errors.join("\n"), lines.join("\n"));
                let text = message::not_corrected(entry.as_ref(), &errors, &lines);
                Report::error(reason::DRIFT_CORRECTION_FAILED, text)
            }
        };
        self.tell(about(report, entry.as_ref()));
        Ok(Ok(()))
    }
}

/// Says what was done with an object.
fn put_right(drift: &Drift, id: &ObjectId) -> String {
    let mut differences = drift.differences.iter();
    let was_removed =
        differences.any(|one| one.id() == id && *one.change() == DriftChange::Removed);
    let word = if was_removed { "created" } else { "configured" };
    format!("{} {word}", id.subject())
}

fn lines(drift: &Drift) -> String {
    let differences = drift.differences.iter();
    let lines: Vec<String> = differences.map(ToString::to_string).collect();
    lines.join("\n")
}
