//! Lets an event through once in five minutes to each alert.
//!
//! A delivery that failed is forgotten, so that the engine's next report of the same fact is tried
//! again: every revision is told at least once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_api::event::{Event, key};
use sha2::{Digest as _, Sha256};

/// How long the same event is not sent again.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Entries that are remembered; beyond it the oldest are forgotten first.
pub const ENTRIES_MAX: usize = 10_000;

/// Identifies what an event tells: hex of SHA-256 over the object, the message, the revisions and
/// the token. Not over the time.
///
/// # Source
/// `eventKeyFunc` in notification-controller `internal/server/event_server.go`.
pub fn fingerprint(event: &Event) -> String {
    let object = &event.involved_object;
    let mut parts = vec![
        "event".to_owned(),
        format!("name={}", object.name),
        format!("namespace={}", object.namespace),
        format!("kind={}", object.kind),
        format!("message={}", event.message),
    ];
    let group = crate::metadata::object_group(event);
    for name in [key::ORIGIN_REVISION, key::REVISION, key::TOKEN] {
        if let Some(value) = event.metadata.get(&format!("{group}/{name}")) {
            parts.push(format!("{name}={value}"));
        }
    }
    hex(&Sha256::digest(parts.join("/")))
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What was sent lately. Shared by all deliveries.
#[derive(Debug, Default)]
pub struct Seen {
    entries: Mutex<HashMap<(String, String), Instant>>,
}

impl Seen {
    /// Tells whether `alert` has not had the event of this fingerprint within [`WINDOW`], and
    /// remembers it.
    pub fn admit(&self, fingerprint: &str, alert: &str, now: Instant) -> bool {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (fingerprint.to_owned(), alert.to_owned());
        let is_recent = |sent: &Instant| now.saturating_duration_since(*sent) < WINDOW;
        if entries.get(&key).is_some_and(is_recent) {
            return false;
        }
        if entries.len() >= ENTRIES_MAX && !entries.contains_key(&key) {
            entries.retain(|_, sent| is_recent(sent));
            forget_oldest(&mut entries);
        }
        entries.insert(key, now);
        true
    }

    /// Forgets a delivery that failed.
    pub fn forget(&self, fingerprint: &str, alert: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&(fingerprint.to_owned(), alert.to_owned()));
    }
}

/// Makes room for a tenth of the entries at once, so that a flood does not sort at every event.
fn forget_oldest(entries: &mut HashMap<(String, String), Instant>) {
    let keep = ENTRIES_MAX - ENTRIES_MAX / 10;
    if entries.len() <= keep {
        return;
    }
    let mut times: Vec<Instant> = entries.values().copied().collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    let oldest_kept = times[keep - 1];
    entries.retain(|_, sent| *sent > oldest_kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::tests::event;

    #[test]
    fn the_same_event_passes_again_after_five_minutes() {
        let (seen, start) = (Seen::default(), Instant::now());
        assert!(seen.admit("a", "one", start));
        assert!(!seen.admit("a", "one", start + WINDOW - Duration::from_millis(1)));
        assert!(seen.admit("a", "two", start));
        assert!(seen.admit("a", "one", start + WINDOW));
        seen.forget("a", "one");
        assert!(seen.admit("a", "one", start + WINDOW));
    }

    #[test]
    fn the_fingerprint_is_flux_s() {
        let mut event = event();
        // printf 'event/name=web/namespace=flux-system/kind=Kustomization/message=Applied revision: main@sha1:1f0c' | sha256sum
        let plain = fingerprint(&event);
        assert_eq!(
            plain,
            "187a860a35c897a0980053d9f6a0da5350ef8486b52142ac2fa2de75424a1519"
        );
        event.timestamp = bulkhead_api::meta::time(jiff::Timestamp::UNIX_EPOCH);
        event
            .metadata
            .insert("kustomize.toolkit.fluxcd.io/other".into(), "1".into());
        assert_eq!(fingerprint(&event), plain);
        for (name, value) in [("revision", "r"), ("originRevision", "o"), ("token", "t")] {
            event
                .metadata
                .insert(format!("kustomize.toolkit.fluxcd.io/{name}"), value.into());
        }
        // ... with /originRevision=o/revision=r/token=t behind it
        assert_eq!(
            fingerprint(&event),
            "f88c2e91309ad32c0342bd882ae10a822eedc319fc380885d0ce4a2a25d2111a"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let (seen, start) = (Seen::default(), Instant::now());
        for number in 0..=ENTRIES_MAX {
            let now = start + Duration::from_millis(number as u64);
            assert!(seen.admit(&number.to_string(), "one", now));
        }
        let count = seen
            .entries
            .lock()
            .map(|entries| entries.len())
            .unwrap_or_default();
        assert!(count <= ENTRIES_MAX, "{count}");
        let now = start + Duration::from_millis(ENTRIES_MAX as u64);
        assert!(!seen.admit(&ENTRIES_MAX.to_string(), "one", now));
    }
}
