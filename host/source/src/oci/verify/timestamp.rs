//! Timestamps of trusted clocks: the signature existed at that time.
//!
//! # Source
//! RFC 3161 (answers and TSTInfo), RFC 5652 (signed data).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Rejection;
use super::certificate::{self, TIME_STAMPING};
use super::der::{self, Reader};
use super::key::{Hash, PublicKey};
use super::root::Authority;

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TIMESTAMP: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 2.16.840.1.101.3.4.2
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// 1.2.840.10045.4.3
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
/// Certificates of an answer that are looked at.
const CERTIFICATES: usize = 8;

/// An answer of a clock, taken apart.
struct Answer<'a> {
    /// What the clock says.
    info: &'a [u8],
    certificates: Vec<Vec<u8>>,
    digest: Hash,
    /// What is signed.
    attributes: Vec<u8>,
    content_type: &'a [u8],
    message_digest: &'a [u8],
    signing: Hash,
    signature: &'a [u8],
}

/// Verifies an answer about `signature` by one of `clocks`; returns the time.
pub(super) fn verify(
    answer: &[u8],
    signature: &[u8],
    clocks: &[Authority],
) -> Result<Timestamp, Rejection> {
    let wrong = Rejection::Timestamp;
    let answer = read(answer).ok_or(wrong("it is malformed"))?;
    let (imprint, time) = said(answer.info).ok_or(wrong("it is malformed"))?;
    if !imprint(signature) {
        return Err(wrong("it is about another signature"));
    }
    if answer.content_type != TIMESTAMP || answer.digest.of(answer.info) != answer.message_digest {
        return Err(wrong("its contents were changed"));
    }
    let mut nearest = wrong("it is from a clock that the trusted root does not name");
    for clock in clocks.iter().filter(|clock| clock.valid.holds(time)) {
        let own = clock.chain.first().map(|certificate| certificate.to_vec());
        for candidate in own.into_iter().chain(answer.certificates.iter().cloned()) {
            let is_trusted = certificate::verify(
                &candidate,
                &answer.certificates,
                std::slice::from_ref(clock),
                TIME_STAMPING,
                time,
            );
            let fields = certificate::fields(&candidate).unwrap_or_default();
            let key = certificate::spki(&fields).and_then(|spki| PublicKey::from_spki(spki).ok());
            let (Ok(_), Some(key)) = (is_trusted, key) else {
                continue;
            };
            if key.verifies_with(answer.signing, &answer.attributes, answer.signature) {
                return Ok(time);
            }
            nearest = wrong("the clock has not signed it");
        }
    }
    Err(nearest)
}

fn read(bytes: &[u8]) -> Option<Answer<'_>> {
    let mut response = Reader::new(der::only(bytes, der::SEQUENCE)?);
    let granted = response.enter(der::SEQUENCE)?.take(der::INTEGER)?.contents;
    if !matches!(granted, [0 | 1]) {
        return None;
    }
    let mut content = response.enter(der::SEQUENCE)?;
    if content.take(der::OID)?.contents != SIGNED_DATA {
        return None;
    }
    let mut data = content.enter(der::explicit(0))?.enter(der::SEQUENCE)?;
    data.take(der::INTEGER)?;
    data.take(der::SET)?;
    let mut inner = data.enter(der::SEQUENCE)?;
    if inner.take(der::OID)?.contents != TIMESTAMP {
        return None;
    }
    let info = inner
        .enter(der::explicit(0))?
        .take(der::OCTET_STRING)?
        .contents;
    let mut certificates = Vec::new();
    if let Some(mut list) = data.enter(der::explicit(0)) {
        while !list.is_empty() && certificates.len() < CERTIFICATES {
            certificates.push(list.next()?.whole.to_vec());
        }
    }
    let _revoked = data.take(der::explicit(1));
    let mut signer = data.enter(der::SET)?.enter(der::SEQUENCE)?;
    signer.take(der::INTEGER)?;
    signer.next()?; // who signed: the signature tells
    let digest = hash(signer.enter(der::SEQUENCE)?.take(der::OID)?.contents)?;
    let signed = signer.take(der::explicit(0))?;
    let algorithm = signer.enter(der::SEQUENCE)?.take(der::OID)?.contents;
    let signature = signer.take(der::OCTET_STRING)?.contents;
    Some(Answer {
        info,
        certificates,
        digest,
        attributes: der::write(der::SET, &[signed.contents]),
        content_type: der::only(attribute(signed.contents, CONTENT_TYPE)?, der::OID)?,
        message_digest: der::only(
            attribute(signed.contents, MESSAGE_DIGEST)?,
            der::OCTET_STRING,
        )?,
        signing: match algorithm.strip_prefix(ECDSA) {
            Some([2]) => Hash::Sha256,
            Some([3]) => Hash::Sha384,
            Some([4]) => Hash::Sha512,
            Some(_) => return None,
            None => digest,
        },
        signature,
    })
}

/// Returns the one value of an attribute.
fn attribute<'a>(attributes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut list = Reader::new(attributes);
    let mut found = None;
    while !list.is_empty() {
        let mut one = list.enter(der::SEQUENCE)?;
        let is_wanted = one.take(der::OID)?.contents == name;
        let value = one.take(der::SET)?.contents;
        if is_wanted && found.replace(value).is_some() {
            return None;
        }
    }
    found
}

fn hash(name: &[u8]) -> Option<Hash> {
    match name.strip_prefix(SHA2)? {
        [1] => Some(Hash::Sha256),
        [2] => Some(Hash::Sha384),
        [3] => Some(Hash::Sha512),
        _ => None,
    }
}

/// Reads what the clock says: about what, and when.
fn said(info: &[u8]) -> Option<(impl Fn(&[u8]) -> bool, Timestamp)> {
    let mut info = Reader::new(der::only(info, der::SEQUENCE)?);
    info.take(der::INTEGER)?;
    info.take(der::OID)?;
    let mut imprint = info.enter(der::SEQUENCE)?;
    let hash = hash(imprint.enter(der::SEQUENCE)?.take(der::OID)?.contents)?;
    let expected = imprint.take(der::OCTET_STRING)?.contents.to_vec();
    info.take(der::INTEGER)?;
    let time = time(info.take(der::GENERALIZED_TIME)?.contents)?;
    Some((move |signature: &[u8]| hash.of(signature) == expected, time))
}

/// Reads `20260102030405Z` or `20260102030405.678Z`.
fn time(contents: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(contents).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = |range: std::ops::Range<usize>| whole[range].parse::<i8>().ok();
    let year = whole[..4].parse().ok()?;
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    let date = DateTime::new(
        year,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?,
        nanoseconds,
    );
    Some(date.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let show = |text: &str| time(text.as_bytes()).map(|time| time.to_string());
        assert_eq!(
            show("20260102030405Z").as_deref(),
            Some("2026-01-02T03:04:05Z")
        );
        assert_eq!(
            show("20260102030405.5Z").as_deref(),
            Some("2026-01-02T03:04:05.5Z")
        );
        for text in [
            "20260102030405",
            "2026010203040Z",
            "20261302030405Z",
            "20260102030405.Zx",
            "２0260102030405Z",
        ] {
            assert_eq!(show(text), None, "{text}");
        }
    }
}
