//! Builds values from the parts of a text, on a stack of its own, and counts what it builds.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Document, MAX_BYTES, MAX_DEPTH, MAX_NODES, Part, scalar};

/// What a value costs when an alias repeats it.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

#[derive(Debug)]
enum Open {
    Sequence(Vec<Value>),
    Mapping {
        entries: Map<String, Value>,
        key: Option<Key>,
        // What `<<` names, with the number of entries before it.
        merges: Vec<(usize, Value)>,
    },
}

#[derive(Debug)]
enum Key {
    Text(String),
    Merge,
}

#[derive(Debug)]
struct Level {
    open: Open,
    anchor: usize,
    // What was used up when it was opened.
    before: Cost,
    deepest: usize,
}

/// Takes the parts of a text in order and gives documents.
#[derive(Debug, Default)]
pub(super) struct Builder {
    levels: Vec<Level>,
    anchors: HashMap<usize, (Value, Cost)>,
    root: Option<Value>,
    line: usize,
    used: Cost,
    // What anchors keep, and how many nodes and bytes of it there may be.
    kept: Cost,
    keeps: Option<(usize, usize)>,
    // Takes keys that are there twice, and `<<` after keys that it has too.
    is_lenient: bool,
}

type Message = String;

impl Builder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Builds the pieces of a document that is larger than memory: what anchors keep until its end is
    /// limited to 200,000 nodes and 4 MiB.
    pub(super) fn of_pieces() -> Self {
        Self {
            keeps: Some((200_000, 4 * 1024 * 1024)),
            ..Self::default()
        }
    }

    /// Takes what Go's reader takes without a word: of keys that are there twice the last counts, and
    /// `<<` wins over what stands before it.
    pub(super) fn lenient() -> Self {
        Self {
            is_lenient: true,
            ..Self::default()
        }
    }

    /// Takes one part that starts at `line`, and returns the document that it completes.
    pub(super) fn take(
        &mut self,
        part: Part<'_>,
        line: usize,
    ) -> Result<Option<Document>, Message> {
        match part {
            Part::Start => {
                (self.root, self.line) = (None, 0);
                self.anchors.clear();
                self.kept = Cost::default();
            }
            Part::End => {
                let value = self.root.take().unwrap_or_default();
                return Ok(Some(Document {
                    value,
                    line: self.line.max(1),
                }));
            }
            Part::Alias(anchor) => self.alias(anchor)?,
            Part::Scalar {
                text,
                plain,
                anchor,
                tag,
            } => {
                self.mark(line);
                self.spend(Cost {
                    nodes: 1,
                    bytes: text.len(),
                    depth: 0,
                })?;
                if self.wants_key() {
                    let key = key(&text, plain && tag.is_none())?;
                    return self.key(key).map(|()| None);
                }
                let value = value(text.into_owned(), plain, tag.as_deref())?;
                let cost = Cost {
                    nodes: 1,
                    bytes: text_len(&value),
                    depth: 0,
                };
                self.place(value, anchor, cost)?;
            }
            Part::OpenSequence { anchor } => self.open(Open::Sequence(Vec::new()), anchor, line)?,
            Part::OpenMapping { anchor } => {
                let open = Open::Mapping {
                    entries: Map::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.open(open, anchor, line)?;
            }
            Part::Close => self.close()?,
            Part::Nothing => {}
        }
        Ok(None)
    }

    /// Returns the value that is complete, and starts to count anew; anchors stay, and count.
    pub(super) fn take_root(&mut self) -> Value {
        (self.used, self.line) = (self.kept, 0);
        self.root.take().unwrap_or_default()
    }

    fn mark(&mut self, line: usize) {
        if self.line == 0 {
            self.line = line;
        }
    }

    fn spend(&mut self, cost: Cost) -> Result<(), Message> {
        self.used.nodes += cost.nodes;
        self.used.bytes += cost.bytes;
        if self.used.nodes > MAX_NODES {
            return Err(format!(
                "the text has more than {MAX_NODES} nodes, aliases expanded"
            ));
        }
        if self.used.bytes > MAX_BYTES {
            return Err(format!(
                "the text has more than {MAX_BYTES} bytes, aliases expanded"
            ));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize) -> Result<(), Message> {
        if self.levels.iter().any(|level| level.anchor == anchor) {
            return Err("the alias is inside of its own anchor".to_owned());
        }
        let (value, cost) = match self.anchors.get(&anchor) {
            Some((_, cost)) => {
                let cost = *cost;
                self.spend(cost)?;
                // Only now: what is over the budget is never copied.
                (self.anchors[&anchor].0.clone(), cost)
            }
            None => return Err("the alias has no anchor before it".to_owned()),
        };
        if self.levels.len() + cost.depth > MAX_DEPTH {
            return Err(format!(
                "mappings and sequences nest deeper than {MAX_DEPTH}"
            ));
        }
        if self.wants_key() {
            return match value {
                Value::String(text) => self.key(Key::Text(text)),
                Value::Number(_) | Value::Bool(_) => self.key(Key::Text(value.to_string())),
                _ => Err("a key must be a scalar".to_owned()),
            };
        }
        self.place(value, 0, cost)
    }

    fn wants_key(&self) -> bool {
        let last = self.levels.last().map(|level| &level.open);
        matches!(last, Some(Open::Mapping { key: None, .. }))
    }

    fn key(&mut self, new: Key) -> Result<(), Message> {
        if let Some(Level {
            open: Open::Mapping { entries, key, .. },
            ..
        }) = self.levels.last_mut()
        {
            if let Key::Text(text) = &new
                && !self.is_lenient
                && entries.contains_key(text)
            {
                return Err(format!("the key `{text}` is there twice"));
            }
            *key = Some(new);
        }
        Ok(())
    }

    fn open(&mut self, open: Open, anchor: usize, line: usize) -> Result<(), Message> {
        self.mark(line);
        if self.wants_key() {
            return Err("a key must be a scalar".to_owned());
        }
        if self.levels.len() == MAX_DEPTH {
            return Err(format!(
                "mappings and sequences nest deeper than {MAX_DEPTH}"
            ));
        }
        let before = self.used;
        self.spend(Cost {
            nodes: 1,
            bytes: 0,
            depth: 0,
        })?;
        self.levels.push(Level {
            open,
            anchor,
            before,
            deepest: 0,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Message> {
        let Some(Level {
            open,
            anchor,
            before,
            deepest,
        }) = self.levels.pop()
        else {
            return Ok(());
        };
        let value = match open {
            Open::Sequence(items) => Value::Array(items),
            Open::Mapping {
                entries,
                key: _,
                merges,
            } => Value::Object(merge(entries, merges)?),
        };
        let cost = Cost {
            nodes: self.used.nodes - before.nodes,
            bytes: self.used.bytes - before.bytes,
            depth: deepest + 1,
        };
        self.place(value, anchor, cost)
    }

    fn place(&mut self, value: Value, anchor: usize, cost: Cost) -> Result<(), Message> {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), cost));
            // The kept copy counts too.
            self.spend(Cost { depth: 0, ..cost })?;
            self.kept.nodes += cost.nodes;
            self.kept.bytes += cost.bytes;
            if let Some((nodes, bytes)) = self.keeps
                && (self.kept.nodes > nodes || self.kept.bytes > bytes)
            {
                return Err(format!(
                    "the anchors up to here hold more than {nodes} nodes or {bytes} bytes"
                ));
            }
        }
        let Some(level) = self.levels.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        level.deepest = level.deepest.max(cost.depth);
        match &mut level.open {
            Open::Sequence(items) => items.push(value),
            Open::Mapping {
                entries,
                key,
                merges,
            } => match key.take() {
                Some(Key::Text(text)) => {
                    entries.insert(text, value);
                }
                Some(Key::Merge) if self.is_lenient => merge_over(entries, value)?,
                Some(Key::Merge) => merges.push((entries.len(), value)),
                None => return Err("a key must be a scalar".to_owned()),
            },
        }
        Ok(())
    }
}

