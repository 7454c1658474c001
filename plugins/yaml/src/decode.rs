//! Nodes to plain data, as go-yaml decodes into `interface{}`: aliases expanded, `<<` merged,
//! double keys refused (v3) or the last one taken (v2). In: a document. Out: a [`Value`].

use std::collections::{HashMap, HashSet};

use crate::entries::{Entries, FEW, identity};
use crate::node::{Kind, Node, Style};
use crate::resolve::{self, Scalar};
use crate::value::Value;
use crate::{Dialect, Error, Limits, go_text};

/// Most double keys that one error lists.
const MAX_PROBLEMS: usize = 100;

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Whose rules to follow.
    pub dialect: Dialect,
    /// Whether a double key is an error in v2 too (`UnmarshalStrict`).
    pub strict: bool,
    /// Deepest nesting after aliases are expanded.
    pub depth: usize,
}

impl DecodeOptions {
    /// go-yaml v3's rules.
    pub const V3: Self = Self {
        dialect: Dialect::V3,
        strict: false,
        depth: Limits::DEFAULT.depth,
    };
    /// go-yaml v2's rules.
    pub const V2: Self = Self {
        dialect: Dialect::V2,
        ..Self::V3
    };
}

/// Turns a document into plain data. A node from [`crate::parse`] can be decoded by either
/// generation's rules, except `! text`, which keeps its v3 meaning.
///
/// # Errors
/// What go-yaml refuses: double keys, tags that do not fit, aliases that blow up or loop.
pub fn decode(document: &Node, options: DecodeOptions) -> Result<Value, Error> {
    let mut anchors = HashMap::new();
    collect_anchors(document, &mut anchors);
    let mut decoder = Decoder {
        options,
        anchors,
        aliases: Vec::new(),
        decode_count: 0,
        alias_count: 0,
        depth: 0,
        problems: Vec::new(),
        merged: None,
    };
    let value = decoder.value(document.root())?;
    match decoder.problems.is_empty() {
        true => Ok(value),
        false => Err(Error::from_problems(&decoder.problems)),
    }
}

fn collect_anchors<'n>(node: &'n Node, anchors: &mut HashMap<u32, &'n Node>) {
    if node.anchor_id != 0 && node.kind != Kind::Alias {
        anchors.insert(node.anchor_id, node);
    }
    node.content
        .iter()
        .for_each(|child| collect_anchors(child, anchors));
}

struct Decoder<'n> {
    options: DecodeOptions,
    anchors: HashMap<u32, &'n Node>,
    /// The aliases that are being expanded.
    aliases: Vec<*const Node>,
    decode_count: usize,
    alias_count: usize,
    depth: usize,
    problems: Vec<(u32, String)>,
    /// Keys that a merge must leave alone; nothing outside merges.
    merged: Option<HashSet<String>>,
}

impl<'n> Decoder<'n> {
    fn is_v3(&self) -> bool {
        self.options.dialect == Dialect::V3
    }

    /// Counts one step against go-yaml's bound on what aliases may add.
    fn count(&mut self) -> Result<(), Error> {
        self.decode_count += 1;
        if self.aliases.is_empty() {
            return Ok(());
        }
        self.alias_count += 1;
        let ratio = self.alias_count as f64 / self.decode_count as f64;
        if self.alias_count > 100
            && self.decode_count > 1000
            && ratio > allowed_alias_ratio(self.decode_count)
        {
            return Err(Error::new("document contains excessive aliasing"));
        }
        Ok(())
    }

