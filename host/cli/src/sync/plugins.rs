//! Installs the Plugins and ClusterPlugins of the files, by reference or from a file beside them:
//! `image: file://plugins/cue.wasm`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use bulkhead_api::plugin::{ClusterPlugin, Plugin, PluginSpec};
use bulkhead_api::{chain, reason};
use bulkhead_controllers::catalogue::{Entry, Installed, Scope};
use bulkhead_controllers::plugin::installed;
use bulkhead_wasm::{Grants, Host};

use super::Engine;
use super::display::Status;
use crate::args::RegistryArguments;
use crate::output::{CliError, Progress};
use crate::plugin::{call, locate};
use crate::resources::Resources;

/// What an image must start with to be a file of this machine.
const FILE: &str = "file://";

/// Whose a plugin is, and its name.
pub(crate) type Place = (Scope, String);

/// What was installed, and from what: it is installed again when that changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    spec: PluginSpec,
    file: Option<(SystemTime, u64)>,
}

impl Made {
    fn of(spec: &PluginSpec) -> Self {
        let metadata = file_of(spec).and_then(|path| std::fs::metadata(path).ok());
        let facts = metadata.and_then(|found| Some((found.modified().ok()?, found.len())));
        Self {
            spec: spec.clone(),
            file: facts,
        }
    }
}

fn file_of(spec: &PluginSpec) -> Option<PathBuf> {
    spec.image.strip_prefix(FILE).map(PathBuf::from)
}

impl Engine {
    /// Installs what is new or has changed, and takes out what is gone. What fails is told, and who
    /// uses it says that it is not ready.
    pub(super) async fn install_plugins(&mut self, resources: &Resources) -> anyhow::Result<()> {
        let gone = self
            .plugins
            .keys()
            .filter(|place| !resources.plugins.contains_key(*place));
        for place in gone.cloned().collect::<Vec<_>>() {
            self.plugins.remove(&place);
            self.plugin_failures.remove(&place);
            self.catalogue.remove(&place.0, &place.1);
        }
        for (place, spec) in &resources.plugins {
            let made = Made::of(spec);
            if self.plugins.get(place) == Some(&made) {
                continue;
            }
            self.plugins.insert(place.clone(), made);
            let entry = match self.install(place, spec).await {
                Ok(entry) => {
                    self.plugin_failures.remove(place);
                    entry
                }
                Err(error) => {
                    let (kind, name) = names(place);
                    let message = format!("{:#}", error.error);
                    let status = Status::Failed {
                        reason: reason::own::PLUGIN_NOT_READY,
                        message: &message,
                        hint: error.hint.as_deref(),
                    };
                    self.display.status(kind, &name, &status)?;
                    self.plugin_failures.insert(place.clone(), message.clone());
                    let reason = reason::own::PLUGIN_NOT_READY.to_owned();
                    Entry::NotReady { reason, message }
                }
            };
            self.catalogue.put(&place.0, &place.1, entry);
            // Who waited for it, or was rendered by another, is due.
            for name in resources.appliers.keys() {
                self.schedule
                    .now(&super::schedule::Task::Applier(name.clone()));
            }
            for key in resources.releases.keys() {
                self.schedule
                    .now(&super::schedule::Task::Release(key.clone()));
            }
        }
        Ok(())
    }

    async fn install(&self, place: &Place, spec: &PluginSpec) -> Result<Entry, CliError> {
        let installed = load(&self.host, &self.registry, place, spec).await?;
        let (kind, shown) = names(place);
        let digest = installed.plugin.digest().to_string();
        let status = Status::Ready { revision: &digest };
        self.display.status(kind, &shown, &status)?;
        Ok(Entry::Ready(Arc::new(installed)))
    }
}

/// Loads a plugin of the files.
pub(crate) async fn load(
    host: &Host,
    registry: &RegistryArguments,
    place: &Place,
    spec: &PluginSpec,
) -> Result<Installed, CliError> {
    refuse_what_is_not_checked(spec)?;
    let (scope, name) = place;
    let progress = Progress::start(&format!("loading plugin {name}"));
    let found = match file_of(spec) {
        Some(path) => locate::file(&path)?,
        None => locate::reference(&spec.image, registry).await?,
    };
    let host = match spec.limits.fuel {
        Some(_) => host.metered()?,
        None => host.clone(),
    };
    let loaded = call::load(&host, &found, Grants::default()).await?;
    drop(progress);
    let parts = (loaded.plugin, loaded.manifest);
    let installed = installed(scope.clone(), name, spec, parts);
    installed.map_err(|error| anyhow!(chain(&error)).into())
}

/// What would have to be checked, and is not here, must not be passed over.
fn refuse_what_is_not_checked(spec: &PluginSpec) -> Result<(), CliError> {
    let fields = [
        (
            spec.verify.is_some(),
            "spec.verify",
            "check the image with `bulkhead plugin verify`, and name its digest",
        ),
        (
            spec.pull_secret_ref.is_some(),
            "spec.pullSecretRef",
            "name a Docker configuration with `--registry-config`",
        ),
        (
            spec.cert_secret_ref.is_some(),
            "spec.certSecretRef",
            "name a file with `--registry-ca`",
        ),
    ];
    match fields.into_iter().find(|(is_set, ..)| *is_set) {
        None => Ok(()),
        Some((_, field, hint)) => {
            Err(CliError::from(anyhow!("`{field}` needs a cluster")).hint(hint))
        }
    }
}

fn names((scope, name): &Place) -> (&'static str, String) {
    match scope {
        Scope::Namespace(namespace) => (Plugin::KIND, format!("{namespace}/{name}")),
        _ => (ClusterPlugin::KIND, name.clone()),
    }
}

/// Makes the path of a `file://` image one that does not depend on where the command is run: it is
/// relative to the file that names it.
pub(crate) fn anchor(spec: &mut PluginSpec, file: &Path) -> anyhow::Result<()> {
    let Some(path) = file_of(spec).filter(|path| path.is_relative()) else {
        return Ok(());
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    let path = folder.join(path);
    let path = path
        .to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    spec.image = format!("{FILE}{path}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn files_are_relative_to_the_file_that_names_them() {
        let anchored = |image: &str| {
            let mut spec = PluginSpec::new(image);
            anchor(&mut spec, Path::new("fleet/plugins.yaml")).unwrap();
            spec.image
        };
        assert_eq!(anchored("file://cue.wasm"), "file://fleet/cue.wasm");
        assert_eq!(anchored("file:///opt/cue.wasm"), "file:///opt/cue.wasm");
        assert_eq!(anchored("example.com/cue:1"), "example.com/cue:1");
    }

    #[test]
    fn what_nobody_would_check_is_refused() {
        let mut spec = PluginSpec::new("example.com/cue:1");
        assert!(refuse_what_is_not_checked(&spec).is_ok());
        spec.verify = Some(Default::default());
        let error = refuse_what_is_not_checked(&spec).unwrap_err();
        assert_eq!(error.error.to_string(), "`spec.verify` needs a cluster");
        assert!(error.hint.unwrap().contains("plugin verify"));
    }
}
