//! Which object: a Kustomization or a Delivery, by name.

use std::fmt;

use bulkhead_api::delivery::Delivery;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::names::label;
use bulkhead_apply::Owner;

use crate::catalogue::User;
use crate::queue::Key;

/// The kinds that render and apply: two faces of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Face {
    /// Flux's kind.
    Kustomization,
    /// Ours.
    Delivery,
}

impl Face {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Kustomization, Self::Delivery];

    /// Returns the kind, as in manifests.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Kustomization => Kustomization::KIND,
            Self::Delivery => Delivery::KIND,
        }
    }

    /// Returns the label that all objects of this kind's carry: the name of their owner.
    pub fn owner_label(self) -> &'static str {
        match self {
            Self::Kustomization => label::KUSTOMIZATION_NAME,
            Self::Delivery => label::DELIVERY_NAME,
        }
    }

    /// Returns the label with the namespace of their owner.
    pub fn owner_namespace_label(self) -> &'static str {
        match self {
            Self::Kustomization => label::KUSTOMIZATION_NAMESPACE,
            Self::Delivery => label::DELIVERY_NAMESPACE,
        }
    }
}

/// Names an object that renders and applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Its kind.
    pub face: Face,
    /// Its namespace and name.
    pub key: Key,
}

impl Name {
    /// Names a Kustomization.
    pub fn kustomization(key: Key) -> Self {
        Self {
            face: Face::Kustomization,
            key,
        }
    }

    /// Names a Delivery.
    pub fn delivery(key: Key) -> Self {
        Self {
            face: Face::Delivery,
            key,
        }
    }

    /// Returns how its objects are marked.
    pub fn owner(&self) -> Owner {
        let Key { namespace, name } = &self.key;
        match self.face {
            Face::Kustomization => Owner::kustomization(name, namespace),
            Face::Delivery => Owner::delivery(name, namespace),
        }
    }

    /// Names it as a user of plugins.
    pub fn user(&self) -> User {
        User::new(self.face.kind(), &self.key)
    }

    /// Names the user of plugins, if it is one that renders and applies.
    pub fn of_user(user: &User) -> Option<Self> {
        let face = Face::ALL
            .into_iter()
            .find(|face| face.kind() == user.kind)?;
        Some(Self {
            face,
            key: user.key.clone(),
        })
    }
}

/// Flux's words name a Kustomization without its kind.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.face {
            Face::Kustomization => write!(f, "{}", self.key),
            Face::Delivery => write!(f, "Delivery/{}", self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_plugins_come_back_as_names() {
        let key = Key::new("a", "b");
        for name in [
            Name::kustomization(key.clone()),
            Name::delivery(key.clone()),
        ] {
            assert_eq!(Name::of_user(&name.user()), Some(name));
        }
        assert_eq!(Name::of_user(&User::new("Provider", &key)), None);
    }

    #[test]
    fn objects_of_the_two_kinds_are_told_apart_by_their_labels() {
        let key = Key::new("a", "b");
        for name in [Name::kustomization(key.clone()), Name::delivery(key)] {
            let labels = name.owner().labels().map(|(label, _)| label);
            let face = name.face;
            assert_eq!(labels, [face.owner_label(), face.owner_namespace_label()]);
        }
    }
}
