//! The bridge to the YAML crate: text to nodes of the arena and back, and nodes to plain data. In
//! and out: text, nodes, data. Never: a rule of YAML that the crate does not have.

use std::collections::HashMap;
use std::rc::Rc;

use bulkhead_yaml::{
    Dialect, EmitOptions, Limits, Node as Parsed, Scalar, Source, Style, Value as Data, View,
    emit_all, emit_value, kyaml, parse_first, resolve, sigs,
};

use crate::error::{Error, Outcome, fail};
use crate::node::{Id, Kind, Node, Notes, Tag, Tree, style};

pub(crate) use serde_json::Value;

/// An error of the YAML crate as ours; `first_line` is the line that the text starts at, from 0.
pub(crate) fn error(error: &bulkhead_yaml::Error, first_line: u32) -> Box<Error> {
    let mut ours = fail!(YamlInvalid, "{error}");
    if error.line > 0 {
        ours.line = Some(error.line + first_line);
        ours.column = Some(error.column).filter(|column| *column > 0);
    }
    ours
}

/// Reads the first document of a text into the arena; nothing when there is none.
pub(crate) fn parse_one(tree: &mut Tree, text: &str) -> Outcome<Option<Id>> {
    let parsed = parse_first(text, Dialect::V3, &Limits::DEFAULT).map_err(|e| error(&e, 0))?;
    Ok(parsed.map(|node| adopt(tree, node, 0)))
}

/// As [`parse_one`], from bytes; lines are counted from `first_line`.
pub(crate) fn parse_at(tree: &mut Tree, text: &[u8], first_line: u32) -> Outcome<Option<Id>> {
    let parsed =
        parse_first(text, Dialect::V3, &Limits::DEFAULT).map_err(|e| error(&e, first_line))?;
    Ok(parsed.map(|node| adopt(tree, node, first_line)))
}

/// Moves a parsed document into the arena.
fn adopt(tree: &mut Tree, node: Parsed, first_line: u32) -> Id {
    Adopter {
        tree,
        anchors: HashMap::new(),
        first_line,
        flow_depth: 0,
    }
    .node(node)
}

struct Adopter<'a> {
    tree: &'a mut Tree,
    anchors: HashMap<u32, Id>,
    first_line: u32,
    /// Collections in braces or brackets around the node.
    flow_depth: u32,
}

impl Adopter<'_> {
    fn node(&mut self, parsed: Parsed) -> Id {
        let has_notes = !(parsed.head_comment.is_empty()
            && parsed.line_comment.is_empty()
            && parsed.foot_comment.is_empty());
        let notes = has_notes.then(|| {
            Box::new(Notes {
                head: parsed.head_comment,
                line: parsed.line_comment,
                foot: parsed.foot_comment,
            })
        });
        let is_alias = parsed.kind == bulkhead_yaml::Kind::Alias;
        let mut style = parsed.style.0;
        let tag = Tag::from_text(&parsed.tag);
        // In braces nothing at all cannot be written plain: Go's writer quotes it, so that kustomize
        // prints an empty text (go-yaml v3, emitterc.go, yaml_emitter_select_scalar_style).
        if self.flow_depth > 0 && tag == Tag::Null && parsed.value.is_empty() {
            style |= style::SINGLE;
        }
        let is_flow = Style(style).has(Style::FLOW);
        let id = self.tree.add(Node {
            kind: kind_of(parsed.kind),
            style,
            tag,
            value: parsed.value.into(),
            notes,
            anchor: (!parsed.anchor.is_empty()).then(|| Rc::from(parsed.anchor)),
            alias: if is_alias {
                self.anchors.get(&parsed.anchor_id).copied()
            } else {
                None
            },
            line: parsed.line + if parsed.line > 0 { self.first_line } else { 0 },
            column: parsed.column,
            ..Node::default()
        });
        if parsed.anchor_id > 0 && !is_alias {
            self.anchors.insert(parsed.anchor_id, id);
        }
        self.flow_depth += u32::from(is_flow);
        let content: Vec<Id> = parsed
            .content
            .into_iter()
            .map(|child| self.node(child))
            .collect();
        self.flow_depth -= u32::from(is_flow);
        self.tree[id].content = content;
        id
    }
}

