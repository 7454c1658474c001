//! Reads signatures in both formats of cosign into one shape.
//!
//! In: bytes from a registry. Out: what was signed, about which digest, and what is said about the
//! signer. Nothing is verified here.
//!
//! # Source
//! cosign `specs/SIGNATURE_SPEC.md` (payload and annotations), Sigstore's `bundle.proto` v0.1 to
//! v0.3, DSSE v1, in-toto Statement v1.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::Rejection;

pub(crate) const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// Log entries, and timestamps, of one signature that are looked at.
const PARTS: usize = 8;

/// A signature, its subject and what is said about its signer.
#[derive(Debug)]
pub(super) struct Claim {
    /// What the signature is over.
    pub(super) message: Vec<u8>,
    /// The payload of an envelope, by which some logs know it.
    pub(super) payload: Option<Vec<u8>>,
    pub(super) signature: Vec<u8>,
    /// Digests of the manifests that it is about, as text; `None` when the message is the manifest.
    pub(super) subjects: Option<Vec<String>>,
    /// Certificate and chain of a keyless signature, leaf first.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) entries: Vec<Entry>,
    /// RFC 3161 answers.
    pub(super) timestamps: Vec<Vec<u8>>,
}

/// An entry of a transparency log.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) log: Vec<u8>,
    pub(super) index: u64,
    pub(super) seconds: i64,
    pub(super) body: Vec<u8>,
    pub(super) promise: Option<Vec<u8>>,
    pub(super) proof: Option<Proof>,
}

/// A proof that an entry is in a tree.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) index: u64,
    pub(super) hashes: Vec<Vec<u8>>,
    pub(super) checkpoint: String,
}

fn malformed(problem: impl Into<String>) -> Rejection {
    Rejection::Malformed(crate::error::clean(&problem.into()))
}

fn decode(field: &str, text: &str) -> Result<Vec<u8>, Rejection> {
    STANDARD
        .decode(text)
        .map_err(|_| malformed(format!("`{field}` is not base64")))
}

/// Reads a payload and the annotations of its layer.
pub(super) fn legacy(
    payload: &[u8],
    annotations: &BTreeMap<String, String>,
) -> Result<Claim, Rejection> {
    let simple: Simple = serde_json::from_slice(payload)
        .map_err(|error| malformed(format!("the payload: {error}")))?;
    let signature = annotations
        .get(SIGNATURE)
        .ok_or_else(|| malformed(format!("the annotation `{SIGNATURE}` is missing")))?;
    let mut certificates = Vec::new();
    for (name, most) in [(CERTIFICATE, 1), (CHAIN, 4)] {
        let pem = annotations
            .get(name)
            .map(String::as_bytes)
            .unwrap_or_default();
        for certificate in CertificateDer::pem_slice_iter(pem).take(most) {
            let certificate = certificate.map_err(|_| malformed(format!("`{name}` is not PEM")))?;
            certificates.push(certificate.to_vec());
        }
    }
    let mut entries = Vec::new();
    if let Some(text) = annotations.get(LOG) {
        let log: LegacyLog =
            serde_json::from_str(text).map_err(|error| malformed(format!("`{LOG}`: {error}")))?;
        entries.push(log.read()?);
    }
    let mut timestamps = Vec::new();
    if let Some(text) = annotations.get(TIMESTAMP) {
        let stamp: LegacyTimestamp = serde_json::from_str(text)
            .map_err(|error| malformed(format!("`{TIMESTAMP}`: {error}")))?;
        timestamps.push(decode(TIMESTAMP, &stamp.signed)?);
    }
    Ok(Claim {
        message: payload.to_vec(),
        payload: None,
        signature: decode(SIGNATURE, signature)?,
        subjects: Some(vec![simple.critical.image.digest]),
        certificates,
        entries,
        timestamps,
    })
}

/// Reads a bundle; `manifest` is what a signature without envelope is over.
pub(super) fn bundle(bytes: &[u8], manifest: &[u8]) -> Result<Claim, Rejection> {
    let bundle: Bundle =
        serde_json::from_slice(bytes).map_err(|error| malformed(format!("the bundle: {error}")))?;
    if !bundle
        .media_type
        .starts_with("application/vnd.dev.sigstore.bundle")
    {
        return Err(Rejection::Unsupported(crate::error::clean(
            &bundle.media_type,
        )));
    }
    let material = bundle.material;
    let listed = material
        .chain
        .map(|chain| chain.certificates)
        .unwrap_or_default();
    let certificates = material
        .certificate
        .into_iter()
        .chain(listed)
        .take(5)
        .map(|certificate| decode("rawBytes", &certificate.raw_bytes))
        .collect::<Result<_, _>>()?;
    let stamps = material
        .timestamps
        .unwrap_or_default()
        .stamps
        .unwrap_or_default();
    let entries = material.entries.unwrap_or_default();
    if stamps.len() > PARTS || entries.len() > PARTS {
        return Err(malformed(format!(
            "it has more than {PARTS} log entries or timestamps"
        )));
    }
    let timestamps = stamps
        .iter()
        .map(|stamp| decode("signedTimestamp", &stamp.signed));
    let mut claim = Claim {
        message: manifest.to_vec(),
        payload: None,
        signature: Vec::new(),
        subjects: None,
        certificates,
        entries: entries
            .into_iter()
            .map(BundleEntry::read)
            .collect::<Result<_, _>>()?,
        timestamps: timestamps.collect::<Result<_, _>>()?,
    };
    match (bundle.envelope, bundle.message) {
        (Some(envelope), None) => envelope.fill(&mut claim)?,
        (None, Some(message)) => claim.signature = decode("signature", &message.signature)?,
        _ => return Err(malformed("a bundle has either an envelope or a signature")),
    }
    Ok(claim)
}

