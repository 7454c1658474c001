//! The files of a folder over HTTP: a Helm repository for tests, with logins, TLS, compression,
//! redirects and faults.
//!
//! In: a folder, and what goes wrong. Out: a URL, and each request that came. The folder is the
//! test's own, and may change while it is served.

#![allow(
    clippy::disallowed_methods,
    reason = "a test may read files of its own"
)]

use std::convert::Infallible;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::git::{Authority, Login};
use crate::registry::fault::{self, Rule};
use crate::registry::proxy::{Response, instead, page, spoil};
use crate::registry::{Fault, Seen};
use crate::serve::{accept, acceptor, is_allowed, lock};

/// Settings of [`FileServer::start_with`]; the default lets everyone in, without TLS.
#[derive(Default)]
pub struct FileOptions {
    /// Who may read.
    pub login: Login,
    /// Serves TLS with a certificate of this authority.
    pub authority: Option<Arc<Authority>>,
    /// Asks for a certificate of the same authority.
    pub asks_for_certificate: bool,
    /// Compresses for clients that can decompress.
    pub compresses: bool,
    /// Says of packed charts that the transport has compressed them, as some servers do.
    pub calls_charts_compressed: bool,
}

/// A server on a loopback port, stopped when dropped.
pub struct FileServer {
    url: String,
    state: Arc<State>,
    task: AbortHandle,
}

struct State {
    folder: PathBuf,
    options: FileOptions,
    log: Mutex<Vec<Seen>>,
    faults: Mutex<Vec<Rule>>,
}

impl FileServer {
    /// Serves a folder to everyone.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(folder: impl Into<PathBuf>) -> Result<Self> {
        Self::start_with(folder, FileOptions::default()).await
    }

    /// Serves a folder as `options` say.
    ///
    /// # Errors
    /// No port could be had, or the certificates cannot be read.
    pub async fn start_with(folder: impl Into<PathBuf>, options: FileOptions) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let tls = acceptor(options.authority.as_deref(), options.asks_for_certificate)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let state = Arc::new(State {
            folder: folder.into(),
            options,
            log: Mutex::default(),
            faults: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, tls, state.clone(), answer)).abort_handle();
        Ok(Self { url, state, task })
    }

    /// Returns scheme, host and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets requests go wrong from now on whose `METHOD path` has `part`: the next `times`, or all.
    pub fn fail(&self, part: &str, fault: Fault, times: Option<usize>) {
        lock(&self.state.faults).push(Rule {
            part: part.to_owned(),
            fault,
            left: times,
        });
    }

    /// Ends all faults.
    pub fn heal(&self) {
        lock(&self.state.faults).clear();
    }

    /// Returns the requests so far, and forgets them.
    pub fn take_requests(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.state.log))
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let seen = Seen {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        authorization: header("authorization"),
        body: Vec::new(),
    };
    let packs = state.options.compresses
        && header("accept-encoding").is_some_and(|value| value.contains("gzip"));
    lock(&state.log).push(seen.clone());
    let request = format!("{} {}", seen.method, seen.target);
    let fault = fault::find(&mut lock(&state.faults), &request);
    if let Some(response) = instead(&fault, &seen).await {
        return Ok(response);
    }
    if !is_allowed(&state.options.login, seen.authorization.as_deref()) {
        let asks = [("WWW-Authenticate", "Basic realm=\"charts\"")];
        return Ok(page(401, "text/html", &asks, b"log in".to_vec()));
    }
    let path = seen.target.split('?').next().unwrap_or_default();
    let read = std::fs::read(state.folder.join(path.trim_start_matches('/')));
    let Ok(content) = read else {
        return Ok(page(404, "text/html", &[], b"<html>none</html>".to_vec()));
    };
    let calls = state.options.calls_charts_compressed && path.ends_with(".tgz");
    let (headers, content) = match packs {
        true => (vec![("Content-Encoding", "gzip")], gzip(&content)),
        false if calls => (vec![("Content-Encoding", "gzip")], content),
        false => (Vec::new(), content),
    };
    let (head, _) = page(200, "application/octet-stream", &headers, Vec::new()).into_parts();
    Ok(spoil(fault, head, content.into(), false))
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory never fails.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}
