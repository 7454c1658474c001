//! Checks an expression before it is evaluated: names, and the types that can be known. What comes out
//! of data is of any type (`dyn`).

use std::fmt;

use super::ast::{Expr, Fold, FoldKind, Literal, Node, Operator};
use super::functions::{self, GLOBAL, MEMBERS, SPACED};

/// A type, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    List,
    Map,
    /// A variable: what keys and values it has.
    Struct,
    Time,
    Span,
    Meta,
    Optional,
}

impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Dyn => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::List => "list(dyn)",
            Self::Map => "map(dyn, dyn)",
            Self::Struct => "map(string, dyn)",
            Self::Time => "timestamp",
            Self::Span => "duration",
            Self::Meta => "type",
            Self::Optional => "optional_type(dyn)",
        })
    }
}

impl Type {
    fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    fn may_be(&self, other: &Self) -> bool {
        let is_map = |one: &Self| matches!(one, Self::Map | Self::Struct);
        *self == Self::Dyn
            || *other == Self::Dyn
            || self == other
            || (is_map(self) && is_map(other))
    }
}

/// What is wrong, and at which character.
type Checked = Result<Type, (usize, String)>;

/// Which names there are.
pub(super) struct Checker<'a> {
    scope: Vec<(&'a str, Type)>,
}

/// Returns the type of an expression over variables that hold objects.
pub(super) fn check(node: &Node, variables: &[&str]) -> Checked {
    let scope = variables.iter().map(|name| (*name, Type::Struct));
    let mut checker = Checker {
        scope: scope.collect(),
    };
    checker.of(node)
}

fn overload<T>(at: usize, name: &str, types: &[&Type]) -> Result<T, (usize, String)> {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    Err((
        at,
        format!(
            "found no matching overload for '{name}' applied to '({})'",
            types.join(", ")
        ),
    ))
}

fn undeclared<T>(at: usize, name: &str) -> Result<T, (usize, String)> {
    Err((
        at,
        format!("undeclared reference to '{name}' (in container '')"),
    ))
}

impl<'a> Checker<'a> {
    fn of(&mut self, node: &'a Node) -> Checked {
        let at = node.at;
        Ok(match &node.expr {
            Expr::Literal(literal) => match literal {
                Literal::Null => Type::Null,
                Literal::Bool(_) => Type::Bool,
                Literal::Int(_) => Type::Int,
                Literal::Uint(_) => Type::Uint,
                Literal::Double(_) => Type::Double,
                Literal::Text(_) => Type::Text,
                Literal::Bytes(_) => Type::Bytes,
            },
            Expr::Ident(name) => {
                let known = self.scope.iter().rev().find(|(known, _)| known == name);
                match known {
                    Some((_, type_)) => type_.clone(),
                    None if functions::type_named(name).is_some() => Type::Meta,
                    None => return undeclared(at, name),
                }
            }
            Expr::Select {
                operand,
                field,
                is_optional,
            } => {
                let of = self.of(operand)?;
                if !matches!(of, Type::Dyn | Type::Map | Type::Struct | Type::Optional) {
                    return Err((at, format!("type '{of}' does not support field selection")));
                }
                let _ = field;
                match *is_optional || of == Type::Optional {
                    true => Type::Optional,
                    false => Type::Dyn,
                }
            }
            Expr::Has { operand, .. } => {
                self.of(operand)?;
                Type::Bool
            }
            Expr::Index {
                operand,
                index,
                is_optional,
            } => {
                let (of, index) = (self.of(operand)?, self.of(index)?);
                if !matches!(
                    of,
                    Type::Dyn | Type::Map | Type::Struct | Type::List | Type::Optional
                ) {
                    return overload(at, "_[_]", &[&of, &index]);
                }
                match *is_optional || of == Type::Optional {
                    true => Type::Optional,
                    false => Type::Dyn,
                }
            }
            Expr::Call { target, name, args } => self.call(at, target.as_deref(), name, args)?,
            Expr::List(items) => {
                for item in items {
                    self.of(&item.value)?;
                }
                Type::List
            }
            Expr::Map(entries) => {
                for entry in entries {
                    self.of(&entry.key)?;
                    self.of(&entry.value)?;
                }
                Type::Map
            }
            Expr::Fold(fold) => self.fold(at, fold)?,
            Expr::OptMap {
                operand,
                variable,
                step,
                ..
            } => {
                self.expect(operand, &Type::Optional, "optMap")?;
                self.with(variable, step)?;
                Type::Optional
            }
            Expr::Not(operand) => self.expect(operand, &Type::Bool, "!_")?,
            Expr::Negate(operand) => {
                let of = self.of(operand)?;
                match of {
                    Type::Int | Type::Double | Type::Dyn => of,
                    of => return overload(at, "-_", &[&of]),
                }
            }
            Expr::And(parts) | Expr::Or(parts) => {
                let name = match &node.expr {
                    Expr::And(_) => "_&&_",
                    _ => "_||_",
                };
                for part in parts {
                    self.expect(part, &Type::Bool, name)?;
                }
                Type::Bool
            }
            Expr::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                self.expect(condition, &Type::Bool, "_?_:_")?;
                let (yes, no) = (self.of(yes)?, self.of(no)?);
                match yes == no {
                    true => yes,
                    false => Type::Dyn,
                }
            }
            Expr::Binary(operator, sides) => {
                let (left, right) = (self.of(&sides[0])?, self.of(&sides[1])?);
                binary(at, *operator, &left, &right)?
            }
        })
    }

    fn expect(&mut self, node: &'a Node, wanted: &Type, name: &str) -> Checked {
        let of = self.of(node)?;
        match of.may_be(wanted) {
            true => Ok(wanted.clone()),
            false => overload(node.at, name, &[&of]),
        }
    }

    fn with(&mut self, variable: &'a str, node: &'a Node) -> Checked {
        self.scope.push((variable, Type::Dyn));
        let of = self.of(node);
        self.scope.pop();
        of
    }

    fn fold(&mut self, at: usize, fold: &'a Fold) -> Checked {
        let range = self.of(&fold.range)?;
        if !matches!(range, Type::Dyn | Type::List | Type::Map | Type::Struct) {
            let told = format!("expression of type '{range}' cannot be range of a comprehension");
            return Err((
                fold.range.at,
                format!("{told} (must be list, map, or dynamic)"),
            ));
        }
        if let Some(filter) = &fold.filter {
            self.with(&fold.variable, filter)?;
        }
        let step = self.with(&fold.variable, &fold.step)?;
        if fold.kind == FoldKind::Map {
            return Ok(Type::List);
        }
        if !step.may_be(&Type::Bool) {
            return overload(at, "_&&_", &[&Type::Bool, &step]);
        }
        Ok(match fold.kind {
            FoldKind::Filter => Type::List,
            _ => Type::Bool,
        })
    }

    fn call(
        &mut self,
        at: usize,
        target: Option<&'a Node>,
        name: &'a str,
        args: &'a [Node],
    ) -> Checked {
        let space = match target.map(|target| &target.expr) {
            Some(Expr::Ident(space))
                if functions::is_space(space)
                    && !self.scope.iter().any(|(known, _)| known == space) =>
            {
                Some(space.as_str())
            }
            _ => None,
        };
        let is_known = match (space, target) {
            (Some(space), _) => SPACED.contains(&(space, name)),
            (None, Some(_)) => MEMBERS.contains(&name),
            (None, None) => GLOBAL.contains(&name),
        };
        let receiver = target.filter(|_| space.is_none());
        let mut types = Vec::new();
        for node in receiver.into_iter().chain(args) {
            types.push(self.of(node)?);
        }
        if !is_known {
            return undeclared(at, name);
        }
        Ok(result(space, name, &types))
    }
}

