//! The road from a commit to files, over each transport.

use bulkhead_source::{Fetched, GitRequest};
use bulkhead_testing::git::{HttpServer, Repository, SshServer};

use super::{Home, home, names, new, request, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_fetched() {
    let repository = Repository::with_files([("a/b.yaml", "1"), ("c.yaml", "2")]).unwrap();
    let home = home();
    follow(&home, request(&repository.url()), &repository).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_fetched() {
    let repository = Repository::with_files([("a/b.yaml", "1"), ("c.yaml", "2")]).unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    let home = home();
    follow(&home, request(server.url()), &repository).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_is_fetched() {
    let repository = Repository::with_files([("a/b.yaml", "1"), ("c.yaml", "2")]).unwrap();
    let server = SshServer::start(&repository).unwrap();
    let home = home();
    let mut request = request(server.url());
    request.credentials = bulkhead_source::Credentials::Ssh {
        identity: bulkhead_source::Secret::new(&server.identity),
        known_hosts: server.known_hosts.clone(),
        password: None,
    };
    follow(&home, request, &repository).await;
}

async fn follow(home: &Home, request: GitRequest, repository: &Repository) {
    let first = new(home, &request).await;
    let head = repository.head().unwrap();
    assert_eq!(first.revision.to_string(), format!("main@sha1:{head}"));
    assert_eq!(names(&first, ""), ["a", "c.yaml"]);
    assert_eq!(text(&first, "a/b.yaml"), "1");
    assert_eq!(first.commit_seconds, 1_767_225_600);
    let again = home
        .store
        .fetch(&request, Some(&first.revision))
        .await
        .unwrap();
    assert!(matches!(again, Fetched::Unchanged));

    repository.write("a/b.yaml", "3").unwrap();
    let head = repository.commit("second").unwrap();
    let Fetched::New(second) = home
        .store
        .fetch(&request, Some(&first.revision))
        .await
        .unwrap()
    else {
        panic!("unchanged")
    };
    assert_eq!(second.revision.to_string(), format!("main@sha1:{head}"));
    assert_eq!(text(&second, "a/b.yaml"), "3");
    assert_eq!(text(&second, "c.yaml"), "2");
    assert_eq!(
        text(&first, "a/b.yaml"),
        "1",
        "an older tree stays readable"
    );
    assert_ne!(first.content, second.content);
    let loaded = home
        .store
        .load(&request, &second.revision)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(loaded.content, second.content);
}
