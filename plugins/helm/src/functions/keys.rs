//! Sprig's keys and certificates.

use std::rc::Rc;

use bulkhead_template::{Function, Object, Param, Plain, Run, Value, bytes, fixed, format};

use super::{Answer, context, int_of, text_of};
use crate::encoding::unbase64;
use crate::keys::{PrivateKey, Request, make};

const S: Param = Param::String;
const I: Param = Param::Int;
const L: Param = Param::List;
const C: Param = Param::Object(CERTIFICATE);
const CERTIFICATE: &str = "sprig.certificate";

/// Bits of the key that a certificate gets.
const CERTIFICATE_BITS: u64 = 2_048;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("genPrivateKey", fixed(&[S], gen_private_key)),
    (
        "genCA",
        fixed(&[S, I], |run, a| certificate(run, Wanted::ca(&a[0], &a[1]))),
    ),
    (
        "genCAWithKey",
        fixed(&[S, I, S], |run, a| {
            certificate(
                run,
                Wanted {
                    key: Some(&a[2]),
                    ..Wanted::ca(&a[0], &a[1])
                },
            )
        }),
    ),
    (
        "genSelfSignedCert",
        fixed(&[S, L, L, I], |run, a| certificate(run, Wanted::server(a))),
    ),
    (
        "genSelfSignedCertWithKey",
        fixed(&[S, L, L, I, S], |run, a| {
            certificate(
                run,
                Wanted {
                    key: Some(&a[4]),
                    ..Wanted::server(a)
                },
            )
        }),
    ),
    (
        "genSignedCert",
        fixed(&[S, L, L, I, C], |run, a| {
            certificate(
                run,
                Wanted {
                    signer: Some(&a[4]),
                    ..Wanted::server(a)
                },
            )
        }),
    ),
    (
        "genSignedCertWithKey",
        fixed(&[S, L, L, I, C, S], |run, a| {
            certificate(
                run,
                Wanted {
                    signer: Some(&a[4]),
                    key: Some(&a[5]),
                    ..Wanted::server(a)
                },
            )
        }),
    ),
    ("buildCustomCert", fixed(&[S, S], build_custom)),
];

/// What a certificate is asked to be.
struct Wanted<'a> {
    name: &'a Value,
    addresses: &'a Value,
    dns_names: &'a Value,
    days: &'a Value,
    is_ca: bool,
    key: Option<&'a Value>,
    signer: Option<&'a Value>,
}

impl<'a> Wanted<'a> {
    fn ca(name: &'a Value, days: &'a Value) -> Self {
        let none = &Value::Nil;
        Self {
            name,
            addresses: none,
            dns_names: none,
            days,
            is_ca: true,
            key: None,
            signer: None,
        }
    }

    fn server(args: &'a [Value]) -> Self {
        Self {
            name: &args[0],
            addresses: &args[1],
            dns_names: &args[2],
            days: &args[3],
            is_ca: false,
            key: None,
            signer: None,
        }
    }
}

/// A certificate and its key, as PEM.
#[derive(Debug)]
struct Certificate {
    cert: Value,
    key: Value,
}

impl Object for Certificate {
    fn type_name(&self) -> &str {
        CERTIFICATE
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.cert.clone()),
            "Key" => Some(self.key.clone()),
            _ => None,
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn print(&self) -> String {
        format!(
            "{{{} {}}}",
            format::text(&self.cert),
            format::text(&self.key)
        )
    }

    fn plain(&self) -> Plain {
        Plain::Struct(vec![("Cert", self.cert.clone()), ("Key", self.key.clone())])
    }
}

fn gen_private_key(run: &mut Run<'_>, args: &[Value]) -> Answer {
    run.charge(super::SLOW_STEPS)?;
    let mut random = context(run)?.random.borrow_mut();
    Ok(match text_of(&args[0]) {
        "" | "rsa" => PrivateKey::rsa(4_096, &mut random).to_pem().into(),
        "ecdsa" => PrivateKey::p256(&mut random).to_pem().into(),
        "ed25519" => PrivateKey::ed25519(&mut random).to_pem().into(),
        "dsa" => PrivateKey::dsa_pem(&mut random).into(),
        other => format!("Unknown type {other}").into(),
    })
}

fn read_key(text: &str) -> Result<PrivateKey, String> {
    let (kind, der) = pem(&bytes::of(text)).ok_or("no PEM data in input")?;
    PrivateKey::from_pem(&kind, &der)
}

fn texts(list: &Value, what: &str) -> Result<Vec<String>, String> {
    let Value::List(list) = list else {
        return Ok(Vec::new());
    };
    let text = |item: &Value| match item.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!(
            "error {what}: {} is not a string",
            format::text(item)
        )),
    };
    list.items.iter().map(text).collect()
}

fn certificate(run: &mut Run<'_>, wanted: Wanted<'_>) -> Answer {
    let context = context(run)?;
    let mut random = context.random.borrow_mut();
    let key = match wanted.key {
        Some(key) => {
            read_key(text_of(key)).map_err(|told| format!("parsing private key: {told}"))?
        }
        None => PrivateKey::rsa(CERTIFICATE_BITS, &mut random),
    };
    let signer = match wanted.signer {
        Some(Value::Object(object)) => {
            let part = |name| {
                object
                    .field(name)
                    .map_or_else(String::new, |value| text_of(&value).to_owned())
            };
            let (_, der) = pem(&bytes::of(&part("Cert"))).ok_or("unable to decode certificate")?;
            let key = read_key(&part("Key"));
            Some((
                der,
                key.map_err(|told| format!("error parsing private key: {told}"))?,
            ))
        }
        _ => None,
    };
    let address = |text: String| {
        text.parse()
            .map_err(|_| format!("error parsing ip: {text}"))
    };
    let request = Request {
        name: text_of(wanted.name),
        addresses: texts(wanted.addresses, "parsing ip")?
            .into_iter()
            .map(address)
            .collect::<Result<_, _>>()?,
        dns_names: texts(wanted.dns_names, "processing alternate dns name")?,
        days: int_of(wanted.days),
        is_ca: wanted.is_ca,
        now: context.now,
    };
    let signer = signer.as_ref().map(|(der, key)| (der.as_slice(), key));
    let cert = make(&request, &key, signer, &mut random)?;
    let made = Certificate {
        cert: cert.into(),
        key: key.to_pem().into(),
    };
    Ok(Value::Object(Rc::new(made)))
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
        unbase64(&bytes::of(text_of(&args[at])))
            .map_err(|_| format!("unable to decode base64 {what}"))
    };
    let cert = read(0, "certificate")?;
    let key = read(1, "private key")?;
    let (_, der) = pem(&cert).ok_or("unable to decode certificate")?;
    // A certificate is one sequence of DER.
    if der.first() != Some(&0x30) {
        return Err(
            "error parsing certificate: decodedCert.Bytes: x509: malformed certificate".into(),
        );
    }
    let (kind, _) = pem(&key).ok_or("error parsing private key: no PEM data in input")?;
    if kind != "PRIVATE KEY" && !kind.ends_with(" PRIVATE KEY") {
        return Err(format!(
            "error parsing private key: no private key data in PEM block of type {kind}"
        )
        .into());
    }
    let text = |data: &[u8]| bytes::to_text(data).into_owned().into();
    Ok(Value::Object(Rc::new(Certificate {
        cert: text(&cert),
        key: text(&key),
    })))
}
