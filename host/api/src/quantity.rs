//! Amounts of bytes as Kubernetes writes quantities: `512Mi`.
//!
//! A text that is no amount is kept as data, as with durations: the object is still read, and its
//! reconciler can say which field is wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of bytes, with its text as it was written.
///
/// Range: 0 to 9,223,372,036,854,775,807 bytes, without fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    text: String,
    value: Result<u64, QuantityError>,
}

/// Says why a text is no amount of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is not a whole number with a unit.
    #[error("quantity `{0}` is not a whole number with a unit `Ki`, `Mi`, `Gi`, `k`, `M` or `G`")]
    Syntax(String),
    /// It does not fit into 63 bits.
    #[error("quantity `{0}` is larger than 8Ei")]
    TooLarge(String),
}

/// Units, largest first of each system, so that an amount is written in the largest that divides it.
const UNITS: [(&str, u64); 6] = [
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

impl Quantity {
    /// Reads `text`; what is wrong with it is told by [`bytes`](Self::bytes).
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let value = parse(&text);
        Self { text, value }
    }

    /// Returns the number of bytes.
    ///
    /// # Errors
    /// [`QuantityError`] of the text that was read.
    pub fn bytes(&self) -> Result<u64, QuantityError> {
        self.value.clone()
    }

    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<u64> for Quantity {
    /// Writes `bytes` in the largest binary unit that divides them.
    fn from(bytes: u64) -> Self {
        let divides = |unit: &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(unit.1);
        let text = match UNITS[..3].iter().find(divides) {
            Some((unit, size)) => format!("{}{unit}", bytes / size),
            None => bytes.to_string(),
        };
        Self {
            text,
            value: Ok(bytes),
        }
    }
}

fn parse(text: &str) -> Result<u64, QuantityError> {
    let found = UNITS
        .iter()
        .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (digits, unit) = found.unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QuantityError::Syntax(text.to_owned()));
    }
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_either_system_of_units() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("64Ki", 65_536),
            ("512Mi", 536_870_912),
            ("2Gi", 2_147_483_648),
            ("2G", 2_000_000_000),
            ("3M", 3_000_000),
            ("9k", 9_000),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(Quantity::new(text).bytes(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_so() {
        for text in ["", "Mi", "-1", "1.5Gi", "1 Mi", "1mi", "1e3", "0x10"] {
            let error = Quantity::new(text).bytes();
            assert_eq!(error, Err(QuantityError::Syntax(text.into())), "{text}");
        }
        for text in ["9223372036854775808", "9007199254740992Ki", "99999999999Gi"] {
            let error = Quantity::new(text).bytes();
            assert_eq!(error, Err(QuantityError::TooLarge(text.into())), "{text}");
        }
    }

    #[test]
    fn bytes_are_written_in_the_largest_unit_that_divides_them() {
        let text = |bytes: u64| Quantity::from(bytes).to_string();
        assert_eq!(text(256 << 20), "256Mi");
        assert_eq!(text(3 << 30), "3Gi");
        assert_eq!(text(1025), "1025");
        assert_eq!(text(0), "0");
    }
}
