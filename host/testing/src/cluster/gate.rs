//! A way to the API server on which writes can be held: a process that is killed then has done so many
//! of them, and no more.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::Cluster;
use crate::serve::{accept, lock};

type Response = hyper::Response<Body>;

/// The way; ends when dropped. Who uses it has all rights.
pub struct Gate {
    kubeconfig: PathBuf,
    state: Arc<State>,
    task: AbortHandle,
}

struct State {
    client: kube::Client,
    counted: fn(&str) -> bool,
    places: Mutex<HashMap<String, Place>>,
}

/// What is known of the writes into a namespace.
#[derive(Default)]
struct Place {
    /// How many may still pass.
    left: usize,
    /// Those that did.
    passed: Vec<String>,
    /// Whether one waits.
    is_held: bool,
}

impl Gate {
    /// Opens one. Writes whose path is not `counted` always pass.
    pub async fn open(cluster: &Cluster, counted: fn(&str) -> bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let kubeconfig = cluster.dir().join(format!("gate-{port}.kubeconfig"));
        write(&kubeconfig, port)?;
        let state = Arc::new(State {
            client: cluster.client()?,
            counted,
            places: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, None, state.clone(), answer));
        Ok(Self {
            kubeconfig,
            state,
            task: task.abort_handle(),
        })
    }

    /// Returns the path of a kubeconfig that goes this way.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Lets `after` more writes into `namespace` pass, and holds those that come then.
    pub fn hold(&self, namespace: &str, after: usize) {
        let place = Place {
            left: after,
            ..Place::default()
        };
        lock(&self.state.places).insert(namespace.to_owned(), place);
    }

    /// Tells whether a write into `namespace` is held.
    pub fn is_held(&self, namespace: &str) -> bool {
        let places = lock(&self.state.places);
        places.get(namespace).is_some_and(|place| place.is_held)
    }

    /// Holds nothing any more. What is held already stays so until its connection ends.
    ///
    /// Returns the writes that have passed since they were counted, by namespace.
    pub fn release(&self) -> HashMap<String, Vec<String>> {
        let places = std::mem::take(&mut *lock(&self.state.places));
        let passed = places.into_iter();
        passed.map(|(name, place)| (name, place.passed)).collect()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// Tells whether a request passes.
    fn passes(&self, method: &str, path: &str) -> bool {
        let namespace = path.split("/namespaces/").nth(1);
        let namespace = namespace.and_then(|rest| rest.split('/').next());
        let Some(namespace) = namespace.filter(|_| method != "GET" && (self.counted)(path)) else {
            return true;
        };
        let mut places = lock(&self.places);
        let Some(place) = places.get_mut(namespace) else {
            return true;
        };
        if place.left == 0 {
            place.is_held = true;
            return false;
        }
        place.left -= 1;
        place.passed.push(format!("{method} {path}"));
        true
    }
}

async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    if !state.passes(request.method().as_str(), request.uri().path()) {
        std::future::pending::<()>().await;
    }
    Ok(forward(&state, request).await.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("{error:#}").into_bytes()));
        *response.status_mut() = http::StatusCode::BAD_GATEWAY;
        response
    }))
}

async fn forward(state: &State, request: hyper::Request<Incoming>) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // The client has a host and a login of its own.
    parts.headers.remove(http::header::HOST);
    parts.headers.remove(http::header::AUTHORIZATION);
    parts.headers.remove(http::header::ACCEPT_ENCODING);
    let request = http::Request::from_parts(parts, Body::from(body));
    Ok(state.client.send(request).await?)
}

#[allow(clippy::disallowed_methods, reason = "the test's own temporary folder")]
fn write(path: &Path, port: u16) -> Result<()> {
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: gate\n\
         clusters: [{{name: gate, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: [{{name: gate, user: {{token: none}}}}]\n\
         contexts: [{{name: gate, context: {{cluster: gate, user: gate}}}}]\n"
    );
    Ok(std::fs::write(path, config)?)
}
