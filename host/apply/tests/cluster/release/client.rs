//! Client-side apply: the same steps by us and by the real `helm --server-side=false`, and somebody
//! who changes things in between. Both must come to the same objects.

#![allow(
    clippy::disallowed_methods,
    reason = "a test writes files for the program"
)]

use std::future::pending;

use bulkhead_apply::release::{
    ApplyMethod, Content, Crd, CrdPolicy, Install, Rollback, ServerSide, Upgrade,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::helm::Program;
use super::{Scene, content, error, map};

const FIRST: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, old: 'yes'}}
spec:
  replicas: 1
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {creationTimestamp: null, labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        env: [{name: A, value: '1'}, {name: GONE, value: x}]
        ports: [{containerPort: 80, name: http}]
      - {name: dropped, image: 'x:1'}
      volumes: [{name: v, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, name: http}, {port: 81, name: more}]}
---
apiVersion: client.example.com/v1
kind: Thing
metadata: {name: thing}
spec: {a: 1, list: [{name: x}], gone: 1}
";
const SECOND: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:2
        env: [{name: B, value: '2'}, {name: A, value: '3'}]
        ports: [{containerPort: 80, name: http}]
      volumes: [{name: v, secret: {secretName: s}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 82, name: new}, {port: 80, name: http}]}
---
apiVersion: client.example.com/v1
kind: Thing
metadata: {name: thing}
spec: {a: 1, list: [{name: z}]}
";

/// Returns a chart's definition of a kind, with these fields.
fn definition(kind: &str, plural: &str, group: &str, properties: &str) -> Crd {
    Crd {
        path: format!("web/crds/{plural}.yaml"),
        text: format!(
            "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, properties: {properties}}}}}
"
        ),
    }
}

fn api(scene: &Scene, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let client = scene.server.client().unwrap();
    Api::namespaced_with(client, &scene.target.namespace, &resource)
}

const KINDS: [(&str, &str, &str); 3] = [
    ("apps/v1", "Deployment", "web"),
    ("v1", "Service", "web"),
    ("client.example.com/v1", "Thing", "thing"),
];

/// What somebody else does between two versions.
async fn meddle(scene: &Scene) {
    let web = json!({
        "metadata": { "labels": { "team": "a" } },
        "spec": { "replicas": 4, "template": { "spec": {
            "containers": [{ "name": "sidecar", "image": "side:1" }],
            "tolerations": [{ "key": "x", "operator": "Exists" }],
        } } },
    });
    let service = json!({ "metadata": { "finalizers": ["example.com/f"] } });
    let thing = json!({ "spec": { "a": 5, "other": true } });
    let patches = [
        Patch::Strategic(web),
        Patch::Strategic(service),
        Patch::Merge(thing),
    ];
    for ((version, kind, name), patch) in KINDS.into_iter().zip(patches) {
        let parameters = PatchParams::default();
        let patched = api(scene, version, kind)
            .patch(name, &parameters, &patch)
            .await;
        patched.unwrap();
    }
}

/// What is there, but for what is told to be another's.
async fn found(scene: &Scene) -> Vec<Value> {
    let mut all = Vec::new();
    for (version, kind, name) in KINDS {
        let object = api(scene, version, kind).get(name).await.unwrap();
        let object = serde_json::to_value(object).unwrap();
        let metadata = &object["metadata"];
        let mut spec = object["spec"].clone();
        for field in ["clusterIP", "clusterIPs"] {
            spec.as_object_mut().unwrap().remove(field);
        }
        let managers = metadata["managedFields"].as_array().unwrap().iter();
        let ours = ["helm", "helm-controller"];
        let ours = managers.filter(|one| ours.contains(&one["manager"].as_str().unwrap()));
        let operations: Vec<_> = ours.map(|one| one["operation"].clone()).collect();
        all.push(json!({
            "labels": metadata["labels"], "finalizers": metadata["finalizers"],
            "spec": spec, "operations": operations,
        }));
    }
    all
}

async fn version(scene: &Scene, number: usize) -> String {
    let (version, kind, name) = KINDS[number];
    let object = api(scene, version, kind).get(name).await.unwrap();
    object.metadata.resource_version.unwrap()
}

fn disabled() -> Upgrade {
    let mut upgrade = Upgrade {
        server_side: ServerSide::Disabled,
        ..Upgrade::default()
    };
    upgrade.options.wait.objects = false;
    upgrade
}

async fn install(scene: &Scene, text: &str, crds: Vec<Crd>) {
    let mut install = Install {
        method: ApplyMethod::ClientSide,
        ..Install::default()
    };
    install.options.wait.objects = false;
    let first = Content {
        crds,
        ..content("1.0.0", &[("all", text)])
    };
    let done = scene
        .helm
        .install(&scene.target, first, &install, pending())
        .await;
    assert_eq!(error(&done), "");
}

async fn upgrade(scene: &Scene, text: &str, upgrade: &Upgrade) {
    let next = content("1.0.1", &[("all", text)]);
    let done = scene
        .helm
        .upgrade(&scene.target, next, upgrade, pending())
        .await;
    assert_eq!(error(&done), "");
}

