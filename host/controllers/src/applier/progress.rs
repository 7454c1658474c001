//! The object as it was last written, and what to say in its status when a run takes long.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp};
use bulkhead_api::delivery::DeliveryStatus;
use bulkhead_api::message;
use tokio::sync::Mutex as AsyncMutex;

use super::item::Item;
use super::memory::lock;
use crate::clock;
use crate::context::Context;
use crate::status::WriteError;

/// After this long, a reconciliation says that it is under way; a shorter one is not worth a write.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(2);

/// The object as it was last written, and what to say if it takes long.
pub(super) struct Progress<'a> {
    context: &'a Context,
    object: AsyncMutex<Arc<Item>>,
    step: std::sync::Mutex<Option<(message::Step, String)>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(object: &Arc<Item>, context: &'a Context) -> Self {
        Self {
            context,
            object: AsyncMutex::new(object.clone()),
            step: Default::default(),
        }
    }

    /// Returns the object as it is now.
    pub(super) async fn object(&self) -> Arc<Item> {
        self.object.lock().await.clone()
    }

    pub(super) fn into_object(self) -> Arc<Item> {
        self.object.into_inner()
    }

    pub(super) fn at(&self, step: message::Step, revision: &str) {
        *lock(&self.step) = Some((step, revision.to_owned()));
    }

    /// Runs `work`; when it takes long, says so in the status, once.
    pub(super) async fn while_slow<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SILENT_FOR) => {}
        }
        let step = lock(&self.step).clone();
        if let Some((step, revision)) = step {
            // Both go on: the write must not hold up the work.
            let say = self.write(|object, status| {
                let timeout = object.spec.timeout().unwrap_or_default();
                let text = message::step(step, &revision, timeout);
                let stamp = Stamp::of(object.metadata(), clock::now());
                conditions::progressing(&mut status.conditions, stamp, &text);
            });
            tokio::pin!(say);
            tokio::select! {
                done = &mut work => {
                    // What is half sent would come after the final status.
                    let _ = say.await;
                    return done;
                }
                said = &mut say => {
                    if let Err(error) = said {
                        tracing::info!(error = bulkhead_api::chain(&error), "failed to say what is under way");
                    }
                }
            }
        }
        work.await
    }

    pub(super) async fn write(
        &self,
        change: impl FnOnce(&Item, &mut DeliveryStatus),
    ) -> Result<(), WriteError> {
        let mut object = self.object.lock().await;
        let mut next = object.status.clone();
        change(&object, &mut next);
        *object = Arc::new(object.write(self.context, next).await?);
        Ok(())
    }
}
