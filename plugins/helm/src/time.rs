//! Go's `time.Time` in UTC, with its layouts. Zones other than UTC are not known: they count as UTC.

use bulkhead_template::{IntType, Object, Param, Plain, Value};

/// Nanoseconds of a second.
pub(crate) const SECOND: i128 = 1_000_000_000;

/// A moment: nanoseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) nanoseconds: i128,
}

/// The zero `time.Time`: the first of January of year 1.
pub(crate) const ZERO: Time = Time {
    nanoseconds: -62_135_596_800 * SECOND,
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment by the calendar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) nanosecond: i64,
    pub(crate) weekday: usize,
    pub(crate) year_day: i64,
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl Time {
    /// A moment from seconds since 1970.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        Self {
            nanoseconds: i128::from(seconds) * SECOND,
        }
    }

    /// Seconds since 1970.
    pub(crate) fn unix(self) -> i64 {
        i64::try_from(self.nanoseconds.div_euclid(SECOND)).unwrap_or_default()
    }

    /// The same by the calendar.
    pub(crate) fn civil(self) -> Civil {
        let seconds = self.unix();
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 {
            month_index + 3
        } else {
            month_index - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month,
            day,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanosecond: self.nanoseconds.rem_euclid(SECOND) as i64,
            weekday: (days + 4).rem_euclid(7) as usize,
            year_day: days - days_from_civil(year, 1, 1) + 1,
        }
    }

    /// Writes by a layout of Go's.
    pub(crate) fn format(self, layout: &str) -> String {
        let civil = self.civil();
        let mut out = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let (before, chunk, after) = next_chunk(rest);
            out.push_str(before);
            if let Some(chunk) = chunk {
                write_chunk(&mut out, chunk, &civil);
            }
            rest = after;
        }
        out
    }
}

const CHUNKS: [&str; 36] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-070000",
    "-07:00",
    "-0700",
    "-07",
    "Z07:00:00",
    "Z070000",
    "Z07:00",
    "Z0700",
    "Z07",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "PM",
    "pm",
    "__2",
    "_2006",
    "_2",
    "1",
    "2",
    "3",
    "4",
    "5",
    ".0",
    ",0",
];

/// Splits a layout before and behind its first meaningful piece.
fn next_chunk(layout: &str) -> (&str, Option<&str>, &str) {
    for (at, c) in layout.char_indices() {
        let rest = &layout[at..];
        if matches!(c, '.' | ',') {
            if let Some(length) = fraction(rest) {
                return (&layout[..at], Some(&rest[..length]), &rest[length..]);
            }
            continue;
        }
        let Some(chunk) = CHUNKS.iter().find(|chunk| rest.starts_with(**chunk)) else {
            continue;
        };
        // "_2006" is "_" and the year; "Month" is not "Mon" and "th".
        let (skip, length) = match *chunk {
            "_2006" => (1, 4),
            "Jan" | "Mon" if rest[3..].starts_with(|c: char| c.is_ascii_lowercase()) => continue,
            chunk => (0, chunk.len()),
        };
        let start = at + skip;
        return (
            &layout[..start],
            Some(&layout[start..start + length]),
            &layout[start + length..],
        );
    }
    (layout, None, "")
}

/// The length of `.000` or `.999`, which no digit may follow.
fn fraction(text: &str) -> Option<usize> {
    let digit = text.chars().nth(1).filter(|c| matches!(c, '0' | '9'))?;
    let run = text[1..].chars().take_while(|c| *c == digit).count();
    let next = text[1 + run..].chars().next();
    (!next.is_some_and(|c| c.is_ascii_digit())).then_some(run + 1)
}

