//! Private keys: plain PEM, or encrypted as `cosign generate-key-pair` writes them.
//!
//! # Source
//! go-securesystemslib `encrypted` (scrypt and NaCl's secretbox in JSON), RFC 5958 (PKCS #8).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::Deserialize;

use crate::Secret;
use crate::oci::verify::PublicKey;

/// Largest key file that is read.
const KEY_BYTES: usize = 64 * 1024;
/// Most memory that a key file may ask scrypt to use.
const SCRYPT_BYTES: u64 = 256 * 1024 * 1024;
const MAC_BYTES: usize = 16;

/// A private key: ECDSA on P-256, as cosign makes them, or RSA of 2048 to 4096 bits.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    P256(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

/// Says why a key cannot sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// It is not PEM of a private key.
    #[error("it is not a private key in PEM")]
    NotPem,
    /// It is encrypted, and there is no passphrase.
    #[error("the private key is encrypted, and no passphrase is given")]
    PassphraseMissing,
    /// The passphrase is wrong, or the file is damaged.
    #[error("the passphrase does not open the private key")]
    PassphraseWrong,
    /// The encryption is not known.
    #[error(
        "the private key is encrypted in a way that is not known, or that costs too much to open"
    )]
    Encryption,
    /// It is of a kind that does not sign here.
    #[error("only ECDSA on P-256 and RSA of 2048 to 4096 bits can sign")]
    Unsupported,
    /// The key pair has failed.
    #[error("the private key failed to sign")]
    Failed,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?})", self.public)
    }
}

impl SigningKey {
    /// Reads a key; `passphrase` opens an encrypted one.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn from_pem(pem: &[u8], passphrase: Option<&Secret>) -> Result<Self, SigningError> {
        let text = std::str::from_utf8(&pem[..pem.len().min(KEY_BYTES)])
            .map_err(|_| SigningError::NotPem)?;
        let (label, body) = blocks(text)
            .find(|(label, _)| label.ends_with("PRIVATE KEY"))
            .ok_or(SigningError::NotPem)?;
        match label {
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(SigningError::PassphraseMissing)?;
                Self::from_pkcs8(&open(&body, passphrase)?)
            }
            "PRIVATE KEY" => Self::from_pkcs8(&body),
            "RSA PRIVATE KEY" => {
                let pair = RsaKeyPair::from_der(&body).map_err(|_| SigningError::Unsupported)?;
                Self::of(Pair::Rsa(Box::new(pair)))
            }
            "EC PRIVATE KEY" => Self::from_pkcs8(&PublicKey::wrap_p256_private(&body)),
            _ => Err(SigningError::Encryption),
        }
    }

    /// Returns the public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`: SHA-256 with ECDSA (ASN.1) or RSA (PKCS #1 v1.5).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => {
                let signature = pair
                    .sign(&random, message)
                    .map_err(|_| SigningError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| SigningError::Failed)?;
                Ok(signature)
            }
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, SigningError> {
        let random = SystemRandom::new();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random) {
            return Self::of(Pair::P256(Box::new(pair)));
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| SigningError::Unsupported)?;
        Self::of(Pair::Rsa(Box::new(pair)))
    }

    fn of(pair: Pair) -> Result<Self, SigningError> {
        let public = match &pair {
            Pair::P256(pair) => PublicKey::from_p256(pair.public_key().as_ref()),
            Pair::Rsa(pair) => PublicKey::from_rsa(pair.public().as_ref()),
        };
        let public = public.map_err(|_| SigningError::Unsupported)?;
        Ok(Self { pair, public })
    }
}

/// Returns the label and the contents of each block of PEM.
fn blocks(text: &str) -> impl Iterator<Item = (&str, Vec<u8>)> {
    text.split("-----BEGIN ").skip(1).filter_map(|part| {
        let (label, rest) = part.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        let base64: String = body.split_whitespace().collect();
        Some((label, STANDARD.decode(base64).ok()?))
    })
}

