//! Renders a directory of this machine, natively: `render DIR` with the flags of `kustomize build`
//! that change its output. For development and for the conformance corpus.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a tool of development, outside the product"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bulkhead_kustomize::{FileError, FileKind, Files, LoadRestrictor, Options, Reorder};

/// The file system from its root.
struct Disk;

impl Disk {
    fn path(path: &str) -> PathBuf {
        Path::new("/").join(path)
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        std::fs::read(Self::path(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => FileError::NotFound,
            std::io::ErrorKind::IsADirectory => FileError::IsDirectory,
            _ => FileError::Other(error.to_string()),
        })
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        let found = std::fs::metadata(Self::path(path)).ok()?;
        Some(if found.is_dir() {
            FileKind::Directory
        } else {
            FileKind::File
        })
    }

    fn read_dir(&self, path: &str) -> Result<Vec<(String, FileKind)>, FileError> {
        let entries = std::fs::read_dir(Self::path(path)).map_err(|_| FileError::NotFound)?;
        let mut all: Vec<(String, FileKind)> = entries
            .flatten()
            .map(|entry| {
                let kind = if entry.path().is_dir() {
                    FileKind::Directory
                } else {
                    FileKind::File
                };
                (entry.file_name().to_string_lossy().into_owned(), kind)
            })
            .collect();
        all.sort();
        Ok(all)
    }
}

fn main() -> ExitCode {
    let mut options = Options::default();
    let mut directory = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let (flag, mut value) = match word.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let mut next = || value.take().or_else(|| words.next()).unwrap_or_default();
        match flag.as_str() {
            "--reorder" => {
                options.reorder = match next().as_str() {
                    "none" => Reorder::None,
                    "legacy" => Reorder::Legacy,
                    _ => Reorder::Unspecified,
                }
            }
            "--load-restrictor" => {
                if next() == "LoadRestrictionsNone" {
                    options.load_restrictor = LoadRestrictor::None;
                }
            }
            "--enable-alpha-plugins" => options.enable_alpha_plugins = true,
            "--enable-managedby-label" => options.managed_by_label = true,
            "--generate" => options.generate = true,
            _ => directory = Some(flag),
        }
    }
    let directory = directory.unwrap_or_else(|| ".".to_owned());
    let Ok(full) = std::fs::canonicalize(&directory) else {
        eprintln!("error: no such directory: {directory}");
        return ExitCode::FAILURE;
    };
    let path = full.to_string_lossy().trim_start_matches('/').to_owned();
    let times: usize = std::env::var("RENDER_TIMES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    for _ in 1..times {
        let _ = std::hint::black_box(bulkhead_kustomize::render(&Disk, &path, &options));
    }
    match bulkhead_kustomize::render(&Disk, &path, &options) {
        Ok(output) => {
            output
                .warnings
                .iter()
                .for_each(|warning| eprintln!("{warning}"));
            let texts: Vec<&str> = output
                .documents
                .iter()
                .map(|document| document.text.as_str())
                .collect();
            print!("{}", texts.join("---\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}
