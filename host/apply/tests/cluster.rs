//! The cluster target against a real API server. Each test has a namespace of its own; the audit log
//! counts the requests.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod release;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use bulkhead_api::ObjectId;
use bulkhead_apply::drift::Records;
use bulkhead_apply::health::Status;
use bulkhead_apply::parse::{self, Limits};
use bulkhead_apply::target::cluster::{
    Awaited, Check, Cluster, Discovery, Request, WaitError, WaitOptions,
};
use bulkhead_apply::{Applied, ApplyError, CommonMetadata, Inventory, Owner, Settings};
use bulkhead_testing::cluster::Cluster as TestCluster;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};

/// One delivery in a namespace of its own.
struct Delivery {
    server: &'static TestCluster,
    cluster: Cluster,
    namespace: String,
    owner: Owner,
    inventory: Inventory,
    records: Records,
    ahead: Vec<Inventory>,
    force: bool,
    check: Check,
    accepted: bool,
    settings: Settings,
}

impl Delivery {
    async fn new(name: &str) -> Self {
        let server = TestCluster::shared().await.unwrap();
        let client = server.client().unwrap();
        Self {
            server,
            cluster: Cluster::new(client.clone(), Discovery::new(client)),
            namespace: server.namespace(name).await.unwrap(),
            owner: Owner::kustomization(name, "flux-system"),
            inventory: Inventory::new(),
            records: Records::new(),
            ahead: Vec::new(),
            force: false,
            check: Check::Records,
            accepted: false,
            settings: Settings {
                prune: true,
                ..Settings::default()
            },
        }
    }

    async fn apply(&mut self, yaml: &str) -> Applied {
        let objects = parse::objects([yaml.into()], &Limits::default()).unwrap();
        let common = CommonMetadata::default();
        let request = Request {
            objects,
            inventory: &self.inventory,
            owner: &self.owner,
            common: &common,
            target_namespace: &self.namespace,
            settings: self.settings.clone(),
            force: self.force,
            check: self.check,
            accepted: self.accepted,
        };
        let ahead = &mut self.ahead;
        let record = |inventory| {
            ahead.push(inventory);
            std::future::ready(Ok(()))
        };
        let applied = spawnable(self.cluster.apply(request, &mut self.records, record)).await;
        self.inventory = applied.inventory.clone();
        applied
    }

    /// Applies what must succeed, and returns its changes.
    async fn applied(&mut self, yaml: &str) -> Vec<String> {
        let applied = self.apply(yaml).await;
        assert!(applied.error.is_none(), "{}", applied.error.unwrap());
        applied
            .changes
            .iter()
            .map(|change| self.short(&change.to_string()))
            .collect()
    }

    /// Applies what must fail, and returns the error.
    async fn refused(&mut self, yaml: &str) -> (Applied, String) {
        let applied = self.apply(yaml).await;
        let message = self.short(&applied.error.as_ref().unwrap().to_string());
        (applied, message)
    }

    fn short(&self, text: &str) -> String {
        text.replace(&self.namespace, "NS")
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.server.client().unwrap(), &self.namespace)
    }

    /// Counts the requests of this namespace's test that are not this test's own, by verb.
    fn mark(&self) -> usize {
        self.server.audit().unwrap().len()
    }

    fn requests(&self, mark: usize, resources: &[&str]) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for event in &self.server.audit().unwrap()[mark..] {
            let object = event.object_ref.clone().unwrap_or_default();
            if object.namespace == self.namespace && resources.contains(&object.resource.as_str()) {
                *counts.entry(event.verb.clone()).or_insert(0) += 1;
            }
        }
        counts
    }
}

/// Proves that a worker can spawn the future.
fn spawnable<T: Send>(future: T) -> T {
    future
}

fn map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n---\n"
    )
}

fn counts<const N: usize>(pairs: [(&str, usize); N]) -> BTreeMap<String, usize> {
    pairs
        .into_iter()
        .map(|(verb, count)| (verb.to_owned(), count))
        .collect()
}

