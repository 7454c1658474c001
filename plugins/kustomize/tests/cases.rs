//! Walks tests/cases/kustomize: every folder is rendered, and compared with what kustomize printed,
//! or with our own error.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

use std::path::{Path, PathBuf};

use bulkhead_kustomize::{Error, FileError, FileKind, Files, Options};

/// A folder of this machine as a tree.
struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let full = self.0.join(path);
        match self.kind(path) {
            Some(FileKind::File) => {
                std::fs::read(full).map_err(|error| FileError::Other(error.to_string()))
            }
            Some(FileKind::Directory) => Err(FileError::IsDirectory),
            None => Err(FileError::NotFound),
        }
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        let found = std::fs::metadata(self.0.join(path)).ok()?;
        Some(if found.is_dir() {
            FileKind::Directory
        } else {
            FileKind::File
        })
    }

    fn read_dir(&self, path: &str) -> Result<Vec<(String, FileKind)>, FileError> {
        let entries = std::fs::read_dir(self.0.join(path)).map_err(|_| FileError::NotFound)?;
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = names
            .map(|name| (name.clone(), self.kind(&format!("{path}/{name}")).unwrap()))
            .collect();
        all.sort();
        Ok(all)
    }
}

fn render(folder: &Path) -> Result<String, String> {
    let output = bulkhead_kustomize::render(&Folder(folder.to_owned()), "top", &Options::default());
    let output = output.map_err(|error| told(&error))?;
    let texts: Vec<String> = output
        .documents
        .into_iter()
        .map(|document| document.text)
        .collect();
    Ok(texts.join("---\n"))
}

/// An error with all its parts.
fn told(error: &Error) -> String {
    let mut text = format!("{}\n{}\n", error.code.name(), error.message.trim_end());
    let number = |number: Option<u32>| number.map(|n| format!(":{n}")).unwrap_or_default();
    if let Some(file) = &error.file {
        text.push_str(&format!(
            "at: {file}{}{}\n",
            number(error.line),
            number(error.column)
        ));
    }
    for (name, value) in [("field", &error.field), ("help", &error.help)] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    if let Some(object) = &error.object {
        text.push_str(&format!(
            "object: {} {} {}/{}\n",
            object.api_version, object.kind, object.namespace, object.name
        ));
    }
    text.push_str(&format!("chain: {}\n", error.chain.join(" -> ")));
    text
}

#[test]
fn every_case_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/kustomize");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    assert!(folders.len() >= 30, "cases are missing");
    let mut wrong = Vec::new();
    for folder in folders {
        let (expected, error) = (folder.join("expected.yaml"), folder.join("error.txt"));
        assert!(
            expected.exists() != error.exists(),
            "{} needs expected.yaml or error.txt",
            folder.display()
        );
        let result = render(&folder);
        if error.exists() && std::env::var_os("BLESS").is_some() {
            std::fs::write(&error, result.as_ref().err().unwrap()).unwrap();
        }
        let wanted = if error.exists() {
            Err(std::fs::read_to_string(error).unwrap())
        } else {
            Ok(std::fs::read_to_string(expected).unwrap())
        };
        assert_eq!(
            render(&folder),
            result,
            "{} renders differently twice",
            folder.display()
        );
        if result != wanted {
            wrong.push(format!(
                "{}\nwanted {wanted:?}\ngot    {result:?}",
                folder.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
