//! The order of keys when a mapping without order is written: go-yaml's `keyList`, which puts
//! `a2` before `a10`. It is no total order for every set of keys, so the sort here takes any.

use std::cmp::Ordering;

use crate::Dialect;
use crate::value::Value;

/// Sorts entries by key, stably, whatever the order says.
pub(crate) fn sort<T>(entries: &mut Vec<T>, key: impl Fn(&T) -> &Value + Copy, dialect: Dialect) {
    let in_order =
        |left: &T, right: &T| compare(key(left), key(right), dialect) != Ordering::Greater;
    if entries.windows(2).all(|pair| in_order(&pair[0], &pair[1])) {
        return;
    }
    let mut right = entries.split_off(entries.len() / 2);
    sort(entries, key, dialect);
    sort(&mut right, key, dialect);
    let left = std::mem::take(entries);
    entries.reserve(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let next = if in_order(first, second) {
            left.next()
        } else {
            right.next()
        };
        entries.extend(next);
    }
    entries.extend(left);
    entries.extend(right);
}

/// Which of two keys comes first.
fn compare(left: &Value, right: &Value, dialect: Dialect) -> Ordering {
    if let (Some(first), Some(second)) = (number(left), number(right)) {
        let by_number = first.partial_cmp(&second).unwrap_or(Ordering::Equal);
        return by_number
            .then_with(|| rank(left).cmp(&rank(right)))
            .then_with(|| exact(left, right));
    }
    match (left, right) {
        (Value::String(left), Value::String(right)) => text(left, right, dialect),
        (Value::Binary(_) | Value::String(_), Value::Binary(_) | Value::String(_)) => {
            let plain = |value: &Value| value.json_key().unwrap_or_default();
            text(&plain(left), &plain(right), dialect)
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

/// Go's `reflect.Kind`.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Uint(_) => 11,
        Value::Float(_) => 14,
        Value::Null => 20,
        Value::Mapping(_) | Value::Struct(_) => 21,
        Value::Sequence(_) => 23,
        Value::String(_) | Value::Binary(_) => 24,
        Value::Timestamp(_) => 25,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// Tells whole numbers apart that are the same as floats.
fn exact(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Uint(left), Value::Uint(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}

fn is_digit(found: char) -> bool {
    found.is_ascii_digit() || !found.is_ascii() && found.is_numeric() && !found.is_alphabetic()
}

fn text(left: &str, right: &str, dialect: Dialect) -> Ordering {
    // Where the first difference is, and whether a digit stands before it.
    let same = left
        .chars()
        .zip(right.chars())
        .take_while(|pair| pair.0 == pair.1);
    let (length, last) = same.fold((0, None), |(length, _), pair| {
        (length + pair.0.len_utf8(), Some(pair.0))
    });
    let (before, after_left, after_right) = (&left[..length], &left[length..], &right[length..]);
    let (Some(first), Some(second)) = (after_left.chars().next(), after_right.chars().next())
    else {
        return left.chars().count().cmp(&right.chars().count());
    };
    let digits = dialect == Dialect::V3 && last.is_some_and(is_digit);
    match (first.is_alphabetic(), second.is_alphabetic()) {
        (true, true) => return first.cmp(&second),
        // Letters come after all else, but before what follows a digit.
        (true, false) => {
            return if digits {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        (false, true) => {
            return if digits {
                Ordering::Greater
            } else {
                Ordering::Less
            };
        }
        (false, false) => {}
    }
    let mut start = 0;
    if first == '0' || second == '0' {
        let mut digits = before.chars().rev().take_while(|found| is_digit(*found));
        start = i64::from(digits.any(|digit| digit != '0'));
    }
    let (left_count, left_number) = leading_number(after_left, start);
    let (right_count, right_number) = leading_number(after_right, start);
    left_number
        .cmp(&right_number)
        .then(left_count.cmp(&right_count))
        .then(first.cmp(&second))
}

/// How many digits `text` starts with, and the number they make behind `start`; it wraps as in Go.
fn leading_number(text: &str, start: i64) -> (usize, i64) {
    text.chars()
        .take_while(|found| is_digit(*found))
        .fold((0, start), |(count, number), digit| {
            let value = i64::from(u32::from(digit)) - i64::from(b'0');
            (count + 1, number.wrapping_mul(10).wrapping_add(value))
        })
}
