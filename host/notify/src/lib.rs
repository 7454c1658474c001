//! Turns events into messages: picks the alerts that want an event, runs their notifier plugins,
//! and sends what these return.
//!
//! In: an event, and alerts with their providers and secrets. Out: what became of each delivery. The
//! crate knows no cluster and no files: whoever calls it has read them. A plugin returns requests
//! with the *names* of secrets; their values are put in here, after every destination was checked,
//! and taken out again of all that a plugin or a person gets to see.

pub mod dedupe;
pub mod destination;
pub mod dispatch;
pub mod error;
pub mod metadata;
pub mod notifier;
pub mod plugins;
pub mod prepare;
pub mod provider;
pub mod resolve;
pub mod retry;
pub mod scrub;
pub mod secrets;
pub mod select;
pub mod send;
pub mod state;

mod guest;
#[cfg(test)]
mod tests;
mod tls;

pub use destination::{Reach, Refused};
pub use error::NotifyError;
pub use notifier::{Delivered, Delivery, Installed, Notifier, Settings, Subscription, subject};
pub use plugins::{Missing, Plugins};
pub use secrets::{SecretData, SecretValue, Secrets, SecretsError};
pub use select::{Selection, Skipped, select};
