//! Schemas that several kinds use: references, conditions, artifacts.

use serde_json::json;

use super::schema::{Schema, integer, list, map, object, text, time};
use crate::conditions::MESSAGE_MAX_BYTES;

/// Names an object in the same namespace.
pub(super) fn local_reference(description: &str) -> Schema {
    object(description).required("name", text("Name of the object."))
}

/// What the status of every reconciled kind has.
pub(super) fn status(description: &str) -> Schema {
    object(description)
        .filled_with(json!({ "observedGeneration": -1 }))
        .optional("conditions", conditions())
        .optional(
            "observedGeneration",
            integer("Last generation that ended Ready or Stalled; -1 before the first."),
        )
}

/// Value of the annotation that was handled last.
pub(super) fn last_handled() -> Schema {
    text("Last value of the annotation `reconcile.fluxcd.io/requestedAt` that was handled.")
}

/// What is known about an object.
pub(super) fn conditions() -> Schema {
    list(
        "What is known about the object, one entry for each type.",
        condition(),
    )
}

fn condition() -> Schema {
    let type_pattern = concat!(
        r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?",
        r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
    );
    object("One thing that is known about the object.")
        .required("lastTransitionTime", time("When the status last changed."))
        .required(
            "message",
            text("For people; may be empty.").at_most(MESSAGE_MAX_BYTES as u32),
        )
        .optional(
            "observedGeneration",
            integer("Generation of the object that the condition is about.").not_negative(),
        )
        .required(
            "reason",
            text("For programs, in CamelCase.")
                .at_least(1)
                .at_most(1024)
                .pattern("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
        )
        .required(
            "status",
            text("Whether it holds.").one_of(&["True", "False", "Unknown"]),
        )
        .required(
            "type",
            text("What it is about.").at_most(316).pattern(type_pattern),
        )
}

/// What a source produced.
pub(super) fn artifact(description: &str) -> Schema {
    object(description)
        .required(
            "digest",
            text("Digest of the archive, as `<algorithm>:<checksum>`.")
                .pattern("^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"),
        )
        .required("lastUpdateTime", time("When the archive was last written."))
        .optional(
            "metadata",
            map("What upstream says of it, as OCI annotations."),
        )
        .required("path", text("Path of the archive in the store."))
        .required(
            "revision",
            text("Revision in the system that it comes from."),
        )
        .optional("size", integer("Size of the archive in bytes."))
        .required("url", text("Address that consumers load the archive from."))
}

/// Selects rendered objects.
pub(super) fn selector(description: &str) -> Schema {
    object(description)
        .optional(
            "annotationSelector",
            text("Expression over annotations, in the syntax of label selectors."),
        )
        .optional("group", text("API group."))
        .optional("kind", text("Kind."))
        .optional("labelSelector", text("Expression over labels."))
        .optional("name", text("Name."))
        .optional("namespace", text("Namespace."))
        .optional("version", text("Version of the API group."))
}
