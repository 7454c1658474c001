//! DSA with 2,048 and 256 bits: parameters and a key of them. Nothing is signed by one.

use num_bigint::BigUint;

use super::der;
use super::rsa::{is_prime, one, prime, small_primes};
use crate::random::Random;

/// Bits of the modulus.
const MODULUS: u64 = 2_048;
/// Bits of the order.
const ORDER: u64 = 256;
/// Multiples of the order that are tried from one start.
const STEPS: u32 = 20_000;

/// The numbers p, q and g, and the key: y is g to the power of x.
pub(super) struct Key {
    p: BigUint,
    q: BigUint,
    g: BigUint,
    y: BigUint,
    x: BigUint,
}

impl Key {
    pub(super) fn generate(random: &mut Random) -> Self {
        let primes = small_primes();
        let q = prime(ORDER, random, &primes);
        let p = modulus(&q, random, &primes);
        let power = (&p - one()) / &q;
        // 2 has another order than 1 for all but a few moduli (FIPS 186-4, A.2.1).
        let g = (2u8..)
            .map(|base| BigUint::from(base).modpow(&power, &p))
            .find(|g| *g != one())
            .unwrap_or_default();
        let bytes = random.bytes((ORDER / 8) as usize + 8);
        let x = BigUint::from_bytes_be(&bytes) % (&q - one()) + one();
        let y = g.modpow(&x, &p);
        Self { p, q, g, y, x }
    }

    /// As OpenSSL and sprig (`DSAKeyFormat`) write it.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let number = |value: &BigUint| der::integer(&value.to_bytes_be());
        der::sequence(&[
            der::integer(&[0]),
            number(&self.p),
            number(&self.q),
            number(&self.g),
            number(&self.y),
            number(&self.x),
        ])
    }
}

/// Finds a prime that is one more than an even multiple of `q`.
fn modulus(q: &BigUint, random: &mut Random, primes: &[u32]) -> BigUint {
    let step = q << 1u8;
    let rest_of = |number: &BigUint, prime: &u32| {
        let rest = (number % *prime).iter_u32_digits().next();
        u64::from(rest.unwrap_or(0))
    };
    let steps: Vec<u64> = primes.iter().map(|prime| rest_of(&step, prime)).collect();
    loop {
        let mut start = BigUint::from_bytes_be(&random.bytes((MODULUS / 8) as usize));
        for bit in [MODULUS - 1, MODULUS - 2] {
            start.set_bit(bit, true);
        }
        let start = &start - &start % &step + one();
        let rests: Vec<u64> = primes.iter().map(|prime| rest_of(&start, prime)).collect();
        for count in 0..STEPS {
            let divides = |((prime, rest), step): ((&u32, &u64), &u64)| {
                (rest + u64::from(count) * step) % u64::from(*prime) == 0
            };
            if primes.iter().zip(&rests).zip(&steps).any(divides) {
                continue;
            }
            let candidate = &start + &step * count;
            if is_prime(&candidate, random) {
                return candidate;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_of_its_parameters() {
        let key = Key::generate(&mut Random::new([7; 32]));
        assert_eq!((key.p.bits(), key.q.bits()), (MODULUS, ORDER));
        assert_eq!((&key.p - one()) % &key.q, BigUint::ZERO);
        assert_ne!(key.g, one());
        assert_eq!(key.g.modpow(&key.q, &key.p), one());
        assert_eq!(key.g.modpow(&key.x, &key.p), key.y);
    }
}
