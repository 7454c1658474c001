//! The order of work, as a pure value: keys in, the next key out, time as an argument.
//!
//! A key is ready, waiting for its time, or running; it is never in two workers at once. It never
//! sleeps, locks or logs: `queue::Queue` puts a lock and a wake-up around it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Names an object of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace of the object.
    pub namespace: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
}

impl Key {
    /// Names the object `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Why an object is reconciled, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A person asked for it: `reconcile.fluxcd.io/requestedAt`, or a deletion.
    Request,
    /// Its specification changed, or it is new.
    Spec,
    /// Its source has a new artifact.
    Artifact,
    /// An object that it applied was changed by somebody else.
    Drift,
    /// What it waits for is there: a dependency, the health of an object.
    Dependency,
    /// It failed before.
    Retry,
    /// Its interval is over.
    Interval,
    /// Only its status is to be written.
    Status,
}

impl Class {
    /// Number of classes.
    pub const COUNT: usize = 8;

    /// All classes, the most urgent first.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Request,
        Self::Spec,
        Self::Artifact,
        Self::Drift,
        Self::Dependency,
        Self::Retry,
        Self::Interval,
        Self::Status,
    ];

    /// Returns the word that metrics and logs use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Spec => "spec",
            Self::Artifact => "artifact",
            Self::Drift => "drift",
            Self::Dependency => "dependency",
            Self::Retry => "retry",
            Self::Interval => "interval",
            Self::Status => "status",
        }
    }
}

/// One of so many keys is taken from the least urgent class that has any, so that a stream of
/// urgent work never starves the rest.
const AGING: u32 = 8;

/// The keys of one class: first in, first out within a namespace, namespaces in turn.
#[derive(Debug, Default)]
struct Lane {
    turn: VecDeque<Arc<str>>,
    by_namespace: HashMap<Arc<str>, VecDeque<Key>>,
}

impl Lane {
    fn push(&mut self, key: Key) {
        let keys = self.by_namespace.entry(key.namespace.clone()).or_default();
        if keys.is_empty() {
            self.turn.push_back(key.namespace.clone());
        }
        keys.push_back(key);
    }

    fn pop(&mut self) -> Option<Key> {
        let namespace = self.turn.pop_front()?;
        let keys = self.by_namespace.get_mut(&namespace)?;
        let key = keys.pop_front();
        if keys.is_empty() {
            self.by_namespace.remove(&namespace);
        } else {
            self.turn.push_back(namespace);
        }
        key
    }

    fn remove(&mut self, key: &Key) {
        let Some(keys) = self.by_namespace.get_mut(&key.namespace) else {
            return;
        };
        keys.retain(|other| other != key);
        if keys.is_empty() {
            self.by_namespace.remove(&key.namespace);
            self.turn.retain(|namespace| *namespace != key.namespace);
        }
    }
}

/// What `Core::done` tells of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing came in while it ran.
    Idle,
    /// It is ready again.
    Again,
}

/// The queue without its lock.
#[derive(Debug, Default)]
pub struct Core {
    lanes: [Lane; Class::COUNT],
    ready: HashMap<Key, Class>,
    running: HashMap<Key, Option<Class>>,
    delayed: BinaryHeap<Reverse<(Instant, u64)>>,
    timers: HashMap<u64, Key>,
    due: HashMap<Key, (u64, Instant, Class)>,
    next_timer: u64,
    taken: u32,
}

impl Core {
    /// Makes `key` ready; of two reasons the more urgent stays.
    ///
    /// A key that runs becomes ready when it is done. Returns whether a running key was asked to
    /// run again for the first time or for a more urgent reason: the moment to interrupt its wait.
    pub fn add(&mut self, key: Key, class: Class) -> bool {
        if let Some(again) = self.running.get_mut(&key) {
            let more_urgent = again.is_none_or(|before| class < before);
            if more_urgent {
                *again = Some(class);
            }
            return more_urgent;
        }
        match self.ready.get(&key) {
            Some(before) if *before <= class => return false,
            Some(before) => self.lanes[*before as usize].remove(&key),
            None => {}
        }
        self.lanes[class as usize].push(key.clone());
        self.ready.insert(key, class);
        false
    }

    /// Makes `key` ready at `when`, or earlier if it was to be ready earlier.
    pub fn add_at(&mut self, key: Key, class: Class, when: Instant) {
        if self
            .due
            .get(&key)
            .is_some_and(|(_, before, _)| *before <= when)
        {
            return;
        }
        self.set_at(key, class, when);
    }

    /// Makes `key` ready at `when`, whatever it was to be before.
    pub fn set_at(&mut self, key: Key, class: Class, when: Instant) {
        self.forget_timer(&key);
        let timer = self.next_timer;
        self.next_timer += 1;
        self.delayed.push(Reverse((when, timer)));
        self.timers.insert(timer, key.clone());
        self.due.insert(key, (timer, when, class));
    }

