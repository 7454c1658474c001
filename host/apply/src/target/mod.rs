//! Where a plan is carried out, a cluster or a directory, and what comes of it.

pub mod cluster;
pub mod directory;

use std::fmt;

use bulkhead_api::{Advice, ObjectId, Retry};

use cluster::Awaited;

use crate::health::{Status, Verdict};
use crate::inventory::{Inventory, MAX_INVENTORY_BYTES};
use crate::parse::ParseError;

/// What happened to an object, in Flux's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and is different now.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// It was pruned, or was gone already.
    Deleted,
    /// An annotation, or a foreign owner, says to leave it alone.
    Skipped,
}

impl Action {
    /// Whether the target is different now.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Created | Self::Configured | Self::Deleted)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Skipped => "skipped",
        })
    }
}

/// One object of an apply. `Display` is Flux's: `Deployment/dev/web configured`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub id: ObjectId,
    /// What happened.
    pub action: Action,
    /// The version of its API.
    pub version: String,
    /// It may vanish when it is done: a Job with `ttlSecondsAfterFinished`.
    pub may_vanish: bool,
    /// Its health as the target answered, if it did: what is current needs no waiting for.
    pub health: Option<Verdict>,
    /// For a directory: what changed, as a unified diff with the values of Secrets masked.
    pub diff: Option<String>,
}

impl Change {
    pub(crate) fn new(id: ObjectId, action: Action) -> Self {
        Self {
            id,
            action,
            version: String::new(),
            may_vanish: false,
            health: None,
            diff: None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.id.subject(), self.action)
    }
}

/// What an apply did. Record `inventory` in any case: it names all that may be there.
#[derive(Debug, Default)]
pub struct Applied {
    /// What happened, in order; with an error, up to it.
    pub changes: Vec<Change>,
    /// What the target may have of the delivery now.
    pub inventory: Inventory,
    /// Objects that should be pruned, whose kind the API server does not serve now. Unknown is not
    /// gone: they stay in the inventory.
    pub unknown: Vec<ObjectId>,
    /// Why it stopped, or what of the pruning failed.
    pub error: Option<ApplyError>,
}

impl Applied {
    /// Whether anything is different now.
    pub fn has_changes(&self) -> bool {
        self.changes.iter().any(|change| change.action.is_change())
    }

    /// Returns the objects whose health is still to be seen: all that were applied, without those
    /// that the answer showed to be current and that no controller will touch.
    pub fn to_wait_for(&self) -> Vec<Awaited> {
        let is_built_in = |id: &ObjectId| !id.group.contains('.') || id.group.ends_with(".k8s.io");
        let is_done = |change: &Change| {
            let status = change.health.as_ref().map(|health| health.status);
            is_built_in(&change.id) && status == Some(Status::Current)
        };
        let applied = self.changes.iter().filter(|change| {
            !matches!(change.action, Action::Deleted | Action::Skipped) && !is_done(change)
        });
        let awaited = applied.map(|change| Awaited {
            id: change.id.clone(),
            version: change.version.clone(),
            may_vanish: change.may_vanish,
        });
        awaited.collect()
    }

    /// Returns one line for each change, as Flux's events have them; nothing for unchanged objects.
    pub fn change_log(&self) -> String {
        let changed = self
            .changes
            .iter()
            .filter(|change| change.action.is_change());
        changed
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// An object that could not be brought where it should be.
#[derive(Debug, thiserror::Error)]
#[error("{} {what}: {message}", .id.subject())]
pub struct ObjectError {
    /// The object.
    pub id: Box<ObjectId>,
    /// What failed: `dry-run failed (Invalid)`, `apply failed`, `delete failed`.
    pub what: String,
    /// What the target said; never a Secret's value.
    pub message: String,
}

/// Why an apply stopped.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Objects of a stage failed; later stages were not begun.
    #[error("{}", list(.0))]
    Objects(Vec<ObjectError>),
    /// Objects could not be pruned; they stay in the inventory.
    #[error("delete failed, errors: {}", list(.0))]
    Prune(Vec<ObjectError>),
    /// Definitions were not ready in time, and what needs them was not applied.
    #[error("timeout waiting for: [{}]", .0.join(", "))]
    NotReady(Vec<String>),
    /// The inventory could not be recorded before the first change; nothing was changed.
    #[error("failed to record the inventory before the first change: {0}")]
    WriteAhead(String),
    /// The inventory would not fit into a status; nothing was changed.
    #[error(
        "the inventory of {objects} objects has {bytes} bytes; it may have {MAX_INVENTORY_BYTES}"
    )]
    InventoryTooLarge {
        /// How many objects.
        objects: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// A namespaced object has no namespace; nothing was changed.
    #[error("{} namespace not specified", .0.subject())]
    NoNamespace(ObjectId),
    /// A Secret that SOPS encrypted; nothing was changed.
    #[error("{} is SOPS encrypted, configuring decryption is required for this secret to be reconciled", .0.subject())]
    Encrypted(ObjectId),
    /// Two objects are one, now that they have their namespaces; nothing was changed.
    #[error(transparent)]
    Parse(ParseError),
    /// The target could not be asked what it has; nothing was changed.
    #[error("failed to read {what}: {message}")]
    Unreachable {
        /// What was read.
        what: String,
        /// What went wrong.
        message: String,
    },
}

fn list(errors: &[ObjectError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl ApplyError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let failed = Advice::new("ReconciliationFailed", Retry::Backoff);
        match self {
            Self::Objects(_) | Self::WriteAhead(_) | Self::Unreachable { .. } => failed,
            Self::Prune(_) => Advice::new("PruneFailed", Retry::Backoff),
            Self::NotReady(_) => failed.hint("look at the status of these objects"),
            Self::InventoryTooLarge { .. } => failed.hint("split the Kustomization in two"),
            Self::NoNamespace(_) => {
                failed.hint("set `metadata.namespace`, or `spec.targetNamespace`")
            }
            Self::Encrypted(_) => failed.hint("set `spec.decryption`"),
            Self::Parse(error) => error.advice(),
        }
    }
}
