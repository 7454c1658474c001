//! Keys and certificates, from the numbers of a seed: RSA, DSA, ECDSA on P-256, Ed25519, and X.509 signed
//! by them. Nothing here resists a spy that measures time: the key is known to whoever has the seed.

mod curve;
mod der;
mod dsa;
mod rsa;
mod x509;

pub(crate) use x509::{Request, make};

use crate::encoding::base64;
use crate::random::Random;

/// A private key that signs.
#[derive(Clone, Debug)]
pub(crate) enum PrivateKey {
    Rsa(Box<rsa::Key>),
    P256(curve::P256Key),
    Ed25519([u8; 32]),
}

impl PrivateKey {
    /// Makes an RSA key of so many bits.
    pub(crate) fn rsa(bits: u64, random: &mut Random) -> Self {
        Self::Rsa(Box::new(rsa::Key::generate(bits, random)))
    }

    /// Makes a key on P-256.
    pub(crate) fn p256(random: &mut Random) -> Self {
        Self::P256(curve::P256Key::generate(random))
    }

    /// Makes an Ed25519 key.
    pub(crate) fn ed25519(random: &mut Random) -> Self {
        let mut seed = [0; 32];
        seed.copy_from_slice(&random.bytes(32));
        Self::Ed25519(seed)
    }

    /// Makes a DSA key, as PEM: none signs anything.
    pub(crate) fn dsa_pem(random: &mut Random) -> String {
        pem("DSA PRIVATE KEY", &dsa::Key::generate(random).to_der())
    }

    /// Writes it as PEM, in the form that Go's x509 gives its kind.
    pub(crate) fn to_pem(&self) -> String {
        match self {
            Self::Rsa(key) => pem("RSA PRIVATE KEY", &key.to_der()),
            Self::P256(key) => pem("EC PRIVATE KEY", &key.to_der()),
            Self::Ed25519(seed) => pem("PRIVATE KEY", &curve::ed25519_to_der(seed)),
        }
    }

    /// Reads what [`Self::to_pem`] writes.
    pub(crate) fn from_pem(kind: &str, der: &[u8]) -> Result<Self, String> {
        let (key, what) = match kind {
            "RSA PRIVATE KEY" => (
                rsa::Key::from_der(der).map(Box::new).map(Self::Rsa),
                "RSA private key from PEM",
            ),
            "EC PRIVATE KEY" => (
                curve::P256Key::from_der(der).map(Self::P256),
                "EC private key from PEM",
            ),
            "PRIVATE KEY" => (from_pkcs8(der), "private key from PEM as PKCS#8"),
            other => match other.strip_suffix(" PRIVATE KEY") {
                Some(kind) => return Err(format!("invalid private key type {kind}")),
                None => return Err(format!("no private key data in PEM block of type {other}")),
            },
        };
        key.ok_or_else(|| format!("parsing {what}: malformed key"))
    }

    /// The key that others may know, as SubjectPublicKeyInfo.
    fn public_info(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.public_info(),
            Self::P256(key) => key.public_info(),
            Self::Ed25519(seed) => curve::ed25519_public_info(seed),
        }
    }

    /// The name of the algorithm of its signatures.
    fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => {
                der::sequence(&[der::oid(&[1, 2, 840, 113_549, 1, 1, 11]), der::null()])
            }
            Self::P256(_) => der::sequence(&[der::oid(&[1, 2, 840, 10_045, 4, 3, 2])]),
            Self::Ed25519(_) => der::sequence(&[der::oid(&[1, 3, 101, 112])]),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.sign(message),
            Self::P256(key) => key.sign(message),
            Self::Ed25519(seed) => curve::ed25519_sign(seed, message),
        }
    }
}

fn from_pkcs8(data: &[u8]) -> Option<PrivateKey> {
    let mut outer = der::Reader::new(data).enter(0x30)?;
    outer.take(0x02)?;
    let mut algorithm = outer.enter(0x30)?;
    let name = algorithm.take(0x06)?;
    let inner = outer.take(0x04)?;
    if name == &der::oid(&[1, 3, 101, 112])[2..] {
        let seed = der::Reader::new(inner).take(0x04)?;
        return seed.try_into().ok().map(PrivateKey::Ed25519);
    }
    if name == &der::oid(&[1, 2, 840, 113_549, 1, 1, 1])[2..] {
        return rsa::Key::from_der(inner).map(Box::new).map(PrivateKey::Rsa);
    }
    curve::P256Key::from_der(inner).map(PrivateKey::P256)
}

/// Writes a PEM block.
pub(crate) fn pem(kind: &str, data: &[u8]) -> String {
    let text = base64(data);
    let mut out = format!("-----BEGIN {kind}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {kind}-----\n"));
    out
}
