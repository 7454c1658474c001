//! Runs the `bulkhead` command as a user does.

#![allow(
    clippy::disallowed_methods,
    reason = "a test runs the program and looks at its files"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns the program that the same build made.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let program = test
        .ancestors()
        .nth(2)
        .expect("a target folder")
        .join("bulkhead");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build -p bulkhead-cli`",
        program.display()
    );
    program
}

/// What a command printed, and how it ended.
pub(crate) struct Printed {
    pub out: String,
    pub err: String,
    pub status: Option<i32>,
}

/// Runs the program with a cache of its own in `folder`.
pub(crate) fn bulkhead(folder: &Path, arguments: &[&str]) -> Printed {
    let Output {
        stdout,
        stderr,
        status,
    } = Command::new(program())
        .args(arguments)
        .env("BULKHEAD_CACHE_DIR", folder.join("cache"))
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .output()
        .expect("the program starts");
    Printed {
        out: String::from_utf8(stdout).expect("UTF-8"),
        err: String::from_utf8(stderr).expect("UTF-8"),
        status: status.code(),
    }
}
