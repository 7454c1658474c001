//! Real servers for tests: Git over HTTP and SSH, an OCI registry, a Kubernetes API server.

pub mod cluster;
pub mod git;
pub mod registry;
