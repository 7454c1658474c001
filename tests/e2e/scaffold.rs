//! `bulkhead plugin`, as an author and a user go through it: every scaffold is written, built,
//! checked, tested, published to a real registry, installed from there and used.
//!
//! What a language needs and a bare machine lacks is installed once, from the package registries,
//! into `$BULKHEAD_CACHE/toolchains`. The times of each step are printed.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test runs programs, looks at files, and says what takes long"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bulkhead_testing::registry::RegistryServer;
use serde_json::Value;

use crate::command::{Printed, program};

const KINDS: [&str; 3] = ["renderer", "transformer", "notifier"];

/// A user with a folder of their own, the tools of a language, and a registry.
struct User {
    home: tempfile::TempDir,
    registry: String,
    path: String,
    target: PathBuf,
    node_modules: Option<PathBuf>,
}

impl User {
    fn run(&self, folder: &Path, arguments: &[&str]) -> Printed {
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
    fn done(&self, folder: &Path, arguments: &[&str]) -> String {
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

/// Goes from `new` to the use of an installed plugin; returns how long each step took.
fn whole_way(user: &User, language: &str, kind: &str) -> Vec<(&'static str, Duration)> {
    let name = format!("hello-{language}-{kind}");
    let home = user.home.path();
    let folder = home.join(&name);
    let mut times = Vec::new();
    let mut timed = |step: &'static str, folder: &Path, arguments: &[&str]| {
        let started = Instant::now();
        let out = user.done(folder, arguments);
        times.push((step, started.elapsed()));
        out
    };
    timed(
        "new",
        home,
        &["plugin", "new", &name, "--lang", language, "--kind", kind],
    );
    if let Some(modules) = &user.node_modules {
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).expect("a link");
    }
    timed("build", &folder, &["plugin", "build"]);
    let checked = timed(
        "check",
        &folder,
        &["plugin", "check", "--strict", "-o", "json"],
    );
    let checked: Value = serde_json::from_str(&checked).expect("JSON");
    assert_eq!(checked["kind"], kind);
    assert_eq!(checked["manifest"]["name"], name.as_str());
    let tested = timed("test", &folder, &["plugin", "test"]);
    assert_eq!(tested.matches("ok ").count(), 2, "{tested}");

    let reference = format!("{}/{name}:0.1.0", user.registry);
    let plain = ["--plain-http", &user.registry];
    timed(
        "push",
        &folder,
        &["plugin", "push", &reference, plain[0], plain[1]],
    );
    timed(
        "install",
        home,
        &[
            "plugin",
            "install",
            &reference,
            "--grant-all",
            plain[0],
            plain[1],
        ],
    );
    let case = first_case(&folder);
    let expected = std::fs::read_to_string(case.join("expected.yaml")).expect("a file");
    let (input, config) = (case.join("input"), case.join("config.yaml"));
    let (input, config) = (input.display().to_string(), config.display().to_string());
    let used = match kind {
        "renderer" => timed(
            "render",
            home,
            &["render", &name, &input, "--config", &config],
        ),
        "transformer" => timed(
            "run",
            home,
            &[
                "plugin", "run", &input, "--plugin", &name, "--config", &config,
            ],
        ),
        _ => timed("run", home, &["plugin", "run", &input, "--plugin", &name]),
    };
    assert_eq!(used, expected, "{name}");
    times
}

/// The case in which something is rendered, or sent.
fn first_case(folder: &Path) -> PathBuf {
    let names = [
        "puts-the-environment-in",
        "labels-every-object",
        "posts-a-line-an-event",
    ];
    let mut cases = names.iter().map(|name| folder.join("tests").join(name));
    cases.find(|case| case.is_dir()).expect("a case")
}

/// Takes every kind of a language the whole way.
async fn every_kind(
    language: &'static str,
    more_path: Option<PathBuf>,
    node_modules: Option<PathBuf>,
) {
    let registry = RegistryServer::start().await.expect("a registry");
    let path = std::env::var("PATH").expect("a search path");
    let user = User {
        home: tempfile::tempdir().expect("a folder"),
        registry: registry.host().to_owned(),
        path: match more_path {
            Some(folder) => format!("{}:{path}", folder.display()),
            None => path,
        },
        target: toolchains().join("target"),
        node_modules,
    };
    let work = move || {
        for kind in KINDS {
            let times = whole_way(&user, language, kind);
            let steps: Vec<_> = times
                .iter()
                .map(|(step, time)| format!("{step} {time:.1?}"))
                .collect();
            let total: Duration = times.iter().map(|(_, time)| *time).sum();
            eprintln!("{language} {kind}: {total:.1?} ({})", steps.join(", "));
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .expect("it went well");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry and a compiler for wasm32"]
async fn rust_from_new_to_use() {
    every_kind("rust", None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry and Go"]
async fn go_from_new_to_use() {
    every_kind("go", None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, clang and wasi-libc"]
async fn c_from_new_to_use() {
    every_kind("c", None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, Node and npm's registry"]
async fn javascript_from_new_to_use() {
    let folder = installed("componentize-js-0.23.0", |folder| {
        let package = "@bytecodealliance/componentize-js@0.23.0";
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder)
            .arg(package);
        vec![npm]
    });
    every_kind("js", None, Some(folder.join("node_modules"))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, Python and PyPI"]
async fn python_from_new_to_use() {
    let folder = installed("componentize-py-0.25.1", |folder| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder);
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "componentize-py==0.25.1"]);
        vec![venv, pip]
    });
    every_kind("python", Some(folder.join("bin")), None).await;
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

/// Installs tools once; a second test, or run, finds them.
fn installed(name: &str, commands: impl FnOnce(&Path) -> Vec<Command>) -> PathBuf {
    let all = toolchains();
    std::fs::create_dir_all(&all).expect("a folder");
    let lock = File::create(all.join(format!("{name}.lock"))).expect("a file");
    lock.lock().expect("a lock");
    let (folder, done) = (all.join(name), all.join(format!("{name}.done")));
    if done.exists() {
        return folder;
    }
    eprintln!("installing {name} into {}", folder.display());
    std::fs::create_dir_all(&folder).expect("a folder");
    for mut command in commands(&folder) {
        let output = command.output().expect("a program");
        assert!(
            output.status.success(),
            "failed to install {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    std::fs::write(done, "").expect("a file");
    folder
}

/// A person without tools is told what is missing and where to get it.
#[test]
fn missing_tools_are_named() {
    let home = tempfile::tempdir().expect("a folder");
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let user = User {
        registry: String::new(),
        path: empty.display().to_string(),
        target: home.path().join("target"),
        node_modules: None,
        home,
    };
    for (language, tool) in [
        ("go", "`go`"),
        ("js", "`node`"),
        ("python", "`python3`"),
        ("c", "`clang`"),
    ] {
        user.done(
            user.home.path(),
            &["plugin", "new", language, "--lang", language],
        );
        let printed = user.run(&user.home.path().join(language), &["plugin", "build"]);
        assert_eq!(printed.status, Some(1), "{language}");
        assert!(
            printed.err.contains(&format!("error: {tool} is needed")),
            "{}",
            printed.err
        );
        assert!(printed.err.contains("hint: "), "{}", printed.err);
    }
}

#[test]
fn a_folder_that_is_not_empty_is_left_alone() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("x")).expect("a folder");
    std::fs::write(home.path().join("x/mine"), "mine").expect("a file");
    let printed = crate::command::bulkhead(home.path(), &["plugin", "new", "x", "--lang", "c"]);
    assert_eq!(printed.status, Some(2));
    assert!(
        printed.err.contains("error: x is not empty"),
        "{}",
        printed.err
    );
    assert_eq!(
        std::fs::read_dir(home.path().join("x"))
            .expect("a folder")
            .count(),
        1
    );
}
