//! Strategic merge of a patch into an object, as kyaml's merge2 does it: maps field by field in the
//! order of their names, lists by merge key where the schema says so, `$patch` directives, null
//! removes. In: two nodes and the schemas. Out: the merged node, or nothing when it was deleted.

mod lists;

use crate::error::{Outcome, fail};
use crate::node::{Id, Kind, Tag, Tree};
use crate::schema::{Schema, Schemas};
use crate::yaml;

const DIRECTIVE: &str = "$patch";

/// Merges `patch` into `object`. The patch's nodes become part of the object.
///
/// # Errors
/// Kinds of nodes that do not fit, and unknown directives.
pub(crate) fn merge(
    tree: &mut Tree,
    schemas: &Schemas,
    object: Id,
    patch: Id,
) -> Outcome<Option<Id>> {
    Merger { tree, schemas }.walk(
        Pair {
            object: Some(object),
            patch: Some(patch),
        },
        None,
    )
}

/// The two sides of a merge.
#[derive(Debug, Clone, Copy)]
struct Pair {
    object: Option<Id>,
    patch: Option<Id>,
}

impl Pair {
    fn both(self) -> [Option<Id>; 2] {
        [self.object, self.patch]
    }
}

/// What a patch says about its node as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

struct Merger<'a> {
    tree: &'a mut Tree,
    schemas: &'a Schemas,
}

