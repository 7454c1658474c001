//! What a plain scalar means: YAML 1.1 as Go's yaml.v2 reads it, since that is what Flux and kubectl
//! read manifests with. `on` is true, `0777` is 511, `1_000` is 1000, a timestamp is text.

use serde_json::{Number, Value};

/// A scalar that has no value in JSON, or not the one that its tag asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScalarError(pub(super) String);

/// Returns the value of a plain scalar without a tag.
///
/// # Errors
/// `.nan` and `.inf`, which JSON does not have.
pub(super) fn resolve(text: &str) -> Result<Value, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(ScalarError(format!(
                "`{text}` has no value in JSON: quote it"
            )));
        }
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => float(text),
        Some(b'0'..=b'9' | b'+' | b'-') if !is_timestamp(text) => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| is_float(&plain).then(|| float(&plain)).flatten())
        }
        _ => None,
    };
    Ok(number.map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

/// Returns the value of a scalar with one of YAML's own tags (`int`, `float`, `bool`, `null`).
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Result<Value, ScalarError> {
    let value = resolve(text)?;
    let fits = match tag {
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err(ScalarError(format!("`{text}` is no {tag}")))
    }
}

/// Reads an integer as Go's `ParseInt` with base 0: decimal, `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        let value = i128::from(magnitude).checked_neg()?;
        return i64::try_from(value).ok().map(Number::from);
    }
    // Past i64 Kubernetes reads a float.
    i64::try_from(magnitude)
        .ok()
        .map(Number::from)
        .or_else(|| canonical(magnitude as f64))
}

/// Whether the text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)))
}

fn float(text: &str) -> Option<Number> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then(|| canonical(number)).flatten()
}

/// Writes a float that is a whole number as one, as it is after a journey through JSON in Go.
fn canonical(number: f64) -> Option<Number> {
    // The shortest digits that mean this float, without an exponent: what Go writes.
    let whole = (number.trunc() == number).then(|| number.to_string().parse::<i64>().ok());
    whole
        .flatten()
        .map(Number::from)
        .or_else(|| Number::from_f64(number))
}

/// Whether Go would see a timestamp, which stays text: `YYYY-M-D`, with a time behind or not.
///
/// More texts than Go's match; none of them is a number.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 5 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // Checked against sigs.k8s.io/yaml 1.6.
    #[test]
    fn a_plain_scalar_is_what_go_reads() {
        let cases = [
            ("yes", json!(true)),
            ("off", json!(false)),
            ("n", json!(false)),
            ("nO", json!("nO")),
            ("~", json!(null)),
            ("", json!(null)),
            ("0777", json!(511)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("-0b11", json!(-3)),
            ("08", json!(8)),
            ("1_000", json!(1000)),
            ("+5", json!(5)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("1.5", json!(1.5)),
            (".", json!(".")),
            ("-", json!("-")),
            ("1e400", json!("1e400")),
            ("12e03a4", json!("12e03a4")),
            ("2001-12-14", json!("2001-12-14")),
            ("1:30", json!("1:30")),
            ("100m", json!("100m")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("0x1p4", json!("0x1p4")),
            ("1__0", json!(10)),
            ("_1", json!("_1")),
            ("-0777", json!(-511)),
            ("+.5", json!(0.5)),
            ("._5", json!("._5")),
            ("1e16", json!(10_000_000_000_000_000_i64)),
            ("9007199254740993.0", json!(9_007_199_254_740_992_i64)),
            (
                "18446744073709551615",
                json!(18_446_744_073_709_551_615_f64),
            ),
        ];
        for (text, value) in cases {
            assert_eq!(resolve(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn infinity_is_refused() {
        assert!(resolve(".inf").is_err());
        assert!(resolve(".NaN").is_err());
    }

    #[test]
    fn a_tag_must_fit() {
        assert_eq!(resolve_tagged("int", "7"), Ok(json!(7)));
        assert_eq!(resolve_tagged("float", "7"), Ok(json!(7)));
        assert!(resolve_tagged("int", "seven").is_err());
    }
}
