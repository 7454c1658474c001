//! Install, upgrade, rollback, uninstall, and what each refuses.

use std::collections::BTreeMap;

use bulkhead_apply::release::{
    Helm, Install, Phase, Rollback, Status, Storage, Uninstall, Upgrade,
};
use bulkhead_apply::target::cluster::{Cluster, Discovery};
use kube::api::{Patch, PatchParams, PostParams};

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
    let upgraded = scene.upgrade(two()).await;
    assert_eq!(error(&upgraded), "");
    assert_eq!(total(take()), 2 + 5);
    let records = scene.helm.storage().records("app").await.unwrap();
    assert_eq!(total(take()), 1);
    assert_eq!(records.len(), 2);
    assert_eq!(
        upgraded.record.as_ref(),
        records.last(),
        "a list is not needed"
    );
    // Who has just listed them tells of them, and one request is saved.
    scene.target.records = Some(records);
    let upgraded = scene.upgrade(two()).await;
    assert_eq!(error(&upgraded), "");
    assert_eq!(total(take()), 2 + 4);
    // They are old now: the version is there, and nothing is touched.
    let upgraded = scene.upgrade(content("1.1.0", &[("a", &a)])).await;
    let told = error(&upgraded);
    assert!(
        told.contains("another process is at this release"),
        "{told}"
    );
    assert_eq!(scene.names().await, ["a", "b"]);
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
