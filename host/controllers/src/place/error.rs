//! Why the cluster that an object is for cannot be reached.

use bulkhead_api::{Advice, Retry};

use super::kubeconfig::KubeconfigError;
use crate::client::{ClientError, Refused};

/// Why the cluster that an object is for cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The account to act as cannot be used, or the settings of the client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// None is named, or both.
    #[error(
        "exactly one of `spec.kubeConfig.configMapRef` and `spec.kubeConfig.secretRef` must be set"
    )]
    Reference,
    /// What is named cannot be read.
    #[error("could not get KubeConfig {kind} '{name}': {problem}")]
    Read {
        /// `secret` or `configmap`.
        kind: &'static str,
        /// `namespace/name`.
        name: String,
        /// Why.
        problem: String,
    },
    /// The Secret has no kubeconfig.
    #[error("KubeConfig secret '{name}' does not contain a '{key}' key with a kubeconfig")]
    Key {
        /// `namespace/name`.
        name: String,
        /// The key.
        key: String,
    },
    /// The kubeconfig cannot be used.
    #[error("failed to read the kubeconfig of secret '{name}'")]
    Kubeconfig {
        /// `namespace/name`.
        name: String,
        /// Why.
        #[source]
        source: KubeconfigError,
    },
    /// The ConfigMap says what cannot be done.
    #[error("configmap '{name}': {problem}")]
    ConfigMap {
        /// `namespace/name`.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// No token could be had for the service account.
    #[error("failed to create a token for service account '{account}'")]
    Token {
        /// `namespace/name`.
        account: String,
        /// Why.
        #[source]
        source: Refused,
    },
    /// The other cluster does not answer.
    #[error("failed to reach the cluster of `spec.kubeConfig`")]
    Unreachable(#[source] Refused),
}

impl PlaceError {
    /// Names when to try again, and what the user can do; the reason is that of the kind.
    pub fn advice(&self, reason: &'static str) -> Advice {
        let on_change = Advice::new(reason, Retry::OnChange);
        let backoff = Advice::new(reason, Retry::Backoff);
        match self {
            Self::Client(_) => {
                on_change.hint("name a service account in `spec.serviceAccountName`")
            }
            Self::Reference => on_change.hint("name a Secret in `spec.kubeConfig.secretRef`"),
            Self::Kubeconfig { .. } => {
                on_change.hint("write a kubeconfig that holds all that is needed")
            }
            Self::ConfigMap { .. } => on_change.hint(
                "use provider `generic` with `address`, `ca.crt`, `audiences` and \
                 `serviceAccountName`, or a Secret with a kubeconfig",
            ),
            Self::Key { .. } => {
                backoff.hint("name the key of the Secret in `spec.kubeConfig.secretRef.key`")
            }
            Self::Read { .. } | Self::Token { .. } | Self::Unreachable(_) => backoff,
        }
    }
}
