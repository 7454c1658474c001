//! One value by one verb: Go's `fmt/format.go` and the part of `fmt/print.go` that walks values.

use super::{float, integer_text};
use crate::bytes;
use crate::depth::Level;
use crate::quote::{escape, is_print, quote};
use crate::value::{IntType, Object, Value};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub plus: bool,
    pub minus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
    /// `%#v`: as in Go's source.
    pub is_go: bool,
    /// `%+v`: with names of fields.
    pub has_names: bool,
}

/// What has been written.
#[derive(Default)]
pub(super) struct Writer {
    pub out: String,
    /// Whether a verb did not fit: values have no say in how they print then.
    is_bad: bool,
}

impl Writer {
    /// Writes an argument.
    pub(super) fn value(&mut self, value: &Value, verb: char, flags: Flags) {
        if verb == 'T' {
            return self.pad(&value.type_name(), flags);
        }
        if value.is_nil() {
            return match verb {
                'v' => self.pad("<nil>", flags),
                _ => self.out.push_str(&format!("%!{verb}(<nil>)")),
            };
        }
        self.walk(value, verb, flags);
    }

    /// Writes what a list or a map holds: nil is `<nil>` there, whatever the verb.
    fn nested(&mut self, value: &Value, verb: char, flags: Flags) {
        if !value.is_nil() {
            self.walk(value, verb, flags);
        } else if flags.is_go {
            self.out.push_str("interface {}(nil)");
        } else {
            self.out.push_str("<nil>");
        }
    }

