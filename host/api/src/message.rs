//! Messages that the upstream `flux` command, dashboards and scripts look for.

use std::time::Duration;

use crate::duration::go_text;

/// Ready=True of a Kustomization.
pub fn applied_revision(revision: &str) -> String {
    format!("Applied revision: {revision}")
}

/// Steps of a Kustomization, as Reconciling and Healthy name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The artifact is loaded.
    Fetching,
    /// The renderer runs.
    Building,
    /// Objects are compared with the cluster and applied.
    DetectingDrift,
    /// Health is waited for.
    HealthChecks,
}

/// Reconciling=True of a Kustomization.
pub fn step(step: Step, revision: &str, timeout: Duration) -> String {
    let what = match step {
        Step::Fetching => "Fetching manifests",
        Step::Building => "Building manifests",
        Step::DetectingDrift => "Detecting drift",
        Step::HealthChecks => "Running health checks",
    };
    format!(
        "{what} for revision {revision} with a timeout of {}",
        go_text(timeout)
    )
}

/// Ready=False of a Kustomization whose source does not exist; `source` is `Kind/name`.
pub fn source_not_found(source: &str) -> String {
    format!("Source '{source}' not found")
}

/// Ready=False of a Kustomization whose source has no artifact yet.
pub fn source_artifact_not_found(retry: Duration) -> String {
    format!("Source artifact not found, retrying in {}", go_text(retry))
}

/// Ready=False of a Kustomization whose source is not ready, its artifact gone from the store.
pub fn source_not_ready(retry: Duration) -> String {
    format!(
        "Source is not ready, artifact not found, retrying in {}",
        go_text(retry)
    )
}

/// Ready=False of a Kustomization whose dependencies are not ready.
pub fn dependencies_not_ready(retry: Duration) -> String {
    format!(
        "Dependencies do not meet ready condition, retrying in {}",
        go_text(retry)
    )
}

/// Healthy=True.
pub fn health_check_passed(took: Duration) -> String {
    format!("Health check passed in {}", go_text(took))
}

/// Event and log line of a finished run, marked as a commit status.
pub fn reconciliation_finished(took: Duration, next: Duration) -> String {
    format!(
        "Reconciliation finished in {}, next run in {}",
        go_text(took),
        go_text(next)
    )
}

/// Log line of a failed run.
pub fn reconciliation_failed(took: Duration, next: Duration) -> String {
    format!(
        "Reconciliation failed after {}, next try in {}",
        go_text(took),
        go_text(next)
    )
}

/// Ready=True and ArtifactInStorage of a source.
pub fn stored_artifact(revision: &str) -> String {
    format!("stored artifact for revision '{revision}'")
}

/// Reconciling of a source whose upstream has a new revision.
pub fn new_upstream_revision(revision: &str) -> String {
    format!("new upstream revision '{revision}'")
}

/// Trace event of a source without news.
pub fn artifact_up_to_date(revision: &str) -> String {
    format!("artifact up-to-date with remote revision: '{revision}'")
}

/// Reconciling of a source that has no artifact.
pub const BUILDING_ARTIFACT: &str = "building artifact";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_flux() {
        let timeout = Duration::from_secs(300);
        assert_eq!(
            step(Step::Fetching, "main@sha1:1f0c", timeout),
            "Fetching manifests for revision main@sha1:1f0c with a timeout of 5m0s"
        );
        assert_eq!(
            applied_revision("main@sha1:1f0c"),
            "Applied revision: main@sha1:1f0c"
        );
        assert_eq!(
            reconciliation_finished(Duration::from_millis(1500), Duration::from_secs(600)),
            "Reconciliation finished in 1.5s, next run in 10m0s"
        );
    }
}
