//! Certificates, as Sprig has Go make them.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::{PrivateKey, der, pem};
use crate::random::Random;
use crate::time::{SECOND, Time};

/// What a certificate says.
pub(crate) struct Request<'a> {
    pub(crate) name: &'a str,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) dns_names: Vec<String>,
    pub(crate) days: i64,
    pub(crate) is_ca: bool,
    pub(crate) now: i128,
}

/// Makes a certificate for `key`, signed by a certificate (DER) and its key, or by itself; as PEM.
pub(crate) fn make(
    request: &Request<'_>,
    key: &PrivateKey,
    signer: Option<(&[u8], &PrivateKey)>,
    random: &mut Random,
) -> Result<String, String> {
    let subject = name(request.name);
    let (issuer, issuer_id, signing) = match signer {
        None => (subject.clone(), None, key),
        Some((certificate, signing)) => {
            let (issuer, id) = subject_of(certificate).ok_or(
                "error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate",
            )?;
            (issuer, id, signing)
        }
    };
    let issuer_id = issuer_id.filter(|_| issuer != subject);
    let mut serial = random.bytes(16);
    serial[0] |= 1;
    let end = request.now + i128::from(request.days) * 86_400 * SECOND;
    let body = der::sequence(&[
        der::value(0xa0, &der::integer(&[2])),
        der::integer(&serial),
        signing.algorithm(),
        issuer,
        der::sequence(&[time(request.now), time(end)]),
        subject,
        key.public_info(),
        der::value(0xa3, &extensions(request, key, issuer_id)),
    ]);
    let signature = signing.sign(&body);
    let whole = der::sequence(&[body, signing.algorithm(), der::bits(&signature)]);
    Ok(pem("CERTIFICATE", &whole))
}

fn name(common: &str) -> Vec<u8> {
    if common.is_empty() {
        return der::sequence(&[]);
    }
    let is_printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let tag = if common.chars().all(is_printable) {
        0x13
    } else {
        0x0c
    };
    let attribute = der::sequence(&[der::oid(&[2, 5, 4, 3]), der::value(tag, common.as_bytes())]);
    der::sequence(&[der::value(0x31, &attribute)])
}

fn time(nanoseconds: i128) -> Vec<u8> {
    let time = Time::new(nanoseconds);
    let year = time.civil().year;
    if (1950..2050).contains(&year) {
        der::value(0x17, time.format("060102150405Z").as_bytes())
    } else {
        der::value(0x18, time.format("20060102150405Z").as_bytes())
    }
}

fn extension(id: &[u64], is_critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(id)];
    if is_critical {
        parts.push(der::boolean());
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

fn extensions(request: &Request<'_>, key: &PrivateKey, issuer_id: Option<Vec<u8>>) -> Vec<u8> {
    // Digital signature and key encipherment; for a CA also the signing of certificates.
    let usage: &[u8] = if request.is_ca {
        &[2, 0xa4]
    } else {
        &[5, 0xa0]
    };
    let extended = [1, 2].map(|last| der::oid(&[1, 3, 6, 1, 5, 5, 7, 3, last]));
    let basic = if request.is_ca {
        der::sequence(&[der::boolean()])
    } else {
        der::sequence(&[])
    };
    let mut all = vec![
        extension(&[2, 5, 29, 15], true, &der::value(0x03, usage)),
        extension(&[2, 5, 29, 37], false, &der::sequence(&extended)),
        extension(&[2, 5, 29, 19], true, &basic),
    ];
    if request.is_ca {
        let id = Sha256::digest(key.public_info());
        all.push(extension(&[2, 5, 29, 14], false, &der::octets(&id[..20])));
    }
    if let Some(id) = issuer_id {
        all.push(extension(
            &[2, 5, 29, 35],
            false,
            &der::sequence(&[der::value(0x80, &id)]),
        ));
    }
    let mut names: Vec<Vec<u8>> = request
        .dns_names
        .iter()
        .map(|name| der::value(0x82, name.as_bytes()))
        .collect();
    names.extend(request.addresses.iter().map(|address| match address {
        IpAddr::V4(address) => der::value(0x87, &address.octets()),
        IpAddr::V6(address) => der::value(0x87, &address.octets()),
    }));
    if !names.is_empty() {
        all.push(extension(&[2, 5, 29, 17], false, &der::sequence(&names)));
    }
    der::sequence(&all)
}

/// The subject of a certificate, and the name of its key.
fn subject_of(certificate: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let mut body = der::Reader::new(certificate).enter(0x30)?.enter(0x30)?;
    if body.peek() == Some(0xa0) {
        body.next()?;
    }
    // Serial number, algorithm, issuer, validity.
    for _ in 0..4 {
        body.next()?;
    }
    let subject = body.next()?.0.to_vec();
    body.next()?;
    let mut id = None;
    while let Some((_, content)) = body.next() {
        let Some(mut list) = der::Reader::new(content).enter(0x30) else {
            continue;
        };
        while let Some(mut one) = list.enter(0x30) {
            if one.take(0x06) == Some(&der::oid(&[2, 5, 29, 14])[2..]) {
                id = one
                    .take(0x04)
                    .and_then(|value| der::Reader::new(value).take(0x04))
                    .map(<[u8]>::to_vec);
            }
        }
    }
    Some((subject, id))
}
