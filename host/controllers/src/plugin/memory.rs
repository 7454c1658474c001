//! What is remembered of plugins between two looks: what runs, and what the last image was found to
//! be, so that the same image is not pulled again only to be refused again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_api::Digest;
use bulkhead_wasm::{Manifest, Plugin};

use super::approve::Asked;
use super::error::PluginError;
use super::grants::Granted;
use super::vault::{Owner, Record};

/// A component that was verified, inspected, compiled and approved.
#[derive(Debug)]
pub(super) struct Running {
    /// What was verified of it.
    pub(super) record: Record,
    /// It.
    pub(super) plugin: Plugin,
    /// World that it was built for.
    pub(super) world: String,
    /// What it says about itself.
    pub(super) manifest: Option<Manifest>,
    /// What it asks for.
    pub(super) asked: Asked,
}

/// What an image was found to be, when that cannot change without another image, another
/// specification or another policy.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// Digest of the image.
    pub(super) digest: Digest,
    /// Generation of the object.
    pub(super) generation: i64,
    /// Fingerprint of the policy.
    pub(super) policy: Option<Digest>,
    /// Why it does not run.
    pub(super) refused: Arc<PluginError>,
}

/// What is remembered of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What runs.
    pub(super) running: Option<Arc<Running>>,
    /// What was granted when that could last be read.
    pub(super) granted: Option<Granted>,
    /// Why the last image does not.
    pub(super) verdict: Option<Verdict>,
}

/// What is remembered of all objects.
#[derive(Debug, Default)]
pub struct PluginMemories(Mutex<HashMap<Owner, Memory>>);

impl PluginMemories {
    pub(super) fn get(&self, owner: &Owner) -> Memory {
        let memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(owner).cloned().unwrap_or_default()
    }

    pub(super) fn put(&self, owner: &Owner, memory: Memory) {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memories.insert(owner.clone(), memory);
    }

    /// Forgets an object that is gone.
    pub(super) fn remove(&self, owner: &Owner) {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memories.remove(owner);
    }
}
