//! Tells people what happened: Kubernetes Events for those who look, notifications for those who
//! asked for them.
//!
//! Nothing here makes a reconciliation wait or fail: reports go into bounded queues, and what does
//! not fit is counted.

mod recorder;

use std::collections::BTreeMap;

use bulkhead_api::event::{Event, InvolvedObject, Severity, key};
use bulkhead_api::meta;
use bulkhead_api::names::group;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use tokio::sync::mpsc;

pub use recorder::Recorder;

use crate::kind::Kind;
use crate::metrics::Metrics;

/// Reports that may wait to be written or sent, each; as much as 1,000 objects report at once.
const WAITING: usize = 4096;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Kubernetes Events and notifications.
    Everyone,
    /// Notifications alone.
    Notifiers,
}

/// Takes reports from reconcilers. Clones share the queues.
#[derive(Clone)]
pub struct Reporter {
    events: mpsc::Sender<Event>,
    notifications: mpsc::Sender<Event>,
    metrics: Metrics,
    instance: String,
}

/// The other end of a [`Reporter`]: what is to be written and sent.
pub struct Outbox {
    /// Becomes Kubernetes Events.
    pub events: mpsc::Receiver<Event>,
    /// Goes to Alerts.
    pub notifications: mpsc::Receiver<Event>,
}

impl Reporter {
    /// Creates both ends. `instance` names this process in reports.
    pub fn new(instance: &str, metrics: Metrics) -> (Self, Outbox) {
        let (events, events_out) = mpsc::channel(WAITING);
        let (notifications, notifications_out) = mpsc::channel(WAITING);
        let reporter = Self {
            events,
            notifications,
            metrics,
            instance: instance.to_owned(),
        };
        (
            reporter,
            Outbox {
                events: events_out,
                notifications: notifications_out,
            },
        )
    }

    /// Reports on an object.
    pub fn report(&self, mut event: Event, audience: Audience) {
        if audience == Audience::Everyone {
            self.record(event.clone());
        }
        event.reporting_instance = Some(self.instance.clone());
        if event.severity != Severity::Trace && self.notifications.try_send(event).is_err() {
            self.metrics.notified("dropped");
        }
    }

    /// Writes a Kubernetes Event, and sends nothing.
    pub fn record(&self, mut event: Event) {
        event.reporting_instance = Some(self.instance.clone());
        if self.events.try_send(event).is_err() {
            self.metrics.event_dropped();
        }
    }
}

impl Outbox {
    /// Writes Kubernetes Events until all reporters are gone.
    pub async fn record(mut events: mpsc::Receiver<Event>, client: Client) {
        let mut recorder = Recorder::new(client);
        while let Some(event) = events.recv().await {
            recorder.record(&event).await;
        }
    }
}

/// What is reported of an object.
#[derive(Clone, Debug)]
pub struct Report {
    /// How bad it is.
    pub severity: Severity,
    /// Reason in CamelCase.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// Facts by their bare key, `revision`; the group of the object is put before it.
    pub facts: BTreeMap<String, String>,
}

impl Report {
    /// Reports a change.
    pub fn info(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, reason, message.into())
    }

    /// Reports a failure.
    pub fn error(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, reason, message.into())
    }

    fn new(severity: Severity, reason: &str, message: String) -> Self {
        Self {
            severity,
            reason: reason.to_owned(),
            message,
            facts: BTreeMap::new(),
        }
    }

    /// Adds a fact, if it is known.
    #[must_use]
    pub fn fact(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.facts.insert(key.to_owned(), value.to_owned());
        }
        self
    }

    /// Marks it as being for commit statuses alone.
    #[must_use]
    pub fn commit_status(self) -> Self {
        self.fact(key::COMMIT_STATUS, Some(key::COMMIT_STATUS_UPDATE))
    }

    /// Makes the event about `object`.
    pub fn about<K: Kind>(self, object: &K, now: jiff::Timestamp) -> Event {
        let meta = object.meta();
        let prefix = format!("{}/", K::GROUP);
        let facts = self
            .facts
            .into_iter()
            .map(|(key, value)| (format!("{prefix}{key}"), value));
        let mut metadata: BTreeMap<String, String> = from_annotations(meta).collect();
        metadata.extend(facts);
        Event {
            involved_object: involved::<K>(meta),
            severity: self.severity,
            timestamp: meta::time(now),
            message: self.message,
            reason: self.reason,
            metadata,
            reporting_controller: K::CONTROLLER.to_owned(),
            reporting_instance: None,
        }
    }
}

fn from_annotations(meta: &ObjectMeta) -> impl Iterator<Item = (String, String)> {
    let annotations = meta.annotations.iter().flatten();
    annotations
        .filter(|(key, _)| {
            key.split_once('/')
                .is_some_and(|(prefix, _)| prefix == group::EVENT)
        })
        .map(|(key, value)| (key.clone(), value.clone()))
}

fn involved<K: Kind>(meta: &ObjectMeta) -> InvolvedObject {
    InvolvedObject {
        kind: K::KIND.to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone(),
        api_version: Some(format!("{}/{}", K::GROUP, K::VERSION)),
        resource_version: meta.resource_version.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use bulkhead_api::source::{GitRepository, GitRepositorySpec};

    use super::*;

    fn repository() -> GitRepository {
        let spec = GitRepositorySpec::new("https://example.com/x", Duration::from_secs(60));
        let mut repository = GitRepository::new("flux-system", "app", spec);
        repository.metadata.annotations = Some(BTreeMap::from([
            ("event.toolkit.fluxcd.io/summary".into(), "the shop".into()),
            ("other.example.com/x".into(), "y".into()),
        ]));
        repository
    }

    #[test]
    fn facts_carry_the_group_and_annotations_their_own() {
        let report = Report::info("NewArtifact", "stored").fact("revision", Some("main@sha1:1"));
        let event = report.about(&repository(), jiff::Timestamp::UNIX_EPOCH);
        let metadata: Vec<_> = event
            .metadata
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(
            metadata,
            [
                "event.toolkit.fluxcd.io/summary=the shop",
                "source.toolkit.fluxcd.io/revision=main@sha1:1"
            ]
        );
        assert_eq!(event.metadata_value("revision"), Some("main@sha1:1"));
        assert_eq!(event.reporting_controller, "source-controller");
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let metrics = Metrics::new();
        let (reporter, mut outbox) = Reporter::new("pod", metrics.clone());
        let event = Report::error("X", "y").about(&repository(), jiff::Timestamp::UNIX_EPOCH);
        for _ in 0..=WAITING {
            reporter.report(event.clone(), Audience::Everyone);
        }
        assert!(metrics.text().contains("bulkhead_events_dropped_total 1"));
        assert!(
            metrics
                .text()
                .contains("bulkhead_notifications_total{result=\"dropped\"} 1")
        );
        assert_eq!(outbox.events.try_recv().unwrap().reason, "X");
    }

    #[test]
    fn notifiers_alone_hear_of_what_is_for_them() {
        let (reporter, mut outbox) = Reporter::new("pod", Metrics::new());
        let event = Report::info("X", "y").about(&repository(), jiff::Timestamp::UNIX_EPOCH);
        reporter.report(event, Audience::Notifiers);
        assert!(outbox.events.try_recv().is_err());
        assert!(outbox.notifications.try_recv().is_ok());
    }
}
