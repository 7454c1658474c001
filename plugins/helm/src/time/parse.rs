//! Reading a time by a layout, as Go's `time.ParseInLocation` does for the local zone.

use bulkhead_template::bytes;

use super::layout::next_chunk;
use super::{DAYS, MONTHS, Place, SECOND, Time, days_from_civil};

/// Reads a text by a layout of Go's; the error is Go's.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let whole = text;
    let failed = |what: String| format!("parsing time {}{what}", quote(whole));
    let cannot = |rest: &str, chunk: &str| {
        failed(format!(
            " as {}: cannot parse {} as {}",
            quote(layout),
            quote(rest),
            quote(chunk)
        ))
    };
    let mut date = Parsed::default();
    let (mut layout_rest, mut rest) = (layout, text);
    loop {
        let (before, chunk, after) = next_chunk(layout_rest);
        rest = skip(rest, before).map_err(|rest| cannot(rest, before))?;
        let Some(chunk) = chunk else {
            break;
        };
        rest = match date.read(chunk, rest, after) {
            Ok(rest) => rest,
            Err(Bad::Syntax) => return Err(cannot(rest, chunk)),
            Err(Bad::Range(what)) => return Err(failed(format!(": {what} out of range"))),
        };
        layout_rest = after;
    }
    if !rest.is_empty() {
        return Err(failed(format!(": extra text: {}", quote(rest))));
    }
    date.finish().map_err(|told| failed(format!(": {told}")))
}

/// As the time package quotes: every byte that is not plain ASCII is escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in bytes::of(text).iter() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=0x7f => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Takes what stands in the layout as it is; a run of spaces there is any run here.
fn skip<'t>(mut text: &'t str, mut prefix: &str) -> Result<&'t str, &'t str> {
    while let Some(c) = prefix.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            prefix = prefix.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c).ok_or(text)?;
        prefix = &prefix[c.len_utf8()..];
    }
    Ok(text)
}

/// Why a piece cannot be read.
enum Bad {
    Syntax,
    Range(&'static str),
}

#[derive(Default)]
struct Parsed {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    offset: Option<i64>,
    zone_name: String,
    is_utc: bool,
    is_pm: bool,
    is_am: bool,
}

/// Takes one or two digits, or just two.
fn number(text: &str, is_fixed: bool) -> Result<(i64, &str), Bad> {
    let digit = |at: usize| text.as_bytes().get(at).filter(|byte| byte.is_ascii_digit());
    match (digit(0), digit(1)) {
        (Some(high), Some(low)) => {
            let value = i64::from(high - b'0') * 10 + i64::from(low - b'0');
            Ok((value, &text[2..]))
        }
        (Some(only), None) if !is_fixed => Ok((i64::from(only - b'0'), &text[1..])),
        _ => Err(Bad::Syntax),
    }
}

fn name<'t>(names: &[&str], text: &'t str, is_short: bool) -> Result<(i64, &'t str), Bad> {
    let matches = |(index, name): (usize, &&str)| {
        let name = if is_short { &name[..3] } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name)
            .then(|| (index as i64 + 1, &text[name.len()..]))
    };
    names
        .iter()
        .enumerate()
        .find_map(matches)
        .ok_or(Bad::Syntax)
}

fn checked(value: i64, range: std::ops::Range<i64>, what: &'static str) -> Result<i64, Bad> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(Bad::Range(what))
    }
}

