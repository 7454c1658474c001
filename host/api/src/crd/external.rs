//! Definition of ExternalArtifact.

use super::schema::{Schema, object, text};
use super::shared::{artifact, conditions};
use super::{Column, Kind, Version};
use crate::source::ExternalArtifact;

pub(super) fn definition() -> Kind {
    Kind {
        group: ExternalArtifact::GROUP,
        kind: ExternalArtifact::KIND,
        plural: ExternalArtifact::PLURAL,
        short_names: &[],
        category: "",
        versions: vec![Version {
            columns: vec![
                Column::AGE,
                Column::READY,
                Column::STATUS,
                Column {
                    name: "Source",
                    type_: "string",
                    path: ".spec.sourceRef.name",
                },
            ],
            ..Version::stored(
                ExternalArtifact::VERSION,
                "An artifact that another controller makes.",
                spec(),
                Some(status()),
            )
        }],
    }
}

fn spec() -> Schema {
    object("What the artifact is made from.").optional(
        "sourceRef",
        object("Object whose controller makes the artifact.")
            .optional(
                "apiVersion",
                text("Group and version; any when nothing is set."),
            )
            .required("kind", text("Kind of the object."))
            .required("name", text("Name of the object."))
            .optional(
                "namespace",
                text("Namespace of the object; this one when nothing is set."),
            ),
    )
}

fn status() -> Schema {
    object("What the other controller made.")
        .optional("artifact", artifact("What was last made."))
        .optional("conditions", conditions())
}
