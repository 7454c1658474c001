//! The crate's entrance: an event and its subscriptions go in, what became of each comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_api::ObjectId;
use bulkhead_api::event::{self, Event, MESSAGE_MAX_CHARS};
use bulkhead_api::notification::{Alert, Provider};
use bulkhead_wasm::{Limits, Manifest, Plugin};
use url::Url;

use crate::dedupe::{Seen, fingerprint};
use crate::destination::{Grants, Reach};
use crate::dispatch::{self, Done};
use crate::error::NotifyError;
use crate::guest::{self, Exchange, Guest, ObjectRef, Severity};
use crate::metadata::{Combined, combine};
use crate::plugins::{self, Missing, Plugins};
use crate::provider;
use crate::resolve::{Resolve, SystemResolver};
use crate::retry::{Budgets, Rate, Retries};
use crate::scrub::Scrubber;
use crate::secrets::{ADDRESS, Secrets};
use crate::select::{Skipped, select, select_provider};
use crate::send::{Route, Sender};
use crate::state::States;
use crate::tls;

/// What an installation decides about notifications.
#[derive(Clone)]
pub struct Settings {
    /// What notifiers reach beside the public internet.
    pub reach: Reach,
    /// Whether alerts take events of other namespaces: as Flux by default.
    pub cross_namespace: bool,
    /// How requests are tried again.
    pub retries: Retries,
    /// How much a provider is sent.
    pub rate: Rate,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for Settings {
    /// The public internet alone, and Flux's retries.
    fn default() -> Self {
        Self {
            reach: Reach::default(),
            cross_namespace: true,
            retries: Retries::default(),
            rate: Rate::default(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reach,
            cross_namespace,
            retries,
            rate,
            resolver: _,
        } = self;
        f.debug_struct("Settings")
            .field("reach", reach)
            .field("cross_namespace", cross_namespace)
            .field("retries", retries)
            .field("rate", rate)
            .finish_non_exhaustive()
    }
}

/// A notifier plugin that is ready to run.
#[derive(Clone)]
pub struct Installed<G = Plugin> {
    /// The plugin.
    pub plugin: G,
    /// Hosts that it may send to beside that of the provider's address: `api.example.com`.
    pub hosts: Vec<String>,
    /// Names of the provider's secrets that it may use beside `address`; all when absent.
    pub secrets: Option<BTreeSet<String>>,
    /// It may send to private networks, whatever the installation says of others.
    pub private_networks: bool,
    /// What one call may take.
    pub limits: Limits,
    /// What it says about itself: its schema checks what it is told.
    pub manifest: Option<Arc<Manifest>>,
}

impl<G> Installed<G> {
    /// Installs a plugin that sends to the provider's address alone, with all its secrets.
    pub fn new(plugin: G) -> Self {
        Self {
            plugin,
            hosts: Vec::new(),
            secrets: None,
            private_networks: false,
            limits: Limits::notifier(),
            manifest: None,
        }
    }
}

/// An alert with its provider, and the provider's secrets.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The alert.
    pub alert: Alert,
    /// The provider that it names.
    pub provider: Provider,
    /// The provider's secrets.
    pub secrets: Secrets,
}

/// What became of an event at one alert.
#[derive(Debug)]
pub struct Delivery {
    /// `namespace/name` of the alert.
    pub alert: String,
    /// `namespace/name` of the provider.
    pub provider: String,
    /// What is wrong with the alert, for warning Events of reason `InvalidConfig`.
    pub warnings: Vec<String>,
    /// What happened.
    pub result: Result<Delivered, NotifyError>,
}

/// How a delivery ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The notifier says that it is delivered.
    Sent {
        /// Requests that it took.
        requests: usize,
    },
    /// There was nothing to send, and why.
    Skipped(Skipped),
}

/// Delivers events. Cheap to clone; clones share budgets, states, and what was sent lately.
pub struct Notifier<G = Plugin> {
    inner: Arc<Inner<G>>,
}

struct Inner<G> {
    plugins: Box<dyn Plugins<G>>,
    cross_namespace: bool,
    sender: Sender,
    seen: Seen,
    states: States,
}

impl<G> Clone for Notifier<G> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

