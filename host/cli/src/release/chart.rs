//! The chart of a HelmRelease: from this machine, from a source's files, or fetched.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_api::helmrelease::{ChartReference, ChartReferenceKind, HelmRelease};
use bulkhead_api::source::{
    ChartSourceKind, ChartSourceReference, GitRepository, HelmChart, HelmChartSpec,
    HelmRepositorySpec, ReconcileStrategy,
};
use bulkhead_controllers::gitrepository::request::{self, Reach, Secrets};
use bulkhead_controllers::helmchart::{self, Origin, Shelf as _};
use bulkhead_controllers::helmrelease::{ARCHIVE_MAX_BYTES, Chart, chart_of, digest_in};
use bulkhead_controllers::ocirepository;
use bulkhead_controllers::queue::Key as Place;
use bulkhead_controllers::trees::Loaded;
use bulkhead_source::helm::Built;
use bulkhead_source::{Artifact, DirTree, Fetched, Store};

use super::error::Failure;
use super::known::Known;
use super::locals::Locals;
use super::{archive, checkout};
use crate::output;
use crate::resources::Key;

/// Where charts are had. What was had once is not asked for again.
pub(crate) struct Charts<'a> {
    /// What is on this machine.
    pub locals: &'a Locals,
    /// A file in a checkout: a GitRepository that the checkout is of is taken from there.
    pub near: Option<&'a Path>,
    /// Keeps what is fetched by Git.
    pub git: &'a Store,
    /// What GitRepositories are at, where somebody else fetches them.
    pub fetched: Option<&'a HashMap<Key, Arc<Artifact>>>,
    /// Charts by what they were asked for with.
    pub had: &'a Mutex<HashMap<String, (Chart, String)>>,
}

