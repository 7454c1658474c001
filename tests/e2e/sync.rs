//! `bulkhead sync`: a repository and a directory, without a cluster.

#![allow(clippy::disallowed_methods, reason = "a test looks at files")]

use std::path::Path;

use bulkhead_testing::git::Repository;
use serde_json::Value;

use crate::command::{Printed, bulkhead};

const OBJECTS: &str = "resources: [a.yaml, b.yaml]\n";

fn object(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: dev\ndata:\n  key: {value}\n"
    )
}

/// A repository with one directory of two objects, and the resources that deliver it.
fn setup(folder: &Path) -> Repository {
    let repository = Repository::new().expect("a repository");
    repository
        .write("app/kustomization.yaml", OBJECTS)
        .expect("a file");
    repository
        .write("app/a.yaml", object("a", "one"))
        .expect("a file");
    repository
        .write("app/b.yaml", object("b", "one"))
        .expect("a file");
    repository.commit("first").expect("a commit");
    resources(folder, &repository, "");
    repository
}

fn resources(folder: &Path, repository: &Repository, more: &str) {
    let text = format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: web}}\n\
         spec: {{interval: 1m, url: '{}', ref: {{branch: main}}}}\n---\n\
         apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: app}}\n\
         spec: {{interval: 1m, prune: true, path: ./app, sourceRef: {{kind: GitRepository, name: web}}}}\n{more}",
        repository.url()
    );
    std::fs::write(folder.join("resources.yaml"), text).expect("a file");
}

fn sync(folder: &Path) -> Printed {
    bulkhead(
        folder,
        &[
            "sync",
            "-f",
            "resources.yaml",
            "--to",
            "state",
            "--once",
            "-o",
            "json",
        ],
    )
}

/// Returns `object action` for each object.
fn changes(printed: &Printed) -> Vec<String> {
    let lines = printed
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .filter(|line| line["object"].is_string())
        .map(|line| format!("{} {}", line["object"], line["action"]).replace('"', ""))
        .collect()
}

#[test]
fn a_commit_creates_configures_and_prunes() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = setup(folder.path());
    let first = sync(folder.path());
    assert_eq!(first.status, Some(0), "{}{}", first.out, first.err);
    assert_eq!(
        changes(&first),
        ["ConfigMap/dev/a created", "ConfigMap/dev/b created"]
    );

    let again = sync(folder.path());
    assert_eq!(
        changes(&again),
        ["ConfigMap/dev/a unchanged", "ConfigMap/dev/b unchanged"]
    );

    repository
        .write("app/kustomization.yaml", "resources: [a.yaml]\n")
        .expect("a file");
    repository
        .write("app/a.yaml", object("a", "two"))
        .expect("a file");
    repository.commit("second").expect("a commit");
    let second = sync(folder.path());
    assert_eq!(
        changes(&second),
        ["ConfigMap/dev/a configured", "ConfigMap/dev/b deleted"]
    );
}

#[test]
fn a_broken_commit_keeps_the_last_good_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = setup(folder.path());
    assert_eq!(sync(folder.path()).status, Some(0));
    repository.write("app/a.yaml", "a: [\n").expect("a file");
    repository.commit("broken").expect("a commit");
    let broken = sync(folder.path());
    assert_eq!(broken.status, Some(1));
    assert!(
        broken.out.contains("BuildFailed") && broken.out.contains("app/a.yaml"),
        "{}",
        broken.out
    );
    let files = std::fs::read_dir(folder.path().join("state"))
        .expect("a folder")
        .count();
    assert!(files > 0);
    assert!(
        find(&folder.path().join("state"), "a.yaml"),
        "the last good object is gone"
    );
}

