//! Keys, certificates, log entries and timestamps, written by hand: what Fulcio, Rekor, a
//! certificate log and a clock would give.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::super::der::{self, write};
use super::super::key::PublicKey;
use super::super::log::hash;

const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// A P-256 key.
pub(super) struct Key(EcdsaKeyPair);

impl Key {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self(
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                .unwrap(),
        )
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0
            .sign(&SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        PublicKey::from_p256(self.0.public_key().as_ref())
            .unwrap()
            .spki()
            .to_vec()
    }

    /// The name of a log with this key.
    pub(super) fn log_id(&self) -> Vec<u8> {
        hash(&[&self.spki()])
    }
}

pub(super) fn oid(contents: &[u8]) -> Vec<u8> {
    write(der::OID, &[contents])
}

fn name(text: &str) -> Vec<u8> {
    let part = write(
        der::SEQUENCE,
        &[
            &oid(&[0x55, 0x04, 0x03]),
            &write(der::UTF8_STRING, &[text.as_bytes()]),
        ],
    );
    write(der::SEQUENCE, &[&write(der::SET, &[&part])])
}

fn time(time: Timestamp) -> Vec<u8> {
    let text = time.strftime("%y%m%d%H%M%SZ").to_string();
    write(0x17, &[text.as_bytes()])
}

/// One extension.
pub(super) fn extension(name: &[u8], is_critical: bool, contents: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if is_critical { &[1, 1, 0xff] } else { &[] };
    write(
        der::SEQUENCE,
        &[&oid(name), critical, &write(der::OCTET_STRING, &[contents])],
    )
}

/// What makes a certificate one of an authority.
pub(super) fn authority_extensions() -> Vec<Vec<u8>> {
    vec![extension(
        &[0x55, 0x1d, 0x13],
        true,
        &write(der::SEQUENCE, &[&[1, 1, 0xff]]),
    )]
}

/// What a certificate may be used for.
pub(super) fn usage(purpose: &[u8]) -> Vec<u8> {
    extension(
        &[0x55, 0x1d, 0x25],
        true,
        &write(der::SEQUENCE, &[&oid(purpose)]),
    )
}

/// A certificate to be signed.
pub(super) struct Certificate<'a> {
    pub(super) subject: &'a str,
    pub(super) spki: Vec<u8>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) extensions: Vec<Vec<u8>>,
}

impl Certificate<'_> {
    pub(super) fn signed_part(&self, issuer: &str) -> Vec<u8> {
        let extensions: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        let algorithm = write(der::SEQUENCE, &[ECDSA_SHA256]);
        write(
            der::SEQUENCE,
            &[
                &write(der::explicit(0), &[&[2, 1, 2]]),
                &[2, 1, 7],
                &algorithm,
                &name(issuer),
                &write(der::SEQUENCE, &[&time(self.from), &time(self.to)]),
                &name(self.subject),
                &self.spki,
                &write(der::explicit(3), &[&write(der::SEQUENCE, &extensions)]),
            ],
        )
    }

    pub(super) fn sign(&self, issuer: &str, key: &Key) -> Vec<u8> {
        let signed = self.signed_part(issuer);
        let signature = key.sign(&signed);
        let algorithm = write(der::SEQUENCE, &[ECDSA_SHA256]);
        write(
            der::SEQUENCE,
            &[
                &signed,
                &algorithm,
                &write(der::BIT_STRING, &[&[0], &signature]),
            ],
        )
    }
}

/// A log's promise inside of a certificate that is not signed yet.
pub(super) fn promise(
    log: &Key,
    signer: &Key,
    issuer: &Key,
    at: Timestamp,
    signed_part: &[u8],
) -> Vec<u8> {
    let milliseconds = at.as_millisecond().to_be_bytes();
    let length = (signed_part.len() as u32).to_be_bytes();
    let mut message = vec![0, 0];
    message.extend(milliseconds);
    message.extend([0, 1]);
    message.extend(hash(&[&issuer.spki()]));
    message.extend(&length[1..]);
    message.extend(signed_part);
    message.extend([0, 0]);
    let signature = signer.sign(&message);
    let mut one = vec![0];
    one.extend(log.log_id());
    one.extend(milliseconds);
    one.extend([0, 0, 4, 3]);
    one.extend((signature.len() as u16).to_be_bytes());
    one.extend(signature);
    let mut list = ((one.len() + 2) as u16).to_be_bytes().to_vec();
    list.extend((one.len() as u16).to_be_bytes());
    list.extend(one);
    write(der::OCTET_STRING, &[&list])
}

/// A checkpoint of a tree of two, and the proof for its second leaf.
pub(super) fn proof(body: &[u8], log: &Key) -> (String, Vec<u8>) {
    let other = hash(&[&[0], b"another entry"]);
    let root = hash(&[&[1], &other, &hash(&[&[0], body])]);
    let text = format!("rekor.test - 1\n2\n{}\n", STANDARD.encode(root));
    let signature = [&log.log_id()[..4], &log.sign(text.as_bytes())].concat();
    (
        format!(
            "{text}\n\u{2014} rekor.test {}\n",
            STANDARD.encode(signature)
        ),
        other,
    )
}

/// A clock's answer about `signature`.
pub(super) fn timestamp(signature: &[u8], at: Timestamp, certificate: &[u8], key: &Key) -> Vec<u8> {
    let seq = |parts: &[&[u8]]| write(der::SEQUENCE, parts);
    let kind = oid(&[
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
    ]);
    let sha256 = seq(&[&oid(SHA256)]);
    let imprint = seq(&[&sha256, &write(der::OCTET_STRING, &[&hash(&[signature])])]);
    let text = at.strftime("%Y%m%d%H%M%SZ").to_string();
    let time = write(der::GENERALIZED_TIME, &[text.as_bytes()]);
    let info = seq(&[&[2, 1, 1], &oid(&[0x2a, 3]), &imprint, &[2, 1, 9], &time]);
    let attribute = |number: u8, value: &[u8]| {
        let name = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, number]);
        seq(&[&name, &write(der::SET, &[value])])
    };
    let digest = write(der::OCTET_STRING, &[&hash(&[&info])]);
    let attributes = [attribute(3, &kind), attribute(4, &digest)].concat();
    let signed = key.sign(&write(der::SET, &[&attributes]));
    let signer = seq(&[
        &[2, 1, 1],
        &seq(&[&name("clock"), &[2, 1, 7]]),
        &sha256,
        &write(der::explicit(0), &[&attributes]),
        &seq(&[ECDSA_SHA256]),
        &write(der::OCTET_STRING, &[&signed]),
    ]);
    let data = seq(&[
        &[2, 1, 3],
        &write(der::SET, &[&sha256]),
        &seq(&[
            &kind,
            &write(der::explicit(0), &[&write(der::OCTET_STRING, &[&info])]),
        ]),
        &write(der::explicit(0), &[certificate]),
        &write(der::SET, &[&signer]),
    ]);
    let signed_data = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02]);
    let content = seq(&[&signed_data, &write(der::explicit(0), &[&data])]);
    seq(&[&seq(&[&[2, 1, 0]]), &content])
}
