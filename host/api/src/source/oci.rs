//! OCIRepository, version `v1`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::source_status;
use crate::duration::GoDuration;
use crate::lenient::{StatusFields, is_false, optional};
use crate::meta::{Artifact, Condition, LocalObjectReference};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

custom_resource! {
    /// An OCI artifact of which one layer becomes an artifact.
    OCIRepository(group::SOURCE, "v1", "ocirepositories") {
        spec: OciRepositorySpec,
        status: OciRepositoryStatus,
    }
}

/// What to pull, how often, and with which credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositorySpec {
    /// Address of the repository: `oci://`, without tag and digest.
    pub url: String,
    /// What to pull; the tag `latest` when absent.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<OciRepositoryRef>,
    /// Which layer; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_selector: Option<OciLayerSelector>,
    /// How to authenticate; `generic` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub provider: Option<RegistryProvider>,
    /// Secret with a login of Docker, `kubernetes.io/dockerconfigjson`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Signatures to check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<OciVerification>,
    /// ServiceAccount whose pull secrets are used, or whose identity, with another provider.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Secret with `ca.crt`, and `tls.crt` with `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret with the address and credentials of a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// How often the registry is looked at.
    pub interval: GoDuration,
    /// Longest time for one pull; 60 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Patterns of files to leave out, in place of the built-in ones; an empty text leaves nothing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Lets the registry be spoken to without TLS.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

impl OciRepositorySpec {
    /// Longest time for one pull when the spec has none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
    /// How the address starts.
    pub const PREFIX: &'static str = "oci://";

    /// Makes a spec with the two required fields.
    pub fn new(url: &str, interval: Duration) -> Self {
        Self {
            url: url.to_owned(),
            reference: None,
            layer_selector: None,
            provider: None,
            secret_ref: None,
            verify: None,
            service_account_name: None,
            cert_secret_ref: None,
            proxy_secret_ref: None,
            interval: interval.into(),
            timeout: None,
            ignore: None,
            insecure: false,
            suspend: false,
        }
    }

    /// Returns how often the registry is looked at.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        spec::duration("spec.interval", &self.interval)
    }

    /// Returns the longest time for one pull.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        spec::duration_or("spec.timeout", self.timeout.as_ref(), Self::DEFAULT_TIMEOUT)
    }

    /// Returns how to authenticate.
    pub fn provider(&self) -> RegistryProvider {
        self.provider.clone().unwrap_or(RegistryProvider::Generic)
    }

    /// Returns the media type of the layer, if the spec names one.
    pub fn layer_media_type(&self) -> Option<&str> {
        self.layer_selector.as_ref()?.media_type.as_deref()
    }

    /// Returns what is done with the layer.
    pub fn layer_operation(&self) -> OciLayerOperation {
        let selector = self.layer_selector.as_ref();
        let operation = selector.and_then(|selector| selector.operation.clone());
        operation.unwrap_or(OciLayerOperation::Extract)
    }
}

/// What to pull; of several fields that are set, `digest` wins over `semver`, and that over `tag`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositoryRef {
    /// Digest of the image: `sha256:<hex>`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Range of versions; the newest tag in it.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// Regular expression that a tag must match for `semver` to see it.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub semver_filter: Option<String>,
    /// Tag.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl OciRepositoryRef {
    /// Tag when no field is set.
    pub const DEFAULT_TAG: &'static str = "latest";
}

/// Which layer becomes the artifact, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciLayerSelector {
    /// Media type; of several layers that have it, the first is taken.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What is done with it; its files are taken out when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub operation: Option<OciLayerOperation>,
}

text_enum! {
    /// What is done with a layer.
    OciLayerOperation {
        /// Its files become an archive, less those that are ignored.
        Extract = "extract",
        /// It becomes the artifact as it is.
        Copy = "copy",
    }
}

text_enum! {
    /// How to authenticate to a registry.
    RegistryProvider {
        /// With what `secretRef` holds, or the pull secrets of the service account.
        Generic = "generic",
        /// As a workload of AWS.
        Aws = "aws",
        /// As a workload of Azure.
        Azure = "azure",
        /// As a workload of Google Cloud.
        Gcp = "gcp",
    }
}

text_enum! {
    /// What signatures were made with.
    VerificationProvider {
        /// Sigstore's cosign.
        Cosign = "cosign",
        /// The Notary Project's notation.
        Notation = "notation",
    }
}

/// Which signatures to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciVerification {
    /// What they were made with.
    pub provider: VerificationProvider,
    /// Secret with trusted public keys: `*.pub`. Without one, `matchOIDCIdentity` says who may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Who may sign without a key; one that matches is enough.
    #[serde(default, rename = "matchOIDCIdentity")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_oidc_identity: Vec<OciIdentity>,
    /// Secret with `trusted_root.json`, in the place of Sigstore's public instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<LocalObjectReference>,
}

/// Who may sign without a key: both are regular expressions that must match somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciIdentity {
    /// Who vouched for the signer.
    pub issuer: String,
    /// The signer.
    pub subject: String,
}

source_status! {
    /// What the controller saw and did last.
    OciRepositoryStatus {
        /// Where the newest artifact always is.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        pub url: Option<String>,
        /// `ignore` of the current artifact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub observed_ignore: Option<String>,
        /// `layerSelector` of the current artifact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub observed_layer_selector: Option<OciLayerSelector>,
    }
}
