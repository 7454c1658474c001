//! Why a name gives no plugin.

use bulkhead_api::reason::own;
use bulkhead_api::{Advice, Retry};
use bulkhead_wasm::PluginKind;

/// Why a name gives no plugin. Whoever said that it uses the name is woken when that changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Nothing has the name.
    #[error("no plugin `{name}` is installed in namespace `{namespace}` or for the cluster")]
    NotFound {
        /// The name.
        name: String,
        /// The namespace of who asks.
        namespace: String,
        /// Names of plugins of the wanted kind that are there.
        installed: Vec<String>,
    },
    /// What has the name is not ready.
    #[error("{plugin} is not ready: {message}")]
    NotReady {
        /// What has the name.
        plugin: String,
        /// Reason of its Ready condition.
        reason: String,
        /// Message of its Ready condition.
        message: String,
    },
    /// What has the name does something else.
    #[error("{plugin} is a {found}, not a {wanted}")]
    OtherKind {
        /// What has the name.
        plugin: String,
        /// What it is.
        found: PluginKind,
        /// What is needed.
        wanted: PluginKind,
    },
}

impl CatalogueError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::NotFound {
                name, installed, ..
            } => {
                let known = match installed.as_slice() {
                    [] => "none is installed".to_owned(),
                    names => format!("installed are {}", quoted(names)),
                };
                Advice::new(own::PLUGIN_NOT_FOUND, Retry::OnDependency).hint(format!(
                    "create a Plugin or a ClusterPlugin named `{name}`, or correct the name; {known}"
                ))
            }
            Self::NotReady { plugin, .. } => {
                Advice::new(own::PLUGIN_NOT_READY, Retry::OnDependency)
                    .hint(format!("see the conditions of {plugin}"))
            }
            Self::OtherKind { wanted, .. } => {
                Advice::new(own::PLUGIN_INCOMPATIBLE, Retry::OnDependency)
                    .hint(format!("name a plugin that is a {wanted}"))
            }
        }
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
