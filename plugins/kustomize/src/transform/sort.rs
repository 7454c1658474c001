//! The order of the result.

use crate::error::{Context, Outcome, fail};
use crate::kustomization::SortOptions;
use crate::resid::{ORDER_FIRST, ORDER_LAST, ResId, order_in};
use crate::resmap::ResMap;
use crate::world::World;

/// Checks the settings.
///
/// # Errors
/// The order is unknown, or has settings that belong to another.
fn check(options: &SortOptions) -> Outcome<()> {
    match options.order.as_str() {
        "legacy" => Ok(()),
        "fifo" if options.legacy.is_none() => Ok(()),
        "fifo" => Err(fail!(
            KustomizationInvalid,
            "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'"
        )),
        _ => Err(fail!(
            KustomizationInvalid,
            "the field 'sortOptions.order' must be one of [fifo, legacy]"
        )),
    }
}

/// Sorts the objects, if the settings ask for it.
pub(super) fn apply(world: &mut World<'_>, map: &mut ResMap, options: &SortOptions) -> Outcome<()> {
    check(options)?;
    if options.order != "legacy" {
        return Ok(());
    }
    let default = || {
        (
            ORDER_FIRST.map(str::to_owned).to_vec(),
            ORDER_LAST.map(str::to_owned).to_vec(),
        )
    };
    let (first, last) = options
        .legacy
        .as_ref()
        .map_or_else(default, |o| (o.first.clone(), o.last.clone()));
    let list = std::mem::take(&mut map.list);
    let keyed = list
        .into_iter()
        .map(|resource| (resource.ids(&world.tree, &world.schemas), resource));
    let mut keyed: Vec<_> = keyed
        .map(|(ids, resource)| (key(&ids.now, &first, &last), resource))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sorted = keyed.into_iter().map(|(_, resource)| resource).collect();
    *map = ResMap::checked(world, sorted)
        .context(|| "SortOrderTransformer: Failed to append to resources".to_owned())?;
    Ok(())
}

/// Kind by its place, then by group, version and kind, then by namespace and name. Of two kinds
/// called Namespace the core one comes first.
fn key(id: &ResId, first: &[String], last: &[String]) -> (i32, bool, String, String) {
    let core_namespace = &*id.gvk.kind == "Namespace" && id.gvk.group.is_empty();
    let or = |text: &str, mark: &str| {
        if text.is_empty() {
            mark.to_owned()
        } else {
            text.to_owned()
        }
    };
    let rest = format!(
        "{}|{}|{}",
        id.gvk,
        or(&id.namespace, "~X"),
        or(&id.name, "~N")
    );
    (
        order_in(&id.gvk.kind, first, last),
        !core_namespace,
        id.gvk.sort_text(),
        rest,
    )
}
