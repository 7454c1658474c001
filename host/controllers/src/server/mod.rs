//! What the process serves over HTTP: probes, metrics, and the artifacts of sources.

mod artifacts;
mod probes;

use std::net::SocketAddr;

use tokio::net::TcpListener;

pub use artifacts::artifacts;
pub use probes::{Readiness, metrics, probes};

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not ours.
    #[error("failed to listen on {address} for {what}")]
    Listen {
        /// What was to be served.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Listens on `address`; port 0 takes a free one.
///
/// # Errors
/// [`ServeError::Listen`].
pub async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = |source| ServeError::Listen {
        what,
        address,
        source,
    };
    TcpListener::bind(address).await.map_err(listen)
}

/// Serves `routes` until the task is dropped.
pub async fn serve(listener: TcpListener, routes: axum::Router) {
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(error = bulkhead_api::chain(&error), "a server ended");
    }
}
