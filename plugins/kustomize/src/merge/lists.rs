//! Lists whose elements are told apart by keys, or by their values.

use std::rc::Rc;

use super::{Merger, Pair};
use crate::error::Outcome;
use crate::node::{Id, Kind, Node};
use crate::schema::Schema;

/// The values of one element's keys, in the order of the keys; empty where it has none.
type Values = Vec<Rc<str>>;

impl Merger<'_> {
    pub(super) fn walk_list(
        &mut self,
        mut pair: Pair,
        schema: Option<Schema>,
    ) -> Outcome<Option<Id>> {
        self.dress(pair);
        let visited = if self.tree.is_null(pair.object) {
            pair.patch
        } else {
            self.visit(pair)?
        };
        let Some(object) = visited else {
            return Ok(None);
        };
        pair.object = Some(object);
        let keys = schema.as_ref().map(Schema::keys).unwrap_or_default();
        if keys.is_empty() {
            return self.merge_elements(pair, schema, self.plain_values(pair), &[String::new()]);
        }
        self.merge_elements(pair, schema, self.key_values(pair, &keys), &keys)
    }

    /// The keys' values of all elements, the patch's first, each once.
    fn key_values(&self, pair: Pair, keys: &[String]) -> Vec<Values> {
        let mut all: Vec<Values> = Vec::new();
        for source in [pair.patch, pair.object].into_iter().flatten() {
            for &element in &self.tree[self.tree.unwrap(source)].content {
                let values: Values = keys
                    .iter()
                    .map(|key| match self.tree.field(element, key) {
                        Some((_, value)) if !self.tree.is_empty(Some(value)) => {
                            self.tree[value].value.clone()
                        }
                        _ => Rc::from(""),
                    })
                    .collect();
                if !all.contains(&values) {
                    all.push(values);
                }
            }
        }
        all
    }

    /// The values of all elements of plain lists, the patch's first, each once.
    fn plain_values(&self, pair: Pair) -> Vec<Values> {
        let mut all: Vec<Values> = Vec::new();
        for source in [pair.patch, pair.object].into_iter().flatten() {
            for &element in &self.tree[self.tree.unwrap(source)].content {
                let values = vec![self.tree[element].value.clone()];
                if !all.contains(&values) {
                    all.push(values);
                }
            }
        }
        all
    }

    fn merge_elements(
        &mut self,
        pair: Pair,
        schema: Option<Schema>,
        mut all: Vec<Values>,
        keys: &[String],
    ) -> Outcome<Option<Id>> {
        let added = self.tree.add(Node::of(Kind::Sequence));
        let below = schema.as_ref().and_then(Schema::elements);
        if keys.len() > 1 {
            align(&mut all);
        }
        let mut last_keys: Vec<&str> = Vec::new();
        for i in 0..all.len() {
            let (valid, values) = used_keys(&all, &all[i], keys);
            let values: Vec<&str> = values.iter().map(|v| &**v).collect();
            self.merge_element(pair, below.clone(), added, &valid, &values)?;
            last_keys = valid;
        }
        let Some(object) = pair.object else {
            return Ok(None);
        };
        let merged = if all.is_empty() {
            object
        } else {
            self.append_elements(added, object, &last_keys)?;
            added
        };
        Ok(Some(merged).filter(|id| !self.tree.is_null(Some(*id))))
    }

    fn merge_element(
        &mut self,
        pair: Pair,
        below: Option<Schema>,
        added: Id,
        keys: &[&str],
        values: &[&str],
    ) -> Outcome<()> {
        let sides = Pair {
            object: self.element(pair.object, keys, values)?,
            patch: self.element(pair.patch, keys, values)?,
        };
        let merged = self.walk(sides, below)?;
        let gone = self.tree.is_null(merged)
            || merged.is_some_and(|id| {
                self.tree[id].kind == Kind::Mapping && self.tree[id].content.is_empty()
            });
        let Some(merged) = merged.filter(|_| !gone) else {
            if let Some(object) = pair.object {
                self.tree.set_element(object, None, keys, values)?;
            }
            return Ok(());
        };
        for (key, value) in keys.iter().zip(values) {
            if self.tree.field(merged, key).is_none() && !value.is_empty() {
                let value = self.tree.add_scalar(value);
                self.tree.set_field(merged, key, Some(value))?;
            }
        }
        self.tree.set_element(added, Some(merged), keys, values)
    }

    /// The element with these values, looking only at the keys that have one.
    fn element(&self, list: Option<Id>, keys: &[&str], values: &[&str]) -> Outcome<Option<Id>> {
        let Some(list) = list
            .map(|id| self.tree.unwrap(id))
            .filter(|id| self.tree[*id].kind == Kind::Sequence)
        else {
            return Ok(None);
        };
        let used: Vec<(&str, &str)> = keys
            .iter()
            .copied()
            .zip(values.iter().copied())
            .filter(|(_, value)| !value.is_empty())
            .collect();
        if used.is_empty() {
            return self.tree.element_by_keys(list, keys, values);
        }
        let (keys, values): (Vec<&str>, Vec<&str>) = used.into_iter().unzip();
        self.tree.element_by_keys(list, &keys, &values)
    }

    /// Adds the elements of `from` that `to` does not have, and puts the others in place.
    fn append_elements(&mut self, to: Id, from: Id, keys: &[&str]) -> Outcome<()> {
        let from = self.tree.unwrap(from);
        for element in self.tree[from].content.clone() {
            if keys.first().is_none_or(|key| key.is_empty()) {
                let value = self.tree[element].value.clone();
                self.tree.set_element(to, Some(element), &[""], &[&value])?;
                continue;
            }
            let mut values: Values = Vec::new();
            for key in keys {
                match self.tree.get(element, key)? {
                    Some(value) => values.push(self.tree[value].value.clone()),
                    None => self.tree.append(to, element)?,
                }
            }
            let values: Vec<&str> = values.iter().map(|v| &**v).collect();
            if keys.len() > 1 {
                self.tree.set_element(to, None, keys, &values)?;
            }
            self.tree.set_element(to, Some(element), keys, &values)?;
        }
        Ok(())
    }
}

