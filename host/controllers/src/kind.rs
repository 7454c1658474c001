//! What the reconciled kinds have in common, for the code that writes their status and reports.

use bulkhead_api::delivery::{Delivery, DeliveryStatus};
use bulkhead_api::helmrelease::{HelmRelease, HelmReleaseStatus};
use bulkhead_api::kustomize::{Kustomization, KustomizationStatus};
use bulkhead_api::meta::{Condition, is_requested, requested_at};
use bulkhead_api::names::{controller, manager};
use bulkhead_api::plugin::{ClusterPlugin, Plugin, PluginStatus};
use bulkhead_api::source::{
    GitRepository, GitRepositoryStatus, HelmChart, HelmChartStatus, HelmRepository,
    HelmRepositoryStatus, OCIRepository, OciRepositoryStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::queue::Class;
use crate::watch::Change;

/// A kind with a status that a controller of this crate writes.
pub trait Kind:
    kube::Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Its status.
    type Status: Clone + PartialEq + Serialize;
    /// Kind in CamelCase.
    const KIND: &'static str;
    /// API group.
    const GROUP: &'static str;
    /// API version without group.
    const VERSION: &'static str;
    /// Field manager of its status.
    const MANAGER: &'static str;
    /// Controller that its events name.
    const CONTROLLER: &'static str;

    /// Returns the status.
    fn status(&self) -> &Self::Status;
    /// Returns the object with other metadata and status.
    fn with(&self, metadata: ObjectMeta, status: Self::Status) -> Self;
    /// Returns the conditions of a status.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// Returns the last reconciliation that was asked for and done.
    fn last_handled(status: &Self::Status) -> Option<&str>;
    /// Tells whether it is suspended.
    fn is_suspended(&self) -> bool;
}

macro_rules! kind {
    ($kind:ty, $status:ty, $manager:expr, $controller:expr) => {
        impl Kind for $kind {
            type Status = $status;
            const KIND: &'static str = <$kind>::KIND;
            const GROUP: &'static str = <$kind>::GROUP;
            const VERSION: &'static str = <$kind>::VERSION;
            const MANAGER: &'static str = $manager;
            const CONTROLLER: &'static str = $controller;

            fn status(&self) -> &Self::Status {
                &self.status
            }
            fn with(&self, metadata: ObjectMeta, status: Self::Status) -> Self {
                Self {
                    metadata,
                    spec: self.spec.clone(),
                    status,
                }
            }
            fn conditions(status: &Self::Status) -> &[Condition] {
                &status.conditions
            }
            fn last_handled(status: &Self::Status) -> Option<&str> {
                status.last_handled_reconcile_at.as_deref()
            }
            fn is_suspended(&self) -> bool {
                self.spec.suspend
            }
        }
    };
}

kind!(
    GitRepository,
    GitRepositoryStatus,
    manager::SOURCE,
    controller::SOURCE
);
kind!(
    OCIRepository,
    OciRepositoryStatus,
    manager::SOURCE,
    controller::SOURCE
);
kind!(
    HelmRepository,
    HelmRepositoryStatus,
    manager::SOURCE,
    controller::SOURCE
);
kind!(
    HelmChart,
    HelmChartStatus,
    manager::SOURCE,
    controller::SOURCE
);
kind!(
    Kustomization,
    KustomizationStatus,
    manager::KUSTOMIZE_STATUS,
    controller::KUSTOMIZE
);

kind!(
    HelmRelease,
    HelmReleaseStatus,
    manager::HELM,
    controller::HELM
);
kind!(Plugin, PluginStatus, manager::PLUGIN, controller::PLUGIN);
kind!(
    ClusterPlugin,
    PluginStatus,
    manager::PLUGIN,
    controller::PLUGIN
);
kind!(
    Delivery,
    DeliveryStatus,
    manager::DELIVERY,
    controller::DELIVERY
);

/// Says why a change of the object makes a reconciliation necessary; `None` if it does not.
pub fn wake<T: Kind>(change: &Change<T>) -> Option<Class> {
    let Change::Put { before, now } = change else {
        return None;
    };
    let Some(before) = before else {
        return Some(Class::Spec);
    };
    let (was, is) = (before.meta(), now.meta());
    let requested =
        requested_at(is) != requested_at(was) && is_requested(is, T::last_handled(now.status()));
    let deleted = is.deletion_timestamp.is_some() && was.deletion_timestamp.is_none();
    if requested || deleted {
        Some(Class::Request)
    } else if is.generation != was.generation {
        Some(Class::Spec)
    } else {
        None
    }
}
