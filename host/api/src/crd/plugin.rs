//! Definitions of Plugin and ClusterPlugin: one spec, one status, two scopes.

use serde_json::json;

use super::schema::{
    SHORT_DURATION, Schema, boolean, duration, integer, list, object, text, texts,
};
use super::shared::{last_handled, local_reference, status};
use super::{Column, Kind, Version};
use crate::plugin::{ClusterPlugin, Plugin, VerificationMode, VerificationProvider};

/// Pattern of an amount of bytes.
const BYTES: &str = "^[0-9]+(Ki|Mi|Gi|k|M|G)?$";
/// Pattern of a digest.
const DIGEST: &str = "^sha256:[0-9a-f]{64}$";
/// Longest list of a spec: a rule over it stays cheap.
const MOST: u32 = 64;

/// A Secret of a ClusterPlugin is in the engine's own namespace.
const WHERE: &str = "For a ClusterPlugin it is in the namespace that Bulkhead runs in.";

pub(super) fn plugin() -> Kind {
    Kind {
        group: Plugin::GROUP,
        kind: Plugin::KIND,
        plural: Plugin::PLURAL,
        short_names: &[],
        category: "bulkhead",
        versions: vec![version(
            "A renderer, transformer or notifier, installed for one namespace by its reference.",
        )],
    }
}

pub(super) fn cluster_plugin() -> Kind {
    Kind {
        group: ClusterPlugin::GROUP,
        kind: ClusterPlugin::KIND,
        plural: ClusterPlugin::PLURAL,
        short_names: &[],
        category: "bulkhead",
        versions: vec![version(
            "A renderer, transformer or notifier, installed for all namespaces by its reference. \
             One with the name of a built-in plugin takes its place.",
        )],
    }
}

fn version(description: &'static str) -> Version {
    let column = |name, path| Column {
        name,
        type_: "string",
        path,
    };
    Version {
        columns: vec![
            column("Kind", ".status.kind"),
            column("Version", ".status.version"),
            column("Image", ".spec.image"),
            Column::AGE,
            Column::READY,
            Column::STATUS,
        ],
        ..Version::stored(Plugin::VERSION, description, spec(), Some(plugin_status()))
    }
}

fn spec() -> Schema {
    object("What to install, whom to trust, and what it may do.")
        .optional(
            "approve",
            text(
                "Digest of the image whose imports and requests are approved, though they are more \
                 than those approved before: `status.pendingDigest`.",
            )
            .pattern(DIGEST),
        )
        .optional(
            "certSecretRef",
            local_reference(&format!(
                "Secret with `ca.crt`, the authority that signs the registry's certificate. {WHERE}"
            )),
        )
        .optional("grants", grants())
        .required(
            "image",
            text(
                "Image by tag or digest, as registry.example.com/plugins/cue:1.2. A digest never \
                 changes; a tag is looked at at every interval.",
            )
            .at_least(1)
            .at_most(1024),
        )
        .optional("insecure", boolean("Talks to the registry without TLS."))
        .optional(
            "interval",
            duration("How often the tag is looked at, give or take a few percent.")
                .filled_with(json!("10m")),
        )
        .optional("limits", limits())
        .optional(
            "pullSecretRef",
            local_reference(&format!(
                "Secret of the type kubernetes.io/dockerconfigjson with the credentials of the \
                 registry. {WHERE}"
            )),
        )
        .optional(
            "suspend",
            boolean("Stops looking at the registry. What runs goes on."),
        )
        .optional(
            "timeout",
            text("Longest time for one exchange with the registry.")
                .pattern(SHORT_DURATION)
                .filled_with(json!("60s")),
        )
        .optional("verify", verification())
}

fn verification() -> Schema {
    object("Signatures that the image must have; nothing is checked when not set.")
        .optional(
            "keyless",
            list(
                "Identities that are trusted where images are signed without a key of their own.",
                identity(),
            )
            .at_most_items(MOST),
        )
        .optional(
            "mode",
            text(
                "What happens to an image without a good signature: `enforce` does not run it, \
                 `warn` runs it and says so in the condition Verified.",
            )
            .one_of(VerificationMode::KNOWN)
            .filled_with(json!("enforce")),
        )
        .optional(
            "provider",
            text("How images are signed.")
                .one_of(VerificationProvider::KNOWN)
                .filled_with(json!("cosign")),
        )
        .optional(
            "secretRef",
            local_reference(&format!(
                "Secret with the public keys that are trusted, in keys that end in .pub; one of \
                 them is enough. {WHERE}"
            )),
        )
        .optional(
            "trustedRootSecretRef",
            local_reference(&format!(
                "Secret with `trusted_root.json`: the certificate authorities and transparency \
                 logs behind signatures. Those of the public Sigstore when not set, for keyless. \
                 {WHERE}"
            )),
        )
        .rule(
            "has(self.secretRef) != (has(self.keyless) && size(self.keyless) > 0)",
            "name either secretRef or keyless",
        )
}

