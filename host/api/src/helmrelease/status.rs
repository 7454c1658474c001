//! What was seen of a release and done to it last.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{StatusFields, optional};
use crate::meta::{Condition, Inventory};
use crate::text::text_enum;

/// What the controller saw and did last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmReleaseStatus {
    /// Last generation that ended Ready or Stalled, or that is tried again; -1 before the first.
    #[serde(default)]
    pub observed_generation: i64,
    /// Digest of the post-renderers of the last action.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub observed_post_renderers_digest: Option<String>,
    /// Digest of the common metadata of the last action.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub observed_common_metadata_digest: Option<String>,
    /// Generation of the last attempt.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_attempted_generation: i64,
    /// Ready, Released, TestSuccess, Remediated, Drifted, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// HelmChart that was made for the release: `<namespace>/<name>`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub helm_chart: Option<String>,
    /// Namespace of Helm's records of the release.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub storage_namespace: Option<String>,
    /// Versions of the release that were made, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<ReleaseSnapshot>,
    /// Objects of the release, without hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// Last action that was to make a release: `install` or `upgrade`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_attempted_release_action: Option<ReleaseAction>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempted_release_action_duration: Option<GoDuration>,
    /// Failures since the last change.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: i64,
    /// Failed installs since the last change.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub install_failures: i64,
    /// Failed upgrades since the last change.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upgrade_failures: i64,
    /// Version of the chart of the last attempt.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_attempted_revision: Option<String>,
    /// Digest of the OCI artifact of the last attempt.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_attempted_revision_digest: Option<String>,
    /// Written by older versions of Flux; removed at the next attempt.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_attempted_values_checksum: Option<String>,
    /// Written by older versions of Flux; removed at the next attempt.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_release_revision: i64,
    /// Digest of the values of the last attempt.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_attempted_config_digest: Option<String>,
    /// Last value of the annotation that asks for failures to be forgotten.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_handled_reset_at: Option<String>,
    /// Last value of the annotation that asks for a reconciliation.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Last value of the annotation that asks for an install or upgrade in any case.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_handled_force_at: Option<String>,
    /// Fields that could not be read; see [`StatusFields::unreadable`].
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

impl Default for HelmReleaseStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            observed_post_renderers_digest: None,
            observed_common_metadata_digest: None,
            last_attempted_generation: 0,
            conditions: Vec::new(),
            helm_chart: None,
            storage_namespace: None,
            history: Vec::new(),
            inventory: None,
            last_attempted_release_action: None,
            last_attempted_release_action_duration: None,
            failures: 0,
            install_failures: 0,
            upgrade_failures: 0,
            last_attempted_revision: None,
            last_attempted_revision_digest: None,
            last_attempted_values_checksum: None,
            last_release_revision: 0,
            last_attempted_config_digest: None,
            last_handled_reset_at: None,
            last_handled_reconcile_at: None,
            last_handled_force_at: None,
            unreadable: Vec::new(),
        }
    }
}

impl HelmReleaseStatus {
    /// Returns namespace and name of the HelmChart that was made for the release.
    pub fn helm_chart(&self) -> Option<(&str, &str)> {
        self.helm_chart.as_deref()?.split_once('/')
    }

    /// Forgets the failures.
    pub fn clear_failures(&mut self) {
        self.failures = 0;
        self.install_failures = 0;
        self.upgrade_failures = 0;
    }
}

impl StatusFields for HelmReleaseStatus {
    fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
    fn set_unreadable(&mut self, names: Vec<String>) {
        self.unreadable = names;
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

text_enum! {
    /// What made a version of a release.
    ReleaseAction {
        /// An install.
        Install = "install",
        /// An upgrade.
        Upgrade = "upgrade",
        /// A rollback.
        Rollback = "rollback",
        /// An uninstall.
        Uninstall = "uninstall",
        /// An uninstall after a failure.
        UninstallRemediation = "uninstall-remediation",
    }
}

/// A version of a release, as it was last written to Helm's storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSnapshot {
    /// How the digest was made: `v2`; others are not compared.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Digest of the release in the storage, `<algorithm>:<hex>`.
    pub digest: String,
    /// Name of the release.
    pub name: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Version of the release.
    pub version: i64,
    /// Status of the release: `deployed`, `superseded`, `failed`, `uninstalled`, ...
    pub status: String,
    /// What made it.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub action: Option<ReleaseAction>,
    /// Name of the chart.
    pub chart_name: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Version of what the chart installs.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// Digest of the values.
    pub config_digest: String,
    /// When the release was first deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_deployed: Option<Time>,
    /// When this version was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_deployed: Option<Time>,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// Tests that were run, by name; absent when the release was not tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_hooks: Option<BTreeMap<String, TestHookStatus>>,
    /// Digest of the OCI artifact that the chart comes from.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub oci_digest: Option<String>,
}

impl ReleaseSnapshot {
    /// How digests are made now; with others the digest is not compared.
    pub const API_VERSION: &'static str = "v2";

