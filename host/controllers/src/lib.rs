//! Reconciles the custom resources: one folder a kind.

pub mod clock;
pub mod queue;
pub mod watch;
