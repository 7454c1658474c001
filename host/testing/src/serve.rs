//! What the servers over HTTP share: the loop that accepts connections, TLS, logins, locks.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use base64::Engine as _;
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::git::{Authority, Login};

/// Prepares TLS with a certificate of `authority`, if there is one; a client may be asked for one of
/// the same authority.
pub(crate) fn acceptor(
    authority: Option<&Authority>,
    asks_for_certificate: bool,
) -> Result<Option<TlsAcceptor>> {
    let config = match (authority, asks_for_certificate) {
        (None, _) => return Ok(None),
        (Some(authority), false) => authority.server_config()?,
        (Some(authority), true) => authority.server_config_with_clients()?,
    };
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Serves each connection on a task of its own, until it is dropped.
pub(crate) async fn accept<S, F, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<S>,
    answer: fn(Arc<S>, hyper::Request<Incoming>) -> F,
) where
    S: Send + Sync + 'static,
    F: Future<Output = Result<hyper::Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (state, tls) = (state.clone(), tls.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| answer(state.clone(), request));
            let server = hyper::server::conn::http1::Builder::new();
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let _ = server.serve_connection(TokioIo::new(stream), service).await;
                    }
                }
                None => {
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Tells whether an `Authorization` header is the login that is asked for.
pub(crate) fn is_allowed(login: &Login, authorization: Option<&str>) -> bool {
    match login {
        Login::Anyone => true,
        Login::Basic(name, password) => {
            let text =
                base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            authorization == Some(&format!("Basic {text}"))
        }
        Login::Bearer(token) => authorization == Some(&format!("Bearer {token}")),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
