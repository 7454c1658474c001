//! A signature with all that belongs to it, and what can be wrong with it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::Digest;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::certificate::{CODE_SIGNING, TIME_STAMPING, TIMESTAMPS};
use super::super::claim::{IN_TOTO, PREDICATE, SIGNATURE, envelope_message};
use super::super::der::{self, write};
use super::super::log::{hash, promised};
use super::super::{Identity, Matcher, Mode, Policy, Signature, Trust, TrustedRoot};
use super::authority::{
    Certificate, Key, authority_extensions, extension, promise, proof, timestamp, usage,
};
use crate::oci::{Reference, Resolved, media};

pub(super) const ISSUER: &str = "https://accounts.example.com";
pub(super) const SUBJECT: &str = "https://ci.example.com/team/plugin@main";

/// Everyone who takes part.
pub(super) struct Cast {
    pub(super) root: Key,
    pub(super) between: Key,
    pub(super) signer: Key,
    pub(super) log: Key,
    pub(super) certificate_log: Key,
    pub(super) clock: Key,
    pub(super) stranger: Key,
}

/// What can be wrong; the default is all right.
pub(super) struct Scene {
    /// When it was signed, in seconds after the certificate was issued; it lasts 600.
    pub(super) logged_after: i64,
    pub(super) stamped_after: Option<i64>,
    pub(super) issuer: &'static str,
    pub(super) subject: &'static str,
    pub(super) usage: &'static [u8],
    pub(super) has_entry: bool,
    pub(super) has_promise: bool,
    pub(super) has_proof: bool,
    pub(super) has_certificate_promise: bool,
    /// Who has signed in the place of: the authority, log, proof, certificate log, clock.
    pub(super) authority_is_stranger: bool,
    pub(super) log_is_stranger: bool,
    pub(super) promise_by_stranger: bool,
    pub(super) proof_by_stranger: bool,
    pub(super) certificate_promise_by_stranger: bool,
    pub(super) clock_is_stranger: bool,
    pub(super) clock_signs_other: bool,
    pub(super) entry_of_other: bool,
    pub(super) payload_changed: bool,
    pub(super) digest: Option<Digest>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            logged_after: 30,
            stamped_after: None,
            issuer: ISSUER,
            subject: SUBJECT,
            usage: CODE_SIGNING,
            has_entry: true,
            has_promise: true,
            has_proof: true,
            has_certificate_promise: true,
            authority_is_stranger: false,
            log_is_stranger: false,
            promise_by_stranger: false,
            proof_by_stranger: false,
            certificate_promise_by_stranger: false,
            clock_is_stranger: false,
            clock_signs_other: false,
            entry_of_other: false,
            payload_changed: false,
            digest: None,
        }
    }
}

impl Cast {
    pub(super) fn new() -> Self {
        Self {
            root: Key::new(),
            between: Key::new(),
            signer: Key::new(),
            log: Key::new(),
            certificate_log: Key::new(),
            clock: Key::new(),
            stranger: Key::new(),
        }
    }

    /// Returns the root as JSON; `change` may spoil it.
    pub(super) fn trusted(&self, change: impl FnOnce(&mut Value)) -> Arc<TrustedRoot> {
        let log = |key: &Key| {
            json!({
                "publicKey": { "rawBytes": STANDARD.encode(key.spki()), "validFor": { "start": "2026-01-01T00:00:00Z" } },
                "logId": { "keyId": STANDARD.encode(key.log_id()) },
            })
        };
        let chain = |chain: &[Vec<u8>]| {
            let list: Vec<Value> = chain
                .iter()
                .map(|c| json!({ "rawBytes": STANDARD.encode(c) }))
                .collect();
            json!({ "certChain": { "certificates": list }, "validFor": { "start": "2026-01-01T00:00:00Z" } })
        };
        let mut root = json!({
            "tlogs": [log(&self.log)],
            "ctlogs": [log(&self.certificate_log)],
            "certificateAuthorities": [chain(&[self.between_certificate(), self.root_certificate()])],
            "timestampAuthorities": [chain(&[self.clock_certificate(&self.clock), self.root_certificate()])],
        });
        change(&mut root);
        Arc::new(TrustedRoot::from_json(root.to_string().as_bytes()).unwrap())
    }

