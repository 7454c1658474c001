//! `bulkhead render helmrelease`: what it prints is what the controller stored, and how it fails.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::source::{HelmRepository, HelmRepositorySpec};
use bulkhead_testing::git::Repository;
use bulkhead_testing::registry::RegistryServer;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde_json::{Value, json};

use crate::artifacts::{self, HELM, chart};
use crate::command::{Printed, bulkhead};
use crate::manager::world;
use crate::shelf::Shelf;
use crate::space::{Space, is_ready};

const VALUES: &str = "text: one\nword: none\n";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n\
                   data:\n  text: {{ .Values.text | quote }}\n  word: {{ .Values.word | quote }}\n  \
                   release: \"{{ .Release.Namespace }} {{ .Release.Revision }} {{ .Release.IsUpgrade }}\"\n";
const SEEN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: seen\n\
                    data:\n  found: {{ (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"there\").data | default dict | toJson | quote }}\n  \
                    has: {{ .Capabilities.APIVersions.Has \"helm.toolkit.fluxcd.io/v2/HelmRelease\" | quote }}\n  \
                    kubernetes: {{ .Capabilities.KubeVersion.Version }}\n";
const HOOK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: before\n  \
                    annotations: {helm.sh/hook: pre-install}\ndata:\n  text: {{ .Values.text }}\n";
const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                   metadata:\n  name: things.x.example\nspec:\n  group: x.example\n  \
                   names: {kind: Thing, plural: things}\n  scope: Namespaced\n  versions: []\n";
const TEST: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: try\n  \
                    annotations: {helm.sh/hook: test}\n";

const FILES: [(&str, &str); 6] = [
    ("values.yaml", VALUES),
    ("prod.yaml", "word: prod\n"),
    ("templates/map.yaml", MAP),
    ("templates/seen.yaml", SEEN),
    ("templates/hook.yaml", HOOK),
    ("templates/test.yaml", TEST),
];

fn packed() -> Result<Vec<u8>> {
    chart("web", "1.2.0", &FILES)
}

/// A release of the chart in the HelmRepository `charts`, in this namespace.
fn release(namespace: &str, fields: Value) -> Value {
    let mut spec = json!({
        "interval": "1h",
        "chart": { "spec": {
            "chart": "web",
            "version": "1.x",
            "sourceRef": { "kind": "HelmRepository", "name": "charts" },
            "valuesFiles": ["values.yaml", "prod.yaml"],
        }},
        "valuesFrom": [
            { "kind": "ConfigMap", "name": "common" },
            { "kind": "Secret", "name": "hidden", "valuesKey": "word", "targetPath": "word" },
            { "kind": "Secret", "name": "none", "optional": true },
        ],
        "commonMetadata": { "labels": { "team": "x" } },
        "postRenderers": [{ "kustomize": { "patches": [{
            "target": { "kind": "ConfigMap" },
            "patch": "- op: add\n  path: /data/patched\n  value: \"yes\"\n",
        }] } }],
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": { "name": "web", "namespace": namespace },
        "spec": spec,
    })
}

/// What the release refers to, as files have it.
fn others(namespace: &str, url: &str) -> String {
    let objects = [
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository",
            "metadata": { "name": "charts", "namespace": namespace },
            "spec": { "interval": "1h", "url": url },
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "common", "namespace": namespace },
            "data": { "values.yaml": "text: common\nword: common\n" },
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "hidden", "namespace": namespace },
            "stringData": { "word": "s3cr3t-word" },
        }),
    ];
    let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
    texts.join("\n---\n")
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), text).expect("a file");
}

/// Runs the command while this process answers it.
pub(crate) async fn render(folder: &Path, arguments: &[&str]) -> Printed {
    let line = [&["render", "helmrelease"], arguments].concat();
    let line: Vec<String> = line.into_iter().map(str::to_owned).collect();
    let folder = folder.to_owned();
    let run = move || {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        bulkhead(&folder, &line)
    };
    tokio::task::spawn_blocking(run).await.expect("it ran")
}

