//! Go's `fmt` for the values of templates: `%v` and the other verbs, with their flags.

use crate::depth::Level;
use crate::quote::{escape, is_print, quote};
use crate::value::{IntType, Value};

/// Appends a value as a template prints it: `<no value>` for nothing, else as `%v`.
pub fn print(value: &Value, out: &mut String) {
    match value {
        Value::Invalid => out.push_str("<no value>"),
        Value::Nil => out.push_str("<nil>"),
        Value::Object(object) => out.push_str(&object.shown()),
        _ => plain(value, out),
    }
}

/// Returns a value as `%v` writes it.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    plain(value, &mut out);
    out
}

fn plain(value: &Value, out: &mut String) {
    match value {
        Value::Invalid | Value::Nil => out.push_str("<nil>"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value, kind) => out.push_str(&integer_text(*value, *kind)),
        Value::Float(value) => out.push_str(&float(*value, 'g', None)),
        Value::Complex(real, imaginary) => out.push_str(&complex(*real, *imaginary)),
        Value::String(text) => out.push_str(text),
        Value::Bytes(bytes) => {
            let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
            out.push_str(&format!("[{}]", items.join(" ")));
        }
        Value::List(list) => {
            let Some(_level) = Level::enter(out.len()) else {
                return;
            };
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                plain(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let Some(_level) = Level::enter(out.len()) else {
                return;
            };
            out.push_str("map[");
            for (index, (key, item)) in map.entries.borrow().iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                plain(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => out.push_str(&object.print()),
    }
}

fn integer_text(value: i64, kind: IntType) -> String {
    match kind {
        IntType::Uint64 => (value as u64).to_string(),
        IntType::Named("time.Duration", _) => crate::duration::print(value),
        _ => value.to_string(),
    }
}

fn complex(real: f64, imaginary: f64) -> String {
    let imaginary = float(imaginary, 'g', None);
    let sign = if imaginary.starts_with(['-', '+']) {
        ""
    } else {
        "+"
    };
    format!("({}{sign}{imaginary}i)", float(real, 'g', None))
}

/// Writes a float as `strconv.FormatFloat(value, verb, precision, 64)` does.
pub fn float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match verb.to_ascii_lowercase() {
        'e' => exponent(value, precision, verb == 'E'),
        'f' => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => format!("{value}"),
        },
        _ => general(value, precision, verb == 'G'),
    }
}

fn exponent(value: f64, precision: Option<usize>, upper: bool) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    let e = if upper { 'E' } else { 'e' };
    format!("{mantissa}{e}{sign}{:02}", exponent.unsigned_abs())
}

