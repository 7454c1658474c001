//! Where guests run: threads of their own, as many at a time as there are processors.
//!
//! A guest that computes occupies one of these threads between two ticks, never one of the
//! controllers'. A call whose caller is gone is ended.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use wasmtime::{Engine, Store};

use crate::engine::Ticker;
use crate::error::{Circumstances, HostError, RunError};
use crate::host::{Grants, State};
use crate::limits::Usage;
use crate::names::PluginId;
use crate::read_set::ReadSet;

/// Runs guests. Cheap to clone; does not keep the threads alive.
#[derive(Clone)]
pub(crate) struct Guests {
    pub(crate) engine: Engine,
    meter: bool,
    ticker: Ticker,
    threads: Handle,
    free: Arc<Semaphore>,
}

/// Keeps the threads alive; ends them without waiting.
pub(crate) struct Threads {
    runtime: Option<Runtime>,
    ticker: Ticker,
    free: Arc<Semaphore>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.free.close();
        self.ticker.end();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is known about a call that ended, well or not.
pub(crate) struct Report {
    pub(crate) read_set: ReadSet,
    pub(crate) usage: Usage,
    pub(crate) limit: Option<crate::limits::LimitHit>,
    /// The answer depended on something that failed.
    pub(crate) transient: bool,
}

/// The future of a call into a guest, which borrows its store.
pub(crate) type Calling<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

impl Guests {
    /// Starts the threads: `parallel` guests run at a time.
    pub(crate) fn start(
        engine: Engine,
        meter: bool,
        parallel: usize,
    ) -> Result<(Self, Threads), HostError> {
        let ticker = Ticker::start(&engine).map_err(HostError::Thread)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(parallel)
            .thread_name("guest")
            .enable_time()
            .build()
            .map_err(HostError::Thread)?;
        let free = Arc::new(Semaphore::new(parallel));
        let threads = runtime.handle().clone();
        let guests = Self {
            engine,
            meter,
            ticker: ticker.clone(),
            threads,
            free: free.clone(),
        };
        Ok((
            guests,
            Threads {
                runtime: Some(runtime),
                ticker,
                free,
            },
        ))
    }

    /// Runs `work`, which blocks, beside the guests.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        Ended(self.threads.spawn_blocking(work)).join().await
    }

    /// Calls a guest in a store of its own, under the limits of `grants`.
    pub(crate) async fn call<T, F>(
        &self,
        plugin: (PluginId, bulkhead_api::Digest),
        grants: Grants,
        call: F,
    ) -> Result<(T, Report), RunError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Store<State>) -> Calling<'a, T> + Send + 'static,
    {
        if grants.limits.fuel.is_some() && !self.meter {
            return Err(RunError::NotMetered);
        }
        let guests = self.clone();
        let task = self.threads.spawn(async move {
            let Ok(_permit) = guests.free.acquire().await else {
                return Err(RunError::Machine("the host is shutting down".to_owned()));
            };
            guests.run(plugin, grants, call).await
        });
        match Ended(task).join().await {
            Ok(result) => result,
            Err(error) if error.is_panic() => Err(RunError::Machine(
                "a host function panicked: this is a bug".to_owned(),
            )),
            Err(_) => Err(RunError::Machine("the host is shutting down".to_owned())),
        }
    }

    async fn run<T, F>(
        &self,
        (plugin, digest): (PluginId, bulkhead_api::Digest),
        grants: Grants,
        call: F,
    ) -> Result<(T, Report), RunError>
    where
        F: for<'a> FnOnce(&'a mut Store<State>) -> Calling<'a, T>,
    {
        let limits = grants.limits.clone();
        let mut store = self.store(grants)?;
        let began = Instant::now();
        let ticking = self.ticker.run();
        let answer = tokio::time::timeout(limits.deadline, call(&mut store)).await;
        drop(ticking);
        let duration = began.elapsed();
        let fuel_left = store.get_fuel().ok();
        let state = store.data_mut();
        state.log.finish();
        let error = match answer {
            Ok(Ok(value)) => {
                let usage = Usage {
                    duration,
                    fuel: fuel_left.map(|left| limits.fuel.unwrap_or(u64::MAX) - left),
                    ..state.usage()
                };
                let report = Report {
                    read_set: state.reads.take(),
                    usage,
                    limit: state.limit_hit(),
                    transient: state.cluster.unavailable,
                };
                return Ok((value, report));
            }
            Ok(Err(error)) => error,
            Err(_) => {
                let log_tail = state.log.tail();
                return Err(RunError::OutOfTime {
                    deadline: limits.deadline,
                    log_tail,
                });
            }
        };
        let around = Circumstances {
            plugin,
            digest,
            refused: state.limiter.refused,
            limits,
            log_tail: state.log.tail(),
        };
        Err(RunError::new(error, around))
    }

    /// Makes a store with every limit set.
    fn store(&self, grants: Grants) -> Result<Store<State>, RunError> {
        let limits = grants.limits.clone();
        let mut store = Store::new(&self.engine, State::new(grants));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(crate::host::HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        if self.meter {
            let fuel = limits.fuel.unwrap_or(u64::MAX);
            store
                .set_fuel(fuel)
                .map_err(|error| RunError::Machine(error.to_string()))?;
        }
        Ok(store)
    }
}

impl State {
    fn usage(&self) -> Usage {
        Usage {
            peak_memory_bytes: self.limiter.peak_memory_bytes,
            files: self.tree.as_ref().map_or(0, |files| files.files),
            read_bytes: self.tree.as_ref().map_or(0, |files| files.read_bytes),
            ..Usage::default()
        }
    }
}

/// A task that is ended when nobody waits for it any more.
struct Ended<T>(JoinHandle<T>);

impl<T> Ended<T> {
    async fn join(mut self) -> Result<T, JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
