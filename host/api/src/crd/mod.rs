//! Custom-resource definitions, as `bulkhead install` prints them.
//!
//! Group, names, versions, columns, fields, defaults, enumerations, patterns and rules are those of
//! Flux 2.9, so that either engine can read what was written for the other. Descriptions are ours.

mod check;
mod delivery;
mod external;
mod gitrepository;
mod helm;
mod helmrelease;
mod helmrelease_actions;
mod kustomization;
mod notification;
mod oci;
mod plugin;
mod schema;
mod shared;

use serde_json::{Map, Value, json};

pub use self::check::{Problem, Violation, check};
use self::schema::{Schema, object, text};
use crate::names::annotation;
use crate::plugin::ClusterPlugin;

/// Returns the definitions of all kinds, sorted by name.
pub fn all() -> Vec<Value> {
    [
        notification::alert(),
        plugin::cluster_plugin(),
        delivery::definition(),
        external::definition(),
        gitrepository::definition(),
        helm::chart(),
        helmrelease::definition(),
        helm::repository(),
        kustomization::definition(),
        oci::definition(),
        plugin::plugin(),
        notification::provider(),
    ]
    .into_iter()
    .map(Kind::definition)
    .collect()
}

/// A kind that is defined.
struct Kind {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    /// Besides `all` and `fluxcd`; empty for a kind in none of the three.
    category: &'static str,
    versions: Vec<Version>,
}

impl Kind {
    fn definition(self) -> Value {
        let singular = self.kind.to_lowercase();
        let mut names = Map::new();
        if !self.category.is_empty() {
            let categories = json!(["all", "fluxcd", self.category]);
            names.insert("categories".to_owned(), categories);
        }
        for (key, name) in [
            ("kind", self.kind.to_owned()),
            ("listKind", format!("{}List", self.kind)),
            ("plural", self.plural.to_owned()),
        ] {
            names.insert(key.to_owned(), json!(name));
        }
        if !self.short_names.is_empty() {
            names.insert("shortNames".to_owned(), json!(self.short_names));
        }
        names.insert("singular".to_owned(), json!(singular));
        let versions: Vec<Value> = self.versions.into_iter().map(Version::build).collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "annotations": { annotation::SUBSTITUTE: crate::names::value::DISABLED },
                "name": format!("{}.{}", self.plural, self.group),
            },
            "spec": {
                "group": self.group,
                "names": names,
                "scope": if self.kind == ClusterPlugin::KIND { "Cluster" } else { "Namespaced" },
                "versions": versions,
            },
        })
    }
}

/// A column of `kubectl get`.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    type_: &'static str,
    path: &'static str,
}

impl Column {
    const AGE: Self = Self {
        name: "Age",
        type_: "date",
        path: ".metadata.creationTimestamp",
    };
    const READY: Self = Self {
        name: "Ready",
        type_: "string",
        path: r#".status.conditions[?(@.type=="Ready")].status"#,
    };
    const STATUS: Self = Self {
        name: "Status",
        type_: "string",
        path: r#".status.conditions[?(@.type=="Ready")].message"#,
    };
}

/// A version of a kind.
struct Version {
    name: &'static str,
    columns: Vec<Column>,
    deprecation_warning: Option<String>,
    storage: bool,
    has_status: bool,
    schema: Schema,
}

impl Version {
    /// Describes the version that is stored: with the columns of a kind that has conditions, or the
    /// age alone.
    fn stored(name: &'static str, description: &str, spec: Schema, status: Option<Schema>) -> Self {
        let has_status = status.is_some();
        let columns = match has_status {
            true => vec![Column::AGE, Column::READY, Column::STATUS],
            false => vec![Column::AGE],
        };
        let mut schema = object(description)
            .optional("apiVersion", text("Group and version of this object."))
            .optional("kind", text("Kind of this object."))
            .optional("metadata", object(""))
            .optional("spec", spec);
        if let Some(status) = status {
            schema = schema.optional("status", status);
        }
        Self {
            name,
            columns,
            deprecation_warning: None,
            storage: true,
            has_status,
            schema,
        }
    }

    fn build(self) -> Value {
        let columns: Vec<Value> = self
            .columns
            .iter()
            .map(|column| json!({ "jsonPath": column.path, "name": column.name, "type": column.type_ }))
            .collect();
        let mut version = Map::new();
        version.insert("additionalPrinterColumns".to_owned(), json!(columns));
        if let Some(warning) = self.deprecation_warning {
            version.insert("deprecated".to_owned(), json!(true));
            version.insert("deprecationWarning".to_owned(), json!(warning));
        }
        let subresources = if self.has_status {
            json!({ "status": {} })
        } else {
            json!({})
        };
        version.insert("name".to_owned(), json!(self.name));
        version.insert(
            "schema".to_owned(),
            json!({ "openAPIV3Schema": self.schema.build() }),
        );
        version.insert("served".to_owned(), json!(true));
        version.insert("storage".to_owned(), json!(self.storage));
        version.insert("subresources".to_owned(), subresources);
        Value::Object(version)
    }
}

#[cfg(test)]
mod tests;
