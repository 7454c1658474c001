//! Git for tests: repositories made with the `git` program, served over HTTP and over SSH.
//!
//! In: commits that a test makes. Out: a `file://`, `http://`, `https://` or `ssh://` URL, and a
//! log of what a client asked for. Each part removes its files and ends its processes when dropped.

#![allow(
    clippy::disallowed_methods,
    reason = "a test may run programs and write files of its own"
)]

mod backend;
mod http;
mod repository;
mod ssh;
mod tls;

pub use http::{Fault, HttpOptions, HttpServer, Login, Request};
pub use repository::Repository;
pub use ssh::{SshOptions, SshServer};
pub use tls::Authority;
