//! What is known of HelmReleases beside what the API server shows: who has which source, who waits for
//! whom, loaded charts, and what of Helm's records was read already.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bulkhead_apply::release::{Record, Snapshot};

use super::chart::Chart;
use super::records::Records;
use crate::index::Consumers;
use crate::queue::Key;
use crate::sources::Silence;

/// A record that was read, and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The record.
    pub(super) record: Record,
    /// Its content, with the digest of the OCI artifact that the history had.
    pub(super) snapshot: Snapshot,
}

/// What is known of HelmReleases.
#[derive(Debug, Default)]
pub struct Releases {
    /// Helm's records, as a watch shows them.
    pub records: Records,
    /// Who has which source.
    pub sources: Consumers<Key>,
    waiting: Mutex<HashMap<Key, HashSet<Key>>>,
    charts: Mutex<HashMap<String, Weak<Chart>>>,
    held: Mutex<HashMap<Key, Arc<Chart>>>,
    known: Mutex<HashMap<Key, Known>>,
    pub(super) silence: Silence,
}

impl Releases {
    /// Notes that `waiter` waits for the HelmRelease `dependency`.
    pub(super) fn wait(&self, waiter: &Key, dependency: &Key) {
        let mut waiting = lock(&self.waiting);
        waiting
            .entry(dependency.clone())
            .or_default()
            .insert(waiter.clone());
    }

    /// Returns, once, those that wait for `dependency`.
    pub fn take_waiting(&self, dependency: &Key) -> Vec<Key> {
        let waiting = lock(&self.waiting).remove(dependency);
        let mut waiting: Vec<Key> = waiting.unwrap_or_default().into_iter().collect();
        waiting.sort();
        waiting
    }

    /// Returns the chart with this identity, if some release has it.
    pub(super) fn chart(&self, key: &Key, identity: &str) -> Option<Arc<Chart>> {
        let found = lock(&self.charts).get(identity).and_then(Weak::upgrade)?;
        lock(&self.held).insert(key.clone(), found.clone());
        Some(found)
    }

    /// Keeps a chart for as long as a release has it.
    pub(super) fn keep(&self, key: &Key, identity: String, chart: Chart) -> Arc<Chart> {
        let chart = Arc::new(chart);
        let mut charts = lock(&self.charts);
        charts.retain(|_, chart| chart.strong_count() > 0);
        charts.insert(identity, Arc::downgrade(&chart));
        lock(&self.held).insert(key.clone(), chart.clone());
        chart
    }

    /// Returns what was read of the newest record of a release, if it is still the same.
    pub(super) fn known(&self, key: &Key, record: &Record) -> Option<Snapshot> {
        let known = lock(&self.known);
        let known = known.get(key).filter(|known| known.record == *record)?;
        Some(known.snapshot.clone())
    }

    /// Keeps what was read.
    pub(super) fn remember(&self, key: &Key, known: Known) {
        lock(&self.known).insert(key.clone(), known);
    }

    /// Forgets what was read of the newest record.
    pub(super) fn forget_record(&self, key: &Key) {
        lock(&self.known).remove(key);
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &Key) {
        self.sources.set(key, None);
        lock(&self.held).remove(key);
        lock(&self.known).remove(key);
        self.silence.over(key);
    }
}

/// Locks; a panic of another holder leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
