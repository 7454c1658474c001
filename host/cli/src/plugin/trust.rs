//! Signatures: whose are accepted, who signed what, and signing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bulkhead_source::Secret;
use bulkhead_source::oci::sign::{Format, SigningKey};
use bulkhead_source::oci::verify::{
    self, Identity, Matcher, Mode, Policy, PublicKey, Trust, TrustedRoot,
};
use bulkhead_source::oci::{Registry, Resolved};
use serde_json::json;

use super::failure::advised;
use super::{print, registry};
use crate::args::{PolicyArguments, SignArguments, SignatureFormat, VerifyArguments};
use crate::output::CliError;

/// Passphrase of an encrypted private key, as cosign has it.
const PASSPHRASE: &str = "COSIGN_PASSWORD";

/// Checks the signature of an image where the flags name a signer; returns who signed.
pub(super) async fn check(
    registry: &Registry,
    resolved: &Resolved,
    policy: &PolicyArguments,
) -> Result<Option<String>, CliError> {
    let Some(policy) = self::policy(policy)? else {
        return Ok(None);
    };
    let verified = verify::verify(registry, resolved, &policy)
        .await
        .map_err(|error| advised(error.advice(), error))?;
    Ok(Some(verified.identity.to_string()))
}

/// Tells who signed an image, for a person who looks at it: without a signer to check for, whether
/// there are signatures at all.
pub(super) async fn look(
    registry: &Registry,
    resolved: &Resolved,
    policy: &PolicyArguments,
) -> Result<String, CliError> {
    if let Some(signer) = check(registry, resolved, policy).await? {
        return Ok(signer);
    }
    let (signatures, failure) = verify::collect(registry, resolved).await;
    if let Some(error) = failure {
        return Err(registry::failed(error));
    }
    Ok(match signatures.len() {
        0 => "not signed".to_owned(),
        1 => "signed, not checked: name the signer with `--key` or `--issuer` and `--identity`"
            .to_owned(),
        many => format!(
            "{many} signatures, not checked: name the signer with `--key` or `--issuer` and `--identity`"
        ),
    })
}

fn policy(arguments: &PolicyArguments) -> Result<Option<Policy>, CliError> {
    let root = match &arguments.trusted_root {
        Some(path) => {
            let root = TrustedRoot::from_json(&read(path)?)
                .with_context(|| format!("failed to use {}", path.display()))?;
            Some(Arc::new(root))
        }
        None => None,
    };
    let trust = if !arguments.key.is_empty() {
        let mut keys = Vec::new();
        for path in &arguments.key {
            let named = PublicKey::all_from_pem(&read(path)?)
                .with_context(|| format!("failed to use {}", path.display()))?;
            keys.extend(named);
        }
        Trust::Keys { keys, root }
    } else if let (Some(issuer), Some(identity)) = (&arguments.issuer, &arguments.identity) {
        let subject = if identity.starts_with('^') {
            Matcher::pattern(identity).map_err(|error| CliError::from(error).usage())?
        } else {
            Matcher::exact(identity)
        };
        let root = match root {
            Some(root) => root,
            None => Arc::new(TrustedRoot::public_good()?),
        };
        Trust::Keyless {
            identities: vec![Identity {
                issuer: Matcher::exact(issuer),
                subject,
            }],
            root,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(Policy {
        trust,
        mode: Mode::Enforce,
    }))
}

/// `bulkhead plugin verify`.
pub(super) async fn verify(arguments: &VerifyArguments) -> Result<(), CliError> {
    let client = registry::client(&arguments.registry)?;
    let reference = registry::reference(&arguments.reference)?;
    let resolved = registry::resolve(&client, &reference).await?;
    let Some(signer) = check(&client, &resolved, &arguments.policy).await? else {
        return Err(
            CliError::from(anyhow!("nobody is named whose signature is good"))
                .usage()
                .hint("name a public key with `--key`, or `--issuer` and `--identity`"),
        );
    };
    let pinned = resolved.pinned().to_string();
    print::answer(
        arguments.output,
        &json!({"reference": pinned, "digest": resolved.digest.to_string(), "signer": signer}),
        || format!("{pinned} is signed by {signer}\n"),
    )
}

/// `bulkhead plugin sign`.
pub(super) async fn sign(arguments: &SignArguments) -> Result<(), CliError> {
    let client = registry::client(&arguments.registry)?;
    let reference = registry::reference(&arguments.reference)?;
    let passphrase = std::env::var(PASSPHRASE).ok().map(Secret::new);
    let key = SigningKey::from_pem(&read(&arguments.key)?, passphrase.as_ref())
        .with_context(|| format!("failed to use {}", arguments.key.display()))
        .map_err(|error| {
            CliError::from(error).hint(format!(
                "`cosign generate-key-pair` makes a key; the passphrase is read from {PASSPHRASE}"
            ))
        })?;
    let resolved = registry::resolve(&client, &reference).await?;
    let format = match arguments.format {
        SignatureFormat::Bundle => Format::Bundle,
        SignatureFormat::Legacy => Format::Legacy,
    };
    let signature = client.sign(&resolved, &key, format).await?;
    let (pinned, key) = (
        resolved.pinned().to_string(),
        key.public().digest().to_string(),
    );
    print::answer(
        arguments.output,
        &json!({"reference": pinned, "digest": resolved.digest.to_string(),
                "signature": signature.to_string(), "key": key}),
        || format!("signed {pinned}\n"),
    )
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))
}
