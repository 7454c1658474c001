//! Who may run when: so that no plugin, however many tenants call it, takes what all share.
//!
//! There are two lanes of threads. A call begins in the quick one; what has not ended after
//! [`QUICK`] begins again in the slow one, whose threads give way to all others, and the next call
//! of that plugin begins there. In each lane one plugin has one place less than there are, if there
//! are several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// How long a call runs in the quick lane.
pub(crate) const QUICK: Duration = Duration::from_millis(250);

/// How much threads of the slow lane give way: 19 is most. At 10 they get a tenth of a processor
/// that others want, so that a slow plugin that is none's enemy still ends in time.
pub(crate) const NICENESS: i32 = 10;

/// Places of a lane.
#[derive(Clone)]
pub(crate) struct Lane {
    places: Arc<Semaphore>,
    count: usize,
}

/// A place in a lane, and among those of one plugin; both are free when it is dropped.
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl Lane {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            count: places,
        }
    }

    /// Waits for a place. A plugin that has all of its own waits without a place in the queue of
    /// all: the others pass it.
    pub(crate) async fn place(&self, own: &Arc<Semaphore>) -> Result<Place, AcquireError> {
        let own = Arc::clone(own).acquire_owned().await?;
        let shared = Arc::clone(&self.places).acquire_owned().await?;
        Ok(Place {
            _own: own,
            _shared: shared,
        })
    }

    /// Returns the places of one plugin: one less than there are, and at least one.
    fn own(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.count.saturating_sub(1).max(1)))
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.places.close();
    }
}

/// What one plugin may take of the lanes.
pub(crate) struct Share {
    pub(crate) quick: Arc<Semaphore>,
    pub(crate) slow: Arc<Semaphore>,
    /// Its last call did not end in the quick lane.
    is_slow: AtomicBool,
}

impl Share {
    /// Makes the share of a plugin.
    pub(crate) fn new(quick: &Lane, slow: &Lane) -> Self {
        Self {
            quick: quick.own(),
            slow: slow.own(),
            is_slow: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// Remembers what a call took.
    pub(crate) fn took(&self, duration: Duration) {
        self.is_slow.store(duration >= QUICK, Ordering::Relaxed);
    }
}

/// Makes the calling thread give way to others; a system that does not allow it costs fairness.
pub(crate) fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "failed to lower the priority of a thread for slow plugins");
    }
}
