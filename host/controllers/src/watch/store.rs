//! The objects of one kind as the API server last showed them, decoded one by one.
//!
//! An object that cannot be decoded is kept as [`Broken`], with why; the others are not affected.
//! What a controller wrote itself can be put in at once ([`Store::wrote`]), so that it never acts on
//! what it has just replaced.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kube::ResourceExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::Sink;
use crate::queue::Key;

/// An object that does not have the form that its kind must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which object.
    pub key: Key,
    /// Its identity.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// Its version.
    pub resource_version: String,
    /// What is wrong with it.
    pub error: String,
}

/// What happened to one object.
#[derive(Debug)]
pub enum Change<K> {
    /// It is new, or has another form than before.
    Put {
        /// The form before; `None` when it is new, or was broken.
        before: Option<Arc<K>>,
        /// The form now.
        now: Arc<K>,
    },
    /// It cannot be decoded.
    Broken(Arc<Broken>),
    /// It is gone.
    Deleted(Key),
}

#[derive(Debug)]
enum Slot<K> {
    Good(Arc<K>),
    Broken(Arc<Broken>),
}

type Observer<K> = Box<dyn Fn(Change<K>) + Send + Sync>;

/// The objects of one kind. Shared behind an `Arc`.
pub struct Store<K> {
    objects: RwLock<HashMap<Key, Slot<K>>>,
    listed: Mutex<Option<HashSet<Key>>>,
    observer: Observer<K>,
    synced: watch::Sender<bool>,
    needed: bool,
}

impl<K> Store<K>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned,
{
    /// Creates an empty store. `observer` hears of every change, in order, and must not wait.
    pub fn new(observer: impl Fn(Change<K>) + Send + Sync + 'static) -> Self {
        Self {
            objects: RwLock::default(),
            listed: Mutex::default(),
            observer: Box::new(observer),
            synced: watch::Sender::new(false),
            needed: true,
        }
    }

    /// Counts as listed, and empty, where the kind is not served or may not be read.
    #[must_use]
    pub fn not_needed(mut self) -> Self {
        self.needed = false;
        self
    }

    /// Returns the object named `key`; `None` if there is none or if it is broken.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        match self.read().get(key) {
            Some(Slot::Good(object)) => Some(object.clone()),
            _ => None,
        }
    }

    /// Returns why the object named `key` cannot be decoded, if that is so.
    pub fn broken(&self, key: &Key) -> Option<Arc<Broken>> {
        match self.read().get(key) {
            Some(Slot::Broken(broken)) => Some(broken.clone()),
            _ => None,
        }
    }

    /// Returns all objects that could be decoded, in no order.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read()
            .values()
            .filter_map(|slot| match slot {
                Slot::Good(object) => Some(object.clone()),
                Slot::Broken(_) => None,
            })
            .collect()
    }

    /// Waits until the first listing is complete.
    pub async fn wait_until_synced(&self) {
        let mut synced = self.synced.subscribe();
        // The sender lives as long as the store.
        let _ = synced.wait_for(|synced| *synced).await;
    }

    /// Puts in what the server answered to a write of ours; the event that follows is then known. The
    /// answer about an object that was deleted meanwhile comes too late.
    pub fn wrote(&self, object: K) {
        self.insert(object, true);
    }

    /// Notes that a write of ours was the end of an object.
    pub fn ended(&self, key: Key) {
        self.remove(key);
    }

    fn insert(&self, object: K, is_answer: bool) {
        let key = key_of(&object);
        let now = Arc::new(object);
        let before = {
            let mut objects = self.write();
            let before = match objects.get(&key) {
                Some(Slot::Good(before)) if is_older_or_same(&*now, &**before) => return,
                Some(Slot::Good(before)) if is_answer && before.uid() != now.uid() => return,
                Some(Slot::Good(before)) => Some(before.clone()),
                None if is_answer => return,
                _ => None,
            };
            objects.insert(key, Slot::Good(now.clone()));
            before
        };
        (self.observer)(Change::Put { before, now });
    }

    fn insert_broken(&self, broken: Broken) {
        let broken = Arc::new(broken);
        {
            let mut objects = self.write();
            if let Some(Slot::Broken(before)) = objects.get(&broken.key)
                && **before == *broken
            {
                return;
            }
            objects.insert(broken.key.clone(), Slot::Broken(broken.clone()));
        }
        (self.observer)(Change::Broken(broken));
    }

    fn remove(&self, key: Key) {
        if self.write().remove(&key).is_some() {
            (self.observer)(Change::Deleted(key));
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Key, Slot<K>>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Key, Slot<K>>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Sink for Store<K>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned + Send + Sync,
{
    fn begin(&self) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashSet::new());
    }

    fn put(&self, object: &RawValue) {
        let Some(meta) = Minimal::read(object) else {
            return;
        };
        let key = meta.key();
        if let Some(listed) = &mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner) {
            listed.insert(key.clone());
        }
        match serde_json::from_str::<K>(object.get()) {
            Ok(object) => self.insert(object, false),
            Err(error) => self.insert_broken(Broken {
                key,
                uid: meta.metadata.uid,
                generation: meta.metadata.generation,
                resource_version: meta.metadata.resource_version,
                error: without_position(&error),
            }),
        }
    }

    fn delete(&self, object: &RawValue) {
        if let Some(meta) = Minimal::read(object) {
            self.remove(meta.key());
        }
    }

    fn end(&self) {
        let listed = self
            .listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(listed) = listed else { return };
        let gone: Vec<Key> = self
            .read()
            .keys()
            .filter(|key| !listed.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            self.remove(key);
        }
        self.synced.send_replace(true);
    }

    fn unavailable(&self, _why: &kube::Error) {
        if !self.needed {
            self.synced.send_replace(true);
        }
    }
}

