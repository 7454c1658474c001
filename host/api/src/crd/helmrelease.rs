//! Definition of HelmRelease.

use super::helmrelease_actions::{install, rollback, test, uninstall, upgrade};
use super::kustomization::{
    common_metadata, health_expression, ignore_rules, image, inventory, kube_config, patch,
};
use super::schema::{
    Schema, any, boolean, count, duration, integer, list, map_of, object, text, texts, time,
};
use super::shared::{last_handled, local_reference, status};
use super::{Kind, Version};
use crate::helmrelease::{
    ChartReferenceKind, ChartTemplateSourceKind, DriftMode, HelmRelease, PostRenderStrategy,
    WaitStrategyName,
};
use crate::kustomize::ValuesKind;

pub(super) fn definition() -> Kind {
    Kind {
        group: HelmRelease::GROUP,
        kind: HelmRelease::KIND,
        plural: HelmRelease::PLURAL,
        short_names: &["hr"],
        category: "fluxcd-appliers",
        versions: vec![Version::stored(
            HelmRelease::VERSION,
            "A chart, installed with values and kept as it is written.",
            spec(),
            Some(release_status()),
        )],
    }
}

fn spec() -> Schema {
    let schema = object("Which chart, with which values, and how it is installed.")
        .optional("chart", chart_template())
        .optional("chartRef", chart_reference())
        .required(
            "interval",
            duration("How often the release is compared with what is wanted."),
        )
        .optional("kubeConfig", kube_config())
        .optional("suspend", boolean("Stops reconciling this object."))
        .optional(
            "releaseName",
            text("Name of the release; `[<targetNamespace>-]<name>` when not set.")
                .at_least(1)
                .at_most(53),
        )
        .optional(
            "targetNamespace",
            namespace("Namespace of the release; that of this object when not set."),
        )
        .optional(
            "storageNamespace",
            namespace("Namespace of Helm's records; that of this object when not set."),
        )
        .optional(
            "dependsOn",
            list("HelmReleases that must be ready first.", dependency()),
        )
        .optional(
            "timeout",
            duration("Longest time for each step of an action; 5m when not set."),
        )
        .optional(
            "maxHistory",
            count("Versions of the release that Helm keeps, 0 for all; 5 when not set."),
        )
        .optional(
            "serviceAccountName",
            text("ServiceAccount to act as.").at_least(1).at_most(253),
        );
    acting(values(schema)).rule(
        "(has(self.chart) && !has(self.chartRef)) || (!has(self.chart) && has(self.chartRef))",
        "either chart or chartRef must be set",
    )
}

fn values(schema: Schema) -> Schema {
    schema
        .optional("values", any("Values of the chart."))
        .optional(
            "valuesFrom",
            list("Where more values are.", values_reference()),
        )
        .optional("commonMetadata", common_metadata())
        .optional(
            "postRenderers",
            list(
                "What changes the rendered objects, one after another.",
                post_renderer(),
            ),
        )
        .optional(
            "postRenderStrategy",
            text(
                "Whether hooks are post-rendered: not at all, combined with the other objects (the \
                 default), or separately.",
            )
            .one_of(PostRenderStrategy::KNOWN),
        )
}

fn acting(schema: Schema) -> Schema {
    let drift = object("What is done about changes in the cluster.")
        .optional("ignore", ignore_rules())
        .optional(
            "mode",
            text("Whether changes are undone, told, or not looked for (the default).")
                .one_of(DriftMode::KNOWN),
        );
    let wait = object("How it is told that objects are ready.").required(
        "name",
        text("By kstatus (poller, the default), or as Helm 3 did.").one_of(WaitStrategyName::KNOWN),
    );
    schema
        .optional("persistentClient", boolean("Without effect in Bulkhead."))
        .optional("driftDetection", drift)
        .optional("install", install())
        .optional("upgrade", upgrade())
        .optional("test", test())
        .optional("rollback", rollback())
        .optional("uninstall", uninstall())
        .optional("waitStrategy", wait)
        .optional(
            "healthCheckExprs",
            list(
                "How to tell the health of custom resources.",
                health_expression(),
            ),
        )
}

fn namespace(description: &str) -> Schema {
    text(description).at_least(1).at_most(63)
}

fn named(schema: Schema, kinds: &[&str]) -> Schema {
    schema
        .optional("apiVersion", text("Group and version of the source."))
        .required("kind", text("Kind of the source.").one_of(kinds))
        .required("name", text("Name.").at_least(1).at_most(253))
        .optional(
            "namespace",
            namespace("Namespace; that of this object when not set."),
        )
}

fn chart_reference() -> Schema {
    let reference = object("A source whose artifact is a chart.");
    named(reference, ChartReferenceKind::KNOWN)
}

fn chart_template() -> Schema {
    let source = object("The source; the HelmChart is made in its namespace.");
    let verify = object("Signatures to check; for charts of a registry alone.")
        .required(
            "provider",
            text("What the signatures were made with.")
                .one_of(&["cosign", "notation"])
                .filled_with("cosign".into()),
        )
        .optional(
            "secretRef",
            local_reference("Secret with trusted public keys."),
        );
    let spec = object("Spec of the HelmChart.")
        .required(
            "chart",
            text("Name in the repository, or path in the source.")
                .at_least(1)
                .at_most(2048),
        )
        .optional(
            "ignoreMissingValuesFiles",
            boolean("Leaves out files of values that are not there."),
        )
        .optional(
            "interval",
            duration("How often the source is looked at; `interval` of the release when not set."),
        )
        .optional(
            "reconcileStrategy",
            text("What makes a new artifact: a version of the chart, or a revision of the source.")
                .one_of(&["ChartVersion", "Revision"])
                .filled_with("ChartVersion".into()),
        )
        .required("sourceRef", named(source, ChartTemplateSourceKind::KNOWN))
        .optional(
            "valuesFiles",
            texts("Files of values, in place of the chart's own; a later one wins."),
        )
        .optional("verify", verify)
        .optional(
            "version",
            text("Version or range of versions.").filled_with("*".into()),
        );
    object("The HelmChart that is made for this release.")
        .optional(
            "metadata",
            object("Labels and annotations of the HelmChart.")
                .optional("annotations", super::schema::map("Annotations."))
                .optional("labels", super::schema::map("Labels.")),
        )
        .required("spec", spec)
}

