//! `bulkhead render kustomize`: what it prints, and how it fails.

#![allow(clippy::disallowed_methods, reason = "a test looks at files")]

use std::path::Path;

use crate::command::bulkhead;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

#[test]
fn the_example_renders_twice_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/simple-web-server/overlays/dev"
    );
    let first = bulkhead(folder.path(), &["render", "kustomize", example]);
    assert_eq!((first.status, first.err.as_str()), (Some(0), ""));
    assert!(
        first.out.contains("name: web-content-ffgtgf6mck\n"),
        "{}",
        first.out
    );
    assert_eq!(first.out.matches("\n---\n").count(), 4);
    let second = bulkhead(folder.path(), &["render", "kustomize", example]);
    assert_eq!(first.out, second.out);
}

#[test]
fn one_file_an_object_goes_into_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/simple-web-server/overlays/dev"
    );
    std::fs::create_dir(folder.path().join("out")).expect("a folder");
    let printed = bulkhead(
        folder.path(),
        &["render", "kustomize", example, "-o", "out"],
    );
    assert_eq!(printed.status, Some(0), "{}", printed.err);
    assert!(
        folder
            .path()
            .join("out/apps_v1_deployment_web.yaml")
            .exists()
    );
    assert!(folder.path().join("out/v1_namespace_dev.yaml").exists());
}

#[test]
fn mistakes_name_the_file_and_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        &[
            ("missing/kustomization.yaml", "resources: [gone.yaml]\n"),
            ("broken/kustomization.yaml", "resources: [a.yaml]\n"),
            ("broken/a.yaml", "a: [1\n"),
            ("cycle/kustomization.yaml", "resources: [../cycle]\n"),
            (
                "outside/kustomization.yaml",
                "resources: [../../../../../../../../etc]\n",
            ),
            ("unknown/kustomization.yaml", "resorces: []\n"),
            ("empty/readme.md", "nothing\n"),
        ],
    );
    for (directory, words) in [
        ("missing", "gone.yaml"),
        ("broken", "a.yaml"),
        ("cycle", "cycle"),
        ("unknown", "resorces"),
        ("empty", "kustomization"),
        ("nowhere", "nowhere"),
    ] {
        let printed = bulkhead(
            folder.path(),
            &["render", "kustomize", directory, "--root", "."],
        );
        assert_eq!(printed.status, Some(1), "{directory}: {}", printed.out);
        assert!(
            printed.err.starts_with("error: "),
            "{directory}: {}",
            printed.err
        );
        assert!(printed.err.contains(words), "{directory}: {}", printed.err);
        assert_eq!(printed.out, "", "{directory}");
    }
    let outside = bulkhead(
        folder.path(),
        &["render", "kustomize", "outside", "--root", "."],
    );
    assert_eq!(outside.status, Some(1), "{}", outside.out);
}

#[test]
fn a_wrong_command_line_has_a_status_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(
        bulkhead(folder.path(), &["render", "kustomize", "--reorder", "odd"]).status,
        Some(2)
    );
    assert_eq!(bulkhead(folder.path(), &["install"]).status, Some(2));
    assert_eq!(bulkhead(folder.path(), &["--version"]).status, Some(0));
}
