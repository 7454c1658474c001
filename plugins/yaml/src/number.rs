//! Floats as Go writes them: in YAML (`strconv` with `'g'`) and in JSON (`encoding/json`).

/// The shortest digits that read back as the same number, and the power of ten
/// of the first: sign, digits, exponent.
fn digits(text: &str) -> (bool, String, i32) {
    // Rust's `{:e}` gives the same shortest digits as Go: `-1.25e-7`.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let negative = mantissa.starts_with('-');
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    (negative, digits, exponent.parse::<i32>().unwrap_or(0))
}

/// Go's `%e`, without the exponent's sign rules: `d.ddde±XX`.
fn scientific(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs())
}

/// Go's `%f`: all digits, no exponent.
fn positional(digits: &str, exponent: i32) -> String {
    let count = digits.len() as i32;
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    if count <= exponent + 1 {
        return format!("{digits}{}", "0".repeat((exponent + 1 - count) as usize));
    }
    let (whole, fraction) = digits.split_at((exponent + 1) as usize);
    format!("{whole}.{fraction}")
}

/// Go's `FormatFloat(number, 'g', -1, …)` of a number written with `{:e}`.
fn general(text: &str) -> String {
    let (negative, digits, exponent) = digits(text);
    let body = if (-4..6).contains(&exponent) {
        positional(&digits, exponent)
    } else {
        scientific(&digits, exponent)
    };
    if negative { format!("-{body}") } else { body }
}

/// A float as Go prints it in messages.
pub(crate) fn go_float(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => yaml_float(number),
    }
}

/// A float as go-yaml writes it.
pub(crate) fn yaml_float(number: f64) -> String {
    special(number).unwrap_or_else(|| general(&format!("{number:e}")))
}

/// A float as sigs.k8s.io/yaml turns it into a key: through 32 bits.
pub(crate) fn yaml_float32(number: f64) -> String {
    let short = number as f32;
    special(f64::from(short)).unwrap_or_else(|| general(&format!("{short:e}")))
}

fn special(number: f64) -> Option<String> {
    let text = match number {
        number if number.is_nan() => ".nan",
        f64::INFINITY => ".inf",
        f64::NEG_INFINITY => "-.inf",
        _ => return None,
    };
    Some(text.to_owned())
}

/// A float as `encoding/json` writes it; nothing where it refuses.
pub(crate) fn json_float(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let (negative, digits, exponent) = digits(&format!("{number:e}"));
    let magnitude = number.abs();
    let body = if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        // Go trims `e-09` to `e-9`, but leaves `e+21`.
        scientific(&digits, exponent).replace("e-0", "e-")
    } else {
        positional(&digits, exponent)
    };
    Some(if negative { format!("-{body}") } else { body })
}

/// A float as go-yaml writes it after it was JSON: without a fraction it is a whole number, as far
/// as 64 bits go.
pub(crate) fn json_yaml_float(number: f64) -> String {
    match json_float(number) {
        Some(text)
            if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-') =>
        {
            let whole = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
            match text.as_str() {
                "-0" => "0".to_owned(),
                _ if whole => text,
                _ => yaml_float(number),
            }
        }
        _ => yaml_float(number),
    }
}