    /// Forgets `key`, unless it runs.
    pub fn remove(&mut self, key: &Key) {
        self.forget_timer(key);
        if let Some(class) = self.ready.remove(key) {
            self.lanes[class as usize].remove(key);
        }
        if let Some(again) = self.running.get_mut(key) {
            *again = None;
        }
    }

    /// Takes the next key to reconcile; the caller says [`Core::done`] after it.
    ///
    /// Its timer is forgotten: what runs now decides anew when to run next.
    pub fn pop(&mut self, now: Instant) -> Option<(Key, Class)> {
        self.wake(now);
        self.taken = self.taken.wrapping_add(1);
        let aged = self.taken.is_multiple_of(AGING);
        let class = if aged {
            Class::ALL
                .iter()
                .rev()
                .find(|class| !self.lanes[**class as usize].turn.is_empty())
        } else {
            Class::ALL
                .iter()
                .find(|class| !self.lanes[**class as usize].turn.is_empty())
        };
        let Some(class) = class.copied() else {
            self.taken = self.taken.wrapping_sub(1);
            return None;
        };
        let key = self.lanes[class as usize].pop()?;
        self.ready.remove(&key);
        self.forget_timer(&key);
        self.running.insert(key.clone(), None);
        Some((key, class))
    }

    /// Forgets that `key`, which runs, was asked to run again, for any reason but what only the object
    /// itself tells: the caller has the object, and reads all else from now on. Returns whether it was
    /// asked.
    pub fn catch_up(&mut self, key: &Key) -> bool {
        let again = self.running.get_mut(key);
        let again = again.filter(|again| again.is_some_and(|class| class > Class::Spec));
        again.is_some_and(|again| again.take().is_some())
    }

    /// Ends the run of `key`.
    pub fn done(&mut self, key: &Key) -> Done {
        match self.running.remove(key) {
            Some(Some(class)) => {
                self.add(key.clone(), class);
                Done::Again
            }
            _ => Done::Idle,
        }
    }

