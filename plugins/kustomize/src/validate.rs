//! Validators: transformers that may only add a label to say that they looked.

use crate::error::{Outcome, fail};
use crate::node::{Id, Tree};
use crate::resmap::ResMap;
use crate::resource;
use crate::transform::Transformer;
use crate::world::World;

/// The label that a validator may set.
const LABEL: &str = "validated-by";

/// Runs validators.
///
/// # Errors
/// What they find, or that they change the objects.
pub(crate) fn run(
    world: &mut World<'_>,
    map: &mut ResMap,
    validators: &[Transformer],
) -> Outcome<()> {
    let copies: Vec<Option<Id>> = map
        .list
        .iter()
        .map(|r| r.node.map(|node| world.tree.copy(node)))
        .collect();
    for validator in validators {
        validator.apply(world, map)?;
    }
    if map.list.len() != copies.len() {
        return Err(fail!(
            TransformFailed,
            "validator shouldn't modify the resource map: the number of objects changed"
        ));
    }
    for (resource, before) in map.list.iter().zip(copies) {
        let (Some(now), Some(before)) = (resource.node, before) else {
            continue;
        };
        let now = world.tree.copy(now);
        let mut labels = resource::metadata_map(&world.tree, now, "labels");
        if labels.remove(LABEL).is_some() {
            resource::set_metadata_map(&mut world.tree, now, "labels", &labels)?;
        }
        if !same(&world.tree, now, before) {
            let id = resource.ids(&world.tree, &world.schemas).now.clone();
            return Err(fail!(
                TransformFailed,
                "validator shouldn't modify the resource map: {id} changed"
            ));
        }
    }
    Ok(())
}

fn same(tree: &Tree, a: Id, b: Id) -> bool {
    let (a, b) = (&tree[a], &tree[b]);
    (a.kind, a.style, &a.tag, &a.value) == (b.kind, b.style, &b.tag, &b.value)
        && a.content.len() == b.content.len()
        && a.content
            .iter()
            .zip(&b.content)
            .all(|(a, b)| same(tree, *a, *b))
}
