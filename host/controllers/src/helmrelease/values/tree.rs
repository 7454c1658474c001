//! Values that are shared and changed in place, as Go shares maps and lists: which of two places a
//! value at a path reaches depends on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

/// A map that others may hold too.
pub(super) type SharedMap = Rc<RefCell<BTreeMap<String, Node>>>;
/// A list that others may hold too.
pub(super) type SharedList = Rc<RefCell<Vec<Node>>>;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Map(SharedMap),
    List(SharedList),
    Leaf(Value),
}

impl Node {
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Object(values) => Self::Map(map(values)),
            Value::Array(items) => {
                let items = items.into_iter().map(Self::of).collect();
                Self::List(Rc::new(RefCell::new(items)))
            }
            other => Self::Leaf(other),
        }
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Map(map) => {
                let map = map.borrow();
                let values = map.iter();
                let values = values.map(|(key, node)| (key.clone(), node.clone().into_value()));
                Value::Object(values.collect())
            }
            Self::List(list) => {
                let list = list.borrow();
                list.iter().map(|node| node.clone().into_value()).collect()
            }
            Self::Leaf(value) => value,
        }
    }

    /// The name of Go's type, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Map(_) => "map[string]interface {}",
            Self::List(_) => "[]interface {}",
            Self::Leaf(Value::Bool(_)) => "bool",
            Self::Leaf(Value::Number(number)) if number.is_f64() => "float64",
            Self::Leaf(Value::Number(_)) => "int64",
            Self::Leaf(Value::Null) => "nil",
            Self::Leaf(_) => "string",
        }
    }
}

/// Makes a map that nobody else holds.
pub(super) fn map(values: Map<String, Value>) -> SharedMap {
    let values = values.into_iter();
    let values = values.map(|(key, value)| (key, Node::of(value))).collect();
    Rc::new(RefCell::new(values))
}

/// Merges `over` into a copy of `under`: maps that are in both are merged into new ones, everything
/// else is shared.
pub(super) fn merge(under: &SharedMap, over: &SharedMap) -> SharedMap {
    let mut merged = under.borrow().clone();
    for (key, node) in over.borrow().iter() {
        let both = match (merged.get(key), node) {
            (Some(Node::Map(under)), Node::Map(over)) => Some(Node::Map(merge(under, over))),
            _ => None,
        };
        merged.insert(key.clone(), both.unwrap_or_else(|| node.clone()));
    }
    Rc::new(RefCell::new(merged))
}