fn identity() -> Schema {
    object("Who may have signed.")
        .required(
            "issuer",
            text("Who vouches for the identity, as https://token.actions.githubusercontent.com.")
                .at_least(1)
                .at_most(2048),
        )
        .optional(
            "subject",
            text("The identity, letter by letter.").at_most(2048),
        )
        .optional(
            "subjectRegExp",
            text("An expression that the whole identity must match.").at_most(2048),
        )
        .rule(
            "has(self.subject) != has(self.subjectRegExp)",
            "name either subject or subjectRegExp",
        )
}

fn grants() -> Schema {
    object(
        "What the plugin may do, as far as its manifest asks for it. Nothing but reading the source \
         when not set.",
    )
    .optional(
        "files",
        texts("Patterns of files that a renderer sees; all of the source when not set.")
            .at_most_items(MOST),
    )
    .optional(
        "http",
        texts(
            "Hosts that a notifier may send to beside that of the provider's address, with a port \
             if it is not the usual one.",
        )
        .at_most_items(MOST),
    )
    .optional(
        "inputs",
        texts("Names of inputs that a renderer is given; all that its user names when not set.")
            .at_most_items(MOST),
    )
    .optional(
        "lookup",
        boolean(
            "Lets a renderer look up objects of the cluster, with the rights of the account that \
             its user applies as.",
        ),
    )
    .optional(
        "privateNetworks",
        boolean("Lets a notifier send to private networks. Counts in a ClusterPlugin alone."),
    )
    .optional(
        "secrets",
        texts("Keys of the provider's Secret that a notifier may use beside `address`.")
            .at_most_items(MOST),
    )
}

fn limits() -> Schema {
    let bytes = |description| text(description).pattern(BYTES);
    object("What one call may take; the defaults of its kind where not set.")
        .optional(
            "deadline",
            text("Time from its start to its answer: at most 10 minutes.").pattern(SHORT_DURATION),
        )
        .optional(
            "fuel",
            integer("Instructions, about. Needs an engine that counts them.").not_negative(),
        )
        .optional("memory", bytes("Sum of its memories: at most 4Gi."))
        .optional("output", bytes("Size of its answer: at most 256Mi."))
}

fn plugin_status() -> Schema {
    status("What the controller saw and did last.")
        .optional(
            "approvedDigest",
            text("Last digest whose imports and requests were approved."),
        )
        .optional("component", text("Digest of the component that runs."))
        .optional("digest", text("Digest of the image that runs."))
        .optional("image", text("Image that runs, by tag and digest."))
        .optional("imports", texts("Interfaces that it imports."))
        .optional(
            "kind",
            text("What it does: renderer, transformer or notifier."),
        )
        .optional("lastHandledReconcileAt", last_handled())
        .optional("pendingDigest", text("Digest that waits to be approved."))
        .optional(
            "permissions",
            permissions(
                "What it may do: what it asks for, as far as it is granted.",
                true,
            ),
        )
        .optional(
            "requests",
            permissions("What its manifest asks for.", false),
        )
        .optional("signer", text("Who signed the image that runs."))
        .optional("version", text("Version that its manifest states."))
        .optional("world", text("World that the component was built for."))
}

fn permissions(description: &str, are_effective: bool) -> Schema {
    let schema = object(description)
        .optional("deadline", text("Time of one call."))
        .optional("files", texts("Patterns of files."))
        .optional("http", texts("Hosts."))
        .optional("inputs", texts("Names of inputs."))
        .optional("lookup", boolean("Objects of the cluster."))
        .optional("memory", text("Memory of one call."))
        .optional("secrets", texts("Names of secrets."));
    match are_effective {
        true => schema.optional("privateNetworks", boolean("Private networks.")),
        false => schema,
    }
}
