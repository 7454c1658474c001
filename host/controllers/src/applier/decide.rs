//! What to do about a Kustomization or a Delivery. Pure.

use bulkhead_api::kustomize::{DeletionPolicy, SourceKind};
use bulkhead_api::meta::is_requested;
use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_apply::health::Checks;

use super::dependencies::Unready;
use super::face::FaceError;
use super::item::Item;
use super::load::{Observed, Source, Values};
use super::memory::HealthResult;
use super::name::Name;
use super::plugins::{Chosen, PluginsError};
use super::values::ValuesError;
use crate::context::Settings;
use crate::queue::Class;

/// Why an object is not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A Kustomization cannot be understood.
    #[error(transparent)]
    Face(#[from] FaceError),
    /// A feature that is not there yet.
    #[error("`{field}` is not supported yet")]
    Unsupported {
        /// Path of the field.
        field: &'static str,
    },
    /// The source is in another namespace, and that is forbidden.
    #[error("can't access '{0}', cross-namespace references have been blocked")]
    AccessDenied(String),
    /// An expression cannot be used.
    #[error("Reconciliation failed terminally due to configuration error: {0}")]
    Expression(String),
    /// Its dependencies lead back to it.
    #[error("its dependencies go in a circle: {}", path(.0))]
    Cycle(Vec<Name>),
    /// What was applied before cannot be read from the status: nothing is pruned by guessing.
    #[error("failed to read `status.inventory`")]
    Inventory,
    /// Its plugins do not take what it says.
    #[error(transparent)]
    Plugins(PluginsError),
    /// Variables could not be read.
    #[error("post build failed: {0}")]
    Variables(ValuesError),
    /// Inputs could not be read.
    #[error(transparent)]
    Inputs(ValuesError),
}

impl From<ValuesError> for RefuseError {
    fn from(error: ValuesError) -> Self {
        match error {
            ValuesError::Input { .. } => Self::Inputs(error),
            _ => Self::Variables(error),
        }
    }
}

