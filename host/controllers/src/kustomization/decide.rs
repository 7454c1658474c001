//! What to do about a Kustomization. Pure.

use bulkhead_api::kustomize::{DeletionPolicy, Kustomization, SourceKind};
use bulkhead_api::meta::is_requested;
use bulkhead_api::{Advice, Retry, SpecError, reason};

use super::dependencies::Unready;
use super::load::{Observed, Source, VariablesError};
use super::memory::HealthResult;
use crate::context::Settings;
use crate::delivery::substitute::Substitution;
use crate::queue::{Class, Key};

/// Why a Kustomization is not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A feature that is not there yet.
    #[error("`{field}` is not supported yet")]
    Unsupported {
        /// Path of the field.
        field: &'static str,
    },
    /// The source is in another namespace, and that is forbidden.
    #[error("can't access '{0}', cross-namespace references have been blocked")]
    AccessDenied(String),
    /// Its dependencies lead back to it.
    #[error("its dependencies go in a circle: {}", path(.0))]
    Cycle(Vec<Key>),
    /// What was applied before cannot be read from the status: nothing is pruned by guessing.
    #[error("failed to read `status.inventory`")]
    Inventory,
    /// Variables could not be read.
    #[error("post build failed: {0}")]
    Variables(#[from] VariablesError),
}

fn path(keys: &[Key]) -> String {
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" -> ")
}

impl RefuseError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let refuse = |reason| Advice::new(reason, Retry::OnChange);
        match self {
            Self::Spec(error) => error.advice(),
            Self::Unsupported { field } => {
                refuse(reason::own::NOT_SUPPORTED).hint(format!("remove `{field}`"))
            }
            Self::AccessDenied(_) => refuse(reason::ACCESS_DENIED),
            Self::Cycle(_) => refuse(reason::DEPENDENCY_NOT_READY)
                .hint("remove one of these from `spec.dependsOn`"),
            Self::Inventory => refuse(reason::RECONCILIATION_FAILED)
                .hint("correct the entries of `status.inventory`, or remove it to let them go"),
            Self::Variables(_) => Advice::new(reason::BUILD_FAILED, Retry::Backoff)
                .hint("create it, or mark it as `optional` in `spec.postBuild.substituteFrom`"),
        }
    }
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The GitRepository does not exist.
    SourceMissing,
    /// It has no artifact.
    NoArtifact,
    /// Its artifact cannot be loaded.
    NotLoaded,
    /// Its artifact is being loaded; that is not worth a word.
    Loading,
    /// A dependency is not ready.
    Dependency(Unready),
}

/// What to do.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is being deleted: prune what its policy says, then let it go.
    Finalize {
        /// Its objects go too.
        delete: bool,
        /// Wait until they are gone.
        wait: bool,
    },
    /// It is suspended: nothing.
    Suspend,
    /// Nothing can be done before a change.
    Refuse(RefuseError),
    /// Something is not there yet.
    Wait(Wait),
    /// The wait for health has ended like this.
    Conclude(HealthResult),
    /// The wait for health goes on.
    Watch,
    /// Render, and apply what is not as it should be.
    Deliver(Deliver),
}

/// How to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deliver {
    /// Variables.
    pub(super) substitution: Substitution,
    /// Compare with the cluster even if nothing seems to have changed.
    pub(super) compare: bool,
    /// If it turns out that nothing is to be done, write so later: others go first.
    pub(super) yields: bool,
}