    fn certificate<'a>(
        &self,
        subject: &'a str,
        key: &Key,
        extensions: Vec<Vec<u8>>,
    ) -> Certificate<'a> {
        Certificate {
            subject,
            spki: key.spki(),
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            to: "2036-01-01T00:00:00Z".parse().unwrap(),
            extensions,
        }
    }

    fn root_certificate(&self) -> Vec<u8> {
        self.certificate("root", &self.root, authority_extensions())
            .sign("root", &self.root)
    }

    fn between_certificate(&self) -> Vec<u8> {
        self.certificate("between", &self.between, authority_extensions())
            .sign("root", &self.root)
    }

    fn clock_certificate(&self, key: &Key) -> Vec<u8> {
        self.certificate("clock", key, vec![usage(TIME_STAMPING)])
            .sign("root", &self.root)
    }

    /// Returns the signer's certificate.
    fn leaf(&self, scene: &Scene) -> Vec<u8> {
        let fulcio = |number: u8| [0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, number];
        let names = write(
            der::SEQUENCE,
            &[&write(der::implicit(6), &[scene.subject.as_bytes()])],
        );
        let issuer = write(der::UTF8_STRING, &[scene.issuer.as_bytes()]);
        let mut certificate = self.certificate("", &self.signer, vec![]);
        certificate.from = issued();
        certificate.to = issued() + SignedDuration::from_secs(600);
        certificate.extensions = vec![
            usage(scene.usage),
            extension(&[0x55, 0x1d, 0x11], true, &names),
            extension(&fulcio(8), false, &issuer),
        ];
        let key = if scene.authority_is_stranger {
            &self.stranger
        } else {
            &self.between
        };
        if scene.has_certificate_promise {
            let by = if scene.certificate_promise_by_stranger {
                &self.stranger
            } else {
                &self.certificate_log
            };
            let signed_part = certificate.signed_part("between");
            let promise = promise(&self.certificate_log, by, key, issued(), &signed_part);
            certificate
                .extensions
                .push(extension(TIMESTAMPS, false, &promise));
        }
        certificate.sign("between", key)
    }

    /// Returns what was resolved and its signature as a bundle.
    pub(super) fn bundle(&self, scene: &Scene) -> (Resolved, Signature) {
        let resolved = resolved();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "digest": { "sha256": scene.digest.unwrap_or(resolved.digest).to_hex() } }],
            "predicateType": PREDICATE,
            "predicate": {},
        });
        let payload = statement.to_string();
        let leaf = self.leaf(scene);
        let message = envelope_message(IN_TOTO, payload.as_bytes());
        let signature = self.signer.sign(&message);
        let shown = if scene.payload_changed {
            payload.replace("{}", "{ }")
        } else {
            payload
        };
        let body = entry_body(
            &envelope_message(IN_TOTO, shown.as_bytes()),
            &signature,
            &leaf,
            scene,
        );
        let entries: Vec<Value> = scene
            .has_entry
            .then(|| self.entry(&body, scene))
            .into_iter()
            .collect();
        let stamps: Vec<Value> = self.stamps(&signature, scene);
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": STANDARD.encode(&leaf) },
                "tlogEntries": entries,
                "timestampVerificationData": { "rfc3161Timestamps": stamps },
            },
            "dsseEnvelope": {
                "payload": STANDARD.encode(shown),
                "payloadType": IN_TOTO,
                "signatures": [{ "sig": STANDARD.encode(&signature) }],
            },
        });
        (resolved, Signature::Bundle(bundle.to_string().into()))
    }

    /// Returns the same in the older format.
    pub(super) fn legacy(&self, scene: &Scene) -> (Resolved, Signature) {
        let resolved = resolved();
        let digest = scene.digest.unwrap_or(resolved.digest);
        let payload =
            json!({ "critical": { "image": { "docker-manifest-digest": digest } } }).to_string();
        let leaf = self.leaf(scene);
        let signature = self.signer.sign(payload.as_bytes());
        let shown = if scene.payload_changed {
            format!("{payload} ")
        } else {
            payload
        };
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(&leaf)
        );
        let mut annotations = [
            (SIGNATURE.to_owned(), STANDARD.encode(&signature)),
            ("dev.sigstore.cosign/certificate".to_owned(), pem),
        ]
        .to_vec();
        if scene.has_entry {
            let body = entry_body(shown.as_bytes(), &signature, &leaf, scene);
            let entry = self.logged(&body, scene);
            let log: String = entry.log.iter().map(|byte| format!("{byte:02x}")).collect();
            let value = json!({
                "SignedEntryTimestamp": STANDARD.encode(entry.promise.as_deref().unwrap_or_default()),
                "Payload": {
                    "body": STANDARD.encode(&entry.body),
                    "integratedTime": entry.seconds,
                    "logIndex": entry.index,
                    "logID": log,
                },
            });
            annotations.push(("dev.sigstore.cosign/bundle".to_owned(), value.to_string()));
        }
        let signature = Signature::Legacy {
            payload: Bytes::from(shown),
            annotations: annotations.into_iter().collect(),
        };
        (resolved, signature)
    }

    fn logged(&self, body: &[u8], scene: &Scene) -> super::super::claim::Entry {
        let log = if scene.log_is_stranger {
            &self.stranger
        } else {
            &self.log
        };
        let mut entry = super::super::claim::Entry {
            log: log.log_id(),
            index: 41,
            seconds: issued().as_second() + scene.logged_after,
            body: body.to_vec(),
            promise: None,
            proof: None,
        };
        let by = if scene.promise_by_stranger {
            &self.stranger
        } else {
            log
        };
        entry.promise = scene
            .has_promise
            .then(|| by.sign(promised(&entry).as_bytes()));
        entry
    }

    fn entry(&self, body: &[u8], scene: &Scene) -> Value {
        let entry = self.logged(body, scene);
        let mut value = json!({
            "logIndex": "41",
            "logId": { "keyId": STANDARD.encode(&entry.log) },
            "integratedTime": entry.seconds.to_string(),
            "canonicalizedBody": STANDARD.encode(body),
        });
        if let Some(promise) = &entry.promise {
            value["inclusionPromise"] = json!({ "signedEntryTimestamp": STANDARD.encode(promise) });
        }
        if scene.has_proof {
            let by = if scene.proof_by_stranger {
                &self.stranger
            } else {
                &self.log
            };
            let (checkpoint, other) = proof(body, by);
            value["inclusionProof"] = json!({
                "logIndex": "1",
                "treeSize": "2",
                "hashes": [STANDARD.encode(other)],
                "checkpoint": { "envelope": checkpoint },
            });
        }
        value
    }

    fn stamps(&self, signature: &[u8], scene: &Scene) -> Vec<Value> {
        let after = scene.stamped_after.into_iter();
        after
            .map(|after| {
                let at = issued() + SignedDuration::from_secs(after);
                let key = if scene.clock_is_stranger {
                    &self.stranger
                } else {
                    &self.clock
                };
                let about: &[u8] = if scene.clock_signs_other {
                    b"other"
                } else {
                    signature
                };
                let answer = timestamp(about, at, &self.clock_certificate(&self.clock), key);
                json!({ "signedTimestamp": STANDARD.encode(answer) })
            })
            .collect()
    }
}

/// When the signer's certificate was issued.
pub(super) fn issued() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// A policy that trusts one identity.
pub(super) fn policy(root: Arc<TrustedRoot>, issuer: Matcher, subject: Matcher) -> Policy {
    Policy {
        trust: Trust::Keyless {
            identities: vec![Identity { issuer, subject }],
            root,
        },
        mode: Mode::Enforce,
    }
}

fn resolved() -> Resolved {
    let manifest = Bytes::from_static(br#"{"schemaVersion":2}"#);
    Resolved {
        reference: Reference::parse("ghcr.io/team/plugin:v1").unwrap(),
        digest: Digest::of(&manifest),
        media_type: media::MANIFEST.to_owned(),
        manifest,
    }
}

fn entry_body(message: &[u8], signature: &[u8], leaf: &[u8], scene: &Scene) -> Vec<u8> {
    let other = if scene.entry_of_other {
        b"other".as_slice()
    } else {
        message
    };
    let hex: String = hash(&[other])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(leaf)
    );
    let body = json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex } },
            "signature": {
                "content": STANDARD.encode(signature),
                "publicKey": { "content": STANDARD.encode(pem) },
            },
        },
    });
    body.to_string().into_bytes()
}
