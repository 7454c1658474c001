//! Reconciles the custom resources: one folder a kind.

pub mod client;
pub mod clock;
pub mod kind;
pub mod leader;
pub mod log;
pub mod metrics;
pub mod queue;
pub mod report;
pub mod server;
pub mod status;
pub mod watch;
