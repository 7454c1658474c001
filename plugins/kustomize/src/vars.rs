//! `vars`: values of objects' fields that stand for `$(NAME)` in others.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::decode::decode_fields;
use crate::edit::split_dotted;
use crate::error::{Error, Outcome, fail};
use crate::fieldspec;
use crate::json::float_text_g;
use crate::node::{Id, Kind, Tag, Tree};
use crate::resid::{Gvk, ResId};
use crate::resmap::ResMap;
use crate::world::World;

/// A variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Var {
    pub(crate) name: String,
    object: ObjectRef,
    field: FieldRef,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ObjectRef {
    api_version: String,
    group: String,
    version: String,
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct FieldRef {
    path: String,
}

decode_fields!(Var { "name" => name, "objref" => object, "fieldref" => field });
decode_fields!(ObjectRef {
    "apiVersion" => api_version,
    "group" => group,
    "version" => version,
    "kind" => kind,
    "name" => name,
    "namespace" => namespace,
});
decode_fields!(FieldRef { "fieldPath" => path });

impl Var {
    fn gvk(&self) -> Gvk {
        let object = &self.object;
        let parts: Vec<&str> = object.api_version.split('/').collect();
        match parts.as_slice() {
            _ if object.api_version.is_empty() => {
                Gvk::new(&object.group, &object.version, &object.kind)
            }
            [version] => Gvk::new(&object.group, version, &object.kind),
            [group, version] => Gvk::new(group, version, &object.kind),
            _ => Gvk::new(&object.group, &object.version, &object.kind),
        }
    }

    fn path(&self) -> &str {
        if self.field.path.is_empty() {
            crate::replacement::DEFAULT_PATH
        } else {
            &self.field.path
        }
    }

    /// The variable as Go prints the struct.
    fn shown(&self) -> String {
        let gvk = self.gvk();
        let namespace = &self.object.namespace;
        let api_version = &self.object.api_version;
        let (name, object, path) = (&self.name, &self.object.name, self.path());
        format!("{{{name} {{{api_version} {gvk} {object} {namespace}}} {{{path}}}}}")
    }
}

/// The variables of a build, by name.
pub(crate) type Vars = BTreeMap<String, Var>;

/// Adds variables.
///
/// # Errors
/// A name is taken.
pub(crate) fn merge(into: &mut Vars, new: impl IntoIterator<Item = Var>) -> Outcome<()> {
    for var in new {
        if into.contains_key(&var.name) {
            return Err(
                fail!(ReplacementFailed, "var '{}' already encountered", var.name).in_field("vars"),
            );
        }
        into.insert(var.name.clone(), var);
    }
    Ok(())
}

/// Notes at the objects which variables take a value from them.
///
/// # Errors
/// A variable fits several objects.
pub(crate) fn note(world: &World<'_>, map: &mut ResMap, vars: &[Var]) -> Outcome<()> {
    for var in vars {
        let id = ResId::new(
            var.gvk(),
            var.object.name.as_str().into(),
            var.object.namespace.as_str().into(),
            &world.schemas,
        );
        // The selector's own scope is not known, so a namespace decides how strictly it is taken.
        let exact = !id.namespace.is_empty();
        let id = ResId {
            cluster_scoped: false,
            ..id
        };
        let found = map.find_any(world, |other| {
            if exact {
                id.same(other)
            } else {
                id.same_but_namespace(other)
            }
        });
        match found.as_slice() {
            [] => {}
            [one] => map.list[*one].variables.push(var.name.clone()),
            many => {
                let (count, shown) = (many.len(), var.shown());
                return Err(fail!(
                    ReplacementFailed,
                    "found {count} resId matches for var {shown} (unable to disambiguate)"
                ));
            }
        }
    }
    Ok(())
}

/// Replaces `$(NAME)` wherever the configuration allows it.
///
/// # Errors
/// A variable has no object, or its field is not there.
pub(crate) fn resolve(
    world: &mut World<'_>,
    map: &mut ResMap,
    config: &Config,
    vars: &Vars,
) -> Outcome<()> {
    if vars.is_empty() {
        return Ok(());
    }
    let mut values = BTreeMap::new();
    for var in vars.values() {
        values.insert(var.name.clone(), value(&mut world.tree, map, var)?);
    }
    let mut replacer = Replacer {
        values,
        used: BTreeSet::new(),
    };
    map.changed();
    for resource in &mut map.list {
        let Some(object) = resource.node else {
            continue;
        };
        resource.touch();
        let mut set = |tree: &mut Tree, at: Id| replacer.set(tree, at);
        fieldspec::apply_all(
            &mut world.tree,
            object,
            &config.var_reference,
            &None,
            &mut set,
        )?;
    }
    let unused: Vec<&str> = vars
        .keys()
        .map(String::as_str)
        .filter(|name| !replacer.used.contains(*name))
        .collect();
    if !unused.is_empty() {
        world.warnings.push(format!(
            "well-defined vars that were never replaced: {}",
            unused.join(",")
        ));
    }
    Ok(())
}

/// What a variable stands for: a scalar, or something that cannot be put into text.
#[derive(Debug, Clone)]
enum Content {
    Scalar(Tag, String),
    Other,
}

fn value(tree: &mut Tree, map: &ResMap, var: &Var) -> Outcome<Content> {
    let holder = map
        .list
        .iter()
        .find(|resource| resource.variables.contains(&var.name));
    let Some(object) = holder.and_then(|resource| resource.node) else {
        return Err(unmapped(var));
    };
    let missing = || {
        fail!(
            ReplacementFailed,
            "field specified in var '{}' not found in corresponding resource",
            var.shown()
        )
    };
    let path: Vec<String> = split_dotted(var.path())
        .into_iter()
        .flat_map(split_index)
        .collect();
    let found = tree
        .lookup(object, &path)
        .map_err(|_| missing())?
        .ok_or_else(missing)?;
    let node = &tree[found];
    if node.kind != Kind::Scalar {
        return Ok(Content::Other);
    }
    let bad = |_| missing();
    Ok(match node.tag {
        Tag::Int => Content::Scalar(
            Tag::Int,
            node.value
                .parse::<i64>()
                .map_err(|_| missing())?
                .to_string(),
        ),
        Tag::Float => Content::Scalar(
            Tag::Float,
            float_text_g(
                node.value
                    .parse()
                    .map_err(|_: std::num::ParseFloatError| missing())?,
            ),
        ),
        Tag::Bool => Content::Scalar(Tag::Bool, parse_bool(&node.value).map_err(bad)?.to_string()),
        _ => Content::Scalar(Tag::Str, node.value.to_string()),
    })
}

fn unmapped(var: &Var) -> Box<Error> {
    fail!(
        ReplacementFailed,
        "var '{}' cannot be mapped to a field in the set of known resources",
        var.shown()
    )
    .in_field("vars")
    .advise(
        "`objref` must name an object of this build, with apiVersion, kind and name as in its file",
    )
}

/// Go's `strconv.ParseBool`.
fn parse_bool(text: &str) -> Result<bool, ()> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(()),
    }
}

