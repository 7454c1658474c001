//! What is known about kinds: the built-in tables, and what the user gave under `openapi`. Answers
//! which lists merge and by which keys, and which kinds have no namespace. The state follows kyaml:
//! the first schema that a kustomization gives is used for the whole render, in place of the
//! built-in one unless that was needed before.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use crate::error::{Outcome, fail};
use crate::resid::Gvk;
use crate::tables::{self, Shape};

/// The one version of the Kubernetes API that kustomize 5.8 has built in.
const BUILT_IN: &str = "v1.21.2";

const STRATEGY: &str = "x-kubernetes-patch-strategy";
const MERGE_KEY: &str = "x-kubernetes-patch-merge-key";
const MAP_KEYS: &str = "x-kubernetes-list-map-keys";
const GVKS: &str = "x-kubernetes-group-version-kind";

/// What is known of one field.
#[derive(Debug, Clone)]
pub(crate) enum Schema {
    BuiltIn(&'static Shape),
    Given(Rc<Given>),
}

/// A part of a schema that the user gave.
#[derive(Debug)]
pub(crate) struct Given {
    value: Value,
    root: Rc<Document>,
}

/// A document that the user gave.
#[derive(Debug, Default)]
struct Document {
    definitions: serde_json::Map<String, Value>,
    built_in: BuiltIn,
}

/// What the built-in schema is beside one that is given (kyaml, openapi.go, `initSchema`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum BuiltIn {
    /// Nothing: it was not needed before the other was given.
    #[default]
    Unused,
    /// An unknown kind was looked up before: read after the other, it wins.
    Wanted,
    /// Objects were merged by it before: the other wins.
    Used,
}

/// All that is known of kinds in one render.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    given: Option<GivenKinds>,
    version_set: bool,
    built_in: Cell<BuiltIn>,
}

#[derive(Debug)]
struct GivenKinds {
    root: Rc<Document>,
    kinds: HashMap<(String, String), String>,
    scopes: HashMap<(String, String), bool>,
}

impl Schemas {
    /// Uses the built-in schema beside any that is given, as Flux does.
    pub(crate) fn preload(&mut self) {
        self.built_in.set(BuiltIn::Used);
    }

    /// Takes a kustomization's `openapi` field. `text` is the content of its `path`, as JSON.
    ///
    /// # Errors
    /// Both `path` and `version` are given, or the version is not the built-in one.
    pub(crate) fn set(
        &mut self,
        version: Option<&str>,
        text: Option<Value>,
        top: bool,
    ) -> Outcome<()> {
        if (self.version_set || self.given.is_some()) && !top {
            return Ok(());
        }
        if let Some(document) = text {
            if version.is_some() {
                return Err(fail!(
                    KustomizationInvalid,
                    "builtin version and custom schema provided, cannot use both"
                ));
            }
            self.version_set = true;
            self.given = Some(read_document(document, self.built_in.get())?);
            return Ok(());
        }
        match version {
            None | Some("") => Ok(()),
            Some(BUILT_IN) => {
                self.version_set = true;
                Ok(())
            }
            Some(_) => Err(fail!(
                KustomizationInvalid,
                "the specified OpenAPI version is not built in"
            )),
        }
    }

    /// What is known of a kind.
    pub(crate) fn for_kind(&self, api_version: &str, kind: &str) -> Option<Schema> {
        let Some(given) = &self.given else {
            self.built_in.set(BuiltIn::Used);
            return tables::kind_shape(api_version, kind).map(Schema::BuiltIn);
        };
        if given.root.built_in == BuiltIn::Wanted
            && let Some(shape) = tables::kind_shape(api_version, kind)
        {
            return Some(Schema::BuiltIn(shape));
        }
        if let Some(name) = given.kinds.get(&(api_version.to_owned(), kind.to_owned())) {
            let value = given.root.definitions.get(name)?.clone();
            return Some(Schema::Given(Rc::new(Given {
                value,
                root: given.root.clone(),
            })));
        }
        if given.root.built_in == BuiltIn::Unused && kind != "Kustomization" {
            return None;
        }
        tables::kind_shape(api_version, kind).map(Schema::BuiltIn)
    }

    /// Whether a kind is known to have no namespace.
    pub(crate) fn is_cluster_scoped(&self, gvk: &Gvk) -> bool {
        let api_version = gvk.api_version();
        if let Some(namespaced) = tables::has_namespace(&api_version, &gvk.kind) {
            return !namespaced;
        }
        match &self.given {
            Some(given) => given.scopes.get(&(api_version, gvk.kind.to_string())) == Some(&false),
            None => {
                if self.built_in.get() == BuiltIn::Unused {
                    self.built_in.set(BuiltIn::Wanted);
                }
                false
            }
        }
    }
}

