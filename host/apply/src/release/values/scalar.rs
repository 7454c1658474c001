//! What a text looks like to the writer: which styles can hold it, and what it would mean without
//! quotes to a reader of YAML 1.1.

/// In which styles a text can be written outside of flow collections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) is_multiline: bool,
    pub(super) may_be_plain: bool,
    pub(super) may_be_single_quoted: bool,
    pub(super) may_be_block: bool,
}

impl Shape {
    /// Looks at every character.
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self {
                may_be_plain: true,
                may_be_single_quoted: true,
                ..Self::default()
            };
        }
        let mut has_indicator = text.starts_with("---") || text.starts_with("...");
        let (mut is_multiline, mut is_special) = (false, false);
        let (mut break_then_space, mut space_then_break) = (false, false);
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let is_followed = matches!(chars.peek(), None | Some(' ' | '\t'));
            has_indicator |= is_indicator(char, before, is_followed);
            is_special |= !is_printable(char);
            is_multiline |= is_break(char);
            break_then_space |= char == ' ' && before.is_some_and(is_break);
            space_then_break |= is_break(char) && before == Some(' ');
            before = Some(char);
        }
        let is_edge = |char: char| char == ' ' || is_break(char);
        let has_edge = text.starts_with(is_edge) || text.ends_with(is_edge);
        let is_quoted = break_then_space || space_then_break || is_special;
        Self {
            is_multiline,
            may_be_plain: !(has_indicator || has_edge || is_quoted || is_multiline),
            may_be_single_quoted: !is_quoted,
            may_be_block: !(text.ends_with(' ') || space_then_break || is_special),
        }
    }
}

/// Whether a character means something to YAML where it stands.
fn is_indicator(char: char, before: Option<char>, is_followed: bool) -> bool {
    let after_blank =
        before.is_none_or(|before| matches!(before, ' ' | '\t' | '\0') || is_break(before));
    match char {
        '#' => after_blank,
        ':' => is_followed,
        '?' | '-' => before.is_none() && is_followed,
        ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
        | '`' => before.is_none(),
        _ => false,
    }
}

pub(super) fn is_break(char: char) -> bool {
    matches!(char, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether libyaml prints it as it is: not what has four bytes in UTF-8.
pub(super) fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}')
}

/// Whether a plain scalar of this text is a text: no number, no time, no `yes`.
pub(super) fn is_text(text: &str) -> bool {
    !is_base60(text)
        && match text.as_bytes().first() {
            None => false,
            Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
                !is_word(text)
            }
            Some(b'.') => !is_word(text) && !is_dotted(text),
            Some(b'+' | b'-' | b'0'..=b'9') => {
                !is_word(text) && !is_time(text) && !is_number(&text.replace('_', ""))
            }
            Some(_) => true,
        }
}

fn is_word(text: &str) -> bool {
    matches!(
        text,
        "~" | "null"
            | "Null"
            | "NULL"
            | "true"
            | "True"
            | "TRUE"
            | "false"
            | "False"
            | "FALSE"
            | "y"
            | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
            | ".nan"
            | ".NaN"
            | ".NAN"
            | ".inf"
            | ".Inf"
            | ".INF"
            | "+.inf"
            | "+.Inf"
            | "+.INF"
            | "-.inf"
            | "-.Inf"
            | "-.INF"
    )
}

/// Go's `ParseInt` and `ParseUint` with base 0, the float of YAML, or `0b` with a sign behind it.
fn is_number(text: &str) -> bool {
    is_integer(text) || (is_float(text) && is_finite(text)) || is_odd_binary(text)
}