/// Returns what the signature of an envelope is over.
pub(crate) fn envelope_message(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    out.extend_from_slice(payload);
    out
}

#[derive(Deserialize)]
struct Simple {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

#[derive(Deserialize)]
struct LegacyTimestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LegacyLog {
    signed_entry_timestamp: String,
    payload: LegacyPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LegacyPayload {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

impl LegacyLog {
    fn read(self) -> Result<Entry, Rejection> {
        let log = (0..self.payload.log_id.len())
            .step_by(2)
            .map(|at| {
                self.payload
                    .log_id
                    .get(at..at + 2)
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            })
            .collect::<Option<_>>()
            .ok_or_else(|| malformed("`logID` is not hexadecimal"))?;
        Ok(Entry {
            log,
            index: self.payload.log_index,
            seconds: self.payload.integrated_time,
            body: decode("body", &self.payload.body)?,
            promise: Some(decode(
                "SignedEntryTimestamp",
                &self.signed_entry_timestamp,
            )?),
            proof: None,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    #[serde(rename = "verificationMaterial")]
    material: Material,
    #[serde(rename = "dsseEnvelope")]
    envelope: Option<Envelope>,
    #[serde(rename = "messageSignature")]
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Material {
    certificate: Option<Certificate>,
    #[serde(rename = "x509CertificateChain")]
    chain: Option<Chain>,
    #[serde(rename = "tlogEntries")]
    entries: Option<Vec<BundleEntry>>,
    #[serde(rename = "timestampVerificationData")]
    timestamps: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    raw_bytes: String,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Certificate>,
}

#[derive(Default, Deserialize)]
struct Timestamps {
    #[serde(rename = "rfc3161Timestamps")]
    stamps: Option<Vec<Timestamp>>,
}

#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "signedTimestamp")]
    signed: String,
}

#[derive(Deserialize)]
struct Message {
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

impl Envelope {
    fn fill(self, claim: &mut Claim) -> Result<(), Rejection> {
        let [signature] = self.signatures.as_slice() else {
            return Err(malformed("an envelope has exactly one signature"));
        };
        if self.payload_type != IN_TOTO {
            return Err(Rejection::Unsupported(crate::error::clean(
                &self.payload_type,
            )));
        }
        let payload = decode("payload", &self.payload)?;
        let statement: Statement = serde_json::from_slice(&payload)
            .map_err(|error| malformed(format!("the statement: {error}")))?;
        if !statement.kind.starts_with("https://in-toto.io/Statement/") {
            return Err(Rejection::Unsupported(crate::error::clean(&statement.kind)));
        }
        if statement.predicate_type != PREDICATE {
            return Err(Rejection::Unsupported(format!(
                "it is an attestation of `{}`",
                crate::error::clean(&statement.predicate_type)
            )));
        }
        let digests = statement
            .subject
            .iter()
            .filter_map(|subject| subject.digest.get("sha256"));
        claim.subjects = Some(digests.map(|hex| format!("sha256:{hex}")).collect());
        claim.signature = decode("sig", &signature.sig)?;
        claim.message = envelope_message(&self.payload_type, &payload);
        claim.payload = Some(payload);
        Ok(())
    }
}

/// Numbers stand as text in the JSON of protocol buffers.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Number {
    #[default]
    Missing,
    Text(String),
    Value(i64),
}

impl Number {
    fn get(&self) -> Result<i64, Rejection> {
        match self {
            Self::Missing => Ok(0),
            Self::Value(value) => Ok(*value),
            Self::Text(text) => text
                .parse()
                .map_err(|_| malformed("a number of a log entry is none")),
        }
    }

    fn index(&self) -> Result<u64, Rejection> {
        u64::try_from(self.get()?).map_err(|_| malformed("an index of a log entry is negative"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundleEntry {
    #[serde(default)]
    log_index: Number,
    log_id: LogId,
    #[serde(default)]
    integrated_time: Number,
    inclusion_promise: Option<Promise>,
    inclusion_proof: Option<BundleProof>,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundleProof {
    #[serde(default)]
    log_index: Number,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

impl BundleEntry {
    fn read(self) -> Result<Entry, Rejection> {
        let promise = self
            .inclusion_promise
            .map(|promise| promise.signed_entry_timestamp);
        let promise = promise.filter(|text| !text.is_empty());
        let proof = match self.inclusion_proof {
            None => None,
            Some(proof) if proof.hashes.len() > 64 => {
                return Err(malformed(format!(
                    "a proof has {} hashes",
                    proof.hashes.len()
                )));
            }
            Some(proof) => Some(Proof {
                index: proof.log_index.index()?,
                hashes: proof
                    .hashes
                    .iter()
                    .map(|hash| decode("hashes", hash))
                    .collect::<Result<_, _>>()?,
                checkpoint: proof.checkpoint.envelope,
            }),
        };
        Ok(Entry {
            log: decode("keyId", &self.log_id.key_id)?,
            index: self.log_index.index()?,
            seconds: self.integrated_time.get()?,
            body: decode("canonicalizedBody", &self.canonicalized_body)?,
            promise: promise
                .map(|text| decode("signedEntryTimestamp", &text))
                .transpose()?,
            proof,
        })
    }
}
