//! Every limit on what Helm repositories and charts may cost, by name, with its default.

use std::time::Duration;

/// What repositories, indexes and charts may cost.
///
/// A value at its limit passes; one past it is refused with [`HelmError::Limit`], which names the
/// field.
///
/// [`HelmError::Limit`]: super::HelmError::Limit
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an index after decompression: 256 MiB. Flux refuses past 50 MiB.
    pub index_bytes: u64,
    /// Charts of an index: 100,000.
    pub index_charts: usize,
    /// Versions of all charts of an index, those that are left out included: 500,000.
    pub index_versions: usize,
    /// Bytes of one version's entry in an index, give or take what is read ahead: 1 MiB.
    pub index_entry_bytes: u64,
    /// Bytes of all names of charts and all versions of an index, which stay in memory while it is
    /// read: 32 MiB.
    pub index_name_bytes: usize,
    /// Bytes of a packaged chart: 10 MiB, as in Flux.
    pub chart_bytes: u64,
    /// Bytes of all files of a chart, with its subcharts: 100 MiB, as in Helm.
    pub unpacked_bytes: u64,
    /// Bytes of one file of a chart: 5 MiB, as in Helm.
    pub file_bytes: u64,
    /// Files of a chart, with those of its subcharts: 20,000.
    pub files: usize,
    /// Folders above a file of a chart, those of its subcharts included: 64.
    pub depth: usize,
    /// Charts within charts: 16.
    pub subchart_depth: usize,
    /// Redirects that one request follows: 5.
    pub redirects: usize,
    /// Time to connect: 10 seconds.
    pub connect: Duration,
    /// Time without a byte: 30 seconds.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            index_bytes: 256 * MIB,
            index_charts: 100_000,
            index_versions: 500_000,
            index_entry_bytes: MIB,
            index_name_bytes: 32 << 20,
            chart_bytes: 10 * MIB,
            unpacked_bytes: 100 * MIB,
            file_bytes: 5 * MIB,
            files: 20_000,
            depth: 64,
            subchart_depth: 16,
            redirects: 5,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
        }
    }
}
