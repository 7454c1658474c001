//! What Helm's records are there, as a watch of their metadata shows them: a release whose newest
//! record is the one that was read costs no request.
//!
//! It is only ever taken for "nothing has changed": what looks changed, and what is not watched, is
//! asked of the API server.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bulkhead_apply::release::{Record, Status};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::watch::{Sink, Target};

/// How names of records begin.
const PREFIX: &str = "sh.helm.release.v1.";

/// Namespace and name of a Secret.
type Place = (String, String);

/// The records that were seen.
#[derive(Debug, Default)]
pub struct Records(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_release: HashMap<Place, HashMap<i64, Record>>,
    places: HashMap<Place, (String, i64)>,
    listed: Option<HashSet<Place>>,
    is_synced: bool,
}

impl Records {
    /// Names what is to be watched, in `namespace` or everywhere.
    pub fn target(namespace: Option<&str>) -> Target {
        let path = match namespace {
            None => "/api/v1/secrets".to_owned(),
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/secrets"),
        };
        Target {
            path,
            labels: "owner=helm".to_owned(),
            metadata_only: true,
        }
    }

    /// Returns the newest record of a release, if the watch knows one.
    pub(super) fn newest(&self, namespace: &str, release: &str) -> Option<Record> {
        let inner = self.lock();
        let place = (namespace.to_owned(), release.to_owned());
        let records = inner.by_release.get(&place).filter(|_| inner.is_synced)?;
        records
            .values()
            .max_by_key(|record| record.version)
            .cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    labels: HashMap<String, String>,
}

impl Metadata {
    fn read(object: &RawValue) -> Option<Self> {
        let object: Object = serde_json::from_str(object.get()).ok()?;
        Some(object.metadata)
    }

    /// The release and its version, as the name tells.
    fn release(&self) -> Option<(String, i64)> {
        let (name, version) = self.name.strip_prefix(PREFIX)?.rsplit_once(".v")?;
        Some((name.to_owned(), version.parse().ok()?))
    }
}

impl Inner {
    fn remove(&mut self, place: &Place) {
        let Some((release, version)) = self.places.remove(place) else {
            return;
        };
        let key = (place.0.clone(), release);
        if let Some(records) = self.by_release.get_mut(&key) {
            records.remove(&version);
            if records.is_empty() {
                self.by_release.remove(&key);
            }
        }
    }
}

impl Sink for Records {
    fn begin(&self) {
        self.lock().listed = Some(HashSet::new());
    }

    fn put(&self, object: &RawValue) {
        let Some(metadata) = Metadata::read(object) else {
            return;
        };
        let Some((release, version)) = metadata.release() else {
            return;
        };
        let place = (metadata.namespace.clone(), metadata.name.clone());
        let status = metadata.labels.get("status");
        let record = Record {
            version,
            status: Status::from(status.map_or("", String::as_str)),
            resource_version: metadata.resource_version,
            uid: metadata.uid,
        };
        let mut inner = self.lock();
        if let Some(listed) = &mut inner.listed {
            listed.insert(place.clone());
        }
        inner.places.insert(place, (release.clone(), version));
        let key = (metadata.namespace, release);
        inner
            .by_release
            .entry(key)
            .or_default()
            .insert(version, record);
    }

    fn delete(&self, object: &RawValue) {
        if let Some(metadata) = Metadata::read(object) {
            self.lock().remove(&(metadata.namespace, metadata.name));
        }
    }

    fn end(&self) {
        let mut inner = self.lock();
        let listed = inner.listed.take().unwrap_or_default();
        let gone = inner.places.keys().filter(|place| !listed.contains(*place));
        let gone: Vec<Place> = gone.cloned().collect();
        gone.iter().for_each(|place| inner.remove(place));
        inner.is_synced = true;
    }

    fn unavailable(&self, _why: &kube::Error) {
        *self.lock() = Inner::default();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    fn secret(name: &str, version: &str) -> Box<RawValue> {
        let object = json!({ "metadata": {
            "name": name, "namespace": "apps", "uid": "u", "resourceVersion": version,
            "labels": { "status": "deployed", "owner": "helm" },
        }});
        RawValue::from_string(object.to_string()).unwrap()
    }

    #[test]
    fn the_newest_record_of_each_release_is_known() {
        let records = Records::default();
        records.begin();
        for version in 1..=10 {
            records.put(&secret(&format!("sh.helm.release.v1.web.v{version}"), "5"));
        }
        records.put(&secret("sh.helm.release.v1.web.v2.v1", "5"));
        records.put(&secret("other", "5"));
        assert_eq!(
            records.newest("apps", "web"),
            None,
            "the list is not complete"
        );
        records.end();
        let of = |release: &str| records.newest("apps", release).map(|record| record.version);
        assert_eq!(of("web"), Some(10));
        assert_eq!(of("web.v2"), Some(1));
        assert_eq!(of("none"), None);
        records.delete(&secret("sh.helm.release.v1.web.v10", "6"));
        assert_eq!(of("web"), Some(9));
        records.begin();
        records.put(&secret("sh.helm.release.v1.web.v3", "7"));
        records.end();
        assert_eq!(of("web"), Some(3));
        assert_eq!(of("web.v2"), None, "what is not listed again is gone");
    }
}
