//! A program that never outlives the test.
//!
//! Each one runs under a shell that reads a pipe held by this process: when the pipe closes, by drop
//! or because the process is gone (`kill -9` too), the shell kills the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Starts "$@", prints its process id, waits for the end of stdin, and kills it. A first argument
/// names a folder to remove then. A Ctrl-C goes to the whole terminal: the pipe alone counts.
const SUPERVISOR: &str = r#"
trap '' INT TERM HUP
remove=$1; shift
"$@" </dev/null >&2 & child=$!
echo "$child"
exec >/dev/null
read -r _
kill -KILL "$child" 2>/dev/null
wait "$child" 2>/dev/null
[ -z "$remove" ] || { sleep 1; rm -rf "$remove"; }
"#;

/// A program and its arguments.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

/// A running program; ends when dropped.
pub(crate) struct Process {
    name: &'static str,
    id: u32,
    log: PathBuf,
    supervisor: Child,
}

impl Process {
    /// Starts `program` with its output in `<dir>/<name>.log`; `remove` goes when it ends.
    #[allow(clippy::disallowed_methods, reason = "tests run real servers")]
    pub(crate) fn start(program: Program, dir: &Path, remove: Option<&Path>) -> Result<Self> {
        let log = dir.join(format!("{}.log", program.name));
        let output = std::fs::File::create(&log)?;
        let mut supervisor = Command::new("/bin/sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(remove.unwrap_or(Path::new("")))
            .arg(&program.path)
            .args(&program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()
            .with_context(|| format!("failed to start {}", program.path.display()))?;
        let stdout = supervisor
            .stdout
            .take()
            .context("the supervisor has no output")?;
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        let id = line
            .trim()
            .parse()
            .context("the supervisor named no process")?;
        Ok(Self {
            name: program.name,
            id,
            log,
            supervisor,
        })
    }

    /// Fails with the end of the log when the program has ended.
    #[allow(clippy::disallowed_methods, reason = "/proc and the test's own log")]
    pub(crate) fn check(&self) -> Result<()> {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        let alive = state
            .rsplit_once(')')
            .is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']));
        if alive || !Path::new("/proc/self/stat").exists() {
            return Ok(());
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(15)..].join("\n");
        bail!("{} ended early:\n{end}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        // The supervisor ends by itself; waiting a moment keeps no zombie behind.
        for _ in 0..40 {
            if !matches!(self.supervisor.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
