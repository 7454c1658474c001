//! The third part of a round: renders the HelmReleases that are due, and keeps their objects as files.
//!
//! Nothing runs here: hooks are left out, and there are no records, tests or rollbacks. A chart is
//! asked for when its release is due, and once a round.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bulkhead_api::event::Severity;
use bulkhead_api::helmrelease::{ChartReferenceKind, CrdsPolicy, HelmRelease};
use bulkhead_api::source::ChartSourceKind;
use bulkhead_api::{Advice, Retry, SpecError, chain, reason};
use bulkhead_apply::parse::{self, ParseError, Text};
use bulkhead_apply::target::{Applied, directory};
use bulkhead_apply::{ApplyError, CommonMetadata, Owner, Settings};
use bulkhead_controllers::catalogue::{Entry, Installed, Scope};
use bulkhead_controllers::helmrelease::{HELM, chart_of};
use bulkhead_wasm::Limits;

use super::Engine;
use super::display::Status;
use super::events::{self, Report};
use super::order::{self, Ordered};
use super::schedule::{RETRY, Task};
use crate::output::{CliError, Progress};
use crate::plugins as built_in;
use crate::release::{Charts, Failure, Known, Locals, Releases, Rendered, Scratch};
use crate::resources::{Key, Resources};

/// Why a release is not where its chart and values are.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("`spec.kubeConfig` needs a cluster")]
    KubeConfig,
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl SyncError {
    fn advice(&self) -> Advice {
        match self {
            Self::Spec(error) => error.advice(),
            Self::KubeConfig => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint("remove `spec.kubeConfig`, or run the controllers"),
            Self::Failure(error) => error.advice(),
            Self::Parse(error) => error.advice(),
            Self::Apply(error) => error.advice(),
        }
    }
}

/// Names the GitRepository that a release's chart is in, if it is in one.
pub(super) fn repository_of(object: &HelmRelease, resources: &Resources) -> Option<Key> {
    let chart = match &object.spec.chart_ref {
        None => Arc::new(chart_of(object)?),
        Some(reference) if reference.kind == ChartReferenceKind::HelmChart => {
            let namespace = reference.namespace.as_deref();
            let namespace = namespace.unwrap_or(object.own_namespace()).to_owned();
            let key = (namespace, reference.name.clone());
            resources.helm_charts.get(&key)?.clone()
        }
        Some(_) => return None,
    };
    let source = &chart.spec.source_ref;
    let is_git = source.kind == ChartSourceKind::GitRepository;
    is_git.then(|| {
        let namespace = chart.metadata.namespace.clone();
        (namespace.unwrap_or_default(), source.name.clone())
    })
}

fn needs(object: &HelmRelease) -> Vec<Key> {
    let all = object.spec.depends_on.iter();
    all.map(|one| {
        let namespace = one.namespace.as_deref().unwrap_or(object.own_namespace());
        (namespace.to_owned(), one.name.clone())
    })
    .collect()
}

fn shown((namespace, name): &Key) -> String {
    format!("{namespace}/{name}")
}

impl Engine {
    pub(super) async fn release_due(&mut self, resources: &Resources) -> anyhow::Result<()> {
        let dependencies: BTreeMap<Key, Vec<Key>> = resources
            .releases
            .iter()
            .map(|(key, object)| (key.clone(), needs(object)))
            .collect();
        let Ordered { order, cyclic } = order::order(&dependencies);
        for key in &cyclic {
            let (advice, text) = order::cycle();
            let object = &resources.releases[key];
            self.tell_release_failure(key, object, &advice, text, resources)
                .await?;
        }
        let had = Mutex::new(HashMap::new());
        for key in &order {
            let (object, task) = (&resources.releases[key], Task::Release(key.clone()));
            let now = Instant::now();
            if object.spec.suspend || !self.schedule.is_due(&task, now) {
                continue;
            }
            let is_ready = |need: &Key| {
                self.released.contains_key(need) && !self.release_failures.contains_key(need)
            };
            if let Some(need) = dependencies[key].iter().find(|need| !is_ready(need)) {
                let text = format!("dependency '{}' is not ready", shown(need));
                self.tell_release_waiting(key, text)?;
                self.schedule.after(task, now, RETRY);
                continue;
            }
            let done = self.release(key, object, resources, &had).await?;
            let pause = match done {
                true => object.spec.interval().unwrap_or(RETRY),
                false => RETRY,
            };
            self.schedule.after(task, Instant::now(), pause);
        }
        Ok(())
    }

    /// Brings one release up to date, and tells about it; `false` when it failed.
    async fn release(
        &mut self,
        key: &Key,
        object: &HelmRelease,
        resources: &Resources,
        had: &super::Had,
    ) -> anyhow::Result<bool> {
        let name = shown(key);
        let progress = Progress::start(&format!("rendering {name}"));
        let outcome = self.render(object, resources, had).await;
        drop(progress);
        let (chart, applied) = match outcome {
            Ok(found) => found,
            Err(SyncError::Failure(Failure::Waiting(source))) => {
                self.tell_release_waiting(key, format!("waiting for {source}"))?;
                return Ok(false);
            }
            Err(error) => {
                let (advice, text) = (error.advice(), chain(&error));
                self.tell_release_failure(key, object, &advice, text, resources)
                    .await?;
                return Ok(false);
            }
        };
        let was = self.released.insert(key.clone(), chart.clone());
        let recovered = self.release_failures.remove(key).is_some();
        if applied.has_changes() || recovered || was.as_ref() != Some(&chart) {
            let status = Status::Ready { revision: &chart };
            self.display.status(HelmRelease::KIND, &name, &status)?;
            self.display
                .changes(HelmRelease::KIND, &name, &applied.changes)?;
        }
        if let Some(error) = applied.error {
            let (advice, text) = (error.advice(), chain(&error));
            self.tell_release_failure(key, object, &advice, text, resources)
                .await?;
            return Ok(false);
        }
        if applied.has_changes() || recovered {
            let report = Report {
                severity: Severity::Info,
                reason: reason::helm::UPGRADE_SUCCEEDED,
                message: told(object, &chart, &applied),
                revision: chart.split_once('@').map(|(_, version)| version),
            };
            let event = events::of_release(object, report);
            events::publish(&event, resources, &self.notifier, &self.display).await?;
        }
        Ok(true)
    }

