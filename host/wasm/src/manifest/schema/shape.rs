//! Whether a schema is one that is checked here: every keyword known, every value of its type,
//! every pattern readable, every reference into the schema itself.

use serde_json::{Map, Value};

use super::value::count;
use super::{compile, kind, target};

/// Levels of a schema.
const DEPTH: usize = 64;

/// What is wrong with a schema, and where.
#[derive(Debug)]
pub(crate) struct SchemaProblem {
    /// From the schema's top: `.properties.name.type`.
    pub(crate) at: String,
    /// What is wrong: `is a number, not a text`.
    pub(crate) message: String,
}

fn problem(at: &str, message: impl Into<String>) -> SchemaProblem {
    SchemaProblem {
        at: crate::host::log::clean(at),
        message: message.into(),
    }
}

/// What a keyword holds.
enum Holds {
    /// For a person, or for tools: not checked.
    Anything,
    Schema,
    /// A schema, or a list of them.
    SchemaOrList,
    Schemas,
    /// An object of schemas.
    Named,
    /// The same, by patterns.
    ByPattern,
    /// An object of schemas or lists of names.
    Dependents,
    Types,
    Choices,
    Names,
    Number,
    /// A number above 0.
    Factor,
    Count,
    Flag,
    Pattern,
    Reference,
}

fn holds(keyword: &str, is_root: bool) -> Option<Holds> {
    Some(match keyword {
        "title" | "description" | "default" | "examples" | "deprecated" | "readOnly"
        | "writeOnly" | "$comment" | "format" | "contentEncoding" | "contentMediaType"
        | "const" => Holds::Anything,
        "$schema" | "$id" if is_root => Holds::Anything,
        name if name.starts_with("x-") => Holds::Anything,
        "additionalProperties"
        | "propertyNames"
        | "contains"
        | "not"
        | "if"
        | "then"
        | "else"
        | "additionalItems" => Holds::Schema,
        "items" => Holds::SchemaOrList,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds::Schemas,
        "properties" | "$defs" | "definitions" | "dependentSchemas" => Holds::Named,
        "patternProperties" => Holds::ByPattern,
        "dependencies" | "dependentRequired" => Holds::Dependents,
        "type" => Holds::Types,
        "enum" => Holds::Choices,
        "required" => Holds::Names,
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => Holds::Number,
        "multipleOf" => Holds::Factor,
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => Holds::Count,
        "uniqueItems" => Holds::Flag,
        "pattern" => Holds::Pattern,
        "$ref" => Holds::Reference,
        _ => return None,
    })
}

/// Checks a schema.
///
/// # Errors
/// The first problem, with its place.
pub(crate) fn validate(schema: &Value) -> Result<(), SchemaProblem> {
    Shape { root: schema }.schema(schema, "", DEPTH)
}

struct Shape<'a> {
    root: &'a Value,
}

impl Shape<'_> {
    fn schema(&self, schema: &Value, at: &str, depth: usize) -> Result<(), SchemaProblem> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| problem(at, format!("is more than {DEPTH} levels deep")))?;
        let map = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Object(map) => map,
            other => return Err(problem(at, format!("is {}, not a schema", kind(other)))),
        };
        for (keyword, value) in map {
            let inside = format!("{at}.{keyword}");
            match holds(keyword, at.is_empty()) {
                Some(holds) => self.keyword(holds, value, &inside, depth)?,
                None => {
                    let message = "is a keyword that is not checked here: leave it out";
                    return Err(problem(&inside, message));
                }
            }
        }
        Ok(())
    }

    fn keyword(
        &self,
        holds: Holds,
        value: &Value,
        at: &str,
        depth: usize,
    ) -> Result<(), SchemaProblem> {
        let must = |fits: bool, what: &str| match fits {
            true => Ok(()),
            false => Err(problem(at, format!("is not {what}"))),
        };
        match holds {
            Holds::Anything => Ok(()),
            Holds::Schema => self.schema(value, at, depth),
            Holds::SchemaOrList if !value.is_array() => self.schema(value, at, depth),
            Holds::SchemaOrList | Holds::Schemas => self.each(value, at, depth),
            Holds::Named => self.named(value, at, depth, false),
            Holds::Dependents => self.named(value, at, depth, true),
            Holds::ByPattern => {
                object(value, at)?
                    .keys()
                    .try_for_each(|pattern| readable(pattern, at))?;
                self.named(value, at, depth, false)
            }
            Holds::Types => must(are_types(value), "a type, or a list of types"),
            Holds::Choices => must(value.is_array(), "a list"),
            Holds::Names => must(are_names(value), "a list of names"),
            Holds::Number => must(value.is_number(), "a number"),
            Holds::Factor => must(value.as_f64().is_some_and(|n| n > 0.0), "a number above 0"),
            Holds::Count => must(count(value).is_some(), "a whole number from 0 up"),
            Holds::Flag => must(value.is_boolean(), "`true` or `false`"),
            Holds::Pattern => readable(text(value, at)?, at),
            Holds::Reference => self.reference(text(value, at)?, at),
        }
    }

    fn each(&self, value: &Value, at: &str, depth: usize) -> Result<(), SchemaProblem> {
        let Value::Array(schemas) = value else {
            return Err(problem(at, "is not a list of schemas"));
        };
        let mut indexed = schemas.iter().enumerate();
        indexed
            .try_for_each(|(index, schema)| self.schema(schema, &format!("{at}[{index}]"), depth))
    }

    fn named(
        &self,
        value: &Value,
        at: &str,
        depth: usize,
        or_names: bool,
    ) -> Result<(), SchemaProblem> {
        for (name, schema) in object(value, at)? {
            if !(or_names && are_names(schema)) {
                self.schema(schema, &format!("{at}.{name}"), depth)?;
            }
        }
        Ok(())
    }

    fn reference(&self, reference: &str, at: &str) -> Result<(), SchemaProblem> {
        if !reference.starts_with('#') {
            let message = "leads out of the schema, and nothing is fetched: copy what it names";
            return Err(problem(at, message));
        }
        match target(self.root, reference) {
            Some(Value::Object(_) | Value::Bool(_)) => Ok(()),
            _ => Err(problem(
                at,
                format!("names `{reference}`, which is no schema here"),
            )),
        }
    }
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, SchemaProblem> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(problem(at, format!("is {}, not an object", kind(other)))),
    }
}

fn text<'a>(value: &'a Value, at: &str) -> Result<&'a str, SchemaProblem> {
    value
        .as_str()
        .ok_or_else(|| problem(at, format!("is {}, not a text", kind(value))))
}

fn readable(pattern: &str, at: &str) -> Result<(), SchemaProblem> {
    let unreadable = |_| {
        let message = format!(
            "has the pattern `{pattern}`, which is not one (looking around and back is not possible)"
        );
        problem(at, message)
    };
    compile(pattern).map(drop).map_err(unreadable)
}

fn are_types(value: &Value) -> bool {
    const TYPES: [&str; 7] = [
        "null", "boolean", "integer", "number", "string", "array", "object",
    ];
    let is = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    match value {
        Value::Array(types) => !types.is_empty() && types.iter().all(is),
        one => is(one),
    }
}

fn are_names(value: &Value) -> bool {
    matches!(value, Value::Array(names) if names.iter().all(Value::is_string))
}
