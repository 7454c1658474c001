//! The `helm` program reads what is packed here, and what it packs and pushes is read here.
//!
//! Ignored unless asked for: `make cluster-programs` builds it.

use std::path::Path;
use std::process::Command;

use bulkhead_api::TreePath;
use bulkhead_source::helm::chart::{Chart, ChartSource};
use bulkhead_source::helm::index::store;
use bulkhead_source::helm::{
    BuildOptions, ChartLocation, HttpRepository, Limits, RepositoryConfig, build_remote, registry,
};
use bulkhead_testing::files::FileServer;

use super::{Folder, packed, unpacked};
use crate::oci;

/// Runs `helm` in `home`, and returns what it printed.
fn helm(home: &Path, arguments: &[&str]) -> String {
    let program = bulkhead_testing::cluster::helm().unwrap();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}: {said}");
    format!("{}{said}", String::from_utf8_lossy(&output.stdout))
}

#[test]
#[ignore = "needs the helm program"]
fn a_folder_is_packed_with_the_files_of_helm_package() {
    let folder = Folder::new(&[]);
    let home = folder.home.path();
    helm(home, &["create", "web"]);
    helm(home, &["create", "web/charts/inner"]);
    folder.write("web/crds/a.yaml", b"kind: X\n");
    folder.write("web/.helmignore", b"*.bak\n.git/\nignored/\n");
    folder.write("web/a.bak", b"x");
    folder.write("web/ignored/x", b"x");
    folder.write(
        "web/Chart.yaml",
        b"# a chart\napiVersion: v2\nname: web\nversion: 0.1.0\ndescription: 'it: is #1, & \"so\" on'\nappVersion: '1.10'\nkeywords: [a, 'yes', '1']\nmaintainers:\n- {name: Ada, email: ada@example.org}\nannotations:\n  b: |\n    two\n    lines\n  a: ''\nkubeVersion: '>=1.20.0-0'\nsources:\n- https://example.org/a\ntype: application\nunknown: dropped\n",
    );
    helm(home, &["package", "web"]);
    let limits = Limits::default();
    let tree = folder.tree();
    let path = TreePath::parse("web").unwrap();
    let chart = ChartSource::new(&tree, &limits).load(&path).unwrap();
    let ours = unpacked(&chart.package(&limits).unwrap());
    let theirs = std::fs::read(home.join("web-0.1.0.tgz")).unwrap();
    let theirs = unpacked(&theirs);
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    for (one, other) in ours.iter().zip(&theirs) {
        let text = |(_, content): &(String, Vec<u8>)| String::from_utf8_lossy(content).into_owned();
        if one.0.ends_with("Chart.yaml") {
            // Quotes differ, what they say does not.
            let read = |file| bulkhead_api::yaml::read(&text(file)).unwrap();
            assert_eq!(read(one)[0].value, read(other)[0].value, "{}", one.0);
            continue;
        }
        assert_eq!(text(one), text(other), "{}", one.0);
    }
}

#[test]
#[ignore = "needs the helm program"]
fn helm_reads_what_is_packed_here() {
    let folder = Folder::new(&[]);
    let home = folder.home.path();
    helm(home, &["create", "web"]);
    helm(home, &["package", "web"]);
    let archive = std::fs::read(home.join("web-0.1.0.tgz")).unwrap();
    let limits = Limits::default();
    let chart = Chart::unpack("x", archive.as_slice(), &limits).unwrap();
    let options = BuildOptions {
        version_metadata: "3".to_owned(),
        values_files: vec!["values.yaml".to_owned(), "more.yaml".to_owned()],
        ignore_missing_values_files: true,
    };
    let built = build_remote("web", "0.1.0", archive, &options, &limits).unwrap();
    folder.write(&built.file_name(), &built.content);
    let shown = helm(home, &["show", "chart", &built.file_name()]);
    assert!(shown.contains("version: 0.1.0+3\n"), "{shown}");
    let values = helm(home, &["show", "values", &built.file_name()]);
    let values = &bulkhead_api::yaml::read(&values).unwrap()[0].value;
    assert_eq!(values, &chart.default_values().unwrap());
    helm(home, &["lint", &built.file_name()]);
    let ours = helm(home, &["template", "x", &built.file_name()]);
    let theirs = helm(home, &["template", "x", "web-0.1.0.tgz"]);
    assert_eq!(ours.replace("0.1.0_3", "0.1.0"), theirs);
}

