//! How a release is installed, upgraded, tested, rolled back and removed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{is_false, optional};
use crate::spec::{self, SpecError};
use crate::text::text_enum;

/// How a release is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// Longest time for each step; that of the spec when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// What is done when it fails; `RemediateOnFailure` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ActionStrategy>,
    /// How a failure is remediated: by an uninstall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<InstallRemediation>,
    /// Refuses to take over objects that exist already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Does not wait until objects are ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Does not wait until Jobs are complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Does not check objects against the API server's schema.
    #[serde(default, rename = "disableOpenAPIValidation")]
    #[serde(skip_serializing_if = "is_false")]
    pub disable_open_api_validation: bool,
    /// Does not check values against the chart's schema.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Takes the name of a removed release that is still in the history.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replace: bool,
    /// Old spelling of `crds: Skip`.
    #[serde(default, rename = "skipCRDs", skip_serializing_if = "is_false")]
    pub skip_crds: bool,
    /// What is done with the chart's `crds/`; `Create` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdsPolicy>,
    /// Makes the namespace of the release when it is not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_namespace: bool,
    /// Applies on the server; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<bool>,
}

/// How a release is upgraded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// Longest time for each step; that of the spec when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// What is done when it fails; `RemediateOnFailure` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ActionStrategy>,
    /// How a failure is remediated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<UpgradeRemediation>,
    /// Refuses to take over objects that exist already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Does not wait until objects are ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Does not wait until Jobs are complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Does not check objects against the API server's schema.
    #[serde(default, rename = "disableOpenAPIValidation")]
    #[serde(skip_serializing_if = "is_false")]
    pub disable_open_api_validation: bool,
    /// Does not check values against the chart's schema.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Replaces objects instead of changing them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Keeps the values of the last release where the new ones say nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preserve_values: bool,
    /// Deletes new objects when the upgrade fails.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// What is done with the chart's `crds/`; `Create` when absent, which is what helm-controller 1.6
    /// does (`DefaultCRDPolicy`), though its documentation says `Skip`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdsPolicy>,
    /// Applies on the server; as the release was applied before when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApplyMode>,
    /// What is done when the chart has another name; `Reinstall` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub chart_name_change_strategy: Option<ChartNameChangeStrategy>,
}

/// What is done when an action fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionStrategy {
    /// Which way.
    pub name: ActionStrategyName,
    /// How long to wait before it is tried again; 5 minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<GoDuration>,
}

impl ActionStrategy {
    /// How long to wait before a failed action is tried again.
    pub const DEFAULT_RETRY_INTERVAL: Duration = Duration::from_secs(300);

    /// Returns how long to wait, if failed actions are tried again and not remediated.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `field` cannot be used.
    fn retry(strategy: Option<&Self>, field: &'static str) -> Result<Option<Duration>, SpecError> {
        match strategy {
            Some(strategy) if strategy.name == ActionStrategyName::RetryOnFailure => {
                let default = Self::DEFAULT_RETRY_INTERVAL;
                spec::duration_or(field, strategy.retry_interval.as_ref(), default).map(Some)
            }
            _ => Ok(None),
        }
    }
}

text_enum! {
    /// What is done when an action fails.
    ActionStrategyName {
        /// It is remediated, and tried again.
        RemediateOnFailure = "RemediateOnFailure",
        /// It is tried again as an upgrade.
        RetryOnFailure = "RetryOnFailure",
    }
}

impl Install {
    /// Returns how long to wait before a failed install is tried again; `None` where it is
    /// remediated.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when the interval cannot be used.
    pub fn retry(&self) -> Result<Option<Duration>, SpecError> {
        ActionStrategy::retry(
            self.strategy.as_ref(),
            "spec.install.strategy.retryInterval",
        )
    }

    /// Returns what is done with the chart's `crds/`.
    pub fn crds(&self) -> CrdsPolicy {
        match &self.crds {
            _ if self.skip_crds => CrdsPolicy::Skip,
            Some(policy) => policy.clone(),
            None => CrdsPolicy::Create,
        }
    }

    /// Returns the longest time for each step.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when it cannot be used.
    pub fn timeout(&self, default: Duration) -> Result<Duration, SpecError> {
        spec::duration_or("spec.install.timeout", self.timeout.as_ref(), default)
    }
}

impl Upgrade {
    /// Returns how long to wait before a failed upgrade is tried again; `None` where it is
    /// remediated.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when the interval cannot be used.
    pub fn retry(&self) -> Result<Option<Duration>, SpecError> {
        ActionStrategy::retry(
            self.strategy.as_ref(),
            "spec.upgrade.strategy.retryInterval",
        )
    }

    /// Returns what is done with the chart's `crds/`.
    pub fn crds(&self) -> CrdsPolicy {
        self.crds.clone().unwrap_or(CrdsPolicy::Create)
    }