fn helm(space: &Space, kubeconfig: &Path, what: &str) -> Result<String> {
    let program = bulkhead_testing::cluster::helm()?;
    let asked = Command::new(program)
        .args(["get", what, "web", "-n", &space.namespace, "--kubeconfig"])
        .arg(kubeconfig)
        .output()
        .context("failed to run `helm`")?;
    let problem = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure!(asked.status.success(), "helm get {what}: {problem}");
    Ok(String::from_utf8(asked.stdout)?)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_is_printed_is_what_the_controller_stores() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "rendered").await?;
    let (namespace, kubeconfig) = (space.namespace.as_str(), world.cluster.kubeconfig());
    let shelf = Shelf::open().await?;
    let chart = packed()?;
    shelf.put_charts(&[("web", "1.2.0", &chart)]);
    let folder = tempfile::tempdir()?;
    let object = release(namespace, json!({ "serviceAccountName": "deployer" }));
    write(folder.path(), "release.yaml", object.to_string());
    write(folder.path(), "others.yaml", others(namespace, shelf.url()));

    // Who installs may do all in its namespace, and nothing elsewhere.
    let account: ServiceAccount =
        serde_json::from_value(json!({ "metadata": { "name": "deployer" } }))?;
    space.create(&account).await?;
    let role: Role = serde_json::from_value(json!({
        "metadata": { "name": "deployer" },
        "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }],
    }))?;
    space.create(&role).await?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": "deployer" },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer",
        },
        "subjects": [{ "kind": "ServiceAccount", "name": "deployer", "namespace": namespace }],
    }))?;
    space.create(&binding).await?;
    let map = |name: &str, data: Value| -> Result<ConfigMap> {
        let object = json!({ "metadata": { "name": name }, "data": data });
        Ok(serde_json::from_value(object)?)
    };
    space.create(&map("there", json!({ "a": "b" }))?).await?;

    let live = kubeconfig.display().to_string();
    let files = ["release.yaml", "others.yaml", "--kubeconfig", &live];
    let printed = render(folder.path(), &files).await;
    assert_eq!((printed.status, printed.err.as_str()), (Some(0), ""));

    // The same objects, for the controller.
    let common = json!({ "values.yaml": "text: common\nword: common\n" });
    space.create(&map("common", common)?).await?;
    space.secret("hidden", &[("word", "s3cr3t-word")]).await?;
    let spec = HelmRepositorySpec::new(shelf.url(), Duration::from_secs(3600));
    let source = HelmRepository::new(namespace, "charts", spec);
    space.create(&source).await?;
    let object: HelmRelease = serde_json::from_value(object)?;
    space.create(&object).await?;
    let is_so = |found: &HelmRelease| is_ready(&found.status.conditions);
    space.wait::<HelmRelease>("web", "ready", is_so).await?;

    let (manifest, hooks) = (
        helm(&space, &kubeconfig, "manifest")?,
        helm(&space, &kubeconfig, "hooks")?,
    );
    assert!(manifest.contains("patched: \"yes\""), "{manifest}");
    assert!(manifest.contains("has: \"true\""), "{manifest}");
    assert!(manifest.contains(r#"{\"a\":\"b\"}"#), "{manifest}");
    assert!(manifest.contains("word: s3cr3t-word"), "{manifest}");
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(str::to_owned).collect()
    };
    let hooks: Vec<String> = lines(&hooks);
    let test = hooks.iter().position(|line| line.ends_with("test.yaml"));
    let hooks = match test {
        // Tests are not run, so they are not printed; they come last by their path.
        Some(at) => &hooks[..at - 1],
        None => &hooks[..],
    };
    assert_eq!(
        lines(&printed.out),
        [lines(&manifest).as_slice(), hooks].concat()
    );

    // Live values, and the next version.
    let printed = render(folder.path(), &["release.yaml", "--kubeconfig", &live]).await;
    assert_eq!((printed.status, printed.err.as_str()), (Some(0), ""));
    let next = format!("release: {namespace} 2 true");
    assert!(printed.out.contains(&next), "{}", printed.out);
    Ok(())
}

