//! Who uses which names. Pure.

use std::collections::{BTreeSet, HashMap};

use super::Scope;
use crate::queue::Key;

/// An object that uses plugins by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// Its kind: `Kustomization`.
    pub kind: &'static str,
    /// Its namespace and name.
    pub key: Key,
}

impl User {
    /// Names an object.
    pub fn new(kind: &'static str, key: &Key) -> Self {
        Self {
            kind,
            key: key.clone(),
        }
    }
}

/// Users by name, and names by user.
#[derive(Debug, Default)]
pub(super) struct Uses {
    names: HashMap<User, BTreeSet<String>>,
    users: HashMap<String, BTreeSet<User>>,
}

impl Uses {
    pub(super) fn set(&mut self, user: &User, names: BTreeSet<String>) {
        let before = match names.is_empty() {
            true => self.names.remove(user),
            false => self.names.insert(user.clone(), names.clone()),
        };
        for gone in before.unwrap_or_default().difference(&names) {
            if let Some(users) = self.users.get_mut(gone) {
                users.remove(user);
                if users.is_empty() {
                    self.users.remove(gone);
                }
            }
        }
        for name in names {
            self.users.entry(name).or_default().insert(user.clone());
        }
    }

    /// Returns who uses `name` and can see `scope`, sorted.
    pub(super) fn of(&self, scope: &Scope, name: &str) -> Vec<User> {
        let sees = |user: &User| match scope {
            Scope::Namespace(namespace) => **namespace == *user.key.namespace,
            Scope::Cluster | Scope::BuiltIn => true,
        };
        let users = self.users.get(name).into_iter().flatten();
        users.filter(|user| sees(user)).cloned().collect()
    }
}
