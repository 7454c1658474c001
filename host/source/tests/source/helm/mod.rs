//! Helm repositories and charts: files of Helm's own making over HTTP and in a real registry.
//!
//! `tests/data/helm/index/*.stored` is what source-controller's code makes of each index (helm 4.3.1
//! with `IndexFromBytes` and `ToJSON`). Tests that run the `helm` program itself are ignored unless
//! `HELM` names it.

mod archives;
mod builds;
mod index;
mod program;
mod registry;
mod repository;
mod speed;

use std::io::Write as _;

use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError, TreePath};
use bulkhead_source::DirTree;
use bulkhead_source::helm::chart::{Chart, ChartFile};
use bulkhead_source::helm::{HelmError, Limits, Metadata};

/// A folder with files, as a tree.
pub(crate) struct Folder {
    pub(crate) home: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self {
            home: tempfile::tempdir().unwrap(),
        };
        for (name, content) in files {
            folder.write(name, content.as_bytes());
        }
        folder
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn tree(&self) -> DirTree {
        DirTree::open(self.home.path(), 64 * 1024 * 1024).unwrap()
    }
}

/// A tree of one file that says how long it is and has nothing.
pub(crate) struct Claims(pub(crate) u64);

impl SourceTree for Claims {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        Ok(Entry {
            path: path.clone(),
            kind: EntryKind::File,
            size_bytes: self.0,
            content: None,
        })
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        Err(TreeError::NotADirectory(dir.clone()))
    }

    fn read(&self, _: &TreePath) -> Result<Vec<u8>, TreeError> {
        Ok(Vec::new())
    }
}

/// A small chart in a folder `name`.
pub(crate) fn chart_files(name: &str, version: &str) -> Vec<(String, String)> {
    let file = |path: &str, text: String| (format!("{name}/{path}"), text);
    vec![
        file(
            "Chart.yaml",
            format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: \"1.0\"\n"),
        ),
        file("values.yaml", "replicas: 1\nimage: {tag: a}\n".to_owned()),
        file(
            "templates/config.yaml",
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"),
        ),
    ]
}

/// A packed chart with no more than it needs.
pub(crate) fn packed(name: &str, version: &str) -> Vec<u8> {
    let chart = Chart {
        metadata: Metadata {
            name: name.to_owned(),
            version: version.to_owned(),
            api_version: "v2".to_owned(),
            ..Metadata::default()
        },
        lock: None,
        values: Some(b"a: 1\n".to_vec()),
        schema: None,
        templates: vec![ChartFile {
            name: "templates/x.yaml".to_owned(),
            content: b"kind: X\n".to_vec(),
        }],
        files: Vec::new(),
        dependencies: Vec::new(),
    };
    chart.package(&Limits::default()).unwrap()
}

/// The names of the files in an archive, in its order, with their contents.
pub(crate) fn unpacked(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            (name, content)
        })
        .collect()
}

/// An archive with these entries.
pub(crate) fn archive(entries: &[(tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        let bytes = header.as_old_mut();
        bytes.name[..name.len()].copy_from_slice(name.as_bytes());
        if kind.is_symlink() || kind.is_hard_link() {
            bytes.linkname[..11].copy_from_slice(b"/etc/passwd");
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&builder.into_inner().unwrap()).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn told(error: &HelmError) -> String {
    bulkhead_api::chain(error)
}
