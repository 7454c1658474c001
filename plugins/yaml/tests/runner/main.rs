//! All tests of the crate, in one binary.

mod cases;
mod limits;
mod tree;
