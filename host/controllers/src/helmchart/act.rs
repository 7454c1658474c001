//! Does what was decided about a HelmChart: finds the version, downloads or packs the chart, stores
//! it.

use std::io::Write as _;
use std::sync::Arc;

use bulkhead_api::TreePath;
use bulkhead_api::meta::Artifact;
use bulkhead_api::source::{HelmChart, HelmRepository};
use bulkhead_source::helm::chart::ChartSource;
use bulkhead_source::helm::{
    Built, HelmError, HttpRepository, Limits, RepositoryConfig, Stage, build_local, build_remote,
    registry, work,
};
use bulkhead_source::oci::verify::{Policy, verify};
use bulkhead_source::oci::{Registry, RegistryConfig, Repository};
use tokio::time::Instant;

use super::Made;
use super::charts;
use super::decide::{Decision, From, Plan};
use super::error::ChartError;
use super::load::Observed;
use super::repositories::OfNamespace;
use super::said::Summary;
use super::shelf::Shelf;
use crate::context::Context;
use crate::queue::Key;
use crate::sources::{Done, Label, Newer, Outcome, Signature, StoreError, put, remove_artifacts};
use crate::trees::Loaded;
use crate::watch::key_of;

/// Does it; returns also what a new artifact was made of.
pub(super) async fn run(
    object: &HelmChart,
    key: &Key,
    decision: Decision,
    seen: &Observed,
    context: &Arc<Context>,
) -> (Outcome<ChartError>, Made) {
    let started = Instant::now();
    let (mut newer, mut made) = (None, Made::default());
    let result = match decision {
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(error),
        Decision::Finalize => finalize(key, context).await,
        Decision::Build(plan) => {
            let build = Build {
                object,
                namespace: &key.namespace,
                plan: &plan,
                shelf: &**context,
            };
            match build.find(&mut newer).await {
                Ok(Found::Same(done)) => Ok(done),
                Ok(Found::New(built, signature)) => {
                    store(built, signature, key, context, &mut made).await
                }
                Err(error) => Err(error),
            }
        }
    };
    let outcome = Outcome {
        result,
        has_artifact: seen.has_artifact,
        newer,
        took: started.elapsed(),
    };
    (outcome, made)
}

async fn finalize(key: &Key, context: &Arc<Context>) -> Result<Done, ChartError> {
    remove_artifacts::<HelmChart>(context, key)
        .await
        .map_err(StoreError::Collect)?;
    Ok(Done::Finalized)
}

/// How a chart is built.
pub(super) struct Build<'a, S> {
    pub(super) object: &'a HelmChart,
    pub(super) namespace: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) shelf: &'a S,
}

/// A chart that was found, or one that is in the storage already.
pub(super) enum Found {
    Same(Done),
    New(Built, Signature),
}

