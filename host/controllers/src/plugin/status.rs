//! The status of a plugin after what was done. Pure.
//!
//! The conditions Fetched to Approved are about the image that the registry has; Ready is about the
//! object: it is False while the newest look failed, though what ran before runs on. An image that
//! waits to be approved while another runs is no failure.

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::meta::requested_at;
use bulkhead_api::names::condition::{APPROVED, VERIFIED};
use bulkhead_api::plugin::PluginStatus;
use bulkhead_api::reason;

use super::act::{Done, Outcome};
use super::approve::Verdict;
use super::error::{PluginError, Stage};
use super::grants::{self, Allowed};
use super::memory::Running;
use super::object::PluginObject;
use super::trust::Signature;
use crate::status::explain;

/// Returns the next status.
pub(super) fn next<P: PluginObject>(
    object: &P,
    outcome: &Outcome,
    now: jiff::Timestamp,
) -> PluginStatus {
    let mut status = object.status().clone();
    if matches!(outcome.result, Ok(Done::Finalized)) {
        return status;
    }
    let stamp = Stamp::of(object.meta(), now);
    if !matches!(outcome.result, Ok(Done::Suspended)) {
        describe(&mut status, outcome);
        verified(&mut status, stamp, outcome);
        match &outcome.result {
            Ok(Done::Waits(error)) => {
                failed_at(&mut status, stamp, error, true);
                let message = format!("{}; {}", summary(outcome), explain_all(error));
                let why = reason::plugin::NEEDS_APPROVAL;
                conditions::ready(&mut status.conditions, stamp, why, &message);
            }
            Ok(done) => succeeded(&mut status, stamp, done, outcome),
            Err(error) => {
                let runs = outcome.running.is_some();
                failed_at(&mut status, stamp, error, runs);
                let mut message = explain_all(error);
                if let Some((running, _)) = &outcome.running {
                    message = format!("{message}; {} runs on", running.record.digest);
                }
                conditions::failed(&mut status.conditions, stamp, &error.advice(), &message);
            }
        }
        let before = status.observed_generation;
        let conditions = &status.conditions;
        status.observed_generation = conditions::observed_generation(conditions, stamp, before);
    }
    if let Some(requested) = requested_at(object.meta()) {
        status.last_handled_reconcile_at = Some(requested.to_owned());
    }
    status
}

fn explain_all(error: &PluginError) -> String {
    explain(error, &error.advice())
}

/// Says what runs. Of what ran last, it is kept what it was and what it asked for: what was approved
/// is not forgotten with the storage.
fn describe(status: &mut PluginStatus, outcome: &Outcome) {
    status.pending_digest = match outcome.result.as_ref().map_or_else(Some, waits) {
        Some(error) => pending(error),
        None => None,
    };
    let Some((running, allowed)) = &outcome.running else {
        status.digest = None;
        status.component = None;
        status.permissions = None;
        status.signer = None;
        return;
    };
    let record = &running.record;
    status.image = Some(record.image.clone());
    status.digest = Some(record.digest.to_string());
    status.component = Some(record.component.to_string());
    status.world = Some(running.world.clone());
    status.kind = Some(running.plugin.kind().to_string());
    let manifest = running.manifest.as_ref();
    status.version = manifest.map(|manifest| manifest.version.clone());
    status.imports = running.asked.imports.clone();
    status.requests = Some(grants::to_status(&running.asked.requests));
    status.permissions = Some(allowed.shown.clone());
    status.approved_digest = Some(record.digest.to_string());
    status.signer = record.signer.clone();
}

fn waits(done: &Done) -> Option<&std::sync::Arc<PluginError>> {
    match done {
        Done::Waits(error) => Some(error),
        _ => None,
    }
}

fn pending(error: &PluginError) -> Option<String> {
    match error {
        PluginError::NeedsApproval { digest, .. } => Some(digest.to_string()),
        _ => None,
    }
}

fn verified(status: &mut PluginStatus, stamp: Stamp, outcome: &Outcome) {
    let conditions = &mut status.conditions;
    if !outcome.verifies {
        conditions::remove(conditions, VERIFIED);
        return;
    }
    match &outcome.signature {
        Some(Signature::Good(signer)) => {
            let message = format!("signed by {signer}");
            let why = reason::SUCCEEDED;
            conditions::set(conditions, stamp, VERIFIED, Status::True, why, &message);
        }
        Some(Signature::Bad(error)) => {
            let why = error.advice().reason;
            let message = format!(
                "{}; it is run, since `spec.verify.mode` is `warn`",
                explain_all(error)
            );
            conditions::set(conditions, stamp, VERIFIED, Status::False, why, &message);
        }
        None => {}
    }
}

