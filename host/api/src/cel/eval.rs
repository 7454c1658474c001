//! Evaluates. Every step counts, and so does the size of what is looked at or made: an expression ends
//! soon, whatever it says and whatever the data is.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use regex::Regex;

use super::ast::{Expr, Fold, FoldKind, Literal, Node, Operator};
use super::value::{List, Map, Value};
use super::{functions, operators};

/// Steps that an evaluation may take: some hundredths of a second.
pub(super) const MAX_STEPS: u64 = 1_000_000;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// In words.
    Told(String),
    /// It takes too long; nothing makes up for that.
    Budget,
}

impl Fault {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Told(text) => text,
            Self::Budget => "operation cancelled: actual cost limit exceeded",
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

pub(super) fn told<T>(text: impl Into<String>) -> Result<T> {
    Err(Fault::Told(text.into()))
}

pub(super) fn no_overload<T>() -> Result<T> {
    told("no such overload")
}

/// An evaluation.
pub(super) struct Run<'v> {
    roots: &'v [(&'v str, &'v serde_json::Value)],
    /// What macros have bound, the innermost last.
    scope: RefCell<Vec<(&'v str, Value<'v>)>>,
    steps: Cell<u64>,
    regexes: RefCell<HashMap<String, Regex>>,
}

impl<'v> Run<'v> {
    pub(super) fn new(roots: &'v [(&'v str, &'v serde_json::Value)]) -> Self {
        Self {
            roots,
            scope: RefCell::default(),
            steps: Cell::new(0),
            regexes: RefCell::default(),
        }
    }

    /// Counts steps.
    pub(super) fn spend(&self, steps: usize) -> Result<()> {
        let spent = self.steps.get().saturating_add(steps as u64);
        self.steps.set(spent);
        match spent > MAX_STEPS {
            true => Err(Fault::Budget),
            false => Ok(()),
        }
    }

    /// Compiles a pattern, once.
    pub(super) fn regex(&self, pattern: &str) -> Result<Regex> {
        if let Some(known) = self.regexes.borrow().get(pattern) {
            return Ok(known.clone());
        }
        self.spend(10_000)?;
        let made = regex::RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .build();
        let made = made.map_err(|error| Fault::Told(format!("error parsing regexp: {error}")))?;
        let mut regexes = self.regexes.borrow_mut();
        regexes.insert(pattern.to_owned(), made.clone());
        Ok(made)
    }

