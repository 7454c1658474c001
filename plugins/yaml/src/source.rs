//! What can be written, and how: the options of the writer, and the trees that it takes.

use crate::Dialect;
use crate::node::{Kind, Node, Style};

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmitOptions {
    /// Whose rules to follow.
    pub dialect: Dialect,
    /// Columns of one step of indentation, 2 to 9.
    pub indent: usize,
    /// Whether the `- ` of a sequence counts as its indentation (v3 only; v2 always writes so).
    pub compact_seq_indent: bool,
    /// Fold lines longer than this; without it, never.
    pub width: Option<usize>,
}

impl EmitOptions {
    /// kustomize's way: v3, two columns, compact sequences, nothing folded.
    #[must_use]
    pub const fn kyaml() -> Self {
        Self {
            dialect: Dialect::V3,
            indent: 2,
            compact_seq_indent: true,
            width: None,
        }
    }

    /// kyaml's `WideSequenceStyle`: v3, two columns, sequences indented below their key.
    #[must_use]
    pub const fn kyaml_wide() -> Self {
        Self {
            dialect: Dialect::V3,
            indent: 2,
            compact_seq_indent: false,
            width: None,
        }
    }

    /// What `yaml.Marshal` of go-yaml v3 does: four columns, sequences indented.
    #[must_use]
    pub const fn v3() -> Self {
        Self {
            dialect: Dialect::V3,
            indent: 4,
            compact_seq_indent: false,
            width: None,
        }
    }

    /// What sigs.k8s.io/yaml, so Helm's `toYaml`, does: v2, two columns, folded at 80.
    #[must_use]
    pub const fn v2() -> Self {
        Self {
            dialect: Dialect::V2,
            indent: 2,
            compact_seq_indent: true,
            width: Some(80),
        }
    }
}

impl Default for EmitOptions {
    fn default() -> Self {
        Self::kyaml()
    }
}

/// One node of a tree, as the writer sees it. Fields as in [`Node`].
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are those of Node")]
pub struct View<'a> {
    pub kind: Kind,
    pub style: Style,
    pub tag: &'a str,
    pub value: &'a str,
    pub anchor: &'a str,
    pub head_comment: &'a str,
    pub line_comment: &'a str,
    pub foot_comment: &'a str,
}

/// A tree that can be written without being turned into [`Node`]s first.
pub trait Source<'a>: Copy {
    /// The node itself.
    fn view(self) -> View<'a>;
    /// How many children it has.
    fn len(self) -> usize;
    /// Its child at `index`, which is below [`Source::len`].
    fn child(self, index: usize) -> Self;
    /// Whether it has no children.
    fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl<'a> Source<'a> for &'a Node {
    fn view(self) -> View<'a> {
        View {
            kind: self.kind,
            style: self.style,
            tag: &self.tag,
            value: &self.value,
            anchor: &self.anchor,
            head_comment: &self.head_comment,
            line_comment: &self.line_comment,
            foot_comment: &self.foot_comment,
        }
    }

    fn len(self) -> usize {
        self.content.len()
    }

    fn child(self, index: usize) -> Self {
        &self.content[index]
    }
}
