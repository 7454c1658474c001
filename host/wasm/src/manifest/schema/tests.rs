#![allow(clippy::unwrap_used, reason = "a test may")]

use serde_json::json;

use super::*;

fn told(schema: &Value, config: &Value) -> String {
    validate(schema).unwrap();
    match check(Some(schema), &config.to_string()) {
        Ok(()) => "fits".to_owned(),
        Err(error) => error.problems[0].to_string(),
    }
}

/// A schema for the field `a`, a value that fits, one that does not, and what is said of it.
#[test]
fn every_keyword_is_checked() {
    let cases = [
        (
            json!({"type": ["string", "null"]}),
            json!(null),
            json!(1),
            "must be a text or nothing, and is a number",
        ),
        (
            json!({"type": "integer"}),
            json!(2.0),
            json!(2.5),
            "must be a whole number, and is a number",
        ),
        (json!({"const": 1}), json!(1.0), json!(2), "must be `1`"),
        (
            json!({"enum": ["x", {"b": 1}]}),
            json!({"b": 1.0}),
            json!("y"),
            "is `\"y\"`, and must be one of `\"x\"`, `{\"b\":1}`",
        ),
        (
            json!({"minimum": 3}),
            json!(3),
            json!(2),
            "is 2, and must be at least 3",
        ),
        (
            json!({"exclusiveMaximum": 3}),
            json!(2.9),
            json!(3),
            "is 3, and must be less than 3",
        ),
        (
            json!({"multipleOf": 0.1}),
            json!(0.3),
            json!(0.35),
            "is 0.35, and must be a multiple of 0.1",
        ),
        (
            json!({"minLength": 2}),
            json!("éé"),
            json!("é"),
            "has 1 characters, at least 2 are needed",
        ),
        (
            json!({"maxLength": 1}),
            json!("é"),
            json!("éé"),
            "has 2 characters, at most 1 are allowed",
        ),
        (
            json!({"pattern": "^a+$"}),
            json!("aa"),
            json!("ab"),
            "must match the pattern `^a+$`",
        ),
        (
            json!({"minItems": 1}),
            json!([1]),
            json!([]),
            "has 0 entries, at least 1 are needed",
        ),
        (
            json!({"maxItems": 1}),
            json!([1]),
            json!([1, 2]),
            "has 2 entries, at most 1 are allowed",
        ),
        (
            json!({"minProperties": 1}),
            json!({"b": 1}),
            json!({}),
            "has 0 fields, at least 1 are needed",
        ),
        (
            json!({"not": {"type": "string"}}),
            json!(1),
            json!("x"),
            "has a form that is excluded",
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"minimum": 3}]}),
            json!(3),
            json!(1),
            "has none of its 2 allowed forms; of the first, `a` must be a text, and is a number",
        ),
        (
            json!({"oneOf": [{"minimum": 1}, {"maximum": 5}]}),
            json!(9),
            json!(3),
            "has 2 of its allowed forms at once, and must have one",
        ),
        (
            json!({"allOf": [{"minimum": 1}, {"maximum": 5}]}),
            json!(3),
            json!(9),
            "is 9, and must be at most 5",
        ),
        (
            json!({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}}),
            json!("ab"),
            json!(1),
            "is 1, and must be at least 2",
        ),
        (
            json!({"contains": {"const": 1}, "maxContains": 1}),
            json!([0, 1]),
            json!([1, 1]),
            "has 2 entries of the form that is asked for",
        ),
        (json!(false), json!(null), json!(1), "is not allowed"),
    ];
    for (schema, good, bad, message) in cases {
        let schema = json!({"properties": {"a": schema}});
        if schema["properties"]["a"] != json!(false) {
            assert_eq!(told(&schema, &json!({"a": good})), "fits", "{schema}");
        }
        assert_eq!(
            told(&schema, &json!({"a": bad})),
            format!("`a` {message}"),
            "{schema}"
        );
    }
}

