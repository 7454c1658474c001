//! The documents of one render, in one arena. A node is named by a number, so the same node may
//! stand in two places: kustomize shares nodes between the fields it sets (a label and the selector
//! that carries it), and a later change shows in both. In: parsed YAML. Out: nodes to read and edit.

use std::rc::Rc;

/// Names a node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(u32);

/// What a node is, as in go-yaml v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Zero,
    Document,
    Sequence,
    Mapping,
    Scalar,
    Alias,
}

impl Kind {
    /// The name that kyaml's messages use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "",
            Self::Document => "DocumentNode",
            Self::Sequence => "SequenceNode",
            Self::Mapping => "MappingNode",
            Self::Scalar => "ScalarNode",
            Self::Alias => "AliasNode",
        }
    }
}

/// How a node was, or is to be, written: bits as in go-yaml v3.
pub(crate) mod style {
    pub(crate) const TAGGED: u8 = 1;
    pub(crate) const DOUBLE: u8 = 2;
    pub(crate) const SINGLE: u8 = 4;
    pub(crate) const LITERAL: u8 = 8;
    pub(crate) const FOLDED: u8 = 16;
}

/// A tag in its short form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Tag {
    #[default]
    Empty,
    Null,
    Str,
    Int,
    Float,
    Bool,
    Map,
    Seq,
    Merge,
    Timestamp,
    Binary,
    Other(Rc<str>),
}

impl Tag {
    /// Reads a tag as go-yaml writes it on nodes.
    pub(crate) fn from_text(text: &str) -> Self {
        match text {
            "" => Self::Empty,
            "!!null" => Self::Null,
            "!!str" => Self::Str,
            "!!int" => Self::Int,
            "!!float" => Self::Float,
            "!!bool" => Self::Bool,
            "!!map" => Self::Map,
            "!!seq" => Self::Seq,
            "!!merge" => Self::Merge,
            "!!timestamp" => Self::Timestamp,
            "!!binary" => Self::Binary,
            other => Self::Other(other.into()),
        }
    }

    /// The tag as text; empty when there is none.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Empty => "",
            Self::Null => "!!null",
            Self::Str => "!!str",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Bool => "!!bool",
            Self::Map => "!!map",
            Self::Seq => "!!seq",
            Self::Merge => "!!merge",
            Self::Timestamp => "!!timestamp",
            Self::Binary => "!!binary",
            Self::Other(text) => text,
        }
    }
}

/// Comments of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Notes {
    pub(crate) head: String,
    pub(crate) line: String,
    pub(crate) foot: String,
}

/// One node. A mapping's content alternates keys and values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) style: u8,
    pub(crate) tag: Tag,
    pub(crate) value: Rc<str>,
    pub(crate) content: Vec<Id>,
    pub(crate) notes: Option<Box<Notes>>,
    pub(crate) anchor: Option<Rc<str>>,
    pub(crate) alias: Option<Id>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Kept by a merge although it is null.
    pub(crate) keep: bool,
    /// Its last field was removed: Go encodes that differently from never having had one.
    pub(crate) emptied: bool,
}

impl Node {
    /// A node of this kind and nothing else.
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    /// A scalar without a tag: what it means depends on how it reads.
    pub(crate) fn scalar(value: &str) -> Self {
        Self {
            kind: Kind::Scalar,
            value: value.into(),
            ..Self::default()
        }
    }

    /// A scalar that is a string, as go-yaml's `SetString` makes it.
    pub(crate) fn string(value: &str) -> Self {
        let style = if value.contains('\n') {
            style::LITERAL
        } else {
            0
        };
        Self {
            kind: Kind::Scalar,
            tag: Tag::Str,
            value: value.into(),
            style,
            ..Self::default()
        }
    }

    /// Whether it is a scalar that may be taken for a string.
    pub(crate) fn is_string(&self) -> bool {
        self.kind == Kind::Scalar && matches!(self.tag, Tag::Str | Tag::Empty)
    }

