//! End-to-end tests on a real API server, and the rules of the tree.

mod tree;
