//! The files of a source: those of a commit ([`GitTree`]) and those of a folder ([`DirTree`]).

mod dir;
mod git;
mod load;
mod names;
mod node;

pub use dir::DirTree;
pub use git::GitTree;

pub(crate) use load::load;
pub(crate) use node::{Directory, Node, NodeKind};

/// What is wrong with a file or folder of a commit. Bytes that are not UTF-8 are shown escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeProblem {
    /// Its name could lead out of the source or into a `.git` folder.
    #[error("`{0}` has a name that no source may have: {1}")]
    Forbidden(String, &'static str),
    /// Its name is not UTF-8.
    #[error("`{0}` has a name that is not UTF-8")]
    NotUtf8(String),
    /// Its name has a backslash or a control character.
    #[error("`{0}` has a backslash or a control character in its name")]
    Character(String),
    /// Its name is that of a device on some systems.
    #[error("`{0}` has the name of a device")]
    Device(String),
    /// A symbolic link and another entry have names that differ only in case.
    #[error("`{0}` is a symbolic link beside a name that differs only in case")]
    LinkClash(String),
    /// Two entries have the same name.
    #[error("`{0}` is there twice")]
    Twice(String),
}
