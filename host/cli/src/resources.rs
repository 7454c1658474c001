//! Reads custom resources from files: what a cluster would hold.
//!
//! Kinds that are not known are noted and left alone; a mistake in one that is known is an error with
//! file and line.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bulkhead_api::crd;
use bulkhead_api::delivery::Delivery;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::names::group;
use bulkhead_api::notification::{Alert, Provider};
use bulkhead_api::plugin::{ClusterPlugin, Plugin, PluginSpec};
use bulkhead_api::source::{GitRepository, HelmChart, HelmRepository, OCIRepository};
use bulkhead_controllers::applier::{Name, Raw};
use bulkhead_controllers::catalogue::Scope;
use serde_json::Value;

use crate::sync::{Place, anchor};

/// Largest file of custom resources, in bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Namespace and name.
pub(crate) type Key = (String, String);
/// Values of a Secret or ConfigMap by key.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

/// Everything that was read.
#[derive(Default)]
pub(crate) struct Resources {
    pub repositories: BTreeMap<Key, Arc<GitRepository>>,
    pub oci_repositories: BTreeMap<Key, Arc<OCIRepository>>,
    pub helm_repositories: BTreeMap<Key, Arc<HelmRepository>>,
    pub helm_charts: BTreeMap<Key, Arc<HelmChart>>,
    pub releases: BTreeMap<Key, Arc<HelmRelease>>,
    /// Kustomizations and Deliveries.
    pub appliers: BTreeMap<Name, Raw>,
    /// Plugins and ClusterPlugins.
    pub plugins: BTreeMap<Place, PluginSpec>,
    pub alerts: BTreeMap<Key, Alert>,
    pub providers: BTreeMap<Key, Provider>,
    pub secrets: BTreeMap<Key, Data>,
    pub config_maps: BTreeMap<Key, Data>,
    /// Names of the pull secrets of ServiceAccounts.
    pub accounts: BTreeMap<Key, Vec<String>>,
    /// What is odd: one line each.
    pub warnings: Vec<String>,
    /// Objects of kinds that are not known: one line each.
    pub unknown: Vec<String>,
    reads: Reads,
}

/// What is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reads {
    /// Everything: what is no object is a mistake.
    #[default]
    All,
    /// What HelmReleases are made of, among whatever else lies in the folders.
    Releases,
}

/// Namespace of resources that name none, as with the upstream command.
const DEFAULT_NAMESPACE: &str = "flux-system";

