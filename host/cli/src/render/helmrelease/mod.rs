//! `bulkhead render helmrelease FILE`: what the controller would store and apply for HelmReleases.
//!
//! In: the objects of files, charts of this machine or fetched, a cluster if flags name one. Out: CRDs,
//! manifests and hooks on standard output. Nothing is written.

mod print;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow};
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_controllers::catalogue::{Catalogue, Entry, Installed};
use bulkhead_controllers::helmrelease::HELM;
use bulkhead_source::Store;
use bulkhead_wasm::{Host, Limits};

use crate::args::{HelmReleaseArguments, OutputFormat};
use crate::output::{self, CliError, Progress};
use crate::release::{Charts, Failure, Known, Live, Locals, Releases, Scratch};
use crate::resources::Resources;
use crate::{cluster, plugins, sync};

/// Renders and prints.
pub(crate) async fn helmrelease(arguments: HelmReleaseArguments) -> Result<(), CliError> {
    let wanted = Resources::read_releases(std::slice::from_ref(&arguments.file))?.releases;
    if wanted.is_empty() {
        let error = anyhow!("found no HelmRelease in {}", arguments.file.display());
        return Err(
            CliError::from(error).hint("what others refer to comes behind it: `FILE MORE…`")
        );
    }
    let mut paths = vec![arguments.file.clone()];
    paths.extend(arguments.more.iter().cloned());
    let files = Resources::read_releases(&paths)?;
    let warnings = files.warnings.iter();
    warnings.for_each(|warning| output::note(&format!("warning: {warning}")));
    let locals = Locals::parse(arguments.chart.as_deref(), &arguments.local_sources)?;

    let live = live(&arguments).await?;
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let cache = cache
        .context("found no folder to keep fetched sources in")
        .map_err(|error| CliError::from(error).hint("name one with `--cache-dir`, or set $HOME"))?;
    let host = plugins::host(Some(&cache))?;
    let catalogue = catalogue(&host, &files, &arguments).await?;
    let git = Store::open(cache.join("git"))?;
    let scratch = Scratch::make().context("failed to make a folder for what is fetched")?;
    let had = Mutex::new(HashMap::new());
    let known = Known::new(&files, live.as_ref(), scratch.archives.clone());
    let known = known.offline(arguments.offline);
    let charts = Charts {
        locals: &locals,
        near: Some(&arguments.file),
        git: &git,
        fetched: None,
        had: &had,
    };
    let releases = Releases {
        known: &known,
        charts: &charts,
        catalogue: &catalogue,
        kube_version: arguments.kube_version.clone(),
        api_versions: arguments.api_versions.clone(),
        now: arguments.time.unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    };
    let mut all = Vec::new();
    for object in wanted.values() {
        let name = format!("{}/{}", object.own_namespace(), name_of(object));
        if object.spec.suspend {
            output::note(&format!(
                "note: HelmRelease {name} is suspended: the controller leaves it alone"
            ));
        }
        let progress = Progress::start(&format!("rendering {name}"));
        let rendered = releases.render(object).await;
        drop(progress);
        let rendered = rendered.map_err(|failure| told(&name, failure))?;
        let documents = print::documents(object, rendered, &arguments);
        all.extend(documents.map_err(|failure| told(&name, failure))?);
    }
    let text = match arguments.output {
        OutputFormat::Text => print::text(&all),
        OutputFormat::Json => print::json(&all)?,
    };
    Ok(output::data(&text)?)
}

fn name_of(object: &HelmRelease) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

fn told(name: &str, failure: Failure) -> CliError {
    let hint = failure.advice().hint;
    let error = anyhow::Error::new(failure).context(format!("failed to render HelmRelease {name}"));
    CliError {
        hint,
        ..CliError::from(error)
    }
}

async fn live(arguments: &HelmReleaseArguments) -> Result<Option<Live>, CliError> {
    if arguments.kubeconfig.is_none() && arguments.context.is_none() {
        return Ok(None);
    }
    let (path, context) = (
        arguments.kubeconfig.as_deref(),
        arguments.context.as_deref(),
    );
    let config = cluster::config(path, context).await?;
    Live::connect(config).await.map(Some)
}

/// Loads the plugins that releases may be made by: those of the binary, and those of the files.
async fn catalogue(
    host: &Host,
    files: &Resources,
    arguments: &HelmReleaseArguments,
) -> Result<Catalogue, CliError> {
    let mut built_in = Vec::new();
    for name in [HELM, bulkhead_controllers::applier::face::KUSTOMIZE] {
        let plugin = plugins::built_in(host, name).await?;
        let installed = Installed::built_in(name, plugin, None, Limits::renderer());
        built_in.push(Arc::new(installed));
    }
    let catalogue = Catalogue::new(built_in, |_| {});
    for (place, spec) in &files.plugins {
        let loaded = sync::load_plugin(host, &arguments.registry, place, spec).await?;
        catalogue.put(&place.0, &place.1, Entry::Ready(Arc::new(loaded)));
    }
    Ok(catalogue)
}