#[tokio::test]
async fn nothing_but_files_is_needed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let object = release("apps", json!({ "test": { "enable": true } }));
    write(folder, "release.yaml", object.to_string());
    write(
        folder,
        "others.yaml",
        others("apps", "https://charts.example.com"),
    );
    let files = [&FILES[..], &[("crds/thing.yaml", CRD)]].concat();
    write(folder, "web-1.2.0.tgz", chart("web", "1.2.0", &files)?);
    let files = ["release.yaml", "others.yaml", "--offline"];

    let refused = render(folder, &files).await;
    assert_eq!(refused.status, Some(1));
    for part in ["HelmRepository/apps/charts", "--offline", "--local-sources"] {
        assert!(refused.err.contains(part), "{}", refused.err);
    }

    let local = ["--local-sources", "HelmRepository/apps/charts=."];
    let first = render(folder, &[&files[..], &local].concat()).await;
    assert_eq!((first.status, first.err.as_str()), (Some(0), ""));
    let start = "---\n# Source: web/crds/thing.yaml\n";
    assert!(first.out.starts_with(start), "{}", first.out);
    for part in [
        "release: apps 1 false",
        "found: \"{}\"",
        "text: common",
        "word: s3cr3t-word",
        "helm.toolkit.fluxcd.io/name: web",
        "team: x",
        "name: before",
        "name: try",
    ] {
        assert!(first.out.contains(part), "{part}\n{}", first.out);
    }
    let flags = ["--no-hooks", "--skip-crds", "-o", "json"];
    let chart = ["--chart", "web-1.2.0.tgz"];
    let second = render(folder, &[&files[..], &chart, &flags].concat()).await;
    assert_eq!(second.status, Some(0), "{}", second.err);
    let lines: Vec<Value> = second
        .out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["release"], "apps/web");
    assert_eq!(lines[0]["object"]["kind"], "ConfigMap");
    let third = render(folder, &[&files[..], &local].concat()).await;
    assert_eq!(first.out, third.out, "the same again");
    Ok(())
}

#[tokio::test]
async fn a_chart_of_a_repository_is_taken_from_the_checkout_or_fetched() -> Result<()> {
    let repository = Repository::new()?;
    repository.write(
        "charts/web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    )?;
    repository.write("charts/web/values.yaml", VALUES)?;
    repository.write("charts/web/templates/map.yaml", MAP)?;
    repository.write("charts/prod.yaml", "text: from the root\n")?;
    repository.commit("a chart")?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let chart = json!({ "spec": {
        "chart": "./charts/web",
        "sourceRef": { "kind": "GitRepository", "name": "fleet" },
        "valuesFiles": ["charts/web/values.yaml", "charts/prod.yaml"],
    }});
    let mut object = release("apps", json!({ "chart": chart, "valuesFrom": [] }));
    object["metadata"]["name"] = "other".into();
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "name": "fleet", "namespace": "apps" },
        "spec": { "interval": "1h", "url": repository.url(), "ref": { "branch": "main" } },
    });
    write(folder, "all.yaml", format!("{object}\n---\n{source}\n"));
    let fetched = render(folder, &["all.yaml"]).await;
    assert_eq!((fetched.status, fetched.err.as_str()), (Some(0), ""));
    assert!(
        fetched.out.contains("text: from the root"),
        "{}",
        fetched.out
    );

    // In a checkout of that repository, the files at hand count.
    let checkout = folder.join("checkout");
    std::fs::create_dir_all(checkout.join(".git"))?;
    std::fs::create_dir_all(checkout.join("charts/web/templates"))?;
    let config = format!("[remote \"origin\"]\n\turl = {}\n", repository.url());
    write(&checkout, ".git/config", config);
    let files = [
        (
            "charts/web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.2.0\n",
        ),
        ("charts/web/values.yaml", VALUES),
        ("charts/web/templates/map.yaml", MAP),
        ("charts/prod.yaml", "text: at hand\n"),
    ];
    files
        .iter()
        .for_each(|(name, text)| write(&checkout, name, text));
    write(&checkout, "all.yaml", format!("{object}\n---\n{source}\n"));
    let near = render(&checkout, &["all.yaml", "--offline"]).await;
    assert_eq!(near.status, Some(0), "{}", near.err);
    assert!(
        near.err.contains("GitRepository/apps/fleet is taken from"),
        "{}",
        near.err
    );
    assert!(near.out.contains("text: at hand"), "{}", near.out);
    Ok(())
}

