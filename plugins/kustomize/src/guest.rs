//! The renderer as a plugin: the host's tree behind [`Files`], the configuration as [`Options`], and
//! an [`Error`] as diagnostics.

use bulkhead_plugin::render::{
    Document as Text, Error as Refusal, Files as Tree, Output as Rendered, ReadError, Renderer,
    Request,
};
use bulkhead_plugin::tree::{Error as TreeError, Kind};
use bulkhead_plugin::{Diagnostic, Location, ObjectRef};

use crate::{Code, Error, FileError, FileKind, Files, Options, Remote};

/// Attributes of the result that start like this name the file of the document whose number follows.
pub const FILE_NAME: &str = "kustomize.file-name.";

/// The plugin.
pub struct Kustomize;

impl Renderer for Kustomize {
    fn render(source: &dyn Tree, request: &Request) -> Result<Rendered, Refusal> {
        let options: Options = serde_json::from_str(&request.config).map_err(|error| {
            let message =
                format!("failed to read the configuration of the kustomize renderer: {error}");
            Diagnostic::error("ConfigInvalid", message)
                .help("see the plugin's configSchema for what it takes")
        })?;
        let result = crate::render(&Source(source), &request.path, &options);
        let output = result.map_err(|error| refusal(&error))?;
        let named = output.documents.iter().enumerate();
        let attributes = named
            .filter_map(|(i, document)| {
                Some((format!("{FILE_NAME}{i}"), document.file_name.clone()?))
            })
            .collect();
        let documents = output
            .documents
            .into_iter()
            .map(|document| match document.origin {
                Some(path) => Text::new(document.text).from_file(path),
                None => Text::new(document.text),
            });
        let remark = |text: String| {
            Diagnostic::warning("Deprecated", text.trim_start_matches("# ").to_owned())
        };
        Ok(Rendered {
            documents: documents.collect(),
            diagnostics: output.warnings.into_iter().map(remark).collect(),
            attributes,
        })
    }
}

bulkhead_plugin::renderer!(Kustomize);

/// The host's tree.
struct Source<'a>(&'a dyn Tree);

impl Files for Source<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.0.read(path).map_err(file_error)
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        self.0.stat(path).ok().map(|entry| file_kind(entry.kind))
    }

    fn read_dir(&self, path: &str) -> Result<Vec<(String, FileKind)>, FileError> {
        let entries = self.0.read_dir(path).map_err(file_error)?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(entries
            .into_iter()
            .map(|entry| (name(&entry.path), file_kind(entry.kind)))
            .collect())
    }
}

fn file_kind(kind: Kind) -> FileKind {
    match kind {
        Kind::File => FileKind::File,
        Kind::Directory => FileKind::Directory,
    }
}

fn file_error(error: ReadError) -> FileError {
    match &error.cause {
        TreeError::NotFound | TreeError::NotADirectory => FileError::NotFound,
        TreeError::NotAFile => FileError::IsDirectory,
        TreeError::InvalidPath | TreeError::Denied => FileError::Denied,
        TreeError::TooLarge(_) | TreeError::Other(_) => FileError::Other(error.to_string()),
    }
}

fn refusal(error: &Error) -> Refusal {
    let diagnostics = diagnostics(error);
    if error.code != Code::Unsupported {
        return Refusal::Invalid(diagnostics);
    }
    let place = error
        .file
        .as_ref()
        .map(|file| format!(" (in {file})"))
        .unwrap_or_default();
    let help = error
        .help
        .as_ref()
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    Refusal::Unsupported(format!("{}{place}{help}", error.message))
}

/// What is wrong, and the overlays that led there.
fn diagnostics(error: &Error) -> Vec<Diagnostic> {
    let mut all = problem(error);
    all.extend(error.remotes.iter().map(remote));
    all
}

/// Tells the host what it could fetch: the code says what it may be, the object is what identifies
/// it.
fn remote(remote: &Remote) -> Diagnostic {
    let object = ObjectRef {
        api_version: String::new(),
        kind: "Remote".to_owned(),
        namespace: None,
        name: remote.name.clone(),
    };
    Diagnostic::info(remote.kind.name(), format!("'{}' is remote", remote.path))
        .at(Location::file(remote.named_in.clone()))
        .about(object)
}

