//! Whether an alert wants an event. Pure: what it cannot know, the labels of the object, is given.

use std::collections::BTreeMap;
use std::fmt;

use bulkhead_api::event::{Event, Severity, key};
use bulkhead_api::names::group;
use bulkhead_api::notification::{Alert, EventSeverity, EventSource, ProviderSpec};
use regex::Regex;

use crate::provider::Class;

/// The answer, and what is wrong with the alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Nothing when the alert wants the event, otherwise why not.
    pub skipped: Option<Skipped>,
    /// What is wrong with the alert, in words, for a warning Event of reason `InvalidConfig`.
    pub warnings: Vec<String>,
}

/// Why an event is not sent, though nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// The alert is suspended.
    AlertSuspended,
    /// The provider is suspended.
    ProviderSuspended,
    /// No event source of the alert names the object, or the event is not severe enough.
    NotSelected,
    /// No expression of the inclusion list matches the message.
    NotIncluded,
    /// An expression of the exclusion list matches the message.
    Excluded,
    /// It only updates commit statuses, which this provider does not show.
    CommitStatusOnly,
    /// The provider shows commit statuses, and the event is about no commit.
    NoCommit,
    /// The provider comments on change requests, and the event is about none.
    NoChangeRequest,
    /// The same event was sent in the last five minutes.
    Duplicate,
    /// A detail that is never sent.
    Trace,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlertSuspended => "the alert is suspended",
            Self::ProviderSuspended => "the provider is suspended",
            Self::NotSelected => "no event source of the alert matches",
            Self::NotIncluded => "the message matches nothing in the inclusion list",
            Self::Excluded => "the message matches the exclusion list",
            Self::CommitStatusOnly => "the event only updates commit statuses",
            Self::NoCommit => "the event carries no commit",
            Self::NoChangeRequest => "the event carries no change request",
            Self::Duplicate => "the same event was sent before",
            Self::Trace => "trace events are not sent",
        })
    }
}

/// Decides whether `alert` wants `event`, which is about an object with `labels`.
///
/// Labels that are not known match no `matchLabels`. An expression that does not compile counts as
/// absent from its list and gives a warning.
///
/// # Source
/// `filterAlertsForEvent` in notification-controller `internal/server/event_handlers.go`; like there,
/// `apiVersion` of an event source is not compared.
pub fn select(
    alert: &Alert,
    event: &Event,
    labels: Option<&BTreeMap<String, String>>,
) -> Selection {
    let mut warnings = Vec::new();
    let skipped = if event.severity == Severity::Trace {
        Some(Skipped::Trace)
    } else if alert.spec.suspend {
        Some(Skipped::AlertSuspended)
    } else if !alert
        .spec
        .event_sources
        .iter()
        .any(|s| source_matches(s, alert, event, labels))
    {
        Some(Skipped::NotSelected)
    } else if !alert.spec.inclusion_list.is_empty()
        && !any_matches(
            "inclusion",
            &alert.spec.inclusion_list,
            &event.message,
            &mut warnings,
        )
    {
        Some(Skipped::NotIncluded)
    } else if any_matches(
        "exclusion",
        &alert.spec.exclusion_list,
        &event.message,
        &mut warnings,
    ) {
        Some(Skipped::Excluded)
    } else {
        None
    };
    Selection { skipped, warnings }
}

/// Decides whether a provider shows events of this sort: chat channels do not get what only updates
/// commit statuses, and commit statuses and change requests need to know theirs.
pub fn select_provider(provider: &ProviderSpec, event: &Event) -> Option<Skipped> {
    let annotation = |name: &str| {
        let value = event.metadata.get(&format!("{}/{name}", group::EVENT));
        value.is_some_and(|value| !value.is_empty())
    };
    let own_group = crate::metadata::object_group(event);
    let is_update = event
        .metadata
        .get(&format!("{own_group}/{}", key::COMMIT_STATUS))
        .is_some_and(|value| value == key::COMMIT_STATUS_UPDATE);
    let is_failure = event.severity == Severity::Error;
    let class = Class::of(&provider.type_);
    if provider.suspend {
        return Some(Skipped::ProviderSuspended);
    }
    match class {
        Class::Chat | Class::ChangeRequest if is_update => Some(Skipped::CommitStatusOnly),
        Class::CommitStatus if !annotation(key::COMMIT) && !is_update && !is_failure => {
            Some(Skipped::NoCommit)
        }
        Class::ChangeRequest if !annotation(key::CHANGE_REQUEST) => Some(Skipped::NoChangeRequest),
        _ => None,
    }
}

