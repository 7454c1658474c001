//! The bindings of the WIT packages, generated once for all guests: `bulkhead:renderer` and
//! `bulkhead:notifier`, which share one set of `bulkhead:base` types. Nothing here is written by
//! hand; the other modules give it the names that a plugin's author uses.
//!
//! Only the world that a guest exports through one of our macros ends up in its component.
#![allow(missing_docs, reason = "generated; wit/ documents every item")]
#![allow(unsafe_code, reason = "generated: the canonical ABI passes raw memory")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated")]

pub mod renderer {
    wit_bindgen::generate!({
        path: ["../../wit/base", "../../wit/renderer"],
        world: "bulkhead:renderer/renderer",
        pub_export_macro: true,
        default_bindings_module: "bulkhead_plugin::bindings::renderer",
        additional_derives: [PartialEq],
        generate_all,
    });
}

pub mod transformer {
    wit_bindgen::generate!({
        path: ["../../wit/base", "../../wit/renderer"],
        world: "bulkhead:renderer/transformer",
        pub_export_macro: true,
        default_bindings_module: "bulkhead_plugin::bindings::transformer",
        additional_derives: [PartialEq],
        with: {
            "bulkhead:base/types@0.1.0": super::renderer::bulkhead::base::types,
            "bulkhead:base/log@0.1.0": super::renderer::bulkhead::base::log,
            "bulkhead:renderer/types@0.1.0": super::renderer::bulkhead::renderer::types,
        },
    });
}

pub mod notifier {
    wit_bindgen::generate!({
        path: ["../../wit/base", "../../wit/notifier"],
        world: "bulkhead:notifier/notifier",
        pub_export_macro: true,
        default_bindings_module: "bulkhead_plugin::bindings::notifier",
        additional_derives: [PartialEq],
        with: {
            "bulkhead:base/types@0.1.0": super::renderer::bulkhead::base::types,
            "bulkhead:base/log@0.1.0": super::renderer::bulkhead::base::log,
        },
    });
}
