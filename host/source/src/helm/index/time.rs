//! Times as Go reads and writes them in JSON.

use jiff::Timestamp;

/// The time that Go writes for none.
pub(super) const ZERO: &str = "0001-01-01T00:00:00Z";

/// Reads a time of RFC 3339, and returns it as Go writes it again, with its instant.
pub(super) fn read(text: &str) -> Option<(String, Timestamp)> {
    let bytes = text.as_bytes();
    let shape = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let has_shape = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19]
        .into_iter()
        .all(shape)
        && [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')]
            .iter()
            .all(|(at, byte)| bytes.get(*at) == Some(byte));
    if !has_shape {
        return None;
    }
    let (seconds, mut rest) = (&text[..19], &text[19..]);
    let mut fraction = "";
    if let Some(behind) = rest.strip_prefix('.') {
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        // Go keeps nanoseconds.
        fraction = behind[..digits.min(9)].trim_end_matches('0');
        rest = &behind[digits..];
    }
    let zone = match rest.as_bytes() {
        b"Z" => "Z",
        [b'+' | b'-', h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) =>
        {
            if &rest[1..] == "00:00" {
                "Z"
            } else {
                rest
            }
        }
        _ => return None,
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    let canonical = format!("{seconds}{dot}{fraction}{zone}");
    let instant = canonical.parse().ok()?;
    Some((canonical, instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each answer is that of Go 1.26.
    #[test]
    fn times_are_read_and_written_as_in_go() {
        let text = |text: &str| read(text).map(|(text, _)| text);
        for (given, expected) in [
            (
                "2016-10-06T16:23:20.499814565-06:00",
                Some("2016-10-06T16:23:20.499814565-06:00"),
            ),
            ("2016-10-06T16:23:20.5000Z", Some("2016-10-06T16:23:20.5Z")),
            (
                "2016-10-06T16:23:20.000+00:00",
                Some("2016-10-06T16:23:20Z"),
            ),
            (ZERO, Some(ZERO)),
            ("2016-10-06", None),
            ("2016-10-06 16:23:20Z", None),
            ("2016-13-06T16:23:20Z", None),
            ("2016-10-06T16:23:20,5Z", None),
            ("2016-10-06T16:23:20", None),
            ("", None),
        ] {
            assert_eq!(text(given).as_deref(), expected, "{given}");
        }
    }
}
