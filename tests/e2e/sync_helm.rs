//! `bulkhead sync` with HelmReleases: charts of a web server and of Git become files.

#![allow(clippy::disallowed_methods, reason = "a test looks at files")]

use std::path::{Path, PathBuf};

use anyhow::Result;
use bulkhead_testing::git::Repository;
use serde_json::{Value, json};

use crate::artifacts::chart;
use crate::command::{Printed, bulkhead};
use crate::shelf::Shelf;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n\
                   data:\n  text: {{ .Values.text | quote }}\n";
const KEPT: &str = "{{ if .Values.all }}apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\n  \
                    annotations: {helm.sh/resource-policy: keep}\n---\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: gone\n{{ end }}";
const HOOK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: before\n  \
                    annotations: {helm.sh/hook: pre-install}\n";
const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                   metadata:\n  name: things.x.example\nspec:\n  group: x.example\n  \
                   names: {kind: Thing, plural: things}\n  scope: Namespaced\n  versions: []\n";

fn release(name: &str, fields: Value) -> Value {
    let mut object = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": { "name": name, "namespace": "apps" },
        "spec": { "interval": "1m", "targetNamespace": "web", "releaseName": name },
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    object
}

fn source(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind,
        "metadata": { "name": name, "namespace": "apps" },
        "spec": spec,
    })
}

fn write(folder: &Path, objects: &[Value]) {
    let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("fleet.yaml"), texts.join("\n---\n")).expect("a file");
}

/// Runs the command while this process answers it.
async fn sync(folder: &Path) -> Printed {
    let folder: PathBuf = folder.to_owned();
    let flags = ["-f", "fleet.yaml", "--to", "state", "--once", "-o", "json"];
    let run = move || bulkhead(&folder, &[&["sync"], &flags[..]].concat());
    tokio::task::spawn_blocking(run).await.expect("it ran")
}

fn exists(folder: &Path, file: &str) -> bool {
    folder.join("state").join(file).exists()
}

#[tokio::test]
async fn releases_become_files() -> Result<()> {
    let shelf = Shelf::open().await?;
    let files = [
        ("values.yaml", "text: one\nall: true\n"),
        ("templates/map.yaml", MAP),
        ("templates/kept.yaml", KEPT),
        ("templates/hook.yaml", HOOK),
        ("crds/thing.yaml", CRD),
    ];
    let packed = chart("web", "1.0.0", &files)?;
    shelf.put_charts(&[("web", "1.0.0", &packed)]);
    let repository = Repository::new()?;
    repository.write(
        "charts/db/Chart.yaml",
        "apiVersion: v2\nname: db\nversion: 0.1.0\n",
    )?;
    repository.write("charts/db/values.yaml", "text: git\n")?;
    repository.write("charts/db/templates/map.yaml", MAP)?;
    repository.commit("a chart")?;
    let of = |kind: &str, name: &str, chart: &str| json!({ "spec": { "chart": chart, "sourceRef": { "kind": kind, "name": name } } });
    let web = |values: Value| {
        let chart = of("HelmRepository", "charts", "web");
        let needs = json!([{ "name": "db" }]);
        release(
            "web",
            json!({ "chart": chart, "values": values, "dependsOn": needs }),
        )
    };
    let others = [
        source(
            "HelmRepository",
            "charts",
            json!({ "interval": "1h", "url": shelf.url() }),
        ),
        source(
            "GitRepository",
            "fleet",
            json!({ "interval": "1h", "url": repository.url(), "ref": { "branch": "main" } }),
        ),
        release(
            "db",
            json!({ "chart": of("GitRepository", "fleet", "./charts/db") }),
        ),
    ];
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    write(
        folder,
        &[&others[..], &[web(json!({ "text": "two" }))]].concat(),
    );
    let first = sync(folder).await;
    assert_eq!((first.status, first.err.as_str()), (Some(0), ""));
    let order: Vec<Value> = first
        .out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let ready: Vec<_> = order
        .iter()
        .filter(|line| line["kind"] == "HelmRelease")
        .map(|line| (line["name"].as_str(), line["revision"].as_str()))
        .collect();
    let wanted = [("apps/db", "db@0.1.0"), ("apps/web", "web@1.0.0")];
    assert_eq!(ready, wanted.map(|(name, at)| (Some(name), Some(at))));
    let map = std::fs::read_to_string(folder.join("state/web/configmap/web.yaml"))?;
    assert!(map.contains("text: two"), "{map}");
    assert!(map.contains("helm.toolkit.fluxcd.io/name: web"), "{map}");
    let crd = "_cluster/customresourcedefinition.apiextensions.k8s.io/things.x.example.yaml";
    for file in ["web/configmap/db.yaml", "web/configmap/gone.yaml", crd] {
        assert!(exists(folder, file), "{file}");
    }
    assert!(!exists(folder, "web/configmap/before.yaml"), "a hook");

    // What is not there any more goes, but for what Helm keeps.
    let crds = json!({ "crds": "Skip" });
    let mut less = web(json!({ "all": false }));
    less["spec"]["install"] = crds;
    write(folder, &[&others[..], &[less]].concat());
    let second = sync(folder).await;
    assert_eq!((second.status, second.err.as_str()), (Some(0), ""));
    assert!(!exists(folder, "web/configmap/gone.yaml"));
    for file in ["web/configmap/kept.yaml", "web/configmap/web.yaml", crd] {
        assert!(exists(folder, file), "{file}");
    }

    // A failure is told with what to do, and touches nothing.
    let from = json!({ "valuesFrom": [{ "kind": "Secret", "name": "none" }] });
    let mut broken = web(json!({}));
    broken["spec"]["valuesFrom"] = from["valuesFrom"].clone();
    write(folder, &[&others[..], &[broken]].concat());
    let third = sync(folder).await;
    assert_eq!(third.status, Some(1));
    assert!(third.out.contains("ValuesError"), "{}", third.out);
    assert!(exists(folder, "web/configmap/web.yaml"));
    Ok(())
}
