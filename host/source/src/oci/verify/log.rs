//! Transparency logs: is the entry in the log, and is it about this signature?
//!
//! # Source
//! RFC 6962 (leaf and node hashes, proofs), the signed-note format of checkpoints, Rekor's types
//! `hashedrekord` 0.0.1 and 0.0.2, `dsse` 0.0.1 and 0.0.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde_json::Value;

use super::Rejection;
use super::claim::{Claim, Entry, Proof};
use super::key::{Hash, PublicKey};
use super::root::{Log, Window};

/// Signatures of a checkpoint that are looked at: the log's and its witnesses'.
const WITNESSES: usize = 32;

/// What a log says about a signature.
#[derive(Debug)]
pub(super) struct Logged {
    /// When it came into the log, if the log has signed that.
    pub(super) time: Option<Timestamp>,
    /// When the log's key counts.
    pub(super) valid: Window,
}

/// Verifies that `entry` is in one of `logs` and about `claim`, whose signer is `signer`: a
/// certificate, or a SubjectPublicKeyInfo.
pub(super) fn verify(
    entry: &Entry,
    logs: &[Log],
    claim: &Claim,
    signer: &[u8],
) -> Result<Logged, Rejection> {
    let unknown = || Rejection::LogUnknown(STANDARD.encode(&entry.log[..entry.log.len().min(32)]));
    let log = logs
        .iter()
        .find(|log| log.id == entry.log)
        .ok_or_else(unknown)?;
    let mut time = None;
    if let Some(promise) = &entry.promise {
        if !log.key.verifies(promised(entry).as_bytes(), promise) {
            return Err(Rejection::LogPromise);
        }
        time = Timestamp::from_second(entry.seconds).ok();
    }
    if let Some(proof) = &entry.proof {
        verify_proof(&entry.body, proof, &log.key)?;
    }
    if entry.promise.is_none() && entry.proof.is_none() {
        return Err(Rejection::LogProof("it has neither a promise nor a proof"));
    }
    about(&entry.body, claim, signer)?;
    let valid = log.valid;
    Ok(Logged { time, valid })
}

/// Returns what the log's promise is over: canonical JSON.
pub(super) fn promised(entry: &Entry) -> String {
    let log: String = entry.log.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        r#"{{"body":"{}","integratedTime":{},"logID":"{log}","logIndex":{}}}"#,
        STANDARD.encode(&entry.body),
        entry.seconds,
        entry.index,
    )
}

fn verify_proof(body: &[u8], proof: &Proof, key: &PublicKey) -> Result<(), Rejection> {
    let (size, root) = checkpoint(&proof.checkpoint, key)?;
    let leaf = hash(&[&[0], body]);
    match root_of(&leaf, proof.index, size, &proof.hashes) {
        Some(found) if found == root => Ok(()),
        _ => Err(Rejection::LogProof(
            "the hashes do not lead to the root of the checkpoint",
        )),
    }
}

/// Reads a checkpoint that `key` has signed: size of the tree, and its root.
fn checkpoint(note: &str, key: &PublicKey) -> Result<(u64, Vec<u8>), Rejection> {
    let wrong = || Rejection::LogProof("the checkpoint is malformed");
    let (text, signatures) = note.split_once("\n\n").ok_or_else(wrong)?;
    let signed = format!("{text}\n");
    let is_signed = signatures.lines().take(WITNESSES).any(|line| {
        let encoded = line
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.split(' ').nth(1));
        let decoded = encoded.and_then(|text| STANDARD.decode(text).ok());
        // Four bytes name the key; the signature alone proves it.
        decoded.is_some_and(|bytes| bytes.len() > 4 && key.verifies(signed.as_bytes(), &bytes[4..]))
    });
    if !is_signed {
        return Err(Rejection::LogProof("the log has not signed the checkpoint"));
    }
    let mut lines = text.lines().skip(1);
    let size = lines
        .next()
        .and_then(|line| line.parse().ok())
        .ok_or_else(wrong)?;
    let root = lines
        .next()
        .and_then(|line| STANDARD.decode(line).ok())
        .ok_or_else(wrong)?;
    Ok((size, root))
}