    fn walk(&mut self, value: &Value, verb: char, flags: Flags) {
        let Some(_level) = Level::enter(self.out.len()) else {
            return;
        };
        match value {
            Value::Invalid | Value::Nil => {}
            // Only errors are wrapped, and no value is one.
            value if verb == 'w' => self.bad(value, verb, flags),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { "true" } else { "false" }, flags),
                _ => self.bad(value, verb, flags),
            },
            Value::Int(number, kind) => self.integer(*number, *kind, value, verb, flags),
            Value::Float(number) => self.float(*number, value, verb, flags),
            Value::Complex(real, imaginary) if "vbgGxXfFeE".contains(verb) => {
                self.out.push('(');
                self.float(*real, value, verb, flags);
                let flags = Flags {
                    plus: true,
                    ..flags
                };
                self.float(*imaginary, value, verb, flags);
                self.out.push_str("i)");
            }
            Value::Complex(..) => self.bad(value, verb, flags),
            Value::String(text) => self.string(text, value, verb, flags),
            Value::Bytes(data) if "sqxX".contains(verb) => {
                self.string(&bytes::to_text(data), value, verb, flags);
            }
            Value::Bytes(data) => {
                let item = |byte: &u8| Value::Int(i64::from(*byte), IntType::Uint8);
                let items: Vec<Value> = data.iter().map(item).collect();
                let is_inside = Level::count() > 1;
                let name = if is_inside { "[]uint8" } else { "[]byte" };
                self.list(name, items.iter(), verb, flags);
            }
            Value::List(list) if list.is_nil && flags.is_go => {
                self.out.push_str(&format!("{}(nil)", value.type_name()));
            }
            Value::List(list) => self.list(&value.type_name(), list.items.iter(), verb, flags),
            Value::Map(map) if map.is_nil && flags.is_go => {
                self.out.push_str(&format!("{}(nil)", map.type_name));
            }
            Value::Map(map) => {
                let entry = |(key, item): (&std::rc::Rc<str>, &Value)| {
                    (Value::String(key.clone()), item.clone())
                };
                let entries: Vec<_> = map.entries.borrow().iter().map(entry).collect();
                self.map(map.type_name, entries, verb, flags);
            }
            Value::Object(object) => self.object(object.as_ref(), value, verb, flags),
        }
    }

    fn list<'v>(
        &mut self,
        name: &str,
        items: impl Iterator<Item = &'v Value>,
        verb: char,
        flags: Flags,
    ) {
        let (open, between, close) = match flags.is_go {
            true => ("{", ", ", "}"),
            false => ("[", " ", "]"),
        };
        if flags.is_go {
            self.out.push_str(name);
        }
        self.out.push_str(open);
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push_str(between);
            }
            self.nested(item, verb, flags);
        }
        self.out.push_str(close);
    }

    fn map(&mut self, name: &str, entries: Vec<(Value, Value)>, verb: char, flags: Flags) {
        let (open, between, close) = match flags.is_go {
            true => ("{", ", ", "}"),
            false => ("map[", " ", "]"),
        };
        if flags.is_go {
            self.out.push_str(name);
        }
        self.out.push_str(open);
        for (index, (key, item)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push_str(between);
            }
            self.walk(key, verb, flags);
            self.out.push(':');
            self.nested(item, verb, flags);
        }
        self.out.push_str(close);
    }

    fn object(&mut self, object: &dyn Object, value: &Value, verb: char, flags: Flags) {
        let has_say = !self.is_bad && object.is_stringer();
        if Level::count() > 1 && object.is_bare_pointer() {
            return self.pointer(object, verb, flags);
        }
        if has_say && !flags.is_go && "vsxXq".contains(verb) {
            let text = object.print();
            return self.string(&text, &Value::from(text.as_str()), verb, flags);
        }
        if let Some(entries) = object.entries() {
            return match object.kind() {
                "map" => self.map(object.type_name(), entries, verb, flags),
                _ => {
                    let items = entries.iter().map(|(_, item)| item);
                    self.list(object.type_name(), items, verb, flags);
                }
            };
        }
        match object.parts() {
            Some(parts) => self.fields(object.type_name(), parts, verb, flags),
            None if self.is_bad => self.out.push_str(&object.raw()),
            None if flags.is_go => self.out.push_str(&object.go_syntax()),
            None if "vsxXq".contains(verb) => self.out.push_str(&object.print()),
            None => self.bad(value, verb, flags),
        }
    }

    /// A pointer inside another value: its address, and all of it where that does not fit.
    fn pointer(&mut self, object: &dyn Object, verb: char, flags: Flags) {
        let name = object.type_name();
        match verb {
            'v' if flags.is_go => self.out.push_str(&format!("({name})({})", super::ADDRESS)),
            'v' | 'p' | 'b' | 'o' | 'd' | 'x' | 'X' => self.pad(super::ADDRESS, flags),
            _ => {
                let outer = std::mem::replace(&mut self.is_bad, true);
                self.out.push_str(&format!("%!{verb}({name}="));
                self.fields(name, object.parts().unwrap_or_default(), 'v', flags);
                self.out.push(')');
                self.is_bad = outer;
            }
        }
    }

    fn fields(&mut self, name: &str, parts: Vec<(&str, Value)>, verb: char, flags: Flags) {
        if let Some(target) = name.strip_prefix('*') {
            self.out.push('&');
            return self.fields(target, parts, verb, flags);
        }
        if flags.is_go {
            self.out.push_str(name);
        }
        self.out.push('{');
        for (index, (name, part)) in parts.iter().enumerate() {
            if index > 0 {
                self.out.push_str(if flags.is_go { ", " } else { " " });
            }
            if flags.is_go || flags.has_names {
                self.out.push_str(name);
                self.out.push(':');
            }
            self.nested(part, verb, flags);
        }
        self.out.push('}');
    }

    /// Says that a verb does not fit; the value is written with the flags all the same.
    fn bad(&mut self, value: &Value, verb: char, flags: Flags) {
        let outer = std::mem::replace(&mut self.is_bad, true);
        self.out
            .push_str(&format!("%!{verb}({}=", value.type_name()));
        self.walk(value, 'v', flags);
        self.out.push(')');
        self.is_bad = outer;
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

    fn pad_with_space(&mut self, text: &str, flags: Flags) {
        let flags = Flags {
            zero: false,
            ..flags
        };
        self.pad(text, flags);
    }

    fn integer(&mut self, number: i64, kind: IntType, value: &Value, verb: char, flags: Flags) {
        let has_say = matches!(kind, IntType::Named(..)) && !self.is_bad;
        if has_say && !flags.is_go && "vsxXq".contains(verb) {
            let text = integer_text(number, kind);
            return self.string(&text, &Value::from(text.as_str()), verb, flags);
        }
        let (is_negative, magnitude) = match kind.is_signed() {
            true => (number < 0, number.unsigned_abs()),
            false => (false, number as u64),
        };
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        let (digits, prefix) = match verb {
            'v' if flags.is_go && !kind.is_signed() => (format!("{magnitude:x}"), "0x"),
            'v' | 'd' => (magnitude.to_string(), ""),
            'b' => (format!("{magnitude:b}"), "0b"),
            'o' => (format!("{magnitude:o}"), "0"),
            'O' => (format!("{magnitude:o}"), "0o"),
            'x' => (format!("{magnitude:x}"), "0x"),
            'X' => (format!("{magnitude:X}"), "0X"),
            'c' => return self.pad(&c.unwrap_or('\u{fffd}').to_string(), flags),
            'q' => {
                let mut text = String::from("'");
                escape(&mut text, c.unwrap_or('\u{fffd}'), '\'', flags.plus);
                text.push('\'');
                return self.pad(&text, flags);
            }
            'U' => return self.code_point(number as u64, c, flags),
            _ => return self.bad(value, verb, flags),
        };
        let has_prefix = flags.sharp || verb == 'O' || verb == 'v';
        let sign = match (is_negative, flags.plus, flags.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let least = match (flags.precision, flags.width) {
            (Some(0), _) if magnitude == 0 => return self.pad_with_space("", flags),
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(sign.len()),
            _ => 0,
        };
        let digits = format!("{digits:0>least$}");
        // An octal number that starts with a zero needs no other.
        let prefix = match has_prefix && !(verb == 'o' && digits.starts_with('0')) {
            true => prefix,
            false => "",
        };
        self.pad_with_space(&format!("{sign}{prefix}{digits}"), flags);
    }

    fn code_point(&mut self, code: u64, c: Option<char>, flags: Flags) {
        let least = flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{code:0least$X}");
        if let (true, Some(c)) = (flags.sharp, c.filter(|c| is_print(*c))) {
            text.push_str(&format!(" '{c}'"));
        }
        self.pad_with_space(&text, flags);
    }

    fn float(&mut self, number: f64, value: &Value, verb: char, flags: Flags) {
        let (form, precision) = match verb {
            'v' => ('g', flags.precision),
            'F' => ('f', flags.precision.or(Some(6))),
            'e' | 'E' | 'f' => (verb, flags.precision.or(Some(6))),
            'b' => (verb, None),
            'g' | 'G' | 'x' | 'X' => (verb, flags.precision),
            _ => return self.bad(value, verb, flags),
        };
        let text = float(number, form, precision);
        let (sign, digits) = match text.strip_prefix(['+', '-']) {
            Some(digits) => (&text[..1], digits),
            None => ("+", text.as_str()),
        };
        let sign = match sign {
            "+" if flags.space && !flags.plus => " ",
            sign => sign,
        };
        if !number.is_finite() {
            let shown = match number.is_nan() && !flags.space && !flags.plus {
                true => digits.to_owned(),
                false => format!("{sign}{digits}"),
            };
            return self.pad_with_space(&shown, flags);
        }
        let digits = match flags.sharp && verb != 'b' {
            true => with_point(digits, form, precision),
            false => digits.to_owned(),
        };
        if sign == "+" && !flags.plus {
            return self.pad(&digits, flags);
        }
        let width = flags.width.unwrap_or(0);
        if flags.zero && !flags.minus && width > digits.len() + 1 {
            self.out.push_str(sign);
            let zeros = width - digits.len() - 1;
            self.out.extend(std::iter::repeat_n('0', zeros));
            return self.out.push_str(&digits);
        }
        self.pad(&format!("{sign}{digits}"), flags);
    }

    fn string(&mut self, text: &str, value: &Value, verb: char, flags: Flags) {
        let cut = || match flags.precision {
            Some(precision) => match text.char_indices().nth(precision) {
                Some((end, _)) => &text[..end],
                None => text,
            },
            None => text,
        };
        match verb {
            'v' if flags.is_go => match value {
                Value::Bytes(_) => self.walk(value, verb, flags),
                _ => self.pad(&quoted(cut(), flags), flags),
            },
            's' | 'v' => self.pad(cut(), flags),
            'q' => self.pad(&quoted(cut(), flags), flags),
            'x' | 'X' => self.hexadecimal(text, verb, flags),
            _ => self.bad(value, verb, flags),
        }
    }

    fn hexadecimal(&mut self, text: &str, verb: char, flags: Flags) {
        let data = bytes::of(text);
        let data = &data[..flags.precision.unwrap_or(data.len()).min(data.len())];
        let prefix = match (flags.sharp, verb) {
            (false, _) => "",
            (true, 'x') => "0x",
            (true, _) => "0X",
        };
        let mut hex = String::new();
        for (index, byte) in data.iter().enumerate() {
            if index > 0 && flags.space {
                hex.push(' ');
            }
            if index == 0 || flags.space {
                hex.push_str(prefix);
            }
            hex.push_str(&match verb {
                'x' => format!("{byte:02x}"),
                _ => format!("{byte:02X}"),
            });
        }
        self.pad(&hex, flags);
    }
}

fn quoted(text: &str, flags: Flags) -> String {
    let is_raw = |c: char| c == '\t' || !(c.is_ascii_control() || matches!(c, '`' | '\u{feff}'));
    if flags.sharp && text.chars().all(is_raw) && !bytes::has_any(text) {
        return format!("`{text}`");
    }
    if !flags.plus {
        return quote(text);
    }
    let mut out = String::from("\"");
    text.chars().for_each(|c| escape(&mut out, c, '"', true));
    out + "\""
}

/// `%#g`: a point always, and no digit dropped.
fn with_point(text: &str, form: char, precision: Option<usize>) -> String {
    let mut missing = match form {
        'g' | 'G' | 'x' => precision.unwrap_or(6) as i64,
        _ => 0,
    };
    let is_tail = |c: char| match c {
        'p' | 'P' => true,
        'e' | 'E' => !matches!(form, 'x' | 'X'),
        _ => false,
    };
    let (digits, tail) = text.split_at(text.find(is_tail).unwrap_or(text.len()));
    let mut seen = false;
    for c in digits.chars().filter(|c| *c != '.') {
        seen |= c != '0';
        missing -= i64::from(seen);
    }
    let mut out = digits.to_owned();
    if !digits.contains('.') {
        if digits == "0" {
            missing -= 1;
        }
        out.push('.');
    }
    out.extend(std::iter::repeat_n(
        '0',
        usize::try_from(missing).unwrap_or(0),
    ));
    out + tail
}
