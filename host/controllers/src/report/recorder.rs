//! Writes core/v1 Events as client-go does: equal ones are counted, and one object may not flood.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bulkhead_api::Digest;
use bulkhead_api::event::{Event, Severity};
use k8s_openapi::api::core::v1::{Event as CoreEvent, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::Instant;

use crate::client::is_not_found;

/// Longest message: what `kubectl` shows and the API accepts.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Longest reason.
const MAX_REASON_BYTES: usize = 128;
/// Equal events within this time are one that is counted.
const SAME_WITHIN: Duration = Duration::from_secs(600);
/// Events that one object may have at once, and how often one more is allowed.
const BURST: f64 = 25.0;
const ONE_MORE: Duration = Duration::from_secs(300);
/// Events and objects that are remembered.
const REMEMBERED: usize = 4096;

struct Sent {
    name: String,
    count: i32,
    at: Instant,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// Writes events, one after another.
pub struct Recorder {
    client: Client,
    sent: HashMap<Digest, Sent>,
    order: VecDeque<Digest>,
    buckets: HashMap<String, Bucket>,
}

impl Recorder {
    /// Prepares; nothing is sent.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            sent: HashMap::new(),
            order: VecDeque::new(),
            buckets: HashMap::new(),
        }
    }

    /// Writes one event. What fails is logged: the condition is the truth, the Event a pointer.
    pub async fn record(&mut self, event: &Event) {
        let uid = event.involved_object.uid.clone().unwrap_or_default();
        if !self.allows(&uid, Instant::now()) {
            tracing::debug!(
                reason = event.reason,
                "too many events of one object, one left out"
            );
            return;
        }
        if let Err(error) = self.write(event).await {
            tracing::info!(
                error = bulkhead_api::chain(&error),
                "failed to write an event"
            );
        }
    }

    async fn write(&mut self, event: &Event) -> Result<(), kube::Error> {
        let namespace = namespace(event);
        let api: Api<CoreEvent> = Api::namespaced(self.client.clone(), namespace);
        let id = identity(event);
        if let Some(sent) = self.sent.get_mut(&id)
            && sent.at.elapsed() < SAME_WITHIN
        {
            sent.count = sent.count.saturating_add(1);
            let patch = json!({ "count": sent.count, "lastTimestamp": event.timestamp });
            let parameters = PatchParams::default();
            match api
                .patch_metadata(&sent.name, &parameters, &Patch::Merge(patch))
                .await
            {
                // It was deleted, or its time ran out: a new one is written.
                Err(error) if is_not_found(&error) => {}
                other => return other.map(drop),
            }
        }
        let name = self.name(event);
        api.create(&PostParams::default(), &core_event(event, name.clone()))
            .await?;
        self.remember(id, name);
        Ok(())
    }

    /// Names an event as client-go does: the object and the time in hexadecimal digits.
    fn name(&self, event: &Event) -> String {
        let nanos = jiff::Timestamp::now().as_nanosecond();
        let name = &event.involved_object.name;
        let name = &name[..name.floor_char_boundary(230)];
        format!("{name}.{nanos:016x}")
    }

    fn remember(&mut self, id: Digest, name: String) {
        if self
            .sent
            .insert(
                id,
                Sent {
                    name,
                    count: 1,
                    at: Instant::now(),
                },
            )
            .is_none()
        {
            self.order.push_back(id);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.sent.remove(&oldest);
            }
        }
    }

    fn allows(&mut self, uid: &str, now: Instant) -> bool {
        if self.buckets.len() > REMEMBERED {
            self.buckets
                .retain(|_, bucket| refilled(bucket, now) < BURST);
        }
        let bucket = self.buckets.entry(uid.to_owned()).or_insert(Bucket {
            tokens: BURST,
            at: now,
        });
        bucket.tokens = refilled(bucket, now);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

fn refilled(bucket: &Bucket, now: Instant) -> f64 {
    let since = now.saturating_duration_since(bucket.at).as_secs_f64();
    (bucket.tokens + since / ONE_MORE.as_secs_f64()).min(BURST)
}

fn namespace(event: &Event) -> &str {
    match event.involved_object.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    }
}

