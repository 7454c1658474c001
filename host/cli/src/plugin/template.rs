//! The templates of `plugin new`, embedded: what a language shares, what a kind shares, and the
//! source of each pair, put together. Nothing is fetched.

use bulkhead_wasm::PluginKind;

use crate::args::{Kind, Language};

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

impl Language {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Rust, Self::Go, Self::Js, Self::Python, Self::C];

    /// The language of this name in manifests.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.id() == name)
    }

    /// Name in manifests and of the templates' folders.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Js => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// Name for people.
    fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::Js => "JavaScript",
            Self::Python => "Python",
            Self::C => "C",
        }
    }

    fn toolchain(self) -> &'static str {
        match self {
            Self::Rust => "cargo",
            Self::Go => "Go",
            Self::Js => "Node, with componentize-js from npm",
            Self::Python => "componentize-py from PyPI",
            Self::C => "clang with wasi-libc",
        }
    }

    /// The file that an author edits first.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Go => "main.go",
            Self::Js => "plugin.js",
            Self::Python => "src/app.py",
            Self::C => "plugin.c",
        }
    }

    fn vendored(self) -> &'static str {
        match self {
            Self::Rust => "vendor/`, `wit/",
            Self::Go | Self::C => "bulkhead/`, `wit/",
            Self::Js | Self::Python => "wit/",
        }
    }
}

impl Kind {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Renderer, Self::Transformer, Self::Notifier];

    /// The kind that a manifest names.
    pub(crate) fn of(kind: PluginKind) -> Self {
        match kind {
            PluginKind::Renderer => Self::Renderer,
            PluginKind::Transformer => Self::Transformer,
            PluginKind::Notifier => Self::Notifier,
        }
    }

    /// Name in manifests and of the templates' folders.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Renderer => "renderer",
            Self::Transformer => "transformer",
            Self::Notifier => "notifier",
        }
    }

    fn run(self) -> &'static str {
        match self {
            Self::Renderer => {
                "bulkhead plugin run DIR     # what it makes of a folder; or `bulkhead render {{name}}.wasm DIR`"
            }
            Self::Transformer => "bulkhead plugin run FILE    # what it makes of objects",
            Self::Notifier => "bulkhead plugin run FILE    # what it would send for an event",
        }
    }

    fn case(self) -> &'static str {
        match self {
            Self::Renderer => {
                "a case: `input/` is the source, `config.yaml` the configuration, `expected.yaml` the answer"
            }
            Self::Transformer => {
                "a case: `input/` has the objects, `config.yaml` the configuration, `expected.yaml` the answer"
            }
            Self::Notifier => {
                "a case: `input/` has the events, `responses.yaml` what the service answers, `expected.yaml` the exchange"
            }
        }
    }
}

/// Returns the files of a new plugin: paths below its folder, and contents.
pub(crate) fn files(language: Language, kind: Kind, name: &str) -> Vec<(String, Vec<u8>)> {
    let folders = [
        "any/".to_owned(),
        format!("{}/", kind.id()),
        format!("{}/", language.id()),
        format!("{}-{}/", language.id(), kind.id()),
    ];
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for folder in folders {
        for (path, content) in TEMPLATES {
            let Some(path) = path.strip_prefix(&folder) else {
                continue;
            };
            let content = filled(content, language, kind, name);
            // What several have is added up: .gitignore.
            match files.iter_mut().find(|(known, _)| known == path) {
                Some((_, known)) => known.extend(content),
                None => files.push((path.to_owned(), content)),
            }
        }
    }
    files.extend(wit(language, kind));
    files.sort();
    files
}

/// Returns the text of a WIT package: `base`, `renderer`, `notifier`.
pub(crate) fn wit_package(package: &str) -> &'static [u8] {
    let folder = format!("wit/{package}/");
    let found = TEMPLATES.iter().find(|(path, _)| path.starts_with(&folder));
    found.map_or(b"", |(_, content)| content)
}

/// Returns the WIT files where the language's tools look for them.
fn wit(language: Language, kind: Kind) -> Vec<(String, Vec<u8>)> {
    let file = |path: &str, package| (path.to_owned(), wit_package(package).to_vec());
    if language == Language::Rust {
        return vec![
            file("wit/base/types.wit", "base"),
            file("wit/renderer/renderer.wit", "renderer"),
            file("wit/notifier/notifier.wit", "notifier"),
        ];
    }
    let world = match kind {
        Kind::Notifier => file("wit/notifier.wit", "notifier"),
        Kind::Renderer | Kind::Transformer => file("wit/renderer.wit", "renderer"),
    };
    vec![world, file("wit/deps/base/types.wit", "base")]
}

/// Puts names into a template. Only our own markers are touched.
fn filled(content: &[u8], language: Language, kind: Kind, name: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(content) else {
        return content.to_vec();
    };
    if !text.contains("{{") {
        return content.to_vec();
    }
    [
        ("{{run}}", kind.run()),
        ("{{kind}}", kind.id()),
        ("{{case}}", kind.case()),
        ("{{language}}", language.id()),
        ("{{Language}}", language.title()),
        ("{{toolchain}}", language.toolchain()),
        ("{{source}}", language.source()),
        ("{{vendored}}", language.vendored()),
        ("{{name}}", name),
    ]
    .iter()
    .fold(text.to_owned(), |text, (marker, value)| {
        text.replace(marker, value)
    })
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_its_parts_and_no_marker_is_left() {
        for language in Language::ALL {
            for kind in Kind::ALL {
                let files = files(language, kind, "hello");
                let has = |path: &str| files.iter().any(|(known, _)| known == path);
                for path in [
                    "bulkhead-plugin.yaml",
                    "README.md",
                    ".gitignore",
                    language.source(),
                ] {
                    assert!(has(path), "{language:?} {kind:?} lacks {path}");
                }
                let cases = files
                    .iter()
                    .filter(|(path, _)| path.ends_with("/expected.yaml"));
                assert_eq!(cases.count(), 2, "{language:?} {kind:?}");
                for (path, content) in &files {
                    let text = String::from_utf8_lossy(content);
                    assert!(!text.contains("{{name}}"), "{language:?} {kind:?} {path}");
                    assert!(!content.is_empty(), "{language:?} {kind:?} {path} is empty");
                }
            }
        }
    }

    #[test]
    fn manifests_are_valid_and_of_their_kind() {
        for kind in Kind::ALL {
            let files = files(Language::C, kind, "hello");
            let found = files
                .iter()
                .find(|(path, _)| path == "bulkhead-plugin.yaml");
            let text = String::from_utf8(found.expect("a manifest").1.clone()).expect("text");
            let (manifest, build) = super::super::project::parse(&text).expect("a valid manifest");
            assert_eq!(manifest.kind.to_string(), kind.id());
            assert_eq!(build.language.as_deref(), Some("c"));
        }
    }
}
