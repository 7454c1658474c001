use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::*;
use crate::parse::Limits;

struct Target {
    temporary: tempfile::TempDir,
    owner: Owner,
}

const MAP: &str =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: NAME}, data: {a: 'VALUE'}}\n---\n";

fn map(name: &str, value: &str) -> String {
    MAP.replace("NAME", name).replace("VALUE", value)
}

impl Target {
    fn new() -> Self {
        let owner = Owner::kustomization("apps", "flux-system");
        Self {
            temporary: tempfile::tempdir().expect("a folder"),
            owner,
        }
    }

    fn open(&self) -> Directory {
        let dir = Dir::open_ambient_dir(self.temporary.path(), ambient_authority());
        Directory::new(dir.expect("it is there"))
    }

    fn run(&self, yaml: &str, dry_run: bool) -> Applied {
        let request = Request {
            objects: parse::objects([yaml.into()], &Limits::default()).expect("valid"),
            owner: &self.owner,
            common: &CommonMetadata::default(),
            target_namespace: "dev",
            settings: Settings {
                prune: true,
                ..Settings::default()
            },
            dry_run,
        };
        self.open().apply(request)
    }

    fn apply(&self, yaml: &str) -> Vec<String> {
        let applied = self.run(yaml, false);
        assert!(applied.error.is_none(), "{applied:?}");
        let inventory = self.open().inventory(&self.owner).expect("readable");
        assert_eq!(inventory, applied.inventory);
        applied.changes.iter().map(ToString::to_string).collect()
    }

    fn dir(&self) -> Dir {
        Dir::open_ambient_dir(self.temporary.path(), ambient_authority()).expect("it is there")
    }

    fn files(&self) -> Vec<String> {
        fn walk(dir: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, root, found);
                } else if let Ok(path) = path.strip_prefix(root) {
                    found.push(path.display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        walk(self.temporary.path(), self.temporary.path(), &mut found);
        found.sort();
        found
    }
}

const INVENTORY: &str = ".bulkhead/kustomize/flux-system/apps.json";

#[test]
fn a_directory_follows_the_objects() {
    let target = Target::new();
    let both = format!("{}{}", map("a", "1"), map("b", "1"));
    assert_eq!(
        target.apply(&both),
        ["ConfigMap/dev/a created", "ConfigMap/dev/b created"]
    );
    assert_eq!(
        target.files(),
        [INVENTORY, "dev/configmap/a.yaml", "dev/configmap/b.yaml"]
    );
    let again = target.apply(&both);
    assert_eq!(
        again,
        ["ConfigMap/dev/a unchanged", "ConfigMap/dev/b unchanged"]
    );
    let applied = target.run(&map("b", "2"), true);
    assert_eq!(
        applied.change_log(),
        "ConfigMap/dev/b configured\nConfigMap/dev/a deleted"
    );
    let diff = applied.changes[0].diff.clone().unwrap_or_default();
    assert!(diff.contains("-  a: \"1\"\n+  a: \"2\"\n"), "{diff}");
    assert_eq!(target.apply(&both), again);
    let changes = target.apply(&map("b", "2"));
    assert_eq!(
        changes,
        ["ConfigMap/dev/b configured", "ConfigMap/dev/a deleted"]
    );
    assert_eq!(target.files(), [INVENTORY, "dev/configmap/b.yaml"]);
    assert_eq!(target.apply(""), ["ConfigMap/dev/b deleted"]);
    assert_eq!(target.files(), [INVENTORY]);
}

#[test]
fn foreign_files_are_never_touched() {
    let target = Target::new();
    let dir = target.dir();
    dir.create_dir_all("dev/configmap").expect("writable");
    dir.write("dev/configmap/a.yaml", "theirs: true\n")
        .expect("writable");
    let applied = target.run(&format!("{}{}", map("a", "1"), map("b", "1")), false);
    assert_eq!(
        applied.error.map(|error| error.to_string()),
        Some(
            "ConfigMap/dev/a apply failed: dev/configmap/a.yaml is there and is not of this delivery"
                .to_owned()
        )
    );
    assert_eq!(target.files(), ["dev/configmap/a.yaml"]);
    // The same for the file of another delivery.
    let other = Target {
        owner: Owner::kustomization("other", "flux-system"),
        ..Target::new()
    };
    other.apply(&map("a", "1"));
    let third = Target {
        owner: target.owner.clone(),
        ..other
    };
    assert!(third.run(&map("a", "1"), false).error.is_some());
}

#[test]
fn edits_are_put_back_and_opted_out_files_stay() {
    let target = Target::new();
    let both = format!("{}{}", map("a", "1"), map("b", "1"));
    target.apply(&both);
    let dir = target.dir();
    let path = "dev/configmap/a.yaml";
    let written = dir.read_to_string(path).expect("readable");
    dir.write(path, written.replace('1', "9"))
        .expect("writable");
    assert_eq!(target.apply(&both)[0], "ConfigMap/dev/a configured");
    dir.write(path, "broken: [").expect("writable");
    assert_eq!(target.apply(&both)[0], "ConfigMap/dev/a configured");
    assert_eq!(dir.read_to_string(path).expect("readable"), written);
    // Deleted: written again. Kept: left where it is when it is no longer desired.
    dir.remove_file(path).expect("writable");
    assert_eq!(target.apply(&both)[0], "ConfigMap/dev/a created");
    let keep = "  annotations:\n    kustomize.toolkit.fluxcd.io/prune: disabled\n  labels:";
    dir.write(path, written.replace("  labels:", keep))
        .expect("writable");
    assert_eq!(target.apply(&map("b", "1"))[1], "ConfigMap/dev/a skipped");
    assert!(dir.exists(path));
}

#[test]
fn a_crash_between_inventory_and_files_loses_nothing() {
    let target = Target::new();
    target.apply(&map("a", "1"));
    // As after a crash: the inventory names `b`, whose file was never written, and `c`, whose was.
    let files = Files::new(target.dir());
    let mut inventory = files.inventory(&target.owner).expect("readable");
    for name in ["b", "c"] {
        inventory.insert(ObjectId::new("dev", name, "", "ConfigMap"), "v1");
    }
    target.apply(&format!("{}{}", map("a", "1"), map("c", "1")));
    files
        .write_inventory(&target.owner, &inventory)
        .expect("writable");
    let changes = target.apply(&map("a", "1"));
    assert_eq!(
        changes,
        [
            "ConfigMap/dev/a unchanged",
            "ConfigMap/dev/c deleted",
            "ConfigMap/dev/b deleted"
        ]
    );
    assert_eq!(target.files(), [INVENTORY, "dev/configmap/a.yaml"]);
}

#[test]
fn a_broken_inventory_stops_everything() {
    let target = Target::new();
    target.apply(&map("a", "1"));
    target.dir().write(INVENTORY, "{").expect("writable");
    let applied = target.run("", false);
    let message = applied
        .error
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        message.starts_with("failed to read `.bulkhead/kustomize"),
        "{message}"
    );
    assert_eq!(target.files(), [INVENTORY, "dev/configmap/a.yaml"]);
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_out_and_secrets_are_private() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let (target, outside) = (Target::new(), Target::new());
    symlink(
        outside.temporary.path(),
        target.temporary.path().join("dev"),
    )
    .expect("a link");
    assert!(target.run(&map("a", "1"), false).error.is_some());
    assert_eq!(outside.files(), [""; 0]);
    let target = Target::new();
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: x}}";
    target.apply(secret);
    let path = target.temporary.path().join("dev/secret/s.yaml");
    let mode = path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
