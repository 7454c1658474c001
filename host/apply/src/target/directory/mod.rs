//! Carries a plan out in a directory: one YAML file an object, an inventory for each delivery, prune.
//!
//! `<namespace>/<kind>.<group>/<name>.yaml`; objects without a namespace are in `_cluster`, or, when
//! they should have one, in `_no-namespace`. Inventories are in `.bulkhead/`. Guarantees: every write
//! is a new file renamed into place; the inventory is there before the first new file; a file that is
//! no object of this delivery is never touched.

mod diff;
mod files;
mod scope;
#[cfg(test)]
mod tests;

use std::io;

use bulkhead_api::ObjectId;
use serde_json::Value;

use super::{Action, Applied, ApplyError, Change, ObjectError};
use crate::inventory::Inventory;
use crate::metadata::{self, CommonMetadata, Intent, Owner};
use crate::normalize;
use crate::object::Object;
use crate::parse;
use crate::plan::{self, Plan, Settings, Step};
use crate::yaml;
use files::Files;

/// What to write, for whom.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The rendered objects.
    pub objects: Vec<Object>,
    /// Who writes.
    pub owner: &'a Owner,
    /// Labels and annotations for all.
    pub common: &'a CommonMetadata,
    /// The namespace for namespaced objects without one; empty for none.
    pub target_namespace: &'a str,
    /// Prune and protected objects.
    pub settings: Settings,
    /// Nothing is written: the changes are what would happen.
    pub dry_run: bool,
}

/// A directory that one or more deliveries keep.
#[derive(Debug)]
pub struct Directory {
    files: Files,
}

/// An object and what is done with its file.
struct Todo {
    id: ObjectId,
    action: Action,
    value: Value,
    diff: Option<String>,
}

impl Directory {
    /// Keeps `dir`; nothing outside of it is read or written, symbolic links included.
    pub fn new(dir: cap_std::fs::Dir) -> Self {
        Self {
            files: Files::new(dir),
        }
    }

    /// Reads the inventory of a delivery; it is empty when there is none yet.
    ///
    /// # Errors
    /// An inventory that cannot be read: nothing may be pruned by it.
    pub fn inventory(&self, owner: &Owner) -> Result<Inventory, ApplyError> {
        self.files
            .inventory(owner)
            .map_err(|error| unreachable(&files::inventory_path(owner), error))
    }

    /// Brings the directory to what `request` wants.
    ///
    /// Everything is checked first: with an error in [`Applied`], and no changes, nothing was done.
    pub fn apply(&self, request: Request<'_>) -> Applied {
        let mut applied = Applied::default();
        applied.error = self.run(request, &mut applied).err();
        applied
    }

    fn run(&self, request: Request<'_>, applied: &mut Applied) -> Result<(), ApplyError> {
        let Request {
            objects,
            owner,
            common,
            target_namespace,
            settings,
            dry_run,
        } = request;
        let inventory = self.inventory(owner)?;
        applied.inventory = inventory.clone();
        let objects = prepare(objects, owner, common, target_namespace)?;
        let plan = plan::plan(objects, &inventory, owner, &settings);
        let Plan {
            stages,
            prune,
            kept: _,
            inventory_before,
            inventory_after,
        } = plan;
        let steps = stages.into_iter().flat_map(|(_, steps)| steps);
        let todos = self.decide(steps.collect(), &inventory, owner)?;
        let goners = prune
            .iter()
            .map(|(id, _)| self.decide_prune(id, owner))
            .collect::<Vec<_>>();
        if dry_run {
            applied.changes = todos.into_iter().chain(goners).map(change).collect();
            applied.inventory = inventory_after;
            return Ok(());
        }
        if inventory_before != inventory {
            self.write_inventory(owner, &inventory_before)?;
        }
        applied.inventory = inventory_before;
        for todo in todos {
            if todo.action.is_change() {
                self.write(&todo)?;
            }
            applied.changes.push(change(todo));
        }
        for todo in goners {
            if todo.action == Action::Deleted {
                let removed = self.files.remove(&files::path(&todo.id));
                removed
                    .map_err(|error| ApplyError::Prune(vec![failed(&todo.id, "delete", &error)]))?;
            }
            applied.changes.push(change(todo));
        }
        if inventory_after != applied.inventory || inventory_after != inventory {
            self.write_inventory(owner, &inventory_after)?;
        }
        applied.inventory = inventory_after;
        Ok(())
    }

    fn write_inventory(&self, owner: &Owner, inventory: &Inventory) -> Result<(), ApplyError> {
        let written = self.files.write_inventory(owner, inventory);
        written.map_err(|error| ApplyError::WriteAhead(error.to_string()))
    }