/// `name[3]` as two parts.
fn split_index(part: String) -> Vec<String> {
    let Some((name, index)) = part
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
    else {
        return vec![part];
    };
    if index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
        return vec![part];
    }
    [name, index]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

struct Replacer {
    values: BTreeMap<String, Content>,
    used: BTreeSet<String>,
}

impl Replacer {
    fn set(&mut self, tree: &mut Tree, at: Id) -> Outcome<()> {
        if tree.is_null(Some(at)) {
            return Ok(());
        }
        match tree[at].kind {
            Kind::Scalar => {
                if tree[at].is_string() {
                    self.set_scalar(tree, at);
                }
                Ok(())
            }
            Kind::Mapping => self.set_mapping(tree, at),
            Kind::Sequence => {
                for item in tree[at].content.clone() {
                    if !tree[item].is_string() {
                        return Err(fail!(
                            ReplacementFailed,
                            "invalid value type expect a string"
                        ));
                    }
                    self.set_scalar(tree, item);
                }
                Ok(())
            }
            _ => Err(fail!(ReplacementFailed, "invalid type encountered")),
        }
    }

    fn set_mapping(&mut self, tree: &mut Tree, at: Id) -> Outcome<()> {
        let pairs: Vec<(Id, Id)> = tree.pairs(at).collect();
        for (key, value) in pairs {
            if !tree[key].is_string() {
                let (text, tag) = (&tree[key].value, tree[key].tag.text());
                return Err(fail!(
                    ReplacementFailed,
                    "invalid map key: value='{text}', tag='{tag}'"
                ));
            }
            if tree[value].is_string() {
                self.set_scalar(tree, value);
            }
        }
        Ok(())
    }

    fn set_scalar(&mut self, tree: &mut Tree, at: Id) {
        let (tag, text) = self.expand(&tree[at].value);
        let node = &mut tree[at];
        node.value = text.into();
        node.tag = tag;
        // Upstream forgets how the text was written.
        node.style = 0;
    }

    fn expand(&mut self, input: &str) -> (Tag, String) {
        let mut out = String::with_capacity(input.len());
        let mut rest = input;
        while let Some(at) = rest.find('$').filter(|at| at + 1 < rest.len()) {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if let Some(doubled) = after.strip_prefix('$') {
                out.push('$');
                rest = doubled;
            } else if let Some((name, tail)) = after
                .strip_prefix('(')
                .and_then(|open| open.split_once(')'))
            {
                let (tag, text) = self.lookup(name);
                if at == 0 && tail.is_empty() && out.is_empty() {
                    return (tag, text);
                }
                out.push_str(&text);
                rest = tail;
            } else {
                let next = after.chars().next().map_or(0, char::len_utf8);
                out.push('$');
                out.push_str(&after[..next]);
                rest = &after[next..];
            }
        }
        out.push_str(rest);
        (Tag::Str, out)
    }

    fn lookup(&mut self, name: &str) -> (Tag, String) {
        match self.values.get(name) {
            Some(Content::Scalar(tag, text)) => {
                self.used.insert(name.to_owned());
                (tag.clone(), text.clone())
            }
            _ => (Tag::Str, format!("$({name})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_expands_and_types_stay() {
        let values = BTreeMap::from([
            ("A".to_owned(), Content::Scalar(Tag::Str, "x".to_owned())),
            ("N".to_owned(), Content::Scalar(Tag::Int, "5".to_owned())),
        ]);
        let mut replacer = Replacer {
            values,
            used: BTreeSet::new(),
        };
        let mut text = |input: &str| replacer.expand(input);
        assert_eq!(text("$(A)-$(N)$"), (Tag::Str, "x-5$".to_owned()));
        assert_eq!(text("$(N)"), (Tag::Int, "5".to_owned()));
        assert_eq!(
            text("$$(A) $(none) $x $(A"),
            (Tag::Str, "$(A) $(none) $x $(A".to_owned())
        );
    }

    #[test]
    fn an_index_is_a_part_of_its_own() {
        assert_eq!(split_index("ports[0]".to_owned()), ["ports", "0"]);
        assert_eq!(split_index("a[b]".to_owned()), ["a[b]"]);
    }
}
