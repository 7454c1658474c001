//! Plugins that are installed by reference, group `bulkhead.dev`: Plugin and ClusterPlugin `v1alpha1`.
//!
//! Both have the same spec and status. A Plugin serves its namespace, and its Secrets are there; a
//! ClusterPlugin serves all, and its Secrets are in the namespace that Bulkhead runs in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{StatusFields, is_false, optional};
use crate::meta::{Condition, LocalObjectReference};
use crate::names::group;
use crate::quantity::Quantity;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

custom_resource! {
    /// A renderer, transformer or notifier for one namespace.
    Plugin(group::BULKHEAD, "v1alpha1", "plugins") {
        spec: PluginSpec,
        status: PluginStatus,
    }
}

custom_resource! {
    /// A renderer, transformer or notifier for all namespaces.
    cluster ClusterPlugin(group::BULKHEAD, "v1alpha1", "clusterplugins") {
        spec: PluginSpec,
        status: PluginStatus,
    }
}

/// What to install, whom to trust, and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginSpec {
    /// Image by tag or digest: `registry.example.com/plugins/cue:1.2` or `…/cue@sha256:…`.
    pub image: String,
    /// How often the tag is looked at; 10 min when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// Longest time for one exchange with the registry; 60 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Stops looking at the registry; what runs goes on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Secret of the type `kubernetes.io/dockerconfigjson`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret_ref: Option<LocalObjectReference>,
    /// Secret with `ca.crt`: who signs the registry's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Talks to the registry without TLS.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// Which signatures the image must have; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<PluginVerification>,
    /// What of its requests the plugin is granted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grants: PluginGrants,
    /// Digest whose requests the user approves, though they are more than those before.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub approve: Option<String>,
    /// What one call may take; the defaults of its kind where absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: PluginLimits,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PluginSpec {
    /// How often the tag is looked at when the spec does not say.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(600);
    /// Longest time for one look at the registry when the spec does not say.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Makes a spec with the one required field.
    pub fn new(image: &str) -> Self {
        Self {
            image: image.to_owned(),
            ..Self::default()
        }
    }

    /// Returns how often the tag is looked at.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        let interval = self.interval.as_ref();
        spec::duration_or("spec.interval", interval, Self::DEFAULT_INTERVAL)
    }

    /// Returns the longest time for one look at the registry.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        spec::duration_or("spec.timeout", self.timeout.as_ref(), Self::DEFAULT_TIMEOUT)
    }
}

/// Which signatures an image must have: by one of some keys, or by one of some identities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginVerification {
    /// How images are signed; `cosign` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub provider: Option<VerificationProvider>,
    /// Secret with the public keys that are trusted, in keys that end in `.pub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Identities that are trusted, where signing is keyless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyless: Vec<KeylessIdentity>,
    /// Secret with `trusted_root.json`: the authorities and logs behind signatures; for `keyless`,
    /// those of the public Sigstore when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<LocalObjectReference>,
    /// What happens without a good signature; `enforce` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub mode: Option<VerificationMode>,
}

impl PluginVerification {
    /// Returns what happens without a good signature.
    pub fn mode(&self) -> VerificationMode {
        self.mode.clone().unwrap_or(VerificationMode::Enforce)
    }
}

text_enum! {
    /// How images are signed.
    VerificationProvider {
        /// As `cosign` does, with version 2 or 3.
        Cosign = "cosign",
    }
}

text_enum! {
    /// What happens to an image without a good signature.
    VerificationMode {
        /// It is not run.
        Enforce = "enforce",
        /// It is run, and the condition Verified says what is wrong.
        Warn = "warn",
    }
}

/// Who may have signed: an identity in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeylessIdentity {
    /// Who vouches for the identity: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// The identity, letter by letter.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// An expression that the whole identity must match.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub subject_reg_exp: Option<String>,
}

/// What a plugin is granted, if it asks for it. Nothing by default, but the files of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginGrants {
    /// Hosts that a notifier may send to beside that of the provider's address: `api.example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Names of keys in the provider's Secret that a notifier may use beside `address`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Patterns of files that a renderer sees; all of the source when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
    /// Names of inputs that a renderer is given; all that its user names when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<String>>,
    /// Lets a renderer look up objects of the cluster, under the identity of the tenant.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lookup: bool,
    /// Lets a notifier send to private networks. Counts in a ClusterPlugin alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub private_networks: bool,
}

/// What one call of a plugin may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginLimits {
    /// Sum of its memories: `512Mi`, at most 4Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// From its start to its answer: `30s`, at most 10 min.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<GoDuration>,
    /// Its answer: `32Mi`, at most 256Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Quantity>,
    /// Instructions, about; where guests are metered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<i64>,
}

/// What the controller saw and did last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginStatus {
    /// Last generation that ended Ready or Stalled; -1 before the first.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, Fetched, Verified, Compatible, Compiled, Approved, and Reconciling or Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Image that runs, by tag and digest.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Digest of the image that runs.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Digest of the component in it.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// World that the component was built for.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// What it does: `renderer`, `transformer` or `notifier`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Version that its manifest states.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Interfaces that it imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// What its manifest asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<PluginRequests>,
    /// What it may do: what it asks for, as far as it is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PluginPermissions>,
    /// Last digest whose imports and requests were approved.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub approved_digest: Option<String>,
    /// Digest that waits to be approved.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub pending_digest: Option<String>,
    /// Who signed the image that runs: an identity, or a key.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Last value of the annotation that asks for a reconciliation.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Fields that could not be read; see [`StatusFields::unreadable`].
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

/// What the manifest of a plugin asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginRequests {
    /// Patterns of files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Names of inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Names of secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Objects of the cluster.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lookup: bool,
    /// Memory of one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Time of one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<GoDuration>,
}

/// What a plugin may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginPermissions {
    /// Patterns of files that it sees; those of the request and those of the grant must both match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Names of inputs that it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Hosts that it may send to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Names of secrets that it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// It may look up objects of the cluster.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lookup: bool,
    /// It may send to private networks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub private_networks: bool,
    /// Memory of one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Time of one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<GoDuration>,
}

impl Default for PluginStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            conditions: Vec::new(),
            image: None,
            digest: None,
            component: None,
            world: None,
            kind: None,
            version: None,
            imports: Vec::new(),
            requests: None,
            permissions: None,
            approved_digest: None,
            pending_digest: None,
            signer: None,
            last_handled_reconcile_at: None,
            unreadable: Vec::new(),
        }
    }
}

impl StatusFields for PluginStatus {
    fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
    fn set_unreadable(&mut self, names: Vec<String>) {
        self.unreadable = names;
    }
}