#[derive(Deserialize)]
struct Sealed {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Derivation {
    name: String,
    params: Costs,
    salt: String,
}

#[derive(Deserialize)]
struct Costs {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

fn open(sealed: &[u8], passphrase: &Secret) -> Result<Vec<u8>, SigningError> {
    let unknown = |_| SigningError::Encryption;
    let sealed: Sealed = serde_json::from_slice(sealed).map_err(|_| SigningError::Encryption)?;
    let costs = &sealed.kdf.params;
    let memory = 128u64
        .saturating_mul(costs.n)
        .saturating_mul(u64::from(costs.r));
    let is_known = sealed.kdf.name == "scrypt" && sealed.cipher.name == "nacl/secretbox";
    if !is_known || !costs.n.is_power_of_two() || memory > SCRYPT_BYTES || costs.p > 4 {
        return Err(SigningError::Encryption);
    }
    let log_n = u8::try_from(costs.n.trailing_zeros()).unwrap_or(u8::MAX);
    let params =
        scrypt::Params::new(log_n, costs.r, costs.p).map_err(|_| SigningError::Encryption)?;
    let salt = STANDARD.decode(&sealed.kdf.salt).map_err(unknown)?;
    let nonce = STANDARD.decode(&sealed.cipher.nonce).map_err(unknown)?;
    let nonce: [u8; 24] = nonce.try_into().map_err(|_| SigningError::Encryption)?;
    let ciphertext = STANDARD.decode(&sealed.ciphertext).map_err(unknown)?;
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.expose().as_bytes(), &salt, &params, &mut key)
        .map_err(|_| SigningError::Encryption)?;
    open_box(&key, &nonce, &ciphertext).ok_or(SigningError::PassphraseWrong)
}

/// Opens NaCl's secretbox: the first 32 bytes of the stream are the key of the check value.
fn open_box(key: &[u8; 32], nonce: &[u8; 24], sealed: &[u8]) -> Option<Vec<u8>> {
    let (mac, ciphertext) = sealed.split_at_checked(MAC_BYTES)?;
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut mac_key = [0; 32];
    stream.apply_keystream(&mut mac_key);
    let expected = Poly1305::new((&mac_key).into()).compute_unpadded(ciphertext);
    let difference = expected
        .iter()
        .zip(mac)
        .fold(0, |sum, (one, other)| sum | (one ^ other));
    if difference != 0 {
        return None;
    }
    let mut plain = ciphertext.to_vec();
    stream.apply_keystream(&mut plain);
    Some(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    const ENCRYPTED: &[u8] = include_bytes!("../../../tests/cosign/p256.key");
    const PUBLIC: &[u8] = include_bytes!("../../../tests/cosign/p256.pub");

    fn read(pem: &[u8], passphrase: &str) -> Result<SigningKey, SigningError> {
        SigningKey::from_pem(pem, Some(&Secret::new(passphrase)))
    }

    #[test]
    fn keys_of_cosign_are_opened() {
        let key = read(ENCRYPTED, "test").unwrap();
        assert_eq!(key.public(), &PublicKey::from_pem(PUBLIC).unwrap());
        assert_eq!(
            read(ENCRYPTED, "wrong").unwrap_err(),
            SigningError::PassphraseWrong
        );
        assert_eq!(
            SigningKey::from_pem(ENCRYPTED, None).unwrap_err(),
            SigningError::PassphraseMissing
        );
        let rsa = read(include_bytes!("../../../tests/cosign/rsa.key"), "test").unwrap();
        assert_eq!(
            rsa.public(),
            &PublicKey::from_pem(include_bytes!("../../../tests/cosign/rsa.pub")).unwrap()
        );
        for key in [key, rsa] {
            let signature = key.sign(b"message").unwrap();
            assert!(key.public().verifies(b"message", &signature));
            assert!(!key.public().verifies(b"massage", &signature));
        }
    }

    #[test]
    fn what_cannot_sign_is_told() {
        assert_eq!(read(b"x", "").unwrap_err(), SigningError::NotPem);
        assert_eq!(read(PUBLIC, "").unwrap_err(), SigningError::NotPem);
        let other = include_bytes!("../../../tests/cosign/ed25519.key");
        assert_eq!(read(other, "test").unwrap_err(), SigningError::Unsupported);
        let costly = r#"{"kdf":{"name":"scrypt","params":{"N":1073741824,"r":8,"p":1},"salt":""},"cipher":{"name":"nacl/secretbox","nonce":""},"ciphertext":""}"#;
        let pem = format!(
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n{}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
            STANDARD.encode(costly)
        );
        assert_eq!(
            read(pem.as_bytes(), "").unwrap_err(),
            SigningError::Encryption
        );
    }
}
