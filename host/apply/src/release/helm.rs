//! Who does what is done with releases: an API server under one identity, and the records there.

use super::storage::Storage;
use crate::target::cluster::Cluster;

/// The field manager, as in Flux.
const MANAGER: &str = "helm-controller";

/// Does Helm's actions in a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Helm {
    pub(super) cluster: Cluster,
    pub(super) storage: Storage,
    pub(super) manager: String,
}

impl Helm {
    /// Acts as the identity of `cluster`, with the field manager `helm-controller`.
    pub fn new(cluster: Cluster, storage: Storage) -> Self {
        Self {
            cluster,
            storage,
            manager: MANAGER.to_owned(),
        }
    }

    /// Returns where the releases are.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }
}
