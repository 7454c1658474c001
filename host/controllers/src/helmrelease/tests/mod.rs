//! Tables of the state machine: states, and what is done about them.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod noted;

use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp};
use bulkhead_api::helmrelease::{HelmRelease, HelmReleaseStatus, ReleaseAction, ReleaseSnapshot};
use bulkhead_api::names::condition::{DRIFTED, READY, RELEASED, REMEDIATED, TEST_SUCCESS};
use bulkhead_apply::release::{Snapshot, Status, Time};
use serde_json::{Value, json};

use super::decide::{self, Action, Halt, RollbackTarget};
use super::history::tests::version;
use super::record::{Ended, Record, Uninstalled};
use super::state::{State, Stored, Wanted, state};
use super::{history, target};

fn stamp() -> Stamp {
    Stamp {
        generation: 2,
        now: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn release(spec: Value) -> HelmRelease {
    let mut fields =
        json!({ "interval": "10m", "chartRef": { "kind": "HelmChart", "name": "web" } });
    fields
        .as_object_mut()
        .unwrap()
        .extend(spec.as_object().unwrap().clone());
    let object = json!({
        "metadata": { "name": "web", "namespace": "apps", "generation": 2 },
        "spec": fields,
    });
    let mut object: HelmRelease = serde_json::from_value(object).unwrap();
    object.status.observed_generation = 2;
    object
}

fn stored(number: i64, status: Status) -> Snapshot {
    Snapshot {
        digest: format!("sha256:{number}"),
        name: "web".into(),
        namespace: "apps".into(),
        version: number,
        status,
        chart_name: "podinfo".into(),
        chart_version: "6.5.0".into(),
        app_version: "6.5".into(),
        config_digest: "sha256:c".into(),
        first_deployed: Time::default(),
        last_deployed: Time::default(),
        deleted: Time::default(),
        oci_digest: String::new(),
    }
}

fn wanted() -> Wanted {
    Wanted {
        chart_name: "podinfo".into(),
        chart_version: "6.5.0".into(),
        app_version: "6.5".into(),
        config_digest: "sha256:c".into(),
        oci_digest: String::new(),
        post_renderers: None,
        common_metadata: None,
    }
}

fn state_of(object: &HelmRelease, status: &HelmReleaseStatus, found: Option<Snapshot>) -> State {
    let found = found.map(|snapshot| Stored { snapshot });
    state(object, status, found.as_ref(), &wanted())
}

#[test]
fn the_state_follows_the_record_and_the_history() {
    let object = release(json!({}));
    let none = HelmReleaseStatus::default();
    let with = |history: Vec<_>| HelmReleaseStatus {
        history,
        observed_generation: 2,
        ..Default::default()
    };
    let deployed = || with(vec![version(1, "deployed")]);
    assert!(matches!(state_of(&object, &none, None), State::Absent(_)));
    for pending in [
        Status::PendingInstall,
        Status::PendingUpgrade,
        Status::PendingRollback,
        Status::Uninstalling,
    ] {
        let found = state_of(&object, &none, Some(stored(1, pending.clone())));
        assert_eq!(found, State::Locked(pending));
    }
    let found = state_of(&object, &none, Some(stored(1, Status::Deployed)));
    assert_eq!(found, State::Unmanaged("found existing release in storage"));
    let found = state_of(&object, &none, Some(stored(1, Status::Uninstalled)));
    assert!(matches!(found, State::Absent(_)));
    let mut altered = stored(1, Status::Deployed);
    altered.digest = "sha256:other".into();
    let found = state_of(&object, &deployed(), Some(altered.clone()));
    assert_eq!(
        found,
        State::Unmanaged("release not observed to be made for object")
    );
    let mut legacy = deployed();
    legacy.history[0].api_version = None;
    assert_eq!(
        state_of(&object, &legacy, Some(altered)),
        State::InSync,
        "of an older Flux"
    );
    assert_eq!(
        state_of(&object, &deployed(), Some(stored(1, Status::Deployed))),
        State::InSync
    );
    let found = state_of(&object, &deployed(), Some(stored(1, Status::Failed)));
    assert_eq!(found, State::Failed(""));
    let found = state_of(&object, &deployed(), Some(stored(1, Status::Superseded)));
    assert_eq!(found, State::Unknown(Status::Superseded));
}

#[test]
fn a_release_is_out_of_sync_by_chart_values_and_what_changes_its_objects() {
    let object = release(json!({}));
    let status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        observed_generation: 1,
        ..Default::default()
    };
    let found = Stored {
        snapshot: stored(1, Status::Deployed),
    };
    let of = |change: fn(&mut Wanted), observed: i64| {
        let mut wanted = wanted();
        change(&mut wanted);
        let status = HelmReleaseStatus {
            observed_generation: observed,
            ..status.clone()
        };
        state(&object, &status, Some(&found), &wanted)
    };
    assert_eq!(of(|_| (), 1), State::InSync);
    let found = of(|wanted| wanted.chart_version = "6.6.0".into(), 2);
    assert_eq!(found, State::OutOfSync("release chart changed"));
    let found = of(|wanted| wanted.config_digest = "sha256:d".into(), 2);
    assert_eq!(found, State::OutOfSync("release config values changed"));
    let patched: fn(&mut Wanted) = |wanted| wanted.post_renderers = Some("sha256:p".into());
    assert_eq!(
        of(patched, 1),
        State::OutOfSync("postrenderers digest has changed")
    );
    assert_eq!(of(patched, 2), State::InSync, "only for a new generation");
    let labelled: fn(&mut Wanted) = |wanted| wanted.common_metadata = Some("sha256:m".into());
    assert_eq!(
        of(labelled, 1),
        State::OutOfSync("common metadata digest has changed")
    );
}

#[test]
fn a_failed_test_fails_the_release_unless_it_is_ignored() {
    let mut status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        observed_generation: 2,
        last_attempted_release_action: Some(ReleaseAction::Install),
        ..Default::default()
    };
    let tested = release(json!({ "test": { "enable": true } }));
    let found = || Some(stored(1, Status::Deployed));
    assert_eq!(state_of(&tested, &status, found()), State::Untested);
    status.history[0].test_hooks =
        Some(serde_json::from_value(json!({ "t": { "phase": "Failed" } })).unwrap());
    assert_eq!(
        state_of(&tested, &status, found()),
        State::Failed("release has test in failed phase")
    );
    let ignored = release(json!({ "test": { "enable": true, "ignoreFailures": true } }));
    assert_eq!(state_of(&ignored, &status, found()), State::InSync);
    let ignored = json!({
        "test": { "enable": true },
        "install": { "remediation": { "ignoreTestFailures": true } },
    });
    assert_eq!(state_of(&release(ignored), &status, found()), State::InSync);
}

