//! Real servers for tests: Git over HTTP and SSH, an OCI registry, files over HTTP, a Kubernetes API server.

pub mod cluster;
pub mod files;
pub mod git;
pub mod registry;
mod serve;
