//! `plugins/publish.sh`: the built-in plugins and the WIT packages in a real registry, and used from
//! there.

use std::path::{Path, PathBuf};
use std::process::Command;

use bulkhead_testing::registry::RegistryServer;

use crate::author::{User, examples};
use crate::command::program;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the script; returns what it printed, and whether it ended well.
fn publish(registry: &str, more: &[&str]) -> (String, bool) {
    let output = Command::new("sh")
        .arg(checkout().join("plugins/publish.sh"))
        .arg(program())
        .arg(registry)
        .args(more)
        .output()
        .expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&text).into_owned(),
        output.status.success(),
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry"]
async fn built_in_plugins_and_wit_are_published_and_used_by_reference() {
    let registry = RegistryServer::start().await.expect("a registry");
    let user = User::new(registry.host());
    let work = move || {
        let host = user.registry.as_str();
        let to = format!("{host}/bulkhead");
        let (printed, ended_well) = publish(&to, &["--plain-http", host]);
        assert!(ended_well, "{printed}");
        let version = env!("CARGO_PKG_VERSION");
        for name in ["kustomize", "helm", "discord", "slack"] {
            assert!(
                printed.contains(&format!("{to}/{name}:{version}@sha256:")),
                "{printed}"
            );
        }
        // The same again is the same.
        assert_eq!(publish(&to, &["--plain-http", host]).0, printed);

        let home = user.home.path();
        let overlay = examples().join("simple-web-server/overlays/staging");
        let (overlay, root) = (
            overlay.display().to_string(),
            examples().display().to_string(),
        );
        let built_in = user.done(home, &["render", "kustomize", &overlay]);
        let reference = format!("{to}/kustomize:{version}");
        let arguments = [
            "render",
            &reference,
            &overlay,
            "--root",
            &root,
            "--plain-http",
            host,
        ];
        assert_eq!(user.done(home, &arguments), built_in);

        for (package, part) in [
            ("base", "resource tree {"),
            ("renderer", "world renderer {"),
            ("notifier", "world notifier {"),
        ] {
            let reference = format!("{to}/wit/{package}:0.1.0");
            user.done(home, &["plugin", "pull", &reference, "--plain-http", host]);
            let file = home.join(format!("{package}.wit"));
            let text = std::fs::read_to_string(file).expect("a WIT package");
            assert!(
                text.contains(&format!("package bulkhead:{package}@0.1.0;")),
                "{text}"
            );
            assert!(text.contains(part), "{text}");
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .expect("it went well");
}

#[test]
fn a_registry_has_to_be_named() {
    let (printed, ended_well) = publish("", &[]);
    assert!(!ended_well);
    assert!(
        printed.contains("name a registry, as in `make publish REGISTRY="),
        "{printed}"
    );
}
