//! Evaluates what stands between the braces: pipelines, commands, fields and operands.

use std::rc::Rc;

use crate::ast::{Command, Pipe, Word, WordKind};
use crate::exec::{Dot, Frame, MissingKey, Variable, Walked};
use crate::func::Param;
use crate::quote::quote;
use crate::value::{IntType, Map, Value};

impl<'t> Frame<'t, '_, '_> {
    pub(crate) fn pipeline(&mut self, dot: &Dot, pipe: &'t Pipe) -> Walked<Value> {
        self.at(pipe);
        let mut value: Option<Value> = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?.value.dig());
        }
        let value = value.unwrap_or(Value::Invalid);
        for name in &pipe.variables {
            if pipe.is_assign {
                self.assign(name, &Dot::concrete(value.clone()))?;
            } else {
                self.variables.push(Variable {
                    name: name.clone(),
                    value: Dot::concrete(value.clone()),
                });
            }
        }
        Ok(value)
    }

    /// Evaluates a command; `last` is what the command before it gave.
    fn command(&mut self, dot: &Dot, command: &'t Command, last: Option<Value>) -> Walked<Dot> {
        let word = &command.words[0];
        let arguments = &command.words[1..];
        match &word.kind {
            WordKind::Field(names) => {
                self.at(word);
                self.fields(dot, dot.clone(), names, arguments, last)
            }
            WordKind::Chain(inner, names) => {
                let value = self.chain_start(dot, word, inner)?;
                self.fields(dot, value, names, arguments, last)
            }
            WordKind::Identifier(name) => {
                self.at(word);
                let value = self.function(dot, name, command.into(), arguments, last)?;
                Ok(Dot::concrete(value))
            }
            WordKind::Pipe(pipe) => {
                self.not_a_function(word, arguments, &last)?;
                Ok(Dot::concrete(self.pipeline(dot, pipe)?))
            }
            WordKind::Variable(name, names) => {
                self.at(word);
                let value = self.variable(name)?;
                if names.is_empty() {
                    self.not_a_function(word, arguments, &last)?;
                    return Ok(value);
                }
                self.fields(dot, value, names, arguments, last)
            }
            WordKind::Nil => {
                self.at(word);
                self.not_a_function(word, arguments, &last)?;
                self.error("nil is not a command")
            }
            _ => {
                self.at(word);
                self.not_a_function(word, arguments, &last)?;
                self.operand(dot, word)
            }
        }
    }

    fn not_a_function(&self, word: &Word, arguments: &[Word], last: &Option<Value>) -> Walked<()> {
        if !arguments.is_empty() || last.is_some() {
            return self.error(format!("can't give argument to non-function {word}"));
        }
        Ok(())
    }

    /// Evaluates an operand where any type will do.
    pub(crate) fn operand(&mut self, dot: &Dot, word: &'t Word) -> Walked<Dot> {
        self.at(word);
        Ok(Dot::concrete(match &word.kind {
            WordKind::Bool(value) => Value::Bool(*value),
            WordKind::Dot => return Ok(dot.clone()),
            WordKind::Nil => Value::Nil,
            WordKind::String(_, text) => Value::String(text.clone()),
            WordKind::Number(number) => {
                if let Some((real, imaginary)) = number.complex {
                    return Ok(Dot::concrete(Value::Complex(real, imaginary)));
                }
                match (number.looks_float(), number.float, number.int) {
                    (true, Some(float), _) => Value::Float(float),
                    (_, _, Some(int)) => Value::int(int),
                    _ => return self.error(format!("{} overflows int", number.text)),
                }
            }
            WordKind::Field(names) => {
                return self.fields(dot, dot.clone(), names, &[], None);
            }
            WordKind::Variable(name, names) => {
                let value = self.variable(name)?;
                if names.is_empty() {
                    return Ok(value);
                }
                return self.fields(dot, value, names, &[], None);
            }
            WordKind::Identifier(name) => self.function(dot, name, word.into(), &[], None)?,
            WordKind::Chain(inner, names) => {
                let value = self.chain_start(dot, word, inner)?;
                return self.fields(dot, value, names, &[], None);
            }
            WordKind::Pipe(pipe) => self.pipeline(dot, pipe)?,
        }))
    }

    fn chain_start(&mut self, dot: &Dot, word: &'t Word, inner: &'t Word) -> Walked<Dot> {
        self.at(word);
        if let WordKind::Nil = inner.kind {
            return self.error(format!("indirection through explicit nil in {word}"));
        }
        self.operand(dot, inner)
    }

    fn variable(&self, name: &str) -> Walked<Dot> {
        match self
            .variables
            .iter()
            .rev()
            .find(|known| *known.name == *name)
        {
            Some(variable) => Ok(variable.value.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    fn fields(
        &mut self,
        dot: &Dot,
        mut value: Dot,
        names: &[Rc<str>],
        arguments: &'t [Word],
        last: Option<Value>,
    ) -> Walked<Dot> {
        let Some((end, path)) = names.split_last() else {
            return Ok(value);
        };
        let place = self.node;
        for name in path {
            value = self.field(dot, &value, name, &[], None)?;
        }
        self.node = place;
        self.field(dot, &value, end, arguments, last)
    }

    fn field(
        &mut self,
        dot: &Dot,
        receiver: &Dot,
        name: &str,
        arguments: &'t [Word],
        last: Option<Value>,
    ) -> Walked<Dot> {
        let has_arguments = !arguments.is_empty() || last.is_some();
        match &receiver.value {
            Value::Invalid => {
                if self.run.missing_key == MissingKey::Error {
                    return self.error(format!("nil data; no entry for key {}", quote(name)));
                }
                Ok(Dot::concrete(Value::Invalid))
            }
            Value::Nil => self.error(format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Int(_, IntType::Named(kind, _)) => match self.run.method(kind, name) {
                Some(method) => self.map_method(dot, receiver, name, method, arguments, last),
                None => self.no_field(name, receiver),
            },
            Value::Map(map) => {
                if let Some(method) = self.run.method(map.type_name, name) {
                    return self.map_method(dot, receiver, name, method, arguments, last);
                }
                if has_arguments {
                    return self.error(format!("{name} is not a method but has arguments"));
                }
                self.map_field(map, name)
            }
            Value::Object(object) => {
                if let Some(params) = object.method(name) {
                    let object = object.clone();
                    return self.method(dot, &object, name, params, arguments, last);
                }
                match object.field(name) {
                    Some(_) if has_arguments => self.error(format!(
                        "{name} has arguments but cannot be invoked as function"
                    )),
                    Some(value) => Ok(Dot::concrete(value)),
                    None => self.no_field(name, receiver),
                }
            }
            _ => self.no_field(name, receiver),
        }
    }

    fn map_method(
        &mut self,
        dot: &Dot,
        receiver: &Dot,
        name: &str,
        method: &crate::func::Function,
        arguments: &'t [Word],
        last: Option<Value>,
    ) -> Walked<Dot> {
        let place = self.node;
        let given = arguments.len() + usize::from(last.is_some());
        let params = &method.params[1..];
        if given != params.len() {
            let want = params.len();
            return self.error(format!(
                "wrong number of args for {name}: want {want} got {given}"
            ));
        }
        let mut values = vec![receiver.value.clone()];
        for (argument, param) in arguments.iter().zip(params) {
            values.push(self.argument(dot, *param, argument)?);
        }
        if let (Some(last), Some(param)) = (last, params.last()) {
            values.push(self.check(last, *param)?);
        }
        match (method.body)(self.run, &values) {
            Ok(value) => Ok(Dot::concrete(value)),
            Err(error) => {
                self.node = place;
                let message = format!("error calling {name}: {error}");
                self.error_from(message, Some(Box::new(error)))
            }
        }
    }

    fn no_field(&self, name: &str, receiver: &Dot) -> Walked<Dot> {
        let type_name = if receiver.is_interface {
            crate::value::ANY.to_owned()
        } else {
            receiver.value.type_name()
        };
        self.error(format!("can't evaluate field {name} in type {type_name}"))
    }

    fn map_field(&self, map: &Map, name: &str) -> Walked<Dot> {
        let is_any = map.type_name != "map[string]string";
        if let Some(value) = map.entries.borrow().get(name) {
            return Ok(Dot {
                value: value.clone(),
                is_interface: is_any,
            });
        }
        match self.run.missing_key {
            MissingKey::Invalid => Ok(Dot::concrete(Value::Invalid)),
            MissingKey::Zero if is_any => Ok(Dot::element(Value::Nil)),
            MissingKey::Zero => Ok(Dot::concrete(Value::string(""))),
            MissingKey::Error => self.error(format!("map has no entry for key {}", quote(name))),
        }
    }

    fn method(
        &mut self,
        dot: &Dot,
        object: &Rc<dyn crate::value::Object>,
        name: &str,
        params: &'static [Param],
        arguments: &'t [Word],
        last: Option<Value>,
    ) -> Walked<Dot> {
        let place = self.node;
        let given = arguments.len() + usize::from(last.is_some());
        if given != params.len() {
            let want = params.len();
            return self.error(format!(
                "wrong number of args for {name}: want {want} got {given}"
            ));
        }
        if let Some(told) = object.bad_signature(name) {
            return self.error(told);
        }
        let mut values = Vec::with_capacity(given);
        for (argument, param) in arguments.iter().zip(params) {
            values.push(self.argument(dot, *param, argument)?);
        }
        if let (Some(last), Some(param)) = (last, params.last()) {
            values.push(self.check(last, *param)?);
        }
        match object.call(name, &values) {
            Ok(value) => Ok(Dot::concrete(value)),
            Err(message) => {
                self.node = place;
                self.error(format!("error calling {name}: {message}"))
            }
        }
    }
}
