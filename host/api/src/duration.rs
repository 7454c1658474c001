//! Durations as Go writes them, and as every `interval` and `timeout` of Flux holds them: `1m0s`.
//!
//! A text that is no duration, or one too long for Go's 64-bit nanoseconds, is kept as data: the
//! object is still read, and its reconciler can say which field is wrong.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration of a spec or status, with its text as it was written.
///
/// Range: 0 to 9,223,372,036,854,775,807 ns (292 years).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoDuration {
    text: String,
    value: Result<Duration, DurationError>,
}

/// Says why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not a sequence of numbers with units.
    #[error(
        "duration `{0}` is not numbers with units `ns`, `us`, `ms`, `s`, `m` or `h`, as in `1m30s`"
    )]
    Syntax(String),
    /// It does not fit into 64 bits of nanoseconds.
    #[error("duration `{0}` is longer than 2562047h47m16s")]
    TooLong(String),
    /// It is below zero.
    #[error("duration `{0}` is negative")]
    Negative(String),
}

impl GoDuration {
    /// Longest duration, in nanoseconds.
    pub const MAX_NANOS: u64 = i64::MAX as u64;

    /// Reads `text`; what is wrong with it is told by [`get`](Self::get).
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let value = parse(&text);
        Self { text, value }
    }

    /// Returns the duration.
    ///
    /// # Errors
    /// [`DurationError`] of the text that was read.
    pub fn get(&self) -> Result<Duration, DurationError> {
        self.value.clone()
    }

    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<Duration> for GoDuration {
    fn from(value: Duration) -> Self {
        Self {
            text: go_text(value),
            value: Ok(value),
        }
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Writes a duration as Go's `Duration.String` does: `1m0s`, `1.5s`, `250ms`, `0s`.
pub fn go_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

fn decimal(nanos: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let fraction = format!("{:0digits$}", nanos % unit);
    let fraction = fraction.trim_end_matches('0');
    match fraction {
        "" => format!("{}", nanos / unit),
        fraction => format!("{}.{fraction}", nanos / unit),
    }
}

/// Parses as Go's `time.ParseDuration` does, to the nanosecond.
fn parse(text: &str) -> Result<Duration, DurationError> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(DurationError::Syntax(text.to_owned()));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanos, after) = term(rest).map_err(|wrong| wrong.of(text))?;
        total = total
            .checked_add(nanos)
            .ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
        rest = after;
    }
    match total {
        0 => Ok(Duration::ZERO),
        _ if negative => Err(DurationError::Negative(text.to_owned())),
        total if total > GoDuration::MAX_NANOS => Err(DurationError::TooLong(text.to_owned())),
        total => Ok(Duration::from_nanos(total)),
    }
}

enum Wrong {
    Syntax,
    TooLong,
}

impl Wrong {
    fn of(&self, text: &str) -> DurationError {
        match self {
            Self::Syntax => DurationError::Syntax(text.to_owned()),
            Self::TooLong => DurationError::TooLong(text.to_owned()),
        }
    }
}

/// Takes one number with its unit off the front: nanoseconds, and what follows.
fn term(text: &str) -> Result<(u64, &str), Wrong> {
    let whole_end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (whole, rest) = text.split_at(whole_end);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(
            rest.find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len()),
        ),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Wrong::Syntax);
    }
    let unit_end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let unit = unit_nanos(unit).ok_or(Wrong::Syntax)?;
    let whole = match whole {
        "" => 0,
        whole => whole.parse::<u64>().map_err(|_| Wrong::TooLong)?,
    };
    let nanos = whole.checked_mul(unit).ok_or(Wrong::TooLong)?;
    let nanos = nanos
        .checked_add(fraction_nanos(fraction, unit))
        .ok_or(Wrong::TooLong)?;
    Ok((nanos, rest))
}

/// Nanoseconds of one unit of Go's durations.
pub(crate) fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Computes the part behind the point in binary floating point, as Go does, so that both round alike.
fn fraction_nanos(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0_f64;
    for digit in digits.bytes() {
        let next = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit - b'0')));
        match next {
            Some(next) if i64::try_from(next).is_ok() => value = next,
            _ => break,
        }
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Result<u128, DurationError> {
        GoDuration::new(text)
            .get()
            .map(|duration| duration.as_nanos())
    }

    #[test]
    fn texts_of_go_are_read() {
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("1m0s", 60_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("250ms", 250_000_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("12us3ns", 12_003),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("2562047h47m16.854775807s", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(nanos(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_kept_with_the_error() {
        for text in [
            "", "+", "3", "s", ".s", "1x", "1 s", "1m 0s", "1d", "five", "1s-1s", "\u{661}s",
        ] {
            assert_eq!(
                nanos(text),
                Err(DurationError::Syntax(text.to_owned())),
                "{text}"
            );
            assert_eq!(GoDuration::new(text).as_str(), text);
        }
        assert_eq!(nanos("-1s"), Err(DurationError::Negative("-1s".to_owned())));
    }

    #[test]
    fn the_longest_and_one_past_it() {
        assert_eq!(
            nanos("9223372036854775807ns"),
            Ok(9_223_372_036_854_775_807)
        );
        for text in [
            "9223372036854775808ns",
            "2562047h47m16.854775808s",
            "99999999999h",
            "999999999999999999999999h",
            "9223372036s9223372036s",
        ] {
            assert_eq!(
                nanos(text),
                Err(DurationError::TooLong(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_are_written_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (60_000_000_000, "1m0s"),
            (245_000_000_000, "4m5s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (9_223_372_036_854_775_807, "2562047h47m16.854775807s"),
        ] {
            assert_eq!(go_text(Duration::from_nanos(nanos)), text);
            assert_eq!(
                GoDuration::new(text).get(),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn json_keeps_the_text() -> Result<(), serde_json::Error> {
        for text in ["1m", "60s", "99999999999h"] {
            let json = format!("\"{text}\"");
            let duration: GoDuration = serde_json::from_str(&json)?;
            assert_eq!(serde_json::to_string(&duration)?, json);
        }
        Ok(())
    }
}
