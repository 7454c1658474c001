//! The second half of a round: brings the Kustomizations that are due to where their sources are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_api::event::Severity;
use bulkhead_api::kustomize::{Kustomization, SubstituteStrategy, ValuesKind};
use bulkhead_api::{Advice, Retry, SpecError, chain, message, reason};
use bulkhead_apply::target::{Applied, directory};
use bulkhead_apply::{CommonMetadata, Owner, Settings};
use bulkhead_controllers::delivery::substitute::{Substitution, Variables};
use bulkhead_controllers::delivery::{DeliveryError, Request};
use bulkhead_source::Artifact;

use super::Engine;
use super::display::Status;
use super::events::{self, Report};
use super::order::{self, Ordered};
use super::resources::{Key, Resources};
use super::schedule::{RETRY, Task};
use crate::output::Progress;

/// Why a Kustomization is not where its source is.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("`{field}` needs a cluster, or is not supported yet")]
    Unsupported { field: &'static str },
    #[error("substitute from '{kind}/{name}' error: it is not in the files")]
    Variables { kind: &'static str, name: String },
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl SyncError {
    fn advice(&self) -> Advice {
        match self {
            Self::Spec(error) => error.advice(),
            Self::Unsupported { field } => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint(format!("remove `{field}`, or run the controllers")),
            Self::Variables { .. } => Advice::new(reason::BUILD_FAILED, Retry::OnChange)
                .hint("add it to the files of `-f`, or mark the reference `optional`"),
            Self::Delivery(error) => error.advice(),
        }
    }
}

/// A Kustomization with all that it needs.
struct Turn<'a> {
    key: &'a Key,
    object: &'a Kustomization,
    artifact: Arc<Artifact>,
    variables: Variables,
}

impl Engine {
    pub(super) async fn deliver_due(&mut self, resources: &Resources) -> anyhow::Result<()> {
        let needs = |key: &Key, object: &Kustomization| {
            let of = |need: &bulkhead_api::meta::DependencyReference| {
                (
                    need.namespace.clone().unwrap_or_else(|| key.0.clone()),
                    need.name.clone(),
                )
            };
            object.spec.depends_on.iter().map(of).collect::<Vec<_>>()
        };
        let dependencies: BTreeMap<Key, Vec<Key>> = resources
            .kustomizations
            .iter()
            .map(|(key, object)| (key.clone(), needs(key, object)))
            .collect();
        let Ordered { order, cyclic } = order::order(&dependencies);
        for key in &cyclic {
            let text = "depends on itself, directly or through others".to_owned();
            let advice = Advice::new(reason::DEPENDENCY_NOT_READY, Retry::OnChange)
                .hint("take one reference out of `spec.dependsOn`");
            self.tell_failure(
                key,
                &resources.kustomizations[key],
                &advice,
                text,
                resources,
            )
            .await?;
        }
        for key in &order {
            let object = &resources.kustomizations[key];
            let task = Task::Kustomization(key.clone());
            let now = Instant::now();
            if object.spec.suspend || !self.schedule.is_due(&task, now) {
                continue;
            }
            let Some(artifact) = self.source(key, object, resources)? else {
                self.schedule.after(task, now, RETRY);
                continue;
            };
            let unready = dependencies[key]
                .iter()
                .find(|need| !self.is_ready(need, key, resources));
            if let Some(need) = unready {
                let text = format!("dependency '{}/{}' is not ready", need.0, need.1);
                self.tell_waiting(key, text)?;
                self.schedule.after(task, now, RETRY);
                continue;
            }
            let done = self.turn(key, object, artifact, resources).await?;
            let pause = if done {
                object.spec.interval()
            } else {
                object.spec.retry_interval()
            };
            self.schedule
                .after(task, Instant::now(), pause.unwrap_or(RETRY));
            if done {
                // What waits for it need not wait longer.
                for (waiting, _) in dependencies.iter().filter(|(_, needs)| needs.contains(key)) {
                    if !self.is_current(waiting, resources) {
                        self.schedule.now(&Task::Kustomization(waiting.clone()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns what the source of a Kustomization is at; tells why where it is not known.
    fn source(
        &mut self,
        key: &Key,
        object: &Kustomization,
        resources: &Resources,
    ) -> anyhow::Result<Option<Arc<Artifact>>> {
        let source = &object.spec.source_ref;
        let namespace = source.namespace.as_ref().unwrap_or(&key.0);
        let source_key = (namespace.clone(), source.name.clone());
        if let Some(artifact) = self.artifacts.get(&source_key) {
            return Ok(Some(artifact.clone()));
        }
        let text = if resources.repositories.contains_key(&source_key) {
            format!("waiting for {}/{namespace}/{}", source.kind, source.name)
        } else {
            format!(
                "source {}/{namespace}/{} is not in the files",
                source.kind, source.name
            )
        };
        self.tell_waiting(key, text)?;
        Ok(None)
    }

    fn is_current(&self, key: &Key, resources: &Resources) -> bool {
        let Some(object) = resources.kustomizations.get(key) else {
            return false;
        };
        let source = &object.spec.source_ref;
        let namespace = source.namespace.as_ref().unwrap_or(&key.0);
        let artifact = self
            .artifacts
            .get(&(namespace.clone(), source.name.clone()));
        let revision = artifact.map(|artifact| artifact.revision.to_string());
        revision.is_some() && self.applied.get(key) == revision.as_ref()
    }

    /// A dependency is ready when it did not fail; on the same source, at the same revision.
    fn is_ready(&self, need: &Key, by: &Key, resources: &Resources) -> bool {
        let Some(object) = resources.kustomizations.get(need) else {
            return false;
        };
        let same = resources
            .kustomizations
            .get(by)
            .is_some_and(|dependent| dependent.spec.source_ref == object.spec.source_ref);
        !self.failures.contains_key(need)
            && self.applied.contains_key(need)
            && (!same || self.is_current(need, resources))
    }

    /// Delivers one Kustomization and tells about it; `false` when it failed.
    async fn turn(
        &mut self,
        key: &Key,
        object: &Kustomization,
        artifact: Arc<Artifact>,
        resources: &Resources,
    ) -> anyhow::Result<bool> {
        let revision = artifact.revision.to_string();
        let name = format!("{}/{}", key.0, key.1);
        let progress = Progress::start(&format!("delivering {name}"));
        let outcome = async {
            let variables = variables(key, object, resources)?;
            self.deliver(Turn {
                key,
                object,
                artifact,
                variables,
            })
            .await
        };
        let outcome = outcome.await;
        drop(progress);
        let applied = match outcome {
            Ok(applied) => applied,
            Err(error) => {
                self.tell_failure(key, object, &error.advice(), chain(&error), resources)
                    .await?;
                return Ok(false);
            }
        };
        let was = self.applied.insert(key.clone(), revision.clone());
        let recovered = self.failures.remove(key).is_some();
        let has_news = applied.has_changes() || recovered || was.as_ref() != Some(&revision);
        if has_news {
            self.display.status(
                "Kustomization",
                &name,
                &Status::Ready {
                    revision: &revision,
                },
            )?;
            self.display.changes(&name, &applied.changes)?;
        }
        if let Some(error) = applied.error {
            self.tell_failure(key, object, &error.advice(), chain(&error), resources)
                .await?;
            return Ok(false);
        }
        if applied
            .changes
            .iter()
            .any(|change| change.action.is_change())
            || recovered
        {
            let changes: Vec<String> = applied
                .changes
                .iter()
                .filter(|change| change.action.is_change())
                .map(ToString::to_string)
                .collect();
            let report = Report {
                severity: Severity::Info,
                reason: reason::RECONCILIATION_SUCCEEDED,
                message: if changes.is_empty() {
                    message::applied_revision(&revision)
                } else {
                    changes.join("\n")
                },
                revision: Some(&revision),
            };
            let event = events::of_kustomization(object, report);
            events::publish(&event, resources, &self.notifier, &self.display).await?;
        }
        Ok(true)
    }

    async fn deliver(&self, turn: Turn<'_>) -> Result<Applied, SyncError> {
        let Turn {
            key,
            object,
            artifact,
            variables,
        } = turn;
        let spec = &object.spec;
        spec.interval()?;
        refuse_what_needs_a_cluster(object)?;
        let substitution = Substitution {
            always: spec
                .post_build
                .as_ref()
                .is_some_and(|post_build| post_build.strategy() == SubstituteStrategy::Always),
            strict: true,
            variables,
        };
        let time = u64::try_from(artifact.commit_seconds).unwrap_or_default();
        let revision = artifact.revision.to_string();
        let source = (
            Arc::new(artifact.tree.clone()) as Arc<dyn bulkhead_api::SourceTree>,
            revision.as_str(),
            time,
        );
        let request = Request::of_kustomization((&key.0, &key.1), spec, source, substitution);
        let delivered = self.renderer.deliver(&request).await?;
        let common = spec.common_metadata.clone().unwrap_or_default();
        Ok(self.directory.apply(directory::Request {
            objects: delivered.objects.as_ref().clone(),
            owner: &Owner::kustomization(&key.1, &key.0),
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

    fn tell_waiting(&mut self, key: &Key, text: String) -> anyhow::Result<()> {
        if self.failures.insert(key.clone(), text.clone()).as_ref() == Some(&text) {
            return Ok(());
        }
        let name = format!("{}/{}", key.0, key.1);
        self.display
            .status("Kustomization", &name, &Status::Waiting { message: &text })
    }

    async fn tell_failure(
        &mut self,
        key: &Key,
        object: &Kustomization,
        advice: &Advice,
        text: String,
        resources: &Resources,
    ) -> anyhow::Result<()> {
        // The same failure is told once.
        if self.failures.insert(key.clone(), text.clone()).as_ref() == Some(&text) {
            return Ok(());
        }
        let name = format!("{}/{}", key.0, key.1);
        let status = Status::Failed {
            reason: advice.reason,
            message: &text,
            hint: advice.hint.as_deref(),
        };
        self.display.status("Kustomization", &name, &status)?;
        let revision = self.applied.get(key).cloned();
        let report = Report {
            severity: Severity::Error,
            reason: advice.reason,
            message: text,
            revision: revision.as_deref(),
        };
        let event = events::of_kustomization(object, report);
        events::publish(&event, resources, &self.notifier, &self.display).await
    }
}

fn refuse_what_needs_a_cluster(object: &Kustomization) -> Result<(), SyncError> {
    let spec = &object.spec;
    // What only changes how a cluster is written to (`wait`, `force`, accounts) has no meaning here.
    for (is_set, field) in [
        (spec.decryption.is_some(), "spec.decryption"),
        (spec.kube_config.is_some(), "spec.kubeConfig"),
    ] {
        if is_set {
            return Err(SyncError::Unsupported { field });
        }
    }
    Ok(())
}

/// Reads the variables of `postBuild` from the files; inline ones win, later references too.
fn variables(
    key: &Key,
    object: &Kustomization,
    resources: &Resources,
) -> Result<Variables, SyncError> {
    let mut variables = Variables::new();
    let Some(post_build) = &object.spec.post_build else {
        return Ok(variables);
    };
    for reference in &post_build.substitute_from {
        let (kind, map) = match reference.kind {
            ValuesKind::Secret => ("Secret", &resources.secrets),
            _ => ("ConfigMap", &resources.config_maps),
        };
        match map.get(&(key.0.clone(), reference.name.clone())) {
            Some(data) => {
                variables.extend(data.iter().map(|(name, value)| {
                    (name.clone(), String::from_utf8_lossy(value).into_owned())
                }))
            }
            None if reference.optional => {}
            None => {
                return Err(SyncError::Variables {
                    kind,
                    name: reference.name.clone(),
                });
            }
        }
    }
    variables.extend(post_build.substitute.clone());
    Ok(variables)
}