#[tokio::test]
#[ignore = "needs docker-registry"]
async fn the_digest_of_an_artifact_is_part_of_the_version() -> Result<()> {
    let registry = RegistryServer::start().await?;
    let image = format!("{}/charts/web:1.0.0", registry.host());
    let shown = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  \
                 version: {{ .Chart.Version }}\n";
    let packed = chart("web", "1.0.0", &[("templates/map.yaml", shown)])?;
    let digest = artifacts::push(&image, HELM, &packed, json!({})).await?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let fields = json!({
        "chartRef": { "kind": "OCIRepository", "name": "web" },
        "valuesFrom": [],
        "postRenderers": [],
    });
    let mut object = release("apps", fields);
    let spec = object["spec"].as_object_mut().context("a map")?;
    spec.remove("chart");
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository",
        "metadata": { "name": "web", "namespace": "apps" },
        "spec": {
            "interval": "1h", "insecure": true, "ref": { "semver": "1.x" },
            "url": format!("oci://{}/charts/web", registry.host()),
            "layerSelector": { "mediaType": HELM[1], "operation": "copy" },
        },
    });
    write(folder, "all.yaml", format!("{object}\n---\n{source}\n"));
    let printed = render(folder, &["all.yaml"]).await;
    assert_eq!((printed.status, printed.err.as_str()), (Some(0), ""));
    let digest = digest.to_string();
    let hex = digest.strip_prefix("sha256:").context("a digest")?;
    let version = format!("version: 1.0.0+{}", &hex[..12]);
    assert!(printed.out.contains(&version), "{}", printed.out);

    // A copy on this machine has no digest.
    write(folder, "web.tgz", &packed);
    let local = [
        "all.yaml",
        "--offline",
        "--local-sources",
        "OCIRepository/apps/web=web.tgz",
    ];
    let printed = render(folder, &local).await;
    assert_eq!(printed.status, Some(0), "{}", printed.err);
    assert!(printed.out.contains("version: 1.0.0\n"), "{}", printed.out);
    Ok(())
}

#[tokio::test]
async fn what_a_chart_lacks_is_not_fetched_offline() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    std::fs::create_dir(folder.join("web"))?;
    let description = "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- name: db\n  \
                       version: 1.x\n  repository: https://charts.example.com\n";
    write(folder, "web/Chart.yaml", description);
    let mut object = release("apps", json!({ "valuesFrom": [] }));
    object["spec"]["chart"]["spec"]["valuesFiles"] = json!([]);
    write(folder, "release.yaml", object.to_string());
    let flags = ["release.yaml", "--chart", "web", "--offline"];
    let printed = render(folder, &flags).await;
    assert_eq!((printed.status, printed.out.as_str()), (Some(1), ""));
    for part in [
        "dependency `db`",
        "nothing may be fetched",
        "helm dependency build",
    ] {
        assert!(printed.err.contains(part), "{}", printed.err);
    }
    Ok(())
}

#[tokio::test]
async fn mistakes_are_named_and_secrets_are_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    write(folder, "web.tgz", packed()?);
    let told = async |object: Value, more: &str| -> String {
        write(folder, "release.yaml", format!("{object}\n---\n{more}\n"));
        let printed = render(folder, &["release.yaml", "--chart", "web.tgz"]).await;
        assert_eq!((printed.status, printed.out.as_str()), (Some(1), ""));
        assert!(printed.err.contains("hint: "), "{}", printed.err);
        printed.err
    };
    let secret = |text: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "s", "namespace": "apps" },
            "stringData": { "values.yaml": text },
        })
        .to_string()
    };
    let from = json!({ "valuesFrom": [{ "kind": "Secret", "name": "s" }] });
    let missing = told(release("apps", from.clone()), "").await;
    assert!(missing.contains("HelmRelease apps/web"), "{missing}");
    assert!(
        missing.contains("'apps/s' with key 'values.yaml'"),
        "{missing}"
    );
    for text in ["s3cr3t-word: [", "s3cr3t-word"] {
        let broken = told(release("apps", from.clone()), &secret(text)).await;
        assert!(broken.contains("since it is secret"), "{broken}");
        assert!(!broken.contains("s3cr3t"), "{broken}");
    }

    let other = json!({ "chartRef": { "kind": "OCIRepository", "name": "x" }, "valuesFrom": [] });
    let mut object = release("apps", other);
    object["spec"]
        .as_object_mut()
        .expect("a map")
        .remove("chart");
    write(folder, "release.yaml", object.to_string());
    let printed = render(folder, &["release.yaml"]).await;
    let text = "spec.chartRef names OCIRepository/apps/x, which is not in the files";
    assert!(printed.err.contains(text), "{}", printed.err);

    object["spec"]["chartRef"]["kind"] = "Ark".into();
    write(folder, "release.yaml", object.to_string());
    let printed = render(folder, &["release.yaml"]).await;
    assert!(printed.err.contains("release.yaml:1"), "{}", printed.err);
    assert!(
        printed.err.contains("spec.chartRef.kind"),
        "{}",
        printed.err
    );
    Ok(())
}
