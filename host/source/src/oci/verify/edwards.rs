//! Ed25519ph: what cosign makes with Ed25519 keys. ring verifies plain Ed25519 alone.
//!
//! # Source
//! RFC 8032, sections 5.1.7 (verification) and 5.1 (`dom2` of Ed25519ph with an empty context).

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use ring::digest::{SHA512, digest};

/// `dom2(1, "")`
const DOMAIN: &[u8] = b"SigEd25519 no Ed25519 collisions\x01\x00";

/// Tells whether `signature` is of `key` over the SHA-512 of `message`.
pub(super) fn verifies_prehashed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verify(key, message, signature).unwrap_or(false)
}

fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let (commitment, response) = signature.split_at_checked(32)?;
    let point = CompressedEdwardsY(key.try_into().ok()?).decompress()?;
    let response: Option<Scalar> = Scalar::from_canonical_bytes(response.try_into().ok()?).into();
    let prehashed = digest(&SHA512, message);
    let challenge = digest(
        &SHA512,
        &[DOMAIN, commitment, key, prehashed.as_ref()].concat(),
    );
    let challenge = Scalar::from_bytes_mod_order_wide(challenge.as_ref().try_into().ok()?);
    let found = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &-point, &response?);
    Some(found.compress().as_bytes() == commitment)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    /// RFC 8032, section 7.3.
    #[test]
    fn the_vector_of_the_standard_holds() {
        let key = bytes("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
        let signature = bytes(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
        );
        assert!(verifies_prehashed(&key, b"abc", &signature));
        assert!(!verifies_prehashed(&key, b"abd", &signature));
        assert!(!verifies_prehashed(&key, b"abc", &signature[..63]));
        let mut larger = signature.clone();
        larger[63] |= 0x80;
        assert!(
            !verifies_prehashed(&key, b"abc", &larger),
            "the response must be reduced"
        );
    }
}
