//! Sprig's keys and certificates.

use bulkhead_template::{Function, Param, Run, Value, bytes, fixed};

use super::{Answer, text_of};
use crate::chart;
use crate::encoding::unbase64;

const S: Param = Param::String;
const I: Param = Param::Int;
const L: Param = Param::List;
const C: Param = Param::Object("sprig.certificate");

pub(super) const TABLE: &[(&str, Function)] = &[
    ("genPrivateKey", fixed(&[S], not_yet)),
    ("genCA", fixed(&[S, I], not_yet)),
    ("genCAWithKey", fixed(&[S, I, S], not_yet)),
    ("genSelfSignedCert", fixed(&[S, L, L, I], not_yet)),
    ("genSelfSignedCertWithKey", fixed(&[S, L, L, I, S], not_yet)),
    ("genSignedCert", fixed(&[S, L, L, I, C], not_yet)),
    ("genSignedCertWithKey", fixed(&[S, L, L, I, C, S], not_yet)),
    ("buildCustomCert", fixed(&[S, S], build_custom)),
];

fn not_yet(_: &mut Run<'_>, _: &[Value]) -> Answer {
    Err("keys and certificates are not made during a render: put them into a Secret, and name it in the values".into())
}

/// The block of a PEM text: its kind and its bytes.
fn pem(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (kind, after) = after.split_once("-----")?;
    let (body, _) = after.split_once(&format!("-----END {kind}-----"))?;
    let body: String = body.split_whitespace().collect();
    Some((kind.to_owned(), unbase64(body.as_bytes()).ok()?))
}

fn build_custom(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let read = |at: usize, what: &str| {
        unbase64(&bytes::of(text_of(&args[at]))).map_err(|_| format!("unable to decode base64 {what}"))
    };
    let cert = read(0, "certificate")?;
    let key = read(1, "private key")?;
    let (_, der) = pem(&cert).ok_or("unable to decode certificate")?;
    // A certificate is one sequence of DER.
    if der.first() != Some(&0x30) {
        return Err("error parsing certificate: decodedCert.Bytes: x509: malformed certificate".into());
    }
    let (kind, _) = pem(&key).ok_or("error parsing private key: no PEM data in input")?;
    if kind != "PRIVATE KEY" && !kind.ends_with(" PRIVATE KEY") {
        return Err(format!("error parsing private key: no private key data in PEM block of type {kind}").into());
    }
    Ok(chart::map([
        ("Cert", bytes::to_text(&cert).into_owned().into()),
        ("Key", bytes::to_text(&key).into_owned().into()),
    ]))
}
