//! Whether an object needs to be applied: what was sent and answered the last time against what is
//! wanted, and what is seen, now. Pure.
//!
//! The idea: under server-side apply, "our entry in managedFields is unchanged" means "no field that
//! we own was changed", whoever wrote whatever else. So metadata alone tell, and an object that is as
//! it was costs nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use bulkhead_api::ObjectId;
use sha2::{Digest, Sha256};

use crate::metadata::Intent;

/// Hashes under a key of this process: nobody outside can make two texts collide.
#[derive(Clone, Debug)]
pub struct Digests {
    key: [u8; 16],
}

impl Default for Digests {
    fn default() -> Self {
        let mut key = [0; 16];
        for half in key.chunks_mut(8) {
            half.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
        }
        Self { key }
    }
}

impl Digests {
    /// Hashes bytes.
    pub fn of(&self, bytes: &[u8]) -> [u8; 16] {
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(bytes)
            .finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }
}

/// What is remembered of an object after it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its uid.
    pub uid: String,
    /// Its resource version after our last write, or when it was last found to be as it should.
    pub resource_version: String,
    /// Hash of our entry in managedFields; `None` where the API keeps none.
    pub fields: Option<[u8; 16]>,
    /// Hash of the bytes that were sent.
    pub sent: [u8; 16],
    /// Whether it carries our owner labels.
    pub is_owned: bool,
    /// What its live annotations ask for.
    pub intent: Intent,
}

/// What is known of the live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody looked.
    Unknown,
    /// It is not there.
    Absent,
    /// It is there. `sent` of this record means nothing.
    Live(Record),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it is as it should be.
    Nothing,
    /// Nothing, but the resource version of the record moves on: others changed their own fields.
    Remember,
    /// Apply it.
    Apply,
    /// Leave it alone: an annotation says so.
    Skip,
    /// Look first: whether it is there decides.
    Look,
}

/// Decides what an object needs. `sent` is the hash of what would be sent.
///
/// # Source
/// The rules of contracts/scale.md §2; a row each in the test.
pub fn needs_apply(intent: Intent, sent: [u8; 16], record: Option<&Record>, seen: &Seen) -> Need {
    if intent.ignore {
        return Need::Skip;
    }
    match (seen, record) {
        (Seen::Unknown, _) if intent.if_not_present => Need::Look,
        (Seen::Unknown, Some(record)) if record.intent.ignore => Need::Look,
        (Seen::Unknown, Some(record)) if record.sent == sent => Need::Nothing,
        (Seen::Unknown, _) => Need::Apply,
        (Seen::Absent, _) => Need::Apply,
        (Seen::Live(live), _) if live.intent.ignore || intent.if_not_present => Need::Skip,
        (Seen::Live(live), Some(record)) if record.sent == sent => unchanged(record, live),
        (Seen::Live(_), _) => Need::Apply,
    }
}

fn unchanged(record: &Record, live: &Record) -> Need {
    if live.uid != record.uid {
        return Need::Apply;
    }
    if live.resource_version == record.resource_version {
        return Need::Nothing;
    }
    if is_older(&live.resource_version, &record.resource_version) {
        // An echo of before our last write.
        return Need::Nothing;
    }
    let same_fields = record.fields.is_some() && live.fields == record.fields;
    if same_fields && live.is_owned == record.is_owned && live.intent == record.intent {
        Need::Remember
    } else {
        Need::Apply
    }
}

/// Compares resource versions of one resource: numbers, by contract since Kubernetes 1.35.
fn is_older(left: &str, right: &str) -> bool {
    match (left.parse::<u128>(), right.parse::<u128>()) {
        (Ok(left), Ok(right)) => left < right,
        _ => false,
    }
}

/// The records of one delivery. Kept in memory alone: losing them costs requests, nothing else.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The hash function; one for the process would do, one each does too.
    pub digests: Digests,
    records: HashMap<ObjectId, Record>,
}

impl Records {
    /// Returns no records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what is remembered of an object.
    pub fn get(&self, id: &ObjectId) -> Option<&Record> {
        self.records.get(id)
    }

    /// Remembers an object.
    pub fn insert(&mut self, id: ObjectId, record: Record) {
        self.records.insert(id, record);
    }

