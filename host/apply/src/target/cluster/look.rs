//! Finds out, with as few requests as it takes, what each object needs.

use std::collections::HashMap;

use bulkhead_api::ObjectId;

use super::api::{self, ApiError};
use super::live::Live;
use super::{Check, Resource, Run, all};
use crate::drift::{Need, Records, Seen, needs_apply};
use crate::inventory::Inventory;
use crate::metadata::Intent;
use crate::object::Object;
use crate::order::Stage;
use crate::plan::Step;

/// From how many objects of a kind on one list replaces a look at each.
const LIST_FROM: usize = 8;
/// The same where all objects are looked at, at the interval.
const LIST_FROM_AT_INTERVAL: usize = 2;

/// An object and what it needs.
pub(super) struct Todo {
    pub(super) object: Object,
    pub(super) intent: Intent,
    /// What is sent, and its hash.
    pub(super) bytes: Vec<u8>,
    pub(super) sent: [u8; 16],
    pub(super) need: Need,
    pub(super) seen: Seen,
    /// It was in the inventory: it is probably there.
    pub(super) is_known: bool,
    /// The look at it failed.
    pub(super) failure: Option<ApiError>,
}

impl Todo {
    pub(super) fn is_apply(&self) -> bool {
        self.need == Need::Apply
    }
}

impl Run<'_> {
    /// Decides what every object needs. Nothing is changed.
    pub(super) async fn look(
        &self,
        stages: Vec<(Stage, Vec<Step>)>,
        inventory: &Inventory,
        records: &mut Records,
        check: Check,
    ) -> Vec<(Stage, Vec<Todo>)> {
        let mut stages: Vec<(Stage, Vec<Todo>)> = stages
            .into_iter()
            .map(|(stage, steps)| {
                let todos = steps.into_iter().map(|step| todo(step, inventory, records));
                (stage, todos.collect())
            })
            .collect();
        let todos = || stages.iter().flat_map(|(_, todos)| todos);
        // A first apply finds nothing of its own: it looks only when told to.
        let is_first = inventory.is_empty();
        let wanted = todos().filter(|todo| match (todo.need, check) {
            (Need::Skip, _) => false,
            (Need::Look, _) | (_, Check::Live) => true,
            (_, Check::Records) => !is_first && records.get(todo.object.id()).is_none(),
        });
        let mut seen = self.see(wanted.collect(), check, records).await;
        for todo in stages.iter_mut().flat_map(|(_, todos)| todos) {
            match seen.remove(todo.object.id()) {
                Some(Ok(seen)) => decide(todo, seen, records),
                Some(Err(error)) => todo.failure = Some(error),
                None => {}
            }
        }
        stages
    }

    async fn see(
        &self,
        wanted: Vec<&Todo>,
        check: Check,
        records: &Records,
    ) -> HashMap<ObjectId, Result<Seen, ApiError>> {
        let mut groups: HashMap<(&str, &str, &str), Vec<&Todo>> = HashMap::new();
        for todo in wanted {
            let (id, version) = (todo.object.id(), todo.object.version());
            groups
                .entry((&id.group, &id.kind, version))
                .or_default()
                .push(todo);
        }
        let list_from = match check {
            Check::Records => LIST_FROM,
            Check::Live => LIST_FROM_AT_INTERVAL,
        };
        let groups = all(groups, |((group, kind, version), todos)| async move {
            let found = self
                .cluster
                .discovery
                .find(group, kind, Some(version))
                .await;
            match found {
                Ok(Some(resource)) => self.see_kind(&resource, todos, list_from, records).await,
                // A kind that comes with this apply has no objects yet; any other fails later.
                Ok(None) => each(todos, |_| Ok(Seen::Absent)),
                Err(error) => each(todos, |_| Err(error.clone())),
            }
        });
        groups.await.into_iter().flatten().collect()
    }

    async fn see_kind(
        &self,
        resource: &Resource,
        todos: Vec<&Todo>,
        list_from: usize,
        records: &Records,
    ) -> Vec<(ObjectId, Result<Seen, ApiError>)> {
        let (known, new): (Vec<&Todo>, Vec<&Todo>) =
            todos.into_iter().partition(|todo| todo.is_known);
        let mut single = new;
        let mut found = Vec::new();
        let listed = if known.len() >= list_from {
            self.list(resource, &known, records).await.ok()
        } else {
            None
        };
        match listed {
            Some(mut listed) => {
                // What is there without our labels is not in the list: applying puts it right.
                found = each(known, |id| Ok(listed.remove(id).unwrap_or(Seen::Absent)));
            }
            // Too few, or no right to list.
            None => single.extend(known),
        }
        let looks = all(single, |todo| async move {
            let path = api::path(resource, todo.object.id());
            let seen = self.cluster.http.get_metadata(&path).await;
            let seen = seen.map(|live| match &live {
                Some(live) => self.seen(Live(live), records),
                None => Seen::Absent,
            });
            (todo.object.id().clone(), seen)
        });
        found.extend(looks.await);
        found
    }

    /// Lists the metadata of a kind's objects that carry our labels.
    async fn list(
        &self,
        resource: &Resource,
        known: &[&Todo],
        records: &Records,
    ) -> Result<HashMap<ObjectId, Seen>, ApiError> {
        let first = known.first().map_or("", |todo| &todo.object.id().namespace);
        let is_one = known.iter().all(|todo| todo.object.id().namespace == first);
        let collection = api::collection(resource, if is_one { first } else { "" });
        let [(name_key, name), (namespace_key, namespace)] = self.owner.labels();
        let selector = format!("{name_key}={name},{namespace_key}={namespace}");
        let items = self
            .cluster
            .http
            .list_metadata(&collection, &selector)
            .await?;
        let items = items.iter().map(|item| {
            let live = Live(item);
            let Resource { group, kind, .. } = resource;
            (
                ObjectId::new(live.namespace(), live.name(), group, kind),
                self.seen(live, records),
            )
        });
        Ok(items.collect())
    }

    fn seen(&self, live: Live<'_>, records: &Records) -> Seen {
        Seen::Live(live.record(self.owner, &records.digests, [0; 16]))
    }
}

fn each(
    todos: Vec<&Todo>,
    mut seen: impl FnMut(&ObjectId) -> Result<Seen, ApiError>,
) -> Vec<(ObjectId, Result<Seen, ApiError>)> {
    todos
        .into_iter()
        .map(|todo| (todo.object.id().clone(), seen(todo.object.id())))
        .collect()
}

fn todo(step: Step, inventory: &Inventory, records: &Records) -> Todo {
    let Step { object, intent } = step;
    let bytes = object.to_bytes();
    let sent = records.digests.of(&bytes);
    let need = needs_apply(intent, sent, records.get(object.id()), &Seen::Unknown);
    let is_known = inventory.contains(object.id());
    Todo {
        object,
        intent,
        bytes,
        sent,
        need,
        seen: Seen::Unknown,
        is_known,
        failure: None,
    }
}

fn decide(todo: &mut Todo, seen: Seen, records: &mut Records) {
    let id = todo.object.id();
    todo.need = needs_apply(todo.intent, todo.sent, records.get(id), &seen);
    if todo.need == Need::Remember
        && let Seen::Live(live) = &seen
    {
        let record = crate::drift::Record {
            sent: todo.sent,
            ..live.clone()
        };
        records.insert(id.clone(), record);
    }
    todo.seen = seen;
}
