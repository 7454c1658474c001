//! ConfigMaps and Secrets from literals, files and env files. In: a generator's settings. Out: one
//! object, marked so that its name gets a hash of its content.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::{Context, Error, Outcome, fail, go_list, go_quote};
use crate::kustomization::{Generator, GeneratorOptions};
use crate::load::Loader;
use crate::node::{Id, Kind, Node, Tag, Tree, style};
use crate::resource::{self, Resource, mark};
use crate::world::World;

/// Which kind of object a generator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    ConfigMap,
    Secret,
}

impl Made {
    fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// The name of the plugin that makes it.
    pub(crate) fn plugin(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMapGenerator",
            Self::Secret => "SecretGenerator",
        }
    }
}

/// Makes the object of one generator.
///
/// # Errors
/// It has no name, a key comes twice, or a source cannot be read.
pub(crate) fn make(
    world: &mut World<'_>,
    loader: &Loader<'_>,
    made: Made,
    settings: &Generator,
) -> Outcome<Resource> {
    if settings.name.is_empty() {
        return Err(fail!(GeneratorFailed, "a configmap must have a name"));
    }
    let data = pairs(loader, settings)?;
    let tree = &mut world.tree;
    let object = base(tree, made, settings)?;
    match made {
        Made::ConfigMap => {
            for (key, value) in &data {
                put_config(tree, object, key, value)?;
            }
        }
        Made::Secret => put_secrets(tree, object, &data)?,
    }
    if let Some(options) = &settings.options {
        dress(tree, object, options)?;
    }
    if settings
        .options
        .as_ref()
        .is_none_or(|options| !options.disable_name_suffix_hash)
    {
        resource::enable(tree, object, mark::NEEDS_HASH)?;
    }
    let behavior = match settings.behavior.as_str() {
        known @ ("create" | "replace" | "merge") => known,
        _ => "unspecified",
    };
    resource::put_annotation(tree, object, mark::BEHAVIOR, behavior)?;
    Ok(Resource::new(object))
}

fn base(tree: &mut Tree, made: Made, settings: &Generator) -> Outcome<Id> {
    // Read from text, as upstream: other kinds are hashed with the places of their nodes.
    let text = format!("\napiVersion: v1\nkind: {}\n", made.kind());
    let parsed = crate::yaml::parse_one(tree, &text)?;
    let object = match parsed {
        Some(document) => tree.unwrap(document),
        None => tree.add(Node::of(Kind::Mapping)),
    };
    for (name, value) in [("name", &settings.name), ("namespace", &settings.namespace)] {
        if !value.is_empty() {
            let value = tree.add_string(value);
            tree.set_at(object, &["metadata", name], value)?;
        }
    }
    if made == Made::Secret {
        let kind = if settings.secret_type.is_empty() {
            "Opaque"
        } else {
            &settings.secret_type
        };
        let kind = tree.add_string(kind);
        tree.set_field(object, "type", Some(kind))?;
    }
    Ok(object)
}

fn dress(tree: &mut Tree, object: Id, options: &GeneratorOptions) -> Outcome<()> {
    for (key, value) in &options.labels {
        resource::set_metadata_text(tree, object, "labels", key, value)?;
    }
    for (key, value) in &options.annotations {
        resource::set_annotation(tree, object, key, value)?;
    }
    if options.immutable {
        let flag = tree.add(Node {
            tag: Tag::Bool,
            ..Node::scalar("true")
        });
        tree.set_field(object, "immutable", Some(flag))?;
    }
    Ok(())
}

