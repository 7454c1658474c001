//! End-to-end tests on a real API server, and the rules of the tree.
//!
//! Those marked `needs kube-apiserver` share one cluster and one `bulkhead run`; each has a namespace
//! of its own. `make test` runs them.

#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests run programs, read the checkout, and may unwrap and panic"
)]

mod any_renderer;
mod artifacts;
mod author;
mod bad_input;
mod charts;
mod command;
mod crash;
mod delivery;
mod dependencies;
mod drift;
mod examples;
mod expressions;
mod external;
mod gate;
mod guests;
mod helm_commands;
mod helm_crash;
mod helm_failures;
mod helm_features;
mod helm_fields;
mod helm_parity;
mod helm_release;
mod helm_render;
mod helm_sources;
mod helm_stage;
mod hostile;
mod kubeconfig;
mod manager;
mod notification;
mod oci_repository;
mod plugin;
mod published;
mod receiver;
mod remote;
mod render;
mod scaffold;
mod shelf;
mod source;
mod space;
mod sync;
mod sync_helm;
mod tenancy;
mod tree;
mod trust;