fn dependency() -> Schema {
    object("A HelmRelease that must be ready first.")
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

fn values_reference() -> Schema {
    object("A ConfigMap or Secret with values.")
        .required(
            "kind",
            text("Kind of the object.").one_of(ValuesKind::KNOWN),
        )
        .optional(
            "literal",
            boolean("Takes the value at `targetPath` as it is, as `helm --set-literal`."),
        )
        .required(
            "name",
            text("Name, in the same namespace.")
                .at_least(1)
                .at_most(253),
        )
        .optional(
            "optional",
            boolean("Is no error when the object or the key does not exist."),
        )
        .optional(
            "targetPath",
            text("Path of the one value that the key holds, as `helm --set` writes it.")
                .at_most(250)
                .pattern(r"^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$"),
        )
        .optional(
            "valuesKey",
            text("Key of the values; `values.yaml` when not set.")
                .at_most(253)
                .pattern(r"^[\-._a-zA-Z0-9]+$"),
        )
}

fn post_renderer() -> Schema {
    object("One step that changes the rendered objects.").optional(
        "kustomize",
        object("Patches and images, as kustomize does them.")
            .optional("images", list("Images to replace.", image()))
            .optional(
                "patches",
                list("Patches for the rendered objects.", patch()),
            ),
    )
}

fn release_status() -> Schema {
    status("What the controller saw and did last.")
        .optional(
            "failures",
            integer("Failures since the last change of what is wanted."),
        )
        .optional(
            "helmChart",
            text("HelmChart that was made for the release, as `<namespace>/<name>`."),
        )
        .optional(
            "history",
            list("Versions of the release, newest first.", snapshot()),
        )
        .optional(
            "installFailures",
            integer("Failed installs since the last change of what is wanted."),
        )
        .optional("inventory", inventory())
        .optional(
            "lastAttemptedConfigDigest",
            text("Digest of the values of the last attempt."),
        )
        .optional(
            "lastAttemptedGeneration",
            integer("Generation of the last attempt."),
        )
        .optional(
            "lastAttemptedReleaseAction",
            text("Last action that was to make a release.").one_of(&["install", "upgrade"]),
        )
        .optional(
            "lastAttemptedReleaseActionDuration",
            text("How long it took."),
        )
        .optional(
            "lastAttemptedRevision",
            text("Version of the chart of the last attempt."),
        )
        .optional(
            "lastAttemptedRevisionDigest",
            text("Digest of the OCI artifact of the last attempt."),
        )
        .optional(
            "lastAttemptedValuesChecksum",
            text("Written by older versions of Flux; removed at the next attempt."),
        )
        .optional(
            "lastHandledForceAt",
            text("Last value of the annotation `reconcile.fluxcd.io/forceAt` that was handled."),
        )
        .optional("lastHandledReconcileAt", last_handled())
        .optional(
            "lastHandledResetAt",
            text("Last value of the annotation `reconcile.fluxcd.io/resetAt` that was handled."),
        )
        .optional(
            "lastReleaseRevision",
            count("Written by older versions of Flux; removed at the next attempt."),
        )
        .optional(
            "observedCommonMetadataDigest",
            text("Digest of the common metadata of the last action."),
        )
        .optional(
            "observedPostRenderersDigest",
            text("Digest of the post-renderers of the last action."),
        )
        .optional(
            "storageNamespace",
            namespace("Namespace of Helm's records of the release."),
        )
        .optional(
            "upgradeFailures",
            integer("Failed upgrades since the last change of what is wanted."),
        )
}

fn snapshot() -> Schema {
    let hook = object("A test.")
        .optional("lastCompleted", time("When it ended."))
        .optional("lastStarted", time("When it was started."))
        .optional("phase", text("How it ended."));
    object("A version of the release, as it was last written to Helm's storage.")
        .optional("action", text("What made it."))
        .optional("apiVersion", text("How the digest was made."))
        .optional("appVersion", text("Version of what the chart installs."))
        .required("chartName", text("Name of the chart."))
        .required("chartVersion", text("Version of the chart."))
        .required("configDigest", text("Digest of the values."))
        .optional("deleted", time("When it was removed."))
        .required(
            "digest",
            text("Digest of the release in the storage, as `<algorithm>:<checksum>`."),
        )
        .required(
            "firstDeployed",
            time("When the release was first deployed."),
        )
        .required("lastDeployed", time("When this version was deployed."))
        .required("name", text("Name of the release."))
        .required("namespace", text("Namespace of the release."))
        .optional(
            "ociDigest",
            text("Digest of the OCI artifact that the chart comes from."),
        )
        .required("status", text("Status of the release."))
        .optional("testHooks", map_of("Tests that were run, by name.", hook))
        .required("version", count("Version of the release."))
}
