//! Sprig's dates, and Helm's durations. `now` is the time that the caller gives.

use std::rc::Rc;

use bulkhead_template::{
    Function, IntType, Param, Run, Value, duration, fixed, number, quote::quote,
};

use super::{Answer, context, text_of};
use crate::time::{self, Place, SECOND, Time};

const S: Param = Param::String;
const A: Param = Param::Any;
const T: Param = Param::Object("time.Time");

pub(super) const TABLE: &[(&str, Function)] = &[
    ("now", fixed(&[], |run, _| Ok(object(now(run)?)))),
    ("ago", fixed(&[A], ago)),
    (
        "date",
        fixed(&[S, A], |run, a| shown(run, text_of(&a[0]), &a[1], "Local")),
    ),
    (
        "dateInZone",
        fixed(&[S, A, S], |run, a| {
            shown(run, text_of(&a[0]), &a[1], text_of(&a[2]))
        }),
    ),
    (
        "date_in_zone",
        fixed(&[S, A, S], |run, a| {
            shown(run, text_of(&a[0]), &a[1], text_of(&a[2]))
        }),
    ),
    (
        "htmlDate",
        fixed(&[A], |run, a| shown(run, "2006-01-02", &a[0], "Local")),
    ),
    (
        "htmlDateInZone",
        fixed(&[A, S], |run, a| {
            shown(run, "2006-01-02", &a[0], text_of(&a[1]))
        }),
    ),
    (
        "dateModify",
        fixed(&[S, T], |_, a| {
            Ok(modified(a).unwrap_or_else(|_| a[1].clone()))
        }),
    ),
    (
        "date_modify",
        fixed(&[S, T], |_, a| {
            Ok(modified(a).unwrap_or_else(|_| a[1].clone()))
        }),
    ),
    ("mustDateModify", fixed(&[S, T], |_, a| Ok(modified(a)?))),
    ("must_date_modify", fixed(&[S, T], |_, a| Ok(modified(a)?))),
    (
        "toDate",
        fixed(&[S, S], |_, a| {
            Ok(object(
                time::parse(text_of(&a[0]), text_of(&a[1])).unwrap_or_else(|_| Time::zero()),
            ))
        }),
    ),
    (
        "mustToDate",
        fixed(&[S, S], |_, a| {
            Ok(object(time::parse(text_of(&a[0]), text_of(&a[1]))?))
        }),
    ),
    (
        "unixEpoch",
        fixed(&[T], |_, a| {
            Ok(Time::of(&a[0]).map_or(0, Time::unix).to_string().into())
        }),
    ),
    (
        "duration",
        fixed(&[A], |_, a| {
            let seconds = match &a[0] {
                Value::String(text) => whole_seconds(text),
                Value::Int(seconds, IntType::Int64) => *seconds,
                _ => 0,
            };
            Ok(duration::print(seconds.wrapping_mul(SECOND as i64)).into())
        }),
    ),
    ("durationRound", fixed(&[A], duration_round)),
    (
        "mustToDuration",
        fixed(&[A], |_, a| Ok(duration_value(as_duration(&a[0])?))),
    ),
    (
        "durationSeconds",
        fixed(&[A], |_, a| Ok(Value::Float(seconds(&a[0])))),
    ),
    (
        "durationMilliseconds",
        fixed(&[A], |_, a| Ok(whole(&a[0], 1_000_000))),
    ),
    (
        "durationMicroseconds",
        fixed(&[A], |_, a| Ok(whole(&a[0], 1_000))),
    ),
    (
        "durationNanoseconds",
        fixed(&[A], |_, a| Ok(whole(&a[0], 1))),
    ),
    (
        "durationMinutes",
        fixed(&[A], |_, a| Ok(Value::Float(in_unit(&a[0], 60)))),
    ),
    (
        "durationHours",
        fixed(&[A], |_, a| Ok(Value::Float(in_unit(&a[0], 3_600)))),
    ),
    (
        "durationDays",
        fixed(&[A], |_, a| Ok(Value::Float(in_unit(&a[0], 3_600) / 24.0))),
    ),
    (
        "durationWeeks",
        fixed(&[A], |_, a| {
            Ok(Value::Float(in_unit(&a[0], 3_600) / 24.0 / 7.0))
        }),
    ),
    (
        "durationRoundTo",
        fixed(&[A, A], |_, a| Ok(to_multiple(a, round))),
    ),
    (
        "durationTruncateTo",
        fixed(&[A, A], |_, a| Ok(to_multiple(a, truncate))),
    ),
];

/// `strconv.ParseInt` with its error swallowed: what is too large becomes the largest.
fn whole_seconds(text: &str) -> i64 {
    super::math::atoi(text)
}

fn object(time: Time) -> Value {
    Value::Object(Rc::new(time))
}

fn now(run: &Run<'_>) -> Result<Time, bulkhead_template::Error> {
    Ok(Time::new(context(run)?.now).in_place(Place::Local))
}

/// Writes a moment as clocks show it somewhere.
fn shown(run: &Run<'_>, layout: &str, value: &Value, zone: &str) -> Answer {
    let time = moment(run, value)?.in_place(Place::load(zone));
    Ok(time.format(layout).into())
}

/// What Sprig takes for a moment; anything else is now.
fn moment(run: &Run<'_>, value: &Value) -> Result<Time, bulkhead_template::Error> {
    match value {
        Value::Int(seconds, IntType::Int | IntType::Int64 | IntType::Int32) => {
            Ok(Time::from_unix(*seconds))
        }
        value => match Time::of(value) {
            Some(time) => Ok(time.clone()),
            None => now(run),
        },
    }
}

