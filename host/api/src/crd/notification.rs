//! Definitions of Alert and Provider: the stored version `v1beta3`, and `v1beta1` and `v1beta2` as
//! Flux 2.5 and 2.7 served them last, for the manifests of existing repositories.
//!
//! No webhook converts: each old version has a subset of the fields of the stored one.

use serde_json::json;

use super::schema::{SHORT_DURATION, Schema, boolean, duration, list, map, object, text, texts};
use super::shared::{last_handled, local_reference, status};
use super::{Kind, Version};
use crate::notification::{Alert, EventSeverity, EventSource, Provider, ProviderSpec};

const CATEGORY: &str = "fluxcd-notifications";
const ALERT: &str = "A rule that says which events go to which provider.";
const PROVIDER: &str = "A place that messages are sent to.";
const STATUS: &str = "Not used any more.";

/// Versions whose fields differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    V1Beta1,
    V1Beta2,
    V1Beta3,
}

pub(super) fn alert() -> Kind {
    Kind {
        group: Alert::GROUP,
        kind: Alert::KIND,
        plural: Alert::PLURAL,
        short_names: &[],
        category: CATEGORY,
        versions: vec![
            old(
                "v1beta1",
                ALERT,
                alert_spec(Age::V1Beta1),
                status(STATUS),
                Alert::KIND,
            ),
            old(
                "v1beta2",
                ALERT,
                alert_spec(Age::V1Beta2),
                requested_status(),
                Alert::KIND,
            ),
            Version::stored(Alert::VERSION, ALERT, alert_spec(Age::V1Beta3), None),
        ],
    }
}

pub(super) fn provider() -> Kind {
    Kind {
        group: Provider::GROUP,
        kind: Provider::KIND,
        plural: Provider::PLURAL,
        short_names: &[],
        category: CATEGORY,
        versions: vec![
            old(
                "v1beta1",
                PROVIDER,
                provider_v1beta1(),
                status(STATUS),
                Provider::KIND,
            ),
            old(
                "v1beta2",
                PROVIDER,
                provider_spec(Age::V1Beta2),
                requested_status(),
                Provider::KIND,
            ),
            Version::stored(
                Provider::VERSION,
                PROVIDER,
                provider_spec(Age::V1Beta3),
                None,
            ),
        ],
    }
}

fn old(name: &'static str, description: &str, spec: Schema, status: Schema, kind: &str) -> Version {
    let warning = format!("{name} {kind} is deprecated, upgrade to v1beta3");
    Version {
        storage: false,
        deprecation_warning: Some(warning),
        ..Version::stored(name, description, spec, Some(status))
    }
}

fn requested_status() -> Schema {
    status(STATUS).optional("lastHandledReconcileAt", last_handled())
}

fn alert_spec(age: Age) -> Schema {
    let summary = text("Old form of the key `summary` in `eventMetadata`.");
    let schema = object("Which events, and where to.")
        .optional(
            "eventSeverity",
            text("Least severity; `info` is everything.")
                .one_of(EventSeverity::KNOWN)
                .filled_with(json!("info")),
        )
        .required(
            "eventSources",
            list("Objects whose events count.", event_source(age)),
        )
        .optional(
            "exclusionList",
            texts("Regular expressions; an event whose message matches one is not sent."),
        )
        .required(
            "providerRef",
            local_reference("Provider in the same namespace."),
        )
        .optional("suspend", boolean("Stops sending."));
    match age {
        Age::V1Beta1 => schema.optional("summary", summary),
        Age::V1Beta2 | Age::V1Beta3 => schema
            .optional("summary", summary.at_most(255))
            .optional(
                "eventMetadata",
                map("Added to the metadata of each event; what the event has itself wins."),
            )
            .optional(
                "inclusionList",
                texts("Regular expressions; if there are any, the message must match one."),
            ),
    }
}