fn path(keys: &[Name]) -> String {
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
            Self::Expression(_) => refuse(reason::INVALID_CEL_EXPRESSION),
            Self::Cycle(_) => refuse(reason::DEPENDENCY_NOT_READY)
                .hint("remove one of these from `spec.dependsOn`"),
            Self::Inventory => refuse(reason::RECONCILIATION_FAILED)
                .hint("correct the entries of `status.inventory`, or remove it to let them go"),
            Self::Face(error) => error.advice(),
            Self::Plugins(error) => error.advice(),
            Self::Variables(error) | Self::Inputs(error) => error.advice(),
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
    /// The artifact of another controller cannot be loaded.
    Artifact(String),
    /// A dependency is not ready.
    Dependency(Unready),
    /// A plugin is not there, or not ready.
    Plugin(PluginsError),
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
#[derive(Clone, Debug)]
pub(super) struct Deliver {
    /// Plugins.
    pub(super) plugins: Chosen,
    /// Variables and inputs.
    pub(super) values: Values,
    /// Compare with the cluster even if nothing seems to have changed.
    pub(super) compare: bool,
    /// If it turns out that nothing is to be done, write so later: others go first.
    pub(super) yields: bool,
}

/// Decides. `is_due` tells that all objects were last compared too long ago.
pub(super) fn decide(
    object: &Item,
    seen: &Observed,
    class: Class,
    settings: &Settings,
    is_due: bool,
) -> Decision {
    if object.metadata().deletion_timestamp.is_some() {
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
        Source::Failed(problem) => return Decision::Wait(Wait::Artifact(problem.clone())),
        Source::Ready(artifact, _) => &artifact.revision,
    };
    if let Some(Unready::Invalid { told, .. }) = &seen.unready {
        return Decision::Refuse(RefuseError::Expression(told.clone()));
    }
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
    let plugins = match &seen.plugins {
        Ok(plugins) => plugins,
        Err(error @ PluginsError::Catalogue(_)) => {
            return Decision::Wait(Wait::Plugin(error.clone()));
        }
        Err(error) => return Decision::Refuse(RefuseError::Plugins(error.clone())),
    };
    match &seen.values {
        Err(error) => Decision::Refuse(error.clone().into()),
        Ok(values) => Decision::Deliver(Deliver {
            plugins: plugins.clone(),
            values: values.clone(),
            compare: is_asked(object)
                || is_due
                || remembered.has_suspects
                || matches!(class, Class::Request | Class::Retry | Class::Drift),
            yields: class == Class::Artifact,
        }),
    }
}

fn is_asked(object: &Item) -> bool {
    is_requested(
        object.metadata(),
        object.status.last_handled_reconcile_at.as_deref(),
    )
}

/// # Source
/// `finalizerShouldDeleteResources` of kustomize-controller.
fn finalize(object: &Item) -> Decision {
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
fn check(object: &Item, settings: &Settings) -> Result<(), RefuseError> {
    let spec = &object.spec;
    spec.interval()?;
    spec.retry_interval()?;
    spec.timeout()?;
    if let Some(problem) = &object.problem {
        return Err(problem.clone().into());
    }
    if let DeletionPolicy::Other(value) = spec.deletion_policy() {
        return Err(
            SpecError::unknown("spec.deletionPolicy", &value, DeletionPolicy::KNOWN).into(),
        );
    }
    let unsupported = [(!spec.ignore.is_empty(), "spec.ignore")];
    if let Some((_, field)) = unsupported.into_iter().find(|(used, _)| *used) {
        return Err(RefuseError::Unsupported { field });
    }
    let checks = Checks::new(&spec.health_check_exprs);
    checks.map_err(|error| RefuseError::Expression(bulkhead_api::chain(&error)))?;
    match &spec.source_ref.kind {
        SourceKind::GitRepository | SourceKind::OciRepository | SourceKind::ExternalArtifact => {}
        SourceKind::Other(value) => {
            return Err(SpecError::unknown("spec.sourceRef.kind", value, SourceKind::KNOWN).into());
        }
        SourceKind::Bucket => {
            return Err(RefuseError::Unsupported {
                field: "spec.sourceRef.kind",
            });
        }
    }
    let own = object.metadata().namespace.as_deref().unwrap_or_default();
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
    use bulkhead_api::kustomize::{
        CustomHealthCheck, Kustomization, KustomizationSpec, SourceReference,
    };
    use bulkhead_api::meta::time;

    use super::super::item::Raw;
    use super::super::load::Remembered;
    use super::super::memory::Memory;
    use super::*;
    use crate::catalogue::CatalogueError;
    use crate::delivery::substitute::Substitution;

    fn settings() -> Settings {
        Settings {
            own_namespace: "flux-system".into(),
            no_cross_namespace_refs: true,
            default_kubeconfig_service_account: None,
            kubeconfigs: Default::default(),
            default_service_account: None,
            requeue_dependency: Duration::from_secs(30),
            interval_jitter: 0.0,
            sweep: Duration::from_secs(3600),
            strict_substitutions: true,
        }
    }

    fn item(object: Kustomization) -> Item {
        Item::of(Raw::Kustomization(Arc::new(object)))
    }

    fn kustomization(change: impl FnOnce(&mut KustomizationSpec)) -> Kustomization {
        let source = SourceReference::new(SourceKind::GitRepository, "app");
        let mut spec = KustomizationSpec::new(source, Duration::from_secs(60), true);
        change(&mut spec);
        Kustomization::new("apps", "web", spec)
    }

    fn not_ready() -> PluginsError {
        let error = CatalogueError::NotReady {
            plugin: "Plugin `apps/cue`".into(),
            reason: "Fetching".into(),
            message: "pulling".into(),
        };
        error.into()
    }

    fn seen(source: Source) -> Observed {
        Observed {
            source,
            cycle: None,
            unready: None,
            plugins: Err(not_ready()),
            values: Ok(Values {
                substitution: Substitution::none(),
                inputs: Vec::new(),
            }),
            remembered: Remembered::default(),
            memory: Arc::new(Mutex::new(Memory::default())),
        }
    }

    fn refused(change: impl FnOnce(&mut KustomizationSpec)) -> (String, &'static str) {
        let decision = decide(
            &item(kustomization(change)),
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
        let check = CustomHealthCheck {
            api_version: "v1".into(),
            current: "a b".into(),
            ..CustomHealthCheck::default()
        };
        let (text, reason) = refused(|spec| spec.health_check_exprs = vec![check]);
        assert!(text.starts_with("Reconciliation failed terminally due to configuration error: "));
        assert_eq!(reason, "InvalidCELExpression");
    }

    #[test]
    fn an_inventory_that_cannot_be_read_prunes_nothing() {
        let mut object = kustomization(|_| ());
        object.status.unreadable = vec!["inventory".into()];
        let decision = decide(
            &item(object),
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
            match decide(&item(object), &seen, Class::Request, &settings(), false) {
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
            match decide(
                &item(object),
                &seen(source),
                Class::Spec,
                &settings(),
                false,
            ) {
                Decision::Wait(wait) => wait,
                other => unreachable!("{other:?}"),
            }
        };
        assert_eq!(wait(Source::Missing), Wait::SourceMissing);
        assert_eq!(wait(Source::NoArtifact), Wait::NoArtifact);
        assert_eq!(wait(Source::Loading { failed: false }), Wait::Loading);
        assert_eq!(wait(Source::Loading { failed: true }), Wait::NotLoaded);
    }

    #[test]
    fn a_plugin_that_is_not_ready_is_waited_for_once_the_source_is_there() {
        let loaded = crate::trees::Loaded {
            revision: "main@sha1:1".into(),
            digest: "sha256:1".into(),
            revision_time: 0,
            tree: Arc::new(bulkhead_wasm::MemoryTree::new()),
        };
        let artifact = bulkhead_api::meta::Artifact {
            digest: "sha256:1".into(),
            path: String::new(),
            url: String::new(),
            revision: "main@sha1:1".into(),
            last_update_time: time(jiff::Timestamp::UNIX_EPOCH),
            size: None,
            metadata: Default::default(),
        };
        let mut seen = seen(Source::Ready(Box::new(artifact), Arc::new(loaded)));
        let object = item(kustomization(|_| ()));
        match decide(&object, &seen, Class::Spec, &settings(), false) {
            Decision::Wait(wait) => assert_eq!(wait, Wait::Plugin(not_ready())),
            other => unreachable!("{other:?}"),
        }
        seen.plugins = Err(PluginsError::Input {
            plugin: "cue".into(),
            input: "values".into(),
            known: Vec::new(),
        });
        let decision = decide(&object, &seen, Class::Spec, &settings(), false);
        assert!(matches!(
            decision,
            Decision::Refuse(RefuseError::Plugins(_))
        ));
    }
}
