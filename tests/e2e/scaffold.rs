//! `bulkhead plugin`, as an author and a user go through it: every scaffold is written, built,
//! checked, tested, published to a real registry, installed from there and used.
//!
//! The times of each step are printed.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test runs programs, looks at files, and says what takes long"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bulkhead_testing::registry::RegistryServer;
use serde_json::Value;

use crate::author::{self, User};

const KINDS: [&str; 3] = ["renderer", "transformer", "notifier"];

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
    let mut user = User::new(registry.host());
    if let Some(folder) = more_path {
        user.path = format!("{}:{}", folder.display(), user.path);
    }
    user.node_modules = node_modules;
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
    let modules = author::node_modules();
    every_kind("js", None, Some(modules)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, Python and PyPI"]
async fn python_from_new_to_use() {
    let tools = author::environment().join("bin");
    every_kind("python", Some(tools), None).await;
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
