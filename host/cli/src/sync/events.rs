//! Events of `sync`, and the alerts that get them.

use std::collections::BTreeMap;

use bulkhead_api::delivery::Delivery;
use bulkhead_api::event::{Event, InvolvedObject, Severity, key};
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::meta;
use bulkhead_api::names::controller;
use bulkhead_api::source::GitRepository;
use bulkhead_controllers::applier::Raw;
use bulkhead_notify::{Delivered, Notifier, Secrets, Subscription};
use kube::core::ObjectMeta;

use super::display::Display;
use crate::resources::Resources;

/// What happened to an object, for people elsewhere.
pub(crate) struct Report<'a> {
    pub severity: Severity,
    pub reason: &'a str,
    pub message: String,
    pub revision: Option<&'a str>,
}

/// Makes the event of a Kustomization or Delivery.
pub(crate) fn of_applier(object: &Raw, report: Report<'_>) -> Event {
    let (kind, controller) = match object {
        Raw::Kustomization(_) => (
            (
                Kustomization::KIND,
                Kustomization::GROUP,
                Kustomization::VERSION,
            ),
            controller::KUSTOMIZE,
        ),
        Raw::Delivery(_) => (
            (Delivery::KIND, Delivery::GROUP, Delivery::VERSION),
            controller::DELIVERY,
        ),
    };
    event(kind, object.metadata(), controller, report)
}

/// Makes the event of a GitRepository.
pub(crate) fn of_repository(object: &GitRepository, report: Report<'_>) -> Event {
    let kind = (
        GitRepository::KIND,
        GitRepository::GROUP,
        GitRepository::VERSION,
    );
    event(kind, &object.metadata, controller::SOURCE, report)
}

/// Makes the event of a HelmRelease.
pub(crate) fn of_release(object: &HelmRelease, report: Report<'_>) -> Event {
    let kind = (HelmRelease::KIND, HelmRelease::GROUP, HelmRelease::VERSION);
    event(kind, &object.metadata, controller::HELM, report)
}

fn event(
    (kind, group, version): (&str, &str, &str),
    metadata: &ObjectMeta,
    controller: &str,
    report: Report<'_>,
) -> Event {
    let mut facts: BTreeMap<String, String> = metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(name, _)| name.starts_with(bulkhead_api::names::group::EVENT))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(revision) = report.revision {
        facts.insert(format!("{group}/{}", key::REVISION), revision.to_owned());
    }
    Event {
        involved_object: InvolvedObject {
            kind: kind.to_owned(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            api_version: Some(format!("{group}/{version}")),
            uid: None,
            resource_version: None,
        },
        severity: report.severity,
        timestamp: meta::time(jiff::Timestamp::now()),
        message: report.message,
        reason: report.reason.to_owned(),
        metadata: facts,
        reporting_controller: controller.to_owned(),
        reporting_instance: Some("bulkhead-sync".to_owned()),
    }
}

/// Sends an event to every alert that wants it, and tells what became of it.
pub(crate) async fn publish(
    event: &Event,
    resources: &Resources,
    notifier: &Notifier,
    display: &Display,
) -> anyhow::Result<()> {
    let mut subscriptions = Vec::new();
    for ((namespace, _), alert) in &resources.alerts {
        let provider_key = (namespace.clone(), alert.spec.provider_ref.name.clone());
        let alert_name = format!(
            "{namespace}/{}",
            alert.metadata.name.as_deref().unwrap_or_default()
        );
        let Some(provider) = resources.providers.get(&provider_key) else {
            let why = format!(
                "Provider {}/{} is not in the files",
                provider_key.0, provider_key.1
            );
            display.message(&alert_name, &provider_key.1, Some(&why))?;
            continue;
        };
        let secret = provider.spec.secret_ref.as_ref();
        let data = secret.and_then(|named| {
            resources
                .secrets
                .get(&(namespace.clone(), named.name.clone()))
        });
        if let (Some(named), None) = (secret, data) {
            let why = format!("Secret {namespace}/{} is not in the files", named.name);
            display.message(&alert_name, &provider_key.1, Some(&why))?;
            continue;
        }
        match Secrets::new(&provider.spec, data) {
            Ok(secrets) => subscriptions.push(Subscription {
                alert: alert.clone(),
                provider: provider.clone(),
                secrets,
            }),
            Err(error) => {
                display.message(
                    &alert_name,
                    &provider_key.1,
                    Some(&bulkhead_api::chain(&error)),
                )?;
            }
        }
    }
    for delivery in notifier.deliver(event, None, &subscriptions).await {
        for warning in &delivery.warnings {
            display.message(&delivery.alert, &delivery.provider, Some(warning))?;
        }
        match &delivery.result {
            Ok(Delivered::Sent { .. }) => {
                display.message(&delivery.alert, &delivery.provider, None)?
            }
            Ok(Delivered::Skipped(_)) => {}
            Err(error) => {
                let why = bulkhead_api::chain(error);
                display.message(&delivery.alert, &delivery.provider, Some(&why))?;
            }
        }
    }
    Ok(())
}
