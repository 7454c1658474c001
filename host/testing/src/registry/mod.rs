//! A registry for tests: the real `docker-registry` program behind a proxy of ours that ends TLS,
//! gives tokens, keeps a log, and lies when it is told to.
//!
//! In: who may read, and what goes wrong. Out: `127.0.0.1:port` to put into references, and each
//! request that came. The program and its files are gone when the value is dropped.

#![allow(
    clippy::disallowed_methods,
    reason = "a test may run programs and write files of its own"
)]

pub(crate) mod body;
pub(crate) mod fault;
mod program;
pub(crate) mod proxy;
mod referrers;
mod token;

use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::git::Authority;
use crate::serve::{accept, acceptor, lock};

pub use fault::Fault;

/// The name that [`Access::Basic`] and [`Access::Token`] know.
pub const USER: &str = "user";
/// Its password.
pub const PASSWORD: &str = "password";
/// The refresh token that [`Access::Token`] knows.
pub const IDENTITY: &str = "refresh-token";

/// Who may use a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    #[default]
    Anyone,
    /// [`USER`] with [`PASSWORD`], checked by the program itself.
    Basic,
    /// Whoever has a signed token, checked by the program; the token service gives one to read to
    /// everyone for paths under `public/`, and all to [`USER`] or for [`IDENTITY`].
    Token,
}

/// Settings of [`RegistryServer::start_with`].
#[derive(Default)]
pub struct RegistryOptions {
    /// Who may use it.
    pub access: Access,
    /// Serves TLS with a certificate of this authority.
    pub authority: Option<Arc<Authority>>,
    /// Asks for a certificate of the same authority.
    pub asks_for_certificate: bool,
    /// Answers the list of referrers, which the program does not know.
    pub lists_referrers: bool,
}

/// One request that a client made.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`, `HEAD`, `POST`, `PUT`.
    pub method: String,
    /// Path with query.
    pub target: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body, for requests to the token service.
    pub body: Vec<u8>,
}

/// A registry on a loopback port, stopped when dropped.
pub struct RegistryServer {
    host: String,
    state: Arc<State>,
    task: AbortHandle,
}

struct State {
    program: program::Running,
    options: RegistryOptions,
    tokens: Option<token::Service>,
    log: Mutex<Vec<Seen>>,
    faults: Mutex<Vec<fault::Rule>>,
    referrers: Mutex<Vec<referrers::Referrer>>,
}

impl RegistryServer {
    /// Starts a registry for everyone, without TLS.
    ///
    /// # Errors
    /// The program `docker-registry` is missing or does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(RegistryOptions::default()).await
    }

    /// Starts a registry as `options` say.
    ///
    /// # Errors
    /// As [`start`](Self::start); also when certificates cannot be made.
    pub async fn start_with(options: RegistryOptions) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let scheme = if options.authority.is_some() {
            "https"
        } else {
            "http"
        };
        let tokens = match options.access {
            Access::Token => Some(token::Service::new(&format!("{scheme}://{host}/token"))?),
            Access::Anyone | Access::Basic => None,
        };
        let program = program::start(options.access, tokens.as_ref()).await?;
        let tls = acceptor(options.authority.as_deref(), options.asks_for_certificate)?;
        let state = Arc::new(State {
            program,
            options,
            tokens,
            log: Mutex::default(),
            faults: Mutex::default(),
            referrers: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, tls, state.clone(), proxy::answer)).abort_handle();
        Ok(Self { host, state, task })
    }

    /// Returns host and port, as they stand in references.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Lets requests go wrong from now on whose `METHOD path` has `part`: the next `times`, or all.
    pub fn fail(&self, part: &str, fault: Fault, times: Option<usize>) {
        lock(&self.state.faults).push(fault::Rule {
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

impl Drop for RegistryServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
