//! Transformers: the trait, its types, and the macro that exports an implementation.

pub use crate::bindings::transformer::exports::bulkhead::renderer::transform::Request;
pub use crate::render::{Document, Error, Output, Target};

/// A plugin that changes objects which a renderer, or another transformer, returned.
pub trait Transformer {
    /// Transforms `request.documents`. What is not returned is not applied.
    ///
    /// # Guarantees
    /// The result may depend on the argument, and on nothing else.
    ///
    /// # Errors
    /// [`Error::Invalid`] with diagnostics for bad input. A panic is for bugs of the plugin.
    fn transform(request: Request) -> Result<Output, Error>;
}

/// Exports a [`Transformer`] as the world `bulkhead:renderer/transformer`.
///
/// Outside WebAssembly it expands to a check that the type implements the trait.
#[macro_export]
macro_rules! transformer {
    ($plugin:ty) => {
        const _: fn(
            $crate::transform::Request,
        )
            -> ::core::result::Result<$crate::transform::Output, $crate::transform::Error> =
            <$plugin as $crate::transform::Transformer>::transform;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "generated: the canonical ABI passes raw memory")]
        const _: () = {
            struct Exports;
            impl $crate::bindings::transformer::exports::bulkhead::renderer::transform::Guest
                for Exports
            {
                fn transform(
                    request: $crate::transform::Request,
                ) -> ::core::result::Result<$crate::transform::Output, $crate::transform::Error>
                {
                    $crate::log::report_panics();
                    <$plugin as $crate::transform::Transformer>::transform(request)
                }
            }
            $crate::bindings::transformer::export!(
                Exports with_types_in $crate::bindings::transformer
            );
        };
    };
}
