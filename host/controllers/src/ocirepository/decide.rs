//! What to do about an OCIRepository. Pure.

use bulkhead_api::conditions;
use bulkhead_api::names::condition::SOURCE_VERIFIED;
use bulkhead_api::source::{
    OCIRepository, OciLayerOperation, OciRepositoryRef, OciRepositorySpec, RegistryProvider,
    VerificationProvider,
};
use bulkhead_api::{Digest, SpecError};
use bulkhead_source::oci::verify::Policy;
use bulkhead_source::oci::{Keychain, Reference, ReferenceError, RegistryConfig, Repository};

use super::error::PullError;
use super::load::Observed;
use crate::sources::registry::{self, AccessError, Verification};

/// What to do.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is being deleted: its artifacts go, then its finalizer.
    Finalize,
    /// It is suspended: nothing.
    Suspend,
    /// Nothing can be asked for.
    Refuse(PullError),
    /// Look at the registry.
    Pull(Box<Request>),
}

/// What to ask a registry for, and what to do with the answer.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) repository: Repository,
    pub(super) wanted: Wanted,
    pub(super) registry: RegistryConfig,
    pub(super) media_type: Option<String>,
    pub(super) operation: Operation,
    /// Whose signature counts; nobody's is asked for when absent.
    pub(super) trust: Option<Trusted>,
    /// The artifact must be made anew though the revision may be the same.
    pub(super) rebuild: bool,
}

/// Whose signature counts.
#[derive(Debug)]
pub(super) struct Trusted {
    /// What errors call it.
    pub(super) provider: String,
    pub(super) policy: Policy,
    /// The signature was good for this generation, if the revision is the same.
    pub(super) holds: bool,
}

/// What is meant by `spec.ref`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Digest(Digest),
    Range {
        range: String,
        filter: Option<String>,
    },
    Tag(Reference),
}

/// What is done with the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Extract,
    Copy,
}

/// Decides.
pub(super) fn decide(object: &OCIRepository, seen: &Observed) -> Decision {
    if object.metadata.deletion_timestamp.is_some() {
        return Decision::Finalize;
    }
    if object.spec.suspend {
        return Decision::Suspend;
    }
    match request(object, seen) {
        Err(error) => Decision::Refuse(error),
        Ok(request) => Decision::Pull(Box::new(request)),
    }
}

/// Says what to ask the registry for.
pub(super) fn request(object: &OCIRepository, seen: &Observed) -> Result<Request, PullError> {
    let (spec, status) = (&object.spec, &object.status);
    spec.interval()?;
    refuse_what_is_missing(spec)?;
    let operation = match spec.layer_operation() {
        OciLayerOperation::Extract => Operation::Extract,
        OciLayerOperation::Copy => Operation::Copy,
        OciLayerOperation::Other(value) => {
            let (field, known) = ("spec.layerSelector.operation", OciLayerOperation::KNOWN);
            return Err(SpecError::unknown(field, &value, known).into());
        }
    };
    let repository = Repository::parse(&spec.url).map_err(|source| PullError::Url {
        url: spec.url.clone(),
        source,
    })?;
    let wanted = wanted(spec.reference.as_ref(), &repository).map_err(PullError::Reference)?;
    Ok(Request {
        registry: access(spec, seen, &repository)?,
        wanted,
        media_type: spec.layer_media_type().map(str::to_owned),
        operation,
        trust: trusted(object, seen)?,
        rebuild: !seen.has_artifact
            || spec.ignore != status.observed_ignore
            || spec.layer_selector != status.observed_layer_selector,
        repository,
    })
}

fn refuse_what_is_missing(spec: &OciRepositorySpec) -> Result<(), PullError> {
    match spec.provider() {
        RegistryProvider::Generic => {}
        RegistryProvider::Other(value) => {
            let known = RegistryProvider::KNOWN;
            return Err(SpecError::unknown("spec.provider", &value, known).into());
        }
        _ => {
            let field = "spec.provider";
            return Err(PullError::Unsupported { field });
        }
    }
    // Leaving it out would apply what nobody signed.
    let notation = |verify: &bulkhead_api::source::OciVerification| {
        verify.provider == VerificationProvider::Notation
    };
    if spec.verify.as_ref().is_some_and(notation) {
        let field = "spec.verify.provider: notation";
        return Err(PullError::Unsupported { field });
    }
    Ok(())
}

