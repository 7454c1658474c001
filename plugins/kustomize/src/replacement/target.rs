//! Where a value goes: the objects and fields that a replacement names.

use crate::decode::decode_fields;
use crate::edit::{is_list_index, is_number, part_kind, split_dotted, split_index};
use crate::error::{Context, Outcome, fail, go_quote};
use crate::node::{Id, Kind, Node, Tree};
use crate::resmap::ResMap;
use crate::selector::{Matcher, Selector, regex};
use crate::world::World;
use crate::yaml;

use super::{DEFAULT_PATH, FieldOptions, structured};

/// An entry of `targets`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    select: Option<Selector>,
    reject: Vec<Selector>,
    field_paths: Vec<String>,
    options: Option<FieldOptions>,
}

decode_fields!(Target {
    "select" => select,
    "reject" => reject,
    "fieldPaths" => field_paths,
    "options" => options,
});

/// Writes `value` into every field that the target names.
pub(super) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    target: &Target,
    value: Id,
) -> Outcome<()> {
    let Some(select) = &target.select else {
        return Err(fail!(
            ReplacementFailed,
            "target must specify resources to select"
        ));
    };
    let compile = |selector| {
        Matcher::new(selector).map_err(|error| error.wrap("error creating target selector"))
    };
    let select = compile(select)?;
    let reject: Vec<Matcher> = target.reject.iter().map(compile).collect::<Outcome<_>>()?;
    let default = [DEFAULT_PATH.to_owned()];
    let paths = if target.field_paths.is_empty() {
        &default[..]
    } else {
        &target.field_paths
    };
    for resource in &mut map.list {
        let Some(node) = resource.node else { continue };
        if !select.fits_metadata(&world.tree, node)? {
            continue;
        }
        let mut rejected = false;
        for matcher in reject.iter().filter(|matcher| matcher.looks_at_metadata()) {
            rejected = rejected || matcher.fits_metadata(&world.tree, node)?;
        }
        let ids = resource.ids(&world.tree, &world.schemas);
        let rejects =
            |matcher: &Matcher| !matcher.is_blank && ids.all().any(|id| matcher.fits_id(id));
        if rejected || reject.iter().any(rejects) || !ids.all().any(|id| select.fits_id(id)) {
            continue;
        }
        // A target may rename the object, and a later one must see that.
        resource.touch();
        for path in paths {
            put(&mut world.tree, node, value, path, target.options.as_ref())
                .map_err(|error| crate::resmap::name_object(error, &ids.now))?;
        }
    }
    Ok(())
}

/// Writes `value` into the fields of one object that `path` names.
fn put(
    tree: &mut Tree,
    object: Id,
    value: Id,
    path: &str,
    options: Option<&FieldOptions>,
) -> Outcome<()> {
    let create = options
        .filter(|options| options.create)
        .map(|_| tree[value].kind);
    if structured::put(tree, object, value, path, options)? {
        return Ok(());
    }
    let missing = || {
        let or_create = if create.is_some() { " or create" } else { "" };
        format!(
            "unable to find{or_create} field {} in replacement target",
            go_quote(path)
        )
    };
    let fields = find(tree, object, &split_dotted(path), create).context(missing)?;
    if fields.is_empty() {
        return Err(fail!(ReplacementFailed, "{}", missing()));
    }
    fields
        .into_iter()
        .try_for_each(|field| set(tree, field, value, options))
}

/// Writes a value, or the part of it that the options name, into a field.
pub(super) fn set(
    tree: &mut Tree,
    field: Id,
    value: Id,
    options: Option<&FieldOptions>,
) -> Outcome<()> {
    let value = tree.copy(value);
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        if tree[field].kind != Kind::Scalar {
            return Err(fail!(
                ReplacementFailed,
                "delimiter option can only be used with scalar nodes"
            ));
        }
        let old = tree[field].value.clone();
        let new = tree.value(Some(value));
        let mut parts: Vec<&str> = old.split(&*options.delimiter).collect();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &new),
            Ok(at) if at >= parts.len() => parts.push(&new),
            Ok(at) => parts[at] = &new,
        }
        tree[value].value = parts.join(&options.delimiter).into();
    }
    if tree[field].kind == Kind::Scalar {
        tree[field].value = tree[value].value.clone();
    } else {
        tree.assign(field, value);
    }
    Ok(())
}