fn write_chunk(out: &mut String, chunk: &str, civil: &Civil) {
    let month = MONTHS[(civil.month - 1) as usize];
    let day = DAYS[civil.weekday];
    let hour12 = if civil.hour % 12 == 0 {
        12
    } else {
        civil.hour % 12
    };
    let text = match chunk {
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "Monday" => day.to_owned(),
        "Mon" => day[..3].to_owned(),
        "MST" => "UTC".to_owned(),
        "2006" => format!("{:04}", civil.year),
        "06" => format!("{:02}", civil.year.rem_euclid(100)),
        "01" => format!("{:02}", civil.month),
        "1" => civil.month.to_string(),
        "02" => format!("{:02}", civil.day),
        "_2" => format!("{:2}", civil.day),
        "2" => civil.day.to_string(),
        "002" => format!("{:03}", civil.year_day),
        "__2" => format!("{:3}", civil.year_day),
        "15" => format!("{:02}", civil.hour),
        "03" => format!("{hour12:02}"),
        "3" => hour12.to_string(),
        "04" => format!("{:02}", civil.minute),
        "4" => civil.minute.to_string(),
        "05" => format!("{:02}", civil.second),
        "5" => civil.second.to_string(),
        "PM" => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        "pm" => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        chunk if chunk.starts_with('Z') => "Z".to_owned(),
        "-07:00:00" => "+00:00:00".to_owned(),
        "-070000" => "+000000".to_owned(),
        "-07:00" => "+00:00".to_owned(),
        "-0700" => "+0000".to_owned(),
        "-07" => "+00".to_owned(),
        chunk => {
            let digits = format!("{:09}", civil.nanosecond);
            let digits = &digits[..(chunk.len() - 1).min(9)];
            if chunk.ends_with('9') {
                let digits = digits.trim_end_matches('0');
                if digits.is_empty() {
                    String::new()
                } else {
                    format!("{}{digits}", &chunk[..1])
                }
            } else {
                format!("{}{digits}", &chunk[..1])
            }
        }
    };
    out.push_str(&text);
}

/// Reads a text by a layout of Go's; the error is Go's.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    use bulkhead_template::quote::quote;
    let whole = text;
    let mut date = Parsed {
        year: 0,
        month: 1,
        day: 1,
        ..Parsed::default()
    };
    let (mut layout_rest, mut rest) = (layout, text);
    let fail = |rest: &str, chunk: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(whole),
            quote(layout),
            quote(rest),
            quote(chunk)
        )
    };
    loop {
        let (before, chunk, after) = next_chunk(layout_rest);
        rest = rest
            .strip_prefix(before)
            .ok_or_else(|| fail(rest, before))?;
        let Some(chunk) = chunk else {
            break;
        };
        rest = date.read(chunk, rest).ok_or_else(|| fail(rest, chunk))?;
        layout_rest = after;
    }
    if !rest.is_empty() {
        return Err(format!(
            "parsing time {}: extra text: {}",
            quote(whole),
            quote(rest)
        ));
    }
    date.finish()
        .ok_or_else(|| format!("parsing time {}: day out of range", quote(whole)))
}

#[derive(Default)]
struct Parsed {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    offset: i64,
    is_pm: bool,
    is_am: bool,
}

/// Takes a number of `least` to `most` digits.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn name<'t>(names: &[&str], text: &'t str, short: bool) -> Option<(i64, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { &name[..3] } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name)
            .then(|| (index as i64 + 1, &text[name.len()..]))
    })
}

impl Parsed {
    fn read<'t>(&mut self, chunk: &str, text: &'t str) -> Option<&'t str> {
        let (value, rest) = match chunk {
            "January" => name(&MONTHS, text, false)?,
            "Jan" => name(&MONTHS, text, true)?,
            "Monday" => return Some(name(&DAYS, text, false)?.1),
            "Mon" => return Some(name(&DAYS, text, true)?.1),
            "2006" => digits(text, 4, 4)?,
            "_2" => digits(text.trim_start_matches(' '), 1, 2)?,
            "01" | "02" | "03" | "04" | "05" | "06" => digits(text, 2, 2)?,
            "15" | "1" | "2" | "3" | "4" | "5" => digits(text, 1, 2)?,
            "PM" | "pm" => {
                let head = text.get(..2)?;
                self.is_pm = head.eq_ignore_ascii_case("pm");
                self.is_am = head.eq_ignore_ascii_case("am");
                return (self.is_pm || self.is_am).then(|| &text[2..]);
            }
            "MST" => {
                let end = text.bytes().take_while(u8::is_ascii_uppercase).count();
                return (end >= 3).then(|| &text[end..]);
            }
            chunk if chunk.starts_with('Z') && text.starts_with('Z') => return Some(&text[1..]),
            chunk if chunk.starts_with(['Z', '-']) => return self.read_zone(chunk, text),
            chunk => {
                let tail = text.strip_prefix(['.', ',']);
                let Some(tail) = tail else {
                    return chunk.ends_with('9').then_some(text);
                };
                let count = tail.bytes().take_while(u8::is_ascii_digit).count();
                let padded = format!("{:0<9}", &tail[..count.min(9)]);
                self.nanosecond = padded.parse().ok()?;
                return Some(&tail[count..]);
            }
        };
        let (slot, range) = match chunk {
            "2006" => (&mut self.year, 0..=9_999),
            "06" => {
                self.year = if value >= 69 {
                    1900 + value
                } else {
                    2000 + value
                };
                return Some(rest);
            }
            "January" | "Jan" | "01" | "1" => (&mut self.month, 1..=12),
            "02" | "_2" | "2" => (&mut self.day, 1..=31),
            "15" => (&mut self.hour, 0..=23),
            "03" | "3" => (&mut self.hour, 0..=12),
            "04" | "4" => (&mut self.minute, 0..=59),
            _ => (&mut self.second, 0..=59),
        };
        if !range.contains(&value) {
            return None;
        }
        *slot = value;
        // Seconds may have a fraction that the layout does not name.
        if matches!(chunk, "05" | "5")
            && let Some(tail) = rest.strip_prefix(['.', ','])
        {
            let count = tail.bytes().take_while(u8::is_ascii_digit).count();
            if count > 0 {
                self.nanosecond = format!("{:0<9}", &tail[..count.min(9)]).parse().ok()?;
                return Some(&tail[count..]);
            }
        }
        Some(rest)
    }

    fn read_zone<'t>(&mut self, chunk: &str, text: &'t str) -> Option<&'t str> {
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let colon = chunk.contains(':');
        let (hours, mut rest) = digits(&text[1..], 2, 2)?;
        let mut minutes = 0;
        if chunk.len() > 3 {
            if colon {
                rest = rest.strip_prefix(':')?;
            }
            (minutes, rest) = digits(rest, 2, 2)?;
        }
        self.offset = sign * (hours * 3_600 + minutes * 60);
        Some(rest)
    }

    fn finish(mut self) -> Option<Time> {
        if self.is_pm && self.hour < 12 {
            self.hour += 12;
        } else if self.is_am && self.hour == 12 {
            self.hour = 0;
        }
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let last = match self.month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if self.day > last {
            return None;
        }
        let days = days_from_civil(self.year, self.month, self.day);
        let seconds =
            days * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second - self.offset;
        Some(Time {
            nanoseconds: i128::from(seconds) * SECOND + i128::from(self.nanosecond),
        })
    }
}

