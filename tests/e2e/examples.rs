//! The plugins in `examples/`, as somebody uses them who copied one: built, checked, tested twice,
//! published to a real registry, and used by reference, in `render` and in `sync`.
//!
//! Each test says which tool it lacks, where one cannot be had.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test looks at files, and says what takes long"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bulkhead_testing::git::Repository;
use bulkhead_testing::registry::RegistryServer;
use serde_json::Value;

use crate::author::{self, User};
use crate::receiver::{Message, receiver};

/// What `plugin build` makes, beside components: a copy leaves it behind.
const BUILT: [&str; 9] = [
    ".venv",
    "__pycache__",
    "build",
    "bulkhead",
    "node_modules",
    "package-lock.json",
    "target",
    "vendor",
    "wit",
];

/// An example that somebody copied.
struct Copied<'a> {
    user: &'a User,
    name: &'static str,
    folder: PathBuf,
}

impl<'a> Copied<'a> {
    fn new(user: &'a User, name: &'static str) -> Self {
        let folder = user.home.path().join(name);
        copy(&author::examples().join(name), &folder);
        Self { user, name, folder }
    }

    /// Builds it, and checks it and all its cases; small ones are built twice to the same bytes.
    fn is_good(&self, kind: &str) -> &Self {
        let started = Instant::now();
        let build = || {
            let printed = self.done(&["plugin", "build", "-o", "json"]);
            let built: Value = serde_json::from_str(&printed).expect("JSON");
            let size = built["sizeBytes"].as_u64().expect("a size");
            (built["digest"].clone(), size)
        };
        let (digest, size) = build();
        let built = started.elapsed();
        if size < 1 << 20 {
            assert_eq!(build().0, digest, "{}", self.name);
        }
        let checked = self.done(&["plugin", "check", "--strict", "-o", "json"]);
        let checked: Value = serde_json::from_str(&checked).expect("JSON");
        assert_eq!(checked["kind"], kind, "{}", self.name);
        assert_eq!(checked["digest"], digest, "{}", self.name);
        let started = Instant::now();
        let tested = self.done(&["plugin", "test"]);
        let cases = fs::read_dir(self.folder.join("tests")).expect("cases");
        assert_eq!(tested.matches("ok ").count(), cases.count(), "{tested}");
        let tested = started.elapsed();
        eprintln!(
            "{}: {size} bytes, built in {built:.1?}, tested in {tested:.1?}",
            self.name
        );
        self
    }

    /// Publishes it; returns its reference.
    fn push(&self) -> String {
        let reference = format!("{}/examples/{}:0.1.0", self.user.registry, self.name);
        let plain = self.user.registry.as_str();
        self.done(&["plugin", "push", &reference, "--plain-http", plain]);
        reference
    }

    /// Renders the input of a case with the component, by its file and by its reference: what is
    /// expected comes, both times.
    fn renders(&self, case: &str, more: &[&str]) {
        let case = format!("tests/{case}");
        let expected = fs::read_to_string(self.folder.join(&case).join("expected.yaml"));
        let config = format!("{case}/config.yaml");
        let file = format!("{}.wasm", self.name);
        let reference = self.push();
        for plugin in [file.as_str(), reference.as_str()] {
            let mut arguments = vec!["render", plugin];
            arguments.extend(more);
            arguments.extend(["--plain-http", &self.user.registry]);
            if self.folder.join(&config).is_file() {
                arguments.extend(["--config", &config]);
            }
            let printed = self.done(&arguments);
            assert_eq!(Some(&printed), expected.as_ref().ok(), "{plugin}");
        }
    }

