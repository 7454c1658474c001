//! What `wit/` means in Rust: the only `bindgen!` of the host, one module a world.
//!
//! The generated types are the crate's own: their documentation is that of the WIT. A second WIT
//! version becomes an adapter that translates to these.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; documented in wit/"
)]

/// World `bulkhead:renderer/renderer`; owns the types of `bulkhead:base`.
pub mod renderer {
    wasmtime::component::bindgen!({
        path: ["../../wit/base", "../../wit/renderer"],
        world: "bulkhead:renderer/renderer",
        imports: {
            "bulkhead:base/cluster.lookup": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        trappable_error_type: { "bulkhead:base/tree.error" => crate::host::tree::Failure },
        with: { "bulkhead:base/tree.tree": crate::host::tree::Handle },
        additional_derives: [PartialEq, Eq, serde::Serialize, serde::Deserialize],
    });
}

/// World `bulkhead:renderer/transformer`.
pub mod transformer {
    wasmtime::component::bindgen!({
        path: ["../../wit/base", "../../wit/renderer"],
        world: "bulkhead:renderer/transformer",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "bulkhead:base/types": super::renderer::bulkhead::base::types,
            "bulkhead:base/log": super::renderer::bulkhead::base::log,
            "bulkhead:renderer/types": super::renderer::bulkhead::renderer::types,
        },
        additional_derives: [PartialEq, Eq, serde::Serialize, serde::Deserialize],
    });
}

/// World `bulkhead:notifier/notifier`.
pub mod notifier {
    wasmtime::component::bindgen!({
        path: ["../../wit/base", "../../wit/notifier"],
        world: "bulkhead:notifier/notifier",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "bulkhead:base/types": super::renderer::bulkhead::base::types,
            "bulkhead:base/log": super::renderer::bulkhead::base::log,
        },
        additional_derives: [PartialEq, Eq, serde::Serialize, serde::Deserialize],
    });
}
