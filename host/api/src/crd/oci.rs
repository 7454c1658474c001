//! Definition of OCIRepository, and the signatures that it shares with HelmChart.

use serde_json::json;

use super::schema::{SHORT_DURATION, Schema, boolean, duration, list, object, text};
use super::shared::{artifact, last_handled, local_reference, status};
use super::{Column, Kind, Version};
use crate::source::{OCIRepository, OciLayerOperation, RegistryProvider, VerificationProvider};

pub(super) fn definition() -> Kind {
    Kind {
        group: OCIRepository::GROUP,
        kind: OCIRepository::KIND,
        plural: OCIRepository::PLURAL,
        short_names: &["ocirepo"],
        category: "fluxcd-sources",
        versions: vec![Version {
            columns: vec![
                Column {
                    name: "URL",
                    type_: "string",
                    path: ".spec.url",
                },
                Column::READY,
                Column::STATUS,
                Column::AGE,
            ],
            ..Version::stored(
                OCIRepository::VERSION,
                "An OCI artifact of which one layer becomes an artifact.",
                spec(),
                Some(repository_status()),
            )
        }],
    }
}

fn spec() -> Schema {
    object("What to pull, how often, and with which credentials.")
        .optional(
            "certSecretRef",
            local_reference(
                "Secret for TLS: `ca.crt` to check the registry, `tls.crt` and `tls.key` to \
                 authenticate.",
            ),
        )
        .optional(
            "ignore",
            text(
                "Patterns of files to leave out, in the format of .gitignore. They take the place of \
                 the built-in ones.",
            ),
        )
        .optional(
            "insecure",
            boolean("Lets the registry be spoken to without TLS."),
        )
        .required(
            "interval",
            duration("How often the registry is looked at, give or take a few percent."),
        )
        .optional(
            "layerSelector",
            layer_selector("Which layer becomes the artifact; the first, its files taken out, when \
                 nothing is set."),
        )
        .optional(
            "provider",
            text(
                "How to authenticate; `generic`, the default, takes what `secretRef` holds, or the \
                 pull secrets of `serviceAccountName`.",
            )
            .one_of(RegistryProvider::KNOWN)
            .filled_with(json!("generic")),
        )
        .optional(
            "proxySecretRef",
            local_reference("Secret with the address and credentials of a proxy."),
        )
        .optional("ref", reference())
        .optional(
            "secretRef",
            local_reference(
                "Secret with the login, of the type `kubernetes.io/dockerconfigjson`.",
            ),
        )
        .optional(
            "serviceAccountName",
            text("ServiceAccount whose pull secrets are used, or that stands for the workload."),
        )
        .optional("suspend", boolean("Stops reconciling this object."))
        .optional(
            "timeout",
            text("Longest time for one pull.").pattern(SHORT_DURATION).filled_with(json!("60s")),
        )
        .required(
            "url",
            text("Address of the repository, as `oci://host/path`, without tag and digest.")
                .pattern("^oci://.*$"),
        )
        .optional(
            "verify",
            verification().optional(
                "trustedRootSecretRef",
                local_reference(
                    "Secret with `trusted_root.json`: who is trusted in the place of Sigstore's \
                     public instance.",
                ),
            ),
        )
}

fn reference() -> Schema {
    object("What to pull; the tag `latest` when nothing is set.")
        .optional(
            "digest",
            text("Digest of the image, as `sha256:<hex>`. Wins over all others."),
        )
        .optional(
            "semver",
            text("Range of versions; the newest tag in it. Wins over `tag`."),
        )
        .optional(
            "semverFilter",
            text("Regular expression that a tag must match for `semver` to see it."),
        )
        .optional("tag", text("Tag."))
}

fn layer_selector(description: &str) -> Schema {
    object(description)
        .optional(
            "mediaType",
            text("Media type of the layer; of several that have it, the first is taken."),
        )
        .optional(
            "operation",
            text("What is done with it: its files are taken out, or it is copied as it is.")
                .one_of(OciLayerOperation::KNOWN),
        )
}

/// Signatures of an image, as HelmChart has them.
pub(super) fn verification() -> Schema {
    object("Signatures that are checked.")
        .optional(
            "matchOIDCIdentity",
            list(
                "Who may sign without a key; one that matches is enough.",
                object("A signer and who vouched for it, as regular expressions.")
                    .required("issuer", text("Expression for who vouched for the signer."))
                    .required("subject", text("Expression for the signer.")),
            ),
        )
        .required(
            "provider",
            text("What the signatures were made with.")
                .one_of(VerificationProvider::KNOWN)
                .filled_with(json!("cosign")),
        )
        .optional(
            "secretRef",
            local_reference(
                "Secret with the public keys that are trusted, in keys that end in .pub.",
            ),
        )
}

fn repository_status() -> Schema {
    status("What the controller saw and did last.")
        .optional("artifact", artifact("What was last pulled."))
        .optional("lastHandledReconcileAt", last_handled())
        .optional(
            "observedIgnore",
            text("`ignore` that the artifact was made with."),
        )
        .optional(
            "observedLayerSelector",
            layer_selector("`layerSelector` that the artifact was made with."),
        )
        .optional(
            "url",
            text("Address at which the newest artifact always is."),
        )
}
