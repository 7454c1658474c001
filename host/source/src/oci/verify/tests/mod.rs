//! The whole chain of a keyless signature, made here and broken link by link.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::result_large_err,
    reason = "a test may"
)]

mod authority;
mod keyless;
mod real;
mod scene;
