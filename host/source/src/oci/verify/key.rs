//! Public keys, and whether a signature is theirs.

use base64::Engine as _;
use bulkhead_api::Digest;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use super::der::{self, Reader};
use super::edwards;

/// Largest key file that is read.
const KEY_BYTES: usize = 64 * 1024;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A public key: ECDSA on P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// What ring takes.
    key: Vec<u8>,
    /// SubjectPublicKeyInfo.
    spki: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Rsa,
    Ed25519,
}

/// What is hashed before it is signed; Ed25519 does that in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        };
        ring::digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// Says why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not PEM of a public key.
    #[error("it is not a public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
    NotPem,
    /// It is a private key.
    #[error("it is a private key; only its public half belongs here")]
    Private,
    /// It is of a kind that is not verified here.
    #[error("only ECDSA on P-256 and P-384, RSA and Ed25519 are verified")]
    Unsupported,
}

impl PublicKey {
    /// Reads a key in PEM, as cosign writes `cosign.pub`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let text = String::from_utf8_lossy(&pem[..pem.len().min(KEY_BYTES)]);
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|_| KeyError::NotPem)?;
        Self::from_spki(&spki)
    }

    /// Reads several keys that stand one after another.
    ///
    /// # Errors
    /// [`KeyError`], also when there is none.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, KeyError> {
        if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        let keys: Vec<Self> =
            SubjectPublicKeyInfoDer::pem_slice_iter(&pem[..pem.len().min(KEY_BYTES)])
                .map(|spki| Self::from_spki(&spki.map_err(|_| KeyError::NotPem)?))
                .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::NotPem);
        }
        Ok(keys)
    }

    /// Reads a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`].
    pub(super) fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let (kind, key) = read(spki).ok_or(KeyError::Unsupported)?;
        let length_fits = match kind {
            Kind::P256 => key.len() == 65,
            Kind::P384 => key.len() == 97,
            Kind::Ed25519 => key.len() == 32,
            Kind::Rsa => (256..=1100).contains(&key.len()),
        };
        if !length_fits {
            return Err(KeyError::Unsupported);
        }
        Ok(Self {
            kind,
            key: key.to_vec(),
            spki: spki.to_vec(),
        })
    }

    /// Wraps a point of P-256.
    pub(crate) fn from_p256(point: &[u8]) -> Result<Self, KeyError> {
        let algorithm = der::write(
            der::SEQUENCE,
            &[&der::write(der::OID, &[EC]), &der::write(der::OID, &[P256])],
        );
        Self::wrap(&algorithm, point)
    }

    /// Wraps an RSA key of PKCS #1.
    pub(crate) fn from_rsa(key: &[u8]) -> Result<Self, KeyError> {
        let algorithm = der::write(
            der::SEQUENCE,
            &[&der::write(der::OID, &[RSA]), &[0x05, 0x00]],
        );
        Self::wrap(&algorithm, key)
    }

    /// Wraps a private key of RFC 5915 for P-256 as PKCS #8.
    pub(crate) fn wrap_p256_private(key: &[u8]) -> Vec<u8> {
        let algorithm = der::write(
            der::SEQUENCE,
            &[&der::write(der::OID, &[EC]), &der::write(der::OID, &[P256])],
        );
        let version = der::write(der::INTEGER, &[&[0]]);
        der::write(
            der::SEQUENCE,
            &[&version, &algorithm, &der::write(der::OCTET_STRING, &[key])],
        )
    }

    fn wrap(algorithm: &[u8], key: &[u8]) -> Result<Self, KeyError> {
        let key = der::write(der::BIT_STRING, &[&[0], key]);
        Self::from_spki(&der::write(der::SEQUENCE, &[algorithm, &key]))
    }

    /// Returns the SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns what identifies the key to people and in bundles: the digest of its
    /// SubjectPublicKeyInfo.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.spki)
    }

    /// Returns the hint by which cosign names the key in a bundle.
    pub(crate) fn hint(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.digest().as_bytes())
    }

    fn verifies_edwards(&self, message: &[u8], signature: &[u8]) -> bool {
        let plain =
            UnparsedPublicKey::new(&signature::ED25519, &self.key).verify(message, signature);
        plain.is_ok() || edwards::verifies_prehashed(&self.key, message, signature)
    }

    /// Tells whether `signature` is of this key over `message`, hashed by SHA-256 as cosign does.
    pub(in crate::oci) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifies_with(Hash::Sha256, message, signature)
            // Newer cosign hashes as wide as the curve is.
            || (self.kind == Kind::P384 && self.verifies_with(Hash::Sha384, message, signature))
    }

    pub(super) fn verifies_with(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match (self.kind, hash) {
            (Kind::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Kind::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Kind::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Kind::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Kind::Rsa, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Kind::Ed25519, _) => return self.verifies_edwards(message, signature),
            (Kind::P256 | Kind::P384, Hash::Sha512) => return false,
        };
        UnparsedPublicKey::new(algorithm, &self.key)
            .verify(message, signature)
            .is_ok()
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.kind, self.digest())
    }
}

fn read(spki: &[u8]) -> Option<(Kind, &[u8])> {
    let mut whole = Reader::new(der::only(spki, der::SEQUENCE)?);
    let mut algorithm = whole.enter(der::SEQUENCE)?;
    let key = der::bits(whole.take(der::BIT_STRING)?.contents)?;
    let name = algorithm.take(der::OID)?.contents;
    let parameter = algorithm.take(der::OID).map(|value| value.contents);
    let kind = match (name, parameter) {
        (EC, Some(P256)) => Kind::P256,
        (EC, Some(P384)) => Kind::P384,
        (RSA, None) => Kind::Rsa,
        (ED25519, None) => Kind::Ed25519,
        _ => return None,
    };
    Some((kind, key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    const P256_PEM: &[u8] = include_bytes!("../../../tests/cosign/p256.pub");

    #[test]
    fn keys_are_read_and_named_as_cosign_does() {
        let key = PublicKey::from_pem(P256_PEM).unwrap();
        assert_eq!(key.kind, Kind::P256);
        assert_eq!(key.hint(), "CLZ+JE1Zov7tHSZDc0ofK66OFWwZyj2Q+gRzzk9+DXM=");
        let two = [P256_PEM, include_bytes!("../../../tests/cosign/rsa.pub")].concat();
        assert_eq!(PublicKey::all_from_pem(&two).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_public_key_is_told() {
        assert_eq!(PublicKey::from_pem(b"nothing"), Err(KeyError::NotPem));
        assert_eq!(PublicKey::all_from_pem(b""), Err(KeyError::NotPem));
        let private = include_bytes!("../../../tests/cosign/p256.key");
        assert_eq!(PublicKey::from_pem(private), Err(KeyError::Private));
        assert_eq!(PublicKey::from_spki(&[0x30, 0]), Err(KeyError::Unsupported));
    }
}
