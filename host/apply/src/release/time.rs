//! A moment as Go writes it in JSON: RFC 3339 with up to nine digits of a second and the zone that it
//! was recorded in, so that what is read is written again byte for byte.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Go's zero time: what a field without a time has.
const ZERO_SECOND: i64 = -62_135_596_800;

/// A moment, and the offset of the zone in which it is written.
///
/// # Examples
/// ```
/// use bulkhead_apply::release::Time;
/// let time: Time = "2026-11-29T09:51:14.120+02:00".parse()?;
/// assert_eq!(time.to_string(), "2026-11-29T09:51:14.12+02:00");
/// assert!(Time::default().is_zero());
/// # Ok::<(), bulkhead_apply::release::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    at: Timestamp,
    offset_seconds: i32,
}

/// A text that is no time of RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time of RFC 3339")]
pub struct TimeError(String);

impl Time {
    /// Writes `at` in UTC.
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            offset_seconds: 0,
        }
    }

    /// Returns the moment.
    pub fn timestamp(self) -> Timestamp {
        self.at
    }

    /// Whether it is Go's zero time, which stands for none.
    pub fn is_zero(self) -> bool {
        self.at.as_second() == ZERO_SECOND && self.at.subsec_nanosecond() == 0
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::new(Timestamp::from_second(ZERO_SECOND).unwrap_or(Timestamp::MIN))
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self::new(at)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = Offset::from_seconds(self.offset_seconds).unwrap_or(Offset::UTC);
        let time = offset.to_datetime(self.at);
        write!(
            out,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
        )?;
        let nanoseconds = time.subsec_nanosecond();
        if nanoseconds != 0 {
            let digits = format!("{nanoseconds:09}");
            write!(out, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset_seconds == 0 {
            return out.write_char('Z');
        }
        let sign = if self.offset_seconds < 0 { '-' } else { '+' };
        let minutes = self.offset_seconds.abs() / 60;
        write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let failed = || TimeError(text.chars().take(100).collect());
        let at: Timestamp = text.parse().map_err(|_| failed())?;
        let zone = text.get(19..).unwrap_or_default();
        let zone = zone.trim_start_matches(|char: char| char == '.' || char.is_ascii_digit());
        let offset_seconds = match zone.as_bytes() {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), ..] => {
                let (hours, minutes) = zone[1..].split_once(':').ok_or_else(failed)?;
                let hours: i32 = hours.parse().map_err(|_| failed())?;
                let minutes: i32 = minutes.parse().map_err(|_| failed())?;
                let seconds = (hours * 60 + minutes) * 60;
                if *sign == b'-' { -seconds } else { seconds }
            }
            _ => return Err(failed()),
        };
        Ok(Self { at, offset_seconds })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    /// An empty text and `null` are no time, as Helm 3 wrote them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("") => Ok(Self::default()),
            Some(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_go_writes_them() {
        let cases = [
            ("2026-11-29T07:51:14Z", "2026-11-29T07:51:14Z"),
            ("2026-11-29T07:51:14.000000000Z", "2026-11-29T07:51:14Z"),
            (
                "2026-11-29T07:51:14.123456789+02:00",
                "2026-11-29T07:51:14.123456789+02:00",
            ),
            ("2026-11-29T07:51:14.5-11:30", "2026-11-29T07:51:14.5-11:30"),
            ("2026-11-29T07:51:14+00:00", "2026-11-29T07:51:14Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ];
        for (text, written) in cases {
            let time: Time = text.parse().expect(text);
            assert_eq!(time.to_string(), written);
        }
        for text in ["", "yesterday", "2026-11-29", "2026-11-29T07:51:14"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_time_reads_as_zero() {
        let read = |text: &str| serde_json::from_str::<Time>(text);
        assert!(read("\"\"").is_ok_and(Time::is_zero));
        assert!(read("null").is_ok_and(Time::is_zero));
        assert!(read("\"0001-01-01T00:00:00Z\"").is_ok_and(Time::is_zero));
        assert!(read("\"x\"").is_err());
    }
}