impl<S: Shelf> Build<'_, S> {
    /// Finds the chart and builds it, unless it is there.
    pub(super) async fn find(&self, newer: &mut Option<Newer>) -> Result<Found, ChartError> {
        let found = match &self.plan.from {
            From::Index {
                repository,
                artifact,
                config,
            } => {
                self.of_index(repository, artifact.as_deref(), config, newer)
                    .await?
            }
            From::Registry {
                repository,
                config,
                policy,
            } => {
                self.of_registry(repository, config, policy.as_deref(), newer)
                    .await?
            }
            From::Files { path, loaded } => self.of_files(path, loaded, newer).await?,
        };
        if let Found::New(built, _) = &found {
            for warning in &built.warnings {
                tracing::info!(warning, "built a chart that is odd");
            }
            if built.resolved_dependencies > 0 {
                let count = built.resolved_dependencies;
                tracing::info!("resolved {count} chart dependencies");
            }
        }
        Ok(found)
    }

    async fn of_index(
        &self,
        repository: &HelmRepository,
        artifact: Option<&Artifact>,
        config: &RepositoryConfig,
        newer: &mut Option<Newer>,
    ) -> Result<Found, ChartError> {
        let spec = &self.object.spec;
        let client = HttpRepository::new(config).map_err(|error| match error {
            HelmError::Url { .. } => ChartError::Url(Box::new(error)),
            _ => ChartError::Client(Box::new(error)),
        })?;
        let wrong =
            |error| ChartError::version(Stage::Reference, &spec.chart, spec.version(), error);
        registry::check_name(&spec.chart).map_err(wrong)?;
        let wanted = (spec.chart.clone(), spec.version().to_owned());
        let chosen = match artifact {
            None => Some(charts::ask(self.shelf.archives(), &client, wanted).await),
            Some(artifact) => {
                let of = key_of(repository);
                self.shelf
                    .choose(&of, artifact, client.place(), wanted)
                    .await
            }
        };
        let Some(chosen) = chosen else {
            let name = spec.source_ref.name.clone();
            return Err(ChartError::NoArtifact {
                kind: HelmRepository::KIND.to_owned(),
                name,
            });
        };
        let chosen = chosen.map_err(wrong)?;
        let (name, own) = (&chosen.metadata.name, &chosen.metadata.version);
        if let Some(done) = self.same(name, own, true, Signature::NotAsked, newer)? {
            return Ok(Found::Same(done));
        }
        let what = "failed to download chart for remote reference";
        let packed = charts::download(&client, &chosen).await;
        let packed = packed.map_err(|error| ChartError::at(Stage::Pull, what, error))?;
        let built = self.build(name, own, packed).await?;
        Ok(Found::New(built, Signature::NotAsked))
    }

    async fn of_registry(
        &self,
        repository: &Repository,
        config: &RegistryConfig,
        policy: Option<&Policy>,
        newer: &mut Option<Newer>,
    ) -> Result<Found, ChartError> {
        let spec = &self.object.spec;
        let wrong = |error| ChartError::version(Stage::Pull, &spec.chart, spec.version(), error);
        let client = Registry::new(config.clone()).map_err(|error| wrong(error.into()))?;
        let chosen = registry::choose_version(&client, repository, spec.version()).await;
        let chosen = chosen.map_err(wrong)?;
        // As in Flux, what has the name and version of the chart in the storage is that chart: only
        // a signature is asked for again.
        if policy.is_none()
            && let Some(done) = self.same(&spec.chart, &chosen, true, Signature::NotAsked, newer)?
        {
            return Ok(Found::Same(done));
        }
        let found = registry::look_up(&client, repository, chosen).await;
        let found = found.map_err(wrong)?;
        let signature = match policy {
            None => Signature::NotAsked,
            Some(policy) => {
                let verified = verify(&client, &found.resolved, policy).await;
                let wrong = |error| {
                    let error = HelmError::from(error);
                    ChartError::Build {
                        stage: Stage::Verification,
                        what: "failed to verify the signature",
                        source: Box::new(error),
                    }
                };
                verified.map_err(wrong)?;
                let version = self.version(&found.version)?;
                Signature::Checked(format!("verified signature of version {version}"))
            }
        };
        let (name, own) = (&spec.chart, &found.version);
        if policy.is_some()
            && let Some(done) = self.same(name, own, true, signature.clone(), newer)?
        {
            return Ok(Found::Same(done));
        }
        let what = "failed to download chart for remote reference";
        let packed = charts::pull(&client, &found).await;
        let packed = packed.map_err(|error| ChartError::at(Stage::Pull, what, error))?;
        let built = self.build(name, own, packed).await?;
        Ok(Found::New(built, signature))
    }

    async fn of_files(
        &self,
        path: &TreePath,
        loaded: &Loaded,
        newer: &mut Option<Newer>,
    ) -> Result<Found, ChartError> {
        let (tree, at) = (loaded.tree.clone(), path.clone());
        let look = move || {
            let limits = Limits::default();
            let source = ChartSource::new(&*tree, &limits);
            Ok((source.metadata(&at)?, !source.is_folder(&at)?))
        };
        let wrong = |error| ChartError::at(Stage::Reference, "", error);
        let (metadata, is_packed) = work(look).await.map_err(wrong)?;
        let (name, own) = (&metadata.name, &metadata.version);
        if let Some(done) = self.same(name, own, is_packed, Signature::NotAsked, newer)? {
            return Ok(Found::Same(done));
        }
        let repositories = OfNamespace {
            shelf: self.shelf,
            namespace: self.namespace,
        };
        let (tree, options) = (loaded.tree.clone(), &self.plan.options);
        let built = build_local(tree, path, options, &repositories, &Limits::default()).await;
        let built = built.map_err(|error| ChartError::at(Stage::Package, "", error))?;
        Ok(Found::New(built, Signature::NotAsked))
    }

    /// Returns the version that a chart of version `own` becomes.
    fn version(&self, own: &str) -> Result<String, ChartError> {
        let version = self.plan.options.version(own);
        version.map_err(|error| ChartError::at(Stage::Metadata, "", error))
    }

    /// Tells whether the artifact of the status is this chart; if not, notes that there is a newer.
    fn same(
        &self,
        name: &str,
        own: &str,
        is_packed: bool,
        signature: Signature,
        newer: &mut Option<Newer>,
    ) -> Result<Option<Done>, ChartError> {
        let options = &self.plan.options;
        let version = self.version(own)?;
        let observed = &self.object.status.observed_values_files;
        let values_files = match observed.is_empty() {
            true => options.values_files(),
            false => observed,
        };
        let summary = Summary {
            name,
            version: &version,
            is_packaged: !is_packed
                || !options.version_metadata.is_empty()
                || !options.values_files().is_empty(),
            values_files,
        };
        let current = self.plan.current.as_ref();
        if current.is_some_and(|(is, at)| is == name && *at == version) {
            return Ok(Some(Done::Kept(summary.good(signature))));
        }
        let artifact = self.object.status.artifact.as_ref();
        if artifact.is_none_or(|artifact| artifact.revision != version) {
            *newer = Some(
                Summary {
                    values_files: &[],
                    ..summary
                }
                .newer(),
            );
        }
        Ok(None)
    }

    async fn build(&self, name: &str, own: &str, packed: Vec<u8>) -> Result<Built, ChartError> {
        let (name, own) = (name.to_owned(), own.to_owned());
        let options = self.plan.options.clone();
        let build = move || build_remote(&name, &own, packed, &options, &Limits::default());
        let built = work(build).await;
        built.map_err(|error| ChartError::at(Stage::Package, "", error))
    }
}

async fn store(
    built: Built,
    signature: Signature,
    key: &Key,
    context: &Arc<Context>,
    made: &mut Made,
) -> Result<Done, ChartError> {
    let archives = &context.archives;
    let mut scratch = archives.scratch().map_err(StoreError::Write)?;
    scratch
        .write_all(&built.content)
        .map_err(StoreError::Write)?;
    let summary = Summary {
        name: &built.name,
        version: &built.version,
        is_packaged: built.is_packaged,
        values_files: &built.values_files,
    };
    let good = summary.good(signature);
    let label = Label {
        // A chart of a registry may have a path for a name.
        file: built.file_name().replace('/', "-"),
        revision: built.version.clone(),
        metadata: Default::default(),
    };
    let artifact = put::<HelmChart>(archives, key, label, scratch).await?;
    *made = Made {
        name: built.name,
        values_files: built.values_files,
    };
    Ok(Done::Stored(Box::new(artifact), good))
}
