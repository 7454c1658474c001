//! Which entry a name means, and who is woken. Plugins that run are in the end-to-end tests.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::Mutex;

use super::*;
use crate::queue::Key;

type Woken = Arc<Mutex<Vec<String>>>;

fn catalogue() -> (Catalogue, Woken) {
    let woken = Woken::default();
    let told = woken.clone();
    let wake = move |user: &User| told.lock().unwrap().push(user.key.to_string());
    (Catalogue::new([], wake), woken)
}

fn not_ready(reason: &str) -> Entry {
    Entry::NotReady {
        reason: reason.to_owned(),
        message: format!("because of {reason}"),
    }
}

fn told(catalogue: &Catalogue, namespace: &str) -> String {
    let found = catalogue.find(namespace, "cue", PluginKind::Renderer);
    found.unwrap_err().to_string()
}

fn apps() -> Scope {
    Scope::Namespace("apps".into())
}

#[test]
fn what_is_not_ready_hides_what_is_behind_it() {
    let (catalogue, _) = catalogue();
    catalogue.put(&Scope::Cluster, "cue", not_ready("Cluster"));
    catalogue.put(&apps(), "cue", not_ready("Own"));
    assert_eq!(
        told(&catalogue, "apps"),
        "Plugin `apps/cue` is not ready: because of Own"
    );
    assert_eq!(
        told(&catalogue, "other"),
        "ClusterPlugin `cue` is not ready: because of Cluster"
    );
    catalogue.remove(&apps(), "cue");
    assert!(told(&catalogue, "apps").starts_with("ClusterPlugin"));
    catalogue.remove(&Scope::Cluster, "cue");
    let error = catalogue.find("apps", "cue", PluginKind::Renderer);
    let advice = error.unwrap_err().advice();
    assert_eq!(advice.reason, "PluginNotFound");
    assert!(advice.hint.unwrap().contains("none is installed"));
}

#[test]
fn users_are_woken_when_the_name_means_something_else() {
    let (catalogue, woken) = catalogue();
    for (namespace, name) in [("apps", "web"), ("other", "web"), ("apps", "idle")] {
        let user = User::new("Kustomization", &Key::new(namespace, name));
        let uses = (name == "web").then(|| "cue".to_owned());
        catalogue.set_uses(&user, uses);
    }
    let take = || std::mem::take(&mut *woken.lock().unwrap());
    catalogue.put(&apps(), "cue", not_ready("A"));
    assert_eq!(take(), ["apps/web"], "a Plugin serves its namespace");
    catalogue.put(&apps(), "cue", not_ready("A"));
    assert!(take().is_empty(), "nothing is new");
    catalogue.put(&apps(), "cue", not_ready("B"));
    assert_eq!(take(), ["apps/web"]);
    catalogue.put(&Scope::Cluster, "cue", not_ready("C"));
    assert_eq!(take(), ["apps/web", "other/web"]);
    let user = User::new("Kustomization", &Key::new("other", "web"));
    catalogue.set_uses(&user, []);
    catalogue.remove(&Scope::Cluster, "cue");
    assert_eq!(take(), ["apps/web"], "who uses it no more is left alone");
    catalogue.remove(&Scope::Cluster, "cue");
    assert!(take().is_empty());
}
