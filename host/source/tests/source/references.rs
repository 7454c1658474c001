//! `spec.ref`: branches, tags, versions, names, commits, and what is not there.

use bulkhead_source::{FetchError, GitRequest, Reference};
use bulkhead_testing::git::{HttpOptions, HttpServer, Repository};

use super::{error, home, new, request, text};

struct Fixture {
    repository: Repository,
    first: String,
    second: String,
}

/// Two commits; tags on the first, one of them annotated; a branch and a pull request.
fn fixture() -> Fixture {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let first = repository.head().unwrap();
    repository.git(["tag", "v1.0.0"]).unwrap();
    repository
        .git(["tag", "-a", "-m", "annotated", "v1.1.0"])
        .unwrap();
    repository.git(["tag", "v2.0.0-rc.1"]).unwrap();
    repository.git(["tag", "other"]).unwrap();
    repository.git(["branch", "feature/a"]).unwrap();
    repository
        .git(["update-ref", "refs/pull/1/head", "HEAD"])
        .unwrap();
    repository.write("a", "2").unwrap();
    let second = repository.commit("second").unwrap();
    Fixture {
        repository,
        first,
        second,
    }
}

async fn check_all(url: &str, fixture: &Fixture) {
    let home = home();
    let Fixture { first, second, .. } = fixture;
    let in_branch = Reference {
        commit: Some(first.clone()),
        ..Reference::branch("main")
    };
    let in_name = Reference {
        name: Some("refs/heads/main".into()),
        ..in_branch.clone()
    };
    for (reference, revision, content) in [
        (
            Reference::branch("main"),
            format!("main@sha1:{second}"),
            "2",
        ),
        (
            Reference::branch("feature/a"),
            format!("feature/a@sha1:{first}"),
            "1",
        ),
        (
            Reference::tag("v1.0.0"),
            format!("v1.0.0@sha1:{first}"),
            "1",
        ),
        (
            Reference::tag("v1.1.0"),
            format!("v1.1.0@sha1:{first}"),
            "1",
        ),
        (
            Reference::semver(">=1.0.0"),
            format!("v1.1.0@sha1:{first}"),
            "1",
        ),
        (
            Reference::semver(">=1.0.0-0"),
            format!("v2.0.0-rc.1@sha1:{first}"),
            "1",
        ),
        (
            Reference::name("refs/pull/1/head"),
            format!("refs/pull/1/head@sha1:{first}"),
            "1",
        ),
        (
            Reference::name("refs/tags/v1.1.0"),
            format!("refs/tags/v1.1.0@sha1:{first}"),
            "1",
        ),
        (
            Reference::name("refs/tags/v1.1.0^{}"),
            format!("refs/tags/v1.1.0^{{}}@sha1:{first}"),
            "1",
        ),
        (Reference::commit(first), format!("sha1:{first}"), "1"),
        (in_branch, format!("main@sha1:{first}"), "1"),
        (in_name, format!("refs/heads/main@sha1:{first}"), "1"),
    ] {
        let request = GitRequest {
            reference,
            ..request(url)
        };
        let artifact = new(&home, &request).await;
        assert_eq!(artifact.revision.to_string(), revision);
        assert_eq!(text(&artifact, "a"), content, "{revision}");
        assert!(
            home.is_unchanged(&request, &artifact.revision).await,
            "{revision}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_found_in_a_folder() {
    let fixture = fixture();
    check_all(&fixture.repository.url(), &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_found_over_http() {
    let fixture = fixture();
    let server = HttpServer::start(&fixture.repository).await.unwrap();
    check_all(server.url(), &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_found_in_the_first_protocol() {
    let fixture = fixture();
    let options = HttpOptions {
        first_protocol: true,
        ..Default::default()
    };
    let server = HttpServer::start_with(&fixture.repository, options)
        .await
        .unwrap();
    check_all(server.url(), &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_the_past_is_found_in_either_protocol() {
    for first_protocol in [false, true] {
        let fixture = fixture();
        for reference in [
            "refs/pull/1/head",
            "refs/heads/feature/a",
            "refs/tags/v1.0.0",
            "refs/tags/v1.1.0",
        ] {
            fixture
                .repository
                .git(["update-ref", "-d", reference])
                .unwrap();
        }
        for reference in ["refs/tags/other", "refs/tags/v2.0.0-rc.1"] {
            fixture
                .repository
                .git(["update-ref", "-d", reference])
                .unwrap();
        }
        let options = HttpOptions {
            first_protocol,
            ..Default::default()
        };
        let server = HttpServer::start_with(&fixture.repository, options)
            .await
            .unwrap();
        for reference in [
            Reference::commit(&fixture.first),
            Reference {
                commit: Some(fixture.first.clone()),
                ..Reference::branch("main")
            },
        ] {
            let request = GitRequest {
                reference,
                ..request(server.url())
            };
            assert_eq!(text(&new(&home(), &request).await, "a"), "1");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_what_is_like_it() {
    let fixture = fixture();
    let server = HttpServer::start(&fixture.repository).await.unwrap();
    for url in [server.url(), &fixture.repository.url()] {
        for (reference, expected, hint) in [
            (
                Reference::branch("mian"),
                "`mian` does not exist in",
                "there is `main`",
            ),
            (Reference::default(), "`master` does not exist in", "`main`"),
            (
                Reference::tag("v1.0"),
                "`v1.0` does not exist in",
                "there is `v1.0.0`",
            ),
            (
                Reference::name("refs/heads/mai"),
                "`refs/heads/mai` does not exist in",
                "`refs/heads/main`",
            ),
            (
                Reference::semver(">=3"),
                "has a version in `>=3`",
                "there is `v2.0.0-rc.1`, `v1.1.0`, `v1.0.0`",
            ),
        ] {
            let request = GitRequest {
                reference,
                ..request(url)
            };
            let error = error(&home(), &request).await;
            assert!(error.to_string().contains(expected), "{error}");
            let advice = error.advice();
            assert_eq!(advice.reason, "GitOperationFailed");
            assert!(advice.hint.as_ref().unwrap().contains(hint), "{advice:?}");
        }
    }
    let missing = GitRequest {
        reference: Reference::commit("1".repeat(40)),
        ..request(server.url())
    };
    let error = error(&home(), &missing).await;
    assert!(
        matches!(error, FetchError::ReferenceMissing { .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_is_named() {
    let repository = Repository::new().unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    for url in [server.url(), &repository.url()] {
        assert!(matches!(
            error(&home(), &request(url)).await,
            FetchError::Empty(_)
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_a_file_is_no_commit() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let blob = repository.blob(b"x").unwrap();
    repository.git(["tag", "file", &blob]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    for url in [server.url(), &repository.url()] {
        let request = GitRequest {
            reference: Reference::tag("file"),
            ..request(url)
        };
        let error = error(&home(), &request).await;
        assert!(
            matches!(
                error,
                FetchError::NotACommit { .. } | FetchError::Protocol { .. }
            ),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_equal_versions_the_youngest_counts() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    repository.git(["tag", "1.0.0+b"]).unwrap();
    repository.write("a", "2").unwrap();
    repository.git(["add", "--all"]).unwrap();
    let tree = repository.git(["write-tree"]).unwrap();
    let author = "Test <test@example.com>";
    let raw = format!(
        "tree {tree}\nauthor {author} 1900000000 +0000\ncommitter {author} 1900000000 +0000\n\nx\n"
    );
    let younger = repository.object("commit", raw.as_bytes()).unwrap();
    repository.git(["tag", "1.0.0+a", &younger]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let request = GitRequest {
        reference: Reference::semver("1.0.0"),
        ..request(server.url())
    };
    let home = home();
    let artifact = new(&home, &request).await;
    assert_eq!(
        artifact.revision.to_string(),
        format!("1.0.0+a@sha1:{younger}")
    );
    assert!(home.is_unchanged(&request, &artifact.revision).await);
}
