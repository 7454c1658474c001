//! What a broken action left pending, made a failed version that the next action can start from.

use std::future::pending;

use super::settle::UNLOCKED;
use super::{ActionError, Done, Helm, Options, Run, Target};
use crate::release::status::Status;

impl Helm {
    /// Marks the newest version as failed if it is pending; records nothing otherwise.
    ///
    /// Hooks of the broken action that would have been deleted at its end are deleted now. A version
    /// that is being uninstalled is no matter of this: [`Helm::uninstall`] goes on with it.
    ///
    /// [`Done::release`] is that version, with the status that it has now.
    pub async fn unlock(&self, target: &Target) -> Done {
        let options = Options::default();
        let mut run = Run::new(self, target, &options, pending());
        let result = run.unlock().await;
        run.end(result)
    }
}

impl Run<'_> {
    async fn unlock(&mut self) -> Result<(), ActionError> {
        let last = self.helm.storage.last(&self.target.name).await?;
        let mut release = last.ok_or(ActionError::NotFound)?;
        if release.info.status.is_pending() {
            self.helm
                .sweep_broken(&release, self.options.timeout)
                .await?;
            let told = format!("{UNLOCKED} '{}' state", release.info.status);
            release.set_status(Status::Failed, told);
            self.update(&release).await?;
        }
        self.done.release = Some(release);
        Ok(())
    }
}
