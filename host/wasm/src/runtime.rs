//! Where guests run: threads of their own, in two lanes (see [`share`](crate::share)).
//!
//! A guest that computes occupies one of these threads between two ticks, never one of the
//! controllers'. A call whose caller is gone is ended.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use wasmtime::{Engine, Store};

use crate::engine::Ticker;
use crate::error::{Circumstances, HostError, RunError};
use crate::host::{Given, State};
use crate::limits::Usage;
use crate::names::PluginId;
use crate::read_set::ReadSet;
use crate::resident::release_program_pages;
use crate::share::{Lane, QUICK, Share, give_way};

/// Runs guests. Cheap to clone; does not keep the threads alive.
#[derive(Clone)]
pub(crate) struct Guests {
    pub(crate) engine: Engine,
    meter: bool,
    pub(crate) frugal: bool,
    ticker: Ticker,
    quick: Handle,
    slow: Handle,
    quick_lane: Lane,
    slow_lane: Lane,
}

/// Keeps the threads alive; ends them without waiting.
pub(crate) struct Threads {
    runtimes: Vec<Runtime>,
    tickers: Mutex<Vec<Ticker>>,
    lanes: [Lane; 2],
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.lanes.iter().for_each(Lane::close);
        let tickers = self.tickers.get_mut();
        let tickers = tickers.unwrap_or_else(PoisonError::into_inner);
        tickers.iter().for_each(Ticker::end);
        for runtime in self.runtimes.drain(..) {
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
    /// Starts the threads. `parallel` guests run at a time in the quick lane, and in the slow one
    /// (at least two), so that none of two plugins waits for the other to end. The slow ones share
    /// one thread less, if there are several: a processor is left to all else.
    pub(crate) fn start(
        engine: Engine,
        meter: bool,
        parallel: usize,
    ) -> Result<(Self, Threads), HostError> {
        let ticker = Ticker::start(&engine).map_err(HostError::Thread)?;
        let mut quick = Builder::new_multi_thread();
        quick.worker_threads(parallel).thread_name("guest");
        let quick = quick.enable_time().build().map_err(HostError::Thread)?;
        let mut slow = Builder::new_multi_thread();
        slow.worker_threads(parallel.saturating_sub(1).max(1))
            .thread_name("slow-guest")
            .on_thread_start(give_way);
        let slow = slow.enable_time().build().map_err(HostError::Thread)?;
        let lanes = [Lane::new(parallel), Lane::new(parallel.max(2))];
        let guests = Self {
            engine,
            meter,
            frugal: false,
            ticker: ticker.clone(),
            quick: quick.handle().clone(),
            slow: slow.handle().clone(),
            quick_lane: lanes[0].clone(),
            slow_lane: lanes[1].clone(),
        };
        let threads = Threads {
            runtimes: vec![quick, slow],
            tickers: Mutex::new(vec![ticker]),
            lanes,
        };
        Ok((guests, threads))
    }

    /// Makes guests of another engine that run on the same threads, in the same lanes.
    pub(crate) fn of_engine(
        &self,
        engine: Engine,
        meter: bool,
        threads: &Threads,
    ) -> Result<Self, HostError> {
        let ticker = Ticker::start(&engine).map_err(HostError::Thread)?;
        let tickers = threads.tickers.lock();
        let mut tickers = tickers.unwrap_or_else(PoisonError::into_inner);
        tickers.push(ticker.clone());
        Ok(Self {
            engine,
            meter,
            ticker,
            ..self.clone()
        })
    }

    /// Gives back the pages that the phase that ends here used, in a process of one call.
    pub(crate) fn end_phase(&self) {
        if self.frugal {
            release_program_pages();
        }
    }

    pub(crate) fn is_metered(&self) -> bool {
        self.meter
    }

    /// Makes what a plugin may take of the lanes.
    pub(crate) fn share(&self) -> Share {
        Share::new(&self.quick_lane, &self.slow_lane)
    }

    /// Runs `work`, which blocks, beside the guests; it gives way to them when `patient`.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        patient: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let threads = if patient { &self.slow } else { &self.quick };
        Ended(threads.spawn_blocking(work)).join().await
    }

