//! The formats of texts that JSON Schema knows, as jsonschema/v6 checks them up to draft 7.
//!
//! In: a format's name and a text. Out: why the text is not of that format. Names that are not known
//! fit every text.

use crate::functions::compile;
use crate::time::parse::{parse as parse_time, quote};

type Told = Option<String>;

fn told(text: impl Into<String>) -> Told {
    Some(text.into())
}

/// Tells why a text is not of a format; `None` if it is.
pub(super) fn check(name: &str, text: &str) -> Told {
    match name {
        "regex" => compile(text).err(),
        "json-pointer" => pointer(text),
        "relative-json-pointer" => relative_pointer(text),
        "uuid" => uuid(text),
        "duration" => duration(text),
        "period" => period(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "hostname" => hostname(text),
        "email" => email(text),
        "date" => date(text),
        "time" => time(text),
        "date-time" => date_time(text),
        "uri" | "iri" => match url(text) {
            Ok(true) => None,
            Ok(false) => told("relative url"),
            Err(error) => Some(error),
        },
        "uri-reference" | "iri-reference" if text.contains('\\') => told("contains \\"),
        "uri-reference" | "iri-reference" | "uri-template" => url(text).err(),
        "semver" => semver(text),
        _ => None,
    }
}

/// How Go quotes a character.
fn quoted(c: char) -> String {
    bulkhead_template::format::sprintf("%q", &[bulkhead_template::Value::int(c as i64)])
}

fn pointer(text: &str) -> Told {
    if text.is_empty() {
        return None;
    }
    let Some(rest) = text.strip_prefix('/') else {
        return told("not starting with /");
    };
    let is_escaped = |part: &str| {
        let mut after = part.split('~').skip(1);
        after.all(|after| after.starts_with(['0', '1']))
    };
    if rest.split('/').all(is_escaped) {
        None
    } else {
        told("~ must be followed by 0 or 1")
    }
}

fn relative_pointer(text: &str) -> Told {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match digits {
        0 => told("must start with non-negative integer"),
        2.. if text.starts_with('0') => told("starts with zero"),
        _ if &text[digits..] == "#" => None,
        _ => pointer(&text[digits..]),
    }
}

fn uuid(text: &str) -> Told {
    let wanted = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != wanted.len() {
        return told("must have 5 elements");
    }
    for (index, (group, wanted)) in groups.iter().zip(wanted).enumerate() {
        if group.len() != wanted {
            let element = index + 1;
            return told(format!(
                "element {element} must be {wanted} characters long"
            ));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return told(format!("non-hex character {}", quoted(c)));
        }
    }
    None
}

fn duration(text: &str) -> Told {
    let Some(rest) = text.strip_prefix('P') else {
        return told("must start with P");
    };
    if rest.is_empty() {
        return told("nothing after P");
    }
    if let Some(weeks) = rest.strip_suffix('W') {
        return match weeks {
            "" => told("no number in week"),
            weeks if weeks.bytes().all(|byte| byte.is_ascii_digit()) => None,
            _ => told("invalid week"),
        };
    }
    for (index, mut part) in rest.split('T').enumerate() {
        if index > 0 && part.is_empty() {
            return told("no time elements");
        }
        let Some(all) = ["YMD", "HMS"].get(index) else {
            return told("more than one T");
        };
        let mut units = *all;
        while !part.is_empty() {
            let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
            if after.len() == part.len() {
                return told("missing number");
            }
            let Some(unit) = after.chars().next() else {
                return told("missing unit");
            };
            match units.find(unit) {
                Some(at) => units = &units[at + 1..],
                None if all.contains(unit) => {
                    return told(format!("unit {} out of order", quoted(unit)));
                }
                None => return told(format!("invalid unit {}", quoted(unit))),
            }
            part = &after[unit.len_utf8()..];
        }
    }
    None
}

fn period(text: &str) -> Told {
    let Some((start, end)) = text.split_once('/') else {
        return told("missing slash");
    };
    let named = |name: &str, told: Told| told.map(|told| format!("invalid {name}: {told}"));
    if start.starts_with('P') {
        return named("start duration", duration(start))
            .or_else(|| named("end date-time", date_time(end)));
    }
    named("start date-time", date_time(start)).or_else(|| match end.starts_with('P') {
        true => named("end duration", duration(end)),
        false => named("end date-time", date_time(end)),
    })
}

fn ipv4(text: &str) -> Told {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return told("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return told("leading zeros");
        }
        let digits = group.strip_prefix(['+', '-']).unwrap_or(group);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return told(format!(
                "strconv.Atoi: parsing {}: invalid syntax",
                quote(group)
            ));
        }
        match group.parse::<i64>() {
            Ok(0..=255) => {}
            Ok(_) => return told("decimal must be between 0 and 255"),
            Err(_) => {
                return told(format!(
                    "strconv.Atoi: parsing {}: value out of range",
                    quote(group)
                ));
            }
        }
    }
    None
}