fn source_matches(
    source: &EventSource,
    alert: &Alert,
    event: &Event,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    let object = &event.involved_object;
    let own_namespace = alert.metadata.namespace.as_deref().unwrap_or_default();
    let namespace = source.namespace.as_deref().filter(|name| !name.is_empty());
    let severe_enough = match alert.spec.severity() {
        EventSeverity::Info => true,
        EventSeverity::Error => event.severity == Severity::Error,
        EventSeverity::Other(other) => event.severity.as_str() == other,
    };
    namespace.unwrap_or(own_namespace) == object.namespace
        && source.kind == object.kind
        && severe_enough
        && (source.name == EventSource::ANY_NAME || source.name == object.name)
        && (source.match_labels.is_empty()
            || labels.is_some_and(|labels| has_all(labels, &source.match_labels)))
}

fn has_all(labels: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(name, value)| labels.get(name) == Some(value))
}

fn any_matches(
    list: &str,
    expressions: &[String],
    message: &str,
    warnings: &mut Vec<String>,
) -> bool {
    expressions
        .iter()
        .any(|expression| match Regex::new(expression) {
            Ok(regex) => regex.is_match(message),
            Err(_) => {
                warnings.push(format!("failed to compile {list} regex: {expression}"));
                false
            }
        })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use bulkhead_api::notification::AlertSpec;

    pub(crate) fn event() -> Event {
        serde_json::from_value(serde_json::json!({
            "involvedObject": {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
                "namespace": "flux-system", "name": "web"
            },
            "severity": "info", "timestamp": "2026-11-23T18:32:00Z",
            "message": "Applied revision: main@sha1:1f0c", "reason": "ReconciliationSucceeded",
            "reportingController": "kustomize-controller"
        }))
        .unwrap()
    }

    pub(crate) fn alert() -> Alert {
        let source = EventSource {
            kind: "Kustomization".to_owned(),
            name: "*".to_owned(),
            ..EventSource::default()
        };
        Alert::new("flux-system", "chat", AlertSpec::new("slack", vec![source]))
    }

    fn answer(change: impl FnOnce(&mut Alert, &mut Event)) -> Option<Skipped> {
        let (mut alert, mut event) = (alert(), event());
        change(&mut alert, &mut event);
        let labels = [("app".to_owned(), "web".to_owned())].into();
        select(&alert, &event, Some(&labels)).skipped
    }

    #[test]
    fn kind_name_and_namespace_must_match() {
        let no = Some(Skipped::NotSelected);
        assert_eq!(answer(|_, _| {}), None);
        assert_eq!(
            answer(|a, _| a.spec.event_sources[0].kind = "GitRepository".into()),
            no
        );
        assert_eq!(
            answer(|a, _| a.spec.event_sources[0].name = "web".into()),
            None
        );
        assert_eq!(
            answer(|a, _| a.spec.event_sources[0].name = "db".into()),
            no
        );
        assert_eq!(
            answer(|_, e| e.involved_object.namespace = "dev".into()),
            no
        );
        let elsewhere = |a: &mut Alert, e: &mut Event| {
            a.spec.event_sources[0].namespace = Some("dev".into());
            e.involved_object.namespace = "dev".into();
        };
        assert_eq!(answer(elsewhere), None);
        assert_eq!(
            answer(|a, _| a.spec.event_sources[0].api_version = Some("x/v9".into())),
            None
        );
    }

    #[test]
    fn info_is_everything_and_error_only_failures() {
        let error = |a: &mut Alert, severity: Severity, e: &mut Event| {
            a.spec.event_severity = Some(EventSeverity::Error);
            e.severity = severity;
        };
        assert_eq!(
            answer(|a, e| error(a, Severity::Info, e)),
            Some(Skipped::NotSelected)
        );
        assert_eq!(answer(|a, e| error(a, Severity::Error, e)), None);
        assert_eq!(answer(|_, e| e.severity = Severity::Error), None);
        assert_eq!(
            answer(|_, e| e.severity = Severity::Trace),
            Some(Skipped::Trace)
        );
    }

    #[test]
    fn labels_must_all_match_and_must_be_known() {
        let want = |list: &[(&str, &str)]| {
            list.iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect()
        };
        let labelled = |list: &'static [(&str, &str)]| {
            answer(|a, _| a.spec.event_sources[0].match_labels = want(list))
        };
        assert_eq!(labelled(&[("app", "web")]), None);
        assert_eq!(
            labelled(&[("app", "web"), ("env", "dev")]),
            Some(Skipped::NotSelected)
        );
        let mut alert = alert();
        alert.spec.event_sources[0].match_labels = want(&[("app", "web")]);
        assert_eq!(
            select(&alert, &event(), None).skipped,
            Some(Skipped::NotSelected)
        );
    }

    #[test]
    fn exclusion_beats_inclusion() {
        let lists = |include: &str, exclude: &str| {
            answer(|a, _| {
                a.spec.inclusion_list = include.split_whitespace().map(str::to_owned).collect();
                a.spec.exclusion_list = exclude.split_whitespace().map(str::to_owned).collect();
            })
        };
        assert_eq!(lists("nothing ^Applied.*1f0c$", ""), None);
        assert_eq!(lists("nothing", ""), Some(Skipped::NotIncluded));
        assert_eq!(lists("Applied", "revision"), Some(Skipped::Excluded));
        assert_eq!(lists("", "other"), None);
    }

    #[test]
    fn broken_expressions_count_as_absent_and_are_told() {
        let mut alert = alert();
        alert.spec.exclusion_list = vec!["(".to_owned()];
        let told = select(&alert, &event(), None);
        assert_eq!(told.skipped, None);
        assert_eq!(told.warnings, ["failed to compile exclusion regex: ("]);
        alert.spec.inclusion_list = vec!["(".to_owned()];
        let told = select(&alert, &event(), None);
        assert_eq!(told.skipped, Some(Skipped::NotIncluded));
        assert_eq!(told.warnings, ["failed to compile inclusion regex: ("]);
    }

    #[test]
    fn suspended_alerts_and_providers_send_nothing() {
        assert_eq!(
            answer(|a, _| a.spec.suspend = true),
            Some(Skipped::AlertSuspended)
        );
        let mut provider = ProviderSpec::new("slack");
        provider.suspend = true;
        assert_eq!(
            select_provider(&provider, &event()),
            Some(Skipped::ProviderSuspended)
        );
    }

    #[test]
    fn commit_statuses_never_go_to_chat() {
        let told = |kind: &str, change: &dyn Fn(&mut Event)| {
            let mut event = event();
            change(&mut event);
            select_provider(&ProviderSpec::new(kind), &event)
        };
        let put = |name: &'static str, value: &'static str| {
            move |event: &mut Event| {
                event.metadata.insert(name.to_owned(), value.to_owned());
            }
        };
        let update = put("kustomize.toolkit.fluxcd.io/commit_status", "update");
        for chat in ["slack", "discord", "msteams"] {
            assert_eq!(
                told(chat, &update),
                Some(Skipped::CommitStatusOnly),
                "{chat}"
            );
            assert_eq!(told(chat, &|_| {}), None, "{chat}");
        }
        for git in ["generic", "generic-hmac", "github", "azuredevops"] {
            assert_eq!(told(git, &update), None, "{git}");
        }
        assert_eq!(told("gitlab", &|_| {}), Some(Skipped::NoCommit));
        assert_eq!(
            told("gitlab", &|event| event.severity = Severity::Error),
            None
        );
        assert_eq!(
            told("gitlab", &put("event.toolkit.fluxcd.io/commit", "1f0c")),
            None
        );
        let comment = "giteapullrequestcomment";
        assert_eq!(told(comment, &|_| {}), Some(Skipped::NoChangeRequest));
        assert_eq!(
            told(comment, &put("event.toolkit.fluxcd.io/change_request", "7")),
            None
        );
        assert_eq!(told(comment, &update), Some(Skipped::CommitStatusOnly));
    }
}
