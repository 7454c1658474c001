//! Runs renderers and notifiers: WebAssembly components under hard limits.