/// The options of one generator, completed by those of all.
pub(crate) fn merge_options(
    own: Option<GeneratorOptions>,
    all: Option<&GeneratorOptions>,
) -> Option<GeneratorOptions> {
    let Some(all) = all else { return own };
    let mut own = own.unwrap_or_default();
    for (mine, theirs) in [
        (&mut own.labels, &all.labels),
        (&mut own.annotations, &all.annotations),
    ] {
        for (key, value) in theirs {
            mine.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    own.disable_name_suffix_hash |= all.disable_name_suffix_hash;
    own.immutable |= all.immutable;
    Some(own)
}

/// Longest line of an env file, in bytes: at a longer one kustomize stops reading.
const ENV_LINE_BYTES: usize = 64 * 1024 - 1;

fn pairs(loader: &Loader<'_>, settings: &Generator) -> Outcome<BTreeMap<String, Vec<u8>>> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for path in &settings.envs {
        let content = loader
            .load(path)
            .and_then(|content| env_pairs(&content, &mut all));
        content.map_err(|error| source_error(error, "env source files: ", &settings.envs))?;
    }
    for literal in &settings.literals {
        let pair = literal_pair(literal);
        all.push(
            pair.map_err(|error| source_error(error, "literal sources ", &settings.literals))?,
        );
    }
    for source in &settings.files {
        let pair = file_key(source).and_then(|(key, path)| Ok((key, loader.load(&path)?)));
        all.push(pair.map_err(|error| source_error(error, "file sources: ", &settings.files))?);
    }
    let mut data = BTreeMap::new();
    for (key, value) in all {
        if data.contains_key(&key) {
            let name = &settings.name;
            return Err(fail!(
                GeneratorFailed,
                "configmap {name} illegally repeats the key `{key}`"
            ));
        }
        data.insert(key, value);
    }
    Ok(data)
}

fn source_error(error: Box<Error>, what: &str, sources: &[String]) -> Box<Error> {
    error
        .wrap(format!("{what}{}", go_list(sources)))
        .wrap("loading KV pairs")
}

fn env_pairs(content: &[u8], all: &mut Vec<(String, Vec<u8>)>) -> Outcome<()> {
    let mut lines = content.split(|b| *b == b'\n').peekable();
    let mut first = true;
    while let Some(line) = lines.next() {
        if (line.is_empty() && lines.peek().is_none()) || line.len() > ENV_LINE_BYTES {
            return Ok(());
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(mut text) = std::str::from_utf8(line) else {
            let shown = String::from_utf8_lossy(line).into_owned();
            return Err(fail!(
                GeneratorFailed,
                "line {line:?} has invalid utf8 bytes : {shown}"
            ));
        };
        if std::mem::take(&mut first) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        let text = text.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if !key.is_empty() {
            all.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(())
}

fn literal_pair(source: &str) -> Outcome<(String, Vec<u8>)> {
    match source.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let quoted = |q: char| value.len() >= 2 && value.starts_with(q) && value.ends_with(q);
            let value = if quoted('"') || quoted('\'') {
                &value[1..value.len() - 1]
            } else {
                value
            };
            Ok((key.to_owned(), value.as_bytes().to_vec()))
        }
        _ => Err(fail!(
            GeneratorFailed,
            "invalid literal source {source}, expected key=value"
        )),
    }
}

fn file_key(source: &str) -> Outcome<(String, String)> {
    let quoted = go_quote(source);
    match source.matches('=').count() {
        0 => Ok((base_name(source).to_owned(), source.to_owned())),
        1 if source.starts_with('=') => {
            let path = go_quote(&source[1..]);
            Err(fail!(
                GeneratorFailed,
                "missing key name for file path {path} in source {quoted}"
            ))
        }
        1 if source.ends_with('=') => {
            let key = go_quote(&source[..source.len() - 1]);
            Err(fail!(
                GeneratorFailed,
                "missing file path for key name {key} in source {quoted}"
            ))
        }
        1 => {
            let (key, path) = source.split_once('=').unwrap_or((source, ""));
            Ok((key.to_owned(), path.to_owned()))
        }
        _ => Err(fail!(
            GeneratorFailed,
            "source {quoted} key name or file path contains '='"
        )),
    }
}

/// The last part of a path, as Go's `path.Base` gives it.
pub(crate) fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => {
            if path.is_empty() {
                "."
            } else {
                "/"
            }
        }
        Some(name) => name,
    }
}

fn put_config(tree: &mut Tree, object: Id, key: &str, value: &[u8]) -> Outcome<()> {
    let (field, text) = match std::str::from_utf8(value) {
        Ok(text) => ("data", text.to_owned()),
        Err(_) => ("binaryData", encode_base64(value)),
    };
    let text = tree.add_string(&text);
    tree.set_at(object, &[field, key], text).map(drop)
}

fn put_secrets(tree: &mut Tree, object: Id, data: &BTreeMap<String, Vec<u8>>) -> Outcome<()> {
    let Some(map) = tree.lookup_create(object, Kind::Mapping, &["data"])? else {
        return Ok(());
    };
    for (key, value) in data {
        let text = tree.add_string(&encode_base64(value));
        tree.set_field(map, key, Some(text))?;
    }
    Ok(())
}

