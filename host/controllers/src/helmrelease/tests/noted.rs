//! What actions leave in the status: conditions, words, counters, history.

use super::*;

#[test]
fn an_install_is_noted_in_the_words_of_flux() {
    let object = release(json!({ "test": { "enable": true } }));
    let mut status = HelmReleaseStatus::default();
    let mut record = Record {
        object: &object,
        status: &mut status,
        stamp: stamp(),
    };
    record.begin(Action::Install);
    let ended = Ended {
        stored: vec![stored(1, Status::Deployed)],
        took: Duration::from_millis(1500),
        ..Ended::default()
    };
    let (report, result) = record.released(Action::Install, &wanted(), &ended);
    assert_eq!(result, Ok(()));
    let text = "Helm install succeeded for release apps/web.v1 with chart podinfo@6.5.0";
    assert_eq!(
        (&*report.reason, &*report.message),
        ("InstallSucceeded", text)
    );
    let facts: Vec<_> = report
        .facts
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        facts,
        ["app-version=6.5", "revision=6.5.0", "token=sha256:c"]
    );
    assert_eq!(
        conditions_of(&status),
        [
            "Ready=Unknown AwaitingTests",
            "Released=True InstallSucceeded",
            "TestSuccess=Unknown AwaitingTests",
        ]
    );
    let awaiting = "Helm release apps/web.v1 with chart podinfo@6.5.0 is awaiting tests";
    assert_eq!(message_of(&status, TEST_SUCCESS), awaiting);
    assert_eq!(status.history[0].action, Some(ReleaseAction::Install));
    let duration = status.last_attempted_release_action_duration.clone();
    assert_eq!(duration.unwrap().as_str(), "1.5s");

    let mut record = Record {
        object: &object,
        status: &mut status,
        stamp: stamp(),
    };
    let mut tested = stored(1, Status::Deployed);
    tested.digest = "sha256:tested".into();
    let ended = Ended {
        stored: vec![tested],
        ..Ended::default()
    };
    let hooks = serde_json::from_value(json!({ "t": { "phase": "Succeeded" } })).unwrap();
    let (report, _) = record.tested(hooks, &ended);
    let text = "Helm test succeeded for release apps/web.v1 with chart podinfo@6.5.0: \
                1 test hook completed successfully";
    assert_eq!(report.message, text);
    assert_eq!(message_of(&status, READY), text);
    assert!(status.history[0].has_been_tested());
    assert_eq!(status.history[0].digest, "sha256:tested");
}

#[test]
fn a_failed_upgrade_is_counted_only_if_it_left_a_version() {
    let object = release(json!({}));
    let mut status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        ..Default::default()
    };
    let fail = |status: &mut HelmReleaseStatus, stored: Vec<Snapshot>| {
        let mut record = Record {
            object: &object,
            status,
            stamp: stamp(),
        };
        record.begin(Action::Upgrade);
        let ended = Ended {
            stored,
            error: Some("timed out".into()),
            ..Ended::default()
        };
        record.released(Action::Upgrade, &wanted(), &ended).1
    };
    assert_eq!(fail(&mut status, Vec::new()), Err("timed out".to_owned()));
    assert_eq!((status.failures, status.upgrade_failures), (1, 0));
    let left = vec![stored(2, Status::Failed), stored(1, Status::Superseded)];
    assert_eq!(fail(&mut status, left), Ok(()));
    assert_eq!((status.failures, status.upgrade_failures), (2, 1));
    let text = "Helm upgrade failed for release apps/web with chart podinfo@6.5.0: timed out";
    assert_eq!(message_of(&status, READY), text);
    let versions: Vec<_> = status
        .history
        .iter()
        .map(|entry| format!("{} {}", entry.version, entry.status))
        .collect();
    assert_eq!(versions, ["2 failed", "1 superseded"]);

    let previous = history::previous(&status.history, false).cloned().unwrap();
    let mut record = Record {
        object: &object,
        status: &mut status,
        stamp: stamp(),
    };
    let ended = Ended {
        stored: vec![stored(3, Status::Deployed)],
        ..Ended::default()
    };
    let (report, _) = record.rolled_back(&previous, "sha256:c", &ended);
    let text = "Helm rollback to previous release apps/web.v1 with chart podinfo@6.5.0 succeeded";
    assert_eq!(
        (&*report.reason, &*report.message),
        ("RollbackSucceeded", text)
    );
    assert_eq!(
        conditions_of(&status),
        [
            "Ready=False RollbackSucceeded",
            "Released=False UpgradeFailed",
            "Remediated=True RollbackSucceeded",
        ]
    );
    // What it was rolled back to is wanted now: it is no remediation any more.
    let found = decide::next(&object, &mut status, &State::InSync, stamp());
    assert_eq!(found, Ok(None));
    assert!(conditions::get(&status.conditions, REMEDIATED).is_none());
    let text = "Helm upgrade succeeded for release apps/web.v3 with chart podinfo@6.5.0";
    assert_eq!(message_of(&status, RELEASED), text);
}

