//! How the lists of built-in kinds are merged: what the API server's schema says of them.

use std::collections::HashMap;

use serde::Deserialize;

/// Where the schemas of Kubernetes' own kinds come from: `io.k8s.api.apps.v1.Deployment`. Custom
/// kinds are named after their groups.
const BUILT_IN: [&str; 3] = [
    "io.k8s.api.",
    "io.k8s.apiextensions-apiserver.",
    "io.k8s.kube-aggregator.",
];

/// The schemas of one version of a group, as `/openapi/v3/apis/GROUP/VERSION` has them, without all
/// that does not matter to a merge.
#[derive(Debug)]
pub(crate) struct Schemas {
    schemas: HashMap<String, Schema>,
}

#[derive(Debug, Default, Deserialize)]
struct Document {
    #[serde(default)]
    components: Components,
}

#[derive(Debug, Default, Deserialize)]
struct Components {
    #[serde(default)]
    schemas: HashMap<String, Schema>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Schema {
    properties: HashMap<String, Schema>,
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "allOf")]
    all_of: Vec<Schema>,
    items: Option<Box<Schema>>,
    #[serde(rename = "x-kubernetes-patch-strategy")]
    strategy: Option<String>,
    #[serde(rename = "x-kubernetes-patch-merge-key")]
    merge_key: Option<String>,
    #[serde(rename = "x-kubernetes-group-version-kind")]
    kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    group: String,
    version: String,
    kind: String,
}

/// The schema of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    schemas: &'a Schemas,
    schema: &'a Schema,
}

/// How a field is merged. The default: objects field by field, lists as one value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field<'a> {
    /// The schema of the object that it holds, or of its items.
    pub(crate) shape: Option<Shape<'a>>,
    /// A list that is merged.
    pub(crate) merges: bool,
    /// An object that is one value.
    pub(crate) replaces: bool,
    /// Fields of the object that are not wanted go, whoever set them.
    pub(crate) retains_keys: bool,
    /// The field that tells items apart; empty for lists of plain values.
    pub(crate) merge_key: &'a str,
}

impl Schemas {
    /// Reads a document of OpenAPI 3.
    ///
    /// # Errors
    /// Text that is no such document.
    pub(crate) fn parse(document: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(document)?;
        let mut schemas = document.components.schemas;
        schemas.values_mut().for_each(Schema::prune);
        Ok(Self { schemas })
    }

    /// Finds a built-in kind.
    pub(crate) fn kind(&self, group: &str, version: &str, kind: &str) -> Option<Shape<'_>> {
        let is_it =
            |known: &Kind| known.group == group && known.version == version && known.kind == kind;
        let is_built_in = |name: &str| BUILT_IN.iter().any(|prefix| name.starts_with(prefix));
        let found = self
            .schemas
            .iter()
            .find(|(name, schema)| is_built_in(name) && schema.kinds.iter().any(is_it));
        found.map(|(_, schema)| Shape {
            schemas: self,
            schema,
        })
    }
}

impl Schema {
    /// Drops the fields that hold no others and are not merged in a way of their own.
    fn prune(&mut self) {
        self.properties.values_mut().for_each(Self::prune);
        self.properties.retain(|_, schema| {
            schema.reference.is_some()
                || !schema.all_of.is_empty()
                || !schema.properties.is_empty()
                || schema.items.is_some()
                || schema.strategy.is_some()
        });
    }
}

impl<'a> Shape<'a> {
    /// Returns how a field of the object is merged.
    pub(crate) fn field(self, name: &str) -> Field<'a> {
        let Some(schema) = self.schema.properties.get(name) else {
            return Field::default();
        };
        let mut strategies = schema.strategy.as_deref().unwrap_or_default().split(',');
        let has = |name: &str| strategies.clone().any(|strategy| strategy == name);
        let (merges, replaces) = (has("merge"), has("replace"));
        Field {
            shape: self.resolve(schema.items.as_deref().unwrap_or(schema)),
            merges,
            replaces,
            retains_keys: strategies.any(|strategy| strategy == "retainKeys"),
            merge_key: schema.merge_key.as_deref().unwrap_or_default(),
        }
    }

    fn resolve(self, schema: &'a Schema) -> Option<Self> {
        let schema = schema.all_of.first().unwrap_or(schema);
        let schema = match &schema.reference {
            Some(reference) => {
                let (_, name) = reference.rsplit_once('/')?;
                self.schemas.schemas.get(name)?
            }
            None => schema,
        };
        Some(Self { schema, ..self })
    }
}
