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
    if keyed.len() <= INSERTION {
        insertion_sort(&mut keyed, |(a, _), (b, _)| comes_before(a, b));
    } else {
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let sorted = keyed.into_iter().map(|(_, resource)| resource).collect();
    *map = ResMap::checked(world, sorted)
        .context(|| "SortOrderTransformer: Failed to append to resources".to_owned())?;
    Ok(())
}

/// Up to this many objects Go's sort inserts one after the other.
const INSERTION: usize = 12;

/// Sorts step by step as Go does: an order that goes in circles has a result that only the steps
/// define.
fn insertion_sort<T>(list: &mut [T], before: impl Fn(&T, &T) -> bool) {
    for i in 1..list.len() {
        let mut j = i;
        while j > 0 && before(&list[j], &list[j - 1]) {
            list.swap(j, j - 1);
            j -= 1;
        }
    }
}

/// What an object is sorted by.
type Key = (i32, bool, String, String);

/// Upstream's order: it turns around between the core Namespace and other kinds of that name only,
/// so with kinds between them in the alphabet it goes in circles unless Namespace has a place.
fn comes_before(a: &Key, b: &Key) -> bool {
    let is_namespace = |key: &Key| key.2.ends_with("_Namespace");
    let turned = is_namespace(a) && is_namespace(b) && !(a.1 && b.1) && a.2 != b.2;
    if a.0 != b.0 {
        a.0 < b.0
    } else if turned {
        a.2 > b.2
    } else {
        (&a.2, &a.3) < (&b.2, &b.3)
    }
}

/// Kind by its place, then by group, version and kind, then by namespace and name. Of two kinds
/// called Namespace the core one comes first.
fn key(id: &ResId, first: &[String], last: &[String]) -> Key {
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