fn ipv6(text: &str) -> Told {
    if !text.contains(':') {
        return told("missing colon");
    }
    let (address, zone) = text
        .split_once('%')
        .map_or((text, None), |(a, z)| (a, Some(z)));
    match (address.parse::<std::net::Ipv6Addr>(), zone) {
        (Err(_), _) | (_, Some("")) => {
            told(format!("ParseAddr({}): unable to parse IP", quote(text)))
        }
        (Ok(_), Some(_)) => told("zone id is not a part of ipv6 address"),
        (Ok(_), None) => None,
    }
}

fn hostname(text: &str) -> Told {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return told("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return told("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return told("label starts with hyphen");
        }
        if label.ends_with('-') {
            return told("label ends with hyphen");
        }
        if let Some(c) = label
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || *c == '-'))
        {
            return told(format!("invalid character {}", quoted(c)));
        }
    }
    None
}

fn email(text: &str) -> Told {
    if text.len() > 254 {
        return told("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return told("missing @");
    };
    local_part(local).or_else(|| {
        let inside = domain
            .strip_prefix('[')
            .and_then(|domain| domain.strip_suffix(']'));
        let (name, told) = match inside {
            None => ("domain", hostname(domain)),
            Some(inside) => match inside.strip_prefix("IPv6:") {
                Some(address) => ("ipv6 address", ipv6(address)),
                None => ("ipv4 address", ipv4(inside)),
            },
        };
        told.map(|told| format!("invalid {name}: {told}"))
    })
}

fn local_part(local: &str) -> Told {
    if local.len() > 64 {
        return told("local part more than 64 characters long");
    }
    let quoted_part = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    if let Some(inner) = quoted_part {
        return match inner.contains(['\\', '"']) {
            true => told("backslash and quote are not allowed within quoted local part"),
            false => None,
        };
    }
    if local.starts_with('.') {
        return told("starts with dot");
    }
    if local.ends_with('.') {
        return told("ends with dot");
    }
    if local.contains("..") {
        return told("consecutive dots");
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    local
        .chars()
        .find(|c| !fits(*c))
        .map(|c| format!("invalid character {}", quoted(c)))
}

fn date(text: &str) -> Told {
    parse_time("2006-01-02", text).err()
}

/// A whole number with a sign, as `strconv.Atoi` takes it.
fn whole(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn time(text: &str) -> Told {
    let text = text.as_bytes();
    if text.len() < 9 {
        return told("less than 9 characters long");
    }
    if text[2] != b':' || text[5] != b':' {
        return told("missing colon in correct place");
    }
    let mut parts = [0; 3];
    for (part, digits) in parts.iter_mut().zip(text[..8].split(|byte| *byte == b':')) {
        match whole(digits) {
            None => return told("invalid hour/min/sec"),
            Some(..0) => return told("non-positive hour/min/sec"),
            Some(number) => *part = number,
        }
    }
    let [mut hour, mut minute, second] = parts;
    if hour > 23 || minute > 59 || second > 60 {
        return told("hour/min/sec out of range");
    }
    let mut rest = &text[8..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            return told("no digits in second fraction");
        }
        rest = &fraction[digits..];
    }
    if !matches!(rest, b"z" | b"Z") {
        match offset(rest) {
            Err(error) => return told(error),
            Ok(offset) => {
                let minutes = (hour * 60 + minute - offset).rem_euclid(24 * 60);
                (hour, minute) = (minutes / 60, minutes % 60);
            }
        }
    }
    match second >= 60 && (hour != 23 || minute != 59) {
        true => told("invalid leap second"),
        false => None,
    }
}

/// The minutes of `+01:30`.
fn offset(text: &[u8]) -> Result<i64, &'static str> {
    let [sign, a, b, colon, c, d] = text else {
        return Err("offset must be 6 characters long");
    };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return Err("offset must begin with plus/minus"),
    };
    if *colon != b':' {
        return Err("missing colon in offset in correct place");
    }
    let part = |digits: [u8; 2]| match whole(&digits) {
        None => Err("invalid hour/min in offset"),
        Some(..0) => Err("non-positive hour/min in offset"),
        Some(number) => Ok(number),
    };
    let (hours, minutes) = (part([*a, *b])?, part([*c, *d])?);
    if hours > 23 || minutes > 59 {
        return Err("hour/min in offset out of range");
    }
    Ok(sign * (hours * 60 + minutes))
}