#[test]
fn an_uninstall_and_an_unlock_are_told() {
    let object = release(json!({}));
    let mut status = HelmReleaseStatus {
        history: vec![version(1, "deployed")],
        ..Default::default()
    };
    let mut record = Record {
        object: &object,
        status: &mut status,
        stamp: stamp(),
    };
    let unlocked = stored(1, Status::Failed);
    let ended = Ended {
        stored: vec![unlocked.clone()],
        ..Ended::default()
    };
    let (report, _) = record.unlocked(&unlocked, "pending-upgrade", &ended);
    let text =
        "Unlocked Helm release apps/web.v1 with chart podinfo@6.5.0 in pending-upgrade state";
    assert_eq!(
        (&*report.reason, &*report.message),
        ("PendingRelease", text)
    );
    let ended = Ended::default();
    let report = record.uninstalled(Uninstalled::Now, &ended).unwrap();
    let text = "Helm uninstall succeeded for release apps/web.v1 with chart podinfo@6.5.0";
    assert_eq!(
        (&*report.reason, &*report.message),
        ("UninstallSucceeded", text)
    );
    assert!(record.uninstalled(Uninstalled::NotFound, &ended).is_none());
    let text = "Release apps/web.v1 was not found, assuming it is uninstalled";
    assert_eq!(message_of(&status, READY), text);
    assert_eq!(status.failures, 0, "an unlock costs no retry");
}

#[test]
fn what_made_the_version_before_is_forgotten() {
    let mut entries = vec![version(2, "failed"), version(1, "deployed")];
    entries[0].action = Some(ReleaseAction::Upgrade);
    entries[1].action = Some(ReleaseAction::Install);
    let upgrade = ReleaseAction::Upgrade;
    let failed = [stored(3, Status::Failed)];
    history::record(&mut entries, &failed, &upgrade);
    let actions = |entries: &[ReleaseSnapshot]| -> Vec<Option<ReleaseAction>> {
        entries.iter().map(|entry| entry.action.clone()).collect()
    };
    // The deployed one is what an upgrade starts from.
    assert_eq!(
        actions(&entries),
        [Some(upgrade.clone()), Some(upgrade.clone()), None]
    );
    // Where Helm tells which one it was, no other is touched.
    let mut told = entries.clone();
    let stored_now = [stored(1, Status::Superseded), stored(4, Status::Deployed)];
    history::record(&mut told, &stored_now, &upgrade);
    let expected = [
        Some(upgrade.clone()),
        Some(upgrade.clone()),
        Some(upgrade.clone()),
        None,
    ];
    assert_eq!(actions(&told), expected);
    let rollback = ReleaseAction::Rollback;
    let back = [stored(1, Status::Superseded), stored(4, Status::Deployed)];
    history::observe(&mut entries, &back, Some(&rollback), true);
    let expected = [
        Some(rollback.clone()),
        Some(upgrade.clone()),
        Some(upgrade),
        Some(rollback),
    ];
    assert_eq!(actions(&entries), expected);
    history::observe(&mut entries, &[stored(4, Status::Deployed)], None, false);
    assert_eq!(
        actions(&entries)[0],
        Some(ReleaseAction::Rollback),
        "a test"
    );
}
