//! Why an image is not run: one reason for each thing that can be wrong with it, and the condition
//! that says so.

use std::io;

use bulkhead_api::names::condition::{APPROVED, COMPATIBLE, COMPILED, FETCHED, VERIFIED};
use bulkhead_api::{Advice, Digest, Retry, reason, reason::plugin as why};
use bulkhead_source::oci::OciError;
use bulkhead_source::oci::verify::VerifyError;
use bulkhead_wasm::inspect::{Gravity, Problem};
use bulkhead_wasm::{InspectError, LoadError};

use super::request::RequestError;
use super::trust;

/// The steps of an installation, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The image is resolved and pulled.
    Fetched,
    /// Its signature is checked.
    Verified,
    /// The component is looked at.
    Compatible,
    /// It is compiled.
    Compiled,
    /// What it asks for is compared with what was approved.
    Approved,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Fetched,
        Self::Verified,
        Self::Compatible,
        Self::Compiled,
        Self::Approved,
    ];

    /// Returns the type of its condition.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Fetched => FETCHED,
            Self::Verified => VERIFIED,
            Self::Compatible => COMPATIBLE,
            Self::Compiled => COMPILED,
            Self::Approved => APPROVED,
        }
    }
}

/// Why an image is not run.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Nothing could be asked for.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The registry did not give it, or what it gave is no plugin.
    #[error("failed to fetch the plugin")]
    Fetch(#[source] OciError),
    /// Its signature is not what the spec asks for, or could not be had.
    #[error("failed to verify the signature of {image}")]
    Verify {
        /// The image, by digest.
        image: String,
        /// Why.
        #[source]
        source: VerifyError,
    },
    /// It is no component.
    #[error("{image} is no plugin")]
    Inspect {
        /// The image, by digest.
        image: String,
        /// Why.
        #[source]
        source: InspectError,
    },
    /// It is a component that does not fit this host.
    #[error("{image} does not fit: {}", list(problems))]
    Incompatible {
        /// The image, by digest.
        image: String,
        /// What is wrong, the gravest first; at least one.
        problems: Vec<Problem>,
    },
    /// It does not compile or link.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It could not be kept.
    #[error("failed to keep the plugin in the storage folder")]
    Store(#[source] io::Error),
    /// It asks for more than what was approved.
    #[error("{digest} asks for more than what was approved: {}", asks.join(", "))]
    NeedsApproval {
        /// Digest of the image.
        digest: Digest,
        /// What is new.
        asks: Vec<String>,
        /// A command that approves it.
        command: String,
    },
}

fn list(problems: &[Problem]) -> String {
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl PluginError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Request(error) => error.advice(),
            Self::Fetch(error) => fetch(error),
            Self::Verify { source, .. } => trust::advice(source),
            Self::Inspect { source, .. } => Advice {
                reason: of_inspection(source),
                ..source.advice()
            },
            Self::Incompatible { problems, .. } => {
                let first = problems.first();
                let code = first.map_or("", |problem| problem.code);
                let advice = Advice::new(of_problem(code), Retry::OnChange);
                match first.filter(|problem| !problem.help.is_empty()) {
                    Some(problem) => advice.hint(problem.help.clone()),
                    None => advice,
                }
            }
            Self::Load(error) => Advice {
                reason: of_loading(error),
                ..error.advice()
            },
            Self::Store(_) => Advice::new(why::STORAGE_FAILED, Retry::Backoff)
                .hint("check the space and the permissions of the storage folder"),
            Self::NeedsApproval { command, .. } => {
                Advice::new(why::NEEDS_APPROVAL, Retry::OnChange).hint(format!(
                    "to approve, set `spec.approve` to the digest: `{command}`"
                ))
            }
        }
    }

    /// Returns the step that failed.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Request(RequestError::Trust(_)) | Self::Verify { .. } => Stage::Verified,
            Self::Request(_) | Self::Fetch(_) | Self::Store(_) => Stage::Fetched,
            Self::Inspect { .. } | Self::Incompatible { .. } => Stage::Compatible,
            Self::Load(
                LoadError::Compile { .. }
                | LoadError::CompilerStopped { .. }
                | LoadError::QuotaSpent { .. },
            ) => Stage::Compiled,
            Self::Load(_) => Stage::Compatible,
            Self::NeedsApproval { .. } => Stage::Approved,
        }
    }

    /// Tells whether the same image under the same policy will be refused again: nothing is gained
    /// by pulling it once more.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Inspect { .. } | Self::Incompatible { .. } | Self::NeedsApproval { .. } => true,
            Self::Load(error) => error.advice().retry == Retry::OnChange,
            Self::Fetch(error) => matches!(
                error,
                OciError::Image { .. }
                    | OciError::Index { .. }
                    | OciError::Layers { .. }
                    | OciError::Compressed { .. }
                    | OciError::MediaType { .. }
                    | OciError::Manifest { .. }
                    | OciError::Limit { .. }
            ),
            Self::Request(_) | Self::Verify { .. } | Self::Store(_) => false,
        }
    }

    /// Returns how long nothing is gained by trying: the registry asked to be left alone, or the
    /// compiler's time is used up.
    pub(super) fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Fetch(error) => error.retry_after(),
            Self::Verify { source, .. } => source.retry_after(),
            Self::Load(LoadError::QuotaSpent { again, .. }) => Some(*again),
            _ => None,
        }
    }
}

