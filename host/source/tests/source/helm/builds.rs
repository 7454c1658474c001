//! Charts that are built: values, versions, dependencies, and what `.helmignore` leaves out.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use bulkhead_api::TreePath;
use bulkhead_source::helm::chart::{Chart, ChartSource};
use bulkhead_source::helm::{
    BuildOptions, Built, Dependency, HelmError, Limits, Repositories, build_local, build_remote,
};

use super::{Claims, Folder, chart_files, packed, told, unpacked};

/// Charts by repository and name.
#[derive(Default)]
struct Shelf {
    charts: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

impl Repositories for Shelf {
    fn fetch(
        &self,
        repository: &str,
        dependency: &Dependency,
    ) -> impl Future<Output = Result<Vec<u8>, HelmError>> + Send {
        let key = format!("{repository} {} {}", dependency.name, dependency.version);
        self.asked.lock().unwrap().push(key.clone());
        let found = self.charts.get(&key).cloned();
        let dependency_version = dependency.version.clone();
        async move {
            found.ok_or(HelmError::NoVersion {
                place: "the shelf".to_owned(),
                wanted: dependency_version,
                near: "there are others".to_owned(),
            })
        }
    }
}

fn folder(charts: &[Vec<(String, String)>]) -> Folder {
    let folder = Folder::new(&[]);
    for (name, content) in charts.iter().flatten() {
        folder.write(name, content.as_bytes());
    }
    folder
}

async fn built(
    folder: &Folder,
    path: &str,
    options: &BuildOptions,
    shelf: &Shelf,
) -> Result<Built, HelmError> {
    let path = TreePath::parse(path).unwrap();
    let tree = Arc::new(folder.tree());
    build_local(tree, &path, options, shelf, &Limits::default()).await
}

fn content(built: &Built, name: &str) -> String {
    let files = unpacked(&built.content);
    let found = files.into_iter().find(|(file, _)| file == name);
    let (_, content) = found.unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(content).unwrap()
}

fn names(built: &Built) -> Vec<String> {
    let files = unpacked(&built.content).into_iter();
    files.map(|(name, _)| name).collect()
}

#[tokio::test]
async fn a_folder_is_packed_without_what_is_ignored() {
    let folder = folder(&[chart_files("web", "1.2.3")]);
    folder.write("web/.helmignore", b"*.md\nsecret/\n");
    folder.write("web/README.md", b"x");
    folder.write("web/secret/key", b"x");
    folder.write("web/crds/crd.yaml", b"x");
    folder.write("web/templates/.hidden", b"x");
    folder.write("web/values.schema.json", b"{}");
    folder.write("web/charts/_skipped/x", b"x");
    let options = BuildOptions::default();
    let first = built(&folder, "web", &options, &Shelf::default())
        .await
        .unwrap();
    assert_eq!(
        names(&first),
        [
            "web/Chart.yaml",
            "web/values.yaml",
            "web/values.schema.json",
            "web/templates/config.yaml",
            "web/.helmignore",
            "web/crds/crd.yaml",
        ]
    );
    assert_eq!(first.file_name(), "web-1.2.3.tgz");
    assert_eq!(first.summary(), "packaged 'web' chart with version '1.2.3'");
    // Another folder, made at another time.
    let files: Vec<(String, String)> = unpacked(&first.content)
        .into_iter()
        .map(|(name, content)| (name, String::from_utf8(content).unwrap()))
        .collect();
    let again = built(&self::folder(&[files]), "web", &options, &Shelf::default())
        .await
        .unwrap();
    assert_eq!(again.content, first.content);
}

#[tokio::test]
async fn values_files_of_a_source_are_relative_to_its_root() {
    let folder = folder(&[chart_files("web", "1.2.3")]);
    folder.write(
        "env/prod.yaml",
        b"replicas: 3\nimage: {pull: Always}\nnone: null\n",
    );
    let mut options = BuildOptions {
        version_metadata: "0123456789ab.7".to_owned(),
        values_files: vec!["web/values.yaml".to_owned(), "./env/prod.yaml".to_owned()],
        ignore_missing_values_files: false,
    };
    let shelf = Shelf::default();
    let one = built(&folder, "web", &options, &shelf).await.unwrap();
    assert_eq!(one.version, "1.2.3+0123456789ab.7");
    assert_eq!(one.values_files, options.values_files);
    assert_eq!(
        content(&one, "web/values.yaml"),
        "image:\n  pull: Always\n  tag: a\nnone: null\nreplicas: 3\n"
    );
    assert!(content(&one, "web/Chart.yaml").contains("version: 1.2.3+0123456789ab.7\n"));
    assert_eq!(
        one.summary(),
        "packaged 'web' chart with version '1.2.3+0123456789ab.7' and merged values files [web/values.yaml ./env/prod.yaml]"
    );
    options.values_files.push("env/none.yaml".to_owned());
    let error = built(&folder, "web", &options, &shelf).await.unwrap_err();
    assert_eq!(
        told(&error),
        "values files merge error: there is no values file `env/none.yaml` in the source"
    );
    assert_eq!(error.advice().reason, "ValuesFilesError");
    options.ignore_missing_values_files = true;
    let two = built(&folder, "web", &options, &shelf).await.unwrap();
    assert_eq!(two.values_files.len(), 2);
    // As in Flux, a path cannot leave the source; of several documents the first counts, and of two
    // keys the later.
    folder.write(
        "env/odd.yaml",
        b"replicas: 1\nreplicas: 2\n---\nreplicas: 5\n---\n[",
    );
    options.values_files = vec!["../../env/odd.yaml".to_owned()];
    let odd = built(&folder, "web", &options, &shelf).await.unwrap();
    assert_eq!(content(&odd, "web/values.yaml"), "replicas: 2\n");
    options.ignore_missing_values_files = false;
    for wrong in ["../../etc/passwd", "/../x", "a\0b"] {
        options.values_files = vec![wrong.to_owned()];
        let error = built(&folder, "web", &options, &shelf).await.unwrap_err();
        assert!(
            told(&error).starts_with("values files merge error"),
            "{wrong}"
        );
    }
    folder.write("env/secret.yaml", b"password hunter2 [\n");
    options.values_files = vec!["env/secret.yaml".to_owned()];
    let error = told(&built(&folder, "web", &options, &shelf).await.unwrap_err());
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn charts_are_read_as_leniently_as_in_helm() {
    let folder = folder(&[chart_files("web", "1.2.3")]);
    folder.write(
        "web/Chart.yaml",
        b"apiVersion: v2\nname: old\nversion: 1.0.0\nname: web\n",
    );
    folder.write(
        "web/values.yaml",
        b"x: &x {a: 1}\nb:\n  a: 0\n  <<: *x\nc: 1\nc: 2\n",
    );
    let options = BuildOptions::default();
    let odd = built(&folder, "web", &options, &Shelf::default())
        .await
        .unwrap();
    assert_eq!((&*odd.name, &*odd.version), ("web", "1.0.0"));
}

#[test]
fn a_downloaded_chart_is_taken_as_it_came_unless_it_has_to_change() {
    let limits = Limits::default();
    let archive = packed("web", "1.2.3");
    let mut options = BuildOptions::default();
    let plain = build_remote("web", "1.2.3", archive.clone(), &options, &limits).unwrap();
    assert_eq!(plain.content, archive);
    assert_eq!(plain.summary(), "pulled 'web' chart with version '1.2.3'");
    options.values_files = vec!["values.yaml".to_owned()];
    let same = build_remote("web", "1.2.3", archive.clone(), &options, &limits).unwrap();
    assert_eq!(same.content, archive);

    options.version_metadata = "2".to_owned();
    options.values_files = vec!["values.yaml".to_owned(), "templates/x.yaml".to_owned()];
    let merged = build_remote("web", "1.2.3", archive.clone(), &options, &limits).unwrap();
    assert_eq!(merged.version, "1.2.3+2");
    assert_eq!(content(&merged, "web/values.yaml"), "a: 1\nkind: X\n");
    options.values_files = vec!["none.yaml".to_owned()];
    let error = build_remote("web", "1.2.3", archive.clone(), &options, &limits).unwrap_err();
    assert_eq!(
        told(&error),
        "values files merge error: there is no values file `none.yaml` in chart `web`"
    );
    options.ignore_missing_values_files = true;
    let empty = build_remote("web", "1.2.3", archive, &options, &limits).unwrap();
    assert_eq!(content(&empty, "web/values.yaml"), "");
    let error = build_remote("web", "1", b"x".to_vec(), &BuildOptions::default(), &limits);
    assert!(told(&error.unwrap_err()).starts_with("chart pull error: failed to unpack"));
}

fn needs(dependencies: &str) -> Vec<(String, String)> {
    let mut files = chart_files("web", "1.2.3");
    files[0].1.push_str("dependencies:\n");
    files[0].1.push_str(dependencies);
    files
}

#[tokio::test]
async fn missing_dependencies_are_added() {
    let listed = "- {name: cache, version: ~1, repository: 'https://charts.example.org'}\n\
        - {name: cache, version: 2.0.0, repository: 'oci://registry.example.org/charts/', alias: store}\n\
        - {name: common, version: '>=1', repository: 'file://../common'}\n\
        - {name: there, version: '*', repository: ''}\n";
    let folder = folder(&[needs(listed), chart_files("common", "1.5.0")]);
    for (name, text) in chart_files("there", "0.1.0") {
        folder.write(&format!("web/charts/{name}"), text.as_bytes());
    }
    let mut shelf = Shelf::default();
    for (key, chart) in [
        (
            "https://charts.example.org/ cache ~1",
            packed("cache", "1.9.0"),
        ),
        (
            "oci://registry.example.org/charts cache 2.0.0",
            packed("cache", "2.0.0"),
        ),
    ] {
        shelf.charts.insert(key.to_owned(), chart);
    }
    let options = BuildOptions::default();
    let one = built(&folder, "web", &options, &shelf).await.unwrap();
    assert_eq!(one.resolved_dependencies, 3);
    let charts: Vec<String> = names(&one)
        .into_iter()
        .filter(|name| name.starts_with("web/charts/") && name.ends_with("Chart.yaml"))
        .collect();
    assert_eq!(
        charts,
        [
            "web/charts/there/Chart.yaml",
            "web/charts/cache/Chart.yaml",
            "web/charts/common/Chart.yaml",
            "web/charts/store/Chart.yaml",
        ]
    );
    assert!(content(&one, "web/charts/store/Chart.yaml").contains("name: store\n"));
    assert!(content(&one, "web/charts/cache/Chart.yaml").contains("version: 1.9.0\n"));
    // All of them are there in what was packed.
    let chart = Chart::unpack("x", one.content.as_slice(), &Limits::default()).unwrap();
    assert_eq!(chart.dependencies.len(), 4);
}

#[tokio::test]
async fn a_dependency_that_cannot_be_added_is_named() {
    let shelf = Shelf::default();
    let options = BuildOptions::default();
    for (listed, expected) in [
        (
            "- {name: cache, version: ~1, repository: 'https://user:secret@charts.example.org/x?key=secret'}",
            "dependency build error: failed to add dependency `cache` from https://charts.example.org/x: the shelf has no version",
        ),
        (
            "- {name: cache, version: ~1, repository: '@mine'}",
            "failed to add dependency `cache` from @mine: `@mine` is not a repository for dependencies",
        ),
        (
            "- {name: cache, version: ~1, repository: 'ssh://x/y'}",
            "is not a repository for dependencies",
        ),
        (
            "- {name: cache, version: ~1, repository: ''}",
            "failed to add dependency `cache` from the folder `charts`: failed to read the source: `web/charts/cache` does not exist",
        ),
        (
            "- {name: cache, version: ~1, repository: 'file://../../../etc'}",
            // It does not lead out of the source.
            "failed to read the source: `etc` does not exist",
        ),
        (
            "- {name: common, version: ~9, repository: 'file://../common'}",
            "dependency `common` has no version that is `~9`: `common` has 1.5.0",
        ),
    ] {
        let folder = folder(&[needs(listed), chart_files("common", "1.5.0")]);
        let error = built(&folder, "web", &options, &shelf).await.unwrap_err();
        assert!(told(&error).contains(expected), "{}", told(&error));
        assert!(!told(&error).contains("secret"), "{}", told(&error));
        assert_eq!(error.advice().reason, "DependencyBuildError");
    }
}

#[tokio::test]
async fn a_lock_file_comes_first_and_a_foreign_one_is_told() {
    let listed = "- {name: cache, version: ~1, repository: 'https://charts.example.org'}\n";
    let folder = folder(&[needs(listed)]);
    let lock = |digest: &str| {
        format!(
            "dependencies:\n- name: cache\n  repository: https://charts.example.org\n  version: 1.4.2\ndigest: {digest}\ngenerated: \"2026-01-01T00:00:00Z\"\n"
        )
    };
    let mut shelf = Shelf::default();
    let key = "https://charts.example.org/ cache 1.4.2".to_owned();
    shelf.charts.insert(key.clone(), packed("cache", "1.4.2"));
    folder.write("web/Chart.lock", lock("sha256:00").as_bytes());
    let options = BuildOptions::default();
    let one = built(&folder, "web", &options, &shelf).await.unwrap();
    assert_eq!(*shelf.asked.lock().unwrap(), [key]);
    assert!(content(&one, "web/Chart.lock").contains("version: 1.4.2\n"));
    assert_eq!(
        one.warnings,
        ["`Chart.lock` of chart `web` does not fit the dependencies of `Chart.yaml`"]
    );
}

/// The lock file is one that `helm dependency update` of Helm 4.3.1 has written.
#[tokio::test]
async fn a_lock_file_of_helm_is_known_as_its_own() {
    let listed = "- {name: cache, version: ~1, repository: 'file://../cache', alias: store, tags: [a<b], import-values: [{parent: x, child: 'c&d'}], condition: c.enabled}\n";
    let folder = folder(&[needs(listed), chart_files("cache", "1.4.2")]);
    let lock = "dependencies:\n- name: cache\n  repository: file://../cache\n  version: 1.4.2\ndigest: sha256:bbd3126b58966472b76173737e15142971a910910efc768568897f320b83ad08\ngenerated: \"2026-11-29T08:55:54.892497773Z\"\n";
    folder.write("web/Chart.lock", lock.as_bytes());
    let options = BuildOptions::default();
    let one = built(&folder, "web", &options, &Shelf::default())
        .await
        .unwrap();
    assert_eq!(one.warnings, [""; 0]);
    let read = |text: &str| bulkhead_api::yaml::read(text).unwrap().remove(0).value;
    assert_eq!(read(&content(&one, "web/Chart.lock")), read(lock));
    folder.write("web/Chart.lock", lock.replace("bbd3", "bbd4").as_bytes());
    let two = built(&folder, "web", &options, &Shelf::default())
        .await
        .unwrap();
    assert_eq!(two.warnings.len(), 1);
}

#[tokio::test]
async fn charts_that_are_packed_in_a_source_are_taken_as_they_are() {
    let folder = Folder::new(&[]);
    let archive = packed("web", "1.0.0");
    folder.write("charts/web.tgz", &archive);
    let shelf = Shelf::default();
    let mut options = BuildOptions::default();
    let one = built(&folder, "charts/web.tgz", &options, &shelf)
        .await
        .unwrap();
    assert_eq!(one.content, archive);
    assert!(!one.is_packaged);
    options.version_metadata = "1".to_owned();
    let two = built(&folder, "charts/web.tgz", &options, &shelf)
        .await
        .unwrap();
    assert_eq!(two.version, "1.0.0+1");
    let error = built(&folder, "charts/none", &options, &shelf)
        .await
        .unwrap_err();
    assert_eq!(
        told(&error),
        "invalid chart reference: failed to read the source: `charts/none` does not exist"
    );
    assert_eq!(error.advice().reason, "InvalidChartReference");
    let limits = Limits::default();
    let path = TreePath::parse("x.tgz").unwrap();
    let large = Claims(limits.chart_bytes + 1);
    let error = ChartSource::new(&large, &limits)
        .metadata(&path)
        .unwrap_err();
    assert!(matches!(
        error,
        HelmError::Limit {
            limit: "chart_bytes",
            ..
        }
    ));
}

#[test]
fn older_charts_keep_their_requirements() {
    let folder = Folder::new(&[
        ("old/Chart.yaml", "name: old\nversion: 1.0.0\n"),
        (
            "old/requirements.yaml",
            "dependencies:\n- name: x\n  version: '1'\n  repository: https://a.b\n",
        ),
        (
            "old/requirements.lock",
            "dependencies: []\ndigest: sha256:00\ngenerated: 2020-01-01T00:00:00Z\n",
        ),
        ("old/values.yaml", ""),
    ]);
    let limits = Limits::default();
    let tree = folder.tree();
    let source = ChartSource::new(&tree, &limits);
    let path = TreePath::parse("old").unwrap();
    let chart = source.load(&path).unwrap();
    assert_eq!(chart.metadata.api_version, "v1");
    assert_eq!(chart.metadata.dependencies[0].name, "x");
    assert_eq!(source.metadata(&path).unwrap(), chart.metadata);
    let files = unpacked(&chart.package(&limits).unwrap());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "old/Chart.yaml",
            "old/values.yaml",
            "old/requirements.lock",
            "old/requirements.yaml"
        ]
    );
    assert_eq!(files[0].1, b"apiVersion: v1\nname: old\nversion: 1.0.0\n");
}