impl Object for Time {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        Some(match name {
            "Format" => &[Param::String],
            "Unix" | "UnixMilli" | "UnixNano" | "Year" | "Month" | "Day" | "Hour" | "Minute"
            | "Second" | "YearDay" | "Weekday" | "UTC" | "Local" | "String" | "IsZero" => &[],
            _ => return None,
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let civil = self.civil();
        let long = |number: i128| Value::Int(number as i64, IntType::Int64);
        Ok(match name {
            "Format" => self
                .format(
                    arguments
                        .first()
                        .and_then(Value::as_str)
                        .unwrap_or_default(),
                )
                .into(),
            "Unix" => long(i128::from(self.unix())),
            "UnixMilli" => long(self.nanoseconds.div_euclid(1_000_000)),
            "UnixNano" => long(self.nanoseconds),
            "Year" => Value::int(civil.year),
            "Month" => MONTHS[(civil.month - 1) as usize].into(),
            "Day" => Value::int(civil.day),
            "Hour" => Value::int(civil.hour),
            "Minute" => Value::int(civil.minute),
            "Second" => Value::int(civil.second),
            "YearDay" => Value::int(civil.year_day),
            "Weekday" => DAYS[civil.weekday].into(),
            "IsZero" => (*self == ZERO).into(),
            "String" => self.print().into(),
            _ => Value::Object(std::rc::Rc::new(*self)),
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn print(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn plain(&self) -> Plain {
        Plain::Value(self.format("2006-01-02T15:04:05.999999999Z07:00").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_write_and_read_as_in_go() {
        let time = Time {
            nanoseconds: 1_700_000_000 * SECOND + 123_000_000,
        };
        for (layout, text) in [
            ("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z"),
            ("Mon Jan _2 15:04:05 2006", "Tue Nov 14 22:13:20 2023"),
            ("02 Jan 06 3:04PM -0700 MST", "14 Nov 23 10:13PM +0000 UTC"),
            (".000 .999 002", ".123 .123 318"),
            ("January Monday Month", "November Tuesday Month"),
            ("20060102", "20231114"),
        ] {
            assert_eq!(time.format(layout), text, "{layout}");
        }
        let read = |layout, text| parse(layout, text).map(Time::unix);
        assert_eq!(read("2006-01-02", "2023-11-14"), Ok(1_699_920_000));
        assert_eq!(
            read("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20+02:00"),
            Ok(1_699_992_800)
        );
        assert!(read("2006-01-02", "2023-02-30").is_err());
        assert_eq!(ZERO.format("2006-01-02"), "0001-01-01");
    }
}