impl Charts<'_> {
    /// Returns the chart of a release, and the digest of the OCI artifact that it is, or nothing.
    pub(super) async fn of(
        &self,
        object: &HelmRelease,
        known: &Known<'_>,
    ) -> Result<(Chart, String), Failure> {
        let namespace = object.own_namespace();
        let spec = (&object.spec.chart, &object.spec.chart_ref);
        let identity = serde_json::to_string(&(namespace, spec)).unwrap_or_default();
        if let Some(found) = self.lock().get(&identity) {
            return Ok(found.clone());
        }
        let found = self.find(object, known).await?;
        self.lock().insert(identity, found.clone());
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Chart, String)>> {
        self.had.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(
        &self,
        object: &HelmRelease,
        known: &Known<'_>,
    ) -> Result<(Chart, String), Failure> {
        let template = chart_of(object);
        if let Some(path) = &self.locals.chart {
            let chart = template.unwrap_or_else(|| stand_in(object.own_namespace()));
            return self.local(chart, path, known).await;
        }
        match (&object.spec.chart_ref, template) {
            (Some(reference), _) => self.referred(object, reference, known).await,
            (None, Some(chart)) => self.built(chart, "spec.chart.spec.sourceRef", known).await,
            (None, None) => Err(Failure::NoChart),
        }
    }

    async fn referred(
        &self,
        object: &HelmRelease,
        reference: &ChartReference,
        known: &Known<'_>,
    ) -> Result<(Chart, String), Failure> {
        let namespace = reference.namespace.as_deref();
        let namespace = namespace.unwrap_or(object.own_namespace()).to_owned();
        let key = (namespace, reference.name.clone());
        let subject = subject(reference.kind.as_str(), &key);
        match reference.kind {
            ChartReferenceKind::OciRepository => self.pulled(&key, subject, known).await,
            ChartReferenceKind::HelmChart => {
                if let Some(path) = self.locals.source("HelmChart", &key) {
                    return self.local(stand_in(&key.0), path, known).await;
                }
                let found = known.chart(&key).await?;
                let missing = || missing("spec.chartRef", subject, known);
                let chart = found.ok_or_else(missing)?;
                self.built((*chart).clone(), "spec.sourceRef", known).await
            }
            _ => Err(Failure::Kind(reference.kind.to_string())),
        }
    }

    async fn pulled(
        &self,
        key: &Key,
        subject: String,
        known: &Known<'_>,
    ) -> Result<(Chart, String), Failure> {
        if let Some(path) = self.locals.source("OCIRepository", key) {
            return self.local(stand_in(&key.0), path, known).await;
        }
        let Some(found) = known.oci(key).await? else {
            return Err(missing("spec.chartRef", subject, known));
        };
        if known.is_offline() {
            return Err(Failure::Offline { subject });
        }
        let pulled = ocirepository::pull(&found, known, known.archives()).await;
        let pulled = pulled.map_err(|source| Failure::Pull {
            subject: subject.clone(),
            source: Box::new(source),
        })?;
        let chart = Chart::read(pulled.content, Some(&pulled.revision));
        let chart = chart.map_err(|source| Failure::Chart {
            subject,
            source: Box::new(source),
        })?;
        Ok((chart, digest_in(&pulled.revision).to_owned()))
    }

    /// Builds what a HelmChart says. `field` is where it names its source.
    async fn built(
        &self,
        mut chart: HelmChart,
        field: &'static str,
        known: &Known<'_>,
    ) -> Result<(Chart, String), Failure> {
        let key = key_of(&chart);
        if chart.metadata.generation.is_none() {
            let live = known.generation(&key).await?;
            chart.metadata.generation = Some(live.unwrap_or(1));
        }
        let source = &chart.spec.source_ref;
        let of = (key.0, source.name.clone());
        let subject = subject(&source.kind.to_string(), &of);
        let origin = match source.kind {
            ChartSourceKind::HelmRepository => {
                if let Some(path) = self.locals.source("HelmRepository", &of) {
                    let path = archive::choose(path, &chart.spec.chart, chart.spec.version())?;
                    return self.local(chart, &path, known).await;
                }
                match known.helm(&of).await? {
                    None => return Err(missing(field, subject, known)),
                    Some(_) if known.is_offline() => return Err(Failure::Offline { subject }),
                    Some(repository) => Origin::Repository(repository),
                }
            }
            ChartSourceKind::GitRepository => {
                let (loaded, is_local) = self.files(&of, field, subject, known).await?;
                if is_local {
                    // What lies here has no revision.
                    chart.spec.reconcile_strategy = Some(ReconcileStrategy::ChartVersion);
                }
                Origin::Files(loaded)
            }
            _ => return Err(Failure::Kind(source.kind.to_string())),
        };
        build(&chart, origin, known).await
    }

    /// Returns the files of a GitRepository, and whether they are those of this machine.
    async fn files(
        &self,
        key: &Key,
        field: &'static str,
        subject: String,
        known: &Known<'_>,
    ) -> Result<(Arc<Loaded>, bool), Failure> {
        if let Some(path) = self.locals.source("GitRepository", key) {
            return Ok((folder(path)?, true));
        }
        let found = known.git(key).await?;
        let Some(repository) = found else {
            return Err(missing(field, subject, known));
        };
        if let Some(fetched) = self.fetched {
            let artifact = fetched.get(key).ok_or(Failure::Waiting(subject))?;
            return Ok((loaded(artifact), false));
        }
        let near = self
            .near
            .and_then(|near| checkout::of(near, &repository.spec.url));
        if let Some(root) = near {
            output::note(&format!("note: {subject} is taken from {}", root.display()));
            return Ok((folder(&root)?, true));
        }
        if known.is_offline() {
            return Err(Failure::Offline { subject });
        }
        Ok((self.fetch(key, &repository, subject, known).await?, false))
    }

    async fn fetch(
        &self,
        key: &Key,
        repository: &GitRepository,
        subject: String,
        known: &Known<'_>,
    ) -> Result<Arc<Loaded>, Failure> {
        let place = Place::new(&key.0, &key.1);
        let secrets = Secrets::read(known, &place, &repository.spec).await;
        let request = request::request(&repository.spec, &secrets, Reach::Local);
        let request = request.map_err(|source| Failure::Request {
            subject: subject.clone(),
            source: Box::new(source),
        })?;
        match self.git.fetch(&request, None).await {
            Ok(Fetched::New(artifact)) => Ok(loaded(&artifact)),
            Ok(Fetched::Unchanged) => Err(Failure::Waiting(subject)),
            Err(source) => Err(Failure::Fetch {
                subject,
                source: Box::new(source),
            }),
        }
    }

    /// Builds the chart that lies at `path`: a folder or an archive.
    async fn local(
        &self,
        mut chart: HelmChart,
        path: &Path,
        known: &Known<'_>,
    ) -> Result<(Chart, String), Failure> {
        chart.metadata.generation = chart.metadata.generation.or(Some(1));
        chart.spec.reconcile_strategy = Some(ReconcileStrategy::ChartVersion);
        // There is nobody who would have signed it.
        chart.spec.verify = None;
        let path = archive::open(path)?;
        if path.is_file() {
            let packed = Origin::Packed(archive::read(&path)?);
            return build(&chart, packed, known).await;
        }
        let mut above = path.ancestors();
        let root = above.find(|folder| folder.join(".git").exists());
        let root = root.unwrap_or(&path).to_owned();
        let inside = path.strip_prefix(&root).unwrap_or(Path::new(""));
        let inside = inside.display().to_string();
        if chart.spec.source_ref.kind == ChartSourceKind::HelmRepository {
            for file in &mut chart.spec.values_files {
                *file = Path::new(&inside).join(&*file).display().to_string();
            }
        }
        chart.spec.chart = format!("./{inside}");
        build(&chart, Origin::Files(folder(&root)?), known).await
    }
}

