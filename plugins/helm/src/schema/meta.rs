//! What schemas must look like themselves, by draft: each keyword's own schema, in short.
//!
//! In: a schema. Out: what Helm's validator says of one that is none. Schemas that are references and
//! regular expressions are looked at as well, those that no value leads to included.

use bulkhead_template::{Entries, Value};

use super::check::{Checker, run};
use super::parts::{entries, get};

/// The draft that a schema says it is written in.
///
/// # Errors
/// It names a document that would have to be fetched.
pub(super) fn draft_of(schema: &Value) -> Result<u32, String> {
    let Some(Value::String(url)) = get(schema, "$schema") else {
        return Ok(2020);
    };
    let bare = url.trim_end_matches('#');
    let bare = bare.strip_prefix("http://").unwrap_or(bare);
    let bare = bare.strip_prefix("https://").unwrap_or(bare);
    DRAFTS
        .iter()
        .find(|(name, _)| *name == bare)
        .map(|(_, draft)| *draft)
        .ok_or_else(|| format!("failing loading \"{url}\": other documents are not fetched: name a draft of JSON Schema in `$schema`"))
}

const DRAFTS: [(&str, u32); 6] = [
    ("json-schema.org/draft-04/schema", 4),
    ("json-schema.org/draft-06/schema", 6),
    ("json-schema.org/draft-07/schema", 7),
    ("json-schema.org/draft/2019-09/schema", 2019),
    ("json-schema.org/draft/2020-12/schema", 2020),
    ("json-schema.org/schema", 2020),
];

/// Keywords, the drafts from which and to which they are, and the names of what they hold.
const KEYWORDS: [(&str, u32, u32, &str); 62] = [
    ("id", 4, 4, "text"),
    ("$id", 6, 2020, "text"),
    ("$schema", 4, 2020, "text"),
    ("$ref", 4, 2020, "text"),
    ("$comment", 7, 2020, "text"),
    ("$anchor", 2019, 2020, "text"),
    ("$dynamicAnchor", 2020, 2020, "text"),
    ("$dynamicRef", 2020, 2020, "text"),
    ("$recursiveRef", 2019, 2019, "text"),
    ("$recursiveAnchor", 2019, 2019, "truth"),
    ("$defs", 2019, 2020, "schemas"),
    ("title", 4, 2020, "text"),
    ("description", 4, 2020, "text"),
    ("deprecated", 2019, 2020, "truth"),
    ("readOnly", 7, 2020, "truth"),
    ("writeOnly", 7, 2020, "truth"),
    ("examples", 7, 2020, "list"),
    ("multipleOf", 4, 2020, "factor"),
    ("maximum", 4, 2020, "number"),
    ("minimum", 4, 2020, "number"),
    ("exclusiveMaximum", 4, 4, "truth"),
    ("exclusiveMinimum", 4, 4, "truth"),
    ("exclusiveMaximum", 6, 2020, "number"),
    ("exclusiveMinimum", 6, 2020, "number"),
    ("maxLength", 4, 2020, "count"),
    ("minLength", 4, 2020, "count"),
    ("pattern", 4, 2020, "regex"),
    ("maxItems", 4, 2020, "count"),
    ("minItems", 4, 2020, "count"),
    ("uniqueItems", 4, 2020, "truth"),
    ("maxContains", 2019, 2020, "count"),
    ("minContains", 2019, 2020, "count"),
    ("maxProperties", 4, 2020, "count"),
    ("minProperties", 4, 2020, "count"),
    ("required", 4, 4, "some-texts"),
    ("required", 6, 2020, "texts"),
    ("dependentRequired", 2019, 2020, "texts-by-name"),
    ("enum", 4, 7, "values"),
    ("enum", 2019, 2020, "list"),
    ("type", 4, 2020, "types"),
    ("format", 4, 2020, "text"),
    ("items", 4, 2019, "schema-or-list"),
    ("items", 2020, 2020, "schema"),
    ("prefixItems", 2020, 2020, "schema-list"),
    ("additionalItems", 4, 2019, "schema-or-truth"),
    ("additionalProperties", 4, 2020, "schema-or-truth"),
    ("contains", 6, 2020, "schema"),
    ("propertyNames", 6, 2020, "schema"),
    ("definitions", 4, 2020, "schemas"),
    ("properties", 4, 2020, "schemas"),
    ("patternProperties", 4, 2020, "schemas"),
    ("dependentSchemas", 2019, 2020, "schemas"),
    ("dependencies", 4, 2020, "dependencies"),
    ("if", 7, 2020, "schema"),
    ("then", 7, 2020, "schema"),
    ("else", 7, 2020, "schema"),
    ("allOf", 4, 2020, "schema-list"),
    ("anyOf", 4, 2020, "schema-list"),
    ("oneOf", 4, 2020, "schema-list"),
    ("not", 4, 2020, "schema"),
    ("unevaluatedItems", 2019, 2020, "schema"),
    ("unevaluatedProperties", 2019, 2020, "schema"),
];

