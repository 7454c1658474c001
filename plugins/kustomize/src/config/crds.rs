//! `crds`: definitions of custom kinds, whose fields may be marked as names, labels or annotations.

use std::borrow::Cow;

use serde_json::Value;

use super::Config;
use crate::error::{Outcome, fail};
use crate::fieldspec::{FieldSpec, NameReference, merge_one};
use crate::load::Loader;
use crate::yaml;

/// Deepest chain of references that is followed.
const DEPTH: usize = 64;

/// Fails unless a file holds definitions by name: what upstream cannot decode is an error there.
fn check(document: Value) -> Outcome<Value> {
    let is_map = |value: Option<&Value>| value.is_none_or(|v| v.is_null() || v.is_object());
    let is_list = |value: Option<&Value>| value.is_none_or(|v| v.is_null() || v.is_array());
    let fits = |definition: &Value| {
        is_map(Some(definition))
            && is_map(definition.get("Schema"))
            && is_map(definition.pointer("/Schema/properties"))
            && is_list(definition.get("Dependencies"))
    };
    let mut definitions = document.as_object().into_iter().flatten();
    let message = if !is_map(Some(&document)) {
        "it is no mapping of definitions".to_owned()
    } else if let Some((name, _)) = definitions.find(|(_, definition)| !fits(definition)) {
        format!("'{name}' is no definition with a Schema")
    } else {
        return Ok(document);
    };
    Err(fail!(YamlInvalid, "{message}").advise(
        "`crds` takes OpenAPI definitions: list a CustomResourceDefinition under `resources`",
    ))
}

/// Reads the files of `crds`.
pub(crate) fn load_crds(loader: &Loader<'_>, paths: &[String]) -> Outcome<Config> {
    let mut config = Config::default();
    for path in paths {
        let bytes = loader.load(path).map_err(|error| error.in_field("crds"))?;
        let parsed = if bytes.first() == Some(&b'{') {
            serde_json::from_slice(&bytes).map_err(|error| fail!(YamlInvalid, "{error}"))
        } else {
            yaml::to_json(&bytes, false)
        };
        let document = parsed.and_then(check).map_err(|error| {
            error
                .wrap(format!("unable to parse open API definition from '{path}'"))
                .in_file(&loader.display(path))
        })?;
        let Some(definitions) = document.as_object() else {
            continue;
        };
        for (name, definition) in definitions {
            let properties = definition.pointer("/Schema/properties");
            let is_kind = ["kind", "apiVersion", "metadata"]
                .iter()
                .all(|field| properties.is_some_and(|properties| properties.get(field).is_some()));
            if is_kind {
                let kind = name.rsplit('.').next().unwrap_or(name);
                let mut found = Config::default();
                Definitions {
                    all: &document,
                    kind,
                }
                .collect(&mut found, name, &mut Vec::new())?;
                config.merge(&found)?;
            }
        }
    }
    Ok(config)
}

struct Definitions<'a> {
    all: &'a Value,
    kind: &'a str,
}

impl Definitions<'_> {
    fn collect(&self, config: &mut Config, name: &str, path: &mut Vec<String>) -> Outcome<()> {
        let properties = self
            .all
            .get(name)
            .and_then(|definition| definition.pointer("/Schema/properties"));
        let Some(properties) = properties.and_then(Value::as_object) else {
            return Ok(());
        };
        if path.len() > DEPTH {
            return Err(fail!(
                LimitExceeded,
                "definitions of '{}' refer to each other without end",
                self.kind
            ));
        }
        for (field, property) in properties {
            path.push(field.clone());
            self.field(config, property, path)?;
            if let Some(target) = property.get("$ref").and_then(Value::as_str) {
                self.collect(config, target, path)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn field(&self, config: &mut Config, property: &Value, path: &[String]) -> Outcome<()> {
        let text = |name: &str| property.get(name).and_then(Value::as_str);
        if text("x-kubernetes-annotation").is_some() {
            merge_one(&mut config.common_annotations, &self.spec(path, None))?;
        }
        if text("x-kubernetes-label-selector").is_some() {
            merge_one(&mut config.common_labels, &self.spec(path, None))?;
        }
        if text("x-kubernetes-identity").is_some() {
            merge_one(&mut config.name_prefix, &self.spec(path, None))?;
        }
        if let (Some(version), Some(kind)) = (
            text("x-kubernetes-object-ref-api-version"),
            text("x-kubernetes-object-ref-kind"),
        ) {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            config.add_reference(&NameReference {
                group: Cow::Borrowed(""),
                version: Cow::Owned(version.to_owned()),
                kind: Cow::Owned(kind.to_owned()),
                referrers: Cow::Owned(vec![self.spec(path, Some(key))]),
            })?;
        }
        Ok(())
    }

    fn spec(&self, path: &[String], last: Option<&str>) -> FieldSpec {
        let mut path = path.join("/");
        if let Some(last) = last {
            path.push('/');
            path.push_str(last);
        }
        FieldSpec {
            kind: Cow::Owned(self.kind.to_owned()),
            path: Cow::Owned(path),
            ..FieldSpec::default()
        }
    }
}
