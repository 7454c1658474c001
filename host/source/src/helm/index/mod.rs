//! Indexes of Helm repositories: read piece by piece, stored as Flux stores them.
//!
//! In: `index.yaml` as it came, YAML or JSON, of any order. Out: the artifact, which is JSON with the
//! charts by name and each chart's versions in descending order, and a [`Directory`] that knows
//! where in it each chart is. Neither the text nor its values are ever held whole.
//!
//! Source: source-controller 1.9, internal/helm/repository/chart_repository.go (`IndexFromBytes`,
//! `ToJSON`) and helm 4.3, pkg/repo/v1/index.go. The revision is the digest of the bytes as they
//! came (`Digest` of the cached download), the artifact's digest that of what is stored.

mod directory;
mod entry;
mod read;
mod store;
mod time;

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};

use bulkhead_api::Digest;
use bulkhead_api::yaml::pieces::{PieceError, read_json, read_yaml};

pub use directory::Directory;
pub use entry::ChartVersion;

use super::fields::Format;
use super::{HelmError, Limits};
use read::Reading;

/// What has been stored.
#[derive(Clone, Debug)]
pub struct StoredIndex {
    /// Digest of what was written: `status.artifact.digest`.
    pub digest: Digest,
    /// Its bytes.
    pub size_bytes: u64,
    /// Where in it each chart is.
    pub directory: Directory,
    /// Versions of all charts.
    pub versions: usize,
    /// What was left out, as Helm leaves it out, with the reason: the first ten.
    pub skipped: Vec<String>,
    /// How many versions were left out.
    pub skipped_count: usize,
}

/// Reads the index `raw` from its start, and writes the artifact to `out`.
///
/// `spool` is an empty temporary file, which takes the versions until they can be sorted. Blocks.
///
/// # Guarantees
/// Memory holds one entry and some 100 bytes a version. The bytes that are written are those that
/// Flux would store, but for the order of versions that are equal in all but build metadata.
///
/// # Errors
/// [`HelmError::Index`] with line and column, [`HelmError::NoIndex`], [`HelmError::Limit`].
pub fn store(
    raw: &mut (impl Read + Seek),
    spool: &mut File,
    out: &mut impl Write,
    limits: &Limits,
) -> Result<StoredIndex, HelmError> {
    let reading = read(raw, spool, limits)?;
    store::write(reading, spool, out)
}

fn read<'a>(
    raw: &mut (impl Read + Seek),
    spool: &'a mut File,
    limits: &'a Limits,
) -> Result<Reading, HelmError> {
    let format = match first_byte(raw)? {
        None => return Err(HelmError::NoIndex("is empty")),
        Some(b'{') => Format::Json,
        Some(_) => Format::Yaml,
    };
    let json = match format {
        Format::Yaml => None,
        Format::Json => match attempt(raw, spool, limits, Format::Json)? {
            Ok(reading) => return Ok(reading),
            Err(Refusal::Final(error)) => return Err(error),
            // What is no JSON may be YAML that starts like it.
            Err(Refusal::Syntax(error)) => Some(error),
        },
    };
    match (attempt(raw, spool, limits, Format::Yaml)?, json) {
        (Ok(reading), _) => Ok(reading),
        (Err(Refusal::Syntax(_)), Some(json)) => Err(json),
        (Err(Refusal::Syntax(error) | Refusal::Final(error)), _) => Err(error),
    }
}

/// Why a text was not read in one format.
enum Refusal {
    /// It is not of this format.
    Syntax(HelmError),
    /// It is, and says what it may not.
    Final(HelmError),
}

fn attempt(
    raw: &mut (impl Read + Seek),
    spool: &mut File,
    limits: &Limits,
    format: Format,
) -> Result<Result<Reading, Refusal>, HelmError> {
    let stored = |source| HelmError::Store {
        action: "read the index",
        source,
    };
    raw.rewind().map_err(stored)?;
    spool.set_len(0).map_err(stored)?;
    spool.rewind().map_err(stored)?;
    let mut sink = read::Sink::new(format, limits, spool);
    let text = BufReader::with_capacity(64 * 1024, raw);
    let done = match format {
        Format::Json => read_json(text, limits.index_entry_bytes, &mut sink),
        Format::Yaml => read_yaml(text, limits.index_entry_bytes, &mut sink),
    };
    Ok(match done {
        Ok(()) => sink.finish().map_err(Refusal::Final),
        Err(_) if sink.has_failure() => Err(Refusal::Final(sink.failure())),
        Err(PieceError::TooLarge { line, allowed }) => Err(Refusal::Final(HelmError::limit(
            format!("an entry of the index near line {line}"),
            "index_entry_bytes",
            allowed,
        ))),
        Err(error) if sink.has_refused() => Err(Refusal::Final(HelmError::Index(error))),
        Err(error) => Err(Refusal::Syntax(HelmError::Index(error))),
    })
}

/// Returns the first byte that is neither space nor a byte-order mark.
fn first_byte(raw: &mut (impl Read + Seek)) -> Result<Option<u8>, HelmError> {
    let stored = |source| HelmError::Store {
        action: "read the index",
        source,
    };
    raw.rewind().map_err(stored)?;
    for byte in BufReader::new(raw).bytes() {
        let byte = byte.map_err(stored)?;
        if !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf) {
            return Ok(Some(byte));
        }
    }
    Ok(None)
}
