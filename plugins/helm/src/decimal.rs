//! Decimal numbers for `addf` and its kin: sums of tenths are exact, as shopspring/decimal has them.

/// A whole number times a power of ten; what does not fit is kept as a float.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decimal {
    Exact(i128, i32),
    Float(f64),
}

/// Digits behind the point that a quotient has.
const DIVISION_DIGITS: i32 = 16;

impl Decimal {
    /// Takes the shortest digits that read back as the same float.
    pub(crate) fn from_float(number: f64) -> Self {
        let text = format!("{number:e}");
        let Some((mantissa, exponent)) = text.split_once('e') else {
            return Self::Float(number);
        };
        let decimals = mantissa
            .split_once('.')
            .map_or(0, |(_, decimals)| decimals.len() as i32);
        let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
        match (digits.parse::<i128>(), exponent.parse::<i32>()) {
            (Ok(digits), Ok(exponent)) => Self::Exact(digits, exponent - decimals),
            _ => Self::Float(number),
        }
    }

    /// The nearest float.
    pub(crate) fn to_float(self) -> f64 {
        match self {
            Self::Exact(value, exponent) => {
                format!("{value}e{exponent}").parse().unwrap_or(f64::NAN)
            }
            Self::Float(number) => number,
        }
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let (Self::Exact(a, x), Self::Exact(b, y)) = (self, other) else {
            return None;
        };
        let exponent = x.min(y);
        let scale = |value: i128, from: i32| {
            value.checked_mul(10i128.checked_pow(u32::try_from(from - exponent).ok()?)?)
        };
        Some((scale(a, x)?, scale(b, y)?, exponent))
    }

    fn either(self, other: Self, exact: Option<Self>, float: fn(f64, f64) -> f64) -> Self {
        exact.unwrap_or_else(|| Self::Float(float(self.to_float(), other.to_float())))
    }

    /// The sum.
    pub(crate) fn add(self, other: Self) -> Self {
        let exact = self.aligned(other);
        let exact =
            exact.and_then(|(a, b, exponent)| Some(Self::Exact(a.checked_add(b)?, exponent)));
        self.either(other, exact, |a, b| a + b)
    }

    /// The difference.
    pub(crate) fn sub(self, other: Self) -> Self {
        let exact = self.aligned(other);
        let exact =
            exact.and_then(|(a, b, exponent)| Some(Self::Exact(a.checked_sub(b)?, exponent)));
        self.either(other, exact, |a, b| a - b)
    }

    /// The product.
    pub(crate) fn mul(self, other: Self) -> Self {
        let exact = match (self, other) {
            (Self::Exact(a, x), Self::Exact(b, y)) => a
                .checked_mul(b)
                .and_then(|product| Some(Self::Exact(product, x.checked_add(y)?))),
            _ => None,
        };
        self.either(other, exact, |a, b| a * b)
    }

    /// The quotient, rounded to 16 digits behind the point; the divisor is not 0.
    pub(crate) fn div(self, other: Self) -> Self {
        let exact = self.aligned(other).and_then(|(a, b, _)| {
            let scaled = a.checked_mul(10i128.pow(DIVISION_DIGITS as u32))?;
            let (quotient, rest) = (scaled.checked_div(b)?, scaled.checked_rem(b)?);
            let away = if (a < 0) == (b < 0) { 1 } else { -1 };
            let rounds = rest.unsigned_abs().checked_mul(2)? >= b.unsigned_abs();
            let quotient = if rounds {
                quotient.checked_add(away)?
            } else {
                quotient
            };
            Some(Self::Exact(quotient, -DIVISION_DIGITS))
        });
        self.either(other, exact, |a, b| a / b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_exact() {
        let of = Decimal::from_float;
        assert_eq!(of(0.1).add(of(0.2)).to_float(), 0.3);
        assert_eq!(of(1.1).mul(of(1.1)).to_float(), 1.21);
        assert_eq!(of(10.0).div(of(3.0)).to_float(), 3.333_333_333_333_333_3);
        assert_eq!(of(-2.0).div(of(3.0)).to_float(), -0.666_666_666_666_666_7);
        assert_eq!(of(1e300).add(of(1e-300)).to_float(), 1e300);
    }
}
