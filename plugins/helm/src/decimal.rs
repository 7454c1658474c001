//! Decimal numbers for `addf` and its kin: sums of tenths are exact, as shopspring/decimal has them.

use num_bigint::{BigInt, Sign};

/// A whole number times a power of ten.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    value: BigInt,
    exponent: i32,
}

/// Digits behind the point that a quotient has.
const DIVISION_DIGITS: i32 = 16;

fn power_of_ten(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.unsigned_abs())
}

impl Decimal {
    /// Takes the shortest digits that read back as the same float.
    ///
    /// # Errors
    /// What the original panics with: infinities and what is no number have no digits.
    pub(crate) fn from_float(number: f64) -> Result<Self, String> {
        let text = format!("{number:e}");
        let read = || {
            let (mantissa, exponent) = text.split_once('e')?;
            let decimals = mantissa
                .split_once('.')
                .map_or(0, |(_, decimals)| decimals.len());
            Some(Self {
                value: mantissa.replace('.', "").parse().ok()?,
                exponent: exponent.parse::<i32>().ok()? - i32::try_from(decimals).ok()?,
            })
        };
        read().ok_or_else(|| {
            let shown = bulkhead_template::format::float(number, 'g', None);
            format!("Cannot create a Decimal from {shown}")
        })
    }

    /// The nearest float.
    pub(crate) fn to_float(&self) -> f64 {
        let text = format!("{}e{}", self.value, self.exponent);
        text.parse().unwrap_or(f64::NAN)
    }

    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i32) {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |one: &Self| &one.value * power_of_ten(one.exponent - exponent);
        (scaled(self), scaled(other), exponent)
    }

    /// The sum.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self {
            value: a + b,
            exponent,
        }
    }

    /// The difference.
    pub(crate) fn sub(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self {
            value: a - b,
            exponent,
        }
    }

    /// The product.
    pub(crate) fn mul(&self, other: &Self) -> Self {
        Self {
            value: &self.value * &other.value,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient, rounded to 16 digits behind the point; halves go away from zero.
    ///
    /// # Errors
    /// The divisor is 0.
    pub(crate) fn div(&self, other: &Self) -> Result<Self, &'static str> {
        if other.value.sign() == Sign::NoSign {
            return Err("decimal division by 0");
        }
        let (a, b, _) = self.aligned(other);
        let scaled = a * power_of_ten(DIVISION_DIGITS);
        let (mut value, rest) = (&scaled / &b, &scaled % &b);
        if rest.magnitude() * 2_u32 >= *b.magnitude() {
            let is_negative = (scaled.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
            value += if is_negative { -1 } else { 1 };
        }
        Ok(Self {
            value,
            exponent: -DIVISION_DIGITS,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn tenths_are_exact() {
        let of = |number| Decimal::from_float(number).unwrap();
        assert_eq!(of(0.1).add(&of(0.2)).to_float(), 0.3);
        assert_eq!(of(1.1).mul(&of(1.1)).to_float(), 1.21);
        let third = of(10.0).div(&of(3.0)).unwrap();
        assert_eq!(third.to_float(), 3.333_333_333_333_333_3);
        let minus = of(-2.0).div(&of(3.0)).unwrap();
        assert_eq!(minus.to_float(), -0.666_666_666_666_666_7);
        assert_eq!(of(5e-324).div(&of(1.5)).unwrap().to_float(), 0.0);
        assert_eq!(of(1e300).add(&of(1e-300)).to_float(), 1e300);
        assert!(of(1.0).div(&of(0.0)).is_err());
        assert!(Decimal::from_float(f64::NAN).is_err());
    }
}