fn identity(event: &Event) -> Digest {
    let object = &event.involved_object;
    let mut parts = vec![
        object.uid.as_deref().unwrap_or_default().as_bytes(),
        object.kind.as_bytes(),
        object.namespace.as_bytes(),
        object.name.as_bytes(),
        event.severity.as_str().as_bytes(),
        event.reason.as_bytes(),
        event.message.as_bytes(),
    ];
    for (key, value) in &event.metadata {
        parts.extend([key.as_bytes(), value.as_bytes()]);
    }
    Digest::of_parts(parts)
}

fn core_event(event: &Event, name: String) -> CoreEvent {
    let object = &event.involved_object;
    let annotations: BTreeMap<String, String> = event.metadata.clone();
    CoreEvent {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(namespace(event).to_owned()),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: object.api_version.clone(),
            kind: Some(object.kind.clone()),
            name: Some(object.name.clone()),
            namespace: Some(object.namespace.clone()),
            uid: object.uid.clone(),
            resource_version: object.resource_version.clone(),
            field_path: None,
        },
        count: Some(1),
        first_timestamp: Some(event.timestamp.clone()),
        last_timestamp: Some(event.timestamp.clone()),
        reason: Some(cut(&event.reason, MAX_REASON_BYTES)),
        message: Some(cut(&event.message, MAX_MESSAGE_BYTES)),
        type_: Some(
            if event.severity == Severity::Error {
                "Warning"
            } else {
                "Normal"
            }
            .into(),
        ),
        source: Some(EventSource {
            component: Some(event.reporting_controller.clone()),
            host: None,
        }),
        reporting_component: Some(event.reporting_controller.clone()),
        reporting_instance: event.reporting_instance.clone(),
        ..CoreEvent::default()
    }
}

/// Cuts between characters, with `...` at the end of what was cut.
fn cut(text: &str, limit_bytes: usize) -> String {
    if text.len() <= limit_bytes {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(limit_bytes - 3)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use bulkhead_api::event::InvolvedObject;
    use bulkhead_api::meta;

    use super::*;

    fn event(message: &str) -> Event {
        Event {
            involved_object: InvolvedObject {
                kind: "Kustomization".into(),
                namespace: "flux-system".into(),
                name: "apps".into(),
                uid: Some("u".into()),
                api_version: Some("kustomize.toolkit.fluxcd.io/v1".into()),
                resource_version: Some("5".into()),
            },
            severity: Severity::Error,
            timestamp: meta::time(jiff::Timestamp::UNIX_EPOCH),
            message: message.into(),
            reason: "BuildFailed".into(),
            metadata: BTreeMap::from([("kustomize.toolkit.fluxcd.io/revision".into(), "r".into())]),
            reporting_controller: "kustomize-controller".into(),
            reporting_instance: Some("pod".into()),
        }
    }

    #[test]
    fn an_event_has_what_flux_events_shows() {
        let core = core_event(&event(&"x".repeat(2000)), "apps.1".into());
        assert_eq!(core.type_.as_deref(), Some("Warning"));
        assert_eq!(core.reason.as_deref(), Some("BuildFailed"));
        assert_eq!(core.message.unwrap().len(), MAX_MESSAGE_BYTES);
        assert_eq!(
            core.source.unwrap().component.as_deref(),
            Some("kustomize-controller")
        );
        assert_eq!(core.metadata.namespace.as_deref(), Some("flux-system"));
        let annotations = core.metadata.annotations.unwrap();
        assert_eq!(annotations["kustomize.toolkit.fluxcd.io/revision"], "r");
    }

    #[test]
    fn events_of_another_message_are_others() {
        assert_eq!(identity(&event("a")), identity(&event("a")));
        assert_ne!(identity(&event("a")), identity(&event("b")));
    }

    #[tokio::test]
    async fn one_object_cannot_flood() {
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let mut recorder = Recorder::new(Client::try_from(config).unwrap());
        let now = Instant::now();
        let allowed = (0..100).filter(|_| recorder.allows("u", now)).count();
        assert_eq!(allowed, 25);
        assert!(recorder.allows("other", now));
        assert!(!recorder.allows("u", now + ONE_MORE - Duration::from_secs(1)));
        assert!(recorder.allows("u", now + ONE_MORE));
    }
}
