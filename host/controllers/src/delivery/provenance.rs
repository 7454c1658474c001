//! What a render was made of, and what came out, as digests.
//!
//! The same function for the controllers and for the command line, over what both know: components,
//! configurations, inputs, target, and the files that were read, by their content. Neither the
//! kind of tree, nor a revision, nor the time, nor the name that a plugin is installed under matters.

use std::collections::BTreeMap;

use bulkhead_api::delivery::Render;
use bulkhead_api::{Digest, SourceTree, TreeError, TreePath};
use bulkhead_wasm::{Access, Operation, ReadSet, Target};

pub use super::finish::digest as output;

/// Name of the first version of this scheme; part of every digest.
const SCHEME: &str = "bulkhead.dev/render/v1";

/// One plugin that ran.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Name that people know it by; no part of a digest.
    pub name: &'a str,
    /// Digest of its component.
    pub component: Digest,
    /// What it was told: see [`canonical`](super::config::canonical).
    pub config: &'a str,
}

/// What the plugins were told, beside the files.
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    /// Directory that was rendered, from the root of the tree.
    pub path: &'a str,
    /// What the renderer was given beside the files.
    pub inputs: &'a [(String, Vec<u8>)],
    /// Where the objects go.
    pub target: &'a Target,
    /// Digest of what the host changed between the plugins; none when it changed nothing.
    pub host: Option<Digest>,
}

