//! What a status says of a version of a release, and the name of a release.

use sha2::{Digest as _, Sha256};

use super::digest::{release_digest, values_digest};
use super::model::Release;
use super::status::Status;
use super::time::Time;

/// The longest name of a release, in bytes.
const MAX_NAME_BYTES: usize = 53;

/// A version of a release as it was last stored: an entry of `status.history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The digest of the stored release, `sha256:<hex>`.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// The namespace that it is installed into.
    pub namespace: String,
    /// Its number.
    pub version: i64,
    /// Where it stands.
    pub status: Status,
    /// The chart.
    pub chart_name: String,
    /// The chart's version.
    pub chart_version: String,
    /// What the chart installs, in which version; may be empty.
    pub app_version: String,
    /// The digest of the values.
    pub config_digest: String,
    /// When the first version was deployed.
    pub first_deployed: Time,
    /// When this one was.
    pub last_deployed: Time,
    /// When it was uninstalled; zero if it was not.
    pub deleted: Time,
    /// The digest of the chart's OCI artifact; empty for others.
    pub oci_digest: String,
}

impl Snapshot {
    /// Describes a release as it is stored; `oci_digest` is that of its chart's OCI artifact, or empty.
    pub fn of(release: &Release, oci_digest: &str) -> Self {
        let metadata = release.chart.as_ref().map(|chart| chart.metadata().clone());
        let metadata = metadata.unwrap_or_default();
        Self {
            digest: release_digest(release, oci_digest).to_string(),
            name: release.name.clone(),
            namespace: release.namespace.clone(),
            version: release.version,
            status: release.info.status.clone(),
            chart_name: metadata.name,
            chart_version: metadata.version,
            app_version: metadata.app_version,
            config_digest: values_digest(&release.config).to_string(),
            first_deployed: release.info.first_deployed,
            last_deployed: release.info.last_deployed,
            deleted: release.info.deleted,
            oci_digest: oci_digest.to_owned(),
        }
    }

    /// Returns `namespace/name.v1`: how Flux names it in messages.
    pub fn full_name(&self) -> String {
        format!("{}/{}.v{}", self.namespace, self.name, self.version)
    }

    /// Returns `chart@version`: how Flux names its chart in messages.
    pub fn versioned_chart(&self) -> String {
        format!("{}@{}", self.chart_name, self.chart_version)
    }
}

/// Returns a name that Helm takes: one of more than 53 bytes is cut to 40, with a digest behind.
///
/// # Source
/// `ShortenName` of helm-controller 1.6.
pub fn shorten_name(name: &str) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let mut end = MAX_NAME_BYTES - 13;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let digest = Sha256::digest(name.as_bytes());
    let hex: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{hex}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        let longest = "a".repeat(53);
        assert_eq!(shorten_name(&longest), longest);
        // Checked against helm-controller 1.6.
        assert_eq!(
            shorten_name("some-front-appended-namespace-release-with-a-name-that-is-too-long"),
            format!(
                "some-front-appended-namespace-release-wi-{}",
                "935b944e261b"
            )
        );
    }
}