/// Runs `helm install` or `helm upgrade` with a chart that is one text.
fn helm(scene: &Scene, verb: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    write("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n");
    write("templates/all.yaml", text);
    let path = folder.path().to_str().unwrap();
    let arguments = [verb, "app", path, "--server-side=false"];
    Program::of(scene).run(&arguments).unwrap();
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_client_merges_as_helm_does() {
    let (ours, theirs) = (Scene::new("client").await, Scene::new("client-helm").await);
    let spec = "{spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}";
    let things = definition("Thing", "things", "client.example.com", spec);
    install(&ours, FIRST, vec![things]).await;
    helm(&theirs, "install", FIRST);
    assert_eq!(found(&ours).await, found(&theirs).await);
    for scene in [&ours, &theirs] {
        meddle(scene).await;
    }
    upgrade(&ours, SECOND, &disabled()).await;
    helm(&theirs, "upgrade", SECOND);
    let state = found(&ours).await;
    assert_eq!(state, found(&theirs).await);
    assert_eq!(state[0]["operations"], json!(["Update"]));
    // The chart's fields are put back, but those of custom kinds that it did not change.
    assert_eq!(state[0]["spec"]["replicas"], 1);
    assert_eq!(state[0]["labels"]["team"], "a");
    assert_eq!(
        state[2]["spec"],
        json!({ "a": 5, "list": [{ "name": "z" }], "other": true })
    );

    // Once more the same: nothing is written.
    let before = [
        version(&ours, 0).await,
        version(&ours, 1).await,
        version(&ours, 2).await,
    ];
    upgrade(&ours, SECOND, &disabled()).await;
    let after = [
        version(&ours, 0).await,
        version(&ours, 1).await,
        version(&ours, 2).await,
    ];
    assert_eq!(before, after);
    // Helm goes on with it, and we with what Helm has made.
    helm(&ours, "upgrade", FIRST);
    upgrade(
        &theirs,
        FIRST,
        &Upgrade {
            server_side: ServerSide::Auto,
            ..disabled()
        },
    )
    .await;
    assert_eq!(found(&ours).await, found(&theirs).await);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_a_failed_version_brought_goes_with_the_next() {
    let scene = Scene::new("client-failed").await;
    let key = |fields: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{fields}}}\n")
    };
    install(&scene, &key("one: '1'"), Vec::new()).await;
    let broken =
        "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: z, labels: {'a b': c}}\n";
    let next = content("1.0.1", &[("all", &(key("one: '1', two: '2'") + broken))]);
    let done = scene
        .helm
        .upgrade(&scene.target, next, &disabled(), pending())
        .await;
    assert!(error(&done).contains("a b"), "{}", error(&done));
    let data = || async { scene.maps().get("a").await.unwrap().data.unwrap() };
    assert_eq!(data().await.len(), 2);
    upgrade(&scene, &key("three: '3'"), &disabled()).await;
    assert_eq!(data().await.into_keys().collect::<Vec<_>>(), ["three"]);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_is_there_already_is_taken_over_and_keeps_what_it_has() {
    let scene = Scene::new("client-adopt").await;
    let own = json!({ "metadata": { "name": "a", "labels": { "own": "1" } }, "data": { "key": "0", "more": "1" } });
    let own = serde_json::from_value(own).unwrap();
    scene
        .maps()
        .create(&PostParams::default(), &own)
        .await
        .unwrap();
    install(&scene, &map("a", "1"), Vec::new()).await;
    let found = scene.maps().get("a").await.unwrap();
    let data = found.data.unwrap();
    assert_eq!((data["key"].as_str(), data["more"].as_str()), ("1", "1"));
    let labels = found.metadata.labels.unwrap();
    assert_eq!(labels["own"], "1");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn definitions_of_a_chart_are_replaced_by_the_client() {
    let scene = Scene::new("client-crds").await;
    let (group, plural) = ("client-crds.example.com", "gadgets");
    let crd = |field: &str| {
        let properties = format!("{{{field}: {{type: string}}}}");
        vec![definition("Gadget", plural, group, &properties)]
    };
    let gadget = format!("apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: g}}\n");
    install(&scene, &gadget, crd("one")).await;
    let next = content("1.0.1", &[("g", &gadget)]);
    let next = Content {
        crds: crd("two"),
        ..next
    };
    let way = Upgrade {
        crds: CrdPolicy::CreateReplace,
        ..disabled()
    };
    let done = scene
        .helm
        .upgrade(&scene.target, next, &way, pending())
        .await;
    assert_eq!(error(&done), "");
    let apis: Api<CustomResourceDefinition> = Api::all(scene.server.client().unwrap());
    let found = apis.get("gadgets.client-crds.example.com").await.unwrap();
    let schema = serde_json::to_value(found.spec.versions[0].schema.as_ref()).unwrap();
    let fields = schema["openAPIV3Schema"]["properties"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["two"]);
}

/// A rollback of a client-side release goes back by the client, and an upgrade that asks for the
/// server's way takes the client's fields over: what the chart drops then goes.
#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_ways_follow_each_other() {
    let scene = Scene::new("client-ways").await;
    install(&scene, &map("a", "1"), Vec::new()).await;
    upgrade(&scene, &map("a", "2"), &disabled()).await;
    let rollback = Rollback::default();
    let done = scene
        .helm
        .rollback(&scene.target, &rollback, pending())
        .await;
    assert_eq!(error(&done), "");
    assert!(!done.release.unwrap().is_server_side());
    assert_eq!(
        scene.maps().get("a").await.unwrap().data.unwrap()["key"],
        "1"
    );
    let bare = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {new: '1'}\n";
    let enabled = Upgrade {
        server_side: ServerSide::Enabled,
        ..disabled()
    };
    upgrade(&scene, bare, &enabled).await;
    let data = scene.maps().get("a").await.unwrap().data.unwrap();
    assert_eq!(data.into_keys().collect::<Vec<_>>(), ["new"]);
}
