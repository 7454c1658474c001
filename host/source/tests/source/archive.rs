//! What is in a tree and in its archive.

use std::process::Command;

use bulkhead_api::SourceTree as _;
use bulkhead_source::write_archive;
use bulkhead_testing::git::Repository;

use super::{home, names, new, path, request, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_as_flux_demands_and_repeats() {
    let repository =
        Repository::with_files([("b/x.yaml", "1"), ("a.txt", "22"), ("b.png", "")]).unwrap();
    repository.write("run.sh", "#!/bin/sh\n").unwrap();
    repository.link("a.txt", "link").unwrap();
    repository.git(["add", "--all"]).unwrap();
    repository
        .git(["update-index", "--chmod=+x", "run.sh"])
        .unwrap();
    repository
        .git(["commit", "--quiet", "-m", "modes"])
        .unwrap();
    let home = home();
    let artifact = new(&home, &request(&repository.url())).await;
    let mut bytes = Vec::new();
    let archive = write_archive(&artifact.tree, &mut bytes).unwrap();
    assert_eq!(archive.size_bytes, bytes.len() as u64);
    assert_eq!(archive.digest, bulkhead_api::Digest::of(&bytes));
    assert_eq!(write_archive(&artifact.tree, Vec::new()).unwrap(), archive);

    let file = home.folder.path().join("a.tar.gz");
    std::fs::write(&file, bytes).unwrap();
    let listed = Command::new("tar")
        .args(["--numeric-owner", "--utc", "-tvzf"])
        .arg(file)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<String> = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "drwxr-x--- 0/0 0 1970-01-01 00:00 .",
            "-rw------- 0/0 2 1970-01-01 00:00 a.txt",
            "drwxr-x--- 0/0 0 1970-01-01 00:00 b",
            "-rw------- 0/0 1 1970-01-01 00:00 b/x.yaml",
            "-rwx------ 0/0 10 1970-01-01 00:00 run.sh",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ignored_files_are_left_out() {
    let repository = Repository::with_files([
        (".sourceignore", "/docs\n*.tmp\n"),
        ("docs/a.md", ""),
        ("app/a.yaml", ""),
        ("app/b.tmp", ""),
        ("app/.sourceignore", "!b.tmp\nsecret/\n"),
        ("app/secret/s.yaml", ""),
        ("pic.png", ""),
        (".gitignore", ""),
    ])
    .unwrap();
    let home = home();
    let mut request = request(&repository.url());
    let artifact = new(&home, &request).await;
    assert_eq!(names(&artifact, ""), [".sourceignore", "app", "pic.png"]);
    assert_eq!(
        names(&artifact, "app"),
        ["app/.sourceignore", "app/a.yaml", "app/b.tmp"]
    );
    request.ignore = Some("/*\n!/docs\n".to_owned());
    let other = home
        .store
        .load(&request, &artifact.revision)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(names(&other, ""), ["docs"]);
    assert_ne!(other.content, artifact.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_tell_what_changed() {
    let repository =
        Repository::with_files([("a/x", "1"), ("b/x", "1"), ("b/y.png", "1")]).unwrap();
    let home = home();
    let request = request(&repository.url());
    let first = new(&home, &request).await;
    let digest = |artifact: &bulkhead_source::Artifact, file| {
        artifact.tree.stat(&path(file)).unwrap().content
    };
    assert_eq!(digest(&first, "a/x"), digest(&first, "b/x"));
    assert_eq!(
        digest(&first, "a"),
        digest(&first, "b"),
        "what is ignored does not count"
    );
    repository.write("b/x", "2").unwrap();
    repository.commit("change\n\nbody").unwrap();
    let second = new(&home, &request).await;
    assert_eq!(second.commit_message, "change");
    assert_eq!(digest(&first, "a"), digest(&second, "a"));
    assert_ne!(digest(&first, "b"), digest(&second, "b"));
    assert_ne!(digest(&first, ""), digest(&second, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn sparse_checkout_keeps_what_starts_alike() {
    let repository =
        Repository::with_files([("a/x", "1"), ("ab/x", "2"), ("b/x", "3"), ("z", "4")]).unwrap();
    let home = home();
    let mut request = request(&repository.url());
    request.sparse_checkout = vec!["./a".to_owned()];
    let artifact = new(&home, &request).await;
    assert_eq!(names(&artifact, ""), ["a", "ab"]);
    assert_eq!(text(&artifact, "a/x"), "1");
    for (folder, problem) in [
        ("../x", "leads out of the repository"),
        ("a/../../x", "leads out of the repository"),
        ("/etc", "leads out of the repository"),
        ("..\\x", "leads out of the repository"),
        ("a\0", "leads out of the repository"),
        ("none", "does not exist in the repository"),
    ] {
        request.sparse_checkout = vec![folder.to_owned()];
        let error = super::error(&home, &request).await.to_string();
        assert!(error.ends_with(problem), "{folder:?}: {error}");
    }
    request.sparse_checkout = vec!["x".repeat(5000)];
    assert!(super::error(&home, &request).await.to_string().len() < 500);
}