/// # Source
/// `getArtifactRef`: digest before range before tag.
fn wanted(
    reference: Option<&OciRepositoryRef>,
    repository: &Repository,
) -> Result<Wanted, ReferenceError> {
    let tag = |tag| repository.tagged(tag).map(Wanted::Tag);
    let Some(reference) = reference else {
        return tag(OciRepositoryRef::DEFAULT_TAG);
    };
    if let Some(digest) = &reference.digest {
        let wrong = |_| ReferenceError::Digest(digest.clone());
        return digest.parse().map(Wanted::Digest).map_err(wrong);
    }
    if let Some(range) = &reference.semver {
        return Ok(Wanted::Range {
            range: range.clone(),
            filter: reference.semver_filter.clone(),
        });
    }
    tag(reference
        .tag
        .as_deref()
        .unwrap_or(OciRepositoryRef::DEFAULT_TAG))
}

fn access(
    spec: &OciRepositorySpec,
    seen: &Observed,
    repository: &Repository,
) -> Result<RegistryConfig, PullError> {
    let mut config = registry::config(repository.registry(), spec.timeout()?, spec.insecure);
    config.credentials = keychain(seen).map_err(PullError::Credential)?;
    if let Some(proxy) = &seen.proxy {
        let read = |data| registry::proxy(data);
        let proxy = proxy.as_ref().map_err(|e| AccessError::Secret(e.clone()));
        config.proxy = Some(proxy.and_then(read).map_err(PullError::Proxy)?);
    }
    if let Some(data) = &seen.certificate {
        let data = data.as_ref().map_err(|e| AccessError::Secret(e.clone()));
        let read = data.and_then(registry::certificates);
        let (authority, own) = read.map_err(|source| PullError::Transport {
            url: spec.url.clone(),
            source: Box::new(source),
        })?;
        config.authority = authority;
        config.client_certificate = own;
    }
    Ok(config)
}

fn keychain(seen: &Observed) -> Result<Keychain, AccessError> {
    let mut secrets = Vec::new();
    if let Some(login) = &seen.login {
        secrets.push(login.as_ref().map_err(Clone::clone)?);
    }
    if let Some(account) = &seen.account {
        secrets.extend(account.as_ref().map_err(Clone::clone)?);
    }
    registry::keychain(secrets)
}

