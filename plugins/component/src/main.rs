//! Turns a core module into a component.

fn main() {}