/// Sets the conditions of the steps before the one that failed, and of that one. Those after it
/// stay, while something runs, as they were.
fn failed_at(status: &mut PluginStatus, stamp: Stamp, error: &PluginError, runs: bool) {
    let conditions = &mut status.conditions;
    let failed = error.stage();
    for stage in Stage::ALL {
        let type_ = stage.condition();
        if stage == failed {
            let why = error.advice().reason;
            let message = explain_all(error);
            conditions::set(conditions, stamp, type_, Status::False, why, &message);
        } else if stage < failed && stage != Stage::Verified {
            passed(conditions, stamp, type_, "");
        } else if stage > failed && !runs {
            conditions::remove(conditions, type_);
        }
    }
}

fn passed(
    conditions: &mut Vec<bulkhead_api::meta::Condition>,
    stamp: Stamp,
    type_: &str,
    message: &str,
) {
    let why = reason::SUCCEEDED;
    conditions::set(conditions, stamp, type_, Status::True, why, message);
}

fn succeeded(status: &mut PluginStatus, stamp: Stamp, done: &Done, outcome: &Outcome) {
    let Some((running, allowed)) = &outcome.running else {
        return;
    };
    let conditions = &mut status.conditions;
    for stage in [Stage::Fetched, Stage::Compatible, Stage::Compiled] {
        passed(conditions, stamp, stage.condition(), &about(stage, running));
    }
    let approval = match done {
        Done::Installed(Verdict::First) => Some("the first image: who installs it approves it"),
        Done::Installed(Verdict::Approved) => Some("approved by `spec.approve`"),
        // What it was approved by stays to be read.
        _ if conditions::is_true(conditions, APPROVED) => None,
        _ => Some("it asks for no more than what was approved"),
    };
    if let Some(message) = approval {
        passed(conditions, stamp, APPROVED, message);
    }
    let mut message = summary(outcome);
    if !allowed.withheld.is_empty() {
        message = format!("{message}; not granted: {}", allowed.withheld.join(", "));
    }
    conditions::ready(conditions, stamp, reason::SUCCEEDED, &message);
}

fn about(stage: Stage, running: &Running) -> String {
    match stage {
        Stage::Fetched => format!("fetched {}", running.record.image),
        Stage::Compatible => format!("it was built for {}", running.world),
        _ => format!("component {}", running.record.component),
    }
}

/// What runs, in one line.
pub(super) fn summary(outcome: &Outcome) -> String {
    match &outcome.running {
        None => "nothing runs".to_owned(),
        Some((running, Allowed { .. })) => {
            let (plugin, image) = (&running.plugin, &running.record.image);
            match plugin.version() {
                "" => format!("{} {image} runs", plugin.kind()),
                version => format!("{} {version} runs, {image}", plugin.kind()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::sync::Arc;
    use std::time::Duration;

    use bulkhead_api::plugin::{Plugin, PluginSpec, PluginVerification};
    use bulkhead_source::oci::OciError;

    use super::super::error::tests::unsigned;
    use super::*;

    fn plugin() -> Plugin {
        let mut plugin = Plugin::new("apps", "x", PluginSpec::new("registry.example/x:1"));
        plugin.metadata.generation = Some(2);
        plugin
    }

    fn failed(error: PluginError) -> Outcome {
        Outcome {
            result: Err(Arc::new(error)),
            before: None,
            running: None,
            signature: None,
            verifies: true,
            took: Duration::ZERO,
        }
    }

    fn conditions_of(status: &PluginStatus) -> Vec<String> {
        let conditions = status.conditions.iter();
        conditions
            .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
            .collect()
    }

    const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    #[test]
    fn the_steps_before_the_one_that_failed_are_true() {
        let mut plugin = plugin();
        plugin.spec.verify = Some(PluginVerification::default());
        let status = next(&plugin, &failed(unsigned()), NOW);
        assert_eq!(
            conditions_of(&status),
            [
                "Reconciling=True ProgressingWithRetry",
                "Ready=False SignatureMissing",
                "Fetched=True Succeeded",
                "Verified=False SignatureMissing",
            ]
        );
        assert_eq!(status.observed_generation, -1);
    }

    #[test]
    fn an_image_that_is_no_plugin_stalls() {
        let place = "registry.example/x:1".to_owned();
        let error = PluginError::Fetch(OciError::Image { place });
        let status = next(&plugin(), &failed(error), NOW);
        assert_eq!(
            conditions_of(&status),
            [
                "Stalled=True ContainerImage",
                "Ready=False ContainerImage",
                "Fetched=False ContainerImage",
            ]
        );
        assert_eq!(status.observed_generation, 2);
        let message = &status.conditions[1].message;
        assert!(message.contains("bulkhead plugin push"), "{message}");
    }

    #[test]
    fn what_was_approved_is_not_forgotten_with_what_ran() {
        let mut plugin = plugin();
        plugin.status.approved_digest = Some("sha256:aa".into());
        plugin.status.digest = Some("sha256:aa".into());
        plugin.status.imports = vec!["bulkhead:base/log@0.1.0".into()];
        let status = next(&plugin, &failed(unsigned()), NOW);
        assert_eq!(status.digest, None);
        assert_eq!(status.approved_digest.as_deref(), Some("sha256:aa"));
        assert_eq!(status.imports.len(), 1);
    }
}
