//! Field specifications: which field of which kinds a transformer changes, and the walk that finds
//! it in an object. In: a specification, an object, and what to do there.

use std::borrow::Cow;

use crate::error::{Context, Outcome, fail};
use crate::node::{Id, Kind, Tag, Tree};
use crate::resid::{Gvk, split_api_version};
use crate::resource;

/// Text that is mostly built in.
pub(crate) type Text = Cow<'static, str>;
/// A list that is mostly built in.
pub(crate) type Specs = Cow<'static, [FieldSpec]>;

/// A field of some kinds; empty parts of the kind match anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FieldSpec {
    pub(crate) group: Text,
    pub(crate) version: Text,
    pub(crate) kind: Text,
    pub(crate) path: Text,
    pub(crate) create: bool,
}

/// Where objects of a kind are named by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameReference {
    pub(crate) group: Text,
    pub(crate) version: Text,
    pub(crate) kind: Text,
    pub(crate) referrers: Specs,
}

/// An entry of the built-in tables.
pub(crate) const fn spec(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    path: &'static str,
    create: bool,
) -> FieldSpec {
    FieldSpec {
        group: Cow::Borrowed(group),
        version: Cow::Borrowed(version),
        kind: Cow::Borrowed(kind),
        path: Cow::Borrowed(path),
        create,
    }
}

/// An entry of the built-in table of name references.
pub(crate) const fn reference(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    referrers: &'static [FieldSpec],
) -> NameReference {
    NameReference {
        group: Cow::Borrowed(group),
        version: Cow::Borrowed(version),
        kind: Cow::Borrowed(kind),
        referrers: Cow::Borrowed(referrers),
    }
}

impl FieldSpec {
    /// Whether the specification is for this kind.
    pub(crate) fn selects(&self, gvk: &Gvk) -> bool {
        (self.kind.is_empty() || *self.kind == *gvk.kind)
            && (self.group.is_empty() || *self.group == *gvk.group)
            && (self.version.is_empty() || *self.version == *gvk.version)
    }

    /// The kinds as a selector.
    pub(crate) fn gvk(&self) -> Gvk {
        Gvk::new(&self.group, &self.version, &self.kind)
    }

    /// Whether `other` says nothing that this does not say.
    fn covers(&self, other: &FieldSpec) -> bool {
        self.path == other.path && self.gvk().is_selected(&other.gvk())
    }
}

/// Adds what `list` does not have.
///
/// # Errors
/// The same field is created by one and not by the other.
pub(crate) fn merge_one(list: &mut Specs, new: &FieldSpec) -> Outcome<()> {
    match list.iter().find(|old| old.covers(new)) {
        Some(old) if old.create != new.create => {
            Err(fail!(KustomizationInvalid, "conflicting fieldspecs"))
        }
        Some(_) => Ok(()),
        None => {
            list.to_mut().push(new.clone());
            Ok(())
        }
    }
}

/// Adds all that `list` does not have. One that is for more kinds than an earlier one of the same
/// path counts as had: so a user's specification for one kind takes the place of the general one.
pub(crate) fn merge_all(list: &mut Specs, new: &[FieldSpec]) -> Outcome<()> {
    new.iter().try_for_each(|spec| merge_one(list, spec))
}

/// What to make where a field is missing: the kind and tag of the last part.
pub(crate) type Create = Option<(Kind, Tag)>;

/// What to do at a field.
pub(crate) type Set<'a> = &'a mut dyn FnMut(&mut Tree, Id) -> Outcome<()>;

/// Calls `set` at every place of `object` that the specification names.
///
/// # Errors
/// The path leads through something that is neither mapping nor list; and what `set` returns.
pub(crate) fn apply(
    tree: &mut Tree,
    object: Id,
    spec: &FieldSpec,
    create: &Create,
    set: Set<'_>,
) -> Outcome<()> {
    if !matches(tree, object, spec) {
        return Ok(());
    }
    apply_path(
        tree,
        object,
        &spec.path,
        create.as_ref().filter(|_| spec.create),
        set,
    )
}

/// As [`apply`], for an object that is known to be of the right kind.
pub(crate) fn apply_path(
    tree: &mut Tree,
    object: Id,
    path: &str,
    create: Option<&(Kind, Tag)>,
    set: Set<'_>,
) -> Outcome<()> {
    let parts = path.strip_prefix('/').unwrap_or(path);
    Walk { create, set }
        .at(tree, object, Some(parts))
        .map_err(|error| {
            let id = resource::id_text(tree, object);
            error
                .wrap(format!("considering field '{path}' of object {id}"))
                .in_field(path)
        })
}

