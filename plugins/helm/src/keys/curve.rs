//! P-256 with ECDSA, and Ed25519.

use num_bigint::BigUint;
use sha2::{Digest, Sha256, Sha512};

use super::der;
use crate::random::Random;

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap_or_default()
}

fn fixed(value: &BigUint) -> [u8; 32] {
    let bytes = value.to_bytes_be();
    let mut out = [0; 32];
    let start = 32usize.saturating_sub(bytes.len());
    out[start..].copy_from_slice(&bytes[bytes.len() - (32 - start)..]);
    out
}

/// A difference that stays positive.
fn minus(a: &BigUint, b: &BigUint, modulus: &BigUint) -> BigUint {
    (a + modulus - b % modulus) % modulus
}

struct P256 {
    p: BigUint,
    n: BigUint,
    g: (BigUint, BigUint),
}

fn p256() -> P256 {
    P256 {
        p: number("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
        n: number("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        g: (
            number("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
            number("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
        ),
    }
}

type Point = Option<(BigUint, BigUint)>;

impl P256 {
    fn add(&self, a: &Point, b: &Point) -> Point {
        let (Some((ax, ay)), Some((bx, by))) = (a, b) else {
            return a.clone().or_else(|| b.clone());
        };
        let p = &self.p;
        let slope = if ax == bx {
            if ay != by || *ay == BigUint::default() {
                return None;
            }
            // The curve's a is -3.
            let top = minus(&(ax * ax * 3u8), &BigUint::from(3u8), p);
            top * (ay * 2u8).modinv(p)?
        } else {
            minus(by, ay, p) * minus(bx, ax, p).modinv(p)?
        } % p;
        let x = minus(&minus(&(&slope * &slope), ax, p), bx, p);
        let y = minus(&(slope * minus(ax, &x, p)), ay, p);
        Some((x, y))
    }

    fn multiply(&self, factor: &BigUint) -> Point {
        let mut sum: Point = None;
        for bit in (0..factor.bits()).rev() {
            sum = self.add(&sum, &sum);
            if factor.bit(bit) {
                sum = self.add(&sum, &Some(self.g.clone()));
            }
        }
        sum
    }
}

/// A private key on P-256.
#[derive(Clone, Debug)]
pub(crate) struct P256Key {
    secret: BigUint,
}

impl P256Key {
    pub(super) fn generate(random: &mut Random) -> Self {
        let last = p256().n - 1u8;
        Self {
            secret: BigUint::from_bytes_be(&random.bytes(40)) % last + 1u8,
        }
    }

    fn public(&self) -> Vec<u8> {
        let (x, y) = p256().multiply(&self.secret).unwrap_or_default();
        [&[4][..], &fixed(&x), &fixed(&y)].concat()
    }

    /// ECPrivateKey of RFC 5915.
    pub(super) fn to_der(&self) -> Vec<u8> {
        der::sequence(&[
            der::integer(&[1]),
            der::octets(&fixed(&self.secret)),
            der::value(0xa0, &der::oid(&[1, 2, 840, 10_045, 3, 1, 7])),
            der::value(0xa1, &der::bits(&self.public())),
        ])
    }

    pub(super) fn from_der(data: &[u8]) -> Option<Self> {
        let mut reader = der::Reader::new(data).enter(0x30)?;
        reader.take(0x02)?;
        let secret = BigUint::from_bytes_be(reader.take(0x04)?);
        let is_good = secret != BigUint::default() && secret < p256().n;
        is_good.then_some(Self { secret })
    }

    pub(super) fn public_info(&self) -> Vec<u8> {
        let algorithm = der::sequence(&[
            der::oid(&[1, 2, 840, 10_045, 2, 1]),
            der::oid(&[1, 2, 840, 10_045, 3, 1, 7]),
        ]);
        der::sequence(&[algorithm, der::bits(&self.public())])
    }

    /// ECDSA with SHA-256; its random number comes from key and message.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let curve = p256();
        let digest = BigUint::from_bytes_be(&Sha256::digest(message));
        let mut seed = Sha512::new();
        seed.update(fixed(&self.secret));
        seed.update(message);
        let mut k = BigUint::from_bytes_be(&seed.finalize()) % (&curve.n - 1u8) + 1u8;
        loop {
            let r = curve
                .multiply(&k)
                .map_or_else(BigUint::default, |(x, _)| x % &curve.n);
            let inverse = k.modinv(&curve.n).unwrap_or_default();
            let s = inverse * (&digest + &r * &self.secret) % &curve.n;
            if r != BigUint::default() && s != BigUint::default() {
                return der::sequence(&[
                    der::integer(&r.to_bytes_be()),
                    der::integer(&s.to_bytes_be()),
                ]);
            }
            k = k % (&curve.n - 1u8) + 1u8;
        }
    }
}

struct Edwards {
    p: BigUint,
    order: BigUint,
    d: BigUint,
    g: (BigUint, BigUint),
}

fn edwards() -> Edwards {
    Edwards {
        p: number("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"),
        order: number("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed"),
        d: number("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"),
        g: (
            number("216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51a"),
            number("6666666666666666666666666666666666666666666666666666666666666658"),
        ),
    }
}

impl Edwards {
    fn add(&self, a: &(BigUint, BigUint), b: &(BigUint, BigUint)) -> (BigUint, BigUint) {
        let p = &self.p;
        let product = &self.d * (&a.0 * &b.0 % p) % p * (&a.1 * &b.1 % p) % p;
        let invert = |value: BigUint| (value % p).modinv(p).unwrap_or_default();
        let x = (&a.0 * &b.1 + &a.1 * &b.0) % p * invert(&product + 1u8) % p;
        let below = minus(&BigUint::from(1u8), &product, p);
        let y = (&a.1 * &b.1 + &a.0 * &b.0) % p * invert(below) % p;
        (x, y)
    }

    /// The point of a multiple of the base, as 32 bytes.
    fn multiply(&self, factor: &BigUint) -> [u8; 32] {
        let mut sum = (BigUint::default(), BigUint::from(1u8));
        for bit in (0..factor.bits()).rev() {
            sum = self.add(&sum, &sum);
            if factor.bit(bit) {
                sum = self.add(&sum, &self.g);
            }
        }
        let mut out = little(&sum.1);
        out[31] |= if sum.0.bit(0) { 0x80 } else { 0 };
        out
    }
}

fn little(value: &BigUint) -> [u8; 32] {
    let mut out = fixed(value);
    out.reverse();
    out
}

fn expand(seed: &[u8; 32]) -> (BigUint, [u8; 32]) {
    let hash = Sha512::digest(seed);
    let mut scalar = [0u8; 32];
    let mut prefix = [0u8; 32];
    scalar.copy_from_slice(&hash[..32]);
    prefix.copy_from_slice(&hash[32..]);
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    (BigUint::from_bytes_le(&scalar), prefix)
}

pub(super) fn ed25519_public_info(seed: &[u8; 32]) -> Vec<u8> {
    let public = edwards().multiply(&expand(seed).0);
    der::sequence(&[
        der::sequence(&[der::oid(&[1, 3, 101, 112])]),
        der::bits(&public),
    ])
}

pub(super) fn ed25519_to_der(seed: &[u8; 32]) -> Vec<u8> {
    der::sequence(&[
        der::integer(&[0]),
        der::sequence(&[der::oid(&[1, 3, 101, 112])]),
        der::octets(&der::octets(seed)),
    ])
}

pub(super) fn ed25519_sign(seed: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let curve = edwards();
    let (scalar, prefix) = expand(seed);
    let public = curve.multiply(&scalar);
    let hashed =
        |parts: &[&[u8]]| BigUint::from_bytes_le(&Sha512::digest(parts.concat())) % &curve.order;
    let r = hashed(&[&prefix, message]);
    let point = curve.multiply(&r);
    let s = (r + hashed(&[&point, &public, message]) * scalar) % &curve.order;
    [point, little(&s)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hex;

    #[test]
    fn ed25519_signs_as_rfc_8032_says() {
        let seed = number("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let seed = fixed(&seed);
        assert_eq!(
            hex(&edwards().multiply(&expand(&seed).0)),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert!(hex(&ed25519_sign(&seed, b"")).starts_with("e5564300c360ac729086e2cc806e828a"));
    }

    #[test]
    fn multiples_on_p256_are_the_known_ones() {
        let two = p256().multiply(&BigUint::from(2u8)).unwrap_or_default();
        assert_eq!(hex(&fixed(&two.0))[..16], *"7cf27b188d034f7e");
    }
}