/// What a function returns.
fn result(space: Option<&str>, name: &str, types: &[Type]) -> Type {
    match (space, name) {
        (Some("base64"), "encode") | (Some("strings"), _) => Type::Text,
        (Some("base64"), _) => Type::Bytes,
        (Some("sets"), _) => Type::Bool,
        (Some("optional"), "unwrap") => Type::List,
        (Some("optional"), _) => Type::Optional,
        (_, "size" | "int" | "indexOf" | "lastIndexOf") => Type::Int,
        (_, "uint") => Type::Uint,
        (_, "double") => Type::Double,
        (_, "string" | "charAt" | "join" | "lowerAscii" | "upperAscii" | "replace") => Type::Text,
        (_, "substring" | "trim" | "format") => Type::Text,
        (_, "bytes") => Type::Bytes,
        (_, "bool" | "startsWith" | "endsWith" | "contains" | "matches" | "hasValue") => Type::Bool,
        (_, "duration") => Type::Span,
        (_, "timestamp") => Type::Time,
        (_, "type") => Type::Meta,
        (_, "split" | "unwrapOpt") => Type::List,
        (_, "first" | "last" | "or") => Type::Optional,
        (_, "reverse") => types.first().cloned().unwrap_or(Type::Dyn),
        (_, name) if name.starts_with("get") => Type::Int,
        _ => Type::Dyn,
    }
}

fn binary(at: usize, operator: Operator, left: &Type, right: &Type) -> Checked {
    let refused = || overload(at, operator.name(), &[left, right]);
    let is_dyn = *left == Type::Dyn || *right == Type::Dyn;
    let numbers = left.is_number() && right.is_number();
    match operator {
        Operator::Equal | Operator::NotEqual => {
            let with_null = *left == Type::Null || *right == Type::Null;
            match left.may_be(right) || numbers || with_null {
                true => Ok(Type::Bool),
                false => refused(),
            }
        }
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            let ordered = |one: &Type| {
                one.is_number()
                    || matches!(
                        one,
                        Type::Bool | Type::Text | Type::Bytes | Type::Time | Type::Span
                    )
            };
            match is_dyn || numbers || (left == right && ordered(left)) {
                true => Ok(Type::Bool),
                false => refused(),
            }
        }
        Operator::In => match right {
            Type::Dyn | Type::List | Type::Map | Type::Struct => Ok(Type::Bool),
            _ => refused(),
        },
        _ if is_dyn => Ok(Type::Dyn),
        _ => match (operator, left, right) {
            (Operator::Remainder, Type::Double, _) => refused(),
            (_, left, right) if left.is_number() && left == right => Ok(left.clone()),
            (Operator::Add, Type::Text | Type::Bytes | Type::List, _) if left == right => {
                Ok(left.clone())
            }
            (Operator::Add, Type::Time, Type::Span) | (Operator::Add, Type::Span, Type::Time) => {
                Ok(Type::Time)
            }
            (Operator::Subtract, Type::Time, Type::Span) => Ok(Type::Time),
            (Operator::Subtract, Type::Time, Type::Time) => Ok(Type::Span),
            (Operator::Add | Operator::Subtract, Type::Span, Type::Span) => Ok(Type::Span),
            _ => refused(),
        },
    }
}
