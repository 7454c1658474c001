//! Certificates of keyless signatures: who they name, and whether an authority has issued them.

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::Rejection;
use super::der::{self, Reader};
use super::key::PublicKey;
use super::root::Authority;

const SUBJECT_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const PURPOSES: &[u8] = &[0x55, 0x1d, 0x25];
/// Fulcio's extensions: 1.3.6.1.4.1.57264.1.
const FULCIO: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01];
const ISSUER: u8 = 1;
const OTHER_NAME: u8 = 7;
const ISSUER_TEXT: u8 = 8;
/// 1.3.6.1.4.1.11129.2.4.2
pub(super) const TIMESTAMPS: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
/// id-kp-codeSigning, 1.3.6.1.5.5.7.3.3
pub(super) const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8
pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
    webpki::ring::ED25519,
    webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    webpki::ring::RSA_PKCS1_2048_8192_SHA384,
    webpki::ring::RSA_PKCS1_2048_8192_SHA512,
];

/// What the certificate of a signer says.
pub(super) struct Leaf<'a> {
    pub(super) key: PublicKey,
    /// Who has confirmed the identity.
    pub(super) issuer: Option<String>,
    /// The identity.
    pub(super) subject: String,
    /// Fields of the signed part, in order.
    pub(super) fields: Vec<der::Value<'a>>,
    /// Extensions: name, contents, and all of it.
    pub(super) extensions: Vec<Extension<'a>>,
}

/// One extension.
#[derive(Clone, Copy)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a [u8],
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Reads a certificate.
pub(super) fn read(certificate: &[u8]) -> Result<Leaf<'_>, Rejection> {
    let wrong = |problem: &str| Rejection::Malformed(format!("the certificate {problem}"));
    let fields = fields(certificate).ok_or_else(|| wrong("cannot be read"))?;
    let extensions = extensions(&fields).ok_or_else(|| wrong("has malformed extensions"))?;
    let spki = spki(&fields).ok_or_else(|| wrong("has no key"))?;
    let key =
        PublicKey::from_spki(spki).map_err(|error| Rejection::Unsupported(error.to_string()))?;
    let find = |name: &[u8]| {
        extensions
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.contents)
    };
    let names = find(SUBJECT_NAMES).and_then(names).unwrap_or_default();
    let [subject] = names.as_slice() else {
        return Err(wrong("does not name exactly one identity"));
    };
    let fulcio = |number: u8| find(&[FULCIO, &[number]].concat());
    let issuer = match fulcio(ISSUER_TEXT) {
        Some(text) => der::only(text, der::UTF8_STRING),
        None => fulcio(ISSUER),
    };
    Ok(Leaf {
        key,
        issuer: issuer.map(|text| String::from_utf8_lossy(text).into_owned()),
        subject: subject.clone(),
        fields,
        extensions,
    })
}

/// Returns the fields of the signed part.
pub(super) fn fields(certificate: &[u8]) -> Option<Vec<der::Value<'_>>> {
    let mut whole = Reader::new(der::only(certificate, der::SEQUENCE)?);
    let mut signed = whole.enter(der::SEQUENCE)?;
    let mut fields = Vec::new();
    while !signed.is_empty() {
        fields.push(signed.next()?);
        if fields.len() > 10 {
            return None;
        }
    }
    Some(fields)
}

/// Returns the key: the field after validity and subject.
pub(super) fn spki<'a>(fields: &[der::Value<'a>]) -> Option<&'a [u8]> {
    let has_version = fields.first()?.tag == der::explicit(0);
    Some(fields.get(5 + usize::from(has_version))?.whole)
}

fn extensions<'a>(fields: &[der::Value<'a>]) -> Option<Vec<Extension<'a>>> {
    let Some(field) = fields.iter().find(|field| field.tag == der::explicit(3)) else {
        return Some(Vec::new());
    };
    let mut list = Reader::new(der::only(field.contents, der::SEQUENCE)?);
    let mut found = Vec::new();
    while !list.is_empty() {
        let value = list.take(der::SEQUENCE)?;
        let mut parts = Reader::new(value.contents);
        let name = parts.take(der::OID)?.contents;
        let _is_critical = parts.take(der::BOOLEAN);
        let contents = parts.take(der::OCTET_STRING)?.contents;
        if found.iter().any(|other: &Extension<'_>| other.name == name) {
            return None;
        }
        found.push(Extension {
            name,
            contents,
            whole: value.whole,
        });
    }
    Some(found)
}

