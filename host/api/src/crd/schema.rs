//! A small builder of structural schemas, the subset of OpenAPI that custom-resource definitions use.
//!
//! Properties and required names are sorted, so that the printed definitions do not move.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Pattern of a duration.
pub(super) const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// Pattern of a duration that is too short to need hours.
pub(super) const SHORT_DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// Keyword of an object whose fields are not described.
pub(super) const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// A schema that is being built.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    keywords: Map<String, Value>,
    properties: BTreeMap<String, Value>,
    required: BTreeSet<String>,
    rules: Vec<Value>,
}

fn typed(type_: &str, description: &str) -> Schema {
    let mut schema = Schema::default();
    schema.keywords.insert("type".to_owned(), json!(type_));
    if !description.is_empty() {
        schema
            .keywords
            .insert("description".to_owned(), json!(description));
    }
    schema
}

/// A text.
pub(super) fn text(description: &str) -> Schema {
    typed("string", description)
}

/// A time of day and date, as RFC 3339 writes it.
pub(super) fn time(description: &str) -> Schema {
    text(description).with("format", json!("date-time"))
}

/// A duration, in hours and less.
pub(super) fn duration(description: &str) -> Schema {
    text(description).pattern(DURATION)
}

/// A whole number of 64 bits.
pub(super) fn integer(description: &str) -> Schema {
    typed("integer", description).with("format", json!("int64"))
}

/// A whole number of the width that programs choose.
pub(super) fn count(description: &str) -> Schema {
    typed("integer", description)
}

/// True or false.
pub(super) fn boolean(description: &str) -> Schema {
    typed("boolean", description)
}

/// A list.
pub(super) fn list(description: &str, items: Schema) -> Schema {
    typed("array", description).with("items", items.build())
}

/// A list of texts.
pub(super) fn texts(description: &str) -> Schema {
    list(description, text(""))
}

/// A map from text to text.
pub(super) fn map(description: &str) -> Schema {
    typed("object", description).with("additionalProperties", text("").build())
}

/// A map from text to values of one schema.
pub(super) fn map_of(description: &str, values: Schema) -> Schema {
    typed("object", description).with("additionalProperties", values.build())
}

/// An object; its fields follow.
pub(super) fn object(description: &str) -> Schema {
    typed("object", description)
}

/// An object of any fields: what only its reader understands.
pub(super) fn free(description: &str) -> Schema {
    typed("object", description).with(PRESERVE, json!(true))
}

/// Any value: what only its reader understands.
pub(super) fn any(description: &str) -> Schema {
    Schema::default()
        .with("description", json!(description))
        .with(PRESERVE, json!(true))
}

impl Schema {
    fn with(mut self, keyword: &str, value: Value) -> Self {
        self.keywords.insert(keyword.to_owned(), value);
        self
    }

    /// Adds a field that must be there.
    pub(super) fn required(mut self, name: &str, schema: Schema) -> Self {
        self.required.insert(name.to_owned());
        self.optional(name, schema)
    }

    /// Adds a field that may be left out.
    pub(super) fn optional(mut self, name: &str, schema: Schema) -> Self {
        self.properties.insert(name.to_owned(), schema.build());
        self
    }

    /// Allows only these texts.
    pub(super) fn one_of(self, texts: &[&str]) -> Self {
        self.with("enum", json!(texts))
    }

    /// Allows only what a regular expression matches.
    pub(super) fn pattern(self, pattern: &str) -> Self {
        self.with("pattern", json!(pattern))
    }

    /// Refuses texts with fewer characters.
    pub(super) fn at_least(self, characters: u32) -> Self {
        self.with("minLength", json!(characters))
    }

    /// Refuses texts with more characters.
    pub(super) fn at_most(self, characters: u32) -> Self {
        self.with("maxLength", json!(characters))
    }

    /// Refuses lists with more items.
    pub(super) fn at_most_items(self, items: u32) -> Self {
        self.with("maxItems", json!(items))
    }

    /// Refuses negative numbers.
    pub(super) fn not_negative(self) -> Self {
        self.with("minimum", json!(0))
    }

    /// Sets the value that the API server fills in.
    pub(super) fn filled_with(self, value: Value) -> Self {
        self.with("default", value)
    }

    /// Adds a rule in CEL, and what the API server says when it does not hold.
    pub(super) fn rule(mut self, rule: &str, message: &str) -> Self {
        self.rules.push(json!({ "message": message, "rule": rule }));
        self
    }

    /// Returns the schema.
    pub(super) fn build(self) -> Value {
        let mut schema: BTreeMap<String, Value> = self.keywords.into_iter().collect();
        if !self.properties.is_empty() {
            schema.insert("properties".to_owned(), json!(self.properties));
        }
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), json!(self.required));
        }
        if !self.rules.is_empty() {
            schema.insert("x-kubernetes-validations".to_owned(), json!(self.rules));
        }
        json!(schema)
    }
}
