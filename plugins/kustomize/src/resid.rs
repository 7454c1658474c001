//! Identity of objects: group, version, kind, name, namespace, and how they print and compare.

use std::fmt;
use std::rc::Rc;

use crate::schema::Schemas;

/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";
/// Stands for the namespace of cluster-scoped objects.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// Group, version and kind; in a selector an empty part means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: Rc<str>,
    pub(crate) version: Rc<str>,
    pub(crate) kind: Rc<str>,
}

impl Gvk {
    /// From its three parts.
    pub(crate) fn new(group: &str, version: &str, kind: &str) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// From what a manifest says.
    pub(crate) fn of(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self::new(group, version, kind)
    }

    /// `group/version`, or the version alone.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether `selector` names this; its empty parts match anything.
    pub(crate) fn is_selected(&self, selector: &Gvk) -> bool {
        (selector.kind.is_empty() || self.kind == selector.kind)
            && (selector.group.is_empty() || self.group == selector.group)
            && (selector.version.is_empty() || self.version == selector.version)
    }

    /// The key that field specifications are sorted by: kinds others depend on come first.
    pub(crate) fn sort_key(&self) -> (i32, String) {
        (kind_order(&self.kind), self.sort_text())
    }

    /// Group, version and kind with marks for what is empty.
    pub(crate) fn sort_text(&self) -> String {
        let or = |text: &str, mark: &str| {
            if text.is_empty() {
                mark.to_owned()
            } else {
                text.to_owned()
            }
        };
        format!(
            "{}_{}_{}",
            or(&self.group, "~G"),
            or(&self.version, "~V"),
            or(&self.kind, "~K")
        )
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &'_ Rc<str>, mark: &'static str| {
            if text.is_empty() {
                mark.into()
            } else {
                text.clone()
            }
        };
        write!(
            f,
            "{}.{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]")
        )
    }
}

/// Takes `group/version` apart.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Kinds that sort first, in order.
pub(crate) const ORDER_FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
/// Kinds that sort last, in order.
pub(crate) const ORDER_LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

fn kind_order(kind: &str) -> i32 {
    order_in(kind, &ORDER_FIRST, &ORDER_LAST)
}

/// The place of a kind: negative among the first, positive among the last, else 0.
pub(crate) fn order_in<S: AsRef<str>>(kind: &str, first: &[S], last: &[S]) -> i32 {
    let place = |list: &[S]| list.iter().rposition(|name| name.as_ref() == kind);
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    if let Some(i) = place(last) {
        return 1 + count(i);
    }
    place(first).map_or(0, |i| count(i) - count(first.len()))
}

/// Identity of an object, or a selector of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResId {
    pub(crate) gvk: Gvk,
    pub(crate) name: Rc<str>,
    pub(crate) namespace: Rc<str>,
    pub(crate) cluster_scoped: bool,
}

impl ResId {
    /// The identity of an object; `schemas` know whether its kind has a namespace.
    pub(crate) fn new(gvk: Gvk, name: Rc<str>, namespace: Rc<str>, schemas: &Schemas) -> Self {
        let cluster_scoped = schemas.is_cluster_scoped(&gvk);
        Self {
            gvk,
            name,
            namespace,
            cluster_scoped,
        }
    }

    /// The namespace it is in, as far as names are concerned.
    pub(crate) fn effective_namespace(&self) -> &str {
        if self.cluster_scoped {
            NO_NAMESPACE
        } else if self.namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            &self.namespace
        }
    }

    /// Same namespace, as far as names are concerned.
    pub(crate) fn same_namespace(&self, other: &ResId) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Same group, version, kind and name.
    pub(crate) fn same_but_namespace(&self, other: &ResId) -> bool {
        self.name == other.name && self.gvk == other.gvk
    }

    /// Same object.
    pub(crate) fn same(&self, other: &ResId) -> bool {
        self.same_but_namespace(other) && self.same_namespace(other)
    }

    /// Whether `selector` names this; its empty parts match anything.
    pub(crate) fn is_selected_by(&self, selector: &ResId) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.same_namespace(self))
            && self.gvk.is_selected(&selector.gvk)
    }

    /// What a selector of replacements prints as.
    pub(crate) fn is_blank(&self) -> bool {
        self.name.is_empty() && self.namespace.is_empty() && self.gvk == Gvk::default()
    }
}

impl fmt::Display for ResId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: &str = if self.name.is_empty() {
            "[noName]"
        } else {
            &self.name
        };
        let namespace: &str = if self.namespace.is_empty() {
            "[noNs]"
        } else {
            &self.namespace
        };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_prints_as_upstream() {
        let schemas = Schemas::default();
        let id = ResId::new(
            Gvk::of("apps/v1", "Deployment"),
            "a".into(),
            "".into(),
            &schemas,
        );
        assert_eq!(id.to_string(), "Deployment.v1.apps/a.[noNs]");
        assert_eq!(id.effective_namespace(), "default");
        let role = ResId::new(
            Gvk::of("rbac.authorization.k8s.io/v1", "ClusterRole"),
            "a".into(),
            "x".into(),
            &schemas,
        );
        assert_eq!(role.effective_namespace(), NO_NAMESPACE);
    }

    #[test]
    fn kinds_that_others_need_sort_first() {
        assert!(Gvk::of("v1", "Namespace").sort_key() < Gvk::of("v1", "ConfigMap").sort_key());
        assert!(Gvk::of("v1", "ConfigMap").sort_key() < Gvk::of("x/v1", "Other").sort_key());
        assert!(
            Gvk::of("x/v1", "Other").sort_key()
                < Gvk::of(
                    "admissionregistration.k8s.io/v1",
                    "ValidatingWebhookConfiguration"
                )
                .sort_key()
        );
    }
}
