//! Commits that Git's own program would not make: each is refused, or harmless.

use bulkhead_source::{FetchError, TreeProblem};
use bulkhead_testing::git::{HttpServer, Repository};

use super::{error, home, names, new, request};

fn is_forbidden(error: &FetchError) -> bool {
    matches!(error, FetchError::Tree(TreeProblem::Forbidden(..)))
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_elsewhere_are_refused() {
    let bad: [&[u8]; 14] = [
        b"..",
        b".",
        b"",
        b".git",
        b".GIT",
        b".git ",
        b".git.",
        b".git...",
        b"git~1",
        b"GIT~1",
        b".git::$INDEX_ALLOCATION",
        ".g\u{200c}it".as_bytes(),
        "\u{feff}.Git".as_bytes(),
        b"a/b",
    ];
    let repository = Repository::new().unwrap();
    let blob = repository.blob(b"x").unwrap();
    for name in bad {
        let below = repository.tree(&[("100644", b"config", &blob)]).unwrap();
        for (mode, id) in [("100644", &blob), ("40000", &below)] {
            // Deep inside, and ignored: it is refused all the same.
            let inner = repository.tree(&[(mode, name, id)]).unwrap();
            let tree = repository.tree(&[("40000", b"sub", &inner)]).unwrap();
            repository.commit_tree(&tree).unwrap();
            let mut request = request(&repository.url());
            request.ignore = Some("sub\n".to_owned());
            let error = error(&home(), &request).await;
            assert!(
                is_forbidden(&error),
                "{:?}: {error}",
                String::from_utf8_lossy(name)
            );
            assert_eq!(error.advice().reason, "InvalidPath");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_not_all_can_use_are_refused_unless_ignored() {
    let repository = Repository::new().unwrap();
    let blob = repository.blob(b"x").unwrap();
    let cases: [(&[u8], &str); 8] = [
        (b"CON", "`d/CON` has the name of a device"),
        (b"aux.txt", "`d/aux.txt` has the name of a device"),
        (b"nul", "`d/nul` has the name of a device"),
        (b"COM1.yaml", "`d/COM1.yaml` has the name of a device"),
        (
            b"a\\b",
            "`d/a\\b` has a backslash or a control character in its name",
        ),
        (
            b"..\\x",
            "`d/..\\x` has a backslash or a control character in its name",
        ),
        (
            b"a\x1b[31m",
            "`d/a\u{fffd}[31m` has a backslash or a control character in its name",
        ),
        (
            b"caf\xe9.yaml",
            "`d/caf\\xe9.yaml` has a name that is not UTF-8",
        ),
    ];
    for (name, expected) in cases {
        let folder = repository.tree(&[("100644", name, &blob)]).unwrap();
        let tree = repository
            .tree(&[("40000", b"d", &folder), ("100644", b"ok", &blob)])
            .unwrap();
        repository.commit_tree(&tree).unwrap();
        let mut request = request(&repository.url());
        assert_eq!(error(&home(), &request).await.to_string(), expected);
        request.ignore = Some("d/\n".to_owned());
        assert_eq!(names(&new(&home(), &request).await, ""), ["ok"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_absent_and_cannot_clash() {
    let repository = Repository::new().unwrap();
    let target = repository.blob(b".git").unwrap();
    let outside = repository.blob(b"/etc/passwd").unwrap();
    let blob = repository.blob(b"x").unwrap();
    let folder = repository
        .tree(&[("100755", b"post-checkout", &blob)])
        .unwrap();
    let plain = repository
        .tree(&[
            ("120000", b"a", &target),
            ("100644", b"b", &blob),
            ("120000", b"out", &outside),
        ])
        .unwrap();
    repository.commit_tree(&plain).unwrap();
    assert_eq!(
        names(&new(&home(), &request(&repository.url())).await, ""),
        ["b"]
    );

    let clash = repository
        .tree(&[("40000", b"A", &folder), ("120000", b"a", &target)])
        .unwrap();
    repository.commit_tree(&clash).unwrap();
    let refused = error(&home(), &request(&repository.url())).await;
    assert!(
        matches!(refused, FetchError::Tree(TreeProblem::LinkClash(_))),
        "{refused}"
    );

    let same = repository
        .tree(&[("40000", b"a", &folder), ("120000", b"a", &target)])
        .unwrap();
    repository.commit_tree(&same).unwrap();
    let refused = error(&home(), &request(&repository.url())).await;
    assert!(
        matches!(refused, FetchError::Tree(TreeProblem::Twice(_))),
        "{refused}"
    );

    let modules = repository
        .tree(&[("120000", b".gitmodules", &target)])
        .unwrap();
    repository.commit_tree(&modules).unwrap();
    assert!(is_forbidden(
        &error(&home(), &request(&repository.url())).await
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_is_an_empty_folder_or_refused() {
    let repository = Repository::new().unwrap();
    let blob = repository.blob(b"x").unwrap();
    let commit = "1".repeat(40);
    let tree = repository
        .tree(&[("100644", b"a", &blob), ("160000", b"module", &commit)])
        .unwrap();
    repository.commit_tree(&tree).unwrap();
    let mut request = request(&repository.url());
    let artifact = new(&home(), &request).await;
    assert_eq!(names(&artifact, ""), ["a", "module"]);
    assert!(names(&artifact, "module").is_empty());
    request.recurse_submodules = true;
    assert!(
        matches!(error(&home(), &request).await, FetchError::Submodule(path) if path == "module")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_two_trees_is_refused() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let tree = repository.git(["rev-parse", "HEAD^{tree}"]).unwrap();
    let empty = repository.tree(&[]).unwrap();
    let who = "Test <test@example.com> 1767225600 +0000";
    let raw = format!("tree {tree}\ntree {empty}\nauthor {who}\ncommitter {who}\n\nx\n");
    let commit = repository.object("commit", raw.as_bytes()).unwrap();
    repository
        .git(["update-ref", "refs/heads/main", &commit])
        .unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    for url in [server.url(), &repository.url()] {
        error(&home(), &request(url)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_in_itself_ends_at_the_depth() {
    let repository = Repository::new().unwrap();
    let mut tree = repository.tree(&[]).unwrap();
    for _ in 0..70 {
        tree = repository
            .tree(&[("40000", b"a", &tree), ("40000", b"b", &tree)])
            .unwrap();
    }
    repository.commit_tree(&tree).unwrap();
    // 2^70 paths from 70 objects.
    let mut request = request(&repository.url());
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit { limit: "depth", .. }
    ));
    request.limits.depth = 100;
    request.limits.entries = 10_000;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit {
            limit: "entries",
            ..
        }
    ));
}