fn general(value: f64, precision: Option<usize>, upper: bool) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let digits = match precision {
        Some(precision) => format!("{:.*e}", precision.max(1) - 1, value),
        None => format!("{value:e}"),
    };
    let (mantissa, power) = digits.split_once('e').unwrap_or((&digits, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let significant = mantissa
        .chars()
        .filter(char::is_ascii_digit)
        .collect::<String>();
    let significant = if precision.is_some() {
        significant.trim_end_matches('0')
    } else {
        &significant
    };
    let count = significant.len().max(1);
    let mut threshold = precision.map_or(6, |precision| precision.max(1)) as i32;
    if precision.is_some() && threshold > count as i32 && count as i32 > power {
        threshold = count as i32;
    }
    if power < -4 || power >= threshold {
        return exponent(value, Some(count - 1), upper);
    }
    let decimals = (count as i32 - 1 - power).max(0) as usize;
    format!("{value:.decimals$}")
}

/// Formats as `fmt.Sprintf` does.
pub fn sprintf(format: &str, arguments: &[Value]) -> String {
    Printer {
        chars: format.chars().peekable(),
        arguments,
        next: 0,
        reordered: false,
        out: String::new(),
    }
    .run()
}

/// Formats as `fmt.Sprint` does: a space between operands when neither is a string.
pub fn sprint(arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut after_string = true;
    for (index, argument) in arguments.iter().enumerate() {
        let is_string = matches!(argument, Value::String(_));
        if index > 0 && !is_string && !after_string {
            out.push(' ');
        }
        plain(argument, &mut out);
        after_string = is_string;
    }
    out
}

/// Formats as `fmt.Sprintln` does.
pub fn sprintln(arguments: &[Value]) -> String {
    let texts: Vec<String> = arguments.iter().map(text).collect();
    texts.join(" ") + "\n"
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Widest field, and longest precision, that a format may ask for.
const MAX_WIDTH: i64 = 1_000_000;

struct Printer<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    arguments: &'a [Value],
    next: usize,
    reordered: bool,
    out: String,
}

impl Printer<'_> {
    fn run(mut self) -> String {
        while let Some(c) = self.chars.next() {
            if c == '%' {
                self.directive();
            } else {
                self.out.push(c);
            }
        }
        if !self.reordered && self.next < self.arguments.len() {
            self.out.push_str("%!(EXTRA ");
            let rest = &self.arguments[self.next..];
            for (index, argument) in rest.iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                if argument.is_nil() {
                    self.out.push_str("<nil>");
                } else {
                    self.out.push_str(&argument.type_name());
                    self.out.push('=');
                    plain(argument, &mut self.out);
                }
            }
            self.out.push(')');
        }
        self.out
    }

    fn directive(&mut self) {
        let mut flags = Flags::default();
        loop {
            match self.chars.peek() {
                Some('#') => flags.sharp = true,
                Some('0') => flags.zero = true,
                Some('+') => flags.plus = true,
                Some('-') => flags.minus = true,
                Some(' ') => flags.space = true,
                _ => break,
            }
            self.chars.next();
        }
        let mut good = self.index();
        flags.width = self.number_or_star(&mut flags.minus, "%!(BADWIDTH)");
        if self.chars.peek() == Some(&'.') {
            self.chars.next();
            good &= self.index();
            let mut negative = false;
            let precision = self.number_or_star(&mut negative, "%!(BADPREC)");
            flags.precision = if negative {
                None
            } else {
                Some(precision.unwrap_or(0))
            };
        }
        good &= self.index();
        let Some(verb) = self.chars.next() else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        if verb == 'v' {
            // For %v the plus asks for names of fields, not for signs.
            flags.plus = false;
        }
        if verb == '%' {
            self.out.push('%');
        } else if !good {
            self.out.push_str(&format!("%!{verb}(BADINDEX)"));
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            self.value(argument, verb, flags);
        } else {
            self.out.push_str(&format!("%!{verb}(MISSING)"));
        }
    }

    /// Takes `[3]`, which names the next argument; `false` when it names none.
    fn index(&mut self) -> bool {
        if self.chars.peek() != Some(&'[') {
            return true;
        }
        self.reordered = true;
        let mut ahead = self.chars.clone();
        ahead.next();
        let text: String = ahead.by_ref().take_while(|c| *c != ']').collect();
        self.chars = ahead;
        match text.parse::<usize>() {
            Ok(index) if (1..=self.arguments.len()).contains(&index) => {
                self.next = index - 1;
                true
            }
            _ => false,
        }
    }

    fn number_or_star(&mut self, negative: &mut bool, bad: &str) -> Option<usize> {
        if self.chars.peek() == Some(&'*') {
            self.chars.next();
            let argument = self.arguments.get(self.next);
            self.next += 1;
            return match argument {
                Some(Value::Int(number, _)) if number.abs() <= MAX_WIDTH => {
                    *negative |= *number < 0;
                    Some(number.unsigned_abs() as usize)
                }
                _ => {
                    self.out.push_str(bad);
                    None
                }
            };
        }
        let mut number: Option<i64> = None;
        while let Some(digit) = self.chars.peek().and_then(|c| c.to_digit(10)) {
            self.chars.next();
            number = Some((number.unwrap_or(0) * 10 + i64::from(digit)).min(MAX_WIDTH));
        }
        number.map(|number| number as usize)
    }

    fn pad(&mut self, text: &str, flags: Flags) {
        let width = flags.width.unwrap_or(0);
        let fill = width.saturating_sub(text.chars().count());
        if flags.minus {
            self.out.push_str(text);
            self.out.extend(std::iter::repeat_n(' ', fill));
        } else {
            let c = if flags.zero { '0' } else { ' ' };
            self.out.extend(std::iter::repeat_n(c, fill));
            self.out.push_str(text);
        }
    }

    /// Pads a number: zeros go behind the sign.
    fn pad_number(&mut self, text: &str, flags: Flags) {
        let width = flags.width.unwrap_or(0);
        let length = text.chars().count();
        if flags.zero && !flags.minus && width > length {
            let (sign, digits) = match text.as_bytes().first() {
                Some(b'+' | b'-' | b' ') => text.split_at(1),
                _ => ("", text),
            };
            let zeros = "0".repeat(width - length);
            self.out.push_str(&format!("{sign}{zeros}{digits}"));
        } else {
            self.pad(
                text,
                Flags {
                    zero: false,
                    ..flags
                },
            );
        }
    }

    /// Writes what a list or a map holds: nil is `<nil>` there, whatever the verb.
    fn nested(&mut self, value: &Value, verb: char, flags: Flags) {
        if value.is_nil() && verb != 'v' {
            self.out.push_str("<nil>");
        } else if let Some(_level) = Level::enter(self.out.len()) {
            self.value(value, verb, flags);
        }
    }

    fn value(&mut self, value: &Value, verb: char, flags: Flags) {
        if verb == 'T' {
            return self.pad(&value.type_name(), flags);
        }
        if value.is_nil() {
            return match verb {
                'v' => self.pad("<nil>", flags),
                _ => self.out.push_str(&format!("%!{verb}(<nil>)")),
            };
        }
        match value {
            Value::Invalid | Value::Nil => {}
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { "true" } else { "false" }, flags),
                _ => self.bad(value, verb),
            },
            Value::Int(number, kind) => self.integer(*number, *kind, value, verb, flags),
            Value::Float(number) => self.float(*number, value, verb, flags),
            Value::Complex(real, imaginary) if "vgGeEfF".contains(verb) => {
                self.out.push('(');
                self.float(*real, value, verb, flags);
                self.float(
                    *imaginary,
                    value,
                    verb,
                    Flags {
                        plus: true,
                        ..flags
                    },
                );
                self.out.push_str("i)");
            }
            Value::Complex(..) => self.bad(value, verb),
            Value::String(text) => self.string(text, value, verb, flags),
            Value::Bytes(bytes) if "sqxX".contains(verb) => {
                let text = crate::bytes::to_text(bytes).into_owned();
                self.string(&text, value, verb, flags);
            }
            Value::Bytes(bytes) => {
                let item = |byte: &u8| Value::Int(i64::from(*byte), IntType::Uint8);
                let items: Vec<Value> = bytes.iter().map(item).collect();
                self.list(value, &items, verb, flags);
            }
            Value::List(list) => self.list(value, &list.items, verb, flags),
            Value::Map(map) => {
                let entries: Vec<_> = map
                    .entries
                    .borrow()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                if verb == 'v' && flags.sharp {
                    return self.pad(
                        &go_syntax(value),
                        Flags {
                            sharp: false,
                            ..flags
                        },
                    );
                }
                self.out.push_str("map[");
                for (index, (key, item)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.out.push(' ');
                    }
                    self.value(&Value::String(key.clone()), verb, flags);
                    self.out.push(':');
                    self.nested(item, verb, flags);
                }
                self.out.push(']');
            }
            Value::Object(object) => match verb {
                'v' | 's' => self.pad(&object.print(), flags),
                'q' => self.pad(&quote(&object.print()), flags),
                _ => self.bad(value, verb),
            },
        }
    }

    fn list(&mut self, value: &Value, items: &[Value], verb: char, flags: Flags) {
        if verb == 'v' && flags.sharp {
            return self.pad(
                &go_syntax(value),
                Flags {
                    sharp: false,
                    ..flags
                },
            );
        }
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(' ');
            }
            self.nested(item, verb, flags);
        }
        self.out.push(']');
    }

    fn bad(&mut self, value: &Value, verb: char) {
        self.out
            .push_str(&format!("%!{verb}({}={})", value.type_name(), text(value)));
    }

    fn integer(&mut self, number: i64, kind: IntType, value: &Value, verb: char, flags: Flags) {
        let (negative, magnitude) = if kind.is_signed() {
            (number < 0, number.unsigned_abs())
        } else {
            (false, number as u64)
        };
        let (digits, prefix) = match verb {
            'v' if flags.sharp && !kind.is_signed() => (format!("{magnitude:x}"), "0x"),
            'v' if matches!(kind, IntType::Named("time.Duration", _)) => {
                return self.pad(&integer_text(number, kind), flags);
            }
            's' if matches!(kind, IntType::Named("time.Duration", _)) => {
                return self.pad(&integer_text(number, kind), flags);
            }
            'v' | 'd' => (magnitude.to_string(), ""),
            'b' => (
                format!("{magnitude:b}"),
                if flags.sharp { "0b" } else { "" },
            ),
            'o' => (format!("{magnitude:o}"), if flags.sharp { "0" } else { "" }),
            'O' => (format!("{magnitude:o}"), "0o"),
            'x' => (
                format!("{magnitude:x}"),
                if flags.sharp { "0x" } else { "" },
            ),
            'X' => (
                format!("{magnitude:X}"),
                if flags.sharp { "0X" } else { "" },
            ),
            'c' => {
                let c = u32::try_from(magnitude).ok().and_then(char::from_u32);
                return self.pad(&c.unwrap_or('\u{fffd}').to_string(), flags);
            }
            'q' => {
                let c = u32::try_from(magnitude).ok().and_then(char::from_u32);
                let mut text = String::from("'");
                escape(&mut text, c.unwrap_or('\u{fffd}'), '\'', flags.plus);
                text.push('\'');
                return self.pad(&text, flags);
            }
            'U' => {
                let mut text = format!("U+{magnitude:04X}");
                let c = u32::try_from(magnitude).ok().and_then(char::from_u32);
                if let (true, Some(c)) = (flags.sharp, c.filter(|c| is_print(*c))) {
                    text.push_str(&format!(" '{c}'"));
                }
                return self.pad(
                    &text,
                    Flags {
                        zero: false,
                        ..flags
                    },
                );
            }
            _ => return self.bad(value, verb),
        };
        let digits = match flags.precision {
            Some(0) if magnitude == 0 => {
                return self.pad(
                    "",
                    Flags {
                        zero: false,
                        ..flags
                    },
                );
            }
            Some(precision) => format!("{digits:0>precision$}"),
            None => digits,
        };
        let sign = match (negative, flags.plus, flags.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        // With a precision, Go does not pad with zeros.
        let zero = flags.zero && flags.precision.is_none();
        let width = flags.width.unwrap_or(0);
        let length = sign.len() + digits.len();
        let digits = if zero && !flags.minus && width > length {
            format!("{}{digits}", "0".repeat(width - length))
        } else {
            digits
        };
        self.pad(
            &format!("{sign}{prefix}{digits}"),
            Flags {
                zero: false,
                ..flags
            },
        );
    }

    fn float(&mut self, number: f64, value: &Value, verb: char, flags: Flags) {
        let (kind, precision) = match verb {
            'v' => ('g', flags.precision),
            'e' | 'E' | 'f' | 'F' => (
                if verb == 'F' { 'f' } else { verb },
                flags.precision.or(Some(6)),
            ),
            'g' | 'G' => (verb, flags.precision),
            _ => return self.bad(value, verb),
        };
        let mut text = float(number, kind, precision);
        if !text.starts_with(['-', '+']) {
            if flags.plus {
                text.insert(0, '+');
            } else if flags.space {
                text.insert(0, ' ');
            }
        } else if text == "+Inf" && !flags.plus {
            // Go drops the sign that nobody asked for, and prints +Inf all the same for %v.
            text = "+Inf".to_owned();
        }
        let special = number.is_nan() || number.is_infinite();
        self.pad_number(
            &text,
            Flags {
                zero: flags.zero && !special,
                ..flags
            },
        );
    }

    fn string(&mut self, text: &str, value: &Value, verb: char, flags: Flags) {
        let cut = |text: &str| match flags.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        };
        match verb {
            'v' if flags.sharp => {
                let quoted = go_syntax(value);
                self.pad(&quoted, flags);
            }
            's' | 'v' => self.pad(&cut(text), flags),
            'q' => {
                let text = cut(text);
                let quoted =
                    if flags.sharp && !text.contains('`') && !text.contains(char::is_control) {
                        format!("`{text}`")
                    } else if flags.plus {
                        let mut quoted = String::from("\"");
                        text.chars().for_each(|c| escape(&mut quoted, c, '"', true));
                        quoted + "\""
                    } else {
                        quote(&text)
                    };
                self.pad(&quoted, flags);
            }
            'x' | 'X' => {
                let bytes = text.as_bytes();
                let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
                let mut hex = String::new();
                let prefix = match (flags.sharp, verb) {
                    (false, _) => "",
                    (true, 'x') => "0x",
                    (true, _) => "0X",
                };
                for (index, byte) in bytes.iter().enumerate() {
                    if index > 0 && flags.space {
                        hex.push(' ');
                    }
                    if index == 0 || flags.space {
                        hex.push_str(prefix);
                    }
                    hex.push_str(&if verb == 'x' {
                        format!("{byte:02x}")
                    } else {
                        format!("{byte:02X}")
                    });
                }
                self.pad(&hex, flags);
            }
            _ => self.bad(value, verb),
        }
    }
}