impl Resources {
    /// Reads files, and the `.yaml`, `.yml` and `.json` files of directories.
    pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        Self::default().read_all(paths)
    }

    /// Reads HelmReleases, and what they are made of: their sources, ConfigMaps, Secrets and plugins.
    /// Whatever else there is, is passed over; in a folder, files too that cannot be read.
    pub(crate) fn read_releases(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let resources = Self {
            reads: Reads::Releases,
            ..Self::default()
        };
        resources.read_all(paths)
    }

    fn read_all(mut self, paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut seen = HashSet::new();
        for path in paths {
            for file in files(path)? {
                let place = file.canonicalize().unwrap_or_else(|_| file.clone());
                if !seen.insert(place) {
                    continue;
                }
                let is_named = file == *path;
                match self.read_file(&file) {
                    Err(error) if self.reads == Reads::Releases && !is_named => {
                        self.unknown.push(format!("passed over: {error:#}"));
                    }
                    read => read?,
                }
            }
        }
        Ok(self)
    }

    fn read_file(&mut self, file: &Path) -> anyhow::Result<()> {
        let name = file.display();
        let size = std::fs::metadata(file)
            .with_context(|| format!("failed to read {name}"))?
            .len();
        if size > MAX_FILE_BYTES {
            bail!("{name} has {size} bytes; at most {MAX_FILE_BYTES} are read");
        }
        let text =
            std::fs::read_to_string(file).with_context(|| format!("failed to read {name}"))?;
        let documents =
            bulkhead_apply::yaml::read(&text).with_context(|| format!("failed to read {name}"))?;
        for document in documents {
            let place = format!("{name}:{}", document.line);
            self.take(document.value, file, &place)?;
        }
        Ok(())
    }

    /// Puts a plugin of `file` in; tells whether it was there.
    fn put_plugin(
        &mut self,
        place: Place,
        mut spec: PluginSpec,
        file: &Path,
    ) -> anyhow::Result<bool> {
        anchor(&mut spec, file)?;
        Ok(self.plugins.insert(place, spec).is_some())
    }

    /// Puts one in; tells whether it was there.
    fn put(&mut self, object: Raw) -> bool {
        self.appliers.insert(object.name(), object).is_some()
    }

    fn take(&mut self, object: Value, file: &Path, place: &str) -> anyhow::Result<()> {
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if kind == "List" {
            let items = object["items"].as_array().cloned().unwrap_or_default();
            return items
                .into_iter()
                .try_for_each(|item| self.take(item, file, place));
        }
        let (api_group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        if self.reads == Reads::Releases && !makes_releases(api_group, &kind) {
            return Ok(());
        }
        let metadata = &object["metadata"];
        let namespace = metadata["namespace"]
            .as_str()
            .unwrap_or(DEFAULT_NAMESPACE)
            .to_owned();
        let Some(name) = metadata["name"].as_str().map(str::to_owned) else {
            bail!("{place}: {kind} has no `metadata.name`");
        };
        let subject = format!("{place}: {kind} {namespace}/{name}");
        let key = (namespace, name);
        let twice = match (api_group, kind.as_str()) {
            (group::SOURCE, "GitRepository") => put(
                &mut self.repositories,
                key,
                object,
                &subject,
                &mut self.warnings,
            )?,
            (group::SOURCE, "OCIRepository") => put(
                &mut self.oci_repositories,
                key,
                object,
                &subject,
                &mut self.warnings,
            )?,
            (group::SOURCE, HelmRepository::KIND) => put(
                &mut self.helm_repositories,
                key,
                object,
                &subject,
                &mut self.warnings,
            )?,
            (group::SOURCE, HelmChart::KIND) => put(
                &mut self.helm_charts,
                key,
                object,
                &subject,
                &mut self.warnings,
            )?,
            (group::HELM, HelmRelease::KIND) => put(
                &mut self.releases,
                key,
                object,
                &subject,
                &mut self.warnings,
            )?,
            (group::KUSTOMIZE, Kustomization::KIND) => {
                let object: Kustomization = typed(object, &subject, &mut self.warnings)?;
                self.put(Raw::Kustomization(Arc::new(object)))
            }
            (group::BULKHEAD, Delivery::KIND) => {
                let object: Delivery = typed(object, &subject, &mut self.warnings)?;
                self.put(Raw::Delivery(Arc::new(object)))
            }
            (group::NOTIFICATION, "Alert") => self
                .alerts
                .insert(key, typed(object, &subject, &mut self.warnings)?)
                .is_some(),
            (group::NOTIFICATION, "Provider") => self
                .providers
                .insert(key, typed(object, &subject, &mut self.warnings)?)
                .is_some(),
            (group::BULKHEAD, Plugin::KIND) => {
                let object: Plugin = typed(object, &subject, &mut self.warnings)?;
                self.put_plugin((Scope::Namespace(key.0), key.1), object.spec, file)?
            }
            (group::BULKHEAD, ClusterPlugin::KIND) => {
                let object: ClusterPlugin = typed(object, &subject, &mut self.warnings)?;
                self.put_plugin((Scope::Cluster, key.1), object.spec, file)?
            }
            ("", "Secret") => self.secrets.insert(key, data(&object, &subject)?).is_some(),
            ("", "ConfigMap") => self
                .config_maps
                .insert(key, data(&object, &subject)?)
                .is_some(),
            ("", "ServiceAccount") => {
                let secrets = object["imagePullSecrets"].as_array().into_iter().flatten();
                let names = secrets.filter_map(|one| one["name"].as_str().map(str::to_owned));
                self.accounts.insert(key, names.collect()).is_some()
            }
            _ => {
                self.unknown.push(format!(
                    "{subject} is left alone: `sync` does not know {api_group}/{version}"
                ));
                false
            }
        };
        if twice {
            bail!("{subject} is there twice");
        }
        Ok(())
    }
}

/// Tells whether HelmReleases may be made of objects of a kind.
fn makes_releases(api_group: &str, kind: &str) -> bool {
    matches!(
        (api_group, kind),
        (group::SOURCE | group::HELM, _)
            | (group::BULKHEAD, "Plugin" | "ClusterPlugin")
            | ("", "Secret" | "ConfigMap" | "ServiceAccount")
    )
}

/// Puts an object in; tells whether it was there.
fn put<T: serde::de::DeserializeOwned>(
    all: &mut BTreeMap<Key, Arc<T>>,
    key: Key,
    object: Value,
    subject: &str,
    warnings: &mut Vec<String>,
) -> anyhow::Result<bool> {
    let object = typed(object, subject, warnings)?;
    Ok(all.insert(key, Arc::new(object)).is_some())
}