/// What comes next after failures of the last action.
fn next(spec: Value, state: &State, failures: (i64, i64)) -> Result<Option<Action>, Halt> {
    let object = release(spec);
    let mut status = HelmReleaseStatus {
        history: vec![version(2, "failed"), version(1, "superseded")],
        last_attempted_release_action: Some(ReleaseAction::Upgrade),
        install_failures: failures.0,
        upgrade_failures: failures.1,
        ..Default::default()
    };
    decide::next(&object, &mut status, state, stamp())
}

#[test]
fn each_state_has_its_action() {
    let none = || json!({});
    let act = |state: State| next(none(), &state, (0, 0)).unwrap();
    assert_eq!(act(State::Absent("")), Some(Action::Install));
    assert_eq!(act(State::Unmanaged("")), Some(Action::Upgrade));
    assert_eq!(act(State::OutOfSync("")), Some(Action::Upgrade));
    assert_eq!(
        act(State::Locked(Status::PendingUpgrade)),
        Some(Action::Unlock)
    );
    let broken = act(State::Locked(Status::Uninstalling));
    assert_eq!(broken, Some(Action::FinishUninstall));
    assert_eq!(act(State::Untested), Some(Action::Test));
    assert_eq!(act(State::InSync), None);
    assert_eq!(
        act(State::Drifted("x".into())),
        None,
        "drift is told alone by default"
    );
    let enabled = json!({ "driftDetection": { "mode": "enabled" } });
    let found = next(enabled, &State::Drifted("x".into()), (0, 0));
    assert_eq!(found.unwrap(), Some(Action::CorrectDrift));
    assert!(matches!(
        next(none(), &State::Unknown(Status::Superseded), (0, 0)),
        Err(Halt::Unknown(_))
    ));
}

#[test]
fn failures_are_remediated_as_often_as_the_spec_says() {
    let failed = State::Failed("");
    let exceeded = Err(Halt::Exceeded("remediate failed release"));
    let upgrade = |remediation: Value| json!({ "upgrade": { "remediation": remediation } });
    for (spec, failures, wanted) in [
        (json!({}), 0, Ok(Some(Action::Upgrade))),
        (json!({}), 1, exceeded.clone()),
        (
            upgrade(json!({ "retries": 1 })),
            1,
            Ok(Some(Action::Rollback)),
        ),
        (
            upgrade(json!({ "retries": 1 })),
            2,
            Ok(Some(Action::Rollback)),
        ),
        (
            upgrade(json!({ "retries": 1, "remediateLastFailure": false })),
            2,
            exceeded.clone(),
        ),
        (
            upgrade(json!({ "retries": -1 })),
            99,
            Ok(Some(Action::Rollback)),
        ),
        (
            upgrade(json!({ "retries": 1, "strategy": "uninstall" })),
            1,
            Ok(Some(Action::UninstallRemediation)),
        ),
        (
            json!({ "upgrade": { "strategy": { "name": "RetryOnFailure" } } }),
            9,
            Ok(Some(Action::Upgrade)),
        ),
    ] {
        let found = next(spec.clone(), &failed, (0, failures));
        assert_eq!(found, wanted, "{spec} {failures}");
    }
    let out = State::OutOfSync("");
    assert_eq!(
        next(json!({}), &out, (0, 1)),
        Err(Halt::Exceeded("upgrade release"))
    );
    let absent = State::Absent("");
    assert_eq!(
        next(json!({}), &absent, (1, 0)),
        Err(Halt::Exceeded("install release"))
    );
    assert_eq!(
        decide::rollback(RollbackTarget::Verified),
        Ok(Action::Rollback)
    );
    assert_eq!(
        decide::rollback(RollbackTarget::Altered),
        Ok(Action::Upgrade)
    );
    assert_eq!(
        decide::rollback(RollbackTarget::Missing),
        Err(Halt::MissingTarget)
    );
}