/// Keeps the source crate's hint, and names the reason more narrowly: users tell causes apart by it.
fn fetch(error: &OciError) -> Advice {
    let reason = match error {
        OciError::Reference(_) => why::INVALID_IMAGE,
        OciError::NotFound { .. } => why::IMAGE_NOT_FOUND,
        OciError::RateLimited { .. } => why::RATE_LIMITED,
        OciError::Status { .. } | OciError::Unreachable { .. } => why::REGISTRY_UNREACHABLE,
        OciError::NotRegistry { .. } | OciError::Protocol { .. } => why::NOT_A_REGISTRY,
        OciError::Redirect { .. } => why::REDIRECT_REFUSED,
        OciError::Certificate { .. } => why::CERTIFICATE_UNTRUSTED,
        OciError::Timeout { .. } => why::REGISTRY_TIMED_OUT,
        OciError::Limit { .. } => why::TOO_LARGE,
        OciError::DigestMismatch { .. } => why::DIGEST_MISMATCH,
        OciError::SizeMismatch { .. } => why::SIZE_MISMATCH,
        OciError::Manifest { .. } => why::INVALID_IMAGE_MANIFEST,
        OciError::MediaType { .. } => why::OTHER_ARTIFACT,
        OciError::Image { .. } => why::CONTAINER_IMAGE,
        OciError::Index { .. } => why::IMAGE_INDEX,
        OciError::Layers { .. } => why::NOT_ONE_LAYER,
        OciError::Compressed { .. } => why::COMPRESSED_LAYER,
        other => other.advice().reason,
    };
    let advice = error.advice();
    let retry = match error {
        // Both can be over with the next push of the same tag: the interval looks again.
        OciError::NotFound { .. } => Retry::Backoff,
        _ => advice.retry,
    };
    Advice {
        reason,
        retry,
        ..advice
    }
}

fn of_inspection(error: &InspectError) -> &'static str {
    match error {
        InspectError::CoreModule => why::CORE_MODULE,
        InspectError::TooLarge { .. } => why::TOO_LARGE,
        InspectError::NotWasm { .. } | InspectError::OtherWasm | InspectError::Broken(_) => {
            why::NOT_A_COMPONENT
        }
    }
}

fn of_problem(code: &str) -> &'static str {
    match code {
        "missing-export" => why::MISSING_EXPORT,
        "foreign-import" => why::FOREIGN_IMPORT,
        "older-wit" | "unversioned-wit" => why::OLDER_INTERFACE,
        "newer-wit" => why::NEWER_INTERFACE,
        "newer-host" => why::NEWER_HOST,
        "invalid-manifest" | "other-kind" => why::INVALID_MANIFEST,
        _ => reason::own::PLUGIN_INCOMPATIBLE,
    }
}