/// The keys that any element uses, and an element's values of them; all keys when none is used.
fn used_keys<'k>(all: &[Values], values: &Values, keys: &'k [String]) -> (Vec<&'k str>, Values) {
    let used: Vec<bool> = (0..keys.len())
        .map(|i| all.iter().any(|v| v.get(i).is_some_and(|v| !v.is_empty())))
        .collect();
    if !used.contains(&true) {
        return (keys.iter().map(String::as_str).collect(), values.clone());
    }
    let valid = keys
        .iter()
        .zip(&used)
        .filter(|(_, used)| **used)
        .map(|(key, _)| key.as_str())
        .collect();
    let kept = values
        .iter()
        .zip(&used)
        .filter(|(value, used)| **used || !value.is_empty());
    (valid, kept.map(|(value, _)| value.clone()).collect())
}

/// Fills in what one element leaves out and another with the same other keys has.
fn align(all: &mut [Values]) {
    for i in 0..all.len() {
        for j in 0..all.len() {
            if let Some(values) = aligned(&all[i], &all[j]) {
                all[i].clone_from(&values);
                all[j] = values;
            }
        }
    }
}

fn aligned(a: &Values, b: &Values) -> Option<Values> {
    if a.len() != b.len() {
        return None;
    }
    let mut common = false;
    let mut out = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        common = common || a == b;
        if a != b && !a.is_empty() && !b.is_empty() {
            return None;
        }
        out.push(if a.is_empty() { b.clone() } else { a.clone() });
    }
    common.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_filled_from_an_element_with_the_same_rest() {
        let row = |a: &str, b: &str| -> Values { vec![a.into(), b.into()] };
        let mut all = vec![row("80", ""), row("80", "TCP"), row("81", "UDP")];
        align(&mut all);
        assert_eq!(all, [row("80", "TCP"), row("80", "TCP"), row("81", "UDP")]);
    }
}
