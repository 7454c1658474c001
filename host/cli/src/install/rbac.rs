//! Permissions, in two roles, so that what the engine needs for itself can be told from what it
//! needs to apply other people's objects.
//!
//! `bulkhead-controller` is for itself: its own kinds, what they refer to, events and leases.
//!
//! `bulkhead-applier` is for the objects of Kustomizations. Those can be of any kind, also of kinds
//! that are defined tomorrow, so it has every kind; but only the verbs that applying takes, where
//! Flux binds cluster-admin. It lacks `deletecollection`, addresses outside the API
//! (`nonResourceURLs`), and verbs of admission such as `approve`, `sign` and `use`. Four verbs must
//! come by name: `escalate` and `bind`, or no Role could be applied that grants more than this one,
//! `impersonate`, for `spec.serviceAccountName`, and `attest`, for ClusterTrustBundles.
//!
//! With those, whoever can change a source that is applied without a service account rules the
//! cluster, as with Flux. To narrow that, delete the ClusterRoleBinding `bulkhead-applier` and bind
//! the role by RoleBinding in the namespaces that may be written: the engine runs without it.

use serde_json::{Value, json};

use super::{InstallOptions, NAME};

/// Groups of Flux's and our own kinds.
const GROUPS: [&str; 7] = [
    "bulkhead.dev",
    "helm.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "notification.toolkit.fluxcd.io",
    "source.extensions.fluxcd.io",
    "source.toolkit.fluxcd.io",
];

/// Returns the ServiceAccount, the roles, and what binds them.
pub(super) fn objects(options: &InstallOptions) -> Vec<Value> {
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": NAME, "namespace": options.namespace },
    });
    vec![
        account,
        role("bulkhead-controller", &controller_rules()),
        binding("bulkhead-controller", options),
        role("bulkhead-applier", &applier_rules()),
        binding("bulkhead-applier", options),
        lease_role(options),
        lease_binding(options),
        people(
            "flux-view",
            &["admin", "edit", "view"],
            &["get", "list", "watch"],
        ),
        people(
            "flux-edit",
            &["admin", "edit"],
            &["create", "delete", "deletecollection", "patch", "update"],
        ),
    ]
}

fn controller_rules() -> Value {
    json!([
        rule(
            &GROUPS,
            &["*"],
            &[
                "get", "list", "watch", "create", "update", "patch", "delete"
            ]
        ),
        rule(
            &[""],
            &["configmaps", "namespaces", "secrets", "serviceaccounts"],
            &["get", "list", "watch"],
        ),
        rule(&[""], &["events"], &["create", "patch"]),
        // Tokens of service accounts, for registries and key services that trust the cluster.
        rule(&[""], &["serviceaccounts/token"], &["create"]),
    ])
}

fn applier_rules() -> Value {
    // `update` is for Helm's records, and for releases that replace objects.
    let verbs = [
        "get", "list", "watch", "create", "update", "patch", "delete",
    ];
    let people = ["groups", "serviceaccounts", "users"];
    let roles = ["clusterroles", "roles"];
    json!([
        rule(&["*"], &["*"], &verbs),
        rule(
            &["rbac.authorization.k8s.io"],
            &roles,
            &["bind", "escalate"]
        ),
        rule(&[""], &people, &["impersonate"]),
        rule(&["certificates.k8s.io"], &["signers"], &["attest"]),
    ])
}

/// Leader election, in the engine's own namespace alone.
fn lease_role(options: &InstallOptions) -> Value {
    let verbs = [
        "get", "list", "watch", "create", "update", "patch", "delete",
    ];
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": { "name": "bulkhead-leader", "namespace": options.namespace },
        "rules": [rule(&["coordination.k8s.io"], &["leases"], &verbs)],
    })
}

fn lease_binding(options: &InstallOptions) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": "bulkhead-leader", "namespace": options.namespace },
        "roleRef": role_ref("Role", "bulkhead-leader"),
        "subjects": [subject(options)],
    })
}

/// A role for people, that Kubernetes adds to its own roles `admin`, `edit` and `view`.
fn people(name: &str, added_to: &[&str], verbs: &[&str]) -> Value {
    let mut role = role(name, &json!([rule(&GROUPS, &["*"], verbs)]));
    for target in added_to {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{target}");
        role["metadata"]["labels"][label] = json!("true");
    }
    role
}

fn role(name: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": rules,
    })
}

fn binding(name: &str, options: &InstallOptions) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": role_ref("ClusterRole", name),
        "subjects": [subject(options)],
    })
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": groups, "resources": resources, "verbs": verbs })
}

fn role_ref(kind: &str, name: &str) -> Value {
    json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name })
}

fn subject(options: &InstallOptions) -> Value {
    json!({ "kind": "ServiceAccount", "name": NAME, "namespace": options.namespace })
}