fn trusted(object: &OCIRepository, seen: &Observed) -> Result<Option<Trusted>, PullError> {
    let Some(verify) = &object.spec.verify else {
        return Ok(None);
    };
    let verification = Verification {
        provider: &verify.provider,
        identities: &verify.match_oidc_identity,
        keys: seen.keys.as_ref(),
        root: seen.root.as_ref(),
    };
    let provider = verification.provider();
    let policy = verification.policy().map_err(|source| PullError::Trust {
        provider: provider.clone(),
        source: Box::new(source),
    })?;
    let conditions = &object.status.conditions;
    let verified = conditions::get(conditions, SOURCE_VERIFIED);
    let holds = conditions::is_true(conditions, SOURCE_VERIFIED)
        && verified.and_then(|is| is.observed_generation) == object.metadata.generation;
    Ok(Some(Trusted {
        provider,
        policy,
        holds,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use bulkhead_api::source::{OciLayerSelector, OciVerification};
    use bulkhead_api::{Retry, meta};

    use super::*;
    use crate::gitrepository::request::SecretError;
    use crate::sources::{Failure as _, Place};

    fn object(change: impl FnOnce(&mut OciRepositorySpec)) -> OCIRepository {
        let url = "oci://registry.example.com/team/app";
        let mut spec = OciRepositorySpec::new(url, Duration::from_secs(60));
        change(&mut spec);
        OCIRepository::new("apps", "web", spec)
    }

    fn asked(object: &OCIRepository, seen: &Observed) -> Request {
        request(object, seen).unwrap()
    }

    fn refused(object: &OCIRepository, seen: &Observed) -> (String, &'static str, Retry, Place) {
        let error = request(object, seen).unwrap_err();
        let advice = error.advice();
        let text = bulkhead_api::chain(&error);
        (text, advice.reason, advice.retry, error.place())
    }

    fn referring(reference: OciRepositoryRef) -> Wanted {
        let object = object(|spec| spec.reference = Some(reference));
        asked(&object, &Observed::default()).wanted
    }

    #[test]
    fn a_digest_wins_over_a_range_and_that_over_a_tag() {
        let digest = Digest::of("x");
        let mut reference = OciRepositoryRef {
            digest: Some(digest.to_string()),
            semver: Some("1.x".into()),
            semver_filter: Some("rc".into()),
            tag: Some("v1".into()),
        };
        assert_eq!(referring(reference.clone()), Wanted::Digest(digest));
        reference.digest = None;
        let range = Wanted::Range {
            range: "1.x".into(),
            filter: Some("rc".into()),
        };
        assert_eq!(referring(reference.clone()), range);
        reference.semver = None;
        let tagged = |wanted: Wanted| match wanted {
            Wanted::Tag(reference) => reference.to_string(),
            other => format!("{other:?}"),
        };
        let name = "registry.example.com/team/app";
        assert_eq!(tagged(referring(reference)), format!("{name}:v1"));
        let latest = tagged(referring(OciRepositoryRef::default()));
        assert_eq!(latest, format!("{name}:latest"));
        let none = asked(&object(|_| {}), &Observed::default()).wanted;
        assert_eq!(tagged(none), format!("{name}:latest"));
    }

    #[test]
    fn what_is_wrong_has_flux_s_words_and_reason() {
        let seen = Observed::default();
        let tagged = object(|spec| spec.url.push_str(":v1"));
        let (text, reason, retry, _) = refused(&tagged, &seen);
        assert_eq!((reason, retry), ("URLInvalid", Retry::OnChange));
        let start = "URL validation failed for 'oci://registry.example.com/team/app:v1': ";
        assert!(text.starts_with(start), "{text}");
        let cloud = object(|spec| spec.provider = Some(RegistryProvider::Aws));
        let expected = "`spec.provider` is not supported yet".to_owned();
        let (text, reason, retry, place) = refused(&cloud, &seen);
        assert_eq!(
            (text, retry, place),
            (expected, Retry::OnChange, Place::Fetch)
        );
        assert_eq!(reason, "NotSupported");
        let missing = Observed {
            login: Some(Err(SecretError::Missing("apps/login".into()))),
            ..Observed::default()
        };
        assert_eq!(
            refused(&object(|_| {}), &missing),
            (
                "failed to get credential: failed to get secret 'apps/login': it does not exist"
                    .into(),
                "AuthenticationFailed",
                Retry::Backoff,
                Place::Fetch
            )
        );
    }

    #[test]
    fn verification_says_what_it_lacks() {
        let verify = |provider: &str| OciVerification {
            provider: provider.into(),
            secret_ref: None,
            match_oidc_identity: Vec::new(),
            trusted_root_secret_ref: None,
        };
        let notation = object(|spec| spec.verify = Some(verify("notation")));
        let (text, reason, ..) = refused(&notation, &Observed::default());
        let expected = "`spec.verify.provider: notation` is not supported yet";
        assert_eq!((text.as_str(), reason), (expected, "NotSupported"));
        let cosign = object(|spec| spec.verify = Some(verify("cosign")));
        let keyless = asked(&cosign, &Observed::default()).trust.unwrap();
        assert_eq!(keyless.provider, "cosign keyless");
        let empty = Observed {
            keys: Some(Ok(Default::default())),
            ..Observed::default()
        };
        let (text, reason, _, place) = refused(&cosign, &empty);
        assert_eq!(
            text,
            "failed to verify the signature using provider 'cosign': no public keys found in the \
             secret of `spec.verify.secretRef`"
        );
        assert_eq!((reason, place), ("VerificationError", Place::Signature));
    }

    #[test]
    fn an_artifact_is_made_anew_when_its_settings_changed() {
        let mut object = object(|_| {});
        let held = Observed {
            has_artifact: true,
            ..Observed::default()
        };
        assert!(!asked(&object, &held).rebuild);
        assert!(asked(&object, &Observed::default()).rebuild, "it is gone");
        object.spec.ignore = Some(String::new());
        assert!(asked(&object, &held).rebuild);
        object.status.observed_ignore = Some(String::new());
        assert!(!asked(&object, &held).rebuild);
        object.spec.layer_selector = Some(OciLayerSelector::default());
        assert!(asked(&object, &held).rebuild);
    }

    #[test]
    fn deletion_comes_before_suspension() {
        let mut object = object(|spec| spec.suspend = true);
        let decided = |object: &_| decide(object, &Observed::default());
        assert!(matches!(decided(&object), Decision::Suspend));
        object.metadata.deletion_timestamp = Some(meta::time(jiff::Timestamp::UNIX_EPOCH));
        assert!(matches!(decided(&object), Decision::Finalize));
    }
}
