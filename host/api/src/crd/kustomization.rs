//! Definition of Kustomization.

use serde_json::json;

use super::schema::{Schema, boolean, duration, integer, list, map, object, text, texts, time};
use super::shared::{last_handled, local_reference, selector, status};
use super::{Kind, Version};
use crate::kustomize::{
    BuildMetadataOption, DecryptionProvider, DeletionPolicy, Kustomization, SourceKind,
    SubstituteStrategy, ValuesKind,
};

pub(super) fn definition() -> Kind {
    Kind {
        group: Kustomization::GROUP,
        kind: Kustomization::KIND,
        plural: Kustomization::PLURAL,
        short_names: &["ks"],
        category: "fluxcd-appliers",
        versions: vec![Version::stored(
            Kustomization::VERSION,
            "A directory of a source that is rendered and applied.",
            spec(),
            Some(kustomization_status()),
        )],
    }
}

fn spec() -> Schema {
    let schema = object("What to render, and how to apply it.")
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
        .required("sourceRef", source_reference())
        .optional(
            "path",
            text("Directory in the source; its root when not set."),
        )
        .optional("suspend", boolean("Stops reconciling this object."));
    applying(rendering(schema))
}

fn rendering(schema: Schema) -> Schema {
    let name_part = |description| text(description).at_least(1).at_most(200);
    schema
        .optional(
            "buildMetadata",
            list(
                "What is noted on the objects about their origin.",
                text("Files they were read from, or transformers that changed them.")
                    .one_of(BuildMetadataOption::KNOWN),
            ),
        )
        .optional("commonMetadata", common_metadata())
        .optional(
            "components",
            texts("Directories of kustomize components to add."),
        )
        .optional(
            "ignoreMissingComponents",
            boolean("Leaves out components that are not in the source."),
        )
        .optional("decryption", decryption())
        .optional("images", list("Images to replace.", image()))
        .optional(
            "namePrefix",
            name_part("Put before the name of every object."),
        )
        .optional(
            "nameSuffix",
            name_part("Put after the name of every object."),
        )
        .optional(
            "patches",
            list("Patches for the rendered objects.", patch()),
        )
        .optional("postBuild", post_build())
        .optional(
            "targetNamespace",
            text("Namespace for every object.").at_least(1).at_most(63),
        )
}

fn applying(schema: Schema) -> Schema {
    schema
        .optional(
            "deletionPolicy",
            text(
                "What happens to the objects when this one is deleted. MirrorPrune, the default, \
                 deletes them when `prune` is true.",
            )
            .one_of(DeletionPolicy::KNOWN),
        )
        .optional(
            "dependsOn",
            list("Kustomizations that must be ready first.", dependency()),
        )
        .optional(
            "force",
            boolean("Makes objects again when an immutable field changes.")
                .filled_with(json!(false)),
        )
        .optional(
            "healthCheckExprs",
            list(
                "How to tell the health of custom resources.",
                health_expression(),
            ),
        )
        .optional(
            "healthChecks",
            list("Objects whose health is waited for.", health_reference()),
        )
        .optional("ignore", ignore_rules())
        .optional("kubeConfig", kube_config())
        .required(
            "prune",
            boolean("Deletes objects that are no longer rendered."),
        )
        .optional("serviceAccountName", text("ServiceAccount to apply as."))
        .optional(
            "wait",
            boolean("Waits for the health of all objects; `healthChecks` is then ignored."),
        )
}

pub(super) fn source_reference() -> Schema {
    object("Source of the files.")
        .optional("apiVersion", text("Group and version of the source."))
        .required(
            "kind",
            text("Kind of the source.").one_of(SourceKind::KNOWN),
        )
        .required("name", text("Name of the source."))
        .optional(
            "namespace",
            text("Namespace of the source; that of this object when not set."),
        )
}

fn decryption() -> Schema {
    object("How encrypted files are decrypted.")
        .required("provider", text("Format of the files.").one_of(DecryptionProvider::KNOWN))
        .optional("secretRef", local_reference("Secret with keys and tokens."))
        .optional(
            "serviceAccountName",
            text("ServiceAccount to authenticate to a key service as, where the Secret has no key for it."),
        )
}

pub(super) fn patch() -> Schema {
    object("A patch, and the objects it is for.")
        .required(
            "patch",
            text("Strategic merge patch or list of JSON patch operations."),
        )
        .optional(
            "target",
            selector("Objects to patch; those it names when not set."),
        )
}

