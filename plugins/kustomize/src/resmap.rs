//! The objects of a build, in order. Finds them by identity, adds them without doubles, merges
//! generated ones into those that are there.

use std::collections::HashMap;
use std::rc::Rc;

use crate::error::{Error, ObjectName, Outcome, fail};
use crate::generate;
use crate::merge;
use crate::node::{Id, Tree};
use crate::resid::ResId;
use crate::resource::{self, Ids, Map, Resource, mark};
use crate::schema::Schemas;
use crate::world::World;

/// Objects in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct ResMap {
    pub(crate) list: Vec<Resource>,
    /// Where each identity stands, while objects are only added.
    index: Option<HashMap<Key, usize>>,
}

/// What makes two objects the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(Rc<str>, Rc<str>, Rc<str>, Rc<str>, Rc<str>);

impl Key {
    fn of(id: &ResId) -> Self {
        let gvk = &id.gvk;
        let namespace = match id.effective_namespace() {
            same if *same == *id.namespace => id.namespace.clone(),
            other => other.into(),
        };
        Self(
            gvk.group.clone(),
            gvk.version.clone(),
            gvk.kind.clone(),
            id.name.clone(),
            namespace,
        )
    }
}

/// The name of an object for an error.
pub(crate) fn object_name(id: &ResId) -> ObjectName {
    ObjectName {
        api_version: id.gvk.api_version(),
        kind: id.gvk.kind.to_string(),
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
    }
}

impl ResMap {
    /// A list that is known to have no doubles.
    pub(crate) fn of(list: Vec<Resource>) -> Self {
        Self { list, index: None }
    }

    /// A list that may have doubles.
    pub(crate) fn checked(world: &World<'_>, list: Vec<Resource>) -> Outcome<Self> {
        let mut map = Self::default();
        for resource in list {
            map.add(&world.tree, &world.schemas, resource)?;
        }
        Ok(map)
    }

    /// Forgets what is known of identities: must be called before objects change.
    pub(crate) fn changed(&mut self) {
        self.index = None;
    }

    /// Adds one object.
    ///
    /// # Errors
    /// One with the same identity is there.
    pub(crate) fn add(
        &mut self,
        tree: &Tree,
        schemas: &Schemas,
        resource: Resource,
    ) -> Outcome<()> {
        if self.index.is_none() {
            let keys = self
                .list
                .iter()
                .enumerate()
                .map(|(i, r)| (Key::of(&r.ids(tree, schemas).now), i));
            self.index = Some(keys.collect());
        }
        let ids = resource.ids(tree, schemas);
        let index = self.index.get_or_insert_default();
        if index.contains_key(&Key::of(&ids.now)) {
            let mut error = fail!(
                ObjectConflict,
                "may not add resource with an already registered id: {}",
                ids.now
            );
            error.object = Some(object_name(&ids.now));
            return Err(error);
        }
        index.insert(Key::of(&ids.now), self.list.len());
        self.list.push(resource);
        Ok(())
    }

    /// Adds all objects of another list. Objects of that list may have become doubles by a change
    /// of names.
    pub(crate) fn add_all(&mut self, world: &World<'_>, other: ResMap) -> Outcome<()> {
        let has_no_doubles = other
            .index
            .as_ref()
            .is_some_and(|index| index.len() == other.list.len());
        if self.list.is_empty() && has_no_doubles {
            *self = other;
            return Ok(());
        }
        other
            .list
            .into_iter()
            .try_for_each(|resource| self.add(&world.tree, &world.schemas, resource))
    }

    /// The identities of all objects.
    pub(crate) fn ids(&self, world: &World<'_>) -> Vec<Rc<Ids>> {
        self.list
            .iter()
            .map(|resource| resource.ids(&world.tree, &world.schemas))
            .collect()
    }

    /// Objects of which any identity, old or new, fits.
    pub(crate) fn find_any(&self, world: &World<'_>, fits: impl Fn(&ResId) -> bool) -> Vec<usize> {
        let alive = |r: &Resource| !world.tree.is_empty(r.node);
        let any = |r: &Resource| r.ids(&world.tree, &world.schemas).all().any(&fits);
        self.list
            .iter()
            .enumerate()
            .filter(|(_, r)| alive(r) && any(r))
            .map(|(i, _)| i)
            .collect()
    }

