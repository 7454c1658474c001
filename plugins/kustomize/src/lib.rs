//! The kustomize renderer.