    /// Forgets an object.
    pub fn remove(&mut self, id: &ObjectId) {
        self.records.remove(id);
    }

    /// Forgets everything: the next apply looks at each object.
    pub fn clear(&mut self) {
        self.records.clear();
    }

    /// Returns how many objects are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: [u8; 16] = [1; 16];

    fn record() -> Record {
        Record {
            uid: "u".to_owned(),
            resource_version: "10".to_owned(),
            fields: Some([2; 16]),
            sent: SENT,
            is_owned: true,
            intent: Intent::default(),
        }
    }

    fn live(change: impl FnOnce(&mut Record)) -> Seen {
        let mut live = Record {
            resource_version: "11".to_owned(),
            sent: [0; 16],
            ..record()
        };
        change(&mut live);
        Seen::Live(live)
    }

    #[test]
    fn each_kind_of_foreign_write_is_told_apart() {
        let none = Intent::default();
        let ignore = Intent {
            ignore: true,
            ..none
        };
        let keep = Intent { keep: true, ..none };
        let cases: [(&str, Seen, Need); 13] = [
            ("nobody looked", Seen::Unknown, Need::Nothing),
            ("deleted", Seen::Absent, Need::Apply),
            (
                "our own write",
                live(|live| live.resource_version = "10".into()),
                Need::Nothing,
            ),
            (
                "an old event",
                live(|live| live.resource_version = "9".into()),
                Need::Nothing,
            ),
            (
                "an old event, longer",
                live(|live| live.resource_version = "2".into()),
                Need::Nothing,
            ),
            (
                "status, or a field that is not ours",
                live(|_| ()),
                Need::Remember,
            ),
            (
                "a field of ours",
                live(|live| live.fields = Some([3; 16])),
                Need::Apply,
            ),
            (
                "managedFields reset",
                live(|live| live.fields = None),
                Need::Apply,
            ),
            ("recreated", live(|live| live.uid = "v".into()), Need::Apply),
            (
                "owner label removed",
                live(|live| live.is_owned = false),
                Need::Apply,
            ),
            (
                "switched off",
                live(|live| live.intent = ignore),
                Need::Skip,
            ),
            (
                "marked to be kept",
                live(|live| live.intent = keep),
                Need::Apply,
            ),
            (
                "a version that is no number",
                live(|live| live.resource_version = "x".into()),
                Need::Remember,
            ),
        ];
        for (write, seen, need) in cases {
            assert_eq!(
                needs_apply(none, SENT, Some(&record()), &seen),
                need,
                "{write}"
            );
        }
    }

    #[test]
    fn other_bytes_are_always_applied() {
        for seen in [Seen::Unknown, Seen::Absent, live(|_| ())] {
            assert_eq!(
                needs_apply(Intent::default(), [9; 16], Some(&record()), &seen),
                Need::Apply
            );
            assert_eq!(
                needs_apply(Intent::default(), SENT, None, &seen),
                Need::Apply
            );
        }
    }

    #[test]
    fn an_api_without_managed_fields_is_always_applied_when_it_moved() {
        let record = Record {
            fields: None,
            ..record()
        };
        let seen = live(|live| live.fields = None);
        assert_eq!(
            needs_apply(Intent::default(), SENT, Some(&record), &seen),
            Need::Apply
        );
    }

    #[test]
    fn annotations_of_the_manifest_decide_first() {
        let ignore = Intent {
            ignore: true,
            ..Intent::default()
        };
        let if_not_present = Intent {
            if_not_present: true,
            ..Intent::default()
        };
        assert_eq!(needs_apply(ignore, SENT, None, &Seen::Absent), Need::Skip);
        assert_eq!(
            needs_apply(if_not_present, SENT, Some(&record()), &Seen::Unknown),
            Need::Look
        );
        assert_eq!(
            needs_apply(if_not_present, SENT, None, &Seen::Absent),
            Need::Apply
        );
        assert_eq!(
            needs_apply(if_not_present, SENT, None, &live(|_| ())),
            Need::Skip
        );
    }

    #[test]
    fn digests_depend_on_the_key() {
        let digests = Digests::default();
        assert_eq!(digests.of(b"a"), digests.of(b"a"));
        assert_ne!(digests.of(b"a"), digests.of(b"b"));
        assert_ne!(digests.of(b"a"), Digests::default().of(b"a"));
    }
}
