//! What one render works on: all nodes, what is known of kinds, and remarks for the user.

use std::rc::Rc;

use crate::config::Config;
use crate::node::Tree;
use crate::schema::Schemas;

/// The state of one render.
pub(crate) struct World<'a> {
    pub(crate) tree: Tree,
    pub(crate) schemas: Schemas,
    pub(crate) built_in: Rc<Config>,
    pub(crate) options: &'a crate::Options,
    pub(crate) warnings: Vec<String>,
}

impl<'a> World<'a> {
    /// An empty state.
    pub(crate) fn new(options: &'a crate::Options) -> Self {
        Self {
            tree: Tree::default(),
            schemas: Schemas::default(),
            built_in: Rc::new(Config::built_in()),
            options,
            warnings: Vec::new(),
        }
    }
}