/// Decides. `is_due` tells that all objects were last compared too long ago.
pub(super) fn decide(
    object: &Kustomization,
    seen: &Observed,
    class: Class,
    settings: &Settings,
    is_due: bool,
) -> Decision {
    if object.metadata.deletion_timestamp.is_some() {
        return finalize(object);
    }
    if object.spec.suspend {
        return Decision::Suspend;
    }
    if let Err(error) = check(object, settings) {
        return Decision::Refuse(error);
    }
    if let Some(cycle) = &seen.cycle {
        return Decision::Refuse(RefuseError::Cycle(cycle.clone()));
    }
    let revision = match &seen.source {
        Source::Missing => return Decision::Wait(Wait::SourceMissing),
        Source::NoArtifact => return Decision::Wait(Wait::NoArtifact),
        Source::Loading { failed: true } => return Decision::Wait(Wait::NotLoaded),
        Source::Loading { failed: false } => return Decision::Wait(Wait::Loading),
        Source::Ready(artifact, _) => &artifact.revision,
    };
    if let Some(unready) = &seen.unready {
        return Decision::Wait(Wait::Dependency(unready.clone()));
    }
    let remembered = &seen.remembered;
    if remembered
        .waiting
        .as_ref()
        .is_some_and(|attempt| attempt.is_current(object, revision))
    {
        return Decision::Watch;
    }
    if let Some(health) = &remembered.health
        && health.attempt.is_current(object, revision)
    {
        return Decision::Conclude(health.clone());
    }
    match &seen.substitution {
        Err(error) => Decision::Refuse(error.clone().into()),
        Ok(substitution) => Decision::Deliver(Deliver {
            substitution: substitution.clone(),
            compare: is_asked(object)
                || is_due
                || remembered.has_suspects
                || matches!(class, Class::Request | Class::Retry | Class::Drift),
            yields: class == Class::Artifact,
        }),
    }
}

fn is_asked(object: &Kustomization) -> bool {
    is_requested(
        &object.metadata,
        object.status.last_handled_reconcile_at.as_deref(),
    )
}

/// # Source
/// `finalizerShouldDeleteResources` of kustomize-controller.
fn finalize(object: &Kustomization) -> Decision {
    let policy = object.spec.deletion_policy();
    let delete = match policy {
        _ if object.spec.suspend => false,
        DeletionPolicy::MirrorPrune => object.spec.prune,
        DeletionPolicy::Delete | DeletionPolicy::WaitForTermination => true,
        DeletionPolicy::Orphan | DeletionPolicy::Other(_) => false,
    };
    Decision::Finalize {
        delete,
        wait: policy == DeletionPolicy::WaitForTermination,
    }
}

