//! A Git repository in a temporary folder, with a worktree to make commits in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

/// A repository on branch `main`, removed when dropped.
///
/// Author, committer and dates are fixed, so that equal content has equal commits.
pub struct Repository {
    home: TempDir,
}

impl Repository {
    /// Makes an empty repository.
    ///
    /// # Errors
    /// The program `git` is missing or failed.
    pub fn new() -> Result<Self> {
        let home = tempfile::tempdir().context("failed to make a temporary folder")?;
        std::fs::create_dir(home.path().join("repo"))?;
        let repository = Self { home };
        repository.git(["init", "--quiet", "--initial-branch=main"])?;
        repository.git(["config", "uploadpack.allowFilter", "true"])?;
        repository.git(["config", "core.protectNTFS", "false"])?;
        repository.git(["config", "core.protectHFS", "false"])?;
        repository.git(["config", "gc.auto", "0"])?;
        Ok(repository)
    }

    /// Makes a repository with one commit that holds `files` (path, content).
    ///
    /// # Errors
    /// As [`Repository::new`].
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let repository = Self::new()?;
        for (path, content) in files {
            repository.write(path, content)?;
        }
        repository.commit("first")?;
        Ok(repository)
    }

    /// Returns the folder that holds the repository: what a server serves.
    pub fn root(&self) -> &Path {
        self.home.path()
    }

    /// Returns the worktree.
    pub fn path(&self) -> PathBuf {
        self.home.path().join("repo")
    }

    /// Returns the `file://` URL.
    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Writes a file of the worktree, with the folders that it needs.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path().join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content)
            .with_context(|| format!("failed to write {}", path.display()))
    }

    /// Removes a file or folder of the worktree.
    ///
    /// # Errors
    /// Nothing is there.
    pub fn remove(&self, path: &str) -> Result<()> {
        let path = self.path().join(path);
        if path.is_dir() {
            std::fs::remove_dir_all(path)?
        } else {
            std::fs::remove_file(path)?
        }
        Ok(())
    }

    /// Makes a symbolic link in the worktree.
    ///
    /// # Errors
    /// The link cannot be made.
    pub fn link(&self, target: &str, path: &str) -> Result<()> {
        Ok(std::os::unix::fs::symlink(target, self.path().join(path))?)
    }

    /// Commits all of the worktree, and returns the commit in hexadecimal digits.
    ///
    /// # Errors
    /// The program `git` failed.
    pub fn commit(&self, message: &str) -> Result<String> {
        self.git(["add", "--all", "--force"])?;
        self.git(["commit", "--quiet", "--allow-empty", "--message", message])?;
        self.head()
    }

    /// Returns the commit that is checked out.
    ///
    /// # Errors
    /// There is none.
    pub fn head(&self) -> Result<String> {
        self.git(["rev-parse", "HEAD"])
    }

    /// Stores a blob without a file, and returns its id.
    ///
    /// # Errors
    /// The program `git` failed.
    pub fn blob(&self, content: &[u8]) -> Result<String> {
        self.feed(["hash-object", "-w", "--stdin"], content)
    }

    /// Stores a tree of raw entries (mode, name, id), as given: no check and no sorting.
    ///
    /// # Errors
    /// The program `git` failed.
    pub fn tree(&self, entries: &[(&str, &[u8], &str)]) -> Result<String> {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(mode.as_bytes());
            raw.push(b' ');
            raw.extend_from_slice(name);
            raw.push(0);
            raw.extend_from_slice(&bytes_of_hex(id)?);
        }
        self.object("tree", &raw)
    }

    /// Stores a raw object of `kind`, as given: no check.
    ///
    /// # Errors
    /// The program `git` failed.
    pub fn object(&self, kind: &str, raw: &[u8]) -> Result<String> {
        self.feed(
            ["hash-object", "-w", "-t", kind, "--literally", "--stdin"],
            raw,
        )
    }

    /// Points `main` at a new commit of a tree made by [`Repository::tree`].
    ///
    /// # Errors
    /// The program `git` failed.
    pub fn commit_tree(&self, tree: &str) -> Result<String> {
        let commit = self.git(["commit-tree", "-m", "raw", tree])?;
        self.git(["update-ref", "refs/heads/main", &commit])?;
        Ok(commit)
    }

    /// Runs `git` in the repository, and returns what it printed, trimmed.
    ///
    /// # Errors
    /// The program `git` failed; the error holds what it said.
    pub fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String> {
        self.feed(arguments, &[])
    }

    fn feed<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        input: &[u8],
    ) -> Result<String> {
        use std::io::Write as _;
        let arguments: Vec<&str> = arguments.into_iter().collect();
        let mut child = Command::new("git")
            .args(&arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(IDENTITY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start `git`")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input)?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "`git {}` failed: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

const IDENTITY: [(&str, &str); 8] = [
    ("HOME", "/nonexistent"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_AUTHOR_NAME", "Test"),
    ("GIT_AUTHOR_EMAIL", "test@example.com"),
    ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"),
    ("GIT_COMMITTER_NAME", "Test"),
    ("GIT_COMMITTER_EMAIL", "test@example.com"),
    ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z"),
];

fn bytes_of_hex(text: &str) -> Result<Vec<u8>> {
    ensure!(text.len() == 40, "`{text}` is not an object id");
    (0..20)
        .map(|at| Ok(u8::from_str_radix(&text[2 * at..2 * at + 2], 16)?))
        .collect()
}
