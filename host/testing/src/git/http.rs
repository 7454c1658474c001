//! Git over HTTP: `git http-backend` behind hyper, with logins, faults and a log of requests.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::backend;
use super::{Authority, Repository};
use crate::serve::{accept, acceptor, is_allowed, lock};

/// Who may read the repository.
#[derive(Clone, Debug, Default)]
pub enum Login {
    /// Everyone.
    #[default]
    Anyone,
    /// Basic authentication with this name and password.
    Basic(String, String),
    /// A bearer token.
    Bearer(String),
}

/// What a server does instead of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Accepts each request and never answers.
    Silence,
    /// Answers each request with this status and an HTML page.
    Status(u16),
    /// Answers each request with this status and a `Retry-After` of so many seconds.
    RetryAfter(u16, u64),
    /// Answers requests for `info/refs` with this status and a `Location` that starts with this
    /// base instead of the server's own; path and query stay.
    Redirect(u16, String),
    /// Sends a pack with one byte flipped in its middle.
    FlippedByte,
    /// Ends each answer to a fetch after so many bytes.
    Truncated(usize),
}

/// Settings of [`HttpServer::start_with`]; the default lets everyone in, without TLS.
#[derive(Default)]
pub struct HttpOptions {
    /// Who may read.
    pub login: Login,
    /// Serves TLS with a certificate of this authority.
    pub authority: Option<Arc<Authority>>,
    /// Answers as a server that knows only the first version of the protocol.
    pub first_protocol: bool,
}

/// One request that a client made.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path with query.
    pub target: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Tells whether it asks for the list of references in protocol version 2.
    pub fn is_ls_refs(&self) -> bool {
        self.has("command=ls-refs")
    }

    /// Tells whether it asks for a pack.
    pub fn is_fetch(&self) -> bool {
        self.has("command=fetch") || (self.has("want ") && !self.is_ls_refs())
    }

    fn has(&self, text: &str) -> bool {
        self.body
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

/// A server on a loopback port, stopped when dropped.
pub struct HttpServer {
    url: String,
    state: Arc<State>,
    task: AbortHandle,
}

struct State {
    root: PathBuf,
    options: HttpOptions,
    log: Mutex<Vec<Request>>,
    fault: Mutex<Option<Fault>>,
}

impl HttpServer {
    /// Serves `repository` to everyone.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(repository: &Repository) -> Result<Self> {
        Self::start_with(repository, HttpOptions::default()).await
    }

    /// Serves `repository` as `options` say.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start_with(repository: &Repository, options: HttpOptions) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scheme = if options.authority.is_some() {
            "https"
        } else {
            "http"
        };
        let url = format!("{scheme}://{}/repo", listener.local_addr()?);
        let tls = acceptor(options.authority.as_deref(), false)?;
        let state = Arc::new(State {
            root: repository.root().to_owned(),
            options,
            log: Mutex::default(),
            fault: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, tls, state.clone(), answer)).abort_handle();
        Ok(Self { url, state, task })
    }

    /// Returns the URL of the repository.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns scheme, host and port.
    pub fn base(&self) -> &str {
        self.url.trim_end_matches("/repo")
    }

    /// Sets or clears what goes wrong from now on.
    pub fn fail(&self, fault: Option<Fault>) {
        *lock(&self.state.fault) = fault;
    }

    /// Returns the requests so far, and forgets them.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *lock(&self.state.log))
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Response = hyper::Response<Full<Bytes>>;

async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let header = |name: &str| {
        let value = parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let seen = Request {
        method: parts.method.to_string(),
        target: parts
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        authorization: parts
            .headers
            .get("authorization")
            .map(|_| header("authorization")),
        body: body.to_vec(),
    };
    lock(&state.log).push(seen.clone());
    let fault = lock(&state.fault).clone();
    if let Some(response) = failing(&fault, &seen).await {
        return Ok(response);
    }
    if !is_allowed(&state.options.login, seen.authorization.as_deref()) {
        return Ok(page(
            401,
            &[("WWW-Authenticate", "Basic realm=\"git\"")],
            "log in",
        ));
    }
    let protocol = if state.options.first_protocol {
        String::new()
    } else {
        header("git-protocol")
    };
    let content_type = header("content-type");
    let run = tokio::task::spawn_blocking(move || {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let call = backend::Call {
            root: &state.root,
            method: &seen.method,
            path,
            query,
            content_type: &content_type,
            protocol: &protocol,
            body: &seen.body,
        };
        backend::run(&call).map(|answer| (answer, seen.is_fetch()))
    });
    Ok(match run.await {
        Ok(Ok((answer, is_fetch))) => pass_on(answer, is_fetch, &fault),
        _ => page(500, &[], "git failed"),
    })
}

async fn failing(fault: &Option<Fault>, request: &Request) -> Option<Response> {
    match fault {
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Status(status)) => Some(page(*status, &[], "<html>no</html>")),
        Some(Fault::RetryAfter(status, seconds)) => Some(page(
            *status,
            &[("Retry-After", &seconds.to_string())],
            "slow down",
        )),
        Some(Fault::Redirect(status, base)) if request.method == "GET" => Some(page(
            *status,
            &[("Location", &format!("{base}{}", request.target))],
            "moved",
        )),
        _ => None,
    }
}

fn pass_on(mut answer: backend::Answer, is_fetch: bool, fault: &Option<Fault>) -> Response {
    match fault {
        Some(Fault::FlippedByte) if is_fetch => {
            let middle = answer.body.len() * 2 / 3;
            if let Some(byte) = answer.body.get_mut(middle) {
                *byte ^= 1;
            }
        }
        Some(Fault::Truncated(length)) if is_fetch => answer.body.truncate(*length),
        _ => {}
    }
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::from(answer.body)).unwrap_or_default()
}

fn page(status: u16, headers: &[(&str, &str)], text: &str) -> Response {
    let mut response = hyper::Response::builder()
        .status(status)
        .header("Content-Type", "text/html");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response
        .body(Full::from(text.to_owned()))
        .unwrap_or_default()
}
