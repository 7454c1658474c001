//! Definition of Delivery.

use serde_json::json;

use super::kustomization::{
    common_metadata, health_expression, health_reference, ignore_rules, inventory, kube_config,
    post_build, snapshot, source_reference,
};
use super::schema::{Schema, boolean, duration, free, list, map, object, text};
use super::shared::{last_handled, status};
use super::{Kind, Version};
use crate::delivery::{Delivery, DependencyKind, PluginScope};
use crate::kustomize::{DeletionPolicy, ValuesKind};

/// Longest name of an object.
const NAME_CHARACTERS: u32 = 253;

pub(super) fn definition() -> Kind {
    Kind {
        group: Delivery::GROUP,
        kind: Delivery::KIND,
        plural: Delivery::PLURAL,
        short_names: &["dlv"],
        category: "fluxcd-appliers",
        versions: vec![version()],
    }
}

fn version() -> Version {
    let description = "A directory of a source that a plugin renders, and that is applied.";
    let mut version = Version::stored(
        Delivery::VERSION,
        description,
        spec(),
        Some(delivery_status()),
    );
    let plugin = super::Column {
        name: "Plugin",
        type_: "string",
        path: ".spec.plugin.name",
    };
    version.columns.insert(1, plugin);
    version
}

fn spec() -> Schema {
    let schema = object("What to render with what, and how to apply it.")
        .required("sourceRef", source_reference())
        .optional(
            "path",
            text("Directory, or file, in the source; its root when not set."),
        )
        .required("plugin", plugin("The renderer."))
        .optional(
            "config",
            free("What the renderer is told; its manifest says what it understands."),
        )
        .optional(
            "inputs",
            list("What the renderer is given beside the files.", input()),
        )
        .optional(
            "transformers",
            list(
                "Plugins that change the rendered objects, one after another.",
                object("A plugin, and what it is told.")
                    .required("plugin", plugin("The transformer."))
                    .optional("config", free("What the transformer is told.")),
            )
            .at_most_items(16),
        )
        .optional("commonMetadata", common_metadata())
        .optional("postBuild", post_build())
        .optional(
            "targetNamespace",
            text("Namespace for every object.").at_least(1).at_most(63),
        );
    applying(schema)
}

fn applying(schema: Schema) -> Schema {
    schema
        .required(
            "interval",
            duration(
                "How often the objects are compared with the cluster, give or take a few percent.",
            ),
        )
        .optional(
            "retryInterval",
            duration("How long to wait after a failure; `interval` when not set."),
        )
        .optional(
            "timeout",
            duration(
                "Longest time for applying and health checks; `interval` less 30s when not set.",
            ),
        )
        .optional("suspend", boolean("Stops reconciling this object."))
        .required(
            "prune",
            boolean("Deletes objects that are no longer rendered."),
        )
        .optional(
            "deletionPolicy",
            text(
                "What happens to the objects when this one is deleted. MirrorPrune, the default, \
                 deletes them when `prune` is true.",
            )
            .one_of(DeletionPolicy::KNOWN),
        )
        .optional("dependsOn", list("What must be ready first.", dependency()))
        .optional(
            "force",
            boolean("Makes objects again when an immutable field changes.")
                .filled_with(json!(false)),
        )
        .optional(
            "wait",
            boolean("Waits for the health of all objects; `healthChecks` is then ignored."),
        )
        .optional(
            "healthChecks",
            list("Objects whose health is waited for.", health_reference()),
        )
        .optional(
            "healthCheckExprs",
            list(
                "How to tell the health of custom resources.",
                health_expression(),
            ),
        )
        .optional("ignore", ignore_rules())
        .optional("kubeConfig", kube_config())
        .optional("serviceAccountName", text("ServiceAccount to apply as."))
}

fn plugin(description: &str) -> Schema {
    object(description)
        .required(
            "name",
            text("Name of the plugin.")
                .at_least(1)
                .at_most(NAME_CHARACTERS),
        )
        .optional(
            "kind",
            text(
                "Where it is looked for. When not set: among the Plugins of this namespace, then \
                 the ClusterPlugins, then what is built in.",
            )
            .one_of(PluginScope::KNOWN),
        )
}

fn input() -> Schema {
    let from = object("One key of a ConfigMap or Secret.")
        .required(
            "kind",
            text("Kind of the object.").one_of(ValuesKind::KNOWN),
        )
        .required(
            "name",
            text("Name, in the same namespace.")
                .at_least(1)
                .at_most(NAME_CHARACTERS),
        )
        .optional("key", text("Key; the name of the input when not set."))
        .optional(
            "optional",
            boolean("Is no error when the object or the key does not exist.")
                .filled_with(json!(false)),
        );
    object("Something that the renderer is given beside the files.")
        .required(
            "name",
            text("Name that the renderer knows it by.")
                .at_least(1)
                .at_most(NAME_CHARACTERS),
        )
        .required("from", from)
}

fn dependency() -> Schema {
    object("Something that must be ready first.")
        .optional(
            "kind",
            text("Kind; Delivery when not set.").one_of(DependencyKind::KNOWN),
        )
        .required("name", text("Name."))
        .optional(
            "namespace",
            text("Namespace; that of this object when not set."),
        )
        .optional(
            "readyExpr",
            text("CEL expression that tells whether it is ready, in place of the built-in check."),
        )
}

fn delivery_status() -> Schema {
    let render =
        object("What was rendered last, and from what. Equal materials give equal output.")
            .required("digest", text("Digest of all that follows."))
            .required("output", text("Digest of the rendered text."))
            .required(
                "readSet",
                text("Digest of what the renderer read of the source."),
            )
            .required(
                "parameters",
                text("Digest of the path, the configurations, the inputs and the target."),
            )
            .optional(
                "plugins",
                map("Digests of the components that ran, by `<step>-<name>`."),
            );
    status("What the controller saw and did last.")
        .optional("history", list("Last outcomes, newest first.", snapshot()))
        .optional("inventory", inventory())
        .optional(
            "lastAppliedOriginRevision",
            text("Revision that the applied artifact was made from, where upstream tells it."),
        )
        .optional(
            "lastAppliedRevision",
            text("Revision that was last applied in full."),
        )
        .optional(
            "lastAttemptedRevision",
            text("Revision of the last attempt."),
        )
        .optional("lastHandledReconcileAt", last_handled())
        .optional("render", render)
}