fn is_integer(text: &str) -> bool {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (Some('-'), &text[1..]),
        Some(b'+') => (Some('+'), &text[1..]),
        _ => (None, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    match (sign, magnitude(digits, radix)) {
        (_, None) => false,
        (Some('-'), Some(found)) => found <= 1 << 63,
        (Some(_), Some(found)) => found < 1 << 63,
        (None, Some(_)) => true,
    }
}

/// `0b-1`, which Go's `ParseInt` of what follows takes.
fn is_odd_binary(text: &str) -> bool {
    let signed = |rest: &str| match rest.as_bytes().first() {
        Some(b'-') => magnitude(&rest[1..], 2).is_some_and(|found| found <= 1 << 63),
        Some(b'+') => magnitude(&rest[1..], 2).is_some_and(|found| found < 1 << 63),
        _ => magnitude(rest, 2).is_some(),
    };
    match (text.strip_prefix("0b"), text.strip_prefix("-0b")) {
        (Some(rest), _) => signed(rest),
        (_, Some(rest)) => magnitude(rest, 2).is_some_and(|found| found <= 1 << 63),
        _ => false,
    }
}

fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    if digits.is_empty() || !digits.chars().all(|char| char.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => are_digits(fraction),
        Some((whole, fraction)) => {
            are_digits(whole) && (fraction.is_empty() || are_digits(fraction))
        }
        None => are_digits(mantissa),
    };
    is_mantissa
        && exponent.is_none_or(|text| are_digits(text.strip_prefix(['-', '+']).unwrap_or(text)))
}

fn is_finite(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Go's `ParseFloat` of a text that starts with a point: `_` may stand between digits.
fn is_dotted(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let is_misplaced =
        |at: usize| bytes[at] == b'_' && !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)));
    if (0..bytes.len()).any(is_misplaced) {
        return false;
    }
    let plain = text.replace('_', "");
    is_float(&plain) && is_finite(&plain)
}

/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`: a number in base 60.
fn is_base60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let (body, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = body.split(':');
    let head = parts.next().unwrap_or_default();
    if !head.starts_with(|first: char| first.is_ascii_digit()) || !head.bytes().all(is_part) {
        return false;
    }
    let mut count = 0;
    let fits = parts.all(|part| {
        count += 1;
        match part.as_bytes() {
            [last] => last.is_ascii_digit(),
            [b'0'..=b'5', last] => last.is_ascii_digit(),
            _ => false,
        }
    });
    fits && count > 0 && fraction.bytes().all(is_part)
}

/// Whether go-yaml sees a time: one of the four layouts that it hands to Go's `time.Parse`.
fn is_time(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return false;
    }
    let year: u32 = text[..4].parse().unwrap_or_default();
    let mut rest = Rest(&text.as_bytes()[5..]);
    rest.date(year).is_some() && (rest.0.is_empty() || rest.time().is_some())
}

/// What is left to read of a time.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn literal(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == byte).then(|| self.0 = rest)
    }

    /// One or two digits; two where they are fixed.
    fn number(&mut self, is_fixed: bool, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let digit = |at: usize| self.0.get(at).filter(|byte| byte.is_ascii_digit());
        let first = u32::from(digit(0)? - b'0');
        let (value, width) = match digit(1) {
            Some(second) => (first * 10 + u32::from(second - b'0'), 2),
            None if is_fixed => return None,
            None => (first, 1),
        };
        self.0 = &self.0[width..];
        range.contains(&value).then_some(value)
    }

    fn date(&mut self, year: u32) -> Option<()> {
        let month = self.number(false, 1..=12)?;
        self.literal(b'-')?;
        self.number(false, 1..=days(year, month)).map(drop)
    }

    fn time(&mut self) -> Option<()> {
        let separator = *self.0.first()?;
        if !matches!(separator, b'T' | b't' | b' ') {
            return None;
        }
        let width = match separator {
            b' ' => self.0.iter().take_while(|byte| **byte == b' ').count(),
            _ => 1,
        };
        self.0 = &self.0[width..];
        self.number(false, 0..=23)?;
        self.literal(b':')?;
        self.number(false, 0..=59)?;
        self.literal(b':')?;
        self.number(false, 0..=59)?;
        self.fraction();
        if separator != b' ' {
            self.zone()?;
        }
        self.0.is_empty().then_some(())
    }

    fn fraction(&mut self) {
        let digits = self
            .0
            .iter()
            .skip(1)
            .take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        if digits > 0 && matches!(self.0.first(), Some(b'.' | b',')) {
            self.0 = &self.0[1 + digits..];
        }
    }

    fn zone(&mut self) -> Option<()> {
        if self.literal(b'Z').is_some() {
            return Some(());
        }
        self.literal(b'+').or_else(|| self.literal(b'-'))?;
        self.number(true, 0..=24)?;
        self.literal(b':')?;
        self.number(true, 0..=60).map(drop)
    }
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
