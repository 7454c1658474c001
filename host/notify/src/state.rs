//! What a notifier keeps from one event to the next of the same object and provider, in memory: the
//! number of a comment to update, say. Deliveries of one object to one provider take turns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that a notifier may keep.
pub const STATE_MAX_BYTES: usize = 64 * 1024;

/// Objects and providers for which something is kept; beyond it what is not in use is forgotten.
pub const STATES_MAX: usize = 10_000;

/// One entry, locked for the length of a delivery.
pub(crate) type State = Arc<tokio::sync::Mutex<Vec<u8>>>;

/// What all notifiers keep.
#[derive(Debug, Default)]
pub(crate) struct States {
    entries: Mutex<HashMap<(String, String), State>>,
}

impl States {
    /// Finds what was kept for an object and a provider; nothing at first.
    pub(crate) fn of(&self, provider: &str, object: &str) -> State {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (provider.to_owned(), object.to_owned());
        if entries.len() >= STATES_MAX && !entries.contains_key(&key) {
            entries.retain(|_, state| {
                Arc::strong_count(state) > 1 || state.try_lock().is_ok_and(|kept| !kept.is_empty())
            });
            if entries.len() >= STATES_MAX {
                entries.retain(|_, state| Arc::strong_count(state) > 1);
            }
        }
        Arc::clone(entries.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_the_number_is_bounded() {
        let states = States::default();
        let held = states.of("p", "held");
        if let Ok(mut kept) = held.try_lock() {
            kept.push(1);
        }
        for number in 0..STATES_MAX + 10 {
            states.of("p", &number.to_string());
        }
        assert!(
            states
                .of("p", "held")
                .try_lock()
                .is_ok_and(|kept| *kept == [1])
        );
        assert!(
            states
                .entries
                .lock()
                .is_ok_and(|entries| entries.len() <= STATES_MAX)
        );
    }
}
