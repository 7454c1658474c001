//! What becomes of a release whose object is deleted.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;

use super::act::{Act, End};
use super::error::ReleaseError;
use super::template;

impl Act {
    /// Removes the release and the HelmChart; keeps both where the object is suspended.
    pub(super) async fn finalize(&mut self) -> Result<End, ReleaseError> {
        if self.object.spec.suspend {
            return Ok(End::Finalized);
        }
        self.remove_release().await?;
        let object = self.object.clone();
        let made = template::reconcile(&object, &self.context).await?;
        self.status.helm_chart = made.chart;
        made.reports
            .into_iter()
            .for_each(|report| self.tell(report));
        Ok(End::Finalized)
    }

    async fn remove_release(&mut self) -> Result<(), ReleaseError> {
        if self.status.storage_namespace.is_none() {
            tracing::info!("skipping Helm release uninstallation: no storage namespace configured");
            return Ok(());
        }
        if !self.account_exists().await? {
            tracing::error!("skipping Helm release uninstallation: the service account is gone");
            return Ok(());
        }
        self.uninstall().await?;
        tracing::info!("uninstalled Helm release for deleted resource");
        self.status.history.clear();
        self.status.storage_namespace = None;
        Ok(())
    }

    /// Tells whether the account to act as exists. When it is gone, as with its namespace, the release
    /// is let go, as in Flux: without it nobody may remove it.
    async fn account_exists(&self) -> Result<bool, ReleaseError> {
        let Some(name) = self.account() else {
            return Ok(true);
        };
        let client = self.place().await?.base(&self.context.clients).clone();
        let api: Api<ServiceAccount> = Api::namespaced(client, &self.key.namespace);
        Ok(!matches!(api.get_metadata_opt(name).await, Ok(None)))
    }
}
