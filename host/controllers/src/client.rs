//! Clients of the Kubernetes API: one for calls, one for watches, one for each account that the
//! engine acts as.
//!
//! Watches have connections of their own, so that they never stand in the way of a write. Every
//! request is counted by verb. An account that is named but blank is refused: nobody falls back to
//! the engine's own rights.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// Clients kept for accounts; past it, all are made anew.
const MAX_ACCOUNTS: usize = 500;
/// An answer may take this long; watches have their own limits.
const ANSWER: Duration = Duration::from_secs(60);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The account's name is blank.
    #[error("the name of the service account to act as is blank")]
    BlankAccount,
    /// The account's name cannot be sent.
    #[error("`{0}` is no name of a service account")]
    Account(String),
    /// The settings are wrong.
    #[error("failed to build a client of the Kubernetes API")]
    Build(#[source] kube::Error),
}

/// All clients of the process.
pub struct Clients {
    config: Config,
    metrics: Metrics,
    own: Client,
    watching: Client,
    accounts: Mutex<HashMap<String, Client>>,
}

impl Clients {
    /// Builds the engine's own clients.
    ///
    /// # Errors
    /// [`ClientError::Build`] if the settings are wrong; nothing is sent.
    pub fn new(mut config: Config, metrics: Metrics) -> Result<Self, ClientError> {
        config.headers.push(agent());
        config.read_timeout = None;
        let watching = build(config.clone(), &metrics)?;
        config.read_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        let own = build(config.clone(), &metrics)?;
        Ok(Self {
            config,
            metrics,
            own,
            watching,
            accounts: Mutex::default(),
        })
    }

    /// Returns the client for calls with the engine's own rights.
    pub fn own(&self) -> &Client {
        &self.own
    }

    /// Returns the client for watches.
    pub fn watching(&self) -> &Client {
        &self.watching
    }

    /// Returns a client that acts as the service account `name` of `namespace`.
    ///
    /// # Errors
    /// [`ClientError::BlankAccount`] rather than a client with the engine's own rights.
    pub fn acting_as(&self, namespace: &str, name: &str) -> Result<Client, ClientError> {
        let user = service_account(namespace, name)?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = accounts.get(&user) {
            return Ok(client.clone());
        }
        let client = impersonating(self.config.clone(), &user, &self.metrics)?;
        if accounts.len() >= MAX_ACCOUNTS {
            accounts.clear();
        }
        accounts.insert(user, client.clone());
        Ok(client)
    }

    /// Builds a client of another API server; `user` is impersonated.
    ///
    /// # Errors
    /// [`ClientError::Build`] if the settings are wrong; nothing is sent.
    pub fn elsewhere(&self, mut config: Config, user: Option<&str>) -> Result<Client, ClientError> {
        config.headers.push(agent());
        config.read_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        match user {
            Some(user) => impersonating(config, user, &self.metrics),
            None => build(config, &self.metrics),
        }
    }
}

fn agent() -> (HeaderName, HeaderValue) {
    let agent = concat!("bulkhead/", env!("CARGO_PKG_VERSION"));
    (http::header::USER_AGENT, HeaderValue::from_static(agent))
}

/// Returns the user that the service account `name` of `namespace` is.
///
/// # Errors
/// [`ClientError::BlankAccount`] for a blank name: nobody falls back to greater rights.
pub fn service_account(namespace: &str, name: &str) -> Result<String, ClientError> {
    if name.trim().is_empty() || namespace.trim().is_empty() {
        return Err(ClientError::BlankAccount);
    }
    Ok(format!("system:serviceaccount:{namespace}:{name}"))
}

fn impersonating(mut config: Config, user: &str, metrics: &Metrics) -> Result<Client, ClientError> {
    let value = HeaderValue::from_str(user).map_err(|_| ClientError::Account(user.to_owned()))?;
    let header = (HeaderName::from_static("impersonate-user"), value);
    config.headers.push(header);
    build(config, metrics)
}

