//! `fmt.Sprintf`: takes a format apart, flags, widths and numbers of arguments included.

use super::verb::{Flags, Writer};
use crate::value::Value;

/// Widest field, and longest precision, that a format may ask for.
const MAX_WIDTH: i64 = 1_000_000;

/// Formats as `fmt.Sprintf` does.
pub fn sprintf(format: &str, arguments: &[Value]) -> String {
    Printer {
        format,
        at: 0,
        arguments,
        next: 0,
        is_reordered: false,
        is_good: true,
        writer: Writer::default(),
    }
    .run()
}

struct Printer<'a> {
    format: &'a str,
    at: usize,
    arguments: &'a [Value],
    next: usize,
    is_reordered: bool,
    /// Whether all numbers of arguments in this directive name one.
    is_good: bool,
    writer: Writer,
}

impl Printer<'_> {
    fn run(mut self) -> String {
        while let Some(offset) = self.rest().find('%') {
            let text = &self.format[self.at..self.at + offset];
            self.writer.out.push_str(text);
            self.at += offset + 1;
            self.directive();
        }
        self.writer.out.push_str(&self.format[self.at..]);
        if !self.is_reordered && self.next < self.arguments.len() {
            self.extra();
        }
        self.writer.out
    }

    fn extra(&mut self) {
        self.writer.out.push_str("%!(EXTRA ");
        for (index, argument) in self.arguments[self.next..].iter().enumerate() {
            if index > 0 {
                self.writer.out.push_str(", ");
            }
            if argument.is_nil() {
                self.writer.out.push_str("<nil>");
            } else {
                self.writer.out.push_str(&argument.type_name());
                self.writer.out.push('=');
                self.writer.value(argument, 'v', Flags::default());
            }
        }
        self.writer.out.push(')');
    }

    fn rest(&self) -> &str {
        &self.format[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.format.as_bytes().get(self.at).copied()
    }

    fn directive(&mut self) {
        let mut flags = Flags::default();
        self.is_good = true;
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let after_width = self.width(&mut flags);
        let mut after_index = after_width;
        if self.peek() == Some(b'.') {
            self.at += 1;
            // An argument is not named before a precision: "%[3].2d".
            self.is_good &= !after_width;
            after_index = self.precision(&mut flags);
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest().chars().next() else {
            self.writer.out.push_str("%!(NOVERB)");
            return;
        };
        self.at += verb.len_utf8();
        self.apply(verb, flags);
    }

    fn apply(&mut self, verb: char, mut flags: Flags) {
        if verb == '%' {
            self.writer.out.push('%');
        } else if !self.is_good {
            self.writer.out.push_str(&format!("%!{verb}(BADINDEX)"));
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            if verb == 'v' {
                flags.is_go = std::mem::take(&mut flags.sharp);
                flags.has_names = std::mem::take(&mut flags.plus);
            }
            self.writer.value(argument, verb, flags);
        } else {
            self.writer.out.push_str(&format!("%!{verb}(MISSING)"));
        }
    }

    /// Takes a width; tells whether the number of an argument stands right before here.
    fn width(&mut self, flags: &mut Flags) -> bool {
        let after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            let width = self.argument_number();
            if width.is_none() {
                self.writer.out.push_str("%!(BADWIDTH)");
            }
            if width.is_some_and(|width| width < 0) {
                flags.minus = true;
                flags.zero = false;
            }
            flags.width = width.map(|width| width.unsigned_abs() as usize);
            return false;
        }
        flags.width = self.number();
        self.is_good &= !(after_index && flags.width.is_some());
        after_index
    }

    /// Takes what follows a point; tells what [`Self::width`] tells.
    fn precision(&mut self, flags: &mut Flags) -> bool {
        let after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            let precision = self.argument_number();
            flags.precision = precision.and_then(|precision| usize::try_from(precision).ok());
            if flags.precision.is_none() {
                self.writer.out.push_str("%!(BADPREC)");
            }
            return false;
        }
        flags.precision = Some(self.number().unwrap_or(0));
        after_index
    }

    fn argument_number(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next);
        self.next += usize::from(argument.is_some());
        match argument {
            Some(Value::Int(number, _)) if number.unsigned_abs() <= MAX_WIDTH as u64 => {
                Some(*number)
            }
            _ => None,
        }
    }

    /// Takes digits. One number that is too large ends the format.
    fn number(&mut self) -> Option<usize> {
        let mut number: Option<i64> = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            if number.is_some_and(|number| number > MAX_WIDTH) {
                self.at = self.format.len();
                return None;
            }
            number = Some(number.unwrap_or(0) * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.map(|number| number as usize)
    }

    /// Takes `[3]`, which names the next argument; tells whether there was one of that form.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.is_reordered = true;
        let Some(end) = self.rest().find(']') else {
            self.is_good = false;
            self.at += 1;
            return false;
        };
        let digits = &self.rest()[1..end];
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<usize>().ok().filter(|_| is_number);
        self.at += end + 1;
        match number {
            Some(number) if (1..=self.arguments.len()).contains(&number) => {
                self.next = number - 1;
            }
            _ => self.is_good = false,
        }
        is_number && number.is_some_and(|number| number as i64 <= MAX_WIDTH)
    }
}
