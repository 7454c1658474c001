//! Why a message was not delivered, and what a user can do about it. No text here holds the value of
//! a secret.

use std::time::Duration;

use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_wasm::ConfigError;

use crate::destination::Refused;
use crate::guest::GuestError;
use crate::prepare::PrepareError;

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The installation keeps namespaces apart, and the event is from another one.
    #[error(
        "alert `{alert}` can't process event from `{object}`, cross-namespace references have been blocked"
    )]
    AccessDenied {
        /// The alert.
        alert: String,
        /// The object of the event.
        object: String,
    },
    /// No plugin serves the provider's type.
    #[error("provider `{provider}` has type `{kind}`, for which no notifier is installed")]
    NoPlugin {
        /// The provider.
        provider: String,
        /// Its type.
        kind: String,
        /// The types that are served.
        installed: Vec<String>,
    },
    /// The plugin that serves the provider is not ready, or is no notifier.
    #[error("provider `{provider}` has no notifier: {why}")]
    PluginNotReady {
        /// The provider.
        provider: String,
        /// Why.
        why: String,
    },
    /// A field of the provider cannot be used.
    #[error("failed to read provider `{provider}`")]
    Provider {
        /// The provider.
        provider: String,
        /// Why.
        #[source]
        error: SpecError,
    },
    /// The notifier takes other settings.
    #[error("provider `{provider}` does not fit its notifier")]
    Config {
        /// The provider.
        provider: String,
        /// Which fields, and why.
        #[source]
        source: ConfigError,
    },
    /// The certificates of the provider cannot be used.
    #[error("failed to get TLS config: {0}")]
    Certificates(String),
    /// The plugin refused, trapped or was stopped.
    #[error("failed to run the notifier")]
    Guest(#[source] Box<GuestError>),
    /// A request of the plugin cannot be sent as it is.
    #[error("failed to prepare a request of the notifier")]
    Prepare(#[source] PrepareError),
    /// The destination is refused.
    #[error("refused to send")]
    Refused(#[source] Refused),
    /// The plugin wants to send more than it may.
    #[error("the notifier asked for {used} {what}, at most {limit} are allowed")]
    TooMany {
        /// What there were too many of.
        what: &'static str,
        /// How many were asked for.
        used: usize,
        /// The limit.
        limit: usize,
    },
    /// The service refused the message, in the plugin's words.
    #[error("{0}")]
    Failed(String),
    /// The service asked to wait.
    #[error("the service asked to wait{}", after.map(|after| format!(" {after:?}")).unwrap_or_default())]
    Busy {
        /// How long, where it said so.
        after: Option<Duration>,
    },
    /// The provider's budget of requests is used up.
    #[error("the rate limit of provider `{provider}` is used up for {wait:?}")]
    RateLimited {
        /// The provider.
        provider: String,
        /// When there is room again.
        wait: Duration,
    },
    /// It was not delivered in time.
    #[error("not delivered within {0:?}")]
    OutOfTime(Duration),
}

impl NotifyError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let final_ = Advice::new(reason::NOTIFICATION_DISPATCH_FAILED, Retry::OnChange);
        let again = Advice::new(reason::NOTIFICATION_DISPATCH_FAILED, Retry::Backoff);
        match self {
            Self::AccessDenied { .. } => Advice::new(reason::ACCESS_DENIED, Retry::OnChange)
                .hint("put the Alert into the namespace of the object"),
            Self::NoPlugin { installed, .. } => {
                Advice::new(reason::own::PLUGIN_NOT_FOUND, Retry::OnChange).hint(format!(
                    "use one of the installed types: {}",
                    installed.join(", ")
                ))
            }
            Self::PluginNotReady { .. } => {
                Advice::new(reason::own::PLUGIN_NOT_READY, Retry::OnDependency)
                    .hint("see the conditions of the plugin")
            }
            Self::Provider { error, .. } => error.advice(),
            Self::Config { source, .. } => source.advice(),
            Self::Certificates(_) => final_.hint("correct the Secret of `certSecretRef`"),
            Self::Guest(error) => error.advice(),
            Self::Prepare(error) => match error.hint() {
                Some(hint) => final_.hint(hint),
                None => final_,
            },
            Self::Refused(refused) => match hint(refused) {
                Some(hint) => final_.hint(hint),
                None => final_,
            },
            Self::TooMany { .. } => final_.hint("this is a fault of the notifier plugin"),
            Self::Failed(_) => again,
            Self::Busy { .. } => again.hint("send less: narrow the Alert's event sources"),
            Self::RateLimited { .. } => again.hint("narrow the Alert's event sources"),
            Self::OutOfTime(_) => again.hint("raise `spec.timeout` of the Provider"),
        }
    }
}

fn hint(refused: &Refused) -> Option<String> {
    Some(match refused {
        Refused::NotAUrl(_) | Refused::NoHost | Refused::Scheme(_) | Refused::TooLong(_) => {
            "write `address` of the Provider, or of its Secret, as an https URL".to_owned()
        }
        Refused::Unencrypted(_) => "use `https` in the Provider's address".to_owned(),
        Refused::NotGranted(host) => format!("grant `{host}` to the plugin if it may send there"),
        Refused::Network { host, .. } => {
            format!("allow `{host}` in the installation's settings if notifiers may reach it")
        }
        Refused::RedirectWithCredentials(_)
        | Refused::Downgrade(_)
        | Refused::TooManyRedirects(_) => {
            "write the address that the service redirects to into the Provider".to_owned()
        }
    })
}
