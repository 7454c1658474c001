//! Labels and annotations.

use crate::error::Outcome;
use crate::fieldspec::{self, FieldSpec};
use crate::kustomization::Texts;
use crate::node::{Kind, Node, Tag};
use crate::resmap::ResMap;
use crate::world::World;

/// Sets every entry of `texts` in the mappings that the specifications name. One node of a text is
/// shared by all places of an object, as upstream shares it.
pub(super) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    texts: &Texts,
    specs: &[FieldSpec],
) -> Outcome<()> {
    let create = Some((Kind::Mapping, Tag::Map));
    for resource in &mut map.list {
        let Some(object) = resource.node else {
            continue;
        };
        resource.touch();
        for (key, text) in texts {
            let tree = &mut world.tree;
            let value = tree.add(Node {
                tag: Tag::Str,
                ..Node::scalar(text)
            });
            let mut set = |tree: &mut crate::node::Tree, at| tree.set_field(at, key, Some(value));
            fieldspec::apply_all(tree, object, specs, &create, &mut set)?;
        }
    }
    Ok(())
}
