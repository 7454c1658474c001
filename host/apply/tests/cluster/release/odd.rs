//! Records and objects that are not what they should be: what others changed, copied or broke, and kinds
//! that are gone.

use std::future::pending;
use std::time::{Duration, Instant};

use bulkhead_apply::release::{Helm, Install, Rollback, Status, Storage, Uninstall, Upgrade, key};
use bulkhead_apply::target::cluster::{Cluster, Discovery};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{Scene, content, error, map};

const LIMIT: Duration = Duration::from_secs(30);

fn secrets(scene: &Scene) -> Api<Secret> {
    Api::namespaced(scene.server.client().unwrap(), &scene.target.namespace)
}

fn bare() -> Install {
    let mut install = Install::default();
    install.options.wait.objects = false;
    install
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_was_recorded_in_a_version_that_is_gone_is_uninstalled() {
    let scene = Scene::new("odd-version").await;
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n\
                  spec: {minAvailable: 1, selector: {matchLabels: {a: b}}}\n";
    let first = content("1.0.0", &[("a", budget)]);
    let done = scene
        .helm
        .install(&scene.target, first, &bare(), pending())
        .await;
    assert_eq!(error(&done), "");
    let mut stored = scene.helm.storage().last("app").await.unwrap().unwrap();
    stored.manifest = stored.manifest.replace("policy/v1", "policy/v1beta1");
    scene.helm.storage().update(&stored).await.unwrap();
    let began = Instant::now();
    let done = scene
        .helm
        .uninstall(&scene.target, &Uninstall::default())
        .await;
    assert_eq!(error(&done), "");
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    let client = scene.server.client().unwrap();
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client, &scene.target.namespace);
    assert!(budgets.get_opt("a").await.unwrap().is_none());
    assert_eq!(scene.secrets().await, 0);
}

