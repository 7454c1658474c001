//! Renderers: the trait, its types, and the macro that exports an implementation.

pub use crate::bindings::renderer::bulkhead::renderer::types::{Document, Error, Output, Target};
pub use crate::bindings::renderer::exports::bulkhead::renderer::render::Request;
pub use crate::files::{Files, ReadError};
use crate::{Diagnostic, Location};

/// A plugin that turns a directory of the source into objects.
pub trait Renderer {
    /// Renders `request.path`.
    ///
    /// # Guarantees
    /// The result may depend on the arguments and on what is read from `source`, and on nothing
    /// else: the host repeats a render only when one of them changed.
    ///
    /// # Errors
    /// [`Error::Invalid`] with diagnostics for bad input. A panic is for bugs of the plugin.
    fn render(source: &dyn Files, request: &Request) -> Result<Output, Error>;
}

/// Exports a [`Renderer`] as the world `bulkhead:renderer/renderer`.
///
/// Outside WebAssembly it expands to a check that the type implements the trait.
#[macro_export]
macro_rules! renderer {
    ($plugin:ty) => {
        const _: fn(
            &dyn $crate::files::Files,
            &$crate::render::Request,
        ) -> ::core::result::Result<$crate::render::Output, $crate::render::Error> =
            <$plugin as $crate::render::Renderer>::render;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "generated: the canonical ABI passes raw memory")]
        const _: () = {
            struct Exports;
            impl $crate::bindings::renderer::exports::bulkhead::renderer::render::Guest for Exports {
                fn render(
                    source: &$crate::tree::Tree,
                    request: $crate::render::Request,
                ) -> ::core::result::Result<$crate::render::Output, $crate::render::Error> {
                    $crate::log::report_panics();
                    <$plugin as $crate::render::Renderer>::render(source, &request)
                }
            }
            $crate::bindings::renderer::export!(Exports with_types_in $crate::bindings::renderer);
        };
    };
}

impl Document {
    /// Holds a YAML or JSON text of unknown origin.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            origin: None,
        }
    }

    /// Names the file that the text came from.
    #[must_use]
    pub fn from_file(mut self, path: impl Into<String>) -> Self {
        self.origin = Some(Location::file(path));
        self
    }
}

impl Default for Output {
    /// No documents, no remarks.
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            diagnostics: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

impl From<ReadError> for Error {
    /// A file that cannot be read is wrong input, with the file as its place.
    fn from(error: ReadError) -> Self {
        let location = Location::file(error.path.clone());
        Self::from(Diagnostic::error("ReadFailed", error.to_string()).at(location))
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Invalid(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Error {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Invalid(diagnostics)
    }
}

impl Request {
    /// Asks for `path` with no configuration and no inputs, as native tests do.
    pub fn for_path(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            config: "{}".to_owned(),
            inputs: Vec::new(),
            target: Target::unknown(),
            attributes: Vec::new(),
        }
    }

    /// Finds an input by its name.
    pub fn input(&self, name: &str) -> Option<&[u8]> {
        self.inputs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, content)| content.as_slice())
    }
}

impl Target {
    /// A target of which nothing is known: no names, no versions.
    pub fn unknown() -> Self {
        Self {
            name: String::new(),
            namespace: String::new(),
            kube_version: String::new(),
            api_versions: Vec::new(),
        }
    }
}
