//! Objects from YAML files: documents apart, anchors resolved, lists unfolded, and each object with
//! kind and name. In: bytes. Out: objects in the order of the text.

use std::rc::Rc;

use crate::error::{Code, Error, Outcome, fail};
use crate::node::{Id, Kind, Tag, Tree};
use crate::resource::{self, Resource};
use crate::world::World;
use crate::yaml;

/// Deepest chain of aliases and nesting that is followed.
const DEPTH: usize = 1_000;
/// Most nodes that the aliases of one text may expand to.
const ALIAS_NODES: usize = 500_000;

/// Reads the objects of a text.
///
/// # Errors
/// It is not YAML, or an object has no kind or no name.
pub(crate) fn objects(world: &mut World<'_>, bytes: &[u8]) -> Outcome<Vec<Resource>> {
    let tree = &mut world.tree;
    let mut nodes = Vec::new();
    for id in documents(tree, bytes)? {
        keep_good(tree, id, &mut nodes)?;
    }
    let mut objects = Vec::with_capacity(nodes.len());
    let mut rest: std::collections::VecDeque<Id> = nodes.into();
    while let Some(id) = rest.pop_front() {
        match list_items(tree, id)? {
            None => objects.push(Resource::new(id)),
            Some(items) => rest.extend(items),
        }
    }
    Ok(objects)
}

/// Adds the file's name to an error of reading it, in kustomize's words.
pub(crate) fn in_file(mut error: Box<Error>, path: &str, full: &str) -> Box<Error> {
    if error.malformed {
        error.message = format!("{} in File: {path}", error.message);
    }
    error.in_file(full)
}

fn documents(tree: &mut Tree, bytes: &[u8]) -> Outcome<Vec<Id>> {
    let text: std::borrow::Cow<'_, [u8]> = if bytes.windows(2).any(|pair| pair == b"\r\n") {
        let mut out = Vec::with_capacity(bytes.len());
        for (i, &b) in bytes.iter().enumerate() {
            if !(b == b'\r' && bytes.get(i + 1) == Some(&b'\n')) {
                out.push(b);
            }
        }
        out.into()
    } else {
        bytes.into()
    };
    let parts = split(&text)?;
    let only = parts.len() == 1;
    let mut all = Vec::new();
    for (part, first_line) in parts {
        let parsed = yaml::parse_at(tree, part, first_line).map_err(malformed)?;
        let Some(id) = parsed.map(|id| tree.unwrap(id)) else {
            continue;
        };
        if tree.is_null(Some(id)) {
            continue;
        }
        let kind = resource::text_of(tree, id, "kind");
        let wraps = only && matches!(&*kind, "ResourceList" | "List");
        match tree.field(id, "items") {
            Some((_, items)) if wraps => all.extend(tree[items].content.clone()),
            None if wraps && tree.field(id, "functionConfig").is_some() => {}
            _ => all.push(id),
        }
    }
    let mut anchors = Anchors {
        tree,
        depth: 0,
        expanded: 0,
    };
    for id in &mut all {
        *id = anchors.resolve(*id)?;
    }
    Ok(all)
}

fn malformed(error: Box<Error>) -> Box<Error> {
    let mut error = error.wrap("MalformedYAMLError");
    error.malformed = true;
    error
}

/// Splits at lines that start with `---`. With each part comes the line it starts at, from 0.
fn split(text: &[u8]) -> Outcome<Vec<(&[u8], u32)>> {
    let mut parts = Vec::new();
    let (mut from, mut line, mut from_line) = (0, 0, 0);
    let mut at = 0;
    while let Some(end) = text[at..].iter().position(|b| *b == b'\n').map(|i| at + i) {
        line += 1;
        let next = &text[end + 1..];
        let separator_end = next.iter().position(|b| *b == b'\n');
        if let Some(length) = separator_end.filter(|_| next.starts_with(b"---")) {
            let rest = next[3..length].trim_ascii();
            if !rest.is_empty() && rest[0] != b'#' {
                let shown = String::from_utf8_lossy(next[..length].trim_ascii()).into_owned();
                let mut error = Error::new(
                    Code::YamlInvalid,
                    format!("invalid document separator: {shown}"),
                );
                error.line = Some(line + 1);
                return Err(error);
            }
            parts.push((&text[from..=end], from_line));
            from = end + 1 + length + 1;
            // Go's expression takes the line breaks on both sides: the next separator needs its own.
            line += 1;
            from_line = line;
            at = from;
            continue;
        }
        at = end + 1;
    }
    parts.push((&text[from..], from_line));
    Ok(parts)
}