/// Reads an object as the API server would: against the schema of its kind first, so that every
/// mistake is named with its field.
fn typed<T: serde::de::DeserializeOwned>(
    mut object: Value,
    subject: &str,
    warnings: &mut Vec<String>,
) -> anyhow::Result<T> {
    let (errors, others): (Vec<_>, Vec<_>) = crd::check(&mut object)
        .into_iter()
        .partition(|violation| violation.is_error());
    warnings.extend(
        others
            .iter()
            .map(|violation| format!("{subject}: {violation}")),
    );
    if !errors.is_empty() {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        bail!("{subject}: {}", errors.join("; "));
    }
    // A status in a file says what was, somewhere else.
    if let Some(object) = object.as_object_mut() {
        object.shift_remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata
                .entry("namespace")
                .or_insert_with(|| DEFAULT_NAMESPACE.into());
        }
    }
    serde_json::from_value(object).with_context(|| subject.to_owned())
}

fn data(object: &Value, subject: &str) -> anyhow::Result<Data> {
    let mut data = Data::new();
    let is_secret = object["kind"] == "Secret";
    for (field, encoded) in [
        ("data", is_secret),
        ("binaryData", true),
        ("stringData", false),
    ] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else {
                bail!("{subject}: `{field}.{key}` is not a text");
            };
            let bytes = if encoded {
                decode(text).with_context(|| format!("{subject}: `{field}.{key}` is not base64"))?
            } else {
                text.as_bytes().to_vec()
            };
            data.insert(key.clone(), bytes);
        }
    }
    Ok(data)
}

fn decode(text: &str) -> anyhow::Result<Vec<u8>> {
    use base64::Engine as _;
    let text: String = text.split_whitespace().collect();
    Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let metadata =
        std::fs::metadata(path).with_context(|| format!("failed to read {}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(path).with_context(|| format!("failed to list {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list {}", path.display()))?;
        let kind = entry.file_type()?;
        let is_manifest = entry.path().extension().is_some_and(|extension| {
            ["yaml", "yml", "json"]
                .iter()
                .any(|known| extension == *known)
        });
        if kind.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            files.extend(self::files(&entry.path())?);
        } else if kind.is_file() && is_manifest {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn read(text: &str) -> anyhow::Result<Resources> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        Resources::read(&[folder.path().to_owned()])
    }

    const KUSTOMIZATION: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {interval: 1m, prune: true, sourceRef: {kind: GitRepository, name: a}}\n";

    #[test]
    fn resources_are_read_by_kind() {
        let text = format!(
            "{KUSTOMIZATION}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: x}}\nstringData: {{token: t}}\ndata: {{user: YQ==}}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: i}}\n"
        );
        let resources = read(&text).unwrap();
        assert!(resources.appliers.contains_key(&Name::kustomization(
            bulkhead_controllers::queue::Key::new("flux-system", "a")
        )));
        let secret = &resources.secrets[&("x".to_owned(), "s".to_owned())];
        assert_eq!(
            (secret["token"].as_slice(), secret["user"].as_slice()),
            (&b"t"[..], &b"a"[..])
        );
        assert_eq!((resources.warnings.len(), resources.unknown.len()), (0, 1));
    }

    #[test]
    fn among_other_files_only_what_makes_releases_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("template.yaml", "a: {{ .Values.a }}\n---\n- b: [\n");
        write("values.yaml", "replicas: 1\n");
        write("kustomization.yaml", "resources: [release.yaml]\n");
        write(
            "release.yaml",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\n\
             spec: {interval: 1m, chartRef: {kind: HelmChart, name: a}, values: {a: null}}\n",
        );
        let named = folder.path().join("release.yaml");
        let paths = [named, folder.path().to_owned()];
        let resources = Resources::read_releases(&paths).unwrap();
        let release = &resources.releases[&("flux-system".to_owned(), "a".to_owned())];
        assert_eq!(release.spec.values()["a"], Value::Null);
        assert_eq!(resources.unknown.len(), 1, "{:?}", resources.unknown);
        assert!(Resources::read(&paths).is_err());
    }

    #[test]
    fn mistakes_name_file_line_and_field() {
        let broken = KUSTOMIZATION.replace("prune: true, ", "");
        let error = format!("{:#}", read(&broken).err().unwrap());
        assert!(
            error.contains("a.yaml:1: Kustomization flux-system/a"),
            "{error}"
        );
        assert!(error.contains("prune"), "{error}");
        let error = format!("{:#}", read("a: [").err().unwrap());
        assert!(
            error.contains("a.yaml") && error.contains("line 1"),
            "{error}"
        );
        let error = format!(
            "{:#}",
            read(&format!("{KUSTOMIZATION}---\n{KUSTOMIZATION}"))
                .err()
                .unwrap()
        );
        assert!(
            error.ends_with("Kustomization flux-system/a is there twice"),
            "{error}"
        );
    }
}