#[test]
fn bad_inputs_are_named_and_hold_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = setup(folder.path());
    let other = |name: &str, spec: &str| {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}}}\n\
             spec: {{prune: true, sourceRef: {{kind: GitRepository, name: web}}, {spec}}}\n"
        )
    };
    let more = other("nowhere", "interval: 1m, path: ./nowhere")
        + &other("outside", "interval: 1m, path: ../../etc")
        + &other("forever", "interval: 99999999999h, path: ./app")
        + &other(
            "first",
            "interval: 1m, path: ./app, dependsOn: [{name: second}]",
        )
        + &other(
            "second",
            "interval: 1m, path: ./app, dependsOn: [{name: first}]",
        );
    resources(folder.path(), &repository, &more);
    let printed = sync(folder.path());
    assert_eq!(printed.status, Some(1), "{}", printed.err);
    assert_eq!(changes(&printed).len(), 2, "{}", printed.out);
    for words in ["nowhere", "outside", "spec.interval", "depends on itself"] {
        assert!(printed.out.contains(words), "{words}: {}", printed.out);
    }
}

#[test]
fn a_repository_that_is_not_there_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = setup(folder.path());
    resources(folder.path(), &repository, "");
    drop(repository);
    let printed = sync(folder.path());
    assert_eq!(printed.status, Some(1));
    assert!(
        printed.out.contains("\"reason\":\"GitOperationFailed\""),
        "{}",
        printed.out
    );
}

fn find(folder: &Path, name: &str) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .any(|entry| {
            let path = entry.path();
            if path.is_dir() {
                find(&path, name)
            } else {
                path.file_name().is_some_and(|n| n == name)
            }
        })
}

const DELIVERY: &str = "---\napiVersion: bulkhead.dev/v1alpha1\nkind: Delivery\nmetadata: {name: own}\n\
    spec: {interval: 1m, prune: true, path: own, plugin: {name: files}, \
    transformers: [{plugin: {name: team}}], sourceRef: {kind: GitRepository, name: web}}\n";

fn plugins() -> String {
    let plugin = |kind: &str, name: &str| {
        format!(
            "---\napiVersion: bulkhead.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n\
             spec: {{image: 'file://{name}.wasm'}}\n"
        )
    };
    plugin("Plugin", "files") + &plugin("ClusterPlugin", "team")
}

#[test]
fn a_delivery_is_rendered_by_a_component_beside_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = setup(folder.path());
    repository
        .write("own/app.yaml", object("own", "one"))
        .expect("a file");
    repository.commit("one more").expect("a commit");
    let write = |name: &str, bytes: Vec<u8>| {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    };
    write("team.wasm", crate::guests::labels());
    let more = plugins() + DELIVERY;
    resources(folder.path(), &repository, &more);

    // Without its component a plugin is not ready, and nothing else waits for it.
    let lacking = sync(folder.path());
    assert_eq!(lacking.status, Some(1));
    assert!(lacking.out.contains("PluginNotReady"), "{}", lacking.out);
    assert!(lacking.out.contains("files.wasm"), "{}", lacking.out);
    assert!(changes(&lacking).contains(&"ConfigMap/dev/a created".to_owned()));

    write("files.wasm", crate::guests::renderer());
    let done = sync(folder.path());
    assert_eq!(done.status, Some(0), "{}{}", done.out, done.err);
    assert!(changes(&done).contains(&"ConfigMap/dev/own created".to_owned()));
    let state = folder.path().join("state");
    assert!(contains(&state, "team: web"), "the transformer's label");
    assert!(
        contains(&state, "bulkhead.dev/name: own"),
        "the owner's label"
    );

    // What the plugin does not take is told by its field.
    let wrong = more.replace("path: own,", "path: own, config: {replicas: two},");
    resources(folder.path(), &repository, &wrong);
    let refused = sync(folder.path());
    assert_eq!(refused.status, Some(1));
    assert!(
        refused.out.contains("`spec.config`") && refused.out.contains("`replicas`"),
        "{}",
        refused.out
    );
}

/// Tells whether a file below `folder` contains `part`.
fn contains(folder: &Path, part: &str) -> bool {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .any(|path| {
            if path.is_dir() {
                contains(&path, part)
            } else {
                std::fs::read_to_string(&path).is_ok_and(|text| text.contains(part))
            }
        })
}