fn keep_good(tree: &mut Tree, id: Id, good: &mut Vec<Id>) -> Outcome<()> {
    if !tree.is_empty(Some(id)) {
        check(tree, id)?;
        good.push(id);
    }
    Ok(())
}

/// Fails unless an object has a kind and, if it is not a list, a name.
pub(crate) fn check(tree: &Tree, id: Id) -> Outcome<()> {
    let text = |name| {
        tree.field(id, name)
            .filter(|(_, v)| !tree.is_empty(Some(*v)))
            .map(|(_, v)| tree.value(Some(v)))
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let meta = tree
        .field(id, "metadata")
        .map(|(_, v)| v)
        .filter(|v| !tree.is_empty(Some(*v)));
    let known = |meta: Id| {
        ["name", "namespace", "labels", "annotations"]
            .iter()
            .any(|name| {
                tree.field(meta, name)
                    .is_some_and(|(_, v)| !tree.is_empty(Some(v)))
            })
    };
    let place = |mut error: Box<Error>| {
        error.line = Some(tree[id].line).filter(|line| *line > 0);
        error.column = Some(tree[id].column).filter(|column| *column > 0);
        error
    };
    if api_version.is_none() && kind.is_none() && !meta.is_some_and(known) {
        return Err(place(fail!(ObjectInvalid, "missing Resource metadata")));
    }
    let kind = kind.unwrap_or_else(|| Rc::from(""));
    if kind.is_empty() {
        return Err(place(fail!(
            ObjectInvalid,
            "missing kind in object {}",
            describe(tree, id)
        )));
    }
    if !kind.ends_with("List") && resource::metadata_text(tree, id, "name").is_empty() {
        return Err(place(fail!(
            ObjectInvalid,
            "missing metadata.name in object {}",
            describe(tree, id)
        )));
    }
    Ok(())
}

/// An object's metadata as Go prints the struct.
fn describe(tree: &Tree, id: Id) -> String {
    let map = |name| {
        let all = resource::metadata_map(tree, id, name);
        let parts: Vec<String> = all
            .iter()
            .map(|(key, value)| format!("{key}:{value}"))
            .collect();
        format!("map[{}]", parts.join(" "))
    };
    format!(
        "{{{{{} {}}} {{{{{} {}}} {} {}}}}}",
        resource::text_of(tree, id, "apiVersion"),
        resource::text_of(tree, id, "kind"),
        resource::metadata_text(tree, id, "name"),
        resource::metadata_text(tree, id, "namespace"),
        map("labels"),
        map("annotations"),
    )
}

/// The objects of a list of objects; nothing if it is no list.
fn list_items(tree: &mut Tree, id: Id) -> Outcome<Option<Vec<Id>>> {
    let kind = resource::text_of(tree, id, "kind");
    if !kind.ends_with("List") {
        return Ok(None);
    }
    let Some((_, items)) = tree.field(id, "items") else {
        return Ok(None);
    };
    if tree.is_null(Some(items)) {
        return Ok(Some(Vec::new()));
    }
    if tree[items].kind != Kind::Sequence {
        let found = if tree[items].kind == Kind::Mapping {
            "map[string]interface {}"
        } else {
            "string"
        };
        return Err(fail!(
            ObjectInvalid,
            "expected array in {kind}/items, but found {found}"
        ));
    }
    let mut inner = Vec::new();
    for item in tree[items].content.clone() {
        // Through JSON, as upstream: styles and comments are gone, keys are sorted.
        let value = yaml::to_value(tree, item)?;
        let text = crate::json::text(&value, None);
        for id in documents(tree, text.as_bytes())? {
            keep_good(tree, id, &mut inner)?;
        }
    }
    Ok(Some(inner))
}

/// Puts in place of every alias a copy of what it names, and merges what `<<` names.
struct Anchors<'a> {
    tree: &'a mut Tree,
    depth: usize,
    /// Nodes that aliases have expanded to.
    expanded: usize,
}