    /// Returns the longest time for each step.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when it cannot be used.
    pub fn timeout(&self, default: Duration) -> Result<Duration, SpecError> {
        spec::duration_or("spec.upgrade.timeout", self.timeout.as_ref(), default)
    }
}

/// How a failed install is remediated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstallRemediation {
    /// How often it is tried again; negative is without end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    /// Leaves releases alone whose tests fail; as `spec.test.ignoreFailures` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Removes the release after the last try too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
}

/// How a failed upgrade is remediated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRemediation {
    /// How often it is tried again; negative is without end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    /// Leaves releases alone whose tests fail; as `spec.test.ignoreFailures` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Remediates the last failure too; when absent, if there are retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// By which action; `rollback` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RemediationStrategy>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

text_enum! {
    /// By which action a failed upgrade is remediated.
    RemediationStrategy {
        /// Back to the last release that worked.
        Rollback = "rollback",
        /// Removed, and installed again.
        Uninstall = "uninstall",
    }
}

text_enum! {
    /// What is done with the chart's `crds/`.
    CrdsPolicy {
        /// Nothing.
        Skip = "Skip",
        /// New ones are created.
        Create = "Create",
        /// New ones are created, others are replaced.
        CreateReplace = "CreateReplace",
    }
}

text_enum! {
    /// Whether objects are applied on the server.
    ServerSideApplyMode {
        /// They are.
        Enabled = "enabled",
        /// They are patched by the client.
        Disabled = "disabled",
        /// As the release was applied before.
        Auto = "auto",
    }
}

text_enum! {
    /// What is done when the chart has another name.
    ChartNameChangeStrategy {
        /// The release is upgraded.
        InPlaceUpdate = "InPlaceUpdate",
        /// The release is removed and installed again.
        Reinstall = "Reinstall",
    }
}

/// How a release is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Tests it after an install or upgrade.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enable: bool,
    /// Longest time for each test; that of the spec when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// A failed test leaves the release ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_failures: bool,
    /// Tests to run or to leave out; all when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<TestFilter>,
}

impl Test {
    /// Returns the longest time for each test.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when it cannot be used.
    pub fn timeout(&self, default: Duration) -> Result<Duration, SpecError> {
        spec::duration_or("spec.test.timeout", self.timeout.as_ref(), default)
    }

    /// Tells whether the test `name` is run.
    pub fn selects(&self, name: &str) -> bool {
        let named = |exclude: bool| {
            let filters = self.filters.iter();
            filters
                .filter(move |filter| filter.exclude == exclude)
                .map(|filter| filter.name.as_str())
        };
        let excluded = named(true).any(|filter| filter == name);
        let included = named(false).count() == 0 || named(false).any(|filter| filter == name);
        included && !excluded
    }
}

/// A test to run or to leave out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFilter {
    /// Name of the test.
    pub name: String,
    /// Leaves it out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclude: bool,
}

/// How a release is rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Longest time for each step; that of the spec when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Does not wait until objects are ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Does not wait until Jobs are complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Without effect, as in Flux since Helm 4.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recreate: bool,
    /// Replaces objects instead of changing them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Deletes new objects when the rollback fails.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// Applies on the server; as the release was applied before when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApplyMode>,
}

impl Rollback {
    /// Returns the longest time for each step.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when it cannot be used.
    pub fn timeout(&self, default: Duration) -> Result<Duration, SpecError> {
        spec::duration_or("spec.rollback.timeout", self.timeout.as_ref(), default)
    }
}

/// How a release is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Uninstall {
    /// Longest time for each step; that of the spec when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Runs no hooks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Keeps Helm's records, marked as removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_history: bool,
    /// Does not wait until objects are gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// What becomes of dependent objects: `background` (when absent), `foreground` or `orphan`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub deletion_propagation: Option<String>,
}

impl Uninstall {
    /// Returns what becomes of dependent objects.
    pub fn deletion_propagation(&self) -> &str {
        self.deletion_propagation.as_deref().unwrap_or("background")
    }

    /// Returns the longest time for each step.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when it cannot be used.
    pub fn timeout(&self, default: Duration) -> Result<Duration, SpecError> {
        spec::duration_or("spec.uninstall.timeout", self.timeout.as_ref(), default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_include_and_exclude() {
        let test = |filters: &[(&str, bool)]| Test {
            filters: filters
                .iter()
                .map(|(name, exclude)| TestFilter {
                    name: (*name).to_owned(),
                    exclude: *exclude,
                })
                .collect(),
            ..Test::default()
        };
        assert!(test(&[]).selects("a"));
        assert!(test(&[("a", false)]).selects("a"));
        assert!(!test(&[("a", false)]).selects("b"));
        assert!(!test(&[("a", true)]).selects("a"));
        assert!(test(&[("a", true)]).selects("b"));
        assert!(!test(&[("a", false), ("a", true)]).selects("a"));
    }
}
