//! Gathers what a decision about an OCIRepository needs: its Secrets and its artifact.

use std::sync::Arc;

use bulkhead_api::source::{OCIRepository, OciRepositorySpec, RegistryProvider};

use crate::context::Context;
use crate::gitrepository::request::{Data, SecretError};
use crate::holder::Holder;
use crate::queue::Key;
use crate::sources::{self, secrets};

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// What `secretRef` names.
    pub(super) login: Option<secrets::Read>,
    /// The pull secrets of `serviceAccountName`.
    pub(super) account: Option<Result<Vec<Data>, SecretError>>,
    /// What `certSecretRef` names.
    pub(super) certificate: Option<secrets::Read>,
    /// What `proxySecretRef` names.
    pub(super) proxy: Option<secrets::Read>,
    /// What `verify.secretRef` names.
    pub(super) keys: Option<secrets::Read>,
    /// What `verify.trustedRootSecretRef` names.
    pub(super) root: Option<secrets::Read>,
    /// The artifact of the status is in the storage.
    pub(super) has_artifact: bool,
}

/// Reads what the object refers to.
pub(super) async fn observe(object: &OCIRepository, key: &Key, context: &Arc<Context>) -> Observed {
    let spec = &object.spec;
    if object.metadata.deletion_timestamp.is_some() || spec.suspend {
        return Observed::default();
    }
    Observed {
        has_artifact: sources::is_held(context, object).await,
        ..of_spec(spec, key, context.clients.own()).await
    }
}

/// Reads the Secrets that a specification names.
pub(super) async fn of_spec(spec: &OciRepositorySpec, key: &Key, holder: &impl Holder) -> Observed {
    let verify = spec.verify.as_ref();
    let of = async |reference| secrets::read(holder, key, reference).await;
    // With another provider the account stands for the workload, and that is refused.
    let account = match (&spec.service_account_name, spec.provider()) {
        (Some(name), RegistryProvider::Generic) => {
            Some(secrets::of_account(holder, key, Some(name)).await)
        }
        _ => None,
    };
    Observed {
        login: of(spec.secret_ref.as_ref()).await,
        account,
        certificate: of(spec.cert_secret_ref.as_ref()).await,
        proxy: of(spec.proxy_secret_ref.as_ref()).await,
        keys: of(verify.and_then(|verify| verify.secret_ref.as_ref())).await,
        root: of(verify.and_then(|verify| verify.trusted_root_secret_ref.as_ref())).await,
        has_artifact: false,
    }
}
