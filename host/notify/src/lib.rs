//! Turns events into messages: picks the alerts that want an event, runs their notifier plugins,
//! and sends what these return.
//!
//! In: an event, and alerts with their providers and secrets. Out: what became of each delivery. The
//! crate knows no cluster and no files: whoever calls it has read them. A plugin returns requests
//! with the *names* of secrets; their values are put in here, after every destination was checked,
//! and taken out again of all that a plugin or a person gets to see.

pub mod dedupe;
pub mod destination;
pub mod metadata;
pub mod provider;
pub mod scrub;
pub mod secrets;
pub mod select;

pub use destination::Reach;
pub use secrets::{SecretValue, Secrets, SecretsError};
pub use select::{Selection, Skipped, select};