impl Anchors<'_> {
    fn resolve(&mut self, id: Id) -> Outcome<Id> {
        self.depth += 1;
        if self.depth > DEPTH || self.expanded > ALIAS_NODES {
            return Err(fail!(
                LimitExceeded,
                "aliases expand to more than {ALIAS_NODES} nodes, or nest deeper than {DEPTH}"
            )
            .advise("write out what the anchors stand for, or use fewer aliases"));
        }
        self.tree[id].anchor = None;
        let resolved = match self.tree[id].kind {
            Kind::Alias => match self.tree[id].alias {
                Some(target) => {
                    let target = self.resolve(target)?;
                    let before = self.tree.len();
                    let copy = self.tree.copy(target);
                    self.expanded += self.tree.len() - before;
                    copy
                }
                None => id,
            },
            Kind::Mapping => {
                self.merge(id)?;
                self.resolve_content(id)?
            }
            Kind::Sequence | Kind::Document => self.resolve_content(id)?,
            Kind::Scalar | Kind::Zero => id,
        };
        self.depth -= 1;
        Ok(resolved)
    }

    fn resolve_content(&mut self, id: Id) -> Outcome<Id> {
        for i in 0..self.tree[id].content.len() {
            let child = self.tree[id].content[i];
            let resolved = self.resolve(child)?;
            self.tree[id].content[i] = resolved;
        }
        Ok(id)
    }

    fn merge(&mut self, id: Id) -> Outcome<()> {
        let merges: Vec<Id> = self
            .tree
            .pairs(id)
            .filter(|(key, _)| self.tree[*key].tag == Tag::Merge)
            .map(|(_, value)| value)
            .collect();
        let value = match merges.as_slice() {
            [] => return Ok(()),
            [one] => *one,
            _ => return Err(fail!(YamlInvalid, "duplicate merge key")),
        };
        let sources = self.merge_sources(value)?;
        self.tree.clear(id, "<<")?;
        let own = self.tree.copy(id);
        for source in sources.into_iter().chain([own]) {
            self.add_fields(id, source)?;
        }
        Ok(())
    }

    fn merge_sources(&self, value: Id) -> Outcome<Vec<Id>> {
        let node = &self.tree[value];
        match node.kind {
            Kind::Mapping => Ok(vec![value]),
            Kind::Alias => match node
                .alias
                .filter(|target| self.tree[*target].kind == Kind::Mapping)
            {
                Some(target) => Ok(vec![target]),
                None => Err(fail!(
                    YamlInvalid,
                    "invalid map merge: received alias for a non-map value"
                )),
            },
            Kind::Sequence => {
                let mut all = Vec::new();
                for &item in &node.content {
                    if self.tree[item].kind == Kind::Sequence {
                        return Err(fail!(
                            YamlInvalid,
                            "invalid map merge: received a nested sequence"
                        ));
                    }
                    let mut found = self.merge_sources(item)?;
                    found.append(&mut all);
                    all = found;
                }
                Ok(all)
            }
            _ => Err(fail!(
                YamlInvalid,
                "map merge requires map or sequence of maps as the value"
            )),
        }
    }

    /// Sets every field of `from`, key and value, in `to`.
    fn add_fields(&mut self, to: Id, from: Id) -> Outcome<()> {
        let copy = self.tree.copy(from);
        let pairs: Vec<(Id, Id)> = self.tree.pairs(copy).collect();
        for (key, value) in pairs {
            let name = self.tree[key].value.clone();
            let found = self.tree[to]
                .content
                .chunks_exact(2)
                .position(|pair| self.tree[pair[0]].value == name);
            match found {
                Some(i) => self.tree[to].content[2 * i..2 * i + 2].copy_from_slice(&[key, value]),
                None => self.tree[to].content.extend([key, value]),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(String, u32)> {
        let parts = split(text.as_bytes()).expect("separators");
        parts
            .into_iter()
            .map(|(part, line)| (String::from_utf8_lossy(part).into_owned(), line))
            .collect()
    }

    #[test]
    fn documents_end_at_separators_on_lines_of_their_own() {
        assert_eq!(
            parts("a: 1\n---\nb: 2\n"),
            [("a: 1\n".to_owned(), 0), ("b: 2\n".to_owned(), 2)]
        );
        assert_eq!(parts("---\na: 1\n"), [("---\na: 1\n".to_owned(), 0)]);
        assert_eq!(
            parts("a: 1\n--- # x\nb: 2"),
            [("a: 1\n".to_owned(), 0), ("b: 2".to_owned(), 2)]
        );
        assert!(split(b"a: 1\n--- x\nb: 2").is_err());
    }

    #[test]
    fn aliases_expand_up_to_the_limit() {
        let options = crate::Options::default();
        let read = |items: usize, aliases: usize| {
            let items = vec!["1"; items].join(",");
            let aliases = vec!["*a"; aliases].join(",");
            let text = format!(
                "apiVersion: v1\nkind: X\nmetadata: {{name: a}}\na: &a [{items}]\nb: [{aliases}]\n"
            );
            objects(&mut World::new(&options), text.as_bytes())
        };
        assert!(read(999, 500).is_ok(), "500 lists of 1,000 nodes");
        let error = read(999, 502).expect_err("one past");
        assert_eq!(error.code, Code::LimitExceeded);
    }
}
