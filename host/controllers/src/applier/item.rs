//! A Kustomization or a Delivery in the one form that everything after it works with: the Delivery
//! that it stands for, and what it is written back as.

use std::sync::Arc;

use bulkhead_api::ObjectId;
use bulkhead_api::conditions;
use bulkhead_api::delivery::{Delivery, DeliverySpec, DeliveryStatus, DependencyKind};
use bulkhead_api::kustomize::{Kustomization, SourceReference};
use bulkhead_api::meta::Condition;
use bulkhead_api::names::condition::READY;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::face::{self, FaceError};
use super::name::{Face, Name};
use crate::context::Context;
use crate::queue::Key;
use crate::report::Report;
use crate::status::{self, WriteError};
use crate::watch::key_of;

/// The object as the API server shows it.
#[derive(Clone, Debug)]
pub enum Raw {
    /// Flux's kind.
    Kustomization(Arc<Kustomization>),
    /// Ours.
    Delivery(Arc<Delivery>),
}

impl Raw {
    /// Returns the object `name`, if it is there and can be read.
    pub fn find(context: &Context, name: &Name) -> Option<Self> {
        match name.face {
            Face::Kustomization => context
                .kustomizations
                .get(&name.key)
                .map(Self::Kustomization),
            Face::Delivery => context.deliveries.get(&name.key).map(Self::Delivery),
        }
    }

    /// Names it.
    pub fn name(&self) -> Name {
        match self {
            Self::Kustomization(object) => Name::kustomization(key_of(&**object)),
            Self::Delivery(object) => Name::delivery(key_of(&**object)),
        }
    }

    /// Returns its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Kustomization(object) => &object.metadata,
            Self::Delivery(object) => &object.metadata,
        }
    }

    /// Returns the reference to its source.
    pub fn source(&self) -> &SourceReference {
        match self {
            Self::Kustomization(object) => &object.spec.source_ref,
            Self::Delivery(object) => &object.spec.source_ref,
        }
    }

    /// Returns the conditions of its status.
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::Kustomization(object) => &object.status.conditions,
            Self::Delivery(object) => &object.status.conditions,
        }
    }

    /// Tells whether it is ready for its generation.
    pub(super) fn is_ready(&self) -> bool {
        let observed = match self {
            Self::Kustomization(object) => object.status.observed_generation,
            Self::Delivery(object) => object.status.observed_generation,
        };
        self.metadata().generation == Some(observed)
            && conditions::is_true(self.conditions(), READY)
    }

    /// Returns the revision that it last applied in full.
    pub(super) fn last_applied_revision(&self) -> Option<&str> {
        match self {
            Self::Kustomization(object) => object.status.last_applied_revision.as_deref(),
            Self::Delivery(object) => object.status.last_applied_revision.as_deref(),
        }
    }

    /// Names what it depends on.
    pub fn dependencies(&self) -> Vec<Name> {
        let own = self.metadata().namespace.as_deref().unwrap_or_default();
        let key = |namespace: &Option<String>, name: &str| {
            Key::new(namespace.as_deref().unwrap_or(own), name)
        };
        match self {
            Self::Kustomization(object) => {
                let references = object.spec.depends_on.iter();
                references
                    .map(|one| Name::kustomization(key(&one.namespace, &one.name)))
                    .collect()
            }
            Self::Delivery(object) => {
                let references = object.spec.depends_on.iter();
                references
                    .map(|one| {
                        let key = key(&one.namespace, &one.name);
                        match one.kind {
                            Some(DependencyKind::Kustomization) => Name::kustomization(key),
                            _ => Name::delivery(key),
                        }
                    })
                    .collect()
            }
        }
    }

    /// Returns the expressions that say when what it depends on is ready, in the same order.
    pub fn ready_expressions(&self) -> Vec<Option<&str>> {
        let given = |text: &'_ Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        match self {
            Self::Kustomization(object) => {
                let all = object.spec.depends_on.iter();
                all.map(|one| one.ready_expr.as_deref().filter(|_| given(&one.ready_expr)))
                    .collect()
            }
            Self::Delivery(object) => {
                let all = object.spec.depends_on.iter();
                all.map(|one| one.ready_expr.as_deref().filter(|_| given(&one.ready_expr)))
                    .collect()
            }
        }
    }

    /// Returns the object as expressions see it.
    pub(super) fn to_value(&self) -> serde_json::Value {
        let value = match self {
            Self::Kustomization(object) => serde_json::to_value(&**object),
            Self::Delivery(object) => serde_json::to_value(&**object),
        };
        value.unwrap_or_default()
    }

    /// Names the objects of its inventory; entries that are none are left out.
    pub(crate) fn inventory(&self) -> Vec<ObjectId> {
        let inventory = match self {
            Self::Kustomization(object) => &object.status.inventory,
            Self::Delivery(object) => &object.status.inventory,
        };
        let entries = inventory.iter().flat_map(|inventory| &inventory.entries);
        entries.filter_map(|entry| entry.object().ok()).collect()
    }

    /// Makes the event of a report about it.
    pub(crate) fn event(&self, report: Report, now: jiff::Timestamp) -> bulkhead_api::event::Event {
        match self {
            Self::Kustomization(object) => report.about(&**object, now),
            Self::Delivery(object) => report.about(&**object, now),
        }
    }
}

