//! `spec.kubeConfig`: what goes to another cluster, on two real API servers.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::meta::{KubeConfigReference, SecretKeyReference};
use bulkhead_testing::cluster::{Cluster, Options};
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::helm_release::{deployed, records, release, stage, told};
use crate::helm_render::render;
use crate::manager::world;
use crate::space::{Space, condition, config_map, ready};

/// The other cluster, with its audit log on.
async fn other() -> Result<&'static Cluster> {
    static OTHER: OnceCell<Cluster> = OnceCell::const_new();
    let options = Options {
        audit: true,
        ..Options::default()
    };
    OTHER.get_or_try_init(|| Cluster::start_with(options)).await
}

/// The namespace of the same name in the other cluster.
async fn beyond(space: &Space) -> Result<Space> {
    let client = other().await?.client()?;
    let namespace: Namespace =
        serde_json::from_value(json!({ "metadata": { "name": space.namespace } }))?;
    let all: Api<Namespace> = Api::all(client.clone());
    all.create(&PostParams::default(), &namespace).await?;
    Ok(Space {
        client,
        namespace: space.namespace.clone(),
    })
}

fn kubeconfig(cluster: &Cluster) -> Result<String> {
    Ok(std::fs::read_to_string(cluster.kubeconfig())?)
}

fn reference(name: &str) -> KubeConfigReference {
    KubeConfigReference {
        secret_ref: Some(SecretKeyReference {
            name: name.to_owned(),
            key: None,
        }),
        config_map_ref: None,
    }
}