    /// The one object that ever had this identity: the target of a patch.
    pub(crate) fn find_target(&self, world: &World<'_>, id: &ResId) -> Outcome<usize> {
        let found = self.find_any(world, |other| id.same(other));
        let what = match found.as_slice() {
            [one] => return Ok(*one),
            [] => "no matches for Id",
            _ => "multiple matches for Id",
        };
        let mut error = fail!(
            PatchFailed,
            "{what} {id}; failed to find unique target for patch {id}"
        );
        error.object = Some(object_name(id));
        if found.is_empty() {
            error = error.advise(near_miss(self, world, id));
        }
        Err(error)
    }

    /// Drops objects that a transformer emptied.
    pub(crate) fn drop_empty(&mut self, tree: &Tree) {
        if self.list.iter().any(|r| tree.is_empty(r.node)) {
            self.changed();
            self.list.retain(|r| !tree.is_empty(r.node));
        }
    }

    /// Adds generated objects, or merges them into the ones they name.
    pub(crate) fn absorb(&mut self, world: &mut World<'_>, other: ResMap) -> Outcome<()> {
        other
            .list
            .into_iter()
            .try_for_each(|resource| self.absorb_one(world, resource))
    }

    fn absorb_one(&mut self, world: &mut World<'_>, mut new: Resource) -> Outcome<()> {
        let id = new.ids(&world.tree, &world.schemas).now.clone();
        let Some(node) = new.node else { return Ok(()) };
        let found = self.find_any(world, |other| id.same(other));
        let behavior =
            resource::annotation(&world.tree, node, mark::BEHAVIOR).unwrap_or_else(|| Rc::from(""));
        let at = match found.as_slice() {
            [] if matches!(&*behavior, "merge" | "replace") => {
                return Err(conflict(
                    &id,
                    format!(
                        "id {} does not exist; cannot merge or replace",
                        go_struct(&id)
                    ),
                ));
            }
            [] => return self.add(&world.tree, &world.schemas, new),
            [one] => *one,
            _ => {
                return Err(conflict(
                    &id,
                    format!("found multiple objects that could accept merge of {id}"),
                ));
            }
        };
        match &*behavior {
            "replace" => {
                if let (Some(to), Some(from)) = (new.node, self.list[at].node) {
                    copy_metadata(&mut world.tree, to, from)?;
                }
            }
            "merge" => merge_generated(world, &new, &self.list[at])?,
            other => {
                let other = if other == "create" {
                    other
                } else {
                    "unspecified"
                };
                let message = format!(
                    "id {} exists; can not use behavior: '{other}', behavior must be merge or replace",
                    go_struct(&id)
                );
                return Err(
                    conflict(&id, message).advise("set `behavior: merge` or `behavior: replace`")
                );
            }
        }
        self.changed();
        new.variables.clone_from(&self.list[at].variables);
        new.touch();
        self.list[at] = new;
        Ok(())
    }

    /// Applies a strategic-merge patch to the objects at `targets`; each gets a copy of its own.
    pub(crate) fn patch(
        &mut self,
        world: &mut World<'_>,
        targets: &[usize],
        patch: &Resource,
    ) -> Outcome<()> {
        let Some(node) = patch.node else {
            return Ok(());
        };
        self.changed();
        for &at in targets {
            let copy = world.tree.copy(node);
            let Some(object) = self.list[at].node else {
                continue;
            };
            copy_metadata(&mut world.tree, copy, node)?;
            let api_version = resource::text_of(&world.tree, object, "apiVersion");
            resource::set_text(&mut world.tree, copy, "apiVersion", &api_version)?;
            let kind = resource::text_of(&world.tree, node, "kind");
            resource::set_text(&mut world.tree, copy, "kind", &kind)?;
            patch_one(world, &mut self.list[at], copy)?;
        }
        self.list.retain(|r| !world.tree.is_empty(r.node));
        let list = std::mem::take(&mut self.list);
        *self = Self::checked(world, list)?;
        Ok(())
    }
}

