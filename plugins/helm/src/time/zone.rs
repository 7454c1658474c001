//! Time zones of the IANA database, from the table in `zones/zones.bin` (made by `zones/make.py`), which
//! is unpacked at the first zone that is asked for. As in Go's `time.Location`: recorded changes first,
//! then the rule for all later times.

use std::cell::OnceCell;
use std::rc::Rc;

/// A zone by its history.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) name: Rc<str>,
    kinds: Vec<Kind>,
    /// Seconds since 1970, and the kind from then on.
    changes: Vec<(i64, usize)>,
    /// As in the environment variable TZ: `CET-1CEST,M3.5.0,M10.5.0/3`.
    rule: String,
}

/// What clocks show during a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Seconds east of UTC.
    pub(crate) offset: i64,
    pub(crate) is_summer: bool,
    pub(crate) name: Rc<str>,
}

const TABLE: &[u8] = include_bytes!("../../zones/zones.bin");
const MAX_TABLE_BYTES: usize = 1 << 20;

thread_local! {
    static UNPACKED: OnceCell<Vec<u8>> = const { OnceCell::new() };
}

/// Finds a zone by its name; `None` if there is none.
pub(crate) fn find(name: &str) -> Option<Zone> {
    UNPACKED.with(|table| {
        let unpack = || {
            miniz_oxide::inflate::decompress_to_vec_with_limit(TABLE, MAX_TABLE_BYTES)
                .unwrap_or_default()
        };
        read(table.get_or_init(unpack), name)
    })
}

/// What is left of a table.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<usize> {
        self.take(1).map(|byte| usize::from(byte[0]))
    }

    fn short(&mut self) -> Option<usize> {
        let bytes = self.take(2)?;
        Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn offset(&mut self) -> Option<i64> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(i64::from(i32::from_le_bytes(bytes)))
    }

    /// A zigzag number of seven bits a byte.
    fn number(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()? as u64;
            value |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 63 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
    }
}

fn read(table: &[u8], wanted: &str) -> Option<Zone> {
    let mut reader = Reader(table);
    let mut found = None;
    for _ in 0..reader.short()? {
        let name = reader.text()?;
        let index = reader.short()?;
        if name == wanted {
            found = Some(index);
        }
    }
    for _ in 0..found? {
        let length = reader.short()?;
        reader.take(length)?;
    }
    reader.short()?;
    let mut kinds = Vec::new();
    for _ in 0..reader.byte()? {
        kinds.push(Kind {
            offset: reader.offset()?,
            is_summer: reader.byte()? != 0,
            name: reader.text()?.into(),
        });
    }
    let rule = reader.text()?.to_owned();
    let mut changes = Vec::new();
    let mut at = 0;
    for _ in 0..reader.short()? {
        at += reader.number()?;
        changes.push((at, reader.byte()?));
    }
    Some(Zone {
        name: wanted.into(),
        kinds,
        changes,
        rule,
    })
}

impl Zone {
    /// Tells what clocks show at a moment, in seconds since 1970.
    pub(crate) fn at(&self, second: i64) -> Kind {
        let behind = self.changes.partition_point(|(when, _)| *when <= second);
        if behind == self.changes.len()
            && let Some(kind) = by_rule(&self.rule, second)
        {
            return kind;
        }
        let index = match behind.checked_sub(1) {
            Some(last) => self.changes[last].1,
            None => self.first(),
        };
        self.kinds[index.min(self.kinds.len() - 1)].clone()
    }

    /// The kind before all changes: the first that is no summer time.
    fn first(&self) -> usize {
        if self.changes.iter().all(|(_, kind)| *kind != 0) {
            return 0;
        }
        let is_winter = |index: &usize| !self.kinds[*index].is_summer;
        if let Some((_, kind)) = self.changes.first()
            && self.kinds[*kind].is_summer
            && let Some(before) = (0..*kind).rev().find(is_winter)
        {
            return before;
        }
        (0..self.kinds.len()).find(is_winter).unwrap_or(0)
    }
}

