//! A web server with files: a Helm repository for tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bulkhead_api::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// `user:password` in base64.
const LOGIN: &str = "dXNlcjpwYXNzd29yZA==";

/// The server; ends when dropped.
pub(crate) struct Shelf {
    url: String,
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Default)]
struct State {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    seen: Mutex<Vec<String>>,
    needs_login: bool,
    is_held: AtomicBool,
}

impl Shelf {
    /// Starts an empty one for everyone.
    pub(crate) async fn open() -> Result<Self> {
        Self::start(false).await
    }

    /// Starts one for `user` with `password`.
    pub(crate) async fn locked() -> Result<Self> {
        Self::start(true).await
    }

    async fn start(needs_login: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            needs_login,
            ..State::default()
        });
        let serving = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = serving.clone();
                tokio::spawn(async move { answer(stream, &state).await });
            }
        });
        Ok(Self {
            url,
            state,
            task: task.abort_handle(),
        })
    }

    /// Returns where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Puts a file in, or another in its place.
    pub(crate) fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        lock(&self.state.files).insert(format!("/{path}"), content.into());
    }

    /// Puts charts in, and an index of them: name, version, packed chart.
    pub(crate) fn put_charts(&self, charts: &[(&str, &str, &[u8])]) -> String {
        let mut index = String::from("apiVersion: v1\nentries:\n");
        let mut by_name: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (name, version, packed) in charts {
            let file = format!("{name}-{version}.tgz");
            self.put(&file, *packed);
            let digest = Digest::of(packed).to_hex();
            by_name
                .entry(name)
                .or_default()
                .push((version, file, digest));
        }
        for (name, versions) in by_name {
            index.push_str(&format!("  {name}:\n"));
            for (version, file, digest) in versions {
                index.push_str(&format!(
                    "  - apiVersion: v2\n    name: {name}\n    version: {version}\n    \
                     digest: {digest}\n    urls:\n    - {file}\n"
                ));
            }
        }
        self.put("index.yaml", index.clone());
        index
    }

    /// Lets requests wait from now on, or no longer.
    pub(crate) fn hold(&self, is_held: bool) {
        self.state.is_held.store(is_held, Ordering::Relaxed);
    }

    /// Returns the paths that were asked for, and forgets them.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.state.seen))
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, state: &State) {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(read @ 1..) => head.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let may_read = !state.needs_login || head.contains(&format!("Basic {LOGIN}"));
    while state.is_held.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = lock(&state.files).get(&path).cloned();
    lock(&state.seen).push(path);
    let (status, body) = match found {
        _ if !may_read => ("401 Unauthorized", Vec::new()),
        None => ("404 Not Found", Vec::new()),
        Some(body) => ("200 OK", body),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body).await;
    let _ = stream.shutdown().await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
