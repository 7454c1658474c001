//! Identity of an object in a cluster, and the text of it that inventories hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Identifies an object: namespace, name, group and kind, without the version.
///
/// Text form, as in `status.inventory`: `<namespace>_<name>_<group>_<kind>`; namespace and group may
/// be empty. A `:` in the name of an RBAC object is written `__`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
}

/// Says why a text is not an object's identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("inventory entry `{0}` is not of the form `<namespace>_<name>_<group>_<kind>`")]
pub struct ObjectIdError(String);

impl ObjectId {
    /// Names an object by its four parts.
    pub fn new(namespace: &str, name: &str, group: &str, kind: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// Splits `apps/v1` into group and version; the core group is empty.
    pub fn group_version(api_version: &str) -> (&str, &str) {
        api_version.split_once('/').unwrap_or(("", api_version))
    }

    /// Returns `Kind/namespace/name`, or `Kind/name` without a namespace: how messages name objects.
    pub fn subject(&self) -> String {
        if self.namespace.is_empty() {
            format!("{}/{}", self.kind, self.name)
        } else {
            format!("{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }

    fn is_rbac(group: &str, kind: &str) -> bool {
        group == "rbac.authorization.k8s.io"
            && matches!(
                kind,
                "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding"
            )
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_", self.namespace)?;
        if Self::is_rbac(&self.group, &self.kind) {
            f.write_str(&self.name.replace(':', "__"))?;
        } else {
            f.write_str(&self.name)?;
        }
        write!(f, "_{}_{}", self.group, self.kind)
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ObjectIdError(text.to_owned());
        let (namespace, rest) = text.split_once('_').ok_or_else(wrong)?;
        let (rest, kind) = rest.rsplit_once('_').ok_or_else(wrong)?;
        let (name, group) = rest.rsplit_once('_').ok_or_else(wrong)?;
        if name.is_empty() || kind.is_empty() {
            return Err(wrong());
        }
        let name = if Self::is_rbac(group, kind) {
            name.replace("__", ":")
        } else {
            name.to_owned()
        };
        Ok(Self {
            name,
            ..Self::new(namespace, "", group, kind)
        })
    }
}

impl Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RBAC: &str = "rbac.authorization.k8s.io";

    #[test]
    fn texts_are_those_of_flux() {
        for (id, text) in [
            (
                ObjectId::new("dev", "web", "apps", "Deployment"),
                "dev_web_apps_Deployment",
            ),
            (
                ObjectId::new("dev", "web", "", "Service"),
                "dev_web__Service",
            ),
            (ObjectId::new("", "dev", "", "Namespace"), "_dev__Namespace"),
            (
                ObjectId::new("", "system:node:a", RBAC, "ClusterRole"),
                "_system__node__a_rbac.authorization.k8s.io_ClusterRole",
            ),
        ] {
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "a", "a_b", "a_b_c", "a__c_D", "a_b_c_", "___"] {
            assert_eq!(
                text.parse::<ObjectId>(),
                Err(ObjectIdError(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn every_identity_comes_back() {
        let namespaces = ["", "a", "a-b"];
        let names = ["a", "a.b", "x_y", "x__y", "_x", "x_", "a:b", ":", "a::b"];
        let groups = ["", "apps", RBAC, "a.b.c"];
        let kinds = ["Role", "Deployment", "ClusterRoleBinding"];
        for (namespace, name, group, kind) in namespaces
            .iter()
            .flat_map(|ns| names.map(|n| (ns, n)))
            .flat_map(|(ns, n)| groups.map(|g| (ns, n, g)))
            .flat_map(|(ns, n, g)| kinds.map(|k| (ns, n, g, k)))
        {
            let id = ObjectId::new(namespace, name, group, kind);
            // The one ambiguity of the format: `__` in the name of an RBAC object reads as `:`.
            if ObjectId::is_rbac(group, kind) && (name.contains("__") || name.contains('_')) {
                continue;
            }
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn subjects_name_objects_in_messages() {
        assert_eq!(
            ObjectId::new("dev", "web", "apps", "Deployment").subject(),
            "Deployment/dev/web"
        );
        assert_eq!(
            ObjectId::new("", "dev", "", "Namespace").subject(),
            "Namespace/dev"
        );
    }
}