/// An account that may change ConfigMaps and Secrets of its namespace.
async fn account(space: &Space, name: &str) -> Result<()> {
    let account: ServiceAccount = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    space.create(&account).await?;
    let role: Role = serde_json::from_value(json!({
        "metadata": { "name": name },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"] }],
    }))?;
    space.create(&role).await?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": space.namespace }],
    }))?;
    space.create(&binding).await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_kustomization_goes_to_another_cluster_and_is_kept_there() -> Result<()> {
    let space = Space::new(world().await?.cluster, "elsewhere").await?;
    let beyond = beyond(&space).await?;
    let git = Repository::with_files([("a.yaml", &*config_map("far", "1"))])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("apps", |spec| {
            spec.kube_config = Some(reference("far"));
            spec.interval = std::time::Duration::from_secs(1).into();
            spec.wait = true;
        })
        .await?;
    let message = space.fails("apps", "ReconciliationFailed").await?;
    let start = format!(
        "failed to build kube client: could not get KubeConfig secret '{}/far': ",
        space.namespace
    );
    assert!(message.starts_with(&start), "{message}");
    let text = kubeconfig(other().await?)?;
    space.secret("far", &[("value.yaml", &text)]).await?;
    beyond.wait_value("far", "key", "1").await?;
    assert_eq!(space.value("far", "key").await?, None, "not here");
    // What others change there is put back at the interval.
    let patch = json!({ "data": { "key": "2" } });
    beyond.patch::<ConfigMap>("far", patch).await?;
    beyond.wait_value("far", "key", "1").await?;
    // It goes there, too.
    space.delete::<Kustomization>("apps").await?;
    space.wait_gone::<Kustomization>("apps").await?;
    beyond.wait_gone::<ConfigMap>("far").await
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_and_its_records_are_in_the_other_cluster() -> Result<()> {
    let (space, _shelf) = stage("far").await?;
    let beyond = beyond(&space).await?;
    account(&beyond, "deployer").await?;
    let text = kubeconfig(other().await?)?;
    space.secret("far", &[("config", &text)]).await?;
    let fields = json!({
        "kubeConfig": { "secretRef": { "name": "far", "key": "config" } },
        "serviceAccountName": "deployer",
        "driftDetection": { "mode": "enabled" },
    });
    release(&space, fields).await?;
    deployed(&space, 1).await?;
    beyond.wait_value("web", "text", "one").await?;
    assert_eq!(records(&space).await?, [""; 0], "no records here");
    assert_eq!(
        records(&beyond).await?,
        ["sh.helm.release.v1.web.v1 deployed"]
    );
    // The account is impersonated there, though it is not here.
    let user = format!("system:serviceaccount:{}:deployer", space.namespace);
    let events = other().await?.audit()?;
    let is_write = |event: &&bulkhead_testing::cluster::AuditEvent| {
        let object = event.object_ref.clone().unwrap_or_default();
        object.name == "web" && object.resource == "configmaps" && event.verb == "patch"
    };
    let write = events.iter().find(is_write).context("a write")?;
    let actor = write.impersonated_user.as_ref();
    assert_eq!(actor.map(|user| user.username.as_str()), Some(&*user));
    // Without its records, as without its objects, it is seen as what it is.
    let patch = json!({ "data": { "text": "somebody" } });
    beyond.patch::<ConfigMap>("web", patch).await?;
    space.request::<HelmRelease>("web", "look").await?;
    beyond.wait_value("web", "text", "one").await?;
    let patch = json!({ "spec": { "values": { "text": "two" } } });
    space.patch::<HelmRelease>("web", patch).await?;
    deployed(&space, 2).await?;
    rendered_for_the_other(&space).await?;
    space.delete::<HelmRelease>("web").await?;
    space.wait_gone::<HelmRelease>("web").await?;
    assert_eq!(records(&beyond).await?, [""; 0]);
    beyond.wait_gone::<ConfigMap>("web").await
}

/// `bulkhead render helmrelease` asks the cluster that the release is for, too.
async fn rendered_for_the_other(space: &Space) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    std::fs::create_dir_all(folder.path().join("chart/templates"))?;
    write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    )?;
    write(
        "chart/templates/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n\
         data: {next: '{{ .Release.Revision }} {{ .Release.IsUpgrade }}'}\n",
    )?;
    let object = |kube_config: Value| {
        json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": { "name": "web", "namespace": space.namespace },
            "spec": {
                "interval": "1h", "kubeConfig": kube_config,
                "chartRef": { "kind": "HelmChart", "name": "web" },
            },
        })
    };
    let live = world().await?.cluster.kubeconfig().display().to_string();
    let line = ["release.yaml", "--chart", "chart", "--kubeconfig", &live];
    let far = object(json!({ "secretRef": { "name": "far", "key": "config" } }));
    write("release.yaml", &far.to_string())?;
    let printed = render(folder.path(), &line).await;
    assert_eq!((printed.status, printed.err.as_str()), (Some(0), ""));
    assert!(printed.out.contains("next: 3 true"), "{}", printed.out);
    let none = object(json!({ "secretRef": { "name": "none" } }));
    write("release.yaml", &none.to_string())?;
    let refused = render(folder.path(), &line).await;
    let told = format!(
        "could not get KubeConfig secret '{}/none': secrets \"none\" not found",
        space.namespace
    );
    assert!(refused.err.contains(&told), "{}", refused.err);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_kubeconfig_that_runs_programs_is_refused() -> Result<()> {
    let (space, _shelf) = stage("exec").await?;
    let trap = std::env::temp_dir().join(format!("{}-trap", space.namespace));
    let text = kubeconfig(world().await?.cluster)?.replace(
        "token: ",
        &format!(
            "exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: touch\n      \
             args: [{}]\n    token: ",
            trap.display()
        ),
    );
    space.secret("far", &[("value", &text)]).await?;
    release(
        &space,
        json!({ "kubeConfig": { "secretRef": { "name": "far" } } }),
    )
    .await?;
    let (found, message) = told(&space, "RESTClientError").await?;
    let start = format!(
        "failed to read the kubeconfig of secret '{}/far': `users[].user.exec` is not allowed: ",
        space.namespace
    );
    assert!(message.starts_with(&start), "{message}");
    assert!(condition(&found.status.conditions, "Stalled").is_some());
    assert!(!trap.exists());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_token_of_an_account_reaches_the_cluster_of_a_config_map() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "generic").await?;
    account(&space, "sender").await?;
    let text = kubeconfig(world.cluster)?;
    let line = text.lines().find(|line| line.contains("authority-data"));
    let data = line.and_then(|line| line.split(' ').next_back());
    let certificate = STANDARD.decode(data.context("a certificate")?)?;
    let map = |provider: &str| -> Result<ConfigMap> {
        Ok(serde_json::from_value(json!({
            "metadata": { "name": format!("to-{provider}") },
            "data": {
                "provider": provider,
                "address": world.cluster.url(),
                "ca.crt": String::from_utf8_lossy(&certificate),
                "audiences": "https://kubernetes.default.svc\n",
                "serviceAccountName": "sender",
            },
        }))?)
    };
    space.create(&map("generic")?).await?;
    space.create(&map("aws")?).await?;
    let git = Repository::with_files([("a.yaml", &*config_map("near", "1"))])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let to = |name: &str| KubeConfigReference {
        secret_ref: None,
        config_map_ref: serde_json::from_value(json!({ "name": name })).ok(),
    };
    space
        .kustomization("apps", |spec| spec.kube_config = Some(to("to-aws")))
        .await?;
    let message = space.fails("apps", "ReconciliationFailed").await?;
    assert!(
        message.contains("/to-aws': provider `aws` is not supported yet"),
        "{message}"
    );
    let patch: Value =
        json!({ "spec": { "kubeConfig": { "configMapRef": { "name": "to-generic" } } } });
    space.patch::<Kustomization>("apps", patch).await?;
    space.wait_value("near", "key", "1").await?;
    let sender = format!("system:serviceaccount:{}:sender", space.namespace);
    let is_write = |event: &bulkhead_testing::cluster::AuditEvent| {
        let object = event.object_ref.clone().unwrap_or_default();
        object.name == "near" && event.verb == "patch" && event.user.username == sender
    };
    let events = world.cluster.audit()?;
    assert!(events.iter().any(is_write), "as the account");
    let found = space
        .wait("apps", "ready", |found: &Kustomization| {
            ready(&found.status.conditions).is_some_and(|ready| ready.status == "True")
        })
        .await?;
    assert_eq!(condition(&found.status.conditions, "Stalled"), None);
    let secrets = space.api::<Secret>().list(&Default::default()).await?;
    assert!(secrets.items.is_empty(), "no token is stored");
    Ok(())
}