/// Adds what `<<` names: a mapping or several; of several the first wins, and the mapping itself over
/// all. Go's older reader lets `<<` win over keys before it: where that matters it is an error.
fn merge(
    mut entries: Map<String, Value>,
    merges: Vec<(usize, Value)>,
) -> Result<Map<String, Value>, Message> {
    let sources = merges.into_iter().flat_map(|(before, value)| match value {
        Value::Array(items) => items.into_iter().map(|item| (before, item)).collect(),
        other => vec![(before, other)],
    });
    for (before, source) in sources {
        let Value::Object(source) = source else {
            return Err("`<<` needs a mapping, or a list of mappings".to_owned());
        };
        for (key, value) in source {
            let earlier = entries
                .iter()
                .take(before)
                .find(|(earlier, _)| **earlier == key);
            if earlier.is_some_and(|(_, earlier)| *earlier != value) {
                return Err(format!(
                    "`<<` comes after the key `{key}` that it has, too: put it first"
                ));
            }
            entries.entry(key).or_insert(value);
        }
    }
    Ok(entries)
}

/// Puts what `<<` names over `entries`, as Go's reader does; of several the first wins.
fn merge_over(entries: &mut Map<String, Value>, value: Value) -> Result<(), Message> {
    let sources = match value {
        Value::Array(items) => items,
        other => vec![other],
    };
    for source in sources.into_iter().rev() {
        let Value::Object(source) = source else {
            return Err("`<<` needs a mapping, or a list of mappings".to_owned());
        };
        entries.extend(source);
    }
    Ok(())
}

/// Returns the text of a key, where no other mapping may be merged in.
pub(super) fn plain_key(text: &str, plain: bool) -> Result<String, Message> {
    match key(text, plain)? {
        Key::Text(text) => Ok(text),
        Key::Merge => Err("`<<` is not supported in this part: it is read in pieces".to_owned()),
    }
}

fn key(text: &str, plain: bool) -> Result<Key, Message> {
    if !plain {
        return Ok(Key::Text(text.to_owned()));
    }
    if text == "<<" {
        return Ok(Key::Merge);
    }
    match scalar::resolve(text).map_err(|error| error.0)? {
        Value::String(text) => Ok(Key::Text(text)),
        Value::Null => Err("a key must not be empty".to_owned()),
        other => Ok(Key::Text(other.to_string())),
    }
}

fn value(text: String, plain: bool, tag: Option<&str>) -> Result<Value, Message> {
    match tag {
        None if plain => scalar::resolve(&text).map_err(|error| error.0),
        None | Some("str" | "timestamp") => Ok(Value::String(text)),
        Some("binary") => binary(&text),
        Some(tag) => scalar::resolve_tagged(tag, &text).map_err(|error| error.0),
    }
}

/// Go's reader gives the decoded bytes as text.
fn binary(text: &str) -> Result<Value, Message> {
    use base64::Engine;
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|_| "`!!binary` is not base64".to_owned())?;
    String::from_utf8(bytes)
        .map(Value::String)
        .map_err(|_| "`!!binary` holds bytes that are no text: use base64 text".to_owned())
}

fn text_len(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}
