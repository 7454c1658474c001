//! Names of objects in other objects: after names have changed, every field that names one is set
//! to its new name. In: all objects and the table of who may name whom.

mod referrer;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use crate::config::Config;
use crate::error::{Error, Outcome, fail};
use crate::fieldspec::{self, FieldSpec};
use crate::node::{Id, Kind, Tree};
use crate::resid::{Gvk, ResId};
use crate::resmap::{ResMap, name_object};
use crate::resource::{self, Ids, mark};
use crate::world::World;
use crate::yaml;

/// Updates the names in all objects.
///
/// # Errors
/// A name that could mean several objects.
pub(crate) fn apply(world: &mut World<'_>, map: &mut ResMap, config: &Config) -> Outcome<()> {
    map.changed();
    let references = References::new(world, map);
    for (referrer, filters) in plan(&references, config) {
        let Some(object) = map.list[referrer].node else {
            continue;
        };
        let now = &references.ids[referrer].now;
        referrer::check_kind(&world.tree, object, now)?;
        let allowed = referrer::account_namespaces(&world.tree, object, now)?;
        let scope = Scope {
            references: &references,
            referrer,
            object,
            allowed,
        };
        for (spec, target) in filters {
            scope.update(world, spec, &target)?;
        }
        map.list[referrer].touch();
    }
    Ok(())
}

/// A field that may hold a name, and the kind of object that it names.
type Filter<'c> = (&'c FieldSpec, Gvk);

/// For every object the fields to look at, in the order of the table.
fn plan<'c>(references: &References, config: &'c Config) -> BTreeMap<usize, Vec<Filter<'c>>> {
    let mut by_kind: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, ids) in references.ids.iter().enumerate() {
        by_kind.entry(&ids.first().gvk.kind).or_default().push(i);
    }
    let mut plan: BTreeMap<usize, Vec<Filter<'c>>> = BTreeMap::new();
    for reference in config.name_reference.iter() {
        let target = Gvk::new(&reference.group, &reference.version, &reference.kind);
        for spec in reference.referrers.iter() {
            let add = |i: &usize| {
                if spec.selects(&references.ids[*i].first().gvk) {
                    plan.entry(*i).or_default().push((spec, target.clone()));
                }
            };
            if spec.kind.is_empty() {
                (0..references.ids.len())
                    .collect::<Vec<_>>()
                    .iter()
                    .for_each(add);
            } else {
                by_kind.get(&*spec.kind).into_iter().flatten().for_each(add);
            }
        }
    }
    plan
}

/// All objects, found by the names they had.
struct References {
    ids: Vec<Rc<Ids>>,
    nodes: Vec<Option<Id>>,
    by_name: HashMap<Rc<str>, Vec<usize>>,
    by_first_namespace: HashMap<String, Vec<usize>>,
}

impl References {
    fn new(world: &World<'_>, map: &ResMap) -> Self {
        let ids = map.ids(world);
        let mut by_name: HashMap<Rc<str>, Vec<usize>> = HashMap::new();
        let mut by_first_namespace: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, ids) in ids.iter().enumerate() {
            by_first_namespace
                .entry(ids.first().effective_namespace().to_owned())
                .or_default()
                .push(i);
            for id in &ids.before {
                let list = by_name.entry(id.name.clone()).or_default();
                if list.last() != Some(&i) {
                    list.push(i);
                }
            }
        }
        Self {
            ids,
            nodes: map.list.iter().map(|r| r.node).collect(),
            by_name,
            by_first_namespace,
        }
    }
}

/// One object that names others.
struct Scope<'a> {
    references: &'a References,
    referrer: usize,
    object: Id,
    /// Namespaces of service accounts that a role binding names.
    allowed: HashSet<Rc<str>>,
}

