//! Sources, group `source.toolkit.fluxcd.io`, version `v1`: GitRepository here, the others below.

mod external;
mod helm;
mod oci;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{StatusFields, is_false, optional};
use crate::meta::{Artifact, Condition, LocalObjectReference};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

pub use self::external::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use self::helm::{
    AccessFrom, ChartSourceKind, ChartSourceReference, ChartVerification, HelmChart, HelmChartSpec,
    HelmChartStatus, HelmRepository, HelmRepositorySpec, HelmRepositoryStatus, HelmRepositoryType,
    NamespaceSelector, ReconcileStrategy,
};
pub use self::oci::{
    OCIRepository, OciIdentity, OciLayerOperation, OciLayerSelector, OciRepositoryRef,
    OciRepositorySpec, OciRepositoryStatus, OciVerification, RegistryProvider,
    VerificationProvider,
};

/// Declares the status of a source: what all have, and what follows.
macro_rules! source_status {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$attribute:meta])* pub $field:ident: $type:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Last generation that ended Ready or Stalled; -1 before the first; 0, which is not
            /// written, of an object without a status.
            #[serde(default, skip_serializing_if = "crate::lenient::is_zero")]
            pub observed_generation: i64,
            /// Ready, Reconciling, Stalled, ArtifactInStorage and the others.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub conditions: Vec<Condition>,
            /// What was last made.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub artifact: Option<Artifact>,
            /// Last value of the annotation that asks for a reconciliation.
            #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
            pub last_handled_reconcile_at: Option<String>,
            $($(#[$attribute])* pub $field: $type,)*
            /// Fields that could not be read; see [`StatusFields::unreadable`].
            #[serde(skip)]
            pub unreadable: Vec<String>,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    observed_generation: -1,
                    conditions: Vec::new(),
                    artifact: None,
                    last_handled_reconcile_at: None,
                    $($field: Default::default(),)*
                    unreadable: Vec::new(),
                }
            }
        }

        impl StatusFields for $name {
            fn unreadable(&self) -> &[String] {
                &self.unreadable
            }
            fn set_unreadable(&mut self, names: Vec<String>) {
                self.unreadable = names;
            }
        }
    };
}

pub(crate) use source_status;

custom_resource! {
    /// A Git repository whose files become an artifact.
    GitRepository(group::SOURCE, "v1", "gitrepositories") {
        spec: GitRepositorySpec,
        status: GitRepositoryStatus,
    }
}

/// What to fetch, how often, and with which credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositorySpec {
    /// Address: `https://`, `http://` or `ssh://`; `file://` for `bulkhead sync` alone.
    pub url: String,
    /// Secret with username and password, bearer token, or SSH identity and known hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// How to authenticate; `generic` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub provider: Option<GitProvider>,
    /// Service account to authenticate as, with the providers `aws` and `azure`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// How often upstream is looked at.
    pub interval: GoDuration,
    /// Longest time for one fetch; 60 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// What to check out; branch `master` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "ref")]
    pub reference: Option<GitRepositoryRef>,
    /// Signatures to check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<GitRepositoryVerification>,
    /// Secret with the address and credentials of a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Patterns of files to leave out, in place of the built-in ones; an empty text leaves nothing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Fetches submodules too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recurse_submodules: bool,
    /// Other repositories whose artifacts are copied in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<GitRepositoryInclude>,
    /// Directories to keep; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparse_checkout: Vec<String>,
}

impl GitRepositorySpec {
    /// Longest time for one fetch when the spec has none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Makes a spec with the two required fields.
    pub fn new(url: &str, interval: Duration) -> Self {
        Self {
            url: url.to_owned(),
            secret_ref: None,
            provider: None,
            service_account_name: None,
            interval: interval.into(),
            timeout: None,
            reference: None,
            verify: None,
            proxy_secret_ref: None,
            ignore: None,
            suspend: false,
            recurse_submodules: false,
            include: Vec::new(),
            sparse_checkout: Vec::new(),
        }
    }

