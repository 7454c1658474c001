//! What happens to the store: restarts, damage, growth, clean-up.

use std::path::{Path, PathBuf};

use bulkhead_api::SourceTree as _;
use bulkhead_source::{Fetched, Location};
use bulkhead_testing::git::{HttpServer, Repository};

use super::{Home, home, new, path, request, text};

fn packs(home: &Home) -> Vec<PathBuf> {
    let mut found = Vec::new();
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "pack")
            {
                found.push(path);
            }
        }
    }
    walk(&home.folder.path().join("store"), &mut found);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_costs_nothing() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut home = home();
    let request = request(server.url());
    let revision = new(&home, &request).await.revision;
    home.restart();
    server.take_requests();
    assert!(home.is_unchanged(&request, &revision).await);
    assert!(
        !server
            .take_requests()
            .iter()
            .any(|request| request.is_fetch())
    );
    let artifact = home.store.load(&request, &revision).await.unwrap().unwrap();
    assert_eq!(text(&artifact, "a"), "1");
    assert!(server.take_requests().is_empty());
    let other = "main@sha1:1111111111111111111111111111111111111111"
        .parse()
        .unwrap();
    assert!(home.store.load(&request, &other).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_store_is_filled_again() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut home = home();
    let request = request(server.url());
    let revision = new(&home, &request).await.revision;
    std::fs::remove_dir_all(home.folder.path().join("store")).unwrap();
    home.restart();
    assert!(
        home.store
            .load(&request, &revision)
            .await
            .unwrap()
            .is_none()
    );
    let fetched = home.store.fetch(&request, Some(&revision)).await.unwrap();
    assert!(matches!(fetched, Fetched::New(artifact) if text(&artifact, "a") == "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_are_noticed_and_fetched_again() {
    let repository = Repository::new().unwrap();
    // Content that does not compress: a flipped bit changes it instead of breaking the stream.
    let noise: Vec<u8> = (0..40_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    repository.write("noise", &noise).unwrap();
    repository.commit("noise").unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut home = home();
    let request = request(server.url());
    let revision = new(&home, &request).await.revision;
    home.restart();
    let pack = packs(&home).remove(0);
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = std::fs::metadata(&pack).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&pack, permissions).unwrap();
    std::fs::write(&pack, bytes).unwrap();

    let artifact = home.store.load(&request, &revision).await.unwrap().unwrap();
    assert!(artifact.tree.read(&path("noise")).is_err());
    let fetched = home.store.fetch(&request, Some(&revision)).await.unwrap();
    let Fetched::New(artifact) = fetched else {
        panic!("unchanged")
    };
    assert_eq!(artifact.tree.read(&path("noise")).unwrap(), noise);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_pack_is_fetched_again() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let mut home = home();
    let request = request(server.url());
    new(&home, &request).await;
    home.restart();
    for pack in packs(&home) {
        std::fs::remove_file(pack.with_extension("idx")).unwrap();
        std::fs::remove_file(pack).unwrap();
    }
    assert_eq!(text(&new(&home, &request).await, "a"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_grows_starts_anew() {
    let repository = Repository::with_files([("a", "0")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let home = home();
    let mut request = request(server.url());
    request.limits.store_bytes = 1;
    let first = new(&home, &request).await;
    for round in 1..12 {
        repository.write("a", round.to_string()).unwrap();
        repository.commit("next").unwrap();
        assert_eq!(text(&new(&home, &request).await, "a"), round.to_string());
        assert!(packs(&home).len() <= 5, "{} packs", packs(&home).len());
    }
    assert_eq!(text(&first, "a"), "0", "a tree that is held stays");
    drop(first);
    assert!(packs(&home).len() <= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_repositories_go() {
    let (one, two) = (
        Repository::with_files([("a", "1")]).unwrap(),
        Repository::with_files([("a", "2")]).unwrap(),
    );
    let home = home();
    let folders = || {
        std::fs::read_dir(home.folder.path().join("store"))
            .unwrap()
            .count()
    };
    let held = new(&home, &request(&one.url())).await;
    drop(new(&home, &request(&two.url())).await);
    assert_eq!(folders(), 2);
    home.store
        .retain(&[Location::parse(&one.url(), true).unwrap()])
        .await
        .unwrap();
    assert_eq!(folders(), 1);
    home.store.retain(&[]).await.unwrap();
    assert_eq!(text(&held, "a"), "1");
    drop(held);
    home.store.retain(&[]).await.unwrap();
    assert_eq!(folders(), 0);
    assert_eq!(text(&new(&home, &request(&one.url())).await, "a"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_readers_share_a_tree() {
    let repository = Repository::with_files([("a", "1"), ("b", "2")]).unwrap();
    let home = home();
    let artifact = new(&home, &request(&repository.url())).await;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(text(&artifact, "a"), "1");
                    assert_eq!(text(&artifact, "b"), "2");
                }
            });
        }
    });
}