/// The Delivery that an object stands for.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which object.
    pub name: Name,
    /// What is wanted.
    pub spec: DeliverySpec,
    /// What was done.
    pub status: DeliveryStatus,
    /// What makes the object unfit to be understood as a Delivery, if anything.
    pub problem: Option<FaceError>,
    raw: Raw,
}

impl Item {
    /// Reads the object as a Delivery.
    pub fn of(raw: Raw) -> Self {
        let (spec, problem) = match &raw {
            Raw::Kustomization(object) => face::of_kustomization(object),
            Raw::Delivery(object) => (object.spec.clone(), None),
        };
        let status = match &raw {
            Raw::Kustomization(object) => face::status(&object.status),
            Raw::Delivery(object) => object.status.clone(),
        };
        Self {
            name: raw.name(),
            spec,
            status,
            problem,
            raw,
        }
    }

    /// Returns the object itself.
    pub fn raw(&self) -> &Raw {
        &self.raw
    }

    /// Returns its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        self.raw.metadata()
    }

    /// Identifies the object in the cluster.
    pub fn id(&self) -> ObjectId {
        match &self.raw {
            Raw::Kustomization(object) => object.id(),
            Raw::Delivery(object) => object.id(),
        }
    }

    /// Adds the finalizer, if it is not there yet; returns the object as it is then.
    ///
    /// # Errors
    /// As [`status::add_finalizer`].
    pub(super) async fn add_finalizer(context: &Context, raw: &Raw) -> Result<Raw, WriteError> {
        let client = context.clients.own();
        Ok(match raw {
            Raw::Kustomization(object) => Raw::Kustomization(
                status::add_finalizer(client, &context.kustomizations, object).await?,
            ),
            Raw::Delivery(object) => {
                Raw::Delivery(status::add_finalizer(client, &context.deliveries, object).await?)
            }
        })
    }

    /// Removes the finalizer, if it is there.
    ///
    /// # Errors
    /// As [`status::remove_finalizer`].
    pub(super) async fn remove_finalizer(&self, context: &Context) -> Result<Self, WriteError> {
        let client = context.clients.own();
        let raw = match &self.raw {
            Raw::Kustomization(object) => Raw::Kustomization(
                status::remove_finalizer(client, &context.kustomizations, object).await?,
            ),
            Raw::Delivery(object) => {
                Raw::Delivery(status::remove_finalizer(client, &context.deliveries, object).await?)
            }
        };
        Ok(Self::of(raw))
    }

    /// Writes `next` as its status, as far as the kind has the fields and they differ.
    ///
    /// # Errors
    /// As [`status::write`].
    pub(super) async fn write(
        &self,
        context: &Context,
        next: DeliveryStatus,
    ) -> Result<Self, WriteError> {
        let client = context.clients.own();
        let raw = match &self.raw {
            Raw::Kustomization(object) => {
                let next = face::kustomization_status(&next);
                let store = &context.kustomizations;
                Raw::Kustomization(status::write(client, store, object, next).await?)
            }
            Raw::Delivery(object) => {
                Raw::Delivery(status::write(client, &context.deliveries, object, next).await?)
            }
        };
        Ok(Self::of(raw))
    }
}
