//! Alert and Provider: events go to those who asked for them.
//!
//! Both kinds have no status. An alert that an event matches gets its provider and the provider's
//! Secrets read, then the notifier runs; what fails becomes a Warning Event on the alert, which
//! itself is never sent.

mod load;

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_api::delivery::Delivery as DeliveryObject;
use bulkhead_api::event::{Event, InvolvedObject, Severity};
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::meta;
use bulkhead_api::names::controller;
use bulkhead_api::notification::Alert;
use bulkhead_api::plugin::Plugin;
use bulkhead_api::reason;
use bulkhead_api::source::{GitRepository, HelmChart, HelmRepository, OCIRepository};
use bulkhead_notify::{Delivery, Installed, Missing, Notifier, Plugins, Reach, Settings, select};
use bulkhead_wasm::PluginKind;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::catalogue::{Catalogue, CatalogueError};
use crate::clock;
use crate::config::RunConfig;
use crate::context::Context;
use crate::kind::Kind;
use crate::queue::Key;
use crate::watch::Store;

/// Events that are delivered at the same time.
const DELIVERIES: usize = 16;

/// Reason of an Event about an alert that cannot be used as it is.
const INVALID_CONFIG: &str = "InvalidConfig";

/// The notifiers of a catalogue.
pub struct Installations(pub Arc<Catalogue>);

impl Plugins<bulkhead_wasm::Plugin> for Installations {
    fn find(&self, namespace: &str, name: &str) -> Result<Installed, Missing> {
        let found = self.0.find(namespace, name, PluginKind::Notifier);
        let found = found.map_err(|error| match error {
            CatalogueError::NotFound { installed, .. } => Missing::NotInstalled(installed),
            other => Missing::NotReady(bulkhead_api::chain(&other)),
        })?;
        let permissions = &found.permissions;
        Ok(Installed {
            plugin: found.plugin.clone(),
            hosts: permissions.http.clone(),
            secrets: permissions.secrets.clone(),
            private_networks: permissions.private_networks,
            limits: found.limits.clone(),
            manifest: found.manifest.clone().map(Arc::new),
        })
    }
}

/// Makes the notifier of an installation, with the plugins of `catalogue`.
pub fn notifier(config: &RunConfig, catalogue: &Arc<Catalogue>) -> Notifier {
    let settings = Settings {
        reach: if config.allow_private_networks {
            Reach::local()
        } else {
            Reach::default()
        },
        cross_namespace: !config.no_cross_namespace_refs,
        ..Settings::default()
    };
    Notifier::new(Installations(catalogue.clone()), settings)
}

/// Delivers events until all reporters are gone.
pub async fn deliver_all(
    context: Arc<Context>,
    notifier: Notifier,
    mut events: mpsc::Receiver<Event>,
) {
    let permits = Arc::new(Semaphore::new(DELIVERIES));
    let mut running = JoinSet::new();
    while let Some(event) = events.recv().await {
        while running.try_join_next().is_some() {}
        let wanted = alerts_for(&context, &event);
        if wanted.is_empty() {
            continue;
        }
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let (context, notifier) = (context.clone(), notifier.clone());
        running.spawn(async move {
            deliver(&context, &notifier, &event, wanted).await;
            drop(permit);
        });
    }
}

/// Returns the alerts that want the event: only theirs are the Secrets that are read.
fn alerts_for(context: &Context, event: &Event) -> Vec<Arc<Alert>> {
    let alerts = context.alerts.all();
    if alerts.is_empty() {
        return Vec::new();
    }
    let labels = labels(context, &event.involved_object);
    let wants = |alert: &Alert| select(alert, event, labels.as_ref()).skipped.is_none();
    alerts.into_iter().filter(|alert| wants(alert)).collect()
}

fn labels(context: &Context, object: &InvolvedObject) -> Option<BTreeMap<String, String>> {
    let key = Key::new(&object.namespace, &object.name);
    match object.kind.as_str() {
        Kustomization::KIND => context.kustomizations.get(&key)?.metadata.labels.clone(),
        DeliveryObject::KIND => context.deliveries.get(&key)?.metadata.labels.clone(),
        GitRepository::KIND => context.repositories.get(&key)?.metadata.labels.clone(),
        OCIRepository::KIND => labels_of(&context.oci_repositories.store, &key),
        HelmRepository::KIND => labels_of(&context.helm_repositories.store, &key),
        HelmChart::KIND => labels_of(&context.helm_charts.store, &key),
        HelmRelease::KIND => labels_of(&context.helm_releases.store, &key),
        Plugin::KIND => context
            .plugins
            .namespaced
            .get(&key)?
            .metadata
            .labels
            .clone(),
        _ => None,
    }
}

fn labels_of<K: Kind>(store: &Store<K>, key: &Key) -> Option<BTreeMap<String, String>> {
    store.get(key)?.meta().labels.clone()
}

async fn deliver(context: &Context, notifier: &Notifier, event: &Event, alerts: Vec<Arc<Alert>>) {
    let labels = labels(context, &event.involved_object);
    let mut subscriptions = Vec::with_capacity(alerts.len());
    for alert in &alerts {
        // Nothing is read for what may not be told.
        let subscription = match notifier.allow(alert, event) {
            Ok(()) => load::subscription(context, alert)
                .await
                .map_err(|error| bulkhead_api::chain(&error)),
            Err(error) => Err(bulkhead_api::chain(&error)),
        };
        match subscription {
            Ok(subscription) => subscriptions.push(subscription),
            Err(why) => {
                context.metrics.notified("failed");
                let object = bulkhead_notify::subject(event);
                let note = format!("failed to send notification for {object}: {why}");
                tracing::error!(error = why, object, "failed to send notification");
                tell(context, alert, reason::NOTIFICATION_DISPATCH_FAILED, note);
            }
        }
    }
    for delivery in notifier
        .deliver(event, labels.as_ref(), &subscriptions)
        .await
    {
        publish(context, &alerts, event, &delivery);
    }
}

fn publish(context: &Context, alerts: &[Arc<Alert>], event: &Event, delivery: &Delivery) {
    let name = |alert: &Alert| {
        let id = alert.id();
        format!("{}/{}", id.namespace, id.name)
    };
    let Some(alert) = alerts.iter().find(|alert| name(alert) == delivery.alert) else {
        return;
    };
    match &delivery.result {
        Ok(bulkhead_notify::Delivered::Sent { .. }) => context.metrics.notified("sent"),
        Ok(bulkhead_notify::Delivered::Skipped(_)) => {}
        Err(_) => context.metrics.notified("failed"),
    }
    if let Some(failure) = delivery.failure(event) {
        tell(
            context,
            alert,
            reason::NOTIFICATION_DISPATCH_FAILED,
            failure,
        );
    }
    for warning in &delivery.warnings {
        tell(context, alert, INVALID_CONFIG, warning.clone());
    }
}

/// Writes a Warning Event on an alert.
fn tell(context: &Context, alert: &Alert, reason: &str, note: String) {
    let meta = &alert.metadata;
    let event = Event {
        involved_object: InvolvedObject {
            kind: Alert::KIND.to_owned(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone(),
            api_version: Some(format!("{}/{}", Alert::GROUP, Alert::VERSION)),
            resource_version: meta.resource_version.clone(),
        },
        severity: Severity::Error,
        timestamp: meta::time(clock::now()),
        message: note,
        reason: reason.to_owned(),
        metadata: BTreeMap::new(),
        reporting_controller: controller::NOTIFICATION.to_owned(),
        reporting_instance: None,
    };
    context.reporter.record(event);
}