/// Digests a render. `steps` has the renderer first; `read_set` is what [`digest_read_set`] made of
/// what it read, `output` what [`output`] made of the last documents.
pub fn render(
    steps: &[Step<'_>],
    parameters: &Parameters<'_>,
    read_set: Digest,
    output: Digest,
) -> Render {
    let parameters = digest_parameters(steps, parameters);
    let mut parts: Vec<&[u8]> = vec![SCHEME.as_bytes()];
    parts.extend(
        steps
            .iter()
            .map(|step| step.component.as_bytes().as_slice()),
    );
    parts.extend([
        parameters.as_bytes().as_slice(),
        read_set.as_bytes(),
        output.as_bytes(),
    ]);
    let plugins = steps.iter().enumerate().map(|(index, step)| {
        let name = format!("{index}-{}", step.name);
        (name, step.component.to_string())
    });
    Render {
        digest: Digest::of_parts(parts).to_string(),
        output: output.to_string(),
        read_set: read_set.to_string(),
        parameters: parameters.to_string(),
        plugins: plugins.collect::<BTreeMap<_, _>>(),
    }
}

fn digest_parameters(steps: &[Step<'_>], parameters: &Parameters<'_>) -> Digest {
    let Parameters {
        path,
        inputs,
        target,
        host,
    } = parameters;
    let Target {
        name,
        namespace,
        kube_version,
        api_versions,
    } = target;
    // One place, one text: the root is an empty one.
    let parsed = TreePath::parse(path).map(|path| path.to_string());
    let path = parsed.as_deref().unwrap_or(path);
    let count = |many: usize| (many as u64).to_le_bytes().to_vec();
    let text = |text: &str| text.as_bytes().to_vec();
    let mut parts = vec![text(SCHEME), text(path), count(steps.len())];
    parts.extend(steps.iter().map(|step| text(step.config)));
    parts.push(count(inputs.len()));
    for (name, content) in *inputs {
        parts.extend([text(name), Digest::of(content).as_bytes().to_vec()]);
    }
    parts.extend([text(name), text(namespace), text(kube_version)]);
    parts.extend(api_versions.iter().map(|version| text(version)));
    parts.extend(host.map(|host| host.as_bytes().to_vec()));
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

/// Digests a read set by what is in the files, so that equal files of a checkout and of a commit
/// have equal digests: the accesses themselves know a file by what its tree calls it.
///
/// Files are read again: this blocks.
pub fn digest_read_set(read_set: &ReadSet, tree: &dyn SourceTree) -> Digest {
    let mut parts: Vec<Vec<u8>> = vec![SCHEME.as_bytes().to_vec()];
    for access in read_set.accesses() {
        let operation = match access.operation {
            Operation::Read => "read",
            Operation::ReadDir => "read-dir",
            Operation::Glob => "glob",
            Operation::Stat => "stat",
            Operation::WallClock => "wall-clock",
            Operation::Lookup => "lookup",
        };
        let answer = match access.operation {
            Operation::Read => content(access, tree),
            _ => access.answer,
        };
        parts.push(operation.as_bytes().to_vec());
        parts.push(access.path.as_bytes().to_vec());
        parts.push(answer.as_bytes().to_vec());
    }
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

fn content(access: &Access, tree: &dyn SourceTree) -> Digest {
    let read = match TreePath::parse(&access.path) {
        Ok(path) => tree.read(&path),
        // No tree has such a path: the access was refused, and is told apart by its answer.
        Err(_) => return access.answer,
    };
    match read {
        Ok(bytes) => Digest::of(bytes),
        Err(TreeError::Store { .. }) => access.answer,
        Err(error) => Digest::of_parts([b"error".as_slice(), miss(&error).as_bytes()]),
    }
}

fn miss(error: &TreeError) -> &'static str {
    match error {
        TreeError::NotFound(_) => "not-found",
        TreeError::NotAFile(_) => "not-a-file",
        TreeError::NotADirectory(_) => "not-a-directory",
        TreeError::Link(_) => "link",
        TreeError::TooLarge { .. } => "too-large",
        TreeError::Store { .. } => "store",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use bulkhead_wasm::MemoryTree;

    use super::*;

    fn target() -> Target {
        Target {
            name: "web".into(),
            namespace: "apps".into(),
            kube_version: "v1.36.0".into(),
            api_versions: Vec::new(),
        }
    }

    fn read_set(of: &str) -> ReadSet {
        let answer = Digest::of(of);
        let access = |operation, path: &str| Access {
            operation,
            path: path.to_owned(),
            answer,
        };
        let accesses = vec![
            access(Operation::Read, "a.yaml"),
            access(Operation::Read, "missing.yaml"),
        ];
        serde_json::from_value(serde_json::to_value(accesses).unwrap()).unwrap()
    }

    fn digest(content: &str, answers: &str, config: &str, input: &str, name: &str) -> Render {
        let tree = MemoryTree::from_files([("a.yaml", content)]).unwrap();
        let step = Step {
            name,
            component: Digest::of("component"),
            config,
        };
        let target = target();
        let parameters = Parameters {
            path: "app",
            inputs: &[("values".to_owned(), input.as_bytes().to_vec())],
            target: &target,
            host: None,
        };
        let output = output(["a: 1\n", "b: 2\n"]);
        let read_set = digest_read_set(&read_set(answers), &tree);
        render(&[step], &parameters, read_set, output)
    }

    #[test]
    fn equal_files_have_equal_digests_whatever_their_tree_calls_them() {
        let one = digest("x", "blob", "{}", "", "jsonnet");
        assert_eq!(one, digest("x", "bytes", "{}", "", "jsonnet"));
        let renamed = digest("x", "blob", "{}", "", "other");
        assert_eq!(renamed.digest, one.digest);
        assert_eq!(renamed.plugins.keys().next().unwrap(), "0-other");
    }

    #[test]
    fn every_material_counts() {
        let one = digest("x", "", "{}", "", "a");
        let digests = [
            digest("y", "", "{}", "", "a").read_set,
            digest("x", "", r#"{"a":1}"#, "", "a").parameters,
            digest("x", "", "{}", "more", "a").parameters,
        ];
        assert_ne!(digests[0], one.read_set);
        assert_ne!(digests[1], one.parameters);
        assert_ne!(digests[2], one.parameters);
        let all = [("y", "{}"), ("x", r#"{"a":1}"#)];
        for (content, config) in all {
            assert_ne!(digest(content, "", config, "", "a").digest, one.digest);
        }
    }

    #[test]
    fn the_output_is_its_text() {
        assert_eq!(
            output(["a: 1\n", "b: 2\n"]),
            Digest::of("a: 1\n---\nb: 2\n")
        );
    }
}
