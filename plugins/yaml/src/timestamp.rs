//! Times as go-yaml recognises them: the four layouts it hands to Go's `time.Parse`.

/// Reads `text` as a time and gives it as Go writes it (RFC 3339, up to nanoseconds).
pub(crate) fn parse(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    parse_with(text, Some(b'T'), true)
        .or_else(|| parse_with(text, Some(b't'), true))
        .or_else(|| parse_with(text, Some(b' '), false))
        .or_else(|| parse_with(text, None, false))
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn literal(&mut self, byte: u8) -> Option<()> {
        (self.0.first() == Some(&byte)).then(|| self.0 = &self.0[1..])
    }

    /// One or two digits (Go's `getnum`), in `range`.
    fn number(&mut self, fixed: bool, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let digit = |at: usize| self.0.get(at).filter(|byte| byte.is_ascii_digit());
        let first = u32::from(digit(0)? - b'0');
        let (value, width) = match digit(1) {
            Some(second) => (first * 10 + u32::from(second - b'0'), 2),
            None if fixed => return None,
            None => (first, 1),
        };
        self.0 = &self.0[width..];
        range.contains(&value).then_some(value)
    }

    /// Go's `skip` of one blank in a layout: any number of them, but a start with another byte.
    fn blanks(&mut self) -> Option<()> {
        if self.0.first().is_some_and(|byte| *byte != b' ') {
            return None;
        }
        let blanks = self.0.iter().take_while(|byte| **byte == b' ').count();
        self.0 = &self.0[blanks..];
        Some(())
    }

    /// The digits of a fraction of a second, cut to nanoseconds, zeros at the end removed.
    fn fraction(&mut self) -> String {
        let digits = self
            .0
            .iter()
            .skip(1)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 || !matches!(self.0.first(), Some(b'.' | b',')) {
            return String::new();
        }
        let kept = &self.0[1..=digits.min(9)];
        let text: String = kept.iter().map(|byte| char::from(*byte)).collect();
        self.0 = &self.0[1 + digits..];
        text.trim_end_matches('0').to_owned()
    }

    fn zone(&mut self) -> Option<String> {
        if self.literal(b'Z').is_some() {
            return Some("Z".to_owned());
        }
        let sign = *self.0.first().filter(|sign| matches!(sign, b'+' | b'-'))?;
        self.0 = &self.0[1..];
        let hours = self.number(true, 0..=24)?;
        self.literal(b':')?;
        let minutes = self.number(true, 0..=60)?;
        let total = hours * 60 + minutes;
        if total == 0 {
            return Some("Z".to_owned());
        }
        Some(format!(
            "{}{:02}:{:02}",
            char::from(sign),
            total / 60,
            total % 60
        ))
    }
}

fn parse_with(text: &str, separator: Option<u8>, zoned: bool) -> Option<String> {
    let mut rest = Rest(&text.as_bytes()[4..]);
    let year: u32 = text[..4].parse().ok()?;
    rest.literal(b'-')?;
    let month = rest.number(false, 1..=12)?;
    rest.literal(b'-')?;
    let day = rest.number(false, 1..=days(year, month))?;
    let (mut hour, mut minute, mut second, mut fraction) = (0, 0, 0, String::new());
    if let Some(separator) = separator {
        if separator == b' ' {
            rest.blanks()?;
        } else {
            rest.literal(separator)?;
        }
        hour = rest.number(false, 0..=23)?;
        rest.literal(b':')?;
        minute = rest.number(false, 0..=59)?;
        rest.literal(b':')?;
        second = rest.number(false, 0..=59)?;
        fraction = rest.fraction();
    }
    let zone = if zoned { rest.zone()? } else { "Z".to_owned() };
    if !rest.0.is_empty() {
        return None;
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{dot}{fraction}{zone}"
    ))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
