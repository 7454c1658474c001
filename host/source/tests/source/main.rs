//! Fetches from real Git servers: `git http-backend`, OpenSSH, folders.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may"
)]

mod archive;
mod basics;
mod durability;
mod helm;
mod limits;
mod login;
mod oci;
mod references;
mod secure_shell;
mod speed;
mod traffic;
mod tricks;

use bulkhead_api::{Revision, SourceTree as _, TreePath};
use bulkhead_source::{Artifact, FetchError, Fetched, GitRequest, Location, Reference, Store};

/// A store in a temporary folder.
struct Home {
    store: Store,
    folder: tempfile::TempDir,
}

impl Home {
    /// Starts the store anew, as a new process would.
    fn restart(&mut self) {
        self.store = Store::open(self.folder.path().join("store")).unwrap();
    }

    async fn is_unchanged(&self, request: &GitRequest, last: &Revision) -> bool {
        matches!(
            self.store.fetch(request, Some(last)).await.unwrap(),
            Fetched::Unchanged
        )
    }
}

fn home() -> Home {
    let folder = tempfile::tempdir().unwrap();
    Home {
        store: Store::open(folder.path().join("store")).unwrap(),
        folder,
    }
}

/// Asks for branch `main` of `url`.
fn request(url: &str) -> GitRequest {
    let mut request = GitRequest::new(Location::parse(url, true).unwrap());
    request.reference = Reference::branch("main");
    request
}

async fn new(home: &Home, request: &GitRequest) -> Artifact {
    match home.store.fetch(request, None).await {
        Ok(Fetched::New(artifact)) => artifact,
        Ok(Fetched::Unchanged) => panic!("unchanged"),
        Err(error) => panic!("{}", bulkhead_api::chain(&error)),
    }
}

async fn error(home: &Home, request: &GitRequest) -> FetchError {
    match home.store.fetch(request, None).await {
        Ok(_) => panic!("fetched"),
        Err(error) => error,
    }
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn text(artifact: &Artifact, file: &str) -> String {
    String::from_utf8(artifact.tree.read(&path(file)).unwrap()).unwrap()
}

fn names(artifact: &Artifact, folder: &str) -> Vec<String> {
    artifact
        .tree
        .read_dir(&path(folder))
        .unwrap()
        .iter()
        .map(|e| e.path.to_string())
        .collect()
}