/// Computes the root of a tree of `size` leaves from one leaf and the hashes beside its way up.
fn root_of(leaf: &[u8], index: u64, size: u64, hashes: &[Vec<u8>]) -> Option<Vec<u8>> {
    if index >= size || hashes.iter().any(|hash| hash.len() != 32) {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut root = leaf.to_vec();
    for other in hashes {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            root = hash(&[&[1], other, &root]);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = hash(&[&[1], &root, other]);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

pub(super) fn hash(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

/// Compares what the log has with the signature at hand.
fn about(body: &[u8], claim: &Claim, signer: &[u8]) -> Result<(), Rejection> {
    let entry: Value = serde_json::from_slice(body).map_err(|_| Rejection::LogEntry("form"))?;
    let spec = &entry["spec"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (data, signature, verifier) = match (entry["kind"].as_str(), entry["apiVersion"].as_str()) {
        (Some("hashedrekord"), Some("0.0.1")) => (
            hexadecimal(&spec["data"]["hash"], &claim.message),
            text(&spec["signature"]["content"]),
            text(&spec["signature"]["publicKey"]["content"]).and_then(|text| pem(&text)),
        ),
        (Some("hashedrekord"), Some("0.0.2")) => {
            let spec = &spec["hashedRekordV002"];
            let signature = &spec["signature"];
            (
                encoded(&spec["data"], &claim.message),
                text(&signature["content"]),
                raw(&signature["verifier"]),
            )
        }
        (Some("dsse"), Some("0.0.1")) => (
            hexadecimal(
                &spec["payloadHash"],
                claim.payload.as_deref().unwrap_or_default(),
            ),
            text(&spec["signatures"][0]["signature"]),
            text(&spec["signatures"][0]["verifier"]).and_then(|text| pem(&text)),
        ),
        (Some("dsse"), Some("0.0.2")) => {
            let spec = &spec["dsseV002"];
            let signature = &spec["signatures"][0];
            (
                encoded(
                    &spec["payloadHash"],
                    claim.payload.as_deref().unwrap_or_default(),
                ),
                text(&signature["content"]),
                raw(&signature["verifier"]),
            )
        }
        _ => return Err(Rejection::LogEntry("kind")),
    };
    if !data {
        return Err(Rejection::LogEntry("digest"));
    }
    let signature = signature.and_then(|text| STANDARD.decode(text).ok());
    if signature.as_deref() != Some(&claim.signature) {
        return Err(Rejection::LogEntry("signature"));
    }
    if verifier.as_deref() != Some(signer) {
        return Err(Rejection::LogEntry("signer"));
    }
    Ok(())
}

/// Compares `{"algorithm": "sha256", "value": "<hex>"}`.
fn hexadecimal(value: &Value, message: &[u8]) -> bool {
    let hash = match value["algorithm"].as_str() {
        Some("sha256") => Hash::Sha256,
        Some("sha384") => Hash::Sha384,
        Some("sha512") => Hash::Sha512,
        _ => return false,
    };
    let hex: String = hash
        .of(message)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    value["value"].as_str() == Some(&hex)
}

/// Compares `{"algorithm": "SHA2_256", "digest": "<base64>"}`.
fn encoded(value: &Value, message: &[u8]) -> bool {
    let hash = match value["algorithm"].as_str() {
        Some("SHA2_256") => Hash::Sha256,
        Some("SHA2_384") => Hash::Sha384,
        Some("SHA2_512") => Hash::Sha512,
        _ => return false,
    };
    value["digest"].as_str() == Some(&STANDARD.encode(hash.of(message)))
}

/// Reads base64 of PEM: a certificate or a public key.
fn pem(text: &str) -> Option<Vec<u8>> {
    let pem = STANDARD.decode(text).ok()?;
    match CertificateDer::from_pem_slice(&pem) {
        Ok(certificate) => Some(certificate.to_vec()),
        Err(_) => Some(SubjectPublicKeyInfoDer::from_pem_slice(&pem).ok()?.to_vec()),
    }
}

/// Reads `{"x509Certificate": {"rawBytes": …}}` or `{"publicKey": {"rawBytes": …}}`.
fn raw(verifier: &Value) -> Option<Vec<u8>> {
    let found = verifier
        .get("x509Certificate")
        .or_else(|| verifier.get("publicKey"))?;
    STANDARD.decode(found["rawBytes"].as_str()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    /// The root of a tree, by its definition.
    fn tree(leaves: &[Vec<u8>]) -> Vec<u8> {
        match leaves {
            [one] => one.clone(),
            _ => {
                let cut = (leaves.len() + 1).next_power_of_two() / 2;
                let cut = if cut == leaves.len() { cut / 2 } else { cut };
                hash(&[&[1], &tree(&leaves[..cut]), &tree(&leaves[cut..])])
            }
        }
    }

    fn path(leaves: &[Vec<u8>], at: usize) -> Vec<Vec<u8>> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let cut = (leaves.len() + 1).next_power_of_two() / 2;
        let cut = if cut == leaves.len() { cut / 2 } else { cut };
        let (mut inner, other) = if at < cut {
            (path(&leaves[..cut], at), tree(&leaves[cut..]))
        } else {
            (path(&leaves[cut..], at - cut), tree(&leaves[..cut]))
        };
        inner.push(other);
        inner
    }

    #[test]
    fn proofs_hold_for_every_leaf_of_small_trees_and_no_other() {
        for size in 1..=17usize {
            let leaves: Vec<Vec<u8>> = (0..size).map(|n| hash(&[&[0], &[n as u8]])).collect();
            let root = tree(&leaves);
            for at in 0..size {
                let path = path(&leaves, at);
                let found = |at: usize, size: usize, path: &[Vec<u8>]| {
                    root_of(&leaves[at % leaves.len()], at as u64, size as u64, path)
                };
                assert_eq!(found(at, size, &path), Some(root.clone()), "{at} of {size}");
                assert_ne!(
                    root_of(&hash(&[&[9]]), at as u64, size as u64, &path),
                    Some(root.clone())
                );
                if size > 1 {
                    assert_ne!(found(at, size, &path[1..]), Some(root.clone()));
                    assert_ne!(
                        root_of(&leaves[at], ((at + 1) % size) as u64, size as u64, &path),
                        Some(root.clone())
                    );
                }
            }
            assert_eq!(root_of(&leaves[0], size as u64, size as u64, &[]), None);
        }
        assert_eq!(root_of(&[], 0, 0, &[]), None);
    }
}
