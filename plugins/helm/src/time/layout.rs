//! Layouts of Go's: what of a text stands for which part of a time, and writing by them.

use super::{Civil, DAYS, MONTHS, Time};

const CHUNKS: [&str; 34] = [
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
];

/// Splits a layout before and behind its first meaningful piece.
pub(super) fn next_chunk(layout: &str) -> (&str, Option<&str>, &str) {
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

impl Time {
    /// Writes by a layout of Go's.
    pub(crate) fn format(&self, layout: &str) -> String {
        let civil = self.civil();
        let mut out = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let (before, chunk, after) = next_chunk(rest);
            out.push_str(before);
            match chunk {
                Some(chunk) if chunk.starts_with(['.', ',']) => {
                    write_fraction(&mut out, chunk, self.fraction());
                }
                Some("MST") => self.write_zone_name(&mut out),
                Some(chunk) if chunk.contains("07") => {
                    write_offset(&mut out, chunk, self.kind().offset);
                }
                Some(chunk) => out.push_str(&piece(chunk, &civil)),
                None => {}
            }
            rest = after;
        }
        out
    }

    fn write_zone_name(&self, out: &mut String) {
        let kind = self.kind();
        if kind.name.is_empty() {
            write_offset(out, "-0700", kind.offset);
        } else {
            out.push_str(&kind.name);
        }
    }
}

fn piece(chunk: &str, civil: &Civil) -> String {
    let month = MONTHS[(civil.month - 1) as usize];
    let day = DAYS[civil.weekday];
    let hour12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match chunk {
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "Monday" => day.to_owned(),
        "Mon" => day[..3].to_owned(),
        "2006" if civil.year < 0 => format!("-{:04}", -civil.year),
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
        _ => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
    }
}

/// Writes `+02:00` in the form of `Z07:00`, `-0700` and the like.
fn write_offset(out: &mut String, chunk: &str, offset: i64) {
    if chunk.starts_with('Z') && offset == 0 {
        out.push('Z');
        return;
    }
    let minutes = (offset / 60).abs();
    out.push(if offset / 60 < 0 { '-' } else { '+' });
    out.push_str(&format!("{:02}", minutes / 60));
    let colon = if chunk.contains(':') { ":" } else { "" };
    if chunk.len() > 3 {
        out.push_str(&format!("{colon}{:02}", minutes % 60));
    }
    if chunk.len() > 6 {
        out.push_str(&format!("{colon}{:02}", offset.abs() % 60));
    }
}

fn write_fraction(out: &mut String, chunk: &str, nanosecond: i64) {
    let digits = format!("{nanosecond:09}");
    let digits = &digits[..(chunk.len() - 1).min(9)];
    let digits = if chunk.ends_with('9') {
        digits.trim_end_matches('0')
    } else {
        digits
    };
    if !(digits.is_empty() && chunk.ends_with('9')) {
        out.push_str(&chunk[..1]);
        out.push_str(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Place, SECOND};
    use super::*;

    #[test]
    fn layouts_write_as_in_go() {
        let time = Time::new(1_700_000_000 * SECOND + 123_000_000);
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
        assert_eq!(Time::zero().format("2006-01-02"), "0001-01-01");
    }

    #[test]
    fn zones_write_as_in_go() {
        let time = Time::new(1_700_000_000 * SECOND);
        for (place, text) in [
            (Place::load("Asia/Kolkata"), "03:43 +05:30 IST"),
            (Place::load("America/Sao_Paulo"), "19:13 -03:00 -03"),
            (Place::Fixed("".into(), -5_400), "20:43 -01:30 -0130"),
        ] {
            assert_eq!(time.in_place(place).format("15:04 -07:00 MST"), text);
        }
    }
}
