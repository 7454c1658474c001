//! The whole chain of a keyless signature, made here and broken link by link.

mod authority;
mod keyless;
mod real;
mod scene;
