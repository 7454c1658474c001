//! Objects on disk, one folder a repository, content-addressed and never checked out.

mod objects;
pub(crate) mod pack;
mod repository;

pub(crate) use objects::{Objects, Reader, remove_folder};
pub(crate) use repository::Repository;
