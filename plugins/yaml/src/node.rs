//! The tree of one document: what go-yaml v3 calls `yaml.Node`, owned.

use std::borrow::Cow;
use std::ops::{BitOr, BitOrAssign};

use crate::Dialect;
use crate::resolve::{self, Scalar};

/// A tag in its short form (`!!str`, `!custom`); the standard ones cost no allocation.
pub type Tag = Cow<'static, str>;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// A whole document; its content is one node.
    Document,
    /// Keys and values, alternating.
    Mapping,
    /// Items.
    Sequence,
    /// Text with a tag.
    #[default]
    Scalar,
    /// A reference to an anchor.
    Alias,
}

/// How a node was, or is to be, written: the bits of go-yaml's `yaml.Style`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Style(pub u8);

impl Style {
    /// Nothing special: block collections, plain scalars.
    pub const PLAIN: Self = Self(0);
    /// The tag was written out.
    pub const TAGGED: Self = Self(1);
    /// `"text"`.
    pub const DOUBLE_QUOTED: Self = Self(2);
    /// `'text'`.
    pub const SINGLE_QUOTED: Self = Self(4);
    /// `|`.
    pub const LITERAL: Self = Self(8);
    /// `>`.
    pub const FOLDED: Self = Self(16);
    /// `[a]` or `{a: b}`.
    pub const FLOW: Self = Self(32);
    /// Any of the styles that make a scalar text without looking at it.
    pub const INDICATED: Self = Self(2 | 4 | 8 | 16);

    /// Whether any bit of `other` is set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This style without the bits of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Style {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Style {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// One node and what is below it.
///
/// Equality compares everything, places and comments too; [`Node::same`] compares the data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// What the node is.
    pub kind: Kind,
    /// How it is written.
    pub style: Style,
    /// The short tag; empty means: resolve it from the value. The parser always sets it.
    pub tag: Tag,
    /// A scalar's text, or the anchor's name of an alias.
    pub value: String,
    /// The name that aliases use for this node.
    pub anchor: String,
    /// On an anchored node its number, from 1, unique in one parse and rising in document order;
    /// on an alias the number of its target; otherwise 0. Names can be given twice, numbers not.
    pub anchor_id: u32,
    /// Children: key, value, key, value … in a mapping.
    pub content: Vec<Self>,
    /// Comment lines above, each with its `#`, joined by line breaks.
    pub head_comment: String,
    /// The comment at the end of the line.
    pub line_comment: String,
    /// Comment lines below, before an empty line.
    pub foot_comment: String,
    /// Line, from 1; 0 for a node that was not read.
    pub line: u32,
    /// Column, from 1; 0 for a node that was not read.
    pub column: u32,
}

impl Node {
    /// A scalar with a standard tag.
    #[must_use]
    pub fn scalar(tag: &'static str, value: impl Into<String>) -> Self {
        Self {
            tag: Cow::Borrowed(tag),
            value: value.into(),
            ..Self::default()
        }
    }

    /// Text. It is quoted on output where it would else be read as something else.
    #[must_use]
    pub fn string(value: impl Into<String>) -> Self {
        Self::scalar(resolve::STR, value)
    }

    /// A whole number.
    #[must_use]
    pub fn int(value: i64) -> Self {
        Self::scalar(resolve::INT, value.to_string())
    }

    /// `true` or `false`.
    #[must_use]
    pub fn bool(value: bool) -> Self {
        Self::scalar(resolve::BOOL, if value { "true" } else { "false" })
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self::scalar(resolve::NULL, "null")
    }

    /// A block mapping of text keys.
    #[must_use]
    pub fn mapping(entries: Vec<(String, Self)>) -> Self {
        let content = entries
            .into_iter()
            .flat_map(|(key, value)| [Self::string(key), value]);
        let content = content.collect();
        Self {
            kind: Kind::Mapping,
            tag: Cow::Borrowed(resolve::MAP),
            content,
            ..Self::default()
        }
    }

