//! `unevaluatedProperties` and `unevaluatedItems`: which parts of a value no keyword has looked at.

use std::collections::BTreeSet;

use bulkhead_template::Value;

use super::check::{Checker, Found};
use super::parts::{below, get, items};

/// Parts of a value that nobody has looked at. Empty where nobody asks.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) members: BTreeSet<String>,
    pub(super) items: BTreeSet<usize>,
}

impl Left {
    /// Everything in a value that a schema's own keywords do not look at, if the schema or who
    /// refers to it asks.
    pub(super) fn of(value: &Value, schema: &Value, draft: u32, is_asked: bool) -> Self {
        let has = |keyword: &str| get(schema, keyword).is_some();
        let mut left = Self::default();
        if draft < 2019 {
            return left;
        }
        match value {
            Value::Map(map)
                if !has("additionalProperties") && (is_asked || has("unevaluatedProperties")) =>
            {
                let names = map.entries.borrow();
                left.members = names.keys().map(|name| name.to_string()).collect();
            }
            Value::List(list) if is_asked || has("unevaluatedItems") => {
                left.items = (heads(schema, draft)..list.items.len()).collect();
            }
            _ => {}
        }
        left
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.items.is_empty()
    }

    /// Takes out what another schema has looked at.
    pub(super) fn keep_only(&mut self, other: &Self) {
        self.members.retain(|name| other.members.contains(name));
        self.items.retain(|index| other.items.contains(index));
    }
}

/// How many items at the start of a list a schema looks at.
fn heads(schema: &Value, draft: u32) -> usize {
    let all = |keyword: &str| get(schema, keyword).map(|_| usize::MAX);
    if draft >= 2020 {
        let heads = items(get(schema, "prefixItems")).len();
        return all("items").unwrap_or(heads);
    }
    match get(schema, "items") {
        Some(Value::List(heads)) => all("additionalItems").unwrap_or(heads.items.len()),
        Some(_) => usize::MAX,
        None => 0,
    }
}

impl Checker {
    /// Checks what is left by the schemas for that.
    pub(super) fn unevaluated(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        if let (Value::Map(_), Some(rest)) = (value, get(schema, "unevaluatedProperties")) {
            for name in std::mem::take(&mut found.left.members) {
                let member = get(value, &name).unwrap_or(Value::Nil);
                let misfit = self.check(&rest, &member, &below(found.at, &name))?;
                found.add(misfit);
            }
        }
        if let (Value::List(list), Some(rest)) = (value, get(schema, "unevaluatedItems")) {
            for index in std::mem::take(&mut found.left.items) {
                let item = list.items.get(index).cloned().unwrap_or(Value::Nil);
                let misfit = self.check(&rest, &item, &below(found.at, &index.to_string()))?;
                found.add(misfit);
            }
        }
        Ok(())
    }
}