const THREE: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
";
const KINDS: [&str; 3] = ["configmaps", "services", "deployments"];

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn three_objects_cost_three_patches_and_then_nothing() {
    let mut delivery = Delivery::new("requests").await;
    let mark = delivery.mark();
    let changes = delivery.applied(THREE).await;
    assert_eq!(
        changes,
        [
            "ConfigMap/NS/settings created",
            "Service/NS/web created",
            "Deployment/NS/web created",
        ]
    );
    assert_eq!(delivery.requests(mark, &KINDS), counts([("patch", 3)]));
    assert_eq!(delivery.ahead.len(), 1);
    assert_eq!(delivery.ahead[0], delivery.inventory);

    let mark = delivery.mark();
    assert!(
        delivery
            .applied(THREE)
            .await
            .iter()
            .all(|change| change.ends_with("unchanged"))
    );
    assert_eq!(delivery.requests(mark, &KINDS), counts([]));

    // At the interval: a look at each kind, no write.
    delivery.check = Check::Live;
    let mark = delivery.mark();
    assert!(
        delivery
            .applied(THREE)
            .await
            .iter()
            .all(|change| change.ends_with("unchanged"))
    );
    assert_eq!(delivery.requests(mark, &KINDS), counts([("get", 3)]));

    // After a restart: a look and an apply each, and no change of the objects.
    let version = delivery
        .maps()
        .get("settings")
        .await
        .unwrap()
        .metadata
        .resource_version;
    (delivery.check, delivery.records) = (Check::Records, Records::new());
    delivery.accepted = true;
    let mark = delivery.mark();
    let changes = delivery.applied(THREE).await;
    assert!(
        changes.iter().all(|change| change.ends_with("unchanged")),
        "{changes:?}"
    );
    assert_eq!(
        delivery.requests(mark, &KINDS),
        counts([("get", 3), ("patch", 3)])
    );
    let same = delivery
        .maps()
        .get("settings")
        .await
        .unwrap()
        .metadata
        .resource_version;
    assert_eq!(version, same);

    // One file of three changed: one patch, no dry-run.
    let mark = delivery.mark();
    let changes = delivery.applied(&THREE.replace("blue", "red")).await;
    assert_eq!(changes[0], "ConfigMap/NS/settings configured");
    assert_eq!(delivery.requests(mark, &KINDS), counts([("patch", 1)]));
    assert_eq!(delivery.ahead.len(), 1);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn discovery_costs_two_requests() {
    let mut delivery = Delivery::new("discovery").await;
    let mark = delivery.mark();
    delivery.applied(&map("a", "1")).await;
    delivery.applied(&map("a", "2")).await;
    let events = delivery.server.audit().unwrap();
    let discovery = |event: &&bulkhead_testing::cluster::AuditEvent| {
        event.uri == "/api" || event.uri == "/apis"
    };
    // Other tests run beside this one: their discovery is at most two each, too.
    assert!(events[mark..].iter().filter(discovery).count() >= 2);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_look_at_many_objects_is_one_list() {
    let mut delivery = Delivery::new("list").await;
    let many: String = (0..9)
        .map(|number| map(&format!("m{number}"), "x"))
        .collect();
    delivery.applied(&many).await;
    delivery.check = Check::Live;
    let mark = delivery.mark();
    delivery.applied(&many).await;
    assert_eq!(
        delivery.requests(mark, &["configmaps"]),
        counts([("list", 1)])
    );
    // Two updates of a stage are tried out first.
    delivery.check = Check::Records;
    let mark = delivery.mark();
    let two = many.replacen("key: 'x'", "key: 'y'", 2);
    delivery.applied(&two).await;
    assert_eq!(
        delivery.requests(mark, &["configmaps"]),
        counts([("patch", 4)])
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_others_change_is_put_back_and_what_they_add_stays() {
    let mut delivery = Delivery::new("drift").await;
    delivery.applied(&map("a", "ours")).await;
    let foreign = |body: serde_json::Value| Patch::Merge(body);
    let edit = PatchParams {
        field_manager: Some("somebody".into()),
        ..PatchParams::default()
    };
    let body = foreign(serde_json::json!({ "data": { "other": "theirs" } }));
    delivery.maps().patch("a", &edit, &body).await.unwrap();
    delivery.check = Check::Live;
    assert_eq!(
        delivery.applied(&map("a", "ours")).await,
        ["ConfigMap/NS/a unchanged"]
    );
    let body = foreign(serde_json::json!({ "data": { "key": "edited" } }));
    delivery.maps().patch("a", &edit, &body).await.unwrap();
    assert_eq!(
        delivery.applied(&map("a", "ours")).await,
        ["ConfigMap/NS/a configured"]
    );
    let data = delivery.maps().get("a").await.unwrap().data.unwrap();
    assert_eq!(
        (data["key"].as_str(), data["other"].as_str()),
        ("ours", "theirs")
    );
    // Deleted by somebody: recreated.
    delivery
        .maps()
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        delivery.applied(&map("a", "ours")).await,
        ["ConfigMap/NS/a created"]
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn annotations_switch_an_object_off() {
    let mut delivery = Delivery::new("annotations").await;
    delivery.applied(&map("a", "1")).await;
    let key = "kustomize.toolkit.fluxcd.io/reconcile";
    let body = serde_json::json!({ "metadata": { "annotations": { key: "Disabled" } } });
    delivery
        .maps()
        .patch("a", &PatchParams::default(), &Patch::Merge(body))
        .await
        .unwrap();
    delivery.check = Check::Live;
    assert_eq!(
        delivery.applied(&map("a", "2")).await,
        ["ConfigMap/NS/a skipped"]
    );
    // After a restart, too, and prune leaves it alone.
    (delivery.check, delivery.records) = (Check::Records, Records::new());
    assert_eq!(
        delivery.applied(&map("a", "3")).await,
        ["ConfigMap/NS/a skipped"]
    );
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/a skipped"]);
    assert!(delivery.maps().get_opt("a").await.unwrap().is_some());
    assert!(delivery.inventory.is_empty());

    let once = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: once\n  annotations: \
                {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}\ndata: {a: 'VALUE'}\n";
    let applied = delivery.applied(&once.replace("VALUE", "1")).await;
    assert_eq!(applied, ["ConfigMap/NS/once created"]);
    let applied = delivery.applied(&once.replace("VALUE", "2")).await;
    assert_eq!(applied, ["ConfigMap/NS/once skipped"]);
    assert_eq!(delivery.inventory.len(), 1);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn prune_deletes_only_what_is_still_ours() {
    let mut delivery = Delivery::new("prune").await;
    let all: String = ["gone", "kept", "disowned", "stays"]
        .map(|name| map(name, "x"))
        .concat();
    delivery.applied(&all).await;
    let merge = |body| Patch::Merge(body);
    let keep = serde_json::json!({ "metadata": { "annotations": {
        "kustomize.toolkit.fluxcd.io/prune": "disabled" } } });
    let disown = serde_json::json!({ "metadata": { "labels": {
        "kustomize.toolkit.fluxcd.io/name": null } } });
    let params = PatchParams::default();
    delivery
        .maps()
        .patch("kept", &params, &merge(keep))
        .await
        .unwrap();
    delivery
        .maps()
        .patch("disowned", &params, &merge(disown))
        .await
        .unwrap();
    let changes = delivery.applied(&map("stays", "x")).await;
    assert_eq!(
        changes,
        [
            "ConfigMap/NS/stays unchanged",
            "ConfigMap/NS/kept skipped",
            "ConfigMap/NS/gone deleted",
            "ConfigMap/NS/disowned skipped",
        ]
    );
    let maps = delivery.maps();
    assert!(maps.get_opt("gone").await.unwrap().is_none());
    assert!(maps.get_opt("kept").await.unwrap().is_some());
    assert!(maps.get_opt("disowned").await.unwrap().is_some());
    assert_eq!(delivery.inventory.len(), 1);
    // What is gone already counts as deleted.
    maps.delete("stays", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/stays deleted"]);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_object_recreated_by_another_survives_the_prune() {
    let mut delivery = Delivery::new("recreated").await;
    delivery.applied(&map("a", "ours")).await;
    let maps = delivery.maps();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let metadata = ObjectMeta {
        name: Some("a".into()),
        ..ObjectMeta::default()
    };
    let theirs = ConfigMap {
        metadata,
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &theirs).await.unwrap();
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/a skipped"]);
    assert!(maps.get_opt("a").await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_unknown_kind_is_not_gone() {
    let mut delivery = Delivery::new("unknown").await;
    let id: ObjectId = "x_y_nobody.example.com_Thing".parse().unwrap();
    delivery.inventory.insert(id.clone(), "v1");
    let applied = delivery.apply(&map("a", "1")).await;
    assert!(applied.error.is_none());
    assert_eq!(applied.unknown, std::slice::from_ref(&id));
    assert!(delivery.inventory.contains(&id));
    let thing = "apiVersion: nobody.example.com/v1\nkind: Thing\nmetadata: {name: thing}\n";
    let (_, message) = delivery.refused(thing).await;
    assert_eq!(
        message,
        "Thing/thing apply failed: no matches for kind \"Thing\" in version \"nobody.example.com/v1\""
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_definition_and_its_objects_go_in_one_apply() {
    let mut delivery = Delivery::new("definitions").await;
    let both = "
apiVersion: widgets.example.com/v1
kind: Widget
metadata: {name: w}
spec: {size: 3}
---
apiVersion: widgets.example.com/v1
kind: Rack
metadata: {name: r, namespace: injected}
---
apiVersion: v1
kind: Namespace
metadata: {name: definitions-extra}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: inside, namespace: definitions-extra}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.widgets.example.com}
spec:
  group: widgets.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions: [&version {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: racks.widgets.example.com}
spec:
  group: widgets.example.com
  scope: Cluster
  names: {kind: Rack, plural: racks, singular: rack, listKind: RackList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"
    .replace("&version ", "");
    let changes = delivery.applied(&both).await;
    assert_eq!(changes.len(), 6, "{changes:?}");
    assert!(
        changes.iter().all(|change| change.ends_with("created")),
        "{changes:?}"
    );
    assert!(
        delivery
            .inventory
            .contains(&"_r_widgets.example.com_Rack".parse().unwrap())
    );
    let changes = delivery.applied(&both).await;
    assert!(
        changes.iter().all(|change| change.ends_with("unchanged")),
        "{changes:?}"
    );
    let changes = delivery.applied("").await;
    assert_eq!(changes.len(), 6, "{changes:?}");
}

const IMMUTABLE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: fixed}
immutable: true
stringData: {password: VALUE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {value: VALUE}
";

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn immutable_fields_fail_or_with_force_recreate_once() {
    let mut delivery = Delivery::new("immutable").await;
    delivery
        .applied(&IMMUTABLE.replace("VALUE", "first-value"))
        .await;
    let secrets = Api::<Secret>::namespaced(delivery.server.client().unwrap(), &delivery.namespace);
    let uid = secrets.get("fixed").await.unwrap().metadata.uid;
    let second = IMMUTABLE.replace("VALUE", "second-value");
    let (applied, message) = delivery.refused(&second).await;
    assert!(
        message.starts_with("Secret/NS/fixed dry-run failed (Invalid): ")
            && message.contains("field is immutable when `immutable` is set"),
        "{message}"
    );
    assert!(!message.contains("second-value"), "{message}");
    assert!(matches!(applied.error, Some(ApplyError::Objects(_))));
    // The dry-run failed: nothing of the stage was applied, nothing is lost.
    let other = delivery.maps().get("other").await.unwrap().data.unwrap();
    assert_eq!(other["value"], "first-value");
    assert_eq!(delivery.inventory.len(), 2);

    delivery.force = true;
    let changes = delivery.applied(&second).await;
    assert_eq!(
        changes,
        ["ConfigMap/NS/other configured", "Secret/NS/fixed created"]
    );
    assert_ne!(secrets.get("fixed").await.unwrap().metadata.uid, uid);
    assert!(
        delivery
            .applied(&second)
            .await
            .iter()
            .all(|change| change.ends_with("unchanged"))
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn force_never_deletes_for_an_object_that_is_wrong() {
    let mut delivery = Delivery::new("wrong").await;
    delivery.force = true;
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: PORT}]}\n";
    delivery.applied(&service.replace("PORT", "80")).await;
    let services =
        Api::<Service>::namespaced(delivery.server.client().unwrap(), &delivery.namespace);
    let uid = services.get("web").await.unwrap().metadata.uid;
    let (_, message) = delivery.refused(&service.replace("PORT", "99999999")).await;
    assert!(
        message.starts_with("Service/NS/web apply failed"),
        "{message}"
    );
    let (_, message) = delivery.refused(&service.replace("PORT", "70000")).await;
    assert!(
        message.starts_with("Service/NS/web apply failed (Invalid)"),
        "{message}"
    );
    assert_eq!(services.get("web").await.unwrap().metadata.uid, uid);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_failed_stage_is_the_last_and_loses_nothing() {
    let mut delivery = Delivery::new("stages").await;
    delivery.applied(&map("old", "x")).await;
    let broken = format!(
        "{}apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: broken-class}}\n\
         provisioner: 'a b'\n",
        map("later", "x")
    );
    let (applied, message) = delivery.refused(&broken).await;
    assert!(
        message.starts_with("StorageClass/broken-class apply failed (Invalid)"),
        "{message}"
    );
    assert_eq!(applied.changes, []);
    assert!(delivery.maps().get_opt("later").await.unwrap().is_none());
    assert!(delivery.maps().get_opt("old").await.unwrap().is_some());
    // Old and new are recorded, before and after.
    assert_eq!(delivery.inventory.len(), 3);
    assert_eq!(delivery.ahead.last(), Some(&delivery.inventory));
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn nothing_is_applied_when_the_inventory_cannot_be_recorded() {
    let delivery = Delivery::new("ahead").await;
    let yaml = map("a", "1");
    let request = Request {
        objects: parse::objects([yaml.as_str().into()], &Limits::default()).unwrap(),
        inventory: &delivery.inventory,
        owner: &delivery.owner,
        common: &CommonMetadata::default(),
        target_namespace: &delivery.namespace,
        settings: Settings::default(),
        force: false,
        check: Check::Records,
        accepted: false,
    };
    let refuse = |_| async { Err("etcd is full".to_owned()) };
    let applied = delivery
        .cluster
        .apply(request, &mut Records::new(), refuse)
        .await;
    assert!(matches!(applied.error, Some(ApplyError::WriteAhead(_))));
    assert!(applied.inventory.is_empty());
    assert!(delivery.maps().get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_fields_of_kubectl_are_taken_over() {
    let mut delivery = Delivery::new("takeover").await;
    let maps = delivery.maps();
    let metadata = ObjectMeta {
        name: Some("a".into()),
        annotations: Some(BTreeMap::from([(
            "kubectl.kubernetes.io/last-applied-configuration".into(),
            "{}".into(),
        )])),
        ..ObjectMeta::default()
    };
    let data = BTreeMap::from([("key".into(), "x".into()), ("left-over".into(), "x".into())]);
    let theirs = ConfigMap {
        metadata,
        data: Some(data),
        ..ConfigMap::default()
    };
    let kubectl = PostParams {
        field_manager: Some("kubectl-client-side-apply".into()),
        ..PostParams::default()
    };
    maps.create(&kubectl, &theirs).await.unwrap();
    assert_eq!(
        delivery.applied(&map("a", "x")).await,
        ["ConfigMap/NS/a configured"]
    );
    let live = maps.get("a").await.unwrap();
    assert_eq!(live.data.unwrap().keys().collect::<Vec<_>>(), ["key"]);
    assert_eq!(
        live.metadata.annotations.unwrap_or_default(),
        BTreeMap::new()
    );
    let managers = live.metadata.managed_fields.unwrap();
    assert_eq!(managers.len(), 1, "{managers:?}");
    assert_eq!(managers[0].manager.as_deref(), Some("kustomize-controller"));
    assert_eq!(managers[0].operation.as_deref(), Some("Apply"));
    let mark = delivery.mark();
    delivery.applied(&map("a", "x")).await;
    assert_eq!(delivery.requests(mark, &["configmaps"]), counts([]));
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_namespaced_object_without_a_namespace_is_named() {
    let mut delivery = Delivery::new("nowhere").await;
    delivery.namespace = String::new();
    let (applied, message) = {
        let applied = delivery.apply(&map("a", "1")).await;
        let message = applied.error.as_ref().unwrap().to_string();
        (applied, message)
    };
    assert_eq!(message, "ConfigMap/a namespace not specified");
    assert!(applied.inventory.is_empty());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn waiting_ends_by_health_time_or_cancellation() {
    let mut delivery = Delivery::new("waiting").await;
    delivery.applied(THREE).await;
    let awaited = |id: String| Awaited::new(id.parse().unwrap(), "v1");
    let namespace = &delivery.namespace;
    let map = awaited(format!("{namespace}_settings__ConfigMap"));
    let web = awaited(format!("{namespace}_web_apps_Deployment"));
    let options = WaitOptions {
        timeout: Duration::from_millis(300),
        fail_fast: true,
    };
    let cluster = &delivery.cluster;
    let never = std::future::pending();
    cluster
        .wait(std::slice::from_ref(&map), options, never)
        .await
        .unwrap();
    let both = [map.clone(), web.clone()];
    let error = cluster
        .wait(&both, options, std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(
        delivery.short(&error.to_string()),
        "timeout waiting for: [Deployment/NS/web status: 'InProgress': Replicas: 0/1]"
    );
    let long = WaitOptions {
        timeout: Duration::from_secs(60),
        fail_fast: true,
    };
    let error = cluster
        .wait(&both, long, std::future::ready(()))
        .await
        .unwrap_err();
    assert_eq!(error, WaitError::Cancelled);
    let mut job = awaited(format!("{namespace}_done_batch_Job"));
    assert_eq!(cluster.health(&job).await.status, Status::NotFound);
    job.may_vanish = true;
    cluster
        .wait(&[job], options, std::future::pending())
        .await
        .unwrap();
    delivery
        .maps()
        .delete("settings", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        cluster
            .wait_until_gone(&[map], Duration::from_secs(5))
            .await,
        []
    );
}

/// A client that runs `hook` before it sends, and loses the answers that it says.
fn meddling<F, R>(inner: kube::Client, hook: F) -> kube::Client
where
    F: Fn(String, String) -> R + Send + Sync + Clone + 'static,
    R: Future<Output = bool> + Send + 'static,
{
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (inner, hook) = (inner.clone(), hook.clone());
        async move {
            let (method, path) = (
                request.method().to_string(),
                request.uri().path().to_owned(),
            );
            let loses = hook(method, path).await;
            let response = inner.send(request).await?;
            if loses {
                return Err(kube::Error::Service("the answer got lost".into()));
            }
            Ok(response)
        }
    });
    kube::Client::new(service, "default")
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_object_recreated_between_look_and_delete_survives() {
    let mut delivery = Delivery::new("race").await;
    delivery.applied(&map("a", "ours")).await;
    let maps = delivery.maps();
    let mut theirs = maps.get("a").await.unwrap();
    theirs.metadata = ObjectMeta {
        name: Some("a".into()),
        labels: theirs.metadata.labels,
        ..ObjectMeta::default()
    };
    let racing = maps.clone();
    let client = meddling(delivery.server.client().unwrap(), move |method, _| {
        let (maps, theirs) = (racing.clone(), theirs.clone());
        async move {
            if method == "DELETE" {
                maps.delete("a", &DeleteParams::default()).await.unwrap();
                maps.create(&PostParams::default(), &theirs).await.unwrap();
            }
            false
        }
    });
    delivery.cluster = Cluster::new(client.clone(), Discovery::new(client));
    let (applied, message) = delivery.refused("").await;
    assert_eq!(
        message,
        "delete failed, errors: ConfigMap/NS/a delete failed (Conflict): it was recreated while it \
         was being pruned"
    );
    assert!(matches!(applied.error, Some(ApplyError::Prune(_))));
    assert!(maps.get_opt("a").await.unwrap().is_some());
    assert_eq!(delivery.inventory.len(), 1);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn lost_answers_are_asked_for_again() {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    let mut delivery = Delivery::new("lost").await;
    let lost = Arc::new(Mutex::new(BTreeSet::new()));
    let client = meddling(delivery.server.client().unwrap(), move |method, path| {
        // The first answer of each kind of request to each object.
        let loses = path.contains("configmaps") && lost.lock().unwrap().insert((method, path));
        std::future::ready(loses)
    });
    delivery.cluster = Cluster::new(
        client.clone(),
        Discovery::new(delivery.server.client().unwrap()),
    );
    let both = format!("{}{}", map("a", "1"), map("b", "1"));
    assert_eq!(delivery.applied(&both).await.len(), 2);
    let changes = delivery.applied(&map("a", "1")).await;
    assert_eq!(
        changes,
        ["ConfigMap/NS/a unchanged", "ConfigMap/NS/b deleted"]
    );
    assert!(delivery.maps().get_opt("a").await.unwrap().is_some());
    assert!(delivery.maps().get_opt("b").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_finalizer_deletes_everything_and_says_what_is_left_to_wait_for() {
    let mut delivery = Delivery::new("finalizer").await;
    let applied = delivery.apply(THREE).await;
    let awaited: Vec<String> = applied
        .to_wait_for()
        .iter()
        .map(|awaited| delivery.short(&awaited.id.subject()))
        .collect();
    assert_eq!(awaited, ["Deployment/NS/web"]);
    let Delivery {
        cluster,
        inventory,
        owner,
        settings,
        ..
    } = &delivery;
    let applied = cluster.delete_all(inventory, owner, settings).await;
    assert!(applied.error.is_none() && applied.inventory.is_empty());
    let changes: Vec<String> = applied
        .changes
        .iter()
        .map(|change| delivery.short(&change.to_string()))
        .collect();
    assert_eq!(
        changes,
        [
            "Deployment/NS/web deleted",
            "Service/NS/web deleted",
            "ConfigMap/NS/settings deleted",
        ]
    );
}

/// Nine objects in three stages. The names of cluster-scoped ones have the number of the run.
fn three_stages(run: usize) -> String {
    let definitions: String = (0..2)
        .map(|number| {
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n\
                 metadata: {{name: sweep-{run}-{number}}}\n---\n"
            )
        })
        .collect();
    let class = format!(
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {{name: sweep-{run}}}\n\
         value: 1\n---\n"
    );
    let rest: String = (0..6)
        .map(|number| map(&format!("m{number}"), "x"))
        .collect();
    format!("{definitions}{class}{rest}")
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_crash_after_any_write_leaves_no_orphan() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    for crash_after in 0..9 {
        let mut delivery = Delivery::new("sweep").await;
        let plain = delivery.server.client().unwrap();
        let (writes, crash) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let crashed = crash.clone();
        let client = meddling(plain.clone(), move |method, _| {
            let is_write = method != "GET";
            let count = if is_write {
                writes.fetch_add(1, Ordering::Relaxed)
            } else {
                0
            };
            let crash = crash.clone();
            async move {
                if is_write && count >= crash_after {
                    crash.notify_one();
                    std::future::pending::<()>().await;
                }
                false
            }
        });
        delivery.cluster = Cluster::new(client.clone(), Discovery::new(client));
        let yaml = three_stages(crash_after);
        let finished = tokio::select! {
            applied = delivery.apply(&yaml) => applied.error.is_none(),
            () = crashed.notified() => false,
        };
        assert!(!finished, "it did not crash after {crash_after} writes");
        // What was recorded before the first change is all that the next process knows.
        delivery.inventory = delivery.ahead.last().cloned().unwrap();
        delivery.records = Records::new();
        delivery.cluster = Cluster::new(plain.clone(), Discovery::new(plain.clone()));
        delivery.applied("").await;
        assert!(delivery.inventory.is_empty());
        let labels = format!("kustomize.toolkit.fluxcd.io/name={}", delivery.owner.name);
        let ours = kube::api::ListParams::default().labels(&labels);
        assert_eq!(delivery.maps().list(&ours).await.unwrap().items.len(), 0);
        let roles = Api::<k8s_openapi::api::rbac::v1::ClusterRole>::all(plain.clone());
        assert_eq!(roles.list(&ours).await.unwrap().items.len(), 0);
        let classes = Api::<k8s_openapi::api::scheduling::v1::PriorityClass>::all(plain);
        assert_eq!(classes.list(&ours).await.unwrap().items.len(), 0);
    }
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_denied_delete_is_tried_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let mut delivery = Delivery::new("denied").await;
    delivery
        .applied(&format!("{}{}", map("a", "1"), map("b", "1")))
        .await;
    let denies = Arc::new(AtomicBool::new(true));
    let (inner, denying) = (delivery.server.client().unwrap(), denies.clone());
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let path = request.uri().path();
        let is_denied = request.method() == "DELETE" && path.ends_with("/a");
        let is_denied = is_denied && denying.load(Ordering::Relaxed);
        let inner = inner.clone();
        async move {
            if !is_denied {
                return inner.send(request).await;
            }
            let status = serde_json::json!({
                "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
                "message": "a policy denies it",
            });
            let body = kube::client::Body::from(status.to_string().into_bytes());
            Ok(http::Response::builder().status(403).body(body).unwrap())
        }
    });
    let client = kube::Client::new(service, "default");
    delivery.cluster = Cluster::new(client.clone(), Discovery::new(client));
    // The other object is pruned all the same.
    let (applied, message) = delivery.refused("").await;
    assert_eq!(
        message,
        "delete failed, errors: ConfigMap/NS/a delete failed (Forbidden): a policy denies it"
    );
    assert_eq!(applied.error.unwrap().advice().reason, "PruneFailed");
    assert_eq!(
        delivery.short(&applied.changes[0].to_string()),
        "ConfigMap/NS/b deleted"
    );
    assert_eq!(delivery.inventory.len(), 1);
    denies.store(false, Ordering::Relaxed);
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/a deleted"]);
    assert!(delivery.inventory.is_empty());
}
