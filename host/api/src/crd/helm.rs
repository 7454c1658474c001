//! Definitions of HelmRepository and HelmChart.

use serde_json::json;

use super::oci::verification;
use super::schema::{SHORT_DURATION, Schema, boolean, duration, list, map, object, text, texts};
use super::shared::{artifact, last_handled, local_reference, status};
use super::{Column, Kind, Version};
use crate::source::{
    ChartSourceKind, HelmChart, HelmRepository, HelmRepositoryType, ReconcileStrategy,
    RegistryProvider,
};

pub(super) fn repository() -> Kind {
    Kind {
        group: HelmRepository::GROUP,
        kind: HelmRepository::KIND,
        plural: HelmRepository::PLURAL,
        short_names: &["helmrepo"],
        category: "fluxcd-sources",
        versions: vec![Version {
            columns: vec![
                column("URL", ".spec.url"),
                Column::AGE,
                Column::READY,
                Column::STATUS,
            ],
            ..Version::stored(
                HelmRepository::VERSION,
                "A repository of charts: one with an index, behind HTTP, or an OCI registry.",
                repository_spec(),
                Some(repository_status()),
            )
        }],
    }
}

pub(super) fn chart() -> Kind {
    Kind {
        group: HelmChart::GROUP,
        kind: HelmChart::KIND,
        plural: HelmChart::PLURAL,
        short_names: &["hc"],
        category: "fluxcd-sources",
        versions: vec![Version {
            columns: vec![
                column("Chart", ".spec.chart"),
                column("Version", ".spec.version"),
                column("Source Kind", ".spec.sourceRef.kind"),
                column("Source Name", ".spec.sourceRef.name"),
                Column::AGE,
                Column::READY,
                Column::STATUS,
            ],
            ..Version::stored(
                HelmChart::VERSION,
                "A chart of a repository, or one that is packaged from the files of a source.",
                chart_spec(),
                Some(chart_status()),
            )
        }],
    }
}

fn column(name: &'static str, path: &'static str) -> Column {
    Column {
        name,
        type_: "string",
        path,
    }
}

fn repository_spec() -> Schema {
    object("Where the charts are, and with which credentials they are had.")
        .optional("accessFrom", access_from())
        .optional(
            "certSecretRef",
            local_reference(
                "Secret for TLS: `ca.crt` to check the server, `tls.crt` and `tls.key` to \
                 authenticate.",
            ),
        )
        .optional(
            "insecure",
            boolean("Lets a registry be spoken to without TLS. For the type `oci` alone."),
        )
        .optional(
            "interval",
            duration(
                "How often the index is looked at, give or take a few percent. Without effect for \
                 the type `oci`.",
            ),
        )
        .optional(
            "passCredentials",
            boolean("Sends the credentials to other hosts that the index names too."),
        )
        .optional(
            "provider",
            text(
                "How to authenticate; `generic`, the default, takes what `secretRef` holds. For the \
                 type `oci` alone.",
            )
            .one_of(RegistryProvider::KNOWN)
            .filled_with(json!("generic")),
        )
        .optional(
            "secretRef",
            local_reference(
                "Secret with `username` and `password`; for the type `oci` also one of the type \
                 `kubernetes.io/dockerconfigjson`.",
            ),
        )
        .optional("suspend", boolean("Stops reconciling this object."))
        .optional(
            "timeout",
            text("Longest time for one download; 60 s when not set.").pattern(SHORT_DURATION),
        )
        .optional(
            "type",
            text("What it is: `default` for one with an index, `oci` for a registry.")
                .one_of(HelmRepositoryType::KNOWN),
        )
        .required(
            "url",
            text("Address of the repository, by HTTP, HTTPS or OCI.")
                .pattern("^(http|https|oci)://.*$"),
        )
}

fn access_from() -> Schema {
    object("Which other namespaces may use it. Without effect, as in Flux.").required(
        "namespaceSelectors",
        list(
            "Selectors of namespaces; one that matches is enough.",
            object("Selects namespaces.").optional(
                "matchLabels",
                map("Labels that the namespace has; any namespace when empty."),
            ),
        ),
    )
}

fn repository_status() -> Schema {
    status("What the controller saw and did last.")
        .optional("artifact", artifact("The index that was last fetched."))
        .optional("lastHandledReconcileAt", last_handled())
        .optional("url", text("Address at which the newest index always is."))
}

fn chart_spec() -> Schema {
    object("Which chart, of which source.")
        .required(
            "chart",
            text("Name of the chart in the repository, or its path in the source."),
        )
        .optional(
            "ignoreMissingValuesFiles",
            boolean("Leaves out files of values that are not there; else they are an error."),
        )
        .required(
            "interval",
            duration("How often the source is looked at, give or take a few percent."),
        )
        .optional(
            "reconcileStrategy",
            text(
                "What makes a new artifact: another version of the chart, or another revision of \
                 the source.",
            )
            .one_of(ReconcileStrategy::KNOWN)
            .filled_with(json!("ChartVersion")),
        )
        .required("sourceRef", chart_source())
        .optional("suspend", boolean("Stops reconciling this object."))
        .optional(
            "valuesFiles",
            texts(
                "Files of values, of which the later win over the earlier; together they take the \
                 place of values.yaml. Their paths are relative to the chart, or to the root of the \
                 source.",
            ),
        )
        .optional("verify", verification())
        .optional(
            "version",
            text(
                "Version or range of versions. Without effect when the source is a Git repository \
                 or a bucket.",
            )
            .filled_with(json!("*")),
        )
        .rule(
            "!has(self.verify) || self.sourceRef.kind == 'HelmRepository'",
            "spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'",
        )
}

fn chart_source() -> Schema {
    object("Source of the chart, in the same namespace.")
        .optional("apiVersion", text("Group and version of the source."))
        .required(
            "kind",
            text("Kind of the source.").one_of(ChartSourceKind::KNOWN),
        )
        .required("name", text("Name of the source."))
}

fn chart_status() -> Schema {
    status("What the controller saw and did last.")
        .optional("artifact", artifact("The chart that was last made."))
        .optional("lastHandledReconcileAt", last_handled())
        .optional(
            "observedChartName",
            text("Name in the metadata of the chart that was last resolved."),
        )
        .optional(
            "observedSourceArtifactRevision",
            text("Revision of the source that the artifact was made from."),
        )
        .optional(
            "observedValuesFiles",
            texts("Files of values that the artifact was made with."),
        )
        .optional("url", text("Address at which the newest chart always is."))
}
