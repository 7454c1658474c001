//! Plain data: what Go programs get when they read YAML into `interface{}`.

use crate::{go_text, number};

/// A value without comments, styles or anchors.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above [`i64::MAX`].
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A time, as RFC 3339 text (go-yaml v3 only; v2 gives text).
    Timestamp(String),
    /// Text.
    String(String),
    /// What `!!binary` holds, where it is no UTF-8.
    Binary(Vec<u8>),
    /// Items.
    Sequence(Vec<Self>),
    /// Entries in the order of the text, each key once.
    Mapping(Vec<(Self, Self)>),
    /// A mapping that keeps the order of its entries where it is written: the fields of a struct.
    Struct(Vec<(Self, Self)>),
}

impl Value {
    /// The value of a text key in a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Mapping(entries) = self else {
            return None;
        };
        entries
            .iter()
            .find(|entry| entry.0.as_str() == Some(key))
            .map(|entry| &entry.1)
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text that sigs.k8s.io/yaml makes of a key; nothing for kinds that it refuses.
    #[must_use]
    pub fn json_key(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Binary(bytes) => Some(go_text::lossy(bytes)),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(number::yaml_float32(*number)),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The name of the Go type that stands behind it.
    pub(crate) fn go_type(&self) -> &'static str {
        match self {
            Self::Null => "%!s(<nil>)",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Timestamp(_) => "time.Time",
            Self::String(_) | Self::Binary(_) => "string",
            Self::Sequence(_) => "[]interface {}",
            Self::Mapping(_) | Self::Struct(_) => "map[interface {}]interface {}",
        }
    }
}
