//! Prefixes and suffixes of names.

use crate::error::Outcome;
use crate::fieldspec::{self, FieldSpec};
use crate::node::{Kind, Node, Tag, Tree};
use crate::resid::ResId;
use crate::resmap::ResMap;
use crate::resource::{self, mark};
use crate::world::World;

/// What is put before or behind a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Affix<'a> {
    Prefix(&'a str),
    Suffix(&'a str),
}

impl Affix<'_> {
    fn text(self) -> &'static str {
        match self {
            Self::Prefix(_) => mark::PREFIXES,
            Self::Suffix(_) => mark::SUFFIXES,
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Prefix(text) | Self::Suffix(text) => text,
        }
    }

    fn on(self, name: &str) -> String {
        match self {
            Self::Prefix(prefix) => format!("{prefix}{name}"),
            Self::Suffix(suffix) => format!("{name}{suffix}"),
        }
    }
}

/// Kinds whose names mean something elsewhere.
fn is_skipped(id: &ResId) -> bool {
    match &*id.gvk.kind {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => &*id.gvk.group == "apiregistration.k8s.io",
        _ => false,
    }
}

/// Changes the fields that the specifications name, and remembers the names as they were.
pub(super) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    affix: Affix<'_>,
    specs: &[FieldSpec],
) -> Outcome<()> {
    let create = Some((Kind::Scalar, Tag::Str));
    for resource in &mut map.list {
        let Some(object) = resource.node else {
            continue;
        };
        let first = resource.ids(&world.tree, &world.schemas).first().clone();
        if is_skipped(&first) {
            continue;
        }
        for spec in specs.iter().filter(|spec| spec.selects(&first.gvk)) {
            if spec.path == "metadata/name" {
                let now = resource.ids(&world.tree, &world.schemas).now.clone();
                resource::append_mark(&mut world.tree, object, affix.text(), affix.value())?;
                if !affix.value().is_empty() {
                    resource::store_id(&mut world.tree, object, &now)?;
                }
            }
            resource.touch();
            let mut set = |tree: &mut Tree, at| {
                let text = affix.on(&tree[at].value);
                let value = tree.add(Node::scalar(&text));
                tree.set_field(at, "", Some(value))
            };
            fieldspec::apply(&mut world.tree, object, spec, &create, &mut set)?;
        }
    }
    Ok(())
}