fn build(config: Config, metrics: &Metrics) -> Result<Client, ClientError> {
    let layer = Count {
        metrics: metrics.clone(),
    };
    let builder = ClientBuilder::try_from(config).map_err(ClientError::Build)?;
    Ok(builder.with_layer(&layer).build())
}

/// Counts requests.
#[derive(Clone)]
struct Count {
    metrics: Metrics,
}

impl<S> Layer<S> for Count {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            metrics: self.metrics.clone(),
        }
    }
}

struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.metrics.requested(verb(&request));
        self.inner.call(request)
    }
}

fn verb<B>(request: &Request<B>) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    let is_apply = || {
        let kind = request.headers().get(http::header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"))
    };
    match request.method().as_str() {
        "GET" if query.contains("watch=true") => "WATCH",
        "GET" if query.contains("limit=") => "LIST",
        "GET" => "GET",
        "PATCH" if query.contains("dryRun=") => "DRYRUN",
        "PATCH" if is_apply() => "APPLY",
        "PATCH" => "PATCH",
        "POST" => "CREATE",
        "PUT" => "UPDATE",
        "DELETE" => "DELETE",
        _ => "OTHER",
    }
}

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Sends a JSON merge patch for the object at `path` and returns its metadata, which is all that
/// the server is asked to answer.
///
/// # Errors
/// What the server or the connection says.
pub async fn merge_patch(
    client: &Client,
    path: &str,
    manager: &str,
    patch: &Value,
) -> Result<ObjectMeta, kube::Error> {
    #[derive(Deserialize)]
    struct Answer {
        metadata: ObjectMeta,
    }
    let body = serde_json::to_vec(patch).map_err(kube::Error::SerdeError)?;
    let request = Request::patch(format!("{path}?fieldManager={manager}"))
        .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
        .header(http::header::ACCEPT, METADATA)
        .body(body)
        .map_err(kube::Error::HttpError)?;
    client
        .request::<Answer>(request)
        .await
        .map(|answer| answer.metadata)
}

/// A request that failed: in the API server's words, where it answered.
#[derive(Debug)]
pub struct Refused(Box<kube::Error>);

impl From<kube::Error> for Refused {
    fn from(error: kube::Error) -> Self {
        Self(Box::new(error))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.0 {
            kube::Error::Api(status) if !status.message.is_empty() => f.write_str(&status.message),
            error => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            kube::Error::Api(_) => None,
            error => error.source(),
        }
    }
}

/// Tells whether the server answered that the object is not there.
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_are() {
        let verb = |method: &str, uri: &str, kind: Option<&str>| {
            let mut request = Request::builder().method(method).uri(uri);
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            super::verb(&request.body(()).unwrap())
        };
        assert_eq!(verb("GET", "/api/v1/pods?watch=true", None), "WATCH");
        assert_eq!(verb("GET", "/api/v1/pods?limit=500", None), "LIST");
        assert_eq!(verb("GET", "/api/v1/namespaces/a/pods/b", None), "GET");
        let apply = Some("application/apply-patch+yaml");
        assert_eq!(
            verb("PATCH", "/api/v1/namespaces/a?force=true", apply),
            "APPLY"
        );
        assert_eq!(
            verb("PATCH", "/api/v1/namespaces/a?dryRun=All", apply),
            "DRYRUN"
        );
        assert_eq!(
            verb("PATCH", "/api/v1/a", Some("application/merge-patch+json")),
            "PATCH"
        );
    }

    #[tokio::test]
    async fn a_blank_account_is_refused() {
        let config = Config::new("http://127.0.0.1:1".parse().unwrap());
        let clients = Clients::new(config, Metrics::new()).unwrap();
        assert!(matches!(
            clients.acting_as("a", ""),
            Err(ClientError::BlankAccount)
        ));
        assert!(matches!(
            clients.acting_as("a", "  "),
            Err(ClientError::BlankAccount)
        ));
        assert!(matches!(
            clients.acting_as("a", "x\ny"),
            Err(ClientError::Account(_))
        ));
        assert!(clients.acting_as("a", "deployer").is_ok());
    }
}