    fn write(&self, todo: &Todo) -> Result<(), ApplyError> {
        let is_secret = todo.id.group.is_empty() && todo.id.kind == "Secret";
        let path = files::path(&todo.id);
        let written = self
            .files
            .write(&path, yaml::write(&todo.value).as_bytes(), is_secret);
        written.map_err(|error| ApplyError::Objects(vec![failed(&todo.id, "apply", &error)]))
    }

    fn decide(
        &self,
        steps: Vec<Step>,
        inventory: &Inventory,
        owner: &Owner,
    ) -> Result<Vec<Todo>, ApplyError> {
        let (mut todos, mut errors) = (Vec::new(), Vec::new());
        for step in steps {
            let is_known = inventory.contains(step.object.id());
            match self.decide_one(step, is_known, owner) {
                Ok(todo) => todos.push(todo),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(todos)
        } else {
            Err(ApplyError::Objects(errors))
        }
    }

    fn decide_one(&self, step: Step, is_known: bool, owner: &Owner) -> Result<Todo, ObjectError> {
        let Step { object, intent } = step;
        let (id, value) = (object.id().clone(), object.to_value());
        let path = files::path(&id);
        let read = self.files.read(&path);
        let found = read.map_err(|error| failed(&id, "query", &error))?;
        let live = found.as_deref().and_then(only_object);
        let (is_own, is_left) = match &live {
            Some(live) => {
                let is_own = owner.owns(|key| live.label(key)) && *live.id() == id;
                (is_own, Intent::of(live, owner).ignore)
            }
            // Somebody broke a file of ours: it is put back.
            None => (is_known, false),
        };
        let action = match &found {
            _ if intent.ignore => Action::Skipped,
            None => Action::Created,
            Some(_) if is_left || intent.if_not_present => Action::Skipped,
            Some(_) if !is_own => {
                let message = format!("{path} is there and is not of this delivery");
                return Err(ObjectError {
                    id: Box::new(id),
                    what: "apply failed".to_owned(),
                    message,
                });
            }
            Some(found) if *found == yaml::write(&value) => Action::Unchanged,
            Some(_) => Action::Configured,
        };
        let before = live.map(|live| live.to_value());
        let diff = action
            .is_change()
            .then(|| diff::unified(&path, before.as_ref(), Some(&value)));
        Ok(Todo {
            id,
            action,
            value,
            diff,
        })
    }

    /// Decides about a file that is no longer desired, by what is in it now.
    fn decide_prune(&self, id: &ObjectId, owner: &Owner) -> Todo {
        let path = files::path(id);
        let found = self.files.read(&path).unwrap_or_default();
        let live = found.as_deref().and_then(only_object);
        let action = match (&found, &live) {
            (None, _) => Action::Deleted,
            (Some(_), None) => Action::Skipped,
            (Some(_), Some(live)) => {
                let Intent { ignore, keep, .. } = Intent::of(live, owner);
                let is_own = owner.owns(|key| live.label(key)) && live.id() == id;
                if is_own && !keep && !ignore {
                    Action::Deleted
                } else {
                    Action::Skipped
                }
            }
        };
        let value = live.map(|live| live.to_value()).unwrap_or_default();
        let diff = (action == Action::Deleted && found.is_some())
            .then(|| diff::unified(&path, Some(&value), None));
        Todo {
            id: id.clone(),
            action,
            value,
            diff,
        }
    }
}

/// Gives objects the form, the labels and the namespaces that they would have in a cluster.
fn prepare(
    mut objects: Vec<Object>,
    owner: &Owner,
    common: &CommonMetadata,
    target_namespace: &str,
) -> Result<Vec<Object>, ApplyError> {
    for object in &mut objects {
        normalize::normalize(object);
        if normalize::is_encrypted(object) {
            return Err(ApplyError::Encrypted(object.id().clone()));
        }
        // Without a namespace it is written all the same: nothing is sent anywhere.
        let _ = metadata::place(object, scope::of(object.id()), target_namespace);
    }
    parse::refuse_duplicates(&objects).map_err(ApplyError::Parse)?;
    metadata::set(&mut objects, owner, common);
    Ok(objects)
}

/// Reads the object that is alone in a text; `None` for anything else.
fn only_object(text: &str) -> Option<Object> {
    let objects = parse::objects([text.into()], &parse::Limits::default()).ok()?;
    let [object] = <[Object; 1]>::try_from(objects).ok()?;
    Some(object)
}

fn change(todo: Todo) -> Change {
    let Todo {
        id,
        action,
        value: _,
        diff,
    } = todo;
    Change {
        diff,
        ..Change::new(id, action)
    }
}

fn failed(id: &ObjectId, what: &str, error: &io::Error) -> ObjectError {
    ObjectError {
        id: Box::new(id.clone()),
        what: format!("{what} failed"),
        message: error.to_string(),
    }
}

fn unreachable(path: &str, error: io::Error) -> ApplyError {
    ApplyError::Unreachable {
        what: format!("`{path}`"),
        message: error.to_string(),
    }
}
