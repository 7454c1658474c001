//! Times and durations.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::eval::{Fault, Result, no_overload, told};
use super::value::Value;
use crate::duration::unit_nanos;

/// Reads a duration as Go writes it: `1h30m`, `-1.5s`.
pub(super) fn span(text: &str) -> Result<SignedDuration> {
    let wrong = || {
        Fault::Told(format!(
            "invalid duration: {}",
            text.chars().take(64).collect::<String>()
        ))
    };
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() || text.len() > 64 {
        return Err(wrong());
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, behind) = behind.split_at(letters.unwrap_or(behind.len()));
        let scale = i128::from(unit_nanos(unit).ok_or_else(wrong)?);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| match text {
            "" => Some(0),
            text => text.parse::<i128>().ok(),
        };
        if whole.is_empty() && part.is_empty() {
            return Err(wrong());
        }
        nanos += digits(whole).ok_or_else(wrong)? * scale;
        let power = u32::try_from(part.len()).ok().filter(|power| *power <= 18);
        let power = 10_i128.pow(power.ok_or_else(wrong)?);
        nanos += digits(part).ok_or_else(wrong)? * scale / power;
        rest = behind;
    }
    let bound = i128::from(i64::MAX);
    match nanos <= bound {
        true => Ok(SignedDuration::from_nanos_i128(nanos * sign)),
        false => Err(wrong()),
    }
}

/// Reads a time by RFC 3339.
pub(super) fn time(text: &str) -> Result<Timestamp> {
    let wrong = || Fault::Told("invalid timestamp".to_owned());
    // A blank, or a zone's name behind, is no RFC 3339.
    let is_plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b"-:.+TZtz".contains(&b));
    match is_plain {
        true => text.parse().map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

pub(super) fn of_time<'v>(at: Timestamp, name: &str, rest: &[Value<'v>]) -> Result<Value<'v>> {
    let zone = match rest {
        [] => TimeZone::UTC,
        [Value::Text(zone)] => named(zone.as_str())?,
        _ => return no_overload(),
    };
    let at = at.to_zoned(zone);
    let value = match name {
        "getFullYear" => i64::from(at.year()),
        "getMonth" => i64::from(at.month()) - 1,
        "getDayOfYear" => i64::from(at.day_of_year()) - 1,
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDate" => i64::from(at.day()),
        "getDayOfWeek" => i64::from(at.weekday().to_sunday_zero_offset()),
        "getHours" => i64::from(at.hour()),
        "getMinutes" => i64::from(at.minute()),
        "getSeconds" => i64::from(at.second()),
        "getMilliseconds" => i64::from(at.millisecond()),
        _ => return no_overload(),
    };
    Ok(Value::Int(value))
}

/// Zones are given by their offset; names of zones would need a file of this machine.
fn named(name: &str) -> Result<TimeZone> {
    if matches!(name, "UTC" | "Z" | "") {
        return Ok(TimeZone::UTC);
    }
    let wrong = || {
        Fault::Told(format!(
            "unknown time zone {}: write its offset, as `+02:00`",
            name.chars().take(64).collect::<String>()
        ))
    };
    let (sign, rest) = match name.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, name.strip_prefix('+').unwrap_or(name)),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.len() <= 2);
    let hours = number(hours).filter(|hours| (0..24).contains(hours));
    let minutes = number(minutes).filter(|minutes| (0..60).contains(minutes));
    let (Some(hours), Some(minutes)) = (hours, minutes) else {
        return Err(wrong());
    };
    let seconds = sign * (hours * 3600 + minutes * 60);
    Ok(TimeZone::fixed(
        Offset::from_seconds(seconds).map_err(|_| wrong())?,
    ))
}

pub(super) fn of_span<'v>(span: SignedDuration, name: &str) -> Result<Value<'v>> {
    let value = match name {
        "getHours" => span.as_hours(),
        "getMinutes" => span.as_mins(),
        "getSeconds" => span.as_secs(),
        "getMilliseconds" => match i64::try_from(span.as_millis() % 1000) {
            Ok(value) => value,
            Err(_) => return told("integer overflow"),
        },
        _ => return no_overload(),
    };
    Ok(Value::Int(value))
}