    fn done(&self, arguments: &[&str]) -> String {
        self.user.done(&self.folder, arguments)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the example").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let made = BUILT.iter().any(|built| name == *built)
            || path.extension().is_some_and(|ending| ending == "wasm");
        // A case may have folders of any name.
        if path.is_dir() && (!made || from.ends_with("input")) {
            copy(&path, &to.join(name));
        } else if path.is_file() && !made {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// Runs `work` beside a registry, which needs a thread of its own.
async fn with_user(work: impl FnOnce(&mut User) + Send + 'static) {
    let registry = RegistryServer::start().await.expect("a registry");
    let mut user = User::new(registry.host());
    tokio::task::spawn_blocking(move || work(&mut user))
        .await
        .expect("it went well");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, Node and npm's registry"]
async fn cdk8s_programs_are_rendered() {
    let modules = author::node_modules();
    with_user(move |user| {
        let example = Copied::new(user, "cdk8s");
        symlink(modules, example.folder.join("node_modules")).expect("a link");
        example.is_good("renderer").renders(
            "a-program-in-typescript-is-synthesised",
            &[
                "tests/a-program-in-typescript-is-synthesised/input",
                "--name",
                "shop",
                "--namespace",
                "shop",
            ],
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, Python and PyPI"]
async fn templates_of_jinja_are_rendered() {
    let environment = author::environment();
    with_user(move |user| {
        let example = Copied::new(user, "jinja");
        symlink(environment, example.folder.join(".venv")).expect("a link");
        example.is_good("renderer");
        let case = "tests/values-are-laid-over-each-other";
        let root = format!("{case}/input");
        let input = format!("token={case}/inputs/token");
        example.renders(
            "values-are-laid-over-each-other",
            &[
                &format!("{root}/apps/web"),
                "--root",
                &root,
                "--name",
                "web",
                "--input",
                &input,
            ],
        );
    })
    .await;
}

/// A renderer in Go, a transformer in Rust and a notifier in C, from a registry, deliver together.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry, Go, a Rust compiler for wasm32, clang and wasi-libc"]
async fn jsonnet_policy_and_ntfy_deliver_together() {
    with_user(|user| {
        let plain = Copied::new(user, "plain");
        plain.is_good("renderer");
        let jsonnet = Copied::new(user, "jsonnet");
        let policy = Copied::new(user, "policy");
        let ntfy = Copied::new(user, "ntfy");
        jsonnet.is_good("renderer");
        policy.is_good("transformer");
        ntfy.is_good("notifier");
        let root = "tests/environments-share-a-library/input";
        let more = [
            &format!("{root}/apps/web"),
            "--root",
            root,
            "--name",
            "web",
            "--namespace",
            "shop",
        ];
        jsonnet.renders("environments-share-a-library", &more);
        deliver(user, &jsonnet, &policy, &ntfy);
    })
    .await;
}

fn deliver(user: &User, jsonnet: &Copied<'_>, policy: &Copied<'_>, ntfy: &Copied<'_>) {
    let repository = Repository::new().expect("a repository");
    let case = jsonnet.folder.join("tests/environments-share-a-library");
    copy(&case.join("input"), &repository.path());
    repository
        .commit("add the web application")
        .expect("a commit");
    let (address, messages) = receiver().expect("a receiver");
    let plugin = |name: &str, image: String, grants: &str| {
        format!(
            "apiVersion: bulkhead.dev/v1alpha1\nkind: ClusterPlugin\nmetadata: {{name: {name}}}\n\
             spec: {{image: '{image}', insecure: true{grants}}}\n---\n"
        )
    };
    let resources = [
        plugin("jsonnet", jsonnet.push(), ""),
        plugin("policy", policy.push(), ""),
        plugin("ntfy", ntfy.push(), ", grants: {secrets: [address, token]}"),
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: fleet, namespace: apps}}\nspec: {{interval: 1m, url: '{}', ref: {{branch: main}}}}\n---\n",
            repository.url()
        ),
        KUSTOMIZATION.to_owned(),
        ALERT.replace("ADDRESS", &address),
    ];
    let home = user.home.path();
    fs::write(home.join("fleet.yaml"), resources.concat()).expect("a file");
    let arguments = [
        "sync",
        "-f",
        "fleet.yaml",
        "--to",
        "state",
        "--once",
        "--allow-private-networks",
        "--plain-http",
        &user.registry,
    ];
    let printed = user.done(home, &arguments);
    let deployment = find(&home.join("state"), "deployment").expect("a Deployment");
    assert!(deployment.contains("team: shop"), "{deployment}");
    let pinned = "registry.example.com/web:1.4.2@sha256:aaaa";
    assert!(deployment.contains(pinned), "{deployment}");

    let Message { head, body, .. } = messages
        .recv_timeout(Duration::from_secs(10))
        .unwrap_or_else(|_| panic!("no message came: {printed}"));
    assert!(head.contains("authorization: bearer tk_secret"), "{head}");
    assert_eq!(body["topic"], "fleet");
    assert_eq!(body["priority"], 3, "{body}");
    let title = body["title"].as_str().unwrap_or_default();
    assert!(title.starts_with("Kustomization apps/web: "), "{body}");
}

/// Alerts choose among Flux's own kinds: so this is one, with a renderer of its own.
const KUSTOMIZATION: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: web
  namespace: apps
  annotations:
    bulkhead.dev/renderer: jsonnet
    bulkhead.dev/config: '{arguments: {environment: staging}}'
    bulkhead.dev/transformers: policy
    bulkhead.dev/config.policy: |
      labels: {team: {value: shop}}
      images:
        requireDigest: true
        digests: {'registry.example.com/web:1.4.2': 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  path: ./apps/web
  interval: 10m
  prune: true
---
";

const ALERT: &str = "
apiVersion: v1
kind: Secret
metadata: {name: ntfy, namespace: apps}
stringData: {token: tk_secret}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: phone, namespace: apps, annotations: {bulkhead.dev/plugin: ntfy}}
spec: {type: generic, address: 'ADDRESS', channel: fleet, secretRef: {name: ntfy}}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: fleet, namespace: apps}
spec:
  providerRef: {name: phone}
  eventSeverity: info
  eventSources: [{kind: Kustomization, name: '*'}]
";

/// Finds a file below a folder by a part of its name, and returns its text.
fn find(folder: &Path, part: &str) -> Option<String> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return find(&path, part);
        }
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let found = name.contains(part) || path.to_string_lossy().to_lowercase().contains(part);
        found.then(|| fs::read_to_string(&path).ok()).flatten()
    })
}

/// Every folder with a manifest has a README and is in the list of those to copy.
#[test]
fn every_example_is_explained() {
    let list = fs::read_to_string(author::examples().join("README.md")).expect("a list");
    for entry in fs::read_dir(author::examples())
        .expect("examples")
        .flatten()
    {
        let (folder, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if !folder.join("bulkhead-plugin.yaml").is_file() {
            continue;
        }
        assert!(
            list.contains(&format!("]({name}/)")),
            "{name} is not in examples/README.md"
        );
        assert!(
            folder.join("README.md").is_file(),
            "{name} has no README.md"
        );
        assert!(folder.join("tests").is_dir(), "{name} has no cases");
    }
}
