//! P13, P14, P15: what a hostile renderer returns is applied with the rights of its tenant, under
//! its owner's name, and what that leads to obeys the same rules.

use anyhow::{Context as _, Result};
use bulkhead_api::delivery::Delivery;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::source::GitRepository;
use bulkhead_testing::cluster::{AuditEvent, Cluster};
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use crate::any_renderer::{Shop, applied, delivery, fails};
use crate::guests;
use crate::manager::{Manager, install_definitions};
use crate::space::{Space, condition, config_map, ready};

/// What one tenant has: a namespace, an account with all rights in it, and a plugin that returns
/// whatever stands in a file.
struct Tenant {
    space: Space,
    git: Repository,
    _server: HttpServer,
    _shop: Shop,
}

impl Tenant {
    async fn new(space: Space, files: &[(&str, &str)]) -> Result<Self> {
        give_rights(&space).await?;
        let git = Repository::with_files(files.iter().copied())?;
        let server = HttpServer::start(&git).await?;
        space.repository("app", server.url()).await?;
        let shop = Shop::open().await?;
        shop.install(&space, "files", &guests::renderer()).await?;
        Ok(Self {
            space,
            git,
            _server: server,
            _shop: shop,
        })
    }

    /// Renders the folder of this name by the plugin, without a namespace to put things into.
    async fn deliver(&self, name: &str) -> Result<()> {
        let mut object = delivery(&self.space, name, "files", name);
        object.spec.target_namespace = None;
        self.space.create(&object).await.map(drop)
    }
}

/// Lets the account `default` do everything in its namespace, and nothing elsewhere.
async fn give_rights(space: &Space) -> Result<()> {
    let namespace = &space.namespace;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": "tenant", "namespace": namespace },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [{ "kind": "ServiceAccount", "name": "default", "namespace": namespace }],
    });
    apply(&space.client, "rolebindings", &binding).await
}

async fn apply(client: &Client, plural: &str, object: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let api_version = text(&object["apiVersion"]);
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let kind = text(&object["kind"]);
    let resource = ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.clone(),
        kind,
        plural: plural.to_owned(),
    };
    let (name, namespace) = (
        text(&object["metadata"]["name"]),
        text(&object["metadata"]["namespace"]),
    );
    let api: Api<DynamicObject> = match namespace.is_empty() {
        true => Api::all_with(client.clone(), &resource),
        false => Api::namespaced_with(client.clone(), &namespace, &resource),
    };
    let by = PatchParams::apply("test").force();
    api.patch(&name, &by, &Patch::Apply(object)).await?;
    Ok(())
}

/// Writes of the manager that changed something and that no tenant may make: in the namespace of the
/// victim, or of what belongs to no namespace.
fn foreign_writes(cluster: &Cluster, victim: &str) -> Result<Vec<AuditEvent>> {
    let is_write = |verb: &str| matches!(verb, "create" | "update" | "patch" | "delete");
    let is_foreign = |event: &AuditEvent| {
        let object = event.object_ref.clone().unwrap_or_default();
        object.namespace == victim || object.namespace.is_empty()
    };
    let mut events = cluster.audit()?;
    events.retain(|event| {
        event.user_agent.starts_with("bulkhead/")
            && is_write(&event.verb)
            && !event.uri.contains("dryRun=")
            && event.response_status.code < 300
            && is_foreign(event)
    });
    Ok(events)
}

fn namespaced(object: &str, namespace: &str) -> String {
    object.replacen(
        "metadata:\n",
        &format!("metadata:\n  namespace: {namespace}\n"),
        1,
    )
}

