//! Running the tools of a language. Only `plugin build` does, only those that it names, and only
//! when its user asks for it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, anyhow};

use crate::output::{self, CliError, Progress};

/// Finds a program on the search path.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Finds a program, or says how to get it.
pub(super) fn require(program: &str, get: &str) -> Result<PathBuf, CliError> {
    find(program).ok_or_else(|| {
        CliError::from(anyhow!(
            "`{program}` is needed to build this plugin, and is not on the PATH"
        ))
        .hint(get)
    })
}

/// A command in a folder.
pub(super) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Runs a command to its end. What it prints is shown when it fails.
pub(super) fn run(command: &mut Command, what: &str) -> Result<Output, CliError> {
    let progress = Progress::start(what);
    let output = command.output();
    drop(progress);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = output.with_context(|| format!("failed to run `{program}`"))?;
    if output.status.success() {
        return Ok(output);
    }
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        // Messages for programs are not for people.
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
        if !lines.is_empty() {
            output::note(&lines.join("\n"));
        }
    }
    let arguments: Vec<_> = command
        .get_args()
        .take(2)
        .map(OsStr::to_string_lossy)
        .collect();
    let name = Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    Err(anyhow!("`{name} {}` failed: {}", arguments.join(" "), output.status).into())
}