    fn target(&self, alias: &Node) -> Result<&'n Node, Error> {
        let found = self.anchors.get(&alias.anchor_id).copied();
        found.ok_or_else(|| Error::new(format!("unknown anchor '{}' referenced", alias.value)))
    }

    /// Runs `inside` with the target of an alias.
    fn expand<T>(
        &mut self,
        alias: &'n Node,
        inside: impl FnOnce(&mut Self, &'n Node) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let pointer = std::ptr::from_ref(alias);
        if self.aliases.contains(&pointer) {
            let message = format!("anchor '{}' value contains itself", alias.value);
            return Err(Error::new(message));
        }
        let target = self.target(alias)?;
        self.aliases.push(pointer);
        let result = inside(self, target);
        self.aliases.pop();
        result
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > self.options.depth + 1 {
            return Err(Error::new(format!(
                "exceeded max depth of {}",
                self.options.depth
            )));
        }
        Ok(())
    }

    fn value(&mut self, node: &'n Node) -> Result<Value, Error> {
        self.count()?;
        match node.kind {
            Kind::Alias => {
                self.enter()?;
                let value = self.expand(node, Self::value)?;
                self.depth -= 1;
                Ok(value)
            }
            Kind::Scalar => self.scalar(node),
            Kind::Sequence => {
                self.enter()?;
                let mut items = Vec::with_capacity(node.content.len());
                for child in &node.content {
                    items.push(self.value(child)?);
                }
                self.depth -= 1;
                Ok(Value::Sequence(items))
            }
            Kind::Mapping => {
                self.enter()?;
                let mut entries = Entries::default();
                let text_keys = self.is_v3() && self.has_text_keys(node)?;
                self.mapping(node, &mut entries, text_keys)?;
                self.depth -= 1;
                Ok(Value::Mapping(entries.list))
            }
            Kind::Document => Ok(Value::Null),
        }
    }

    fn scalar(&mut self, node: &Node) -> Result<Value, Error> {
        let text = || Value::String(node.value.clone());
        let dialect = self.options.dialect;
        let tagged = node.style.has(Style::TAGGED);
        if node.indicated_string() && (self.is_v3() || tagged || node.style.has(Style::INDICATED)) {
            return Ok(text());
        }
        if !self.is_v3() && node.tag == "!" {
            return Ok(text());
        }
        // What the v3 parser found for a plain scalar says nothing about v2.
        let tag = match node.tag.as_ref() {
            "!" => "",
            _ if !self.is_v3() && !tagged => "",
            tag => resolve::short(tag),
        };
        let (tag, found) = resolve::resolve(tag, &node.value, dialect)?;
        Ok(match found {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(number) => Value::Int(number),
            Scalar::Uint(number) => Value::Uint(number),
            Scalar::Float(number) => Value::Float(number),
            Scalar::Timestamp(time) if self.is_v3() => Value::Timestamp(time),
            Scalar::String if tag == resolve::BINARY => go_text::binary(&node.value)?,
            Scalar::Timestamp(_) | Scalar::Merge | Scalar::String => text(),
        })
    }

    /// Whether all keys are text, so that Go makes a `map[string]interface{}`.
    fn has_text_keys(&self, node: &Node) -> Result<bool, Error> {
        for (key, _) in node.entries() {
            let tag = match key.kind {
                Kind::Alias => self.target(key)?.short_tag(),
                _ => key.short_tag(),
            };
            if tag != resolve::STR && tag != resolve::MERGE {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_merge(&self, key: &Node) -> bool {
        let tag = resolve::short(&key.tag);
        let plain = if self.is_v3() {
            tag.is_empty() || tag == "!"
        } else {
            tag == "!" || !key.style.has(Style::TAGGED | Style::INDICATED)
        };
        key.kind == Kind::Scalar && key.value == "<<" && (plain || tag == resolve::MERGE)
    }

    /// Adds what a mapping says to `entries`.
    fn mapping(
        &mut self,
        node: &'n Node,
        entries: &mut Entries,
        text_keys: bool,
    ) -> Result<(), Error> {
        if self.is_v3() && self.find_double_keys(node) {
            return Ok(());
        }
        let merged = self.merged.take();
        let mut merged = merged;
        let mut merge = None;
        for (key, value) in node.entries() {
            if self.is_merge(key) {
                match self.options.dialect {
                    Dialect::V3 => merge = Some(value),
                    Dialect::V2 => self.merge_v2(value, entries)?,
                }
                continue;
            }
            let Some(found) = self.key(key, text_keys)? else {
                continue;
            };
            if let Some(merged) = &mut merged
                && !merged.insert(identity(&found))
            {
                continue;
            }
            if matches!(found, Value::Mapping(_) | Value::Sequence(_)) {
                let found = go_text::syntax(&found, self.options.dialect);
                return Err(Error::new(format!("invalid map key: {found}")));
            }
            let decoded = self.value(value)?;
            if self.options.strict && !self.is_v3() && entries.position(&found).is_some() {
                let found = go_text::syntax_at_top(&found, self.options.dialect);
                let line = value.line;
                self.problems
                    .push((line, format!("key {found} already set in map")));
                continue;
            }
            entries.set(found, decoded);
        }
        self.merged = merged;
        match merge {
            Some(merge) => self.merge_v3(node, merge, entries, text_keys),
            None => Ok(()),
        }
    }

    /// A key; nothing if it cannot be one of a map with text keys.
    fn key(&mut self, key: &'n Node, text_keys: bool) -> Result<Option<Value>, Error> {
        if !text_keys {
            return self.value(key).map(Some);
        }
        self.count()?;
        let target = match key.kind {
            Kind::Alias => self.target(key)?,
            _ => key,
        };
        match target.kind {
            Kind::Scalar => Ok(match self.scalar(target)? {
                Value::Null => None,
                found @ (Value::String(_) | Value::Binary(_)) => Some(found),
                _ => Some(Value::String(target.value.clone())),
            }),
            _ => {
                let tag = target.short_tag();
                let known = tag == resolve::MAP || tag == resolve::SEQ;
                let value = if known { "" } else { " ``" };
                let text = format!("cannot unmarshal {tag}{value} into string");
                self.problems.push((target.line, text));
                Ok(None)
            }
        }
    }

    fn find_double_keys(&mut self, node: &Node) -> bool {
        let keys: Vec<&Node> = node.entries().map(|entry| entry.0).collect();
        let same = |left: &Node, right: &Node| left.kind == right.kind && left.value == right.value;
        let double = if keys.len() <= FEW {
            (1..keys.len()).any(|at| keys[..at].iter().any(|key| same(key, keys[at])))
        } else {
            let mut seen = HashSet::with_capacity(keys.len());
            !keys
                .iter()
                .all(|key| seen.insert((key.kind, key.value.as_str())))
        };
        if !double {
            return false;
        }
        for (at, first) in keys.iter().enumerate() {
            for second in keys[at + 1..].iter().filter(|second| same(first, second)) {
                if self.problems.len() >= MAX_PROBLEMS {
                    return true;
                }
                let (key, line) = (go_text::quote(&second.value), first.line);
                let text = format!("mapping key {key} already defined at line {line}");
                self.problems.push((second.line, text));
            }
        }
        true
    }

    /// Merges one mapping, directly or behind an alias.
    fn merge_one(
        &mut self,
        node: &'n Node,
        entries: &mut Entries,
        text_keys: bool,
    ) -> Result<(), Error> {
        self.count()?;
        self.enter()?;
        match node.kind {
            Kind::Alias => self.expand(node, |decoder, target| {
                if target.kind != Kind::Mapping {
                    return Err(want_map());
                }
                decoder.count()?;
                decoder.mapping(target, entries, text_keys)
            })?,
            Kind::Mapping => self.mapping(node, entries, text_keys)?,
            _ => return Err(want_map()),
        }
        self.depth -= 1;
        Ok(())
    }

    /// v3 merges last, and leaves the mapping's own keys alone.
    fn merge_v3(
        &mut self,
        parent: &'n Node,
        merge: &'n Node,
        entries: &mut Entries,
        text_keys: bool,
    ) -> Result<(), Error> {
        let outer = self.merged.clone();
        if outer.is_none() {
            let mut own = HashSet::new();
            for (key, _) in parent.entries() {
                own.insert(identity(&self.value(key)?));
            }
            self.merged = Some(own);
        }
        match merge.kind {
            Kind::Sequence => {
                for item in &merge.content {
                    let saved = self.merged.clone();
                    self.merge_one(item, entries, text_keys)?;
                    if self.merged.is_none() {
                        self.merged = saved;
                    }
                }
            }
            _ => self.merge_one(merge, entries, text_keys)?,
        }
        self.merged = outer;
        Ok(())
    }

    /// v2 merges where the `<<` stands, over what came before.
    fn merge_v2(&mut self, merge: &'n Node, entries: &mut Entries) -> Result<(), Error> {
        if merge.kind != Kind::Sequence {
            return self.merge_one(merge, entries, false);
        }
        merge
            .content
            .iter()
            .rev()
            .try_for_each(|item| self.merge_one(item, entries, false))
    }
}

fn want_map() -> Error {
    Error::new("map merge requires map or sequence of maps as the value")
}

/// go-yaml's rule: 99 % of a small document may come from aliases, 10 % of a large one.
fn allowed_alias_ratio(decode_count: usize) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let share = ((decode_count as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    0.99 - 0.89 * share
}