    /// A block sequence.
    #[must_use]
    pub fn sequence(content: Vec<Self>) -> Self {
        Self {
            kind: Kind::Sequence,
            tag: Cow::Borrowed(resolve::SEQ),
            content,
            ..Self::default()
        }
    }

    /// A document around `root`.
    #[must_use]
    pub fn document(root: Self) -> Self {
        Self {
            kind: Kind::Document,
            content: vec![root],
            ..Self::default()
        }
    }

    /// The node inside a document; any other node is its own root.
    #[must_use]
    pub fn root(&self) -> &Self {
        match self.kind {
            Kind::Document => self.content.first().unwrap_or(self),
            _ => self,
        }
    }

    /// Whether the tag or the style alone makes this scalar text.
    #[must_use]
    pub fn indicated_string(&self) -> bool {
        self.kind == Kind::Scalar
            && (self.tag == resolve::STR
                || (self.tag.is_empty() || self.tag == "!") && self.style.has(Style::INDICATED))
    }

    /// The short tag, resolved where none is set. Of an alias it is empty: its target knows.
    #[must_use]
    pub fn short_tag(&self) -> &str {
        if self.indicated_string() {
            return resolve::STR;
        }
        if !self.tag.is_empty() && self.tag != "!" {
            return resolve::short(&self.tag);
        }
        match self.kind {
            Kind::Mapping => resolve::MAP,
            Kind::Sequence => resolve::SEQ,
            Kind::Scalar => resolve::plain_tag(&self.value, Dialect::V3),
            Kind::Document | Kind::Alias => "",
        }
    }

    /// What a scalar stands for; of anything else nothing.
    #[must_use]
    pub fn resolved(&self) -> Option<Scalar> {
        match self.kind {
            Kind::Scalar if self.indicated_string() => Some(Scalar::String),
            Kind::Scalar => {
                let tag = if self.tag == "!" {
                    ""
                } else {
                    self.tag.as_ref()
                };
                resolve::resolve(tag, &self.value, Dialect::V3)
                    .ok()
                    .map(|found| found.1)
            }
            _ => None,
        }
    }

    /// A scalar's text, whatever its tag.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        (self.kind == Kind::Scalar).then_some(self.value.as_str())
    }

    /// Whether this is a null scalar.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Scalar && self.short_tag() == resolve::NULL
    }

    /// Keys and values of a mapping, in order; of anything else none.
    pub fn entries(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let pairs = if self.kind == Kind::Mapping {
            self.content.as_slice()
        } else {
            &[]
        };
        pairs.chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
    }

    /// Where in [`Node::content`] the key `key` stands.
    fn position(&self, key: &str) -> Option<usize> {
        if self.kind != Kind::Mapping {
            return None;
        }
        let keys = self.content.chunks_exact(2).map(|pair| &pair[0]);
        let found = keys
            .into_iter()
            .position(|found| found.kind == Kind::Scalar && found.value == key);
        found.map(|index| index * 2)
    }

    /// The value of `key` in a mapping; the first, should there be several.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.position(key).and_then(|at| self.content.get(at + 1))
    }

    /// The value of `key` in a mapping, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.position(key)
            .and_then(|at| self.content.get_mut(at + 1))
    }

    /// Sets `key` in a mapping: in its place if it is there, else at the end. Gives the old value.
    pub fn insert(&mut self, key: &str, value: Self) -> Option<Self> {
        if let Some(old) = self.get_mut(key) {
            return Some(std::mem::replace(old, value));
        }
        self.content.extend([Self::string(key), value]);
        None
    }

    /// Takes `key` out of a mapping.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        let at = self.position(key)?;
        self.content.drain(at..at + 2).nth(1)
    }

    /// Whether both stand for the same data: kinds, resolved tags, texts and order of keys;
    /// comments, styles and places do not count.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.value == other.value
            && self.short_tag() == other.short_tag()
            && self.content.len() == other.content.len()
            && self
                .content
                .iter()
                .zip(&other.content)
                .all(|(left, right)| left.same(right))
    }
}
