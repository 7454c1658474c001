//! Gathers what a decision about a HelmRepository needs: its Secrets, its stored index.

use std::sync::Arc;

use bulkhead_api::source::HelmRepository;

use super::request::Secrets;
use crate::context::Context;
use crate::queue::Key;
use crate::sources;

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The Secrets that it names.
    pub(super) secrets: Secrets,
    /// The artifact of the status is in the storage.
    pub(super) has_artifact: bool,
}

/// Reads what the object refers to.
pub(super) async fn observe(
    object: &HelmRepository,
    key: &Key,
    context: &Arc<Context>,
) -> Observed {
    if object.metadata.deletion_timestamp.is_some() || object.spec.suspend {
        return Observed::default();
    }
    Observed {
        secrets: Secrets::read(context.clients.own(), key, &object.spec).await,
        has_artifact: sources::is_held(context, object).await,
    }
}