/// What keywords hold, as schemas.
const SHAPES: &str = r##"{
"text": {"type": "string"}, "truth": {"type": "boolean"}, "number": {"type": "number"}, "list": {"type": "array"},
"regex": {"type": "string", "format": "regex"}, "count": {"type": "integer", "minimum": 0},
"factor": {"type": "number", "exclusiveMinimum": 0}, "schema": {"$ref": "#"},
"schemas": {"type": "object", "additionalProperties": {"$ref": "#"}},
"schema-list": {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
"schema-or-list": {"anyOf": [{"$ref": "#"}, {"$ref": "#/definitions/schema-list"}]},
"schema-or-truth": {"anyOf": [{"type": "boolean"}, {"$ref": "#"}]},
"texts": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
"some-texts": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "minItems": 1},
"texts-by-name": {"type": "object", "additionalProperties": {"$ref": "#/definitions/texts"}},
"values": {"type": "array", "minItems": 1, "uniqueItems": true},
"dependencies": {"type": "object", "additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#/definitions/texts"}]}},
"name": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
"types": {"anyOf": [{"$ref": "#/definitions/name"}, {"type": "array", "items": {"$ref": "#/definitions/name"}, "minItems": 1, "uniqueItems": true}]}
}"##;

/// The schema of the schemas of a draft.
fn meta(draft: u32) -> Result<Value, String> {
    let named = |name: &str| {
        let target = Value::from(format!("#/definitions/{name}"));
        Value::map([("$ref".into(), target)].into())
    };
    let known = KEYWORDS
        .iter()
        .filter(|(_, from, to, _)| (*from..=*to).contains(&draft));
    let properties: Entries = known
        .map(|(keyword, _, _, shape)| {
            // From draft 6 on a truth is a schema.
            let shape = match *shape {
                "schema-or-truth" if draft > 4 => "schema",
                shape => shape,
            };
            ((*keyword).into(), named(shape))
        })
        .collect();
    let types: &[&str] = if draft > 4 {
        &["object", "boolean"]
    } else {
        &["object"]
    };
    let mut whole: Entries = [
        ("type".into(), Value::strings(types.iter().copied())),
        ("properties".into(), Value::map(properties)),
    ]
    .into();
    let Value::Map(shapes) = crate::json_read::parse(SHAPES)? else {
        return Err(String::new());
    };
    if draft >= 2019 {
        // The newer drafts put their schemas together from several.
        let body = Value::map(std::mem::take(&mut whole));
        shapes.entries.borrow_mut().insert("body".into(), body);
        whole.insert("allOf".into(), Value::list(vec![named("body")]));
    }
    whole.insert("definitions".into(), Value::Map(shapes));
    Ok(Value::map(whole))
}

/// Checks a schema.
///
/// # Errors
/// It is no schema of its draft, refers to what is not there, or has a regular expression that is none.
pub(super) fn check(schema: &Value, draft: u32) -> Result<(), String> {
    let misfits = run(&meta(draft)?, schema, 7)?;
    if !misfits.is_empty() {
        let name = DRAFTS.iter().find(|(_, known)| *known == draft);
        let (name, _) = name.copied().unwrap_or_default();
        let scheme = if draft >= 2019 { "https" } else { "http" };
        let mut text = format!(
            "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with '{scheme}://{name}#'\n"
        );
        misfits.iter().for_each(|misfit| misfit.print(&mut text, 0));
        return Err(text.trim_end().to_owned());
    }
    let mut checker = Checker::new(schema, draft);
    walk(&mut checker, schema, 0)
}

/// Deepest nesting of schemas that is looked at before one is used.
const MAX_DEPTH: usize = 100;

/// Looks at references and regular expressions of a schema and of those in it.
fn walk(checker: &mut Checker, schema: &Value, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let draft = checker.draft;
    if let Some(Value::String(target)) = get(schema, "$ref") {
        if !target.starts_with("urn:") {
            checker.resolve(&target)?;
        }
        if draft < 2019 {
            return Ok(());
        }
    }
    for (pattern, _) in entries(get(schema, "patternProperties")) {
        checker.pattern(&pattern)?;
    }
    for (keyword, from, to, shape) in KEYWORDS {
        if !(from..=to).contains(&draft) || matches!(keyword, "definitions" | "$defs") {
            continue;
        }
        let Some(found) = get(schema, keyword) else {
            continue;
        };
        match (shape, &found) {
            ("schema" | "schema-or-truth", _) => walk(checker, &found, depth + 1)?,
            ("schema-list" | "schema-or-list", Value::List(list)) => {
                for inner in list.items.iter() {
                    walk(checker, inner, depth + 1)?;
                }
            }
            ("schema-or-list", _) => walk(checker, &found, depth + 1)?,
            ("schemas" | "dependencies", _) => {
                for (_, inner) in entries(Some(found)) {
                    walk(checker, &inner, depth + 1)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
