//! The second half of a round: brings the Kustomizations and Deliveries that are due to where their
//! sources are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_api::event::Severity;
use bulkhead_api::{Advice, Retry, SpecError, chain, message, reason};
use bulkhead_apply::target::{Applied, directory};
use bulkhead_apply::{ApplyError, CommonMetadata, Settings};
use bulkhead_controllers::applier::face::FaceError;
use bulkhead_controllers::applier::plugins::{self, PluginsError};
use bulkhead_controllers::applier::{Item, Name, Raw, rendering};
use bulkhead_controllers::delivery::{Delivered, DeliveryError, Request, Source};
use bulkhead_source::Artifact;

use super::Engine;
use super::display::Status;
use super::events::{self, Report};
use super::order::{self, Ordered};
use super::schedule::{RETRY, Task};
use super::values::{self, ValuesError};
use crate::output::Progress;
use crate::resources::{Key, Resources};

/// Why an object is not where its source is.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("`{field}` needs a cluster, or is not supported yet")]
    Unsupported { field: &'static str },
    #[error(transparent)]
    Face(#[from] FaceError),
    #[error(transparent)]
    Plugins(#[from] PluginsError),
    #[error(transparent)]
    Values(#[from] ValuesError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error("plugin `{plugin}` returned no objects, and {applied} are applied")]
    Emptied { plugin: String, applied: usize },
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl SyncError {
    fn advice(&self) -> Advice {
        match self {
            Self::Spec(error) => error.advice(),
            Self::Unsupported { field } => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint(format!("remove `{field}`, or run the controllers")),
            Self::Face(error) => error.advice(),
            Self::Plugins(error) => error.advice(),
            Self::Values(error) => error.advice(),
            Self::Delivery(error) => error.advice(),
            Self::Emptied { .. } => Advice::new(reason::BUILD_FAILED, Retry::Backoff)
                .hint("correct the plugin's files or configuration"),
            Self::Apply(error) => error.advice(),
        }
    }
}

/// Names the source of an object.
pub(super) fn source_of(object: &Raw) -> Key {
    let source = object.source();
    let own = object.name().key.namespace.to_string();
    (source.namespace.clone().unwrap_or(own), source.name.clone())
}

impl Engine {
    pub(super) async fn deliver_due(&mut self, resources: &Resources) -> anyhow::Result<()> {
        let needs = |object: &Raw| object.dependencies();
        let dependencies: BTreeMap<Name, Vec<Name>> = resources
            .appliers
            .iter()
            .map(|(name, object)| (name.clone(), needs(object)))
            .collect();
        let Ordered { order, cyclic } = order::order(&dependencies);
        for name in &cyclic {
            let (advice, text) = order::cycle();
            self.tell_failure(&resources.appliers[name], &advice, text, resources)
                .await?;
        }
        for name in &order {
            let object = Item::of(resources.appliers[name].clone());
            let task = Task::Applier(name.clone());
            let now = Instant::now();
            if object.spec.suspend || !self.schedule.is_due(&task, now) {
                continue;
            }
            let Some(artifact) = self.source(&object, resources)? else {
                self.schedule.after(task, now, RETRY);
                continue;
            };
            let unready = dependencies[name]
                .iter()
                .find(|need| !self.is_ready(need, name, resources));
            if let Some(need) = unready {
                let text = format!("dependency '{need}' is not ready");
                self.tell_waiting(name, text)?;
                self.schedule.after(task, now, RETRY);
                continue;
            }
            let done = self.turn(&object, artifact, resources).await?;
            let pause = if done {
                object.spec.interval()
            } else {
                object.spec.retry_interval()
            };
            self.schedule
                .after(task, Instant::now(), pause.unwrap_or(RETRY));
            if done {
                // What waits for it need not wait longer.
                for (waiting, _) in dependencies
                    .iter()
                    .filter(|(_, needs)| needs.contains(name))
                {
                    if !self.is_current(waiting, resources) {
                        self.schedule.now(&Task::Applier(waiting.clone()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns what the source of an object is at; tells why where it is not known.
    fn source(
        &mut self,
        object: &Item,
        resources: &Resources,
    ) -> anyhow::Result<Option<Arc<Artifact>>> {
        let source = source_of(object.raw());
        if let Some(artifact) = self.artifacts.get(&source) {
            return Ok(Some(artifact.clone()));
        }
        let kind = &object.spec.source_ref.kind;
        let (namespace, name) = &source;
        let text = if resources.repositories.contains_key(&source) {
            format!("waiting for {kind}/{namespace}/{name}")
        } else {
            format!("source {kind}/{namespace}/{name} is not in the files")
        };
        self.tell_waiting(&object.name, text)?;
        Ok(None)
    }

    fn is_current(&self, name: &Name, resources: &Resources) -> bool {
        let Some(object) = resources.appliers.get(name) else {
            return false;
        };
        let artifact = self.artifacts.get(&source_of(object));
        let revision = artifact.map(|artifact| artifact.revision.to_string());
        revision.is_some() && self.applied.get(name) == revision.as_ref()
    }

    /// A dependency is ready when it did not fail; on the same source, at the same revision.
    fn is_ready(&self, need: &Name, by: &Name, resources: &Resources) -> bool {
        let Some(object) = resources.appliers.get(need) else {
            return false;
        };
        let same = resources
            .appliers
            .get(by)
            .is_some_and(|dependent| source_of(dependent) == source_of(object));
        !self.failures.contains_key(need)
            && self.applied.contains_key(need)
            && (!same || self.is_current(need, resources))
    }

    /// Delivers one object and tells about it; `false` when it failed.
    async fn turn(
        &mut self,
        object: &Item,
        artifact: Arc<Artifact>,
        resources: &Resources,
    ) -> anyhow::Result<bool> {
        let revision = artifact.revision.to_string();
        let name = object.name.key.to_string();
        let progress = Progress::start(&format!("delivering {name}"));
        let outcome = self.deliver(object, &artifact, resources).await;
        drop(progress);
        let applied = match outcome {
            Ok(applied) => applied,
            Err(error) => {
                self.tell_failure(object.raw(), &error.advice(), chain(&error), resources)
                    .await?;
                return Ok(false);
            }
        };
        let was = self.applied.insert(object.name.clone(), revision.clone());
        let recovered = self.failures.remove(&object.name).is_some();
        let has_news = applied.has_changes() || recovered || was.as_ref() != Some(&revision);
        if has_news {
            let kind = object.name.face.kind();
            let status = Status::Ready {
                revision: &revision,
            };
            self.display.status(kind, &name, &status)?;
            self.display.changes(kind, &name, &applied.changes)?;
        }
        if let Some(error) = applied.error {
            self.tell_failure(object.raw(), &error.advice(), chain(&error), resources)
                .await?;
            return Ok(false);
        }
        self.publish(object, &applied, recovered, &revision, resources)
            .await?;
        Ok(true)
    }

    /// Sends an event about what changed, or that a failure is over.
    async fn publish(
        &self,
        object: &Item,
        applied: &Applied,
        recovered: bool,
        revision: &str,
        resources: &Resources,
    ) -> anyhow::Result<()> {
        let changes = applied.changes.iter();
        let changes = changes.filter(|change| change.action.is_change());
        let changes: Vec<String> = changes.map(ToString::to_string).collect();
        if changes.is_empty() && !recovered {
            return Ok(());
        }
        let report = Report {
            severity: Severity::Info,
            reason: reason::RECONCILIATION_SUCCEEDED,
            message: match changes.as_slice() {
                [] => message::applied_revision(revision),
                changes => changes.join("\n"),
            },
            revision: Some(revision),
        };
        let event = events::of_applier(object.raw(), report);
        events::publish(&event, resources, &self.notifier, &self.display).await
    }

    async fn deliver(
        &self,
        object: &Item,
        artifact: &Artifact,
        resources: &Resources,
    ) -> Result<Applied, SyncError> {
        let spec = &object.spec;
        spec.interval()?;
        if let Some(problem) = &object.problem {
            return Err(problem.clone().into());
        }
        // What only changes how a cluster is written to (`wait`, `force`, accounts) means nothing
        // here.
        if spec.kube_config.is_some() {
            let field = "spec.kubeConfig";
            return Err(SyncError::Unsupported { field });
        }
        let chosen = plugins::resolve(&self.catalogue, &object.name.key.namespace, spec)?;
        let substitution = values::substitution(object, resources)?;
        let inputs = values::inputs(object, resources)?;
        let source = Source {
            tree: Arc::new(artifact.tree.clone()),
            revision: artifact.revision.to_string(),
            revision_time: u64::try_from(artifact.commit_seconds).unwrap_or_default(),
        };
        let request = rendering(object, &chosen, (substitution, inputs), source);
        let delivered = self.renderer.deliver(&request).await?;
        let owner = object.name.owner();
        self.refuse_emptied(&owner, &request, &delivered)?;
        let common = spec.common_metadata.clone().unwrap_or_default();
        Ok(self.directory.apply(directory::Request {
            objects: delivered.objects.as_ref().clone(),
            owner: &owner,
            common: &CommonMetadata {
                labels: common.labels,
                annotations: common.annotations,
            },
            target_namespace: spec.target_namespace.as_deref().unwrap_or_default(),
            settings: Settings {
                prune: spec.prune,
                ..Settings::default()
            },
            dry_run: false,
        }))
    }

    /// A plugin of a user's that returns nothing may be broken: what is there stays.
    fn refuse_emptied(
        &self,
        owner: &bulkhead_apply::Owner,
        request: &Request,
        delivered: &Delivered,
    ) -> Result<(), SyncError> {
        let Some(plugin) = request.foreign().filter(|_| delivered.objects.is_empty()) else {
            return Ok(());
        };
        match self.directory.inventory(owner)?.iter().count() {
            0 => Ok(()),
            applied => Err(SyncError::Emptied {
                plugin: plugin.to_owned(),
                applied,
            }),
        }
    }

    fn tell_waiting(&mut self, name: &Name, text: String) -> anyhow::Result<()> {
        if self.failures.insert(name.clone(), text.clone()).as_ref() == Some(&text) {
            return Ok(());
        }
        let status = Status::Waiting { message: &text };
        let kind = name.face.kind();
        self.display.status(kind, &name.key.to_string(), &status)
    }

    async fn tell_failure(
        &mut self,
        object: &Raw,
        advice: &Advice,
        text: String,
        resources: &Resources,
    ) -> anyhow::Result<()> {
        let name = object.name();
        // The same failure is told once.
        if self.failures.insert(name.clone(), text.clone()).as_ref() == Some(&text) {
            return Ok(());
        }
        let status = Status::Failed {
            reason: advice.reason,
            message: &text,
            hint: advice.hint.as_deref(),
        };
        let kind = name.face.kind();
        self.display.status(kind, &name.key.to_string(), &status)?;
        let revision = self.applied.get(&name).cloned();
        let report = Report {
            severity: Severity::Error,
            reason: advice.reason,
            message: text,
            revision: revision.as_deref(),
        };
        let event = events::of_applier(object, report);
        events::publish(&event, resources, &self.notifier, &self.display).await
    }
}
