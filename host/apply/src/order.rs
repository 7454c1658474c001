//! In which order objects are applied, and, reversed, deleted: Flux's stages, and its list of kinds
//! within them.
//!
//! # Source
//! `ssa/sort.go`, `ssa/utils/is.go` of fluxcd/pkg.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bulkhead_api::ObjectId;

/// Kinds that come before all others, in this order, whatever their group.
const FIRST: [&str; 23] = [
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come after all others.
const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// A step of an apply: the next begins when all of the one before are there and ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// CustomResourceDefinitions, Namespaces, ClusterRoles. Waited for.
    Definitions,
    /// Everything whose kind ends with `Class`. Waited for.
    Classes,
    /// The kinds that the operator named for a stage of their own. Not waited for.
    Custom,
    /// All else.
    Rest,
}

impl Stage {
    /// Whether its objects must be ready before the next stage.
    pub fn is_waited_for(self) -> bool {
        matches!(self, Self::Definitions | Self::Classes)
    }
}

/// Returns the stage of an object; `custom` has pairs of group and kind.
pub fn stage(id: &ObjectId, custom: &BTreeSet<(String, String)>) -> Stage {
    if is_definition(id) {
        Stage::Definitions
    } else if id.kind.ends_with("Class") {
        Stage::Classes
    } else if custom.contains(&(id.group.clone(), id.kind.clone())) {
        Stage::Custom
    } else {
        Stage::Rest
    }
}

/// Whether it is a CustomResourceDefinition.
pub fn is_crd(id: &ObjectId) -> bool {
    id.group == "apiextensions.k8s.io" && id.kind.eq_ignore_ascii_case("CustomResourceDefinition")
}

/// Whether it is a Namespace.
pub fn is_namespace(id: &ObjectId) -> bool {
    id.group.is_empty() && id.kind.eq_ignore_ascii_case("Namespace")
}

fn is_definition(id: &ObjectId) -> bool {
    let is_cluster_role =
        || id.group == "rbac.authorization.k8s.io" && id.kind.eq_ignore_ascii_case("ClusterRole");
    is_crd(id) || is_namespace(id) || is_cluster_role()
}

/// Compares two objects in the order in which a stage applies them; delete in reverse.
pub fn compare(left: &ObjectId, right: &ObjectId) -> Ordering {
    let key = |id: &ObjectId| rank(&id.kind);
    key(left)
        .cmp(&key(right))
        .then_with(|| left.group.cmp(&right.group))
        .then_with(|| left.kind.cmp(&right.kind))
        .then_with(|| left.namespace.cmp(&right.namespace))
        .then_with(|| left.name.cmp(&right.name))
}

/// Whether neither of two objects must come before the other.
pub fn is_same_rank(left: &ObjectId, right: &ObjectId) -> bool {
    rank(&left.kind) == rank(&right.kind)
}

fn rank(kind: &str) -> usize {
    if let Some(first) = FIRST.iter().position(|name| *name == kind) {
        return first;
    }
    let last = LAST.iter().position(|name| *name == kind);
    FIRST.len() + last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ObjectId {
        text.parse().expect(text)
    }

    #[test]
    fn kinds_are_ordered_as_in_flux() {
        let mut ids: Vec<ObjectId> = [
            "_hook_admissionregistration.k8s.io_ValidatingWebhookConfiguration",
            "a_web_apps_Deployment",
            "a_x_example.com_Widget",
            "b_web__Service",
            "a_web__Service",
            "_a__Namespace",
            "_hook_admissionregistration.k8s.io_MutatingWebhookConfiguration",
            "_widgets.example.com_apiextensions.k8s.io_CustomResourceDefinition",
            "a_x_batch_Job",
        ]
        .map(id)
        .into();
        ids.sort_by(compare);
        let shown: Vec<String> = ids.iter().map(ObjectId::subject).collect();
        assert_eq!(
            shown,
            [
                "CustomResourceDefinition/widgets.example.com",
                "Namespace/a",
                "Service/a/web",
                "Service/b/web",
                "Deployment/a/web",
                "Job/a/x",
                "Widget/a/x",
                "MutatingWebhookConfiguration/hook",
                "ValidatingWebhookConfiguration/hook",
            ]
        );
    }

    #[test]
    fn stages_are_flux_stages() {
        let custom = BTreeSet::from([("example.com".to_owned(), "Widget".to_owned())]);
        let cases = [
            ("_a__Namespace", Stage::Definitions),
            ("_a_other.com_Namespace", Stage::Rest),
            (
                "_a_rbac.authorization.k8s.io_ClusterRole",
                Stage::Definitions,
            ),
            (
                "_a_rbac.authorization.k8s.io_ClusterRoleBinding",
                Stage::Rest,
            ),
            ("_a_any.group_FooClass", Stage::Classes),
            ("a_a_example.com_Widget", Stage::Custom),
            ("a_a__ConfigMap", Stage::Rest),
        ];
        for (text, expected) in cases {
            assert_eq!(stage(&id(text), &custom), expected, "{text}");
        }
    }
}
