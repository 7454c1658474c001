//! What a HelmRelease says about each of Helm's actions.

use super::schema::{Schema, boolean, count, duration, list, object, text};
use crate::helmrelease::{
    ActionStrategyName, ChartNameChangeStrategy, CrdsPolicy, RemediationStrategy,
    ServerSideApplyMode,
};

fn step_timeout() -> Schema {
    duration("Longest time for each step; `timeout` of the spec when not set.")
}

pub(super) fn install() -> Schema {
    let remediation = remediation("How a failed install is remediated: by an uninstall.");
    let strategy = strategy("What is done when it fails.").rule(
        "!has(self.retryInterval) || self.name != 'RemediateOnFailure'",
        ".retryInterval cannot be set when .name is 'RemediateOnFailure'",
    );
    deploying(object("How the release is installed."))
        .optional(
            "crds",
            crds("What is done with the chart's `crds/`; `Create` when not set."),
        )
        .optional(
            "createNamespace",
            boolean("Makes the namespace of the release when it is not there."),
        )
        .optional("remediation", remediation)
        .optional(
            "replace",
            boolean("Takes the name of a removed release that is still in the history."),
        )
        .optional(
            "serverSideApply",
            boolean("Applies on the server; true when not set."),
        )
        .optional("skipCRDs", boolean("Old spelling of `crds: Skip`."))
        .optional("strategy", strategy)
}

pub(super) fn upgrade() -> Schema {
    let remediation = remediation("How a failed upgrade is remediated.").optional(
        "strategy",
        text("By which action; `rollback` when not set.").one_of(RemediationStrategy::KNOWN),
    );
    let strategy = strategy("What is done when it fails.").rule(
        "!has(self.retryInterval) || self.name == 'RetryOnFailure'",
        ".retryInterval can only be set when .name is 'RetryOnFailure'",
    );
    deploying(object("How the release is upgraded."))
        .optional(
            "chartNameChangeStrategy",
            text("What is done when the chart has another name; `Reinstall` when not set.")
                .one_of(ChartNameChangeStrategy::KNOWN),
        )
        .optional("cleanupOnFail", cleanup())
        .optional(
            "crds",
            crds("What is done with the chart's `crds/`; `Skip` when not set."),
        )
        .optional("force", force())
        .optional(
            "preserveValues",
            boolean("Keeps the values of the last release where the new ones say nothing."),
        )
        .optional("remediation", remediation)
        .optional("serverSideApply", server_side_apply())
        .optional("strategy", strategy)
}

pub(super) fn rollback() -> Schema {
    waiting(object("How the release is rolled back."))
        .optional("cleanupOnFail", cleanup())
        .optional("force", force())
        .optional(
            "recreate",
            boolean("Without effect, as in Flux since Helm 4."),
        )
        .optional("serverSideApply", server_side_apply())
}

pub(super) fn uninstall() -> Schema {
    object("How the release is removed.")
        .optional(
            "deletionPropagation",
            text("What becomes of dependent objects.")
                .one_of(&["background", "foreground", "orphan"])
                .filled_with("background".into()),
        )
        .optional("disableHooks", boolean("Runs no hooks."))
        .optional(
            "disableWait",
            boolean("Does not wait until objects are gone."),
        )
        .optional(
            "keepHistory",
            boolean("Keeps Helm's records, marked as removed."),
        )
        .optional("timeout", step_timeout())
}

pub(super) fn test() -> Schema {
    let filter = object("A test.")
        .optional("exclude", boolean("Leaves it out."))
        .required("name", text("Name of the test.").at_least(1).at_most(253));
    object("How the release is tested.")
        .optional("enable", boolean("Tests it after an install or upgrade."))
        .optional(
            "filters",
            list("Tests to run or to leave out; all when not set.", filter),
        )
        .optional(
            "ignoreFailures",
            boolean("A failed test leaves the release ready."),
        )
        .optional("timeout", step_timeout())
}

/// What all actions have that change objects.
fn waiting(schema: Schema) -> Schema {
    schema
        .optional("disableHooks", boolean("Runs no hooks."))
        .optional(
            "disableWait",
            boolean("Does not wait until objects are ready."),
        )
        .optional(
            "disableWaitForJobs",
            boolean("Does not wait until Jobs are complete."),
        )
        .optional("timeout", step_timeout())
}

/// What install and upgrade have.
fn deploying(schema: Schema) -> Schema {
    waiting(schema)
        .optional(
            "disableOpenAPIValidation",
            boolean("Does not check objects against the schema of the API server."),
        )
        .optional(
            "disableSchemaValidation",
            boolean("Does not check values against the schema of the chart."),
        )
        .optional(
            "disableTakeOwnership",
            boolean("Refuses to take over objects that exist already."),
        )
}

fn remediation(description: &str) -> Schema {
    object(description)
        .optional(
            "ignoreTestFailures",
            boolean("Leaves releases alone whose tests fail; `test.ignoreFailures` when not set."),
        )
        .optional(
            "remediateLastFailure",
            boolean("Remediates after the last try too."),
        )
        .optional(
            "retries",
            count("How often it is tried again; negative is without end."),
        )
}

fn strategy(description: &str) -> Schema {
    object(description)
        .required(
            "name",
            text("It is remediated (the default), or tried again.")
                .one_of(ActionStrategyName::KNOWN),
        )
        .optional(
            "retryInterval",
            duration("How long to wait before it is tried again; 5m when not set."),
        )
}

fn crds(description: &str) -> Schema {
    text(description).one_of(CrdsPolicy::KNOWN)
}

fn cleanup() -> Schema {
    boolean("Deletes new objects when it fails.")
}

fn force() -> Schema {
    boolean("Replaces objects instead of changing them.")
}

fn server_side_apply() -> Schema {
    text("Whether objects are applied on the server; as before when not set.")
        .one_of(ServerSideApplyMode::KNOWN)
}
