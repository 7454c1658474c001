//! Which built-in kinds have no namespace, for where no API server can be asked.

use bulkhead_api::ObjectId;

use crate::metadata::Scope;

/// Built-in kinds without a namespace.
const CLUSTER_KINDS: [&str; 27] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "FlowSchema",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "ServiceCIDR",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];
/// Groups whose kinds are all known here.
const BUILT_IN_GROUPS: [&str; 8] = [
    "",
    "apps",
    "autoscaling",
    "batch",
    "policy",
    "extensions",
    "events.k8s.io",
    "discovery.k8s.io",
];
/// Further groups with built-in kinds of both scopes.
const MIXED_GROUPS: [&str; 12] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Returns the scope of a kind; custom kinds are unknown, and stay where the renderer put them.
pub(super) fn of(id: &ObjectId) -> Scope {
    let group = id.group.as_str();
    if !BUILT_IN_GROUPS.contains(&group) && !MIXED_GROUPS.contains(&group) {
        Scope::Unknown
    } else if CLUSTER_KINDS.contains(&id.kind.as_str()) {
        Scope::Cluster
    } else {
        Scope::Namespaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_built_in_kinds_are_known() {
        let of = |group, kind| super::of(&ObjectId::new("", "a", group, kind));
        assert_eq!(of("", "Namespace"), Scope::Cluster);
        assert_eq!(of("apps", "Deployment"), Scope::Namespaced);
        assert_eq!(of("rbac.authorization.k8s.io", "Role"), Scope::Namespaced);
        assert_eq!(
            of("rbac.authorization.k8s.io", "ClusterRole"),
            Scope::Cluster
        );
        assert_eq!(of("example.com", "Namespace"), Scope::Unknown);
    }
}
