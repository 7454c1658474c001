//! The entries of a mapping that is being decoded: each key once, in the order of the text.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::value::Value;
use crate::{Dialect, go_text};

/// Below this many entries, a walk is faster than a hash.
pub(crate) const FEW: usize = 16;

/// A text that two keys share if they are the same key in Go.
pub(crate) fn identity(key: &Value) -> String {
    format!("{}\0{}", key.go_type(), go_text::syntax(key, Dialect::V3))
}

/// Entries of a mapping, each key once.
#[derive(Default)]
pub(crate) struct Entries {
    pub(crate) list: Vec<(Value, Value)>,
    /// Where keys with a hash stand, once there are many entries.
    index: HashMap<u64, Vec<usize>>,
}

impl Entries {
    fn hash(key: &Value) -> u64 {
        let mut hasher = DefaultHasher::new();
        match key {
            Value::String(text) => text.hash(&mut hasher),
            other => identity(other).hash(&mut hasher),
        }
        hasher.finish()
    }

    pub(crate) fn position(&self, key: &Value) -> Option<usize> {
        if self.list.len() <= FEW {
            return self.list.iter().position(|entry| entry.0 == *key);
        }
        let found = self.index.get(&Self::hash(key))?;
        found.iter().copied().find(|at| self.list[*at].0 == *key)
    }

    pub(crate) fn set(&mut self, key: Value, value: Value) {
        if let Some(at) = self.position(&key) {
            self.list[at].1 = value;
            return;
        }
        self.list.push((key, value));
        let from = match self.list.len() {
            count if count <= FEW => return,
            count if count == FEW + 1 => 0,
            count => count - 1,
        };
        for at in from..self.list.len() {
            self.index
                .entry(Self::hash(&self.list[at].0))
                .or_default()
                .push(at);
        }
    }
}
