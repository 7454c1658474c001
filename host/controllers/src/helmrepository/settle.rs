//! A HelmRepository of type `oci` is static: what an earlier type left behind is taken away.
//!
//! # Source
//! `migrationToStatic` of source-controller 1.9, `internal/controller/helmrepository_controller.go`.

use std::sync::Arc;

use bulkhead_api::names::FINALIZER;
use bulkhead_api::source::{HelmRepository, HelmRepositoryStatus};
use kube::ResourceExt as _;

use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::sources::remove_artifacts;
use crate::status::{self, WriteError};

/// Takes finalizer, status and artifacts away, if there are any.
pub(super) async fn settle(
    context: &Context,
    key: &Key,
    object: &Arc<HelmRepository>,
) -> Result<Again, WriteError> {
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    if object.spec.suspend && !is_deleted || !is_unsettled(object) {
        return Ok(Again::OnEvent);
    }
    context.indexes.remove(key);
    if let Err(error) = remove_artifacts::<HelmRepository>(context, key).await {
        let error = bulkhead_api::chain(&error);
        tracing::error!(error, "garbage collection for deleted resource failed");
        let pause = context.settings.requeue_dependency;
        return Ok(Again::After(pause, Class::Retry));
    }
    let (client, store) = (context.clients.own(), &context.helm_repositories.store);
    let written = status::write(client, store, object, none()).await?;
    status::remove_finalizer(client, store, &written).await?;
    Ok(Again::OnEvent)
}

/// No status at all. The -1 that the definition starts with has to go, too: who looks at generations
/// would wait for it for ever.
fn none() -> HelmRepositoryStatus {
    HelmRepositoryStatus {
        observed_generation: 0,
        ..HelmRepositoryStatus::default()
    }
}

/// Tells whether it has what only another type has.
fn is_unsettled(object: &HelmRepository) -> bool {
    let status = &object.status;
    let has_finalizer = object.finalizers().iter().any(|name| name == FINALIZER);
    has_finalizer
        || status.artifact.is_some()
        || status.url.is_some()
        || !status.conditions.is_empty()
        || status.last_handled_reconcile_at.is_some()
        || status.observed_generation != 0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_api::source::HelmRepositorySpec;

    use super::*;

    #[test]
    fn only_what_another_type_left_is_taken_away() {
        let spec = HelmRepositorySpec::new("oci://example.com/charts", Duration::from_secs(60));
        let mut object = HelmRepository::new("apps", "web", spec);
        assert!(is_unsettled(&object), "-1, as the API server starts it");
        object.status.observed_generation = 2;
        assert!(is_unsettled(&object));
        object.status = none();
        assert!(!is_unsettled(&object));
        let written = serde_json::to_value(&object.status).expect("a status is JSON");
        assert_eq!(written, serde_json::json!({}));
        object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        assert!(is_unsettled(&object));
    }
}
