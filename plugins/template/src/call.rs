//! Calls functions: evaluates arguments, checks them against the types of the parameters, and puts
//! the place into what a function complains about.

use crate::ast::{Word, WordKind};
use crate::error::Error;
use crate::exec::{Dot, Frame, Place, Walked};
use crate::func::{Function, Param};
use crate::quote::quote;
use crate::value::{ANY, ANY_MAP, IntType, Value};

impl<'t> Frame<'t, '_, '_> {
    pub(crate) fn function(
        &mut self,
        dot: &Dot,
        name: &str,
        place: Place<'t>,
        arguments: &'t [Word],
        last: Option<Value>,
    ) -> Walked<Value> {
        let Some(function) = self.run.functions.get(name).copied() else {
            return self.error(format!("{} is not a defined function", quote(name)));
        };
        self.check_count(name, &function, arguments.len(), last.is_some())?;
        if name == "and" || name == "or" {
            return self.short_circuit(dot, name == "or", arguments, last);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for (index, argument) in arguments.iter().enumerate() {
            values.push(self.argument(dot, parameter(&function, index), argument)?);
        }
        if let Some(last) = last {
            let param = parameter(&function, arguments.len());
            values.push(self.check(last, param)?);
        }
        if name == "call" && !values.first().is_none_or(Value::is_nil) {
            // No value of ours is a function: data cannot hold one.
            let callee = arguments
                .first()
                .map_or_else(|| crate::format::text(&values[0]), Word::to_string);
            let told = format!("non-function {callee} of type {}", values[0].type_name());
            return self.failed(name, place, told.into());
        }
        let given: u64 = values.iter().map(size).sum();
        let answer = self.run.charge(given).and_then(|()| {
            let value = (function.body)(self.run, &values)?;
            self.run.charge(size(&value))?;
            let most = self.run.limits.output_bytes;
            match &value {
                Value::String(text) if text.len() > most => {
                    Err(format!("more than {most} bytes of output").into())
                }
                _ => Ok(value),
            }
        });
        match answer {
            Ok(value) => Ok(value),
            Err(error) => self.failed(name, place, error),
        }
    }

    fn failed<T>(&mut self, name: &str, place: Place<'t>, error: Error) -> Walked<T> {
        self.node = place;
        let message = format!("error calling {name}: {error}");
        self.error_from(message, Some(Box::new(error)))
    }

    fn check_count(
        &self,
        name: &str,
        function: &Function,
        arguments: usize,
        has_last: bool,
    ) -> Walked<()> {
        let given = arguments + usize::from(has_last);
        let fixed = function.params.len();
        if function.variadic.is_some() && given < fixed {
            return self.error(format!(
                "wrong number of args for {name}: want at least {fixed} got {arguments}"
            ));
        }
        if function.variadic.is_none() && given != fixed {
            return self.error(format!(
                "wrong number of args for {name}: want {fixed} got {given}"
            ));
        }
        Ok(())
    }

    fn short_circuit(
        &mut self,
        dot: &Dot,
        until: bool,
        arguments: &'t [Word],
        last: Option<Value>,
    ) -> Walked<Value> {
        let mut value = Value::Invalid;
        for argument in arguments {
            value = self.argument(dot, Param::Raw, argument)?;
            if value.truth() == until {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    pub(crate) fn argument(&mut self, dot: &Dot, param: Param, word: &'t Word) -> Walked<Value> {
        self.at(word);
        let value = match &word.kind {
            WordKind::Nil if param == Param::Raw => return Ok(Value::Invalid),
            WordKind::Nil if param.takes_nil() => return Ok(nil_of(param)),
            WordKind::Nil => {
                return self.error(format!("cannot assign nil to {}", param.name()));
            }
            WordKind::Bool(_) | WordKind::Number(_) | WordKind::String(..) => {
                return self.literal(dot, param, word);
            }
            _ => self.operand(dot, word)?.value,
        };
        self.check(value, param)
    }

    /// Reads a literal as the type that is wanted.
    fn literal(&mut self, dot: &Dot, param: Param, word: &'t Word) -> Walked<Value> {
        let expected = |what: &str| format!("expected {what}; found {word}");
        let int = |number: i64, kind| Ok(Value::Int(number, kind));
        match (param, &word.kind) {
            (Param::Any | Param::Raw, _) => Ok(self.operand(dot, word)?.value),
            (Param::String, WordKind::String(_, text)) => Ok(Value::String(text.clone())),
            (Param::String, _) => self.error(expected("string")),
            (Param::Bool, WordKind::Bool(value)) => Ok(Value::Bool(*value)),
            (Param::Bool, _) => self.error(expected("bool")),
            (Param::Int | Param::Int64, WordKind::Number(number)) => match (number.int, param) {
                (Some(number), Param::Int) => int(number, IntType::Int),
                (Some(number), _) => int(number, IntType::Int64),
                _ => self.error(expected("integer")),
            },
            (Param::Named(name), WordKind::Number(number)) => match number.int {
                Some(number) => int(number, IntType::Named(name, true)),
                None => self.error(expected("integer")),
            },
            (Param::Int | Param::Int64 | Param::Named(_), _) => self.error(expected("integer")),
            (Param::Uint32, WordKind::Number(number)) => match number.uint {
                Some(number) => int(number as i64, IntType::Uint32),
                None => self.error(expected("unsigned integer")),
            },
            (Param::Uint32, _) => self.error(expected("unsigned integer")),
            (Param::Float, WordKind::Number(number)) => match number.float {
                Some(number) => Ok(Value::Float(number)),
                None => self.error(expected("float")),
            },
            (Param::Float, _) => self.error(expected("float")),
            (Param::List | Param::Map | Param::Object(_), _) => self.error(format!(
                "can't handle {word} for arg of type {}",
                param.name()
            )),
        }
    }

    /// Checks a value against the type that is wanted.
    pub(crate) fn check(&self, value: Value, param: Param) -> Walked<Value> {
        match value {
            Value::Invalid if param == Param::Raw => Ok(Value::Invalid),
            Value::Invalid if param.takes_nil() => Ok(nil_of(param)),
            Value::Invalid => self.error(format!("invalid value; expected {}", param.name())),
            Value::Nil if matches!(param, Param::Any | Param::Raw) => Ok(Value::Nil),
            Value::Nil => self.error(format!(
                "wrong type for value; expected {}; got interface {{}}",
                param.name()
            )),
            value if param.takes(&value) => Ok(value),
            value => self.error(format!(
                "wrong type for value; expected {}; got {}",
                param.name(),
                value.type_name()
            )),
        }
    }
}

/// The nil of a parameter's type.
fn nil_of(param: Param) -> Value {
    match param {
        Param::Map => Value::nil_map(ANY_MAP),
        Param::List => Value::nil_list(ANY),
        _ => Value::Nil,
    }
}

/// How many steps a function may take for a value, or to make it: it copies all of it, at least.
fn size(value: &Value) -> u64 {
    let units = match value {
        Value::String(text) => text.len() / 4,
        Value::Bytes(bytes) => bytes.len() / 4,
        Value::List(list) => list.items.len() / 4,
        _ => 0,
    };
    units as u64
}

fn parameter(function: &Function, index: usize) -> Param {
    let param = function.params.get(index).copied();
    param.or(function.variadic).unwrap_or(Param::Any)
}