fn ago(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let since = now(run)?.nanoseconds - moment(run, &args[0])?.nanoseconds;
    let since = i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX });
    Ok(duration::print(round(since, SECOND as i64)).into())
}

fn modified(args: &[Value]) -> Result<Value, String> {
    let by = parse(text_of(&args[0]))?;
    let time = Time::of(&args[1]).cloned().unwrap_or_else(Time::zero);
    Ok(object(time.plus(i128::from(by))))
}

fn duration_round(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let length = match &args[0] {
        Value::String(text) => parse(text).unwrap_or(0),
        Value::Int(length, IntType::Int64) => *length,
        value => match Time::of(value) {
            Some(time) => {
                i64::try_from(now(run)?.nanoseconds - time.nanoseconds).unwrap_or(i64::MAX)
            }
            None => 0,
        },
    };
    let length = length.unsigned_abs();
    let second = SECOND as u64;
    let units = [
        (31_536_000, "y"),
        (2_592_000, "mo"),
        (86_400, "d"),
        (3_600, "h"),
        (60, "m"),
        (1, "s"),
    ];
    for (unit, name) in units {
        if length > unit * second {
            return Ok(format!("{}{name}", length / (unit * second)).into());
        }
    }
    Ok("0s".into())
}

pub(super) fn duration_value(length: i64) -> Value {
    Value::Int(length, IntType::Named("time.Duration", true))
}

/// `time.ParseDuration`.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", time::quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let (amount, after) = rest.split_at(end);
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (name, next) = after.split_at(end);
        let unit: u64 = match name {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => {
                return Err(format!(
                    "time: missing unit in duration {}",
                    time::quote(text)
                ));
            }
            other => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    time::quote(other),
                    time::quote(text)
                ));
            }
        };
        let whole: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        let mut part = whole.checked_mul(unit).ok_or_else(invalid)?;
        if !fraction.is_empty() {
            let digits = &fraction[..fraction.len().min(18)];
            let value: u64 = digits.parse().map_err(|_| invalid())?;
            part += (value as f64 * (unit as f64 / 10f64.powi(digits.len() as i32))) as u64;
        }
        total = total
            .checked_add(part)
            .filter(|total| *total <= 1 << 63)
            .ok_or_else(invalid)?;
        rest = next;
    }
    if negative {
        return Ok((total as i64).wrapping_neg());
    }
    i64::try_from(total).map_err(|_| invalid())
}

fn as_duration(value: &Value) -> Result<i64, String> {
    let from_float = |seconds: f64| {
        let bound = i64::MAX as f64 / 1e9;
        if !seconds.is_finite() {
            return Err(format!("invalid duration seconds: {}", text_float(seconds)));
        }
        if seconds.abs() > bound {
            return Err(format!(
                "duration seconds overflow: {}",
                text_float(seconds)
            ));
        }
        Ok((seconds * 1e9) as i64)
    };
    match value {
        Value::Int(length, IntType::Named("time.Duration", _)) => Ok(*length),
        Value::String(text) => {
            let trimmed = text.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            if let Ok(length) = parse(trimmed) {
                return Ok(length);
            }
            match number::parse_float(trimmed) {
                Some(seconds) => from_float(seconds),
                None => Err(format!("could not parse duration {}", quote(text))),
            }
        }
        Value::Invalid | Value::Nil => Err("invalid duration".to_owned()),
        Value::Int(seconds, kind) => seconds
            .checked_mul(SECOND as i64)
            .filter(|_| kind.is_signed() || *seconds >= 0)
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Float(seconds) => from_float(*seconds),
        other => Err(format!("unsupported duration type {}", other.type_name())),
    }
}

fn text_float(number: f64) -> String {
    bulkhead_template::format::float(number, 'g', None)
}

fn seconds(value: &Value) -> f64 {
    in_unit(value, 1)
}

/// As Go's Seconds, Minutes and Hours count: whole units, then the rest.
pub(super) fn in_unit(value: &Value, unit_seconds: i64) -> f64 {
    let unit = unit_seconds * SECOND as i64;
    let length = as_duration(value).unwrap_or(0);
    (length / unit) as f64 + (length % unit) as f64 / unit as f64
}

fn whole(value: &Value, unit: i64) -> Value {
    Value::Int(as_duration(value).unwrap_or(0) / unit, IntType::Int64)
}

/// `Duration.Truncate`.
pub(super) fn truncate(length: i64, unit: i64) -> i64 {
    if unit <= 0 {
        length
    } else {
        length - length % unit
    }
}

/// `Duration.Round`: halves go away from zero.
pub(super) fn round(length: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return length;
    }
    let rest = length % unit;
    let half = rest.unsigned_abs() * 2 >= unit.unsigned_abs();
    let down = length - rest;
    match (half, length < 0) {
        (false, _) => down,
        (true, true) => down.checked_sub(unit).unwrap_or(i64::MIN),
        (true, false) => down.checked_add(unit).unwrap_or(i64::MAX),
    }
}

fn to_multiple(args: &[Value], change: fn(i64, i64) -> i64) -> Value {
    let Ok(length) = as_duration(&args[0]) else {
        return duration_value(0);
    };
    match as_duration(&args[1]) {
        Ok(unit) => duration_value(change(length, unit)),
        Err(_) => duration_value(length),
    }
}