/// All nodes that a path leads to: names, indexes, `[name=regex]` and `*`.
pub(super) fn find(
    tree: &mut Tree,
    at: Id,
    path: &[String],
    create: Option<Kind>,
) -> Outcome<Vec<Id>> {
    let at = tree.unwrap(at);
    let Some((part, rest)) = path.split_first() else {
        return Ok(vec![at]);
    };
    if is_number(part) {
        find_index(tree, at, part, rest, create)
    } else if is_list_index(part) {
        find_matching(tree, at, part, rest, create)
    } else if part == "*" {
        let mut found = Vec::new();
        for element in tree.elements(at)? {
            found.extend(find(tree, element, rest, create)?);
        }
        Ok(found)
    } else {
        find_field(tree, at, part, rest, create)
    }
}

fn next_kind(rest: &[String], create: Kind) -> Kind {
    part_kind(rest.first().map_or("", String::as_str), create)
}

fn find_field(
    tree: &mut Tree,
    at: Id,
    name: &str,
    rest: &[String],
    create: Option<Kind>,
) -> Outcome<Vec<Id>> {
    let field = match (tree.get(at, name)?, create) {
        (Some(field), _) => field,
        (None, None) => return Ok(Vec::new()),
        (None, Some(create)) => {
            let made = tree.add(Node::of(next_kind(rest, create)));
            tree.set_field(at, name, Some(made))?;
            made
        }
    };
    if tree[field].kind == Kind::Scalar && !rest.is_empty() {
        let text = tree[field].value.clone();
        return match yaml::parse_one(tree, &text)? {
            Some(inner) => find(tree, inner, rest, create),
            None => Ok(Vec::new()),
        };
    }
    find(tree, field, rest, create)
}

fn find_index(
    tree: &mut Tree,
    at: Id,
    part: &str,
    rest: &[String],
    create: Option<Kind>,
) -> Outcome<Vec<Id>> {
    let index: usize = part
        .parse()
        .map_err(|_| fail!(ReplacementFailed, "index {part} is too large"))?;
    let mut elements = tree.elements(at)?;
    if let Some(create) = create.filter(|_| elements.len() == index) {
        let made = tree.add(Node::of(next_kind(rest, create)));
        tree.append(at, made)?;
        elements.push(made);
    }
    let Some(&element) = elements.get(index) else {
        let count = elements.len();
        return Err(fail!(
            ReplacementFailed,
            "index {index} specified but only {count} elements found"
        ));
    };
    find(tree, element, rest, create)
}

fn find_matching(
    tree: &mut Tree,
    at: Id,
    part: &str,
    rest: &[String],
    create: Option<Kind>,
) -> Outcome<Vec<Id>> {
    let (name, pattern) = split_index(part)?;
    let wanted = regex(pattern)?;
    let mut found = Vec::new();
    for element in tree.elements(at)? {
        let tested = if name.is_empty() {
            Some(element)
        } else {
            tree.field(element, name).map(|(_, value)| value)
        };
        let Some(tested) = tested else { continue };
        if wanted.is_match(yaml::emit(tree, tested).trim()) {
            let more = if name.is_empty() {
                vec![element]
            } else {
                find(tree, element, rest, create)?
            };
            found.extend(more);
        }
    }
    if !found.is_empty() || create.is_none() {
        return Ok(found);
    }
    let scalar = tree.add_scalar(pattern);
    let made = if name.is_empty() {
        scalar
    } else {
        let key = tree.add_scalar(name);
        tree.add(Node {
            content: vec![key, scalar],
            ..Node::of(Kind::Mapping)
        })
    };
    tree.append(at, made)?;
    // Once more, without making another: a pattern need not match itself.
    if name.is_empty() {
        Ok(vec![made])
    } else {
        find(tree, made, rest, create)
    }
}