/// `data` or `binaryData` of an object.
pub(crate) fn data_map(
    tree: &mut Tree,
    object: Id,
    field: &str,
) -> Outcome<BTreeMap<Rc<str>, Rc<str>>> {
    let Some(map) = tree.lookup(object, &[field])? else {
        return Ok(BTreeMap::new());
    };
    let mut data = BTreeMap::new();
    let pairs: Vec<(Id, Id)> = tree.pairs(map).collect();
    for (key, value) in pairs {
        let value = tree.value(Some(value));
        data.entry(tree.value(Some(key))).or_insert(value);
    }
    Ok(data)
}

/// Replaces `data` or `binaryData` of an object.
pub(crate) fn set_data_map(
    tree: &mut Tree,
    object: Id,
    field: &str,
    data: &BTreeMap<Rc<str>, Rc<str>>,
) -> Outcome<()> {
    tree.clear(object, field)?;
    for (key, value) in data {
        let style = if value.contains('\n') {
            style::LITERAL
        } else {
            0
        };
        let value = tree.add(Node {
            tag: Tag::Str,
            style,
            ..Node::scalar(value)
        });
        if let Some(map) = tree.lookup_create(object, Kind::Mapping, &[field])? {
            tree.set_field(map, key, Some(value))?;
        }
    }
    Ok(())
}

/// A copy of a Secret with its `stringData` encoded into `data`.
pub(crate) fn fold_string_data(tree: &mut Tree, object: Id) -> Outcome<Id> {
    let copy = tree.copy(object);
    let found = tree.lookup(copy, &["stringData"])?;
    if let Some(map) = found.filter(|map| !tree.is_null(Some(*map))) {
        tree.expect(map, Kind::Mapping)?;
        let mut data = BTreeMap::new();
        for (key, value) in tree.pairs(map) {
            let key = tree.value(Some(key));
            if tree[value].kind != Kind::Scalar {
                return Err(fail!(
                    GeneratorFailed,
                    "stringData value for key {} must be a scalar",
                    go_quote(&key)
                ));
            }
            data.insert(key.to_string(), tree.value(Some(value)).as_bytes().to_vec());
        }
        put_secrets(tree, copy, &data).context(|| "encode stringData".to_owned())?;
    }
    tree.clear(copy, "stringData")?;
    Ok(copy)
}

/// Characters in a line of base64 text, where there is more than one line.
const BASE64_LINE: usize = 70;

/// Base64; from 70 characters on in lines.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4 * 71 / 70 + 2);
    let total = bytes.len().div_ceil(3) * 4;
    let mut column = 0;
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let c = if i <= chunk.len() {
                ALPHABET[(n >> (18 - 6 * i)) as usize & 63]
            } else {
                b'='
            };
            text.push(char::from(c));
            column += 1;
            if total >= BASE64_LINE && column == BASE64_LINE {
                text.push('\n');
                column = 0;
            }
        }
    }
    if total >= BASE64_LINE && column > 0 {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_breaks_lines_from_seventy_characters_on() {
        assert_eq!(encode_base64(b"a"), "YQ==");
        assert_eq!(encode_base64(&[0; 51]).len(), 68);
        assert!(!encode_base64(&[0; 51]).contains('\n'));
        let lines = encode_base64(&[0; 105]);
        assert_eq!(lines.len(), 142);
        assert!(lines.ends_with('\n'));
    }

    #[test]
    fn quotes_around_a_literal_go() {
        let pair = |source| literal_pair(source).expect("a pair");
        assert_eq!(pair("a=\"b c\""), ("a".to_owned(), b"b c".to_vec()));
        assert_eq!(pair("a='"), ("a".to_owned(), b"'".to_vec()));
        assert!(literal_pair("=b").is_err());
    }

    #[test]
    fn an_env_file_is_read_to_the_line_that_is_too_long() {
        let mut text = b"a=1\n".to_vec();
        let long = |n: usize| [b"b=".as_slice(), &vec![b'x'; n - 2], b"\n"].concat();
        let count = |text: &[u8]| {
            let mut all = Vec::new();
            env_pairs(text, &mut all).expect("readable");
            all.len()
        };
        text.extend(long(ENV_LINE_BYTES));
        assert_eq!(count(&text), 2);
        text.extend(long(ENV_LINE_BYTES + 1));
        text.extend(b"c=1\n");
        assert_eq!(count(&text), 2);
    }
}