impl Parsed {
    /// Reads what a piece of the layout, before `after`, stands for; returns what is left.
    fn read<'t>(&mut self, chunk: &str, text: &'t str, after: &str) -> Result<&'t str, Bad> {
        let two = chunk.len() == 2;
        let (value, rest) = match chunk {
            "January" => name(&MONTHS, text, false)?,
            "Jan" => name(&MONTHS, text, true)?,
            "Monday" => return Ok(name(&DAYS, text, false)?.1),
            "Mon" => return Ok(name(&DAYS, text, true)?.1),
            "2006" => long_year(text)?,
            "06" => number(text, true)?,
            "_2" => number(text.strip_prefix(' ').unwrap_or(text), false)?,
            "__2" | "002" => return self.read_year_day(chunk, text),
            "15" => number(text, false)?,
            "01" | "02" | "03" | "04" | "05" | "1" | "2" | "3" | "4" | "5" => number(text, two)?,
            "PM" | "pm" => return self.read_half(chunk, text),
            "MST" => return self.read_zone_name(text),
            chunk if chunk.starts_with('Z') && text.starts_with('Z') => {
                self.is_utc = true;
                return Ok(&text[1..]);
            }
            chunk if chunk.starts_with(['Z', '-']) => return self.read_offset(chunk, text),
            chunk => return self.read_fraction(chunk, text),
        };
        match chunk {
            "2006" => self.year = value,
            "06" => self.year = value + if value >= 69 { 1_900 } else { 2_000 },
            "January" | "Jan" | "01" | "1" => self.month = Some(checked(value, 1..13, "month")?),
            "02" | "_2" | "2" => self.day = Some(value),
            "15" => self.hour = checked(value, 0..24, "hour")?,
            "03" | "3" => self.hour = checked(value, 0..13, "hour")?,
            "04" | "4" => self.minute = checked(value, 0..60, "minute")?,
            _ => {
                self.second = checked(value, 0..60, "second")?;
                return Ok(self.read_unnamed_fraction(rest, after));
            }
        }
        Ok(rest)
    }

    fn read_year_day<'t>(&mut self, chunk: &str, text: &'t str) -> Result<&'t str, Bad> {
        let mut rest = text;
        if chunk == "__2" {
            for _ in 0..2 {
                rest = rest.strip_prefix(' ').unwrap_or(rest);
            }
        }
        let count = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
        if count == 0 || (chunk == "002" && count != 3) {
            return Err(Bad::Syntax);
        }
        self.year_day = rest[..count].parse().ok();
        Ok(&rest[count..])
    }

    fn read_half<'t>(&mut self, chunk: &str, text: &'t str) -> Result<&'t str, Bad> {
        let head = text.get(..2).ok_or(Bad::Syntax)?;
        let is_upper = chunk == "PM";
        self.is_pm = head == if is_upper { "PM" } else { "pm" };
        self.is_am = head == if is_upper { "AM" } else { "am" };
        if self.is_pm || self.is_am {
            Ok(&text[2..])
        } else {
            Err(Bad::Syntax)
        }
    }

    /// Seconds may have a fraction that the layout does not name.
    fn read_unnamed_fraction<'t>(&mut self, text: &'t str, after: &str) -> &'t str {
        let Some(tail) = text.strip_prefix(['.', ',']) else {
            return text;
        };
        let count = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (_, next, _) = next_chunk(after);
        if count == 0 || next.is_some_and(|next| next.starts_with(['.', ','])) {
            return text;
        }
        self.set_fraction(&tail[..count]);
        &tail[count..]
    }

    fn set_fraction(&mut self, digits: &str) {
        let padded = format!("{:0<9}", &digits[..digits.len().min(9)]);
        self.nanosecond = padded.parse().unwrap_or_default();
    }

    fn read_fraction<'t>(&mut self, chunk: &str, text: &'t str) -> Result<&'t str, Bad> {
        let tail = text.strip_prefix(['.', ',']);
        let digits = tail.map_or(0, |tail| {
            tail.bytes().take_while(u8::is_ascii_digit).count()
        });
        let wanted = chunk.len() - 1;
        match tail {
            Some(tail) if chunk.ends_with('9') && digits > 0 => {
                self.set_fraction(&tail[..digits]);
                Ok(&tail[digits..])
            }
            _ if chunk.ends_with('9') => Ok(text),
            Some(tail) if digits >= wanted => {
                self.set_fraction(&tail[..wanted]);
                Ok(&tail[wanted..])
            }
            _ => Err(Bad::Syntax),
        }
    }

    fn read_offset<'t>(&mut self, chunk: &str, text: &'t str) -> Result<&'t str, Bad> {
        let form = chunk.strip_prefix(['Z', '-']).unwrap_or(chunk);
        let head = text.get(..form.len() + 1).ok_or(Bad::Syntax)?;
        let sign = match head.as_bytes()[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return Err(Bad::Syntax),
        };
        let mut parts = [0; 3];
        let mut rest = &head[1..];
        for (index, slot) in parts.iter_mut().enumerate() {
            if rest.is_empty() {
                break;
            }
            if index > 0 && form.contains(':') {
                rest = rest.strip_prefix(':').ok_or(Bad::Syntax)?;
            }
            (*slot, rest) = number(rest, true)?;
        }
        let [hours, minutes, seconds] = parts;
        checked(hours, 0..25, "time zone offset hour")?;
        checked(minutes, 0..61, "time zone offset minute")?;
        checked(seconds, 0..61, "time zone offset second")?;
        self.offset = Some(sign * (hours * 3_600 + minutes * 60 + seconds));
        Ok(&text[head.len()..])
    }

    fn read_zone_name<'t>(&mut self, text: &'t str) -> Result<&'t str, Bad> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.is_utc = true;
            return Ok(rest);
        }
        let length = zone_name(text).ok_or(Bad::Syntax)?;
        text[..length].clone_into(&mut self.zone_name);
        Ok(&text[length..])
    }

    fn finish(mut self) -> Result<Time, &'static str> {
        if self.is_pm && self.hour < 12 {
            self.hour += 12;
        } else if self.is_am && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = self.month_and_day()?;
        let next = match month {
            12 => days_from_civil(self.year + 1, 1, 1),
            month => days_from_civil(self.year, month + 1, 1),
        };
        if day < 1 || day > next - days_from_civil(self.year, month, 1) {
            return Err("day out of range");
        }
        let days = days_from_civil(self.year, month, day);
        let seconds = days * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second;
        let (place, offset) = self.place();
        Ok(Time {
            nanoseconds: i128::from(seconds - offset) * SECOND + i128::from(self.nanosecond),
            place,
        })
    }

    fn month_and_day(&self) -> Result<(i64, i64), &'static str> {
        let Some(year_day) = self.year_day else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let first = days_from_civil(self.year, 1, 1);
        if year_day < 1 || year_day > days_from_civil(self.year + 1, 1, 1) - first {
            return Err("day-of-year out of range");
        }
        let date = super::civil((first + year_day - 1) * 86_400);
        if self.month.is_some_and(|month| month != date.month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|day| day != date.day) {
            return Err("day-of-year does not match day");
        }
        Ok((date.month, date.day))
    }

    /// Where the time is shown, and how far that is from UTC.
    fn place(&self) -> (Place, i64) {
        let name = self.zone_name.as_str();
        match self.offset {
            _ if self.is_utc => (Place::Utc, 0),
            Some(0) if matches!(name, "" | "UTC") => (Place::Local, 0),
            Some(offset) => (Place::Fixed(name.into(), offset), offset),
            None if name.is_empty() => (Place::Local, 0),
            None => {
                // An abbreviation says nothing of the distance, unless it is GMT+3; and then the
                // clock that was read is taken for UTC's, as in Go.
                let hours = name
                    .strip_prefix("GMT")
                    .and_then(|hours| hours.parse().ok());
                let offset = hours.map_or(0, |hours: i64| hours * 3_600);
                (Place::Fixed(name.into(), offset), 0)
            }
        }
    }
}

