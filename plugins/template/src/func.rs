//! Functions that templates call, with the types of their parameters: Go checks arguments against
//! those before a call, and its messages name them.

use std::collections::HashMap;

use crate::error::Error;
use crate::exec::Run;
use crate::value::Value;

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// `interface {}`: takes anything; nothing becomes nil.
    Any,
    /// `reflect.Value`, of the built-in functions: tells nothing from nil.
    Raw,
    /// `string`.
    String,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint32` and other unsigned types.
    Uint32,
    /// `float64`.
    Float,
    /// `bool`.
    Bool,
    /// `[]interface {}`.
    List,
    /// `map[string]interface {}`.
    Map,
    /// An integer of a named type: `time.Duration`.
    Named(&'static str),
    /// A struct, by the name of its Go type: `time.Time`.
    Object(&'static str),
}

impl Param {
    /// Returns Go's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Raw => "reflect.Value",
            Self::String => "string",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::List => "[]interface {}",
            Self::Map => "map[string]interface {}",
            Self::Object(name) | Self::Named(name) => name,
        }
    }

    /// Tells whether nil may be given.
    pub(crate) fn takes_nil(self) -> bool {
        matches!(self, Self::Any | Self::Raw | Self::List | Self::Map)
    }

    /// Tells whether a value is of this type.
    pub(crate) fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any | Self::Raw, _) => true,
            (Self::String, Value::String(_)) | (Self::Bool, Value::Bool(_)) => true,
            (Self::Float, Value::Float(_)) => true,
            (Self::Int | Self::Int64 | Self::Uint32, Value::Int(_, kind)) => {
                kind.name() == self.name()
            }
            (Self::Named(name), Value::Int(_, kind)) => kind.name() == name,
            (Self::List, Value::List(list)) => list.element == crate::value::ANY,
            (Self::Object(name), Value::Object(object)) => object.type_name() == name,
            (Self::Map, Value::Map(map)) => {
                map.type_name == crate::value::ANY_MAP || !map.type_name.starts_with("map[")
            }
            _ => false,
        }
    }
}

/// What a function does. An error is the function's own; Go puts `error calling NAME: ` before it.
pub type Body = fn(&mut Run<'_>, &[Value]) -> Result<Value, Error>;

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Parameters that must be given.
    pub params: &'static [Param],
    /// Type of any number of further ones.
    pub variadic: Option<Param>,
    /// What it does.
    pub body: Body,
}

/// Functions by name.
pub type Functions = HashMap<&'static str, Function>;

/// Makes a function with fixed parameters.
pub const fn fixed(params: &'static [Param], body: Body) -> Function {
    Function {
        params,
        variadic: None,
        body,
    }
}

/// Makes a function that takes any number of `rest` after its fixed parameters.
pub const fn variadic(params: &'static [Param], rest: Param, body: Body) -> Function {
    Function {
        params,
        variadic: Some(rest),
        body,
    }
}