#[test]
fn structures_are_checked_inside() {
    for (schema, bad, message) in [
        (
            json!({"items": {"type": "string"}}),
            json!(["x", 1]),
            "`a[1]` must be a text, and is a number",
        ),
        (
            json!({"prefixItems": [true], "items": false}),
            json!([1, 2]),
            "`a[1]` is not allowed",
        ),
        (
            json!({"items": [true], "additionalItems": {"minimum": 3}}),
            json!([1, 2]),
            "`a[1]` is 2, and must be at least 3",
        ),
        (
            json!({"uniqueItems": true}),
            json!([1, "x", 1.0]),
            "`a[2]` is there twice",
        ),
        (
            json!({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": {"type": "number"}}),
            json!({"b": 1, "xy": 1}),
            "`a.xy` must be a text, and is a number",
        ),
        (
            json!({"propertyNames": {"maxLength": 2}}),
            json!({"long": 1}),
            "`a.long` has a name that is not allowed",
        ),
        (
            json!({"dependentRequired": {"b": ["c"]}}),
            json!({"b": 1}),
            "`a.c` is missing: `b` needs it",
        ),
        (
            json!({"dependencies": {"b": {"required": ["d"]}}}),
            json!({"b": 1}),
            "`a.d` is missing",
        ),
        (
            json!({"$ref": "#/$defs/name"}),
            json!(1),
            "`a` must be a text, and is a number",
        ),
        (
            json!({"properties": {"b": {"$ref": "#/properties/a"}}, "required": ["b"]}),
            json!({"b": {}}),
            "`a.b.b` is missing",
        ),
    ] {
        let schema = json!({"$defs": {"name": {"type": "string"}}, "properties": {"a": schema}});
        assert_eq!(told(&schema, &json!({"a": bad})), message, "{schema}");
    }
}

/// Schemas that take other validators for ever, or their stack.
#[test]
fn no_schema_runs_away() {
    let endless = "it cannot be checked: the plugin's schema is too intricate for it";
    assert_eq!(told(&json!({"$ref": "#"}), &json!({})), endless);
    let mutual = json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}});
    assert_eq!(told(&mutual, &json!({})), endless);
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
        definitions.insert(level.to_string(), json!({"allOf": [next, next]}));
    }
    definitions.insert("40".to_owned(), json!(true));
    let doubling = json!({"$defs": definitions, "$ref": "#/$defs/0"});
    assert_eq!(told(&doubling, &json!({})), endless);
    let many: Vec<_> = (0..10_000).collect();
    let unique = json!({"properties": {"a": {"uniqueItems": true}}});
    assert_eq!(told(&unique, &json!({"a": many})), endless);
    let backtracking = json!({"properties": {"a": {"pattern": "^(a+)+$"}}});
    let text = format!("{}b", "a".repeat(100_000));
    assert_eq!(
        told(&backtracking, &json!({"a": text})),
        "`a` must match the pattern `^(a+)+$`"
    );
}

#[test]
fn schemas_of_a_wrong_shape_are_refused() {
    let mut deep = json!(true);
    for _ in 0..64 {
        deep = json!({"not": deep});
    }
    for (schema, message) in [
        (
            json!({"type": "text"}),
            ".type: is not a type, or a list of types",
        ),
        (
            json!({"properties": []}),
            ".properties: is a list, not an object",
        ),
        (
            json!({"properties": {"a": 1}}),
            ".properties.a: is a number, not a schema",
        ),
        (
            json!({"minLength": -1}),
            ".minLength: is not a whole number from 0 up",
        ),
        (
            json!({"multipleOf": 0}),
            ".multipleOf: is not a number above 0",
        ),
        (
            json!({"$ref": "#/$defs/no"}),
            ".$ref: names `#/$defs/no`, which is no schema here",
        ),
        (
            json!({"pattern": "a{1000}{1000}{1000}"}),
            ".pattern: has the pattern `a{1000}{1000}{1000}`, which is not one (looking around and back is not possible)",
        ),
        (
            json!({"properties": {"a": {"$id": "x"}}}),
            ".properties.a.$id: is a keyword that is not checked here: leave it out",
        ),
        (deep, "is more than 64 levels deep"),
    ] {
        let problem = validate(&schema).unwrap_err();
        let told = format!("{}: {}", problem.at, problem.message);
        assert!(told.ends_with(message), "{told}");
    }
}
