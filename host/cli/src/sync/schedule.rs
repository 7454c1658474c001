//! When each source, Kustomization and Delivery is due next. Pure but for the clock that callers pass.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::resources::{Key, Resources};
use bulkhead_controllers::applier::Name;

/// Longest pause: changes of the files are seen after it.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Pause after a failure, when nothing says another.
pub(crate) const RETRY: Duration = Duration::from_secs(10);

/// What may be due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Source(Key),
    Applier(Name),
    Release(Key),
}

/// Times of the next turns; what has none is due.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    due: HashMap<Task, Instant>,
}

impl Schedule {
    pub(crate) fn is_due(&self, task: &Task, now: Instant) -> bool {
        self.due.get(task).is_none_or(|due| *due <= now)
    }

    /// Sets the next turn.
    pub(crate) fn after(&mut self, task: Task, now: Instant, pause: Duration) {
        self.due.insert(task, now + pause);
    }

    /// Makes it due at once.
    pub(crate) fn now(&mut self, task: &Task) {
        self.due.remove(task);
    }

    /// Returns how long nothing is due.
    pub(crate) fn pause(&self, resources: &Resources, now: Instant) -> Duration {
        let sources = resources.repositories.keys().cloned().map(Task::Source);
        let appliers = resources.appliers.keys().cloned().map(Task::Applier);
        let releases = resources.releases.keys().cloned().map(Task::Release);
        sources
            .chain(appliers)
            .chain(releases)
            .map(|task| {
                self.due
                    .get(&task)
                    .map_or(Duration::ZERO, |due| due.saturating_duration_since(now))
            })
            .min()
            .unwrap_or(MAX_PAUSE)
            .clamp(Duration::from_millis(50), MAX_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_done_is_due() {
        let mut schedule = Schedule::default();
        let (now, task) = (Instant::now(), Task::Source(("a".into(), "b".into())));
        assert!(schedule.is_due(&task, now));
        schedule.after(task.clone(), now, Duration::from_secs(60));
        assert!(!schedule.is_due(&task, now));
        assert!(schedule.is_due(&task, now + Duration::from_secs(60)));
        schedule.now(&task);
        assert!(schedule.is_due(&task, now));
    }
}
