//! Replica counts.

use crate::error::{Outcome, fail, go_list};
use crate::fieldspec::{self, FieldSpec};
use crate::kustomization::Replica;
use crate::node::{Kind, Node, Tag, Tree};
use crate::resmap::ResMap;
use crate::world::World;

/// Sets the count on every object of the name and of a kind that the specifications name.
///
/// # Errors
/// There is no such object.
pub(super) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    replica: &Replica,
    specs: &[FieldSpec],
) -> Outcome<()> {
    let mut found = false;
    for spec in specs {
        let targets = map.find_any(world, |id| {
            *id.name == *replica.name && spec.selects(&id.gvk)
        });
        found |= !targets.is_empty();
        for at in targets {
            let Some(object) = map.list[at].node else {
                continue;
            };
            map.list[at].touch();
            let mut set = |tree: &mut Tree, at| {
                let count = tree.add(Node {
                    tag: Tag::Int,
                    ..Node::scalar(&replica.count.to_string())
                });
                tree.set_field(at, "", Some(count))
            };
            fieldspec::apply(
                &mut world.tree,
                object,
                spec,
                &Some((Kind::Scalar, Tag::Int)),
                &mut set,
            )?;
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|spec| spec.gvk().to_string()).collect();
    Err(fail!(
        TransformFailed,
        "resource with name {} does not match a config with the following GVK {}",
        replica.name,
        go_list(&kinds)
    )
    .in_field("replicas")
    .advise("correct the name: it is the name that the object has in its own file"))
}