fn kind_of(kind: bulkhead_yaml::Kind) -> Kind {
    match kind {
        bulkhead_yaml::Kind::Document => Kind::Document,
        bulkhead_yaml::Kind::Mapping => Kind::Mapping,
        bulkhead_yaml::Kind::Sequence => Kind::Sequence,
        bulkhead_yaml::Kind::Scalar => Kind::Scalar,
        bulkhead_yaml::Kind::Alias => Kind::Alias,
    }
}

/// A node of the arena as the writer sees it.
#[derive(Clone, Copy)]
struct Written<'a> {
    tree: &'a Tree,
    id: Id,
}

impl<'a> Source<'a> for Written<'a> {
    fn view(self) -> View<'a> {
        let node = &self.tree[self.id];
        let notes = node.notes.as_deref();
        View {
            kind: match node.kind {
                Kind::Document => bulkhead_yaml::Kind::Document,
                Kind::Mapping => bulkhead_yaml::Kind::Mapping,
                Kind::Sequence => bulkhead_yaml::Kind::Sequence,
                Kind::Alias => bulkhead_yaml::Kind::Alias,
                Kind::Scalar | Kind::Zero => bulkhead_yaml::Kind::Scalar,
            },
            style: Style(node.style),
            tag: node.tag.text(),
            value: if node.kind == Kind::Zero {
                "null"
            } else {
                &node.value
            },
            anchor: node.anchor.as_deref().unwrap_or(""),
            head_comment: notes.map_or("", |notes| &notes.head),
            line_comment: notes.map_or("", |notes| &notes.line),
            foot_comment: notes.map_or("", |notes| &notes.foot),
        }
    }

    fn len(self) -> usize {
        self.tree[self.id].content.len()
    }

    fn child(self, index: usize) -> Self {
        Self {
            tree: self.tree,
            id: self.tree[self.id].content[index],
        }
    }
}

/// A node as text, as kyaml writes it: comments, order and styles kept.
pub(crate) fn emit(tree: &Tree, id: Id) -> String {
    emit_all([Written { tree, id }], EmitOptions::kyaml())
}

/// Plain data as kyaml writes it.
pub(crate) fn emit_data(data: &Data) -> String {
    emit_value(data, EmitOptions::kyaml())
}

/// An object as `kustomize build` prints it.
///
/// # Errors
/// What JSON cannot have: keys that are not text, keys that come twice, numbers that are none.
pub(crate) fn print(tree: &Tree, id: Id) -> Outcome<String> {
    let data = to_data(tree, id, true)?;
    sigs::to_yaml(&data).map_err(|e| error(&e, 0))
}

/// A value as sigs.k8s.io/yaml prints it, for messages that show a configuration.
pub(crate) fn show(value: &Value) -> String {
    sigs::to_yaml(&from_json(value)).unwrap_or_default()
}

/// Reads YAML as JSON, by the rules of sigs.k8s.io/yaml.
pub(crate) fn to_json(text: &[u8], strict: bool) -> Outcome<Value> {
    let data = sigs::read(text, strict, &Limits::DEFAULT).map_err(|e| error(&e, 0))?;
    json_of(&data)
}

/// A node as JSON.
///
/// # Errors
/// As [`print`].
pub(crate) fn to_value(tree: &Tree, id: Id) -> Outcome<Value> {
    json_of(&to_data(tree, id, true)?)
}

