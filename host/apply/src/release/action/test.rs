//! The tests of a release: hooks of the event `test`.

use std::future::pending;

use super::{ActionError, Done, Helm, Options, Run, Target, Test};
use crate::release::model::{Event, TestFilter};

impl Helm {
    /// Runs the tests of the newest version that the filters select, and records what came of them:
    /// [`Release::test_hooks`](crate::release::Release::test_hooks) of [`Done::release`].
    pub async fn test(&self, target: &Target, test: &Test) -> Done {
        let options = Options {
            timeout: test.timeout,
            ..Options::default()
        };
        let mut run = Run::new(self, target, &options, pending());
        let result = run.test(test).await;
        run.end(result)
    }
}

impl Run<'_> {
    async fn test(&mut self, test: &Test) -> Result<(), ActionError> {
        let last = self.helm.storage.last(&self.target.name).await?;
        let mut release = last.ok_or(ActionError::NotFound)?;
        let is_selected =
            |hook: &crate::release::Hook| TestFilter::select(&test.filters, &hook.name);
        let result = self
            .hooks(&mut release, Event::TEST, test.timeout, is_selected)
            .await;
        let recorded = self.update(&release).await;
        self.done.release = Some(release);
        result.and(recorded.map_err(ActionError::from))
    }
}