#[allow(
    private_bounds,
    reason = "only plugins are guests; tests put in their own"
)]
impl<G: Guest + Sync> Notifier<G> {
    /// Makes a notifier of plugins by name: see [`plugins::name`].
    pub fn new(plugins: impl Plugins<G> + 'static, settings: Settings) -> Self {
        let Settings {
            reach,
            cross_namespace,
            retries,
            rate,
            resolver,
        } = settings;
        let sender = Sender {
            resolver,
            reach,
            retries,
            rate,
            budgets: Budgets::default(),
        };
        let (seen, states) = (Seen::default(), States::default());
        Self {
            inner: Arc::new(Inner {
                plugins: Box::new(plugins),
                cross_namespace,
                sender,
                seen,
                states,
            }),
        }
    }

    /// Delivers an event about an object with `labels` to every subscription that wants it, all at
    /// once, each within its provider's time-out.
    ///
    /// # Guarantees
    /// Each subscription has its entry, in order. The same event is sent to an alert once in five
    /// minutes; one that failed may be delivered again at once. No text in the result shows a
    /// secret.
    pub async fn deliver(
        &self,
        event: &Event,
        labels: Option<&BTreeMap<String, String>>,
        subscriptions: &[Subscription],
    ) -> Vec<Delivery> {
        let deliveries = subscriptions.iter().map(|subscription| async move {
            let selection = select(&subscription.alert, event, labels);
            let combined = combine(event, &subscription.alert.spec);
            let mut warnings = selection.warnings;
            let skipped = selection
                .skipped
                .or_else(|| select_provider(&subscription.provider.spec, event));
            let result = match skipped {
                Some(skipped) => Ok(Delivered::Skipped(skipped)),
                None => {
                    warnings.extend(conflict(&combined));
                    self.deliver_once(event, combined, subscription).await
                }
            };
            let (alert, provider) = (
                name(&subscription.alert.id()),
                name(&subscription.provider.id()),
            );
            log(event, &alert, &result);
            Delivery {
                alert,
                provider,
                warnings,
                result,
            }
        });
        futures::future::join_all(deliveries).await
    }

    /// Delivers unless it was lately; what failed counts as not delivered.
    async fn deliver_once(
        &self,
        event: &Event,
        combined: Combined,
        subscription: &Subscription,
    ) -> Result<Delivered, NotifyError> {
        let (fingerprint, alert) = (fingerprint(event), name(&subscription.alert.id()));
        if !self.inner.seen.admit(&fingerprint, &alert, Instant::now()) {
            return Ok(Delivered::Skipped(Skipped::Duplicate));
        }
        let result = self.deliver_now(event, combined, subscription).await;
        if result.is_err() {
            self.inner.seen.forget(&fingerprint, &alert);
        }
        result.map(|requests| Delivered::Sent { requests })
    }

    /// Refuses an alert the events of other namespaces where references to them are forbidden:
    /// before a provider or a Secret is read for it.
    ///
    /// # Errors
    /// [`NotifyError::AccessDenied`].
    pub fn allow(&self, alert: &Alert, event: &Event) -> Result<(), NotifyError> {
        let id = alert.id();
        match self.inner.cross_namespace || event.involved_object.namespace == id.namespace {
            true => Ok(()),
            false => Err(NotifyError::AccessDenied {
                alert: name(&id),
                object: subject(event),
            }),
        }
    }

    async fn deliver_now(
        &self,
        event: &Event,
        combined: Combined,
        subscription: &Subscription,
    ) -> Result<usize, NotifyError> {
        let Subscription {
            alert, provider, ..
        } = subscription;
        let (object, provider_name) = (subject(event), name(&provider.id()));
        let namespace = alert.metadata.namespace.as_deref().unwrap_or_default();
        self.allow(alert, event)?;
        let installed = &self.plugin(provider, namespace, &provider_name)?;
        let timeout = provider
            .spec
            .timeout()
            .map_err(|error| NotifyError::Provider {
                provider: provider_name.clone(),
                error,
            })?;
        let secrets = &subscription
            .secrets
            .clone()
            .within(installed.secrets.as_ref());
        let route = route(&provider_name, installed, secrets, Instant::now() + timeout)?;
        let config = provider::config(&provider.spec, secrets);
        check(
            &provider_name,
            installed,
            &provider::settings(&provider.spec),
        )?;
        let exchange = Exchange {
            limits: installed.limits.clone(),
            config,
            wall_clock: u64::try_from(event.timestamp.0.as_second()).unwrap_or_default(),
        };
        let wire = wire(event, combined);
        let delivery = async {
            let state = self.inner.states.of(&provider_name, &object);
            let mut kept = state.lock().await;
            let (guest, sender) = (&installed.plugin, &self.inner.sender);
            let start = kept.clone();
            let done =
                dispatch::deliver(guest, wire, &exchange, start, secrets, &route, sender).await;
            done.map(|Done { state, requests }| {
                *kept = state;
                requests
            })
        };
        let in_time = tokio::time::timeout(timeout, delivery).await;
        in_time.unwrap_or(Err(NotifyError::OutOfTime(timeout)))
    }