    /// Returns when the next delayed key is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.delayed.peek().map(|Reverse((when, _))| *when)
    }

    /// Returns how many keys are ready in each class.
    pub fn depth(&self) -> [usize; Class::COUNT] {
        let mut depth = [0; Class::COUNT];
        for class in self.ready.values() {
            depth[*class as usize] += 1;
        }
        depth
    }

    /// Returns how many keys run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Tells whether `key` is ready or was asked to run again.
    pub fn is_wanted(&self, key: &Key) -> bool {
        self.ready.contains_key(key) || self.running.get(key).is_some_and(Option::is_some)
    }

    /// Names every key that is ready, delayed or running.
    pub fn keys(&self) -> HashSet<Key> {
        self.ready
            .keys()
            .chain(self.running.keys())
            .chain(self.due.keys())
            .cloned()
            .collect()
    }

    fn wake(&mut self, now: Instant) {
        while let Some(Reverse((when, timer))) = self.delayed.peek().copied() {
            let Some(key) = self.timers.get(&timer).cloned() else {
                self.delayed.pop();
                continue;
            };
            if when > now {
                return;
            }
            self.delayed.pop();
            self.timers.remove(&timer);
            if let Some((_, _, class)) = self.due.remove(&key) {
                self.add(key, class);
            }
        }
    }

    fn forget_timer(&mut self, key: &Key) {
        if let Some((timer, _, _)) = self.due.remove(key) {
            self.timers.remove(&timer);
        }
        // Timers that were replaced stay in the heap until their time; it is rebuilt when they are
        // the larger part.
        if self.delayed.len() > 64 && self.delayed.len() > 2 * self.timers.len() {
            let timers = &self.timers;
            self.delayed
                .retain(|Reverse((_, timer))| timers.contains_key(timer));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use super::*;

    fn key(name: &str) -> Key {
        let (namespace, name) = name.split_once('/').unwrap_or(("apps", name));
        Key::new(namespace, name)
    }

    fn order(core: &mut Core) -> Vec<String> {
        let now = Instant::now();
        std::iter::from_fn(|| core.pop(now).map(|(key, _)| key.name.to_string())).collect()
    }

    #[test]
    fn urgent_classes_come_first() {
        let mut core = Core::default();
        core.add(key("interval"), Class::Interval);
        core.add(key("artifact"), Class::Artifact);
        core.add(key("request"), Class::Request);
        assert_eq!(order(&mut core), ["request", "artifact", "interval"]);
    }

    #[test]
    fn the_more_urgent_reason_wins_and_a_key_is_queued_once() {
        let mut core = Core::default();
        core.add(key("a"), Class::Interval);
        core.add(key("b"), Class::Artifact);
        core.add(key("a"), Class::Request);
        core.add(key("a"), Class::Status);
        assert_eq!(order(&mut core), ["a", "b"]);
    }

    #[test]
    fn namespaces_take_turns() {
        let mut core = Core::default();
        for name in ["big/1", "big/2", "big/3", "small/x"] {
            core.add(key(name), Class::Artifact);
        }
        assert_eq!(order(&mut core), ["1", "x", "2", "3"]);
    }

    #[test]
    fn one_in_eight_is_taken_from_the_other_end() {
        let mut core = Core::default();
        core.add(key("patient"), Class::Interval);
        for number in 0..20 {
            core.add(key(&format!("u{number}")), Class::Request);
        }
        let place = order(&mut core)
            .iter()
            .position(|name| name == "patient")
            .unwrap();
        assert_eq!(place, AGING as usize - 1);
    }

    #[test]
    fn a_running_key_is_not_taken_twice_and_runs_again_after() {
        let mut core = Core::default();
        let now = Instant::now();
        core.add(key("a"), Class::Spec);
        assert_eq!(core.pop(now), Some((key("a"), Class::Spec)));
        assert!(
            core.add(key("a"), Class::Artifact),
            "the first reason interrupts"
        );
        assert!(
            !core.add(key("a"), Class::Interval),
            "a lesser one does not"
        );
        assert!(core.add(key("a"), Class::Request), "a more urgent one does");
        assert_eq!(core.pop(now), None);
        assert_eq!(core.done(&key("a")), Done::Again);
        assert_eq!(core.pop(now), Some((key("a"), Class::Request)));
        assert_eq!(core.done(&key("a")), Done::Idle);
        assert_eq!(core.running(), 0);
    }

    #[test]
    fn what_came_before_everything_is_read_is_no_reason_to_run_again() {
        let mut core = Core::default();
        let now = Instant::now();
        core.add(key("a"), Class::Spec);
        core.pop(now).unwrap();
        assert!(!core.catch_up(&key("a")), "nobody asked");
        core.add(key("a"), Class::Artifact);
        assert!(core.catch_up(&key("a")));
        assert_eq!(core.done(&key("a")), Done::Idle);
        // The object itself was read before; and what comes later is to be seen, too.
        for class in [Class::Spec, Class::Request] {
            core.add(key("a"), Class::Spec);
            core.pop(now).unwrap();
            core.add(key("a"), class);
            assert!(!core.catch_up(&key("a")));
            assert_eq!(core.done(&key("a")), Done::Again);
            core.pop(now).unwrap();
            core.catch_up(&key("a"));
            core.add(key("a"), Class::Artifact);
            assert_eq!(core.done(&key("a")), Done::Again);
            core.pop(now).unwrap();
            core.done(&key("a"));
        }
    }

    #[test]
    fn delayed_keys_wake_at_their_time() {
        let mut core = Core::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        core.add_at(key("a"), Class::Interval, later);
        core.add_at(key("a"), Class::Interval, later + Duration::from_secs(60));
        assert_eq!(core.next_due(), Some(later), "the earlier time stays");
        assert_eq!(core.pop(later - Duration::from_millis(1)), None);
        assert_eq!(core.pop(later), Some((key("a"), Class::Interval)));
        assert_eq!(core.next_due(), None);
    }

    #[test]
    fn a_run_forgets_the_timer() {
        let mut core = Core::default();
        let now = Instant::now();
        core.add_at(key("a"), Class::Interval, now + Duration::from_secs(60));
        core.add(key("a"), Class::Request);
        core.pop(now).unwrap();
        core.done(&key("a"));
        assert_eq!(core.pop(now + Duration::from_secs(120)), None);
    }

    #[test]
    fn replaced_timers_do_not_pile_up() {
        let mut core = Core::default();
        let now = Instant::now();
        for second in 0..10_000 {
            core.set_at(key("a"), Class::Interval, now + Duration::from_secs(second));
        }
        assert!(core.delayed.len() <= 130, "{}", core.delayed.len());
        assert_eq!(core.pop(now + Duration::from_secs(9_998)), None);
        assert_eq!(
            core.pop(now + Duration::from_secs(9_999)).unwrap().0,
            key("a")
        );
    }

    #[test]
    fn removed_keys_are_gone() {
        let mut core = Core::default();
        core.add(key("a"), Class::Spec);
        core.add_at(key("b"), Class::Retry, Instant::now());
        core.remove(&key("a"));
        core.remove(&key("b"));
        assert!(order(&mut core).is_empty());
        assert!(core.keys().is_empty());
    }
}