    /// Returns how often upstream is looked at.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        spec::duration("spec.interval", &self.interval)
    }

    /// Returns the longest time for one fetch.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        spec::duration_or("spec.timeout", self.timeout.as_ref(), Self::DEFAULT_TIMEOUT)
    }

    /// Returns how to authenticate.
    pub fn provider(&self) -> GitProvider {
        self.provider.clone().unwrap_or(GitProvider::Generic)
    }
}

text_enum! {
    /// How to authenticate to a Git server.
    GitProvider {
        /// With what `secretRef` holds.
        Generic = "generic",
        /// As a workload of AWS, to CodeCommit.
        Aws = "aws",
        /// As a workload of Azure, to Azure DevOps.
        Azure = "azure",
        /// As a GitHub App.
        GitHub = "github",
    }
}

/// What to check out; of several fields that are set, the later one wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitRepositoryRef {
    /// Branch; with `commit`, where the commit is looked for.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Tag.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Range of versions; the newest tag in it.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// Reference by its full name: `refs/pull/420/head`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Commit.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl GitRepositoryRef {
    /// Branch when no field is set.
    pub const DEFAULT_BRANCH: &'static str = "master";
}

/// Which signatures to check, and against which keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryVerification {
    /// What must be signed; the commit when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub mode: Option<GitVerificationMode>,
    /// Secret with trusted public keys: `*.asc` PGP, `*.sshpub` SSH.
    pub secret_ref: LocalObjectReference,
}

impl GitRepositoryVerification {
    /// Returns what must be signed; the commit for a mode that is not known, as in Flux.
    pub fn mode(&self) -> GitVerificationMode {
        match &self.mode {
            Some(mode @ (GitVerificationMode::Tag | GitVerificationMode::TagAndHead)) => {
                mode.clone()
            }
            _ => GitVerificationMode::Head,
        }
    }
}

text_enum! {
    /// What of a Git repository must be signed.
    GitVerificationMode {
        /// The commit that was checked out.
        Head = "HEAD",
        /// The same, in the spelling of older versions.
        LegacyHead = "head",
        /// The tag.
        Tag = "Tag",
        /// The tag and the commit.
        TagAndHead = "TagAndHEAD",
    }
}

/// Another repository whose artifact is copied into this one's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryInclude {
    /// The other GitRepository.
    pub repository: LocalObjectReference,
    /// Directory there; its root when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub from_path: Option<String>,
    /// Directory here; the name of the other repository when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub to_path: Option<String>,
}

impl GitRepositoryInclude {
    /// Returns the directory here.
    pub fn to_path(&self) -> &str {
        self.to_path.as_deref().unwrap_or(&self.repository.name)
    }
}

/// What the controller saw and did last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryStatus {
    /// Last generation that ended Ready or Stalled; -1 before the first.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, Reconciling, Stalled, ArtifactInStorage and the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What was last fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Artifacts that were copied in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included_artifacts: Vec<Artifact>,
    /// `ignore` of the current artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// `recurseSubmodules` of the current artifact.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observed_recurse_submodules: bool,
    /// `include` of the current artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_include: Vec<GitRepositoryInclude>,
    /// `sparseCheckout` of the current artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_sparse_checkout: Vec<String>,
    /// What was found to be signed.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub source_verification_mode: Option<GitVerificationMode>,
    /// Last value of the annotation that asks for a reconciliation.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Fields that could not be read; see [`StatusFields::unreadable`].
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

impl Default for GitRepositoryStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            conditions: Vec::new(),
            artifact: None,
            included_artifacts: Vec::new(),
            observed_ignore: None,
            observed_recurse_submodules: false,
            observed_include: Vec::new(),
            observed_sparse_checkout: Vec::new(),
            source_verification_mode: None,
            last_handled_reconcile_at: None,
            unreadable: Vec::new(),
        }
    }
}

impl StatusFields for GitRepositoryStatus {
    fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
    fn set_unreadable(&mut self, names: Vec<String>) {
        self.unreadable = names;
    }
}