/// What a hostile renderer returns, beside an object that is all right.
fn foreign_objects(victim: &str) -> Vec<(&'static str, String)> {
    let stolen = namespaced(&config_map("stolen", "1"), victim);
    let indented = stolen.replace('\n', "\n    ");
    let rbac = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
                metadata:\n  name: stolen\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  \
                kind: ClusterRole\n  name: cluster-admin\nsubjects:\n- kind: ServiceAccount\n  \
                name: default\n  namespace: default\n";
    let hook = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n\
                metadata:\n  name: stolen\nwebhooks: []\n";
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                metadata:\n  name: stolens.example.com\nspec:\n  group: example.com\n  names:\n    \
                kind: Stolen\n    plural: stolens\n  scope: Namespaced\n  versions:\n  - name: v1\n    \
                served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: stolen\n";
    let plugin = "apiVersion: bulkhead.dev/v1alpha1\nkind: ClusterPlugin\nmetadata:\n  \
                name: kustomize\nspec:\n  image: registry.example.com/stolen:1\n";
    let nested = format!(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  - {indented}"
    );
    vec![
        ("elsewhere", stolen),
        ("nested", nested.trim_end().to_owned() + "\n"),
        ("rbac", rbac.to_owned()),
        ("hook", hook.to_owned()),
        ("definition", definition.to_owned()),
        ("namespace", namespace.to_owned()),
        ("plugin", plugin.to_owned()),
    ]
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_a_renderer_returns_is_applied_with_the_rights_of_its_tenant() -> Result<()> {
    let (cluster, folder) = (locked_cluster().await?, tempfile::tempdir()?);
    let victim = Space::new(&cluster, "victim").await?;
    let objects = foreign_objects(&victim.namespace);
    let space = Space::new(&cluster, "tenant").await?;
    let own = |name: &str| {
        let object = config_map(&format!("own-{name}"), "1");
        namespaced(&object, &space.namespace)
    };
    let files: Vec<(String, String)> = objects
        .iter()
        .map(|(name, text)| {
            (
                format!("{name}/app.yaml"),
                format!("{}---\n{text}", own(name)),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let manager = Manager::start_locked(&cluster, folder.path()).await?;
    let tenant = Tenant::new(space, &files).await?;
    let before = foreign_writes(&cluster, &victim.namespace)?;
    for (name, _) in &objects {
        tenant.deliver(name).await?;
    }
    for (name, _) in &objects {
        let message = fails(&tenant.space, name, "ReconciliationFailed").await?;
        assert!(message.contains("forbidden"), "{name}: {message}");
    }
    let writes = foreign_writes(&cluster, &victim.namespace)?;
    assert_eq!(writes.len(), before.len(), "{writes:#?}");
    assert_eq!(victim.value("stolen", "key").await?, None);
    // Everything that was sent for it was sent as the account of the tenant.
    let account = format!("system:serviceaccount:{}:default", tenant.space.namespace);
    let managed = |event: &&AuditEvent| {
        let object = event.object_ref.clone().unwrap_or_default();
        let is_managed = object.resource == "configmaps" && object.name.starts_with("own-");
        event.user_agent.starts_with("bulkhead/") && event.verb == "patch" && is_managed
    };
    for event in cluster.audit()?.iter().filter(managed) {
        let acted_as = event.impersonated_user.as_ref().context("an account")?;
        assert_eq!(acted_as.username, account);
    }
    assert!(manager.is_alive());
    Ok(())
}

async fn locked_cluster() -> Result<Cluster> {
    let options = bulkhead_testing::cluster::Options {
        audit: true,
        ..Default::default()
    };
    let cluster = Cluster::start_with(options).await?;
    install_definitions(&cluster).await?;
    Ok(cluster)
}

/// A Flux or own object of the tenant's namespace, as a hostile renderer makes it.
fn generated(kind: &str, name: &str, spec: Value) -> Value {
    let api_version = match kind {
        "Kustomization" => "kustomize.toolkit.fluxcd.io/v1",
        "Delivery" => "bulkhead.dev/v1alpha1",
        "HelmRelease" => "helm.toolkit.fluxcd.io/v2",
        "Alert" | "Provider" => "notification.toolkit.fluxcd.io/v1beta3",
        _ => "source.toolkit.fluxcd.io/v1",
    };
    json!({
        "apiVersion": api_version, "kind": kind, "metadata": { "name": name }, "spec": spec,
    })
}

/// A HelmRelease of the chart in the tenant's own source, if not of another's, with these fields more.
fn release(name: &str, source: &Value, more: Value) -> Value {
    let mut spec = json!({
        "interval": "1h",
        "chart": { "spec": { "chart": "chart", "sourceRef": source } },
        "install": { "remediation": { "retries": 0 } },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    generated("HelmRelease", name, spec)
}

/// What the generated objects try, and what has to become of them: reason, and a part of the message.
fn escalations(victim: &str) -> Vec<(Value, &'static str, &'static str)> {
    let app = json!({ "kind": "GitRepository", "name": "app" });
    let secret = json!({ "kind": "GitRepository", "name": "secret", "namespace": victim });
    let spec = |source: &Value, more: Value| {
        let mut spec = json!({
            "interval": "1h", "retryInterval": "1h", "prune": true, "sourceRef": source,
            "path": "stolen",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            spec[name] = value.clone();
        }
        spec
    };
    let files = json!({ "plugin": { "name": "files" } });
    let target = json!({ "targetNamespace": victim });
    let strong = json!({ "targetNamespace": victim, "serviceAccountName": "admin" });
    let other = json!({
        "targetNamespace": victim, "serviceAccountName": format!("x:{victim}:admin"),
    });
    let kubeconfig = json!({ "kubeConfig": { "secretRef": { "name": "admin" } } });
    let with = |one: &Value, other: &Value| {
        let mut both = one.clone();
        for (name, value) in other.as_object().into_iter().flatten() {
            both[name] = value.clone();
        }
        both
    };
    let forbidden = "ReconciliationFailed";
    vec![
        // Nobody is named: the account of the tenant, not the rights of the engine.
        (
            generated("Kustomization", "k-nobody", spec(&app, target.clone())),
            forbidden,
            "forbidden",
        ),
        (
            generated("Delivery", "d-nobody", spec(&app, with(&files, &target))),
            forbidden,
            "forbidden",
        ),
        // An account that is strong in another namespace is not the one of that name here.
        (
            generated("Kustomization", "k-strong", spec(&app, strong.clone())),
            forbidden,
            "forbidden",
        ),
        (
            generated("Delivery", "d-strong", spec(&app, with(&files, &strong))),
            forbidden,
            "forbidden",
        ),
        (
            generated("Kustomization", "k-other", spec(&app, other)),
            forbidden,
            "forbidden",
        ),
        // The source of another tenant.
        (
            generated("Kustomization", "k-source", spec(&secret, json!({}))),
            "AccessDenied",
            "cross-namespace",
        ),
        (
            generated("Delivery", "d-source", spec(&secret, files.clone())),
            "AccessDenied",
            "cross-namespace",
        ),
        // Releases: into another namespace, and with Helm's records there; of another's chart.
        (
            release("h-target", &app, target.clone()),
            "InstallFailed",
            "forbidden",
        ),
        (release("h-strong", &app, strong), "StateError", "forbidden"),
        (
            release("h-records", &app, json!({ "storageNamespace": victim })),
            "",
            "forbidden",
        ),
        (
            release("h-source", &secret, json!({})),
            "AccessDenied",
            "cross-namespace",
        ),
        // Another cluster's credentials: refused, or not there, but never the engine's own rights.
        (
            generated(
                "Kustomization",
                "k-config",
                spec(&app, with(&kubeconfig, &target)),
            ),
            "",
            "",
        ),
        (
            generated(
                "Delivery",
                "d-config",
                spec(&app, with(&with(&files, &kubeconfig), &target)),
            ),
            "",
            "",
        ),
    ]
}

/// An Alert on the objects of the victim, and where it would tell of them.
fn listener(victim: &str) -> [Value; 2] {
    let alert = json!({
        "providerRef": { "name": "mouth" },
        "eventSources": [{ "kind": "GitRepository", "name": "*", "namespace": victim }],
    });
    let provider = json!({ "type": "generic", "address": "https://example.com/hook" });
    [
        generated("Alert", "ears", alert),
        generated("Provider", "mouth", provider),
    ]
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn objects_that_a_renderer_generates_obey_the_same_rules() -> Result<()> {
    let (cluster, folder) = (locked_cluster().await?, tempfile::tempdir()?);
    let victim = Space::new(&cluster, "victim").await?;
    // The victim has a source, and an account that may do everything.
    let secret = Repository::with_files([("stolen/app.yaml", config_map("secret", "1").as_str())])?;
    let secret_server = HttpServer::start(&secret).await?;
    victim.repository("secret", secret_server.url()).await?;
    let admin = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "victim-admin" },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [{ "kind": "ServiceAccount", "name": "admin", "namespace": victim.namespace }],
    });
    apply(&victim.client, "clusterrolebindings", &admin).await?;
    let escalations = escalations(&victim.namespace);
    let listens = listener(&victim.namespace);
    let text: Vec<String> = escalations
        .iter()
        .map(|(object, ..)| object)
        .chain(&listens)
        .map(Value::to_string)
        .collect();
    let chart = "apiVersion: v2\nname: chart\nversion: 1.0.0\n".to_owned();
    let files = [
        ("hostile/app.yaml", text.join("\n---\n")),
        ("stolen/app.yaml", config_map("stolen", "1")),
        ("chart/Chart.yaml", chart),
        ("chart/templates/app.yaml", config_map("stolen", "1")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (*a, &**b)).collect();
    let _manager = Manager::start_locked(&cluster, folder.path()).await?;
    let tenant = Tenant::new(Space::new(&cluster, "tenant").await?, &files).await?;
    let space = &tenant.space;
    victim.fetched("secret", &secret.head()?).await?;
    let before = foreign_writes(&cluster, &victim.namespace)?;
    space
        .create(&delivery(space, "hostile", "files", "hostile"))
        .await?;
    applied(space, "hostile", &tenant.git.head()?).await?;
    for (object, reason, part) in &escalations {
        let name = object["metadata"]["name"].as_str().context("a name")?;
        let told = |conditions: &[bulkhead_api::meta::Condition]| {
            ready(conditions).is_some_and(|ready| {
                ready.status == "False"
                    && (reason.is_empty() || ready.reason == *reason)
                    && ready.message.contains(part)
            })
        };
        let what = format!("refused with {reason}");
        match object["kind"].as_str() {
            Some("Kustomization") => {
                let is_told = |found: &Kustomization| told(&found.status.conditions);
                space.wait(name, &what, is_told).await?;
            }
            Some("HelmRelease") => {
                let is_told = |found: &HelmRelease| told(&found.status.conditions);
                space.wait(name, &what, is_told).await?;
                if *reason == "AccessDenied" {
                    space.event(name, reason, part).await?;
                }
            }
            _ => {
                let is_told = |found: &Delivery| told(&found.status.conditions);
                space.wait(name, &what, is_told).await?;
            }
        }
    }
    // What happens to the victim's objects is not told to the tenant's alert.
    secret.write("stolen/app.yaml", config_map("secret", "2"))?;
    secret.commit("change it")?;
    victim.request::<GitRepository>("secret", "now").await?;
    victim.fetched("secret", &secret.head()?).await?;
    space
        .event(
            "ears",
            "NotificationDispatchFailed",
            "cross-namespace references have been blocked",
        )
        .await?;
    let writes: Vec<AuditEvent> = foreign_writes(&cluster, &victim.namespace)?;
    // Of the victim's own source, the status is written.
    let is_status = |event: &&AuditEvent| {
        let object = event.object_ref.clone().unwrap_or_default();
        object.subresource == "status" || matches!(&*object.resource, "events" | "gitrepositories")
    };
    let stolen: Vec<_> = writes
        .iter()
        .skip(before.len())
        .filter(|one| !is_status(one))
        .collect();
    assert!(stolen.is_empty(), "{stolen:#?}");
    assert_eq!(victim.value("stolen", "key").await?, None);
    assert_eq!(
        space.value("secret", "key").await?,
        None,
        "nothing of the other source"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn forged_owners_and_inventories_are_written_over() -> Result<()> {
    let world = crate::manager::world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "forged").await?,
        Shop::open().await?,
    );
    let labels = json!({
        "kustomize.toolkit.fluxcd.io/name": "victim",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        "bulkhead.dev/name": "victim",
        "bulkhead.dev/namespace": "flux-system",
    });
    let mut forged = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "by-delivery", "labels": labels },
        "data": { "key": "1" },
    });
    let by_delivery = forged.to_string();
    forged["metadata"]["name"] = json!("by-kustomization");
    let by_kustomization = forged.to_string();
    // Another Kustomization of the same tenant, with an inventory that would let its objects go, and
    // one that names what it has never applied.
    let mut other = generated(
        "Kustomization",
        "victim",
        json!({
            "interval": "1h", "prune": true, "path": "victim",
            "sourceRef": { "kind": "GitRepository", "name": "app" },
            "targetNamespace": space.namespace,
        }),
    );
    let spoils = |entries: Value| {
        let mut spoilt = other.clone();
        spoilt["status"] = json!({ "inventory": { "entries": entries } });
        spoilt.to_string()
    };
    let bystander = format!("{}_bystander__ConfigMap", space.namespace);
    let emptied = spoils(json!([]));
    let extended = spoils(json!([{ "id": bystander, "v": "v1" }]));
    let git = Repository::with_files([
        ("delivery/app.yaml", by_delivery.as_str()),
        ("kustomization/app.yaml", by_kustomization.as_str()),
        ("victim/victim.yaml", config_map("of-victim", "1").as_str()),
        ("emptied/app.yaml", emptied.as_str()),
        ("extended/app.yaml", extended.as_str()),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    let head = git.head()?;

    space
        .create(&delivery(&space, "own", "files", "delivery"))
        .await?;
    applied(&space, "own", &head).await?;
    let labels = labels_of(&space, "by-delivery").await?;
    assert_eq!(labels["bulkhead.dev/name"], "own");
    assert_eq!(labels["bulkhead.dev/namespace"], json!(space.namespace));
    space
        .kustomization("own", |spec| {
            spec.path = Some("kustomization".to_owned());
            spec.suspend = true;
        })
        .await?;
    let patch = json!({
        "metadata": { "annotations": { "bulkhead.dev/renderer": "files" } },
        "spec": { "suspend": false },
    });
    space.patch::<Kustomization>("own", patch).await?;
    space.applied("own", &head).await?;
    let labels = labels_of(&space, "by-kustomization").await?;
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/name"], "own");
    assert_eq!(
        labels["kustomize.toolkit.fluxcd.io/namespace"],
        json!(space.namespace)
    );

    other["metadata"]["namespace"] = json!(space.namespace);
    apply(&space.client, "kustomizations", &other).await?;
    space.applied("victim", &head).await?;
    apply(&space.client, "configmaps", &json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "bystander", "namespace": space.namespace }, "data": { "key": "1" },
    })).await?;
    for path in ["emptied", "extended"] {
        space.create(&delivery(&space, path, "files", path)).await?;
        applied(&space, path, &head).await?;
        space.request::<Kustomization>("victim", path).await?;
        let handled =
            |found: &Kustomization| found.status.last_handled_reconcile_at.as_deref() == Some(path);
        let found = space.wait("victim", "reconciled", handled).await?;
        let entries = found.status.inventory.context("an inventory")?.entries;
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, [format!("{}_of-victim__ConfigMap", space.namespace)]);
        assert!(condition(&found.status.conditions, "Stalled").is_none());
    }
    assert_eq!(space.value("bystander", "key").await?.as_deref(), Some("1"));
    assert_eq!(space.value("of-victim", "key").await?.as_deref(), Some("1"));
    Ok(())
}

async fn labels_of(space: &Space, name: &str) -> Result<Value> {
    let found = space.api::<ConfigMap>().get(name).await?;
    Ok(serde_json::to_value(found.metadata.labels)?)
}
