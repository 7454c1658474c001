//! Keeps a directory.