/// Applies a strategic-merge patch to one object. The patch's nodes become the object's.
pub(crate) fn patch_one(world: &mut World<'_>, target: &mut Resource, patch: Id) -> Outcome<()> {
    let Some(object) = target.node else {
        return Ok(());
    };
    let id = target.ids(&world.tree, &world.schemas).now.clone();
    let tree = &mut world.tree;
    let kind = resource::text_of(tree, object, "kind");
    let name_change = resource::is_enabled(tree, patch, mark::NAME_CHANGE);
    let kind_change = resource::is_enabled(tree, patch, mark::KIND_CHANGE);
    target.touch();
    if name_change || kind_change {
        resource::store_id(tree, object, &id)?;
    }
    let merged = merge::merge(tree, &world.schemas, object, patch)
        .map_err(|error| name_object(error, &id))?;
    if merged.is_none() {
        target.node = None;
    }
    if tree.is_empty(target.node) {
        return Ok(());
    }
    if !kind_change {
        resource::set_text(tree, object, "kind", &kind)?;
    }
    if !name_change {
        resource::set_name(tree, object, &id.name)?;
    }
    resource::set_namespace(tree, object, &id.namespace)
}

/// Names the object in an error, unless one is named already.
pub(crate) fn name_object(mut error: Box<Error>, id: &ResId) -> Box<Error> {
    error.object.get_or_insert_with(|| object_name(id));
    error
}

fn conflict(id: &ResId, message: String) -> Box<Error> {
    let mut error = fail!(ObjectConflict, "{message}");
    error.object = Some(object_name(id));
    error
}

/// An identity as Go prints the struct.
fn go_struct(id: &ResId) -> String {
    let q = crate::error::go_quote;
    format!(
        "resid.ResId{{Gvk:resid.Gvk{{Group:{}, Version:{}, Kind:{}, isClusterScoped:{}}}, Name:{}, Namespace:{}}}",
        q(&id.gvk.group),
        q(&id.gvk.version),
        q(&id.gvk.kind),
        id.cluster_scoped,
        q(&id.name),
        q(&id.namespace)
    )
}

/// Which object a patch without a target may have meant.
fn near_miss(map: &ResMap, world: &World<'_>, id: &ResId) -> String {
    let near = map.find_any(world, |other| {
        other.name == id.name && other.gvk.kind == id.gvk.kind
    });
    match near.first() {
        Some(&at) => format!(
            "the object is {}: give the patch the same group, version and namespace",
            map.list[at].ids(&world.tree, &world.schemas).first()
        ),
        None => {
            "the patch must name an object that the resources, bases or generators give".to_owned()
        }
    }
}

/// Gives an object the name, namespace, labels and annotations of another; its own labels and
/// annotations win, the marks are the other's.
fn copy_metadata(tree: &mut Tree, to: Id, from: Id) -> Outcome<()> {
    let mut labels = resource::metadata_map(tree, from, "labels");
    labels.extend(resource::metadata_map(tree, to, "labels"));
    resource::set_metadata_map(tree, to, "labels", &labels)?;
    let theirs = resource::metadata_map(tree, from, "annotations");
    let mine = resource::metadata_map(tree, to, "annotations");
    let needs_hash = mine.contains_key(mark::NEEDS_HASH);
    let mut merged: Map = theirs
        .iter()
        .chain(&mine)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for key in mark::ALL {
        match theirs.get(key) {
            Some(value) => merged.insert(key.into(), value.clone()),
            None => merged.remove(key),
        };
    }
    if !needs_hash {
        merged.remove(mark::NEEDS_HASH);
    }
    resource::set_metadata_map(tree, to, "annotations", &merged)?;
    let (name, namespace) = (
        resource::metadata_text(tree, from, "name"),
        resource::metadata_text(tree, from, "namespace"),
    );
    resource::set_name(tree, to, &name)?;
    resource::set_namespace(tree, to, &namespace)
}

fn merge_generated(world: &mut World<'_>, new: &Resource, old: &Resource) -> Outcome<()> {
    let (Some(to), Some(from)) = (new.node, old.node) else {
        return Ok(());
    };
    let tree = &mut world.tree;
    let origin = resource::annotation(tree, from, mark::ORIGIN);
    let is_secret = &*resource::text_of(tree, to, "apiVersion") == "v1"
        && &*resource::text_of(tree, to, "kind") == "Secret";
    let data_from = if is_secret {
        generate::fold_string_data(tree, from)?
    } else {
        from
    };
    copy_metadata(tree, to, from)?;
    for (field, source) in [("data", data_from), ("binaryData", from)] {
        let mut data = generate::data_map(tree, source, field)?;
        data.extend(generate::data_map(tree, to, field)?);
        generate::set_data_map(tree, to, field, &data)?;
    }
    if let Some(origin) = origin {
        resource::put_annotation(tree, to, mark::ORIGIN, &origin)?;
    }
    Ok(())
}