async fn build(
    chart: &HelmChart,
    origin: Origin,
    known: &Known<'_>,
) -> Result<(Chart, String), Failure> {
    let subject = || subject(HelmChart::KIND, &key_of(chart));
    let built = helmchart::build(chart, origin, known).await;
    let Built { content, .. } = built.map_err(|source| Failure::Build {
        subject: subject(),
        source: Box::new(source),
    })?;
    let chart = Chart::read(content, None).map_err(|source| Failure::Chart {
        subject: subject(),
        source: Box::new(source),
    })?;
    Ok((chart, String::new()))
}

/// Stands for the HelmChart of a chart that nobody describes.
fn stand_in(namespace: &str) -> HelmChart {
    let source = ChartSourceReference::new(ChartSourceKind::HelmRepository, "local");
    let spec = HelmChartSpec::new(".", source, HelmRepositorySpec::DEFAULT_INTERVAL);
    HelmChart::new(namespace, "local", spec)
}

fn folder(path: &Path) -> Result<Arc<Loaded>, Failure> {
    let path: PathBuf = archive::open(path)?;
    let tree = DirTree::open(&path, ARCHIVE_MAX_BYTES).map_err(|source| Failure::Local {
        path: path.display().to_string(),
        source,
    })?;
    Ok(Arc::new(Loaded {
        revision: "local".to_owned(),
        digest: String::new(),
        revision_time: 0,
        tree: Arc::new(tree),
    }))
}

fn loaded(artifact: &Artifact) -> Arc<Loaded> {
    Arc::new(Loaded {
        revision: artifact.revision.to_string(),
        digest: String::new(),
        revision_time: u64::try_from(artifact.commit_seconds).unwrap_or_default(),
        tree: Arc::new(artifact.tree.clone()),
    })
}

fn key_of(chart: &HelmChart) -> Key {
    let metadata = &chart.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&metadata.namespace), text(&metadata.name))
}

fn subject(kind: &str, (namespace, name): &Key) -> String {
    format!("{kind}/{namespace}/{name}")
}

fn missing(field: &'static str, subject: String, known: &Known<'_>) -> Failure {
    Failure::Missing {
        field,
        subject,
        asked: known.cluster().is_some(),
    }
}
