//! What the engine counts, in Prometheus' text form at `/metrics`.
//!
//! `gotk_reconcile_duration_seconds` is Flux's, with its labels and buckets; what starts with
//! `bulkhead_` is ours.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::queue::{Class, Key};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ObjectLabels {
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct QueueLabels {
    kind: String,
    class: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerbLabels {
    verb: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RenderLabels {
    plugin: String,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: String,
}

/// The counters of the process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    durations: Family<ObjectLabels, Histogram, fn() -> Histogram>,
    requests: Family<VerbLabels, Counter>,
    renders: Family<RenderLabels, Counter>,
    drift: Family<ResultLabels, Counter>,
    notifications: Family<ResultLabels, Counter>,
    events_dropped: Counter,
    depth: Family<QueueLabels, Gauge>,
    leader: Gauge,
}

fn durations() -> Histogram {
    // Flux's: ten buckets from ten nanoseconds, each ten times the one before.
    Histogram::new(exponential_buckets(10e-9, 10.0, 10))
}

fn result(word: &str) -> ResultLabels {
    ResultLabels {
        result: word.to_owned(),
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Creates all counters at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Arc::default(),
            durations: Family::new_with_constructor(durations),
            requests: Family::default(),
            renders: Family::default(),
            drift: Family::default(),
            notifications: Family::default(),
            events_dropped: Counter::default(),
            depth: Family::default(),
            leader: Gauge::default(),
        };
        Self {
            registry: Arc::new(metrics.named()),
            ..metrics
        }
    }

    /// Gives each counter its name and its help.
    fn named(&self) -> Registry {
        let mut named = Registry::default();
        let duration = "The duration in seconds of a reconciliation";
        named.register(
            "gotk_reconcile_duration_seconds",
            duration,
            self.durations.clone(),
        );
        let requests = "Requests to the Kubernetes API, by verb";
        named.register("bulkhead_api_requests", requests, self.requests.clone());
        let renders = "Calls of renderers and transformers asked for: run, cached or failed";
        named.register("bulkhead_renders", renders, self.renders.clone());
        let drift = "Applied objects that somebody else changed: suspect, healed";
        named.register("bulkhead_drift", drift, self.drift.clone());
        let notifications = "Notifications: sent, failed or dropped";
        named.register(
            "bulkhead_notifications",
            notifications,
            self.notifications.clone(),
        );
        let dropped = "Kubernetes Events not written since too many came at once";
        named.register(
            "bulkhead_events_dropped",
            dropped,
            self.events_dropped.clone(),
        );
        let depth = "Objects that are ready to be reconciled, by kind and class";
        named.register("bulkhead_queue_depth", depth, self.depth.clone());
        let leader = "1 while this process is the one that writes";
        named.register("bulkhead_leader", leader, self.leader.clone());
        named
    }

    /// Records how long one reconciliation took.
    pub fn reconciled(&self, kind: &str, key: &Key, took: Duration) {
        self.durations
            .get_or_create(&object_labels(kind, key))
            .observe(took.as_secs_f64());
    }

    /// Forgets the series of an object that is gone.
    pub fn forget(&self, kind: &str, key: &Key) {
        self.durations.remove(&object_labels(kind, key));
    }

    /// Counts a request to the Kubernetes API.
    pub fn requested(&self, verb: &str) {
        self.requests
            .get_or_create(&VerbLabels {
                verb: verb.to_owned(),
            })
            .inc();
    }

    /// Counts the call of a renderer or transformer by the name it is installed under: `run`,
    /// `cached` or `failed`.
    pub fn rendered(&self, plugin: &str, word: &str) {
        let labels = RenderLabels {
            plugin: plugin.to_owned(),
            result: word.to_owned(),
        };
        self.renders.get_or_create(&labels).inc();
    }

    /// Counts `many` objects that drifted: `suspect` or `healed`.
    pub fn drifted(&self, word: &str, many: u64) {
        self.drift.get_or_create(&result(word)).inc_by(many);
    }

    /// Counts a notification: `sent`, `failed` or `dropped`.
    pub fn notified(&self, word: &str) {
        self.notifications.get_or_create(&result(word)).inc();
    }

    /// Counts a Kubernetes Event that was not written.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// Shows how many objects of `kind` are ready, by class.
    pub fn queue_depth(&self, kind: &str, depth: [usize; Class::COUNT]) {
        for (class, depth) in Class::ALL.into_iter().zip(depth) {
            let labels = QueueLabels {
                kind: kind.to_owned(),
                class: class.word().to_owned(),
            };
            self.depth
                .get_or_create(&labels)
                .set(i64::try_from(depth).unwrap_or(i64::MAX));
        }
    }

    /// Shows whether this process is the one that writes.
    pub fn leading(&self, leading: bool) {
        self.leader.set(leading.into());
    }

    /// Returns all counters in Prometheus' text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A `String` takes every write.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn object_labels(kind: &str, key: &Key) -> ObjectLabels {
    ObjectLabels {
        kind: kind.to_owned(),
        name: key.name.to_string(),
        namespace: key.namespace.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_series_of_flux() {
        let metrics = Metrics::new();
        let key = Key::new("flux-system", "apps");
        metrics.reconciled("Kustomization", &key, Duration::from_millis(20));
        metrics.requested("PATCH");
        let text = metrics.text();
        assert!(
            text.contains(
                "gotk_reconcile_duration_seconds_count{kind=\"Kustomization\",name=\"apps\",namespace=\"flux-system\"} 1"
            ),
            "{text}"
        );
        assert!(
            text.contains("bulkhead_api_requests_total{verb=\"PATCH\"} 1"),
            "{text}"
        );
        metrics.forget("Kustomization", &key);
        assert!(!metrics.text().contains("name=\"apps\""));
    }
}
