//! RSA: primes, keys, and PKCS #1 signatures with SHA-256.

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::der;
use crate::random::Random;

/// A key with two primes.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    n: BigUint,
    e: BigUint,
    d: BigUint,
    p: BigUint,
    q: BigUint,
}

/// Candidates are first divided by the primes below this.
const SIEVE: u32 = 8_192;
/// Rounds of Miller and Rabin: enough for numbers that nobody chose.
const ROUNDS: usize = 20;

pub(super) fn small_primes() -> Vec<u32> {
    let mut is_prime = vec![true; SIEVE as usize];
    let mut primes = Vec::new();
    for number in 2..SIEVE {
        if is_prime[number as usize] {
            primes.push(number);
            (number * number..SIEVE)
                .step_by(number as usize)
                .for_each(|at| is_prime[at as usize] = false);
        }
    }
    primes
}

pub(super) fn one() -> BigUint {
    BigUint::from(1u8)
}

pub(super) fn is_prime(number: &BigUint, random: &mut Random) -> bool {
    let last = number - one();
    let twos = last.trailing_zeros().unwrap_or(0);
    let odd = &last >> twos;
    let size = (number.bits() / 8) as usize;
    (0..ROUNDS).all(|_| {
        let base = BigUint::from_bytes_be(&random.bytes(size)) % (number - 3u8) + 2u8;
        let mut power = base.modpow(&odd, number);
        if power == one() || power == last {
            return true;
        }
        (1..twos).any(|_| {
            power = &power * &power % number;
            power == last
        })
    })
}

pub(super) fn prime(bits: u64, random: &mut Random, primes: &[u32]) -> BigUint {
    loop {
        let mut start = BigUint::from_bytes_be(&random.bytes((bits / 8) as usize));
        // The two highest bits make the product long enough, the lowest makes it odd.
        for bit in [bits - 1, bits - 2, 0] {
            start.set_bit(bit, true);
        }
        let rests: Vec<u32> = primes
            .iter()
            .map(|prime| (&start % *prime).iter_u32_digits().next().unwrap_or(0))
            .collect();
        for step in (0..20_000u32).step_by(2) {
            let divides = |(prime, rest): (&u32, &u32)| (rest + step) % prime == 0;
            if primes.iter().zip(&rests).any(divides) {
                continue;
            }
            let candidate = &start + step;
            if is_prime(&candidate, random) {
                return candidate;
            }
        }
    }
}

impl Key {
    /// Makes a key of so many bits.
    pub(crate) fn generate(bits: u64, random: &mut Random) -> Self {
        let primes = small_primes();
        let e = BigUint::from(65_537u32);
        loop {
            let (p, q) = (
                prime(bits / 2, random, &primes),
                prime(bits / 2, random, &primes),
            );
            let (p, q) = if p > q { (p, q) } else { (q, p) };
            let totient = (&p - one()) * (&q - one());
            if p != q
                && let Some(d) = e.modinv(&totient)
            {
                return Self {
                    n: &p * &q,
                    e,
                    d,
                    p,
                    q,
                };
            }
        }
    }

    /// RSAPrivateKey of PKCS #1.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let number = |value: &BigUint| der::integer(&value.to_bytes_be());
        let inverse = self.q.modinv(&self.p).unwrap_or_default();
        der::sequence(&[
            der::integer(&[0]),
            number(&self.n),
            number(&self.e),
            number(&self.d),
            number(&self.p),
            number(&self.q),
            number(&(&self.d % (&self.p - one()))),
            number(&(&self.d % (&self.q - one()))),
            number(&inverse),
        ])
    }

    pub(super) fn from_der(data: &[u8]) -> Option<Self> {
        let mut reader = der::Reader::new(data).enter(0x30)?;
        reader.take(0x02)?;
        let mut number = || reader.take(0x02).map(BigUint::from_bytes_be);
        let (n, e, d, p, q) = (number()?, number()?, number()?, number()?, number()?);
        // Too short a key cannot hold a signature, too long a one takes for ever.
        (1_024..=16_384)
            .contains(&n.bits())
            .then_some(Self { n, e, d, p, q })
    }

    pub(super) fn public_info(&self) -> Vec<u8> {
        let key = der::sequence(&[
            der::integer(&self.n.to_bytes_be()),
            der::integer(&self.e.to_bytes_be()),
        ]);
        let algorithm = der::sequence(&[der::oid(&[1, 2, 840, 113_549, 1, 1, 1]), der::null()]);
        der::sequence(&[algorithm, der::bits(&key)])
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let size = self.n.bits().div_ceil(8) as usize;
        let name = der::sequence(&[der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1]), der::null()]);
        let info = der::sequence(&[name, der::octets(&Sha256::digest(message))]);
        let mut block = vec![0, 1];
        block.extend(std::iter::repeat_n(
            0xff,
            size.saturating_sub(info.len() + 3),
        ));
        block.push(0);
        block.extend(info);
        let signature = BigUint::from_bytes_be(&block)
            .modpow(&self.d, &self.n)
            .to_bytes_be();
        let mut out = vec![0; size.saturating_sub(signature.len())];
        out.extend(signature);
        out
    }
}