impl Schema {
    /// A schema from a comment of the form `# {"type": …}`.
    pub(crate) fn from_comment(value: Value) -> Self {
        Self::Given(Rc::new(Given {
            value,
            root: Rc::default(),
        }))
    }

    /// What is known of a field below.
    pub(crate) fn field(&self, name: &str) -> Option<Schema> {
        match self {
            Self::BuiltIn(shape) => {
                let id = match shape
                    .fields
                    .binary_search_by(|(field, _)| (*field).cmp(name))
                {
                    Ok(at) => shape.fields[at].1,
                    Err(_) => shape.rest,
                };
                tables::shape(id).map(Schema::BuiltIn)
            }
            Self::Given(given) => {
                let found = given.value.get("properties").and_then(|p| p.get(name));
                let found = found.or_else(|| {
                    given
                        .value
                        .get("additionalProperties")
                        .filter(|v| v.is_object())
                });
                given.resolve(found?)
            }
        }
    }

    /// What is known of a list's elements.
    pub(crate) fn elements(&self) -> Option<Schema> {
        match self {
            Self::BuiltIn(shape) => tables::shape(shape.items).map(Schema::BuiltIn),
            Self::Given(given) => {
                let is_array = match given.value.get("type") {
                    Some(Value::String(kind)) => kind == "array",
                    Some(Value::Array(kinds)) => kinds.len() == 1 && kinds[0] == "array",
                    _ => false,
                };
                given.resolve(given.value.get("items").filter(|_| is_array)?)
            }
        }
    }

    /// Whether a list merges with a patch, in place of being replaced.
    pub(crate) fn merges(&self) -> bool {
        match self {
            Self::BuiltIn(shape) => shape.merges,
            Self::Given(given) => given
                .value
                .get(STRATEGY)
                .and_then(Value::as_str)
                .is_some_and(|s| s.split(',').any(|part| part == "merge")),
        }
    }

    /// The fields that tell a list's elements apart; none for lists of plain values.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::BuiltIn(shape) => shape.keys.iter().map(|key| (*key).to_owned()).collect(),
            Self::Given(given) => match (given.value.get(MAP_KEYS), given.value.get(MERGE_KEY)) {
                (Some(Value::Array(keys)), _) => keys
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                (_, Some(Value::String(key))) => vec![key.clone()],
                _ => Vec::new(),
            },
        }
    }
}

impl Given {
    /// Follows references; what stands beside a `$ref` is dropped, as kyaml does.
    fn resolve(&self, value: &Value) -> Option<Schema> {
        let mut value = value;
        let mut left = self.root.definitions.len() + 1;
        while let Some(name) = value.get("$ref").and_then(Value::as_str) {
            let name = name.strip_prefix("#/definitions/")?;
            let built_in = || tables::definition_shape(name).map(Schema::BuiltIn);
            let shape = match self.root.built_in {
                BuiltIn::Wanted => built_in(),
                _ => None,
            };
            match (shape, self.root.definitions.get(name)) {
                (Some(shape), _) => return Some(shape),
                (None, Some(found)) => value = found,
                (None, None) if self.root.built_in == BuiltIn::Used => return built_in(),
                (None, None) => return None,
            }
            left = left.checked_sub(1)?;
        }
        Some(Schema::Given(Rc::new(Given {
            value: value.clone(),
            root: self.root.clone(),
        })))
    }
}

fn read_document(document: Value, built_in: BuiltIn) -> Outcome<GivenKinds> {
    let Value::Object(mut document) = document else {
        return Err(fail!(
            KustomizationInvalid,
            "invalid schema file: it is not a mapping"
        ));
    };
    let definitions = match document.remove("definitions") {
        Some(Value::Object(definitions)) => definitions,
        _ => serde_json::Map::new(),
    };
    let mut kinds = HashMap::new();
    for (name, definition) in &definitions {
        for gvk in definition
            .get(GVKS)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            kinds.extend(type_of(gvk).map(|kind| (kind, name.clone())));
        }
    }
    let mut scopes = HashMap::new();
    for (path, item) in document
        .get("paths")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let Some(kind) = item
            .get("get")
            .and_then(|get| get.get(GVKS))
            .and_then(type_of)
        else {
            continue;
        };
        if path.contains("namespaces/{namespace}") {
            scopes.insert(kind, true);
        } else {
            scopes.entry(kind).or_insert(false);
        }
    }
    Ok(GivenKinds {
        root: Rc::new(Document {
            definitions,
            built_in,
        }),
        kinds,
        scopes,
    })
}

fn type_of(gvk: &Value) -> Option<(String, String)> {
    let part = |name: &str| gvk.get(name).and_then(Value::as_str);
    let (version, kind) = (part("version")?, part("kind")?);
    let api_version = match part("group") {
        Some(group) if !group.is_empty() => format!("{group}/{version}"),
        _ => version.to_owned(),
    };
    Some((api_version, kind.to_owned()))
}