/// Calls `set` for every specification in turn.
pub(crate) fn apply_all(
    tree: &mut Tree,
    object: Id,
    specs: &[FieldSpec],
    create: &Create,
    set: Set<'_>,
) -> Outcome<()> {
    specs
        .iter()
        .try_for_each(|spec| apply(tree, object, spec, create, set))
}

fn matches(tree: &Tree, object: Id, spec: &FieldSpec) -> bool {
    if !spec.kind.is_empty() && *spec.kind != *resource::text_of(tree, object, "kind") {
        return false;
    }
    if spec.group.is_empty() && spec.version.is_empty() {
        return true;
    }
    let api_version = resource::text_of(tree, object, "apiVersion");
    let (group, version) = split_api_version(&api_version);
    (spec.group.is_empty() || spec.group == group)
        && (spec.version.is_empty() || spec.version == version)
}

/// The first part of a path and what is after it. A backslash before a slash keeps the slash.
fn split_first(path: &str) -> (Cow<'_, str>, Option<&str>) {
    let mut from = 0;
    while let Some(at) = path[from..].find('/') {
        let at = from + at;
        if !path[..at].ends_with('\\') {
            return (unescape(&path[..at]), Some(&path[at + 1..]));
        }
        from = at + 1;
    }
    (unescape(path), None)
}

fn unescape(part: &str) -> Cow<'_, str> {
    if part.contains("\\/") {
        Cow::Owned(part.replace("\\/", "/"))
    } else {
        Cow::Borrowed(part)
    }
}

struct Walk<'a> {
    create: Option<&'a (Kind, Tag)>,
    set: Set<'a>,
}

impl Walk<'_> {
    fn at(&mut self, tree: &mut Tree, id: Id, path: Option<&str>) -> Outcome<()> {
        let Some(path) = path else {
            return (self.set)(tree, id);
        };
        if tree.is_null(Some(id)) {
            return Ok(());
        }
        let id = tree.unwrap(id);
        match tree[id].kind {
            Kind::Sequence => self.each(tree, id, path),
            Kind::Mapping => self.field(tree, id, path),
            _ => Err(fail!(TransformFailed, "expected sequence or mapping node")),
        }
    }

    fn each(&mut self, tree: &mut Tree, id: Id, path: &str) -> Outcome<()> {
        for i in 0..tree[id].content.len() {
            let Some(&element) = tree[id].content.get(i) else {
                break;
            };
            self.at(tree, element, Some(path))
                .context(|| format!("visit traversal on path: {}", go_path(path)))?;
        }
        Ok(())
    }

    fn field(&mut self, tree: &mut Tree, id: Id, path: &str) -> Outcome<()> {
        let (part, rest) = split_first(path);
        let (name, is_list) = match part.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (&*part, false),
        };
        if name.is_empty() {
            return Err(fail!(
                TransformFailed,
                "cannot set or create an empty field name"
            ));
        }
        let (found, fill) = match self.create {
            Some((kind, tag)) if !is_list => {
                let (kind, tag) = if rest.is_none() {
                    (*kind, tag.clone())
                } else {
                    (Kind::Mapping, Tag::Map)
                };
                (tree.lookup_create(id, kind, &[name]), Some((kind, tag)))
            }
            _ => (
                tree.lookup(id, &[name]),
                is_list.then_some((Kind::Sequence, Tag::Empty)),
            ),
        };
        let Some(field) = found.context(|| format!("fieldName: {name}"))? else {
            return Ok(());
        };
        if tree[field].tag == Tag::Null
            && let Some((kind, tag)) = fill
        {
            tree[field].kind = kind;
            tree[field].tag = tag;
        }
        self.at(tree, field, rest)
    }
}

/// A path as Go prints its parts.
fn go_path(path: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = Some(path);
    while let Some(path) = rest {
        let (part, after) = split_first(path);
        parts.push(part.into_owned());
        rest = after;
    }
    crate::error::go_list(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_slash_is_part_of_a_name() {
        assert_eq!(
            split_first(r"annotations/a.b\/c"),
            (Cow::Borrowed("annotations"), Some(r"a.b\/c"))
        );
        assert_eq!(split_first(r"a.b\/c"), (Cow::Borrowed("a.b/c"), None));
    }

    #[test]
    fn a_field_that_one_creates_and_another_does_not_is_an_error() {
        let mut list: Specs = Cow::Owned(vec![spec("", "", "A", "x", true)]);
        assert!(merge_one(&mut list, &spec("", "", "A", "x", true)).is_ok());
        assert!(merge_one(&mut list, &spec("", "", "", "x", false)).is_err());
        assert!(merge_one(&mut list, &spec("g", "", "A", "x", false)).is_ok());
        assert_eq!(list.len(), 2);
    }
}