impl Merger<'_> {
    fn walk(&mut self, pair: Pair, schema: Option<Schema>) -> Outcome<Option<Id>> {
        let schema = self.schema(pair, schema);
        let kind = pair
            .both()
            .into_iter()
            .flatten()
            .find(|id| !self.tree.is_null(Some(*id)));
        let kind = kind.map_or(Kind::Zero, |id| self.tree[self.tree.unwrap(id)].kind);
        if kind != Kind::Zero {
            for id in pair.both().into_iter().flatten() {
                self.tree.expect(id, kind)?;
            }
        }
        match kind {
            Kind::Mapping | Kind::Zero => self.walk_map(pair, schema),
            Kind::Sequence if schema.as_ref().is_some_and(Schema::merges) => {
                self.walk_list(pair, schema)
            }
            Kind::Sequence | Kind::Scalar => {
                self.dress(pair);
                Ok(pair.patch.or(pair.object))
            }
            _ => Ok(None),
        }
    }

    /// The schema of a node: from its comment, from its parent, or from the kind that it names.
    fn schema(&self, pair: Pair, schema: Option<Schema>) -> Option<Schema> {
        for id in pair.both().into_iter().flatten() {
            let found = self.comment_schema(id);
            if found.is_some() {
                return found;
            }
        }
        if schema.is_some() {
            return schema;
        }
        pair.both().into_iter().flatten().find_map(|id| {
            let text = |name| {
                self.tree
                    .field(id, name)
                    .map(|(_, value)| self.tree[value].value.clone())
            };
            let (api_version, kind) = (text("apiVersion")?, text("kind")?);
            if api_version.is_empty() || kind.is_empty() {
                return None;
            }
            self.schemas.for_kind(&api_version, &kind)
        })
    }

    /// A schema written as JSON in the comment of a node.
    fn comment_schema(&self, id: Id) -> Option<Schema> {
        let notes = self.tree[self.tree.unwrap(id)].notes.as_ref()?;
        let comment = if notes.line.is_empty() {
            &notes.head
        } else {
            &notes.line
        };
        let comment = comment.trim_start_matches('#').trim();
        if !comment.starts_with('{') {
            return None;
        }
        let value: serde_json::Value = serde_json::from_str(comment).ok()?;
        value.as_object().filter(|fields| !fields.is_empty())?;
        Some(Schema::from_comment(value))
    }

    fn walk_map(&mut self, mut pair: Pair, schema: Option<Schema>) -> Outcome<Option<Id>> {
        let Some(object) = self.visit_map(pair)? else {
            return Ok(None);
        };
        pair.object = Some(object);
        for name in self.names(pair) {
            let side = |tree: &Tree, id: Option<Id>| id.and_then(|id| tree.field(id, &name));
            let (old, new) = (side(self.tree, pair.object), side(self.tree, pair.patch));
            let from_comment = [old, new]
                .into_iter()
                .flatten()
                .find_map(|(key, _)| self.comment_schema(key));
            let below = from_comment.or_else(|| schema.as_ref().and_then(|s| s.field(&name)));
            let values = Pair {
                object: old.map(|f| f.1),
                patch: new.map(|f| f.1),
            };
            let merged = self.walk(values, below)?;
            let key = [new, old]
                .into_iter()
                .flatten()
                .find(|(_, value)| Some(*value) == merged);
            let key_style = key.map_or(0, |(key, _)| self.tree[key].style);
            self.tree
                .set_field_styled(object, &name, merged, key_style)?;
        }
        Ok(Some(object))
    }

    /// Names of the fields of both sides, sorted.
    fn names(&self, pair: Pair) -> Vec<std::rc::Rc<str>> {
        let mut names: Vec<_> = pair
            .both()
            .into_iter()
            .flatten()
            .filter(|id| self.tree[self.tree.unwrap(*id)].kind == Kind::Mapping)
            .flat_map(|id| {
                self.tree
                    .pairs(id)
                    .map(|(key, _)| self.tree[key].value.clone())
                    .collect::<Vec<_>>()
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn visit_map(&mut self, pair: Pair) -> Outcome<Option<Id>> {
        self.dress(pair);
        if self.tree.is_null(pair.object) {
            if let Some(patch) = pair.patch {
                let deletes = matches!(self.directive(patch), Ok(Directive::Delete));
                return Ok(if deletes { None } else { Some(patch) });
            }
            // A null that the object has and the patch does not name: kept if it was written out.
            return Ok(pair
                .object
                .filter(|id| !self.tree[*id].value.is_empty())
                .map(|id| {
                    let value = self.tree[id].value.clone();
                    let node = crate::node::Node {
                        tag: Tag::Null,
                        keep: true,
                        ..crate::node::Node::scalar(&value)
                    };
                    self.tree.add(node)
                }));
        }
        self.visit(pair)
    }

    /// What a node becomes when both sides have one: judged by the patch's directive.
    fn visit(&mut self, pair: Pair) -> Outcome<Option<Id>> {
        let Some(patch) = pair.patch else {
            return Ok(pair.object);
        };
        if self.tree.is_null(pair.patch) {
            return Ok(None);
        }
        Ok(match self.directive(patch)? {
            Directive::Delete => None,
            Directive::Replace => pair.patch,
            Directive::Merge => pair.object,
        })
    }

    /// Reads the directive of a patch and takes it out.
    fn directive(&mut self, patch: Id) -> Outcome<Directive> {
        let patch = self.tree.unwrap(patch);
        let kind = self.tree[patch].kind;
        let holder = match kind {
            Kind::Mapping => Some(patch),
            Kind::Sequence => self.tree[patch].content.iter().copied().find(|element| {
                !self.tree.is_null(Some(*element)) && self.tree.field(*element, DIRECTIVE).is_some()
            }),
            _ => {
                return Err(fail!(
                    PatchFailed,
                    "no implemented strategic merge patch strategy for '{}' ('{}')",
                    self.tree[patch].tag.text(),
                    yaml::emit(self.tree, patch)
                ));
            }
        };
        let Some((holder, (_, value))) =
            holder.and_then(|h| Some((h, self.tree.field(h, DIRECTIVE)?)))
        else {
            return Ok(Directive::Merge);
        };
        if kind == Kind::Sequence && self.tree[holder].content.len() > 2 {
            return Ok(Directive::Merge);
        }
        let text = self.tree[value].value.clone();
        let directive = match &*text {
            "delete" => Directive::Delete,
            "replace" => Directive::Replace,
            "merge" => Directive::Merge,
            other => return Err(fail!(PatchFailed, "unknown patch strategy '{other}'")),
        };
        if kind == Kind::Mapping {
            self.tree.clear(patch, DIRECTIVE)?;
        } else {
            self.tree.set_element(patch, None, &[DIRECTIVE], &[&text])?;
        }
        Ok(directive)
    }

    /// Carries the patch's comments over, and its style to an empty collection.
    fn dress(&mut self, pair: Pair) {
        let (Some(object), Some(patch)) = (pair.object, pair.patch) else {
            return;
        };
        let (object, patch) = (self.tree.unwrap(object), self.tree.unwrap(patch));
        if object == patch {
            return;
        }
        if let Some(from) = self.tree[patch].notes.clone() {
            let to = self.tree[object].notes.get_or_insert_default();
            for (from, to) in [
                (from.head, &mut to.head),
                (from.line, &mut to.line),
                (from.foot, &mut to.foot),
            ] {
                if !from.is_empty() {
                    *to = from;
                }
            }
        }
        if self.tree[object].kind != Kind::Scalar && self.tree[object].content.is_empty() {
            self.tree[object].style = self.tree[patch].style;
        }
    }
}
