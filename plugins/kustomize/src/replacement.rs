//! `replacements`: copies a value from one object into fields of others.

mod structured;
mod target;

use crate::decode::{Decode, Decoder};
use crate::edit::split_dotted;
use crate::error::{Outcome, fail};
use crate::node::{Id, Kind, Tree};
use crate::resid::ResId;
use crate::resmap::ResMap;
use crate::selector::Selector;
use crate::world::World;
use crate::yaml::Value;

pub(crate) use target::Target;

/// The path that is meant where none is given.
pub(crate) const DEFAULT_PATH: &str = "metadata.name";

/// One replacement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replacement {
    pub(crate) source: Option<Source>,
    pub(crate) targets: Vec<Target>,
    pub(crate) source_value: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) selector: Selector,
    pub(crate) field_path: String,
    pub(crate) options: Option<FieldOptions>,
}

/// Which part of a value is meant, and whether to make a field that is missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldOptions {
    pub(crate) delimiter: String,
    pub(crate) index: i64,
    pub(crate) create: bool,
}

impl Decode for FieldOptions {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        let mut options = Self::default();
        at.fields(value, |name, value, at| {
            match name {
                "delimiter" => options.delimiter = Decode::decode(value, at)?,
                "index" => options.index = Decode::decode(value, at)?,
                "create" => options.create = Decode::decode(value, at)?,
                "encoding" => drop(String::decode(value, at)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(options)
    }
}

impl Decode for Source {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        let mut source = Self::default();
        at.fields(value, |name, value, at| {
            match name {
                "group" => source.selector.group = Decode::decode(value, &at.embedded())?,
                "version" => source.selector.version = Decode::decode(value, &at.embedded())?,
                "kind" => source.selector.kind = Decode::decode(value, &at.embedded())?,
                "name" => source.selector.name = Decode::decode(value, &at.embedded())?,
                "namespace" => source.selector.namespace = Decode::decode(value, &at.embedded())?,
                "fieldPath" => source.field_path = Decode::decode(value, at)?,
                "options" => source.options = Decode::decode(value, at)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(source)
    }
}

/// An entry of `replacements`: a replacement, or the file that has some.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplacementField {
    pub(crate) inline: Replacement,
    pub(crate) path: String,
}

impl Decode for ReplacementField {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        let mut entry = Self::default();
        at.fields(value, |name, value, at| {
            // Go embeds the replacement in the entry, and with it all that is below.
            let below = at.embedded();
            match name {
                "path" => entry.path = Decode::decode(value, at)?,
                "source" => entry.inline.source = Decode::decode(value, &below)?,
                "targets" => entry.inline.targets = Decode::decode(value, &below)?,
                "sourceValue" => entry.inline.source_value = Decode::decode(value, &below)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(entry)
    }
}

/// Applies replacements to all objects.
///
/// # Errors
/// A source or target that selects nothing or too much, or a path that leads nowhere.
pub(crate) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    replacements: &[Replacement],
) -> Outcome<()> {
    for (i, replacement) in replacements.iter().enumerate() {
        apply_one(world, map, replacement)
            .map_err(|error| error.in_field(&format!("replacements[{i}]")))?;
    }
    Ok(())
}

fn apply_one(world: &mut World<'_>, map: &mut ResMap, replacement: &Replacement) -> Outcome<()> {
    let value = match (&replacement.source, &replacement.source_value) {
        _ if replacement.targets.is_empty() => return Err(incomplete()),
        (None, None) => return Err(incomplete()),
        (Some(_), Some(_)) => {
            return Err(fail!(
                ReplacementFailed,
                "value and resource selectors are mutually exclusive"
            ));
        }
        (None, Some(text)) => world.tree.add_scalar(text),
        (Some(source), None) => source_value(world, map, source)?,
    };
    for target in &replacement.targets {
        target::apply(world, map, target, value)?;
    }
    Ok(())
}

fn incomplete() -> Box<crate::error::Error> {
    fail!(
        ReplacementFailed,
        "replacements must specify a source and at least one target"
    )
}

fn source_value(world: &mut World<'_>, map: &ResMap, source: &Source) -> Outcome<Id> {
    let object = source_object(world, map, source)?;
    let path = if source.field_path.is_empty() {
        DEFAULT_PATH
    } else {
        &source.field_path
    };
    let tree = &mut world.tree;
    let found = tree.lookup(object, &split_dotted(path));
    let found = found.map_err(|error| error.wrap("error looking up replacement source"))?;
    let Some(found) = found.filter(|found| !tree.is_empty(Some(*found))) else {
        let id = source.selector.id();
        return Err(fail!(
            ReplacementFailed,
            "fieldPath `{path}` is missing for replacement source {id}"
        ));
    };
    refine(tree, source.options.as_ref(), found)
}

fn source_object(world: &World<'_>, map: &ResMap, source: &Source) -> Outcome<Id> {
    let wanted = source.selector.id();
    let fits = |id: &ResId| plain(id).is_selected_by(&wanted);
    let mut found = None;
    for resource in &map.list {
        let Some(node) = resource.node else { continue };
        if !resource.ids(&world.tree, &world.schemas).all().any(fits) {
            continue;
        }
        if found.replace(node).is_some() {
            return Err(fail!(
                ReplacementFailed,
                "multiple matches for selector {}",
                describe(source)
            ));
        }
    }
    found.ok_or_else(|| {
        fail!(
            ReplacementFailed,
            "nothing selected by {}",
            describe(source)
        )
    })
}

/// An identity without knowledge of scopes: how replacements see it.
pub(crate) fn plain(id: &ResId) -> ResId {
    ResId {
        cluster_scoped: false,
        ..id.clone()
    }
}

fn describe(source: &Source) -> String {
    let mut text = source.selector.id().to_string();
    if !source.field_path.is_empty() {
        text.push(':');
        text.push_str(&source.field_path);
    }
    if let Some(o) = source
        .options
        .as_ref()
        .filter(|o| !o.delimiter.is_empty() || o.create)
    {
        text.push_str(&format!(
            ":{}({}), create={}",
            o.delimiter, o.index, o.create
        ));
    }
    text
}

fn refine(tree: &mut Tree, options: Option<&FieldOptions>, value: Id) -> Outcome<Id> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else {
        return Ok(value);
    };
    if tree[value].kind != Kind::Scalar {
        return Err(fail!(
            ReplacementFailed,
            "delimiter option can only be used with scalar nodes"
        ));
    }
    let text = tree.value(Some(value));
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|i| text.split(&*options.delimiter).nth(i));
    let Some(part) = part else {
        let index = options.index;
        return Err(fail!(
            ReplacementFailed,
            "options.index {index} is out of bounds for value {text}"
        ));
    };
    let copy = tree.copy(value);
    tree[copy].value = part.into();
    Ok(copy)
}
