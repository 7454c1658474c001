//! Certificate transparency: the log's word, inside of a certificate, that it has the certificate.
//!
//! # Source
//! RFC 6962, sections 3.2 and 3.3.

use jiff::Timestamp;

use super::Rejection;
use super::certificate::{Leaf, TIMESTAMPS};
use super::der;
use super::log::hash;
use super::root::Log;

/// One signed certificate timestamp.
struct Promise<'a> {
    log: &'a [u8],
    milliseconds: &'a [u8],
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Verifies that one of `logs` has promised to hold the certificate, issued by the key `issuer`.
pub(super) fn verify(leaf: &Leaf<'_>, issuer: &[u8], logs: &[Log]) -> Result<(), Rejection> {
    let missing = Rejection::CertificateLog("it holds no promise of a log");
    let extension = leaf
        .extensions
        .iter()
        .find(|e| e.name == TIMESTAMPS)
        .ok_or(missing)?;
    let malformed = || Rejection::CertificateLog("the promise is malformed");
    let list = der::only(extension.contents, der::OCTET_STRING).ok_or_else(malformed)?;
    let promises = read(list).ok_or_else(malformed)?;
    let signed_part = without_promises(leaf).ok_or_else(malformed)?;
    let mut nearest = Rejection::CertificateLog("the promise is of another log");
    for promise in promises {
        let Some(log) = logs.iter().find(|log| log.id == promise.log) else {
            continue;
        };
        let time = promise.milliseconds.try_into().map(i64::from_be_bytes).ok();
        let time = time
            .and_then(|time| Timestamp::from_millisecond(time).ok())
            .ok_or_else(malformed)?;
        if !log.valid.holds(time) {
            nearest = Rejection::CertificateLog("the log did not count at that time");
        } else if log
            .key
            .verifies(&message(&promise, issuer, &signed_part), promise.signature)
        {
            return Ok(());
        } else {
            nearest = Rejection::CertificateLog("the log has not signed the promise");
        }
    }
    Err(nearest)
}

/// Returns the signed part of a certificate as it was before the promises were added.
fn without_promises(leaf: &Leaf<'_>) -> Option<Vec<u8>> {
    let kept = leaf.extensions.iter().filter(|e| e.name != TIMESTAMPS);
    let kept: Vec<&[u8]> = kept.map(|e| e.whole).collect();
    let extensions = der::write(der::explicit(3), &[&der::write(der::SEQUENCE, &kept)]);
    let fields = leaf.fields.iter().map(|field| match field.tag {
        tag if tag == der::explicit(3) => extensions.as_slice(),
        _ => field.whole,
    });
    Some(der::write(der::SEQUENCE, &fields.collect::<Vec<_>>()))
}

/// Returns what a log signs.
fn message(promise: &Promise<'_>, issuer: &[u8], signed_part: &[u8]) -> Vec<u8> {
    let length = u32::try_from(signed_part.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let extensions = u16::try_from(promise.extensions.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    [
        &[0, 0], // version 1, certificate timestamp
        promise.milliseconds,
        &[0, 1], // precertificate
        &hash(&[issuer]),
        &length[1..],
        signed_part,
        &extensions,
        promise.extensions,
    ]
    .concat()
}

fn read(list: &[u8]) -> Option<Vec<Promise<'_>>> {
    let (mut list, rest) = sized(list)?;
    let mut found = Vec::new();
    while !list.is_empty() {
        let (one, after) = sized(list)?;
        list = after;
        let (version, one) = one.split_first()?;
        let (log, one) = one.split_at_checked(32)?;
        let (milliseconds, one) = one.split_at_checked(8)?;
        let (extensions, one) = sized(one)?;
        let (_algorithm, one) = one.split_at_checked(2)?;
        let (signature, end) = sized(one)?;
        if *version == 0 && end.is_empty() {
            found.push(Promise {
                log,
                milliseconds,
                extensions,
                signature,
            });
        }
    }
    rest.is_empty().then_some(found)
}

/// Cuts off what two bytes of length announce.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
