//! Remote bases through the command: fetched under rules, from a Git server and a web server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use bulkhead_testing::git::{HttpServer, Repository};

use crate::command::{Printed, bulkhead};

/// What kustomize v5.8.2 printed for `overlay` of the same repository.
const OVERLAY: &str = "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: settings-remote-4h2mbtbbt6\n\
---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web-remote\nspec:\n  ports:\n  - port: 80\n";

fn repository() -> Repository {
    Repository::with_files([
        (
            "base/kustomization.yaml",
            "resources: [service.yaml]\nconfigMapGenerator:\n  - name: settings\n    literals: [a=b]\n",
        ),
        (
            "base/service.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n",
        ),
        (
            "overlay/kustomization.yaml",
            "resources: [../base]\nnameSuffix: -remote\n",
        ),
    ])
    .unwrap()
}

/// A folder with a kustomization that has this resource.
fn folder(resource: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("resources:\n  - {resource}\n");
    std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    folder
}

fn render(folder: &tempfile::TempDir, flags: &[&str]) -> Printed {
    let mut words = vec!["render", "kustomize", ".", "--root", "."];
    words.extend(flags);
    bulkhead(folder.path(), &words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_base_is_fetched_once() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    let url = format!(
        "{}//overlay?ref={}",
        server.url(),
        repository.head().unwrap()
    );
    let folder = folder(&url);
    let first = render(&folder, &[]);
    assert_eq!((first.out.as_str(), first.err.as_str()), (OVERLAY, ""));
    server.take_requests();
    let second = render(&folder, &[]);
    assert_eq!(second.out, OVERLAY, "{}", second.err);
    assert_eq!(server.take_requests().len(), 0);
    let named = bulkhead(folder.path(), &["render", "kustomize", &url]);
    assert_eq!(named.out, OVERLAY, "{}", named.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_pinned_needs_leave_and_is_fetched_again() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    let folder = folder(&format!("{}//overlay?ref=main", server.url()));
    let refused = render(&folder, &[]);
    assert_eq!(refused.status, Some(1));
    let named = format!(
        "remote base `{}`, named in `kustomization.yaml`, is not pinned",
        server.url()
    );
    assert!(refused.err.contains(&named), "{}", refused.err);
    assert!(
        refused.err.contains("--allow-unpinned-remote-bases"),
        "{}",
        refused.err
    );
    let allowed = render(&folder, &["--allow-unpinned-remote-bases"]);
    assert_eq!((allowed.out.as_str(), allowed.err.as_str()), (OVERLAY, ""));
    repository
        .write(
            "overlay/kustomization.yaml",
            "resources: [../base]\nnameSuffix: -new\n",
        )
        .unwrap();
    repository.commit("second").unwrap();
    let again = render(&folder, &["--allow-unpinned-remote-bases=true"]);
    assert!(
        again.out.contains("name: web-new\n"),
        "{}{}",
        again.out,
        again.err
    );
    let off = render(
        &folder,
        &["--no-remote-bases", "--allow-unpinned-remote-bases"],
    );
    assert!(
        off.err.contains("`--no-remote-bases` is set"),
        "{}",
        off.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_a_base_that_was_not_fetched_is_an_error_that_says_so() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    let url = format!(
        "{}//overlay?ref={}",
        server.url(),
        repository.head().unwrap()
    );
    let folder = folder(&url);
    drop(server);
    let failed = render(&folder, &[]);
    assert_eq!(failed.status, Some(1));
    assert!(failed.err.contains("failed to reach"), "{}", failed.err);
    assert!(
        failed.err.contains("the host must be online"),
        "{}",
        failed.err
    );
}

#[test]
fn a_repository_of_this_machine_is_a_remote_base_too() {
    let repository = repository();
    let folder = folder(&format!("{}//overlay", repository.url()));
    let allowed = render(&folder, &["--allow-unpinned-remote-bases"]);
    assert_eq!((allowed.out.as_str(), allowed.err.as_str()), (OVERLAY, ""));
}

#[test]
fn ssh_is_refused_for_it_needs_a_login() {
    let folder = folder(&format!(
        "git@host.invalid:org/repo//x?ref={}",
        "0".repeat(40)
    ));
    let refused = render(&folder, &[]);
    assert!(
        refused.err.contains("without credentials"),
        "{}",
        refused.err
    );
}

#[test]
fn a_file_behind_a_url_needs_leave() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.yaml", listener.local_addr().unwrap());
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n";
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let length = object.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{object}"
            )
            .unwrap();
        }
    });
    let folder = folder(&url);
    let refused = render(&folder, &[]);
    assert!(
        refused.err.contains("a file behind a URL"),
        "{}",
        refused.err
    );
    let allowed = render(&folder, &["--allow-unpinned-remote-bases"]);
    assert_eq!((allowed.out.as_str(), allowed.err.as_str()), (object, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_fetches_remote_bases_by_the_same_rules() {
    let repository = repository();
    let server = HttpServer::start(&repository).await.unwrap();
    let base = format!(
        "{}//overlay?ref={}",
        server.url(),
        repository.head().unwrap()
    );
    let kustomization = format!("resources:\n  - {base}\n");
    let source = Repository::with_files([("kustomization.yaml", kustomization.as_str())]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let objects = format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: app, namespace: default}}\n\
         spec: {{url: '{}', interval: 1m, ref: {{branch: main}}}}\n---\n\
         apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: app, namespace: default}}\n\
         spec: {{interval: 1m, prune: true, targetNamespace: prod, sourceRef: {{kind: GitRepository, name: app}}}}\n",
        source.url()
    );
    std::fs::write(folder.path().join("app.yaml"), objects).unwrap();
    let sync = |more: &[&str]| {
        let mut words = vec!["sync", "-f", "app.yaml", "--to", "out", "--once"];
        words.extend(more);
        bulkhead(folder.path(), &words)
    };
    let off = sync(&["--no-remote-bases"]);
    assert_ne!(off.status, Some(0), "{}", off.out);
    let first = sync(&[]);
    assert_eq!(first.status, Some(0), "{}{}", first.out, first.err);
    assert!(first.out.contains("web-remote"), "{}", first.out);
    drop(server);
    let second = sync(&[]);
    assert_eq!(second.status, Some(0), "{}{}", second.out, second.err);
}