/// Writes a value as `%#v` does.
fn go_syntax(value: &Value) -> String {
    let Some(_level) = Level::enter(0) else {
        return String::new();
    };
    match value {
        Value::Invalid | Value::Nil => "interface {}(nil)".to_owned(),
        Value::String(text) => quote(text),
        Value::Float(number) => float(*number, 'g', None),
        Value::Int(number, kind) if !kind.is_signed() => format!("0x{number:x}"),
        Value::Bytes(bytes) => {
            let items: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:x}")).collect();
            format!("[]byte{{{}}}", items.join(", "))
        }
        Value::List(list) => {
            let items: Vec<String> = list.items.iter().map(go_syntax).collect();
            format!("{}{{{}}}", value.type_name(), items.join(", "))
        }
        Value::Map(map) => {
            let entries = map.entries.borrow();
            let items: Vec<String> = entries
                .iter()
                .map(|(key, item)| format!("{}:{}", quote(key), go_syntax(item)))
                .collect();
            format!("{}{{{}}}", map.type_name, items.join(", "))
        }
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_those_of_go() {
        let int = Value::int;
        for (format, arguments, result) in [
            ("%d", vec![int(42)], "42"),
            (
                "%5d|%-5d|%05d",
                vec![int(42), int(42), int(-42)],
                "   42|42   |-0042",
            ),
            (
                "%x %X %#x %o %b",
                vec![int(255); 5],
                "ff FF 0xff 377 11111111",
            ),
            ("%s %q", vec!["a".into(), "b\"".into()], "a \"b\\\"\""),
            ("%v", vec![Value::Float(1_000_000.0)], "1e+06"),
            ("%.2f", vec![Value::Float(3.25159)], "3.25"),
            ("%6.2f|", vec![Value::Float(3.25159)], "  3.25|"),
            ("%e", vec![Value::Float(1234.5)], "1.234500e+03"),
            ("%d", vec!["x".into()], "%!d(string=x)"),
            ("%s", vec![int(1)], "%!s(int=1)"),
            ("%d %d", vec![int(1)], "1 %!d(MISSING)"),
            ("%d", vec![int(1), int(2)], "1%!(EXTRA int=2)"),
            ("%", vec![], "%!(NOVERB)"),
            ("%[2]d %[1]d", vec![int(1), int(2)], "2 1"),
            ("%*d", vec![int(5), int(42)], "   42"),
            (
                "%T %T %T",
                vec![int(1), "a".into(), Value::Float(1.0)],
                "int string float64",
            ),
            ("%v %v", vec![Value::Nil, Value::Bool(true)], "<nil> true"),
            (
                "%t %c %U",
                vec![Value::Bool(true), int(65), int(65)],
                "true A U+0041",
            ),
            ("%x", vec!["hi".into()], "6869"),
            (
                "%-5s|%5s|%.2s",
                vec!["ab".into(), "ab".into(), "abc".into()],
                "ab   |   ab|ab",
            ),
            ("100%%", vec![], "100%"),
        ] {
            assert_eq!(sprintf(format, &arguments), result, "{format}");
        }
    }

    #[test]
    fn floats_are_the_shortest_that_read_back() {
        for (value, text) in [
            (0.1, "0.1"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (0.000_01, "1e-05"),
            (0.000_1, "0.0001"),
            (-0.0, "-0"),
            (2.5, "2.5"),
        ] {
            assert_eq!(super::text(&Value::Float(value)), text);
        }
    }

    #[test]
    fn collections_print_as_in_go() {
        let map = Value::map([("b".into(), Value::int(2)), ("a".into(), Value::Nil)].into());
        assert_eq!(text(&map), "map[a:<nil> b:2]");
        assert_eq!(text(&Value::strings(["x", "y"])), "[x y]");
        assert_eq!(
            sprintf("%q", &[Value::strings(["x", "y"])]),
            "[\"x\" \"y\"]"
        );
        assert_eq!(
            sprint(&["a".into(), Value::int(1), Value::int(2), "b".into()]),
            "a1 2b"
        );
    }
}