fn date_time(text: &str) -> Told {
    if text.len() < 20 {
        return told("less than 20 characters long");
    }
    let (Some(day), Some(clock)) = (text.get(..10), text.get(11..)) else {
        return told("11th character must be t or T");
    };
    if !matches!(text.as_bytes()[10], b't' | b'T') {
        return told("11th character must be t or T");
    }
    let named = |name: &str, told: Told| told.map(|told| format!("invalid {name} element: {told}"));
    named("date", date(day)).or_else(|| named("time", time(clock)))
}

/// Tells whether a URL names its scheme.
fn url(text: &str) -> Result<bool, String> {
    let (is_absolute, host) = crate::functions::read_url(text)?;
    let name = host
        .rsplit_once("]:")
        .map_or(host.as_str(), |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if host.starts_with('[')
        && name.contains(':')
        && let Some(error) = ipv6(name)
    {
        return Err(format!("invalid ipv6 address: {error}"));
    }
    Ok(is_absolute)
}

fn semver(text: &str) -> Told {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (rest, build) = text
        .split_once('+')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    if build == Some("") {
        return told("build is empty");
    }
    for part in build.into_iter().flat_map(|build| build.split('.')) {
        if part.is_empty() {
            return told("build identifier is empty");
        }
        if let Some(c) = part.chars().find(|c| !is_name(*c)) {
            return told(format!(
                "invalid character {} in build identifier",
                quoted(c)
            ));
        }
    }
    let (core, before) = rest
        .split_once('-')
        .map_or((rest, None), |(a, b)| (a, Some(b)));
    for part in before.into_iter().flat_map(|before| before.split('.')) {
        if part.is_empty() {
            return told("pre-release identifier is empty");
        }
        if let Some(c) = part.chars().find(|c| !is_name(*c)) {
            return told(format!(
                "invalid character {} in pre-release identifier",
                quoted(c)
            ));
        }
        if part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()) {
            return told("pre-release numeric identifier starts with zero");
        }
    }
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 {
        return told("versionCore must have 3 numbers separated by dot");
    }
    for (number, name) in numbers.iter().zip(["major", "minor", "patch"]) {
        if number.is_empty() {
            return told(format!("{name} is empty"));
        }
        if number.len() > 1 && number.starts_with('0') {
            return told(format!("{name} starts with zero"));
        }
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return told(format!("{name} contains non-digit"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn formats_take_what_the_original_takes() {
        for (format, good, bad) in [
            ("ipv4", "10.0.0.255", "10.0.0.256"),
            ("ipv6", "fe80::1", "fe80::1%eth0"),
            ("hostname", "a-b.example.com.", "-a.example"),
            ("email", "a.b+c@example.com", "a..b@example.com"),
            ("date", "2024-02-29", "2023-02-29"),
            ("time", "23:59:60Z", "22:59:60Z"),
            (
                "date-time",
                "2024-02-29T12:00:00.5+01:30",
                "2024-02-29 12:00:00Z",
            ),
            ("duration", "P1Y2M3DT4H", "PT1M2H"),
            ("period", "P1D/2024-02-29T12:00:00Z", "P1D"),
            ("uri", "https://example.com/x", "/x"),
            ("uri-reference", "/x", "http://%zz/"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
            ("json-pointer", "/a/~1b", "a"),
            ("relative-json-pointer", "1/a", "01"),
            ("semver", "1.2.3-rc.1+b", "1.2"),
            ("regex", "^a", "("),
            ("unheard-of", "", ""),
        ] {
            assert_eq!(check(format, good), None, "{format}");
            assert_eq!(
                check(format, bad).is_some(),
                format != "unheard-of",
                "{format}"
            );
        }
    }
}
