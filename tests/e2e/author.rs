//! An author of plugins: a folder, the tools of a language, a registry.
//!
//! What a language needs and a bare machine lacks is installed once, from the package registries,
//! into `$BULKHEAD_CACHE/toolchains`.

#![allow(clippy::print_stderr, reason = "says what takes long")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use bulkhead_api::Digest;

use crate::command::{Printed, program};

/// A user with a folder of their own, the tools of a language, and a registry.
pub(crate) struct User {
    pub(crate) home: tempfile::TempDir,
    pub(crate) registry: String,
    pub(crate) path: String,
    pub(crate) target: PathBuf,
    pub(crate) node_modules: Option<PathBuf>,
}

impl User {
    /// A user of the tools that this machine has.
    pub(crate) fn new(registry: &str) -> Self {
        Self {
            home: tempfile::tempdir().expect("a folder"),
            registry: registry.to_owned(),
            path: std::env::var("PATH").expect("a search path"),
            target: toolchains().join("target"),
            node_modules: None,
        }
    }

    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) -> Printed {
        let home = self.home.path();
        let output = Command::new(program())
            .args(arguments)
            .current_dir(folder)
            .env("BULKHEAD_CACHE_DIR", home.join("cache"))
            .env("BULKHEAD_DATA_DIR", home.join("data"))
            .env("DOCKER_CONFIG", home)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("PATH", &self.path)
            .env("NO_COLOR", "1")
            .output()
            .expect("the program starts");
        Printed {
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
            status: output.status.code(),
        }
    }

    /// Runs a command that has to succeed.
    pub(crate) fn done(&self, folder: &Path, arguments: &[&str]) -> String {
        let printed = self.run(folder, arguments);
        assert_eq!(
            printed.status,
            Some(0),
            "bulkhead {}\n{}{}",
            arguments.join(" "),
            printed.out,
            printed.err
        );
        printed.out
    }
}

/// The folder of the examples.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// The packages of the example in JavaScript, componentize-js among them.
pub(crate) fn node_modules() -> PathBuf {
    let wanted = examples().join("cdk8s/package.json");
    let folder = installed("node", &wanted, |folder| {
        std::fs::copy(&wanted, folder.join("package.json")).expect("a copy");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock"])
            .arg("--prefix")
            .arg(folder);
        vec![npm]
    });
    folder.join("node_modules")
}

/// An environment of Python with the packages of the example, componentize-py among them.
pub(crate) fn environment() -> PathBuf {
    let wanted = examples().join("jinja/requirements.txt");
    installed("python", &wanted, |folder| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder);
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&wanted);
        vec![venv, pip]
    })
}

/// Where tools are kept between runs.
fn toolchains() -> PathBuf {
    let of = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache =
        of("BULKHEAD_CACHE").unwrap_or_else(|| of("HOME").expect("a home").join(".cache/bulkhead"));
    cache.join("toolchains")
}

/// Installs what a file names, once; a second test, or run, finds it.
fn installed(
    language: &str,
    wanted: &Path,
    commands: impl FnOnce(&Path) -> Vec<Command>,
) -> PathBuf {
    let digest = Digest::of(std::fs::read(wanted).expect("a file")).to_string();
    let name = format!("{language}-{}", &digest["sha256:".len()..][..12]);
    let all = toolchains();
    std::fs::create_dir_all(&all).expect("a folder");
    let lock = File::create(all.join(format!("{name}.lock"))).expect("a file");
    lock.lock().expect("a lock");
    let (folder, done) = (all.join(&name), all.join(format!("{name}.done")));
    if done.exists() {
        return folder;
    }
    eprintln!("installing {} into {}", wanted.display(), folder.display());
    std::fs::create_dir_all(&folder).expect("a folder");
    for mut command in commands(&folder) {
        let program = command.get_program().to_string_lossy().into_owned();
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => panic!("this test needs `{program}` on this machine: {error}"),
        };
        assert!(
            output.status.success(),
            "this test needs the packages in {}, and `{program}` could not get them: {}",
            wanted.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    std::fs::write(done, "").expect("a file");
    folder
}
