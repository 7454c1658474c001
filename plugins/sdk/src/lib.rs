//! What a guest in Rust needs: bindings for the WIT packages and small helpers.