fn event_source(age: Age) -> Schema {
    // The oldest version knows the first ten kinds only, and had shorter names.
    let (kinds, longest) = match age {
        Age::V1Beta1 => (&EventSource::KINDS[..10], 53),
        Age::V1Beta2 | Age::V1Beta3 => (EventSource::KINDS, 253),
    };
    let name = |description| text(description).at_least(1).at_most(longest);
    object("Objects of one kind.")
        .optional("apiVersion", text("Group and version."))
        .required("kind", text("Kind.").one_of(kinds))
        .optional(
            "matchLabels",
            map("Labels that the object must have; with the name `*` alone."),
        )
        .required("name", name("Name, or `*` for all."))
        .optional(
            "namespace",
            name("Namespace; that of this object when not set."),
        )
}

fn provider_v1beta1() -> Schema {
    let types = [
        "slack",
        "discord",
        "msteams",
        "rocket",
        "generic",
        "generic-hmac",
        "github",
        "gitlab",
        "bitbucket",
        "azuredevops",
        "googlechat",
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
    ];
    object("Where messages go, and as whom.")
        .optional(
            "address",
            text("Address of the webhook.").pattern("^(http|https)://"),
        )
        .optional(
            "certSecretRef",
            local_reference("Secret with the CA of the address."),
        )
        .optional("channel", text("Channel."))
        .optional(
            "proxy",
            text("Address of a proxy.").pattern("^(http|https)://"),
        )
        .optional(
            "secretRef",
            local_reference("Secret with the address in the key `address`."),
        )
        .optional("suspend", boolean("Stops sending."))
        .optional(
            "timeout",
            text("Longest time for one message.").pattern(SHORT_DURATION),
        )
        .required("type", text("Notifier.").one_of(&types))
        .optional("username", text("Name that messages are sent under."))
}

fn provider_spec(age: Age) -> Schema {
    let types_v1beta2 = [
        "slack",
        "discord",
        "msteams",
        "rocket",
        "generic",
        "generic-hmac",
        "github",
        "gitlab",
        "gitea",
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
        "pagerduty",
        "datadog",
    ];
    let line = |description| text(description).at_most(2048);
    let schema = object("Where messages go, and as whom.")
        .optional(
            "address",
            line("Address, in the meaning of the type; that of `secretRef` wins."),
        )
        .optional(
            "certSecretRef",
            local_reference(
                "Secret with `ca.crt`, and `tls.crt` and `tls.key` for a client certificate.",
            ),
        )
        .optional("channel", line("Channel."))
        .optional("interval", duration("Not used any more."))
        .optional(
            "proxy",
            line("Old form of `proxySecretRef`.").pattern("^(http|https)://.*$"),
        )
        .optional(
            "secretRef",
            local_reference("Secret with credentials, and the address if it is secret."),
        )
        .optional("suspend", boolean("Stops sending."))
        .optional(
            "timeout",
            text("Longest time for one message.").pattern(SHORT_DURATION),
        )
        .optional("username", line("Name that messages are sent under."));
    if age < Age::V1Beta3 {
        return schema.required("type", text("Notifier.").one_of(&types_v1beta2));
    }
    schema
        .required("type", text("Notifier.").one_of(ProviderSpec::TYPES))
        .optional(
            "commitStatusExpr",
            text("CEL expression over `event`, `provider` and `alert` that names the commit status."),
        )
        .optional(
            "proxySecretRef",
            local_reference("Secret with the `address` of a proxy, and its `username` and `password`."),
        )
        .optional(
            "serviceAccountName",
            text("ServiceAccount to authenticate to a cloud as: azureeventhub, azuredevops, googlepubsub."),
        )
        .rule(
            "self.type == 'github' || self.type == 'gitlab' || self.type == 'gitea' || self.type == \
             'bitbucketserver' || self.type == 'bitbucket' || self.type == 'azuredevops' || \
             !has(self.commitStatusExpr)",
            "spec.commitStatusExpr is only supported for the 'github', 'gitlab', 'gitea', \
             'bitbucketserver', 'bitbucket', 'azuredevops' provider types",
        )
}
