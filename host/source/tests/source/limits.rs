//! Each limit at its value and one below what is there.

use std::time::{Duration, Instant};

use bulkhead_source::{FetchError, GitRequest, Limits};
use bulkhead_testing::git::{Fault, HttpServer, Repository, SshServer};

use super::{error, home, new, request};

type Change = fn(&mut Limits, u64);

/// Fetches with the limit at `exact`, which passes, and at one less, which names the limit.
async fn at_and_past(request: &GitRequest, name: &str, exact: u64, change: Change) {
    let mut request = request.clone();
    change(&mut request.limits, exact);
    new(&home(), &request).await;
    change(&mut request.limits, exact - 1);
    match error(&home(), &request).await {
        FetchError::Limit { limit, allowed, .. } => assert_eq!((limit, allowed), (name, exact - 1)),
        other => panic!("{name}: {}", bulkhead_api::chain(&other)),
    }
}

fn repository() -> Repository {
    let big = "0123456789".repeat(20);
    let files = [
        ("a/b/c/deep.yaml", "12345"),
        ("big", big.as_str()),
        (".sourceignore", "# four\n"),
    ];
    Repository::with_files(files).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_tree() {
    let repository = repository();
    let request = request(&repository.url());
    at_and_past(&request, "files", 3, |limits, value| {
        limits.files = value as usize
    })
    .await;
    at_and_past(&request, "entries", 6, |limits, value| {
        limits.entries = value as usize
    })
    .await;
    at_and_past(&request, "depth", 3, |limits, value| {
        limits.depth = value as usize
    })
    .await;
    at_and_past(&request, "file_bytes", 200, |limits, value| {
        limits.file_bytes = value
    })
    .await;
    at_and_past(&request, "tree_bytes", 212, |limits, value| {
        limits.tree_bytes = value
    })
    .await;
    at_and_past(&request, "ignore_bytes", 7, |limits, value| {
        limits.ignore_bytes = value
    })
    .await;
    at_and_past(&request, "references", 1, |limits, value| {
        limits.references = value as usize
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ignored_files_do_not_count() {
    let repository = repository();
    let mut request = request(&repository.url());
    request.ignore = Some("big\n".to_owned());
    request.limits.file_bytes = 10;
    request.limits.files = 2;
    new(&home(), &request).await;
    request.limits.ignore_bytes = 3;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit {
            limit: "ignore_bytes",
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_pack() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    let request = request(server.url());
    // 3 blobs, 4 trees, 1 commit.
    at_and_past(&request, "objects", 8, |limits, value| {
        limits.objects = value
    })
    .await;
    let commit: u64 = repository
        .git(["cat-file", "-s", "HEAD"])
        .unwrap()
        .parse()
        .unwrap();
    assert!(commit < 200);
    at_and_past(&request, "object_bytes", 200, |limits, value| {
        limits.object_bytes = value
    })
    .await;
    let listed = repository
        .git([
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objectsize)",
        ])
        .unwrap();
    let unpacked = listed
        .lines()
        .map(|line| line.parse::<u64>().unwrap())
        .sum();
    at_and_past(&request, "unpacked_bytes", unpacked, |limits, value| {
        limits.unpacked_bytes = value
    })
    .await;
    at_and_past(&request, "references", 1, |limits, value| {
        limits.references = value as usize
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_packs_bytes_are_limited() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut request = request(server.url());
    let passes = |request: GitRequest| async move { home().store.fetch(&request, None).await };
    let mut low = 1;
    let mut high = 10_000;
    while high - low > 1 {
        request.limits.pack_bytes = (low + high) / 2;
        match passes(request.clone()).await {
            Ok(_) => high = request.limits.pack_bytes,
            Err(FetchError::Limit {
                limit: "pack_bytes",
                ..
            }) => low = request.limits.pack_bytes,
            Err(other) => panic!("{}", bulkhead_api::chain(&other)),
        }
    }
    assert!((300..2000).contains(&high), "{high}");
    request.limits.answer_bytes = 10;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit {
            limit: "answer_bytes",
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let repository = Repository::new().unwrap();
    repository
        .write("zeros", vec![0; 4 * 1024 * 1024 + 1])
        .unwrap();
    for copy in 0..4 {
        let mut content = vec![0; 1024 * 1024];
        content[copy] = 1;
        repository.write(&format!("copy{copy}"), content).unwrap();
    }
    repository.commit("bomb").unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut request = request(server.url());
    request.limits.object_bytes = 4 * 1024 * 1024;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit {
            limit: "object_bytes",
            ..
        }
    ));
    request.limits.object_bytes += 1;
    request.limits.unpacked_bytes = 6 * 1024 * 1024;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit {
            limit: "unpacked_bytes",
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_count_with_what_they_make() {
    let repository = Repository::new().unwrap();
    let line: String = (0..3000).map(|i| format!("{}\n", i * 7919)).collect();
    for copy in 0..20 {
        repository
            .write(&format!("f{copy}"), format!("{line}{copy}"))
            .unwrap();
    }
    repository.commit("alike").unwrap();
    repository.git(["repack", "-adq"]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut request = request(server.url());
    request.limits.unpacked_bytes = 10 * line.len() as u64;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Limit {
            limit: "unpacked_bytes",
            ..
        }
    ));
    request.limits.unpacked_bytes = 25 * line.len() as u64;
    new(&home(), &request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_limited() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    server.fail(Some(Fault::Redirect(302, server.base().to_owned())));
    let error = error(&home(), &request(server.url())).await;
    assert!(
        matches!(
            error,
            FetchError::Limit {
                limit: "redirects",
                allowed: 5,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(server.take_requests().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_cut() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    server.fail(Some(Fault::Silence));
    let identity = SshServer::start(&repository).unwrap().identity.clone();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ssh = format!("ssh://git@{}/repo", silent.local_addr().unwrap());
    for url in [server.url(), ssh.as_str()] {
        let mut request = request(url);
        if url.starts_with("ssh") {
            request.credentials = super::secure_shell::credentials(&identity, "x y");
        }
        request.timeout = Duration::from_millis(300);
        let start = Instant::now();
        let error = error(&home(), &request).await;
        assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(2));
        assert_eq!(error.advice().hint.unwrap(), "raise `spec.timeout`");
    }
}
