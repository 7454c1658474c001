//! Go's `fmt` for the values of templates: `%v` and the other verbs, with their flags.

mod directive;
mod float;
mod verb;

use crate::depth::Level;
use crate::value::{IntType, Value};

pub use directive::sprintf;
pub use float::float;

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
        Value::Object(object) if Level::count() > 0 && object.is_bare_pointer() => {
            out.push_str(ADDRESS);
        }
        Value::Object(object) => out.push_str(&object.print()),
    }
}

/// What stands for the address that Go prints of a pointer inside a value.
pub const ADDRESS: &str = "0xc00000000000";

fn integer_text(value: i64, kind: IntType) -> String {
    match kind {
        IntType::Uint64 => (value as u64).to_string(),
        IntType::Named(name, _) => named_text(value, name),
        _ => value.to_string(),
    }
}

/// Writes an integer whose type has a say in how it prints.
fn named_text(value: i64, name: &str) -> String {
    let known: &[&str] = match name {
        "time.Duration" => return crate::duration::print(value),
        "time.Month" => &MONTHS,
        "time.Weekday" => &WEEKDAYS,
        _ => return value.to_string(),
    };
    let found = usize::try_from(value).ok().and_then(|at| known.get(at));
    found.map_or_else(|| value.to_string(), |name| (*name).to_owned())
}

/// From 1 on.
const MONTHS: [&str; 13] = [
    "%!Month(0)",
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
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn complex(real: f64, imaginary: f64) -> String {
    let imaginary = float(imaginary, 'g', None);
    let sign = if imaginary.starts_with(['-', '+']) {
        ""
    } else {
        "+"
    };
    format!("({}{sign}{imaginary}i)", float(real, 'g', None))
}

/// Formats as `fmt.Sprint` does: a space between operands when neither is a string.
pub fn sprint(arguments: &[Value]) -> String {
    spaced(arguments, plain)
}

/// The same, of what pointers point at: as functions that escape print their arguments.
pub(crate) fn sprint_shown(arguments: &[Value]) -> String {
    spaced(arguments, |argument, out| match argument {
        Value::Object(object) => out.push_str(&object.shown()),
        argument => plain(argument, out),
    })
}

fn spaced(arguments: &[Value], print: impl Fn(&Value, &mut String)) -> String {
    let mut out = String::new();
    let mut after_string = true;
    for (index, argument) in arguments.iter().enumerate() {
        let is_string = matches!(argument, Value::String(_));
        if index > 0 && !is_string && !after_string {
            out.push(' ');
        }
        print(argument, &mut out);
        after_string = is_string;
    }
    out
}

/// Formats as `fmt.Sprintln` does.
pub fn sprintln(arguments: &[Value]) -> String {
    let texts: Vec<String> = arguments.iter().map(text).collect();
    texts.join(" ") + "\n"
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
