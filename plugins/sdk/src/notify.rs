//! Notifiers: the trait, its types, the macro that exports an implementation, and builders for
//! requests.
//!
//! A notifier returns requests and never sends one. A secret is a *name* in a [`Part`]; its value
//! is put in by the host.

pub use crate::bindings::notifier::exports::bulkhead::notifier::notify::{
    Error, Event, Header, Hmac, Outcome, Part, Request, Response, Signing, Step,
};

/// Name of the attribute that holds the reporting controller.
pub const CONTROLLER: &str = "event.controller";

/// A plugin that turns events into requests.
pub trait Notifier {
    /// Begins to deliver events. `config` is one JSON object, `state` what the last
    /// [`Outcome::Done`] for the same object and provider kept.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the field that is wrong and what it should be.
    fn start(events: Vec<Event>, config: &str, state: Vec<u8>) -> Result<Outcome, Error>;

    /// Goes on after the requests of the last step were answered; `state` is that step's.
    ///
    /// # Errors
    /// As [`Notifier::start`].
    fn resume(responses: Vec<Response>, config: &str, state: Vec<u8>) -> Result<Outcome, Error>;
}

/// Exports a [`Notifier`] as the world `bulkhead:notifier/notifier`.
///
/// Outside WebAssembly it expands to a check that the type implements the trait.
#[macro_export]
macro_rules! notifier {
    ($plugin:ty) => {
        const _: fn(
            ::std::vec::Vec<$crate::notify::Event>,
            &str,
            ::std::vec::Vec<u8>,
        )
            -> ::core::result::Result<$crate::notify::Outcome, $crate::notify::Error> =
            <$plugin as $crate::notify::Notifier>::start;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "generated: the canonical ABI passes raw memory")]
        const _: () = {
            use $crate::notify::{Error, Event, Notifier, Outcome, Response};
            struct Exports;
            impl $crate::bindings::notifier::exports::bulkhead::notifier::notify::Guest for Exports {
                fn start(
                    events: ::std::vec::Vec<Event>,
                    config: ::std::string::String,
                    state: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<Outcome, Error> {
                    $crate::log::report_panics();
                    <$plugin as Notifier>::start(events, &config, state)
                }

                fn resume(
                    responses: ::std::vec::Vec<Response>,
                    config: ::std::string::String,
                    state: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<Outcome, Error> {
                    $crate::log::report_panics();
                    <$plugin as Notifier>::resume(responses, &config, state)
                }
            }
            $crate::bindings::notifier::export!(Exports with_types_in $crate::bindings::notifier);
        };
    };
}

impl Part {
    /// These characters.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value of the secret of this name.
    pub fn secret(name: impl Into<String>) -> Self {
        Self::Secret(name.into())
    }
}

impl Request {
    /// Posts a JSON text to the address that `url` makes; number 0, unsigned.
    pub fn post_json(url: Vec<Part>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            id: 0,
            method: "POST".to_owned(),
            url,
            headers: Vec::new(),
            body: body.into(),
            signing: Signing::None,
        }
        .header("Content-Type", vec![Part::text("application/json")])
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: Vec<Part>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value,
        });
        self
    }

    /// Makes the step that sends this request alone and keeps no state.
    pub fn alone(self) -> Outcome {
        Outcome::Next(Step {
            send: vec![self],
            state: Vec::new(),
        })
    }
}

impl Response {
    /// Tells whether the service accepted the request.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Event {
    /// Finds an attribute by its name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The metadata of the event: its attributes without the one that the host adds.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .filter(|(name, _)| name != CONTROLLER)
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
