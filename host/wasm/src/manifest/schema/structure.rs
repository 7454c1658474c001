//! Keywords about what is inside a value: the fields of an object, the entries of a list.

use serde_json::{Map, Value};

use super::value::{count, equal, size};
use super::{At, Checker, Endless, Problems, list, tell};

/// Names of fields that a message shows.
const SHOWN: usize = 20;

impl<'s> Checker<'s> {
    pub(super) fn structure(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        match value {
            Value::Object(fields) => self.object(schema, fields, at, problems),
            Value::Array(entries) => self.array(schema, entries, at, problems),
            _ => Ok(()),
        }
    }

    fn object(
        &mut self,
        schema: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        let length = fields.len() as u64;
        bounds(
            schema,
            ["minProperties", "maxProperties"],
            length,
            "fields",
            at,
            problems,
        );
        for name in list(schema, "required").iter().filter_map(Value::as_str) {
            self.take(1)?;
            if !fields.contains_key(name) {
                tell(problems, &At::Field(at, name), "is missing");
            }
        }
        for (name, value) in fields {
            self.field(schema, name, value, at, problems)?;
        }
        self.dependents(schema, fields, at, problems)
    }

    /// Checks one field against all that describes it.
    fn field(
        &mut self,
        schema: &'s Map<String, Value>,
        name: &str,
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        self.take(1)?;
        let inside = At::Field(at, name);
        let mut described = false;
        if let Some(schema) = schema.get("properties").and_then(|known| known.get(name)) {
            described = true;
            self.visit(schema, value, &inside, problems)?;
        }
        if let Some(Value::Object(patterns)) = schema.get("patternProperties") {
            for (pattern, schema) in patterns {
                if self.matches(pattern, name)? {
                    described = true;
                    self.visit(schema, value, &inside, problems)?;
                }
            }
        }
        if let Some(names) = schema.get("propertyNames")
            && !self.fits(names, &Value::String(name.to_owned()), &inside)?
        {
            tell(problems, &inside, "has a name that is not allowed");
        }
        match schema.get("additionalProperties") {
            None => Ok(()),
            Some(_) if described => Ok(()),
            Some(Value::Bool(false)) => {
                tell(
                    problems,
                    &inside,
                    format!("is no field here{}", known(schema)),
                );
                Ok(())
            }
            Some(schema) => self.visit(schema, value, &inside, problems),
        }
    }

    /// Checks what a field that is there asks of others.
    fn dependents(
        &mut self,
        schema: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        for keyword in ["dependentRequired", "dependentSchemas", "dependencies"] {
            let Some(Value::Object(dependents)) = schema.get(keyword) else {
                continue;
            };
            for (name, asks) in dependents
                .iter()
                .filter(|(name, _)| fields.contains_key(*name))
            {
                let Value::Array(others) = asks else {
                    let whole = Value::Object(fields.clone());
                    self.take(size(&whole))?;
                    self.visit(asks, &whole, at, problems)?;
                    continue;
                };
                for other in others.iter().filter_map(Value::as_str) {
                    self.take(1)?;
                    if !fields.contains_key(other) {
                        let message = format!("is missing: `{name}` needs it");
                        tell(problems, &At::Field(at, other), message);
                    }
                }
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        schema: &'s Map<String, Value>,
        entries: &[Value],
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        bounds(
            schema,
            ["minItems", "maxItems"],
            entries.len() as u64,
            "entries",
            at,
            problems,
        );
        // Draft 7 has both in `items`, and what is beyond the list in `additionalItems`.
        let (first, rest) = match schema.get("items") {
            Some(Value::Array(first)) => (first.as_slice(), schema.get("additionalItems")),
            items => (list(schema, "prefixItems"), items),
        };
        for (index, entry) in entries.iter().enumerate() {
            if let Some(schema) = first.get(index).or(rest) {
                self.visit(schema, entry, &At::Entry(at, index), problems)?;
            }
        }
        self.contains(schema, entries, at, problems)?;
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            self.unique(entries, at, problems)?;
        }
        Ok(())
    }

    fn contains(
        &mut self,
        schema: &'s Map<String, Value>,
        entries: &[Value],
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        let Some(wanted) = schema.get("contains") else {
            return Ok(());
        };
        let mut found = 0;
        for (index, entry) in entries.iter().enumerate() {
            found += u64::from(self.fits(wanted, entry, &At::Entry(at, index))?);
        }
        let least = schema.get("minContains").and_then(count).unwrap_or(1);
        let most = schema
            .get("maxContains")
            .and_then(count)
            .unwrap_or(u64::MAX);
        if found < least || found > most {
            tell(
                problems,
                at,
                format!("has {found} entries of the form that is asked for"),
            );
        }
        Ok(())
    }

    fn unique(
        &mut self,
        entries: &[Value],
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        for (index, entry) in entries.iter().enumerate() {
            self.take(size(entry).saturating_mul(index))?;
            if entries[..index].iter().any(|other| equal(other, entry)) {
                tell(problems, &At::Entry(at, index), "is there twice");
            }
        }
        Ok(())
    }
}

fn bounds(
    schema: &Map<String, Value>,
    [least, most]: [&str; 2],
    length: u64,
    what: &str,
    at: &At<'_>,
    problems: &mut Problems,
) {
    if let Some(least) = schema
        .get(least)
        .and_then(count)
        .filter(|least| length < *least)
    {
        tell(
            problems,
            at,
            format!("has {length} {what}, at least {least} are needed"),
        );
    }
    if let Some(most) = schema
        .get(most)
        .and_then(count)
        .filter(|most| length > *most)
    {
        tell(
            problems,
            at,
            format!("has {length} {what}, at most {most} are allowed"),
        );
    }
}

/// Names the fields that there are.
fn known(schema: &Map<String, Value>) -> String {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return String::new();
    };
    let mut names: Vec<&str> = properties.keys().map(String::as_str).take(SHOWN).collect();
    if properties.len() > SHOWN {
        names.push("…");
    }
    format!("; there are {}", names.join(", "))
}