fn long_year(text: &str) -> Result<(i64, &str), Bad> {
    let digits = text.get(..4).ok_or(Bad::Syntax)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Bad::Syntax);
    }
    Ok((digits.parse().unwrap_or_default(), &text[4..]))
}

/// The length of an abbreviation of a zone: `CET`, `CEST`, `GMT+3`, `-03`.
fn zone_name(text: &str) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_offset(rest));
    }
    if text.starts_with(['+', '-']) {
        return Some(signed_offset(text)).filter(|length| *length > 0);
    }
    let upper = text
        .bytes()
        .take(6)
        .take_while(u8::is_ascii_uppercase)
        .count();
    let is_zone = match upper {
        3 => true,
        4 => text.as_bytes()[3] == b'T' || text.starts_with("WITA"),
        5 => text.as_bytes()[4] == b'T',
        _ => false,
    };
    is_zone.then_some(upper)
}

/// The length of `+3` or `-11`, 0 where there is none.
fn signed_offset(text: &str) -> usize {
    let Some(digits) = text.strip_prefix(['+', '-']) else {
        return 0;
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    match digits[..count].parse::<u64>() {
        Ok(0..=23) => count + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_read_as_in_go() {
        let read = |layout, text| parse(layout, text).map(|time| time.unix());
        assert_eq!(read("2006-01-02", "2023-11-14"), Ok(1_699_920_000));
        assert_eq!(
            read("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20+02:00"),
            Ok(1_699_992_800)
        );
        assert_eq!(read("2006 002", "2024 060"), Ok(1_709_164_800));
        for (layout, text, told) in [
            (
                "2006-01-02",
                "2023-02-30",
                "parsing time \"2023-02-30\": day out of range",
            ),
            (
                "15:04",
                "25:00",
                "parsing time \"25:00\": hour out of range",
            ),
            (
                "2006",
                "é",
                "parsing time \"\\xc3\\xa9\" as \"2006\": cannot parse \"\\xc3\\xa9\" as \"2006\"",
            ),
        ] {
            assert_eq!(read(layout, text), Err(told.to_owned()));
        }
    }
}