    async fn render(
        &self,
        object: &HelmRelease,
        resources: &Resources,
        had: &super::Had,
    ) -> Result<(String, Applied), SyncError> {
        object.spec.interval()?;
        if object.spec.kube_config.is_some() {
            return Err(SyncError::KubeConfig);
        }
        let scratch = Scratch::make().map_err(Failure::Scratch)?;
        let known = Known::new(resources, None, scratch.archives.clone());
        let charts = Charts {
            locals: &Locals::default(),
            near: None,
            git: &self.store,
            fetched: Some(&self.artifacts),
            had,
        };
        let releases = Releases {
            known: &known,
            charts: &charts,
            catalogue: &self.catalogue,
            kube_version: self.kube_version.clone(),
            api_versions: Vec::new(),
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let Rendered { content, chart, .. } = releases.render(object).await?;
        let mut texts = vec![Text::from(content.manifest.as_str())];
        let crds = match object.spec.install().crds() {
            CrdsPolicy::Skip => &[],
            _ => content.crds.as_slice(),
        };
        texts.extend(crds.iter().map(|crd| Text {
            text: &crd.text,
            path: &crd.path,
            line: 0,
        }));
        let objects = parse::objects(texts, &parse::Limits::default())?;
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let owner = Owner::helm_release(name, object.own_namespace());
        let applied = self.directory.apply(directory::Request {
            objects,
            owner: &owner,
            common: &CommonMetadata::default(),
            target_namespace: object.release_namespace(),
            settings: self.settings_of(&owner)?,
            dry_run: false,
        });
        Ok((chart, applied))
    }

    /// CRDs stay, as with Helm: with one goes all that was made by it.
    fn settings_of(&self, owner: &Owner) -> Result<Settings, ApplyError> {
        let inventory = self.directory.inventory(owner)?;
        let is_crd = |group: &str, kind: &str| {
            (group, kind) == ("apiextensions.k8s.io", "CustomResourceDefinition")
        };
        let ids = inventory.iter().map(|(id, _)| id);
        let protected = ids.filter(|id| is_crd(&id.group, &id.kind)).cloned();
        Ok(Settings {
            prune: true,
            protected: protected.collect(),
            ..Settings::default()
        })
    }

    /// Loads what renders charts, once there are some.
    pub(super) async fn load_helm(&self, resources: &Resources) -> Result<(), CliError> {
        let has_it = self.catalogue.entry(&Scope::BuiltIn, HELM).is_some();
        if has_it || resources.releases.is_empty() {
            return Ok(());
        }
        let plugin = built_in::built_in(&self.host, HELM).await?;
        let installed = Installed::built_in(HELM, plugin, None, Limits::renderer());
        let entry = Entry::Ready(Arc::new(installed));
        self.catalogue.put(&Scope::BuiltIn, HELM, entry);
        Ok(())
    }

    fn tell_release_waiting(&mut self, key: &Key, text: String) -> anyhow::Result<()> {
        let before = self.release_failures.insert(key.clone(), text.clone());
        if before.as_ref() == Some(&text) {
            return Ok(());
        }
        let status = Status::Waiting { message: &text };
        self.display.status(HelmRelease::KIND, &shown(key), &status)
    }

    async fn tell_release_failure(
        &mut self,
        key: &Key,
        object: &HelmRelease,
        advice: &Advice,
        text: String,
        resources: &Resources,
    ) -> anyhow::Result<()> {
        // The same failure is told once.
        let before = self.release_failures.insert(key.clone(), text.clone());
        if before.as_ref() == Some(&text) {
            return Ok(());
        }
        let status = Status::Failed {
            reason: advice.reason,
            message: &text,
            hint: advice.hint.as_deref(),
        };
        self.display
            .status(HelmRelease::KIND, &shown(key), &status)?;
        let chart = self.released.get(key).cloned();
        let report = Report {
            severity: Severity::Error,
            reason: advice.reason,
            message: text,
            revision: chart
                .as_deref()
                .and_then(|chart| Some(chart.split_once('@')?.1)),
        };
        let event = events::of_release(object, report);
        events::publish(&event, resources, &self.notifier, &self.display).await
    }
}

/// Says what changed, for people elsewhere.
fn told(object: &HelmRelease, chart: &str, applied: &Applied) -> String {
    let (namespace, name) = (object.release_namespace(), object.release_name());
    let mut text = format!("release {namespace}/{name} is at chart {chart}");
    let changes = applied.changes.iter();
    for change in changes.filter(|change| change.action.is_change()) {
        text.push_str(&format!("\n{change}"));
    }
    text
}