/// Reads the names: e-mail addresses, URLs, host names, and Fulcio's user names.
fn names(contents: &[u8]) -> Option<Vec<String>> {
    let mut list = Reader::new(der::only(contents, der::SEQUENCE)?);
    let mut names = Vec::new();
    while !list.is_empty() {
        let value = list.next()?;
        let text = match value.tag {
            tag if [1, 2, 6].map(der::implicit).contains(&tag) => value.contents,
            tag if tag == der::explicit(0) => {
                let mut parts = Reader::new(value.contents);
                let name = parts.take(der::OID)?.contents;
                if name != [FULCIO, &[OTHER_NAME]].concat() {
                    return None;
                }
                parts
                    .enter(der::explicit(0))?
                    .take(der::UTF8_STRING)?
                    .contents
            }
            _ => return None,
        };
        names.push(String::from_utf8(text.to_vec()).ok()?);
    }
    Some(names)
}

/// Verifies that one of `authorities` has issued `leaf` for `usage`, and that all was valid at
/// `time`; returns the issuer's SubjectPublicKeyInfo. `others` may help to find the way, and are
/// not trusted.
pub(super) fn verify(
    leaf: &[u8],
    others: &[Vec<u8>],
    authorities: &[Authority],
    usage: &'static [u8],
    time: Timestamp,
) -> Result<Vec<u8>, Rejection> {
    // Authorities may leave their purpose open, as RFC 5280 has it; who signs may not.
    if !has_usage(leaf, usage).unwrap_or(false) {
        let problem = "it is not for this purpose (`extendedKeyUsage`)";
        return Err(Rejection::Certificate(problem.to_owned()));
    }
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf)
        .map_err(|error| Rejection::Certificate(error.to_string()))?;
    let seconds = u64::try_from(time.as_second()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let mut nearest =
        Rejection::Certificate("no authority of the trusted root counted at that time".to_owned());
    for authority in authorities
        .iter()
        .filter(|authority| authority.valid.holds(time))
    {
        let Some((root, between)) = authority.chain.split_last() else {
            continue;
        };
        let others = others
            .iter()
            .map(|other| CertificateDer::from(other.as_slice()));
        let between: Vec<CertificateDer<'_>> = between.iter().cloned().chain(others).collect();
        let anchor = webpki::anchor_from_trusted_cert(root)
            .map_err(|error| Rejection::Certificate(error.to_string()))?;
        let anchors = [anchor];
        let usage = KeyUsage::required_if_present(usage);
        match leaf.verify_for_usage(ALGORITHMS, &anchors, &between, at, usage, None, None) {
            Ok(path) => return Ok(path.issuer_spki().to_vec()),
            Err(error) => nearest = reason(error, time),
        }
    }
    Err(nearest)
}

fn has_usage(certificate: &[u8], usage: &[u8]) -> Option<bool> {
    let fields = fields(certificate)?;
    let extensions = extensions(&fields)?;
    let purposes = extensions.iter().find(|e| e.name == PURPOSES)?;
    let mut list = Reader::new(der::only(purposes.contents, der::SEQUENCE)?);
    while !list.is_empty() {
        if list.take(der::OID)?.contents == usage {
            return Some(true);
        }
    }
    Some(false)
}

fn reason(error: webpki::Error, time: Timestamp) -> Rejection {
    match error {
        webpki::Error::CertExpired { .. }
        | webpki::Error::CertNotValidYet { .. }
        | webpki::Error::InvalidCertValidity => Rejection::Expired(time.to_string()),
        webpki::Error::UnknownIssuer => {
            Rejection::Certificate("it was issued by another authority".to_owned())
        }
        error => Rejection::Certificate(error.to_string()),
    }
}
