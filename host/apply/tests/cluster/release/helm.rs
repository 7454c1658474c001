//! The real `helm` beside us: what one does, the other reads and goes on with.
//!
//! `make cluster-programs` builds it.

#![allow(
    clippy::disallowed_methods,
    reason = "a test runs the program and looks at its files"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bulkhead_apply::release::{Rollback, Status, Test, Uninstall, release_digest};
use serde_json::Value;

use super::{Scene, content, error, hook, map};

/// Runs `helm` in the namespace of the scene; returns what it printed.
pub(super) struct Program<'a> {
    path: PathBuf,
    scene: &'a Scene,
}

impl<'a> Program<'a> {
    pub(super) fn of(scene: &'a Scene) -> Self {
        let path = bulkhead_testing::cluster::helm().unwrap();
        Self { path, scene }
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let home = tempfile::tempdir().unwrap();
        let namespace = &self.scene.target.namespace;
        let Output {
            stdout,
            stderr,
            status,
        } = Command::new(&self.path)
            .args(arguments)
            .args(["--namespace", namespace, "--kubeconfig"])
            .arg(self.scene.server.kubeconfig())
            .env("HOME", home.path())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if status.success() {
            Ok(text(stdout))
        } else {
            Err(text(stderr))
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let printed = self
            .run(&[arguments, &["--output", "json"]].concat())
            .unwrap();
        serde_json::from_str(&printed).unwrap()
    }
}

fn chart(folder: &Path) {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: '9'\n",
    );
    write("values.yaml", "key: one\n");
    write(
        "templates/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {key: '{{ .Values.key }}'}\n",
    );
    write("templates/NOTES.txt", "Hello <{{ .Release.Name }}>\n");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn helm_reads_and_changes_what_we_made() {
    let scene = Scene::new("ours").await;
    let helm = Program::of(&scene);
    let (a, b) = (map("a", "1"), map("b", "1"));
    let probe = hook("probe", "test", "before-hook-creation");
    let all = [
        ("a", a.as_str()),
        ("b", b.as_str()),
        ("probe", probe.as_str()),
    ];
    assert_eq!(error(&scene.install(content("1.0.0", &all)).await), "");
    assert_eq!(error(&scene.upgrade(content("1.1.0", &all[..1])).await), "");

    let list = helm.json(&["list"]);
    assert_eq!(list[0]["name"], "app");
    assert_eq!(
        (&list[0]["status"], &list[0]["chart"]),
        (&"deployed".into(), &"web-1.1.0".into())
    );
    let history = helm.json(&["history", "app"]);
    assert_eq!(history[0]["status"], "superseded");
    assert_eq!(history[1]["description"], "Upgrade complete");
    assert_eq!(helm.json(&["get", "values", "app"])["text"], "<é>");
    let stored = scene.helm.storage().last("app").await.unwrap().unwrap();
    let manifest = helm.run(&["get", "manifest", "app"]).unwrap();
    assert_eq!(manifest.trim_end(), stored.manifest.trim_end());
    assert!(helm.run(&["get", "all", "app"]).unwrap().contains("Hello"));
    assert_eq!(helm.json(&["status", "app"])["info"]["status"], "deployed");

    helm.run(&["rollback", "app", "1", "--force-conflicts"])
        .unwrap();
    assert_eq!(
        scene.records().await,
        ["1 superseded", "2 superseded", "3 deployed"]
    );
    assert_eq!(scene.names().await, ["a", "b"]);
    helm.run(&["test", "app"]).unwrap();
    let stored = scene.helm.storage().last("app").await.unwrap().unwrap();
    assert_eq!(stored.hooks[0].last_run.phase, "Succeeded");
    helm.run(&["uninstall", "app"]).unwrap();
    assert_eq!(
        (scene.secrets().await, scene.names().await),
        (0, vec!["probe".to_owned()])
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn we_read_and_change_what_helm_made() {
    let scene = Scene::new("theirs").await;
    let helm = Program::of(&scene);
    let folder = tempfile::tempdir().unwrap();
    chart(folder.path());
    let path = folder.path().to_str().unwrap();
    helm.run(&[
        "install",
        "app",
        path,
        "--set",
        "key=two,list={1,2.5},nil=null",
    ])
    .unwrap();
    let stored = scene.helm.storage().last("app").await.unwrap().unwrap();
    assert_eq!(stored.info.status, Status::Deployed);
    assert_eq!(stored.info.notes, "Hello <app>\n");
    assert!(stored.is_server_side());
    assert_eq!(stored.chart.as_ref().unwrap().metadata().app_version, "9");
    assert_eq!(stored.config["key"], "two");
    // What we write of it is what Helm has written: the digest of both is one.
    let again = bulkhead_apply::release::encode(&stored).unwrap();
    let again = bulkhead_apply::release::decode(again.as_bytes()).unwrap();
    assert_eq!(release_digest(&again, ""), release_digest(&stored, ""));

    let made = map("made", "three");
    let next = content("1.1.0", &[("map", &made), ("a", &map("a", "1"))]);
    assert_eq!(error(&scene.upgrade(next).await), "");
    assert_eq!(scene.records().await, ["1 superseded", "2 deployed"]);
    assert_eq!(helm.json(&["list"])[0]["revision"], "2");
    let rollback = Rollback {
        version: 1,
        ..Rollback::default()
    };
    let done = scene
        .helm
        .rollback(&scene.target, &rollback, std::future::pending())
        .await;
    assert_eq!(error(&done), "");
    assert_eq!(scene.names().await, ["made"]);
    assert_eq!(
        helm.json(&["history", "app"])[2]["description"],
        "Rollback to 1"
    );
    helm.run(&["upgrade", "app", path, "--force-conflicts"])
        .unwrap();
    assert_eq!(
        scene.records().await.last().map(String::as_str),
        Some("4 deployed")
    );
    assert_eq!(
        error(&scene.helm.test(&scene.target, &Test::default()).await),
        ""
    );
    let done = scene
        .helm
        .uninstall(&scene.target, &Uninstall::default())
        .await;
    assert_eq!(error(&done), "");
    assert!(helm.json(&["list"]).as_array().unwrap().is_empty());
    assert_eq!(scene.names().await, [""; 0]);
}
