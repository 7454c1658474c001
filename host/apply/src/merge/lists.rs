//! Lists that are merged: of objects by a key, or of plain values as sets. The order is the one that
//! is wanted; what only the server has keeps its place among the others.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::schema::Field;
use super::{merge_item, without_nulls};

/// What makes an item the same as another: its key, and how many before it have the same one.
type Identity = (String, usize);

/// Merges `wanted` into `live`. Items without the key make the list one value, which the server will
/// not take.
pub(super) fn merge(
    earlier: &[&[Value]],
    wanted: &[Value],
    live: &[Value],
    field: Field<'_>,
) -> Vec<Value> {
    let identify = |items: &[Value]| identities(items, field.merge_key);
    let all: Option<Vec<Vec<Identity>>> = earlier.iter().map(|items| identify(items)).collect();
    let (Some(earlier_ids), Some(wanted_ids), Some(live_ids)) =
        (all, identify(wanted), identify(live))
    else {
        return wanted.to_vec();
    };
    let places =
        |ids: &[Identity]| -> HashMap<Identity, usize> { ids.iter().cloned().zip(0..).collect() };
    let live_places = places(&live_ids);
    let earlier: Vec<(&[Value], HashMap<Identity, usize>)> = earlier
        .iter()
        .zip(&earlier_ids)
        .map(|(items, ids)| (*items, places(ids)))
        .collect();

    let merged = wanted.iter().zip(&wanted_ids).map(|(item, id)| {
        let place = live_places.get(id).copied();
        let merged = match (
            item.as_object(),
            place.and_then(|place| live[place].as_object()),
        ) {
            (Some(item), Some(live)) => {
                let before = earlier.iter().filter_map(|(items, places)| {
                    places.get(id).and_then(|place| items[*place].as_object())
                });
                let before: Vec<_> = before.collect();
                Value::Object(merge_item(&before, item, live, field))
            }
            _ => without_nulls(item),
        };
        (place, merged)
    });
    let ours: Vec<(Option<usize>, Value)> = merged.collect();
    let gone: HashSet<&Identity> = earlier_ids.iter().flatten().collect();
    let kept: HashSet<&Identity> = wanted_ids.iter().collect();
    let theirs = live_ids.iter().enumerate();
    let theirs = theirs.filter(|(_, id)| !kept.contains(id) && !gone.contains(id));
    let theirs: Vec<usize> = theirs.map(|(place, _)| place).collect();
    interleave(ours, &theirs, live)
}

/// Puts what only the server has before the first item that stands behind it on the server.
fn interleave(ours: Vec<(Option<usize>, Value)>, theirs: &[usize], live: &[Value]) -> Vec<Value> {
    let mut found = Vec::with_capacity(ours.len() + theirs.len());
    let mut rest = theirs.iter().copied().peekable();
    for (place, item) in ours {
        while let Some(other) = rest.next_if(|other| place.is_some_and(|place| *other < place)) {
            found.push(live[other].clone());
        }
        found.push(item);
    }
    found.extend(rest.map(|place| live[place].clone()));
    found
}

/// Returns what the items are known by; `None` where one has not what it takes.
fn identities(items: &[Value], key: &str) -> Option<Vec<Identity>> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let identity = |item: &Value| {
        let value = match (key, item) {
            ("", Value::Object(_) | Value::Array(_)) => return None,
            ("", plain) => plain,
            (key, item) => item.get(key).filter(|value| !value.is_null())?,
        };
        let text = value.to_string();
        let count = seen.entry(text.clone()).or_default();
        *count += 1;
        Some((text, *count - 1))
    };
    items.iter().map(identity).collect()
}
