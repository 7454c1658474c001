//! How a reconciliation ends: what was done, what was attempted, why it failed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::delivery::Render;
use bulkhead_api::meta::{Inventory as StatusInventory, InventoryEntry};
use bulkhead_api::{Advice, Digest, ObjectId, Retry, reason};
use bulkhead_apply::health::Status;
use bulkhead_apply::target::cluster::WaitError;
use bulkhead_apply::{Action, Applied, ApplyError, Change, Inventory};

use super::decide::{RefuseError, Wait};
use super::item::Item;
use crate::delivery::DeliveryError;
use crate::place::PlaceError;

/// Why an object is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// It is not even tried.
    #[error(transparent)]
    Refused(#[from] RefuseError),
    /// The account to act as cannot be used.
    #[error("failed to build kube client")]
    Client(#[source] Box<PlaceError>),
    /// Nothing could be rendered.
    #[error(transparent)]
    Delivery(Box<DeliveryError>),
    /// A plugin of a user's returned nothing where there was something: nothing is pruned for it.
    #[error("plugin `{plugin}` returned no objects, and {applied} are applied")]
    Emptied {
        /// The plugin.
        plugin: String,
        /// Objects in the inventory.
        applied: usize,
    },
    /// Another version of a plugin leaves out what is applied, and nobody has asked for that.
    #[error(
        "another version of a plugin leaves out {} that the one before returned: {} ({before}, now {now})",
        count(lost.len()),
        names(lost)
    )]
    UpgradePrunes {
        /// The plugins of what is applied, by digest.
        before: String,
        /// Those of now.
        now: String,
        /// What would be deleted; not empty.
        lost: Vec<ObjectId>,
    },
    /// The inventory of the status has an entry that is none.
    #[error("failed to read `status.inventory`")]
    Inventory(#[source] bulkhead_api::object::ObjectIdError),
    /// The cluster refused something.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Not all objects became healthy.
    #[error("health check failed after {}", bulkhead_api::duration::go_text(*.took))]
    Health {
        /// How long it was waited.
        took: Duration,
        /// Which objects.
        #[source]
        source: WaitError,
    },
}

/// Objects that a message names.
const NAMED: usize = 10;

fn count(objects: usize) -> String {
    match objects {
        1 => "1 object".to_owned(),
        more => format!("{more} objects"),
    }
}

fn names(objects: &[ObjectId]) -> String {
    let mut names: Vec<String> = objects
        .iter()
        .take(NAMED)
        .map(|id| format!("`{}`", id.subject()))
        .collect();
    if objects.len() > NAMED {
        names.push(format!("and {} more", objects.len() - NAMED));
    }
    names.join(", ")
}

impl From<DeliveryError> for DeliverError {
    fn from(error: DeliveryError) -> Self {
        Self::Delivery(Box::new(error))
    }
}

impl From<PlaceError> for DeliverError {
    fn from(error: PlaceError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl DeliverError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Refused(error) => error.advice(),
            Self::Client(error) => error.advice(reason::RECONCILIATION_FAILED),
            Self::Delivery(error) => error.advice(),
            Self::Emptied { .. } => Advice::new(reason::BUILD_FAILED, Retry::Backoff).hint(
                "correct the plugin's files or configuration; to remove everything, delete this \
                 object",
            ),
            Self::UpgradePrunes { .. } => {
                Advice::new(reason::own::PLUGIN_CHANGED_OUTPUT, Retry::OnChange).hint(format!(
                    "to let them be deleted, ask for a reconciliation: annotate this object with \
                     `{}` and a new value; to keep them, name the image of the version before by \
                     its digest in the plugin's `spec.image`",
                    bulkhead_api::names::annotation::RECONCILE_REQUESTED_AT
                ))
            }
            Self::Inventory(_) => RefuseError::Inventory.advice(),
            Self::Apply(error) => error.advice(),
            Self::Health { source, .. } => source.advice(),
        }
    }
}

/// What all outcomes of an attempt tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempted {
    /// Revision of the artifact.
    pub(super) revision: String,
    /// Revision that the artifact was made from.
    pub(super) origin_revision: Option<String>,
    /// Digest of what was rendered; none if that failed.
    pub(super) digest: Option<Digest>,
    /// What was rendered, and from what; none if that failed.
    pub(super) render: Option<Arc<Render>>,
    /// The plugins that are no part of the binary, by digest; none if there were none.
    pub(super) plugins: Option<String>,
    /// What the cluster may have now; none if nothing was sent.
    pub(super) inventory: Option<Inventory>,
    /// One line for each object that was created or configured.
    pub(super) changes: String,
    /// One line for each object that was deleted.
    pub(super) pruned: String,
    /// Objects that the cluster answered to be healthy.
    pub(super) healthy: HashSet<ObjectId>,
}

/// What was done.
#[derive(Debug)]
pub(super) enum Done {
    /// The object may go.
    Finalized(Attempted),
    /// Nothing, as it is suspended.
    Suspended,
    /// Something is not there yet.
    Waiting(Wait),
    /// The same, for so short a time that nobody need know.
    Silent(Duration),
    /// Nothing was to be done, and saying so has time.
    Later,
    /// Nothing was to be done but to note the revision.
    Untouched(Attempted),
    /// All objects are as they should be.
    Applied(Attempted),
    /// They are, and now their health is waited for.
    HealthPending(Attempted),
    /// That wait goes on.
    Watching,
    /// It ended well.
    Healthy(Attempted, Duration),
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    pub(super) result: Result<Done, DeliverError>,
    /// What was attempted before an error.
    pub(super) attempted: Attempted,
    /// The object as it was last written.
    pub(super) object: Arc<Item>,
    pub(super) took: Duration,
}

/// Notes what an apply did, whatever came of it.
pub(super) fn note(attempted: &mut Attempted, applied: &Applied) {
    attempted.inventory = Some(applied.inventory.clone());
    let lines = |wanted: fn(Action) -> bool| {
        let changes = applied
            .changes
            .iter()
            .filter(|change| wanted(change.action));
        changes
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    attempted.changes = lines(|action| matches!(action, Action::Created | Action::Configured));
    let current = |change: &&Change| {
        change
            .health
            .as_ref()
            .is_some_and(|verdict| verdict.status == Status::Current)
    };
    let healthy = applied
        .changes
        .iter()
        .filter(current)
        .map(|change| change.id.clone());
    attempted.healthy = healthy.collect();
    attempted.pruned = lines(|action| action == Action::Deleted);
}

/// Reads the inventory of the status.
pub(super) fn inventory_of(object: &Item) -> Result<Inventory, DeliverError> {
    let entries = object
        .status
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.entries);
    Inventory::from_entries(entries.map(|entry| (entry.id.as_str(), entry.v.as_str())))
        .map_err(DeliverError::Inventory)
}

/// Returns the inventory in the form of the status.
pub(super) fn to_status(inventory: &Inventory) -> StatusInventory {
    let entries = inventory
        .to_entries()
        .into_iter()
        .map(|(id, v)| InventoryEntry { id, v });
    StatusInventory {
        entries: entries.collect(),
    }
}
