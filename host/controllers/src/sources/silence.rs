//! Waits that are not worth a word: at a start, and when an object has just been made, most are over
//! before anybody could read of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::queue::Key;

/// A wait that is over sooner is not worth a write.
const LONGEST: Duration = Duration::from_secs(2);

/// Since when objects wait.
#[derive(Debug, Default)]
pub struct Silence {
    since: Mutex<HashMap<Key, Instant>>,
}

impl Silence {
    /// Returns how long a wait that goes on is still not worth a word; `None` when it is.
    pub(crate) fn left(&self, key: &Key) -> Option<Duration> {
        let mut since = self.lock();
        let since = since.entry(key.clone()).or_insert_with(Instant::now);
        let left = LONGEST.saturating_sub(since.elapsed());
        (!left.is_zero()).then_some(left)
    }

    /// Notes that an object waits for nothing any more.
    pub(crate) fn over(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Locks; a panic of another holder leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_once_it_lasts() {
        let (silence, key) = (Silence::default(), Key::new("apps", "web"));
        assert!(silence.left(&key).is_some());
        let long_ago = Instant::now().checked_sub(LONGEST);
        silence
            .lock()
            .insert(key.clone(), long_ago.expect("the machine runs"));
        assert_eq!(silence.left(&key), None);
        silence.over(&key);
        assert!(silence.left(&key).is_some(), "another wait");
    }
}