    pub(super) fn eval(&self, node: &'v Node) -> Result<Value<'v>> {
        self.spend(1)?;
        match &node.expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Ident(name) => self.ident(name),
            Expr::Select {
                operand,
                field,
                is_optional,
            } => {
                let operand = self.eval(operand)?;
                select(&operand, &Value::data(field), *is_optional)
            }
            Expr::Has { operand, field } => self.has(operand, field),
            Expr::Index {
                operand,
                index,
                is_optional,
            } => {
                let (operand, index) = (self.eval(operand)?, self.eval(index)?);
                select(&operand, &index, *is_optional)
            }
            Expr::Call { target, name, args } => self.call(target.as_deref(), name, args),
            Expr::List(_) | Expr::Map(_) => self.collection(&node.expr),
            Expr::Fold(fold) => self.fold(fold),
            Expr::OptMap {
                operand,
                variable,
                step,
                is_flat,
            } => self.opt_map((operand, step), variable, *is_flat),
            Expr::Not(operand) => match self.eval(operand)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                _ => no_overload(),
            },
            Expr::Negate(operand) => operators::negate(self.eval(operand)?),
            Expr::And(parts) => self.logic(parts, false),
            Expr::Or(parts) => self.logic(parts, true),
            Expr::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                match self.eval(condition)? {
                    Value::Bool(true) => self.eval(yes),
                    Value::Bool(false) => self.eval(no),
                    _ => no_overload(),
                }
            }
            Expr::Binary(operator, sides) => self.binary(*operator, sides),
        }
    }

    fn ident(&self, name: &'v str) -> Result<Value<'v>> {
        let scope = self.scope.borrow();
        if let Some((_, value)) = scope.iter().rev().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        if let Some((_, value)) = self.roots.iter().find(|(known, _)| *known == name) {
            return Ok(Value::of(value));
        }
        match functions::type_named(name) {
            Some(name) => Ok(Value::Type(name)),
            None => told(format!("no such attribute(s): {name}")),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        let scope = self.scope.borrow();
        let mut bound = scope.iter().map(|(known, _)| *known);
        let mut roots = self.roots.iter().map(|(known, _)| *known);
        bound.any(|known| known == name) || roots.any(|known| known == name)
    }

    /// Puts one value in for a variable.
    fn with(&self, variable: &'v str, value: Value<'v>, node: &'v Node) -> Result<Value<'v>> {
        self.scope.borrow_mut().push((variable, value));
        let result = self.eval(node);
        self.scope.borrow_mut().pop();
        result
    }

    fn has(&self, operand: &'v Node, field: &'v str) -> Result<Value<'v>> {
        let operand = match self.eval(operand)? {
            Value::Optional(None) => return Ok(Value::Bool(false)),
            Value::Optional(Some(value)) => (*value).clone(),
            other => other,
        };
        match operand {
            Value::Map(entries) => Ok(Value::Bool(entries.get(&Value::data(field)).is_some())),
            _ => no_overload(),
        }
    }

    fn call(&self, target: Option<&'v Node>, name: &'v str, args: &'v [Node]) -> Result<Value<'v>> {
        let mut values = Vec::with_capacity(args.len() + 1);
        // `sets.contains(a, b)`: a name space, unless a variable has that name.
        let space = match target.map(|target| &target.expr) {
            Some(Expr::Ident(space)) if functions::is_space(space) && !self.is_variable(space) => {
                Some(space.as_str())
            }
            _ => None,
        };
        let receiver = target.filter(|_| space.is_none());
        for node in receiver.into_iter().chain(args) {
            values.push(self.eval(node)?);
        }
        self.spend(values.iter().map(Value::cost).sum())?;
        let made = functions::call(self, space, receiver.is_some(), name, &values)?;
        self.spend(made.cost())?;
        Ok(made)
    }

    fn collection(&self, expr: &'v Expr) -> Result<Value<'v>> {
        if let Expr::List(items) = expr {
            let mut found = Vec::with_capacity(items.len());
            for item in items {
                let value = self.eval(&item.value)?;
                found.extend(wanted(value, item.is_optional)?);
            }
            return Ok(Value::list(found));
        }
        let Expr::Map(entries) = expr else {
            return no_overload();
        };
        let mut found: Vec<(Value<'v>, Value<'v>)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.eval(&entry.key)?;
            let value = self.eval(&entry.value)?;
            self.spend(found.len())?;
            match key {
                Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Text(_) => {}
                _ => return told("unsupported key type"),
            }
            if found.iter().any(|(known, _)| known.equals(&key)) {
                return told("Failed with repeated key");
            }
            found.extend(wanted(value, entry.is_optional)?.map(|value| (key, value)));
        }
        Ok(Value::Map(Map::Made(found.into())))
    }

    /// A side that decides makes up for an error of another, in whichever order they stand.
    fn logic(&self, parts: &'v [Node], decisive: bool) -> Result<Value<'v>> {
        let mut fault = None;
        for part in parts {
            match self.eval(part) {
                Ok(Value::Bool(value)) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => fault = fault.or(no_overload::<()>().err()),
                Err(Fault::Budget) => return Err(Fault::Budget),
                Err(other) => fault = fault.or(Some(other)),
            }
        }
        match fault {
            Some(fault) => Err(fault),
            None => Ok(Value::Bool(!decisive)),
        }
    }

    fn binary(&self, operator: Operator, sides: &'v [Node; 2]) -> Result<Value<'v>> {
        let (left, right) = (self.eval(&sides[0])?, self.eval(&sides[1])?);
        // What is compared, searched or copied is looked at.
        match operator {
            Operator::Equal | Operator::NotEqual | Operator::In => {
                self.look(&left)?;
                self.look(&right)?;
            }
            _ => self.spend(left.cost() + right.cost())?,
        }
        operators::binary(operator, &left, &right)
    }

    /// Counts all that is in a value.
    pub(super) fn look(&self, value: &Value<'v>) -> Result<()> {
        match value {
            Value::List(items) => {
                self.spend(items.len())?;
                items.iter().try_for_each(|item| self.look(&item))
            }
            Value::Map(entries) => {
                self.spend(entries.len())?;
                let values = entries.keys().into_iter();
                let mut values = values.filter_map(|key| entries.get(&key));
                values.try_for_each(|value| self.look(&value))
            }
            other => self.spend(other.cost()),
        }
    }

    fn fold(&self, fold: &'v Fold) -> Result<Value<'v>> {
        let items: Vec<Value<'v>> = match self.eval(&fold.range)? {
            Value::List(items) => items.iter().collect(),
            Value::Map(entries) => entries.keys(),
            _ => return no_overload(),
        };
        self.spend(items.len())?;
        let variable = fold.variable.as_str();
        let holds =
            |item: &Value<'v>, node: &'v Node| match self.with(variable, item.clone(), node)? {
                Value::Bool(value) => Ok(value),
                _ => no_overload(),
            };
        match fold.kind {
            FoldKind::All | FoldKind::Exists => {
                let decisive = fold.kind == FoldKind::Exists;
                let mut fault = None;
                for item in &items {
                    match holds(item, &fold.step) {
                        Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                        Ok(_) => {}
                        Err(Fault::Budget) => return Err(Fault::Budget),
                        Err(other) => fault = fault.or(Some(other)),
                    }
                }
                fault.map_or(Ok(Value::Bool(!decisive)), Err)
            }
            FoldKind::ExistsOne => {
                let mut count = 0;
                for item in &items {
                    count += usize::from(holds(item, &fold.step)?);
                }
                Ok(Value::Bool(count == 1))
            }
            FoldKind::Filter => {
                let mut found = Vec::new();
                for item in items {
                    if holds(&item, &fold.step)? {
                        found.push(item);
                    }
                }
                Ok(Value::list(found))
            }
            FoldKind::Map => {
                let mut found = Vec::new();
                for item in items {
                    let counts = match &fold.filter {
                        Some(filter) => holds(&item, filter)?,
                        None => true,
                    };
                    if counts {
                        found.push(self.with(variable, item, &fold.step)?);
                    }
                }
                Ok(Value::list(found))
            }
        }
    }

    fn opt_map(
        &self,
        (operand, step): (&'v Node, &'v Node),
        variable: &'v str,
        is_flat: bool,
    ) -> Result<Value<'v>> {
        let value = match self.eval(operand)? {
            Value::Optional(Some(value)) => (*value).clone(),
            Value::Optional(None) => return Ok(Value::Optional(None)),
            _ => return no_overload(),
        };
        let made = self.with(variable, value, step)?;
        match (is_flat, made) {
            (true, made @ Value::Optional(_)) => Ok(made),
            (true, _) => no_overload(),
            (false, made) => Ok(Value::some(made)),
        }
    }
}

/// An element that may be left out.
fn wanted(value: Value<'_>, is_optional: bool) -> Result<Option<Value<'_>>> {
    match (is_optional, value) {
        (false, value) => Ok(Some(value)),
        (true, Value::Optional(value)) => Ok(value.map(|value| (*value).clone())),
        (true, _) => no_overload(),
    }
}

fn constant<'v>(literal: &'v Literal) -> Value<'v> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::Uint(value) => Value::Uint(*value),
        Literal::Double(value) => Value::Double(*value),
        Literal::Text(text) => Value::data(text),
        Literal::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

/// A field, or an element. Of something optional, it is optional.
fn select<'v>(operand: &Value<'v>, key: &Value<'v>, is_optional: bool) -> Result<Value<'v>> {
    match operand {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => Ok(match found(inner, key)? {
            Some(value) => Value::some(value),
            None => Value::Optional(None),
        }),
        _ => match (found(operand, key)?, is_optional) {
            (Some(value), true) => Ok(Value::some(value)),
            (Some(value), false) => Ok(value),
            (None, true) => Ok(Value::Optional(None)),
            (None, false) => missing(operand, key),
        },
    }
}

fn missing<'v>(operand: &Value<'v>, key: &Value<'v>) -> Result<Value<'v>> {
    let name = functions::shown(key);
    match operand {
        Value::List(_) => told(format!("index out of bounds: {name}")),
        _ => told(format!("no such key: {name}")),
    }
}

fn found<'v>(operand: &Value<'v>, key: &Value<'v>) -> Result<Option<Value<'v>>> {
    match operand {
        Value::Map(entries) => Ok(entries.get(key)),
        Value::List(items) => element(items, key),
        Value::Null => Ok(None),
        _ => no_overload(),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a whole number that was compared with the length"
)]
fn element<'v>(items: &List<'v>, key: &Value<'v>) -> Result<Option<Value<'v>>> {
    let index = match key {
        Value::Int(index) => usize::try_from(*index).ok(),
        Value::Uint(index) => usize::try_from(*index).ok(),
        Value::Double(index) => {
            let is_whole = index.fract() == 0.0 && *index >= 0.0 && *index < items.len() as f64;
            is_whole.then_some(*index as usize)
        }
        _ => return told("unsupported index type in list"),
    };
    Ok(index.and_then(|index| items.get(index)))
}