    /// Returns `<namespace>/<name>.v<version>`, as messages name a release.
    pub fn full_name(&self) -> String {
        format!("{}/{}.v{}", self.namespace, self.name, self.version)
    }

    /// Returns `<chart>@<version>`, as messages name a chart.
    pub fn chart(&self) -> String {
        format!("{}@{}", self.chart_name, self.chart_version)
    }

    /// Tells whether it is about this version of a release.
    pub fn targets(&self, name: &str, namespace: &str, version: i64) -> bool {
        self.name == name && self.namespace == namespace && self.version == version
    }

    /// Tells whether tests were run to an end, or that there are none. One without a phase was left out
    /// by a filter; one that runs was broken off.
    pub fn has_been_tested(&self) -> bool {
        let Some(hooks) = &self.test_hooks else {
            return false;
        };
        hooks.values().any(|hook| hook.is(TestHookStatus::FAILED))
            || hooks
                .values()
                .all(|hook| hook.phase.is_none() || hook.is(TestHookStatus::SUCCEEDED))
    }

    /// Tells whether a test failed.
    pub fn has_failed_test(&self) -> bool {
        let hooks = self.test_hooks.iter().flat_map(BTreeMap::values);
        hooks
            .into_iter()
            .any(|hook| hook.is(TestHookStatus::FAILED))
    }

    /// Tells whether it can be rolled back to.
    pub fn is_target(&self, ignore_tests: bool) -> bool {
        matches!(self.status.as_str(), "deployed" | "superseded")
            && (ignore_tests || !self.has_failed_test())
    }
}

/// A test, as it was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestHookStatus {
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_completed: Option<Time>,
    /// How it ended: `Succeeded`, `Failed`, `Running`, `Unknown`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

impl TestHookStatus {
    /// Phase of a test that failed.
    pub const FAILED: &'static str = "Failed";
    /// Phase of a test that went well.
    pub const SUCCEEDED: &'static str = "Succeeded";

    fn is(&self, phase: &str) -> bool {
        self.phase.as_deref() == Some(phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(phases: &[(&str, &str)]) -> ReleaseSnapshot {
        let hook = |phase: &str| TestHookStatus {
            phase: Some(phase.to_owned()),
            ..Default::default()
        };
        ReleaseSnapshot {
            status: "deployed".into(),
            test_hooks: Some(
                phases
                    .iter()
                    .map(|(name, phase)| ((*name).to_owned(), hook(phase)))
                    .collect(),
            ),
            ..Default::default()
        }
    }

    #[test]
    fn tests_have_been_run_when_all_succeeded_or_one_failed() {
        assert!(!ReleaseSnapshot::default().has_been_tested());
        assert!(tested(&[]).has_been_tested());
        assert!(tested(&[("a", "Succeeded")]).has_been_tested());
        assert!(!tested(&[("a", "Succeeded"), ("b", "Unknown")]).has_been_tested());
        let mut filtered = tested(&[("a", "Succeeded"), ("b", "")]);
        let left_out = filtered.test_hooks.iter_mut().flatten();
        left_out.for_each(|(_, hook)| hook.phase = hook.phase.take().filter(|it| !it.is_empty()));
        assert!(filtered.has_been_tested(), "by Flux, with a filter");
        let failed = tested(&[("a", "Failed"), ("b", "Unknown")]);
        assert!(failed.has_been_tested() && failed.has_failed_test());
        assert!(!failed.is_target(false));
        assert!(failed.is_target(true));
    }
}
