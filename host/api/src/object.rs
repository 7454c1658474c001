//! The identity of a Kubernetes object, and the two texts that Flux has for it: `Kind/namespace/name`
//! for people, `namespace_name_group_Kind` in inventories.

use std::fmt;
use std::str::FromStr;

/// API group of Role, ClusterRole and their bindings, whose names may hold a colon.
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// What makes an object the same object: its place and its kind, in whatever version.
///
/// `Display` is Flux's form for messages: `Deployment/apps/web`, `Namespace/apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind in CamelCase.
    pub kind: String,
}

/// A text that is no inventory id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no inventory id: it is not `<namespace>_<name>_<group>_<kind>`")]
pub struct ObjectIdError(String);

impl ObjectId {
    /// Returns `<namespace>_<name>_<group>_<kind>`; in the names of RBAC kinds `:` becomes `__`.
    ///
    /// # Source
    /// `ObjMetadata.String` of fluxcd/cli-utils.
    pub fn inventory_id(&self) -> String {
        let Self { namespace, name, group, kind } = self;
        let rbac_kinds = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];
        if group == RBAC_GROUP && rbac_kinds.contains(&kind.as_str()) {
            return format!("{namespace}_{}_{group}_{kind}", name.replace(':', "__"));
        }
        format!("{namespace}_{name}_{group}_{kind}")
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, group: _, kind } = self;
        match namespace.as_str() {
            "" => write!(out, "{kind}/{name}"),
            _ => write!(out, "{kind}/{namespace}/{name}"),
        }
    }
}

/// Reads an inventory id: `__` in the name becomes `:`, whatever the kind, as Flux does.
impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (namespace, rest) = text.split_once('_')?;
            let (rest, kind) = rest.rsplit_once('_')?;
            let (name, group) = rest.rsplit_once('_')?;
            let complete = !name.is_empty() && !kind.is_empty();
            complete.then(|| Self {
                namespace: namespace.to_owned(),
                name: name.replace("__", ":"),
                group: group.to_owned(),
                kind: kind.to_owned(),
            })
        };
        parse().ok_or_else(|| ObjectIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_id_reads_back() {
        let ids = [
            ("apps_web_apps_Deployment", "Deployment/apps/web"),
            ("_apps__Namespace", "Namespace/apps"),
            ("_system__node_rbac.authorization.k8s.io_ClusterRole", "ClusterRole/system:node"),
            ("default_a.b-c__ConfigMap", "ConfigMap/default/a.b-c"),
        ];
        for (text, shown) in ids {
            let id: ObjectId = text.parse().expect(text);
            assert_eq!(id.to_string(), shown);
            assert_eq!(id.inventory_id(), text);
        }
    }

    #[test]
    fn a_text_without_four_parts_is_refused() {
        for text in ["", "_", "a_b", "a_b_c", "___"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }
}
