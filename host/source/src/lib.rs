//! Fetches Git repositories into a verified, content-addressed store.