fn by_rule(rule: &str, second: i64) -> Option<Kind> {
    let (name, rest) = rule_name(rule)?;
    let (offset, rest) = rule_time(rest)?;
    let winter = Kind {
        offset: -offset,
        is_summer: false,
        name: name.into(),
    };
    if rest.is_empty() || rest.starts_with(',') {
        return Some(winter);
    }
    let (name, rest) = rule_name(rest)?;
    let (offset, rest) = match rest.starts_with(',') {
        true => (winter.offset + 3_600, rest),
        false => rule_time(rest).map(|(offset, rest)| (-offset, rest))?,
    };
    let summer = Kind {
        offset,
        is_summer: true,
        name: name.into(),
    };
    let (start, end) = rest.strip_prefix(',')?.split_once(',')?;
    let year = super::civil(second).year;
    let since = second - super::days_from_civil(year, 1, 1) * 86_400;
    let start = change(start, year)? - winter.offset;
    let end = change(end, year)? - summer.offset;
    let is_summer = if start <= end {
        (start..end).contains(&since)
    } else {
        !(end..start).contains(&since)
    };
    Some(if is_summer { summer } else { winter })
}

/// Takes `CET` or `<+0330>`.
fn rule_name(rule: &str) -> Option<(&str, &str)> {
    if let Some(inner) = rule.strip_prefix('<') {
        return inner.split_once('>');
    }
    let end = rule
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rule.len());
    (end >= 3).then(|| rule.split_at(end))
}

/// Takes `-3:30`, in seconds.
fn rule_time(rule: &str) -> Option<(i64, &str)> {
    let (sign, digits) = match rule.as_bytes().first()? {
        b'-' => (-1, &rule[1..]),
        b'+' => (1, &rule[1..]),
        _ => (1, rule),
    };
    let end = digits
        .find(|c: char| !(c.is_ascii_digit() || c == ':'))
        .unwrap_or(digits.len());
    let (time, rest) = digits.split_at(end);
    let mut seconds = 0;
    for (part, unit) in time.split(':').zip([3_600, 60, 1]) {
        seconds += part.parse::<i64>().ok()? * unit;
    }
    Some((sign * seconds, rest))
}

/// Seconds from the start of a year to `M3.5.0/2`, `J60` or `59`, by the clocks of then.
fn change(rule: &str, year: i64) -> Option<i64> {
    let (day, time) = match rule.split_once('/') {
        Some((day, time)) => (day, rule_time(time)?.0),
        None => (rule, 7_200),
    };
    let first = super::days_from_civil(year, 1, 1);
    let leap = super::days_from_civil(year + 1, 1, 1) - first == 366;
    let days = if let Some(day) = day.strip_prefix('J') {
        let day: i64 = day.parse().ok()?;
        day - 1 + i64::from(leap && day >= 60)
    } else if let Some(parts) = day.strip_prefix('M') {
        let mut parts = parts.split('.').map(str::parse::<i64>);
        let (month, week, weekday) = (
            parts.next()?.ok()?,
            parts.next()?.ok()?,
            parts.next()?.ok()?,
        );
        let start = super::days_from_civil(year, month, 1);
        let next = match month {
            12 => super::days_from_civil(year + 1, 1, 1),
            month => super::days_from_civil(year, month + 1, 1),
        };
        let first_weekday = (start + 4).rem_euclid(7);
        let mut found = start + (weekday - first_weekday).rem_euclid(7) + 7 * (week - 1);
        while found >= next {
            found -= 7;
        }
        found - first
    } else {
        day.parse().ok()?
    };
    Some(days * 86_400 + time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn zones_change_when_they_do_in_go() {
        for (name, second, offset, kind) in [
            ("Europe/Vienna", 1_711_846_799, 3_600, "CET"),
            ("Europe/Vienna", 1_711_846_800, 7_200, "CEST"),
            ("Europe/Vienna", 4_102_444_800, 3_600, "CET"),
            ("America/New_York", 2_530_000_000, -18_000, "EST"),
            ("Asia/Kathmandu", 0, 19_800, "+0530"),
            ("Australia/Lord_Howe", 1_704_067_200, 39_600, "+11"),
            ("Etc/GMT+5", 0, -18_000, "-05"),
            ("Europe/Dublin", 1_720_000_000, 3_600, "IST"),
            ("Europe/Vienna", -4_000_000_000, 3_921, "LMT"),
        ] {
            let found = find(name).unwrap().at(second);
            assert_eq!((found.offset, &*found.name), (offset, kind), "{name}");
        }
        assert!(find("Nowhere/City").is_none());
    }
}