fn of_loading(error: &LoadError) -> &'static str {
    match error {
        LoadError::NotAComponent { .. } => why::NOT_A_COMPONENT,
        LoadError::CoreModule { .. } => why::CORE_MODULE,
        LoadError::TooLarge { .. } => why::TOO_LARGE,
        LoadError::MissingExport { .. } => why::MISSING_EXPORT,
        LoadError::ForeignImport { .. } => why::FOREIGN_IMPORT,
        LoadError::Compile { .. } => why::COMPILE_FAILED,
        LoadError::CompilerStopped { .. } => why::COMPILER_STOPPED,
        LoadError::QuotaSpent { .. } => why::COMPILE_QUOTA_SPENT,
        other => other.advice().reason,
    }
}

/// Returns what keeps a component from being loaded.
pub(super) fn grave(problems: &[Problem]) -> Vec<Problem> {
    let grave = problems
        .iter()
        .filter(|problem| problem.gravity == Gravity::Error);
    grave.cloned().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use bulkhead_source::oci::verify::Rejection;
    use bulkhead_wasm::{PluginId, PluginKind};

    use super::*;

    const IMAGE: &str = "registry.example/x:1@sha256:ab";

    fn place() -> String {
        IMAGE.to_owned()
    }

    pub(in crate::plugin) fn unsigned() -> PluginError {
        let place = place();
        verify(VerifyError::Unsigned { place })
    }

    fn verify(source: VerifyError) -> PluginError {
        PluginError::Verify {
            image: place(),
            source,
        }
    }

    fn rejected(source: Rejection) -> PluginError {
        let (place, count) = (place(), 1);
        verify(VerifyError::Rejected {
            place,
            count,
            source,
        })
    }

    fn inspect(source: InspectError) -> PluginError {
        PluginError::Inspect {
            image: place(),
            source,
        }
    }

    fn incompatible(code: &'static str) -> PluginError {
        let problem = Problem {
            gravity: Gravity::Error,
            code,
            what: "it imports `wasi:http/types@0.2.3`".into(),
            why: "renderers do not get it".into(),
            help: "leave it out".into(),
        };
        PluginError::Incompatible {
            image: place(),
            problems: vec![problem],
        }
    }

    fn plugin() -> PluginId {
        PluginId::new("x", "1.0.0")
    }

    /// Everything that can be wrong with an image, the step that finds it, and its reason.
    fn bad_input() -> Vec<(PluginError, Stage, &'static str)> {
        use Stage::{Approved, Compatible, Compiled, Fetched, Verified};
        let (one, two) = (Digest::of("1"), Digest::of("2"));
        let fetch = PluginError::Fetch;
        let text = String::new;
        vec![
            (
                fetch(OciError::Image { place: place() }),
                Fetched,
                "ContainerImage",
            ),
            (
                fetch(OciError::Layers {
                    place: place(),
                    count: 3,
                }),
                Fetched,
                "NotOneLayer",
            ),
            (
                fetch(OciError::Index {
                    place: place(),
                    count: 2,
                    platforms: text(),
                }),
                Fetched,
                "ImageIndex",
            ),
            (
                fetch(OciError::DigestMismatch {
                    place: place(),
                    what: "the component".into(),
                    found: one,
                    expected: two,
                }),
                Fetched,
                "DigestMismatch",
            ),
            (
                fetch(OciError::SizeMismatch {
                    place: place(),
                    what: "the component".into(),
                    found: "12".into(),
                    expected: 11,
                }),
                Fetched,
                "SizeMismatch",
            ),
            (
                fetch(OciError::Limit {
                    place: place(),
                    what: "the component".into(),
                    limit: "blob_bytes",
                    allowed: 64,
                }),
                Fetched,
                "TooLarge",
            ),
            (
                fetch(OciError::Redirect {
                    place: place(),
                    problem: "it carries credentials".into(),
                }),
                Fetched,
                "RedirectRefused",
            ),
            (
                fetch(OciError::NotFound {
                    place: place(),
                    answer: text(),
                }),
                Fetched,
                "ImageNotFound",
            ),
            (
                fetch(OciError::Unauthorised {
                    place: place(),
                    answer: text(),
                    had_login: true,
                    helper: None,
                }),
                Fetched,
                "AuthenticationFailed",
            ),
            (unsigned(), Verified, "SignatureMissing"),
            (rejected(Rejection::OtherKey), Verified, "SignatureInvalid"),
            (
                rejected(Rejection::OtherDigest { found: text() }),
                Verified,
                "SignatureOfOtherDigest",
            ),
            (
                rejected(Rejection::OtherSubject { found: text() }),
                Verified,
                "SignedByOther",
            ),
            (
                verify(VerifyError::Registry {
                    place: place(),
                    source: OciError::Timeout {
                        place: place(),
                        after: std::time::Duration::from_secs(1),
                    },
                }),
                Verified,
                "VerificationUnavailable",
            ),
            (inspect(InspectError::CoreModule), Compatible, "CoreModule"),
            (
                inspect(InspectError::Broken(text())),
                Compatible,
                "NotAComponent",
            ),
            (incompatible("missing-export"), Compatible, "MissingExport"),
            (incompatible("foreign-import"), Compatible, "ForeignImport"),
            (incompatible("older-wit"), Compatible, "OlderInterface"),
            (incompatible("newer-wit"), Compatible, "NewerInterface"),
            (incompatible("newer-host"), Compatible, "NewerHost"),
            (
                incompatible("invalid-manifest"),
                Compatible,
                "InvalidManifest",
            ),
            (
                LoadError::Compile {
                    plugin: plugin(),
                    message: text(),
                }
                .into(),
                Compiled,
                "CompileFailed",
            ),
            (
                LoadError::CompilerStopped {
                    plugin: plugin(),
                    message: text(),
                }
                .into(),
                Compiled,
                "CompilerStopped",
            ),
            (
                LoadError::QuotaSpent {
                    plugin: plugin(),
                    tenant: "apps".into(),
                    time: std::time::Duration::from_secs(301),
                    again: std::time::Duration::from_secs(60),
                }
                .into(),
                Compiled,
                "CompileQuotaSpent",
            ),
            (
                PluginError::NeedsApproval {
                    digest: one,
                    asks: vec!["host `a.example`".into()],
                    command: "kubectl".into(),
                },
                Approved,
                "NeedsApproval",
            ),
        ]
    }

    #[test]
    fn each_bad_image_has_a_step_and_a_reason_of_its_own() {
        let mut reasons = BTreeSet::new();
        for (error, stage, reason) in bad_input() {
            let advice = error.advice();
            assert_eq!((error.stage(), advice.reason), (stage, reason), "{error}");
            assert!(reasons.insert(reason), "{reason} twice");
        }
    }

    #[test]
    fn a_foreign_import_found_late_has_the_same_reason() {
        let error = PluginError::Load(LoadError::ForeignImport {
            plugin: plugin(),
            kind: PluginKind::Renderer,
            imports: vec!["wasi:http/types@0.2.3".into()],
        });
        assert_eq!(error.stage(), Stage::Compatible);
        assert_eq!(error.advice().reason, why::FOREIGN_IMPORT);
    }

    #[test]
    fn only_what_cannot_get_better_is_not_pulled_again() {
        let lasting: Vec<_> = bad_input()
            .into_iter()
            .filter(|(error, ..)| error.is_lasting())
            .map(|(_, _, reason)| reason)
            .collect();
        for reason in ["ContainerImage", "TooLarge", "CoreModule", "NeedsApproval"] {
            assert!(lasting.contains(&reason), "{reason}");
        }
        for reason in [
            "ImageNotFound",
            "DigestMismatch",
            "SignatureMissing",
            "VerificationUnavailable",
            "CompilerStopped",
            "CompileQuotaSpent",
        ] {
            assert!(!lasting.contains(&reason), "{reason}");
        }
    }
}
