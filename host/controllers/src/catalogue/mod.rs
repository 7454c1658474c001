//! Which plugin a name means: the namespace's own first, then the cluster's, then what is built in.
//!
//! The plugin controller puts in what it verified, compiled and got approved; whoever renders or
//! notifies takes it out by name, and is woken when the name means something else than before. A
//! plugin that is installed and not ready hides those behind it: nobody gets the built-in one since
//! its replacement failed.

mod error;
mod lookup;
mod uses;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_wasm::{FileRules, Limits, Manifest, Plugin, PluginKind};

pub use error::CatalogueError;
pub use lookup::ClusterLookup;
pub use uses::User;
use uses::Uses;

/// Whose a plugin is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Installed by a `Plugin` in this namespace, for this namespace.
    Namespace(String),
    /// Installed by a `ClusterPlugin`, for all namespaces.
    Cluster,
    /// Part of the binary.
    BuiltIn,
}

/// What a plugin may do: what it asks for, as far as it was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Files of the source that a renderer sees; all by default.
    pub files: FileRules,
    /// Names of inputs that a renderer is given; all when absent.
    pub inputs: Option<BTreeSet<String>>,
    /// Hosts that a notifier may send to beside that of the provider's address.
    pub http: Vec<String>,
    /// Names of secrets that a notifier may use beside `address`; all when absent.
    pub secrets: Option<BTreeSet<String>>,
    /// A renderer may look up objects of the cluster, under the identity of the tenant.
    pub lookup: bool,
    /// A notifier may send to private networks.
    pub private_networks: bool,
}

/// A plugin that is ready to run.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Name that it is installed under.
    pub name: String,
    /// Whose it is.
    pub scope: Scope,
    /// The plugin; its digest is that of the component, and what a render depends on.
    pub plugin: Plugin,
    /// What it says about itself; checks the configuration of its users.
    pub manifest: Option<Manifest>,
    /// Image by tag and digest; none for what is built in.
    pub image: Option<String>,
    /// What it may do.
    pub permissions: Permissions,
    /// What one call may take.
    pub limits: Limits,
}

impl Installed {
    /// Installs a plugin of the binary: it may do what its kind may, but look things up in the cluster.
    /// Without a manifest, the one of its component counts.
    pub fn built_in(
        name: &str,
        plugin: Plugin,
        manifest: Option<Manifest>,
        limits: Limits,
    ) -> Self {
        // One that cannot be read is found by a test of the binary.
        let manifest = manifest.or_else(|| plugin.embedded_manifest().ok().flatten());
        Self {
            name: name.to_owned(),
            scope: Scope::BuiltIn,
            plugin,
            manifest,
            image: None,
            permissions: Permissions::default(),
            limits,
        }
    }

    /// Tells whether a user of `other` would notice the difference.
    fn is_same(&self, other: &Self) -> bool {
        self.plugin.digest() == other.plugin.digest()
            && self.plugin.id() == other.plugin.id()
            && self.permissions == other.permissions
            && self.limits == other.limits
            && self.scope == other.scope
    }
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Entry {
    /// It runs.
    Ready(Arc<Installed>),
    /// It is installed, and does not run.
    NotReady {
        /// Reason of its Ready condition.
        reason: String,
        /// Message of its Ready condition.
        message: String,
    },
}

impl Entry {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ready(one), Self::Ready(other)) => one.is_same(other),
            (Self::NotReady { reason: one, .. }, Self::NotReady { reason: other, .. }) => {
                one == other
            }
            _ => false,
        }
    }
}

type Wake = Box<dyn Fn(&User) + Send + Sync>;

/// The plugins of an installation by name. Shared behind an `Arc`.
pub struct Catalogue {
    inner: Mutex<Inner>,
    wake: Wake,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<(Scope, String), Entry>,
    uses: Uses,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.lock().entries.keys().cloned().collect();
        f.debug_struct("Catalogue")
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

impl Catalogue {
    /// Makes a catalogue of what is built in. `wake` hears of each user whose plugin is another than
    /// before; it must not wait, nor call the catalogue.
    pub fn new(
        built_in: impl IntoIterator<Item = Arc<Installed>>,
        wake: impl Fn(&User) + Send + Sync + 'static,
    ) -> Self {
        let entries = built_in
            .into_iter()
            .map(|installed| {
                let name = installed.name.clone();
                ((Scope::BuiltIn, name), Entry::Ready(installed))
            })
            .collect();
        let uses = Uses::default();
        Self {
            inner: Mutex::new(Inner { entries, uses }),
            wake: Box::new(wake),
        }
    }

