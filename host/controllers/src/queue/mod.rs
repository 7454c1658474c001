//! The queue of one kind: what is to be reconciled, in which order, by how many workers.
//!
//! Everything that starts a reconciliation adds a key with the reason; workers take keys, and say
//! after each run when the next one is due. Nothing here knows what a reconciliation does.

mod core;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use self::core::{Class, Core, Done, Key};

/// When an object is to be reconciled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// When something happens.
    OnEvent,
    /// After this long, for this reason, if nothing happens before.
    After(Duration, Class),
}

/// A [`Core`] behind a lock, with a wake-up. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    core: Arc<Mutex<Core>>,
    changed: Arc<Notify>,
    ended: Arc<Notify>,
    closed: Arc<AtomicBool>,
}

impl Queue {
    /// Makes `key` ready: see [`Core::add`].
    pub fn add(&self, key: Key, class: Class) {
        self.lock().add(key, class);
        self.changed.notify_one();
    }

    /// Makes `key` ready after `delay`, or earlier if it was to be ready earlier.
    pub fn add_after(&self, key: Key, class: Class, delay: Duration) {
        self.lock().add_at(key, class, later(Instant::now(), delay));
        self.changed.notify_one();
    }

    /// Forgets `key`.
    pub fn remove(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Waits for the next key.
    pub async fn take(&self) -> (Key, Class) {
        loop {
            let notified = self.changed.notified();
            let due = {
                let mut core = self.lock();
                if self.closed.load(Ordering::Relaxed) {
                    drop(core);
                    return std::future::pending().await;
                }
                if let Some(taken) = core.pop(Instant::now()) {
                    // Another may be ready, for another worker.
                    self.changed.notify_one();
                    return taken;
                }
                core.next_due()
            };
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due.into(), notified).await;
                }
                None => notified.await,
            }
        }
    }

    /// Forgets what a running key was asked for until now: see [`Core::catch_up`].
    pub fn catch_up(&self, key: &Key) -> bool {
        self.lock().catch_up(key)
    }

    /// Ends the run of `key` and says when it runs next.
    pub fn done(&self, key: &Key, again: Again) {
        {
            let mut core = self.lock();
            core.done(key);
            if let Again::After(delay, class) = again {
                core.set_at(key.clone(), class, later(Instant::now(), delay));
            }
        }
        self.changed.notify_one();
        self.ended.notify_waiters();
    }

    /// Gives no more keys, and waits until none runs.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        loop {
            let ended = self.ended.notified();
            if self.lock().running() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Returns how many keys are ready, by class.
    pub fn depth(&self) -> [usize; Class::COUNT] {
        self.lock().depth()
    }

    /// Tells whether `key` is ready, or runs and was asked to run again.
    pub fn is_wanted(&self, key: &Key) -> bool {
        self.lock().is_wanted(key)
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longest time that anything is put off. Intervals of a specification may be longer than a clock
/// can add; after a year, looking once in vain does no harm.
pub const MAX_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);

fn later(now: Instant, delay: Duration) -> Instant {
    now + delay.min(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn delays_longer_than_the_clock_are_cut() {
        let queue = Queue::default();
        queue.add_after(Key::new("a", "b"), Class::Interval, Duration::MAX);
        queue.add(Key::new("a", "c"), Class::Interval);
        assert_eq!(queue.take().await.0, Key::new("a", "c"));
    }

    #[tokio::test]
    async fn two_workers_share_what_is_ready() {
        let queue = Queue::default();
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.take().await.0 })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.add(Key::new("a", "1"), Class::Spec);
        queue.add(Key::new("a", "2"), Class::Spec);
        let mut names = Vec::new();
        for worker in workers {
            names.push(worker.await.expect("a worker ends").name.to_string());
        }
        names.sort();
        assert_eq!(names, ["1", "2"]);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_nothing_and_waits_for_what_runs() {
        let queue = Queue::default();
        queue.add(Key::new("a", "1"), Class::Spec);
        queue.add(Key::new("a", "2"), Class::Spec);
        let (key, _) = queue.take().await;
        let closing = tokio::spawn({
            let queue = queue.clone();
            async move { queue.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        let next = tokio::time::timeout(Duration::from_millis(20), queue.take()).await;
        assert!(next.is_err());
        queue.done(&key, Again::OnEvent);
        closing.await.expect("it closes");
    }

    #[tokio::test]
    async fn a_key_comes_back_after_its_delay() {
        let queue = Queue::default();
        queue.add(Key::new("a", "1"), Class::Spec);
        let (key, _) = queue.take().await;
        queue.done(&key, Again::After(Duration::from_millis(20), Class::Retry));
        let started = Instant::now();
        assert_eq!(queue.take().await, (key, Class::Retry));
        assert!(started.elapsed() >= Duration::from_millis(19));
    }
}