/// Refuses what would be wrong to ignore.
fn check(object: &Kustomization, settings: &Settings) -> Result<(), RefuseError> {
    let spec = &object.spec;
    spec.interval()?;
    spec.retry_interval()?;
    spec.timeout()?;
    if let DeletionPolicy::Other(value) = spec.deletion_policy() {
        return Err(
            SpecError::unknown("spec.deletionPolicy", &value, DeletionPolicy::KNOWN).into(),
        );
    }
    let unsupported = [
        (spec.kube_config.is_some(), "spec.kubeConfig"),
        (spec.decryption.is_some(), "spec.decryption"),
        (!spec.health_check_exprs.is_empty(), "spec.healthCheckExprs"),
        (!spec.ignore.is_empty(), "spec.ignore"),
        (
            spec.depends_on.iter().any(|d| d.ready_expr.is_some()),
            "spec.dependsOn.readyExpr",
        ),
    ];
    if let Some((_, field)) = unsupported.into_iter().find(|(used, _)| *used) {
        return Err(RefuseError::Unsupported { field });
    }
    match &spec.source_ref.kind {
        SourceKind::GitRepository => {}
        SourceKind::Other(value) => {
            return Err(SpecError::unknown("spec.sourceRef.kind", value, SourceKind::KNOWN).into());
        }
        _ => {
            return Err(RefuseError::Unsupported {
                field: "spec.sourceRef.kind",
            });
        }
    }
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    let source = spec.source_ref.namespace.as_deref().unwrap_or(own);
    if settings.no_cross_namespace_refs && source != own {
        let (kind, name) = (&spec.source_ref.kind, &spec.source_ref.name);
        return Err(RefuseError::AccessDenied(format!("{kind}/{source}/{name}")));
    }
    if object
        .status
        .unreadable
        .iter()
        .any(|field| field == "inventory" || field == "status")
    {
        return Err(RefuseError::Inventory);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use bulkhead_api::GoDuration;
    use bulkhead_api::kustomize::{KustomizationSpec, SourceReference};
    use bulkhead_api::meta::{DependencyReference, time};

    use super::super::load::Remembered;
    use super::super::memory::Memory;
    use super::*;

    fn settings() -> Settings {
        Settings {
            own_namespace: "flux-system".into(),
            no_cross_namespace_refs: true,
            default_service_account: None,
            requeue_dependency: Duration::from_secs(30),
            interval_jitter: 0.0,
            sweep: Duration::from_secs(3600),
            strict_substitutions: true,
        }
    }

    fn kustomization(change: impl FnOnce(&mut KustomizationSpec)) -> Kustomization {
        let source = SourceReference::new(SourceKind::GitRepository, "app");
        let mut spec = KustomizationSpec::new(source, Duration::from_secs(60), true);
        change(&mut spec);
        Kustomization::new("apps", "web", spec)
    }

    fn seen(source: Source) -> Observed {
        Observed {
            source,
            cycle: None,
            unready: None,
            substitution: Ok(Substitution {
                variables: Default::default(),
                always: false,
                strict: true,
            }),
            remembered: Remembered::default(),
            memory: Arc::new(Mutex::new(Memory::default())),
        }
    }

    fn refused(change: impl FnOnce(&mut KustomizationSpec)) -> (String, &'static str) {
        let decision = decide(
            &kustomization(change),
            &seen(Source::Missing),
            Class::Spec,
            &settings(),
            false,
        );
        match decision {
            Decision::Refuse(error) => (bulkhead_api::chain(&error), error.advice().reason),
            other => (format!("{other:?}"), ""),
        }
    }

    #[test]
    fn what_cannot_be_done_right_is_refused() {
        let (text, reason) = refused(|spec| spec.interval = GoDuration::new("99999999999h"));
        assert!(text.contains("`spec.interval`"), "{text}");
        assert_eq!(reason, "ValidationFailed");
        let (text, reason) = refused(|spec| spec.source_ref.namespace = Some("other".into()));
        assert_eq!(
            text,
            "can't access 'GitRepository/other/app', cross-namespace references have been blocked"
        );
        assert_eq!(reason, "AccessDenied");
        assert_eq!(
            refused(|spec| spec.source_ref.kind = SourceKind::Bucket).1,
            "NotSupported"
        );
        assert_eq!(
            refused(|spec| spec.source_ref.kind = "X".into()).1,
            "ValidationFailed"
        );
        let with_expression = DependencyReference {
            name: "x".into(),
            ready_expr: Some("true".into()),
            ..DependencyReference::default()
        };
        let (text, _) = refused(|spec| spec.depends_on = vec![with_expression]);
        assert_eq!(text, "`spec.dependsOn.readyExpr` is not supported yet");
    }

    #[test]
    fn an_inventory_that_cannot_be_read_prunes_nothing() {
        let mut object = kustomization(|_| ());
        object.status.unreadable = vec!["inventory".into()];
        let decision = decide(
            &object,
            &seen(Source::Missing),
            Class::Spec,
            &settings(),
            false,
        );
        assert!(matches!(decision, Decision::Refuse(RefuseError::Inventory)));
    }

    #[test]
    fn deletion_follows_the_policy_and_a_suspended_one_keeps_all() {
        let deletes = |change: &dyn Fn(&mut KustomizationSpec)| {
            let mut object = kustomization(change);
            object.metadata.deletion_timestamp = Some(time(jiff::Timestamp::UNIX_EPOCH));
            let seen = seen(Source::Missing);
            match decide(&object, &seen, Class::Request, &settings(), false) {
                Decision::Finalize { delete, wait } => (delete, wait),
                other => unreachable!("{other:?}"),
            }
        };
        assert_eq!(deletes(&|_| ()), (true, false));
        assert_eq!(deletes(&|spec| spec.prune = false), (false, false));
        assert_eq!(deletes(&|spec| spec.suspend = true), (false, false));
        let with_policy = |policy: &str| {
            let policy = policy.to_owned();
            deletes(&move |spec| {
                spec.prune = false;
                spec.deletion_policy = Some(policy.as_str().into());
            })
        };
        assert_eq!(with_policy("Delete"), (true, false));
        assert_eq!(with_policy("WaitForTermination"), (true, true));
        assert_eq!(with_policy("Orphan"), (false, false));
    }

    #[test]
    fn a_source_that_is_not_there_is_waited_for() {
        let wait = |source| {
            let object = kustomization(|_| ());
            match decide(&object, &seen(source), Class::Spec, &settings(), false) {
                Decision::Wait(wait) => wait,
                other => unreachable!("{other:?}"),
            }
        };
        assert_eq!(wait(Source::Missing), Wait::SourceMissing);
        assert_eq!(wait(Source::NoArtifact), Wait::NoArtifact);
        assert_eq!(wait(Source::Loading { failed: false }), Wait::Loading);
        assert_eq!(wait(Source::Loading { failed: true }), Wait::NotLoaded);
    }
}
