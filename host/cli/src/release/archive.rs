//! Charts in folders of this machine.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bulkhead_controllers::helmrelease::ARCHIVE_MAX_BYTES;
use bulkhead_source::Constraint;
use bulkhead_source::helm::chart::inspect;
use bulkhead_source::helm::{Limits, version};

use super::error::Failure;

/// Finds what is at `path`.
pub(super) fn open(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|source| failed(path, source))
}

/// Reads a packed chart.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(|source| failed(path, source))?;
    let read = file.take(ARCHIVE_MAX_BYTES + 1).read_to_end(&mut content);
    match read {
        Err(source) => Err(failed(path, source)),
        Ok(size) if size as u64 > ARCHIVE_MAX_BYTES => {
            Err(failed(path, std::io::ErrorKind::FileTooLarge.into()))
        }
        Ok(_) => Ok(content),
    }
}

/// Finds a chart in the folder of a HelmRepository: a folder of its name, else the archive with the
/// highest version that is wanted; or the folder is the chart.
pub(super) fn choose(folder: &Path, chart: &str, wanted: &str) -> Result<PathBuf, Failure> {
    let folder = open(folder)?;
    for place in [folder.join(chart), folder.clone()] {
        if place.join("Chart.yaml").is_file() || place.is_file() {
            return Ok(place);
        }
    }
    let none = |problem: String| Failure::NotThere {
        chart: chart.to_owned(),
        path: folder.display().to_string(),
        problem,
    };
    let range = match wanted {
        "" => "*",
        wanted => wanted,
    };
    let range = Constraint::parse(range).map_err(|error| none(bulkhead_api::chain(&error)))?;
    let mut best: Option<(_, PathBuf)> = None;
    let entries = std::fs::read_dir(&folder).map_err(|source| failed(&folder, source))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "tgz") {
            continue;
        }
        let Ok(metadata) = inspect("the archive", &*read(&path)?, &Limits::default()) else {
            continue;
        };
        let version = version::parse(&metadata.version).filter(|_| metadata.name == chart);
        let Some(version) = version else { continue };
        let fits = metadata.version == wanted || range.matches(&version);
        let is_best = best
            .as_ref()
            .is_none_or(|(known, _)| version.cmp_precedence(known).is_gt());
        if fits && is_best {
            best = Some((version, path));
        }
    }
    let problem =
        || format!("no folder of that name, and no archive with a version that is `{wanted}`");
    best.map(|(_, path)| path).ok_or_else(|| none(problem()))
}

fn failed(path: &Path, source: std::io::Error) -> Failure {
    Failure::Local {
        path: path.display().to_string(),
        source,
    }
}
