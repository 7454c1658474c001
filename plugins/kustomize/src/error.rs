//! Why a render failed: one type, with everything a user needs to find the place. In: what went
//! wrong where it went wrong, and the context that each caller adds. Never: file contents.

use std::fmt;

use crate::node::Kind;
use crate::remote::Remote;

/// What kind of problem it is: stable names for diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A directory without a kustomization file, or with several.
    KustomizationMissing,
    /// A kustomization file that does not say what it should.
    KustomizationInvalid,
    /// A path that is not there, or is not what it should be.
    PathMissing,
    /// A path that leads out of the tree, or out of the kustomization's own directory.
    PathDenied,
    /// A base that includes itself.
    Cycle,
    /// Text that is not YAML.
    YamlInvalid,
    /// An object without kind or name.
    ObjectInvalid,
    /// Two objects with one identity.
    ObjectConflict,
    /// A patch that cannot be read, finds no target, or cannot be applied.
    PatchFailed,
    /// A generator that cannot generate.
    GeneratorFailed,
    /// A transformer that cannot transform.
    TransformFailed,
    /// A name that could mean several objects.
    ReferenceAmbiguous,
    /// A replacement or variable without source or target.
    ReplacementFailed,
    /// Something remote that the tree lacks: the host may fetch it and render again.
    RemoteMissing,
    /// Something that kustomize does and this renderer does not, on purpose.
    Unsupported,
    /// A limit of this renderer.
    LimitExceeded,
}

impl Code {
    /// The name in CamelCase, as diagnostics carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KustomizationMissing => "KustomizationMissing",
            Self::KustomizationInvalid => "KustomizationInvalid",
            Self::PathMissing => "PathMissing",
            Self::PathDenied => "PathDenied",
            Self::Cycle => "Cycle",
            Self::YamlInvalid => "YamlInvalid",
            Self::ObjectInvalid => "ObjectInvalid",
            Self::ObjectConflict => "ObjectConflict",
            Self::PatchFailed => "PatchFailed",
            Self::GeneratorFailed => "GeneratorFailed",
            Self::TransformFailed => "TransformFailed",
            Self::ReferenceAmbiguous => "ReferenceAmbiguous",
            Self::ReplacementFailed => "ReplacementFailed",
            Self::RemoteMissing => "RemoteMissing",
            Self::Unsupported => "Unsupported",
            Self::LimitExceeded => "LimitExceeded",
        }
    }

    /// What a user can do about it, where one sentence helps.
    pub fn help(self) -> Option<&'static str> {
        match self {
            Self::KustomizationMissing => {
                Some("add exactly one kustomization.yaml to the directory, or correct the path")
            }
            Self::PathDenied => {
                Some("move the file below the kustomization, or make it a base of its own")
            }
            Self::Cycle => Some("let the base list files, not a directory that contains it"),
            Self::ObjectConflict => {
                Some("rename one of them, give it another namespace, or list the file once")
            }
            Self::ObjectInvalid => Some("every object needs apiVersion, kind and metadata.name"),
            Self::RemoteMissing => Some(
                "copy it into the source, or make it a source of its own with a Kustomization of its own",
            ),
            Self::YamlInvalid => Some("correct the YAML at the line that is named"),
            _ => None,
        }
    }
}

/// Names one object in an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectName {
    /// Group and version, as in the manifest.
    pub api_version: String,
    /// Kind, as in the manifest.
    pub kind: String,
    /// Namespace; empty where the manifest names none.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// Why a render failed.
///
/// `Display` gives kustomize's own words, so that what a user searches for is found; the fields
/// say the same in parts. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone)]
pub struct Error {
    /// What kind of problem it is.
    pub code: Code,
    /// What happened, outermost context first.
    pub message: String,
    /// The file it is about, from the root of the tree.
    pub file: Option<String>,
    /// Line in the file.
    pub line: Option<u32>,
    /// Column in the line.
    pub column: Option<u32>,
    /// The field of the kustomization, or of the object, that led here.
    pub field: Option<String>,
    /// The object it is about.
    pub object: Option<ObjectName>,
    /// What to do about it.
    pub help: Option<String>,
    /// The kustomizations that led here, outermost first: directories from the root of the tree.
    pub chain: Vec<String>,
    /// What is remote and lacking, with [`Code::RemoteMissing`].
    pub remotes: Vec<Remote>,
    pub(crate) found: Option<Kind>,
    pub(crate) malformed: bool,
}

/// The result of anything that can fail here.
pub type Outcome<T> = Result<T, Box<Error>>;

impl Error {
    /// An error of this kind with this message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            field: None,
            object: None,
            help: code.help().map(str::to_owned),
            chain: Vec::new(),
            remotes: Vec::new(),
            found: None,
            malformed: false,
        })
    }

    /// Puts context before the message.
    pub(crate) fn wrap(mut self: Box<Self>, context: impl fmt::Display) -> Box<Self> {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Names the file, unless a deeper one is named already.
    pub(crate) fn in_file(mut self: Box<Self>, file: &str) -> Box<Self> {
        if self.file.is_none() {
            self.file = Some(file.to_owned());
        }
        self
    }

    /// Names the field, unless a deeper one is named already.
    pub(crate) fn in_field(mut self: Box<Self>, field: &str) -> Box<Self> {
        if self.field.is_none() {
            self.field = Some(field.to_owned());
        }
        self
    }

    /// Says what to do, in place of the general advice.
    pub(crate) fn advise(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Makes an error: `fail!(PatchFailed, "no matches for {id}")`.
macro_rules! fail {
    ($code:ident, $($arg:tt)*) => {
        $crate::error::Error::new($crate::error::Code::$code, format!($($arg)*))
    };
}
pub(crate) use fail;

/// Adds context to a failure, as `errors.WrapPrefixf` does upstream.
pub(crate) trait Context<T> {
    /// Puts `context` before the message of a failure.
    fn context(self, context: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T> Context<T> for Outcome<T> {
    fn context(self, context: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| error.wrap(context()))
    }
}

/// A list as Go prints it: `[a b]`.
pub(crate) fn go_list<S: AsRef<str>>(items: &[S]) -> String {
    let parts: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    format!("[{}]", parts.join(" "))
}

/// Text in double quotes as Go's `%q` prints it.
pub(crate) fn go_quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                quoted.push_str(&format!("\\x{:02x}", c as u32))
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
