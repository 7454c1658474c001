//! Reconciles the custom resources: one folder a kind.
