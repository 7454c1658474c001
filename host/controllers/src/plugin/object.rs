//! What Plugin and ClusterPlugin have in common, and where they differ.

use bulkhead_api::plugin::{ClusterPlugin, Plugin, PluginSpec, PluginStatus};

use super::vault::Owner;
use crate::catalogue::Scope;
use crate::context::Context;
use crate::kind::Kind;
use crate::queue::{Key, Queue};
use crate::watch::Store;

/// A kind that installs plugins.
pub trait PluginObject: Kind<Status = PluginStatus> {
    /// Whether it may let notifiers into private networks: what a tenant may not.
    const GRANTS_PRIVATE_NETWORKS: bool;
    /// Word by which `kubectl` names it.
    const WORD: &'static str;

    /// Returns what to install.
    fn spec(&self) -> &PluginSpec;
    /// Returns whose plugin the object `key` installs.
    fn scope(key: &Key) -> Scope;
    /// Returns the namespace of its Secrets.
    fn namespace_of_secrets<'a>(key: &'a Key, context: &'a Context) -> &'a str;
    /// Returns all objects of the kind.
    fn store(context: &Context) -> &Store<Self>;
    /// Returns the queue of the kind.
    fn queue(context: &Context) -> &Queue;

    /// Names what is kept for the object `key`.
    fn owner(key: &Key) -> Owner {
        Owner {
            scope: Self::scope(key),
            name: key.name.to_string(),
        }
    }
}

impl PluginObject for Plugin {
    const GRANTS_PRIVATE_NETWORKS: bool = false;
    const WORD: &'static str = "plugin";

    fn spec(&self) -> &PluginSpec {
        &self.spec
    }
    fn scope(key: &Key) -> Scope {
        Scope::Namespace(key.namespace.to_string())
    }
    fn namespace_of_secrets<'a>(key: &'a Key, _: &'a Context) -> &'a str {
        &key.namespace
    }
    fn store(context: &Context) -> &Store<Self> {
        &context.plugins.namespaced
    }
    fn queue(context: &Context) -> &Queue {
        &context.plugins.namespaced_queue
    }
}

impl PluginObject for ClusterPlugin {
    const GRANTS_PRIVATE_NETWORKS: bool = true;
    const WORD: &'static str = "clusterplugin";

    fn spec(&self) -> &PluginSpec {
        &self.spec
    }
    fn scope(_: &Key) -> Scope {
        Scope::Cluster
    }
    fn namespace_of_secrets<'a>(_: &'a Key, context: &'a Context) -> &'a str {
        &context.settings.own_namespace
    }
    fn store(context: &Context) -> &Store<Self> {
        &context.plugins.cluster
    }
    fn queue(context: &Context) -> &Queue {
        &context.plugins.cluster_queue
    }
}
