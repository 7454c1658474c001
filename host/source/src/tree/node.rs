//! The shape of a commit's files in memory: names, ids and sizes; the content stays in the store.

use bulkhead_api::Digest;
use gix::ObjectId;

/// A folder and all below it.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Sorted by the bytes of the names.
    pub(crate) children: Vec<Node>,
    /// Names, kinds and contents of all below, so that equal digests mean equal folders.
    pub(crate) content: Digest,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: Box<str>,
    pub(crate) kind: NodeKind,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    File {
        id: ObjectId,
        size_bytes: u64,
        is_executable: bool,
    },
    Directory(Directory),
}

impl Directory {
    pub(crate) fn new(mut children: Vec<Node>) -> Self {
        children.sort_unstable_by(|one, other| one.name.as_bytes().cmp(other.name.as_bytes()));
        let mut parts: Vec<Vec<u8>> = Vec::with_capacity(children.len() * 2 + 1);
        parts.push(b"directory".to_vec());
        for child in &children {
            parts.push(child.name.as_bytes().to_vec());
            parts.push(child.content().as_bytes().to_vec());
        }
        let content = Digest::of_parts(parts.iter().map(Vec::as_slice));
        Self { children, content }
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Node> {
        let at = self
            .children
            .binary_search_by(|child| child.name.as_bytes().cmp(name.as_bytes()))
            .ok()?;
        self.children.get(at)
    }
}

impl Node {
    pub(crate) fn content(&self) -> Digest {
        match &self.kind {
            NodeKind::File { id, .. } => Digest::of_parts([b"file".as_slice(), id.as_bytes()]),
            NodeKind::Directory(directory) => directory.content,
        }
    }
}