pub(super) fn image() -> Schema {
    object("An image to replace.")
        .optional("digest", text("Digest; wins over the tag."))
        .required("name", text("Name in the files, without tag."))
        .optional("newName", text("Name to write."))
        .optional("newTag", text("Tag to write."))
}

pub(super) fn post_build() -> Schema {
    let reference = object("A ConfigMap or Secret whose keys are variables.")
        .required(
            "kind",
            text("Kind of the object.").one_of(ValuesKind::KNOWN),
        )
        .required(
            "name",
            text("Name, in the same namespace.")
                .at_least(1)
                .at_most(253),
        )
        .optional(
            "optional",
            boolean("Is no error when the object does not exist.").filled_with(json!(false)),
        );
    object("Variables that are replaced in the rendered objects.")
        .optional(
            "substitute",
            map("Variables; they win over those of `substituteFrom`."),
        )
        .optional(
            "substituteFrom",
            list("Where more variables are; a later one wins.", reference),
        )
        .optional(
            "substituteStrategy",
            text("Replaces only when a variable is known (WithVariables, the default), or always.")
                .one_of(SubstituteStrategy::KNOWN),
        )
}

fn dependency() -> Schema {
    object("A Kustomization that must be ready first.")
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

pub(super) fn health_reference() -> Schema {
    object("An object whose health is waited for.")
        .optional(
            "apiVersion",
            text("Group and version; the preferred one of the cluster when not set."),
        )
        .required("kind", text("Kind."))
        .required("name", text("Name."))
        .optional(
            "namespace",
            text("Namespace; that of this object when not set."),
        )
}

pub(super) fn health_expression() -> Schema {
    object("CEL expressions for one kind.")
        .required("apiVersion", text("Group and version of the kind."))
        .required("current", text("True when the object is as wanted."))
        .optional("failed", text("True when the object failed."))
        .optional("inProgress", text("True while the object is on its way."))
        .optional("kind", text("Kind; all of the group when not set."))
}

pub(super) fn kube_config() -> Schema {
    let message = "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be \
                   specified";
    object("Another cluster to apply to.")
        .optional(
            "configMapRef",
            local_reference(
                "ConfigMap that says how to reach the cluster without a kubeconfig: `provider`, \
                 `cluster`, `address`, `ca.crt`, `audiences`, `serviceAccountName`.",
            ),
        )
        .optional(
            "secretRef",
            object("Secret with a kubeconfig that needs no other file or program.")
                .optional("key", text("Key in the Secret; `value` when not set."))
                .required("name", text("Name of the Secret.")),
        )
        .rule("has(self.configMapRef) || has(self.secretRef)", message)
        .rule("!has(self.configMapRef) || !has(self.secretRef)", message)
}

pub(super) fn common_metadata() -> Schema {
    object("Labels and annotations for every object; they win over its own.")
        .optional("annotations", map("Annotations to add."))
        .optional("labels", map("Labels to add."))
}

pub(super) fn ignore_rules() -> Schema {
    let rule = object("Fields of some objects.")
        .required("paths", texts("JSON pointers to the fields."))
        .optional("target", selector("The objects; all of them when not set."));
    list("Changes in the cluster that are left alone.", rule)
}

pub(super) fn inventory() -> Schema {
    let entry = object("An object.")
        .required(
            "id",
            text("Identity, as `<namespace>_<name>_<group>_<kind>`."),
        )
        .required("v", text("Version of its API group."));
    object("Objects that were applied.").required("entries", list("The objects.", entry))
}

fn kustomization_status() -> Schema {
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
}

pub(super) fn snapshot() -> Schema {
    object("An outcome, and how often it was the same.")
        .required(
            "digest",
            text("Digest of the rendered objects, as `<algorithm>:<checksum>`."),
        )
        .required("firstReconciled", time("When this outcome was first seen."))
        .required("lastReconciled", time("When this outcome was last seen."))
        .required(
            "lastReconciledDuration",
            text("How long the last one took."),
        )
        .required(
            "lastReconciledStatus",
            text("Reason of the Ready condition."),
        )
        .optional("metadata", map("Revision and origin revision."))
        .required(
            "totalReconciliations",
            integer("How often this outcome was seen."),
        )
}
