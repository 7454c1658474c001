//! The first half of a round: brings the sources that are due up to date.

use std::sync::Arc;
use std::time::Instant;

use bulkhead_api::event::Severity;
use bulkhead_api::source::GitRepository;
use bulkhead_api::{Advice, Revision, chain, message, reason};
use bulkhead_controllers::gitrepository::request::{
    self, Reach, RequestError, SecretError, Secrets,
};
use bulkhead_source::{FetchError, Fetched};

use super::Engine;
use super::deliver::source_of;
use super::display::Status;
use super::events::{self, Report};
use super::release::repository_of;
use super::schedule::{RETRY, Task};
use crate::output::Progress;
use crate::resources::{Key, Resources};

/// Why a source has no new artifact.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("failed to fetch")]
    Fetch(#[from] FetchError),
}

impl SourceError {
    fn advice(&self) -> Advice {
        match self {
            Self::Request(error) => error.advice(),
            Self::Fetch(error) => error.advice(),
        }
    }
}

impl Engine {
    pub(super) async fn fetch_due(&mut self, resources: &Resources) -> anyhow::Result<()> {
        for (key, repository) in &resources.repositories {
            let task = Task::Source(key.clone());
            let now = Instant::now();
            if !self.schedule.is_due(&task, now) {
                continue;
            }
            let pause = repository.spec.interval().unwrap_or(RETRY);
            if repository.spec.suspend {
                self.schedule.after(task, now, pause);
                continue;
            }
            let progress = Progress::start(&format!("fetching {}/{}", key.0, key.1));
            let fetched = self.fetch(key, repository, resources).await;
            drop(progress);
            let pause = if fetched.is_ok() {
                pause
            } else {
                pause.min(RETRY)
            };
            self.schedule.after(task, Instant::now(), pause);
            self.tell_fetched(key, repository, fetched, resources)
                .await?;
        }
        Ok(())
    }

    async fn fetch(
        &self,
        key: &Key,
        repository: &GitRepository,
        resources: &Resources,
    ) -> Result<Fetched, SourceError> {
        let secret = |named: Option<&bulkhead_api::meta::LocalObjectReference>| {
            named.map(|named| {
                let found = resources.secrets.get(&(key.0.clone(), named.name.clone()));
                let missing = || SecretError::Missing(format!("{}/{}", key.0, named.name));
                found.cloned().ok_or_else(missing)
            })
        };
        let secrets = Secrets {
            credentials: secret(repository.spec.secret_ref.as_ref()),
            proxy: secret(repository.spec.proxy_secret_ref.as_ref()),
        };
        let request = request::request(&repository.spec, &secrets, Reach::Local)?;
        let last: Option<&Revision> = self.artifacts.get(key).map(|artifact| &artifact.revision);
        Ok(self.store.fetch(&request, last).await?)
    }

    async fn tell_fetched(
        &mut self,
        key: &Key,
        repository: &GitRepository,
        fetched: Result<Fetched, SourceError>,
        resources: &Resources,
    ) -> anyhow::Result<()> {
        let name = format!("{}/{}", key.0, key.1);
        match fetched {
            Ok(Fetched::Unchanged) => {
                self.source_failures.remove(key);
            }
            Ok(Fetched::New(artifact)) => {
                self.source_failures.remove(key);
                let revision = artifact.revision.to_string();
                self.artifacts.insert(key.clone(), Arc::new(artifact));
                for (consumer, object) in &resources.appliers {
                    if source_of(object) == *key {
                        self.schedule.now(&Task::Applier(consumer.clone()));
                    }
                }
                for (consumer, object) in &resources.releases {
                    if repository_of(object, resources).as_ref() == Some(key) {
                        self.schedule.now(&Task::Release(consumer.clone()));
                    }
                }
                self.display.status(
                    "GitRepository",
                    &name,
                    &Status::Ready {
                        revision: &revision,
                    },
                )?;
                let report = Report {
                    severity: Severity::Info,
                    reason: reason::NEW_ARTIFACT,
                    message: message::stored_artifact(&revision),
                    revision: Some(&revision),
                };
                let event = events::of_repository(repository, report);
                events::publish(&event, resources, &self.notifier, &self.display).await?;
            }
            Err(error) => {
                let (advice, text) = (error.advice(), chain(&error));
                // The same failure is told once.
                if self
                    .source_failures
                    .insert(key.clone(), text.clone())
                    .as_ref()
                    == Some(&text)
                {
                    return Ok(());
                }
                let status = Status::Failed {
                    reason: advice.reason,
                    message: &text,
                    hint: advice.hint.as_deref(),
                };
                self.display.status("GitRepository", &name, &status)?;
                let report = Report {
                    severity: Severity::Error,
                    reason: advice.reason,
                    message: text,
                    revision: None,
                };
                let event = events::of_repository(repository, report);
                events::publish(&event, resources, &self.notifier, &self.display).await?;
            }
        }
        Ok(())
    }
}
