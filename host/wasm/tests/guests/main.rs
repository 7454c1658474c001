//! Every way in which a plugin may misbehave, each as a small fake guest, and what the host makes of
//! it. Numbers as P4 are those of the catalogue of malicious plugins.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod answers;
mod bombs;
mod catalogue;
mod compiling;
mod fairness;
mod fake;
mod kinds;
mod loading;
mod resources;
mod sealed;
mod speed;
mod transcript;
mod tree;