#[tokio::test]
#[ignore = "needs the helm program"]
async fn a_repository_of_helm_is_read_and_one_of_ours_by_helm() {
    let folder = Folder::new(&[]);
    let home = folder.home.path().to_owned();
    for version in ["0.1.0", "0.2.0", "0.10.0", "1.0.0-rc.1"] {
        folder.write(
            &format!("charts/web-{version}.tgz"),
            &packed("web", version),
        );
    }
    helm(&home, &["repo", "index", "charts"]);
    let server = FileServer::start(home.join("charts")).await.unwrap();
    let url = server.url().to_owned();
    let repository = HttpRepository::new(&RepositoryConfig::new(&url)).unwrap();
    let mut raw = tempfile::tempfile().unwrap();
    repository.fetch_index(&mut raw).await.unwrap();
    let mut out = std::io::Cursor::new(Vec::new());
    let mut spool = tempfile::tempfile().unwrap();
    let limits = Limits::default();
    let index = store(&mut raw, &mut spool, &mut out, &limits).unwrap();
    for (wanted, expected) in [
        ("", "0.10.0"),
        ("~0.1", "0.1.0"),
        ("1.0.0-rc.1", "1.0.0-rc.1"),
    ] {
        let place = repository.place();
        let version = index
            .directory
            .choose(&place, &mut out, "web", wanted)
            .unwrap();
        assert_eq!(version.metadata.version, expected);
        assert!(!version.digest.is_empty());
        let ChartLocation::Web(at) = repository.locate(&version).unwrap() else {
            panic!("{version:?}");
        };
        let chart = repository.download(&version, &at).await.unwrap();
        assert_eq!(chart, packed("web", expected));
    }
    // What is stored is itself an index that helm reads.
    std::fs::write(home.join("charts/index.yaml"), out.into_inner()).unwrap();
    tokio::task::spawn_blocking(move || helm(&home, &["pull", "web", "--repo", &url]))
        .await
        .unwrap();
    assert!(folder.home.path().join("web-0.10.0.tgz").exists());
}

#[tokio::test]
#[ignore = "needs the helm program"]
async fn what_helm_pushes_is_pulled() {
    let server = oci::server().await;
    let folder = Folder::new(&[]);
    let home = folder.home.path().to_owned();
    let base = format!("oci://{}/charts", server.host());
    for version in ["0.1.0", "0.2.0+b.1", "0.3.0-rc.1"] {
        let file = format!("web-{version}.tgz");
        folder.write(&file, &packed("web", version));
        let (home, base) = (home.clone(), base.clone());
        let push = move || helm(&home, &["push", &file, &base, "--plain-http"]);
        tokio::task::spawn_blocking(push).await.unwrap();
    }
    let client = oci::client(&server);
    let repository = registry::chart_repository(&base, "web").unwrap();
    for (wanted, expected) in [
        ("", "0.2.0+b.1"),
        ("*", "0.2.0+b.1"),
        ("~0.1", "0.1.0"),
        ("0.2.0+b.1", "0.2.0+b.1"),
        (">=0.3.0-0", "0.3.0-rc.1"),
    ] {
        let chosen = registry::choose(&client, &repository, wanted)
            .await
            .unwrap();
        assert_eq!(chosen.version, expected, "{wanted}");
        let chart = registry::pull(&client, &chosen.resolved, &Limits::default())
            .await
            .unwrap();
        assert_eq!(chart.content, packed("web", expected));
        assert_eq!(chart.digest, chosen.resolved.digest);
    }
}