    /// Returns the plugin that `name` means in `namespace`.
    ///
    /// # Errors
    /// [`CatalogueError`]: nothing has the name, or what has it is not ready, or is of another kind.
    pub fn find(
        &self,
        namespace: &str,
        name: &str,
        kind: PluginKind,
    ) -> Result<Arc<Installed>, CatalogueError> {
        self.find_among(&Scope::seen_from(namespace), namespace, name, kind)
    }

    /// The same, looked for in these scopes alone, in order.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_among(
        &self,
        scopes: &[Scope],
        namespace: &str,
        name: &str,
        kind: PluginKind,
    ) -> Result<Arc<Installed>, CatalogueError> {
        let inner = self.lock();
        let Some((scope, entry)) = inner.entry(scopes, name) else {
            return Err(CatalogueError::NotFound {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                installed: inner.names(namespace, kind),
            });
        };
        match entry {
            Entry::Ready(installed) if installed.plugin.kind() == kind => Ok(installed.clone()),
            Entry::Ready(installed) => Err(CatalogueError::OtherKind {
                plugin: scope.object(name),
                found: installed.plugin.kind(),
                wanted: kind,
            }),
            Entry::NotReady { reason, message } => Err(CatalogueError::NotReady {
                plugin: scope.object(name),
                reason: reason.clone(),
                message: message.clone(),
            }),
        }
    }

    /// Returns the names of the plugins of `kind` that `namespace` can use, sorted.
    pub fn names(&self, namespace: &str, kind: PluginKind) -> Vec<String> {
        self.lock().names(namespace, kind)
    }

    /// Returns the entry of exactly this scope.
    pub fn entry(&self, scope: &Scope, name: &str) -> Option<Entry> {
        let key = (scope.clone(), name.to_owned());
        self.lock().entries.get(&key).cloned()
    }

    /// Notes which names `user` uses, in its own namespace, in the place of those noted before; no
    /// name forgets it. Call it before [`find`](Self::find), or a change in between is missed.
    pub fn set_uses(&self, user: &User, names: impl IntoIterator<Item = String>) {
        self.lock().uses.set(user, names.into_iter().collect());
    }

    /// Puts an entry in, in the place of the one before, and wakes those who use it.
    pub fn put(&self, scope: &Scope, name: &str, entry: Entry) {
        self.change(scope, name, Some(entry));
    }

    /// Takes an entry out, and wakes those who use it.
    pub fn remove(&self, scope: &Scope, name: &str) {
        self.change(scope, name, None);
    }

    fn change(&self, scope: &Scope, name: &str, entry: Option<Entry>) {
        let affected = {
            let mut inner = self.lock();
            let key = (scope.clone(), name.to_owned());
            let is_same = match (inner.entries.get(&key), &entry) {
                (Some(before), Some(now)) => before.is_same(now),
                (None, None) => true,
                _ => false,
            };
            match entry {
                Some(entry) => inner.entries.insert(key, entry),
                None => inner.entries.remove(&key),
            };
            if is_same {
                return;
            }
            inner.uses.of(scope, name)
        };
        for user in &affected {
            (self.wake)(user);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn entry<'a>(&self, scopes: &'a [Scope], name: &str) -> Option<(&'a Scope, &Entry)> {
        scopes.iter().find_map(|scope| {
            let entry = self.entries.get(&(scope.clone(), name.to_owned()))?;
            Some((scope, entry))
        })
    }

    fn names(&self, namespace: &str, kind: PluginKind) -> Vec<String> {
        let scopes = Scope::seen_from(namespace);
        let is_seen = |scope: &Scope| scopes.contains(scope);
        let is_of_kind = |entry: &Entry| match entry {
            Entry::Ready(installed) => installed.plugin.kind() == kind,
            Entry::NotReady { .. } => false,
        };
        let names: BTreeSet<String> = self
            .entries
            .iter()
            .filter(|((scope, _), entry)| is_seen(scope) && is_of_kind(entry))
            .map(|((_, name), _)| name.clone())
            .collect();
        names.into_iter().collect()
    }
}

impl Scope {
    /// The scopes that a name is looked for in, in order.
    fn seen_from(namespace: &str) -> [Self; 3] {
        [
            Self::Namespace(namespace.to_owned()),
            Self::Cluster,
            Self::BuiltIn,
        ]
    }

    /// Names who pays for what is compiled: a namespace; what the cluster's own people install costs
    /// nobody.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Namespace(namespace) => Some(namespace),
            Self::Cluster | Self::BuiltIn => None,
        }
    }

    /// Names the object that installs a plugin, for people.
    pub fn object(&self, name: &str) -> String {
        match self {
            Self::Namespace(namespace) => format!("Plugin `{namespace}/{name}`"),
            Self::Cluster => format!("ClusterPlugin `{name}`"),
            Self::BuiltIn => format!("built-in plugin `{name}`"),
        }
    }
}

#[cfg(test)]
mod tests;