fn problem(error: &Error) -> Vec<Diagnostic> {
    let mut message = error.message.trim_end().to_owned();
    if let Some(field) = &error.field {
        message.push_str(&format!(" (field `{field}`)"));
    }
    let mut first = Diagnostic::error(error.code.name(), message);
    if let Some(file) = &error.file {
        first = first.at(Location {
            path: file.clone(),
            line: error.line,
            column: error.column,
        });
    }
    if let Some(object) = &error.object {
        first = first.about(ObjectRef {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: Some(object.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: object.name.clone(),
        });
    }
    if let Some(help) = &error.help {
        first = first.help(help.clone());
    }
    let mut all = vec![first];
    if error.chain.len() > 1 {
        let shown = |path: &String| {
            if path.is_empty() {
                ".".to_owned()
            } else {
                path.clone()
            }
        };
        let chain: Vec<String> = error.chain.iter().map(shown).collect();
        all.push(Diagnostic::info(
            "OverlayChain",
            format!("reached through {}", chain.join(" -> ")),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_plugin::files::MemoryFiles;

    fn render(files: &MemoryFiles, path: &str, config: &str) -> Result<Vec<String>, Vec<String>> {
        let request = Request {
            config: config.to_owned(),
            ..Request::for_path(path)
        };
        match Kustomize::render(files, &request) {
            Ok(output) => Ok(output
                .documents
                .into_iter()
                .map(|document| document.text)
                .collect()),
            Err(Refusal::Invalid(all)) => Err(all
                .into_iter()
                .map(|d| {
                    let at =
                        d.at.map(|at| format!("{}:{:?}", at.path, at.line))
                            .unwrap_or_default();
                    format!("{} {at} {}", d.code, d.message)
                })
                .collect()),
            Err(other) => Err(vec![format!("{other:?}")]),
        }
    }

    const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

    #[test]
    fn a_directory_without_a_kustomization_renders_when_asked() {
        let files = MemoryFiles::new()
            .with("x/b/c.yaml", OBJECT)
            .with("x/readme.txt", "no");
        let config = r#"{"generate": true, "overlay": {"namespace": "ns", "namePrefix": "p-"}}"#;
        let wanted = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: p-a\n  namespace: ns\n";
        assert_eq!(render(&files, "x", config), Ok(vec![wanted.to_owned()]));
        let error = render(&files, "x", "{}").expect_err("no kustomization");
        assert!(error[0].starts_with("KustomizationMissing"), "{error:?}");
    }

    #[test]
    fn an_error_names_file_line_and_overlays() {
        let files = MemoryFiles::new()
            .with("base/kustomization.yaml", "resources: [a.yaml]")
            .with("base/a.yaml", "a: b\n c: d\n")
            .with("top/kustomization.yaml", "resources: [../base]");
        let error = render(&files, "top", "{}").expect_err("broken YAML");
        assert!(
            error[0].starts_with("YamlInvalid base/a.yaml:Some(2)"),
            "{error:?}"
        );
        assert_eq!(error[1], "OverlayChain  reached through top -> base");
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_invalid_input() {
        let error = render(&MemoryFiles::new(), "", r#"{"reorder": "sideways"}"#)
            .expect_err("no such order");
        assert!(error[0].starts_with("ConfigInvalid"), "{error:?}");
    }

    #[test]
    fn files_are_named_as_kustomize_names_them() {
        let object = |api: &str, kind: &str, name: &str, namespace: &str| {
            format!(
                "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n---\n"
            )
        };
        let files = MemoryFiles::new()
            .with("kustomization.yaml", "resources: [a.yaml]")
            .with(
                "a.yaml",
                object("v1", "Service", "Web", "dev")
                    + &object("example.com/v1", "Thing", "t", "''")
                    + &object("rbac.authorization.k8s.io/v1", "ClusterRole", "'a:b'", "''"),
            );
        let request = Request {
            config: r#"{"fileNames": true, "reorder": "none"}"#.to_owned(),
            ..Request::for_path("")
        };
        let output = Kustomize::render(&files, &request).expect("it renders");
        let names: Vec<&str> = output.attributes.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(
            names,
            [
                "dev_v1_service_web.yaml",
                "default_example.com_v1_thing_t.yaml",
                "rbac.authorization.k8s.io_v1_clusterrole_a:b.yaml",
            ]
        );
        assert_eq!(output.attributes[2].0, "kustomize.file-name.2");
    }

    #[test]
    fn the_host_learns_of_all_that_is_remote_at_once() {
        let files = MemoryFiles::new()
            .with(
                "top/kustomization.yaml",
                "resources: [../base, 'https://h/o/r//x?ref=v1', 'https://h/a.yaml']",
            )
            .with(
                "base/kustomization.yaml",
                "components: ['git@h:o/c.git?submodules=false']",
            );
        let error = Kustomize::render(&files, &Request::for_path("top"));
        let Err(Refusal::Invalid(all)) = error else {
            unreachable!("{error:?}")
        };
        let told: Vec<_> = all
            .iter()
            .filter_map(|d| {
                let (at, object) = (d.at.as_ref()?, d.object.as_ref()?);
                Some((d.code.as_str(), object.name.as_str(), at.path.as_str()))
            })
            .collect();
        let (top, base) = ("top/kustomization.yaml", "base/kustomization.yaml");
        assert_eq!(
            told,
            [
                ("RemoteRepository", "git@h:o/c.git?submodules=false", base),
                ("RemoteFileOrRepository", "https://h/o/r//x?ref=v1", top),
                ("RemoteFile", "https://h/a.yaml", top),
            ]
        );
        assert_eq!(all[0].code, "RemoteMissing");
    }

    #[test]
    fn programs_are_refused_with_an_alternative() {
        let files = MemoryFiles::new().with("kustomization.yaml", "helmCharts: [{name: x}]");
        let error = render(&files, "", "{}").expect_err("helm");
        assert!(error[0].contains("use a HelmRelease"), "{error:?}");
    }
}