    /// Calls a guest in a store of its own, under the limits of `given`.
    ///
    /// What does not end in the quick lane is dropped, and begins again in the slow one: guests keep
    /// nothing, and what waits between two lanes would hold its memory.
    pub(crate) async fn call<T, F>(
        &self,
        plugin: (PluginId, bulkhead_api::Digest),
        share: &Arc<Share>,
        given: Given,
        call: F,
    ) -> Result<(T, Report), RunError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Store<State>) -> Calling<'a, T> + Send + Sync + 'static,
    {
        if given.limits.fuel.is_some() && !self.meter {
            return Err(RunError::NotMetered);
        }
        let attempt = Arc::new(Attempt {
            guests: self.clone(),
            plugin,
            given,
            call,
        });
        let deadline = attempt.given.limits.deadline;
        if !share.is_slow() {
            let lane = (&self.quick, &self.quick_lane, &share.quick);
            // Several may wait for the place of one plugin: the first that is late is enough.
            let result = attempt
                .stretch(lane, share, deadline.min(QUICK), true)
                .await?;
            if let Some(result) = result
                && (deadline <= QUICK || !matches!(result, Err(RunError::OutOfTime { .. })))
            {
                return result;
            }
        }
        let lane = (&self.slow, &self.slow_lane, &share.slow);
        let result = attempt.stretch(lane, share, deadline, false).await?;
        result.unwrap_or_else(|| Err(shutting_down()))
    }

    async fn run<T, F>(
        &self,
        (plugin, digest): (PluginId, bulkhead_api::Digest),
        given: Given,
        time: Duration,
        call: &F,
    ) -> Result<(T, Report), RunError>
    where
        F: for<'a> Fn(&'a mut Store<State>) -> Calling<'a, T>,
    {
        let limits = given.limits.clone();
        let mut store = self.store(given)?;
        let began = Instant::now();
        let ticking = self.ticker.run();
        let answer = tokio::time::timeout(time, call(&mut store)).await;
        drop(ticking);
        let duration = began.elapsed();
        let fuel_left = store.get_fuel().ok();
        let state = store.data_mut();
        state.log.finish();
        let log_tail = state.log.tail();
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
            log_tail,
        };
        Err(RunError::new(error, around))
    }

    /// Makes a store with every limit set.
    fn store(&self, given: Given) -> Result<Store<State>, RunError> {
        let limits = given.limits.clone();
        let mut store = Store::new(&self.engine, State::new(given));
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

/// A call that may have to begin again.
struct Attempt<F> {
    guests: Guests,
    plugin: (PluginId, bulkhead_api::Digest),
    given: Given,
    call: F,
}

impl<F> Attempt<F> {
    /// Runs the call in a lane for at most `time`, waiting for a place not counted. `None` when the
    /// call `skips` the lane of a plugin that turned out to be slow while it waited.
    async fn stretch<T>(
        self: &Arc<Self>,
        (threads, lane, own): (&Handle, &Lane, &Arc<Semaphore>),
        share: &Arc<Share>,
        time: Duration,
        skips: bool,
    ) -> Result<Option<Result<(T, Report), RunError>>, RunError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Store<State>) -> Calling<'a, T> + Send + Sync + 'static,
    {
        let (this, lane, own) = (Arc::clone(self), lane.clone(), Arc::clone(own));
        let share = Arc::clone(share);
        let task = threads.spawn(async move {
            let place = lane.place(&own).await.map_err(|_| shutting_down())?;
            if skips && share.is_slow() {
                return Ok(None);
            }
            let began = Instant::now();
            let (plugin, given) = (this.plugin.clone(), this.given.clone());
            let result = this.guests.run(plugin, given, time, &this.call).await;
            share.took(began.elapsed());
            drop(place);
            Ok(Some(result))
        });
        joined(Ended(task).join().await)?
    }
}

fn joined<T>(result: Result<T, JoinError>) -> Result<T, RunError> {
    result.map_err(|error| match error.is_panic() {
        true => RunError::Machine("a host function panicked: this is a bug".to_owned()),
        false => shutting_down(),
    })
}

fn shutting_down() -> RunError {
    RunError::Machine("the host is shutting down".to_owned())
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