fn json_of(data: &Data) -> Outcome<Value> {
    Ok(match data {
        Data::Null => Value::Null,
        Data::Bool(flag) => Value::Bool(*flag),
        Data::Int(number) => Value::from(*number),
        Data::Uint(number) => Value::from(*number),
        Data::Float(number) => serde_json::Number::from_f64(*number)
            .map(Value::Number)
            .ok_or_else(|| fail!(YamlInvalid, "json: unsupported value: {number}"))?,
        Data::Timestamp(text) | Data::String(text) => Value::String(text.clone()),
        Data::Binary(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        Data::Sequence(items) => Value::Array(items.iter().map(json_of).collect::<Outcome<_>>()?),
        Data::Mapping(entries) | Data::Struct(entries) => {
            let mut fields = serde_json::Map::with_capacity(entries.len());
            for (key, value) in entries {
                let key = key
                    .json_key()
                    .ok_or_else(|| fail!(YamlInvalid, "unsupported map key"))?;
                fields.insert(key, json_of(value)?);
            }
            Value::Object(fields)
        }
    })
}

fn from_json(value: &Value) -> Data {
    match value {
        Value::Null => Data::Null,
        Value::Bool(flag) => Data::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Data::Int(number),
            (None, Some(number)) => Data::Uint(number),
            _ => Data::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Data::String(text.clone()),
        Value::Array(items) => Data::Sequence(items.iter().map(from_json).collect()),
        Value::Object(fields) => Data::Mapping(
            fields
                .iter()
                .map(|(key, value)| (Data::String(key.clone()), from_json(value)))
                .collect(),
        ),
    }
}

/// A number or flag as text, as sigs.k8s.io/yaml makes it where text is wanted.
pub(crate) fn json_text(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            crate::json::float_text_g(number.as_f64().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// Adds JSON to the arena as kyaml does after a JSON patch: through text, keys sorted, every number
/// a float on the way.
pub(crate) fn add_value(tree: &mut Tree, value: &Value) -> Outcome<Id> {
    let text = emit_data(&floats(from_json(value)));
    let id = parse_one(tree, &text)?;
    Ok(id.map(|id| tree.unwrap(id)).unwrap_or_else(|| {
        tree.add(Node {
            tag: Tag::Null,
            ..Node::scalar("null")
        })
    }))
}

fn floats(data: Data) -> Data {
    #[allow(clippy::cast_precision_loss, reason = "Go's JSON decoder loses it too")]
    match data {
        Data::Int(number) => Data::Float(number as f64),
        Data::Uint(number) => Data::Float(number as f64),
        Data::Sequence(items) => Data::Sequence(items.into_iter().map(floats).collect()),
        Data::Mapping(entries) => Data::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| (key, floats(value)))
                .collect(),
        ),
        other => other,
    }
}

/// A node as plain data: what decoding its text would give. At the top, keys are taken as text.
pub(crate) fn to_data(tree: &Tree, id: Id, top: bool) -> Outcome<Data> {
    let id = tree.unwrap(id);
    let node = &tree[id];
    match node.kind {
        Kind::Zero | Kind::Document => Ok(Data::Null),
        Kind::Scalar => scalar(node),
        Kind::Alias => match node.alias {
            Some(target) => to_data(tree, target, false),
            None => Ok(Data::Null),
        },
        Kind::Sequence => Ok(Data::Sequence(
            node.content
                .iter()
                .map(|item| to_data(tree, *item, false))
                .collect::<Outcome<_>>()?,
        )),
        Kind::Mapping => mapping(tree, id, top),
    }
}

/// Up to this many fields, doubles are looked for one by one.
const FEW: usize = 24;

fn mapping(tree: &Tree, id: Id, top: bool) -> Outcome<Data> {
    let count = tree[id].content.len() / 2;
    let mut entries: Vec<(Data, Data)> = Vec::with_capacity(count);
    let mut seen = std::collections::HashSet::new();
    for (key, value) in tree.pairs(id) {
        let node = &tree[key];
        let text = match scalar(node)? {
            Data::String(text) => text,
            _ if top && node.kind == Kind::Scalar => node.value.to_string(),
            _ => {
                return Err(fail!(
                    YamlInvalid,
                    "json: unsupported type: map[interface {{}}]interface {{}}"
                ));
            }
        };
        let double = if count > FEW {
            !seen.insert(node.value.clone())
        } else {
            entries
                .iter()
                .any(|(other, _)| other.as_str() == Some(&text))
        };
        if double {
            let mut error = fail!(
                YamlInvalid,
                "yaml: unmarshal errors:\n  line {}: mapping key {} already defined",
                node.line,
                crate::error::go_quote(&text)
            );
            error.line = Some(node.line).filter(|line| *line > 0);
            return Err(error);
        }
        entries.push((Data::String(text), to_data(tree, value, false)?));
    }
    Ok(Data::Mapping(entries))
}

/// What a scalar stands for once it is written and read again.
fn scalar(node: &Node) -> Outcome<Data> {
    const INDICATED: u8 = style::DOUBLE | style::SINGLE | style::LITERAL | style::FOLDED;
    let text = || Data::String(text_written(node));
    let is_indicated = node.style & INDICATED != 0;
    let plain_tag = || resolve("", &node.value, Dialect::V3).map_or("", |(tag, _)| tag);
    let tag = match &node.tag {
        Tag::Str => return Ok(text()),
        Tag::Empty => "",
        tag if node.style & style::TAGGED == 0 && plain_tag() == tag.text() => "",
        Tag::Merge => return Ok(text()),
        tag => tag.text(),
    };
    if tag.is_empty() && (is_indicated || node.value.contains('\n')) {
        return Ok(text());
    }
    let (_, found) = resolve(tag, &node.value, Dialect::V3)
        .map_err(|e| error(&e, node.line.saturating_sub(1)))?;
    Ok(match found {
        Scalar::Null => Data::Null,
        Scalar::Bool(flag) => Data::Bool(flag),
        Scalar::Int(number) => Data::Int(number),
        Scalar::Uint(number) => Data::Uint(number),
        Scalar::Float(number) => Data::Float(number),
        Scalar::Timestamp(time) => Data::Timestamp(time),
        Scalar::Merge | Scalar::String => text(),
    })
}

/// The text of a scalar once it is written and read again. Folded ones change on the way: go-yaml
/// breaks a line before an indented one twice (v3, emitterc.go, yaml_emitter_write_folded_scalar).
fn text_written(node: &Node) -> String {
    if node.style & style::FOLDED == 0 || !node.value.contains('\n') {
        return node.value.to_string();
    }
    let mut tree = Tree::default();
    let key = tree.add(Node::scalar("key"));
    let value = tree.add(Node {
        style: node.style,
        tag: Tag::Str,
        ..Node::scalar(&node.value)
    });
    let mapping = tree.add(Node {
        kind: Kind::Mapping,
        content: vec![key, value],
        ..Node::default()
    });
    let written = emit(&tree, mapping);
    let read = parse_one(&mut tree, &written).ok().flatten();
    let value = read.and_then(|id| tree[tree.unwrap(id)].content.get(1).copied());
    value.map_or_else(|| node.value.to_string(), |id| tree[id].value.to_string())
}

/// Whether a reader of YAML 1.1 takes a text for something other than text.
pub(crate) fn is_typed_in_1_1(text: &str) -> bool {
    if !is_one_word(text) {
        return kyaml::is_value_non_string(text);
    }
    !matches!(
        resolve("", text, Dialect::V2),
        Ok((_, Scalar::String | Scalar::Timestamp(_)))
    )
}

/// Whether a text is one plain scalar at first sight.
fn is_one_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'=' | b'+')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        let mut tree = Tree::default();
        let id = parse_one(&mut tree, text)
            .expect("YAML")
            .expect("a document");
        print(&tree, id).expect("data")
    }

    #[test]
    fn objects_print_sorted_and_typed_as_upstream() {
        assert_eq!(
            printed("b: yes\na: 0777\nc: 1.0\nd: \"5\"\ne: ~"),
            "a: 511\nb: \"yes\"\nc: 1\nd: \"5\"\ne: null\n"
        );
    }

    #[test]
    fn old_words_are_typed() {
        for typed in ["yes", "on", "12", "1e3", "null", "0x1f", "a: b", "[]", "~"] {
            assert!(is_typed_in_1_1(typed), "{typed}");
        }
        for text in ["a", "v1.2", "2020-01-01", "", "a b", "x/y"] {
            assert!(!is_typed_in_1_1(text), "{text}");
        }
    }
}
