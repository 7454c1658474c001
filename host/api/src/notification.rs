//! Alert and Provider, group `notification.toolkit.fluxcd.io`, version `v1beta3`.
//!
//! Both have no status. Objects of `v1beta1` and `v1beta2` have fewer fields of the same names, so
//! that these types read them too.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{is_false, optional};
use crate::meta::LocalObjectReference;
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

custom_resource! {
    /// A rule that says which events go to which provider.
    Alert(group::NOTIFICATION, "v1beta3", "alerts") {
        spec: AlertSpec,
    }
}

custom_resource! {
    /// A place that messages are sent to.
    Provider(group::NOTIFICATION, "v1beta3", "providers") {
        spec: ProviderSpec,
    }
}

/// Which events, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertSpec {
    /// Provider, in the same namespace.
    pub provider_ref: LocalObjectReference,
    /// Least severity; `info`, which is everything, when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub event_severity: Option<EventSeverity>,
    /// Objects whose events count.
    pub event_sources: Vec<EventSource>,
    /// Regular expressions of which one must match the message, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inclusion_list: Vec<String>,
    /// Metadata added to each event; what the event has itself wins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event_metadata: BTreeMap<String, String>,
    /// Regular expressions of which none may match the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusion_list: Vec<String>,
    /// Deprecated: `summary` of `eventMetadata`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Stops sending.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

impl AlertSpec {
    /// Makes a spec with the required fields.
    pub fn new(provider: &str, event_sources: Vec<EventSource>) -> Self {
        Self {
            provider_ref: LocalObjectReference {
                name: provider.to_owned(),
            },
            event_severity: None,
            event_sources,
            inclusion_list: Vec::new(),
            event_metadata: BTreeMap::new(),
            exclusion_list: Vec::new(),
            summary: None,
            suspend: false,
        }
    }

    /// Returns the least severity.
    pub fn severity(&self) -> EventSeverity {
        self.event_severity.clone().unwrap_or(EventSeverity::Info)
    }
}

text_enum! {
    /// Least severity of events that an Alert sends.
    EventSeverity {
        /// Everything.
        Info = "info",
        /// Only failures.
        Error = "error",
    }
}

/// Selects objects whose events count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventSource {
    /// Group and version; not compared when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Name, or `*` for all.
    pub name: String,
    /// Namespace; that of the Alert when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels the object must have; with the name `*` alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}

impl EventSource {
    /// Kinds that the schema lets through: Flux's, and then ours.
    pub const KINDS: &'static [&'static str] = &[
        "Bucket",
        "GitRepository",
        "Kustomization",
        "HelmRelease",
        "HelmChart",
        "HelmRepository",
        "ImageRepository",
        "ImagePolicy",
        "ImageUpdateAutomation",
        "OCIRepository",
        "ArtifactGenerator",
        "ExternalArtifact",
        "Delivery",
        "Plugin",
    ];

    /// Name that stands for every object.
    pub const ANY_NAME: &'static str = "*";
}

/// Where messages go, and as whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderSpec {
    /// Name of the notifier: `slack`, `discord` and the others.
    #[serde(rename = "type")]
    pub type_: String,
    /// Deprecated and without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// Channel.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Name that messages are sent under.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Address, in the meaning of the type; `address` of the Secret wins.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Longest time for one message; 15 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Deprecated: `proxySecretRef`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Secret with the address and credentials of a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Secret with address, token, username, password, headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Service account to authenticate to a cloud as.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Secret with `ca.crt`, `tls.crt`, `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Stops sending.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// CEL expression over `event`, `provider` and `alert` that names the commit status.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub commit_status_expr: Option<String>,
}

impl ProviderSpec {
    /// Longest time for one message when the spec has none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

    /// Types that the schema lets through.
    pub const TYPES: &'static [&'static str] = &[
        "slack",
        "discord",
        "msteams",
        "rocket",
        "generic",
        "generic-hmac",
        "github",
        "gitlab",
        "gitea",
        "giteapullrequestcomment",
        "bitbucketserver",
        "bitbucket",
        "azuredevops",
        "googlechat",
        "googlepubsub",
        "webex",
        "sentry",
        "azureeventhub",
        "telegram",
        "lark",
        "matrix",
        "opsgenie",
        "alertmanager",
        "grafana",
        "githubdispatch",
        "githubpullrequestcomment",
        "gitlabmergerequestcomment",
        "pagerduty",
        "datadog",
        "nats",
        "zulip",
        "otel",
        "zoom",
        "incident.io",
    ];

    /// Makes a spec with the required field.
    pub fn new(type_: &str) -> Self {
        Self {
            type_: type_.to_owned(),
            interval: None,
            channel: None,
            username: None,
            address: None,
            timeout: None,
            proxy: None,
            proxy_secret_ref: None,
            secret_ref: None,
            service_account_name: None,
            cert_secret_ref: None,
            suspend: false,
            commit_status_expr: None,
        }
    }

    /// Returns the longest time for one message.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        spec::duration_or("spec.timeout", self.timeout.as_ref(), Self::DEFAULT_TIMEOUT)
    }
}
