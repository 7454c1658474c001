//! Signatures that Sigstore's own services have made; `tests/sigstore/README.md` tells where they
//! are from.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::Digest;
use bytes::Bytes;

use super::super::{Matcher, Signature, TrustedRoot, VerifyError, check};
use super::scene::policy;
use crate::oci::{Reference, Resolved, media};

const ISSUER: &str = "https://github.com/login/oauth";

fn resolved(signed: &'static [u8]) -> Resolved {
    Resolved {
        reference: Reference::parse("ghcr.io/team/plugin:v1").unwrap(),
        digest: Digest::of(signed),
        media_type: media::MANIFEST.to_owned(),
        manifest: Bytes::from_static(signed),
    }
}

fn judge(
    signed: &'static [u8],
    bundle: &'static [u8],
    root: TrustedRoot,
) -> Result<String, VerifyError> {
    let subject = Matcher::pattern("^[^@]+@[^@]+$").unwrap();
    let policy = policy(Arc::new(root), Matcher::exact(ISSUER), subject);
    let signature = Signature::Bundle(Bytes::from_static(bundle));
    check(&resolved(signed), &[signature], &policy)
        .map(|verified| verified.time.unwrap_or_default().to_string())
}

#[test]
fn the_public_instance_with_the_first_log_and_a_clock() {
    let bundle = include_bytes!("../../../../tests/sigstore/cosign-v3-blob.sigstore.json");
    let signed = include_bytes!("../../../../tests/sigstore/cosign-v3-blob.txt");
    let root = || TrustedRoot::public_good().unwrap();
    let time = judge(signed, bundle, root()).unwrap();
    assert!(time.starts_with("2025-12-03T18:36:4"), "{time}");
    assert!(judge(b"other", bundle, root()).is_err());
}

#[test]
fn every_byte_that_is_signed_counts_and_no_byte_is_a_way_to_panic() {
    let bundle = include_bytes!("../../../../tests/sigstore/cosign-v3-blob.sigstore.json");
    let signed = include_bytes!("../../../../tests/sigstore/cosign-v3-blob.txt");
    let whole: serde_json::Value = serde_json::from_slice(bundle).unwrap();
    let root = Arc::new(TrustedRoot::public_good().unwrap());
    let material = "/verificationMaterial";
    let entry = "/verificationMaterial/tlogEntries/0";
    let parts = [
        ("/messageSignature/signature".to_owned(), true),
        (format!("{material}/certificate/rawBytes"), true),
        (format!("{entry}/canonicalizedBody"), true),
        (
            format!("{entry}/inclusionPromise/signedEntryTimestamp"),
            true,
        ),
        // Not all of an answer is signed: who says that he has signed it is not.
        (
            format!("{material}/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp"),
            false,
        ),
    ];
    for (path, is_signed) in parts {
        let text = whole
            .pointer(&path)
            .and_then(serde_json::Value::as_str)
            .unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        for at in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let mut bundle = whole.clone();
            *bundle.pointer_mut(&path).unwrap() = STANDARD.encode(changed).into();
            let policy = policy(
                root.clone(),
                Matcher::exact(ISSUER),
                Matcher::pattern("@").unwrap(),
            );
            let signature = Signature::Bundle(bundle.to_string().into());
            let judged = check(&resolved(signed), &[signature], &policy);
            assert!(judged.is_err() || !is_signed, "byte {at} of {path}");
        }
    }
}

#[test]
fn the_staging_instance_with_the_second_log_and_a_clock() {
    let bundle = include_bytes!("../../../../tests/sigstore/staging-rekor-v2.txt.sigstore.json");
    let signed = include_bytes!("../../../../tests/sigstore/staging-rekor-v2.txt");
    let root = include_bytes!("../../../../tests/sigstore/staging-root.json");
    let time = judge(signed, bundle, TrustedRoot::from_json(root).unwrap()).unwrap();
    assert!(time.starts_with("2025-06-09T11:57:3"), "{time}");
    let other = judge(signed, bundle, TrustedRoot::public_good().unwrap());
    assert!(
        matches!(other, Err(VerifyError::Rejected { .. })),
        "{other:?}"
    );
}
