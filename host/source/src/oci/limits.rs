//! Every limit on what a registry sends, by name, with its default.

use std::time::Duration;

/// What an exchange with a registry may cost.
///
/// A value at its limit passes; one past it is refused with [`OciError::Limit`], which names the
/// field.
///
/// [`OciError::Limit`]: super::OciError::Limit
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a manifest or index: 4 MiB, as the distribution specification recommends.
    pub manifest_bytes: u64,
    /// Bytes of a blob that is read whole into memory, plugins among them: 64 MiB.
    pub blob_bytes: u64,
    /// Bytes of the configuration blob of an artifact: 1 MiB.
    pub config_bytes: u64,
    /// Bytes of an answer of a token service: 1 MiB.
    pub answer_bytes: u64,
    /// Bytes of one page of tags or of referrers: 8 MiB. Some registries give all on one page.
    pub page_bytes: u64,
    /// Tags of a repository: 50,000.
    pub tags: usize,
    /// Redirects that one request follows: 5.
    pub redirects: usize,
    /// Times that a request is tried again after an answer that asks for it, or a broken
    /// connection: 2.
    pub retries: usize,
    /// Longest pause before trying again that is sat through; when the registry asks for a longer
    /// one, the error tells it: 10 seconds.
    pub retry_pause: Duration,
    /// Time to connect: 10 seconds.
    pub connect: Duration,
    /// Time without a byte: 30 seconds.
    pub idle: Duration,
    /// Signatures of one artifact that are looked at: 50.
    pub signatures: usize,
    /// Bytes of one signature, payload or bundle: 1 MiB.
    pub signature_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            manifest_bytes: 4 * MIB,
            blob_bytes: 64 * MIB,
            config_bytes: MIB,
            answer_bytes: MIB,
            page_bytes: 8 * MIB,
            tags: 50_000,
            redirects: 5,
            retries: 2,
            retry_pause: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            signatures: 50,
            signature_bytes: MIB,
        }
    }
}
