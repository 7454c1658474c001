//! Arithmetic, comparison, membership. Numbers never wrap around.

use std::cmp::Ordering;

use jiff::SignedDuration;

use super::ast::Operator;
use super::eval::{Fault, Result, no_overload, told};
use super::value::Value;

pub(super) fn negate(value: Value<'_>) -> Result<Value<'_>> {
    match value {
        Value::Int(value) => whole(value.checked_neg().map(Value::Int)),
        Value::Double(value) => Ok(Value::Double(-value)),
        _ => no_overload(),
    }
}

pub(super) fn binary<'v>(
    operator: Operator,
    left: &Value<'v>,
    right: &Value<'v>,
) -> Result<Value<'v>> {
    let compared = |is_it: fn(Ordering) -> bool| match left.order(right) {
        Some(order) => Ok(Value::Bool(is_it(order))),
        // What is no number is not less, nor greater.
        None if is_nan(left) || is_nan(right) => Ok(Value::Bool(false)),
        None => no_overload(),
    };
    match operator {
        Operator::Equal => Ok(Value::Bool(left.equals(right))),
        Operator::NotEqual => Ok(Value::Bool(!left.equals(right))),
        Operator::Less => compared(Ordering::is_lt),
        Operator::LessEqual => compared(Ordering::is_le),
        Operator::Greater => compared(Ordering::is_gt),
        Operator::GreaterEqual => compared(Ordering::is_ge),
        Operator::In => match right {
            Value::List(items) => Ok(Value::Bool(items.iter().any(|item| item.equals(left)))),
            Value::Map(entries) => Ok(Value::Bool(entries.get(left).is_some())),
            _ => no_overload(),
        },
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply => match (left, right) {
            (Value::Int(a), Value::Int(b)) => whole(a.checked_mul(*b).map(Value::Int)),
            (Value::Uint(a), Value::Uint(b)) => whole(a.checked_mul(*b).map(Value::Uint)),
            (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
            _ => no_overload(),
        },
        Operator::Divide => match (left, right) {
            (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
                told("division by zero")
            }
            (Value::Int(a), Value::Int(b)) => whole(a.checked_div(*b).map(Value::Int)),
            (Value::Uint(a), Value::Uint(b)) => whole(a.checked_div(*b).map(Value::Uint)),
            (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
            _ => no_overload(),
        },
        Operator::Remainder => match (left, right) {
            (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
                told("modulus by zero")
            }
            (Value::Int(a), Value::Int(b)) => whole(a.checked_rem(*b).map(Value::Int)),
            (Value::Uint(a), Value::Uint(b)) => whole(a.checked_rem(*b).map(Value::Uint)),
            _ => no_overload(),
        },
    }
}

fn is_nan(value: &Value<'_>) -> bool {
    matches!(value, Value::Double(value) if value.is_nan())
}

fn whole(value: Option<Value<'_>>) -> Result<Value<'_>> {
    value.ok_or_else(|| Fault::Told("integer overflow".to_owned()))
}

fn add<'v>(left: &Value<'v>, right: &Value<'v>) -> Result<Value<'v>> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(a.checked_add(*b).map(Value::Int)),
        (Value::Uint(a), Value::Uint(b)) => whole(a.checked_add(*b).map(Value::Uint)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Text(a), Value::Text(b)) => {
            Ok(Value::text(format!("{}{}", a.as_str(), b.as_str())))
        }
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([&**a, &**b].concat().into())),
        (Value::List(a), Value::List(b)) => Ok(Value::list(a.iter().chain(b.iter()).collect())),
        (Value::Time(time), Value::Span(span)) | (Value::Span(span), Value::Time(time)) => {
            in_range(time.checked_add(*span).ok().map(Value::Time))
        }
        (Value::Span(a), Value::Span(b)) => in_range(a.checked_add(*b).map(Value::Span)),
        _ => no_overload(),
    }
}

fn subtract<'v>(left: &Value<'v>, right: &Value<'v>) -> Result<Value<'v>> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(a.checked_sub(*b).map(Value::Int)),
        (Value::Uint(a), Value::Uint(b)) => whole(a.checked_sub(*b).map(Value::Uint)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Time(time), Value::Span(span)) => {
            in_range(time.checked_sub(*span).ok().map(Value::Time))
        }
        (Value::Time(a), Value::Time(b)) => Ok(Value::Span(SignedDuration::from_nanos_i128(
            a.as_nanosecond() - b.as_nanosecond(),
        ))),
        (Value::Span(a), Value::Span(b)) => in_range(a.checked_sub(*b).map(Value::Span)),
        _ => no_overload(),
    }
}

fn in_range(value: Option<Value<'_>>) -> Result<Value<'_>> {
    value.ok_or_else(|| Fault::Told("timestamp or duration out of range".to_owned()))
}
