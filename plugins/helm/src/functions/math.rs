//! Sprig's functions on numbers.

use bulkhead_template::{Function, IntType, Param, Run, Value, fixed, format, variadic};

use super::{Answer, context, int_of, text_of, to_float, to_int};
use crate::decimal::Decimal;

const I: Param = Param::Int;
const A: Param = Param::Any;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "atoi",
        fixed(&[Param::String], |_, a| {
            Ok(Value::int(atoi(text_of(&a[0]))))
        }),
    ),
    ("int", fixed(&[A], |_, a| Ok(Value::int(to_int(&a[0]))))),
    ("int64", fixed(&[A], |_, a| Ok(int64(to_int(&a[0]))))),
    (
        "float64",
        fixed(&[A], |_, a| Ok(Value::Float(to_float(&a[0])))),
    ),
    (
        "toDecimal",
        fixed(&[A], |_, a| {
            let text = format::sprint(std::slice::from_ref(&a[0]));
            Ok(int64(octal(&text)))
        }),
    ),
    (
        "add1",
        fixed(&[A], |_, a| Ok(int64(to_int(&a[0]).wrapping_add(1)))),
    ),
    (
        "add",
        variadic(&[], A, |_, a| {
            Ok(int64(a.iter().map(to_int).fold(0, i64::wrapping_add)))
        }),
    ),
    (
        "sub",
        fixed(&[A, A], |_, a| {
            Ok(int64(to_int(&a[0]).wrapping_sub(to_int(&a[1]))))
        }),
    ),
    ("div", fixed(&[A, A], |_, a| divided(a, i64::wrapping_div))),
    ("mod", fixed(&[A, A], |_, a| divided(a, i64::wrapping_rem))),
    (
        "mul",
        variadic(&[A], A, |_, a| {
            Ok(int64(a.iter().map(to_int).fold(1, i64::wrapping_mul)))
        }),
    ),
    (
        "max",
        variadic(&[A], A, |_, a| {
            Ok(int64(a.iter().map(to_int).max().unwrap_or(0)))
        }),
    ),
    (
        "biggest",
        variadic(&[A], A, |_, a| {
            Ok(int64(a.iter().map(to_int).max().unwrap_or(0)))
        }),
    ),
    (
        "min",
        variadic(&[A], A, |_, a| {
            Ok(int64(a.iter().map(to_int).min().unwrap_or(0)))
        }),
    ),
    ("maxf", variadic(&[A], A, |_, a| Ok(folded(a, go_max)))),
    ("minf", variadic(&[A], A, |_, a| Ok(folded(a, go_min)))),
    (
        "add1f",
        fixed(&[A], |_, a| {
            decimals(&[a[0].clone(), Value::int(1)], |a, b| Ok(a.add(b)))
        }),
    ),
    (
        "addf",
        variadic(&[], A, |_, a| {
            let all: Vec<Value> = std::iter::once(Value::Float(0.0))
                .chain(a.iter().cloned())
                .collect();
            decimals(&all, |a, b| Ok(a.add(b)))
        }),
    ),
    (
        "subf",
        variadic(&[A], A, |_, a| decimals(a, |a, b| Ok(a.sub(b)))),
    ),
    (
        "mulf",
        variadic(&[A], A, |_, a| decimals(a, |a, b| Ok(a.mul(b)))),
    ),
    ("divf", variadic(&[A], A, |_, a| decimals(a, Decimal::div))),
    (
        "ceil",
        fixed(&[A], |_, a| Ok(Value::Float(to_float(&a[0]).ceil()))),
    ),
    (
        "floor",
        fixed(&[A], |_, a| Ok(Value::Float(to_float(&a[0]).floor()))),
    ),
    ("round", variadic(&[A, I], Param::Float, round)),
    ("randInt", fixed(&[I, I], rand_int)),
];

fn int64(number: i64) -> Value {
    Value::Int(number, IntType::Int64)
}

/// `strconv.Atoi` with its error swallowed: what is too large becomes the largest.
pub(super) fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let bound = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    text.parse().unwrap_or(bound)
}

fn octal(text: &str) -> i64 {
    i64::from_str_radix(text, 8).unwrap_or(0)
}

fn divided(args: &[Value], operation: fn(i64, i64) -> i64) -> Answer {
    let (a, b) = (to_int(&args[0]), to_int(&args[1]));
    if b == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(int64(operation(a, b)))
}

fn go_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        // 0 is more than -0.
        if a.is_sign_negative() { b } else { a }
    } else {
        a.max(b)
    }
}

fn go_min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else {
        a.min(b)
    }
}

fn folded(args: &[Value], operation: fn(f64, f64) -> f64) -> Value {
    let numbers = args.iter().map(to_float);
    Value::Float(numbers.reduce(operation).unwrap_or(0.0))
}

type Operation = fn(&Decimal, &Decimal) -> Result<Decimal, &'static str>;

fn decimals(args: &[Value], operation: Operation) -> Answer {
    let mut numbers = args.iter().map(|arg| Decimal::from_float(to_float(arg)));
    let Some(first) = numbers.next() else {
        return Ok(Value::Float(0.0));
    };
    let mut result = first?;
    for number in numbers {
        result = operation(&result, &number?)?;
    }
    Ok(Value::Float(result.to_float()))
}

fn round(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let on = match args.get(2) {
        Some(Value::Float(on)) => *on,
        _ => 0.5,
    };
    let power = 10f64.powi(int_of(&args[1]).clamp(-1_000, 1_000) as i32);
    let digit = power * to_float(&args[0]);
    let rounded = if digit.fract() >= on {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(rounded / power))
}

fn rand_int(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let (low, high) = (int_of(&args[0]), int_of(&args[1]));
    let span = high.wrapping_sub(low);
    let span = u64::try_from(span).ok().filter(|span| *span > 0);
    let span = span.ok_or("invalid argument to Intn")?;
    let number = context(run)?.random.borrow_mut().below(span);
    Ok(Value::int(low.wrapping_add(number as i64)))
}
