//! What has to be applied to a cluster to run Bulkhead there: definitions, permissions, one
//! Deployment and its Services. In go a few options, out come objects; nothing is sent anywhere.
//!
//! Labels and names are those that the upstream `flux` command looks for (`flux check`,
//! `flux version`, `flux logs`, `flux uninstall`), and the Services have the names that other
//! controllers call: artifacts at `source-controller`, events at `notification-controller`.

mod rbac;
mod workload;
mod yaml;

use bulkhead_api::names::label;
use serde_json::{Value, json};

pub(crate) use self::yaml::to_yaml;

/// Name of the Deployment, its ServiceAccount and its label `app`.
const NAME: &str = "bulkhead";

/// Image that is run when none is named.
pub(crate) const DEFAULT_IMAGE: &str =
    concat!("ghcr.io/bulkhead-dev/bulkhead:v", env!("CARGO_PKG_VERSION"));

/// Namespace to run in when none is named.
pub(crate) const DEFAULT_NAMESPACE: &str = "flux-system";

/// What differs between installations; made by [`InstallOptions::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstallOptions {
    namespace: String,
    image: String,
}

/// Says why nothing can be printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// The image has no tag; `flux version` refuses an installation whose image has none.
    #[error("image `{0}` has no tag")]
    Tag(String),
    /// The namespace is no DNS label.
    #[error(
        "namespace `{0}` is not 1 to 63 of `a-z`, `0-9` and `-`, with `-` neither first nor last"
    )]
    Namespace(String),
    /// The objects could not be written as YAML.
    #[error("failed to write the manifests as YAML")]
    Yaml(#[source] serde_saphyr::ser::Error),
}

impl InstallError {
    /// Returns what the user can do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Tag(image) => {
                let name = image.split('@').next().unwrap_or(image);
                Some(format!(
                    "name a version, as in `{name}:v{}`",
                    env!("CARGO_PKG_VERSION")
                ))
            }
            Self::Namespace(_) => Some("correct `--namespace`".to_owned()),
            Self::Yaml(_) => None,
        }
    }
}

impl InstallOptions {
    /// Checks the two values; a digest may follow the image's tag.
    ///
    /// # Errors
    /// [`InstallError::Namespace`] and [`InstallError::Tag`].
    pub(crate) fn new(namespace: &str, image: &str) -> Result<Self, InstallError> {
        let is_label = |text: &str| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=63).contains(&text.len())
                && text.bytes().all(allowed)
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        if !is_label(namespace) {
            return Err(InstallError::Namespace(namespace.to_owned()));
        }
        let name = image.split('@').next().unwrap_or(image);
        let last = name.rsplit('/').next().unwrap_or(name);
        match last.split_once(':') {
            Some((name, tag)) if !name.is_empty() && !tag.is_empty() => {}
            _ => return Err(InstallError::Tag(image.to_owned())),
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            image: image.to_owned(),
        })
    }
}

impl Default for InstallOptions {
    fn default() -> Self {
        Self {
            namespace: DEFAULT_NAMESPACE.to_owned(),
            image: DEFAULT_IMAGE.to_owned(),
        }
    }
}

/// Returns the objects to apply, in an order in which each finds what it needs.
pub(crate) fn manifests(options: &InstallOptions) -> Vec<Value> {
    let mut objects = vec![
        workload::namespace(options),
        workload::critical_pods(options),
    ];
    objects.extend(bulkhead_api::crd::all());
    objects.extend(rbac::objects(options));
    objects.extend(workload::services(options));
    objects.push(workload::deployment(options));
    objects.extend(workload::network_policies(options));
    for object in &mut objects {
        set_labels(object, options);
    }
    objects
}

/// Sets the labels by which the parts of an installation are found.
fn set_labels(object: &mut Value, options: &InstallOptions) {
    let labels = &mut object["metadata"]["labels"];
    labels[label::INSTANCE] = json!(options.namespace);
    labels[label::PART_OF] = json!(label::PART_OF_FLUX);
    labels[label::VERSION] = json!(concat!("v", env!("CARGO_PKG_VERSION")));
}

#[cfg(test)]
mod tests;
