//! Install, upgrade, rollback, test, uninstall, and what each refuses.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_apply::release::{
    Helm, Install, Options, Phase, Rollback, Status, Storage, Test, TestFilter, Uninstall, Upgrade,
    Wait,
};
use bulkhead_apply::target::cluster::{Cluster, Discovery};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};

use super::{Scene, content, error, hook, map};
use crate::{meddling, spawnable};

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_goes_through_its_life() {
    let scene = Scene::new("life").await;
    let (a, b, c) = (map("a", "1"), map("b", "1"), map("c", "1"));
    let before = hook("before", "pre-install,pre-upgrade", "before-hook-creation");
    let done = scene
        .install(content("1.0.0", &[("a", &a), ("b", &b), ("h", &before)]))
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.records().await, ["1 deployed"]);
    assert_eq!(scene.names().await, ["a", "b", "before"]);
    let release = done.release.unwrap();
    assert_eq!(release.info.description, "Install complete");
    assert_eq!(release.hooks[0].last_run.phase, Phase::SUCCEEDED);
    let found = scene.maps().get("a").await.unwrap().metadata;
    assert_eq!(
        found.labels.unwrap()["app.kubernetes.io/managed-by"],
        "Helm"
    );
    let annotations = found.annotations.unwrap();
    assert_eq!(annotations["meta.helm.sh/release-name"], "app");
    assert_eq!(
        annotations["meta.helm.sh/release-namespace"],
        scene.target.namespace
    );
    let managers = found.managed_fields.unwrap();
    assert_eq!(managers[0].manager.as_deref(), Some("helm-controller"));
    // The record reads back as what the digest was made of.
    let stored = scene.helm.storage().get("app", 1).await.unwrap().unwrap();
    let digest = bulkhead_apply::release::release_digest(&stored, "").to_string();
    assert_eq!(done.snapshots[0].digest, digest);

    // `b` goes, `c` comes.
    let done = scene
        .upgrade(content("1.1.0", &[("a", &map("a", "2")), ("c", &c)]))
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.records().await, ["1 superseded", "2 deployed"]);
    assert_eq!(scene.names().await, ["a", "before", "c"]);
    let statuses: Vec<String> = done
        .snapshots
        .iter()
        .map(|one| one.status.to_string())
        .collect();
    assert_eq!(statuses, ["deployed", "superseded"]);

    // Back to the first, as the third.
    let rollback = Rollback {
        version: 1,
        ..Rollback::default()
    };
    let done = scene
        .helm
        .rollback(&scene.target, &rollback, std::future::pending());
    let done = spawnable(done).await;
    assert_eq!(error(&done), "");
    assert_eq!(
        scene.records().await,
        ["1 superseded", "2 superseded", "3 deployed"]
    );
    assert_eq!(scene.names().await, ["a", "b", "before"]);
    let info = done.release.unwrap().info;
    assert_eq!(
        (info.description.as_str(), info.rollback_revision),
        ("Rollback to 1", 1)
    );

    let uninstall = Uninstall::default();
    let done = spawnable(scene.helm.uninstall(&scene.target, &uninstall)).await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.secrets().await, 0);
    assert_eq!(scene.names().await, ["before"]);
    assert_eq!(done.snapshots.last().unwrap().status, Status::Uninstalled);
    let done = scene.helm.uninstall(&scene.target, &uninstall).await;
    assert_eq!(error(&done), "release: not found");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_action_costs_a_request_an_object_and_a_few_for_the_record() {
    let mut scene = Scene::new("cost").await;
    let counts = std::sync::Arc::new(std::sync::Mutex::new(BTreeMap::<String, usize>::new()));
    let counted = counts.clone();
    let client = meddling(scene.server.client().unwrap(), move |method, path| {
        let what = path
            .rsplit('/')
            .find(|part| !part.is_empty() && !part.contains('.'));
        let key = format!("{method} {}", what.unwrap_or_default());
        *counted.lock().unwrap().entry(key).or_default() += 1;
        std::future::ready(false)
    });
    let discovery = Discovery::new(client.clone());
    let cluster = Cluster::new(client, discovery.clone());
    let storage = Storage::new(cluster.clone(), &scene.target.namespace).with_max_history(5);
    scene.helm = Helm::new(cluster, storage);
    // What the server serves is asked once, for all.
    discovery.find("", "ConfigMap", Some("v1")).await.unwrap();
    let take = || std::mem::take(&mut *counts.lock().unwrap());
    take();
    let (a, b) = (map("a", "1"), map("b", "1"));
    let two = || content("1.0.0", &[("a", &a), ("b", &b)]);
    assert_eq!(error(&scene.install(two()).await), "");
    let total = |counts: BTreeMap<String, usize>| counts.values().sum::<usize>();
    assert_eq!(total(take()), 2 + 3);
    assert_eq!(error(&scene.upgrade(two()).await), "");
    assert_eq!(total(take()), 2 + 5);
    assert_eq!(scene.helm.storage().records("app").await.unwrap().len(), 2);
    assert_eq!(total(take()), 1);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_a_failed_upgrade_brought_is_pruned_by_the_next() {
    let scene = Scene::new("failed").await;
    let a = map("a", "1");
    assert_eq!(
        error(&scene.install(content("1.0.0", &[("a", &a)])).await),
        ""
    );
    let bad = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nnonsense: true\n";
    let new = map("new", "1");
    let done = scene
        .upgrade(content("1.1.0", &[("a", &a), ("new", &new), ("s", bad)]))
        .await;
    assert!(error(&done).contains("nonsense"), "{}", error(&done));
    assert_eq!(scene.records().await, ["1 deployed", "2 failed"]);
    let told = done.release.unwrap().info.description;
    assert!(told.starts_with("Upgrade \"app\" failed: "), "{told}");
    assert_eq!(scene.names().await, ["a", "new"]);
    assert_eq!(
        error(&scene.upgrade(content("1.2.0", &[("a", &a)])).await),
        ""
    );
    assert_eq!(scene.names().await, ["a"]);

    // Cleaned up behind at once, where that is asked for.
    let upgrade = Upgrade {
        cleanup_on_fail: true,
        ..Upgrade::default()
    };
    let bad = content("1.3.0", &[("a", &a), ("new", &new), ("s", bad)]);
    let done = scene
        .helm
        .upgrade(&scene.target, bad, &upgrade, std::future::pending())
        .await;
    assert!(done.error.is_some());
    assert_eq!(scene.names().await, ["a"]);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn nothing_is_touched_that_is_refused() {
    let scene = Scene::new("refused").await;
    // A release that its Secret cannot hold.
    let mut text = String::new();
    let mut seed: u64 = 1;
    while text.len() < 1_600_000 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{seed:016x}"));
    }
    let mut large = content("1.0.0", &[("a", &map("a", "1"))]);
    large.config.insert("text".to_owned(), text.into());
    let done = scene.install(large).await;
    assert!(
        error(&done).contains("bytes in its Secret, of 1040384"),
        "{}",
        error(&done)
    );
    // A kind that nobody serves.
    let odd = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n";
    let done = scene
        .install(content("1.0.0", &[("a", &map("a", "1")), ("t", odd)]))
        .await;
    assert_eq!(
        error(&done),
        "unable to build kubernetes objects from release manifest: no matches for kind \"Thing\" in \
         version \"example.com/v1\""
    );
    // An object of somebody else's.
    let foreign =
        serde_json::from_value(serde_json::json!({ "metadata": { "name": "a" } })).unwrap();
    scene
        .maps()
        .create(&PostParams::default(), &foreign)
        .await
        .unwrap();
    let install = Install {
        take_ownership: false,
        ..Install::default()
    };
    let content_of_a = || content("1.0.0", &[("a", &map("a", "1"))]);
    let done = scene
        .helm
        .install(
            &scene.target,
            content_of_a(),
            &install,
            std::future::pending(),
        )
        .await;
    let namespace = &scene.target.namespace;
    assert_eq!(
        error(&done),
        format!(
            "unable to continue with install: ConfigMap \"a\" in namespace \"{namespace}\" exists and \
             cannot be imported into the current release: invalid ownership metadata; label \
             validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; \
             annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \
             \"app\"; annotation validation error: missing key \"meta.helm.sh/release-namespace\": \
             must be set to \"{namespace}\""
        )
    );
    assert_eq!(scene.secrets().await, 0);
    // Flux takes it.
    assert_eq!(error(&scene.install(content_of_a()).await), "");
    assert_eq!(
        error(&scene.install(content_of_a()).await),
        "cannot reuse a name that is still in use"
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_asks_to_be_kept_stays_and_what_is_not_ours_too() {
    let scene = Scene::new("kept").await;
    let keep = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep, annotations: \
                {helm.sh/resource-policy: keep}}\n";
    let (a, lost) = (map("a", "1"), map("lost", "1"));
    let all = [("a", a.as_str()), ("keep", keep), ("lost", lost.as_str())];
    assert_eq!(error(&scene.install(content("1.0.0", &all)).await), "");
    let other = serde_json::json!({ "metadata": { "annotations": {
        "meta.helm.sh/release-name": "other",
    }}});
    let patch = Patch::Merge(other);
    scene
        .maps()
        .patch("lost", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let done = scene.upgrade(content("1.1.0", &[("a", &a)])).await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.names().await, ["a", "keep", "lost"]);
    assert_eq!(done.kept.len(), 2, "{:?}", done.kept);
    // An uninstall that keeps the records frees the name only for those who ask.
    let uninstall = Uninstall {
        keep_history: true,
        ..Uninstall::default()
    };
    assert_eq!(
        error(&scene.helm.uninstall(&scene.target, &uninstall).await),
        ""
    );
    assert_eq!(scene.records().await, ["1 superseded", "2 uninstalled"]);
    assert_eq!(scene.names().await, ["keep", "lost"]);
    let install = Install {
        replace: true,
        ..Install::default()
    };
    let new = content("2.0.0", &[("a", &a)]);
    let done = scene
        .helm
        .install(&scene.target, new, &install, std::future::pending())
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(
        scene.records().await,
        ["1 superseded", "2 superseded", "3 deployed"]
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn history_is_capped_and_the_deployed_version_stays() {
    let mut scene = Scene::new("history").await;
    let client = scene.server.client().unwrap();
    let cluster = Cluster::new(client.clone(), Discovery::new(client));
    let storage = Storage::new(cluster.clone(), &scene.target.namespace).with_max_history(3);
    scene.helm = Helm::new(cluster, storage);
    let a = map("a", "1");
    assert_eq!(
        error(&scene.install(content("1.0.0", &[("a", &a)])).await),
        ""
    );
    let bad = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nnonsense: true\n";
    for _ in 0..4 {
        assert!(
            scene
                .upgrade(content("1.1.0", &[("s", bad)]))
                .await
                .error
                .is_some()
        );
    }
    assert_eq!(
        scene.records().await,
        ["1 deployed", "4 failed", "5 failed"]
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn hooks_run_to_their_end_and_fail_with_their_names() {
    let scene = Scene::new("hooks").await;
    let job = |name: &str, events: &str, weight: i32| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations:\n    \
             helm.sh/hook: {events}\n    helm.sh/hook-weight: \"{weight}\"\n    \
             helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded\nspec:\n  template:\n    \
             spec:\n      restartPolicy: Never\n      containers: [{{name: c, image: c}}]\n"
        )
    };
    let (first, second) = (
        job("first", "pre-install", 1),
        job("second", "pre-install", 2),
    );
    let test = job("probe", "test", 0);
    let a = map("a", "1");
    let all = [
        ("a", a.as_str()),
        ("first", first.as_str()),
        ("second", second.as_str()),
        ("probe", test.as_str()),
    ];
    let jobs: Api<k8s_openapi::api::batch::v1::Job> =
        Api::namespaced(scene.server.client().unwrap(), &scene.target.namespace);
    // Plays the controller: ends each Job that it sees.
    let end = |condition: &'static str| {
        let jobs = jobs.clone();
        async move {
            loop {
                for job in jobs.list(&Default::default()).await.unwrap().items {
                    let name = job.metadata.name.unwrap_or_default();
                    let status = serde_json::json!({ "status": {
                        "startTime": "2026-01-01T00:00:00Z",
                        "completionTime": (condition == "Complete").then_some("2026-01-01T00:00:01Z"),
                        "succeeded": (condition == "Complete").then_some(1),
                        "conditions": [
                            { "type": if condition == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" },
                              "status": "True" },
                            { "type": condition, "status": "True" },
                        ],
                    }});
                    let patch = Patch::Merge(status);
                    // It may be gone, or done, meanwhile.
                    let _ = jobs
                        .patch_status(&name, &PatchParams::default(), &patch)
                        .await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let done = tokio::select! {
        done = scene.install(content("1.0.0", &all)) => done,
        () = end("Complete") => unreachable!("it never ends"),
    };
    assert_eq!(error(&done), "");
    let hooks = done.release.unwrap().hooks;
    let run = |name: &str| {
        hooks
            .iter()
            .find(|hook| hook.name == name)
            .unwrap()
            .last_run
            .clone()
    };
    assert!(run("first").completed_at.timestamp() <= run("second").started_at.timestamp());
    assert_eq!(run("probe").phase, "");
    assert!(
        jobs.list(&Default::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );

    let test = Test {
        timeout: Duration::from_secs(20),
        ..Test::default()
    };
    let done = tokio::select! {
        done = scene.helm.test(&scene.target, &test) => done,
        () = end("Failed") => unreachable!("it never ends"),
    };
    assert!(
        error(&done).starts_with("test hooks failed: "),
        "{}",
        error(&done)
    );
    let release = done.release.unwrap();
    let probe = release.test_hooks(&[]).next().unwrap();
    assert_eq!(probe.last_run.phase, Phase::FAILED);
    let filter = TestFilter {
        name: "probe".to_owned(),
        exclude: true,
    };
    let test = Test {
        filters: vec![filter],
        ..Test::default()
    };
    assert_eq!(error(&scene.helm.test(&scene.target, &test).await), "");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn waiting_ends_by_time_or_by_the_caller() {
    let scene = Scene::new("waits").await;
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: \
                      {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: \
                      {containers: [{name: c, image: c}]}\n";
    let options = Options {
        timeout: Duration::from_millis(300),
        ..Options::default()
    };
    let install = Install {
        options: options.clone(),
        ..Install::default()
    };
    let all = || content("1.0.0", &[("d", deployment)]);
    let done = scene
        .helm
        .install(&scene.target, all(), &install, std::future::pending())
        .await;
    let namespace = &scene.target.namespace;
    let told = format!("timeout waiting for: [Deployment/{namespace}/d status: 'InProgress'");
    assert!(error(&done).starts_with(&told), "{}", error(&done));
    assert_eq!(scene.records().await, ["1 failed"]);
    let upgrade = Upgrade {
        options: Options::default(),
        ..Upgrade::default()
    };
    let soon = tokio::time::sleep(Duration::from_millis(200));
    let done = scene
        .helm
        .upgrade(&scene.target, all(), &upgrade, soon)
        .await;
    assert_eq!(error(&done), "the wait was cancelled");
    // A paused Deployment, and whatever nobody waits for, hold nothing up.
    let paused = deployment.replace("spec:\n  selector", "spec:\n  paused: true\n  selector");
    assert_eq!(
        error(&scene.upgrade(content("1.0.1", &[("d", &paused)])).await),
        ""
    );
    let wait = Wait {
        objects: false,
        jobs: false,
    };
    let upgrade = Upgrade {
        options: Options {
            wait,
            ..Options::default()
        },
        ..Upgrade::default()
    };
    let done = scene
        .helm
        .upgrade(&scene.target, all(), &upgrade, std::future::pending())
        .await;
    assert_eq!(error(&done), "");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn drift_is_seen_told_and_put_back() {
    let scene = Scene::new("drift").await;
    let names = ["same", "changed", "gone", "opted", "ignored"];
    let texts: Vec<(String, String)> = names
        .iter()
        .map(|name| ((*name).to_owned(), map(name, "1")))
        .collect();
    let templates: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let done = scene.install(content("1.0.0", &templates)).await;
    assert_eq!(error(&done), "");
    let release = done.release.unwrap();
    let ignore = |object: &bulkhead_apply::Object| match object.id().name.as_str() {
        "ignored" => vec!["/data/key".to_owned()],
        _ => Vec::new(),
    };
    let drift = scene.helm.drift(&release, &ignore).await.unwrap();
    assert!(
        drift.errors.is_empty() && drift.differences.is_empty(),
        "{drift:?}"
    );

    let change = serde_json::json!({ "data": { "key": "2", "more": "x" } });
    for name in ["changed", "ignored"] {
        let patch = Patch::Merge(&change);
        scene
            .maps()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
    let off = serde_json::json!({ "data": { "key": "2" }, "metadata": { "annotations": {
        "helm.toolkit.fluxcd.io/driftDetection": "disabled",
    }}});
    scene
        .maps()
        .patch("opted", &PatchParams::default(), &Patch::Merge(&off))
        .await
        .unwrap();
    scene
        .maps()
        .delete("gone", &DeleteParams::default())
        .await
        .unwrap();
    let drift = scene.helm.drift(&release, &ignore).await.unwrap();
    let mut told: Vec<String> = drift.differences.iter().map(ToString::to_string).collect();
    told.sort();
    let namespace = &scene.target.namespace;
    assert_eq!(
        told,
        [
            format!("ConfigMap/{namespace}/changed changed (0 additions, 1 changes, 0 removals)"),
            format!("ConfigMap/{namespace}/gone removed"),
            format!("ConfigMap/{namespace}/opted excluded"),
        ]
    );
    assert!(drift.is_drift());
    assert_eq!(scene.helm.correct(&drift).await.unwrap().len(), 2);
    let data = scene.maps().get("changed").await.unwrap().data.unwrap();
    // What others added is theirs.
    assert_eq!((data["key"].as_str(), data["more"].as_str()), ("1", "x"));
    assert!(scene.names().await.contains(&"gone".to_owned()));
    let drift = scene.helm.drift(&release, &ignore).await.unwrap();
    assert!(!drift.is_drift(), "{drift:?}");
}
