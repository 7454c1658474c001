//! A namespace of its own for a test: makes objects in it and waits for what becomes of them.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bulkhead_api::kustomize::{Kustomization, KustomizationSpec, SourceKind, SourceReference};
use bulkhead_api::meta::Condition;
use bulkhead_api::source::{GitRepository, GitRepositoryRef, GitRepositorySpec};
use bulkhead_testing::cluster::Cluster;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long anything may take that has no own limit.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A namespace, and a client.
pub(crate) struct Space {
    /// The client.
    pub(crate) client: Client,
    /// The namespace.
    pub(crate) namespace: String,
}

impl Space {
    /// Makes a namespace `<prefix>-<number>`.
    pub(crate) async fn new(cluster: &Cluster, prefix: &str) -> Result<Self> {
        let namespace = cluster.namespace(prefix).await?;
        Ok(Self {
            client: cluster.client()?,
            namespace,
        })
    }

    /// Returns the collection of a kind.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object.
    pub(crate) async fn create<K>(&self, object: &K) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Serialize
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let created = self.api().create(&PostParams::default(), object).await;
        created.with_context(|| format!("failed to create {}", object.name_any()))
    }

    /// Creates a GitRepository of branch `main`, looked at every second.
    pub(crate) async fn repository(&self, name: &str, url: &str) -> Result<()> {
        self.repository_with(name, url, |_| ()).await
    }

    /// The same, with another specification.
    pub(crate) async fn repository_with(
        &self,
        name: &str,
        url: &str,
        change: impl FnOnce(&mut GitRepositorySpec),
    ) -> Result<()> {
        let mut spec = GitRepositorySpec::new(url, Duration::from_secs(1));
        spec.reference = Some(GitRepositoryRef {
            branch: Some("main".into()),
            ..GitRepositoryRef::default()
        });
        change(&mut spec);
        self.create(&GitRepository::new(&self.namespace, name, spec))
            .await
            .map(drop)
    }

    /// Creates a Kustomization `name` of the GitRepository `app`, with prune, once an hour, into this
    /// namespace.
    pub(crate) async fn kustomization(
        &self,
        name: &str,
        change: impl FnOnce(&mut KustomizationSpec),
    ) -> Result<()> {
        let source = SourceReference::new(SourceKind::GitRepository, "app");
        let mut spec = KustomizationSpec::new(source, Duration::from_secs(3600), true);
        spec.target_namespace = Some(self.namespace.clone());
        spec.retry_interval = Some(Duration::from_secs(1).into());
        change(&mut spec);
        self.create(&Kustomization::new(&self.namespace, name, spec))
            .await
            .map(drop)
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn patch<K>(&self, name: &str, patch: Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let patched = self
            .api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.with_context(|| format!("failed to patch {name}"))
    }

    /// Asks for a reconciliation, as `flux reconcile` does.
    pub(crate) async fn request<K>(&self, name: &str, at: &str) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let annotation = json!({ "reconcile.fluxcd.io/requestedAt": at });
        let patch = json!({ "metadata": { "annotations": annotation } });
        self.patch::<K>(name, patch).await.map(drop)
    }

    /// Deletes an object.
    pub(crate) async fn delete<K>(&self, name: &str) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        self.api::<K>()
            .delete(name, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// Waits until the object is as `is_so` wants; fails with what it is like instead.
    pub(crate) async fn wait<K>(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&K) -> bool,
    ) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Serialize
            + Clone
            + Debug,
    {
        let deadline = Instant::now() + SOON;
        loop {
            let found = self.api::<K>().get_opt(name).await?;
            match found {
                Some(found) if is_so(&found) => return Ok(found),
                found if Instant::now() > deadline => {
                    let shown = serde_json::to_string_pretty(&found)?;
                    bail!("{name} was not {what} in time; it is {shown}");
                }
                _ => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }

    /// Waits until the object is gone.
    pub(crate) async fn wait_gone<K>(&self, name: &str) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let deadline = Instant::now() + SOON;
        while let Some(found) = self.api::<K>().get_opt(name).await? {
            if Instant::now() > deadline {
                bail!("{name} is still there: {found:?}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }

    /// Waits until the GitRepository is Ready at a commit.
    pub(crate) async fn fetched(&self, name: &str, commit: &str) -> Result<GitRepository> {
        let revision = format!("main@sha1:{commit}");
        self.wait(name, "ready at the commit", |found: &GitRepository| {
            let artifact = found.status.artifact.as_ref();
            is_ready(&found.status.conditions)
                && artifact.is_some_and(|artifact| artifact.revision == revision)
        })
        .await
    }

    /// Waits until the Kustomization is Ready, and has applied the commit.
    pub(crate) async fn applied(&self, name: &str, commit: &str) -> Result<Kustomization> {
        let revision = format!("main@sha1:{commit}");
        self.wait(name, "ready with the commit", |found: &Kustomization| {
            is_ready(&found.status.conditions)
                && found.status.last_applied_revision.as_deref() == Some(&revision)
                && found.metadata.generation == Some(found.status.observed_generation)
        })
        .await
    }

    /// Waits until the condition Ready of the Kustomization is False with this reason; returns its
    /// message.
    pub(crate) async fn fails(&self, name: &str, reason: &str) -> Result<String> {
        let found = self
            .wait(
                name,
                &format!("failed with {reason}"),
                |found: &Kustomization| {
                    ready(&found.status.conditions)
                        .is_some_and(|ready| ready.status == "False" && ready.reason == reason)
                },
            )
            .await?;
        Ok(ready(&found.status.conditions)
            .map(|ready| ready.message.clone())
            .unwrap_or_default())
    }

    /// The same for a GitRepository.
    pub(crate) async fn fetch_fails(&self, name: &str, reason: &str) -> Result<String> {
        let found = self
            .wait(
                name,
                &format!("failed with {reason}"),
                |found: &GitRepository| {
                    ready(&found.status.conditions)
                        .is_some_and(|ready| ready.status == "False" && ready.reason == reason)
                },
            )
            .await?;
        Ok(ready(&found.status.conditions)
            .map(|ready| ready.message.clone())
            .unwrap_or_default())
    }

    /// Returns the value of `key` of a ConfigMap; `None` if there is none.
    pub(crate) async fn value(&self, name: &str, key: &str) -> Result<Option<String>> {
        let found = self.api::<ConfigMap>().get_opt(name).await?;
        Ok(found.and_then(|map| map.data?.get(key).cloned()))
    }

    /// Waits until `key` of a ConfigMap has this value.
    pub(crate) async fn wait_value(&self, name: &str, key: &str, value: &str) -> Result<ConfigMap> {
        self.wait(name, &format!("`{key}: {value}`"), |found: &ConfigMap| {
            found
                .data
                .as_ref()
                .and_then(|data| data.get(key))
                .is_some_and(|found| found == value)
        })
        .await
    }

    /// Creates a Secret.
    pub(crate) async fn secret(&self, name: &str, data: &[(&str, &str)]) -> Result<()> {
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.to_owned());
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        secret.string_data = Some(data.collect());
        self.create(&secret).await.map(drop)
    }

    /// Waits for an Event about the object with this reason; returns its message.
    pub(crate) async fn event(&self, name: &str, reason: &str, part: &str) -> Result<Event> {
        let deadline = Instant::now() + SOON;
        loop {
            let fields = format!("involvedObject.name={name}");
            let events = self
                .api::<Event>()
                .list(&ListParams::default().fields(&fields))
                .await?;
            let is_it = |event: &&Event| {
                event.reason.as_deref() == Some(reason)
                    && event.message.as_deref().unwrap_or_default().contains(part)
            };
            if let Some(found) = events.items.iter().find(is_it) {
                return Ok(found.clone());
            }
            if Instant::now() > deadline {
                let texts: Vec<_> = events
                    .items
                    .iter()
                    .map(|event| (&event.reason, &event.message))
                    .collect();
                bail!("no Event {reason} with `{part}` about {name}; there are {texts:#?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Returns the condition Ready.
pub(crate) fn ready(conditions: &[Condition]) -> Option<&Condition> {
    condition(conditions, "Ready")
}

/// Returns a condition.
pub(crate) fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Tells whether Ready is True.
pub(crate) fn is_ready(conditions: &[Condition]) -> bool {
    ready(conditions).is_some_and(|ready| ready.status == "True")
}

/// Returns a manifest of a ConfigMap with `key: "value"`.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: \"{value}\"\n"
    )
}