#[test]
fn a_forced_release_is_upgraded_once() {
    let mut object = release(json!({}));
    let annotations = json!({
        "reconcile.fluxcd.io/requestedAt": "now",
        "reconcile.fluxcd.io/forceAt": "now",
    });
    object.metadata.annotations = serde_json::from_value(annotations).unwrap();
    let mut status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        upgrade_failures: 5,
        ..Default::default()
    };
    let mut act = |state: &State| decide::next(&object, &mut status, state, stamp()).unwrap();
    assert_eq!(act(&State::InSync), Some(Action::Upgrade));
    assert_eq!(act(&State::InSync), None, "it counts once");
    assert_eq!(status.last_handled_force_at.as_deref(), Some("now"));
    status.last_handled_force_at = None;
    let found = decide::next(&object, &mut status, &State::OutOfSync(""), stamp());
    assert_eq!(found, Ok(Some(Action::Upgrade)), "even out of retries");
    status.last_handled_force_at = None;
    status.last_handled_reconcile_at = Some("now".into());
    let found = decide::next(&object, &mut status, &State::InSync, stamp());
    assert_eq!(found, Ok(None), "the reconciliation it came with is over");
    assert_eq!(status.last_handled_force_at.as_deref(), Some("now"));
}

fn conditions_of(status: &HelmReleaseStatus) -> Vec<String> {
    let all = status.conditions.iter();
    all.map(|one| format!("{}={} {}", one.type_, one.status, one.reason))
        .collect()
}

fn message_of<'a>(status: &'a HelmReleaseStatus, type_: &str) -> &'a str {
    conditions::get(&status.conditions, type_).map_or("", |one| &one.message)
}

#[test]
fn drift_is_a_condition_of_its_own() {
    let object = release(json!({ "driftDetection": { "mode": "warn" } }));
    let mut status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        ..Default::default()
    };
    let drifted = State::Drifted("ConfigMap/apps/web removed".into());
    decide::next(&object, &mut status, &drifted, stamp()).unwrap();
    let text = "Cluster state of release apps/web.v1 has drifted from the desired state:\n\
                ConfigMap/apps/web removed";
    assert_eq!(message_of(&status, DRIFTED), text);
    decide::next(&object, &mut status, &State::InSync, stamp()).unwrap();
    assert_eq!(conditions_of(&status), ["Drifted=False NoDriftDetected"]);
}

#[test]
fn another_target_is_another_release() {
    let status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        storage_namespace: Some("apps".into()),
        ..Default::default()
    };
    for (spec, chart, wanted) in [
        (json!({}), "podinfo", None),
        (json!({}), "other", Some("chart name")),
        (
            json!({ "releaseName": "x" }),
            "podinfo",
            Some("release name"),
        ),
        (
            json!({ "targetNamespace": "b", "releaseName": "web" }),
            "podinfo",
            Some("release namespace"),
        ),
        (
            json!({ "storageNamespace": "b" }),
            "podinfo",
            Some("storage namespace"),
        ),
        (
            json!({ "upgrade": { "chartNameChangeStrategy": "InPlaceUpdate" } }),
            "other",
            None,
        ),
    ] {
        assert_eq!(
            target::change(&release(spec.clone()), &status, chart),
            wanted,
            "{spec}"
        );
    }
    let fresh = HelmReleaseStatus::default();
    assert_eq!(target::change(&release(json!({})), &fresh, "podinfo"), None);
}

#[test]
fn failures_are_forgotten_when_something_else_is_tried() {
    let object = release(json!({}));
    let status = HelmReleaseStatus {
        last_attempted_generation: 2,
        last_attempted_revision: Some("6.5.0".into()),
        last_attempted_config_digest: Some("sha256:c".into()),
        ..Default::default()
    };
    let of = |change: fn(&mut HelmReleaseStatus), reset| {
        let mut status = status.clone();
        change(&mut status);
        target::reset(&object, &status, &wanted(), reset)
    };
    assert_eq!(of(|_| (), false), None);
    assert_eq!(of(|_| (), true), Some("reset requested through annotation"));
    let found = of(|status| status.last_attempted_generation = 1, false);
    assert_eq!(found, Some("generation differs from last attempt"));
    let found = of(|status| status.last_attempted_revision = None, false);
    assert_eq!(found, Some("chart version differs from last attempt"));
    let found = of(
        |status| status.last_attempted_config_digest = Some("x".into()),
        false,
    );
    assert_eq!(found, Some("values differ from last attempt"));
}
