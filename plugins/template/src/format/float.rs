//! Floating-point numbers as `strconv.FormatFloat` writes them.

/// Writes a float as `strconv.FormatFloat(value, verb, precision, 64)` does.
pub fn float(value: f64, verb: char, precision: Option<usize>) -> String {
    if let Some(digits) = precision.filter(|digits| *digits > MAX_DIGITS) {
        return padded(float(value, verb, Some(MAX_DIGITS)), digits - MAX_DIGITS);
    }
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
        'x' => hexadecimal(value, precision, verb == 'X'),
        'b' => binary(value),
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

/// `0x1.8p+01`.
fn hexadecimal(value: f64, precision: Option<usize>, upper: bool) -> String {
    let bits = value.abs().to_bits();
    let mut exponent = (bits >> 52) as i64 - 1_023;
    let mut mantissa = bits & ((1 << 52) - 1);
    if value == 0.0 {
        exponent = 0;
    } else if bits >> 52 == 0 {
        let shift = mantissa.leading_zeros() - 11;
        exponent -= i64::from(shift) - 1;
        mantissa <<= shift;
    } else {
        mantissa |= 1 << 52;
    }
    // 1 + 52 bits, the 52 in thirteen hexadecimal digits.
    if let Some(digits) = precision.filter(|digits| *digits < 13) {
        let drop = 4 * (13 - digits);
        let (rest, half) = (mantissa & ((1 << drop) - 1), 1_u64 << (drop - 1));
        mantissa >>= drop;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= drop;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    match precision {
        Some(count) => {
            digits.truncate(count);
            digits.extend(std::iter::repeat_n('0', count - digits.len()));
        }
        None => digits.truncate(digits.trim_end_matches('0').len()),
    }
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let first = mantissa >> 52;
    let way = if exponent < 0 { '-' } else { '+' };
    let text = format!(
        "{sign}0x{first}{point}{digits}p{way}{:02}",
        exponent.unsigned_abs()
    );
    if upper { text.to_uppercase() } else { text }
}

/// `4503599627370496p-52`.
fn binary(value: f64) -> String {
    let bits = value.abs().to_bits();
    let (exponent, mantissa) = match bits >> 52 {
        0 => (1, bits),
        exponent => (exponent as i64, bits & ((1 << 52) - 1) | 1 << 52),
    };
    let power = exponent - 1_075;
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let way = if power < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}p{way}{}", power.unsigned_abs())
}

/// Digits after which a float has only zeros: its smallest part is 2 to the power of -1,074.
const MAX_DIGITS: usize = 1_100;

/// Adds zeros behind the digits, before the exponent.
fn padded(text: String, zeros: usize) -> String {
    if !text.contains('.') {
        return text;
    }
    let end = text.find(['e', 'E', 'p', 'P']).unwrap_or(text.len());
    let (digits, exponent) = text.split_at(end);
    format!("{digits}{}{exponent}", "0".repeat(zeros))
}