    fn is_zero(&self) -> bool {
        self.kind == Kind::Zero
            && self.style == 0
            && self.tag == Tag::Empty
            && self.value.is_empty()
            && self.content.is_empty()
    }
}

/// All nodes of a render.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl std::ops::Index<Id> for Tree {
    type Output = Node;
    fn index(&self, id: Id) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

impl std::ops::IndexMut<Id> for Tree {
    fn index_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }
}

impl Tree {
    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a node.
    pub(crate) fn add(&mut self, node: Node) -> Id {
        let id = Id(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    /// Adds a scalar without a tag.
    pub(crate) fn add_scalar(&mut self, value: &str) -> Id {
        self.add(Node::scalar(value))
    }

    /// Adds a scalar that is a string.
    pub(crate) fn add_string(&mut self, value: &str) -> Id {
        self.add(Node::string(value))
    }

    /// Copies a node and all below it.
    pub(crate) fn copy(&mut self, id: Id) -> Id {
        let mut node = self[id].clone();
        for child in &mut node.content {
            *child = self.copy(*child);
        }
        self.add(node)
    }

    /// The node itself, or what a document holds.
    pub(crate) fn unwrap(&self, id: Id) -> Id {
        match self[id].kind {
            Kind::Document => self[id].content.first().copied().unwrap_or(id),
            _ => id,
        }
    }

    /// Makes `id` what `from` is now; `from` stays.
    pub(crate) fn assign(&mut self, id: Id, from: Id) {
        if id != from {
            let keep = self[id].keep;
            let mut node = self[from].clone();
            node.keep = keep;
            self[id] = node;
        }
    }

    /// Whether there is nothing, or a null.
    pub(crate) fn is_null(&self, id: Option<Id>) -> bool {
        id.is_none_or(|id| self[self.unwrap(id)].tag == Tag::Null)
    }

    /// Whether there is nothing, a null, or an empty collection.
    pub(crate) fn is_empty(&self, id: Option<Id>) -> bool {
        let Some(id) = id else { return true };
        let node = &self[self.unwrap(id)];
        node.tag == Tag::Null
            || (matches!(node.kind, Kind::Mapping | Kind::Sequence) && node.content.is_empty())
            || node.is_zero()
    }

    /// Keys and values of a mapping, in order.
    pub(crate) fn pairs(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self[self.unwrap(id)]
            .content
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
    }

    /// Key and value of the first field with this name, whatever the node is.
    pub(crate) fn find(&self, id: Id, name: &str) -> Option<(Id, Id)> {
        self.pairs(id).find(|(key, _)| &*self[*key].value == name)
    }

    /// Key and value of the first field with this name, if the node is a mapping.
    pub(crate) fn field(&self, id: Id, name: &str) -> Option<(Id, Id)> {
        let id = self.unwrap(id);
        if self[id].kind == Kind::Mapping {
            self.find(id, name)
        } else {
            None
        }
    }

    /// The text of a scalar; empty for nothing and for null.
    pub(crate) fn value(&self, id: Option<Id>) -> Rc<str> {
        match id {
            Some(found) if !self.is_null(id) => self[self.unwrap(found)].value.clone(),
            _ => Rc::from(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_nothing() {
        let mut tree = Tree::default();
        let key = tree.add_scalar("a");
        let value = tree.add_string("1");
        let map = tree.add(Node {
            kind: Kind::Mapping,
            content: vec![key, value],
            ..Node::default()
        });
        let copy = tree.copy(map);
        tree[value].value = "2".into();
        let (_, copied) = tree.field(copy, "a").expect("the field is there");
        assert_eq!(&*tree[copied].value, "1");
    }

    #[test]
    fn a_zero_node_is_empty_and_an_empty_scalar_is_not() {
        let mut tree = Tree::default();
        let zero = tree.add(Node::default());
        let text = tree.add_scalar("");
        assert!(tree.is_empty(Some(zero)));
        assert!(!tree.is_empty(Some(text)));
        assert!(tree.is_empty(None));
    }
}