impl Scope<'_> {
    fn now(&self) -> &ResId {
        &self.references.ids[self.referrer].now
    }

    fn update(&self, world: &mut World<'_>, spec: &FieldSpec, target: &Gvk) -> Outcome<()> {
        let mut set = |tree: &mut Tree, at: Id| self.set(tree, at, spec, target);
        fieldspec::apply_path(&mut world.tree, self.object, &spec.path, None, &mut set).map_err(
            |error| {
                let id = self.now();
                let context = format!("updating name reference in '{}' field of '{id}'", spec.path);
                name_object(error.wrap(context), id)
            },
        )
    }

    fn set(&self, tree: &mut Tree, at: Id, spec: &FieldSpec, target: &Gvk) -> Outcome<()> {
        if tree.is_null(Some(at)) {
            return Ok(());
        }
        match tree[at].kind {
            Kind::Scalar => self.set_scalar(tree, at, spec, target),
            Kind::Mapping => self.set_mapping(tree, at, spec, target),
            Kind::Sequence => {
                for element in tree[at].content.clone() {
                    match tree[element].kind {
                        _ if tree.is_null(Some(element)) => {}
                        Kind::Scalar => self.set_scalar(tree, element, spec, target)?,
                        Kind::Mapping => self.set_mapping(tree, element, spec, target)?,
                        _ => {
                            return Err(fail!(
                                TransformFailed,
                                "node is expected to be either a string or a map of string"
                            ));
                        }
                    }
                }
                Ok(())
            }
            _ => Err(fail!(
                TransformFailed,
                "node must be a scalar, sequence or map"
            )),
        }
    }

    fn set_scalar(&self, tree: &mut Tree, at: Id, spec: &FieldSpec, target: &Gvk) -> Outcome<()> {
        let old = tree[at].value.clone();
        let Some(found) = self.select(tree, &old, spec, target, None, false)? else {
            return Ok(());
        };
        let new = self.name_of(tree, found);
        if new == old || new.is_empty() {
            return Ok(());
        }
        tree.set_scalar(at, &new)
    }

    fn set_mapping(&self, tree: &mut Tree, at: Id, spec: &FieldSpec, target: &Gvk) -> Outcome<()> {
        let Some(name) = tree.get(at, "name")? else {
            return Err(fail!(
                TransformFailed,
                "path config error; no 'name' field in node"
            ));
        };
        let old = tree[name].value.clone();
        let namespace = tree.get(at, "namespace")?.map(|id| tree[id].value.clone());
        let Some(found) = self.select(tree, &old, spec, target, namespace.as_deref(), true)? else {
            return Ok(());
        };
        let (name, namespace) = (self.name_of(tree, found), self.namespace_of(tree, found));
        if name == old && namespace.is_empty() {
            return Ok(());
        }
        for (field, value) in [("name", name), ("namespace", namespace)] {
            if !value.is_empty() {
                let value = tree.add_scalar(&value);
                tree.set_field(at, field, Some(value))?;
            }
        }
        Ok(())
    }

    fn name_of(&self, tree: &Tree, at: usize) -> Rc<str> {
        self.references.nodes[at].map_or_else(
            || Rc::from(""),
            |node| resource::metadata_text(tree, node, "name"),
        )
    }

    fn namespace_of(&self, tree: &Tree, at: usize) -> Rc<str> {
        self.references.nodes[at].map_or_else(
            || Rc::from(""),
            |node| resource::metadata_text(tree, node, "namespace"),
        )
    }

    /// The object that a name means: nothing if none is, an error if several could be.
    fn select(
        &self,
        tree: &Tree,
        name: &str,
        spec: &FieldSpec,
        target: &Gvk,
        namespace: Option<&str>,
        with_namespace: bool,
    ) -> Outcome<Option<usize>> {
        let Some(named) = self.references.by_name.get(name) else {
            return Ok(None);
        };
        let mut found: Vec<usize> = named.clone();
        found.retain(|at| self.may_refer_to(*at));
        if let Some(namespace) = namespace {
            found = self.in_namespace(found, namespace);
        }
        let ids = &self.references.ids;
        found.retain(|at| ids[*at].before.iter().any(|id| id.gvk.is_selected(target)));
        if let Some(role) = self.role(tree, spec) {
            found.retain(|at| ids[*at].before.iter().any(|id| id.gvk.is_selected(&role)));
        }
        let now = &ids[self.referrer].now;
        if !now.cluster_scoped {
            found.retain(|at| {
                let id = &ids[*at].now;
                id.cluster_scoped || &*id.gvk.kind == "ServiceAccount" || now.same_namespace(id)
            });
        }
        if found.len() != 1 {
            found.retain(|at| self.same_affixes(tree, *at, true));
            if found.len() > 1 {
                found.retain(|at| self.same_affixes(tree, *at, false));
            }
        }
        let same = |a: usize, b: usize| {
            self.name_of(tree, a) == self.name_of(tree, b)
                && (!with_namespace || self.namespace_of(tree, a) == self.namespace_of(tree, b))
        };
        match found.as_slice() {
            [] => Ok(None),
            [first, rest @ ..] if rest.iter().all(|other| same(*first, *other)) => Ok(Some(*first)),
            _ => Err(self.ambiguous(tree, &found)),
        }
    }

    /// Whether this object can name another at all.
    fn may_refer_to(&self, at: usize) -> bool {
        let (now, other) = (
            &self.references.ids[self.referrer].now,
            &self.references.ids[at].now,
        );
        now.cluster_scoped
            || other.cluster_scoped
            || other.same_namespace(now)
            || self.allowed.contains(&other.namespace)
    }

    /// Those that were in a namespace; if nothing ever was, those that are.
    fn in_namespace(&self, found: Vec<usize>, namespace: &str) -> Vec<usize> {
        let ids = &self.references.ids;
        let were = self.references.by_first_namespace.get(namespace);
        let any_was = were.is_some_and(|were| were.iter().any(|at| self.may_refer_to(*at)));
        let fits = |at: &usize| {
            let id = if any_was {
                ids[*at].first()
            } else {
                &ids[*at].now
            };
            id.effective_namespace() == namespace
        };
        found.into_iter().filter(fits).collect()
    }

    /// The kind that a role binding's `roleRef` names.
    fn role(&self, tree: &Tree, spec: &FieldSpec) -> Option<Gvk> {
        if !spec.path.ends_with("roleRef/name") {
            return None;
        }
        let (_, role) = tree.field(self.object, "roleRef")?;
        let text = |name| {
            tree.field(role, name)
                .map(|(_, value)| tree[value].value.clone())
        };
        Some(Gvk {
            group: text("apiGroup")?,
            version: Rc::from(""),
            kind: text("kind")?,
        })
    }

    fn same_affixes(&self, tree: &Tree, at: usize, allow_empty: bool) -> bool {
        let Some(node) = self.references.nodes[at] else {
            return false;
        };
        [mark::PREFIXES, mark::SUFFIXES].into_iter().all(|key| {
            let (a, b) = (
                resource::marks(tree, node, key),
                resource::marks(tree, self.object, key),
            );
            (allow_empty && (a.is_empty() || b.is_empty())) || same_ending(&a, &b)
        })
    }

    fn ambiguous(&self, tree: &Tree, found: &[usize]) -> Box<Error> {
        let ids: Vec<String> = found
            .iter()
            .map(|at| self.references.ids[*at].now.to_string())
            .collect();
        let text = |node: Option<Id>| {
            node.and_then(|node| yaml::print(tree, node).ok())
                .unwrap_or_default()
        };
        let mut message = format!(
            "found multiple possible referrals: {}\n\n**** Too many possible referral targets to referrer:\n{}\n",
            ids.join(", "),
            text(Some(self.object))
        );
        for (i, at) in found.iter().enumerate() {
            message.push_str(&format!(
                "--- possible referral {i}:\n{}\n",
                text(self.references.nodes[*at])
            ));
        }
        fail!(ReferenceAmbiguous, "{message}")
    }
}

/// Whether the shorter list is the end of the longer; of an empty one only an empty one is.
fn same_ending(a: &[String], b: &[String]) -> bool {
    let (short, long) = if a.len() > b.len() { (b, a) } else { (a, b) };
    if short.is_empty() {
        long.is_empty()
    } else {
        long.ends_with(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_compare() {
        let list = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert!(same_ending(&list(&["b"]), &list(&["a", "b"])));
        assert!(!same_ending(&list(&["a"]), &list(&["a", "b"])));
        assert!(!same_ending(&[], &list(&["a"])));
        assert!(same_ending(&[], &[]));
    }
}
