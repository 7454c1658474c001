//! Keywords about one value alone: its type, its choices, its bounds.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{At, Checker, Endless, Problems, kind, tell};

impl<'s> Checker<'s> {
    pub(super) fn value(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        if let Some(types) = schema.get("type")
            && !has_type(types, value)
        {
            let wanted = wanted(types);
            tell(
                problems,
                at,
                format!("must be {wanted}, and is {}", kind(value)),
            );
        }
        self.choices(schema, value, at, problems)?;
        match value {
            Value::Number(number) => numeric(schema, number, at, problems),
            Value::String(text) => self.text(schema, text, at, problems)?,
            _ => {}
        }
        Ok(())
    }

    fn choices(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        if let Some(constant) = schema.get("const") {
            self.take(size(constant))?;
            if !equal(constant, value) {
                tell(problems, at, format!("must be {}", shown(constant)));
            }
        }
        if let Some(Value::Array(choices)) = schema.get("enum") {
            self.take(size(value) + choices.iter().map(size).sum::<usize>())?;
            if !choices.iter().any(|choice| equal(choice, value)) {
                let texts: Vec<_> = choices.iter().take(10).map(shown).collect();
                let value = shown(value);
                tell(
                    problems,
                    at,
                    format!("is {value}, and must be one of {}", texts.join(", ")),
                );
            }
        }
        Ok(())
    }

    fn text(
        &mut self,
        schema: &'s Map<String, Value>,
        text: &str,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        let length = text.chars().count() as u64;
        if let Some(least) = schema.get("minLength").and_then(count)
            && length < least
        {
            tell(
                problems,
                at,
                format!("has {length} characters, at least {least} are needed"),
            );
        }
        if let Some(most) = schema.get("maxLength").and_then(count)
            && length > most
        {
            tell(
                problems,
                at,
                format!("has {length} characters, at most {most} are allowed"),
            );
        }
        if let Some(Value::String(pattern)) = schema.get("pattern")
            && !self.matches(pattern, text)?
        {
            tell(problems, at, format!("must match the pattern `{pattern}`"));
        }
        Ok(())
    }
}

fn numeric(schema: &Map<String, Value>, number: &Number, at: &At<'_>, problems: &mut Problems) {
    type Rule = (&'static str, fn(Ordering) -> bool, &'static str);
    const RULES: [Rule; 4] = [
        ("minimum", Ordering::is_ge, "at least"),
        ("maximum", Ordering::is_le, "at most"),
        ("exclusiveMinimum", Ordering::is_gt, "more than"),
        ("exclusiveMaximum", Ordering::is_lt, "less than"),
    ];
    for (keyword, fits, words) in RULES {
        if let Some(Value::Number(bound)) = schema.get(keyword)
            && !compare(number, bound).is_some_and(fits)
        {
            tell(
                problems,
                at,
                format!("is {number}, and must be {words} {bound}"),
            );
        }
    }
    if let Some(Value::Number(factor)) = schema.get("multipleOf")
        && !is_multiple(number, factor)
    {
        tell(
            problems,
            at,
            format!("is {number}, and must be a multiple of {factor}"),
        );
    }
}

/// Reads a count: a whole number, which JSON may write as `1.0`.
pub(super) fn count(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    let whole =
        |number: &f64| (0.0..=9_007_199_254_740_992.0).contains(number) && number.fract() == 0.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number of 53 bits, not below 0"
    )]
    let cast = |number: f64| number as u64;
    number
        .as_u64()
        .or_else(|| number.as_f64().filter(whole).map(cast))
}

fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn is_multiple(number: &Number, factor: &Number) -> bool {
    if let (Some(number), Some(factor)) = (number.as_i128(), factor.as_i128()) {
        return factor != 0 && number % factor == 0;
    }
    let (Some(number), Some(factor)) = (number.as_f64(), factor.as_f64()) else {
        return false;
    };
    let times = number / factor;
    (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
}

fn has_type(types: &Value, value: &Value) -> bool {
    let is = |name: &Value| {
        matches!(
            (name.as_str().unwrap_or_default(), value),
            ("null", Value::Null)
                | ("boolean", Value::Bool(_))
                | ("number", Value::Number(_))
                | ("string", Value::String(_))
                | ("array", Value::Array(_))
                | ("object", Value::Object(_))
        ) || name == "integer" && is_whole(value)
    };
    match types {
        Value::Array(types) => types.iter().any(is),
        name => is(name),
    }
}

fn is_whole(value: &Value) -> bool {
    let Value::Number(number) = value else {
        return false;
    };
    number.as_i128().is_some() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// Names types for a person.
fn wanted(types: &Value) -> String {
    let name = |name: &Value| match name.as_str().unwrap_or_default() {
        "null" => "nothing".to_owned(),
        "integer" => "a whole number".to_owned(),
        "string" => "a text".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        other => format!("a {other}"),
    };
    match types {
        Value::Array(types) => types.iter().map(name).collect::<Vec<_>>().join(" or "),
        one => name(one),
    }
}

/// Tells whether two values are equal as JSON Schema has it: numbers by value, objects in any
/// order.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same =
                |(name, value): (&String, &Value)| b.get(name).is_some_and(|b| equal(value, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

/// Counts what comparing a value may take.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Array(entries) => 1 + entries.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        Value::String(text) => 1 + text.len() / 64,
        _ => 1,
    }
}

/// Shows a value in a message, cut.
fn shown(value: &Value) -> String {
    let text = crate::host::log::clean(&value.to_string());
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
