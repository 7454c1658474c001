//! What goes over the wire: as little as can be, and nothing that is damaged is taken.

use bulkhead_source::FetchError;
use bulkhead_testing::git::{Fault, HttpServer, Repository};

use super::{error, home, new, request, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_rests_costs_one_listing() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let (home, request) = (home(), request(server.url()));
    let revision = new(&home, &request).await.revision;
    server.take_requests();
    assert!(home.is_unchanged(&request, &revision).await);
    let requests = server.take_requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.is_ls_refs())
            .count(),
        1
    );
    assert!(String::from_utf8_lossy(&requests[1].body).contains("ref-prefix refs/heads/main"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_head_builds_on_the_last() {
    let repository = Repository::new().unwrap();
    for file in 0..50 {
        repository
            .write(&format!("f{file}"), format!("{file}").repeat(100))
            .unwrap();
    }
    repository.commit("first").unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let (home, mut request) = (home(), request(server.url()));
    new(&home, &request).await;
    let first = repository.head().unwrap();
    repository.write("f7", "new").unwrap();
    repository.commit("second").unwrap();
    server.take_requests();
    // A commit, a tree and a blob.
    request.limits.objects = 3;
    assert_eq!(text(&new(&home, &request).await, "f7"), "new");
    let requests = server.take_requests();
    let fetch = requests.iter().find(|request| request.is_fetch()).unwrap();
    let body = String::from_utf8_lossy(&fetch.body);
    assert!(
        body.contains(&format!("have {first}")) && body.contains("deepen 1"),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_history_is_followed() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let (home, request) = (home(), request(server.url()));
    for content in ["2", "3", "4"] {
        new(&home, &request).await;
        repository.write("a", content).unwrap();
        repository.git(["add", "--all"]).unwrap();
        repository
            .git(["commit", "--quiet", "--amend", "-m", content])
            .unwrap();
        repository
            .git(["reflog", "expire", "--expire=now", "--all"])
            .unwrap();
        repository.git(["gc", "--quiet", "--prune=now"]).unwrap();
        assert_eq!(text(&new(&home, &request).await, "a"), content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_is_refused() {
    let repository =
        Repository::with_files([("a", "some text that is long enough to flip a bit in")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let (home, request) = (home(), request(server.url()));
    for fault in [
        Fault::FlippedByte,
        Fault::Truncated(120),
        Fault::Truncated(0),
    ] {
        server.fail(Some(fault.clone()));
        let error = error(&home, &request).await;
        assert!(
            matches!(error, FetchError::Protocol { .. }),
            "{fault:?}: {error}"
        );
    }
    server.fail(None);
    new(&home, &request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_fetches_of_one_repository_share_the_work() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let home = std::sync::Arc::new(home());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (home, request) = (home.clone(), request(server.url()));
        tasks.spawn(async move { text(&new(&home, &request).await, "a") });
    }
    assert!(tasks.join_all().await.iter().all(|text| text == "1"));
    assert_eq!(
        server
            .take_requests()
            .iter()
            .filter(|request| request.is_fetch())
            .count(),
        1
    );
}
