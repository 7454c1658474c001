//! Workers: take a key, reconcile it, say when next. A reconciliation that panics costs its object a
//! pause, and nothing else.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;
use tracing::Instrument;

use crate::backoff;
use crate::context::Context;
use crate::kind::Kind;
use crate::queue::{Again, Class, Key, Queue};

/// Failures in a row, by object.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Key, u32>>);

impl Failures {
    /// Counts a failure; returns how many there are in a row.
    pub fn count(&self, key: &Key) -> u32 {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// Forgets the failures of `key`.
    pub fn reset(&self, key: &Key) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// Runs `many` workers for the kind `K` until the set is dropped. `reconcile` returns when the
/// object is due again; its `Err` means that the API server could not be used.
pub fn start<K, R, F, E>(
    tasks: &mut JoinSet<()>,
    many: usize,
    context: &Arc<Context>,
    queue: &Queue,
    reconcile: R,
) where
    K: Kind,
    R: Fn(Arc<Context>, Key, Class) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Again, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let failures = Arc::new(Failures::default());
    for _ in 0..many.max(1) {
        let (context, queue) = (context.clone(), queue.clone());
        let (reconcile, failures) = (reconcile.clone(), failures.clone());
        tasks.spawn(async move {
            loop {
                let (key, class) = queue.take().await;
                context.metrics.queue_depth(K::KIND, queue.depth());
                let started = Instant::now();
                let run = run::<K, _, _>(reconcile(context.clone(), key.clone(), class), &key);
                let again = match run.await {
                    Some(again) => {
                        failures.reset(&key);
                        again
                    }
                    None => {
                        let count = failures.count(&key);
                        let pause = backoff::pause(count, backoff::LONGEST_SERVER);
                        Again::After(pause, Class::Retry)
                    }
                };
                context.metrics.reconciled(K::KIND, &key, started.elapsed());
                queue.done(&key, again);
            }
        });
    }
}

/// Runs one reconciliation; `None` when it failed to reach the API server, or panicked.
async fn run<K, F, E>(reconciliation: F, key: &Key) -> Option<Again>
where
    K: Kind,
    F: Future<Output = Result<Again, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let span = tracing::info_span!(
        "reconcile",
        controllerKind = K::KIND,
        name = &*key.name,
        namespace = &*key.namespace
    );
    // A task of its own: a panic ends it alone. It ends with the worker.
    let mut task = JoinSet::new();
    task.spawn(reconciliation.instrument(span.clone()));
    let ended = task.join_next().await?;
    let _entered = span.enter();
    match ended {
        Ok(Ok(again)) => Some(again),
        Ok(Err(error)) => {
            tracing::error!(error = bulkhead_api::chain(&error), "reconciliation failed");
            None
        }
        Err(ended) => {
            tracing::error!(error = %ended, "reconciliation ended unexpectedly: a bug of bulkhead");
            None
        }
    }
}
