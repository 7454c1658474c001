//! Reconciles the custom resources: one folder a kind.

pub mod alert;
pub mod applier;
pub mod archives;
pub mod backoff;
pub mod catalogue;
pub mod client;
pub mod clock;
pub mod config;
pub mod context;
pub mod delivery;
pub mod drift;
pub mod gitrepository;
pub mod helmchart;
pub mod helmrelease;
pub mod helmrepository;
pub mod holder;
pub mod index;
pub mod indexes;
pub mod kind;
pub mod leader;
pub mod log;
pub mod metrics;
pub mod ocirepository;
pub mod place;
pub mod plugin;
pub mod queue;
pub mod report;
pub mod run;
pub mod server;
pub mod sources;
pub mod status;
pub mod trees;
pub mod watch;
pub mod worker;

pub use config::RunConfig;
pub use run::{RunError, run};
