//! Why an action failed, in Helm's words where Helm has some.

use bulkhead_api::{Advice, Retry};

use crate::parse::ParseError;
use crate::release::storage::StorageError;
use crate::target::ObjectError;
use crate::target::cluster::{ApiError, WaitError};

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// A record could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The name is no name of a release.
    #[error("invalid release name `{0}`: it must be a DNS name of at most 53 bytes")]
    Name(String),
    /// There is no release of this name.
    #[error("release: not found")]
    NotFound,
    /// There is no version to go back to.
    #[error("release has no {0} version")]
    NoVersion(i64),
    /// There is nothing that could be upgraded.
    #[error("\"{0}\" has no deployed releases")]
    NoDeployed(String),
    /// The name is taken.
    #[error("cannot reuse a name that is still in use")]
    InUse,
    /// An action is under way, or was broken off.
    #[error("another operation (install/upgrade/rollback) is in progress")]
    Pending,
    /// It is uninstalled already.
    #[error("the release named \"{0}\" is already deleted")]
    AlreadyDeleted(String),
    /// The manifests are no objects.
    #[error("unable to build kubernetes objects from release manifest")]
    Build(#[source] ParseError),
    /// Objects of kinds that the API server does not serve; nothing was touched.
    #[error("unable to build kubernetes objects from release manifest: {}", .0.join("; "))]
    UnknownKinds(Vec<String>),
    /// What the API server serves could not be read; nothing was touched.
    #[error("unable to build kubernetes objects from release manifest: cannot read what is served")]
    Discovery(#[source] ApiError),
    /// An object is there and belongs to somebody else; nothing was touched.
    #[error("unable to continue with {action}: {told}")]
    Ownership {
        /// `install` or `update`.
        action: &'static str,
        /// Which object, and what it lacks.
        told: String,
    },
    /// The namespace could not be created.
    #[error("failed to create the namespace {name}")]
    Namespace {
        /// The namespace.
        name: String,
        /// Why.
        #[source]
        source: ApiError,
    },
    /// The chart's CRDs could not be applied; nothing else was touched.
    #[error("failed to apply CustomResourceDefinitions: {0}")]
    Crds(String),
    /// Objects could not be applied.
    #[error("{}", join(.0, " && "))]
    Objects(Vec<ObjectError>),
    /// Objects did not become healthy.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The objects of a rollback did not become healthy.
    #[error("release {name} failed")]
    RolledBack {
        /// The release.
        name: String,
        /// Which objects.
        #[source]
        source: Box<ActionError>,
    },
    /// Hooks failed.
    #[error("{}", hooks_failed(.event, .told))]
    Hooks {
        /// The event.
        event: &'static str,
        /// Which hook, and why.
        told: String,
    },
    /// Objects could not be deleted.
    #[error("failed to delete release: {name}: {}", join(.errors, "; "))]
    Delete {
        /// The release.
        name: String,
        /// The objects.
        errors: Vec<ObjectError>,
    },
    /// Objects were deleted and are still there; the records are, too.
    #[error("timed out waiting for {} to be deleted", .0.join(", "))]
    NotGone(Vec<String>),
    /// Everything was deleted, with errors.
    #[error("uninstallation completed with {} error(s): {}", .0.len(), .0.join("; "))]
    Uninstalled(Vec<String>),
    /// A failed action could not be cleaned up behind.
    #[error("an error occurred while cleaning up resources. original error: {}: unable to cleanup resources: {}", bulkhead_api::chain(&**original), join(.errors, ", "))]
    Cleanup {
        /// What failed first.
        original: Box<ActionError>,
        /// What could not be deleted.
        errors: Vec<ObjectError>,
    },
}

/// What Helm says before the hook's own words, by event.
fn hooks_failed(event: &str, told: &str) -> String {
    match event {
        "pre-install" | "post-install" => format!("failed {event}: {told}"),
        "pre-upgrade" | "post-upgrade" => format!("{event} hooks failed: {told}"),
        _ => told.to_owned(),
    }
}

fn join(errors: &[ObjectError], separator: &str) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join(separator)
}

impl ActionError {
    /// Names when to try again, and what the user can do. The reason is the caller's, by action:
    /// `InstallFailed`, `UpgradeFailed`.
    pub fn advice(&self, reason: &'static str) -> Advice {
        let advice = Advice::new(reason, Retry::Backoff);
        match self {
            Self::Storage(error) => {
                let own = error.advice();
                Advice { reason, ..own }
            }
            Self::Ownership { .. } => advice.hint(
                "delete the object, or let the release take it: `disableTakeOwnership: false`",
            ),
            Self::UnknownKinds(_) => {
                advice.hint("install what brings these kinds first, as by `spec.dependsOn`")
            }
            Self::Wait(_) | Self::RolledBack { .. } | Self::Hooks { .. } => {
                advice.hint("look at the status of these objects, or raise `timeout`")
            }
            Self::NotGone(_) => advice.hint("look at the finalizers of these objects"),
            Self::InUse => advice.hint("set `spec.install.replace`"),
            _ => advice,
        }
    }
}
