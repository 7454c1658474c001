//! What expressions are evaluated to. Data is looked at where it lies, never copied.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

/// Bytes of a text that are one step.
pub(super) const TEXT_STEP: usize = 64;

/// A value; `'v` is the life of the data.
#[derive(Clone, Debug)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'v>),
    Bytes(Arc<[u8]>),
    List(List<'v>),
    Map(Map<'v>),
    Time(Timestamp),
    Span(SignedDuration),
    Type(&'static str),
    Optional(Option<Arc<Value<'v>>>),
}

/// A text.
#[derive(Clone, Debug)]
pub(super) enum Text<'v> {
    Data(&'v str),
    Made(Arc<str>),
}

/// A list.
#[derive(Clone, Debug)]
pub(super) enum List<'v> {
    Data(&'v [Json]),
    Made(Arc<[Value<'v>]>),
}

/// A map.
#[derive(Clone, Debug)]
pub(super) enum Map<'v> {
    Data(&'v serde_json::Map<String, Json>),
    Made(Arc<[(Value<'v>, Value<'v>)]>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Data(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'v> List<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Data(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'v>> {
        match self {
            Self::Data(items) => items.get(index).map(Value::of),
            Self::Made(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'v>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'v> Map<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Data(entries) => entries.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    pub(super) fn get(&self, key: &Value<'v>) -> Option<Value<'v>> {
        match (self, key) {
            (Self::Data(entries), Value::Text(key)) => entries.get(key.as_str()).map(Value::of),
            (Self::Data(_), _) => None,
            (Self::Made(entries), key) => {
                let mut entries = entries.iter();
                let found = entries.find(|(known, _)| known.equals(key));
                found.map(|(_, value)| value.clone())
            }
        }
    }

    pub(super) fn keys(&self) -> Vec<Value<'v>> {
        match self {
            Self::Data(entries) => entries.keys().map(|key| Value::data(key)).collect(),
            Self::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}

impl<'v> Value<'v> {
    /// Looks at data.
    pub(super) fn of(json: &'v Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), _, _) => Self::Int(value),
                (None, Some(value), _) => Self::Uint(value),
                (None, None, value) => Self::Double(value.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::data(text),
            Json::Array(items) => Self::List(List::Data(items)),
            Json::Object(entries) => Self::Map(Map::Data(entries)),
        }
    }

    pub(super) fn data(text: &'v str) -> Self {
        Self::Text(Text::Data(text))
    }

    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(Text::Made(text.into()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Made(items.into()))
    }

    pub(super) fn some(value: Self) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Span(_) => "google.protobuf.Duration",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
        }
    }

    /// Steps that it takes to copy it, or to look at it without what is in its elements.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Text(text) => text.as_str().len() / TEXT_STEP,
            Self::Bytes(bytes) => bytes.len() / TEXT_STEP,
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            _ => 0,
        }
    }

    /// Compares as `==` does: values of different kinds differ, numbers are compared by value.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a.as_str() == b.as_str(),
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Span(a), Self::Span(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Optional(a), Self::Optional(b)) => match (a, b) {
                (None, None) => true,
                (Some(a), Some(b)) => a.equals(b),
                _ => false,
            },
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(&b))
            }
            (Self::Map(a), Self::Map(b)) => {
                let same = |key: &Value<'v>| match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => a.equals(&b),
                    _ => false,
                };
                a.len() == b.len() && a.keys().iter().all(same)
            }
            _ => numbers(self, other) == Some(Ordering::Equal),
        }
    }

    /// Orders; `None` for kinds that have no order between them.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_str().cmp(b.as_str())),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Span(a), Self::Span(b)) => Some(a.cmp(b)),
            _ => numbers(self, other),
        }
    }
}

fn numbers(one: &Value<'_>, other: &Value<'_>) -> Option<Ordering> {
    let whole = |value: &Value<'_>| match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Uint(value) => Some(i128::from(*value)),
        _ => None,
    };
    match (one, other) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), b) => against(*a, whole(b)?),
        (a, Value::Double(b)) => against(*b, whole(a)?).map(Ordering::reverse),
        (a, b) => Some(whole(a)?.cmp(&whole(b)?)),
    }
}

/// Compares without losing digits of the integer.
#[allow(
    clippy::cast_possible_truncation,
    reason = "it is a whole number within the bounds, which are exact"
)]
fn against(double: f64, whole: i128) -> Option<Ordering> {
    const BOUND: f64 = 18_446_744_073_709_551_616.0;
    if double.is_nan() {
        None
    } else if double >= BOUND {
        Some(Ordering::Greater)
    } else if double <= -BOUND {
        Some(Ordering::Less)
    } else {
        let floor = double.floor();
        let order = (floor as i128).cmp(&whole);
        Some(match order {
            Ordering::Equal if double > floor => Ordering::Greater,
            order => order,
        })
    }
}
