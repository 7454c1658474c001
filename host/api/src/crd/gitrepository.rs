//! Definition of GitRepository.

use serde_json::json;

use super::schema::{SHORT_DURATION, Schema, boolean, duration, list, object, text, texts};
use super::shared::{artifact, last_handled, local_reference, status};
use super::{Column, Kind, Version};
use crate::source::{GitProvider, GitRepository};

pub(super) fn definition() -> Kind {
    Kind {
        group: GitRepository::GROUP,
        kind: GitRepository::KIND,
        plural: GitRepository::PLURAL,
        short_names: &["gitrepo"],
        category: "fluxcd-sources",
        versions: vec![Version {
            columns: vec![
                Column {
                    name: "URL",
                    type_: "string",
                    path: ".spec.url",
                },
                Column::AGE,
                Column::READY,
                Column::STATUS,
            ],
            ..Version::stored(
                GitRepository::VERSION,
                "A Git repository whose files become an artifact.",
                spec(),
                Some(repository_status()),
            )
        }],
    }
}

fn spec() -> Schema {
    object("What to fetch, how often, and with which credentials.")
        .optional(
            "ignore",
            text(
                "Patterns of files to leave out, in the format of .gitignore. They take the place of \
                 the built-in ones.",
            ),
        )
        .optional(
            "include",
            list("Repositories whose artifacts are copied into this one's.", include()),
        )
        .required(
            "interval",
            duration("How often the repository is looked at, give or take a few percent."),
        )
        .optional(
            "provider",
            text("How to authenticate; `generic`, the default, takes what `secretRef` holds.")
                .one_of(GitProvider::KNOWN),
        )
        .optional(
            "proxySecretRef",
            local_reference("Secret with the address and credentials of a proxy."),
        )
        .optional("recurseSubmodules", boolean("Fetches all submodules too."))
        .optional("ref", reference())
        .optional(
            "secretRef",
            local_reference(
                "Secret with credentials: `username` and `password` or `bearerToken` for HTTP, \
                 `identity` and `known_hosts` for SSH.",
            ),
        )
        .optional(
            "serviceAccountName",
            text("ServiceAccount to authenticate as, with the providers `azure` and `aws`."),
        )
        .optional(
            "sparseCheckout",
            texts("Directories to put into the artifact; all of them when empty."),
        )
        .optional("suspend", boolean("Stops reconciling this object."))
        .optional(
            "timeout",
            text("Longest time for one fetch.").pattern(SHORT_DURATION).filled_with(json!("60s")),
        )
        .required(
            "url",
            text("Address of the repository, by HTTP, HTTPS or SSH.")
                .pattern("^(http|https|ssh)://.*$"),
        )
        .optional("verify", verification())
        .rule(
            "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || \
             self.provider == 'aws'))",
            "serviceAccountName can only be set when provider is 'azure' or 'aws'",
        )
}

fn reference() -> Schema {
    object("What to check out; branch `master` when nothing is set.")
        .optional(
            "branch",
            text("Branch; with `commit`, the branch that the commit is on."),
        )
        .optional(
            "commit",
            text("Commit, by its full hash. Wins over all others."),
        )
        .optional(
            "name",
            text(
                "Reference by its full name, as refs/heads/main or refs/pull/420/head. Wins over \
                 `branch`, `tag` and `semver`.",
            ),
        )
        .optional(
            "semver",
            text("Range of versions; the newest tag in it. Wins over `tag`."),
        )
        .optional("tag", text("Tag. Wins over `branch`."))
}

fn verification() -> Schema {
    object("Signatures that are checked.")
        .optional(
            "mode",
            text("What must be signed: the commit, the tag or both. `head` is an old form of `HEAD`.")
                .one_of(&["head", "HEAD", "Tag", "TagAndHEAD"])
                .filled_with(json!("HEAD")),
        )
        .required(
            "secretRef",
            local_reference(
                "Secret with the public keys that are trusted: PGP in keys that end in .asc, SSH in \
                 keys that end in .sshpub.",
            ),
        )
}

fn include() -> Schema {
    object("A repository whose artifact is copied in.")
        .optional("fromPath", text("Directory there; its root when not set."))
        .required(
            "repository",
            local_reference("GitRepository in the same namespace."),
        )
        .optional(
            "toPath",
            text("Directory here; the name of the other when not set."),
        )
}

fn repository_status() -> Schema {
    status("What the controller saw and did last.")
        .optional("artifact", artifact("What was last fetched."))
        .optional(
            "includedArtifacts",
            list(
                "Artifacts that were copied in.",
                artifact("An artifact that was copied in."),
            ),
        )
        .optional("lastHandledReconcileAt", last_handled())
        .optional(
            "observedIgnore",
            text("`ignore` that the artifact was made with."),
        )
        .optional(
            "observedInclude",
            list("`include` that the artifact was made with.", include()),
        )
        .optional(
            "observedRecurseSubmodules",
            boolean("`recurseSubmodules` that the artifact was made with."),
        )
        .optional(
            "observedSparseCheckout",
            texts("`sparseCheckout` that the artifact was made with."),
        )
        .optional(
            "sourceVerificationMode",
            text("What was found to be signed."),
        )
}
