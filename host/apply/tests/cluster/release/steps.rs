//! The steps of an action: hooks, waits, CRDs, namespaces, replacing, drift.

use std::time::Duration;

use bulkhead_apply::release::{
    ApplyMethod, Content, Crd, CrdPolicy, Install, Options, Phase, ServerSide, Test, TestFilter,
    Uninstall, Upgrade, Wait, origin_labels,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams};

use super::{Scene, content, error, map};

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
    let told = error(&done);
    assert!(
        told.starts_with("failed early due to stalled resources: [Job/"),
        "{told}"
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
        ..Wait::default()
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

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_record_stays_until_the_objects_are_gone() {
    let scene = Scene::new("finalizer").await;
    let held =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/f]}\n";
    assert_eq!(
        error(&scene.install(content("1.0.0", &[("held", held)])).await),
        ""
    );
    let options = Options {
        timeout: Duration::from_millis(300),
        ..Options::default()
    };
    let uninstall = Uninstall {
        options,
        ..Uninstall::default()
    };
    for _ in 0..2 {
        let done = scene.helm.uninstall(&scene.target, &uninstall).await;
        let namespace = &scene.target.namespace;
        let told = format!("timed out waiting for ConfigMap/{namespace}/held to be deleted");
        assert_eq!(error(&done), told);
        assert_eq!(scene.records().await, ["1 uninstalling"]);
    }
    let free = Patch::Merge(serde_json::json!({ "metadata": { "finalizers": null } }));
    scene
        .maps()
        .patch("held", &PatchParams::default(), &free)
        .await
        .unwrap();
    assert_eq!(
        error(&scene.helm.uninstall(&scene.target, &uninstall).await),
        ""
    );
    assert_eq!(scene.secrets().await, 0);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn force_replaces_what_was_applied_client_side() {
    let scene = Scene::new("force").await;
    let a = map("a", "1");
    let method = ApplyMethod::ClientSide;
    let install = Install {
        method,
        ..Install::default()
    };
    let one = || content("1.0.0", &[("a", &a)]);
    let never = std::future::pending::<()>;
    let done = scene
        .helm
        .install(&scene.target, one(), &install, never())
        .await;
    assert_eq!(error(&done), "");
    let more = Patch::Merge(serde_json::json!({ "data": { "more": "x" } }));
    scene
        .maps()
        .patch("a", &PatchParams::default(), &more)
        .await
        .unwrap();
    let upgrade = Upgrade {
        force: true,
        ..Upgrade::default()
    };
    let done = scene
        .helm
        .upgrade(&scene.target, one(), &upgrade, never())
        .await;
    assert_eq!(error(&done), "");
    // The method of the version before is that of the next.
    assert_eq!(done.release.unwrap().apply_method, Some(method));
    let data = scene.maps().get("a").await.unwrap().data.unwrap();
    assert_eq!(data.into_keys().collect::<Vec<_>>(), ["key"]);
    // What was updated becomes what is applied: a key that the chart drops goes.
    let bare = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let upgrade = Upgrade {
        server_side: ServerSide::Enabled,
        ..Upgrade::default()
    };
    let next = content("1.0.1", &[("a", bare)]);
    let done = scene
        .helm
        .upgrade(&scene.target, next, &upgrade, never())
        .await;
    assert_eq!(error(&done), "");
    assert!(done.release.unwrap().is_server_side());
    let entries = scene
        .maps()
        .get("a")
        .await
        .unwrap()
        .metadata
        .managed_fields
        .unwrap();
    let ours = entries
        .iter()
        .filter(|one| one.manager.as_deref() == Some("helm-controller"));
    let operations: Vec<_> = ours.filter_map(|one| one.operation.as_deref()).collect();
    assert_eq!(operations, ["Apply"]);
}

fn definition(plural: &str, kind: &str, note: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: \
         {plural}.release.example.com\n  annotations: {{note: {note}}}\nspec:\n  group: \
         release.example.com\n  names: {{plural: {plural}, kind: {kind}}}\n  scope: Namespaced\n  \
         versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {{openAPIV3Schema: \
         {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    )
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn crds_come_first_and_follow_their_policy() {
    let scene = Scene::new("crds").await;
    let crds: Api<CustomResourceDefinition> = Api::all(scene.server.client().unwrap());
    let note = async || {
        let found = crds.get("ones.release.example.com").await.unwrap().metadata;
        (
            found.annotations.unwrap()["note"].clone(),
            found.labels.unwrap_or_default(),
        )
    };
    let one = "apiVersion: release.example.com/v1\nkind: One\nmetadata: {name: one}\n";
    let two = "apiVersion: release.example.com/v1\nkind: Two\nmetadata: {name: two}\n";
    // One kind comes from `crds/`, the other from the templates, with an object of each.
    let own = definition("twos", "Two", "a");
    let all = |text: &str| Content {
        crds: vec![Crd {
            path: "web/crds/one.yaml".to_owned(),
            text: definition("ones", "One", text),
        }],
        crd_labels: origin_labels("app", "apps"),
        ..content("1.0.0", &[("one", one), ("two", two), ("definition", &own)])
    };
    let never = std::future::pending::<()>;
    let skip = Install {
        crds: CrdPolicy::Skip,
        ..Install::default()
    };
    let done = scene
        .helm
        .install(&scene.target, all("a"), &skip, never())
        .await;
    assert!(
        error(&done).contains("no matches for kind \"One\""),
        "{}",
        error(&done)
    );
    assert_eq!(error(&scene.install(all("a")).await), "");
    let (found, labels) = note().await;
    assert_eq!(
        (
            found.as_str(),
            labels["helm.toolkit.fluxcd.io/name"].as_str()
        ),
        ("a", "app")
    );
    let upgrade = |crds| Upgrade {
        crds,
        ..Upgrade::default()
    };
    for (policy, wanted) in [
        (CrdPolicy::Skip, "a"),
        (CrdPolicy::Create, "a"),
        (CrdPolicy::CreateReplace, "b"),
    ] {
        let done = scene
            .helm
            .upgrade(&scene.target, all("b"), &upgrade(policy), never())
            .await;
        assert_eq!(error(&done), "");
        assert_eq!(note().await.0, wanted, "{policy:?}");
    }
    let done = scene
        .helm
        .uninstall(&scene.target, &Uninstall::default())
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(note().await.0, "b");
    assert!(
        crds.get_opt("twos.release.example.com")
            .await
            .unwrap()
            .is_none()
    );
    crds.delete("ones.release.example.com", &DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_namespace_comes_first_where_that_is_asked_for() {
    let mut scene = Scene::new("space").await;
    scene.target.namespace.push_str("-made");
    let install = Install {
        create_namespace: true,
        ..Install::default()
    };
    let one = content("1.0.0", &[("a", &map("a", "1"))]);
    let done = scene
        .helm
        .install(&scene.target, one, &install, std::future::pending())
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.names().await, ["a"]);
    // The records are where the storage is.
    assert_eq!(scene.records().await, ["1 deployed"]);
    assert_eq!(scene.secrets().await, 0);
}