/// A definition of a kind, and objects of it, as templates.
fn with_kind(group: &str, singular: &str) -> (String, String) {
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: \
         odds.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  names: {{kind: Odd, plural: \
         odds, singular: {singular}}}\n  versions:\n  - {{name: v1, served: true, storage: true, schema: \
         {{openAPIV3Schema: {{type: object}}}}}}\n"
    );
    let objects: Vec<String> = (0..30)
        .map(|number| format!("apiVersion: {group}/v1\nkind: Odd\nmetadata: {{name: o{number}}}\n"))
        .collect();
    (definition, objects.join("---\n"))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_uninstall_ends_though_the_kind_went_with_the_first_try() {
    let scene = Scene::new("odd-kind").await;
    let (definition, objects) = with_kind("odd-kind.example.com", "odd");
    let first = content("1.0.0", &[("d", &definition), ("o", &objects)]);
    assert_eq!(error(&scene.install(first).await), "");
    // The first try got to its end but for the records.
    let mut stored = scene.helm.storage().last("app").await.unwrap().unwrap();
    let done = scene
        .helm
        .uninstall(&scene.target, &Uninstall::default())
        .await;
    assert_eq!(error(&done), "");
    stored.set_status(
        Status::Uninstalling,
        "Deletion in progress (or silently failed)",
    );
    scene.helm.storage().create(&stored, &[]).await.unwrap();
    let client = scene.server.client().unwrap();
    let cluster = Cluster::new(client.clone(), Discovery::new(client));
    let storage = Storage::new(cluster.clone(), &scene.target.namespace);
    let began = Instant::now();
    let again = Helm::new(cluster, storage);
    let done = again.uninstall(&scene.target, &Uninstall::default()).await;
    assert_eq!(error(&done), "");
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    assert_eq!(scene.secrets().await, 0);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn objects_of_a_kind_that_could_not_be_defined_fail_at_once() {
    let scene = Scene::new("odd-undefined").await;
    let (definition, objects) = with_kind("odd-undefined.example.com", "'No Name'");
    let first = content("1.0.0", &[("d", &definition), ("o", &objects)]);
    let began = Instant::now();
    let told = error(&scene.install(first).await);
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    assert!(told.contains("singular"), "{told}");
    let lost = "the definition of Odd.odd-undefined.example.com could not be applied";
    assert_eq!(told.matches(lost).count(), 30, "{told}");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_broken_record_of_old_stops_nothing_and_is_told() {
    let scene = Scene::new("odd-record").await;
    assert_eq!(
        error(
            &scene
                .install(content("1.0.0", &[("a", &map("a", "1"))]))
                .await
        ),
        ""
    );
    let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z, labels: {'a b': c}}\n";
    for version in ["1.0.1", "1.0.2"] {
        let next = content(version, &[("a", &map("a", "2")), ("z", broken)]);
        assert!(error(&scene.upgrade(next).await).contains("a b"));
    }
    let garbage = json!({ "stringData": { "release": "no release" } });
    let parameters = PatchParams::default();
    let garbage = Patch::Merge(&garbage);
    let secret = key("app", 2);
    secrets(&scene)
        .patch(&secret, &parameters, &garbage)
        .await
        .unwrap();
    let done = scene
        .upgrade(content("1.0.3", &[("a", &map("a", "3"))]))
        .await;
    assert_eq!(error(&done), "");
    assert!(
        done.kept.iter().any(|one| one.starts_with("version 2: ")),
        "{:?}",
        done.kept
    );
    let done = scene
        .helm
        .uninstall(&scene.target, &Uninstall::default())
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(
        (scene.secrets().await, scene.names().await),
        (0, Vec::<String>::new())
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_copied_record_is_no_other_releases() {
    let scene = Scene::new("odd-copy").await;
    assert_eq!(
        error(
            &scene
                .install(content("1.0.0", &[("a", &map("a", "1"))]))
                .await
        ),
        ""
    );
    let mut copy = secrets(&scene).get(&key("app", 1)).await.unwrap();
    copy.metadata.resource_version = None;
    copy.metadata.name = Some(key("app", 7));
    secrets(&scene)
        .create(&PostParams::default(), &copy)
        .await
        .unwrap();
    let told = error(&scene.upgrade(content("1.0.1", &[])).await);
    assert!(
        told.contains("it holds version 1 of the release `app`"),
        "{told}"
    );
    // And one whose number leaves no room for a next is none.
    copy.metadata.name = Some(key("app", i64::MAX));
    secrets(&scene)
        .create(&PostParams::default(), &copy)
        .await
        .unwrap();
    let delete = DeleteParams::default();
    secrets(&scene)
        .delete(&key("app", 7), &delete)
        .await
        .unwrap();
    assert_eq!(scene.records().await, ["1 deployed"]);
    assert_eq!(error(&scene.upgrade(content("1.0.1", &[])).await), "");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_newest_record_stays_until_the_next_is_there() {
    let scene = Scene::new("odd-history").await;
    let client = scene.server.client().unwrap();
    let cluster = Cluster::new(client.clone(), Discovery::new(client));
    let storage = Storage::new(cluster.clone(), &scene.target.namespace).with_max_history(2);
    let helm = Helm::new(cluster, storage);
    let first = content("1.0.0", &[("a", &map("a", "1"))]);
    let done = helm.install(&scene.target, first, &bare(), pending()).await;
    assert_eq!(error(&done), "");
    let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z, labels: {'a b': c}}\n";
    let next = content("1.0.1", &[("z", broken)]);
    let done = helm
        .upgrade(&scene.target, next, &Upgrade::default(), pending())
        .await;
    assert!(error(&done).contains("a b"));
    let back = Rollback {
        version: 1,
        ..Rollback::default()
    };
    let done = helm.rollback(&scene.target, &back, pending()).await;
    assert_eq!(error(&done), "");
    // It would have been deleted to make room, and a process that ends then has lost it.
    assert_eq!(
        scene.records().await,
        ["1 superseded", "2 failed", "3 deployed"]
    );
    let next = content("1.0.2", &[("a", &map("a", "2"))]);
    let done = helm
        .upgrade(&scene.target, next, &Upgrade::default(), pending())
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.records().await, ["3 superseded", "4 deployed"]);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_rollback_that_does_not_get_ready_has_helms_words() {
    let scene = Scene::new("odd-rollback").await;
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeName: none, containers: \
               [{name: a, image: a}]}\n";
    let first = content("1.0.0", &[("p", pod)]);
    assert_eq!(
        error(
            &scene
                .helm
                .install(&scene.target, first, &bare(), pending())
                .await
        ),
        ""
    );
    let next = content("1.0.1", &[("a", &map("a", "1"))]);
    assert_eq!(error(&scene.upgrade(next).await), "");
    let mut back = Rollback {
        version: 1,
        ..Rollback::default()
    };
    back.options.timeout = Duration::from_secs(1);
    let done = scene.helm.rollback(&scene.target, &back, pending()).await;
    assert!(
        error(&done).starts_with("release app failed: "),
        "{}",
        error(&done)
    );
    let told = done.release.unwrap().info.description;
    assert!(told.starts_with("Release \"app\" failed: "), "{told}");
}