/// Names an object of the API.
pub fn key_of<K: kube::Resource>(object: &K) -> Key {
    let meta = object.meta();
    Key::new(
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}

/// Tells whether `one` is not newer than `other`. Versions of one kind are ordered numbers
/// (Kubernetes 1.35 made that a promise); what is no number is always newer.
fn is_older_or_same<K: kube::Resource>(one: &K, other: &K) -> bool {
    if one.uid() != other.uid() {
        return false;
    }
    let number = |object: &K| {
        object
            .resource_version()
            .and_then(|version| version.parse().ok())
    };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => u64::le(&one, &other),
        _ => false,
    }
}

/// serde says where in a text of one line the error is: of no use to a reader.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[derive(Deserialize)]
struct Minimal {
    metadata: MinimalMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MinimalMetadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    resource_version: String,
}

impl Minimal {
    fn read(object: &RawValue) -> Option<Self> {
        serde_json::from_str(object.get()).ok()
    }

    fn key(&self) -> Key {
        Key::new(&self.metadata.namespace, &self.metadata.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn raw(name: &str, version: u64, data: &str) -> Box<RawValue> {
        RawValue::from_string(format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"a","uid":"u","generation":3,"resourceVersion":"{version}"}},"data":{data}}}"#
        ))
        .unwrap()
    }

    fn store() -> (Arc<Store<ConfigMap>>, Arc<Mutex<Vec<String>>>) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let heard = log.clone();
        let store = Store::new(move |change: Change<ConfigMap>| {
            heard.lock().unwrap().push(match change {
                Change::Put { before: None, now } => format!("new {}", now.name_any()),
                Change::Put { now, .. } => format!("changed {}", now.name_any()),
                Change::Broken(broken) => format!("broken {}: {}", broken.key, broken.error),
                Change::Deleted(key) => format!("deleted {key}"),
            });
        });
        (Arc::new(store), log)
    }

    #[test]
    fn one_broken_object_hides_no_other() {
        let (store, log) = store();
        store.begin();
        store.put(&raw("good", 1, "{}"));
        store.put(&raw("bad", 2, "7"));
        store.put(&raw("fine", 3, "{}"));
        store.end();
        let log = log.lock().unwrap();
        assert_eq!(log[0], "new good");
        assert!(
            log[1].starts_with("broken a/bad: invalid type: integer `7`"),
            "{}",
            log[1]
        );
        assert!(!log[1].contains("line"), "{}", log[1]);
        assert_eq!(log[2], "new fine");
        assert_eq!(store.broken(&Key::new("a", "bad")).unwrap().generation, 3);
        assert_eq!(store.all().len(), 2);
    }

    #[test]
    fn a_broken_object_is_told_once_and_can_be_mended() {
        let (store, log) = store();
        store.put(&raw("x", 1, "7"));
        store.put(&raw("x", 1, "7"));
        store.put(&raw("x", 2, "{}"));
        assert_eq!(log.lock().unwrap().len(), 2);
        assert!(store.get(&Key::new("a", "x")).is_some());
    }

    #[test]
    fn own_writes_make_the_event_an_echo() {
        let (store, log) = store();
        store.put(&raw("x", 1, "{}"));
        store.wrote(serde_json::from_str(raw("x", 5, "{}").get()).unwrap());
        store.put(&raw("x", 4, "{}"));
        store.put(&raw("x", 5, "{}"));
        assert_eq!(*log.lock().unwrap(), ["new x", "changed x"]);
    }

    #[test]
    fn an_answer_after_the_end_brings_nothing_back() {
        let (store, log) = store();
        let answer = || serde_json::from_str(raw("x", 5, "{}").get()).unwrap();
        store.put(&raw("x", 1, "{}"));
        store.delete(&raw("x", 6, "{}"));
        store.wrote(answer());
        store.put(&raw("x", 7, "{}"));
        store.ended(Key::new("a", "x"));
        store.wrote(answer());
        assert_eq!(
            *log.lock().unwrap(),
            ["new x", "deleted a/x", "new x", "deleted a/x"]
        );
    }

    #[test]
    fn what_a_listing_lacks_is_gone() {
        let (store, log) = store();
        store.put(&raw("x", 1, "{}"));
        store.put(&raw("y", 1, "{}"));
        store.begin();
        store.put(&raw("y", 1, "{}"));
        store.end();
        assert_eq!(*log.lock().unwrap(), ["new x", "new y", "deleted a/x"]);
    }
}