    fn plugin(
        &self,
        object: &Provider,
        namespace: &str,
        provider: &str,
    ) -> Result<Installed<G>, NotifyError> {
        let (kind, provider) = (plugins::name(object), provider.to_owned());
        let found = self.inner.plugins.find(namespace, kind);
        found.map_err(|missing| match missing {
            Missing::NotReady(why) => NotifyError::PluginNotReady { provider, why },
            Missing::NotInstalled(installed) => NotifyError::NoPlugin {
                provider,
                kind: kind.to_owned(),
                installed,
            },
        })
    }
}

/// Checks what a provider says to its notifier against the notifier's schema.
fn check<G>(provider: &str, installed: &Installed<G>, settings: &str) -> Result<(), NotifyError> {
    let Some(manifest) = &installed.manifest else {
        return Ok(());
    };
    let checked = manifest.check_config(settings);
    checked.map_err(|source| NotifyError::Config {
        provider: provider.to_owned(),
        source,
    })
}

fn route<G>(
    provider: &str,
    installed: &Installed<G>,
    secrets: &Secrets,
    deadline: Instant,
) -> Result<Route, NotifyError> {
    let url =
        |value: &crate::SecretValue| Url::parse(std::str::from_utf8(value.expose()).ok()?).ok();
    Ok(Route {
        provider: provider.to_owned(),
        grants: Grants {
            address: secrets.get(ADDRESS).and_then(url),
            hosts: installed.hosts.clone(),
            private_networks: installed.private_networks,
        },
        scrubber: Scrubber::new(secrets),
        tls: tls::config(secrets.certificates())?,
        proxy: secrets.proxy().and_then(url),
        deadline,
    })
}

/// The event as a notifier gets it.
fn wire(event: &Event, combined: Combined) -> guest::Event {
    let object = &event.involved_object;
    let mut attributes: Vec<(String, String)> = combined.metadata.into_iter().collect();
    attributes.push((
        "event.controller".to_owned(),
        event.reporting_controller.clone(),
    ));
    guest::Event {
        id: format!("{}-{}", fingerprint(event), event.timestamp.0.as_second()),
        time: event.timestamp.0.to_string(),
        severity: match event.severity {
            event::Severity::Error => Severity::Error,
            _ => Severity::Info,
        },
        reason: event.reason.clone(),
        message: event.message.chars().take(MESSAGE_MAX_CHARS).collect(),
        object: ObjectRef {
            api_version: object.api_version.clone().unwrap_or_default(),
            kind: object.kind.clone(),
            namespace: Some(object.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: object.name.clone(),
        },
        revision: event
            .metadata_value(event::key::REVISION)
            .map(str::to_owned),
        links: Vec::new(),
        attributes,
    }
}

/// `Kind/namespace/name` of the object that an event is about, as Flux's messages name it.
pub fn subject(event: &Event) -> String {
    let object = &event.involved_object;
    format!("{}/{}/{}", object.kind, object.namespace, object.name)
}

fn name(id: &ObjectId) -> String {
    format!("{}/{}", id.namespace, id.name)
}

fn conflict(combined: &Combined) -> Option<String> {
    let names = &combined.conflicts;
    (!names.is_empty()).then(|| format!("metadata key conflicts detected: {}", names.join(", ")))
}

fn log(event: &Event, alert: &str, result: &Result<Delivered, NotifyError>) {
    let object = subject(event);
    match result {
        Ok(Delivered::Sent { requests }) => {
            tracing::info!(alert, object, requests, "sent notification");
        }
        Ok(Delivered::Skipped(why)) => tracing::debug!(alert, object, %why, "kept notification"),
        Err(error) => {
            let error = bulkhead_api::chain(error);
            tracing::error!(alert, object, error, "failed to send notification");
        }
    }
}

impl Delivery {
    /// The note of the warning Event on the alert when it failed, as Flux words it.
    pub fn failure(&self, event: &Event) -> Option<String> {
        let error = self.result.as_ref().err()?;
        let why = bulkhead_api::chain(error);
        Some(format!(
            "failed to send notification for {}: {why}",
            subject(event)
        ))
    }
}
